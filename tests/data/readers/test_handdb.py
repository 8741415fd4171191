"""HandDB: its three archives, imported and compared with what went in; damaged ones refused."""

import json

import built_handdb
import numpy as np
import pytest
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import handdb
from lib.data.sources import Options
from lib.skeleton import HAND_21

FUZZ = settings(max_examples=300, deadline=None, derandomize=True, database=None)
LABELS_ONLY = Options(size=0)
SUBJECTS = ["manual_train", "manual_test", "synth1", "synth2", "synth3", "synth4", "panoptic"]


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    folder = tmp_path_factory.mktemp("handdb")
    return folder, built_handdb.build(folder)


def clips(folder, options=LABELS_ONLY):
    found = handdb.find(folder, options)
    result = {}
    for source in found.sources:
        clip = source.read()
        assert (clip.subject, clip.action, clip.camera) == (source.subject, source.action, source.camera)
        check_clip(clip, found.skeleton, found.split, str(folder))
        result[clip.subject] = clip
    return result


def as_right_hands(hands):
    """(N, 21, 2): a left hand's columns counted from the right border of its picture."""
    return np.stack(
        [
            np.stack([h.size[0] - h.points[:, 0] if h.left else h.points[:, 0], h.points[:, 1]], -1)
            for h in hands
        ]
    )


def test_all_subjects_are_found(everything):
    found = handdb.find(everything[0], Options())
    assert [source.subject for source in found.sources] == SUBJECTS
    assert found.split["test"] == ("manual_test",)
    assert found.split["train"] == tuple(s for s in SUBJECTS if s != "manual_test")
    assert found.skeleton == HAND_21


@pytest.mark.parametrize(
    ("given", "subjects"),
    [
        ("hand_labels", ["manual_train", "manual_test"]),
        ("hand_labels_synth", ["synth1", "synth2", "synth3", "synth4"]),
        ("hand_labels_synth/synth2", ["synth2"]),
        ("hand143_panopticdb", ["panoptic"]),
    ],
)
def test_one_archive_may_be_given(everything, given, subjects):
    found = handdb.find(everything[0] / given, Options())
    assert [source.subject for source in found.sources] == subjects


def test_finding_reads_nothing(tmp_path):
    (tmp_path / "synth2").mkdir()
    (tmp_path / "synth2/a.json").write_bytes(b"\0 no JSON")
    (tmp_path / "hands_v143_14817.json").write_bytes(b"\0 no JSON")
    assert len(handdb.find(tmp_path, Options()).sources) == 2


def test_joints_and_labels(everything):
    for subject, clip in clips(everything[0]).items():
        hands = everything[1][subject]
        labelled = np.stack([hand.labelled for hand in hands])
        assert (clip.labelled == labelled).all() and not labelled.all()
        assert np.allclose(clip.joints_2d[labelled], as_right_hands(hands)[labelled], atol=1e-3)
        assert clip.joints_3d is None and not clip.static and clip.valid is None


def test_left_hands_are_mirrored_with_their_pictures(everything):
    folder, made = everything
    for source in handdb.find(folder, Options()).sources:
        clip, pictures = source.read(), list(source.frames())
        assert len(pictures) == len(clip)
        assert {hand.left for hand in made[source.subject]} == {True, False}
        for picture, joints, hand in zip(pictures, clip.joints_2d, made[source.subject], strict=True):
            assert picture.shape == (hand.size[1], hand.size[0], 3) and picture.dtype == np.uint8
            column, row = np.floor(joints[0]).astype(int)
            assert np.abs(picture[row, column].astype(int) - built_handdb.WRIST).max() < 40
    assert any("mirrored" in note for note in handdb.find(folder, Options()).notes)


def test_joints_without_a_label_lie_at_the_joint_before(everything):
    clip = clips(everything[0])["synth2"]
    for points, labelled in zip(clip.joints_2d, clip.labelled, strict=True):
        for joint in np.flatnonzero(~labelled):
            before = HAND_21.parents[joint]
            while not labelled[before]:
                before = HAND_21.parents[before]
            assert (points[joint] == points[before]).all()


def test_without_pictures_a_left_hand_is_mirrored_in_place(tmp_path):
    made = built_handdb.build(tmp_path, pictures=False)["synth3"]
    assert all(
        source.frames is None for source in handdb.find(tmp_path / "hand_labels_synth", Options()).sources
    )
    clip = clips(tmp_path)["synth3"]
    hand = made[2]
    assert hand.left
    span = hand.points[hand.labelled, 0]
    mirrored = span.min() + span.max() - span
    assert np.allclose(clip.joints_2d[2, hand.labelled, 0], mirrored, atol=1e-3)
    assert clip.joints_2d[2, :, 0].min() == pytest.approx(span.min(), abs=1e-3)


