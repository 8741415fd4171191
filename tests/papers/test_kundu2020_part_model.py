"""Kundu et al., CVPR 2020, the networks: cameras, retargeted labels, part maps, the decoder."""

from dataclasses import replace

import pytest
import torch
from guided import QUICK, TRAINED

from lib.kinematics import bone_ratios, camera_rotation
from lib.papers.kundu2020_data import MARGIN
from lib.papers.kundu2020_model import standing
from lib.papers.kundu2020_part_model import PartModel, figure, translation, with_azimuth
from lib.puppet import PARTS
from lib.skeleton import HUMAN36M_17

THORAX = HUMAN36M_17.index("thorax")
FACING = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])


@pytest.fixture(scope="module")
def lengths(filmed):
    return bone_ratios(filmed["motion"]["train"].joints_3d)


@pytest.fixture
def build(lengths):
    def model(name="unsup", **changes):
        return PartModel(replace(TRAINED[name], **changes), QUICK, lengths).eval()

    return model


def posed(model, count=6, spread=0.3):
    """Poses and cameras at random."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(count, 49, generator=generator)
    camera = noise[:, 40:].clone()
    camera[:, 2:6] = torch.tensor([0.1, 1.0, 0.0, 1.0]) + 0.05 * noise[:, 42:46]
    return model.pose(standing(model.variant.frames) + spread * noise[:, :40], camera)


# Cameras


def test_the_fitted_camera_fills_the_crop(build):
    seen = posed(build())
    box = seen.points[:, :17]
    low, high = box.amin(1), box.amax(1)
    torch.testing.assert_close(low + high, torch.zeros_like(low), rtol=0, atol=1e-5)
    torch.testing.assert_close((high - low).amax(-1), torch.full((6,), 2 / MARGIN))


def test_translation_inverts_the_bounded_camera(build):
    """Flat people, all at one distance: their box lies exactly as crops are cut."""
    model = build(camera="bounded")
    size = torch.tensor([0.7, 1.0, 1.25])[:, None, None]
    flat = posed(model, 3).joints
    flat = flat - flat[:, :1]
    flat[..., 0] = 0.0
    seen = model.facing(torch.zeros(3, 40), size * flat, FACING.expand(3, -1, -1))
    box = seen.points[:, :17]
    low, high = box.amin(1), box.amax(1)
    torch.testing.assert_close(low + high, torch.zeros_like(low), rtol=0, atol=1e-4)
    torch.testing.assert_close((high - low).amax(-1), torch.full((3,), 2 / MARGIN), rtol=0, atol=1e-4)
    assert (seen.camera[:, 6:].abs() < 2.6).all()  # none at its bound


def test_translations_are_finite_beyond_their_bounds():
    people = torch.randn(4, 17, 3) * torch.tensor([0.0, 0.1, 10.0, 1e4])[:, None, None]
    assert bool(translation(people).isfinite().all())


@pytest.mark.parametrize("camera", ["fitted", "bounded"])
def test_scale_is_the_length_of_a_trunk_in_the_picture(build, camera):
    """Of a trunk beside the pelvis, square to the view."""
    model = build(camera=camera)
    flat = posed(model, 2, 0.0).joints
    flat[..., 0] = 0.0
    seen = model.facing(torch.zeros(2, 40), flat, FACING.expand(2, -1, -1))
    trunk = (seen.points[:, THORAX] - seen.points[:, 0]).norm(dim=-1)
    torch.testing.assert_close(trunk, seen.scale, rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", ["unsup", "no-fk", "as-printed"])
def test_a_camera_goes_around_a_person(build, name):
    model = build(name)
    seen = posed(model)
    if name == "no-fk":
        seen = model.labels(seen.turned)
    angle = torch.linspace(-2, 2, 6)
    around = with_azimuth(seen, model, angle)
    torch.testing.assert_close(around.joints, seen.joints, rtol=0, atol=1e-4)
    R, other = (camera_rotation(s.camera[:, :6]) for s in (seen, around))
    turn = (R.mT @ other).diagonal(dim1=1, dim2=2).sum(-1)
    torch.testing.assert_close((turn - 1) / 2, angle.cos(), rtol=0, atol=1e-4)
    back = with_azimuth(around, model, -angle)
    torch.testing.assert_close(back.turned, seen.turned, rtol=0, atol=1e-4)


# Poses


@pytest.mark.parametrize("frames", ["transport", "gram-schmidt"])
@pytest.mark.parametrize("camera", ["fitted", "bounded"])
def test_labels_of_the_models_own_poses_are_those_poses(build, frames, camera):
    model = build(frames=frames, camera=camera)
    seen = posed(model)
    away = 430 * seen.turned + torch.tensor([300.0, -80.0, 4000.0])
    again = model.labels(away)
    torch.testing.assert_close(again.joints, seen.joints, rtol=0, atol=2e-3)
    torch.testing.assert_close(again.turned, seen.turned, rtol=0, atol=2e-3)
    torch.testing.assert_close(again.depth, seen.depth, rtol=0, atol=5e-3)
    if camera == "fitted":
        torch.testing.assert_close(again.points, seen.points, rtol=0, atol=2e-3)
    # and once more nothing changes
    torch.testing.assert_close(model.labels(again.turned).points, again.points, rtol=0, atol=2e-3)


def test_labels_have_the_models_bones(build, filmed, lengths):
    seen = build().labels(filmed["studio"]["train"].joints_3d)
    torch.testing.assert_close(bone_ratios(seen.joints), lengths, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["unsup", "no-fk", "as-printed"])
def test_what_the_encoder_says(build, name):
    model = build(name)
    seen = model.encode_pose(torch.rand(3, 3, 32, 32))
    shapes = {"parameters": (40,), "camera": (9,), "joints": (17, 3), "turned": (17, 3), "points": (23, 2),
              "depth": (23,), "scale": ()}  # fmt: skip
    for field, shape in shapes.items():
        assert getattr(seen, field).shape == (3, *shape)
    R = camera_rotation(seen.camera[:, :6])
    trunk = seen.turned[:, THORAX].norm(dim=-1)[:, None, None]
    torch.testing.assert_close(seen.turned, trunk * seen.joints @ R.mT, rtol=0, atol=1e-4)
    assert not seen.still().points.requires_grad and seen.points.requires_grad
    assert seen[:2].joined([seen[:2], seen[2:]]).points.equal(seen.points)


def test_readers_are_all_but_the_decoder(build):
    model = build("no-fk")
    own, decoder = ({id(p) for p in part} for part in (model.readers(), model.decoder.parameters()))
    assert own | decoder == {id(p) for p in model.parameters()} and not own & decoder


# Part maps


@pytest.mark.parametrize("name", ["unsup", "as-printed", "printed-order", "no-depth", "no-unc"])
def test_part_maps(build, name):
    model = build(name)
    parts = model.parts(posed(model), 16)
    shapes = len(model.template)
    assert parts.phi_p.shape == (6, shapes, 16, 16) and parts.w_fg.shape == parts.w_unc.shape == (6, 16, 16)
    assert parts.phi_d.shape[1] == shapes + (name == "printed-order")
    torch.testing.assert_close(parts.w_fg, parts.phi_p.amax(1))
    assert parts.labels.dtype == torch.uint8 and parts.labels.max() <= len(PARTS)
    assert bool(parts.w_unc.any()) == (name != "no-unc")
    assert bool(parts.labels.any()) == (name != "printed-order")  # as printed all is background


@pytest.mark.parametrize("name", ["unsup", "as-printed", "printed-order"])
def test_exchanged_is_an_involution(build, name):
    model = build(name)
    names = model.template.names
    maps = torch.rand(2, len(names) + (name == "printed-order"), 4, 4)
    found = model.exchanged(maps)
    assert torch.equal(model.exchanged(found), maps)
    assert torch.equal(found[:, len(names) :], maps[:, len(names) :])
    for number, shape in enumerate(names):
        other = shape.replace("left", "?").replace("right", "left").replace("?", "right")
        assert torch.equal(found[:, number], maps[:, names.index(other)])


# The decoder


def silent(model):
    """The same with heads that add nothing to what the puppet says."""
    torch.nn.init.zeros_(model.decoder.heads.weight)
    torch.nn.init.zeros_(model.decoder.heads.bias)
    return model


@pytest.mark.parametrize("kind", ["face", "plain"])
def test_the_segmentation_starts_from_the_puppets(build, kind):
    model = silent(build(shape=kind))
    shapes, code = len(model.template), torch.rand(4, 24)
    number = torch.randint(0, shapes + 1, (4, 8, 8))
    maps = torch.nn.functional.one_hot(number, shapes + 1)[..., :shapes].movedim(-1, 1).float()
    labels = torch.tensor([*(o + 1 for o in model.template.owner), 0])[number]
    picture, logits = model.draw(maps, code)
    assert picture.shape == (4, 3, 16, 16) and logits.shape == (4, 11, 16, 16)
    expected = labels.repeat_interleave(2, 1).repeat_interleave(2, 2)
    assert torch.equal(logits.argmax(1), expected)
    seen = posed(model)
    decoded = model.draw(model.parts(seen, 32).phi_d, code[:1].expand(6, -1))[1].argmax(1)
    puppet = model.parts(seen, 64).labels
    assert ((decoded > 0) == (puppet > 0)).float().mean() > 0.97
    assert (decoded == puppet).float().mean() > 0.96


def test_without_the_puppets_segmentation_nothing_is_known(build):
    model = silent(build("as-printed"))
    logits = model.draw(torch.rand(2, len(model.template), 8, 8), torch.rand(2, QUICK.appearance, 4, 4))[1]
    assert not logits.any()
    assert float(figure(logits).detach().mean()) == pytest.approx(10 / 11)


def test_a_palette_holds_the_persons_colours(build):
    model = build()
    colour = torch.tensor([0.9, 0.1, 0.2])
    pictures, person = torch.zeros(2, 3, 32, 32), torch.zeros(2, 1, 32, 32)
    pictures[:, 2], person[..., 8:24, 12:20] = 1.0, 1.0
    pictures = torch.where(person > 0, colour[:, None, None], pictures)
    given, blind = (model.encode_appearance(pictures, mask) for mask in (person, None))
    assert given.shape == (2, 24)
    assert (given.unflatten(1, (8, 3)) - colour).abs().max() < 0.05
    assert (blind.unflatten(1, (8, 3)) - colour).abs().max() > 0.2
    drawn, _ = model.draw(torch.rand(2, len(model.template), 16, 16), given)
    assert (drawn - colour[:, None, None]).abs().max() < 0.05  # nothing but these colours is painted
