"""The puppet: warped parts against a slow second implementation, depth order, awkward poses, gradients."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from lib.kinematics import bone_ratios, canonical, fit_box, forward_kinematics
from lib.papers.kundu2020_model import standing
from lib.puppet import (
    LANDMARKS,
    PARTS,
    SHORTEST,
    THIN,
    TRUNK,
    deform,
    landmarks,
    order,
    order_printed,
    segment,
    shape_depths,
    template,
)
from lib.skeleton import HUMAN36M_17

SIZE = 48
AT = {name: number for number, name in enumerate(LANDMARKS)}
CORNERS = [AT[f"{side}_{name}"] for name in ("shoulder", "hip") for side in ("left", "right")]
MIRROR = [AT[name.replace("left", "?").replace("right", "left").replace("?", "right")] for name in LANDMARKS]
KINDS = ("plain", "face")
# canonical axes to those of a camera that looks at the face
FACING = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])
every_kind = pytest.mark.parametrize("kind", KINDS)
thick_or_not = pytest.mark.parametrize("thick", [True, False])


def people(count=4, spread=0.25, yaw=0.6):
    """Poses (count, 17, 3) in camera axes, trunks, of people who face the camera more or less."""
    generator = torch.Generator().manual_seed(1)
    rest = standing("transport")
    lengths = bone_ratios(forward_kinematics(rest[None], torch.ones(17)))
    for _, joint in HUMAN36M_17.bones:
        lengths[joint] = 0.5
    lengths[HUMAN36M_17.index("thorax")] = 1.0
    noise = torch.randn(count, 40, generator=generator)
    pose = forward_kinematics(rest + spread * noise, lengths, "transport")
    turn = Rotation.from_rotvec(np.outer(np.linspace(-yaw, yaw, count), [0, 1, 0])).as_matrix()
    return pose @ FACING.T @ torch.from_numpy(turn).float().mT


def seen(pose):
    """Landmarks' points (N, 23, 2), depths (N, 23) and scales (N,) under a camera without perspective."""
    body = landmarks(pose)
    points = fit_box(body[..., :2], 1.25, 17)
    extent = (body[:, :17, :2].amax(1) - body[:, :17, :2].amin(1)).amax(-1).clamp_min(1e-3)
    return points, body[..., 2], 2 / 1.25 / extent


def flat(kind="face"):
    """Points (1, 23, 2) at which the template hangs as it was drawn."""
    shape = template(kind)
    points = torch.zeros(1, len(LANDMARKS), 2)
    for number in range(len(shape)):
        if number != shape.torso:  # it hangs on its corners
            points[0, shape.ends[number]] = shape.anchors[number]
    points[0, CORNERS] = shape.corners
    return points


# The drawing


@every_kind
def test_the_template_is_a_drawing_of_ten_parts(kind):
    shape = template(kind)
    assert set(shape.owner) == set(range(len(PARTS))) and len(shape) == {"plain": 10, "face": 13}[kind]
    assert set(shape.masks.unique().tolist()) == {0.0, 1.0}
    for values in (shape.maps, shape.rings):
        assert values.shape == shape.masks.shape and 0 <= values.min() and values.max() <= 1 + 1e-6
    inner = shape.masks == 1
    assert shape.maps[~inner].max() < 0.5  # eroded
    assert (shape.maps.flatten(1).amax(1) > 0.9).all() and (shape.rings.flatten(1).amax(1) > 0.4).all()
    for name, owner in zip(shape.names, shape.owner, strict=True):
        merged = {"hair": "head", "face": "head"}.get(name, name.replace("foot", "lower_leg"))
        assert PARTS[owner] == merged
    assert shape.names[shape.torso] == "torso"


@every_kind
def test_the_template_is_symmetric(kind):
    shape = template(kind)
    other = [n.replace("left", "?").replace("right", "left").replace("?", "right") for n in shape.names]
    swap = [shape.names.index(name) for name in other]
    for values in (shape.masks, shape.maps, shape.rings):
        torch.testing.assert_close(values.flip(-1)[swap], values, rtol=0, atol=1e-6)


