"""LSP and LSPET: files of their layout, imported and compared with what went in; damaged ones refused."""

import dataclasses

import built_lsp
import numpy as np
import pytest
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.io import savemat

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import lsp
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

FUZZ = settings(max_examples=300, deadline=None, derandomize=True, database=None)
LABELS_ONLY = Options(size=0)
# Joint of Human3.6M -> number in LSP, from the published order.
SAME = {
    "right_ankle": 0, "right_knee": 1, "right_hip": 2, "left_hip": 3, "left_knee": 4, "left_ankle": 5,
    "right_wrist": 6, "right_elbow": 7, "right_shoulder": 8, "left_shoulder": 9, "left_elbow": 10,
    "left_wrist": 11, "thorax": 12, "head": 13,
}  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lsp")
    return folder, built_lsp.build(folder)


def clips(folder, options=LABELS_ONLY):
    found = lsp.find(folder, options)
    result = {}
    for source in found.sources:
        clip = source.read()
        assert (clip.subject, clip.action, clip.camera) == (source.subject, source.action, source.camera)
        check_clip(clip, found.skeleton, found.split, str(folder))
        result[clip.subject] = clip
    return result


def at(clip, joint):
    return clip.joints_2d[:, HUMAN36M_17.index(joint)]


def flag(flags, joint):
    return flags[:, HUMAN36M_17.index(joint)]


def test_both_sets_are_found_in_one_folder(both):
    found = lsp.find(both[0], Options())
    assert [source.subject for source in found.sources] == ["LSP-train", "LSP-test", "LSPET"]
    assert found.split == {"train": ("LSP-train", "LSPET"), "test": ("LSP-test",)}
    assert found.skeleton == HUMAN36M_17
    assert {(s.action, s.camera) for s in found.sources} == {("Pictures", "flickr")}
    assert any("person's own" in note for note in found.notes)


@pytest.mark.parametrize("name", ["lsp_dataset", "lspet_dataset"])
def test_the_folder_of_one_set_may_be_given(both, name):
    subjects = {source.subject for source in lsp.find(both[0] / name, Options()).sources}
    assert subjects == ({"LSPET"} if name == "lspet_dataset" else {"LSP-train", "LSP-test"})


def test_first_half_of_lsp_is_for_training(tmp_path):
    """With 2000 pictures, as published, these are 1 to 1000."""
    joints = np.zeros((3, 14, 2000))
    joints[:2] = np.arange(1, 2001) + np.arange(14)[:, None]
    savemat(tmp_path / "joints.mat", {"joints": joints})
    read = clips(tmp_path)
    assert len(read["LSP-train"]) == len(read["LSP-test"]) == 1000
    assert at(read["LSP-test"], "right_ankle")[0, 0] == 1001 - 0.5


def test_joints_of_lsp(both):
    read, made = clips(both[0]), both[1]["LSP"]
    for subject, rows in (("LSP-train", slice(0, 4)), ("LSP-test", slice(4, 8))):
        for joint, number in SAME.items():
            assert np.allclose(at(read[subject], joint), made.points[rows, number] + 0.5)
        hips = made.points[rows, 2:4].mean(1) + 0.5
        neck = made.points[rows, 12] + 0.5
        assert np.allclose(at(read[subject], "pelvis"), hips)
        assert np.allclose(at(read[subject], "spine"), (hips + neck) / 2, atol=1e-4)
        assert np.allclose(at(read[subject], "nose"), (made.points[rows, 13] + 0.5 + neck) / 2, atol=1e-4)


def test_axes_of_lspet_are_swapped(both):
    read, made = clips(both[0])["LSPET"], both[1]["LSPET"]
    for joint, number in SAME.items():
        there = made.flags[:, number] == 1
        assert np.allclose(at(read, joint)[there], made.points[there, number] + 0.5)


def test_flags_mean_the_opposite_in_the_two_sets(both):
    read, made = clips(both[0]), both[1]
    train, extended = read["LSP-train"], read["LSPET"]
    assert extended.occluded is None
    for joint, number in SAME.items():
        assert (flag(train.occluded, joint) == (made["LSP"].flags[:4, number] == 1)).all()
        assert flag(train.labelled, joint).all()
        assert (flag(extended.labelled, joint) == (made["LSPET"].flags[:, number] == 1)).all()
    assert 0 < train.occluded.mean() < 0.5 < extended.labelled.mean() < 1
    hips = made["LSP"].flags[:4, 2:4].any(1)
    assert (flag(train.occluded, "pelvis") == hips).all()


def test_spine_and_nose_are_not_labelled(both):
    for clip in clips(both[0]).values():
        for joint in ("spine", "nose"):
            assert not flag(clip.labelled, joint).any()