def write(folder, entries):
    (folder / "synth1").mkdir(exist_ok=True)
    for number, entry in enumerate(entries):
        text = entry if isinstance(entry, str) else json.dumps(entry)
        (folder / f"synth1/{number:03d}.json").write_text(text)
    return folder


def points(labelled=21, same=False, count=21):
    return [[5.0 if same else 2.0 * j, 7.0, float(j < labelled)] for j in range(count)]


def test_hands_with_too_few_labels_are_left_out_and_counted(tmp_path):
    entries = [
        {"hand_pts": points()},
        {"hand_pts": points(labelled=1)},
        {"hand_pts": points(labelled=0)},
        {"hand_pts": points(same=True)},
        {"hand_pts": []},
        {"hand_pts": points(count=20)},
        {"hand_pts": points(labelled=2)},
    ]
    clip = clips(write(tmp_path, entries))["synth1"]
    assert len(clip) == 2 and clip.labelled[1].sum() == 2
    assert clip.source == "synth1 (5 of 7 hands left out)"


def test_pictures_of_hands_left_out_are_left_out(tmp_path):
    built_handdb.build(tmp_path, subjects=("synth1",))
    folder = tmp_path / "hand_labels_synth/synth1"
    (folder / "00000001_r.json").write_text(json.dumps({"hand_pts": points(labelled=1)}))
    (source,) = handdb.find(folder, Options()).sources
    assert len(source.read()) == len(list(source.frames())) == 5
    assert [picture.shape[1] for picture in source.frames()] == [160, 176, 184, 192, 200]


def test_only_1_means_labelled(tmp_path):
    hand = points()
    hand[3][2], hand[4][2], hand[5] = 2, 0.5, [float("nan"), -1e9, 0]
    clip = clips(write(tmp_path, [{"hand_pts": hand}]))["synth1"]
    assert np.flatnonzero(~clip.labelled[0]).tolist() == [3, 4, 5]
    assert np.isfinite(clip.joints_2d).all()


def test_keys_beyond_the_joints_are_optional(tmp_path):
    """A hand that does not say which it is counts as right."""
    entries = [
        {"hand_pts": points()},
        {"hand_pts": points(), "is_left": False, "version": "1.0", "else": None},
    ]
    clip = clips(write(tmp_path, entries))["synth1"]
    assert np.allclose(clip.joints_2d[:, :, 0], 2.0 * np.arange(21))


def test_every_nth_hand(everything):
    folder, made = everything
    for source in handdb.find(folder, Options(every=4)).sources:
        clip = source.read()
        kept = [0, 4]
        labelled = np.stack([made[source.subject][row].labelled for row in kept])
        wanted = as_right_hands([made[source.subject][row] for row in kept])
        assert np.allclose(clip.joints_2d[labelled], wanted[labelled], atol=1e-3)
        assert [p.shape[1] for p in source.frames()] == [160, 192]


def test_subjects_can_be_chosen(everything):
    found = handdb.find(everything[0], Options(subjects=("synth2", "synth3")))
    assert found.split == {"train": ("synth2", "synth3"), "test": ()}
    with pytest.raises(DatasetError, match="panoptic"):
        handdb.find(everything[0], Options(subjects=("synth9",)))


def refused(folder, match):
    with pytest.raises(DatasetError, match=match) as caught:
        for source in handdb.find(folder, LABELS_ONLY).sources:
            source.read()
    assert str(folder) in str(caught.value)


def test_another_folder_is_refused(tmp_path):
    (tmp_path / "synth1").mkdir()
    refused(tmp_path, "synth4, hands_v143_14817.json")
    refused(tmp_path / "absent", "absent")


HAND = {"hand_pts": points()}


