"""Metrics: equal to slow loops, invariant to what they forgive and to nothing else, finite."""

import time
from itertools import pairwise

import numpy as np
import pytest
import torch

from lib.geometry import rotation_x, rotation_y, rotation_z
from lib.metrics import (
    BPLP_BONES,
    BPLP_JOINTS,
    auc,
    bplp_c,
    mpjpe,
    n_mpjpe,
    p_mpjpe,
    part_f1,
    pck,
    pdj,
)


def pdj_100(predicted, target):
    return pdj(predicted, target, 2000.0)


def p_mpjpe_reflected(predicted, target):
    return p_mpjpe(predicted, target, reflection=True)


POSE_METRICS = [mpjpe, n_mpjpe, p_mpjpe, p_mpjpe_reflected, pck, auc, pdj_100]
ERRORS, FRACTIONS = POSE_METRICS[:4], POSE_METRICS[4:]


def poses(*batch, noise=60.0, dtype=torch.float64):
    """Predictions and targets, a person's size, the root at the origin."""
    target = torch.randn(*batch, 17, 3, dtype=dtype) * 300
    predicted = target + torch.randn_like(target) * noise
    return predicted - predicted[..., :1, :], target - target[..., :1, :]


def rotation(dtype=torch.float64):
    turns = torch.tensor([0.7, -1.1, 2.3], dtype=dtype)
    return rotation_x(turns[0]) @ rotation_y(turns[1]) @ rotation_z(turns[2])


# Slow loops


def slow_distances(predicted, target):
    return [
        sum((a - b) ** 2 for a, b in zip(p, t, strict=True)) ** 0.5
        for p, t in zip(predicted, target, strict=True)
    ]


def slow_mpjpe(predicted, target):
    return float(np.mean(slow_distances(predicted, target)))


def slow_n_mpjpe(predicted, target):
    scale = (predicted * target).sum() / (predicted * predicted).sum()
    return slow_mpjpe(scale * predicted, target)


def slow_p_mpjpe(predicted, target, reflection=False):
    """Procrustes as VideoPose3D writes it, for one pose."""
    mean_t, mean_p = target.mean(0), predicted.mean(0)
    X0, Y0 = target - mean_t, predicted - mean_p
    norm_x, norm_y = np.sqrt((X0**2).sum()), np.sqrt((Y0**2).sum())
    X0, Y0 = X0 / norm_x, Y0 / norm_y
    U, s, Vt = np.linalg.svd(X0.T @ Y0)
    V = Vt.T
    R = V @ U.T
    if not reflection and np.linalg.det(R) < 0:
        V[:, -1] *= -1
        s[-1] *= -1
        R = V @ U.T
    scale = s.sum() * norm_x / norm_y
    return slow_mpjpe(scale * predicted @ R + mean_t - scale * mean_p @ R, target)


def slow_pck(predicted, target, threshold=150.0):
    return float(np.mean([d < threshold for d in slow_distances(predicted, target)]))


def slow_auc(predicted, target):
    return float(np.mean([slow_pck(predicted, target, 5.0 * step) for step in range(31)]))


SLOW = [
    slow_mpjpe,
    slow_n_mpjpe,
    slow_p_mpjpe,
    lambda predicted, target: slow_p_mpjpe(predicted, target, True),
    slow_pck,
    slow_auc,
    lambda predicted, target: slow_pck(predicted, target, 100.0),
]


@pytest.mark.parametrize("metric, slow", list(zip(POSE_METRICS, SLOW, strict=True)))
def test_equals_a_slow_loop(metric, slow, batch, dtype):
    predicted, target = poses(*batch, dtype=dtype)
    values = metric(predicted, target)
    assert values.shape == batch and values.dtype == dtype
    pairs = zip(
        predicted.reshape(-1, 17, 3).double(), target.reshape(-1, 17, 3).double(), strict=True
    )
    expected = np.reshape([slow(p.numpy(), t.numpy()) for p, t in list(pairs)[:40]], -1)
    np.testing.assert_allclose(
        values.reshape(-1)[:40], expected, rtol=1e-5 if dtype.itemsize == 4 else 1e-9
    )


