"""SURREAL: clips of its layout, imported and compared with what went in; damaged ones refused.

Two things check the mirrored camera without the reader's matrices: the file's camera, coordinate by
coordinate, in `built_surreal.project`, and a person's left, which is up x ahead in a right-handed frame.
"""

import built_surreal
import numpy as np
import pytest
from built_surreal import JOINTS, project, scene, write, write_video
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data.clip import check_clip
from lib.data.dataset import DatasetError
from lib.data.readers import surreal
from lib.data.solids import PARTS
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

FUZZ = settings(max_examples=300, deadline=None, derandomize=True, database=None)
LABELS_ONLY = Options(size=0)
# Joint of Human3.6M -> joint of SMPL at the same place on the body.
SAME = {
    "pelvis": "pelvis", "spine": "spine2", "thorax": "neck", "nose": "head",
    **{f"{side}_{joint}": f"{side}_{joint}" for side in ("left", "right")
       for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist")},
}  # fmt: skip


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("surreal")
    return folder, built_surreal.build(folder)


def one(folder, made, options=LABELS_ONLY, **changed):
    """Source and clip of one clip that is written to ``folder``."""
    base = folder / "data/cmu/train/run0/01_01"
    base.mkdir(parents=True, exist_ok=True)
    write(base / "01_01_c0001", made, videos=False, **changed)
    found = surreal.find(folder, options)
    (source,) = found.sources
    clip = source.read()
    if clip.valid.any():
        check_clip(clip, found.skeleton, found.split, str(folder))
    return source, clip


def at(values, joint):
    return values[:, HUMAN36M_17.index(joint)]


def other(name):
    swap = {"left": "right", "right": "left"}
    side, _, rest = name.partition("_")
    return f"{swap[side]}_{rest}" if side in swap else name


def test_clips_subjects_and_split(download):
    found = surreal.find(download[0], Options())
    assert [source.group for source in found.sources] == [
        "/train-01/01_01 run0 1/blender",
        "/train-01/01_01 run0 2/blender",
        "/train-143/143_22 run0 1/blender",
        "/train-02/02_03 run1 1/blender",
        "/test-104/ung_104_02 run0 1/blender",
    ]
    assert found.split == {"train": ("train-01", "train-143", "train-02"), "test": ("test-104",)}
    for source in found.sources:
        clip = source.read()
        assert clip.group == source.group
        check_clip(clip, found.skeleton, found.split, str(source.path))


def test_distorted_bodies_are_left_out(download):
    found = surreal.find(download[0], Options())
    assert not any(s.action.startswith(("18_", "19_", "143_21")) for s in found.sources)
    assert any(note.startswith("2 clips of distorted bodies") for note in found.notes)


def test_val_is_a_part_of_test(download, tmp_path):
    notes = surreal.find(download[0], Options()).notes
    assert any(note.startswith("1 clips of val are left out") for note in notes)
    built_surreal.build(tmp_path, [("val", "run0", "01_01", 1)], videos=False)
    assert surreal.find(tmp_path, LABELS_ONLY).split == {"train": (), "test": ("val-01",)}


@pytest.mark.parametrize("inner", ["", "SURREAL", "SURREAL/data", "SURREAL/data/cmu"])
def test_any_folder_of_the_download_may_be_given(download, inner):
    assert len(surreal.find(download[0] / inner, Options()).sources) == 5


def test_places_are_those_of_the_mirrored_camera(download):
    """Each joint of the clip is where the file's camera has the joint of the other side, in mm."""
    folder, made = download
    clip = surreal.find(folder, Options()).sources[0].read()
    went_in = made["train", "run0", "01_01", 1]
    x, y, z = np.moveaxis(went_in.joints_3d.astype(float) - went_in.place, -1, 0)
    camera = np.stack([-z, y, -x], axis=-1) * 1000
    for joint, smpl in SAME.items():
        assert np.allclose(at(clip.joints_3d, joint), camera[:, JOINTS.index(other(smpl))], atol=1e-2)


def test_reprojection_is_joints2d_of_the_other_side(download):
    """To the rounding of the file: exactly, once rounded."""
    folder, made = download
    for source in surreal.find(folder, Options()).sources:
        clip = source.read()
        run, number = source.action.split()[1:]
        key = (source.subject.split("-")[0], run, clip.source, int(number))
        pixels = clip.joints_3d @ clip.K.T
        pixels = pixels[..., :2] / pixels[..., 2:]
        assert np.allclose(pixels, clip.joints_2d, atol=1e-3)
        for joint, smpl in SAME.items():
            wanted = made[key].joints_2d[:, JOINTS.index(other(smpl))]
            assert (np.round(at(clip.joints_2d, joint)) == wanted).all()
            assert np.abs(at(clip.joints_2d, joint) - wanted).max() <= 0.5 + 1e-3


def test_camera_is_a_rotation_of_the_mirrored_world(download):
    folder, made = download
    clip = surreal.find(folder, Options()).sources[0].read()
    went_in = made["train", "run0", "01_01", 1]
    assert np.linalg.det(clip.R) == pytest.approx(1) and np.allclose(clip.R @ clip.R.T, np.eye(3))
    assert clip.K.tolist() == [[600, 0, 160], [0, 600, 120], [0, 0, 1]]
    world = went_in.joints_3d.astype(float) * (1, 1, -1) * 1000
    for joint, smpl in SAME.items():
        seen = world[:, JOINTS.index(other(smpl))] @ clip.R.T + clip.t
        assert np.allclose(seen, at(clip.joints_3d, joint), atol=1e-2)
    assert np.allclose(-clip.R.T @ clip.t, went_in.place * (1, 1, -1) * 1000, atol=1e-2)


def leftness(left, right, ahead, up):
    """Positive where ``left`` is on the left of a person that looks ahead, in a right-handed frame."""
    return ((left - right) * np.cross(up, ahead)).sum(-1)


def test_left_is_on_the_left_of_where_the_feet_point(download):
    """In the world of the file, whose names are right, and in the clip; not before names are changed."""
    folder, made = download
    for number, source in enumerate(surreal.find(folder, Options()).sources[:2]):
        clip = source.read()
        world = made["train", "run0", "01_01", number + 1].joints_3d.astype(float)
        joint = {name: world[:, index] for index, name in enumerate(JOINTS)}
        ahead = sum(joint[f"{side}_foot"] - joint[f"{side}_ankle"] for side in ("left", "right"))
        up = np.broadcast_to([0, -1.0, 0], ahead.shape)
        assert (leftness(joint["left_hip"], joint["right_hip"], ahead, up) > 0).all()
        # Where the feet point is seen by the camera whatever the feet are called.
        ahead = np.stack([-ahead[:, 2], ahead[:, 1], -ahead[:, 0]], axis=-1)
        for part in ("hip", "shoulder"):
            left, right = at(clip.joints_3d, f"left_{part}"), at(clip.joints_3d, f"right_{part}")
            assert (leftness(left, right, ahead, up) > 0).all()
            assert (leftness(right, left, ahead, up) < 0).all()


def test_parts_change_sides_with_the_joints(download):
    """At a left elbow the picture shows a left arm."""
    folder, made = download
    source = surreal.find(folder, Options()).sources[0]
    clip = source.read()
    wanted = {
        "wrist": "hand", "elbow": "lower_arm", "shoulder": "upper_arm", "knee": "lower_leg",
        "ankle": "foot", "hip": "upper_leg",
    }  # fmt: skip
    hits = 0
    for parts, points in zip(source.parts(), clip.joints_2d, strict=True):
        assert parts.shape == (240, 320) and parts.dtype == np.uint8
        for side in ("left", "right"):
            for joint, part in wanted.items():
                x, y = np.round(points[HUMAN36M_17.index(f"{side}_{joint}")]).astype(int)
                hits += PARTS[parts[y, x]] == f"{side}_{part}"
        x, y = np.round(points[HUMAN36M_17.index("nose")]).astype(int)
        assert PARTS[parts[y, x]] == "head"
    assert hits >= 0.8 * len(clip) * 12  # others are covered by a neighbour's square


def test_all_of_smpls_parts(tmp_path):
    """Each number of the file, by the published order of names."""
    made = scene(1)
    made.parts[0] = 0
    made.parts[0, 0, :25] = np.arange(25)
    source, _ = one(tmp_path, made)
    names = [PARTS[number] for number in next(source.parts())[0, :25]]
    assert names[:10] == [
        "background", "torso", "right_upper_leg", "left_upper_leg", "torso",
        "right_lower_leg", "left_lower_leg", "torso", "right_foot", "left_foot",
    ]  # fmt: skip
    assert names[10:] == [
        "torso", "right_foot", "left_foot", "head", "torso", "torso", "head",
        "right_upper_arm", "left_upper_arm", "right_lower_arm", "left_lower_arm",
        "right_hand", "left_hand", "right_hand", "left_hand",
    ]  # fmt: skip


def test_masks_and_pictures(download):
    folder, made = download
    for source in surreal.find(folder, Options()).sources[:2]:
        went_in = made["train", "run0", "01_01", int(source.action.split()[-1])]
        masks, pictures = list(source.masks()), list(source.frames())
        assert np.array_equal(masks, went_in.parts > 0) and masks[0].dtype == bool
        assert len(pictures) == len(went_in.grey)
        for picture, grey in zip(pictures, went_in.grey, strict=True):
            assert picture.shape == (240, 320, 3) and picture.dtype == np.uint8
            assert abs(float(picture[100:].mean()) - grey) < 3
            assert picture[5:35, 5:35].min() > 230 and picture[5:35, -35:-5].max() < 230


def test_every_nth_frame(download):
    folder, made = download
    source = surreal.find(folder, Options(every=3)).sources[0]
    clip, went_in = source.read(), made["train", "run0", "01_01", 1]
    assert len(clip) == 2 and clip.fps == 10
    assert (np.round(at(clip.joints_2d, "nose")) == went_in.joints_2d[::3, JOINTS.index("head")]).all()
    assert np.array_equal(list(source.masks()), went_in.parts[::3] > 0)
    assert np.allclose([p[100:].mean() for p in source.frames()], went_in.grey[::3], atol=3)


def test_a_clip_of_one_frame_drops_axes(tmp_path):
    made = scene(1)
    source, clip = one(tmp_path, made)
    assert len(clip) == 1 and clip.valid.all() and clip.fps == 30
    assert (np.round(at(clip.joints_2d, "left_knee")) == made.joints_2d[:, JOINTS.index("right_knee")]).all()
    assert np.array_equal(list(source.masks()), made.parts > 0)


def test_frames_without_2d_joints_are_not_valid(tmp_path):
    made = scene(4)
    made.joints_2d[1] = 0
    _, clip = one(tmp_path, made)
    assert clip.valid.tolist() == [True, False, True, True]


def test_a_body_out_of_view_is_not_valid(tmp_path):
    made = scene(4)
    made.joints_3d[2, :, 2] += 20  # to the side
    made.joints_3d[3, :, 0] += 20  # behind the camera
    made.joints_2d[:] = np.round(project(made.joints_3d, made.place))
    _, clip = one(tmp_path, made)
    assert clip.valid.tolist() == [True, True, False, False]
    assert np.isfinite(clip.joints_2d).all() and np.isfinite(clip.joints_3d).all()


def test_a_clip_without_any_good_frame_is_still_read(tmp_path):
    made = scene(3)
    made.joints_2d[:] = 0
    assert not one(tmp_path, made)[1].valid.any()


def test_frames_whose_2d_joints_are_elsewhere_are_not_valid(tmp_path):
    made = scene(3)
    made.joints_2d[1] += 3
    assert one(tmp_path, made)[1].valid.tolist() == [True, False, True]


def test_another_camera_is_refused(tmp_path):
    made = scene(3)
    made.joints_2d[..., 0] = 319 - made.joints_2d[..., 0]
    with pytest.raises(DatasetError, match="_info.mat: joints2D: .* px or more from joints3D"):
        one(tmp_path, made)


def test_top_of_the_head_is_made_up_and_not_labelled(download):
    clip = surreal.find(download[0], Options()).sources[0].read()
    assert np.flatnonzero(~clip.labelled.all(0)).tolist() == [HUMAN36M_17.index("head")]
    neck, nose, head = (at(clip.joints_3d, joint) for joint in ("thorax", "nose", "head"))
    assert np.allclose(head - nose, nose - neck, atol=1e-2)
    assert np.linalg.norm(head - nose, axis=-1).min() > 1


def test_metres_become_millimetres(download):
    folder, made = download
    clip = surreal.find(folder, Options()).sources[0].read()
    thigh = np.linalg.norm(at(clip.joints_3d, "left_hip") - at(clip.joints_3d, "left_knee"), axis=-1)
    assert (thigh > 300).all() and (thigh < 600).all()


def test_all_clips_of_a_sequence_are_one_recording(download):
    sources = surreal.find(download[0], Options()).sources
    assert {source.read().source for source in sources[:2]} == {"01_01"}


def test_labels_alone_need_no_videos(tmp_path):
    built_surreal.build(tmp_path, [("train", "run0", "01_01", 1)], videos=False)
    (tmp_path / "SURREAL/data/cmu/train/run0/01_01/01_01_c0001_segm.mat").unlink()
    (source,) = surreal.find(tmp_path, Options()).sources
    assert source.frames is source.masks is source.parts is None
    assert len(source.read()) == 4


def test_a_short_video_is_refused(tmp_path):
    built_surreal.build(tmp_path, [("train", "run0", "01_01", 1)])
    video = tmp_path / "SURREAL/data/cmu/train/run0/01_01/01_01_c0001.mp4"
    write_video(video, [10, 20, 30])
    (source,) = surreal.find(tmp_path, Options()).sources
    with pytest.raises(DatasetError, match="c0001.mp4.*after 3 frames, 4 are needed"):
        list(source.frames())
    write_video(video, [10, 20, 30, 40], (160, 120))
    with pytest.raises(DatasetError, match="160 x 120 px, expected 320 x 240"):
        list(source.frames())


def test_subjects_can_be_chosen(download):
    found = surreal.find(download[0], Options(subjects=("test-104",)))
    assert found.split == {"train": (), "test": ("test-104",)} and len(found.sources) == 1
    with pytest.raises(DatasetError, match="none of the subjects S1 .has: train-01"):
        surreal.find(download[0], Options(subjects=("S1",)))


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="train, val, test"):
        surreal.find(tmp_path, Options())
    (tmp_path / "train/run0/01_01").mkdir(parents=True)
    with pytest.raises(DatasetError, match="_c<clip>_info.mat"):
        surreal.find(tmp_path, Options())


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"joints2D": None}, "joints2D: no such variable"),
        ({"joints3D": None}, "joints3D: no such variable"),
        ({"camLoc": None}, "camLoc: no such variable"),
        ({"joints2D": np.zeros((2, 23, 4))}, "joints2D: shape"),
        ({"joints2D": np.zeros((2, 24, 3))}, "of 3 and 4 frames"),
        ({"joints2D": np.full((2, 24, 4), np.nan)}, "joints2D: holds values that are not finite"),
        ({"joints3D": np.zeros((24, 3, 4))}, "joints3D: shape"),
        ({"joints3D": np.full((3, 24, 4), 1e20)}, "joints3D: holds 1e\\+20"),
        ({"joints3D": np.zeros((3, 24, 0))}, "joints3D: shape"),
        ({"joints3D": "text"}, "joints3D: shape"),
        ({"camLoc": np.zeros(2)}, "camLoc: shape"),
        ({"camLoc": np.full(3, np.inf)}, "camLoc: holds values"),
        ({"camLoc": np.array([["a"], ["b"]], object)}, "camLoc: of type object"),
    ],
)
def test_wrong_fields_are_refused(tmp_path, changed, match):
    with pytest.raises(DatasetError, match=f"01_01_c0001_info.mat: .*{match}"):
        one(tmp_path, scene(4), **changed)


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        (np.full((4, 240, 320), 25, np.uint8), "segm_1: parts from 25 to 25"),
        (np.zeros((4, 240, 321), np.uint8), "segm_1: uint8"),
        (np.zeros((4, 240, 320)), "segm_1: float64"),
        (np.zeros((3, 240, 320), np.uint8), "segm_4: no such variable"),
    ],
)
def test_wrong_parts_are_refused(tmp_path, parts, match):
    made = scene(4)
    object.__setattr__(made, "parts", parts)
    source, _ = one(tmp_path, made)
    with pytest.raises(DatasetError, match=f"01_01_c0001_segm.mat: {match}"):
        list(source.parts())


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    made = scene(2)
    source, _ = one(folder, made, packed=False)  # so that damage reaches the numbers
    return source, source.path.with_name("01_01_c0001_segm.mat"), folder, made


