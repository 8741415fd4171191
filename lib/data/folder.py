"""Where the dataset files lie: which file plays which role.

A paper asks for a role ("studio", "outdoor", ...); a collection maps it to a file of the data
folder, ``$POSE_DATA`` or ``data`` in the repository: ``<folder>/<collection>/<role>.h5``. A run
imports this module and not the generators, so that they are no part of its code.
"""

import os
from pathlib import Path

__all__ = ["GENERATED", "ROLES", "data_folder", "dataset_path"]

ROLES = ("studio", "outdoor", "wild", "sport", "hands", "bodies", "motion")
GENERATED = ("mannequin", "mocap")  # collections that `python -m lib.data build` makes


def data_folder() -> Path:
    """The folder of the dataset files: $POSE_DATA, else ``data`` in the repository."""
    repository = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("POSE_DATA") or repository / "data")


def dataset_path(collection: str, role: str) -> Path:
    """Where the file of a role lies. Raises ValueError for an unknown collection or role."""
    if collection not in GENERATED:
        raise ValueError(f"no collection {collection!r}; there are {', '.join(GENERATED)}")
    if role not in ROLES:
        raise ValueError(f"no role {role!r}; there are {', '.join(ROLES)}")
    return data_folder() / collection / f"{role}.h5"
