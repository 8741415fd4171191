"""Diagrams: cards know their edges, arrows stay between them, text keeps a legible size."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from lib import plots_diagrams
from lib.skeleton import HUMAN36M_17


@pytest.fixture
def ax():
    figure, ax = plots_diagrams.board(6.4, 3.0)
    yield ax
    plt.close(figure)


def test_a_board_is_measured_in_inches(ax):
    assert ax.get_xlim() == (0, 6.4)
    assert ax.get_ylim() == (0, 3.0)
    assert tuple(ax.figure.get_size_inches()) == (6.4, 3.0)


def test_an_edge_faces_the_other_card(ax):
    left, right = plots_diagrams.card(ax, 1.0, 1.5), plots_diagrams.card(ax, 4.0, 1.5)
    above = plots_diagrams.box(ax, 1.0, 2.7, "above")
    np.testing.assert_allclose(left.edge(right, gap=0.1), [1.0 + left.half_width + 0.1, 1.5])
    np.testing.assert_allclose(right.edge(left, gap=0.1), [4.0 - right.half_width - 0.1, 1.5])
    np.testing.assert_allclose(left.edge(above, gap=0.1), [1.0, 1.5 + left.half_height + 0.1])


def test_a_card_above_itself_has_no_direction(ax):
    card = plots_diagrams.card(ax, 1.0, 1.0)
    np.testing.assert_allclose(card.edge(card), [1.0, 1.0])


def test_pictures_maps_and_poses_stay_on_their_cards(ax):
    points = np.random.default_rng(0).uniform(-1, 1, (17, 2))
    plots_diagrams.picture_card(ax, 1.0, 1.5, np.zeros((8, 8, 3), np.uint8), "picture")
    plots_diagrams.picture_card(ax, 2.5, 1.5, np.zeros((8, 8)), "map")
    pose = plots_diagrams.pose_card(ax, 4.0, 1.5, points, HUMAN36M_17, "pose")
    drawn = np.concatenate([line.get_xydata() for line in ax.lines])
    inside = np.abs(drawn - [pose.x, pose.y]) <= [pose.half_width, pose.half_height]
    assert len(ax.lines) == len(HUMAN36M_17.bones)
    assert inside.all()
    assert len(ax.images) == 2
    assert ax.get_xlim() == (0, 6.4)


def test_arrows_and_losses_are_named(ax):
    start, end = plots_diagrams.card(ax, 1.0, 1.5), plots_diagrams.card(ax, 4.0, 1.5)
    plots_diagrams.arrow(ax, start, end, "lift", shift=(0, 0.2))
    plots_diagrams.loss(ax, start, end, "loss")
    plots_diagrams.arrow(ax, end, start)
    texts = [text.get_text() for text in ax.texts if text.get_text()]
    assert texts == ["lift", "loss"]
    assert all(text.get_fontsize() >= 11 for text in ax.texts if text.get_text())
