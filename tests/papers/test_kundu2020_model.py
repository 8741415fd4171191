"""Kundu et al. 2020, networks: what passes through which code, fixed bones, maps, masks."""

from dataclasses import replace

import pytest
import torch
from kinematic import QUICK

from lib.kinematics import bone_ratios, camera_rotation, project_constant, project_fitted
from lib.papers import kundu2020_kinematic as kundu
from lib.papers.kundu2020_batches import Variant
from lib.papers.kundu2020_data import MARGIN
from lib.papers.kundu2020_model import COLOURS, Model
from lib.skeleton import HUMAN36M_17

SIZE = QUICK.image
OURS, PRINTED = kundu.VARIANTS["unsup"], kundu.VARIANTS["as-printed"]
TRAINED = {name: v for name, v in kundu.VARIANTS.items() if isinstance(v, Variant)}
# distances of which T_fk keeps: thorax and spine both hang from the pelvis
PARENTS = list(HUMAN36M_17.parents)
PARENTS[0] = PARENTS[HUMAN36M_17.index("thorax")] = 0


@pytest.fixture(scope="module")
def lengths(filmed):
    return bone_ratios(filmed["motion"]["train"].joints_3d)


@pytest.fixture
def pictures():
    return torch.rand(5, 3, SIZE, SIZE)


def make(variant, lengths, profile=QUICK):
    torch.manual_seed(0)
    return Model(variant, profile, lengths)


