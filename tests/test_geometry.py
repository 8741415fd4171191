"""Cameras, alignment and kinematics against slow loops, and at their singular points."""

import numpy as np
import pytest
import torch

from lib.geometry import (
    Camera,
    camera_to_world,
    forward_kinematics,
    look_at,
    normalise,
    project,
    rigid_align,
    rotation_x,
    rotation_y,
    rotation_z,
    similarity_align,
    world_to_camera,
)
from lib.skeleton import HUMAN36M_17, SKELETONS

# Human3.6M, camera 54138969: f, c, k and (pB, pA).
F, C = (1145.049, 1143.781), (512.5415, 515.4515)
RADIAL, TANGENTIAL = (-0.207099, 0.247775, -0.003075), (-0.00097570, -0.00142447)
TOLERANCE = {torch.float32: 2e-4, torch.float64: 1e-10}


def random_rotation(*batch, dtype=torch.float64):
    turn = torch.rand(3, *batch, dtype=dtype) * 6.283
    return rotation_z(turn[0]) @ rotation_x(turn[1]) @ rotation_y(turn[2])


def human36m_camera(*batch, dtype=torch.float64):
    K = torch.tensor([[F[0], 0, C[0]], [0, F[1], C[1]], [0, 0, 1]], dtype=dtype)
    R = random_rotation(*batch, dtype=dtype)
    t = torch.randn(*batch, 3, dtype=dtype) * 1000
    return Camera(K, R, t, torch.tensor(RADIAL), torch.tensor(TANGENTIAL))


def degenerate(dtype=torch.float64):
    """Point sets at which the best alignment is not unique."""
    general = torch.randn(17, 3, dtype=dtype) * 300
    ramp = torch.linspace(-1, 1, 17, dtype=dtype)[:, None]
    return {
        "equal": torch.full((17, 3), 4321.1, dtype=dtype),
        "zero": torch.zeros(17, 3, dtype=dtype),
        "line": ramp * torch.tensor([300.0, -40.0, 7.0], dtype=dtype) + 5000,
        "plane": general * torch.tensor([1.0, 1.0, 0.0], dtype=dtype),
        "square": torch.eye(3, dtype=dtype).repeat(6, 1)[:17] * 100,
        "general": general,
        "mirrored": general * torch.tensor([1.0, 1.0, -1.0], dtype=dtype),
    }


# Rotations


@pytest.mark.parametrize(
    "rotation, start, end",
    [(rotation_x, (0, 1, 0), (0, 0, 1)), (rotation_y, (0, 0, 1), (1, 0, 0))]
    + [(rotation_z, (1, 0, 0), (0, 1, 0))],
)
def test_rotations_are_right_handed_and_add_up(rotation, start, end, batch, dtype):
    start, end = torch.tensor(start, dtype=dtype), torch.tensor(end, dtype=dtype)
    quarter = rotation(torch.tensor(torch.pi / 2, dtype=dtype))
    torch.testing.assert_close(quarter @ start, end, atol=1e-6, rtol=0)
    first, second = torch.randn(2, *batch, dtype=dtype)
    turned = rotation(first)
    assert turned.shape == (*batch, 3, 3) and turned.dtype == dtype
    torch.testing.assert_close(turned @ rotation(second), rotation(first + second))
    torch.testing.assert_close(torch.linalg.det(turned), torch.ones(batch, dtype=dtype))


def test_normalise_keeps_zero_and_has_a_gradient_there():
    vectors = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], requires_grad=True)
    unit = normalise(vectors)
    torch.testing.assert_close(unit, torch.tensor([[0.6, 0.8, 0.0], [0.0, 0.0, 0.0]]))
    unit.sum().backward()
    assert vectors.grad.isfinite().all()


# Cameras


def slow_project(points, camera):
    """Human3.6M's projection, one point at a time."""
    (k1, k2, k3), p, K = camera.radial.numpy(), camera.tangential.numpy(), camera.K.numpy()
    pixels = []
    for x, y, z in points.reshape(-1, 3):
        u = np.array([x / z, y / z])
        r2 = u[0] ** 2 + u[1] ** 2
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        xy = u * (radial + p @ u) + p * r2
        pixels.append([K[0, 0] * xy[0] + K[0, 2], K[1, 1] * xy[1] + K[1, 2]])
    return np.array(pixels).reshape(*points.shape[:-1], 2)


