"""ElePose and the supervised network: they train, learn what they are shown, go on from a state."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from pictured import QUICK, train

from lib.metrics import mpjpe
from lib.papers import baselines
from lib.papers import sosa2023_single_image as sosa
from lib.papers.sosa2023_baselines import ElePose, Supervised
from lib.papers.sosa2023_data import half_of_recordings
from lib.papers.sosa2023_trainer import FLOW_NOISE
from lib.skeleton import HUMAN36M_17

ELEPOSE = sosa.VARIANTS["elepose"]
SUPERVISED = sosa.VARIANTS["supervised"]


def make(data, variant, profile=QUICK, seed=0):
    return sosa.build(variant, profile, data, seed)


def truth(poses):
    return poses.joints_3d - poses.joints_3d[:, :1]


@pytest.mark.parametrize("name", ["elepose", "elepose-detected", "supervised"])
def test_a_baseline_trains_predicts_and_goes_on_from_its_state(few, name):
    whole, first, second, other = (make(few, sosa.VARIANTS[name], seed=seed) for seed in (0, 0, 0, 1))
    losses = train(whole)
    middle = whole.steps * 2 // 3
    assert train(first, 0, middle) == losses[:middle] != train(other, 0, middle)
    train(second, 0, 2)  # has seen other batches
    second.load_state_dict(deepcopy(first.state_dict()))
    assert train(second, middle) == losses[middle:]
    assert whole.test_roles == ("studio", "outdoor") and whole.samples_per_step > 0
    for role in whole.test_roles:
        predicted = whole.predict(role)
        assert predicted.shape == (len(few[role]["test"]), 17, 3)
        assert bool(predicted.isfinite().all()) and float(predicted[:, 0].abs().max()) < 1e-3
        assert torch.equal(predicted, second.predict(role))
        values, arrays = whole.diagnose(role)
        assert arrays == {} and set(values) == {
            "p_mpjpe_frames", "p_mpjpe_64th", "mirrored_share", "labelled_images", "parameters"
        }  # fmt: skip
        assert all(torch.tensor(list(values.values())).isfinite())
    assert values["parameters"] == whole.parameters > 1000


@pytest.mark.parametrize("name", ["mean-pose", "mean-shape", "flat-lift"])
def test_floors(few, name):
    trainer = make(few, sosa.VARIANTS[name])
    assert isinstance(trainer, baselines.FloorTrainer) and trainer.steps == 0
    assert trainer.predict("outdoor").shape == (60, 17, 3)


# ElePose


def test_elepose_trains_its_flow_first_and_then_leaves_it(few):
    trainer = make(few, ELEPOSE)
    names = train(trainer, 0, QUICK.flow_steps)
    assert all(set(losses) == {"flow"} for losses in names)
    flow = deepcopy(trainer.model["flow"].state_dict())
    names = train(trainer, QUICK.flow_steps)
    assert [set(losses) for losses in names] == [{"2d", "3d", "def", "nf"}] * 3 + [
        {"2d", "3d", "def", "nf", "bl"}
    ] * 3
    after = trainer.model["flow"].state_dict()
    assert all(torch.equal(after[name], value) for name, value in flow.items())


def test_elepose_holds_the_elevation_at_first(few):
    trainer = make(few, ELEPOSE)
    learned = []
    for index in range(trainer.steps):
        before = deepcopy(trainer.model["lifter"].angle.state_dict())
        trainer.step(index)
        after = trainer.model["lifter"].angle.state_dict()
        learned.append(any(not torch.equal(after[name], before[name]) for name in before))
    assert learned == [False] * (QUICK.flow_steps + QUICK.elepose_steps // 2) + [True] * 3


def test_elepose_learns(few):
    profile = replace(QUICK, flow_steps=30, elepose_steps=50)
    losses = train(make(few, replace(ELEPOSE, hold=0.0), profile))
    assert losses[29]["flow"] < losses[0]["flow"] - 0.2
    for name in ("nf", "bl"):
        first, last = (sum(found[name] for found in part) for part in (losses[30:35], losses[-5:]))
        assert last < 0.8 * first, name


def test_elepose_sees_no_3d_pose(few):
    """Of its training role: those of role motion give the ratios of bones."""
    train_part = few["studio"]["train"]
    shuffled = replace(train_part, joints_3d=train_part.joints_3d.flip(0))
    other = few | {"studio": few["studio"] | {"train": shuffled}}
    assert train(make(few, ELEPOSE)) == train(make(other, ELEPOSE))


def test_elepose_sees_all_frames_and_their_mirror_images(few):
    trainer = make(few, ELEPOSE)
    count = len(few["studio"]["train"])
    assert len(trainer.poses) == 2 * count and trainer.labelled == count
    assert float(trainer.poses[:, 0].abs().max()) == 0
    left, right = HUMAN36M_17.index("left_wrist"), HUMAN36M_17.index("right_wrist")
    mirrored = trainer.poses[count:, left] * torch.tensor([-1.0, 1.0])
    assert torch.equal(mirrored, trainer.poses[:count, right])
    # the flow is trained on them with noise far below a joint's size
    assert FLOW_NOISE < 0.01 * trainer.poses.norm(dim=-1).amax(-1).mean()


def test_detected_poses_are_used_where_asked_for(few):
    plain, detected = (make(few, sosa.VARIANTS[f"elepose{end}"]) for end in ("", "-detected"))
    gap = (plain.poses - detected.poses).norm(dim=-1).mean()
    assert 0 < gap < 0.2 * plain.poses.norm(dim=-1).mean()
    without = few | {"studio": {"train": replace(few["studio"]["train"], detected_2d=None)}}
    with pytest.raises(ValueError, match="no detected_2d"):
        make(without, ElePose(inputs="detected_2d"))


# Supervised


def test_the_supervised_network_fits_what_it_is_shown(few):
    train_part = few["studio"]["train"]
    shown = few | {"studio": {"train": train_part, "test": train_part}}
    profile = replace(QUICK, supervised_steps=100, batch=16)
    trainer = make(shown, replace(SUPERVISED, learning_rate=3e-3, longer=1.0), profile)
    losses = [found["3d"] for found in train(trainer)]
    assert sum(losses[-10:]) < 0.65 * sum(losses[:10])
    seen = half_of_recordings(train_part, 0)
    target = truth(train_part)[seen]
    error = mpjpe(trainer.predict("studio")[seen], target).mean()
    mean = mpjpe(target.mean(0).expand_as(target), target).mean()
    assert error < mean


def test_the_supervised_network_is_shown_the_same_pictures_as_the_others(few):
    trainer, method = make(few, SUPERVISED), make(few, sosa.VARIANTS["full"])
    assert torch.equal(trainer.pictures.points, method.material.pictures.points)
    assert torch.equal(trainer.pictures.images, method.material.pictures.images)
    assert trainer.labelled == len(trainer.pictures) == len(trainer.target)


def test_the_supervised_network_learns_mirror_images_with_their_poses(few, monkeypatch):
    """Of a network that answers with the truth of the picture it is shown, the loss is zero."""
    trainer = make(few, SUPERVISED)
    mirrored = trainer.target[:, list(HUMAN36M_17.mirror)] * torch.tensor([-1.0, 1.0, 1.0])
    flipped = []

    def answer(shown):
        bytes_ = ((shown + 1) * 127.5).round()
        rows = []
        for one in bytes_:
            same = (trainer.pictures.images == one).all((1, 2, 3)).nonzero()[:, 0]
            other = (trainer.pictures.images.flip(-1) == one).all((1, 2, 3)).nonzero()[:, 0]
            flipped.append(not len(same))
            rows.append(trainer.target[same[0]] if len(same) else mirrored[other[0]])
        poses = torch.stack(rows) + 0 * next(trainer.model.parameters()).sum()
        return poses - poses[:, :1]

    monkeypatch.setattr(trainer, "_poses", answer)
    losses = train(trainer)
    assert max(loss["3d"] for loss in losses) < 1e-4
    assert any(flipped) and not all(flipped)


def test_a_supervised_variant_of_another_paper_is_another(few):
    assert not isinstance(SUPERVISED, baselines.Supervised) and isinstance(SUPERVISED, Supervised)
    with pytest.raises(TypeError, match="int is no variant"):
        make(few, 3)
