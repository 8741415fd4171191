"""Kundu et al., CVPR 2020, probes: crossing limbs, colours of parts, other backgrounds, cut-off people."""

from types import SimpleNamespace

import pytest
import torch
from guided import make

from lib.papers import kundu2020_part_probes
from lib.papers.kundu2020_part_data import take_frames
from lib.papers.kundu2020_part_model import Seen
from lib.papers.kundu2020_part_probes import (
    crossings,
    moved_backgrounds,
    part_colours,
    partly_seen,
    synthesised,
)
from lib.puppet import PARTS
from lib.skeleton import HUMAN36M_17

# A person who stands with arms and legs apart, in crop coordinates.
STANDING = {
    "shoulder": (0.2, -0.5), "elbow": (0.4, -0.3), "wrist": (0.5, 0.0),
    "hip": (0.15, 0.0), "knee": (0.2, 0.4), "ankle": (0.25, 0.8),
}  # fmt: skip


def person(**moved):
    """Points (1, 17, 2) of that person with some joints elsewhere."""
    points = torch.zeros(1, 17, 2)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        for name, (x, y) in STANDING.items():
            points[0, HUMAN36M_17.index(f"{side}_{name}")] = torch.tensor([sign * x, y])
    for name, place in moved.items():
        points[0, HUMAN36M_17.index(name)] = torch.tensor(place)
    return points


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        ({}, 0),
        ({"left_wrist": (-0.5, -0.3), "right_wrist": (0.5, -0.3)}, 0),  # forearms on one line
        ({"left_wrist": (-0.3, -0.1), "right_wrist": (0.3, -0.1)}, 1),  # forearms
        ({"left_ankle": (-0.3, 0.8), "right_ankle": (0.3, 0.8)}, 1),  # calves
        ({"left_wrist": (0.0, 0.2), "left_elbow": (0.5, 0.2)}, 1),  # a forearm before a thigh
        ({"left_wrist": (-0.6, -0.2)}, 1),  # a forearm before the other arm
        ({"left_elbow": (0.3, 0.2), "left_wrist": (-0.3, 0.2)}, 2),  # before both thighs
    ],
)
def test_limbs_that_cross_are_counted(moved, expected):
    points = person(**moved)
    assert crossings(points).tolist() == [expected]
    mirrored = points[:, list(HUMAN36M_17.mirror)] * torch.tensor([-1.0, 1.0])
    assert crossings(mirrored).tolist() == [expected]


def test_crossings_are_counted_picture_by_picture():
    points = torch.cat([person(), person(left_wrist=(-0.3, -0.1), right_wrist=(0.3, -0.1)), person()])
    assert crossings(points).tolist() == [0, 1, 0]


# Colours


def test_colours_of_parts_are_their_means():
    labels = torch.zeros(2, 8, 8, dtype=torch.uint8)
    labels[0, :4], labels[0, 4, :3], labels[1, :, 0] = 1, 5, 2  # 32, 3 and 8 pixels
    pictures = torch.rand(2, 3, 8, 8)
    colours, seen = part_colours(pictures, labels)
    assert colours.shape == (2, len(PARTS), 3)
    assert seen.nonzero().tolist() == [[0, 0], [1, 1]]  # few pixels are none
    torch.testing.assert_close(colours[0, 0], pictures[0, :, :4].mean((1, 2)))
    torch.testing.assert_close(colours[1, 1], pictures[1, :, :, 0].mean(1))


# Other backgrounds, less of a person


class Reader:
    """Stands for a trainer whose encoder says what a function makes of pictures."""

    unit_mm, device = 500.0, torch.device("cpu")
    scenes = torch.full((5, 3, 32, 32), 10, dtype=torch.uint8)  # all is dark

    def __init__(self, read, hides=False):
        self.model = SimpleNamespace(encode_pose=read)
        self.hides = hides

    def shown_to(self, pictures, mask):
        return mask * pictures + (1 - mask) / 2 if self.hides else pictures


