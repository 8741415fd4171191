"""Forward kinematics, its inverse, the canonical frame and the camera, against slow loops over joints."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from scipy.spatial.transform import Rotation

from lib.data.crops import person_box, to_crop
from lib.geometry import Camera, project
from lib.kinematics import (
    DISTANCE,
    FOCAL,
    FRAMES,
    MOVED,
    PARAMETERS,
    bone_ratios,
    camera_parameters,
    camera_rotation,
    canonical,
    fit_box,
    forward_kinematics,
    inverse_kinematics,
    mirror_camera,
    mirror_parameters,
    project_constant,
    project_fitted,
)
from lib.skeleton import HUMAN36M_17

JOINTS = HUMAN36M_17.joints
MIRROR = list(HUMAN36M_17.mirror)
STANDING = ("thorax", "nose", "head")
TOLERANCE = {torch.float32: 1e-4, torch.float64: 1e-5}
every_frame = pytest.mark.parametrize("frames", FRAMES)


def lengths(dtype=torch.float64):
    """Bone lengths in trunks, the same on both sides; random, yet of a body."""
    values = 0.2 + 0.7 * torch.rand(17, dtype=dtype)
    values = (values + values[MIRROR]) / 2
    values[JOINTS.index("pelvis")], values[JOINTS.index("thorax")] = 0.0, 1.0
    return values


def parameters(count, dtype=torch.float64):
    """Of random poses: hip lines up to 43 degrees, limbs in every direction."""
    v = torch.randn(count, PARAMETERS, dtype=dtype)
    v[:, 0] = 4 * torch.rand(count, dtype=dtype) - 2
    return v


def unit(v):
    """Parameters with their vectors at unit length."""
    vectors = torch.nn.functional.normalize(v[:, 1:].unflatten(-1, (-1, 3)), dim=-1)
    return torch.cat([v[:, :1], vectors.flatten(1)], dim=1)


def rotations(count, dtype=torch.float64):
    return torch.from_numpy(Rotation.random(count, rng=0).as_matrix()).to(dtype)


def cameras(count, dtype=torch.float64):
    return torch.randn(count, 6, dtype=dtype)


def angles(azimuth=0.0, elevation=0.0, roll=0.0):
    """c (1, 6) of three angles in degrees."""
    radians = torch.deg2rad(torch.tensor([azimuth, elevation, roll], dtype=torch.float64))
    return torch.stack([radians.sin(), radians.cos()], dim=-1).flatten()[None]


# The oracle: the text of Sec. 3.1 a and Fig. 1B, one joint of one pose at a time. The paper's frame of a limb
# is found by Gram-Schmidt from the limb and the face vector.

TREE = {  # joint: (parent, the parent's own parent)
    "right_knee": ("right_hip", "pelvis"),
    "right_ankle": ("right_knee", "right_hip"),
    "left_knee": ("left_hip", "pelvis"),
    "left_ankle": ("left_knee", "left_hip"),
    "spine": ("pelvis", None),
    "nose": ("thorax", "pelvis"),
    "head": ("nose", "thorax"),
    "left_shoulder": ("thorax", "pelvis"),
    "left_elbow": ("left_shoulder", "thorax"),
    "left_wrist": ("left_elbow", "left_shoulder"),
    "right_shoulder": ("thorax", "pelvis"),
    "right_elbow": ("right_shoulder", "thorax"),
    "right_wrist": ("right_elbow", "right_shoulder"),
}
FACE, UP = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 1.0])


def smoothstep(t):
    t = min(max(t, 0.0), 1.0)
    return 3 * t**2 - 2 * t**3


def frame_of_the_paper(limb, joint, blended=False):
    """Columns e1, e2, e3 of the limb that ends in a joint."""
    e1 = limb / np.linalg.norm(limb)
    reference = FACE
    if blended and abs(e1 @ FACE) > 0.9:
        weight = smoothstep((abs(e1 @ FACE) - 0.9) / 0.1)
        reference = FACE + weight * (-UP if joint in STANDING else UP)
    e2 = reference - (reference @ e1) * e1
    e2 = e2 / np.linalg.norm(e2)
    return np.stack([e1, e2, np.cross(e1, e2)], axis=1)


def frame_blended(limb, joint):
    return frame_of_the_paper(limb, joint, blended=True)


def frame_transported(limb, joint):
    """The limb stands (trunk, neck, head) or hangs at rest; the smallest rotation turns its frame with it."""
    e1, rest = limb / np.linalg.norm(limb), UP if joint in STANDING else -UP
    axis = np.cross(rest, e1)
    angle = math.atan2(np.linalg.norm(axis), rest @ e1)
    axis = axis / np.linalg.norm(axis) if axis.any() else axis
    turn = Rotation.from_rotvec(angle * axis).as_matrix()
    e2 = turn @ FACE
    return np.stack([e1, e2, np.cross(e1, e2)], axis=1)


def forward_by_loop(v, length, frame):
    """Joints (17, 3) of one pose, numpy."""
    length = dict(zip(JOINTS, length, strict=True))
    phi = math.pi / 4 * math.tanh(v[0])
    hip_line = np.array([0.0, math.cos(phi), math.sin(phi)])
    at = {
        "pelvis": np.zeros(3),
        "thorax": length["thorax"] * UP,
        "left_hip": length["left_hip"] * hip_line,
        "right_hip": -length["right_hip"] * hip_line,
    }
    for number, joint in enumerate(MOVED):
        vector = v[1 + 3 * number : 4 + 3 * number]
        parent, grandparent = TREE[joint]
        axes = np.eye(3) if grandparent is None else frame(at[parent] - at[grandparent], parent)
        at[joint] = at[parent] + length[joint] * axes @ vector / np.linalg.norm(vector)
    return np.stack([at[joint] for joint in JOINTS])


def limbs(pose):
    """Unit directions (N, 9, 3) of the limbs whose frames carry a vector, canonical."""
    pairs = sorted({pair for pair in TREE.values() if pair[1] is not None})
    ends = pose[:, [JOINTS.index(end) for end, _ in pairs]]
    starts = pose[:, [JOINTS.index(start) for _, start in pairs]]
    return torch.nn.functional.normalize(ends - starts, dim=-1)


def test_there_are_thirteen_vectors_and_an_angle():
    assert tuple(TREE) == MOVED and PARAMETERS == 40
    assert set(MOVED) == set(JOINTS) - {"pelvis", "thorax", "left_hip", "right_hip"}


@pytest.mark.parametrize(
    ("frames", "oracle"), [("gram-schmidt", frame_blended), ("transport", frame_transported)]
)
def test_forward_kinematics_are_the_loop(frames, oracle):
    v, length = parameters(200), lengths()
    expected = [forward_by_loop(row, length.numpy(), oracle) for row in v.numpy()]
    pose = forward_kinematics(v, length, frames)
    np.testing.assert_allclose(pose.numpy(), np.stack(expected), rtol=0, atol=1e-9)


def test_away_from_the_face_vector_the_frames_are_those_of_the_paper():
    v, length = parameters(400), lengths()
    pose = forward_kinematics(v, length)
    away = (limbs(pose)[..., 0].abs() < 0.9).all(1)
    assert away.sum() > 50
    expected = [forward_by_loop(row, length.numpy(), frame_of_the_paper) for row in v[away].numpy()]
    np.testing.assert_allclose(pose[away].numpy(), np.stack(expected), rtol=0, atol=1e-9)


@every_frame
def test_parameters_come_back(dtype, frames):
    v = parameters(5000, dtype)
    back = inverse_kinematics(forward_kinematics(v, lengths(dtype), frames), frames)
    torch.testing.assert_close(back, unit(v), rtol=0, atol=TOLERANCE[dtype])


@every_frame
def test_poses_come_back(dtype, frames):
    """From any place, size and orientation; a body that the model can say."""
    length, count = lengths(dtype), 5000
    pose = forward_kinematics(parameters(count, dtype), length, frames)
    seen = pose @ rotations(count, dtype).mT * 250 + 1000 * torch.randn(count, 1, 3, dtype=dtype)
    # the camera's millimetres cost float32 digits: what is compared is what the rotation left
    own, _ = canonical(seen)
    torch.testing.assert_close(own, pose, rtol=0, atol=TOLERANCE[dtype] * 10)
    back = forward_kinematics(inverse_kinematics(own, frames), length, frames)
    torch.testing.assert_close(back, own, rtol=0, atol=TOLERANCE[dtype])


@every_frame
def test_a_hip_line_beyond_the_range_is_brought_back(frames):
    """The limbs still come back, as directions."""
    pose = forward_kinematics(parameters(50), lengths(), frames)
    hip = torch.tensor([0.0, math.cos(1.2), math.sin(1.2)], dtype=pose.dtype)
    steep = pose.clone()
    for side, sign in (("left", 1), ("right", -1)):
        joints = [JOINTS.index(f"{side}_{part}") for part in ("hip", "knee", "ankle")]
        steep[:, joints] += sign * 0.5 * hip - pose[:, joints[:1]]
    v = inverse_kinematics(steep, frames)
    assert bool(v.isfinite().all())
    back = forward_kinematics(v, lengths(), frames)
    moved = [JOINTS.index(joint) for joint in MOVED]
    parents = [JOINTS.index(TREE[joint][0]) for joint in MOVED]
    first, second = (
        torch.nn.functional.normalize(p[:, moved] - p[:, parents], dim=-1) for p in (back, steep)
    )
    torch.testing.assert_close(first, second, rtol=0, atol=1e-6)
    angle = torch.atan2(back[:, JOINTS.index("left_hip"), 2], back[:, JOINTS.index("left_hip"), 1])
    torch.testing.assert_close(angle, torch.full_like(angle, math.pi / 4), rtol=0, atol=1e-6)


@every_frame
def test_bones_have_the_lengths_that_are_given(dtype, frames):
    length = lengths(dtype)
    pose = forward_kinematics(parameters(500, dtype) * 3, length, frames)
    ends = {joint: parent for joint, (parent, _) in TREE.items()}
    ends |= {joint: "pelvis" for joint in ("thorax", "left_hip", "right_hip")}
    for joint, parent in ends.items():
        bone = (pose[:, JOINTS.index(joint)] - pose[:, JOINTS.index(parent)]).norm(dim=-1)
        expected = length[JOINTS.index(joint)].expand_as(bone)
        torch.testing.assert_close(bone, expected, rtol=0, atol=1e-6 if dtype == torch.float32 else 1e-12)
    torch.testing.assert_close(bone_ratios(pose * 512), length, rtol=0, atol=1e-5)


def test_bone_ratios_are_means_over_poses_and_sides():
    length = lengths()
    pose = forward_kinematics(parameters(2), length)
    pose[1] *= 0.5
    pose[1, JOINTS.index("left_wrist")] = pose[1, JOINTS.index("left_elbow")]
    ratios = bone_ratios(pose)
    expected = length.clone()
    expected[[JOINTS.index("left_wrist"), JOINTS.index("right_wrist")]] *= 3 / 4
    torch.testing.assert_close(ratios, expected)


@every_frame
def test_the_length_of_a_vector_says_nothing(frames):
    v, length = parameters(50), lengths()
    scale = (0.1 + 5 * torch.rand(50, 13)).repeat_interleave(3, dim=1)
    longer = torch.cat([v[:, :1], v[:, 1:] * scale], dim=1)
    expected = forward_kinematics(v, length, frames)
    torch.testing.assert_close(forward_kinematics(longer, length, frames), expected)


@every_frame
def test_parameters_do_not_see_place_size_and_orientation(frames):
    pose = torch.randn(200, 17, 3, dtype=torch.float64)  # no body: the hips are anywhere
    size = 100 * (0.5 + torch.rand(200, 1, 1, dtype=torch.float64))
    moved = size * pose @ rotations(200).mT + 1000 * torch.randn(200, 1, 3, dtype=torch.float64)
    v = inverse_kinematics(pose, frames)
    torch.testing.assert_close(inverse_kinematics(moved, frames), v, rtol=0, atol=1e-6)


def test_the_canonical_frame_is_that_of_the_trunk_and_the_hips():
    pose = torch.randn(100, 17, 3, dtype=torch.float64)
    joints, R = canonical(pose)
    eye = torch.eye(3, dtype=torch.float64).expand(100, 3, 3)
    torch.testing.assert_close(R.mT @ R, eye)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(100, dtype=torch.float64))
    torch.testing.assert_close(joints[:, JOINTS.index("thorax")], eye[:, 2])
    hips = joints[:, JOINTS.index("left_hip")] - joints[:, JOINTS.index("right_hip")]
    torch.testing.assert_close(hips[:, 0], torch.zeros_like(hips[:, 0]), rtol=0, atol=1e-9)
    assert bool((hips[:, 1] > 0).all())  # the left hip is on the left
    trunk = (pose[:, JOINTS.index("thorax")] - pose[:, 0]).norm(dim=-1)[:, None, None]
    torch.testing.assert_close(pose[:, :1] + trunk * joints @ R.mT, pose)


def mirrored(pose):
    """The mirror's person: left is right."""
    return pose[:, MIRROR] * pose.new_tensor([1.0, -1.0, 1.0])


