"""Matplotlib figures: skeletons on the plane, errors, learning curves, sweeps and histograms.

Every figure is drawn on its own light card, so that it reads the same on a light and on a dark
page. Left limbs are solid, right limbs dashed, and the two differ in colour as well; the colours
are those of Okabe and Ito, which people with colour-blindness tell apart. The interactive 3D
figures are in `lib.plots3d`.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.skeleton import Skeleton

__all__ = [
    "CARD", "CENTRE", "CYCLE", "DASHES", "INK", "LEFT", "RIGHT", "bone_sides", "error_per_action",
    "error_per_joint", "histograms", "learning_curves", "lines", "pose_strip", "skeleton_2d",
    "style_axes", "subplots", "sweep",
]

CARD, INK, GRID = "#fcfcfa", "#2f3640", "#d9dce1"
LEFT, RIGHT, CENTRE = "#0072b2", "#d55e00", "#5f6772"
CYCLE = ("#0072b2", "#d55e00", "#009e73", "#b0508a", "#5f6772", "#8c6d00", "#3aa0d8", "#000000")
BRIDGED = 5  # points of a learning curve: a longer gap stays open
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1, 1, 1)), (0, (1, 1)), (0, (8, 2)))


def subplots(rows: int = 1, columns: int = 1, width: float = 7.0, height: float = 3.2, **options):
    """(figure, axes) as pyplot's, on the card and styled; `width` and `height` in inches."""
    options = dict(figsize=(width, height), dpi=110, facecolor=CARD, layout="constrained") | options
    figure, axes = plt.subplots(rows, columns, **options)
    for ax in np.atleast_1d(axes).flat:
        style_axes(ax)
    return figure, axes


def style_axes(ax: Axes) -> Axes:
    """Card background, dark ink, a faint grid, and text that a phone's width leaves legible."""
    ax.set_facecolor(CARD)
    ax.grid(color=GRID, linewidth=0.7)
    ax.set_axisbelow(True)
    ax.tick_params(colors=INK, labelsize=11)
    for label in (ax.xaxis.label, ax.yaxis.label, ax.title):
        label.set(color=INK, fontsize=12)
    for name, spine in ax.spines.items():
        spine.set_visible(name in ("left", "bottom"))
        spine.set_color(INK)
    return ax


def bone_sides(skeleton: Skeleton) -> dict[str, list[tuple[int, int]]]:
    """The bones (parent, child) of the `left`, `right` and `centre` of the body; a bone belongs to
    its child's side.
    """
    left = {pair[0] for pair in skeleton.pairs}
    right = {pair[1] for pair in skeleton.pairs}
    sides: dict[str, list[tuple[int, int]]] = {"left": [], "right": [], "centre": []}
    for parent, child in skeleton.bones:
        sides["left" if child in left else "right" if child in right else "centre"].append(
            (parent, child)
        )
    return sides


def skeleton_2d(
    ax: Axes, points, skeleton: Skeleton, *, color: str | None = None, alpha: float = 1.0,
    linewidth: float = 2.2, label: str | None = None, joints: bool = True,
) -> Axes:
    """Draw one pose on `ax`, y down as in an image.

    points (J, 2), any unit; a joint with NaN is skipped together with its bones. `color` paints
    the whole pose in one colour (for two poses on top of each other); left and right keep their
    line styles. Each bone is one line.
    """
    points = np.asarray(points, dtype=float)
    if points.shape != (len(skeleton.joints), 2):
        raise ValueError(
            f"a pose of {skeleton.name} has shape ({len(skeleton.joints)}, 2), got {points.shape}"
        )
    colors = {"left": LEFT, "right": RIGHT, "centre": CENTRE}
    for side, bones in bone_sides(skeleton).items():
        for bone in bones:
            ends = points[list(bone)]
            if np.isfinite(ends).all():
                ax.plot(
                    ends[:, 0],
                    ends[:, 1],
                    color=color or colors[side],
                    alpha=alpha,
                    linewidth=linewidth,
                    linestyle=(0, (2.2, 0.9)) if side == "right" else "-",
                    label=label,
                )
                label = None  # one entry a pose in a legend
    if joints:
        ax.scatter(
            points[:, 0],
            points[:, 1],
            s=(1.6 * linewidth) ** 2,
            color=color or CENTRE,
            alpha=alpha,
            zorder=3,
        )
    ax.set_aspect("equal")
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    return ax


