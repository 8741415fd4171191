r"""The local kinematic model of a person: 40 parameters, a canonical frame and a camera.

Kundu et al., AAAI 2020, Sec. 3.1 (transformations :math:`T_{fk}` and :math:`T_c`); their CVPR 2020 paper
shares them. For the 17 joints of Human3.6M.

Canonical frame: pelvis at the origin, thorax ("neck") on +z, the face looks along +x, +y is the person's
left; the trunk from pelvis to thorax has length 1. The hip line goes through the pelvis and turns about x
alone. Every other joint lies in the direction of a unit vector in the frame of its parent's limb, at a
constant distance.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from lib.geometry import normalise, rotation_x
from lib.skeleton import HUMAN36M_17

__all__ = [
    "DISTANCE", "FOCAL", "FRAMES", "HIP_RANGE", "MOVED", "PARAMETERS", "Projected", "bone_ratios",
    "camera_parameters", "camera_rotation", "canonical", "fit_box", "forward_kinematics",
    "inverse_kinematics", "mirror_camera", "mirror_parameters", "project_constant", "project_fitted",
]  # fmt: skip

MOVED = (
    "right_knee", "right_ankle", "left_knee", "left_ankle", "spine", "nose", "head", "left_shoulder",
    "left_elbow", "left_wrist", "right_shoulder", "right_elbow", "right_wrist",
)  # fmt: skip
PARAMETERS = 1 + 3 * len(MOVED)  # one angle, 13 vectors
HIP_RANGE = torch.pi / 4  # rad, the hip line's largest angle with the horizontal
FRAMES = ("gram-schmidt", "transport")
DISTANCE = 10.0  # of the constant camera, in trunks: about 5 m
FOCAL = 4.7  # a standing person of 3.4 trunks fills 80 % of the crop

_PELVIS, _THORAX = HUMAN36M_17.index("pelvis"), HUMAN36M_17.index("thorax")
_LEFT, _RIGHT = HUMAN36M_17.index("left_hip"), HUMAN36M_17.index("right_hip")
_JOINTS = tuple(HUMAN36M_17.index(name) for name in MOVED)
# The paper's tree: thorax and spine both hang from the pelvis.
_PARENTS = tuple(_PELVIS if j == _THORAX else p for j, p in enumerate(HUMAN36M_17.parents))
_BLEND = 0.9  # |cosine| from which on another reference joins the face vector
# Canonical axes (x ahead, y left, z up) to those of a camera that looks at the face.
_FACING = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0), (-1.0, 0.0, 0.0))


def _levels() -> tuple[tuple[int, ...], ...]:
    """The moved joints in the order in which their parents become known."""
    known, levels = {_PELVIS, _THORAX, _LEFT, _RIGHT}, []
    while left := [j for j in _JOINTS if j not in known]:
        levels.append(tuple(j for j in left if _PARENTS[j] in known))
        known |= set(levels[-1])
    return tuple(levels)


_LEVELS = _levels()
# Where a limb points at rest decides on which side of the face vector its frame may jump: arms and legs
# hang, so theirs jumps above the horizontal; trunk, neck and head stand, so theirs jumps below it.
_STANDING = tuple(HUMAN36M_17.index(name) for name in ("thorax", "nose", "head"))


def bone_ratios(poses: Tensor) -> Tensor:
    """Mean distance (17,) of each joint to its parent in poses (N, 17, 3), in trunks; the pelvis has 0.

    The two sides are averaged: a person's left arm is as long as the right one.
    """
    length = (poses - poses[:, [max(parent, 0) for parent in _PARENTS]]).norm(dim=-1)
    ratios = (length / length[:, _THORAX : _THORAX + 1]).mean(0)
    return (ratios + ratios[list(HUMAN36M_17.mirror)]) / 2


def _parallel(direction: Tensor, joints: tuple[int, ...]) -> Tensor:
    """Fallback (N, L, 3) of the face vector for limbs of these joints: up, or down where limbs stand."""
    up = direction.new_tensor([[0.0, 0.0, -1.0 if j in _STANDING else 1.0] for j in joints])
    return up.expand_as(direction)


def _gram_schmidt(direction: Tensor, joints: tuple[int, ...]) -> Tensor:
    """Frames (N, L, 3, 3), columns e1 e2 e3, of limbs along unit directions (N, L, 3).

    e1 is the limb, e2 the face vector without its part along the limb, e3 = e1 x e2. Within 26 degrees of
    the face vector, where the paper's frame has no limit, another reference is blended in.
    """
    face = direction.new_tensor([1.0, 0.0, 0.0]).expand_as(direction)
    along = direction[..., :1].abs()
    t = ((along - _BLEND) / (1 - _BLEND)).clamp(0, 1)
    reference = face + t * t * (3 - 2 * t) * _parallel(direction, joints)
    second = normalise(reference - (reference * direction).sum(-1, keepdim=True) * direction)
    return torch.stack([direction, second, torch.linalg.cross(direction, second)], dim=-1)


def _transported(direction: Tensor, joints: tuple[int, ...]) -> Tensor:
    """Frames as `_gram_schmidt`, turned by the smallest rotation from where the limb rests."""
    rest = -_parallel(direction, joints)
    face = direction.new_tensor([1.0, 0.0, 0.0]).expand_as(direction)
    # two reflections: the face vector is square to the rest, the first turns it over
    halfway = normalise(rest + direction)
    second = face - 2 * (halfway * face).sum(-1, keepdim=True) * halfway
    return torch.stack([direction, second, torch.linalg.cross(direction, second)], dim=-1)


def _frames(
    positions: Sequence[Tensor], joints: tuple[int, ...], kind: str, roots: dict[int, Tensor] | None = None
) -> Tensor:
    """Frame (N, L, 3, 3) of the parent's limb of each of some joints; `roots` replaces the hips' limbs."""
    if kind not in FRAMES:
        raise ValueError(f"frames is one of {', '.join(FRAMES)}, not {kind!r}")
    parents = tuple(_PARENTS[j] for j in joints)
    limbs = torch.stack(
        [
            # the trunk has no parent: the spine is given in the canonical axes
            positions[_THORAX]
            if p == _PELVIS
            else (roots or {}).get(p, positions[p] - positions[_PARENTS[p]])
            for p in parents
        ],
        dim=1,
    )
    limbs = normalise(limbs)
    build = _gram_schmidt if kind == "gram-schmidt" else _transported
    frames = build(limbs, parents)
    if _PELVIS not in parents:
        return frames
    axes = torch.eye(3, dtype=limbs.dtype, device=limbs.device)
    free = torch.tensor([p == _PELVIS for p in parents], device=limbs.device)
    return torch.where(free[:, None, None], axes, frames)


def forward_kinematics(parameters: Tensor, lengths: Tensor, frames: str = "gram-schmidt") -> Tensor:
    r""":math:`T_{fk}`: canonical joints (N, 17, 3) in trunks of parameters (N, 40).

    Kundu et al., AAAI 2020, Sec. 3.1 a:
    :math:`p^{(j)} = p^{(Pa(j))} + len(j)\, F_{Pa(j)} v^{(j)} / |v^{(j)}|`.

    Arguments:
        parameters: the angle of the hip line before :math:`\phi = \frac{\pi}{4} \tanh`, then the vectors of
            `MOVED`.
        lengths: (17,) as from `bone_ratios`.
        frames: "gram-schmidt", the paper's frames from limb and face vector, or "transport" (ours), which
            turn with the limb from its rest.

    Raises ValueError for another number of parameters or kind of frames. A vector of length zero leaves its
    joint at its parent; gradients are finite everywhere.
    """
    if parameters.shape[-1] != PARAMETERS:
        raise ValueError(f"a pose has {PARAMETERS} parameters, not {parameters.shape[-1]}")
    lengths = lengths.to(parameters)
    angle = HIP_RANGE * torch.tanh(parameters[:, 0])
    zero = torch.zeros_like(angle)
    left = torch.stack([zero, torch.cos(angle), torch.sin(angle)], dim=-1) * lengths[_LEFT]
    positions: list[Tensor | None] = [None] * len(HUMAN36M_17)
    positions[_PELVIS] = torch.zeros_like(left)
    positions[_THORAX] = torch.stack([zero, zero, zero + lengths[_THORAX]], dim=-1)
    positions[_LEFT], positions[_RIGHT] = left, -left * (lengths[_RIGHT] / lengths[_LEFT])
    vectors = normalise(parameters[:, 1:].unflatten(-1, (-1, 3)))
    for joints in _LEVELS:
        local = vectors[:, [_JOINTS.index(j) for j in joints]]
        turned = (_frames(positions, joints, frames) @ local[..., None])[..., 0]
        for place, joint in enumerate(joints):
            positions[joint] = positions[_PARENTS[joint]] + lengths[joint] * turned[:, place]
    return torch.stack(positions, dim=1)


def canonical(pose: Tensor) -> tuple[Tensor, Tensor]:
    """Poses (N, 17, 3) of any place, size and orientation in the canonical frame, and that frame.

    Returns canonical joints (N, 17, 3) in trunks, and R (N, 3, 3) with pose = pelvis + trunk length x R p.
    """
    centred = pose - pose[:, _PELVIS : _PELVIS + 1]
    trunk = centred[:, _THORAX]
    up = normalise(trunk)
    ahead = normalise(torch.linalg.cross(centred[:, _LEFT] - centred[:, _RIGHT], up))
    R = torch.stack([ahead, torch.linalg.cross(up, ahead), up], dim=-1)
    size = trunk.norm(dim=-1).clamp_min(1e-8)[:, None, None]
    return centred @ R / size, R


def inverse_kinematics(pose: Tensor, frames: str = "gram-schmidt") -> Tensor:
    r"""Parameters (N, 40) of poses (N, 17, 3) in any frame: the inverse of `forward_kinematics`.

    The vectors have unit length. Bone lengths are lost, as is what the model cannot say: hips that are not
    opposite each other, a hip line not square to the face.
    """
    joints, _ = canonical(pose)
    hips = joints[:, _LEFT] - joints[:, _RIGHT]
    limit = 1 - 4 * torch.finfo(pose.dtype).eps
    angle = (torch.atan2(hips[:, 2], hips[:, 1]) / HIP_RANGE).clamp(-limit, limit)
    first = torch.atanh(angle)
    # the roots as forward kinematics will have them, so that the frames are the same
    phi = angle * HIP_RANGE
    left = torch.stack([torch.zeros_like(phi), torch.cos(phi), torch.sin(phi)], dim=-1)
    roots = {_LEFT: left, _RIGHT: -left}
    vectors: list[Tensor | None] = [None] * len(_JOINTS)
    for level in _LEVELS:
        parents = [_PARENTS[j] for j in level]
        bones = normalise(joints[:, list(level)] - joints[:, parents])
        local = (_frames(joints.unbind(1), level, frames, roots).mT @ bones[..., None])[..., 0]
        for place, joint in enumerate(level):
            vectors[_JOINTS.index(joint)] = local[:, place]
    return torch.cat([first[:, None], torch.stack(vectors, dim=1).flatten(1)], dim=1)


def mirror_parameters(parameters: Tensor) -> Tensor:
    """Parameters (N, 40) of the mirrored person: sides exchanged, each frame's third axis turned over."""
    order = [_JOINTS.index(HUMAN36M_17.mirror[j]) for j in _JOINTS]
    sign = parameters.new_tensor([[1.0, 1.0, -1.0]] * len(_JOINTS))
    sign[MOVED.index("spine")] = parameters.new_tensor([1.0, -1.0, 1.0])
    vectors = parameters[:, 1:].unflatten(-1, (-1, 3))[:, order] * sign
    return torch.cat([-parameters[:, :1], vectors.flatten(1)], dim=1)


