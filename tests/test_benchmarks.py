"""Collection benchmarks: every chapter runs on stored pictures; protocols stand in the tables' headers."""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import benchmarked
import h5py
import numpy as np
import pytest
import torch

from lib import records, run
from lib.data.batches import load_poses
from lib.data.dataset import DatasetError, open_dataset
from lib.data.folder import IMPORTED, ROLES, dataset_path, missing
from lib.data.importing import READERS
from lib.data.protocols import PROTOCOLS, SCORED_14, protocol, split_by
from lib.report import Source, load_paper, table, to_html
from lib.skeleton import HAND_21, HUMAN36M_17

REPOSITORY = Path(run.__file__).resolve().parents[1]
YU, SOSA = "yu2021_scale_lifting", "sosa2023_single_image"
KINEMATIC, PARTS, YOO = "kundu2020_kinematic", "kundu2020_part_guided", "yoo2023_inductive_prior"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All roles; of outdoor every third frame does not count."""
    folder = tmp_path_factory.mktemp("data")
    for role in ROLES:
        path = benchmarked.write(folder, role)
        if role == "outdoor":
            with h5py.File(path, "r+") as file:
                for subject in benchmarked.SPLITS[role]["test"]:
                    file[subject].visititems(_some_invalid)
    return folder


def _some_invalid(name, item):
    if name.count("/") == 1:
        item.create_dataset("valid", data=(np.arange(len(item["joints_2d"])) % 3 != 2).astype(np.uint8))


@pytest.fixture(autouse=True)
def data_folder(folder, monkeypatch):
    monkeypatch.setenv("POSE_DATA", str(folder))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("results")


def execute(root, paper, variant, collection="benchmarks"):
    path = run.execute(paper, variant, collection, "smoke", 0, root=root, device="cpu")
    return records.load(path), records.load_arrays(records.load(path))


# Every chapter


@pytest.mark.parametrize(
    "paper, variant",
    [(YU, "full"), (SOSA, "full"), (KINEMATIC, "unsup"), (PARTS, "unsup"), (YOO, "mse-new")],
)
def test_every_chapter_runs_on_stored_pictures(root, paper, variant):
    record, arrays = execute(root, paper, variant)
    assert record["collection"] == "benchmarks" and record["metrics"]["studio"]["overall"]
    assert all(np.isfinite(value) for value in record["diagnostics"].values())
    there = record["provenance"]["data"]
    assert there["studio"]["source"] == "studio" and "Protocol 1" in there["studio"]["protocol"]
    assert there["studio"]["test_every"] == 1 and there["studio"]["joints"] == 17
    images = [values for name, values in arrays.items() if name.endswith("random/image")]
    assert len(images) > 0 or paper == YU
    assert all(len(np.unique(values)) > 50 for values in images)  # not black
    if paper in (KINEMATIC, PARTS):
        # of single pictures without 3D poses there are 2D metrics alone
        assert record["metrics"]["sport"] == {"overall": {}, "actions": {}, "frame_mean": {}}
        assert {"sport_error_2d", "sport_error_2d_floor"} < set(record["diagnostics"])
        assert not {"sport_p_mpjpe_frames", "sport_mirrored_share"} & set(record["diagnostics"])
        # people's outlines are known in the studio, and not outdoors
        known = {KINEMATIC: "off_person_share", PARTS: "iou_figure"}[paper]
        assert known in record["diagnostics"] and f"outdoor_{known}" not in record["diagnostics"]
    if paper == PARTS:
        assert "f1_parts" not in record["diagnostics"]


def test_hands_without_3d_poses(root):
    record, _ = execute(root, SOSA, "hands")
    assert record["metrics"] == {"hands": {"overall": {}, "actions": {}, "frame_mean": {}}}
    assert {"error_2d", "error_2d_mean", "limb_deviation"} < set(record["diagnostics"])
    assert not {"p_mpjpe_frames", "skeleton_overlap", "failure_share"} & set(record["diagnostics"])
    # only the file that the variant needs is read
    assert list(record["provenance"]["data"]) == ["hands"]
    assert record["curves"]["2d"][-1] > 0


def test_a_floor_is_tested_on_single_pictures_without_3d_poses(root):
    record, _ = execute(root, KINEMATIC, "flat-lift")
    assert not record["metrics"]["sport"]["overall"] and record["metrics"]["wild"]["overall"]


# Protocols


def test_protocols_name_subjects_frames_and_joints():
    studio, older = (protocol(name, "studio") for name in ("benchmarks", "benchmarks_s11"))
    assert (studio.train, studio.test) == (("S1", "S5", "S6", "S7", "S8"), ("S9", "S11"))
    assert (older.train, older.test) == (("S1", "S5", "S6", "S7", "S8", "S9"), ("S11",))
    assert [protocol(name, "studio").test_every for name in PROTOCOLS] == [1, 64, 64, 1]
    joints = protocol("benchmarks", "outdoor").scored(HUMAN36M_17)
    assert [HUMAN36M_17.joints[j] for j in range(17) if j not in joints] == ["pelvis", "spine", "nose"]
    assert len(SCORED_14) == 14 and protocol("benchmarks_17", "outdoor").scored(HUMAN36M_17) is None
    for name in PROTOCOLS:
        assert protocol(name, "sport").title == "" and protocol(name, "hands").scored(HAND_21) is None
        assert dataset_path(name, "studio") == dataset_path("benchmarks", "studio")
    assert protocol("mannequin", "studio").title == ""


def test_the_older_protocol_trains_on_who_is_tested_in_the_newer(folder):
    dataset = open_dataset(dataset_path("benchmarks", "studio"))
    for name, train, test in (
        ("benchmarks", {"S1", "S5"}, {"S9", "S11"}),
        ("benchmarks_s11", {"S1", "S5", "S9"}, {"S11"}),
    ):
        found = split_by(dataset, protocol(name, "studio"))
        assert {clip.subject for clip in found.subset("train")} == train
        assert {clip.subject for clip in found.subset("test")} == test


@pytest.mark.parametrize("limit", [None, 1000, 7, 3])
def test_every_64th_frame_is_tested(monkeypatch, limit):
    """A profile's limit takes every n-th of these, and never others."""
    rules = replace(protocol("benchmarks_64", "studio"), test_every=2)  # clips have five frames
    monkeypatch.setattr(run, "protocol", lambda *_: rules)
    data, files = run.load_data("benchmarks", ("studio",), None, "cpu", {"test": limit})
    test, file = data["studio"]["test"], files["studio"]
    assert file.test_every % 2 == 0 and file.test_frames == len(test)
    assert set(test.row.tolist()) <= {0, 2, 4} and len(data["studio"]["train"]) == 60
    if limit in (None, 1000):
        assert file.test_every == 2 and set(test.row.tolist()) == {0, 2, 4}
    assert torch.equal(test.row % file.test_every, torch.zeros_like(test.row))