def test_projection_equals_a_slow_loop(batch, dtype):
    camera = human36m_camera(dtype=dtype)
    points = torch.randn(*batch, 17, 3, dtype=dtype) * 700 + torch.tensor([0, 0, 4500.0])
    pixels = project(points.to(dtype), camera)
    assert pixels.shape == (*batch, 17, 2) and pixels.dtype == dtype
    expected = slow_project(points.double().numpy(), human36m_camera())
    np.testing.assert_allclose(pixels, expected, rtol=0, atol=1e-9 if dtype.itemsize == 8 else 1e-3)


def test_human36m_distortion_by_hand():
    """One point at u = (0.3, -0.2), written out with the numbers of camera 54138969."""
    camera = human36m_camera()
    pixel = project(torch.tensor([[1200.0, -800.0, 4000.0]], dtype=torch.float64), camera)[0]
    radial = 1 - 0.207099 * 0.13 + 0.247775 * 0.13**2 - 0.003075 * 0.13**3
    tangential = -0.00097570 * 0.3 + 0.00142447 * 0.2
    expected = [
        1145.049 * (0.3 * (radial + tangential) - 0.00097570 * 0.13) + 512.5415,
        1143.781 * (-0.2 * (radial + tangential) - 0.00142447 * 0.13) + 515.4515,
    ]
    np.testing.assert_allclose(pixel, expected, atol=1e-4)  # coefficients are float32
    # What is ignored matters: reversing p moves the pixel, leaving distortion out moves it more.
    swapped = Camera(camera.K, camera.R, camera.t, RADIAL, TANGENTIAL[::-1])
    pinhole = Camera(camera.K, camera.R, camera.t)
    point = torch.tensor([[1200.0, -800.0, 4000.0]], dtype=torch.float64)
    assert 0.02 < torch.dist(project(point, swapped)[0], pixel) < 0.3
    assert torch.dist(project(point, pinhole)[0], pixel) > 1


@pytest.mark.parametrize("lens", ["radial", "tangential"])
def test_one_kind_of_distortion_alone_is_the_other_at_zero(lens):
    full = human36m_camera()
    points = torch.randn(9, 3, dtype=torch.float64) * 500 + torch.tensor([0, 0, 4000.0])
    one = Camera(full.K, full.R, full.t, **{lens: getattr(full, lens)})
    coefficients = {"radial": torch.zeros(3), "tangential": torch.zeros(2)}
    zero = Camera(full.K, full.R, full.t, **(coefficients | {lens: getattr(full, lens)}))
    torch.testing.assert_close(project(points, one), project(points, zero))


def test_world_and_camera_are_inverse(batch, dtype):
    camera = human36m_camera(*batch, dtype=dtype)
    points = torch.randn(*batch, 17, 3, dtype=dtype) * 1000
    seen = world_to_camera(points, camera)
    torch.testing.assert_close(
        camera_to_world(seen, camera), points, atol=TOLERANCE[dtype] * 10, rtol=1e-5
    )
    single = (camera.R.reshape(-1, 3, 3)[0], camera.t.reshape(-1, 3)[0])
    expected = single[0] @ points.reshape(-1, 17, 3)[0, 5] + single[1]
    torch.testing.assert_close(seen.reshape(-1, 17, 3)[0, 5], expected, atol=1e-2, rtol=1e-5)
    centre = world_to_camera(camera.centre[..., None, :], camera)
    torch.testing.assert_close(centre, torch.zeros_like(centre), atol=1e-2, rtol=0)


def test_camera_takes_arrays_and_the_type_of_the_points(dtype):
    camera = Camera(np.eye(3), np.eye(3, dtype=np.float32), np.ones(3))
    points = torch.rand(4, 17, 3, dtype=dtype) + 1
    assert project(world_to_camera(points, camera), camera).dtype == dtype


@pytest.mark.parametrize(
    "field, shape", [("K", (3,)), ("R", (4, 3)), ("t", (2,)), ("radial", (2,))]
)
def test_camera_of_wrong_shape_is_refused(field, shape):
    fields = {"K": np.eye(3), "R": np.eye(3), "t": np.zeros(3), field: np.zeros(shape)}
    with pytest.raises(ValueError, match=f"camera: {field} has shape"):
        Camera(**fields)


