"""Yoo & Russakovsky 2023, what is trained on: standing people, groups of one background, pairs, mirrors."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from templated import FINE, blank_frames, boxes, make

from lib.data.arms import arms, arms_of
from lib.papers import yoo2023_data
from lib.papers.yoo2023_data import (
    AROUND,
    RASTER,
    ROW,
    STANDING,
    group,
    mirrored_half,
    outline_box,
    pair,
    standing,
    take_frames,
    truth_15,
)
from lib.papers.yoo2023_template import JOINTS

SIZE = 32
AS_H17 = {"abdomen": "pelvis", "chest": "thorax", "neck": "nose"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def train(framed):
    return framed["studio"]["train"]


@pytest.fixture(scope="module")
def frames(train):
    """People on black."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yoo2023_data, "FINE", FINE)
        return take_frames(train, SIZE, 0.3, None, background=False)


@pytest.fixture(scope="module")
def whole(train):
    return take_frames(train, SIZE, 0.3, None, background=True)


# Actions and groups


def test_only_those_who_stand_are_kept(train, frames):
    index = standing(train)
    kept = {train.action_names[i] for i in train.action[index].tolist()}
    assert kept == {"Directions", "Discussion", "Posing"} < set(train.action_names)
    others = torch.ones(len(train), dtype=torch.bool)
    others[index] = False
    left_out = {train.action_names[i] for i in train.action[others].tolist()}
    assert left_out == {"Phoning", "SittingDown", "Smoking"}
    assert not left_out & STANDING
    # the paper's ten
    assert STANDING >= set(
        "Waiting Posing Greeting Directions Discussion Walking Photo Purchases WalkTogether WalkDog".split()
    )
    poses = frames.filmed.poses
    assert {poses.action_names[i] for i in poses.action.tolist()} <= kept


def test_a_group_is_one_subject_camera_and_rectangle(train):
    """Against a slow reference that writes every frame's rectangle down."""
    index = standing(train)[1:]  # which leaves one frame alone in its rectangle
    poses = train.regrouped(index, torch.zeros_like(index), ("all",))
    found, centre, side = group(poses)
    by_key = {}
    for i in range(len(poses)):
        x, y = poses.joints_2d[i].double().numpy().T
        margin = AROUND * (y.max() - y.min())
        corners = (
            np.floor((x.min() - margin) / RASTER), np.floor((y.min() - margin) / RASTER),
            np.ceil((x.max() + margin) / RASTER), np.ceil((y.max() + margin) / RASTER),
        )  # fmt: skip
        key = (int(poses.subject[i]), int(poses.camera[i]), *map(int, corners))
        by_key.setdefault(key, []).append(i)
    expected = {key: rows for key, rows in by_key.items() if len(rows) > 1}
    assert 1 < len(expected) < len(by_key) and sorted(found.length.tolist()) == sorted(
        map(len, expected.values())
    )
    assert len(set(found.clips)) == len(found.clips) == len(expected)
    for clip, name in enumerate(found.clips):
        rows = (found.clip == clip).nonzero()[:, 0]
        assert torch.equal(rows, found.start[clip] + torch.arange(int(found.length[clip])))
        subject, where, camera = name.split("/")
        left, top, right, bottom = map(int, where.split("-"))
        key = (
            poses.subject_names.index(subject), poses.camera_names.index(camera), left, top, right, bottom
        )  # fmt: skip
        assert torch.equal(found.joints_2d[rows], poses.joints_2d[expected[key]])
        middle = torch.tensor([left + right, top + bottom]) * RASTER / 2
        torch.testing.assert_close(centre[rows], middle.expand(len(rows), -1))
        torch.testing.assert_close(side[rows], torch.tensor(ROW * (bottom - top)).expand(len(rows)))


