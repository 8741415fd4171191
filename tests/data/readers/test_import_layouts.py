"""Every layout from a download to an opened file: the same properties for all, each imported once."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import built_bvh
import built_cmu
import built_h36m_fetch
import built_handdb
import built_human36m
import built_human36m_simple
import built_lsp
import built_mads
import built_mpi_inf_3dhp
import built_surreal
import built_videopose3d
import numpy as np
import pytest
from test_bvh_folder import turned_onto, world

from lib.data.clip import Clip
from lib.data.dataset import Dataset, check_pictures, open_dataset
from lib.data.importing import READERS, import_dataset
from lib.data.solids import PARTS
from lib.data.sources import Options
from lib.skeleton import HUMAN36M_17

JOINT = HUMAN36M_17.index
KEPT = list(built_human36m.KEPT)
CAMERAS = built_human36m.CAMERAS[:2]
TAKES = {"S1": ("TakingPhoto", "TakingPhoto 1"), "S9": ("Greeting 1",)}
DETECTED = "cpn_ft_h36m_dbb"


@dataclass(frozen=True)
class Truth:
    """What the builder says of a clip: joints where they are known (T, J, 2|3), and how near they come."""

    joints_2d: np.ndarray
    joints_3d: np.ndarray | None = None
    known: np.ndarray | None = None
    off: float = 0.01  # px; a tenth of it in mm


@dataclass(frozen=True)
class Layout:
    """How a layout is built and what is to come of it.

    truth(went, clip), None where the clip is seen by a camera that the builder does not know. shown(clip,
    row, went) gives places in px of the whole picture, as the crop shows them and as they should be, and
    within how many px, besides one of the crop, they are to agree. lens: px by which the camera of the
    clip may miss its own joints_2d, None where there are no joints_3d.
    """

    build: Callable[[Path], object]
    clips: int
    truth: Callable[[object, Clip], Truth] | None
    shown: Callable[[Clip, int, object], tuple[np.ndarray, np.ndarray, float]] | None = None
    size: int = 64
    masked: bool = False
    options: dict = field(default_factory=dict)
    lens: float | None = 0.02
    timeless: bool = False  # its rows follow each other in no rhythm: fps says nothing of them


def human36m_key(clip: Clip) -> tuple[str, str, str]:
    return clip.subject, clip.source.split(" ", 1)[1].replace("Photo", "TakingPhoto"), clip.camera


def human36m_truth(went, clip: Clip) -> Truth:
    one = went[human36m_key(clip)]
    return Truth(one.pixels[:, KEPT], one.joints[:, KEPT])


def fetched(went, clip: Clip):
    action, number = f"{clip.action} 1".split()[:2]
    return went[clip.subject, f"{action.replace('Photo', 'TakingPhoto')}-{number}", clip.camera]


def fetched_truth(went, clip: Clip) -> Truth:
    one = fetched(went, clip)
    return Truth(one.built.pixels[one.rows][:, KEPT], one.built.joints[one.rows][:, KEPT])


def videopose3d_truth(went, clip: Clip) -> Truth:
    subject, take, camera = human36m_key(clip)
    number = built_human36m.CAMERAS.index(camera)
    one = went[subject, take.replace("TakingPhoto", "Photo")]
    found = one[DETECTED][number][: len(one["world"])]
    np.testing.assert_allclose(clip.detected_2d, found, atol=0.01)
    return Truth(one["pixels"][number], one["joints"][number])


def simple_truth(went, clip: Clip) -> Truth:
    return Truth(128 * went[human36m_key(clip)]["shares"][:, KEPT])


def mpi_truth(went, clip: Clip) -> Truth:
    if clip.subject.startswith("S"):
        one = went[clip.subject, int(clip.action.split()[1]), int(clip.camera)]
        return Truth(one.joints_2d, one.joints_3d)
    one = went[clip.subject]
    numbers = {"Sitting 1": 0, "Miscellaneous 1": 4, "Sitting 2": 7}
    rows = slice(numbers[clip.action], numbers[clip.action] + len(clip))
    np.testing.assert_array_equal(clip.valid, one.valid[rows])
    known = np.repeat(one.valid[rows, None], 17, 1)
    return Truth(one.joints_2d[rows], one.joints_3d[rows], known)


def mpi_start(clip: Clip) -> int:
    return {"Miscellaneous 1": 4, "Sitting 2": 7}.get(clip.action, 0)


def lsp_truth(went, clip: Clip) -> Truth:
    labels = went[clip.subject[:5] if clip.subject == "LSPET" else "LSP"]
    rows = {"LSP-train": slice(0, 2), "LSP-test": slice(2, 4), "LSPET": slice(None)}[clip.subject]
    points = np.full((len(clip), 17, 2), np.nan)
    known = np.zeros((len(clip), 17), bool)
    for number, joint in enumerate(built_lsp.JOINTS_14):
        points[:, joint] = labels.points[rows][:, number] + 0.5
        known[:, joint] = labels.flags[rows][:, number] == 1 if clip.subject == "LSPET" else True
    return Truth(points, known=known)


def handdb_truth(went, clip: Clip) -> Truth:
    hands = went[clip.subject]
    points = np.stack([hand.points for hand in hands])
    for number, hand in enumerate(hands):
        if hand.left:
            points[number, :, 0] = hand.size[0] - points[number, :, 0]
    return Truth(points, known=np.stack([hand.labelled for hand in hands]))


def surreal_scene(went, clip: Clip):
    sequence, run, number = clip.action.split()
    return went[clip.subject.split("-")[0], run, sequence, int(number)]


def surreal_truth(went, clip: Clip) -> Truth:
    one = surreal_scene(went, clip)
    # The picture's person: its left is where the file's right joints are drawn.
    pixels = np.full((len(one.grey), 17, 2), np.nan)
    for joint, name in enumerate(HUMAN36M_17.joints):
        name = {"spine": "spine2", "thorax": "neck", "nose": "head", "head": None}.get(name, name)
        if name:
            side, _, rest = name.partition("_")
            name = f"{ {'left': 'right', 'right': 'left'}[side] }_{rest}" if rest else name
            pixels[:, joint] = one.joints_2d[:, built_surreal.JOINTS.index(name)]
    return Truth(pixels, known=~np.isnan(pixels[..., 0]), off=0.51)  # written rounded


def mads_truth(went, clip: Clip) -> Truth:
    one = went[clip.subject]
    K, R, t = one.cameras[int(clip.camera)]
    seen = built_mads.see(one.world, K, R, t)
    known = np.ones(seen.shape[:2], bool)
    known[2], known[4, 5], known[5, 10] = False, False, False
    known[5, JOINT("nose")] = False  # midway between thorax and head
    np.testing.assert_array_equal(clip.labelled, known)
    return Truth(seen, one.world @ R.T + t, known)


def in_picture(clip: Clip, row: int, points: np.ndarray) -> np.ndarray:
    """Places (n, 2) in px of the crop, in px of the whole picture."""
    x, y, side = clip.pictures.window[row]
    return np.array([x, y]) + (points / clip.pictures.shape[1] - 0.5) * side


def figure_on(ground: Callable[[Clip, int, object], np.ndarray], figure, half, near: float = 1.5):
    """A drawn figure before one colour, which tells the row: both are looked for in the crop.

    The figure's box is that of the joints, wider by ``half`` px on all sides, about.
    """

    def shown(clip: Clip, row: int, went):
        crop = clip.pictures.read([row])[0].astype(float)
        behind = np.broadcast_to(ground(clip, row, went), 3)
        away = np.linalg.norm(crop - np.asarray(figure), axis=-1)
        drawn = away < 0.5 * np.linalg.norm(np.asarray(figure) - behind)
        inside = crop.sum(-1) > 30  # black is what lies beyond the picture
        seen = np.median(crop[inside & ~drawn], axis=0)
        assert np.abs(seen - behind).max() < 5, "another picture's colour"
        if clip.pictures.masked:
            mask = clip.pictures.read_masks([row])[0] > 127
            assert (drawn & mask).sum() > 0.7 * (drawn | mask).sum()
        lines, columns = np.nonzero(drawn)
        found = np.array([[columns.min(), lines.min()], [columns.max() + 1, lines.max() + 1]])
        low, high = clip.joints_2d[row].min(0), clip.joints_2d[row].max(0)
        return in_picture(clip, row, found), np.stack([low - half, high + half]), near

    return shown


def mpi_shown(clip: Clip, row: int, went):
    # Lines have a fortieth of the picture's width, and no caps.
    half, near = (12, 13) if clip.subject == "TS5" else (2.5, 3)
    ground = figure_on(lambda *_: 10.0 * (mpi_start(clip) + row) + 20, (230, 190, 160), half, near)
    return ground(clip, row, went)


def lsp_shown(clip: Clip, row: int, went):
    """The brightest pixel near a joint is the joint's own, where no other one is near."""
    crop = clip.pictures.read([row])[0].astype(float).sum(-1)
    x, y, side = clip.pictures.window[row]
    size, found, expected = len(crop), [], []
    for number, joint in enumerate(built_lsp.JOINTS_14):
        place = clip.joints_2d[row, joint]
        others = np.delete(clip.joints_2d[row, built_lsp.JOINTS_14], number, 0)
        if clip.labelled[row, joint] and np.abs(others - place).max(1).min() > 4:
            column, line = ((place - [x, y]) / side * size + size / 2).astype(int)
            piece = crop[line - 2 : line + 3, column - 2 : column + 3]
            best = np.array(np.unravel_index(piece.argmax(), piece.shape))[::-1]
            assert piece.max() > 150, "nothing is there"
            found.append(in_picture(clip, row, best + (column - 1.5, line - 1.5)))
            expected.append(place)
    assert len(found) > 3
    return np.array(found), np.array(expected), 0.5


