"""Yoo & Russakovsky 2023: what each row of the tables differs in, and the record of a run."""

import json
from dataclasses import asdict

import h5py
import people
import pytest
from templated import FINE, FLOORS, QUICK, TRAINED, make
from test_yoo2023_diagnostics import HELD_OUT, KEYPOINTS, LOOKS, RECONSTRUCTED

from lib import records, run
from lib.papers import yoo2023_data
from lib.papers import yoo2023_inductive_prior as yoo
from lib.papers.yoo2023_floors import FloorTrainer
from lib.papers.yoo2023_scores import METRICS
from lib.papers.yoo2023_supervised import SupervisedTrainer
from lib.papers.yoo2023_template import JOINTS
from lib.papers.yoo2023_trainer import Trainer
from lib.reported import load_paper

PRINTED = {"background", "skips", "output_scale", "zero_start", "pivot", "schedule", "gradient"}


def test_profiles_are_there():
    assert set(yoo.PROFILES) == {"smoke", "cpu", "gpu", "paper"} and yoo.ROLES == ("studio",)
    assert {name: p.image for name, p in yoo.PROFILES.items() if name != "smoke"} == {
        "cpu": 64, "gpu": 128, "paper": 256
    }  # fmt: skip
    for profile in yoo.PROFILES.values():
        assert profile.image % 2 ** (len(profile.phi) - 1) == profile.image % 2 ** (len(profile.psi) - 1) == 0
    paper = yoo.PROFILES["paper"]
    assert (paper.batch, paper.rate, paper.hidden, paper.steps) == (48, 1e-3, (256, 512), 189300)


def test_every_row_is_a_setting_of_its_own():
    found = {name: json.dumps(asdict(variant), sort_keys=True) for name, variant in yoo.VARIANTS.items()}
    assert len(set(found.values())) == len(found)


def test_one_change_at_a_time():
    """Each row differs from the one that it is read against in what its name says."""
    for base, rows in {
        "base": {
            "mse": {"mse"}, "new": {"template"}, "pub": {"pairs"}, "base-third": {"pairs"},
            "base-ninth": {"pairs"}, "sup": {"supervised"}, "as-printed": PRINTED,
        },
        "mse": {
            "mse-new": {"template"}, "mse-out-10": {"arms_out"}, "mse-out-30": {"arms_out"},
            "mse-out-50": {"arms_out"},
        },
        "mse-new": {
            "mse-new-c2f": {"coarse_to_fine"}, "mse-new-flip": {"flip"}, "mse-new-out-10": {"arms_out"},
            "mse-new-out-30": {"arms_out"}, "mse-new-out-50": {"arms_out"},
        },
        "mse-new-c2f": {"full": {"flip"}},
        "full": {
            "orig-full": {"template"}, "con-new": {"constrained"}, "full-third": {"pairs"},
            "full-ninth": {"pairs"}, "full-all": {"pairs"}, "full-add": {"flip"}, "no-skip": {"skips"},
            "scale-1": {"output_scale"}, "corner": {"pivot"}, "background": {"background"},
            "loss-ssim": {"mse", "perceptual", "ssim"},
            "loss-ssim-dists": {"mse", "perceptual", "ssim", "dists"},
            "loss-mse-dists": {"perceptual", "dists"}, "as-printed-full": PRINTED,
        },
        "con-new": {"con-orig": {"template"}, "as-printed-con": PRINTED},
    }.items():  # fmt: skip
        first = asdict(TRAINED[base])
        for name, fields in rows.items():
            second = asdict(TRAINED[name])
            assert {key for key in first if first[key] != second[key]} == fields, name


def test_numbers_are_those_of_the_names():
    for name, variant in TRAINED.items():
        if "-out-" in name:
            assert variant.arms_out == pytest.approx(int(name.rsplit("-", 1)[1]) / 100)
        else:
            assert variant.arms_out == pytest.approx(1 / 41)  # 1 : 40
        kind = name.rsplit("-", 1)[-1]
        expected = {"third": 1 / 3, "ninth": 1 / 9, "all": 4.0, "pub": 4.0}.get(kind, 1.0)
        assert variant.pairs == pytest.approx(expected), name
        assert variant.background == (name == "background" or name.startswith("as-printed"))
        assert variant.gradient == (None if name.startswith("as-printed") else 5.0)


@pytest.mark.parametrize("name", yoo.VARIANTS)
def test_every_row_is_built(framed, name):
    trainer = make(framed, name)
    kind = FloorTrainer if name in FLOORS else SupervisedTrainer if name == "sup" else Trainer
    assert type(trainer) is kind and hasattr(trainer, "score") and trainer.samples_per_step >= 0
    if name in FLOORS:
        return
    assert trainer.steps == QUICK.steps and trainer.device.type == "cpu"
    base = len(make(framed, "base").pairs)
    variant = TRAINED[name]
    factor = variant.pairs * (2 if variant.flip == "add" else 1)
    if factor >= 1:
        assert abs(len(trainer.pairs) - factor * base) <= 1
    else:
        assert abs(len(trainer.pairs) - factor * base) <= 1


# Records


def test_the_papers_file_asks_for_nothing_that_is_not_recorded():
    paper = load_paper("yoo2023_inductive_prior")
    assert set(paper.variants) == set(yoo.VARIANTS)
    always = {"step_seconds"}
    missing = set(paper.diagnostics) - KEYPOINTS - HELD_OUT - RECONSTRUCTED - LOOKS - always
    assert not missing, sorted(missing)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE_DATA", str(people.write_collection(tmp_path / "data")))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(yoo2023_data, "FINE", FINE)
    return tmp_path / "results"


@pytest.mark.parametrize("name", ["full", "sup", "mean-pose"])
def test_a_run_leaves_a_record(folder, name):
    """`lib.run` asks the trainer for its scores, as there are no 3D poses."""
    path = run.execute("yoo2023_inductive_prior", name, profile="smoke", root=folder, device="cpu")
    record = records.load(path)
    found = record["metrics"]["studio"]
    assert set(found) == {"overall", "actions", "frame_mean"} and set(found["overall"]) == set(METRICS)
    diagnostics = set(record["diagnostics"])
    # of so few frames none may show arms out
    maybe = {key for key in KEYPOINTS if "out" in key}
    assert KEYPOINTS - maybe <= diagnostics and "frames_more" in diagnostics
    with h5py.File(path.with_suffix(".h5")) as file:
        frames, joints, shown = (list(file[f"studio/{kind}"]) for kind in ("frames", "joints", ""))
        assert {"pdj", "pdj_swap", "l2", "l2_swap", "out", "down", "front"} <= set(frames)
        assert {"pdj", "l2", "l2_out", "l2_down", "pdj_out", "pdj_down"} <= set(joints)
        assert file["studio/joint_error"].shape == (len(JOINTS),)
        assert ("random" in shown) == (name == "full")
    if name == "full":
        assert RECONSTRUCTED | LOOKS <= diagnostics
        assert {"perceptual", "mse", "anchor", "boundary"} <= set(record["curves"])
        assert record["configuration"]["variant"]["flip"] == "replace"
    if name == "mean-pose":
        assert {"pdj_offset", "pdj_offset_swap", "arms_offset_swap", "outline"} <= diagnostics
