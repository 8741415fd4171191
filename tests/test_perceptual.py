"""The network that pictures are compared by: its weights, with and without a file, and its gradients."""

import pytest
import torch
from torch.nn.functional import conv2d, max_pool2d

from lib.perceptual import Perceptual, vgg_weights
from lib.resnet import IMAGENET_MEAN, IMAGENET_STD

# Of torchvision's VGG19: index among `features`, channels in and out, of all that come before relu3_2.
CONVOLUTIONS = ((0, 3, 64), (2, 64, 64), (5, 64, 128), (7, 128, 128), (10, 128, 256), (12, 256, 256))


def weight_file():
    """What torchvision's file holds, as far as it matters, and something of what comes after."""
    generator = torch.Generator().manual_seed(3)
    held = {"features.14.weight": torch.zeros(256, 256, 3, 3), "classifier.6.bias": torch.zeros(1000)}
    for index, inputs, outputs in CONVOLUTIONS:
        weight = torch.randn((outputs, inputs, 3, 3), generator=generator) / (9 * inputs / 2) ** 0.5
        held[f"features.{index}.weight"] = weight
        held[f"features.{index}.bias"] = 0.1 * torch.randn(outputs, generator=generator)
    return held


@pytest.fixture(autouse=True)
def checkpoints(tmp_path, monkeypatch):
    """The folder that torchvision keeps its files in, empty whatever this machine holds."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def by_functions(state, pictures):
    """relu1_2, relu2_2 and relu3_2, one function after the other."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    x, stages = (pictures - mean) / std, []
    for index, _, _ in CONVOLUTIONS:
        if index in (5, 10):
            x = max_pool2d(x, 2, 2)
        weight, bias = (state[f"features.{index}.{name}"] for name in ("weight", "bias"))
        x = conv2d(x, weight, bias, padding=1).clamp(min=0)
        if index in (2, 7, 12):
            stages.append(x)
    return stages


