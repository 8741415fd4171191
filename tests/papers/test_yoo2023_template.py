"""Yoo & Russakovsky 2023, the template: the authors' numbers, and its closed-form warp against resampling."""

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from lib.papers.yoo2023_template import (
    ANCHORS,
    FLOOR,
    JOINTS,
    KINDS,
    MIRROR,
    PARTS,
    compose,
    identity,
    keypoints,
    move,
    move_anchors,
    posed_maps,
    shape_template,
)

# Typed again from the authors' files: centre (row, column), standard deviations, angle
SHARED = {
    "core": (120, 128, 15.36, 25.6, 1.5708),
    "left_hip": (152, 120, 6.4, 7.68, -0.9), "right_hip": (152, 136, 6.4, 7.68, 0.9),
    "left_thigh": (172, 108, 6.4, 10.24, -1.1), "right_thigh": (172, 148, 6.4, 10.24, 1.1),
    "left_shin": (196, 100, 6.4, 12.8, 1.5708), "right_shin": (196, 156, 6.4, 12.8, -1.5708),
    "left_shoulder": (80, 120, 6.4, 10.24, 0), "right_shoulder": (80, 136, 6.4, 10.24, 0),
    "left_foot": (220, 100, 5.12, 5.12, 0), "right_foot": (220, 156, 5.12, 5.12, 0),
    "head": (52, 128, 12.8, 8.96, 0),
}  # fmt: skip
DRAWN = {
    "orig": SHARED | {
        "left_arm": (80, 96, 6.4, 10.24, 0), "right_arm": (80, 160, 6.4, 10.24, 0),
        "left_forearm": (80, 72, 6.4, 10.24, 0), "right_forearm": (80, 184, 6.4, 10.24, 0),
        "left_hand": (80, 56, 5.12, 6.4, 0), "right_hand": (80, 200, 5.12, 6.4, 0),
    },
    "new": SHARED | {
        "left_arm": (93, 100, 6.4, 10.24, -1.0472), "right_arm": (93, 156, 6.4, 10.24, 1.0472),
        "left_forearm": (118, 90, 6.4, 10.24, -1.3963), "right_forearm": (118, 165, 6.4, 10.24, 1.3963),
        "left_hand": (138, 87, 5.12, 6.4, -1.3963), "right_hand": (138, 170, 5.12, 6.4, 1.3963),
    },
}  # fmt: skip
# (column, row)
TRUNK = {
    "core": [(128, 144), (128, 80), (128, 68)],
    "left_hip": [(128, 144), (116, 144)], "right_hip": [(128, 144), (140, 144)],
    "left_thigh": [(116, 144), (100, 184)], "right_thigh": [(140, 144), (156, 184)],
    "left_shin": [(100, 184), (100, 208)], "right_shin": [(156, 184), (156, 208)],
    "left_shoulder": [(128, 80), (112, 80)], "right_shoulder": [(128, 80), (144, 80)],
    "left_foot": [(100, 208)], "right_foot": [(156, 208)], "head": [(128, 68)],
}  # fmt: skip
POINTS = {
    "orig": TRUNK | {
        "left_arm": [(112, 80), (88, 80)], "right_arm": [(144, 80), (168, 80)],
        "left_forearm": [(88, 80), (68, 80)], "right_forearm": [(168, 80), (188, 80)],
        "left_hand": [(68, 80)], "right_hand": [(188, 80)],
    },
    "new": TRUNK | {
        "left_arm": [(112, 80), (93, 102)], "right_arm": [(144, 80), (160, 102)],
        "left_forearm": [(93, 102), (86, 127)], "right_forearm": [(160, 102), (167, 127)],
        "left_hand": [(86, 127)], "right_hand": [(167, 127)],
    },
}  # fmt: skip
# the picture's side, which is a facing person's other one
READ = {
    "abdomen": ["core 0", "left_hip 0", "right_hip 0"],
    "chest": ["core 1", "left_shoulder 0", "right_shoulder 0"],
    "neck": ["core 2", "head 0"],
}
for side, other in (("left", "right"), ("right", "left")):
    READ |= {
        f"{side}_hip": [f"{other}_hip 1", f"{other}_thigh 0"],
        f"{side}_knee": [f"{other}_thigh 1", f"{other}_shin 0"],
        f"{side}_ankle": [f"{other}_shin 1", f"{other}_foot 0"],
        f"{side}_shoulder": [f"{other}_shoulder 1", f"{other}_arm 0"],
        f"{side}_elbow": [f"{other}_arm 1", f"{other}_forearm 0"],
        f"{side}_wrist": [f"{other}_forearm 1", f"{other}_hand 0"],
    }

