"""Where the dataset files lie: which file plays which role.

A paper asks for a role ("studio", "outdoor", ...); a collection maps it to a file of the data
folder, ``$POSE_DATA`` or ``data`` in the repository: ``<folder>/<collection>/<role>.h5``. The collections of
`lib.data.protocols` share the files of ``benchmarks``, which a user brings. A run imports this module and not
the generators, so that they are no part of its code.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from lib.data.protocols import BENCHMARKS, PROTOCOLS

__all__ = ["GENERATED", "IMPORTED", "ROLES", "command", "data_folder", "dataset_path", "missing"]

ROLES = ("studio", "outdoor", "wild", "sport", "hands", "bodies", "motion")
GENERATED = ("mannequin", "mocap")  # collections that `python -m lib.data build` makes
# What `python -m lib.data import` makes the file of a role of `benchmarks` from.
IMPORTED = {
    "studio": "human36m PATH",
    "outdoor": "mpi-inf-3dhp PATH",
    "wild": "mads PATH --role wild",
    "sport": "lsp PATH",
    "hands": "handdb PATH",
    "bodies": "surreal PATH",
    "motion": "cmu PATH",
}


def data_folder() -> Path:
    """The folder of the dataset files: $POSE_DATA, else ``data`` in the repository."""
    repository = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("POSE_DATA") or repository / "data")


def dataset_path(collection: str, role: str) -> Path:
    """Where the file of a role lies. Raises ValueError for an unknown collection or role."""
    known = (*GENERATED, *PROTOCOLS)
    if collection not in known:
        raise ValueError(f"no collection {collection!r}; there are {', '.join(known)}")
    if role not in ROLES:
        raise ValueError(f"no role {role!r}; there are {', '.join(ROLES)}")
    folder = BENCHMARKS if collection in PROTOCOLS else collection
    return data_folder() / folder / f"{role}.h5"


def command(collection: str, role: str) -> str:
    """The command that makes the file of a role; PATH stands for what the user downloaded."""
    if collection in PROTOCOLS:
        return f"python -m lib.data import {IMPORTED[role]}"
    return f"python -m lib.data build {collection} --role {role}"


def missing(roles: Iterable[str], collection: str) -> list[str]:
    """For each role whose file is not there, a line that names it and the command that makes it."""
    return [
        f"role {role} needs {path}, which is not there: {command(collection, role)}"
        for role, path in ((role, dataset_path(collection, role)) for role in roles)
        if not path.is_file()
    ]
