"""Photographs: crops cut out of stored crops are the pictures that a drawing of the same poses would be."""

from dataclasses import replace

import benchmarked
import numpy as np
import pytest
import torch

from lib.data.backdrops import Backdrops, background_motion, is_static, person_share
from lib.data.batches import load_poses
from lib.data.dataset import DatasetError, open_dataset
from lib.data.images import Filmed
from lib.data.photographs import Photographed
from lib.papers.sosa2023_data import rotated

SIZE = 32


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    path = benchmarked.write(tmp_path_factory.mktemp("photographs"), "studio")
    return load_poses(open_dataset(path), "test")


@pytest.fixture(scope="module")
def some(poses):
    return torch.arange(0, len(poses), 3)


def drawn(poses):
    """The same poses without their pictures, as generated data have them."""
    return replace(poses, pictures=(), shot=None, row=None, turned=None, static=None)


def bare(poses):
    """The same pictures without masks and backgrounds."""
    pictures = tuple(replace(p, masked=False, background=None) for p in poses.pictures)
    return replace(poses, pictures=pictures)


def both(poses, size=SIZE, **options):
    found = Filmed.of(poses, "studio", size, **options), Filmed.of(drawn(poses), "studio", size, **options)
    assert isinstance(found[0], Photographed) and isinstance(found[1], Filmed)
    return found


def apart(one, other):
    return float((one - other).abs().mean())


def overlap(one, other):
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("margin", [1.0, 1.25, 1.5])
def test_a_photograph_is_the_drawing_cut_anew(poses, some, margin):
    """Stored at 64 px with more around it; what is left is the error of sampling twice."""
    stored, true = both(poses, margin=margin)
    for name in ("crop", "centre", "side", "K"):
        assert torch.equal(getattr(stored, name), getattr(true, name)), name
    picture, expected = stored.draw(some, background=True), true.draw(some, background=True)
    assert picture.colour.shape == expected.colour.shape
    error = apart(picture.colour, expected.colour)
    assert error < 0.035 and error < 0.25 * apart(picture.colour.roll(1, 0), expected.colour)
    # a pixel to the side is worse
    moved = (picture.colour.roll(shift, 3) for shift in (-1, 1))
    assert all(apart(other, expected.colour) > 1.2 * error for other in moved)
    assert overlap(picture.mask, expected.mask) > 0.85
    assert picture.parts is None and picture.depth is None
    assert torch.equal(stored.masks(some), picture.mask)


def test_on_black_the_stored_mask_cuts_people_out(poses, some):
    stored, true = both(poses)
    picture, expected = stored.draw(some), true.draw(some)
    assert stored.cut_out and apart(picture.colour, expected.colour) < 0.02
    assert float(picture.colour[~expected.mask[:, None].expand_as(picture.colour)].mean()) < 0.02


def test_without_masks_the_background_tells(poses, some):
    unmasked = tuple(replace(p, masked=False) for p in poses.pictures)
    stored, true = both(replace(poses, pictures=unmasked))
    picture = stored.draw(some)
    assert stored.cut_out and picture.mask is None and stored.masks() is None
    assert overlap(picture.colour.amax(1) > 0, true.draw(some).mask) > 0.6
    assert person_share(stored.poses, "studio").isnan().all()


def test_without_masks_and_backgrounds_all_is_shown(poses, some):
    stored, true = both(bare(poses), margin=1.25)
    assert not stored.cut_out and stored.draw(some).mask is None
    whole = stored.draw(some, background=True).colour
    assert torch.equal(stored.draw(some).colour, whole)
    assert apart(whole, true.draw(some, background=True).colour) < 0.035
    wide, _ = both(bare(poses), margin=3.2)  # twice as much as is stored
    corners = wide.draw(some).colour[:, :, :7, :7]
    assert float(corners.max()) == 0 and float(wide.scenery(some).max()) == 0


@pytest.mark.parametrize("window", ["clip", "scene"])
def test_beyond_the_crop_lies_the_stored_background(poses, some, window):
    stored, true = both(poses, 48, window=window)
    true = true.through(stored.centre, stored.side)  # all people share a drawn studio
    picture, expected = stored.draw(some, True).colour, true.draw(some, True).colour
    assert apart(picture, expected) < 0.03  # but for people's shadows
    still = stored.estimated_background(0).float() / 255
    assert apart(still, true.scenery(poses.start[:1])[0]) < 0.03
    with pytest.raises(ValueError, match="median"):
        both(poses)[0].estimated_background(0)
    estimated = both(bare(poses), 48, window="clip")[0].estimated_background(0)
    assert estimated.shape == (3, 48, 48)


