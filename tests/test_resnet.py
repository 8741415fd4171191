"""ResNet trunks: names, shapes and sizes as published, and weight files that fit or are refused."""

import pytest
import torch

from lib.resnet import ResNetTrunk, imagenet_weights

# What He et al. print in Table 1: convolutions (kernel, width, times the width that come out) of a block,
# and blocks in each stage.
BLOCKS = {
    "resnet18": ([(3, 1), (3, 1)], (2, 2, 2, 2)),
    "resnet50": ([(1, 1), (3, 1), (1, 4)], (3, 4, 6, 3)),
}
# Parameters of the whole networks as torchvision's pages of the models give them.
PUBLISHED = {"resnet18": 11_689_512, "resnet50": 25_557_032}
every_network = pytest.mark.parametrize("name", BLOCKS)


def batch_norm(name, channels):
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{vector}": (channels,) for vector in vectors} | {f"{name}.num_batches_tracked": ()}


def table(name, stages):
    """Names and shapes of the state dict up to that stage, from the table above."""
    convolutions, counts = BLOCKS[name]
    shapes, inputs = {"conv1.weight": (64, 3, 7, 7)} | batch_norm("bn1", 64), 64
    for stage in range(stages):
        width = 64 * 2**stage
        outputs = width * convolutions[-1][1]
        for block in range(counts[stage]):
            prefix, channels = f"layer{stage + 1}.{block}", inputs
            for number, (kernel, factor) in enumerate(convolutions, start=1):
                shapes[f"{prefix}.conv{number}.weight"] = (width * factor, channels, kernel, kernel)
                channels = width * factor
                shapes |= batch_norm(f"{prefix}.bn{number}", channels)
            if block == 0 and (stage > 0 or inputs != outputs):
                shapes[f"{prefix}.downsample.0.weight"] = (outputs, inputs, 1, 1)
                shapes |= batch_norm(f"{prefix}.downsample.1", outputs)
            inputs = outputs
    return shapes


def parameters(shapes):
    """How many numbers are trained, of names and shapes."""
    learned = [shape for key, shape in shapes.items() if key.endswith(("weight", "bias"))]
    return sum(int(torch.Size(shape).numel()) for shape in learned)


def weight_file(name, stages=4):
    """What torchvision's file holds: the state dict of the whole network, filled with random numbers."""
    features = 512 * BLOCKS[name][0][-1][1]
    shapes = table(name, stages) | {"fc.weight": (1000, features), "fc.bias": (1000,)}
    return {key: torch.rand(shape) if shape else torch.tensor(7) for key, shape in shapes.items()}


