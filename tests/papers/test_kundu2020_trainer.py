"""Kundu et al. 2020, training: what each loss teaches, how collapses show."""

import io
from dataclasses import replace

import pytest
import torch
from kinematic import QUICK, make
from pictured import train
from torch import nn

from lib.papers import kundu2020_diagnostics
from lib.papers import kundu2020_kinematic as kundu
from lib.papers.kundu2020_model import SIGMA, frozen_statistics
from lib.skeleton import HUMAN36M_17

OURS, PRINTED = kundu.VARIANTS["unsup"], kundu.VARIANTS["as-printed"]
PARTS = ("encoder", "appearance", "decoder")


def taught(trainer, losses):
    """Parts of the model that get a gradient from the sum of some losses."""
    named = list(trainer.model.named_parameters())
    gradients = torch.autograd.grad(sum(losses), [p for _, p in named], allow_unused=True, retain_graph=True)
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


def test_lengths_of_the_stages(filmed):
    for name, expected in {
        "unsup": {"prior": 2, "base": 2, "fine": 2},
        "prior-0": {"prior": 0, "base": 2, "fine": 2},
        "prior-only": {"prior": 4}, "bn-control": {"prior": 2}, "sup": {"labels": 2},
    }.items():  # fmt: skip
        trainer = make(filmed, kundu.VARIANTS[name])
        assert trainer.stages == expected, name
        names = [name for name, count in expected.items() for _ in range(count)]
        assert [trainer.stage(index)[0] for index in range(trainer.steps)] == names
        with pytest.raises(IndexError, match="beyond the last"):
            trainer.stage(trainer.steps)


def test_footage_is_that_of_the_variant(filmed):
    for name, roles in {
        "unsup": {"studio", "wild"}, "weak-out": {"studio", "wild", "outdoor"}, "studio": {"studio"},
        "prior-only": set(), "bn-control": {"studio"}, "sup": {"studio"},
    }.items():  # fmt: skip
        assert set(make(filmed, kundu.VARIANTS[name]).footage) == roles, name


def test_labelled_renders_are_as_many_as_asked_for(filmed):
    motion = filmed["motion"]["train"]
    for name, count in {"unsup": 20, "prior-5": 5, "farthest": 20, "prior-100": len(motion)}.items():
        assert len(make(filmed, kundu.VARIANTS[name]).renders) == 10 * count
    bodies = replace(OURS, chosen="bodies")
    own = len(filmed["bodies"]["train"])
    for count in (2, own, own + 3):
        assert len(make(filmed, replace(bodies, renders=count)).renders) == 10 * count


# What each loss teaches


TAUGHT = (
    dict.fromkeys(("prior_3d", "prior_camera", "prior_2d", "novel", "label_2d", "label_3d"), {"encoder"})
    | dict.fromkeys(("redraw", "outline"), {"appearance", "decoder"})
    | dict.fromkeys(("reconstruction", "silhouette", "cycle_2d", "cycle_appearance"), set(PARTS))
    | dict.fromkeys(("energy_2d", "energy_appearance", "adversarial"), {"encoder", "appearance"})
)


@pytest.mark.parametrize(
    ("name", "stage"),
    [("unsup", "prior"), ("unsup", "base"), ("unfrozen", "base"), ("adv", "base"), ("novel", "base"),
     ("semi", "fine"), ("weak", "fine"), ("sup", "labels")],
)  # fmt: skip
def test_what_each_loss_teaches(filmed, name, stage):
    trainer = make(filmed, kundu.VARIANTS[name])
    trainer.model.train()
    losses, _ = trainer._losses(stage)
    for key, loss in losses.items():
        loose = {"decoder"} if name == "unfrozen" and key.startswith("energy") else set()
        assert taught(trainer, [loss]) == TAUGHT[key] | loose, key
    assert all(p.requires_grad for p in trainer.model.parameters())


