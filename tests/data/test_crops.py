"""Crops: boxes around people, cameras and points carried along, real pictures, the median."""

import pytest
import torch

from lib.data.crops import (
    crop_intrinsics,
    crop_pictures,
    from_crop,
    person_box,
    temporal_median,
    to_crop,
)

K = torch.tensor([[1145.0, 0, 512], [0, 1144, 515], [0, 0, 1]])


@pytest.fixture
def people():
    """Joints of 50 people in camera coordinates (50, 17, 3) mm and their pixels."""
    joints = 400 * torch.randn(50, 17, 3) + torch.tensor([0.0, 0, 5000])
    pixels = joints @ K.mT
    return joints, pixels[..., :2] / pixels[..., 2:]


def columns(width, height):
    """An image (1, 3, H, W) whose values are the x of the pixel centres, in [0, 1]."""
    return ((torch.arange(width) + 0.5) / width).expand(1, 3, height, width)


def test_box_holds_the_joints_with_the_margin(people):
    _, pixels = people
    centre, side = person_box(pixels, margin=1.25)
    points = to_crop(pixels, centre, side)
    torch.testing.assert_close(points.abs().flatten(1).amax(1), torch.full((50,), 1 / 1.25))
    torch.testing.assert_close(points.amax(1) + points.amin(1), torch.zeros(50, 2))
    larger = person_box(pixels, margin=2.5)
    torch.testing.assert_close(larger[1], 2 * side)
    assert torch.equal(larger[0], centre)


def test_box_moves_and_grows_with_the_joints(people):
    _, pixels = people
    centre, side = person_box(pixels)
    moved = person_box(3 * pixels + torch.tensor([7.0, -50.0]))
    torch.testing.assert_close(moved[0], 3 * centre + torch.tensor([7.0, -50.0]))
    torch.testing.assert_close(moved[1], 3 * side)


