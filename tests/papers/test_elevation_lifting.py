"""ElePose's losses: the lift and its loop of rotations, views, and who gets which gradient."""

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from lib.flows import PoseFlow
from lib.geometry import rotation_x, rotation_y
from lib.losses import l_bl, l_nf, relative_bone_lengths
from lib.networks import ElevationLifter
from lib.papers.elevation_lifting import (
    LiftingLosses,
    draw_view,
    lift,
    lifting_losses,
    project,
    turn,
)
from lib.papers.normalise import DEPTH
from lib.skeleton import HUMAN36M_17

PARENTS = HUMAN36M_17.parents
ALL = LiftingLosses()
UP = torch.tensor([0.0, -1.0, 0.0])


def bodies(count=6):
    """Poses in units with the root at D on the optical axis."""
    pose = 0.4 * torch.randn(count, 17, 3, dtype=torch.float64)
    pose = pose - pose[:, :1]
    return pose + torch.tensor([0.0, 0.0, DEPTH])


def distances(pose):
    return (pose[:, :, None] - pose[:, None]).norm(dim=-1)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


class Oracle(nn.Module):
    """Knows the depths of the poses it is shown, first the given ones, then those turned."""

    def __init__(self, bodies, elevation=0.0, seed=0):
        super().__init__()
        angle = torch.full((len(bodies),), elevation, dtype=torch.float64)
        turned = turn(bodies, draw_view(angle, generator(seed)))
        self.known = [(bodies[..., 2] - DEPTH, angle), (turned[..., 2], angle)]

    def forward(self, pose):
        return self.known.pop(0)


def losses_of(lifter, pose, settings=ALL, flow=None, ratios=None, seed=0, hold=False):
    flow = flow or PoseFlow(17, 26, 2, 8).to(pose.dtype)
    ratios = pose.new_ones(16) if ratios is None else ratios
    return lifting_losses(lifter, flow, pose, settings, PARENTS, ratios, generator(seed), hold)


# Lift, turn, project


def test_a_lifted_pose_projects_onto_its_2d_pose():
    pose = 0.1 * torch.randn(5, 17, 2, dtype=torch.float64)
    pose = pose - pose[:, :1]
    offsets = 0.5 * torch.randn(5, 17, dtype=torch.float64)
    offsets[:, 0] = 0
    lifted = lift(pose, offsets)
    torch.testing.assert_close(lifted[..., 2], DEPTH + offsets)
    torch.testing.assert_close(lifted[..., :2] / lifted[..., 2:], pose)
    torch.testing.assert_close(project(lifted - lifted[:, :1]), pose)


def test_depth_is_at_least_one():
    pose = torch.randn(1, 17, 2)
    offsets = torch.linspace(-30, 0, 17, requires_grad=True)
    depth = lift(pose, offsets[None])[..., 2]
    torch.testing.assert_close(depth[0], (DEPTH + offsets).clamp(min=1))
    (gradient,) = torch.autograd.grad(depth.sum(), offsets)
    assert torch.equal(gradient, (offsets > 1 - DEPTH).float())
    behind = torch.tensor([[[0.3, 0.2, -40.0]]])
    torch.testing.assert_close(project(behind), behind[..., :2])


def test_a_turn_keeps_distances_and_puts_the_root_at_the_origin():
    pose = bodies()
    rotation = draw_view(torch.randn(6).double(), generator())
    turned = turn(pose + torch.randn(6, 1, 3), rotation)
    torch.testing.assert_close(distances(turned), distances(pose))
    assert float(turned[:, 0].abs().max()) == 0
    for number in range(6):
        for joint in range(17):
            expected = rotation[number] @ (pose[number, joint] - pose[number, 0])
            torch.testing.assert_close(turned[number, joint], expected)


# Views


@pytest.mark.parametrize("kind", ["learned", "uniform"])
def test_views_are_rotations(kind):
    rotation = draw_view(torch.randn(1000), generator(), kind)
    identity = torch.eye(3).expand(1000, 3, 3)
    torch.testing.assert_close(rotation @ rotation.mT, identity, rtol=0, atol=1e-5)
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(1000))
    assert torch.equal(rotation, draw_view(torch.randn(1000), generator(), kind)) == (kind == "uniform")


