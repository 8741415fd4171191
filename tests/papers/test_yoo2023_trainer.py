"""Yoo & Russakovsky 2023, training: which losses, the same again after a stop, the ceiling and the floors."""

import io
import math

import pytest
import torch
from pictured import train
from templated import FLOORS, QUICK, make

from lib.papers.yoo2023_floors import Floor
from lib.papers.yoo2023_losses import l_anchor, l_boundary
from lib.papers.yoo2023_scores import METRICS
from lib.papers.yoo2023_template import JOINTS, shape_template

# of each kind of row, two steps
SOME = {
    "base": {"perceptual"}, "mse-new-c2f": {"perceptual", "mse"}, "full": {"perceptual", "mse"},
    "con-new": {"perceptual", "mse"}, "loss-ssim": {"ssim"}, "loss-ssim-dists": {"ssim", "dists"},
    "loss-mse-dists": {"mse", "dists"}, "as-printed-con": {"perceptual", "mse"},
    "corner": {"perceptual", "mse"},
}  # fmt: skip


def saved(trainer):
    """Its state, through a file."""
    file = io.BytesIO()
    torch.save(trainer.state_dict(), file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


# Losses


@pytest.mark.parametrize("name", SOME)
def test_rows_of_every_kind_run(framed, name):
    trainer = make(framed, name)
    for losses in train(trainer, 0, 2):
        assert set(losses) == SOME[name] | {"anchor", "boundary"}
        assert all(math.isfinite(value) for value in losses.values()), losses
    assert all(bool(p.isfinite().all()) for p in trainer.model.parameters())
    predicted = trainer.predict_keypoints(trainer.test, torch.arange(5))
    assert predicted.shape == (5, 15, 2) and bool(predicted.isfinite().all())


def test_losses_are_weighed_as_by_the_authors(framed):
    trainer = make(framed, "full")
    torch.nn.init.normal_(trainer.model.phi.head.weight, std=2.0)
    trainer.model.train()
    frame, other = trainer.batch()
    found = {name: loss.detach() for name, loss in trainer.losses(frame, other).items()}
    with torch.no_grad():
        posed = trainer.model.pose(frame)
        drawn = trainer.model.draw(other, trainer.model.maps(posed))
    pairs = shape_template("new").pairs
    assert len(posed.anchors) == 2  # both steps count
    anchor = sum(float(l_anchor(a, pairs)) for a in posed.anchors)
    assert float(found["anchor"]) == pytest.approx(0.5 * anchor, rel=1e-3) and anchor > 0
    boundary = sum(float(l_boundary(a)) for a in posed.anchors)
    assert float(found["boundary"]) == pytest.approx(boundary, rel=1e-3) and boundary > 0
    square = (drawn - trainer.model.normalise(frame)).detach().square().mean()
    assert float(found["mse"]) == pytest.approx(float(square), rel=1e-3)
    features = trainer.features
    made, asked = (features(x, stages=True) for x in (trainer.model.picture(drawn), frame))
    stages = [2] if features.has_vgg else [0, 1, 2]
    absolute = sum(float((made[k] - asked[k]).abs().mean()) for k in stages) / len(stages)
    assert float(found["perceptual"]) == pytest.approx(absolute, rel=0.03)


def test_both_networks_are_taught_by_reconstruction_and_one_by_anchors(framed):
    trainer = make(framed, "mse-new")
    torch.nn.init.normal_(trainer.model.phi.head.weight, std=0.1)
    trainer.model.train()
    losses = trainer.losses(*trainer.batch())
    for name, expected in (("perceptual", {"phi", "psi"}), ("mse", {"phi", "psi"}), ("anchor", {"phi"})):
        named = list(trainer.model.named_parameters())
        gradients = torch.autograd.grad(
            losses[name], [p for _, p in named], allow_unused=True, retain_graph=True
        )
        taught = {
            key.split(".")[0]
            for (key, _), gradient in zip(named, gradients, strict=True)
            if gradient is not None and gradient.abs().max() > 0
        }
        assert taught == expected, name


def test_the_perceptual_network_is_frozen(framed):
    trainer = make(framed, "loss-ssim-dists", perceptual=True)
    before = {name: value.clone() for name, value in trainer.features.state_dict().items()}
    assert before and not any(p.requires_grad for p in trainer.features.parameters())
    train(trainer, 0, 2)
    assert all(p.grad is None for p in trainer.features.parameters())
    assert same(before, trainer.features.state_dict())
    held = {id(p) for group in trainer.optimisers["all"].param_groups for p in group["params"]}
    assert held == {id(p) for p in trainer.model.parameters()}


@pytest.mark.parametrize("name", ["mse-new", "full", "con-new", "as-printed"])
def test_one_batch_is_learnt_by_heart(framed, name):
    trainer = make(framed, name)
    batch = trainer.batch()
    trainer.batch = lambda: batch
    trainer.steps = 40
    found = [sum(losses.values()) for losses in train(trainer, 0, 36)]
    assert sum(found[-3:]) < 0.6 * sum(found[:3])


# The rate


def test_rates_follow_a_cosine_or_stay(framed):
    trainer = make(framed, "mse-new")
    rates = [trainer.rate(index) for index in range(5)]
    expected = [QUICK.rate * (1 + math.cos(math.pi * i / 4)) / 2 for i in range(5)]
    assert rates == pytest.approx(expected) and rates[0] == QUICK.rate
    train(trainer, 0, 2)
    assert trainer.optimisers["all"].param_groups[0]["lr"] == pytest.approx(expected[1])
    assert {make(framed, "as-printed").rate(index) for index in range(5)} == {QUICK.rate}


# The same again


@pytest.mark.parametrize("name", ["full", "as-printed", "sup"])
def test_the_same_seed_gives_the_same_losses(framed, name):
    one, other = (train(make(framed, name)) for _ in range(2))
    assert one == other
    assert train(make(framed, name, seed=1), 0, 1) != one[:1]


@pytest.mark.parametrize("stop", [1, 2, 3])  # a look follows each of these steps
@pytest.mark.parametrize("name", ["full", "sup"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(framed, name, stop):
    whole = make(framed, name)
    train(whole, 0, stop)
    state = saved(whole)
    expected = train(whole, stop)
    again = make(framed, name)
    again.load_state_dict(state)
    assert train(again, stop) == expected
    assert same(whole.model.state_dict(), again.model.state_dict())
    assert whole.looks == again.looks and whole.pairs.equal(again.pairs)
    assert bool(whole.looks) == (name != "sup")


def test_looks_change_nothing(framed):
    """Neither batches nor weights nor what normalisation remembers depend on them."""
    watched, blind = make(framed, "full"), make(framed, "full")
    blind.look = lambda suffix: {}
    assert train(watched) == train(blind)
    assert same(watched.model.state_dict(), blind.model.state_dict())
    names = {f"{name}_{share}" for name in ("pdj", "l2", "rec_mse") for share in (25, 50, 75)}
    assert names == set(watched.looks) and all(map(math.isfinite, watched.looks.values()))


def test_predictions_follow_the_weights(framed):
    trainer = make(framed, "mse-new")
    first = trainer.score("studio")[0]["frame_mean"]["l2"]
    assert trainer.score("studio")[0]["frame_mean"]["l2"] == first
    with torch.no_grad():
        trainer.model.phi.head.bias.add_(1.0)
    trainer.step(0)
    assert trainer.score("studio")[0]["frame_mean"]["l2"] != first


# Scores


@pytest.mark.parametrize("name", ["mse-new", "sup", *FLOORS])
def test_scores_are_there(framed, name):
    trainer = make(framed, name)
    found, joint_error = trainer.score("studio")
    assert set(found) == {"overall", "actions", "frame_mean"} and joint_error.shape == (15,)
    assert set(found["actions"]) == {"Greeting", "Purchases", "WalkDog"}
    for values in (found["overall"], found["frame_mean"], *found["actions"].values()):
        assert tuple(values) == METRICS and all(0 <= value <= 1 for value in values.values())
        assert values["pdj"] <= values["pdj_swap"] <= values["pdj_10_swap"]
        assert values["l2_swap"] <= values["l2"]
    assert float(joint_error.mean()) == pytest.approx(found["frame_mean"]["l2"], rel=1e-4)
    assert trainer.test_roles == ("studio",)


def test_an_untrained_model_is_its_template(framed):
    trainer = make(framed, "mse-new")
    predicted = trainer.predict_keypoints(trainer.test, torch.arange(4))
    expected = shape_template("new").keypoints.expand(4, -1, -1)
    torch.testing.assert_close(predicted, expected, rtol=0, atol=1e-5)


# The ceiling


def test_the_ceiling_learns_keypoints(framed):
    trainer = make(framed, "sup")
    assert trainer.steps == QUICK.supervised_steps
    untrained = trainer.predict_keypoints(trainer.test, torch.arange(3))
    torch.testing.assert_close(untrained, trainer.model.middle.expand(3, -1, -1), rtol=0, atol=1e-5)
    index = torch.arange(8)
    trainer.draw_index = lambda count, batch: index
    trainer.steps = 60
    found = [losses["keypoints"] for losses in train(trainer, 0, 60)]
    assert found[-1] < 0.5 * found[0]
    trainer.model.train()
    away = (trainer.model(trainer.frames.pictures(index)) - trainer.frames.truth[index]).norm(dim=-1)
    assert float(away.detach().mean()) < 0.5 * found[0]


def test_the_ceiling_is_the_extractor_alone(framed):
    trainer = make(framed, "sup")
    assert trainer.parameters == sum(p.numel() for p in trainer.model.parameters())
    assert {name.split(".")[0] for name in trainer.model.state_dict()} == {"phi"}
    assert trainer.parameters < make(framed, "mse-new").parameters
    values, rest = trainer.diagnose("studio")
    assert rest == {} and "outline" in values and "rec_mse" not in values and "anchor_gap" not in values
    arrays = trainer.figures("studio")
    assert set(arrays) >= {"frames/pdj", "joints/pdj"} and "random/reconstruction" not in arrays


# Floors


@pytest.mark.parametrize("name", FLOORS)
def test_floors_are_the_same_every_time(framed, name):
    one, other = make(framed, name), make(framed, name, seed=5)
    assert one.score("studio")[0] == other.score("studio")[0]
    values = one.diagnose("studio")[0]
    assert values == other.diagnose("studio")[0]
    assert {"outline", "pdj_offset", "pdj_offset_swap", "arms_offset_swap"} <= set(values)
    assert set(one.figures("studio")) >= {"frames/pdj", "joints/l2"}
    assert one.steps == 0 and one.state_dict() == {} and one.load_state_dict({}) is None
    with pytest.raises(RuntimeError, match="no training steps"):
        one.step(0)


def test_what_floors_predict(framed):
    index = torch.arange(3)
    for name in ("orig", "new"):
        floor = make(framed, f"template-{name}")
        predicted = floor.predict_keypoints(floor.test, index)
        assert torch.equal(predicted, shape_template(name).keypoints.expand(3, -1, -1))
    floor = make(framed, "mean-pose")
    expected = sum(floor.frames.truth) / len(floor.frames)
    torch.testing.assert_close(floor.predict_keypoints(floor.test, index)[1], expected)
    assert expected.shape == (len(JOINTS), 2)
    with pytest.raises(ValueError, match="mean-pose, template-orig, template-new"):
        Floor("zero")