def handdb_shown(clip: Clip, row: int, went):
    crop = clip.pictures.read([row])[0].astype(float)
    block = np.linalg.norm(crop - built_handdb.WRIST, axis=-1) < 120
    return in_picture(clip, row, np.argwhere(block).mean(0)[::-1] + 0.5), clip.joints_2d[row, 0], 0.5


def surreal_shown(clip: Clip, row: int, went):
    """Each knee is in the middle of its lower leg's block; the picture has the row's grey."""
    crop = clip.pictures.read([row])[0]
    assert abs(np.median(crop[crop > 0]) - surreal_scene(went, clip).grey[row]) < 6
    parts, found, expected = clip.pictures.read_parts([row])[0], [], []
    mask = clip.pictures.read_masks([row])[0] > 127
    assert (mask & (parts > 0)).sum() > 0.7 * (mask | (parts > 0)).sum()
    for side in ("left", "right"):
        block = np.argwhere(parts == PARTS.index(f"{side}_lower_leg"))
        found.append(in_picture(clip, row, block.mean(0)[::-1] + 0.5))
        expected.append(clip.joints_2d[row, JOINT(f"{side}_knee")])
    return np.array(found), np.array(expected), 1


LAYOUTS = {
    "human36m": Layout(
        build=lambda folder: built_human36m.build(
            folder, TAKES, 6, CAMERAS, metadata=True, videos=True, masks=True
        ),
        clips=6,
        truth=human36m_truth,
        shown=figure_on(
            lambda clip, row, went: built_human36m.colour(row, built_human36m.SIZES[clip.camera]),
            (230,) * 3,
            half=14,
            near=3,
        ),
        masked=True,
    ),
    "h36m-fetch": Layout(
        build=lambda folder: built_h36m_fetch.build(
            folder, {"S1": ("TakingPhoto-1",), "S9": ("Greeting-1",)}, 15, CAMERAS, pictures=True
        ),
        clips=4,
        truth=fetched_truth,
        shown=figure_on(
            lambda clip, row, went: built_human36m.colour(
                fetched(went, clip).rows[row], built_human36m.SIZES[clip.camera]
            ),
            (230,) * 3,
            half=14,
            near=3,
        ),
        lens=15,  # a pinhole in place of the lens
        timeless=True,
    ),
    "videopose3d": Layout(
        build=lambda folder: built_videopose3d.build(folder, TAKES, 6, metadata=True),
        clips=12,
        truth=videopose3d_truth,
        options={"detections": Path(f"data_2d_h36m_{DETECTED}.npz")},
    ),
    "human36m-simple": Layout(
        build=lambda folder: built_human36m_simple.build(
            folder, {"S1": ("Walking", "Posing 1"), "S11": ("Walking",)}, 6, CAMERAS
        ),
        clips=6,
        truth=simple_truth,
        shown=figure_on(
            lambda clip, row, went: went[human36m_key(clip)]["colours"][row].astype(float), (250,) * 3, half=4
        ),
        masked=True,
        lens=None,
    ),
    "mpi-inf-3dhp": Layout(
        build=lambda folder: built_mpi_inf_3dhp.build(folder, True, (("S1", 1),), ("TS5",), 7, 256),
        clips=11,
        truth=mpi_truth,
        shown=mpi_shown,
        masked=True,
        lens=0.5,  # the test set's camera is a fit
    ),
    "lsp": Layout(
        build=lambda folder: built_lsp.build(folder, 4, 3),
        clips=3,
        truth=lsp_truth,
        shown=lsp_shown,
        size=256,
        lens=None,
        timeless=True,
    ),
    "handdb": Layout(
        build=built_handdb.build, clips=7, truth=handdb_truth, shown=handdb_shown, lens=None, timeless=True
    ),
    "surreal": Layout(
        build=lambda folder: built_surreal.build(
            folder,
            (("train", "run0", "01_01", 1), ("train", "run1", "02_03", 1), ("test", "run0", "ung_104_02", 1)),
        ),
        clips=3,
        truth=surreal_truth,
        shown=surreal_shown,
        size=192,
        masked=True,
    ),
    "mads": Layout(
        build=lambda folder: built_mads.build(folder, True, ("HipHop_HipHop1", "HipHop_HipHop3"), width=256),
        clips=6,
        truth=mads_truth,
        shown=figure_on(lambda clip, row, went: 10.0 * row + 20, (230, 190, 160), half=2.5, near=3),
        lens=0.5,  # the lens of the files is not that of clips
    ),
    "cmu": Layout(build=lambda folder: built_cmu.build(folder, ("81", "9"), 1), clips=8, truth=None),
    "bvh": Layout(build=lambda folder: built_bvh.build(folder, takes=1), clips=8, truth=None),
}


