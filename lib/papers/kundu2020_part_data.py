r"""What Kundu et al., CVPR 2020 train on: frames with a saliency, unpaired 3D poses, painted puppets."""

from dataclasses import dataclass

import torch
from torch import Tensor

from lib.data.backdrops import foreground
from lib.data.batches import Poses
from lib.data.saliency import saliency
from lib.geometry import rotation_x, rotation_z
from lib.kinematics import (
    bone_ratios,
    canonical,
    forward_kinematics,
    inverse_kinematics,
    mirror_parameters,
)
from lib.papers.kundu2020_data import Footage, take_footage
from lib.papers.kundu2020_part_model import PartModel, Seen

__all__ = ["Frames", "Prior", "clothe", "other_views", "paint", "take_frames", "take_prior"]

# Parameters that are exchanged between poses: hips, trunk and head; each leg; each arm.
LIMB_GROUPS = (
    (0, *range(13, 22)),
    tuple(range(1, 7)),
    tuple(range(7, 13)),
    tuple(range(22, 31)),
    tuple(range(31, 40)),
)
LOOK_DOWN = (-5.0, 25.0)  # degrees that a camera is above the person
ROLL = 5.0  # degrees, deviation


@dataclass(frozen=True)
class Frames:
    r"""Frames of a role as crops, with :math:`m_{sal}` (N, 1, S, S) uint8."""

    footage: Footage
    saliency: Tensor

    def __len__(self) -> int:
        return len(self.footage)

    def masks(self, index: Tensor) -> Tensor:
        """Saliency (B, 1, S, S) in [0, 1] of some frames."""
        return self.saliency[index].float() / 255


def take_frames(poses: Poses, role: str, size: int) -> Frames:
    """Draws all frames of a role. Static cameras' pictures are told from their background, others by
    saliency.

    Role wild and sport are taken for web video and web pictures: nothing is known of their background.
    """
    known = role in ("studio", "outdoor")
    footage = take_footage(poses, role, size, "all" if known else "none")
    found = torch.empty_like(footage.images[:, :1])
    for index in footage.static.nonzero()[:, 0].split(256):
        mask = foreground(footage.pictures(index), footage.backgrounds(index))
        found[index] = (mask * 255).round().to(torch.uint8)
    for index in (~footage.static).nonzero()[:, 0].split(256):
        found[index] = (saliency(footage.pictures(index)) * 255).round().to(torch.uint8)
    return Frames(footage, found)


@dataclass(frozen=True)
class Prior:
    r"""Unpaired 3D poses :math:`p_z`: parameters (M, 40), and R (M, 3, 3) from canonical to the world's
    axes."""

    parameters: Tensor
    R: Tensor

    def __len__(self) -> int:
        return len(self.parameters)

    def draw(
        self, model: PartModel, batch: int, mixed: float, shaken: float, generator: torch.Generator
    ) -> Seen:
        """Random poses, each seen from anywhere around it.

        Arguments:
            mixed: share of poses whose limbs come from different poses of the prior (ours).
            shaken: deviation of noise on their local vectors (ours); half of the poses get none.
        """
        device = self.parameters.device

        def chance(*shape: int) -> Tensor:
            return torch.rand(shape, generator=generator, device=device)

        index = (chance(batch) * len(self)).long()
        parameters = self.parameters[index].clone()
        exchanged = chance(batch) < mixed
        for group in LIMB_GROUPS[1:]:
            other = (chance(batch) * len(self)).long()
            columns = list(group)
            parameters[:, columns] = self.parameters[torch.where(exchanged, other, index)][:, columns]
        noise = torch.randn(parameters.shape, generator=generator, device=device)
        parameters = parameters + shaken * (chance(batch, 1) < 0.5) * noise
        yaw = rotation_z(2 * torch.pi * chance(batch))
        low, high = LOOK_DOWN
        above = torch.deg2rad(low + (high - low) * chance(batch))
        # world axes (z up) to those of a camera (y down), raised and rolled
        level = model.lengths.new_tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
        roll = torch.deg2rad(ROLL * torch.randn(batch, generator=generator, device=device))
        R = rotation_z(roll) @ rotation_x(above) @ level @ yaw @ self.R[index]
        joints = forward_kinematics(parameters, model.lengths, model.variant.frames)
        return model.facing(parameters, joints, R)


