"""Motion in BVH files: the CMU recordings as converted by B. Hahne (cgspeed.com), or any other folder.

A BVH file does not say what its joints are called, what a unit is, which way is up or whether its
first frame is motion. Names are matched without case, prefix and separators (`lib.data.bvh_joints`);
the unit is the one of `UNITS` in which the legs, trunk and head add up to a person; up is the way
from the ankles to the head in the rest pose or, where that lies along neither y nor z, on average
over the motion; a first frame whose angles are all whole degrees is a pose set by hand (the added
T-pose) and dropped when the second is not. What was decided stands in the notes.

CMU's takes keep their subjects' numbers and known kinds of action. Of other files the folder is the
subject and the name is the action. The lowest point of a take is put on the floor.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lib.data import mocap
from lib.data.bvh import CMU_MILLIMETRES, Bvh, joint_positions, read_bvh
from lib.data.bvh_joints import h17_from_tree, rest_positions
from lib.data.clip import DatasetError
from lib.data.filmed_takes import MotionFile, film, stride
from lib.data.readers.cmu import UNKNOWN, known_kinds, motion_files, natural
from lib.data.sources import Found, Options, reading
from lib.skeleton import HUMAN36M_17

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "UNITS", "find"]

NAME = "bvh"
SITE = "http://www.cgspeed.com"
LICENCE = (
    "that of whoever recorded the motion. CMU's, which B. Hahne's conversion adds nothing to: "
    + mocap.LICENCE
)
ROLE = "motion"

# Unit -> millimetres. No two make a person of PERSON out of the same number.
UNITS = {
    "millimetres": 1.0,
    "centimetres": 10.0,
    "inches": 25.4,
    "inches x 0.45 (CMU)": CMU_MILLIMETRES,
    "metres": 1000.0,
}
PERSON = (1050.0, 2200.0)  # mm: legs, trunk, neck and head to its middle or crown, children included
RATES = (5.0, 1000.0)  # Hz
CLEAR = 0.8  # share of the way from ankles to head along one axis that tells which way is up
BLOCK = 2000  # frames of forward kinematics at once
CMU_JOINT = b"LHipJoint"  # near the beginning of CMU's takes and, so far as known, of no others
HUMAN36M = HUMAN36M_17.joints.index


@dataclass(frozen=True)
class Reading:
    """How a file was understood."""

    unit: str
    up: str
    fps: float
    first: int  # frame where the motion begins

    def __str__(self) -> str:
        added = ", an added first frame dropped" if self.first else ""
        return f"unit taken for {self.unit}, {self.up} for up, {self.fps:g} Hz{added}"


def find(path: Path, options: Options) -> Found:
    """The clips of a folder of BVH files.

    Raises DatasetError when there are none, and, since files are read to know their clips, for a
    faulty one, one whose tree lacks a joint, is of no known unit or stands in no known way.
    """
    path = Path(path)
    found = motion_files(path, ".bvh")
    if not found:
        raise DatasetError(f"{path}: no motions (.bvh) in this folder or below it")
    kinds, understood = known_kinds(), {}
    files = []
    for file in sorted(found, key=lambda file: natural(str(file.relative_to(path)))):
        subject, action, recording = _names(file, path, kinds)
        if not options.subjects or subject in options.subjects:
            read = partial(_joints, file, understood)
            files.append(MotionFile(file, subject, action, recording, read, _glitches(recording)))
    notes = []
    sources = tuple(film(files, options, notes))
    if not sources:
        raise DatasetError(f"{path}: no take of a second or more that can be filmed ({len(files)} read)")
    counts = Counter(map(str, understood.values()))
    notes[:0] = [f"{count} file(s): {how}" for how, count in counts.items()]
    steps = sorted({stride(how.fps) for how in understood.values()})
    notes.insert(len(counts), f"filmed by virtual cameras: one frame in {', '.join(map(str, steps))}")
    subjects = tuple(dict.fromkeys(source.subject for source in sources))
    return Found(
        sources,
        {"train": subjects, "test": ()},
        "recorded motion (BVH), filmed by virtual cameras",
        LICENCE,
        notes=tuple(notes),
    )


def _names(file: Path, path: Path, kinds: dict[str, str]) -> tuple[str, str, str]:
    """Subject, action and recording of a file."""
    with reading(file), open(file, "rb") as opened:
        head = opened.read(2000)
    match = re.fullmatch(r"([0-9]{2,3})_([0-9]{2})", file.stem)
    if match and CMU_JOINT in head:
        return match[1], kinds.get(file.stem, UNKNOWN), f"CMU {file.stem}"
    below = file.relative_to(path)
    subject = below.parts[0] if len(below.parts) > 1 else path.resolve().name or "BVH"
    return subject, file.stem, str(below.with_suffix(""))


def _glitches(recording: str) -> tuple[tuple[int, int], ...]:
    return mocap.GLITCHES.get(recording.removeprefix("CMU "), ())


def _joints(file: Path, understood: dict[Path, Reading]) -> tuple[np.ndarray, float]:
    """(T, 17, 3) mm, z up, lowest point on the floor, and the rate; puts down how it was understood."""
    bvh = read_bvh(file)
    fps = round(1.0 / bvh.frame_time, 2)
    if not RATES[0] <= fps <= RATES[1]:
        raise DatasetError(
            f"{file}: Frame Time: {bvh.frame_time:g} s is no rate of {RATES[0]:g} to {RATES[1]:g} Hz"
        )
    first = int(_is_posed(bvh, 0) and len(bvh.motion) > 1 and not _is_posed(bvh, 1))
    h17 = h17_from_tree(bvh)
    rest = h17 @ rest_positions(bvh)
    unit = _unit(file, rest)
    joints, lowest = [], []
    for start in range(first, len(bvh.motion), BLOCK):
        every = joint_positions(replace(bvh, motion=bvh.motion[start : start + BLOCK]), UNITS[unit])
        joints.append(h17 @ every)
        lowest.append(every)
    joints = np.concatenate(joints)
    up = _up(file, rest, joints)
    joints = _upright(joints, up)
    low = np.concatenate([_upright(every, up)[..., 2].min(1) for every in lowest])
    joints[..., 2] -= np.percentile(low, 1)  # not the lowest of all: that may be a wrong frame
    understood[file] = Reading(unit, up, fps, first)
    return joints, fps


def _is_posed(bvh: Bvh, frame: int) -> bool:
    """Whether all angles of a frame are whole degrees, and the root's are zero."""
    names = [name for channels in bvh.channels for name in channels]
    turns = np.array([name.endswith("rotation") for name in names])
    angles = bvh.motion[frame, turns]
    root = sum(name.endswith("rotation") for name in bvh.channels[0])
    return bool((angles == np.round(angles)).all() and (angles[:root] == 0).all())