BLUR = 0.012  # bilinear interpolation of the narrowest part, of 5.12 px: h^2 / 8 times two second derivatives


def drawn(kind, size=256):
    """The parts' maps (18, size, size) by the authors' exponent in rows and columns, pixel by pixel."""
    step = 256 / size
    at = (np.arange(size) + 0.5) * step - 0.5  # of the authors' pixels
    maps = []
    for part in PARTS:
        row, column, sx, sy, turn = DRAWN[kind][part]
        a = np.cos(turn) ** 2 / (2 * sx**2) + np.sin(turn) ** 2 / (2 * sy**2)
        b = -np.sin(2 * turn) / (4 * sx**2) + np.sin(2 * turn) / (4 * sy**2)
        c = np.sin(turn) ** 2 / (2 * sx**2) + np.cos(turn) ** 2 / (2 * sy**2)
        one = np.zeros((size, size))
        for i, r in enumerate(at):
            dr, dc = r - row, at - column
            one[i] = np.exp(-(a * dr**2 + 2 * b * dr * dc + c * dc**2))
        maps.append(one)
    return torch.from_numpy(np.stack(maps)).float()


def in_pixels(points):
    """Crop coordinates as indices of the authors' pixels."""
    return (points + 1) * 128 - 0.5


def mild(count, spread=0.15, shift=0.1):
    """Matrices (count, 18, 2, 3) near the identity."""
    return identity(count) + torch.cat(
        [spread * torch.randn(count, 18, 2, 2), shift * torch.randn(count, 18, 2, 1)], dim=-1
    )


def resampled(maps, matrices):
    """Maps (18, S, S) warped as the authors' library does: bilinear, corners aligned, zeros outside.

    matrices (18, 2, 3) in crop coordinates; the library's are in pixels.
    """
    size = maps.shape[-1]
    scale = size / 2
    linear, shift = matrices[:, :, :2].double(), matrices[:, :, 2].double()
    # index = scale (x + 1) - 1/2
    ones = torch.full((2,), scale - 0.5, dtype=torch.float64)
    in_px = scale * shift + ones - linear @ ones
    at = torch.arange(size, dtype=torch.float64)
    rows, columns = torch.meshgrid(at, at, indexing="ij")
    target = torch.stack([columns, rows], -1).reshape(1, -1, 2)
    source = (target - in_px[:, None]) @ torch.linalg.inv(linear).mT
    grid = (2 * source / (size - 1) - 1).reshape(-1, size, size, 2).float()
    return grid_sample(maps[:, None], grid, "bilinear", "zeros", align_corners=True)[:, 0]