@pytest.mark.parametrize("background", [True, False])
def test_crops_contain_the_person(frames, whole, background):
    found = whole if background else frames
    assert found.truth.abs().max() <= 1 and found.mask.any((1, 2)).all()
    height = found.box[:, 3] - found.box[:, 1]
    assert 1.0 < height.mean() < 1.9  # of 2
    pixel = ((found.truth + 1) * SIZE / 2).long().clamp(0, SIZE - 1)
    on = found.mask[torch.arange(len(found))[:, None], pixel[..., 1], pixel[..., 0]]
    assert on.float().mean() > 0.75


def test_true_keypoints_are_those_of_the_poses(frames):
    filmed = frames.filmed
    truth, skeleton = truth_15(filmed), filmed.poses.skeleton
    assert torch.equal(truth, frames.truth)
    scale = filmed.side[:, None] / 2
    for i, joint in enumerate(JOINTS):
        image = filmed.poses.joints_2d[:, skeleton.index(AS_H17.get(joint, joint))]
        torch.testing.assert_close(truth[:, i], (image - filmed.centre) / scale, rtol=0, atol=1e-3)


def test_a_limit_takes_frames_from_all_over(train):
    few = take_frames(train, SIZE, 1 / 41, 30, background=True)
    assert 15 < len(few) <= 30 and len(few.filmed.poses.action.unique()) == 3


# Backgrounds


def test_a_group_has_one_background(whole):
    """What no person covers in two frames of a group is nearly the same in both."""
    for clip in range(len(whole.filmed.poses.clips)):
        rows = (whole.clip == clip).nonzero()[:, 0]
        one, other = whole.pictures(rows[:1]), whole.pictures(rows[-1:])
        free = ~(whole.mask[rows[0]] | whole.mask[rows[-1]])
        away = (one - other).abs().amax(1)[0][free]
        assert away.median() < 0.01 and whole.images[rows].float().std(0).max() > 5


def test_people_are_on_black(frames, whole):
    far = torch.nn.functional.max_pool2d(frames.mask.float()[:, None], 9, 1, 4)[:, 0] == 0
    level = frames.images.amax(1)
    assert (level[far] == 0).float().mean() > 0.97
    assert whole.images.amax(1)[far].float().mean() > 60
    inside = -torch.nn.functional.max_pool2d(-frames.mask.float()[:, None], 3, 1, 1)[:, 0] == 1
    torch.testing.assert_close(frames.mask, whole.mask)
    kept = (frames.images == whole.images).all(1)[inside]
    assert kept.float().mean() > 0.75
    # estimated, not the true mask
    assert not torch.equal(level > 0, frames.mask)


# Arms


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_share_of_arms_held_out(framed, part):
    found = {}
    for share in (0.0, 0.1, 0.3, 0.5):
        frames = take_frames(framed["studio"][part], SIZE, share, None, background=True)
        out, down = arms(frames.filmed.poses.joints_2d)
        shoulders, wrists = (
            frames.truth[:, [JOINTS.index(f"{side}_{end}") for side in ("left", "right")]]
            for end in ("shoulder", "wrist")
        )
        assert torch.equal(arms_of(shoulders, wrists)[0], out)
        found[share] = float(out.sum() / (out | down).sum())
    assert found[0.0] == 0 and found[0.1] < found[0.3] < found[0.5]
    assert all(abs(found[share] - share) < 0.08 for share in found), found


def test_arms_are_raised_within_groups_made_before(train):
    """Else people with arms out would be paired among themselves."""
    few, many = (take_frames(train, SIZE, share, None, background=True) for share in (0.0, 0.5))
    assert set(many.filmed.poses.clips) <= set(few.filmed.poses.clips)
    out = arms(many.filmed.poses.joints_2d)[0]
    mixed = [c for c in range(len(many.filmed.poses.clips)) if 0 < out[many.clip == c].float().mean() < 1]
    assert len(mixed) > len(many.filmed.poses.clips) / 2
    assert many.truth.abs().max() <= 1


# Boxes


