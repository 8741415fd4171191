"""Kundu et al., CVPR 2020, Algorithm 1: seven optimisers, halves in turn, gradients of one beginning."""

import pytest
import torch
from guided import make
from torch import nn

SEVEN = {
    "energy_pose_E", "energy_appearance_E", "energy_pose_D", "energy_appearance_D", "image_u", "image_c",
    "seg",
}  # fmt: skip


@pytest.fixture
def trainer(filmed):
    found = make(filmed, "as-printed")
    found.model.train()
    return found


def halves(trainer):
    """Copies of all parameters, by half."""
    parameters = list(trainer.model.named_parameters())
    return {
        half: {n: p.detach().clone() for n, p in parameters if n.startswith("decoder.") == (half == "D")}
        for half in ("E", "D")
    }


def moved(trainer, before):
    """The halves of which a parameter is not what it was."""
    after = halves(trainer)
    return {
        half for half in before if any(not torch.equal(v, after[half][n]) for n, v in before[half].items())
    }


def reached(trainer, loss):
    """Parts of the model that get a gradient from a loss."""
    named = list(trainer.model.named_parameters())
    gradients = torch.autograd.grad(loss, [p for _, p in named], allow_unused=True, retain_graph=True)
    return {
        name.split(".")[0]
        for (name, _), gradient in zip(named, gradients, strict=True)
        if gradient is not None and gradient.any()
    }


def statistics(network):
    return {name: b.clone() for name, b in network.named_buffers() if "running" in name}


def test_there_are_seven_optimisers(filmed, trainer):
    assert set(trainer.optimisers) == SEVEN
    assert set(make(filmed, "as-printed-weak").optimisers) == SEVEN | {"labels"}
    assert all(isinstance(o, torch.optim.Adagrad) for o in trainer.optimisers.values())
    own = {half: {id(p) for p in part} for half, part in trainer.halves.items()}
    assert own["E"] | own["D"] == {id(p) for p in trainer.model.parameters()} and not own["E"] & own["D"]
    for name, optimiser in trainer.optimisers.items():
        given = {id(p) for group in optimiser.param_groups for p in group["params"]}
        assert given == own.get(name[-1], own["E"] | own["D"])


def test_labels_come_last(filmed):
    assert make(filmed, "as-printed").stages == {"base": 4, "fine": 0}
    trainer = make(filmed, "as-printed-weak")
    assert trainer.stages == {"base": 2, "fine": 2}
    assert "label_2d" not in trainer.step(1) and "label_2d" in trainer.step(2)


# Halves


@pytest.mark.parametrize(("name", "index"), [("as-printed", 0), ("as-printed", 1), ("as-printed-no-fk", 1)])
def test_the_energies_move_one_half_at_a_time(filmed, name, index):
    """The encoder in odd iterations, the decoder in even ones; what follows moves both."""
    trainer = make(filmed, name)
    descend, seen = trainer._descend, []

    def watched(losses):
        before = halves(trainer)
        descend(losses)
        seen.append((set(losses), moved(trainer, before)))

    trainer._descend = watched
    trainer.step(index)
    half = "E" if index % 2 else "D"
    assert seen == [
        ({f"energy_pose_{half}", f"energy_appearance_{half}"}, {half}),
        ({"image_u", "image_c", "seg"}, {"E", "D"}),
    ]


@pytest.mark.parametrize("name", sorted(SEVEN))
def test_each_optimiser_moves_its_half_alone(trainer, name):
    loss = sum(p.square().sum() for p in trainer.model.parameters())
    before = halves(trainer)
    trainer._descend({name: loss})
    assert moved(trainer, before) == {"E": {"E"}, "D": {"D"}}.get(name[-1], {"E", "D"})
    assert all(p.grad is None and p.requires_grad for p in trainer.model.parameters())
    steps = {k: max(s["step"] for s in o.state.values()) for k, o in trainer.optimisers.items()}
    assert [k for k, count in steps.items() if count] == [name]


def test_gradients_are_those_of_where_the_losses_began(filmed):
    """In whichever order, and as if each loss were alone."""
    found = []
    for names in (["image_u", "seg"], ["seg", "image_u"], ["image_u"], ["seg"]):
        trainer = make(filmed, "as-printed")
        start = nn.utils.parameters_to_vector(trainer.model.parameters()).double()
        weights = torch.linspace(-1, 1, len(start))
        vector = nn.utils.parameters_to_vector(trainer.model.parameters())
        losses = {"image_u": (vector * weights).sum(), "seg": (vector - weights).pow(2).sum()}
        trainer._descend({name: losses[name] for name in names})
        found.append((nn.utils.parameters_to_vector(trainer.model.parameters()).double() - start).detach())
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-6)
    torch.testing.assert_close(found[0], found[2] + found[3], rtol=0, atol=1e-6)


# What each loss reaches


def test_what_each_loss_reaches(trainer):
    pairs = trainer.pairs("base", 4)
    energies = trainer._energies(pairs)
    assert reached(trainer, energies["energy_pose"]) == {"encoder", "decoder"}
    assert reached(trainer, energies["energy_appearance"]) == {"appearance", "decoder"}
    filmed, seen, appearance = trainer.filmed_losses(pairs)
    assert reached(trainer, filmed["image_u"]) == {"encoder", "appearance", "decoder"}
    drawn, z, _ = trainer.prior_losses(seen, appearance, pairs)
    for name in ("image_c", "seg", "entropy"):
        assert reached(trainer, drawn[name]) == {"appearance", "decoder"}
    assert not z.points.requires_grad


def test_without_a_prior_there_are_no_energies(filmed):
    report = make(filmed, "as-printed-no-qz").step(1)
    assert not [name for name in report if name.startswith("energy")] and {"image_c", "seg"} <= set(report)


def test_normalisation_remembers_no_drawn_people(trainer):
    """Of the energies' pictures it remembers those alone whose appearance is taken: filmed ones."""
    model, pairs = trainer.model, trainer.pairs("base", 4)
    before = model.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    with torch.no_grad():
        model.encode_appearance(pairs["source"][:2], pairs["source_mask"][:2])
    expected = [statistics(network) for network in (model.encoder, model.appearance)]
    model.load_state_dict(before)
    trainer._energies(pairs)
    for network, values in zip((model.encoder, model.appearance), expected, strict=True):
        for name, value in statistics(network).items():
            torch.testing.assert_close(value, values[name])
