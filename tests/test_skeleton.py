"""Joint conventions: well-formed trees, mirrors that follow the names, conversions by dataset."""

import numpy as np
import pytest
import torch

from lib import skeleton
from lib.skeleton import (
    CMU_31,
    COCO_17,
    HAND_21,
    HUMAN36M_17,
    HUMAN36M_32,
    LSP_14,
    MADS_15,
    MADS_19,
    MPI_INF_3DHP_17,
    MPI_INF_3DHP_28,
    SKELETONS,
    SMPL_24,
    ConversionError,
    Skeleton,
    convert,
    correspondence,
    topological_order,
)

every = pytest.mark.parametrize("body", SKELETONS.values(), ids=SKELETONS)


def names_of(source, target):
    """The joint of the source that each joint of the target is, where none is a midpoint."""
    pairs = correspondence(source, target)
    assert all(first == second for first, second in pairs)
    return [first for first, _ in pairs]


@every
def test_parents_form_one_tree(body):
    seen = set()
    for joint in topological_order(body.parents):
        assert body.parents[joint] == -1 or body.parents[joint] in seen
        seen.add(joint)
    assert seen == set(range(len(body)))
    assert body.parents[body.root] == -1
    assert len(body.bones) == len(body) - 1
    assert all(body.parents[child] == parent for parent, child in body.bones)


@every
def test_the_number_in_the_name_is_the_number_of_joints(body):
    assert len(body) == int(body.name.rsplit("_", 1)[1])


@every
def test_mirror_swaps_the_sides_of_names_and_bones(body):
    mirror = body.mirror
    assert [mirror[mirror[joint]] for joint in range(len(body))] == list(range(len(body)))
    left, right = ("l", "r") if body is CMU_31 else ("left_", "right_")
    sided = {joint for pair in body.pairs for joint in pair}
    for first, second in body.pairs:
        assert body.joints[first].removeprefix(left) == body.joints[second].removeprefix(right)
    for joint, name in enumerate(body.joints):
        if joint not in sided:
            assert mirror[joint] == joint
            assert not name.startswith(("left", "right"))
    # The tree is symmetric: a bone's mirror image is a bone.
    assert {(mirror[parent], mirror[child]) for parent, child in body.bones} == set(body.bones)


def test_human36m_17_is_as_in_the_literature():
    assert HUMAN36M_17.parents == (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 9, 8, 11, 12, 8, 14, 15)
    assert HUMAN36M_17.mirror == (0, 4, 5, 6, 1, 2, 3, 7, 8, 9, 10, 14, 15, 16, 11, 12, 13)
    assert HUMAN36M_17.joints[:2] + HUMAN36M_17.joints[7:11] == (
        "pelvis",
        "right_hip",
        "spine",
        "thorax",
        "nose",
        "head",
    )


@pytest.mark.parametrize(
    "source, target, indices",
    [
        (
            HUMAN36M_32,
            HUMAN36M_17,
            [0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27],
        ),
        (
            MPI_INF_3DHP_28,
            MPI_INF_3DHP_17,
            [7, 5, 14, 15, 16, 9, 10, 11, 23, 24, 25, 18, 19, 20, 4, 3, 6],
        ),
        (
            MPI_INF_3DHP_28,
            HUMAN36M_17,
            [4, 23, 24, 25, 18, 19, 20, 3, 5, 6, 7, 9, 10, 11, 14, 15, 16],
        ),
        (
            MPI_INF_3DHP_17,
            HUMAN36M_17,
            [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4],
        ),
        (
            SMPL_24,
            HUMAN36M_17,
            [0, 2, 5, 8, 1, 4, 7, 6, 12, 15, 15, 16, 18, 20, 17, 19, 21],
        ),
        (MADS_19, MADS_15, [0, 1, 2, 3, 4, 6, 7, 8, 10, 11, 12, 14, 15, 16, 18]),
    ],
    ids=lambda value: value.name if isinstance(value, Skeleton) else "",
)
def test_conversion_reproduces_the_published_index_list(source, target, indices):
    assert names_of(source, target) == indices


def test_mads_spine_and_nose_are_midpoints():
    assert correspondence(MADS_19, HUMAN36M_17) == (
        *((1, 1), (6, 6), (7, 7), (8, 8), (2, 2), (3, 3), (4, 4)),
        *((0, 1), (0, 0), (0, 18), (18, 18)),
        *((10, 10), (11, 11), (12, 12), (14, 14), (15, 15), (16, 16)),
    )


