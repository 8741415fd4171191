"""The dataset file: one HDF5 layout for every source, written atomically and checked on opening.

A file is a dataset; a group ``/<subject>/<action>/<camera>`` is a clip with ``joints_2d`` (T, J, 2)
pixels and, where the data have them, ``joints_3d`` (T, J, 3) millimetres in camera coordinates (x
right, y down, z forward), ``detected_2d`` (T, J, 2) pixels, the flags ``valid`` (T,), ``labelled``
and ``occluded`` (T, J), and pictures (`lib.data.pictures`). Clip attributes: ``fps``, ``K`` (3, 3),
``R`` (3, 3), ``t`` (3,) mm with X_camera = R X_world + t, ``source``, and, where they are not the
rule, ``distortion`` (5,) and ``static`` 0. File attributes: ``schema``, ``skeleton``, ``joints``,
``split`` (JSON), ``source``, ``licence``, ``generator``, ``seed``, ``notes``.

Nothing in a file is ever unpickled.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from lib.data.clip import ARRAYS, FLAGS, Clip, DatasetError, action_kind, check_clip, check_split
from lib.data.pictures import stored_pictures
from lib.data.sink import writing_file
from lib.skeleton import SKELETONS, Skeleton

__all__ = [
    "SCHEMA",
    "Clip",
    "Dataset",
    "DatasetError",
    "Header",
    "action_kind",
    "check_pictures",
    "new_file",
    "open_dataset",
    "read_provenance",
    "sha256",
    "write_clip",
    "write_dataset",
]

SCHEMA = 1
PARTS = ("train", "test", "validation")
VALIDATION_EVERY = 5


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


def check_pictures(dataset: Dataset) -> int:
    """Read every stored picture, mask and map of parts once, and count the pictures.

    Opening a file looks at their shapes only. Raises DatasetError that names group and row of a damaged one.
    """
    count = 0
    for clip in dataset.clips:
        for row in range(0 if clip.pictures is None else len(clip)):
            for read in (clip.pictures.read, clip.pictures.read_masks, clip.pictures.read_parts):
                try:
                    read([row])
                except (OSError, RuntimeError, ValueError) as error:
                    place = f"{dataset.path}: {clip.group}: pictures: row {row}"
                    raise DatasetError(f"{place}: cannot be read ({error})") from error
            count += 1
    return count


def sha256(path: str | Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Header:
    """What a file says of itself."""

    skeleton: Skeleton
    split: Mapping[str, Iterable[str]]
    source: str
    licence: str
    generator: str
    seed: int = 0
    notes: str = ""


@contextmanager
def new_file(path: str | Path, header: Header) -> Iterator[tuple[h5py.File, dict[str, tuple[str, ...]]]]:
    """A dataset file under a temporary name, and its split; renamed at the end, else removed."""
    path = Path(path)
    split = {part: tuple(header.split.get(part, ())) for part in ("train", "test")}
    check_split(split, str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with writing_file(temporary) as file:
            file.attrs["schema"] = SCHEMA
            file.attrs["seed"] = header.seed
            _write_text(file, "skeleton", header.skeleton.name)
            _write_text(file, "joints", json.dumps(header.skeleton.joints))
            _write_text(file, "split", json.dumps(split))
            for name in ("source", "licence", "generator", "notes"):
                _write_text(file, name, getattr(header, name))
            yield file, split
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


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

    Pictures are not written here but by `lib.data.importing`. Raises DatasetError for a clip that
    ``open_dataset`` would refuse; then nothing is left behind.
    """
    header = Header(skeleton, split, source, licence, generator, seed, notes)
    with new_file(path, header) as (file, checked):
        for clip in clips:
            write_clip(file, clip, skeleton, checked, str(path))
    return Path(path)


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
    check_split(split, where)
    clips, backgrounds = [], {}
    for subject, actions in _groups(file, where):
        for action, cameras in _groups(actions, where):
            for camera, group in _groups(cameras, where):
                clips.append(_read_clip(group, subject, action, camera, path, backgrounds))
                check_clip(clips[-1], skeleton, split, where)
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


def write_clip(
    file: h5py.File, clip: Clip, skeleton: Skeleton, split: Mapping[str, tuple[str, ...]], where: str
) -> h5py.Group:
    """Check a clip and write it, without its pictures, into an open file; the group it is in."""
    check_clip(clip, skeleton, split, where)
    if clip.group in file:
        raise DatasetError(f"{where}: {clip.group}: two clips of this name")
    group = file.create_group(clip.group)
    group.attrs["fps"] = float(clip.fps)
    for name in ("K", "R", "t"):
        group.attrs[name] = np.asarray(getattr(clip, name), np.float64)
    _write_text(group, "source", clip.source)
    if clip.distortion is not None:
        group.attrs["distortion"] = np.asarray(clip.distortion, np.float64)
    if not clip.static:
        group.attrs["static"] = 0
    arrays = {name: (getattr(clip, name), np.float32) for name in ARRAYS}
    arrays |= {name: (getattr(clip, name), np.uint8) for name in FLAGS}
    for name, (values, kind) in arrays.items():
        if values is not None:
            group.create_dataset(
                name,
                data=np.asarray(values, kind),
                chunks=values.shape,
                compression="gzip",
                compression_opts=4,
                shuffle=True,
                track_times=False,
            )
    return group


def _read_clip(
    group: h5py.Group, subject: str, action: str, camera: str, path: Path, shared: dict[int, np.ndarray]
) -> Clip:
    place = f"{path}: {group.name}"
    arrays = {name: _read_array(group, name, "f", place) for name in ARRAYS}
    if arrays["joints_2d"] is None:
        raise DatasetError(f"{place}: joints_2d: no such array")
    for name in FLAGS:
        flags = _read_array(group, name, "u", place)
        arrays[name] = None if flags is None else flags != 0
    try:
        fps = float(_attribute(group, "fps", place))
        camera_values = {
            name: np.asarray(_attribute(group, name, place), np.float64) for name in ("K", "R", "t")
        }
        distortion = group.attrs.get("distortion")
        distortion = None if distortion is None else np.asarray(distortion, np.float64)
        static = bool(group.attrs.get("static", 1))
    except (TypeError, ValueError) as error:
        if isinstance(error, DatasetError):
            raise
        message = f"{place}: attributes fps, K, R, t, distortion, static: not numbers ({error})"
        raise DatasetError(message) from error
    try:
        pictures = stored_pictures(group, path, len(arrays["joints_2d"]), shared)
    except (OSError, RuntimeError, ValueError) as error:
        raise DatasetError(f"{place}: {error}") from error
    source = _text(group, "source", place) if "source" in group.attrs else ""
    return Clip(
        subject, action, camera, fps, **camera_values, **arrays, source=source,
        distortion=distortion, static=static, pictures=pictures,
    )  # fmt: skip


def _read_array(group: h5py.Group, name: str, kind: str, place: str) -> np.ndarray | None:
    item = group.get(name)
    if item is None:
        return None
    if not isinstance(item, h5py.Dataset):
        raise DatasetError(f"{place}: {name}: no such array")
    if item.dtype.kind != kind:
        wanted = "floating point" if kind == "f" else "flags"
        raise DatasetError(f"{place}: {name}: of type {item.dtype}, not {wanted}")
    try:
        values = item[()]
    except (OSError, RuntimeError) as error:
        raise DatasetError(f"{place}: {name}: cannot be read ({error})") from error
    return values.astype(np.float32, copy=False) if kind == "f" else values


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
