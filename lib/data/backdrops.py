"""Backgrounds from pictures alone: which cameras stand still, and what is behind the people there.

Both look at the full view of a camera, a fixed window around all the places where the person is,
and not at crops, which move with the person. Nothing here asks the generator of the scenes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from lib.data.batches import Poses
from lib.data.crops import temporal_median
from lib.data.foreground import foreground
from lib.data.images import Filmed
from lib.data.photographs import Photographed
from lib.data.shots import Shots

__all__ = [
    "Backdrops",
    "background_motion",
    "changing_share",
    "foreground",
    "is_static",
    "person_share",
]

STILL = 0.7  # largest share of changing pixels of a static camera, chosen on training clips


def background_motion(
    poses: Poses, role: str, frames: int = 10, size: int = 48, margin: float = 1.0, seed: int = 0
) -> Tensor:
    """Share (C,) of the full view's pixels that change between two frames of each clip, on average.

    It takes the place of the "pixel-wise L2 loss among the frames in a clip" by which Kundu et al.
    (AAAI 2020, Sec. 4) sort clips into those with a static and with a moving background. The full
    view is one window around the whole path of the clip, ``margin`` times as large; up to ``frames``
    frames, evenly spaced over the clip, are drawn at size x size. The paper takes clips of more than
    5 s; here every clip is taken, however short. NaN for a clip of one frame. ``seed`` is that of
    ``Filmed.of``, which raises ValueError for bad input. Of stored pictures it is known whether the
    camera stood still: then the share is 0, else 1.
    """
    if poses.static is not None:
        return 1 - poses.static.float()
    filmed = Filmed.of(poses, role, size, margin, seed, window="clip")
    index, inverse = _spread(poses, frames).unique(return_inverse=True)
    pictures = filmed.colours(index, background=True)
    # A clip shorter than ``frames`` repeats frames, which would count as pairs without a change.
    shares = [changing_share(pictures[row.unique()]) for row in inverse]
    return torch.stack(shares)


def changing_share(pictures: Tensor, level: int = 0) -> Tensor:
    """Share () of pixels that differ by more than ``level`` of 255 in a channel, over all pairs.

    pictures (T, 3, H, W) uint8, the frames of one clip. Someone who moves before a static camera
    changes at most what they cover in either frame: twice 10 to 20 %, and their shadow. A camera
    that moves changes nearly everything. The pictures drawn here have no noise; those of a real
    camera do, and need a ``level`` above it. NaN for one frame; raises ValueError for another shape
    or type.
    """
    if pictures.ndim != 4 or pictures.dtype != torch.uint8:
        raise ValueError(f"uint8 (T, 3, H, W), not {pictures.dtype} {tuple(pictures.shape)}")
    one, other = torch.triu_indices(len(pictures), len(pictures), 1, device=pictures.device)
    values = pictures.short()
    return ((values[one] - values[other]).abs().amax(1) > level).float().mean()


def is_static(motion: Tensor, most: float = STILL) -> Tensor:
    """Whether clips with a ``background_motion`` (C,) have a static background: bool (C,).

    A clip of which nothing is known (NaN) is not taken for static.
    """
    return motion <= most


def person_share(
    poses: Poses, role: str, frames: int = 10, size: int = 48, margin: float = 1.0
) -> Tensor:
    """Share (C,) of the full view's pixels that the person covers, mean over frames of a clip.

    From the masks of the people, in the full view of ``background_motion``: to measure with. NaN
    where nobody knows the masks.
    """
    filmed = Filmed.of(poses, role, size, margin, window="clip")
    index = _spread(poses, frames)
    masks = filmed.masks(index.flatten())
    if masks is None:
        return torch.full_like(poses.fps, torch.nan)
    return masks.float().mean((1, 2)).view(index.shape).mean(1)


def _spread(poses: Poses, count: int) -> Tensor:
    """(C, count) frames evenly spaced over each clip, from its first to its last."""
    if count < 1:
        raise ValueError(f"one frame or more, not {count}")
    steps = torch.linspace(0, 1, count, device=poses.device, dtype=torch.float64)
    return poses.start[:, None] + (steps * (poses.length[:, None] - 1)).round().long()


@dataclass(frozen=True)
class Backdrops:
    """What static cameras saw behind the people: the median over time of some of their frames.

    It is an estimate from pictures with people. Who stays in place for more than half of the frames
    stays in it, and so do shadows that lie there as long; clouds and leaves are smeared.

    images (M, 3, S, S) uint8, one for each view of a scene, of a window with centre (M, 2) and side
    (M,) in image px that holds every crop of the people there. row (C,) int64: the number of each
    clip's image, or -1 where its camera does not stand still.
    """

    images: Tensor
    centre: Tensor
    side: Tensor
    row: Tensor

    @classmethod
    def of(
        cls,
        poses: Poses,
        role: str,
        static: Tensor | None = None,
        frames: int = 24,
        size: int = 192,
        margin: float = 1.25,
        seed: int = 0,
    ) -> Backdrops:
        """Estimate the backgrounds of a role's scenes whose clips (C,) bool are static (all: None).

        Clips of one scene before a camera that stands where it stood go into one median of up to
        ``frames`` frames, evenly spaced over them all. ``margin`` and ``seed`` are those of the
        crops, ``Filmed.of(poses, role, margin=margin, seed=seed)``. Of stored pictures the stored
        backgrounds are taken as they are; a clip without one has no image. Raises ValueError for bad input.
        """
        filmed = Filmed.of(poses, role, size, margin, seed)
        if static is None:
            static = torch.ones_like(filmed.scene, dtype=torch.bool)
        if static.shape != filmed.scene.shape or static.dtype != torch.bool:
            raise ValueError(f"static is bool (C,), not {static.dtype} {tuple(static.shape)}")
        if frames < 1:
            raise ValueError(f"one frame or more, not {frames}")
        if isinstance(filmed, Photographed):
            return cls(*_stored(filmed, static))
        row = torch.full_like(filmed.scene, -1)
        views, row[static] = _views(filmed)[static].unique(dim=0, return_inverse=True)
        group = row[poses.clip]
        centre, side = _around(filmed, group, len(views))
        filmed = _through(filmed, group, centre, side)
        images = torch.empty(len(views), 3, size, size, dtype=torch.uint8, device=poses.device)
        for number in range(len(views)):
            seen = (group == number).nonzero()[:, 0]
            steps = torch.linspace(0, len(seen) - 1, min(frames, len(seen)), device=seen.device)
            chosen = seen[steps.round().long()]
            images[number] = temporal_median(filmed.colours(chosen, background=True))
        return cls(images, centre, side, row)

    def __len__(self) -> int:
        return len(self.images)

    def crop(self, index: Tensor, centre: Tensor, side: Tensor, size: int) -> Tensor:
        """Crops (B, 3, size, size), in [0, 1], of the images of numbers index (B,).

        centre (B, 2) and side (B,) in image px, as of ``Filmed``: what is behind the person of that
        crop. Bilinear, with no averaging where the crop is shrunk, since pictures are drawn without
        it too; beyond the image's edge its last pixel is repeated. Raises ValueError for a number
        that is none, shapes that do not fit, a crop of zero size.
        """
        shapes = {"index": (len(index),), "centre": (len(index), 2), "side": (len(index),)}
        for name, value in {"index": index, "centre": centre, "side": side}.items():
            if tuple(value.shape) != shapes[name]:
                raise ValueError(f"{name} has shape {tuple(value.shape)}, not {shapes[name]}")
        if size < 1:
            raise ValueError(f"a crop is drawn at 1 px or more, not {size}")
        if len(index) == 0:
            return side.new_zeros(0, 3, size, size)
        if index.min() < 0 or index.max() >= len(self):
            raise ValueError(f"backdrops are 0 to {len(self) - 1}, but one of {index.tolist()} is not")
        window = self.side[index]
        scale = side / window
        if not (scale > 0).all() or not (scale.isfinite().all() and centre.isfinite().all()):
            raise ValueError("a crop of zero size or not finite")
        steps = (torch.arange(size, device=side.device) + 0.5) / size - 0.5
        shift = (centre - self.centre[index]) / window[:, None]
        # [-1, 1] over the image
        where = 2 * (shift[:, None] + scale[:, None, None] * steps[:, None])
        columns, rows = where[:, None, :, 0], where[:, :, None, 1]
        grid = torch.stack(torch.broadcast_tensors(columns, rows), dim=-1)
        images = self.images[index].to(grid)
        crops = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
        return crops.div_(255).clamp_(0, 1)


def _stored(filmed: Photographed, static: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The stored backgrounds of the first frames of static clips (C,): images, centre, side, row."""
    poses = filmed.poses
    row, images, windows, numbers = torch.full_like(filmed.scene, -1), [], [], {}
    for clip in (static & poses.static).nonzero()[:, 0].tolist():
        stored = poses.pictures[int(poses.shot[poses.start[clip]])]
        if stored.background is None:
            continue
        # clips of one camera may have the same
        known = stored.background.tobytes(), *stored.background_window.tolist()
        number = numbers.setdefault(known, len(images))
        if number == len(images):
            images.append(torch.from_numpy(stored.background).permute(2, 0, 1))
            windows.append(torch.as_tensor(stored.background_window, dtype=torch.float32))
        row[clip] = number
    if not images:
        nothing = filmed.centre.new_zeros(0, 3)
        return nothing.new_zeros(0, 3, 1, 1, dtype=torch.uint8), nothing[:, :2], nothing[:, 2], row
    window = torch.stack(windows).to(poses.device)
    largest = max(image.shape[-1] for image in images)
    same = [F.interpolate(image[None].float(), largest, mode="bilinear")[0].round() for image in images]
    return torch.stack(same).to(poses.device, torch.uint8), window[:, :2], window[:, 2], row


