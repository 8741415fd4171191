"""requirements.lock, environment.yml and pyproject.toml say the same versions."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def normalised(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines):
    found = {}
    for line in lines:
        match = re.fullmatch(r"([A-Za-z0-9_.-]+)==([A-Za-z0-9_.!-]+)", line.strip())
        assert match, f"not a pinned version: {line!r}"
        assert normalised(match[1]) not in found, f"pinned twice: {match[1]}"
        found[normalised(match[1])] = match[2]
    return found


LOCK = pins((ROOT / "requirements.lock").read_text().splitlines())
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text())
ASKED = {
    normalised(re.match(r"[A-Za-z0-9_.-]+", requirement)[0])
    for requirements in [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in requirements
}


def test_environment_and_lock_say_the_same_versions():
    (pip,) = [part["pip"] for part in ENVIRONMENT["dependencies"] if isinstance(part, dict)]
    options = [line for line in pip if line.startswith("-")]
    environment = pins(line for line in pip if not line.startswith("-"))
    assert "--constraint requirements.lock" in options
    assert environment == {name: LOCK.get(name) for name in environment}
    assert set(environment) >= ASKED


def test_environment_python_is_one_that_the_project_admits():
    (python,) = [part for part in ENVIRONMENT["dependencies"] if str(part).startswith("python=")]
    assert python.split("=")[1] in ("3.11", "3.12", "3.13")


def test_lock_pins_all_that_the_project_asks_for():
    assert ASKED - set(LOCK) == set()


def test_lock_brings_no_gpu_packages_and_names_no_host():
    text = (ROOT / "requirements.lock").read_text()
    assert "nvidia" not in text and "://" not in text and "+cpu" not in text


@pytest.mark.parametrize("name", sorted(ASKED))
def test_installed_version_is_the_locked_one(name):
    assert metadata.version(name).split("+")[0] == LOCK[name]
