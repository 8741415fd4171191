"""LSP and LSPET as they unpack: joints.mat with axes as published, and pictures of different sizes."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from lib.data.mannequin import takes

# Of LSP's 14 joints: the joint or joints of Human3.6M's 17 that they are, in its order.
JOINTS_14 = (3, 2, 1, 4, 5, 6, 16, 15, 14, 11, 12, 13, 8, 10)


@dataclass(frozen=True)
class Labels:
    """points (N, 14, 2): column and row of each joint's pixel, from 0. flags (N, 14), as in the file."""

    points: np.ndarray
    flags: np.ndarray
    sizes: tuple[tuple[int, int], ...]


def build(
    folder: Path,
    count: int = 8,
    extended: int = 6,
    pictures: bool = True,
    high_resolution: bool = False,
    packed: bool = True,
) -> dict[str, Labels]:
    """Write lsp_dataset (``count`` pictures, half for training) and lspet_dataset or, with png, hr-lspet.

    A joint's pixel is painted in the colour of `colour`. Returns what went in, by "LSP" and "LSPET".
    """
    random = np.random.default_rng(3)
    made = {}
    for name, number, ending in (
        ("LSP", count, "images/im%04d.jpg"),
        ("LSPET", extended, "im%05d.png" if high_resolution else "images/im%05d.jpg"),
    ):
        if not number:
            continue
        base = folder / (
            "lsp_dataset" if name == "LSP" else "hr-lspet" if high_resolution else "lspet_dataset"
        )
        (base / "images" if ending.startswith("images") else base).mkdir(parents=True, exist_ok=True)
        points, sizes = people(number)
        flags = (random.random((number, 14)) < (0.2 if name == "LSP" else 0.8)).astype(float)
        if name == "LSPET":
            flags[0] = 1
        written = np.concatenate([points + 1.0, flags[..., None]], axis=-1)  # MATLAB's first pixel is 1
        if name == "LSPET":
            written[flags == 0, :2] = random.uniform(-30, 0, (int((flags == 0).sum()), 2))
        axes = (2, 1, 0) if name == "LSP" else (1, 2, 0)
        savemat(base / "joints.mat", {"joints": written.transpose(axes)}, do_compression=packed)
        if pictures:
            for index, size in enumerate(sizes):
                picture = paint(points[index], size)
                Image.fromarray(picture).save(base / (ending % (index + 1)), quality=95)
        made[name] = Labels(points, flags, sizes)
    return made


def people(count: int) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """Pixels (N, 14, 2) of people about 150 px tall, and the (width, height) of their pictures."""
    take = next(islice(takes("studio", 0), 1))
    poses = take.joints[np.linspace(0, len(take.joints) - 1, count).astype(int)][:, JOINTS_14]
    flat = poses[..., (0, 2)] * (1, -1)  # seen along y, x to the right, down
    low = flat.min(1, keepdims=True)
    points = np.round((flat - low) * 150 / 1800 + 20).astype(int)
    sizes = tuple((int(x) + 20 + 3 * n, int(y) + 20) for n, (x, y) in enumerate(points.max(1)))
    return points, sizes


def colour(joint: int) -> np.ndarray:
    return np.array([40 + 15 * joint, 255 - 15 * joint, 128], np.uint8)


def paint(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    picture = np.full((size[1], size[0], 3), 20, np.uint8)
    for joint, (column, row) in enumerate(points):
        picture[row, column] = colour(joint)
    return picture
