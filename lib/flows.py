"""A normalising flow as a prior over 2D poses: PCA, whitening, affine coupling blocks (zuko).

After Wandt et al., ElePose (CVPR 2022), which Sosa & Hogg 2023 take over: the flow never sees a 3D
pose, and once trained on unpaired 2D poses it is frozen.
"""

import math
from functools import partial

import torch
import zuko
from torch import Tensor, nn
from zuko.flows.coupling import GeneralCouplingTransform
from zuko.transforms import MonotonicAffineTransform

__all__ = ["PoseFlow"]


class PoseFlow(nn.Module):
    r"""Density of 2D poses, :math:`p_Y(\bar y) = p_Z(f(\bar y)) |\det \partial f / \partial \bar y|`.

    Sosa & Hogg 2023, Eq. 7. :math:`\bar y` is the pose in the first `bases` principal components of
    the poses that it was made from, divided by their deviations; the PCA is part of the state, since
    the flow's weights mean nothing without it. Log-scales are soft-clamped, so that a pose far from
    the data costs much but not infinitely much.

    Arguments:
        joints: number of joints J.
        bases: principal components kept, at most 2 J - 2 of a root-centred pose (26 in ElePose).
        blocks: coupling blocks (8 in ElePose).
        width: hidden features of a block's network (1024 in ElePose).
        clamp: limit of a block's log-scale.
    """

    def __init__(
        self, joints: int = 17, bases: int = 26, blocks: int = 8, width: int = 1024, clamp: float = 2.0
    ):
        super().__init__()
        if not 2 <= bases <= 2 * joints - 2:
            raise ValueError(f"bases lie in [2, {2 * joints - 2}] for {joints} joints, not {bases}")
        self.register_buffer("mean", torch.zeros(2 * joints))
        self.register_buffer("components", torch.zeros(bases, 2 * joints))
        self.register_buffer("deviation", torch.ones(bases))
        univariate = partial(MonotonicAffineTransform, slope=math.exp(-clamp))
        even = torch.arange(bases) % 2 == 0
        self.flow = zuko.flows.Flow(
            [
                GeneralCouplingTransform(
                    bases,
                    mask=even if block % 2 else ~even,
                    univariate=univariate,
                    shapes=((), ()),
                    hidden_features=(width,),
                )
                for block in range(blocks)
            ],
            zuko.flows.UnconditionalDistribution(
                zuko.distributions.DiagNormal,
                loc=torch.zeros(bases),
                scale=torch.ones(bases),
                buffer=True,
            ),
        )
        for transform in self.flow.transform.transforms:  # begins as the Gaussian of the PCA
            nn.init.normal_(transform.hyper[-1].weight, std=0.01)
            nn.init.zeros_(transform.hyper[-1].bias)

    @torch.no_grad()
    def fit_pca(self, poses: Tensor) -> None:
        """Takes mean, components and deviations from poses (N, J, 2); N is at least `bases` + 1."""
        flat = poses.flatten(1)
        bases = len(self.deviation)
        if flat.shape[1] != len(self.mean) or len(flat) <= bases:
            raise ValueError(
                f"the PCA needs more than {bases} poses of {len(self.mean) // 2} joints,"
                f" not {tuple(poses.shape)}"
            )
        self.mean.copy_(flat.mean(0))
        centred = (flat - self.mean).double()
        values, vectors = torch.linalg.eigh(centred.T @ centred / (len(flat) - 1))
        self.components.copy_(vectors[:, -bases:].flip(1).T)
        # components of the order of rounding would be blown up to unit variance
        deviation = values[-bases:].flip(0).clamp_min(0).sqrt()
        self.deviation.copy_(deviation.clamp_min(1e-3 * deviation[0]))

    def encode(self, poses: Tensor) -> Tensor:
        """Whitened principal components (N, bases) of poses (N, J, 2)."""
        return (poses.flatten(1) - self.mean) @ self.components.T / self.deviation

    def log_prob(self, poses: Tensor) -> Tensor:
        r""":math:`\log p_Y(\bar y)` (N,) of root-centred poses (N, J, 2)."""
        return self.flow().log_prob(self.encode(poses))
