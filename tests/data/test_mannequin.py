"""Properties of the generated motion: bodies, joints, floor, speed, statistics, seeds."""

import itertools

import numpy as np
import pytest

from lib.data import mannequin
from lib.data.extreme_actions import EXTREME_ACTIONS
from lib.skeleton import HUMAN36M_17

SEED = 0
FILMS = ("studio", "outdoor", "motion", "wild")  # roles whose takes are motion; the others are pictures
RIGHT_LEG, LEFT_LEG = (1, 2, 3), (4, 5, 6)
LEFT_ARM, RIGHT_ARM = (11, 12, 13), (14, 15, 16)
UP = np.array([0.0, 0.0, 1.0])


@pytest.fixture(scope="module")
def roles():
    return {role: list(mannequin.takes(role, SEED)) for role in mannequin.ROLES}


@pytest.fixture(scope="module")
def every(roles):
    return [take for role in FILMS for take in roles[role]]


@pytest.fixture(scope="module")
def extreme(roles):
    """Joints (N, 17, 3) of each extreme action."""
    alike = {}
    for take in roles["sport"]:
        alike.setdefault(take.action, []).append(take.joints)
    return {action: np.concatenate(joints) for action, joints in alike.items()}


def unit(vector):
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def bend(joints, chain):
    """Flexion in degrees of the middle joint, and the axis about which the limb bends."""
    first, second = (unit(joints[:, b] - joints[:, a]) for a, b in itertools.pairwise(chain))
    return np.degrees(np.arccos(np.clip((first * second).sum(-1), -1, 1))), np.cross(first, second)


def speeds(take, joints):
    return np.linalg.norm(np.diff(take.joints[:, joints], axis=0), axis=-1) * take.fps / 1000


def forward(joints):
    """Where the pelvis faces, horizontal unit vectors (T, 3)."""
    across = (joints[:, 4] - joints[:, 1]) * [1, 1, 0]
    return unit(np.cross(across, UP))


def test_actions_subjects_and_shapes(roles):
    studio = roles["studio"]
    assert {take.subject for take in studio} == {"S1", "S5", "S6", "S7", "S8", "S9", "S11"}
    assert len({take.action for take in studio}) == 15 * mannequin.TAKES
    assert len(studio) == 7 * 15 * mannequin.TAKES
    length = {"sport": mannequin.PICTURES, "bodies": 1}
    for role, takes in roles.items():
        for take in takes:
            assert take.joints.shape == (length.get(role, 250), 17, 3)
            assert take.joints.dtype == np.float64 and np.isfinite(take.joints).all()


def test_no_subject_in_two_roles_or_parts():
    subjects = [s for role in mannequin.ROLES for part in mannequin.split(role).values() for s in part]
    assert len(subjects) == len(set(subjects))
    with pytest.raises(ValueError, match="hands"):
        mannequin.split("hands")