@every_frame
def test_a_mirrored_pose_has_mirrored_parameters(frames):
    v, length = unit(parameters(500)), lengths()
    pose = forward_kinematics(v, length, frames)
    torch.testing.assert_close(forward_kinematics(mirror_parameters(v), length, frames), mirrored(pose))
    torch.testing.assert_close(inverse_kinematics(mirrored(pose), frames), mirror_parameters(v))
    assert torch.equal(mirror_parameters(mirror_parameters(v)), v)


@pytest.mark.parametrize("view", [project_constant, project_fitted])
def test_the_mirrored_person_is_seen_mirrored(view):
    v, c, length = parameters(50), cameras(50), lengths()
    points, joints = view(forward_kinematics(v, length), camera_rotation(c))
    other = view(forward_kinematics(mirror_parameters(v), length), camera_rotation(mirror_camera(c)))
    torch.testing.assert_close(other.points, points[:, MIRROR] * points.new_tensor([-1.0, 1.0]))
    torch.testing.assert_close(other.joints, joints[:, MIRROR] * joints.new_tensor([-1.0, 1.0, 1.0]))


# Directions that a limb's frame may not like, canonical: the face vector, that of the rest, and where what is
# blended in is parallel to the limb, 19.8 degrees above the face vector. No frame is continuous everywhere.
STEEP = brentq(lambda angle: math.tan(angle) - smoothstep((math.cos(angle) - 0.9) / 0.1), 0.2, 0.45)
AWKWARD = {
    "ahead": (1.0, 0.0, 0.0),
    "behind": (-1.0, 0.0, 0.0),
    "up": (0.0, 0.0, 1.0),
    "down": (0.0, 0.0, -1.0),
    "left": (0.0, 1.0, 0.0),
    "ahead and above": (math.cos(STEEP), 0.0, math.sin(STEEP)),
    "behind and below": (-math.cos(STEEP), 0.0, -math.sin(STEEP)),
    "nearly ahead": (1.0, 1e-7, 0.0),
    "nearly up": (1e-7, 0.0, 1.0),
    "nearly down": (0.0, 1e-7, -1.0),
}


