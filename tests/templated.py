"""What the chapter on a warped template is given in tests, beside `pictured`."""

from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.data.batches import Poses
from lib.papers import yoo2023_data, yoo2023_trainer
from lib.papers import yoo2023_inductive_prior as yoo
from lib.papers.yoo2023_data import Frames, outline_box
from lib.papers.yoo2023_trainer import Variant

TRAINED = {name: v for name, v in yoo.VARIANTS.items() if isinstance(v, Variant)}
FLOORS = {name: v for name, v in yoo.VARIANTS.items() if name not in TRAINED}
# profile smoke, still smaller; a look after each of the first three steps
QUICK = replace(
    yoo.PROFILES["smoke"], steps=4, supervised_steps=4, batch=4, pictures=None, test_pictures=None
)
FINE = 3  # of the medians of cameras


@contextmanager
def frames_drawn_once():
    """A context in which all trainers of the chapter share the pictures of the same frames."""
    known, draw = {}, yoo2023_data.take_frames

    def remembered(poses, size, share, limit, background, seed=0):
        key = (id(poses), size, share, limit, background, seed)
        if key not in known:
            known[key] = draw(poses, size, share, limit, background, seed), poses  # the id stays taken
        return known[key][0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yoo2023_trainer, "take_frames", remembered)
        patch.setattr(yoo2023_data, "FINE", FINE)
        yield


def make(data, name="mse-new", profile=QUICK, seed=0, **changes):
    """A trainer of the chapter: a row, with some of its settings changed. Whole pictures are drawn faster."""
    variant = yoo.VARIANTS[name]
    if name in TRAINED:
        variant = replace(variant, **({"background": True, "arms_out": 0.3} | changes))
    return yoo.build(variant, profile, data, seed)


class Blank:
    """Filmed frames of which nothing but their groups is there."""

    def __init__(self, poses: Poses):
        self.poses = poses


def blank_frames(poses: Poses, truth: torch.Tensor, mask: torch.Tensor) -> Frames:
    """Frames without pictures, of keypoints (N, 15, 2) and masks (N, S, S)."""
    count, size = mask.shape[0], mask.shape[-1]
    images = torch.zeros(count, 3, size, size, dtype=torch.uint8)
    return Frames(Blank(poses), images, mask, truth, outline_box(mask))


def boxes(random: np.random.Generator, count: int, size: int) -> torch.Tensor:
    """Masks (N, S, S) of rectangles."""
    mask = torch.zeros(count, size, size, dtype=torch.bool)
    for one in mask:
        left, top = random.integers(1, size // 3, 2)
        right, bottom = random.integers(2 * size // 3, size - 1, 2)
        one[top:bottom, left:right] = True
    return mask
