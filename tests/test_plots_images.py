"""Figures with pictures: every panel where it belongs, both skeletons, the same bytes twice."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib import plots, plots3d
from lib.plots_images import (
    PREDICTED,
    TRUE,
    choose_3d,
    draw_bones,
    limbs,
    picture_grid,
    prediction_grid,
    show_picture,
    turned,
)  # fmt: skip
from lib.skeleton import HAND_21, HUMAN36M_17, SKELETONS

BOTH = pytest.mark.parametrize("skeleton", [HUMAN36M_17, HAND_21], ids=["body", "hand"])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def made(skeleton, count=3, size=16):
    """Pictures, skeleton images, 2D poses in crop coordinates and 3D poses in mm."""
    rng = np.random.default_rng(0)
    joints = len(skeleton.joints)
    return {
        "pictures": rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8),
        "maps": rng.random((count, size // 2, size // 2)),
        "points": rng.uniform(-0.9, 0.9, (count, joints, 2)),
        "poses": rng.normal(0, 300, (count, joints, 3)),
    }


def panels(figure):
    return [ax for ax in figure.axes if ax.lines or ax.images]


@pytest.mark.parametrize("skeleton", SKELETONS.values(), ids=SKELETONS)
def test_every_bone_belongs_to_one_limb(skeleton):
    parts = limbs(skeleton)
    assert sorted(bone for bones, *_ in parts.values() for bone in bones) == sorted(skeleton.bones)
    looks = [(color, str(style)) for bones, color, style in parts.values()]
    assert len(set(looks)) == len(looks)


def test_the_limbs_of_a_hand_are_its_fingers():
    assert list(limbs(HAND_21)) == ["thumb", "index", "middle", "ring", "little"]
    assert list(limbs(HUMAN36M_17)) == ["left", "right", "centre"]


def test_turning():
    point = np.array([[1.0, 2.0, 3.0]])
    assert turned(point).tolist() == [[1, 2]]  # the camera's view
    np.testing.assert_allclose(turned(point, 90), [[3, 2]], atol=1e-12)  # depth to the right
    np.testing.assert_allclose(turned(point, 180), [[-1, 2]], atol=1e-12)
    np.testing.assert_allclose(turned(point, 0, 90), [[1, -3]], atol=1e-12)  # from above, far is up
    poses = np.random.default_rng(0).normal(size=(4, 17, 3))
    # what is turned about the vertical keeps its heights
    np.testing.assert_allclose(turned(poses, 33)[..., 1], poses[..., 1])


def test_pictures_and_maps_lie_on_the_crop():
    _, ax = plots.subplots()
    show_picture(ax, np.zeros((8, 8, 3), np.uint8))
    assert ax.get_xlim() == (-1, 1) and ax.get_ylim() == (1, -1)
    assert list(ax.images[0].get_extent()) == [-1, 1, 1, -1]
    show_picture(ax, np.ones((4, 4)))
    assert ax.images[1].get_clim() == (0, 1)  # not stretched to the values of one map
    with pytest.raises(ValueError, match=r"\(3, 8, 8\)"):
        show_picture(ax, np.zeros((3, 8, 8)))


@BOTH
def test_bones_are_drawn_once_and_skip_what_is_missing(skeleton):
    _, ax = plots.subplots()
    points = made(skeleton)["points"][0]
    draw_bones(ax, points, skeleton)
    assert len(ax.lines) == len(skeleton.bones)
    points[-1] = np.nan
    draw_bones(ax, points, skeleton, color=TRUE)
    assert len(ax.lines) == 2 * len(skeleton.bones) - 1
    with pytest.raises(ValueError, match=f"{skeleton.name} has shape"):
        draw_bones(ax, points[:-1], skeleton)


@BOTH
@pytest.mark.parametrize("truth", [None, "truth"])
def test_a_grid_has_one_panel_a_picture(skeleton, truth):
    data = made(skeleton, count=7)
    figure = picture_grid(
        data["pictures"], skeleton=skeleton, points=data["points"], columns=3,
        truth=None if truth is None else -data["points"], titles=[str(i) for i in range(7)],
    )  # fmt: skip
    assert len(figure.axes) == 9 and len(panels(figure)) == 7
    assert figure.axes[6].get_title() == "6"
    colors = {line.get_color() for line in figure.axes[0].lines}
    assert (colors - {plots.CARD} == {PREDICTED, TRUE}) == (truth is not None)
    assert bool(figure.legends) == (truth is not None)


def test_pictures_alone_and_none_at_all():
    assert len(panels(picture_grid(np.zeros((2, 8, 8, 3), np.uint8)))) == 2
    assert panels(picture_grid(np.zeros((0, 8, 8, 3), np.uint8))) == []
    empty = prediction_grid(np.zeros((0, 8, 8, 3), np.uint8), HAND_21, poses=np.zeros((0, 21, 3)))
    assert panels(empty) == []


@BOTH
def test_a_row_has_what_is_given(skeleton):
    data = made(skeleton)
    pictures = data.pop("pictures")
    figure = prediction_grid(pictures, skeleton, **data, titles=list("abc"))
    heads = [ax.get_title() for ax in figure.axes[:5]]
    assert heads == ["image", "skeleton image", "2D", "camera's view", "90°"]
    assert len(panels(figure)) == 3 * 5
    assert len({ax.get_xlim() for row in range(3) for ax in figure.axes[5 * row + 3 : 5 * row + 5]}) == 1
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == list(limbs(skeleton))
    figure = prediction_grid(pictures, skeleton, truth_2d=data["points"], poses=data["poses"], views=(0,))
    assert [ax.get_title() for ax in figure.axes[:2]] == ["image", "camera's view"]


def test_the_truth_is_under_the_prediction_in_the_first_view_alone():
    data = made(HUMAN36M_17, count=2)
    figure = prediction_grid(
        data["pictures"], HUMAN36M_17, poses=data["poses"], truth=data["poses"] + 50, views=(0, 90, 180)
    )
    colors = [{line.get_color() for line in ax.lines} for ax in figure.axes]
    assert colors[:4] == [set(), {TRUE, PREDICTED}, {PREDICTED}, {PREDICTED}]
    first, last = figure.axes[1].lines[0], figure.axes[1].lines[-1]
    assert first.get_color() == TRUE and first.get_linewidth() > last.get_linewidth()


def test_a_pose_of_another_skeleton_is_refused():
    data = made(HUMAN36M_17)
    with pytest.raises(ValueError, match=r"hand_21 have shape \(N, 21, 3\), got \(3, 17, 3\)"):
        prediction_grid(data["pictures"], HAND_21, poses=data["poses"])


@BOTH
def test_the_slider_shows_one_example_with_its_picture(skeleton):
    data = made(skeleton)
    poses = data["poses"]

    def text():
        figure = choose_3d(data["pictures"], poses, poses + 40, skeleton, ["a", "b", "c"])
        return figure, plots3d.show(figure, "fig-a", "Three", in_book=True).text

    figure, first = text()
    assert first == text()[1]  # the same bytes
    steps = figure.layout.sliders[0].steps
    assert [step.label for step in steps] == ["a", "b", "c"]
    shown = np.array([step.args[0]["visible"] for step in steps])
    assert (shown.sum(0) == 1).all() and (shown.sum(1) == shown.shape[1] // 3).all()
    assert shown[0].tolist() == [trace.visible for trace in figure.data]
    sources = {step.args[1]["images"][0]["source"] for step in steps}
    assert len(sources) == 3 and all(s.startswith("data:image/png;base64,") for s in sources)
    assert "http" not in first.replace("https://plot.ly", "")
    names = {trace.name.split(",")[0]: trace.line.color for trace in figure.data}
    assert set(names) == {"predicted", "true"} and len(set(names.values())) == 2
    with pytest.raises(ValueError, match="no example"):
        choose_3d([], poses[:0], poses[:0], skeleton, [])


def test_a_figure_with_pictures_stays_small():
    data = made(HUMAN36M_17, count=12, size=64)
    figure = choose_3d(data["pictures"] // 255 * 200, data["poses"], data["poses"], HUMAN36M_17, ["x"] * 12)
    assert len(plots3d.show(figure, "fig-a", "Twelve", in_book=True).text) < 120_000
