"""Scenes behind the people: a room, a place outdoors, or what a web video might show.

Every scene is a box around the camera, seen through it pixel by pixel: floor, four walls and a
ceiling (outdoors the skyline and the sky), some boxes in it (furniture; houses, a car), pictures
and windows, and flat shapes (trees, passers-by). What there is stands in ``lib.data.places``.
A scene is turned about the vertical to lie where the camera looks; it goes with one camera. It is a
hash of its seed, so that a picture does not depend on its place in a batch or on the device.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from lib.data import places
from lib.data.places import (
    BOX,
    PATCH,
    PICTURE,
    PICTURES,
    SHAPE,
    SURFACES,
    TOP,
    WALL_X,
    WALL_Y,
    Place,
    Rows,
    between,
)
from lib.data.textures import TEXELS, TEXTURES, atlas, uniform
from lib.geometry import Camera, look_at

__all__ = ["STYLES", "TRIPODS", "backgrounds", "on_tripod", "standing_camera"]

STYLES = ("studio", "outdoor", "web")
PIXELS = 3 << 15  # drawn at a time on a CPU: what stays in its cache
NEAREST = 0.5  # m: what is nearer to the camera is not drawn
TRIPODS = 0.4  # of web video: Kundu et al. (AAAI 2020, Sec. 4) find about 40 % of it static


def standing_camera(K: Tensor) -> Camera:
    """A camera with intrinsics K (N, 3, 3) at eye height, 4.8 m from the scene's middle."""
    position, target, up = (
        K.new_tensor(value)
        for value in ((0.0, -4800.0, 1600.0), (0.0, 0.0, 950.0), (0.0, 0.0, 1.0))
    )
    R, t = look_at(position, target, up)
    return Camera(K, R.expand(len(K), 3, 3), t.expand(len(K), 3))


def on_tripod(seeds: Tensor) -> Tensor:
    """Whether the camera of the "web" scenes of int64 seeds (N,) stands still: bool (N,).

    The generator's secret: what learns from pictures must find it out from pictures. Raises
    ValueError for seeds that are not int64.
    """
    _check_seeds(seeds)
    return uniform(seeds, 1, 41)[:, 0] < TRIPODS


