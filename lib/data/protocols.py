"""Protocols: who trains, who tests, which test frames and which joints count, on data that a user brought.

A protocol bears the name of a collection, so that records of different protocols never meet in a table;
the files are those of ``benchmarks`` in all of them. P1 and P2 of Human3.6M are two metrics of one
split, MPJPE and P-MPJPE, and stand in every record.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from lib.data.dataset import Dataset
from lib.skeleton import HUMAN36M_17, Skeleton

__all__ = ["BENCHMARKS", "PROTOCOLS", "SCORED_14", "Protocol", "protocol", "split_by"]

BENCHMARKS = "benchmarks"
# The joints that MPI-INF-3DHP's newer script scores; the older one scores pelvis, spine and nose too.
SCORED_14 = tuple(name for name in HUMAN36M_17.joints if name not in ("pelvis", "spine", "nose"))


@dataclass(frozen=True)
class Protocol:
    """How the file of one role is tested.

    title: as in a table's header. test_every: each n-th frame of a test clip. train, test: the subjects,
    those of the file's own split where empty. joints: those that PCK and AUC are taken over, all where empty.
    pooled: overall numbers are the mean of all frames, else the mean of the actions.
    """

    title: str
    test_every: int = 1
    train: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    pooled: bool = False

    def scored(self, skeleton: Skeleton) -> list[int] | None:
        """The numbers of the joints that PCK and AUC are taken over; None stands for all."""
        return [skeleton.index(name) for name in self.joints] or None


_STUDIO = Protocol(
    "Human3.6M, trained on S1 S5 S6 S7 S8, tested on S9 S11: MPJPE is its Protocol 1, P-MPJPE its Protocol 2",
    train=("S1", "S5", "S6", "S7", "S8"),
    test=("S9", "S11"),
)
_OUTDOOR = Protocol(
    "MPI-INF-3DHP, PCK and AUC over 14 joints, MPJPE over 17, over all frames together",
    joints=SCORED_14,
    pooled=True,
)
_BOTH = {"studio": _STUDIO, "outdoor": _OUTDOOR}
PROTOCOLS: Mapping[str, Mapping[str, Protocol]] = MappingProxyType(
    {
        BENCHMARKS: _BOTH,
        f"{BENCHMARKS}_64": _BOTH
        | {"studio": replace(_STUDIO, title=f"{_STUDIO.title}; every 64th frame", test_every=64)},
        f"{BENCHMARKS}_s11": _BOTH
        | {
            "studio": Protocol(
                "Human3.6M, trained on S1 S5 S6 S7 S8 S9, tested on S11, every 64th frame: P-MPJPE is its"
                " older Protocol 2",
                test_every=64,
                train=("S1", "S5", "S6", "S7", "S8", "S9"),
                test=("S11",),
            )
        },
        f"{BENCHMARKS}_17": _BOTH
        | {
            "outdoor": Protocol(
                "MPI-INF-3DHP, all metrics over 17 joints (its older script), over all frames together",
                pooled=True,
            )
        },
    }
)


def protocol(collection: str, role: str) -> Protocol:
    """How a role of a collection is tested: as its file says, where no protocol says otherwise."""
    return PROTOCOLS.get(collection, {}).get(role, Protocol(""))


def split_by(dataset: Dataset, rules: Protocol) -> Dataset:
    """The dataset with the split of a protocol, as far as its subjects are in the file."""
    if not (rules.train or rules.test):
        return dataset
    there = {clip.subject for clip in dataset.clips}
    split = {part: tuple(s for s in getattr(rules, part) if s in there) for part in ("train", "test")}
    return replace(dataset, split=split)