def test_other_templates_are_refused():
    with pytest.raises(ValueError, match="plain or face, not 'cat'"):
        template("cat")


# Landmarks


def test_landmarks_keep_the_joints():
    pose = people()
    assert torch.equal(landmarks(pose)[:, :17], pose)
    assert landmarks(pose).shape == (4, 23, 3)


@pytest.mark.parametrize("seed", range(3))
def test_landmarks_turn_move_and_grow_with_the_body(seed):
    pose = people(6, 0.4).double()
    R = torch.from_numpy(Rotation.random(random_state=seed).as_matrix())
    t = torch.randn(3, dtype=torch.float64)
    expected = 430 * landmarks(pose) @ R.T + t
    torch.testing.assert_close(landmarks(430 * pose @ R.T + t), expected)


def test_landmarks_of_the_mirrored_body_are_mirrored():
    pose, side = people(6, 0.4), torch.tensor([-1.0, 1.0, 1.0])
    mirrored = pose[:, list(HUMAN36M_17.mirror)] * side
    torch.testing.assert_close(landmarks(mirrored), landmarks(pose)[:, MIRROR] * side, rtol=0, atol=1e-5)


def test_the_face_is_ahead_of_hair_and_toes_ahead_of_ankles():
    body = canonical(people(1, 0.0))[0]
    points = landmarks(body)[0]
    for front, back in (("face_low", "hair_low"), ("face_high", "hair_high"), ("left_toes", "left_ankle")):
        assert points[AT[front], 0] > points[AT[back], 0] + 0.1
    assert points[AT["right_toes"], 0] > points[AT["right_ankle"], 0] + 0.1


# Part maps: a slow second implementation


def sampled(picture, where):
    """A template's map at points (..., 2) in crop coordinates, zero outside."""
    size = picture.shape[-1]
    pixels = (where + 1) * size / 2 - 0.5
    return map_coordinates(picture, [pixels[..., 1], pixels[..., 0]], order=1, mode="constant", cval=0)


def slowly(shape, points, scale, size):
    """phi_p and psi_p (P, size, size) of points (23, 2): shape by shape, limbs as complex numbers."""
    points = points.double().numpy()
    steps = 2 * (np.arange(size) + 0.5) / size - 1
    x, y = np.meshgrid(steps, steps)
    found = []
    for number, name in enumerate(shape.names):
        if name == "torso":
            where = torso_slowly(shape, points, scale, x, y)
        else:
            (r1, r2), (q1, q2) = (
                (a[0, 0] + 1j * a[0, 1], a[1, 0] + 1j * a[1, 1])
                for a in (shape.anchors[number].double().numpy(), points[shape.ends[number]])
            )
            length = abs(q2 - q1)
            direction = (q2 - q1) / length if length > 1e-4 else 1j
            drawn = (r2 - r1) / abs(r2 - r1)
            # along the limb on the real axis, across on the imaginary
            u = ((x + 1j * y) - q1) / direction
            along = max(length, SHORTEST) / abs(r2 - r1)
            across = along if scale is None else scale / TRUNK
            u = r1 + (u.real / along + 1j * u.imag / across) * drawn
            where = np.stack([u.real, u.imag], -1)
        found.append([sampled(m[number].double().numpy(), where) for m in (shape.maps, shape.rings)])
    return np.array(found).swapaxes(0, 1)


def torso_slowly(shape, points, scale, x, y):
    known = np.concatenate([shape.corners.double().numpy(), np.ones((4, 1))], 1)
    solution = np.linalg.lstsq(known, points[CORNERS], rcond=None)[0]
    side, down, shift = solution
    height = np.linalg.norm(down)
    v = down / height
    u = np.array([v[1], -v[0]])
    least = THIN * (height if scale is None else scale / TRUNK)
    width, lean = side @ u, side @ v
    wide, high = max(abs(width), least), max(height, least)
    lean *= width / wide
    M = np.stack([wide * u + lean * v, high * v], 1)  # template to picture
    return (np.stack([x, y], -1) - shift) @ np.linalg.inv(M).T


