"""Solids around joints: ends, sizes, mirror images, and what the joints do not say."""

import pytest
import torch

from lib.data.solids import (
    HAND_PARTS,
    HAND_SOLIDS,
    PARTS,
    SOLIDS,
    body_solids,
    hand_solids,
)
from lib.skeleton import HAND_21, HUMAN36M_17

FRONT = torch.tensor([0.0, 0.0, -1.0])  # of a person who faces the camera
BUILD = torch.tensor([[1.0, 1.0, 1.0, 0.0]])


def standing(**moved):
    """Joints (1, 17, 3) of a person 4 m away who faces the camera; joints may be moved by mm."""
    joint = {"pelvis": (0, 0, 0), "spine": (0, -230, 0), "thorax": (0, -480, 0)}
    joint |= {"nose": (0, -595, -45), "head": (0, -705, -15)}
    for side, sign in (("left", 1), ("right", -1)):
        joint[f"{side}_hip"] = (sign * 130, 0, 0)
        joint[f"{side}_knee"] = (sign * 130, 440, -8)
        joint[f"{side}_ankle"] = (sign * 130, 880, 0)
        joint[f"{side}_shoulder"] = (sign * 155, -470, 0)
        joint[f"{side}_elbow"] = (sign * 260, -220, 10)
        joint[f"{side}_wrist"] = (sign * 300, 20, -40)
    joints = torch.tensor([joint[name] for name in HUMAN36M_17.joints]).float()
    for name, shift in moved.items():
        joints[HUMAN36M_17.index(name)] += torch.tensor(shift).float()
    return (joints + torch.tensor([0.0, 0.0, 4000.0]))[None]


def hand():
    """Joints (1, 21, 3) of a flat right hand at 500 mm, its back to the camera."""
    points = [(0, 0), (-25, -22), (-55, -50), (-78, -70), (-96, -86)]  # the wrist and the thumb
    for x, y, length in ((-24, -91, 30), (-3, -90, 33), (16, -83, 31), (33, -75, 25)):
        points += [(x, y - step * length) for step in range(4)]
    joints = torch.tensor([(x, y, 500.0) for x, y in points])
    return joints[None]


def solid(solids, name, table=SOLIDS):
    return [known for known, _ in table].index(name)


def ends(solids, index):
    first = solids.start[:, index]
    length = solids.height[:, index] * solids.unit[:, index, 1]
    return first, first + length[:, None] * solids.axes[:, index, 1]


def test_every_part_has_solids_and_keys_can_number_them():
    for parts, table, solids in (
        (PARTS, SOLIDS, body_solids(standing(), BUILD)),
        (HAND_PARTS, HAND_SOLIDS, hand_solids(hand(), BUILD)),
    ):
        assert {part for _, part in table} == set(parts[1:])
        assert solids.height.shape == (1, len(table)) and len(table) < 32
        assert len({name for name, _ in table}) == len(table)


@pytest.mark.parametrize("side", ["left", "right"])
def test_limbs_end_at_the_joints(side):
    joints = standing(left_knee=(30, -50, -200), right_wrist=(10, -300, -100))
    solids = body_solids(joints, BUILD)
    for name, *joint in (
        ("upper_arm", "shoulder", "elbow"),
        ("lower_arm", "elbow", "wrist"),
        ("upper_leg", "hip", "knee"),
        ("lower_leg", "knee", "ankle"),
    ):
        first, second = ends(solids, solid(solids, f"{side}_{name}"))
        for point, end in zip((first, second), joint, strict=True):
            torch.testing.assert_close(point, joints[:, HUMAN36M_17.index(f"{side}_{end}")])


def test_fingers_end_at_the_joints():
    joints = hand()
    solids = hand_solids(joints, BUILD)
    for finger in ("thumb", "index", "middle", "ring", "little"):
        for bone in (1, 2, 3):
            first, second = ends(solids, solid(solids, f"{finger}_{bone}", HAND_SOLIDS))
            start = HAND_21.index(f"{finger}_{bone}")
            torch.testing.assert_close(first, joints[:, start])
            torch.testing.assert_close(second, joints[:, start + 1])


@pytest.mark.parametrize("figure", ["body", "hand"])
def test_frames_are_rotations(figure):
    solids = body_solids(standing(), BUILD) if figure == "body" else hand_solids(hand(), BUILD)
    identity = torch.eye(3).expand_as(solids.axes)
    torch.testing.assert_close(solids.axes @ solids.axes.mT, identity, atol=1e-4, rtol=0)
    assert (torch.linalg.det(solids.axes) > 0.99).all()


def test_sizes_follow_the_body_and_its_build():
    solids, doubled = body_solids(standing(), BUILD), body_solids(2 * standing(), BUILD)
    torch.testing.assert_close(doubled.radius, 2 * solids.radius, rtol=1e-3, atol=0.01)
    stout = body_solids(standing(), torch.tensor([[1.2, 1.0, 1.0, 0.0]]))
    chest, arm = solid(solids, "chest"), solid(solids, "left_upper_arm")
    assert (stout.radius[0, chest] > 1.15 * solids.radius[0, chest]).all()
    torch.testing.assert_close(stout.radius[0, arm], solids.radius[0, arm])


