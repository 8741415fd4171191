"""A clip, what it may hold, and what is refused: one subject, one take, one camera."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from lib.data.pictures import StoredPictures
from lib.skeleton import Skeleton

__all__ = ["ARRAYS", "FLAGS", "Clip", "DatasetError", "action_kind", "check_clip", "check_split"]

MINIMUM_BONE = (
    1.0  # mm; a shorter bone is a missing or doubled joint, in any unit mistake we know of
)
ARRAYS = {"joints_3d": 3, "joints_2d": 2, "detected_2d": 2}  # name -> last axis
FLAGS = ("valid", "labelled", "occluded")


class DatasetError(ValueError):
    """A file of data, or a clip about to be written, is wrong; names file, group and field."""


@dataclass(frozen=True)
class Clip:
    """One subject, one take, one camera of T frames and J joints.

    joints_3d (T, J, 3) millimetres in camera coordinates (x right, y down, z forward), None where
    the data have none; joints_2d and detected_2d (T, J, 2) pixels of the whole picture; fps; K
    (3, 3), R (3, 3), t (3,) mm with X_camera = R X_world + t; source: the recording, the same for
    all its cameras.

    valid (T,) bool: frames that count; in the others joints mean nothing. labelled (T, J) bool: joints
    that were annotated; the others lie where they do no harm. occluded (T, J) bool: annotated, but
    hidden. None stands for all, all, none. distortion (5,): k1 k2 k3 p1 p2 of the lens, of which K
    knows nothing, as `lib.data.human36m.project` takes them (OpenCV's tangential terms differ).
    static: the camera stands still. pictures: those stored with the clip.
    """

    subject: str
    action: str
    camera: str
    fps: float
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    joints_3d: np.ndarray | None
    joints_2d: np.ndarray
    detected_2d: np.ndarray | None = None
    source: str = ""
    valid: np.ndarray | None = None
    labelled: np.ndarray | None = None
    occluded: np.ndarray | None = None
    distortion: np.ndarray | None = None
    static: bool = True
    pictures: StoredPictures | None = None

    @property
    def group(self) -> str:
        return f"/{self.subject}/{self.action}/{self.camera}"

    @property
    def kind(self) -> str:
        """The action without the number of the take ("Walking 2" -> "Walking")."""
        return action_kind(self.action)

    def __len__(self) -> int:
        return len(self.joints_2d if self.joints_3d is None else self.joints_3d)


def action_kind(action: str) -> str:
    """Strip the number of the take, as in Human3.6M's names: "Walking 2" -> "Walking"."""
    return re.sub(r" \d+$", "", action)


def check_clip(clip: Clip, skeleton: Skeleton, split: Mapping[str, tuple[str, ...]], where: str) -> None:
    """Refuse, by DatasetError, a clip that no file may hold; names group, field, frame and joint.

    Frames that are not valid may hold any finite number; bones are measured between labelled joints.
    """
    place = f"{where}: {clip.group}"
    if any("/" in part or part in ("", ".") for part in (clip.subject, clip.action, clip.camera)):
        raise DatasetError(f"{place}: subject, action and camera are plain names")
    if clip.subject not in (*split["train"], *split["test"]):
        raise DatasetError(f"{place}: subject {clip.subject} is in no part of the split")
    if not (np.isfinite(clip.fps) and clip.fps > 0):
        raise DatasetError(f"{place}: fps: {clip.fps} is not a rate")
    _check_camera(clip, place)
    length, joints = len(clip), len(skeleton.joints)
    if length == 0:
        first = "joints_2d" if clip.joints_3d is None else "joints_3d"
        raise DatasetError(f"{place}: {first}: no frames")
    for name in FLAGS:
        flags, expected = getattr(clip, name), (length, joints)[: 1 if name == "valid" else 2]
        if flags is not None and (flags.shape != expected or flags.dtype != bool):
            raise DatasetError(
                f"{place}: {name}: {flags.dtype} of shape {flags.shape}, expected bool {expected}"
            )
    valid = np.ones(length, bool) if clip.valid is None else clip.valid
    if not valid.any():
        raise DatasetError(f"{place}: valid: no frame is")
    for name, size in ARRAYS.items():
        values = getattr(clip, name)
        if values is None and name != "joints_2d":
            continue
        if values.shape != (length, joints, size):
            expected = (length, joints, size)
            raise DatasetError(f"{place}: {name}: shape {values.shape}, expected {expected}")
        _refuse(~np.isfinite(values).all(-1), skeleton, f"{place}: {name}", "is not finite")
    if clip.joints_3d is not None:
        _check_depth_and_bones(clip, valid, skeleton, f"{place}: joints_3d")
    if clip.pictures is not None and clip.pictures.shape[0] != length:
        raise DatasetError(f"{place}: image: {clip.pictures.shape[0]} pictures, {length} frames")


def check_split(split: Mapping[str, tuple[str, ...]], where: str) -> None:
    """Refuse a split with a subject in both parts."""
    both = set(split["train"]) & set(split["test"])
    if both:
        raise DatasetError(f"{where}: attribute split: {sorted(both)} in both train and test")


def _check_camera(clip: Clip, place: str) -> None:
    for name, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,)), ("distortion", (5,))):
        if name == "distortion" and clip.distortion is None:
            continue
        value = np.asarray(getattr(clip, name))
        if value.shape != shape:
            raise DatasetError(f"{place}: {name}: shape {value.shape}, expected {shape}")
        if not np.isfinite(value).all():
            raise DatasetError(f"{place}: {name}: not finite")
    if (
        np.abs(clip.R).max() > 1.001
        or not np.allclose(clip.R @ clip.R.T, np.eye(3), atol=1e-4)
        or np.linalg.det(clip.R) < 0
    ):
        raise DatasetError(f"{place}: R: not a rotation")


def _check_depth_and_bones(clip: Clip, valid: np.ndarray, skeleton: Skeleton, place: str) -> None:
    wrong = (clip.joints_3d[..., 2] <= 0) & valid[:, None]
    _refuse(wrong, skeleton, place, "has no positive depth")
    parents, children = np.array(skeleton.bones).T
    bones = np.linalg.norm(clip.joints_3d[:, children] - clip.joints_3d[:, parents], axis=-1)
    short = np.zeros(clip.joints_3d.shape[:2], bool)
    short[:, children] = (bones < MINIMUM_BONE) & valid[:, None]
    if clip.labelled is not None:
        short[:, children] &= clip.labelled[:, children] & clip.labelled[:, parents]
    _refuse(short, skeleton, place, "is at its parent (zero-length bone)")


def _refuse(wrong: np.ndarray, skeleton: Skeleton, place: str, what: str) -> None:
    if wrong.any():
        frame, joint = np.argwhere(wrong)[0]
        raise DatasetError(f"{place}: frame {frame}: {skeleton.joints[joint]} {what}")