def shaken(model):
    """The same model with weights that nobody would train to."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter))
    return model


def ratios(joints):
    return (joints - joints[:, PARENTS]).norm(dim=-1)


# The pose


@pytest.mark.parametrize("name", ["unsup", "as-printed", "no-fk", "jakab"])
def test_shapes(name, lengths, pictures):
    model = make(TRAINED[name], lengths)
    seen = model.encode_pose(pictures)
    shapes = [tuple(getattr(seen, part).shape) for part in seen.__dataclass_fields__]
    assert shapes == [(5, 40), (5, 6), (5, 17, 3), (5, 17, 3), (5, 17, 2)]
    assert seen[1:3].points.shape == (2, 17, 2) and torch.equal(seen[1:3].camera, seen.camera[1:3])
    maps = model.maps(seen.points)
    assert maps.shape == (5, 33, SIZE // 2, SIZE // 2)
    drawn, mask = model.draw(seen.points, model.encode_appearance(pictures), pictures)
    assert drawn.shape == pictures.shape and 0 <= drawn.min() and drawn.max() <= 1
    assert (mask is None) == (name == "as-printed")
    for part in (seen.joints, seen.turned):
        assert (part[:, 0].abs() < 1e-6).all()


@pytest.mark.parametrize("form", sorted({(v.pose, v.frames, v.camera) for v in TRAINED.values()}))
def test_bone_ratios_are_fixed_whatever_the_weights(form, lengths, pictures):
    pose, frames, camera = form
    model = make(replace(OURS, pose=pose, frames=frames, camera=camera), lengths)
    for seen in (model.encode_pose(pictures), shaken(model).encode_pose(10 * pictures)):
        for joints in (seen.joints, seen.turned):
            deviation = (ratios(joints) - lengths).abs().amax()
            assert (deviation < 1e-4) == (pose == "kinematic")


def test_an_untrained_encoder_sees_somebody_who_stands(lengths, pictures):
    for name in ("unsup", "as-printed", "no-fk"):
        seen = make(TRAINED[name], lengths).encode_pose(pictures)
        height = {joint: seen.points[:, HUMAN36M_17.index(joint), 1] for joint in HUMAN36M_17.joints}
        assert (height["head"] < height["thorax"]).all() and (height["thorax"] < height["pelvis"]).all()
        assert (height["pelvis"] < height["left_knee"]).all()


@pytest.mark.parametrize(("name", "project"), [("fitted", project_fitted), ("constant", project_constant)])
def test_points_are_the_projection_of_the_joints(name, project, lengths, pictures):
    model = make(replace(OURS, camera=name), lengths)
    seen = model.encode_pose(pictures)
    margin = (MARGIN,) if name == "fitted" else ()
    there = project(seen.joints, camera_rotation(seen.camera), *margin)
    torch.testing.assert_close(seen.points, there.points)
    torch.testing.assert_close(seen.turned, there.joints)
    again = model.pose(seen.parameters, seen.camera)
    torch.testing.assert_close(again.points, seen.points)
    if name == "fitted":
        extent = (seen.points.amax(1) - seen.points.amin(1)).amax(-1)
        torch.testing.assert_close(extent, torch.full_like(extent, 2 / MARGIN), rtol=0, atol=1e-4)
    else:
        torch.testing.assert_close(seen.points[:, 0], torch.zeros(5, 2), rtol=0, atol=1e-6)


def test_free_landmarks_are_flat_and_in_the_crop(lengths, pictures):
    seen = shaken(make(TRAINED["jakab"], lengths)).encode_pose(pictures)
    assert (seen.points.abs() <= 1).all() and (seen.turned[..., 2] == 0).all()
    torch.testing.assert_close(seen.joints @ camera_rotation(seen.camera).mT, seen.turned, rtol=0, atol=1e-4)


def test_a_large_encoder(lengths):
    profile = replace(QUICK, encoder="resnet18", image=64)
    model = make(OURS, lengths, profile)
    assert model.encoder.initialisation in ("from scratch", "ImageNet")
    assert model.encode_pose(torch.rand(2, 3, 64, 64)).joints.shape == (2, 17, 3)
    assert make(OURS, lengths).encoder.initialisation == "from scratch"


# Maps


def test_maps_are_brightest_at_joints_and_along_limbs(lengths):
    model = make(OURS, lengths, replace(QUICK, image=64))
    points = torch.rand(3, 17, 2) * 1.4 - 0.7
    maps = model.maps(points)
    place = maps[:, :17].flatten(2).argmax(-1)
    where = torch.stack([place % 32, place // 32], dim=-1)
    assert ((where + 0.5) / 16 - 1 - points).abs().max() < 1.1 / 16
    middle = torch.stack([(points[:, a] + points[:, b]) / 2 for a, b in HUMAN36M_17.bones], dim=1)
    pixel = ((middle + 1) * 16).long()
    rows, limbs = torch.arange(3)[:, None], 17 + torch.arange(16)
    assert maps[rows, limbs, pixel[..., 1], pixel[..., 0]].min() > 0.4


def test_without_limbs_or_without_formula(lengths):
    points = torch.rand(3, 17, 2) - 0.5
    both, heat = (make(replace(OURS, maps=kind), lengths).maps(points) for kind in ("both", "heat"))
    assert torch.equal(both[:, :17], heat[:, :17]) and heat[:, 17:].abs().max() == 0 < both[:, 17:].max()
    drawer = make(replace(OURS, maps="network"), lengths)
    before = drawer.maps(points)
    assert not torch.equal(before, shaken(drawer).maps(points))
    assert not torch.equal(drawer.maps(points)[0], drawer.maps(points)[1])


# Appearance


def test_a_palette_holds_colours_of_the_picture_and_no_place(lengths):
    model = make(OURS, lengths)
    pictures = 0.3 + 0.4 * torch.rand(4, 3, SIZE, SIZE)
    palette = shaken(model).encode_appearance(pictures).unflatten(1, (COLOURS, 3))
    assert palette.min() >= 0.3 and palette.max() <= 0.7
    plain = torch.tensor([0.2, 0.5, 0.9])[:, None, None].expand(2, 3, SIZE, SIZE)
    torch.testing.assert_close(
        model.encode_appearance(plain).unflatten(1, (COLOURS, 3)),
        torch.tensor([0.2, 0.5, 0.9]).expand(2, COLOURS, 3),
    )


def test_a_map_keeps_a_quarter_of_the_sides(lengths, pictures):
    found = make(PRINTED, lengths).encode_appearance(pictures)
    assert found.shape == (5, QUICK.appearance, SIZE // 4, SIZE // 4)


@pytest.mark.parametrize(
    ("field", "message"), [("appearance", "a map or a palette"), ("fusion", "late or composite")]
)
def test_unknown_forms_are_refused(field, message, lengths):
    with pytest.raises(ValueError, match=message):
        make(replace(OURS, **{field: "other"}), lengths)


# The decoder


def test_a_person_is_laid_over_the_background(lengths):
    """Where the mask is empty, the picture is the background, and the person is not changed by it."""
    model = shaken(make(OURS, lengths)).eval()
    points, appearance = torch.rand(3, 17, 2) - 0.5, model.encode_appearance(torch.rand(3, 3, SIZE, SIZE))
    one, two = torch.rand(2, 3, 3, SIZE, SIZE)
    first, mask = model.draw(points, appearance, one)
    second, same = model.draw(points, appearance, two)
    assert torch.equal(mask, same)
    torch.testing.assert_close(first - second, (1 - mask) * (one - two))


def test_colours_of_the_person_are_mixed_of_the_palette(lengths):
    model = shaken(make(OURS, lengths)).eval()
    points = torch.rand(2, 17, 2) - 0.5
    palette = torch.tensor([0.9, 0.1, 0.4]).repeat(2, COLOURS)
    drawn, mask = model.draw(points, palette, torch.zeros(2, 3, SIZE, SIZE))
    torch.testing.assert_close(drawn, mask * torch.tensor([0.9, 0.1, 0.4])[:, None, None])


def test_the_pose_passes_through_the_maps_alone(lengths, pictures):
    model = make(OURS, lengths).eval()
    appearance = model.encode_appearance(pictures)
    points = torch.rand(5, 17, 2) - 0.5
    drawn, _ = model.draw(points, appearance, pictures)
    empty = torch.full_like(points, 50.0)  # nobody in the crop
    assert not torch.equal(model.draw(empty, appearance, pictures)[0], drawn)
    torch.testing.assert_close(
        model.draw(empty, appearance, pictures)[0], model.draw(-empty, appearance, pictures)[0]
    )
