"""What draws the maps of `lib.rasterize`: autograd functions with backward passes of their own.

Left to autograd, a map of L limbs keeps several maps for each limb. Here the forward pass works in
place on a few pictures at a time, in memory that it uses again, and the backward pass reads the
sums it needs off the finished map. Everything is ordinary tensor arithmetic on the device of its
inputs, which are float32 or float64 and have been checked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import threshold_

__all__ = [
    "AffinityFields",
    "Band",
    "Fade",
    "GaussianMaps",
    "HeatMaps",
    "LimbMaps",
    "pixel_centres",
]

_FLOOR = -80.0  # exp of less is denormal or zero in float32, and denormals are slow
_ZERO = 2e-35  # just above exp(_FLOOR): a map is zero where it would be less, and has no gradient
_SHORT = 1e-12  # a limb shorter than this is a dot
_CPU_PIXELS = 1 << 17  # pixels worked on at once: the temporaries stay in a CPU's cache
_GPU_PIXELS = 1 << 22


def pixel_centres(size: int, like: Tensor) -> Tensor:
    """Coordinates (size,) of the pixels' centres along an axis; device and type of ``like``."""
    return (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) * (2 / size) - 1


def _chunk_length(maps: Tensor) -> int:
    """How many of the first axis are worked on together, which bounds the temporaries."""
    pixels = _GPU_PIXELS if maps.is_cuda else _CPU_PIXELS
    return max(1, min(len(maps), pixels // max(1, maps.shape[1:].numel())))


def _chunks(maps: Tensor) -> Iterator[slice]:
    step = _chunk_length(maps)
    return (slice(first, min(first + step, len(maps))) for first in range(0, len(maps), step))


def _scratch(maps: Tensor, buffers: int) -> Tensor:
    """Memory for one chunk after the other: fresh memory costs more than the arithmetic."""
    return maps.new_empty((buffers, _chunk_length(maps), *maps.shape[1:]))


@dataclass(frozen=True)
class Fade:
    """exp(-s) of scaled squared distances s, or exp(-sqrt(s + root)) where ``root`` is given."""

    root: float | None = None

    def value_(self, square: Tensor) -> None:
        if self.root is not None:
            square.add_(self.root).sqrt_()
        threshold_(square.neg_().clamp_(min=_FLOOR).exp_(), _ZERO, 0)

    def force(self, value: Tensor, gradient: Tensor, out: Tensor, other: Tensor) -> None:
        """Fills ``out`` with minus the gradient of s."""
        torch.mul(value, gradient, out=out)
        if self.root is not None:  # -log(value) is the root, which is at least that of ``root``
            out.div_(torch.log(value, out=other).clamp_(max=-math.sqrt(self.root)).mul_(-2))


@dataclass(frozen=True)
class Band:
    """sigmoid(edge - s) of scaled squared distances s."""

    edge: float

    def value_(self, square: Tensor) -> None:
        threshold_(square.neg_().add_(self.edge).sigmoid_(), _ZERO, 0)

    def force(self, value: Tensor, gradient: Tensor, out: Tensor, other: Tensor) -> None:
        """Fills ``out`` with minus the gradient of s."""
        torch.addcmul(value, value, value, value=-1, out=out).mul_(gradient)


class LimbMaps(torch.autograd.Function):
    """Maps (N, G, S, S) of the distance to the nearest limb of each of G groups, by a profile.

    start, end (N, L, 2): the first limb of every group, then the others; ``others`` names the group
    of each of those. scale (N, L) multiplies a limb's distances. A running minimum over the limbs,
    one exponential of the minimum, and gradients for the nearest limb alone: what is kept is the
    map and a limb's number for each pixel, however many limbs there are.
    """

    @staticmethod
    def forward(ctx, start, end, scale, others, size, profile):
        groups = start.shape[1] - len(others)
        maps = start.new_empty((len(start), groups, size, size))
        several = sorted(set(others))
        nearest = maps.new_empty((len(start), len(several), size, size), dtype=torch.int16)
        lines = _lines(start, end, scale, size)
        (scratch,) = _scratch(maps, 1)
        buffers = scratch.new_empty((2, len(scratch), size, size))
        for rows in _chunks(maps):
            square, along = maps[rows], scratch[: rows.stop - rows.start]
            across, winner = buffers[:, : rows.stop - rows.start]
            _distance([line[rows, :groups] for line in lines], square, along)
            terms = list(zip(*(line[rows].unbind(1) for line in lines), strict=True))
            for slot, group in enumerate(several):
                nearest_yet, closer = square[:, group], along[:, 0]
                winner.zero_()
                for limb in _limbs_of(group, others, groups):
                    _distance(terms[limb], across, closer)
                    # Numbers, not booleans: comparisons into those are several times slower.
                    torch.lt(across, nearest_yet, out=closer)
                    torch.maximum(winner, closer.mul_(limb), out=winner)  # the last that was closer
                    torch.minimum(nearest_yet, across, out=nearest_yet)
                nearest[rows, slot] = winner
            profile.value_(square)
        ctx.save_for_backward(start, end, scale, maps, nearest)
        ctx.others, ctx.profile = others, profile
        return maps

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        start, end, scale, maps, nearest = ctx.saved_tensors
        groups, size = maps.shape[1:3]
        vector = end - start
        x, y = (pixel_centres(size, start) - start[..., None]).unbind(2)  # (N, L, S)
        inverse = vector / vector.square().sum(-1, keepdim=True).clamp(min=_SHORT**2)
        r_x, r_y = (inverse[..., :1] * x)[..., None, :], (inverse[..., 1:] * y)[..., None]
        powers = torch.stack((torch.ones_like(y), y), dim=2).expand(2, -1, -1, -1, -1)
        sums, squares = torch.empty_like(powers), torch.empty_like(scale)
        scratch = _scratch(maps, 3)
        buffers = scratch.new_empty((3, scratch.shape[1], size, size))
        for rows in _chunks(maps):
            both, r = scratch[:2, : rows.stop - rows.start], scratch[2, : rows.stop - rows.start]
            mine, winner = buffers[:2, : rows.stop - rows.start], buffers[2, : len(r)]
            force = both[0]
            ctx.profile.force(maps[rows], gradient[rows], force, r)
            for slot, group in enumerate(sorted(set(ctx.others))):
                winner.copy_(nearest[rows, slot])
                for limb in _limbs_of(group, ctx.others, groups):
                    torch.eq(winner, limb, out=mine[0]).mul_(force[:, group])
                    lines = r_x[rows, limb], r_y[rows, limb], powers[:, rows, limb]
                    sums[:, rows, limb], squares[rows, limb] = _add_up(mine, r[:, 0], *lines)
                force[:, group].mul_(torch.eq(winner, 0, out=mine[0]))
            first = slice(groups)
            lines = r_x[rows, first], r_y[rows, first], powers[:, rows, first]
            sums[:, rows, first], squares[rows, first] = _add_up(both, r, *lines)

        # The nearest point to a pixel e is start + r vector. To first order its distance does not
        # change with r, so the ends get the shares 1 - r and r of 2 force (e - start - r vector).
        total, sum_y = sums.sum(-1).unbind(-1)
        firsts = torch.stack(((sums[..., 0, :] * x).sum(-1), sum_y), dim=-1)
        factor = 2 * scale.square()[..., None]
        at_end = factor * (firsts[1] - squares[..., None] * vector)
        both = factor * (firsts[0] - total[1, ..., None] * vector)
        return both - at_end, at_end, None, None, None, None


def _add_up(both: Tensor, r: Tensor, r_x: Tensor, r_y: Tensor, powers: Tensor):
    """Sums over y of force and of force r, each alone and times y, and over all of force r^2.

    both (2, ..., S, S) holds the force, and is given force r; r is scratch.
    """
    torch.add(r_x, r_y, out=r).clamp_(0, 1)
    torch.mul(both[0], r, out=both[1])
    return _product(powers, both), both[1].mul_(r).sum((-1, -2))


def _limbs_of(group: int, others: tuple[int, ...], groups: int) -> list[int]:
    """Numbers of a group's limbs after its first."""
    return [limb for limb, owner in enumerate(others, start=groups) if owner == group]


def _lines(start: Tensor, end: Tensor, scale: Tensor, size: int) -> tuple[Tensor, ...]:
    """What :func:`_distance` takes of the limbs (N, L, 2), all x ``scale``.

    In a limb's own axes a pixel lies ``along`` from its middle and ``across`` from its line, both a
    sum of a term of x and one of y, and the limb reaches ``half`` its length either way.
    """
    middle, vector, scale = (start + end) / 2, end - start, scale[..., None]
    length = torch.linalg.vector_norm(vector, dim=-1, keepdim=True)
    unit = torch.where(length > _SHORT, vector / length, vector.new_tensor([1.0, 0.0]))
    x, y = (pixel_centres(size, start) - middle[..., None]).unbind(2)  # (N, L, S)
    cosine, sine = unit[..., :1] * scale, unit[..., 1:] * scale
    along_x, along_y = (cosine * x)[..., None, :], (sine * y)[..., None]
    across_x, across_y = (-sine * x)[..., None, :], (cosine * y)[..., None]
    return along_x, along_y, across_x, across_y, (length * scale / 2)[..., None]


def _distance(lines, square: Tensor, along: Tensor) -> None:
    """Fills ``square`` with squared distances to limbs; ``along`` is scratch of the same shape."""
    along_x, along_y, across_x, across_y, half = lines
    torch.add(along_x, along_y, out=along).abs_().sub_(half).relu_()
    torch.add(across_x, across_y, out=square).square_().addcmul_(along, along)


def _product(left: Tensor, right: Tensor) -> Tensor:
    """Matrix product of (..., K, S) and (..., S, T), in full precision: ``out=`` keeps autocast away."""
    out = left.new_empty((*left.shape[:-1], right.shape[-1]))
    torch.bmm(left.flatten(0, -3), right.flatten(0, -3), out=out.flatten(0, -3))
    return out


class GaussianMaps(torch.autograd.Function):
    """exp(-|A (e - mean)|^2 / 2) for means (n, 2) and A (n, 2, 2): maps (n, S, S)."""

    @staticmethod
    def forward(ctx, mean, axes, size):
        maps = mean.new_empty((len(mean), size, size))
        lines, (scratch,) = _gaussian_lines(mean, axes, size), _scratch(maps, 1)
        for rows in _chunks(maps):
            _gaussian([line[rows] for line in lines], maps[rows], scratch[: rows.stop - rows.start])
        ctx.save_for_backward(mean, axes, maps)
        return maps

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        mean, axes, maps = ctx.saved_tensors
        powers, (scratch,) = _powers(mean, maps.shape[-1]), _scratch(maps, 1)
        sums = torch.empty_like(powers[1])
        for rows in _chunks(maps):
            weight = scratch[: rows.stop - rows.start]
            sums[rows] = _product(
                powers[1][rows], torch.mul(maps[rows], gradient[rows], out=weight)
            )
        return *_moments(axes, powers[0], sums), None


class AffinityFields(torch.autograd.Function):
    """Those Gaussians times vectors (n, 2): maps (n, 2, S, S), and nothing else is kept."""

    @staticmethod
    def forward(ctx, mean, axes, unit, size):
        fields = mean.new_empty((len(mean), 2, size, size))
        lines, scratch = _gaussian_lines(mean, axes, size), _scratch(fields[:, 0], 2)
        for rows in _chunks(fields[:, 0]):
            map, other = scratch[:, : rows.stop - rows.start]
            _gaussian([line[rows] for line in lines], map, other)
            torch.mul(map, unit[rows, :1, None], out=fields[rows, 0])
            torch.mul(map, unit[rows, 1:, None], out=fields[rows, 1])
        ctx.save_for_backward(mean, axes, unit, fields)
        return fields

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        mean, axes, unit, fields = ctx.saved_tensors
        powers, scratch = _powers(mean, fields.shape[-1]), _scratch(fields[:, 0], 2)
        sums = torch.empty_like(powers[1])
        products = unit.new_empty((len(unit), 2, 2))  # of the gradient's x, y and the field's x, y
        for rows in _chunks(fields[:, 0]):
            weight, other = scratch[:, : rows.stop - rows.start]
            for i, j, out in ((0, 1, other), (1, 0, other), (0, 0, weight), (1, 1, other)):
                torch.mul(gradient[rows, i], fields[rows, j], out=out)
                products[rows, i, j] = out.sum((-1, -2))
            sums[rows] = _product(powers[1][rows], weight.add_(other))
        # The map is the field's part along the vector, by the vector's length.
        length = unit.square().sum(-1, keepdim=True).clamp(min=_SHORT**2)
        from_unit = (products * (unit / length)[:, None]).sum(-1)
        return *_moments(axes, powers[0], sums), from_unit, None


def _gaussian_lines(mean: Tensor, axes: Tensor, size: int) -> tuple[Tensor, ...]:
    """Both components of A (e - mean) / sqrt(2), each a sum of a term of x and one of y."""
    x, y = (pixel_centres(size, mean) - mean[..., None])[:, None].unbind(2)  # (n, 1, S)
    of_x, of_y = (axes * math.sqrt(0.5)).unbind(-1)
    of_x, of_y = of_x[..., None] * x, of_y[..., None] * y  # (n, 2, S)
    return of_x[:, :1], of_y[:, 0, :, None], of_x[:, 1:], of_y[:, 1, :, None]


def _gaussian(lines, map: Tensor, other: Tensor) -> None:
    """Fills ``map`` (n, S, S); ``other`` is scratch of the same shape."""
    torch.add(lines[0], lines[1], out=map).square_()
    torch.add(lines[2], lines[3], out=other)
    map.addcmul_(other, other).neg_().clamp_(min=_FLOOR).exp_()
    threshold_(map, _ZERO, 0)


def _powers(mean: Tensor, size: int) -> Tensor:
    """The powers 0, 1 and 2 of x and of y about the mean: (2, n, 3, S)."""
    offset = (pixel_centres(size, mean) - mean[..., None]).movedim(1, 0)
    return torch.stack((torch.ones_like(offset), offset, offset.square()), dim=2)


def _moments(axes: Tensor, powers: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Gradients of mean and axes, from gradient x map added up over y: ``sums`` (n, 3, S).

    With d = e - mean and A the axes, the exponent's derivatives are A^T A d and -A d d^T: what is
    needed are the first two moments of gradient x map about the mean.
    """
    sums = _product(sums, powers.mT)  # (n, power of y, power of x)
    first = torch.stack((sums[:, 0, 1], sums[:, 1, 0]), dim=-1)
    second = sums[:, [0, 1, 1, 2], [2, 1, 1, 0]].unflatten(-1, (2, 2))
    return _product(axes.mT, _product(axes, first[..., None]))[..., 0], -_product(axes, second)


class HeatMaps(torch.autograd.Function):
    """Round Gaussians: the product of one of x and one of y, 2 S exponentials a map, not S^2."""

    @staticmethod
    def forward(ctx, points, size, sigma):
        offset = (pixel_centres(size, points) - points[..., None]) / sigma  # (N, J, 2, S)
        factors = offset.square().mul_(-0.5).clamp_(min=_FLOOR / 2).exp_()
        threshold_(factors, math.sqrt(_ZERO), 0)  # then a product is zero or not denormal
        ctx.save_for_backward(factors, offset)
        ctx.sigma = sigma
        x, y = factors.unbind(2)
        return y[..., :, None] * x[..., None, :]

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        factors, offset = ctx.saved_tensors
        slopes = factors * offset / ctx.sigma
        lines = _product(torch.stack((factors[:, :, 1], slopes[:, :, 1]), dim=2), gradient)
        return (lines * torch.stack((slopes[:, :, 0], factors[:, :, 0]), dim=2)).sum(-1), None, None
