"""What the updates of Kundu et al., CVPR 2020 are made of: the variant, its pictures and its batches."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from lib.papers.kundu2020_data import Footage
from lib.papers.kundu2020_part_data import Frames, Prior, clothe, paint
from lib.papers.kundu2020_part_model import GREY, PartModel, Seen
from lib.papers.kundu2020_shared import Judged
from lib.skeleton import HUMAN36M_17

__all__ = ["Batches", "Puppets", "Variant", "WILD", "turned"]

MIRROR = list(HUMAN36M_17.mirror)
TURN = 0.35  # rad, largest turn of the picture that gives the appearance
WILD = 4  # one in so many pictures of a batch is of role wild


@dataclass(frozen=True)
class Variant:
    """One row of the tables; the defaults are our unsupervised recipe."""

    recipe: str = "staged"  # or "algorithm", as reconstructed
    pose: str = "kinematic"  # T_fk and T_c, or joints in camera axes ("free")
    frames: str = "transport"  # of T_fk; "gram-schmidt" as printed
    camera: str = "fitted"  # T_c fitted to the crop, or 3 "bounded" translations
    shape: str = "face"  # of the template, or "plain"
    thick: bool = True  # limbs keep their width when foreshortened
    order: str = "mended"  # of depths; or "none"; or "printed"
    uncertain: bool = True  # w_unc
    depths: str = "true"  # of the limbs in y^{p_z}: those of p_z, or "predicted" from the drawn person
    residual: bool = True  # the decoder's segmentation starts from the puppet's
    appearance: str = "palette"  # a, or a "map"
    image: str = "normalised"  # L_I^u, or "plain"
    prior: str = "motion"  # role of p_z; or "studio"; or "none"
    saliency: bool = True
    masked: bool = True  # the encoder sees the salient person alone, over grey
    energy: str = "energy"  # or "adversary"; or "none"
    painted: bool = True  # puppets painted at random
    silhouette: float = 1.0  # weight of the posed puppet's distance to the salient person
    exchange: bool = True  # left and right part maps of filmed people are exchanged at random before decoding
    jitter: bool = True  # of the colours that the encoder sees
    mixed: float = 0.5  # share of prior poses with limbs of several
    shaken: float = 0.15  # deviation of the noise on their vectors
    wild: bool = True
    pictures: bool = True  # else the painted puppets alone
    labels: str = "none"  # of the studio, while finetuning: "2d", "3d", "views"
    share: float = 1.0  # of its pictures that have them
    last: str = ""  # then outdoor: "none", "2d", "3d"
    last_share: float = 1.0
    encoder_only: bool = False  # 3D labels from the start, and nothing else
    weight: float = 1.0  # of the losses on videos without labels


@dataclass(frozen=True)
class Puppets:
    """Posed puppets, drawn once, to be painted again and again.

    seen: their poses. shapes (M, S, S) uint8: the number of the visible shape. mask, ring (M, S, S) uint8.
    """

    seen: Seen
    shapes: Tensor
    mask: Tensor
    ring: Tensor

    def __len__(self) -> int:
        return len(self.shapes)

    def paint(self, index: Tensor, names: tuple[str, ...], behind: Tensor, generator) -> Tensor:
        """Pictures (B, 3, S, S) of some puppets in random clothes before backgrounds (B, 3, S, S)."""
        colours = clothe(names, len(index), generator)
        shapes = self.shapes[index].long().flatten(1)
        body = colours.gather(1, shapes[..., None].expand(-1, -1, 3)).mT.unflatten(-1, behind.shape[-2:])
        return paint(body, self.mask[index].float() / 255, self.ring[index].float() / 255, behind)


def turned(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures (N, C, S, S), half of them mirrored, each turned a little: the same appearance."""
    count, device = len(pictures), pictures.device
    angle = TURN * (2 * torch.rand(count, generator=generator, device=device) - 1)
    side = torch.where(torch.rand(count, generator=generator, device=device) < 0.5, -1.0, 1.0)
    cosine, sine, zero = torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)
    theta = torch.stack([side * cosine, -sine, zero, side * sine, cosine, zero], dim=-1).unflatten(-1, (2, 3))
    grid = affine_grid(theta, list(pictures.shape), align_corners=False)
    return grid_sample(pictures, grid, padding_mode="border", align_corners=False)


