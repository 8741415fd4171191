"""From poses to pictures: crops and joints agree, names decide looks, medians find backgrounds."""

from dataclasses import replace

import numpy as np
import people
import pytest
import torch
from test_dataset import ABOUT

from lib.data.batches import load_poses
from lib.data.dataset import Clip, open_dataset, write_dataset
from lib.data.images import STYLES, WINDOWS, Filmed
from lib.skeleton import HAND_21

SIZE = 48


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    """Two subjects' clips before two cameras, 25 frames each."""
    about = ABOUT | {"split": people.SPLITS["studio"]}
    path = write_dataset(
        tmp_path_factory.mktemp("images") / "a.h5", people.clips("studio"), **about
    )
    return load_poses(open_dataset(path), "train", stride=2)


@pytest.fixture(scope="module")
def hands(tmp_path_factory):
    """A hand, fingers spread, that turns before a camera half a metre away."""
    spread = np.linspace(-0.8, 0.6, 5)
    reach = 60 + 25 * np.arange(4)
    fingers = reach[:, None] * np.stack([np.sin(spread), -np.cos(spread)])[..., None, :]
    hand = np.concatenate([np.zeros((1, 2)), fingers.transpose(2, 1, 0).reshape(20, 2)])
    angle = np.linspace(0, 1, 12)
    joints = np.zeros((12, 21, 3))
    joints[..., 0] = hand[:, 0] * np.cos(angle)[:, None]
    joints[..., 1] = hand[:, 1]
    joints[..., 2] = 500 + hand[:, 0] * np.sin(angle)[:, None]
    K = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    pixels = joints @ K.T
    clip = Clip(
        "H1", "Fan", "0", 30.0, K, np.eye(3), np.zeros(3),
        joints.astype(np.float32), (pixels[..., :2] / pixels[..., 2:]).astype(np.float32),
    )  # fmt: skip
    about = ABOUT | {"split": {"train": ["H1"], "test": []}, "skeleton": HAND_21}
    path = write_dataset(tmp_path_factory.mktemp("hands") / "a.h5", [clip], **about)
    return load_poses(open_dataset(path))


def some(poses, count=24):
    return torch.linspace(0, len(poses) - 1, count).long()


@pytest.mark.parametrize("window", WINDOWS)
def test_joints_are_where_the_camera_of_the_crop_sees_them(poses, window):
    filmed = Filmed.of(poses, "studio", SIZE, window=window)
    seen = poses.joints_3d @ filmed.K.mT
    seen = 2 * seen[..., :2] / seen[..., 2:] / SIZE - 1
    torch.testing.assert_close(filmed.crop, seen, rtol=0, atol=2e-3)
    assert filmed.crop.abs().max() <= 1 / 1.25 + 1e-4 and len(filmed) == len(poses)


def test_windows_are_fixed_for_what_they_say(poses):
    frame, clip, scene = (Filmed.of(poses, "studio", SIZE, window=w) for w in WINDOWS)
    assert len(frame.side.unique()) > len(poses) // 2
    assert len(clip.side.unique()) == len(poses.clips)
    cameras = {name.split("/")[3] for name in poses.clips}
    assert len(poses.subject.unique()) > 1
    assert len(scene.side.unique()) == len(cameras) == len(scene.scene.unique())
    assert (frame.side <= clip.side + 1e-3).all() and (clip.side <= scene.side + 1e-3).all()
    for number in range(len(poses.clips)):
        mine = poses.clip == number
        points = clip.crop[mine].flatten(0, 1)
        assert (points.amax(0) - points.amin(0)).max() == pytest.approx(2 / 1.25, abs=1e-3)


@pytest.mark.parametrize("background", [False, True])
def test_people_are_drawn_where_their_joints_are(poses, background):
    filmed = Filmed.of(poses, "studio", 64)
    index = some(poses)
    picture = filmed.draw(index, background)
    place = ((filmed.crop[index] + 1) * 32).long()
    inside = picture.mask[torch.arange(len(index))[:, None], place[..., 1], place[..., 0]]
    assert inside.float().mean() > 0.9
    around = picture.colour.amax(1)[~picture.mask]
    assert around.mean() > 0.2 if background else around.max() == 0
    assert 0.05 < picture.mask.float().mean() < 0.5


