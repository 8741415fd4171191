"""A model of a 2D pose detector's errors, for ``detected_2d``.

Four parts: jitter (white), drift (correlated in time), limbs whose left and right are exchanged for
a moment, and joints missed for a moment (found somewhere else). Sizes are pixels for a person at
the reference scale, a 1145 px lens 5 m away (0.229 px/mm, the middle of the studio), and grow with
the person's size in the image, as a detector sees a crop of fixed size. The defaults aim at a mean
error of 8 to 12 px at that scale, the range of detectors fine-tuned on Human3.6M (stacked
hourglass, cascaded pyramid network).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from scipy.signal import lfilter

from lib.skeleton import Skeleton

__all__ = ["REFERENCE_SCALE", "DetectorNoise", "detect"]

REFERENCE_SCALE = 1145.0 / 5000.0  # px per mm

JITTER = {
    "pelvis": 4.0,
    "hip": 5.0,
    "knee": 6.0,
    "ankle": 8.0,
    "spine": 5.5,
    "thorax": 4.5,
    "nose": 4.5,
    "head": 5.0,
    "shoulder": 5.5,
    "elbow": 7.5,
    "wrist": 9.5,
}


@dataclass(frozen=True)
class DetectorNoise:
    """Parameters of the noise.

    sigma: standard deviation of a coordinate in px, by joint name without its side.
    other_sigma: the same for a joint of another name.
    drift: the share of that variance which is correlated in time, with time constant drift_seconds.
    swap_rate: beginnings a second, for arms and for legs; a swap lasts swap_seconds on average.
    miss_rate: beginnings a second for a joint with a sigma of 6 px, others in proportion; a miss
    lasts miss_seconds on average and displaces the joint by one normal draw of miss_sigma px.
    """

    sigma: Mapping[str, float] = field(default_factory=lambda: MappingProxyType(JITTER))
    other_sigma: float = 6.0
    drift: float = 0.6
    drift_seconds: float = 0.3
    swap_rate: float = 0.04
    swap_seconds: float = 0.15
    miss_rate: float = 0.12
    miss_seconds: float = 0.15
    miss_sigma: float = 55.0

    def joint_sigma(self, skeleton: Skeleton) -> np.ndarray:
        """(J,) standard deviation of each joint of a skeleton."""
        bare = (name.removeprefix("left_").removeprefix("right_") for name in skeleton.joints)
        return np.array([self.sigma.get(name, self.other_sigma) for name in bare])


def detect(
    joints_2d: np.ndarray,
    scale: np.ndarray,
    skeleton: Skeleton,
    fps: float,
    noise: DetectorNoise,
    random: np.random.Generator,
) -> np.ndarray:
    """What a detector would have found: (T, J, 2) px for true joints (T, J, 2) px.

    scale (T,) is the person's size in the image, focal length over depth, in px per mm.
    """
    frames, joints = joints_2d.shape[:2]
    sigma = noise.joint_sigma(skeleton)
    error = np.sqrt(1 - noise.drift) * random.standard_normal((frames, joints, 2))
    error += np.sqrt(noise.drift) * _drift((frames, joints, 2), noise.drift_seconds * fps, random)
    error *= sigma[:, None]
    missed, event = _events(
        (frames, joints), noise.miss_rate * sigma / 6 / fps, noise.miss_seconds * fps, random
    )
    draws = noise.miss_sigma * random.standard_normal((frames, joints, 2))
    displaced = np.take_along_axis(draws, event[..., None], axis=0)
    error = np.where(missed[..., None], displaced, error)
    found = joints_2d + error * (np.asarray(scale) / REFERENCE_SCALE)[:, None, None]
    return _swap(found, skeleton, fps, noise, random)


def _drift(shape: tuple[int, ...], steps: float, random: np.random.Generator) -> np.ndarray:
    """First-order autoregression along axis 0, of unit variance from its first frame."""
    memory = np.exp(-1 / steps)
    shocks = np.sqrt(1 - memory**2) * random.standard_normal(shape)
    shocks[0] /= np.sqrt(1 - memory**2)
    return lfilter([1.0], [1.0, -memory], shocks, axis=0)


def _events(
    shape, rate, steps: float, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """(T, J) whether an event is going on, and the frame in which the last one began."""
    time = np.arange(shape[0])[:, None]
    begins = random.random(shape) < rate
    lasts = random.geometric(min(1.0, 1 / steps), shape)
    ends = np.maximum.accumulate(np.where(begins, time + lasts, 0), axis=0)
    return ends > time, np.maximum.accumulate(np.where(begins, time, 0), axis=0)


def _swap(found, skeleton: Skeleton, fps: float, noise: DetectorNoise, random) -> np.ndarray:
    limbs = [[], []]
    for pair in skeleton.pairs:
        name = skeleton.joints[pair[0]]
        limbs[int(any(part in name for part in ("shoulder", "elbow", "wrist", "hand")))].append(
            pair
        )
    swapped, _ = _events((len(found), 2), noise.swap_rate / fps, noise.swap_seconds * fps, random)
    found = found.copy()
    for limb, pairs in enumerate(limbs):
        if pairs:
            left, right = map(list, zip(*pairs, strict=True))
            order = np.arange(found.shape[1])
            order[left], order[right] = right, left
            found = np.where(swapped[:, limb, None, None], found[:, order], found)
    return found
