"""MPI-INF-3DHP as its site delivers it: training sequences S1 to S8 and test sequences TS1 to TS6.

    S1/Seq1/annot.mat                 annot2, annot3, univ_annot3: 14 cells, one a camera (MATLAB version 5)
    S1/Seq1/camera.calibration
    S1/Seq1/imageSequence/video_0.avi, S1/Seq1/FGmasks/video_0.avi
    TS1/annot_data.mat                one camera, version 7.3; not every frame counts
    TS1/imageSequence/img_000001.jpg

A training sequence has several activities and does not say where one ends: its clips are "Sequence 1" and
"Sequence 2". The test set does say: each stretch of one activity is a clip, "Sitting 1", "Sitting 2", ...
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from lib.data import mpi_inf_3dhp as facts
from lib.data.dataset import Clip, DatasetError
from lib.data.matlab import load_v5, open_v73, v73_array
from lib.data.sources import Found, Options, Source, reading
from lib.data.videos import count_frames, frames, pictures
from lib.skeleton import HUMAN36M_17, MPI_INF_3DHP_17, MPI_INF_3DHP_28, convert

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "mpi-inf-3dhp"
SITE = "https://vcai.mpi-inf.mpg.de/3dhp-dataset/"
LICENCE = "research only, non-commercial, respect the actors; cite Mehta et al. 2017"
ROLE = "outdoor"

# Brightness of the masks' red channel from which a pixel is foreground; the videos are compressed.
FOREGROUND = 32


@dataclass(frozen=True)
class _Test:
    """One test sequence of F frames: joints (F, 17, 2|3) of Human3.6M, valid (F,), activity (F,) from 1."""

    joints_2d: np.ndarray
    joints_3d: np.ndarray
    valid: np.ndarray
    activity: np.ndarray
    K: np.ndarray
    residual: float


def find(path: Path, options: Options) -> Found:
    """The clips of the training and the test set, whichever is in the folder or right below it.

    Of the test set the annotations are read, since they say which clips there are. Raises DatasetError
    when there is neither, and when they are damaged.
    """
    path = Path(path)
    train, test, notes = _folders(path)
    if not train and not test:
        raise DatasetError(f"{path}: no S<n>/Seq<n>/annot.mat and no TS<n>/annot_data.mat in this folder")
    if options.subjects:
        train = [item for item in train if item[0] in options.subjects]
        test = [item for item in test if item[0] in options.subjects]
        if not train and not test:
            raise DatasetError(f"{path}: none of the subjects {', '.join(options.subjects)} is here")
    kind = "univ_annot3, one body for all" if options.universal else "annot3, each subject's own size"
    notes.append(f"joints_3d are {kind}")
    if options.universal:
        notes.append("univ_annot3 does not project to joints_2d; that of TS6 is doubtful at knees and ankles")
    # The cameras of a sequence share a file that takes seconds to read: the last one read is kept.
    annotations = lru_cache(maxsize=1)(partial(_train_annotations, universal=options.universal))
    sources = []
    for item in train:
        sources += _train_sources(*item, options, annotations)
    notes += _train_notes(sources)
    for item in test:
        found, more = _test_sources(*item, options)
        sources += found
        notes += more
    return Found(
        sources=tuple(sources),
        split={
            "train": tuple(dict.fromkeys(subject for subject, _, _ in train)),
            "test": tuple(subject for subject, _ in test),
        },
        source=f"MPI-INF-3DHP ({'univ_annot3' if options.universal else 'annot3'})",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _folders(path: Path):
    """Training sequences (subject, number, folder), test sequences (subject, folder), what was left out."""
    train, test, notes = [], [], []
    if not path.is_dir():
        return train, test, notes
    with reading(path):
        roots = (path, *sorted(folder for folder in path.iterdir() if folder.is_dir()))
    for root in roots:
        for subject in facts.FRAMES:
            for sequence in (1, 2):
                folder = root / subject / f"Seq{sequence}"
                if (folder / "annot.mat").is_file():
                    train.append((subject, sequence, folder))
                elif folder.is_dir():
                    notes.append(f"{subject} Seq{sequence} left out: no annot.mat")
        for subject in facts.TEST_FPS:
            folder = root / subject
            if (folder / "annot_data.mat").is_file():
                test.append((subject, folder))
            elif folder.is_dir():
                notes.append(f"{subject} left out: no annot_data.mat")
    for name, count in Counter(item[:-1] for item in (*train, *test)).items():
        if count > 1:
            raise DatasetError(f"{path}: {' '.join(map(str, name))} is there {count} times")
    return train, test, notes


def _train_sources(subject, sequence, folder: Path, options: Options, annotations) -> list[Source]:
    sources = []
    for camera in facts.CAMERAS:
        video, mask = (folder / kind / f"video_{camera}.avi" for kind in ("imageSequence", "FGmasks"))
        video = video if options.size and video.is_file() else None
        cut_out = video and mask.is_file() and (subject, sequence) not in facts.WITHOUT_MASKS
        mask = mask if cut_out else None
        recording = _Recording(subject, sequence, camera, folder, options.every, annotations, video, mask)
        sources.append(
            Source(
                path=folder / "annot.mat",
                subject=subject,
                action=f"Sequence {sequence}",
                camera=str(camera),
                read=recording.read,
                frames=recording.frames if video else None,
                masks=recording.masks if mask else None,
            )
        )
    return sources


def _train_notes(sources: list[Source]) -> list[str]:
    subject, sequence, camera = facts.SHORT_VIDEO
    short = f"/{subject}/Sequence {sequence}/{camera}"
    notes = []
    if any(source.group == short and source.frames for source in sources):
        notes.append(f"{short[1:]} is cut to its video, which ends early")
    if any(source.masks for source in sources):
        notes.append("masks are what is not green screen: with the chair and the room's edges")
    return notes


@dataclass(frozen=True)
class _Recording:
    """One camera of a training sequence."""

    subject: str
    sequence: int
    camera: int
    folder: Path
    every: int
    annotations: Callable[[Path], dict[int, tuple[np.ndarray, np.ndarray]]]
    video: Path | None
    mask: Path | None

    def read(self) -> Clip:
        joints_2d, joints_3d = self._joints()
        path = self.folder / "camera.calibration"
        cameras = facts.read_calibration(path)
        if self.camera not in cameras:
            raise DatasetError(f"{path}: camera {self.camera}: missing")
        camera = cameras[self.camera]
        action = f"Sequence {self.sequence}"
        return Clip(
            subject=self.subject,
            action=action,
            camera=str(self.camera),
            fps=facts.fps(self.subject, self.sequence) / self.every,
            K=camera.K,
            R=camera.R,
            t=camera.t,
            joints_3d=joints_3d,
            joints_2d=joints_2d,
            source=f"{self.subject} {action}",
        )

    def frames(self) -> Iterator[np.ndarray]:
        yield from frames(self.video, len(self._joints()[0]), self.every)

    def masks(self) -> Iterator[np.ndarray]:
        for picture in frames(self.mask, len(self._joints()[0]), self.every):
            yield picture[..., 0] > FOREGROUND

    def _joints(self) -> tuple[np.ndarray, np.ndarray]:
        joints_2d, joints_3d = self.annotations(self.folder / "annot.mat")[self.camera]
        length = min(len(joints_2d), facts.FRAMES[self.subject][self.sequence - 1])
        if (self.subject, self.sequence, self.camera) == facts.SHORT_VIDEO:
            length = min([length, *(count_frames(path) for path in (self.video, self.mask) if path)])
        rows = slice(0, length, self.every)
        return joints_2d[rows], joints_3d[rows]


def _train_annotations(path: Path, universal: bool) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each camera that is read: joints (F, 17, 2) px and (F, 17, 3) mm in its frame."""
    names = {"annot2": 2, "univ_annot3" if universal else "annot3": 3}
    loaded = load_v5(path, (*names, "cameras", "frames"))
    numbers = [_whole(loaded[name], f"{path}: {name}") for name in ("cameras", "frames")]
    cells = {int(camera): cell for cell, camera in enumerate(numbers[0])}
    length = len(numbers[1])
    if length == 0 or (numbers[1] != np.arange(length)).any():
        raise DatasetError(f"{path}: frames: not the numbers from 0 on")
    joints: dict[int, list[np.ndarray]] = {}
    for name, dimensions in names.items():
        cell_array = loaded[name].ravel()
        if loaded[name].dtype != object or len(cell_array) != len(numbers[0]):
            raise DatasetError(f"{path}: {name}: not a cell for each of {len(numbers[0])} cameras")
        for camera in facts.CAMERAS:
            place = f"{path}: {name}: camera {camera}"
            if camera not in cells:
                raise DatasetError(f"{place}: missing")
            values, expected = cell_array[cells[camera]], (length, 28 * dimensions)
            if values.dtype.kind not in "iuf" or values.shape != expected:
                raise DatasetError(f"{place}: {values.dtype} of shape {values.shape}, expected {expected}")
            points = np.asarray(values, np.float64).reshape(length, 28, dimensions)
            points = convert(points, MPI_INF_3DHP_28, HUMAN36M_17)
            _refuse_impossible(points, place)
            joints.setdefault(camera, []).append(points)
    return {camera: (pair[0], pair[1]) for camera, pair in joints.items()}


