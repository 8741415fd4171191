"""Human3.6M: what its layouts share. Subjects, actions and takes, faulty takes, and the four cameras.

The cameras' intrinsics were published with the data and are the same for all subjects. Their lenses
distort: `project` is the data set's own model, by which the official 2D positions are the projections of
the official 3D positions. `read_metadata` reads what metadata.xml, from the data set's own software,
says of the cameras: where they stood, subject by subject.

Source: C. Ionescu, D. Papava, V. Olaru, C. Sminchisescu, "Human3.6M: Large Scale Datasets and Predictive
Methods for 3D Human Sensing in Natural Environments", TPAMI 36 (7), 2014, and the software released
with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.dataset import DatasetError
from lib.data.sources import reading

__all__ = [
    "ACTIONS", "ALIASES", "CAMERAS", "FAULTS_OF_FETCH", "FAULTS_OF_FILES", "FPS", "HIDDEN", "LICENCE",
    "NOWHERE", "SITE", "TEST", "TRAIN", "Faults", "Lens", "Take", "View", "action_number", "lens_of",
    "of_size", "parse_take", "project", "read_metadata", "split", "take_names",
]  # fmt: skip

SITE = "http://vision.imar.ro/human3.6m"
LICENCE = "Human3.6M licence: academic research only, no redistribution, cite the papers named there"
FPS = 50.0
TRAIN = ("S1", "S5", "S6", "S7", "S8")
TEST = ("S9", "S11")
HIDDEN = ("S2", "S3", "S4", "S10")  # the site's own test: videos without poses
# In the order of metadata.xml, which numbers them from 2 on; 1 is _ALL, all actions in one.
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting"),
    *("SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog", "WalkTogether"),
)
# One action, two names: which one a file bears differs from subject to subject and from layout to layout.
ALIASES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog", "WalkingTogether": "WalkTogether"}
NOWHERE = 1e6  # mm or px; no joint is so far away
METADATA_LARGEST = 1 << 22  # the file has some hundred thousand bytes


@dataclass(frozen=True, order=True)
class Take:
    """A recording by the name of its files: "Photo 1" is ("Photo", 1), "Photo" is ("Photo", 0)."""

    kind: str
    number: int

    def __str__(self) -> str:
        return f"{self.kind} {self.number}" if self.number else self.kind


@dataclass(frozen=True)
class Faults:
    """Takes that are known to be wrong: (subject, take) and (subject, take, camera).

    shifted: the poses, 3D and 2D, stand about 0.2 m beside the person in the pictures. They are good
    poses, but not those of the pictures. broken: the video is damaged; nearly everybody leaves this
    camera out.
    """

    shifted: tuple[tuple[str, Take], ...]
    broken: tuple[str, Take, str]

    def admits(self, subject: str, take: Take, camera: str, pictures: bool, notes: list[str]) -> bool:
        """Whether a clip is to be read, with pictures or without; adds what must be said to ``notes``."""
        if (subject, take, camera) == self.broken:
            notes.append(f"{subject} {take}, camera {camera}: the video is broken, left out")
            return False
        if (subject, take) not in self.shifted:
            return True
        note = f"{subject} {take}: the poses stand beside the person in the pictures, "
        note += "left out" if pictures else "kept since no pictures are read"
        if note not in notes:
            notes.append(note)
        return not pictures


# The same four recordings, as the files number the takes and as metadata.xml and h36m-fetch number them.
FAULTS_OF_FILES = Faults(
    (("S9", Take("Greeting", 0)), ("S9", Take("SittingDown", 1)), ("S9", Take("Waiting", 1))),
    ("S11", Take("Directions", 0), "54138969"),
)
FAULTS_OF_FETCH = Faults(
    (("S9", Take("Greeting", 2)), ("S9", Take("SittingDown", 2)), ("S9", Take("Waiting", 1))),
    ("S11", Take("Directions", 2), "54138969"),
)


@dataclass(frozen=True)
class Lens:
    """A camera's published intrinsics in px, for pictures of width x height.

    distortion: k1 k2 k3 p1 p2, the last two in the order in which `project` takes them. w0 in
    metadata.xml has them the other way round.
    """

    name: str
    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, float, float, float, float]
    width: int
    height: int

    @property
    def K(self) -> np.ndarray:
        return _matrix(self.focal, self.centre)

    @property
    def alone(self) -> View:
        """The camera where nothing is known of its place."""
        return View(self.K, np.array(self.distortion), np.eye(3), np.zeros(3))


CAMERAS = (
    Lens(
        "54138969",
        (1145.0494384765625, 1143.7811279296875),
        (512.54150390625, 515.4514770507812),
        (-0.20709891617298126, 0.24777518212795258, -0.0030751503072679043,
         -0.0009756988729350269, -0.00142447161488235),
        1000, 1002,
    ),
    Lens(
        "55011271",
        (1149.6756591796875, 1147.5916748046875),
        (508.8486328125, 508.0649108886719),
        (-0.1942136287689209, 0.2404085397720337, 0.006819975562393665,
         -0.0016190266469493508, -0.0027408944442868233),
        1000, 1000,
    ),
    Lens(
        "58860488",
        (1149.1407470703125, 1148.7989501953125),
        (519.8158569335938, 501.40264892578125),
        (-0.2083381861448288, 0.25548800826072693, -0.0024604974314570427,
         0.0014843869721516967, -0.0007599993259645998),
        1000, 1000,
    ),
    Lens(
        "60457274",
        (1145.5113525390625, 1144.77392578125),
        (514.9682006835938, 501.88201904296875),
        (-0.198384091258049, 0.21832367777824402, -0.008947807364165783,
         -0.0005872055771760643, -0.0018133620033040643),
        1000, 1002,
    ),
)  # fmt: skip


@dataclass(frozen=True)
class View:
    """A camera for a subject: K (3, 3) px, distortion (5,), X_camera = R X_world + t, t (3,) in mm."""

    K: np.ndarray
    distortion: np.ndarray
    R: np.ndarray
    t: np.ndarray


def lens_of(camera: str) -> Lens:
    """The published intrinsics of a camera by its name; KeyError when it is none of the four."""
    for lens in CAMERAS:
        if lens.name == camera:
            return lens
    raise KeyError(
        f"Human3.6M has no camera {camera!r}; it has {', '.join(lens.name for lens in CAMERAS)}"
    )


def split(subjects: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The usual split, train S1 S5 S6 S7 S8 and test S9 S11, of the subjects that are there."""
    subjects = set(subjects)
    return {
        "train": tuple(subject for subject in TRAIN if subject in subjects),
        "test": tuple(subject for subject in TEST if subject in subjects),
    }


