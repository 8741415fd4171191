"""The dataset file: what is written is read, bytes are reproducible, every fault is named."""

import dataclasses
import json

import h5py
import numpy as np
import pytest

from lib.data.dataset import Clip, DatasetError, action_kind, open_dataset, sha256, write_dataset
from lib.skeleton import HUMAN36M_17

SPLIT = {"train": ("S1",), "test": ("S9",)}
ABOUT = {
    "skeleton": HUMAN36M_17,
    "split": SPLIT,
    "source": "test",
    "licence": "none",
    "generator": "test 1",
    "seed": 3,
}


def make_clip(
    subject="S1", action="Walking", camera="a", frames=6, detected=True, source=""
) -> Clip:
    random = np.random.default_rng(frames)
    joints = random.normal(0, 300, (frames, 17, 3)) + [0, 0, 5000]
    K = np.array([[1145.0, 0, 512], [0, 1145, 515], [0, 0, 1]])
    pixels = (joints @ K.T)[..., :2] / joints[..., 2:]
    return Clip(
        subject,
        action,
        camera,
        30.0,
        K,
        np.eye(3),
        np.zeros(3),
        joints.astype(np.float32),
        pixels.astype(np.float32),
        (pixels + 3).astype(np.float32) if detected else None,
        source,
    )


@pytest.fixture
def path(tmp_path):
    clips = [make_clip(), make_clip("S9", "Walking 2", detected=False)]
    return write_dataset(tmp_path / "folder" / "studio.h5", clips, **ABOUT, notes="a note, é")


def test_round_trip(path):
    dataset = open_dataset(path)
    assert (dataset.skeleton, dataset.seed, dataset.notes) == (HUMAN36M_17, 3, "a note, é")
    assert dict(dataset.split) == SPLIT
    for written, read in zip(
        [make_clip(), make_clip("S9", "Walking 2", detected=False)], dataset.clips, strict=True
    ):
        for field in dataclasses.fields(Clip):
            np.testing.assert_array_equal(getattr(read, field.name), getattr(written, field.name))
    assert dataset.clips[1].kind == "Walking" and dataset.clips[1].group == "/S9/Walking 2/a"


def test_same_clips_same_bytes_and_nothing_left_behind(path, tmp_path):
    again = write_dataset(
        tmp_path / "b.h5",
        [make_clip(), make_clip("S9", "Walking 2", detected=False)],
        **ABOUT,
        notes="a note, é",
    )
    assert sha256(again) == sha256(path)
    with pytest.raises(DatasetError):
        write_dataset(tmp_path / "c.h5", [make_clip(), make_clip()], **ABOUT)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["b.h5", "folder"]


def test_action_kind():
    assert [action_kind(name) for name in ("Walking", "Walking 2", "Walking 13")] == ["Walking"] * 3


def test_validation_holds_out_whole_recordings(tmp_path):
    clips = [
        make_clip(action=f"Walking {take}", camera=camera, source=f"take {take // 2}")
        for take in range(2, 24)
        for camera in "ab"
    ]
    dataset = open_dataset(write_dataset(tmp_path / "a.h5", clips, **ABOUT))
    sources = {
        part: {clip.source for clip in dataset.subset(part, holdout=True)}
        for part in ("train", "validation")
    }
    assert len(sources["validation"]) == 2 and len(sources["train"]) == 9
    assert not sources["train"] & sources["validation"]
    assert len(dataset.subset("train")) == len(clips)
    with pytest.raises(ValueError, match="part"):
        dataset.subset("all")


def test_natural_order(tmp_path):
    clips = [make_clip(action=name) for name in ("Walking 10", "Walking 2", "Walking")]
    read = open_dataset(write_dataset(tmp_path / "a.h5", clips, **ABOUT)).clips
    assert [clip.action for clip in read] == ["Walking", "Walking 2", "Walking 10"]


def wrong(clip: Clip, name: str, place, value) -> Clip:
    array = getattr(clip, name).copy()
    array[place] = value
    return dataclasses.replace(clip, **{name: array})


