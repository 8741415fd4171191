"""The maps against slow loops over pixels and limbs, their gradients, and what they refuse."""

import math

import pytest
import torch

from lib import rasterize_kernels
from lib.rasterize import (
    gaussian_maps,
    joint_heatmaps,
    limb_affinity_maps,
    pixel_centres,
    posed_part_maps,
    skeleton_image,
)
from lib.skeleton import HUMAN36M_17

EDGES = [(0, 1), (1, 2), (1, 3), (4, 0)]
PARTS = [[(0, 1)], [(1, 2), (1, 3)], [(4, 0)]]
WIDTHS = [0.1, 0.2, 0.05]


def points(count=2, joints=5, dtype=torch.float32):
    return torch.rand(count, joints, 2, dtype=dtype) * 1.8 - 0.9


# The oracles: one pixel, one limb at a time, in Python's double precision.


def centre(i, size):
    return 2 * (i + 0.5) / size - 1


def square_to_limb(x, y, u, v):
    dx, dy = v[0] - u[0], v[1] - u[1]
    length = dx * dx + dy * dy
    r = ((x - u[0]) * dx + (y - u[1]) * dy) / length if length else 0.0
    r = min(max(r, 0.0), 1.0)
    return (x - u[0] - r * dx) ** 2 + (y - u[1] - r * dy) ** 2


def loop(shape, size, value):
    """Maps (*shape, size, size) of value(*index, x, y)."""
    maps = torch.zeros(*shape, size, size, dtype=torch.float64)
    for index in torch.cartesian_prod(*(torch.arange(n) for n in maps.shape)).tolist():
        maps[tuple(index)] = value(*index[:-2], centre(index[-1], size), centre(index[-2], size))
    return maps


def skeleton_by_loop(poses, edges, size, gamma, squared=True):
    poses = poses.tolist()

    def value(n, x, y):
        d2 = min(square_to_limb(x, y, poses[n][i], poses[n][j]) for i, j in edges)
        return math.exp(-gamma * (d2 if squared else math.sqrt(d2 + 1e-6)))

    return loop((len(poses),), size, value)


def parts_by_loop(poses, parts, size, widths, softness):
    poses = poses.tolist()

    def value(n, p, x, y):
        d2 = min(square_to_limb(x, y, poses[n][i], poses[n][j]) for i, j in parts[p])
        return 1 / (1 + math.exp(min((d2 / widths[p] ** 2 - 1) / (2 * softness), 700)))

    return loop((len(poses), len(parts)), size, value)


def affinity_by_loop(poses, edges, size, width, reach):
    poses = poses.tolist()

    def value(n, e, component, x, y):
        (ux, uy), (vx, vy) = (poses[n][joint] for joint in edges[e])
        length = math.hypot(vx - ux, vy - uy)
        t = ((vx - ux) / length, (vy - uy) / length)
        x, y = x - (ux + vx) / 2, y - (uy + vy) / 2
        along, across = x * t[0] + y * t[1], x * t[1] - y * t[0]
        along_std = max(reach * length, width)
        map = math.exp(-0.5 * (along / along_std) ** 2 - 0.5 * (across / width) ** 2)
        return map * (*t, 1.0)[component]

    return loop((len(poses), len(edges), 3), size, value)


@pytest.mark.parametrize("size", [1, 7, 16])
@pytest.mark.parametrize("squared", [True, False])
def test_skeleton_image_is_the_loops(size, squared):
    poses = points()
    image = skeleton_image(poses, EDGES, size, 30.0, squared)
    assert image.dtype == torch.float32
    expected = skeleton_by_loop(poses, EDGES, size, 30.0, squared)
    torch.testing.assert_close(image.double(), expected, rtol=0, atol=1e-5)


