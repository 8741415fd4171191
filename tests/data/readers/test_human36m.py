"""Human3.6M's official folders: built to the letter, imported, and compared with what went in."""

import numpy as np
import pytest
from built_human36m import (
    CAMERAS,
    KEPT,
    SIZES,
    build,
    colour,
    lens_projection,
    pose_folder,
    silhouette,
    stand,
    write_cdf,
    write_masks,
    write_video,
)
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import human36m as facts
from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import human36m
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

POSES = Options(size=0)


def by_key(found):
    return {
        (s.subject, s.path.name.removesuffix(".cdf").removesuffix(f".{s.camera}"), s.camera): s
        for s in found.sources
    }


def same(clip, built, every=1, joints="joints"):
    assert np.allclose(clip.joints_3d, getattr(built, joints)[::every, KEPT], atol=1e-3)
    assert np.allclose(clip.joints_2d, built.pixels[::every, KEPT], atol=1e-3)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("human36m")
    return folder, build(folder)


def test_everything_that_went_in_comes_out(whole):
    folder, built = whole
    found = human36m.find(folder, POSES)
    sources = by_key(found)
    assert set(sources) == set(built) - {("S11", "Directions", "54138969")}
    assert found.split == {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}
    assert found.skeleton is HUMAN36M_17 and "academic" in found.licence
    again = human36m.find(folder, POSES)
    assert [source.group for source in again.sources] == [source.group for source in found.sources]
    for (subject, name, camera), source in sources.items():
        clip = source.read()
        check_clip(clip, HUMAN36M_17, found.split, "built")
        same(clip, built[subject, name, camera])
        assert (clip.group, clip.fps, clip.camera) == (source.group, 50, camera)
        assert source.frames is None and source.masks is None
        # The camera, from nothing but what metadata.xml says.
        rotation, place = stand(subject, camera)
        world = built[subject, name, camera].world[:, KEPT]
        assert np.allclose((world - place) @ rotation.T, world @ clip.R.T + clip.t, atol=1e-3)
        fx, fy, cx, cy = clip.K[0, 0], clip.K[1, 1], clip.K[0, 2], clip.K[1, 2]
        k1, k2, k3, p1, p2 = clip.distortion
        x, y = np.moveaxis(clip.joints_3d[..., :2].astype(float) / clip.joints_3d[..., 2:], -1, 0)
        r2 = x * x + y * y
        factor = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * x + p2 * y
        pixels = np.stack([fx * (x * factor + p1 * r2) + cx, fy * (y * factor + p2 * r2) + cy], -1)
        assert np.abs(pixels - clip.joints_2d).max() < 0.001


def test_action_aliases_and_numbers_of_takes_become_one_naming(whole):
    held = {}
    for source in human36m.find(whole[0], POSES).sources:
        if source.camera == "55011271":
            held.setdefault(source.subject, []).append(source.action)
    assert held == {
        "S1": ["Photo", "Photo 2"],
        "S5": ["Discussion", "Discussion 2"],
        "S6": ["Photo"],
        "S7": ["WalkDog"],
        "S8": ["WalkTogether", "WalkTogether 2"],
        "S9": ["Greeting", "Greeting 2", "SittingDown", "SittingDown 2", "Waiting", "Waiting 2"],
        "S11": ["Directions", "Directions 2"],
    }
    clip = by_key(human36m.find(whole[0], POSES))["S5", "Discussion 3", "54138969"].read()
    assert (clip.action, clip.kind, clip.source) == ("Discussion 2", "Discussion", "S5 Discussion 3")


def test_the_broken_camera_of_s11_is_left_out_with_a_note(whole):
    found = human36m.find(whole[0], POSES)
    assert ("S11", "Directions", "54138969") not in by_key(found)
    assert ("S11", "Directions", "55011271") in by_key(found)
    assert ("S11", "Directions 1", "54138969") in by_key(found)
    assert "S11 Directions, camera 54138969: the video is broken, left out" in found.notes


def test_shifted_takes_of_s9_are_noted_and_left_out_with_pictures(whole):
    shifted = {"Greeting", "SittingDown 1", "Waiting 1"}
    for size, there in ((0, True), (64, False)):
        found = human36m.find(whole[0], Options(size=size))
        held = {name for subject, name, _ in by_key(found) if subject == "S9"}
        assert {"Greeting 1", "SittingDown", "Waiting"} <= held
        assert (held & shifted) == (shifted if there else set())
        for name in shifted:
            assert any(note.startswith(f"S9 {name}: the poses stand beside") for note in found.notes)
    # Its number does not depend on what was left out.
    assert by_key(found)["S9", "Greeting 1", "55011271"].action == "Greeting 2"


