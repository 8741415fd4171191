"""A layout of the tests' own: moving squares before a scene, to import with `lib.data.importing`."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from lib.data.clip import Clip, DatasetError
from lib.data.sources import Found, Options, Source
from lib.skeleton import HUMAN36M_17

WIDTH, HEIGHT, FRAMES = 64, 48, 9
POSE = np.random.default_rng(0).normal(0, 300, (17, 3)) + [0, 0, 4000]
K = np.array([[60.0, 0, 32], [0, 60.0, 24], [0, 0, 1]])


def scene() -> np.ndarray:
    """What the camera sees without anybody: (H, W, 3)."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([2 * rows, 2 * columns, rows + columns], axis=-1).astype(np.uint8)


def clip_of(subject: str, action: str, camera: str, **changes) -> Clip:
    """Someone who walks from left to right."""
    joints = POSE + np.linspace([-900, 0, 0], [900, 0, 0], FRAMES)[:, None]
    pixels = joints[..., :2] / joints[..., 2:] * 60 + [32, 24]
    values = {"fps": 25.0, "K": K, "R": np.eye(3), "t": np.zeros(3), "source": f"{subject} {action}"}
    values |= {"joints_3d": joints.astype(np.float32), "joints_2d": pixels.astype(np.float32)}
    return Clip(subject, action, camera, **(values | changes))


def picture(clip: Clip, row: int) -> np.ndarray:
    """The scene with a white spot at the person's middle."""
    image = scene()
    x, y = clip.joints_2d[row].mean(0).round().astype(int)
    image[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 255
    return image


class Layout:
    """A download of n clips for each subject; its readings are counted, one can be made to fail."""

    NAME, SITE, LICENCE, ROLE = "squares", "nowhere", "free", "studio"

    def __init__(self, clips: int = 3, fails: str | None = None, still: bool = True):
        self.clips, self.fails, self.still, self.read = clips, fails, still, []

    def find(self, path: Path, options: Options) -> Found:
        sources = []
        for subject in ("S1", "S9"):
            for number in range(self.clips):
                action = f"Walking {number + 1}" if number else "Walking"
                sources.append(self.source(path, subject, action))
        split = {"train": ("S1",), "test": ("S9", "S11")}
        return Found(tuple(sources), split, "squares that move", "free", HUMAN36M_17, ("a note",))

    def source(self, path: Path, subject: str, action: str) -> Source:
        clip = clip_of(subject, action, "a", static=self.still)

        def read() -> Clip:
            self.read.append(clip.group)
            if clip.group == self.fails:
                raise DatasetError(f"{path}: {clip.group}: damaged")
            return clip

        def frames():
            for row in range(len(clip)):
                yield picture(clip, row)

        def masks():
            for row in range(len(clip)):
                yield (picture(clip, row) == 255).all(-1)

        def parts():
            for row in range(len(clip)):
                yield (picture(clip, row) == 255).all(-1).astype(np.uint8) * 7

        return Source(path, subject, action, "a", read, frames, masks, parts)


def use(monkeypatch, layout: Layout) -> None:
    """Let ``import_dataset`` know the layout under its name."""
    from lib.data import importing

    monkeypatch.setattr(importing, "reader", lambda name: SimpleNamespace(find=layout.find))
