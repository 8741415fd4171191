"""Acclaim motion capture: the skeleton file (ASF) and the motion file (AMC).

Forward kinematics, on column vectors: with C the rotation of a bone's axis and M that of its
channels, the bone's global rotation is G = G_parent C M C^T, and its end lies at parent's end + G
(direction x length). An order "XYZ" turns about x first: R = Rz Ry Rx. Lengths are in the unit of
the ASF's ``length`` entry, inches times that number; positions come out in millimetres. Axes stay
as in the file (y up).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lib import geometry
from lib.data.clip import DatasetError

__all__ = ["Acclaim", "MotionFileError", "bone_ends", "euler", "numbers", "read_amc", "read_asf"]

INCH = 25.4
ROTATIONS = {"x": geometry.rotation_x, "y": geometry.rotation_y, "z": geometry.rotation_z}
ROOT_CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")


LONGEST = 240  # characters of a message; a damaged file can have a line of any length


class MotionFileError(DatasetError):
    """A motion file is wrong; the message begins with the file's path and the line's number."""

    def __init__(self, path: str | Path, line: int, message: str):
        message = " ".join(message.split())
        if len(message) > LONGEST:
            message = f"{message[: LONGEST // 2]} ... {message[-LONGEST // 3 :]}"
        super().__init__(f"{path}:{line}: {message}")


@dataclass(frozen=True)
class Acclaim:
    """An ASF skeleton: "root" and its bones, parents before children.

    parents (B,) index, -1 for the root; offsets (B, 3) direction x length in mm; axes (B, 3, 3)
    rotations C; channels: the names of each bone's channels in the order of the AMC ("tx" ...
    "rz").
    """

    path: Path
    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    axes: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    millimetres: float


def euler(degrees: np.ndarray, order: str) -> np.ndarray:
    """Rotations (..., 3, 3) by angles (..., 3) in degrees about x, y and z, made in this order."""
    radians = torch.from_numpy(np.radians(degrees))
    first, second, third = (
        ROTATIONS[axis](radians[..., "xyz".index(axis)]) for axis in order.lower()
    )
    return (third @ second @ first).numpy()


def bone_ends(skeleton: Acclaim, motion: np.ndarray) -> np.ndarray:
    """The end of every bone (T, B, 3) in mm, from the channels that ``read_amc`` gives."""
    ends = np.empty((len(motion), len(skeleton.names), 3))
    turned = []
    column = 0
    for bone, (parent, channels) in enumerate(
        zip(skeleton.parents, skeleton.channels, strict=True)
    ):
        values = dict(zip(channels, motion[:, column : column + len(channels)].T, strict=True))
        column += len(channels)
        zero = np.zeros(len(motion))
        angles = np.stack([values.get(name, zero) for name in ("rx", "ry", "rz")], axis=-1)
        axis = skeleton.axes[bone]
        local = axis @ euler(angles, "xyz") @ axis.T if channels else np.eye(3)
        if parent < 0:
            position = np.stack([values[name] for name in ("tx", "ty", "tz")], axis=-1)
            ends[:, bone] = position * skeleton.millimetres + skeleton.offsets[bone]
            turned.append(local)
        else:
            turned.append(turned[parent] @ local)
            ends[:, bone] = ends[:, parent] + turned[bone] @ skeleton.offsets[bone]
    return ends


def read_asf(path: str | Path) -> Acclaim:
    """Read a skeleton. Raises MotionFileError for a bad number, bone, length, unit or hierarchy."""
    path = Path(path)
    lines = _lines(path)
    sections = _sections(lines)
    for name in ("units", "root", "bonedata", "hierarchy"):
        if name not in sections:
            raise MotionFileError(
                path, len(lines), f"no section :{name}; the file may be truncated"
            )
    unit = 1.0
    for line, words in sections["units"]:
        if words[0] == "length":
            (unit,) = numbers(path, line, words[1:], 1)
            if unit <= 0:
                raise MotionFileError(path, line, f"length unit {unit:g} is not positive")
        if words[0] == "angle" and words[1:] != ["deg"]:
            raise MotionFileError(path, line, f"angles in {words[1:]}, only deg is read")
    millimetres = INCH / unit
    bones = _bones(path, sections["bonedata"], millimetres)
    parents = _hierarchy(path, sections["hierarchy"], bones)
    root = _root(path, sections["root"], millimetres)
    names = list(parents)
    return Acclaim(
        path=path,
        names=tuple(names),
        parents=tuple(
            -1 if parents[name] is None else names.index(parents[name]) for name in names
        ),
        offsets=np.stack([root[0], *(bones[name][0] for name in names[1:])]),
        axes=np.stack([np.eye(3), *(bones[name][1] for name in names[1:])]),
        channels=(root[1], *(bones[name][2] for name in names[1:])),
        millimetres=millimetres,
    )


def read_amc(path: str | Path, skeleton: Acclaim) -> np.ndarray:
    """The channels of a motion (T, sum of the bones' channels), bone after bone as in the skeleton.

    Raises MotionFileError when frames are not numbered 1, 2, ..., a bone is missing from a frame,
    unknown or twice there, its number of values is wrong, or a value is no finite number.
    """
    path = Path(path)
    lines = _lines(path)
    head = next((i for i, line in enumerate(lines) if line.strip() == "1"), None)
    if head is None:
        raise MotionFileError(path, len(lines), "no frame 1; the file may be truncated")
    if not any(line.strip().lower() == ":degrees" for line in lines[:head]):
        raise MotionFileError(path, head + 1, "no :DEGREES before frame 1; radians are not read")
    sizes = {
        name: len(names)
        for name, names in zip(skeleton.names, skeleton.channels, strict=True)
        if names
    }
    # All frames of a sound file have the bones of its first frame, in that order: split once, check
    # and convert by columns. Only when that fails is the file walked line by line, to say where.
    order = [line.split()[0] for line in lines[head + 1 : head + 1 + len(sizes)] if line.strip()]
    tokens = " ".join(lines[head:]).split()
    width = 1 + len(sizes) + sum(sizes.values())
    if set(order) != set(sizes) or len(order) != len(sizes) or len(tokens) % width:
        raise _fault(path, lines, head, sizes)
    frames = len(tokens) // width
    columns = {}
    position = 1
    for name in order:
        if set(tokens[position::width]) != {name}:
            raise _fault(path, lines, head, sizes)
        columns[name] = range(position + 1, position + 1 + sizes[name])
        position += 1 + sizes[name]
    if tokens[0::width] != [str(frame) for frame in range(1, frames + 1)]:
        raise _fault(path, lines, head, sizes)
    try:
        motion = np.array(
            [list(map(float, tokens[column::width])) for name in sizes for column in columns[name]]
        ).T
    except ValueError:
        raise _fault(path, lines, head, sizes) from None
    if not np.isfinite(motion).all():
        raise _fault(path, lines, head, sizes)
    return motion


def numbers(path: str | Path, line: int, words: list[str], count: int) -> list[float]:
    """``count`` finite numbers from the words of a line, or MotionFileError."""
    if len(words) != count:
        raise MotionFileError(path, line, f"{len(words)} values, expected {count}")
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise MotionFileError(path, line, str(error)) from None
    if not np.isfinite(values).all():
        raise MotionFileError(path, line, f"a value is not finite: {' '.join(words)}")
    return values


def _fault(path: Path, lines: list[str], head: int, sizes: dict[str, int]) -> MotionFileError:
    """Walk a faulty AMC and return the error of the first line that is wrong."""
    frame, seen = 0, set(sizes)
    try:
        for number, line in enumerate(lines[head:], start=head + 1):
            words = line.split()
            if not words:
                continue
            if len(words) == 1 and words[0].lstrip("+-").isdigit():
                if seen != set(sizes):
                    return MotionFileError(path, number, _missing(frame, sizes, seen))
                if words[0] != str(frame + 1):
                    return MotionFileError(path, number, f"frame {words[0]} after frame {frame}")
                frame, seen = frame + 1, set()
                continue
            name = words[0]
            if name not in sizes:
                return MotionFileError(
                    path, number, f"frame {frame}: the skeleton has no bone {name!r}"
                )
            if name in seen:
                return MotionFileError(path, number, f"frame {frame}: bone {name} twice")
            seen.add(name)
            numbers(path, number, words[1:], sizes[name])
    except MotionFileError as error:
        return error
    if seen != set(sizes):
        return MotionFileError(
            path, len(lines), _missing(frame, sizes, seen) + "; the file may be truncated"
        )
    return MotionFileError(path, head + 1, "the order of the bones changes within the file")


def _missing(frame: int, sizes: dict[str, int], seen: set[str]) -> str:
    return f"frame {frame}: no channels of {', '.join(name for name in sizes if name not in seen)}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError as error:
        raise MotionFileError(path, 0, f"cannot be read ({error})") from error


def _sections(lines: list[str]) -> dict[str, list[tuple[int, list[str]]]]:
    """The ASF's sections by name: (line number, words) of every line, comments left out."""
    sections, current = {}, []
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].replace("(", " ").replace(")", " ").split()
        if words and words[0].startswith(":"):
            current = sections[words[0][1:].lower()] = []
        elif words:
            current.append((number, words))
    return sections


