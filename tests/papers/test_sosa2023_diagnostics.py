"""Sosa & Hogg 2023, what is measured: against known answers, and on a method that knows the truth."""

import math
from dataclasses import replace

import pytest
import torch
from scipy.stats import spearmanr

from lib.geometry import Camera, project, rotation_y
from lib.losses import relative_bone_lengths
from lib.papers import sosa2023_diagnostics as diagnostics
from lib.papers import sosa2023_single_image as sosa
from lib.papers.sosa2023_data import take_pictures
from lib.skeleton import HUMAN36M_17

PARENTS = HUMAN36M_17.parents
PROFILE = replace(sosa.PROFILES["smoke"], image=64, skeleton=32)
JOINT = HUMAN36M_17.index


@pytest.fixture(scope="module")
def trainer(few):
    return sosa.build(sosa.VARIANTS["full"], PROFILE, few, 0)


@pytest.fixture
def knowing(trainer, few, monkeypatch):
    """What `look` would find if every network were right; a test may change it."""
    pictures = take_pictures(few["studio"]["test"], "studio", PROFILE.image)
    test = few["studio"]["test"]
    found = {
        "pictures": pictures,
        "skeleton": (trainer._draw_skeletons(pictures.points)[:, 0] + 1) / 2,
        "seen": pictures.points,
        "points": pictures.points,
        "lifted": test.joints_3d - test.joints_3d[:, :1],
        "elevation": torch.zeros(len(test)),
    }
    monkeypatch.setattr(trainer, "look", lambda role: found)
    return found


# One number


@pytest.mark.parametrize("count", [2, 5, 200])
def test_rank_correlation(count):
    a, b = torch.randn(2, count)
    b = b + 0.5 * a
    expected = spearmanr(a.numpy(), b.numpy()).statistic
    assert float(diagnostics.spearman(a, b)) == pytest.approx(expected, abs=1e-6)
    assert float(diagnostics.spearman(a, a.exp())) == pytest.approx(1)
    assert float(diagnostics.spearman(a, -(a**3))) == pytest.approx(-1)


def test_limb_deviation_is_zero_at_the_prior_alone(few):
    pose = few["studio"]["test"].joints_3d
    ratios = relative_bone_lengths(pose, PARENTS)
    assert diagnostics.limb_deviation(pose, PARENTS, ratios).abs().max() < 1e-6
    bigger = diagnostics.limb_deviation(3 * pose + 100, PARENTS, ratios)
    assert bigger.abs().max() < 1e-4
    deviation = diagnostics.limb_deviation(pose, PARENTS, ratios * torch.tensor(2.0))
    torch.testing.assert_close(deviation, torch.full_like(deviation, math.log(2)))
    assert diagnostics.limb_deviation(torch.zeros(2, 17, 3), PARENTS, ratios[0]).isfinite().all()


def test_limb_asymmetry_compares_left_with_right(few):
    pose = few["studio"]["test"].joints_3d.clone()
    before = diagnostics.limb_asymmetry(pose)
    assert before.max() < 0.02  # mannequins have limbs of one length
    wrist, elbow = JOINT("left_wrist"), JOINT("left_elbow")
    pose[:, wrist] = pose[:, elbow] + 2 * (pose[:, wrist] - pose[:, elbow])
    after = diagnostics.limb_asymmetry(pose)
    torch.testing.assert_close(after, torch.full_like(after, math.log(2) / 6), rtol=0, atol=0.02)
    swapped = diagnostics.limb_asymmetry(pose[:, list(HUMAN36M_17.mirror)])
    torch.testing.assert_close(swapped, after)


def standing(poses, joints):
    """Poses of the given joints (J, 3) in mm, 4 m before the camera, for each of the frames."""
    joints = (joints + torch.tensor([0.0, 0.0, 4000.0])).expand(len(poses), -1, -1)
    camera = Camera(poses.K, torch.eye(3).expand_as(poses.K), torch.zeros_like(poses.t))
    return replace(poses, joints_3d=joints, joints_2d=project(joints, camera))