def test_look_at_centres_the_target_with_up_upwards(batch, dtype):
    position = torch.randn(*batch, 3, dtype=dtype) * 4000
    target = torch.randn(*batch, 3, dtype=dtype) * 100
    up = torch.tensor([0.0, 0.0, 1.0], dtype=dtype)
    R, t = look_at(position, target, up)
    assert R.shape == (*batch, 3, 3) and t.shape == (*batch, 3)
    eye = torch.eye(3, dtype=dtype).expand(*batch, 3, 3)
    torch.testing.assert_close(R @ R.mT, eye, atol=1e-5, rtol=0)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(batch, dtype=dtype))
    camera = Camera(torch.eye(3), R, t)
    seen = world_to_camera(torch.stack((target, target + 100 * up), dim=-2), camera)
    distance = torch.linalg.vector_norm(target - position, dim=-1)
    torch.testing.assert_close(seen[..., 0, 2], distance)
    torch.testing.assert_close(
        seen[..., 0, :2], torch.zeros(*batch, 2, dtype=dtype), atol=1e-2, rtol=0
    )
    assert (seen[..., 1, 1] < seen[..., 0, 1]).all()  # y is down: what is above has the smaller y
    torch.testing.assert_close(seen[..., 1, 0], seen[..., 0, 0], atol=1e-2, rtol=0)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_look_at_along_up_is_still_a_camera(axis, sign):
    up = torch.zeros(3, dtype=torch.float64)
    up[axis] = 1
    R, t = look_at(sign * 1000 * up, torch.zeros(3, dtype=torch.float64), up)
    torch.testing.assert_close(R @ R.mT, torch.eye(3, dtype=torch.float64))
    assert torch.linalg.det(R) > 0 and t.isfinite().all()


# Alignment


def slow_align(source, target, scaling, reflection):
    """Umeyama's formulas in numpy for one pose."""
    source_mean, target_mean = source.mean(0), target.mean(0)
    X, Y = source - source_mean, target - target_mean
    U, S, Vt = np.linalg.svd(Y.T @ X)
    D = np.eye(len(S))
    if not reflection and np.linalg.det(U) * np.linalg.det(Vt) < 0:
        D[-1, -1] = -1
    scale = np.trace(np.diag(S) @ D) / (X**2).sum() if scaling else 1
    return scale * X @ (U @ D @ Vt).T + target_mean


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("reflection", [False, True])
def test_similarity_equals_a_slow_loop(batch, dtype, dimensions, reflection):
    source, target = torch.randn(2, *batch, 17, dimensions, dtype=dtype) * 300 + 2000
    aligned = similarity_align(source, target, reflection)
    assert aligned.shape == source.shape and aligned.dtype == dtype
    pairs = zip(source.reshape(-1, 17, dimensions), target.reshape(-1, 17, dimensions), strict=True)
    expected = np.stack(
        [slow_align(s.double().numpy(), t.double().numpy(), True, reflection) for s, t in pairs]
    ).reshape(aligned.shape)
    np.testing.assert_allclose(aligned, expected, rtol=0, atol=1e3 * TOLERANCE[dtype])


def test_rigid_equals_a_slow_loop(batch, dtype):
    source, target = torch.randn(2, *batch, 17, 3, dtype=dtype) * 300
    aligned = rigid_align(source, target)
    pairs = zip(source.reshape(-1, 17, 3), target.reshape(-1, 17, 3), strict=True)
    expected = np.stack(
        [slow_align(s.double().numpy(), t.double().numpy(), False, False) for s, t in pairs]
    ).reshape(aligned.shape)
    np.testing.assert_allclose(aligned, expected, rtol=0, atol=1e3 * TOLERANCE[dtype])
    between = torch.cdist(source.reshape(-1, 17, 3), source.reshape(-1, 17, 3))
    after = torch.cdist(aligned.reshape(-1, 17, 3), aligned.reshape(-1, 17, 3))
    torch.testing.assert_close(after, between, atol=0.5, rtol=1e-3)


def test_similarity_recovers_what_was_done(batch):
    target = torch.randn(*batch, 17, 3, dtype=torch.float64) * 300
    scale = torch.rand(*batch, 1, 1, dtype=torch.float64) + 0.5
    moved = scale * target @ random_rotation(*batch).mT + torch.randn(*batch, 1, 3) * 1000
    torch.testing.assert_close(similarity_align(moved, target), target)
    mirrored = moved * torch.tensor([-1.0, 1.0, 1.0])
    torch.testing.assert_close(similarity_align(mirrored, target, reflection=True), target)
    left = torch.linalg.vector_norm(similarity_align(mirrored, target) - target, dim=-1)
    assert (left.mean(-1) > 20).all()


