"""The command line of the dataset files: what it makes, says and answers, run in this process.

Building a collection is tested in test_collections.py.
"""

import os
import socket

import h5py
import numpy as np
import pytest
from PIL import Image
from readers import built_handdb, built_lsp

from lib.data import cutting, fetch_http
from lib.data.__main__ import main
from lib.data.dataset import open_dataset
from lib.data.importing import READERS, reader

SUBJECTS = ("manual_train", "manual_test", "synth1")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    """The data folder, where nothing is yet."""
    monkeypatch.setenv("POSE_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    folder = tmp_path_factory.mktemp("downloads") / "handdb"
    built_handdb.build(folder, 6, SUBJECTS)
    return folder


@pytest.fixture
def imported(download, data, capsys):
    """data/benchmarks/hands.h5, with pictures."""
    assert main(["import", "handdb", str(download), "--size", "24"]) == 0
    capsys.readouterr()
    return data / "benchmarks/hands.h5"


def told(capsys, status: int, expected: int = 1) -> str:
    """The one line of an error on stderr."""
    assert status == expected
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ") and "Traceback" not in lines[0], lines
    return lines[0]


def hidden(folder) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def test_import_puts_the_file_where_its_role_is_looked_for(download, data, capsys):
    assert main(["import", "handdb", str(download), "--size", "24"]) == 0
    answer = capsys.readouterr()
    path = data / "benchmarks/hands.h5"
    dataset = open_dataset(path)
    assert {clip.subject for clip in dataset.clips} == set(SUBJECTS)
    assert dataset.clips[0].pictures.shape[1:] == (24, 24, 3)
    first, second, *notes = answer.out.splitlines()
    assert first.startswith("handdb (http://domedb") and "not commercial" in first
    assert second.startswith(f"{path}: ") and "3 clips, 12 + 6 frames, 18 pictures, " in second
    assert notes == dataset.notes.splitlines() and answer.err == ""
    assert hidden(path.parent) == []


def test_import_with_another_place_role_and_options(download, data, tmp_path, capsys):
    out = tmp_path / "elsewhere/mine.h5"
    command = ["import", "handdb", str(download), "--size", "0", "--every", "2"]
    assert main([*command, "--subjects", "synth1, manual_test", "--out", str(out)]) == 0
    dataset = open_dataset(out)
    assert {clip.subject: len(clip) for clip in dataset.clips} == {"manual_test": 3, "synth1": 3}
    assert all(clip.pictures is None for clip in dataset.clips) and not data.exists()
    assert "pictures" not in capsys.readouterr().out.splitlines()[1]
    assert main([*command, "--role", "bodies"]) == 0
    assert [path.name for path in data.glob("*/*")] == ["bodies.h5"]


def test_a_file_that_is_there_is_replaced_when_forced_alone(imported, download, capsys):
    before = imported.read_bytes()
    command = ["import", "handdb", str(download), "--size", "0"]
    assert f"{imported}: there already; --force" in told(capsys, main(command))
    assert imported.read_bytes() == before
    assert main([*command, "--force"]) == 0
    assert imported.read_bytes() != before and open_dataset(imported).clips[0].pictures is None


def test_a_forced_import_that_fails_leaves_the_file(imported, download, capsys):
    before = imported.read_bytes()
    command = ["import", "handdb", str(download), "--subjects", "synth9", "--force"]
    assert "synth9" in told(capsys, main(command))
    assert imported.read_bytes() == before


@pytest.mark.parametrize("layout", READERS)
def test_a_folder_of_another_layout_is_refused_in_one_line(layout, tmp_path, data, capsys):
    folder = tmp_path / "download"
    folder.mkdir()
    (folder / "readme.txt").write_text("nothing of the kind")
    assert str(folder) in told(capsys, main(["import", layout, str(folder)]))
    # the download of another data set, and a file
    (folder / "hand_labels/manual_train").mkdir(parents=True)
    (folder / "hand_labels/manual_train/a.json").write_text("{}")
    told(capsys, main(["import", layout, str(folder)]))
    told(capsys, main(["import", layout, str(folder / "readme.txt")]))
    assert not list(data.rglob("*.h5"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    (
        (["coco", "{download}"], "no layout 'coco'; there are human36m, "),
        (["handdb", "{download}/nowhere"], "nowhere: no such file or folder"),
        (["handdb", "{download}", "--every", "0"], "--every 0"),
        (["handdb", "{download}", "--size", "-1"], "--size -1"),
        (["handdb", "{download}", "--out", "{download}/hands.h5"], "lies in the download"),
        (["handdb", "{download}", "--out", "{folder}", "--force"], "is a folder"),
        (["handdb", "{download}", "--out", "/dev/null/hands.h5"], "/dev/null"),
        (["videopose3d", "{download}", "--detections", "none.npz"], "data_3d_h36m.npz"),
    ),
)
def test_what_cannot_be_imported_is_told_in_one_line(arguments, words, download, tmp_path, data, capsys):
    arguments = [text.format(download=download, folder=tmp_path) for text in arguments]
    assert words in told(capsys, main(["import", *arguments]))
    assert not list(data.rglob("*.h5"))


def test_ctrl_c_stops_and_the_same_command_goes_on(download, data, monkeypatch, capsys):
    whole, seen = cutting.cut, []

    def interrupted(picture, window, size):
        seen.append(window)
        if len(seen) == 10:  # in the second clip
            raise KeyboardInterrupt
        return whole(picture, window, size)

    monkeypatch.setattr(cutting, "cut", interrupted)
    command = ["import", "handdb", str(download), "--size", "24"]
    assert main(command) == 130
    assert capsys.readouterr().err == "stopped; the same command goes on from here\n"
    folder = data / "benchmarks"
    assert not (folder / "hands.h5").exists() and not list(folder.rglob("*.part"))
    assert len(list(folder.rglob("*.h5"))) == 1
    assert main(command) == 0
    assert len(seen) == 10 + 12  # the first clip is not read again
    assert [len(clip) for clip in open_dataset(folder / "hands.h5").clips] == [6, 6, 6]
    assert hidden(folder) == []


def test_damaged_clips_can_be_left_out(tmp_path, data, capsys):
    folder = tmp_path / "handdb"
    built_handdb.build(folder, 3, ("synth1", "synth2"))
    (folder / "hand_labels_synth/synth1/00000001_r.json").write_text("{")
    command = ["import", "handdb", str(folder), "--size", "0"]
    assert "00000001_r.json" in told(capsys, main(command))
    assert main([*command, "--skip-damaged"]) == 0
    assert "left out: " in capsys.readouterr().out
    assert [clip.subject for clip in open_dataset(data / "benchmarks/hands.h5").clips] == ["synth2"]


def test_list_names_every_layout_and_what_is_there(data, imported, capsys):
    assert main(["list"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{data}: 1 dataset files\n  benchmarks/hands.h5  0.0 MiB\n")
    lines = {line.split()[0]: line for line in text.splitlines()[4:]}
    assert list(lines) == list(READERS)
    for name, line in lines.items():
        module = reader(name)
        assert f" role {module.ROLE} " in line and module.SITE in line
        assert ("hands.h5 there)" in line) == (name == "handdb") != ("not there)" in line)


def test_list_where_there_is_no_folder(data, capsys):
    assert main(["list"]) == 0
    assert capsys.readouterr().out.startswith(f"{data}: 0 dataset files\n\nLayouts")


def test_check_says_what_is_in_files(imported, tmp_path, capsys):
    other = tmp_path / "lsp.h5"
    built_lsp.build(tmp_path / "lsp", 4, 0, pictures=False)
    assert main(["import", "lsp", str(tmp_path / "lsp"), "--out", str(other)]) == 0
    capsys.readouterr()
    assert main(["check", str(imported), str(other)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{imported}: ") and lines[0].endswith("3 clips, 12 + 6 frames, 18 pictures")
    assert lines[2].startswith(f"{other}: ") and lines[2].endswith("2 clips, 2 + 2 frames")


def test_check_finds_what_is_damaged(imported, tmp_path, capsys):
    data = imported.read_bytes()
    broken = tmp_path / "broken.h5"
    for length in (0, 1000, len(data) // 2, len(data) - 1):
        broken.write_bytes(data[:length])
        assert str(broken) in told(capsys, main(["check", str(broken)]))
    with h5py.File(imported) as file:
        for name in ("image", "joints_2d"):
            group = "/synth1/Pictures/handdb"
            stored = file[f"{group}/{name}"].id
            chunk = stored.get_chunk_info(stored.get_num_chunks() - 1)
            flipped = bytearray(data)
            flipped[chunk.byte_offset + chunk.size - 2] ^= 0x10  # in the packed bytes' checksum
            broken.write_bytes(flipped)
            assert f"{broken}: {group}: " in told(capsys, main(["check", str(broken)])), name
    assert "nowhere.h5: no such file" in told(capsys, main(["check", str(tmp_path / "nowhere.h5")]))


def test_show_prints_a_summary_and_draws_a_sheet(imported, tmp_path, capsys):
    assert main(["show", str(imported)]) == 0
    text = capsys.readouterr().out
    assert "HandDB" in text and "hand_21" in text and "24 x 24 px" in text
    sheet = imported.with_suffix(".png")
    assert text.endswith(f"{sheet}\n")
    with Image.open(sheet) as image:
        assert image.format == "PNG" and len(np.unique(np.asarray(image.convert("L")))) > 20
    other = tmp_path / "sheet.png"
    assert main(["show", str(imported), "--out", str(other)]) == 0 and other.is_file()
    capsys.readouterr()
    place = tmp_path / "nowhere.h5"
    assert "no such file" in told(capsys, main(["show", str(place)]))
    told(capsys, main(["show", str(imported), "--out", "/dev/null/sheet.png"]))


def test_fetch_from_an_address_that_refuses(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fetch_http.time, "sleep", lambda seconds: None)
    monkeypatch.delenv("CMU_MOCAP", raising=False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nobody listens there
        site = f"http://127.0.0.1:{unused.getsockname()[1]}"
        folder = tmp_path / "cmu"
        status = main(["fetch", "cmu", "--site", site, "--folder", str(folder), "--subjects", "02"])
    line = told(capsys, status)
    assert site in line and "connection refused" in line and "0 of " in line
    assert "CMU_MOCAP" not in os.environ and not list(folder.rglob("*.asf"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    ((["--subjects", "999"], "no subject '999'"), (["--site", "ftp://somewhere"], "begins with http")),
)
def test_what_cannot_be_fetched_is_told_in_one_line(arguments, words, tmp_path, capsys):
    assert words in told(capsys, main(["fetch", "cmu", "--folder", str(tmp_path), *arguments]))
