"""Biovision hierarchy files (BVH): a joint tree with offsets, and its channels frame by frame.

A joint's rotation is the product of its channels in their order, "Zrotation Yrotation Xrotation" =
Rz Ry Rx on column vectors. Offsets and root positions are in the file's own unit, which it does not
state. The conversion of the CMU recordings by B. Hahne uses that of the ASF (inches x 0.45), adds a
T-pose as frame 0, and has no thorax and wrist segments: joints at offset 0 of their parent are
allowed here.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lib import geometry
from lib.data.amc import ROTATIONS, MotionFileError, numbers

__all__ = ["CMU_MILLIMETRES", "Bvh", "joint_positions", "read_bvh"]

CMU_MILLIMETRES = 25.4 / 0.45  # millimetres a unit in the CMU conversions
CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


@dataclass(frozen=True)
class Bvh:
    """A joint tree and its motion, in degrees and the file's unit of length.

    parents (-1 for the root), offsets (J, 3), the names of each joint's channels, motion (T, sum of
    channels), and the time between frames in seconds. End sites are joints without channels, named
    after their parent with "_end".
    """

    path: Path
    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    motion: np.ndarray
    frame_time: float


def joint_positions(bvh: Bvh, millimetres: float = CMU_MILLIMETRES) -> np.ndarray:
    """World positions (T, J, 3) in mm of all joints, axes as in the file (CMU: y up)."""
    frames = len(bvh.motion)
    rotations = torch.eye(3, dtype=torch.float64).repeat(frames, len(bvh.names), 1, 1)
    root = torch.from_numpy(np.broadcast_to(bvh.offsets[0], (frames, 3)).copy())
    column = 0
    for joint, channels in enumerate(bvh.channels):
        for channel in channels:
            values = torch.from_numpy(bvh.motion[:, column].copy())
            column += 1
            axis = channel[0].lower()
            if channel.endswith("rotation"):
                rotations[:, joint] = rotations[:, joint] @ ROTATIONS[axis](torch.deg2rad(values))
            elif joint == 0:
                root[:, "xyz".index(axis)] += values
    offsets = torch.from_numpy(bvh.offsets).expand(frames, -1, -1)
    return geometry.forward_kinematics(rotations, offsets, bvh.parents, root).numpy() * millimetres


def read_bvh(path: str | Path) -> Bvh:
    """Read a BVH file.

    Raises MotionFileError for a broken hierarchy, an unknown channel, a wrong number of frames or
    of values in a frame, or a value that is no finite number.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise MotionFileError(path, 0, f"cannot be read ({error})") from error
    rows = [(number, line.split()) for number, line in enumerate(lines, start=1) if line.strip()]
    start = next((i for i, (_, words) in enumerate(rows) if words == ["MOTION"]), None)
    if not rows or rows[0][1] != ["HIERARCHY"] or start is None:
        raise MotionFileError(
            path, len(lines), "no HIERARCHY and MOTION; the file may be truncated"
        )
    names, parents, offsets, channels = _hierarchy(path, rows[1:start])
    motion, frame_time = _motion(path, rows[start:], sum(map(len, channels)), len(lines))
    return Bvh(path, names, parents, offsets, channels, motion, frame_time)


def _hierarchy(path: Path, rows):
    names, parents, offsets, channels = [], [], [], []
    stack, pending, line = [], None, 0
    for line, words in rows:
        key = words[0]
        if key in ("ROOT", "JOINT", "End"):
            misplaced = (key == "ROOT") != (not names) or (key != "ROOT" and not stack)
            if misplaced or pending is not None or len(words) != 2:
                raise MotionFileError(path, line, f"{' '.join(words)} is out of place")
            pending = len(names)
            names.append(f"{names[stack[-1]]}_end" if key == "End" else words[1])
            parents.append(stack[-1] if stack else -1)
            offsets.append(None)
            channels.append(())
        elif key == "{" and pending is not None:
            stack.append(pending)
            pending = None
        elif key == "}" and stack:
            joint = stack.pop()
            if offsets[joint] is None:
                raise MotionFileError(path, line, f"joint {names[joint]} has no OFFSET")
        elif key == "OFFSET" and stack:
            offsets[stack[-1]] = numbers(path, line, words[1:], 3)
        elif key == "CHANNELS" and stack:
            named = tuple(words[2:])
            if words[1:2] != [str(len(named))] or not set(named) <= CHANNELS:
                raise MotionFileError(
                    path, line, f"joint {names[stack[-1]]}: bad {' '.join(words)}"
                )
            if len(parents) > 1 and any(name.endswith("position") for name in named):
                raise MotionFileError(
                    path, line, f"joint {names[stack[-1]]}: only the root may move"
                )
            channels[stack[-1]] = named
        else:
            raise MotionFileError(path, line, f"{' '.join(words)} is out of place")
    if stack or pending is not None or not names:
        raise MotionFileError(path, line, "the hierarchy does not close")
    return tuple(names), tuple(parents), np.array(offsets, np.float64), tuple(channels)


def _motion(path: Path, rows, width: int, last: int) -> tuple[np.ndarray, float]:
    if len(rows) < 3 or rows[1][1][0] != "Frames:" or rows[2][1][:2] != ["Frame", "Time:"]:
        raise MotionFileError(path, rows[0][0], "MOTION without Frames and Frame Time")
    (frames,) = numbers(path, rows[1][0], rows[1][1][1:], 1)
    (frame_time,) = numbers(path, rows[2][0], rows[2][1][2:], 1)
    if frame_time <= 0 or frames < 1:
        raise MotionFileError(
            path, rows[1][0], "the number of frames and the frame time are positive"
        )
    motion = np.array([numbers(path, line, words, width) for line, words in rows[3:]])
    if len(motion) != frames:
        message = f"{len(motion)} frames, {frames:g} announced; the file may be truncated"
        raise MotionFileError(path, last, message)
    return motion, frame_time
