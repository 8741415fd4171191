"""The notebooks: each .py and .ipynb the same, no outputs committed, and every cell runs at profile smoke."""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import nbformat
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = ROOT / "notebooks"
NAMES = sorted(
    path.relative_to(NOTEBOOKS).with_suffix("").as_posix()
    for path in NOTEBOOKS.rglob("*.py")
    if ".ipynb_checkpoints" not in path.parts
)
BIN = Path(sys.executable).parent


def cells(notebook):
    """What makes a cell: its kind, text and metadata."""
    shown = [(cell.cell_type, cell.source.strip(), dict(cell.metadata)) for cell in notebook.cells]
    return [cell for cell in shown if cell[1]]


def test_every_notebook_is_a_pair():
    committed = sorted(
        path.relative_to(NOTEBOOKS).with_suffix("").as_posix()
        for path in NOTEBOOKS.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    )
    assert committed == NAMES, "run: make sync"


def test_every_notebook_is_a_page_of_the_book():
    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text())
    pages = [chapter["file"] for part in toc["parts"] for chapter in part["chapters"]]
    assert sorted(p.removeprefix("executed/") for p in pages if p.startswith("executed/")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_py_and_ipynb_are_equal(name):
    text = jupytext.read(NOTEBOOKS / f"{name}.py")
    paired = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    assert cells(text) == cells(paired), "run: make sync"
    assert paired.metadata.kernelspec.name == text.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_are_committed(name):
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code), "run: make sync"


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_marked_for_papermill(name):
    notebook = jupytext.read(NOTEBOOKS / f"{name}.py")
    marked = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(marked) == 1
    assert 'profile = "cpu"' in marked[0].source


@pytest.mark.parametrize("name", NAMES)
def test_notebook_runs_at_profile_smoke(name, tmp_path):
    source, prepared = NOTEBOOKS / f"{name}.ipynb", tmp_path / f"{Path(name).name}.ipynb"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    subprocess.run(
        [BIN / "papermill", "--prepare-only", "-k", "python3", "-p", "profile", "smoke", source, prepared],
        check=True, capture_output=True, env=environment,
    )  # fmt: skip
    command = [
        sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "--nbval-current-env",
        "--rootdir", tmp_path, prepared,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
