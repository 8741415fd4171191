"""Kundu et al. 2020, the recipe as printed: one AdaGrad for each loss, one loss a step, or their sum."""

from dataclasses import replace

import pytest
import torch
from kinematic import QUICK, make
from pictured import train

from lib.papers import kundu2020_kinematic as kundu

PRINTED, SUM = kundu.VARIANTS["as-printed"], kundu.VARIANTS["printed-sum"]
BASE = (
    "prior_3d", "prior_2d", "reconstruction", "cycle_2d", "cycle_appearance",
    "energy_2d", "energy_appearance",
)  # fmt: skip
FINE = BASE[:5]
MONITORS = {"map_gradient", "pose_spread", "appearance_spread", "leak"}
READS, PAINTS = {"encoder", "appearance"}, {"encoder", "appearance", "decoder"}


def weights(trainer):
    return {name: p.detach().clone() for name, p in trainer.model.named_parameters()}


def moved(before, trainer):
    """Parts of the model whose weights have changed."""
    return {n.split(".")[0] for n, p in trainer.model.named_parameters() if not torch.equal(before[n], p)}


def losses_of(report):
    return set(report) - MONITORS


def test_an_optimiser_for_each_loss(filmed):
    trainer = make(filmed, PRINTED)
    assert list(trainer.optimisers) == list(BASE)
    assert all(isinstance(o, torch.optim.Adagrad) for o in trainer.optimisers.values())
    assert {o.param_groups[0]["lr"] for o in trainer.optimisers.values()} == {1e-3}
    assert set(make(filmed, kundu.VARIANTS["as-printed-weak"]).optimisers) == {*BASE, "label_2d"}
    assert set(make(filmed, kundu.VARIANTS["as-printed-semi"]).optimisers) == {*BASE, "label_3d"}
    assert set(make(filmed, kundu.VARIANTS["as-printed-dp"]).optimisers) == set(FINE)
    assert list(make(filmed, SUM).optimisers) == ["all"]


def test_losses_take_turns(filmed):
    trainer = make(filmed, PRINTED)
    seen = [losses_of(trainer.step(index)) for index in range(trainer.steps)]
    base, fine = trainer.stages["base"], trainer.stages["fine"]
    assert base + fine == trainer.steps == QUICK.printed_steps and fine == round(0.4 * trainer.steps)
    assert seen[:base] == [{BASE[index % 7]} for index in range(base)]
    assert seen[base:] == [{FINE[index % 5]} for index in range(base, trainer.steps)]


def test_each_step_moves_what_its_loss_teaches(filmed):
    """And its own optimiser's memory, nobody else's."""
    trainer = make(filmed, PRINTED)
    expected = dict.fromkeys(BASE[:2], {"encoder"}) | dict.fromkeys(BASE[2:5], PAINTS)
    expected |= dict.fromkeys(BASE[5:], READS)

    def counts():
        return {
            name: sum(int(s["step"]) for s in optimiser.state.values())
            for name, optimiser in trainer.optimisers.items()
        }

    for index, name in enumerate(BASE):
        before, steps = weights(trainer), counts()
        trainer.step(index)
        assert moved(before, trainer) == expected[name], name
        assert {key for key, count in counts().items() if count != steps[key]} == {name}


def test_labels_teach_the_pose_encoder(filmed):
    for name, label in (("as-printed-weak", "label_2d"), ("as-printed-semi", "label_3d")):
        trainer = make(filmed, kundu.VARIANTS[name])
        turns = trainer._names("fine")
        assert turns == [*FINE, label] and trainer._names("base") == list(BASE)
        begin = trainer.stages["base"]
        index = next(i for i in range(begin, trainer.steps) if turns[i % len(turns)] == label)
        before = weights(trainer)
        assert losses_of(trainer.step(index)) == {label}
        assert moved(before, trainer) == {"encoder"}


@pytest.mark.parametrize(("name", "extra"), [("as-printed-no-fk", "bypass"), ("as-printed-no-tm", "drawer")])
def test_networks_in_place_of_formulas_are_taught(filmed, name, extra):
    trainer = make(filmed, kundu.VARIANTS[name])
    for index, loss in enumerate(FINE):
        before = weights(trainer)
        trainer.step(index)
        prior = loss.startswith("prior")
        assert (extra in moved(before, trainer)) == (extra == "bypass" or not prior), loss


