"""Importing: what went in comes out, a break costs one clip, an error leaves nothing that looks whole."""

import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from imported import FRAMES, HEIGHT, WIDTH, Layout, clip_of, picture, scene, use
from readers import built_handdb

from lib.data import importing
from lib.data.cutting import MARGIN, cut, cut_labels, windows
from lib.data.dataset import DatasetError, check_pictures, open_dataset
from lib.data.importing import import_dataset
from lib.data.sources import Options

ROOT = Path(__file__).resolve().parents[2]
SMALL = Options(size=24)


@pytest.fixture
def download(tmp_path):
    folder = tmp_path / "download"
    folder.mkdir()
    return folder


def test_what_went_in_comes_out(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout())
    out = import_dataset("squares", download, tmp_path / "out/studio.h5", SMALL)
    dataset = open_dataset(out)
    assert [clip.group for clip in dataset.clips] == [
        f"/{who}/{action}/a" for who in ("S1", "S9") for action in ("Walking", "Walking 2", "Walking 3")
    ]
    # a subject without a clip is not in the file's split
    assert dataset.split == {"train": ("S1",), "test": ("S9",)}
    assert (dataset.source, dataset.licence, dataset.notes) == ("squares that move", "free", "a note")
    assert dataset.generator == "import squares 1, crops of 24 px"
    for clip in dataset.clips:
        expected = clip_of(clip.subject, clip.action, "a")
        np.testing.assert_array_equal(clip.joints_3d, expected.joints_3d)
        np.testing.assert_array_equal(clip.joints_2d, expected.joints_2d)
        assert clip.pictures.shape == (FRAMES, 24, 24, 3)
    assert check_pictures(dataset) == 6 * FRAMES
    assert list(out.parent.iterdir()) == [out]


def test_crops_show_what_the_window_says(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout())
    clip = open_dataset(import_dataset("squares", download, tmp_path / "s.h5", SMALL)).clips[0]
    rows = [FRAMES - 1, 0, 4, 4]
    crops = clip.pictures.read(rows)
    for crop, mask, part, row in zip(
        crops, clip.pictures.read_masks(rows), clip.pictures.read_parts(rows), rows, strict=True
    ):
        x, y, side = clip.pictures.window[row]
        image = picture(clip, row)
        # An oracle: the mean of many samples, each the pixel that it falls into.
        steps = ((np.arange(24 * 20) + 0.5) / (24 * 20) - 0.5) * side
        columns, lines = np.floor(x + steps).astype(int), np.floor(y + steps).astype(int)
        inside = ((lines >= 0) & (lines < HEIGHT))[:, None] & ((columns >= 0) & (columns < WIDTH))
        nearest = image[lines.clip(0, HEIGHT - 1)[:, None], columns.clip(0, WIDTH - 1)]
        seen = np.where(inside[..., None], nearest, 0)
        mean = seen.reshape(24, 20, 24, 20, 3).mean((1, 3))
        assert np.median(np.abs(mean - crop)) <= 2
        # the spot is where the crop says that the person's middle is
        spot = np.argwhere(mask > 0).mean(0)[::-1] + 0.5
        middle = (clip.joints_2d[row].mean(0).round() + 0.5 - [x, y]) / side * 24 + 12
        assert np.abs(spot - middle).max() < 0.7
        assert set(np.unique(mask)) <= {0, 255} and set(np.unique(part)) <= {0, 7}
        assert (mask > 0)[part > 0].mean() > 0.6


def test_windows_hold_the_person_with_the_margin():
    clip = clip_of("S1", "Walking", "a")
    low, high = clip.joints_2d.min(1), clip.joints_2d.max(1)
    box = windows(clip)
    np.testing.assert_allclose(box[:, :2], (low + high) / 2, atol=1e-4)
    np.testing.assert_allclose(box[:, 2], MARGIN * (high - low).max(1), rtol=1e-5)


def test_windows_of_frames_that_show_nobody_are_those_before():
    labelled = np.ones((FRAMES, 17), bool)
    labelled[3, 1:] = False  # one joint is no box
    valid = np.ones(FRAMES, bool)
    valid[[0, 1, 6]] = False
    box = windows(clip_of("S1", "Walking", "a", labelled=labelled, valid=valid))
    whole = windows(clip_of("S1", "Walking", "a"))
    source = [2, 2, 2, 2, 4, 5, 5, 7, 8]
    np.testing.assert_allclose(box, whole[source])
    with pytest.raises(DatasetError, match="/S1/Walking/a: joints_2d: no frame"):
        windows(clip_of("S1", "Walking", "a", labelled=np.zeros((FRAMES, 17), bool)))