@pytest.mark.parametrize(("name", "moved"), [("unsup", False), ("unfrozen", True), ("adv", False)])
def test_clips_without_background_move_a_decoder_only_where_it_is_not_frozen(filmed, name, moved):
    """Neither by their own losses nor by way of the normalisation that they share with other pictures."""
    trainer = make(filmed, kundu.VARIANTS[name])
    trainer.model.train()
    losses, _ = trainer._losses("base")
    loose = sum(loss for key, loss in losses.items() if key.startswith(("energy", "adversarial")))
    parts = {"decoder": moved, "encoder": True, "appearance": True}
    for part, expected in parts.items():
        weights = list(getattr(trainer.model, part).parameters())
        gradients = torch.autograd.grad(loose, weights, allow_unused=True, retain_graph=True)
        assert any(g is not None and g.abs().max() > 0 for g in gradients) == expected, part


def test_the_discriminator_is_taught_by_its_own_update_alone(filmed):
    trainer = make(filmed, kundu.VARIANTS["adv"])
    begin = trainer.stages["prior"]
    seen, step = [], trainer.optimisers["critic"].step

    def watched(*args):
        seen.append([p.grad.clone() for p in trainer.critic.parameters()])
        return step(*args)

    trainer.optimisers["critic"].step = watched
    before = [p.clone() for p in trainer.critic.parameters()]
    trainer.step(begin)
    assert len(seen) == 1
    for gradient, parameter in zip(seen[0], trainer.critic.parameters(), strict=True):
        assert torch.equal(parameter.grad, gradient)  # nothing came after its own loss
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.critic.parameters(), strict=True))


@pytest.mark.parametrize("detach", [True, False])
def test_targets_of_the_cycle_are_constants_or_not(filmed, detach):
    """Nothing is drawn: the points read off the picture again are cut off, only the target is left."""
    trainer = make(filmed, replace(OURS, detach=detach))
    batch, size = 4, QUICK.image
    points = torch.zeros(batch, 17, 2, requires_grad=True)
    appearance = torch.zeros(batch, 24, requires_grad=True)
    losses = trainer._second_pass(points, appearance, torch.rand(batch, 3, size, size), None, None)
    found = torch.autograd.grad(sum(losses.values()), [points, appearance], allow_unused=True)
    assert all((gradient is None) == detach for gradient in found)


# Batch normalisation


def test_statistics_only_pictures_teach_nothing_but_what_normalisation_remembers(filmed):
    trainer = make(filmed, kundu.VARIANTS["bn-control"])
    own, given = trainer.pairs, []

    def pairs(stage, batch):
        found = own(stage, batch)
        given.append(found["target"].requires_grad_())
        return found | {"target": given[-1]}

    trainer.pairs = pairs
    remembered = statistics(trainer.model.encoder)
    trainer.model.eval()
    losses, drawn = trainer._losses("prior")
    assert set(losses) == {"prior_3d", "prior_camera", "prior_2d"} and drawn is None
    sum(losses.values()).backward()
    assert given[-1].grad is None or given[-1].grad.abs().max() == 0
    assert same(remembered, statistics(trainer.model.encoder))
    trainer.model.train()
    trainer._losses("prior")
    with_pictures = statistics(trainer.model.encoder)
    alone = make(filmed, kundu.VARIANTS["prior-only"])
    alone.model.train()
    alone._losses("prior")
    assert not any(torch.equal(v, statistics(alone.model.encoder)[n]) for n, v in with_pictures.items())


def test_statistics_only_pictures_leave_the_other_networks_alone(filmed):
    trainer = make(filmed, kundu.VARIANTS["bn-control"])
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    train(trainer)
    moved = {k.split(".")[0] for k, v in trainer.model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved == {"encoder"}


def test_frozen_statistics():
    inner = nn.Sequential(nn.BatchNorm2d(4, momentum=0.3))
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), inner)
    pictures = torch.rand(6, 3, 8, 8)
    before = statistics(network)
    with frozen_statistics(network):
        inside = network(pictures)
    assert same(before, statistics(network))
    with pytest.raises(RuntimeError, match="in the middle"), frozen_statistics(network):
        network(pictures)
        raise RuntimeError("in the middle")
    assert same(before, statistics(network))
    assert [network[1].momentum, inner[0].momentum] == [0.1, 0.3]
    assert torch.equal(network(pictures), inside)  # its batch is what it is normalised by
    assert not same(before, statistics(network))