def backgrounds(
    seeds: Tensor,
    time: Tensor,
    size: int,
    style: str = "studio",
    camera: Camera | None = None,
    window: tuple[Tensor, Tensor] | None = None,
) -> Tensor:
    """Pictures (N, 3, size, size) in [0, 1] of the scenes of int64 seeds (N,) at times (N,) in s.

    "studio" is a room in which nothing moves; "outdoor" has sky, ground, trees, houses, passers-by
    and drifting clouds; "web" is either, filmed by a hand that shakes or from a tripod
    (``on_tripod``). ``camera`` (K (N, 3, 3), R, t in mm; world z up, floor at z = 0) decides the
    view; without it one at eye height whose K is in units of the frame. ``window`` = centre (N, 2)
    and side (N,) is the square that is seen, in the units of K; without it [0, 1]^2, the frame.
    Different windows of one camera see the same scene. Raises ValueError for another style, seeds
    that are not int64, shapes that do not fit, a window of zero size, values that are not finite.
    """
    camera, (centre, side) = _view(seeds, time, size, style, camera, window)
    rays = _Rays.of(camera, centre.float(), side.float())
    scene = _Scene.of(seeds, time.float(), style, rays)
    chunk = max(1, PIXELS // size**2) if seeds.device.type == "cpu" else 1024
    pictures = torch.empty(len(seeds), 3, size, size, device=seeds.device)
    for start in range(0, len(seeds), chunk):
        piece = slice(start, start + chunk)
        _draw(scene[piece], style, pictures[piece])
    return pictures


def _check_seeds(seeds: Tensor) -> None:
    if seeds.ndim != 1 or seeds.dtype != torch.int64:
        raise ValueError(f"seeds are int64 (N,), not {seeds.dtype} {tuple(seeds.shape)}")


def _view(seeds, time, size, style, camera, window) -> tuple[Camera, tuple[Tensor, Tensor]]:
    """Camera and window of ``backgrounds``: checked, or by default."""
    if style not in STYLES:
        raise ValueError(f"style is one of {', '.join(STYLES)}, not {style!r}")
    _check_seeds(seeds)
    if size < 1:
        raise ValueError(f"a picture is 1 px or more, not {size}")
    count, device = len(seeds), seeds.device
    if camera is None:
        K = torch.tensor([[1.15, 0, 0.5], [0, 1.15, 0.5], [0, 0, 1.0]], device=device)
        camera = standing_camera(K.expand(count, 3, 3))
    if window is None:
        window = torch.full((count, 2), 0.5, device=device), torch.ones(count, device=device)
    given = {"time": time, "K": camera.K, "R": camera.R, "t": camera.t}
    given |= {"centre": window[0], "side": window[1]}
    shapes = {"K": (3, 3), "R": (3, 3), "t": (3,), "centre": (2,)}
    for name, value in given.items():
        shape = (count, *shapes.get(name, ()))
        if tuple(value.shape) != shape:
            raise ValueError(f"{name} has shape {tuple(value.shape)}, not {shape}")
        if not value.isfinite().all():
            raise ValueError(f"{name} is not finite")
    if not (window[1] > 0).all():
        raise ValueError("a window of zero size")
    return camera, window


@dataclass(frozen=True)
class _Rays(Rows):
    """Where the camera is, origin (N, 3) m, and what it sees: R (N, 3, 3), and in the plane at
    depth 1 the picture's upper left corner (N, 2) and its extent (N, 2).
    """

    origin: Tensor
    R: Tensor
    corner: Tensor
    extent: Tensor

    @classmethod
    def of(cls, camera: Camera, centre: Tensor, side: Tensor) -> _Rays:
        """Turned about the vertical, so that the camera looks along y."""
        K, R = camera.K.to(side), camera.R.to(side)
        origin = -(R.mT @ camera.t.to(side)[..., None])[..., 0] / 1000
        focal = torch.stack([K[:, 0, 0], K[:, 1, 1]], dim=-1)
        corner = (centre - side[:, None] / 2 - K[:, :2, 2]) / focal
        # Straight down, the upper side of the image is ahead.
        ahead = F.normalize(R[:, 2, :2] - 1e-4 * R[:, 1, :2], dim=-1)
        rays = cls(origin, R, corner, side[:, None] / focal)
        return rays.turned(_turn(ahead[:, 1], ahead[:, 0]))

    def turned(self, turn: Tensor) -> _Rays:
        origin = (turn @ self.origin[..., None])[..., 0]
        return _Rays(origin, self.R @ turn.mT, self.corner, self.extent)

    def shaken(self, seeds: Tensor, time: Tensor) -> _Rays:
        """As a hand moves the camera: two slow waves and a quick one, in x, y and zoom.

        On a tripod they have no size.
        """
        u = uniform(seeds, 18, 40).unflatten(-1, (3, 3, 2))
        rate = between(u[..., 0], 0.7, 1.3) * u.new_tensor([0.13, 0.41, 1.9])
        size = u.new_tensor([[0.03], [0.02], [0.04]]) * u.new_tensor([1.0, 0.5, 0.1])
        wave = (size * torch.sin(2 * torch.pi * (rate * time[:, None, None] + u[..., 1]))).sum(-1)
        wave = torch.where(on_tripod(seeds)[:, None], 0.0, wave)
        zoom = 1 + wave[:, 2:]
        return _Rays(self.origin, self.R, self.corner * zoom + wave[:, :2], self.extent * zoom)


def _turn(cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotation (N, 3, 3) about z that takes (sine, cosine, 0) to (0, 1, 0)."""
    zero, one = torch.zeros_like(cosine), torch.ones_like(cosine)
    rows = (cosine, -sine, zero, sine, cosine, zero, zero, zero, one)
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))


@dataclass(frozen=True)
class _Scene(Rows):
    """A place as a camera sees it at a time.

    shapes (N, SHAPES, 5): x, y, half width and half height in the plane at depth 1, and depth.
    outdoors (N,): 0 or 1. drift (N, 2) of the clouds, m.
    """

    rays: _Rays
    place: Place
    shapes: Tensor
    outdoors: Tensor
    drift: Tensor

    @classmethod
    def of(cls, seeds: Tensor, time: Tensor, style: str, rays: _Rays) -> _Scene:
        indoor = torch.full_like(seeds, style == "studio", dtype=torch.bool)
        if style == "web":
            indoor = uniform(seeds, 1, 1)[:, 0] < 0.5
            place = places.room(seeds).where(indoor, places.outdoors(seeds))
            rays = rays.shaken(seeds, time)
        else:
            place = places.room(seeds) if style == "studio" else places.outdoors(seeds)
        shapes = _standing(place.shapes, seeds, time, rays)
        # Turned by up to 30 degrees, so that corners come into view.
        yaw = between(uniform(seeds, 1, 2)[:, 0], -0.5, 0.5)
        turn = _turn(yaw.cos(), yaw.sin())
        rays = rays.turned(turn)
        place = replace(
            place,
            lo=place.lo.minimum(rays.origin - NEAREST),
            hi=place.hi.maximum(rays.origin + NEAREST),
            boxes=_in_front(place.boxes, turn, rays),
        )
        drift = time[:, None] * between(uniform(seeds, 2, 3), -2, 2)
        return cls(rays, place, shapes, 1 - indoor.to(time), drift)


def _standing(shapes: Tensor, seeds: Tensor, time: Tensor, rays: _Rays) -> Tensor:
    """Shapes of a ``Place`` (N, SHAPES, 7) where they are at a time, in the camera's plane."""
    centre, half, speed, sway = shapes.split([3, 2, 1, 1], dim=-1)
    phase = uniform(seeds, shapes.shape[1], 4)[..., None]
    time = time[:, None, None]
    walked = (centre[..., :1] + speed * time + 8) % 16 - 8  # and back in on the other side
    x = torch.where(speed == 0, centre[..., :1], walked)
    x = x + sway * torch.sin(2 * torch.pi * (0.4 * time + phase))
    point = torch.cat([x, centre[..., 1:]], dim=-1) - rays.origin[:, None]
    seen = point @ rays.R.mT
    depth = seen[..., 2:].clamp(min=NEAREST)
    half = torch.where(seen[..., 2:] < NEAREST, 0.0, half) / depth
    return torch.cat([seen[..., :2] / depth, half.clamp(min=1e-6), depth], dim=-1)


def _in_front(boxes: Tensor, turn: Tensor, rays: _Rays) -> Tensor:
    """Boxes (N, BOXES, 6) of a ``Place`` after its turn; one that is not wholly before the camera
    is turned inside out, so that no ray meets it.
    """
    centre, half = boxes[..., :3] @ turn.mT, boxes[..., 3:]
    depth = ((centre - rays.origin[:, None]) * rays.R[:, None, 2]).sum(-1, keepdim=True)
    reach = torch.linalg.vector_norm(half, dim=-1, keepdim=True)
    return torch.cat([centre, torch.where(depth - reach < NEAREST, -1.0, half)], dim=-1)


# Drawing. torch.where and comparisons take some twenty times as long as a minimum on a CPU. So what
# is nearest is found as the least of int32 keys: a depth is a positive float32, whose bits are
# ordered as the depths are, and the last seven of them make room for the number of the surface. And
# a choice is a number of 0 or 1 from ``_step``.
LAST = 127


def _key(depth: Tensor, surface: int) -> Tensor:
    return (depth.view(torch.int32) & ~LAST).add_(surface)


def _step(x: Tensor) -> Tensor:
    """1 where x > 0, else 0, in x's place."""
    return x.mul_(1e9).clamp_(0, 1)


def _scalars(values: Tensor) -> list[Tensor]:
    """The columns of (n, C) as (n, 1, 1) each, to go with pictures."""
    return list(values[..., None, None].unbind(1))


def _draw(scene: _Scene, style: str, pictures: Tensor) -> None:
    """Fills pictures (n, 3, S, S): what each pixel's ray meets first, and its colour there."""
    rays, size = scene.rays, pictures.shape[-1]
    steps = (torch.arange(size, device=rays.R.device) + 0.5) / size
    x = (rays.corner[:, :1] + rays.extent[:, :1] * steps)[:, None, :]
    y = (rays.corner[:, 1:] + rays.extent[:, 1:] * steps)[:, :, None]
    R = rays.R[..., None, None]
    ray = [(x * R[:, 0, k] + R[:, 2, k]) + y * R[:, 1, k] for k in range(3)]
    nearest = _solids(scene, ray)
    if style != "studio":
        nearest = _shapes(scene, x, y, nearest)
    depth, surface = (nearest & ~LAST).view(torch.float32), (nearest & LAST).float()
    _paint(scene, ray, 1 + x.square() + y.square(), depth, surface, style, pictures)


def _solids(scene: _Scene, ray: list[Tensor]) -> Tensor:
    """Keys (n, S, S) of the walls or boxes that rays meet first."""
    inverse = [(d + 1e-12).reciprocal_() for d in ray]
    width = [i.abs() for i in inverse]
    walls = []
    low = _scalars(scene.place.lo - scene.rays.origin)
    high = _scalars(scene.place.hi - scene.rays.origin)
    for k, surface in enumerate((WALL_X, WALL_Y, TOP)):
        walls.append(_key((inverse[k] * low[k]).maximum(inverse[k] * high[k]), surface))
    walls[2] += ray[2].view(torch.int32) >> 31  # FLOOR, which is TOP - 1, below
    nearest = walls[0].minimum(walls[1]).minimum(walls[2])
    for number in range(scene.place.boxes.shape[1]):
        away = _scalars(scene.place.boxes[:, number, :3] - scene.rays.origin)
        half = _scalars(scene.place.boxes[:, number, 3:])
        first = BOX + 3 * number
        enter, leave = [], []
        for k in range(3):
            middle, reach = inverse[k] * away[k], width[k] * half[k]
            enter.append(_key(middle - reach, first + k))
            leave.append(middle.add_(reach))
        key = enter[0].maximum(enter[1]).maximum(enter[2]).clamp_(min=1 << 23)
        end = leave[0].minimum(leave[1]).minimum(leave[2]).clamp_(min=0)
        missed = (end.view(torch.int32) - key) >> 31  # all bits where it leaves before it enters
        nearest = nearest.minimum(key | (missed & 0x7F800000))
    return nearest


def _shapes(scene: _Scene, x: Tensor, y: Tensor, nearest: Tensor) -> Tensor:
    """The same, where an ellipse that faces the camera is nearer."""
    for number in range(scene.shapes.shape[1]):
        at_x, at_y, half_x, half_y, away = _scalars(scene.shapes[:, number])
        across, down = ((x - at_x) / half_x).square(), ((y - at_y) / half_y).square() - 1
        outside = (across * 1e30 + down * 1e30).view(torch.int32)  # above all keys, or negative
        nearest = nearest.minimum(outside.maximum(_key(away, SHAPE + number)))
    return nearest


def _paint(scene, ray, square, depth, surface, style, pictures) -> None:
    """Fills pictures (n, 3, S, S) with the colours of surfaces (n, S, S), float numbers, met at a
    depth by rays whose squared length (n, S, S) is given.
    """
    point = [d * depth + o for o, d in zip(_scalars(scene.rays.origin), ray, strict=True)]
    along_x, level, hung = _look_up(scene, surface, slice(6, 9))
    u = point[0] + along_x * (point[1] - point[0])
    v = point[2] + level * (point[1] - point[2])
    low = _step(0.1 - v) * hung  # where a room has its skirting board
    if style != "studio":
        above = _above_skyline(scene, surface, u, v)
        surface = surface + above * (TOP - surface)
        hung = hung * (1 - above)
    surface = _hang(scene, surface, hung, u, v, along_x)
    at_x, at_y, half_x, half_y = _scalars(scene.place.patch)
    within = (half_x - (point[0] - at_x).abs_()).minimum(half_y - (point[1] - at_y).abs_())
    surface = surface + _step(within) * (1 - surface).clamp_(min=0) * PATCH  # of the FLOOR, 0
    if style != "studio":
        # The sky is painted where the clouds are, on the top of the box.
        height = (scene.place.hi[:, 2] - scene.rays.origin[:, 2])[:, None, None]
        away = height / ray[2].clamp(min=0.02)
        drift_x, drift_y = _scalars(scene.drift)
        u = u + above * (ray[0] * away + drift_x - u)
        v = v + above * (ray[1] * away + drift_y - v)
    red, green, blue, contrast, fine, texture = _look_up(scene, surface, slice(0, 6))
    texel = _texel(v, fine) * TEXELS + _texel(u, fine) + texture.long() * TEXELS**2
    value = atlas(u.device).view(-1).index_select(0, texel.view(-1)).view_as(u)
    # A texture finer than the pixels fades into its mean.
    pixel = scene.rays.extent.amax(1)[:, None, None] / depth.shape[-1]
    shade = 1 + contrast * value / (1 + (depth * fine * (pixel / 24)).square_())
    *lamp, fall = _scalars(scene.place.light)
    distance = sum((p - q).square_() for p, q in zip(point, lamp, strict=True))
    shade = shade * (1 + 8 * fall) / (1 + fall * distance)
    if style == "studio":
        shade = shade * (1 - 0.6 * low)
    torch.stack([red.mul_(shade), green.mul_(shade), blue.mul_(shade)], dim=1, out=pictures)
    if style != "studio":
        sky = 1 - (surface - TOP).abs_().clamp_(max=1)
        fog = depth / (depth + 120)
        pale = (1 - ray[2] * square.rsqrt()).clamp_(0, 1).square_()
        fog = (fog + sky * (pale - fog)) * scene.outdoors[:, None, None]
        pictures.lerp_(scene.place.haze[..., None, None], fog[:, None])
    pictures.clamp_(0, 1)


def _look_up(scene: _Scene, surface: Tensor, chosen: slice) -> list[Tensor]:
    """Some columns of the table, (n, S, S) each, at the surfaces."""
    first = torch.arange(len(surface), device=surface.device)[:, None, None] * SURFACES
    row = (surface.long() + first).view(-1)
    columns = scene.place.table[..., chosen].flatten(0, 1).T.contiguous()
    return [column.index_select(0, row).view_as(surface) for column in columns]


def _texel(u: Tensor, fine: Tensor) -> Tensor:
    return (u * fine).long() & (TEXELS - 1)


def _above_skyline(scene: _Scene, surface: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """1 where a wall would be above the skyline, else 0: there the sky is seen."""
    top, bumps, fine = _scalars(scene.place.skyline)
    row = atlas(u.device)[TEXTURES.index("cloudy"), 0]
    bump = row.index_select(0, _texel(u, fine).view(-1)).view_as(u)
    wall = 1 - (surface - (WALL_X + WALL_Y) / 2).abs_().sub_(0.5).clamp_(0, 1)
    return _step(v - (top + bumps * bump)) * wall


def _hang(scene: _Scene, surface, hung, u: Tensor, v: Tensor, along_x: Tensor) -> Tensor:
    """The surfaces with pictures, or windows, where they are ``hung`` (0 or 1)."""
    wide, high, fill_u, fill_v, low = _scalars(scene.place.hung)
    column, row = u / wide, (v - low) / high
    number, storey = (column + 0.5).floor_(), (row + 0.5).floor_()
    inside = (fill_u - (column - number).abs_()).minimum(fill_v - (row - storey).abs_())
    which = (number * 3 + storey + 5 * along_x).remainder_(PICTURES).add_(PICTURE)
    return surface + _step(inside) * hung * (which - surface)
