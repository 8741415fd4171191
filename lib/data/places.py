"""What stands in a room and what stands outdoors, for ``lib.data.scenes`` to draw.

Lengths are metres. The middle of a place is its origin, the floor z = 0, and the camera stands at
about y = -5 and looks along y. Everything is drawn from ranges by a hash of the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import lcm

import torch
from torch import Tensor
from torch.nn import functional as F

from lib.data.textures import TEXTURES, uniform

__all__ = [
    "BOX",
    "FLOOR",
    "PATCH",
    "PICTURE",
    "PICTURES",
    "SHAPE",
    "SURFACES",
    "TOP",
    "WALL_X",
    "WALL_Y",
    "Place",
    "Rows",
    "between",
    "outdoors",
    "room",
]

# Surfaces: rows of a place's table. WALL_X faces along x; TOP is the ceiling or the sky; PATCH a
# carpet or a path; a box has three rows, for its faces along x, y and z.
FLOOR, TOP, WALL_X, WALL_Y, BOX = range(5)
BOXES, SHAPES, PICTURES = 4, 12, 8
SHAPE = BOX + 3 * BOXES
PICTURE = SHAPE + SHAPES
PATCH = PICTURE + PICTURES
SURFACES = PATCH + 1
# How bright a surface along x, y and z is.
LIT = (0.85, 0.95, 1.05)
PEOPLE = 6  # the shapes before it are three trees, those from it on two people


class Rows:
    """Base of dataclasses whose fields, tensors or the like, share their first dimension."""

    def __getitem__(self, index):
        return type(self)(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True)
class Place(Rows):
    """Places (N, ...) as tensors.

    lo, hi (N, 3): corners of the room; outdoors its walls are the skyline. table (N, SURFACES, 9):
    red, green, blue, contrast of the texture, its texels a metre, its number, and whether (0 or 1)
    the surface faces along x, lies level, has pictures or windows. boxes (N, BOXES, 6): centre and
    half size. shapes (N, SHAPES, 7), flat and upright, facing the camera: centre, half width, half
    height, speed (m/s, along x) and sway (m). patch (N, 4): centre and half size of a carpet or a
    path. hung (N, 5): spacing of pictures or windows along and up a wall, half the parts of these
    that they fill, the height of the lowest. skyline (N, 3): height, height of its bumps, texels a
    metre; no wall is above it. haze (N, 3): colour of the distance. light (N, 4): where a lamp
    hangs, and how fast its light falls off.
    """

    lo: Tensor
    hi: Tensor
    table: Tensor
    boxes: Tensor
    shapes: Tensor
    patch: Tensor
    hung: Tensor
    skyline: Tensor
    haze: Tensor
    light: Tensor

    def where(self, chosen: Tensor, other: Place) -> Place:
        """These places where ``chosen`` (N,), the others elsewhere."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return Place(*(torch.where(chosen.view(-1, *[1] * (a.ndim - 1)), a, b) for a, b in pairs))


@dataclass(frozen=True)
class _Look:
    """Ranges of hue, saturation, value and contrast, of texels a metre, and which textures."""

    hue: tuple[float, float]
    saturation: tuple[float, float]
    value: tuple[float, float]
    contrast: tuple[float, float] = (0.0, 0.15)
    fine: tuple[float, float] = (50, 100)
    textures: str = "plain cloudy grain"