def test_frames_do_not_depend_on_the_batch_they_are_drawn_in(poses):
    filmed = Filmed.of(poses, "outdoor", SIZE)
    index = some(poses)
    kept = filmed.colours(index, background=True)
    assert kept.dtype == torch.uint8 and kept.shape == (24, 3, SIZE, SIZE)
    for other in (
        filmed.colours(index, True, chunk=5),
        filmed.colours(index.flip(0), True).flip(0),
    ):
        assert ((other.int() - kept.int()).abs() > 1).float().mean() < 1e-3
    again = Filmed.of(poses, "outdoor", SIZE).colours(index, True)
    assert torch.equal(again, kept)
    drawn = filmed.draw(index, background=True).colour
    torch.testing.assert_close(kept / 255, drawn, rtol=0, atol=0.51 / 255)
    assert filmed.colours(index[:0]).shape == (0, 3, SIZE, SIZE)


def test_all_frames_for_keeping(poses):
    filmed = Filmed.of(replace_length(poses, 40), "studio", 32)
    kept = filmed.all_colours(chunk=16)
    assert kept.shape == (40, 3, 32, 32)
    assert torch.equal(kept[7:9], filmed.colours(torch.tensor([7, 8])))


def replace_length(poses, count):
    """The first frames of the poses."""
    names = ("joints_3d", "joints_2d", "K", "R", "t", "clip", "action", "subject", "camera")
    return replace(poses, **{name: getattr(poses, name)[:count] for name in names})


def test_names_decide_the_looks(poses):
    filmed = Filmed.of(poses, "studio", SIZE)
    names = [tuple(name.split("/")[1:]) for name in poses.clips]
    for i, (subject, action, camera) in enumerate(names):
        for j, other in enumerate(names[:i]):
            assert (filmed.outfit[i] == filmed.outfit[j]) == ((subject, action) == other[:2])
            assert (filmed.scene[i] == filmed.scene[j]) == (camera == other[2])
    skin = filmed.appearance.colours[:, 0]
    outfits = list(dict.fromkeys(name[:2] for name in names))
    for i, (subject, _) in enumerate(outfits):
        for j in range(i):
            assert torch.equal(skin[i], skin[j]) == (subject == outfits[j][0])
    other = Filmed.of(poses, "studio", SIZE, seed=1)
    assert not torch.equal(other.scene, filmed.scene)
    assert not torch.equal(other.appearance.colours, filmed.appearance.colours)
    assert not torch.equal(Filmed.of(poses, "outdoor", SIZE).scene, filmed.scene)


@pytest.mark.parametrize("role", ["studio", "motion", "outdoor", "wild"])
def test_the_studios_rooms_are_the_same_for_all_subjects(poses, role):
    """One for each camera, and drawn the same; elsewhere each subject has places of its own."""
    filmed = Filmed.of(poses, role, SIZE, window="scene")
    names = [tuple(name.split("/")[1:]) for name in poses.clips]
    shared = role in ("studio", "motion")
    kinds = {(camera if shared else (subject, camera)) for subject, _, camera in names}
    assert len(filmed.scene.unique()) == len(kinds)
    for i, (subject, _, camera) in enumerate(names):
        for j, other in enumerate(names[:i]):
            same = camera == other[2] and (shared or subject == other[0])
            assert (filmed.scene[i] == filmed.scene[j]) == same
    # two subjects before one camera
    subject, _, camera = names[0]
    other = next(i for i, n in enumerate(names) if n[0] != subject and n[2] == camera)
    first = torch.stack([poses.start[0], poses.start[other]])
    if shared:
        one, two = filmed.scenery(first)
        torch.testing.assert_close(one, two, rtol=0, atol=1e-4)
    else:
        square = replace(
            filmed, centre=filmed.centre[first[:1]].expand_as(filmed.centre),
            side=filmed.side[first[:1]].expand_as(filmed.side),
        )  # fmt: skip
        one, two = square.scenery(first)  # through one window, so that only the place differs
        assert (one - two).abs().mean() > 0.02