@dataclass(frozen=True)
class Imported:
    """A layout's download, what went in, and what came out of it: of all frames, and of each second."""

    name: str
    went: object
    dataset: Dataset
    halved: Dataset
    before: dict
    after: dict
    left: list[str]

    @property
    def layout(self) -> Layout:
        return LAYOUTS[self.name]


def tree(folder: Path) -> dict:
    """Each file and folder below: its bytes, and when it was last written."""
    return {
        str(path.relative_to(folder)): (
            path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest(),
            path.stat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture(scope="module", params=LAYOUTS)
def imported(request, tmp_path_factory) -> Imported:
    layout, folder = LAYOUTS[request.param], tmp_path_factory.mktemp(request.param)
    download, out = folder / "download", folder / "out"
    download.mkdir()
    went = layout.build(download)
    before = tree(download)
    options = Options(size=layout.size, **layout.options)
    whole = import_dataset(request.param, download, out / "whole.h5", options)
    halved = import_dataset(request.param, download, out / "halved.h5", replace(options, every=2))
    left = sorted(path.name for path in out.iterdir())
    return Imported(
        request.param, went, open_dataset(whole), open_dataset(halved), before, tree(download), left
    )


def counted(clip: Clip) -> np.ndarray:
    """The frames that count."""
    return np.flatnonzero(np.ones(len(clip), bool) if clip.valid is None else clip.valid)


def test_all_layouts_are_here():
    assert list(LAYOUTS) == list(READERS)


def test_pictures_are_stored_where_the_layout_has_them(imported):
    dataset, layout = imported.dataset, imported.layout
    assert len(dataset.clips) == layout.clips
    pictured = [clip for clip in dataset.clips if clip.pictures is not None]
    assert len(pictured) == (layout.clips if layout.shown else 0)
    assert check_pictures(dataset) == sum(map(len, pictured))
    for clip in pictured:
        assert clip.pictures.shape == (len(clip), layout.size, layout.size, 3)
        assert (clip.pictures.background is not None) == clip.static
    assert any(clip.pictures.masked for clip in pictured) == layout.masked


def test_joints_are_those_that_went_in(imported):
    for clip in imported.dataset.clips:
        if imported.layout.truth is None:
            step = {"cmu": 4, "bvh": 2}[imported.name]
            assert turned_onto(world(clip), imported.went[clip.source][::step]) < 0.2, clip.group
            continue
        truth = imported.layout.truth(imported.went, clip)
        known = np.ones(clip.joints_2d.shape[:2], bool) if truth.known is None else truth.known
        assert known.any(1).sum() >= min(2, len(clip))
        assert np.abs(clip.joints_2d - truth.joints_2d)[known].max() < truth.off, clip.group
        if truth.joints_3d is not None:
            assert np.abs(clip.joints_3d - truth.joints_3d)[known].max() < 0.1 * truth.off + 0.01, clip.group


def test_joints_project_through_the_stored_camera(imported):
    for clip in imported.dataset.clips:
        if imported.layout.lens is None:
            assert clip.joints_3d is None
            continue
        rows = counted(clip)
        k1, k2, k3, p1, p2 = np.zeros(5) if clip.distortion is None else clip.distortion
        x, y, z = np.moveaxis(clip.joints_3d[rows].astype(float), -1, 0)
        x, y = x / z, y / z
        square = x**2 + y**2
        factor = 1 + k1 * square + k2 * square**2 + k3 * square**3 + p1 * x + p2 * y
        u = clip.K[0, 0] * (x * factor + p1 * square) + clip.K[0, 2]
        v = clip.K[1, 1] * (y * factor + p2 * square) + clip.K[1, 2]
        off = np.linalg.norm(np.stack([u, v], -1) - clip.joints_2d[rows], axis=-1)
        assert off.max() < imported.layout.lens, clip.group
        assert (clip.distortion is not None) == (imported.name in ("human36m", "videopose3d", "mads"))


def test_crops_show_the_person_where_the_joints_say(imported):
    layout = imported.layout
    if layout.shown is None:
        pytest.skip("a layout without pictures")
    for clip in imported.dataset.clips:
        rows = counted(clip)
        if clip.labelled is not None and imported.name == "mads":
            rows = rows[clip.labelled[rows].all(1)]  # a figure is drawn whole
        for row in rows[[0, len(rows) // 2, -1]]:
            found, expected, near = layout.shown(clip, row, imported.went)
            pixel = clip.pictures.window[row, 2] / layout.size
            assert np.abs(found - expected).max() < near + pixel, (clip.group, row)


def test_nothing_is_written_in_the_download_or_left_behind(imported):
    assert imported.before == imported.after
    assert imported.left == ["halved.h5", "whole.h5"]


def test_every_second_frame_is_half_of_everything(imported):
    assert [clip.group for clip in imported.halved.clips] == [clip.group for clip in imported.dataset.clips]
    for whole, half in zip(imported.dataset.clips, imported.halved.clips, strict=True):
        assert len(half) == -(-len(whole) // 2)
        assert half.fps == (whole.fps if imported.layout.timeless else whole.fps / 2)
        for name in ("joints_3d", "joints_2d", "detected_2d", "valid", "labelled", "occluded"):
            one, other = getattr(whole, name), getattr(half, name)
            assert (one is None) == (other is None), name
            if one is not None:
                np.testing.assert_allclose(one[::2][counted(half)], other[counted(half)], atol=1e-3)
        if half.pictures is None:
            continue
        rows = counted(half)  # another frame's window stands in for one that does not count
        for name in ("read", "read_masks", "read_parts"):
            one, other = (getattr(clip.pictures, name) for clip in (whole, half))
            if (seen := other(rows)) is not None:
                np.testing.assert_array_equal(one(2 * rows), seen, err_msg=name)


def test_split_and_words(imported):
    dataset = imported.dataset
    subjects = {clip.subject for clip in dataset.clips}
    assert subjects == {*dataset.split["train"], *dataset.split["test"]}
    assert bool(dataset.split["test"]) == (imported.name not in ("cmu", "bvh"))
    made = f"import {imported.name} 1, "
    made += f"crops of {imported.layout.size} px" if imported.layout.shown else "without pictures"
    assert dataset.generator == made and imported.halved.generator == f"{made}, every 2th frame"
    assert dataset.source and dataset.licence and dataset.notes