FAULTS = {
    "joints_2d: frame 2: right_knee is not finite": lambda c: wrong(
        c, "joints_2d", (2, 2, 1), np.nan
    ),
    "joints_3d: frame 0: pelvis is not finite": lambda c: wrong(c, "joints_3d", (0, 0, 0), np.inf),
    "joints_3d: frame 5: head has no positive depth": lambda c: wrong(
        c, "joints_3d", (5, 10, 2), -1.0
    ),
    "joints_3d: frame 4: right_wrist is at its parent": lambda c: wrong(
        c, "joints_3d", (4, 16), c.joints_3d[4, 15]
    ),
    "joints_3d: shape": lambda c: dataclasses.replace(c, joints_3d=c.joints_3d[:, :16]),
    "detected_2d: shape": lambda c: dataclasses.replace(c, detected_2d=c.detected_2d[:-1]),
    "joints_3d: no frames": lambda c: dataclasses.replace(
        c, joints_3d=c.joints_3d[:0], joints_2d=c.joints_2d[:0]
    ),
    "R: not a rotation": lambda c: dataclasses.replace(c, R=2 * np.eye(3)),
    "K: not finite": lambda c: dataclasses.replace(c, K=np.full((3, 3), np.nan)),
    "fps": lambda c: dataclasses.replace(c, fps=0.0),
    "in no part of the split": lambda c: dataclasses.replace(c, subject="S4"),
}


@pytest.mark.parametrize("message", FAULTS)
def test_writing_refuses(message, tmp_path):
    clip = FAULTS[message](make_clip())
    with pytest.raises(DatasetError) as error:
        write_dataset(tmp_path / "bad.h5", [clip], **ABOUT)
    for part in ("bad.h5", clip.group, message):
        assert part in str(error.value)
    assert not list(tmp_path.iterdir())


def edit_array(file, name, change):
    group = file["/S1/Walking/a"]
    values = change(group[name][()])
    del group[name]
    group.create_dataset(name, data=values)


EDITS = {
    "/S1/Walking/a: joints_3d: frame 1: spine is not finite": lambda f: f[
        "/S1/Walking/a/joints_3d"
    ].__setitem__((1, 7, 0), np.nan),
    "/S1/Walking/a: joints_3d: shape (6, 15, 3), expected (6, 17, 3)": lambda f: edit_array(
        f, "joints_3d", lambda a: a[:, :15]
    ),
    "/S1/Walking/a: joints_2d: no such array": lambda f: f.__delitem__("/S1/Walking/a/joints_2d"),
    "/S1/Walking/a: joints_2d: of type int64": lambda f: edit_array(
        f, "joints_2d", lambda a: a.astype(np.int64)
    ),
    "/S1/Walking/a: attribute K: missing": lambda f: f["/S1/Walking/a"].attrs.__delitem__("K"),
    "/S1/Walking/a: attributes fps": lambda f: f["/S1/Walking/a"].attrs.__setitem__("fps", "fast"),
    "attribute schema: version 99": lambda f: f.attrs.__setitem__("schema", 99),
    "attribute skeleton: unknown": lambda f: f.attrs.__setitem__("skeleton", "octopus"),
    "attribute joints: not the joint names": lambda f: f.attrs.__setitem__(
        "joints", json.dumps(["pelvis"])
    ),
    "attribute joints: not JSON": lambda f: f.attrs.__setitem__("joints", "["),
    "attribute split: ['S1'] in both": lambda f: f.attrs.__setitem__(
        "split", '{"train": ["S1"], "test": ["S1"]}'
    ),
    "attribute licence: missing": lambda f: f.attrs.__delitem__("licence"),
    "/S1/x: a group was expected": lambda f: f["/S1"].create_dataset("x", data=[1.0]),
    "holds no clip": lambda f: [f.__delitem__(name) for name in list(f)],
}


@pytest.mark.parametrize("message", EDITS)
def test_opening_names_file_group_and_field(message, path):
    with h5py.File(path, "r+") as file:
        EDITS[message](file)
    with pytest.raises(DatasetError) as error:
        open_dataset(path)
    assert message in str(error.value) and str(path) in str(error.value)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9, 0.999])
def test_truncated(path, share):
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(DatasetError, match="studio.h5"):
        open_dataset(path)


def test_damaged_chunk(path):
    with h5py.File(path) as file:
        at = file["/S1/Walking/a/joints_3d"].id.get_chunk_info(0)
    damaged = bytearray(path.read_bytes())
    damaged[at.byte_offset + 10 : at.byte_offset + 40] = bytes(30)
    path.write_bytes(damaged)
    with pytest.raises(DatasetError, match="/S1/Walking/a: joints_3d"):
        open_dataset(path)


def test_missing_file(tmp_path):
    with pytest.raises(DatasetError, match="no such file"):
        open_dataset(tmp_path / "none.h5")
