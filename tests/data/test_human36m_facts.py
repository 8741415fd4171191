"""What all layouts of Human3.6M share: names of takes, the cameras of metadata.xml, the lens."""

import sys
from pathlib import Path

import numpy as np
import pytest
from damage import damaged, limited, only_dataset_errors
from hypothesis import given, settings
from scipy.spatial.transform import Rotation

sys.path.append(str(Path(__file__).parent / "readers"))
import built_human36m as built  # noqa: E402

from lib.data import human36m as h36m  # noqa: E402
from lib.data.dataset import DatasetError  # noqa: E402
from lib.data.human36m import Take, parse_take, take_names  # noqa: E402
from lib.skeleton import HUMAN36M_17, HUMAN36M_32, correspondence  # noqa: E402

METADATA = built.metadata_xml()


def written(tmp_path, text=METADATA):
    path = tmp_path / "metadata.xml"
    path.write_text(text)
    return path


def test_the_joints_kept_are_the_usual_ones():
    assert correspondence(HUMAN36M_32, HUMAN36M_17) == tuple((joint, joint) for joint in built.KEPT)


def test_action_aliases_are_one_action():
    for one, other in (
        ("TakingPhoto", "Photo"),
        ("WalkingDog", "WalkDog"),
        ("WalkingTogether", "WalkTogether"),
    ):
        assert parse_take(f"{one} 1") == parse_take(f"{other} 1") == Take(other, 1)
    assert parse_take("Sitting") == Take("Sitting", 0)
    assert parse_take("SittingDown 2") == Take("SittingDown", 2)
    for name in ("_ALL", "Miscellaneous", "Photo-1", "Photo  1", "photo", "Photo 1.x", "Photo ²", ""):
        assert parse_take(name) is None
    assert [h36m.action_number(kind) for kind in ("Directions", "Photo", "WalkTogether")] == [2, 12, 16]


def test_takes_are_numbered_alike_in_all_subjects():
    def names(*files):
        return list(take_names(map(parse_take, files)).values())

    assert names("Directions", "Directions 1") == ["Directions", "Directions 2"]
    assert names("Phoning 3", "Phoning 2") == ["Phoning", "Phoning 2"]
    assert names("Photo 1", "TakingPhoto", "Photo 1") == ["Photo", "Photo 2"]
    assert names("Walking 1") == ["Walking"]


def test_projection_reproduces_the_official_2d_to_a_thousandth_of_a_pixel():
    wrong_order, pinhole = [], []
    for camera in built.CAMERAS:
        lens = h36m.lens_of(camera)
        for name in ("Walking", "Greeting 1", "Photo"):
            joints = built.see("S9", camera, built.people("S9", name, 12)).joints
            official = built.lens_projection(joints, camera)
            assert np.abs(h36m.project(joints, lens.K, lens.distortion) - official).max() < 0.001
            other = built.lens_projection(joints, camera, swapped=True)
            wrong_order.append(np.linalg.norm(other - official, axis=-1).mean())
            other = h36m.project(joints, lens.K, np.zeros(5))
            pinhole.append(np.linalg.norm(other - official, axis=-1).mean())
    # What the two usual mistakes cost: they would not pass for rounding, nor show in a picture.
    assert 0.03 < np.mean(wrong_order) < 0.18 and min(wrong_order) > 0.001
    assert 1.0 < np.mean(pinhole) < 3.0


def test_intrinsics_of_metadata_are_the_published_ones(tmp_path):
    views = h36m.read_metadata(written(tmp_path))
    assert set(views) == {(f"S{n}", camera) for n in range(1, 12) for camera in built.CAMERAS}
    for (_, camera), view in views.items():
        lens = h36m.lens_of(camera)
        assert np.allclose(view.K, lens.K, atol=1e-4) and np.allclose(
            view.distortion, lens.distortion, atol=1e-9
        )
        assert (lens.width, lens.height) == built.SIZES[camera]


