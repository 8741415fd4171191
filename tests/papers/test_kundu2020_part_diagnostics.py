"""Kundu et al., CVPR 2020, diagnostics: true parts, segmentations, all numbers and figures."""

import pytest
import torch
from guided import make

from lib.data.images import Filmed
from lib.papers.kundu2020_data import MARGIN
from lib.papers.kundu2020_part_diagnostics import (
    AZIMUTHS,
    _box,
    _of_the_data,
    diagnose,
    faces_camera,
    figures,
    overlap,
    segmentations,
    true_parts,
)
from lib.puppet import PARTS
from lib.skeleton import HUMAN36M_17

DECODED = {"f1_parts", "f1_figure", "iou_figure", "f1_parts_crossed"}
EVERYWHERE = {
    "p_mpjpe_frames", "error_2d", "error_2d_swap", "error_2d_floor", "mirrored_share", "implausible_share",
    "implausible_true", "ratio_deviation", "pose_diversity", "facing_right", "facing_front", "facing_true",
    "p_mpjpe_front", "p_mpjpe_back", "label_swap_share", "iou_box", "saliency_iou", "p_mpjpe_clear",
    "p_mpjpe_crossed_one", "p_mpjpe_crossed_more", "p_mpjpe_rare", "p_mpjpe_usual", "p_mpjpe_partial",
    "pck_partial", "background_change", "background_moving",
    "f1_parts", "f1_figure", "iou_figure", "f1_parts_crossed", "f1_parts_puppet", "f1_figure_puppet",
    "iou_figure_puppet", "f1_parts_puppet_crossed",
}  # fmt: skip
SYNTHESISED = {
    "transfer_to_pose", "transfer_to_appearance", "colour_to_source", "colour_to_driver",
    "view_pose_change", "view_camera_error", "view_camera_turn", "swap_floor",
}  # fmt: skip
STUDIO = {
    "view_spread", "images", "labelled_2d", "labelled_3d", "poses", "parameters", "puppet_f1_true",
    "puppet_iou_true", "printed_background",
}  # fmt: skip
# of so few frames there may be none
MAYBE = {
    "p_mpjpe_front", "p_mpjpe_back", "p_mpjpe_clear", "p_mpjpe_crossed_one", "p_mpjpe_crossed_more",
    "f1_parts_crossed", "f1_parts_puppet_crossed", "p_mpjpe_rare", "p_mpjpe_usual",
}  # fmt: skip


@pytest.fixture(scope="module")
def thin(filmed):
    """Fewer test frames still."""
    return {
        role: parts | ({"test": parts["test"].thinned(2)} if role in ("studio", "wild") else {})
        for role, parts in filmed.items()
    }


@pytest.fixture(scope="module")
def trainer(thin):
    return make(thin)


@pytest.fixture(scope="module")
def numbers(trainer):
    """Those of the studio."""
    return diagnose(trainer, "studio")


# True parts


@pytest.mark.parametrize("role", ["studio", "wild"])
def test_true_parts_lie_where_their_joints_are(thin, role):
    poses = thin[role]["test"]
    labels = true_parts(poses, role, 48)
    assert labels.shape == (len(poses), 48, 48) and labels.dtype == torch.uint8
    assert set(labels.unique().tolist()) == set(range(len(PARTS) + 1))
    points = Filmed.of(poses, role, 48, margin=MARGIN).crop
    centres = 2 * (torch.arange(48) + 0.5) / 48 - 1
    ends = {
        "upper_arm": ("shoulder", "elbow"), "lower_arm": ("elbow", "wrist"),
        "upper_leg": ("hip", "knee"), "lower_leg": ("knee", "ankle"),
    }  # fmt: skip
    for number, part in enumerate(PARTS):
        side, _, limb = part.partition("_")
        joints = [f"{side}_{end}" for end in ends[limb]] if limb else []
        joints = joints or {"head": ["nose", "head"], "torso": ["pelvis", "thorax"]}[part]
        middle = points[:, [HUMAN36M_17.index(j) for j in joints]].mean(1)
        mask = (labels == number + 1).float()
        area = mask.sum((1, 2))
        x, y = (mask.sum(1) * centres).sum(1) / area, (mask.sum(2) * centres).sum(1) / area
        away = (torch.stack([x, y], -1) - middle).norm(dim=-1)[area > 8]
        assert away.median() < 0.15, part


# Numbers


def test_faces():
    towards = torch.zeros(1, 17, 3)
    towards[0, HUMAN36M_17.index("thorax")] = torch.tensor([0.0, -1.0, 0.0])
    towards[0, HUMAN36M_17.index("left_hip")] = torch.tensor([0.3, 0.0, 0.0])
    towards[0, HUMAN36M_17.index("right_hip")] = torch.tensor([-0.3, 0.0, 0.0])
    away = towards * torch.tensor([-1.0, 1.0, 1.0])
    assert faces_camera(torch.cat([towards, away])).tolist() == [True, False]


