"""Kundu et al., CVPR 2020, training in stages: what each loss teaches, what is frozen, every row runs."""

import io

import pytest
import torch
from guided import QUICK, TRAINED, make
from pictured import train

from lib.papers.kundu2020_part_losses import pose_distance

SHARES = ("semi-1", "semi-3", "semi-30", "semi-100", "enc-1", "enc-3", "enc-30", "enc-100")
BASE = QUICK.paint_steps  # first step with filmed pictures; even


def taught(trainer, loss):
    """Parts of the model that get a gradient from a loss."""
    named = list(trainer.model.named_parameters())
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True, retain_graph=True)
    return {
        name.split(".")[0]
        for (name, _), gradient in zip(named, gradients, strict=True)
        if gradient is not None and gradient.abs().max() > 0
    }


def statistics(network):
    return {name: b.clone() for name, b in network.named_buffers() if "running" in name}


def same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


# Stages


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("unsup", {"paint": 2, "base": 4, "fine": 0, "last": 0}),
        ("weak", {"paint": 2, "base": 2, "fine": 5, "last": 0}),
        ("no-paint", {"paint": 0, "base": 4, "fine": 0, "last": 0}),
        ("weak-out-u", {"paint": 2, "base": 2, "fine": 5, "last": 2}),
        ("puppets", {"paint": 4}),
        ("enc-10", {"labels": 2}),
    ],
)
def test_stages_follow_each_other(filmed, name, expected):
    trainer = make(filmed, name)
    assert trainer.stages == expected
    names = [stage for stage, count in expected.items() for _ in range(count)]
    assert [trainer.stage(index) for index in range(trainer.steps)] == names
    with pytest.raises(IndexError, match="beyond the last"):
        trainer.stage(trainer.steps)


@pytest.mark.parametrize("name", TRAINED)
def test_every_row_runs(filmed, name):
    """All steps of a row; of those that differ from another in the share of labels alone, a labelled one."""
    trainer = make(filmed, name)
    first = trainer.steps - 1 if name in SHARES else 0
    for losses in train(trainer, first):
        assert losses and all(torch.isfinite(torch.tensor(list(losses.values())))), losses
    assert all(bool(p.isfinite().all()) for p in trainer.model.parameters())
    assert all(p.requires_grad for p in trainer.model.parameters())
    assert trainer.parameters == sum(p.numel() for p in trainer.model.parameters())


# What each loss teaches


EVERY = {"encoder", "appearance", "decoder"}
TAUGHT = {
    "image_u": EVERY, "mask_u": EVERY, "silhouette": {"encoder"}, "bones": {"encoder"},
    "image_c": {"decoder"}, "seg": {"decoder"}, "entropy": {"decoder"},
    "paint_3d": {"encoder"}, "paint_camera": {"encoder"}, "paint_2d": {"encoder"},
    "label_2d": {"encoder"}, "label_3d": {"encoder"}, "multi_view": {"encoder"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("unsup", "base"),
        ("no-fk", "base"),
        ("weak", "fine"),
        ("semi", "fine"),
        ("mv", "fine"),
        ("unsup", "paint"),
    ],
)
def test_what_each_loss_teaches(filmed, name, stage):
    trainer = make(filmed, name)
    trainer.model.train()
    losses, _ = trainer._losses(stage, 1)
    for key, loss in losses.items():
        if key in TAUGHT:
            bypass = {"bypass"} if name == "no-fk" and "encoder" in TAUGHT[key] else set()
            assert taught(trainer, loss) == TAUGHT[key] | bypass, key


