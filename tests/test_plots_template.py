"""Figures of templates: ellipses where a Gaussian is one half, one set of frames, limbs that move."""

import matplotlib

matplotlib.use("agg")

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from lib import plots, plots_template, plots_template_handles
from lib.metrics import BPLP_JOINTS
from lib.plots_images import PREDICTED, TRUE
from lib.plots_parts import PART_COLOURS
from lib.plots_template import KEYPOINTS, TEMPLATE_COLOURS, moved, outlines
from lib.plots_template_handles import Handle, pose_by_hand

P = len(TEMPLATE_COLOURS)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def template(rng):
    """18 parts with two anchors each, the second of every part on the first of the next."""
    places = rng.uniform(-0.6, 0.6, (P + 1, 2))
    root = rng.normal(0, 0.1, (P, 2, 2))
    return SimpleNamespace(
        mean=(places[:-1] + places[1:]) / 2,
        covariance=root @ root.transpose(0, 2, 1) + 0.002 * np.eye(2),
        anchors=np.stack([places[:-1], places[1:]], axis=1).reshape(-1, 2),
        owner=np.repeat(np.arange(P), 2),
        pairs=np.stack([np.arange(1, 2 * P - 1, 2), np.arange(2, 2 * P, 2)], axis=1),
    )


def matrices(rng, *count):
    return np.eye(2, 3) + 0.2 * rng.normal(size=(*count, P, 2, 3))


def density(points, mean, covariance):
    """A Gaussian of peak 1, one point at a time."""
    found = [np.exp(-0.5 * (p - mean) @ np.linalg.inv(covariance) @ (p - mean)) for p in points]
    return np.array(found)


def test_the_keypoints_are_those_of_the_metric_and_their_sides_mirror():
    assert KEYPOINTS.joints == BPLP_JOINTS
    for left, right in KEYPOINTS.pairs:
        assert KEYPOINTS.joints[left].replace("left", "right") == KEYPOINTS.joints[right]
    named = {(KEYPOINTS.joints[a], KEYPOINTS.joints[b]) for a, b in KEYPOINTS.bones}
    assert {("left_elbow", "left_wrist"), ("abdomen", "right_hip"), ("chest", "neck")} <= named


def test_the_parts_are_those_of_the_template_and_a_facing_persons_colours():
    papers = pytest.importorskip("lib.papers.yoo2023_template")
    assert tuple(TEMPLATE_COLOURS) == papers.PARTS
    assert TEMPLATE_COLOURS["left_forearm"] == PART_COLOURS["right_lower_arm"]
    assert TEMPLATE_COLOURS["core"] == PART_COLOURS["torso"]


def test_an_outline_is_where_the_moved_gaussian_is_one_half(rng, template):
    m = matrices(rng)
    mean, covariance = moved(template.mean, template.covariance, m)
    found = outlines(mean, covariance, points=12)
    assert found.shape == (P, 12, 2)
    for part in range(P):
        # the image of a point under the map has the density of the point before
        back = np.linalg.solve(m[part, :, :2], (found[part] - m[part, :, 2]).T).T
        np.testing.assert_allclose(density(back, template.mean[part], template.covariance[part]), 0.5)
    with pytest.raises(ValueError, match=r"matrices of 18 parts are \(18, 2, 3\), got \(17, 2, 3\)"):
        moved(template.mean, template.covariance, m[1:])


def test_the_tinted_template_is_dark_where_a_part_is(template):
    mean = np.full((P, 2), 9.0)
    mean[-1] = (0.5, -0.5)  # x right, y down
    picture = plots_template.tinted_template(mean, np.tile(0.01 * np.eye(2), (P, 1, 1)), size=32)
    assert picture.shape == (32, 32, 3) and picture.dtype == np.uint8
    assert (picture[16:] == 255).all() and (picture[:, :16] == 255).all()
    inked = picture[7:9, 23:25].reshape(-1, 3).mean(0)
    head = [int(TEMPLATE_COLOURS["head"][i : i + 2], 16) for i in (1, 3, 5)]
    np.testing.assert_allclose(inked, head, atol=20)


def test_parts_are_drawn_in_their_colours_and_some_alone(rng, template):
    _, axes = plots.subplots(1, 2)
    plots_template.show_posed(axes[0], None, template.mean, template.covariance, matrices(rng))
    drawn = [to_hex(patch.get_edgecolor()) for patch in axes[0].patches]
    assert drawn == list(TEMPLATE_COLOURS.values())
    plots_template.show_posed(axes[1], None, template.mean, template.covariance, only=(3, 17))
    assert len(axes[1].patches) == 2
    with pytest.raises(ValueError, match="18 parts, got 2"):
        plots_template.show_posed(axes[0], None, template.mean[:2], template.covariance[:2])


def test_a_pair_has_a_ring_where_it_coincides_and_a_line_where_it_does_not(rng, template):
    figure = plots_template.template_panels({"a": template, "b": template}, matrices(rng), "moved")
    assert [ax.get_title() for ax in figure.axes] == ["a", "b", "moved"]

    def counts(ax):
        dotted = sum(line.get_linestyle() == ":" or line.is_dashed() for line in ax.lines)
        return sum(line.get_markersize() == 7 for line in ax.lines if len(line.get_xdata()) == 1), dotted

    rings, gaps = zip(*map(counts, figure.axes), strict=True)
    assert rings[:2] == (P - 1, P - 1) and gaps[:2] == (0, 0)
    assert gaps[2] > P // 2 and rings[2] + gaps[2] == P - 1
    assert len({ax.get_xlim() for ax in figure.axes}) == 1  # one scale