def pointing(direction, dtype=torch.float64):
    """A pose (1, 17, 3) all of whose limbs that move point in one direction, the hips level."""
    length, at = lengths(dtype), {}
    direction = torch.tensor(direction, dtype=dtype)
    for joint, place in (("pelvis", (0, 0, 0)), ("thorax", (0, 0, 1))):
        at[joint] = torch.tensor(place, dtype=dtype)
    for joint, side in (("left_hip", 1.0), ("right_hip", -1.0)):
        at[joint] = torch.tensor([0.0, side, 0.0], dtype=dtype) * length[JOINTS.index(joint)]
    for joint, (parent, _) in TREE.items():
        at[joint] = at[parent] + length[JOINTS.index(joint)] * direction
    return torch.stack([at[joint] for joint in JOINTS])[None], length


@every_frame
@pytest.mark.parametrize("name", AWKWARD)
def test_limbs_in_awkward_directions_come_back_and_have_finite_gradients(dtype, frames, name):
    pose, length = pointing(AWKWARD[name], dtype)
    v = inverse_kinematics(pose.requires_grad_(), frames)
    (inverse,) = torch.autograd.grad(v.square().sum() + v.sum(), pose)
    v = v.detach().requires_grad_()
    back = forward_kinematics(v, length, frames)
    (forward,) = torch.autograd.grad(back.square().sum() + back.sum(), v)
    assert bool(back.isfinite().all() and inverse.isfinite().all() and forward.isfinite().all())
    at_the_jump = name in ("ahead and above", "behind and below") and frames == "gram-schmidt"
    if dtype == torch.float64 or not at_the_jump:  # float32 has no digits left there
        torch.testing.assert_close(back, pose.detach(), rtol=0, atol=TOLERANCE[dtype])
    if not at_the_jump:
        assert forward.abs().max() < 20 and inverse.abs().max() < 50


