"""Yu et al. 2021: the geometry of the lift, which module learns when, and a scale that stays."""

import json
import math
from dataclasses import asdict, replace

import people
import pytest
import torch

from lib.geometry import rotation_x, rotation_y, rotation_z
from lib.papers import yu2021_scale_lifting as yu
from lib.papers.normalise import DEPTH, Normaliser, head_root, reference_scale
from lib.skeleton import HUMAN36M_17

SMOKE = yu.PROFILES["smoke"]
FULL = yu.Variant()
NO_MODULE = replace(FULL, scale="none", w_bone=0.0, w_kl=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return people.load(people.write_collection(tmp_path_factory.mktemp("data")))


@pytest.fixture
def rotations(batch):
    angles = torch.rand(3, *batch, dtype=torch.float64) * 6
    return rotation_z(angles[0]) @ rotation_x(angles[1]) @ rotation_y(angles[2])


def poses(*batch):
    """3D poses in units with the root near D, as a lift gives them."""
    return torch.randn(*batch, 17, 3, dtype=torch.float64) * 0.4 + torch.tensor([0.1, 0.0, DEPTH])


def distances(pose):
    return (pose[..., :, None, :] - pose[..., None, :, :]).norm(dim=-1)


def make(data, variant, profile=SMOKE, seed=0):
    return yu.build(variant, profile, data, seed)


def state(module):
    """Parameters and the buffers of batch norm, copied."""
    return {name: value.clone() for name, value in module.state_dict().items()}


def same(module, before):
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def losses_of(trainer, steps):
    return [{k: float(v) for k, v in trainer.step(index).items()} for index in range(steps)]


# Geometry


def test_a_lifted_pose_projects_onto_its_2d_pose(batch):
    pose = torch.randn(*batch, 17, 2, dtype=torch.float64) * 0.1
    for offsets in (0.5 * torch.randn(*batch, 17), -8.9 + 20 * torch.rand(*batch, 17)):
        lifted = yu.lift(pose, offsets.double())
        assert lifted.shape == (*batch, 17, 3)
        torch.testing.assert_close(lifted[..., 2], DEPTH + offsets.double())
        torch.testing.assert_close(yu.project(lifted), pose)


def test_depth_is_at_least_one():
    pose = torch.randn(17, 2)
    offsets = torch.linspace(-30, 0, 17, requires_grad=True)
    depth = yu.lift(pose, offsets)[..., 2]
    torch.testing.assert_close(depth, (DEPTH + offsets).clamp(min=1))
    (gradient,) = torch.autograd.grad(depth.sum(), offsets)
    assert torch.equal(gradient, (offsets > 1 - DEPTH).float())
    behind = torch.tensor(
        [[0.3, 0.2, -4.0], [0.3, 0.2, 0.0]]
    )  # finite for a point behind the camera
    torch.testing.assert_close(yu.project(behind), behind[:, :2])


def test_the_view_change_against_a_loop(batch, rotations):
    pose = poses(*batch)
    turned = yu.turn(pose, rotations)
    flat_pose, flat_rotation = pose.reshape(-1, 17, 3), rotations.reshape(-1, 3, 3)
    for one, rotation, result in zip(
        flat_pose, flat_rotation, turned.reshape(-1, 17, 3), strict=True
    ):
        for joint in range(17):
            expected = rotation @ (one[joint] - one[0]) + torch.tensor([0, 0, DEPTH])
            torch.testing.assert_close(result[joint], expected)


def test_the_view_change_keeps_distances_and_can_be_undone(batch, rotations):
    pose = poses(*batch)
    turned = yu.turn(pose, rotations)
    torch.testing.assert_close(distances(turned), distances(pose))
    torch.testing.assert_close(
        turned[..., 0, :], torch.tensor([0, 0, DEPTH]).double().expand(*batch, 3)
    )
    torch.testing.assert_close(yu.turn_back(turned, rotations, pose[..., :1, :]), pose)


def test_views_are_drawn_in_their_ranges():
    variant = replace(FULL, axis="camera", azimuth=1.0, elevation=0.4, roll=0.2)
    up = torch.tensor([0.0, -1.0, 0.0]).expand(4000, 3)
    rotation = yu.draw_rotations(up, variant, torch.Generator().manual_seed(3))
    torch.testing.assert_close(
        rotation @ rotation.mT, torch.eye(3).expand(4000, 3, 3), rtol=0, atol=1e-5
    )
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(4000))
    # R = Rz(roll) Rx(elevation) Ry(azimuth), taken apart
    elevation = torch.asin(rotation[:, 2, 1].clamp(-1, 1))
    roll = torch.atan2(-rotation[:, 0, 1], rotation[:, 1, 1])
    azimuth = torch.atan2(-rotation[:, 2, 0], rotation[:, 2, 2])
    front = azimuth.abs() < math.pi / 2
    turn = torch.where(front, azimuth, math.pi - azimuth.abs())  # from facing to, or away
    for angle, limit in ((elevation, 0.4), (roll, 0.2), (turn, 1.0)):
        assert angle.abs().max() <= limit + 1e-4
        assert angle.abs().max() > 0.95 * limit and abs(float(angle[front].mean())) < 0.1 * limit
    assert 0.45 < front.float().mean() < 0.55
    again = yu.draw_rotations(up, variant, torch.Generator().manual_seed(3))
    assert torch.equal(again, rotation)


