"""Runs: the same seed gives the same record, also of a run that was killed in the middle."""

import json
import os
import pickle
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import people
import pictured
import pytest
import torch

from lib import records, run
from lib.data.collections import dataset_path
from lib.data.dataset import DatasetError, sha256
from lib.geometry import rotation_y
from lib.papers import sosa2023_single_image as sosa
from lib.papers import yu2021_scale_lifting as yu
from lib.skeleton import HAND_21

PAPER = "yu2021_scale_lifting"
PICTURES = "sosa2023_single_image"
REPOSITORY = Path(run.__file__).resolve().parents[1]
KILLED_AT = 17  # steps, more than half of them

KILL = """
import os, signal, sys
from lib import run

save = run._save

def save_and_die(path, state):
    save(path, state)
    if state["done"] == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)

run._save = save_and_die
run.execute(
    "yu2021_scale_lifting", "full", profile="smoke", root=sys.argv[1], device="cpu",
    checkpoint_seconds=0,
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return people.write_collection(tmp_path_factory.mktemp("data"))


@pytest.fixture(autouse=True)
def data_folder(folder, monkeypatch):
    monkeypatch.setenv("POSE_DATA", str(folder))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)


@pytest.fixture(scope="module")
def whole(folder, tmp_path_factory):
    """The record of `full` with seed 0, made without an interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSE_DATA", str(folder))
        return execute(tmp_path_factory.mktemp("results"))


def execute(root, variant="full", seed=0, paper=PAPER, **options):
    return run.execute(
        paper, variant, profile="smoke", seed=seed, root=root, device="cpu", **options
    )


def interrupt(root, variant, done=KILLED_AT, paper=PAPER):
    """A run that ends with an error right after the checkpoint of a step."""
    save = run._save

    def save_and_stop(path, state):
        save(path, state)
        if state["done"] == done:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "_save", save_and_stop)
        with pytest.raises(KeyboardInterrupt):
            execute(root, variant, paper=paper, checkpoint_seconds=0)


def numbers(path):
    """All of a record but when, how fast, with how much memory and at which commit it was made."""
    record = records.load(path)
    arrays = records.load_arrays(record)
    del record["path"], record["diagnostics"]["step_seconds"]
    for name in (
        *("wall_seconds", "train_seconds", "samples_per_second", "peak_memory_mib", "date"),
        *("commit", "dirty"),  # somebody may commit while the tests run
    ):
        del record["provenance"][name]
    return record, {name: values.tolist() for name, values in arrays.items()}


def start(arguments, folder):
    environment = os.environ | {"POSE_DATA": str(folder), "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=300,
    )


# The record


def test_the_record_of_a_run(whole, folder):
    record = records.load(whole)
    assert (record["paper"], record["variant"], record["seed"]) == (PAPER, "full", 0)
    assert (record["collection"], record["profile"]) == ("mannequin", "smoke")
    assert list(record["metrics"]) == ["studio", "outdoor"]
    trained = json.loads(json.dumps(record["configuration"]))
    assert trained["variant"]["w_bone"] == yu.VARIANTS["full"].w_bone
    assert record["provenance"]["data_sha256"] == {
        role: sha256(dataset_path("mannequin", role)) for role in yu.ROLES
    }
    for scores in record["metrics"].values():
        assert len(scores["actions"]) >= 2
        for name, value in scores["overall"].items():
            values = [action[name] for action in scores["actions"].values()]
            assert value == pytest.approx(np.mean(values))
    steps = record["curves"]["step"]
    assert (
        steps == sorted(steps)
        and steps[-1]
        == yu.build(
            yu.VARIANTS["full"],
            yu.PROFILES["smoke"],
            run.load_data("mannequin", yu.ROLES, None, "cpu")[0],
            0,
        ).steps
    )
    assert all(len(column) == len(steps) for column in record["curves"].values())
    assert {"scale_mean", "prior_mu", "depth_std", "outdoor_scale_mean"} <= set(
        record["diagnostics"]
    )
    arrays = records.load_arrays(record)
    assert arrays["studio/joint_error"].shape == arrays["outdoor/joint_error"].shape == (17,)
    assert arrays["studio/examples/predicted"].shape == arrays["studio/examples/truth"].shape
    assert any(name.endswith("/reference_scale") for name in arrays)
    assert sorted(file.suffix for file in whole.parent.iterdir()) == [".h5", ".json"]