def test_the_extracted_layout_is_read_too(tmp_path):
    built = build(tmp_path, {"S8": ("Walking 1",)}, layout="extracted")
    for folder in (tmp_path, tmp_path / "extracted"):
        sources = by_key(human36m.find(folder, POSES))
        assert set(sources) == set(built)
        same(sources["S8", "Walking 1", "60457274"].read(), built["S8", "Walking 1", "60457274"])


def test_universal_poses_on_demand(tmp_path):
    kinds = ("D2_Positions", "D3_Positions_mono", "D3_Positions_mono_universal")
    built = build(tmp_path, {"S1": ("Walking",)}, kinds=kinds)
    found = human36m.find(tmp_path, Options(size=0, universal=True))
    for key, source in by_key(found).items():
        same(source.read(), built[key], joints="universal")
    assert any("one body for all" in note for note in found.notes)
    with pytest.raises(DatasetError, match="MyPoseFeatures/D3_Positions_mono_universal"):
        human36m.find(build_only(tmp_path / "b"), Options(size=0, universal=True))


def build_only(folder, **options):
    build(folder, {"S1": ("Walking",)}, **options)
    return folder


def test_world_poses_with_metadata_give_the_same(tmp_path):
    built = build(tmp_path, {"S6": ("Photo 1",)}, kinds=("D2_Positions", "D3_Positions"))
    sources = human36m.find(tmp_path, POSES).sources
    assert [source.camera for source in sources] == list(CAMERAS)
    for source in sources:
        same(source.read(), built["S6", "Photo 1", source.camera])
    (tmp_path / "metadata.xml").unlink()
    with pytest.raises(DatasetError, match="metadata.xml is needed"):
        human36m.find(tmp_path, POSES)


def test_without_metadata_intrinsics_are_published_and_extrinsics_unknown(tmp_path):
    built = build(tmp_path, {"S6": ("Photo 1",)}, metadata=False)
    found = human36m.find(tmp_path, POSES)
    assert any("R = I" in note for note in found.notes)
    for source in found.sources:
        clip = source.read()
        same(clip, built["S6", "Photo 1", source.camera])
        assert np.array_equal(clip.R, np.eye(3)) and not clip.t.any()
        expected = lens_projection(np.array([[0.0, 0, 5000], [900, -700, 5000]]), source.camera)
        # The picture's middle, and where the lens bends.
        assert np.allclose(clip.K[:2, 2], expected[0], atol=1e-3)


def test_metadata_may_lie_in_the_folder_above(tmp_path):
    build(tmp_path / "data", {"S6": ("Photo 1",)})
    (tmp_path / "data" / "metadata.xml").rename(tmp_path / "metadata.xml")
    clip = human36m.find(tmp_path / "data", POSES).sources[0].read()
    assert clip.t.any()


def test_missing_2d_is_projected_with_the_lens(tmp_path):
    built = build(tmp_path, {"S7": ("WalkDog",)}, kinds=("D3_Positions_mono",))
    found = human36m.find(tmp_path, POSES)
    for key, source in by_key(found).items():
        same(source.read(), built[key])
    assert sum("no D2_Positions" in note for note in found.notes) == 4


def test_a_missing_camera_is_noted(tmp_path):
    build(tmp_path, {"S1": ("Walking",)}, cameras=CAMERAS[:1] + CAMERAS[2:])
    found = human36m.find(tmp_path, POSES)
    assert [source.camera for source in found.sources] == [CAMERAS[0], *CAMERAS[2:]]
    assert "S1 Walking: camera 55011271 is missing" in found.notes


def test_all_actions_in_one_hidden_subjects_and_other_files_are_left_out(tmp_path):
    build(tmp_path, {"S1": ("Walking",)})
    folder = pose_folder(tmp_path, "S1", "D3_Positions_mono")
    for name in ("_ALL.54138969.cdf", "_ALL 1.54138969.cdf", "._Walking.54138969.cdf", "notes.txt"):
        (folder / name).write_bytes(b"other")
    (folder / "Swimming.54138969.cdf").write_bytes(b"other")
    (folder / "Walking.12345678.cdf").write_bytes(b"other")
    (tmp_path / "S2" / "Videos").mkdir(parents=True)
    found = human36m.find(tmp_path, POSES)
    assert len(found.sources) == 4
    assert "S2: no poses are public, left out" in found.notes
    assert sum("not the name of a take and a camera" in note for note in found.notes) == 2