def _unit(file: Path, rest: np.ndarray) -> str:
    """The unit in which the rest pose (17, 3) is a person's, measured along its bones."""

    def length(*names: str) -> float:
        joints = rest[[HUMAN36M(name) for name in names]]
        return float(np.linalg.norm(np.diff(joints, axis=0), axis=-1).sum())

    legs = [length(f"{side}_hip", f"{side}_knee", f"{side}_ankle") for side in ("left", "right")]
    height = sum(legs) / 2 + length("pelvis", "spine", "thorax", "nose", "head")
    for unit, millimetres in UNITS.items():
        if PERSON[0] <= height * millimetres <= PERSON[1]:
            return unit
    raise DatasetError(
        f"{file}: OFFSET: legs, trunk and head add up to {height:g} units, a person in none of: "
        + ", ".join(UNITS)
    )


def _up(file: Path, rest: np.ndarray, joints: np.ndarray) -> str:
    """Which axis is up: "y", "z" or their negative."""
    poses = {"rest pose": rest[None], "motion": joints}
    for pose in poses.values():
        ankles = (pose[:, HUMAN36M("left_ankle")] + pose[:, HUMAN36M("right_ankle")]) / 2
        way = pose[:, HUMAN36M("head")] - ankles
        way = (way / np.maximum(np.linalg.norm(way, axis=-1, keepdims=True), 1e-9)).mean(0)
        axis = int(np.abs(way).argmax())
        if axis != 0 and abs(way[axis]) >= CLEAR:
            return ("-" if way[axis] < 0 else "") + "xyz"[axis]
    raise DatasetError(
        f"{file}: neither rest pose nor motion stands along y or z; which way is up is not clear"
    )


def _upright(joints: np.ndarray, up: str) -> np.ndarray:
    """Points (..., 3) turned so that ``up`` is z."""
    x, y, z = np.moveaxis(joints, -1, 0)
    turned = {"z": (x, y, z), "y": (x, -z, y), "-y": (x, z, -y), "-z": (x, -y, -z)}[up]
    return np.stack(turned, axis=-1)
