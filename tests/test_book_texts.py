"""What the pages written by hand say of the code is so: chapters, names, roles, files, commands."""

import importlib
import re
from pathlib import Path

import jupytext
import pytest

from lib.data.folder import ROLES
from lib.reported import PAPERS

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"
SLUGS = sorted(path.stem for path in PAPERS.glob("*.yml"))


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next of its level."""
    found = re.search(rf"^{re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
    assert found, f"no heading {heading}"
    return found[1]


def rows(text: str) -> list[list[str]]:
    """The cells of the tables' lines, without headings."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_the_title_page_and_the_readme_count_the_chapters():
    states = [row[-1].strip(" |") for row in rows((BOOK / "index.md").read_text()) if "{cite:p}" in row[0]]
    assert [states.count(state) for state in ("here", "planned")] == [len(SLUGS), 5 - len(SLUGS)]
    words = {1: "One", 2: "Two", 3: "Three", 4: "Four", 5: "Five"}
    assert f"{words[len(SLUGS)]} chapters are here" in (ROOT / "README.md").read_text()


SECTIONS = {
    "Yu et al. 2021": ("lib/papers/yu2021*.py", "lib/papers/normalise.py", "lib/losses.py"),
    "Sosa and Hogg 2023": (
        "lib/papers/sosa2023*.py", "lib/papers/elevation*.py", "lib/losses.py", "lib/rasterize.py",
        "lib/flows.py",
    ),
    "Kundu et al. 2020 (AAAI)": ("lib/papers/kundu2020*.py", "lib/kinematics.py", "lib/rasterize.py"),
    "Kundu et al. 2020 (CVPR)": (
        "lib/papers/kundu2020*.py", "lib/kinematics.py", "lib/puppet.py", "lib/data/saliency.py",
        "lib/data/backdrops.py",
    ),
    "Yoo and Russakovsky 2023": (
        "lib/papers/yoo2023*.py", "lib/perceptual.py", "lib/image_losses.py", "lib/metrics.py",
    ),
}  # fmt: skip


@pytest.mark.parametrize("heading", SECTIONS)
def test_names_of_the_notation_are_in_the_code(heading):
    text = section((BOOK / "notation.md").read_text(), f"## {heading}")
    files = sorted(path for pattern in SECTIONS[heading] for path in ROOT.glob(pattern))
    code = "\n".join(path.read_text() for path in files)
    table = rows(text)
    assert len(table) > 15
    lacking = []
    for row in table:
        for quoted in re.findall(r"`([^`]+)`", " ".join(row[1:4:2])):
            for name in re.findall(r"[A-Za-z_]\w+", quoted):
                # a loss may be named in parts, f"{kind}_2d"
                parts = [name] if re.search(rf"\b{name}\b", code) else name.split("_")
                words = (rf"(?<![a-z0-9]){part}(?![a-z0-9])" for part in parts if part)
                lacking += [name for word in words if not re.search(word, code)]
    assert lacking == []
    for name in re.findall(r"`((?:lib/)?[\w/]+\.py)`", text):
        assert (ROOT / name).exists() or (ROOT / "lib" / "papers" / name).exists(), name


def test_every_role_of_the_data_is_explained():
    table = rows(section((BOOK / "how_to_run.md").read_text(), "## Licensed data"))
    named = [row[0].strip("`") for row in table]
    assert set(ROLES) <= set(named)


@pytest.mark.parametrize("slug", [slug for slug in SLUGS if slug.startswith("kundu2020")])
def test_weight_files_are_those_of_the_profiles(slug):
    text = section((BOOK / "how_to_run.md").read_text(), "## ImageNet weights")
    profiles = importlib.import_module(f"lib.papers.{slug}").PROFILES
    files = {}
    for row in rows(text):
        for profile in re.findall(r"`(\w+)`", row[0]):
            files[profile] = re.findall(r"`([\w.-]+\.pth)`", row[-1])
    assert set(files) == set(profiles)
    for name, profile in profiles.items():
        expected = [] if profile.encoder == "small" else [profile.encoder]
        assert [file.split("-")[0] for file in files[name]] == expected
        # torch.hub checks the first digits of the SHA-256 that stand in the name
        assert all(re.fullmatch(r"resnet\d+-[0-9a-f]{8}\.pth", file) for file in files[name])
        assert all(f'"{file.removesuffix(".pth")}"' in text for file in files[name])


def test_the_file_of_the_perceptual_features_is_named():
    text = section((BOOK / "how_to_run.md").read_text(), "## ImageNet weights")
    (file,) = set(re.findall(r"`(vgg[\w.-]+\.pth)`", text)) - {"vgg19-*.pth"}
    assert re.fullmatch(r"vgg19-[0-9a-f]{8}\.pth", file) and f'"{file.removesuffix(".pth")}"' in text
    assert "vgg19-*.pth" in (ROOT / "lib" / "perceptual.py").read_text() and "`vgg19-*.pth`" in text


@pytest.mark.parametrize("page", ["README.md", "book/how_to_run.md"])
def test_commands_name_pages_and_parameters_that_there_are(page):
    commands = re.findall(r"papermill (notebooks/\S+)\.ipynb (.*)", (ROOT / page).read_text())
    assert commands
    for path, options in commands:
        notebook = jupytext.read(ROOT / f"{path}.py")
        (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
        known = re.findall(r"^(\w+) =", cell.source, re.M)
        assert set(re.findall(r"-p (\w+)", options)) <= set(known)
    if page != "README.md":
        assert {Path(path).parts[1] for path, _ in commands} == set(SLUGS)


def test_modules_that_are_offered_can_be_imported():
    text = section((BOOK / "add_a_paper.md").read_text(), "## 1. The method")
    for name in re.findall(r"`(lib\.[a-z_.0-9]+)`", text):
        module, _, attribute = name.rpartition(".")
        try:
            importlib.import_module(name)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), name
