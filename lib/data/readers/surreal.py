"""SURREAL (Varol et al., CVPR 2017): rendered SMPL people on recorded motion.

<split>/run<r>/<sequence>/<sequence>_c<clip>{.mp4, _info.mat, _segm.mat}, split one of train, val and test, in
``path`` or in its data/cmu or SURREAL/data/cmu. Subjects are named <split>-<subject of CMU>, actions
"<sequence> run<r> <clip>". val repeats a part of test and is read only where test is absent.

The camera of the files is a reflection: X_camera = M (X - camLoc) with

    M = [0 0 -1; 0 1 0; -1 0 0], det M = -1, K = [600 0 160; 0 600 120; 0 0 1]

and projects to joints2D, while the world's joints are named rightly. So the person in the picture is the
mirror image of the world's, whose left side is seen where a joint is named right. That person, whom the
picture shows, is what a clip holds: left and right change names, in 3D, in 2D and in the parts, all places
stay as they are, and K still projects one on the other. The world in which this person stands is the file's
in a mirror, X' = S X with S = diag(1, 1, -1); S is its own inverse, so that

    X_camera = M S X' - M camLoc:  R = M S = [0 0 1; 0 1 0; -1 0 0], det R = +1, t = -M camLoc.

(To mirror x of the camera's frame in place of the names would mirror the pictures, too.)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from lib.data.dataset import Clip, DatasetError
from lib.data.matlab import load_v5
from lib.data.readers.labels import checked, chosen
from lib.data.solids import PARTS
from lib.data.sources import Found, Options, Source, reading
from lib.data.videos import frames
from lib.skeleton import HUMAN36M_17, SMPL_24, convert

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "surreal"
SITE = "https://www.di.ens.fr/willow/research/surreal/data"
LICENCE = "For research that is not commercial, under the licences of SURREAL and of SMPL"
ROLE = "bodies"

WIDTH, HEIGHT, FOCAL = 320, 240, 600.0
INTRINSICS = np.array([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]])
FPS = 30.0
REFLECTED = np.array([[0.0, 0, -1], [0, 1, 0], [-1, 0, 0]])
MIRROR = np.diag([1.0, 1, -1])
FARTHEST = 1e4  # m in the world, and 100 times that in px
MONSTERS = {"18", "19", "143_21"}  # subjects, and one sequence, whose SMPL bodies are distorted

# Parts of SMPL, numbered from 1, by their parts of the picture's person: left and right are changed.
_TRUNK = {
    "hips": "torso",
    "spine": "torso",
    "spine1": "torso",
    "spine2": "torso",
    "neck": "head",
    "head": "head",
}
_LIMBS = {
    "Shoulder": "torso",
    "Arm": "{}_upper_arm",
    "ForeArm": "{}_lower_arm",
    "Hand": "{}_hand",
    "HandIndex1": "{}_hand",
    "UpLeg": "{}_upper_leg",
    "Leg": "{}_lower_leg",
    "Foot": "{}_foot",
    "ToeBase": "{}_foot",
}
SMPL_PARTS = (
    "hips leftUpLeg rightUpLeg spine leftLeg rightLeg spine1 leftFoot rightFoot spine2 leftToeBase "
    "rightToeBase neck leftShoulder rightShoulder head leftArm rightArm leftForeArm rightForeArm leftHand "
    "rightHand leftHandIndex1 rightHandIndex1"
).split()

NOTES = (
    "the pictures show people mirrored: left and right have changed names in joints and parts, and the world "
    "is the file's in a mirror",
    "joints_2d are joints_3d projected; the files hold them rounded to whole pixels",
    "not valid are frames without joints2D, with no joint in the picture or one behind the camera, and those "
    "whose joints2D are not the projection",
    "nose is SMPL's head joint; head, its top, is made up beyond it and counts as not labelled",
    "30 frames a second are assumed",
)


def find(path: Path, options: Options) -> Found:
    """The clips below ``path``. Lists names and reads nothing; raises DatasetError when there is none."""
    path = Path(path)
    base = next(
        (
            folder
            for folder in (path / "SURREAL/data/cmu", path / "data/cmu", path / "cmu", path)
            if any((folder / split).is_dir() for split in ("train", "val", "test"))
        ),
        None,
    )
    if base is None:
        raise DatasetError(f"{path}: holds none of SURREAL's folders train, val, test (in data/cmu)")
    clips = {split: _clips(base / split) for split in ("train", "val", "test")}
    notes = list(NOTES)
    if clips["val"] and clips["test"]:
        notes.append(f"{len(clips['val'])} clips of val are left out: they are a part of test")
        del clips["val"]
    sources = [_source(split, options.every, *clip) for split, entries in clips.items() for clip in entries]
    whole = [source for source in sources if not _distorted(source.action.split()[0])]
    if not whole:
        raise DatasetError(f"{base}: no file <split>/run<r>/<sequence>/<sequence>_c<clip>_info.mat")
    if len(whole) < len(sources):
        left_out = len(sources) - len(whole)
        notes.append(
            f"{left_out} clips of distorted bodies are left out (subjects 18 and 19, sequence 143_21)"
        )
    kept = chosen(whole, options, str(base))
    subjects = tuple(dict.fromkeys(source.subject for source in kept))
    train = tuple(subject for subject in subjects if subject.startswith("train-"))
    return Found(
        sources=kept,
        split={"train": train, "test": tuple(subject for subject in subjects if subject not in train)},
        source=f"SURREAL, {SITE}",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _clips(folder: Path) -> list[tuple[Path, str, str, str, frozenset[str]]]:
    """(info file, run, sequence, number, names of the files beside it) of each clip, in order."""
    clips = []
    for run in _folders(folder):
        for sequence in _folders(run) if re.fullmatch(r"run\d+", run.name) else ():
            with reading(sequence):
                names = frozenset(item.name for item in sequence.iterdir())
            for name in sorted(names):
                match = re.fullmatch(r"\S+_c(\d+)_info\.mat", name)
                if match and " " not in sequence.name:
                    clips.append((sequence / name, run.name, sequence.name, match[1], names))
    return clips


def _folders(folder: Path) -> list[Path]:
    with reading(folder):
        return sorted(item for item in folder.iterdir() if item.is_dir()) if folder.is_dir() else []


def _subject(sequence: str) -> str:
    """The subject of CMU: "01" of "01_05" and of "ung_01_05"."""
    return sequence.removeprefix("ung_").split("_")[0]


def _distorted(sequence: str) -> bool:
    return bool({sequence.removeprefix("ung_"), _subject(sequence)} & MONSTERS)


def _source(
    split: str, every: int, file: Path, run: str, sequence: str, number: str, names: frozenset[str]
) -> Source:
    subject, action = f"{split}-{_subject(sequence)}", f"{sequence} {run} {int(number)}"
    video, parts = (file.with_name(file.name.replace("_info.mat", end)) for end in (".mp4", "_segm.mat"))
    parted = parts.name in names
    return Source(
        path=file,
        subject=subject,
        action=action,
        camera="blender",
        read=partial(_read, file, subject, action, sequence, every),
        frames=partial(_frames, video, file, every) if video.name in names else None,
        masks=partial(_masks, parts, file, every) if parted else None,
        parts=partial(_parts, parts, file, every) if parted else None,
    )


def _read(file: Path, subject: str, action: str, sequence: str, every: int) -> Clip:
    values = load_v5(file, ("joints2D", "joints3D", "camLoc"))
    drawn = _joints(values["joints2D"], 2, f"{file}: joints2D", 100 * FARTHEST)[::every]
    world = _joints(values["joints3D"], 3, f"{file}: joints3D", FARTHEST)[::every]
    place = checked(values["camLoc"], f"{file}: camLoc", FARTHEST).ravel()
    if len(drawn) != len(world):
        raise DatasetError(f"{file}: joints2D, joints3D: of {len(drawn)} and {len(world)} frames")
    if place.shape != (3,):
        raise DatasetError(f"{file}: camLoc: shape {values['camLoc'].shape}, expected (3, 1)")

    seen = (world - place) @ REFLECTED.T  # m
    pixels, in_front = _projected(seen)
    joints = _as_human36m(seen[:, SMPL_24.mirror]) * 1000
    in_front = np.concatenate([in_front, joints[..., 2] > 1], 1)  # the head's top is beyond SMPL's joints
    valid = _valid(drawn, pixels, in_front.all(1), f"{file}: joints2D")
    joints[~valid] = 0
    labelled = np.ones(joints.shape[:2], bool)
    labelled[:, HUMAN36M_17.index("head")] = False
    return Clip(
        subject=subject,
        action=action,
        camera="blender",
        fps=FPS / every,
        K=INTRINSICS,
        R=REFLECTED @ MIRROR,
        t=-REFLECTED @ place * 1000,
        joints_3d=joints.astype(np.float32),
        joints_2d=_projected(joints)[0].astype(np.float32),
        source=sequence,
        valid=valid,
        labelled=labelled,
    )


def _joints(values: np.ndarray, size: int, place: str, most: float) -> np.ndarray:
    """(T, 24, size) of the file's (size, 24, T); a clip of one frame has no last axis."""
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[:2] != (size, len(SMPL_24)) or not values.size:
        raise DatasetError(f"{place}: shape {values.shape}, expected ({size}, {len(SMPL_24)}, T)")
    return checked(values, place, most).transpose(2, 1, 0)


