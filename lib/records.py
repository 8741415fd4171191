"""The run record: one JSON file a run, and an HDF5 file beside it with what figures need.

A record is `<root>/<paper>/<collection>/<variant>-<profile>-seed<K>.json`. The arrays are written
first and the JSON last, each to a temporary name that is then renamed: where there is a record, it is
whole.
"""

import ast
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import torch

__all__ = [
    "OWN", "REFERENCE", "RecordError", "record_path", "write", "load", "load_arrays", "find",
    "configuration_sha256", "code_sha256", "provenance", "differences",
]  # fmt: skip

OWN = Path("results")
REFERENCE = Path("book/records")
SCHEMA = 1
FIELDS = (
    "schema", "paper", "variant", "collection", "profile", "seed",
    "configuration", "metrics", "curves", "diagnostics", "provenance",
)  # fmt: skip


class RecordError(ValueError):
    """A record file is damaged or of another kind; the message names file and place."""


def record_path(
    root: Path | str, paper: str, collection: str, variant: str, profile: str, seed: int
) -> Path:
    """Where the record of a run lies under a root."""
    return Path(root) / paper / collection / f"{variant}-{profile}-seed{seed}.json"


def write(path: Path, record: dict, arrays: dict[str, np.ndarray] | None = None) -> None:
    """Writes a record and, if given, its arrays (name, with slashes for groups -> array), atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if arrays:
        temporary = path.with_suffix(f".h5.{os.getpid()}")
        with h5py.File(temporary, "w") as file:
            for name, values in sorted(arrays.items()):
                packed = {"compression": "gzip", "shuffle": True} if np.ndim(values) else {}
                file.create_dataset(name, data=values, track_times=False, **packed)
        temporary.replace(path.with_suffix(".h5"))
    temporary = path.with_suffix(f".json.{os.getpid()}")
    temporary.write_text(json.dumps(record, indent=1, allow_nan=False) + "\n")
    temporary.replace(path)


def load(path: Path | str) -> dict:
    """Reads and checks a record; adds its own place under "path"."""
    path = Path(path)
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RecordError(f"{path}: not a readable record ({error})") from error
    missing = [name for name in FIELDS if not isinstance(record, dict) or name not in record]
    if missing:
        raise RecordError(f"{path}: field {missing[0]!r} is missing")
    if record["schema"] != SCHEMA:
        raise RecordError(f"{path}: schema {record['schema']}, this code reads {SCHEMA}")
    return record | {"path": str(path)}


def load_arrays(record: dict) -> dict[str, np.ndarray]:
    """The arrays beside a record that `load` gave; empty where there are none."""
    path = Path(record["path"]).with_suffix(".h5")
    if not path.exists():
        return {}
    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    try:
        with h5py.File(path, "r") as file:
            file.visititems(visit)
    except OSError as error:
        raise RecordError(f"{path}: not a readable HDF5 file ({error})") from error
    return arrays


def find(
    paper: str, collection: str, root: Path | str, variant: str = "*", profile: str = "*"
) -> Iterator[dict]:
    """Every record of a paper and collection under one root, by name; "*" stands for any."""
    folder = Path(root) / paper / collection
    for path in sorted(folder.glob(f"{variant}-{profile}-seed*.json")):
        record = load(path)
        # "base-*" also matches the file of "base-detected"
        if variant in ("*", record["variant"]) and profile in ("*", record["profile"]):
            yield record


def configuration_sha256(configuration: dict) -> str:
    """SHA-256 of a configuration, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()


def code_sha256(paper: str) -> str:
    """SHA-256 over the source of every module of lib that a run of this paper imports.

    Found by reading the import statements, so that it is the same from the command line, a notebook
    and a test, whatever else those have imported.
    """
    folder = Path(__file__).parent
    sources: dict[str, bytes] = {}
    waiting = ["lib.run", f"lib.papers.{paper}"]
    while waiting:
        name = waiting.pop()
        place = folder.joinpath(*name.split(".")[1:])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        # this file says how a run is kept, and changes none of its numbers
        if name in sources or not file.is_file() or file == Path(__file__):
            continue
        sources[name] = file.read_bytes()
        waiting += _imported(sources[name])
    digest = hashlib.sha256()
    for name in sorted(sources):
        digest.update(name.encode() + b"\0" + sources[name] + b"\0")
    return digest.hexdigest()


def _imported(source: bytes) -> list[str]:
    """Names in lib that a module imports; some of them are functions, not modules."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.split(".")[0] == "lib"]


def _git(*arguments: str) -> str:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(
            ["git", *arguments], capture_output=True, text=True, cwd=here, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def provenance(
    paper: str, configuration: dict, data_sha256: dict[str, str], device: torch.device
) -> dict:
    """Where a run's numbers come from: code, data, machine. Run times are added by the run."""
    cuda = device.type == "cuda"
    return {
        "commit": _git("rev-parse", "HEAD") or "unknown",
        "dirty": bool(_git("status", "--porcelain", "--", "lib")),
        "configuration_sha256": configuration_sha256(configuration),
        "data_sha256": data_sha256,
        "code_sha256": code_sha256(paper),
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "cpu": _processor(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "precision": "float32",
        "date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def differences(record: dict, variant: object, profile: object, data_sha256: dict) -> list[str]:
    """What of a record no longer is as it was: "configuration", "data", "code", or nothing."""
    found, origin = [], record["provenance"]
    present = {"variant": asdict(variant), "profile": asdict(profile)}
    if configuration_sha256(present) != origin["configuration_sha256"]:
        found.append("configuration")
    if data_sha256 != origin["data_sha256"]:
        found.append("data")
    if code_sha256(record["paper"]) != origin["code_sha256"]:
        found.append("code")
    return found