def test_p_mpjpe_of_far_reflections_equals_a_slow_loop():
    """Unrelated poses, for half of which the best orthogonal matrix is a reflection."""
    predicted, target = torch.randn(2, 60, 17, 3, dtype=torch.float64)
    for reflection in (False, True):
        values = p_mpjpe(predicted, target, reflection)
        expected = [
            slow_p_mpjpe(p, t, reflection)
            for p, t in zip(predicted.numpy(), target.numpy(), strict=True)
        ]
        np.testing.assert_allclose(values, expected, rtol=1e-9)


# What each forgives, and only that

CHANGES = {
    "translation": lambda x: x + torch.tensor([400.0, -300.0, 900.0]),
    "scale": lambda x: 1.7 * x,
    "rotation": lambda x: x @ rotation().mT,
    "reflection": lambda x: x * torch.tensor([-1.0, 1.0, 1.0]),
    "point reflection": lambda x: -x,
    "one axis scaled": lambda x: x * torch.tensor([1.0, 1.0, 1.7]),
    "one joint moved": lambda x: x + torch.eye(17)[:, 5:6] * 400.0,
    "joints permuted": lambda x: x.roll(1, dims=-2),
}
SIMILARITY = {"translation", "scale", "rotation"}
FORGIVEN = {
    mpjpe: set(),
    n_mpjpe: {"scale", "point reflection"},
    p_mpjpe: SIMILARITY,
    p_mpjpe_reflected: SIMILARITY | {"reflection", "point reflection"},
    pck: set(),
    auc: set(),
    pdj_100: set(),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("metric", POSE_METRICS, ids=lambda metric: metric.__name__)
def test_forgives_that_and_only_that(metric, change):
    predicted, target = poses(32, noise=10.0)
    before, after = metric(predicted, target), metric(CHANGES[change](predicted), target)
    if change in FORGIVEN[metric]:
        torch.testing.assert_close(after, before)
    elif metric in FRACTIONS:
        assert (after < before - 0.02).float().mean() > 0.9
    else:
        assert ((after - before).abs() > 1).float().mean() > 0.9


@pytest.mark.parametrize("metric", [mpjpe, pck, auc, pdj_100], ids=lambda metric: metric.__name__)
def test_moving_both_poses_together_changes_nothing(metric):
    predicted, target = poses(32)
    for change in ("translation", "rotation", "reflection"):
        moved = metric(CHANGES[change](predicted), CHANGES[change](target))
        torch.testing.assert_close(moved, metric(predicted, target))


def test_each_forgives_no_less_than_the_one_before():
    """On average: each fit is least in the sum of squares, so a single mean distance may rise."""
    predicted, target = poses(256, noise=600.0)
    errors = [metric(predicted, target).mean() for metric in ERRORS]
    assert all(less < more for more, less in pairwise(errors))


@pytest.mark.parametrize("metric", ERRORS, ids=lambda metric: metric.__name__)
def test_errors_of_the_target_itself_are_zero_and_scale_with_the_unit(metric):
    predicted, target = poses(8)
    torch.testing.assert_close(metric(target, target), torch.zeros(8).double(), atol=1e-9, rtol=0)
    torch.testing.assert_close(metric(predicted / 10, target / 10) * 10, metric(predicted, target))


def test_mean_over_joints_counts_the_root():
    predicted, target = torch.zeros(17, 3), torch.zeros(17, 3)
    predicted[3] = torch.tensor([30.0, 40.0, 0.0])
    assert mpjpe(predicted, target) == pytest.approx(50 / 17)
    assert pck(predicted, target, 50.0) == pytest.approx(16 / 17)  # strictly nearer
    assert pck(predicted, target, 50.01) == 1


# Fractions


@pytest.mark.parametrize("metric", FRACTIONS, ids=lambda metric: metric.__name__)
def test_fractions_are_bounded_and_fall_with_the_error(metric):
    direction = torch.randn(32, 17, 3, dtype=torch.float64)
    target = torch.randn_like(direction) * 300
    values = torch.stack([metric(target + s * direction, target) for s in (0, 5, 20, 80, 320, 1e9)])
    assert (values >= 0).all() and (values <= 1).all()
    assert (values.diff(dim=0) <= 0).all()
    assert (values[-1] == 0).all()
    torch.testing.assert_close(
        values[0], torch.full((32,), 30 / 31 if metric is auc else 1.0).double()
    )


def test_pck_rises_with_the_threshold_and_auc_is_its_mean():
    predicted, target = poses(64)
    thresholds = [0.0, 5.0, 40.0, 90.0, 150.0, 1e6]
    values = torch.stack([pck(predicted, target, threshold) for threshold in thresholds])
    assert (values.diff(dim=0) >= 0).all() and (values[0] == 0).all() and (values[-1] == 1).all()
    torch.testing.assert_close(auc(predicted, target, thresholds), values.mean(dim=0))
    torch.testing.assert_close(auc(predicted, target, thresholds[::-1]), values.mean(dim=0))
    with pytest.raises(ValueError, match="thresholds"):
        auc(predicted, target, [])


def test_auc_counts_a_distance_equal_to_a_threshold_as_wrong_there():
    predicted, target = torch.zeros(1, 3), torch.zeros(1, 3)
    predicted[0, 0] = 75.0
    assert auc(predicted, target) == pytest.approx(15 / 31)  # 80, 85, ..., 150


def test_pdj_measures_against_each_diagonal(dtype):
    target = torch.zeros(3, 15, 2, dtype=dtype)
    predicted = target + torch.tensor([6.0, 8.0], dtype=dtype)
    diagonal = torch.tensor([199.0, 201.0, 0.0])
    assert pdj(predicted, target, diagonal).tolist() == [0, 1, 0]
    assert pdj(predicted, target, diagonal, fraction=0.1).tolist() == [1, 1, 0]
    assert pdj(predicted, target, 300.0).tolist() == [1, 1, 1]
    with pytest.raises(ValueError, match="one diagonal a pose"):
        pdj(predicted, target, torch.ones(3, 15))
    with pytest.raises(ValueError, match="one diagonal a pose"):
        pdj(predicted, target, torch.ones(2))


# Degenerate poses and bad input


@pytest.mark.parametrize("metric", POSE_METRICS, ids=lambda metric: metric.__name__)
def test_degenerate_poses_are_finite_with_finite_gradients(metric, dtype):
    general = poses(dtype=dtype)[1]
    line = torch.linspace(0, 1, 17, dtype=dtype)[:, None] * torch.tensor([100.0, 200.0, -50.0])
    shapes = [general, torch.zeros_like(general), torch.full_like(general, 123.4), line.to(dtype)]
    predicted = torch.stack([shape for shape in shapes for _ in shapes]).requires_grad_()
    target = torch.stack(shapes * len(shapes)).requires_grad_()
    values = metric(predicted, target)
    assert values.isfinite().all() and (values >= 0).all()
    if metric in ERRORS:
        values.sum().backward()
        assert predicted.grad.isfinite().all() and target.grad.isfinite().all()


def test_collapsed_prediction_scores_as_the_mean_of_the_target():
    target = poses(8)[1]
    spread = mpjpe(target.mean(dim=-2, keepdim=True).expand_as(target), target)
    torch.testing.assert_close(p_mpjpe(torch.full_like(target, 4321.1), target), spread)


def test_one_bad_pose_spoils_no_other():
    predicted, target = poses(4)
    clean = [metric(predicted, target) for metric in POSE_METRICS]
    predicted[1, 0, 0] = torch.nan
    for metric, expected in zip(POSE_METRICS, clean, strict=True):
        values = metric(predicted, target)
        torch.testing.assert_close(values[[0, 2, 3]], expected[[0, 2, 3]])
        assert values[1].isnan() if metric in ERRORS else values[1] < 1


@pytest.mark.parametrize("metric", POSE_METRICS, ids=lambda metric: metric.__name__)
@pytest.mark.parametrize(
    "first, second, message",
    [
        (torch.zeros(4, 17, 3), torch.zeros(4, 16, 3), r"\(4, 17, 3\), target \(4, 16, 3\)"),
        (torch.zeros(4, 17, 3), torch.zeros(17, 3), r"\(4, 17, 3\), target \(17, 3\)"),
        (torch.zeros(4, 0, 3), torch.zeros(4, 0, 3), "at least one joint"),
        (torch.zeros(3), torch.zeros(3), "at least one joint"),
        (torch.zeros(17, 3).long(), torch.zeros(17, 3).long(), "floating point"),
    ],
)
def test_bad_shapes_are_named(metric, first, second, message):
    with pytest.raises(ValueError, match=message):
        metric(first, second)


@pytest.mark.parametrize("metric", POSE_METRICS, ids=lambda metric: metric.__name__)
def test_no_poses_give_no_values(metric):
    assert metric(torch.zeros(0, 17, 3), torch.zeros(0, 17, 3)).shape == (0,)


def test_p_mpjpe_of_100_000_poses_is_fast():
    predicted, target = poses(100_000, dtype=torch.float32)
    p_mpjpe(predicted[:100], target[:100])
    start = time.process_time()
    p_mpjpe(predicted, target)
    assert time.process_time() - start < 3  # about 0.3 s on a free core


# Body part length proportions


def figures(count=64, dtype=torch.float64):
    """Two-dimensional poses of the 15 joints."""
    return torch.randn(count, 15, 2, dtype=dtype) * 40 + 128


def slow_bplp_c(keypoints):
    index = {name: joint for joint, name in enumerate(BPLP_JOINTS)}
    parts = [("neck", "abdomen")]
    for side in ("right", "left"):
        leg = ["abdomen", f"{side}_hip", f"{side}_knee", f"{side}_ankle"]
        arm = ["chest", f"{side}_shoulder", f"{side}_elbow", f"{side}_wrist"]
        parts += [*pairwise(leg), *pairwise(arm)]
    assert len(parts) == 13 == len(BPLP_BONES)
    deviations = []
    for first, second in parts:
        ratios = []
        for pose in keypoints:
            torso = np.linalg.norm(pose[index["neck"]] - pose[index["abdomen"]])
            ratios.append(np.linalg.norm(pose[index[first]] - pose[index[second]]) / torso)
        deviations.append(np.std(ratios, ddof=1))
    return 1 / np.mean(deviations)


def test_bplp_c_equals_a_slow_loop(dtype):
    sets = torch.stack([figures(dtype=dtype), figures(dtype=dtype)])
    expected = [slow_bplp_c(keypoints.double().numpy()) for keypoints in sets]
    np.testing.assert_allclose(bplp_c(sets), expected, rtol=1e-3)
    torch.testing.assert_close(bplp_c(sets[0]), bplp_c(sets)[0])


def test_bplp_c_forgives_a_similarity_of_each_pose_and_no_stretching():
    keypoints = figures()
    angle = torch.rand(64, dtype=torch.float64) * 6
    scale = torch.rand(64, 1, 1, dtype=torch.float64) + 0.5
    moved = scale * keypoints @ rotation_z(angle)[:, :2, :2] + torch.randn(64, 1, 2) * 100
    torch.testing.assert_close(bplp_c(moved), bplp_c(keypoints))
    torch.testing.assert_close(bplp_c(keypoints.flip(0)), bplp_c(keypoints))
    stretch = torch.cat([torch.ones(64, 1, 1), 1 + 3 * torch.rand(64, 1, 1)], dim=-1)
    assert (bplp_c(keypoints * stretch) / bplp_c(keypoints) - 1).abs() > 0.02


def test_bplp_c_rises_with_consistency_and_is_finite_at_the_ends():
    one = torch.randn(1, 15, 2, dtype=torch.float64) * 40
    wobble = torch.randn(64, 15, 2, dtype=torch.float64)
    scores = [bplp_c(one + noise * wobble) for noise in (0.0, 0.01, 0.1, 1.0)]
    assert all(better > worse for better, worse in pairwise(scores))
    assert scores[0].isfinite()
    assert bplp_c(torch.zeros(8, 15, 2)).isfinite()
    torsoless = figures()
    torsoless[3, 8] = torsoless[3, 0]
    assert bplp_c(torsoless).isfinite()


def test_bplp_c_of_another_skeleton_and_of_bad_input():
    keypoints = torch.randn(9, 4, 3)
    assert bplp_c(keypoints, bones=[(0, 1), (1, 2), (2, 3)], torso=(0, 1)).shape == ()
    with pytest.raises(ValueError, match="joint 14, but the keypoints have 4"):
        bplp_c(keypoints)
    with pytest.raises(ValueError, match="two poses"):
        bplp_c(torch.zeros(1, 15, 2))
    with pytest.raises(ValueError, match="at least one bone"):
        bplp_c(torch.zeros(5, 15, 2), bones=[])
    with pytest.raises(ValueError, match="at least one joint"):
        bplp_c(torch.zeros(5, 0, 2))


# Parts


def slow_part_f1(predicted, target, classes):
    scores = []
    for label in classes:
        tp = fp = fn = 0
        for mine, theirs in zip(predicted.flatten(), target.flatten(), strict=True):
            tp += mine == label and theirs == label
            fp += mine == label and theirs != label
            fn += mine != label and theirs == label
        if tp + fp + fn:
            precision, recall = tp / max(tp + fp, 1), tp / max(tp + fn, 1)
            scores.append(2 * precision * recall / max(precision + recall, 1e-12))
    return np.mean(scores) if scores else 1.0


def test_part_f1_equals_a_slow_loop():
    predicted, target = torch.randint(0, 5, (2, 6, 8, 8))
    target[0][target[0] == 3] = 0
    predicted[0][predicted[0] == 3] = 0  # a part that neither shows does not count
    for classes in (4, [2, 4]):
        labels = range(1, 5) if classes == 4 else classes
        expected = [
            slow_part_f1(p.numpy(), t.numpy(), labels)
            for p, t in zip(predicted, target, strict=True)
        ]
        np.testing.assert_allclose(part_f1(predicted, target, classes), expected, rtol=1e-5)


def test_part_f1_bounds_and_conventions():
    target = torch.randint(0, 4, (3, 16, 16), dtype=torch.uint8)
    assert part_f1(target, target, 3).tolist() == [1, 1, 1]
    assert part_f1(torch.zeros_like(target), target, 3).tolist() == [0, 0, 0]
    assert part_f1(torch.zeros(4, 4).bool(), torch.zeros(4, 4).bool(), 1) == 1
    swapped = torch.tensor([0, 2, 1, 3], dtype=torch.uint8)[target.long()]
    assert (part_f1(swapped, target, 3) < 0.5).all()  # labels count ...
    assert (part_f1(swapped > 0, target > 0, 1) == 1).all()  # ... but not to the figure
    assert (part_f1(target.roll(1, dims=-1), target, 3) < 0.6).all()


@pytest.mark.parametrize(
    "first, second, classes, message",
    [
        (torch.zeros(4, 4).int(), torch.zeros(4, 5).int(), 3, "target"),
        (torch.zeros(4, 0).int(), torch.zeros(4, 0).int(), 3, "at least one pixel"),
        (torch.zeros(4, 4), torch.zeros(4, 4), 3, "integers"),
        (torch.zeros(4, 4).int(), torch.zeros(4, 4).int(), 0, "at least one class"),
    ],
)
def test_part_f1_refuses(first, second, classes, message):
    with pytest.raises(ValueError, match=message):
        part_f1(first, second, classes)