@every_kind
@thick_or_not
def test_maps_are_those_of_the_slow_warp(kind, thick):
    shape = template(kind)
    points, _, scale = seen(people(4, 0.35))
    maps = deform(shape, points, SIZE, scale if thick else None)
    for n in range(len(points)):
        expected = slowly(shape, points[n], float(scale[n]) if thick else None, SIZE)
        for mine, other in zip(maps, expected, strict=True):
            np.testing.assert_allclose(mine[n].numpy(), other, rtol=0, atol=1e-4)


@every_kind
@thick_or_not
@pytest.mark.parametrize("behind", [False, True])
def test_the_torso_is_affine_away_from_profile(kind, thick, behind):
    """Least squares and their inverse, as printed: nothing of what profiles are protected by."""
    shape = template(kind)
    turn = torch.tensor([-1.0, 1.0, -1.0]) if behind else torch.ones(3)
    points, _, scale = seen(people(4, 0.1, 0.3) * turn)
    known = np.concatenate([shape.corners.double().numpy(), np.ones((4, 1))], 1)
    steps = 2 * (np.arange(SIZE) + 0.5) / SIZE - 1
    pixels = np.stack([*np.meshgrid(steps, steps), np.ones((SIZE, SIZE))], -1)
    maps = deform(shape, points, SIZE, scale if thick else None)
    for n in range(len(points)):
        affine = np.linalg.lstsq(known, points[n, CORNERS].double().numpy(), rcond=None)[0]
        assert (affine[0, 0] < 0) == behind and abs(affine[0, 0]) > THIN * abs(affine[1, 1])
        square = np.concatenate([affine, [[0], [0], [1]]], 1)
        where = (pixels @ np.linalg.inv(square))[..., :2]
        for mine, drawn in zip(maps, (shape.maps, shape.rings), strict=True):
            expected = sampled(drawn[shape.torso].double().numpy(), where)
            np.testing.assert_allclose(mine[n, shape.torso].numpy(), expected, rtol=0, atol=1e-4)


@every_kind
@thick_or_not
def test_at_rest_the_template_is_what_was_drawn(kind, thick):
    shape = template(kind)
    scale = torch.tensor([TRUNK]) if thick else None
    maps = deform(shape, flat(kind), shape.maps.shape[-1], scale)
    for mine, drawn in zip(maps, (shape.maps, shape.rings), strict=True):
        torch.testing.assert_close(mine[0], drawn, rtol=0, atol=1e-4)


def test_maps_of_several_pictures_are_those_of_each():
    points, _, scale = seen(people(3))
    shape = template("face")
    both = deform(shape, points, SIZE, scale)
    for n in range(3):
        for mine, one in zip(both, deform(shape, points[n : n + 1], SIZE, scale[n : n + 1]), strict=True):
            torch.testing.assert_close(mine[n], one[0])


@every_kind
def test_the_mirrored_person_has_mirrored_maps(kind):
    shape = template(kind)
    points, _, scale = seen(people(4, 0.3))
    names = [n.replace("left", "?").replace("right", "left").replace("?", "right") for n in shape.names]
    swap = [shape.names.index(name) for name in names]
    for given in (scale, None):
        plain = deform(shape, points, SIZE, given)
        mirrored = deform(shape, points[:, MIRROR] * torch.tensor([-1.0, 1.0]), SIZE, given)
        for a, b in zip(plain, mirrored, strict=True):
            torch.testing.assert_close(b, a[:, swap].flip(-1), rtol=0, atol=2e-4)


def arm(length, scale):
    """Map of an upper arm that hangs from (0, -0.3), so long in the picture."""
    points, shape = flat("plain"), template("plain")
    points[0, AT["left_shoulder"]] = torch.tensor([0.0, -0.3])
    points[0, AT["left_elbow"]] = torch.tensor([0.0, -0.3 + length])
    given = None if scale is None else torch.tensor([scale])
    return deform(shape, points, 96, given)[0][0, shape.names.index("left_upper_arm")]


