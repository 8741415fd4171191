"""Small folders as h36m-fetch leaves them: processed/S1/Directions-1/ with annot.h5 and pictures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from built_human36m import CAMERAS, SIZES, SUBJECTS, Built, colour, people, see, silhouette
from PIL import Image

ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting"),
    *("SittingDown", "Smoking", "TakingPhoto", "Waiting", "Walking", "WalkingDog", "WalkingTogether"),
)  # numbered from 2 on
TAKES = {
    "S1": ("TakingPhoto-1", "TakingPhoto-2"),
    "S5": ("Discussion-1",),
    "S6": ("WalkingTogether-2",),
    "S7": ("WalkingDog-1",),
    "S8": ("Walking-1",),
    "S9": ("Greeting-1", "Greeting-2", "SittingDown-1", "SittingDown-2", "Waiting-1", "Waiting-2"),
    "S11": ("Directions-1", "Directions-2"),
}
MISSING = {("S11", "Directions-2", "54138969")}


@dataclass(frozen=True)
class Fetched:
    """What went in for one folder and camera. rows: the frames kept; intrinsics: fx cx fy cy."""

    built: Built
    rows: np.ndarray
    intrinsics: np.ndarray
    intrinsics_universal: np.ndarray


def build(
    folder: Path,
    takes: Mapping[str, Iterable[str]] = TAKES,
    frames: int = 24,
    cameras: Iterable[str] = CAMERAS,
    *,
    missing: Iterable[tuple[str, str, str]] = MISSING,
    pictures: bool = False,
) -> dict[tuple[str, str, str], Fetched]:
    """Write folder/processed and give what went in, by subject, folder's name and camera.

    Kept are about half of the ``frames``, others in each camera of the training subjects, and every third of
    the test subjects. Pictures are as in the videos of `built_human36m`.
    """
    fetched = {}
    for subject, names in takes.items():
        for name in names:
            place = folder / "processed" / subject / name
            place.mkdir(parents=True)
            world = people(subject, name, frames)
            columns = {}
            for camera in cameras:
                if (subject, name, camera) in missing:
                    continue
                one = see(subject, camera, world)
                rows = _kept(subject, camera, frames)
                fetched[subject, name, camera] = kept = Fetched(
                    one, rows, fitted(one.joints, one.pixels), fitted(one.universal, one.pixels)
                )
                for key, values in _columns(subject, name, camera, kept).items():
                    columns.setdefault(key, []).append(values)
                if pictures:
                    write_pictures(place / "imageSequence" / camera, SIZES[camera], one.pixels, rows)
            with h5py.File(place / "annot.h5", "w") as file:
                for key, values in columns.items():
                    file.create_dataset(key, data=np.concatenate(values))
    return fetched


def every_action(subjects: Iterable[str] = SUBJECTS, count: int = 15) -> dict[str, tuple[str, ...]]:
    """Both takes of the first ``count`` of the fifteen actions for each subject."""
    return dict.fromkeys(subjects, tuple(f"{action}-{n}" for action in ACTIONS[:count] for n in (1, 2)))


def fitted(points: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """The pinhole camera that fits best, as the tool fits it: fx cx fy cy."""
    depth = points[..., 2].ravel()
    found = []
    for axis in (0, 1):
        known = np.stack([points[..., axis].ravel(), depth], -1)
        found += list(np.linalg.lstsq(known, pixels[..., axis].ravel() * depth, rcond=None)[0])
    return np.array(found)


def _kept(subject: str, camera: str, frames: int) -> np.ndarray:
    if subject in ("S9", "S11"):
        return np.arange(0, frames, 3)
    random = np.random.default_rng(int(camera))
    return np.concatenate([[0], 1 + np.flatnonzero(random.random(frames - 1) < 0.5)])


def _columns(subject: str, name: str, camera: str, kept: Fetched) -> dict[str, np.ndarray]:
    action, take = name.split("-")
    rows = kept.rows
    numbers = {
        "camera": int(camera),
        "subject": int(subject[1:]),
        "action": ACTIONS.index(action) + 2,
        "subaction": int(take),
    }
    return {
        "pose/2d": kept.built.pixels[rows],
        "pose/3d": kept.built.joints[rows],
        "pose/3d-univ": kept.built.universal[rows],
        f"intrinsics/{camera}": kept.intrinsics,
        f"intrinsics-univ/{camera}": kept.intrinsics_universal,
        "frame": rows + 1,
    } | {key: np.full(len(rows), number) for key, number in numbers.items()}


def write_pictures(folder: Path, size: tuple[int, int], pixels: np.ndarray, rows: np.ndarray) -> None:
    """img_000001.jpg for row 0 and so on: a bright figure before the colour of its frame."""
    folder.mkdir(parents=True)
    for row in rows:
        figure = silhouette(pixels[row], size)[..., None]
        picture = np.where(figure, 230, colour(row, size)).astype(np.uint8)
        Image.fromarray(picture).save(folder / f"img_{row + 1:06d}.jpg", quality=90)
