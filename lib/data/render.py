"""Pictures of clothed people, and of hands, from joints, a camera and an appearance.

Every pixel's ray is met with the rounded cones of `lib.data.solids` where they can be seen at all:
the picture is cut into square tiles, a solid is tried in the tiles that its exact projected bounds
touch, and the nearest solid of a pixel is found by one scatter of keys that hold inverse depth and
the solid's number. Only the winning pixels are shaded. No loop over pictures; deterministic.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from lib.data.appearance import Appearance, albedo, wardrobe
from lib.data.rays import as_rows, local_axes, local_ray, meet, product, projected_bounds, ray_table
from lib.data.solids import HAND_PARTS, HAND_SOLIDS, PARTS, SOLIDS, Solids, body_solids, hand_solids
from lib.skeleton import HAND_21, HUMAN36M_17, Skeleton

__all__ = ["Picture", "render"]

SMALLEST, LARGEST = 32, 512
_NUMBER = 31  # the bits of a key that hold the solid's number
_CHUNK = 1 << 16  # pixels at a time on a CPU, so that temporaries stay in its cache


@dataclass(frozen=True)
class Picture:
    """N square pictures: colour (N, 3, S, S) in [0, 1], parts (N, S, S) uint8 (0 = background),
    mask (N, S, S) bool, depth (N, S, S) in mm along the optical axis (inf = background).
    """

    colour: Tensor
    parts: Tensor
    mask: Tensor
    depth: Tensor

    def __len__(self) -> int:
        return len(self.colour)


@torch.no_grad()
def render(
    joints: Tensor,
    K: Tensor,
    appearance: Appearance,
    size: int,
    background: Tensor | None = None,
    skeleton: Skeleton = HUMAN36M_17,
    floor: Tensor | None = None,
    supersample: int = 1,
) -> Picture:
    """Draw N figures, each alone in a picture of size x size pixels.

    joints (N, J, 3): camera coordinates, mm, all in front of the camera; they may lie outside the
    picture. K (N, 3, 3): intrinsics of the picture, pixel centres at integer + 0.5. background (N,
    3, size, size) in [0, 1]; None is black. skeleton: HUMAN36M_17 or HAND_21, whose labels are
    ``PARTS`` or ``HAND_PARTS`` of `lib.data.solids`. floor (N, 4): the plane up . X = height in
    camera coordinates, as (up, height); with it and a background the figure throws a soft shadow.
    supersample: the colour is the mean of that many by that many samples a pixel, for figures;
    labels and depth are always those of the pixel's centre.

    Everything is on one device; no gradient passes. ValueError for wrong shapes, types, sizes or
    devices, for numbers that are not finite, joints at or behind the camera and a background out of
    [0, 1]. No figures give an empty picture.
    """
    _check(joints, K, appearance, size, background, skeleton, floor, supersample)
    joints, K = joints.float(), K.float()
    if background is None:
        colour = joints.new_zeros((len(joints), 3, size, size))
    else:
        colour = background.float().clone(memory_format=torch.contiguous_format)
        if floor is not None and len(joints):
            colour *= _shadow(joints, K, appearance.light, floor.float(), size, skeleton)
    solids = (hand_solids if skeleton == HAND_21 else body_solids)(joints, appearance.build)
    if supersample == 1 or not len(joints):
        return _draw(solids, K, appearance, skeleton, colour)
    finer = K.clone()
    finer[:, :2] *= supersample
    fine = functional.interpolate(colour, scale_factor=supersample)
    fine = _draw(solids, finer, appearance, skeleton, fine).colour
    fine = functional.avg_pool2d(fine, supersample)
    return replace(_draw(solids, K, appearance, skeleton, colour), colour=fine)


def _draw(solids: Solids, K, appearance: Appearance, skeleton, colour: Tensor) -> Picture:
    """Draw over ``colour`` (N, 3, S, S), in place."""
    count, _, _, size = colour.shape
    hand = skeleton == HAND_21
    names, kinds = (HAND_PARTS, HAND_SOLIDS) if hand else (PARTS, SOLIDS)
    labels = torch.tensor([names.index(part) for _, part in kinds], dtype=torch.uint8)
    parts = torch.zeros((count, size, size), dtype=torch.uint8, device=colour.device)
    depth = torch.full((count, size, size), torch.inf, device=colour.device)
    if count:
        table = ray_table(solids, K)
        keys = _nearest(table, projected_bounds(solids, K), count, size)
        _shade(keys, table, solids, appearance, hand, labels.to(K.device), colour, parts, depth)
    return Picture(colour, parts, parts > 0, depth)


def _check(joints, K, appearance, size, background, skeleton, floor, supersample) -> None:
    if skeleton not in (HUMAN36M_17, HAND_21):
        raise ValueError(f"people are drawn from human36m_17 or hand_21, not {skeleton.name}")
    if isinstance(size, bool) or not isinstance(size, int) or not SMALLEST <= size <= LARGEST:
        raise ValueError(f"size is a whole number from {SMALLEST} to {LARGEST}, not {size!r}")
    if supersample not in (1, 2, 3, 4):
        raise ValueError(f"supersample is 1, 2, 3 or 4, not {supersample!r}")
    count = len(joints)
    shapes = {
        "joints": (joints, (count, len(skeleton), 3)),
        "K": (K, (count, 3, 3)),
        "background": (background, (count, 3, size, size)),
        "floor": (floor, (count, 4)),
    }
    for name, (value, shape) in shapes.items():
        if value is None:
            continue
        if tuple(value.shape) != shape:
            raise ValueError(f"{name}: shape {tuple(value.shape)}, expected {shape}")
        if not value.is_floating_point():
            raise ValueError(f"{name}: of type {value.dtype}, not floating point")
        if value.device != joints.device:
            raise ValueError(f"{name}: on {value.device}, the joints on {joints.device}")
    if len(appearance) != count:
        raise ValueError(f"{len(appearance)} appearances of {count} figures")
    if appearance.device != joints.device:
        raise ValueError(f"appearance: on {appearance.device}, the joints on {joints.device}")
    if not count:
        return
    problems = {
        "joints: not finite": ~joints.isfinite().all(),
        "joints: at or behind the camera (z <= 0)": (joints[..., 2] <= 0).any(),
        "K: not finite": ~K.isfinite().all(),
        "K: no focal length above 0": (K[:, 0, 0] <= 0).any() | (K[:, 1, 1] <= 0).any(),
        "K: not upper triangular, or its last row not 0 0 1": (
            (K[:, 1:, 0] != 0).any() | (K[:, 2, 1] != 0).any() | (K[:, 2, 2] != 1).any()
        ),
    }
    if background is not None:
        low, high = background.aminmax()
        problems["background: not in [0, 1]"] = ~((low >= 0) & (high <= 1))
    if floor is not None:
        problems["floor: not finite"] = ~floor.isfinite().all()
    # All answers in one transfer: each would make a GPU wait.
    for problem, found in zip(problems, torch.stack(list(problems.values())).tolist(), strict=True):
        if found:
            raise ValueError(problem)


def _tiles(bounds: tuple[Tensor, Tensor], size: int, tile: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which solids are tried where: solid (C,), and the left and upper pixel of the tile (C,)."""
    ways, bounds = bounds
    first = torch.arange(0, size, tile, device=bounds.device)
    reach = (tile - 1) / 2  # from a tile's middle to the centres of its outer pixels
    middle = first + tile / 2
    near = (bounds[..., :1] <= middle + reach) & (bounds[..., 1:] >= middle - reach)
    chosen = near[:, :, 1, :, None] & near[:, :, 0, None, :]
    found = chosen.flatten().nonzero()[:, 0]
    count = len(first)
    solid, place = found // (count * count), found % (count * count)
    left, upper = place % count, place // count
    across = ways[:, :, 2].flatten(0, 1).index_select(0, solid)
    low, high = bounds[:, :, 2].flatten(0, 1).index_select(0, solid).unbind(-1)
    value = across[:, 0] * middle[left] + across[:, 1] * middle[upper]
    spread = across.abs().sum(-1) * reach
    kept = ((value + spread >= low) & (value - spread <= high)).nonzero()[:, 0]
    return solid[kept], first[left[kept]], first[upper[kept]]