def test_the_same_seed_gives_the_same_record(whole, tmp_path):
    again, other = execute(tmp_path), execute(tmp_path, seed=1)
    assert numbers(again) == numbers(whole)
    assert (
        again.read_text().splitlines()[:60] == whole.read_text().splitlines()[:60]
    )  # in one order
    assert records.load(other)["metrics"] != records.load(whole)["metrics"]
    assert records.load(other)["curves"] != records.load(whole)["curves"]


def test_a_record_knows_what_has_changed(whole):
    record = records.load(whole)
    data = {role: sha256(dataset_path("mannequin", role)) for role in yu.ROLES}
    variant, profile = yu.VARIANTS["full"], yu.PROFILES["smoke"]
    assert records.differences(record, variant, profile, data) == []
    assert records.differences(record, replace(variant, w_2d=9.5), profile, data) == [
        "configuration"
    ]
    assert records.differences(record, variant, profile, data | {"studio": "0"}) == ["data"]


def test_a_run_whose_record_is_there_is_not_repeated(tmp_path, monkeypatch):
    path = execute(tmp_path, "flat-lift")
    before = path.stat()
    monkeypatch.setattr(run, "load_data", lambda *_: pytest.fail("the run was repeated"))
    assert execute(tmp_path, "flat-lift") == path
    assert path.stat().st_mtime_ns == before.st_mtime_ns


# A method that learns from pictures


@pytest.fixture(scope="module")
def of_pictures(folder, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("POSE_DATA", str(folder))
        return execute(tmp_path_factory.mktemp("pictures"), paper=PICTURES)


def test_the_record_of_a_run_on_pictures(of_pictures):
    record, profile = records.load(of_pictures), sosa.PROFILES["smoke"]
    arrays = records.load_arrays(record)
    assert list(record["metrics"]) == ["studio", "outdoor"]
    # no file of hands is there: only the roles that the variant needs are read
    assert set(record["provenance"]["data_sha256"]) == {"studio", "outdoor", "motion"}
    assert record["provenance"]["precision"] in ("float32", "bfloat16 autocast")
    for role in record["metrics"]:
        shown = arrays[f"{role}/random/image"]
        assert shown.shape == (24, profile.image, profile.image, 3) and shown.dtype == np.uint8
        skeleton = arrays[f"{role}/random/skeleton"]
        assert skeleton.shape == (24, profile.skeleton, profile.skeleton)
        assert 0 <= skeleton.min() <= skeleton.max() <= 1
        for name in ("points", "truth_2d", "predicted", "aligned", "truth"):
            assert np.isfinite(arrays[f"{role}/random/{name}"]).all()
        assert arrays[f"{role}/joint_error"].shape == (17,)
    assert {"error_2d", "outdoor_error_2d", "p_mpjpe_lifter", "step_seconds", "images"} <= set(
        record["diagnostics"]
    )
    assert all(np.isfinite(value) for value in record["diagnostics"].values())
    curves = record["curves"]
    assert {"flow", "discriminator", "adversarial", "omega", "skeleton", "2d", "nf"} < set(curves)
    assert curves["flow"][-1] is None and curves["discriminator"][0] is None  # one stage at a time


def test_an_interrupted_run_on_pictures_goes_on(of_pictures, tmp_path):
    """Cut off while the flow, the lifter and the networks of pictures learn."""
    for done in (7, 20, 29):
        interrupt(tmp_path, "full", done, PICTURES)
    assert numbers(execute(tmp_path, paper=PICTURES)) == numbers(of_pictures)


def test_a_role_that_is_needed_is_missed(tmp_path):
    with pytest.raises(DatasetError, match="hands.h5"):
        execute(tmp_path, "hands", paper=PICTURES)


# Interrupted


def test_a_killed_run_resumes_to_the_same_record(whole, folder, tmp_path, monkeypatch):
    killed = start(["-c", KILL, str(tmp_path), str(KILLED_AT)], folder)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    path = records.record_path(tmp_path, PAPER, "mannequin", "full", "smoke", 0)
    assert not path.exists() and path.with_suffix(".checkpoint").exists()
    assert killed.stderr == killed.stdout == ""  # nobody watched

    made, step = [], yu.Trainer.step
    monkeypatch.setattr(
        yu.Trainer, "step", lambda self, index: made.append(index) or step(self, index)
    )
    assert execute(tmp_path) == path
    assert made == list(range(KILLED_AT, made[-1] + 1))
    assert numbers(path) == numbers(whole)
    assert not path.with_suffix(".checkpoint").exists()


@pytest.mark.parametrize("variant", ["as-printed", "chen", "videopose-27"])
def test_other_interrupted_runs_too(tmp_path, variant):
    interrupt(tmp_path / "cut", variant, done=5)
    interrupt(tmp_path / "cut", variant, done=14)
    assert numbers(execute(tmp_path / "cut", variant)) == numbers(
        execute(tmp_path / "whole", variant)
    )


def test_a_checkpoint_of_another_configuration_is_not_gone_on_from(tmp_path, monkeypatch):
    interrupt(tmp_path / "cut", "base")
    changed = replace(yu.VARIANTS["base"], w_2d=2.5, w_adv=0.3)
    monkeypatch.setitem(yu.VARIANTS, "base", changed)
    assert numbers(execute(tmp_path / "cut", "base")) == numbers(
        execute(tmp_path / "whole", "base")
    )


class Malicious:
    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return Path.touch, (self.target,)


def test_nothing_is_unpickled(tmp_path):
    path = records.record_path(tmp_path, PAPER, "mannequin", "base", "smoke", 0)
    checkpoint, harm = path.with_suffix(".checkpoint"), tmp_path / "harm"
    checkpoint.parent.mkdir(parents=True)
    torch.save({"trainer": Malicious(harm), "key": ""}, checkpoint)
    with pytest.raises(pickle.UnpicklingError):
        execute(tmp_path, "base")
    assert not harm.exists() and not path.exists()


# What is refused


def test_unknown_names_are_refused_before_anything_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "load_data", lambda *_: pytest.fail("data were read"))
    with pytest.raises(KeyError, match="no variant 'fulll'.*base, .*full, .*martinez") as caught:
        execute(tmp_path, "fulll")
    assert all(name in str(caught.value) for name in yu.VARIANTS)
    with pytest.raises(KeyError, match="no profile 'huge'; known: cpu, gpu, paper, smoke"):
        run.execute(PAPER, "full", profile="huge", root=tmp_path)
    with pytest.raises(ModuleNotFoundError, match="yu2022"):
        run.execute("yu2022", "full", root=tmp_path)


