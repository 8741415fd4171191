"""A tiny collection for tests: a few seconds of mannequins before a few cameras, a file a role."""

from dataclasses import replace
from functools import cache
from itertools import islice
from pathlib import Path

import torch

from lib.data import mannequin, studio
from lib.data.batches import Poses, load_poses
from lib.data.dataset import Clip, open_dataset, write_dataset
from lib.skeleton import HUMAN36M_17

FRAMES = 50
SPLITS = {
    "studio": {"train": ("S1", "S5"), "test": ("S9",)},
    "outdoor": {"train": ("C1", "C2"), "test": ("C5",)},
    "motion": {"train": ("M1",), "test": ()},
}
CAMERAS = {"studio": studio.STUDIO[:2], "outdoor": studio.OUTDOOR[:2], "motion": studio.STUDIO[:1]}


@cache
def clips(role: str) -> tuple[Clip, ...]:
    """The clips of a role; its subjects share a few generated bodies and do three actions each."""
    subjects = sum(SPLITS[role].values(), ())
    generated = islice(mannequin.takes(role, seed=0), 0, 27, 3)
    takes = [
        replace(take, subject=subjects[number % len(subjects)], joints=take.joints[:FRAMES])
        for number, take in enumerate(generated)
    ]
    return tuple(studio.film(takes, CAMERAS[role], seed=0)[0])


def write_collection(folder: Path, collection: str = "mannequin") -> Path:
    """Writes the three files into a data folder; returns it, for $POSE_DATA."""
    for role, split in SPLITS.items():
        write_dataset(
            folder / collection / f"{role}.h5",
            clips(role),
            skeleton=HUMAN36M_17,
            split=split,
            source="test",
            licence="none",
            generator="test 1",
            seed=0,
        )
    return folder


def load(folder: Path, collection: str = "mannequin") -> dict[str, dict[str, Poses]]:
    """What a trainer is given: role -> part -> Poses."""
    data = {}
    for role, split in SPLITS.items():
        dataset = open_dataset(folder / collection / f"{role}.h5")
        data[role] = {part: load_poses(dataset, part) for part in split if split[part]}
    return data


def mirrored(pose: torch.Tensor) -> torch.Tensor:
    """Poses (..., J, 3) with the depth of every joint negated about the root."""
    root = pose[..., :1, :]
    return (pose - root) * pose.new_tensor([1.0, 1.0, -1.0]) + root
