"""BVH: a small tree worked by hand, every fault, and takes that are there in both formats."""

import numpy as np
import pytest

from lib.data import mocap
from lib.data.amc import MotionFileError, bone_ends, read_amc, read_asf
from lib.data.bvh import joint_positions, read_bvh

BVH = """HIERARCHY
ROOT Hips
{
	OFFSET 0 0 0
	CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
	JOINT Knee
	{
		OFFSET 0 -4 0
		CHANNELS 3 Zrotation Yrotation Xrotation
		End Site
		{
			OFFSET 0 -3 0
		}
	}
}
MOTION
Frames: 2
Frame Time: 0.0083333
1 2 3 0 0 0 0 0 0
1 2 3 90 0 0 0 0 90
"""


def read(folder, text=BVH):
    (folder / "a.bvh").write_text(text)
    return read_bvh(folder / "a.bvh")


def test_by_hand(tmp_path):
    bvh = read(tmp_path)
    assert bvh.names == ("Hips", "Knee", "Knee_end") and bvh.parents == (-1, 0, 1)
    assert bvh.frame_time == pytest.approx(1 / 120, rel=1e-4)
    positions = joint_positions(bvh, millimetres=10.0)
    np.testing.assert_allclose(
        positions[0], [[10, 20, 30], [10, -20, 30], [10, -50, 30]], atol=1e-9
    )
    # Hips about z by 90: -y becomes x. Knee about its x by 90: -y becomes -z, which z leaves alone.
    np.testing.assert_allclose(positions[1], [[10, 20, 30], [50, 20, 30], [50, 20, 0]], atol=1e-9)


FAULTS = {
    "a.bvh:20: 8 values, expected 9": lambda s: s.rstrip()[:-3],
    "a.bvh:19: 10 values, expected 9": lambda s: s.replace("3 0 0 0 0 0 0", "3 0 0 0 0 0 0 0"),
    "a.bvh:19: a value is not finite": lambda s: s.replace("1 2 3 0", "1 nan 3 0"),
    "a.bvh:20: could not convert": lambda s: s.replace("3 90", "3 x"),
    "1 frames, 2 announced; the file may be truncated": lambda s: s[: s.index("1 2 3 90")],
    "no HIERARCHY and MOTION; the file may be truncated": lambda s: s[:150],
    "a.bvh:9: joint Knee: bad CHANNELS 2": lambda s: s.replace("CHANNELS 3 Z", "CHANNELS 2 Z"),
    "a.bvh:9: joint Knee: bad CHANNELS 3 Wrotation": lambda s: s.replace(
        "CHANNELS 3 Z", "CHANNELS 3 W"
    ),
    "a.bvh:8: 2 values, expected 3": lambda s: s.replace("OFFSET 0 -4 0", "OFFSET 0 -4"),
    "joint Knee_end has no OFFSET": lambda s: s.replace("\t\t\tOFFSET 0 -3 0\n", ""),
    "the hierarchy does not close": lambda s: s.replace("\t}\n}\n", "\t}\n"),
    "MOTION without Frames": lambda s: s.replace("Frames: 2\n", ""),
}


@pytest.mark.parametrize("message", FAULTS)
def test_fault(message, tmp_path):
    with pytest.raises(MotionFileError) as error:
        read(tmp_path, FAULTS[message](BVH))
    assert message in str(error.value) and "a.bvh:" in str(error.value)


LOWER_BODY = {
    "LeftUpLeg": "lhipjoint",
    "LeftLeg": "lfemur",
    "LeftFoot": "ltibia",
    "LeftToeBase": "lfoot",
    "RightUpLeg": "rhipjoint",
    "RightLeg": "rfemur",
    "RightFoot": "rtibia",
    "RightToeBase": "rfoot",
}


@pytest.mark.parametrize("trial", ["02_01", "16_15", "49_04"])
def test_real_lower_body_agrees_with_amc(trial):
    try:
        folder = mocap.source_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    subject = trial.split("_")[0]
    skeleton = read_asf(folder / f"asfamc/{subject}/{subject}.asf")
    ends = bone_ends(skeleton, read_amc(folder / f"asfamc/{subject}/{trial}.amc", skeleton))
    bvh = read_bvh(folder / f"bvh/{trial}.bvh")
    positions = joint_positions(bvh)[1:]  # frame 0 is an added T-pose
    assert len(positions) == len(ends)
    for theirs, ours in LOWER_BODY.items():
        difference = positions[:, bvh.names.index(theirs)] - ends[:, skeleton.names.index(ours)]
        assert np.linalg.norm(difference, axis=-1).max() < 1.0, theirs