@pytest.mark.parametrize("name", ["unsup", "no-fk", "bounded-camera"])
def test_the_energy_step_teaches_one_half_and_then_the_other(filmed, name):
    trainer = make(filmed, name)
    trainer.model.train()
    reading = EVERY - {"decoder"} | ({"bypass"} if name == "no-fk" else set())
    for index, allowed in {BASE: {"decoder"}, BASE + 1: reading}.items():
        losses, _ = trainer._losses("base", index)
        for key in ("energy_pose", "energy_appearance"):
            assert taught(trainer, losses[key]), key
            assert taught(trainer, losses[key]) <= allowed, (index, key)
    assert all(p.requires_grad for p in trainer.model.parameters())


@pytest.mark.parametrize("index", [BASE, BASE + 1])
def test_normalisation_remembers_neither_painted_puppets_nor_drawn_people(filmed, index):
    trainer = make(filmed)
    trainer.model.train()
    pairs = trainer.pairs("base", 4)
    readers = (trainer.model.encoder, trainer.model.appearance)
    _, seen, appearance = trainer.filmed_losses(pairs)
    before = [statistics(network) for network in readers]
    trainer.paint_losses(4)
    _, z, (drawn, s) = trainer.prior_losses(seen, appearance, pairs)
    trainer.energy_losses(index, drawn, s, z, appearance, pairs)
    assert all(same(one, statistics(network)) for one, network in zip(before, readers, strict=True))
    trainer.filmed_losses(pairs)
    assert not any(same(one, statistics(network)) for one, network in zip(before, readers, strict=True))


def test_the_discriminator_is_taught_by_its_own_update_alone(filmed):
    trainer = make(filmed, "adv")
    seen, step = [], trainer.optimisers["critic"].step

    def watched(*args):
        seen.append([p.grad.clone() for p in trainer.critic.parameters()])
        return step(*args)

    trainer.optimisers["critic"].step = watched
    trainer.step(BASE)
    assert len(seen) == 1
    for gradient, parameter in zip(seen[0], trainer.critic.parameters(), strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_the_discriminator_is_shown_filmed_people_as_it_is_shown_drawn_ones(filmed):
    """Over grey: else it tells them apart by what is behind them."""
    trainer = make(filmed, "adv")
    shown = []
    trainer.critic.register_forward_pre_hook(lambda _, inputs: shown.append(inputs[0].detach()))
    trainer.step(BASE)
    real, drawn, _ = shown
    assert trainer.hides and real.shape == drawn.shape
    # grey is 0 as a critic sees it
    assert real[:, :, :2, :2].abs().mean() < 0.05 and real.abs().amax() > 0.3


# The same again


@pytest.mark.parametrize("name", ["mv", "as-printed"])
def test_the_same_seed_gives_the_same_losses(filmed, name):
    one, other = (train(make(filmed, name), 1, 4) for _ in range(2))
    assert one == other
    assert train(make(filmed, name, seed=1), 1, 2) != one[:1]


@pytest.mark.parametrize("name", ["weak-out", "adv", "as-printed"])
def test_a_run_that_was_stopped_goes_on_as_if_it_had_not_been(filmed, name):
    whole = make(filmed, name)
    stop = 3
    train(whole, 0, stop)
    file = io.BytesIO()
    torch.save(whole.state_dict(), file)
    expected = train(whole, stop)
    file.seek(0)
    again = make(filmed, name, seed=7)
    again.load_state_dict(torch.load(file, weights_only=True))
    if again.puppets is not None:  # drawn at the start, by the seed
        again.puppets = whole.puppets
    again.scenes = whole.scenes
    assert train(again, stop) == expected
    assert same(whole.model.state_dict(), again.model.state_dict())


def test_one_batch_of_painted_puppets_is_learnt_by_heart(filmed):
    trainer = make(filmed, "puppets")
    pictures, true = trainer.painted(8)
    trainer.model.train()
    optimiser = torch.optim.Adam(trainer.model.encoder.parameters(), 3e-3)
    found = []
    for _ in range(30):
        loss = sum(pose_distance(trainer.model.encode_pose(pictures), true).values())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        found.append(float(loss.detach()))
    assert found[-1] < found[0] / 2
