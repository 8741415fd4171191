"""Figures with pictures: people and hands with the poses predicted for them, in grids and to turn.

Everything is drawn on the light card of `lib.plots`, so that it reads the same on a light and on a
dark page; a prediction over its truth is red over green, in Okabe and Ito's hues, and the truth is
the wider line. A row has at most a handful of panels, which leaves them legible on a phone. As
with the other figures, alternative text and caption are given where a page shows them.

Training code never imports this module.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence

import matplotlib.image
import numpy as np
import plotly.graph_objects as go
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lib.plots import CARD, CENTRE, CYCLE, DASHES, INK, LEFT, RIGHT, bone_sides, subplots
from lib.plots3d import PALETTES, skeleton_3d
from lib.skeleton import Skeleton

__all__ = [
    "PREDICTED", "TRUE", "choose_3d", "draw_bones", "limbs", "picture_grid", "prediction_grid",
    "show_picture", "turned",
]  # fmt: skip

PREDICTED, TRUE = "#d55e00", "#009e73"
WIDTH = 7.0  # inches, as the other figures


def limbs(skeleton: Skeleton) -> dict[str, tuple[list[tuple[int, int]], str, object]]:
    """Parts that are drawn alike: name -> (bones, colour, line style).

    Left, right and centre of a body; of a skeleton without sides, as a hand, each chain that leaves
    the root, named after its first joint without the number.
    """
    if skeleton.pairs:
        styles = ((LEFT, "-"), (RIGHT, (0, (2.2, 0.9))), (CENTRE, "-"))
        sides = bone_sides(skeleton).items()
        return {side: (bones, *style) for (side, bones), style in zip(sides, styles, strict=True)}
    chains: dict[int, list[tuple[int, int]]] = {}
    first: dict[int, int] = {}
    for parent, child in skeleton.bones:
        first[child] = child if parent == skeleton.root else first[parent]
        chains.setdefault(first[child], []).append((parent, child))
    return {
        skeleton.joints[joint].rpartition("_")[0] or skeleton.joints[joint]: (
            bones, CYCLE[i % len(CYCLE)], DASHES[i % len(DASHES)],
        )
        for i, (joint, bones) in enumerate(chains.items())
    }  # fmt: skip


def turned(poses: np.ndarray, azimuth: float = 0.0, elevation: float = 0.0) -> np.ndarray:
    """Poses (..., J, 3) as seen after a walk around them: (..., J, 2), x right, y down, same unit.

    Camera coordinates (x right, y down, z forward), centred where they are; `azimuth` in degrees
    around the vertical (90 looks along x, with the depth to the right), then `elevation` in degrees
    from above. Parallel projection: nothing shrinks with distance.
    """
    a, e = np.deg2rad(azimuth), np.deg2rad(elevation)
    x, y, z = np.moveaxis(np.asarray(poses, dtype=float), -1, 0)
    across = np.cos(a) * x + np.sin(a) * z
    away = np.cos(a) * z - np.sin(a) * x
    return np.stack([across, np.cos(e) * y - np.sin(e) * away], axis=-1)


def show_picture(ax: Axes, picture: np.ndarray) -> Axes:
    """A picture (S, S, 3) uint8 or a map (S, S) in [0, 1], over the crop's coordinates [-1, 1].

    A map is dark where it is high. Raises ValueError for another shape.
    """
    picture = np.asarray(picture)
    if picture.ndim not in (2, 3) or picture.ndim == 3 and picture.shape[-1] != 3:
        raise ValueError(f"a picture is (S, S, 3) or (S, S), got {picture.shape}")
    how = {} if picture.ndim == 3 else {"cmap": "Greys", "vmin": 0.0, "vmax": 1.0}
    ax.imshow(picture, extent=(-1, 1, 1, -1), interpolation="nearest", **how)
    ax.set(xlim=(-1, 1), ylim=(1, -1))
    ax.axis("off")
    return ax


def draw_bones(
    ax: Axes, points: np.ndarray, skeleton: Skeleton, *, color: str | None = None,
    linewidth: float = 2.1, outline: bool = False,
) -> Axes:
    """The bones of one pose (J, 2), y down, by limb or in one colour.

    A bone with a NaN is left out. `outline` puts a light edge around each and draws no dashes, for
    poses on pictures.
    """
    points = np.asarray(points, dtype=float)
    if points.shape != (len(skeleton.joints), 2):
        raise ValueError(
            f"a pose of {skeleton.name} has shape ({len(skeleton.joints)}, 2), got {points.shape}"
        )
    for bones, own, style in limbs(skeleton).values():
        for bone in bones:
            ends = points[list(bone)]
            if not np.isfinite(ends).all():
                continue
            if outline:
                ax.plot(*ends.T, color=CARD, linewidth=linewidth + 1.6, solid_capstyle="round")
            plain = outline or color is not None
            look = {"color": color or own, "linestyle": "-" if plain else style}
            ax.plot(*ends.T, linewidth=linewidth, solid_capstyle="round", **look)
    return ax


def picture_grid(
    pictures: Sequence[np.ndarray], *, skeleton: Skeleton | None = None, points=None, truth=None,
    titles: Sequence[str] | None = None, columns: int = 6,
) -> Figure:
    """Pictures side by side, with the 2D poses found in them.

    pictures (N, S, S, 3) uint8 or (N, S, S); points, truth (N, J, 2) in crop coordinates or None.
    Where both are given the prediction is red over the green truth.
    """
    columns = min(columns, max(len(pictures), 1))
    rows = -(-max(len(pictures), 1) // columns)
    side = WIDTH / columns
    height = rows * (side + 0.22 * (titles is not None))
    figure, axes = subplots(rows, columns, WIDTH, height, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for i, (ax, picture) in enumerate(zip(axes.flat, pictures, strict=False)):
        show_picture(ax, picture)
        if truth is not None:
            color = TRUE if points is not None else None
            draw_bones(ax, truth[i], skeleton, color=color, linewidth=3.2, outline=True)
        if points is not None:
            color = PREDICTED if truth is not None else None
            draw_bones(ax, points[i], skeleton, color=color, linewidth=1.8, outline=truth is None)
        if titles is not None:
            ax.set_title(titles[i], fontsize=10, color=INK)
    if points is not None and truth is not None:
        _legend(figure, {"predicted": (PREDICTED, "-"), "true": (TRUE, "-")})
    return figure


def prediction_grid(
    pictures, skeleton: Skeleton, *, maps=None, points=None, truth_2d=None, poses=None, truth=None,
    views: Sequence[float] = (0.0, 90.0), elevation: float = 10.0,
    titles: Sequence[str] | None = None,
) -> Figure:
    """A row for each example: the picture, its skeleton image, its 2D pose, its 3D pose turned.

    What is not given has no column. The 3D poses of a figure have one scale.

    Arguments:
        pictures: (N, S, S, 3) uint8.
        maps: skeleton images (N, s, s) in [0, 1].
        points: predicted 2D poses (N, J, 2) in crop coordinates, drawn on the picture again.
        truth_2d: true ones, drawn on the first picture.
        poses, truth: (N, J, 3) in camera coordinates, mm; each is centred on its own mean. Where
            the truth is given, the first view shows the prediction in red over it in green.
        views: directions of the 3D views in degrees around the vertical, the first usually 0.
        titles: one text for each row, under its picture.
    """
    pictures = np.asarray(pictures)
    count = max(len(pictures), 1)
    heads = ["image"] + ["skeleton image"] * (maps is not None) + ["2D"] * (points is not None)
    flat = len(heads)
    if poses is not None:
        poses = _centred(poses, skeleton)
        truth = None if truth is None else _centred(truth, skeleton)
        heads += ["camera's view" if view == 0 else f"{view:g}°" for view in views]
        shown = poses if truth is None else np.concatenate([poses, truth])
        # the camera's own view has no elevation of ours
        directions = [(view, elevation if view else 0.0) for view in views]
        reach = [np.nanmax(np.abs(turned(shown, *d)), initial=0.0) for d in directions]
        span = 1.06 * float(max(reach)) or 1.0
    side = WIDTH / len(heads)
    high = side + 0.2 * (titles is not None)
    figure, axes = subplots(count, len(heads), WIDTH, 0.7 + high * count, squeeze=False)
    figure.get_layout_engine().set(h_pad=0.02, w_pad=0.02, hspace=0.0, wspace=0.0)
    for ax in axes.flat:
        ax.axis("off")
        ax.set_aspect("equal")
    for ax, head in zip(axes[0], heads, strict=True):
        ax.set_title(head, fontsize=11, color=INK)
    for i, (row, picture) in enumerate(zip(axes, pictures, strict=False)):
        show_picture(row[0], picture)
        if truth_2d is not None:
            draw_bones(row[0], truth_2d[i], skeleton, outline=True)
        if titles is not None:
            row[0].text(0, 1.06, titles[i], fontsize=9.5, color=INK, ha="center", va="top")
        if maps is not None:
            show_picture(row[1], maps[i])
        if points is not None:
            draw_bones(show_picture(row[flat - 1], picture), points[i], skeleton, outline=True)
        for ax, direction in zip(row[flat:], directions, strict=True) if poses is not None else ():
            if truth is not None and ax is row[flat]:
                seen = turned(truth[i], *direction)
                draw_bones(ax, seen, skeleton, color=TRUE, linewidth=3.2)
            color = PREDICTED if truth is not None else None
            draw_bones(ax, turned(poses[i], *direction), skeleton, color=color)
            ax.set(xlim=(-span, span), ylim=(span, -span))
    if truth is not None:
        _legend(figure, {"predicted": (PREDICTED, "-"), "true": (TRUE, "-")})
    else:
        _legend(figure, {name: look for name, (_, *look) in limbs(skeleton).items()})
    return figure


def _centred(poses, skeleton: Skeleton) -> np.ndarray:
    poses = np.asarray(poses, dtype=float)
    if poses.ndim != 3 or poses.shape[1:] != (len(skeleton.joints), 3):
        raise ValueError(
            f"poses of {skeleton.name} have shape (N, {len(skeleton.joints)}, 3), got {poses.shape}"
        )
    return poses - np.nanmean(poses, axis=1, keepdims=True) if poses.size else poses


def _legend(figure: Figure, looks) -> None:
    handles = [Line2D([], [], color=c, linestyle=s, linewidth=2.2) for c, s in looks.values()]
    figure.legend(
        handles, list(looks), loc="outside lower center", ncols=len(looks), frameon=False,
        labelcolor=INK, fontsize=10, handlelength=1.6, columnspacing=1.2,
    )  # fmt: skip


def choose_3d(
    pictures, poses, truth, skeleton: Skeleton, titles: Sequence[str],
    labels: tuple[str, str] = ("predicted", "true"),
) -> go.Figure:
    """Predictions over their truth to turn with the mouse, a slider to choose the example.

    pictures (N, S, S, 3) uint8 in the corner; poses, truth (N, J, 3) in camera coordinates, mm,
    shown each centred on its own mean; titles, one for each, name the slider's steps. A page holds
    every example, so a dozen is enough. Raises ValueError where there is none.
    """
    if not len(poses):
        raise ValueError("choose_3d: there is no example")
    both = np.concatenate([_centred(poses, skeleton), _centred(truth, skeleton)])
    shown = [
        skeleton_3d([both[i], both[len(poses) + i]], skeleton, labels, centre=False)
        for i in range(len(poses))
    ]
    # red over green, as in the other figures, where `skeleton_3d` has blue over red
    hues = dict(zip(sum(PALETTES[:2], ()), sum(PALETTES[1:3], ()), strict=True))
    # the ranges of all examples, so that none is cut and all have one scale
    layout = skeleton_3d(list(both), skeleton, centre=False).layout
    corner = dict(
        xref="paper", yref="paper", x=0, y=1, sizex=0.3, sizey=0.3, xanchor="left", yanchor="top"
    )
    images = [[dict(source=_data_address(picture), **corner)] for picture in pictures]
    traces = [trace for figure in shown for trace in figure.data]
    each = len(shown[0].data)
    for i, trace in enumerate(traces):
        trace.visible = i < each
        trace.line.color = trace.marker.color = hues[trace.line.color]
    steps = [
        dict(
            method="update",
            label=title,
            args=[
                {"visible": [i // each == number for i in range(len(traces))]},
                {"images": images[number]},
            ],
        )
        for number, title in enumerate(titles)
    ]
    figure = go.Figure(traces, layout)
    figure.update_layout(
        images=images[0],
        margin=dict(b=76),
        sliders=[
            dict(
                x=0.04,
                len=0.92,
                y=-0.02,
                yanchor="top",
                pad=dict(t=8),
                ticklen=3,
                minorticklen=0,
                font=dict(size=1, color=CARD),
                currentvalue=dict(font=dict(size=12, color=INK), xanchor="left"),
                steps=steps,
            )
        ],
    )
    return figure


def _data_address(picture) -> str:
    """A picture as a PNG inside its own address, so that a page fetches nothing."""
    buffer = io.BytesIO()
    # without metadata the same picture gives the same bytes, whatever the version
    matplotlib.image.imsave(buffer, np.asarray(picture), format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