def _test_sources(subject: str, folder: Path, options: Options) -> tuple[list[Source], list[str]]:
    path = folder / "annot_data.mat"
    test = _test_annotations(path, subject, options.universal)
    notes = [
        f"{subject}: intrinsics fitted to annot2 and annot3, {test.residual:.2f} px left (root mean square)",
        f"{subject}: {facts.TEST_FPS[subject]:.0f} frames a second is what others give; the data do not say",
    ]
    sources, used, without = [], Counter(), 0
    ends = (*(np.flatnonzero(np.diff(test.activity)) + 1), len(test.activity))
    for start, stop in zip((0, *ends), ends, strict=False):
        rows = np.arange(start, stop, options.every)
        if not test.valid[rows].any():
            without += len(rows)
            continue
        activity = test.activity[start]
        if not 1 <= activity <= len(facts.ACTIVITIES):
            raise DatasetError(f"{path}: activity_annotation: frame {start}: {activity} is not 1 to 7")
        name = facts.ACTIVITIES[activity - 1]
        used[name] += 1
        sources.append(_test_source(subject, f"{name} {used[name]}", folder, rows, test, options))
    if without:
        notes.append(f"{subject}: {without} frames left out, in stretches of an activity with no valid one")
    return sources, notes


def _test_source(subject: str, action: str, folder: Path, rows, test: _Test, options: Options) -> Source:
    def read() -> Clip:
        return Clip(
            subject=subject,
            action=action,
            camera="0",
            fps=facts.TEST_FPS[subject] / options.every,
            K=test.K,
            R=np.eye(3),
            t=np.zeros(3),
            joints_3d=test.joints_3d[rows],
            joints_2d=test.joints_2d[rows],
            valid=test.valid[rows],
            source=f"{subject} {action}",
        )

    def images() -> Iterator[np.ndarray]:
        # Numbered from 1: img_000001 is row 0.
        yield from pictures(folder / "imageSequence" / f"img_{row + 1:06d}.jpg" for row in rows)

    there = options.size and (folder / "imageSequence").is_dir()
    path = folder / "annot_data.mat"
    return Source(path, subject, action, "0", read, frames=images if there else None)


