r"""The shape template of Schmidtke et al. 2021 and Yoo & Russakovsky 2023: Gaussian parts and anchor points.

A part is a 2D Gaussian of peak 1, an anchor a point that moves with its part. Matrices (N, P, 2, 3) take
points of crop coordinates ([-1, 1] over the picture, x right, y down) to crop coordinates. "Left" and
"right" in the names of parts are sides of the picture, as in the authors' code; keypoints bear the sides of
a person who faces the camera, whose right arm is on the left of the picture.
"""

from dataclasses import dataclass, replace
from math import cos, radians, sin

import torch
from torch import Tensor

from lib.metrics import BPLP_JOINTS
from lib.rasterize import gaussian_maps

__all__ = [
    "ANCHORS", "FLOOR", "JOINTS", "KINDS", "MIRROR", "PARTS", "Template", "compose", "identity", "keypoints",
    "move", "move_anchors", "posed_maps", "shape_template",
]  # fmt: skip

JOINTS = BPLP_JOINTS
KINDS = ("orig", "new")
FLOOR = 2 / 128  # crop units: least blur of a part, as 2 px of 256; a part squeezed flat stays visible
_PIXELS = 256  # of the authors' drawing

# (row, column), standard deviations along and across, turn in radians: the authors' numbers, in px of 256
_SHARED = {
    "core": ((120, 128), 15.36, 25.6, 1.5708),
    "left_hip": ((152, 120), 6.4, 7.68, -0.9),
    "right_hip": ((152, 136), 6.4, 7.68, 0.9),
    "left_thigh": ((172, 108), 6.4, 10.24, -1.1),
    "right_thigh": ((172, 148), 6.4, 10.24, 1.1),
    "left_shin": ((196, 100), 6.4, 12.8, 1.5708),
    "right_shin": ((196, 156), 6.4, 12.8, -1.5708),
    "left_shoulder": ((80, 120), 6.4, 10.24, 0.0),
    "right_shoulder": ((80, 136), 6.4, 10.24, 0.0),
}
_ARMS = {
    "orig": {
        "left_arm": ((80, 96), 6.4, 10.24, 0.0),
        "right_arm": ((80, 160), 6.4, 10.24, 0.0),
        "left_forearm": ((80, 72), 6.4, 10.24, 0.0),
        "right_forearm": ((80, 184), 6.4, 10.24, 0.0),
    },
    "new": {
        "left_arm": ((93, 100), 6.4, 10.24, -radians(60)),
        "right_arm": ((93, 156), 6.4, 10.24, radians(60)),
        "left_forearm": ((118, 90), 6.4, 10.24, -radians(80)),
        "right_forearm": ((118, 165), 6.4, 10.24, radians(80)),
    },
}
_FEET = {"left_foot": ((220, 100), 5.12, 5.12, 0.0), "right_foot": ((220, 156), 5.12, 5.12, 0.0)}
_HANDS = {
    "orig": {"left_hand": ((80, 56), 5.12, 6.4, 0.0), "right_hand": ((80, 200), 5.12, 6.4, 0.0)},
    "new": {
        "left_hand": ((138, 87), 5.12, 6.4, -radians(80)),
        "right_hand": ((138, 170), 5.12, 6.4, radians(80)),
    },
}
_HEAD = {"head": ((52, 128), 12.8, 8.96, 0.0)}
PARTS = (*_SHARED, *_ARMS["orig"], *_FEET, *_HANDS["orig"], "head")

# anchors (column, row) of each part: the core has three, a limb its parent's and its child's end, others one
_TRUNK_ANCHORS = {
    "core": ((128, 144), (128, 80), (128, 68)),
    "left_hip": ((128, 144), (116, 144)),
    "right_hip": ((128, 144), (140, 144)),
    "left_thigh": ((116, 144), (100, 184)),
    "right_thigh": ((140, 144), (156, 184)),
    "left_shin": ((100, 184), (100, 208)),
    "right_shin": ((156, 184), (156, 208)),
    "left_shoulder": ((128, 80), (112, 80)),
    "right_shoulder": ((128, 80), (144, 80)),
}
_ARM_ANCHORS = {
    "orig": {
        "left_arm": ((112, 80), (88, 80)),
        "right_arm": ((144, 80), (168, 80)),
        "left_forearm": ((88, 80), (68, 80)),
        "right_forearm": ((168, 80), (188, 80)),
    },
    "new": {
        "left_arm": ((112, 80), (93, 102)),
        "right_arm": ((144, 80), (160, 102)),
        "left_forearm": ((93, 102), (86, 127)),
        "right_forearm": ((160, 102), (167, 127)),
    },
}
_END_ANCHORS = {
    "orig": {"left_hand": ((68, 80),), "right_hand": ((188, 80),)},
    "new": {"left_hand": ((86, 127),), "right_hand": ((167, 127),)},
}
_FOOT_ANCHORS = {"left_foot": ((100, 208),), "right_foot": ((156, 208),)}
_HEAD_ANCHORS = {"head": ((128, 68),)}

