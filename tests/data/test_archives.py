"""Archives: unpacked whole, once, and into their folder alone, whoever made them."""

import bz2
import gzip
import io
import json
import os
import shutil
import stat
import struct
import tarfile
import time
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from damage import damage, limited, only_dataset_errors
from hypothesis import given, settings
from hypothesis import strategies as st

from lib.data import archives
from lib.data.archives import unpack
from lib.data.clip import DatasetError

FILES = {
    "lsp/joints.mat": bytes(range(256)) * 30,
    "lsp/images/im0001.jpg": os.urandom(5000),
    "lsp/images/im0002.jpg": b"",
    "lsp/README.txt": b"text\n",
    "lsp/b/exactly.bin": bytes(1024),
}
KINDS = ("a.zip", "a.tar", "a.tgz", "a.tar.gz", "a.tar.bz2", "a.tbz2", "A.ZIP")


def archive(name: str, files: dict, **options) -> bytes:
    data = io.BytesIO()
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(data, "w", options.get("method", zipfile.ZIP_DEFLATED)) as packed:
            for member, content in files.items():
                packed.writestr(member, content)
        return data.getvalue()
    with tarfile.open(fileobj=data, mode="w") as packed:
        for member, content in files.items():
            info = member if isinstance(member, tarfile.TarInfo) else tarfile.TarInfo(member)
            info.size = len(content)
            packed.addfile(info, io.BytesIO(content))
    return squeezed(name, data.getvalue())


def squeezed(name: str, tar: bytes) -> bytes:
    if name.endswith(("gz", "tgz")):
        return gzip.compress(tar)
    return bz2.compress(tar) if name.endswith("bz2") else tar


def everything(folder: Path) -> dict:
    """All below a folder: name -> content, None for folders."""
    found = {}
    for path in sorted(folder.rglob("*")):
        assert not path.is_symlink()
        found[str(path.relative_to(folder))] = path.read_bytes() if path.is_file() else None
    return found