def test_extrinsics_of_metadata_are_those_published_as_quaternions(tmp_path):
    views = h36m.read_metadata(written(tmp_path))
    world = built.people("S7", "Walking", 3)
    for camera in built.CAMERAS:
        (w, x, y, z), place = built.STANDS[camera]
        view = views["S7", camera]
        place = np.array(place) + 70
        seen = (
            Rotation.from_quat([x, y, z, w])
            .inv()
            .apply((world - place).reshape(-1, 3))
            .reshape(world.shape)
        )
        assert np.allclose(world @ view.R.T + view.t, seen, atol=1e-3)
        assert (view.R @ [0, 0, 1])[1] < -0.9  # the world's up is the picture's up


def test_metadata_that_is_wrong_is_named(tmp_path):
    def refused(text):
        path = written(tmp_path, text)
        with pytest.raises(DatasetError) as caught:
            h36m.read_metadata(path)
        assert str(path) in str(caught.value) and "w0" in str(caught.value)
        return str(caught.value)

    assert "no such element" in refused(METADATA.replace("w0", "w1"))
    assert "299 numbers" in refused(METADATA.replace("<w0>[", "<w0>[", 1).replace(" 1145.04944", "", 1))
    assert "301 numbers" in refused(METADATA.replace("<w0>[", "<w0>[1 "))
    moved = METADATA.replace("<w0>[", "<w0>[1 ").replace(" -0.000587205578]", "]")
    assert "focal" in refused(moved)
    assert "cannot be read" in refused(METADATA.replace("1145.04944", "many"))
    assert "huge" in refused(METADATA.replace("1145.04944", "nan"))
    assert "huge" in refused(METADATA.replace("1145.04944", "1e999"))
    with pytest.raises(DatasetError, match="too many"):
        h36m.read_metadata(written(tmp_path, METADATA + " " * (1 << 22)))


def test_damaged_metadata_is_refused_or_read(tmp_path):
    path = tmp_path / "metadata.xml"

    @settings(max_examples=200, deadline=None, derandomize=True, database=None)
    @given(damaged(METADATA.encode()))
    def check(data):
        path.write_bytes(data)
        with only_dataset_errors(path), limited(seconds=5):
            for view in h36m.read_metadata(path).values():
                assert np.isfinite(view.t).all() and np.allclose(view.R @ view.R.T, np.eye(3), atol=1e-9)

    check()


def test_pictures_of_another_size_are_refused():
    good, bad = np.zeros((1002, 1000, 3), np.uint8), np.zeros((1000, 1000, 3), np.uint8)
    closed = []

    def pictures():
        try:
            yield good
            yield bad
        finally:
            closed.append(True)

    stream = h36m.of_size(pictures(), "54138969", "a.mp4")
    assert next(stream) is good
    with pytest.raises(DatasetError, match="a.mp4: picture 1: 1000 x 1000 px, camera 54138969"):
        next(stream)
    assert closed
    stream = h36m.of_size(pictures(), "54138969", "a.mp4")
    next(stream)
    stream.close()
    assert len(closed) == 2


def test_known_faults_are_left_out_or_noted():
    notes = []
    greeting = Take("Greeting", 0)
    assert h36m.FAULTS_OF_FILES.admits("S9", greeting, "54138969", False, notes)
    assert not h36m.FAULTS_OF_FILES.admits("S9", greeting, "54138969", True, notes)
    assert h36m.FAULTS_OF_FILES.admits("S11", greeting, "54138969", True, notes)
    assert h36m.FAULTS_OF_FILES.admits("S9", Take("Greeting", 1), "54138969", True, notes)
    assert not h36m.FAULTS_OF_FILES.admits("S11", Take("Directions", 0), "54138969", False, notes)
    assert h36m.FAULTS_OF_FILES.admits("S11", Take("Directions", 0), "55011271", True, notes)
    assert len(notes) == 3
