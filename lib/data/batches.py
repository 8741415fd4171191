"""Whole datasets on the device, drawn from by index: no Python loop over samples in a step."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lib.data.dataset import Clip, Dataset
from lib.skeleton import Skeleton

__all__ = ["Poses", "load_poses"]


@dataclass(frozen=True)
class Poses:
    """All N frames of some clips, one clip after the other, as tensors on one device.

    joints_3d (N, J, 3) mm in camera coordinates; joints_2d and detected_2d (N, J, 2) px, the latter
    None unless every clip has it; K (N, 3, 3), R (N, 3, 3), t (N, 3) of each frame's camera.
    clip, action, subject, camera (N,) int64: indices into clips, action_names, subject_names and
    camera_names; start and length (C,) int64 and fps (C,) float32 belong to the C clips. An
    action's name is without the number of its take.
    """

    skeleton: Skeleton
    joints_3d: Tensor
    joints_2d: Tensor
    detected_2d: Tensor | None
    K: Tensor
    R: Tensor
    t: Tensor
    clip: Tensor
    action: Tensor
    subject: Tensor
    camera: Tensor
    start: Tensor
    length: Tensor
    fps: Tensor
    clips: tuple[str, ...]
    action_names: tuple[str, ...]
    subject_names: tuple[str, ...]
    camera_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.joints_3d)

    @property
    def device(self) -> torch.device:
        return self.joints_3d.device

    @property
    def actions(self) -> list[str]:
        """The action's name of each frame (N,), for tables."""
        return [self.action_names[i] for i in self.action.tolist()]

    @property
    def subjects(self) -> list[str]:
        """The subject's name of each frame (N,), for tables."""
        return [self.subject_names[i] for i in self.subject.tolist()]

    def bounds(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """First and last frame (indices into the N) of the clip that each indexed frame is in."""
        clip = self.clip[index]
        first = self.start[clip]
        return first, first + self.length[clip] - 1

    def neighbour(self, index: Tensor, offset: int | Tensor) -> Tensor:
        """Frame t + offset of the same clip, or t - offset where the clip ends before.

        In a clip too short for either it is the clip's end that is further away.
        """
        first, last = self.bounds(index)
        ahead, behind = index + offset, index - offset
        inside = (ahead >= first) & (ahead <= last)
        fallback = torch.where(
            (behind >= first) & (behind <= last), behind, _further(index, first, last)
        )
        return torch.where(inside, ahead, fallback)

    def other(
        self, index: Tensor, minimum_gap: int, generator: torch.Generator | None = None
    ) -> Tensor:
        """A random other frame of the same clip, uniform over those at least minimum_gap away.

        In a clip too short for that it is the clip's end that is further away (in a clip of one
        frame, the frame itself). The generator lives on the device of the poses.
        """
        if minimum_gap < 1:
            raise ValueError(f"minimum_gap is at least 1, not {minimum_gap}")
        first, last = self.bounds(index)
        before = (index - minimum_gap - first + 1).clamp(min=0)
        after = (last - index - minimum_gap + 1).clamp(min=0)
        count = before + after
        draw = torch.rand(index.shape, generator=generator, device=index.device)
        draw = (draw * count).long().minimum((count - 1).clamp(min=0))
        chosen = torch.where(draw < before, first + draw, index + minimum_gap + draw - before)
        return torch.where(count > 0, chosen, _further(index, first, last))

    def thinned(self, stride: int) -> "Poses":
        """Every stride-th frame of each clip, from its first on; its fps is divided accordingly."""
        if stride < 1:
            raise ValueError(f"stride is at least 1, not {stride}")
        place = torch.arange(len(self), device=self.device) - self.start[self.clip]
        kept = (place % stride == 0).nonzero()[:, 0]
        length = (self.length + stride - 1) // stride
        rows = {
            name: None if getattr(self, name) is None else getattr(self, name)[kept]
            for name in (
                *("joints_3d", "joints_2d", "detected_2d", "K", "R", "t"),
                *("clip", "action", "subject", "camera"),
            )
        }
        return replace(
            self, **rows, start=length.cumsum(0) - length, length=length, fps=self.fps / stride
        )

    def window(self, index: Tensor, size: int) -> Tensor:
        """(..., size) frames centred on each indexed frame, the clip's first and last repeated."""
        if size < 1 or size % 2 == 0:
            raise ValueError(f"a window's size is odd, not {size}")
        first, last = self.bounds(index)
        steps = torch.arange(size, device=index.device) - size // 2
        return (index[..., None] + steps).maximum(first[..., None]).minimum(last[..., None])


def load_poses(
    dataset: Dataset,
    part: str = "train",
    device: str | torch.device = "cpu",
    *,
    holdout: bool = False,
    stride: int = 1,
    max_frames: int | None = None,
) -> Poses:
    """The clips of a part ("train", "test", "validation"; see Dataset.subset) on a device.

    stride keeps every stride-th frame of a clip (and divides its fps). max_frames shortens every
    clip by the same factor, from its end, so that about max_frames are left and every clip still
    has a frame. Raises ValueError for a part without clips.
    """
    clips = dataset.subset(part, holdout)
    if not clips:
        raise ValueError(f"{dataset.path}: no clips in part {part!r}")
    lengths = np.array([-(-len(clip) // stride) for clip in clips])
    if max_frames is not None and lengths.sum() > max_frames:
        lengths = np.maximum(1, lengths * max_frames // lengths.sum())

    def frames(name: str) -> Tensor:
        arrays = [getattr(clip, name)[::stride][:n] for clip, n in zip(clips, lengths, strict=True)]
        return torch.from_numpy(np.concatenate(arrays)).float().to(device)

    def repeated(values: Iterable) -> Tensor:
        return torch.from_numpy(np.repeat(np.stack(list(values)), lengths, axis=0)).to(device)

    def numbered(labels: list[str]) -> tuple[Tensor, tuple[str, ...]]:
        names = tuple(dict.fromkeys(labels))
        return repeated(np.int64(names.index(label)) for label in labels), names

    action, action_names = numbered([clip.kind for clip in clips])
    subject, subject_names = numbered([clip.subject for clip in clips])
    camera, camera_names = numbered([clip.camera for clip in clips])
    return Poses(
        skeleton=dataset.skeleton,
        joints_3d=frames("joints_3d"),
        joints_2d=frames("joints_2d"),
        detected_2d=frames("detected_2d") if _all_detected(clips) else None,
        K=repeated(clip.K for clip in clips).float(),
        R=repeated(clip.R for clip in clips).float(),
        t=repeated(clip.t for clip in clips).float(),
        clip=repeated(np.arange(len(clips))),
        action=action,
        subject=subject,
        camera=camera,
        start=torch.from_numpy(np.cumsum(lengths) - lengths).to(device),
        length=torch.from_numpy(lengths).to(device),
        fps=torch.tensor([clip.fps / stride for clip in clips], device=device),
        clips=tuple(clip.group for clip in clips),
        action_names=action_names,
        subject_names=subject_names,
        camera_names=camera_names,
    )


def _further(index: Tensor, first: Tensor, last: Tensor) -> Tensor:
    return torch.where(index - first >= last - index, first, last)


def _all_detected(clips: tuple[Clip, ...]) -> bool:
    return all(clip.detected_2d is not None for clip in clips)
