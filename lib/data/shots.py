"""What is shown of poses: a crop square of each frame, and pictures of it, drawn or photographed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from lib.data.batches import Poses
from lib.data.crops import crop_intrinsics, person_box, temporal_median, to_crop
from lib.data.render import Picture

__all__ = ["WINDOWS", "Shots", "windows"]

WINDOWS = ("frame", "clip", "scene")


@dataclass(frozen=True)
class Shots(ABC):
    """Poses with the crops they are shown in, on the device of the poses.

    crop (N, J, 2): the true joints in crop coordinates, [-1, 1] over the crop. centre (N, 2) and
    side (N,): the crop squares in image px. K (N, 3, 3): intrinsics of the crops at size x size px.
    scene (C,): a number for each clip, the same for clips before one background. window: what a crop
    is fixed for, see `windows`.
    """

    poses: Poses
    size: int
    crop: Tensor
    centre: Tensor
    side: Tensor
    K: Tensor
    scene: Tensor
    window: str

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def cut_out(self) -> bool:
        """Whether people are alone on black in pictures without ``background``."""
        return True

    @abstractmethod
    def draw(self, index: Tensor, background: bool = False) -> Picture:
        """The pictures of some frames (B,), before their scene or, without ``background``, black."""

    @abstractmethod
    def scenery(self, index: Tensor) -> Tensor:
        """What is behind the people (B, 3, S, S), in [0, 1], of some frames."""

    def through(self, centre: Tensor, side: Tensor, window: str = "frame") -> Self:
        """The same frames seen through other squares: centre (N, 2) and side (N,) in image px."""
        return replace(
            self,
            crop=to_crop(self.poses.joints_2d, centre, side),
            centre=centre,
            side=side,
            K=crop_intrinsics(self.poses.K, centre, side, self.size),
            window=window,
        )

    def colours(self, index: Tensor, background: bool = False, chunk: int = 256) -> Tensor:
        """Pictures of some frames (B, 3, S, S) as uint8, drawn ``chunk`` at a time, for keeping."""
        pictures = self.K.new_empty((len(index), 3, self.size, self.size), dtype=torch.uint8)
        for place, piece in zip(pictures.split(chunk), index.split(chunk), strict=True):
            place.copy_((self.draw(piece, background).colour * 255).round_())
        return pictures

    def all_colours(self, background: bool = False, chunk: int = 256) -> Tensor:
        """Pictures of all frames (N, 3, S, S) as uint8: 12 kB each at 64 x 64."""
        return self.colours(torch.arange(len(self), device=self.K.device), background, chunk)

    def masks(self, index: Tensor | None = None, chunk: int = 256) -> Tensor | None:
        """Whether each pixel of some frames, of all if None, is the person's: (B, S, S) bool.

        None where nobody knows.
        """
        if index is None:
            index = torch.arange(len(self), device=self.K.device)
        found = [self.draw(piece).mask for piece in index.split(chunk)]
        return None if any(mask is None for mask in found) else torch.cat(found)

    def estimated_background(self, clip: int, frames: int = 64) -> Tensor:
        """Background (3, S, S) uint8 of a clip's crop: the temporal median of its frames.

        Up to ``frames`` pictures, evenly spaced over the clip, or, where the crop is fixed for the
        scene, over all clips of that camera in that scene. Who stays in place for more than half of
        that time stays in the median. Raises ValueError where crops move with the frame.
        """
        if self.window == "frame":
            raise ValueError('crops that move with the frame have no median: take window="clip"')
        same = self.poses.clip == clip
        if self.window == "scene":
            same = (self.scene == self.scene[clip])[self.poses.clip]
        index = same.nonzero()[:, 0]
        chosen = torch.linspace(0, len(index) - 1, min(frames, len(index)), device=index.device)
        return temporal_median(self.colours(index[chosen.round().long()], background=True))


def windows(poses: Poses, scene: Tensor, window: str, margin: float) -> tuple[Tensor, Tensor]:
    """Centre (N, 2) and side (N,) px of the crop of each frame, ``margin`` times as large as what is in it.

    window is what the crop is fixed for: "frame" recentres it on each frame's person, "clip"
    takes one crop around the whole path of a clip, "scene" one around everything that a camera
    sees. With the last two a temporal median is defined. Raises ValueError for another window.
    """
    if window not in WINDOWS:
        raise ValueError(f"window is one of {', '.join(WINDOWS)}, not {window!r}")
    if window == "frame":
        return person_box(poses.joints_2d, margin)
    group = poses.clip if window == "clip" else scene.unique(return_inverse=True)[1][poses.clip]
    where = group[:, None].expand(-1, 2)
    corners = poses.joints_2d.new_zeros(int(group.max()) + 1, 2)
    low, high = (
        corners.scatter_reduce(0, where, points, reduce, include_self=False)
        for points, reduce in (
            (poses.joints_2d.amin(dim=1), "amin"),
            (poses.joints_2d.amax(dim=1), "amax"),
        )
    )
    centre, side = person_box(torch.stack([low, high], dim=1), margin)
    return centre[group], side[group]
