"""Kundu et al., CVPR 2020: what each row of the tables differs in, is given and predicts."""

import json
from dataclasses import asdict, replace

import pytest
import torch
from guided import QUICK, TRAINED, make

from lib.papers import kundu2020_part_guided as kundu
from lib.papers.baselines import Floor
from lib.papers.kundu2020_part_algorithm import AlgorithmTrainer
from lib.papers.kundu2020_part_trainer import Trainer


def test_profiles_are_there():
    assert set(kundu.PROFILES) == {"smoke", "cpu", "gpu", "paper"}
    assert all(profile.image % 8 == 0 for profile in kundu.PROFILES.values())
    assert all(json.dumps(asdict(variant)) for variant in kundu.VARIANTS.values())


def test_one_change_at_a_time():
    """Each row differs from the one that it is read against in what its name says."""
    for base, rows in {
        "unsup": {
            "weak": {"labels"}, "mv": {"labels"}, "semi": {"labels", "share"}, "semi-100": {"labels"},
            "no-fk": {"pose"}, "no-qz": {"prior"}, "no-sal": {"saliency"}, "no-depth": {"order"},
            "no-unc": {"uncertain"}, "no-energy": {"energy"}, "adv": {"energy"}, "studio": {"wild"},
            "studio-prior": {"prior"}, "puppets": {"pictures"}, "no-paint": {"painted"},
            "no-face": {"shape"}, "similarity": {"thick"}, "bounded-camera": {"camera"},
            "background": {"masked"}, "enc-100": {"encoder_only", "painted"},
        },
        "semi": {name: {"share"} for name in ("semi-1", "semi-3", "semi-30", "semi-100")},
        "enc-100": {name: {"share"} for name in ("enc-1", "enc-3", "enc-10", "enc-30")},
        "weak": {
            "weak-out": {"last"}, "weak-out-u": {"last"}, "semi-out": {"last", "last_share"},
        },
        "as-printed": {
            "as-printed-no-fk": {"pose"}, "as-printed-no-qz": {"prior"}, "as-printed-no-sal": {"saliency"},
            "as-printed-weak": {"labels"}, "printed-order": {"order"},
        },
    }.items():  # fmt: skip
        first = asdict(TRAINED[base])
        for name, fields in rows.items():
            second = asdict(TRAINED[name])
            assert {key for key in first if first[key] != second[key]} == fields, name


def test_shares_are_those_of_their_names():
    for name, variant in TRAINED.items():
        kind, _, number = name.partition("-")
        if kind in ("semi", "enc") and number.isdigit():
            assert variant.share == pytest.approx(int(number) / 100)
    assert TRAINED["semi"].share == TRAINED["semi-out"].last_share == 0.1


def test_each_recipe_has_its_trainer(filmed):
    for name in ("unsup", "as-printed"):
        trainer = make(filmed, name)
        assert isinstance(trainer, Trainer)
        assert isinstance(trainer, AlgorithmTrainer) == (name == "as-printed")


# The marks of Table 1


def test_marks_of_supervision():
    labelled = {"weak", "weak-out", "weak-out-u", "semi-out", "as-printed-weak"}
    for name, variant in TRAINED.items():
        found = kundu.supervision(variant)
        assert tuple(found) == kundu.MARKS
        expected = set() if name.endswith("no-qz") or name.startswith("enc") else {"unpaired"}
        if name in labelled or name.startswith(("semi", "enc")):
            expected.add("paired_2d")
        if name == "mv":
            expected |= {"multi_view", "camera_extrinsics"}
        assert {mark for mark, value in found.items() if value} == expected, name


@pytest.mark.parametrize("name", ["unsup", "mv", "weak", "semi"])
def test_marks_tell_what_a_variant_is_given(filmed, name):
    """Without a mark for 2D, no true joint of a video has a part in a step."""
    found = []
    for spoilt in (0.0, 0.3):
        trainer = make(filmed, name)
        for role, frames in trainer.footage.items():
            footage = frames.footage
            pose = footage.poses.joints_3d
            poses = replace(footage.poses, joints_3d=pose + spoilt * pose.flip(0))
            footage = replace(footage, points=footage.points + spoilt, poses=poses)
            trainer.footage[role] = replace(frames, footage=footage)
        first = QUICK.paint_steps + QUICK.base_steps  # with labels, if there are any
        found.append([float(sum(trainer.step(index).values())) for index in (first - 1, first)])
    assert found[0][0] == found[1][0]
    assert (found[0][1] == found[1][1]) != kundu.supervision(TRAINED[name])["paired_2d"]


# What comes out


@pytest.mark.parametrize("name", ["unsup", "no-fk", "as-printed"])
def test_poses_are_predicted_in_millimetres(filmed, name):
    trainer = make(filmed, name)
    assert trainer.test_roles == ("studio", "outdoor", "sport", "wild")
    trunk = filmed["studio"]["train"].joints_3d
    trunk = (trunk[:, 8] - trunk[:, 0]).norm(dim=-1).mean()
    for role in trainer.test_roles if name == "unsup" else ("outdoor",):
        predicted = trainer.predict(role)
        assert predicted.shape == (len(filmed[role]["test"]), 17, 3) and bool(predicted.isfinite().all())
        assert float(predicted[:, 0].abs().max()) < 1e-3
        if name != "no-fk":
            torch.testing.assert_close(predicted[:, 8].norm(dim=-1), trunk.expand(len(predicted)))


@pytest.mark.parametrize("name", [n for n, v in kundu.VARIANTS.items() if isinstance(v, Floor)])
def test_floors_predict(filmed, name):
    floor = kundu.build(kundu.VARIANTS[name], QUICK, filmed, 0)
    for role in ("studio", "wild"):
        assert floor.predict(role).shape == filmed[role]["test"].joints_3d.shape
