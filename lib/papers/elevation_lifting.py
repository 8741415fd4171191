"""ElePose (Wandt et al., CVPR 2022), the lifting half of Sosa & Hogg 2023: losses of one batch.

Lengths are in units: 1 is the mean length from root to head, the camera stands at D = 10.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lib.flows import PoseFlow
from lib.geometry import rotation_x, rotation_y
from lib.losses import l_bl, l_cycle, l_def, l_nf
from lib.networks import ElevationLifter
from lib.papers.normalise import DEPTH

__all__ = ["LiftingLosses", "draw_view", "lift", "lifting_losses", "project", "turn"]


@dataclass(frozen=True)
class LiftingLosses:
    """Weights and forms of the lifting losses; zero switches one off.

    The defaults are what ElePose's code computes (the paper gives no weights but 1 and squared norms).
    """

    w_2d: float = 1.0
    w_3d: float = 1.0
    w_def: float = 1.0
    w_nf: float = 1.0
    w_bl: float = 1.0
    norm_2d: str = "absolute"
    norm_3d: str = "euclidean"
    sigma_b: float = 0.1
    nf_limit: float | None = 200.0  # a pose beyond it is lost anyway, and would drown the others
    elevation: str = "learned"  # or "uniform" in +-20 degrees, ElePose's own ablation
    held: float = 0.2  # radians that cameras look down by, until the lifter learns its own (ours)

    @property
    def active(self) -> bool:
        """Whether there is anything to learn a depth from."""
        return any((self.w_2d, self.w_3d, self.w_def, self.w_nf, self.w_bl))


def lift(pose: Tensor, offsets: Tensor) -> Tensor:
    r"""Eq. 1: :math:`v_i = (x_i z_i, y_i z_i, z_i)`, :math:`z_i = \max(1, d_i + 10)`; (N, J, 3)."""
    depth = (DEPTH + offsets).clamp_min(1.0)
    return torch.cat([pose * depth[..., None], depth[..., None]], dim=-1)


def turn(pose: Tensor, rotation: Tensor) -> Tensor:
    """Poses (N, J, 3) about their root joint 0, rotation (N, 3, 3); the root goes to the origin."""
    return (pose - pose[:, :1]) @ rotation.transpose(-1, -2)


def project(centred: Tensor) -> Tensor:
    """Root-centred poses (N, J, 3) put at D and projected, (N, J, 2)."""
    return centred[..., :2] / (centred[..., 2:] + DEPTH).clamp_min(1.0)


def draw_view(elevation: Tensor, generator: torch.Generator, kind: str = "learned") -> Tensor:
    r"""Random views :math:`R = R_e^T R_a R_e` (N, 3, 3).

    "learned": :math:`R_e` levels each pose by its own predicted angle (N,), the azimuth is uniform, and
    the new elevation is drawn from the normal distribution of the batch's angles. "uniform": azimuth
    first, then an elevation within 20 degrees.
    """
    count, like = len(elevation), {"device": elevation.device, "dtype": elevation.dtype}
    azimuth = (torch.rand(count, generator=generator, **like) * 2 - 1) * math.pi
    if kind == "uniform":
        tilt = (torch.rand(count, generator=generator, **like) * 2 - 1) * (math.pi / 9)
        return rotation_x(tilt) @ rotation_y(azimuth)
    if kind != "learned":
        raise ValueError(f"elevation is 'learned' or 'uniform', not {kind!r}")
    chance = torch.randn(count, generator=generator, **like)
    deviation = ((elevation - elevation.mean()).square().mean() + 1e-8).sqrt()
    tilt = chance * deviation - elevation.mean()
    return rotation_x(tilt) @ rotation_y(azimuth) @ rotation_x(elevation)


def lifting_losses(
    lifter: ElevationLifter,
    flow: PoseFlow,
    pose: Tensor,
    losses: LiftingLosses,
    parents: tuple[int, ...],
    ratios: Tensor,
    generator: torch.Generator,
    hold: bool = False,
) -> dict[str, Tensor]:
    """The weighted losses of root-centred, normalised 2D poses (N, J, 2), N even; scalars by name.

    Lift, turn, project, lift again, turn back, project (Sosa & Hogg 2023, Fig. 2). `flow` is frozen;
    `ratios` are the relative bone lengths of the prior. With `hold` the elevation is the constant
    `losses.held` instead of the lifter's, and bone lengths wait. A pose and its mirror image in depth
    differ by a few per cent of perspective and by whether cameras look down or up: held, the second
    decides. Bone lengths do not care about the sign, and from the start they give every limb a depth of
    the right size and of either sign, which the other losses do not turn round again.
    """
    if not losses.active:
        return {}
    offsets, elevation = lifter(pose)
    if hold:
        elevation = torch.full_like(elevation, -losses.held)
    lifted = lift(pose, offsets)
    rotation = draw_view(elevation, generator, losses.elevation)
    turned = turn(lifted, rotation)
    seen = project(turned)
    again = lift(seen, lifter(seen)[0])
    again = again - again[:, :1]
    back = again @ rotation
    found = {}
    if losses.w_2d:
        found["2d"] = losses.w_2d * l_cycle(pose, project(back), losses.norm_2d)
    if losses.w_3d:
        found["3d"] = losses.w_3d * l_cycle(turned, again, losses.norm_3d)
    if losses.w_def:
        found["def"] = losses.w_def * l_def(lifted - lifted[:, :1], back, losses.norm_3d)
    if losses.w_nf:
        found["nf"] = losses.w_nf * l_nf(flow.log_prob(seen), losses.nf_limit)
    if losses.w_bl and not hold:
        found["bl"] = losses.w_bl * l_bl(lifted, parents, ratios, losses.sigma_b)
    return found
