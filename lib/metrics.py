"""Evaluation metrics.

Poses are (..., J, D) tensors in millimetres, in 2D pixels; each metric gives one value a pose,
shape (...), except :func:`bplp_c`, which judges sets of poses, and :func:`part_f1`, which judges
label maps.

No metric moves the root: whoever wants root-relative errors (the protocol of Human3.6M, where the
root counts as a joint) centres both poses first. Each metric states what it forgives; it forgives
nothing else. Averages over frames and actions are the caller's. Fractions lie in [0, 1]. Degenerate
poses (all joints equal, or on a line) give finite values, and finite gradients where there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from lib.geometry import similarity_align

__all__ = [
    "BPLP_BONES",
    "BPLP_JOINTS",
    "auc",
    "bplp_c",
    "mpjpe",
    "n_mpjpe",
    "p_mpjpe",
    "part_f1",
    "pck",
    "pdj",
]

# The joints of Yoo and Russakovsky 2023, and the 13 lengths of their metric between them. The
# first, the torso, divides all of them.
BPLP_JOINTS = (
    *("abdomen", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("chest", "neck", "right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
BPLP_BONES = (
    *((8, 0), (0, 1), (1, 2), (2, 3), (0, 4), (4, 5), (5, 6)),
    *((7, 9), (9, 10), (10, 11), (7, 12), (12, 13), (13, 14)),
)


def _check(predicted: Tensor, target: Tensor) -> None:
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted has shape {tuple(predicted.shape)}, target {tuple(target.shape)}"
        )
    if predicted.ndim < 2 or 0 in predicted.shape[-2:]:
        raise ValueError(
            f"poses are (..., J, D) with at least one joint; got shape {tuple(predicted.shape)}"
        )
    if not (predicted.is_floating_point() and target.is_floating_point()):
        raise ValueError(f"poses are floating point; got {predicted.dtype} and {target.dtype}")


def _distances(predicted: Tensor, target: Tensor) -> Tensor:
    return torch.linalg.vector_norm(predicted - target, dim=-1)


def mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """Mean per joint position error (...) in mm: the mean distance of a joint from its target.

    Forgives nothing.
    """
    _check(predicted, target)
    return _distances(predicted, target).mean(dim=-1)


def n_mpjpe(predicted: Tensor, target: Tensor) -> Tensor:
    """MPJPE (...) in mm after scaling each prediction by the factor that suits its target best.

    The factor is <target, predicted> / <predicted, predicted>, least in the sum of squares (Rhodin
    et al. 2018, as in VideoPose3D). Forgives the scale about the origin, so centre the poses at the
    root first; no rotation, no translation. As the factor of least squares may be negative, a pose
    reflected in the origin is forgiven too. A prediction of zeros stays as it is.
    """
    _check(predicted, target)
    norm = predicted.square().sum(dim=(-2, -1), keepdim=True)
    product = (predicted * target).sum(dim=(-2, -1), keepdim=True)
    scale = product / norm.clamp(min=1e-12)
    return _distances(scale * predicted, target).mean(dim=-1)


def p_mpjpe(predicted: Tensor, target: Tensor, reflection: bool = False) -> Tensor:
    """MPJPE (...) in mm after Procrustes alignment of each prediction with its target.

    The alignment is :func:`lib.geometry.similarity_align`, least in the sum of squares. Forgives
    rotation, translation and scale of the prediction; a mirror image only with ``reflection``,
    which the protocol of Human3.6M does not allow. A prediction with all joints equal comes to the
    target's mean.
    """
    _check(predicted, target)
    return _distances(similarity_align(predicted, target, reflection), target).mean(dim=-1)


def pck(predicted: Tensor, target: Tensor, threshold: float = 150.0) -> Tensor:
    """Percentage of correct keypoints, as a share (...) in [0, 1].

    A joint is correct when it is less than ``threshold`` mm from its target, strictly, as in
    MPI-INF-3DHP's script. Forgives errors below the threshold.
    """
    _check(predicted, target)
    distances = _distances(predicted, target)
    return (distances < threshold).to(distances.dtype).mean(dim=-1)


def auc(
    predicted: Tensor, target: Tensor, thresholds: Sequence[float] | Tensor | None = None
) -> Tensor:
    """Area under the curve of :func:`pck` (...) in [0, 1]: its mean over ``thresholds``.

    The thresholds are 0, 5, ..., 150 mm unless given. At 0 no joint is correct, so that the best
    value over these is 30/31, as in MPI-INF-3DHP's script. Forgives an error up to the next
    threshold above it. Raises ValueError when there are no thresholds.
    """
    _check(predicted, target)
    thresholds = torch.arange(0, 151, 5) if thresholds is None else torch.as_tensor(thresholds)
    if thresholds.ndim != 1 or len(thresholds) == 0:
        raise ValueError(
            f"thresholds are a list of at least one number; got shape {tuple(thresholds.shape)}"
        )
    distances = _distances(predicted, target)
    # A joint is correct at the thresholds above its distance. Counting those that are not, by
    # bisection, makes no tensor of joints x thresholds.
    ordered = thresholds.to(distances).sort().values
    below = torch.searchsorted(ordered, distances.contiguous(), right=True)
    return 1 - below.to(distances.dtype).mean(dim=-1) / len(ordered)


def pdj(
    predicted: Tensor, target: Tensor, diagonal: Tensor | float, fraction: float = 0.05
) -> Tensor:
    """Percentage of detected joints, as a share (...) in [0, 1].

    A joint is detected when it is nearer to its target than ``fraction`` of ``diagonal`` (...), the
    diagonal of the person's bounding box in the unit of the poses (Yoo and Russakovsky 2023).
    Forgives errors below that distance; no swap of left and right. Raises ValueError when there is
    not one diagonal a pose, or one for all.
    """
    _check(predicted, target)
    diagonal = torch.as_tensor(diagonal, dtype=predicted.dtype, device=predicted.device)
    if diagonal.ndim > 0 and diagonal.shape != predicted.shape[:-2]:
        raise ValueError(
            f"one diagonal a pose: poses {tuple(predicted.shape)}, diagonal {tuple(diagonal.shape)}"
        )
    distances = _distances(predicted, target)
    return (distances < fraction * diagonal[..., None]).to(distances.dtype).mean(dim=-1)


def bplp_c(
    keypoints: Tensor,
    bones: Sequence[tuple[int, int]] = BPLP_BONES,
    torso: tuple[int, int] = (8, 0),
    eps: float = 1e-6,
) -> Tensor:
    """Body part length proportion consistency of sets of N poses (..., N, J, D), one value a set.

    The reciprocal of the mean over body parts of the standard deviation over the poses of the
    part's length divided by the torso's (Yoo and Russakovsky 2023). ``bones`` are the parts as
    pairs of joints, ``torso`` is the part that divides; the defaults are the paper's 13 lengths
    between :data:`BPLP_JOINTS`. As in the authors' code the torso is itself a part, which deviates
    by 0, and the deviation is that of a sample (N - 1).

    No ground truth is needed: it asks whether the body keeps its proportions, not whether a pose is
    right, and a stiff figure scores best. Forgives translation, rotation and scale of each pose.
    The mean deviation, and the torso's length relative to the pose's longest part, count as ``eps``
    at least, so that a stiff or collapsed figure has a finite score. Raises ValueError for fewer
    than two poses, no joints, no bones, or a bone whose joint is not there.
    """
    if keypoints.ndim < 3 or 0 in keypoints.shape[-2:]:
        raise ValueError(
            f"keypoints are (..., N, J, D) with at least one joint; got {tuple(keypoints.shape)}"
        )
    if keypoints.shape[-3] < 2:
        raise ValueError(f"consistency needs at least two poses; got {tuple(keypoints.shape)}")
    if len(bones) == 0:
        raise ValueError("bplp_c needs at least one bone")
    highest = max(max(pair) for pair in (*bones, torso))
    if highest >= keypoints.shape[-2]:
        raise ValueError(
            f"a bone has joint {highest}, but the keypoints have {keypoints.shape[-2]} joints"
        )
    starts, ends = zip(*bones, torso, strict=True)
    lengths = _distances(keypoints[..., starts, :], keypoints[..., ends, :])
    parts, reference = lengths[..., :-1], lengths[..., -1:]
    floor = eps * lengths.amax(dim=-1, keepdim=True).clamp(min=1e-12)
    proportions = parts / torch.maximum(reference, floor)
    return 1 / proportions.std(dim=-2).mean(dim=-1).clamp(min=eps)


def part_f1(predicted: Tensor, target: Tensor, classes: int | Iterable[int]) -> Tensor:
    """F1 score (...) in [0, 1] of maps (..., H, W) of integer part labels, 0 = background.

    Of a part: 2 x common pixels / (predicted + target pixels). Of a map: the mean over the parts
    that either map shows; 1 when neither shows any. ``classes`` are the labels of the parts; a
    number n stands for 1, ..., n. Figure against ground: ``part_f1(predicted > 0, target > 0, 1)``.
    Forgives nothing. Raises ValueError for maps of different shapes, no pixels or no classes.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted has shape {tuple(predicted.shape)}, target {tuple(target.shape)}"
        )
    if predicted.ndim < 2 or 0 in predicted.shape[-2:]:
        raise ValueError(
            f"label maps are (..., H, W) with at least one pixel; got {tuple(predicted.shape)}"
        )
    if predicted.is_floating_point() or target.is_floating_point():
        raise ValueError(f"label maps are integers; got {predicted.dtype} and {target.dtype}")
    labels = range(1, classes + 1) if isinstance(classes, int) else tuple(classes)
    if len(labels) == 0:
        raise ValueError("part_f1 needs at least one class")
    total = torch.zeros(predicted.shape[:-2], device=predicted.device)
    shown = torch.zeros_like(total)
    for label in labels:
        mine, theirs = predicted == label, target == label
        size = mine.sum(dim=(-2, -1)) + theirs.sum(dim=(-2, -1))
        total += 2 * (mine & theirs).sum(dim=(-2, -1)) / size.clamp(min=1)
        shown += size > 0
    return torch.where(shown > 0, total / shown.clamp(min=1), 1.0)