@pytest.mark.parametrize("name", ["full", "chen"])
def test_views_tilt_the_upright_axis_only_as_much_as_stated(data, name):
    variant = yu.VARIANTS[name]
    up = data["studio"]["train"].R[:, :, 2]
    rotation = yu.draw_rotations(up, replace(variant, axis="gravity"), torch.Generator())
    torch.testing.assert_close(torch.linalg.det(rotation), torch.ones(len(up)), rtol=1e-4, atol=0)
    cosine = ((rotation @ up[:, :, None])[..., 0] * up).sum(-1).clamp(-1, 1)
    assert torch.acos(cosine).max() <= variant.elevation + variant.roll + 1e-3
    facing = rotation[:, 2, 2]  # all directions occur: some look at the back
    assert facing.min() < -0.5 and facing.max() > 0.5


def test_knees_of_people_bend_forwards(data):
    for role in ("studio", "outdoor", "motion"):
        bend = yu.knee_bend(data[role]["train"].joints_3d)
        assert bend.mean() > 20 and (bend > 0).float().mean() > 0.95  # mm


def test_knee_bend_of_a_pose_made_by_hand():
    """Someone who faces the camera (y down, z away), one knee 3 units nearer than hip and ankle."""
    pose = torch.zeros(17, 3)
    for name, place in {
        "left_hip": (1, 0, 0),
        "right_hip": (-1, 0, 0),
        "thorax": (0, -5, 0),
        "left_knee": (1, 4, -3),
        "left_ankle": (1, 8, 0),
        "right_knee": (-1, 4, 0),
        "right_ankle": (-1, 8, 0),
    }.items():
        pose[HUMAN36M_17.index(name)] = torch.tensor(place).float()
    assert float(yu.knee_bend(pose)) == pytest.approx(1.5)
    pose[HUMAN36M_17.index("left_knee"), 2] = 0
    assert float(yu.knee_bend(pose)) == pytest.approx(0)


def test_knee_bend_changes_its_sign_with_depth_and_nothing_else(batch, rotations):
    pose = poses(*batch)
    bend = yu.knee_bend(pose)
    assert bend.shape == batch
    torch.testing.assert_close(yu.knee_bend(people.mirrored(pose)), -bend)
    moved = pose @ rotations.mT + torch.randn(*batch, 1, 3, dtype=torch.float64)
    torch.testing.assert_close(yu.knee_bend(moved), bend)
    torch.testing.assert_close(yu.knee_bend(3 * pose), 3 * bend)


# Training


@pytest.mark.parametrize("name", yu.VARIANTS)
def test_every_variant_trains(data, name):
    trainer = make(data, yu.VARIANTS[name])
    json.dumps(asdict(yu.VARIANTS[name]))
    for losses in losses_of(trainer, min(3, trainer.steps)):
        assert losses and all(math.isfinite(value) for value in losses.values())
    for role in trainer.test_roles:
        test = data[role]["test"]
        predicted = trainer.predict(role)
        assert predicted.shape == (len(test), 17, 3) and bool(predicted.isfinite().all())
        assert predicted[:, 0].abs().max() < 1e-3
        assert 50 < head_root(predicted).mean() < 5000  # mm
        values, arrays = trainer.diagnose(role)
        assert all(isinstance(value, float) for value in values.values())
        assert all(len(array) == len(test) for array in arrays.values())


