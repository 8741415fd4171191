"""Collections: paths, building once, the commands."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_studio import walk

from lib.data import mannequin, mocap
from lib.data.__main__ import main
from lib.data.collections import COLLECTIONS, ROLES, build, dataset_path, is_built
from lib.data.dataset import open_dataset, sha256
from lib.data.studio import Take


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("POSE_DATA", str(tmp_path))
    return tmp_path


def test_paths(folder, monkeypatch):
    assert dataset_path("mocap", "studio") == folder / "mocap" / "studio.h5"
    with pytest.raises(ValueError, match="no collection"):
        dataset_path("films", "studio")
    with pytest.raises(ValueError, match="no role"):
        dataset_path("mocap", "indoor")
    monkeypatch.delenv("POSE_DATA")
    assert dataset_path("mocap", "studio").parts[-3:] == ("data", "mocap", "studio.h5")


def few_takes(role, seed):
    moving = np.random.default_rng(seed).normal(0, 5, (60, 17, 3))
    for subject in ("M1", "M2") if role == "motion" else ("S1", "S9"):
        take = walk(subject=subject, action="Eating")
        yield Take(take.subject, take.action, take.fps, take.joints + moving)


def test_build_once_and_again_when_the_version_changes(monkeypatch, capsys):
    monkeypatch.setattr(mannequin, "takes", few_takes)
    assert not is_built("mannequin", "studio")
    (path,) = build("mannequin", ["studio"])
    dataset = open_dataset(path)
    assert dict(dataset.split) == mannequin.split("studio") and len(dataset.clips) == 8
    assert "generated" in dataset.source and dataset.notes.startswith(
        "120 frames a camera kept, 0 cut"
    )
    first, changed = sha256(path), path.stat().st_mtime_ns
    build("mannequin", ["studio"])
    assert path.stat().st_mtime_ns == changed
    build("mannequin", ["studio"], force=True)
    assert sha256(path) == first and path.stat().st_mtime_ns != changed
    build("mannequin", ["studio"], seed=1)
    assert sha256(path) != first and not is_built("mannequin", "studio", seed=0)
    assert main(["build", "mannequin", "--role", "motion"]) == 0 and main(["check", str(path)]) == 0
    assert "8 clips" in capsys.readouterr().out
    path.write_bytes(path.read_bytes()[:3000])
    assert main(["check", str(path)]) == 1 and "studio.h5" in capsys.readouterr().err


@pytest.fixture
def recorded():
    try:
        return mocap.source_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


def test_build_without_recordings_says_where_it_looked(folder, monkeypatch, capsys):
    monkeypatch.setenv("CMU_MOCAP", str(folder / "nowhere"))
    assert main(["build", "mocap"]) == 1
    assert "nowhere" in capsys.readouterr().err and not list(folder.iterdir())


def test_no_subject_is_in_two_roles_or_parts():
    for recipes in COLLECTIONS.values():
        assert tuple(recipes) == ROLES
        splits = [recipe.split for recipe in recipes.values()]
        names = [name for split in splits for part in split.values() for name in part]
        assert len(names) == len(set(names))
        assert splits[0] == {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}


def test_recorded_people_are_trained_on_or_tested_on_in_all_roles_alike():
    parts = {}
    for role, subjects in mocap.SUBJECTS.items():
        for part, names in mocap.split(role).items():
            for name in names:
                parts.setdefault(subjects[name], set()).add("motion" if role == "motion" else part)
    assert len(parts) == 14 and all(len(part) == 1 for part in parts.values())
    for role, trials in mocap.CHOSEN.items():
        assert set(trials) <= set(mocap.SUBJECTS[role].values())


def test_committed_records_know_the_first_three_files():
    """Their bytes are in records as SHA-256: another version would make those records stale."""
    versions = {"mannequin": "mannequin 1, filming 2", "mocap": "mocap 1, filming 2"}
    for name, version in versions.items():
        for role in ("studio", "outdoor", "motion"):
            assert COLLECTIONS[name][role].generator == version


def test_plan_makes_all_roles():
    snakefile = Path(__file__).resolve().parents[2] / "Snakefile"
    (line,) = re.findall(r"^ROLES = \((.*)\)$", snakefile.read_text(), re.MULTILINE)
    assert tuple(re.findall(r'"(\w+)"', line)) == ROLES


def test_hands_and_bodies_are_the_same_in_both_collections():
    for role, subjects, joints in (("hands", 10, 21), ("bodies", 20, 17)):
        assert COLLECTIONS["mannequin"][role] is COLLECTIONS["mocap"][role]
        (path,) = build("mocap", [role])
        dataset = open_dataset(path)
        assert len({clip.subject for clip in dataset.clips}) == subjects
        assert dataset.clips[0].joints_3d.shape[1] == joints
    assert sum(map(len, dataset.clips)) == 20 and dataset.split["test"] == ()


def test_pictures_of_sport_are_seen_whole_from_many_sides():
    recipe = COLLECTIONS["mannequin"]["sport"]
    clips = list(recipe.clips(0, []))
    tested = sum(len(clip) for clip in clips if clip.subject in recipe.split["test"])
    assert tested > 450 and sum(map(len, clips)) - tested > 1400
    assert len({clip.camera for clip in clips}) == 18
    heights = np.array([-(clip.R.T @ clip.t)[2] for clip in clips])
    assert heights.min() > 400 and heights.max() < 2400 and np.ptp(heights) > 1500
    extents = []
    for clip in clips:
        width, height = 2 * clip.K[:2, 2]
        assert clip.joints_2d.min() > 0 and (clip.joints_2d < [width, height]).all()
        extents.append(np.ptp(clip.joints_2d, axis=1).max(-1) / min(width, height))
    extents = np.concatenate(extents)
    assert extents.min() > 0.1 and np.median(extents) > 0.4  # near enough to be seen


def test_mocap_sport_shows_unusual_moments(recorded):
    (path,) = build("mocap", ["sport"])
    dataset = open_dataset(path)
    assert {clip.kind for clip in dataset.clips} >= {"Cartwheel", "Diving", "Jumping", "Sports"}
    assert max(map(len, dataset.clips)) == mocap.PICTURES and path.stat().st_size < 10e6
    joints = np.concatenate([(clip.joints_3d - clip.t) @ clip.R for clip in dataset.clips])
    assert mocap.unusual(joints).mean() > 0.999  # but for rounding
    assert sum(map(len, dataset.subset("test"))) > 400


def test_mocap_motion_role(recorded):
    (path,) = build("mocap", ["motion"])
    dataset = open_dataset(path)
    assert dataset.split["test"] == () and {clip.subject for clip in dataset.clips} == {
        "C03",
        "C09",
    }
    assert "CMU 03_02: 50 of 365 frames" in dataset.notes and "EIA-0196217" in dataset.licence
    assert {clip.fps for clip in dataset.clips} == {30.0}
    assert {clip.source for clip in dataset.clips if clip.action == "Running 2"} == {"CMU 09_03"}
