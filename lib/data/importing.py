"""Import a download: clips read one at a time, each kept as soon as it is whole, one file at the end.

Beside the file to be made lies a working folder. Each clip becomes a file of its own there, under
a temporary name that is changed when it is whole; an import that is broken off by whatever means
finds the whole ones and goes on. At the end they are copied, still packed, into one file, which gets
its name when it is whole. Memory holds one clip's joints and one picture at a time, and of each
camera some views for its background, whatever the size of the download.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from zlib import crc32

import h5py
import numpy as np
from tqdm.auto import tqdm

from lib.data.archives import ARCHIVES, MARKER, unpack
from lib.data.clip import Clip, DatasetError
from lib.data.cutting import MEDIAN_OF, background, write_pictures
from lib.data.dataset import Header, new_file, write_clip
from lib.data.sink import writing_file
from lib.data.sources import Found, Options, Source

__all__ = ["READERS", "import_dataset", "reader"]

VERSION = 1  # of what is kept of a download
# Name on the command line -> module of lib.data.readers.
READERS = {
    "human36m": "human36m",
    "h36m-fetch": "h36m_fetch",
    "videopose3d": "videopose3d",
    "human36m-simple": "human36m_simple",
    "mpi-inf-3dhp": "mpi_inf_3dhp",
    "lsp": "lsp",
    "handdb": "handdb",
    "surreal": "surreal",
    "mads": "mads",
    "cmu": "cmu",
    "bvh": "bvh",
}


def reader(name: str) -> ModuleType:
    """The module that reads a layout. Raises DatasetError for an unknown name."""
    if name not in READERS:
        raise DatasetError(f"no layout {name!r}; there are {', '.join(READERS)}")
    return importlib.import_module(f"lib.data.readers.{READERS[name]}")


def import_dataset(
    name: str,
    path: str | Path,
    out: str | Path,
    options: Options | None = None,
    *,
    skip_damaged: bool = False,
    progress: bool = True,
) -> Path:
    """Turn a download into a dataset file; returns ``out``.

    Arguments:
        name: the layout, a key of READERS.
        path: the download: a folder, an archive, or a folder of archives, which are unpacked beside ``out``.
        skip_damaged: leave out clips that cannot be read, and name them in the file's notes.

    Raises DatasetError, one line that names file and field, for whatever is wrong; then ``out`` is as it was.
    """
    path, out, options = Path(path), Path(out), options or Options()
    if not path.exists():
        raise DatasetError(f"{path}: no such file or folder")
    if out.is_dir():
        raise DatasetError(f"{out}: is a folder; name a file")
    if out.resolve().is_relative_to(path.resolve()):
        raise DatasetError(f"{out}: lies in the download that is read; choose another place with --out")
    plan = {"version": VERSION, "name": name, "path": str(path.resolve()), "options": asdict(options)}
    with _working_folder(out, json.dumps(plan, default=str, sort_keys=True)) as folder:
        found = _find(reader(name), path, options, folder / "unpacked", progress)
        _check_names(found, path)
        shards, damaged, nobody = [], [], []
        bar = tqdm(found.sources, desc=name, unit="clip", disable=not (progress and sys.stderr.isatty()))
        for number, source in enumerate(bar):
            bar.set_postfix_str(source.group)
            shard = folder / f"{number:06d}-{crc32(source.group.encode()):08x}.h5"
            empty = shard.with_suffix(".empty")
            if not (shard.exists() or empty.exists()):
                try:
                    clip = source.read()
                    if clip.valid is not None and not clip.valid.any():
                        empty.touch()
                    else:
                        _write_shard(shard, clip, source, found, options)
                except DatasetError as error:
                    if not skip_damaged:
                        raise
                    damaged.append(f"left out: {error}")
                    continue
            if shard.exists():
                shards.append((source, shard))
            else:
                nobody.append(source.group)
        if not shards:
            first = damaged[0] if damaged else "no frame of any counts"
            raise DatasetError(f"{path}: no clip could be read; {first}")
        if nobody:
            names = ", ".join(nobody[:20])
            damaged.append(f"{len(nobody)} clip(s) left out, no frame of which counts: {names}")
        with _writing(out):
            _assemble(out, shards, found, damaged, name, options)
    return out


def _find(layout: ModuleType, path: Path, options: Options, folder: Path, progress: bool) -> Found:
    """What a reader finds in a download, and, where it finds nothing, in the archives that lie there."""
    archives = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.is_file())
    archives = [item for item in archives if item.name.lower().endswith(ARCHIVES)]
    try:
        found = layout.find(path, options)
    except DatasetError:
        if not archives:
            raise
    else:
        note = f"not unpacked, since folders lie beside them: {', '.join(item.name for item in archives)}"
        return replace(found, notes=(*found.notes, note)) if archives else found
    beside, tree = folder / "archives", folder / "tree"
    parts = [(archive, unpack(archive, beside, progress)) for archive in archives]
    try:
        return layout.find(beside, options)
    except DatasetError:
        # Several archives hold parts of one tree (Human3.6M: the poses of S1, the videos of S1).
        with _writing(tree):
            shutil.rmtree(tree, ignore_errors=True)
            for archive, unpacked in parts:
                _link(archive, unpacked, tree)
        return layout.find(tree, options)


def _link(archive: Path, unpacked: Path, tree: Path) -> None:
    for file in sorted(unpacked.rglob("*")):
        place = tree / file.relative_to(unpacked)
        if file.is_dir() or file == unpacked / MARKER:
            continue
        if place.exists():
            raise DatasetError(f"{archive}: {place.name} is in another archive too, at the same place")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.link(file, place)


def _check_names(found: Found, path: Path) -> None:
    if not found.sources:
        raise DatasetError(f"{path}: no clips in it, of the subjects asked for")
    seen: dict[str, Source] = {}
    for source in found.sources:
        if source.group in seen:
            raise DatasetError(f"{source.path}: {source.group} is in {seen[source.group].path} too")
        seen[source.group] = source


@contextmanager
def _working_folder(out: Path, plan: str) -> Iterator[Path]:
    """The folder of the clips that are whole: kept after an error, gone after success.

    Emptied first where it was made by an import with other options or from another place.
    """
    folder = out.with_name(f".{out.name}.import")
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / "lock", "w")
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(f"{out}: another import is writing it") from error
        note = folder / "plan.json"
        if not note.exists() or note.read_text() != plan:
            for old in (*folder.glob("*.h5"), *folder.glob("*.empty")):
                old.unlink()
            shutil.rmtree(folder / "unpacked", ignore_errors=True)
            with _writing(note):
                temporary = note.with_suffix(".tmp")
                temporary.write_text(plan)
                os.replace(temporary, note)
        for broken in folder.glob("*.part"):
            broken.unlink()
        yield folder
    shutil.rmtree(folder)


def _write_shard(shard: Path, clip: Clip, source: Source, found: Found, options: Options) -> None:
    if clip.group != source.group:
        raise DatasetError(f"{source.path}: {clip.group} where {source.group} was announced")
    temporary = shard.with_suffix(".part")
    try:
        with _writing(shard), writing_file(temporary) as file:
            group = write_clip(file, clip, found.skeleton, _split(found), str(source.path))
            if options.size and source.frames is not None:
                views = write_pictures(group, clip, source, options.size)
                if views is not None:
                    file.create_dataset("views", data=views, compression="gzip", compression_opts=1)
        os.replace(temporary, shard)
    finally:
        temporary.unlink(missing_ok=True)


def _split(found: Found) -> dict[str, tuple[str, ...]]:
    return {part: tuple(found.split.get(part, ())) for part in ("train", "test")}


def _assemble(out: Path, shards, found: Found, damaged: list[str], name: str, options: Options) -> None:
    present = {source.subject for source, _ in shards}
    made = f"import {name} {VERSION}, "
    pictured = options.size and any(source.frames for source, _ in shards)
    made += f"crops of {options.size} px" if pictured else "without pictures"
    made += f", every {options.every}th frame" if options.every > 1 else ""
    header = Header(
        skeleton=found.skeleton,
        split={part: [s for s in names if s in present] for part, names in found.split.items()},
        source=found.source,
        licence=found.licence,
        generator=made,
        notes="\n".join([*found.notes, *damaged]),
    )
    with new_file(out, header) as (file, _):
        cameras: dict[tuple, list[tuple[Source, Path]]] = {}
        for source, shard in shards:
            file.require_group(f"/{source.subject}/{source.action}")
            with h5py.File(shard, "r") as kept:
                kept.copy(source.group, file, name=source.group)
                if "views" in kept:
                    place = [kept[source.group].attrs[key].tobytes() for key in ("K", "R", "t")]
                    cameras.setdefault((source.subject, source.camera, *place), []).append((source, shard))
        for seen in cameras.values():
            each = -(-MEDIAN_OF // len(seen))
            image = background([_views(shard, each) for _, shard in seen])
            first, *others = (file[source.group] for source, _ in seen)
            kept = first.create_dataset("background", data=image, compression="gzip", track_times=False)
            for other in others:
                other["background"] = kept  # another name of the same


def _views(shard: Path, most: int) -> np.ndarray:
    with h5py.File(shard, "r") as kept:
        count = len(kept["views"])
        return kept["views"][:: -(-count // most)]


@contextmanager
def _writing(path: Path):
    """Turn a failure to write (a full disk, no permission) into one DatasetError."""
    try:
        yield
    except DatasetError:
        raise
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DatasetError(f"{path}: cannot be written ({reason})") from error