def test_windows_look_at_labelled_joints_alone():
    labelled = np.ones((FRAMES, 17), bool)
    labelled[:, 5] = False
    far = clip_of("S1", "Walking", "a").joints_2d.copy()
    far[:, 5] = 10_000
    without = clip_of("S1", "Walking", "a", labelled=labelled, joints_2d=far)
    assert windows(without)[:, 2].max() < 200


def test_cutting_beyond_the_picture_is_black():
    image = np.full((20, 30, 3), 200, np.uint8)
    assert cut(image, np.array([500.0, 10, 10]), 8).max() == 0
    half = cut(image, np.array([0.0, 10, 10]), 8)
    assert half[:, :4].max() == 0 and half[:, 4:].min() == 200
    labels = cut_labels(image[..., 0], np.array([0.0, 10, 10]), 8)
    assert labels[:, :4].max() == 0 and labels[:, 4:].min() == 200


def test_background_is_the_median_of_all_clips_of_a_still_camera(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout())
    dataset = open_dataset(import_dataset("squares", download, tmp_path / "s.h5", Options(size=16)))
    for clip in dataset.clips:
        pictures = clip.pictures
        np.testing.assert_array_equal(pictures.background_window, [32, 24, 64])
        # 64 px for a scene 64 px wide: its pixels, without the person who walked through
        assert pictures.background.shape == (64, 64, 3)
        difference = np.abs(pictures.background[8:56].astype(int) - scene())
        assert (difference > 3).mean() < 0.01 and pictures.background[:8].max() == 0
    # kept once, in the file and in memory
    assert len({id(clip.pictures.background) for clip in dataset.clips}) == 2


def test_no_background_where_the_camera_moves(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout(still=False))
    dataset = open_dataset(import_dataset("squares", download, tmp_path / "s.h5", SMALL))
    assert all(clip.pictures.background is None and not clip.static for clip in dataset.clips)


def test_without_pictures(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout())
    dataset = open_dataset(import_dataset("squares", download, tmp_path / "s.h5", Options(size=0)))
    assert dataset.generator == "import squares 1, without pictures"
    assert all(clip.pictures is None for clip in dataset.clips)


def test_a_broken_off_import_goes_on(download, tmp_path, monkeypatch):
    out = tmp_path / "s.h5"
    broken, whole = Layout(fails="/S9/Walking 2/a"), Layout()
    use(monkeypatch, broken)
    with pytest.raises(DatasetError, match="/S9/Walking 2/a: damaged"):
        import_dataset("squares", download, out, SMALL)
    assert not out.exists()
    use(monkeypatch, whole)
    import_dataset("squares", download, out, SMALL)
    assert broken.read[:4] == ["/S1/Walking/a", "/S1/Walking 2/a", "/S1/Walking 3/a", "/S9/Walking/a"]
    assert whole.read == ["/S9/Walking 2/a", "/S9/Walking 3/a"]
    at_once = import_dataset("squares", download, tmp_path / "other.h5", SMALL)
    with h5py.File(out) as one, h5py.File(at_once) as other:
        names = []
        one.visit(names.append)
        for name in names:
            if isinstance(one[name], h5py.Dataset):
                np.testing.assert_array_equal(one[name][()], other[name][()])


def test_another_size_begins_again(download, tmp_path, monkeypatch):
    out = tmp_path / "s.h5"
    use(monkeypatch, Layout(fails="/S9/Walking 3/a"))
    with pytest.raises(DatasetError):
        import_dataset("squares", download, out, SMALL)
    again = Layout()
    use(monkeypatch, again)
    dataset = open_dataset(import_dataset("squares", download, out, Options(size=20)))
    assert len(again.read) == 6
    assert {clip.pictures.shape[1] for clip in dataset.clips} == {20}


def test_damaged_clips_can_be_left_out_by_name(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout(fails="/S9/Walking 2/a"))
    dataset = open_dataset(
        import_dataset("squares", download, tmp_path / "s.h5", SMALL, skip_damaged=True)
    )
    assert len(dataset.clips) == 5
    assert dataset.notes.splitlines() == ["a note", f"left out: {download}: /S9/Walking 2/a: damaged"]


def test_clips_without_a_frame_that_counts_are_left_out_and_counted(download, tmp_path, monkeypatch):
    layout = Layout()
    find = layout.source
    nobody = clip_of("S1", "Walking", "a", valid=np.zeros(FRAMES, bool))
    layout.source = lambda *names: type(made := find(*names))(
        **{**made.__dict__, "read": lambda: nobody if made.group == nobody.group else made.read()}
    )
    use(monkeypatch, layout)
    dataset = open_dataset(import_dataset("squares", download, tmp_path / "s.h5", SMALL))
    assert len(dataset.clips) == 5
    assert dataset.notes.splitlines()[1] == "1 clip(s) left out, no frame of which counts: /S1/Walking/a"


