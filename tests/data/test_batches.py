"""Frames on the device: neighbours and partners stay inside their clip."""

import pytest
import torch
from test_dataset import ABOUT, make_clip

from lib.data.batches import load_poses
from lib.data.dataset import open_dataset, write_dataset

LENGTHS = {"Walking": 40, "Walking 2": 7, "Sitting": 1, "Eating": 25}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    clips = [
        make_clip(action=action, frames=frames, source=action) for action, frames in LENGTHS.items()
    ]
    clips.append(make_clip("S9", "Posing", frames=12, detected=False))
    return open_dataset(write_dataset(tmp_path_factory.mktemp("data") / "a.h5", clips, **ABOUT))


@pytest.fixture
def poses(dataset):
    return load_poses(dataset, "train", "cpu")


def test_tensors_are_the_clips(dataset, poses):
    assert len(poses) == 73 and poses.joints_2d.shape == (73, 17, 2) and poses.K.shape == (73, 3, 3)
    for number, clip in enumerate(dataset.subset("train")):
        mine = poses.clip == number
        assert torch.equal(poses.joints_3d[mine], torch.from_numpy(clip.joints_3d))
        assert torch.equal(poses.detected_2d[mine], torch.from_numpy(clip.detected_2d))
        assert {poses.actions[i] for i in mine.nonzero()[:, 0].tolist()} == {clip.kind}
        assert poses.start[number] == mine.nonzero()[0, 0] and poses.length[number] == len(clip)
    assert set(poses.subjects) == {"S1"} and poses.action_names == ("Eating", "Sitting", "Walking")
    projected = (poses.joints_3d @ poses.K.mT)[..., :2] / poses.joints_3d[..., 2:]
    torch.testing.assert_close(projected, poses.joints_2d, rtol=0, atol=1e-2)
    assert load_poses(dataset, "test").detected_2d is None


@pytest.mark.parametrize("offset", [1, 5, 20, 100])
def test_neighbour_against_a_loop(poses, offset):
    index = torch.arange(len(poses))
    got = poses.neighbour(index, offset).tolist()
    for t, found in zip(index.tolist(), got, strict=True):
        clip = poses.clip[t]
        first, last = int(poses.start[clip]), int(poses.start[clip] + poses.length[clip]) - 1
        if t + offset <= last:
            assert found == t + offset
        elif t - offset >= first:
            assert found == t - offset
        else:
            assert found == (first if t - first >= last - t else last)
    each = torch.full_like(index, offset)
    assert poses.neighbour(index, each).tolist() == got


@pytest.mark.parametrize("gap", [1, 4, 15])
def test_other_is_far_enough_and_uniform(poses, gap):
    index = torch.arange(len(poses)).repeat(400)
    other = poses.other(index, gap, torch.Generator().manual_seed(0))
    assert torch.equal(poses.clip[other], poses.clip[index])
    first, last = poses.bounds(index)
    possible = (index - gap >= first) | (index + gap <= last)
    assert ((other - index).abs() >= gap)[possible].all()
    t = int(poses.start[-1]) + 20
    seen = other[index == t].unique().numel()
    assert (
        seen == int(((torch.arange(40) - 20).abs() >= gap).sum())
        if poses.length[-1] == 40
        else True
    )
    again = poses.other(index, gap, torch.Generator().manual_seed(0))
    assert torch.equal(again, other)
    with pytest.raises(ValueError):
        poses.other(index, 0)


def test_window_repeats_the_ends(poses):
    first = poses.start[poses.length == 7]
    assert (poses.window(first, 5) - first[:, None]).tolist() == [[0, 0, 0, 1, 2]]
    assert (poses.window(first + 6, 5) - first[:, None]).tolist() == [[4, 5, 6, 6, 6]]
    assert poses.window(torch.arange(len(poses)), 1)[:, 0].tolist() == list(range(len(poses)))
    with pytest.raises(ValueError):
        poses.window(first, 4)


def test_stride_and_max_frames(dataset, poses):
    thin = load_poses(dataset, "train", stride=5)
    assert thin.length.sum() == len(thin) == 5 + 1 + 8 + 2 and float(thin.fps[0]) == 6.0
    assert torch.equal(thin.joints_3d[0], poses.joints_3d[0])
    few = load_poses(dataset, "train", max_frames=20)
    assert len(few) <= 22 and len(few.length) == 4 and few.length.min() == 1
    with pytest.raises(ValueError, match="validation"):
        load_poses(dataset, "validation")


@pytest.mark.parametrize("stride", [1, 3, 8, 100])
def test_thinned_keeps_every_so_manieth_frame_of_each_clip(dataset, poses, stride):
    thin = poses.thinned(stride)
    kept = [
        frame
        for start, length in zip(poses.start.tolist(), poses.length.tolist(), strict=True)
        for frame in range(start, start + length, stride)
    ]
    again = load_poses(dataset, "train", stride=stride)
    for name in ("joints_3d", "joints_2d", "detected_2d", "K", "R", "t", "clip", "action", "camera"):
        assert torch.equal(getattr(thin, name), getattr(poses, name)[kept]), name
        assert torch.equal(getattr(thin, name), getattr(again, name)), name
    for name in ("start", "length", "fps"):
        torch.testing.assert_close(getattr(thin, name), getattr(again, name))
    assert thin.clips == poses.clips and thin.actions == [poses.actions[i] for i in kept]
    # neighbours stay inside their clip
    assert torch.equal(thin.clip[thin.neighbour(torch.arange(len(thin)), 2)], thin.clip)
    assert load_poses(dataset, "test").thinned(stride).detected_2d is None
    with pytest.raises(ValueError, match="at least 1, not 0"):
        poses.thinned(0)


def test_no_python_loop_is_needed(poses):
    index = torch.randint(len(poses), (4, 6))
    assert poses.neighbour(index, 3).shape == poses.other(index, 3).shape == (4, 6)
    assert poses.window(index, 9).shape == (4, 6, 9)