def figure():
    """Somebody upright who faces the camera with arms and legs apart, in mm, y down."""
    pose = torch.zeros(17, 3)
    for name, x, y in (
        ("right_hip", -130, 0), ("right_knee", -250, 450), ("right_ankle", -350, 880),
        ("left_hip", 130, 0), ("left_knee", 250, 450), ("left_ankle", 350, 880), ("spine", 0, -240),
        ("thorax", 0, -490), ("nose", 0, -590), ("head", 0, -700), ("left_shoulder", 170, -460),
        ("left_elbow", 440, -460), ("left_wrist", 690, -460), ("right_shoulder", -170, -460),
        ("right_elbow", -440, -460), ("right_wrist", -690, -460),
    ):  # fmt: skip
        pose[JOINT(name), :2] = torch.tensor([x, y], dtype=torch.float32)
    return pose


def test_hidden_joints_are_those_behind_ones_own_body(few):
    poses = few["studio"]["test"]
    poses = replace(poses, joints_3d=poses.joints_3d[:2], joints_2d=poses.joints_2d[:2],
                    K=poses.K[:2], t=poses.t[:2], R=poses.R[:2], clip=poses.clip[:2])  # fmt: skip
    joints = figure()
    assert diagnostics.hidden_share(standing(poses, joints), "studio", 64).max() == 0
    back = joints.clone()  # both hands far behind the back
    for side, x in (("left", 60.0), ("right", -60.0)):
        back[JOINT(f"{side}_wrist")] = torch.tensor([x, -200.0, 400.0])
    share = diagnostics.hidden_share(standing(poses, back), "studio", 64)
    torch.testing.assert_close(share, torch.full((2,), 2 / 17))
    front = back * torch.tensor([1.0, 1.0, -1.0])  # before the belly nothing of them is hidden
    assert diagnostics.hidden_share(standing(poses, front), "studio", 64).max() <= 2 / 17
    side = joints @ rotation_y(torch.tensor(math.pi / 2)).T  # the further arm and leg
    share = diagnostics.hidden_share(standing(poses, side), "studio", 64)
    assert share.min() >= 4 / 17 and share.max() < 0.7


# A method that knows


def test_the_truth_has_no_errors(trainer, knowing):
    found = diagnostics.diagnose(trainer, "studio")
    for name in ("error_2d", "error_2d_swap", "p_mpjpe_swap", "p_mpjpe_frames", "p_mpjpe_64th"):
        assert found[name] == pytest.approx(0, abs=0.05), name
    assert found["mirrored_share"] == found["failure_share"] == 0
    assert found["label_accuracy"] == 1
    assert found["skeleton_correlation"] == pytest.approx(1, abs=1e-3)
    assert found["skeleton_correlation_shuffled"] < 0.9
    assert found["skeleton_overlap"] > found["skeleton_overlap_shuffled"] + 0.1
    assert found["limb_asymmetry"] < 0.02
    assert found["failure_share_sitting"] == 0 or math.isnan(found["failure_share_sitting"])
    assert found["error_2d_mean"] > 1 and found["error_2d_prior"] > found["error_2d_mean"]


def test_swapped_labels_are_told_from_other_errors(trainer, knowing):
    knowing["points"] = knowing["points"][:, list(trainer.swap)]
    found = diagnostics.diagnose(trainer, "studio")
    assert found["label_accuracy"] == 0
    assert found["error_2d"] > 1 and found["error_2d_swap"] == pytest.approx(0, abs=1e-3)


def test_a_mirrored_depth_is_told_from_other_errors(trainer, knowing):
    knowing["lifted"] = knowing["lifted"] * torch.tensor([1.0, 1.0, -1.0])
    found = diagnostics.diagnose(trainer, "studio")
    assert found["mirrored_share"] == 1 and found["p_mpjpe_frames"] > 10
    assert found["error_2d"] == 0


def test_errors_in_2d_are_in_per_cent_of_the_crop(trainer, knowing):
    knowing["points"] = knowing["points"] + torch.tensor([0.03, 0.04])
    assert diagnostics.diagnose(trainer, "studio")["error_2d"] == pytest.approx(2.5, rel=1e-3)


