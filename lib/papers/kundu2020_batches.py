"""What the updates of Kundu et al., AAAI 2020 are made of: the variant, its pictures and its batches."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lib.kinematics import fit_box
from lib.papers.kundu2020_data import MARGIN, Footage, Renders
from lib.papers.kundu2020_model import Encoded, Model
from lib.papers.kundu2020_shared import Judged
from lib.skeleton import HUMAN36M_17

__all__ = ["Batches", "Variant", "turn_pictures"]

MIRROR = list(HUMAN36M_17.mirror)
# Parameters that are mixed between renders: hips and trunk, each leg, each arm.
LIMB_GROUPS = (
    (0, *range(13, 22)),
    tuple(range(1, 7)),
    tuple(range(7, 13)),
    tuple(range(22, 31)),
    tuple(range(31, 40)),
)


@dataclass(frozen=True)
class Variant:
    """One row of the tables; the defaults are our recipe with everything unlabelled."""

    recipe: str = "staged"  # or "alternating", as printed, or "sum": the same losses in one sum
    pose: str = "kinematic"  # T_fk, or a dense network in its place ("free"), or free 2D "landmarks"
    maps: str = "both"  # T_m, or heat maps alone ("heat"), or a "network" in its place
    frames: str = "transport"  # of T_fk; "gram-schmidt" as printed
    camera: str = "fitted"  # T_c fitted to the crop, or "constant"
    fusion: str = "composite"  # of the background, or "late"
    appearance: str = "palette"  # f_a, or a "map"
    # "statistics": seen by the normalisation alone; "none"; "none-early": as long as the first stage
    pictures: str = "all"
    wild: bool = True  # frames of role wild beside those of the studio
    unpaired: bool = True  # L_UNP on clips with moving background, D_unp
    frozen: bool = True  # the decoder in L_UNP
    critic: str = "energy"  # or "adversary": a discriminator instead of L_UNP
    silhouette: float = 0.5  # weight of the mask's distance to what differs from the background, on D_p
    backdrops: bool = True  # renders and drawn people also stand before the videos' estimated backgrounds
    redraw: bool = True  # the decoder also redraws the labelled renders
    novel: bool = False  # the encoder also learns from new poses that the decoder drew
    shaken: float = 0.15  # deviation of the noise on the vectors of those poses
    role: str = "studio"  # finetuned on
    labels_2d: bool = False  # of all its pictures, while finetuning
    labels_3d: float = 0.0  # share of its pictures with 3D labels, while finetuning
    supervised: bool = False  # 3D labels of all pictures from the start, and nothing else
    renders: int = 20  # labelled renders
    chosen: str = "medoids"  # of the poses of role motion; or "farthest"; "bodies" are those of that role
    weight: float = 3.0  # of all losses on videos without labels, and of redrawn renders
    detach: bool = True  # the targets of cycle and energy losses


def turn_pictures(
    pictures: Tensor, points: Tensor, angle: Tensor, flip: Tensor, refit: bool
) -> tuple[Tensor, Tensor]:
    """T of L_UNP: pictures (N, C, S, S) and points (N, 17, 2) turned by angles (N,) or mirrored (N,) bool.

    With `refit` the turned picture is cropped anew around the turned points.
    """
    cosine, sine = torch.cos(angle), torch.sin(angle)
    side = torch.where(flip, -1.0, 1.0)
    forward = torch.stack([cosine * side, -sine, sine * side, cosine], dim=-1).unflatten(-1, (2, 2))
    moved = points @ forward.mT
    target = fit_box(moved, MARGIN) if refit else moved
    with torch.no_grad():  # target = scale * moved + shift, seen from the first and the farthest joint
        span = (moved - moved[:, :1]).flatten(1)
        scale = ((target - target[:, :1]).flatten(1) * span).sum(1) / span.square().sum(1).clamp_min(1e-8)
        scale = scale.clamp_min(1e-3)  # all points in one place are a collapse, but no reason to stop
        shift = target[:, 0] - scale[:, None] * moved[:, 0]
        back = torch.linalg.inv(forward) / scale[:, None, None]
        theta = torch.cat([back, -(back @ shift[..., None])], dim=-1)
    grid = affine_grid(theta, list(pictures.shape), align_corners=False)
    turned = grid_sample(pictures, grid, padding_mode="border", align_corners=False)
    return turned, torch.where(flip[:, None, None], target[:, MIRROR], target)


class Batches(Judged):
    """Random batches of a trainer's material; everything is drawn by its generator, on its device."""

    variant: Variant
    model: Model
    footage: dict[str, Footage]
    renders: Renders | None
    scenes: Tensor

    def random_scenes(self, batch: int) -> Tensor:
        """Backgrounds (batch, 3, S, S) in [0, 1]: of no video, or half of them estimated from the videos."""
        scenes = self.scenes[self.draw_index(len(self.scenes), batch)].float() / 255
        if not (self.variant.backdrops and self.footage):
            return scenes
        footage = next(iter(self.footage.values()))
        seen = footage.backgrounds(
            footage.static.nonzero()[:, 0][self.draw_index(int(footage.static.sum()), batch)]
        )
        return torch.where(self.chance(batch, 1, 1, 1) < 0.5, seen, scenes)

    def labelled_renders(self, batch: int) -> tuple[Tensor, Tensor]:
        """Augmented renders (batch, 3, S, S) and their indices."""
        index = self.draw_index(len(self.renders), batch)
        return self.renders.batch(index, self.random_scenes(batch), self.generator), index

    def frames(self, role: str, batch: int, static: bool) -> Tensor:
        """Random frames of a role's clips with a static or a moving background."""
        where = (self.footage[role].static == static).nonzero()[:, 0]
        return where[self.draw_index(len(where), batch)] if len(where) else where

    def pairs(self, stage: str, batch: int) -> dict[str, Tensor]:
        """I_t, I_s, B_t (batch, 3, S, S) of D_p, mirrored half of the time, and the true points of I_t."""
        wild = stage == "base" and "wild" in self.footage and bool(self.footage["wild"].static.any())
        parts = [("studio" if stage == "base" else self.variant.role, batch - batch // 4 if wild else batch)]
        parts += [("wild", batch // 4)] if wild else []
        found = []
        for role, count in parts:
            footage = self.footage[role]
            index = self.frames(role, count, True)
            other = footage.partner(index, self.generator)
            found.append(
                (
                    footage.pictures(index),
                    footage.pictures(other),
                    footage.backgrounds(index),
                    footage.points[index],
                )
            )
        target, source, behind, points = (torch.cat(part) for part in zip(*found, strict=True))
        flip = self.chance(len(target), 1, 1, 1) < 0.5
        # the source is mirrored on its own: only what does not change with it is of use
        source = torch.where(self.chance(len(target), 1, 1, 1) < 0.5, source.flip(-1), source)
        mirrored = points[:, MIRROR] * points.new_tensor([-1.0, 1.0])
        return {
            "target": torch.where(flip, target.flip(-1), target),
            "source": source,
            "behind": torch.where(flip, behind.flip(-1), behind),
            "points": torch.where(flip[..., 0], mirrored, points),
        }

    def unpaired(self, batch: int) -> dict[str, Tensor] | None:
        """I_t, I_s (batch, 3, S, S) of D_unp, before whatever they were filmed; None where there is none."""
        if not (self.variant.unpaired and "wild" in self.footage):
            return None
        index = self.frames("wild", batch, False)
        if not len(index):
            return None
        footage = self.footage["wild"]
        other = footage.partner(index, self.generator)
        return {"target": footage.pictures(index), "source": footage.pictures(other)}

    def labelled(self, batch: int) -> dict[str, Tensor]:
        """Pictures of the finetuned role with labels, of the share that has them, every n-th frame."""
        variant, footage = self.variant, self.footage[self.variant.role]
        share = 1.0 if variant.supervised or variant.labels_2d else variant.labels_3d
        count = max(1, round(share * len(footage)))
        index = self.draw_index(count, batch) * len(footage) // count
        pose = footage.poses.joints_3d[index]
        picture, points = footage.pictures(index), footage.points[index]
        flip = self.chance(batch, 1, 1) < 0.5
        mirrored = points[:, MIRROR] * points.new_tensor([-1.0, 1.0])
        other = pose[:, MIRROR] * pose.new_tensor([-1.0, 1.0, 1.0])
        return {
            "picture": torch.where(flip[..., None], picture.flip(-1), picture),
            "points": torch.where(flip, mirrored, points),
            "pose": torch.where(flip, other, pose),
        }

    def novel_poses(self, batch: int) -> Encoded:
        """New poses: limbs of the renders mixed and shaken, seen from anywhere around."""
        source = self.renders.parameters
        parameters = torch.empty(batch, source.shape[1], device=self.device)
        for group in LIMB_GROUPS:
            columns = list(group)
            parameters[:, columns] = source[self.draw_index(len(source), batch)][:, columns]
        noise = torch.randn(parameters.shape, generator=self.generator, device=self.device)
        camera = self.renders.camera[self.draw_index(len(source), batch)]
        azimuth = 2 * torch.pi * self.chance(batch)
        camera = torch.cat([torch.sin(azimuth)[:, None], torch.cos(azimuth)[:, None], camera[:, 2:]], dim=1)
        return self.model.pose(parameters + self.variant.shaken * noise, camera)