def read_all(folder, *files):
    with only_dataset_errors(*files), limited(seconds=5):
        found = surreal.find(folder, LABELS_ONLY)
        (source,) = found.sources
        clip = source.read()
        if clip.valid.any():
            check_clip(clip, found.skeleton, found.split, str(source.path))
        for parts, mask in zip(source.parts(), source.masks(), strict=True):
            assert parts.max() < len(PARTS) and mask.dtype == bool


@FUZZ
@given(data=st.data())
def test_damaged_files_are_refused(whole, data):
    source, parts, folder, _ = whole
    file = data.draw(st.sampled_from([source.path, source.path, parts]))
    content = file.read_bytes()
    try:
        file.write_bytes(data.draw(damaged(content)))
        read_all(folder, source.path, parts)
    finally:
        file.write_bytes(content)


@settings(FUZZ, max_examples=150)
@given(
    field=st.sampled_from(["joints2D", "joints3D", "camLoc"]),
    shape=st.lists(st.sampled_from([0, 1, 2, 3, 24]), min_size=1, max_size=4),
    dtype=st.sampled_from(["f8", "f4", "i2", "u1", "c16", "U3", "O", "?"]),
    fill=st.sampled_from([0, 1, -1, 50, np.nan, np.inf, 1e30]),
)
def test_wrong_shapes_and_types_are_refused(whole, field, shape, dtype, fill):
    source, parts, folder, made = whole
    kind = np.dtype(dtype).kind
    fill = int(np.nan_to_num(fill, posinf=1)) % 100 if kind in "iu?" else fill
    value = np.full(shape, str(fill) if kind == "U" else fill, dtype)
    content = source.path.read_bytes()
    try:
        write(source.path.with_name("01_01_c0001"), made, videos=False, **{field: value})
        read_all(folder, source.path, parts)
    finally:
        source.path.write_bytes(content)
