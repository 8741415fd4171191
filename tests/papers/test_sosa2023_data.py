"""Sosa & Hogg 2023, what is trained on: halves of the recordings, mirrored and turned poses, priors."""

from dataclasses import replace

import pytest
import torch

from lib.data.crops import person_box, to_crop
from lib.data.images import Filmed
from lib.geometry import Camera, project
from lib.losses import bone_lengths
from lib.papers.normalise import DEPTH
from lib.papers.sosa2023_data import (
    MARGIN,
    half_of_recordings,
    mirror,
    reference_length,
    rotated,
    take_pictures,
    take_prior,
)
from lib.skeleton import HAND_21, HUMAN36M_17

SIZE = 32


def recording(poses, index):
    """Subject and take of some frames."""
    return [poses.clips[clip].rsplit("/", 1)[0] for clip in poses.clip[index].tolist()]


# Halves


@pytest.mark.parametrize("role", ["studio", "outdoor", "hands"])
def test_halves_share_no_recording_and_leave_out_no_frame(few, hand, role):
    train = (few | hand)[role]["train"]
    first, second = half_of_recordings(train, 0), half_of_recordings(train, 1)
    together = torch.cat([first, second])
    assert torch.equal(together.sort().values, torch.arange(len(train)))
    names = [set(recording(train, half)) for half in (first, second)]
    assert not names[0] & names[1] and names[0] and names[1]
    assert abs(len(names[0]) - len(names[1])) <= 1


def test_all_cameras_of_a_recording_go_together(few):
    """No moment is seen in a picture and, from elsewhere, among the unpaired poses."""
    train = few["studio"]["train"]
    for which in (0, 1):
        half = half_of_recordings(train, which)
        cameras = {}
        for name, clip in zip(recording(train, half), train.clip[half].tolist(), strict=True):
            cameras.setdefault(name, set()).add(train.clips[clip].rsplit("/", 1)[1])
        assert all(len(found) == 2 for found in cameras.values())


def test_the_order_of_clips_does_not_decide_their_half(few):
    train = few["studio"]["train"]
    order = torch.randperm(len(train.clips), generator=torch.Generator().manual_seed(1)).tolist()
    place = torch.tensor([order.index(clip) for clip in range(len(order))])
    shuffled = replace(train, clips=tuple(train.clips[i] for i in order), clip=place[train.clip])
    for which in (0, 1):
        assert torch.equal(half_of_recordings(shuffled, which), half_of_recordings(train, which))


# Lengths, mirrors, turns


def test_the_reference_length_is_from_root_to_head_or_fingertip(few, hand):
    body, fingers = few["studio"]["train"].joints_3d, hand["hands"]["train"].joints_3d
    head, tip = HUMAN36M_17.index("head"), HAND_21.index("middle_4")
    torch.testing.assert_close(reference_length(body, HUMAN36M_17), (body[:, head] - body[:, 0]).norm(dim=-1))
    torch.testing.assert_close(
        reference_length(fingers, HAND_21), (fingers[:, tip] - fingers[:, 0]).norm(dim=-1)
    )


