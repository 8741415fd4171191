"""Kundu et al., CVPR 2020, batches: what the encoder is shown, pairs, labels, cameras of one instant."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from guided import make

from lib.kinematics import canonical
from lib.papers.kundu2020_part_batches import MIRROR, WILD, turned
from lib.papers.kundu2020_part_losses import view_distance
from lib.papers.kundu2020_part_model import GREY


@pytest.fixture(scope="module")
def trainer(filmed):
    return make(filmed)


def numbered(frames):
    """The same frames whose pictures say which they are, nothing of them hidden."""
    images = torch.zeros_like(frames.footage.images)
    index = torch.arange(len(frames))
    images[:, 0], images[:, 1] = (v.to(torch.uint8)[:, None, None] for v in (index // 256, index % 256))
    footage = replace(frames.footage, images=images)
    return replace(frames, footage=footage, saliency=torch.full_like(frames.saliency, 255))


def numbers(pictures):
    """Which frames numbered pictures (N, 3, S, S) show."""
    high, low = (255 * pictures[:, :2, 4, 4]).round().long().unbind(1)
    return 256 * high + low


# Pictures


def test_turned_pictures_are_mirrored_half_of_the_time_and_keep_their_colours():
    generator = torch.Generator().manual_seed(0)
    pictures = torch.zeros(64, 1, 16, 16)
    pictures[..., :8] = 1  # bright on the left
    found = turned(pictures, generator)
    assert found.shape == pictures.shape and found.min() >= 0 and found.max() <= 1
    flipped = found[..., 8:].mean((1, 2, 3)) > found[..., :8].mean((1, 2, 3))
    assert 20 < flipped.sum() < 44
    assert (found - torch.where(flipped[:, None, None, None], 1 - pictures, pictures)).abs().mean() < 0.1
    plain = torch.rand(5, 3, 1, 1).expand(-1, -1, 16, 16)
    torch.testing.assert_close(turned(plain, generator), plain)


def test_the_encoder_sees_people_over_grey(filmed, trainer):
    picture, mask = torch.rand(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    mask[..., 8:24] = 1
    shown = trainer.shown_to(picture, mask)
    assert torch.equal(shown[..., 8:24], picture[..., 8:24]) and (shown[..., :8] == GREY).all()
    assert (trainer.behind(3) == GREY).all() and trainer.person(mask) is mask
    for changes in ({"saliency": False}, {"masked": False}):
        other = make(filmed, **changes)
        assert torch.equal(other.shown_to(picture, mask), picture) and not other.hides
        assert other.behind(3).std() > 0.01
        assert (other.person(mask) is None) == (other.backdrops is None) == ("saliency" in changes)


def test_jitter_changes_light_and_nothing_else(filmed, trainer):
    pictures = torch.full((40, 3, 8, 8), 0.5)
    found = trainer.jittered(pictures)
    assert 0 <= found.min() and found.max() <= 1 and found.std() > 0.01
    assert found.flatten(2).std(-1).max() < 1e-6  # alike all over a picture
    assert make(filmed, jitter=False).jittered(pictures) is pictures


def test_painted_puppets_wear_one_colour_a_shape(trainer):
    puppets = trainer.puppets
    index = torch.arange(len(puppets))[:6]
    behind = torch.rand(6, 3, *puppets.mask.shape[1:])
    still = replace(puppets, ring=torch.zeros_like(puppets.ring))
    names = trainer.model.template.names
    pictures = still.paint(index, names, behind, torch.Generator().manual_seed(0))
    for n in range(6):
        off = puppets.mask[n] < 0.29 * 255
        assert torch.equal(pictures[n][:, off], behind[n][:, off])
        for shape in range(len(names)):
            on = (puppets.shapes[n] == shape) & (puppets.mask[n] > 0.71 * 255)
            if on.any():
                assert pictures[n][:, on].std(-1, correction=0).max() < 1e-5
    assert trainer.painted(5)[0].shape == (5, *behind.shape[1:])


# Pairs


@pytest.fixture(scope="module")
def told(trainer):
    """The same trainer; its pictures say which frames they are."""
    other = object.__new__(type(trainer))
    other.__dict__ |= trainer.__dict__
    other.footage = {role: numbered(frames) for role, frames in trainer.footage.items()}
    return other


def test_a_pair_is_of_one_clip_and_a_quarter_from_the_web(told):
    footage = told.footage["studio"].footage
    pairs = told.pairs("base", 40)
    count = 40 - 40 // WILD
    target, source = (numbers(pairs[name])[:count] for name in ("target", "source"))
    assert torch.equal(footage.poses.clip[target], footage.poses.clip[source])
    assert (target != source).all()
    web = told.footage["wild"].footage
    target, source = (numbers(pairs[name])[count:] for name in ("target", "source"))
    assert len(target) == 40 // WILD and torch.equal(web.poses.clip[target], web.poses.clip[source])


def test_a_mask_is_mirrored_with_its_picture(trainer):
    frames = trainer.footage["studio"]
    pairs = trainer.pairs("base", 16)
    images, flips = frames.footage.images.float() / 255, 0
    for target, mask in zip(pairs["target"][:12], pairs["mask"][:12], strict=True):
        plain, other = ((i - target).abs().amax((1, 2, 3)) for i in (images, images.flip(-1)))
        flipped = bool(other.min() < plain.min())
        flips += flipped
        own = frames.masks(torch.minimum(plain, other).argmin()[None])[0]
        assert torch.equal(mask, own.flip(-1) if flipped else own)
    assert 0 < flips < 12


# Labels


def test_the_share_of_labels_is_kept(told):
    frames = told.footage["studio"]
    for share in (0.05, 0.5):
        seen = numbers(told.labelled("studio", share, 400)["picture"]).unique()
        count = round(share * len(frames))
        assert seen.tolist() == [k * len(frames) // count for k in range(count)]


def test_labels_belong_to_what_is_seen(told):
    footage = told.footage["studio"].footage
    given = told.labelled("studio", 1.0, 40)
    index = numbers(given["picture"])
    same = (given["points"] - footage.points[index]).abs().amax((1, 2)) < 1e-6
    assert 8 < same.sum() < 32  # the others are mirrored
    mirrored = footage.points[index][:, MIRROR] * torch.tensor([-1.0, 1.0])
    torch.testing.assert_close(given["points"][~same], mirrored[~same])
    # the pose goes with them: projected it is where the points are, up to the lens
    seen = told.model.labels(given["pose"]).points[:, :17]
    assert (seen - given["points"]).abs().mean() < 0.04


def test_two_views_show_one_instant(filmed):
    trainer = make(filmed, "mv")
    trainer.footage["studio"] = numbered(trainer.footage["studio"])
    poses = trainer.footage["studio"].footage.poses
    pictures, R_one, R_other = trainer.two_views(30)
    one, other = numbers(pictures).split(30)
    assert (poses.camera[one] != poses.camera[other]).all()
    assert torch.equal(R_one, poses.R[one]) and torch.equal(R_other, poses.R[other])

    def seen(index):
        pose = poses.joints_3d[index] - poses.joints_3d[index][:, :1]
        return SimpleNamespace(joints=canonical(pose)[0], turned=pose / 500)

    assert float(view_distance(seen(one), seen(other), R_one, R_other)) < 1e-4
    assert float(view_distance(seen(one), seen(other.roll(1)), R_one, R_other)) > 0.01