def _bones(path: Path, section, millimetres: float) -> dict[str, tuple]:
    bones, entry, begin = {}, {}, 0
    for line, words in section:
        if words[0] == "begin":
            entry, begin = {}, line
        elif words[0] != "end":
            entry.setdefault(words[0], (line, words[1:]))
        else:
            for key in ("name", "direction", "length", "axis"):
                if key not in entry or not entry[key][1]:
                    raise MotionFileError(path, begin, f"a bone without {key}")
            name = entry["name"][1][0]
            if name in bones:
                raise MotionFileError(path, begin, f"two bones of the name {name}")
            direction = np.array(numbers(path, *entry["direction"], 3))
            (length,) = numbers(path, *entry["length"], 1)
            if length <= 0 or not np.linalg.norm(direction) > 1e-6:
                raise MotionFileError(path, entry["length"][0], f"bone {name} has zero length")
            at, words = entry["axis"]
            axis = euler(np.array(numbers(path, at, words[:3], 3)), _order(path, at, words[3:]))
            at, dof = entry.get("dof", (begin, []))
            dof = tuple(word.lower() for word in dof)
            if not set(dof) <= {"rx", "ry", "rz"} or len(set(dof)) != len(dof):
                raise MotionFileError(path, at, f"bone {name}: dof {' '.join(dof)} is not read")
            bones[name] = (direction * length * millimetres, axis, dof)
    if not bones:
        raise MotionFileError(path, section[-1][0] if section else 0, "no bones")
    return bones