def test_thick_limbs_keep_their_width_and_similar_ones_do_not():
    def width(mask):
        return (mask > 0.5).sum(1).amax()

    full = width(arm(0.27, 0.48))
    for length in (0.2, 0.13, 0.07):
        assert (width(arm(length, 0.48)) - full).abs() <= 1
    assert width(arm(0.13, None)) < 0.65 * full
    assert width(arm(0.27, 0.96)) > 1.8 * full


def test_no_limb_is_shorter_than_the_shortest():
    for scale in (0.48, None):
        for length in (0.0, 1e-6, SHORTEST / 2):
            torch.testing.assert_close(arm(length, scale), arm(SHORTEST, scale), rtol=0, atol=1e-4)
    assert arm(0.0, 0.48).max() > 0.5


@pytest.mark.parametrize("shape", [(3, 17, 2), (23, 2), (2, 23, 3)])
def test_points_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match="not \\(N, 23, 2\\)"):
        deform(template("face"), torch.zeros(shape), 8)


# Awkward poses


def awkward():
    """Poses (17, 3) in camera axes that flat templates have trouble with."""
    rest = people(1, 0.0, 0.0)[0]
    joint = HUMAN36M_17.index
    found = {"standing": rest}
    towards = rest.clone()
    towards[joint("left_elbow")] = rest[joint("left_shoulder")] + torch.tensor([0.0, 0.0, -0.5])
    towards[joint("left_wrist")] = rest[joint("left_shoulder")] + torch.tensor([0.0, 0.0, -1.0])
    found["arm at the camera"] = towards
    same = rest.clone()
    same[joint("left_elbow")] = same[joint("left_wrist")] = same[joint("left_shoulder")]
    found["arm at one point"] = same
    turn = torch.from_numpy(Rotation.from_rotvec([0, np.pi / 2, 0]).as_matrix()).float()
    found["profile"] = rest @ turn.T
    found["from behind"] = rest @ turn.T @ turn.T
    lying = torch.from_numpy(Rotation.from_rotvec([np.pi / 2, 0, 0]).as_matrix()).float()
    found["along the axis"] = rest @ lying.T
    found["one point"] = torch.zeros_like(rest)
    return found


@every_kind
@thick_or_not
@pytest.mark.parametrize("name", awkward())
def test_gradients_are_finite(kind, thick, name):
    pose = awkward()[name][None].clone().requires_grad_()
    points, depth, scale = seen(pose)
    shape = template(kind)
    phi, psi = deform(shape, points, 24, scale if thick else None)
    shown = order(phi, shape_depths(shape, depth))
    assert all(bool(v.isfinite().all()) and v.min() >= 0 for v in (phi, psi, shown))
    weights = torch.linspace(0, 1, 24)
    loss = ((phi + psi + shown) * weights * weights[:, None]).sum()
    (gradient,) = torch.autograd.grad(loss, pose)
    assert bool(gradient.isfinite().all())
    if name != "one point":
        assert gradient.abs().max() > 0


def test_points_that_coincide_have_finite_gradients():
    points = torch.zeros(2, len(LANDMARKS), 2, requires_grad=True)
    phi, psi = deform(template("face"), points, 16, torch.tensor([0.5, 0.0]))
    (gradient,) = torch.autograd.grad(phi.sum() + psi.sum(), points)
    assert bool(gradient.isfinite().all()) and bool(phi.isfinite().all())


def test_gradients_are_those_of_finite_differences():
    shape = template("plain", 32)
    drawn = ("maps", "rings", "masks", "anchors", "corners")
    shape = replace(shape, **{name: getattr(shape, name).double() for name in drawn})
    points, _, scale = seen(people(1, 0.2))
    points = points.double().requires_grad_()
    weights = torch.rand(10, 24, 24, dtype=torch.float64)

    def loss(p):
        return (deform(shape, p, 24, scale.double())[0] * weights).sum()

    (gradient,) = torch.autograd.grad(loss(points), points)
    direction = torch.randn_like(points)
    step = 1e-6
    difference = (loss(points + step * direction) - loss(points - step * direction)) / (2 * step)
    torch.testing.assert_close((gradient * direction).sum(), difference.detach(), rtol=2e-3, atol=1e-3)


