"""What methods that learn from single pictures and from web video are given in tests, beside `pictured`."""

from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import people
import pytest

from lib.data import handheld, mannequin
from lib.data.batches import Poses, load_poses
from lib.data.dataset import Clip, open_dataset, write_dataset
from lib.papers import kundu2020_kinematic as kundu
from lib.papers import kundu2020_trainer
from lib.skeleton import HUMAN36M_17

STRIDE = 5
SPLITS = {
    "wild": {"train": ("W1", "W2"), "test": ("W7",)},
    "sport": {"train": ("P1",), "test": ("P13",)},
    "bodies": {"train": ("B1", "B2"), "test": ()},
}
COUNTS = {"wild": 15, "sport": 4, "bodies": 4}  # takes
# profile smoke, still smaller
QUICK = replace(
    kundu.PROFILES["smoke"], prior_steps=2, base_steps=2, fine_steps=2, only_steps=4, printed_steps=14,
    label_steps=2, batch=4,
)  # fmt: skip


@cache
def clips(role: str) -> tuple[Clip, ...]:
    """Clips of hand-held cameras: two seconds each in role wild, single pictures in the others."""
    subjects = sum(SPLITS[role].values(), ())
    takes = []
    for number, take in enumerate(islice(mannequin.takes("motion", seed=0), COUNTS[role])):
        piece = slice(0, people.FRAMES) if role == "wild" else slice(20 * number, 20 * number + 1)
        rate = take.fps if role == "wild" else 1.0
        subject = subjects[number % len(subjects)]
        takes.append(replace(take, subject=subject, joints=take.joints[piece], fps=rate))
    return tuple(handheld.film(takes, seed=0))


def load(folder: Path) -> dict[str, dict[str, Poses]]:
    """Roles wild, sport and bodies, every fifth frame."""
    data = {}
    for role, split in SPLITS.items():
        about = {"source": "test", "licence": "none", "generator": "test 1", "seed": 0}
        path = folder / f"{role}.h5"
        write_dataset(path, clips(role), skeleton=HUMAN36M_17, split=split, **about)
        dataset = open_dataset(path)
        data[role] = {part: load_poses(dataset, part, stride=STRIDE) for part in split if split[part]}
    return data


@contextmanager
def footage_drawn_once():
    """A context in which all trainers of the chapter share the pictures of the same frames."""
    known, draw = {}, kundu2020_trainer.take_footage

    def remembered(poses, role, size, behind="all"):
        key = (id(poses), role, size, behind)
        if key not in known:
            known[key] = draw(poses, role, size, behind), poses  # the id stays taken
        return known[key][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kundu2020_trainer, "take_footage", remembered)
        yield


def make(data, variant, profile=QUICK, seed: int = 0):
    """A trainer of the chapter."""
    return kundu.build(variant, profile, data, seed)
