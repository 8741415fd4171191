"""Saliency of crops: a figure is found by what it differs from, each picture by itself."""

import people
import pytest
import torch
from test_dataset import ABOUT

from lib.data.batches import load_poses
from lib.data.dataset import open_dataset, write_dataset
from lib.data.images import Filmed
from lib.data.saliency import background_weight, cielab, optimised, saliency, superpixels

SIZE = 64


@pytest.fixture(scope="module")
def wild(tmp_path_factory):
    """24 pictures of people before the web's scenes, and their true masks."""
    about = ABOUT | {"split": people.SPLITS["studio"]}
    path = write_dataset(tmp_path_factory.mktemp("saliency") / "a.h5", people.clips("studio"), **about)
    filmed = Filmed.of(load_poses(open_dataset(path), "train", stride=2), "wild", SIZE)
    drawn = filmed.draw(torch.linspace(0, len(filmed) - 1, 24).long(), background=True)
    return drawn.colour, drawn.mask


def blob(size=SIZE, colour=(0.9, 0.8, 0.1), behind=(0.2, 0.3, 0.5), dtype=torch.float32):
    """An upright ellipse in the middle of a plain picture, and its mask."""
    axis = (torch.arange(size) + 0.5) / size - 0.5
    mask = (axis[:, None] / 0.35).square() + (axis / 0.15).square() < 1
    colour, behind = (torch.tensor(c, dtype=dtype)[:, None, None] for c in (colour, behind))
    return torch.where(mask, colour, behind)[None], mask[None]


def overlap(one, other):
    """Intersection over union (N,) of masks (N, S, S)."""
    return (one & other).sum((1, 2)) / (one | other).sum((1, 2)).clamp_min(1)


def central_boxes(size):
    """Boxes (M, S, S) in the middle, from slim to square."""
    away = ((torch.arange(size) + 0.5) / size - 0.5).abs()
    return torch.stack(
        [
            (away[:, None] < h / 2) & (away < w / 2)
            for h in (0.6, 0.7, 0.8, 0.9)
            for w in (0.15, 0.2, 0.3, 0.4, 0.6)
        ]
    )


def test_pixels_get_a_number_between_0_and_1(wild):
    found = saliency(wild[0])
    assert found.shape == (24, 1, SIZE, SIZE) and found.dtype == torch.float32
    assert found.isfinite().all() and found.min() >= 0 and found.max() <= 1
    assert saliency(wild[0][:0]).shape == (0, 1, SIZE, SIZE)


@pytest.mark.parametrize("size", [8, 15, 32, 64, 96])
def test_a_blob_on_a_plain_background_is_found(size, dtype):
    picture, mask = blob(size, dtype=dtype)
    found = saliency(picture)
    assert found.dtype == dtype and found.isfinite().all()
    if size >= 32:  # below, a superpixel is as wide as the blob's rim
        assert overlap(found[:, 0] > 0.5, mask) > 0.9
        assert found[:, 0][mask].mean() > 0.9 and found[:, 0][~mask].mean() < 0.05


def test_dark_figures_are_found_as_bright_ones_are():
    for colour, behind in (((0.1, 0.1, 0.1), (0.8, 0.8, 0.8)), ((0.2, 0.6, 0.2), (0.6, 0.3, 0.3))):
        picture, mask = blob(colour=colour, behind=behind)
        assert overlap(saliency(picture)[:, 0] > 0.5, mask) > 0.9


def test_what_reaches_the_border_is_background():
    picture, mask = blob()
    picture[:, 1, :, 44:] = 0.9  # a strip of another colour, from the border inwards
    found = saliency(picture)[0, 0]
    assert overlap(found[None] > 0.5, mask) > 0.85 and found[:, 48:].max() < 0.3
    regions = superpixels(cielab(picture))
    weight = background_weight(regions)
    centre, strip = (regions.label[0, 32, column] for column in (32, 50))
    assert weight[0, centre] < 0.1 and weight[0, strip] > 0.8
    assert (weight[regions.border] == 1).all() and weight.min() >= 0 and weight.max() <= 1