def test_two_files_of_one_take_are_refused(tmp_path):
    build(tmp_path, {"S1": ("TakingPhoto",)})
    folder = pose_folder(tmp_path, "S1", "D3_Positions_mono")
    (folder / "Photo.54138969.cdf").write_bytes((folder / "TakingPhoto.54138969.cdf").read_bytes())
    with pytest.raises(
        DatasetError, match="TakingPhoto.54138969.cdf: the same take and camera as Photo"
    ):
        human36m.find(tmp_path, POSES)


def test_aliases_differ_between_poses_and_videos(tmp_path):
    build(tmp_path, {"S1": ("TakingPhoto",)}, cameras=CAMERAS[:1])
    path = tmp_path / "S1" / "Videos" / f"Photo.{CAMERAS[0]}.mp4"
    path.parent.mkdir()
    path.write_bytes(b"a video")
    assert human36m.find(tmp_path, Options()).sources[0].frames is not None


def test_subjects_are_chosen(whole):
    found = human36m.find(whole[0], Options(size=0, subjects=("S9", "S5")))
    assert found.split == {"train": ("S5",), "test": ("S9",)}
    assert {source.subject for source in found.sources} == {"S5", "S9"}
    with pytest.raises(DatasetError, match="no folder S12"):
        human36m.find(whole[0], Options(size=0, subjects=("S1", "S12")))


