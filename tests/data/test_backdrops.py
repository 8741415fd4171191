"""Backdrops: still cameras are told from shaking ones by pixels alone; medians are cut out as crops."""

from dataclasses import replace

import people
import pytest
import torch
from test_dataset import ABOUT

from lib.data.backdrops import (
    Backdrops,
    background_motion,
    changing_share,
    foreground,
    is_static,
    person_share,
)
from lib.data.batches import load_poses
from lib.data.dataset import open_dataset, write_dataset
from lib.data.images import Filmed
from lib.data.scenes import on_tripod

SIZE = 64


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    """Two subjects' clips before two cameras, 25 frames each, of people who walk across."""
    about = ABOUT | {"split": people.SPLITS["studio"]}
    path = write_dataset(
        tmp_path_factory.mktemp("backdrops") / "a.h5", people.clips("studio"), **about
    )
    poses = load_poses(open_dataset(path), "train", stride=2)
    step = torch.linspace(-900, 900, int(poses.length[0]))
    walk = step[torch.arange(len(poses)) - poses.start[poses.clip]][:, None]
    moved = poses.joints_3d + torch.cat([walk, 0 * walk, 0 * walk], dim=1)[:, None]
    pixels = moved @ poses.K.mT
    return replace(poses, joints_3d=moved, joints_2d=pixels[..., :2] / pixels[..., 2:])


@pytest.fixture(scope="module")
def studio(poses):
    return Backdrops.of(poses, "studio")


def made_up(shake):
    """Frames (8, 3, 40, 40) of a bright square that crosses a scene; the camera shakes or not."""
    scene = torch.randint(0, 200, (3, 48, 48)).byte()
    frames = []
    for t in range(8):
        x = 4 + t % 3 if shake else 4
        frame = scene[:, 4:44, x : x + 40].clone()
        frame[:, 10:26, 3 * t : 3 * t + 12] = 255
        frames.append(frame)
    return torch.stack(frames)


def test_someone_crosses_a_still_scene_and_a_shaken_one():
    still, shaken = (changing_share(made_up(shake)) for shake in (False, True))
    assert 0.05 < still < 0.25 and 0.6 < shaken
    assert torch.equal(is_static(torch.stack([still, shaken]), 0.5), torch.tensor([True, False]))
    assert changing_share(made_up(False)[:1].expand(5, -1, -1, -1)) == 0


def test_noise_below_the_level_does_not_count():
    noisy = made_up(False) // 2 * 2 + torch.randint(0, 2, (8, 1, 40, 40)).byte()
    assert changing_share(noisy) > 0.5 > 0.3 > changing_share(noisy, level=2)


def test_of_one_frame_nothing_is_known():
    assert changing_share(made_up(False)[:1]).isnan()
    assert not is_static(torch.tensor([torch.nan]))[0]


def test_static_cameras_are_found_by_pixels(poses):
    for role in ("studio", "outdoor"):
        assert is_static(background_motion(poses, role)).all()
    found, true = [], []
    for seed in range(4):
        found.append(is_static(background_motion(poses, "wild", seed=seed)))
        true.append(on_tripod(Filmed.of(poses, "wild", SIZE, seed=seed).scene))
    found, true = torch.cat(found), torch.cat(true)
    assert 0.1 < true.float().mean() < 0.9
    assert (found == true).float().mean() > 0.9


def test_motion_is_the_same_again_and_bounded(poses):
    motion = background_motion(poses, "wild", frames=4, size=32)
    assert motion.shape == (len(poses.clips),) and 0 <= motion.min() and motion.max() <= 1
    assert torch.equal(background_motion(poses, "wild", frames=4, size=32), motion)
    assert background_motion(poses, "wild", frames=1, size=32).isnan().all()


def test_persons_share_of_the_full_view(poses):
    near, far = (person_share(poses, "studio", margin=margin) for margin in (1.0, 2.0))
    assert near.shape == (len(poses.clips),)
    assert 0.02 < near.min() and near.max() < 0.4
    assert (near / far).mean() == pytest.approx(4, rel=0.15)


def test_a_view_has_one_backdrop_for_all_its_clips(poses, studio):
    scene = Filmed.of(poses, "studio", SIZE).scene.tolist()
    views = list(zip(scene, poses.K[poses.start, 0, 0].tolist(), strict=True))
    assert 1 < len(studio) == len(set(views)) < len(views)
    for one, row in zip(views, studio.row.tolist(), strict=True):
        for other, number in zip(views, studio.row.tolist(), strict=True):
            assert (row == number) == (one == other)
    shape = (len(studio), 3, 192, 192)
    assert studio.images.dtype == torch.uint8 and studio.images.shape == shape
    assert torch.equal(Backdrops.of(poses, "studio").images, studio.images)


