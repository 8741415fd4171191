r"""Pairs of frames that Yoo & Russakovsky 2023 train on: one person, one camera, one background.

All frames of a subject before a camera whose person lies in the same rectangle of a coarse raster share a
crop, hence a background, and are a group; a pair is two random frames of a group.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from lib.data.arms import with_arms_out
from lib.data.backdrops import Backdrops, foreground
from lib.data.batches import Poses
from lib.data.crops import to_crop
from lib.data.images import Filmed
from lib.data.shots import Shots
from lib.papers.yoo2023_template import JOINTS

__all__ = [
    "OUT", "RASTER", "ROW", "STANDING", "Frames", "group", "mirrored_half", "outline_box", "pair",
    "standing", "take_frames", "truth_15",
]  # fmt: skip

# The paper's ten actions, and those of other recordings in which a person stands or walks.
STANDING = frozenset(
    "Directions Discussion Greeting Photo Posing Purchases Waiting WalkDog WalkTogether Walking "
    "Directing Exercise Gesturing Household Reaching WalkingTurns".split()
)
# The authors' raster is 170 px, with crops of 200 px a row of it. People are smaller in our frames (340 px
# high), so that the raster is halved; crops have no margin about its rows, as our pictures have fewer pixels.
RASTER, ROW = 85.0, 85.0
AUTHORS = (170.0, 200.0)  # of photographs
OUT = 1 / 41  # share of frames with arms out in Human3.6M: its photographs have it by themselves
AROUND = 0.06  # of a person's height in joints, between joints and the outline
LEAST = 2  # frames of a group
WIDE, FINE = 1.5, 6  # of the medians of cameras: margin about people, px a side for each px of a crop
_AS_H17 = {"abdomen": "pelvis", "chest": "thorax", "neck": "nose"}


@dataclass(frozen=True)
class Frames:
    """Frames kept in memory, group by group.

    filmed: their poses, of which each clip is a group, and what draws them. images (N, 3, S, S) uint8, whole
    or on black. mask (N, S, S): whether a pixel is truly the person's, None where nobody knows; truth (N, 15,
    2): true keypoints in crop coordinates; box (N, 4): left, top, right, bottom of that outline, or without
    masks of the joints and a margin. Only a test looks at these.
    """

    filmed: Shots
    images: Tensor
    mask: Tensor | None
    truth: Tensor
    box: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def pictures(self, index: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in [0, 1]."""
        return self.images[index].float() / 255

    @property
    def clip(self) -> Tensor:
        """(N,) the group of each frame."""
        return self.filmed.poses.clip

    @property
    def diagonal(self) -> Tensor:
        """(N,) of the box, in crop units."""
        return (self.box[:, 2:] - self.box[:, :2]).norm(dim=1)


def outline_box(mask: Tensor) -> Tensor:
    """(N, 4): left, top, right, bottom in crop coordinates of what is True in masks (N, S, S)."""
    size = mask.shape[-1]
    edges = torch.arange(size + 1, device=mask.device) * (2 / size) - 1
    found = []
    for axis in (1, 2):
        seen = mask.any(axis)  # columns, rows
        first = seen.float().argmax(1)
        last = size - seen.flip(1).float().argmax(1)
        found += [edges[first], edges[last]]
    left, right, top, bottom = found
    return torch.stack([left, top, right, bottom], dim=1)


def standing(poses: Poses) -> Tensor:
    """Indices of the frames whose action is a standing one."""
    kept = torch.tensor([name in STANDING for name in poses.action_names], device=poses.device)
    return kept[poses.action].nonzero()[:, 0]


def group(poses: Poses, raster: float = RASTER, row: float = ROW) -> tuple[Poses, Tensor, Tensor]:
    """Poses ordered by group, each group a clip of the result.

    Returns them with centre (M, 2) and side (M,) px of their crops: a square of ``row`` px a row of the
    raster rectangle, about its middle. Groups of one frame are left out.
    """
    low, high = poses.joints_2d.amin(1), poses.joints_2d.amax(1)
    margin = AROUND * (high - low)[:, 1:]
    first, last = ((low - margin) / raster).floor(), ((high + margin) / raster).ceil()
    who = torch.stack([poses.subject, poses.camera], dim=1)
    keys, member, count = torch.cat([who, first.long(), last.long()], dim=1).unique(
        dim=0, return_inverse=True, return_counts=True
    )
    kept = (count[member] >= LEAST).nonzero()[:, 0]
    kept = kept[member[kept].argsort(stable=True)]
    old, number = member[kept].unique(return_inverse=True)
    names = []
    for subject, camera, *corners in keys[old].tolist():
        where = "-".join(str(corner) for corner in corners)
        names.append(f"{poses.subject_names[subject]}/{where}/{poses.camera_names[camera]}")
    centre = (first + last)[kept] * (raster / 2)
    return poses.regrouped(kept, number, tuple(names)), centre, (last - first)[kept, 1] * row


