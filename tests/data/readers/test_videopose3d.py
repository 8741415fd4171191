import os

import built_human36m
import built_videopose3d as built
import numpy as np
import pytest
from built_human36m import CAMERAS
from damage import damage, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import videopose3d
from lib.data.resection import resect, undistorted
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

FUZZ = settings(max_examples=200, deadline=None, derandomize=True, database=None)
FEW = {"S1": ("Photo", "Photo 1"), "S9": ("Walking", "Greeting"), "S11": ("Directions 1",)}
POSE_ONLY = Options(size=0)


def read_all(found):
    return {(source.subject, source.action, source.camera): source.read() for source in found.sources}


def rewrite(path, change):
    """Change the objects of an .npz file of ours in place; ``change`` gets them by name."""
    with np.load(path, allow_pickle=True) as file:
        values = {name: file[name].item() for name in file.files}
    values = change(values) or values
    np.savez_compressed(path, **values)


def refused(folder, match, options=POSE_ONLY, name=built.PROJECTED):
    with pytest.raises(DatasetError, match=match) as caught:
        for source in videopose3d.find(folder, options).sources:
            source.read()
    assert str(folder / name) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("metadata", [False, True], ids=["cameras solved", "metadata.xml"])
def test_what_went_in_comes_out(tmp_path, metadata):
    truth = built.build(tmp_path, metadata=metadata)
    detections = tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    found = videopose3d.find(tmp_path, Options(size=0, detections=detections))
    assert found.split == {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
    assert len(found.sources) == 4 * len(truth)
    for source in found.sources:
        clip = source.read()
        assert (clip.subject, clip.action, clip.camera) == (source.subject, source.action, source.camera)
        check_clip(clip, HUMAN36M_17, found.split, "here")
        subject, take = clip.source.split(" ", 1)
        went_in, camera = truth[subject, take], CAMERAS.index(clip.camera)
        R, place = built_human36m.stand(subject, clip.camera)
        np.testing.assert_allclose(clip.R, R, atol=1e-6)
        np.testing.assert_allclose(-clip.R.T @ clip.t, place, atol=0.02)
        np.testing.assert_allclose(clip.joints_3d, went_in["joints"][camera], atol=0.02)
        np.testing.assert_allclose(clip.joints_2d, went_in["pixels"][camera], atol=1e-3)
        np.testing.assert_array_equal(clip.detected_2d, went_in["cpn_ft_h36m_dbb"][camera][: len(clip)])
        again = built_human36m.lens_projection(np.float64(clip.joints_3d), clip.camera)
        np.testing.assert_allclose(again, clip.joints_2d, atol=2e-3)
        assert clip.fps == 50 and clip.K.shape == (3, 3) and clip.distortion.shape == (5,)
    notes = "\n".join(found.notes)
    assert ("solved" in notes) != metadata
    assert "detected_2d: data_2d_h36m_cpn_ft_h36m_dbb.npz" in notes


def test_without_projections_the_lens_projects(tmp_path):
    truth = built.build(tmp_path, FEW, detectors=(), metadata=True)
    found = videopose3d.find(tmp_path / built.POSES, POSE_ONLY)
    assert any("projected from the poses" in note for note in found.notes)
    clip = read_all(found)["S9", "Walking", CAMERAS[2]]
    np.testing.assert_allclose(clip.joints_2d, truth["S9", "Walking"]["pixels"][2], atol=2e-3)
    assert clip.detected_2d is None


def test_metadata_may_lie_in_the_folder_above(tmp_path):
    built.build(tmp_path / "data", FEW, detectors=())
    (tmp_path / "metadata.xml").write_text(built_human36m.metadata_xml())
    assert len(videopose3d.find(tmp_path / "data", POSE_ONLY).sources) == 20


def test_without_anything_that_tells_the_cameras_it_is_refused(tmp_path):
    built.build(tmp_path, FEW, detectors=("cpn_ft_h36m_dbb",))
    with pytest.raises(DatasetError, match="neither data_2d_h36m_gt.npz nor metadata.xml"):
        videopose3d.find(tmp_path, POSE_ONLY)


def test_metres_become_millimetres_and_millimetres_are_refused(tmp_path):
    built.build(tmp_path, FEW)
    rewrite(
        tmp_path / built.POSES,
        lambda values: values["positions_3d"]["S9"].update(
            Walking=1000 * values["positions_3d"]["S9"]["Walking"]
        ),
    )
    refused(tmp_path, "S9 Walking .metres.: frame 0: joint . is at", name=built.POSES)


def test_renamed_actions_and_numbers_of_takes(tmp_path):
    built.build(
        tmp_path, {name: built.TAKES[name] for name in ("S1", "S5", "S8")}, detectors=(), metadata=True
    )
    clips = read_all(videopose3d.find(tmp_path, POSE_ONLY))
    names = {(subject, action): clip.source for (subject, action, _), clip in clips.items()}
    assert names["S1", "Photo"] == "S1 Photo" and names["S1", "Photo 2"] == "S1 Photo 1"
    assert names["S5", "Discussion"] == "S5 Discussion 2" and names["S5", "Discussion 2"] == "S5 Discussion 3"
    assert names["S8", "WalkTogether"] == "S8 WalkTogether 1"
    # From the h36m.zip of 3d-pose-baseline actions can come with their old names.
    rename = {"Photo": "TakingPhoto", "Photo 1": "TakingPhoto 1"}
    rewrite(tmp_path / built.POSES, lambda values: _rename(values["positions_3d"]["S1"], rename))
    assert {key[:2] for key in read_all(videopose3d.find(tmp_path, POSE_ONLY))} == set(names)


def _positions(values):
    return [value for name, value in values.items() if name.startswith("positions")]


def _rename(actions, names):
    for old, new in names.items():
        actions[new] = actions.pop(old)


def test_one_take_by_two_names_is_refused(tmp_path):
    built.build(tmp_path, FEW)
    rewrite(
        tmp_path / built.POSES,
        lambda values: values["positions_3d"]["S1"].update(TakingPhoto=values["positions_3d"]["S1"]["Photo"]),
    )
    refused(tmp_path, "S1 Photo: twice", name=built.POSES)


def test_s11_directions_is_missing_whole_and_said_so(tmp_path):
    truth = built.build(tmp_path, {"S11": built.TAKES["S11"]})
    assert ("S11", "Directions") not in truth
    found = videopose3d.find(tmp_path, POSE_ONLY)
    assert {source.action for source in found.sources if source.subject == "S11"} == {"Directions"}
    assert read_all(found)["S11", "Directions", CAMERAS[0]].source == "S11 Directions 1"
    assert "S11 Directions: not in these files, by none of the cameras" in found.notes


def test_s11_directions_where_it_is_there_loses_the_broken_camera(tmp_path):
    built.build(tmp_path, FEW)
    for name in (built.POSES, built.PROJECTED):
        rewrite(
            tmp_path / name,
            lambda values: (
                [v["S11"].update(Directions=v["S11"]["Directions 1"]) for v in _positions(values)] and None
            ),
        )
    found = videopose3d.find(tmp_path, POSE_ONLY)
    cameras = [s.camera for s in found.sources if (s.subject, s.action) == ("S11", "Directions")]
    assert cameras == list(CAMERAS[1:])
    assert any("broken" in note for note in found.notes)


def test_shifted_takes_of_s9_are_kept_and_noted(tmp_path):
    built.build(tmp_path, FEW)
    found = videopose3d.find(tmp_path, Options(size=128))
    assert any(source.action == "Greeting" for source in found.sources)
    assert any("S9 Greeting" in note and "kept" in note for note in found.notes)
    assert all(source.frames is None for source in found.sources)


def test_universal_poses_are_refused_by_name(tmp_path):
    built.build(tmp_path, FEW)
    refused(tmp_path, "universal", Options(size=0, universal=True), built.POSES)


def test_every_and_subjects(tmp_path):
    truth = built.build(tmp_path, FEW, frames=11)
    found = videopose3d.find(tmp_path, Options(size=0, every=5, subjects=("S9",)))
    clips = read_all(found)
    assert {key[0] for key in clips} == {"S9"} and found.split == {"train": (), "test": ("S9",)}
    clip = clips["S9", "Walking", CAMERAS[1]]
    np.testing.assert_allclose(clip.joints_2d, truth["S9", "Walking"]["pixels"][1, ::5], atol=1e-3)
    assert len(clip) == 3 and clip.fps == 10
    refused(tmp_path, "no S5", Options(size=0, subjects=("S5", "S9")), built.POSES)


@pytest.mark.parametrize("detector", ["detectron_pt_coco", "sh_pt_mpii"])
def test_detections_of_other_joints(tmp_path, detector):
    truth = built.build(tmp_path, FEW, detectors=("gt", detector))
    # Named as it lies beside the poses.
    found = videopose3d.find(tmp_path, Options(size=0, detections=f"data_2d_h36m_{detector}.npz"))
    assert any("no spine" in note for note in found.notes)
    clip = read_all(found)["S9", "Walking", CAMERAS[3]]
    found_2d = np.float64(truth["S9", "Walking"][detector][3][: len(clip)])
    names = {name: number for number, name in enumerate(HUMAN36M_17.joints)}
    order = built.AS_COCO if "coco" in detector else built.AS_MPII
    for number, joint in enumerate(order):
        if joint not in (8, 9) and not ("coco" in detector and number in (1, 2, 3, 4)):
            np.testing.assert_allclose(clip.detected_2d[:, joint], found_2d[:, number], atol=1e-3)
    mine = {name: np.float64(clip.detected_2d[:, number]) for name, number in names.items()}
    np.testing.assert_allclose(2 * mine["spine"], mine["pelvis"] + mine["thorax"], atol=1e-3)
    if "coco" in detector:
        np.testing.assert_allclose(
            2 * mine["thorax"], mine["left_shoulder"] + mine["right_shoulder"], atol=1e-3
        )
        np.testing.assert_allclose(2 * mine["pelvis"], mine["left_hip"] + mine["right_hip"], atol=1e-3)
        np.testing.assert_allclose(mine["nose"], found_2d[:, 0], atol=1e-3)
        np.testing.assert_allclose(mine["head"] - mine["nose"], mine["nose"] - mine["thorax"], atol=1e-3)
    else:
        np.testing.assert_allclose(2 * mine["nose"], mine["thorax"] + mine["head"], atol=1e-3)
        np.testing.assert_allclose(mine["thorax"], found_2d[:, 7], atol=1e-3)


@pytest.mark.parametrize(
    "metadata",
    [
        {"num_joints": 17, "keypoints_symmetry": [[1, 2, 3, 14, 15, 16], [4, 5, 6, 11, 12, 13]]},
        {"num_joints": 16, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]},
        built.METADATA["cpn_ft_h36m_dbb"] | {"layout_name": "coco"},
        {"layout_name": "humaneva15", "num_joints": 15, "keypoints_symmetry": [[2, 3, 4], [5, 6, 7]]},
        {"num_joints": 17},
        {"num_joints": 17, "keypoints_symmetry": "left, right"},
        {"num_joints": 17, "keypoints_symmetry": [[np.inf], [np.nan]]},
        {},
    ],
    ids=["sides exchanged", "number", "name", "humaneva", "no symmetry", "text", "no numbers", "empty"],
)  # fmt: skip
def test_the_metadata_of_detections_are_checked(tmp_path, metadata):
    built.build(tmp_path, FEW)
    path = tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    rewrite(path, lambda values: values | {"metadata": metadata})
    refused(tmp_path, "metadata: ", Options(size=0, detections=path), path.name)


