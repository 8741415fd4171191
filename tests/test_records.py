"""Records: whole or not there at all, checked when read, and aware of what has changed since."""

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lib import records
from lib.records import RecordError

PAPER = "yu2021_scale_lifting"


@dataclass(frozen=True)
class Settings:
    weight: float = 1.0
    name: str = "a"


def record(variant="base", profile="smoke", seed=0, **changes):
    configuration = {
        "variant": {"weight": 1.0, "name": "a"},
        "profile": {"weight": 2.0, "name": "a"},
    }
    data = {"studio": "0" * 64}
    return {
        "schema": records.SCHEMA,
        "paper": PAPER,
        "variant": variant,
        "collection": "mocap",
        "profile": profile,
        "seed": seed,
        "configuration": configuration,
        "metrics": {"studio": {"overall": {"mpjpe": 100.0 + seed}}},
        "curves": {"step": [1, 2], "3d": [0.5, None]},
        "diagnostics": {"scale_mean": 1.0},
        "provenance": records.provenance(PAPER, configuration, data, torch.device("cpu")),
    } | changes


def write(root, arrays=None, **options):
    made = record(**options)
    path = records.record_path(
        root, PAPER, made["collection"], made["variant"], made["profile"], made["seed"]
    )
    records.write(path, made, arrays)
    return path


def test_where_a_record_lies(tmp_path):
    path = records.record_path(tmp_path, PAPER, "mocap", "full-detected", "gpu", 2)
    assert path == tmp_path / PAPER / "mocap" / "full-detected-gpu-seed2.json"


def test_a_record_comes_back(tmp_path):
    path = write(tmp_path)
    assert records.load(path) == record() | {
        "path": str(path),
        "provenance": records.load(path)["provenance"],
    }
    assert records.load_arrays(records.load(path)) == {}
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_arrays_come_back(tmp_path):
    random = np.random.default_rng(0)
    arrays = {
        "studio/joint_error": random.random(17, np.float32),
        "studio/clips/S9/Walking 2/a/scale": random.random(5),
        "studio/examples/frame": np.arange(6).reshape(2, 3),
        "number": np.float64(3.5),
        "empty": np.zeros((0, 3), np.float32),
    }
    found = records.load_arrays(records.load(write(tmp_path, arrays)))
    assert set(found) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
        assert found[name].dtype == np.asarray(values).dtype


def test_a_second_writing_replaces_the_first(tmp_path):
    write(tmp_path, {"a": np.zeros(3)})
    path = write(tmp_path, {"b": np.ones(3)}, metrics={})
    found = records.load(path)
    assert found["metrics"] == {} and set(records.load_arrays(found)) == {"b"}


@pytest.mark.parametrize("nth", [1, 2])
def test_a_crash_while_writing_leaves_no_record(tmp_path, monkeypatch, nth):
    """The first renaming is that of the arrays, the second that of the record."""
    rename, calls = Path.replace, []

    def crash(self, target):
        calls.append(target)
        if len(calls) == nth:
            raise OSError("disk full")
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path, {"a": np.zeros(3)})
    assert not list(tmp_path.rglob("*.json")) and not list(records.find(PAPER, "mocap", tmp_path))
    monkeypatch.undo()
    path = write(tmp_path, {"a": np.zeros(3)})
    assert records.load(path)["variant"] == "base"


def test_a_crash_leaves_the_older_record_as_it_was(tmp_path, monkeypatch):
    path = write(tmp_path)
    before = path.read_bytes()
    monkeypatch.setattr(
        Path, "replace", lambda self, target: (_ for _ in ()).throw(OSError("killed"))
    )
    with pytest.raises(OSError, match="killed"):
        write(tmp_path, metrics={})
    assert path.read_bytes() == before


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_not_written(tmp_path, value):
    with pytest.raises(ValueError):
        write(tmp_path, diagnostics={"scale_mean": value})
    assert not list(tmp_path.rglob("*.json"))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: text[: len(text) // 2], "not a readable record"),
        (lambda text: "", "not a readable record"),
        (lambda text: "[1, 2]", "field 'schema' is missing"),
        (lambda text: "null", "field 'schema' is missing"),
        (lambda text: text.replace('"metrics"', '"numbers"'), "field 'metrics' is missing"),
        (lambda text: text.replace('"provenance"', '"origin"'), "field 'provenance' is missing"),
        (lambda text: text.replace('"schema": 1', '"schema": 99'), "schema 99, this code reads 1"),
    ],
)
def test_a_damaged_record_is_one_error_that_names_the_file(tmp_path, damage, message):
    path = write(tmp_path)
    path.write_text(damage(path.read_text()))
    with pytest.raises(RecordError, match=message) as caught:
        records.load(path)
    assert str(caught.value).startswith(f"{path}: ")
    with pytest.raises(RecordError):
        list(records.find(PAPER, "mocap", tmp_path))