def test_roles(data):
    assert set(yu.ROLES) == set(data)
    assert make(data, FULL).test_roles == ("studio", "outdoor")
    assert make(data, replace(FULL, role="outdoor")).test_roles == ("outdoor",)
    with pytest.raises(TypeError, match="no variant"):
        make(data, "full")


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 8])
def test_alternation(data, ratio):
    """One update of the scale module, then `ratio` of the lifter, each third with D's."""
    trainer = make(data, replace(FULL, ratio=ratio, discriminator_every=3, unflip=False))
    model = trainer.model
    lifter_updates = discriminator_updates = 0
    for index in range(trainer.steps):
        before = {
            name: state(getattr(model, name)) for name in ("lifter", "scaler", "discriminator")
        }
        losses = trainer.step(index)
        changed = {name for name, held in before.items() if not same(getattr(model, name), held)}
        if index % (ratio + 1) == 0:
            # not even the running statistics of the frozen lifter move
            assert changed == {"scaler"} and set(losses) <= {"bone", "kl", "adv"}
            continue
        assert changed - {"discriminator"} == {"lifter"} and {"2d", "3d", "adv"} <= set(losses)
        assert (
            ("discriminator" in changed) == ("discriminator" in losses) == (lifter_updates % 3 == 0)
        )
        lifter_updates += 1
        discriminator_updates += "discriminator" in changed
    assert lifter_updates == SMOKE.steps and discriminator_updates == -(-SMOKE.steps // 3)


def test_without_alternation_all_learn_in_each_step(data):
    trainer = make(data, replace(FULL, iterative=False, discriminator_every=3))
    assert trainer.steps == SMOKE.steps
    for index in range(6):
        before = {name: state(getattr(trainer.model, name)) for name in ("lifter", "scaler")}
        losses = trainer.step(index)
        assert {"2d", "3d", "adv", "tmc", "bone", "kl"} <= set(losses)
        assert ("discriminator" in losses) == (index % 3 == 0)
        assert not any(same(getattr(trainer.model, name), held) for name, held in before.items())


def test_without_a_module_the_scale_is_one(data):
    trainer = make(data, replace(NO_MODULE, discriminator_every=3))
    assert trainer.model.scaler is None and trainer.steps == SMOKE.steps
    losses = losses_of(trainer, 4)
    assert all(loss["scale"] == 1 and "kl" not in loss for loss in losses)
    assert [("discriminator" in loss) for loss in losses] == [True, False, False, True]


def test_every_module_trains_in_training_mode_whatever_was_evaluated_before(data):
    """Dropout of the discriminator too: a run that was looked at halfway is the same run."""
    first, second = make(data, FULL), make(data, FULL)
    for index in range(8):
        second.model.eval()
        assert losses_of_step(first, index) == losses_of_step(second, index)
        assert second.model.discriminator.training


def losses_of_step(trainer, index):
    torch.manual_seed(index)
    return {name: float(loss) for name, loss in trainer.step(index).items()}


@pytest.mark.parametrize("name", ["full", "kl", "bone-iterative", "joint", "scale-3d"])
def test_the_scale_stays(data, name):
    """In all but "bone-joint", whose losses of the lifter may shrink it (Fig. 5 of the paper)."""
    profile = replace(SMOKE, steps=60, learning_rate=2e-3, final_rate=1.0)
    trainer = make(data, yu.VARIANTS[name], profile)
    for index in range(trainer.steps):
        trainer.step(index)
    for role in trainer.test_roles:
        scale = trainer.lift_role(role)[2]
        assert 0.5 < scale.min() and scale.max() < 2


def test_the_absolute_bone_loss_pulls_the_scale_down(data):
    """Why the relative one is there: from the same start, only this one shrinks people."""
    profile = replace(SMOKE, steps=80, learning_rate=2e-3, final_rate=1.0)
    means = {}
    for form in ("relative", "absolute"):
        variant = replace(FULL, w_kl=0.0, w_bone=20.0, bone_form=form, ratio=1)
        trainer = make(data, variant, profile)
        for index in range(trainer.steps):
            trainer.step(index)
        means[form] = float(trainer.lift_role("studio")[2].mean())
    assert means["absolute"] < means["relative"] - 0.02


def test_the_scale_starts_at_the_prior_whose_poses_are_of_role_motion_alone(data):
    direct = replace(FULL, scale_form="direct")
    trainer = make(data, direct)
    motion = data["motion"]["train"]
    normalised = Normaliser.fit(motion, "joints_2d", "universal")(motion)
    reference = reference_scale(motion.joints_3d, normalised, head_root(motion.joints_3d).mean())
    assert trainer.prior == pytest.approx((float(reference.mean()), float(reference.std())))
    scale = trainer.lift_role("studio")[2]
    assert (scale - trainer.prior[0]).abs().max() < 0.05
    shifted = make(data, replace(direct, prior_mean_shift=0.1, prior_deviation_factor=2.0)).prior
    assert shifted == pytest.approx((trainer.prior[0] + 0.1, 2 * trainer.prior[1]))


@pytest.mark.parametrize("variant", [FULL, NO_MODULE], ids=["full", "no module"])
def test_no_3d_pose_is_seen_in_training(data, variant):
    """Poses that belong to other frames, of the same mean size, change no loss."""
    studio = data["studio"]["train"]
    shuffled = people.mirrored(studio.joints_3d[torch.randperm(len(studio))])
    other = data | {"studio": data["studio"] | {"train": replace(studio, joints_3d=shuffled)}}
    assert losses_of(make(data, variant), 7) == losses_of(make(other, variant), 7)


def test_a_given_scale_is_the_reference_scale(data):
    trainer = make(data, replace(NO_MODULE, scale="reference"))
    poses, _, scale = trainer.lift_role("studio")
    test = data["studio"]["test"]
    torch.testing.assert_close(scale, reference_scale(test.joints_3d, poses, trainer.unit_mm))


def test_the_scale_of_the_module_multiplies_its_input_or_its_output(data):
    pose = 0.1 * torch.randn(5, 17, 2)
    scale = torch.tensor([0.5, 0.8, 1.0, 1.2, 2.0])
    model = make(data, FULL).model.eval()
    with torch.no_grad():
        lifted = model.lift_scaled(pose, scale)
        torch.testing.assert_close(yu.project(lifted), pose * scale[:, None, None])
        model = make(data, replace(FULL, scale="3d")).model.eval()
        once, scaled = model.lift_scaled(pose, torch.ones(5)), model.lift_scaled(pose, scale)
        torch.testing.assert_close(distances(scaled), distances(once) * scale[:, None, None])
        torch.testing.assert_close(scaled[:, 0], once[:, 0])


def test_the_midpoint_form_is_undone(data):
    model = make(data, replace(FULL, scale_form="midpoint")).model.eval()
    pose = 0.1 * torch.randn(5, 17, 2)
    extent = (pose.amax(1) - pose.amin(1)).mean(-1)
    with torch.no_grad():
        scale, middle = model.scale(pose)
        torch.testing.assert_close((scale + extent) / 2, middle)


@pytest.mark.parametrize("unflip", [True, False])
def test_a_mirrored_lift_is_turned_round_once(data, monkeypatch, unflip):
    """`knee_bend` here says what the sign of one bias says, and nothing is learned meanwhile."""
    trainer = make(data, replace(FULL, unflip=unflip), replace(SMOKE, learning_rate=0.0))
    head = trainer.model.lifter.head
    with torch.no_grad():
        head.bias.fill_(-0.1)
    weight = head.weight.detach().clone()
    monkeypatch.setattr(yu, "knee_bend", lambda lifted: head.bias.detach()[0].expand(len(lifted)))
    for index in range(trainer.steps):
        trainer.step(index)
    assert int(trainer.model.flips) == int(unflip)
    assert torch.equal(head.weight, -weight if unflip else weight)


def test_the_same_seed_gives_the_same_training(data):
    first, again, other = (losses_of(make(data, FULL, seed=seed), 7) for seed in (0, 0, 1))
    assert first == again and first != other


def test_training_goes_on_from_its_state(data):
    whole, first, second = (make(data, FULL) for _ in range(3))
    for index in range(9):
        losses_of_step(first, index)
        losses_of_step(whole, index)
    second.load_state_dict(first.state_dict())
    for index in range(9, 14):
        assert losses_of_step(second, index) == losses_of_step(whole, index)
    assert torch.equal(second.predict("studio"), whole.predict("studio"))