def parse_take(name: str) -> Take | None:
    """The take of a file's name without camera and suffix ("TakingPhoto 1"); None when it is none."""
    match = re.fullmatch(r"([A-Za-z]+)(?: (\d{1,2}))?", name, re.ASCII)
    if not match:
        return None
    kind = ALIASES.get(match[1], match[1])
    return Take(kind, int(match[2] or 0)) if kind in ACTIONS else None


def take_names(takes: Iterable[Take]) -> dict[Take, str]:
    """Names of one subject's takes: the first of an action is "Photo", the second "Photo 2".

    The files' own numbers differ by subject (none and 1, 1 and 2, 2 and 3); they give the order.
    """
    names, used = {}, {}
    for take in sorted(set(takes)):
        used[take.kind] = used.get(take.kind, 0) + 1
        names[take] = str(Take(take.kind, used[take.kind] if used[take.kind] > 1 else 0))
    return names


def action_number(kind: str) -> int:
    """An action's number in metadata.xml, 2 to 16."""
    return ACTIONS.index(kind) + 2


def project(points: np.ndarray, K: np.ndarray, distortion: np.ndarray) -> np.ndarray:
    """Pixels (..., 2) of points (..., 3) in camera coordinates, by Human3.6M's model of the lens.

    With u = (x, y) / z, r2 = |u|^2 and p = (p1, p2):
    f * (u (1 + k1 r2 + k2 r2^2 + k3 r2^3 + p . u) + p r2) + c. The mixed terms of p are half of
    OpenCV's.
    """
    points, K = np.asarray(points, np.float64), np.asarray(K, np.float64)
    k1, k2, k3, *p = np.asarray(distortion, np.float64)
    u = points[..., :2] / points[..., 2:]
    r2 = (u**2).sum(-1, keepdims=True)
    factor = 1 + r2 * (k1 + r2 * (k2 + r2 * k3)) + (u * p).sum(-1, keepdims=True)
    return (u * factor + np.array(p) * r2) * K.diagonal()[:2] + K[:2, 2]


