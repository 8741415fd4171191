"""What people look like: skin, hair, clothes with procedural textures, build, and the light.

An appearance is drawn from two numbers: one decides the clothes and the light, the other the
person. Textures live in the coordinates of the body part, along its bone and around it, so that
they move with it. Left and right limbs wear the same: no colour tells the sides apart.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from lib.data.solids import HAND_SOLIDS, SOLIDS
from lib.geometry import normalise

__all__ = ["STYLES", "Appearance", "albedo", "sample_appearance", "wardrobe"]

STYLES = ("studio", "wild", "hand")
MATERIALS = ("skin", "hair", "top", "top_second", "bottom", "bottom_second", "shoe", "logo")
_SKIN, _HAIR, _TOP, _BOTTOM, _SHOE, _LOGO = (
    MATERIALS.index(name) for name in ("skin", "hair", "top", "bottom", "shoe", "logo")
)
_BALD = 0.9  # of the width of hair
_EVERYWHERE = 10.0  # a cut further down than any limb goes

_SKINS = ((0.95, 0.80, 0.69), (0.83, 0.62, 0.47), (0.56, 0.37, 0.25), (0.31, 0.20, 0.14))
_HAIRS = (
    *((0.09, 0.07, 0.06), (0.17, 0.11, 0.07), (0.31, 0.19, 0.10)),
    *((0.55, 0.38, 0.19), (0.45, 0.20, 0.09), (0.50, 0.49, 0.48)),
)
# How much of a pattern is a wave along the bone, one around it, and the product of the two.
_PATTERNS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.5, 0.5, 0.0), (0.0, 0.0, 1.0))
_EYE, _IRIS, _MOUTH, _NAIL = (
    (0.97, 0.96, 0.94),
    (0.10, 0.08, 0.07),
    (0.62, 0.25, 0.24),
    (1.0, 0.85, 0.8),
)
_BROW = 0.45  # of the hair's brightness
_FACE, _HAIRY, _TIP = (
    1.0,
    2.0,
    3.0,
)  # solids that are painted on: a bald head, one with hair, a fingertip


@dataclass(frozen=True)
class Appearance:
    """How each of N figures looks, on one device.

    colours (N, 8, 3) in [0, 1], of ``MATERIALS``. pattern (N, 2, 4), of top and bottom: shares of
    a wave along the bone, of one around it and of their product, and the period in mm; no shares
    is plain. cut (N, 2): how far sleeves and trousers reach, 1 to the elbow or knee, 2 to the
    wrist or ankle. logo (N,): half the size in mm of what is on the chest, negative for a square,
    0 for none. build (N, 4): factors of the widths of trunk, limbs and hair, which is not there
    below 0.9, and how far it hangs down in mm. light (N, 3): unit vector towards the light, camera
    coordinates; ambient (N,): share of light from everywhere.
    """

    colours: Tensor
    pattern: Tensor
    cut: Tensor
    logo: Tensor
    build: Tensor
    light: Tensor
    ambient: Tensor

    def __len__(self) -> int:
        return len(self.colours)

    def __getitem__(self, index) -> Appearance:
        """The rows of a slice, a mask or an index tensor (N',)."""
        return Appearance(*(getattr(self, field.name)[index] for field in fields(self)))

    def to(self, device: str | torch.device) -> Appearance:
        """The same appearance on another device."""
        return Appearance(*(getattr(self, field.name).to(device) for field in fields(self)))

    @property
    def device(self) -> torch.device:
        return self.colours.device


def sample_appearance(
    seeds: Tensor,
    people: Tensor,
    style: str = "studio",
    device: str | torch.device | None = None,
) -> Appearance:
    """Appearances of N figures; the same numbers give the same appearance on any device.

    seeds (N,) int64 decide clothes and light, people (N,) int64 skin, hair and build. style
    "studio": mostly plain clothes in quiet colours; "wild": patterns, logos, strong colours and
    light; "hand": for hands. device: where to, by default that of the seeds. ValueError for another
    style or numbers of another shape or type.
    """
    if style not in STYLES:
        raise ValueError(f"style is one of {', '.join(STYLES)}, not {style!r}")
    for name, values in (("seeds", seeds), ("people", people)):
        if values.dtype != torch.int64 or values.ndim != 1 or len(values) != len(people):
            raise ValueError(
                f"{name}: one int64 a figure, not {tuple(values.shape)} of {values.dtype}"
            )
    device = seeds.device if device is None else device
    seeds, people = seeds.to(device), people.to(device)
    wild = style == "wild"
    clothes, person = _uniform(seeds, 40), _uniform(~people, 10)

    top = _colour(clothes[:, 0:3], (0.25, 1.0) if wild else (0.1, 0.75), (0.3, 1.0))
    bottom = _colour(
        clothes[:, 3:6], (0.15, 0.9) if wild else (0.1, 0.5), (0.12, 0.8 if wild else 0.55)
    )
    second = _colour(clothes[:, 6:9], (0.0, 0.9), (0.35, 1.0))
    logo = _colour(clothes[:, 9:12], (0.2, 1.0), (0.5, 1.0))
    shoe = _colour(clothes[:, 12:15], (0.0, 0.6), (0.1, 0.95))
    denim = torch.tensor((0.20, 0.28, 0.45)).to(device) * (0.6 + 0.8 * clothes[:, 16:17])
    bottom = torch.where(clothes[:, 15:16] < (0.2 if wild else 0.4), denim, bottom)
    skin = _between(_SKINS, person[:, 0]) * (0.94 + 0.12 * person[:, 1:2])
    hair = torch.tensor(_HAIRS).to(device)[(person[:, 2] * len(_HAIRS)).long()]
    colours = (skin, hair, top, second, bottom, _far(bottom, second), shoe, logo)

    patterns = torch.tensor(_PATTERNS).to(device)
    chosen = patterns[(clothes[:, 17:19] * len(_PATTERNS)).long()]
    likely = torch.tensor((0.75, 0.35) if wild else (0.25, 0.05)).to(device)
    chosen = chosen * (clothes[:, 19:21] < likely)[..., None]
    period = 70.0 + 110.0 * clothes[:, 21:23, None]
    has_logo = (clothes[:, 23] < (0.45 if wild else 0.2)) * (25.0 + 45.0 * clothes[:, 24])

    # Sleeves to the upper arm, the elbow or the wrist; trousers to the thigh, the knee, the ankle.
    sleeve = torch.tensor((0.45, 0.62, 1.45, 1.97, 1.97, 1.97)).to(device)
    trousers = torch.tensor((0.6, 0.95, 1.5, 1.97, 1.97, 1.97)).to(device)
    cut = (
        sleeve[(clothes[:, 25] * len(sleeve)).long()],
        trousers[(clothes[:, 26] * len(trousers)).long()],
    )
    bald = person[:, 6] < 0.08
    build = (
        0.92 + 0.2 * person[:, 3],
        0.92 + 0.18 * person[:, 4] + 0.08 * clothes[:, 27],
        torch.where(bald, 0.7, 0.98 + 0.12 * person[:, 5]),
        torch.where(bald | (person[:, 7] < 0.6), 0.0, 90.0 + 90.0 * person[:, 8]),
    )
    light = torch.stack(
        (
            1.8 * clothes[:, 28] - 0.9,
            -0.35 - 0.6 * clothes[:, 29],
            -0.25 - 0.6 * clothes[:, 30],
        ),
        dim=-1,
    )
    low = 0.3 if wild else 0.42
    return Appearance(
        colours=torch.stack(colours, dim=1).clamp(0, 1),
        pattern=torch.cat((chosen, period), dim=-1),
        cut=torch.stack(cut, dim=-1),
        logo=has_logo * torch.where(clothes[:, 31] < 0.5, 1.0, -1.0),
        build=torch.stack(build, dim=-1),
        light=normalise(light),
        ambient=low + 0.2 * clothes[:, 32],
    )


def wardrobe(appearance: Appearance, hand: bool = False) -> Tensor:
    """What each solid wears, (N, P, 8), P as in ``SOLIDS`` or ``HAND_SOLIDS``; for ``albedo``.

    Columns: material; how far along the bone it reaches, as a share; the pattern's three shares
    and 2 pi / period; half the logo's size; 1 for a bald head, 2 for one with hair, 3 for a
    fingertip.
    """
    names = [name for name, _ in (HAND_SOLIDS if hand else SOLIDS)]
    worn = [_worn(name) for name in names]
    device, count = appearance.device, len(appearance)
    material = torch.tensor([material for material, _ in worn]).to(device)
    shift = torch.tensor([float(shift) for _, shift in worn]).to(device)
    whole = torch.full_like(appearance.cut[:, :1], _EVERYWHERE)
    cut = torch.cat((whole, whole, appearance.cut[:, :1], appearance.cut[:, 1:], whole), dim=1)
    which = torch.zeros(len(MATERIALS), dtype=torch.long)
    which[_TOP], which[_BOTTOM], which[_SHOE] = 2, 3, 4
    reach = cut[:, which.to(device)[material]] - shift
    nothing = torch.zeros_like(appearance.pattern[:, :1])
    pattern = torch.cat((nothing, appearance.pattern), dim=1)
    pattern = pattern[:, (material == _TOP).long() + 2 * (material == _BOTTOM).long()]
    shares, period = pattern[..., :3], pattern[..., 3:].clamp(min=1.0)
    chest = torch.tensor([float(name == "chest") for name in names]).to(device)
    head = torch.tensor([float(name == "head") for name in names]).to(device)
    kind = torch.where(appearance.build[:, 2] < _BALD, _FACE, _HAIRY)
    tip = torch.tensor(
        [_TIP * (name.endswith("_3") and "knuckles" not in name) for name in names]
    ).to(device)
    columns = (
        material.to(reach).expand(count, -1)[..., None],
        reach[..., None],
        shares,
        2 * torch.pi / period,
        (appearance.logo[:, None] * chest)[..., None],
        (head * kind[:, None] + tip)[..., None],
    )
    return torch.cat(columns, dim=-1)


def albedo(worn: Tensor, colours: Tensor, figure: Tensor, share: Tensor, point: Tensor) -> Tensor:
    """Colour (3, M), before light, of M points on solids.

    worn (8, M): rows of ``wardrobe``; colours (N, 8, 3) and figure (M,) whose they are; share
    (M,): along the bone; point (5, M): local x, y, z in mm, and x and y in shares of the half width
    and height of an ellipsoid.
    """
    material, reach, along, around, product, wave, logo, kind = worn
    x, y, z, wide, high = point
    palette = colours.reshape(-1, 3).T.contiguous()
    first = (material * (share < reach)).long()  # beyond the hem there is skin, material 0
    base = figure * colours.shape[1]
    colour = palette.index_select(1, base + first)
    # Symmetric in x, so that a left limb and the mirrored right one are alike.
    turn = torch.atan2(x.abs(), z) * (x * x + z * z).sqrt()
    stripes, bars = _wave(y * wave), _wave(turn * wave)
    mix = along * stripes + around * bars + product * stripes * bars
    mix = mix * (first == material)
    second = palette.index_select(1, base + (first + 1).clamp(max=len(MATERIALS) - 1))
    colour = torch.lerp(colour, second, mix)
    down = y - 15.0  # the logo's middle is that far below the chest's first sphere
    inside = torch.where(
        logo > 0, x * x + down * down < logo * logo, x.abs().maximum(down.abs()) < -logo
    )
    colour = torch.lerp(
        colour, palette.index_select(1, base + _LOGO), (inside & (z > 0)).to(colour)
    )
    nail = (kind == _TIP) & (z > 0) & (wide.abs() < 0.65) & (share > 0.35)
    colour = torch.lerp(colour, colour.new_tensor(_NAIL)[:, None], 0.5 * nail)
    return _face(
        colour, palette.index_select(1, base + _HAIR), wide, high, (kind < _TIP) & (z > 0), kind
    )


def _face(
    colour: Tensor, hair: Tensor, wide: Tensor, high: Tensor, front: Tensor, kind: Tensor
) -> Tensor:
    """Eyes, brows, a mouth and the hairline on the front of a head."""
    side = wide.abs()
    across, up = side - 0.40, high - 0.04
    front = front & (kind > 0)
    eye = ((across / 0.21) ** 2 + (up / 0.08) ** 2 < 1) & front
    iris = ((across / 0.10) ** 2 + (up / 0.08) ** 2 < 1) & front
    brow = ((across / 0.25) ** 2 + ((up - 0.17) / 0.035) ** 2 < 1) & front
    mouth = ((wide / 0.30) ** 2 + ((high + 0.5) / 0.05) ** 2 < 1) & front
    for where, what in ((eye, _EYE), (iris, _IRIS), (mouth, _MOUTH)):
        colour = torch.lerp(colour, colour.new_tensor(what)[:, None], where.to(colour))
    colour = torch.lerp(colour, _BROW * hair, brow.to(colour))
    scalp = (high + 0.35 * side > 0.66) & (kind == _HAIRY)
    return torch.lerp(colour, hair, scalp.to(colour))


def _worn(name: str) -> tuple[int, float]:
    """Material of a solid, and what of the way along the limb lies before it."""
    name = name.removeprefix("left_").removeprefix("right_")
    if name == "forearm":  # of a hand, from the elbow's side to the wrist
        return _TOP, 1.3
    if name in ("upper_arm", "lower_arm"):
        return _TOP, float(name == "lower_arm")
    if name in ("upper_leg", "lower_leg"):
        return _BOTTOM, float(name == "lower_leg")
    if name in ("shoulder", "chest", "abdomen"):
        return _TOP, -_EVERYWHERE
    worn = {"pelvis": _BOTTOM, "foot": _SHOE, "hair": _HAIR}
    return worn.get(name, _SKIN), -_EVERYWHERE


def _wave(phase: Tensor) -> Tensor:
    """0 and 1 in turn, with soft edges."""
    return (0.5 + 3.0 * torch.sin(phase)).clamp(0, 1)


def _uniform(seeds: Tensor, count: int) -> Tensor:
    """(N, count) numbers in [0, 1) of seeds (N,), by the finaliser of splitmix64 (Steele 2014)."""
    step = torch.arange(1, count + 1, device=seeds.device)
    value = (seeds[:, None] * 0x632BE59BD9B4E019 + step) * -0x61C8864680B583EB
    for shift, factor in ((30, -0x40A7B892E31B1A47), (27, -0x6B2FB644ECCEEE15), (31, 1)):
        value = (value ^ ((value >> shift) & ((1 << (64 - shift)) - 1))) * factor
    return ((value >> 40) & 0xFFFFFF).float() / 0x1000000


def _colour(chance: Tensor, saturation: tuple[float, float], value: tuple[float, float]) -> Tensor:
    """Colours (N, 3) of any hue, from three numbers in [0, 1)."""
    hue, s, v = chance.unbind(-1)
    s = (saturation[0] + (saturation[1] - saturation[0]) * s)[:, None]
    v = (value[0] + (value[1] - value[0]) * v)[:, None]
    ramp = (6.0 * hue[:, None] + torch.tensor((0.0, 4.0, 2.0)).to(hue)).remainder(6.0)
    return v * (1 - s + s * ((ramp - 3.0).abs() - 1.0).clamp(0, 1))


def _between(stops: tuple[tuple[float, float, float], ...], place: Tensor) -> Tensor:
    """Colours (N, 3) on the path through the stops, at places in [0, 1)."""
    table = torch.tensor(stops).to(place.device)
    place = place * (len(stops) - 1)
    first = place.long()
    return torch.lerp(table[first], table[first + 1], (place - first)[:, None])


def _far(colour: Tensor, other: Tensor) -> Tensor:
    """A colour between two that still differs from the first."""
    return 0.35 * colour + 0.65 * other