def test_projections_of_other_joints_are_refused(tmp_path):
    built.build(tmp_path, FEW, detectors=("detectron_pt_coco",))
    (tmp_path / "data_2d_h36m_detectron_pt_coco.npz").rename(tmp_path / built.PROJECTED)
    refused(tmp_path, "joints of coco")


@pytest.mark.parametrize("shift", [1.0, np.nan, 1e8])
def test_projections_that_are_not_those_of_the_poses_are_refused(tmp_path, shift):
    built.build(tmp_path, FEW)

    def change(values):
        values["positions_2d"]["S9"]["Walking"][2][:] += shift * np.array([1, 0])

    rewrite(tmp_path / built.PROJECTED, change)
    refused(tmp_path, "S9.*, camera 58860488: (.* px off|frame 0: joint 0 is at)")


def test_cameras_in_another_order_are_refused(tmp_path):
    built.build(tmp_path, FEW, metadata=True)
    rewrite(tmp_path / built.PROJECTED, lambda values: values["positions_2d"]["S1"]["Photo"].reverse())
    refused(tmp_path, "S1 Photo, camera 54138969: .* px off")


def test_cameras_of_another_order_throughout_are_refused(tmp_path):
    """Each is then solved through another's lens, which fits to less than a tenth of a pixel."""
    built.build(tmp_path, FEW)

    def change(values):
        for actions in values["positions_2d"].values():
            for pixels in actions.values():
                pixels.reverse()

    rewrite(tmp_path / built.PROJECTED, change)
    refused(tmp_path, "px off|tell")