def test_a_sum_makes_as_many_times_fewer_steps(filmed):
    profile = replace(QUICK, printed_steps=70)
    for base, names in ((PRINTED, 7), (kundu.VARIANTS["as-printed-dp"], 5)):
        trainer = make(filmed, replace(base, recipe="sum"), profile)
        assert trainer.steps == 70 // names
    assert make(filmed, SUM, replace(QUICK, printed_steps=3)).steps == 2  # one of each stage
    trainer = make(filmed, SUM, profile)
    before = weights(trainer)
    assert losses_of(trainer.step(0)) == set(BASE)
    assert moved(before, trainer) == PAINTS
    assert losses_of(trainer.step(trainer.steps - 1)) == set(FINE)


@pytest.mark.parametrize("weight", [1.0, 3.0])
def test_a_sums_weight_is_that_of_the_losses_without_labels(filmed, weight):
    """The first step of AdaGrad forgets the size of a gradient: its memory of it is looked at."""
    trainer = make(filmed, replace(SUM, weight=weight))
    trainer.model.train()
    losses = {name: trainer._loss(name, "base") for name in BASE}
    total = sum((weight if not name.startswith("prior") else 1) * loss for name, loss in losses.items())
    named = list(trainer.model.parameters())
    expected = torch.autograd.grad(total, named, retain_graph=True, allow_unused=True)
    trainer._update(losses, "all")
    for parameter, gradient in zip(named, expected, strict=True):
        torch.testing.assert_close(parameter.grad, gradient, rtol=1e-3, atol=1e-6)
        memory = trainer.optimisers["all"].state[parameter]["sum"]
        torch.testing.assert_close(memory, gradient.square(), rtol=1e-3, atol=1e-6)


def test_no_weights_with_an_optimiser_for_each_loss():
    """There the weight of a loss would change nothing, and none is set."""
    assert PRINTED.weight == SUM.weight == 1.0


def test_a_loss_without_pictures_is_left_out(filmed):
    """Where every clip stands still, there is nothing for L_UNP, and no weight moves."""
    trainer = make(filmed, PRINTED)
    footage = trainer.footage["wild"]
    still = {"wild": replace(footage, static=torch.ones_like(footage.static))}
    trainer.footage = trainer.footage | still
    before = weights(trainer)
    index = BASE.index("energy_2d")
    assert losses_of(trainer.step(index)) == set()
    assert moved(before, trainer) == set()


def test_the_monitors_are_seen_with_the_reconstruction(filmed):
    trainer = make(filmed, PRINTED)
    seen = [set(trainer.step(index)) & MONITORS for index in range(7)]
    assert [bool(found) for found in seen] == [name == "reconstruction" for name in BASE]
    assert seen[2] == MONITORS


@pytest.mark.parametrize("detach", [True, False])
def test_targets_are_constants_or_not(filmed, detach):
    trainer = make(filmed, replace(PRINTED, detach=detach))
    trainer.model.train()
    points = torch.zeros(2, 17, 2, requires_grad=True)
    code = torch.zeros(2, QUICK.appearance, QUICK.image // 4, QUICK.image // 4, requires_grad=True)
    drawn = torch.rand(2, 3, QUICK.image, QUICK.image)
    for what, target in (("2d", points), ("appearance", code)):
        loss = trainer._returned(drawn, points, code, what)
        (gradient,) = torch.autograd.grad(loss, [target], allow_unused=True)
        assert (gradient is None) == detach


def test_the_printed_losses_fall(filmed):
    profile = replace(QUICK, printed_steps=120)
    trainer = make(filmed, replace(PRINTED, unpaired=False, renders=1), profile)
    history = train(trainer, 0, trainer.stages["base"])
    for name in ("prior_3d", "reconstruction"):
        values = [losses[name] for losses in history if name in losses]
        assert sum(values[-3:]) < 0.9 * sum(values[:3]), name
