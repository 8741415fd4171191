"""The reader of folders of ASF and AMC files: layouts, names, wrong frames, damaged files."""

import shutil

import numpy as np
import pytest
from built_cmu import asf_text, build
from damage import damaged, limited, only_dataset_errors
from damage_words import damage_words
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bvh_folder import check_whole, world

from lib.data import mocap
from lib.data.clip import DatasetError, check_clip
from lib.data.filmed_takes import sound_pieces
from lib.data.readers import cmu
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

POSES = Options(size=0)


@pytest.mark.parametrize("flat", [False, True])
def test_folder_a_subject_or_all_in_one(flat, tmp_path):
    truth = build(tmp_path / "asfamc", flat=flat)
    (tmp_path / ".fetch").mkdir()
    (tmp_path / ".fetch/81_03.amc").write_text("half a file")
    found = cmu.find(tmp_path, POSES)
    assert found.split == {"train": ("9", "81"), "test": ()} and len(found.sources) == 16
    assert [s.action for s in found.sources[::4]] == ["Motion", "Motion 2"] * 2
    assert found.notes[0].startswith("120 Hz") and "NSF EIA-0196217" in found.licence
    check_whole(found, truth, step=4)
    assert all(source.read().fps == 30.0 for source in found.sources)


def test_upper_case_names_and_another_subject_s_skeleton(tmp_path):
    truth = build(tmp_path, subjects=("8", "80"), takes=1, flat=True)
    for path in list(tmp_path.iterdir()):
        path.rename(path.with_suffix(path.suffix.upper()))
    found = cmu.find(tmp_path, POSES)
    check_whole(found, truth, step=4)  # that of 8 is 5 % smaller than that of 80


def test_take_without_skeleton_is_noted(tmp_path):
    build(tmp_path)
    (tmp_path / "9/9.asf").unlink()
    found = cmu.find(tmp_path, POSES)
    assert found.split["train"] == ("81",) and "9/9_01.amc: left out, no skeleton" in "\n".join(found.notes)


def test_only_skeleton_of_a_folder_needs_no_name(tmp_path):
    build(tmp_path, subjects=("81",), takes=1)
    (tmp_path / "81/81.asf").rename(tmp_path / "81/Anna.asf")
    (source, *_) = cmu.find(tmp_path, POSES).sources
    assert source.subject == "Anna" and source.read().source == "CMU Anna_81_01"


def test_every_and_subjects(tmp_path):
    build(tmp_path)
    whole = {source.group: source.read() for source in cmu.find(tmp_path, POSES).sources}
    found = cmu.find(tmp_path, Options(size=0, every=5, subjects=("81",)))
    assert len(found.sources) == 8
    for source in found.sources:
        clip = source.read()
        assert len(clip) == 8 and clip.fps == 6.0
        np.testing.assert_array_equal(clip.joints_2d, whole[source.group].joints_2d[::5])


def test_folders_that_are_refused(tmp_path):
    with pytest.raises(DatasetError, match="no skeletons"):
        cmu.find(tmp_path, POSES)
    (tmp_path / "81.asf").write_text(asf_text())
    with pytest.raises(DatasetError, match="no motions"):
        cmu.find(tmp_path, POSES)
    build(tmp_path / "one", subjects=("81",), takes=1)
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    with pytest.raises(DatasetError, match="81_01.amc: the same take as .*one/81/81_01.amc"):
        cmu.find(tmp_path, POSES)
    shutil.rmtree(tmp_path / "two")
    path = tmp_path / "one/81/81_01.amc"
    text = path.read_text()
    path.write_text(text[: text.index("\nlfemur", 5000)])
    with pytest.raises(DatasetError, match="81_01.amc:[0-9]+: frame [0-9]+: no channels of"):
        cmu.find(tmp_path, POSES)
    build(tmp_path, subjects=("81",), takes=1, frames=100, flat=True)
    shutil.rmtree(tmp_path / "one")
    with pytest.raises(DatasetError, match="no take of a second or more"):
        cmu.find(tmp_path, POSES)


