"""The dataset file: one HDF5 layout for every source, written atomically and checked on opening.

A file is a dataset; a group ``/<subject>/<action>/<camera>`` is a clip with ``joints_3d`` (T, J, 3)
millimetres in camera coordinates (x right, y down, z forward), ``joints_2d`` (T, J, 2) pixels and,
optionally, ``detected_2d`` (T, J, 2) pixels. Clip attributes: ``fps``, ``K`` (3, 3), ``R`` (3, 3),
``t`` (3,) mm with X_camera = R X_world + t, and ``source``. File attributes: ``schema``,
``skeleton``, ``joints``, ``split`` (JSON), ``source``, ``licence``, ``generator``, ``seed``,
``notes``.

Nothing in a file is ever unpickled.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from lib.skeleton import SKELETONS, Skeleton

__all__ = [
    "SCHEMA",
    "Clip",
    "Dataset",
    "DatasetError",
    "action_kind",
    "open_dataset",
    "read_provenance",
    "sha256",
    "write_dataset",
]

SCHEMA = 1
PARTS = ("train", "test", "validation")
VALIDATION_EVERY = 5
MINIMUM_BONE = (
    1.0  # mm; a shorter bone is a missing or doubled joint, in any unit mistake we know of
)


class DatasetError(ValueError):
    """A dataset file, or a clip about to be written, is wrong; names file, group and field."""


@dataclass(frozen=True)
class Clip:
    """One subject, one take, one camera. Shapes and units as in the module's text."""

    subject: str
    action: str
    camera: str
    fps: float
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    joints_3d: np.ndarray
    joints_2d: np.ndarray
    detected_2d: np.ndarray | None = None
    source: str = ""

    @property
    def group(self) -> str:
        return f"/{self.subject}/{self.action}/{self.camera}"

    @property
    def kind(self) -> str:
        """The action without the number of the take ("Walking 2" -> "Walking")."""
        return action_kind(self.action)

    def __len__(self) -> int:
        return len(self.joints_3d)


@dataclass(frozen=True)
class Dataset:
    """An opened file: what it says of itself, and its clips in memory."""

    path: Path
    skeleton: Skeleton
    split: Mapping[str, tuple[str, ...]]
    source: str
    licence: str
    generator: str
    seed: int
    clips: tuple[Clip, ...]
    notes: str = ""

    def subset(self, part: str, holdout: bool = False) -> tuple[Clip, ...]:
        """The clips of a part of the split.

        ``train`` and ``test`` are by subject. ``validation`` is every fifth recording of the
        training subjects, with all its cameras and pieces; ``train`` includes it unless ``holdout``
        is set.
        """
        if part not in PARTS:
            raise ValueError(f"part is one of {PARTS}, not {part!r}")
        if part == "test":
            return tuple(clip for clip in self.clips if clip.subject in self.split["test"])
        clips = tuple(clip for clip in self.clips if clip.subject in self.split["train"])
        if part == "train" and not holdout:
            return clips
        held_out = set(
            sorted({_recording(clip) for clip in clips})[VALIDATION_EVERY - 1 :: VALIDATION_EVERY]
        )
        return tuple(
            clip for clip in clips if (_recording(clip) in held_out) == (part == "validation")
        )