@pytest.mark.parametrize(
    ("entry", "match"),
    [
        ({}, "hand_pts: missing"),
        ([], "no JSON object"),
        ("{", "cannot be read"),
        ('{"hand_pts": ' + "[" * 100_000, "cannot be read"),
        (HAND | {"is_left": 2}, "is_left"),
        (HAND | {"is_left": "0"}, "is_left"),
        (HAND | {"is_left": [0]}, "is_left"),
        (HAND | {"hand_pts": None}, "hand_pts"),
        (HAND | {"hand_pts": {"0": [1, 2, 1]}}, "hand_pts"),
        (HAND | {"hand_pts": [["1", "2", "1"]] * 21}, "hand_pts"),
        (HAND | {"hand_pts": [[True, False, True]] * 21}, "hand_pts"),
        (HAND | {"hand_pts": [[1, 2]] * 21}, "hand_pts"),
        (HAND | {"hand_pts": [[1, 2, 1]] * 20 + [[1, 2]]}, "hand_pts"),
        (HAND | {"hand_pts": [[10**400, 2, 1]] * 21}, "hand_pts"),
        (HAND | {"hand_pts": [[1e30, 2, 1]] * 21}, "1e\\+30"),
        (HAND | {"hand_pts": [[float("nan"), 2, 1]] * 21}, "not finite"),
        ({"hand_pts": points(labelled=1)}, "none of its 1 hands"),
    ],
)
def test_wrong_entries_are_refused(tmp_path, entry, match):
    refused(write(tmp_path, [entry]), match)


def test_a_file_that_is_too_large_is_refused(tmp_path):
    refused(write(tmp_path, ['{"hand_pts": "' + "x" * (1 << 20) + '"}']), "more than 1048576 bytes")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"root": {}}, "root: no list"),
        ({"root": []}, "root: no list"),
        ({"root": [1]}, "root 0: no object"),
        ({"root": [{"joint_self": points()}]}, "root 0: img_paths"),
        ({"root": [{"img_paths": 3, "joint_self": points()}]}, "img_paths"),
        ({"root": [{"img_paths": "\ud800", "joint_self": points()}]}, "img_paths"),
        ({"root": [{"img_paths": "../a.jpg", "joint_self": points()}]}, "out of the folder"),
        ({"root": [{"img_paths": "/etc/passwd", "joint_self": points()}]}, "out of the folder"),
        ({"root": [{"img_paths": "imgs/a.jpg"}]}, "root 0: joint_self: missing"),
    ],
)
def test_wrong_panoptic_entries_are_refused(tmp_path, content, match):
    (tmp_path / "hands_v143_14817.json").write_text(json.dumps(content))
    refused(tmp_path, match)


def test_a_missing_picture_is_named(tmp_path):
    built_handdb.build(tmp_path, subjects=("synth1", "panoptic"))
    for gone in ("hand_labels_synth/synth1/00000003_r.jpg", "hand143_panopticdb/imgs/00000003.jpg"):
        (tmp_path / gone).unlink()
    for source in handdb.find(tmp_path, Options()).sources:
        with pytest.raises(DatasetError, match="00000003.*no such file"):
            list(source.frames())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    built_handdb.build(folder, count=2, subjects=("manual_train", "panoptic"), pictures=False)
    return [
        folder / "hand_labels/manual_train/00000001_r.json",
        folder / "hand143_panopticdb/hands_v143_14817.json",
    ]


def read_all(folder, *files):
    with only_dataset_errors(*files), limited(seconds=5):
        found = handdb.find(folder, LABELS_ONLY)
        for source in found.sources:
            check_clip(source.read(), found.skeleton, found.split, str(source.path))


@FUZZ
@given(data=st.data())
def test_damaged_files_are_refused(whole, tmp_path_factory, data):
    file = data.draw(st.sampled_from(whole))
    content = file.read_bytes()
    try:
        file.write_bytes(data.draw(damaged(content)))
        read_all(file.parent, file, file.parent)
    finally:
        file.write_bytes(content)


NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([0, 1, 1.0, 50.0, 10**400, 1e300]))
LEAVES = st.one_of(NUMBERS, st.none(), st.booleans(), st.text(max_size=3))
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
POINTS = st.lists(NUMBERS, min_size=3, max_size=3).map(lambda odd: [odd, *points()[1:]])


@FUZZ
@given(data=st.data())
def test_other_values_are_refused(whole, data):
    file = data.draw(st.sampled_from(whole))
    content = file.read_bytes()
    entry = json.loads(content)
    inner = entry["root"][0] if "root" in entry else entry
    for _ in range(data.draw(st.integers(1, 2))):
        key = data.draw(st.sampled_from([*inner, "is_left", "hand_pts", "joint_self", "root"]))
        value = data.draw(TREES | POINTS)
        (entry if key == "root" else inner)[key] = value
    try:
        file.write_text(json.dumps(entry))
        read_all(file.parent, file, file.parent)
    finally:
        file.write_bytes(content)