def camera_rotation(camera: Tensor) -> Tensor:
    r"""Rotation :math:`R_c` (N, 3, 3) from canonical to camera axes, of c (N, 6).

    c holds (sine, cosine) of azimuth, elevation and roll, not yet of unit length (Sec. 3.1 b). With all
    angles zero the camera looks at the face; the person turns to their left by the azimuth, the camera rises
    by the elevation and the picture turns clockwise by the roll.
    """
    if camera.shape[-1] != 6:
        raise ValueError(f"a camera has 6 numbers, not {camera.shape[-1]}")
    sine, cosine = normalise(camera.unflatten(-1, (3, 2)), 1e-4).unbind(-1)
    zero, one = torch.zeros_like(sine[:, 0]), torch.ones_like(sine[:, 0])

    def matrix(*entries: Tensor) -> Tensor:
        return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))

    (sa, se, sr), (ca, ce, cr) = sine.unbind(-1), cosine.unbind(-1)
    azimuth = matrix(ca, -sa, zero, sa, ca, zero, zero, zero, one)
    elevation = matrix(one, zero, zero, zero, ce, -se, zero, se, ce)
    roll = matrix(cr, -sr, zero, sr, cr, zero, zero, zero, one)
    return roll @ elevation @ camera.new_tensor(_FACING) @ azimuth


