"""Networks: shapes, what an output may depend on, and where training starts."""

import pytest
import torch
from torch import nn

from lib.networks import (
    DepthLifter,
    Dropout,
    ElevationLifter,
    InputBlock,
    PoseDiscriminator,
    ResidualLifter,
    ScaleEstimator,
    TemporalLifter,
    count_parameters,
)

SMALL = {"width": 16, "blocks": 2}
NETWORKS = {
    "depth": (lambda: DepthLifter(**SMALL), (17, 2), (17,)),
    "discriminator": (lambda: PoseDiscriminator(34, **SMALL), (17, 2), ()),
    "discriminator of two frames": (lambda: PoseDiscriminator(68, **SMALL), (34, 2), ()),
    "scale": (lambda: ScaleEstimator(**SMALL), (17, 2), ()),
    "residual": (lambda: ResidualLifter(**SMALL), (17, 2), (17, 3)),
    "temporal": (lambda: TemporalLifter(width=16, filters=(3, 3)), (9, 17, 2), (17, 3)),
    "temporal of one frame": (
        lambda: TemporalLifter(width=16, filters=(1, 1)),
        (1, 17, 2),
        (17, 3),
    ),
}


def train_a_little(network, shape):
    """Gives batch norm something to remember, and the last layer weights away from its start."""
    for _ in range(3):
        network(torch.randn(64, *shape))
    with torch.no_grad():
        network.head.weight.normal_()
    return network.eval()


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_gradients(name):
    make, inputs, outputs = NETWORKS[name]
    network = make()
    result = network(torch.randn(5, *inputs))
    assert result.shape == (5, *outputs) and result.dtype == torch.float32
    result.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
