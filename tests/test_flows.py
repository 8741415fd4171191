"""The flow over 2D poses: a Gaussian at first, a density always, and its PCA is part of its state."""

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from lib.flows import PoseFlow
from lib.losses import l_nf

LATENT = 6


def poses(count=300, joints=17, seed=0):
    """Root-centred poses that vary in a few directions a lot and in the others a little."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(LATENT, 2 * joints, generator=torch.Generator().manual_seed(7))
    drawn = torch.randn(count, LATENT, generator=generator) @ mixing
    drawn = 0.1 * (drawn + 0.1 * torch.randn(drawn.shape, generator=generator) + 1)
    pose = drawn.unflatten(-1, (joints, 2))
    return pose - pose[:, :1]


def make(data=None, joints=17, bases=26, blocks=4, width=16, **options):
    flow = PoseFlow(joints, bases, blocks, width, **options)
    flow.fit_pca(poses(joints=joints) if data is None else data)
    return flow


def shaken(flow, size=0.5):
    """Weights far from where they began, so that the flow is no Gaussian."""
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.copy_(size * torch.randn(parameter.shape))
    return flow


# The PCA


def test_encoding_whitens_the_poses_it_was_made_from():
    data = poses()
    code = make(data).encode(data).double()
    torch.testing.assert_close(code.mean(0), torch.zeros(26).double(), rtol=0, atol=1e-3)
    torch.testing.assert_close(torch.cov(code.T), torch.eye(26).double(), rtol=0, atol=1e-2)


def test_components_are_orthonormal_and_the_widest_comes_first():
    data = poses()
    flow = make(data)
    torch.testing.assert_close(flow.components @ flow.components.T, torch.eye(26), rtol=0, atol=1e-5)
    deviation = torch.linalg.svdvals((data.flatten(1) - data.flatten(1).mean(0)).double())
    expected = deviation[:26] / (len(data) - 1) ** 0.5
    torch.testing.assert_close(flow.deviation.double(), expected, rtol=1e-3, atol=1e-6)
    assert bool((flow.deviation.diff() <= 0).all())


def test_a_direction_without_spread_is_not_blown_up():
    """Poses in a plane of two dimensions: what rounding leaves in the others is not made unit noise."""
    data = torch.randn(200, 2) @ torch.randn(2, 34)
    data = data.unflatten(-1, (17, 2))
    flow = make(data)
    assert flow.deviation.min() >= 0.99e-3 * flow.deviation[0] > 0
    assert flow.encode(data)[:, 2:].abs().max() < 0.1
    assert flow.log_prob(data).isfinite().all()


@pytest.mark.parametrize("bases", [1, 33])
def test_bases_out_of_range_are_refused(bases):
    with pytest.raises(ValueError, match=rf"bases lie in \[2, 32\] for 17 joints, not {bases}"):
        PoseFlow(17, bases, width=8)


@pytest.mark.parametrize("shape", [(26, 17, 2), (100, 16, 2), (100, 17, 3)])
def test_poses_that_allow_no_pca_are_refused(shape):
    with pytest.raises(ValueError, match="more than 26 poses of 17 joints"):
        make(torch.randn(*shape))


# The density


def test_the_flow_begins_as_the_gaussian_of_the_pca():
    data, flow = poses(), make(poses())
    centred = data.flatten(1) - data.flatten(1).mean(0)
    projected = (centred @ flow.components.T).double()
    gaussian = MultivariateNormal(torch.zeros(26).double(), torch.cov(projected.T))
    # the density is that of the whitened code: the volume of the PCA is a constant
    expected = gaussian.log_prob(projected) + flow.deviation.double().log().sum()
    with torch.no_grad():
        found = flow.log_prob(data).double()
        assert (found - expected).abs().max() < 2 and (found - expected).abs().mean() < 0.5
        for transform in flow.flow.transform.transforms:
            transform.hyper[-1].weight.zero_()
        torch.testing.assert_close(flow.log_prob(data).double(), expected, rtol=0, atol=0.05)


def test_the_transform_can_be_inverted():
    flow = shaken(make()).double()
    code = torch.randn(50, 26, dtype=torch.float64)
    transform = flow.flow().transform
    torch.testing.assert_close(transform.inv(transform(code)), code)
    assert (transform(code) - code).abs().mean() > 0.1


def test_the_density_counts_the_volume_of_the_transform():
    """Against the determinant of the Jacobian, by automatic differentiation."""
    flow = shaken(make(joints=4, bases=5)).double()
    pose = poses(3, joints=4, seed=1).double()
    for one, found in zip(pose, flow.log_prob(pose), strict=True):
        code = flow.encode(one[None])[0]

        def transform(x):
            return flow.flow().transform(x)

        jacobian = torch.autograd.functional.jacobian(transform, code)
        expected = Normal(0.0, 1.0).log_prob(transform(code)).sum() + jacobian.det().abs().log()
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("blocks", [1, 2, 5])
def test_the_density_integrates_to_one(blocks):
    flow = shaken(make(poses(joints=2), joints=2, bases=2, blocks=blocks, width=8), 0.4)
    axis = torch.linspace(-16, 16, 401)
    code = torch.cartesian_prod(axis, axis)
    grid = (code * flow.deviation) @ flow.components + flow.mean
    with torch.no_grad():
        density = flow.log_prob(grid.unflatten(-1, (2, 2))).double().exp()
    assert float(density.sum()) * 0.08**2 == pytest.approx(1, abs=0.02)


def test_every_block_moves_what_the_one_before_it_kept():
    flow = shaken(make(blocks=2))
    first, second = flow.flow().transform.transforms
    code = torch.randn(20, 26)
    kept = (first(code) == code).all(0)
    assert int(kept.sum()) == 13
    assert torch.equal((second(code) == code).all(0), ~kept)


def test_far_poses_cost_much_but_not_infinitely_much():
    flow, data = shaken(make(), 1.0), poses()
    near = float(flow.log_prob(data).detach().mean())
    for factor in (10.0, 1e3, 1e6):
        far = (factor * data[:20]).requires_grad_()
        cost = -flow.log_prob(far)
        (gradient,) = torch.autograd.grad(cost.sum(), far)
        assert bool(cost.isfinite().all()) and bool(gradient.isfinite().all())
        assert cost.min() > -near


@pytest.mark.parametrize("clamp", [0.5, 2.0])
def test_the_scale_of_a_block_is_limited(clamp):
    flow = shaken(make(blocks=1, clamp=clamp), 30.0)
    code = torch.randn(100, 26)
    (transform,) = flow.flow().transform.transforms
    volume = transform.log_abs_det_jacobian(code, transform(code))
    assert 0.5 * clamp * 13 < volume.abs().max() <= clamp * 13 + 1e-3


def test_it_learns_which_poses_there_are():
    """Poses along a bent curve, which no Gaussian can follow."""
    generator = torch.Generator().manual_seed(0)

    def draw(count):
        pose = 0.1 * torch.randn(count, 8, generator=generator)
        pose[:, 0] = torch.randn(count, generator=generator)
        pose[:, 1] += pose[:, 0].square() - 1
        return pose.unflatten(-1, (4, 2))

    flow = make(draw(300), joints=4, bases=6, blocks=4, width=32)
    optimiser = torch.optim.Adam(flow.parameters(), 1e-2)
    before = float(l_nf(flow.log_prob(draw(300))).detach())
    for _ in range(60):
        loss = l_nf(flow.log_prob(draw(128)))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        there, beside = draw(300), draw(300)
        beside[:, 0, 1] *= -1  # bent the other way
        assert -flow.log_prob(there).mean() < before - 0.5
        assert flow.log_prob(beside).mean() < flow.log_prob(there).mean() - 3


# The state


def test_the_state_alone_gives_the_same_density():
    flow, data = shaken(make()), poses()
    fresh = PoseFlow(17, 26, 4, 16)
    assert not torch.allclose(fresh.log_prob(data), flow.log_prob(data))
    fresh.load_state_dict(flow.state_dict())
    assert torch.equal(fresh.log_prob(data), flow.log_prob(data))


def test_the_pca_is_not_trained():
    flow = make()
    assert {name for name, _ in flow.named_parameters() if not name.startswith("flow.")} == set()
    assert not flow.mean.requires_grad and not flow.components.requires_grad


def test_a_frozen_flow_still_moves_poses():
    flow = make().requires_grad_(False)
    pose = poses(8).requires_grad_()
    (gradient,) = torch.autograd.grad(l_nf(flow.log_prob(pose)), pose)
    assert bool((gradient.flatten(1).abs().sum(1) > 0).all())
    limited = poses(8).requires_grad_()
    (gradient,) = torch.autograd.grad(l_nf(flow.log_prob(100 * limited), limit=50.0), limited)
    assert float(gradient.abs().max()) == 0
    with torch.no_grad():
        assert float(l_nf(flow.log_prob(100 * limited), limit=50.0)) == 50
