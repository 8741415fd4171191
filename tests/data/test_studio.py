"""Filming: the cameras' places, where the person stands, what is cut, projection and depth."""

import numpy as np
import pytest

from lib.data.studio import OUTDOOR, STUDIO, Take, film, in_view, place, runs

STANDING = np.array(
    [
        [0, 0, 950],
        [0, -130, 950],
        [0, -130, 500],
        [0, -130, 80],
        [0, 130, 950],
        [0, 130, 500],
        [0, 130, 80],
        [0, 0, 1180],
        [0, 0, 1430],
        [30, 0, 1550],
        [0, 0, 1660],
        [0, 150, 1400],
        [0, 180, 1120],
        [0, 180, 880],
        [0, -150, 1400],
        [0, -180, 1120],
        [0, -180, 880],
    ],
    np.float64,
)


def walk(metres=0.0, frames=60, subject="S1", action="Walking", source=""):
    path = np.linspace(0, 1000 * metres, frames)[:, None, None] * [1.0, 0.0, 0.0]
    return Take(subject, action, 30.0, STANDING + path + [7000.0, -3000.0, 0.0], source)


def centre(camera):
    return -camera.R.T @ camera.t


def test_cameras_stand_as_in_human36m():
    assert [camera.name for camera in STUDIO] == ["54138969", "55011271", "58860488", "60457274"]
    corners = set()
    for camera in (*STUDIO, *OUTDOOR):
        position = centre(camera)
        np.testing.assert_allclose(camera.R @ camera.R.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(camera.R) == pytest.approx(1)
        points, pixels = camera.see(np.array([[0.0, 0.0, 900.0], [0.0, 0.0, 1000.0]]))
        np.testing.assert_allclose(
            pixels[0], camera.K[:2, 2], atol=1e-6
        )  # looks at the centre of the room
        assert points[0, 2] > 3500 and pixels[1, 1] < pixels[0, 1]  # in front of it, and up is up
        if camera in STUDIO:
            assert 4500 < np.linalg.norm(position[:2]) < 5800 and 1400 < position[2] < 1700
            corners.add((position[0] > 0, position[1] > 0))
            assert 1140 < camera.K[0, 0] < 1155 and camera.width == 1000
    assert len(corners) == 4
    heights = [centre(camera)[2] for camera in OUTDOOR]
    assert len(OUTDOOR) == 5 and max(heights) - min(heights) > 1500


def test_clips_agree_with_the_take():
    clips, cut = film([walk()], STUDIO, seed=0)
    assert len(clips) == 4 and not cut and {clip.source for clip in clips} == {"S1 Walking"}
    worlds = []
    for clip in clips:
        projected = clip.joints_3d @ clip.K.T
        np.testing.assert_allclose(
            projected[..., :2] / projected[..., 2:], clip.joints_2d, atol=1e-2
        )
        assert clip.joints_3d.dtype == clip.joints_2d.dtype == clip.detected_2d.dtype == np.float32
        assert (clip.joints_3d[..., 2] > 1500).all()
        worlds.append((clip.joints_3d - clip.t) @ clip.R)  # R^T (X - t)
    for world in worlds:
        np.testing.assert_allclose(world, worlds[0], atol=1e-2)  # one person, seen by four cameras
        np.testing.assert_allclose(
            world[..., 2], np.broadcast_to(STANDING[:, 2], world.shape[:2]), atol=1e-2
        )
        assert (np.linalg.norm(world[:, 0, :2], axis=-1) < 710).all()


def test_placing_keeps_the_shape_and_covers_directions():
    facing = []
    for seed in range(200):
        joints = place(walk().joints, np.random.default_rng(seed))
        np.testing.assert_allclose(
            np.linalg.norm(joints[0, 0] - joints[0], axis=-1),
            np.linalg.norm(STANDING[0] - STANDING, axis=-1),
            atol=1e-9,
        )
        left = joints[0, 4] - joints[0, 1]
        facing.append(np.arctan2(left[1], left[0]))
        assert np.cross(joints[0, 9] - joints[0, 0], left)[2] > 0  # left stays left
    counts, _ = np.histogram(facing, bins=8, range=(-np.pi, np.pi))
    assert counts.min() > 10


def test_long_walk_is_cut_to_what_all_cameras_see():
    take = walk(metres=9.0, frames=270, source="long")
    clips, cut = film([take], STUDIO, seed=1)
    kept = len(clips[0])
    assert len(clips) == 4 and 60 < kept < 270 and cut == {"long": 270 - kept}
    for clip in clips:
        assert len(clip) == kept and (clip.joints_2d > 0).all() and (clip.joints_2d < 1000).all()
    assert (
        film([walk(metres=40.0, frames=60)], STUDIO, seed=1)[0] == []
    )  # too fast to be seen a second


def test_numbering_and_seeds():
    takes = [
        walk(action="Walking 1", source="a"),
        walk(action="Walking", source="b"),
        walk(action="Eating"),
    ]
    clips, _ = film(takes, STUDIO[:1], seed=0)
    assert [clip.action for clip in clips] == ["Walking", "Walking 2", "Eating"]
    again, _ = film(takes, STUDIO[:1], seed=0)
    other, _ = film(takes, STUDIO[:1], seed=1)
    np.testing.assert_array_equal(again[1].detected_2d, clips[1].detected_2d)
    assert (other[0].joints_3d != clips[0].joints_3d).any()
    alone, _ = film(takes[2:], STUDIO[:1], seed=0)
    np.testing.assert_array_equal(alone[0].detected_2d, clips[2].detected_2d)


def test_runs():
    good = np.array([1, 1, 0, 1, 0, 1, 1, 1], bool)
    assert list(runs(good, 1)) == [(0, 2), (3, 4), (5, 8)]
    assert list(runs(good, 3)) == [(5, 8)] and list(runs(good[:0], 1)) == []


def test_in_view_needs_depth():
    assert in_view(STANDING[None], STUDIO).all()
    near = STANDING + centre(STUDIO[0]) * [1, 1, 0] * 0.9
    assert not in_view(near[None], STUDIO).any()