KILLED = """
import sys, time
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
from types import SimpleNamespace
import imported
from lib.data import importing
from lib.data.sources import Options
slow = imported.picture
def picture(clip, row):
    time.sleep(0.02)
    return slow(clip, row)
imported.picture = picture
layout = imported.Layout(clips=12)
importing.reader = lambda name: layout
importing.import_dataset("squares", Path(sys.argv[1]), Path(sys.argv[2]), Options(size=24))
"""


def test_a_kill_leaves_no_file_that_looks_whole(download, tmp_path, monkeypatch):
    out = tmp_path / "s.h5"
    script = KILLED.format(tests=str(Path(__file__).parent), root=str(ROOT))
    process = subprocess.Popen([sys.executable, "-c", script, str(download), str(out)])
    folder = tmp_path / ".s.h5.import"
    for _ in range(1200):
        if len(list(folder.glob("*.h5"))) >= 2 and list(folder.glob("*.part")):
            break
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not out.exists()
    kept = len(list(folder.glob("*.h5")))
    layout = Layout(clips=12)
    use(monkeypatch, layout)
    dataset = open_dataset(import_dataset("squares", download, out, SMALL))
    assert len(dataset.clips) == 24 and check_pictures(dataset) == 24 * FRAMES
    assert len(layout.read) == 24 - kept and kept >= 2
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


FULL = """
import resource, signal, sys
sys.path[:0] = [{tests!r}, {root!r}]
from pathlib import Path
import imported
from lib.data import importing
from lib.data.dataset import DatasetError
from lib.data.sources import Options
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
layout = imported.Layout(clips=2)
importing.reader = lambda name: layout
try:
    importing.import_dataset("squares", Path(sys.argv[1]), Path(sys.argv[2]), Options(size=64))
except DatasetError as error:
    print(error)
"""


