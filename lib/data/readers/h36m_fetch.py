"""Human3.6M as the tool h36m-fetch leaves it: folders of selected frames, processed/S1/Directions-1/.

Each holds annot.h5 and imageSequence/<camera>/img_000001.jpg. annot.h5 has a row for each frame and
camera, the cameras one after the other: pose/2d (N, 32, 2) px, pose/3d and pose/3d-univ (N, 32, 3) mm
in the camera's coordinates, frame (N,), counted from 1 as the pictures are, camera, subject, action,
subaction (N,), and intrinsics/<camera>, a pinhole camera fitted to the poses, as fx cx fy cy. There are
no extrinsics.

The tool keeps each 64th frame of S9 and S11, and of the others those in which a joint has moved by 40
mm.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from lib.data import human36m as h36m
from lib.data import videos
from lib.data.dataset import Clip, DatasetError
from lib.data.human36m import Take
from lib.data.matlab import v73_array
from lib.data.sources import Found, Options, Source, reading
from lib.skeleton import HUMAN36M_17, HUMAN36M_32, convert

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "h36m-fetch"
SITE = h36m.SITE
LICENCE = h36m.LICENCE
ROLE = "studio"


@dataclass(frozen=True)
class _Sequence:
    """One camera of one folder. take.number is the folder's own, 1 or 2."""

    subject: str
    take: Take
    camera: str
    annotations: Path

    @property
    def action(self) -> str:
        return self.take.kind if self.take.number == 1 else str(self.take)

    @property
    def pictures(self) -> Path:
        return self.annotations.parent / "imageSequence" / self.camera


def find(path: Path, options: Options) -> Found:
    """The clips of a folder with processed/S1/Directions-1/annot.h5, or of `processed` itself.

    Left out, and noted: the camera of S11 whose video is broken and, where pictures are asked for,
    three takes of S9 whose poses do not fit theirs. Raises DatasetError when there is no such folder or
    nothing in it, or when an annot.h5 does not say which cameras it is of.
    """
    path = Path(path)
    root = _root(path)
    present = [name for name in (*h36m.TRAIN, *h36m.TEST) if (root / name).is_dir()]
    absent = [name for name in options.subjects if name not in present]
    if absent:
        raise DatasetError(f"{path}: no folder {', '.join(absent)} (there: {', '.join(present)})")
    wanted = [name for name in present if not options.subjects or name in options.subjects]
    notes = [
        "the frames are a selection and, in the training subjects, not evenly spaced: 50 fps is nominal",
        "intrinsics are pinhole cameras fitted by h36m-fetch; no extrinsics (R = I, t = 0)",
    ]
    sequences = [
        sequence
        for subject in wanted
        for sequence in _sequences(root / subject, subject, notes)
        if h36m.FAULTS_OF_FETCH.admits(subject, sequence.take, sequence.camera, options.size > 0, notes)
    ]
    if not sequences:
        raise DatasetError(f"{path}: no folder like {wanted[0]}/Directions-1 with an annot.h5 to read")
    if options.universal:
        notes.append("poses of pose/3d-univ: one body for all, which is not the one in the pictures")
    return Found(
        sources=tuple(_source(sequence, options) for sequence in sequences),
        split=h36m.split(sequence.subject for sequence in sequences),
        source=f"Human3.6M by h36m-fetch ({'universal' if options.universal else 'own'} skeleton), {SITE}",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _root(path: Path) -> Path:
    for folder in (path, path / "processed"):
        for name in (*h36m.TRAIN, *h36m.TEST):
            if next((folder / name).glob("*-[12]/annot.h5"), None):
                return folder
    raise DatasetError(
        f"{path}: no S1/Directions-1/annot.h5 or the like, nor processed/S1/Directions-1/..."
    )


def _sequences(folder: Path, subject: str, notes: list[str]) -> list[_Sequence]:
    found: dict[Take, Path] = {}
    for file in sorted(folder.glob("*/annot.h5")):
        match = re.fullmatch(r"([A-Za-z]+)-([12])", file.parent.name)
        take = h36m.parse_take(f"{match[1]} {match[2]}") if match else None
        if take is None:
            notes.append(f"{file}: its folder is not called by an action and 1 or 2, left out")
        elif take in found:
            raise DatasetError(f"{file}: the same take as {found[take]}")
        else:
            found[take] = file
    sequences = []
    for take, file in sorted(found.items()):
        cameras = _cameras(file)
        missing = [lens.name for lens in h36m.CAMERAS if lens.name not in cameras]
        if missing and (subject, take, *missing) != h36m.FAULTS_OF_FETCH.broken:
            notes.append(f"{subject} {take}: camera {', '.join(missing)} is missing")
        sequences += [_Sequence(subject, take, camera, file) for camera in cameras]
    return sequences


def _cameras(path: Path) -> list[str]:
    with _opened(path) as file:
        with reading(path, "intrinsics"):
            group = file.get("intrinsics")
            held = set(group) if isinstance(group, h5py.Group) else set()
    cameras = [lens.name for lens in h36m.CAMERAS if lens.name in held]
    if not cameras:
        raise DatasetError(f"{path}: intrinsics: of none of Human3.6M's cameras")
    return cameras


def _source(sequence: _Sequence, options: Options) -> Source:
    pictures = options.size > 0 and sequence.pictures.is_dir()
    return Source(
        path=sequence.annotations,
        subject=sequence.subject,
        action=sequence.action,
        camera=sequence.camera,
        read=lambda: _read(sequence, options),
        frames=(lambda: _frames(sequence, options)) if pictures else None,
    )


def _read(sequence: _Sequence, options: Options) -> Clip:
    path, universal = sequence.annotations, "-univ" if options.universal else ""
    poses, intrinsics = f"pose/3d{universal}", f"intrinsics{universal}/{sequence.camera}"
    with _opened(path) as file:
        rows, count = _rows(file, sequence, options)
        joints = _array(file, poses, path, (count, 32, 3))[rows]
        pixels = _array(file, "pose/2d", path, (count, 32, 2))[rows]
        fx, cx, fy, cy = _array(file, intrinsics, path, (4,))  # in this order
    zoom = np.array([fx, fy]) / h36m.lens_of(sequence.camera).focal
    if not ((zoom > 0.5) & (zoom < 2)).all():
        raise DatasetError(
            f"{path}: {intrinsics}: {fx:.6g} and {fy:.6g} px are not this camera's focal lengths"
        )
    behind = joints[..., 2] <= 0
    if behind.any():
        row, joint = np.argwhere(behind)[0]
        raise DatasetError(f"{path}: {poses}: row {rows[row]}: joint {joint} is behind the camera")
    return Clip(
        subject=sequence.subject,
        action=sequence.action,
        camera=sequence.camera,
        fps=h36m.FPS,
        K=np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]]),
        R=np.eye(3),
        t=np.zeros(3),
        joints_3d=convert(joints, HUMAN36M_32, HUMAN36M_17).astype(np.float32),
        joints_2d=convert(pixels, HUMAN36M_32, HUMAN36M_17).astype(np.float32),
        source=f"{sequence.subject} {sequence.take}",
    )


