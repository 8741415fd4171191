r"""ResNet-18 and ResNet-50 (He et al., CVPR 2016) up to their third stage, with torchvision's names.

Parameters bear the names that they have in torchvision's state dicts (``conv1.weight``,
``layer2.0.downsample.1.running_mean``), and so do buffers, so that its weight files fit. In ResNet-50
each block strides at its 3x3 convolution, as in torchvision, not at the first 1x1 as in the paper.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import relu

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "ResNetTrunk", "imagenet_weights", "stored_weights"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
"""Of the channels red, green, blue of pictures in [0, 1]: (picture - mean) / std is what the weights know."""
IMAGENET_STD = (0.229, 0.224, 0.225)

_WIDTHS = (64, 128, 256)  # of layer1, layer2, layer3


def _convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)


def _shortcut(inputs: int, outputs: int, stride: int) -> nn.Module:
    """What a residual is added to: the block's input, by a 1x1 convolution where the shapes differ."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(_convolution(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))


class _BasicBlock(nn.Module):
    """Two convolutions of 3x3."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = _convolution(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _convolution(width, width, 3), nn.BatchNorm2d(width)
        self.downsample = _shortcut(inputs, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = relu(self.bn1(self.conv1(x)))
        return relu(self.bn2(self.conv2(residual)) + self.downsample(x))


class _Bottleneck(nn.Module):
    """A convolution of 3x3 between two of 1x1, the second of which widens four times."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = _convolution(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _convolution(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = _convolution(width, 4 * width, 1), nn.BatchNorm2d(4 * width)
        self.downsample = _shortcut(inputs, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        residual = relu(self.bn1(self.conv1(x)))
        residual = relu(self.bn2(self.conv2(residual)))
        return relu(self.bn3(self.conv3(residual)) + self.downsample(x))


# name -> the block, and how many of them stand in layer1, layer2, layer3
_NETWORKS = {"resnet18": (_BasicBlock, (2, 2, 2)), "resnet50": (_Bottleneck, (3, 4, 6))}


class ResNetTrunk(nn.Module):
    r"""The layers of a ResNet from the picture to the end of layer3 ("res4f" of a ResNet-50).

    Attributes:
        channels: of the result, 256 for a ResNet-18 and 1024 for a ResNet-50.
        stride: how many times smaller the result is than the picture, 16.

    Weights are drawn as He et al. (ICCV 2015) do, from the number of outputs; ``load_state_dict``
    takes what :func:`imagenet_weights` returns. ValueError for a name but "resnet18" and "resnet50".
    """

    stride = 16

    def __init__(self, name: str):
        super().__init__()
        if name not in _NETWORKS:
            raise ValueError(f"no network {name!r}; there are {', '.join(_NETWORKS)}")
        block, counts = _NETWORKS[name]
        self.channels = block.expansion * _WIDTHS[-1]
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        stages, inputs = [], 64
        for stage, (width, count) in enumerate(zip(_WIDTHS, counts, strict=True)):
            outputs = block.expansion * width
            first = block(inputs, width, 1 if stage == 0 else 2)
            stages.append(nn.Sequential(first, *(block(outputs, width, 1) for _ in range(count - 1))))
            inputs = outputs
        self.layer1, self.layer2, self.layer3 = stages
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, picture: Tensor) -> Tensor:
        """picture (N, 3, S, S), normalised -> (N, channels, S', S') with S' = S / stride, rounded up."""
        x = self.maxpool(relu(self.bn1(self.conv1(picture))))
        return self.layer3(self.layer2(self.layer1(x)))


def stored_weights(name: str) -> tuple[Path, dict] | None:
    """torchvision's file of a network trained on ImageNet and its state dict, or None where there is no file.

    Looks for ``<name>-*.pth`` in the folder ``checkpoints`` of ``torch.hub.get_dir()``, which heeds
    TORCH_HOME; the first by name where there are several. Nothing is downloaded. ValueError that names a
    file that cannot be read or holds no state dict.
    """
    files = sorted(Path(torch.hub.get_dir(), "checkpoints").glob(f"{name}-*.pth"))
    if not files:
        return None
    try:
        found = torch.load(files[0], map_location="cpu", weights_only=True)
    except Exception as error:  # of any kind: of the file, of zip, of pickle
        raise ValueError(f"{files[0]}: no weights can be read from this file; is it damaged?") from error
    if not isinstance(found, dict):
        raise ValueError(f"{files[0]}: holds no state dict but a {type(found).__name__}")
    return files[0], found


def imagenet_weights(name: str) -> dict[str, Tensor] | None:
    r"""State dict of a trunk trained on ImageNet, or None where torchvision's file is not on the machine.

    The file is that of :func:`stored_weights` (for a ResNet-50 the weights IMAGENET1K_V1 where both are
    there). layer4 and fc are left out. Files older than PyTorch 0.4.1 do not count the batches of BatchNorm:
    the count, which the trunk does not use, is 0.

    ValueError that names the file where it cannot be read, or its names or shapes do not fit; also
    for another network.
    """
    with torch.device("meta"):
        trunk = ResNetTrunk(name)
    stored = stored_weights(name)
    if stored is None:
        return None
    path, found = stored
    weights = {}
    for key, expected in trunk.state_dict().items():
        value = found.get(key)
        if value is None and key.endswith("num_batches_tracked"):
            value = torch.zeros((), dtype=torch.int64)
        if not isinstance(value, Tensor):
            raise ValueError(f"{path}: not the weights of a {name}: {key} is missing")
        if value.shape != expected.shape:
            shapes = f"{tuple(value.shape)}, not {tuple(expected.shape)}"
            raise ValueError(f"{path}: not the weights of a {name}: {key} has shape {shapes}")
        weights[key] = value
    surplus = sorted(key for key in found if key not in weights and not key.startswith(("layer4.", "fc.")))
    if surplus:
        raise ValueError(f"{path}: not the weights of a {name}: it has no {surplus[0]}")
    return weights