def take_prior(poses: Poses, frames: str) -> tuple[Prior, Tensor]:
    """The poses of a role with their mirror images, and their mean bone ratios (17,)."""
    parameters = inverse_kinematics(poses.joints_3d, frames)
    R = poses.R.mT @ canonical(poses.joints_3d)[1]
    side = R.new_tensor([1.0, -1.0, 1.0])
    mirrored = side[:, None] * R * side  # of the world and of the body
    prior = Prior(torch.cat([parameters, mirror_parameters(parameters)]), torch.cat([R, mirrored]))
    return prior, bone_ratios(poses.joints_3d)


def clothe(shapes: tuple[str, ...], batch: int, generator: torch.Generator) -> Tensor:
    """Colours (batch, P, 3) of the shapes of puppets: skin, hair, and clothes alike on both sides.

    What is skin and what is hair tells a face from the back of a head; the rest is random.
    """
    device = generator.device

    def chance(*shape: int) -> Tensor:
        return torch.rand(batch, *shape, generator=generator, device=device)

    def between(dark: tuple, light: tuple) -> Tensor:
        a, b = (torch.tensor(c, device=device) for c in (dark, light))
        return (a + (b - a) * chance(1)) * (0.85 + 0.3 * chance(3))

    skin = between((0.30, 0.19, 0.13), (0.98, 0.80, 0.68))
    hair = torch.where(chance(1) < 0.7, between((0.03, 0.02, 0.02), (0.35, 0.22, 0.12)),
                       between((0.4, 0.3, 0.15), (0.85, 0.75, 0.5)))  # fmt: skip
    shirt, trousers, shoes = chance(3), 0.8 * chance(3), chance(3)
    trousers = torch.where(chance(1) < 0.2, shirt, trousers)
    sleeve = chance(1)
    colour = {
        "hair": hair, "face": skin, "head": skin, "torso": shirt, "foot": shoes,
        "upper_arm": torch.where(sleeve < 0.15, skin, shirt),
        "lower_arm": torch.where(sleeve < 0.6, skin, shirt),
        "upper_leg": trousers,
        "lower_leg": torch.where(chance(1) < 0.3, skin, trousers),
    }  # fmt: skip
    named = [colour[name.removeprefix("left_").removeprefix("right_")] for name in shapes]
    return torch.stack(named, dim=1).clamp(0, 1)


def paint(body: Tensor, w_fg: Tensor, w_unc: Tensor, behind: Tensor) -> Tensor:
    """Puppets in the colours body (N, 3, S, S) before backgrounds, darker towards outlines; maps (N, S,
    S)."""
    mask = ((w_fg[:, None] - 0.3) / 0.4).clamp(0, 1)
    return mask * body * (1 - 0.35 * w_unc[:, None]) + (1 - mask) * behind


def other_views(poses: Poses) -> Tensor:
    """For each frame (N, V) the frames of the same instant from other cameras, -1 where there are fewer."""
    recordings = [group.rsplit("/", 1)[0] for group in poses.clips]
    number = {name: i for i, name in enumerate(dict.fromkeys(recordings))}
    which = torch.tensor([number[name] for name in recordings], device=poses.device)[poses.clip]
    time = torch.arange(len(poses), device=poses.device) - poses.start[poses.clip]
    instant = which * (int(time.max()) + 1) + time
    members: dict[int, list[int]] = {}
    for frame, key in enumerate(instant.tolist()):
        members.setdefault(key, []).append(frame)
    most = max(len(m) for m in members.values())
    table = torch.full((len(poses), max(1, most - 1)), -1)
    for frame, key in enumerate(instant.tolist()):
        others = [m for m in members[key] if m != frame]
        table[frame, : len(others)] = torch.tensor(others, dtype=torch.int64)
    return table.to(poses.device)
