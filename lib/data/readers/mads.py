"""MADS, the martial arts, dancing and sports data set: its recordings by several cameras.

    multi_view_data/<category>/<take>_GT.mat       GTpose2: a cell a frame, joints (19, 3) or (15, 3)
    multi_view_data/<category>/<take>_C0.avi       and C1, C2
    multi_view_data/<category>/Calib_Cam0.mat      KK, kc, om_ext, T_ext

World coordinates are mm with y up. A frame without a pose is all NaN, a joint that was lost is NaN. The
recordings by a stereo pair (depth_data) are not read.

The site gives no split. Here the last take of each category, in the order of names, is for testing,
where a category has several. A take is a subject of its own, with the take's name, so that the two
parts share no recording; they may well share people.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from lib.data.dataset import Clip, DatasetError
from lib.data.matlab import load_v5
from lib.data.sources import Found, Options, Source, reading
from lib.data.videos import count_frames, frames
from lib.skeleton import HUMAN36M_17, MADS_15, MADS_19, convert, topological_order

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "mads"
SITE = "http://visal.cs.cityu.edu.hk/research/mads/"
LICENCE = "research use; cite Zhang et al., Image and Vision Computing 2017"
ROLE = "motion"

FPS = 15.0
CAMERAS = (0, 1, 2)
FARTHEST = 1e6  # mm; nobody dances a kilometre away
NEAREST = 100.0  # mm before the camera
WIDEST = 1e6  # px
# The lens of a clip is Human3.6M's (see `lib.geometry.project`), whose tangential part is not quite that
# of Bouguet's toolbox. 7/5 of the toolbox's p, in the other order, is nearest to it over any disc around
# the axis, by least squares; for the usual p of 0.001 and 25 degrees off the axis the two are 0.1 px apart.
NEAREST_TANGENTIAL = 7 / 5


@dataclass(frozen=True)
class _Take:
    """One take: its name, its category, and the folder of both."""

    name: str
    category: str
    folder: Path

    @property
    def poses(self) -> Path:
        return self.folder / f"{self.name}_GT.mat"

    def calibration(self, camera: int) -> Path:
        return self.folder / f"Calib_Cam{camera}.mat"

    @property
    def action(self) -> str:
        """HipHop_HipHop1 is "HipHop 1", Kata_P3 is "Kata 3", Sports_Tennis is "Sports Tennis"."""
        what, number = re.fullmatch(
            r"(.*?)([0-9]*)", self.name.removeprefix(f"{self.category}_"), re.DOTALL
        ).groups()
        what = what.strip("_- ")
        telling = len(what) > 1 and what != self.category
        return " ".join(filter(None, (self.category, what if telling else "", number)))


def find(path: Path, options: Options) -> Found:
    """The takes below a folder multi_view_data, or below the folder itself, with their cameras.

    Raises DatasetError when there are none.
    """
    path = Path(path)
    takes, notes = _takes(path)
    if not takes:
        raise DatasetError(
            f"{path}: no multi_view_data/<category>/<take>_GT.mat with Calib_Cam0.mat beside it"
        )
    last = {take.category: take for take in takes}
    several = {one.category for one in takes if one != last[one.category]}
    testing = {last[category].name for category in several}
    if options.subjects:
        takes = [take for take in takes if take.name in options.subjects]
        if not takes:
            raise DatasetError(f"{path}: none of the subjects {', '.join(options.subjects)} is here")
    notes += [
        "split by take: the last one of each category, in the order of names, is for testing",
        "15 frames a second is what others give; the data do not say",
        "joints_2d are projections of the 3D joints: the data have no 2D of their own",
    ]
    # The cameras of a take share its poses: the last ones read are kept.
    poses = lru_cache(maxsize=1)(_read_poses)
    sources = []
    for take in takes:
        for camera in CAMERAS:
            if take.calibration(camera).is_file():
                sources.append(_source(take, camera, options, poses))
            else:
                notes.append(f"{take.name}: camera {camera} left out: no Calib_Cam{camera}.mat")
    if any(source.frames for source in sources):
        notes.append("a clip whose video is shorter than its poses is cut to the video")
    return Found(
        sources=tuple(sources),
        split={
            "train": tuple(take.name for take in takes if take.name not in testing),
            "test": tuple(take.name for take in takes if take.name in testing),
        },
        source="MADS (several cameras)",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _takes(path: Path) -> tuple[list[_Take], list[str]]:
    """Takes in the natural order of category and name, and what was left out."""

    def natural(name: str):
        pieces = enumerate(re.split(r"([0-9]+)", name))
        return [int(piece) if index % 2 else piece for index, piece in pieces]

    with reading(path):
        if not path.is_dir():
            return [], []
        below = [path / "multi_view_data", *sorted(path.glob("*/multi_view_data"))]
        root = next((folder for folder in below if folder.is_dir()), path)
        files = [file for file in root.glob("*/*_GT.mat") if file.is_file()]
    takes, notes = [], []
    for file in files:
        take = _Take(file.name.removesuffix("_GT.mat"), file.parent.name, file.parent)
        if any(take.calibration(camera).is_file() for camera in CAMERAS):
            takes.append(take)
        else:
            notes.append(f"{take.category}/{take.name} left out: no Calib_Cam<n>.mat")
    for name, count in Counter(take.name for take in takes).items():
        if count > 1:
            raise DatasetError(f"{path}: {count} takes are named {name}")
    return sorted(takes, key=lambda take: (natural(take.category), natural(take.name))), sorted(notes)


def _source(take: _Take, camera: int, options: Options, poses) -> Source:
    video = take.folder / f"{take.name}_C{camera}.avi"
    recording = _Recording(
        take, camera, video if options.size and video.is_file() else None, options.every, poses
    )
    return Source(
        path=take.poses,
        subject=take.name,
        action=take.action,
        camera=str(camera),
        read=recording.read,
        frames=recording.frames if recording.video else None,
    )


@dataclass(frozen=True)
class _Recording:
    """One camera of a take; without a video the poses alone."""

    take: _Take
    camera: int
    video: Path | None
    every: int
    poses: Callable[[Path], tuple[np.ndarray, np.ndarray]]

    def read(self) -> Clip:
        world, labelled = self._joints()
        valid = labelled.any(axis=-1)
        if not valid.any():
            raise DatasetError(f"{self.take.poses}: GTpose2: none of {len(valid)} frames has a pose")
        path = self.take.calibration(self.camera)
        K, lens, R, t = _read_camera(path)
        joints_3d = _fill(world, labelled) @ R.T + t
        behind = joints_3d[..., 2] < NEAREST
        if behind.any():
            frame = np.argwhere(behind)[0][0]
            raise DatasetError(f"{self.take.poses}: GTpose2: frame {frame}: behind the camera of {path.name}")
        joints_2d = _project(joints_3d, K, lens)
        if not (np.abs(joints_2d) < WIDEST).all():
            raise DatasetError(f"{path}: KK, kc: the picture of {self.take.name} has no size")
        k1, k2, p1, p2, k3 = lens
        return Clip(
            subject=self.take.name,
            action=self.take.action,
            camera=str(self.camera),
            fps=FPS / self.every,
            K=K,
            R=R,
            t=t,
            joints_3d=joints_3d,
            joints_2d=joints_2d,
            valid=valid,
            labelled=labelled,
            distortion=np.array([k1, k2, k3, NEAREST_TANGENTIAL * p2, NEAREST_TANGENTIAL * p1]),
            source=self.take.name,
        )

    def frames(self) -> Iterator[np.ndarray]:
        yield from frames(self.video, len(self._joints()[0]), self.every)

    def _joints(self) -> tuple[np.ndarray, np.ndarray]:
        world, labelled = self.poses(self.take.poses)
        length = min(len(world), count_frames(self.video)) if self.video else len(world)
        return world[: length : self.every], labelled[: length : self.every]


def _read_poses(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Joints of Human3.6M in the world (F, 17, 3) mm, NaN where not known, and which are known (F, 17)."""
    cells = load_v5(path, ["GTpose2"])["GTpose2"]
    if cells.dtype != object:
        raise DatasetError(f"{path}: GTpose2: not a cell array")
    poses = {}
    for frame, cell in enumerate(cells.ravel()):
        if cell.dtype.kind not in "iuf" or cell.ndim != 2:
            raise DatasetError(f"{path}: GTpose2: frame {frame}: {cell.dtype} of shape {cell.shape}")
        if not np.isnan(cell).all():  # empty, or without a single number: no pose
            poses[frame] = cell
    shapes = {cell.shape for cell in poses.values()}
    if len(shapes) != 1 or not shapes <= {(19, 3), (15, 3)}:
        found = ", ".join(map(str, sorted(shapes)[:4])) or "none"
        raise DatasetError(f"{path}: GTpose2: poses of shape {found}; all are (19, 3), or all are (15, 3)")
    points = np.full((cells.size, *shapes.pop()), np.nan)
    for frame, cell in poses.items():
        points[frame] = cell
    wrong = (np.abs(points) > FARTHEST).any(axis=(1, 2))
    if wrong.any():
        raise DatasetError(f"{path}: GTpose2: frame {np.argmax(wrong)}: a joint more than a kilometre away")
    points = convert(points, MADS_19 if points.shape[1] == 19 else MADS_15, HUMAN36M_17)
    labelled = ~np.isnan(points).any(axis=-1)
    return np.where(labelled[..., None], points, np.nan), labelled


