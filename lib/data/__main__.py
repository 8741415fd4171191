"""``python -m lib.data build mannequin mocap`` makes files, ``check FILE...`` opens them."""

import argparse
import sys
import time
from pathlib import Path

from lib.data.amc import MotionFileError
from lib.data.collections import COLLECTIONS, ROLES, build, dataset_path, is_built
from lib.data.dataset import DatasetError, open_dataset


def main(arguments: list[str] | None = None) -> int:
    """The command line: build collections, or check a file. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.data", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    builder = commands.add_parser("build", help="make the files of collections that are missing")
    builder.add_argument("collections", nargs="+", choices=tuple(COLLECTIONS))
    builder.add_argument(
        "--role", action="append", choices=ROLES, help="only this role (may be repeated)"
    )
    builder.add_argument("--seed", type=int, default=0)
    builder.add_argument(
        "--force", action="store_true", help="make them again where they are there"
    )
    builder.add_argument(
        "--notes", action="store_true", help="print what was dropped or cut, take by take"
    )
    checker = commands.add_parser("check", help="open dataset files and say what is in them")
    checker.add_argument("files", nargs="+", type=Path)
    options = parser.parse_args(arguments)
    try:
        if options.command == "check":
            for file in options.files:
                _describe(file)
        else:
            for collection in options.collections:
                for role in options.role or ROLES:
                    _build(collection, role, options)
    except (DatasetError, MotionFileError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _build(collection: str, role: str, options) -> None:
    if is_built(collection, role, options.seed) and not options.force:
        print(f"{dataset_path(collection, role)}: there already")
        return
    began = time.perf_counter()
    (path,) = build(collection, [role], options.seed, force=True)
    _describe(path, time.perf_counter() - began, options.notes)


def _describe(path: Path, seconds: float | None = None, notes: bool = False) -> None:
    dataset = open_dataset(path)
    frames = {part: sum(map(len, dataset.subset(part))) for part in ("train", "test")}
    size = path.stat().st_size / 2**20
    text = f"{path}: {size:.1f} MiB, {len(dataset.clips)} clips, "
    text += f"{frames['train']} + {frames['test']} frames"
    print(text + (f", {seconds:.1f} s" if seconds is not None else ""))
    if dataset.notes:
        print(dataset.notes if notes else dataset.notes.splitlines()[0])


if __name__ == "__main__":
    sys.exit(main())
