"""The plan of Snakemake, by dry runs: under each profile, for each setting, and in a tree of its own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
SNAKEMAKE = Path(sys.executable).with_name("snakemake")
PARTS = ("Snakefile", "_config.yml", "profiles", "book", "lib", "notebooks")
ROLES = ("studio", "outdoor", "wild", "sport", "hands", "bodies", "motion")


@pytest.fixture
def tree(tmp_path):
    """A copy of the repository without anything that was made."""
    made = shutil.ignore_patterns("_build", "executed", "__pycache__", ".ipynb_checkpoints")
    for part in PARTS:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, tmp_path / part, **({"ignore": made} if (ROOT / part).is_dir() else {}))
    return tmp_path


def plan(tree, target="book", profile="local", **settings):
    """The jobs of a dry run: rule -> how often."""
    config = [f"{name}={value}" for name, value in ({"profile": "smoke"} | settings).items()]
    cores = ["--cores", "2"] if profile == "local" else []
    cores += ["--default-storage-prefix", str(tree)] if profile == "kubernetes" else []
    options = ["--dry-run", "--profile", f"profiles/{profile}", *cores, "--config", *config]
    command = [SNAKEMAKE, *options, "--", target]
    elsewhere = ("POSE_DATA", "CMU_MOCAP")
    environment = {name: value for name, value in os.environ.items() if name not in elsewhere}
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, env=environment)
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    table = output.partition("Job stats:")[2].splitlines()
    rows = [line.split() for line in table[1:]]
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}, output


def papers(tree):
    return {path.stem: yaml.safe_load(path.read_text()) for path in (tree / "book/papers").glob("*.yml")}


def expected_runs(tree, seeds):
    once = sum(len(set(p["grid"]) & set(p.get("deterministic", ()))) for p in papers(tree).values())
    every = sum(len(p["grid"]) for p in papers(tree).values()) - once
    return once + seeds * every


@pytest.mark.parametrize("profile", ["local", "slurm", "kubernetes"])
def test_whole_book_can_be_planned_under_each_profile(tree, profile):
    jobs, _ = plan(tree, profile=profile)
    notebooks = [line for line in (tree / "book/_toc.yml").read_text().splitlines() if "executed/" in line]
    assert jobs["run"] == expected_runs(tree, seeds=1)
    assert jobs["notebook"] == len(notebooks)
    assert jobs["html"] == 1


@pytest.mark.parametrize("seeds", ["0,1,2", "0 1 2"])
def test_grid_has_a_run_for_each_variant_and_seed(tree, seeds):
    jobs, _ = plan(tree, "grid", profile="slurm", seeds=seeds)
    assert jobs["run"] == expected_runs(tree, seeds=3)


def test_run_whose_record_is_there_is_not_repeated(tree):
    for slug, paper in papers(tree).items():
        for variant in paper["grid"]:
            record = tree / f"results/{slug}/mannequin/{variant}-smoke-seed0.json"
            record.parent.mkdir(parents=True, exist_ok=True)
            record.write_text("{}")
    # Data and code that are younger than the records change nothing.
    for role in ROLES:
        path = tree / f"data/mannequin/{role}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tree / "lib/losses.py").touch()
    jobs, output = plan(tree, "grid")
    assert "run" not in jobs, output


def test_data_that_a_user_brought_are_used_and_never_written(tree):
    for role in ROLES:
        path = tree / f"data/benchmarks/{role}.h5"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    jobs, _ = plan(tree, "grid", collection="benchmarks")
    assert jobs["run"] == expected_runs(tree, seeds=1)
    assert "dataset" not in jobs


def test_runs_whose_data_a_user_did_not_bring_are_left_out_and_named(tree):
    path = tree / "data/benchmarks/studio.h5"
    path.parent.mkdir(parents=True)
    path.touch()
    jobs, output = plan(tree, "grid", collection="benchmarks_64")
    alone = papers(tree)["yoo2023_inductive_prior"]
    assert jobs["run"] == len(alone["grid"])
    assert "python -m lib.data import mpi-inf-3dhp PATH" in output
    assert "yoo2023_inductive_prior" not in output.partition("Building DAG")[0]


def test_paper_is_added_by_one_file(tree):
    before = expected_runs(tree, seeds=1)
    (tree / "book/papers/another2030_paper.yml").write_text("grid: [first, second]\n")
    jobs, _ = plan(tree, "grid")
    assert jobs["run"] == before + 2


def test_checkpoint_is_no_output_of_the_plan(tree):
    assert ".checkpoint" not in (tree / "Snakefile").read_text()
