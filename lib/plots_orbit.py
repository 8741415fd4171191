"""A drawn person to walk around and to dress: in a page without a kernel, and in JupyterLab.

A page holds every picture on a sheet: views side by side, clothes below each other. A slider then chooses
the column by the range of an axis, one menu the row and the other the sheet, so that the three are free of
each other.

Training code never imports this module.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.image
import numpy as np
import plotly.graph_objects as go

from lib.plots import CARD, CENTRE, CYCLE, GRID, INK

__all__ = ["live_orbit", "orbit"]

INSET = 0.012  # of a picture's side, so that no neighbour on the sheet is seen
WIDE, HIGH = 0.32, 0.46  # of a panel, of the figure
LOWS = (0.54, 0.0)  # lower edges of the two rows of panels


@dataclass(frozen=True)
class _Panel:
    """A square of the figure; its sheets (rows, columns, S, S, 3) are one for all poses, or one a pose.

    walks: the slider chooses the column; dresses: a menu chooses the row; photo: many colours.
    """

    name: str
    sheets: Sequence[np.ndarray]
    walks: bool = False
    dresses: bool = False
    photo: bool = False


def orbit(
    drawn, decoded, puppet, givers, wearers, azimuths: Sequence[float], poses: Sequence[str],
    clothes: Sequence[str],
) -> go.Figure:  # fmt: skip
    """Walk around drawn people and exchange their clothes: a slider, a menu of poses, a menu of clothes.

    Arguments:
        drawn, decoded: (P, A, K, S, S, 3) uint8, people and their parts for P poses, A appearances, K views.
        puppet: (P, K, S, S, 3) uint8.
        givers, wearers: (P, S, S, 3), (A, S, S, 3) uint8, the pictures that gave the poses and the clothes.
        azimuths: (K,) degrees of the camera, 0 looks into the face.
        poses, clothes: names for the menus.

    Everything is in the page, about 5 kB for a drawn person of 64 pixels and its parts. Raises ValueError for
    shapes that do not fit.
    """
    pictures = dict(drawn=drawn, decoded=decoded, puppet=puppet, givers=givers, wearers=wearers)
    _check(pictures, len(poses), len(clothes), len(azimuths))
    start = int(np.abs(np.asarray(azimuths)).argmin())
    panels = [
        _Panel("pose from", [g[None, None] for g in givers], photo=True),
        _Panel("puppet", [p[None] for p in puppet], walks=True),
        _Panel("drawn", list(drawn), walks=True, dresses=True, photo=True),
        _Panel("clothes from", [np.asarray(wearers)[:, None]], dresses=True, photo=True),
        _Panel("camera", [], walks=True),
        _Panel("parts", list(decoded), walks=True, dresses=True),
    ]
    figure, layout, images, owners = go.Figure(), {}, [], []
    for number, panel in enumerate(panels):
        key = "" if number == 0 else str(number + 1)
        place = dict(xaxis=f"x{key}", yaxis=f"y{key}")
        layout |= _axes(number, key, start if panel.walks else 0)
        # a panel without a trace would have no axes
        traces = (
            [go.Scatter(x=[0], y=[0], opacity=0, hoverinfo="skip")]
            if panel.sheets
            else _compass(azimuths)
        )
        figure.add_traces([trace.update(place) for trace in traces])
        for pose, sheet in enumerate(panel.sheets):
            owners.append(None if len(panel.sheets) == 1 else pose)
            images.append(_image(sheet, key, panel.photo) | dict(visible=pose == 0))
    walking = [f"xaxis{n + 1 if n else ''}.range" for n, panel in enumerate(panels) if panel.walks]
    dressing = [f"yaxis{n + 1 if n else ''}.range" for n, panel in enumerate(panels) if panel.dresses]

    def button(label: str, settings: dict) -> dict:
        return dict(method="relayout", label=label, args=[settings])

    walk = [
        button(f"{angle:.0f}°", dict.fromkeys(walking, _window(k))) for k, angle in enumerate(azimuths)
    ]
    posing = [
        button(f"pose: {name}", {f"images[{i}].visible": o in (p, None) for i, o in enumerate(owners)})
        for p, name in enumerate(poses)
    ]
    dress = [
        button(f"clothes: {name}", dict.fromkeys(dressing, _window(-a)))
        for a, name in enumerate(clothes)
    ]
    menu = dict(
        y=1.0, yanchor="bottom", xanchor="left", x=0.0, bgcolor="#ffffff", bordercolor=CENTRE,
        font=dict(size=13, color=INK), active=0,
    )  # fmt: skip
    slider = dict(
        steps=walk, active=start, x=0.02, len=0.96, y=0.0, yanchor="top", pad=dict(t=26, b=4), ticklen=3,
        minorticklen=0, font=dict(size=1, color=CARD), bordercolor=CENTRE, bgcolor=GRID,
        currentvalue=dict(prefix="camera: ", font=dict(size=14, color=INK), xanchor="left"),
    )  # fmt: skip
    figure.update_layout(
        template="none", paper_bgcolor=CARD, plot_bgcolor=CARD, font=dict(color=INK, size=12),
        autosize=True, margin=dict(l=4, r=4, t=118, b=84), showlegend=False, dragmode=False, images=images,
        annotations=[_head(number, panel.name) for number, panel in enumerate(panels)], sliders=[slider],
        updatemenus=[menu | dict(pad=dict(b=70), buttons=posing), menu | dict(pad=dict(b=28), buttons=dress)],
        **layout,
    )  # fmt: skip
    return figure


def _check(pictures: Mapping[str, np.ndarray], poses: int, clothes: int, views: int) -> None:
    both = (poses, clothes, views)
    shapes = dict(drawn=both, decoded=both, puppet=(poses, views), givers=(poses,), wearers=(clothes,))
    for name, shape in shapes.items():
        found = np.shape(pictures[name])
        if found[:-3] != shape or 0 in shape:
            raise ValueError(f"{name} has shape {found}, not {(*shape, 'S', 'S', 3)}")


def _corner(number: int) -> tuple[float, float]:
    """Lower left corner of a panel, in shares of the figure."""
    return (number % 3) * (WIDE + 0.02), LOWS[number // 3]


def _axes(number: int, key: str, column: int) -> dict:
    left, low = _corner(number)
    both = dict(fixedrange=True, visible=False, constrain="domain")
    x = both | dict(domain=[left, left + WIDE], anchor=f"y{key}", range=_window(column))
    y = both | dict(domain=[low, low + HIGH], anchor=f"x{key}", range=_window(0))
    return {f"xaxis{key}": x, f"yaxis{key}": y | dict(scaleanchor=f"x{key}", constraintoward="top")}


def _head(number: int, text: str) -> dict:
    left, low = _corner(number)
    return dict(
        text=text, x=left + WIDE / 2, y=low + HIGH, xref="paper", yref="paper", xanchor="center",
        yanchor="bottom", showarrow=False, font=dict(size=13, color=INK),
    )  # fmt: skip


def _window(cell: int) -> list[float]:
    """The range of an axis that shows one picture of a sheet; rows go down from 0."""
    return [cell + INSET, cell + 1 - INSET]


def _image(sheet, key: str, photo: bool) -> dict:
    """A sheet (rows, columns, S, S, 3) as one picture over the cells of its axes."""
    sheet = np.asarray(sheet)
    rows, columns, high, wide, _ = sheet.shape
    picture = sheet.swapaxes(1, 2).reshape(rows * high, columns * wide, 3)
    return dict(
        source=_address(picture, photo), xref=f"x{key}", yref=f"y{key}", x=0, y=1, sizex=columns, sizey=rows,
        xanchor="left", yanchor="top", sizing="stretch", layer="above",
    )  # fmt: skip


def _address(picture: np.ndarray, photo: bool) -> str:
    """A picture inside its own address, so that a page fetches nothing; jpeg for what has many colours."""
    buffer, kind = io.BytesIO(), "jpeg" if photo else "png"
    how = dict(pil_kwargs=dict(quality=86)) if photo else dict(metadata={"Software": None})
    matplotlib.image.imsave(buffer, np.ascontiguousarray(picture), format=kind, **how)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def _compass(azimuths: Sequence[float]) -> list[go.Scatter]:
    """From above, a cell a view: the person, who looks down the page, the way around and the camera on it.

    A camera at a positive azimuth has gone to the person's right.
    """
    around = np.linspace(0, 2 * np.pi, 49)
    circle = 0.36 * np.stack([np.sin(around), np.cos(around)], axis=-1)
    arrow = np.array([[-0.07, 0.05], [0, -0.13], [0.07, 0.05], [-0.07, 0.05]])
    ring, person, camera = [], [], []
    for cell, angle in enumerate(np.radians(np.asarray(azimuths, dtype=float))):
        middle = np.array([cell + 0.5, 0.5])
        ring += [*(middle + circle).round(3).tolist(), [None, None]]
        person += [*(middle + arrow).round(3).tolist(), [None, None]]
        camera.append((middle - 0.36 * np.array([np.sin(angle), np.cos(angle)])).round(3).tolist())
    style = dict(hoverinfo="skip", showlegend=False)
    square = dict(color=CYCLE[3], size=13, symbol="square")
    return [
        go.Scatter(_xy(ring), mode="lines", line=dict(color=CENTRE, width=1.5, dash="dot"), **style),
        go.Scatter(
            _xy(person), mode="lines", fill="toself", line=dict(color=CYCLE[0], width=1.5), **style
        ),
        go.Scatter(_xy(camera), mode="markers", marker=square, **style),
    ]


def _xy(points) -> dict[str, list]:
    x, y = zip(*points, strict=True)
    return dict(x=list(x), y=list(y))


def live_orbit(
    picture: Callable[[dict], bytes], angles: Mapping[str, tuple[float, float, float]],
    choices: Mapping[str, Sequence[str]],
):  # fmt: skip
    """Menus and sliders in JupyterLab: an ipywidgets box, to be displayed only where a front end listens.

    angles {name: (lowest, highest, at rest)} in degrees; choices {name: options}. picture gives the PNG of a
    setting {name: degrees, or the number of the option} and is asked whenever one has changed. Raises
    ValueError where a menu and a slider have the same name.
    """
    import ipywidgets  # only notebooks need it

    if same := set(angles) & set(choices):
        raise ValueError(f"live_orbit: a menu and a slider are both named {', '.join(sorted(same))}")
    look_of = dict(style=dict(description_width="7em"), layout=dict(width="26em"))
    controls = {}
    for name, options in choices.items():
        pairs = [(option, number) for number, option in enumerate(options)]
        controls[name] = ipywidgets.Dropdown(options=pairs, value=0, description=name, **look_of)
    for name, (low, high, rest) in angles.items():
        controls[name] = ipywidgets.FloatSlider(
            value=rest, min=low, max=high, step=1.0, description=name, readout_format=".0f", **look_of
        )
    shown = ipywidgets.Image(format="png")

    def look(_=None):
        shown.value = picture({name: control.value for name, control in controls.items()})

    for control in controls.values():
        control.observe(look, "value")
    look()
    return ipywidgets.VBox([shown, *controls.values()])