def _hierarchy(path: Path, section, bones: dict) -> dict[str, str | None]:
    parents: dict[str, str | None] = {"root": None}
    last = 0
    for line, words in section:
        last = line
        if words[0] in ("begin", "end"):
            continue
        if words[0] not in parents:
            raise MotionFileError(path, line, f"{words[0]} has children before it has a parent")
        for child in words[1:]:
            if child not in bones:
                raise MotionFileError(path, line, f"no bone {child}")
            if child in parents:
                raise MotionFileError(path, line, f"bone {child} has two parents")
            parents[child] = words[0]
    missing = [name for name in bones if name not in parents]
    if missing:
        raise MotionFileError(path, last, f"bones {', '.join(missing)} are not in the hierarchy")
    return parents


def _root(path: Path, section, millimetres: float) -> tuple[np.ndarray, tuple[str, ...]]:
    entry = {words[0]: (line, words[1:]) for line, words in section}
    line, order = entry.get("order", (0, []))
    order = tuple(word.lower() for word in order)
    if sorted(order) != sorted(ROOT_CHANNELS):
        raise MotionFileError(
            path, line, f"root order {' '.join(order)}: six channels TX ... RZ expected"
        )
    line, words = entry.get("axis", (0, ["XYZ"]))
    if words != ["XYZ"]:
        raise MotionFileError(path, line, "a root axis other than XYZ is not read")
    line, words = entry.get("orientation", (0, ["0", "0", "0"]))
    if any(numbers(path, line, words, 3)):
        raise MotionFileError(path, line, "a root orientation other than 0 0 0 is not read")
    position = numbers(path, *entry.get("position", (0, ["0", "0", "0"])), 3)
    return np.array(position) * millimetres, order


def _order(path: Path, line: int, words: list[str]) -> str:
    order = "".join(words).lower()
    if sorted(order) != ["x", "y", "z"]:
        raise MotionFileError(path, line, f"axis order {order!r} is not a permutation of XYZ")
    return order