def action_kind(action: str) -> str:
    """Strip the number of the take, as in Human3.6M's names: "Walking 2" -> "Walking"."""
    return re.sub(r" \d+$", "", action)


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_dataset(
    path: str | Path,
    clips: Iterable[Clip],
    *,
    skeleton: Skeleton,
    split: Mapping[str, Iterable[str]],
    source: str,
    licence: str,
    generator: str,
    seed: int,
    notes: str = "",
) -> Path:
    """Write a dataset under a temporary name and rename it; the same clips give the same bytes.

    Raises DatasetError for a clip that ``open_dataset`` would refuse; then nothing is left behind.
    """
    path = Path(path)
    split = {part: tuple(split.get(part, ())) for part in ("train", "test")}
    _check_split(split, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with h5py.File(temporary, "w") as file:
            file.attrs["schema"] = SCHEMA
            file.attrs["seed"] = seed
            _write_text(file, "skeleton", skeleton.name)
            _write_text(file, "joints", json.dumps(skeleton.joints))
            _write_text(file, "split", json.dumps(split))
            _write_text(file, "source", source)
            _write_text(file, "licence", licence)
            _write_text(file, "generator", generator)
            _write_text(file, "notes", notes)
            for clip in clips:
                _write_clip(file, clip, skeleton, split, str(path))
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def open_dataset(path: str | Path) -> Dataset:
    """Read a whole dataset into memory and check it.

    Raises DatasetError, naming file, group and field (and the frame), when the file is missing,
    truncated or of another schema, when names or shapes do not fit the skeleton, when a value is
    not finite, a depth not positive, a bone of zero length, or a subject in no or two parts of the
    split.
    """
    path = Path(path)
    if not path.is_file():
        raise DatasetError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except DatasetError:
        raise
    except Exception as error:
        # h5py answers damage with whatever exception the damaged place happens to cause.
        raise DatasetError(f"{path}: not a readable HDF5 file, or truncated ({error})") from error


def read_provenance(path: str | Path) -> tuple[str, int] | None:
    """(generator, seed) of a file without reading its clips; None where it cannot be read."""
    try:
        with h5py.File(path, "r") as file:
            return _text(file, "generator", str(path)), int(file.attrs["seed"])
    except (OSError, KeyError, DatasetError):
        return None


def _recording(clip: Clip) -> tuple[str, str]:
    return clip.subject, clip.source or clip.action


def _read(file: h5py.File, path: Path) -> Dataset:
    where = str(path)
    schema = _attribute(file, "schema", where)
    if schema != SCHEMA:
        raise DatasetError(f"{where}: attribute schema: version {schema}, this code reads {SCHEMA}")
    name = _text(file, "skeleton", where)
    if name not in SKELETONS:
        raise DatasetError(f"{where}: attribute skeleton: unknown skeleton {name!r}")
    skeleton = SKELETONS[name]
    joints = _json(file, "joints", where)
    if not isinstance(joints, list) or tuple(joints) != skeleton.joints:
        raise DatasetError(f"{where}: attribute joints: not the joint names of {name}")
    split = _json(file, "split", where)
    if not isinstance(split, dict) or set(split) != {"train", "test"}:
        raise DatasetError(f"{where}: attribute split: no object with train and test")
    split = {part: tuple(map(str, subjects)) for part, subjects in split.items()}
    _check_split(split, where)
    clips = []
    for subject, actions in _groups(file, where):
        for action, cameras in _groups(actions, where):
            for camera, group in _groups(cameras, where):
                clips.append(_read_clip(group, subject, action, camera, where))
                _check_clip(clips[-1], skeleton, split, where)
    if not clips:
        raise DatasetError(f"{where}: holds no clip")
    return Dataset(
        path=path,
        skeleton=skeleton,
        split=split,
        source=_text(file, "source", where),
        licence=_text(file, "licence", where),
        generator=_text(file, "generator", where),
        seed=int(_attribute(file, "seed", where)),
        clips=tuple(clips),
        notes=_text(file, "notes", where) if "notes" in file.attrs else "",
    )


def _write_clip(file, clip: Clip, skeleton: Skeleton, split, where: str) -> None:
    if any("/" in part or part in ("", ".") for part in (clip.subject, clip.action, clip.camera)):
        raise DatasetError(f"{where}: {clip.group}: subject, action and camera are plain names")
    if clip.group in file:
        raise DatasetError(f"{where}: {clip.group}: two clips of this name")
    _check_clip(clip, skeleton, split, where)
    group = file.create_group(clip.group)
    group.attrs["fps"] = float(clip.fps)
    for name in ("K", "R", "t"):
        group.attrs[name] = np.asarray(getattr(clip, name), np.float64)
    _write_text(group, "source", clip.source)
    for name in ("joints_3d", "joints_2d", "detected_2d"):
        values = getattr(clip, name)
        if values is not None:
            group.create_dataset(
                name,
                data=np.asarray(values, np.float32),
                chunks=values.shape,
                compression="gzip",
                compression_opts=4,
                shuffle=True,
                track_times=False,
            )


def _read_clip(group: h5py.Group, subject: str, action: str, camera: str, where: str) -> Clip:
    place = f"{where}: {group.name}"
    arrays = {"detected_2d": None}
    for name in ("joints_3d", "joints_2d", "detected_2d"):
        item = group.get(name)
        if item is None and name == "detected_2d":
            continue
        if not isinstance(item, h5py.Dataset):
            raise DatasetError(f"{place}: {name}: no such array")
        if item.dtype.kind != "f":
            raise DatasetError(f"{place}: {name}: of type {item.dtype}, not floating point")
        try:
            arrays[name] = item[()].astype(np.float32, copy=False)
        except (OSError, RuntimeError) as error:
            raise DatasetError(f"{place}: {name}: cannot be read ({error})") from error
    try:
        fps = float(_attribute(group, "fps", place))
        camera_values = {
            name: np.asarray(_attribute(group, name, place), np.float64) for name in ("K", "R", "t")
        }
    except (TypeError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(f"{place}: attributes fps, K, R, t: not numbers ({error})") from error
    source = _text(group, "source", place) if "source" in group.attrs else ""
    return Clip(subject, action, camera, fps, **camera_values, **arrays, source=source)


def _check_clip(clip: Clip, skeleton: Skeleton, split, where: str) -> None:
    place = f"{where}: {clip.group}"
    if clip.subject not in (*split["train"], *split["test"]):
        raise DatasetError(f"{place}: subject {clip.subject} is in no part of the split")
    if not (np.isfinite(clip.fps) and clip.fps > 0):
        raise DatasetError(f"{place}: fps: {clip.fps} is not a rate")
    for name, shape in (("K", (3, 3)), ("R", (3, 3)), ("t", (3,))):
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
    length = len(clip.joints_3d)
    if length == 0:
        raise DatasetError(f"{place}: joints_3d: no frames")
    for name, size in (("joints_3d", 3), ("joints_2d", 2), ("detected_2d", 2)):
        values = getattr(clip, name)
        if values is None and name == "detected_2d":
            continue
        expected = (length, len(skeleton.joints), size)
        if values.shape != expected:
            raise DatasetError(f"{place}: {name}: shape {values.shape}, expected {expected}")
        _refuse(~np.isfinite(values).all(-1), skeleton, f"{place}: {name}", "is not finite")
    _refuse(clip.joints_3d[..., 2] <= 0, skeleton, f"{place}: joints_3d", "has no positive depth")
    parents, children = np.array(skeleton.bones).T
    bones = np.linalg.norm(clip.joints_3d[:, children] - clip.joints_3d[:, parents], axis=-1)
    short = np.zeros(clip.joints_3d.shape[:2], bool)
    short[:, children] = bones < MINIMUM_BONE
    _refuse(short, skeleton, f"{place}: joints_3d", "is at its parent (zero-length bone)")


def _refuse(wrong: np.ndarray, skeleton: Skeleton, place: str, what: str) -> None:
    if wrong.any():
        frame, joint = np.argwhere(wrong)[0]
        raise DatasetError(f"{place}: frame {frame}: {skeleton.joints[joint]} {what}")


def _check_split(split: Mapping[str, tuple[str, ...]], where: str) -> None:
    both = set(split["train"]) & set(split["test"])
    if both:
        raise DatasetError(f"{where}: attribute split: {sorted(both)} in both train and test")


def _groups(parent: h5py.Group, where: str):
    # Natural order ("S5" before "S11", "Walking 2" before "Walking 10"), the same on every machine.
    def natural(name: str):
        return [int(piece) if piece.isdigit() else piece for piece in re.split(r"(\d+)", name)]

    for name in sorted(parent, key=natural):
        item = parent.get(name)
        if not isinstance(item, h5py.Group):
            raise DatasetError(f"{where}: {parent.name.rstrip('/')}/{name}: a group was expected")
        yield name, item


def _attribute(item, name: str, where: str):
    if name not in item.attrs:
        raise DatasetError(f"{where}: attribute {name}: missing")
    return item.attrs[name]


def _write_text(item, name: str, text: str) -> None:
    # Of fixed length: HDF5 can hang on a damaged heap, where strings of variable length are kept.
    data = text.encode()
    item.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", max(1, len(data))))


def _text(item, name: str, where: str) -> str:
    value = _attribute(item, name, where)
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{where}: attribute {name}: not text ({error})") from error


def _json(file: h5py.File, name: str, where: str):
    try:
        return json.loads(_text(file, name, where))
    except json.JSONDecodeError as error:
        raise DatasetError(f"{where}: attribute {name}: not JSON ({error})") from error
