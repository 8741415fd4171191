"""Square crops around people: the box, its camera, its pictures, and points carried along.

A crop is a square of the image: its ``centre`` (N, 2) and ``side`` (N,), both in pixels. Pixel
centres lie at integers + 0.5, so that an image spans [0, W] x [0, H]. Crop coordinates are [-1, 1]
over the square, x right, y down, whatever the size at which it is drawn.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "crop_intrinsics",
    "crop_pictures",
    "from_crop",
    "person_box",
    "temporal_median",
    "to_crop",
]


def person_box(joints_2d: Tensor, margin: float = 1.25) -> tuple[Tensor, Tensor]:
    """Square around each person's joints (N, J, 2) px: centre (N, 2) and side (N,) px.

    The side is ``margin`` times the larger of the width and the height of the joints' box. Raises
    ValueError for joints that are not finite or that all lie on one point.
    """
    if joints_2d.ndim != 3 or joints_2d.shape[-1] != 2 or joints_2d.shape[1] == 0:
        raise ValueError(f"joints_2d are (N, J, 2), not of shape {tuple(joints_2d.shape)}")
    if not margin > 0:
        raise ValueError(f"the margin is a positive factor, not {margin}")
    _refuse(~joints_2d.isfinite().flatten(1).all(1), "joints_2d of person {} are not finite")
    low, high = joints_2d.amin(dim=1), joints_2d.amax(dim=1)
    extent = (high - low).amax(dim=1)
    _refuse(extent <= 0, "the joints of person {} all lie on one point: a box of zero size")
    return (low + high) / 2, margin * extent


def crop_intrinsics(K: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Intrinsics (N, 3, 3) of the crop drawn at size x size px, from those of the image.

    A camera-space point projects with them to pixels of the crop. Raises ValueError for a crop of
    zero size.
    """
    _check_window(centre, side, size)
    scale = size / side
    corner = centre - side[:, None] / 2
    crop = K.clone()
    crop[:, :2] = K[:, :2] * scale[:, None, None]
    crop[:, :2, 2] -= corner * scale[:, None]
    return crop


def to_crop(points: Tensor, centre: Tensor, side: Tensor) -> Tensor:
    """Image points (N, J, 2) px in crop coordinates: [-1, 1] over the crop, beyond it outside."""
    return (points - centre[:, None]) * (2 / side)[:, None, None]


def from_crop(points: Tensor, centre: Tensor, side: Tensor) -> Tensor:
    """Points (N, J, 2) in crop coordinates back in the image, px: the inverse of ``to_crop``."""
    return points * (side / 2)[:, None, None] + centre[:, None]


def crop_pictures(images: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
    """Crops (N, C, size, size), float in [0, 1], of images (N, C, H, W).

    Images are uint8 or float in [0, 1]. Sampling is bilinear, on a grid fine enough that no pixel
    is skipped where the crop is shrunk, and averaged. Outside the image the crop is black. Raises
    ValueError for another type or range, values that are not finite, a crop of zero size.
    """
    images = _in_unit_range(images)
    if images.ndim != 4 or len(images) != len(centre) or 0 in images.shape[1:]:
        raise ValueError(
            f"images are (N, C, H, W), one for each of {len(centre)} crops, not of shape "
            f"{tuple(images.shape)}"
        )
    _check_window(centre, side, size)
    if len(images) == 0:
        return images.new_zeros(0, images.shape[1], size, size)
    # A bilinear sample covers two pixels: closer than that, none is missed.
    fine = max(1, int((side.max() / (2 * size)).ceil()))
    steps = (torch.arange(size * fine, device=images.device) + 0.5) / (size * fine) - 0.5
    extent = images.new_tensor([images.shape[3], images.shape[2]])
    where = centre[:, None] + side[:, None, None] * steps[:, None]  # (N, size * fine, 2) px
    where = (2 * where / extent - 1).to(images.dtype)
    rows, columns = where[:, :, None, 1], where[:, None, :, 0]
    grid = torch.stack(torch.broadcast_tensors(columns, rows), dim=-1)
    return F.avg_pool2d(F.grid_sample(images, grid, align_corners=False), fine).clamp(0, 1)


def temporal_median(frames: Tensor) -> Tensor:
    """Background (...) of a static camera: the median over time of frames (T, ...), same dtype.

    Right wherever the scene is seen in more than half of the frames. Of an even number of frames
    the lower of the two middle values is taken. Frames are uint8 or float; raises ValueError for
    no frames, another type, or values that are not finite.
    """
    if frames.ndim < 2 or len(frames) == 0:
        raise ValueError(f"a median needs frames (T, ...), not shape {tuple(frames.shape)}")
    if frames.dtype != torch.uint8 and not frames.is_floating_point():
        raise ValueError(f"frames are uint8 or float, not {frames.dtype}")
    if frames.is_floating_point() and not frames.isfinite().all():
        raise ValueError("frames hold values that are not finite")
    return frames.median(dim=0).values


def _check_window(centre: Tensor, side: Tensor, size: int) -> None:
    if centre.ndim != 2 or centre.shape[1] != 2 or side.shape != centre.shape[:1]:
        raise ValueError(
            f"a crop is a centre (N, 2) and a side (N,), not {tuple(centre.shape)} and "
            f"{tuple(side.shape)}"
        )
    if size < 1:
        raise ValueError(f"a crop is drawn at 1 px or more, not {size}")
    finite = centre.isfinite().all(1) & side.isfinite()
    _refuse(~finite | (side <= 0), "crop {} is of zero size or not finite")


def _in_unit_range(images: Tensor) -> Tensor:
    if images.dtype == torch.uint8:
        return images.float() / 255
    if not images.is_floating_point():
        raise ValueError(f"images are uint8 or float in [0, 1], not {images.dtype}")
    if images.numel():
        low, high = images.aminmax()
        if not (low >= 0 and high <= 1):  # a NaN is refused too
            raise ValueError(
                f"float images are in [0, 1] and finite; got {low.item():g} to {high.item():g}"
            )
    return images


def _refuse(wrong: Tensor, message: str) -> None:
    if wrong.any():
        raise ValueError(message.format(int(wrong.nonzero()[0])))