def test_the_weights_of_a_file_are_the_ones_that_are_used(checkpoints):
    held = weight_file()
    torch.save(held, checkpoints / "vgg19-0a1b2c3d.pth")
    network, pictures = Perceptual(width=0.25), torch.rand(2, 3, 20, 20)
    assert network.has_vgg and "VGG19" in network.initialisation and network.channels == (64, 128, 256)
    expected = by_functions(held, pictures)
    for stage, value in zip(network(pictures, stages=True), expected, strict=True):
        torch.testing.assert_close(stage, value, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(network(pictures), expected[-1], rtol=1e-4, atol=1e-4)


def test_the_random_network_is_one_of_the_same_layers():
    network, pictures = Perceptual(), torch.rand(2, 3, 32, 32)
    assert not network.has_vgg and "random" in network.initialisation
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    held = {key: tuple(value.shape) for key, value in weight_file().items()}
    assert shapes == {key: held[key] for key in held if key in shapes} and len(shapes) == 12
    for stage, value in zip(
        network(pictures, stages=True), by_functions(network.state_dict(), pictures), strict=True
    ):
        torch.testing.assert_close(stage, value, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", [0.05, 0.25, 1.0])
def test_shapes_at_each_width(width):
    network = Perceptual(width)
    assert network.channels == tuple(round(width * channels) for channels in (64, 128, 256))
    stages = network(torch.rand(2, 3, 24, 16), stages=True)
    assert [tuple(stage.shape[1:]) for stage in stages] == [
        (network.channels[0], 24, 16), (network.channels[1], 12, 8), (network.channels[2], 6, 4)
    ]  # fmt: skip


def test_the_random_network_is_the_same_whatever_the_global_state():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first = Perceptual(0.25).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(1)
    second = Perceptual(0.25).state_dict()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize("width", [0.25, 1.0])
def test_random_filters_are_orthogonal_and_keep_the_scale(width):
    network = Perceptual(width)
    for index, inputs, outputs in CONVOLUTIONS[1:]:
        weight = network.features[str(index)].weight.flatten(1)
        directions = weight / weight.norm(dim=1, keepdim=True)
        angles = directions @ directions.T - torch.eye(len(weight))
        assert outputs <= 9 * inputs and float(angles.abs().max()) < 1e-4
    generator = torch.Generator().manual_seed(5)
    pictures = torch.rand((8, 3, 16, 16), generator=generator)
    pictures = torch.nn.functional.interpolate(pictures, size=(64, 64), mode="bilinear")
    for stage in network(pictures, stages=True):
        assert 0.3 < float(stage.square().mean().sqrt()) < 3


def test_gradients_reach_the_picture_but_no_weight():
    network = Perceptual(0.25)
    assert not any(parameter.requires_grad for parameter in network.parameters())
    target, drawn = torch.rand(2, 3, 32, 32), torch.rand(2, 3, 32, 32, requires_grad=True)
    with torch.no_grad():
        wanted = network(target, stages=True)
    loss = network.errors(network(drawn, stages=True), wanted).mean()
    loss.backward()
    assert float(loss.detach()) > 0 and bool(drawn.grad.isfinite().all()) and bool(drawn.grad.any())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_training_mode_changes_nothing():
    network, pictures = Perceptual(0.25), torch.rand(2, 3, 16, 16)
    assert torch.equal(network.train()(pictures), network.eval()(pictures))


def test_moving_a_shape_costs_the_more_the_further():
    picture = torch.full((1, 3, 64, 64), 0.4)
    picture[:, 0, 20:44, 8:16] = 0.9
    network = Perceptual(0.25)
    shifts = (0, 1, 2, 4, 8)
    still = network(picture, stages=True)
    losses = [float(network.errors(network(picture.roll(n, 3), stages=True), still)) for n in shifts]
    assert losses[0] == 0 and losses == sorted(losses) and losses[1] > 0.001


def test_bfloat16_and_channels_last_give_about_the_same():
    network, pictures = Perceptual(0.25), torch.rand(2, 3, 32, 32)
    expected = network(pictures)
    network = network.to(memory_format=torch.channels_last)
    last = pictures.to(memory_format=torch.channels_last).requires_grad_()
    torch.testing.assert_close(network(last), expected, rtol=1e-4, atol=1e-4)
    with torch.autocast("cpu", torch.bfloat16):
        within = network(last, stages=True)
    loss = network.errors(within, network(pictures, stages=True)).mean()
    loss.backward()
    assert loss.dtype == torch.float32 and float(loss.detach()) < 0.03 * float(expected.abs().mean())
    assert bool(last.grad.isfinite().all())


@pytest.mark.parametrize("vgg, expected", [(True, [4.0, 0.5]), (False, [2.0, 0.25])])
def test_errors_are_mean_absolute_differences_of_the_stages(vgg, expected):
    network = Perceptual(0.25)
    network.has_vgg = vgg
    zeros = [torch.zeros(2, 3, 8, 8), torch.zeros(2, 5, 4, 4), torch.zeros(2, 7, 2, 2)]
    apart = [zeros[0], zeros[1] + torch.tensor([2.0, 0.25])[:, None, None, None], zeros[2].clone()]
    apart[2][0], apart[2][1] = -4.0, 0.5
    torch.testing.assert_close(network.errors(zeros, apart), torch.tensor(expected))



def test_without_a_file_there_are_no_weights(checkpoints):
    assert vgg_weights() is None
    for name in ("vgg19_bn-0a1b2c3d.pth", "vgg16-0a1b2c3d.pth", "vgg19-0a1b2c3d.pth.partial"):
        (checkpoints / name).write_bytes(b"of another network, or cut off")
    assert vgg_weights() is None


def test_deeper_layers_are_left_out_and_the_first_file_is_taken(checkpoints):
    for number in (2, 1):
        held = weight_file() | {"features.0.bias": torch.full((64,), float(number))}
        torch.save(held, checkpoints / f"vgg19-{number}.pth")
    weights = vgg_weights()
    assert len(weights) == 12 and bool((weights["features.0.bias"] == 1).all())


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return print, ("code of a weight file was run",)


def test_a_file_that_cannot_be_read_is_named(checkpoints, capsys):
    file = checkpoints / "vgg19-0a1b2c3d.pth"
    torch.save({"features.0.weight": Trap()}, file)
    for content in (b"", b"no weights", file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"vgg19-0a1b2c3d\.pth: .*damaged\?"):
            Perceptual()
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"features.12.weight": torch.zeros(256, 128, 3, 3)}, r"features\.12\.weight has shape"),
        ({"features.5.bias": "nothing"}, r"features\.5\.bias is missing"),
    ],
)
def test_names_and_shapes_that_do_not_fit_are_named(checkpoints, wrong, message):
    torch.save(weight_file() | wrong, checkpoints / "vgg19-0a1b2c3d.pth")
    with pytest.raises(ValueError, match=r"vgg19-0a1b2c3d\.pth: not the weights of a VGG19: " + message):
        Perceptual()
    torch.save([1, 2], checkpoints / "vgg19-0a1b2c3d.pth")
    with pytest.raises(ValueError, match="holds no state dict but a list"):
        vgg_weights()
