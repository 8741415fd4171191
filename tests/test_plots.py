"""Figures: they draw what they are given, skip what is missing, write the same bytes twice."""

import json
import re

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib import plots, plots3d
from lib.skeleton import HAND_21, HUMAN36M_17, SKELETONS

J = len(HUMAN36M_17.joints)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def poses():
    return np.random.default_rng(0).normal(0, 300, (30, J, 3)) + [0, 0, 5000]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_bone_has_one_side_and_lies_on_one_chain(skeleton):
    sides = plots.bone_sides(skeleton)
    assert sorted(bone for bones in sides.values() for bone in bones) == sorted(skeleton.bones)
    assert len(sides["left"]) == len(sides["right"])
    walked = [
        pair
        for bones in sides.values()
        for chain in plots3d.chains(bones)
        for pair in zip(chain, chain[1:], strict=False)
    ]
    assert sorted(walked) == sorted(skeleton.bones)


def test_skeleton_2d_draws_each_bone_once_and_tells_the_sides_apart(poses):
    _, ax = plots.subplots()
    plots.skeleton_2d(ax, poses[0, :, :2], HUMAN36M_17)
    assert len(ax.lines) == len(HUMAN36M_17.bones)
    assert ax.yaxis_inverted()
    looks = {(line.get_color(), str(line._dash_pattern)) for line in ax.lines}
    assert len(looks) == 3  # left, right, centre
    right = {str(line._dash_pattern) for line in ax.lines if line.get_color() == plots.RIGHT}
    left = {str(line._dash_pattern) for line in ax.lines if line.get_color() == plots.LEFT}
    assert not left & right


@pytest.mark.parametrize("joint, lost", [("right_wrist", 1), ("right_elbow", 2), ("thorax", 4)])
def test_a_missing_joint_takes_its_bones_with_it(poses, joint, lost):
    pose = poses[0].copy()
    pose[HUMAN36M_17.index(joint)] = np.nan
    _, ax = plots.subplots()
    plots.skeleton_2d(ax, pose[:, :2], HUMAN36M_17)
    assert len(ax.lines) == len(HUMAN36M_17.bones) - lost
    assert segments(plots3d.skeleton_3d(pose, HUMAN36M_17)) == len(HUMAN36M_17.bones) - lost


def segments(figure) -> int:
    """The number of bones that a 3D figure shows."""
    pairs = [pair for trace in figure.data for pair in zip(trace.x, trace.x[1:], strict=False)]
    return sum(a is not None and b is not None for a, b in pairs)


@pytest.mark.parametrize("view", ["front", "side"])
def test_pose_strip_has_one_panel_a_pose(poses, view):
    figure = plots.pose_strip(poses[:8], HUMAN36M_17, titles=list("abcdefgh"), columns=5, view=view)
    drawn = [ax for ax in figure.axes if ax.lines]
    assert len(drawn) == 8
    assert drawn[7].get_title() == "h"
    assert len({ax.get_xlim() for ax in drawn}) == 1  # one scale
    overlaid = plots.pose_strip(poses[:2], HUMAN36M_17, overlay=poses[:2] + 40)
    assert len(overlaid.axes[0].lines) == 2 * len(HUMAN36M_17.bones)


def test_wrong_shapes_are_named(poses):
    _, ax = plots.subplots()
    with pytest.raises(ValueError, match=r"human36m_17 has shape \(17, 2\), got \(16, 2\)"):
        plots.skeleton_2d(ax, poses[0, :16, :2], HUMAN36M_17)
    with pytest.raises(ValueError, match=r"\(17, 3\), got \(16, 3\)"):
        plots3d.skeleton_3d(poses[0, :16], HUMAN36M_17)
    with pytest.raises(ValueError, match="one length"):
        plots3d.animate_3d({"a": poses, "b": poses[:5]}, HUMAN36M_17, fps=25)
    with pytest.raises(ValueError, match="16 errors for 17"):
        plots.error_per_joint({"full": np.ones(16)}, HUMAN36M_17)
    with pytest.raises(ValueError, match="front and side"):
        plots.pose_strip(poses, HUMAN36M_17, view="top")