@every_frame
def test_vectors_and_poses_of_nothing_have_finite_gradients(dtype, frames):
    v = torch.zeros(2, PARAMETERS, dtype=dtype)
    v[1] = parameters(1, dtype)[0]
    v[1, 4:7] = 0  # the right ankle's
    v.requires_grad_()
    pose = forward_kinematics(v, lengths(dtype), frames)
    assert torch.equal(pose[0, JOINTS.index("right_wrist")], pose[0, JOINTS.index("thorax")])
    assert torch.equal(pose[1, JOINTS.index("right_ankle")], pose[1, JOINTS.index("right_knee")])
    (gradient,) = torch.autograd.grad(pose.sum(), v)
    assert bool(gradient.isfinite().all())
    for place in (torch.zeros(1, 17, 3, dtype=dtype), torch.ones(1, 17, 3, dtype=dtype)):
        joints = place.requires_grad_()
        v = inverse_kinematics(joints, frames)
        (gradient,) = torch.autograd.grad(v.sum(), joints)
        assert bool(v.isfinite().all()) and bool(gradient.isfinite().all())


@every_frame
def test_gradients_are_those_of_finite_differences(frames):
    length = lengths()
    v = unit(parameters(3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda v: forward_kinematics(v, length, frames), v)
    pose = forward_kinematics(v, length, frames).detach().requires_grad_()
    assert torch.autograd.gradcheck(lambda p: inverse_kinematics(p, frames), pose)
    c, pose = cameras(3).requires_grad_(), pose[:, :6].detach().requires_grad_()
    for view in (project_constant, project_fitted):
        assert torch.autograd.gradcheck(lambda p, c, view=view: view(p, camera_rotation(c)), (pose, c))


def swing(frames, tilt, steps=18_001):
    """Right ankles (K, 3) from the knee as the thigh swings through the face vector; their own is constant.

    The thigh goes from -90 to 90 degrees along a great circle, which rises by ``tilt`` degrees.
    """
    angle = torch.linspace(-math.pi / 2, math.pi / 2, steps, dtype=torch.float64)
    tilt = math.radians(tilt)
    thigh = torch.stack([angle.cos(), angle.sin() * math.cos(tilt), angle.sin() * math.sin(tilt)], dim=-1)
    v, length = parameters(1).expand(steps, -1).clone(), torch.ones(17, dtype=torch.float64)
    v[:, 0] = 0
    # the frame of the level right hip: along the limb to the right, ahead, up
    v[:, 1:4] = torch.stack([-thigh[:, 1], thigh[:, 0], thigh[:, 2]], dim=-1)
    v[:, 4:7] = torch.tensor([0.3, 0.8, 0.5])
    if frames == "paper":
        pose = np.stack([forward_by_loop(row, length.numpy(), frame_of_the_paper) for row in v.numpy()])
        pose = torch.from_numpy(pose)
    else:
        pose = forward_kinematics(v, length, frames)
    knee = pose[:, JOINTS.index("right_knee")]
    torch.testing.assert_close(knee - pose[:, JOINTS.index("right_hip")], thigh)
    return pose[:, JOINTS.index("right_ankle")] - knee


def largest_step(ankles):
    """Degrees by which the lower leg turns at most from one to the next."""
    chord = (ankles[1:] - ankles[:-1]).norm(dim=-1)
    return torch.rad2deg(2 * torch.asin(chord.amax() / 2)).item()


@every_frame
@pytest.mark.parametrize("tilt", [0, 30, 60, 90])
def test_nothing_jumps_as_a_limb_passes_the_face_vector(frames, tilt):
    """0.01 degrees of the thigh turn the lower leg by as little, where the paper's frames turn it over."""
    ankles = swing(frames, tilt)
    near = slice(9000 - 1000, 9000 + 1001)  # within 10 degrees
    assert largest_step(ankles[near]) < 0.05
    paper = swing("paper", tilt, steps=180)  # an even number: never at the face vector itself
    assert largest_step(paper) > 100


def test_the_jump_that_is_left():
    """Limbs that hang: 19.8 degrees above the face vector, or straight up; the frame turns over there."""
    assert math.degrees(STEEP) == pytest.approx(19.8, abs=0.1)
    blended = swing("gram-schmidt", 90)
    step = (blended[1:] - blended[:-1]).norm(dim=-1)
    assert abs(math.radians(int(step.argmax()) * 0.01 - 90) - STEEP) < math.radians(0.02)
    assert largest_step(blended) > 100
    # beside it the frame turns fast, not at once: on great circles that are 5 degrees off
    assert largest_step(swing("gram-schmidt", 85)) < 3
    assert largest_step(swing("transport", 85)) < 0.5
    assert largest_step(swing("transport", 90)[:-1]) < 0.05


def test_other_frames_and_numbers_are_refused():
    v, length = parameters(2), lengths()
    with pytest.raises(ValueError, match="gram-schmidt, transport, not 'frenet'"):
        forward_kinematics(v, length, "frenet")
    with pytest.raises(ValueError, match="'frenet'"):
        inverse_kinematics(forward_kinematics(v, length), "frenet")
    with pytest.raises(ValueError, match="40 parameters, not 39"):
        forward_kinematics(v[:, :39], length)
    with pytest.raises(ValueError, match="6 numbers, not 3"):
        camera_rotation(cameras(2)[:, :3])


# The camera.


def test_camera_rotations_are_rotations(dtype):
    R = camera_rotation(cameras(500, dtype) * 10)
    eye = torch.eye(3, dtype=dtype).expand(500, 3, 3)
    torch.testing.assert_close(R.mT @ R, eye)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(500, dtype=dtype))


