"""Generated hands: bones, limits of the joints, postures that are what they are called, filming."""

import functools

import numpy as np
import pytest

from lib.data import hands
from lib.skeleton import HAND_21

TIPS = {"thumb": 4, "index": 8, "middle": 12, "ring": 16, "little": 20}
CHAINS = {name: (0, *range(tip - 3, tip + 1)) for name, tip in TIPS.items()}


@pytest.fixture(scope="module")
def clips():
    return list(hands.clips(0))


def angle(one, two):
    cosine = (one * two).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(two, axis=-1)
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@functools.cache
def variants(kind, count=30):
    """Joints (count, 21, 3) of one hand in variants of a posture, in the hand's frame."""
    random = np.random.default_rng(3)
    hand = hands.sample_hand(random)
    drawn = [hands.sample_posture(kind, random) for _ in range(count)]
    return hands.assemble(
        hand, {name: np.array([p[name] for p in drawn]) for name in hands.CHANNELS}
    )


def reach(joints, finger):
    """Distance of a fingertip from the wrist as a share of the length of its bones."""
    chain = joints[:, CHAINS[finger]]
    length = np.linalg.norm(np.diff(chain, axis=1), axis=-1).sum(-1)
    return np.linalg.norm(chain[:, -1] - chain[:, 0], axis=-1) / length


def test_two_sequences_with_a_fifth_held_out(clips):
    moments = {subject: 0 for part in hands.SPLIT.values() for subject in part}
    for clip in clips:
        moments[clip.subject] += len(clip) / len(hands.CAMERAS)
    assert {subject.split("-")[0] for subject in moments} == {"synth2", "synth3"}
    assert sum(moments[s] for s in hands.SPLIT["test"]) == 0.2 * sum(moments.values())
    assert 7000 < sum(moments.values()) < 9000
    assert {clip.action for clip in clips} == {*hands.POSTURES, "Free"}


def test_bones_are_constant_in_a_subject_and_those_of_adults(clips):
    parents, children = np.array(HAND_21.bones).T
    people = {}
    for clip in clips:
        bones = np.linalg.norm(clip.joints_3d[:, children] - clip.joints_3d[:, parents], axis=-1)
        assert np.abs(bones - people.setdefault(clip.subject, bones[:1])).max() < 1e-2
    everyone = np.concatenate(list(people.values()))
    length = everyone[:, 8:12].sum(-1)  # wrist to the tip of the middle finger
    assert 140 < length.min() and length.max() < 240 and np.ptp(length) > 15
    assert everyone.min() > 10


def test_joints_stay_within_their_limits(clips):
    for clip in clips:
        bones = {name: np.diff(clip.joints_3d[:, chain], axis=1) for name, chain in CHAINS.items()}
        for finger in hands.FINGERS:
            middle = angle(bones[finger][:, 1], bones[finger][:, 2])
            end = angle(bones[finger][:, 2], bones[finger][:, 3])
            assert middle.max() < 109 and end.max() < 79
            across = np.cross(bones[finger][:, 1], bones[finger][:, 2])
            bent = (middle > 10) & (end > 10)  # both joints bend the same way
            same = (across * np.cross(bones[finger][:, 2], bones[finger][:, 3])).sum(-1)
            assert (same[bent] > 0).all()
        assert angle(bones["thumb"][:, 2], bones["thumb"][:, 3]).max() < 81


def test_it_is_a_right_hand():
    joints = variants("Open")
    palm = np.cross(joints[:, 17] - joints[:, 0], joints[:, 5] - joints[:, 0])  # little, index
    curled = variants("Fist")
    ahead = curled[:, 12] - curled[:, 9]
    assert (palm[:, 2] > 0).all() and (ahead[:, 2] < 0).all()  # fingers curl to the palm, at -z
    assert (joints[:, 4, 1] > 0).all()  # the thumb is at the index finger's side


def test_postures_are_what_they_are_called():
    assert all(reach(variants("Open"), finger).min() > 0.9 for finger in hands.FINGERS)
    assert all(reach(variants("Fist"), finger).max() < 0.7 for finger in hands.FINGERS)
    point = variants("Point")
    assert reach(point, "index").min() > 0.9 and reach(point, "middle").max() < 0.7
    for kind in ("Pinch", "OK"):
        joints = variants(kind)
        assert np.median(np.linalg.norm(joints[:, 4] - joints[:, 8], axis=-1)) < 25
    assert reach(variants("OK"), "little").min() > 0.9
    thumb = variants("ThumbUp")
    assert reach(thumb, "thumb").min() > 0.93 and reach(thumb, "index").max() < 0.8
    wide, closed = (
        np.ptp(variants(kind)[:, [8, 12, 16, 20], 1], axis=1) for kind in ("Spread", "Fist")
    )
    assert wide.min() > 1.5 * closed.max()
    counted = {
        tuple(reach(variants("Count"), f)[n] > 0.9 for f in hands.FINGERS) for n in range(30)
    }
    assert len(counted) >= 4
    with pytest.raises(ValueError, match="no posture 'Salute'"):
        hands.sample_posture("Salute", np.random.default_rng(0))


def test_motion_is_smooth_and_in_view(clips):
    for clip in clips:
        speed = np.linalg.norm(np.diff(clip.joints_3d, axis=0), axis=-1) * clip.fps / 1000
        assert speed.max() < 2.5  # m/s
        assert clip.joints_2d.min() > 10 and clip.joints_2d.max() < 630
        assert 350 < clip.joints_3d[..., 2].min() and clip.joints_3d[..., 2].max() < 950
        projected = clip.joints_3d @ clip.K.T
        np.testing.assert_allclose(
            projected[..., :2] / projected[..., 2:], clip.joints_2d, atol=0.01
        )
    assert {clip.camera for clip in clips} == {view.name for view in hands.CAMERAS}


def test_same_seed_same_hands_other_seed_others(clips):
    again, other = next(hands.clips(0)), next(hands.clips(1))
    np.testing.assert_array_equal(clips[0].joints_3d, again.joints_3d)
    assert np.abs(clips[0].joints_3d - other.joints_3d).max() > 10
