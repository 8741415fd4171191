"""The canonical skeleton in 3D, and knobs that move it: in a page without a kernel, and in JupyterLab.

Canonical poses are those of `lib.kinematics`: x ahead, y left, z up, in trunks. Everything is drawn on the
light card of `lib.plots`; a page shows a figure by `lib.plots3d.show`.

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

from lib.plots import CARD, CENTRE, CYCLE, GRID, INK, LEFT, RIGHT, bone_sides
from lib.plots3d import chains
from lib.skeleton import Skeleton

__all__ = ["Knob", "canonical_3d", "live_knobs", "turn_knobs"]


def _bones(pose: np.ndarray, bones) -> dict[str, list]:
    """x, y, z of polylines through bones, in thousandths of a trunk, None between them."""
    xyz: tuple[list, list, list] = ([], [], [])
    for number, chain in enumerate(chains(bones)):
        for axis in range(3):
            xyz[axis].extend([None] * (number > 0) + [int(v) for v in np.round(1000 * pose[chain, axis])])
    return dict(zip("xyz", xyz, strict=True))


def _scene(poses: np.ndarray, eye, room: float = 0.15) -> dict:
    """A scene without axes over the ranges of poses (N, J, 3), true in its proportions."""
    points = 1000 * poses.reshape(-1, 3)
    low, high = points.min(0), points.max(0)
    extent = np.maximum(high - low, 0.45 * (high - low).max()) + 1000 * room
    low, high = (low + high - extent) / 2, (low + high + extent) / 2
    hidden = dict(visible=False, showspikes=False)
    axes = {
        f"{k}axis": hidden | dict(range=[int(a), int(b)]) for k, a, b in zip("xyz", low, high, strict=True)
    }
    ratio = dict(zip("xyz", (extent / extent.max()).round(3).tolist(), strict=True))
    camera = dict(eye=dict(zip("xyz", eye, strict=True)), center=dict(x=0, y=0, z=0))
    return dict(aspectmode="manual", aspectratio=ratio, camera=camera, bgcolor=CARD, **axes)


def _skeleton_traces(pose: np.ndarray, skeleton: Skeleton) -> list[go.Scatter3d]:
    looks = zip((LEFT, RIGHT, CENTRE), bone_sides(skeleton).items(), strict=True)
    return [
        go.Scatter3d(
            **_bones(pose, bones), mode="lines+markers", name=side, hoverinfo="name",
            line=dict(color=colour, width=7, dash="dash" if side == "right" else "solid"),
            marker=dict(color=colour, size=2.8), showlegend=False,
        )
        for colour, (side, bones) in looks
    ]  # fmt: skip


def _segments(starts, ends, colour: str, width: float = 4, dash: str = "solid") -> go.Scatter3d:
    """Lines from starts to ends (N, 3), as one trace."""
    xyz = {k: [] for k in "xyz"}
    for start, end in zip(np.asarray(starts), np.asarray(ends), strict=True):
        for axis, key in enumerate("xyz"):
            xyz[key] += [int(round(1000 * start[axis])), int(round(1000 * end[axis])), None]
    style = dict(color=colour, width=width, dash=dash)
    return go.Scatter3d(**xyz, mode="lines", line=style, hoverinfo="skip", showlegend=False)


def canonical_3d(
    joints, skeleton: Skeleton, *, hips: tuple[int, int], parent: int, child: int, axes, angle: float
) -> go.Figure:
    """Figure 1B of Kundu et al., AAAI 2020: a canonical skeleton with its frame C, to turn with the mouse.

    joints (J, 3) in trunks; hips: the left and right one; at joint `parent` the frame axes (3, 3), columns
    e1 e2 e3, of the limb that ends there, in which the vector to `child` is given; angle: of the hip line, in
    radians.
    """
    joints, axes = np.asarray(joints, dtype=float), np.asarray(axes, dtype=float)
    root, thorax = joints[skeleton.root], joints[skeleton.index("thorax")]
    traces = _skeleton_traces(joints, skeleton)
    labels: list[tuple[str, np.ndarray, str]] = []
    unit = np.eye(3)
    traces.append(_segments([root] * 3, root + 0.55 * unit, "#8d949e", 3))
    labels += [(k, root + 0.64 * e, "#6b727c") for k, e in zip("xy", unit, strict=False)]
    traces.append(_segments([thorax], [thorax + 0.7 * unit[0]], CYCLE[3], 7))
    labels.append(("face vector", thorax + 0.85 * unit[0], CYCLE[3]))
    # the hip line extended, the horizontal, and the angle between them
    half = 2.6 * np.linalg.norm(joints[hips[0]] - root)
    line = np.array([0.0, np.cos(angle), np.sin(angle)]) * half
    traces.append(_segments([-line, -half * unit[1]], [line, half * unit[1]], CYCLE[2], 3, "dot"))
    arc = np.linspace(0, angle, 12)
    arc = -0.9 * half * np.stack([0 * arc, np.cos(arc), np.sin(arc)], axis=-1)  # at the person's right
    traces.append(_segments(arc[:-1], arc[1:], CYCLE[2], 6))
    labels.append((f"φ = {np.degrees(angle):.0f}°", -1.25 * line, CYCLE[2]))
    at = joints[parent]
    traces.append(_segments([at] * 3, at + 0.5 * axes.T, CYCLE[5], 5))
    labels += [(f"e{i + 1}", at + 0.6 * axis, CYCLE[5]) for i, axis in enumerate(axes.T)]
    limb = joints[child] - at
    name = skeleton.joints[child].replace("_", " ")
    labels.append((f"v: {name}", joints[child] + 0.12 * limb / np.linalg.norm(limb), INK))
    x, y, z = (1000 * np.array([place for _, place, _ in labels])).round().T
    traces.append(
        go.Scatter3d(
            x=x,
            y=y,
            z=z,
            mode="text",
            text=[text for text, _, _ in labels],
            hoverinfo="skip",
            showlegend=False,
            textfont=dict(size=13, color=[colour for _, _, colour in labels]),
        )  # fmt: skip
    )
    scene = _scene(np.concatenate([joints, [place for _, place, _ in labels]])[None], (0.95, -0.8, 0.35))
    return go.Figure(traces, _card(scene))


def _card(scene: dict, **further) -> dict:
    plain = dict(
        template="none", paper_bgcolor=CARD, plot_bgcolor=CARD, font=dict(color=INK, size=12), autosize=True
    )
    return (
        plain
        | dict(margin=dict(l=0, r=0, t=0, b=0), scene=scene, dragmode="orbit", showlegend=False)
        | further
    )


@dataclass(frozen=True)
class Knob:
    """One setting moved through K positions, all others at rest.

    values: the positions' names; joints (K, J, 3) canonical, in trunks; rotation (K, 3, 3) canonical to
    camera axes; maps (K, s, s, 3) and drawn (K, S, S, 3), None without a decoder, uint8; rest: the position
    in which nothing differs from the other knobs' rest.
    """

    name: str
    values: Sequence[str]
    joints: np.ndarray
    rotation: np.ndarray
    maps: np.ndarray
    drawn: np.ndarray | None
    rest: int


def turn_knobs(knobs: Sequence[Knob], skeleton: Skeleton) -> go.Figure:
    """A menu that chooses a knob and a slider that turns it: skeleton and camera in 3D, maps, drawn person.

    Every position is in the page, so that it needs no kernel: with pictures of 64 pixels about 6 kB each,
    which keeps a dozen knobs of nine positions below a megabyte.
    """
    if not knobs:
        raise ValueError("turn_knobs: there is no knob")
    everything = np.concatenate([knob.joints for knob in knobs])
    cameras = np.concatenate([_camera(r) for knob in knobs for r in knob.rotation])
    scene = _scene(
        np.concatenate([everything.reshape(-1, 3), cameras.reshape(-1, 3)])[None], (1.4, 0.55, 0.5), 0.0
    )
    scene["domain"] = dict(x=[0.0, 0.6], y=[0.0, 1.0])

    def state(knob: Knob, k: int) -> tuple[dict, dict]:
        bodies = [_bones(knob.joints[k], bones) for bones in bone_sides(skeleton).values()]
        camera = _frustum(_camera(knob.rotation[k]))
        bodies.append({key: list(camera[key]) for key in "xyz"})
        moved = {key: [body[key] for body in bodies] for key in "xyz"}
        shown = [knob.maps[k]] + ([] if knob.drawn is None else [knob.drawn[k]])
        return moved, {"images": [_corner_image(picture, i) for i, picture in enumerate(shown)]}

    first = knobs[0]
    traces = _skeleton_traces(first.joints[first.rest], skeleton)
    traces.append(_frustum(_camera(first.rotation[first.rest])))
    which = list(range(len(traces)))
    sliders, buttons = [], []
    for number, knob in enumerate(knobs):
        states = [state(knob, k) for k in range(len(knob.values))]
        sliders.append(
            dict(
                active=knob.rest, visible=number == 0, x=0.02, len=0.96, y=0.0, yanchor="top",
                pad=dict(t=26, b=4), ticklen=3, minorticklen=0, font=dict(size=1, color=CARD),
                bordercolor=CENTRE, bgcolor=GRID,
                currentvalue=dict(prefix=f"{knob.name}: ", font=dict(size=14, color=INK), xanchor="left"),
                steps=[
                    dict(method="update", label=value, args=[moved, layout, which])
                    for value, (moved, layout) in zip(knob.values, states, strict=True)
                ],
            )
        )  # fmt: skip
        moved, layout = states[knob.rest]
        shown = {f"sliders[{i}].visible": i == number for i in range(len(knobs))}
        buttons.append(
            dict(
                method="update", label=knob.name,
                args=[moved, layout | shown | {f"sliders[{number}].active": knob.rest}, which],
            )
        )  # fmt: skip
    heads = [(0.3, "pose and camera"), (0.81, "maps")] + [(0.81, "drawn")] * (first.drawn is not None)
    notes = [
        dict(
            text=text, x=x, y=(1.0, 1.0, 0.48)[i], xref="paper", yref="paper", xanchor="center",
            yanchor="bottom", showarrow=False, font=dict(size=13, color=INK),
        )
        for i, (x, text) in enumerate(heads)
    ]  # fmt: skip
    menu = dict(
        buttons=buttons, x=0.0, y=1.0, xanchor="left", yanchor="bottom", pad=dict(b=26), bgcolor="#ffffff",
        bordercolor=CENTRE, font=dict(size=14, color=INK), active=0,
    )  # fmt: skip
    figure = go.Figure(traces, _card(scene))
    figure.update_layout(
        margin=dict(l=4, r=4, t=74, b=84), updatemenus=[menu], sliders=sliders, annotations=notes,
        images=state(first, first.rest)[1]["images"],
    )  # fmt: skip
    return figure


def _camera(rotation) -> np.ndarray:
    """Corners (5, 3) of a small camera 1.6 trunks from the pelvis: its centre, then the picture's corners."""
    corners = np.array([(0, 0, 0), (-1, -1, 1.5), (1, -1, 1.5), (1, 1, 1.5), (-1, 1, 1.5)]) * 0.22
    return (corners - [0.0, 0.0, 1.6]) @ np.asarray(rotation, dtype=float)