@pytest.fixture
def place(tmp_path):
    """A folder with a neighbour that must stay as it is, and a check at the end that it did."""
    (tmp_path / "neighbour").write_text("as it was")
    folder = tmp_path / "unpacked"

    def write(name: str, data: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(data)
        return path

    yield SimpleNamespace(folder=folder, write=write, parent=tmp_path)
    assert (tmp_path / "neighbour").read_text() == "as it was"


def refused(place, path: Path, match: str) -> None:
    """Unpacking fails with this message, and nothing is left behind anywhere."""
    before = everything(place.parent)
    with only_dataset_errors(path), pytest.raises(DatasetError, match=match):
        unpack(path, place.folder)
    after = everything(place.parent)
    after.pop("unpacked", None)
    before.pop("unpacked", None)
    assert after == before
    assert place.folder not in place.folder.parent.iterdir() or not any(place.folder.iterdir())


@pytest.mark.parametrize("name", KINDS)
def test_all_members_come_out(place, name):
    path = place.write(name, archive(name, FILES))
    target = unpack(path, place.folder)
    assert target == place.folder / name[0]
    found = everything(target)
    marker = json.loads(found.pop(".unpacked.json"))
    assert marker["archive"] == name and marker["size"] == path.stat().st_size
    assert {key: value for key, value in found.items() if value is not None} == FILES
    assert {p.name for p in place.folder.iterdir()} == {name[0]}


def test_folders_and_a_leading_dot(place):
    folder = tarfile.TarInfo("./S1/Videos")
    folder.type = tarfile.DIRTYPE
    root = tarfile.TarInfo("./")
    root.type = tarfile.DIRTYPE
    path = place.write("S1.tgz", archive("S1.tgz", {root: b"", folder: b"", "./S1/a.cdf": b"1"}))
    found = everything(unpack(path, place.folder))
    assert found["S1/Videos"] is None and found["S1/a.cdf"] == b"1"


def test_windows_separators_and_what_macos_adds(place):
    files = {"a\\b\\c.txt": b"1", "a\\d\\": b"", "__MACOSX/a/._c.txt": b"2", "a/._x": b"3"}
    target = unpack(place.write("w.zip", archive("w.zip", files)), place.folder)
    found = everything(target)
    assert found.pop(".unpacked.json")
    assert found == {"a": None, "a/b": None, "a/b/c.txt": b"1", "a/d": None}


def test_done_once_and_again_when_the_archive_changes(place):
    path = place.write("a.zip", archive("a.zip", FILES))
    target = unpack(path, place.folder)
    (target / "lsp" / "joints.mat").unlink()
    assert unpack(path, place.folder) == target
    assert not (target / "lsp" / "joints.mat").exists()
    place.write("a.zip", archive("a.zip", {"other.txt": b"new"}))
    assert unpack(path, place.folder) == target
    assert set(everything(target)) == {".unpacked.json", "other.txt"}


def test_a_folder_of_the_users_is_left_alone(place):
    mine = place.folder / "a" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    path = place.write("a.zip", archive("a.zip", FILES))
    with pytest.raises(DatasetError, match="was not unpacked from a.zip"):
        unpack(path, place.folder)
    assert mine.read_text() == "mine"
    assert [p.name for p in place.folder.iterdir()] == ["a"]


def test_what_a_kill_left_is_cleared_away(place):
    leftover = place.folder / ".a.unpacking" / "lsp" / "joints.mat"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half")
    target = unpack(place.write("a.tar", archive("a.tar", FILES)), place.folder)
    assert (target / "lsp" / "joints.mat").read_bytes() == FILES["lsp/joints.mat"]
    assert [p.name for p in place.folder.iterdir()] == ["a"]


def test_two_at_a_time_are_refused(place):
    path = place.write("a.zip", archive("a.zip", FILES))
    place.folder.mkdir()
    with archives._locked(place.folder), pytest.raises(DatasetError, match="another process unpacks"):
        unpack(path, place.folder)
    unpack(path, place.folder)


HOSTILE = [
    "../outside.txt", "a/../../outside.txt", "/tmp/outside-of-the-archive.txt", "..", "a/..",
    "..\\outside.txt", "a\\..\\..\\outside.txt", "C:\\outside.txt", "c:outside.txt",
    "\\\\host\\share\\x", "//etc/x", "./../outside.txt", "\\x",
]  # fmt: skip


@pytest.mark.parametrize("member", HOSTILE)
@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
def test_names_that_lead_out(place, name, member):
    path = place.write(name, archive(name, {"first.txt": b"1", member: b"evil"}))
    refused(place, path, "leads out of the folder")
    assert not Path("/tmp/outside-of-the-archive.txt").exists()


def test_control_characters_in_names(place):
    path = place.write("a.tar", archive("a.tar", {"a\nb": b""}))
    refused(place, path, "control character")
    whole = archive("a.zip", {"aXb.txt": b"1"}).replace(b"aXb.txt", b"a\0b.txt")
    refused(place, place.write("a.zip", whole), "control character")


@pytest.mark.parametrize(
    "kind", ["SYMTYPE", "LNKTYPE", "CHRTYPE", "BLKTYPE", "FIFOTYPE", "GNUTYPE_SPARSE"]
)
def test_links_and_devices_in_a_tar(place, kind):
    link = tarfile.TarInfo("link")
    link.type = getattr(tarfile, kind)
    link.linkname = "first.txt"
    path = place.write("a.tar", archive("a.tar", {"first.txt": b"1", link: b""}))
    refused(place, path, "member 'link': a link, a device or sparse")


def test_a_write_through_a_link(place):
    link = tarfile.TarInfo("out")
    link.type, link.linkname = tarfile.SYMTYPE, str(place.parent)
    path = place.write("a.tar", archive("a.tar", {link: b"", "out/evil.txt": b"evil"}))
    refused(place, path, "member 'out'")


@pytest.mark.parametrize("mode", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFSOCK])
def test_links_and_devices_in_a_zip(place, mode):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        info = zipfile.ZipInfo("link")
        info.create_system, info.external_attr = 3, (mode | 0o777) << 16
        packed.writestr(info, "/etc/passwd")
    refused(place, place.write("a.zip", data.getvalue()), "member 'link': a link or a device")


@pytest.mark.parametrize("name", ["a.zip", "a.tar"])
@pytest.mark.parametrize(
    ("first", "second"), [("b", "b"), ("b", "./b"), ("b", "b/c"), ("x", ".unpacked.json"), ("b/c", "b")]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_at_one_place(place, name, first, second):
    data = io.BytesIO()
    if name == "a.zip":
        with zipfile.ZipFile(data, "w") as packed:
            for member in (first, second):
                packed.writestr(member, b"1")
    else:
        with tarfile.open(fileobj=data, mode="w") as packed:
            for member in (first, second):
                packed.addfile(tarfile.TarInfo(member))
    refused(place, place.write(name, data.getvalue()), "is in the archive twice|cannot be written")


@pytest.fixture
def small_floor(monkeypatch):
    monkeypatch.setattr(archives, "FLOOR", 1 << 20)


def test_a_bomb_is_refused_before_it_goes_off(place, small_floor):
    zeros = bytes(1 << 20)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as packed:
        for index in range(20):
            packed.writestr(f"{index}", zeros)
    bomb = place.write("a.zip", data.getvalue())
    with limited(20):
        refused(place, bomb, "which no data set does")
    data = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=data, mode="w") as squeezed,
        tarfile.open(fileobj=squeezed, mode="w") as packed,
    ):
        for index in range(20):
            info = tarfile.TarInfo(f"{index}")
            info.size = 1 << 20
            packed.addfile(info, io.BytesIO(zeros))
    refused(place, place.write("a.tgz", data.getvalue()), "more than 200 times its own size")


