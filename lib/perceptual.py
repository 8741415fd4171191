r"""Features that pictures are compared by: VGG19 up to relu3_2, or a fixed network of the same shape.

Johnson et al. (ECCV 2016) compare pictures by what a network trained on ImageNet makes of them;
Schmidtke et al. 2021 and Yoo and Russakovsky 2023 take relu3_2 of a VGG19 (Simonyan and Zisserman 2015).
Where its weights are not on the machine, a network of the same layers with fixed random weights stands
in: its features respond to edges and to how they are arranged, but know no objects.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, interpolate, max_pool2d, relu

from lib.resnet import IMAGENET_MEAN, IMAGENET_STD, stored_weights

__all__ = ["Perceptual", "vgg_weights"]

# Index of each convolution among the modules `features` of torchvision's VGG19, and its channels; None
# is a max pooling. A ReLU follows each convolution.
LAYERS = ((0, 64), (2, 64), None, (5, 128), (7, 128), None, (10, 256), (12, 256))
STAGES = (2, 7, 12)  # convolutions whose ReLU ends a stage: relu1_2, relu2_2, relu3_2
SEED = 19
CALIBRATION = (16, 64)  # pictures and their side in px, by which the gains of the random network are set


class Perceptual(nn.Module):
    r"""A frozen network from pictures to the features they are compared by.

    Attributes:
        has_vgg: whether the weights are those of torchvision's VGG19, trained on ImageNet.
        initialisation: the same in words, for a record.
        channels: of relu1_2, relu2_2 and relu3_2.

    Without those weights each convolution is orthogonal, drawn from a fixed seed; then its channels are
    scaled and shifted so that each has mean 0 and variance 1 before its ReLU, on pictures of edges and
    noise drawn from that seed too. ``width`` scales the numbers of its channels; a VGG19 has its own.

    Parameters are never trained, though gradients pass to the pictures, and there is no difference
    between training and use. The global random state is neither heeded nor changed. ValueError for a
    width that is not positive, and for a weight file that does not fit (see :func:`vgg_weights`).
    """

    def __init__(self, width: float = 1.0):
        super().__init__()
        if not width > 0:
            raise ValueError(f"width is a positive factor, not {width}")
        weights = vgg_weights()
        self.has_vgg = weights is not None
        if weights is None:
            self.initialisation = f"perceptual features of a fixed random network, width {width:g}"
        else:
            width, self.initialisation = 1.0, "perceptual features of torchvision's VGG19 (ImageNet)"
        self.features, inputs = nn.ModuleDict(), 3
        for index, channels in filter(None, LAYERS):
            outputs = max(1, round(width * channels))
            self.features[str(index)] = nn.utils.skip_init(nn.Conv2d, inputs, outputs, 3, padding=1)
            inputs = outputs
        self.channels = tuple(self.features[str(index)].out_channels for index in STAGES)
        for name, statistics in (("mean", IMAGENET_MEAN), ("std", IMAGENET_STD)):
            self.register_buffer(name, torch.tensor(statistics)[:, None, None], persistent=False)
        self.requires_grad_(False)
        if weights is None:
            self._draw()
        else:
            self.load_state_dict(weights)

    def forward(self, pictures: Tensor, stages: bool = False) -> Tensor | list[Tensor]:
        """pictures (N, 3, S, S) in [0, 1] -> relu3_2 (N, C, S / 4, S / 4).

        With ``stages`` the list of relu1_2 (at S), relu2_2 (at S / 2) and relu3_2. ValueError for
        another number of channels and for pictures under 4 px.
        """
        if pictures.ndim != 4 or pictures.shape[1] != 3 or min(pictures.shape[2:]) < 4:
            raise ValueError(f"pictures are (N, 3, S, S) of at least 4 px, not {tuple(pictures.shape)}")
        x, found = (pictures - self.mean) / self.std, []
        for layer in LAYERS:
            if layer is None:
                x = max_pool2d(x, 2)
                continue
            x = relu(self.features[str(layer[0])](x))
            if layer[0] in STAGES:
                found.append(x)
        return found if stages else x

    def errors(self, drawn: list[Tensor], target: list[Tensor]) -> Tensor:
        r"""How far pictures (N,) are apart, from their stages: the mean absolute difference of features.

        The poster calls its mean the perceptual loss; |.| and not a square is from the authors' code. With
        VGG's weights of relu3_2 alone, as in that code; else the mean over all three stages, for the random
        network's last one knows too little of colours and places.
        """
        stages = slice(-1, None) if self.has_vgg else slice(None)
        return torch.stack(
            [
                (a.float() - b.float()).abs().flatten(1).mean(1)
                for a, b in zip(drawn[stages], target[stages], strict=True)
            ]
        ).mean(0)

    @torch.no_grad()
    def _draw(self) -> None:
        """Orthogonal weights from the seed; layer by layer the gain and the bias of each channel."""
        generator = torch.Generator().manual_seed(SEED)
        x = (_calibration_pictures(generator) - self.mean) / self.std
        for layer in LAYERS:
            if layer is None:
                x = max_pool2d(x, 2)
                continue
            convolution = self.features[str(layer[0])]
            nn.init.orthogonal_(convolution.weight, generator=generator)
            x = conv2d(x, convolution.weight, padding=1)
            deviation, mean = torch.std_mean(x, dim=(0, 2, 3))
            deviation = deviation.clamp(min=1e-6)
            convolution.weight.div_(deviation[:, None, None, None])
            convolution.bias.copy_(-mean / deviation)
            x = relu((x - mean[:, None, None]) / deviation[:, None, None])


def vgg_weights() -> dict[str, Tensor] | None:
    r"""State dict of a VGG19 trained on ImageNet up to relu3_2, or None where there is no file of it.

    torchvision's ``vgg19-*.pth``, where :func:`lib.resnet.stored_weights` looks for it. Deeper layers and the
    classifier are left out. ValueError that names the file where it cannot be read, or its names or shapes
    do not fit.
    """
    stored = stored_weights("vgg19")
    if stored is None:
        return None
    path, found = stored
    weights, inputs = {}, 3
    for index, outputs in filter(None, LAYERS):
        for name, shape in (("weight", (outputs, inputs, 3, 3)), ("bias", (outputs,))):
            key = f"features.{index}.{name}"
            value = found.get(key)
            if not isinstance(value, Tensor):
                raise ValueError(f"{path}: not the weights of a VGG19: {key} is missing")
            if value.shape != shape:
                shapes = f"{tuple(value.shape)}, not {shape}"
                raise ValueError(f"{path}: not the weights of a VGG19: {key} has shape {shapes}")
            weights[key] = value
        inputs = outputs
    return weights


def _calibration_pictures(generator: torch.Generator) -> Tensor:
    """Pictures (N, 3, S, S) in [0, 1]: straight edges between colours, with noise, coarse and fine."""
    count, size = CALIBRATION

    def draw(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    place = torch.linspace(-1, 1, size)
    y, x = torch.meshgrid(place, place, indexing="ij")
    angle, offset = math.pi * 2 * draw(count, 4, 1, 1), draw(count, 4, 1, 1) - 0.5
    sides = (angle.cos() * x + angle.sin() * y > offset).float()  # of four edges a picture
    colours = draw(count, 4, 3, 1, 1) - 0.5
    picture = 0.5 + (sides[:, :, None] * colours).sum(1)
    for cells, strength in ((size // 8, 0.3), (size // 2, 0.15), (size, 0.05)):
        noise = torch.randn((count, 3, cells, cells), generator=generator)
        picture = picture + strength * interpolate(noise, size=(size, size), mode="bilinear")
    return avg_pool2d(picture.clamp(0, 1), 3, 1, 1, count_include_pad=False)
