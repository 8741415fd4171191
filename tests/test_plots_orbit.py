"""A person to walk around: three controls that are free of each other, and all of it in the page."""

import json

import numpy as np
import pytest

from lib import plots3d, plots_orbit

P, A, K, S = 2, 3, 5, 16
AZIMUTHS = np.linspace(-120, 120, K)


def material(seed=0):
    rng = np.random.default_rng(seed)

    def pictures(*shape):
        return rng.integers(0, 256, (*shape, S, S, 3), dtype=np.uint8)

    return dict(
        drawn=pictures(P, A, K), decoded=pictures(P, A, K), puppet=pictures(P, K), givers=pictures(P),
        wearers=pictures(A), azimuths=AZIMUTHS, poses=["one", "two"], clothes=["red", "green", "blue"],
    )  # fmt: skip


@pytest.fixture
def figure():
    return plots_orbit.orbit(**material())


def settings(figure):
    """What the slider, the menu of poses and the menu of clothes set."""
    groups = (figure.layout.sliders[0].steps, *(menu.buttons for menu in figure.layout.updatemenus))
    return [[button.args[0] for button in group] for group in groups]


def test_no_control_touches_what_another_sets(figure):
    walk, pose, clothes = settings(figure)
    assert (len(walk), len(pose), len(clothes)) == (K, P, A)
    keys = [set(group[0]) for group in (walk, pose, clothes)]
    assert all(set(s) == k for group, k in zip((walk, pose, clothes), keys, strict=True) for s in group)
    assert not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])


def test_a_setting_shows_one_cell_of_one_sheet(figure):
    walk, pose, clothes = settings(figure)
    images = figure.layout.images
    for number, setting in enumerate(pose):
        seen = [setting[f"images[{i}].visible"] for i in range(len(images))]
        for axis in {image.xref for image in images}:  # one sheet of each panel
            assert sum(v for v, image in zip(seen, images, strict=True) if image.xref == axis) == 1, (
                number
            )
    sheets = [image for image in images if (image.sizex, image.sizey) == (K, A)]
    assert len(sheets) == 2 * P  # drawn people and their parts
    for number, setting in enumerate(walk):
        assert all(number < low < high < number + 1 for low, high in setting.values())
    for number, setting in enumerate(clothes):  # rows of a sheet go down from 1
        assert all(-number < low < high < 1 - number for low, high in setting.values())


def test_it_starts_where_the_controls_stand(figure):
    walk, pose, clothes = settings(figure)
    layout, active = figure.layout, figure.layout.sliders[0].active
    assert AZIMUTHS[active] == 0
    for setting in (walk[active], clothes[0]):
        for path, window in setting.items():
            assert list(layout[path.removesuffix(".range")].range) == list(window)
    assert [image.visible for image in layout.images] == list(pose[0].values())


def test_it_needs_no_kernel_and_stays_small():
    def text():
        return plots3d.show(plots_orbit.orbit(**material()), "fig-a", "alt", in_book=True).text

    assert text() == text()  # the same bytes
    assert "http" not in text().replace("https://plot.ly", "")
    assert len(text()) < 200_000


@pytest.mark.parametrize("name", ["drawn", "decoded", "puppet", "givers", "wearers"])
def test_shapes_have_to_fit(name):
    given = material()
    with pytest.raises(ValueError, match=f"{name} has shape"):
        plots_orbit.orbit(**given | {name: given[name][:-1]})


def test_the_camera_goes_to_the_persons_right():
    _, _, camera = plots_orbit._compass([0.0, 90.0])
    assert camera.x[0] == 0.5 and camera.y[0] < 0.5  # before the face, which looks down the page
    assert camera.x[1] < 1.5 and abs(camera.y[1] - 0.5) < 1e-6


def test_live_controls_ask_for_a_picture():
    pytest.importorskip("ipywidgets")
    asked = []

    def picture(setting):
        asked.append(dict(setting))
        return json.dumps(setting).encode()

    box = plots_orbit.live_orbit(picture, {"azimuth": (-180, 180, 10)}, {"pose": ["one", "two"]})
    shown, menu, slider = box.children
    assert asked == [{"pose": 0, "azimuth": 10.0}]
    menu.value = 1
    slider.value = -30.0
    assert asked[-1] == {"pose": 1, "azimuth": -30.0} == json.loads(bytes(shown.value))
    with pytest.raises(ValueError, match="both named pose"):
        plots_orbit.live_orbit(picture, {"pose": (0, 1, 0)}, {"pose": ["one"]})
