"""Unsupervised saliency of crops: which pixels are the figure, from one picture and no label.

After Zhu, Liang, Wei and Sun, "Saliency optimization from robust background detection" (CVPR 2014): what
is joined to the border of a picture is background, what differs from that is salient, and both are
reconciled by a quadratic cost on superpixels. Ours are the prior for the centre, since a crop around a
detected person holds the person in its middle, and the step from superpixels to pixels: two models of
colour and place, figure and background, fitted to each picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Superpixels", "background_weight", "cielab", "optimised", "saliency", "superpixels"]

CELLS = 11  # superpixels a side, about
COMPACT = 12.0  # Lab units that the side of a cell is worth in the clustering
ROUNDS = 3  # of the clustering
LEAST = 5.0  # contrast of a picture, in Lab units, below which there is hardly a figure
FAR = 1e4  # a distance beyond all others

# Chosen on training clips of roles wild and sport by the overlap with the true figure, once for both
# collections; the paper's in brackets.
COLOUR = 14.0  # Lab units at which colours begin to count as different [10]
BORDER = 1.3  # boundary connectivity at which a region begins to count as background [1]
PLACE = 0.08  # of the side: how far contrast reaches [0.25]
BACKGROUND = 12.0  # weight of the background in the quadratic cost [5, in the authors' code]
SMOOTH = 0.05  # smoothness where colours differ [0.1]
CENTRE = (0.12, 0.7)  # x, y standard deviations of the prior on contrast, of the side

LIKENESS = (6.7, 4.0, 4.0)  # Lab units: width of the colour models; shading changes L most
NEARNESS = 0.2  # of the side: their width in place
FIGURE = (0.14, 0.45)  # x, y standard deviations of the prior of the figure, of the side
TOP = 0.5  # that prior in the middle
EDGE = 0.03  # factor on it for regions that touch the border
KEPT = 0.25  # weight of the log odds of the first saliency beside the colour models
UPDATES = 6  # of the models, on superpixels
FLOOR = 1e-6  # density of colours that neither model knows


@dataclass(frozen=True)
class Superpixels:
    """K regions of each of N pictures.

    label (N, S, S) int64: the region of each pixel. colour (N, K, 3) Lab and place (N, K, 2), x and y in
    [0, 1]: their means. count (N, K): their pixels, which may be none. border (N, K) bool: whether they
    touch the picture's border. beside (N, K, K) bool: which regions touch each other.
    """

    label: Tensor
    colour: Tensor
    place: Tensor
    count: Tensor
    border: Tensor
    beside: Tensor


@torch.no_grad()
def saliency(pictures: Tensor, chunk: int | None = None) -> Tensor:
    """Saliency (N, 1, S, S) in [0, 1] of pictures (N, 3, S, S) in [0, 1]; take 0.5 as the threshold.

    Each picture is looked at by itself, ``chunk`` at a time (None: as suits the device), in full
    precision and without gradient. The pictures have to be crops of a person detector: the prior expects
    the figure in the middle and a rim of background. People who stand are found best, those who lie
    across the crop worst. A picture of one colour has no figure. float32 or float64. Raises ValueError
    for another type or shape.
    """
    if pictures.ndim != 4 or pictures.shape[1] != 3 or pictures.shape[2] != pictures.shape[3]:
        raise ValueError(f"pictures are (N, 3, S, S), not {tuple(pictures.shape)}")
    if pictures.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"pictures are float32 or float64 in [0, 1], not {pictures.dtype}")
    if pictures.shape[-1] < 8:
        raise ValueError(f"pictures have 8 px a side or more, not {pictures.shape[-1]}")
    if len(pictures) == 0:
        return pictures[:, :1].clone()
    if chunk is None:
        chunk = 4 if pictures.device.type == "cpu" else 128  # what fits a core's cache is fastest
    found = torch.empty_like(pictures[:, :1])
    with torch.autocast(pictures.device.type, enabled=False):
        for place, piece in zip(found.split(chunk), pictures.split(chunk), strict=True):
            colours = cielab(piece)
            regions = superpixels(colours)
            place.copy_(_pixels(colours, regions, optimised(regions)))
    return found


def cielab(pictures: Tensor) -> Tensor:
    """CIE L*a*b* (N, 3, S, S), white D65, of sRGB pictures (N, 3, S, S) in [0, 1]."""
    linear = torch.where(pictures <= 0.04045, pictures / 12.92, ((pictures + 0.055) / 1.055) ** 2.4)
    matrix = pictures.new_tensor(
        [
            [0.4124564, 0.3575761, 0.1804375],
            [0.2126729, 0.7151522, 0.0721750],
            [0.0193339, 0.1191920, 0.9503041],
        ]
    )
    xyz = torch.einsum("ij,njhw->nihw", matrix / matrix.sum(1, keepdim=True), linear)
    x, y, z = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116).unbind(
        1
    )
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def superpixels(
    colours: Tensor, cells: int = CELLS, compact: float = COMPACT, rounds: int = ROUNDS
) -> Superpixels:
    """Regions of like colour (N, 3, S, S) Lab: SLIC (Achanta et al., PAMI 2012) on a grid of cells.

    Cells have an even side, of which about ``cells`` make the picture's; the outer ones may jut out,
    as far on the left as on the right, so that a mirrored picture has mirrored regions. Each pixel goes
    to the nearest, in colour and place, of the nine regions around its cell. Regions need not be
    connected. The side of a cell counts as ``compact`` Lab units.
    """
    count, _, size, _ = colours.shape
    side = max(2, 2 * round(size / cells / 2))
    n = -(-size // side)
    spare = n * side - size
    rim = (spare // 2, spare - spare // 2)
    place = (torch.arange(size).to(colours) + 0.5) / size
    place = torch.stack(torch.meshgrid(place, place, indexing="xy")).expand(count, -1, -1, -1)
    unit = compact * size / side
    pixels = F.pad(torch.cat([colours, place * unit], dim=1), rim + rim, mode="replicate")
    cell = pixels.unflatten(3, (n, side)).unflatten(2, (n, side))  # N, 5, n, side, n, side
    centres = cell.mean((3, 5))
    own = torch.arange(n * n, device=colours.device).view(n, 1, n, 1)
    flat = pixels.flatten(2)
    for _ in range(rounds):
        around = F.pad(centres, (1, 1, 1, 1), value=FAR)
        nearest, label = None, None
        for row in (0, 1, 2):
            for column in (0, 1, 2):
                other = around[:, :, row : row + n, None, column : column + n, None]
                distance = (cell - other).square_().sum(1)
                number = (own + (row - 1) * n + column - 1).expand_as(distance)
                if nearest is None:
                    nearest, label = distance, number
                else:
                    label = torch.where(distance < nearest, number, label)
                    nearest = torch.minimum(nearest, distance)
        where = label.reshape(count, -1)
        members = _sums(torch.ones_like(flat[:, 0]), where, n * n)
        total = flat.new_zeros(count, 5, n * n).scatter_add_(2, where[:, None].expand_as(flat), flat)
        means = total / members.clamp_min(1)[:, None]
        centres = torch.where(members[:, None] > 0, means, centres.flatten(2)).view_as(centres)
    label = label.reshape(count, n * side, n * side)
    label = label[:, rim[0] : rim[0] + size, rim[0] : rim[0] + size].contiguous()
    centres = centres.flatten(2).mT
    members = _sums(torch.ones_like(colours[:, 0]).flatten(1), label.flatten(1), n * n)
    return Superpixels(
        label, centres[..., :3], centres[..., 3:] / unit, members, *_touching(label, n * n)
    )


def _sums(values: Tensor, label: Tensor, count: int) -> Tensor:
    """Sums (N, count) of the values (N, P) of each label (N, P)."""
    return values.new_zeros(len(values), count).scatter_add_(1, label, values)


def _touching(label: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Which regions touch the border (N, K), and which each other (N, K, K)."""
    border = torch.zeros(len(label), count, dtype=torch.bool, device=label.device)
    beside = torch.zeros(len(label), count * count, dtype=torch.bool, device=label.device)
    for edge in (label[:, 0], label[:, -1], label[:, :, 0], label[:, :, -1]):
        border.scatter_(1, edge, True)
    for one, other in ((label[:, 1:], label[:, :-1]), (label[:, :, 1:], label[:, :, :-1])):
        beside.scatter_(1, (one * count + other).flatten(1), True)
        beside.scatter_(1, (other * count + one).flatten(1), True)
    beside = beside.view(len(label), count, count)
    beside.diagonal(dim1=1, dim2=2).fill_(False)
    return border, beside