def test_one_wrong_take_does_not_move_the_camera(tmp_path):
    built.build(tmp_path, {"S9": ("Walking", "Walking 1", "Posing", "Sitting")})

    def change(values):
        values["positions_2d"]["S9"]["Sitting"][1][:] += 40

    rewrite(tmp_path / built.PROJECTED, change)
    sources = {(s.action, s.camera): s for s in videopose3d.find(tmp_path, POSE_ONLY).sources}
    clip = sources["Walking", CAMERAS[1]].read()
    R, place = built_human36m.stand("S9", CAMERAS[1])
    np.testing.assert_allclose(-clip.R.T @ clip.t, place, atol=1)
    with pytest.raises(DatasetError, match="S9 Sitting, camera 55011271: .* px off"):
        sources["Sitting", CAMERAS[1]].read()


def test_fewer_frames_than_poses_are_refused(tmp_path):
    built.build(tmp_path, FEW)
    path = tmp_path / "data_2d_h36m_cpn_ft_h36m_dbb.npz"

    def change(values):
        values["positions_2d"]["S1"]["Photo"][3] = values["positions_2d"]["S1"]["Photo"][3][:11]

    rewrite(path, change)
    refused(
        tmp_path,
        "S1 Photo, camera 60457274: 11 frames, the poses have 12",
        Options(size=0, detections=path),
        path.name,
    )


