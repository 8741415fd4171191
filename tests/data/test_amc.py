"""ASF and AMC: a small skeleton worked by hand, every fault, and the real recordings where they are
there.
"""

import shutil

import numpy as np
import pytest

from lib.data import mocap
from lib.data.amc import MotionFileError, bone_ends, euler, read_amc, read_asf
from lib.skeleton import HUMAN36M_17

ASF = """:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
   order TX TY TZ RX RY RZ
   axis XYZ
   position 0 0 0
   orientation 0 0 0
:bonedata
  begin
     id 1
     name upper
     direction 1 0 0
     length 2
     axis 0 0 90  XYZ
     dof rx rz
     limits (-160.0 20.0)
            (-60.0 70.0)
  end
  begin
     id 2
     name stiff
     direction 0 1 0
     length 1.5
     axis 0 0 0 XYZ
  end
  begin
     id 3
     name lower
     direction 0 1 0
     length 1
     axis 0 0 0 XYZ
     dof ry
  end
:hierarchy
  begin
    root upper
    upper stiff
    stiff lower
  end
"""
AMC = """#!OML:ASF test
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
upper 0 0
lower 0
2
root 1 2 3 0 90 0
upper 0 90
lower 15
3
root 0 0 0 10 20 30
upper 90 0
lower 0
"""


def write(folder, asf=ASF, amc=AMC):
    (folder / "a.asf").write_text(asf)
    (folder / "a.amc").write_text(amc)
    return folder / "a.asf", folder / "a.amc"


def read(folder, asf=ASF, amc=AMC):
    asf, amc = write(folder, asf, amc)
    skeleton = read_asf(asf)
    return skeleton, read_amc(amc, skeleton)


def test_by_hand(tmp_path):
    skeleton, motion = read(tmp_path)
    assert skeleton.names == ("root", "upper", "stiff", "lower") and motion.shape == (3, 9)
    ends = bone_ends(skeleton, motion) / 50.8  # 25.4 / 0.5 mm a unit
    start = np.array([1.0, 2.0, 3.0])
    np.testing.assert_allclose(
        ends[0], start + [[0, 0, 0], [2, 0, 0], [2, 1.5, 0], [2, 2.5, 0]], atol=1e-12
    )
    # The root turns by 90 degrees about y (x to -z), upper before it by 90 about z (x to y).
    turned = [[0, 0, 0], [0, 2, 0], [0, 2, 1.5], [0, 2, 2.5]]
    np.testing.assert_allclose(ends[1], start + turned, atol=1e-12)
    # The axis of upper is turned by 90 about z: its channel rx is a turn about y.
    local = euler(np.array([0.0, 90.0, 0.0]), "xyz")
    root = euler(np.array([10.0, 20.0, 30.0]), "xyz")
    np.testing.assert_allclose(ends[2, 1], root @ local @ [2, 0, 0], atol=1e-12)


def test_euler_order():
    angles = np.array([90.0, 0.0, 90.0])
    np.testing.assert_allclose(euler(angles, "xyz") @ [0, 1, 0], [0, 0, 1], atol=1e-12)  # x first
    np.testing.assert_allclose(euler(angles, "zyx") @ [0, 1, 0], [-1, 0, 0], atol=1e-12)  # z first


def test_line_ends_and_order_of_bones(tmp_path):
    _, motion = read(tmp_path)
    other = AMC.replace("upper 0 0\nlower 0\n", "lower 0\nupper 0 0\n")
    other = other.replace("upper 0 90\nlower 15\n", "lower 15\nupper 0 90\n")
    other = other.replace("upper 90 0\nlower 0\n", "lower 0\nupper 90 0\n").replace("\n", "\r\n")
    np.testing.assert_array_equal(read(tmp_path, amc=other)[1], motion)


AMC_FAULTS = {
    "a.amc:13: frame 3: no channels of upper, lower; the file may be truncated": lambda s: s[
        : s.index("upper 90")
    ].rstrip(),
    "a.amc:14: 1 values, expected 2": lambda s: s[: s.index(" 0\nlower 0\n", s.index("upper 90"))],
    "a.amc:6: 3 values, expected 2": lambda s: s.replace("upper 0 0", "upper 0 0 0"),
    "a.amc:10: a value is not finite": lambda s: s.replace("upper 0 90", "upper nan 90"),
    "a.amc:10: could not convert": lambda s: s.replace("upper 0 90", "upper 0 9O"),
    "a.amc:11: frame 2: the skeleton has no bone 'tail'": lambda s: s.replace(
        "lower 15", "tail 15"
    ),
    "a.amc:11: frame 2: no channels of lower": lambda s: s.replace("lower 15\n", ""),
    "a.amc:11: frame 2: bone upper twice": lambda s: s.replace("lower 15", "upper 0 90"),
    "a.amc:8: frame 5 after frame 1": lambda s: s.replace("\n2\n", "\n5\n"),
    "no frame 1": lambda s: s[:20],
    "no :DEGREES": lambda s: s.replace(":DEGREES", ":RADIANS"),
    "order of the bones changes": lambda s: s.replace(
        "upper 0 90\nlower 15", "lower 15\nupper 0 90"
    ),
}


@pytest.mark.parametrize("message", AMC_FAULTS)
def test_amc_fault(message, tmp_path):
    with pytest.raises(MotionFileError) as error:
        read(tmp_path, amc=AMC_FAULTS[message](AMC))
    assert message in str(error.value) and "a.amc:" in str(error.value)