def background_weight(regions: Superpixels) -> Tensor:
    """Background probability w_bg (N, K) in [0, 1] from boundary connectivity (Zhu et al., eqs. 3 to 7).

    The length of the border that a region's colour reaches, over the root of the area that it reaches;
    both are soft counts of regions by geodesic distance in colour. Regions at the border have 1.
    """
    border, beside, exists = regions.border, regions.beside, regions.count > 0
    apart = torch.cdist(regions.colour, regions.colour)
    # The least step from each region, on average: what a plain surface varies by is no distance.
    least = apart.masked_fill(~beside, torch.inf).amin(-1)
    least = torch.where(least.isfinite(), least, 0).sum(-1) / exists.sum(-1)
    linked = beside | (border[:, :, None] & border[:, None])
    distance = torch.where(linked, (apart - least[:, None, None]).clamp_min(0), FAR)
    distance.diagonal(dim1=1, dim2=2).zero_()
    for via in range(distance.shape[-1]):  # Floyd and Warshall's shortest paths
        torch.minimum(distance, distance[:, :, via, None] + distance[:, via, None, :], out=distance)
    same = torch.exp(-distance.square() / (2 * COLOUR**2)) * exists[:, None]
    area = same.sum(-1).clamp_min(1)
    length = (same * border[:, None]).sum(-1)
    weight = 1 - torch.exp(-length.square() / area / (2 * BORDER**2))
    return torch.where(border, 1, weight)


