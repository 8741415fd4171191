"""Scenes: a hash of the seed, still or moving as they say, seen through any window alike."""

import pytest
import torch

from lib.data.places import SURFACES, outdoors, room
from lib.data.scenes import STYLES, TRIPODS, backgrounds, on_tripod, standing_camera
from lib.data.textures import TEXELS, TEXTURES, atlas, uniform
from lib.geometry import Camera, rotation_x

SEEDS = torch.tensor([0, 1, 2, 3, -5, 2**62, 123456789012345, 77])
NOW, LATER = torch.zeros(8), torch.full((8,), 3.7)
FRAME = torch.tensor([[1.15, 0, 0.5], [0, 1.15, 0.5], [0, 0, 1.0]])


def windows(*squares):
    """Centre (N, 2) and side (N,) of squares (left, top, side)."""
    squares = torch.tensor(squares)
    return squares[:, :2] + squares[:, 2:] / 2, squares[:, 2]


def difference(first, second):
    return (first - second).abs().mean().item()


def test_hash_is_uniform_and_a_function_of_seed_place_and_salt():
    u = uniform(torch.arange(-2000, 2000), 16)
    assert u.dtype == torch.float32 and 0 <= u.min() and u.max() < 1
    counts = torch.histc(u, 10, 0, 1) / u.numel()
    torch.testing.assert_close(counts, torch.full((10,), 0.1), rtol=0, atol=0.01)
    correlation = torch.corrcoef(u.T) - torch.eye(16)
    assert correlation.abs().max() < 0.08
    assert torch.corrcoef(torch.stack([u[1:, 0], u[:-1, 0]]))[0, 1].abs() < 0.08
    assert torch.equal(uniform(torch.tensor(5), 16), u[2005])
    assert torch.equal(uniform(SEEDS, 4), uniform(SEEDS, 9)[:, :4])
    assert difference(uniform(SEEDS, 4, salt=1), uniform(SEEDS, 4, salt=2)) > 0.1


def test_textures_repeat_without_a_seam():
    textures = atlas(torch.device("cpu"))
    assert textures.shape == (len(TEXTURES), TEXELS, TEXELS)
    assert textures.abs().max() <= 1 and textures.flatten(1).mean(1).abs().max() < 0.25
    for name in ("plain", "cloudy", "grain", "leaves"):
        texture = textures[TEXTURES.index(name)]
        for sheet in (texture, texture.T):
            steps = (sheet - sheet.roll(1, dims=0)).abs().mean(1)  # the first is across the seam
            assert steps[0] <= 1.05 * steps[1:].max()