@pytest.mark.parametrize("stage", ["base", "fine"])
def test_drawn_pictures_are_not_remembered_by_the_pose_encoder(filmed, stage):
    trainer = make(filmed, OURS)
    trainer.model.train()
    seen, encode = [], trainer.model.encode_pose

    def watched(pictures):
        before = statistics(trainer.model.encoder)
        found = encode(pictures)
        seen.append(same(before, statistics(trainer.model.encoder)))
        return found

    trainer.model.encode_pose = watched
    trainer._losses(stage)
    assert seen[0] is False and all(seen[1:]) and len(seen) > 1


# Learning


def test_one_pair_is_learned_by_heart(filmed):
    profile = replace(QUICK, prior_steps=0, base_steps=0, fine_steps=60, rate=4e-3)
    trainer = make(filmed, replace(OURS, wild=False, unpaired=False, redraw=False), profile)
    pair = trainer.pairs("fine", 1)
    pair = {key: value.expand(4, *value.shape[1:]) for key, value in pair.items()}
    trainer.pairs = lambda stage, batch: pair
    history = [losses["reconstruction"] for losses in train(trainer)]
    empty = 6 * OURS.weight * float((pair["behind"] - pair["target"]).abs().mean())
    last = sum(history[-10:]) / 10
    assert last < 0.5 * history[0] and last < 0.7 * empty


def test_the_renders_are_learned_by_heart(filmed):
    profile = replace(QUICK, only_steps=70, rate=4e-3)
    trainer = make(filmed, replace(kundu.VARIANTS["prior-only"], renders=1), profile)
    history = train(trainer)
    for key in ("prior_3d", "prior_camera", "prior_2d"):
        values = [losses[key] for losses in history]
        assert sum(values[-10:]) < 0.6 * sum(values[:10]), key


# Collapses, and what shows them


@pytest.fixture(scope="module")
def taught_encoder(filmed):
    """A trainer of the printed losses whose encoder knows its renders a little."""
    trainer = make(filmed, replace(PRINTED, detach=False, renders=5), replace(QUICK, batch=8))
    trainer.model.train()
    optimiser = torch.optim.Adam(trainer.model.encoder.parameters(), 3e-3)
    for _ in range(40):
        optimiser.zero_grad()
        (trainer._loss("prior_3d", "base") + trainer._loss("prior_2d", "base")).backward()
        optimiser.step()
    return trainer


@pytest.mark.parametrize("interleaved", [False, True])
def test_the_energy_alone_makes_everybody_alike(taught_encoder, interleaved):
    """Both encoders may agree by saying the same of every picture; labels forbid it."""
    trainer = taught_encoder
    kept = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    pictures = trainer.renders.images[::3].float() / 255

    def spread():
        with torch.no_grad():
            return float(trainer.model.encode_pose(pictures).joints.std(0).mean())

    own = [p for n, p in trainer.model.named_parameters() if n.startswith(("encoder", "appearance"))]
    optimiser = torch.optim.Adam(own, 3e-3)
    before = spread()
    for _ in range(40):
        losses = [trainer._loss("energy_2d", "base")]
        if interleaved:
            losses += [trainer._loss("prior_3d", "base"), trainer._loss("prior_2d", "base")]
        optimiser.zero_grad()
        sum(losses).backward()
        optimiser.step()
    after = spread()
    trainer.model.load_state_dict(kept)
    assert (after < 0.5 * before) != interleaved


class Painted:
    """Stands for a model: paints by a function of points, appearance and background."""

    def __init__(self, paint):
        self.draw = lambda *given: (paint(*given), None)


