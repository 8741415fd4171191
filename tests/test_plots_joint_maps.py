"""Joint maps: every skeleton stands, and a figure shows the conversion that the code makes."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib import plots
from lib.plots_joint_maps import joint_map, joint_rows, standing
from lib.skeleton import HAND_21, HUMAN36M_17, LSP_14, SKELETONS, SMPL_24, convert


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.mark.parametrize("name", sorted(set(SKELETONS) - {"hand_21"}))
def test_standing_people_have_their_left_on_the_right(name):
    skeleton = SKELETONS[name]
    points = standing(skeleton)
    for left, right in skeleton.pairs:
        assert points[left][0] > 0
        np.testing.assert_allclose(points[left] * [-1, 1], points[right])
    assert len({tuple(point) for point in points.round(6)}) == len(skeleton)  # no joint hides another
    feet = [number for number, joint in enumerate(skeleton.joints) if joint.endswith(("ankle", "tibia"))]
    assert points[:, 1].argmin() not in feet and len(feet) == 2


def test_fingers_of_a_hand_spread_and_do_not_meet():
    points = standing(HAND_21)
    tips = points[[4, 8, 12, 16, 20]]
    assert (np.diff(tips[:, 0]) > 0.1).all()  # thumb to little finger, from left to right
    gaps = np.linalg.norm(points[:, None] - points[None], axis=-1) + np.eye(21)
    assert gaps.min() > 0.1


@pytest.mark.parametrize("name", sorted(set(SKELETONS) - {"hand_21", "lsp_14", "coco_17"}))
def test_rows_say_what_convert_does(name):
    source = SKELETONS[name]
    points = np.random.default_rng(0).normal(size=(len(source), 3))
    expected = convert(points, source, HUMAN36M_17)
    for number, joint, made in joint_rows(source):
        ends = [int(word) for word in made.split() if word.isdigit()]
        named = [word for word in made.split() if word in source.joints]
        assert [source.joints[end] for end in ends] == named
        np.testing.assert_allclose(points[ends].mean(0), expected[int(number)])
        assert HUMAN36M_17.joints[int(number)] == joint


def test_what_lsp_does_not_have_is_said():
    made = {joint: text for _, joint, text in joint_rows(LSP_14)}
    assert made["spine"] == made["nose"] == "none"
    assert made["pelvis"] == "between 3 left_hip and 2 right_hip"
    assert made["thorax"] == "12 neck"


def numbers_shown(source, target=HUMAN36M_17):
    _, ax = plots.subplots()
    joint_map(ax, source, target)
    return {text.get_text(): text for text in ax.texts}, ax


def test_every_number_stands_at_its_joint():
    texts, _ = numbers_shown(SKELETONS["human36m_32"])
    assert set(texts) == {str(number) for number in range(17)}
    points = standing(SKELETONS["human36m_32"])
    converted = convert(points, SKELETONS["human36m_32"], HUMAN36M_17)
    for number, place in enumerate(converted):
        assert np.linalg.norm(np.array(texts[str(number)].get_position()) - place) < 0.06


def test_absent_joints_have_no_number_and_shared_ones_stand_together():
    texts, _ = numbers_shown(LSP_14)
    assert set(texts) == {str(number) for number in range(17)} - {"7", "9"}
    texts, _ = numbers_shown(SMPL_24)
    assert "9, 10" in texts and "9" not in texts


def test_maps_have_y_down():
    _, ax = numbers_shown(HAND_21, HAND_21)
    assert ax.yaxis_inverted()
    joint_map(ax, HAND_21, HAND_21)
    assert ax.yaxis_inverted()
