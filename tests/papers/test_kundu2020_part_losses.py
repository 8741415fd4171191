"""Kundu et al., CVPR 2020, losses: a second implementation of each, where it is zero, what it teaches."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from lib.papers.kundu2020_part_losses import (
    SQUARES,
    bone_lengths,
    image_c,
    image_u,
    pose_distance,
    segmentation,
    silhouette,
    view_distance,
)
from lib.papers.kundu2020_part_model import GREY, figure

N, S = 2, 8


def rand(*shape):
    return torch.rand(shape, dtype=torch.float64)


def poses(count=3):
    return SimpleNamespace(
        joints=torch.randn(count, 17, 3), turned=torch.randn(count, 17, 3), points=rand(count, 23, 2)
    )


# L_I^u


@pytest.mark.parametrize("normalised", [False, True])
def test_image_u_is_the_difference_of_people_over_grey(normalised):
    drawn, picture, s, m = rand(N, 3, S, S), rand(N, 3, S, S), rand(N, 1, S, S), rand(N, 1, S, S)
    a, b, c, d = (v.numpy() for v in (drawn, s, picture, m))
    difference = [
        d[n, 0, y, x] * (c[n, k, y, x] - GREY) - b[n, 0, y, x] * (a[n, k, y, x] - GREY)
        for n in range(N) for k in range(3) for y in range(S) for x in range(S)
    ]  # fmt: skip
    expected = np.abs(difference).mean()
    if normalised:
        expected = (expected + SQUARES * np.square(difference).mean()) / d.mean()
    assert float(image_u(drawn, s, picture, m, normalised)) == pytest.approx(expected)


def test_image_u_is_zero_where_the_same_person_is_drawn_and_sees_no_background():
    picture, m = rand(N, 3, S, S), (rand(N, 1, S, S) > 0.5).double()
    elsewhere = torch.where(m > 0, picture, rand(N, 3, S, S))
    for normalised in (True, False):
        assert float(image_u(elsewhere, m, picture, m, normalised)) == 0
        assert float(image_u(elsewhere, m, elsewhere, m, normalised)) == 0
        assert float(image_u(elsewhere, m, 1 - picture, m, normalised)) > 0


def test_image_u_of_nobody_is_finite():
    nobody = torch.zeros(N, 1, S, S)
    assert float(image_u(torch.rand(N, 3, S, S), nobody, torch.rand(N, 3, S, S), nobody, True)) == 0


# L_I^c


def test_image_c_is_what_is_painted_off_the_puppet():
    drawn, s, w_fg, w_unc = rand(N, 3, S, S), rand(N, 1, S, S), rand(N, S, S), rand(N, S, S)
    expected = np.mean([
        (1 - max(w_fg[n, y, x], w_unc[n, y, x])) * abs(s[n, 0, y, x] * (drawn[n, k, y, x] - GREY))
        for n in range(N) for k in range(3) for y in range(S) for x in range(S)
    ])  # fmt: skip
    assert float(image_c(drawn, s, w_fg, w_unc)) == pytest.approx(float(expected))


def test_image_c_forgives_the_puppet_its_ring_and_grey():
    drawn, s = rand(N, 3, S, S).requires_grad_(), torch.ones(N, 1, S, S).double()
    w_fg, w_unc = torch.zeros(2, N, S, S).double().unbind(0)
    w_fg[:, :3], w_unc[:, 3:5] = 1, 1
    (gradient,) = torch.autograd.grad(image_c(drawn, s, w_fg, w_unc), drawn)
    assert not gradient[:, :, :5].any() and (gradient[:, :, 5:] != 0).all()
    assert float(image_c(torch.full_like(drawn, GREY), s, w_fg, w_unc)) == 0


# L_seg


def test_segmentation_is_cross_entropy_off_the_ring_and_entropy_within():
    logits, w_unc = torch.randn(N, 11, S, S).double(), rand(N, S, S)
    labels = torch.randint(0, 11, (N, S, S)).byte()
    p = np.exp(logits.numpy())
    p /= p.sum(1, keepdims=True)
    off, within = [], []
    for n in range(N):
        for y in range(S):
            for x in range(S):
                w = float(w_unc[n, y, x])
                off.append(-(1 - w) * np.log(p[n, int(labels[n, y, x]), y, x]))
                within.append(-w * (p[n, :, y, x] * np.log(p[n, :, y, x])).sum())
    cross, entropy = segmentation(logits, labels, w_unc)
    assert float(cross) == pytest.approx(np.mean(off)) and float(entropy) == pytest.approx(np.mean(within))


def test_within_the_ring_labels_say_nothing_and_off_it_entropy_does_not():
    labels = torch.randint(0, 11, (N, S, S)).byte()
    logits = torch.randn(N, 11, S, S, requires_grad=True)
    ring = torch.zeros(N, S, S)
    ring[:, :4] = 1
    cross, entropy = segmentation(logits, labels, ring)
    (one,) = torch.autograd.grad(cross, logits, retain_graph=True)
    (other,) = torch.autograd.grad(entropy, logits)
    assert not one[:, :, :4].any() and one[:, :, 4:].any()
    assert not other[:, :, 4:].any() and other[:, :, :4].any()


def test_segmentation_of_certain_right_labels_is_zero_and_extreme_logits_are_finite():
    labels = torch.randint(0, 11, (N, S, S))
    logits = 100 * torch.nn.functional.one_hot(labels, 11).movedim(-1, 1).float()
    assert [float(v) for v in segmentation(logits, labels.byte(), torch.zeros(N, S, S))] == [0, 0]
    logits.requires_grad_()
    wrong = segmentation(logits, (10 - labels).byte(), torch.full((N, S, S), 0.5))
    (gradient,) = torch.autograd.grad(sum(wrong), logits)
    assert all(bool(v.isfinite()) for v in wrong) and bool(gradient.isfinite().all())


def test_the_figure_is_all_that_is_not_background():
    logits = torch.randn(N, 11, S, S)
    torch.testing.assert_close(figure(logits), torch.softmax(logits, 1)[:, 1:].sum(1, keepdim=True))


# What binds the puppet to the salient person


def test_the_silhouette_is_compared_at_three_sizes():
    w_fg, m_sal = rand(N, S, S), rand(N, 1, 2 * S, 2 * S)
    mine, true = w_fg.numpy(), m_sal[:, 0].numpy()

    def halved(maps):
        return (maps[:, ::2, ::2] + maps[:, 1::2, ::2] + maps[:, ::2, 1::2] + maps[:, 1::2, 1::2]) / 4

    true, expected = halved(true), 0.0
    for _ in range(3):
        expected += np.abs(mine - true).mean()
        mine, true = halved(mine), halved(true)
    assert float(silhouette(w_fg, m_sal)) == pytest.approx(expected)
    assert float(silhouette(m_sal[:, 0], m_sal)) == 0


# Poses


def test_distances_of_poses_are_means_of_absolute_differences():
    one, other = poses(), poses()
    found = pose_distance(one, other)
    for name, field in {"3d": "joints", "camera": "turned"}.items():
        expected = np.abs(getattr(one, field).numpy() - getattr(other, field).numpy()).mean()
        assert float(found[name]) == pytest.approx(expected)
    expected = np.abs(one.points.numpy() - other.points.numpy())[:, :17].mean()
    assert float(found["2d"]) == pytest.approx(expected)
    assert all(float(v) == 0 for v in pose_distance(one, one).values())


def test_two_views_of_one_pose_are_no_distance_apart():
    body = torch.randn(4, 17, 3).double()
    R_one, R_other, frame = (
        torch.from_numpy(Rotation.random(4, random_state=k).as_matrix()) for k in range(3)
    )
    one, other = (SimpleNamespace(joints=body, turned=body @ (R @ frame).mT) for R in (R_one, R_other))
    assert float(view_distance(one, other, R_one, R_other)) < 1e-12
    assert float(view_distance(other, one, R_other, R_one)) < 1e-12
    # taken the wrong way round, or of another person
    assert float(view_distance(one, other, R_other, R_one)) > 0.1
    moved = SimpleNamespace(joints=body + 0.25, turned=other.turned)
    assert float(view_distance(one, moved, R_one, R_other)) == pytest.approx(0.25)


def test_bones_are_compared_with_their_lengths():
    turned, lengths = torch.randn(3, 17, 3).double(), rand(17)
    parents = tuple(max(0, j - 1) for j in range(17))
    expected = np.mean([
        abs(np.linalg.norm(turned[n, j] - turned[n, parents[j]]) - float(lengths[j]))
        for n in range(3) for j in range(1, 17)
    ])  # fmt: skip
    assert float(bone_lengths(turned, lengths, parents)) == pytest.approx(expected)
    together = torch.zeros(1, 17, 3, requires_grad=True)
    bone_lengths(together, lengths.float(), parents).backward()
    assert bool(together.grad.isfinite().all())
