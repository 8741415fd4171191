"""MADS: a download built to the layout's letter comes back, its traps are handled, damage is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from built_mads import FRAMES, KC, TAKES, build, see
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers.mads import find
from lib.data.sources import Options
from lib.geometry import Camera, project

FUZZ = settings(max_examples=200, deadline=None, derandomize=True, database=None)
POSES = Options(size=0)
WITHOUT_POSE, WITHOUT_KNEE, WITHOUT_HEAD = 2, 4, 5
LEFT_HIP, LEFT_KNEE, THORAX, NOSE, HEAD = 4, 5, 8, 9, 10


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mads")
    return folder, build(folder)


@pytest.fixture
def one(tmp_path):
    build(tmp_path, takes=("Kata_P3",), frames=6)
    return tmp_path / "multi_view_data" / "Kata"


def clips(folder: Path, options: Options = POSES):
    found = find(folder, options)
    result = {}
    for source in found.sources:
        clip = source.read()
        assert clip.group == source.group
        check_clip(clip, found.skeleton, found.split, str(folder))
        result[clip.group] = clip
    return result


def test_clips_are_what_went_in(download):
    folder, went = download
    found = clips(folder)
    assert len(found) == 3 * len(TAKES)
    for group, clip in found.items():
        true = went[clip.subject]
        K, R, t = true.cameras[int(clip.camera)]
        np.testing.assert_allclose(clip.K, K)
        np.testing.assert_allclose(clip.R, R, atol=1e-9)
        np.testing.assert_allclose(clip.t, t)
        world, known = (clip.joints_3d - clip.t) @ clip.R, clip.labelled
        np.testing.assert_allclose(world[known], true.world[known], atol=1e-6, err_msg=group)
        np.testing.assert_allclose(clip.joints_2d[known], see(true.world, K, R, t)[known], atol=1e-6)
        assert clip.fps == 15 and clip.source == clip.subject
        assert (clip.joints_3d[:, HEAD, 1] < clip.joints_3d[:, 3, 1]).all(), "y is up in the world, down here"


def test_frames_without_a_pose_are_not_valid_and_lost_joints_not_labelled(download):
    clip = clips(download[0])["/HipHop_HipHop1/HipHop 1/0"]
    expected = np.ones((FRAMES, 17), bool)
    expected[WITHOUT_POSE] = False
    expected[WITHOUT_KNEE, LEFT_KNEE] = False
    expected[WITHOUT_HEAD, [NOSE, HEAD]] = False
    np.testing.assert_array_equal(clip.labelled, expected)
    assert clip.valid.tolist() == [frame != WITHOUT_POSE for frame in range(FRAMES)]
    np.testing.assert_array_equal(clip.joints_3d[WITHOUT_POSE], clip.joints_3d[WITHOUT_POSE - 1])
    joints = clip.joints_3d
    np.testing.assert_array_equal(joints[WITHOUT_KNEE, LEFT_KNEE], joints[WITHOUT_KNEE, LEFT_HIP])
    np.testing.assert_array_equal(joints[WITHOUT_HEAD, HEAD], joints[WITHOUT_HEAD, THORAX])


def test_a_lost_pelvis_is_put_amid_the_joints_that_are_known(one):
    path = one / "Kata_P3_GT.mat"
    cells = scipy.io.loadmat(path)["GTpose2"]
    cells[0, 0][:] = np.nan
    cells[0, 1][1] = np.nan
    scipy.io.savemat(path, {"GTpose2": cells})
    clip = clips(one.parent)["/Kata_P3/Kata 3/1"]
    assert clip.valid.tolist() == [False, True, False, True, True, True]
    assert not clip.labelled[1, [0, 7]].any() and clip.labelled[1, 1:7].all()
    np.testing.assert_allclose(clip.joints_3d[1, 0], clip.joints_3d[1, clip.labelled[1]].mean(axis=0))
    np.testing.assert_array_equal(clip.joints_3d[0], clip.joints_3d[1])


def test_frames_without_a_pose_may_be_empty_cells(one):
    path = one / "Kata_P3_GT.mat"
    cells = scipy.io.loadmat(path)["GTpose2"]
    cells[0, 0], cells[0, 1] = np.zeros((0, 0)), np.array([[np.nan]])
    scipy.io.savemat(path, {"GTpose2": cells})
    assert clips(one.parent)["/Kata_P3/Kata 3/1"].valid.tolist() == [False] * 3 + [True] * 3


def test_the_clips_lens_is_nearest_to_the_toolboxs(download):
    for clip in clips(download[0]).values():
        camera = Camera(
            *map(torch.as_tensor, (clip.K, clip.R, clip.t, clip.distortion[:3], clip.distortion[3:]))
        )
        pixels = project(torch.as_tensor(clip.joints_3d), camera).numpy()
        assert np.abs(pixels - clip.joints_2d).max() < 0.1
    # Over a disc around the axis no other p of the formula is nearer.
    x, y = np.meshgrid(*[np.linspace(-0.4, 0.4, 81)] * 2)
    inside = np.hypot(x, y) < 0.4
    x, y = x[inside], y[inside]
    p1, p2 = KC[2:4]
    true = np.concatenate(
        [2 * p1 * x * y + p2 * (3 * x * x + y * y), 2 * p2 * x * y + p1 * (x * x + 3 * y * y)]
    )
    basis = np.stack(
        [np.concatenate([2 * x * x + y * y, x * y]), np.concatenate([x * y, x * x + 2 * y * y])], axis=1
    )
    nearest = np.linalg.lstsq(basis, true, rcond=None)[0]
    np.testing.assert_allclose(clip.distortion[3:], nearest, rtol=2e-3)


def test_names_split_and_subjects(download):
    folder, _ = download
    found = find(folder, POSES)
    assert found.split == {
        "train": ("HipHop_HipHop1", "HipHop_HipHop2", "Kata_P3", "Sports_Tennis"),
        "test": ("HipHop_HipHop10",),
    }
    names = {source.subject: source.action for source in found.sources}
    assert names == {
        "HipHop_HipHop1": "HipHop 1", "HipHop_HipHop2": "HipHop 2", "HipHop_HipHop10": "HipHop 10",
        "Kata_P3": "Kata 3", "Sports_Tennis": "Sports Tennis",
    }  # fmt: skip
    only = find(folder / "multi_view_data", Options(size=0, subjects=("HipHop_HipHop10", "Kata_P3")))
    assert only.split == {"train": ("Kata_P3",), "test": ("HipHop_HipHop10",)}
    with pytest.raises(DatasetError, match="none of the subjects S1"):
        find(folder, Options(size=0, subjects=("S1",)))


def test_every_takes_labels_and_pictures_alike_and_short_videos_cut(tmp_path):
    went = build(tmp_path, pictures=True, takes=("HipHop_HipHop2",))
    found = find(tmp_path, Options(size=64))
    assert any("shorter" in note for note in found.notes)
    for every in (1, 2):
        for source in find(tmp_path, Options(size=64, every=every)).sources:
            clip = source.read()
            rows = range(0, FRAMES - 3 if source.camera == "1" else FRAMES, every)
            assert len(clip) == len(rows) and clip.fps == 15 / every
            shown = [round((float(picture[:4, :4].mean()) - 20) / 10) for picture in source.frames()]
            assert shown == list(rows)
            K, R, t = went["HipHop_HipHop2"].cameras[int(source.camera)]
            true = (went["HipHop_HipHop2"].world @ R.T + t)[rows]
            np.testing.assert_allclose(clip.joints_3d[clip.labelled], true[clip.labelled], atol=1e-6)
    assert all(len(source.read()) == FRAMES for source in find(tmp_path, POSES).sources)


def test_what_is_not_there(one, tmp_path):
    assert all(source.frames is None for source in find(tmp_path, Options(size=64)).sources)
    (one / "Calib_Cam1.mat").unlink()
    found = find(tmp_path, POSES)
    assert [source.camera for source in found.sources] == ["0", "2"]
    assert "Kata_P3: camera 1 left out: no Calib_Cam1.mat" in found.notes
    depth = tmp_path / "multi_view_data" / "Jazz"
    depth.mkdir()
    shutil.copy(one / "Kata_P3_GT.mat", depth / "Jazz_Jazz1_GT.mat")
    assert "Jazz/Jazz_Jazz1 left out: no Calib_Cam<n>.mat" in find(tmp_path, POSES).notes
    for folder in (one, tmp_path / "none"):
        with pytest.raises(DatasetError, match="no multi_view_data/<category>/<take>_GT.mat"):
            find(folder, POSES)


def test_wrong_poses(one):
    path = one / "Kata_P3_GT.mat"

    def cells(*items):
        array = np.empty((1, len(items)), object)
        for index, item in enumerate(items):
            array[0, index] = item
        return {"GTpose2": array}

    good = scipy.io.loadmat(path)["GTpose2"][0]
    for wrong in (
        {},
        {"GTpose2": np.zeros((15, 3))},
        {"GTpose2": "words"},
        cells(),
        cells(np.full((19, 3), np.nan)),
        cells(*good, good[0][:14]),
        cells(*good, np.zeros((19, 3))),
        cells(*good, good[0].T),
        cells(*good, np.zeros((15, 3, 2))),
        cells(*good, "words"),
        cells(*good, np.full((15, 3), np.inf)),
        cells(*good, good[0] * 1e6),
        cells(*good, good[0] + (0, 0, 9e5)),
    ):
        scipy.io.savemat(path, wrong)
        with pytest.raises(DatasetError, match=r"Kata_P3_GT\.mat: GTpose2: "):
            clips(one.parent)


def test_wrong_cameras(one):
    path = one / "Calib_Cam0.mat"
    good = {name: value for name, value in scipy.io.loadmat(path).items() if name[0] != "_"}
    for name, wrong in (
        ("KK", np.eye(4)),
        ("KK", -good["KK"]),
        ("KK", good["KK"].reshape(1, 9)),
        ("kc", np.zeros(4)),
        ("kc", np.full(5, np.nan)),
        ("kc", np.full(5, 1e300)),
        ("om_ext", np.full(3, 1e9)),
        ("om_ext", "up"),
        ("T_ext", np.full(3, 1e200)),
        ("T_ext", None),
    ):
        scipy.io.savemat(
            path, {key: value for key, value in (good | {name: wrong}).items() if value is not None}
        )
        with pytest.raises(DatasetError, match=rf"Calib_Cam0\.mat: .*{name}"):
            clips(one.parent)


@pytest.mark.parametrize("name", ["Kata_P3_GT.mat", "Calib_Cam0.mat"])
def test_damaged_files_are_refused(one, name):
    path = one / name
    whole = path.read_bytes()

    @FUZZ
    @given(damaged(whole))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path, one / "Kata_P3_GT.mat"), limited(seconds=5):
            find(one.parent, POSES).sources[0].read()

    check()