def test_frames_may_come_in_any_order_and_number(poses):
    stored, _ = both(poses)
    whole = stored.all_colours(background=True)
    order = torch.randperm(len(poses), generator=torch.Generator().manual_seed(0))
    assert torch.equal(stored.colours(order, True, chunk=7), whole[order])
    clip = torch.arange(2).repeat_interleave(5)
    grouped = Filmed.of(poses.regrouped(order[:10], clip, ("/S9/a/1", "/S9/b/2")), "studio", SIZE)
    assert torch.equal(grouped.all_colours(True), whole[order[:10]])
    thin = Filmed.of(poses.thinned(2), "studio", SIZE)
    kept = (torch.arange(len(poses)) - poses.start[poses.clip]) % 2 == 0
    assert torch.equal(thin.all_colours(True), whole[kept])


@pytest.mark.parametrize("degrees", [30.0, 90.0, -45.0])
def test_a_turned_camera_turns_the_photograph(poses, some, degrees):
    stored, true = both(rotated(poses, degrees), margin=1.2)
    assert overlap(stored.draw(some).mask, true.draw(some).mask) > 0.85
    twice, _ = both(rotated(rotated(poses, degrees), -degrees))
    once, _ = both(poses)
    assert apart(twice.draw(some).colour, once.draw(some).colour) < 1e-4


def test_shrinking_skips_no_pixel(poses, some):
    small, _ = both(poses, 8)
    large, _ = both(poses, 32)
    averaged = torch.nn.functional.avg_pool2d(large.draw(some, True).colour, 4)
    assert apart(small.draw(some, True).colour, averaged) < 0.02


def test_backdrops_are_the_stored_backgrounds(poses, some):
    backdrops = Backdrops.of(poses, "studio")
    stored, true = both(poses)
    row = backdrops.row[poses.clip[some]]
    assert (row >= 0).all() and len(backdrops) <= len(poses.clips)
    crops = backdrops.crop(row, stored.centre[some], stored.side[some], SIZE)
    assert apart(crops, stored.scenery(some)) < 0.01
    assert apart(crops, true.scenery(some)) < 0.04
    assert len(Backdrops.of(bare(poses), "studio")) == 0
    nothing = Backdrops.of(poses, "studio", torch.zeros(len(poses.clips), dtype=torch.bool))
    assert (nothing.row == -1).all()


def test_a_moving_camera_is_one_by_its_flag(poses):
    static = torch.arange(len(poses.clips)) % 2 == 0
    half = replace(poses, static=static)
    assert torch.equal(is_static(background_motion(half, "studio")), static)
    assert torch.equal(Backdrops.of(half, "studio").row >= 0, static)


def test_nobody_is_drawn_in_the_place_of_a_missing_picture(tmp_path):
    path = benchmarked.write(tmp_path, "sport", pictures=False)
    poses = load_poses(open_dataset(path), "train")
    with pytest.raises(DatasetError, match=r"sport\.h5: .*python -m lib\.data import lsp PATH --size 128"):
        Filmed.of(poses, "sport", SIZE)
    for role in ("motion", "bodies"):  # these are always drawn
        assert isinstance(Filmed.of(poses, role, SIZE), Filmed)


def test_bad_input_is_refused(poses):
    with pytest.raises(ValueError, match="no role"):
        Filmed.of(poses, "moon", SIZE)
    with pytest.raises(ValueError, match="window"):
        Filmed.of(poses, "studio", SIZE, window="film")
    with pytest.raises(ValueError):
        Filmed.of(poses, "studio", 0)


def test_pictures_are_read_by_row(poses, monkeypatch):
    """However long a clip is, no row is read that was not asked for."""
    asked = []
    read = type(poses.pictures[0]).read

    def counted(stored, rows):
        asked.append(np.asarray(rows))
        return read(stored, rows)

    monkeypatch.setattr(type(poses.pictures[0]), "read", counted)
    Filmed.of(poses, "studio", SIZE).colours(torch.tensor([3, 4]))
    assert sum(map(len, asked)) == 2
