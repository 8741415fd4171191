"""Figures of the kinematic model: named cards, maps in the sides' colours, knobs without a kernel."""

import json

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib import plots, plots3d, plots_diagrams, plots_kinematics, plots_knobs
from lib.skeleton import HUMAN36M_17

J, B = len(HUMAN36M_17), len(HUMAN36M_17.bones)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pictures(rng, count, size=16):
    return rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts if text.get_text()]


def test_the_training_diagram_names_every_part(rng):
    target, source, behind, drawn, maps = pictures(rng, 5)
    points = rng.uniform(-0.8, 0.8, (J, 2))
    figure = plots_kinematics.training_diagram(
        target, source, behind, drawn, maps, points, points, HUMAN36M_17
    )
    named = " ".join(texts(figure))
    for name in (
        *("I_t", "I_s", "B_t", r"\hat I_t", "E_P", "E_A", "D_I", "v_k", "$c$", "T_{fk}", "T_c", "T_m"),
        *("f_a", "f_{2D}", "p_{3D}", "p_{2D}", "late"),
    ):
        assert name in named
    assert len(figure.axes[0].images) == 6  # I_t twice
    assert all(t.get_fontsize() >= 11 for t in figure.axes[0].texts if t.get_text())
    width, height = figure.get_size_inches()
    inside = [
        0 <= x <= width and 0 <= y <= height for x, y in (t.get_position() for t in figure.axes[0].texts)
    ]
    assert all(inside)


def test_the_energy_diagram_has_a_frozen_decoder_and_a_flipped_picture(rng):
    target, source, behind, drawn = pictures(rng, 4)
    figure = plots_kinematics.energy_diagram(
        target, source, behind, drawn, rng.uniform(-1, 1, (J, 2)), HUMAN36M_17
    )
    named = " ".join(texts(figure))
    assert "frozen" in named and "B_r" in named and "T^{-1}" in named
    shown = [np.asarray(image.get_array()) for image in figure.axes[0].images]
    assert any((image == drawn).all() for image in shown)
    assert any((image == drawn[:, ::-1]).all() for image in shown)


@pytest.mark.parametrize("taper, wide", [(0.5, "left"), (2.0, "right")])
def test_a_network_narrows_or_widens(taper, wide):
    figure, ax = plots_diagrams.board(4.0, 3.0)
    card = plots_diagrams.network(ax, 2.0, 1.5, "E", taper=taper, height=1.0)
    corners = ax.patches[0].get_xy()
    sides = {"left": corners[corners[:, 0] < 2.0][:, 1], "right": corners[corners[:, 0] > 2.0][:, 1]}
    other = "right" if wide == "left" else "left"
    assert np.ptp(sides[wide]) == pytest.approx(1.0) and np.ptp(sides[other]) == pytest.approx(0.5)
    assert (card.x, card.y) == (2.0, 1.5)


def test_an_elbow_goes_through_its_corners():
    figure, ax = plots_diagrams.board(4.0, 3.0)
    plots_diagrams.elbow(ax, [(1, 2), (1, 1), (3, 1)], "name", at=(2, 1))
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [(1, 2), (1, 1)])
    assert tuple(ax.texts[0].xy) == (3, 1) and "name" in texts(figure)


def test_maps_have_the_colour_of_their_side():
    maps = np.zeros((J + B, 4, 4))
    picture = plots_kinematics.coloured_maps(maps, HUMAN36M_17)
    assert (picture == 255).all() and picture.dtype == np.uint8
    maps[HUMAN36M_17.index("left_wrist"), 0, 0] = 1
    bone = (HUMAN36M_17.index("right_hip"), HUMAN36M_17.index("right_knee"))
    maps[J + HUMAN36M_17.bones.index(bone), 1, 1] = 1
    picture = plots_kinematics.coloured_maps(maps, HUMAN36M_17)
    assert "#" + bytes(picture[0, 0]).hex() == plots.LEFT
    assert "#" + bytes(picture[1, 1]).hex() == plots.RIGHT
    with pytest.raises(ValueError, match=r"\(33, S, S\), got \(17, 4, 4\)"):
        plots_kinematics.coloured_maps(maps[:J], HUMAN36M_17)


def test_the_steps_to_an_affinity_map_have_eight_panels(rng):
    points, flat = rng.uniform(-0.8, 0.8, (J, 2)), rng.random((6, 8, 8))
    figure = plots_kinematics.affinity_steps(points, (4, 5), 5, *flat, HUMAN36M_17)
    assert len(figure.axes) == 8 and all(ax.get_title() for ax in figure.axes)


def test_fields_of_frames_and_panels_of_a_setting(rng):
    angles = np.linspace(-50, 50, 21)
    field = rng.normal(size=(21, 21))
    figure = plots_kinematics.frame_fields(
        {"a": (field, field), "b": (field, field)}, angles, angles, {"a": field, "b": field}
    )
    assert [ax.get_title() for ax in figure.axes] == ["a", "b"]
    maps, drawn = pictures(rng, 2)
    figure = plots_kinematics.panels(
        {"camera": rng.normal(size=(J, 2)), "side": rng.normal(size=(J, 2))}, maps, drawn, HUMAN36M_17
    )
    assert [ax.get_title() for ax in figure.axes] == ["camera", "side", "maps", "drawn"]


