"""The geometry of Yu et al. 2021: lift, invent a view, project, and tell a pose from its mirror image.

Poses stand D = 10 units before a camera of unit focal length; 1 unit is the mean length from root to head.
"""

import torch
from torch import Tensor

from lib.papers.normalise import DEPTH
from lib.skeleton import HUMAN36M_17

__all__ = ["lift", "turn", "turn_back", "project", "knee_bend"]


def lift(pose: Tensor, offsets: Tensor) -> Tensor:
    r"""3D pose from a 2D pose and depth offsets, Yu et al., Eq. 7.

    :math:`J^{3D}_i = (x_i Z_i, y_i Z_i, Z_i),\; Z_i = \max(1, D + d_i)`.

    Arguments:
        pose: (..., J, 2) at distance D = 10; offsets: d (..., J). Returns (..., J, 3).
    """
    depth = (DEPTH + offsets).clamp_min(1.0)
    return torch.cat([pose * depth[..., None], depth[..., None]], dim=-1)


def turn(pose: Tensor, rotation: Tensor) -> Tensor:
    r"""The view change :math:`\mathcal V` of Eq. 8: rotate (..., J, 3) about its root, put at D."""
    turned = (pose - pose[..., :1, :]) @ rotation.transpose(-1, -2)
    return turned + turned.new_tensor([0.0, 0.0, DEPTH])


def turn_back(pose: Tensor, rotation: Tensor, root: Tensor) -> Tensor:
    r"""The inverse of :math:`\mathcal V`; `root` (..., 1, 3) is the root of the first lift."""
    return (pose - pose.new_tensor([0.0, 0.0, DEPTH])) @ rotation + root


def project(pose: Tensor) -> Tensor:
    """Perspective projection with unit focal length, (..., J, 3) -> (..., J, 2)."""
    return pose[..., :2] / pose[..., 2:].clamp_min(1.0)


def knee_bend(pose: Tensor) -> Tensor:
    """How far the knees lie in front of the lines from hip to ankle, mean of both, (...), in units.

    In front is what the hips and the trunk say: (left - right hip) x (thorax - pelvis). Knees bend
    forwards, so the mean over many poses (..., J, 3) is positive; a pose mirrored in depth has the
    opposite sign exactly. No label is needed.
    """

    def joint(name: str) -> Tensor:
        return pose[..., HUMAN36M_17.index(name), :]

    forward = torch.linalg.cross(
        joint("left_hip") - joint("right_hip"), joint("thorax") - joint("pelvis")
    )
    forward = forward / forward.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    bends = [
        ((joint(f"{side}_knee") - (joint(f"{side}_hip") + joint(f"{side}_ankle")) / 2) * forward)
        for side in ("left", "right")
    ]
    return sum(bend.sum(-1) for bend in bends) / 2