def test_boxes_equal_a_slow_loop():
    random = np.random.default_rng(0)
    mask = boxes(random, 6, 16)
    mask[0, 0, 0] = mask[1, 15, 15] = True
    found = blank_frames(None, torch.zeros(6, 15, 2), mask)
    assert torch.equal(found.box, outline_box(mask))
    for i, one in enumerate(mask.numpy()):
        rows, columns = np.nonzero(one)
        expected = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]) / 8 - 1
        np.testing.assert_allclose(found.box[i].numpy(), expected, atol=1e-6)
        diagonal = np.hypot(expected[2] - expected[0], expected[3] - expected[1])
        assert float(found.diagonal[i]) == pytest.approx(diagonal, rel=1e-5)


# Pairs

CLIP = torch.repeat_interleave(torch.arange(5), torch.tensor([2, 9, 18, 27, 40]))


@pytest.mark.parametrize("share", [1 / 9, 1 / 3, 1.0, 4.0])
def test_pairs_are_of_one_group_and_disjoint_in_a_pass(share):
    pairs = pair(CLIP, share, generator())
    assert torch.equal(CLIP[pairs[:, 0]], CLIP[pairs[:, 1]])
    assert (pairs[:, 0] != pairs[:, 1]).all()
    each = sum(n // 2 for n in (2, 9, 18, 27, 40))
    assert pairs.shape == (round(share * each), 2)
    each = min(each, len(pairs))  # of a pass
    for one in pairs.split(each):
        assert len(one.unique()) == 2 * each
    assert len({tuple(sorted(p)) for p in pairs.tolist()}) > 0.9 * len(pairs)


def test_pairs_follow_the_generator():
    first, again, other = (pair(CLIP, 1.0, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_partners_are_any_of_the_group():
    """Not neighbours in time: the mean distance of two of n random places is a third of n."""
    pairs = pair(torch.zeros(600, dtype=torch.int64), 4.0, generator())
    distance = (pairs[:, 0] - pairs[:, 1]).abs().float()
    assert 170 < distance.mean() < 230
    assert 0.4 < (pairs[:, 0] < pairs[:, 1]).float().mean() < 0.6


@pytest.mark.parametrize(("how", "count", "mirrors"), [("none", 10, 0), ("replace", 10, 5), ("add", 20, 10)])
def test_mirrored_pairs_are_counted(how, count, mirrors):
    pairs = torch.arange(20).view(10, 2)
    found, mirrored = mirrored_half(pairs, how)
    assert found.shape == (count, 2) and mirrored.shape == (count,) and mirrored.sum() == mirrors
    if how != "none":
        assert torch.equal(found[mirrored], found[~mirrored])  # each with its mirror image
        assert torch.equal(found[mirrored], pairs if how == "add" else pairs[::2])
    with pytest.raises(ValueError, match="none, replace or add"):
        mirrored_half(pairs, "both")


def test_both_frames_of_a_mirrored_pair_are_flipped(framed):
    trainer = make(framed, "mse-new-flip")
    for value in (False, True):
        trainer.mirrored = torch.full_like(trainer.mirrored, value)
        state = trainer.generator.get_state()
        frame, other = trainer.batch()
        trainer.generator.set_state(state)
        pairs = trainer.pairs[trainer.draw_index(len(trainer.pairs), trainer.profile.batch)]
        for shown, column in ((frame, 0), (other, 1)):
            expected = trainer.frames.pictures(pairs[:, column])
            assert torch.equal(shown, expected.flip(-1) if value else expected)


def test_pictures_are_fractions(whole):
    shown = whole.pictures(torch.tensor([3, 0]))
    assert torch.equal(shown, whole.images[[3, 0]].float() / 255) and shown.dtype == torch.float32
    assert len(whole) == len(whole.images) == len(whole.truth) == len(whole.clip)
    again = replace(whole, images=whole.images[:5])
    assert len(again) == 5