def test_joint_at_its_parent_and_far_away(tmp_path):
    build(tmp_path, subjects=("81",), takes=1)
    path = tmp_path / "81/81.asf"
    whole = path.read_text()
    path.write_text(whole.replace("length 7.26", "length 0.00"))
    with pytest.raises(DatasetError, match="81_01.amc: joints: frame 1: right_knee is at its parent"):
        cmu.find(tmp_path, POSES)
    path.write_text(whole.replace("length 7.26", "length 9e9 #"))
    with pytest.raises(DatasetError, match="81_01.amc: joints: frame 1: a joint is 1 km or more"):
        cmu.find(tmp_path, POSES)


def test_sound_pieces_are_those_of_the_collection():
    random = np.random.default_rng(3)
    for _ in range(50):
        joints = np.cumsum(random.normal(0, 5, (500, 17, 3)), axis=0)
        joints[random.integers(0, 500, 4)] += 400
        glitches = ((int(random.integers(1, 400)), 410),)
        assert list(sound_pieces(joints, 120.0, glitches)) == list(mocap.pieces(joints, glitches))
    slow = np.zeros((60, 17, 3))
    slow[30:, 4, 0] = 500.0  # 15 m/s at 30 Hz
    assert list(sound_pieces(slow, 30.0)) == [(0, 60)]
    slow[30:, 4, 0] = 550.0
    assert list(sound_pieces(slow, 30.0)) == [(0, 30), (30, 60)]


@pytest.fixture(scope="module")
def recordings():
    try:
        return mocap.source_folder() / "asfamc"
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_real_takes_have_their_kinds_and_lose_their_wrong_frames(recordings):
    found = cmu.find(recordings, Options(size=0, subjects=("03",)))
    assert [source.action for source in found.sources[::4]] == ["Walking", "Walking 2"]
    assert "CMU 03_02: 50 of 365 frames dropped" in "\n".join(found.notes)
    clip = found.sources[4].read()
    assert clip.source == "CMU 03_02" and len(clip) == 79
    femur = np.linalg.norm(world(clip)[:, 2] - world(clip)[:, 1], axis=-1)
    assert 380 < femur.mean() < 440 and np.ptp(femur) < 0.1


def test_damaged_files(tmp_path):
    build(tmp_path, subjects=("81",), takes=1, frames=125)
    files = [tmp_path / "81/81.asf", tmp_path / "81/81_01.amc"]
    whole = [file.read_bytes() for file in files]

    def bad(which: int):
        of = damaged(whole[which]) | st.integers(0, 2**32).map(lambda seed: damage_words(whole[which], seed))
        return st.tuples(st.just(which), of)

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(bad(0) | bad(1))
    def fuzz(drawn):
        which, data = drawn
        for file, bytes_ in zip(files, whole, strict=True):
            file.write_bytes(bytes_)
        files[which].write_bytes(data)
        with only_dataset_errors(*files, tmp_path), limited(seconds=20), np.errstate(all="ignore"):
            found = cmu.find(tmp_path, POSES)
            for source in found.sources[:4]:
                check_clip(source.read(), HUMAN36M_17, found.split, str(files[which]))

    fuzz()


def test_texts_that_are_sound_to_python_and_not_to_a_motion_file(tmp_path):
    """Found by fuzzing: words that look like a frame's number and are none."""
    build(tmp_path, subjects=("81",), takes=1)
    path = tmp_path / "81/81_01.amc"
    whole = path.read_text()
    for number in ("+-2", "2" * 5000, "--2"):
        path.write_text(whole.replace("\n2\n", f"\n{number}\n", 1))
        with only_dataset_errors(path), pytest.raises(DatasetError):
            cmu.find(tmp_path, POSES)
    path.write_text(whole.replace("\n2\n", "\n" + "x" * 10_000 + "\n", 1))
    with only_dataset_errors(path):
        cmu.find(tmp_path, POSES)
