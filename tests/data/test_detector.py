"""The noise model's stated sizes, measured."""

import numpy as np
import pytest

from lib.data.detector import REFERENCE_SCALE, DetectorNoise, detect
from lib.skeleton import HUMAN36M_17, LSP_14

QUIET = {"swap_rate": 0.0, "miss_rate": 0.0}


def errors(noise=None, frames=60000, fps=30.0, scale=REFERENCE_SCALE, skeleton=HUMAN36M_17, seed=0):
    joints = len(skeleton.joints)
    true = np.broadcast_to(np.arange(joints)[:, None] * [40.0, 25.0], (frames, joints, 2))
    random = np.random.default_rng(seed)
    return (
        detect(true, np.full(frames, scale), skeleton, fps, noise or DetectorNoise(), random) - true
    )


def test_mean_error_is_that_of_a_fine_tuned_detector():
    length = np.linalg.norm(errors(), axis=-1)
    assert 8.0 < length.mean() < 12.0
    joint = dict(zip(HUMAN36M_17.joints, length.mean(0), strict=True))
    assert (
        joint["left_wrist"] > joint["left_elbow"] > joint["left_hip"]
        and joint["left_ankle"] > joint["left_hip"]
    )


@pytest.mark.parametrize("skeleton", [HUMAN36M_17, LSP_14])
def test_sigma_of_each_joint(skeleton):
    noise = DetectorNoise(**QUIET)
    found = errors(noise, skeleton=skeleton).std(axis=(0, 2))
    np.testing.assert_allclose(found, noise.joint_sigma(skeleton), rtol=0.1)


def test_correlation_in_time():
    noise = DetectorNoise(**QUIET)
    error = errors(noise)[:, 0, 0]
    for lag in (1, 9):
        expected = noise.drift * np.exp(-lag / (noise.drift_seconds * 30))
        found = np.mean(error[:-lag] * error[lag:]) / error.var()
        assert found == pytest.approx(expected, abs=0.05)


def test_grows_with_the_person():
    np.testing.assert_allclose(
        errors(DetectorNoise(**QUIET), scale=2 * REFERENCE_SCALE),
        2 * errors(DetectorNoise(**QUIET)),
    )


def test_misses():
    noise = DetectorNoise(sigma={}, miss_rate=0.2, swap_rate=0.0, miss_sigma=1e6)
    missed = np.abs(errors(noise)).max(-1) > 1e3
    expected = 1 - 1 / (1 + noise.miss_rate * noise.miss_seconds)
    assert missed.mean() == pytest.approx(expected, rel=0.15)
    began = missed[1:] & ~missed[:-1]
    assert missed.sum() / began.sum() == pytest.approx(noise.miss_seconds * 30, rel=0.2)


def test_swaps_exchange_whole_limbs():
    noise = DetectorNoise(sigma={}, other_sigma=0.0, miss_rate=0.0, swap_rate=0.3)
    moved = np.abs(errors(noise)).max(-1) > 1
    name = HUMAN36M_17.joints.index
    assert not moved[:, [name("pelvis"), name("head"), name("spine")]].any()
    for limb in (("shoulder", "elbow", "wrist"), ("hip", "knee", "ankle")):
        both = moved[:, [name(f"{side}_{joint}") for side in ("left", "right") for joint in limb]]
        assert (both.all(1) == both.any(1)).all()
        assert both.any(1).mean() == pytest.approx(noise.swap_rate * noise.swap_seconds, rel=0.2)


def test_seeded():
    np.testing.assert_array_equal(errors(frames=50), errors(frames=50))
    assert (errors(frames=50) != errors(frames=50, seed=1)).any()
    assert np.isfinite(errors(frames=1)).all()