def test_bone_lengths_are_constant_and_differ_between_subjects(roles):
    parents, children = np.array(HUMAN36M_17.bones).T
    lengths = {}
    for take in itertools.chain.from_iterable(roles.values()):
        bones = np.linalg.norm(take.joints[:, children] - take.joints[:, parents], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-6
        lengths.setdefault(take.subject, bones[0])
        np.testing.assert_allclose(bones[0], lengths[take.subject], atol=1e-6)
    for one, two in itertools.combinations(lengths.values(), 2):
        ratios = one / two
        assert np.ptp(ratios) > 0.01  # not the same body at another size


def test_knees_bend_backwards_and_elbows_forwards(every):
    backwards = []
    for take in every:
        across = unit(take.joints[:, 4] - take.joints[:, 1])  # to the left
        for leg in (RIGHT_LEG, LEFT_LEG):
            angle, axis = bend(take.joints, leg)
            assert angle.max() < 153
            # The axis points to the left; legs crossed on the floor turn it forwards, never to the right.
            assert (axis * across).sum(-1)[angle > 12].min(initial=1) > -0.1, take.action
        for arm in (LEFT_ARM, RIGHT_ARM):
            angle, _ = bend(take.joints, arm)
            assert angle.min() > 2 and angle.max() < 151
            upper, lower = (unit(take.joints[:, b] - take.joints[:, a]) for a, b in itertools.pairwise(arm))
            hanging = upper @ -UP > np.cos(np.radians(25))
            ahead = ((lower - upper) * forward(take.joints)).sum(-1)
            assert ahead[hanging].min(initial=0) > -0.6, take.action
            backwards.append(ahead[hanging] < -0.1)
    assert np.concatenate(backwards).mean() < 0.02


def test_people_lean_forward_and_the_nose_is_in_front(roles):
    joints = np.concatenate([take.joints for take in roles["studio"]])
    lean = unit(joints[:, 8] - joints[:, 0])
    ahead = np.degrees(np.arcsin((lean * forward(joints)).sum(-1)))
    assert (ahead > 10).mean() > 2 * (ahead < -10).mean()
    across = unit(joints[:, 11] - joints[:, 14])
    face = np.cross(across, unit(joints[:, 10] - joints[:, 8]))
    in_front = ((joints[:, 9] - (joints[:, 8] + joints[:, 10]) / 2) * face).sum(-1)
    assert (in_front > 10).mean() > 0.95


def test_feet_stand_on_the_floor_and_do_not_slide(every):
    slides, low = [], []
    for take in every:
        ankle = mannequin.body_of(_role(take.subject), take.subject, SEED).ankle
        feet = take.joints[:, [3, 6]]
        low.append(feet[..., 2].min(-1) - ankle)
        assert take.joints[..., 2].min() > 15
        planted = (feet[1:, :, 2] < ankle + 1.5) & (feet[:-1, :, 2] < ankle + 1.5)
        slides.append(speeds(take, [3, 6])[planted])
    low = np.concatenate(low)
    assert low.min() > -6 and (low < 6).mean() > 0.97 and low.max() < 70
    slides = np.concatenate(slides)
    assert np.quantile(slides, 0.97) < 0.1 and slides.max() < 1.0


def test_speeds_are_those_of_people(roles):
    v = np.concatenate([speeds(take, slice(None)) for take in roles["studio"]])
    assert (v < 2).mean() > 0.98
    assert v.max() < 5
    assert 2 < np.quantile(v[:, [13, 16]], 0.9995) < 4


@pytest.mark.parametrize("seed", [0, 1])
def test_arms_hang_far_more_often_than_they_are_stretched_out(roles, seed):
    takes = roles["studio"] if seed == SEED else mannequin.takes("studio", seed)
    hanging, stretched = np.sum([mannequin.arm_counts(take.joints) for take in takes], 0)
    assert 20 < hanging / stretched < 80


def test_arm_counts_of_known_arms():
    joints = np.zeros((1, 17, 3))
    joints[:, 11], joints[:, 14] = [0, 150, 1400], [0, -150, 1400]
    for arm, way in ((LEFT_ARM, [0, 1, 0]), (RIGHT_ARM, [0, 0, -1])):
        joints[:, arm[1]] = joints[:, arm[0]] + 280 * np.array(way)
        joints[:, arm[2]] = joints[:, arm[1]] + 250 * np.array(way)
    assert mannequin.arm_counts(joints) == (1, 1)


def test_people_sit_and_turn_to_every_side(roles):
    studio = roles["studio"]
    facing = np.concatenate([forward(take.joints) for take in studio])
    angles = np.arctan2(facing[:, 1], facing[:, 0])
    share = np.histogram(angles, bins=8, range=(-np.pi, np.pi))[0] / len(angles)
    assert share.min() > 0.06
    height = {}
    for take in studio:
        height.setdefault(take.action.split()[0], []).append(take.joints[:, 0, 2])
    assert np.median(np.concatenate(height["Sitting"])) < 560
    assert np.quantile(np.concatenate(height["SittingDown"]), 0.25) < 200
    assert np.median(np.concatenate(height["Walking"])) > 750


def test_people_of_role_wild_share_the_actions(roles):
    does = {}
    for take in roles["wild"]:
        does.setdefault(take.subject, set()).add(take.action)
    assert len(does) == 8 and {len(actions) for actions in does.values()} == {10}
    assert not does["W1"] & does["W2"]
    test = set().union(*(does[subject] for subject in mannequin.split("wild")["test"]))
    assert test == set().union(*does.values())


def test_extreme_knees_and_hips_bend_as_they_can(extreme):
    for action, joints in extreme.items():
        across = unit(joints[:, 4] - joints[:, 1])
        for leg in (RIGHT_LEG, LEFT_LEG):
            angle, axis = bend(joints, leg)
            assert angle.max() < 151, action
            # The axis of the knee points to the left of the thigh, however far that is turned out.
            thigh = unit(joints[:, leg[1]] - joints[:, leg[0]])
            outward = unit(across - (across * thigh).sum(-1, keepdims=True) * thigh)
            good = np.abs((across * thigh).sum(-1)) < 0.7
            assert ((axis * outward).sum(-1)[good & (angle > 12)] > 0).all(), action
        for arm in (LEFT_ARM, RIGHT_ARM):
            assert bend(joints, arm)[0].max() < 151


def test_extreme_postures_rest_on_the_floor_or_are_in_the_air(extreme):
    assert set(extreme) == set(EXTREME_ACTIONS) and len(extreme) >= 16
    lowest = {action: joints[..., 2].min(-1) for action, joints in extreme.items()}
    assert all(low.min() > 15 for low in lowest.values())
    for action in ("Handstand", "Cartwheel", "Bridge", "Splits", "Lunge", "SprintStart", "Arabesque"):
        assert lowest[action].max() < 120, action
    for action in ("FlyingKick", "SplitLeap", "Hurdles", "Dive", "PoleVault", "Somersault"):
        assert np.median(lowest[action]) > 300, action


def test_extreme_postures_are_what_they_are_called(extreme):
    def height(action, *joints):
        return extreme[action][:, joints, 2].mean(1)

    for action in ("Handstand", "Cartwheel"):
        assert (height(action, 3, 6) > height(action, 10) + 400).all()  # feet above the head
    hands = extreme["Handstand"][:, [13, 16], 2]
    assert np.median(hands) < 120  # on the hands
    assert (height("Bridge", 0) > height("Bridge", 13, 16)).all()
    chest = np.cross(
        extreme["Bridge"][:, 11] - extreme["Bridge"][:, 14], extreme["Bridge"][:, 8] - extreme["Bridge"][:, 0]
    )
    assert (chest[:, 2] > 0).mean() > 0.95  # belly up
    thighs = unit(extreme["Splits"][:, [2, 5]] - extreme["Splits"][:, [1, 4]])
    assert np.median((thighs[:, 0] * thighs[:, 1]).sum(-1)) < -0.85  # legs apart
    kick = extreme["HighKick"][:, [3, 6], 2].max(1) - height("HighKick", 0)
    assert np.median(kick) > 200 and (extreme["HighKick"][:, [3, 6], 2].min(1) < 120).all()


def test_each_body_is_another_person_on_foot(roles):
    bodies = roles["bodies"]
    assert len(bodies) == 20 and len({take.subject for take in bodies}) == 20
    assert all(take.joints[0, 0, 2] > 450 for take in bodies)
    assert sum(take.joints[0, 0, 2] > 700 for take in bodies) >= 15


def test_same_seed_same_arrays_other_seed_others():
    for role in ("motion", "sport", "bodies"):
        first, again, other = (next(iter(mannequin.takes(role, seed))) for seed in (3, 3, 4))
        np.testing.assert_array_equal(first.joints, again.joints)
        assert np.abs(first.joints - other.joints).max() > 50


def _role(subject):
    return next(r for r in mannequin.ROLES if subject in sum(mannequin.split(r).values(), ()))