@pytest.fixture
def checkpoints(tmp_path, monkeypatch):
    """The folder that torchvision keeps its files in, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "_hub_dir", None)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


@every_network
def test_names_and_shapes_are_those_of_the_table(name):
    with torch.device("meta"):
        state = ResNetTrunk(name).state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == table(name, 3)


@every_network
def test_the_trunk_is_the_published_network_without_its_end(name):
    whole, trunk = parameters(table(name, 4)), parameters(table(name, 3))
    features = 512 * BLOCKS[name][0][-1][1]
    assert whole + 1000 * features + 1000 == PUBLISHED[name]
    with torch.device("meta"):
        assert sum(p.numel() for p in ResNetTrunk(name).parameters()) == trunk


@every_network
@pytest.mark.parametrize("size", [64, 224])
def test_channels_and_stride_are_what_it_says(name, size):
    trunk = ResNetTrunk(name).eval()
    with torch.no_grad():
        features = trunk(torch.randn(1, 3, size, size))
    side = size // trunk.stride
    assert features.shape == (1, trunk.channels, side, side)
    assert (trunk.channels, trunk.stride) == ({"resnet18": 256, "resnet50": 1024}[name], 16)


@pytest.mark.parametrize("size", [17, 40, 100])
def test_sides_are_rounded_up(size):
    trunk = ResNetTrunk("resnet18").eval()
    with torch.no_grad():
        assert trunk(torch.randn(1, 3, size, size)).shape[-2:] == (-(-size // 16), -(-size // 16))


def test_another_network_is_refused():
    with pytest.raises(ValueError, match="no network 'resnet34'; there are resnet18, resnet50"):
        ResNetTrunk("resnet34")
    with pytest.raises(ValueError, match="no network"):
        imagenet_weights("resnet34")


def by_functions(state, name, x):
    """The network in use (not in training), one function after the other, out of its state dict."""

    def convolve(x, key, stride=1):
        weight = state[f"{key}.weight"]
        return torch.nn.functional.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)

    def normalise(x, key):
        weight, bias, mean, variance = (
            state[f"{key}.{vector}"][:, None, None]
            for vector in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    convolutions, counts = BLOCKS[name]
    x = torch.nn.functional.max_pool2d(normalise(convolve(x, "conv1", 2), "bn1").clamp(min=0), 3, 2, 1)
    for stage in range(3):
        for block in range(counts[stage]):
            prefix, stride, y = f"layer{stage + 1}.{block}", 2 if stage and not block else 1, x
            strided = [kernel for kernel, _ in convolutions].index(3) + 1  # the first of 3x3
            for number in range(1, len(convolutions) + 1):
                y = convolve(y, f"{prefix}.conv{number}", stride if number == strided else 1)
                y = normalise(y, f"{prefix}.bn{number}")
                y = y.clamp(min=0) if number < len(convolutions) else y
            if f"{prefix}.downsample.0.weight" in state:
                x = normalise(convolve(x, f"{prefix}.downsample.0", stride), f"{prefix}.downsample.1")
            x = (x + y).clamp(min=0)
    return x


@every_network
def test_the_weights_of_a_file_are_the_ones_that_are_used(checkpoints, name):
    held = weight_file(name)
    for value in held.values():  # of a size at which nothing overflows
        if value.dim() == 4:
            value.sub_(0.5).mul_(4 / value[0].numel() ** 0.5)
    torch.save(held, checkpoints / f"{name}-0a1b2c3d.pth")
    trunk = ResNetTrunk(name).eval()
    trunk.load_state_dict(imagenet_weights(name))
    picture = torch.randn(2, 3, 48, 48, dtype=torch.float64)
    state = {key: value.double() for key, value in held.items()}
    with torch.no_grad():
        torch.testing.assert_close(trunk.double()(picture), by_functions(state, name, picture))


@every_network
def test_layer4_and_fc_of_a_file_are_left_out(checkpoints, name):
    held = weight_file(name)
    torch.save(held, checkpoints / f"{name}-0a1b2c3d.pth")
    weights = imagenet_weights(name)
    assert weights.keys() == table(name, 3).keys()
    assert all(torch.equal(value, held[key]) for key, value in weights.items())


def test_a_file_that_counts_no_batches(checkpoints):
    """torchvision's file of the ResNet-18 is as old as that."""
    held = {k: v for k, v in weight_file("resnet18").items() if not k.endswith("num_batches_tracked")}
    torch.save(held, checkpoints / "resnet18-f37072fd.pth")
    ResNetTrunk("resnet18").load_state_dict(imagenet_weights("resnet18"))


def test_without_a_file_there_are_no_weights(checkpoints):
    assert imagenet_weights("resnet18") is None
    (checkpoints / "resnet50-0a1b2c3d.pth").write_bytes(b"of another network")
    (checkpoints / "resnet18-0a1b2c3d.pth.partial").write_bytes(b"of a download that was cut off")
    assert imagenet_weights("resnet18") is None
    checkpoints.joinpath("resnet50-0a1b2c3d.pth").unlink()
    checkpoints.joinpath("resnet18-0a1b2c3d.pth.partial").unlink()
    checkpoints.rmdir()
    assert imagenet_weights("resnet18") is None