def test_frames_that_do_not_count_are_neither_paired_nor_scored(folder):
    dataset = open_dataset(dataset_path("benchmarks", "outdoor"))
    poses = load_poses(dataset, "test")
    assert set(poses.row.tolist()) == {0, 1, 3, 4}  # of five
    assert len(poses.clips) == 2 * len(dataset.subset("test"))
    assert poses.length.tolist() == [2] * len(poses.clips)
    index = torch.arange(len(poses))
    near = poses.neighbour(index, 1)
    assert ((poses.row[near] - poses.row).abs() == 1).all()
    _, files = run.load_data("benchmarks", ("outdoor",), None, "cpu")
    assert files["outdoor"].test_frames_there == files["outdoor"].test_frames == len(poses)


def test_pck_and_auc_are_those_of_the_scored_joints():
    """14 joints: what pelvis, spine and nose do is not scored; overall is the mean of all frames."""
    poses = load_poses(open_dataset(dataset_path("benchmarks", "outdoor")), "test")
    truth = poses.joints_3d - poses.joints_3d[:, :1]
    wrong = truth.clone()
    wrong[:, [HUMAN36M_17.index(name) for name in ("spine", "nose")]] += 400
    rules = protocol("benchmarks", "outdoor")
    fourteen = run.score(wrong, poses, rules.scored(HUMAN36M_17), rules.pooled)[0]
    all_17 = run.score(wrong, poses, None, True)[0]
    assert fourteen["overall"]["pck"] == 1 and fourteen["overall"]["auc"] == pytest.approx(30 / 31)
    assert all_17["overall"]["pck"] == pytest.approx(15 / 17)
    assert fourteen["overall"]["mpjpe"] == all_17["overall"]["mpjpe"] > 80  # over 17 in both
    assert fourteen["overall"] == fourteen["frame_mean"]


