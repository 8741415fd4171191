"""Figures of the kinematic model on paper: its two diagrams, its maps, the frames of its limbs.

Everything is drawn on the light card of `lib.plots`. A figure takes arrays, whoever computed them. What can
be turned, with the mouse or with sliders, is in `lib.plots_knobs`.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.plots import CARD, CENTRE, CYCLE, INK, LEFT, RIGHT, bone_sides, subplots
from lib.plots_diagrams import Card, arrow, board, box, elbow, loss, network, picture_card, pose_card
from lib.plots_images import draw_bones, show_picture
from lib.skeleton import Skeleton

__all__ = [
    "affinity_steps", "coloured_maps", "energy_diagram", "frame_fields", "panels", "training_diagram",
]  # fmt: skip

FIXED = CENTRE  # what is computed by a formula; what is learned has CYCLE[0]
CARD_SIDE = 1.15  # inches


def training_diagram(target, source, background, drawn, maps, points, seen, skeleton: Skeleton) -> Figure:
    """Figure 1A of Kundu et al., AAAI 2020: how a frame is drawn again, its pose by way of a skeleton.

    Pictures target, source, background and drawn (S, S, 3) uint8; maps (S, S, 3) uint8 as `coloured_maps`
    gives them; points (J, 2) the projected joints, seen (J, 2) the canonical joints from some side, y down.
    """
    figure, ax = board(6.4, 6.75)
    column, row = (0.72, 2.35, 4.02, 5.66), (5.75, 3.75, 2.35, 0.75)
    picture = dict(side=CARD_SIDE)
    i_t = picture_card(ax, column[0], row[0], target, "$I_t$", **picture)
    e_p = network(ax, column[1] - 0.45, row[0], "$E_P$", width=0.75, height=1.2, taper=0.75)
    v_k = box(ax, column[1] + 0.7, row[0] + 0.3, "$v_k$: 40", width=0.84, height=0.42)
    c = box(ax, column[1] + 0.7, row[0] - 0.3, "$c$: 6", width=0.84, height=0.42)
    p_3d = pose_card(
        ax, column[2] + 0.5, row[0], seen, skeleton, "$p_{3D}$", reach=_reach(seen), fill="#ffffff", **picture
    )
    p_2d = pose_card(ax, column[3], row[1] + 0.25, points, skeleton, "", **picture)
    f_2d = picture_card(ax, column[3], row[2], maps, "", **picture)
    i_s = picture_card(ax, column[0], row[1] - 0.55, source, "$I_s$", **picture)
    e_a = network(ax, column[1] - 0.45, row[1] - 0.55, "$E_A$", width=0.75, height=1.0)
    f_a = box(ax, column[1] + 0.62, row[1] - 0.55, "$f_a$", width=0.6, height=0.45)
    d_i = network(ax, column[2] + 0.1, row[2], "$D_I$", width=0.75, height=1.0, taper=1.8)
    b_t = picture_card(ax, column[3], row[3], background, "", **picture)
    again = picture_card(ax, column[2] - 0.15, row[3], drawn, "", **picture)
    truth = picture_card(ax, column[1] - 0.55, row[3], target, "", **picture)
    for card, name in (
        (p_2d, "$p_{2D}$"),
        (f_2d, "$f_{2D}$"),
        (b_t, "$B_t$"),
        (again, r"$\hat I_t$"),
        (truth, "$I_t$"),
    ):
        _corner(ax, card, name)
    learned, fixed = dict(colour=CYCLE[0]), dict(colour=FIXED)
    arrow(ax, i_t, e_p, **learned)
    for made in (v_k, c):
        elbow(ax, [(e_p.x + 0.41, made.y), (made.x - 0.47, made.y)], **learned)
    elbow(ax, [(v_k.x + 0.47, v_k.y), (p_3d.x - 0.62, v_k.y)], "$T_{fk}$", at=(3.72, v_k.y + 0.28), **fixed)
    arrow(ax, p_3d, p_2d, "$T_c$", shift=(0.32, 0.1), **fixed)
    turn = row[1] + 0.45
    elbow(ax, [(c.x, c.y - 0.26), (c.x, turn), (p_2d.x - 0.63, turn)], **fixed)
    arrow(ax, p_2d, f_2d, "$T_m$", shift=(0.36, 0), **fixed)
    arrow(ax, i_s, e_a, **learned)
    arrow(ax, e_a, f_a, **learned)
    elbow(ax, [(f_a.x, f_a.y - 0.28), (f_a.x, row[2]), (d_i.x - 0.42, row[2])], **learned)
    arrow(ax, f_2d, d_i, **learned)
    elbow(ax, [(d_i.x, d_i.y - 0.55), (d_i.x, again.y + 0.62)], **learned)
    arrow(ax, b_t, again, "late", shift=(0, 0.17), **learned)
    loss(ax, again, truth, r"$|I_t - \hat I_t|$", shift=(0.0, 0.27))
    return figure


def energy_diagram(
    target, source, background, drawn, points, skeleton: Skeleton
) -> Figure:  # fmt: skip
    """Figure 2B of Kundu et al., AAAI 2020: what is asked of unpaired frames, the decoder being frozen.

    As `training_diagram`; drawn (S, S, 3) is what the decoder makes of the pose of the target, the clothes of
    the source and a random background. T is drawn as a flip.
    """
    figure, ax = board(6.4, 5.95)
    x, y = (0.72, 2.3, 4.05, 5.66), (5.1, 3.0, 0.95)
    picture = dict(side=CARD_SIDE)
    i_s = picture_card(ax, x[0], y[0], source, "$I_s$", **picture)
    f_a = box(ax, x[1], y[0], "$f_a$", width=0.6, height=0.5)
    f_a2 = box(ax, x[3], y[0], r"$\tilde f_a$", width=0.6, height=0.5)
    i_t = picture_card(ax, x[0], y[1], target, "$I_t$", **picture)
    p_2d = pose_card(ax, x[1], y[1], points, skeleton, "", **picture)
    d_i = network(ax, x[2], y[1], "$D_I$", width=1.0, height=1.35, taper=1.6, frozen=True)
    out = picture_card(ax, x[3], y[1], drawn, "", **picture)
    b_r = picture_card(ax, x[2], y[2] + 0.05, background, "", **picture)
    flipped = picture_card(ax, x[3], y[2], np.asarray(drawn)[:, ::-1], "", **picture)
    p_2d2 = pose_card(ax, x[1], y[2], points, skeleton, "", **picture)
    for card, name in (
        (p_2d, "$p_{2D}$"),
        (p_2d2, r"$\tilde p_{2D}$"),
        (b_r, "$B_r$"),
        (out, r"$\tilde I_t$"),
        (flipped, r"$T(\tilde I_t)$"),
    ):
        _corner(ax, card, name)
    learned, plain = dict(colour=CYCLE[0]), dict(colour=FIXED)
    arrow(ax, i_s, f_a, "$E_A$", shift=(0, 0.2), **learned)
    arrow(ax, i_t, p_2d, "$E_P$", shift=(0, 0.2), **learned)
    arrow(ax, p_2d, d_i, "$T_m$", shift=(-0.02, 0.24), **plain)
    elbow(ax, [(f_a.x + 0.35, y[0] - 0.15), (d_i.x, y[0] - 0.15), (d_i.x, d_i.y + 0.72)], **plain)
    arrow(ax, b_r, d_i, **plain)
    arrow(ax, d_i, out, **plain)
    arrow(ax, out, f_a2, "$E_A$", shift=(-0.3, 0), **learned)
    arrow(ax, out, flipped, "$T$", shift=(0.2, 0), **plain)
    low = y[2] - 0.72
    elbow(
        ax, [(flipped.x, flipped.y - 0.6), (flipped.x, low), (p_2d2.x, low), (p_2d2.x, p_2d2.y - 0.62)],
        "$T^{-1} E_P$", at=(b_r.x, low), **learned,
    )  # fmt: skip
    loss(ax, f_a, f_a2, r"$|f_a - \tilde f_a|$", move=(0, 0.1))
    loss(ax, p_2d, p_2d2, r"$|p_{2D} - \tilde p_{2D}|$", shift=(-0.95, 0))
    return figure


def _reach(points) -> float:
    return 0.55 * float(np.ptp(np.asarray(points), axis=0).max())


def _corner(ax: Axes, card: Card, text: str) -> None:
    """The name of a card inside its upper left corner, where there is no room above it."""
    edge = dict(facecolor=CARD, edgecolor="none", pad=1.2, alpha=0.85)
    at = (card.x - card.half_width + 0.05, card.y + card.half_height - 0.05)
    ax.text(*at, text, fontsize=13, color=INK, ha="left", va="top", zorder=6, bbox=edge)


def coloured_maps(maps, skeleton: Skeleton) -> np.ndarray:
    """The maps of joints and limbs (J + B, S, S) in [0, 1] of one pose on one picture (S, S, 3) uint8.

    Joints come first, then limbs in the skeleton's order; left, right and centre have the colours of the
    other figures, and where two meet both are seen. White where every map is 0.
    """
    maps = np.asarray(maps, dtype=float)
    joints = len(skeleton.joints)
    if maps.ndim != 3 or len(maps) != joints + len(skeleton.bones):
        raise ValueError(
            f"the maps of {skeleton.name} are ({joints + len(skeleton.bones)}, S, S), got {maps.shape}"
        )
    sides = bone_sides(skeleton)
    picture = np.ones((*maps.shape[1:], 3))
    for colour, bones in zip((LEFT, RIGHT, CENTRE), sides.values(), strict=True):
        mine = [j for _, j in bones] + [joints + skeleton.bones.index(bone) for bone in bones]
        ink = 1 - np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        picture *= 1 - maps[mine].max(0)[..., None].clip(0, 1) * ink
    return (255 * picture.clip(0, 1)).round().astype(np.uint8)


def affinity_steps(
    points,
    bone: tuple[int, int],
    joint: int,
    along,
    across,
    affinity,
    heat,
    affinities,
    heats,
    skeleton: Skeleton,
) -> Figure:
    """Figure 2A of Kundu et al., AAAI 2020: from two joints of a pose to the map of their limb.

    points (J, 2) in crop coordinates; maps (S, S) of one limb (its two coordinates u' in deviations, its
    affinity) and of one joint (its heat), and of all limbs and all joints together.
    """
    figure, axes = subplots(2, 4, height=4.0)
    first, second = points[bone[0]], points[bone[1]]
    middle = (first + second) / 2
    for ax in (axes[0, 0], axes[1, 0]):
        ax.set(xlim=(-1, 1), ylim=(1, -1), aspect="equal")
        ax.axis("off")
        draw_bones(ax, points, skeleton, color="#b3bac3", linewidth=1.6)
    slope = (second - first) / np.linalg.norm(second - first)
    axes[0, 0].plot(*np.stack([first, second]).T, color=LEFT, linewidth=3)
    for direction, name in ((slope, "x'"), (np.array([-slope[1], slope[0]]), "y'")):
        tip = middle + 0.45 * direction
        axes[0, 0].annotate("", tip, middle, arrowprops=dict(arrowstyle="-|>", color=RIGHT, linewidth=1.8))
        axes[0, 0].text(
            *(middle + 0.62 * direction), f"${name}$", color=RIGHT, fontsize=12, ha="center", va="center"
        )
    axes[0, 0].plot(*middle, "o", color=INK, markersize=5)
    axes[1, 0].plot(*points[joint], "o", color=LEFT, markersize=7)
    for ax, values in ((axes[0, 1], along), (axes[0, 2], across)):
        ax.imshow(values, extent=(-1, 1, 1, -1), cmap="PuOr", vmin=-4, vmax=4, interpolation="nearest")
        ax.contour(
            np.linspace(-1, 1, len(values)), np.linspace(-1, 1, len(values)), values, levels=[-1, 0, 1],
            colors=INK, linewidths=0.8,
        )  # fmt: skip
        ax.axis("off")
    for ax, values in zip((axes[0, 3], *axes[1, 1:]), (affinity, heat, heats, affinities), strict=True):
        show_picture(ax, values)
    names = (
        *(r"$\mu$ and slope", r"$u'_x / \sigma_x$", r"$u'_y / \sigma_y$", "$f_{am}$ of the limb"),
        *("a joint", "$f_{hm}$ of the joint", "all joints", "all limbs"),
    )
    for ax, name in zip(axes.flat, names, strict=True):
        ax.set_title(name, fontsize=11)
    return figure


def frame_fields(
    fields: Mapping[str, tuple[np.ndarray, np.ndarray]], across, up, turning: Mapping[str, np.ndarray]
) -> Figure:
    """The second axis of a limb's frame, as arrows, for limbs that point near where the face does.

    fields {name: (x, y)}: the axis' parts sideways and upwards (U, A), for limbs `up` (U,) degrees above and
    `across` (A,) degrees beside the face vector; turning {name: (U, A)} is how many degrees the axis turns
    for each degree of the limb, shown as shade up to 4.
    """
    figure, axes = subplots(1, len(fields), height=3.0, sharey=True, squeeze=False)
    extent = (across[0], across[-1], up[0], up[-1])
    for ax, (name, (x, y)) in zip(axes.flat, fields.items(), strict=True):
        ax.imshow(turning[name], extent=extent, origin="lower", cmap="Oranges", vmin=0, vmax=4)
        every = slice(None, None, max(1, len(across) // 11))
        ax.quiver(
            across[every], up[every], x[every, every], y[every, every], color=INK, pivot="mid", scale=15,
            width=0.008, headwidth=4,
        )  # fmt: skip
        ax.set(title=name, xlabel="beside (°)", aspect="equal")
        ax.grid(visible=False)
        ax.tick_params(labelsize=9)
    axes[0, 0].set_ylabel("above (°)")
    return figure


def panels(views: Mapping[str, np.ndarray], maps, drawn, skeleton: Skeleton) -> Figure:
    """What a setting of live sliders gives, side by side: the pose from some sides, its maps, the person.

    views {title: (J, 2)} of one pose about its pelvis, in trunks, y down; maps and drawn (S, S, 3) uint8.
    """
    figure, axes = subplots(1, len(views) + 2, height=2.3)
    for ax, (title, pose) in zip(axes, views.items(), strict=False):
        draw_bones(ax, pose, skeleton)
        ax.set(title=title, xlim=(-2.3, 2.3), ylim=(2.3, -2.3), aspect="equal")
        ax.axis("off")
    for ax, title, picture in zip(axes[-2:], ("maps", "drawn"), (maps, drawn), strict=True):
        show_picture(ax, picture).set_title(title)
    return figure
