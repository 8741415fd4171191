"""Plotly figures: skeletons to turn with the mouse and to play through time, small enough to live
in a page.

A figure is a few kilobytes: whole millimetres, one polyline a side of the body, few frames. `show`
writes it with alternative text and a fixed identifier; in the book the drawing code comes once,
from one local copy of plotly.js.

Training code never imports this module.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from lib.plots import CARD, GRID, INK, bone_sides
from lib.skeleton import Skeleton

__all__ = ["Html", "animate_3d", "chains", "show", "skeleton_3d"]

# (left, right, centre) of the first, second … pose; right limbs are dashed as well
PALETTES = (
    ("#0072b2", "#2b93c9", "#00507d"),
    ("#d55e00", "#e08a1e", "#a34700"),
    ("#009e73", "#3fae8e", "#00674b"),
    ("#5f6772", "#868d97", "#3d434b"),
)
ALONE = ("#0072b2", "#d55e00", "#5f6772")


def chains(bones: Sequence[tuple[int, int]]) -> list[list[int]]:
    """The bones (parent, child) as few polylines: lists of joint indices in which each bone
    appears once.
    """
    result: list[list[int]] = []
    for parent, child in bones:
        for chain in result:
            if chain[-1] == parent:
                chain.append(child)
                break
        else:
            result.append([parent, child])
    return result


def _to_scene(points: np.ndarray, frame: str) -> np.ndarray:
    """Camera coordinates (x right, y down, z forward) to plotly's z-up scene; world coordinates
    are z-up already.
    """
    if frame == "world":
        return points
    if frame == "camera":
        return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)
    raise ValueError(f"the frame is camera or world, not {frame!r}")


def _path(pose: np.ndarray, bones: Sequence[tuple[int, int]]) -> dict[str, list]:
    """x, y, z of the polylines through `bones`, with None between them and in place of a missing
    joint.
    """
    xyz: tuple[list, list, list] = ([], [], [])
    for number, chain in enumerate(chains(bones)):
        points = [[None] * 3] * (number > 0) + [
            [int(value) for value in pose[joint]] if np.isfinite(pose[joint]).all() else [None] * 3
            for joint in chain
        ]
        for axis in range(3):
            xyz[axis].extend(point[axis] for point in points)
    return dict(zip("xyz", xyz, strict=True))


def _prepare(poses, skeleton: Skeleton, frame: str, centre: bool, dimensions: int) -> np.ndarray:
    poses = np.asarray(poses, dtype=float)
    if poses.ndim != dimensions or poses.shape[-2:] != (len(skeleton.joints), 3):
        shape = ("T, " if dimensions == 3 else "") + f"{len(skeleton.joints)}, 3"
        raise ValueError(f"a pose of {skeleton.name} has shape ({shape}), got {poses.shape}")
    if centre:
        poses = poses - poses[..., skeleton.root, None, :]
    return np.round(_to_scene(poses, frame))


def _traces(
    poses: Mapping[str, np.ndarray], skeleton: Skeleton, styled: bool = True,
) -> list[go.Scatter3d]:
    """Three traces a pose: left, right, centre. Frames of an animation carry coordinates alone
    (`styled=False`).
    """
    traces = []
    for index, (label, pose) in enumerate(poses.items()):
        colors = ALONE if len(poses) == 1 else PALETTES[index % len(PALETTES)]
        for color, (side, bones) in zip(colors, bone_sides(skeleton).items(), strict=True):
            if not bones:
                continue
            style = {}
            if styled:
                style = dict(
                    mode="lines+markers",
                    name=side if len(poses) == 1 else f"{label}, {side}",
                    line=dict(color=color, width=6, dash="dash" if side == "right" else "solid"),
                    marker=dict(color=color, size=2.6),
                    legendgroup=label,
                    hoverinfo="name",
                    showlegend=len(poses) == 1 or side != "centre",
                )
            traces.append(go.Scatter3d(**_path(pose, bones), **style))
    return traces


def _layout(poses: Sequence[np.ndarray], title: str | None, frame: str) -> dict:
    """Equal aspect over fixed ranges, so that a moving body neither jumps nor changes shape."""
    points = np.concatenate([pose.reshape(-1, 3) for pose in poses])
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    # a box never thinner than half its longest side: a standing body would else live in a slab
    extent = np.maximum(high - low, 0.5 * (high - low).max()) + 100
    low, high = (low + high - extent) / 2, (low + high + extent) / 2
    ratio = dict(zip("xyz", (extent / extent.max()).round(4).tolist(), strict=True))
    names = ("x", "depth", "up") if frame == "camera" else ("x", "y", "up")
    axes = {
        f"{key}axis": dict(
            title=dict(text=f"{name} (mm)", font=dict(size=11)),
            range=[int(a), int(b)],
            nticks=4,
            color=INK,
            gridcolor=GRID,
            backgroundcolor=CARD,
            showspikes=False,
            tickfont=dict(size=10),
        )
        for key, name, a, b in zip("xyz", names, low, high, strict=True)
    }
    eye = dict(x=0.42, y=-1.5, z=0.28) if frame == "camera" else dict(x=1.2, y=-1.2, z=0.5)
    return dict(
        template="none",
        title=dict(text=title, font=dict(size=15), x=0.02, y=0.98, yanchor="top"),
        paper_bgcolor=CARD,
        font=dict(color=INK, size=12),
        autosize=True,
        margin=dict(l=4, r=4, t=86 if title else 52, b=4),
        scene=dict(
            aspectmode="manual", aspectratio=ratio, camera=dict(eye=eye), bgcolor=CARD, **axes
        ),
        dragmode="orbit",
        legend=dict(
            orientation="h",
            y=1.0,
            yanchor="bottom",
            x=0.0,
            itemsizing="constant",
            bgcolor="rgba(0,0,0,0)",
        ),
    )


def skeleton_3d(
    poses, skeleton: Skeleton, labels: Sequence[str] | None = None, *, frame: str = "camera",
    centre: bool = True, title: str | None = None,
) -> go.Figure:
    """One pose, or several on top of each other, to turn with the mouse.

    poses (J, 3), or a sequence of them, in mm: camera coordinates (x right, y down, z forward) or,
    with `frame="world"`, z-up. `labels` name them (a prediction first, its ground truth second).
    `centre` puts every root at the origin. A joint with NaN is skipped. Raises ValueError for
    another joint count.
    """
    group = [poses] if np.ndim(poses[0]) == 1 else list(poses)
    if labels is None:
        labels = [f"pose {number}" for number in range(1, len(group) + 1)]
    if len(labels) != len(group):
        raise ValueError(f"{len(labels)} labels for {len(group)} poses")
    ready = {
        label: _prepare(pose, skeleton, frame, centre, 2)
        for label, pose in zip(labels, group, strict=True)
    }
    return go.Figure(_traces(ready, skeleton), _layout(list(ready.values()), title, frame))


def animate_3d(
    poses, skeleton: Skeleton, fps: float, title: str | None = None, *, frame: str = "camera",
    centre: bool = True, max_frames: int = 40, label: str = "pose",
) -> go.Figure:
    """Motion with a play button, a pause button and a time slider.

    poses (T, J, 3) in mm, or {label: (T, J, 3)} for several over each other; `fps` frames a
    second. Frames are thinned to at most `max_frames` and shown at the true speed. `frame` and
    `centre` as in `skeleton_3d`.
    """
    group = poses if isinstance(poses, Mapping) else {label: poses}
    ready = {label: _prepare(motion, skeleton, frame, centre, 3) for label, motion in group.items()}
    lengths = {label: len(motion) for label, motion in ready.items()}
    if len(set(lengths.values())) != 1 or not min(lengths.values()):
        raise ValueError(
            f"motions to play together must have one length, at least 1 frame; got {lengths}"
        )
    total = next(iter(lengths.values()))
    step = -(-total // max_frames)
    duration = round(1000 * step / fps)

    def at(index: int) -> dict[str, np.ndarray]:
        return {label: motion[index] for label, motion in ready.items()}

    shown = range(0, total, step)
    frames = [
        go.Frame(data=_traces(at(index), skeleton, styled=False), name=str(index))
        for index in shown
    ]
    still = dict(mode="immediate", frame=dict(duration=0, redraw=True), transition=dict(duration=0))
    play = dict(
        fromcurrent=True, frame=dict(duration=duration, redraw=True), transition=dict(duration=0)
    )
    layout = _layout(list(ready.values()), title, frame)
    layout["margin"]["b"] = 70
    layout["updatemenus"] = [
        dict(
            type="buttons",
            direction="left",
            x=0.0,
            y=-0.03,
            xanchor="left",
            yanchor="top",
            pad=dict(t=14, r=8),
            buttons=[
                dict(label="Play", method="animate", args=[None, play]),
                dict(label="Pause", method="animate", args=[[None], still]),
            ],
        )
    ]
    layout["sliders"] = [
        dict(
            x=0.32,
            len=0.66,
            y=-0.03,
            yanchor="top",
            pad=dict(t=6),
            ticklen=0,
            minorticklen=0,
            font=dict(size=1, color=CARD),
            currentvalue=dict(
                prefix="time ", suffix=" s", font=dict(size=12, color=INK), xanchor="right"
            ),
            steps=[
                dict(method="animate", label=f"{index / fps:.2f}", args=[[str(index)], still])
                for index in shown
            ],
        )
    ]
    return go.Figure(_traces(at(0), skeleton), layout, frames)


@dataclass(frozen=True)
class Html:
    """A piece of a page that a notebook displays."""

    name: str
    text: str

    def _repr_html_(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<figure {self.name}>"


def show(
    figure: go.Figure, name: str, alt: str, caption: str | None = None, *, height: int = 430,
    in_book: bool | None = None,
) -> Html | go.Figure:
    """The figure as the last expression of a notebook's cell.

    In the book (`in_book`, by default whether the environment variable PLOTLY_IN_BOOK is 1): HTML
    without plotly.js, which the book serves itself, inside a `<figure>` with the alternative text
    `alt` and the caption, and with `name` as the fixed identifier, so that two executions write
    the same bytes. Elsewhere, as in JupyterLab: the plotly figure itself.
    """
    if in_book is None:
        in_book = os.environ.get("PLOTLY_IN_BOOK") == "1"
    if not in_book:
        return figure
    body = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        include_mathjax=False,
        div_id=name,
        auto_play=False,
        default_width="100%",
        default_height=f"{height}px",
        config=dict(responsive=True, displaylogo=False, displayModeBar=False, scrollZoom=False),
    )
    below = ""
    if caption:
        style = "color:inherit;margin:0.4rem"
        below = f'<figcaption style="{style}">{html.escape(caption)}</figcaption>'
    card = f"margin:1rem 0;width:100%;background:{CARD};color:{INK}"
    text = (
        f'<figure class="pose-figure" style="{card}">'
        f'<div role="img" aria-label="{html.escape(alt)}">{body}</div>{below}</figure>'
    )
    return Html(name, text)
