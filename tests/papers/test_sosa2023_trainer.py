"""Sosa & Hogg 2023, training: which network learns when and from what, and that a run repeats."""

import io
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from pictured import QUICK, train

from lib.papers import sosa2023_single_image as sosa

FULL, LABELS, PRINTED = (sosa.VARIANTS[name] for name in ("full", "labels", "as-printed"))
PARTS = ("flow", "lifter", "phi", "omega", "discriminator", "sides", "average")


@pytest.fixture(scope="module")
def data(few, hand):
    return few | hand


def make(data, variant, profile=QUICK, seed=0):
    return sosa.build(variant, profile, data, seed)


def state(trainer):
    return {part: deepcopy(getattr(trainer.model, part).state_dict()) for part in PARTS}


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def changed(before, after):
    return {part for part in PARTS if not same(before[part], after[part])}


def begin_of(trainer, stage):
    names = list(trainer.stages)
    return sum(trainer.stages[name] for name in names[: names.index(stage)])


def mean(history, name):
    return sum(losses[name] for losses in history) / len(history)


# Stages


def test_lengths_of_the_stages(data):
    long = make(data, sosa.VARIANTS["full-long"])
    assert make(data, FULL).stages == {
        "flow": 4, "lifter": 4, "omega": 0, "pictures": 6, "labels": 0
    }  # fmt: skip
    assert long.stages["pictures"] == 12 and long.stages["lifter"] == 8
    assert make(data, PRINTED).stages == {"flow": 4, "pictures": 8}
    assert make(data, sosa.VARIANTS["gan"]).stages["lifter"] == 0
    assert make(data, sosa.VARIANTS["lift-predicted"]).stages["lifter"] == 0
    assert make(data, sosa.VARIANTS["omega-pretrained"]).stages["omega"] == 6
    assert make(data, LABELS).stages["labels"] == 4


@pytest.mark.parametrize(
    ("name", "learn"),
    [
        (
            "full",
            {
                "flow": {"flow"},
                "lifter": {"lifter"},
                "pictures": {"phi", "omega", "discriminator", "lifter", "average"},
            },
        ),
        ("labels", {"labels": {"sides"}}),
        ("omega-pretrained", {"omega": {"omega"}}),
        ("gan", {"pictures": {"phi", "omega", "discriminator", "average"}}),
        (
            "as-printed",
            {
                "flow": {"flow"},
                "pictures": {"phi", "omega", "discriminator", "lifter", "average"},
            },
        ),
        ("lift-predicted", {"pictures": {"phi", "omega", "discriminator", "lifter", "average"}}),
    ],
)
def test_which_network_learns_in_which_stage(data, name, learn):
    trainer = make(data, sosa.VARIANTS[name])
    for stage, expected in learn.items():
        begin = begin_of(trainer, stage)
        for index in {begin, begin + trainer.stages[stage] - 1}:
            before = state(trainer)
            trainer.step(index)
            assert changed(before, state(trainer)) == expected, (stage, index)


