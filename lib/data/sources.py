"""What a reader of a foreign layout finds, before anything is copied: clips that are read one at a time.

A reader is a module of `lib.data.readers` with

    NAME, SITE, LICENCE, ROLE    its name on the command line, the download's page, the licence in a line, the
                                 role of collection ``benchmarks`` that it plays
    find(path, options) -> Found looks at the names of files only and lists what is there

and `lib.data.importing` turns what was found into the project's file. Nothing of it needs a library
that is not installed until a file is read that only this library reads.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from lib.data.dataset import Clip, DatasetError
from lib.skeleton import HUMAN36M_17, Skeleton

__all__ = ["Found", "Options", "Source", "needed", "reading"]


@dataclass(frozen=True)
class Options:
    """What an import is asked for.

    size: side of the stored crops in px, 0 for poses without pictures. every: each n-th frame is kept
    (from the first on). subjects: only these, all where empty. universal: the poses scaled to
    one body for all (Human3.6M's D3_Positions_mono_universal, MPI-INF-3DHP's univ_annot3) in place of each
    subject's own. detections: a second file with detected 2D poses (VideoPose3D), or None.
    """

    size: int = 128
    every: int = 1
    subjects: tuple[str, ...] = ()
    universal: bool = False
    detections: Path | None = None


@dataclass(frozen=True)
class Source:
    """One clip that can be read: where it comes from, its names, and how.

    read() gives its labels, with ``every`` applied and no pictures. frames() generates the whole
    pictures, (H, W, 3) uint8 RGB, one for each row of the clip, in its order; masks() the same as (H, W)
    bool, parts() as (H, W) uint8 with 0 for background. A clip without one has None there. All raise
    DatasetError, and nothing else, for what is wrong in the files.
    """

    path: Path
    subject: str
    action: str
    camera: str
    read: Callable[[], Clip]
    frames: Callable[[], Iterator[np.ndarray]] | None = None
    masks: Callable[[], Iterator[np.ndarray]] | None = None
    parts: Callable[[], Iterator[np.ndarray]] | None = None

    @property
    def group(self) -> str:
        return f"/{self.subject}/{self.action}/{self.camera}"


@dataclass(frozen=True)
class Found:
    """The clips of a download, in the order in which they are to be read, and what the file says of itself.

    notes: what was left out or mended, by name, a line each.
    """

    sources: tuple[Source, ...]
    split: Mapping[str, tuple[str, ...]]
    source: str
    licence: str
    skeleton: Skeleton = HUMAN36M_17
    notes: tuple[str, ...] = field(default=())


# What a library raises at damaged bytes is up to those bytes. KeyboardInterrupt and the like are not here.
_DAMAGE = (
    OSError, EOFError, ValueError, TypeError, KeyError, IndexError, AttributeError, ArithmeticError,
    RuntimeError, NotImplementedError, AssertionError, MemoryError, ImportError, LookupError,
    SyntaxError, struct.error, zlib.error,
)  # fmt: skip


@contextmanager
def reading(path: str | Path, what: str = ""):
    """Turn whatever a library raises while a file is read into one DatasetError: file, field, reason.

    A DatasetError passes as it is. Keep the body small: it is for calls into a library, since a bug
    of our own would be taken for a damaged file too.
    """
    place = f"{path}: {what}" if what else str(path)
    try:
        yield
    except DatasetError:
        raise
    except _DAMAGE as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise DatasetError(f"{place}: cannot be read ({reason})") from error


def needed(module: str, what: str):
    """An optional library, imported when it is needed. Raises DatasetError that says how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        message = f"{what} needs the package {module}, which is not installed: pip install -e .[import]"
        raise DatasetError(message) from error
