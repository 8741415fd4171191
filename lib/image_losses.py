r"""How alike two pictures are: by structure at several scales, and by the statistics of deep features.

Both are reconstruction losses that Yoo and Russakovsky 2023 tried besides the squared error and the
perceptual loss. They are computed in float32 at least, whatever autocast is on.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

__all__ = ["dists", "ms_ssim"]

WINDOW, SIGMA = 11, 1.5  # px: side and deviation of the Gaussian window (Wang et al. 2004)
# Of the scales, the finest first (Wang et al. 2003, Sec. 3.2).
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
LUMINANCE, CONTRAST = 0.01**2, 0.03**2  # C1 and C2 of SSIM for pictures in [0, 1]
SMALLEST = 1e-3  # factors are raised to powers below 1, whose slope at 0 is infinite
DISTS_CONSTANT = 1e-6  # c1 and c2 of DISTS


def ms_ssim(x: Tensor, y: Tensor, scales: int = 3) -> Tensor:
    r"""Multi-scale structural similarity (N,) of pictures (N, C, H, W) in [0, 1]; 1 for equal ones.

    Wang, Simoncelli and Bovik (2003): contrast and structure at each scale, luminance at the coarsest,

        (2 sigma_xy + C2) / (sigma_x^2 + sigma_y^2 + C2),   (2 mu_x mu_y + C1) / (mu_x^2 + mu_y^2 + C1),

    with means, variances and covariance under a Gaussian window of 11 px, wherever that fits into the
    picture. Averages over the picture are raised to the scale's weight and multiplied, and channels are
    averaged. A scale has half the side of the one before, by averages of 2 x 2 pixels.

    Departures: with fewer than the paper's five scales the weights of those used are divided by their
    sum; a window that is larger than the picture is cut to the largest odd side that fits; factors below
    1e-3, negative ones too, count as 1e-3 and pass no gradient.

    ValueError for pictures of other or of different shapes, scales outside 1 to 5, and pictures whose
    coarsest scale would have a side under 3 px.
    """
    if x.shape != y.shape or x.ndim != 4:
        raise ValueError(f"pictures are (N, C, H, W), alike, not {tuple(x.shape)} and {tuple(y.shape)}")
    if not 1 <= scales <= len(SCALE_WEIGHTS):
        raise ValueError(f"there are 1 to {len(SCALE_WEIGHTS)} scales, not {scales}")
    if min(x.shape[2:]) >> (scales - 1) < 3:
        raise ValueError(f"pictures of {tuple(x.shape[2:])} px are too small for {scales} scales")
    with torch.autocast(x.device.type, enabled=False):
        x, y = _at_least_float32(x), _at_least_float32(y)
        weights = x.new_tensor(SCALE_WEIGHTS[:scales])
        weights, factors = weights / weights.sum(), []
        for scale in range(scales):
            if scale > 0:
                x, y = avg_pool2d(x, 2), avg_pool2d(y, 2)
            luminance, structure = _similarities(x, y)
            factor = structure if scale < scales - 1 else luminance * structure
            factors.append(factor.mean((2, 3)).clamp(min=SMALLEST))
        return (torch.stack(factors, dim=-1) ** weights).prod(-1).mean(1)


def dists(features_x: Sequence[Tensor], features_y: Sequence[Tensor]) -> Tensor:
    r"""Distance (N,) of two pictures by structure and texture: 0 where equal, about 1 where unlike.

    Arguments:
        features_x: the stages of one picture, each (N, C, H, W): the picture itself in [0, 1], then
            features of a network, as ``[picture, *perceptual(picture, stages=True)]``.
        features_y: those of the other picture.

    Ding, Ma, Wang and Simoncelli (2020): with mean, variance and covariance of each channel,

        texture = (2 mu_x mu_y + c) / (mu_x^2 + mu_y^2 + c),
        structure = (2 sigma_xy + c) / (sigma_x^2 + sigma_y^2 + c),

    the distance is 1 minus their weighted mean. The paper learns a weight for each channel from what
    people find alike; here texture and structure, the stages, and the channels of a stage count alike.
    Its network, a VGG16 of five stages, smooths where this project's takes maxima.

    ValueError for no stages, stages of other or of different shapes, or different numbers of them.
    """
    shapes = [[tuple(stage.shape) for stage in stages] for stages in (features_x, features_y)]
    if shapes[0] != shapes[1] or not shapes[0] or any(len(shape) != 4 for shape in shapes[0]):
        raise ValueError(f"stages are (N, C, H, W), alike for both, not {shapes[0]} and {shapes[1]}")
    similarities = []
    for x, y in zip(features_x, features_y, strict=True):
        x, y = _at_least_float32(x), _at_least_float32(y)
        mean_x, mean_y = x.mean((2, 3)), y.mean((2, 3))
        x, y = x - mean_x[:, :, None, None], y - mean_y[:, :, None, None]
        spread = x.square().mean((2, 3)) + y.square().mean((2, 3))
        texture = _ratio(mean_x * mean_y, mean_x.square() + mean_y.square(), DISTS_CONSTANT)
        structure = _ratio((x * y).mean((2, 3)), spread, DISTS_CONSTANT)
        similarities.append((texture + structure).mean(1) / 2)
    return 1 - torch.stack(similarities).mean(0)


def _at_least_float32(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _ratio(product: Tensor, squares: Tensor, constant: float) -> Tensor:
    """(2 a b + c) / (a^2 + b^2 + c): 1 where a = b."""
    return (2 * product + constant) / (squares + constant)


def _similarities(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Luminance, contrast and structure (N, C, H', W') of SSIM, wherever the window fits."""
    rows, columns = _blur(x, 2), _blur(x, 3)
    mean_x, mean_y, product, squares = (
        rows @ values @ columns.T for values in (x, y, x * y, x.square() + y.square())
    )
    covariance = product - mean_x * mean_y
    spread = squares - mean_x.square() - mean_y.square()
    luminance = _ratio(mean_x * mean_y, mean_x.square() + mean_y.square(), LUMINANCE)
    return luminance, _ratio(covariance, spread, CONTRAST)


def _blur(x: Tensor, axis: int) -> Tensor:
    """The Gaussian window at each place of an axis where it fits, as a matrix (L', L) from that axis.

    Products with it are many times faster on processors than convolutions of one channel.
    """
    length = x.shape[axis]
    side = min(WINDOW, length if length % 2 else length - 1)
    place = torch.arange(length, device=x.device)
    distance = place - place[: length - side + 1, None] - side // 2
    window = torch.exp(-distance.to(x.dtype).square() / (2 * SIGMA**2))
    window = window.masked_fill(distance.abs() > side // 2, 0.0)
    return window / window.sum(1, keepdim=True)