def _nearest(table: Tensor, bounds: tuple[Tensor, Tensor], count: int, size: int) -> Tensor:
    """Keys (N, S, S) int32 of the nearest solid of each pixel: the bits of the inverse depth, the
    last five replaced by the solid's number; 31 or less is nothing.

    As integers, positive floats are in the same order as their values: the largest key is nearest.
    """
    tile = 4 if size <= 96 else 8 if size <= 256 else 16
    edge = -(-size // tile) * tile
    solid, left, upper = _tiles(bounds, size, tile)
    kinds = table.shape[1] // count
    keys = torch.zeros(count * edge * edge, dtype=torch.int32, device=table.device)
    grid = torch.arange(tile, device=table.device)
    down, right = (steps.reshape(-1, 1) for steps in torch.meshgrid(grid, grid, indexing="ij"))
    chunk = max(1, _chunk(table.device) // (tile * tile))
    for first in range(0, len(solid), chunk):
        chosen = slice(first, first + chunk)
        s, x, y = solid[chosen], left[chosen], upper[chosen]
        ray = table.index_select(1, s)
        direction, offset = local_ray(ray, x, y, right.float(), down.float())
        inverse = meet(direction, offset, ray)
        key = inverse.view(torch.int32).bitwise_and_(~_NUMBER).bitwise_or_((s % kinds).int())
        place = (s // kinds * edge + y) * edge + x + (down * edge + right)
        keys.scatter_reduce_(0, place.view(-1), key.view(-1), "amax")
    return keys.view(count, edge, edge)[:, :size, :size]


def _shade(keys, table, solids, appearance, hand, labels, colour, parts, depth) -> None:
    """Fill in colour, parts and depth of the pixels that a solid won."""
    size, kinds = keys.shape[-1], table.shape[1] // len(keys)
    light = torch.cat((appearance.light, appearance.ambient[:, None]), dim=1)
    columns = (local_axes(solids).flatten(-2), solids.unit, light[:, None].expand(-1, kinds, -1))
    table = torch.cat((table, as_rows(*columns, wardrobe(appearance, hand))))
    colour, parts, depth, keys = (x.view(-1) for x in (colour, parts, depth, keys.contiguous()))
    area = size * size
    for pixel in (keys > _NUMBER).nonzero()[:, 0].split(_chunk(keys.device)):
        key = keys.index_select(0, pixel)
        number, figure, place = (key & _NUMBER).long(), pixel // area, pixel % area
        rows = table.index_select(1, figure * kinds + number)
        held = (key & ~_NUMBER).view(torch.float32)
        z, share, point, shading = _surface(rows[:36], place % size, place // size, held)
        paint = albedo(rows[36:], appearance.colours, figure, share, point) * shading
        for channel, values in enumerate(paint.clamp_(0, 1)):
            colour.scatter_(0, pixel + (2 * figure + channel) * area, values)
        parts.scatter_(0, pixel, labels.index_select(0, number))
        depth.scatter_(0, pixel, z)


def _surface(rows: Tensor, x: Tensor, y: Tensor, held: Tensor):
    """Where the rays of pixels (M,) enter their solids: depth, share along the axis, the point as
    ``albedo`` wants it, and the light there by Lambert's law, softened.

    rows (36, M): of ``ray_table``, then local axes, units, light, ambient. held (M,): the inverse
    depth that the key held, a little too small.
    """
    ray, axes, unit, (*light, ambient) = rows[:20], rows[20:29], rows[29:32], rows[32:36]
    zero = rows.new_zeros(())
    direction, offset = local_ray(ray, x, y, zero, zero)
    # Rounding may let a grazing ray miss now: then what the key holds must do.
    z = 1 / meet(direction, offset, ray).maximum(held)
    start, height, radius, _, sine, widen = ray[12:18]
    x, y, deep = (o + (z - start) * d for o, d in zip(offset, direction, strict=True))
    # The foot on the axis of the surface's normal.
    foot = (y - sine * (radius - sine * y) * widen).clamp(min=zero).minimum(height)
    x, deep = x * widen.sqrt(), deep * widen.sqrt()
    toward, up, front = axes.view(3, 3, -1)
    normal = toward * x + up * (y - foot) + front * deep
    cosine = sum(n * way for n, way in zip(normal, light, strict=True))
    cosine = cosine * (normal * normal).sum(0).rsqrt()
    shading = ambient + (1.05 - ambient) * (0.15 + 0.85 * cosine).clamp(min=0)
    point = (x * unit[0], y * unit[1], deep * unit[2], x / radius, y / radius)
    return z, foot / height, point, shading


def _chunk(device: torch.device) -> int:
    """Pixels at a time."""
    return _CHUNK if device.type == "cpu" else _CHUNK << 5


def _shadow(joints, K, light, floor, size: int, skeleton: Skeleton) -> Tensor:
    """Factor (N, 1, S, S) of the background's brightness: what the bones keep from the floor.

    Every bone is cast along the light; its shadow is softer, and fainter, the higher it is. Drawn
    small and enlarged: a soft shadow has no detail.
    """
    up = functional.normalize(floor[:, :3], dim=-1)
    height = floor[:, 3:] / torch.linalg.vector_norm(floor[:, :3], dim=-1, keepdim=True)
    steep = (up * light).sum(-1, keepdim=True)
    light = light + up * (steep.clamp(min=0.7) - steep)  # no longer than the figure is tall
    over = ((joints * up[:, None]).sum(-1) - height) / (up * light).sum(-1, keepdim=True)
    cast = joints - over[..., None] * light[:, None]
    over = over.clamp(min=0)

    count = max(32, size // 4)
    centre = (torch.arange(count, device=joints.device) + 0.5) * (size / count)
    v, u = torch.meshgrid(centre, centre, indexing="ij")
    (fx, skew, cx), (_, fy, cy) = K[:, 0, :, None].unbind(1), K[:, 1, :, None].unbind(1)
    y = (v.flatten() - cy) / fy
    x = (u.flatten() - cx - skew * y) / fx
    distance = height / (up[:, :1] * x + up[:, 1:2] * y + up[:, 2:])
    # On the floor, two coordinates do.
    side = torch.linalg.cross(up, torch.eye(3, device=up.device)[up.abs().argmin(-1)])
    axes = functional.normalize(torch.stack((side, torch.linalg.cross(up, side)), 1), dim=-1)
    east, north = (
        distance * (way[:, :1] * x + way[:, 1:2] * y + way[:, 2:]) for way in axes.unbind(1)
    )
    cast = product(cast, axes.mT)[..., None]  # (N, J, 2, 1)
    reach = torch.linalg.vector_norm(joints - joints.mean(1, keepdim=True), dim=-1).amax(-1)[
        :, None
    ]
    dark = torch.zeros_like(distance)
    for start, end in skeleton.bones:
        (ax, ay), (wx, wy) = cast[:, start].unbind(1), (cast[:, end] - cast[:, start]).unbind(1)
        square = (wx * wx + wy * wy).clamp(min=1e-6)
        px, py = east - ax, north - ay
        share = ((px * wx + py * wy) / square).clamp_(0, 1)
        px, py = px - share * wx, py - share * wy
        low, high = over[:, start, None], over[:, end, None]
        soft = 1 / (0.085 * reach + 0.22 * (low + share * (high - low)))
        gap = (px * px + py * py) * (soft * soft)
        dark = dark.maximum(gap.neg_().clamp_(min=-80).exp_() * (0.055 * reach * soft))
    # Above the horizon there is no floor.
    dark = dark.nan_to_num_(0.0) * (distance > 0)
    dark = dark.view(-1, 1, count, count)
    return 1 - functional.interpolate(dark, (size, size), mode="bilinear", align_corners=False)