def test_roles_of_the_studio_have_rooms_of_their_own(poses):
    scenes = [set(Filmed.of(poses, role, SIZE).scene.tolist()) for role in ("studio", "motion")]
    assert not scenes[0] & scenes[1]


def test_a_static_camera_sees_a_static_room_in_all_its_clips(poses):
    filmed = Filmed.of(poses, "studio", SIZE, window="scene")
    mine = (filmed.scene[poses.clip] == filmed.scene[0]).nonzero()[:, 0]
    assert len(poses.clip[mine].unique()) > 1
    rooms = filmed.scenery(mine[::10])
    assert (rooms - rooms[:1]).abs().max() < 1e-4
    moving = Filmed.of(poses, "wild", SIZE, window="scene").scenery(mine[::10])
    assert (moving[1:] - moving[:1]).abs().mean() > 0.01


@pytest.mark.parametrize("window", ["clip", "scene"])
def test_median_of_the_frames_is_the_background(poses, window):
    """People who walk through; the estimate is held against the generator's scene only here."""
    still = poses.joints_3d
    step = torch.linspace(-900, 900, int(poses.length[0]))
    walk = step[(torch.arange(len(poses)) - poses.start[poses.clip])][:, None]
    moved = still + torch.cat([walk, 0 * walk, 0 * walk], dim=1)[:, None]
    pixels = moved @ poses.K.mT
    walking = replace(poses, joints_3d=moved, joints_2d=pixels[..., :2] / pixels[..., 2:])
    filmed = Filmed.of(walking, "studio", SIZE, window=window)
    estimate = filmed.estimated_background(2)
    assert estimate.dtype == torch.uint8 and estimate.shape == (3, SIZE, SIZE)
    truth = filmed.scenery(walking.start[[2]])[0] * 255
    frame = filmed.colours(walking.start[[2]], background=True)[0]
    error = (estimate - truth).abs().mean()
    assert error < 6 and error < 0.4 * (frame - truth).abs().mean()


def test_median_needs_a_fixed_window(poses):
    with pytest.raises(ValueError, match="clip"):
        Filmed.of(poses, "studio", SIZE).estimated_background(0)


@pytest.mark.parametrize("background", [False, True])
def test_hands(hands, background):
    filmed = Filmed.of(hands, "hands", 64)
    index = torch.arange(len(hands))
    picture = filmed.draw(index, background)
    place = ((filmed.crop + 1) * 32).long()
    inside = picture.mask[index[:, None], place[..., 1], place[..., 0]]
    assert inside.float().mean() > 0.9
    around = picture.colour.amax(1)[~picture.mask]
    assert around.mean() > 0.2 if background else around.max() == 0


@pytest.mark.parametrize("role", STYLES)
def test_every_role_is_drawn(poses, hands, role):
    filmed = Filmed.of(hands if role == "hands" else poses, role, 32)
    colours = filmed.colours(torch.tensor([0, 3]), background=True)
    assert colours.float().std() > 10


def test_bad_input_is_refused(poses):
    with pytest.raises(ValueError, match="no role 'moon'"):
        Filmed.of(poses, "moon", SIZE)
    with pytest.raises(ValueError, match="window is one of"):
        Filmed.of(poses, "studio", SIZE, window="film")
    with pytest.raises(ValueError, match="margin"):
        Filmed.of(poses, "studio", SIZE, margin=0)
    with pytest.raises(ValueError, match="1 px or more"):
        Filmed.of(poses, "studio", 0)
    collapsed = replace(poses, joints_2d=torch.zeros_like(poses.joints_2d))
    with pytest.raises(ValueError, match="zero size"):
        Filmed.of(collapsed, "studio", SIZE)
