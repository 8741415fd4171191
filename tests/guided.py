"""What the chapter on part-guided synthesis is given in tests, beside `kinematic`."""

from contextlib import contextmanager
from dataclasses import replace

import pytest

from lib.papers import kundu2020_part_guided as kundu
from lib.papers import kundu2020_part_trainer
from lib.papers.kundu2020_part_batches import Variant

TRAINED = {name: v for name, v in kundu.VARIANTS.items() if isinstance(v, Variant)}
# profile smoke, still smaller
QUICK = replace(
    kundu.PROFILES["smoke"], paint_steps=2, base_steps=2, fine_steps=2, last_steps=2, only_steps=4,
    algorithm_steps=4, label_steps=2, batch=4, puppets=32,
)  # fmt: skip


@contextmanager
def frames_drawn_once():
    """A context in which all trainers of the chapter share the pictures of the same frames.

    They also pose no more puppets than they keep.
    """
    known, draw = {}, kundu2020_part_trainer.take_frames

    def remembered(poses, role, size):
        # thinned anew each time; the same poses may have stored pictures
        key = (role, size, len(poses), float(poses.joints_3d.double().sum()), len(poses.pictures))
        if key not in known:
            known[key] = draw(poses, role, size)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kundu2020_part_trainer, "take_frames", remembered)
        patch.setattr(kundu2020_part_trainer, "CHUNK", QUICK.puppets)
        yield


def make(data, name="unsup", profile=QUICK, seed=0, **changes):
    """A trainer of the chapter: a row, with some of its settings changed."""
    return kundu.build(replace(TRAINED[name], **changes), profile, data, seed)