def test_panels_of_poses(rng, template):
    panels = {"rest": None, "one": matrices(rng), "two": matrices(rng)}
    figure = plots_template.posed_panels(
        template, panels, only=(9, 11), columns=2, zoom=(-0.5, 0, 0.5, -0.5)
    )
    shown = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in shown] == list(panels)
    assert all(len(ax.patches) == P and ax.get_xlim() == (-0.5, 0) for ax in shown)


def test_a_prediction_has_sides_or_lies_over_its_truth(rng):
    _, axes = plots.subplots(1, 2)
    pose = rng.uniform(-0.5, 0.5, (15, 2))
    plots_template.show_prediction(axes[0], rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), pose)
    assert {plots.LEFT, plots.RIGHT, plots.CENTRE} <= {line.get_color() for line in axes[0].lines}
    plots_template.show_prediction(axes[1], None, pose, pose + 0.1, anchors=pose)
    assert {line.get_color() for line in axes[1].lines} == {TRUE, PREDICTED, plots.CARD}
    with pytest.raises(ValueError, match=r"keypoints_15 has shape \(15, 2\), got \(17, 2\)"):
        plots_template.show_prediction(axes[0], None, np.zeros((17, 2)))


def test_rows_show_the_same_frames(rng, template):
    arrays = dict(
        image=rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8),
        truth=rng.uniform(-0.5, 0.5, (6, 15, 2)),
        predicted=rng.uniform(-0.5, 0.5, (6, 15, 2)), matrices=matrices(rng, 6),
    )  # fmt: skip
    figure = plots_template.prediction_rows(
        {"base": arrays, "full": arrays}, 4, template={"full": template}
    )
    assert len(figure.axes) == 12
    named = [ax.texts[0].get_text() for ax in figure.axes if ax.texts]
    assert named == ["truth", "base", "full"]
    np.testing.assert_array_equal(figure.axes[1].images[0].get_array(), arrays["image"][1])
    assert [len(ax.patches) for ax in figure.axes] == [0] * 8 + [P] * 4
    few = plots_template.prediction_rows({"base": arrays}, pick=(5, 2), over_truth=True, first="")
    assert len(few.axes) == 2
    assert [t.get_text() for t in few.legends[0].get_texts()] == ["predicted", "true"]
    np.testing.assert_array_equal(few.axes[0].images[0].get_array(), arrays["image"][5])
    other = arrays | dict(truth=arrays["truth"] + 0.1)
    with pytest.raises(ValueError, match="full shows other frames than base"):
        plots_template.prediction_rows({"base": arrays, "full": other})
    with pytest.raises(ValueError, match="no row"):
        plots_template.prediction_rows({})


def test_the_diagram_names_what_the_paper_changes(rng):
    pictures = rng.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    figure = plots_template.architecture_diagram(*pictures)
    texts = figure.axes[0].texts
    green = [t.get_text() for t in texts if t.get_color() == plots.CYCLE[2]]
    assert sorted(text[0] for text in green) == ["1", "2", "3", "4", "5"]
    everything = " ".join(t.get_text() for t in texts)
    for name in ("f_t", "f_{t+k}", r"\Phi", r"\Psi", "T_{orig}", "T^*", r"\hat f_t", "anc", "bnd"):
        assert name in everything
    width, height = figure.get_size_inches()
    assert all(
        0 <= x <= width and 0 <= y <= height
        for x, y in (t.get_position() for t in texts if t.get_text())
    )


def test_a_slider_moves_its_own_parts(rng, template):
    steps = matrices(rng, 3)
    handles = [
        Handle("arm", (9, 11), ["a", "b", "c"], steps[:, :2], 1),
        Handle("leg", (3,), ["d"], steps[:1, :1], 0),
    ]
    figure = pose_by_hand(template, rng.integers(0, 256, (8, 8, 3), dtype=np.uint8), handles)
    assert [trace.name for trace in figure.data] == [name.replace("_", " ") for name in TEMPLATE_COLOURS]
    slider = figure.layout.sliders[0]
    assert slider.active == 1 and [step.label for step in slider.steps] == ["a", "b", "c"]
    settings, parts = slider.steps[1].args
    assert list(parts) == [9, 11]
    assert tuple(settings["x"][1]) == figure.data[11].x  # at rest the figure shows the slider's position
    ends = template.anchors[template.owner == 9] @ steps[1, 0, :, :2].T + steps[1, 0, :, 2]
    line = np.array([figure.data[9].x[-2:], figure.data[9].y[-2:]], dtype=float).T
    np.testing.assert_allclose(line, ends, atol=1e-3)
    assert figure.layout.images[0].source.startswith("data:image/png")
    with pytest.raises(ValueError, match="no two have a part in common"):
        pose_by_hand(template, np.zeros((8, 8, 3), np.uint8), [handles[0], handles[0]])
    with pytest.raises(ValueError, match=r"leg: matrices are \(1, 1, 2, 3\)"):
        pose_by_hand(
            template, np.zeros((8, 8, 3), np.uint8), [Handle("leg", (3,), ["d"], steps[:, :1], 0)]
        )


def test_the_modules_say_what_they_offer():
    for module in (plots_template, plots_template_handles):
        assert all(hasattr(module, name) for name in module.__all__)
