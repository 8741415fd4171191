"""A template over a picture whose limbs a reader moves with sliders, in a page without a kernel.

Every slider owns some parts and moves nothing else, so that they can be set in any combination; in
JupyterLab `lib.plots_knobs.live_knobs` does the same without that limit.

Training code never imports this module.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from lib.plots import CARD, CENTRE, GRID, INK
from lib.plots_images import _data_address as data_address
from lib.plots_template import TEMPLATE_COLOURS, moved, outlines

__all__ = ["Handle", "pose_by_hand"]

SLIDER = 62  # px of the figure's height


@dataclass(frozen=True)
class Handle:
    """One slider: its name, its parts, and for each of its K positions a text and matrices (K, P, 2, 3).

    matrices: of the parts, in crop coordinates, in the order of `parts`; rest: the position at first.
    """

    name: str
    parts: Sequence[int]
    values: Sequence[str]
    matrices: np.ndarray
    rest: int


def pose_by_hand(template, picture, handles: Sequence[Handle]) -> go.Figure:
    """The template's parts as ellipses with their anchors over a picture (S, S, 3) uint8, and sliders.

    template: whatever has mean (18, 2), covariance (18, 2, 2), anchors (K, 2) and owner (K,). A slider
    takes 62 pixels of the figure's height. Raises ValueError where there is no handle, where two share a
    part or where matrices do not fit.
    """
    taken = [part for handle in handles for part in handle.parts]
    if not handles or len(set(taken)) != len(taken):
        raise ValueError("pose_by_hand: there is a handle, and no two have a part in common")
    mean, covariance = (
        np.asarray(template.mean, dtype=float),
        np.asarray(template.covariance, dtype=float),
    )
    anchors, owner = np.asarray(template.anchors, dtype=float), np.asarray(template.owner)

    def traces_of(part: int, matrix) -> tuple[list, list]:
        """x, y of a part's outline and of the line between its anchors, None between the two."""
        ellipse = outlines(*moved(mean[[part]], covariance[[part]], matrix[None]), points=22)[0]
        line = anchors[owner == part] @ matrix[:, :2].T + matrix[:, 2]
        path = [
            *np.concatenate([ellipse, ellipse[:1]]).round(3).tolist(),
            [None, None],
            *line.round(3).tolist(),
        ]
        x, y = zip(*path, strict=True)
        return list(x), list(y)

    still = np.eye(2, 3)
    figure = go.Figure()
    for part, (name, colour) in enumerate(TEMPLATE_COLOURS.items()):
        x, y = traces_of(part, still)
        figure.add_trace(
            go.Scatter(
                x=x, y=y, mode="lines", fill="toself", name=name.replace("_", " "), hoverinfo="name",
                line=dict(color=colour, width=2), opacity=0.85,
            )
        )  # fmt: skip
    sliders = []
    for number, handle in enumerate(handles):
        shape = (len(handle.values), len(handle.parts), 2, 3)
        if np.shape(handle.matrices) != shape:
            raise ValueError(f"{handle.name}: matrices are {shape}, got {np.shape(handle.matrices)}")
        steps = []
        for value, matrices in zip(handle.values, handle.matrices, strict=True):
            xs, ys = zip(
                *(traces_of(p, m) for p, m in zip(handle.parts, matrices, strict=True)), strict=True
            )
            steps.append(
                dict(method="restyle", label=value, args=[dict(x=xs, y=ys), list(handle.parts)])
            )
        for part, matrix in zip(handle.parts, handle.matrices[handle.rest], strict=True):
            figure.data[part].x, figure.data[part].y = traces_of(part, matrix)
        sliders.append(
            dict(
                steps=steps, active=handle.rest, x=0.02, len=0.96, y=0.0, yanchor="top",
                pad=dict(t=14 + SLIDER * number, b=4), ticklen=3, minorticklen=0, bgcolor=GRID,
                bordercolor=CENTRE, font=dict(size=1, color=CARD),
                currentvalue=dict(
                    prefix=f"{handle.name}: ", font=dict(size=14, color=INK), xanchor="left"
                ),
            )
        )  # fmt: skip
    both = dict(fixedrange=True, visible=False, constrain="domain")
    figure.update_layout(
        template="none", paper_bgcolor=CARD, plot_bgcolor=CARD, autosize=True, showlegend=False,
        dragmode=False, margin=dict(l=4, r=4, t=4, b=30 + SLIDER * len(handles)), sliders=sliders,
        xaxis=both | dict(range=[-1, 1]), yaxis=both | dict(range=[1, -1], scaleanchor="x"),
        images=[
            dict(
                source=data_address(picture), xref="x", yref="y", x=-1, y=-1, sizex=2, sizey=2,
                xanchor="left", yanchor="top", sizing="stretch", layer="below", opacity=0.9,
            )
        ],
    )  # fmt: skip
    return figure
