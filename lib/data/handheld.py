"""Cameras of people who take pictures: each clip from another place, and single pictures.

Cameras that move with the hand are set down for the length of a clip: each clip has its own lens,
height, distance and tilt, near enough to see the whole person and not much more. Shake is a matter
of the picture drawn later. Where `lib.data.studio` turns the person, here the camera is put on any
side of them.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from zlib import crc32

import numpy as np
import torch

from lib import geometry
from lib.data.dataset import Clip, action_kind
from lib.data.detector import DetectorNoise, detect
from lib.data.studio import StudioCamera, Take
from lib.skeleton import HUMAN36M_17

__all__ = ["camera", "film"]

SIZES = ((1280, 720), (720, 1280), (1024, 1024))  # px: held across, held upright, cut square
ZOOM = (0.8, 1.5)  # focal length as a share of the longer side: 64 to 37 degrees
HEIGHT = (500.0, 2300.0)  # mm above the floor
ROLL = 4.0  # degrees, standard deviation of the horizon's tilt
BORDER = 0.06  # of the shorter side stays free around the joints where the person is nearest
NEAREST, STEP, FARTHEST = 1800.0, 200.0, 20_000.0  # mm from the middle of the person's path
FAR = 3500.0  # mm: who goes further is filmed in pieces, each from another place


def camera(name, K, size, position, target, roll: float = 0.0) -> StudioCamera:
    """A camera that looks from a position at a target (world mm), tilted by `roll` degrees."""
    position, target, up = (
        torch.as_tensor(np.asarray(value, np.float64)) for value in (position, target, (0, 0, 1))
    )
    R, t = geometry.look_at(position, target, up)
    turn = geometry.rotation_z(torch.tensor(np.radians(roll), dtype=torch.float64))
    return StudioCamera(
        name, np.asarray(K, np.float64), (turn @ R).numpy(), (turn @ t).numpy(), *size
    )


def film(takes: Iterable[Take], seed: int, noise: DetectorNoise | None = None) -> Iterator[Clip]:
    """One clip a take, from a camera of its own that has every joint of every frame in view.

    A take in which somebody goes further than FAR is halved until no piece does. Actions are
    numbered within a subject as in `studio.film`; a camera is named after its clip, so that no two
    clips of a subject share a place. Raises ValueError for a take that no camera within FARTHEST
    sees whole. `detected_2d` comes from the noise model.
    """
    used = Counter()
    for take in itertools.chain.from_iterable(map(_pieces, takes)):
        kind = action_kind(take.action)
        used[take.subject, kind] += 1
        number = used[take.subject, kind]
        source = take.source or f"{take.subject} {take.action}"
        random = np.random.default_rng(
            [seed, crc32(f"handheld/{take.subject}/{source}/{number}".encode())]
        )
        view = _place(take, f"{kind.lower()}-{number}", random)
        points, pixels = view.see(take.joints)
        scale = view.K[0, 0] / points[..., 2].mean(-1)
        detected = detect(pixels, scale, HUMAN36M_17, take.fps, noise or DetectorNoise(), random)
        yield Clip(
            subject=take.subject,
            action=kind if number == 1 else f"{kind} {number}",
            camera=view.name,
            fps=take.fps,
            K=view.K,
            R=view.R,
            t=view.t,
            source=source,
            joints_3d=points.astype(np.float32),
            joints_2d=pixels.astype(np.float32),
            detected_2d=detected.astype(np.float32),
        )


def _pieces(take: Take) -> Iterator[Take]:
    path, middle = take.joints[:, 0], len(take.joints) // 2
    if middle == 0 or np.linalg.norm(np.ptp(path, axis=0)) <= FAR:
        yield take
        return
    for joints in (take.joints[:middle], take.joints[middle:]):
        yield from _pieces(replace(take, joints=joints))


def _place(take: Take, name: str, random: np.random.Generator) -> StudioCamera:
    """The nearest place at a random side and height that sees all of a take, or a little behind."""
    width, height = SIZES[int(random.integers(len(SIZES)))]
    focal = max(width, height) * random.uniform(*ZOOM)
    K = [[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]
    low, high = take.joints.min((0, 1)), take.joints.max((0, 1))
    target = (low + high) / 2
    side, above = random.uniform(0.0, 2.0 * np.pi), random.uniform(*HEIGHT)
    roll, further = ROLL * random.standard_normal(), random.uniform(1.0, 1.5)

    def at(distance: float) -> StudioCamera:
        position = target + distance * np.array([np.cos(side), np.sin(side), 0.0])
        position[2] = above
        return camera(name, K, (width, height), position, target, roll)

    border = BORDER * min(width, height)
    for distance in np.arange(NEAREST, FARTHEST, STEP):
        points, pixels = at(distance).see(take.joints)
        inside = (pixels > border) & (pixels < np.array([width, height]) - border)
        if inside.all() and points[..., 2].min() > NEAREST / 2:
            return at(distance * further)
    extent = np.linalg.norm(high - low)
    raise ValueError(f"{take.subject} {take.action}: over {extent:.0f} mm, too wide to film")
