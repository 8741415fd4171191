"""Left and right: the reader answers for both labellings alike, and learns from weak hints."""

import pytest
import torch

from lib.papers.sosa2023_data import take_pictures
from lib.papers.sosa2023_labels import HEAD, SideReader, facing
from lib.papers.yu2021_scale_lifting import knee_bend
from lib.skeleton import HUMAN36M_17

SWAP = HUMAN36M_17.mirror


@pytest.fixture
def reader():
    return SideReader(17, 16)


def swapped(points):
    return points[:, list(SWAP)]


def poses(count=64):
    return 0.5 * torch.randn(count, 17, 2)


def pictures(count=64):
    return 2 * torch.rand(count, 3, 32, 32) - 1


def minimise(loss, parameters, steps, rate=5e-3):
    optimiser = torch.optim.Adam(parameters, rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()


# What holds before any training


def test_logits_change_their_sign_with_the_labelling(reader):
    points, shown = poses(), pictures()
    torch.testing.assert_close(reader.pose_logit(swapped(points), SWAP), -reader.pose_logit(points, SWAP))
    torch.testing.assert_close(reader.logit(shown, swapped(points), SWAP), -reader.logit(shown, points, SWAP))
    torch.testing.assert_close(facing(swapped(points)), -facing(points))
    # the window around the head does not depend on it
    torch.testing.assert_close(reader.front_logit(shown, swapped(points)), reader.front_logit(shown, points))


def test_a_pose_may_be_anywhere(reader):
    points = poses()
    moved = points + torch.randn(64, 1, 2)
    torch.testing.assert_close(
        reader.pose_logit(moved, SWAP), reader.pose_logit(points, SWAP), rtol=1e-3, atol=1e-5
    )


def test_one_of_the_two_labellings_is_chosen_whichever_is_given(reader):
    points, shown = poses(), pictures()
    with torch.no_grad():
        chosen = reader.choose(shown, points, SWAP)
        same = (chosen == points).all((1, 2))
        other = (chosen == swapped(points)).all((1, 2))
        assert bool((same ^ other).all()) and bool(same.any()) and bool(other.any())
        assert torch.equal(reader.choose(shown, swapped(points), SWAP), chosen)
        assert torch.equal(same, reader.logit(shown, points, SWAP) >= 0)


def test_the_window_is_cut_around_the_head(reader):
    points = 0.2 * torch.randn(4, 17, 2)
    points[:, 9:11] = torch.tensor([0.5, -0.5])  # nose and head, top right
    shown = pictures(4)
    far = shown.clone()
    far[..., 16:, :] = 0
    far[..., :12] = 0
    near = shown.clone()
    near[..., 7:9, 23:25] *= -1
    with torch.no_grad():
        logit = reader.front_logit(shown, points)
        torch.testing.assert_close(reader.front_logit(far, points), logit)
        assert not torch.allclose(reader.front_logit(near, points), logit)


def test_who_faces_the_camera_has_the_left_side_on_the_right(few):
    """Knees bend towards where people look."""
    poses = few["studio"]["train"]
    points = take_pictures(poses, "studio", 32).points
    depth = poses.joints_3d[:, [2, 5], 2] - poses.joints_3d[:, [1, 4, 3, 6], 2].view(-1, 2, 2).mean(1)
    turned = facing(points)
    clear = (turned.abs() > 0.1) & (depth.mean(1).abs() > 60)  # mm, knees bent in depth
    assert int(clear.sum()) > 10
    agree = (depth.mean(1) < 0) == (turned > 0)
    assert agree[clear].float().mean() > 0.9
    assert knee_bend(poses.joints_3d).mean() > 0


# What is learned


def asymmetric(count):
    """People whose left wrist is always the higher one, in either labelling by chance."""
    truth = poses(count)
    left, right = HUMAN36M_17.index("left_wrist"), HUMAN36M_17.index("right_wrist")
    truth[:, left, 1], truth[:, right, 1] = truth[:, 0, 1] - 0.8, truth[:, 0, 1] + 0.2
    flipped = torch.rand(count) < 0.5
    seen = torch.where(flipped[:, None, None], swapped(truth), truth)
    return seen + 0.02 * torch.randn(count, 17, 2), truth, flipped


def test_poses_teach_which_labelling_is_possible(reader):
    def loss():
        seen, truth, _ = asymmetric(64)
        return reader.pose_loss(seen, truth, SWAP)

    minimise(loss, reader.parameters(), 60)
    seen, truth, flipped = asymmetric(500)
    with torch.no_grad():
        logit = reader.pose_logit(seen, SWAP)
    assert ((logit < 0) == flipped).float().mean() > 0.97


def test_poses_that_do_not_differ_teach_nothing(reader):
    """Poses that are as likely with left and right swapped: the logit stays near zero."""

    def loss():
        truth = poses(256)
        flipped = torch.rand(256, 1, 1) < 0.5
        return reader.pose_loss(torch.where(flipped, swapped(truth), truth), truth, SWAP)

    minimise(loss, reader.parameters(), 40, 1e-3)
    with torch.no_grad():
        assert reader.pose_logit(poses(500), SWAP).abs().mean() < 0.7


def faces(count):
    """Pictures in which who faces the camera has a bright face, and points seen in them."""
    points = poses(count).clamp(-0.9, 0.9)
    points[:, HEAD] = points[:, HEAD - 1] = 0.6 * (2 * torch.rand(count, 2) - 1)
    front = torch.rand(count) < 0.5
    sign = torch.where(front, 1.0, -1.0)
    for left, right in ((4, 1), (11, 14)):
        width = 0.05 + 0.2 * torch.rand(count)
        middle = points[:, right, 0].clone()
        points[:, left, 0], points[:, right, 0] = middle + sign * width, middle - sign * width
    shown = 0.3 * torch.randn(count, 3, 32, 32)
    axis = (torch.arange(32) + 0.5) / 16 - 1
    inside = (points[:, HEAD, 0, None] - axis).abs()[:, None] < 0.15
    inside = inside & ((points[:, HEAD, 1, None] - axis).abs()[:, :, None] < 0.15)
    return shown + (front[:, None, None] & inside)[:, None].float(), points, front


def test_faces_are_learned_from_labels_that_are_more_often_right_than_not(reader, monkeypatch):
    """Four of five beliefs are right: what the head looks like is right nearly always."""
    shown, points, front = faces(400)

    def believe(seen, swap):
        right = torch.where(facing(seen) > 0, 1.0, -1.0) * torch.where(truth, 1.0, -1.0)
        return torch.where(torch.rand(len(seen)) < 0.8, 3 * right, -3 * right)

    monkeypatch.setattr(reader, "pose_logit", believe)

    def loss():
        nonlocal truth
        index = torch.randint(300, (64,))
        truth = front[index]
        flipped = torch.rand(64, 1, 1) < 0.5  # either labelling comes
        seen = torch.where(flipped, swapped(points[index]), points[index])
        return reader.head_loss(shown[index], seen, SWAP)

    truth = front
    minimise(loss, reader.parameters(), 80)
    with torch.no_grad():
        logit = reader.front_logit(shown[300:], points[300:])
    assert ((logit > 0) == front[300:]).float().mean() > 0.95


def test_beliefs_are_not_trained_by_the_head(reader):
    shown, points, _ = faces(32)
    reader.head_loss(shown, points, SWAP).backward()
    assert all(parameter.grad is None for parameter in reader.pose.parameters())
    assert all(parameter.grad is not None for parameter in reader.head.parameters())


def test_who_is_seen_from_the_side_counts_little(reader):
    shown, points, _ = faces(32)
    side = points.clone()
    for left, right in ((4, 1), (11, 14)):
        side[:16, left, 0] = side[:16, right, 0] = points[:16, [left, right], 0].mean(1)
    shown = shown.requires_grad_()
    (gradient,) = torch.autograd.grad(reader.head_loss(shown, side, SWAP), shown)
    assert float(gradient[:16].abs().max()) == 0 < float(gradient[16:].abs().max())