# The header


def test_the_header_names_the_protocol(root):
    made, _ = execute(root, YU, "full")
    shown = {}
    for collection in ("benchmarks", "benchmarks_17", "mannequin"):
        copy = {k: v for k, v in made.items() if k != "path"} | {"collection": collection, "profile": "cpu"}
        there = {}
        if collection in PROTOCOLS:
            _, files = run.load_data(collection, ("studio", "outdoor"), None, "cpu")
            there = {"data": {role: asdict(file) for role, file in files.items()}}
        old = {name: value for name, value in made["provenance"].items() if name != "data"}
        copy["provenance"] = old | there
        records.write(records.record_path(root / "shown", YU, collection, "full", "cpu", 0), copy)
        source = Source("here", root / "shown", collection, "cpu")
        paper = load_paper(YU)
        shown[collection] = " ".join(to_html(table(paper, name, [source])) for name in paper.tables)
    text = shown["benchmarks"]
    assert "the licensed recordings" in text
    assert "MPJPE is its Protocol 1, P-MPJPE its Protocol 2" in text and "tested on S9 S11" in text
    assert "MPI-INF-3DHP (annot3)" in text and "PCK and AUC over 14 joints" in text
    assert "tested on 30 of 30 frames (all of a clip), PCK and AUC over 17 joints" in text
    assert "PCK and AUC over 17 joints" in shown["benchmarks_17"] and "older script" in shown["benchmarks_17"]
    assert "Protocol" not in shown["mannequin"] and "of a clip" not in shown["mannequin"]


# What is missing


def test_missing_files_are_told_with_their_commands(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "benchmarks", tmp_path / "benchmarks")
    for role in ("hands", "wild"):
        (tmp_path / "benchmarks" / f"{role}.h5").unlink()
    monkeypatch.setenv("POSE_DATA", str(tmp_path))
    assert missing(("studio", "motion"), "benchmarks_64") == []
    (line,) = missing(("hands", "studio"), "benchmarks")
    assert "hands.h5" in line and line.endswith("python -m lib.data import handdb PATH")
    for name in ("unsup", "flat-lift"):
        with pytest.raises(DatasetError, match=r"wild\.h5.*: python -m lib\.data import mads PATH --role"):
            execute(tmp_path / "results", KINEMATIC, name)
    # a variant that needs fewer roles asks for these alone
    lacking = run.missing_files(SOSA, ("full", "hands"), "benchmarks")
    assert list(lacking) == ["hands"] and len(lacking["hands"]) == 1
    assert run.missing_files(YOO, ("full",), "benchmarks_s11") == {}
    generated = missing(("studio",), "mannequin")
    assert generated[0].endswith("python -m lib.data build mannequin --role studio")


def test_every_role_names_a_command_that_there_is():
    assert set(IMPORTED) == set(ROLES)
    assert {line.split()[0] for line in IMPORTED.values()} <= set(READERS)
    with pytest.raises(ValueError, match="benchmarks_s11"):
        dataset_path("humaneva", "studio")


def test_the_command_line_tells_what_is_missing(tmp_path):
    environment = os.environ | {"POSE_DATA": str(tmp_path), "OMP_NUM_THREADS": "1"}
    arguments = ["--paper", YOO, "--variant", "template-new", "--profile", "smoke", "--root", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "lib.run", *arguments, "--collection", "benchmarks"],
        cwd=REPOSITORY, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines()[-1].endswith("python -m lib.data import human36m PATH")
    assert "Traceback" not in done.stderr
