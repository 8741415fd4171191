"""Yoo & Russakovsky 2023, the networks and what their numbers do to each part, against slow references."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from templated import QUICK, TRAINED

from lib.papers.yoo2023_model import (
    BEND,
    GROWTH,
    REACH,
    TURN,
    PoseExtractor,
    Reconstructor,
    TemplateModel,
    matrices,
    outputs,
)
from lib.papers.yoo2023_template import PARTS, identity, move, move_anchors, shape_template

# The two-step warp as the notes on the authors' code have it: outputs of each part, of both steps
FIRST = {part: i for i, part in enumerate(PARTS[:9])} | {
    "left_arm": 9, "left_forearm": 9, "left_hand": 9, "right_arm": 10, "right_forearm": 10, "right_hand": 10,
    "left_foot": 11, "right_foot": 12, "head": 13,
}  # fmt: skip
SECOND = {
    "left_arm": 14, "left_forearm": 15, "left_hand": 16,
    "right_arm": 17, "right_forearm": 18, "right_hand": 19,
}  # fmt: skip


def settings(coarse_to_fine=False, constrained=False, pivot="part"):
    return SimpleNamespace(coarse_to_fine=coarse_to_fine, constrained=constrained, pivot=pivot)


def parts_anchor(part):
    """The first anchor (2,) of a part of T_new, in crop coordinates."""
    template = shape_template("new")
    return template.anchors[(template.owner == PARTS.index(part)).nonzero()[0, 0]].double().numpy()


def within(value, bound):
    return bound * np.tanh(value / bound)


def rotation(angle):
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


def slow_corner(point, numbers, constrained, which):
    """A point (2,) in crop coordinates moved as by the authors: in pixels of 256, from the corner."""
    p = (point + 1) * 128
    if constrained:
        own, scales = numbers[: 3 * 20], numbers[3 * 20 :]
        angle, *shift = own[3 * which : 3 * which + 3]
        turn = rotation(angle)
        p = (np.eye(2) + turn @ np.diag(scales)) @ p + 256 * turn @ np.array(shift)
    else:
        m = numbers[6 * which : 6 * which + 6].reshape(2, 3)
        p = (np.eye(2) + m[:, :2]) @ p + 256 * m[:, 2]
    return p / 128 - 1


def slow_part(point, numbers, constrained, which, pivot, grow=True):
    """A point (2,) moved in our way: about a pivot, by bounded numbers."""
    if constrained:
        own = numbers[:60][3 * which : 3 * which + 3]
        linear, shift = rotation(within(own[0], TURN)), own[1:]
        if grow:
            linear = np.exp(within(numbers[60], GROWTH)) * linear
    else:
        m = numbers[6 * which : 6 * which + 6].reshape(2, 3)
        linear, shift = np.eye(2) + within(m[:, :2], BEND), m[:, 2]
    return pivot + linear @ (point - pivot) + within(shift, REACH)


def whole_arm(part):
    """The part whose first anchor a part turns about in the first step."""
    side = part.split("_")[0]
    return f"{side}_arm" if part.endswith(("arm", "hand")) else part


# Two steps


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("pivot", ["corner", "part"])
def test_two_steps_are_those_of_a_slow_reference(constrained, pivot):
    template, variant = shape_template("new"), settings(True, constrained, pivot)
    assert outputs(variant) == (120 if not constrained else 62 if pivot == "corner" else 61)
    numbers = 0.7 * torch.randn(3, outputs(variant))
    coarse, both = matrices(numbers, template, variant)
    assert coarse.shape == both.shape == (3, 18, 2, 3)
    points = torch.randn(3, 18, 2)
    found = [move(points, m).double().numpy() for m in (coarse, both)]
    for n in range(3):
        own = numbers[n].double().numpy()
        for i, part in enumerate(PARTS):
            p = points[n, i].double().numpy()
            if pivot == "corner":
                first = slow_corner(p, own, constrained, FIRST[part])
                second = slow_corner(first, own, constrained, SECOND[part]) if part in SECOND else first
            else:
                about = parts_anchor(whole_arm(part))
                first = slow_part(p, own, constrained, FIRST[part], about)
                second = first
                if part in SECOND:
                    about = slow_part(parts_anchor(part), own, constrained, FIRST[part], about)
                    second = slow_part(first, own, constrained, SECOND[part], about, grow=False)
            np.testing.assert_allclose(found[0][n, i], first, rtol=1e-4, atol=1e-4, err_msg=part)
            np.testing.assert_allclose(found[1][n, i], second, rtol=1e-4, atol=1e-4, err_msg=part)


@pytest.mark.parametrize("pivot", ["corner", "part"])
def test_one_step_is_that_of_a_slow_reference(pivot):
    template, variant = shape_template("new"), settings(pivot=pivot)
    numbers, points = 0.7 * torch.randn(2, 108), torch.randn(2, 18, 2)
    (found,) = matrices(numbers, template, variant)
    for n in range(2):
        own = numbers[n].double().numpy()
        for i, part in enumerate(PARTS):
            p = points[n, i].double().numpy()
            if pivot == "corner":
                expected = slow_corner(p, own, False, i)
            else:
                expected = slow_part(p, own, False, i, parts_anchor(part))
            moved = move(points, found)[n, i].numpy()
            np.testing.assert_allclose(moved, expected, rtol=1e-4, atol=1e-4, err_msg=part)


def test_the_second_step_moves_arms_alone():
    template, variant = shape_template("new"), settings(True)
    coarse, both = matrices(torch.randn(2, 120), template, variant)
    moved = {PARTS[i] for i in range(18) if not torch.equal(coarse[:, i], both[:, i])}
    assert moved == set(SECOND)
    for side in ("left", "right"):
        arm = [PARTS.index(f"{side}_{part}") for part in ("arm", "forearm", "hand")]
        torch.testing.assert_close(coarse[:, arm], coarse[:, arm[:1]].expand(-1, 3, -1, -1))


def test_whole_arms_stay_whole_in_the_first_step():
    """Elbows and wrists of the template still meet, whatever the numbers."""
    template = shape_template("new")
    coarse, _ = matrices(torch.randn(4, 120), template, settings(True))
    anchors = move_anchors(template, coarse)
    ends = anchors[:, template.pairs]
    arms = [
        i
        for i, pair in enumerate(template.pairs.tolist())
        if all(PARTS[template.owner[a]] in SECOND for a in pair)
    ]
    assert len(arms) == 4
    torch.testing.assert_close(ends[:, arms, 0], ends[:, arms, 1], rtol=0, atol=1e-5)


# Constrained matrices


@pytest.mark.parametrize("coarse_to_fine", [False, True])
def test_ours_are_similarities_of_one_scale(coarse_to_fine):
    template, variant = shape_template("new"), settings(coarse_to_fine, True)
    numbers = torch.randn(5, outputs(variant))
    for found in matrices(numbers, template, variant):
        linear = found[..., :2]
        square = linear @ linear.mT
        scale = square[..., 0, 0]
        torch.testing.assert_close(square, scale[..., None, None] * torch.eye(2).expand_as(square))
        torch.testing.assert_close(scale, scale[:, :1].expand_as(scale))
        expected = (2 * GROWTH * torch.tanh(numbers[:, -1] / GROWTH)).exp()
        torch.testing.assert_close(scale[:, 0], expected)


def test_the_authors_are_none_where_their_two_scales_differ():
    """The identity is added to the rotation; with equal scales it is a similarity nevertheless."""
    template, variant = shape_template("new"), settings(False, True, "corner")
    assert outputs(variant) == 56
    numbers = torch.randn(5, 56)
    for equal in (False, True):
        if equal:
            numbers[:, 55] = numbers[:, 54]
        linear = matrices(numbers, template, variant)[0][..., :2]
        square = linear @ linear.mT
        off = square[..., 0, 1].abs().max(), (square[..., 0, 0] - square[..., 1, 1]).abs().max()
        assert (max(off) < 1e-4) == equal
    numbers[:, 54:] = 0.0
    still = torch.eye(2).expand(5, 18, 2, 2)
    torch.testing.assert_close(matrices(numbers, template, variant)[0][..., :2], still)


# Zero numbers, bounds


@pytest.mark.parametrize("coarse_to_fine", [False, True])
@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("pivot", ["corner", "part"])
def test_zeros_leave_the_template(coarse_to_fine, constrained, pivot):
    template, variant = shape_template("orig"), settings(coarse_to_fine, constrained, pivot)
    for found in matrices(torch.zeros(2, outputs(variant)), template, variant):
        torch.testing.assert_close(found, identity(2), rtol=0, atol=1e-6)


def test_ours_are_bounded_and_gradients_finite():
    template = shape_template("new")
    for constrained in (False, True):
        variant = settings(False, constrained)
        numbers = (1e4 * torch.randn(8, outputs(variant))).requires_grad_()
        (found,) = matrices(numbers, template, variant)
        moved = move(template.pivot.expand(8, -1, -1), found) - template.pivot
        assert moved.abs().max() <= REACH + 1e-4
        assert (found[..., :2] - torch.eye(2)).abs().max() <= max(BEND, 1 + np.exp(GROWTH)) + 1e-4
        found.sum().backward()
        assert bool(numbers.grad.isfinite().all())


# Networks


@pytest.mark.parametrize("name", TRAINED)
def test_each_row_starts_where_it_should(name):
    variant = TRAINED[name]
    if variant.supervised:
        return
    model = TemplateModel(variant, QUICK).eval()
    picture = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        posed = model.pose(picture)
        drawn = model.draw(picture.flip(0), model.maps(posed))
    steps = 2 if variant.coarse_to_fine else 1
    assert len(posed.matrices) == len(posed.anchors) == steps
    assert posed.keypoints.shape == (2, 15, 2) and drawn.shape == (2, 3, 32, 32)
    assert model.template.kind == variant.template
    still = torch.allclose(posed.keypoints, model.template.keypoints.expand(2, -1, -1), atol=1e-4)
    assert still == variant.zero_start


def test_the_outputs_scale_is_applied():
    numbers = torch.randn(2, 108)
    variant = TRAINED["mse-new"]
    one, tenth = (TemplateModel(replace(variant, output_scale=s), QUICK) for s in (1.0, 0.1))
    torch.testing.assert_close(one.posed(0.1 * numbers).keypoints, tenth.posed(numbers).keypoints)


def test_pictures_are_normalised_and_back():
    model, picture = TemplateModel(TRAINED["mse"], QUICK), torch.rand(2, 3, 32, 32)
    shown = model.normalise(picture)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(shown, (picture - mean[:, None, None]) / std[:, None, None])
    torch.testing.assert_close(model.picture(shown), picture)


def test_skips_are_additions_and_cost_nothing():
    one, other = Reconstructor((8, 8, 16), True).eval(), Reconstructor((8, 8, 16), False).eval()
    other.load_state_dict(one.state_dict())
    picture, maps = torch.randn(1, 3, 16, 16), torch.rand(1, 18, 16, 16)
    assert not torch.allclose(one(picture, maps), other(picture, maps))
    # with skips a single pixel of the other frame reaches its place; nothing is added to the last layer
    torch.nn.init.zeros_(one.last.weight)
    torch.nn.init.zeros_(one.last.bias)
    assert one(picture, maps).abs().max() == 0


def test_the_papers_networks_are_as_large_as_the_authors():
    phi = PoseExtractor((32, 64, 128, 256, 512, 512, 512), (256, 512), 256, 108)
    psi = Reconstructor((32, 64, 128, 256))
    count = [sum(p.numel() for p in net.parameters()) / 1e6 for net in (phi, psi)]
    # the authors pad the last map, 4 px a side, to 6
    assert count[0] == pytest.approx(16.7 - 256 * (36 - 16) * 512 / 1e6, abs=0.1)
    assert count[1] == pytest.approx(1.75, abs=0.05)
    with pytest.raises(ValueError, match="cannot be halved"):
        PoseExtractor((8,) * 7, (8, 8), 32, 6)
