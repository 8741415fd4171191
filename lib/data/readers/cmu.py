"""Motion in Acclaim's files (ASF and AMC), as the CMU motion capture database distributes it.

Any folder is read: a folder a subject (``<nn>/<nn>.asf`` and ``<nn>/<nn>_<tt>.amc``), below ``asfamc`` or
``subjects`` or not, or all files side by side. An AMC belongs to the ASF whose name its own begins
with, in its folder or else anywhere, or to the only ASF of its folder. Neither file states a rate:
120 Hz, as at CMU. Actions of takes that the book knows have its kinds' names, others are "Motion".
Wrong frames are dropped as in `lib.data.mocap`. Subjects keep their numbers; all are for training.
"""

import os
import re
from functools import partial
from pathlib import Path

import numpy as np

from lib.data import fetch, mocap
from lib.data.amc import read_amc, read_asf
from lib.data.clip import DatasetError
from lib.data.filmed_takes import MotionFile, film
from lib.data.sources import Found, Options, reading

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find", "known_kinds", "motion_files", "natural"]

NAME = "cmu"
SITE = "http://mocap.cs.cmu.edu"
LICENCE = mocap.LICENCE
ROLE = "motion"
UNKNOWN = "Motion"  # kind of action of a take that the book does not know


def find(path: Path, options: Options) -> Found:
    """The clips of a folder of ASF and AMC files.

    Raises DatasetError when there are none, and, since files are read to know their clips, for a
    faulty one.
    """
    path = Path(path)
    skeletons = motion_files(path, ".asf")
    motions = motion_files(path, ".amc")
    if not skeletons or not motions:
        lacking = "skeletons (.asf)" if not skeletons else "motions (.amc)"
        raise DatasetError(f"{path}: no {lacking} in this folder or below it")
    kinds = known_kinds()
    files, notes = [], ["120 Hz, which the files do not state; each fourth frame filmed by virtual cameras"]
    for motion in motions:
        skeleton = _skeleton(motion, skeletons)
        if skeleton is None:
            notes.append(f"{motion.relative_to(path)}: left out, no skeleton of its name")
            continue
        subject = skeleton.stem
        trial = motion.stem.removeprefix(subject).lstrip("_-") or motion.stem
        if options.subjects and subject not in options.subjects:
            continue
        take = f"{subject}_{trial}"
        files.append(
            MotionFile(
                motion,
                subject,
                kinds.get(take, UNKNOWN),
                f"CMU {take}",
                partial(_joints, motion, skeleton),
                mocap.GLITCHES.get(take, ()),
            )  # fmt: skip
        )
    files.sort(key=lambda file: (natural(file.subject), natural(file.path.stem), str(file.path)))
    _refuse_doubles(files)
    sources = tuple(film(files, options, notes))
    if not sources:
        raise DatasetError(f"{path}: no take of a second or more that can be filmed ({len(files)} read)")
    subjects = tuple(dict.fromkeys(source.subject for source in sources))
    return Found(
        sources,
        {"train": subjects, "test": ()},
        "motion recorded by the CMU Graphics Lab (ASF/AMC), filmed by virtual cameras",
        LICENCE,
        notes=tuple(notes),
    )


def motion_files(path: Path, suffix: str) -> list[Path]:
    """All files of a suffix, of either case, in a folder and below; hidden ones left out."""
    with reading(path, "folder"):
        if not path.is_dir():
            raise DatasetError(f"{path}: no such folder")
        found = []
        for folder, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            found += [Path(folder, n) for n in sorted(names) if Path(n).suffix.lower() == suffix]
    for file in found:
        # Names become those of clips, which are text.
        if any(0xD800 <= ord(letter) < 0xE000 for letter in str(file.relative_to(path))):
            raise DatasetError(f"{path}: the file name {ascii(file.name)} is no text")
    return [file for file in found if not file.name.startswith(".")]


def known_kinds() -> dict[str, str]:
    """Take ("02_01") -> kind of action in the style of Human3.6M, for those in the book's table."""
    return {f"{f.subject}_{f.trial}": mocap.ACTIONS[f.action_kind] for f in fetch.files() if f.trial}


def natural(name: str) -> list:
    """A key that puts "9" before "10"."""
    return [(not p.isdecimal(), int(p) if p.isdecimal() else 0, p) for p in re.split(r"([0-9]+)", name)]


def _skeleton(motion: Path, skeletons: list[Path]) -> Path | None:
    beside = [file for file in skeletons if file.parent == motion.parent]
    for among in (beside, skeletons):
        named = [f for f in among if re.match(re.escape(f.stem) + r"($|[_-])", motion.stem, re.I)]
        if named:
            return max(named, key=lambda file: len(file.stem))
    return beside[0] if len(beside) == 1 else None


def _joints(motion: Path, skeleton: Path) -> tuple[np.ndarray, float]:
    tree = read_asf(skeleton)
    return mocap.h17_joints(tree, read_amc(motion, tree)), mocap.RATE


def _refuse_doubles(files: list[MotionFile]) -> None:
    for one, other in zip(files, files[1:], strict=False):
        if one.recording == other.recording:
            raise DatasetError(f"{other.path}: the same take as {one.path}; import one folder of them")