def test_missing_data_are_named(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE_DATA", str(tmp_path))
    with pytest.raises(DatasetError, match="studio.h5"):
        execute(tmp_path, "flat-lift")
    assert not list(tmp_path.iterdir())


# Thinned data


def test_parts_are_thinned_evenly():
    """Every clip keeps every n-th of its frames; a part without a limit keeps all."""
    whole, hashes = run.load_data("mannequin", ("studio",), None, "cpu")
    thin, same = run.load_data("mannequin", ("studio",), None, "cpu", {"train": 100, "test": None})
    assert hashes == same
    assert torch.equal(thin["studio"]["test"].joints_3d, whole["studio"]["test"].joints_3d)
    kept, full = thin["studio"]["train"], whole["studio"]["train"]
    assert kept.clips == full.clips
    assert len(kept) <= 100 + len(kept.clips)
    stride = -(-len(full) // 100)
    frames = [
        index
        for start, length in zip(full.start.tolist(), full.length.tolist(), strict=True)
        for index in range(start, start + length, stride)
    ]
    assert torch.equal(kept.joints_2d, full.joints_2d[frames])
    torch.testing.assert_close(kept.fps, full.fps / stride)


@pytest.mark.parametrize("limit", [None, 10_000])
def test_a_limit_above_what_is_there_changes_nothing(limit):
    whole, _ = run.load_data("mannequin", ("motion",), None, "cpu")
    thin, _ = run.load_data("mannequin", ("motion",), None, "cpu", {"train": limit})
    assert torch.equal(thin["motion"]["train"].joints_3d, whole["motion"]["train"].joints_3d)
    assert "test" not in thin["motion"]


# What is seen


def test_the_command_line_is_silent_but_for_its_result(folder, tmp_path):
    arguments = ["-m", "lib.run", "--paper", PAPER, "--variant", "base", "--profile", "smoke"]
    done = start([*arguments, "--seed", "3", "--root", str(tmp_path), "--device", "cpu"], folder)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    path = records.record_path(tmp_path, PAPER, "mannequin", "base", "smoke", 3)
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{path}: studio mpjpe ") and "outdoor mpjpe" in line
    # the code's fingerprint is the same from a command line and from a notebook
    assert records.load(path)["provenance"]["code_sha256"] == records.code_sha256(PAPER)


def test_progress_is_shown_to_who_watches(tmp_path, monkeypatch, capsys):
    assert run.headless()
    monkeypatch.setenv("JPY_SESSION_NAME", "notebook")
    assert not run.headless()
    execute(tmp_path, "base", seed=5)
    shown = capsys.readouterr().err
    assert "mannequin/base/5" in shown and "step/s" in shown and "3d=" in shown


# Scores


@pytest.fixture
def test_part(folder):
    return people.load(folder)["studio"]["test"]


def truth(poses):
    return poses.joints_3d - poses.joints_3d[:, :1]


def overall(predicted, poses):
    return run.score(predicted, poses)[0]["overall"]


def test_a_perfect_prediction(test_part):
    scores, joint_error = run.score(truth(test_part), test_part)
    for values in (scores["overall"], scores["frame_mean"], *scores["actions"].values()):
        for name in ("mpjpe", "n_mpjpe", "p_mpjpe", "mpjpe_oracle"):
            assert values[name] == pytest.approx(0, abs=0.05)  # mm
        assert all(values[name] == 1 for name in ("pck", "pck_aligned"))
        assert all(values[name] > 0.95 for name in ("auc", "auc_aligned"))
        assert values["p_mpjpe_mirrored"] > 10
    assert joint_error.shape == (17,) and float(joint_error.abs().max()) == 0


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_prediction_of_another_size(test_part, factor):
    values = overall(factor * truth(test_part), test_part)
    for name in ("mpjpe_oracle", "p_mpjpe", "n_mpjpe"):
        assert values[name] == pytest.approx(0, abs=0.1)
    assert values["mpjpe"] == pytest.approx(
        float(abs(factor - 1) * truth(test_part).norm(dim=-1).mean()), rel=0.05
    )
    assert values["pck"] < values["pck_aligned"] == 1


def test_a_turned_prediction(test_part):
    values = overall(truth(test_part) @ rotation_y(torch.tensor(0.5)).T, test_part)
    assert values["p_mpjpe"] == pytest.approx(0, abs=0.1)
    assert all(values[name] > 10 for name in ("mpjpe", "n_mpjpe", "mpjpe_oracle"))


def test_a_prediction_mirrored_in_depth(test_part):
    values = overall(people.mirrored(truth(test_part)), test_part)
    assert values["p_mpjpe_mirrored"] == pytest.approx(0, abs=0.1)
    assert values["p_mpjpe"] > 10


def test_a_prediction_that_is_a_point(test_part):
    values = overall(torch.zeros_like(test_part.joints_3d), test_part)
    assert all(np.isfinite(value) for value in values.values())
    assert values["mpjpe"] == pytest.approx(values["mpjpe_oracle"])


def test_overall_is_the_mean_of_the_actions_and_not_of_the_frames(test_part):
    """One action of few frames is predicted badly, the others perfectly."""
    kept = torch.ones(len(test_part), dtype=torch.bool)
    bad = test_part.action == 0
    kept[bad.nonzero()[4:, 0]] = False
    fields = ("joints_3d", "joints_2d", "action", "clip", "K")
    part = replace(test_part, **{name: getattr(test_part, name)[kept] for name in fields})
    predicted = truth(part).clone()
    predicted[part.action == 0, 1:] += torch.tensor([30.0, 40.0, 0.0])
    scores, joint_error = run.score(predicted, part)
    error, share = 50 * 16 / 17, 4 / len(part)
    assert scores["actions"][part.action_names[0]]["mpjpe"] == pytest.approx(error, rel=1e-4)
    assert scores["overall"]["mpjpe"] == pytest.approx(error / len(part.action_names), rel=1e-4)
    assert scores["frame_mean"]["mpjpe"] == pytest.approx(error * share, rel=1e-4)
    assert share < 0.5 / len(part.action_names)
    torch.testing.assert_close(joint_error[1:], torch.full((16,), 50 * share), rtol=1e-3, atol=0)


@pytest.fixture(scope="module")
def hand(tmp_path_factory):
    return pictured.load_hands(tmp_path_factory.mktemp("hand"))["hands"]["test"]


def test_a_hand_of_another_size(hand):
    """Its size is from the wrist to the middle finger's tip: a hand has no head."""
    values = overall(1.7 * truth(hand), hand)
    for name in ("mpjpe_oracle", "p_mpjpe", "n_mpjpe"):
        assert values[name] == pytest.approx(0, abs=0.05)
    assert values["mpjpe"] > 10
    bent = truth(hand).clone()
    bent[:, HAND_21.index("middle_4")] *= 2  # what the size is measured by
    assert overall(bent, hand)["mpjpe_oracle"] > 20
    assert run.score(truth(hand), hand)[1].shape == (21,)