def test_skeleton_image_has_one_map_for_each_group_of_limbs():
    poses, groups = points(), [[0, 3], [2], [1, 2]]
    maps = skeleton_image(poses, EDGES, 16, 30.0, channels=groups)
    assert maps.shape == (2, 3, 16, 16)
    for number, group in enumerate(groups):
        alone = skeleton_image(poses, [EDGES[limb] for limb in group], 16, 30.0)
        torch.testing.assert_close(maps[:, number], alone, rtol=0, atol=1e-6)


def test_skeleton_image_is_bright_where_the_limb_is():
    pose = torch.tensor([[[-0.5, 0.25], [0.5, 0.25]]])  # right and down: row 10 of 16
    image = skeleton_image(pose, [(0, 1)], 16, 200.0)[0]
    assert set(image.argmax(dim=0).tolist()[4:12]) <= {9, 10}
    assert image[2].max() < 1e-3


def test_joint_heatmaps_are_the_loops():
    poses = points()
    rows = poses.tolist()
    expected = loop(
        (2, 5),
        12,
        lambda n, j, x, y: math.exp(
            -((x - rows[n][j][0]) ** 2 + (y - rows[n][j][1]) ** 2) / (2 * 0.2**2)
        ),
    )
    maps = joint_heatmaps(poses, 12, 0.2)
    torch.testing.assert_close(maps.double(), expected, rtol=0, atol=1e-5)


def test_limb_affinity_maps_are_the_loops():
    poses = points()
    expected = affinity_by_loop(poses, EDGES, 12, 0.1, 0.4)
    maps = limb_affinity_maps(poses, EDGES, 12, 0.1)
    torch.testing.assert_close(maps.double(), expected[:, :, :2], rtol=0, atol=1e-5)
    alone = limb_affinity_maps(poses, EDGES, 12, 0.1, vectors=False)
    torch.testing.assert_close(alone.double(), expected[:, :, 2], rtol=0, atol=1e-5)


def test_limb_affinity_points_from_the_first_joint_to_the_second():
    pose = torch.tensor([[[0.0, 0.9], [0.0, -0.9]]])
    middle = limb_affinity_maps(pose, [(0, 1)], 15, 0.2)[0, 0, :, 7, 7]
    torch.testing.assert_close(middle, torch.tensor([0.0, -1.0]), atol=1e-5, rtol=0)


def test_posed_part_maps_are_the_loops():
    poses = points()
    expected = parts_by_loop(poses, PARTS, 12, WIDTHS, 0.15)
    maps = posed_part_maps(poses, PARTS, 12, WIDTHS, softness=0.15)
    torch.testing.assert_close(maps.double(), expected, rtol=0, atol=1e-5)


def test_a_part_is_a_half_on_its_outline():
    pose = torch.tensor([[[-1.0, 0.0], [1.0, 0.0]]])
    column = posed_part_maps(pose, [[(0, 1)]], 20, 0.25)[0, 0, :, 10]
    inside = pixel_centres(20, pose).abs() < 0.25
    assert ((column > 0.5) == inside).all()


def test_widths_of_each_picture():
    poses = points(3)
    widths = torch.rand(3, 3) * 0.2 + 0.05
    maps = posed_part_maps(poses, PARTS, 12, widths)
    for n in range(3):
        alone = posed_part_maps(poses[n : n + 1], PARTS, 12, widths[n])
        torch.testing.assert_close(maps[n], alone[0])


def test_gaussian_maps_move_with_an_affine_map():
    mean, axes = torch.rand(2, 3, 2) - 0.5, torch.randn(2, 3, 2, 2) * 3
    size = 9
    grid = pixel_centres(size, mean)
    e = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), dim=-1)
    offset = e - mean[:, :, None, None]
    scaled = torch.einsum("npij,npyxj->npyxi", axes, offset)
    expected = torch.exp(-0.5 * scaled.square().sum(-1))
    torch.testing.assert_close(gaussian_maps(mean, axes, size), expected, rtol=0, atol=1e-5)