# The authors' numbers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [256, 64])
def test_maps_are_the_authors(kind, size):
    maps = posed_maps(shape_template(kind), identity(1), size, floor=0.0)[0]
    torch.testing.assert_close(maps, drawn(kind, size), rtol=0, atol=2e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_anchors_are_the_authors(kind):
    template = shape_template(kind)
    assert template.anchors.shape == (32, 2) and len(ANCHORS) == 32 and template.kind == kind
    found = {}
    for point, owner in zip(in_pixels(template.anchors), template.owner.tolist(), strict=True):
        found.setdefault(PARTS[owner], []).append(tuple(round(v, 3) for v in point.tolist()))
    assert found == {part: [tuple(map(float, p)) for p in POINTS[kind][part]] for part in PARTS}
    first = torch.tensor([POINTS[kind][part][0] for part in PARTS]).float()
    torch.testing.assert_close(in_pixels(template.pivot), first, rtol=0, atol=1e-3)


def test_templates_differ_in_the_arms_alone():
    one, other = shape_template("orig"), shape_template("new")
    moved = {PARTS[i] for i in (one.mean != other.mean).any(1).nonzero()[:, 0].tolist()}
    assert moved == {part for part in PARTS if part.endswith(("arm", "hand"))}
    assert torch.equal(one.pairs, other.pairs) and torch.equal(one.reading, other.reading)


@pytest.mark.parametrize("kind", KINDS)
def test_paired_anchors_coincide_in_the_template(kind):
    template = shape_template(kind)
    ends = template.anchors[template.pairs]
    assert template.pairs.shape == (17, 2) and torch.equal(ends[:, 0], ends[:, 1])
    assert len({frozenset(pair) for pair in template.pairs.tolist()}) == 17
    # each joins two parts, so that all parts hang together
    owners = template.owner[template.pairs]
    assert (owners[:, 0] != owners[:, 1]).all()
    joined = {0}
    for _ in range(17):
        joined |= {b for pair in owners.tolist() for b in pair if joined & set(pair)}
    assert joined == set(range(18))


def test_keypoints_are_means_of_anchors():
    template, anchors = shape_template("new"), torch.randn(4, 32, 2)
    place = {f"{part} {number}": i for i, (part, number) in enumerate(ANCHORS)}
    found = keypoints(template, anchors)
    for i, joint in enumerate(JOINTS):
        expected = anchors[:, [place[name] for name in READ[joint]]].mean(1)
        torch.testing.assert_close(found[:, i], expected)


def test_sides_are_those_of_a_person_who_faces_the_camera():
    for kind in KINDS:
        points = dict(zip(JOINTS, shape_template(kind).keypoints.tolist(), strict=True))
        assert all(points[name][0] > 0 for name in JOINTS if name.startswith("left"))
        assert all(points[name][0] < 0.01 for name in JOINTS if name.startswith("right"))
        assert points["neck"][1] < points["chest"][1] < points["abdomen"][1] < points["left_ankle"][1]
    for i, j in enumerate(MIRROR):
        exchanged = JOINTS[i].replace("left", "L").replace("right", "left")
        assert JOINTS[j] == exchanged.replace("L", "right")


def test_a_template_can_be_smaller():
    whole, half = shape_template("new"), shape_template("new", 0.5)
    torch.testing.assert_close(half.keypoints, whole.keypoints / 2)
    torch.testing.assert_close(half.pivot, whole.pivot / 2)
    shrink = identity(1) * torch.tensor([0.5, 0.5, 1.0])
    torch.testing.assert_close(
        posed_maps(half, identity(1), 64), posed_maps(whole, shrink, 64), rtol=0, atol=1e-5
    )
    with pytest.raises(ValueError, match="orig, new"):
        shape_template("old")


# Moving


def test_matrices_are_composed_as_they_are_applied():
    first, second = torch.randn(2, 5, 18, 2, 3, dtype=torch.float64)
    points = torch.randn(5, 18, 2, dtype=torch.float64)
    found = move(points, compose(second, first))
    torch.testing.assert_close(found, move(move(points, first), second))
    for n in range(5):
        for part in range(18):
            expected = second[n, part] @ torch.cat(
                [first[n, part] @ torch.cat([points[n, part], torch.ones(1)]), torch.ones(1)]
            )
            torch.testing.assert_close(found[n, part], expected)


def test_nothing_moves_by_the_identity():
    template, eye = shape_template("orig"), identity(3)
    assert eye.shape == (3, 18, 2, 3)
    torch.testing.assert_close(move_anchors(template, eye), template.anchors.expand(3, -1, -1))
    torch.testing.assert_close(compose(eye, eye), eye)
    like = identity(1, 4, torch.zeros(1, dtype=torch.float64))
    assert like.dtype == torch.float64 and like.shape == (1, 4, 2, 3)


def test_an_anchor_moves_with_its_part_alone():
    template, matrices = shape_template("new"), identity(1).clone()
    part = PARTS.index("left_forearm")
    matrices[0, part] = torch.tensor([[0.0, -1.0, 0.2], [1.0, 0.0, 0.1]])
    moved = move_anchors(template, matrices)[0]
    same = template.owner != part
    assert torch.equal(moved[same], template.anchors[same]) and (~same).sum() == 2
    x, y = template.anchors[~same].unbind(1)
    torch.testing.assert_close(moved[~same], torch.stack([0.2 - y, 0.1 + x], 1))


# The closed form


@pytest.mark.parametrize("kind", KINDS)
def test_the_closed_form_is_what_resampling_approaches(kind):
    template, matrices = shape_template(kind), mild(2, 0.25)
    found = posed_maps(template, matrices, 256, floor=0.0)
    for maps, matrix in zip(found, matrices, strict=True):
        expected = resampled(drawn(kind), matrix)
        torch.testing.assert_close(maps, expected, rtol=0, atol=BLUR)


def test_two_resamplings_are_one_composed_matrix():
    template = shape_template("new")
    # shrunk first: what crosses the edge in between is lost to resampling
    first, second = 0.8 * mild(1, 0.1, 0.05), mild(1, 0.1, 0.05)
    found = posed_maps(template, compose(second, first), 256, floor=0.0)[0]
    expected = resampled(resampled(drawn("new"), first[0]), second[0])
    torch.testing.assert_close(found, expected, rtol=0, atol=2 * BLUR)
    other = posed_maps(template, compose(first, second), 256, floor=0.0)[0]
    assert (other - expected).abs().max() > 4 * BLUR


def test_the_floor_is_a_blur():
    """Its square is added to both variances: the parts sum to more, by the share of their areas."""
    template, matrices = shape_template("orig"), mild(1, shift=0.0)
    plain, blurred = (posed_maps(template, matrices, 256, floor=f)[0] for f in (0.0, 0.05))
    spread = matrices[0, :, :, :2] @ template.covariance @ matrices[0, :, :, :2].mT
    expected = (spread + 0.05**2 * torch.eye(2)).det().sqrt() / spread.det().sqrt()
    inside = [PARTS.index("core"), PARTS.index("head")]  # not over the picture's edge
    torch.testing.assert_close(
        blurred.sum((1, 2))[inside] / plain.sum((1, 2))[inside], expected[inside], rtol=0.01, atol=0
    )


@pytest.mark.parametrize(
    "linear",
    [
        [[0.0, 0.0], [0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, 0.0]],
        [[-1.0, 0.0], [0.0, 1.0]], [[50.0, 3.0], [50.0, 3.0]], [[300.0, 0.0], [0.0, 1e-3]],
    ],
)  # fmt: skip
def test_gradients_are_finite_also_of_singular_matrices(linear):
    matrices = identity(1).clone()
    matrices[..., :2] = torch.tensor(linear)
    matrices.requires_grad_()
    maps = posed_maps(shape_template("new"), matrices, 32)
    assert bool(maps.isfinite().all()) and 0 <= maps.min() and maps.max() <= 1
    maps.square().sum().backward()
    assert bool(matrices.grad.isfinite().all())


def test_gradients_are_those_of_differences():
    template, matrices = shape_template("new"), mild(1)
    weight = torch.randn(1, 18, 32, 32)

    def loss(m):
        return (posed_maps(template, m, 32) * weight).double().sum()

    leaf = matrices.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    for part in (0, 9, 17):
        for i in range(2):
            for j in range(3):
                step = torch.zeros_like(matrices)
                step[0, part, i, j] = 1e-3
                slope = (loss(matrices + step) - loss(matrices - step)) / 2e-3
                assert float(gradient[0, part, i, j]) == pytest.approx(float(slope), rel=0.02, abs=0.05)
    assert FLOOR == 2 / 128