def test_a_folder_of_something_else_is_refused(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(DatasetError, match="no folder of Human3.6M's subjects"):
            human36m.find(path, POSES)
    (tmp_path / "S1").mkdir()
    with pytest.raises(
        DatasetError, match="MyPoseFeatures/D3_Positions_mono or Poses_D3_Positions_mono"
    ):
        human36m.find(tmp_path, POSES)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filmed")
    return folder, build(
        folder, {"S1": ("Walking",)}, frames=7, cameras=CAMERAS[:2], videos=True, masks=True
    )


@pytest.mark.parametrize("every", [1, 3])
def test_pictures_and_masks_are_those_of_the_rows(filmed, every):
    folder, built = filmed
    for source in human36m.find(folder, Options(every=every)).sources:
        clip, size = source.read(), SIZES[source.camera]
        same(clip, built["S1", "Walking", source.camera], every)
        assert clip.fps == 50 / every
        rows = range(0, 7, every)
        pictures, masks = list(source.frames()), list(source.masks())
        assert len(clip) == len(pictures) == len(masks) == len(rows)
        for row, picture, mask, joints in zip(rows, pictures, masks, clip.joints_2d, strict=True):
            assert picture.shape == (size[1], size[0], 3) and picture.dtype == np.uint8
            assert np.abs(picture[5, 5] - colour(row, size)).max() < 6
            assert mask.dtype == bool
            assert np.array_equal(
                mask, silhouette(built["S1", "Walking", source.camera].pixels[row], size)
            )
            x, y = np.rint(joints[1]).astype(int)
            assert mask[y, x] and picture[y, x].mean() > 180


def test_videos_too_short_or_of_another_size_are_named(filmed, tmp_path):
    folder, built = filmed
    pixels = built["S1", "Walking", CAMERAS[0]].pixels
    build(tmp_path, {"S1": ("Walking",)}, frames=7, cameras=CAMERAS[:1])
    path = tmp_path / "S1" / "Videos" / f"Walking.{CAMERAS[0]}.mp4"
    write_video(path, (1000, 1002), pixels, 5)
    source = human36m.find(tmp_path, Options()).sources[0]
    with pytest.raises(
        DatasetError, match="Walking.54138969.mp4: the video ends after 5 frames, 7 are needed"
    ):
        list(source.frames())
    write_video(path, (1000, 1000), pixels, 7)
    with pytest.raises(DatasetError, match="1000 x 1000 px, camera 54138969 takes 1000 x 1002"):
        list(source.frames())
    path.write_bytes(b"no video")
    with only_dataset_errors(path):
        list(source.frames())


def test_masks_too_few_or_of_another_shape_are_named(filmed, tmp_path):
    build(tmp_path, {"S1": ("Walking",)}, frames=7, cameras=CAMERAS[:1])
    path = tmp_path / "S1" / "MySegmentsMat" / "ground_truth_bs" / f"Walking.{CAMERAS[0]}.mat"
    write_masks(path, [np.zeros((1002, 1000))] * 6)
    source = human36m.find(tmp_path, Options()).sources[0]
    with pytest.raises(DatasetError, match="Masks: 6 masks, 7 are needed"):
        list(source.masks())
    write_masks(path, [np.zeros((1000, 1002))] * 7)
    with pytest.raises(DatasetError, match="picture 0: 1002 x 1000 px"):
        list(source.masks())
    path.write_bytes(b"none")
    with only_dataset_errors(path):
        list(source.masks())


def one_clip(folder, frames=2):
    build(folder, {"S1": ("Walking",)}, frames=frames, cameras=CAMERAS[:1])
    source = human36m.find(folder, POSES).sources[0]
    return source, source.path, pose_folder(folder, "S1", "D2_Positions") / source.path.name


@pytest.mark.parametrize(
    "kind, values, message",
    [
        ("3d", np.zeros((1, 2, 96)), "joint 0 is behind the camera"),
        ("3d", np.full((1, 2, 96), np.nan), "frame 0: joint 0 is at"),
        ("3d", np.full((1, 2, 95), 1000.0), "expected \\(1, frames, 96\\)"),
        ("3d", np.full((2, 2, 96), 1000.0), "expected \\(1, frames, 96\\)"),
        ("3d", np.full((2, 96), 1000.0), "expected \\(1, frames, 96\\)"),
        ("3d", np.full((1, 3, 96), 1000.0), "2 frames; .* has 3"),
        ("3d", np.full((1, 2, 96), 1000, "i4"), "type 4"),
        ("2d", np.full((1, 2, 96), 500.0), "expected \\(1, frames, 64\\)"),
        ("2d", np.full((1, 2, 64), np.inf), "frame 0: joint 0 is at"),
    ],
)
def test_wrong_poses_are_named(tmp_path, kind, values, message):
    source, poses, pixels = one_clip(tmp_path)
    path = poses if kind == "3d" else pixels
    write_cdf(path, values)
    with pytest.raises(DatasetError, match=message) as caught:
        source.read()
    assert str(path) in str(caught.value) and "Pose" in str(caught.value)


def test_another_variable_and_a_missing_file_are_named(tmp_path):
    source, poses, _ = one_clip(tmp_path)
    write_cdf(poses, np.ones((1, 2, 96)), variable="Position")
    with pytest.raises(DatasetError, match="Pose: no such variable"):
        source.read()
    poses.unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        source.read()


def test_damaged_files_give_a_clip_or_one_error(tmp_path):
    source, poses, pixels = one_clip(tmp_path)
    whole = {path: path.read_bytes() for path in (poses, pixels)}
    compressed = tmp_path / "c.cdf"
    write_cdf(compressed, np.full((1, 2, 96), 1000.0), compress=6)
    contents = [(path, data) for path, data in whole.items()] + [(poses, compressed.read_bytes())]

    @settings(max_examples=150, deadline=None, derandomize=True, database=None)
    @given(st.sampled_from(contents).flatmap(lambda item: st.tuples(st.just(item[0]), damaged(item[1]))))
    def check(item):
        path, data = item
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5):
            clip = source.read()
            assert clip.joints_3d.shape == (len(clip), 17, 3) and len(clip) >= 1
            assert np.isfinite(clip.joints_3d).all() and np.isfinite(clip.joints_2d).all()
        path.write_bytes(whole[path])

    check()


def test_damaged_masks_give_masks_or_one_error(tmp_path, monkeypatch):
    build(tmp_path, {"S1": ("Walking",)}, frames=3, cameras=CAMERAS[:1])
    path = tmp_path / "S1" / "MySegmentsMat" / "ground_truth_bs" / f"Walking.{CAMERAS[0]}.mat"
    small = facts.Lens(CAMERAS[0], (1145.0, 1144.0), (5.0, 5.0), (0, 0, 0, 0, 0), 10, 12)
    monkeypatch.setattr(facts, "CAMERAS", (small, *facts.CAMERAS[1:]))
    write_masks(path, [np.eye(12, 10)] * 3)
    source = human36m.find(tmp_path, Options()).sources[0]
    assert np.array_equal(list(source.masks()), [np.eye(12, 10) > 0] * 3)

    @settings(max_examples=100, deadline=None, derandomize=True, database=None)
    @given(damaged(path.read_bytes()))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5):
            assert all(mask.shape == (12, 10) for mask in source.masks())

    check()
