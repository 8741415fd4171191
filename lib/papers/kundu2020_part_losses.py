r"""The losses of Kundu et al., CVPR 2020, one function each.

A page of the paper is missing from the text held here. What each loss ties together, which pose it uses and
that the last ends in an entropy is in the text; the formulas of
:math:`\mathcal{L}_I^u, \mathcal{L}_I^c` and the first part of :math:`\mathcal{L}_{seg}` are reconstructed
from that.
"""

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy, interpolate, log_softmax

from lib.papers.kundu2020_part_model import GREY, Seen

__all__ = [
    "bone_lengths", "image_c", "image_u", "pose_distance", "segmentation", "silhouette", "view_distance",
]  # fmt: skip

SQUARES = 3.0  # weight of squared beside absolute differences


def image_u(drawn: Tensor, s: Tensor, picture: Tensor, m_sal: Tensor, normalised: bool) -> Tensor:
    r""":math:`\mathcal{L}_I^u` (reconstructed): the drawn person against the salient one, both over grey.

    .. math:: \langle |m_{sal} (I_t - b) - \hat s_t (\hat I - b)| \rangle

    Arguments:
        drawn, picture: (N, 3, S, S) in [0, 1]. s, m_sal: (N, 1, S, S), probabilities of the person.
        normalised: adds squares and divides by the share of the picture that is salient (ours): with the
            plain mean, painting nothing is nearly as good as painting the right colours.
    """
    difference = m_sal * (picture - GREY) - s * (drawn - GREY)
    if not normalised:
        return difference.abs().mean()
    share = m_sal.mean().clamp_min(0.02)
    return (difference.abs().mean() + SQUARES * difference.square().mean()) / share


def image_c(drawn: Tensor, s: Tensor, w_fg: Tensor, w_unc: Tensor) -> Tensor:
    r""":math:`\mathcal{L}_I^c` (reconstructed): nothing is painted off the posed puppet and its ring.

    .. math:: \langle (1 - \max(w_{fg}, w_{unc})) |\hat s (\hat I - b)| \rangle
    """
    outside = 1 - torch.maximum(w_fg, w_unc)[:, None]
    return (outside * (s * (drawn - GREY)).abs()).mean()


def segmentation(logits: Tensor, labels: Tensor, w_unc: Tensor) -> tuple[Tensor, Tensor]:
    r""":math:`\mathcal{L}_{seg}` in two parts: cross entropy with :math:`y^p` off the ring, entropy within.

    Arguments:
        logits: (N, 11, S, S). labels: (N, S, S) uint8. w_unc: (N, S, S).
    """
    cross = cross_entropy(logits, labels.long(), reduction="none")
    logarithm = log_softmax(logits, dim=1)
    entropy = -(logarithm.exp() * logarithm).sum(1)
    return ((1 - w_unc) * cross).mean(), (w_unc * entropy).mean()


def silhouette(w_fg: Tensor, m_sal: Tensor) -> Tensor:
    """Distance of the posed puppet (N, s, s) to the salient person (N, 1, S, S), at three sizes (ours)."""
    mine, true = w_fg[:, None], interpolate(m_sal, size=w_fg.shape[-1], mode="area")
    total = (mine - true).abs().mean()
    for _ in range(2):
        mine, true = avg_pool2d(mine, 2), avg_pool2d(true, 2)
        total = total + (mine - true).abs().mean()
    return total


def pose_distance(seen: Seen, true: Seen) -> dict[str, Tensor]:
    r""":math:`\mathcal{L}_{p_z^{3D}}`: L1 of canonical joints, and (ours) of joints in camera axes and 2D
    points."""
    return {
        "3d": (seen.joints - true.joints).abs().mean(),
        "camera": (seen.turned - true.turned).abs().mean(),
        "2d": (seen.points[:, :17] - true.points[:, :17]).abs().mean(),
    }


def view_distance(one: Seen, other: Seen, R_one: Tensor, R_other: Tensor) -> Tensor:
    """Multi-view supervision: one canonical pose, and a camera shift that is the known one.

    one, other: poses read from two cameras at one instant, whose extrinsic rotations are R (N, 3, 3).
    """
    shift = R_other @ R_one.mT
    return (one.joints - other.joints).abs().mean() + (one.turned @ shift.mT - other.turned).abs().mean()


def bone_lengths(turned: Tensor, lengths: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Mean difference of the bones of joints (N, 17, 3) from fixed lengths (17,), where T_fk does not fix
    them."""
    bones = (turned - turned[:, [max(p, 0) for p in parents]]).square().sum(-1).add(1e-12).sqrt()
    return (bones - lengths)[:, 1:].abs().mean()