@pytest.mark.parametrize("source", degenerate())
@pytest.mark.parametrize("target", degenerate())
@pytest.mark.parametrize("align", [similarity_align, rigid_align])
def test_alignment_is_finite_and_optimal_where_it_is_not_unique(source, target, align, dtype):
    torch.manual_seed(1)
    points = degenerate(dtype)
    moving = points[source].clone().requires_grad_()
    fixed = points[target].clone().requires_grad_()
    aligned = align(moving, fixed)
    (aligned - fixed).square().sum().backward()
    assert aligned.isfinite().all()
    assert moving.grad.isfinite().all() and fixed.grad.isfinite().all()
    if source not in ("equal", "zero"):  # numpy's scale is 0 / 0 there
        arrays = moving.detach().double().numpy(), fixed.detach().double().numpy()
        expected = slow_align(*arrays, align is similarity_align, False)
        best = np.square(expected - arrays[1]).sum()
        found = np.square(aligned.detach().double().numpy() - arrays[1]).sum()
        assert found <= best * (1 + 1e-4) + 1


def test_a_point_aligns_to_the_mean_of_the_target(dtype):
    target = torch.randn(17, 3, dtype=dtype) * 300
    aligned = similarity_align(torch.full((17, 3), 1234.567, dtype=dtype), target)
    torch.testing.assert_close(aligned, target.mean(dim=0).expand(17, 3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("align", [similarity_align, rigid_align])
def test_gradient_of_the_alignment(align):
    source, target = torch.randn(2, 2, 6, 3, dtype=torch.float64)
    assert torch.autograd.gradcheck(align, (source.requires_grad_(), target.requires_grad_()))


@pytest.mark.parametrize("shapes", [((5, 3), (6, 3)), ((5, 3), (5, 2)), ((0, 3), (0, 3))])
def test_alignment_refuses_points_that_do_not_pair(shapes):
    with pytest.raises(ValueError, match="alignment pairs each point"):
        similarity_align(*(torch.zeros(shape) for shape in shapes))


# Kinematics


def slow_kinematics(rotations, offsets, parents, root):
    def chain(joint):
        if parents[joint] == -1:
            return rotations[joint], root
        rotation, position = chain(parents[joint])
        return rotation @ rotations[joint], position + rotation @ offsets[joint]

    return np.stack([chain(joint)[1] for joint in range(len(parents))])


@pytest.mark.parametrize("name", ["human36m_17", "mpi_inf_3dhp_28", "cmu_31"])
def test_kinematics_equals_a_slow_recursion(name, batch, dtype):
    parents = SKELETONS[name].parents
    J = len(parents)
    rotations = random_rotation(*batch, J, dtype=dtype)
    offsets = torch.randn(J, 3, dtype=dtype) * 200  # one body for the whole batch
    root = torch.randn(*batch, 3, dtype=dtype) * 1000
    positions = forward_kinematics(rotations, offsets, parents, root)
    assert positions.shape == (*batch, J, 3) and positions.dtype == dtype
    flat = rotations.reshape(-1, J, 3, 3).double().numpy(), root.reshape(-1, 3).double().numpy()
    expected = np.stack(
        [
            slow_kinematics(r, offsets.double().numpy(), parents, o)
            for r, o in zip(*flat, strict=True)
        ]
    ).reshape(positions.shape)
    np.testing.assert_allclose(positions, expected, rtol=0, atol=10 * TOLERANCE[dtype] * 100)


def test_kinematics_keeps_bones_and_turns_what_hangs_from_a_joint():
    parents = HUMAN36M_17.parents
    offsets = torch.randn(17, 3, dtype=torch.float64) * 200
    rest = torch.eye(3, dtype=torch.float64).repeat(17, 1, 1)
    root = torch.zeros(3, dtype=torch.float64)
    straight = forward_kinematics(rest, offsets, parents, root)
    knee = HUMAN36M_17.index("right_knee")
    bent = rest.clone()
    bent[knee] = rotation_x(torch.tensor(1.0, dtype=torch.float64))
    moved = forward_kinematics(bent, offsets, parents, root)
    changed = (moved - straight).abs().sum(-1) > 1e-9
    assert [HUMAN36M_17.joints[j] for j in changed.nonzero()[:, 0]] == ["right_ankle"]
    start, end = zip(*HUMAN36M_17.bones, strict=True)
    lengths = torch.linalg.vector_norm(moved[list(end)] - moved[list(start)], dim=-1)
    torch.testing.assert_close(lengths, torch.linalg.vector_norm(offsets[list(end)], dim=-1))


def test_kinematics_refuses_other_numbers_of_joints():
    rotations, root = torch.eye(3).repeat(3, 1, 1), torch.zeros(3)
    with pytest.raises(ValueError, match="2 parents, 3 rotations, 3 offsets"):
        forward_kinematics(rotations, torch.zeros(3, 3), (-1, 0), root)
    with pytest.raises(ValueError, match="one root"):
        forward_kinematics(rotations, torch.zeros(3, 3), (-1, -1, 0), root)