def test_the_camera_looks_at_the_face_where_all_angles_are_zero():
    R = camera_rotation(angles())[0]
    ahead, left, up = R.unbind(1)
    assert ahead.tolist() == [0, 0, -1]  # towards the camera
    assert left.tolist() == [1, 0, 0]  # the person's left is on the right of the picture
    assert up.tolist() == [0, -1, 0]


@pytest.mark.parametrize("azimuth", [-150, -40, 0, 75, 180])
@pytest.mark.parametrize("elevation", [-60, 0, 25])
@pytest.mark.parametrize("roll", [-90, 0, 30])
def test_angles_do_what_they_say(azimuth, elevation, roll):
    R = camera_rotation(angles(azimuth, elevation, roll))[0].numpy()
    a, e = math.radians(azimuth), math.radians(elevation)
    # where the camera stands, about a person who turned left: as far to their right, and as high as it rose
    position = R.T @ np.array([0.0, 0.0, -1.0])
    expected = [math.cos(e) * math.cos(a), -math.cos(e) * math.sin(a), math.sin(e)]
    np.testing.assert_allclose(position, expected, atol=1e-12)
    # the vertical is seen at the roll: clockwise from upright
    x, y = (R @ UP)[:2]
    np.testing.assert_allclose(math.degrees(math.atan2(x, -y)), roll, atol=1e-9)


