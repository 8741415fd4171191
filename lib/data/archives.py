"""Archives of a download, unpacked once, whoever made them: .zip, .tar, .tar.gz and .tar.bz2.

Each member is written by this code, as a plain file of its own in a new folder: no link or device is
made, no owner or permission is taken over, and no name leads out of the folder. The folder gets its name
when all is in it.
"""

from __future__ import annotations

import bz2
import fcntl
import gzip
import json
import lzma
import os
import re
import shutil
import stat
import struct
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from tqdm.auto import tqdm

from lib.data.clip import DatasetError
from lib.data.sources import reading

__all__ = ["ARCHIVES", "unpack"]

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2")
MARKER = ".unpacked.json"
CHUNK = 1 << 20
# The data sets' archives hold pictures, videos and matrices, which pack to a half at best, and labels as
# text, to a tenth. Each member counts for MEMBER bytes more, so that many empty ones are seen too.
RATIO = 200
FLOOR = 64 << 20
MEMBER = 1024
SPARE = 256 << 20  # bytes of the disk that stay free
MOST_PADDING = 64 << 20  # zeros after the last member of a tar


@dataclass(frozen=True)
class _Member:
    """A file of an archive: its name as it stands there, the size it claims, and its open contents.

    contents is None for a folder.
    """

    name: str
    size: int
    contents: BinaryIO | None


def unpack(archive: str | Path, folder: str | Path, progress: bool = True) -> Path:
    """Unpack an archive to ``folder``/<its name without the ending>, and return that path.

    Done once: a folder that was unpacked from this archive, by its size and time of change, is returned
    as it is, one from an older state of the archive is replaced. Broken off, it begins again. What macOS
    adds (__MACOSX, ._ files) is left out.

    Raises DatasetError, naming the archive and the member, and leaves nothing behind, when the archive
    is damaged, encrypted, one part of several or of another kind; when a member is a link or a device,
    is there twice, or has a name that leads out of the folder; when the sizes it claims are more than
    the disk has or than honest data pack to; or when the disk is full.
    """
    archive, folder = Path(archive), Path(folder)
    ending = next((ending for ending in ARCHIVES if archive.name.lower().endswith(ending)), "")
    _refuse_parts(archive)
    if not archive.is_file():
        raise DatasetError(f"{archive}: no such file")
    stem = archive.name[: len(archive.name) - len(ending)]
    if not ending or not stem.strip("."):
        raise DatasetError(f"{archive}: not an archive called NAME{', NAME'.join(ARCHIVES)}")
    target = folder / stem
    state = archive.stat()
    origin = {"archive": archive.name, "size": state.st_size, "mtime_ns": state.st_mtime_ns}
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if _origin(target) == origin:
            return target
        if os.path.lexists(target) and _origin(target) is None:
            raise DatasetError(
                f"{target}: is there and was not unpacked from {archive.name}; move it away"
            )
        temporary = folder / f".{stem}.unpacking"
        try:
            with _writing(temporary):
                shutil.rmtree(temporary, ignore_errors=True)
                temporary.mkdir()
            _write_members(archive, ending, temporary, progress)
            with _writing(target):
                (temporary / MARKER).write_text(json.dumps(origin))
                if target.exists():
                    shutil.rmtree(target)
                os.replace(temporary, target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return target


@contextmanager
def _locked(folder: Path):
    """Nobody else unpacks to this folder meanwhile; the lock ends with the process, however it ends."""
    with _writing(folder):
        handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DatasetError(f"{folder}: another process unpacks to it") from error
        yield
    finally:
        os.close(handle)


def _refuse_parts(archive: Path) -> None:
    ending = archive.suffix.lower()
    if re.fullmatch(r"\.\d\d\d", ending):
        whole = archive.stem
        raise DatasetError(f"{archive}: one part of several; join them first: cat {whole}.* > {whole}")
    if re.fullmatch(r"\.z\d\d", ending) or ending == ".zip" and archive.with_suffix(".z01").exists():
        _refuse_split(archive)


def _refuse_split(archive: Path) -> None:
    name = archive.with_suffix(".zip").name
    joined = f"joined-{name}"
    raise DatasetError(
        f"{archive}: one part of a split zip; with all parts (.z01, ..., .zip) in one folder, "
        f"join them: zip -s 0 {name} --out {joined}"
    )


def _origin(target: Path) -> dict | None:
    """What the marker in a folder says, None where there is none."""
    try:
        return json.loads((target / MARKER).read_text())
    except (OSError, ValueError):
        return None


def _write_members(archive: Path, ending: str, folder: Path, progress: bool) -> None:
    size = archive.stat().st_size
    with _writing(folder):
        free = shutil.disk_usage(folder).free - SPARE
    bar = tqdm(
        total=size, unit="B", unit_scale=True, desc=archive.name,
        disable=not (progress and sys.stderr.isatty()),
    )  # fmt: skip
    written = {MARKER}
    claimed = 0
    with _library(archive):
        file = open(archive, "rb")
    members = _zip_members(file, archive) if ending == ".zip" else _tar_members(file, archive, ending)
    with bar, file, closing(members):
        while True:
            with _library(archive):
                member = next(members, None)
            if member is None:
                break
            place = f"{archive}: member {_shown(member.name)}"
            claimed += member.size + MEMBER
            if claimed > RATIO * size + FLOOR:
                raise DatasetError(
                    f"{place}: the archive claims to hold more than {RATIO} times its own size "
                    f"({claimed} bytes and more in {size}), which no data set does"
                )
            if claimed > free:
                raise DatasetError(
                    f"{place}: the disk has no room for it and those before ({free} bytes)"
                )
            name = _inside(member.name, place)
            if not name or name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith("._"):
                continue
            if member.contents is None:
                with _writing(f"{place}: folder"):
                    (folder / name).mkdir(parents=True, exist_ok=True)
                continue
            if name in written:
                raise DatasetError(f"{place}: is in the archive twice")
            written.add(name)
            _write_member(folder / name, member, place)
            bar.update(min(size, file.tell()) - bar.n)
    if written == {MARKER}:
        raise DatasetError(f"{archive}: holds no file")


def _write_member(path: Path, member: _Member, place: str) -> None:
    done = 0
    with _writing(place):
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "xb") as out:
            while done <= member.size:
                with _library(place):
                    piece = member.contents.read(CHUNK)
                if not piece:
                    break
                out.write(piece)
                done += len(piece)
    if done != member.size:
        raise DatasetError(f"{place}: claims {member.size} bytes and does not hold as many")


