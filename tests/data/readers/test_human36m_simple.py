import shutil

import built_human36m_simple as built
import numpy as np
import pytest
from built_human36m import CAMERAS, KEPT
from damage import damage, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import human36m_simple
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

FUZZ = settings(max_examples=200, deadline=None, derandomize=True, database=None)
ONE = {"S1": ("Walking",)}
PICTURES, POSE_ONLY = Options(size=128), Options(size=0)


def find(tmp_path, options=POSE_ONLY):
    return human36m_simple.find(tmp_path / "human_images", options)


def refused(tmp_path, match, options=PICTURES):
    with pytest.raises(DatasetError, match=match) as caught:
        for source in find(tmp_path, options).sources:
            source.read()
            for stream in (source.frames, source.masks):
                if stream:
                    list(stream())
    assert str(tmp_path) in str(caught.value) and len(str(caught.value).splitlines()) == 1


def test_what_went_in_comes_out(tmp_path):
    truth = built.build(tmp_path, frames=4)
    found = human36m_simple.find(tmp_path, PICTURES)
    assert found.split == {"train": ("S1", "S5", "S6", "S7", "S8", "S9"), "test": ("S11",)}
    assert len(found.sources) == len(truth)
    for source in found.sources:
        clip = source.read()
        check_clip(clip, HUMAN36M_17, found.split, "here")
        assert (clip.subject, clip.action, clip.camera) == (source.subject, source.action, source.camera)
        one = truth[clip.subject, clip.source.split(" ", 1)[1], clip.camera]
        np.testing.assert_allclose(clip.joints_2d, 128 * one["shares"][:, KEPT], atol=1e-4)
        assert clip.joints_3d is None and not clip.static and clip.fps == 50
        assert clip.source == f"{clip.subject} {'Posing 1' if clip.action == 'Posing' else 'Walking'}"
    assert {source.action for source in found.sources} == {"Posing", "Walking"}


@pytest.mark.parametrize("folder", ["BackgroudMask", "BackgroundMask"])
@pytest.mark.parametrize("brightest", [1, 255])
def test_pictures_and_masks_are_in_the_order_of_their_numbers(tmp_path, folder, brightest):
    truth = built.build(tmp_path, ONE, cameras=CAMERAS[:1], mask_folder=folder, brightest=brightest)
    (source,) = find(tmp_path, PICTURES).sources
    one = truth["S1", "Walking", CAMERAS[0]]
    pictures, masks = np.array(list(source.frames())), np.array(list(source.masks()))
    assert pictures.shape == (12, 128, 128, 3) and pictures.dtype == np.uint8 and masks.dtype == bool
    np.testing.assert_array_equal(masks, one["masks"])
    away = ~np.array([np.asarray(Image.fromarray(mask).resize((16, 16))) for mask in one["masks"]])
    background = pictures[:, 4::8, 4::8]
    for row in range(12):
        np.testing.assert_allclose(np.median(background[row][away[row]], 0), one["colours"][row], atol=3)
    np.testing.assert_allclose(source.read().joints_2d, 128 * one["shares"][:, KEPT], atol=1e-4)


def test_the_files_hold_y_before_x(tmp_path):
    """The trap: a set whose columns are x and y would be read lying on its side, and is refused."""
    built.build(tmp_path, ONE, cameras=CAMERAS[:1])
    folder = tmp_path / "human_images/S1/Landmarks/Walking.54138969"
    for path in folder.iterdir():
        joints = human36m_simple.load_v5(path, ["keypoints_2d"])["keypoints_2d"]
        head, ankle = joints[15], joints[3]
        assert ankle[0] > head[0] + 0.3  # rows
        savemat(path, {"keypoints_2d": joints[:, ::-1]})
    refused(tmp_path, "Walking.54138969: keypoints_2d: .* not row and column")


def test_other_actions_and_folders_are_left_out(tmp_path):
    built.build(tmp_path, {"S1": ("Walking", "WalkingDog", "Sitting 1", "Eating")}, frames=2, pictures=False)
    (tmp_path / "human_images/S1/Landmarks/Walking.12345678").mkdir()
    (tmp_path / "human_images/S1/Landmarks/.hidden").mkdir()
    found = find(tmp_path)
    assert {source.action for source in found.sources} == {"Walking"} and len(found.sources) == 4
    assert any("14 sequences of other than the six actions" in note for note in found.notes)


def test_takes_are_numbered_as_they_come(tmp_path):
    built.build(tmp_path, {"S5": ("Discussion 2", "Discussion 3")}, frames=2, pictures=False)
    found = find(tmp_path)
    sources = {source.action: source.read().source for source in found.sources}
    assert sources == {"Discussion": "S5 Discussion 2", "Discussion 2": "S5 Discussion 3"}


def test_faulty_takes_are_left_out_by_name(tmp_path):
    takes = {"S9": ("Greeting", "Greeting 1"), "S11": ("Directions",)}
    built.build(tmp_path, takes, frames=2)
    found = find(tmp_path, PICTURES)
    assert {(s.subject, s.read().source) for s in found.sources} == {
        ("S9", "S9 Greeting 1"),
        ("S11", "S11 Directions"),
    }
    assert sum(source.subject == "S11" for source in found.sources) == 3
    notes = "\n".join(found.notes)
    assert "S9 Greeting: " in notes and "S11 Directions, camera 54138969: the video is broken" in notes
    assert any(source.read().source == "S9 Greeting" for source in find(tmp_path).sources)