def _fill(points: np.ndarray, labelled: np.ndarray) -> np.ndarray:
    """Points (T, 17, 3) with each joint that is not known put at its nearest known ancestor.

    Where there is none, it is put at the mean of the frame's known joints. A frame without any is a
    copy of the last one before it that has some, or of the first one that has.
    """
    points = points.copy()
    root, valid = HUMAN36M_17.root, labelled.any(axis=-1)
    for frame in np.flatnonzero(valid & ~labelled[:, root]):
        points[frame, root] = points[frame][labelled[frame]].mean(axis=0)
    for joint in topological_order(HUMAN36M_17.parents):
        if joint != root:
            lost = ~labelled[:, joint]
            points[lost, joint] = points[lost, HUMAN36M_17.parents[joint]]
    frames = np.arange(len(points))
    return points[np.maximum.accumulate(np.where(valid, frames, valid.argmax()))]


def _read_camera(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """K (3, 3), k1 k2 p1 p2 k3 (5,), R (3, 3) and t (3,) mm, world to camera."""
    loaded = load_v5(path, ("KK", "kc", "om_ext", "T_ext"))
    for name, size in (("KK", 9), ("kc", 5), ("om_ext", 3), ("T_ext", 3)):
        values = loaded[name]
        if values.dtype.kind not in "iuf" or values.size != size or not np.isfinite(values).all():
            raise DatasetError(f"{path}: {name}: not {size} finite numbers")
    K = loaded["KK"].astype(np.float64)
    if K.shape != (3, 3) or not (K[0, 0] > 0 and K[1, 1] > 0) or tuple(K[2]) != (0, 0, 1) or K[1, 0] != 0:
        raise DatasetError(f"{path}: KK: not the intrinsics of a camera")
    R = _rotation(loaded["om_ext"].astype(np.float64).ravel(), f"{path}: om_ext")
    t = loaded["T_ext"].astype(np.float64).ravel()
    if np.abs(t).max() > FARTHEST:
        raise DatasetError(f"{path}: T_ext: {t} mm")
    return K, loaded["kc"].astype(np.float64).ravel(), R, t


def _rotation(vector: np.ndarray, place: str) -> np.ndarray:
    """The matrix (3, 3) of an axis times an angle in radians (3,), by Rodrigues' formula."""
    if np.abs(vector).max() > 2 * np.pi:
        raise DatasetError(f"{place}: {vector} is no axis times an angle in radians")
    angle = np.linalg.norm(vector)
    x, y, z = vector / angle if angle else vector
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def _project(points: np.ndarray, K: np.ndarray, lens: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) of points (..., 3) in the camera, through lens (5,) = k1 k2 p1 p2 k3.

    The lens of Bouguet's camera calibration toolbox for MATLAB, which wrote the files.
    """
    k1, k2, p1, p2, k3 = lens
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = np.moveaxis(points[..., :2] / points[..., 2:], -1, 0)
        square = x * x + y * y
        radial = 1 + square * (k1 + square * (k2 + square * k3))
        u = x * radial + 2 * p1 * x * y + p2 * (square + 2 * x * x)
        v = y * radial + 2 * p2 * x * y + p1 * (square + 2 * y * y)
        return np.stack([K[0, 0] * u + K[0, 1] * v + K[0, 2], K[1, 1] * v + K[1, 2]], axis=-1)