def test_bars_curves_sweeps_and_histograms_show_their_numbers():
    figure = plots.error_per_joint({"base": np.arange(J), "full": np.ones(J)}, HUMAN36M_17)
    assert sorted(bar.get_width() for bar in figure.axes[0].patches)[-1] == J - 1
    assert len(figure.axes[0].patches) == 2 * J

    figure = plots.error_per_action({"base": {"Eating": 60, "Sitting": 90}, "full": {"Eating": 50}})
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["Eating", "Sitting"]

    records = [
        {"variant": name, "curves": {"step": [0, 1], "L_2D": [1, 0.5], "L_3D": [2, 1]}}
        for name in ("base", "base", "full")
    ]
    figure = plots.learning_curves(records)
    assert [len(ax.lines) for ax in figure.axes] == [3, 3]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["base", "full"]
    seldom = [1.0 if i % 3 == 0 else None for i in range(12)]  # measured at every third point
    staged = [1.0, 1.0, *[None] * 8, 2.0, 2.0]
    curves = {"step": list(range(12)), "seldom": seldom, "staged": staged, "never": [None] * 12}
    figure = plots.learning_curves([{"variant": "full", "curves": curves}])
    drawn = [[line.get_xdata().tolist() for line in ax.lines] for ax in figure.axes]
    assert drawn == [[[0, 3, 6, 9]], [[0, 1], [10, 11]], [[]]]

    figure = plots.sweep(
        [1, 2, 4], {"full": [[3, np.nan, 1], [5, np.nan, 1]]}, xlabel="x", ylabel="y",
        references={"joint": 2.0},
    )  # fmt: skip
    assert figure.axes[0].lines[0].get_ydata().tolist() == [4, 1]

    figure = plots.histograms({"a": [0, 1, np.nan], "b": [2, 3]}, xlabel="x", bins=3)
    outlines = figure.axes[0].patches
    assert np.allclose(sum(outlines[0].get_data().values), 1)  # bins are 1 wide

    figure = plots.lines({"S": [1, 2], "S ref": [2, 1]}, [0, 0.5], xlabel="t", ylabel="scale")
    assert figure.axes[0].lines[1].get_xdata().tolist() == [0, 0.5]


def test_3d_overlay_distinguishes_poses_and_sides(poses):
    figure = plots3d.skeleton_3d([poses[0], poses[1]], HUMAN36M_17, ["predicted", "ground truth"])
    assert len(figure.data) == 6
    assert len({trace.line.color for trace in figure.data}) == 6
    dashed = {trace.name for trace in figure.data if trace.line.dash == "dash"}
    assert dashed == {"predicted, right", "ground truth, right"}
    assert segments(figure) == 2 * len(HUMAN36M_17.bones)
    assert len(plots3d.skeleton_3d(np.ones((21, 3)), HAND_21).data) == 1  # a hand has no sides


def test_3d_camera_coordinates_become_z_up(poses):
    pose = np.zeros((J, 3))
    head = HUMAN36M_17.index("head")
    pose[head] = [10, -700, 200]  # above the pelvis and away from the camera

    def top(frame):
        centre = plots3d.skeleton_3d(pose, HUMAN36M_17, frame=frame).data[-1]
        return centre.x[-1], centre.y[-1], centre.z[-1]

    assert top("camera") == (10, 200, 700)
    assert top("world") == (10, -700, 200)
    with pytest.raises(ValueError, match="camera or world"):
        plots3d.skeleton_3d(pose, HUMAN36M_17, frame="image")


def test_3d_aspect_is_equal(poses):
    scene = plots3d.skeleton_3d(poses[0], HUMAN36M_17).layout.scene
    scales = [
        (axis.range[1] - axis.range[0]) / ratio
        for axis, ratio in zip(
            (scene.xaxis, scene.yaxis, scene.zaxis),
            (scene.aspectratio.x, scene.aspectratio.y, scene.aspectratio.z),
            strict=True,
        )
    ]
    assert np.allclose(scales, scales[0], rtol=0.01)


def test_animation_plays_at_its_speed_and_stays_small(poses):
    motion = np.concatenate([poses] * 20)
    figure = plots3d.animate_3d(motion, HUMAN36M_17, fps=50, title="Walking", max_frames=40)
    assert len(figure.frames) == len(figure.layout.sliders[0].steps) == 40
    play = figure.layout.updatemenus[0].buttons[0].args[1]
    assert play["frame"]["duration"] == round(1000 * 15 / 50)
    assert [button.label for button in figure.layout.updatemenus[0].buttons] == ["Play", "Pause"]
    assert len(plots3d.show(figure, "fig-a", "A walk", in_book=True).text) < 40_000
    still = plots3d.skeleton_3d(poses[0], HUMAN36M_17)
    assert len(plots3d.show(still, "fig-b", "A pose", in_book=True).text) < 4_000


def test_show_writes_alternative_text_a_fixed_identifier_and_no_script_address(poses):
    def text():
        figure = plots3d.animate_3d(poses, HUMAN36M_17, fps=25)
        shown = plots3d.show(
            figure, "fig-walk", 'A "walk" <1>', "Walking & turning", in_book=True
        )
        return shown._repr_html_()

    first = text()
    assert first == text()
    assert 'aria-label="A &quot;walk&quot; &lt;1&gt;"' in first
    assert "<figcaption" in first and "Walking &amp; turning" in first
    assert re.findall(r'<div id="([^"]+)"', first) == ["fig-walk"]
    assert "http" not in first.replace("https://plot.ly", "")  # nothing is fetched
    assert "src=" not in first


def test_show_follows_the_environment(poses, monkeypatch):
    figure = plots3d.skeleton_3d(poses[0], HUMAN36M_17)
    monkeypatch.delenv("PLOTLY_IN_BOOK", raising=False)
    assert plots3d.show(figure, "fig-a", "A pose") is figure
    monkeypatch.setenv("PLOTLY_IN_BOOK", "1")
    shown = plots3d.show(figure, "fig-a", "A pose")
    assert repr(shown) == "<figure fig-a>"
    json.dumps(shown.text)