def _set(*keys, value=None, delete=False):
    def change(values):
        for key in keys[:-1]:
            values = values[key]
        if delete:
            del values[keys[-1]]
        else:
            values[keys[-1]] = value

    return change


POSE_DAMAGE = {
    "17 joints": (_set("positions_3d", "S1", "Photo", value=np.zeros((5, 17, 3))), "S1 Photo: shape"),
    "no frames": (_set("positions_3d", "S1", "Photo", value=np.zeros((0, 32, 3))), "S1 Photo: shape"),
    "integers": (_set("positions_3d", "S1", "Photo", value=np.zeros((5, 32, 3), int)), "S1 Photo: no array"),
    "a list": (_set("positions_3d", "S1", "Photo", value=[1, 2]), "S1 Photo: no array"),
    "None": (_set("positions_3d", "S1", "Photo"), "S1 Photo: no array"),
    "no actions": (_set("positions_3d", "S1", value=3), "S1: no dict"),
    "no subjects": (_set("positions_3d", value=np.zeros(3)), "no dict"),
    "nothing known": (_set("positions_3d", value={"S2": {"Photo": 1}, "S1": {"Dance": 1}}), "no takes"),
    "nothing named": (_set("positions_3d", delete=True), "positions_3d: no such array"),
    "not finite": (
        _set("positions_3d", "S1", "Photo", value=np.full((5, 32, 3), np.nan)),
        "S1 Photo .metres.: frame 0",
    ),
}
PIXEL_DAMAGE = {
    "three cameras": (_set("positions_2d", "S1", "Photo", value=[np.zeros((9, 17, 2))] * 3), "no four"),
    "a camera is None": (_set("positions_2d", "S1", "Photo", 1, value=None), "S1 Photo: no four"),
    "no take": (_set("positions_2d", "S1", "Photo", delete=True), "S1 Photo is missing"),
    "no subject": (_set("positions_2d", "S9", delete=True), "S9 .* is missing"),
    "other joints": (_set("positions_2d", "S1", "Photo", 0, value=np.zeros((9, 16, 2))), "shape .9, 16, 2."),
    "one axis": (_set("positions_2d", "S1", "Photo", 0, value=np.zeros(12)), "shape .12,."),
    "text": (_set("positions_2d", "S1", "Photo", value="text"), "S1 Photo: no four"),
    "all at one place": (
        lambda values: [v.fill(500) for a in values["positions_2d"]["S1"].values() for v in a] and None,
        "S1, camera",
    ),
    "no metadata": (_set("metadata", delete=True), "metadata: no such array"),
}  # fmt: skip