def test_in_evaluation_a_sample_does_not_depend_on_its_batch(name):
    make, inputs, _ = NETWORKS[name]
    network = train_a_little(make(), inputs)
    batch = torch.randn(33, *inputs)
    with torch.no_grad():
        together = network(batch)
        torch.testing.assert_close(network(batch[7:8]), together[7:8], rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(network(batch.flip(0)).flip(0), together, rtol=1e-4, atol=1e-4)
        assert torch.equal(network(batch), together)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_result_depends_on_every_input(name):
    make, inputs, _ = NETWORKS[name]
    network = train_a_little(make(), inputs)
    pose = torch.randn(8, *inputs, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(pose).square().sum(), pose)
    assert bool((gradient.abs().sum(0) > 0).all())


@pytest.mark.parametrize("shape", [(64, 1024), (1001, 37), (3,), (5, 7, 11), (1,)])
@pytest.mark.parametrize("probability", [0.0, 0.25, 0.5, 0.9])
def test_dropout_zeroes_a_share_and_keeps_the_mean(shape, probability):
    dropout = Dropout(probability)
    x = torch.full(shape, 2.0)
    dropped = dropout(x)
    assert dropped.shape == x.shape and dropped.dtype == x.dtype
    kept = dropped != 0
    share = round(256 * probability) / 256
    torch.testing.assert_close(dropped[kept], torch.full_like(dropped[kept], 2 / (1 - share)))
    if x.numel() > 10_000:
        tolerance = 5 * (share * (1 - share) / x.numel()) ** 0.5 + 1e-7  # five standard errors
        assert abs(float((~kept).double().mean()) - share) < tolerance
        assert abs(float(dropped.double().mean()) - 2) < 2 * tolerance / (1 - share) + 1e-6
    assert dropout.eval()(x) is x


def test_dropout_draws_each_feature_by_itself():
    dropped = Dropout(0.5)(torch.ones(4096, 64)) != 0
    # neighbours share a random word, a column and a row of the mask do not repeat
    centred = dropped.double() - 0.5
    correlation = centred.T @ centred / len(centred) * 4
    off_diagonal = correlation - torch.eye(64, dtype=torch.float64)
    assert off_diagonal.abs().max() < 6 / 4096**0.5
    assert not torch.equal(Dropout(0.5)(torch.ones(99)), Dropout(0.5)(torch.ones(99)))


def test_dropout_repeats_with_the_seed_and_passes_gradients_to_what_it_keeps():
    dropout, x = Dropout(0.25), torch.ones(1001, requires_grad=True)
    torch.manual_seed(5)
    first = dropout(x)
    torch.manual_seed(5)
    assert torch.equal(first, dropout(x))
    (gradient,) = torch.autograd.grad(first.sum(), x)
    assert torch.equal(gradient, first.detach())
    assert dropout(x.detach().bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("probability", [-0.1, 1.0, 1.5])
def test_dropout_refuses_what_is_no_probability(probability):
    with pytest.raises(ValueError, match="dropout probability"):
        Dropout(probability)


@pytest.mark.parametrize("filters", [(1,), (3,), (1, 1, 1), (3, 3), (3, 3, 3), (5, 3)])
def test_temporal_lifter_sees_every_frame_of_its_window(filters):
    network = TemporalLifter(width=32, filters=filters)
    frames = network.receptive_field
    expected = 1
    for kernel in filters:
        expected *= kernel
    assert frames == expected
    network = train_a_little(network, (frames, 17, 2))
    window = torch.randn(16, frames, 17, 2, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(window).square().sum(), window)
    assert bool((gradient.abs().sum((0, 2, 3)) > 0).all())


@pytest.mark.parametrize("filters", [(3,), (3, 3), (3, 3, 3)])
def test_temporal_lifter_sees_no_other_frame(filters):
    """Two windows of one longer sequence agree exactly where their frames do."""
    network = TemporalLifter(width=16, filters=filters)
    frames = network.receptive_field
    network = train_a_little(network, (frames, 17, 2))
    sequence = torch.randn(1, 2 * frames, 17, 2)
    changed = sequence.clone()
    changed[:, frames:] += 1
    with torch.no_grad():
        assert torch.equal(network(sequence[:, :frames]), network(changed[:, :frames]))
        ahead, changed_ahead = (
            network(sequence[:, 1 : frames + 1]),
            network(changed[:, 1 : frames + 1]),
        )
        assert not torch.allclose(ahead, changed_ahead)


def test_temporal_lifter_is_the_dilated_one_at_the_centre():
    """The strided form gives what dilated convolutions over a whole sequence give there."""
    network = train_a_little(TemporalLifter(width=16, filters=(3, 3, 3)), (27, 17, 2))
    window = torch.randn(4, 27, 17, 2)

    def dilated(layer, x, dilation):
        convolution, *rest = layer
        x = nn.functional.conv1d(x, convolution.weight, dilation=dilation)
        for module in rest:
            x = module(x)
        return x

    with torch.no_grad():
        x = dilated(network.stem, window.flatten(2).mT, 1)
        for level, (wide, narrow) in enumerate(
            zip(network.wide, network.narrow, strict=True), start=1
        ):
            crop = 3**level
            x = x[..., crop:-crop] + dilated(narrow, dilated(wide, x, crop), 1)
        expected = network.head(x).squeeze(-1).unflatten(-1, (17, 3))
        torch.testing.assert_close(network(window), expected, rtol=1e-4, atol=1e-4)


def test_where_training_starts():
    poses = 0.1 * torch.randn(256, 17, 2)
    depth = DepthLifter(width=128, blocks=3)(poses)
    assert depth.abs().mean() < 0.3 and depth.abs().max() < 2  # near the flat lift, far from -D
    scale = ScaleEstimator(width=128)(poses)
    assert scale.abs().max() < 0.05  # the same for every pose


def test_the_raw_input_enters_every_block_again():
    block = InputBlock(8, 6, dropout=0.0).eval()
    x, inputs = torch.randn(3, 8), torch.randn(3, 6)
    with torch.no_grad():
        for layer in (block.main[0], block.main[4], block.shortcut):
            layer.weight.zero_()
            layer.bias.zero_()
        torch.testing.assert_close(block(x, inputs), block.again(inputs))


def test_the_discriminator_has_no_batch_norm():
    assert not any(isinstance(module, nn.BatchNorm1d) for module in PoseDiscriminator().modules())


def test_count_parameters():
    layer = nn.Linear(3, 5)
    assert count_parameters(layer) == 20 and count_parameters(layer, nn.Linear(2, 2)) == 26
    layer.bias.requires_grad_(False)
    assert count_parameters(layer) == 15


# The lifter of ElePose, with two outputs


@pytest.mark.parametrize("root", [0, 5])
@pytest.mark.parametrize("joints", [17, 21])
def test_the_elevation_lifter_leaves_the_root_where_it_is(joints, root):
    network = ElevationLifter(joints, 16, root)
    pose = 10 * torch.randn(7, joints, 2)
    offsets, elevation = network(pose)
    assert offsets.shape == (7, joints) and elevation.shape == (7,)
    assert offsets.dtype == elevation.dtype == torch.float32
    assert bool((offsets[:, root] == 0).all())
    others = torch.arange(joints) != root
    assert bool((offsets[:, others] != 0).all())
    (offsets.square().sum() + elevation.square().sum()).backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all()), name
    assert float(network.depth[-1].weight.grad[root].abs().max()) == 0


def test_the_elevation_lifter_has_no_memory_and_no_batch():
    network = ElevationLifter(width=16)
    pose = torch.randn(9, 17, 2)
    assert not list(network.buffers())
    with torch.no_grad():
        offsets, elevation = network(pose)
        again, angle = network.eval()(pose[3:4])
    torch.testing.assert_close(again, offsets[3:4], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(angle, elevation[3:4], rtol=1e-4, atol=1e-5)


def test_the_branches_of_the_elevation_lifter_share_their_trunk_alone():
    network = ElevationLifter(width=16)
    offsets, elevation = network(torch.randn(4, 17, 2))
    of_angle = torch.autograd.grad(
        elevation.sum(), list(network.parameters()), retain_graph=True, allow_unused=True
    )
    of_depth = torch.autograd.grad(offsets.sum(), list(network.parameters()), allow_unused=True)
    for (name, _), angle, depth in zip(network.named_parameters(), of_angle, of_depth, strict=True):
        branch = name.split(".")[0]
        assert (angle is None) == (branch == "depth") and (depth is None) == (branch == "angle")