def test_views_repeat_with_the_generator():
    angle = torch.randn(50)
    first, again, other = (draw_view(angle, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.allclose(first, other)


@pytest.mark.parametrize("angle", [-0.4, 0.0, 0.2])
def test_a_view_levels_turns_and_tilts_again(angle):
    """Of one predicted elevation for all: R = Re^T Ra Re, in which the upright axis stays."""
    elevation = torch.full((2000,), angle)
    rotation = draw_view(elevation, generator())
    up = rotation_x(elevation).mT @ UP  # of a camera that looks down by -angle
    torch.testing.assert_close((rotation @ up[..., None])[..., 0], up, rtol=0, atol=2e-3)
    middle = rotation_x(elevation) @ rotation @ rotation_x(elevation).mT
    azimuth = torch.atan2(middle[:, 0, 2], middle[:, 0, 0])
    torch.testing.assert_close(middle, rotation_y(azimuth), rtol=0, atol=2e-3)
    counts = torch.histc(azimuth, 8, -math.pi, math.pi)
    assert counts.min() > 180  # of 250: every direction is drawn as often


def test_new_elevations_have_the_distribution_of_the_batch():
    elevation = 0.15 + 0.1 * torch.randn(20000)
    rotation = draw_view(elevation, generator())
    levelled = rotation_x(elevation).mT @ UP
    seen = (rotation @ levelled[..., None])[..., 0]
    assert seen[:, 0].abs().max() < 1e-5  # no roll
    tilt = torch.atan2(-seen[:, 2], -seen[:, 1])
    assert float(tilt.mean()) == pytest.approx(-0.15, abs=0.005)
    assert float(tilt.std()) == pytest.approx(0.1, rel=0.05)
    assert abs(float(torch.corrcoef(torch.stack([tilt, elevation]))[0, 1])) < 0.03


def test_uniform_views_tilt_by_at_most_twenty_degrees():
    rotation = draw_view(torch.randn(5000), generator(), "uniform")
    seen = rotation @ UP
    tilt = torch.rad2deg(torch.atan2(-seen[:, 2], -seen[:, 1]))
    assert tilt.abs().max() <= 20 + 1e-3 and tilt.abs().max() > 19.9
    assert seen[:, 0].abs().max() < 1e-5 and abs(float(tilt.mean())) < 0.5


def test_unknown_views_are_refused():
    with pytest.raises(ValueError, match="'learned' or 'uniform', not 'fixed'"):
        draw_view(torch.zeros(2), generator(), "fixed")


# Losses


@pytest.mark.parametrize("norm", ["squared", "euclidean", "absolute"])
def test_the_true_depths_close_the_loop(norm):
    truth = bodies()
    pose = truth[..., :2] / truth[..., 2:]
    settings = replace(ALL, norm_2d=norm, norm_3d=norm)
    found = losses_of(Oracle(truth, 0.2), pose, settings)
    for name in ("2d", "3d", "def"):
        assert float(found[name]) < 1e-5, name
    # and wrong ones do not
    wrong = Oracle(truth, 0.2)
    wrong.known[1] = (torch.zeros(6, 17).double(), wrong.known[1][1])
    broken = losses_of(wrong, pose, settings)
    assert all(float(broken[name]) > 1e-3 for name in ("2d", "3d", "def"))


def test_the_loop_alone_does_not_know_depth():
    """All at one depth from everywhere is not consistent; a body mirrored in depth is."""
    truth = bodies()
    pose = truth[..., :2] / truth[..., 2:]
    mirrored = lift(pose, DEPTH - truth[..., 2])
    found = losses_of(Oracle(mirrored), pose)
    assert all(float(found[name]) < 1e-5 for name in ("2d", "3d", "def"))


def test_the_prior_losses_are_those_of_the_turned_and_of_the_lifted_pose():
    truth = bodies()
    pose = truth[..., :2] / truth[..., 2:]
    flow = PoseFlow(17, 26, 2, 8).double()
    flow.fit_pca(torch.randn(100, 17, 2).double())
    ratios = relative_bone_lengths(truth, PARENTS).mean(0)
    found = losses_of(Oracle(truth, 0.1, seed=3), pose, ALL, flow, ratios, seed=3)
    view = draw_view(torch.full((6,), 0.1).double(), generator(3))
    seen = project(turn(truth, view))
    torch.testing.assert_close(found["nf"], l_nf(flow.log_prob(seen), ALL.nf_limit))
    torch.testing.assert_close(found["bl"], l_bl(truth, PARENTS, ratios, ALL.sigma_b))


def test_weights_scale_and_switch_off():
    lifter, pose = ElevationLifter(17, 16), 0.1 * torch.randn(6, 17, 2)
    flow = PoseFlow(17, 26, 2, 8)
    full = losses_of(lifter, pose, ALL, flow)
    assert list(full) == ["2d", "3d", "def", "nf", "bl"]
    for name in full:
        doubled = losses_of(lifter, pose, replace(ALL, **{f"w_{name}": 2.0}), flow)
        torch.testing.assert_close(doubled, full | {name: 2 * full[name]})
        without = losses_of(lifter, pose, replace(ALL, **{f"w_{name}": 0.0}), flow)
        torch.testing.assert_close(without, {k: v for k, v in full.items() if k != name})
    none = LiftingLosses(w_2d=0.0, w_3d=0.0, w_def=0.0, w_nf=0.0, w_bl=0.0)
    assert ALL.active and not none.active and losses_of(lifter, pose, none, flow) == {}


def test_a_held_elevation_is_that_of_cameras_that_look_down():
    """By the same angle as if the lifter had said so; it learns nothing of its own meanwhile."""
    settings, pose = replace(ALL, held=0.3), 0.1 * torch.randn(6, 17, 2)
    lifter, flow = ElevationLifter(17, 16), PoseFlow(17, 26, 2, 8).requires_grad_(False)
    flow.fit_pca(torch.randn(100, 17, 2))
    held = losses_of(lifter, pose, settings, flow, hold=True)
    sum(held.values()).backward()
    assert all(parameter.grad is None for parameter in lifter.angle.parameters())
    assert all(parameter.grad is not None for parameter in lifter.depth.parameters())
    own = losses_of(lifter, pose, settings, flow)
    with torch.no_grad():
        lifter.angle[-1].weight.zero_()
        lifter.angle[-1].bias.fill_(-0.3)  # levels what a camera sees that looks down by 0.3
    said = losses_of(lifter, pose, settings, flow)
    bones = said.pop("bl")  # wait while the elevation is held
    torch.testing.assert_close(held, said)
    assert float(bones.detach()) > 0
    assert not torch.allclose(own["nf"], held["nf"])
    down = rotation_x(torch.tensor(0.3)) @ UP  # of a camera turned down, up leans to it
    assert down[2] < 0
    torch.testing.assert_close(rotation_x(torch.tensor(-0.3)) @ down, UP)


def test_pairs_are_needed():
    with pytest.raises(ValueError, match="even, not 5"):
        losses_of(ElevationLifter(17, 8), torch.randn(5, 17, 2))


@pytest.mark.parametrize("elevation", ["learned", "uniform"])
def test_the_angle_is_learned_where_it_is_used(elevation):
    lifter, pose = ElevationLifter(17, 16), 0.1 * torch.randn(6, 17, 2)
    flow = PoseFlow(17, 26, 2, 8).requires_grad_(False)
    found = losses_of(lifter, pose.requires_grad_(), replace(ALL, elevation=elevation), flow)
    sum(found.values()).backward()
    angle = [parameter.grad for parameter in lifter.angle.parameters()]
    assert all((grad is not None) == (elevation == "learned") for grad in angle)
    for parameter in lifter.depth.parameters():
        assert bool(parameter.grad.isfinite().all()) and float(parameter.grad.abs().max()) > 0
    assert bool(pose.grad.isfinite().all()) and float(pose.grad.abs().max()) > 0
    assert all(parameter.grad is None for parameter in flow.parameters())


@pytest.mark.parametrize("kind", ["a point", "huge", "upside down"])
def test_losses_of_degenerate_poses_are_finite(kind):
    pose = {
        "a point": torch.zeros(4, 17, 2),
        "huge": 1e3 * torch.randn(4, 17, 2),
        "upside down": -0.1 * torch.rand(4, 17, 2),
    }[kind].requires_grad_()
    lifter = ElevationLifter(17, 16)
    found = losses_of(lifter, pose)
    total = sum(found.values())
    grads = torch.autograd.grad(total, [pose, *lifter.parameters()], allow_unused=True)
    assert bool(total.isfinite())
    assert all(bool(grad.isfinite().all()) for grad in grads if grad is not None)


def test_the_lifter_learns_from_the_losses():
    """One body seen from everywhere: its bones, and what it looks like from elsewhere."""
    shape = 0.4 * torch.randn(17, 3)
    shape = shape - shape[0]
    ratios = relative_bone_lengths(shape, PARENTS)

    def draw(count, seed):
        return project(shape @ draw_view(torch.zeros(count), generator(seed)).mT)

    flow = PoseFlow(17, 16, 1, 16)
    flow.fit_pca(draw(400, 0) + 0.002 * torch.randn(400, 17, 2))
    flow.requires_grad_(False)
    lifter = ElevationLifter(17, 64)
    optimiser = torch.optim.Adam(lifter.parameters(), 2e-3)
    history = []
    for step in range(80):
        found = losses_of(lifter, draw(64, step), ALL, flow, ratios, step)
        optimiser.zero_grad()
        sum(found.values()).backward()
        optimiser.step()
        history.append({name: float(loss.detach()) for name, loss in found.items()})
    for name in ("nf", "bl"):
        early, late = (sum(h[name] for h in part) for part in (history[:5], history[-5:]))
        assert late < 0.7 * early, name
