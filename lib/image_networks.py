r"""Convolutional networks shared by the papers that learn from pictures.

All are fully sized by their arguments, and normalise over groups of channels, so that a picture's result does
not depend on the batch that it is in, and a running average of the weights needs no statistics of its own.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

__all__ = ["MapNetwork", "PointNetwork", "DenseReader", "PatchDiscriminator", "soft_argmax"]


def _layer(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, bias=False),
        nn.GroupNorm(min(8, outputs), outputs),
        nn.ReLU(),
    )


class _Encoder(nn.Module):
    """Stages of two convolutions, each after the first at half the resolution; returns all of them."""

    def __init__(self, channels: int, widths: tuple[int, ...], reduce: int):
        super().__init__()
        self.stages = nn.ModuleList()
        for stage, width in enumerate(widths):
            # the first layer sees a wider field, and strides where the maps are smaller than the picture
            first = (
                _layer(channels, width, reduce, 7 if reduce == 1 else 4)
                if stage == 0
                else _layer(widths[stage - 1], width, 2)
            )
            self.stages.append(nn.Sequential(first, _layer(width, width)))

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features


class _Decoder(nn.Module):
    """Up again from the last of the encoder's stages to stage `stop`, each stage added to what comes up."""

    def __init__(self, widths: tuple[int, ...], stop: int = 0):
        super().__init__()
        self.stop = stop
        levels = range(len(widths) - 1, stop, -1)
        self.narrow = nn.ModuleList(nn.Conv2d(widths[i], widths[i - 1], 1, bias=False) for i in levels)
        self.smooth = nn.ModuleList(_layer(widths[i - 1], widths[i - 1]) for i in levels)

    def forward(self, features: list[Tensor]) -> Tensor:
        x = features[-1]
        skips = features[self.stop : -1][::-1]
        for narrow, smooth, skip in zip(self.narrow, self.smooth, skips, strict=True):
            x = interpolate(narrow(x), size=skip.shape[-2:], mode="nearest")
            x = smooth(x + skip)
        return x


class MapNetwork(nn.Module):
    r"""Pictures to maps by an encoder and a decoder with skips; :math:`\Phi` of Sosa & Hogg 2023.

    Arguments:
        channels, maps: channels of the picture and of the result.
        widths: channels of each stage, from the finest on (32, 64, 128, 256 in the code of [14]).
        reduce: how many times smaller the maps are than the picture, 1 or 2.
    """

    def __init__(self, channels: int = 3, maps: int = 1, widths=(32, 64, 128, 256), reduce: int = 1):
        super().__init__()
        if reduce not in (1, 2):
            raise ValueError(f"maps are as large as the picture or half, not 1/{reduce}")
        self.encoder = _Encoder(channels, tuple(widths), reduce)
        self.decoder = _Decoder(tuple(widths))
        self.head = nn.Conv2d(widths[0], maps, 3, padding=1)

    def forward(self, picture: Tensor) -> Tensor:
        """picture (N, C, S, S) -> (N, maps, S / reduce, S / reduce), not bounded."""
        return self.head(self.decoder(self.encoder(picture))).float()


def soft_argmax(maps: Tensor, sharpness: float = 1.0) -> Tensor:
    """Points (N, J, 2) in [-1, 1] from maps (N, J, S, S): expectation along x and along y, apart.

    Each is a softmax over the mean of the maps along the other axis, times `sharpness`.
    """
    size = maps.shape[-1]
    centres = (torch.arange(size, device=maps.device, dtype=torch.float32) + 0.5) * (2 / size) - 1
    maps = maps.float() * sharpness
    # no matrix product, which autocast would round to bfloat16
    across = (torch.softmax(maps.mean(-2), -1) * centres).sum(-1)
    down = (torch.softmax(maps.mean(-1), -1) * centres).sum(-1)
    return torch.stack([across, down], dim=-1)


class PointNetwork(nn.Module):
    r"""Maps to points; :math:`\Omega` of Sosa & Hogg 2023, after the regressor of [14].

    Arguments:
        channels: of the input, 1 for a skeleton image.
        joints: number of points J.
        widths: channels of each stage.
        stop: stage at which the points are read off as a soft-argmax; its maps are 2^-stop times the
            size of the input (with `reduce`, half of that again).
        reduce: stride of the first layer.
        sharpness: factor on the maps before the softmax.
    """

    def __init__(
        self, channels: int = 1, joints: int = 17, widths=(32, 64, 128, 256), stop: int = 1,
        reduce: int = 1, sharpness: float = 4.0,
    ):  # fmt: skip
        super().__init__()
        self.encoder = _Encoder(channels, tuple(widths), reduce)
        self.decoder = _Decoder(tuple(widths), stop)
        self.head = nn.Conv2d(widths[stop], joints, 1)
        self.sharpness = sharpness

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, C, S, S) -> points (N, J, 2) in [-1, 1]."""
        return soft_argmax(self.head(self.decoder(self.encoder(maps))), self.sharpness)


class DenseReader(nn.Module):
    r"""Maps to points by convolutions of stride 2 and dense layers; a faster :math:`\Omega`.

    Arguments:
        size, channels: of the input; size is divisible by 2 to the number of widths.
        joints: number of points J.
        widths: channels of the convolutions.
        hidden: features of the two dense layers.
        dimensions: numbers a point D.
    """

    def __init__(
        self, size: int, channels: int = 1, joints: int = 17, widths=(32, 64, 128), hidden: int = 512,
        dimensions: int = 2,
    ):  # fmt: skip
        super().__init__()
        self.dimensions = dimensions
        left = size // 2 ** len(widths)
        self.layers = nn.Sequential(
            _layer(channels, widths[0], 2, 4),
            *(_layer(inputs, outputs, 2) for inputs, outputs in zip(widths, widths[1:], strict=False)),
            nn.Flatten(),
            nn.Linear(widths[-1] * left**2, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, dimensions * joints),
        )  # fmt: skip

    def forward(self, maps: Tensor) -> Tensor:
        """maps (N, C, S, S) -> points (N, J, D), not bounded."""
        return self.layers(maps).float().unflatten(-1, (-1, self.dimensions))


class PatchDiscriminator(nn.Module):
    r"""Discriminators of patches at several scales; D of Sosa & Hogg 2023, after the code of [14].

    Arguments:
        channels: of the maps.
        widths: channels of the layers; strides are 2 but for the last two, of stride 1.
        scales: how many; each sees the maps at half the size of the one before.
    """

    def __init__(self, channels: int = 1, widths=(64, 128, 256, 512), scales: int = 3):
        super().__init__()
        self.nets = nn.ModuleList()
        for _ in range(scales):
            layers: list[nn.Module] = [nn.Conv2d(channels, widths[0], 4, 2, 1), nn.LeakyReLU(0.2)]
            for stage, (inputs, outputs) in enumerate(zip(widths, widths[1:], strict=False)):
                stride = 2 if stage < len(widths) - 2 else 1
                layers += [
                    nn.Conv2d(inputs, outputs, 4 if stride == 2 else 3, stride, 1),
                    nn.InstanceNorm2d(outputs),
                    nn.LeakyReLU(0.2),
                ]
            layers.append(nn.Conv2d(widths[-1], 1, 3, 1, 1))
            self.nets.append(nn.Sequential(*layers))

    def forward(self, maps: Tensor) -> list[Tensor]:
        """maps (N, C, S, S) -> one map of scores, before any sigmoid, for each scale."""
        scores = []
        for number, net in enumerate(self.nets):
            scores.append(net(maps if number == 0 else avg_pool2d(maps, 2**number)).float())
        return scores