def test_cmu_takes_ends_of_bones_and_the_pelvis_between_the_hips():
    expected = (
        "rhipjoint rfemur rtibia lhipjoint lfemur ltibia upperback thorax upperneck head "
        "lclavicle lhumerus lwrist rclavicle rhumerus rwrist"
    ).split()
    pelvis, *others = correspondence(CMU_31, HUMAN36M_17)
    assert {CMU_31.joints[joint] for joint in pelvis} == {"lhipjoint", "rhipjoint"}
    assert [CMU_31.joints[first] for first, _ in others] == expected
    assert all(first == second for first, second in others)


def test_human36m_makes_lsp():
    lsp = [HUMAN36M_17.joints[joint] for joint in names_of(HUMAN36M_17, LSP_14)]
    for wanted, got in zip(LSP_14.joints, lsp, strict=True):
        assert got == {"neck": "thorax", "head_top": "head"}.get(wanted, wanted)


@pytest.mark.parametrize(
    "source, target, missing",
    [
        (LSP_14, HUMAN36M_17, {"spine", "nose"}),
        (COCO_17, HUMAN36M_17, {"spine", "head"}),
        (COCO_17, LSP_14, {"head_top"}),
        (HUMAN36M_17, COCO_17, {"left_eye", "right_eye", "left_ear", "right_ear"}),
        (MPI_INF_3DHP_17, MADS_19, {"left_toe", "right_toe", "left_hand", "right_hand"}),
        (HUMAN36M_17, HAND_21, set(HAND_21.joints)),
    ],
    ids=lambda value: value.name if isinstance(value, Skeleton) else "",
)
def test_a_joint_without_source_is_named(source, target, missing):
    with pytest.raises(ConversionError) as error:
        convert(np.zeros((len(source), 3)), source, target)
    assert source.name in str(error.value) and target.name in str(error.value)
    assert set(str(error.value).split(": ")[-1].split(", ")) == missing


@pytest.mark.parametrize(
    "small, large",
    [(MPI_INF_3DHP_17, HUMAN36M_17), (HUMAN36M_17, MPI_INF_3DHP_17)],
    ids=["mpi", "human36m"],
)
def test_there_and_back_changes_nothing(small, large):
    points = np.random.normal(size=(5, len(small), 3))
    back = convert(convert(points, small, large), large, small)
    np.testing.assert_array_equal(back, points)


@every
def test_to_itself_changes_nothing(body):
    points = np.random.normal(size=(2, len(body), 2))
    np.testing.assert_array_equal(convert(points, body, body), points)


@every
def test_converting_commutes_with_mirroring(body):
    """No conversion swaps sides: the mirrored source gives the mirrored target."""
    points = np.random.normal(size=(len(body), 3))
    for target in SKELETONS.values():
        try:
            expected = convert(points, body, target)[list(target.mirror)]
        except ConversionError:
            continue
        mirrored = convert(points[list(body.mirror)], body, target)
        np.testing.assert_allclose(mirrored, expected, rtol=1e-12)


@pytest.mark.parametrize("source", [HUMAN36M_32, CMU_31, MADS_19], ids=lambda body: body.name)
def test_numpy_and_torch_agree(source, batch, dtype):
    points = torch.randn(*batch, len(source), 3, dtype=dtype)
    converted = convert(points, source, HUMAN36M_17)
    assert converted.shape == (*batch, 17, 3) and converted.dtype == dtype
    np.testing.assert_array_equal(convert(points.numpy(), source, HUMAN36M_17), converted.numpy())


def test_wrong_number_of_joints_is_named():
    with pytest.raises(ConversionError, match=r"human36m_32 has 32 joints.*\(7, 17, 3\)"):
        convert(np.zeros((7, 17, 3)), HUMAN36M_32, HUMAN36M_17)


def test_index_by_name():
    assert HUMAN36M_17.index("head") == 10
    with pytest.raises(KeyError, match="has no joint 'toe'"):
        HUMAN36M_17.index("toe")


@pytest.mark.parametrize(
    "parents, message",
    [
        ((-1, -1), "one root"),
        ((1, 0), "one root"),
        ((-1, 2, 1), "not connected"),
        ((-1, 5), "no joint"),
    ],
)
def test_what_is_not_a_tree_is_refused(parents, message):
    joints = tuple("abc"[: len(parents)])
    with pytest.raises(ValueError, match=message):
        Skeleton("odd", joints, parents, ())


def test_skeletons_refuse_bad_names():
    with pytest.raises(ValueError, match="same name"):
        Skeleton("odd", ("a", "a"), (-1, 0), ())
    with pytest.raises(ValueError, match="2 joints but 1 parents"):
        Skeleton("odd", ("a", "b"), (-1,), ())


def test_names_are_exported():
    assert all(hasattr(skeleton, name) for name in skeleton.__all__)
    assert {name.upper() for name in SKELETONS} <= set(skeleton.__all__)
    assert MADS_15.joints == tuple(n for n in MADS_19.joints if "toe" not in n and "hand" not in n)
