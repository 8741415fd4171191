"""Pictures stored with a clip: square crops around the person, read by row and never as a whole.

In the clip's group lie ``image`` (T, S, S, 3) uint8, ``window`` (T, 3) float32 (the crop's centre x, y
and side in px of the whole picture) and, where they are known, ``mask`` (T, S, S) uint8, ``parts``
(T, S, S) uint8 with 0 for the background, and ``background`` (B, B, 3) uint8, the temporal median of
what the camera sees, with attribute ``background_window`` (3,) of the clip. A row is a chunk of its own,
compressed by zlib, whose checksum tells a damaged picture from a whole one.
"""

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

__all__ = ["StoredPictures", "stored_pictures"]


@dataclass(frozen=True)
class StoredPictures:
    """A handle on the pictures of one clip; the file is opened for each read and closed after it.

    shape (T, S, S, 3); window (T, 3); background (B, B, 3) and background_window (3,), or None.
    """

    path: Path
    group: str
    shape: tuple[int, int, int, int]
    window: np.ndarray
    masked: bool = False
    parted: bool = False
    background: np.ndarray | None = None
    background_window: np.ndarray | None = None

    def read(self, rows: np.ndarray) -> np.ndarray:
        """The crops of some rows (n,), in any order: (n, S, S, 3) uint8."""
        return self._read("image", rows)

    def read_masks(self, rows: np.ndarray) -> np.ndarray | None:
        """The person's masks of some rows: (n, S, S) uint8, 0 or 255; None where there are none."""
        return self._read("mask", rows) if self.masked else None

    def read_parts(self, rows: np.ndarray) -> np.ndarray | None:
        """The parts of some rows: (n, S, S) uint8, 0 for the background; None where there are none."""
        return self._read("parts", rows) if self.parted else None

    def _read(self, name: str, rows: np.ndarray) -> np.ndarray:
        # h5py wants rows in rising order and each once.
        wanted, place = np.unique(np.asarray(rows, np.int64), return_inverse=True)
        with h5py.File(self.path, "r") as file:
            stored = file[self.group][name]
            out = np.empty((len(wanted), *stored.shape[1:]), np.uint8)
            for number, row in enumerate(wanted.tolist()):
                stored.read_direct(out, np.s_[row], np.s_[number])
        return out[place]


def stored_pictures(
    group: h5py.Group, path: Path, length: int, shared: dict[int, np.ndarray]
) -> StoredPictures | None:
    """The pictures of a clip's group; None where it has none.

    shared: backgrounds read before, by their place in the file, to which a new one is added: the clips of
    a camera have one background, under as many names.

    Raises ValueError that names the field, where shapes or types are not those of the module's text.
    """
    image = group.get("image")
    if image is None:
        if "window" in group or "mask" in group or "parts" in group:
            raise ValueError("image: no such array, but window, mask or parts")
        return None
    side = image.shape[1] if isinstance(image, h5py.Dataset) and image.ndim == 4 else 0
    wanted = {"image": (length, side, side, 3), "mask": (length, side, side)}
    wanted["parts"] = wanted["mask"]
    for name, shape in wanted.items():
        item = group.get(name)
        if item is None:
            continue
        if not isinstance(item, h5py.Dataset) or item.shape != shape or item.dtype != np.uint8:
            raise ValueError(f"{name}: not uint8 of shape {shape}")
    window = _numbers(group, "window", (length, 3))
    if not (np.isfinite(window).all() and (window[:, 2] > 0).all()):
        raise ValueError("window: not finite, or a side that is not positive")
    background = group.get("background")
    around = None
    if background is not None:
        if not isinstance(background, h5py.Dataset) or background.dtype != np.uint8:
            raise ValueError("background: not uint8")
        if background.ndim != 3 or background.shape[0] != background.shape[1] or background.shape[2] != 3:
            raise ValueError(f"background: shape {background.shape}, expected (B, B, 3)")
        background = shared.setdefault(h5py.h5o.get_info(background.id).addr, background[()])
        around = np.asarray(group.attrs.get("background_window", ()), np.float64)
        if around.shape != (3,) or not np.isfinite(around).all() or around[2] <= 0:
            raise ValueError("attribute background_window: no centre and side")
    return StoredPictures(
        path, group.name, tuple(image.shape), window, "mask" in group, "parts" in group, background, around
    )


def _numbers(group: h5py.Group, name: str, shape: tuple[int, ...]) -> np.ndarray:
    item = group.get(name)
    if not isinstance(item, h5py.Dataset) or item.shape != shape or item.dtype.kind != "f":
        raise ValueError(f"{name}: not floating point of shape {shape}")
    return item[()].astype(np.float32, copy=False)