@pytest.mark.parametrize("place", [room, outdoors])
def test_places_are_complete(place):
    drawn = place(SEEDS)
    assert drawn.table.shape == (8, SURFACES, 9)
    assert (drawn.lo < drawn.hi).all() and drawn.table[..., :3].min() >= 0
    assert (drawn.table[..., 5] < len(TEXTURES)).all() and drawn.boxes[..., 3:].min() > 0
    assert set(drawn.table[..., 6:].unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("style", STYLES)
def test_pictures_are_pictures(style):
    pictures = backgrounds(SEEDS, NOW, 64, style)
    assert pictures.shape == (8, 3, 64, 64) and pictures.dtype == torch.float32
    assert 0 <= pictures.min() and pictures.max() <= 1
    assert (pictures.flatten(1).std(1) > 0.05).all()  # there is something to see
    flat = pictures.flatten(1)
    assert all(difference(flat[i], flat[j]) > 0.02 for i in range(8) for j in range(i))
    assert backgrounds(SEEDS, NOW, 33, style).shape == (8, 3, 33, 33)


@pytest.mark.parametrize("style", STYLES)
def test_a_batch_equals_singles_and_is_the_same_again(style):
    pictures = backgrounds(SEEDS, LATER, 48, style)
    assert torch.equal(backgrounds(SEEDS, LATER, 48, style), pictures)
    singles = [backgrounds(SEEDS[[i]], LATER[[i]], 48, style) for i in range(8)]
    torch.testing.assert_close(torch.cat(singles), pictures, rtol=0, atol=1e-6)
    many = backgrounds(SEEDS.repeat(20), LATER.repeat(20), 48, style)
    torch.testing.assert_close(many[-8:], pictures, rtol=0, atol=1e-6)


def test_only_the_studio_is_still():
    for style in STYLES:
        change = difference(
            backgrounds(SEEDS, NOW, 64, style), backgrounds(SEEDS, LATER, 64, style)
        )
        assert change == 0 if style == "studio" else change > 0.005


def test_motion_is_smooth():
    for style in ("outdoor", "web"):
        steps = [backgrounds(SEEDS, NOW + t, 64, style) for t in (0, 0.02, 1.0)]
        assert difference(steps[0], steps[1]) < 0.6 * difference(steps[0], steps[2])


def ground_that_stays(seeds, style):
    """Share (N,) of the ground, which does not move by itself, that is the same picture later."""
    now, later = torch.zeros(len(seeds)), torch.full((len(seeds),), 3.7)
    ground = windows(*[(0.3, 0.8, 0.2)] * len(seeds))
    pictures = [backgrounds(seeds, t, 64, style, window=ground) for t in (now, later)]
    same = (pictures[0] - pictures[1]).abs().flatten(2).mean(1) < 1e-3
    return same.float().mean(1)


def test_the_hand_held_camera_shakes_and_others_do_not():
    seeds = torch.arange(40)
    tripod = on_tripod(seeds)
    stays = ground_that_stays(seeds, "web")
    assert stays[~tripod].mean() < 0.3 and stays[tripod].mean() > 0.8
    assert ground_that_stays(seeds, "outdoor").mean() > 0.7


def test_a_share_of_the_cameras_stands_on_a_tripod():
    seeds = torch.arange(-5000, 5000)
    assert on_tripod(seeds).float().mean() == pytest.approx(TRIPODS, abs=0.02)
    assert torch.equal(on_tripod(seeds[[7, 3]]), on_tripod(seeds)[[7, 3]])
    with pytest.raises(ValueError, match="int64"):
        on_tripod(seeds.float())


def test_before_a_tripod_only_what_moves_by_itself_moves():
    """Clouds, leaves, passers-by; a hand that shakes moves nearly every pixel."""
    seeds = torch.arange(60)
    now, later = torch.zeros(60), torch.full((60,), 3.7)
    change = (backgrounds(seeds, now, 48, "web") - backgrounds(seeds, later, 48, "web")).abs()
    moved = (change.amax(1) > 1 / 255).float().mean((1, 2))
    assert moved[on_tripod(seeds)].max() < 0.3 < 0.5 < moved[~on_tripod(seeds)].min()


@pytest.mark.parametrize("style", STYLES)
def test_windows_show_the_same_scene(style):
    """A quarter of the frame at size 32 is that quarter of the frame at size 64."""
    whole = backgrounds(SEEDS, LATER, 64, style)
    for left, top in ((0, 0), (0.5, 0), (0.5, 0.5), (0.25, 0.125)):
        part = backgrounds(SEEDS, LATER, 32, style, window=windows(*[(left, top, 0.5)] * 8))
        x, y = int(64 * left), int(64 * top)
        same = (part - whole[:, :, y : y + 32, x : x + 32]).abs().amax(1) < 1e-3
        assert same.float().mean() > 0.995  # an edge may fall on the other side of a pixel's centre


def test_units_of_the_camera_do_not_matter():
    pixels = FRAME * torch.tensor([[1000.0], [1000], [1]])
    cameras = [standing_camera(K.expand(8, 3, 3)) for K in (FRAME, pixels)]
    centre, side = windows(*[(0.2, 0.3, 0.4)] * 8)
    one = backgrounds(SEEDS, NOW, 64, "web", cameras[0], (centre, side))
    other = backgrounds(SEEDS, NOW, 64, "web", cameras[1], (1000 * centre, 1000 * side))
    assert ((one - other).abs().amax(1) < 1e-3).float().mean() > 0.995


@pytest.mark.parametrize("style", ["studio", "outdoor"])
def test_tilting_the_camera_moves_the_picture_as_a_homography(style):
    straight = standing_camera(FRAME.expand(8, 3, 3))
    tilt = rotation_x(torch.tensor(0.12))
    tilted = Camera(straight.K, tilt @ straight.R, (tilt @ straight.t[..., None])[..., 0])
    one, other = (backgrounds(SEEDS, NOW, 96, style, c) for c in (straight, tilted))
    centres = (torch.arange(96) + 0.5) / 96
    pixels = torch.cartesian_prod(centres, centres).flip(1)
    rays = torch.cat([pixels, torch.ones(len(pixels), 1)], dim=1) @ torch.linalg.inv(FRAME).T
    before = rays @ tilt @ FRAME.T
    where = (2 * before[:, :2] / before[:, 2:] - 1).view(1, 96, 96, 2).expand(8, -1, -1, -1)
    expected = torch.nn.functional.grid_sample(one, where, align_corners=False)
    seen = (where.abs() < 0.98).all(-1)
    assert 0.7 < seen.float().mean() < 0.95
    assert ((other - expected).abs().amax(1) < 0.1)[seen].float().mean() > 0.85
    assert ((other - one).abs().amax(1) < 0.1)[seen].float().mean() < 0.8


def test_the_sky_is_above():
    pictures = backgrounds(SEEDS, NOW, 64, "outdoor")
    blue = (pictures[:, 2] - pictures[:, 0]).mean((0, 2))
    assert blue[:5].min() > 0.05 > blue[-20:].max()


@pytest.mark.parametrize("style", STYLES)
def test_any_camera_gives_a_picture(style):
    """Straight down, below the floor, upside down, outside the room, with a very long lens."""
    positions = torch.tensor([[0.0, 0, 3000], [0, 0, -500], [9e4, 9e4, 100], [1, 2, 3]])
    R = torch.linalg.qr(torch.randn(4, 3, 3)).Q
    R[0] = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    R[3] = torch.eye(3)
    t = -(R @ positions[..., None])[..., 0]
    K = FRAME.repeat(4, 1, 1)
    K[2, :2] *= 50
    pictures = backgrounds(SEEDS[:4], LATER[:4], 33, style, Camera(K, R, t))
    assert pictures.isfinite().all() and 0 <= pictures.min() and pictures.max() <= 1


@pytest.mark.parametrize("style", STYLES)
def test_empty_batch(style):
    none = torch.zeros(0)
    assert backgrounds(none.long(), none, 64, style).shape == (0, 3, 64, 64)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"style": "moon"}, "style is one of"),
        ({"seeds": SEEDS.float()}, "int64"),
        ({"seeds": SEEDS[:, None]}, "int64"),
        ({"time": NOW[:3]}, "time has shape"),
        ({"time": NOW * torch.nan}, "time is not finite"),
        ({"size": 0}, "1 px or more"),
        ({"window": (torch.zeros(8, 2), torch.zeros(8))}, "zero size"),
        ({"window": (torch.zeros(8, 3), torch.ones(8))}, "centre has shape"),
        ({"window": (torch.full((8, 2), torch.inf), torch.ones(8))}, "centre is not finite"),
        ({"camera": Camera(FRAME, torch.eye(3), torch.zeros(3))}, "K has shape"),
    ],
)
def test_bad_input_is_refused(change, message):
    given = {"seeds": SEEDS, "time": NOW, "size": 32, "style": "studio"} | change
    with pytest.raises(ValueError, match=message):
        backgrounds(**given)