def test_the_person_turns_to_their_left_by_the_azimuth():
    ahead = camera_rotation(angles(azimuth=90))[0, :, 0]
    torch.testing.assert_close(ahead, torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64))


def test_the_length_of_a_pair_says_nothing():
    c = cameras(50)
    longer = (c.unflatten(-1, (3, 2)) * (0.1 + torch.rand(50, 3, 1))).flatten(1)
    torch.testing.assert_close(camera_rotation(longer), camera_rotation(c))


@pytest.mark.parametrize("c", [[0] * 6, [0, 0, 0, 1, 1, 0], [1e-6] * 6])
def test_pairs_of_nothing_have_finite_gradients(c, dtype):
    c = torch.tensor([c], dtype=dtype, requires_grad=True)
    pose = forward_kinematics(parameters(1, dtype), lengths(dtype))
    for view in (project_constant, project_fitted):
        seen = view(pose, camera_rotation(c))
        (gradient,) = torch.autograd.grad(seen.points.sum() + seen.joints.sum(), c)
        assert bool(seen.points.isfinite().all()) and bool(gradient.isfinite().all())


def test_cameras_come_back(dtype):
    c = torch.nn.functional.normalize(cameras(1000, dtype).unflatten(-1, (3, 2)), dim=-1)
    c[:, 1, 1] = c[:, 1, 1].abs()  # the elevation is within 90 degrees
    c = c[c[:, 1, 1] > 0.05].flatten(1)
    torch.testing.assert_close(camera_parameters(camera_rotation(c)), c, rtol=0, atol=TOLERANCE[dtype])
    R = rotations(1000, dtype)
    torch.testing.assert_close(camera_rotation(camera_parameters(R)), R, rtol=0, atol=TOLERANCE[dtype])