def _test_annotations(path: Path, subject: str, universal: bool) -> _Test:
    names = ["annot2", "annot3", "valid_frame", "activity_annotation"]
    if universal:
        names.append("univ_annot3")
    with open_v73(path) as file:
        loaded = {name: v73_array(file, name, path) for name in names}
    length = loaded["valid_frame"].size
    for name, values in loaded.items():
        dimensions = {"annot2": (2, 17, 1), "annot3": (3, 17, 1), "univ_annot3": (3, 17, 1)}.get(name, (1,))
        if values.shape != (*dimensions, length) or length == 0:
            expected = (*dimensions, length)
            raise DatasetError(f"{path}: {name}: shape {values.shape} in MATLAB's order, expected {expected}")
    valid = _whole(loaded["valid_frame"], f"{path}: valid_frame") == 1
    if not valid.any():
        raise DatasetError(f"{path}: valid_frame: no frame is")
    joints = {}
    for name in names:
        if "annot" in name and name != "activity_annotation":
            points = np.asarray(loaded[name], np.float64)[:, :, 0].T
            points = convert(points, MPI_INF_3DHP_17, HUMAN36M_17)
            _refuse_impossible(points[valid], f"{path}: {name}: valid frames")
            joints[name] = np.where(_possible(points)[..., None], points, 0.0)
    points = (joints["annot3"][valid].reshape(-1, 3), joints["annot2"][valid].reshape(-1, 2))
    K, residual = facts.fit_intrinsics(*points, facts.TEST_SIZES[subject], str(path))
    joints_3d = joints["univ_annot3" if universal else "annot3"]
    activity = _whole(loaded["activity_annotation"], f"{path}: activity_annotation")
    return _Test(joints["annot2"], joints_3d, valid, activity, K, residual)


def _whole(values: np.ndarray, place: str) -> np.ndarray:
    """Whole numbers (N,) of an array of any shape."""
    if values.dtype.kind not in "iufb" or not np.isfinite(values).all() or (np.abs(values) > 2**31).any():
        raise DatasetError(f"{place}: not whole numbers")
    whole = np.ravel(values).astype(np.int64)
    if (whole != np.ravel(values)).any():
        raise DatasetError(f"{place}: not whole numbers")
    return whole


def _possible(points: np.ndarray) -> np.ndarray:
    """Which points are finite, and within any number of millimetres or pixels that a person can be at."""
    return (np.abs(points) < 1e7).all(-1)


def _refuse_impossible(points: np.ndarray, place: str) -> None:
    wrong = ~_possible(points)
    if wrong.any():
        frame, joint = np.argwhere(wrong)[0]
        raise DatasetError(
            f"{place}: frame {frame}: {HUMAN36M_17.joints[joint]} is at {points[frame, joint]}"
        )
