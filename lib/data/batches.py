"""Whole datasets on the device, drawn from by index: no Python loop over samples in a step."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from lib.data.dataset import Clip, Dataset
from lib.data.pictures import StoredPictures
from lib.skeleton import Skeleton

__all__ = ["Poses", "count_frames", "load_poses"]

_OF_FRAMES = (
    "joints_3d", "joints_2d", "detected_2d", "K", "R", "t", "action", "subject", "camera",
    "labelled", "occluded", "shot", "row", "turned",
)  # fmt: skip


@dataclass(frozen=True)
class Poses:
    """All N frames of some clips, one clip after the other, as tensors on one device.

    joints_3d (N, J, 3) mm in camera coordinates; joints_2d and detected_2d (N, J, 2) px, the latter
    None unless every clip has it; K (N, 3, 3), R (N, 3, 3), t (N, 3) of each frame's camera.
    clip, action, subject, camera (N,) int64: indices into clips, action_names, subject_names and
    camera_names; start and length (C,) int64 and fps (C,) float32 belong to the C clips. An
    action's name is without the number of its take.

    joints_3d are NaN where the data have none. labelled and occluded (N, J) bool: as in `Clip`, None for
    all and for none. Where pictures are stored, frame n is row[n] (N,) of pictures[shot[n]], and
    turned (N,) the angle, in radians, by which the camera has been turned about its optical axis since, or
    None; static (C,) bool: the camera stands still. Elsewhere they are empty and None, and people may be
    drawn from the poses, but not where pictures were left out of an import: no_pictures says so then.
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
    labelled: Tensor | None = None
    occluded: Tensor | None = None
    pictures: tuple[StoredPictures | None, ...] = ()
    shot: Tensor | None = None
    row: Tensor | None = None
    turned: Tensor | None = None
    static: Tensor | None = None
    no_pictures: str = ""

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

    @property
    def in_3d(self) -> Tensor:
        """Whether the 3D pose of each frame is known: bool (N,)."""
        return self.joints_3d.isfinite().flatten(1).all(1)

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
        return self.regrouped(kept, self.clip[kept], self.clips, self.fps / stride)

    def regrouped(
        self, index: Tensor, clip: Tensor, clips: tuple[str, ...], fps: Tensor | None = None
    ) -> "Poses":
        """Frames ``index`` (M,) as other clips: ``clip`` (M,), ascending, is the number of each one's clip.

        Every clip of the names ``clips`` has a frame. ``fps`` of the new clips is 1 where it is not given:
        frames that only belong together are in no order of time.
        """
        length = torch.bincount(clip, minlength=len(clips))
        static = None
        if self.static is not None:
            moves = ~self.static[self.clip[index]]
            static = torch.bincount(clip[moves], minlength=len(clips)) == 0
        return replace(
            self,
            **self._rows(index),
            clip=clip,
            start=length.cumsum(0) - length,
            length=length,
            fps=self.fps.new_ones(len(clips)) if fps is None else fps,
            clips=clips,
            static=static,
        )

    def _rows(self, index: Tensor) -> dict[str, Tensor | None]:
        """All that belongs to single frames, but their clip, of the frames indexed."""
        found = {name: getattr(self, name) for name in _OF_FRAMES}
        return {name: None if values is None else values[index] for name, values in found.items()}

    def window(self, index: Tensor, size: int) -> Tensor:
        """(..., size) frames centred on each indexed frame, the clip's first and last repeated."""
        if size < 1 or size % 2 == 0:
            raise ValueError(f"a window's size is odd, not {size}")
        first, last = self.bounds(index)
        steps = torch.arange(size, device=index.device) - size // 2
        return (index[..., None] + steps).maximum(first[..., None]).minimum(last[..., None])


