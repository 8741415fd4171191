"""Losses of the papers, one function each, named as in the papers.

All of them take tensors and return a scalar tensor. Poses are (..., J, 2) or (..., J, 3) in the units
of the method (1 = mean distance from head to root), never in millimetres.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

__all__ = [
    "l_2d",
    "l_3d",
    "l_adv_generator",
    "l_adv_discriminator",
    "l_tmc",
    "l_bone",
    "l_kl",
    "l_cycle",
    "l_def",
    "l_nf",
    "l_bl",
    "l_omega",
    "l_d",
    "l_d_generator",
    "bone_lengths",
    "relative_bone_lengths",
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


def l_cycle(pose: Tensor, cycled: Tensor, norm: str = "squared") -> Tensor:
    r"""Consistency of the loop of rotations, Sosa & Hogg 2023, Eq. 4 and 5.

    :math:`\mathcal L_{3d} = \|\hat v' - \hat v\|^2` and :math:`\mathcal L_{2d} = \|y' - y\|^2`,
    each over all numbers of a pose, mean over the batch.

    Arguments:
        pose, cycled: (N, J, D).
        norm: "squared" as printed; ElePose's code has "euclidean" (not squared) in 3D and "absolute"
            (a sum of magnitudes) in 2D.
    """
    gap = (cycled - pose).flatten(1)
    if norm == "squared":
        return gap.square().sum(-1).mean()
    if norm == "euclidean":
        return safe_norm(gap).mean()
    if norm == "absolute":
        return gap.abs().sum(-1).mean()
    raise ValueError(f"norm is 'squared', 'euclidean' or 'absolute', not {norm!r}")


def l_def(pose: Tensor, cycled: Tensor, norm: str = "squared") -> Tensor:
    r"""Deformation between two samples, Sosa & Hogg 2023, Eq. 6, for samples 2 i and 2 i + 1 of a batch.

    :math:`\|(v'^{(j)} - v'^{(k)}) - (v^{(j)} - v^{(k)})\|^2`, poses (N, J, 3), N even; the two samples
    need not belong to one sequence or one person.
    """
    if len(pose) % 2:
        raise ValueError(f"l_def compares pairs: the batch must be even, not {len(pose)}")
    return l_cycle(pose[0::2] - pose[1::2], cycled[0::2] - cycled[1::2], norm)


def l_nf(log_prob: Tensor, limit: float | None = None) -> Tensor:
    r"""Prior of the flow, Sosa & Hogg 2023, Eq. 8: :math:`-\log p_Y(\bar y)`, mean over (N,).

    `limit` bounds the cost of one pose; beyond it there is no gradient.
    """
    cost = -log_prob
    return (cost if limit is None else cost.clamp_max(limit)).mean()


def relative_bone_lengths(pose: Tensor, parents: tuple[int, ...]) -> Tensor:
    """Lengths of the bones (..., B) of a pose (..., J, D), divided by their mean over the pose."""
    lengths = bone_lengths(pose, parents)
    return lengths / lengths.mean(-1, keepdim=True).clamp_min(1e-8)


def l_bl(pose: Tensor, parents: tuple[int, ...], ratios: Tensor, deviation: float) -> Tensor:
    r"""Relative bone lengths, Sosa & Hogg 2023, Eq. 10: Gaussian negative log-likelihood.

    :math:`\sum_n (b_n - \bar b_n)^2 / 2 \sigma_b^2`; the terms that depend on :math:`\sigma_b` alone,
    which have no gradient, are left out.

    Arguments:
        pose: (N, J, 3); parents: of each joint; ratios: :math:`\bar b_n` (B,), mean 1.
        deviation: :math:`\sigma_b`; 0.1 gives ElePose's weight of 50.
    """
    gap = relative_bone_lengths(pose, parents) - ratios
    return (gap.square().sum(-1) / (2 * deviation**2)).mean()


def l_omega(predicted: Tensor, truth: Tensor, swap: tuple[int, ...] | None = None) -> Tensor:
    r"""First term of Sosa & Hogg 2023, Eq. 9: :math:`\|\Omega(\kappa(u)) - u\|^2`, per joint.

    Arguments:
        predicted, truth: 2D poses (N, J, 2).
        swap: permutation of the joints that swaps left and right. A skeleton image of one channel
            looks the same after it, so with `swap` the nearer of the two labellings of the whole
            body counts; without it, as printed, the best answer is the mean of both, a body
            collapsed onto its middle.
    """
    plain = (predicted - truth).square().sum(-1).mean(-1)
    if swap is None:
        return plain.mean()
    return torch.minimum(plain, (predicted - truth[:, list(swap)]).square().sum(-1).mean(-1)).mean()


def l_d(real: list[Tensor], fake: list[Tensor], form: str = "log") -> Tensor:
    r"""Loss of the discriminator, Sosa & Hogg 2023, Eq. 3, over one score map (N, ...) a scale.

    "log": :math:`-\log D(w) - \log(1 - D(s))` of scores before the sigmoid, as printed. "squares": half
    the least squares of the code that the paper builds on, real 1 and fake 0.
    """
    pairs = list(zip(real, fake, strict=True))
    if form == "log":
        return sum(softplus(-r).mean() + softplus(f).mean() for r, f in pairs) / len(pairs)
    if form == "squares":
        total = sum((r - 1).square().mean() + f.square().mean() for r, f in pairs)
        return total / (2 * len(pairs))
    raise ValueError(f"form is 'log' or 'squares', not {form!r}")


def l_d_generator(fake: list[Tensor], form: str = "log") -> Tensor:
    r"""What :math:`\Phi` minimises of Eq. 3: :math:`-\log D(s)`, or :math:`(D(s) - 1)^2`, mean of scales.

    The logarithm in the form that keeps a gradient while D wins (Goodfellow et al. 2014).
    """
    if form == "log":
        return sum(softplus(-f).mean() for f in fake) / len(fake)
    if form == "squares":
        return sum((f - 1).square().mean() for f in fake) / len(fake)
    raise ValueError(f"form is 'log' or 'squares', not {form!r}")