def test_the_first_of_several_files_is_taken(checkpoints):
    for number in (2, 1, 3):
        held = weight_file("resnet18") | {"bn1.bias": torch.full((64,), float(number))}
        torch.save(held, checkpoints / f"resnet18-{number}.pth")
    assert (imagenet_weights("resnet18")["bn1.bias"] == 1).all()


class Trap:
    """Runs code where it is unpickled."""

    def __reduce__(self):
        return print, ("code of a weight file was run",)


def test_a_file_that_cannot_be_read_is_named(checkpoints, capsys):
    file = checkpoints / "resnet18-0a1b2c3d.pth"
    torch.save(weight_file("resnet18"), file)
    whole = file.read_bytes()
    torch.save({"conv1.weight": Trap()}, file)
    for content in (b"", b"no weights", whole[: len(whole) // 2], whole[-1000:], file.read_bytes()):
        file.write_bytes(content)
        with pytest.raises(ValueError, match=r"resnet18-0a1b2c3d\.pth: .*damaged\?"):
            imagenet_weights("resnet18")
    assert not capsys.readouterr().out


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layer2.0.conv1.weight": torch.zeros(128, 64, 1, 1)}, r"layer2\.0\.conv1\.weight has shape"),
        ({"bn1.running_mean": "nothing"}, r"bn1\.running_mean is missing"),
        ({"layer1.0.conv3.weight": torch.zeros(256, 64, 1, 1)}, r"no layer1\.0\.conv3\.weight"),
        ({"layer3": None}, "no layer3"),
    ],
)
def test_names_and_shapes_that_do_not_fit_are_named(checkpoints, wrong, message):
    torch.save(weight_file("resnet18") | wrong, checkpoints / "resnet18-0a1b2c3d.pth")
    start = r"resnet18-0a1b2c3d\.pth: not the weights of a resnet18: .*"
    with pytest.raises(ValueError, match=start + message):
        imagenet_weights("resnet18")


def test_another_networks_file_is_refused(checkpoints):
    file = checkpoints / "resnet18-0a1b2c3d.pth"
    for held, message in (
        (weight_file("resnet50"), "not the weights of a resnet18"),
        ({}, "conv1.weight is missing"),
        ([torch.zeros(3)], "holds no state dict but a list"),
    ):
        torch.save(held, file)
        with pytest.raises(ValueError, match=message):
            imagenet_weights("resnet18")


def test_batch_norm_learns_its_statistics_in_training_alone():
    trunk, pictures = ResNetTrunk("resnet18"), torch.randn(8, 3, 32, 32) + 2
    trunk(pictures)
    first = trunk.conv1(pictures).mean((0, 2, 3))
    torch.testing.assert_close(trunk.bn1.running_mean, 0.1 * first, rtol=1e-4, atol=1e-5)
    assert int(trunk.layer3[1].bn2.num_batches_tracked) == 1
    before = {key: value.clone() for key, value in trunk.state_dict().items()}
    with torch.no_grad():
        together = trunk.eval()(pictures)
        torch.testing.assert_close(trunk(pictures[:1]), together[:1], rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in trunk.state_dict().items())


@every_network
def test_gradients_reach_every_parameter_and_the_picture(name):
    trunk, pictures = ResNetTrunk(name), torch.randn(2, 3, 32, 32, requires_grad=True)
    trunk(pictures).square().mean().backward()
    for tensor in (pictures, *trunk.parameters()):
        assert tensor.grad is not None and bool(tensor.grad.isfinite().all()) and bool(tensor.grad.any())


def test_a_new_trunk_neither_dies_nor_explodes():
    """In use, before any statistics are known."""
    trunk = ResNetTrunk("resnet18").eval()
    with torch.no_grad():
        features = trunk(torch.randn(4, 3, 64, 64))
    assert 0.1 < float(features.square().mean().sqrt()) < 100
