"""What methods that learn from pictures are given in tests: few frames of people, one hand, few steps."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import people

from lib.data import hands
from lib.data.batches import Poses, load_poses
from lib.data.dataset import open_dataset, write_dataset
from lib.papers.sosa2023_single_image import PROFILES
from lib.skeleton import HAND_21

STRIDE = 5
# profile smoke with fewer steps still
QUICK = replace(
    PROFILES["smoke"],
    flow_steps=4,
    lifter_steps=4,
    picture_steps=6,
    label_steps=4,
    joint_steps=8,
    elepose_steps=6,
    supervised_steps=4,
)


def load(folder: Path, stride: int = STRIDE) -> dict[str, dict[str, Poses]]:
    """The tiny collection of `people`, every fifth frame: 120 for training, 60 for testing."""
    data = {}
    for role, split in people.SPLITS.items():
        dataset = open_dataset(folder / "mannequin" / f"{role}.h5")
        data[role] = {part: load_poses(dataset, part, stride=stride) for part in split if split[part]}
    return data


def load_hands(folder: Path) -> dict[str, dict[str, Poses]]:
    """Eight postures of one hand for training, two for testing, as if of another person."""
    clips = [
        clip if number < 16 else replace(clip, subject="synth2-5")
        for number, clip in enumerate(islice(hands.clips(seed=0), 20))
    ]
    path = folder / "hands.h5"
    write_dataset(
        path,
        clips,
        skeleton=HAND_21,
        split={"train": ("synth2-1",), "test": ("synth2-5",)},
        source="test",
        licence="none",
        generator="test 1",
        seed=0,
    )
    dataset = open_dataset(path)
    return {"hands": {part: load_poses(dataset, part, stride=STRIDE) for part in ("train", "test")}}


def train(trainer, first: int = 0, stop: int | None = None) -> list[dict[str, float]]:
    """Makes some steps of a trainer, all if not said otherwise; the losses of each."""
    return [
        {name: float(loss) for name, loss in trainer.step(index).items()}
        for index in range(first, trainer.steps if stop is None else stop)
    ]