def test_a_camera_that_was_moved_has_another_backdrop(poses, studio):
    moved = poses.t + 100 * (poses.clip == int(poses.clip[-1]))[:, None]
    assert len(Backdrops.of(replace(poses, t=moved), "studio", frames=3)) == len(studio) + 1


def test_only_static_clips_have_a_backdrop(poses):
    static = torch.zeros(len(poses.clips), dtype=torch.bool)
    assert len(Backdrops.of(poses, "wild", static)) == 0
    static[[1, 2]] = True
    some = Backdrops.of(poses, "wild", static, frames=3, size=48)
    assert torch.equal(some.row >= 0, static)
    assert some.row[static].max() == len(some) - 1


def test_windows_hold_all_crops(poses, studio):
    filmed = Filmed.of(poses, "studio", SIZE)
    row = studio.row[poses.clip]
    reach = (filmed.centre - studio.centre[row]).abs() + filmed.side[:, None] / 2
    assert (reach <= studio.side[row, None] / 2 + 1e-2).all()


def test_median_is_the_scene_where_people_walk_through(poses, studio):
    """The estimate is held against the generator's scene only here."""
    filmed = Filmed.of(poses, "studio", SIZE)
    index = torch.linspace(0, len(poses) - 1, 40).long()
    row = studio.row[poses.clip[index]]
    estimate = studio.crop(row, filmed.centre[index], filmed.side[index], SIZE)
    assert estimate.shape == (40, 3, SIZE, SIZE) and 0 <= estimate.min() and estimate.max() <= 1
    truth, picture = filmed.scenery(index), filmed.draw(index, background=True)
    wrong, given = ((image - truth).abs().mean(1) for image in (estimate, picture.colour))
    assert 255 * wrong[~picture.mask].mean() < 5
    assert wrong[picture.mask].mean() < 0.25 * given[picture.mask].mean()


def test_crops_lie_where_the_scene_drawn_there_lies(poses, studio):
    filmed = Filmed.of(poses, "studio", SIZE)
    index = torch.linspace(0, len(poses) - 1, 40).long()
    row = studio.row[poses.clip[index]]
    centre, side = filmed.centre[index], filmed.side[index]
    truth = filmed.scenery(index)

    def error(right, down, scale):
        moved = centre + side[:, None] * torch.tensor([right, down]) / SIZE
        return (studio.crop(row, moved, scale * side, SIZE) - truth).abs().mean()

    best = error(0, 0, 1)
    assert all(best < error(right, down, 1) for right, down in ((2, 0), (-2, 0), (0, 2), (0, -2)))
    assert best < error(0, 0, 1.06) and best < error(0, 0, 0.94)


def test_crops_of_an_image_are_its_pixels():
    images = torch.randint(0, 256, (2, 3, 16, 16)).byte()
    backdrops = Backdrops(
        images, torch.tensor([[8.0, 8], [40, 8]]), torch.tensor([16.0, 32]), torch.arange(2)
    )
    whole = backdrops.crop(torch.arange(2), backdrops.centre, backdrops.side, 16)
    torch.testing.assert_close(whole, images / 255, rtol=0, atol=1e-5)
    part = backdrops.crop(
        torch.tensor([1, 0]), torch.tensor([[48.0, 8], [4, 12]]), torch.tensor([16.0, 8]), 8
    )
    torch.testing.assert_close(part[0], images[1, :, 4:12, 8:] / 255, rtol=0, atol=1e-5)
    torch.testing.assert_close(part[1], images[0, :, 8:, :8] / 255, rtol=0, atol=1e-5)


def test_beyond_the_edge_the_last_pixel_is_repeated():
    images = torch.randint(0, 256, (1, 3, 16, 16)).byte()
    one = Backdrops(images, torch.full((1, 2), 8.0), torch.tensor([16.0]), torch.arange(1))
    wide = one.crop(torch.tensor([0]), torch.tensor([[0.0, 8.0]]), torch.tensor([16.0]), 16)[0]
    torch.testing.assert_close(wide[..., 8:], images[0, ..., :8] / 255, rtol=0, atol=1e-5)
    beyond = images[0, ..., :1].expand(-1, -1, 8) / 255
    torch.testing.assert_close(wide[..., :8], beyond, rtol=0, atol=1e-5)