ANY, WARM, GREEN, SKIN = (0.0, 1.0), (0.03, 0.13), (0.2, 0.34), (0.05, 0.09)
PAINT = _Look(ANY, (0.02, 0.25), (0.6, 0.92), (0.02, 0.12), textures="plain cloudy cloudy grain")
PAPER = _Look(ANY, (0.05, 0.35), (0.5, 0.9), (0.05, 0.2), textures="bricks stripes checks cloudy")
WOOD = _Look(WARM, (0.2, 0.65), (0.25, 0.8), (0.05, 0.25), textures="planks planks plain cloudy")
CLOTH = _Look(ANY, (0.1, 0.6), (0.2, 0.75), textures="plain grain cloudy")
POSTER = _Look(ANY, (0.1, 0.8), (0.25, 0.9), (0.1, 0.5), (100, 250), "cloudy cloudy stripes checks")
PERSON = (
    _Look(ANY, (0.1, 0.5), (0.1, 0.5)),
    _Look(ANY, (0.1, 0.8), (0.2, 0.9)),
    _Look(SKIN, (0.3, 0.55), (0.35, 0.85)),
)
ROOM = [
    _Look(WARM, (0.1, 0.5), (0.35, 0.75), (0.1, 0.3), textures="planks planks grain checks cloudy"),
    _Look(ANY, (0.0, 0.05), (0.85, 0.97), (0.0, 0.03)),
    PAINT,
    PAPER,
    *(CLOTH, CLOTH, WOOD, CLOTH),  # a chair's seat and back, a cabinet, a crate
    *[PAINT] * PEOPLE,  # no trees
    *PERSON * 2,
    *[POSTER] * PICTURES,
    _Look(ANY, (0.1, 0.6), (0.3, 0.65), (0.1, 0.35), textures="plain grain cloudy stripes checks"),
]

