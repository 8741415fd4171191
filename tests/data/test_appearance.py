"""Appearances: what the two numbers decide, styles, and textures in the parts' coordinates."""

from dataclasses import fields

import pytest
import torch

from lib.data.appearance import MATERIALS, STYLES, albedo, sample_appearance, wardrobe
from lib.data.solids import HAND_SOLIDS, SOLIDS

NUMBERS = torch.arange(200)


def values(appearance):
    return {field.name: getattr(appearance, field.name) for field in fields(appearance)}


@pytest.mark.parametrize("style", STYLES)
def test_values_are_in_range(style):
    look = sample_appearance(NUMBERS, NUMBERS % 7, style)
    assert len(look) == 200 and all(len(value) == 200 for value in values(look).values())
    assert all(value.isfinite().all() for value in values(look).values())
    assert look.colours.shape == (200, len(MATERIALS), 3)
    assert look.colours.min() >= 0 and look.colours.max() <= 1
    torch.testing.assert_close(torch.linalg.vector_norm(look.light, dim=-1), torch.ones(200))
    assert (look.light[:, 2] < 0).all() and (look.light[:, 1] < 0).all()  # from the camera's side
    assert (look.ambient > 0.2).all() and (look.ambient < 0.7).all()
    assert look.build[:, :2].min() > 0.8 and look.build[:, :2].max() < 1.3


def test_the_same_numbers_give_the_same_appearance_in_any_batch():
    look = values(sample_appearance(NUMBERS, NUMBERS + 5))
    again = values(sample_appearance(NUMBERS.flip(0), NUMBERS.flip(0) + 5))
    for name, value in look.items():
        assert torch.equal(value, again[name].flip(0)), name


def test_seeds_decide_clothes_and_people_the_person():
    base = sample_appearance(torch.tensor([3]), torch.tensor([4]))
    clothes = sample_appearance(torch.tensor([8]), torch.tensor([4]))
    person = sample_appearance(torch.tensor([3]), torch.tensor([9]))
    own = [MATERIALS.index("skin"), MATERIALS.index("hair")]
    worn = [MATERIALS.index("top"), MATERIALS.index("bottom"), MATERIALS.index("shoe")]
    assert torch.equal(base.colours[:, own], clothes.colours[:, own])
    assert not torch.equal(base.colours[:, worn], clothes.colours[:, worn])
    assert not torch.equal(base.light, clothes.light)
    assert torch.equal(base.colours[:, worn], person.colours[:, worn])
    assert not torch.equal(base.colours[:, own], person.colours[:, own])
    assert torch.equal(base.light, person.light) and torch.equal(base.cut, person.cut)


def test_styles_differ_as_they_say():
    def patterned(style):
        return (
            (sample_appearance(NUMBERS, NUMBERS, style).pattern[..., :3].sum(-1) > 0).float().mean()
        )

    assert patterned("studio") < 0.25 < 0.45 < patterned("wild")
    assert len(set(map(tuple, sample_appearance(NUMBERS, NUMBERS).colours[:, 2].tolist()))) == 200


def test_negative_and_large_numbers_will_do():
    numbers = torch.tensor([-1, -(2**62), 2**63 - 1, 0])
    look = sample_appearance(numbers, numbers)
    assert look.colours.isfinite().all()
    assert len(set(map(tuple, look.colours[:, 2].tolist()))) == 4


@pytest.mark.parametrize(
    "seeds, people, style, message",
    [
        (NUMBERS, NUMBERS, "formal", "style"),
        (NUMBERS.float(), NUMBERS, "studio", "seeds"),
        (NUMBERS, NUMBERS[:5], "studio", "seeds"),
        (NUMBERS, NUMBERS.int(), "studio", "people"),
        (NUMBERS[:, None], NUMBERS, "studio", "seeds"),
        (torch.tensor(3), NUMBERS, "studio", "seeds"),
    ],
)
def test_wrong_arguments(seeds, people, style, message):
    with pytest.raises(ValueError, match=message):
        sample_appearance(seeds, people, style)


def test_rows_and_devices():
    look = sample_appearance(NUMBERS, NUMBERS, "wild")
    index = torch.tensor([5, 5, 0])
    for name, value in values(look[index]).items():
        assert torch.equal(value, values(look)[name][index])
    assert torch.equal(look[index].to("cpu").colours, look.colours[index])
    assert look.device == torch.device("cpu")
    empty = sample_appearance(NUMBERS[:0], NUMBERS[:0])
    assert len(empty) == 0 and empty.colours.shape == (0, len(MATERIALS), 3)