def test_no_crops_at_all(studio):
    none = torch.zeros(0)
    assert studio.crop(none.long(), torch.zeros(0, 2), none, 32).shape == (0, 3, 32, 32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": torch.tensor([0, -1])}, "backdrops are 0 to"),
        ({"index": torch.tensor([0, 99])}, "backdrops are 0 to"),
        ({"centre": torch.zeros(2, 3)}, "centre has shape"),
        ({"side": torch.ones(3)}, "side has shape"),
        ({"side": torch.tensor([1.0, 0.0])}, "zero size"),
        ({"side": torch.tensor([1.0, torch.nan])}, "zero size or not finite"),
        ({"centre": torch.full((2, 2), torch.inf)}, "not finite"),
        ({"size": 0}, "1 px or more"),
    ],
)
def test_bad_crops_are_refused(studio, change, message):
    given = {
        "index": torch.tensor([0, 1]), "centre": studio.centre[:2], "side": studio.side[:2], "size": 16
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        studio.crop(**given | change)


def test_bad_input_is_refused(poses):
    with pytest.raises(ValueError, match="no role 'moon'"):
        background_motion(poses, "moon")
    with pytest.raises(ValueError, match="one frame or more"):
        background_motion(poses, "wild", frames=0)
    with pytest.raises(ValueError, match="one frame or more"):
        Backdrops.of(poses, "studio", frames=0)
    with pytest.raises(ValueError, match="static is bool"):
        Backdrops.of(poses, "studio", torch.ones(3, dtype=torch.bool))
    with pytest.raises(ValueError, match="static is bool"):
        Backdrops.of(poses, "studio", torch.ones(len(poses.clips)))
    with pytest.raises(ValueError, match="uint8"):
        changing_share(torch.zeros(4, 3, 8, 8))


# What stands before a background


def standing(colour, before=None):
    """A picture (1, 3, 64, 64) of a rectangle of one colour before a background, and both."""
    behind = torch.rand(1, 3, 64, 64) * 0.2 + 0.4 if before is None else before
    picture = behind.clone()
    picture[:, :, 10:54, 24:40] = torch.tensor(colour)[:, None, None]
    return picture, behind


@pytest.mark.parametrize("colour", [(0.9, 0.1, 0.1), (0.05, 0.05, 0.05), (1.0, 1.0, 1.0)])
def test_who_stands_before_a_background_is_found(colour):
    mask = foreground(*standing(colour))[0, 0]
    assert mask.shape == (64, 64) and 0 <= mask.min() and mask.max() <= 1
    assert (mask[12:52, 26:38] == 1).all()
    mask[8:56, 22:42] = 0
    assert not mask.any()


def test_before_nothing_but_the_background_there_is_nobody():
    _, behind = standing((0.0, 0.0, 0.0))
    assert not foreground(behind, behind).any()
    assert not foreground(behind + 0.05, behind).any()  # below the level


def test_lines_and_small_pieces_are_left_out_and_large_ones_kept():
    picture, behind = standing((0.9, 0.1, 0.1))
    picture[:, :, 5] = 1  # a line, one pixel wide
    picture[:, :, 20:24, 4:8] = 1  # a small piece
    picture[:, 0, 20:50, 50:56] = 1  # a piece a quarter as large
    mask = foreground(picture, behind)[0, 0]
    assert not mask[:, :12].any() and not mask[5, 44:].any()
    assert (mask[22:48, 52:54] > 0.5).all()


def test_a_shadow_on_the_floor_is_left_out_and_dark_clothes_are_not():
    picture, behind = standing((0.9, 0.1, 0.1))
    picture[:, :, 50:60, 4:60] = 0.6 * behind[:, :, 50:60, 4:60]
    mask = foreground(picture, behind)[0, 0]
    assert not mask[52:58, 6:20].any() and (mask[12:48, 26:38] == 1).all()
    # higher up it is no shadow
    picture, behind = standing((0.9, 0.1, 0.1))
    picture[:, :, 10:34, 24:40] = 0.6 * behind[:, :, 10:34, 24:40]
    assert (foreground(picture, behind)[0, 0, 12:32, 26:38] > 0.9).all()


def test_each_picture_is_told_from_its_own_background():
    pairs = [standing((0.9, 0.1, 0.1)), standing((0.1, 0.9, 0.1))]
    pictures, behind = (torch.cat(part) for part in zip(*pairs, strict=True))
    both = foreground(pictures, behind)
    for number, pair in enumerate(pairs):
        assert torch.equal(both[number : number + 1], foreground(*pair))


def test_pictures_and_backgrounds_have_one_shape():
    with pytest.raises(ValueError, match="pictures before"):
        foreground(torch.zeros(2, 3, 8, 8), torch.zeros(1, 3, 8, 8))
    with pytest.raises(ValueError, match="pictures before"):
        foreground(torch.zeros(3, 8, 8), torch.zeros(3, 8, 8))
