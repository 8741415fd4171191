"""Fetching the CMU recordings, from a site on loopback that serves the real files and answers badly."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cmu_site import CmuSite

from lib.data import fetch, mocap
from lib.data.clip import DatasetError
from lib.data.collections import build
from lib.data.dataset import sha256
from lib.data.fetch_http import Limits, NotThere, Unreachable, WrongContent

QUICK = Limits(tries=3, pause=0.01, connect=5.0, silence=0.5, slowest=2000.0, patience=0.3)
TAKE, PLACE = "03_01.amc", "asfamc/03/03_01.amc"


@pytest.fixture(scope="module")
def source():
    try:
        return mocap.source_folder()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def site(source, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with CmuSite(source) as site:
        yield site


def get(site, folder, subjects=("03",), limits=QUICK):
    return fetch.cmu(folder, subjects, site.address, progress=False, limits=limits)


def same(folder: Path, source: Path, subject: str = "03") -> bool:
    """Whether a subject's files are there with the source's bytes, and no half one is."""
    names = {path.name for path in (source / "asfamc" / subject).iterdir()}
    assert {path.name for path in (folder / "asfamc" / subject).iterdir()} == names
    assert not (folder / ".fetch").exists() and not list(folder.glob(".*.tmp"))
    return all(
        (folder / "asfamc" / subject / name).read_bytes() == (source / "asfamc" / subject / name).read_bytes()
        for name in names
    )


def test_table_is_that_of_the_book():
    files = fetch.files()
    takes = [file for file in files if file.trial]
    assert len(takes) == 96 and len(files) == 110
    assert sum(file.frames for file in takes) == 89202
    assert {file.subject for file in files} == {n for role in mocap.SUBJECTS.values() for n in role.values()}
    assert {file.action_kind for file in takes} <= set(mocap.ACTIONS)
    assert all(re.fullmatch("[0-9a-f]{64}", file.sha256) and file.bytes > 0 for file in files)
    for number, trials in ((n, t) for role in mocap.CHOSEN.values() for n, t in role.items()):
        assert set(trials) <= {file.trial for file in takes if file.subject == number}
    assert {file.subject for file in fetch.files(["3", "127"])} == {"03", "127"}
    with pytest.raises(DatasetError, match="no subject '04' in the book; there are 01, 02"):
        fetch.files(["04"])


def test_table_has_the_content_of_the_source(source):
    for file in fetch.files(["03", "05"]):
        path = source / file.place
        assert fetch.content(path) == file.sha256 and path.stat().st_size == file.bytes


def test_content_is_blind_to_line_ends_blanks_and_comments_only(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"# by hand\n1\nroot 1 2.50\n\n")
    other.write_bytes(b"1\r\nroot  1\t2.50\r\n# the end")
    assert fetch.content(one) == fetch.content(other)
    other.write_bytes(b"1\r\nroot  1\t2.5\r\n")
    assert fetch.content(one) != fetch.content(other)


def test_fetched_folder_gives_the_same_collection_and_is_not_fetched_again(
    site, source, tmp_path, monkeypatch
):
    folder = get(site, tmp_path / "cmu", ("09", "03"))
    assert same(folder, source) and same(folder, source, "09")
    assert len(site.asked) == 10
    sums = (folder / "SHA256SUMS").read_text()
    assert len(sums.splitlines()) == 10 and f"{sha256(source / PLACE)}  {PLACE}\n" in sums
    get(site, folder, ("03", "09"))
    assert len(site.asked) == 10 and (folder / "SHA256SUMS").read_text() == sums

    made = []
    for name, recordings in (("fetched", folder), ("source", source)):
        monkeypatch.setenv("POSE_DATA", str(tmp_path / name))
        monkeypatch.setenv("CMU_MOCAP", str(recordings))
        (path,) = build("mocap", ["motion"])
        made.append(sha256(path))
    assert made[0] == made[1]


def test_manifest_is_of_whole_subjects_only(site, source, tmp_path):
    folder = get(site, tmp_path)
    rows = (folder / "MANIFEST.csv").read_text().splitlines()
    assert len(rows) == 4 and rows[0].startswith("file,subject,trial,description,action_kind,frames")
    assert "arm data" in rows[3]
    with pytest.raises(DatasetError, match="no recording of subject 09"):
        list(mocap.recordings("motion", folder))
    site.next("09_01.amc", "404")
    with pytest.raises(NotThere, match="09_01.amc: the server answers 404"):
        get(site, folder, ("09",))
    assert "asfamc/09" not in (folder / "MANIFEST.csv").read_text()
    assert len(list((folder / "asfamc/09").iterdir())) == 6  # the others came
    get(site, folder, ("09",))
    assert len(list(mocap.recordings("motion", folder))) == 8


@pytest.mark.parametrize("answer", ["half", "stall", "dribble"])
def test_broken_off_answer_goes_on(answer, site, source, tmp_path):
    site.next(TAKE, answer)
    assert same(get(site, tmp_path), source)
    asked = [wanted for name, wanted in site.asked if name == TAKE]
    assert len(asked) == 2 and asked[0] is None
    if answer == "dribble":
        assert asked[1] is None or re.fullmatch(r"bytes=\d+-", asked[1])
    else:
        assert asked[1] == f"bytes={(source / PLACE).stat().st_size // 2}-"


@pytest.mark.parametrize("second", ["no range", "wrong piece"])
def test_server_without_ranges_begins_again(second, site, source, tmp_path):
    site.next(TAKE, "half", second)
    assert same(get(site, tmp_path), source)


@pytest.mark.parametrize(
    "answer",
    [
        *("half without length", "cut at a frame", "page", "page as text", "empty", "garbage"),
        *("reset", "endless", "far too long", "compressed", "500", "503", "429"),
    ],
)
def test_one_bad_answer_is_tried_again(answer, site, source, tmp_path):
    site.next(TAKE, answer)
    assert same(get(site, tmp_path), source)


BAD = {
    "half without length": "03_01.amc: no sound motion file .line [0-9]+: .*, after 3 tries",
    "cut at a frame": "03_01.amc: 199 frames, 432 expected, after 3 tries",
    "page": "03_01.amc: a web page in place of the file, after 3 tries",
    "page as text": "03_01.amc: a web page in place of the file",
    "empty": "03_01.amc: an empty file",
    "garbage": "03_01.amc: no sound motion file",
    "endless": "03_01.amc: more than the [0-9]+ bytes that the file can have",
    "far too long": "03_01.amc: 1000000000000000 bytes, more than the file can have",
    "compressed": "03_01.amc: comes compressed",
}


@pytest.mark.parametrize("answer", BAD)
def test_wrong_content_is_refused(answer, site, source, tmp_path):
    site.next(TAKE, *[answer] * 9)
    with pytest.raises(WrongContent, match=BAD[answer]) as error:
        get(site, tmp_path)
    assert str(error.value).startswith(site.address) and len(str(error.value).splitlines()) == 1
    assert not (tmp_path / PLACE).exists() and not (tmp_path / "MANIFEST.csv").exists()
    assert (tmp_path / "asfamc/03/03_02.amc").exists()
    assert TAKE not in (tmp_path / "SHA256SUMS").read_text()
    site.plans.clear()
    assert same(get(site, tmp_path), source)


def test_server_in_trouble_ends_it_at_once(site, source, tmp_path):
    site.next(TAKE, *["500"] * 9)
    with pytest.raises(Unreachable, match="the server answers 500 .*1 of 3 files are in .*goes on from"):
        get(site, tmp_path)
    assert [name for name, _ in site.asked] == ["03.asf", TAKE, TAKE, TAKE]
    assert same(get(site, tmp_path, limits=Limits(tries=9, pause=0.0)), source)


def test_slow_server_is_given_up(site, tmp_path):
    site.always("dribble")
    began = time.monotonic()
    with pytest.raises(Unreachable, match="less than 2000 bytes a second for .*, after 3 tries"):
        get(site, tmp_path)
    assert time.monotonic() - began < 20


def test_silent_server_is_given_up(site, tmp_path):
    site.always("stall")
    with pytest.raises(Unreachable, match="03.asf: the answer stopped, after 2 tries"):
        get(site, tmp_path, limits=Limits(tries=2, pause=0.0, silence=0.2))


def test_page_of_the_network_for_everything(site, tmp_path):
    """A network that wants a login answers all addresses: two subjects are enough to see it."""
    site.always("page")
    with pytest.raises(WrongContent, match="01.asf: a web page in place of the file.*2 more failed"):
        get(site, tmp_path, None)
    assert {name for name, _ in site.asked} == {"01.asf", "02.asf", "03.asf"}


def test_subject_without_skeleton(site, tmp_path):
    site.next("03.asf", "404")
    with pytest.raises(NotThere, match="03.asf: the server answers 404 Not Found; 2 more failed"):
        get(site, tmp_path, ("03", "09"))
    assert [name for name, _ in site.asked if name.startswith("03_")] == []
    assert "asfamc/09" in (tmp_path / "MANIFEST.csv").read_text()


def test_no_network(tmp_path):
    message = "http://127.0.0.1:9/subjects/03/03.asf: connection refused, after 2 tries; 0 of 3 files"
    with pytest.raises(Unreachable, match=re.escape(message)):
        fetch.cmu(tmp_path, ["03"], "http://127.0.0.1:9", False, Limits(tries=2, pause=0.0))
    with pytest.raises(DatasetError, match="begins with http"):
        fetch.cmu(tmp_path, ["03"], "ftp://127.0.0.1", False)
    for site in ("http://", "http://[", "http://127.0.0.1:99999999"):
        with pytest.raises(DatasetError, match=re.escape(repr(site))):
            fetch.cmu(tmp_path, ["03"], site, False, Limits(tries=1))


def test_name_that_nobody_knows(tmp_path):
    with pytest.raises(Unreachable, match="no-such-site.invalid/subjects/03/03.asf: .*after 1 try") as error:
        fetch.cmu(tmp_path, ["03"], "http://no-such-site.invalid", False, Limits(tries=1))
    assert "HTTPConnectionPool" not in str(error.value)


def test_file_damaged_here_is_fetched_again(site, source, tmp_path):
    get(site, tmp_path)
    path = tmp_path / PLACE
    path.write_bytes(path.read_bytes()[:-5])
    site.asked.clear()
    assert same(get(site, tmp_path), source) and site.asked == [(TAKE, None)]


def test_file_that_changed_on_the_site_is_refused(site, source, tmp_path):
    get(site, tmp_path)
    data = (source / PLACE).read_bytes()
    site.changed[TAKE] = data.replace(b"lowerback 2", b"lowerback 3", 1)
    assert site.changed[TAKE] != data
    (tmp_path / PLACE).unlink()
    with pytest.raises(WrongContent, match="not the bytes that came first, of which SHA256SUMS"):
        get(site, tmp_path)
    assert not (tmp_path / PLACE).exists()
    sums = (tmp_path / "SHA256SUMS").read_text().splitlines(keepends=True)
    (tmp_path / "SHA256SUMS").write_text("".join(line for line in sums if TAKE not in line))
    get(site, tmp_path)
    assert (tmp_path / PLACE).read_bytes() == site.changed[TAKE]


def test_other_line_ends_are_the_same_content_and_other_numbers_are_named(site, source, tmp_path, capsys):
    data = (source / PLACE).read_bytes().replace(b"\r\n", b"\n")
    site.changed[TAKE] = data.replace(b"\n", b"\r\n")
    if site.changed[TAKE] == (source / PLACE).read_bytes():
        site.changed[TAKE] = data
    get(site, tmp_path / "ends")
    assert capsys.readouterr().err == "" and "differs" not in (tmp_path / "ends/MANIFEST.csv").read_text()
    site.changed[TAKE] = data.replace(b"lowerback 2", b"lowerback 3", 1)
    folder = get(site, tmp_path / "numbers")
    assert "1 sound file(s) whose content differs from the copy" in capsys.readouterr().err
    assert (folder / "MANIFEST.csv").read_text().count("content differs") == 1
    # A half is not continued with the other half of another version of the file.
    site.next(TAKE, "half")
    folder = get(site, tmp_path / "halves")
    assert (folder / PLACE).read_bytes() == site.changed[TAKE]
    assert [wanted is None for name, wanted in site.asked[-4:] if name == TAKE] == [True, False, True]


def test_files_put_there_by_hand_are_taken_where_they_are_known(site, source, tmp_path):
    (tmp_path / "asfamc").mkdir()
    shutil.copytree(source / "asfamc/03", tmp_path / "asfamc/03", copy_function=shutil.copyfile)
    path = tmp_path / "asfamc/03/03_02.amc"
    path.write_bytes(path.read_bytes()[:1000])
    assert same(get(site, tmp_path), source) and site.asked == [("03_02.amc", None)]


CHILD = """
import sys
from pathlib import Path
from lib.data import fetch
fetch.cmu(Path(sys.argv[1]), ["03"], progress=False)
"""


def test_killed_download_goes_on(site, source, tmp_path):
    site.next(TAKE, "stall")
    environment = {**os.environ, "CMU_SITE": site.address, "OMP_NUM_THREADS": "1"}
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], env=environment)
    part, half = tmp_path / ".fetch" / f"{TAKE}.part", (source / PLACE).stat().st_size // 2
    deadline = time.monotonic() + 120
    while not (part.is_file() and part.stat().st_size == half) and time.monotonic() < deadline:
        assert child.poll() is None
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert part.stat().st_size == half and not (tmp_path / PLACE).exists()
    assert not (tmp_path / "MANIFEST.csv").exists()
    site.asked.clear()
    assert same(get(site, tmp_path), source)
    assert site.asked == [(TAKE, f"bytes={half}-"), ("03_02.amc", None)]


def test_whole_half_is_not_fetched_again(site, source, tmp_path):
    """Killed between the last byte and the look at the content: the server has nothing to add."""
    (tmp_path / ".fetch").mkdir()
    shutil.copyfile(source / PLACE, tmp_path / ".fetch" / f"{TAKE}.part")
    (tmp_path / ".fetch/tmpabcd").write_bytes(b"left over by pooch")
    assert same(get(site, tmp_path), source)
    size = (source / PLACE).stat().st_size
    assert [wanted for name, wanted in site.asked if name == TAKE] == [f"bytes={size}-"]


def test_half_that_is_longer_than_the_file(site, source, tmp_path):
    (tmp_path / ".fetch").mkdir()
    (tmp_path / ".fetch" / f"{TAKE}.part").write_bytes(b"1\n" * 400_000)
    assert same(get(site, tmp_path), source)


def test_folder_that_cannot_be_written(site, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DatasetError, match="file: cannot be written"):
        get(site, tmp_path / "file")


def test_full_disk(site, source, tmp_path):
    """Under a limit on the length of files, since a full disk is hard to come by."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(DatasetError, match=r"cannot be written .File too large."):
            get(site, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / PLACE).exists() and not (tmp_path / "MANIFEST.csv").exists()
    assert same(get(site, tmp_path), source)


def test_progress_ends_full(site, source, tmp_path, capsys):
    site.next(TAKE, "half", "no range", "page")
    fetch.cmu(tmp_path, ["03"], site.address, progress=True, limits=QUICK)
    assert "100%" in capsys.readouterr().err.split("\r")[-1]