def test_every_subjects_and_sizes(tmp_path):
    truth = built.build(tmp_path, {"S1": ("Walking",), "S11": ("Posing 1",)}, cameras=CAMERAS[:1])
    found = find(tmp_path, Options(size=64, every=5, subjects=("S11",)))
    assert found.split == {"train": (), "test": ("S11",)}
    (source,) = found.sources
    clip = source.read()
    one = truth["S11", "Posing 1", CAMERAS[0]]
    np.testing.assert_allclose(clip.joints_2d, 128 * one["shares"][::5, KEPT], atol=1e-4)
    np.testing.assert_array_equal(list(source.masks()), one["masks"][::5])
    assert len(list(source.frames())) == 3 and clip.fps == 10
    refused(tmp_path, "no folder S5", Options(size=0, subjects=("S5",)))
    refused(tmp_path, "no 3D poses", Options(size=0, universal=True))


def test_without_pictures(tmp_path):
    built.build(tmp_path, ONE, frames=2, pictures=False)
    for options in (POSE_ONLY, PICTURES):
        for source in find(tmp_path, options).sources:
            assert source.frames is None and source.masks is None and len(source.read()) == 2


def test_pictures_without_masks(tmp_path):
    built.build(tmp_path, ONE, frames=2)
    shutil.rmtree(tmp_path / "human_images/S1/BackgroudMask")
    for source in find(tmp_path, PICTURES).sources:
        assert source.masks is None and len(list(source.frames())) == 2


def _landmarks(values):
    return lambda path: savemat(path, {"keypoints_2d": values})


def _cut(path):
    path.write_bytes(path.read_bytes()[:300])


def _empty(path):
    for file in path.parent.iterdir():
        file.unlink()


MAT, JPG, PNG = "Landmarks/{}.mat", "WithBackground/{}.jpg", "BackgroudMask/{}.png"
# What is wrong, in which file, and what the message says of it.
DAMAGE = {
    "other name": (MAT, lambda path: savemat(path, {"joints": np.zeros((32, 2))}), "99.mat: keypoints_2d"),
    "17 joints": (MAT, _landmarks(np.zeros((17, 2))), "99.mat: .*shape .17, 2"),
    "transposed": (MAT, _landmarks(np.zeros((2, 32))), "99.mat: .*shape .2, 32"),
    "integers": (MAT, _landmarks(np.zeros((32, 2), int)), "99.mat: .*int"),
    "text": (MAT, _landmarks("text"), "99.mat: keypoints_2d"),
    "pixels": (MAT, _landmarks(np.full((32, 2), 64.0)), "99.mat: .*no share of the picture"),
    "not finite": (MAT, _landmarks(np.full((32, 2), np.nan)), "99.mat: .*no share of the picture"),
    "no MATLAB": (MAT, lambda path: path.write_bytes(b"nothing"), "99.mat"),
    "twice": (MAT, lambda path: shutil.copy(path, path.with_name("0099.mat")), "99.mat: frame 99"),
    "no frames": (MAT, _empty, "no file <number>.mat"),
    "no picture": (JPG, lambda path: path.unlink(), "99.jpg: no such file"),
    "cut picture": (JPG, _cut, "99.jpg"),
    "small picture": (JPG, lambda path: Image.new("RGB", (64, 128)).save(path), "99.jpg: 64 x 128 px"),
    "no mask": (PNG, lambda path: path.unlink(), "99.png: no such file"),
    "large mask": (PNG, lambda path: Image.new("L", (128, 256)).save(path), "99.png: 128 x 256 px"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_what_is_wrong_is_named(tmp_path, name):
    built.build(tmp_path, ONE, frames=6, cameras=CAMERAS[:1])
    file, change, match = DAMAGE[name]
    change(tmp_path / "human_images/S1" / file.format("Walking.54138969/99"))
    refused(tmp_path, match)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=f"{tmp_path}: no folder S1/Landmarks"):
        human36m_simple.find(tmp_path, PICTURES)
    (tmp_path / "human_images/S1/Landmarks").mkdir(parents=True)
    refused(tmp_path, "no folder like")


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simple")
    built.build(folder, ONE, frames=2, cameras=CAMERAS[:1])
    return folder, {path: path.read_bytes() for path in sorted(folder.rglob("*.*")) if path.is_file()}


@FUZZ
@given(st.integers(0, 5), st.integers(0, 2**64 - 1))
def test_damaged_files_are_refused_or_read(download, number, seed):
    folder, files = download
    path = list(files)[number]
    path.write_bytes(damage(files[path], seed))
    try:
        with only_dataset_errors(path, path.parent), limited(seconds=60):
            for source in human36m_simple.find(folder, PICTURES).sources:
                source.read(), list(source.frames()), list(source.masks())
    finally:
        path.write_bytes(files[path])