def truth_15(filmed: Shots) -> Tensor:
    """True keypoints (N, 15, 2) in crop coordinates; the neck is Human3.6M's neck/nose, as in the authors'
    code."""
    skeleton = filmed.poses.skeleton
    return filmed.crop[:, [skeleton.index(_AS_H17.get(name, name)) for name in JOINTS]]


def take_frames(
    poses: Poses, size: int, share: float, limit: int | None, background: bool, seed: int = 0
) -> Frames:
    """Draws standing frames of role studio, at most ``limit``, of which a share has its arms out.

    Arguments:
        share: of the frames with arms out among those with arms out or down, see
            `lib.data.arms.with_arms_out`.
        background: whole pictures, as in the paper; else what differs from the median of the camera's
            frames, on black (ours).

    Every group has clothes of its own, worn in all its frames.
    """
    index = standing(poses)
    if limit is not None and len(index) > limit:
        index = index[torch.linspace(0, len(index) - 1, limit, device=index.device).long()]
    raster = AUTHORS if poses.pictures else (RASTER, ROW)
    poses, centre, side = group(poses.regrouped(index, torch.zeros_like(index), ("all",)), *raster)
    kept = torch.arange(len(poses), device=poses.device)
    if not (poses.pictures and share == OUT):
        # arms are raised in groups made before: else those with arms out would be groups of their own
        poses, kept = with_arms_out(poses, share, seed)
    kept = kept[torch.bincount(poses.clip[kept])[poses.clip[kept]] >= LEAST]
    if not len(kept):
        raise ValueError(f"{len(poses)} frames of people who stand: none left with arms out in {share:.0%}")
    old, member = poses.clip[kept].unique(return_inverse=True)
    names = tuple(poses.clips[clip] for clip in old.tolist())
    poses, centre, side = poses.regrouped(kept, member, names), centre[kept], side[kept]
    filmed = Filmed.of(poses, "studio", size, seed=seed).through(centre, side)
    behind = None if background else Backdrops.of(poses, "studio", margin=WIDE, size=FINE * size, seed=seed)
    images = filmed.K.new_empty((len(poses), 3, size, size), dtype=torch.uint8)
    masks = []
    for some in torch.arange(len(poses), device=index.device).split(256):
        picture = filmed.draw(some, background=True)
        colour = picture.colour
        if behind is not None:
            row = behind.row[poses.clip[some]]
            known = (row >= 0).nonzero()[:, 0]
            where = some[known]
            still = behind.crop(row[known], centre[where], side[where], size)
            colour[known] *= foreground(colour[known], still)
        images[some] = (colour * 255).round().to(torch.uint8)
        masks.append(picture.mask)
    if any(mask is None for mask in masks):
        return Frames(filmed, images, None, truth_15(filmed), _box_of_joints(poses, centre, side))
    mask = torch.cat(masks)
    return Frames(filmed, images, mask, truth_15(filmed), outline_box(mask))


def _box_of_joints(poses: Poses, centre: Tensor, side: Tensor) -> Tensor:
    """(N, 4): about what `outline_box` gives, from joints alone."""
    low, high = poses.joints_2d.amin(1), poses.joints_2d.amax(1)
    margin = AROUND * (high - low)[:, 1:]
    corners = to_crop(torch.stack([low - margin, high + margin], dim=1), centre, side)
    return corners.clamp(-1, 1).flatten(1)


def pair(clip: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Pairs (M, 2) of frames of one group, at random.

    A pass over the frames puts each of them into one pair at most. ``share`` 1 is one pass; 4 are four
    (the authors' full set); 1/3 is a random third of the pairs of one pass.
    """
    found = []
    for _ in range(max(1, round(share))):
        order = torch.rand(len(clip), generator=generator, device=clip.device)
        by_group = torch.argsort(clip.double() + order.double() * 0.999)
        groups = clip[by_group]
        count = torch.bincount(groups)
        place = torch.arange(len(clip), device=clip.device) - (count.cumsum(0) - count)[groups]
        first = ((place % 2 == 0) & (place + 1 < count[groups])).nonzero()[:, 0]
        found.append(torch.stack([by_group[first], by_group[first + 1]], dim=1))
    pairs = torch.cat(found)
    if share < 1:
        kept = torch.randperm(len(pairs), generator=generator, device=clip.device)
        pairs = pairs[kept[: round(share * len(pairs))]]
    return pairs


def mirrored_half(pairs: Tensor, how: str) -> tuple[Tensor, Tensor]:
    """Pairs and whether each is mirrored (M,): ``how`` "none", "replace" or "add".

    "replace" is the authors' way: mirrored copies of every second pair take the place of the others, so
    that there are as many as before. "add" gives each pair its mirror image. ValueError for another.
    """
    match how:
        case "none":
            return pairs, torch.zeros(len(pairs), dtype=torch.bool, device=pairs.device)
        case "replace":
            kept = pairs[::2]
        case "add":
            kept = pairs
        case _:
            raise ValueError(f"pairs are mirrored none, replace or add, not {how!r}")
    mirrored = torch.arange(2 * len(kept), device=pairs.device) >= len(kept)
    return kept.repeat(2, 1), mirrored
