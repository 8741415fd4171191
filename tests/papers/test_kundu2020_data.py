"""Kundu et al. 2020, what is trained on: renders whose labels are exact, chosen poses, footage, pairs."""

from dataclasses import replace

import pytest
import torch

from lib.data.images import Filmed
from lib.data.scenes import on_tripod
from lib.geometry import Camera, project
from lib.kinematics import (
    bone_ratios,
    camera_rotation,
    canonical,
    forward_kinematics,
    project_fitted,
)
from lib.papers.kundu2020_data import (
    GAP,
    MARGIN,
    TURNS,
    Footage,
    choose,
    draw_renders,
    farthest,
    medoids,
    scenery,
    take,
    take_footage,
)
from lib.skeleton import HUMAN36M_17

SIZE = 32
MIRROR = list(HUMAN36M_17.mirror)
FLIP = torch.tensor([-1.0, 1.0])
FRAMES = "transport"


@pytest.fixture(scope="module")
def lengths(filmed):
    return bone_ratios(filmed["motion"]["train"].joints_3d)


@pytest.fixture(scope="module")
def few_poses(filmed):
    """Four poses, each a clip of its own."""
    motion = filmed["motion"]["train"]
    return take(motion, choose(motion, 4, "medoids"))


@pytest.fixture(scope="module")
def renders(few_poses, lengths):
    return draw_renders(few_poses, lengths, 64, FRAMES)


@pytest.fixture(scope="module")
def studio(filmed):
    return take_footage(filmed["studio"]["train"], "studio", SIZE)


# Labelled renders


def on_the_axis(poses):
    """The same people where the model's camera has them: ten trunks away, straight ahead."""
    trunk = (poses.joints_3d[:, HUMAN36M_17.index("thorax")] - poses.joints_3d[:, 0]).norm(dim=-1)
    away = torch.stack([0 * trunk, 0 * trunk, 10 * trunk], dim=-1)[:, None]
    placed = poses.joints_3d - poses.joints_3d[:, :1] + away
    camera = Camera(poses.K, torch.eye(3).expand_as(poses.K), torch.zeros(len(poses), 3))
    return replace(poses, joints_3d=placed, joints_2d=project(placed, camera))


def fitted(renders):
    return project_fitted(renders.joints, camera_rotation(renders.camera), MARGIN).points


@pytest.mark.parametrize("frames", ["transport", "gram-schmidt"])
def test_labels_are_those_of_the_model_for_people_on_the_axis(few_poses, lengths, frames):
    """What the labels of pose and camera project to is where the drawn person's joints are."""
    found = draw_renders(on_the_axis(few_poses), lengths, SIZE, frames)
    torch.testing.assert_close(fitted(found), found.points, rtol=0, atol=1e-3)
    joints = forward_kinematics(found.parameters, lengths, frames)
    torch.testing.assert_close(joints, found.joints, rtol=0, atol=1e-4)


def test_labels_of_people_off_the_axis_are_nearly_those_of_the_model(renders):
    """They are filmed from where they were, nearer or further than the model's camera, and aside of it."""
    wrong = (fitted(renders) - renders.points).abs()
    assert wrong.mean() < 0.01 and wrong.max() < 0.1


def test_points_of_renders_lie_on_the_person(renders):
    pixel = ((renders.points + 1) * 32).long().clamp(0, 63)
    seen = renders.mask[torch.arange(len(renders))[:, None], 0, pixel[..., 1], pixel[..., 0]]
    assert seen.float().mean() > 0.95
    assert renders.images.permute(0, 2, 3, 1)[~renders.mask[:, 0]].max() == 0
    extent = (renders.points.amax(1) - renders.points.amin(1)).amax(-1)
    torch.testing.assert_close(extent, torch.full_like(extent, 2 / MARGIN), rtol=0, atol=1e-3)


def test_a_mirrored_render_has_mirrored_labels(renders):
    half = len(renders) // 2
    assert torch.equal(renders.images[half:], renders.images[:half].flip(-1))
    assert torch.equal(renders.mask[half:], renders.mask[:half].flip(-1))
    torch.testing.assert_close(renders.points[half:], renders.points[:half, MIRROR] * FLIP)
    turned = [renders.joints[part] @ camera_rotation(renders.camera[part]).mT for part in
              (slice(0, half), slice(half, None))]  # fmt: skip
    there = turned[0][:, MIRROR] * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(turned[1], there, rtol=0, atol=1e-4)