def test_overlap():
    one, other = torch.zeros(3, 4, 4, dtype=torch.bool), torch.zeros(3, 4, 4, dtype=torch.bool)
    one[:2, :2], other[0, :2], other[1, 1:3] = True, True, True
    torch.testing.assert_close(overlap(one, other), torch.tensor([1.0, 1 / 3, 0.0]))


def test_the_box_is_as_large_as_the_mean_figure():
    masks = torch.zeros(2, 16, 16, dtype=torch.bool)
    masks[0, 2:10, 5:9] = masks[1, 3:15, 8:10] = True
    box = _box(masks)
    assert box.any(1).sum() == 10 and box.any(0).sum() in (2, 4)  # of 8 and 12, of 4 and 2
    assert torch.equal(box, box.flip(0)) and torch.equal(box, box.flip(1))


def test_segmentations_are_labels_of_all_frames(thin, trainer):
    size = trainer.profile.image
    frames, seen = trainer.look("sport")
    puppet, decoded = segmentations(trainer, frames, seen)
    for labels in (puppet, decoded):
        assert labels.shape == (len(frames), size, size) and labels.dtype == torch.uint8
        assert labels.max() <= len(PARTS)
    assert puppet.any() and torch.equal(puppet[:3], trainer.model.parts(seen[:3], size).labels)
    alone = make(thin, "enc-100")
    puppet, decoded = segmentations(alone, *alone.look("sport"))
    assert decoded is None and puppet.shape == (len(frames), size, size)


@pytest.mark.parametrize(
    ("name", "role"), [("unsup", "studio"), ("unsup", "sport"), ("enc-10", "outdoor"), ("as-printed", "wild")]
)
def test_all_numbers_are_there(thin, trainer, numbers, name, role):
    if name != "unsup":
        trainer = make(thin, name)
    found = numbers if role == "studio" else diagnose(trainer, role)
    expected = EVERYWHERE | (STUDIO if role == "studio" else set())
    expected |= SYNTHESISED if role in ("studio", "wild") else set()
    if name == "enc-10":
        expected -= DECODED
    assert expected - MAYBE <= set(found) <= expected
    kinds = ("f1", "iou", "facing", "puppet", "saliency", "printed")
    assert all(0 <= value <= 1 for key, value in found.items() if key.startswith(kinds))
    assert found["p_mpjpe_frames"] > 0 and found["error_2d_swap"] <= found["error_2d"]


def test_the_posed_template_fits_and_the_printed_order_does_not(numbers):
    assert numbers["puppet_iou_true"] > 0.6 and numbers["puppet_f1_true"] > 0.4
    assert numbers["printed_background"] > 0.99
    assert numbers["saliency_iou"] > numbers["iou_box"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("unsup", (0, 0)), ("weak", (1, 0)), ("semi", (0, 0.1)), ("enc-10", (0, 0.1)), ("semi-out", (1, 0.1))],
)
def test_labels_are_counted(thin, name, expected):
    trainer = make(thin, name)
    studio, outdoor = (len(thin[role]["train"]) for role in ("studio", "outdoor"))
    found = _of_the_data(trainer)
    assert found["labelled_2d"] == expected[0] * studio
    assert found["labelled_3d"] == round(expected[1] * (outdoor if name == "semi-out" else studio))
    assert found["images"] == sum(len(frames) for frames in trainer.footage.values())
    assert found["parameters"] == trainer.parameters


# Figures


@pytest.mark.parametrize(("name", "role"), [("unsup", "studio"), ("unsup", "sport"), ("enc-10", "wild")])
def test_figures_have_what_is_drawn_of_them(thin, trainer, name, role):
    given = trainer if name == "unsup" else make(thin, name)
    arrays, size = figures(given, role), given.profile.image
    fields = {
        "image": (size, size, 3), "points": (17, 2), "truth_2d": (17, 2), "predicted": (17, 3),
        "aligned": (17, 3), "truth": (17, 3), "error": (), "action": (), "puppet": (size, size),
        "parts": (size, size), "saliency": (size, size), "decoded": (size, size),
    }  # fmt: skip
    drawing = name == "unsup"
    for kind in ("random", "failures"):
        for field, shape in fields.items():
            if field != "decoded" or drawing:
                assert arrays.pop(f"{kind}/{field}").shape[1:] == shape, field
    novel = {
        "transfer/pose": (3, size, size, 3), "transfer/appearance": (3, size, size, 3),
        "transfer/drawn": (3, 3, size, size, 3), "transfer/puppet": (3, size, size),
        "transfer/decoded": (3, 3, size, size), "view/picture": (size, size, 3),
        "view/drawn": (AZIMUTHS, size, size, 3), "view/puppet": (AZIMUTHS, size, size),
        "view/decoded": (AZIMUTHS, size, size), "view/azimuth": (AZIMUTHS,),
    }  # fmt: skip
    expected = novel if drawing and role == "studio" else {}
    assert {name: tuple(value.shape) for name, value in arrays.items()} == expected
