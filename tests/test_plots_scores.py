"""Figures of scores: every number where it belongs, missing ones as gaps, texts that do not touch."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.text import Text

from lib.plots import CYCLE, LEFT, RIGHT
from lib.plots_scores import error_scatter, joint_lines, left_right, sweeps, violins


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def names(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def drawn(ax, marker):
    """Points (N, 2) of the lines with a marker."""
    return np.concatenate([np.c_[line.get_data()] for line in ax.lines if line.get_marker() == marker])


# ------------------------------------------------------------------------------- violins


def test_violins_show_quartiles_medians_and_reported_numbers(rng):
    samples = {"base": rng.random(900), "full": rng.normal(0.6, 0.1, 900), "none": []}
    figure = violins(samples, xlabel="PDJ", reported={"full": (0.2, 0.33, 0.67)}, span=(0, 1))
    ax = figure.axes[0]
    assert [label.get_text() for label in ax.get_yticklabels()] == list(samples)
    medians = drawn(ax, "o")
    np.testing.assert_allclose(medians[:, 0], [np.median(samples["base"]), np.median(samples["full"])])
    assert medians[:, 1].tolist() == [0, 1] and ax.yaxis_inverted()
    np.testing.assert_allclose(drawn(ax, "D"), [(0.2, 1), (0.33, 1), (0.67, 1)])
    halves = [line.get_xdata() for line in ax.lines if line.get_linewidth() == 4.5]
    np.testing.assert_allclose(halves[0], np.quantile(samples["base"], [0.25, 0.75]))
    assert names(figure) == ["middle half", "median", "reported"]


def test_violins_are_as_wide_as_frequent_and_end_where_the_values_end(rng):
    values = np.concatenate([rng.normal(0.2, 0.02, 900), rng.normal(0.8, 0.02, 100)])
    ax = violins({"a": values}, xlabel="").axes[0]
    outline = ax.collections[0].get_paths()[0].vertices
    assert outline[:, 0].min() >= values.min() - 1e-9 and outline[:, 0].max() <= values.max() + 1e-9
    height = [np.ptp(outline[abs(outline[:, 0] - at) < 0.02, 1]) for at in (0.2, 0.5, 0.8)]
    assert height[0] > 3 * height[2] > 3 * height[1]


def test_violins_of_values_that_are_equal_or_not_finite():
    ax = violins({"a": [0.5] * 9, "b": [np.nan, 1.0, 2.0, np.inf]}, xlabel="").axes[0]
    np.testing.assert_allclose(drawn(ax, "o")[:, 0], [0.5, 1.5])
    with pytest.raises(ValueError, match="no value"):
        violins({"a": [], "b": [np.nan]}, xlabel="")


def test_violins_of_one_group_have_one_colour(rng):
    samples = {name: rng.random(50) for name in "abc"}
    ax = violins(samples, xlabel="", groups=["x", "y", "x"]).axes[0]
    colours = [collection.get_facecolor()[0][:3] for collection in ax.collections]
    assert same_color(colours[0], colours[2]) and not same_color(colours[0], colours[1])


# ------------------------------------------------------------------------------- error against error


def test_error_scatter_has_a_point_for_each_seed_and_one_for_their_mean(rng):
    points = {"base": (rng.random(3), rng.random(3)), "full": (rng.random(2), rng.random(2))}
    figure = error_scatter(
        points | {"none": ([], []), "bad": ([np.nan], [1.0])}, xlabel="rec", ylabel="L2",
        groups={"base": "T_orig", "full": "T_new"}, marked=[("base", "full"), ("base", "none")],
    )  # fmt: skip
    ax = figure.axes[0]
    sets = [collection.get_offsets() for collection in ax.collections]
    assert [len(points) for points in sets] == [3, 1, 2, 1]
    for k, (x, y) in enumerate(points.values()):
        np.testing.assert_allclose(sets[2 * k], np.c_[x, y])
        np.testing.assert_allclose(sets[2 * k + 1], [(np.mean(x), np.mean(y))])
    assert [text.get_text() for text in ax.texts if text.get_text()] == sorted(
        points, key=lambda name: np.mean(points[name][1])
    )
    assert sum(not text.get_text() for text in ax.texts) == 1  # the arrow
    assert names(figure) == ["T_orig", "T_new"]
    with pytest.raises(ValueError, match="no point"):
        error_scatter({"none": ([], [])}, xlabel="", ylabel="", groups={})


@pytest.mark.parametrize("together", [True, False])
def test_names_beside_a_scatter_do_not_touch(rng, together):
    y = rng.normal(0.5, 1e-4 if together else 0.2, 25)
    points = {f"model-{i}": ([i], [value]) for i, value in enumerate(y)}
    figure = error_scatter(points, xlabel="", ylabel="", groups=dict.fromkeys(points, "a"))
    figure.canvas.draw()
    boxes = sorted(
        (Text.get_window_extent(text) for text in figure.axes[0].texts), key=lambda box: box.y0
    )
    assert all(low.y1 <= high.y0 + 1 for low, high in zip(boxes, boxes[1:], strict=False))
    low, high = figure.axes[0].get_ylim()
    assert all(low - 0.05 * (high - low) <= text.xyann[1] <= high for text in figure.axes[0].texts)


# ------------------------------------------------------------------------------- left against right


def test_left_right_bars_have_their_side_and_their_seeds():
    panels = {
        "plain": {"ankle": ([10, 20], [40, 44]), "knee": ([np.nan], [5])},
        "flip": {"ankle": ([1], [2])},
    }
    figure = left_right(panels, unit="PDJ (%)", reported={"plain": {"ankle": (5, 15)}})
    ax = figure.axes[0]
    bars = {(round(bar.get_x() + bar.get_width() / 2, 2), bar.get_height()) for bar in ax.patches}
    assert bars == {(-0.19, 15.0), (0.19, 42.0), (1.19, 5.0)}
    assert same_color(ax.patches[0].get_facecolor(), LEFT) and same_color(
        ax.patches[1].get_facecolor(), RIGHT
    )
    whisker = next(line for line in ax.lines if line.get_marker() == "None")
    assert whisker.get_ydata().tolist() == [10, 20]
    np.testing.assert_allclose(drawn(ax, "D"), [(-0.19, 5), (0.19, 15)])
    assert [a.get_title() for a in figure.axes] == ["plain", "flip"]
    assert names(figure) == ["left", "right", "reported"]


# ------------------------------------------------------------------------------- joints


def test_joint_lines_have_the_first_joint_uppermost_and_a_band_over_seeds():
    seeds = np.array([[10.0, 20.0, 30.0], [14.0, 20.0, np.nan]])
    joints = ("left_knee", "right_knee", "neck")
    figure = joint_lines(
        {"full": seeds, "base": [1, 2, 3]}, joints, xlabel="PDJ", reported={"full": [9, 9, 9]}
    )
    ax = figure.axes[0]
    np.testing.assert_allclose(ax.lines[0].get_xdata(), [12, 20, 30])
    assert ax.lines[0].get_ydata().tolist() == [0, 1, 2] and ax.yaxis_inverted()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["left knee", "right knee", "neck"]
    band = ax.collections[0].get_paths()[0].vertices
    assert band[:, 0].min() == 10 and band[:, 0].max() == 30
    assert names(figure) == ["full", "base", "reported"]
    with pytest.raises(ValueError, match="full: 2 numbers for 3 joints"):
        joint_lines({"full": [1, 2]}, joints, xlabel="")


def test_joint_lines_of_one_style_share_a_colour_and_differ_in_dashes():
    series = {name: [1.0, 2.0] for name in ("a, all", "a, out", "b, all")}
    styles = {"a, all": 0, "a, out": 0, "b, all": 1}
    one, two, three = joint_lines(series, ("x", "y"), xlabel="", styles=styles).axes[0].lines
    assert one.get_color() == two.get_color() == CYCLE[0] and three.get_color() == CYCLE[1]
    assert one.get_linestyle() != two.get_linestyle() and one.get_linestyle() == three.get_linestyle()


# ------------------------------------------------------------------------------- sweeps


def test_sweeps_leave_gaps_and_keep_a_colour_in_every_panel():
    panels = {"PDJ": {"base": [[1, 2, 3], [3, 2, 5]], "full": [4, np.nan, 6]}, "L2": {"full": [1, 2, 3]}}
    figure = sweeps(
        (1, 3, 9), panels, xlabel="pairs", ticks=("1", "3", "9"), log=True, mark=(4, "a third"),
        references={"PDJ": {"mean pose": 2.5}}, ylabel="%",
    )  # fmt: skip
    first, second = figure.axes
    base, full, *_ = first.lines
    assert base.get_ydata().tolist() == [2, 2, 4] and full.get_xdata().tolist() == [1, 9]
    assert full.get_color() == second.lines[0].get_color() != base.get_color()
    band = first.collections[0].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (1, 5)
    assert first.get_xscale() == "log" and first.get_title() == "PDJ" and first.get_ylabel() == "%"
    assert [label.get_text() for label in first.get_xticklabels()] == ["1", "3", "9"]
    assert names(figure) == ["base", "full", "mean pose", "a third"]
    assert [line.get_xdata()[0] for line in second.lines if len(set(line.get_xdata())) == 1] == [4]


def test_sweeps_of_a_series_without_any_number():
    figure = sweeps((0, 1), {"PDJ": {"base": [np.nan, np.nan]}}, xlabel="")
    assert len(figure.axes[0].lines[0].get_xdata()) == 0