def test_many_empty_files_are_a_bomb_too(place, small_floor):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as packed:
        for index in range(2000):
            packed.addfile(tarfile.TarInfo(f"{index}"))
    path = place.write("a.tar.bz2", bz2.compress(data.getvalue()))
    refused(place, path, "more than 200 times its own size")


def test_a_size_that_is_more_than_the_disk_has(place, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=archives.SPARE + 20_000))
    path = place.write("a.zip", archive("a.zip", {"a": os.urandom(15_000), "b": os.urandom(15_000)}))
    refused(place, path, "member 'b': the disk has no room")


def test_a_full_disk_leaves_nothing(place):
    if not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    path = place.write("a.zip", archive("a.zip", FILES))
    real = open

    def full(name, mode="r", *rest, **options):
        return real(
            "/dev/full" if mode == "xb" else name, "wb" if mode == "xb" else mode, *rest, **options
        )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archives, "open", full, raising=False)
        refused(place, path, "cannot be written .No space left")


def test_an_interrupt_leaves_nothing(place, monkeypatch):
    path = place.write("a.tar", archive("a.tar", FILES))

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(archives, "_write_member", interrupt)
    with pytest.raises(KeyboardInterrupt):
        unpack(path, place.folder)
    assert not any(place.folder.iterdir())


def test_encryption(place):
    data = bytearray(archive("a.zip", {"a.txt": b"1"}))
    for mark, offset in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        data[data.index(mark) + offset] |= 1
    refused(place, place.write("a.zip", bytes(data)), "is encrypted")


def test_split_zips_say_how_to_join(place):
    whole = archive("MADS.zip", FILES)
    last = place.write("MADS.zip", whole[3000:])
    first = place.write("MADS.z01", whole[:3000])
    command = "zip -s 0 MADS.zip --out joined-MADS.zip"
    refused(place, last, command)
    refused(place, first, command)
    first.unlink()
    data = bytearray(whole)
    struct.pack_into("<H", data, data.rindex(b"PK\5\6") + 4, 1)
    refused(place, place.write("MADS.zip", bytes(data)), command)
    refused(place, place.write("a.zip.001", whole), "cat a.zip.. > a.zip")


def test_other_names_and_missing_files(place):
    refused(place, place.write("a.rar", b"Rar!"), "not an archive called NAME.zip, NAME.tar")
    refused(place, place.write(".zip", b""), "not an archive called")
    refused(place, place.write("...zip", b""), "not an archive called")
    for name in KINDS:
        with pytest.raises(DatasetError, match=f"{name}: no such file"):
            unpack(place.parent / "missing" / name, place.folder)
        refused(place, place.write(name, b""), "cannot be read")
        refused(place, place.write(name, b"no archive at all" * 100), "cannot be read")
    (place.parent / "folder.zip").mkdir()
    with pytest.raises(DatasetError, match="no such file"):
        unpack(place.parent / "folder.zip", place.folder)


def test_a_damaged_header_between_members_is_not_the_end(place):
    # tarfile by itself would stop there and say nothing.
    tar = bytearray(archive("a.tar", {"a": b"1" * 600, "b": b"2" * 600, "c": b"3"}))
    tar[512 + 1024 + 5] ^= 0xFF
    refused(place, place.write("a.tar", bytes(tar)), "cut off, or damaged")
    whole = archive("a.tar", {"a": b"1" * 600, "b": b"2" * 600, "c": b"3"})
    for end in (512 + 1024, 512 + 1024 + 100, 512 + 700):
        refused(place, place.write("a.tar", whole[:end]), "cut off|unexpected end|claims 600 bytes")


def test_a_header_that_was_zeroed_is_not_the_end(place):
    tar = bytearray(archive("a.tar", {"a": b"1" * 600, "b": b"2" * 600, "c": b"3"}))
    tar[512 + 1024 : 512 + 1024 + 512] = bytes(512)
    refused(place, place.write("a.tar", bytes(tar)), "data after the end mark")