def test_joints_without_a_label_lie_on_others(both):
    """Their coordinates in the file are outside the picture."""
    clip = clips(both[0])["LSPET"]
    assert not clip.labelled.all()
    for points, labelled in zip(clip.joints_2d, clip.labelled, strict=True):
        low, high = points[labelled].min(0), points[labelled].max(0)
        assert (points >= low - 1e-3).all() and (points <= high + 1e-3).all()


def test_an_ankle_without_a_label_lies_at_its_knee(tmp_path):
    joints = np.random.default_rng(0).uniform(10, 90, (14, 3, 3))
    joints[:, 2] = 1
    joints[5, :, 1] = (-7, 0, 0)
    savemat(tmp_path / "joints.mat", {"joints": joints})
    clip = clips(tmp_path)["LSPET"]
    assert (at(clip, "left_ankle")[1] == at(clip, "left_knee")[1]).all()
    assert (at(clip, "left_ankle")[0] != at(clip, "left_knee")[0]).all()


def test_first_pixel_is_1(both):
    """The pixel in which a joint lies is the one that was painted."""
    folder, made = both
    for source in lsp.find(folder, Options()).sources:
        clip, rows = source.read(), 0
        for picture, points, labelled in zip(source.frames(), clip.joints_2d, clip.labelled, strict=True):
            rows += 1
            for joint in ("left_knee", "right_wrist", "head"):
                if not labelled[HUMAN36M_17.index(joint)]:
                    continue
                column, row = np.floor(points[HUMAN36M_17.index(joint)]).astype(int)
                assert picture[row, column].astype(int).sum() > 250  # of black with 60
        assert rows == len(clip)


def test_pictures_of_different_sizes_in_order(both):
    folder, made = both
    test = lsp.find(folder, Options()).sources[1]
    assert [(p.shape[1], p.shape[0]) for p in test.frames()] == list(made["LSP"].sizes[4:])


def test_high_resolution_copy(tmp_path):
    """png beside joints.mat; exact colours."""
    made = built_lsp.build(tmp_path, count=0, high_resolution=True)["LSPET"]
    (source,) = lsp.find(tmp_path / "hr-lspet", Options()).sources
    clip = source.read()
    for row, picture in enumerate(source.frames()):
        for joint, number in SAME.items():
            if made.flags[row, number]:
                x, y = np.floor(at(clip, joint)[row]).astype(int)
                assert tuple(picture[y, x]) in {tuple(built_lsp.colour(n)) for n in range(14)}


def test_copy_without_flags(tmp_path):
    joints = np.random.default_rng(0).uniform(10, 90, (14, 2, 3))
    joints[0, :, 2] = -1
    savemat(tmp_path / "joints.mat", {"joints": joints})
    clip = clips(tmp_path)["LSPET"]
    assert flag(clip.labelled, "right_ankle").tolist() == [True, True, False]


def test_every_nth_picture(both):
    folder, made = both
    options = Options(every=3)
    for source in lsp.find(folder, options).sources:
        clip = source.read()
        shown = list(source.frames())
        assert len(shown) == len(clip) == 2
        if source.subject == "LSP-test":
            assert np.allclose(at(clip, "head"), made["LSP"].points[4::3, 13] + 0.5)
            assert [(p.shape[1], p.shape[0]) for p in shown] == list(made["LSP"].sizes[4::3])