def _inside(name: str, place: str) -> str:
    """A member's name as a relative path with plain parts, "" for the folder itself."""
    if any(ord(letter) < 32 for letter in name):
        raise DatasetError(f"{place}: a control character in the name")
    name = name.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise DatasetError(f"{place}: leads out of the folder that is unpacked to")
    return "/".join(parts)


def _zip_members(file: BinaryIO, archive: Path) -> Iterator[_Member]:
    part, count = _end_record(file)
    if part:
        _refuse_split(archive)
    with zipfile.ZipFile(file) as packed:
        # zipfile takes a damaged length in its table for the table's end.
        if count is not None and count != len(packed.infolist()) % (1 << 16):
            raise zipfile.BadZipFile(f"{count} members announced, {len(packed.infolist())} found")
        total = sum(info.file_size + MEMBER for info in packed.infolist())
        if total > RATIO * archive.stat().st_size + FLOOR:
            raise DatasetError(f"{archive}: claims to unpack to {total} bytes, which no data set does")
        for info in packed.infolist():
            name = info.orig_filename
            place = f"{archive}: member {_shown(name)}"
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise DatasetError(f"{place}: a link or a device; only files are unpacked")
            if info.flag_bits & 0x41:
                raise DatasetError(f"{place}: is encrypted; unpack the archive by hand")
            if name.endswith(("/", "\\")):
                yield _Member(name, 0, None)
            else:
                with packed.open(info) as contents:
                    yield _Member(name, info.file_size, contents)


def _end_record(file: BinaryIO) -> tuple[int, int | None]:
    """The number of this part of a split zip, 0 in a whole one and in what is no zip; how many members.

    The number of members is modulo 2^16, None where it stands in a larger record (zip64).
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65557))
    tail = file.read()
    end = tail.rfind(b"PK\5\6")
    file.seek(0)
    if not 0 <= end <= len(tail) - 22:
        return 0, None
    part, _, _, count = struct.unpack_from("<4H", tail, end + 4)
    return (0 if part == 0xFFFF else part), (None if count == 0xFFFF else count)


def _tar_members(file: BinaryIO, archive: Path, ending: str) -> Iterator[_Member]:
    unpacked = file
    if ending in (".tgz", ".tar.gz"):
        unpacked = gzip.open(file)
    elif ending in (".tbz2", ".tar.bz2"):
        unpacked = bz2.open(file)
    forward = _Forward(unpacked)
    with tarfile.open(fileobj=forward, mode="r:") as packed:
        for info in packed:
            packed.members.clear()  # tarfile keeps them all
            place = f"{archive}: member {_shown(info.name)}"
            if info.isdir():
                yield _Member(info.name, 0, None)
            elif info.isreg() and not info.issparse():
                yield _Member(info.name, info.size, packed.extractfile(info))
            else:
                raise DatasetError(f"{place}: a link, a device or sparse; only files are unpacked")
    # tarfile takes a damaged header, or none, for the end; nobody has looked at the checksum behind it.
    if forward.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("cut off, or damaged after the last member")
    for _ in range(MOST_PADDING // CHUNK):
        rest = unpacked.read(CHUNK)
        if not rest:
            return
        if rest.strip(b"\0"):
            break
    raise tarfile.ReadError("data after the end mark")


class _Forward:
    """A file for tarfile that is read forward and in small pieces.

    tarfile reads the long names of members whole, of the size that they claim, and follows a damaged
    size back to where it was before, for ever.
    """

    def __init__(self, file: BinaryIO):
        self._file = file
        self.tell = file.tell
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= CHUNK:
            raise tarfile.ReadError(f"a header of {size} bytes")
        self.last = self._file.read(size)
        return self.last

    def seek(self, place: int) -> int:
        if place < self.tell():
            raise tarfile.ReadError("a member of negative size")
        return self._file.seek(place)


def _shown(name: str) -> str:
    return repr(name if len(name) <= 100 else f"{name[:60]}...{name[-30:]}")


@contextmanager
def _library(place):
    with reading(place):
        try:
            yield
        except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error) as error:
            raise ValueError(error) from error


@contextmanager
def _writing(place):
    try:
        yield
    except DatasetError:
        raise
    except (OSError, ValueError) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())[:200]
        raise DatasetError(f"{place}: cannot be written ({reason})") from error
