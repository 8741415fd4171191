"""What Kundu et al., AAAI 2020 train on: 20 labelled renders, and video frames sorted by background.

Frames of clips whose background stands still come with an estimate of it and are paired (D_p); those of
other clips are only pictures of the same person (D_unp).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from lib.data.backdrops import Backdrops, background_motion, is_static
from lib.data.batches import Poses
from lib.data.images import Filmed
from lib.data.scenes import backgrounds
from lib.geometry import Camera, project, rotation_z
from lib.kinematics import (
    camera_parameters,
    canonical,
    forward_kinematics,
    inverse_kinematics,
    mirror_camera,
    mirror_parameters,
)
from lib.skeleton import HUMAN36M_17

__all__ = [
    "GAP", "MARGIN", "Footage", "Renders", "choose", "draw_renders", "medoids", "scenery", "take_footage",
]  # fmt: skip

MARGIN = 1.25  # side of a crop in extents of the person's joints
GAP = 1.0  # s between the two frames of a pair (the paper: "beyond a certain time-difference")
TURNS = (-20.0, -10.0, 0.0, 10.0, 20.0)  # degrees in the image plane, of the renders
MIRROR = list(HUMAN36M_17.mirror)


@dataclass(frozen=True)
class Renders:
    """Labelled synthetic pictures, augmented: M = renders x turns x 2 sides.

    images (M, 3, S, S) uint8 on black, mask (M, 1, S, S) bool; parameters (M, 40), camera (M, 6), joints
    (M, 17, 3) canonical and points (M, 17, 2) in crop coordinates.
    """

    images: Tensor
    mask: Tensor
    parameters: Tensor
    camera: Tensor
    joints: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def joined(self, other: "Renders") -> "Renders":
        """These and others."""
        return Renders(*(torch.cat([getattr(self, n), getattr(other, n)]) for n in self.__dataclass_fields__))

    def batch(self, index: Tensor, behind: Tensor, generator: torch.Generator) -> Tensor:
        """Pictures (B, 3, S, S) in [0, 1] before backgrounds (B, 3, S, S), colours jittered."""
        picture = self.images[index].float() / 255
        # colours stay near their own: what is skin and what is hair tells a face from its back
        gain = 0.7 + 0.6 * torch.rand(len(index), 3, 1, 1, generator=generator, device=picture.device)
        return torch.where(self.mask[index], (picture * gain).clamp(0, 1), behind)


@dataclass(frozen=True)
class Footage:
    """Frames of a role as crops, kept in memory.

    images and background (N, 3, S, S) uint8; the background is the temporal median, black where the clip has
    none. static (N,): whether the frame belongs to D_p. points (N, 17, 2): the true joints, for labels where
    a variant has them, and for tests.
    """

    poses: Poses
    images: Tensor
    background: Tensor
    static: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.images)

    def partner(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """Frames (B,) of the same clip at least GAP seconds away, or as far as the clip goes."""
        return self.poses.other(index, self.gap, generator)

    @cached_property
    def gap(self) -> int:
        """GAP in frames; asked of the device once."""
        return max(1, round(GAP * float(self.poses.fps.min())))

    def pictures(self, index: Tensor) -> Tensor:
        """Pictures (B, 3, S, S) in [0, 1]."""
        return self.images[index].float() / 255

    def backgrounds(self, index: Tensor) -> Tensor:
        """Their estimated backgrounds (B, 3, S, S) in [0, 1]."""
        return self.background[index].float() / 255


def take_footage(poses: Poses, role: str, size: int, behind: str = "all") -> Footage:
    """Draws all frames and estimates the background of clips.

    behind: "all" takes every clip's background to stand still; "sorted" asks the pixels, as the paper
    does for web video; "none" estimates none. Where pictures are stored, only clips whose background is
    stored too have one.
    """
    if behind not in ("all", "sorted", "none"):
        raise ValueError(f"behind is all, sorted or none, not {behind!r}")
    filmed = Filmed.of(poses, role, size, margin=MARGIN)
    images = filmed.all_colours(background=True)
    clips = torch.full((len(poses.clips),), behind != "none", device=poses.device)
    if behind == "sorted":
        clips = is_static(background_motion(poses, role))
    static = clips[poses.clip]
    background = torch.zeros_like(images)
    if clips.any():
        backdrops = Backdrops.of(poses, role, clips, margin=MARGIN)
        static = (backdrops.row >= 0)[poses.clip]
        index = static.nonzero()[:, 0]
        for part in index.split(256):
            row = backdrops.row[poses.clip[part]]
            crops = backdrops.crop(row, filmed.centre[part], filmed.side[part], size)
            background[part] = (crops * 255).round_().to(torch.uint8)
    return Footage(poses, images, background, static, filmed.crop)


def scenery(count: int, size: int, seed: int, device: torch.device) -> Tensor:
    """Random backgrounds (count, 3, S, S) uint8, nobody in them: half of rooms, half of the web."""
    seeds = torch.arange(count, device=device) + (seed + 1) * 1_000_003
    time = torch.zeros(count, device=device)
    half = count // 2
    rooms = backgrounds(seeds[:half], time[:half], size, "studio")
    web = backgrounds(seeds[half:], time[half:], size, "web")
    return (torch.cat([rooms, web]) * 255).round_().to(torch.uint8)


def medoids(features: Tensor, count: int, rounds: int = 20) -> Tensor:
    """Indices (count,) of the members nearest to the k-means centres of features (N, D).

    Centres start at the farthest points from the mean, one after the other, which is deterministic.
    """
    chosen = [int((features - features.mean(0)).norm(dim=1).argmin())]
    while len(chosen) < count:
        distance = torch.cdist(features, features[chosen]).amin(1)
        chosen.append(int(distance.argmax()))
    centres = features[chosen]
    for _ in range(rounds):
        owner = torch.cdist(features, centres).argmin(1)
        sums = torch.zeros_like(centres).index_add_(0, owner, features)
        counts = torch.bincount(owner, minlength=count).to(features)
        centres = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], centres)
    return torch.cdist(centres, features).argmin(1)


def farthest(features: Tensor, count: int) -> Tensor:
    """Indices (count,), each farthest from all before it, from the mean's neighbour on."""
    chosen = [int((features - features.mean(0)).norm(dim=1).argmin())]
    while len(chosen) < count:
        chosen.append(int(torch.cdist(features, features[chosen]).amin(1).argmax()))
    return torch.tensor(chosen, device=features.device)