def test_a_mirrored_person_has_mirrored_solids():
    joints = standing(left_wrist=(-100, -200, -150), right_knee=(-40, -60, -200), nose=(15, 0, 0))
    flip = torch.tensor([-1.0, 1.0, 1.0])
    mirrored = body_solids((joints * flip)[:, list(HUMAN36M_17.mirror)], BUILD)
    solids = body_solids(joints, BUILD)
    names = [name for name, _ in SOLIDS]
    swap = {"left": "right", "right": "left"}
    order = [
        names.index(
            "_".join([swap.get(name.split("_")[0], name.split("_")[0]), *name.split("_")[1:]])
        )
        for name in names
    ]
    torch.testing.assert_close(mirrored.start, solids.start[:, order] * flip, atol=2e-2, rtol=0)
    torch.testing.assert_close(mirrored.radius, solids.radius[:, order], atol=1e-3, rtol=1e-4)
    # Local x, to the person's left, becomes the person's right.
    expected = solids.axes[:, order] * flip * torch.tensor([-1.0, 1.0, 1.0])[:, None]
    torch.testing.assert_close(mirrored.axes, expected, atol=1e-4, rtol=0)


def foot_direction(joints, side="left"):
    solids = body_solids(joints, BUILD)
    first, second = ends(solids, solid(solids, f"{side}_foot"))
    return torch.nn.functional.normalize(second - first, dim=-1)[0]


def test_feet_point_forward_and_where_the_leg_bends():
    assert foot_direction(standing()) @ FRONT > 0.95
    # Sitting: the thigh forward, the shin down.
    sitting = standing(left_knee=(0, -440, -440), left_ankle=(0, -440, -440))
    assert foot_direction(sitting) @ FRONT > 0.95
    # Kneeling: the thigh down, the shin back along the floor; toes down, away from the bend.
    kneeling = standing(left_ankle=(0, -430, 440))
    assert foot_direction(kneeling) @ torch.tensor([0.0, 1.0, 0.0]) > 0.95
    # Never along the shin.
    for joints in (standing(), sitting, kneeling):
        ankle, knee = (joints[0, HUMAN36M_17.index(f"left_{name}")] for name in ("ankle", "knee"))
        shin = torch.nn.functional.normalize(ankle - knee, dim=0)
        assert (foot_direction(joints) @ shin).abs() < 0.3


def test_the_face_is_in_front_and_follows_the_nose():
    def facing(joints):
        return body_solids(joints, BUILD).axes[0, 0, 2]

    assert facing(standing()) @ FRONT > 0.95
    turned = facing(standing(nose=(60, 0, 0)))
    assert turned[0] > 0.3 and turned @ FRONT > 0.5
    behind = facing(standing(nose=(0, 0, 150)))  # as where it stands for the base of the skull
    assert behind @ FRONT > 0.95


def test_hands_go_on_from_the_forearm():
    joints = standing(left_wrist=(50, -100, -200))
    solids = body_solids(joints, BUILD)
    first, second = ends(solids, solid(solids, "left_hand"))
    elbow, wrist = (joints[:, HUMAN36M_17.index(f"left_{name}")] for name in ("elbow", "wrist"))
    forearm = torch.nn.functional.normalize(wrist - elbow, dim=-1)
    for point in (first, second):
        away = torch.nn.functional.normalize(point - wrist, dim=-1)
        torch.testing.assert_close(away, forearm, atol=1e-3, rtol=0)


@pytest.mark.parametrize("direction", [(0, -1, 0), (1, 0, 0), (0, 0, -1), (0, 1, 0), (0, 1e-4, 1)])
def test_arms_in_any_direction_have_a_frame(direction):
    joints = standing()
    way = torch.tensor(direction).float()
    for number, name in ((1, "elbow"), (2, "wrist")):
        joints[0, HUMAN36M_17.index(f"left_{name}")] = (
            joints[0, HUMAN36M_17.index("left_shoulder")] + 250 * number * way
        )
    axes = body_solids(joints, BUILD).axes
    assert axes.isfinite().all()
    arm = axes[0, solid(None, "left_lower_arm")]
    torch.testing.assert_close(arm @ arm.mT, torch.eye(3), atol=1e-3, rtol=0)


def test_equal_joints_give_finite_solids():
    for solids in (
        body_solids(torch.full((2, 17, 3), 3000.0), BUILD.expand(2, -1)),
        hand_solids(torch.full((2, 21, 3), 300.0), BUILD.expand(2, -1)),
    ):
        for field in ("start", "axes", "unit", "height", "radius"):
            assert getattr(solids, field).isfinite().all()


def test_rows_are_chosen_together():
    joints = torch.cat((standing(), standing(left_knee=(0, -100, -200))))
    solids = body_solids(joints, BUILD.expand(2, -1))
    assert len(solids) == 2
    torch.testing.assert_close(solids[1:].start, solids.start[1:])
    assert len(solids[torch.tensor([], dtype=torch.long)]) == 0
