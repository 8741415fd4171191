"""2D normalisation: sizes after it, and the reference scale that it leaves."""

from dataclasses import replace

import people
import pytest
import torch

from lib.papers.normalise import (
    DEPTH,
    Normaliser,
    bounding_extent,
    head_root,
    reference_scale,
)

ROOT = 0
MODES = ["universal", "step", "none"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return people.load(people.write_collection(tmp_path_factory.mktemp("data")))


@pytest.fixture
def train(data):
    return data["studio"]["train"]


def with_pixels(poses, normalised):
    """Poses whose pixels, seen by their cameras, are these normalised ones."""
    principal = poses.K[:, None, :2, 2]
    return replace(poses, joints_2d=normalised * principal + principal)


@pytest.mark.parametrize("inputs", ["joints_2d", "detected_2d"])
def test_universal_factor_gives_the_mean_size_on_the_training_part(train, inputs):
    poses = Normaliser.fit(train, inputs, "universal")(train)
    torch.testing.assert_close(head_root(poses).mean(), torch.tensor(1 / DEPTH))
    assert head_root(poses).std() > 1e-3  # the variation from frame to frame survives
    assert float(poses[:, ROOT].abs().max()) == 0


def test_the_factor_is_of_the_training_part_alone(data):
    train, test = data["studio"]["train"], data["studio"]["test"]
    factor = Normaliser.fit(train, "joints_2d", "universal")
    nearer = with_pixels(test, 2 * factor(test))
    torch.testing.assert_close(
        factor(nearer), 2 * factor.factor * factor(test), rtol=1e-4, atol=1e-5
    )


def test_a_larger_image_changes_nothing(train):
    """Pixels, principal point and all, of an image enlarged twice."""
    enlarged = replace(train, joints_2d=2 * train.joints_2d, K=2 * train.K)
    for mode in MODES:
        torch.testing.assert_close(
            Normaliser.fit(train, "joints_2d", mode)(train),
            Normaliser.fit(enlarged, "joints_2d", mode)(enlarged),
            rtol=1e-4,
            atol=1e-6,
        )


def test_step_gives_every_frame_one_size_but_for_the_clamp(train):
    normaliser = Normaliser.fit(train, "joints_2d", "step")
    raw = Normaliser("joints_2d", "none", 1.0)(train)
    raw[0] *= 100  # a giant and a foreshortened trunk
    raw[1, 10] = 0.01 * raw[1, 10]
    poses = normaliser(with_pixels(train, raw))
    single = 1 / (DEPTH * head_root(raw))
    free = (single > 0.3 * normaliser.factor) & (single < 3 * normaliser.factor)
    assert not free[:2].any() and free[2:].float().mean() > 0.9
    sizes = head_root(poses)
    torch.testing.assert_close(
        sizes[free], torch.full_like(sizes[free], 1 / DEPTH), rtol=1e-3, atol=0
    )
    used = head_root(poses) / head_root(raw)
    torch.testing.assert_close(used[0], torch.tensor(0.3 * normaliser.factor), rtol=1e-3, atol=0)
    torch.testing.assert_close(used[1], torch.tensor(3 * normaliser.factor), rtol=1e-3, atol=0)


def test_none_applies_no_factor(train):
    principal = train.K[:, None, :2, 2]
    expected = (train.joints_2d - train.joints_2d[:, :1]) / principal
    torch.testing.assert_close(
        Normaliser.fit(train, "joints_2d", "none")(train), expected, rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("mode", MODES)
def test_all_sizes_are_finite_for_a_person_who_is_a_point(train, mode):
    normaliser = Normaliser.fit(train, "joints_2d", mode)
    poses = normaliser(with_pixels(train, torch.zeros_like(train.joints_2d)))
    assert bool(poses.isfinite().all())
    assert bool(reference_scale(train.joints_3d, poses, 650.0).isfinite().all())


def test_what_cannot_be_normalised_is_refused(train):
    with pytest.raises(ValueError, match="'universal', 'step' or 'none', not 'min-max'"):
        Normaliser.fit(train, "joints_2d", "min-max")
    with pytest.raises(ValueError, match="no detected_2d"):
        Normaliser.fit(replace(train, detected_2d=None), "detected_2d", "universal")


def test_bounding_extent():
    pose = torch.rand(5, 17, 2)
    sides = [[p[:, axis].max() - p[:, axis].min() for axis in (0, 1)] for p in pose]
    torch.testing.assert_close(bounding_extent(pose), torch.tensor(sides).mean(-1))
    torch.testing.assert_close(bounding_extent(3 * pose + 7), 3 * bounding_extent(pose))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.25])
def test_reference_scale_of_exact_projections(train, factor):
    """It is 1 where the 2D pose is the projection of the unit-sized person at D, else the ratio."""
    unit_mm = head_root(train.joints_3d).mean()
    unit = (train.joints_3d - train.joints_3d[:, :1]) / unit_mm
    unit[..., 2] += DEPTH
    projected = unit[..., :2] / unit[..., 2:]
    scale = reference_scale(train.joints_3d, projected / factor, unit_mm)
    torch.testing.assert_close(scale, torch.full_like(scale, factor), rtol=1e-4, atol=0)


def test_reference_scale_of_real_cameras_is_about_one(train):
    """Universal normalisation leaves what varies with the distance, a few percent in a studio."""
    poses = Normaliser.fit(train, "joints_2d", "universal")(train)
    scale = reference_scale(train.joints_3d, poses, head_root(train.joints_3d).mean())
    assert 0.85 < scale.mean() < 1.15 and 0.005 < scale.std() < 0.3
    away = train.joints_3d[
        :, 0, 2
    ]  # who stands further away looks smaller and needs a larger scale
    assert torch.corrcoef(torch.stack([scale, away]))[0, 1] > 0.5
