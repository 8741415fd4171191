"""Human3.6M as VideoPose3D keeps it: data_3d_h36m.npz and, beside it, data_2d_h36m_<detector>.npz.

positions_3d holds {"S1": {"Directions 1": (F, 32, 3)}}, metres in the world, z up. positions_2d holds
{"S1": {"Directions 1": [four arrays (F', J, 2 or more)]}}, pixels, in the order of the cameras, and
metadata says which joints these are. F' can be more than F. data_2d_h36m_gt.npz are projections of the 17
joints with the lens's distortion; all others are a detector's.

Where the cameras stood is in none of these files. It is read from the site's metadata.xml where that lies
beside them, and else solved from the projections, which are exact.

All are object arrays; none is unpickled (lib.data.object_arrays).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lib.data import human36m as h36m
from lib.data.array_pickle import shown
from lib.data.dataset import Clip, DatasetError
from lib.data.human36m import Take, View
from lib.data.object_arrays import read_npz
from lib.data.resection import resect
from lib.data.sources import Found, Options, Source, reading
from lib.skeleton import COCO_17, HUMAN36M_17, HUMAN36M_32, Skeleton, convert

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "videopose3d"
SITE = "https://github.com/facebookresearch/VideoPose3D"
LICENCE = h36m.LICENCE
ROLE = "studio"

POSES, PROJECTED = "data_3d_h36m.npz", "data_2d_h36m_gt.npz"
FARTHEST = 100.0  # m; what is beyond is not in metres
MISFIT = 0.5  # px
# A camera is solved to 0.0001 px from exact projections, and to 0.03 px from those through another's lens.
EXACT = 0.01  # px
SAMPLED = 240  # frames of a subject, from which its cameras are solved

MPII_16 = Skeleton(
    "mpii_16",
    (
        *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
        *("pelvis", "thorax", "neck", "head", "right_wrist", "right_elbow", "right_shoulder"),
        *("left_shoulder", "left_elbow", "left_wrist"),
    ),
    (1, 2, 6, 6, 3, 4, -1, 6, 7, 8, 11, 12, 7, 7, 13, 14),
    ((3, 2), (4, 1), (5, 0), (13, 12), (14, 11), (15, 10)),
)
LAYOUTS = {"h36m": HUMAN36M_17, "coco": COCO_17, "mpii": MPII_16}
# The joints that all of them have, or lie midway between two of theirs.
SHARED = Skeleton(
    "human36m_14",
    tuple(name for name in HUMAN36M_17.joints if name not in ("spine", "nose", "head")),
    (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 7, 11, 12),
    ((4, 1), (5, 2), (6, 3), (8, 11), (9, 12), (10, 13)),
)
MADE_UP = {
    "coco": "; it has no spine, put midway between pelvis and thorax, and no head, put beyond the nose",
    "mpii": "; it has no spine, put midway between pelvis and thorax, and no nose, put below the head",
}


@dataclass(frozen=True)
class _Pixels:
    """A file of 2D joints: for each subject and take four arrays (F', J, 2 or more), one a camera."""

    path: Path
    layout: str
    takes: Mapping[tuple[str, Take], tuple[np.ndarray, ...]]

    def read(self, subject: str, take: Take, camera: int, frames: int) -> np.ndarray:
        """The first ``frames`` rows, (F, 17, 2) px float64 of Human3.6M's joints."""
        place = f"{self.path}: positions_2d: {subject} {take}, camera {h36m.CAMERAS[camera].name}"
        values = self.takes[subject, take][camera]
        joints = len(LAYOUTS[self.layout])
        if values.ndim != 3 or values.shape[1] != joints or not 2 <= values.shape[2] <= 8:
            raise DatasetError(f"{place}: shape {values.shape}, expected (frames, {joints}, 2)")
        if len(values) < frames:
            raise DatasetError(f"{place}: {len(values)} frames, the poses have {frames}")
        return _converted(_checked(values[:frames, :, :2], place, h36m.NOWHERE), self.layout)


@dataclass(frozen=True)
class _Files:
    """What is in the files. poses: (F, 32, 3) m in the world. views: the cameras that are known so far."""

    path: Path
    poses: Mapping[tuple[str, Take], np.ndarray]
    projected: _Pixels | None
    detected: _Pixels | None
    views: dict[tuple[str, str], View]

    def read(self, subject: str, take: Take, action: str, camera: int, every: int) -> Clip:
        world, lens = self.world(subject, take), h36m.CAMERAS[camera]
        view = self.view(subject, camera)
        joints = world @ view.R.T + view.t
        behind = joints[..., 2] <= 0
        if behind.any():
            frame, joint = np.argwhere(behind)[0]
            raise DatasetError(
                f"{self.path}: positions_3d: {subject} {take}, frame {frame}: "
                f"joint {joint} is behind camera {lens.name}"
            )
        pixels = h36m.project(joints, view.K, view.distortion)
        if self.projected:
            given = self.projected.read(subject, take, camera, len(world))
            self.compare(given, pixels, f"{subject} {take}", lens.name)
            pixels = given
        detected = self.detected and self.detected.read(subject, take, camera, len(world))
        return Clip(
            subject=subject,
            action=action,
            camera=lens.name,
            fps=h36m.FPS / every,
            K=view.K,
            R=view.R,
            t=view.t,
            joints_3d=joints[::every].astype(np.float32),
            joints_2d=pixels[::every].astype(np.float32),
            detected_2d=None if detected is None else detected[::every].astype(np.float32),
            source=f"{subject} {take}",
            distortion=view.distortion,
        )

    def world(self, subject: str, take: Take) -> np.ndarray:
        """(F, 17, 3) mm in the world, float64."""
        place = f"{self.path}: positions_3d: {subject} {take}"
        values = _checked(self.poses[subject, take], f"{place} (metres)", FARTHEST)
        return 1000 * convert(values, HUMAN36M_32, HUMAN36M_17)

    def view(self, subject: str, camera: int) -> View:
        """The camera, from metadata.xml or solved once for all takes of the subject."""
        lens = h36m.CAMERAS[camera]
        if (subject, lens.name) not in self.views:
            self.views[subject, lens.name] = self.solve(subject, camera)
        return self.views[subject, lens.name]

    def solve(self, subject: str, camera: int) -> View:
        lens = h36m.CAMERAS[camera]
        takes = [take for other, take in self.poses if other == subject]
        points, pixels = [], []
        for take in takes:
            world = self.world(subject, take)
            rows = np.linspace(0, len(world) - 1, max(2, SAMPLED // len(takes))).astype(int)
            points.append(world[rows].reshape(-1, 3))
            pixels.append(self.projected.read(subject, take, camera, len(world))[rows].reshape(-1, 2))
        points, pixels = np.concatenate(points), np.concatenate(pixels)
        distortion = np.array(lens.distortion)
        with reading(self.projected.path, f"positions_2d: {subject}, camera {lens.name}"):
            R, t = resect(points, pixels, lens.K, distortion)
        computed = h36m.project(points @ R.T + t, lens.K, distortion)
        self.compare(pixels, computed, subject, lens.name, EXACT)
        return View(lens.K, distortion, R, t)

    def compare(
        self, given: np.ndarray, computed: np.ndarray, what: str, camera: str, most: float = MISFIT
    ) -> None:
        """Refuse pixels that are not the projections of the poses; single wrong points may be."""
        misfit = float(np.median(np.linalg.norm(given - computed, axis=-1)))
        if not misfit <= most:
            raise DatasetError(
                f"{self.projected.path}: positions_2d: {what}, camera {camera}: {misfit:.3g} px off the "
                f"projected poses, {most:g} are admitted"
            )


def find(path: Path, options: Options) -> Found:
    """The clips of a folder with data_3d_h36m.npz, or of that file.

    options.detections: a file data_2d_h36m_*.npz, whose joints become the clips' detected_2d. There are no
    pictures. Raises DatasetError when the poses are not there, when neither metadata.xml nor
    data_2d_h36m_gt.npz lies beside them, when a file of pixels lacks a take, and for universal poses.
    """
    path = Path(path)
    file = path / POSES if path.is_dir() else path
    if not file.is_file():
        raise DatasetError(f"{path}: no {POSES}")
    if options.universal:
        raise DatasetError(
            f"{file}: these are each subject's own bodies; universal poses are in no such file"
        )
    notes: list[str] = []
    poses = _poses(file, options.subjects, notes)
    beside = file.parent / PROJECTED
    projected = _pixels(beside, poses) if beside.is_file() else None
    if projected and projected.layout != "h36m":
        raise DatasetError(f"{beside}: metadata: joints of {projected.layout}, Human3.6M's were expected")
    views = _views(file.parent, projected, notes)
    detected = None
    if options.detections is not None:
        given = Path(options.detections)
        detected = _pixels(given if given.is_file() else file.parent / given, poses)
        notes.append(f"detected_2d: {detected.path.name}" + MADE_UP.get(detected.layout, ""))
    files = _Files(file, poses, projected, detected, views)
    sources = tuple(_sources(files, options.every, notes))
    return Found(
        sources=sources,
        split=h36m.split(source.subject for source in sources),
        source=f"Human3.6M by VideoPose3D, {SITE}",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _sources(files: _Files, every: int, notes: list[str]) -> Iterator[Source]:
    subjects = tuple(dict.fromkeys(subject for subject, _ in files.poses))
    for subject in subjects:
        names = h36m.take_names(take for other, take in files.poses if other == subject)
        for take, action in names.items():
            for number, lens in enumerate(h36m.CAMERAS):
                # These files have no pictures, beside which the poses could stand.
                if h36m.FAULTS_OF_FILES.admits(subject, take, lens.name, False, notes):
                    read = partial(files.read, subject, take, action, number, every)
                    yield Source(files.path, subject, action, lens.name, read)
    if "S11" in subjects and ("S11", Take("Directions", 0)) not in files.poses:
        notes.append("S11 Directions: not in these files, by none of the cameras")


def _views(folder: Path, projected: _Pixels | None, notes: list[str]) -> dict[tuple[str, str], View]:
    if projected is None:
        notes.append(f"no {PROJECTED}: joints_2d are projected from the poses")
    for place in (folder, folder.absolute().parent):
        if (place / "metadata.xml").is_file():
            return dict(h36m.read_metadata(place / "metadata.xml"))
    if projected is None:
        raise DatasetError(
            f"{folder}: neither {PROJECTED} nor metadata.xml, of which one must tell where the cameras stood"
        )
    notes.append(f"no metadata.xml: where the cameras stood is solved from {PROJECTED}")
    return {}


def _poses(path: Path, wanted: tuple[str, ...], notes: list[str]) -> dict[tuple[str, Take], np.ndarray]:
    content, unknown = _takes(read_npz(path, ["positions_3d"])["positions_3d"], f"{path}: positions_3d")
    if unknown:
        notes.append(f"left out, not known as takes of Human3.6M: {', '.join(unknown[:9])}")
    present = tuple(dict.fromkeys(subject for subject, _ in content))
    absent = [subject for subject in wanted if subject not in present]
    if absent or not content:
        raise DatasetError(
            f"{path}: positions_3d: no {', '.join(absent) or 'takes'} (there: {', '.join(present)})"
        )
    for (subject, take), values in content.items():
        if not isinstance(values, np.ndarray) or values.dtype.kind != "f":
            raise DatasetError(f"{path}: positions_3d: {subject} {take}: no array of floating-point numbers")
        if values.ndim != 3 or values.shape[1:] != (32, 3) or not len(values):
            raise DatasetError(
                f"{path}: positions_3d: {subject} {take}: shape {values.shape}, expected (frames, 32, 3)"
            )
    order = (*h36m.TRAIN, *h36m.TEST)
    kept = [key for key in content if not wanted or key[0] in wanted]
    return {key: content[key] for key in sorted(kept, key=lambda key: (order.index(key[0]), key[1]))}


def _pixels(path: Path, poses: Iterable[tuple[str, Take]]) -> _Pixels:
    arrays = read_npz(path, ["positions_2d", "metadata"])
    layout = _layout(arrays["metadata"], path)
    content, _ = _takes(arrays["positions_2d"], f"{path}: positions_2d")
    takes = {}
    for subject, take in poses:
        values = content.get((subject, take))
        if values is None:
            raise DatasetError(f"{path}: positions_2d: {subject} {take} is missing")
        cameras = tuple(values) if isinstance(values, list | tuple) else ()
        if len(cameras) != 4 or not all(isinstance(v, np.ndarray) and v.dtype.kind in "fiu" for v in cameras):
            raise DatasetError(f"{path}: positions_2d: {subject} {take}: no four arrays of numbers")
        takes[subject, take] = cameras
    return _Pixels(path, layout, takes)


def _takes(array: np.ndarray, place: str) -> tuple[dict[tuple[str, Take], object], list[str]]:
    """What a file has of each subject and take, and the names that are none of Human3.6M's."""
    content, unknown = {}, []
    for subject, actions in _dict(array, place).items():
        if type(actions) is not dict:
            raise DatasetError(f"{place}: {shown(subject)}: no dict of actions")
        for action, values in actions.items():
            take = h36m.parse_take(str(action))
            if subject not in (*h36m.TRAIN, *h36m.TEST) or take is None:
                unknown.append(f"{shown(subject)} {shown(action)}")
            elif (subject, take) in content:
                raise DatasetError(f"{place}: {subject} {take}: twice, by two names of the action")
            else:
                content[subject, take] = values
    return content, unknown


def _dict(array: np.ndarray, place: str) -> dict:
    value = array.item() if array.dtype.hasobject and array.shape == () else None
    if type(value) is not dict:
        raise DatasetError(f"{place}: no dict, but an array of {array.dtype} and shape {array.shape}")
    return value


def _layout(array: np.ndarray, path: Path) -> str:
    """Which joints these are: by their number, by which are left and right, and by name if there is one."""
    metadata = _dict(array, f"{path}: metadata")
    name, joints, sides = (metadata.get(key) for key in ("layout_name", "num_joints", "keypoints_symmetry"))
    with reading(path, "metadata: keypoints_symmetry"):
        sides = [sorted(int(joint) for joint in side) for side in sides]
    for layout, skeleton in LAYOUTS.items():
        here = [sorted(side) for side in zip(*skeleton.pairs, strict=True)]
        if joints == len(skeleton) and sides == here and name in (None, layout):
            return layout
    raise DatasetError(
        f"{path}: metadata: layout_name {shown(name)}, {shown(joints)} joints, left and right {shown(sides)} "
        f"not those of {', '.join(LAYOUTS)}"
    )


def _converted(points: np.ndarray, layout: str) -> np.ndarray:
    """Points (F, J, 2) as Human3.6M's 17 joints; where a layout lacks one, MADE_UP says where it is put."""
    if layout == "h36m":
        return points
    index = HUMAN36M_17.index
    joints = np.empty((len(points), len(HUMAN36M_17), 2))
    joints[:, [index(name) for name in SHARED.joints]] = convert(points, LAYOUTS[layout], SHARED)
    pelvis, thorax = joints[:, index("pelvis")], joints[:, index("thorax")]
    joints[:, index("spine")] = (pelvis + thorax) / 2
    if layout == "coco":
        nose = points[:, COCO_17.index("nose")]
        head = 2 * nose - thorax
    else:
        head = points[:, MPII_16.index("head")]
        nose = (thorax + head) / 2
    joints[:, index("nose")], joints[:, index("head")] = nose, head
    return joints


def _checked(values: np.ndarray, place: str, most: float) -> np.ndarray:
    """(F, J, D) as float64; raises DatasetError where a coordinate is not finite or beyond ``most``."""
    with np.errstate(invalid="ignore"):  # there is a kind of NaN that warns when it is converted
        values = values.astype(np.float64)
    wrong = ~(np.abs(values) <= most).all(-1)
    if wrong.any():
        frame, joint = np.argwhere(wrong)[0]
        raise DatasetError(f"{place}: frame {frame}: joint {joint} is at {values[frame, joint]}")
    return values
