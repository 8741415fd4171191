"""Losses of the papers, one function each, named as in the papers.

All of them take tensors and return a scalar tensor. Poses are (..., J, 2) or (..., J, 3) in the units
of the method (1 = mean distance from head to root), never in millimetres.
"""

import torch
from torch import Tensor

__all__ = [
    "l_2d",
    "l_3d",
    "l_adv_generator",
    "l_adv_discriminator",
    "l_tmc",
    "l_bone",
    "l_kl",
    "bone_lengths",
    "safe_norm",
]


def safe_norm(x: Tensor, eps: float = 1e-12) -> Tensor:
    """Euclidean norm over the last dimension whose gradient at zero is zero, not NaN.

    The root joint of a centred pose is exactly zero, and so is every joint at scale zero.
    """
    return (x.square().sum(-1) + eps).sqrt()


def _distance(a: Tensor, b: Tensor, norm: str) -> Tensor:
    if norm == "squared":
        return (a - b).square().sum(-1).mean()
    if norm == "euclidean":
        return safe_norm(a - b).mean()
    raise ValueError(f"norm is 'squared' or 'euclidean', not {norm!r}")


def l_2d(pose: Tensor, cycled: Tensor, norm: str = "squared") -> Tensor:
    r"""Reprojection loss, Yu et al. 2021, Eq. 11: :math:`\|J^{2D}_t - \tilde J^{2D}_t\|^2`.

    Arguments:
        pose: input 2D pose (..., J, 2).
        cycled: 2D pose after lift, rotation, second lift and rotation back (..., J, 2).
        norm: "squared" as the paper prints, or "euclidean" as its code computes.
    """
    return _distance(pose, cycled, norm)


def l_3d(pose: Tensor, cycled: Tensor, norm: str = "squared") -> Tensor:
    r"""3D consistency loss, Yu et al. 2021, Eq. 11: :math:`\|J^{3D}_t - \tilde J^{3D}_t\|^2`.

    Arguments:
        pose: first lifted pose (..., J, 3), here in the rotated frame (the same up to isometry).
        cycled: second lifted pose in the same frame (..., J, 3).
        norm: "squared" or "euclidean".
    """
    return _distance(pose, cycled, norm)


def l_adv_generator(fake_score: Tensor) -> Tensor:
    r"""Least-squares adversarial loss of the generator, Yu et al. 2021, Eq. 13."""
    return (fake_score - 1).square().mean()


def l_adv_discriminator(real_score: Tensor, fake_score: Tensor) -> Tensor:
    r"""Least-squares adversarial loss of the discriminator, Yu et al. 2021, Eq. 12."""
    return (real_score - 1).square().mean() + fake_score.square().mean()


def l_tmc(
    pose: Tensor, later: Tensor, cycled: Tensor, cycled_later: Tensor, norm: str = "squared"
) -> Tensor:
    r"""Multi-view motion consistency, Yu et al. 2021, Eq. 9.

    :math:`\|(J^{3D}_t - J^{3D}_{t+k}) - (\tilde J^{3D}_t - \tilde J^{3D}_{t+k})\|^2`, all (..., J, 3) in
    one frame of reference.
    """
    return _distance(pose - later, cycled - cycled_later, norm)


def bone_lengths(pose: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Lengths of the bones (..., B) of a pose (..., J, D); a parent of -1 marks the root."""
    children = [j for j, parent in enumerate(parents) if parent >= 0]
    return safe_norm(pose[..., children, :] - pose[..., [parents[j] for j in children], :])


def l_bone(pose: Tensor, other: Tensor, parents: tuple[int, ...], form: str = "relative") -> Tensor:
    r"""Bone consistency of two frames of one sequence, Yu et al. 2021, Eq. 5.

    Arguments:
        pose, other: two lifted poses of one person (..., J, 3).
        parents: parent of each joint.
        form: "absolute" is the equation as printed, :math:`\sum_b (b_1 - b_2)^2`, whose cheapest
            minimum is a scale of zero. "relative" is free of scale,
            :math:`\mathrm{mean}_b\, 4 (b_1 - b_2)^2 / (b_1 + b_2)^2`: multiplying both poses by one
            factor leaves it unchanged, so it cannot pull the scale down.
    """
    first, second = bone_lengths(pose, parents), bone_lengths(other, parents)
    if form == "absolute":
        return (first - second).square().sum(-1).mean()
    if form == "relative":
        return (4 * (first - second).square() / (first + second).square().clamp_min(1e-8)).mean()
    raise ValueError(f"form is 'relative' or 'absolute', not {form!r}")


def l_kl(values: Tensor, mean: float, deviation: float) -> Tensor:
    r"""Kullback-Leibler divergence of the batch's Gaussian from a prior, Yu et al. 2021, Eq. 4.

    :math:`\log(\sigma/\hat\sigma) + (\hat\sigma^2 + (\mu-\hat\mu)^2) / (2\sigma^2) - 1/2` with
    :math:`\hat\mu, \hat\sigma` the mean and the deviation of `values` (N,), N >= 2.
    """
    if values.numel() < 2:
        raise ValueError("l_kl needs at least two values to estimate a deviation")
    batch_mean = values.mean()
    # The deviation of a constant batch has no gradient; the floor is far below any real spread.
    batch_deviation = ((values - batch_mean).square().sum() / (values.numel() - 1) + 1e-12).sqrt()
    batch_deviation = batch_deviation + 1e-6
    return (
        torch.log(deviation / batch_deviation)
        + (batch_deviation.square() + (mean - batch_mean).square()) / (2 * deviation**2)
        - 0.5
    )
