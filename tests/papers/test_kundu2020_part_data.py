"""Kundu et al., CVPR 2020, what is trained on: saliency, the prior and its views, clothes, other cameras."""

import pytest
import torch

from lib.kinematics import canonical, forward_kinematics, inverse_kinematics
from lib.papers import kundu2020_part_guided as kundu
from lib.papers.kundu2020_model import standing
from lib.papers.kundu2020_part_data import (
    LIMB_GROUPS,
    LOOK_DOWN,
    Prior,
    clothe,
    other_views,
    paint,
    take_frames,
    take_prior,
)
from lib.papers.kundu2020_part_model import PartModel
from lib.puppet import template
from lib.skeleton import HUMAN36M_17

MIRROR = list(HUMAN36M_17.mirror)
THORAX = HUMAN36M_17.index("thorax")


@pytest.fixture(scope="module")
def prior(filmed):
    return take_prior(filmed["motion"]["train"], "transport")


@pytest.fixture(scope="module")
def model(prior):
    return PartModel(kundu.OURS, kundu.PROFILES["smoke"], prior[1])


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def nearest(parameters, others):
    """Distance (N,) of parameters (N, K) to the nearest of others (M, K)."""
    return torch.cdist(parameters, others, compute_mode="donot_use_mm_for_euclid_dist").amin(1)


# Frames


@pytest.mark.parametrize("role", ["studio", "wild"])
def test_frames_come_with_a_saliency(filmed, role):
    frames = take_frames(filmed[role]["test"].thinned(3), role, 32)
    assert frames.saliency.shape == (len(frames), 1, 32, 32) and frames.saliency.dtype == torch.uint8
    assert bool(frames.footage.static.all()) == (role == "studio")
    masks = frames.masks(torch.arange(len(frames)))
    assert 0 <= masks.min() and masks.max() <= 1
    pixel = ((frames.footage.points + 1) * 16).long().clamp(0, 31)
    on = masks[torch.arange(len(frames))[:, None], 0, pixel[..., 1], pixel[..., 0]]
    assert on.mean() > masks.mean() + 0.25


# The prior


def test_the_prior_is_the_poses_and_their_mirror_images(filmed, prior):
    found, lengths = prior
    poses = filmed["motion"]["train"]
    pose = forward_kinematics(found.parameters, lengths, "transport") @ found.R.mT  # in the world's axes
    assert len(found) == 2 * len(poses) and lengths.shape == (17,)
    half = len(poses)
    mirrored = pose[:half, MIRROR] * torch.tensor([1.0, -1.0, 1.0])
    torch.testing.assert_close(pose[half:], mirrored, rtol=0, atol=1e-4)
    filmed_pose = (poses.joints_3d - poses.joints_3d[:, :1]) @ poses.R
    trunk = filmed_pose[:, THORAX].norm(dim=-1)
    torch.testing.assert_close(pose[:half, THORAX], filmed_pose[:, THORAX] / trunk[:, None])
    assert (pose[:half] - filmed_pose / trunk[:, None, None]).norm(dim=-1).mean() < 0.15


def test_drawn_poses_stand_upright_and_are_seen_from_all_around(model):
    upright = Prior(standing("transport")[None], torch.eye(3)[None])
    seen = upright.draw(model, 400, 0.0, 0.0, generator())
    up = seen.turned[:, THORAX]
    assert (up[:, 1] < -0.85).all()  # y points down
    low, high = (torch.tensor(v).deg2rad().sin() for v in LOOK_DOWN)
    # seen from above, what is up comes nearer
    assert (up[:, 2] < -low + 0.01).all() and (up[:, 2] > -high - 0.01).all() and up[:, 2].std() > 0.1
    ahead = canonical(seen.turned)[1][:, :, 0]
    azimuth = torch.atan2(ahead[:, 0], ahead[:, 2])
    assert torch.histc(azimuth, 8, -torch.pi, torch.pi).min() > 25
    torch.testing.assert_close(seen.joints, seen.joints[:1].expand(400, -1, -1))