# (part, number of its anchor), in the order of the anchors
ANCHORS = tuple(
    (part, number)
    for part, anchors in (
        *_TRUNK_ANCHORS.items(), *_ARM_ANCHORS["orig"].items(), *_FOOT_ANCHORS.items(),
        *_END_ANCHORS["orig"].items(), *_HEAD_ANCHORS.items(),
    )
    for number in range(len(anchors))
)  # fmt: skip


def _sides(*names: tuple) -> list[tuple]:
    """The same for the left and the right of the picture."""
    return [
        tuple((f"{side}_{part}" if part not in ("core", "head") else part, n) for part, n in row)
        for side in ("left", "right")
        for row in names
    ]


# anchors that should coincide (the authors' 17 joints)
_JOINED = [
    *_sides((("core", 0), ("hip", 0)), (("core", 1), ("shoulder", 0))),
    (("core", 2), ("head", 0)),
    *_sides(
        (("hip", 1), ("thigh", 0)), (("thigh", 1), ("shin", 0)),
        (("shoulder", 1), ("arm", 0)), (("arm", 1), ("forearm", 0)),
        (("shin", 1), ("foot", 0)), (("forearm", 1), ("hand", 0)),
    ),
]  # fmt: skip
# keypoint -> the anchors whose mean it is; the picture's left is a facing person's right
_READ = {
    "abdomen": (("core", 0), ("left_hip", 0), ("right_hip", 0)),
    "chest": (("core", 1), ("left_shoulder", 0), ("right_shoulder", 0)),
    "neck": (("core", 2), ("head", 0)),
}
for _person, _picture in (("right", "left"), ("left", "right")):
    for _joint, _near, _far in (
        ("hip", ("hip", 1), ("thigh", 0)), ("knee", ("thigh", 1), ("shin", 0)),
        ("ankle", ("shin", 1), ("foot", 0)), ("shoulder", ("shoulder", 1), ("arm", 0)),
        ("elbow", ("arm", 1), ("forearm", 0)), ("wrist", ("forearm", 1), ("hand", 0)),
    ):  # fmt: skip
        _READ[f"{_person}_{_joint}"] = tuple((f"{_picture}_{part}", n) for part, n in (_near, _far))

# keypoints with left and right exchanged
MIRROR = tuple(
    JOINTS.index(
        name.replace("left", "right") if "left" in name else name.replace("right", "left")
    )
    for name in JOINTS
)  # fmt: skip


@dataclass(frozen=True)
class Template:
    """Gaussian parts with their anchors, in crop coordinates.

    mean (18, 2), covariance (18, 2, 2) and its Cholesky factor root; anchors (32, 2) of the parts
    ``owner`` (32,); pairs (17, 2): anchors that should coincide; reading (15, 32): each keypoint as a mean
    of anchors; pivot (18, 2): the first anchor of each part, the end at its parent.
    """

    kind: str
    mean: Tensor
    covariance: Tensor
    root: Tensor
    anchors: Tensor
    owner: Tensor
    pairs: Tensor
    reading: Tensor
    pivot: Tensor

    def to(self, device: torch.device | str) -> "Template":
        """The same on another device."""
        moved = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, Tensor)}
        return replace(self, **moved)

    @property
    def keypoints(self) -> Tensor:
        """The untransformed template's keypoints (15, 2)."""
        return self.reading @ self.anchors


