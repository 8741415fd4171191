"""Kundu et al. 2020, batches: pictures turned with their points, pairs, labels, new poses."""

from dataclasses import replace

import pytest
import torch
from kinematic import make

from lib.kinematics import canonical, fit_box
from lib.papers import kundu2020_kinematic as kundu
from lib.papers.kundu2020_batches import turn_pictures
from lib.papers.kundu2020_data import MARGIN
from lib.skeleton import HUMAN36M_17

OURS = kundu.VARIANTS["unsup"]
MIRROR = list(HUMAN36M_17.mirror)


# Pictures turned and mirrored


def blobs(points, size):
    """Pictures (N, 3, S, S), black with a white blob at one point (N, 2)."""
    steps = (torch.arange(size) + 0.5) / size * 2 - 1
    x, y = torch.meshgrid(steps, steps, indexing="xy")
    distance = (x - points[:, 0, None, None]) ** 2 + (y - points[:, 1, None, None]) ** 2
    return torch.exp(-distance / (2 * 0.06**2))[:, None].expand(-1, 3, -1, -1)


def brightest(pictures):
    """Centre of mass (N, 2) of pictures, in crop coordinates."""
    size = pictures.shape[-1]
    steps = (torch.arange(size) + 0.5) / size * 2 - 1
    weight = pictures.mean(1)
    total = weight.sum((1, 2))
    return torch.stack([(weight.sum(1) * steps).sum(1) / total, (weight.sum(2) * steps).sum(1) / total], -1)


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("joint", ["left_wrist", "right_knee", "head"])
def test_what_is_drawn_at_a_joint_goes_with_it(refit, joint):
    points = fit_box(torch.rand(8, 17, 2)) * 0.7
    index = HUMAN36M_17.index(joint)
    angle = torch.tensor([0.0, 0.3, -0.3, 0.2, 0.0, 0.0, 0.3, -0.1])
    flip = torch.tensor([0, 0, 0, 0, 1, 1, 1, 1], dtype=torch.bool)
    pictures, target = turn_pictures(blobs(points[:, index], 96), points, angle, flip, refit)
    # in the mirror the left hand is a right one
    named = torch.where(flip, MIRROR[index], index)
    there = target[torch.arange(8), named]
    torch.testing.assert_close(brightest(pictures), there, rtol=0, atol=0.02)
    if refit:
        extent = (target.amax(1) - target.amin(1)).amax(-1)
        torch.testing.assert_close(extent, torch.full_like(extent, 2 / MARGIN))
        centre = target.amax(1) + target.amin(1)
        torch.testing.assert_close(centre, torch.zeros_like(centre), rtol=0, atol=1e-5)
    else:
        torch.testing.assert_close(target.norm(dim=-1).sort(1)[0], points.norm(dim=-1).sort(1)[0])


def test_nothing_turned_is_nothing_changed():
    points, pictures = fit_box(torch.randn(3, 17, 2)), torch.rand(3, 3, 16, 16)
    none = torch.zeros(3)
    for refit in (False, True):
        same_pictures, target = turn_pictures(pictures, points, none, none > 0, refit)
        torch.testing.assert_close(same_pictures, pictures, rtol=0, atol=1e-4)
        torch.testing.assert_close(target, points, rtol=0, atol=1e-5)
    flipped, target = turn_pictures(pictures, points, none, none == 0, False)
    torch.testing.assert_close(flipped, pictures.flip(-1), rtol=0, atol=1e-4)
    torch.testing.assert_close(target, points[:, MIRROR] * torch.tensor([-1.0, 1.0]))


def test_people_at_one_point_are_turned_too():
    pictures, angle = torch.rand(2, 3, 8, 8), torch.ones(2)
    found = turn_pictures(pictures, torch.zeros(2, 17, 2), angle, angle > 2, True)
    assert all(bool(part.isfinite().all()) for part in found)


# What a batch is made of


def test_a_pair_is_of_one_clip_mirrored_with_its_background_and_points(filmed):
    trainer = make(filmed, OURS)
    footage = trainer.footage["studio"]
    pairs = trainer.pairs("fine", 40)
    flips = 0
    for target, behind, points in zip(pairs["target"], pairs["behind"], pairs["points"], strict=True):
        images = footage.images.float() / 255
        plain = (images - target).abs().amax((1, 2, 3))
        other = (images.flip(-1) - target).abs().amax((1, 2, 3))
        flipped = bool(other.min() < plain.min())
        flips += flipped
        index = int(torch.minimum(plain, other).argmin())
        own, background = footage.points[index], footage.backgrounds(torch.tensor([index]))[0]
        mirrored = own[MIRROR] * torch.tensor([-1.0, 1.0])
        torch.testing.assert_close(points, mirrored if flipped else own)
        assert torch.equal(behind, background.flip(-1) if flipped else background)
    assert 8 < flips < 32


def test_a_quarter_of_the_pairs_is_from_the_web(filmed):
    """In the base stage alone, and from static clips alone; the others come without background."""
    trainer = make(filmed, OURS)
    still = trainer.footage["wild"].static
    index = trainer.frames("wild", 50, True)
    assert bool(still[index].all()) and not still[trainer.frames("wild", 50, False)].any()
    asked, frames = [], trainer.frames

    def watched(*given):
        asked.append(given)
        return frames(*given)

    trainer.frames = watched
    trainer.pairs("base", 8)
    trainer.pairs("fine", 8)
    trainer.unpaired(4)
    assert asked == [("studio", 6, True), ("wild", 2, True), ("studio", 8, True), ("wild", 4, False)]


def test_the_share_of_labels_is_kept(filmed):
    trainer = make(filmed, replace(OURS, labels_3d=0.05))
    footage = trainer.footage["studio"]
    own = footage.images[: len(footage) : 20].float() / 255
    own = torch.cat([own, own.flip(-1)])
    labelled = trainer.labelled(64)
    nearest = torch.cdist(labelled["picture"].flatten(1), own.flatten(1)).amin(1)
    assert nearest.max() < 0.05 and len(own) == 2 * round(0.05 * len(footage))
    # labels belong to what is seen: the pose's projection and the points agree up to the lens
    true = trainer.pose_labels(labelled["pose"], labelled["points"])
    seen = trainer.model._seen(true.joints, canonical(labelled["pose"])[1])[1]
    assert (seen - labelled["points"]).abs().mean() < 0.03


def test_without_web_video_that_moves_there_is_no_energy(filmed):
    trainer = make(filmed, OURS)
    footage = trainer.footage["wild"]
    trainer.footage = trainer.footage | {"wild": replace(footage, static=torch.ones_like(footage.static))}
    assert trainer.unpaired(4) is None
    losses, _ = trainer._losses("base")
    assert not any(key.startswith("energy") for key in losses)
    trainer.footage["wild"] = replace(footage, static=torch.zeros_like(footage.static))
    assert len(trainer.pairs("base", 4)["target"]) == 4


def test_new_poses_have_the_bones_of_the_prior_and_limbs_of_the_renders(filmed):
    trainer = make(filmed, replace(OURS, novel=True, shaken=0.0))
    found = trainer.novel_poses(64)
    source = trainer.renders.parameters
    legs = found.parameters[:, 1:7]
    assert torch.cdist(legs, source[:, 1:7]).amin(1).max() < 1e-3
    assert torch.cdist(found.parameters, source).amin(1).median() > 0.5