@pytest.mark.parametrize("elevation", [-90, 90])
@pytest.mark.parametrize("azimuth", [0, 50])
def test_a_camera_straight_above_or_below_comes_back(azimuth, elevation):
    """Azimuth and roll are one there; the rotation is what is kept."""
    R = camera_rotation(angles(azimuth, elevation, 20))
    torch.testing.assert_close(camera_rotation(camera_parameters(R)), R, rtol=0, atol=1e-6)


def test_the_constant_camera_is_a_camera():
    pose, R = forward_kinematics(parameters(20), lengths()), camera_rotation(cameras(20))
    points, joints = project_constant(pose, R)
    K = torch.diag(torch.tensor([FOCAL, FOCAL, 1.0], dtype=torch.float64))
    camera = Camera(K, R, torch.tensor([0.0, 0.0, DISTANCE], dtype=torch.float64))
    for number in range(20):
        expected = pose[number] @ R[number].T
        torch.testing.assert_close(joints[number], expected)
        expected = project(expected + torch.tensor([0.0, 0.0, DISTANCE]), camera)
        torch.testing.assert_close(points[number], expected)
    assert not points[:, 0].any()  # the pelvis is in the middle


def test_a_standing_person_fills_most_of_the_constant_crop():
    pose, _ = pointing(AWKWARD["down"])
    pose = pose.clone()
    for joint, height in (("head", 1.5), ("left_ankle", -1.9), ("right_ankle", -1.9)):
        pose[:, JOINTS.index(joint), 2] = height
    points, _ = project_constant(pose, camera_rotation(angles()))
    extent = points[0, :, 1].amax() - points[0, :, 1].amin()
    assert 0.7 < float(extent) / 2 < 0.9


@pytest.mark.parametrize("margin", [1.0, 1.25, 2.0])
def test_the_fitted_box_is_centred_and_fills_the_crop(dtype, margin):
    pose = forward_kinematics(parameters(200, dtype), lengths(dtype))
    points, joints = project_fitted(pose, camera_rotation(cameras(200, dtype)), margin)
    low, high = points.amin(1), points.amax(1)
    torch.testing.assert_close(low + high, torch.zeros_like(low), rtol=0, atol=1e-5)
    side = (high - low).amax(-1)
    torch.testing.assert_close(side, torch.full_like(side, 2 / margin))
    plain = project_constant(pose, camera_rotation(cameras(200, dtype)))
    assert joints.shape == plain.joints.shape


