"""Cameras around a room, and clips of a moving person filmed by them.

Where the person moves stands in a ``Take``: world millimetres, z up, floor at z = 0. Filming turns
the take by a random angle about the vertical, so that all facing directions occur, puts the middle
of its path near the room's centre, and keeps the stretches in which every joint is in every
camera's image.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np
import torch

from lib import geometry
from lib.data.dataset import Clip, action_kind
from lib.data.detector import DetectorNoise, detect
from lib.skeleton import HUMAN36M_17

__all__ = ["OUTDOOR", "STUDIO", "StudioCamera", "Take", "film", "in_view", "runs"]

MARGIN = 5.0  # px between every joint and the image's border
NEAREST = 1500.0  # mm, least depth of a joint
ROOM = 700.0  # mm: a person who stays in place stands within this distance of the room's centre
SHORTEST = 1.0  # s: shorter stretches in view are left out


@dataclass(frozen=True)
class Take:
    """One recording of one person: joints (T, 17, 3) float64, world mm, z up, floor z = 0, H17
    order.
    """

    subject: str
    action: str
    fps: float
    joints: np.ndarray
    source: str = ""


@dataclass(frozen=True)
class StudioCamera:
    """A pinhole camera with its image size in pixels; X_camera = R X_world + t in mm."""

    name: str
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    width: int
    height: int

    def see(self, joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """World joints (..., J, 3) -> camera coordinates (..., J, 3) mm and pixels (..., J, 2)."""
        camera = geometry.Camera(*(torch.from_numpy(value) for value in (self.K, self.R, self.t)))
        points = geometry.world_to_camera(torch.from_numpy(joints), camera)
        return points.numpy(), geometry.project(points, camera).numpy()


def _camera(name, focal, centre, size, position, target=(0.0, 0.0, 900.0)) -> StudioCamera:
    K = np.array([[focal[0], 0, centre[0]], [0, focal[1], centre[1]], [0, 0, 1]], np.float64)
    position, target, up = (
        torch.tensor(value, dtype=torch.float64) for value in (position, target, (0.0, 0.0, 1.0))
    )
    R, t = geometry.look_at(position, target, up)
    return StudioCamera(name, K, R.numpy(), t.numpy(), *size)


# Intrinsics, names and places as in Human3.6M, rounded and without distortion. The fourth camera
# stands further back than there, so that all are 4.7 to 5.6 m from the room's centre.
STUDIO = (
    _camera("54138969", (1145.0, 1143.8), (512.5, 515.5), (1000, 1002), (1840.0, 4960.0, 1560.0)),
    _camera("55011271", (1149.7, 1147.6), (508.8, 508.1), (1000, 1000), (1760.0, -5080.0, 1610.0)),
    _camera("58860488", (1149.1, 1148.8), (519.8, 501.4), (1000, 1000), (-1850.0, 5210.0, 1490.0)),
    _camera("60457274", (1145.5, 1144.8), (515.0, 501.9), (1000, 1002), (-1790.0, -4350.0, 1570.0)),
)
# Wide lenses, 2048 px images and varied heights and distances, in the manner of MPI-INF-3DHP.
OUTDOOR = (
    _camera("0", (1497.7, 1497.1), (1024.7, 1051.4), (2048, 2048), (3300.0, 1900.0, 1250.0)),
    _camera("1", (1495.2, 1495.6), (1028.0, 1015.1), (2048, 2048), (-600.0, 4600.0, 2700.0)),
    _camera("4", (1503.8, 1501.3), (1019.6, 1039.0), (2048, 2048), (-4200.0, 1300.0, 700.0)),
    _camera("5", (1490.9, 1491.4), (1034.2, 1024.9), (2048, 2048), (-2300.0, -3900.0, 1700.0)),
    _camera("7", (1499.6, 1499.0), (1015.8, 1030.7), (2048, 2048), (1900.0, -4900.0, 2100.0)),
)


def film(
    takes: Iterable[Take],
    cameras: Sequence[StudioCamera],
    seed: int,
    noise: DetectorNoise | None = None,
) -> tuple[list[Clip], Counter]:
    """Film takes; the clips, and how many frames of each take's ``source`` were cut as out of view.

    Every stretch of at least a second in view of all cameras becomes one clip a camera. Actions are
    numbered within a subject as in Human3.6M: "Walking", "Walking 2", ... The result depends on the
    seed and on each take alone, not on the order of the others. ``detected_2d`` comes from the
    noise model.
    """
    clips, cut, used = [], Counter(), Counter()
    for take in takes:
        source = take.source or f"{take.subject} {take.action}"
        random = _generator(seed, take.subject, source)
        joints = place(take.joints, random)
        kept = 0
        for first, stop in runs(in_view(joints, cameras), round(SHORTEST * take.fps)):
            kept += stop - first
            kind = action_kind(take.action)
            used[take.subject, kind] += 1
            number = used[take.subject, kind]
            piece = replace(
                take,
                action=kind if number == 1 else f"{kind} {number}",
                joints=joints[first:stop],
                source=source,
            )
            clips += _clips(piece, cameras, seed, noise or DetectorNoise())
        if kept < len(joints):
            cut[source] += len(joints) - kept
    return clips, cut


def place(joints: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Turn a take (T, J, 3) about the vertical by a random angle and move it near the room's
    centre.

    The middle of the pelvis' path (half-way between its extremes in x and y) comes to lie within
    ROOM minus half the path's extent of the centre: who stays in place may stand off it, who walks
    may not.
    """
    angle = random.uniform(0, 2 * np.pi)
    cosine, sine = np.cos(angle), np.sin(angle)
    joints = joints @ np.array([[cosine, sine, 0], [-sine, cosine, 0], [0, 0, 1]])
    low, high = joints[:, 0, :2].min(0), joints[:, 0, :2].max(0)
    reach = max(0.0, ROOM - np.linalg.norm(high - low) / 2)
    radius, direction = reach * np.sqrt(random.uniform()), random.uniform(0, 2 * np.pi)
    target = radius * np.array([np.cos(direction), np.sin(direction)])
    shift = np.append(target - (low + high) / 2, 0.0)
    return joints + shift


