"""The simplified Human3.6M of Zhang et al. (2018): crops of 128 x 128 px with masks, six actions, 2D alone.

human_images/S1/ holds WithBackground/<sequence>/<n>.jpg, BackgroudMask/<sequence>/<n>.png (so
spelt; BackgroundMask is read too) and Landmarks/<sequence>/<n>.mat, of MATLAB's version 5, with
keypoints_2d (32, 2): row and column, in this order, as shares of the picture. A sequence is called "Walking
1.54138969". Published by Y. Zhang, Y. Guo, Y. Jin, Y. Luo, Z. He, H. Lee, "Unsupervised Discovery of Object
Landmarks as Structural Representations", CVPR 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lib.data import human36m as h36m
from lib.data import videos
from lib.data.array_pickle import shown
from lib.data.dataset import Clip, DatasetError
from lib.data.human36m import Take
from lib.data.matlab import load_v5
from lib.data.sources import Found, Options, Source, reading
from lib.skeleton import HUMAN36M_17, HUMAN36M_32, convert

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "human36m-simple"
SITE = "http://fy.z-yt.net/files.ytzhang.net/lmdis-rep/release-v1/human3.6m/human_images.tar.gz"
LICENCE = h36m.LICENCE
ROLE = "studio"

TRAIN = ("S1", "S5", "S6", "S7", "S8", "S9")
TEST = ("S11",)
CAMERAS = tuple(lens.name for lens in h36m.CAMERAS)
ACTIONS = ("Directions", "Discussion", "Greeting", "Posing", "Waiting", "Walking")
PICTURES, LANDMARKS = "WithBackground", "Landmarks"
MASKS = ("BackgroudMask", "BackgroundMask")
SIDE = 128  # px
OUTSIDE = 4.0  # a joint can lie beside its crop, but not four crops away


@dataclass(frozen=True)
class _Sequence:
    """One camera of one take. landmarks, pictures, masks: folders of a file for each frame."""

    subject: str
    take: Take
    action: str
    camera: str
    landmarks: Path
    pictures: Path
    masks: Path | None


def find(path: Path, options: Options) -> Found:
    """The clips of a folder with S1/Landmarks, or of human_images in it.

    Sequences of other than the six actions are left out, as in all papers with this set. Raises
    DatasetError when there is no such folder, or nothing in it.
    """
    path = Path(path)
    if options.universal:
        raise DatasetError(f"{path}: this set has no 3D poses, universal or not")
    root = _root(path)
    present = [subject for subject in (*TRAIN, *TEST) if (root / subject / LANDMARKS).is_dir()]
    absent = [subject for subject in options.subjects if subject not in present]
    if absent:
        raise DatasetError(f"{path}: no folder {', '.join(absent)} (there: {', '.join(present)})")
    notes = [
        "2D alone; the crops' places in the whole pictures are not known, so neither are the cameras: "
        f"focal length 1.2 x {SIDE} px, R = I, t = 0",
        "50 fps as in the recordings; the set does not say it",
        "taken for pictures of a moving camera: the set does not say whether its crops follow the person",
    ]
    sequences = [
        sequence
        for subject in present
        if not options.subjects or subject in options.subjects
        for sequence in _sequences(root / subject, subject, notes)
        if h36m.FAULTS_OF_FILES.admits(subject, sequence.take, sequence.camera, options.size > 0, notes)
    ]
    if not sequences:
        raise DatasetError(f'{root}: no folder like "{present[0]}/{LANDMARKS}/Walking 1.54138969"')
    subjects = {sequence.subject for sequence in sequences}
    return Found(
        sources=tuple(_source(sequence, options) for sequence in sequences),
        split={
            "train": tuple(subject for subject in TRAIN if subject in subjects),
            "test": tuple(subject for subject in TEST if subject in subjects),
        },
        source=f"simplified Human3.6M, {SITE}",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _root(path: Path) -> Path:
    for folder in (path, path / "human_images"):
        if any((folder / subject / LANDMARKS).is_dir() for subject in (*TRAIN, *TEST)):
            return folder
    raise DatasetError(f"{path}: no folder S1/{LANDMARKS}, or of another subject, nor human_images with it")


def _sequences(folder: Path, subject: str, notes: list[str]) -> list[_Sequence]:
    with reading(folder / LANDMARKS):
        names = sorted(item.name for item in (folder / LANDMARKS).iterdir() if item.is_dir())
    masks = next((folder / name for name in MASKS if (folder / name).is_dir()), None)
    found: dict[tuple[Take, str], str] = {}
    others = []
    for name in names:
        match = re.fullmatch(r"(.+)\.(\d+)", name, re.ASCII)
        take = h36m.parse_take(match[1]) if match else None
        if take is None or take.kind not in ACTIONS or match[2] not in CAMERAS:
            others.append(shown(name))
        else:
            found[take, match[2]] = name
    if others:
        notes.append(
            f"{subject}: {len(others)} sequences of other than the six actions, left out: {others[0]} ..."
        )
    actions = h36m.take_names(take for take, _ in found)
    return [
        _Sequence(
            subject=subject,
            take=take,
            action=actions[take],
            camera=camera,
            landmarks=folder / LANDMARKS / name,
            pictures=folder / PICTURES / name,
            masks=masks / name if masks and (masks / name).is_dir() else None,
        )
        for (take, camera), name in sorted(found.items())
    ]


def _source(sequence: _Sequence, options: Options) -> Source:
    every, pictures = options.every, options.size > 0 and sequence.pictures.is_dir()
    return Source(
        path=sequence.landmarks,
        subject=sequence.subject,
        action=sequence.action,
        camera=sequence.camera,
        read=partial(_read, sequence, every),
        frames=partial(_frames, sequence, every) if pictures else None,
        masks=partial(_masks, sequence, every) if pictures and sequence.masks else None,
    )


def _read(sequence: _Sequence, every: int) -> Clip:
    joints = np.stack([_landmarks(sequence.landmarks / f"{name}.mat") for name in _rows(sequence, every)])
    joints = SIDE * convert(joints, HUMAN36M_32, HUMAN36M_17)
    _check_upright(joints, sequence.landmarks)
    return Clip(
        subject=sequence.subject,
        action=sequence.action,
        camera=sequence.camera,
        fps=h36m.FPS / every,
        K=np.array([[1.2 * SIDE, 0, SIDE / 2], [0, 1.2 * SIDE, SIDE / 2], [0, 0, 1]]),
        R=np.eye(3),
        t=np.zeros(3),
        joints_3d=None,
        joints_2d=joints.astype(np.float32),
        source=f"{sequence.subject} {sequence.take}",
        static=False,  # a crop around the person may follow them
    )


def _rows(sequence: _Sequence, every: int) -> list[str]:
    """The names of the frames' files, without their suffix, by number."""
    with reading(sequence.landmarks):
        names = [item.name for item in sequence.landmarks.iterdir()]
    numbers: dict[int, str] = {}
    for name in sorted(names):
        match = re.fullmatch(r"(\d{1,9})\.mat", name, re.ASCII)
        if match is None:
            continue
        if int(match[1]) in numbers:
            raise DatasetError(f"{sequence.landmarks / name}: frame {int(match[1])} is there twice")
        numbers[int(match[1])] = match[1]
    if not numbers:
        raise DatasetError(f"{sequence.landmarks}: no file <number>.mat")
    return [numbers[number] for number in sorted(numbers)][::every]