def test_left_and_right_wear_the_same():
    worn = wardrobe(sample_appearance(NUMBERS, NUMBERS, "wild"))
    names = [name for name, _ in SOLIDS]
    for index, name in enumerate(names):
        if name.startswith("left_"):
            other = names.index("right_" + name.removeprefix("left_"))
            assert torch.equal(worn[:, index], worn[:, other])
    assert wardrobe(sample_appearance(NUMBERS, NUMBERS), hand=True).shape[1] == len(HAND_SOLIDS)


def paint(look, name, point, share):
    """Colours (M, 3) of points (M, 3) mm of one solid of the first figure."""
    index = [known for known, _ in SOLIDS].index(name)
    point = torch.as_tensor(point).float()
    worn = wardrobe(look)[0, index][:, None].expand(-1, len(point)).contiguous()
    x, y, z = point.T
    figure = torch.zeros(len(point), dtype=torch.long)
    return albedo(
        worn, look.colours, figure, torch.as_tensor(share).float(), (x, y, z, x / 76, y / 76)
    ).T


def with_pattern(kind, period=100.0):
    look = sample_appearance(torch.tensor([1]), torch.tensor([1]))
    look.pattern[:] = torch.tensor([*kind, period])
    look.cut[:] = 1.5
    look.logo[:] = 0.0
    return look


def colour(look, material):
    return look.colours[0, MATERIALS.index(material)]


def test_sleeves_and_trousers_end_where_they_are_cut():
    look = with_pattern((0.0, 0.0, 0.0))
    points = torch.zeros(2, 3) + torch.tensor([0.0, 0.0, 40.0])
    for garment, upper, lower in (
        ("top", "upper_arm", "lower_arm"),
        ("bottom", "upper_leg", "lower_leg"),
    ):
        for side in ("left", "right"):
            whole = paint(look, f"{side}_{upper}", points, [0.1, 0.9])
            assert torch.equal(whole, colour(look, garment).expand(2, 3))
            cut = paint(look, f"{side}_{lower}", points, [0.4, 0.6])
            assert torch.equal(cut[0], colour(look, garment)) and torch.equal(
                cut[1], colour(look, "skin")
            )
    assert torch.equal(paint(look, "left_hand", points, [0.0, 0.0])[0], colour(look, "skin"))
    assert torch.equal(paint(look, "left_foot", points, [0.9, 0.9])[0], colour(look, "shoe"))
    assert torch.equal(paint(look, "hair", points, [0.0, 0.0])[0], colour(look, "hair"))


def test_stripes_go_along_the_bone_and_bars_around_it():
    share = torch.zeros(2)
    along, around = (
        torch.tensor([[0, 25.0, 40], [0, 75, 40]]),
        torch.tensor([[0, 0, 40.0], [40, 0, 0]]),
    )
    stripes, bars = with_pattern((1.0, 0.0, 0.0)), with_pattern((0.0, 1.0, 0.0), period=84.0)
    first, second = paint(stripes, "chest", along, share)
    assert torch.equal(first, colour(stripes, "top_second")) and torch.equal(
        second, colour(stripes, "top")
    )
    assert torch.equal(*paint(stripes, "chest", around, share))
    assert torch.equal(*paint(bars, "chest", along, share))
    quarter = torch.tensor([[0.0, 0.0, 40.0], [21.0, 0.0, 34.0]])
    assert not torch.equal(*paint(bars, "chest", quarter, share))
    mirrored = quarter * torch.tensor([-1.0, 1.0, 1.0])
    assert torch.equal(paint(bars, "chest", quarter, share), paint(bars, "chest", mirrored, share))


def test_a_logo_is_on_the_chest_in_front():
    look = with_pattern((0.0, 0.0, 0.0))
    points = torch.tensor([[0.0, 15.0, 90.0], [0, 15, -90], [29, 43, 80], [60, 15, 80]])
    for half, corner in ((30.0, "top"), (-30.0, "logo")):
        look.logo[:] = half
        middle, back, edge, outside = paint(look, "chest", points, torch.zeros(4))
        assert torch.equal(middle, colour(look, "logo")) and torch.equal(back, colour(look, "top"))
        assert torch.equal(edge, colour(look, corner)) and torch.equal(outside, colour(look, "top"))
        assert torch.equal(paint(look, "abdomen", points, torch.zeros(4))[0], colour(look, "top"))


def test_a_face_has_eyes_in_front_alone():
    look = with_pattern((0.0, 0.0, 0.0))
    points = torch.tensor([[30.0, 3.0, 80.0], [-30, 3, 80], [30, 3, -80], [0, -10, 90]])
    left, right, back, cheek = paint(look, "head", points, torch.zeros(4))
    assert torch.equal(left, right) and left.max() < 0.2
    assert torch.equal(back, colour(look, "skin")) and torch.equal(cheek, colour(look, "skin"))