def _projected(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (..., 2) of points (..., 3), zero behind the camera, and which points are before it."""
    depth = points[..., 2:]
    in_front = depth > 1e-3
    pixels = points[..., :2] / np.where(in_front, depth, 1) * FOCAL + (WIDTH / 2, HEIGHT / 2)
    return np.where(in_front, pixels, 0), in_front[..., 0]


def _valid(drawn: np.ndarray, pixels: np.ndarray, in_front: np.ndarray, place: str) -> np.ndarray:
    """The frames (T,) whose body the camera sees where joints2D (T, 24, 2) say; in_front (T,).

    Raises DatasetError when the camera explains none of the frames that show somebody.
    """
    inside = ((drawn >= 0) & (drawn <= (WIDTH, HEIGHT))).all(-1)
    shown = (drawn != 0).any((1, 2)) & inside.any(1) & in_front
    # Joints beyond the border are not compared: whether the files cut them off there is not known.
    within = ((drawn > 0) & (drawn < (WIDTH - 1, HEIGHT - 1))).all(-1)
    apart = np.where(within[..., None], np.abs(drawn - pixels), 0).max((1, 2))
    valid = shown & (apart <= 1)
    if shown.any() and not valid.any():
        raise DatasetError(f"{place}: {apart[shown].min():.0f} px or more from joints3D seen by camLoc")
    return valid


def _as_human36m(joints: np.ndarray) -> np.ndarray:
    """(T, 17, 3) of SMPL's (T, 24, 3); the head's top is as far above its joint as the neck is below."""
    points = convert(joints, SMPL_24, HUMAN36M_17)
    neck, nose = (points[:, HUMAN36M_17.index(joint)] for joint in ("thorax", "nose"))
    points[:, HUMAN36M_17.index("head")] = 2 * nose - neck
    return points


def _rows(info: Path, every: int) -> range:
    values = load_v5(info, ("joints2D",))["joints2D"]
    return range(0, values.shape[2] if values.ndim == 3 else 1, every)


def _frames(video: Path, info: Path, every: int) -> Iterator[np.ndarray]:
    with closing(frames(video, len(_rows(info, every)), every)) as shown:
        for picture in shown:
            if picture.shape[:2] != (HEIGHT, WIDTH):
                height, width = picture.shape[:2]
                raise DatasetError(f"{video}: pictures of {width} x {height} px, expected {WIDTH} x {HEIGHT}")
            yield picture


def _masks(file: Path, info: Path, every: int) -> Iterator[np.ndarray]:
    for parts in _segments(file, info, every):
        yield parts > 0


def _parts(file: Path, info: Path, every: int) -> Iterator[np.ndarray]:
    for parts in _segments(file, info, every):
        yield _OURS[parts]


def _segments(file: Path, info: Path, every: int) -> Iterator[np.ndarray]:
    """SMPL's parts (240, 320), 0 to 24, of each row of the clip; a clip's are 8 MB and read at once."""
    names = [f"segm_{row + 1}" for row in _rows(info, every)]
    values = load_v5(file, names)
    for name in names:
        parts = values.pop(name)
        if parts.shape != (HEIGHT, WIDTH) or parts.dtype.kind not in "iu":
            raise DatasetError(f"{file}: {name}: {parts.dtype} {parts.shape}, expected ({HEIGHT}, {WIDTH})")
        if parts.min() < 0 or parts.max() > len(SMPL_PARTS):
            raise DatasetError(f"{file}: {name}: parts from {parts.min()} to {parts.max()}, there are 24")
        yield parts


def _our_part(name: str) -> int:
    """Number, in PARTS, of the part that is seen where SMPL's part of that name is drawn."""
    if name in _TRUNK:
        return PARTS.index(_TRUNK[name])
    seen = "right" if name.startswith("left") else "left"
    return PARTS.index(_LIMBS[name.removeprefix("left").removeprefix("right")].format(seen))


_OURS = np.array([0, *map(_our_part, SMPL_PARTS)], np.uint8)
