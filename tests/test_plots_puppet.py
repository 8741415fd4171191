"""Figures of the part-guided model: named cards, maps in their parts' colours, both vectors of a warp."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from lib import plots_puppet, puppet
from lib.plots_parts import PART_COLOURS
from lib.skeleton import HUMAN36M_17

J = len(HUMAN36M_17)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pictures(rng, count, size=16):
    return rng.integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def texts(figure):
    return [text.get_text() for ax in figure.axes for text in ax.texts if text.get_text()]


def stays_inside(figure):
    width, height = figure.get_size_inches()
    places = [text.get_position() for text in figure.axes[0].texts]
    return all(0 <= x <= width and 0 <= y <= height for x, y in places)


def test_soft_maps_are_tinted_by_their_owner():
    maps = np.zeros((2, 4, 4))
    assert (plots_puppet.tinted(maps, (0, 3)) == 255).all()
    maps[1, 2, 3] = 1.0
    picture = plots_puppet.tinted(maps, (0, 3))
    assert "#" + bytes(picture[2, 3]).hex() == PART_COLOURS[puppet.PARTS[3]]
    with pytest.raises(ValueError, match="3 maps are"):
        plots_puppet.tinted(maps, (0, 1, 2))


def test_the_overview_names_the_three_factors(rng):
    picture, parts, turned, exchanged = pictures(rng, 4)
    figure = plots_puppet.overview_diagram(
        picture, rng.normal(size=(J, 2)), parts, turned, exchanged, HUMAN36M_17
    )
    named = " ".join(texts(figure))
    for name in ("$I$", "$E$", "p^{3D}", "camera", "looks", "parts", "another $c$", "another $a$"):
        assert name in named
    assert len(figure.axes[0].images) == 4 and stays_inside(figure)


def test_the_chain_names_every_transformation(rng):
    points = rng.uniform(-0.8, 0.8, (J, 2))
    figure = plots_puppet.chain_diagram(
        *pictures(rng, 1), points, points, *pictures(rng, 3), HUMAN36M_17
    )
    named = " ".join(texts(figure))
    for name in (
        "v^{3D}",
        "$c$",
        "$a$",
        "T_{fk}",
        "T_c",
        "T_s",
        "$q$",
        "$p$",
        "$D$",
        r"\hat I",
        r"\hat y",
    ):
        assert name in named
    assert all(t.get_fontsize() >= 11 for t in figure.axes[0].texts if t.get_text()) and stays_inside(
        figure
    )


def test_the_data_flow_has_one_decoder_twice_and_three_losses(rng):
    names = (
        *("target", "source", "salient", "drawn", "again", "parts", "novel", "decoded", "labels"),
        "outside",
    )
    given = dict(zip(names, pictures(rng, len(names)), strict=True)) | {"outside": rng.random((16, 16))}
    figure = plots_puppet.consistency_diagram(given, rng.uniform(-0.8, 0.8, (J, 2)), HUMAN36M_17)
    found = texts(figure)
    assert found.count("$D$") == 2
    assert {r"$\mathcal{L}_I^u$", r"$\mathcal{L}_I^c$", r"$\mathcal{L}_{seg}$"} <= set(found)
    assert len(figure.axes[0].images) == len(names) and stays_inside(figure)


def test_the_energy_step_freezes_each_half_once(rng):
    (drawn,) = pictures(rng, 1)
    figure = plots_puppet.energy_diagram(rng.uniform(-0.8, 0.8, (J, 2)), drawn, HUMAN36M_17)
    found = texts(figure)
    assert found.count("$D$\nfrozen") == found.count("$E$\nfrozen") == 1
    assert found.count("$D$") == found.count("$E$") == 1
    assert stays_inside(figure)


def test_the_template_has_three_panels_and_its_anchors(rng):
    shape = puppet.template("face", 32)
    figure = plots_puppet.template_panels(
        shape.masks, shape.maps, shape.rings, shape.anchors, shape.corners, shape.owner, shape.torso
    )
    assert [ax.get_title() for ax in figure.axes] == ["drawing", r"$\phi_c$", r"$\psi_c$"]
    assert len(figure.axes[0].lines) == len(shape)  # a line a limb, and the corners of the trunk


def test_a_warp_shows_both_vectors(rng):
    maps = rng.random((2, 16, 16))
    figure = plots_puppet.warp_panels(*maps, rng.random((2, 2)), rng.random((2, 2)), "$z = 1$")
    assert {"$r_1$", "$r_2$", "$q_1$", "$q_2$"} <= set(texts(figure))
    assert figure.axes[1].get_title() == "$z = 1$"


def test_curves_of_the_order_share_their_scale():
    x = np.linspace(0, 1, 5)
    figure = plots_puppet.order_curves(x, {"part": x, "background": 1 - x}, {"part": x})
    assert [ax.get_title() for ax in figure.axes] == ["as printed", "mended"]
    assert figure.axes[0].get_ylim() == figure.axes[1].get_ylim()
    assert len(plots_puppet.profile_across(x, {"a": x}).axes) == 1