def test_the_scale_gets_no_gradient():
    points, _, scale = seen(people(1))
    scale.requires_grad_()
    points.requires_grad_()
    deform(template("face"), points, 16, scale)[0].sum().backward()
    assert scale.grad is None and points.grad is not None


def test_a_torso_in_profile_is_as_wide_as_a_trunk_from_the_side():
    shape, points = template("plain"), flat("plain")
    for side in ("left", "right"):
        points[0, [AT[f"{side}_shoulder"], AT[f"{side}_hip"]], 0] = 0
    front, profile = (
        (deform(shape, p, 96)[0][0, shape.torso] > 0.5).sum(1).amax() for p in (flat("plain"), points)
    )
    assert profile / front == pytest.approx(THIN, abs=0.05)


def test_a_torso_is_the_same_from_behind():
    shape, (points, _, scale) = template("face"), seen(people(4, 0.3))
    behind = points.clone()
    for name in ("shoulder", "hip"):
        pair = [AT[f"left_{name}"], AT[f"right_{name}"]]
        behind[:, pair] = points[:, pair[::-1]]
    for given in (scale, None):
        for a, b in zip(deform(shape, points, SIZE, given), deform(shape, behind, SIZE, given), strict=True):
            torch.testing.assert_close(a[:, shape.torso], b[:, shape.torso], rtol=0, atol=2e-4)


def test_a_torso_does_not_jump_as_it_turns_through_profile():
    rest = people(1, 0.0, 0.0)[0]
    angles = np.linspace(np.pi / 2 - 0.05, np.pi / 2 + 0.05, 41)
    turns = torch.from_numpy(Rotation.from_rotvec(np.outer(angles, [0, 1, 0])).as_matrix()).float()
    points, _, scale = seen(rest @ turns.mT)
    torso = deform(template("plain"), points, SIZE, scale)[0][:, 1]
    assert (torso[1:] - torso[:-1]).abs().amax() < 0.05


# Depth order


def crossed(left, right):
    """Segmentation of two forearms that cross, at depths left and right."""
    shape, points = template("plain"), flat("plain")
    for side, sign in (("left", 1.0), ("right", -1.0)):
        points[0, AT[f"{side}_elbow"]] = torch.tensor([0.2 * sign, -0.2])
        points[0, AT[f"{side}_wrist"]] = torch.tensor([-0.2 * sign, 0.2])
    depth = torch.full((1, len(LANDMARKS)), 0.5)
    for side, value in (("left", left), ("right", right)):
        depth[0, [AT[f"{side}_elbow"], AT[f"{side}_wrist"]]] = value
    phi, _ = deform(shape, points, 64, torch.tensor([0.48]))
    return segment(shape, order(phi, shape_depths(shape, depth)))[0]


def test_crossed_limbs_exchange_their_order_when_their_depths_do():
    left, right = (1 + PARTS.index(f"{side}_lower_arm") for side in ("left", "right"))
    one, other = crossed(-0.3, -0.1), crossed(-0.1, -0.3)
    assert one[32, 32] == left and other[32, 32] == right
    assert (one == left).sum() > (one == right).sum() and (other == right).sum() > (other == left).sum()
    assert ((one > 0) != (other > 0)).sum() <= 2  # on the outline, by rounding


