"""From stored pictures to pictures: the crop asked for is cut out of the crop that was kept at import.

Beyond a stored crop lies what its still camera saw in the median of its time, where that is
stored, else black. On black, a person is cut out by the stored mask; where there is none, by what differs
from the stored background; where there is none either, the whole picture is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from lib.data.batches import Poses
from lib.data.crops import crop_intrinsics, to_crop
from lib.data.foreground import foreground
from lib.data.pictures import StoredPictures
from lib.data.render import Picture
from lib.data.shots import Shots, windows
from lib.geometry import rotation_z

__all__ = ["Photographed"]


@dataclass(frozen=True)
class Photographed(Shots):
    """Poses whose pictures are stored: the counterpart of `lib.data.images.Filmed`, used in its place.

    A picture's mask is None where none is stored, parts and depth always.
    """

    @classmethod
    def of(cls, poses: Poses, size: int, margin: float, window: str) -> Photographed:
        """Decide the crops of all frames. Raises ValueError for bad input."""
        scene = _cameras(poses)
        centre, side = windows(poses, scene, window, margin)
        return cls(
            poses=poses,
            size=size,
            crop=to_crop(poses.joints_2d, centre, side),
            centre=centre,
            side=side,
            K=crop_intrinsics(poses.K, centre, side, size),
            scene=scene,
            window=window,
        )

    @property
    def cut_out(self) -> bool:
        """Whether people are alone on black in pictures without ``background``."""
        return all(
            self.poses.pictures[shot].masked or self.poses.pictures[shot].background is not None
            for shot in self.poses.shot.unique().tolist()
        )

    @torch.no_grad()
    def draw(self, index: Tensor, background: bool = False) -> Picture:
        """The pictures of some frames (B,), as they are or, without ``background``, people on black."""
        colour = self.K.new_empty(len(index), 3, self.size, self.size)
        mask = self.K.new_zeros(len(index), self.size, self.size, dtype=torch.bool)
        known = True
        for piece in self._pieces(index):
            stored, masks = piece.stored, piece.stored.read_masks(piece.rows)
            shown = self._cut(stored.read(piece.rows), piece)
            if stored.background is not None:
                shown = torch.lerp(self._behind(piece), shown, self._inside(piece))
            if masks is not None:
                person = self._cut(masks[..., None], piece)
                mask[piece.place] = person[:, 0] > 0.5
            known &= masks is not None
            if not background and masks is not None:
                shown = shown * person
            elif not background and stored.background is not None:
                shown = shown * foreground(shown, self._behind(piece))
            colour[piece.place] = shown
        return Picture(colour, parts=None, mask=mask if known else None, depth=None)

    def masks(self, index: Tensor | None = None, chunk: int = 256) -> Tensor | None:
        """Whether each pixel of some frames, of all if None, is the person's; None where none is stored."""
        shots = self.poses.shot if index is None else self.poses.shot[index]
        if not all(self.poses.pictures[shot].masked for shot in shots.unique().tolist()):
            return None
        return super().masks(index, chunk)

    @torch.no_grad()
    def scenery(self, index: Tensor) -> Tensor:
        """The stored backgrounds (B, 3, S, S), in [0, 1], of some frames; black where none is stored."""
        behind = self.K.new_zeros(len(index), 3, self.size, self.size)
        for piece in self._pieces(index):
            if piece.stored.background is not None:
                behind[piece.place] = self._behind(piece)
        return behind

    def estimated_background(self, clip: int, frames: int = 64) -> Tensor:
        """Background (3, S, S) uint8 of a clip's crop: the stored one, or the median of its frames.

        Raises ValueError where crops move with the frame.
        """
        first = self.poses.start[clip]
        stored = self.poses.pictures[int(self.poses.shot[first])]
        if self.window == "frame" or stored.background is None:
            return super().estimated_background(clip, frames)
        return (self.scenery(first[None])[0] * 255).round().to(torch.uint8)

    def _pieces(self, index: Tensor) -> Iterator[_Piece]:
        """Some frames, those of one stored clip after the other, with where their samples lie."""
        shots, rows = self.poses.shot[index], self.poses.row[index]
        for shot in shots.unique().tolist():
            stored, mine = self.poses.pictures[shot], (shots == shot).nonzero()[:, 0]
            window = torch.from_numpy(stored.window).to(self.side)[rows[mine]]
            # a bilinear sample covers two pixels: closer than that, none is missed
            pixels = self.side[index[mine]] * (stored.shape[1] / window[:, 2])
            fine = (pixels / (2 * self.size)).ceil().clamp_min(1)
            for factor in fine.unique().tolist():
                some = fine == factor
                place = mine[some]
                where = self._samples(index[place], int(factor))
                yield _Piece(stored, place, rows[place].cpu().numpy(), window[some], where)

    def _samples(self, index: Tensor, fine: int) -> Tensor:
        """Where samples lie (n, M, M, 2), M = fine x size, in px of the whole picture as it was taken."""
        count = fine * self.size
        steps = (torch.arange(count, device=self.side.device) + 0.5) / count - 0.5
        axes = self.centre[index][:, None] + self.side[index][:, None, None] * steps[:, None]
        columns, rows = axes[:, None, :, 0], axes[:, :, None, 1]
        where = torch.stack(torch.broadcast_tensors(columns, rows), dim=-1)
        if self.poses.turned is None:
            return where
        K, turn = self.poses.K[index], rotation_z(self.poses.turned[index])[:, :2, :2]
        focal, middle = K[:, :2, :2].diagonal(dim1=1, dim2=2)[:, None], K[:, None, :2, 2]
        rays = (where.flatten(1, 2) - middle) / focal
        return (rays @ turn * focal + middle).view_as(where)

    def _sampled(self, images: Tensor, grid: Tensor, padding: str = "zeros") -> Tensor:
        """Images (n, C, h, w) at a grid (n, M, M, 2) in [-1, 1], averaged to (n, C, size, size)."""
        found = F.grid_sample(images, grid, padding_mode=padding, align_corners=False)
        return F.avg_pool2d(found, grid.shape[2] // self.size).clamp_(0, 1)

    def _cut(self, images: np.ndarray, piece: _Piece) -> Tensor:
        """Crops (n, C, size, size), in [0, 1], of stored ones (n, S, S, C) uint8; 0 beyond them."""
        values = torch.from_numpy(images).to(self.side.device).permute(0, 3, 1, 2).float() / 255
        return self._sampled(values, piece.grid)

    def _inside(self, piece: _Piece) -> Tensor:
        """How much of each pixel lies in the stored crop: (n, 1, size, size) in [0, 1]."""
        side = piece.stored.shape[1]
        return self._sampled(self.side.new_ones(len(piece.place), 1, side, side), piece.grid)

    def _behind(self, piece: _Piece) -> Tensor:
        """The stored background (n, 3, size, size) of the crops."""
        image = torch.from_numpy(piece.stored.background).to(self.side.device)
        window = torch.as_tensor(piece.stored.background_window).to(self.side)
        grid = 2 * (piece.where - window[:2]) / window[2]
        # one image, the crops one below the other
        image = image.permute(2, 0, 1)[None].float() / 255
        found = self._sampled(image, grid.flatten(0, 1)[None], "border")
        return found.unflatten(2, (len(grid), self.size))[0].transpose(0, 1)


@dataclass(frozen=True)
class _Piece:
    """Frames of one stored clip.

    The places (n,) they have in a batch, their rows (n,) in the clip, the windows (n, 3) of their stored
    crops, and where they are sampled (n, M, M, 2), in px of the whole picture.
    """

    stored: StoredPictures
    place: Tensor
    rows: np.ndarray
    window: Tensor
    where: Tensor

    @property
    def grid(self) -> Tensor:
        """Where they are sampled, in [-1, 1] over the stored crops."""
        window = self.window[:, None, None]
        return 2 * (self.where - window[..., :2]) / window[..., 2:]


def _cameras(poses: Poses) -> Tensor:
    """A number for each clip (C,), the same for clips of one person before a camera that has not moved."""
    first = poses.start
    who = torch.stack([poses.subject[first], poses.camera[first]], dim=1)
    where = [poses.K[first].flatten(1), poses.R[first].flatten(1), poses.t[first]]
    return torch.cat([who.to(poses.K), *where], dim=1).unique(dim=0, return_inverse=True)[1]