MAPS = {
    "skeleton": lambda p, size=6: skeleton_image(p, EDGES, size, 9.0),
    "skeleton, plain": lambda p, size=6: skeleton_image(p, EDGES, size, 4.0, squared=False),
    "skeleton, channels": lambda p, size=6: skeleton_image(
        p, EDGES, size, 9.0, channels=[[0, 1], [2, 3, 2]]
    ),
    "heat": lambda p, size=6: joint_heatmaps(p, size, 0.4),
    "affinity": lambda p, size=6: limb_affinity_maps(p, EDGES, size, 0.2),
    "affinity, scalar": lambda p, size=6: limb_affinity_maps(p, EDGES, size, 0.2, vectors=False),
    "parts": lambda p, size=6: posed_part_maps(p, PARTS, size, WIDTHS, softness=0.5),
}
every_map = pytest.mark.parametrize("draw", MAPS.values(), ids=MAPS.keys())


@every_map
def test_gradients_are_those_of_finite_differences(draw):
    assert torch.autograd.gradcheck(draw, points(2, dtype=torch.float64).requires_grad_())


def test_gradients_of_gaussians_and_widths():
    mean = points(2, 3, dtype=torch.float64).requires_grad_()
    axes = torch.randn(2, 3, 2, 2, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(lambda m, a: gaussian_maps(m, a, 6), (mean, axes))
    width = torch.full((4,), 0.3, dtype=torch.float64, requires_grad=True)
    poses = points(2, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda w: limb_affinity_maps(poses, EDGES, 6, w), width)


@every_map
def test_chunks_do_not_show(draw, monkeypatch):
    poses = points(5).requires_grad_()
    weight = torch.rand_like(draw(poses))
    whole = draw(poses)
    (gradient,) = torch.autograd.grad(whole, poses, weight)
    monkeypatch.setattr(rasterize_kernels, "_CPU_PIXELS", 2 * 6 * 6)
    (in_chunks,) = torch.autograd.grad(draw(poses), poses, weight)
    torch.testing.assert_close(draw(poses), whole)
    torch.testing.assert_close(in_chunks, gradient)


@every_map
def test_degenerate_poses_have_finite_maps_and_gradients(draw):
    collapsed = torch.zeros(1, 5, 2)
    on_a_pixel = torch.full((1, 5, 2), centre(3, 6))
    flat = points(1) * torch.tensor([1.0, 0.0])
    tiny = 1e-20 * points(1)
    far = points(1) + 100.0
    poses = torch.cat((collapsed, on_a_pixel, flat, tiny, far)).requires_grad_()
    maps = draw(poses)
    (gradient,) = torch.autograd.grad(maps.square().sum(), poses)
    assert maps.isfinite().all() and maps.abs().max() <= 1 + 1e-6
    assert gradient.isfinite().all()
    assert gradient.abs().max() < 1e5
    assert not gradient[4].any()  # nothing pulls from outside the picture, denormal or not


def test_a_limb_of_zero_length_has_no_direction():
    pose = torch.zeros(1, 2, 2)
    assert not limb_affinity_maps(pose, [(0, 1)], 8, 0.2).any()
    dot = limb_affinity_maps(pose, [(0, 1)], 8, 0.2, vectors=False)
    torch.testing.assert_close(dot, joint_heatmaps(pose[:, :1], 8, 0.2))


@every_map
def test_no_pictures(draw):
    poses = torch.zeros(0, 5, 2, requires_grad=True)
    maps = draw(poses)
    assert maps.shape == (0, *draw(points(1)).shape[1:])
    maps.sum().backward()
    assert poses.grad.shape == (0, 5, 2)


@every_map
def test_maps_stay_float32_in_low_precision(draw):
    poses = points().requires_grad_()
    expected = draw(poses)
    (gradient,) = torch.autograd.grad(expected.sum(), poses)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        maps = draw(poses)
        (under_autocast,) = torch.autograd.grad(maps.sum(), poses)
    assert maps.dtype == torch.float32
    torch.testing.assert_close(maps, expected)
    torch.testing.assert_close(under_autocast, gradient)
    half = poses.detach().bfloat16().requires_grad_()
    maps = draw(half)
    assert maps.dtype == torch.float32
    assert torch.autograd.grad(maps.sum(), half)[0].dtype == torch.bfloat16


@every_map
def test_wrong_points_are_refused(draw):
    for wrong in (torch.zeros(5, 2), torch.zeros(2, 5, 3), torch.zeros(2, 5)):
        with pytest.raises(ValueError, match=r"not \(N, J, 2\)"):
            draw(wrong)
    with pytest.raises(ValueError, match="floating point"):
        draw(torch.zeros(2, 5, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="at least one pixel"):
        draw(points(), size=0)


def test_wrong_edges_and_widths_are_refused():
    poses = points()
    for edges in ([(0, 5)], [(-1, 0)], [(0, 1, 2)]):
        with pytest.raises(ValueError, match="does not join two of the 5 joints"):
            skeleton_image(poses, edges, 8, 1.0)
        with pytest.raises(ValueError, match="does not join"):
            posed_part_maps(poses, [edges], 8, 0.1)
        with pytest.raises(ValueError, match="does not join"):
            limb_affinity_maps(poses, edges, 8, 0.1)
    with pytest.raises(ValueError, match="no edge"):
        skeleton_image(poses, [], 8, 1.0)
    with pytest.raises(ValueError, match="no edge|not among"):
        skeleton_image(poses, EDGES, 8, 1.0, channels=[[0], []])
    with pytest.raises(ValueError, match="no edge|not among"):
        skeleton_image(poses, EDGES, 8, 1.0, channels=[[4]])
    with pytest.raises(ValueError, match="no edge|not among"):
        posed_part_maps(poses, [[(0, 1)], []], 8, 0.1)
    with pytest.raises(ValueError, match="width has shape"):
        limb_affinity_maps(poses, EDGES, 8, [0.1, 0.2])
    for width in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="width is positive"):
            limb_affinity_maps(poses, EDGES, 8, width)
    for call in (
        lambda: skeleton_image(poses, EDGES, 8, 0.0),
        lambda: joint_heatmaps(poses, 8, 0.0),
        lambda: limb_affinity_maps(poses, EDGES, 8, 0.1, reach=0),
        lambda: posed_part_maps(poses, PARTS, 8, 0.1, softness=0),
    ):
        with pytest.raises(ValueError, match="is positive"):
            call()
    with pytest.raises(ValueError, match="axes have shape"):
        gaussian_maps(poses, torch.zeros(2, 4, 2, 2), 8)


def test_nothing_of_the_size_of_edges_times_pixels_is_kept():
    poses = points(4, 17).requires_grad_()
    kept = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor
    ):
        image = skeleton_image(poses, HUMAN36M_17.bones, 64, 200.0)
    of_pixels = sum(t.nbytes for t in kept if t.numel() >= image.numel())
    assert of_pixels <= 1.5 * image.nbytes


def test_gradients_agree_with_the_obvious_version():
    """One map and one exponential a limb, then the maximum, left to autograd."""
    poses = points(8, 17, dtype=torch.float64).requires_grad_()
    grid = pixel_centres(16, poses)
    e = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), dim=-1)
    maps = []
    for i, j in HUMAN36M_17.bones:
        u, v = poses[:, i, None, None], poses[:, j, None, None]
        r = ((e - u) * (v - u)).sum(-1) / (v - u).square().sum(-1)
        maps.append(torch.exp(-50 * (e - u - r.clamp(0, 1)[..., None] * (v - u)).square().sum(-1)))
    obvious = torch.stack(maps).amax(0)
    image = skeleton_image(poses, HUMAN36M_17.bones, 16, 50.0)
    weight = torch.rand_like(image)
    (expected,) = torch.autograd.grad(obvious, poses, weight)
    (gradient,) = torch.autograd.grad(image, poses, weight)
    torch.testing.assert_close(image, obvious)
    torch.testing.assert_close(gradient, expected)
