"""MPI-INF-3DHP's facts: which cameras, how many frames and at what rate, the activities, the calibration.

Source: Mehta et al., "Monocular 3D human pose estimation in the wild using improved CNN supervision", 3DV
2017, and the README and MATLAB functions that come with the download.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.dataset import DatasetError
from lib.data.sources import reading

__all__ = [
    "ACTIVITIES",
    "CAMERAS",
    "FRAMES",
    "SHORT_VIDEO",
    "TEST_FPS",
    "TEST_SIZES",
    "WITHOUT_MASKS",
    "CalibratedCamera",
    "fit_intrinsics",
    "fps",
    "read_calibration",
]

# Of the fourteen, those at the height of the chest and a little above; 11 to 13 hang from the ceiling.
CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
# Frames that the videos have; annotations can go on for a few rows more, which belong to no picture.
FRAMES = {
    "S1": (6416, 12430), "S2": (6502, 6081), "S3": (12488, 12283), "S4": (6171, 6675),
    "S5": (12820, 12312), "S6": (6188, 6145), "S7": (6239, 6320), "S8": (6468, 6054),
}  # fmt: skip
_FIFTY = {("S1", 2), ("S3", 1), ("S3", 2), ("S5", 1), ("S5", 2)}
# The one video that ends long before its annotations: 3911 frames in place of 6145.
SHORT_VIDEO = ("S6", 2, 2)
# The green screen's masks of these sequences are too bad to cut a person out: the trousers are green.
WITHOUT_MASKS = {("S1", 2), ("S4", 2)}

ACTIVITIES = (
    "Standing and Walking", "Exercising", "Sitting", "Reaching and Crouching", "On the Floor", "Sports",
    "Miscellaneous",
)  # fmt: skip
# The rates of the test set stand nowhere in it: loaders of others give these.
TEST_FPS = {"TS1": 50.0, "TS2": 50.0, "TS3": 50.0, "TS4": 50.0, "TS5": 25.0, "TS6": 25.0}
TEST_SIZES = {name: (2048, 2048) if rate == 50.0 else (1920, 1080) for name, rate in TEST_FPS.items()}

LONGEST_TEXT = 1 << 20
NUMBERS = {"size": 2, "intrinsic": 16, "extrinsic": 16}
# What a fit may leave: the pinhole misses the test set's own 2D by 1 to 2 px.
WORST_FIT = 10.0


@dataclass(frozen=True)
class CalibratedCamera:
    """K (3, 3), R (3, 3) and t (3,) mm with X_camera = R X_world + t, size (width, height) px."""

    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    size: tuple[int, int]


def fps(subject: str, sequence: int) -> float:
    """The rate of a training sequence: 25, or 50 for five of the sixteen."""
    return 50.0 if (subject, sequence) in _FIFTY else 25.0


def read_calibration(path: str | Path) -> dict[int, CalibratedCamera]:
    """The cameras of a file camera.calibration, by number.

    A title, then for each camera ``name``, ``size``, ``intrinsic`` and ``extrinsic`` (4 by 4, by rows;
    world to camera, mm), and lines that are not needed here. Raises DatasetError for what is missing
    or no camera.
    """
    path = Path(path)
    with reading(path), open(path, "rb") as file:
        text = file.read(LONGEST_TEXT + 1)
    if len(text) > LONGEST_TEXT:
        raise DatasetError(f"{path}: too long for a calibration")
    found: dict[int, dict[str, np.ndarray]] = {}
    fields: dict[str, np.ndarray] = {}
    for number, line in enumerate(text.decode("latin-1").splitlines()[1:], 2):
        key, *words = line.split() or [""]
        if key != "name" and key not in NUMBERS:
            continue
        place = f"{path}: line {number}: {key}"
        with reading(path, f"line {number}: {key}"):
            if key == "name":
                fields = found.setdefault(int(words[0] if words else ""), {})
                continue
            values = np.array([float(word) for word in words])
        if values.shape != (NUMBERS[key],) or not np.isfinite(values).all():
            raise DatasetError(f"{place}: not {NUMBERS[key]} finite numbers")
        fields[key] = values
    if not found:
        raise DatasetError(f"{path}: holds no camera")
    return {name: _camera(values, f"{path}: camera {name}") for name, values in found.items()}


def _camera(fields: dict[str, np.ndarray], place: str) -> CalibratedCamera:
    for key in NUMBERS:
        if key not in fields:
            raise DatasetError(f"{place}: {key}: missing")
    K = fields["intrinsic"].reshape(4, 4)[:3, :3]
    extrinsic = fields["extrinsic"].reshape(4, 4)
    if not (K[0, 0] > 0 and K[1, 1] > 0) or tuple(K[2]) != (0, 0, 1) or K[1, 0] != 0:
        raise DatasetError(f"{place}: intrinsic: not the intrinsics of a camera")
    # Six digits of text are no perfect rotation: the nearest one is taken.
    given = extrinsic[:3, :3]
    left, _, right = np.linalg.svd(given)
    if np.linalg.det(given) < 0 or np.abs(given - left @ right).max() > 1e-3:
        raise DatasetError(f"{place}: extrinsic: not a rotation")
    width, height = fields["size"]
    if not (1 <= width <= 1e5 and 1 <= height <= 1e5):
        raise DatasetError(f"{place}: size: {width} x {height} px")
    return CalibratedCamera(K, left @ right, extrinsic[:3, 3], (round(width), round(height)))


def fit_intrinsics(
    joints_3d: np.ndarray, joints_2d: np.ndarray, size: tuple[int, int], place: str
) -> tuple[np.ndarray, float]:
    """The pinhole K (3, 3) that best projects joints_3d (N, 3), camera mm, to joints_2d (N, 2) px.

    Least squares of the pixels, for x and y apart, without skew. Gives K and the root mean square
    distance in px that is left. Raises DatasetError, beginning with ``place``, where the points do not tell
    (too few, a depth that is not positive) or where the result is no camera of pictures of this size (px): a
    distance of more than 10 px, the focal length below a fifth of the longer side or beyond ten of them, the
    centre outside of the picture.
    """
    if len(joints_3d) < 2 or not (joints_3d[:, 2] > 1.0).all():
        raise DatasetError(f"{place}: no joints in front of the camera to fit its intrinsics to")
    K, squares = np.eye(3), 0.0
    plane = joints_3d[:, :2] / joints_3d[:, 2:]
    for axis in range(2):
        system = np.stack([plane[:, axis], np.ones(len(plane))], axis=-1)
        with reading(place, "intrinsics"):
            (focal, centre), _, rank, _ = np.linalg.lstsq(system, joints_2d[:, axis], rcond=None)
        if rank < 2:
            raise DatasetError(f"{place}: the joints are in one line and tell no intrinsics")
        K[axis, axis], K[axis, 2] = focal, centre
        squares += np.square(system @ (focal, centre) - joints_2d[:, axis]).mean()
    residual = float(np.sqrt(squares))
    sides = np.array(size)
    focal, centre, longest = np.diag(K)[:2], K[:2, 2], sides.max()
    good = (focal > longest / 5) & (focal < 10 * longest) & (centre > 0) & (centre < sides)
    if not good.all() or not residual < WORST_FIT:
        raise DatasetError(
            f"{place}: annot2 is no picture of annot3: the best camera has focal lengths "
            f"{focal.round(1)}, centre {centre.round(1)} and misses by {residual:.1f} px"
        )
    return K, residual