def test_a_table_that_ends_early_is_not_the_end(place):
    # A comment's length in the first entry swallows the others; zipfile by itself would say nothing.
    data = bytearray(archive("a.zip", FILES))
    entry = data.index(b"PK\1\2")
    struct.pack_into("<H", data, entry + 32, data.index(b"PK\5\6") - entry - 46 - len("lsp/joints.mat"))
    refused(place, place.write("a.zip", bytes(data)), "5 members announced, 1 found")


@pytest.mark.parametrize("name", KINDS)
def test_an_archive_of_nothing(place, name):
    refused(place, place.write(name, archive(name, {})), "holds no file|empty")


def test_a_comment_at_the_end(place):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as packed:
        packed.writestr("a", b"1")
        packed.comment = b"an honest comment"
    assert everything(unpack(place.write("a.zip", data.getvalue()), place.folder))["a"] == b"1"


@pytest.mark.parametrize("name", ["a.tgz", "a.tar.bz2"])
def test_the_checksum_at_the_end_is_looked_at(place, name):
    data = bytearray(archive(name, FILES))
    data[-6 if name == "a.tgz" else -3] ^= 0xFF
    refused(place, place.write(name, bytes(data)), "cannot be read")
    refused(place, place.write(name, bytes(data[:-9])), "cannot be read")


def test_a_member_that_claims_another_size(place):
    content = b"0123456789" * 10
    data = archive("a.zip", {"a": content}, method=zipfile.ZIP_STORED)
    for claim in (50, 200):
        lie = data.replace(struct.pack("<II", 100, 100), struct.pack("<II", 100, claim))
        refused(place, place.write("a.zip", lie), "member 'a': (cannot be read|claims)")


def test_long_names_of_a_claimed_size_are_not_read(place):
    # The header of a long name says how long it is; tarfile would read it whole.
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 3 << 30
    tar = info.tobuf(tarfile.GNU_FORMAT) + bytes(1 << 20)
    path = place.write("a.tgz", gzip.compress(tar))
    with limited(10, memory_mib=30):
        refused(place, path, "a header of")


def test_a_negative_size_ends(place):
    info = tarfile.TarInfo("back")
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + struct.pack(">h", -1536)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    tar = (
        tarfile.TarInfo("first").tobuf()
        + tarfile.TarInfo("second").tobuf()
        + bytes(header)
        + bytes(1024)
    )
    with limited(10):
        refused(place, place.write("a.tar", tar), "negative|claims|cannot be read|cut off")


def test_names_that_are_no_text(place):
    path = place.write("a.tar", archive("a.tar", {b"\xff\xfe".decode("utf-8", "surrogateescape"): b"1"}))
    target = unpack(path, place.folder)
    assert len(list(target.iterdir())) == 2
    info = tarfile.TarInfo(b"/\xff".decode("utf-8", "surrogateescape"))
    path = place.write("b.tar", archive("b.tar", {info: b""}))
    with pytest.raises(DatasetError) as error:
        unpack(path, place.folder)
    str(error.value).encode()
    shutil.rmtree(target)
    for name in ("c.zip", "c.tar"):
        refused(place, place.write(name, archive(name, {"x" * 300: b"1"})), "cannot be written")
        refused(place, place.write(name, archive(name, {"y/" * 2100 + "z": b"1"})), "cannot be written")


WHOLE = {name: archive(name, FILES) for name in ("a.zip", "a.tar", "a.tgz", "a.tar.bz2")}
WHOLE["stored.zip"] = archive("a.zip", FILES, method=zipfile.ZIP_STORED)
WHOLE["lzma.zip"] = archive("a.zip", FILES, method=zipfile.ZIP_LZMA)
WHOLE["inside.tar"] = WHOLE["a.tar"]


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(name=st.sampled_from(sorted(WHOLE)), seed=st.integers(0, 1 << 62), inside=st.booleans())
def test_damaged_archives(tmp_path_factory, name, seed, inside):
    parent = tmp_path_factory.getbasetemp() / "damaged"
    shutil.rmtree(parent, ignore_errors=True)
    folder = parent / "unpacked"
    folder.mkdir(parents=True)
    data = damage(WHOLE[name], seed)
    if inside and name in ("a.tgz", "a.tar.bz2"):
        data = squeezed(name, damage(WHOLE["a.tar"], seed))
    path = parent / name
    path.write_bytes(data)
    began = time.time_ns()
    with limited(seconds=20), only_dataset_errors(path):
        target = unpack(path, folder)
        assert target.parent == folder and target.is_dir()
    assert {p.name for p in parent.iterdir()} == {"unpacked", name}
    assert {p.name for p in folder.iterdir()} <= {path.name.split(".")[0]}
    everything(parent)
    assert path.stat().st_mtime_ns <= time.time_ns() and began <= time.time_ns()