def test_bytes_that_are_no_text_and_a_record_that_is_not_there(tmp_path):
    path = write(tmp_path)
    path.write_bytes(b"\xff\xfe\x00{")
    for wrong in (path, path.with_name("none.json")):
        with pytest.raises(RecordError, match="not a readable record") as caught:
            records.load(wrong)
        assert str(wrong) in str(caught.value)


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_damaged_arrays_are_one_error_that_names_the_file(tmp_path, keep):
    path = write(tmp_path, {"a": np.random.default_rng(0).random(1000)})
    found, file = records.load(path), path.with_suffix(".h5")
    content = file.read_bytes()
    file.write_bytes(content[: int(keep * len(content)) if keep < 1 else keep])
    with pytest.raises(RecordError, match="not a readable HDF5 file") as caught:
        records.load_arrays(found)
    assert str(file) in str(caught.value)


def test_find_does_not_mix_variants_whose_names_begin_alike(tmp_path):
    for variant in ("base", "base-detected", "full"):
        for seed in (0, 1):
            write(tmp_path, variant=variant, seed=seed)
    write(tmp_path, variant="base", profile="cpu")
    write(tmp_path, variant="base", profile="cpu-long")

    def names(**wanted):
        found = records.find(PAPER, "mocap", tmp_path, **wanted)
        return [(r["variant"], r["profile"], r["seed"]) for r in found]

    assert names(variant="base", profile="smoke") == [("base", "smoke", 0), ("base", "smoke", 1)]
    assert names(variant="base-detected") == [
        ("base-detected", "smoke", 0),
        ("base-detected", "smoke", 1),
    ]
    assert {v for v, _, _ in names(variant="base")} == {"base"} and len(names(variant="base")) == 4
    assert names(profile="cpu") == [("base", "cpu", 0)]
    assert len(names()) == 8 and names(variant="ba") == []
    assert list(records.find(PAPER, "mannequin", tmp_path)) == []


def test_hash_of_a_configuration():
    first = {"variant": {"a": 1.0, "b": [1, 2]}, "profile": {}}
    assert records.configuration_sha256(first) == records.configuration_sha256(
        {"profile": {}, "variant": {"b": [1, 2], "a": 1.0}}
    )
    hashes = {
        records.configuration_sha256({"variant": {"a": a, "b": b}, "profile": {}})
        for a in (1.0, 1.5)
        for b in ([1, 2], [2, 1])
    }
    assert len(hashes) == 4


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of lib whose files a test may change."""
    folder = tmp_path / "lib"
    shutil.copytree(
        Path(records.__file__).parent, folder, ignore=shutil.ignore_patterns("__pycache__")
    )
    monkeypatch.setattr(records, "__file__", str(folder / "records.py"))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "run.py",
        "losses.py",
        "skeleton.py",
        "data/batches.py",
        "papers/__init__.py",
        f"papers/{PAPER}.py",
    ],
)
def test_hash_of_the_code_sees_every_module_of_a_run(copy, name):
    before = records.code_sha256(PAPER)
    assert before == records.code_sha256(PAPER)
    with open(copy / name, "a") as file:
        file.write("\n# a change\n")
    assert records.code_sha256(PAPER) != before


def test_hash_of_the_code_sees_nothing_else(copy):
    """Figures, tables and another paper leave the records of this one as they are."""
    before = records.code_sha256(PAPER)
    for name in ("plots.py", "report.py", "claims.py", "records.py"):
        with open(copy / name, "a") as file:
            file.write("\n# a change\n")
    (copy / "papers" / "another.py").write_text("import lib.losses\n")
    assert records.code_sha256(PAPER) == before
    assert records.code_sha256("another") != before


def test_provenance_says_where_numbers_come_from():
    origin = record()["provenance"]
    assert origin["device"] == "cpu" and origin["torch"] == torch.__version__
    assert origin["data_sha256"] == {"studio": "0" * 64}
    assert all(len(origin[name]) == 64 for name in ("configuration_sha256", "code_sha256"))
    assert isinstance(origin["dirty"], bool) and origin["commit"]
    json.dumps(origin)


def test_differences(monkeypatch):
    made = record()
    variant, profile, data = Settings(1.0), Settings(2.0), {"studio": "0" * 64}
    assert records.differences(made, variant, profile, data) == []
    assert records.differences(made, replace(variant, weight=1.1), profile, data) == [
        "configuration"
    ]
    assert records.differences(made, variant, replace(profile, name="b"), data) == ["configuration"]
    assert records.differences(made, variant, profile, {"studio": "1" * 64}) == ["data"]
    assert records.differences(made, variant, profile, data | {"motion": "0" * 64}) == ["data"]
    monkeypatch.setattr(records, "code_sha256", lambda paper: "f" * 64)
    everything = ["configuration", "data", "code"]
    assert records.differences(made, variant, profile, data) == ["code"]
    assert records.differences(made, profile, profile, {}) == everything