def choose(poses: Poses, count: int, how: str) -> Tensor:
    """Indices (count,) of frames by their canonical joints: "medoids" or "farthest"."""
    every = max(1, len(poses) // 3000)
    index = torch.arange(0, len(poses), every, device=poses.device)
    features = canonical(poses.joints_3d[index])[0].flatten(1).cpu()  # the same choice on every device
    rule = {"medoids": medoids, "farthest": farthest}[how]
    return index[rule(features, min(count, len(index))).to(index.device)]


def take(poses: Poses, index: Tensor) -> Poses:
    """Some frames, each as a clip of its own, so that each wears other clothes."""
    where = poses.clip[index]
    names = tuple(
        f"/{poses.clips[c].strip('/').split('/')[0]}.{i}/render-{i}/0" for i, c in enumerate(where.tolist())
    )
    number = torch.arange(len(index), device=index.device)
    return replace(poses.regrouped(index, number, names, poses.fps[where]), detected_2d=None)


def draw_renders(poses: Poses, lengths: Tensor, size: int, frames: str) -> Renders:
    """Renders of poses, drawn with the bone ratios (17,) of the prior, turned and mirrored, with labels.

    The person drawn has the ratios that the model is given, so that its labels can be met exactly.
    """
    _, R = canonical(poses.joints_3d)
    parameters = inverse_kinematics(poses.joints_3d, frames)
    joints = forward_kinematics(parameters, lengths, frames)
    pelvis = poses.joints_3d[:, :1]
    trunk = (poses.joints_3d[:, HUMAN36M_17.index("thorax")] - pelvis[:, 0]).norm(dim=-1)[:, None, None]
    body = joints @ R.mT * trunk
    found = []
    for degrees in TURNS:
        turn = rotation_z(torch.deg2rad(body.new_tensor(degrees)))
        placed = (body + pelvis) @ turn.T
        still = Camera(poses.K, torch.eye(3).to(R).expand_as(R), torch.zeros_like(poses.t))
        turned = replace(
            poses, joints_3d=placed, joints_2d=project(placed, still), R=turn @ poses.R, t=poses.t @ turn.T
        )
        filmed = Filmed.of(turned, "bodies", size, margin=MARGIN)
        picture = filmed.draw(torch.arange(len(poses), device=body.device))
        found.append(
            (
                (picture.colour * 255).round().to(torch.uint8), picture.mask[:, None], parameters,
                camera_parameters(turn @ R), joints, filmed.crop,
            )
        )  # fmt: skip
    images, mask, parameters, camera, joints, points = (torch.cat(part) for part in zip(*found, strict=True))
    flip = points.new_tensor([-1.0, 1.0])
    mirrored = forward_kinematics(mirror_parameters(parameters), lengths, frames)
    return Renders(
        images=torch.cat([images, images.flip(-1)]),
        mask=torch.cat([mask, mask.flip(-1)]),
        parameters=torch.cat([parameters, mirror_parameters(parameters)]),
        camera=torch.cat([camera, mirror_camera(camera)]),
        joints=torch.cat([joints, mirrored]),
        points=torch.cat([points, points[:, MIRROR] * flip]),
    )
