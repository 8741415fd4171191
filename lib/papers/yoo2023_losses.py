r"""Losses on the template's anchors of Schmidtke et al. 2021 and Yoo & Russakovsky 2023."""

import torch
from torch import Tensor

__all__ = ["l_anchor", "l_boundary"]


def l_anchor(anchors: Tensor, pairs: Tensor) -> Tensor:
    r"""Anchors that should coincide do: a scalar from anchors (N, 32, 2) in crop units and pairs (17, 2).

    The authors' unit: in shares of the picture's side, squared, a mean over three homogeneous coordinates
    (of which the last never differs) and over the batch, summed over the pairs.
    """
    gap = (anchors[:, pairs[:, 0]] - anchors[:, pairs[:, 1]]) / 2
    return gap.square().sum(-1).mean(0).sum() / 3


def l_boundary(anchors: Tensor) -> Tensor:
    r"""Anchors stay in the picture: a scalar from anchors (N, 32, 2) in crop units.

    :math:`\sum |p|` over the coordinates beyond 1, which jumps from 0 to 1 at the border as in the authors'
    code, a mean over the batch and three homogeneous coordinates. All 32 anchors count; in the code of
    Schmidtke et al., by a slip, only the core's three.
    """
    size = anchors.abs()
    return torch.where(size > 1, size, 0.0).sum(1).mean(0).sum() / 3
