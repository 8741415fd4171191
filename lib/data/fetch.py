"""Download the recordings of the CMU motion capture database from their own site.

Which files there are, how long each take is, what it shows and what is wrong in it stands in
``cmu_takes.csv``: the 14 skeletons and 96 takes that collection ``mocap`` is made from. They come to
lie as ``asfamc/<subject>/<subject>.asf`` and ``<subject>_<trial>.amc``; when all of a subject are
there, its rows are in ``MANIFEST.csv``, and `lib.data.mocap` reads the folder.

What is known of a file is checked in three ways. The SHA-256 of its bytes is written to ``SHA256SUMS``
when it first comes, and must be the same ever after (``sha256sum --check`` reads that file too). Its
content, that is its words and numbers without comments, blanks and line ends, is compared with that of
the copies which the book's numbers were made from: those were not taken from the site itself, so that
bytes may differ, and a whole file with other numbers is kept and named, not refused. Whatever differs
must be a sound motion file of the right number of frames.
"""

import csv
import hashlib
import io
import logging
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lib.data.amc import MotionFileError, read_amc, read_asf
from lib.data.dataset import DatasetError, sha256
from lib.data.fetch_http import Continuing, Limits, NotThere, Unreachable, WrongContent
from lib.data.mocap import h17_joints
from lib.data.sources import needed

__all__ = ["SITE", "File", "cmu", "content", "files"]

# The one place of the address. Below it the site has subjects/<subject>/<file>.
SITE = os.environ.get("CMU_SITE") or "http://mocap.cs.cmu.edu"

STAGE = ".fetch"  # folder of what is on its way
SUMS, MANIFEST = "SHA256SUMS", "MANIFEST.csv"
FRAME_TIME = "0.0083333"
DIFFERS = "content differs from the copy that the book's numbers were made from"
HOPELESS = 3  # files that cannot be had, and none that can: then the rest is not asked for
LIMITS = Limits()


@dataclass(frozen=True)
class File:
    """A row of the table; without a trial it is the subject's skeleton. sha256 is of the content."""

    subject: str
    trial: str
    description: str
    action_kind: str
    frames: int
    notes: str
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.subject}_{self.trial}.amc" if self.trial else f"{self.subject}.asf"

    @property
    def place(self) -> str:
        """Path below the folder."""
        return f"asfamc/{self.subject}/{self.name}"

    def address(self, site: str) -> str:
        return f"{site.rstrip('/')}/subjects/{self.subject}/{self.name}"


def files(subjects: Sequence[str] | None = None) -> tuple[File, ...]:
    """The table's files of some subjects, all where None: skeletons first, then takes in order.

    Raises DatasetError for a subject that is not in the table.
    """
    with open(Path(__file__).with_name("cmu_takes.csv"), newline="") as table:
        found = tuple(
            File(**{**row, "frames": int(row["frames"] or 0), "bytes": int(row["bytes"])})
            for row in csv.DictReader(table)
        )
    if subjects is None:
        return found
    there = sorted({file.subject for file in found}, key=int)
    wanted = {f"{int(name):02}" if name.isascii() and name.isdigit() else name for name in subjects}
    for name in sorted(wanted - set(there)):
        raise DatasetError(f"CMU: no subject {name!r} in the book; there are {', '.join(there)}")
    return tuple(file for file in found if file.subject in wanted)


def content(path: Path) -> str:
    """SHA-256 of what a motion file says: its words, without comments, blanks and line ends."""
    words = re.sub(rb"#[^\r\n]*", b"", path.read_bytes()).split()
    return hashlib.sha256(b" ".join(words)).hexdigest()


def cmu(
    folder: Path,
    subjects: Sequence[str] | None = None,
    site: str = SITE,
    progress: bool = True,
    limits: Limits = LIMITS,
) -> Path:
    """Download what is missing of the recordings into a folder and return the folder.

    A file that is there with its recorded SHA-256 is not fetched again, one that broke off goes on. What
    differs from the book's copies is said on stderr and in the manifest's notes. Raises DatasetError:
    at once when the site cannot be reached, at the end for files that it does not have or sends
    wrongly. Whatever came is kept, and the same call goes on from there.
    """
    folder = Path(folder)
    wanted = files(subjects)
    _check_address(site)
    try:
        failed = _fetch(folder, wanted, site, progress, limits)
        different = _write_manifest(folder)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be written ({error.strerror or error})") from error
    if different:
        names = ", ".join(different[:8]) + (", ..." if len(different) > 8 else "")
        print(f"{len(different)} sound file(s) whose {DIFFERS}: {names}", file=sys.stderr)
    if failed:
        others = f"; {len(failed) - 1} more failed" if len(failed) > 1 else ""
        raise type(failed[0])(f"{failed[0]}{others}; what came is in {folder}")
    return folder


def _check_address(site: str) -> None:
    try:
        parts = urlsplit(site)
        right = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port or an IPv6 address that is none
        right = False
    if not right:
        raise DatasetError(f"{site!r}: the site's address begins with http:// or https:// and names a host")