def camera_parameters(R: Tensor) -> Tensor:
    """c (N, 6) of rotations (N, 3, 3): the inverse of `camera_rotation`, with elevation within 90 degrees."""
    facing = R.new_tensor(_FACING)
    # R = roll elevation facing azimuth; the canonical z axis sees neither azimuth nor facing's turn about it
    up = R[..., 2]  # roll elevation (0, -1, 0)
    flat = torch.linalg.vector_norm(up[:, :2], dim=-1).clamp_min(1e-8)
    overhead = flat < 1e-6  # there roll and azimuth are one: no roll
    sr = torch.where(overhead, 0.0, up[:, 0] / flat)
    cr = torch.where(overhead, 1.0, -up[:, 1] / flat)
    se, ce = -up[:, 2], flat
    zero, one = torch.zeros_like(sr), torch.ones_like(sr)
    levelled = torch.stack([cr, sr, zero, -sr, cr, zero, zero, zero, one], -1).unflatten(-1, (3, 3)) @ R
    upright = rotation_x(torch.atan2(-se, ce)) @ levelled
    azimuth = facing.mT @ upright
    return torch.stack([azimuth[:, 1, 0], azimuth[:, 0, 0], se, ce, sr, cr], dim=-1)


def mirror_camera(camera: Tensor) -> Tensor:
    """c (N, 6) as it sees the mirrored person in the mirrored picture."""
    return camera * camera.new_tensor([-1.0, 1.0, 1.0, 1.0, -1.0, 1.0])


