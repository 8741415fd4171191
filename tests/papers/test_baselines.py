"""Baselines: floors say what they claim to, supervised lifters learn what they are shown."""

from dataclasses import replace
from types import SimpleNamespace

import people
import pytest
import torch

from lib.metrics import mpjpe, p_mpjpe
from lib.papers import baselines
from lib.papers.baselines import VARIANTS, Floor, Supervised
from lib.papers.normalise import head_root

PROFILE = SimpleNamespace(supervised_width=64, supervised_steps=200)
SHORT = SimpleNamespace(supervised_width=16, supervised_steps=6)
FAST = Supervised(batch=64, learning_rate=1e-2, final_rate=0.1)
SUPERVISED = {
    "martinez": FAST,
    "videopose-1": replace(FAST, filters=(1, 1, 1), batch=128),
    "videopose-27": replace(FAST, filters=(3, 3, 3), batch=128),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return people.load(people.write_collection(tmp_path_factory.mktemp("data")))


def truth(poses):
    return poses.joints_3d - poses.joints_3d[:, :1]


def floor(data, kind, **options):
    return baselines.build(Floor(kind, **options), PROFILE, data, seed=0)


@pytest.mark.parametrize("name", ["mean-pose", "mean-shape", "flat-lift", "flat-lift-detected"])
def test_floors_need_no_training(data, name):
    trainer = baselines.build(VARIANTS[name], PROFILE, data, seed=0)
    assert trainer.steps == trainer.parameters == 0
    with pytest.raises(RuntimeError, match="no training steps"):
        trainer.step(0)
    for role in trainer.test_roles:
        predicted = trainer.predict(role)
        assert predicted.shape == (len(data[role]["test"]), 17, 3)
        assert predicted[:, 0].abs().max() < 1e-3
        values, arrays = trainer.diagnose(role)
        assert arrays == {} and all(torch.tensor(list(values.values())).isfinite())
    trainer.load_state_dict(trainer.state_dict())


def test_mean_pose_is_the_training_mean_and_the_best_single_pose_in_squares(data):
    predicted = floor(data, "mean-pose").predict("studio")
    poses = truth(data["studio"]["train"])
    torch.testing.assert_close(predicted[0], poses.mean(0))
    assert torch.equal(predicted, predicted[:1].expand_as(predicted))
    error = (poses - predicted[0]).square().sum()
    for _ in range(5):
        assert (poses - predicted[0] - 10 * torch.randn(17, 3)).square().sum() > error


def test_mean_shape_has_limbs_where_the_mean_pose_has_a_line(data):
    shape, pose = (floor(data, kind).predict("studio")[0] for kind in ("mean-shape", "mean-pose"))
    train = truth(data["studio"]["train"])
    aligned = [p_mpjpe(one.expand_as(train), train).mean() for one in (shape, pose)]
    assert aligned[0] < aligned[1]
    torch.testing.assert_close(head_root(shape), head_root(train).mean(), rtol=1e-3, atol=0)


def test_mean_shape_does_not_depend_on_where_people_face(data):
    """Every training pose turned by an angle of its own about the vertical: the same shape."""
    train = data["studio"]["train"]
    angle = 6 * torch.rand(len(train))
    cosine, sine, zero, one = (
        angle.cos(),
        angle.sin(),
        torch.zeros_like(angle),
        torch.ones_like(angle),
    )
    rows = torch.stack([cosine, zero, sine, zero, one, zero, -sine, zero, cosine], -1).unflatten(
        -1, (3, 3)
    )
    turned = data | {
        "studio": data["studio"] | {"train": replace(train, joints_3d=truth(train) @ rows.mT)}
    }
    first, second = (floor(d, "mean-shape").predict("studio")[:1] for d in (data, turned))
    assert p_mpjpe(first, second) < 3  # mm


def test_flat_lift_is_the_2d_pose_without_depth(data):
    test = data["studio"]["test"]
    predicted = floor(data, "flat-lift").predict("studio")
    assert float(predicted[..., 2].abs().max()) == 0
    pixels = test.joints_2d - test.joints_2d[:, :1]
    pixels = pixels / pixels.norm(dim=(-1, -2), keepdim=True)
    flat = predicted[..., :2] / predicted[..., :2].norm(dim=(-1, -2), keepdim=True)
    torch.testing.assert_close(
        flat, pixels, rtol=0, atol=0.02
    )  # but for pixels that are not quite square
    # people are as large as in training, on average
    train = data["studio"] | {"test": data["studio"]["train"]}
    sizes = head_root(floor(data | {"studio": train}, "flat-lift").predict("studio"))
    torch.testing.assert_close(sizes.mean(), head_root(data["studio"]["train"].joints_3d).mean())


def test_detected_poses_are_used_where_asked_for(data):
    plain, detected = (
        floor(data, "flat-lift", inputs=f"{kind}_2d") for kind in ("joints", "detected")
    )
    assert not torch.allclose(plain.predict("studio"), detected.predict("studio"), atol=1.0)


@pytest.mark.parametrize("name", SUPERVISED)
def test_supervised_lifters_fit_what_they_are_shown(data, name):
    train = data["studio"]["train"]
    shown = data | {"studio": {"train": train, "test": train}}
    trainer = baselines.build(SUPERVISED[name], PROFILE, shown, seed=0)
    losses = [float(trainer.step(index)["3d"]) for index in range(trainer.steps)]
    assert sum(losses[-10:]) < 0.4 * sum(losses[:10])
    error = mpjpe(trainer.predict("studio"), truth(train)).mean()
    assert error < 0.6 * mpjpe(floor(shown, "mean-pose").predict("studio"), truth(train)).mean()


@pytest.mark.parametrize("name", SUPERVISED)
def test_supervised_training_goes_on_from_its_state(data, name):
    def fresh(seed=0):
        return baselines.build(SUPERVISED[name], SHORT, data, seed)

    def advance(trainer, first, stop):
        for index in range(first, stop):
            torch.manual_seed(index)
            trainer.step(index)
        return trainer

    whole, first, second = advance(fresh(), 0, 6), advance(fresh(), 0, 3), fresh()
    second.load_state_dict(first.state_dict())
    predicted = advance(second, 3, 6).predict("studio")
    assert torch.equal(whole.predict("studio"), predicted)
    assert not torch.equal(advance(fresh(1), 0, 6).predict("studio"), predicted)


@pytest.mark.parametrize(
    ("name", "reach"), [("martinez", 0), ("videopose-1", 0), ("videopose-27", 13)]
)
def test_a_prediction_depends_on_the_frames_of_its_window(data, name, reach):
    test = data["studio"]["test"]
    trainer = baselines.build(SUPERVISED[name], SHORT, data, seed=0)
    for index in range(trainer.steps):
        trainer.step(index)
    before = trainer.predict("studio")
    clip = 0
    frame = int(test.start[clip]) + int(test.length[clip]) // 2
    changed = test.joints_2d.clone()
    changed[frame] += 200 * torch.rand(17, 2)
    trainer.data = data | {"studio": data["studio"] | {"test": replace(test, joints_2d=changed)}}
    moved = (trainer.predict("studio") - before).abs().amax((1, 2)).nonzero()[:, 0].tolist()
    first, last = int(test.start[clip]), int(test.start[clip] + test.length[clip]) - 1
    assert moved == list(range(max(first, frame - reach), min(last, frame + reach) + 1))


def test_baselines_by_role(data):
    for name, variant in VARIANTS.items():
        trainer = baselines.build(variant, SHORT, data, seed=0)
        expected = ("outdoor",) if variant.role == "outdoor" else ("studio", "outdoor")
        assert trainer.test_roles == expected, name
    with pytest.raises(TypeError, match="dict is no variant"):
        baselines.build({}, SHORT, data, seed=0)
