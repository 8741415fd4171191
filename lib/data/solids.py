"""The solid body around the joints: rounded cones and ellipsoids of a person and of a hand.

Every solid is one shape, a rounded cone (the hull of two spheres) in coordinates of its own: the
axis is local y, from the first sphere's centre at the origin to the second's at (0, height, 0);
local x points to the person's left, local z to the front. The three local units are of different
lengths in mm, so that a chest is wider than deep. An ellipsoid is a rounded cone of hardly any
height.

What the joints do not say is inferred:

- A hand goes on from the forearm; when the arm hangs, its palm faces the thigh.
- A foot points where the leg bends: along the part of the thigh that is square to the shin, mixed
  with the pelvis's front, which decides when the leg is straight.
- A head faces the chest's front, turned towards the nose joint where that is off the line from the
  thorax to the head. Its crown is above the head joint, as that of Human3.6M is inside the skull.

Sizes are those of an adult whose legs measure 890 mm, scaled with the legs (a hand's with the
middle metacarpal, 95 mm) and times the girths of the appearance.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import torch
from torch import Tensor

from lib.geometry import normalise
from lib.skeleton import HAND_21, HUMAN36M_17

__all__ = ["HAND_PARTS", "HAND_SOLIDS", "PARTS", "SOLIDS", "Solids", "body_solids", "hand_solids"]

PARTS = (
    *("background", "head", "torso"),
    *(
        "left_upper_arm",
        "left_lower_arm",
        "left_hand",
        "left_upper_leg",
        "left_lower_leg",
        "left_foot",
    ),
    *("right_upper_arm", "right_lower_arm", "right_hand"),
    *("right_upper_leg", "right_lower_leg", "right_foot"),
)
HAND_PARTS = ("background", "palm", "thumb", "index", "middle", "ring", "little")

_LIMBS = tuple(
    (f"{side}_{name}", f"{side}_{part}")
    for side in ("left", "right")
    for name, part in (
        *(
            ("upper_arm", "upper_arm"),
            ("lower_arm", "lower_arm"),
            ("hand", "hand"),
            ("thumb", "hand"),
        ),
        *(("upper_leg", "upper_leg"), ("lower_leg", "lower_leg"), ("foot", "foot")),
    )
)
# (name, part) of each solid of a body, in the order of the solids' axis.
SOLIDS = (
    *(("head", "head"), ("hair", "head"), ("nose", "head"), ("neck", "head")),
    *(("left_shoulder", "torso"), ("right_shoulder", "torso")),
    *(("chest", "torso"), ("abdomen", "torso"), ("pelvis", "torso")),
    *_LIMBS,
)
_FINGERS = ("thumb", "index", "middle", "ring", "little")
_FINGER_BONES = tuple((finger, bone) for finger in _FINGERS for bone in (1, 2, 3))
HAND_SOLIDS = (
    *(("forearm", "palm"), ("palm", "palm")),
    *((f"{finger}_metacarpal", "palm") for finger in _FINGERS),
    *((f"knuckles_{number}", "palm") for number in (1, 2, 3)),
    *((f"{finger}_{bone}", finger) for finger, bone in _FINGER_BONES),
)
_LEG, _METACARPAL = 890.0, 95.0  # mm, of the person and the hand whose sizes stand below
_STEEPEST = 0.97  # of the height: the most that two radii may differ, or one sphere hides the other


@dataclass(frozen=True)
class Solids:
    """P rounded cones of each of N figures, camera coordinates, mm.

    start (N, P, 3): centre of the first sphere. axes (N, P, 3, 3): rows are the unit vectors of
    local x, y, z. unit (N, P, 3): length in mm of one local unit along each. height (N, P): of the
    axis; radius (N, P, 2): of the spheres, both in local units.
    """

    start: Tensor
    axes: Tensor
    unit: Tensor
    height: Tensor
    radius: Tensor

    def __len__(self) -> int:
        return len(self.start)

    def __getitem__(self, index) -> Solids:
        """The solids of some of the figures."""
        return Solids(*(getattr(self, field.name)[index] for field in fields(self)))


def body_solids(joints: Tensor, build: Tensor) -> Solids:
    """The solids, in the order of ``SOLIDS``, around joints (N, 17, 3) of Human3.6M, camera mm.

    build (N, 4): factors of the widths of trunk, limbs and hair, and how far the hair hangs down in
    mm. A bone of no length leaves out what hangs on its direction.
    """
    joint = dict(zip(HUMAN36M_17.joints, joints.unbind(1), strict=True))
    pelvis, spine = joint["pelvis"], joint["spine"]
    neck = (joint["left_shoulder"] + joint["right_shoulder"]) / 2
    leg = [
        _length(joint[f"{side}_{end}"] - joint[f"{side}_{start}"])
        for side in ("left", "right")
        for start, end in (("hip", "knee"), ("knee", "ankle"))
    ]
    size = torch.stack(leg).sum(0) / (2 * _LEG)
    mm = size[:, None]  # (N, 1): one millimetre of the adult of the tables
    trunk, limb, hair, hanging = (build * mm).unbind(1)

    up = normalise(neck - spine)
    left = normalise(joint["left_shoulder"] - joint["right_shoulder"])
    front = normalise(torch.linalg.cross(left, up))
    hips_left = joint["left_hip"] - joint["right_hip"]
    hips_up = normalise(spine - pelvis)
    hips_front = normalise(torch.linalg.cross(normalise(hips_left), hips_up))
    hip_width = _length(hips_left) / 2

    body = _Builder()
    # Head: its axis from the base of the neck, its front from the chest and the nose.
    head_up = normalise(joint["head"] - joint["thorax"])
    off = _square(joint["nose"] - joint["thorax"], head_up)
    off = off - _dot(off, front).clamp(max=0) * front  # a nose behind the line says nothing
    facing = normalise(_square(60.0 * mm * front + off, head_up))
    middle = joint["head"] - 73.0 * mm * head_up
    body.ellipsoid(middle, head_up, facing, 76.0 * size, (1.0, 1.5, 1.22))
    scalp = middle + mm * (18.0 * head_up - 16.0 * facing)
    body.cone(
        scalp,
        scalp - hanging[:, None] * (head_up + 0.45 * facing) - mm * head_up,
        facing,
        hair,
        (82.0, 66.0),
        (1.0, 1.26, 1.1),
    )
    body.ellipsoid(
        middle + mm * (88.0 * facing - 12.0 * head_up),
        head_up,
        facing,
        13.0 * size,
        (1.0, 1.7, 1.4),
    )
    chin = middle - mm * (30.0 * head_up + 12.0 * facing)
    body.cone(neck - 15.0 * mm * up, chin, facing, trunk, (52.0, 50.0))

    # Trunk: shoulders that slope from the neck, ribs, waist and pelvis.
    for side in ("left", "right"):
        shoulder = joint[f"{side}_shoulder"]
        inner = neck + 0.15 * (shoulder - neck) - 24.0 * mm * up
        body.cone(inner, shoulder, front, trunk, (84.0, 53.0))
    ribs, waist = neck - 200.0 * mm * up, pelvis + 70.0 * mm * hips_up
    body.cone(neck - 96.0 * mm * up, ribs, front, trunk, (146.0, 136.0), (1.0, 0.6, 0.67))
    thigh = build[:, 1] * (188.0 * size - hip_width).clamp(min=72.0 * size, max=86.0 * size)
    belly = (133.0 * size, 0.5 * (hip_width + thigh) + 55.0 * size)
    middle_front = front + hips_front
    body.cone(ribs + 15.0 * mm * up, waist, middle_front, build[:, 0], belly, (1.0, 0.5, 0.68))
    body.ellipsoid(
        pelvis + 20.0 * mm * hips_up,
        hips_up,
        hips_front,
        (hip_width + 0.6 * thigh) * build[:, 0],
        (1.0, 0.62, 0.6),
    )

    # Limbs.
    for side in ("left", "right"):
        shoulder, elbow, wrist, hip, knee, ankle = (
            joint[f"{side}_{name}"]
            for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        )
        upper = _carry(front, -up, elbow - shoulder)
        lower = _carry(front, -up, wrist - elbow)
        along = normalise(wrist - elbow)
        body.cone(shoulder, elbow, upper, limb, (52.0, 41.0))
        body.cone(elbow, wrist, lower, limb, (42.0, 29.0))
        body.cone(
            wrist + 30.0 * mm * along,
            wrist + 132.0 * mm * along,
            lower,
            size,
            (38.0, 32.0),
            (0.5, 1, 1),
        )
        body.cone(
            wrist + mm * (30.0 * along + 16.0 * lower),
            wrist + mm * (75.0 * along + 46.0 * lower),
            along,
            size,
            (15.0, 11.0),
        )
        thigh_front = _carry(hips_front, -hips_up, knee - hip)
        shin_front = _carry(hips_front, -hips_up, ankle - knee)
        body.cone(hip, knee, thigh_front, torch.ones_like(size), (thigh, 56.0 * limb))
        body.cone(knee, ankle, shin_front, limb, (56.0, 38.0))
        down = normalise(ankle - knee)
        toes = normalise(_square(normalise(knee - hip) + 0.35 * hips_front, down))
        toes = normalise(toes + 0.08 * down)
        sole = normalise(_square(down, toes))
        body.cone(
            ankle + mm * (36.0 * sole - 28.0 * toes),
            ankle + mm * (46.0 * sole + 138.0 * toes),
            -sole,
            size,
            (44.0, 38.0),
            (1.0, 1.0, 0.86),
        )
    return body.solids()


def hand_solids(joints: Tensor, build: Tensor) -> Solids:
    """The solids, in the order of ``HAND_SOLIDS``, around joints (N, 21, 3) of a hand, camera mm.

    build (N, 4): the second is the factor of the widths of fingers and palm.
    """
    joint = dict(zip(HAND_21.joints, joints.unbind(1), strict=True))
    wrist, middle = joint["wrist"], joint["middle_1"]
    size = _length(middle - wrist) / _METACARPAL
    mm, thick = size[:, None], size * build[:, 1]
    along = normalise(middle - wrist)
    back = normalise(torch.linalg.cross(along, joint["index_1"] - joint["little_1"]))
    body = _Builder()
    body.cone(
        wrist - 100.0 * mm * along,
        wrist - 4.0 * mm * along,
        back,
        thick,
        (36.0, 27.0),
        (1, 1, 0.75),
    )
    knuckles = (joint["index_1"] + joint["little_1"]) / 2
    width = _length(joint["index_1"] - joint["little_1"]) / 2
    body.cone(
        wrist + 0.2 * (knuckles - wrist),
        wrist + 0.88 * (knuckles - wrist),
        back,
        torch.ones_like(size),
        (0.5 * width + 12.0 * thick, width + 6.0 * thick),
        (1.0, 0.35, 0.42),
    )
    roots = {"thumb": (20.0, 14.0), "index": (16.0, 12.0), "middle": (16.0, 12.0)}
    roots |= {"ring": (16.0, 11.5), "little": (16.0, 11.0)}
    for finger, radii in roots.items():
        body.cone(wrist, joint[f"{finger}_1"], back, thick, radii)
    for first, second in pairwise(_FINGERS[1:]):
        body.cone(joint[f"{first}_1"], joint[f"{second}_1"], along, thick, (11.0, 11.0))
    aside = normalise(joint["index_1"] - joint["little_1"])
    for finger, bone in _FINGER_BONES:
        first, second = joint[f"{finger}_{bone}"], joint[f"{finger}_{bone + 1}"]
        if bone == 1:  # the nail's side goes along from bone to bone; a thumb's is turned
            before, nail = along, normalise(back + aside) if finger == "thumb" else back
        nail = _carry(nail, before, second - first)
        before = normalise(second - first)
        wide = {"thumb": 12.0, "middle": 10.5, "little": 8.8}.get(finger, 10.0)
        radii = (wide - 0.9 * (bone - 1), wide - 0.9 * bone)
        body.cone(first, second, nail, thick, radii)
    return body.solids()


class _Builder:
    """Collects solids one by one; their frames are then computed in one go."""

    def __init__(self):
        self.start, self.axis, self.front, self.unit, self.radius = [], [], [], [], []

    def cone(self, start, end, front, factor, radii, unit=(1.0, 1.0, 1.0)):
        """Between two points; radii along local x, in mm times the factor (N,)."""
        self.start.append(start)
        self.axis.append(end - start)
        self.front.append(front)
        self.unit.append(unit)
        self.radius.append(torch.stack([radius * factor for radius in radii], dim=-1))

    def ellipsoid(self, centre, up, front, width, unit):
        """Around a centre; half axes of width (N,) mm times the unit along local x, y, z."""
        self.cone(centre, centre + up, front, width, (1.0, 1.0), unit)

    def solids(self) -> Solids:
        start, axis, front, radius = (
            torch.stack(values, dim=1)
            for values in (self.start, self.axis, self.front, self.radius)
        )
        unit = start.new_tensor(self.unit).expand_as(start)
        y = normalise(axis)
        z = normalise(_square(front, y))
        x = torch.linalg.cross(y, z)
        height = _length(axis) / unit[..., 1]
        most = _STEEPEST * height
        taper = (radius[..., 0] - radius[..., 1]).maximum(-most).minimum(most)
        radius = torch.stack((radius[..., 0], radius[..., 0] - taper), dim=-1)
        return Solids(start, torch.stack((x, y, z), dim=-2), unit, height, radius)


def _length(vectors: Tensor) -> Tensor:
    return torch.linalg.vector_norm(vectors, dim=-1)


def _dot(first: Tensor, second: Tensor) -> Tensor:
    return (first * second).sum(dim=-1, keepdim=True)


def _square(vectors: Tensor, axis: Tensor) -> Tensor:
    """The part of the vectors that is square to a unit axis."""
    return vectors - _dot(vectors, axis) * axis


def _carry(front: Tensor, rest: Tensor, bone: Tensor) -> Tensor:
    """Where a front square to ``rest`` goes when ``rest`` turns to the bone the shortest way."""
    bone = normalise(bone)
    both = rest + bone
    return front - _dot(front, bone) / (1 + _dot(rest, bone)).clamp(min=1e-3) * both
