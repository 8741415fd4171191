"""Similarities of pictures against slow loops, at their ends, and where a gradient could fail."""

import math

import pytest
import torch

from lib.image_losses import dists, ms_ssim

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003


def pictures(*shape, seed=0):
    """Two pictures with something in common."""
    generator = torch.Generator().manual_seed(seed)
    x, other = torch.rand((2, *shape), generator=generator, dtype=torch.float64)
    return x, 0.6 * x + 0.4 * other


def window_statistics(x, y, top, left, side):
    """Weighted means, variances and covariance of one window, pixel by pixel."""
    weight = {}
    for i in range(side[0]):
        for j in range(side[1]):
            squares = (i - side[0] // 2) ** 2 + (j - side[1] // 2) ** 2
            weight[i, j] = math.exp(-squares / (2 * 1.5**2))
    total = sum(weight.values())
    sums = [0.0] * 5
    for (i, j), w in weight.items():
        a, b = float(x[top + i, left + j]), float(y[top + i, left + j])
        for k, value in enumerate((a, b, a * a, b * b, a * b)):
            sums[k] += w / total * value
    a, b, aa, bb, ab = sums
    return a, b, aa - a * a, bb - b * b, ab - a * b


def slow_channel(x, y, scales):
    """MS-SSIM of one channel (H, W), by loops."""
    result, total = 1.0, sum(WEIGHTS[:scales])
    for scale in range(scales):
        height, width = x.shape
        side = [min(11, length - 1 + length % 2) for length in (height, width)]
        values = []
        for top in range(height - side[0] + 1):
            for left in range(width - side[1] + 1):
                a, b, va, vb, cov = window_statistics(x, y, top, left, side)
                value = (2 * cov + 0.03**2) / (va + vb + 0.03**2)
                if scale == scales - 1:
                    value *= (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)
                values.append(value)
        result *= max(sum(values) / len(values), 1e-3) ** (WEIGHTS[scale] / total)
        x, y = (
            torch.tensor(
                [
                    [float(z[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean()) for j in range(width // 2)]
                    for i in range(height // 2)
                ]
            )
            for z in (x, y)
        )
    return result


@pytest.mark.parametrize(("size", "scales"), [((24, 24), 1), ((26, 22), 2), ((21, 30), 3)])
def test_ms_ssim_is_what_the_loops_give(size, scales):
    x, y = pictures(2, 3, *size)
    expected = [sum(slow_channel(x[n, c], y[n, c], scales) for c in range(3)) / 3 for n in range(len(x))]
    torch.testing.assert_close(ms_ssim(x, y, scales), torch.tensor(expected, dtype=torch.float64))


def test_ms_ssim_of_five_scales_is_the_published_one():
    """Equal structure, other luminance: the coarsest factor alone differs, under its weight 0.1333."""
    x, y = (torch.full((1, 1, 64, 64), level, dtype=torch.float64) for level in (0.5, 0.25))
    luminance = (2 * 0.5 * 0.25 + 1e-4) / (0.25 + 0.0625 + 1e-4)
    assert float(ms_ssim(x, y, 5)) == pytest.approx(luminance ** (0.1333 / sum(WEIGHTS)), abs=1e-5)


def test_ms_ssim_of_equal_pictures_is_one_and_falls_with_noise():
    x, _ = pictures(3, 3, 64, 64)
    x = torch.nn.functional.avg_pool2d(x, 7, 1, 3)
    noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    values = [ms_ssim(x, (x + strength * noise).clamp(0, 1)) for strength in (0, 0.02, 0.1, 0.3)]
    torch.testing.assert_close(values[0], torch.ones(3, dtype=torch.float64))
    for better, worse in zip(values, values[1:], strict=False):
        assert bool((worse < better).all())


def test_ms_ssim_is_symmetric_and_of_each_picture_alone():
    x, y = pictures(4, 3, 32, 32)
    torch.testing.assert_close(ms_ssim(x, y), ms_ssim(y, x))
    torch.testing.assert_close(ms_ssim(x, y)[2:3], ms_ssim(x[2:3], y[2:3]))


def test_opposite_pictures_have_a_finite_gradient():
    x, _ = pictures(2, 3, 48, 48)
    y = (1 - x).requires_grad_()
    value = ms_ssim(x, y)
    value.sum().backward()
    assert bool((value > 0).all()) and bool((value < 0.1).all()) and bool(y.grad.isfinite().all())


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_gradients_of_constant_pictures_are_finite(level):
    for other in (torch.full((2, 3, 32, 32), level), pictures(2, 3, 32, 32)[0].float()):
        x = torch.full((2, 3, 32, 32), level, requires_grad=True)
        (ms_ssim(x, other).sum() + dists([x], [other]).sum()).backward()
        assert bool(x.grad.isfinite().all())


def test_gradients_are_those_of_small_steps():
    x, y = pictures(1, 2, 14, 13)
    x.requires_grad_()
    torch.autograd.gradcheck(lambda x: ms_ssim(x, y, 2), (x,))
    torch.autograd.gradcheck(lambda x: dists([x, x**2], [y, y**2]), (x,))


def test_autocast_changes_nothing():
    x, y = (picture.float() for picture in pictures(2, 3, 32, 32))
    alone = ms_ssim(x, y), dists([x], [y])
    with torch.autocast("cpu", torch.bfloat16):
        within = ms_ssim(x, y), dists([x], [y])
    for a, b in zip(alone, within, strict=True):
        assert b.dtype == torch.float32
        torch.testing.assert_close(a, b)
    assert dists([x.bfloat16()], [y.bfloat16()]).dtype == torch.float32


@pytest.mark.parametrize(
    ("shapes", "scales", "message"),
    [
        (((2, 3, 32, 32), (2, 3, 32, 31)), 3, "alike"),
        (((3, 32, 32), (3, 32, 32)), 3, "alike"),
        (((2, 3, 32, 32), (2, 3, 32, 32)), 0, "1 to 5 scales"),
        (((2, 3, 32, 32), (2, 3, 32, 32)), 6, "1 to 5 scales"),
        (((2, 3, 32, 11), (2, 3, 32, 11)), 3, "too small for 3 scales"),
    ],
)
def test_pictures_that_ms_ssim_refuses(shapes, scales, message):
    with pytest.raises(ValueError, match=message):
        ms_ssim(*(torch.zeros(shape) for shape in shapes), scales)


def slow_dists(stages_x, stages_y, number):
    """DISTS of one picture of the batch, channel by channel, with equal weights."""
    distance = 1.0
    for x, y in zip(stages_x, stages_y, strict=True):
        channels = x.shape[1]
        for channel in range(channels):
            a = x[number, channel].flatten().tolist()
            b = y[number, channel].flatten().tolist()
            mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
            var_a = sum((v - mean_a) ** 2 for v in a) / len(a)
            var_b = sum((v - mean_b) ** 2 for v in b) / len(b)
            cov = sum((v - mean_a) * (w - mean_b) for v, w in zip(a, b, strict=True)) / len(a)
            texture = (2 * mean_a * mean_b + 1e-6) / (mean_a**2 + mean_b**2 + 1e-6)
            structure = (2 * cov + 1e-6) / (var_a + var_b + 1e-6)
            distance -= (texture + structure) / (2 * channels * len(stages_x))
    return distance


def test_dists_is_what_the_loops_give():
    stages = [pictures(2, *shape, seed=seed) for seed, shape in enumerate([(3, 8, 9), (7, 4, 4)])]
    xs, ys = zip(*stages, strict=True)
    expected = torch.tensor([slow_dists(xs, ys, number) for number in range(2)], dtype=torch.float64)
    torch.testing.assert_close(dists(xs, ys), expected)


def test_dists_of_equal_and_of_unlike_pictures():
    x, _ = pictures(3, 3, 16, 16)
    torch.testing.assert_close(dists([x, x], [x, x]), torch.zeros(3, dtype=torch.float64))
    black = torch.zeros_like(x)
    assert bool((dists([x], [black]) > 0.99).all())


def test_dists_forgives_where_a_texture_lies_but_not_its_mean():
    """Its texture term, unlike its structure, knows no places."""
    x, _ = pictures(1, 1, 16, 16)
    moved = x.flatten()[torch.randperm(256, generator=torch.Generator().manual_seed(0))].view_as(x)
    assert 0.3 < float(dists([x], [moved])) < 0.6  # the structure is lost, half of the whole
    assert float(dists([x], [x * 0.1])) > 0.5


@pytest.mark.parametrize(
    ("xs", "ys"),
    [
        ([], []),
        ([torch.zeros(2, 3, 4, 4)], []),
        ([torch.zeros(2, 3, 4, 4)], [torch.zeros(2, 3, 4, 5)]),
        ([torch.zeros(3, 4, 4)], [torch.zeros(3, 4, 4)]),
    ],
)
def test_stages_that_dists_refuses(xs, ys):
    with pytest.raises(ValueError, match="alike for both"):
        dists(xs, ys)
