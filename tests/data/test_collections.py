"""Collections: paths, building once, the commands."""

import numpy as np
import pytest
from test_studio import walk

from lib.data import collections, mannequin, mocap
from lib.data.__main__ import main
from lib.data.collections import COLLECTIONS, build, dataset_path, is_built
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
        dataset_path("mocap", "wild")
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


def test_build_without_recordings_says_where_it_looked(folder, monkeypatch, capsys):
    monkeypatch.setenv("CMU_MOCAP", str(folder / "nowhere"))
    assert main(["build", "mocap"]) == 1
    assert "nowhere" in capsys.readouterr().err and not list(folder.iterdir())


def test_no_subject_is_in_two_roles_or_parts():
    for collection in COLLECTIONS.values():
        splits = [collection.split(role) for role in collections.ROLES]
        names = [name for split in splits for part in split.values() for name in part]
        assert len(names) == len(set(names))
        assert splits[0] == {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")}


def test_mocap_motion_role():
    try:
        mocap.source_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    (path,) = build("mocap", ["motion"])
    dataset = open_dataset(path)
    assert dataset.split["test"] == () and {clip.subject for clip in dataset.clips} == {
        "C03",
        "C09",
    }
    assert "CMU 03_02: 50 of 365 frames" in dataset.notes and "EIA-0196217" in dataset.licence
    assert {clip.fps for clip in dataset.clips} == {30.0}
    assert {clip.source for clip in dataset.clips if clip.action == "Running 2"} == {"CMU 09_03"}