def _fetch(folder: Path, wanted, site: str, progress: bool, limits: Limits) -> list[DatasetError]:
    """Get what is missing; why files could not be had."""
    tqdm = needed("tqdm", "fetching").tqdm
    stage = folder / STAGE
    stage.mkdir(parents=True, exist_ok=True)
    for rest in stage.iterdir():  # of a run that was killed; a half file is kept
        if rest.suffix != ".part":
            rest.unlink()
    sums = _read_sums(folder)
    failed, without, there = [], set(), 0
    total = sum(file.bytes for file in wanted)
    with tqdm(total=total, unit="B", unit_scale=True, desc="CMU", disable=not progress) as bar:
        for file in wanted:
            bar.set_postfix_str(f"{file.name}, {there} of {len(wanted)} files", refresh=False)
            if file.subject in without:
                failed.append(NotThere(f"{file.name}: not fetched, since there is no skeleton for it"))
                continue
            try:
                if _is_whole(folder, file, sums):
                    bar.update(file.bytes)
                else:
                    _get(folder, file, site, sums, bar, limits)
                there += 1
            except Unreachable as error:
                message = f"{error}; {there} of {len(wanted)} files are in {folder}"
                raise Unreachable(f"{message}, and the same command goes on from there") from error
            except (NotThere, WrongContent) as error:
                failed.append(error)
                if not file.trial:
                    without.add(file.subject)
                if len(failed) == HOPELESS and not there:
                    break
    if not failed:
        shutil.rmtree(stage)
    return failed


def _is_whole(folder: Path, file: File, sums: dict[str, str]) -> bool:
    """Whether a file is there with its recorded bytes, or, without a record, with the known content."""
    path = folder / file.place
    if not path.is_file():
        return False
    if file.place not in sums and content(path) == file.sha256:
        _record(folder, file, sums)
    return sums.get(file.place) == sha256(path)


def _get(folder: Path, file: File, site: str, sums: dict[str, str], bar, limits: Limits) -> None:
    part = folder / STAGE / f"{file.name}.part"
    bar.update(part.stat().st_size if part.is_file() else 0)
    downloader = Continuing(
        part=part,
        check=lambda path, whole: _check(path, whole, file, folder),
        most=4 * file.bytes + 4096,
        limits=limits,
        report=bar.update,
    )
    path = _retrieve(file.address(site), sums.get(file.place), file, part.parent, downloader)
    bar.total += path.stat().st_size - file.bytes
    (folder / file.place).parent.mkdir(parents=True, exist_ok=True)
    os.replace(path, folder / file.place)
    _record(folder, file, sums)


def _retrieve(url: str, known: str | None, file: File, stage: Path, downloader: Continuing) -> Path:
    pooch = needed("pooch", "fetching")
    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.WARNING)  # the bar says it
    try:
        return Path(pooch.retrieve(url, known, file.name, stage, downloader=downloader))
    except DatasetError:
        raise
    except ValueError as error:  # pooch's answer to another hash
        message = f"{url}: not the bytes that came first, of which {SUMS} has the SHA-256; "
        raise WrongContent(message + f"delete the line of {file.name} there to take them") from error
    finally:
        logger.setLevel(level)


def _check(path: Path, whole: bool, file: File, folder: Path) -> None:
    """Raises WrongContent unless the file has the known content or is a sound motion file as long."""
    if path.stat().st_size == 0:
        raise WrongContent("an empty file")
    if content(path) == file.sha256:
        return
    with open(path, "rb") as opened:
        head = opened.read(512).lower()
    if b"<html" in head or b"<!doctype" in head:
        raise WrongContent("a web page in place of the file")
    if not whole:
        raise WrongContent("its two halves do not fit together")
    try:
        if not file.trial:
            read_asf(path)
            return
        skeleton = read_asf(folder / f"asfamc/{file.subject}/{file.subject}.asf")
        motion = read_amc(path, skeleton)
        h17_joints(skeleton, motion[:1])
    except MotionFileError as error:
        reason = str(error).removeprefix(f"{path}:")
        raise WrongContent(f"no sound motion file (line {reason})") from error
    if len(motion) != file.frames:
        raise WrongContent(f"{len(motion)} frames, {file.frames} expected")


def _read_sums(folder: Path) -> dict[str, str]:
    path = folder / SUMS
    lines = path.read_text("ascii", "replace").splitlines() if path.is_file() else []
    found = (re.fullmatch(r"([0-9a-f]{64}) [ *](\S+)", line) for line in lines)
    return {match[2]: match[1] for match in found if match}


def _record(folder: Path, file: File, sums: dict[str, str]) -> None:
    sums[file.place] = sha256(folder / file.place)
    _write(folder / SUMS, "".join(f"{sums[place]}  {place}\n" for place in sorted(sums)))


def _write_manifest(folder: Path) -> list[str]:
    """The manifest of all subjects that are whole; the names of files with another content."""
    sums, rows, different = _read_sums(folder), [], []
    lacking = {
        file.subject for file in files() if file.place not in sums or not (folder / file.place).is_file()
    }
    for file in files():
        if file.subject in lacking:
            continue
        notes = [file.notes] if file.notes else []
        if content(folder / file.place) != file.sha256:
            different.append(file.name)
            notes.append(DIFFERS)
        rows.append(
            {
                "file": file.place,
                "subject": file.subject,
                "trial": file.trial,
                "description": file.description if file.trial else "(skeleton of the subject)",
                "action_kind": file.action_kind if file.trial else "skeleton",
                "frames": file.frames or "",
                "frame_time_s": FRAME_TIME if file.trial else "",
                "format": "amc" if file.trial else "asf",
                "skeleton_file": f"asfamc/{file.subject}/{file.subject}.asf" if file.trial else "",
                "notes": "; ".join(notes),
            }
        )
    if rows:
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        _write(folder / MANIFEST, text.getvalue())
    return different


def _write(path: Path, text: str) -> None:
    """Write a text under a temporary name and rename it."""
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    os.replace(temporary, path)