def pose_strip(
    poses, skeleton: Skeleton, *, titles: Sequence[str] | None = None, overlay=None,
    columns: int = 6, view: str = "front", height: float = 2.3,
    labels: tuple[str, str] = ("predicted", "ground truth"),
) -> Figure:
    """Poses side by side, all at one scale.

    poses (T, J, 2) or (T, J, 3) in camera coordinates (x right, y down, z forward); `view` chooses
    what of 3D is seen: `front` is the image plane, `side` has the depth to the right. `overlay`,
    of the same shape, is drawn beneath in grey (the ground truth of a prediction); both are
    centred on the root.
    """
    if view not in ("front", "side"):
        raise ValueError(f"pose_strip knows the views front and side, not {view!r}")

    def planar(array):
        array = np.asarray(array, dtype=float)
        array = array - array[:, skeleton.root, None]
        return array[..., [2, 1]] if view == "side" and array.shape[-1] == 3 else array[..., :2]

    drawn = planar(poses)
    beneath = None if overlay is None else planar(overlay)
    everything = drawn if beneath is None else np.concatenate([drawn, beneath])
    low, high = np.nanmin(everything, (0, 1)), np.nanmax(everything, (0, 1))
    margin = 0.06 * (high - low).max()
    columns = min(columns, len(drawn))
    rows = -(-len(drawn) // columns)
    figure, axes = subplots(rows, columns, width=7.0, height=height * rows, squeeze=False)
    for ax in axes.flat:
        ax.axis("off")
    for index, pose in enumerate(drawn):
        ax = axes.flat[index]
        if beneath is not None:
            skeleton_2d(
                ax,
                beneath[index],
                skeleton,
                color="#8a929c",
                linewidth=3.4,
                joints=False,
                label=labels[1],
            )
        skeleton_2d(ax, pose, skeleton, linewidth=1.8, label=None if beneath is None else labels[0])
        ax.set_xlim(low[0] - margin, high[0] + margin)
        ax.set_ylim(high[1] + margin, low[1] - margin)
        if titles is not None:
            ax.set_title(titles[index], fontsize=10.5)
    if beneath is not None:
        handles, names = axes.flat[0].get_legend_handles_labels()
        figure.legend(
            handles, names, loc="outside lower center", ncols=2, frameon=False, labelcolor=INK
        )
    return figure


def _bars(values: Mapping[str, Sequence[float]], names: Sequence[str], unit: str) -> Figure:
    """Horizontal grouped bars: `values[label][i]` belongs to `names[i]`. Long names stay readable
    on a phone.
    """
    rows = np.arange(len(names))
    thickness = 0.8 / max(len(values), 1)
    figure, ax = subplots(height=0.9 + len(names) * (0.11 + 0.12 * len(values)))
    hatches = ("", "///", "...", "xx")
    for index, (label, numbers) in enumerate(values.items()):
        ax.barh(
            rows + (index - (len(values) - 1) / 2) * thickness,
            numbers,
            thickness,
            label=label,
            color=CYCLE[index % len(CYCLE)],
            hatch=hatches[index % len(hatches)],
            edgecolor=CARD,
            linewidth=0.6,
        )
    ax.set_yticks(rows, [name.replace("_", " ") for name in names])
    ax.set_xlabel(unit)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.grid(axis="y", visible=False)
    if len(values) > 1:
        figure.legend(loc="outside upper center", ncols=3, frameon=False, labelcolor=INK)
    return figure


def error_per_joint(
    errors: Mapping[str, Sequence[float]], skeleton: Skeleton, unit: str = "error (mm)",
) -> Figure:
    """Mean error of each joint: errors {label: (J,)}."""
    for label, numbers in errors.items():
        if len(numbers) != len(skeleton.joints):
            raise ValueError(f"{label}: {len(numbers)} errors for {len(skeleton.joints)} joints")
    return _bars(
        {label: np.asarray(numbers, dtype=float) for label, numbers in errors.items()},
        skeleton.joints,
        unit,
    )


def error_per_action(errors: Mapping[str, Mapping[str, float]], unit: str = "error (mm)") -> Figure:
    """Mean error of each action: errors {label: {action: value}}; an action that a label lacks
    leaves a gap.
    """
    actions = sorted({action for values in errors.values() for action in values})
    columns = {
        label: [values.get(action, np.nan) for action in actions]
        for label, values in errors.items()
    }
    return _bars(columns, actions, unit)


def lines(
    series: Mapping[str, Sequence[float]], x: Sequence[float] | None = None, *, xlabel: str,
    ylabel: str, title: str | None = None, ax: Axes | None = None,
) -> Figure:
    """Curves over one axis: series {label: (T,)}, each with its own colour and line style; x
    defaults to 0 … T-1.
    """
    if ax is None:
        _, ax = subplots()
    for index, (label, values) in enumerate(series.items()):
        values = np.asarray(values, dtype=float)
        ax.plot(
            np.arange(len(values)) if x is None else x,
            values,
            label=label,
            linewidth=1.9,
            color=CYCLE[index % len(CYCLE)],
            linestyle=DASHES[index % len(DASHES)],
        )
    ax.set(xlabel=xlabel, ylabel=ylabel, title=title or "")
    if len(series) > 1:
        ax.legend(frameon=False, labelcolor=INK, fontsize=10)
    return ax.figure


def learning_curves(
    records: Sequence[Mapping], losses: Sequence[str] | None = None, columns: int = 3,
) -> Figure:
    """One panel a loss, one curve a run. Records as read from their JSON: `curves` holds `step`
    and a list a loss.

    `losses` names the panels; by default every loss that any of the records has, in the order
    first seen. What is measured at some of the points alone is one curve; a stage of the training
    without a loss leaves a gap.
    """
    if losses is None:
        losses = list(
            dict.fromkeys(name for record in records for name in record["curves"] if name != "step")
        )
    if not losses:
        raise ValueError("learning_curves: no record has a curve")
    columns = min(columns, len(losses))
    rows = -(-len(losses) // columns)
    figure, axes = subplots(rows, columns, height=2.5 * rows + 0.4, squeeze=False)
    variants = list(dict.fromkeys(record["variant"] for record in records))
    for ax, name in zip(axes.flat, losses, strict=False):
        for record in records:
            if name not in record["curves"]:
                continue
            index, values = (
                variants.index(record["variant"]),
                np.asarray(record["curves"][name], dtype=float),
            )
            known = np.flatnonzero(np.isfinite(values))
            for piece in np.split(known, np.flatnonzero(np.diff(known) > BRIDGED) + 1):
                ax.plot(
                    np.asarray(record["curves"]["step"])[piece],
                    values[piece],
                    color=CYCLE[index % len(CYCLE)],
                    linewidth=1.4,
                    linestyle=DASHES[index % len(DASHES)],
                    label=record["variant"],
                )
        ax.set(title=name, xlabel="step")
    for ax in list(axes.flat)[len(losses) :]:
        ax.axis("off")
    handles = {
        label: handle
        for ax in axes.flat
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=3,
        frameon=False,
        labelcolor=INK,
    )
    return figure


def sweep(
    x: Sequence[float], series: Mapping[str, Sequence], *, xlabel: str, ylabel: str, references:
    Mapping[str, float] | None = None, ax: Axes | None = None,
) -> Figure:
    """A quantity over a setting: series {label: (X,) or (seeds, X)}; the band runs from the lowest
    to the highest seed.

    `references` are horizontal dashed lines, for runs that the setting does not apply to. NaN
    marks a missing run.
    """
    if ax is None:
        _, ax = subplots()
    for index, (label, values) in enumerate(series.items()):
        values, color = np.atleast_2d(np.asarray(values, dtype=float)), CYCLE[index % len(CYCLE)]
        known = np.isfinite(values).any(0)
        at, values = np.asarray(x, dtype=float)[known], values[:, known]
        ax.fill_between(
            at, np.nanmin(values, 0), np.nanmax(values, 0), color=color, alpha=0.18, linewidth=0
        )
        ax.plot(
            at,
            np.nanmean(values, 0),
            color=color,
            label=label,
            linewidth=1.9,
            marker="os^D"[index % 4],
            markersize=5,
        )
    for index, (label, value) in enumerate((references or {}).items()):
        ax.axhline(
            value, color=CYCLE[index % len(CYCLE)], linestyle="--", linewidth=1.5, label=label
        )
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(list(x))
    ax.legend(frameon=False, labelcolor=INK, fontsize=10)
    return ax.figure


def histograms(
    samples: Mapping[str, Sequence[float]], *, xlabel: str, bins: int | Sequence[float] = 40, ax:
    Axes | None = None, span: tuple[float, float] | None = None,
) -> Figure:
    """Densities of several samples over common bins, as outlines with their own colour and line
    style.

    Values that are not finite are left out; `span` cuts the axis, by default from the lowest to
    the highest value.
    """
    if ax is None:
        _, ax = subplots()
    samples = {label: np.asarray(values, dtype=float).ravel() for label, values in samples.items()}
    samples = {label: values[np.isfinite(values)] for label, values in samples.items()}
    edges = np.histogram_bin_edges(np.concatenate(list(samples.values())), bins, span)
    for index, (label, values) in enumerate(samples.items()):
        color = CYCLE[index % len(CYCLE)]
        heights, _ = np.histogram(values, edges, density=True)
        ax.stairs(heights, edges, fill=True, color=color, alpha=0.12)
        ax.stairs(
            heights,
            edges,
            color=color,
            linewidth=1.8,
            linestyle=DASHES[index % len(DASHES)],
            label=label,
        )
    ax.set(xlabel=xlabel, ylabel="density")
    ax.legend(frameon=False, labelcolor=INK, fontsize=10)
    return ax.figure