def test_order_hides_what_is_behind_and_nothing_else():
    phi = torch.zeros(1, 3, 1, 4)
    phi[0, 0, 0], phi[0, 1, 0] = torch.tensor([1.0, 1.0, 0.0, 0.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    shown = order(phi, torch.tensor([[-0.4, 0.4, 0.0]]))[0, :, 0]
    assert shown[0, 0] > 0.9 and shown[1, 0] < 0.1
    assert shown[0, 1] > 0.99 and shown[1, 2] > 0.99
    assert not shown[:, 3].any()  # an empty pixel is nobody's
    torch.testing.assert_close(shown.sum(0), phi[0].amax(0)[0])
    even = order(phi, None)[0, :, 0]
    assert even[0, 0] == even[1, 0]


def test_order_does_not_see_where_the_person_stands():
    phi, depth = torch.rand(2, 10, 4, 4), torch.randn(2, 10) * 0.3
    torch.testing.assert_close(order(phi, depth), order(phi, depth + 7))


def test_empty_pixels_are_background_and_labels_are_those_of_parts():
    points, depth, scale = seen(people())
    for kind in KINDS:
        shape = template(kind)
        phi, _ = deform(shape, points, SIZE, scale)
        shown = order(phi, shape_depths(shape, depth))
        labels = segment(shape, shown)
        assert labels.dtype == torch.uint8 and labels.max() <= len(PARTS)
        w_fg = phi.amax(1)
        assert not labels[w_fg < 0.49].any() and (labels[w_fg > 0.51] > 0).all()
        assert len(labels.unique()) == 11
        only = phi.argmax(1)
        sole = (phi > 0.01).sum(1) == 1
        expected = torch.tensor(shape.owner)[only] + 1
        assert torch.equal(labels[sole & (w_fg > 0.51)].long(), expected[sole & (w_fg > 0.51)])
    assert not segment(shape, torch.zeros_like(shown)).any()


def test_from_the_front_one_sees_a_face_and_from_behind_hair():
    shape = template("face")
    face, hair = (shape.names.index(name) for name in ("face", "hair"))
    rest = people(1, 0.0, 0.0)[0]
    shown = {}
    for angle in (0.0, np.pi):
        turn = torch.from_numpy(Rotation.from_rotvec([0, angle, 0]).as_matrix()).float()
        points, depth, scale = seen((rest @ turn.T)[None])
        depths = shape_depths(shape, depth)[0]
        assert (depths[face] < depths[hair]) == (angle == 0.0)
        phi, _ = deform(shape, points, 96, scale)
        both = (phi[0, face] > 0.8) & (phi[0, hair] > 0.8)
        assert both.sum() > 5
        shown[angle] = order(phi, depths[None])[0].argmax(0)[both]
    assert (shown[0.0] == face).all() and (shown[np.pi] == hair).all()


def test_depths_are_means_of_the_two_ends_and_a_torsos_of_its_corners():
    shape, depth = template("face"), torch.randn(3, len(LANDMARKS))
    found = shape_depths(shape, depth)
    for number, name in enumerate(shape.names):
        at = CORNERS if name == "torso" else shape.ends[number].tolist()
        torch.testing.assert_close(found[:, number], depth[:, at].mean(1))


@pytest.mark.parametrize("away", [5.0, 10.0, 30.0])
def test_as_printed_everything_is_background(away):
    """Depths in trunks, or larger: in mm the first softmax is flatter still."""
    shape = template("plain")
    points, depth, scale = seen(people())
    phi, _ = deform(shape, points, SIZE, scale)
    for unit in (1.0, 500.0):
        shown = order_printed(phi, unit * (shape_depths(shape, depth) + away))
        assert shown.shape[1] == len(shape) + 1
        torch.testing.assert_close(shown.sum(1), torch.ones_like(shown[:, 0]))
        assert (shown.argmax(1) == len(shape)).all()


def test_the_printed_order_is_what_is_printed():
    phi, depth = torch.rand(2, 3, 4, 5), 1 + torch.rand(2, 3)
    a = np.exp(phi.numpy() / depth.numpy()[..., None, None])
    near = a / a.sum(1, keepdims=True)
    b = np.exp(np.concatenate([near, 1 - near.max(1, keepdims=True)], 1))
    np.testing.assert_allclose(order_printed(phi, depth).numpy(), b / b.sum(1, keepdims=True), rtol=1e-5)
