"""Human3.6M as h36m-fetch leaves it: built to the letter, imported, and compared with what went in."""

import h5py
import numpy as np
import pytest
from built_h36m_fetch import TAKES, build
from built_human36m import CAMERAS, KEPT, SIZES, colour, lens_projection
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import h36m_fetch
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

POSES = Options(size=0)


def by_key(found):
    return {(source.subject, source.path.parent.name, source.camera): source for source in found.sources}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fetched")
    return folder, build(folder)


def test_everything_that_went_in_comes_out(whole):
    folder, built = whole
    for place in (folder, folder / "processed"):
        found = h36m_fetch.find(place, POSES)
        assert set(by_key(found)) == set(built)
        assert found.split == {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
    for key, source in by_key(found).items():
        clip, went_in = source.read(), built[key]
        check_clip(clip, HUMAN36M_17, found.split, "built")
        assert np.allclose(clip.joints_3d, went_in.built.joints[went_in.rows][:, KEPT], atol=1e-3)
        assert np.allclose(clip.joints_2d, went_in.built.pixels[went_in.rows][:, KEPT], atol=1e-3)
        assert (clip.group, clip.camera, clip.fps) == (source.group, key[2], 50)
        assert source.frames is None and source.masks is None


def test_intrinsics_are_in_the_order_fx_cx_fy_cy(whole):
    folder, built = whole
    for key, source in by_key(h36m_fetch.find(folder, POSES)).items():
        clip = source.read()
        fx, cx, fy, cy = built[key].intrinsics
        assert np.array_equal(clip.K, [[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
        assert 1100 < clip.K[1, 1] < 1200 and 450 < clip.K[0, 2] < 560
        projected = clip.joints_3d @ clip.K.T
        misfit = np.linalg.norm(projected[..., :2] / projected[..., 2:] - clip.joints_2d, axis=-1)
        # A pinhole camera fitted to a lens; the two values in the wrong order miss by hundreds.
        assert misfit.mean() < 3
        assert clip.distortion is None


def test_names_of_folders_become_actions_and_takes(whole):
    groups = {source.group for source in h36m_fetch.find(whole[0], POSES).sources}
    assert {
        "/S1/Photo/54138969",
        "/S1/Photo 2/54138969",
        "/S7/WalkDog/60457274",
        "/S6/WalkTogether 2/58860488",
        "/S11/Directions/54138969",
    } <= groups
    clip = by_key(h36m_fetch.find(whole[0], POSES))["S1", "TakingPhoto-2", "54138969"].read()
    assert (clip.source, clip.kind) == ("S1 Photo 2", "Photo")


def test_frames_are_noted_as_a_selection_and_without_extrinsics(whole):
    notes = h36m_fetch.find(whole[0], POSES).notes
    assert any("not evenly spaced" in note and "50 fps" in note for note in notes)
    assert any("R = I, t = 0" in note for note in notes)


def test_the_broken_camera_of_s11_is_missing_or_left_out(whole, tmp_path):
    assert ("S11", "Directions-2", "54138969") not in by_key(h36m_fetch.find(whole[0], POSES))
    build(tmp_path, {"S11": TAKES["S11"]}, missing=())
    found = h36m_fetch.find(tmp_path, POSES)
    assert ("S11", "Directions-2", "54138969") not in by_key(found)
    assert ("S11", "Directions-1", "54138969") in by_key(found)
    assert "S11 Directions 2, camera 54138969: the video is broken, left out" in found.notes


def test_shifted_takes_of_s9_are_noted_and_left_out_with_pictures(whole):
    shifted = {"Greeting-2", "SittingDown-2", "Waiting-1"}
    for size, there in ((0, True), (64, False)):
        found = h36m_fetch.find(whole[0], Options(size=size))
        held = {name for subject, name, _ in by_key(found) if subject == "S9"}
        assert {"Greeting-1", "SittingDown-1", "Waiting-2"} <= held
        assert (held & shifted) == (shifted if there else set())
        assert sum("stand beside the person" in note for note in found.notes) == 3


def test_a_missing_camera_is_noted(tmp_path):
    build(tmp_path, {"S5": ("Walking-1",)}, missing={("S5", "Walking-1", "55011271")})
    found = h36m_fetch.find(tmp_path, POSES)
    assert [source.camera for source in found.sources] == [CAMERAS[0], *CAMERAS[2:]]
    assert "S5 Walking 1: camera 55011271 is missing" in found.notes


def test_universal_poses_with_their_own_intrinsics(whole):
    folder, built = whole
    for key, source in by_key(h36m_fetch.find(folder, Options(size=0, universal=True))).items():
        clip, went_in = source.read(), built[key]
        assert np.allclose(clip.joints_3d, went_in.built.universal[went_in.rows][:, KEPT], atol=1e-3)
        assert np.array_equal(clip.K[[0, 0, 1, 1], [0, 2, 1, 2]], went_in.intrinsics_universal)


def test_subjects_are_chosen(whole):
    found = h36m_fetch.find(whole[0], Options(size=0, subjects=("S11",)))
    assert found.split == {"train": (), "test": ("S11",)}
    with pytest.raises(DatasetError, match="no folder S10"):
        h36m_fetch.find(whole[0], Options(size=0, subjects=("S10",)))


@pytest.mark.parametrize("every", [1, 3])
def test_pictures_are_those_of_the_rows(tmp_path, every):
    built = build(tmp_path, {"S8": ("Walking-1",)}, 9, CAMERAS[:2], pictures=True)
    for key, source in by_key(h36m_fetch.find(tmp_path, Options(every=every))).items():
        clip, rows, size = source.read(), built[key].rows[::every], SIZES[key[2]]
        assert np.allclose(clip.joints_2d, built[key].built.pixels[rows][:, KEPT], atol=1e-3)
        pictures = list(source.frames())
        assert len(pictures) == len(clip) == len(rows)
        for row, picture, joints in zip(rows, pictures, clip.joints_2d, strict=True):
            assert picture.shape == (size[1], size[0], 3)
            assert np.abs(picture[5, 5] - colour(row, size)).max() < 6
            x, y = np.rint(joints[1]).astype(int)
            assert picture[y, x].mean() > 180


def test_missing_and_wrong_pictures_are_named(tmp_path):
    build(tmp_path, {"S8": ("Walking-1",)}, 3, CAMERAS[:1], pictures=True)
    source = h36m_fetch.find(tmp_path, Options()).sources[0]
    path = source.path.parent / "imageSequence" / CAMERAS[0] / "img_000001.jpg"
    Image.new("RGB", (1000, 1000)).save(path)
    with pytest.raises(DatasetError, match="54138969: picture 0: 1000 x 1000 px"):
        list(source.frames())
    path.unlink()
    with pytest.raises(DatasetError, match="img_000001.jpg: no such file"):
        list(source.frames())


def test_other_folders_are_refused_or_noted(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DatasetError, match="no S1/Directions-1/annot.h5"):
            h36m_fetch.find(path, POSES)
    build(tmp_path, {"S8": ("Walking-1", "WalkingDog-1")}, 3, CAMERAS[:1])
    folder = tmp_path / "processed" / "S8"
    (folder / "Walking-1").rename(folder / "Swimming-1")
    found = h36m_fetch.find(tmp_path, POSES)
    assert len(found.sources) == 1 and any("Swimming-1" in note for note in found.notes)
    (folder / "Swimming-1").rename(folder / "WalkDog-1")
    with pytest.raises(DatasetError, match="WalkingDog-1/annot.h5: the same take as .*WalkDog-1"):
        h36m_fetch.find(tmp_path, POSES)


def one(folder):
    build(folder, {"S1": ("Walking-1",)}, 2, CAMERAS[:2])
    return h36m_fetch.find(folder, POSES).sources[0]


@pytest.mark.parametrize(
    "name, values, message",
    [
        ("pose/3d", None, "pose/3d: no such variable"),
        ("pose/3d", np.ones((3, 17, 3)), "pose/3d: shape \\(3, 17, 3\\), expected"),
        ("pose/3d", -1.0, "pose/3d: row 0: joint 0 is behind the camera"),
        ("pose/3d", np.nan, "pose/3d: nan at \\(0, 0, 0\\)"),
        ("pose/2d", np.inf, "pose/2d: inf at \\(0, 0, 0\\)"),
        ("pose/2d", b"text", "pose/2d: .*numbers"),
        ("camera", 7, "camera: no row is of 54138969"),
        ("camera", 0.5, "camera: float64 of shape .*, expected integers"),
        ("subject", 5, "subject: row 0 is not 1"),
        ("action", 3, "action: row 0 is not 14"),
        ("subaction", 2, "subaction: row 0 is not 1"),
        ("subaction", np.ones(2, int), "subaction: int64 of shape \\(2,\\), expected \\d integers"),
        ("intrinsics/54138969", np.array([1145.0, 1143, 512, 515]), "not this camera's focal lengths"),
        ("intrinsics/54138969", np.ones(9), "intrinsics/54138969: shape \\(9,\\)"),
    ],
)
def test_wrong_fields_are_named(tmp_path, name, values, message):
    source = one(tmp_path)
    with h5py.File(source.path, "r+") as file:
        shape = file[name].shape
        del file[name]
        if values is not None:
            file[name] = values if np.ndim(values) else np.full(shape, values)
    with pytest.raises(DatasetError, match=message) as caught:
        source.read()
    assert str(source.path) in str(caught.value)


def test_damaged_files_give_a_clip_or_one_error(tmp_path):
    source = one(tmp_path)
    plain = source.path.read_bytes()
    with h5py.File(source.path) as file, h5py.File(tmp_path / "packed.h5", "w") as packed:

        def copy(name, item):
            if isinstance(item, h5py.Dataset):
                packed.create_dataset(name, data=item[()], compression="gzip")

        file.visititems(copy)
    contents = [plain, (tmp_path / "packed.h5").read_bytes()]

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(contents).flatmap(damaged))
    def check(data):
        source.path.write_bytes(data)
        with only_dataset_errors(source.path), limited(seconds=5):
            clip = source.read()
            assert clip.joints_3d.shape == (len(clip), 17, 3) and np.isfinite(clip.joints_3d).all()
        with only_dataset_errors(source.path, tmp_path), limited(seconds=5):
            assert h36m_fetch.find(tmp_path, POSES).sources

    check()


def test_the_published_lens_fits_the_poses_of_the_layout(whole):
    # So that a clip of this layout and one of the official files show the same person at the same pixels.
    folder, _ = whole
    for source in h36m_fetch.find(folder, POSES).sources[:4]:
        clip = source.read()
        assert (
            np.abs(lens_projection(clip.joints_3d.astype(float), clip.camera) - clip.joints_2d).max()
            < 0.01
        )