def test_a_mirrored_pose_is_that_of_the_mirrored_picture(few):
    """People mirrored in space before a mirrored camera, cropped anew."""
    train = few["studio"]["train"]
    points = Filmed.of(train, "studio", SIZE, margin=MARGIN).crop
    width = 2 * train.K[:, 0, 2]
    K = train.K.clone()
    K[:, 0, 2] = width - train.K[:, 0, 2]
    turned = train.joints_3d[:, list(HUMAN36M_17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    camera = Camera(K, torch.eye(3).expand_as(K), torch.zeros(len(K), 3))
    pixels = project(turned, camera)
    seen = to_crop(pixels, *person_box(pixels, MARGIN))
    torch.testing.assert_close(mirror(points, HUMAN36M_17), seen, rtol=0, atol=1e-3)
    assert torch.equal(mirror(mirror(points, HUMAN36M_17), HUMAN36M_17), points)


def test_a_flipped_picture_shows_the_mirrored_pose(few):
    """Joints of the mirrored pose lie on the person in the flipped picture, whatever their name."""
    pictures = take_pictures(few["studio"]["test"], "studio", 64)
    flipped = replace(pictures, images=pictures.images.flip(-1))
    points = mirror(pictures.points, HUMAN36M_17)
    pixel = ((points + 1) * 32).long().clamp(0, 63)
    rows = torch.arange(len(points))[:, None]
    assert flipped.mask[rows, pixel[..., 1], pixel[..., 0]].float().mean() > 0.95
    assert pictures.mask[rows, pixel[..., 1], pixel[..., 0]].float().mean() < 0.9


@pytest.mark.parametrize("degrees", [45.0, 90.0, -30.0])
def test_a_camera_turned_about_its_axis(few, degrees):
    poses = few["studio"]["test"]
    turned = rotated(poses, degrees)
    camera = Camera(poses.K, torch.eye(3).expand_as(poses.K), torch.zeros_like(poses.t))
    torch.testing.assert_close(turned.joints_2d, project(turned.joints_3d, camera))
    torch.testing.assert_close(turned.joints_3d[..., 2], poses.joints_3d[..., 2])
    torch.testing.assert_close(
        bone_lengths(turned.joints_3d, HUMAN36M_17.parents),
        bone_lengths(poses.joints_3d, HUMAN36M_17.parents),
        rtol=1e-4,
        atol=1e-2,
    )
    # about the principal point, clockwise in the picture, as x goes to y
    before, after = (torch.view_as_complex(p.joints_3d[..., :2].contiguous()) for p in (poses, turned))
    angle = torch.rad2deg(torch.angle(after[:, 1] / before[:, 1]))
    torch.testing.assert_close(angle, torch.full_like(angle, degrees), rtol=0, atol=1e-2)
    # the world that the camera stands in has not moved
    worlds = [(p.joints_3d - p.t[:, None]) @ p.R for p in (poses, turned)]
    torch.testing.assert_close(worlds[1], worlds[0], rtol=0, atol=0.1)
    assert turned.detected_2d is None and turned.clips == poses.clips


def test_turning_there_and_back_changes_nothing(few):
    poses = few["studio"]["test"]
    back = rotated(rotated(poses, 70.0), -70.0)
    for name in ("joints_3d", "R", "t"):
        torch.testing.assert_close(getattr(back, name), getattr(poses, name), rtol=0, atol=1e-2)
    torch.testing.assert_close(back.joints_2d, poses.joints_2d, rtol=0, atol=0.05)


# Pictures


def test_pictures_are_those_of_their_frames(few):
    poses = few["studio"]["train"]
    whole = take_pictures(poses, "studio", SIZE)
    assert len(whole) == len(poses) and whole.images.shape == (len(poses), 3, SIZE, SIZE)
    assert whole.images.dtype == torch.uint8
    index = torch.tensor([3, 99, 40])
    some = take_pictures(poses, "studio", SIZE, index)
    assert torch.equal(some.images, whole.images[index])
    assert torch.equal(some.points, whole.points[index])
    batch = whole.batch(index)
    assert batch.dtype == torch.float32 and batch.min() == -1 and 0 < batch.max() <= 1
    torch.testing.assert_close((batch + 1) * 127.5, whole.images[index].float())


def test_pictures_are_limited_evenly(few):
    poses = few["studio"]["train"]
    index = torch.arange(10, 110)
    some = take_pictures(poses, "studio", SIZE, index, limit=34)
    assert torch.equal(some.points, take_pictures(poses, "studio", SIZE).points[10:110:3])
    assert len(take_pictures(poses, "studio", SIZE, index, limit=500)) == 100


def test_the_mask_is_where_the_person_is(few):
    poses = few["studio"]["test"]
    pictures = take_pictures(poses, "studio", 64)
    index = torch.arange(0, len(poses), 6)
    drawn = Filmed.of(poses, "studio", 64, margin=MARGIN).draw(index).mask
    assert (pictures.mask[index] == drawn).float().mean() > 0.999
    assert 0.03 < pictures.mask.float().mean() < 0.5


def test_points_lie_within_the_crop(few, hand):
    for role, data in (("studio", few), ("outdoor", few), ("hands", hand)):
        points = take_pictures(data[role]["test"], role, SIZE).points
        extent = points.amax(1) - points.amin(1)
        torch.testing.assert_close(extent.amax(-1), torch.full((len(points),), 2 / MARGIN), rtol=0, atol=1e-3)


# Prior


@pytest.mark.parametrize("role", ["studio", "hands"])
def test_the_prior_fixes_the_unit(few, hand, role):
    data = few | hand
    train = data[role]["train"]
    index = half_of_recordings(train, 1)
    prior = take_prior(train, data["hands" if role == "hands" else "motion"]["train"], index)
    assert prior.points.shape == (len(index), len(train.skeleton), 2)
    normal = prior.normalise(prior.points)
    assert float(normal[:, train.skeleton.root].abs().max()) == 0
    length = reference_length(normal, train.skeleton).mean()
    assert float(length) == pytest.approx(1 / DEPTH, rel=1e-4)
    assert float(prior.ratios.mean()) == pytest.approx(1, rel=1e-4)
    assert prior.ratios.shape == (len(train.skeleton) - 1,)


def test_the_prior_knows_its_frames_alone(few):
    """Other frames of the role, and the 3D poses of all of it, are not read."""
    train, motion = few["studio"]["train"], few["motion"]["train"]
    index = half_of_recordings(train, 1)
    other = half_of_recordings(train, 0)
    pixels = train.joints_2d.clone()
    pixels[other] = pixels[other].flip(0) + 7
    changed = replace(train, joints_2d=pixels, joints_3d=train.joints_3d.flip(0))
    first, second = (take_prior(t, motion, index) for t in (train, changed))
    assert torch.equal(first.points, second.points) and first.factor == second.factor
    assert torch.equal(first.ratios, second.ratios)


def test_a_given_factor_is_kept(few):
    train, motion = few["studio"]["train"], few["motion"]["train"]
    prior = take_prior(train, motion, torch.arange(20), factor=0.25)
    assert prior.factor == 0.25
    torch.testing.assert_close(prior.normalise(prior.points), 0.25 * (prior.points - prior.points[:, :1]))


def test_ratios_are_those_of_other_people(few):
    """Mean relative bone lengths of role motion, which is neither trained nor tested on."""
    train, motion = few["studio"]["train"], few["motion"]["train"]
    prior = take_prior(train, motion, torch.arange(20))
    lengths = bone_lengths(motion.joints_3d, HUMAN36M_17.parents)
    expected = (lengths / lengths.mean(-1, keepdim=True)).mean(0)
    torch.testing.assert_close(prior.ratios, expected)
    assert not set(motion.subject_names) & set(train.subject_names)