def test_the_canonical_figure_labels_its_frames(rng):
    joints = rng.normal(size=(J, 3))
    figure = plots_knobs.canonical_3d(
        joints, HUMAN36M_17, hips=(4, 1), parent=12, child=13, axes=np.eye(3), angle=np.radians(15)
    )
    words = [trace.text for trace in figure.data if trace.mode == "text"][0]
    assert {"face vector", "φ = 15°", "e1", "e2", "e3", "v: left wrist"} <= set(words)
    assert len(plots3d.show(figure, "fig-a", "alt", in_book=True).text) < 12_000


def knobs(rng, count=3, positions=5, drawn=True, size=32):
    turned = np.linalg.qr(rng.normal(size=(positions, 3, 3)))[0]
    return [
        plots_knobs.Knob(
            f"knob {i}", [str(k) for k in range(positions)], rng.normal(size=(positions, J, 3)), turned,
            pictures(rng, positions, size) // 200 * 200, pictures(rng, positions, size) if drawn else None, 2,
        )
        for i in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize("drawn", [True, False])
def test_a_menu_chooses_a_slider_and_a_slider_a_position(rng, drawn):
    given = knobs(rng, drawn=drawn)
    figure = plots_knobs.turn_knobs(given, HUMAN36M_17)
    sliders, buttons = figure.layout.sliders, figure.layout.updatemenus[0].buttons
    assert [slider.visible for slider in sliders] == [True, False, False]
    assert all(slider.active == 2 and len(slider.steps) == 5 for slider in sliders)
    for number, button in enumerate(buttons):
        moved, layout, which = button.args
        assert [layout[f"sliders[{i}].visible"] for i in range(3)] == [i == number for i in range(3)]
        assert layout[f"sliders[{number}].active"] == 2
        assert len(layout["images"]) == 1 + drawn
        assert list(which) == list(range(len(figure.data))) and len(moved["x"]) == len(which)
    # a position moves the skeleton to its own joints, in thousandths of a trunk
    head = HUMAN36M_17.index("head")
    moved = sliders[1].steps[4].args[0]
    assert int(np.round(1000 * given[1].joints[4, head, 0])) in moved["x"][2]
    assert len({step.args[1]["images"][0]["source"] for step in sliders[0].steps}) == 5


def test_the_figure_at_rest_is_the_first_knobs_rest(rng):
    given = knobs(rng)
    figure = plots_knobs.turn_knobs(given, HUMAN36M_17)
    moved = figure.layout.sliders[0].steps[2].args[0]
    for trace, x, z in zip(figure.data, moved["x"], moved["z"], strict=True):
        assert list(trace.x) == list(x) and list(trace.z) == list(z)


def test_knobs_need_no_kernel_and_stay_small(rng):
    def text():
        return plots3d.show(
            plots_knobs.turn_knobs(knobs(np.random.default_rng(1)), HUMAN36M_17), "fig-a", "alt", in_book=True
        ).text

    assert text() == text()  # the same bytes
    assert "http" not in text().replace("https://plot.ly", "")
    assert len(text()) < 200_000
    with pytest.raises(ValueError, match="no knob"):
        plots_knobs.turn_knobs([], HUMAN36M_17)


def test_a_camera_stands_where_its_rotation_says():
    facing = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])  # looks at the face
    apex, *ring = plots_knobs._camera(facing)
    np.testing.assert_allclose(apex, [1.6, 0, 0], atol=1e-9)  # in front of the face
    assert all(0 < corner[0] < 1.6 for corner in ring)  # and looks at it


def test_live_knobs_draw_when_a_slider_moves():
    pytest.importorskip("ipywidgets")
    asked = []

    def picture(setting):
        asked.append(setting)
        return json.dumps(setting).encode()

    box = plots_knobs.live_knobs({"a": {"one": (-9, 9, 1)}, "b": {"two": (0, 90, 45)}}, picture, str)
    shown, tabs, reset, text = box.children
    assert asked == [{"one": 1.0, "two": 45.0}]
    tabs.children[1].children[0].value = 60.0
    assert asked[-1] == {"one": 1.0, "two": 60.0} and json.loads(bytes(shown.value)) == asked[-1]
    assert "60.0" in text.value
    tabs.children[0].children[0].value = -3.0
    before = len(asked)
    reset.click()
    assert asked[-1] == {"one": 1.0, "two": 45.0} and len(asked) == before + 1  # one picture for both
    with pytest.raises(ValueError, match="same name"):
        plots_knobs.live_knobs({"a": {"one": (0, 1, 0)}, "b": {"one": (0, 1, 0)}}, picture)
