"""What Sosa & Hogg 2023 train on: pictures of some recordings, unpaired 2D poses of the others.

Recordings are taken in turn, one for the pictures and the next for the poses, so that no frame gives
both: keypointgan, on which the paper builds, halves every sequence; the paper does not say.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from lib.data.batches import Poses
from lib.data.crops import person_box, to_crop
from lib.data.images import Filmed
from lib.geometry import Camera, project, rotation_z
from lib.losses import relative_bone_lengths, safe_norm
from lib.papers.normalise import DEPTH
from lib.skeleton import HAND_21, Skeleton

__all__ = [
    "MARGIN", "Material", "Prior", "Pictures", "half_of_recordings", "mirror", "reference_length",
    "rotated", "take_pictures", "take_prior",
]  # fmt: skip

MARGIN = 1.2  # side of a crop in extents of the person's joints
UNFORESHORTENED = 0.8  # of a bone's lengths in pictures, the quantile taken for its own
HAND_TURNS = (45.0, 90.0)  # degrees: two rotated versions of each picture of a hand (Sec. 4.3)


def half_of_recordings(train: Poses, which: int) -> Tensor:
    """Indices (M,) of the frames of every second recording, from the first (0) or second (1) on.

    A recording is a subject's take with all its cameras.
    """
    recordings = [group.rsplit("/", 1)[0] for group in train.clips]
    order = {name: number for number, name in enumerate(sorted(set(recordings)))}
    parity = torch.tensor([order[name] % 2 for name in recordings], device=train.device)
    return (parity[train.clip] == which).nonzero().squeeze(1)


def reference_length(pose: Tensor, skeleton: Skeleton) -> Tensor:
    """The length (...) that is 1 unit on average: root to head; of a hand wrist to middle finger's tip."""
    end = "middle_4" if skeleton == HAND_21 else "head"
    return safe_norm(pose[..., skeleton.index(end), :] - pose[..., skeleton.root, :])


def mirror(points: Tensor, skeleton: Skeleton) -> Tensor:
    """2D poses (N, J, 2) in crop coordinates as in the mirrored picture, left and right renamed.

    A hand has no such pairs: its mirror image is the other hand, and is not used.
    """
    return points[:, list(skeleton.mirror)] * points.new_tensor([-1.0, 1.0])


def rotated(poses: Poses, degrees: float) -> Poses:
    """The same frames seen by a camera turned about its optical axis."""
    turn = rotation_z(torch.deg2rad(poses.joints_3d.new_tensor(degrees)))
    joints = poses.joints_3d @ turn.T
    still = Camera(poses.K, torch.eye(3).to(poses.K).expand_as(poses.K), torch.zeros_like(poses.t))
    points = project(joints, still)
    if not poses.in_3d.all():  # what is known of its place in the picture alone
        view = poses.K @ turn @ torch.linalg.inv(poses.K)
        seen = torch.nn.functional.pad(poses.joints_2d, (0, 1), value=1.0) @ view.mT
        points = torch.where(poses.in_3d[:, None, None], points, seen[..., :2] / seen[..., 2:])
    before = torch.zeros_like(poses.t[:, 0]) if poses.turned is None else poses.turned
    return replace(
        poses,
        joints_3d=joints,
        joints_2d=points,
        detected_2d=None,
        R=turn @ poses.R,
        t=poses.t @ turn.T,
        turned=before + math.radians(degrees) if poses.pictures else None,
    )


@dataclass(frozen=True)
class Prior:
    """Unpaired 2D poses (M, J, 2) in crop coordinates, and what is estimated from them alone.

    factor takes root-centred crop coordinates to the lifter's unit: the mean reference length of
    these poses is 1 / D. It is the one constant for prior, flow and predictions. ratios (B,) are the
    mean relative bone lengths of the 3D poses of role motion, of other people.
    """

    points: Tensor
    factor: float
    ratios: Tensor
    skeleton: Skeleton

    def normalise(self, points: Tensor) -> Tensor:
        """Crop coordinates (..., J, 2) to root-centred poses of the lifter."""
        root = self.skeleton.root
        return (points - points[..., root : root + 1, :]) * self.factor


@dataclass(frozen=True)
class Pictures:
    """Pictures kept in memory: images (N, 3, S, S) uint8 on black, with what only a test looks at.

    points (N, J, 2): the true joints in crop coordinates; mask (N, S, S) whether a pixel is the person's.
    cut_out: people are alone on black as they should be; in photographs nobody may know where they are.
    """

    images: Tensor
    points: Tensor
    cut_out: bool = True

    def __len__(self) -> int:
        return len(self.images)

    def batch(self, index: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in [-1, 1]."""
        return self.images[index].float() / 127.5 - 1.0

    @property
    def mask(self) -> Tensor:
        """(N, S, S): pixels that are not the black that the background was replaced by."""
        return (self.images > 0).any(1)


@dataclass(frozen=True)
class Material:
    """Everything a run trains on."""

    pictures: Pictures
    prior: Prior
    flow_points: Tensor  # poses that the flow is trained on; those of the prior unless said otherwise


def take_pictures(
    poses: Poses, role: str, size: int, index: Tensor | None = None, limit: int | None = None
) -> Pictures:
    """Draws the pictures of some frames of a role (all, if `index` is None), at most `limit` of them."""
    filmed = Filmed.of(poses, role, size, margin=MARGIN)
    if index is None:
        index = torch.arange(len(poses), device=poses.device)
    if limit is not None and len(index) > limit:
        index = index[torch.linspace(0, len(index) - 1, limit, device=index.device).long()]
    return Pictures(filmed.colours(index), filmed.crop[index], filmed.cut_out)


def take_prior(
    poses: Poses, ratios_from: Poses, index: Tensor, factor: float | None = None
) -> Prior:
    """The unpaired 2D poses of some frames, cropped as pictures are, with their constant."""
    points = to_crop(poses.joints_2d, *person_box(poses.joints_2d, MARGIN))[index]
    if factor is None:
        factor = float(1 / (DEPTH * reference_length(points, poses.skeleton).mean()))
    return Prior(points, factor, _ratios(ratios_from), poses.skeleton)


def _ratios(poses: Poses) -> Tensor:
    """Mean relative bone lengths (B,) of the 3D poses.

    Where there are none: of the lengths that bones have in pictures, when little foreshortened, of people of
    one size.
    """
    known, parents = poses.in_3d, poses.skeleton.parents
    if known.any():
        joints = poses.joints_3d if known.all() else poses.joints_3d[known]
        return relative_bone_lengths(joints, parents).mean(0)
    long = relative_bone_lengths(poses.joints_2d, parents).quantile(UNFORESHORTENED, dim=0)
    return long / long.mean()