class Projected(NamedTuple):
    """Points (N, 17, 2) in crop coordinates, and the joints (N, 17, 3) in camera axes from the pelvis."""

    points: Tensor
    joints: Tensor


def _perspective(joints: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor]:
    turned = joints @ rotation.mT
    # nobody reaches the camera, but networks at their start may try
    return turned[..., :2] / (turned[..., 2:] + DISTANCE).clamp_min(1.0), turned


def project_constant(joints: Tensor, rotation: Tensor) -> Projected:
    r""":math:`T_c`: :math:`P(R_c\, p_{3D} + T_c)` of canonical joints (N, 17, 3), Sec. 3.1 b.

    The translation and the lens are constants, so that the pelvis is in the middle of every crop.
    """
    plane, turned = _perspective(joints, rotation)
    return Projected(FOCAL * plane, turned)


def fit_box(points: Tensor, margin: float = 1.25, joints: int | None = None) -> Tensor:
    """Points (N, J, 2) moved and scaled so that the box of the first joints lies as crops are cut."""
    box = points[:, :joints]
    low, high = box.amin(1, keepdim=True), box.amax(1, keepdim=True)
    extent = (high - low).amax(-1, keepdim=True).clamp_min(1e-3)
    return (points - (low + high) / 2) * (2 / margin / extent)


def project_fitted(joints: Tensor, rotation: Tensor, margin: float = 1.25) -> Projected:
    r""":math:`T_c` with the box of the joints moved and scaled as crops are cut (ours).

    Crops are centred on the box of the person's joints and ``margin`` times as large as its longer side:
    so is this projection, which has no parameter for it.
    """
    plane, turned = _perspective(joints, rotation)
    return Projected(fit_box(plane, margin), turned)