PAVING = _Look((0.07, 0.14), (0.03, 0.3), (0.4, 0.7), (0.1, 0.25), (40, 120), "grain bricks cloudy")
HOUSE = _Look(ANY, (0.03, 0.3), (0.45, 0.9), (0.05, 0.2), (30, 60), "bricks plain planks")
CROWN = _Look(GREEN, (0.3, 0.65), (0.25, 0.5), (0.2, 0.45), (60, 150), "leaves leaves cloudy")
OUTDOORS = [
    _Look(GREEN, (0.3, 0.6), (0.3, 0.55), (0.2, 0.4), (60, 120), "grain grain cloudy"),
    _Look((0.55, 0.63), (0.25, 0.65), (0.75, 0.97), (0.05, 0.3), (2, 5), "cloudy"),
    _Look(GREEN, (0.3, 0.6), (0.2, 0.4), (0.2, 0.5), (40, 90), "leaves cloudy"),
    HOUSE,
    *(HOUSE, HOUSE, _Look(ANY, (0.05, 0.8), (0.2, 0.9)), _Look(ANY, (0.0, 0.2), (0.15, 0.4))),
    *[_Look(WARM, (0.3, 0.5), (0.2, 0.4), (0.1, 0.3)), CROWN] * (PEOPLE // 2),
    *PERSON * 2,
    *[_Look((0.5, 0.65), (0.05, 0.35), (0.15, 0.5))] * PICTURES,  # windows
    PAVING,
    PAVING,  # to choose from for the floor
]


def room(seeds: Tensor) -> Place:
    """Rooms: floor with a carpet, painted or papered walls with pictures, a chair, a cabinet, a
    crate, and two people who walk by, for scenes that move.
    """
    table = _table(seeds, ROOM, 10)
    pick = uniform(seeds, 1 + PICTURES, 11)[..., None]
    # Mostly the same paint on all walls, and not a picture in every place.
    table[:, WALL_Y, :6] = torch.where(pick[:, 0] < 0.6, table[:, WALL_X, :6], table[:, WALL_Y, :6])
    table[:, PICTURE:PATCH] = torch.where(
        pick[:, 1:] < 0.4, table[:, [WALL_Y]], table[:, PICTURE:PATCH]
    )
    table[:, BOX + 3 : BOX + 6] = table[:, BOX : BOX + 3]  # the chair is of one piece
    half, far, height, x, y = _ranges(
        seeds, 12, (2.8, 4.5), (2.6, 4.5), (2.5, 3.4), (-1.8, 1.8), (0.9, 2.0)
    )
    side, width, deep, tall, side_2, y_2, cube = _ranges(
        seeds, 13, (-2, 2), (0.3, 0.9), (0.2, 0.4), (0.35, 1.0), (-2, 2), (0.8, 2.2), (0.15, 0.4)
    )
    boxes = (
        _columns(x, y, 0.23, 0.23, 0.23, 0.23),
        _columns(x, y + 0.2, 0.68, 0.23, 0.04, 0.24),
        _columns(side, far - deep, tall, width, deep, tall),
        _columns(side_2, y_2, cube, cube, cube, cube),
    )
    return Place(
        lo=_columns(-half, -6.0, 0.0),
        hi=_columns(half, far, height),
        table=table,
        boxes=torch.stack(boxes, dim=1),
        shapes=F.pad(_people(seeds, (0.8, 2.2)), (0, 0, PEOPLE, 0)),
        patch=_columns(*_ranges(seeds, 14, (-0.8, 0.8), (-0.8, 0.8), (0.6, 1.8), (0.6, 1.8))),
        hung=_columns(
            *_ranges(seeds, 15, (1.2, 2.4), (3.5, 3.5), (0.2, 0.4), (0.08, 0.16), (1.5, 1.8))
        ),
        skyline=_columns(0 * half + 1e6, 0.0, 1.0),
        haze=half.new_ones(len(seeds), 3),
        light=_columns(*_ranges(seeds, 16, (-2, 2), (-2, 1)), height - 0.2, 0.04),
    )


def outdoors(seeds: Tensor) -> Place:
    """Places outdoors: grass or paving and a path, a wood or houses far away, two houses, a car,
    three trees, two people who walk by.
    """
    table = _table(seeds, OUTDOORS, 20)
    paved, built = (uniform(seeds, 2, 21) < 0.4)[..., None].unbind(1)
    table[:, FLOOR] = torch.where(paved, table[:, -1], table[:, FLOOR])
    table = table[:, :SURFACES]
    wall = torch.where(built, table[:, WALL_Y], table[:, WALL_X])
    table[:, WALL_X, :6] = table[:, WALL_Y, :6] = wall[:, :6]
    table[:, WALL_X : WALL_Y + 1, -1:] = built[:, None].to(table)  # a wood has no windows
    table[:, [BOX, BOX + 1, BOX + 3, BOX + 4], -1] = 1.0
    x, y, x_2, y_2, width, width_2, tall, tall_2 = _ranges(
        seeds, 22, (-9, -3), (7, 14), (3, 9), (7, 14), (1.5, 3), (1.5, 3), (1.4, 3.5), (1.4, 3.5)
    )
    car_x, car_y, half, far = _ranges(seeds, 23, (-4, 4), (4, 7), (15, 30), (16, 40))
    boxes = (
        _columns(x, y, tall, width, width, tall),
        _columns(x_2, y_2, tall_2, width_2, width_2, tall_2),
        _columns(car_x, car_y, 0.55, 1.9, 0.8, 0.35),
        _columns(car_x, car_y, 1.15, 1.0, 0.7, 0.28),
    )
    shapes = []
    for tree in range(PEOPLE // 2):
        at, away, trunk, crown, wide = _ranges(
            seeds, 24 + tree, (-6, 6), (3.5, 12), (0.6, 1.3), (0.8, 2.0), (0.8, 2.0)
        )
        shapes += [
            _columns(at, away + 0.02, trunk, 0.12, trunk, 0.0, 0.0),
            _columns(at, away, 2 * trunk + 0.8 * crown, wide, crown, 0.0, 0.06),
        ]
    path, path_half, pale = _ranges(seeds, 31, (-3, 3), (0.5, 1.5), (0.8, 0.95))
    return Place(
        lo=_columns(-half, -30.0, 0.0),
        hi=_columns(half, far, 60.0),
        table=table,
        boxes=torch.stack(boxes, dim=1),
        shapes=torch.cat([torch.stack(shapes, dim=1), _people(seeds, (2.5, 7.0))], dim=1),
        patch=_columns(path, 0.0, path_half, 40.0),
        hung=_columns(
            *_ranges(seeds, 32, (1.5, 3), (2.6, 3.2), (0.2, 0.3), (0.2, 0.3), (1.3, 1.6))
        ),
        skyline=_columns(*_ranges(seeds, 30, (2.5, 6), (0.5, 3), (4, 10))),
        haze=_columns(pale - 0.05, pale - 0.02, pale),
        light=half.new_zeros(len(seeds), 4),
    )


def _people(seeds: Tensor, away: tuple[float, float]) -> Tensor:
    """Shapes (N, SHAPES - PEOPLE, 7) of people who walk by at a distance: legs, trunk and head."""
    shapes = []
    for person in range(2):
        x, y, tall, speed = _ranges(seeds, 28 + person, (-4, 4), away, (1.5, 1.85), (-1.3, 1.3))
        for height, half_x, half_y in ((0.27, 0.075, 0.3), (0.66, 0.13, 0.21), (0.92, 0.055, 0.08)):
            near = y + 0.02 * (1 - height)  # the head before the trunk, the trunk before the legs
            shapes.append(
                _columns(x, near, height * tall, half_x * tall, half_y * tall, speed, 0.0)
            )
    return torch.stack(shapes, dim=1)


def between(u: Tensor, low: float, high: float) -> Tensor:
    """Numbers in [0, 1) taken to [low, high)."""
    return low + u * (high - low)


def _ranges(seeds: Tensor, salt: int, *pairs: tuple[float, float]) -> list[Tensor]:
    columns = uniform(seeds, len(pairs), salt).unbind(-1)
    return [between(u, *pair) for u, pair in zip(columns, pairs, strict=True)]


def _columns(*values: Tensor | float) -> Tensor:
    """(N, len(values)) from columns (N,), the first of them a tensor, and numbers."""
    return torch.stack([torch.zeros_like(values[0]) + value for value in values], dim=-1)


def _table(seeds: Tensor, looks: Sequence[_Look], salt: int) -> Tensor:
    """The table (N, SURFACES, 9) of a place, and a row for each look that is left over."""
    pairs = [(k.hue, k.saturation, k.value, k.contrast, k.fine) for k in looks]
    low, high = torch.tensor(pairs, device=seeds.device).unbind(-1)
    u = uniform(seeds, 6 * len(looks), salt).unflatten(-1, (len(looks), 6))
    hue, saturation, value, contrast, fine = (low + u[..., :5] * (high - low)).unbind(-1)
    sectors = (hue[..., None] * 6 + hue.new_tensor([5.0, 3.0, 1.0])) % 6  # HSV to RGB
    ramp = sectors.minimum(4 - sectors).clamp(0, 1)
    colour = value[..., None] * (1 - saturation[..., None] * ramp)
    names = [look.textures.split() for look in looks]
    # All lists as long as the least common multiple of their lengths.
    long = lcm(*map(len, names))
    numbers = [[TEXTURES.index(name) for name in row * (long // len(row))] for row in names]
    numbers = torch.tensor(numbers, device=seeds.device).expand(len(seeds), -1, -1)
    texture = numbers.gather(2, (u[..., 5:] * long).long()).to(colour)
    table = torch.cat([colour, contrast[..., None], fine[..., None], texture], dim=-1)
    # A box becomes three rows; each face has its light.
    faces = [range(BOX), *([row] * 3 for row in range(BOX, BOX + BOXES))]
    rows = [row for face in faces for row in face] + list(range(BOX + BOXES, len(looks)))
    axes = [2, 2, 0, 1] + [0, 1, 2] * BOXES + [1] * (len(rows) - SHAPE)
    axes[PATCH:] = [2] * len(axes[PATCH:])
    lit = torch.tensor([LIT[axis] for axis in axes], device=seeds.device)
    table = table[:, rows]
    table[..., :3] *= lit[:, None]
    flags = [(axis == 0, axis == 2, row in (WALL_X, WALL_Y)) for row, axis in enumerate(axes)]
    flags = torch.tensor(flags, device=seeds.device).to(colour)
    return torch.cat([table, flags.expand(len(seeds), -1, -1)], dim=-1)
