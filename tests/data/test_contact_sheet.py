"""The contact sheet shows what is in a file, and the summary says it."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from imported import clip_of

from lib.data import pictures
from lib.data.clip import DatasetError
from lib.data.contact_sheet import CELL, GAP, HEAD, TITLE, contact_sheet, summary
from lib.data.dataset import open_dataset, write_dataset
from lib.skeleton import HAND_21, HUMAN36M_17

Image = pytest.importorskip("PIL.Image")

BLUE, ORANGE, GREY = (0, 114, 178), (230, 97, 0), (95, 103, 114)
GROUND = (238, 240, 242)


def write(path: Path, *clips, skeleton=HUMAN36M_17, **values) -> Path:
    subjects = sorted({clip.subject for clip in clips})
    split = {"train": [s for s in subjects if s != "S9"], "test": [s for s in subjects if s == "S9"]}
    about = {"source": "squares", "licence": "free", "generator": "test 1", "seed": 0}
    return write_dataset(path, clips, skeleton=skeleton, split=split, **(about | values))


def add_pictures(path: Path, size: int = 32) -> None:
    """Crops of one colour each, (7 row, 40, 80), of the left upper 48 px of the picture."""
    clips = open_dataset(path).clips
    with h5py.File(path, "r+") as file:
        for clip in clips:
            group = file[clip.group]
            count = len(group["joints_2d"])
            image = np.full((count, size, size, 3), (0, 40, 80), np.uint8)
            image[..., 0] = 7 * np.arange(count)[:, None, None]
            group.create_dataset("image", data=image, chunks=(1, size, size, 3))
            group.create_dataset("window", data=np.tile(np.float32([24, 24, 48]), (count, 1)))


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB")).astype(int)


def cell(sheet: np.ndarray, number: int, columns: int) -> np.ndarray:
    left = GAP + number % columns * (CELL + GAP)
    top = HEAD + number // columns * (CELL + TITLE + GAP)
    return sheet[top : top + CELL, left : left + CELL]


def has(part: np.ndarray, colour) -> bool:
    return bool((np.abs(part - np.array(colour)).max(-1) < 12).any())


def test_joints_lie_on_the_picture_where_they_are(tmp_path):
    clip = clip_of("S1", "Walking", "a")
    xy = np.full((9, 17, 2), 24.0)
    xy[:, HUMAN36M_17.index("left_wrist")] = (40, 8)
    xy[:, HUMAN36M_17.index("right_wrist")] = (8, 8)
    path = write(tmp_path / "a.h5", replace(clip, joints_2d=xy, joints_3d=None))
    add_pictures(path)
    assert contact_sheet(path, tmp_path / "a.png", columns=3, rows=3) == tmp_path / "a.png"
    sheet = read(tmp_path / "a.png")
    assert sheet.shape == (HEAD + 3 * (CELL + TITLE + GAP), GAP + 3 * (CELL + GAP), 3)
    for row in range(9):
        part = cell(sheet, row, 3)
        assert np.abs(part[-10:, :10] - (7 * row, 40, 80)).max() <= 2  # its own picture, in order
        for (x, y), colour in (((40, 8), BLUE), ((8, 8), ORANGE)):
            column, line = round(x / 48 * CELL), round(y / 48 * CELL)
            assert has(part[line - 2 : line + 3, column - 2 : column + 3], colour)
        assert not has(part[:, : CELL // 2 - 6], BLUE) and not has(part[:, CELL // 2 + 6 :], ORANGE)


def test_without_pictures_there_is_a_plain_ground(tmp_path):
    path = write(tmp_path / "a.h5", clip_of("S1", "Walking", "a"))
    part = cell(read(contact_sheet(path, tmp_path / "a.png", 2, 1)), 0, 2)
    assert tuple(part[0, 0]) == GROUND == tuple(part[-1, -1])
    assert has(part, BLUE) and has(part, ORANGE) and has(part, GREY)


def test_joints_without_a_label_are_hollow_and_hidden_ones_have_a_white_middle(tmp_path):
    xy = np.full((1, 17, 2), 24.0)
    wrist, elbow = HUMAN36M_17.index("left_wrist"), HUMAN36M_17.index("left_elbow")
    xy[:, wrist], xy[:, elbow] = (40, 8), (8, 40)
    middles = {}
    for name in ("seen", "labelled", "occluded"):
        flags = np.full((1, 17), name == "labelled")
        flags[:, wrist] ^= True
        clip = clip_of("S1", "Walking", "a", joints_3d=None, joints_2d=xy)
        clip = clip if name == "seen" else replace(clip, **{name: flags})
        path = write(tmp_path / f"{name}.h5", clip)
        add_pictures(path)
        part = cell(read(contact_sheet(path, path.with_suffix(".png"), 1, 1)), 0, 1)
        x, y = round(40 / 48 * CELL), round(8 / 48 * CELL)
        middles[name] = part[y, x], part[y - 4 : y - 2, x - 4 : x + 5]
    assert has(middles["seen"][0], BLUE)
    assert middles["occluded"][0].min() > 200
    assert has(middles["labelled"][1], BLUE) and not has(middles["seen"][1][:1], BLUE)


def test_hands_have_a_colour_for_each_finger(tmp_path):
    spread = np.random.default_rng(0).uniform(0, 100, (1, 21, 2))
    clip = clip_of("synth2", "Pictures", "a", joints_3d=None, joints_2d=spread)
    path = write(tmp_path / "hands.h5", clip, skeleton=HAND_21)
    part = cell(read(contact_sheet(path, tmp_path / "hands.png", 1, 1)), 0, 1)
    for colour in (ORANGE, (201, 161, 0), (0, 158, 115), BLUE, (176, 80, 138)):
        assert has(part, colour)


def test_few_frames_make_a_small_sheet_and_invalid_ones_are_not_drawn(tmp_path):
    valid = np.zeros(9, bool)
    valid[[2, 7]] = True
    path = write(tmp_path / "a.h5", clip_of("S1", "Walking", "a", valid=valid))
    add_pictures(path)
    sheet = read(contact_sheet(path, tmp_path / "a.png", 6, 4))
    assert sheet.shape[0] == HEAD + CELL + TITLE + GAP
    assert [cell(sheet, number, 6)[-5, 5, 0] for number in range(2)] == [14, 49]
    assert (cell(sheet, 2, 6) == 255).all()


def test_frames_are_spread_over_all_clips_and_the_seed_draws_others(tmp_path, monkeypatch):
    names = [f"Walking {number}" for number in range(1, 13)]
    path = write(tmp_path / "a.h5", *(clip_of("S1", name, "a") for name in names))
    add_pictures(path)
    rows = []
    real = pictures.StoredPictures.read
    monkeypatch.setattr(
        pictures.StoredPictures,
        "read",
        lambda self, row: (rows.append((self.group, *row)), real(self, row))[1],
    )
    first = contact_sheet(path, tmp_path / "1.png", 4, 3, seed=0).read_bytes()
    assert [group for group, _ in rows] == [
        f"/S1/{name}/a" for name in names
    ]  # one frame of each, no more
    assert contact_sheet(path, tmp_path / "2.png", 4, 3, seed=0).read_bytes() == first
    assert contact_sheet(path, tmp_path / "3.png", 4, 3, seed=1).read_bytes() != first
    assert {item.name for item in tmp_path.iterdir()} == {"a.h5", "1.png", "2.png", "3.png"}


def test_an_opened_dataset_will_do(tmp_path):
    path = write(tmp_path / "a.h5", clip_of("S1", "Walking", "a"))
    dataset = open_dataset(path)
    assert summary(dataset) == summary(path)
    assert contact_sheet(dataset, tmp_path / "a.png").exists()


def test_strange_names_and_places(tmp_path):
    wild = clip_of("S1", "W" * 100, "\u202e\n\u4eba" * 30)
    far = replace(wild, action="far", joints_3d=None, joints_2d=np.full((9, 17, 2), 1e30, np.float32))
    one = replace(far, action="one", joints_2d=np.full((9, 17, 2), 5, np.float32))
    path = write(tmp_path / "a.h5", wild, far, one, source="\0\x1b[31m " + "s" * 500)
    contact_sheet(path, tmp_path / "a.png", 3, 2)
    add_pictures(path)
    contact_sheet(path, tmp_path / "a.png", 3, 2)
    assert "\x1b" not in summary(path) and "\0" not in summary(path)


def test_a_damaged_picture_and_a_folder_that_cannot_be_written(tmp_path):
    path = write(tmp_path / "a.h5", clip_of("S1", "Walking", "a"))
    with h5py.File(path, "r+") as file:
        group = file["/S1/Walking/a"]
        image = np.random.default_rng(0).integers(0, 255, (9, 32, 32, 3), np.uint8)
        stored = group.create_dataset("image", data=image, chunks=(1, 32, 32, 3), compression="gzip")
        group.create_dataset("window", data=np.tile(np.float32([24, 24, 48]), (9, 1)))
        place = stored.id.get_chunk_info(4).byte_offset
    data = bytearray(path.read_bytes())
    data[place + 100 : place + 200] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="a.h5: /S1/Walking/a: pictures: row 4: cannot be read"):
        contact_sheet(path, tmp_path / "a.png", 9, 1)
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(DatasetError, match="a.h5/b.png: cannot be written"):
        contact_sheet(write(tmp_path / "b.h5", clip_of("S1", "W", "a")), path / "b.png")
    with pytest.raises(DatasetError, match="no such file"):
        summary(tmp_path / "c.h5")


def test_the_summary(tmp_path):
    lens = np.array([-0.2, 0.25, 0, 0.001, -0.002])
    clip = clip_of("S1", "Walking", "a")
    u = clip.joints_3d[..., :2].astype(float) / clip.joints_3d[..., 2:]
    r2 = (u**2).sum(-1, keepdims=True)
    bent = u * (1 - 0.2 * r2 + 0.25 * r2**2 + u @ lens[3:, None]) + lens[3:] * r2
    bent = bent * 60 + [32, 24]
    off = np.linalg.norm(bent - clip.joints_2d, axis=-1)
    train = replace(clip, joints_2d=bent, distortion=lens)
    moved = clip_of("S9", "Walking 2", "b", fps=50.0, valid=np.arange(9) > 2, labelled=np.arange(17) > 0)
    moved = replace(moved, labelled=np.tile(moved.labelled, (9, 1)), joints_2d=moved.joints_2d.copy())
    moved.joints_2d[:3] += 1000  # not valid
    moved.joints_2d[:, 0] += 1000  # not labelled
    moved.joints_2d[5:, 3] += (3, 4)
    path = write(tmp_path / "a.h5", train, moved, notes="one thing\nanother")
    add_pictures(path, 16)
    text = summary(path)
    head, first, second = (
        text.partition("\ntrain\n")[0],
        *text.partition("\ntrain\n")[2].split("\ntest\n"),
    )
    for line in (str(path), "squares", "free", "test 1, seed 0", "human36m_17, 17 joints"):
        assert line in head
    assert (
        "subjects  S1\n" in first
        and "clips     1, 9 frames\n" in first
        and "rate      25 frames" in first
    )
    assert "arrays    joints_3d, joints_2d, distortion, pictures\n" in first
    assert (
        f"pinhole   2D and 3D differ by {np.median(off):.3g} px (median), {off.max():.3g} px at" in first
    )
    lensed = float(first.partition("with lens 2D and 3D differ by ")[2].split()[0])
    assert lensed < 1e-4
    assert (
        "actions   Walking\n" in second and "9 frames, 6 valid" in second and "rate      50 " in second
    )
    assert "pictures  16 x 16 px" in second and "with lens" not in second
    assert "px (median), 5 px at most" in second
    assert "note      one thing\n" in second and second.endswith("note      another")


def test_the_summary_of_2d_alone(tmp_path):
    text = summary(write(tmp_path / "a.h5", clip_of("S9", "Pictures", "a", joints_3d=None)))
    assert "train" not in text and "test\n" in text
    assert "pictures  none" in text and "arrays    joints_2d" in text and "differ" not in text