def test_gradients_vanish_where_points_are_far_from_the_person(filmed):
    """A Gaussian that overlaps no part of the person has nowhere to go; a limb reaches further."""
    trainer, wrist = make(filmed, OURS), HUMAN36M_17.index("left_wrist")
    true = trainer.renders.points[:6]

    def gradient(maps, sigmas):
        """On the wrist, of the distance between the maps of points and of the same with a wrong wrist."""
        paint = make(filmed, replace(OURS, maps=maps)).model.maps
        inwards = -true[:, wrist].sign() / 2**0.5
        points = true.clone()
        points[:, wrist] += sigmas * SIGMA * inwards
        points.requires_grad_()
        drawn = paint(points)
        (drawn - paint(true)).abs().mean().backward()
        seen = trainer._monitor(1, points, None, drawn, None, None)["map_gradient"]
        assert torch.isclose(seen, points.grad.abs().mean())
        return float(points.grad[:, wrist].norm(dim=-1).mean())

    near, far = gradient("heat", 1.5), gradient("heat", 7.0)
    assert far < 0.05 * near
    assert gradient("both", 7.0) > 10 * far


def test_colours_that_leak_through_the_pose_are_seen():
    """A model that remembers whose pose it is paints their colours; a good one those of f_a."""
    colours = torch.rand(6, 3)
    behind = torch.zeros(6, 3, 8, 8)
    person = torch.zeros(6, 1, 8, 8)
    person[..., 2:6, 3:5] = 1
    pairs = {"behind": behind, "target": person * colours[:, :, None, None]}

    def seen(paint):
        points = torch.arange(6.0)[:, None, None].expand(6, 17, 2)
        drawn = paint(points, colours, behind)
        return float(kundu2020_diagnostics.leak(Painted(paint), points, colours, drawn, pairs))

    def by_pose(points, appearance, background):
        return person * colours[points[:, 0, 0].long()][:, :, None, None]

    def by_appearance(points, appearance, background):
        return person * appearance[:, :, None, None]

    def half(points, appearance, background):
        return (by_pose(points, appearance, background) + by_appearance(points, appearance, background)) / 2

    assert seen(by_pose) > 0.95 and seen(by_appearance) < 0.05
    assert 0.4 < float(seen(half)) < 0.6 or seen(half) < seen(by_pose)


def test_a_look_at_the_monitors_changes_nothing(filmed):
    """Training goes the same way however often it is looked at."""
    found = []
    for often in (1, 10**9):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lib.papers.kundu2020_trainer.MONITOR", often)
            trainer = make(filmed, OURS)
            for index in range(1, trainer.steps):
                trainer.step(index)
            found.append({k: v for k, v in trainer.model.state_dict().items() if "tracked" not in k})
    assert same(*found)


# Repeating and going on


def through_a_file(content):
    file = io.BytesIO()
    torch.save(content, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_the_same_seed_gives_the_same_training(filmed):
    first, again, other = (make(filmed, OURS, seed=seed) for seed in (0, 0, 1))
    torch.manual_seed(5)
    losses = train(first)
    torch.manual_seed(6)  # no step draws from the global generator
    assert train(again) == losses != train(other)
    assert torch.equal(first.predict("studio"), again.predict("studio"))
    assert not torch.equal(first.predict("studio"), other.predict("studio"))


@pytest.mark.parametrize("name", ["unsup", "adv", "semi", "as-printed-semi", "printed-sum"])
def test_training_goes_on_from_its_state(filmed, name):
    variant = kundu.VARIANTS[name]
    whole = make(filmed, variant)
    done = whole.steps // 2
    history = train(whole, 0, done)
    state = through_a_file(whole.state_dict())
    history += train(whole, done)
    again = make(filmed, variant, seed=3)
    # what is made of the seed before the first step is no part of the state
    again.renders, again.scenes = whole.renders, whole.scenes
    train(again, 0, 1)
    again.load_state_dict(state)
    assert train(again, done) == history[done:]
    assert same(whole.model.state_dict(), again.model.state_dict())


def test_a_look_in_between_changes_nothing_and_does_not_last(filmed):
    looked, other = make(filmed, OURS), make(filmed, OURS)
    train(looked, 0, 3)
    early = looked.predict("studio")
    losses = train(looked, 3)
    assert train(other)[3:] == losses
    assert torch.equal(looked.predict("studio"), other.predict("studio"))
    assert not torch.equal(looked.predict("studio"), early)