def shape_template(kind: str = "orig", scale: float = 1.0) -> Template:
    """The template with arms out ("orig", Schmidtke et al.) or down ("new", Yoo & Russakovsky).

    Numbers of the authors' code; they differ in arms, forearms and hands alone. ``scale`` shrinks it
    about the middle of the picture. ValueError for another kind.
    """
    if kind not in KINDS:
        raise ValueError(f"a template is one of {', '.join(KINDS)}, not {kind!r}")
    drawn = {**_SHARED, **_ARMS[kind], **_FEET, **_HANDS[kind], **_HEAD}
    points = {
        **_TRUNK_ANCHORS, **_ARM_ANCHORS[kind], **_FOOT_ANCHORS, **_END_ANCHORS[kind], **_HEAD_ANCHORS
    }  # fmt: skip
    mean, covariance = [], []
    for part in PARTS:
        (row, column), along, across, turn = drawn[part]
        # the authors' exponent has rows first: precision [[a, b], [b, c]] of (row, column)
        c, s = cos(turn), sin(turn)
        axes = torch.tensor([[c, s], [-s, c]])
        by_row = axes @ torch.diag(torch.tensor([along**2, across**2])) @ axes.T
        mean.append((column, row))
        covariance.append(by_row.flip(0, 1))
    unit = 2 / _PIXELS
    place = {name: i for i, name in enumerate(ANCHORS)}
    anchors = _to_crop(torch.tensor([points[part][n] for part, n in ANCHORS], dtype=torch.float32))
    reading = torch.zeros(len(JOINTS), len(ANCHORS))
    for i, joint in enumerate(JOINTS):
        reading[i, [place[name] for name in _READ[joint]]] = 1 / len(_READ[joint])
    owner = torch.tensor([PARTS.index(part) for part, _ in ANCHORS])
    first = torch.tensor([place[part, 0] for part in PARTS])
    covariance = (scale * unit) ** 2 * torch.stack(covariance)
    return Template(
        kind,
        scale * _to_crop(torch.tensor(mean, dtype=torch.float32)),
        covariance,
        torch.linalg.cholesky(covariance),
        scale * anchors,
        owner,
        torch.tensor([[place[a], place[b]] for a, b in _JOINED]),
        reading,
        scale * anchors[first],
    )


def _to_crop(pixels: Tensor) -> Tensor:
    """Indices of the authors' pixels, whose centres they are, in crop coordinates."""
    return (pixels + 0.5) * (2 / _PIXELS) - 1


def identity(count: int, parts: int = len(PARTS), like: Tensor | None = None) -> Tensor:
    """Matrices (count, parts, 2, 3) that leave everything where it is."""
    eye = torch.eye(2, 3) if like is None else torch.eye(2, 3, dtype=like.dtype, device=like.device)
    return eye.expand(count, parts, 2, 3)


def compose(second: Tensor, first: Tensor) -> Tensor:
    """The matrix (..., 2, 3) that does what ``first`` does and then what ``second`` does."""
    linear = second[..., :2] @ first[..., :2]
    shift = (second[..., :2] @ first[..., 2:]) + second[..., 2:]
    return torch.cat([linear, shift], dim=-1)


def move(points: Tensor, matrices: Tensor) -> Tensor:
    """Points (..., 2) moved by matrices (..., 2, 3)."""
    return (matrices[..., :2] @ points[..., None]).squeeze(-1) + matrices[..., 2]


def move_anchors(template: Template, matrices: Tensor) -> Tensor:
    """Anchors (N, 32, 2), each moved by the matrix (N, 18, 2, 3) of its part."""
    return move(template.anchors, matrices[:, template.owner])


def keypoints(template: Template, anchors: Tensor) -> Tensor:
    """The 15 keypoints (N, 15, 2) of `JOINTS`, each the mean of the anchors (N, 32, 2) that meet there.

    The authors read one hip off a single anchor, by a slip; here it is the mean of two as the others.
    """
    # no matrix product, which autocast would round to bfloat16
    return (template.reading[:, :, None] * anchors[:, None]).sum(2)


def posed_maps(template: Template, matrices: Tensor, size: int, floor: float = FLOOR) -> Tensor:
    r"""Maps (N, 18, size, size) of the parts moved by matrices (N, 18, 2, 3): :math:`T^*`.

    The affine image of a Gaussian is a Gaussian of mean :math:`M \mu` and covariance
    :math:`A \Sigma A^\top`, which is evaluated; no map is resampled. ``floor``, in crop units, blurs the
    result by as much, so that a singular matrix leaves a line and not an error; with 0 it is the affine
    image exactly.
    """
    linear = matrices[..., :2].float()
    mean = move(template.mean, matrices.float())
    # products written out: autocast would round them to bfloat16
    spread = (linear[..., :, :, None] * template.root[:, None]).sum(-2)
    a, b, d = (
        (spread[..., 0, :] * spread[..., 0, :]).sum(-1) + floor**2,
        (spread[..., 0, :] * spread[..., 1, :]).sum(-1),
        (spread[..., 1, :] * spread[..., 1, :]).sum(-1) + floor**2,
    )
    # inverse of the lower Cholesky factor [[p, 0], [q, r]] of the covariance [[a, b], [b, d]]
    p = a.clamp_min(1e-12).sqrt()
    q = b / p
    r = (d - q * q).clamp_min(1e-12).sqrt()
    zero = torch.zeros_like(p)
    axes = torch.stack([1 / p, zero, -q / (p * r), 1 / r], dim=-1).unflatten(-1, (2, 2))
    return gaussian_maps(mean, axes, size)
