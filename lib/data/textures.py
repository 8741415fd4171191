"""Numbers and textures from hashes: the same for the same seed, in any batch, on any device."""

from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["TEXELS", "TEXTURES", "atlas", "uniform"]

TEXELS = 256  # side of a texture, which repeats in both directions
TEXTURES = ("plain", "cloudy", "grain", "planks", "bricks", "checks", "stripes", "leaves")


def uniform(seeds: Tensor, count: int, salt: int = 0) -> Tensor:
    """Numbers (..., count) in [0, 1), float32, from int64 seeds (...): a hash of seed, place, salt.

    The finaliser is that of SplitMix64 (Steele et al., 2014), in wrapping int64 arithmetic.
    """
    place = torch.arange(count, device=seeds.device) + salt * 1_000_003
    x = seeds[..., None] * -7046029254386353131 + place * 0x2545F4914F6CDD1D
    for shift, factor in ((30, -4658895280553007687), (27, -7723592293110705685)):
        x = (x ^ ((x >> shift) & ((1 << (64 - shift)) - 1))) * factor  # >> keeps the sign
    x = x ^ ((x >> 31) & ((1 << 33) - 1))
    return ((x >> 40) & 0xFFFFFF).float() / 2.0**24


@cache
def atlas(device: torch.device) -> Tensor:
    """The textures (len(TEXTURES), TEXELS, TEXELS), of mean about 0, in [-1, 1]."""
    v, u = torch.meshgrid(*2 * [torch.arange(TEXELS, dtype=torch.float32)], indexing="ij")
    fine, coarse = _noise((64, 128, 256), 1), _noise((4, 8, 16, 32), 2)
    row = (v // 32).long()
    board = uniform(row * 16 + ((u + 64 * (row % 2)) % TEXELS // 128).long(), 1)[..., 0] * 2 - 1
    brick = uniform(row * 64 + ((u + 32 * (row % 2)) % TEXELS // 64).long(), 1)[..., 0] * 2 - 1
    seam = ((v % 32 < 2) | ((u + 32 * (row % 2)) % 64 < 2)).float()
    textures = {
        "plain": 0.2 * fine,
        "cloudy": coarse,
        "grain": fine,
        "planks": 0.6 * board + 0.3 * fine - 0.8 * (v % 32 < 2),
        "bricks": 0.4 * brick + 0.2 * fine - 0.8 * seam,
        "checks": ((u // 64 + v // 64) % 2 * 2 - 1) * 0.8 + 0.2 * fine,
        "stripes": (u // 32 % 2 * 2 - 1) * 0.8 + 0.2 * fine,
        "leaves": (3 * _noise((16, 32, 64), 3)).clamp(-1, 1),
    }
    return torch.stack([textures[name] for name in TEXTURES]).clamp(-1, 1).to(device)


def _noise(octaves: tuple[int, ...], salt: int) -> Tensor:
    """Periodic value noise (TEXELS, TEXELS): smoothed lattices of random numbers, each finer one
    half as strong.
    """
    total = torch.zeros(TEXELS, TEXELS)
    for number, cells in enumerate(octaves):
        lattice = uniform(torch.arange(cells) + salt * 4096 + number * 512, cells) * 2 - 1
        wrapped = F.pad(lattice[None, None], (2, 2, 2, 2), mode="circular")
        factor = TEXELS // cells
        smooth = F.interpolate(wrapped, scale_factor=factor, mode="bicubic", align_corners=False)
        total += smooth[0, 0, 2 * factor : -2 * factor, 2 * factor : -2 * factor] / 2**number
    return total / total.abs().max()