def test_limbs_are_those_of_the_prior_whether_exchanged_or_not(model, prior):
    own = prior[0].parameters
    assert sorted(sum(LIMB_GROUPS, ())) == list(range(40))
    plain, mixed = (prior[0].draw(model, 40, share, 0.0, generator()) for share in (0.0, 1.0))
    assert nearest(plain.parameters, own).max() < 1e-3
    assert nearest(mixed.parameters, own).median() > 0.1
    for group in LIMB_GROUPS:
        columns = list(group)
        assert nearest(mixed.parameters[:, columns], own[:, columns]).max() < 1e-3


def test_half_of_the_poses_are_shaken(model, prior):
    seen = prior[0].draw(model, 100, 0.0, 0.2, generator())
    away = nearest(seen.parameters, prior[0].parameters)
    assert 30 < (away > 1e-3).sum() < 70 and bool(seen.points.isfinite().all())


def test_the_same_generator_draws_the_same(model, prior):
    first, again, other = (prior[0].draw(model, 5, 0.5, 0.15, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.points, again.points) and not torch.equal(first.points, other.points)


@pytest.mark.parametrize("frames", ["transport", "gram-schmidt"])
def test_parameters_of_the_prior_are_in_the_models_frames(filmed, frames):
    poses = filmed["motion"]["train"]
    found, lengths = take_prior(poses, frames)
    joints = forward_kinematics(found.parameters[:5], lengths, frames)
    torch.testing.assert_close(inverse_kinematics(joints, frames), found.parameters[:5], rtol=0, atol=1e-3)


# Painted puppets


@pytest.mark.parametrize("kind", ["plain", "face"])
def test_clothes_are_alike_on_both_sides(kind):
    names = template(kind).names
    colours = clothe(names, 50, generator())
    assert colours.shape == (50, len(names), 3) and 0 <= colours.min() and colours.max() <= 1
    for number, name in enumerate(names):
        if name.startswith("left_"):
            other = names.index(name.replace("left", "right"))
            assert torch.equal(colours[:, number], colours[:, other])
    if kind == "face":
        face, hair, torso = (colours[:, names.index(name)] for name in ("face", "hair", "torso"))
        assert (face[:, 0] >= face[:, 2] - 0.25).all()  # skin is warm
        assert face.mean() > hair.mean() + 0.1 and torso.std() > face.std()


def test_paint_lies_on_the_puppet_alone_and_darkens_in_the_ring():
    body, behind = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 8)
    w_fg, ring = torch.zeros(2, 8, 8), torch.zeros(2, 8, 8)
    w_fg[:, :4], ring[:, 3] = 1.0, 1.0
    found = paint(body, w_fg, ring, behind)
    assert torch.equal(found[:, :, 4:], behind[:, :, 4:])
    torch.testing.assert_close(found[:, :, :3], body[:, :, :3])
    torch.testing.assert_close(found[:, :, 3], 0.65 * body[:, :, 3])


# Other cameras


def test_other_views_are_the_same_instant_of_other_cameras(filmed):
    poses = filmed["studio"]["train"]
    table = other_views(poses)
    place = torch.arange(len(poses)) - poses.start[poses.clip]
    names = [poses.clips[c].rsplit("/", 1)[0] for c in poses.clip.tolist()]
    for frame in range(len(poses)):
        expected = [
            other
            for other in (place == place[frame]).nonzero()[:, 0].tolist()
            if other != frame and names[other] == names[frame]
        ]
        assert [k for k in table[frame].tolist() if k >= 0] == expected
    assert (table >= 0).any()


def test_a_single_camera_has_no_other_view(filmed):
    poses = filmed["wild"]["train"]
    table = other_views(poses)
    assert table.shape == (len(poses), 1) and (table == -1).all()
