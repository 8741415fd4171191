"""Figures with segmentations into parts: their colours, grids of pictures and parts, predictions in rows.

A segmentation has 0 for the background and 1 to 10 for the parts of `PART_COLOURS` in order. Its colours are
told apart by people with each of the three kinds of colour-blindness: left limbs are cold, right limbs warm,
lower ones lighter than upper ones. Everything is drawn on the light card of `lib.plots`.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from lib.plots import CARD, INK, subplots
from lib.plots_images import PREDICTED, TRUE, WIDTH, draw_bones, show_picture, turned
from lib.skeleton import Skeleton

__all__ = ["PART_COLOURS", "coloured_parts", "part_grid", "part_legend", "part_rows", "show_parts"]

PART_COLOURS = {
    "background": "#fcfcfa", "head": "#a561a2", "torso": "#838973",
    "left_upper_arm": "#216ed9", "left_lower_arm": "#a4c7ff",
    "left_upper_leg": "#04404e", "left_lower_leg": "#59eb9a",
    "right_upper_arm": "#9a4600", "right_lower_arm": "#e49542",
    "right_upper_leg": "#54331e", "right_lower_leg": "#ffd223",
}  # fmt: skip
_RGB = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in PART_COLOURS.values()], dtype=np.uint8)


def coloured_parts(labels) -> np.ndarray:
    """Segmentations (..., S, S), whole numbers 0 to 10, as pictures (..., S, S, 3) uint8.

    Raises ValueError for a label that names no part.
    """
    labels = np.asarray(labels)
    if labels.size and not 0 <= labels.min() <= labels.max() < len(_RGB):
        raise ValueError(f"labels are 0 to {len(_RGB) - 1}, not {labels.min()} to {labels.max()}")
    return _RGB[labels.astype(int)]


def show_parts(ax: Axes, shown: np.ndarray) -> Axes:
    """A picture (S, S, 3) uint8, a map (S, S) of floats in [0, 1] or a segmentation (S, S) of whole numbers.

    A map is dark where it is high; a segmentation has the colours of `PART_COLOURS`.
    """
    labels = _is_labels(shown)
    show_picture(ax, coloured_parts(shown) if labels else shown)
    if labels:  # the background has the colour of the card, so that only a frame shows where it ends
        frame = Rectangle((-1, -1), 2, 2, fill=False, edgecolor=INK, linewidth=0.7, alpha=0.45, clip_on=False)
        ax.add_patch(frame)
    return ax


def part_legend(figure: Figure) -> None:
    """The colours of the ten parts below a figure."""
    names = list(PART_COLOURS)[1:]
    # filled column by column: the upper limb of a side stands over the lower one
    patches = [Patch(facecolor=PART_COLOURS[name], edgecolor=INK, linewidth=0.4) for name in names]
    figure.legend(
        patches, [name.replace("_", " ") for name in names], loc="outside lower center", ncols=5,
        frameon=False, labelcolor=INK, fontsize=8.5, handlelength=1.1, handletextpad=0.4, columnspacing=0.9,
    )  # fmt: skip


def part_grid(
    rows: Sequence[Sequence[np.ndarray | None]], titles: Sequence[str], names: Sequence[str] | None = None,
    *, heads: Sequence[str] | None = None,
) -> Figure:  # fmt: skip
    """A table of pictures, maps and segmentations, as `show_parts` takes them; None leaves a place empty.

    Arguments:
        titles: one text over each column, which may be empty.
        names: one text in each row, on its first picture.
        heads: one text over each column above its title, for groups of columns; "" goes on with the group.
    """
    columns = len(titles)
    side = WIDTH / columns
    figure, axes = _board(len(rows), columns, side * len(rows) + 0.25 + 0.22 * (heads is not None))
    for i, (line, row) in enumerate(zip(axes, rows, strict=True)):
        for ax, shown in zip(line, row, strict=True):
            if shown is not None:
                show_parts(ax, shown)
        if names is not None:
            first = next((ax for ax, shown in zip(line, row, strict=True) if shown is not None), line[0])
            edge = dict(facecolor=CARD, edgecolor="none", pad=1.2, alpha=0.85)
            first.text(-0.95, -0.95, names[i], fontsize=8.5, color=INK, va="top", bbox=edge)
    for k, (ax, title) in enumerate(zip(axes[0], titles, strict=True)):
        head = f"{heads[k]}\n" if heads is not None else ""
        ax.set_title(head + title, fontsize=9.5, color=INK)
    if any(shown is not None and _is_labels(shown) for row in rows for shown in row):
        part_legend(figure)
    return figure


def part_rows(
    pictures, skeleton: Skeleton, *, points, poses, truth, puppet, decoded, parts,
    titles: Sequence[str] | None = None, elevation: float = 10.0,
) -> Figure:  # fmt: skip
    """A row for each example: the picture with its 2D pose, the 3D pose from two sides, three segmentations.

    The first view of a pose is the camera's, the prediction in red over the truth in green; the second looks
    from the side. What is not given (puppet, decoded: None) leaves its column out.

    Arguments:
        pictures: (N, S, S, 3) uint8.
        points: predicted 2D poses (N, J, 2) in crop coordinates.
        poses, truth: (N, J, 3) in camera coordinates, mm; each is centred on its own mean.
        puppet, decoded, parts: segmentations (N, S, S): the puppet's, the decoder's, the true one.
        titles: one text for each row, on its picture.
    """
    shown = {"puppet": puppet, "decoder": decoded, "true parts": parts}
    shown = {name: labels for name, labels in shown.items() if labels is not None}
    heads = ["image", "camera's view", "from the side", *shown]
    poses, truth = (_centred(values, skeleton) for values in (poses, truth))
    views = ((0.0, 0.0), (90.0, elevation))
    both = np.concatenate([poses, truth])
    span = 1.06 * max(float(np.nanmax(np.abs(turned(both, *view)), initial=0.0)) for view in views) or 1.0
    figure, axes = _board(len(pictures), len(heads), WIDTH / len(heads) * len(pictures) + 0.25)
    for i, (picture, row) in enumerate(zip(pictures, axes, strict=False)):
        draw_bones(show_parts(row[0], picture), points[i], skeleton, linewidth=1.5, outline=True)
        if titles is not None:
            edge = dict(facecolor=CARD, edgecolor="none", pad=0.8, alpha=0.85)
            row[0].text(-0.97, -0.97, titles[i], fontsize=7.5, color=INK, va="top", bbox=edge)
        for ax, view in zip(row[1:], views, strict=False):
            draw_bones(ax, turned(truth[i], *view), skeleton, color=TRUE, linewidth=2.6)
            draw_bones(ax, turned(poses[i], *view), skeleton, color=PREDICTED, linewidth=1.6)
            ax.set(xlim=(-span, span), ylim=(span, -span), aspect="equal")
        for ax, labels in zip(row[3:], shown.values(), strict=True):
            show_parts(ax, labels[i])
    for ax, head in zip(axes[0], heads, strict=True):
        ax.set_title(head, fontsize=9.5, color=INK)
    handles = [Line2D([], [], color=colour, linewidth=2.2) for colour in (PREDICTED, TRUE)]
    figure.legend(handles, ["predicted", "true"], loc="outside upper center", ncols=2, frameon=False,
                  labelcolor=INK, fontsize=9, handlelength=1.4)  # fmt: skip
    part_legend(figure)
    return figure


def _is_labels(shown) -> bool:
    shown = np.asarray(shown)
    return shown.ndim == 2 and np.issubdtype(shown.dtype, np.integer)


def _board(rows: int, columns: int, height: float):
    """(figure, axes (rows, columns)) without axes and with narrow gaps, and room for a legend."""
    figure, axes = subplots(max(rows, 1), columns, WIDTH, height + 0.55, squeeze=False)
    figure.get_layout_engine().set(h_pad=0.02, w_pad=0.02, hspace=0.02, wspace=0.02)
    for ax in axes.flat:
        ax.axis("off")
    return figure, axes


def _centred(poses, skeleton: Skeleton) -> np.ndarray:
    poses = np.asarray(poses, dtype=float)
    if poses.ndim != 3 or poses.shape[1:] != (len(skeleton.joints), 3):
        raise ValueError(
            f"poses of {skeleton.name} have shape (N, {len(skeleton.joints)}, 3), got {poses.shape}"
        )
    return poses - np.nanmean(poses, axis=1, keepdims=True) if poses.size else poses
