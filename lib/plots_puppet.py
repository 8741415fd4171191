"""Figures of the part-guided model: its diagrams, its puppet and its maps.

Everything is drawn on the light card of `lib.plots`. A figure takes arrays, whoever computed them. What can
be moved, in a page or in JupyterLab, is in `lib.plots_orbit`; segmentations are in `lib.plots_parts`.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.plots import CARD, CENTRE, CYCLE, INK, LEFT, RIGHT, lines, subplots
from lib.plots_diagrams import Card, arrow, board, box, elbow, loss, network, picture_card, pose_card
from lib.plots_images import show_picture
from lib.plots_parts import PART_COLOURS
from lib.skeleton import Skeleton

__all__ = [
    "chain_diagram", "consistency_diagram", "energy_diagram", "order_curves", "overview_diagram",
    "profile_across", "template_panels", "tinted", "warp_panels",
]  # fmt: skip

FIXED = CENTRE  # what is computed by a formula; what is learned has CYCLE[0]
SIDE = 1.15  # inches of a card
_RGB = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PART_COLOURS.values()], dtype=float)


def tinted(maps, owner: Sequence[int]) -> np.ndarray:
    """Soft maps (P, S, S) in [0, 1] on one picture (S, S, 3) uint8, each in the colour of its part.

    owner: the part, 0 to 9, of each. White where every map is 0; where two meet both are seen.
    """
    maps = np.asarray(maps, dtype=float)
    if maps.ndim != 3 or len(maps) != len(owner):
        raise ValueError(f"{len(owner)} maps are ({len(owner)}, S, S), got {maps.shape}")
    ink = 1 - _RGB[1:][list(owner)] / 255
    left = np.prod(1 - maps.clip(0, 1)[..., None] * ink[:, None, None], axis=0)
    return (255 * left).round().astype(np.uint8)


def _corner(ax: Axes, card: Card, text: str) -> None:
    """The name of a card inside its upper left corner, where there is no room above it."""
    edge = dict(facecolor=CARD, edgecolor="none", pad=1.2, alpha=0.85)
    at = (card.x - card.half_width + 0.05, card.y + card.half_height - 0.05)
    ax.text(*at, text, fontsize=13, color=INK, ha="left", va="top", zorder=6, bbox=edge)


def _span(points) -> float:
    return 0.55 * float(np.ptp(np.asarray(points), axis=0).max())


def overview_diagram(picture, seen, parts, turned, exchanged, skeleton: Skeleton) -> Figure:
    """Figure 1 of Kundu et al., CVPR 2020: what one picture is taken apart into, and what that is good for.

    Pictures (S, S, 3) uint8: the input, its parts, the person seen from another side and another person in
    the pose of the first; seen (J, 2) the 3D joints from some side, y down.
    """
    figure, ax = board(6.4, 4.5)
    top, bottom, right = 3.3, 1.05, (4.35, 5.78)
    given = picture_card(ax, 0.7, 2.2, picture, "$I$", side=SIDE)
    encoder = network(ax, 1.9, 2.2, "$E$", width=0.66, height=1.3, taper=0.7)
    pose = box(ax, 3.0, 3.3, "pose\n$p^{3D}$", width=0.95, height=0.72)
    camera = box(ax, 3.0, 2.2, "camera\n$c$", width=0.95, height=0.72)
    looks = box(ax, 3.0, 1.1, "looks\n$a$", width=0.95, height=0.72)
    body = pose_card(
        ax, right[0], top, seen, skeleton, "3D pose", side=SIDE, reach=_span(seen), fill="#ffffff"
    )
    labels = picture_card(ax, right[1], top, parts, "parts", side=SIDE)
    view = picture_card(ax, right[0], bottom, turned, "another $c$", side=SIDE)
    swap = picture_card(ax, right[1], bottom, exchanged, "another $a$", side=SIDE)
    learned, fixed = dict(colour=CYCLE[0]), dict(colour=FIXED)
    arrow(ax, given, encoder, **learned)
    for made in (pose, camera, looks):
        arrow(ax, encoder, made, **learned)
    arrow(ax, pose, body, **fixed)
    arrow(ax, body, labels, **fixed)
    elbow(ax, [(3.52, 2.2), (view.x, 2.2), (view.x, 1.98)], **learned)
    low = 0.22
    elbow(ax, [(3.0, 0.7), (3.0, low), (swap.x, low), (swap.x, 0.42)], **learned)
    return figure


def chain_diagram(picture, seen, points, parts, drawn, decoded, skeleton: Skeleton) -> Figure:
    """Figures 2A and 2B of Kundu et al., CVPR 2020: encoder, the three transformations, and the decoder.

    Pictures (S, S, 3) uint8: the input, the posed puppet, what the decoder draws and its parts; seen (J, 2)
    the canonical joints from some side and points (J, 2) their projection q, y down.
    """
    figure, ax = board(6.4, 6.65)
    x, y = (0.72, 2.1, 4.45, 5.66), (5.7, 3.85, 2.3, 0.75)
    given = picture_card(ax, x[0], y[0], picture, "$I$", side=SIDE)
    encoder = network(ax, 1.85, y[0], "$E$", width=0.7, height=1.25, taper=0.75)
    v = box(ax, 3.05, y[0] + 0.32, "$v^{3D}$", width=0.8, height=0.44)
    c = box(ax, 3.05, y[0] - 0.32, "$c$", width=0.8, height=0.44)
    a = box(ax, 1.85, y[1], "$a$", width=0.8, height=0.5)
    body = pose_card(
        ax, x[2] + 0.05, y[0], seen, skeleton, "$p^{3D}$", side=SIDE, reach=_span(seen), fill="#ffffff"
    )
    q = pose_card(ax, x[3], y[1], points, skeleton, "", side=SIDE)
    p = picture_card(ax, x[3], y[2], parts, "", side=SIDE)
    decoder = network(ax, 3.9, y[2], "$D$", width=0.8, height=1.25, taper=1.7)
    person = picture_card(ax, 3.2, y[3], drawn, "", side=SIDE)
    labels = picture_card(ax, 4.6, y[3], decoded, "", side=SIDE)
    for card, name in ((q, "$q$"), (p, "$p$"), (person, r"$\hat I$"), (labels, r"$\hat y$")):
        _corner(ax, card, name)
    learned, fixed = dict(colour=CYCLE[0]), dict(colour=FIXED)
    arrow(ax, given, encoder, **learned)
    for made in (v, c):
        elbow(ax, [(2.22, made.y), (made.x - 0.45, made.y)], **learned)
    elbow(ax, [(encoder.x, y[0] - 0.62), (encoder.x, a.y + 0.3)], **learned)
    elbow(ax, [(v.x + 0.45, v.y), (body.x - 0.62, v.y)], "$T_{fk}$", at=(3.72, v.y + 0.27), **fixed)
    elbow(
        ax,
        [(body.x + 0.6, y[0] + 0.1), (q.x, y[0] + 0.1), (q.x, q.y + 0.62)],
        "$T_c$",
        at=(q.x, 5.0),
        **fixed,
    )
    turn = y[1] + 0.15
    elbow(ax, [(c.x, c.y - 0.27), (c.x, turn), (q.x - 0.63, turn)], **fixed)
    arrow(ax, q, p, "$T_s$", shift=(0.34, 0), **fixed)
    elbow(ax, [(a.x, a.y - 0.3), (a.x, y[2]), (decoder.x - 0.45, y[2])], **learned)
    arrow(ax, p, decoder, **learned)
    for made in (person, labels):
        elbow(ax, [(made.x, y[2] - 0.62), (made.x, made.y + 0.63)], **learned)
    ax.plot([person.x, labels.x], [y[2] - 0.62] * 2, color=CYCLE[0], linewidth=1.8, zorder=1)
    return figure


def consistency_diagram(pictures: Mapping[str, np.ndarray], points, skeleton: Skeleton) -> Figure:
    """Figures 3A and 3B of Kundu et al., CVPR 2020: two passes through one decoder, and the three losses.

    pictures: (S, S, 3) uint8 or (S, S) in [0, 1], by name: target, source, salient (m_sal I_t), drawn and
    again (what the decoder draws of p_t and of p_z), parts and novel (p_t and p_z), decoded and labels (the
    decoder's parts and the puppet's, of p_z), outside (where nothing may be painted). points (J, 2): q_z.
    """
    figure, ax = board(6.4, 7.35)
    x, y = (0.7, 2.35, 4.0, 5.68), (6.45, 4.55, 2.65, 0.75)

    def shown(column: int, row: int, name: str, text: str) -> Card:
        made = picture_card(ax, x[column], y[row], pictures[name], "", side=SIDE)
        _corner(ax, made, text)
        return made

    target, source = shown(0, 0, "target", "$I_t$"), shown(0, 1, "source", "$I_s$")
    pose, novel = shown(1, 0, "parts", "$p_t$"), shown(1, 2, "novel", "$p_z$")
    drawn, salient = shown(3, 0, "drawn", r"$\hat s\,\hat I$"), shown(3, 1, "salient", "$m_{sal} I_t$")
    again, outside = shown(3, 2, "again", r"$\hat I^{p_z}_{a_s}$"), shown(3, 3, "outside", "off $p_z$")
    labels, decoded = shown(1, 3, "labels", "$y^{p_z}$"), shown(2, 3, "decoded", r"$\hat y^{p_z}$")
    unpaired = pose_card(ax, x[0], y[2], points, skeleton, "", side=SIDE)
    _corner(ax, unpaired, "$q_z$")
    a = box(ax, x[1], y[1], "$a_s$", width=0.7, height=0.5)
    decoders = [network(ax, x[2], y[row], "$D$", width=0.8, height=1.1, taper=1.7) for row in (0, 2)]
    learned, fixed = dict(colour=CYCLE[0]), dict(colour=FIXED)
    arrow(ax, target, pose, "$E, T$", shift=(0, 0.22), **learned)
    arrow(ax, source, a, "$E_a$", shift=(0, 0.22), **learned)
    arrow(ax, unpaired, novel, "$T_s$", shift=(0, 0.22), **fixed)
    for start, decoder, end in ((pose, decoders[0], drawn), (novel, decoders[1], again)):
        arrow(ax, start, decoder, **learned)
        arrow(ax, decoder, end, **learned)
    ax.plot([a.x + 0.38, x[2]], [a.y, a.y], color=CYCLE[0], linewidth=1.8)
    for end in (y[0] - 0.62, y[2] + 0.62):
        elbow(ax, [(x[2], a.y), (x[2], end)], **learned)
    arrow(ax, decoders[1], decoded, **learned)
    arrow(ax, novel, labels, **fixed)
    loss(ax, drawn, salient, r"$\mathcal{L}_I^u$", shift=(0.35, 0))
    loss(ax, again, outside, r"$\mathcal{L}_I^c$", shift=(0.35, 0))
    loss(ax, labels, decoded, r"$\mathcal{L}_{seg}$", shift=(0, 0.27))
    return figure


def energy_diagram(points, drawn, skeleton: Skeleton) -> Figure:
    """Figure 3C of Kundu et al., CVPR 2020: the energy step, the decoder frozen first, then the encoder.

    points (J, 2): q_z; drawn (S, S, 3) uint8: what the decoder makes of p_z and the looks a_s.
    """
    figure, ax = board(6.4, 6.0)
    x = (0.62, 1.92, 3.2, 4.48, 5.78)
    for y, frozen, title in (
        (4.4, "D", "odd: the encoder learns"),
        (1.4, "E", "even: the decoder learns"),
    ):
        ax.text(3.2, y + 1.4, title, fontsize=14, color=INK, ha="center", va="center")
        first = pose_card(ax, x[0], y + 0.35, points, skeleton, "", side=0.95)
        last = pose_card(ax, x[4], y + 0.35, points, skeleton, "", side=0.95)
        a = box(ax, x[0], y - 0.6, "$a_s$", width=0.7, height=0.5)
        a_hat = box(ax, x[4], y - 0.6, r"$\hat a_s$", width=0.7, height=0.5)
        decoder = network(ax, x[1], y, "$D$", width=0.95, height=1.3, taper=1.6, frozen=frozen == "D")
        picture = picture_card(ax, x[2], y, drawn, "", side=1.1)
        encoder = network(ax, x[3], y, "$E$", width=0.95, height=1.3, taper=0.62, frozen=frozen == "E")
        for card, name in ((first, "$p_z$"), (last, r"$\hat p_z$"), (picture, r"$\hat I^{p_z}_{a_s}$")):
            _corner(ax, card, name)
        flows = {"D": dict(colour=FIXED if frozen == "D" else CYCLE[0])}
        flows["E"] = dict(colour=FIXED if frozen == "E" else CYCLE[0])
        for start in (first, a):
            arrow(ax, start, decoder, **flows["D"])
        arrow(ax, decoder, picture, **flows["D"])
        arrow(ax, picture, encoder, **flows["E"])
        for end in (last, a_hat):
            arrow(ax, encoder, end, **flows["E"])
        _around(ax, first, last, y + 1.05, r"$|p_z^{3D} - \hat p_z^{3D}|$")
        _around(ax, a, a_hat, y - 1.12, r"$|a_s - \hat a_s|$")
    return figure


def _around(ax: Axes, start: Card, end: Card, height: float, text: str) -> None:
    """A loss between two cards of one height, its dashed line led around what is between them."""
    up = 1 if height > start.y else -1
    for card in (start, end):
        ends = dict(
            arrowstyle="-|>", color=CYCLE[2], linewidth=1.5, mutation_scale=13, shrinkA=0, shrinkB=0
        )
        edge = card.y + up * (card.half_height + 0.04)
        ax.annotate("", (card.x, edge), (card.x, height), arrowprops=ends, zorder=4)
    ax.plot(
        [start.x, end.x], [height] * 2, color=CYCLE[2], linewidth=1.5, linestyle=(0, (4, 2)), zorder=3
    )
    edge = dict(facecolor=CARD, edgecolor="none", pad=1.0)
    middle = (start.x + end.x) / 2
    ax.text(
        middle, height, text, fontsize=14, color=CYCLE[2], ha="center", va="center", zorder=5, bbox=edge
    )


def template_panels(masks, maps, rings, anchors, corners, owner: Sequence[int], torso: int) -> Figure:
    """Figure 2C of Kundu et al., CVPR 2020: the drawn template with its anchors, its maps and its rings.

    masks, maps, rings (P, T, T); anchors (P, 2, 2) and the torso's four corners (4, 2), crop coordinates.
    """
    figure, axes = subplots(1, 3, height=2.75)
    for ax, values, title in zip(
        axes, (masks, maps, rings), ("drawing", r"$\phi_c$", r"$\psi_c$"), strict=True
    ):
        show_picture(ax, tinted(values, owner)).set_title(title)
    for number, pair in enumerate(np.asarray(anchors)):
        if number != torso:
            axes[0].plot(*pair.T, color=INK, linewidth=1.0, marker="o", markersize=2.6)
    axes[0].plot(*np.asarray(corners).T, color=INK, linestyle="none", marker="s", markersize=4.2)
    return figure


def profile_across(across, profiles: Mapping[str, np.ndarray]) -> Figure:
    """Values of maps along a line across a part: profiles {name: (X,)} over across (X,), in half widths."""
    figure = lines(
        profiles, across, xlabel="from the middle of the part, in half widths", ylabel="value"
    )
    figure.set_size_inches(7.0, 2.6)
    return figure


def warp_panels(before, after, anchors, joints, text: str) -> Figure:
    r"""A part's map where the template has it and where its two joints are, with the two vectors.

    before, after (S, S) in [0, 1]; anchors r and joints q (2, 2) in crop coordinates; text names the ratio.
    Both panels show half the side of a crop around the middle of the part.
    """
    figure, axes = subplots(1, 2, width=6.0, height=3.2)
    ends = ((before, anchors, "r"), (after, joints, "q"))
    for ax, (values, pair, name), colour in zip(axes, ends, (RIGHT, LEFT), strict=True):
        show_picture(ax, 0.55 * np.asarray(values))
        pair = np.asarray(pair)
        middle = pair.mean(0)
        ax.set(xlim=middle[0] + np.array([-0.5, 0.5]), ylim=middle[1] + np.array([0.5, -0.5]))
        ax.annotate("", pair[1], pair[0], arrowprops=dict(arrowstyle="-|>", color=colour, linewidth=2.4))
        along = pair[1] - pair[0]
        shift = 0.1 * np.array([-along[1], along[0]]) / max(np.linalg.norm(along), 1e-6)
        for number, place in enumerate(pair, 1):
            ax.text(
                *(place + shift),
                f"${name}_{number}$",
                color=colour,
                fontsize=13,
                ha="center",
                va="center",
            )
    axes[0].set_title("template")
    axes[1].set_title(text)
    return figure


def order_curves(
    strength, printed: Mapping[str, np.ndarray], mended: Mapping[str, np.ndarray]
) -> Figure:
    """Two panels over how strongly a part covers a pixel: the channels as printed, and as mended.

    strength (X,) in [0, 1]; each mapping {channel: (X,)}.
    """
    figure, axes = subplots(1, 2, height=2.9, sharey=True)
    for ax, series, title in zip(axes, (printed, mended), ("as printed", "mended"), strict=True):
        lines(series, strength, xlabel=r"$\phi_p$ of the part", ylabel="", title=title, ax=ax)
        ax.set_ylim(-0.02, 1.02)
    return figure
