"""Arms held out and hanging: the rule at its edges, and collections with a share of them."""

import math
from dataclasses import replace

import people
import pytest
import torch

from lib.data.arms import arms, arms_of, with_arms_out
from lib.data.batches import load_poses
from lib.data.dataset import open_dataset
from lib.geometry import Camera, camera_to_world
from lib.skeleton import HUMAN36M_17, LSP_14

SHOULDERS = torch.tensor([[20.0, 0.0], [-20.0, 0.0]])  # left and right of someone facing the camera
SHARES = (0.0, 1 / 41, 0.1, 0.3, 0.5, 0.8)
ARMS = [HUMAN36M_17.index(f"{side}_{end}") for side in ("left", "right") for end in ("elbow", "wrist")]


def joint(points, name):
    return points[:, HUMAN36M_17.index(name)]


@pytest.fixture(scope="module")
def poses(tmp_path_factory):
    """Two cameras' frames of six short recordings."""
    folder = people.write_collection(tmp_path_factory.mktemp("data"))
    return load_poses(open_dataset(folder / "mannequin" / "studio.h5"), "train")


def at(degrees, inwards=False, length=50.0):
    """Wrists of which both arms are that far below the horizontal, outwards or across the chest."""
    angle = math.radians(degrees)
    step = torch.tensor([math.cos(angle) * (-1 if inwards else 1), math.sin(angle)]) * length
    return SHOULDERS + torch.stack([step, step * torch.tensor([-1.0, 1.0])])


@pytest.mark.parametrize(
    ("degrees", "out", "down"),
    [
        (0, True, False), (19.9, True, False), (-19.9, True, False), (20.1, False, False),
        (-20.1, False, False), (44.9, False, False), (45.1, False, True), (90, False, True),
        (-60, False, False), (-90, False, False),
    ],
)  # fmt: skip
def test_the_rule_at_its_edges(degrees, out, down):
    assert [bool(group) for group in arms_of(SHOULDERS[None], at(degrees)[None])] == [out, down]


def test_both_arms_must_agree_and_point_outwards():
    one = torch.stack([at(5)[0], at(80)[1]])
    across = at(5, inwards=True)
    hanging_across = at(80, inwards=True)
    wrists = torch.stack([one, across, hanging_across])
    out, down = arms_of(SHOULDERS.expand(3, 2, 2), wrists)
    assert out.tolist() == [False, False, False] and down.tolist() == [False, False, True]


def test_neither_the_order_of_sides_nor_where_and_how_large_matters():
    wrists = torch.stack([at(5), at(50), at(30)])
    shoulders = SHOULDERS.expand(3, 2, 2)
    expected = arms_of(shoulders, wrists)
    behind = arms_of(shoulders.flip(1), wrists.flip(1))
    smaller = arms_of(shoulders / 128 + 0.3, wrists / 128 + 0.3)
    for group, other, small in zip(expected, behind, smaller, strict=True):
        assert torch.equal(group, other) and torch.equal(group, small)


def test_joints_are_picked_by_name(poses):
    points = poses.joints_2d
    shoulders = torch.stack([joint(points, "right_shoulder"), joint(points, "left_shoulder")], 1)
    wrists = torch.stack([joint(points, "right_wrist"), joint(points, "left_wrist")], 1)
    for group, expected in zip(arms(points), arms_of(shoulders, wrists), strict=True):
        assert torch.equal(group, expected)


def test_wrong_shapes_are_refused():
    for shoulders, wrists in (((3, 2, 2), (2, 2, 2)), ((2, 2), (2, 2)), ((3, 2, 3), (3, 2, 3))):
        with pytest.raises(ValueError, match="shoulders and wrists"):
            arms_of(torch.zeros(shoulders), torch.zeros(wrists))
    with pytest.raises(ValueError, match="joints_2d"):
        arms(torch.zeros(4, 15, 2))


def found(poses, share, seed=0):
    """The collection, which frames are in it, and which were changed."""
    changed, kept = with_arms_out(poses, share, seed)
    moved = (changed.joints_3d != poses.joints_3d).flatten(1).any(1)
    return changed, kept, moved


@pytest.mark.parametrize("share", SHARES)
def test_the_share_is_what_was_asked_for(poses, share):
    changed, kept, _ = found(poses, share)
    out, down = (int(group.sum()) for group in arms(changed.joints_2d[kept]))
    assert out == pytest.approx(share * (out + down), abs=1)
    assert torch.equal(kept, kept.unique()) and int(arms(poses.joints_2d)[1].sum()) > 100 < len(kept)


@pytest.mark.parametrize("share", SHARES)
def test_frames_are_left_out_only_of_the_group_that_is_too_large(poses, share):
    changed, kept, moved = found(poses, share)
    left_out = torch.ones(len(poses), dtype=torch.bool)
    left_out[kept] = False
    out, down = arms(changed.joints_2d)
    assert not bool((left_out & ~out & ~down).any())
    assert not (bool((left_out & out).any()) and bool((left_out & down).any()))
    assert not bool((left_out & moved).any())
    if bool(moved.any()):
        assert not bool((left_out & out).any())


def test_a_larger_share_raises_more_arms(poses):
    counts = [int(found(poses, share)[2].sum()) for share in SHARES]
    assert counts == sorted(counts) and counts[0] == 0 and counts[-1] > counts[2] > 0


def test_raised_arms_are_out_and_were_down(poses):
    changed, _, moved = found(poses, 0.3)
    assert bool(moved.any())
    assert bool(arms(changed.joints_2d)[0][moved].all()) and bool(arms(poses.joints_2d)[1][moved].all())


def test_bones_keep_their_lengths_and_nothing_else_moves(poses):
    changed, _, moved = found(poses, 0.3)
    for parent, child in HUMAN36M_17.bones:
        before, after = (
            torch.linalg.vector_norm(p.joints_3d[:, child] - p.joints_3d[:, parent], dim=-1)
            for p in (poses, changed)
        )
        torch.testing.assert_close(before, after, rtol=1e-4, atol=0.01)
    rest = [number for number in range(17) if number not in ARMS]
    assert torch.equal(changed.joints_3d[:, rest], poses.joints_3d[:, rest])
    assert torch.equal(changed.joints_2d[~moved], poses.joints_2d[~moved])
    for name in ("K", "R", "t", "clip", "action", "start", "length"):
        assert torch.equal(getattr(changed, name), getattr(poses, name))
    assert changed.detected_2d is None and changed.clips == poses.clips


def test_pixels_are_those_of_the_frames_camera(poses):
    changed, _, _ = found(poses, 0.3)
    pixels = changed.joints_3d @ changed.K.mT
    torch.testing.assert_close(pixels[..., :2] / pixels[..., 2:], changed.joints_2d, rtol=0, atol=0.02)


def test_raised_arms_are_level_with_the_floor_and_along_the_shoulders(poses):
    changed, _, moved = found(poses, 0.5)
    camera = Camera(poses.K, poses.R, poses.t)
    world = camera_to_world(changed.joints_3d, camera)[moved]
    upper = {}
    for side in ("left", "right"):
        points = [joint(world, f"{side}_{name}") for name in ("shoulder", "elbow", "wrist")]
        for a, b, steepest in zip(points, points[1:], (12, 22), strict=False):
            way = (b - a) / torch.linalg.vector_norm(b - a, dim=-1, keepdim=True)
            assert float(way[:, 2].abs().max()) < math.sin(math.radians(steepest + 0.1))
        upper[side] = torch.nn.functional.normalize((points[1] - points[0])[:, :2], dim=-1)
    line = torch.nn.functional.normalize(
        (joint(world, "left_shoulder") - joint(world, "right_shoulder"))[:, :2], dim=-1
    )
    assert float((upper["left"] * line).sum(-1).min()) > math.cos(math.radians(10.1))
    assert float((upper["right"] * -line).sum(-1).min()) > math.cos(math.radians(10.1))


def test_elbows_bend_to_the_front(poses):
    changed, _, moved = found(poses, 0.5)
    world = camera_to_world(changed.joints_3d, Camera(poses.K, poses.R, poses.t))[moved]
    line = joint(world, "left_shoulder") - joint(world, "right_shoulder")
    ahead = torch.linalg.cross(line, torch.tensor([0.0, 0.0, 1.0]).expand_as(line))[:, :2]
    ahead = torch.nn.functional.normalize(ahead, dim=-1)
    hips = joint(world, "left_hip") - joint(world, "right_hip")
    assert float((hips * line).sum(-1).median()) > 0  # so that left is left
    for side in ("left", "right"):
        shoulder, elbow, wrist = (
            joint(world, f"{side}_{name}")[:, :2] for name in ("shoulder", "elbow", "wrist")
        )
        upper, lower = elbow - shoulder, wrist - elbow
        upper, lower = (torch.nn.functional.normalize(bone, dim=-1) for bone in (upper, lower))
        assert float(((lower - upper) * ahead).sum(-1).min()) > -1e-3


def test_only_people_who_stand_upright_and_face_the_camera_or_turn_their_back_raise_their_arms(poses):
    changed, _, moved = found(poses, 0.9)
    points = changed.joints_3d[moved]
    line = joint(points, "left_shoulder") - joint(points, "right_shoulder")
    back = joint(points, "thorax") - joint(points, "pelvis")
    up = changed.R[moved][:, :, 2]
    line = line - (line * up).sum(-1, keepdim=True) * up
    across = torch.linalg.vector_norm(line[:, :2], dim=-1) / torch.linalg.vector_norm(line, dim=-1)
    upright = (back * up).sum(-1) / torch.linalg.vector_norm(back, dim=-1)
    assert float(across.min()) > math.cos(math.radians(40.1))
    assert float(upright.min()) > math.cos(math.radians(30.1))


def test_no_two_raised_frames_are_alike(poses):
    changed, _, moved = found(poses, 0.5)
    left = changed.joints_3d[moved][:, ARMS[:2]] - changed.joints_3d[moved][:, ARMS[2:]]
    assert len(left.round().flatten(1).unique(dim=0)) == len(left)


def test_the_seed_decides(poses):
    first, kept, _ = found(poses, 0.3)
    again, kept_again, _ = found(poses, 0.3)
    assert torch.equal(first.joints_3d, again.joints_3d) and torch.equal(kept, kept_again)
    assert not torch.equal(first.joints_3d, found(poses, 0.3, seed=1)[0].joints_3d)
    state = torch.get_rng_state()
    found(poses, 0.3)
    assert torch.equal(state, torch.get_rng_state())


def test_a_smaller_share_raises_some_of_the_same_frames(poses):
    few, _, moved = found(poses, 0.1)
    many, _, more = found(poses, 0.3)
    assert bool(more[moved].all()) and int(more.sum()) > int(moved.sum())
    assert torch.equal(few.joints_3d[moved], many.joints_3d[moved])


def test_natural_arms_out_are_thinned(poses):
    """Half of the frames have their arms out already; a tenth is wanted."""
    natural = replace(found(poses, 0.4)[0], detected_2d=poses.detected_2d)
    changed, kept, moved = found(natural, 0.1)
    assert not bool(moved.any()) and changed.detected_2d is None
    out, down = (group.sum() for group in arms(natural.joints_2d[kept]))
    assert int(down) == int(arms(natural.joints_2d)[1].sum())
    assert int(out) == pytest.approx(int(down) / 9, abs=1)


@pytest.mark.parametrize("share", [-0.1, 1.0, math.nan])
def test_a_share_that_cannot_be(poses, share):
    with pytest.raises(ValueError, match="share"):
        with_arms_out(poses, share, 0)


def test_other_skeletons_are_refused(poses):
    with pytest.raises(ValueError, match="lsp_14"):
        with_arms_out(replace(poses, skeleton=LSP_14), 0.1, 0)
