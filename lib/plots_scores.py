"""Figures of scores: violins of single frames, error against error, left against right, joints, sweeps.

They show runs by name, with a number for each seed; where the paper's own number is known it is a hollow
diamond. Everything is drawn on the light card of `lib.plots`. A missing number is NaN and leaves a gap.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import gaussian_kde

from lib.plots import CARD, CENTRE, CYCLE, DASHES, INK, LEFT, RIGHT, subplots

__all__ = ["error_scatter", "joint_lines", "left_right", "sweeps", "violins"]

QUARTILES = (0.25, 0.5, 0.75)
HOLLOW = dict(marker="D", markerfacecolor="none", markeredgecolor=INK, markersize=5.5, linestyle="none")
STEPS = 40  # of a violin's outline
SMOOTHED = 4000  # values that a violin's outline is estimated from


def violins(
    samples: Mapping[str, Sequence[float]], *, xlabel: str, groups: Sequence[str] = (),
    reported: Mapping[str, Sequence[float]] | None = None, span: tuple[float, float] | None = None,
    width: float | None = None,
) -> Figure:  # fmt: skip
    """One violin a model, from left to right, with its quartiles; the first model is the uppermost.

    samples: {model: values of single frames}; values that are not finite are left out, a model without any
        has an empty line.
    groups: of each model, in order; models of one group have one colour.
    reported: {model: its median or quartiles as reported}, hollow diamonds.
    span: ends of the axis; what lies outside is drawn at its edge.
    width: of the smoothing, in the unit of the values, for values that move in steps.
    """
    samples = {label: np.asarray(values, dtype=float).ravel() for label, values in samples.items()}
    samples = {label: values[np.isfinite(values)] for label, values in samples.items()}
    if not any(len(values) for values in samples.values()):
        raise ValueError("violins: there is no value")
    if span is None:
        everything = np.concatenate(list(samples.values()))
        span = float(everything.min()), float(everything.max())
    figure, ax = subplots(height=1.0 + 0.4 * len(samples))
    kinds = list(dict.fromkeys(groups))
    for row, (label, values) in enumerate(samples.items()):
        colour = CYCLE[kinds.index(groups[row]) % len(CYCLE)] if row < len(groups) else CYCLE[0]
        shown = values.clip(*span)
        if len(shown):
            at, half = _outline(shown, span, width)
            ax.fill_between(at, row - half, row + half, color=colour, alpha=0.3, linewidth=0)
            low, middle, high = np.quantile(shown, QUARTILES)
            ax.plot([low, high], [row, row], color=colour, linewidth=4.5, solid_capstyle="butt")
            ax.plot(middle, row, marker="o", color=CARD, markeredgecolor=INK, markersize=5, zorder=4)
        for value in (reported or {}).get(label, ()):
            ax.plot(value, row, zorder=5, **HOLLOW)
    ax.set_yticks(range(len(samples)), list(samples))
    ax.set(xlabel=xlabel, ylim=(len(samples) - 0.5, -0.6))
    ax.grid(axis="y", visible=False)
    handles = {
        "middle half": Line2D([], [], color=CENTRE, linewidth=4.5),
        "median": Line2D([], [], marker="o", color=CARD, markeredgecolor=INK, markersize=5),
    }
    _legend(figure, handles | _hollow(reported, "reported"))
    return figure


def _outline(values, span, width):
    """Places along the axis and half the height of a violin there, at most 0.42."""
    at = np.linspace(*span, STEPS * 5)
    some = values[np.linspace(0, len(values) - 1, min(len(values), SMOOTHED)).astype(int)]
    spread = float(some.std())
    if spread < 1e-9:
        return np.repeat(some[:1], 2), np.array([0.0, 0.42])
    bandwidth = (width or max(0.25 * spread, (span[1] - span[0]) / 150)) / spread
    density = gaussian_kde(some, bandwidth)(at)
    inside = (at >= some.min()) & (at <= some.max())
    return at[inside], 0.42 * density[inside] / density.max()


def error_scatter(
    points: Mapping[str, tuple[Sequence[float], Sequence[float]]], *, xlabel: str, ylabel: str,
    groups: Mapping[str, str], marked: Sequence[tuple[str, str]] = (),
) -> Figure:  # fmt: skip
    """Two numbers of every run against each other: a small point for each seed, a large one for their mean.

    points: {model: (x of each seed, y of each seed)}; a model without a finite point is left out.
    groups: {model: its group}; a group has one colour and one marker.
    marked: (from, to) pairs of models joined by an arrow, such as before and after a change.

    The names stand at the right in the order of y, so that none covers another.
    """
    found = {}
    for name, (x, y) in points.items():
        both = np.array([x, y], dtype=float)
        both = both[:, np.isfinite(both).all(0)]
        if both.size:
            found[name] = both
    if not found:
        raise ValueError("error_scatter: there is no point")
    means = {name: both.mean(1) for name, both in found.items()}
    figure, ax = subplots(height=max(4.2, 1.2 + 0.21 * len(found)))
    kinds = list(dict.fromkeys(groups[name] for name in found))
    looks = {kind: (CYCLE[i % len(CYCLE)], "os^DvP*X"[i % 8]) for i, kind in enumerate(kinds)}
    for name, both in found.items():
        colour, marker = looks[groups[name]]
        ax.scatter(*both, s=13, color=colour, marker=marker, alpha=0.45, linewidths=0)
        ax.scatter(
            *means[name], s=62, color=colour, marker=marker, edgecolors=CARD, linewidths=0.8, zorder=4
        )
    for before, after in marked:
        if before in means and after in means:
            style = dict(arrowstyle="-|>", color=INK, linewidth=1.1, shrinkA=5, shrinkB=5, alpha=0.75)
            ax.annotate("", means[after], means[before], arrowprops=style, zorder=3)
    low, high = ax.get_ylim()
    order = sorted(found, key=lambda name: means[name][1])
    for place, name in zip(_apart([means[n][1] for n in order], low, high), order, strict=True):
        ax.annotate(
            name, means[name], (1.03, place), textcoords=("axes fraction", "data"), va="center", fontsize=9.5,
            color=looks[groups[name]][0], annotation_clip=False,
            arrowprops=dict(arrowstyle="-", color=CENTRE, linewidth=0.5, alpha=0.5, shrinkB=4),
        )  # fmt: skip
    ax.set(xlabel=xlabel, ylabel=ylabel, ylim=(low, high))
    ax.locator_params(axis="x", nbins=6)
    handles = {k: Line2D([], [], color=c, marker=m, linestyle="none") for k, (c, m) in looks.items()}
    _legend(figure, handles)
    return figure


def _apart(values: Sequence[float], low: float, high: float) -> np.ndarray:
    """Rising values moved as little as needed for texts not to touch, within low and high."""
    count = len(values)
    step = (high - low) / max(count, 18)
    blocks: list[list[float]] = []  # mean and number of neighbours that stand a step apart
    for i, value in enumerate(values):
        blocks.append([value - i * step, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (one, n), (two, m) = blocks[-2:]
            blocks[-2:] = [[(n * one + m * two) / (n + m), n + m]]
    places = np.repeat([place for place, _ in blocks], [n for _, n in blocks])
    return places.clip(low + 0.3 * step, high - (count - 0.7) * step) + step * np.arange(count)


def left_right(
    panels: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]], *, unit: str,
    reported: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> Figure:  # fmt: skip
    """Grouped bars of left and right limbs, one panel for each model, all with one axis.

    panels: {model: {joint: (left of each seed, right of each seed)}}; the bar is the mean, the whisker runs
        from the lowest to the highest seed.
    reported: {model: {joint: (left, right)}}, hollow diamonds.
    """
    figure, axes = subplots(1, len(panels), height=3.4, squeeze=False, sharey=True)
    for ax, (title, joints) in zip(axes[0], panels.items(), strict=True):
        for number, (joint, sides) in enumerate(joints.items()):
            for side, (values, colour) in enumerate(zip(sides, (LEFT, RIGHT), strict=True)):
                at = number + (side - 0.5) * 0.38
                values = np.asarray(values, dtype=float)
                if np.isfinite(values).any():
                    mean, low, high = np.nanmean(values), np.nanmin(values), np.nanmax(values)
                    look = dict(color=colour, hatch="///" * side, edgecolor=CARD, linewidth=0.6)
                    ax.bar(at, mean, 0.36, **look)
                    ax.plot([at, at], [low, high], color=INK, linewidth=1.3)
                known = (reported or {}).get(title, {}).get(joint)
                if known is not None:
                    ax.plot(at, known[side], zorder=5, **HOLLOW)
        ax.set_xticks(range(len(joints)), list(joints), rotation=35, ha="right", rotation_mode="anchor")
        ax.set_title(title, fontsize=10.5)
        ax.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel(unit)
    handles = {
        name: Line2D([], [], color=c, linewidth=7) for name, c in (("left", LEFT), ("right", RIGHT))
    }
    _legend(figure, handles | _hollow(reported, "reported"))
    return figure


def joint_lines(
    series: Mapping[str, Sequence], joints: Sequence[str], *, xlabel: str,
    reported: Mapping[str, Sequence[float]] | None = None, styles: Mapping[str, int] | None = None,
) -> Figure:  # fmt: skip
    """A number of each joint, the joints from top to bottom and one line for each model or subset.

    series: {label: (J,) or (seeds, J)}; the line is the mean, the band runs from lowest to highest seed.
    reported: {label: (J,)}, hollow diamonds in the colour of the line.
    styles: {label: number of its colour}; labels of one number share a colour and differ in their dashes.
    """
    figure, ax = subplots(height=1.2 + 0.27 * len(joints))
    rows = np.arange(len(joints))
    colours: list[int] = []
    for number, (label, values) in enumerate(series.items()):
        values = np.atleast_2d(np.asarray(values, dtype=float))
        if values.shape[1] != len(joints):
            raise ValueError(f"{label}: {values.shape[1]} numbers for {len(joints)} joints")
        kind = (styles or {}).get(label, number)
        colour, dashes = CYCLE[kind % len(CYCLE)], DASHES[colours.count(kind) % len(DASHES)]
        if styles is None:
            dashes = DASHES[number % len(DASHES)]
        colours.append(kind)
        known = np.isfinite(values).any(0)
        low, mean, high = (f(values[:, known], 0) for f in (np.nanmin, np.nanmean, np.nanmax))
        ax.fill_betweenx(rows[known], low, high, color=colour, alpha=0.15, linewidth=0)
        look = dict(color=colour, linestyle=dashes, linewidth=1.8, marker="o", markersize=3.5)
        ax.plot(mean, rows[known], label=label, **look)
        if reported and label in reported:
            ax.plot(reported[label], rows, zorder=5, **HOLLOW | {"markeredgecolor": colour})
    ax.set_yticks(rows, [name.replace("_", " ") for name in joints])
    ax.set(xlabel=xlabel, ylim=(len(joints) - 0.5, -0.5))
    handles, names = ax.get_legend_handles_labels()
    _legend(figure, dict(zip(names, handles, strict=True)) | _hollow(reported, "reported"))
    return figure


def sweeps(
    x: Sequence[float], panels: Mapping[str, Mapping[str, Sequence]], *, xlabel: str,
    ticks: Sequence[str] | None = None, log: bool = False, mark: tuple[float, str] | None = None,
    references: Mapping[str, Mapping[str, float]] | None = None, ylabel: str = "",
) -> Figure:  # fmt: skip
    """A setting against several quantities, one panel each; what `lib.plots.sweep` draws, side by side.

    panels: {quantity: {label: (X,) or (seeds, X)}}; the band runs from lowest to highest seed. A label has
        one colour in all panels.
    ticks: texts at x; log: logarithmic x; mark: x of a dotted vertical line and its text.
    references: {quantity: {label: value}}, horizontal dashed lines.
    ylabel: of the first panel, where all have one unit.
    """
    figure, axes = subplots(1, len(panels), height=3.5, squeeze=False)
    axes[0, 0].set_ylabel(ylabel)
    names = list(dict.fromkeys(label for series in panels.values() for label in series))
    lines = list(dict.fromkeys(label for shown in (references or {}).values() for label in shown))
    handles: dict[str, object] = {}
    at = np.asarray(x, dtype=float)
    for ax, (title, series) in zip(axes[0], panels.items(), strict=True):
        for label, values in series.items():
            values, number = np.atleast_2d(np.asarray(values, dtype=float)), names.index(label)
            colour, known = CYCLE[number % len(CYCLE)], np.isfinite(values).any(0)
            low, mean, high = (f(values[:, known], 0) for f in (np.nanmin, np.nanmean, np.nanmax))
            ax.fill_between(at[known], low, high, color=colour, alpha=0.18, linewidth=0)
            look = dict(color=colour, marker="os^D"[number % 4], markersize=5, linewidth=1.9)
            (handles[label],) = ax.plot(at[known], mean, linestyle=DASHES[number % len(DASHES)], **look)
        for label, value in (references or {}).get(title, {}).items():
            colour = CYCLE[(len(names) + lines.index(label)) % len(CYCLE)]
            handles[label] = ax.axhline(value, color=colour, linestyle="--", linewidth=1.4)
        if log:
            ax.set_xscale("log")
        ax.set_xticks(at, ticks or [f"{value:g}" for value in at])
        ax.margins(x=0.1)  # so that the outer texts do not touch those of the next panel
        ax.minorticks_off()
        if mark is not None:
            handles[mark[1]] = ax.axvline(mark[0], color=INK, linestyle=":", linewidth=1.3)
        ax.set(xlabel=xlabel)
        ax.set_title(title, fontsize=11)
    _legend(figure, handles)
    return figure


def _hollow(reported, text: str) -> dict[str, Line2D]:
    return {text: Line2D([], [], **HOLLOW)} if reported else {}


def _legend(figure: Figure, handles: Mapping[str, object]) -> None:
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3, frameon=False, labelcolor=INK,
        fontsize=9.5, handlelength=2.0, columnspacing=1.3,
    )  # fmt: skip