@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_a_picture_of_one_colour_has_no_figure(level):
    found = saliency(torch.full((2, 3, SIZE, SIZE), level))
    assert found.isfinite().all() and found.max() < 0.5


def test_noise_is_survived():
    found = saliency(torch.rand(2, 3, SIZE, SIZE))
    assert found.isfinite().all() and found.min() >= 0 and found.max() <= 1


def test_each_picture_is_looked_at_by_itself(wild):
    pictures = wild[0][:9]
    together = saliency(pictures, chunk=9)
    for other in (
        saliency(pictures),
        saliency(pictures.flip(0), chunk=2).flip(0),
        saliency(pictures, chunk=1),
    ):
        assert ((together - other).abs() > 1e-3).float().mean() < 1e-3


def test_a_mirrored_picture_has_a_mirrored_figure(wild):
    pictures = torch.cat([wild[0], blob()[0]])
    mirrored = saliency(pictures.flip(-1)).flip(-1)
    assert ((mirrored - saliency(pictures)).abs() > 1e-2).float().mean() < 0.01


def test_the_picture_is_not_changed_and_no_gradient_is_kept():
    picture = blob()[0].requires_grad_()
    before = picture.detach().clone()
    assert not saliency(picture).requires_grad
    assert torch.equal(picture, before)


def test_people_are_found_better_than_by_a_box_in_the_middle(wild):
    pictures, mask = wild
    found = overlap(saliency(pictures)[:, 0] > 0.5, mask).mean()
    box = max(overlap(box.expand_as(mask), mask).mean() for box in central_boxes(SIZE))
    assert found > 0.55 and found > box + 0.1


def test_colour_models_carve_pixels_out_of_regions(wild):
    pictures, mask = wild
    regions = superpixels(cielab(pictures))
    coarse = optimised(regions)
    assert coarse.min() >= 0 and coarse.max() <= 1
    coarse = coarse.gather(1, regions.label.flatten(1)).view(mask.shape)
    best = max(overlap(coarse > level / 10, mask).mean() for level in range(1, 9))
    assert overlap(saliency(pictures)[:, 0] > 0.5, mask).mean() > best


def test_superpixels_cover_the_picture_and_know_their_neighbours(wild):
    colours = cielab(wild[0][:3])
    regions = superpixels(colours)
    assert regions.label.shape == (3, SIZE, SIZE)
    assert (regions.count.sum(1) == SIZE**2).all()
    assert torch.equal(regions.beside, regions.beside.mT)
    assert not regions.beside.diagonal(dim1=1, dim2=2).any()
    assert not (regions.beside.any(-1) & (regions.count == 0)).any()
    rim = torch.ones(SIZE, SIZE, dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    for label, border in zip(regions.label, regions.border, strict=True):
        assert torch.equal(border.nonzero()[:, 0], label[rim].unique())
    drawn = regions.colour.mT.gather(2, regions.label.flatten(1)[:, None].expand(-1, 3, -1))
    error = (drawn.view_as(colours) - colours).abs().mean()
    assert error < 0.5 * (colours - colours.mean((2, 3), keepdim=True)).abs().mean()


def test_known_colours():
    known = torch.tensor([[1.0, 1, 1], [0, 0, 0], [1, 0, 0], [0, 0, 1]]).view(4, 3, 1, 1)
    expected = torch.tensor([[100.0, 0, 0], [0, 0, 0], [53.24, 80.09, 67.20], [32.30, 79.19, -107.86]])
    torch.testing.assert_close(cielab(known).view(4, 3), expected, rtol=0, atol=0.1)


@pytest.mark.parametrize(
    "pictures",
    [
        torch.zeros(3, 64, 64),
        torch.zeros(2, 1, 64, 64),
        torch.zeros(2, 3, 64, 48),
        torch.zeros(2, 3, 4, 4),
        torch.zeros(2, 3, 64, 64, dtype=torch.uint8),
        torch.zeros(2, 3, 64, 64, dtype=torch.float16),
    ],
)
def test_bad_input_is_refused(pictures):
    with pytest.raises(ValueError, match="pictures"):
        saliency(pictures)


def test_precision_is_full_under_autocast(wild):
    alone = saliency(wild[0][:3])
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(saliency(wild[0][:3]), alone)