def _views(filmed: Shots) -> Tensor:
    """Rows (C, 22), equal for clips of one scene whose camera has not been moved between them."""
    poses, first = filmed.poses, filmed.poses.start
    scene = filmed.scene.unique(return_inverse=True)[1].to(poses.K)
    return torch.cat(
        [scene[:, None], poses.K[first].flatten(1), poses.R[first].flatten(1), poses.t[first]], dim=1
    )


def _around(filmed: Shots, group: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The least square around all crops of each group of frames (N,): centre (M, 2), side (M,)."""
    inside = group >= 0
    where = group[inside, None].expand(-1, 2)
    half = filmed.side[inside, None] / 2
    low, high = (
        half.new_zeros(count, 2).scatter_reduce(0, where, corners, reduce, include_self=False)
        for corners, reduce in (
            (filmed.centre[inside] - half, "amin"),
            (filmed.centre[inside] + half, "amax"),
        )
    )
    return (low + high) / 2, (high - low).amax(1)


def _through(filmed: Shots, group: Tensor, centre: Tensor, side: Tensor) -> Shots:
    """The same, but frames of a group (N,), where it is not -1, are seen through its one window."""
    inside = (group >= 0).nonzero()[:, 0]
    centre = filmed.centre.index_copy(0, inside, centre[group[inside]])
    side = filmed.side.index_copy(0, inside, side[group[inside]])
    return filmed.through(centre, side, "scene")