def optimised(regions: Superpixels) -> Tensor:
    """Saliency (N, K) in [0, 1] of regions, at most 1 in each picture (Zhu et al., eqs. 8 and 9).

    Contrast to the background nearby, times the prior for the centre, is the weight with which a region
    is drawn to 1, that of the background draws it to 0, and neighbours of like colour to each other.
    """
    exists = regions.count > 0
    background = background_weight(regions) * exists
    apart = torch.cdist(regions.colour, regions.colour)
    near = torch.exp(-torch.cdist(regions.place, regions.place).square() / (2 * PLACE**2))
    contrast = (apart * near * background[:, None]).sum(-1) * exists  # a region of no pixels has none
    contrast = contrast / contrast.amax(-1, keepdim=True).clamp_min(LEAST)
    figure = contrast * _centred(regions.place, CENTRE)
    like = (torch.exp(-apart.square() / (2 * COLOUR**2)) + SMOOTH) * regions.beside
    system = torch.diag_embed(like.sum(-1) + BACKGROUND * background + figure + 1e-4) - like
    found = torch.linalg.solve(system, figure)
    return (found / found.amax(-1, keepdim=True).clamp_min(1e-2)).clamp(0, 1)


def _centred(place: Tensor, width: tuple[float, float]) -> Tensor:
    """A Gaussian of x and y (..., 2) in [0, 1] around the middle, 1 there."""
    return torch.exp(-((place - 0.5) / place.new_tensor(width)).square().sum(-1) / 2)


def _pixels(colours: Tensor, regions: Superpixels, found: Tensor) -> Tensor:
    """From the saliency (N, K) of regions to that of pixels (N, 1, S, S), by Bayes' rule.

    Figure and background are each a mixture of Gaussians of colour and place, one at each region,
    weighted by how much of it is figure or background; the weights are fitted on the regions first.
    """
    count, _, size, _ = colours.shape
    axis = (torch.arange(size).to(colours) + 0.5) / size
    place = torch.cartesian_prod(axis, axis).flip(-1).expand(count, -1, -1)
    width = colours.new_tensor([*LIKENESS, NEARNESS, NEARNESS])
    middle = torch.cat([regions.colour, regions.place], dim=-1) / width
    pixels = torch.cat([colours.flatten(2).mT, place], dim=-1) / width

    def log_odds(kernel: Tensor, figure: Tensor) -> Tensor:
        weight = torch.stack([figure, 1 - figure], dim=-1) * regions.count[..., None] + 1e-3
        one, other = (kernel @ (weight / weight.sum(1, keepdim=True))).unbind(-1)
        return torch.log((one + FLOOR) / (other + FLOOR))

    first = KEPT * torch.logit(found, 0.1)
    there = TOP * found.amax(-1, keepdim=True)  # 0 where nothing differs from anything
    prior = there * _centred(regions.place, FIGURE) * torch.where(regions.border, EDGE, 1.0)
    prior = torch.logit(prior, 1e-3) + first
    kernel = _gauss(middle, middle)
    figure = found
    for _ in range(UPDATES):
        figure = torch.sigmoid(prior + log_odds(kernel, figure))
    # A pixel at the border is background no more than its colour says: hands and feet reach there.
    prior = torch.logit(there * _centred(place, FIGURE), 1e-3) + first.gather(
        1, regions.label.flatten(1)
    )
    return torch.sigmoid(prior + log_odds(_gauss(pixels, middle), figure)).view(count, 1, size, size)


def _gauss(one: Tensor, other: Tensor) -> Tensor:
    """exp(-|one - other|^2 / 2) (N, A, B) of points (N, A, C) and (N, B, C), as one product."""
    shift = other.mean(1, keepdim=True)  # keeps the squares small
    one, other = one - shift, other - shift
    left = torch.cat(
        [one, -one.square().sum(-1, keepdim=True) / 2, torch.ones_like(one[..., :1])], dim=-1
    )
    right = torch.cat(
        [other, torch.ones_like(other[..., :1]), -other.square().sum(-1, keepdim=True) / 2], dim=-1
    )
    return (left @ right.mT).clamp_(-30, 0).exp_()  # far below FLOOR, but no slow subnormal numbers
