"""Figures of the chapter on templates: parts as ellipses, the 15 keypoints over pictures, diagrams.

Parts of the template are named by the side of the *image*, keypoints by the side of the *person*. For
someone who faces the camera the image's left is the person's right, so that the part `left_arm` has the
colour of a right arm: warm in both. Points are in crop coordinates, [-1, 1] both ways, x right, y down;
a matrix (2, 3) takes (x, y, 1) to (x', y'). A part is drawn where its Gaussian is above one half.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from lib.metrics import BPLP_JOINTS
from lib.plots import CARD, CENTRE, CYCLE, INK, LEFT, RIGHT, subplots
from lib.plots_diagrams import arrow, board, box, elbow, loss, network, picture_card
from lib.plots_images import PREDICTED, TRUE, WIDTH, draw_bones, show_picture
from lib.plots_parts import PART_COLOURS
from lib.skeleton import Skeleton

__all__ = [
    "KEYPOINTS", "TEMPLATE_COLOURS", "architecture_diagram", "moved", "outlines", "posed_panels",
    "prediction_rows", "show_posed", "show_prediction", "show_template", "template_panels",
    "tinted_template",
]  # fmt: skip

KEYPOINTS = Skeleton(
    "keypoints_15", BPLP_JOINTS, (-1, 0, 1, 2, 0, 4, 5, 0, 7, 7, 9, 10, 7, 12, 13),
    ((4, 1), (5, 2), (6, 3), (12, 9), (13, 10), (14, 11)),
)  # fmt: skip
_OTHER = {"left": "right", "right": "left"}
_LIMBS = {
    "hip": "upper_leg", "thigh": "upper_leg", "shin": "lower_leg", "foot": "lower_leg",
    "shoulder": "upper_arm", "arm": "upper_arm", "forearm": "lower_arm", "hand": "lower_arm",
}  # fmt: skip
TEMPLATE_COLOURS = {"core": PART_COLOURS["torso"]} | {
    f"{side}_{limb}": PART_COLOURS[f"{_OTHER[side]}_{_LIMBS[limb]}"]
    for limb in ("hip", "thigh", "shin", "shoulder", "arm", "forearm", "foot", "hand")
    for side in ("left", "right")
}
TEMPLATE_COLOURS |= {"head": PART_COLOURS["head"]}
HALF = np.sqrt(2 * np.log(2))  # standard deviations from the middle a Gaussian of peak 1 is one half
MARK = CYCLE[2]  # what the paper changes, as on its poster


def _rgb(colour: str) -> np.ndarray:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255


def moved(mean, covariance, matrices=None) -> tuple[np.ndarray, np.ndarray]:
    """Mean (P, 2) and covariance (P, 2, 2) of Gaussians after affine maps (P, 2, 3).

    M mean and A Sigma A^T, A the first two columns of M: the affine image of a Gaussian is a Gaussian.
    None moves nothing. Raises ValueError for another number of matrices.
    """
    mean, covariance = np.asarray(mean, dtype=float), np.asarray(covariance, dtype=float)
    if matrices is None:
        return mean, covariance
    matrices = np.asarray(matrices, dtype=float)
    if matrices.shape != (len(mean), 2, 3):
        raise ValueError(f"matrices of {len(mean)} parts are ({len(mean)}, 2, 3), got {matrices.shape}")
    linear = matrices[:, :, :2]
    placed = np.einsum("pij,pj->pi", linear, mean) + matrices[:, :, 2]
    return placed, linear @ covariance @ linear.transpose(0, 2, 1)


def outlines(mean, covariance, points: int = 40) -> np.ndarray:
    """Ellipses (P, points, 2) where Gaussians of mean (P, 2), covariance (P, 2, 2), peak 1 are 1/2."""
    values, vectors = np.linalg.eigh(np.asarray(covariance, dtype=float))
    axes = vectors * np.sqrt(values.clip(0))[:, None]
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    circle = HALF * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return np.asarray(mean, dtype=float)[:, None] + circle @ axes.transpose(0, 2, 1)


def tinted_template(mean, covariance, size: int = 160) -> np.ndarray:
    """The 18 Gaussians as a picture (size, size, 3) uint8, each in its colour, white where all are 0."""
    mean, covariance = np.asarray(mean, dtype=float), np.asarray(covariance, dtype=float)
    centres = (np.arange(size) + 0.5) * 2 / size - 1
    way = np.stack(np.meshgrid(centres, centres), axis=-1) - mean[:, None, None]
    maps = np.exp(-0.5 * np.einsum("pyxi,pij,pyxj->pyx", way, np.linalg.inv(covariance), way))
    ink = 1 - np.array([_rgb(colour) for colour in TEMPLATE_COLOURS.values()])
    left = np.prod(1 - maps[..., None] * ink[:, None, None], axis=0)
    return (255 * left).round().astype(np.uint8)


def show_posed(
    ax: Axes, picture, mean, covariance, matrices=None, *, only: Sequence[int] | None = None,
    fill: float = 0.45,
) -> Axes:  # fmt: skip
    """The 18 parts of a template as ellipses over a picture, moved by matrices (18, 2, 3) where given.

    picture: (S, S, 3) uint8, or None for an empty card; mean (18, 2), covariance (18, 2, 2) of the
    template; only: the parts that are drawn; fill: how opaque they are.
    """
    _canvas(ax, picture)
    mean, covariance = moved(mean, covariance, matrices)
    if len(mean) != len(TEMPLATE_COLOURS):
        raise ValueError(f"the template has {len(TEMPLATE_COLOURS)} parts, got {len(mean)}")
    colours = list(TEMPLATE_COLOURS.values())
    for part, outline in enumerate(outlines(mean, covariance)):
        if only is None or part in only:
            look = dict(closed=True, linewidth=1.0, edgecolor=colours[part])
            ax.add_patch(Polygon(outline, facecolor=(*_rgb(colours[part]), fill), **look))
    return ax


def show_template(ax: Axes, template, matrices=None, *, picture=None, fill: float = 0.45) -> Axes:
    """A template with its anchors, and what holds them together: pairs that should coincide.

    template: whatever has mean (18, 2), covariance (18, 2, 2), anchors (K, 2), owner (K,) the part of
    each anchor and pairs (J, 2) of anchors. Two anchors of a part are joined by a line. A pair that
    coincides has a ring; where matrices (18, 2, 3) took it apart there is a dotted line between.
    """
    show_posed(ax, picture, template.mean, template.covariance, matrices, fill=fill)
    anchors, owner = np.asarray(template.anchors, dtype=float), np.asarray(template.owner)
    if matrices is not None:
        matrices = np.asarray(matrices, dtype=float)[owner]
        anchors = np.einsum("kij,kj->ki", matrices[:, :, :2], anchors) + matrices[:, :, 2]
    for part in range(len(TEMPLATE_COLOURS)):
        ax.plot(*anchors[owner == part].T, color=INK, linewidth=0.9, marker="o", markersize=2.2)
    for one, two in np.asarray(template.pairs):
        ends = anchors[[one, two]]
        if np.linalg.norm(ends[0] - ends[1]) > 0.01:
            ax.plot(*ends.T, color=RIGHT, linewidth=1.6, linestyle=(0, (1, 1)))
        else:
            look = dict(markerfacecolor="none", markeredgecolor=RIGHT, markersize=7, markeredgewidth=1.1)
            ax.plot(*ends[0], marker="o", **look)
    return ax


def template_panels(templates: Mapping[str, object], matrices=None, pose: str = "") -> Figure:
    """Templates side by side, as `show_template` draws them, and the last once more, moved by matrices.

    templates: by the title of the panel; matrices (18, 2, 3) or None, and that further panel's title.
    """
    shown = [(title, template, None) for title, template in templates.items()]
    if matrices is not None:
        shown.append((pose, shown[-1][1], matrices))
    spread = [outlines(*moved(t.mean, t.covariance, m)).reshape(-1, 2) for _, t, m in shown]
    low, high = np.concatenate(spread).min(0) - 0.04, np.concatenate(spread).max(0) + 0.04
    tall = float((high - low)[1] / (high - low)[0])
    figure, axes = _board(1, len(shown), WIDTH / len(shown) * tall + 0.3)
    for ax, (title, template, placed) in zip(axes[0], shown, strict=True):
        show_template(ax, template, placed).set_title(title, fontsize=12, color=INK)
        ax.set(xlim=(low[0], high[0]), ylim=(high[1], low[1]))
    return figure


def posed_panels(
    template, panels: Mapping[str, object], *, pictures: Sequence | None = None,
    only: Sequence[int] | None = None, columns: int = 4, zoom: Sequence[float] | None = None,
) -> Figure:  # fmt: skip
    """One panel for each set of matrices (18, 2, 3): what they make of a template; None leaves it.

    panels: {title: matrices}; pictures: one beneath each panel; only: parts in full colour, the others
    are faint; zoom: (left, right, bottom, top) of the crop that is shown, all of it by default.
    """
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    zoom = (-1.0, 1.0, 1.0, -1.0) if zoom is None else zoom
    side = WIDTH / columns * abs((zoom[3] - zoom[2]) / (zoom[1] - zoom[0]))
    figure, axes = _board(rows, columns, rows * (side + 0.3))
    everything = range(len(TEMPLATE_COLOURS))
    strong = everything if only is None else only
    faint = [part for part in everything if part not in strong]
    for number, (ax, (title, matrices)) in enumerate(zip(axes.flat, panels.items(), strict=False)):
        picture = None if pictures is None else pictures[number]
        show_posed(ax, picture, template.mean, template.covariance, matrices, only=faint, fill=0.08)
        show_posed(ax, None, template.mean, template.covariance, matrices, only=strong, fill=0.5)
        ax.set(xlim=zoom[:2], ylim=zoom[2:])
        ax.set_title(title, fontsize=10.5, color=INK)
    return figure


def show_prediction(ax: Axes, picture, keypoints, truth=None, anchors=None) -> Axes:
    """The 15 keypoints (15, 2) over a picture (S, S, 3) uint8, or over an empty card for None.

    Without the truth (15, 2) left is blue and right is vermilion, of the person as the model names them;
    with it, as everywhere in the book, the prediction is red over the green truth. anchors (K, 2) are
    small dots.
    """
    _canvas(ax, picture)
    if truth is not None:
        draw_bones(ax, truth, KEYPOINTS, color=TRUE, linewidth=2.8, outline=True)
    colour = PREDICTED if truth is not None else None
    draw_bones(ax, keypoints, KEYPOINTS, color=colour, linewidth=1.8, outline=truth is None)
    if anchors is not None:
        ax.scatter(*np.asarray(anchors).T, s=5, color=CARD, edgecolors=INK, linewidths=0.5, zorder=4)
    return ax


def prediction_rows(
    rows: Mapping[str, Mapping[str, np.ndarray]], count: int = 5, *, pick: Sequence[int] | None = None,
    over_truth: bool = False, template: Mapping[str, object] | None = None, first: str = "truth",
    heads: Sequence[str] | None = None,
) -> Figure:  # fmt: skip
    """The same frames in every row: first with the true keypoints, then with those of each model.

    Arguments:
        rows: {name of the row: arrays}: image (K, S, S, 3) uint8, truth and predicted (K, 15, 2), as a
            record's `studio/random` has them, and matrices (K, 18, 2, 3) where `template` is used.
        count: frames shown, the first ones; or pick: their numbers.
        over_truth: the prediction is red over the green truth instead of coloured by sides.
        template: {name of the row: template}; that row shows the posed parts beneath the skeleton.
        first: name of the row of truths; "" leaves it out.
        heads: one text over each column.

    Raises ValueError where there is no row, or where two rows do not show the same frames.
    """
    if not rows:
        raise ValueError("prediction_rows: there is no row")
    given = next(iter(rows.values()))
    index = list(range(min(count, len(given["image"])))) if pick is None else list(pick)
    truths = {name: np.asarray(arrays["truth"])[index] for name, arrays in rows.items()}
    for name, truth in truths.items():
        if not np.allclose(truth, np.asarray(given["truth"])[index], atol=1e-3):
            raise ValueError(f"prediction_rows: {name} shows other frames than {next(iter(rows))}")
    names = [first] * bool(first) + list(rows)
    figure, axes = _board(len(names), len(index), len(names) * WIDTH / len(index), room=0.5)
    for name, line in zip(names, axes, strict=True):
        arrays = given if name == first else rows[name]
        for ax, k in zip(line, index, strict=True):
            picture, truth = arrays["image"][k], arrays["truth"][k]
            if name == first:
                show_picture(ax, picture)
                look = dict(color=TRUE if over_truth else None, linewidth=1.8, outline=True)
                draw_bones(ax, truth, KEYPOINTS, **look)
                continue
            if template is not None and name in template:
                shape = template[name]
                show_posed(ax, picture, shape.mean, shape.covariance, arrays["matrices"][k], fill=0.35)
                picture = None
            show_prediction(ax, picture, arrays["predicted"][k], truth if over_truth else None)
        line[0].text(-1.08, 0, name, fontsize=11, color=INK, ha="right", va="center", rotation=90)
    for ax, head in zip(axes[0], heads or (), strict=False):
        ax.set_title(head, fontsize=11, color=INK)
    looks = {"left": LEFT, "right": RIGHT, "centre": CENTRE}
    if over_truth:
        looks = {"predicted": PREDICTED, "true": TRUE}
    handles = [Line2D([], [], color=colour, linewidth=2.2) for colour in looks.values()]
    figure.legend(handles, list(looks), loc="outside lower center", ncols=len(looks), frameon=False,
                  labelcolor=INK, fontsize=11, handlelength=1.4)  # fmt: skip
    return figure


def architecture_diagram(target, other, orig, new, posed, drawn) -> Figure:
    """The model of Yoo and Russakovsky, 2023; what they change is green, numbered as on their poster.

    Pictures (S, S, 3) uint8: the frame whose pose is wanted, another of the same person, the two
    templates, the template posed, and the reconstruction of the first frame.
    """
    figure, ax = board(6.4, 6.75)
    y, side = (5.75, 3.55, 1.2), 1.2
    first = picture_card(ax, 0.75, y[0], target, "$f_t$", side=side)
    phi = network(ax, 2.25, y[0], r"$\Phi$", width=0.9, height=1.25, taper=0.6)
    m = box(ax, 3.75, y[0], "$M$", width=0.8, height=0.6)
    old = picture_card(ax, 0.75, y[1], orig, "$T_{orig}$", side=side)
    fresh = picture_card(ax, 2.1, y[1], new, "", side=side)
    warp = box(ax, 3.75, y[1], "warp", width=0.85, height=0.5)
    star = picture_card(ax, 5.55, y[1], posed, "$T^*$", side=side)
    second = picture_card(ax, 0.75, y[2], other, "$f_{t+k}$", side=side)
    psi = network(ax, 2.25, y[2], r"$\Psi$", width=0.9, height=1.0, taper=1.0)
    made = picture_card(ax, 3.75, y[2], drawn, r"$\hat f_t$", side=side)
    again = picture_card(ax, 5.55, y[2], target, "$f_t$", side=side)
    learned, fixed = dict(colour=CYCLE[0]), dict(colour=CENTRE)
    arrow(ax, first, phi, **learned)
    arrow(ax, phi, m, **learned)
    arrow(ax, m, warp, **fixed)
    arrow(ax, fresh, warp, **fixed)
    arrow(ax, warp, star, **fixed)
    low = 2.55
    elbow(ax, [(star.x, star.y - 0.62), (star.x, low), (psi.x, low), (psi.x, psi.y + 0.56)], **learned)
    arrow(ax, second, psi, **learned)
    arrow(ax, psi, made, **learned)
    loss(ax, made, again, "", colour=CYCLE[3])
    ax.text((old.x + fresh.x) / 2, y[1], "/", fontsize=16, color=INK, ha="center", va="center")
    text = dict(fontsize=12.5, ha="center", va="center", linespacing=1.15)
    losses = {
        r"$\mathcal{L}_{perc}$": (4.65, y[2] + 0.35),
        "$\\mathcal{L}_{anc}$\n$\\mathcal{L}_{bnd}$": (4.6, y[1] - 0.4),
    }
    for words, place in losses.items():
        ax.text(*place, words, **text | dict(color=CYCLE[3], fontsize=14.5))
    marks = {
        "1  + $\\mathcal{L}_{MSE}$": (4.65, 0.38),
        "2  $T_{new}$": (fresh.x, fresh.y + side / 2 + 0.14),
        "3  two steps,\ncoarse to fine": (5.3, y[0] + 0.35),
        "4  flipped pairs": (0.95, y[0] - side / 2 - 0.2),
        "5  constrained": (5.3, y[0] - 0.35),
    }
    for words, place in marks.items():
        ax.text(*place, words, **text | dict(color=MARK))
    return figure


def _canvas(ax: Axes, picture) -> None:
    if picture is not None:
        show_picture(ax, picture)
        return
    ax.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal")
    ax.axis("off")


def _board(rows: int, columns: int, height: float, room: float = 0.1):
    """(figure, axes (rows, columns)) without axes and with narrow gaps."""
    figure, axes = subplots(rows, columns, WIDTH, height + room, squeeze=False)
    figure.get_layout_engine().set(h_pad=0.02, w_pad=0.02, hspace=0.02, wspace=0.02)
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes
