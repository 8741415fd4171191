"""Pictures: geometry against slow oracles, what hides what, light, shadow, and bad input."""

import math

import pytest
import torch
from test_solids import hand, standing

from lib.data import render as module
from lib.data.appearance import sample_appearance
from lib.data.rays import projected_bounds, ray_table
from lib.data.render import render
from lib.data.solids import HAND_PARTS, PARTS, SOLIDS, Solids, body_solids
from lib.skeleton import HAND_21, HUMAN36M_17

LIMBS = [
    (f"{side}_{part}", f"{side}_{start}", f"{side}_{end}")
    for side in ("left", "right")
    for part, start, end in (
        ("upper_arm", "shoulder", "elbow"),
        ("lower_arm", "elbow", "wrist"),
        ("upper_leg", "hip", "knee"),
        ("lower_leg", "knee", "ankle"),
    )
]


def look(count=1, style="studio", first=0):
    numbers = torch.arange(first, first + count)
    return sample_appearance(numbers, numbers, style)


def intrinsics(size, joints, focal=2.0):
    """K (N, 3, 3) whose picture holds the joints: focal lengths in picture sizes a metre at 4 m."""
    f = focal * size
    centre = joints[..., :2].mean(1) / joints[..., 2:].mean(1)
    K = torch.zeros(len(joints), 3, 3)
    K[:, 0, 0] = K[:, 1, 1] = f
    K[:, :2, 2] = size / 2 - f * centre
    K[:, 2, 2] = 1
    return K


def turned(joints, degrees):
    """The person turned about the vertical through the pelvis."""
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    rotation = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    root = joints[:, :1]
    return (joints - root) @ rotation.T + root


def pixel(point, K):
    """Column and row of a camera point (3,)."""
    u = K @ point
    return int(u[0] / u[2]), int(u[1] / u[2])


def people(count=6):
    """People in several poses, from all sides."""
    poses = [
        standing(),
        standing(left_wrist=(60, -400, -200), left_elbow=(40, -200, -80)),
        standing(right_knee=(0, -300, -300), right_ankle=(0, -300, -120)),
    ]
    return torch.cat([turned(poses[k % 3], 360 * k / count) for k in range(count)])


def scene(size=64, count=6, style="studio"):
    joints = people(count)
    return joints, intrinsics(size, joints), look(count, style)


@pytest.mark.parametrize("size", [32, 50, 64, 128, 200])
def test_parts_lie_where_the_joints_project(size):
    joints, K, appearance = scene(size)
    picture = render(joints, K, appearance, size)
    assert picture.colour.shape == (6, 3, size, size) and picture.colour.dtype == torch.float32
    assert picture.parts.shape == picture.mask.shape == picture.depth.shape == (6, size, size)
    assert picture.parts.dtype == torch.uint8 and picture.mask.dtype == torch.bool
    seen = set()
    for n in range(len(joints)):
        for part, start, end in LIMBS:
            middle = joints[n, [HUMAN36M_17.index(start), HUMAN36M_17.index(end)]].mean(0)
            x, y = pixel(middle, K[n])
            depth = picture.depth[n, y, x]
            assert depth < middle[2]  # the limb, or something before it
            if depth > middle[2] - 80:  # nothing nearer than the limb's own surface
                assert PARTS[picture.parts[n, y, x]] == part
                seen.add(part)
    assert seen == {part for part, _, _ in LIMBS}


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_heads_hands_feet_and_torso(degrees):
    joints = turned(standing(), degrees)
    K = intrinsics(128, joints)
    parts = render(joints, K, look(), 128).parts[0]
    solids = body_solids(joints, look().build)
    names = [name for name, _ in SOLIDS]
    shown = set(PARTS[k] for k in parts.unique().tolist())
    assert {"background", "head", "torso"} <= shown
    if degrees in (0, 180):
        assert shown == set(PARTS)
        for name in ("left_hand", "right_hand", "head"):
            x, y = pixel(solids.start[0, names.index(name)], K[0])
            assert PARTS[parts[y, x]] == name


def test_left_is_on_the_left():
    joints = standing()
    K = intrinsics(64, joints)
    parts = render(joints, K, look(), 64).parts[0]
    columns = torch.arange(64).expand(64, 64)
    for part in ("upper_arm", "lower_arm", "hand", "upper_leg", "lower_leg", "foot"):
        left, right = (
            columns[parts == PARTS.index(f"{side}_{part}")].float().mean()
            for side in ("left", "right")
        )
        assert left > right + 5  # of a person who faces the camera
    behind = turned(joints, 180)
    parts = render(behind, intrinsics(64, behind), look(), 64).parts[0]
    left, right = (
        columns[parts == PARTS.index(f"{side}_lower_arm")].float().mean()
        for side in ("left", "right")
    )
    assert left < right - 5


def test_nearer_parts_hide_farther_ones():
    before = standing(right_elbow=(140, 20, -150), right_wrist=(300, -230, -300))
    behind = standing(right_elbow=(140, 20, 250), right_wrist=(300, -230, 300))
    for joints, name in ((before, "right_hand"), (behind, "torso")):
        K = intrinsics(128, joints)
        parts = render(joints, K, look(), 128).parts[0]
        x, y = pixel(joints[0, HUMAN36M_17.index("right_wrist")], K[0])
        part = PARTS[parts[y, x]]
        assert part == name or (name == "right_hand" and part == "right_lower_arm")


def test_mask_is_the_union_of_the_parts():
    joints, K, appearance = scene()
    picture = render(joints, K, appearance, 64)
    assert torch.equal(picture.mask, picture.parts > 0)
    assert torch.equal(picture.mask, picture.depth.isfinite())
    assert (picture.depth[~picture.mask] == torch.inf).all()
    assert (picture.colour.permute(0, 2, 3, 1)[~picture.mask] == 0).all()
    assert picture.parts.max() < len(PARTS)
    near, far = joints[..., 2].amin() - 400, joints[..., 2].amax() + 400
    assert (picture.depth[picture.mask] > near).all() and (picture.depth[picture.mask] < far).all()


def one_solid(start, end, radii, unit=(1.0, 1.0, 1.0)):
    start, end = torch.tensor(start), torch.tensor(end)
    y = torch.nn.functional.normalize(end - start, dim=0)
    z = torch.nn.functional.normalize(torch.linalg.cross(torch.tensor([0.3, 0.5, 0.8]), y), dim=0)
    axes = torch.stack((torch.linalg.cross(y, z), y, z))
    unit = torch.tensor(unit)
    height = torch.linalg.vector_norm(end - start) / unit[1]
    shaped = (start, axes, unit, height, torch.tensor(radii))
    return Solids(*(value[None, None] for value in shaped))


def oracle(solids, K, u, v):
    """Depth at which the ray of one pixel enters a rounded cone: 6 mm steps, then bisection."""
    start, axes, unit, height, radius = (
        getattr(solids, name)[0, 0].double()
        for name in ("start", "axes", "unit", "height", "radius")
    )
    ray = torch.linalg.solve(K.double(), torch.tensor([u, v, 1.0], dtype=torch.float64))

    def outside(z):
        """Distance to the hull of two spheres, local units: least over those in between."""
        x = ((z[:, None] * ray - start) @ axes.T) / unit
        share = torch.linspace(0, 1, 401).double()
        radii = radius[0] + share * (radius[1] - radius[0])
        centres = torch.stack((0 * share, share * height, 0 * share), dim=-1)
        return (torch.cdist(x, centres) - radii).amin(-1)

    z = torch.arange(start[2] - 600, start[2] + 600, 6.0, dtype=torch.float64)
    inside = (outside(z) < 0).nonzero()
    if not len(inside):
        return math.inf
    low, high = z[inside[0, 0] - 1 : inside[0, 0]], z[inside[0, 0] : inside[0, 0] + 1]
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (low, middle) if outside(middle)[0] < 0 else (middle, high)
    return high.item()


@pytest.mark.parametrize(
    "solids",
    [
        one_solid((-150.0, -50.0, 2000.0), (180.0, 120.0, 2150.0), (90.0, 60.0)),
        one_solid((20.0, 30.0, 2000.0), (50.0, 60.0, 1700.0), (60.0, 95.0)),  # along the view
        one_solid((50.0, 60.0, 1700.0), (20.0, 30.0, 2000.0), (60.0, 130.0)),
        one_solid((0.0, 0.0, 1800.0), (0.0, 250.0, 1800.0), (150.0, 120.0), (1.0, 0.5, 0.4)),
        one_solid((90.0, -100.0, 1500.0), (90.0, -99.0, 1500.0), (100.0, 100.0), (1.0, 1.5, 1.2)),
    ],
    ids=["across", "towards", "away", "flat", "ellipsoid"],
)
def test_depth_equals_a_slow_search_along_the_ray(solids):
    size = 32
    K = torch.tensor([[70.0, 3.0, 15.0], [0.0, 75.0, 17.5], [0.0, 0.0, 1.0]])
    table = ray_table(solids, K[None])
    keys = module._nearest(table, projected_bounds(solids, K[None]), 1, size)[0]
    found = 0
    for v in range(0, size, 3):
        for u in range(1, size, 2):
            depth = oracle(solids, K, u + 0.5, v + 0.5)
            key = keys[v, u]
            if math.isfinite(depth):
                found += 1
                hit = 1 / (key & ~module._NUMBER).view(torch.float32)
                assert key > module._NUMBER and abs(hit - depth) < 0.6
            else:
                assert key <= module._NUMBER
    assert found > 5


def test_tiles_leave_nothing_out():
    """The projected bounds cut away only tiles in which the solid is not seen."""
    joints, K, appearance = scene(64)
    solids = body_solids(joints, appearance.build)
    table = ray_table(solids, K)
    ways, bounds = projected_bounds(solids, K)
    everywhere = torch.tensor([-torch.inf, torch.inf]).expand_as(bounds)
    keys = module._nearest(table, (ways, bounds), 6, 64)
    assert torch.equal(keys > 31, module._nearest(table, (ways, everywhere), 6, 64) > 31)
    tried = len(module._tiles((ways, bounds), 64, 4)[0])
    assert tried * 16 < 0.1 * 6 * len(SOLIDS) * 64 * 64


def test_depth_is_that_of_the_surface():
    """The chest's depth at the pixel of its middle is that of its front, half its depth nearer."""
    joints = standing()
    K = intrinsics(256, joints)
    appearance = look()
    picture = render(joints, K, appearance, 256)
    solids = body_solids(joints, appearance.build)
    chest = [name for name, _ in SOLIDS].index("chest")
    point = solids.start[0, chest] + torch.tensor([0.0, 30.0, 0.0])
    x, y = pixel(point, K[0])
    thick = solids.radius[0, chest].mean() * solids.unit[0, chest, 2]
    assert picture.depth[0, y, x].item() == pytest.approx((point[2] - thick).item(), abs=8)


def test_front_and_back_of_a_head_differ():
    for number in range(4):
        appearance = look(first=number)
        appearance.build[:, 2] = 1.0
        appearance.light[:] = torch.tensor([0.0, 0.0, -1.0])
        colours = []
        for degrees in (0, 180):
            joints = turned(standing(), degrees)
            picture = render(joints, intrinsics(64, joints), appearance, 64)
            head = picture.parts[0] == PARTS.index("head")
            assert head.sum() > 15
            colours.append(picture.colour[0][:, head].mean(-1))
        skin, hair = appearance.colours[0, 0], appearance.colours[0, 1]
        assert (colours[0] - colours[1]).norm() > 0.3 * (skin - hair).norm()


def test_the_same_seed_gives_the_same_picture():
    joints, K, appearance = scene(style="wild")
    first, again = (render(joints, K, appearance, 64) for _ in range(2))
    other = render(joints, K, look(6, "wild", first=50), 64)
    for name in ("colour", "parts", "mask", "depth"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.colour, other.colour)


def test_a_batch_equals_its_pictures(monkeypatch):
    joints, K, appearance = scene(style="wild")
    background = torch.rand(6, 3, 64, 64)
    monkeypatch.setattr(module, "_CHUNK", 1000)  # cuts the list of tiles in many places
    batch = render(joints, K, appearance, 64, background)
    monkeypatch.undo()
    for n in range(6):
        one = slice(n, n + 1)
        single = render(joints[one], K[one], appearance[one], 64, background[one])
        assert (single.parts == batch.parts[one]).float().mean() > 0.999
        same = single.parts == batch.parts[one]
        torch.testing.assert_close(single.depth[same], batch.depth[one][same], atol=0.5, rtol=0)
        close = (single.colour - batch.colour[one]).abs().amax(1)[same] < 0.02
        assert close.float().mean() > 0.99


def test_sizes_agree():
    joints = people()
    appearance = look(6)
    large = render(joints, intrinsics(512, joints), appearance, 512)
    for size in (32, 64, 96, 128, 160, 256):
        small = render(joints, intrinsics(size, joints), appearance, size)
        middle = ((torch.arange(size) + 0.5) * 512 / size).long()
        parts = large.parts[:, middle][:, :, middle]
        assert (parts == small.parts).float().mean() > 0.985
        assert (parts == small.parts)[small.mask].float().mean() > 0.85
        area = large.mask.float().mean()
        assert small.mask.float().mean().item() == pytest.approx(area.item(), rel=0.12)


def test_mirrored_people_look_mirrored():
    """No colour tells left from right."""
    joints, K, appearance = scene(style="wild")
    K[:, 0, 2] = 32
    appearance.light[:, 0] = 0
    flipped = (joints * torch.tensor([-1.0, 1.0, 1.0]))[:, list(HUMAN36M_17.mirror)]
    picture, mirror = (render(points, K, appearance, 64) for points in (joints, flipped))
    difference = (picture.colour - mirror.colour.flip(-1)).abs().amax(1)
    assert (difference < 0.02).float().mean() > 0.99
    order = list(range(len(PARTS)))
    for index, name in enumerate(PARTS):
        if name.startswith("left_"):
            other = PARTS.index("right_" + name.removeprefix("left_"))
            order[index], order[other] = other, index
    swapped = torch.tensor(order, dtype=torch.uint8)[mirror.parts.flip(-1).long()]
    assert (swapped == picture.parts).float().mean() > 0.995


def test_light_comes_from_its_direction():
    joints = standing()
    K = intrinsics(128, joints)
    appearance = look()
    appearance.colours[:] = 0.8
    appearance.pattern[..., :3] = 0
    appearance.ambient[:] = 0.3
    means = {}
    for name, light in (("left", (-1.0, 0.0, -0.3)), ("right", (1.0, 0.0, -0.3))):
        appearance.light[:] = torch.nn.functional.normalize(torch.tensor(light), dim=0)
        picture = render(joints, K, appearance, 128)
        leg = picture.parts[0] == PARTS.index("left_upper_leg")
        columns = torch.arange(128).expand(128, 128)[leg].float()
        brightness = picture.colour[0, 0][leg]
        side = columns < columns.mean()
        means[name] = (brightness[side].mean(), brightness[~side].mean())
    assert means["left"][0] > means["left"][1] + 0.1
    assert means["right"][1] > means["right"][0] + 0.1


def test_a_background_is_kept_where_nobody_is():
    joints, K, appearance = scene()
    background = torch.rand(6, 3, 64, 64, dtype=torch.float64)
    before = background.clone()
    picture = render(joints, K, appearance, 64, background)
    black = render(joints, K, appearance, 64)
    assert torch.equal(background, before)  # the caller's tensor is not drawn on
    other = background.contiguous(memory_format=torch.channels_last)
    assert torch.equal(render(joints, K, appearance, 64, other).colour, picture.colour)
    outside = ~picture.mask[:, None].expand(-1, 3, -1, -1)
    assert torch.equal(picture.colour[outside], background.float()[outside])
    assert torch.equal(picture.colour[~outside], black.colour[~outside])
    assert picture.colour.min() >= 0 and picture.colour.max() <= 1


def test_a_floor_shows_a_shadow_below_the_person():
    joints = standing()
    K = intrinsics(64, joints, focal=1.5)
    background = torch.full((1, 3, 64, 64), 0.8)
    floor = torch.tensor([[0.0, -1.0, 0.0, -960.0]])  # y = 960 mm
    appearance = look()
    plain = render(joints, K, appearance, 64, background)
    shaded = render(joints, K, appearance, 64, background, floor=floor)
    doubled = render(joints, K, appearance, 64, background, floor=2 * floor)
    assert torch.equal(plain.parts, shaded.parts)
    assert torch.equal(plain.colour[0][:, plain.mask[0]], shaded.colour[0][:, shaded.mask[0]])
    dark = (0.8 - shaded.colour[0, 0]) * ~shaded.mask[0]
    _, ankle = pixel(joints[0, HUMAN36M_17.index("left_ankle")], K[0])
    assert dark.max() > 0.1 and dark[ankle - 2 :].sum() > 0.5 * dark.sum()
    horizon = int(K[0, 1, 2])
    assert dark[: horizon - 2].abs().max() < 1e-5
    torch.testing.assert_close(doubled.colour, shaded.colour)  # the plane's normal need not be unit
    assert torch.equal(
        render(joints, K, appearance, 64, floor=floor).colour[0, :, 0, 0], torch.zeros(3)
    )


def test_supersampled_edges_are_mixed():
    joints, K, appearance = scene()
    background = torch.ones(6, 3, 64, 64)
    plain = render(joints, K, appearance, 64, background)
    fine = render(joints, K, appearance, 64, background, supersample=3)
    for name in ("parts", "mask", "depth"):
        assert torch.equal(getattr(plain, name), getattr(fine, name))
    assert (plain.colour - fine.colour).abs().mean() < 0.03
    whole = torch.nn.functional.max_pool2d((~plain.mask).float(), 3, 1, 1) == 0
    assert (
        fine.colour.amin(1)[plain.mask & ~whole] > plain.colour.amin(1)[plain.mask & ~whole]
    ).any()


def test_hands():
    joints = torch.cat([turned(hand(), degrees) for degrees in (0, 60, 180)])
    K = intrinsics(96, joints, focal=2.2)
    picture = render(joints, K, look(3, "hand"), 96, skeleton=HAND_21)
    assert torch.equal(picture.mask, picture.parts > 0)
    for n in (0, 2):
        assert set(picture.parts[n].unique().tolist()) == set(range(len(HAND_PARTS)))
        for finger in HAND_PARTS[2:]:
            for bone in (1, 2, 3):
                first = HAND_21.index(f"{finger}_{bone}")
                x, y = pixel(joints[n, first : first + 2].mean(0), K[n])
                assert HAND_PARTS[picture.parts[n, y, x]] == finger
        x, y = pixel(joints[n, [0, HAND_21.index("middle_1")]].mean(0), K[n])
        assert HAND_PARTS[picture.parts[n, y, x]] == "palm"


def test_people_beside_the_picture_are_clipped():
    joints, K, appearance = scene()
    K[:, 0, 2] += 40
    picture = render(joints, K, appearance, 64)
    assert picture.mask.any() and picture.mask[:, :, -1].any()
    K[:, 0, 2] += 1e5
    away = render(joints, K, appearance, 64)
    assert not away.mask.any() and (away.colour == 0).all() and (away.depth == torch.inf).all()


def test_a_joint_close_to_the_camera_is_drawn():
    joints = standing(left_elbow=(-300, 100, -2500), left_wrist=(-350, 150, -3945))
    assert joints[..., 2].min() < 20
    picture = render(joints, intrinsics(64, joints), look(), 64)
    assert picture.colour.isfinite().all() and (picture.depth > 0).all()


def test_equal_joints_draw_nothing_that_is_not_finite():
    joints = torch.full((2, 17, 3), 3000.0)
    K = intrinsics(64, standing()).expand(2, -1, -1)
    picture = render(joints, K, look(2), 64)
    assert picture.colour.isfinite().all() and not picture.depth.isnan().any()


@pytest.mark.parametrize("skeleton", [HUMAN36M_17, HAND_21], ids=["person", "hand"])
def test_no_figures_give_an_empty_picture(skeleton):
    joints, K = torch.zeros(0, len(skeleton), 3), torch.zeros(0, 3, 3)
    extras = {"background": torch.zeros(0, 3, 64, 64), "floor": torch.zeros(0, 4), "supersample": 2}
    for extra in ({}, extras):
        picture = render(joints, K, look(0), 64, skeleton=skeleton, **extra)
        assert len(picture) == 0 and picture.colour.shape == (0, 3, 64, 64)
        assert picture.parts.shape == picture.depth.shape == (0, 64, 64)
        assert picture.mask.dtype == torch.bool and picture.parts.dtype == torch.uint8


def test_no_gradient_and_other_types():
    joints, K, appearance = scene()
    picture = render(joints.double().requires_grad_(), K.double(), appearance, 64)
    assert not picture.colour.requires_grad and picture.colour.dtype == torch.float32
    assert (picture.parts == render(joints, K, appearance, 64).parts).all()


def changed(**changes):
    joints, K, appearance = scene(count=2)
    arguments = {"joints": joints, "K": K, "appearance": appearance, "size": 64} | changes
    return arguments


def spoiled(tensor, value, index=(1, 3, 2)):
    tensor = tensor.clone()
    tensor[index] = value
    return tensor


JOINTS, CAMERA, _ = scene(count=2)
GREY = torch.full((2, 3, 64, 64), 0.5)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"joints": spoiled(JOINTS, 0.0)}, "behind the camera"),
        ({"joints": spoiled(JOINTS, -10.0)}, "behind the camera"),
        ({"joints": spoiled(JOINTS, math.nan)}, "joints: not finite"),
        ({"joints": spoiled(JOINTS, math.inf, (0, 0, 0))}, "joints: not finite"),
        ({"joints": JOINTS[:, :16]}, "joints: shape"),
        ({"joints": JOINTS.long()}, "joints: of type"),
        ({"K": spoiled(CAMERA, math.nan, (0, 0, 2))}, "K: not finite"),
        ({"K": spoiled(CAMERA, 0.0, (0, 1, 1))}, "focal length"),
        ({"K": CAMERA[:1]}, "K: shape"),
        ({"K": 2 * CAMERA}, "K: not upper triangular"),
        ({"size": 31}, "size"),
        ({"size": 513}, "size"),
        ({"size": 64.0}, "size"),
        ({"size": True}, "size"),
        ({"appearance": look(3)}, "appearances"),
        ({"background": GREY[:, :, :32]}, "background: shape"),
        ({"background": GREY[:1]}, "background: shape"),
        ({"background": (255 * GREY).byte()}, "background: of type"),
        ({"background": 255 * GREY}, r"background: not in \[0, 1\]"),
        ({"background": spoiled(GREY, -0.1, (1, 2, 3))}, r"background: not in \[0, 1\]"),
        ({"background": spoiled(GREY, math.nan, (1, 2, 3))}, r"background: not in \[0, 1\]"),
        ({"background": GREY, "floor": torch.zeros(2, 3)}, "floor: shape"),
        ({"background": GREY, "floor": torch.full((2, 4), math.nan)}, "floor: not finite"),
        ({"supersample": 0}, "supersample"),
        ({"skeleton": HAND_21}, "joints: shape"),
    ],
)
def test_wrong_input_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        render(**changed(**changes))


def test_other_skeletons_are_refused():
    from lib.skeleton import COCO_17

    with pytest.raises(ValueError, match="coco_17"):
        render(**changed(skeleton=COCO_17))