def test_points_there_and_back(people, dtype):
    pixels = people[1].to(dtype)
    centre, side = person_box(pixels)
    torch.testing.assert_close(from_crop(to_crop(pixels, centre, side), centre, side), pixels)
    corners = torch.stack([centre - side[:, None] / 2, centre + side[:, None] / 2], dim=1)
    expected = torch.tensor([[-1.0, -1], [1, 1]], dtype=dtype).expand(50, 2, 2)
    torch.testing.assert_close(to_crop(corners, centre, side), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("size", [32, 64, 500])
def test_camera_of_the_crop_sees_the_joints_where_they_are_carried(people, size):
    joints, pixels = people
    centre, side = person_box(pixels)
    crop = crop_intrinsics(K.expand(50, 3, 3), centre, side, size)
    seen = joints @ crop.mT
    seen = seen[..., :2] / seen[..., 2:]
    torch.testing.assert_close(
        2 * seen / size - 1, to_crop(pixels, centre, side), rtol=0, atol=1e-4
    )
    assert torch.equal(crop[:, 2], K[2].expand(50, 3)) and K[0, 0] == 1145


def test_whole_image_is_its_own_crop():
    images = torch.rand(4, 3, 40, 40)
    centre, side = torch.full((4, 2), 20.0), torch.full((4,), 40.0)
    torch.testing.assert_close(crop_pictures(images, centre, side, 40), images)
    halved = torch.nn.functional.avg_pool2d(images, 2)
    torch.testing.assert_close(crop_pictures(images, centre, side, 20), halved)


@pytest.mark.parametrize("size", [16, 48, 100])
def test_crop_of_a_ramp_has_the_right_places(size):
    """Value = x: bilinear interpolation is exact, also where the crop is shrunk or enlarged."""
    image = columns(200, 120)
    centre, side = torch.tensor([[110.3, 61.7]]), torch.tensor([80.5])
    expected = (110.3 + 80.5 * ((torch.arange(size) + 0.5) / size - 0.5)) / 200
    crop = crop_pictures(image, centre, side, size)
    torch.testing.assert_close(crop, expected.expand(1, 3, size, size), rtol=0, atol=1e-4)


def test_shrinking_skips_no_pixel():
    image = (torch.rand(1, 1, 512, 512) < 0.02).float()  # single bright pixels
    crop = crop_pictures(image, torch.tensor([[256.0, 256]]), torch.tensor([512.0]), 32)
    torch.testing.assert_close(crop.mean(), image.mean())


def test_outside_the_image_is_black():
    image = torch.ones(1, 3, 50, 50)
    crop = crop_pictures(image, torch.tensor([[0.0, 25]]), torch.tensor([40.0]), 20)
    assert crop[..., :9].max() == 0 and crop[..., 11:].min() == 1
    gone = crop_pictures(image, torch.tensor([[500.0, 25]]), torch.tensor([40.0]), 20)
    assert gone.max() == 0


def test_uint8_and_float_agree_and_a_batch_equals_singles():
    images = torch.randint(0, 256, (5, 3, 60, 80), dtype=torch.uint8)
    centre, side = 20 + 30 * torch.rand(5, 2), 30 + 5 * torch.rand(5)
    crops = crop_pictures(images, centre, side, 32)
    assert crops.dtype == torch.float32
    torch.testing.assert_close(crops, crop_pictures(images / 255, centre, side, 32))
    for i in range(5):
        one = slice(i, i + 1)
        assert torch.equal(crop_pictures(images[one], centre[one], side[one], 32), crops[one])


def test_empty_batch():
    none, sides = torch.zeros(0, 2), torch.zeros(0)
    centre, side = person_box(torch.zeros(0, 17, 2))
    assert centre.shape == (0, 2) and side.shape == (0,)
    assert crop_intrinsics(torch.zeros(0, 3, 3), none, sides, 64).shape == (0, 3, 3)
    empty = torch.zeros(0, 3, 50, 50, dtype=torch.uint8)
    assert crop_pictures(empty, none, sides, 64).shape == (0, 3, 64, 64)


def test_bad_boxes_are_refused():
    points = torch.rand(3, 17, 2)
    points[1] = torch.tensor([5.0, 5.0])
    with pytest.raises(ValueError, match="person 1 all lie on one point"):
        person_box(points)
    points[1, 4, 0] = torch.nan
    with pytest.raises(ValueError, match="person 1 are not finite"):
        person_box(points)
    with pytest.raises(ValueError, match="shape"):
        person_box(torch.rand(17, 2))
    with pytest.raises(ValueError, match="margin"):
        person_box(torch.rand(3, 17, 2), margin=0)


@pytest.mark.parametrize("side", [0.0, -5.0, torch.nan, torch.inf])
def test_bad_windows_are_refused(side):
    centre, side = torch.zeros(2, 2), torch.tensor([10.0, side])
    with pytest.raises(ValueError, match="crop 1 is of zero size or not finite"):
        crop_intrinsics(K.expand(2, 3, 3), centre, side, 64)
    with pytest.raises(ValueError, match="crop 1 is of zero size or not finite"):
        crop_pictures(torch.zeros(2, 3, 9, 9), centre, side, 64)
    with pytest.raises(ValueError, match="1 px or more"):
        crop_intrinsics(K.expand(2, 3, 3), centre, side, 0)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.zeros(1, 3, 8, 8, dtype=torch.int64), "uint8 or float"),
        (torch.full((1, 3, 8, 8), 255.0), "in .0, 1."),
        (torch.full((1, 3, 8, 8), -0.1), "in .0, 1."),
        (torch.full((1, 3, 8, 8), torch.nan), "in .0, 1."),
        (torch.zeros(3, 8, 8), "N, C, H, W"),
        (torch.zeros(2, 3, 8, 8), "N, C, H, W"),
        (torch.zeros(1, 3, 0, 8), "N, C, H, W"),
    ],
)
def test_bad_images_are_refused(images, message):
    with pytest.raises(ValueError, match=message):
        crop_pictures(images, torch.zeros(1, 2), torch.ones(1), 8)


@pytest.mark.parametrize("kind", [torch.uint8, torch.float32])
def test_median_forgets_what_passes_by(kind):
    scene = torch.randint(0, 256, (3, 20, 20)).to(kind)
    frames = scene.repeat(11, 1, 1, 1)
    for t in range(11):
        frames[t, :, :, t : t + 4] = 7  # each place is hidden in at most 4 of 11
    assert torch.equal(temporal_median(frames), scene)
    assert temporal_median(frames).dtype == kind
    assert torch.equal(temporal_median(frames[:1]), frames[0])


def test_median_refuses_what_is_none():
    with pytest.raises(ValueError, match="frames"):
        temporal_median(torch.zeros(0, 3, 4, 4))
    with pytest.raises(ValueError, match="uint8 or float"):
        temporal_median(torch.zeros(5, 3, 4, 4, dtype=torch.int32))
    with pytest.raises(ValueError, match="finite"):
        temporal_median(torch.full((5, 3, 4, 4), torch.nan))
