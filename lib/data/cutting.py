"""Cut what is kept of a clip's pictures: a square crop of each, and what a still camera sees behind them."""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
import torch

from lib.data.clip import Clip, DatasetError
from lib.data.crops import crop_pictures, person_box, temporal_median
from lib.data.sources import Source

__all__ = ["MARGIN", "MEDIAN_OF", "background", "cut", "cut_labels", "windows", "write_pictures"]

MARGIN = 1.6  # crop's side / person's box: the chapters cut theirs out of it
VIEWS = 25  # whole views of a clip that are kept until the background is known
MEDIAN_OF = 50  # views of a camera, about, that its background is the median of
LARGEST_VIEW = 512  # px


def windows(clip: Clip, margin: float = MARGIN) -> np.ndarray:
    """Squares (T, 3) float32 around the labelled joints of each frame: centre x, y and side, px.

    A frame that is not valid, or has no two labelled joints apart, has the window of the last
    frame before it that has one, or else of the first. Raises DatasetError where none has.
    """
    labelled = np.ones(clip.joints_2d.shape[:2], bool) if clip.labelled is None else clip.labelled
    known = labelled.any(1) if clip.valid is None else labelled.any(1) & clip.valid
    low = np.where(labelled[..., None], clip.joints_2d, np.inf).min(1)
    high = np.where(labelled[..., None], clip.joints_2d, -np.inf).max(1)
    known &= np.where(known, (high - low).max(-1), 0) > 0
    if not known.any():
        raise DatasetError(f"{clip.group}: joints_2d: no frame shows where the person is")
    corners = torch.from_numpy(np.stack([low[known], high[known]], axis=1))
    centre, side = person_box(corners, margin)
    found = torch.cat([centre, side[:, None]], dim=1).numpy()
    return found[np.maximum(np.cumsum(known) - 1, 0)].astype(np.float32)


def cut(picture: np.ndarray, window: np.ndarray, size: int) -> np.ndarray:
    """The square (centre x, y, side) of a picture (H, W, C) uint8 at size x size; black outside.

    All black where the picture would be less than one pixel large.
    """
    height, width, channels = picture.shape
    x, y, side = map(float, window)
    crop = np.zeros((size, size, channels), np.uint8)
    # Only where the window meets the picture is there something to draw: a wrong joint far away makes a
    # window in which the picture is a speck, and drawing the rest would take more memory than there is.
    pixel, corner, extent = side / size, np.array([x, y]) - side / 2, np.array([width, height])
    first = np.clip(np.floor(-corner / pixel) - 1, 0, size).astype(int)
    last = np.clip(np.ceil((extent - corner) / pixel) + 1, 0, size).astype(int)
    if (first >= last).any() or pixel > extent.max():
        return crop
    drawn = (last - first).max()
    first = np.minimum(first, size - drawn)
    x, y = corner + (first + drawn / 2) * pixel
    side = drawn * pixel
    left, top = (int(np.clip(c - side / 2 - 2, 0, n - 1)) for c, n in ((x, width), (y, height)))
    right, bottom = (int(np.clip(c + side / 2 + 3, 1, n)) for c, n in ((x, width), (y, height)))
    piece = np.ascontiguousarray(picture[top : max(bottom, top + 1), left : max(right, left + 1)])
    piece = torch.from_numpy(piece).permute(2, 0, 1)[None]
    centre = torch.tensor([[x - left, y - top]])
    seen = crop_pictures(piece, centre, torch.tensor([side]), drawn)[0]
    seen = (seen * 255).round().to(torch.uint8).permute(1, 2, 0).numpy()
    crop[first[1] : first[1] + drawn, first[0] : first[0] + drawn] = seen
    return crop


def cut_labels(labels: np.ndarray, window: np.ndarray, size: int) -> np.ndarray:
    """The same of a map of labels (H, W) uint8: the label at the middle of each pixel; 0 outside."""
    x, y, side = map(float, window)
    steps = ((np.arange(size) + 0.5) / size - 0.5) * side
    columns, rows = np.floor(x + steps).astype(int), np.floor(y + steps).astype(int)
    inside = (rows >= 0) & (rows < labels.shape[0])
    inside = inside[:, None] & (columns >= 0) & (columns < labels.shape[1])
    rows, columns = rows.clip(0, labels.shape[0] - 1), columns.clip(0, labels.shape[1] - 1)
    return np.where(inside, labels[rows[:, None], columns], 0).astype(np.uint8)


def write_pictures(group: h5py.Group, clip: Clip, source: Source, size: int) -> np.ndarray | None:
    """Write a clip's image, window, mask and parts (`lib.data.pictures`), one picture at a time.

    Returns views (n, B, B, 3) uint8 of the whole scene, evenly spread, for ``background``; None where
    the camera moves. Raises DatasetError where there are fewer pictures than frames, or one is not
    (H, W, 3) uint8.
    """
    count, place = len(clip), f"{source.path}: {clip.group}"
    boxes = windows(clip)
    group.create_dataset("window", data=boxes, track_times=False)
    image = _rows(group, "image", (count, size, size, 3))
    mask = _rows(group, "mask", (count, size, size)) if source.masks else None
    parts = _rows(group, "parts", (count, size, size)) if source.parts else None
    pictures = source.frames()
    masks = source.masks() if source.masks else None
    labels = source.parts() if source.parts else None
    kept = set(np.linspace(0, count - 1, min(VIEWS, count)).round().astype(int).tolist())
    views = []
    try:
        for row, window in enumerate(boxes):
            picture = _next(pictures, f"{place}: picture {row}", 3)
            image[row] = cut(picture, window, size)
            if masks is not None:
                person = _next(masks, f"{place}: mask {row}", 2).astype(np.uint8) * 255
                mask[row] = np.where(cut(person[..., None], window, size)[..., 0] > 127, 255, 0)
            if labels is not None:
                parts[row] = cut_labels(_next(labels, f"{place}: parts {row}", 2), window, size)
            if clip.static and row in kept:
                views.append(cut(picture, whole(picture), min(LARGEST_VIEW, 4 * size)))
                around = whole(picture)
    finally:
        for stream in (pictures, masks, labels):
            if stream is not None:
                stream.close()
    if not views:
        return None
    group.attrs["background_window"] = around
    return np.stack(views)


def whole(picture: np.ndarray) -> np.ndarray:
    """The least square that holds all of a picture (H, W, ...): centre x, y and side, px."""
    height, width = picture.shape[:2]
    return np.array([width / 2, height / 2, max(width, height)], np.float64)


def background(views: list[np.ndarray]) -> np.ndarray:
    """The temporal median (B, B, 3) uint8 of the views that one still camera's clips left.

    Who stays in place for more than half of that time stays in it.
    """
    return temporal_median(torch.from_numpy(np.concatenate(views))).numpy()


def _rows(group: h5py.Group, name: str, shape: tuple[int, ...]) -> h5py.Dataset:
    return group.create_dataset(
        name, shape, np.uint8, chunks=(1, *shape[1:]), compression="gzip", compression_opts=1,
        shuffle=False, track_times=False,
    )  # fmt: skip


def _next(stream: Iterator[np.ndarray], place: str, dimensions: int) -> np.ndarray:
    picture = next(stream, None)
    if picture is None:
        raise DatasetError(f"{place}: there is none; are there fewer than frames?")
    shape, kind = picture.shape, picture.dtype
    wrong = len(shape) != dimensions or 0 in shape or kind not in (np.uint8, bool)
    if wrong or (dimensions == 3 and shape[2] != 3):
        raise DatasetError(f"{place}: {kind} of shape {shape} is no picture")
    return picture
