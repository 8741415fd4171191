"""Losses: zero at equality, invariant to what they forgive, finite gradients where norms vanish."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy, mse_loss

from lib.geometry import rotation_x, rotation_y
from lib.losses import (
    bone_lengths,
    l_2d,
    l_3d,
    l_adv_discriminator,
    l_adv_generator,
    l_bl,
    l_bone,
    l_cycle,
    l_d,
    l_d_generator,
    l_def,
    l_kl,
    l_nf,
    l_omega,
    l_tmc,
    relative_bone_lengths,
    safe_norm,
)
from lib.skeleton import HUMAN36M_17

PARENTS = HUMAN36M_17.parents
SWAP = HUMAN36M_17.mirror
CYCLE_NORMS = ["squared", "euclidean", "absolute"]
GAN_FORMS = ["log", "squares"]
NORMS = ["squared", "euclidean"]
FORMS = ["relative", "absolute"]


def poses(*batch, size=3, count=2):
    """Centred poses in units of the method, the root exactly zero."""
    drawn = [torch.randn(*batch, 17, size, dtype=torch.float64) * 0.4 for _ in range(count)]
    return [pose - pose[..., :1, :] for pose in drawn]


def gradients(loss, *tensors):
    return torch.autograd.grad(loss, tensors)


def finite(*tensors):
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize(("loss", "size"), [(l_2d, 2), (l_3d, 3)])
def test_reprojection_losses_are_mean_distances(loss, size, norm):
    first, second = poses(5, size=size)
    distance = (first - second).norm(dim=-1)
    expected = distance.square() if norm == "squared" else distance
    torch.testing.assert_close(loss(first, second, norm), expected.mean(), rtol=1e-6, atol=1e-6)
    assert float(loss(first, second, norm)) == float(loss(second, first, norm)) > 0
    assert float(loss(first, first, norm)) < 1e-5


def test_adversarial_losses_are_least_squares():
    real, fake = torch.tensor([1.0, 1.0]), torch.tensor([0.0, 0.0])
    assert l_adv_generator(real) == 0 and l_adv_generator(fake) == 1
    assert l_adv_discriminator(real, fake) == 0 and l_adv_discriminator(fake, real) == 2


@pytest.mark.parametrize("norm", NORMS)
def test_motion_consistency_compares_displacements_alone(norm):
    now, later, cycled, cycled_later = poses(4, count=4)
    value = l_tmc(now, later, cycled, cycled_later, norm)
    assert value > 0.01
    shift, other = torch.randn(2, 4, 1, 3, dtype=torch.float64)
    moved = l_tmc(now + shift, later + shift, cycled + other, cycled_later + other, norm)
    torch.testing.assert_close(moved, value)
    swapped = l_tmc(later, now, cycled_later, cycled, norm)  # time run backwards
    torch.testing.assert_close(swapped, value)
    rotation = rotation_x(torch.tensor(0.3).double()) @ rotation_y(torch.tensor(2.0).double())
    torch.testing.assert_close(
        l_tmc(*(p @ rotation.T for p in (now, later, cycled, cycled_later)), norm), value
    )
    # a deformation that both frames share is forgiven, one of a single frame is not
    assert l_tmc(now, later, now + other.abs() * cycled, later + other.abs() * cycled, norm) < 1e-5
    assert l_tmc(now, later, now + cycled, later, norm) > 0.01


def test_bone_lengths_against_a_loop():
    (pose,) = poses(3, count=1)
    lengths = bone_lengths(pose, PARENTS)
    assert lengths.shape == (3, 16)
    children = [joint for joint in range(17) if PARENTS[joint] >= 0]
    for column, joint in enumerate(children):
        expected = (pose[:, joint] - pose[:, PARENTS[joint]]).square().sum(-1).sqrt()
        torch.testing.assert_close(lengths[:, column], expected)


@pytest.mark.parametrize("form", FORMS)
def test_bone_loss_forgives_motion_and_not_growth(form):
    first, second = poses(6)
    rotation = rotation_y(torch.rand(6, dtype=torch.float64) * 6)
    moved = first @ rotation.mT + torch.randn(6, 1, 3, dtype=torch.float64)
    assert l_bone(first, moved, PARENTS, form) < 1e-9
    assert l_bone(first, 1.2 * first, PARENTS, form) > 1e-3
    torch.testing.assert_close(
        l_bone(first, second, PARENTS, form), l_bone(second, first, PARENTS, form)
    )


@pytest.mark.parametrize("factor", [0.01, 0.5, 3.0])
def test_relative_bone_loss_cannot_pull_the_scale_down(factor):
    first, second = poses(6)
    relative, absolute = (l_bone(first, second, PARENTS, form) for form in FORMS)
    torch.testing.assert_close(
        l_bone(factor * first, factor * second, PARENTS), relative, rtol=1e-4, atol=1e-8
    )
    scaled = l_bone(factor * first, factor * second, PARENTS, "absolute")
    torch.testing.assert_close(scaled, factor**2 * absolute, rtol=1e-3, atol=1e-9)

    scale = torch.tensor(factor, dtype=torch.float64, requires_grad=True)
    pull = {
        form: gradients(l_bone(scale * first, scale * second, PARENTS, form), scale)[0]
        for form in FORMS
    }
    assert abs(factor * pull["relative"]) < 1e-4 * relative
    assert factor * pull["absolute"] > 0.9 * scaled


@pytest.mark.parametrize(("spread", "count"), [(0.1, 512), (1.0, 7), (5.0, 64)])
@pytest.mark.parametrize(("mean", "deviation"), [(1.0, 0.1), (0.7, 0.05), (-2.0, 3.0)])
def test_kl_is_the_divergence_of_two_normals(spread, count, mean, deviation):
    values = 1 + spread * torch.randn(count, dtype=torch.float64)
    batch, prior = Normal(values.mean(), values.std()), Normal(mean, deviation)
    torch.testing.assert_close(
        l_kl(values, mean, deviation), kl_divergence(batch, prior), rtol=1e-3, atol=1e-4
    )


def test_kl_is_least_at_the_prior():
    values = torch.randn(1024, dtype=torch.float64)
    values = (values - values.mean()) / values.std()
    assert abs(float(l_kl(0.9 + 0.2 * values, 0.9, 0.2))) < 1e-5
    for wrong in (0.8 + 0.2 * values, 0.9 + 0.1 * values, 0.9 + 0.4 * values):
        assert l_kl(wrong, 0.9, 0.2) > 0.05


def test_kl_of_a_constant_batch_pulls_its_mean_without_exploding():
    values = torch.full((256,), 0.8, requires_grad=True)
    loss = l_kl(values, 1.0, 0.1)
    (gradient,) = gradients(loss, values)
    assert finite(loss, gradient) and bool((gradient < 0).all()) and gradient.abs().max() < 1
    with pytest.raises(ValueError, match="two values"):
        l_kl(values[:1], 1.0, 0.1)


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_at_identical_poses(norm):
    """Identical frames, and the root joint that is exactly zero in all of them."""
    (pose,) = poses(3, count=1)
    pose.requires_grad_()
    for loss in (
        l_2d(pose[..., :2], pose[..., :2].detach(), norm),
        l_3d(pose, pose.detach(), norm),
    ):
        assert finite(loss, *gradients(loss, pose))
    loss = l_tmc(pose, pose.detach(), pose.detach(), pose.detach(), norm)
    assert finite(loss, *gradients(loss, pose))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["scale 0", "one scale 0", "identical", "zero-length bone"])
def test_gradients_of_the_bone_loss(form, kind):
    first, second = poses(3)
    scale = torch.ones(2, dtype=torch.float64)
    if kind == "identical":
        second = first.clone()
    elif kind == "zero-length bone":
        first[:, 3], second[:, 3] = first[:, 2], second[:, 2]
    else:
        scale[0] = 0
        scale[1] = float(kind == "one scale 0")
    for tensor in (first, second, scale):
        tensor.requires_grad_()
    loss = l_bone(scale[0] * first, scale[1] * second, PARENTS, form)
    assert finite(loss, *gradients(loss, first, second, scale))


@pytest.mark.parametrize("size", [2, 3])
def test_safe_norm(size):
    x = torch.randn(100, size)
    torch.testing.assert_close(safe_norm(x), x.norm(dim=-1))
    zero = torch.zeros(4, size, requires_grad=True)
    (gradient,) = gradients(safe_norm(zero).sum(), zero)
    assert bool((safe_norm(zero) <= 1e-6).all()) and bool((gradient == 0).all())
    unit = torch.randn(100, size, dtype=torch.float64, requires_grad=True)
    (gradient,) = gradients(safe_norm(unit).sum(), unit)
    torch.testing.assert_close(
        gradient.norm(dim=-1), torch.ones(100).double(), rtol=1e-4, atol=1e-4
    )


def test_unknown_names_are_refused():
    first, second = poses(2)
    for loss in (l_2d, l_3d):
        with pytest.raises(ValueError, match="'squared' or 'euclidean', not 'l1'"):
            loss(first, second, norm="l1")
    with pytest.raises(ValueError, match="'squared' or 'euclidean'"):
        l_tmc(first, second, first, second, norm="l1")
    with pytest.raises(ValueError, match="'relative' or 'absolute', not 'log'"):
        l_bone(first, second, PARENTS, form="log")


def test_every_loss_is_a_scalar_that_does_not_depend_on_the_shape_of_the_batch():
    first, second, third, fourth = poses(4, 3, count=4)
    flat = [pose.flatten(0, 1) for pose in (first, second, third, fourth)]
    for loss in (
        lambda a, b, c, d: l_3d(a, b),
        lambda a, b, c, d: l_tmc(a, b, c, d),
        lambda a, b, c, d: l_bone(a, b, PARENTS),
        lambda a, b, c, d: l_bone(a, b, PARENTS, "absolute"),
    ):
        value = loss(first, second, third, fourth)
        assert value.shape == () and math.isfinite(value)
        torch.testing.assert_close(loss(*flat), value)


# Sosa & Hogg 2023


@pytest.mark.parametrize("norm", CYCLE_NORMS)
@pytest.mark.parametrize("size", [2, 3])
def test_cycle_loss_is_a_norm_over_the_whole_pose(norm, size):
    pose, cycled = poses(5, size=size)
    order = {"squared": 2, "euclidean": 2, "absolute": 1}[norm]
    expected = (pose - cycled).flatten(1).norm(order, dim=1)
    expected = (expected.square() if norm == "squared" else expected).mean()
    torch.testing.assert_close(l_cycle(pose, cycled, norm), expected)
    assert float(l_cycle(pose, pose, norm)) < 1e-5
    pose.requires_grad_()
    assert finite(*gradients(l_cycle(pose, pose.detach(), norm), pose))


@pytest.mark.parametrize("norm", CYCLE_NORMS)
def test_deformation_loss_against_a_loop(norm):
    pose, cycled = poses(6)
    total = 0.0
    for j, k in ((0, 1), (2, 3), (4, 5)):
        total += l_cycle((pose[j] - pose[k])[None], (cycled[j] - cycled[k])[None], norm)
    torch.testing.assert_close(l_def(pose, cycled, norm), total / 3)
    # what both samples of a pair share is forgiven, what one has alone is not
    shared = torch.randn(3, 17, 3, dtype=torch.float64).repeat_interleave(2, 0)
    assert l_def(pose, pose + shared, norm) < 1e-5
    assert l_def(pose, pose + shared.roll(1, 0), norm) > 0.1


def test_deformation_loss_needs_pairs():
    pose, cycled = poses(5)
    with pytest.raises(ValueError, match="even, not 5"):
        l_def(pose, cycled)


def test_flow_loss_is_the_mean_and_bounded_where_asked():
    log_prob = torch.tensor([-10.0, 5.0, -300.0], requires_grad=True)
    torch.testing.assert_close(l_nf(log_prob), torch.tensor((10 - 5 + 300) / 3))
    limited = l_nf(log_prob, limit=200.0)
    torch.testing.assert_close(limited, torch.tensor((10 - 5 + 200) / 3))
    torch.testing.assert_close(gradients(limited, log_prob)[0], torch.tensor([-1.0, -1.0, 0.0]) / 3)


def test_relative_bone_lengths_forget_size_and_place():
    (pose,) = poses(6, count=1)
    lengths = relative_bone_lengths(pose, PARENTS)
    torch.testing.assert_close(lengths.mean(-1), torch.ones(6).double())
    torch.testing.assert_close(
        lengths, bone_lengths(pose, PARENTS) / bone_lengths(pose, PARENTS).mean(-1, keepdim=True)
    )
    torch.testing.assert_close(relative_bone_lengths(7 * pose + 3, PARENTS), lengths)


@pytest.mark.parametrize("deviation", [0.1, 1.0])
def test_bone_ratio_loss_is_a_gaussian_likelihood(deviation):
    pose, other = poses(6)
    ratios = relative_bone_lengths(other, PARENTS).mean(0)
    likelihood = Normal(ratios, deviation).log_prob(relative_bone_lengths(pose, PARENTS))
    constant = 16 * (math.log(deviation) + 0.5 * math.log(2 * math.pi))
    found = l_bl(pose, PARENTS, ratios, deviation)
    torch.testing.assert_close(found, -likelihood.sum(-1).mean() - constant)
    torch.testing.assert_close(l_bl(3 * pose + 1, PARENTS, ratios, deviation), found)


def test_bone_ratio_loss_vanishes_at_the_ratios_alone():
    (pose,) = poses(1, count=1)
    ratios = relative_bone_lengths(pose, PARENTS)[0]
    rotation = rotation_y(torch.rand(1, dtype=torch.float64) * 6)
    assert float(l_bl(2 * pose @ rotation.mT, PARENTS, ratios, 0.1)) < 1e-12
    pose[:, HUMAN36M_17.index("head")] *= 1.3
    assert float(l_bl(pose, PARENTS, ratios, 0.1)) > 1e-3
    collapsed = torch.zeros(2, 17, 3, requires_grad=True)
    loss = l_bl(collapsed, PARENTS, ratios.float(), 0.1)
    assert finite(loss, *gradients(loss, collapsed))


def test_omega_loss_is_the_mean_squared_distance_of_joints():
    predicted, truth = poses(5, size=2)
    expected = (predicted - truth).norm(dim=-1).square().mean()
    torch.testing.assert_close(l_omega(predicted, truth), expected)
    assert float(l_omega(truth, truth)) == float(l_omega(truth, truth, SWAP)) == 0


def test_omega_loss_tolerates_a_swap_of_the_whole_body_if_asked():
    predicted, truth = poses(8, size=2)
    swapped, some = truth[:, list(SWAP)], torch.arange(8) % 3 == 0
    mixed = torch.where(some[:, None, None], swapped, truth)
    for labelling in (swapped, mixed):
        torch.testing.assert_close(
            l_omega(predicted, labelling, SWAP), l_omega(predicted, truth, SWAP)
        )
        assert not torch.isclose(l_omega(predicted, labelling), l_omega(predicted, truth))
        assert float(l_omega(labelling, truth, SWAP)) == 0 < float(l_omega(labelling, truth))
    assert l_omega(predicted, truth, SWAP) <= l_omega(predicted, truth)
    # but no swap of an arm alone
    arm = truth.clone()
    left, right = HUMAN36M_17.index("left_wrist"), HUMAN36M_17.index("right_wrist")
    arm[:, [left, right]] = truth[:, [right, left]]
    assert l_omega(arm, truth, SWAP) > 1e-3


def test_two_labellings_of_one_picture_collapse_the_plain_omega_loss():
    """Its best single answer is their mean, left on right; that of the tolerant one is either."""
    (pose,) = poses(1, count=1, size=2)
    truth = torch.cat([pose, pose[:, list(SWAP)]])
    answer = poses(1, count=1, size=2)[0].requires_grad_()
    found = {}
    for swap in (None, SWAP):
        free = answer.detach().clone().requires_grad_()
        optimiser = torch.optim.SGD([free], lr=3.0)
        for _ in range(100):
            optimiser.zero_grad()
            l_omega(free.expand(2, -1, -1), truth, swap).backward()
            optimiser.step()
        found[swap] = free.detach()
    torch.testing.assert_close(found[None], truth.mean(0, keepdim=True), rtol=0, atol=1e-3)
    wrists = [HUMAN36M_17.index(f"{side}_wrist") for side in ("left", "right")]
    torch.testing.assert_close(found[None][:, wrists[0]], found[None][:, wrists[1]])
    assert (found[SWAP] - truth).abs().amax((1, 2)).min() < 1e-3
    assert float(l_omega(found[SWAP].expand(2, -1, -1), truth, SWAP)) < 1e-6


def scores(scales=3):
    return [2 * torch.randn(4, 1, 8 // 2**scale, 8 // 2**scale) for scale in range(scales)]


def test_discriminator_losses_are_cross_entropies_of_each_scale():
    real, fake = scores(), scores()
    expected = generator = 0.0
    for r, f in zip(real, fake, strict=True):
        yes, no = torch.sigmoid(r), torch.sigmoid(f)
        expected += binary_cross_entropy(yes, torch.ones_like(yes))
        expected += binary_cross_entropy(no, torch.zeros_like(no))
        generator += binary_cross_entropy(no, torch.ones_like(no))
    torch.testing.assert_close(l_d(real, fake), expected / 3)
    torch.testing.assert_close(l_d_generator(fake), generator / 3)


def test_discriminator_losses_are_least_squares_where_asked():
    real, fake = scores(), scores()
    expected = generator = 0.0
    for r, f in zip(real, fake, strict=True):
        expected += (mse_loss(r, torch.ones_like(r)) + mse_loss(f, torch.zeros_like(f))) / 2
        generator += mse_loss(f, torch.ones_like(f))
    torch.testing.assert_close(l_d(real, fake, "squares"), expected / 3)
    torch.testing.assert_close(l_d_generator(fake, "squares"), generator / 3)


def test_the_generator_keeps_a_gradient_while_the_discriminator_wins():
    sure = [torch.full((2, 1, 4, 4), -200.0, requires_grad=True)]
    loss = l_d_generator(sure)
    (gradient,) = gradients(loss, *sure)
    assert finite(loss, gradient) and float(gradient.sum()) == pytest.approx(-1)


@pytest.mark.parametrize("form", GAN_FORMS)
def test_each_side_of_the_game_wants_the_opposite(form):
    fake = torch.zeros(1, 1, 4, 4, requires_grad=True)
    real = torch.full((1, 1, 4, 4), 0.5)
    (up,) = gradients(l_d_generator([fake], form), fake)
    (down,) = gradients(l_d([real], [fake + 0.5], form), fake)
    assert bool((up < 0).all()) and bool((down > 0).all())


def test_unknown_forms_of_the_losses_of_pictures_are_refused():
    first, second = poses(2)
    with pytest.raises(ValueError, match="'squared', 'euclidean' or 'absolute', not 'l1'"):
        l_cycle(first, second, "l1")
    for loss in (lambda: l_d(scores(), scores(), "hinge"), lambda: l_d_generator(scores(), "hinge")):
        with pytest.raises(ValueError, match="'log' or 'squares', not 'hinge'"):
            loss()
    with pytest.raises(ValueError):
        l_d(scores(3), scores(2))