def _frames(sequence: _Sequence, options: Options) -> Iterator[np.ndarray]:
    path = sequence.annotations
    with _opened(path) as file:
        rows, count = _rows(file, sequence, options)
        numbers = _integers(file, "frame", path, count)[rows]
    files = [sequence.pictures / f"img_{number:06d}.jpg" for number in numbers]
    yield from h36m.of_size(videos.pictures(files), sequence.camera, sequence.pictures)


def _rows(file: h5py.File, sequence: _Sequence, options: Options) -> tuple[np.ndarray, int]:
    """The rows that are of the camera, each n-th of them, and how many rows there are of all cameras.

    Checks that the file is of the take that its folder is called by.
    """
    path, take = sequence.annotations, sequence.take
    camera = _integers(file, "camera", path)
    names = {"subject": int(sequence.subject[1:]), "action": h36m.action_number(take.kind)}
    for name, number in (names | {"subaction": take.number}).items():
        other = _integers(file, name, path, len(camera)) != number
        if other.any():
            raise DatasetError(
                f"{path}: {name}: row {other.argmax()} is not {number}, as its folder's name says"
            )
    rows = np.flatnonzero(camera == int(sequence.camera))
    if not len(rows):
        raise DatasetError(f"{path}: camera: no row is of {sequence.camera}")
    return rows[:: options.every], len(camera)


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    with reading(path):
        file = h5py.File(path, "r")
    try:
        yield file
    finally:
        file.close()


def _integers(file: h5py.File, name: str, path: Path, count: int | None = None) -> np.ndarray:
    values = _stored(file, name, path)
    if values.ndim != 1 or values.dtype.kind not in "iu" or len(values) != (count or len(values)):
        expected = f"{count or ''} integers".strip()
        raise DatasetError(
            f"{path}: {name}: {values.dtype} of shape {values.shape}, expected {expected}"
        )
    return values


def _array(file: h5py.File, name: str, path: Path, shape: tuple[int, ...]) -> np.ndarray:
    values = _stored(file, name, path)
    if values.shape != shape:
        raise DatasetError(f"{path}: {name}: shape {values.shape}, expected {shape}")
    values = values.astype(np.float64)
    wrong = ~(np.abs(values) < h36m.NOWHERE)
    if wrong.any():
        place = tuple(map(int, np.argwhere(wrong)[0]))
        raise DatasetError(f"{path}: {name}: {values[place]} at {place}")
    return values


def _stored(file: h5py.File, name: str, path: Path) -> np.ndarray:
    return v73_array(
        file, name, path
    ).T  # it gives the axes in MATLAB's order, the reverse of the file's