ASF_FAULTS = {
    "a.asf:26: bone stiff has zero length": lambda s: s.replace("length 1.5", "length 0"),
    "a.asf:15: could not convert": lambda s: s.replace("direction 1 0 0", "direction 1 0 x"),
    "a.asf:15: 2 values, expected 3": lambda s: s.replace("direction 1 0 0", "direction 1 0"),
    "a.asf:15: a value is not finite": lambda s: s.replace("direction 1 0 0", "direction nan 0 0"),
    "a.asf:29: a bone without length": lambda s: s.replace("     length 1\n", ""),
    "a.asf:18: bone upper: dof rx tz": lambda s: s.replace("dof rx rz", "dof rx tz"),
    "a.asf:17: axis order 'xyy'": lambda s: s.replace("axis 0 0 90  XYZ", "axis 0 0 90 XYY"),
    "a.asf:5: angles in": lambda s: s.replace("angle deg", "angle rad"),
    "a.asf:41: no bone tail": lambda s: s.replace("stiff lower", "stiff tail"),
    "bones lower are not in the hierarchy": lambda s: s.replace("    stiff lower\n", ""),
    "no section :hierarchy; the file may be truncated": lambda s: s[: s.index(":hierarchy")],
    "root order": lambda s: s.replace("TX TY TZ RX", "TX TY TZ"),
}


@pytest.mark.parametrize("message", ASF_FAULTS)
def test_asf_fault(message, tmp_path):
    with pytest.raises(MotionFileError) as error:
        read(tmp_path, asf=ASF_FAULTS[message](ASF))
    assert message in str(error.value) and "a.asf:" in str(error.value)


def test_missing_file_and_missing_bone(tmp_path):
    with pytest.raises(MotionFileError, match="cannot be read"):
        read_asf(tmp_path / "none.asf")
    with pytest.raises(MotionFileError, match="no bone .*hipjoint"):
        mocap.h17_joints(*read(tmp_path))


def test_pieces():
    joints = np.zeros((400, 17, 3))
    assert list(mocap.pieces(joints)) == [(0, 400)]
    joints[100:103, 5, 0] = 300.0  # a knee elsewhere for three frames
    joints[300:, 16, 1] = 200.0  # a wrist that does not come back
    assert list(mocap.pieces(joints)) == [(0, 100), (103, 300), (300, 400)]
    assert list(mocap.pieces(joints, [(1, 10), (200, 200)])) == [
        (10, 100),
        (103, 199),
        (200, 300),
        (300, 400),
    ]
    joints[350, 0, 0] = 1e4  # leaves two pieces of less than half a second
    assert list(mocap.pieces(joints)) == [(0, 100), (103, 300)]


def test_studio_outdoor_and_motion_share_no_subject():
    apart = ("studio", "outdoor", "motion")
    numbers = [number for role in apart for number in mocap.SUBJECTS[role].values()]
    assert len(numbers) == len(set(numbers)) == 14
    assert "mocap.cs.cmu.edu" in mocap.LICENCE and "EIA-0196217" in mocap.LICENCE


def test_missing_recordings(tmp_path, monkeypatch):
    monkeypatch.setenv("CMU_MOCAP", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="CMU_MOCAP"):
        mocap.source_folder()


@pytest.fixture(scope="module")
def folder():
    try:
        return mocap.source_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("trial", ["02_03", "14_12", "127_23"])
def test_real_bone_lengths_are_constant(folder, trial):
    subject = trial.split("_")[0]
    skeleton = read_asf(folder / f"asfamc/{subject}/{subject}.asf")
    motion = read_amc(folder / f"asfamc/{subject}/{trial}.amc", skeleton)
    ends = bone_ends(skeleton, motion)
    lengths = np.linalg.norm(ends[:, 1:] - ends[:, list(skeleton.parents[1:])], axis=-1)
    np.testing.assert_allclose(
        lengths,
        np.broadcast_to(np.linalg.norm(skeleton.offsets[1:], axis=1), lengths.shape),
        atol=1e-3,
    )
    joints = mocap.h17_joints(skeleton, motion)
    place = HUMAN36M_17.joints.index
    assert joints[..., 2].min() > -60 and 1300 < joints[:, place("head"), 2].max() < 2600
    femur = np.linalg.norm(joints[:, place("left_knee")] - joints[:, place("left_hip")], axis=-1)
    assert 380 < femur.mean() < 440 and np.ptp(femur) < 1e-3


def test_real_take_cut_at_a_frame_is_noticed(folder, tmp_path):
    """An AMC does not say how long it is; the manifest does."""
    shutil.copytree(folder / "asfamc/03", tmp_path / "asfamc/03")
    shutil.copy(folder / "MANIFEST.csv", tmp_path)
    file = tmp_path / "asfamc/03/03_01.amc"
    text = file.read_text()
    file.write_text(text[: text.index("\n200\n") + 1])
    with pytest.raises(MotionFileError, match="03_01.amc:.* 199 frames, 432 in the manifest"):
        next(mocap.recordings("motion", tmp_path))


def test_real_glitches_are_dropped(folder):
    recordings = {recording.trial: recording for recording in mocap.recordings("motion", folder)}
    assert recordings["03_02"].dropped == 50 and recordings["09_01"].dropped == 0
    for recording in recordings.values():
        for first, stop in recording.pieces:
            steps = np.linalg.norm(np.diff(recording.joints[first:stop], axis=0), axis=-1)
            assert steps.max() < mocap.JUMP
    (take, *_) = recordings["09_12"].takes()
    assert take.fps == 30.0 and take.source == "CMU 09_12" and take.joints.shape == (480, 17, 3)