def test_failures_are_frames_above_the_threshold(trainer, knowing, few):
    """A third of the frames is predicted as a pose with its limbs anywhere."""
    test = few["studio"]["test"]
    wrong = torch.arange(len(test)) % 3 == 0
    noise = 1000 * torch.randn(len(test), 17, 3)
    knowing["lifted"] = torch.where(wrong[:, None, None], noise - noise[:, :1], knowing["lifted"])
    found = diagnostics.diagnose(trainer, "studio")
    assert found["failure_threshold"] == diagnostics.FAILURE == 200
    assert found["failure_share"] == pytest.approx(float(wrong.float().mean()))
    assert found["limb_deviation_failures"] > found["limb_deviation"] > found["limb_deviation_rest"]
    assert found["p_mpjpe_64th"] > 200  # frame 0 is among them
    assert found["failure_error_trunk"] > 100 and found["failure_error_extremities"] > 100
    sits = torch.tensor([name in diagnostics.SITTING for name in test.actions])
    if sits.any():
        assert found["failure_share_sitting"] == pytest.approx(float(wrong[sits].float().mean()))
    assert found["failure_share_other"] == pytest.approx(float(wrong[~sits].float().mean()))


def test_no_failure_leaves_no_number(trainer, knowing):
    """A record leaves out what is not finite."""
    found = diagnostics.diagnose(trainer, "studio")
    assert math.isnan(found["limb_deviation_failures"]) and math.isnan(found["failure_error_trunk"])


def test_elevations_have_the_sign_of_cameras_that_look_down(trainer, knowing, few):
    up = few["studio"]["test"].R[:, :, 2]
    down = torch.rad2deg(-torch.asin(up[:, 2])).mean()
    found = diagnostics.diagnose(trainer, "studio")
    assert found["elevation_true"] == pytest.approx(float(down), abs=0.1) and down > 3
    knowing["elevation"] = torch.full_like(knowing["elevation"], math.radians(-7))
    assert diagnostics.diagnose(trainer, "studio")["elevation_mean"] == pytest.approx(7, rel=1e-3)


# Figures


def test_random_frames_of_the_figures(trainer, knowing, few):
    test = few["studio"]["test"]
    arrays = diagnostics.figures(trainer, "studio")
    assert {name.split("/")[0] for name in arrays} == {"random"}  # no failure, no array of them
    count, s = diagnostics.RANDOM, PROFILE.skeleton
    shapes = {
        "image": (count, 64, 64, 3), "skeleton": (count, s, s), "points": (count, 17, 2),
        "truth_2d": (count, 17, 2), "predicted": (count, 17, 3), "aligned": (count, 17, 3),
        "truth": (count, 17, 3), "error": (count,), "action": (count,),
    }  # fmt: skip
    assert {name: tuple(arrays[f"random/{name}"].shape) for name in shapes} == shapes
    assert len(arrays) == len(shapes)
    assert arrays["random/image"].dtype == torch.uint8
    torch.testing.assert_close(arrays["random/aligned"], arrays["random/truth"], rtol=0, atol=0.1)
    assert arrays["random/error"].max() < 0.1
    # each row is one frame: its picture, its truth, its action
    truth = test.joints_3d - test.joints_3d[:, :1]
    for row in range(count):
        (frame,) = (truth == arrays["random/truth"][row]).all((1, 2)).nonzero()[0]
        assert torch.equal(knowing["pictures"].images[frame].permute(1, 2, 0), arrays["random/image"][row])
        assert test.action[frame] == arrays["random/action"][row]
    again = diagnostics.figures(trainer, "studio")
    assert all(torch.equal(again[name], arrays[name]) for name in arrays)


@pytest.mark.parametrize("wrong", [3, 30])
def test_failures_of_the_figures(trainer, knowing, wrong):
    order = torch.randperm(60, generator=torch.Generator().manual_seed(5))[:wrong]
    noise = 1000 * torch.randn(wrong, 17, 3)
    knowing["lifted"] = knowing["lifted"].clone()
    knowing["lifted"][order] = noise - noise[:, :1]
    arrays = diagnostics.figures(trainer, "studio")
    assert len(arrays["failures/error"]) == min(wrong, diagnostics.FAILURES)
    assert arrays["failures/error"].min() > diagnostics.FAILURE
    torch.testing.assert_close(
        (arrays["failures/aligned"] - arrays["failures/truth"]).norm(dim=-1).mean(-1),
        arrays["failures/error"],
    )
    assert len(arrays["random/error"]) == diagnostics.RANDOM
