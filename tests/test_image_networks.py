"""Networks of pictures: shapes, independence of the batch, and points that lie where maps peak."""

import pytest
import torch

from lib.image_networks import DenseReader, MapNetwork, PatchDiscriminator, PointNetwork, soft_argmax

WIDTHS = (8, 16, 16)
NETWORKS = {
    "maps": (lambda: MapNetwork(3, 2, WIDTHS), 3, (2, 32, 32)),
    "maps of half the size": (lambda: MapNetwork(3, 1, WIDTHS, reduce=2), 3, (1, 16, 16)),
    "points": (lambda: PointNetwork(1, 17, WIDTHS), 1, (17, 2)),
    "points, reduced": (lambda: PointNetwork(1, 17, WIDTHS, 0, 2), 1, (17, 2)),
    "dense points": (lambda: DenseReader(32, 1, 21, WIDTHS, 32), 1, (21, 2)),
    "dense points in space": (lambda: DenseReader(32, 4, 17, WIDTHS, 32, dimensions=3), 4, (17, 3)),
}


def both(name):
    make, channels, shape = NETWORKS[name]
    return make(), torch.randn(3, channels, 32, 32), shape


@pytest.mark.parametrize("name", NETWORKS)
def test_shapes_and_gradients(name):
    network, picture, shape = both(name)
    result = network(picture)
    assert result.shape == (3, *shape) and result.dtype == torch.float32
    result.square().sum().backward()
    for parameter in network.parameters():
        assert parameter.grad is not None and bool(parameter.grad.isfinite().all())


@pytest.mark.parametrize("name", NETWORKS)
def test_results_are_float32_under_autocast(name):
    """Geometry and losses take them as they come."""
    network, picture, _ = both(name)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        result = network(picture)
    assert result.dtype == torch.float32
    with torch.no_grad():
        scale = float(network(picture).abs().max())
        torch.testing.assert_close(result, network(picture), rtol=0.1, atol=0.1 * scale)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_picture_does_not_depend_on_its_batch(name):
    """In training too: there is no statistic over a batch, and none that is remembered."""
    network, picture, _ = both(name)
    with torch.no_grad():
        together = network(picture)
        torch.testing.assert_close(network(picture[1:2]), together[1:2], rtol=1e-4, atol=1e-5)
        assert torch.equal(network(picture), network.eval()(picture))
    assert not list(network.buffers())


@pytest.mark.parametrize("size", [32, 48, 64])
@pytest.mark.parametrize("reduce", [1, 2])
def test_maps_of_any_size(size, reduce):
    network = MapNetwork(3, 1, (8, 8, 8), reduce)
    assert network(torch.randn(1, 3, size, size)).shape == (1, 1, size // reduce, size // reduce)


def test_maps_of_another_ratio_are_refused():
    with pytest.raises(ValueError, match="half, not 1/4"):
        MapNetwork(reduce=4)


@pytest.mark.parametrize(("stop", "reduce"), [(0, 1), (1, 1), (2, 1), (0, 2), (1, 2)])
def test_points_are_read_off_the_stage_asked_for(stop, reduce):
    network = PointNetwork(1, 5, WIDTHS, stop, reduce)
    features = network.decoder(network.encoder(torch.randn(2, 1, 32, 32)))
    size = 32 // reduce // 2**stop
    assert features.shape == (2, WIDTHS[stop], size, size)


def test_the_maps_keep_where_things_are():
    """A change in one corner changes the map there, and most of all there."""
    network = MapNetwork(3, 1, (8, 8), reduce=1)
    picture = torch.randn(1, 3, 32, 32)
    changed = picture.clone()
    changed[..., :4, -4:] += 1  # top right
    with torch.no_grad():
        change = (network(changed) - network(picture)).abs()[0, 0]
    assert change[:10, -10:].mean() > 3 * change[-10:, :10].mean()


# Soft-argmax


@pytest.mark.parametrize("size", [8, 16, 33])
def test_a_peak_is_found_at_the_centre_of_its_pixel(size):
    row, column = size // 4, size - 2
    maps = torch.zeros(2, 3, size, size)
    maps[0, 1, row, column] = 1e4
    maps[1, 2, column, row] = 1e4
    points = soft_argmax(maps)
    x, y = 2 * (column + 0.5) / size - 1, 2 * (row + 0.5) / size - 1
    torch.testing.assert_close(points[0, 1], torch.tensor([x, y]))
    torch.testing.assert_close(points[1, 2], torch.tensor([y, x]))
    torch.testing.assert_close(points[0, 0], torch.zeros(2), rtol=0, atol=1e-6)


def test_soft_argmax_follows_a_shift_and_forgives_a_constant():
    maps = torch.zeros(1, 1, 32, 32)
    maps[..., 10:14, 8:13] = 1000 + 100 * torch.rand(4, 5)
    point = soft_argmax(maps)
    moved = soft_argmax(maps.roll((3, 7), (2, 3)))
    torch.testing.assert_close(moved - point, torch.tensor([[[7.0, 3.0]]]) / 16, rtol=0, atol=1e-5)
    torch.testing.assert_close(soft_argmax(maps + 50), point, rtol=0, atol=1e-4)
    assert soft_argmax(torch.randn(5, 17, 16, 16), 100.0).abs().max() < 1


def test_soft_argmax_is_not_rounded_under_autocast():
    maps = 5 * torch.randn(4, 17, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        points = soft_argmax(maps)
    assert points.dtype == torch.float32
    torch.testing.assert_close(points, soft_argmax(maps), rtol=0, atol=1e-5)


# Discriminator


@pytest.mark.parametrize("scales", [1, 2, 3])
def test_the_discriminator_judges_patches_at_every_scale(scales):
    network = PatchDiscriminator(1, (8, 16, 16), scales)
    maps = torch.randn(2, 1, 64, 64)
    scores = network(maps)
    assert [score.shape for score in scores] == [
        (2, 1, 16 // 2**number, 16 // 2**number) for number in range(scales)
    ]
    assert all(score.dtype == torch.float32 for score in scores)
    alone = network(maps[1:])
    for one, score in zip(alone, scores, strict=True):
        torch.testing.assert_close(one, score[1:], rtol=1e-4, atol=1e-4)
    sum(score.sum() for score in scores).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_the_discriminator_learns_to_tell_two_kinds_apart():
    network = PatchDiscriminator(1, (8, 16), 1)
    optimiser = torch.optim.Adam(network.parameters(), 1e-2)
    across = torch.zeros(1, 1, 16, 16)
    across[..., ::4, :] = 2.0
    down = across.mT
    for _ in range(40):
        noisy = [kind + 0.3 * torch.randn(8, 1, 16, 16) for kind in (across, down)]
        (real,), (fake,) = (network(maps) for maps in noisy)
        loss = (real - 1).square().mean() + fake.square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert network(across)[0].mean() > 0.75 and network(down)[0].mean() < 0.25