@pytest.mark.parametrize("limit", (4_000, 300_000))
def test_a_full_disk_is_told_and_leaves_nothing(download, tmp_path, monkeypatch, limit):
    out = tmp_path / "s.h5"
    script = FULL.format(tests=str(Path(__file__).parent), root=str(ROOT), limit=limit)
    answer = subprocess.run(
        [sys.executable, "-c", script, str(download), str(out)], capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    assert "cannot be written" in answer.stdout and len(answer.stdout.splitlines()) == 1
    assert not out.exists() and not list(tmp_path.rglob("*.part")) and not list(tmp_path.glob("*.tmp"))
    use(monkeypatch, Layout(clips=2))
    assert len(open_dataset(import_dataset("squares", download, out, Options(size=64))).clips) == 4


def test_two_imports_of_one_file(download, tmp_path, monkeypatch):
    out = tmp_path / "s.h5"
    layout = Layout()
    use(monkeypatch, layout)
    find = layout.source

    def source(path, subject, action):
        made = find(path, subject, action)
        read = made.read

        def twice():
            with pytest.raises(DatasetError, match="another import is writing it"):
                other = Layout()
                use(monkeypatch, other)
                import_dataset("squares", download, out, SMALL)
            return read()

        return type(made)(**{**made.__dict__, "read": twice})

    layout.source = source
    import_dataset("squares", download, out, SMALL)
    assert open_dataset(out)


def test_the_download_is_never_written_into(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout())
    with pytest.raises(DatasetError, match="lies in the download that is read"):
        import_dataset("squares", download, download / "studio.h5", SMALL)
    assert list(download.iterdir()) == []


def test_a_clip_found_twice_is_refused(download, tmp_path, monkeypatch):
    layout = Layout()
    find = layout.find

    def twice(path, options):
        found = find(path, options)
        return type(found)(**{**found.__dict__, "sources": found.sources + found.sources[:1]})

    layout.find = twice
    use(monkeypatch, layout)
    with pytest.raises(DatasetError, match="/S1/Walking/a is in"):
        import_dataset("squares", download, tmp_path / "s.h5", SMALL)


@pytest.mark.parametrize(
    ("stream", "message"),
    (
        (lambda: iter(()), "picture 0: there is none"),
        (lambda: (scene()[:, :, :2] for _ in range(FRAMES)), "picture 0: uint8 of shape"),
        (lambda: (scene().astype(float) for _ in range(FRAMES)), "picture 0: float64"),
        (lambda: (scene() for _ in range(FRAMES - 1)), f"picture {FRAMES - 1}: there is none"),
    ),
)
def test_wrong_pictures_are_refused(download, tmp_path, monkeypatch, stream, message):
    layout = Layout()
    find = layout.source

    def frames():
        yield from stream()

    layout.source = lambda *names: type(made := find(*names))(**{**made.__dict__, "frames": frames})
    use(monkeypatch, layout)
    with pytest.raises(DatasetError, match=message):
        import_dataset("squares", download, tmp_path / "s.h5", SMALL)
    assert not (tmp_path / "s.h5").exists()


def test_an_unknown_layout_names_the_known():
    with pytest.raises(DatasetError, match="no layout 'coco'; there are human36m, "):
        importing.reader("coco")


def test_what_is_not_there(tmp_path):
    with pytest.raises(DatasetError, match="no such file or folder"):
        import_dataset("lsp", tmp_path / "nothing", tmp_path / "s.h5")


def test_damaged_pictures_are_found_by_the_check(download, tmp_path, monkeypatch):
    use(monkeypatch, Layout())
    out = import_dataset("squares", download, tmp_path / "s.h5", SMALL)
    with h5py.File(out) as file:
        image = file["/S9/Walking/a/image"].id
        place = image.get_chunk_info_by_coord((3, 0, 0, 0))
    data = bytearray(out.read_bytes())
    middle = place.byte_offset + place.size // 2
    for byte in range(middle, middle + 8):
        data[byte] ^= 0xFF
    out.write_bytes(data)
    dataset = open_dataset(out)
    with pytest.raises(DatasetError, match="/S9/Walking/a: pictures: row 3: cannot be read"):
        check_pictures(dataset)


def test_two_dimensional_clips_and_flags_survive(tmp_path, download, monkeypatch):
    labelled = np.random.default_rng(1).random((FRAMES, 17)) > 0.3
    labelled[:, :2] = True
    extra = {
        "joints_3d": None, "labelled": labelled, "occluded": ~labelled, "static": False,
        "valid": np.arange(FRAMES) > 1, "distortion": np.array([0.1, 0.2, 0.3, 0.4, 0.5]),
    }  # fmt: skip
    clip = clip_of("S1", "Walking", "a", **extra)
    layout = Layout(clips=1)
    find = layout.source
    layout.source = lambda *names: type(made := find(*names))(
        **{**made.__dict__, "read": lambda: clip if made.subject == "S1" else made.read()}
    )
    use(monkeypatch, layout)
    read = open_dataset(import_dataset("squares", download, tmp_path / "s.h5", SMALL)).clips[0]
    assert read.joints_3d is None and not read.static
    for name in ("labelled", "occluded", "valid", "distortion", "joints_2d"):
        np.testing.assert_array_equal(getattr(read, name), getattr(clip, name))


def test_memory_does_not_grow_with_the_pictures(download, tmp_path, monkeypatch):
    import tracemalloc

    use(monkeypatch, Layout(clips=20))
    tracemalloc.start()
    import_dataset("squares", download, tmp_path / "s.h5", Options(size=64))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    written = 40 * FRAMES * 64 * 64 * 5
    views = 40 * FRAMES * 256 * 256 * 3
    assert peak < 60 * 256 * 256 * 3 * 3 < written + views


def zipped(path, folder):
    """All files of a folder in an archive, with their paths within it."""
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder))
    return path


def parts_of_a_download(tmp_path):
    """HandDB's two archives of whole folders, and the folder they were made from."""
    tree = tmp_path / "tree"
    built_handdb.build(tree)
    archives = tmp_path / "archives"
    archives.mkdir()
    for part in sorted(item for item in tree.iterdir() if item.is_dir()):
        alone = tmp_path / "alone" / part.name
        shutil.copytree(part, alone / part.name)
        zipped(archives / f"{part.name}.zip", alone)
    return tree, archives


def test_archives_are_unpacked_into_one_tree(tmp_path):
    tree, archives = parts_of_a_download(tmp_path)
    before = sorted(path.name for path in archives.iterdir())
    whole = open_dataset(import_dataset("handdb", tree, tmp_path / "a/hands.h5", SMALL))
    again = open_dataset(import_dataset("handdb", archives, tmp_path / "b/hands.h5", SMALL))
    assert [clip.group for clip in again.clips] == [clip.group for clip in whole.clips]
    for one, other in zip(whole.clips, again.clips, strict=True):
        np.testing.assert_array_equal(one.joints_2d, other.joints_2d)
        rows = range(len(one))
        np.testing.assert_array_equal(one.pictures.read(rows), other.pictures.read(rows))
    assert sorted(path.name for path in archives.iterdir()) == before
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["hands.h5"]


def test_a_broken_archive_ends_the_import(tmp_path):
    _, archives = parts_of_a_download(tmp_path)
    broken = sorted(archives.iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:-300])
    with pytest.raises(DatasetError, match=broken.name):
        import_dataset("handdb", archives, tmp_path / "hands.h5", SMALL)
    assert not (tmp_path / "hands.h5").exists()
