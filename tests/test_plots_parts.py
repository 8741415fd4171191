"""Figures with segmentations: colours that everybody tells apart, every panel where it belongs."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib import plots, plots_parts
from lib.plots_images import PREDICTED, TRUE
from lib.plots_parts import PART_COLOURS, coloured_parts, part_grid, part_rows, show_parts
from lib.skeleton import HAND_21, HUMAN36M_17

J = len(HUMAN36M_17)
# How linear RGB is seen with a full deficiency; Machado, Oliveira and Fernandes, 2009.
SEEN = {
    "normal": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}  # fmt: skip
TO_XYZ = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def lab(linear):
    """CIELAB of linear RGB (N, 3)."""
    xyz = linear.clip(0, 1) @ TO_XYZ.T / [0.9505, 1, 1.089]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)


def panels(figure):
    return [ax for ax in figure.axes if ax.lines or ax.images]


@pytest.mark.parametrize("vision", SEEN)
def test_everybody_tells_the_parts_apart(vision):
    colours = coloured_parts(np.arange(11)[:, None])[:, 0] / 255
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    seen = lab(linear @ np.array(SEEN[vision]).T)
    apart = np.linalg.norm(seen[:, None] - seen[None], axis=-1) + 1e3 * np.eye(11)
    assert apart.min() > 25


def test_a_label_has_the_colour_of_its_part():
    picture = coloured_parts(np.array([[0, 1], [2, 10]]))
    assert picture.shape == (2, 2, 3) and picture.dtype == np.uint8
    names = ["background", "head", "torso", "right_lower_leg"]
    for pixel, name in zip(picture.reshape(4, 3), names, strict=True):
        assert "#" + bytes(pixel.tolist()).hex() == PART_COLOURS[name]
    with pytest.raises(ValueError, match="labels are 0 to 10, not 0 to 11"):
        coloured_parts([[0, 11]])
    assert coloured_parts(np.zeros((0, 4, 4), int)).shape == (0, 4, 4, 3)


def test_the_parts_are_those_of_the_puppet():
    puppet = pytest.importorskip("lib.puppet")
    assert tuple(PART_COLOURS)[1:] == tuple(puppet.PARTS)


def test_pictures_maps_and_segmentations_are_told_apart(rng):
    _, axes = plots.subplots(1, 3)
    labels = rng.integers(0, 11, (8, 8), dtype=np.uint8)
    show_parts(axes[0], rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    show_parts(axes[1], rng.random((8, 8)))
    show_parts(axes[2], labels)
    assert [len(ax.patches) for ax in axes] == [0, 0, 1]  # a frame around a segmentation
    assert axes[1].images[0].get_cmap().name == "Greys"
    np.testing.assert_array_equal(axes[2].images[0].get_array(), coloured_parts(labels))


def test_a_grid_leaves_places_empty_and_names_rows_and_columns(rng):
    picture = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    labels = rng.integers(0, 11, (8, 8), dtype=np.uint8)
    figure = part_grid(
        [[picture, labels], [None, labels]], ["image", "parts"], ["one", "two"], heads=["a", ""]
    )
    assert len(figure.axes) == 4 and len(panels(figure)) == 3
    assert [ax.get_title() for ax in figure.axes[:2]] == ["a\nimage", "\nparts"]
    # the name of a row stands on its first picture
    assert [[t.get_text() for t in ax.texts] for ax in figure.axes] == [["one"], [], [], ["two"]]
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named == [name.replace("_", " ") for name in list(PART_COLOURS)[1:]]
    assert not part_grid([[picture]], ["image"]).legends
    with pytest.raises(ValueError):
        part_grid([[picture, picture]], ["image"])


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_row_has_the_pose_from_two_sides_and_three_segmentations(rng, count):
    pictures = rng.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    poses = rng.normal(0, 300, (count, J, 3))
    labels = rng.integers(0, 11, (3, count, 8, 8), dtype=np.uint8)
    given = dict(points=rng.uniform(-1, 1, (count, J, 2)), poses=poses, truth=poses + 40)
    figure = part_rows(
        pictures,
        HUMAN36M_17,
        **given,
        puppet=labels[0],
        decoded=labels[1],
        parts=labels[2],
        titles=["x"] * count,
    )
    assert len(panels(figure)) == 6 * count
    heads = ["image", "camera's view", "from the side", "puppet", "decoder", "true parts"]
    assert [ax.get_title() for ax in figure.axes[:6]] == heads
    for ax in figure.axes[1:3] if count else ():
        assert {line.get_color() for line in ax.lines} == {TRUE, PREDICTED}
    if count:
        assert len({ax.get_xlim() for ax in figure.axes[1:3]}) == 1  # one scale
    fewer = part_rows(pictures, HUMAN36M_17, **given, puppet=None, decoded=None, parts=labels[2])
    assert [ax.get_title() for ax in fewer.axes[:4]] == [*heads[:3], "true parts"]


def test_a_pose_of_another_skeleton_is_refused(rng):
    pictures = np.zeros((2, 8, 8, 3), np.uint8)
    poses = rng.normal(size=(2, J, 3))
    given = dict(points=poses[..., :2], poses=poses, truth=poses, puppet=None, decoded=None, parts=None)
    with pytest.raises(ValueError, match=r"hand_21 have shape \(N, 21, 3\), got \(2, 17, 3\)"):
        part_rows(pictures, HAND_21, **given)


def test_the_module_says_what_it_offers():
    assert all(hasattr(plots_parts, name) for name in plots_parts.__all__)