@pytest.mark.parametrize("name", POSE_DAMAGE)
def test_poses_that_are_none_are_refused(tmp_path, name):
    built.build(tmp_path, FEW)
    change, match = POSE_DAMAGE[name]
    rewrite(tmp_path / built.POSES, change)
    refused(tmp_path, match, name=built.POSES)


@pytest.mark.parametrize("name", PIXEL_DAMAGE)
def test_pixels_that_are_none_are_refused(tmp_path, name):
    built.build(tmp_path, FEW)
    change, match = PIXEL_DAMAGE[name]
    rewrite(tmp_path / built.PROJECTED, change)
    refused(tmp_path, match)


def test_a_hostile_file_is_refused_and_its_command_is_not_run(tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'touched'}",)

    built.build(tmp_path, FEW)
    for name in (built.POSES, built.PROJECTED):
        good = (tmp_path / name).read_bytes()
        rewrite(
            tmp_path / name,
            lambda values: [v["S9"].update(Walking=Hostile()) for v in _positions(values)] and None,
        )
        refused(tmp_path, "asks for posix.system, which is not data; nothing of it was executed", name=name)
        assert not (tmp_path / "touched").exists()
        (tmp_path / name).write_bytes(good)


def test_a_folder_without_the_files_is_refused(tmp_path):
    with pytest.raises(DatasetError, match=f"{tmp_path}: no data_3d_h36m.npz"):
        videopose3d.find(tmp_path, POSE_ONLY)
    built.build(tmp_path, FEW)
    refused(tmp_path, "other.npz", Options(size=0, detections=tmp_path / "other.npz"), "other.npz")


# The camera from points and pixels


@pytest.mark.parametrize("camera", CAMERAS)
def test_rays_are_those_that_were_projected(camera):
    rays = np.stack(np.meshgrid(np.linspace(-0.42, 0.42, 15), np.linspace(-0.42, 0.42, 15)), -1).reshape(
        -1, 2
    )
    pixels = built_human36m.lens_projection(np.concatenate([rays, np.ones((225, 1))], -1), camera)
    lens = videopose3d.h36m.lens_of(camera)
    np.testing.assert_allclose(undistorted(pixels, lens.K, np.array(lens.distortion)), rays, atol=1e-6)


def test_points_that_tell_nothing_of_a_camera():
    lens = videopose3d.h36m.CAMERAS[0]
    for points in (np.zeros((3, 3)), np.zeros((50, 3))):
        pixels = np.full((len(points), 2), 500.0)
        with pytest.raises(ValueError):
            resect(points, pixels, lens.K, np.array(lens.distortion))


# Damage


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videopose3d")
    built.build(folder, {"S1": ("Photo",), "S9": ("Walking",)}, frames=6)
    for path in folder.glob(
        "*.npz"
    ):  # as numpy writes it without compression, so that all damage is within arrays
        with np.load(path, allow_pickle=True) as file:
            np.savez(path, **{name: file[name] for name in file.files})
    return folder, {path: path.read_bytes() for path in folder.glob("*.npz")}


@FUZZ
@given(st.integers(0, 2), st.integers(0, 2**64 - 1))
def test_damaged_files_are_refused_or_read(download, number, seed):
    folder, files = download
    path = sorted(files)[number]
    path.write_bytes(damage(files[path], seed))
    options = Options(size=0, detections=folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz")
    try:
        with only_dataset_errors(*files), limited(seconds=60):
            for source in videopose3d.find(folder, options).sources:
                source.read()
    finally:
        path.write_bytes(files[path])