def test_the_fitted_projection_is_what_crops_are_cut_by():
    pose, R = forward_kinematics(parameters(50), lengths()), camera_rotation(cameras(50))
    pixels = project_constant(pose, R).points * 300 + torch.tensor([500.0, 400.0])
    for margin in (1.25, 1.5):
        expected = to_crop(pixels, *person_box(pixels, margin))
        torch.testing.assert_close(project_fitted(pose, R, margin).points, expected)
    assert torch.equal(project_fitted(pose, R).joints, project_constant(pose, R).joints)
    # and that of data.crops is the margin that is taken for granted
    torch.testing.assert_close(project_fitted(pose, R).points, to_crop(pixels, *person_box(pixels)))


@pytest.mark.parametrize("margin", [1.0, 1.25])
def test_a_box_of_the_first_points_moves_the_others_along(dtype, margin):
    points = torch.randn(20, 23, 2, dtype=dtype)
    points[:, 17:] *= 5
    fitted = fit_box(points, margin, 17)
    torch.testing.assert_close(fitted[:, :17], fit_box(points[:, :17], margin))
    side = fitted[:, :17].amax(1) - fitted[:, :17].amin(1)
    torch.testing.assert_close(side.amax(-1), side.new_full((20,), 2 / margin))
    assert fitted[:, 17:].abs().amax() > 1
    # one similarity for all points
    scale = (fitted[:, 20] - fitted[:, 0]) / (points[:, 20] - points[:, 0])
    before = points[:, :17].amax(1) - points[:, :17].amin(1)
    torch.testing.assert_close(scale, side / before, rtol=1e-3, atol=0)
    assert torch.equal(fit_box(points, margin), fit_box(points, margin, 23))


def test_a_pose_at_one_point_is_in_the_middle():
    joints = torch.zeros(1, 17, 3, requires_grad=True)
    points, _ = project_fitted(joints, camera_rotation(angles().float()))
    assert not points.any()
    (gradient,) = torch.autograd.grad(points.square().sum() + points.sum(), joints)
    assert bool(gradient.isfinite().all())


@every_frame
def test_no_poses(frames):
    v = torch.zeros(0, PARAMETERS, requires_grad=True)
    c = torch.zeros(0, 6, requires_grad=True)
    pose = forward_kinematics(v, lengths(torch.float32), frames)
    R = camera_rotation(c)
    assert pose.shape == (0, 17, 3) and R.shape == (0, 3, 3)
    assert canonical(pose)[0].shape == (0, 17, 3) and canonical(pose)[1].shape == (0, 3, 3)
    assert inverse_kinematics(pose, frames).shape == mirror_parameters(v).shape == (0, PARAMETERS)
    assert camera_parameters(R).shape == mirror_camera(c).shape == (0, 6)
    for view in (project_constant, project_fitted):
        points, joints = view(pose, R)
        assert points.shape == (0, 17, 2) and joints.shape == (0, 17, 3)
        points.sum().backward(retain_graph=True)
    assert v.grad.shape == (0, PARAMETERS) and c.grad.shape == (0, 6)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@every_frame
def test_a_gpu_gives_what_the_cpu_gives(dtype, frames):
    """Joints, points, parameters and gradients."""
    v, c, length = parameters(500, dtype), cameras(500, dtype), lengths(dtype)

    def everything(device):
        w, d = v.to(device).requires_grad_(), c.to(device).requires_grad_()
        pose, R = forward_kinematics(w, length.to(device), frames), camera_rotation(d)
        fitted, constant = project_fitted(pose, R), project_constant(pose, R)
        loss = pose.square().mean() + fitted.points.abs().mean() + constant.points.abs().mean()
        gradients = torch.autograd.grad(loss, (w, d))
        back = inverse_kinematics(fitted.joints.detach(), frames)
        values = (pose, R, *fitted, *constant, back, camera_parameters(R), *gradients)
        return [value.detach() for value in values]

    for there, here in zip(everything("cuda"), everything("cpu"), strict=True):
        assert there.is_cuda and there.dtype == dtype
        torch.testing.assert_close(there.cpu(), here, rtol=1e-3, atol=TOLERANCE[dtype])