def _frustum(corners: np.ndarray) -> go.Scatter3d:
    apex, ring = corners[0], corners[1:]
    mark = (ring[0] + ring[1]) / 2 + 0.4 * (ring[0] - ring[3])  # says where the picture's top is
    starts = [apex] * 4 + list(ring) + [ring[0]]
    ends = list(ring) + list(np.roll(ring, -1, axis=0)) + [mark]
    return _segments(starts, ends, CYCLE[3], 3)


def _corner_image(picture: np.ndarray, place: int) -> dict:
    """The upper (0) or lower (1) picture on the right of the card."""
    where = dict(xref="paper", yref="paper", x=0.81, sizex=0.38, sizey=0.46, xanchor="center", yanchor="top")
    return dict(source=_address(picture, "png" if place == 0 else "jpeg"), y=(1.0, 0.46)[place], **where)


def _address(picture: np.ndarray, kind: str) -> str:
    """A picture inside its own address, so that a page fetches nothing; jpeg for what has many colours."""
    buffer = io.BytesIO()
    how = dict(pil_kwargs=dict(quality=88)) if kind == "jpeg" else dict(metadata={"Software": None})
    matplotlib.image.imsave(buffer, np.asarray(picture), format=kind, **how)
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()


def live_knobs(
    groups: Mapping[str, Mapping[str, tuple[float, float, float]]],
    picture: Callable[[dict[str, float]], bytes],
    words: Callable[[dict[str, float]], str] | None = None,
):
    """Sliders in JupyterLab: an ipywidgets box, to be displayed only where a front end listens.

    groups {tab: {name: (lowest, highest, at rest)}}, in degrees; names are unique. picture gives the PNG of a
    setting {name: degrees}, words a line of text beneath it; both are asked whenever a slider has moved.
    """
    import ipywidgets  # only notebooks need it

    sliders = {
        name: ipywidgets.FloatSlider(
            value=rest, min=low, max=high, step=1.0, description=name, readout_format=".0f",
            style=dict(description_width="9em"), layout=dict(width="26em"),
        )
        for group in groups.values()
        for name, (low, high, rest) in group.items()
    }  # fmt: skip
    if len(sliders) != sum(map(len, groups.values())):
        raise ValueError("live_knobs: two sliders have the same name")
    tabs = ipywidgets.Tab([ipywidgets.VBox([sliders[name] for name in group]) for group in groups.values()])
    tabs.titles = list(groups)
    shown, text = ipywidgets.Image(format="png"), ipywidgets.HTML()
    reset = ipywidgets.Button(description="at rest")
    quiet = False

    def look(_=None):
        if not quiet:
            setting = {name: slider.value for name, slider in sliders.items()}
            shown.value = picture(setting)
            text.value = "" if words is None else f"<pre>{words(setting)}</pre>"

    def rest(_):
        nonlocal quiet
        quiet = True  # one picture for all of them
        for group in groups.values():
            for name, (_low, _high, value) in group.items():
                sliders[name].value = value
        quiet = False
        look()

    for slider in sliders.values():
        slider.observe(look, "value")
    reset.on_click(rest)
    look()
    return ipywidgets.VBox([shown, tabs, reset, text])
