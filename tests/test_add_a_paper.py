"""The worked example of book/add_a_paper.md does what the page says."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch

from lib import reported

PAGE = Path(__file__).resolve().parents[1] / "book" / "add_a_paper.md"
J, FRAMES = 17, 40


def block(caption: str) -> str:
    """The code of the page's block with this caption."""
    found = re.search(
        rf"```\{{code-block\}} \w+\n:caption: {re.escape(caption)}\n\n(.*?)```", PAGE.read_text(), re.S
    )
    assert found, f"{PAGE.name} has no block {caption}"
    return found[1]


@pytest.fixture
def module(monkeypatch):
    module = types.ModuleType("tiny2026_linear")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    exec(compile(block("lib/papers/tiny2026_linear.py"), "tiny2026_linear.py", "exec"), module.__dict__)
    return module


@pytest.fixture
def data():
    generator = torch.Generator().manual_seed(0)

    def part():
        joints = 300 * torch.randn(FRAMES, J, 3, generator=generator) + torch.tensor([0, 0, 5000.0])
        camera = torch.tensor([[1000.0, 0, 500], [0, 1000, 500], [0, 0, 1]]).expand(FRAMES, 3, 3)
        pixels = joints @ camera.mT
        return types.SimpleNamespace(
            joints_3d=joints, joints_2d=pixels[..., :2] / pixels[..., 2:], K=camera
        )

    return {role: {"train": part(), "test": part()} for role in ("studio", "outdoor")}


@pytest.mark.parametrize("variant", ["linear", "linear-step", "mean-pose", "flat-lift"])
def test_the_example_offers_what_a_run_asks_for(module, data, variant):
    trainer = module.build(module.VARIANTS[variant], module.PROFILES["smoke"], data, seed=0)
    losses = [float(trainer.step(index)["3d"]) for index in range(trainer.steps)]
    if losses:
        assert losses[-1] < losses[0]
    for role in trainer.test_roles:
        predicted = trainer.predict(role)
        assert predicted.shape == (FRAMES, J, 3)
        if variant != "mean-pose":
            assert predicted[:, 0].abs().max() < 1e-3
    assert set(module.PROFILES) == {"smoke", "cpu", "gpu", "paper"}


def test_the_example_goes_on_from_its_state(module, data):
    def fresh():
        return module.build(module.VARIANTS["linear"], module.PROFILES["smoke"], data, seed=0)

    whole, first, second = fresh(), fresh(), fresh()
    for index in range(6):
        whole.step(index)
    for index in range(3):
        first.step(index)
    second.load_state_dict(first.state_dict())
    for index in range(3, 6):
        second.step(index)
    assert torch.equal(whole.predict("studio"), second.predict("studio"))


def test_the_example_reads_as_a_paper(module, tmp_path):
    (tmp_path / "tiny2026_linear.yml").write_text(block("book/papers/tiny2026_linear.yml"))
    paper = reported.load_paper("tiny2026_linear", tmp_path)
    assert set(paper.grid) == set(module.VARIANTS)
    assert [claim.id for claim in paper.claims] == ["tiny-01", "tiny-02"]