def _landmarks(path: Path) -> np.ndarray:
    """The joints (32, 2) of a frame, x before y, as shares of the picture."""
    values = load_v5(path, ["keypoints_2d"])["keypoints_2d"]
    if values.shape != (32, 2) or values.dtype.kind != "f":
        raise DatasetError(
            f"{path}: keypoints_2d: {values.dtype} of shape {values.shape}, expected numbers (32, 2)"
        )
    wrong = ~((values > -OUTSIDE) & (values < 1 + OUTSIDE)).all(-1)
    if wrong.any():
        joint = int(wrong.argmax())
        raise DatasetError(f"{path}: keypoints_2d: joint {joint} at {values[joint]}, no share of the picture")
    return values[:, ::-1].astype(np.float64)


def _check_upright(joints: np.ndarray, path: Path) -> None:
    """Refuse a clip in which people lie on their side: then x and y are exchanged; all six actions stand."""
    index = HUMAN36M_17.index
    feet = (joints[:, index("left_ankle")] + joints[:, index("right_ankle")]) / 2
    x, y = np.median(feet - joints[:, index("head")], axis=0)
    if y <= abs(x):
        raise DatasetError(
            f"{path}: keypoints_2d: the feet are {x:.0f} px right of the head and {y:.0f} px below it: "
            "not row and column, in this order"
        )


def _frames(sequence: _Sequence, every: int) -> Iterator[np.ndarray]:
    for name in _rows(sequence, every):
        path = sequence.pictures / f"{name}.jpg"
        yield _of_side(videos.read_picture(path), path)


def _masks(sequence: _Sequence, every: int) -> Iterator[np.ndarray]:
    for name in _rows(sequence, every):
        path = sequence.masks / f"{name}.png"
        yield _of_side(videos.read_mask(path), path)


def _of_side(picture: np.ndarray, path: Path) -> np.ndarray:
    if picture.shape[:2] != (SIDE, SIDE):
        height, width = picture.shape[:2]
        raise DatasetError(f"{path}: {width} x {height} px, expected {SIDE} x {SIDE}")
    return picture
