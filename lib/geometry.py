"""Rotations, cameras, alignment and forward kinematics.

Everything is batched over leading dimensions and runs on any device and dtype. Camera axes: x
right, y down, z forward. Vectors are columns: a rotation R takes x to R x. Lengths are in
millimetres, though nothing here depends on the unit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import roma
import torch
from torch import Tensor

from lib.skeleton import topological_order

__all__ = [
    "Camera",
    "camera_to_world",
    "forward_kinematics",
    "look_at",
    "normalise",
    "project",
    "rigid_align",
    "rotation_x",
    "rotation_y",
    "rotation_z",
    "similarity_align",
    "world_to_camera",
]


def normalise(vectors: Tensor, eps: float = 1e-8) -> Tensor:
    """Vectors (..., D) divided by their length.

    Those shorter than ``eps`` are divided by ``eps``: zero stays zero and its gradient is finite.
    """
    return vectors / torch.linalg.vector_norm(vectors, dim=-1, keepdim=True).clamp(min=eps)


def _parts(angle: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return torch.cos(angle), torch.sin(angle), torch.zeros_like(angle), torch.ones_like(angle)


def _matrix(*entries: Tensor) -> Tensor:
    return torch.stack(entries, dim=-1).unflatten(-1, (3, 3))


def rotation_x(angle: Tensor) -> Tensor:
    """Right-handed rotation (..., 3, 3) about x by ``angle`` (...) in radians, y to z."""
    cosine, sine, zero, one = _parts(angle)
    return _matrix(one, zero, zero, zero, cosine, -sine, zero, sine, cosine)


def rotation_y(angle: Tensor) -> Tensor:
    """Right-handed rotation (..., 3, 3) about y by ``angle`` (...) in radians, z to x."""
    cosine, sine, zero, one = _parts(angle)
    return _matrix(cosine, zero, sine, zero, one, zero, -sine, zero, cosine)


def rotation_z(angle: Tensor) -> Tensor:
    """Right-handed rotation (..., 3, 3) about z by ``angle`` (...) in radians, x to y."""
    cosine, sine, zero, one = _parts(angle)
    return _matrix(cosine, -sine, zero, sine, cosine, zero, zero, zero, one)


@dataclass(frozen=True, eq=False)
class Camera:
    """Perspective camera, or a batch: the world point X is at R X + t in camera coordinates (mm).

    K (..., 3, 3): intrinsics in pixels. R (..., 3, 3) and t (..., 3): world to camera. ``radial``
    (..., 3) = k1 k2 k3 and ``tangential`` (..., 2), in the order of the formula of :func:`project`;
    None where the lens does not distort. Fields may be arrays; they become tensors. Where a camera
    meets points it takes their device and dtype. ValueError for a field of another shape.

    Human3.6M's metadata ends a camera's intrinsics with pA pB; its formula wants (pB, pA). It lists
    the camera's centre c; t is -R c.
    """

    K: Tensor
    R: Tensor
    t: Tensor
    radial: Tensor | None = None
    tangential: Tensor | None = None

    def __post_init__(self):
        shapes = {"K": (3, 3), "R": (3, 3), "t": (3,), "radial": (3,), "tangential": (2,)}
        for field, shape in shapes.items():
            value = getattr(self, field)
            if value is None and field in ("radial", "tangential"):
                continue
            value = torch.as_tensor(value)
            if tuple(value.shape[-len(shape) :]) != shape:
                raise ValueError(
                    f"camera: {field} has shape {tuple(value.shape)}, its last sizes are {shape}"
                )
            object.__setattr__(self, field, value)

    @property
    def centre(self) -> Tensor:
        """Where the camera stands in the world, -R^T t (..., 3)."""
        return -(self.R.mT @ self.t[..., None])[..., 0]


def world_to_camera(points: Tensor, camera: Camera) -> Tensor:
    """World points (..., J, 3) in camera coordinates: R X + t."""
    return points @ camera.R.to(points).mT + camera.t.to(points)[..., None, :]


def camera_to_world(points: Tensor, camera: Camera) -> Tensor:
    """Points (..., J, 3) in camera coordinates back in the world: R^T (X - t)."""
    return (points - camera.t.to(points)[..., None, :]) @ camera.R.to(points)


def project(points: Tensor, camera: Camera) -> Tensor:
    """Pixels (..., J, 2) of points (..., J, 3) in camera coordinates.

    The lens is that of Human3.6M's cameras, with k = ``camera.radial``, p = ``camera.tangential``:

        u = (x, y) / z,  r2 = |u|^2,  radial = 1 + k1 r2 + k2 r2^2 + k3 r2^3,  tangential = p . u
        pixel = K [u (radial + tangential) + p r2, 1]

    Depths z must be positive: nothing is clamped, and a point at depth 0 has no finite image.
    """
    plane = points[..., :2] / points[..., 2:]
    if camera.radial is not None or camera.tangential is not None:
        square = (plane * plane).sum(dim=-1, keepdim=True)
        factor, shift = torch.ones_like(square), torch.zeros_like(plane)
        if camera.radial is not None:
            k1, k2, k3 = camera.radial.to(points)[..., None, :].split(1, dim=-1)
            factor = factor + square * (k1 + square * (k2 + square * k3))
        if camera.tangential is not None:
            tangential = camera.tangential.to(points)[..., None, :]
            factor = factor + (plane * tangential).sum(dim=-1, keepdim=True)
            shift = tangential * square
        plane = plane * factor + shift
    intrinsics = camera.K.to(points)
    return plane @ intrinsics[..., :2, :2].mT + intrinsics[..., None, :2, 2]


def look_at(position: Tensor, target: Tensor, up: Tensor) -> tuple[Tensor, Tensor]:
    """World-to-camera R (..., 3, 3) and t (..., 3) of a camera at ``position`` (..., 3).

    Its optical axis passes through ``target``; ``up`` is upwards in the image. Where the camera
    looks along ``up``, the top of the image is towards a coordinate axis. ``position`` and
    ``target`` must differ.
    """
    position, target, up = torch.broadcast_tensors(position, target, up)
    forward = normalise(target - position)
    right = torch.linalg.cross(forward, normalise(up))
    # Where `up` is along the view, take the axis that the view is most nearly square to.
    spare = torch.nn.functional.one_hot(forward.abs().argmin(dim=-1), 3).to(forward)
    parallel = torch.linalg.vector_norm(right, dim=-1, keepdim=True) < 1e-4
    right = normalise(torch.where(parallel, torch.linalg.cross(forward, spare), right))
    down = torch.linalg.cross(forward, right)
    rotation = torch.stack((right, down, forward), dim=-2)
    return rotation, -(rotation @ position[..., None])[..., 0]


def _centre(points: Tensor) -> tuple[Tensor, Tensor]:
    """Points minus their mean, and the mean (..., 1, D).

    Equal points give exact zeros: the mean's rounding error would otherwise be taken for a pose and
    scaled to the size of a person.
    """
    first = points[..., :1, :]
    offset = points - first
    mean = offset.mean(dim=-2, keepdim=True)
    return offset - mean, first + mean


def _size(centred: Tensor) -> Tensor:
    """Frobenius norm (..., 1, 1); at least a tiny number, so that it can divide."""
    return torch.linalg.vector_norm(centred, dim=(-2, -1), keepdim=True).clamp(min=1e-8)


def _align(source: Tensor, target: Tensor, scaling: bool, reflection: bool) -> Tensor:
    if source.shape[-2:] != target.shape[-2:] or 0 in source.shape[-2:]:
        raise ValueError(
            "alignment pairs each point with one of as many coordinates; "
            f"got shapes {tuple(source.shape)} and {tuple(target.shape)}"
        )
    dtype = torch.promote_types(source.dtype, target.dtype)
    source, _ = _centre(source.to(dtype))
    target, target_mean = _centre(target.to(dtype))
    source_size, target_size = _size(source), _size(target)
    # Both of unit size: roma damps the gradient of the rotation where it is not unique, by an
    # absolute number.
    source_unit = source / source_size
    covariance = (target / target_size).mT @ source_unit
    if reflection:
        # A negative determinant says that the mirror image fits better: mirror one coordinate.
        sign = torch.ones_like(covariance[..., :1, :])
        sign[..., -1] = torch.where(torch.linalg.det(covariance.detach()) < 0, -1.0, 1.0)[..., None]
        source_unit, covariance = source_unit * sign, covariance * sign
    rotation = roma.special_procrustes(covariance)
    rotated = source_unit @ rotation.mT
    if not scaling:
        return rotated * source_size + target_mean
    agreement = (rotation * covariance).sum(dim=(-2, -1), keepdim=True)
    return rotated * (agreement * target_size) + target_mean


def similarity_align(source: Tensor, target: Tensor, reflection: bool = False) -> Tensor:
    """``source`` (..., J, D) turned, moved and scaled so that it is nearest to ``target``.

    One rotation, translation and scale a pose, least in the sum of squared distances (Umeyama
    1991); with ``reflection`` its mirror image may serve too. Values and gradients are finite for
    any finite points; a source of equal points comes to the mean of the target. Raises ValueError
    when the two do not have the same number of points and coordinates, or none.
    """
    return _align(source, target, scaling=True, reflection=reflection)


def rigid_align(source: Tensor, target: Tensor) -> Tensor:
    """``source`` (..., J, D) turned and moved so that it is nearest to ``target`` (Kabsch 1976).

    No scale, no mirror image; otherwise as :func:`similarity_align`.
    """
    return _align(source, target, scaling=False, reflection=False)


def forward_kinematics(
    local_rotations: Tensor, offsets: Tensor, parents: Sequence[int], root_position: Tensor
) -> Tensor:
    """Positions (..., J, 3) of the joints of a tree.

        R_j = R_parent L_j,   x_j = x_parent + R_parent o_j

    ``local_rotations`` L (..., J, 3, 3): a joint's rotation relative to its parent; it turns what
    hangs from the joint. ``offsets`` o (..., J, 3): from the parent to the joint, in the parent's
    axes; the root's is not used. ``parents``: index of each joint's parent, -1 for the root, in any
    order. ``root_position`` (..., 3). Raises ValueError when ``parents`` is not a tree of J joints.
    """
    joints = offsets.shape[-2]
    if len(parents) != joints or local_rotations.shape[-3] != joints:
        raise ValueError(
            f"{len(parents)} parents, {local_rotations.shape[-3]} rotations, {joints} offsets: "
            "there must be one of each a joint"
        )
    rotations, positions = [None] * joints, [None] * joints
    for joint in topological_order(parents):
        local, parent = local_rotations[..., joint, :, :], parents[joint]
        if parent == -1:
            rotations[joint], positions[joint] = local, root_position
        else:
            step = rotations[parent] @ offsets[..., joint, :, None]
            rotations[joint] = rotations[parent] @ local
            positions[joint] = positions[parent] + step[..., 0]
    return torch.stack(torch.broadcast_tensors(*positions), dim=-2)