POSE = torch.randn(17, 3, generator=torch.Generator().manual_seed(3))


def constant(pictures):
    return seen(POSE.expand(len(pictures), -1, -1))


def coloured(pictures):
    """A pose that bends with the colours of the picture's left half."""
    bend = torch.zeros_like(POSE)
    bend[3:6, 1] = 1.0
    return seen(POSE + pictures[..., :16].mean((1, 2, 3))[:, None, None] * bend)


def seen(turned):
    empty = turned.new_zeros(len(turned), 0)
    return Seen(empty, empty, turned, turned, empty, empty, empty)


@pytest.fixture(scope="module")
def frames(filmed):
    return {role: take_frames(filmed[role]["test"].thinned(2), role, 32) for role in ("studio", "wild")}


@pytest.fixture
def twelve(monkeypatch):
    monkeypatch.setattr(kundu2020_part_probes, "FEW", 12)


def changes(reader, part, read):
    every = torch.arange(len(part))
    before = read(reader.shown_to(part.footage.pictures(every), part.masks(every)))
    return {name: float(value) for name, value in moved_backgrounds(reader, part, before).items()}


@pytest.mark.parametrize("role", ["studio", "wild"])
def test_backgrounds_change_the_poses_of_those_who_see_them(frames, twelve, role):
    """Not of an encoder that is blind, hardly of one that sees people over grey."""
    blind, hiding, open_eyed = (
        changes(Reader(read, hides), frames[role], read)
        for read, hides in ((constant, False), (coloured, True), (coloured, False))
    )
    assert set(blind) == {"background_change", "background_moving"} and max(blind.values()) < 1e-2
    assert open_eyed["background_change"] > max(5, 2 * hiding["background_change"])
    assert open_eyed["background_moving"] > 0.1


@pytest.mark.parametrize("role", ["studio", "wild"])
def test_a_saliency_that_another_background_spoils_changes_the_pose(frames, twelve, role, monkeypatch):
    """People over grey are another picture where another mask is found for them."""
    reader = Reader(coloured, hides=True)
    plain = changes(reader, frames[role], coloured)
    for name in ("saliency", "foreground"):
        everything = lambda shown, *behind: torch.ones_like(shown[:, :1])  # noqa: E731
        monkeypatch.setattr(kundu2020_part_probes, name, everything)
    spoilt = changes(reader, frames[role], coloured)
    assert spoilt["background_change"] > plain["background_change"] + 1


def test_people_are_cut_off_below_and_enlarged(frames):
    part, shown = frames["studio"], []

    def read(pictures):
        shown.append(pictures)
        return constant(pictures)

    count = len(part)
    truth = 500.0 * POSE.expand(count, -1, -1)
    found = partly_seen(Reader(read), part, truth)
    assert float(found["p_mpjpe_partial"]) < 1e-2 and float(found["pck_partial"]) == 100
    pictures = torch.cat(shown)
    assert pictures.shape == (count, 3, 32, 32)
    first = part.footage.pictures(torch.arange(1))
    # the upper left pixel is that of the middle of the top
    torch.testing.assert_close(pictures[0, :, 0, 0], first[0, :, 0, 7])


# What the decoder draws


@pytest.mark.parametrize("name", ["unsup", "as-printed", "no-fk"])
def test_synthesised_pictures_are_read_again(filmed, frames, name):
    trainer = make(filmed, name)
    part = frames["wild"]
    found = synthesised(trainer, part, trainer.see(part))
    assert set(found) == {
        "transfer_to_pose", "transfer_to_appearance", "swap_floor", "colour_to_source", "colour_to_driver",
        "view_pose_change", "view_camera_error", "view_camera_turn",
    }  # fmt: skip
    assert all(torch.isfinite(v) and v >= 0 for v in found.values())
    assert float(found["view_camera_turn"]) == pytest.approx(45) and found["view_camera_error"] <= 180
    assert found["colour_to_source"] < 1.8 and found["colour_to_driver"] < 1.8
