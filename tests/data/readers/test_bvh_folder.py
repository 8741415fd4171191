"""The reader of BVH folders: trees of several programs, units, axes, CMU's conversion, damaged files."""

import itertools
import shutil

import numpy as np
import pytest
from built_bvh import STYLES, build
from damage import damaged, limited, only_dataset_errors
from damage_words import damage_words
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import mocap
from lib.data.clip import DatasetError, check_clip
from lib.data.readers import bvh, cmu
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

POSES = Options(size=0)
UNITS = {
    "millimetres": 1.0,
    "centimetres": 10.0,
    "inches": 25.4,
    "inches x 0.45": 25.4 / 0.45,
    "metres": 1000.0,
}


def world(clip) -> np.ndarray:
    return (clip.joints_3d - clip.t) @ clip.R


def turned_onto(joints: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Joints moved and turned about z alone so as to lie on the truth as well as they can."""
    joints, truth = joints - joints.mean((0, 1)), truth - truth.mean((0, 1))
    a, b = (points[..., :2].reshape(-1, 2) for points in (joints, truth))
    angle = np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum())
    c, s = np.cos(angle), np.sin(angle)
    return np.abs(joints @ np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]) - truth).max()


def check_whole(found, truth: dict[str, np.ndarray], step: int) -> None:
    assert {source.camera for source in found.sources} == {"54138969", "55011271", "58860488", "60457274"}
    clips = [source.read() for source in found.sources]
    for clip, source in zip(clips, found.sources, strict=True):
        check_clip(clip, HUMAN36M_17, found.split, "here")
        assert (clip.subject, clip.action, clip.camera) == (source.subject, source.action, source.camera)
        assert turned_onto(world(clip), truth[clip.source][::step]) < 0.2, clip.group
        assert -1.0 < world(clip)[..., 2].min() < 200
        pixels = clip.joints_3d @ clip.K.T
        np.testing.assert_allclose(pixels[..., :2] / pixels[..., 2:], clip.joints_2d, atol=1e-2)
        assert 3 < np.abs(clip.detected_2d - clip.joints_2d).mean() < 20
    assert {clip.source for clip in clips} == set(truth)


@pytest.mark.parametrize("style", STYLES)
def test_trees_of_several_programs(style, tmp_path):
    truth = build(tmp_path, style, takes=1)
    found = bvh.find(tmp_path, POSES)
    assert found.split == {"train": ("Ann", "Ben"), "test": ()} and len(found.sources) == 8
    assert found.notes[0] == "2 file(s): unit taken for centimetres, y for up, 60 Hz"
    check_whole(found, truth, step=2)


@pytest.mark.parametrize(("unit", "up"), [(unit, up) for unit in UNITS for up in "yz"])
def test_units_and_axes(unit, up, tmp_path):
    truth = build(tmp_path, millimetres=UNITS[unit], up=up, subjects=("Ann",), takes=1)
    found = bvh.find(tmp_path, POSES)
    assert found.notes[0].startswith(f"1 file(s): unit taken for {unit}") and f"{up} for up" in found.notes[0]
    check_whole(found, truth, step=2)


def test_no_number_is_a_person_in_two_units():
    low, high = bvh.PERSON
    spans = sorted((low / mm, high / mm) for mm in bvh.UNITS.values())
    assert all(one[1] < other[0] for one, other in itertools.pairwise(spans))


def test_added_first_pose_is_dropped_and_only_that(tmp_path):
    truth = build(tmp_path / "posed", posed=True, fps=30.0)
    found = bvh.find(tmp_path / "posed", POSES)
    assert found.notes[0].endswith("30 Hz, an added first frame dropped")
    check_whole(found, truth, step=1)
    build(tmp_path / "plain", fps=30.0)
    assert all(len(source.read()) == 150 for source in bvh.find(tmp_path / "plain", POSES).sources)


def test_every_and_subjects(tmp_path):
    truth = build(tmp_path)
    whole = {source.group: source.read() for source in bvh.find(tmp_path, POSES).sources}
    found = bvh.find(tmp_path, Options(size=0, every=3, subjects=("Ben",)))
    assert len(found.sources) == 8 and found.split["train"] == ("Ben",) and len(truth) == 4
    for source in found.sources:
        clip = source.read()
        assert len(clip) == 25 and clip.fps == pytest.approx(10.0)
        for name in ("joints_3d", "joints_2d", "detected_2d"):
            np.testing.assert_array_equal(getattr(clip, name), getattr(whole[source.group], name)[::3])
    names = [source.group for source in found.sources]
    assert names[0] == "/Ben/take1/54138969" and len(set(names)) == 8


def test_order_of_reading_does_not_matter(tmp_path):
    build(tmp_path)
    one, other = (bvh.find(tmp_path, POSES).sources for _ in range(2))
    for first, second in zip(one, reversed([s.read() for s in reversed(other)]), strict=True):
        np.testing.assert_array_equal(first.read().detected_2d, second.detected_2d)


def edited(tmp_path, **words: str):
    """A sound file in which words are replaced."""
    build(tmp_path, subjects=("Ann",), takes=1)
    path = tmp_path / "Ann/take1.bvh"
    text = path.read_text()
    for word, other in words.items():
        assert word in text
        text = text.replace(word, other)
    path.write_text(text)
    return path


def refused(tmp_path, path, message) -> None:
    with pytest.raises(DatasetError, match=message) as error:
        bvh.find(tmp_path, POSES)
    assert str(path) in str(error.value)


def test_joint_that_never_opens(tmp_path):
    """Found by fuzzing: a joint without its brace had no offset."""
    path = edited(tmp_path, **{"End Site\n": "End Site\nEnd Site\n"})
    refused(tmp_path, path, "take1.bvh:[0-9]+: End Site is out of place")


def test_missing_joints_are_named(tmp_path):
    path = edited(tmp_path, LeftLeg="LeftPaw", Neck="Collar", RightForeArm="RightTentacle")
    refused(tmp_path, path, "HIERARCHY: no joint for left_knee, right_elbow, thorax; it has mixamorig:Hips")


def test_unknown_unit_is_refused(tmp_path):
    build(tmp_path, millimetres=100.0, subjects=("Ann",), takes=1)
    refused(tmp_path, tmp_path / "Ann/take1.bvh", "OFFSET: legs, trunk and head add up to .* in none of")


def test_unknown_rate_is_refused(tmp_path):
    path = edited(tmp_path, **{"Frame Time: 0.0166667": "Frame Time: 2.0"})
    refused(tmp_path, path, "Frame Time: 2 s is no rate")


def test_folders_without_motion(tmp_path):
    refused(tmp_path, tmp_path, "no motions")
    refused(tmp_path / "nowhere", tmp_path / "nowhere", "no such folder")
    (tmp_path / "still.bvh").mkdir()
    refused(tmp_path, tmp_path, "no motions")
    build(tmp_path, subjects=("Ann",), takes=1, frames=20)
    refused(tmp_path, tmp_path, "no take of a second or more")


def test_jumps_cut_a_take(tmp_path):
    build(tmp_path, subjects=("Ann",), takes=1, frames=200)
    path = tmp_path / "Ann/take1.bvh"
    lines = path.read_text().splitlines()
    wrong = len(lines) - 100
    x, *rest = lines[wrong].split()
    lines[wrong] = " ".join([str(float(x) + 100), *rest])
    path.write_text("\n".join(lines))
    found = bvh.find(tmp_path, POSES)
    assert [source.action for source in found.sources[::4]] == ["take1", "take1 2"]
    assert "Ann/take1: 1 of 200 frames dropped" in "\n".join(found.notes)
    assert [len(source.read()) for source in found.sources[::4]] == [50, 50]


def test_file_that_changes_while_it_is_read(tmp_path):
    build(tmp_path, subjects=("Ann", "Ben"), takes=1)
    sources = bvh.find(tmp_path, POSES).sources
    sources[-1].read()
    build(tmp_path, subjects=("Ann",), takes=1, frames=100)
    with pytest.raises(DatasetError, match="take1.bvh: joints: .* the file has changed"):
        sources[0].read()


@pytest.fixture(scope="module")
def recordings():
    try:
        folder = mocap.source_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    if not (folder / "bvh").is_dir():
        pytest.skip(f"no BVH conversion in {folder}")
    return folder


def test_cmu_conversion_agrees_with_acclaim_on_the_legs(recordings, tmp_path):
    """Its upper body is one thorax bone too low: the neck's joint is where the spine's upper one is."""
    shutil.copytree(recordings / "bvh", tmp_path, dirs_exist_ok=True, copy_function=shutil.copyfile)
    found = bvh.find(tmp_path, Options(size=0, subjects=("02",)))
    assert found.notes[0].endswith("(CMU), y for up, 120 Hz, an added first frame dropped")
    assert {(s.subject, s.action) for s in found.sources} == {("02", "Walking"), ("02", "Running")}
    other = cmu.find(recordings / "asfamc/02", POSES)
    acclaim = {source.read().source: source for source in other.sources[::4]}
    legs = [
        HUMAN36M_17.joints.index(f"{side}_{j}")
        for side in ("left", "right")
        for j in ("hip", "knee", "ankle")
    ]
    for source in found.sources[::4]:
        ours, theirs = source.read(), acclaim[source.read().source].read()
        # Neither the frames in view nor the place in the room need be the same: compare shapes.
        n = 30
        ours, theirs = world(ours)[:, legs], world(theirs)[:, legs]
        best = min(turned_onto(ours[:n], theirs[k : k + n]) for k in range(len(theirs) - n + 1))
        assert best < 1.0
    assert (found.split["train"], found.licence.count("NSF EIA-0196217")) == (("02",), 1)


def test_name_like_cmus_in_another_tree_is_no_take_of_cmu(tmp_path):
    build(tmp_path, subjects=("Ann",), takes=1)
    (tmp_path / "Ann/take1.bvh").rename(tmp_path / "Ann/02_01.bvh")
    assert bvh.find(tmp_path, POSES).sources[0].group == "/Ann/02_01/54138969"


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    build(folder, subjects=("Ann",), takes=1, frames=31, fps=30.0)
    return (folder / "Ann/take1.bvh").read_bytes()


def test_damaged_files(small, tmp_path):
    path = tmp_path / "walk.bvh"

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(damaged(small) | st.integers(0, 2**32).map(lambda seed: damage_words(small, seed)))
    def fuzz(data):
        path.write_bytes(data)
        with only_dataset_errors(path, tmp_path), limited(seconds=20), np.errstate(all="ignore"):
            found = bvh.find(tmp_path, POSES)
            for source in found.sources[:4]:
                check_clip(source.read(), HUMAN36M_17, found.split, str(path))

    fuzz()
