"""Make, bring, check and look at the project's dataset files.

build COLLECTION...        make the files of a generated collection
fetch cmu                  download the CMU recordings that collection mocap is made from
import LAYOUT PATH         turn a download of a licensed data set into a file of collection benchmarks
list                       what is there, what can be imported
check FILE...              open files, every picture too, and say what is in them
show FILE                  a summary, and a contact sheet of its frames
"""

import argparse
import os
import sys
import time
from pathlib import Path

from lib.data.collections import COLLECTIONS, build, is_built
from lib.data.dataset import DatasetError, check_pictures, open_dataset
from lib.data.folder import ROLES, data_folder, dataset_path
from lib.data.importing import READERS, import_dataset, reader
from lib.data.sources import Options


def main(arguments: list[str] | None = None) -> int:
    """The command line. Returns the exit status: 0, 1 for an error that it told, 130 when interrupted."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (DatasetError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from here", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m lib.data", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    builder = commands.add_parser("build", help="make the files of collections that are missing")
    builder.add_argument("collections", nargs="+", choices=tuple(COLLECTIONS))
    builder.add_argument("--role", action="append", choices=ROLES, help="only this role (may be repeated)")
    builder.add_argument("--seed", type=int, default=0)
    builder.add_argument("--force", action="store_true", help="make them again where they are there")
    builder.add_argument("--notes", action="store_true", help="print what was dropped or cut, take by take")
    builder.set_defaults(run=_build_all)

    fetcher = commands.add_parser("fetch", help="download recordings that are free")
    fetcher.add_argument("name", choices=("cmu",))
    fetcher.add_argument("--subjects", type=_names, default=None, metavar="01,02", help="only these subjects")
    fetcher.add_argument("--folder", type=Path, default=None, help="where to (default: data/cmu_mocap)")
    fetcher.add_argument("--site", default=None, help="another address that serves the same files")
    fetcher.add_argument("--no-build", action="store_true", help="do not make collection mocap from them")
    fetcher.set_defaults(run=_fetch)

    importer = commands.add_parser("import", help="turn a download into a dataset file")
    importer.add_argument("layout", metavar="LAYOUT", help=", ".join(READERS))
    importer.add_argument("path", type=Path, metavar="PATH", help="the download: a folder, or an archive")
    importer.add_argument("--out", type=Path, help="the file to make (default: data/benchmarks/<role>.h5)")
    importer.add_argument("--role", choices=ROLES, help="the role it plays, where it is not the usual one")
    importer.add_argument("--size", type=int, default=128, help="side of stored crops in px, 0: none")
    importer.add_argument("--every", type=int, default=1, metavar="N", help="keep every n-th frame")
    importer.add_argument("--subjects", type=_names, default=(), metavar="S1,S9", help="only these subjects")
    importer.add_argument("--universal", action="store_true", help="3D poses scaled to one body for all")
    importer.add_argument("--detections", type=Path, metavar="FILE", help="VideoPose3D's 2D poses (.npz)")
    importer.add_argument("--skip-damaged", action="store_true", help="leave out clips that cannot be read")
    importer.add_argument("--force", action="store_true", help="replace the file that is there")
    importer.set_defaults(run=_import)

    lister = commands.add_parser("list", help="what is there, and what can be imported")
    lister.set_defaults(run=_list)
    checker = commands.add_parser("check", help="open dataset files, and say what is in them")
    checker.add_argument("files", nargs="+", type=Path)
    checker.set_defaults(run=lambda options: [_describe(file) for file in options.files])
    shower = commands.add_parser("show", help="a summary and a contact sheet of a dataset file")
    shower.add_argument("file", type=Path)
    shower.add_argument("--out", type=Path, help="the picture to write (default: FILE with .png)")
    shower.set_defaults(run=_show)
    return parser


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _build_all(options) -> None:
    for collection in options.collections:
        for role in options.role or ROLES:
            if is_built(collection, role, options.seed) and not options.force:
                print(f"{dataset_path(collection, role)}: there already")
                continue
            began = time.perf_counter()
            (path,) = build(collection, [role], options.seed, force=True)
            _describe(path, time.perf_counter() - began, options.notes)


def _fetch(options) -> None:
    from lib.data import fetch  # its libraries are needed here alone

    folder = options.folder or data_folder() / "cmu_mocap"
    fetch.cmu(folder, options.subjects, options.site or fetch.SITE, progress=sys.stderr.isatty())
    print(f"{folder}: fetched")
    if options.subjects:
        print("collection mocap needs all subjects: fetch without --subjects makes it")
    if options.no_build or options.subjects:
        return
    os.environ["CMU_MOCAP"] = str(folder)
    for role in ROLES:
        (path,) = build("mocap", [role])
        _describe(path)


def _import(options) -> None:
    module = reader(options.layout)
    out = options.out or dataset_path("benchmarks", options.role or module.ROLE)
    if out.exists() and not options.force:
        raise DatasetError(f"{out}: there already; --force replaces it, --out names another")
    if options.size < 0 or options.every < 1:
        raise DatasetError(f"--size {options.size} --every {options.every}: 0 or more, and 1 or more")
    wanted = Options(options.size, options.every, options.subjects, options.universal, options.detections)
    print(f"{module.NAME} ({module.SITE}): {module.LICENCE}")
    began = time.perf_counter()
    import_dataset(options.layout, options.path, out, wanted, skip_damaged=options.skip_damaged)
    _describe(out, time.perf_counter() - began, notes=True)


def _list(options) -> None:
    folder = data_folder()
    found = sorted(folder.glob("*/*.h5"))
    print(f"{folder}: {len(found)} dataset files")
    for path in found:
        print(f"  {path.relative_to(folder)}  {path.stat().st_size / 2**20:.1f} MiB")
    print("\nLayouts that can be imported (python -m lib.data import LAYOUT PATH):")
    for name in READERS:
        module = reader(name)
        path = dataset_path("benchmarks", module.ROLE)
        there = "there" if path.exists() else "not there"
        print(f"  {name:16} role {module.ROLE:8} {module.SITE}  ({path.name} {there})")


def _show(options) -> None:
    from lib.data.contact_sheet import contact_sheet, summary

    dataset = open_dataset(options.file)
    print(summary(dataset))
    print(contact_sheet(dataset, options.out or options.file.with_suffix(".png")))


def _describe(path: Path, seconds: float | None = None, notes: bool = False) -> None:
    dataset = open_dataset(path)
    frames = {part: sum(map(len, dataset.subset(part))) for part in ("train", "test")}
    pictured = check_pictures(dataset)
    size = path.stat().st_size / 2**20
    text = f"{path}: {size:.1f} MiB, {len(dataset.clips)} clips, "
    text += f"{frames['train']} + {frames['test']} frames"
    text += f", {pictured} pictures" if pictured else ""
    print(text + (f", {seconds:.1f} s" if seconds is not None else ""))
    if dataset.notes:
        print(dataset.notes if notes else dataset.notes.splitlines()[0])


if __name__ == "__main__":
    sys.exit(main())