def test_renders_are_turned_in_the_picture(few_poses, renders):
    """Same pose, same distances to the middle of the view, other angles."""
    count = len(few_poses)
    assert len(renders) == count * len(TURNS) * 2
    straight = TURNS.index(0.0)
    rotation = camera_rotation(renders.camera)
    for number, degrees in enumerate(TURNS):
        part = slice(number * count, (number + 1) * count)
        torch.testing.assert_close(renders.joints[part], renders.joints[:count])
        plain = rotation[straight * count : (straight + 1) * count]
        turn = rotation[part] @ plain.mT
        angle = torch.rad2deg(torch.atan2(turn[:, 1, 0], turn[:, 0, 0]))
        torch.testing.assert_close(angle, torch.full_like(angle, degrees), rtol=0, atol=0.05)


def test_people_are_drawn_with_the_bone_ratios_of_the_prior(few_poses, lengths):
    strange = lengths * torch.linspace(0.8, 1.2, 17)
    strange[HUMAN36M_17.index("thorax")] = 1
    strange = (strange + strange[MIRROR]) / 2
    found = draw_renders(few_poses, strange, SIZE, FRAMES)
    torch.testing.assert_close(bone_ratios(found.joints), strange, rtol=0, atol=1e-4)


def test_disguises_change_colours_and_background_alone(renders):
    index = torch.tensor([0, 5, 5, 20])
    behind = torch.rand(4, 3, 64, 64)
    one, same, other = (
        renders.batch(index, behind, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(one, same) and not torch.equal(one, other)
    mask = renders.mask[index].expand_as(one)
    assert torch.equal(one[~mask], behind[~mask])
    assert not torch.equal(one[1], one[2]) and one.min() >= 0 and one.max() <= 1
    plain = renders.images[index].float() / 255
    # a permutation of channels and a gain for each: sums of rows are those of one channel times the gain
    for row in range(4):
        own = renders.mask[index[row], 0]
        for channel in range(3):
            ratios = one[row, channel][own] / plain[row][:, own].clamp_min(1 / 255)
            clear = one[row, channel][own] < 1
            spread = [(r[clear].std() / r[clear].mean()) for r in ratios]
            assert min(spread) < 0.02


def test_joined_renders(renders):
    both = renders.joined(renders)
    assert len(both) == 2 * len(renders)
    assert torch.equal(both.points[len(renders) :], renders.points)


# Which poses


@pytest.mark.parametrize("rule", [medoids, farthest])
def test_chosen_members_are_distinct_and_the_same_again(rule):
    features = torch.randn(200, 6)
    first = rule(features, 20)
    assert first.shape == (20,) and len(first.unique()) == 20
    torch.manual_seed(1)
    assert torch.equal(rule(features, 20), first)


@pytest.mark.parametrize("rule", [medoids, farthest])
def test_each_of_some_clusters_gets_one(rule):
    centres = 20 * torch.randn(7, 4)
    features = (centres[:, None] + torch.randn(7, 30, 4)).flatten(0, 1)
    assert sorted((rule(features, 7) // 30).tolist()) == list(range(7))


def test_medoids_are_in_the_middle_and_the_farthest_at_the_rim():
    features = torch.randn(400, 3)
    middle, rim = (features[rule(features, 12)].norm(dim=1).mean() for rule in (medoids, farthest))
    assert rim > 1.3 * middle
    spread = farthest(features, 12)
    nearest = torch.cdist(features[spread], features[spread]) + 100 * torch.eye(12)
    covered = torch.cdist(features, features[spread]).amin(1).max()
    assert nearest.min() >= covered - 1e-5  # nobody is farther from all than they are from each other


@pytest.mark.parametrize("how", ["medoids", "farthest"])
def test_chosen_frames_differ_in_pose_not_in_place(filmed, how):
    motion = filmed["motion"]["train"]
    index = choose(motion, 20, how)
    assert len(index.unique()) == 20 and torch.equal(choose(motion, 20, how), index)
    features = canonical(motion.joints_3d[index])[0].flatten(1)
    assert (torch.cdist(features, features) + torch.eye(20)).min() > 0.05
    elsewhere = replace(motion, joints_3d=2 * motion.joints_3d)  # what rounds in the same way
    assert torch.equal(choose(elsewhere, 20, how), index)
    assert len(choose(motion, 10**6, how)) == len(motion)
    with pytest.raises(KeyError):
        choose(motion, 3, "random")


def test_taken_frames_are_clips_of_their_own(filmed):
    motion = filmed["motion"]["train"]
    index = torch.tensor([3, 4, 60])
    taken = take(motion, index)
    assert len(taken) == 3 and taken.length.tolist() == [1, 1, 1] and len(set(taken.clips)) == 3
    assert torch.equal(taken.joints_3d, motion.joints_3d[index])
    shown = Filmed.of(taken, "bodies", SIZE)
    assert len(shown.outfit.unique()) == 3  # also of one person's neighbouring frames


# Footage


def test_footage_shows_its_frames(filmed, studio):
    poses = filmed["studio"]["train"]
    shown = Filmed.of(poses, "studio", SIZE, margin=MARGIN)
    index = torch.tensor([0, 17, 63])
    assert len(studio) == len(poses) and torch.equal(studio.points, shown.crop)
    drawn = shown.colours(index, background=True)
    assert ((drawn.int() - studio.images[index].int()).abs() > 1).float().mean() < 1e-3
    assert torch.equal(studio.pictures(index) * 255, studio.images[index].float())


def test_partners_are_of_the_same_clip_and_far_enough_in_time(filmed):
    for role in ("studio", "wild"):
        poses = filmed[role]["train"]
        footage = Footage(poses, *[torch.zeros(len(poses))] * 4)
        index = torch.arange(len(poses)).repeat(8)
        other = footage.partner(index, torch.Generator().manual_seed(0))
        assert torch.equal(poses.clip[other], poses.clip[index])
        assert ((other - index).abs() / poses.fps[poses.clip[index]] >= GAP - 1e-4).all()
        assert len(other.view(8, -1)[:, 0].unique()) > 2


def test_partners_in_a_short_clip_are_as_far_as_it_goes(filmed):
    poses = filmed["wild"]["train"]
    slow = replace(poses, fps=10 * poses.fps)  # a fifth of a second each
    footage = Footage(slow, *[torch.zeros(len(slow))] * 4)
    index = torch.arange(len(poses))
    other = footage.partner(index, torch.Generator().manual_seed(0))
    first, last = slow.bounds(index)
    assert torch.equal((other - index).abs(), torch.maximum(index - first, last - index))


def test_estimated_backgrounds_lie_where_the_scene_is(filmed, studio):
    """Beside the person the estimate is the frame; shifted by two pixels it is less so."""
    shown = Filmed.of(filmed["studio"]["train"], "studio", SIZE, margin=MARGIN)
    index = torch.arange(0, len(studio), 5)
    scene, found = shown.scenery(index), studio.backgrounds(index)
    wrong = (found - scene).abs().mean()
    for shift in ((2, 0), (-2, 0), (0, 2), (0, -2)):
        assert wrong < 0.7 * (found.roll(shift, (2, 3)) - scene).abs()[..., 3:-3, 3:-3].mean()
    assert wrong < 8 / 255 and bool(studio.static.all())
    mask = shown.draw(index).mask[:, None]
    frame = (studio.pictures(index) - found).abs().amax(1, keepdim=True)
    assert frame[mask].mean() > 3 * frame[~mask].mean()


def test_web_video_is_sorted_by_its_pixels(filmed):
    poses = filmed["wild"]["train"]
    footage = take_footage(poses, "wild", SIZE, "sorted")
    true = on_tripod(Filmed.of(poses, "wild", SIZE).scene)
    assert 0 < true.sum() < len(true)
    assert torch.equal(footage.static, true[poses.clip])
    assert footage.background[~footage.static].max() == 0
    assert footage.background[footage.static].float().mean() > 20


def test_without_backgrounds(filmed):
    footage = take_footage(filmed["sport"]["test"], "sport", SIZE, "none")
    assert not footage.static.any() and footage.background.max() == 0 and len(footage) == 2
    with pytest.raises(ValueError, match="all, sorted or none, not 'some'"):
        take_footage(filmed["sport"]["test"], "sport", SIZE, "some")


def test_random_backgrounds():
    device = torch.device("cpu")
    scenes = scenery(6, SIZE, 0, device)
    assert scenes.shape == (6, 3, SIZE, SIZE) and scenes.dtype == torch.uint8
    assert torch.equal(scenery(6, SIZE, 0, device), scenes)
    other = torch.cat([scenes, scenery(6, SIZE, 1, device)]).float()
    apart = torch.cdist(other.flatten(1), other.flatten(1)) + 1e6 * torch.eye(12)
    assert apart.min() > 100
