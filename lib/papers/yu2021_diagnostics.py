"""What the figures and claims of Yu et al. 2021 ask beyond errors: scales, depth signs, body sizes."""

import torch
from scipy.stats import gaussian_kde, kstest
from torch import Tensor

from lib.data.batches import Poses
from lib.losses import bone_lengths
from lib.metrics import p_mpjpe
from lib.papers.normalise import DEPTH, ROOT, bounding_extent, head_root, reference_scale
from lib.skeleton import HUMAN36M_17

__all__ = ["diagnose", "reference_scale_statistics"]

PARENTS = HUMAN36M_17.parents


def _clip_deviation(values: Tensor, clip: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of values (N,) within each clip, both (C,)."""
    names, index = clip.unique(return_inverse=True)
    count = values.new_zeros(len(names)).index_add(0, index, torch.ones_like(values))
    mean = values.new_zeros(len(names)).index_add(0, index, values) / count
    square = values.new_zeros(len(names)).index_add(0, index, (values - mean[index]).square())
    return mean, (square / count).sqrt()


def _correlation(a: Tensor, b: Tensor) -> float:
    a, b = a - a.mean(), b - b.mean()
    norm = a.norm() * b.norm()
    return float((a * b).sum() / norm) if norm > 1e-6 * len(a) ** 0.5 else 0.0


def diagnose(
    test: Poses, poses: Tensor, lifted: Tensor, scale: Tensor, unit_mm: Tensor
) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Scalars for the claims and arrays (N,) for the figures.

    Arguments:
        test: the test part; poses: its normalised 2D poses (N, J, 2); lifted: (N, J, 3) in units;
        scale: S (N,); unit_mm: millimetres a unit.
    """
    truth = test.joints_3d - test.joints_3d[:, :1]
    predicted = (lifted - lifted[:, :1]) * unit_mm
    reference = reference_scale(test.joints_3d, poses, unit_mm)
    size, true_size = bone_lengths(predicted, PARENTS).sum(-1), bone_lengths(truth, PARENTS).sum(-1)

    children = [j for j, parent in enumerate(PARENTS) if parent >= 0]
    parents = [PARENTS[j] for j in children]
    slope, true_slope = (p[:, children, 2] - p[:, parents, 2] for p in (predicted, truth))
    clear = true_slope.abs() > 50  # mm; flatter limbs have no depth sign worth the name
    aligned = p_mpjpe(predicted, truth)
    # a foreshortened trunk looks short for the size of the whole pose
    trunk = head_root(poses) / bounding_extent(poses)
    short = trunk <= trunk.quantile(0.2)
    values = {
        "scale_mean": float(scale.mean()),
        "scale_std": float(scale.std()),
        "scale_correlation": _correlation(scale, reference),
        "scale_distance": float((scale - reference).abs().mean()),
        "scale_temporal_std": float(_clip_deviation(scale, test.clip)[1].mean()),
        "body_scale_error": float((size / true_size).clamp_min(1e-6).log().abs().mean()),
        "depth_sign_error": float((slope * true_slope < 0)[clear].float().mean()),
        "depth_std": float((predicted[..., 2] / unit_mm).std()),
        "p_mpjpe_foreshortened": float(aligned[short].mean()),
        "p_mpjpe_upright": float(aligned[~short].mean()),
    }
    return values, {"scale": scale, "reference_scale": reference}


def reference_scale_statistics(test: Poses, poses: Tensor, unit_mm: Tensor) -> dict[str, float]:
    """How S_ref behaves in the sequences of a test part (Yu et al., Fig. 3), and Eq. 2's residual.

    sref_temporal_std: mean deviation within a sequence; sref_between_std: deviation of the sequence
    means; sref_modes: mean number of modes of a kernel density (Scott's bandwidth) a sequence;
    sref_normal_distance: mean Kolmogorov-Smirnov distance to the fitted normal;
    orthographic_residual: what a scaled orthographic projection leaves unexplained, of the extent.
    """
    reference = reference_scale(test.joints_3d, poses, unit_mm)
    mean, deviation = _clip_deviation(reference, test.clip)
    modes, distances = [], []
    for clip in test.clip.unique().tolist():
        values = reference[test.clip == clip].double().cpu().numpy()
        if values.std() < 1e-6:
            continue
        grid = torch.linspace(float(values.min()), float(values.max()), 128).numpy()
        density = gaussian_kde(values)(grid)
        inner = (density[1:-1] > density[:-2]) & (density[1:-1] >= density[2:])
        modes.append(max(1, int(inner.sum())))
        standard = (values - values.mean()) / values.std()
        distances.append(float(kstest(standard, "norm").statistic))
    unit = (test.joints_3d - test.joints_3d[:, ROOT : ROOT + 1]) / unit_mm
    perspective = unit[..., :2] / (unit[..., 2:] + DEPTH)
    flat = unit[..., :2]
    best = (perspective * flat).sum((-1, -2)) / flat.square().sum((-1, -2)).clamp_min(1e-8)
    residual = (perspective - best[:, None, None] * flat).norm(dim=(-1, -2))
    return {
        "sref_mean": float(reference.mean()),
        "sref_std": float(reference.std()),
        "sref_temporal_std": float(deviation.mean()),
        "sref_between_std": float(mean.std()),
        "sref_modes": float(sum(modes) / max(1, len(modes))),
        "sref_normal_distance": float(sum(distances) / max(1, len(distances))),
        "orthographic_residual": float((residual / perspective.norm(dim=(-1, -2))).mean()),
    }