class Batches(Judged):
    """Random batches of a trainer's material; everything is drawn by its generator, on its device."""

    variant: Variant
    model: PartModel
    footage: dict[str, Frames]
    prior: Prior | None
    puppets: Puppets | None
    scenes: Tensor
    views: Tensor | None
    backdrops: Footage | None

    def random_scenes(self, batch: int) -> Tensor:
        """Backgrounds (batch, 3, S, S) in [0, 1]: of no video, or half of them estimated from the videos."""
        scenes = self.scenes[self.draw_index(len(self.scenes), batch)].float() / 255
        if self.backdrops is None:  # what saliency is made of is not known without it
            return scenes
        seen = self.backdrops.backgrounds(self.draw_index(len(self.backdrops), batch))
        return torch.where(self.chance(batch, 1, 1, 1) < 0.5, seen, scenes)

    def painted(self, batch: int) -> tuple[Tensor, Seen]:
        """Painted puppets (batch, 3, S, S) and their poses."""
        index = self.draw_index(len(self.puppets), batch)
        names = self.model.template.names
        return self.puppets.paint(index, names, self.behind(batch), self.generator), self.puppets.seen[index]

    def behind(self, batch: int) -> Tensor:
        """What stands behind drawn people (batch, 3, S, S): grey, or scenes where the encoder sees such."""
        size = self.scenes.shape[-1]
        if self.hides:
            return torch.full((batch, 3, size, size), GREY, device=self.device)
        return self.random_scenes(batch)

    @property
    def hides(self) -> bool:
        """Whether the encoder sees people without what is behind them."""
        return self.variant.masked and self.variant.saliency

    def person(self, mask: Tensor) -> Tensor | None:
        """The saliency (N, 1, S, S) as the appearance encoder is given it; None where nothing is known."""
        return mask if self.variant.saliency else None

    def shown_to(self, pictures: Tensor, mask: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) as the encoder sees them, with saliency (N, 1, S, S)."""
        return mask * pictures + (1 - mask) * GREY if self.hides else pictures

    def role(self, stage: str) -> str:
        """The role whose pictures a stage is about."""
        return "outdoor" if stage == "last" else "studio"

    def pairs(self, stage: str, batch: int) -> dict[str, Tensor]:
        """I_t, I_s (batch, 3, S, S) and their m_sal (batch, 1, S, S), of pairs of frames of a clip.

        I_s is as the encoder sees it, mirrored and turned.
        """
        wild = "wild" in self.footage and stage != "last"
        parts = [(self.role(stage), batch - batch // WILD if wild else batch)]
        parts += [("wild", batch // WILD)] if wild else []
        found = []
        for role, count in parts:
            frames = self.footage[role]
            index = self.draw_index(len(frames), count)
            other = frames.footage.partner(index, self.generator)
            shown = self.shown_to(frames.footage.pictures(other), frames.masks(other))
            shown = torch.cat([shown, frames.masks(other)], dim=1)
            found.append((frames.footage.pictures(index), shown, frames.masks(index)))
        target, source, mask = (torch.cat(part) for part in zip(*found, strict=True))
        source = turned(source, self.generator)
        flip = self.chance(batch, 1, 1, 1) < 0.5
        return {
            "target": torch.where(flip, target.flip(-1), target),
            "source": source[:, :3],
            "mask": torch.where(flip, mask.flip(-1), mask),
            "source_mask": source[:, 3:],
        }

    def jittered(self, pictures: Tensor) -> Tensor:
        """Pictures (N, 3, S, S) in other light, for the encoder alone; a pose does not change with it."""
        if not self.variant.jitter:
            return pictures
        gain = 0.8 + 0.4 * self.chance(len(pictures), 3, 1, 1)
        return (pictures * gain + 0.1 * (self.chance(len(pictures), 1, 1, 1) - 0.5)).clamp(0, 1)

    def labelled(self, role: str, share: float, batch: int) -> dict[str, Tensor]:
        """Pictures of a role with labels, of the share that has them, every n-th frame; half are mirrored."""
        frames = self.footage[role]
        footage = frames.footage
        count = max(1, round(share * len(footage)))
        index = self.draw_index(count, batch) * len(footage) // count
        pose, points = footage.poses.joints_3d[index], footage.points[index]
        flip = self.chance(batch, 1, 1) < 0.5
        picture = self.shown_to(footage.pictures(index), frames.masks(index))
        return {
            "picture": torch.where(flip[..., None], picture.flip(-1), picture),
            "points": torch.where(flip, points[:, MIRROR] * points.new_tensor([-1.0, 1.0]), points),
            "pose": torch.where(flip, pose[:, MIRROR] * pose.new_tensor([-1.0, 1.0, 1.0]), pose),
        }

    def two_views(self, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Pictures (2 batch, 3, S, S), first all of one camera and then of another, and both rotations R."""
        frames = self.footage["studio"]
        footage = frames.footage
        index = self.draw_index(len(footage), batch)
        others = self.views[index]
        column = (self.chance(batch) * (others >= 0).sum(1)).long()
        other = others.gather(1, column[:, None])[:, 0]
        both = torch.cat([index, torch.where(other >= 0, other, index)])
        R = footage.poses.R[both]
        return self.shown_to(footage.pictures(both), frames.masks(both)), R[:batch], R[batch:]
