"""Kundu et al. 2020: every row of the tables trains, what each differs in, and what it predicts."""

import json
import math
from dataclasses import asdict, replace

import pytest
import torch
from kinematic import QUICK, make

from lib.papers import kundu2020_kinematic as kundu
from lib.papers.baselines import Floor
from lib.papers.kundu2020_batches import Variant

OURS, PRINTED = kundu.VARIANTS["unsup"], kundu.VARIANTS["as-printed"]
TRAINED = {name: v for name, v in kundu.VARIANTS.items() if isinstance(v, Variant)}
CYCLE = {"cycle_2d", "cycle_appearance"}
PRIOR = {"prior_3d", "prior_camera", "prior_2d"}
ENERGY = {"energy_2d", "energy_appearance"}
MONITORS = {"map_gradient", "pose_spread", "appearance_spread", "leak"}


def expected(variant):
    """Names of the losses of a variant over all stages."""
    prior = PRIOR if variant.renders else set()
    given = {"label_2d": variant.labels_2d, "label_3d": variant.labels_3d}
    labels = {name for name, value in given.items() if value}
    if variant.recipe != "staged":
        names = {"prior_3d", "prior_2d", "reconstruction"} | CYCLE | labels
        return names | (ENERGY if variant.unpaired else set())
    if variant.supervised:
        return {"label_3d"}
    if variant.pictures != "all":
        return prior
    names = prior | CYCLE | labels | {"reconstruction"}
    if variant.silhouette:
        names.add("silhouette")
    if variant.redraw and prior:
        names |= {"redraw", "outline"} if variant.silhouette else {"redraw"}
    if variant.novel:
        names.add("novel")
    if variant.unpaired and variant.wild:
        names |= {"adversarial"} if variant.critic == "adversary" else ENERGY
    return names


# Every row


@pytest.mark.parametrize("name", TRAINED)
def test_every_variant_trains(filmed, name):
    """The first step of each stage; as printed, each loss in turn."""
    variant = TRAINED[name]
    trainer = make(filmed, variant)
    json.dumps(asdict(variant))
    assert trainer.steps == sum(trainer.stages.values()) > 1
    staged = variant.recipe == "staged"
    indices = range(0, trainer.steps, 2) if staged else range(trainer.steps)
    seen = set()
    for index in indices:
        losses = {key: float(value) for key, value in trainer.step(index).items()}
        assert losses and all(math.isfinite(value) for value in losses.values()), losses
        seen |= set(losses)
    assert seen - MONITORS == expected(variant)
    assert all(bool(p.isfinite().all()) for p in trainer.model.state_dict().values())


@pytest.mark.parametrize("name", ["unsup", "outdoor", "as-printed", "jakab", "sup"])
def test_poses_are_predicted_in_millimetres(filmed, name):
    variant = replace(OURS, role="outdoor") if name == "outdoor" else TRAINED[name]
    trainer = make(filmed, variant)
    trainer.step(0)
    assert trainer.test_roles == ("studio", "outdoor", "sport", "wild")
    trunk = filmed[variant.role]["train"].joints_3d
    trunk = (trunk[:, 8] - trunk[:, 0]).norm(dim=-1).mean()
    for role in trainer.test_roles if name == "unsup" else ("outdoor",):
        predicted = trainer.predict(role)
        assert predicted.shape == (len(filmed[role]["test"]), 17, 3) and bool(predicted.isfinite().all())
        assert float(predicted[:, 0].abs().max()) < 1e-3
        if variant.pose == "kinematic":
            torch.testing.assert_close((predicted[:, 8]).norm(dim=-1), trunk.expand(len(predicted)))


@pytest.mark.parametrize("name", [n for n, v in kundu.VARIANTS.items() if isinstance(v, Floor)])
def test_floors_predict(filmed, name):
    floor = kundu.build(kundu.VARIANTS[name], QUICK, filmed, 0)
    assert floor.predict("studio").shape == filmed["studio"]["test"].joints_3d.shape
    assert floor.predict("wild").shape == filmed["wild"]["test"].joints_3d.shape


def test_profiles_are_there():
    assert set(kundu.PROFILES) == {"smoke", "cpu", "gpu", "paper"}
    assert all(profile.image % 8 == 0 for profile in kundu.PROFILES.values())


def test_one_change_at_a_time():
    """Each row differs from the one that it is read against in what its name says."""
    for base, rows in {
        "unsup": {
            "weak": {"labels_2d"}, "semi": {"labels_3d"}, "unsup-out": {"role"},
            "weak-out": {"role", "labels_2d"}, "semi-out": {"role", "labels_3d"}, "dp": {"unpaired"},
            "studio": {"wild", "unpaired"}, "unfrozen": {"frozen"}, "adv": {"critic"},
            "sup": {"supervised", "wild", "unpaired"}, "prior-0": {"renders", "redraw"},
            "prior-5": {"renders"}, "prior-100": {"renders"}, "bodies": {"chosen"},
            "farthest": {"chosen"}, "constant-camera": {"camera"}, "novel": {"novel"},
            "no-silhouette": {"silhouette"}, "gram-schmidt": {"frames"},
        },
        "dp": {
            "no-fk": {"pose"}, "no-tm": {"maps"}, "hm": {"maps"},
            "jakab": {"renders", "pose", "maps", "redraw", "silhouette"},
        },
        "prior-only": {"bn-control": {"pictures"}, "prior-backdrops": {"pictures", "backdrops"}},
        "as-printed": {
            "as-printed-weak": {"labels_2d"}, "as-printed-semi": {"labels_3d"},
            "as-printed-dp": {"unpaired"}, "as-printed-no-fk": {"unpaired", "pose"},
            "as-printed-no-tm": {"unpaired", "maps"}, "printed-sum": {"recipe"},
            "printed-sum-3": {"recipe", "weight"}, "printed-sum-03": {"recipe", "weight"},
        },
    }.items():  # fmt: skip
        first = asdict(TRAINED[base])
        for name, fields in rows.items():
            second = asdict(TRAINED[name])
            assert {key for key in first if first[key] != second[key]} == fields, name


# The marks of Table 1


def test_marks_of_supervision():
    marks = {name: {m for m, v in kundu.supervision(v).items() if v} for name, v in TRAINED.items()}
    assert all(set(kundu.supervision(v)) == set(kundu.MARKS) for v in TRAINED.values())
    labelled = {"weak", "semi", "weak-out", "semi-out", "as-printed-weak", "as-printed-semi", "sup"}
    for name, found in marks.items():
        expected = {"paired_2d"} if name in labelled else set()
        assert found == expected, name


@pytest.mark.parametrize("name", ["unsup", "weak"])
def test_marks_tell_what_a_variant_is_given(filmed, name):
    """Without a mark for 2D, no true joint of a video has a part in a step."""
    found = []
    for spoilt in (0.0, 0.3):
        trainer = make(filmed, TRAINED[name])
        for role, footage in trainer.footage.items():
            poses = replace(footage.poses, joints_3d=(1 + spoilt) * footage.poses.joints_3d.flip(0))
            trainer.footage[role] = replace(footage, points=footage.points + spoilt, poses=poses)
        begin = trainer.stages["prior"] + trainer.stages["base"]
        found.append([float(sum(trainer.step(index).values())) for index in (begin - 1, begin)])
    assert found[0][0] == found[1][0]
    assert (found[0][1] == found[1][1]) != kundu.supervision(TRAINED[name])["paired_2d"]
