"""Differentiable maps of 2D points: skeleton images, heat maps, limb affinities and body parts.

Points (N, J, 2) are in crop coordinates: the picture spans [-1, 1] both ways, x right and y down,
and pixel i of ``size`` has its centre at 2 (i + 0.5) / size - 1. Distances and widths are in the
same unit, so a pixel is 2 / size wide.

Every map is written out in closed form, with a backward pass of its own (`lib.rasterize_kernels`)
that keeps the map itself and little else. Nothing here works out an angle. float16 and bfloat16
points give float32 maps, also under autocast; gradients can be taken once, not twice. Maps of no
pictures are empty.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lib.rasterize_kernels import (
    AffinityFields,
    Band,
    Fade,
    GaussianMaps,
    HeatMaps,
    LimbMaps,
    pixel_centres,
)

__all__ = [
    "gaussian_maps",
    "joint_heatmaps",
    "limb_affinity_maps",
    "pixel_centres",
    "posed_part_maps",
    "skeleton_image",
]

_SQUARE_OF_ZERO = 1e-6  # added to a squared distance whose root is taken, as keypointgan does


def skeleton_image(
    points: Tensor,
    edges: Sequence[Sequence[int]],
    size: int,
    gamma: float,
    squared: bool = True,
    channels: Sequence[Sequence[int]] | None = None,
) -> Tensor:
    r"""Skeleton images (N, size, size) in [0, 1] of points (N, J, 2).

    Sosa & Hogg 2023, Eq. 2, with u the ends of the limbs E and e a pixel's centre:

    .. math:: \exp\Bigl(-\gamma \min_{(i,j) \in E,\, 0 \le r \le 1}
              \|e - r u_i - (1 - r) u_j\|^2\Bigr)

    Arguments:
        edges: the two joints of every limb; a limb of zero length draws a dot.
        size: pixels a side.
        gamma: how fast a limb fades, per squared unit; per unit where ``squared`` is False.
        squared: False takes the root of the squared distance + 1e-6, as the code of keypointgan.
        channels: groups of limbs, as indices into ``edges``; the result is (N, len(channels),
            size, size), a map for each group.

    ValueError for points of another shape, an edge that is not two of the joints, no edge or an
    empty group, a size below 1 or a gamma that is not positive.
    """
    points, root = _check(points, size), None if squared else gamma**2 * _SQUARE_OF_ZERO
    if not gamma > 0:
        raise ValueError(f"gamma is positive, not {gamma}")
    scale, profile = points.new_tensor(gamma**0.5 if squared else gamma), Fade(root)
    if channels is None:
        return _limb_maps(points, [edges], scale.expand(len(points), 1), size, profile).squeeze(1)
    for group in channels:
        if not all(0 <= limb < len(edges) for limb in group):
            raise ValueError(f"channel {list(group)} names a limb that is not among {len(edges)}")
    groups = [[edges[limb] for limb in group] for group in channels]
    return _limb_maps(points, groups, scale.expand(len(points), len(groups)), size, profile)


def posed_part_maps(
    points: Tensor,
    parts: Sequence[Sequence[Sequence[int]]],
    size: int,
    width: float | Sequence[float] | Tensor,
    softness: float = 0.15,
) -> Tensor:
    r"""Part maps (N, P, size, size) in [0, 1) of a puppet posed by its joints (N, J, 2).

    A part is the union of rounded bands about its limbs: with d a pixel's distance to the nearest
    of them, :math:`\phi = \sigma((1 - d^2/w^2) / 2k)`, about (w - d) / k w near the outline, where
    it is 1/2. Kundu et al. 2020 (part-guided) instead warp a drawn template by the similarity that
    takes a limb's anchors to its joints, which makes a foreshortened limb thin. The paper's ring
    of uncertain shape about a part is 4 phi (1 - phi): 1 on the outline, 0 away from it.

    Arguments:
        parts: the limbs of each part, each limb two joints: ``[[(11, 12)], ...]``.
        width: w, half the band's width, for all parts, each part (P,) or each of each picture
            (N, P); it gets no gradient.
        softness: k, how much of w the outline is blurred.

    ValueError as for :func:`skeleton_image`, and for a width or softness that is not positive.
    """
    points = _check(points, size)
    if not softness > 0:
        raise ValueError(f"softness is positive, not {softness}")
    width = _widths(width, points, len(parts)).detach()
    scale = (0.5 / softness) ** 0.5 / width
    return _limb_maps(points, parts, scale, size, Band(0.5 / softness))


def gaussian_maps(mean: Tensor, axes: Tensor, size: int) -> Tensor:
    r"""Gaussians :math:`\exp(-|A (e - \mu)|^2 / 2)` as maps (N, P, size, size) of peak 1.

    Arguments:
        mean: centres (N, P, 2).
        axes: A (N, P, 2, 2), which takes the Gaussian to the round one of standard deviation 1. The
            affine image M of a Gaussian is a Gaussian, that of M mean and A M^-1: there is nothing
            to resample.

    ValueError for another shape or a size below 1.
    """
    mean, axes = _check(mean, size), axes.to(torch.promote_types(axes.dtype, torch.float32))
    if axes.shape != (*mean.shape, 2):
        raise ValueError(f"axes have shape {tuple(axes.shape)}, not {(*mean.shape, 2)}")
    return _flat(GaussianMaps, mean, axes.to(mean), size=size)


def joint_heatmaps(points: Tensor, size: int, sigma: float) -> Tensor:
    r"""Heat maps (N, J, size, size) of points: :math:`\exp(-|e - p_j|^2 / 2 \sigma^2)`, peak 1.

    Kundu et al. 2020 (kinematic structure), 3.2 c. ``sigma`` is in the unit of the points.
    ValueError for points of another shape, a size below 1 or a sigma that is not positive.
    """
    points = _check(points, size)
    if not sigma > 0:
        raise ValueError(f"sigma is positive, not {sigma}")
    return HeatMaps.apply(points, size, float(sigma))


def limb_affinity_maps(
    points: Tensor,
    edges: Sequence[Sequence[int]],
    size: int,
    width: float | Sequence[float] | Tensor,
    reach: float = 0.4,
    vectors: bool = True,
) -> Tensor:
    r"""Unit vectors along each limb, faded by a Gaussian about it: maps (N, E, 2, size, size).

    The Gaussian is the affinity map of Kundu et al. 2020 (kinematic structure), 3.2 c: centred on
    the limb's middle, with standard deviations ``reach`` x length along the limb and ``width``
    across, peak 1. ``vectors=False`` gives it alone (N, E, size, size), as that paper uses it; with
    the direction (x, y) from an edge's first joint to its second it is the part affinity field of
    detectors. Along the limb the deviation is never less than ``width``, so that a limb of zero
    length is a round dot, with the zero vector for direction and finite gradients.

    Arguments:
        edges: the two joints of every limb.
        width: for all limbs, each limb (E,) or each of each picture (N, E).

    ValueError as for :func:`skeleton_image`, and for a width or reach that is not positive.
    """
    points = _check(points, size)
    start, end = _ends(points, edges)
    width = _widths(width, points, len(edges))
    if not reach > 0:
        raise ValueError(f"reach is positive, not {reach}")
    vector = end - start
    # A thousandth of a pixel keeps the length of a dot differentiable.
    length = (vector.square().sum(-1) + (2e-3 / size) ** 2).sqrt()
    unit = vector / length[..., None]
    narrower = 1 / torch.maximum(reach * length, width) - 1 / width
    axes = narrower[..., None, None] * unit[..., :, None] * unit[..., None, :]
    axes = axes + torch.diag_embed((1 / width)[..., None].expand_as(unit))
    mean = (start + end) / 2
    if not vectors:
        return _flat(GaussianMaps, mean, axes, size=size)
    return _flat(AffinityFields, mean, axes, unit, size=size)


def _flat(function: type[torch.autograd.Function], *inputs: Tensor, size: int) -> Tensor:
    """The maps of inputs (N, P, ...), which the function takes as (N P, ...)."""
    maps = function.apply(*(tensor.flatten(0, 1) for tensor in inputs), size)
    return maps.view(*inputs[0].shape[:2], *maps.shape[1:])


def _check(points: Tensor, size: int) -> Tensor:
    if points.ndim != 3 or points.shape[-1] != 2:
        raise ValueError(f"points have shape {tuple(points.shape)}, not (N, J, 2)")
    if not points.is_floating_point():
        raise ValueError(f"points are floating point numbers, not {points.dtype}")
    if size < 1:
        raise ValueError(f"a map has at least one pixel a side, not {size}")
    return points.to(torch.promote_types(points.dtype, torch.float32))


def _ends(points: Tensor, edges: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Start and end (N, E, 2) of every edge."""
    joints = points.shape[1]
    if not len(edges):
        raise ValueError("no edge to draw")
    for edge in edges:
        if len(edge) != 2 or not all(0 <= joint < joints for joint in edge):
            raise ValueError(f"edge {tuple(edge)} does not join two of the {joints} joints")
    first, second = (list(ends) for ends in zip(*edges, strict=True))
    return points[:, first], points[:, second]


def _limb_maps(
    points: Tensor,
    groups: Sequence[Sequence[Sequence[int]]],
    scale: Tensor,
    size: int,
    profile: Fade | Band,
) -> Tensor:
    """Maps (N, G, S, S) of groups of limbs, their distances x ``scale`` (N, G)."""
    if not len(groups) or not all(len(group) for group in groups):
        raise ValueError("no edge to draw: no group of limbs, or an empty one")
    others = [(number, edge) for number, group in enumerate(groups) for edge in group[1:]]
    start, end = _ends(points, [group[0] for group in groups] + [edge for _, edge in others])
    owners = tuple(number for number, _ in others)
    scale = scale[:, [*range(len(groups)), *owners]]
    return LimbMaps.apply(start, end, scale, owners, size, profile)


def _widths(width: float | Sequence[float] | Tensor, points: Tensor, parts: int) -> Tensor:
    """Widths (N, P)."""
    width = torch.as_tensor(width).to(points)
    if width.shape not in ((), (parts,), (len(points), parts)):
        raise ValueError(
            f"width has shape {tuple(width.shape)}, not (), {(parts,)} or {(len(points), parts)}"
        )
    if not (width > 0).all():
        raise ValueError("a width is positive")
    return width.expand(len(points), parts)