def test_two_dimensional_pictures_of_an_unknown_camera(both):
    clip = clips(both[0])["LSPET"]
    assert clip.joints_3d is None and not clip.static and clip.fps > 0
    width, height = clip.joints_2d[clip.labelled].max(0)
    focal = 1.2 * max(width, height)
    assert np.allclose(clip.K, [[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
    assert (np.eye(3) == clip.R).all() and (clip.t == 0).all()


def test_pictures_with_too_few_labels_are_not_valid(tmp_path):
    joints = np.random.default_rng(0).uniform(10, 90, (14, 3, 4))
    joints[:, 2] = 1
    joints[1:, 2, 1] = 0
    joints[:, 2, 2] = 0
    joints[:, :2, 3] = 5
    savemat(tmp_path / "joints.mat", {"joints": joints})
    assert clips(tmp_path)["LSPET"].valid.tolist() == [True, False, False, False]


def test_not_a_number_where_nothing_is_labelled(tmp_path):
    joints = np.full((14, 3, 2), 30.0)
    joints[:, :2] += np.arange(14)[:, None, None]
    joints[:, 2] = 1
    joints[3, :, 1] = (np.nan, np.nan, 0)
    savemat(tmp_path / "joints.mat", {"joints": joints})
    assert np.isfinite(clips(tmp_path)["LSPET"].joints_2d).all()


def test_labels_alone_need_no_pictures(tmp_path):
    built_lsp.build(tmp_path, pictures=False)
    assert len(clips(tmp_path)) == 3
    assert all(source.frames is None for source in lsp.find(tmp_path, Options()).sources)


def test_subjects_can_be_chosen(both):
    found = lsp.find(both[0], Options(subjects=("LSPET",)))
    assert [source.subject for source in found.sources] == ["LSPET"]
    assert found.split == {"train": ("LSPET",), "test": ()}
    with pytest.raises(DatasetError, match="LSP-train, LSP-test, LSPET"):
        lsp.find(both[0], Options(subjects=("S1",)))


def refused(folder, match, options=LABELS_ONLY):
    with pytest.raises(DatasetError, match=match) as caught:
        for source in lsp.find(folder, options).sources:
            source.read()
    assert str(folder) in str(caught.value)


def test_another_folder_is_refused(tmp_path):
    refused(tmp_path, "joints.mat: neither here nor")
    refused(tmp_path / "absent", "absent")


def test_one_set_twice_is_refused(tmp_path):
    for name in ("a", "b"):
        built_lsp.build(tmp_path / name, count=0, pictures=False)
        (tmp_path / name / "lspet_dataset/joints.mat").rename(tmp_path / name / "joints.mat")
    refused(tmp_path, "second time")


def test_a_missing_picture_is_refused(tmp_path):
    built_lsp.build(tmp_path)
    (tmp_path / "lsp_dataset/images/im0003.jpg").unlink()
    refused(tmp_path, "of 8 pictures, but the folder holds 7", Options())


@pytest.mark.parametrize(
    ("value", "match"),
    [
        (np.zeros((3, 13, 5)), "neither LSP's"),
        (np.zeros((14, 4, 5)), "neither LSP's"),
        (np.zeros((3, 14, 0)), "neither LSP's"),
        (np.full((14, 3, 5), 2.0), "flags that are neither"),
        (np.full((3, 14, 5), np.nan), "flags that are neither"),
        (np.concatenate([np.full((14, 2, 5), np.inf), np.ones((14, 1, 5))], 1), "not finite"),
        (np.concatenate([np.full((2, 14, 5), 1e30), np.ones((1, 14, 5))]), "1e\\+30"),
        (np.array([[["x"]]], object), "shape"),
        ("text", "shape"),
    ],
)
def test_wrong_joints_are_refused(tmp_path, value, match):
    savemat(tmp_path / "joints.mat", {"joints": value})
    refused(tmp_path, f"joints.mat: joints.*{match}")


def test_a_missing_field_is_refused(tmp_path):
    savemat(tmp_path / "joints.mat", {"points": np.zeros((3, 14, 5))})
    refused(tmp_path, "joints: no such variable")


def test_a_size_beyond_the_file_is_refused_before_memory_is_taken(tmp_path):
    savemat(tmp_path / "joints.mat", {"joints": np.ones((3, 14, 5))})
    sizes = np.array([3, 14, 5], "<i4").tobytes()
    data = (tmp_path / "joints.mat").read_bytes()
    assert data.count(sizes) == 1
    (tmp_path / "joints.mat").write_bytes(data.replace(sizes, np.array([3, 14, 2**31 - 1], "<i4").tobytes()))
    with limited(memory_mib=16):
        refused(tmp_path, "joints.mat: joints")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    built_lsp.build(folder, count=4, extended=3, pictures=False, packed=False)
    return folder, [(folder / f"{name}_dataset/joints.mat").read_bytes() for name in ("lsp", "lspet")]


@FUZZ
@given(data=st.data())
def test_damaged_files_are_refused(whole, data):
    folder = whole[0] / "damaged"
    folder.mkdir(exist_ok=True)
    file = folder / "joints.mat"
    file.write_bytes(data.draw(damaged(data.draw(st.sampled_from(whole[1])))))
    with only_dataset_errors(file), limited(seconds=5):
        found = lsp.find(folder, LABELS_ONLY)
        for source in found.sources:
            check_clip(source.read(), found.skeleton, found.split, str(file))


@settings(FUZZ, max_examples=150)
@given(
    shape=st.lists(st.sampled_from([0, 1, 2, 3, 13, 14]), min_size=1, max_size=4),
    dtype=st.sampled_from(["f8", "f4", "i2", "u1", "c16", "U3", "O", "?"]),
    fill=st.sampled_from([0, 1, -1, 50, np.nan, np.inf, 1e30]),
)
def test_wrong_shapes_and_types_are_refused(whole, shape, dtype, fill):
    folder = whole[0] / "shapes"
    folder.mkdir(exist_ok=True)
    file = folder / "joints.mat"
    kind = np.dtype(dtype).kind
    fill = int(np.nan_to_num(fill, posinf=1)) % 100 if kind in "iu?" else fill
    savemat(file, {"joints": np.full(shape, str(fill) if kind == "U" else fill, dtype)})
    with only_dataset_errors(file), limited(seconds=5):
        found = lsp.find(folder, LABELS_ONLY)
        for source in found.sources:
            check_clip(source.read(), found.skeleton, found.split, str(file))


def test_a_source_is_plain_data(both):
    source = lsp.find(both[0], Options()).sources[0]
    assert dataclasses.is_dataclass(source) and source.path.name == "joints.mat"