def count_frames(clips: Iterable[Clip]) -> int:
    """How many frames of clips count."""
    return sum(len(clip) if clip.valid is None else int(clip.valid.sum()) for clip in clips)


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

    A clip some of whose frames do not count comes as several clips of its name, one for each run of
    frames that do, so that no neighbour lies beyond a gap. stride keeps every stride-th frame of a clip (and
    divides its fps). max_frames shortens every clip by the same factor, from its end, so that about
    max_frames are left and every clip still has a frame. Raises ValueError for a part without clips.
    """
    whole = dataset.subset(part, holdout)
    if not whole:
        raise ValueError(f"{dataset.path}: no clips in part {part!r}")
    clips, rows = zip(*((clip, run[::stride]) for clip in whole for run in _runs(clip)), strict=True)
    lengths = np.array([len(run) for run in rows])
    if max_frames is not None and lengths.sum() > max_frames:
        lengths = np.maximum(1, lengths * max_frames // lengths.sum())
    rows = [run[:n] for run, n in zip(rows, lengths, strict=True)]

    def frames(name: str, absent: float = np.nan) -> Tensor | None:
        """An array of all clips, with another value where a clip has none; None where no clip has it."""
        arrays = [getattr(clip, name) for clip in clips]
        if all(values is None for values in arrays):
            return None
        like = next(values for values in arrays if values is not None)
        filled = [
            np.full((len(run), *like.shape[1:]), absent, like.dtype) if values is None else values[run]
            for values, run in zip(arrays, rows, strict=True)
        ]
        found = torch.from_numpy(np.concatenate(filled))
        return (found if found.dtype == torch.bool else found.float()).to(device)

    def repeated(values: Iterable) -> Tensor:
        return torch.from_numpy(np.repeat(np.stack(list(values)), lengths, axis=0)).to(device)

    def numbered(labels: list[str]) -> tuple[Tensor, tuple[str, ...]]:
        names = tuple(dict.fromkeys(labels))
        return repeated(np.int64(names.index(label)) for label in labels), names

    action, action_names = numbered([clip.kind for clip in clips])
    subject, subject_names = numbered([clip.subject for clip in clips])
    camera, camera_names = numbered([clip.camera for clip in clips])
    joints_2d, joints_3d = frames("joints_2d"), frames("joints_3d")
    pictures = {}
    if any(clip.pictures is not None for clip in clips):
        pictures = {
            "pictures": tuple(clip.pictures for clip in clips),
            "shot": repeated(np.arange(len(clips))),
            "row": torch.from_numpy(np.concatenate(rows)).to(device),
            "static": torch.tensor([clip.static for clip in clips], device=device),
        }
    return Poses(
        skeleton=dataset.skeleton,
        joints_3d=joints_2d.new_full((*joints_2d.shape[:2], 3), np.nan) if joints_3d is None else joints_3d,
        joints_2d=joints_2d,
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
        labelled=frames("labelled", True),
        occluded=frames("occluded", False),
        no_pictures=_left_out(dataset) if not all(clip.pictures for clip in clips) else "",
        **pictures,
    )


def _left_out(dataset: Dataset) -> str:
    """What to tell who asks for pictures that an import left out; empty for a file of another origin."""
    made, _, rest = dataset.generator.partition(" ")
    if made != "import":
        return ""
    command = f"python -m lib.data import {rest.split()[0]} PATH --size 128"
    return f"{dataset.path}: its import kept no pictures, or not of all clips; {command} keeps them"


def _runs(clip: Clip) -> list[np.ndarray]:
    """The rows of each run of frames that count."""
    if clip.valid is None:
        return [np.arange(len(clip))]
    rows = clip.valid.nonzero()[0]
    return np.split(rows, (np.diff(rows) > 1).nonzero()[0] + 1)


def _further(index: Tensor, first: Tensor, last: Tensor) -> Tensor:
    return torch.where(index - first >= last - index, first, last)


def _all_detected(clips: tuple[Clip, ...]) -> bool:
    return all(clip.detected_2d is not None for clip in clips)