def test_the_running_average_follows_and_is_what_is_evaluated(data):
    trainer = make(data, FULL)
    begin = begin_of(trainer, "pictures")
    train(trainer, begin, begin + 5)
    own = [*trainer.model.phi.parameters(), *trainer.model.omega.parameters()]
    kept = list(trainer.model.average.parameters())
    assert len(own) == len(kept)
    assert any(not torch.equal(a, b) for a, b in zip(own, kept, strict=True))
    before = trainer.model.see(torch.zeros(1, 3, 32, 32))
    with torch.no_grad():
        for parameter in own:
            parameter.zero_()
    after = trainer.model.see(torch.zeros(1, 3, 32, 32))
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    printed = make(data, PRINTED)  # without: the weights themselves
    train(printed, begin_of(printed, "pictures"), printed.steps)
    own = [*printed.model.phi.parameters(), *printed.model.omega.parameters()]
    for a, b in zip(own, printed.model.average.parameters(), strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("hold", [0.0, 0.5, 1.0])
def test_the_elevation_is_held_in_the_first_part_of_the_lifters_stage(data, hold):
    """There the branch of the angle is not trained; in the stages after, it always is."""
    trainer = make(data, replace(FULL, hold=hold))
    begin = begin_of(trainer, "lifter")
    learned = []
    for index in range(begin, begin + 6):
        before = deepcopy(trainer.model.lifter.angle.state_dict())
        trainer.step(index)
        learned.append(not same(before, trainer.model.lifter.angle.state_dict()))
    assert learned == [index >= 4 * hold for index in range(4)] + [True, True]


# Gradients


@pytest.mark.parametrize(
    ("name", "reaches", "lifter"),
    [
        ("full", False, False),
        ("through", True, False),
        ("lift-predicted", False, True),
        ("as-printed", True, True),
    ],
)
def test_whom_the_lifting_losses_of_predicted_poses_teach(data, name, reaches, lifter):
    """One update with a loss that pulls hard, one with the same that pulls nowhere."""
    found = {}
    for pull in (0.0, 100.0):
        trainer = make(data, sosa.VARIANTS[name])
        begin = begin_of(trainer, "pictures")

        def lifting(poses, hold=False, pull=pull, trainer=trainer):
            weight = trainer.model.lifter.depth[-1].weight
            return {"3d": pull * (poses.square().sum() + weight.square().sum())}

        trainer._lifting = lifting
        trainer._lifter_step = lambda hold=False: {}
        trainer.step(begin)
        found[pull] = state(trainer)
    moved = changed(*found.values())
    assert ({"phi", "omega"} <= moved) == reaches
    assert ("lifter" in moved) == lifter
    assert moved <= {"phi", "omega", "lifter", "average"}


def test_the_adversary_teaches_phi_and_the_unpaired_poses_teach_omega(data):
    """Without the other two losses; and neither moves the discriminator that judges."""
    for name, moved in (("adversarial", "phi"), ("omega", "omega")):
        trainer = make(data, sosa.VARIANTS["gan"])
        update, judges = trainer._update, []

        def one(losses, *names, name=name, update=update, judges=judges, model=trainer.model):
            kept = {k: v for k, v in losses.items() if k in (name, "discriminator")}
            report = update(kept, *names)
            judges.append(deepcopy(model.discriminator.state_dict()))
            return report

        trainer._update = one
        before = state(trainer)
        trainer.step(begin_of(trainer, "pictures"))
        assert changed(before, state(trainer)) & {"phi", "omega"} == {moved}
        assert not same(before["discriminator"], judges[0]) and same(judges[0], judges[1])


def test_the_flow_is_frozen_after_its_stage(data):
    trainer = make(data, FULL)
    trainer.step(begin_of(trainer, "lifter"))
    assert not any(parameter.requires_grad for parameter in trainer.model.flow.parameters())
    assert all(parameter.grad is None for parameter in trainer.model.flow.parameters())


@pytest.mark.parametrize("tolerant", [True, False])
def test_a_swap_of_left_and_right_is_tolerated_or_not(data, tolerant):
    trainer = make(data, replace(FULL, tolerant=tolerant))
    points = trainer._prior_points(16)
    skeletons = trainer._draw_skeletons(points)
    with torch.no_grad():
        plain = trainer._omega_loss(skeletons, points)
        other = trainer._omega_loss(skeletons, points[:, list(trainer.swap)])
    assert torch.isclose(plain, other, rtol=1e-4) == tolerant
    # the skeleton image does not show which is which
    torch.testing.assert_close(trainer._draw_skeletons(points[:, list(trainer.swap)]), skeletons)


def test_skeleton_images_span_minus_one_to_one(data):
    for variant in (FULL, PRINTED):
        trainer = make(data, variant)
        drawn = trainer._draw_skeletons(trainer._prior_points(8))
        assert drawn.shape == (8, 1, 16, 16)
        assert drawn.min() >= -1 and 0 < drawn.max() <= 1 and drawn.amin((1, 2, 3)).max() < -0.5


# The memory of the discriminator


def test_fakes_are_remembered_and_mixed_with_older_ones(data):
    trainer = make(data, FULL)  # remembers 16

    def batch(number):
        return torch.full((4, 1, 16, 16), float(number)) + torch.arange(4).view(4, 1, 1, 1) / 8

    for number in range(4):  # at first there is nothing to mix with
        assert torch.equal(trainer._remember(batch(number)), batch(number))
    assert len(trainer.pool) == QUICK.pool == 16
    old = 0
    for number in range(4, 60):
        held, fake = trainer.pool.clone(), batch(number)
        mixed = trainer._remember(fake)
        assert mixed.shape == fake.shape and len(trainer.pool) == 16
        for row, one in enumerate(mixed):
            if not torch.equal(one, fake[row]):
                old += 1
                assert bool((held == one).all((1, 2, 3)).any())
        for one in fake:  # what is new is remembered
            assert bool((trainer.pool == one).all((1, 2, 3)).any())
    assert 0.35 < old / (56 * 4) < 0.65
    assert not trainer.pool.requires_grad


# Learning


def test_every_stage_learns_something_on_a_few_frames(data):
    """A few pictures and poses, seen again and again."""
    profile = replace(
        QUICK, pictures=8, flow_steps=30, lifter_steps=40, picture_steps=50, batch=8, prior_batch=16
    )
    trainer = make(data, replace(LABELS, hold=0.0), profile)
    few = replace(trainer.prior, points=trainer.prior.points[::8])
    trainer.prior = few
    trainer.material = replace(trainer.material, prior=few, flow_points=few.points)
    history = train(trainer)
    stages = {}
    for stage, count in trainer.stages.items():
        begin = begin_of(trainer, stage)
        stages[stage] = history[begin : begin + count]
    flow, lifter, pictures = (stages[name] for name in ("flow", "lifter", "pictures"))
    assert mean(flow[-5:], "flow") < mean(flow[:5], "flow") - 1
    assert mean(lifter[-5:], "bl") < 0.7 * mean(lifter[:5], "bl")
    assert mean(lifter[-5:], "nf") < mean(lifter[:5], "nf")
    assert mean(pictures[-10:], "omega") < 0.5 * mean(pictures[:5], "omega")
    assert mean(pictures[-10:], "skeleton") < mean(pictures[:3], "skeleton")


# Repeating and going on


def test_the_same_seed_gives_the_same_training(data):
    first, again, other = (make(data, FULL, seed=seed) for seed in (0, 0, 1))
    torch.manual_seed(5)
    losses = train(first)
    torch.manual_seed(6)  # no step draws from the global generator
    assert train(again) == losses != train(other)
    assert torch.equal(first.predict("studio"), again.predict("studio"))
    assert not torch.equal(first.predict("studio"), other.predict("studio"))


def through_a_file(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


@pytest.mark.parametrize(("name", "done"), [("labels", (2, 6, 10, 13, 16)), ("as-printed", (6, 10))])
def test_training_goes_on_from_its_state(data, name, done):
    """In every stage, with the discriminator's memory half full and full."""
    variant = sosa.VARIANTS[name]
    whole = make(data, variant)
    states, history = {}, []
    for index in range(whole.steps):
        history += train(whole, index, index + 1)
        if index + 1 in done:
            states[index + 1] = through_a_file(whole.state_dict())
    assert {len(found["pool"]) for found in states.values()} >= {8, 16}
    for number in done:
        again = make(data, variant)
        train(again, 0, 2)  # has drawn other batches
        again.load_state_dict(states[number])
        assert train(again, number) == history[number:]
        assert not changed(state(whole), state(again))
        assert torch.equal(again.pool, whole.pool)
    assert torch.equal(again.predict("studio"), whole.predict("studio"))


def test_a_look_in_between_changes_nothing_and_does_not_last(data):
    looked, other = make(data, FULL), make(data, FULL)
    train(looked, 0, 10)
    early = looked.predict("studio")
    losses = train(looked, 10)
    assert train(other)[10:] == losses
    assert torch.equal(looked.predict("studio"), other.predict("studio"))
    assert not torch.equal(looked.predict("studio"), early)
    fresh = make(data, FULL)
    fresh.predict("studio")
    fresh.load_state_dict(other.state_dict())
    assert torch.equal(fresh.predict("studio"), other.predict("studio"))