def in_view(joints: np.ndarray, cameras: Sequence[StudioCamera]) -> np.ndarray:
    """(T,) whether all joints of a frame are in every camera's image and far enough from it."""
    visible = np.ones(len(joints), bool)
    for camera in cameras:
        points, pixels = camera.see(joints)
        limit = np.array([camera.width, camera.height]) - MARGIN
        inside = ((pixels >= MARGIN) & (pixels <= limit)).all(-1)
        visible &= (inside & (points[..., 2] > NEAREST)).all(-1)
    return visible


def runs(good: np.ndarray, shortest: int) -> Iterator[tuple[int, int]]:
    """(first, stop) of every unbroken stretch of true values (T,) at least ``shortest`` long."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], good.astype(np.int8), [0]])))
    for first, stop in edges.reshape(-1, 2).tolist():
        if stop - first >= shortest:
            yield first, stop


def _clips(take: Take, cameras, seed: int, noise: DetectorNoise) -> Iterator[Clip]:
    for camera in cameras:
        points, pixels = camera.see(take.joints)
        random = _generator(seed, take.subject, take.action, camera.name)
        scale = camera.K[0, 0] / points[..., 2].mean(-1)  # px per mm at the person's distance
        yield Clip(
            subject=take.subject,
            action=take.action,
            camera=camera.name,
            fps=take.fps,
            K=camera.K,
            R=camera.R,
            t=camera.t,
            source=take.source,
            joints_3d=points.astype(np.float32),
            joints_2d=pixels.astype(np.float32),
            detected_2d=detect(pixels, scale, HUMAN36M_17, take.fps, noise, random).astype(
                np.float32
            ),
        )


def _generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32("/".join(names).encode())])
