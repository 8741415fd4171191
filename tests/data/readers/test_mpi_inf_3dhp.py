"""MPI-INF-3DHP: a download built to the layout's letter comes back, traps and damage included."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io
from built_mpi_inf_3dhp import FRAMES, UNIVERSAL, build, calibration
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import mpi_inf_3dhp as facts
from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers.mpi_inf_3dhp import find
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17, MPI_INF_3DHP_17, MPI_INF_3DHP_28, correspondence

FUZZ = settings(max_examples=200, deadline=None, derandomize=True, database=None)
POSES = Options(size=0)


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("3dhp")
    return folder, build(folder)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("3dhp-filmed")
    return folder, build(folder, pictures=True, sequences=(("S1", 2), ("S6", 2)), tests=("TS5",))


@pytest.fixture
def one(tmp_path):
    """A download of one training and one test sequence, to be damaged."""
    build(tmp_path, sequences=(("S1", 1),), tests=("TS1",), frames=3)
    return tmp_path


def clips(folder: Path, options: Options = POSES):
    found = find(folder, options)
    result = {}
    for source in found.sources:
        clip = source.read()
        assert clip.group == source.group
        check_clip(clip, found.skeleton, found.split, str(folder))
        result[clip.group] = clip
    assert len(result) == len(found.sources)
    return result


def test_training_clips_are_what_went_in(download):
    folder, went = download
    found = clips(folder)
    for subject, sequence in (("S1", 1), ("S1", 2), ("S2", 1), ("S6", 2)):
        for camera in facts.CAMERAS:
            clip, true = found[f"/{subject}/Sequence {sequence}/{camera}"], went[subject, sequence, camera]
            np.testing.assert_allclose(clip.joints_3d, true.joints_3d, atol=1e-9)
            np.testing.assert_allclose(clip.joints_2d, true.joints_2d, atol=1e-9)
            np.testing.assert_allclose(clip.K, true.K, atol=1e-9)
            np.testing.assert_allclose(clip.R, true.R, atol=1e-6)
            np.testing.assert_allclose(clip.t, true.t, atol=1e-2)
            assert clip.source == f"{subject} Sequence {sequence}" and clip.valid is None


def test_joints_project_to_the_pixels_and_cameras_agree_on_the_world(download):
    folder, _ = download
    found = clips(folder)
    worlds = []
    for camera in facts.CAMERAS:
        clip = found[f"/S2/Sequence 1/{camera}"]
        x, y, z = np.moveaxis(clip.joints_3d, -1, 0)
        pixels = np.stack([clip.K[0, 0] * x / z + clip.K[0, 2], clip.K[1, 1] * y / z + clip.K[1, 2]], axis=-1)
        np.testing.assert_allclose(pixels, clip.joints_2d, atol=1e-6)
        worlds.append((clip.joints_3d - clip.t) @ clip.R)
    np.testing.assert_allclose(worlds, worlds[:1] * len(worlds), atol=0.05)
    world = worlds[0]
    assert (world[:, 10, 1] > world[:, 3, 1]).all(), "the world's y is up"
    assert (
        found["/S2/Sequence 1/0"].joints_3d[:, 10, 1] < found["/S2/Sequence 1/0"].joints_3d[:, 3, 1]
    ).all()


def test_joint_lists_are_those_of_the_data_set():
    taken = [first for first, second in correspondence(MPI_INF_3DHP_28, HUMAN36M_17) if first == second]
    assert taken == [4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16]
    taken = [first for first, second in correspondence(MPI_INF_3DHP_17, HUMAN36M_17) if first == second]
    assert taken == [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]


def test_five_sequences_have_50_frames_a_second(download):
    fifty = [(name, number) for name in facts.FRAMES for number in (1, 2) if facts.fps(name, number) == 50]
    assert fifty == [("S1", 2), ("S3", 1), ("S3", 2), ("S5", 1), ("S5", 2)]
    found = clips(download[0])
    assert found["/S1/Sequence 1/0"].fps == 25 and found["/S1/Sequence 2/0"].fps == 50
    assert found["/TS1/Sitting 1/0"].fps == 50 and found["/TS5/Sitting 1/0"].fps == 25


def test_the_ceilings_cameras_are_left_out(download):
    cameras = {source.camera for source in find(download[0], POSES).sources if source.subject == "S1"}
    assert cameras == {"0", "1", "2", "4", "5", "6", "7", "8"}


def test_split_and_notes_and_subjects(download):
    folder, _ = download
    found = find(folder, POSES)
    assert found.split == {"train": ("S1", "S2", "S6"), "test": ("TS1", "TS5")}
    assert any("annot3" in note for note in found.notes)
    only = find(folder, Options(size=0, subjects=("S2", "TS5")))
    assert {source.subject for source in only.sources} == {"S2", "TS5"}
    assert only.split == {"train": ("S2",), "test": ("TS5",)}
    with pytest.raises(DatasetError, match="none of the subjects S9"):
        find(folder, Options(size=0, subjects=("S9",)))


def test_universal_or_own_size_is_named(download):
    folder, went = download
    found = find(folder, Options(size=0, universal=True))
    assert "univ_annot3" in found.source and any("univ_annot3" in note for note in found.notes)
    universal = clips(folder, Options(size=0, universal=True))
    for group, key in (("/S1/Sequence 1/4", ("S1", 1, 4)), ("/S6/Sequence 2/0", ("S6", 2, 0))):
        np.testing.assert_allclose(universal[group].joints_3d, UNIVERSAL * went[key].joints_3d)
        np.testing.assert_allclose(universal[group].joints_2d, went[key].joints_2d)
    true = UNIVERSAL * went["TS1"].joints_3d[:4]
    np.testing.assert_allclose(universal["/TS1/Sitting 1/0"].joints_3d, true)


def test_test_clips_are_runs_of_one_activity_with_their_invalid_frames(download):
    folder, went = download
    found = {group: clip for group, clip in clips(folder).items() if group.startswith("/TS1")}
    assert list(found) == ["/TS1/Sitting 1/0", "/TS1/Miscellaneous 1/0", "/TS1/Sitting 2/0"]
    true, start = went["TS1"], 0
    for clip in found.values():
        rows = slice(start, start + len(clip))
        np.testing.assert_allclose(clip.joints_3d, true.joints_3d[rows])
        np.testing.assert_allclose(clip.joints_2d, true.joints_2d[rows])
        assert clip.valid.tolist() == true.valid[rows].tolist()
        start += len(clip)
    assert not true.valid[start:].any(), "a run without a valid frame is left out"
    assert any("2 frames left out" in note for note in find(folder, POSES).notes)


def test_intrinsics_of_the_test_set_are_fitted_and_the_rest_is_told(download):
    folder, went = download
    found = clips(folder)
    for subject in ("TS1", "TS5"):
        np.testing.assert_allclose(found[f"/{subject}/Sitting 1/0"].K, went[subject].K, atol=1e-6)
        assert np.array_equal(found[f"/{subject}/Sitting 1/0"].R, np.eye(3))
        assert any(f"{subject}: intrinsics fitted" in note for note in find(folder, POSES).notes)


def test_a_fit_tells_its_residual_and_is_refused_when_absurd():
    random = np.random.default_rng(0)
    points = random.uniform((-1000, -1000, 3000), (1000, 1000, 5000), (4000, 3))
    pixels = points[:, :2] / points[:, 2:] * (1500, 1490) + (1020, 1040)
    K, residual = facts.fit_intrinsics(
        points, pixels + random.normal(0, 1.5, pixels.shape), (2048, 2048), "a"
    )
    np.testing.assert_allclose(K, [[1500, 0, 1020], [0, 1490, 1040], [0, 0, 1]], atol=1)
    assert abs(residual - 1.5 * np.sqrt(2)) < 0.05
    for wrong in (pixels[::-1], pixels * 0.1, -pixels, pixels + 3000):
        with pytest.raises(DatasetError, match="a: annot2 is no picture of annot3"):
            facts.fit_intrinsics(points, wrong, (2048, 2048), "a")
    for few in (points[:0], points[:1], points * (1, 1, -1), np.repeat(points[:1], 9, axis=0)):
        with pytest.raises(DatasetError):
            facts.fit_intrinsics(few, pixels[: len(few)], (2048, 2048), "a")


def test_invalid_frames_may_hold_anything(one):
    path = one / "mpi_inf_3dhp_test_set" / "TS1" / "annot_data.mat"
    with h5py.File(path, "r+") as file:
        file["annot3"][1], file["annot2"][1] = np.nan, np.inf
    clip = clips(one)["/TS1/Sitting 1/0"]
    assert clip.valid.tolist()[:2] == [True, False] and (clip.joints_3d[1] == 0).all()
    with h5py.File(path, "r+") as file:
        file["annot3"][0, 0, 3] = np.nan
    with pytest.raises(DatasetError, match="annot_data.mat: annot3: valid frames: frame 0: right_elbow"):
        find(one, POSES)


def test_rows_beyond_the_frames_of_the_video_are_dropped(one, monkeypatch):
    monkeypatch.setitem(facts.FRAMES, "S1", (2, 2))
    assert len(clips(one)["/S1/Sequence 1/0"]) == 2


def test_every_takes_labels_and_pictures_alike(filmed):
    folder, went = filmed
    for source in find(folder, Options(size=64, every=3)).sources:
        clip = source.read()
        if source.group == "/S6/Sequence 2/0":
            assert clip.fps == pytest.approx(25 / 3)
            true = went["S6", 2, 0]
            np.testing.assert_allclose(clip.joints_2d, true.joints_2d[::3])
        if source.group in ("/S6/Sequence 2/0", "/TS5/Sitting 2/0"):
            first = 0 if source.subject == "S6" else 7
            shown = [round((float(picture[:4, :4].mean()) - 20) / 10) for picture in source.frames()]
            assert shown == [first + 3 * index for index in range(len(clip))]


def test_pictures_and_masks_belong_to_the_rows(filmed):
    folder, went = filmed
    for source in find(folder, Options(size=64)).sources:
        clip = source.read()
        if source.camera not in ("0", "2"):
            continue
        assert source.frames is not None
        shown = [round((float(picture[:4, :4].mean()) - 20) / 10) for picture in source.frames()]
        first = {"Miscellaneous 1": 4, "Sitting 2": 7}.get(source.action, 0)
        assert shown == list(range(first, first + len(clip)))
        if source.masks is not None:
            for mask, joints in zip(source.masks(), clip.joints_2d, strict=True):
                assert mask.dtype == bool and 0.005 < mask.mean() < 0.3
                x, y = joints[8].astype(int)
                assert mask[y, x], "the thorax is in the mask"
        assert (source.masks is None) == (source.subject in ("S1", "TS5")), "S1 Seq2 has no good masks"


def test_the_short_video_of_s6_cuts_its_clip(filmed):
    folder, _ = filmed
    found = find(folder, Options(size=64))
    short, whole = (
        next(source for source in found.sources if source.group == f"/S6/Sequence 2/{camera}")
        for camera in (2, 0)
    )
    assert len(short.read()) == FRAMES - 4 == len(list(short.frames())) == len(list(short.masks()))
    assert len(whole.read()) == FRAMES
    assert any("cut to its video" in note for note in found.notes)
    assert all(len(source.read()) == FRAMES for source in find(folder, POSES).sources if source.camera == "2")


def test_another_video_that_is_short_is_an_error(filmed, tmp_path):
    shutil.copytree(filmed[0], tmp_path / "copy")
    videos = tmp_path / "copy" / "S6" / "Seq2" / "imageSequence"
    shutil.copy(videos / "video_2.avi", videos / "video_4.avi")
    found = find(tmp_path / "copy", Options(size=64))
    source = next(source for source in found.sources if source.group == "/S6/Sequence 2/4")
    with pytest.raises(DatasetError, match="video_4.avi"):
        list(source.frames())


def test_what_is_not_there(one, tmp_path):
    found = find(one, Options(size=64))
    assert all(source.frames is None and source.masks is None for source in found.sources)
    (one / "S3" / "Seq1").mkdir(parents=True)
    assert "S3 Seq1 left out: no annot.mat" in find(one, POSES).notes
    calibrated = one / "S1" / "Seq1" / "camera.calibration"
    calibrated.unlink()
    with pytest.raises(DatasetError, match="camera.calibration"):
        clips(one)
    for folder in (tmp_path / "S3", tmp_path / "none"):
        with pytest.raises(DatasetError, match=r"no S<n>/Seq<n>/annot.mat and no TS<n>/annot_data.mat"):
            find(folder, POSES)


def test_wrong_training_annotations(one):
    path = one / "S1" / "Seq1" / "annot.mat"
    good = {name: value for name, value in scipy.io.loadmat(path).items() if name[0] != "_"}

    def cells(name, change):
        array = np.empty((14, 1), object)
        for index in range(14):
            array[index, 0] = change(good[name][index, 0].copy())
        return {name: array}

    def hole(values):
        values[1, 12] = np.nan
        return values

    for field, wrong in (
        ("annot2", cells("annot2", lambda values: values[:, :50])),
        ("annot2", cells("annot2", lambda values: values[:2])),
        ("annot3", cells("annot3", hole)),
        ("annot3", cells("annot3", lambda values: "text")),
        ("annot3", {"annot3": np.zeros((14, 84))}),
        ("annot3", {"annot3": good["annot3"][:5]}),
        ("annot3", {"annot3": "words"}),
        ("cameras", {"cameras": np.full((1, 14), 0.5)}),
        ("camera 0: missing", {"cameras": np.arange(14)[None] + 20}),
        ("frames", {"frames": np.array([[0], [2], [1]])}),
        ("frames", {"frames": np.zeros((0, 1))}),
    ):
        scipy.io.savemat(path, good | wrong, do_compression=True)
        with pytest.raises(DatasetError, match=rf"annot\.mat: .*{field}"):
            clips(one)
    for name in good:
        if name != "univ_annot3":
            scipy.io.savemat(path, {key: value for key, value in good.items() if key != name})
            with pytest.raises(DatasetError, match=rf"annot\.mat: {name}: no such variable"):
                clips(one)
    shutil.copy(one / "mpi_inf_3dhp_test_set" / "TS1" / "annot_data.mat", path)
    with pytest.raises(DatasetError, match="version 7.3"):
        clips(one)


def test_wrong_test_annotations(one):
    path = one / "mpi_inf_3dhp_test_set" / "TS1" / "annot_data.mat"
    whole = path.read_bytes()
    for name, wrong in (
        ("annot2", np.zeros((14, 1, 16, 2))),
        ("annot3", np.zeros((14, 17, 3))),
        ("annot3", np.zeros((14, 1, 17, 3))),
        ("valid_frame", np.zeros((14, 1))),
        ("valid_frame", np.zeros((0, 1))),
        ("valid_frame", np.full((14, 1), np.nan)),
        ("activity_annotation", np.full((14, 1), 8.0)),
        ("activity_annotation", np.ones((13, 1))),
        ("activity_annotation", np.array([b"words"])),
        ("annot2", None),
    ):
        path.write_bytes(whole)
        with h5py.File(path, "r+") as file:
            del file[name]
            if wrong is not None:
                file[name] = wrong
        with pytest.raises(DatasetError, match=r"annot_data\.mat: "):
            find(one, POSES)


def test_wrong_calibrations(tmp_path, download):
    path = tmp_path / "camera.calibration"
    good = (download[0] / "S1" / "Seq1" / "camera.calibration").read_text()
    for old, new in (
        ("intrinsic   ", "intrinsic   1 "),
        ("intrinsic   ", "intrinsic   -"),
        ("intrinsic   ", "intrinsic   x"),
        ("intrinsic   ", "intrinsic   nan "),
        ("extrinsic   ", "extrinsic   9"),
        ("  extrinsic", "  else"),
        ("size        2048", "size        0"),
        ("name          0", "name          zero"),
        ("name", "nomen"),
    ):
        assert old in good
        path.write_text(good.replace(old, new))
        with pytest.raises(DatasetError, match=r"camera\.calibration: "):
            facts.read_calibration(path)
    mirrored = np.diag([1.0, 1.0, -1.0])
    path.write_text(calibration([(np.eye(3) * (9, 9, 1), mirrored, np.zeros(3))], 2048))
    with pytest.raises(DatasetError, match="not a rotation"):
        facts.read_calibration(path)


@pytest.mark.parametrize("name", ["annot.mat", "camera.calibration", "annot_data.mat"])
def test_damaged_files_are_refused(one, name):
    path = next(one.rglob(name))
    whole = path.read_bytes()

    @FUZZ
    @given(damaged(whole))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5):
            for source in find(one, POSES).sources:
                if source.camera == "0":
                    source.read()

    check()


@FUZZ
@given(st.text(st.sampled_from("name size intrinsic extrinsic 0123456789.-e\n"), max_size=400))
def test_any_text_is_a_calibration_or_an_error(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("text") / "camera.calibration"
    path.write_text("title\n" + text)
    with only_dataset_errors(path):
        facts.read_calibration(path)