def read_metadata(path: str | Path) -> Mapping[tuple[str, str], View]:
    """The cameras of metadata.xml by subject ("S1" to "S11") and camera.

    Its element w0 holds 300 numbers: for each camera, for each subject, three angles and three
    millimetres, then nine intrinsics for each camera (fx fy cx cy k1 k2 k3 and the tangential pair in
    reverse order). R = Rx(a0) Ry(a1) Rz(a2), and the millimetres are the camera's place in the world.
    Raises DatasetError when these are not there or cannot be a camera's.
    """
    path = Path(path)
    with reading(path):
        size = path.stat().st_size
        if size > METADATA_LARGEST:
            raise DatasetError(f"{path}: {size} bytes are too many for a metadata.xml")
        text = path.read_text(encoding="utf-8", errors="replace")
    # By a pattern and not as XML: nothing of it can expand or lead to another file.
    match = re.search(r"<w0>\s*\[([^<\]]*)\]\s*</w0>", text)
    if match is None:
        raise DatasetError(f"{path}: w0: no such element, or it does not hold numbers in brackets")
    words = match[1].replace(",", " ").split()
    with reading(path, "w0"):
        numbers = np.array(words[:301], dtype=np.float64)
    if len(words) != 300 or not (np.abs(numbers) < NOWHERE).all():
        raise DatasetError(f"{path}: w0: {len(words)} numbers, expected 300, none of them huge")
    poses, lenses = numbers[:264].reshape(4, 11, 6), numbers[264:].reshape(4, 9)
    views = {}
    for published, lens, of_camera in zip(CAMERAS, lenses, poses, strict=True):
        if not 0.5 < (lens[:2] / published.focal).min() <= (lens[:2] / published.focal).max() < 2:
            raise DatasetError(
                f"{path}: w0: focal lengths {lens[:2]} cannot be of camera {published.name}"
            )
        for number, pose in enumerate(of_camera, start=1):
            R = _rotation(pose[:3])
            views[f"S{number}", published.name] = View(
                K=_matrix(lens[:2], lens[2:4]),
                distortion=np.concatenate([lens[4:7], lens[:6:-1]]),
                R=R,
                t=-R @ pose[3:],
            )
    return views


def of_size(pictures: Iterator[np.ndarray], camera: str, path: str | Path) -> Iterator[np.ndarray]:
    """The pictures (H, W, 3) or masks (H, W) as they come.

    Raises DatasetError, naming ``path``, at one that does not have the size of the camera's pictures.
    """
    lens = lens_of(camera)
    try:
        for index, picture in enumerate(pictures):
            height, width = picture.shape[:2]
            if (width, height) != (lens.width, lens.height):
                raise DatasetError(
                    f"{path}: picture {index}: {width} x {height} px, "
                    f"camera {camera} takes {lens.width} x {lens.height}"
                )
            yield picture
    finally:
        pictures.close()


def _matrix(focal, centre) -> np.ndarray:
    return np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]], np.float64)


def _rotation(angles: np.ndarray) -> np.ndarray:
    """Rx(a0) Ry(a1) Rz(a2)."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(angles), np.sin(angles)
    Rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    Ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    Rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return Rx @ Ry @ Rz
