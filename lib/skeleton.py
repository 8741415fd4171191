"""Joint conventions of the datasets, and conversions between them.

A :class:`Skeleton` names joints, the parent of each and the left/right pairs. :func:`convert`
takes points from one skeleton to another: two joints correspond when they have the same *common
name*. That is a joint's own name, unless ``_COMMON`` says otherwise: the ``head`` of MPI-INF-3DHP
is where Human3.6M has its ``nose``. ``_MIDPOINT`` lists joints that a dataset lacks but that lie
between two of its own, as the pelvis does between the hips of LSP. A joint that has neither is not
made up: the conversion raises.

Common names are those of the 17 Human3.6M joints, where ``head`` is the top of the head and
``nose`` the joint between thorax and head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

__all__ = [
    "COCO_17",
    "CMU_31",
    "ConversionError",
    "HAND_21",
    "HUMAN36M_17",
    "HUMAN36M_32",
    "LSP_14",
    "MADS_15",
    "MADS_19",
    "MPI_INF_3DHP_17",
    "MPI_INF_3DHP_28",
    "SKELETONS",
    "SMPL_24",
    "Skeleton",
    "convert",
    "correspondence",
    "topological_order",
]


class ConversionError(ValueError):
    """A target joint has no source, or the points are not those of the source skeleton."""


def topological_order(parents: Sequence[int]) -> tuple[int, ...]:
    """Joint indices ordered so that a parent comes before its children.

    ``parents`` holds the index of each joint's parent, -1 for the one root. Raises ValueError when
    it is not a tree.
    """
    roots = [joint for joint, parent in enumerate(parents) if parent == -1]
    if len(roots) != 1:
        raise ValueError(f"a tree has one root (parent -1), not {len(roots)}: {tuple(parents)}")
    children = {joint: [] for joint in range(len(parents))}
    for joint, parent in enumerate(parents):
        if parent != -1:
            if parent not in children:
                raise ValueError(f"joint {joint} has parent {parent}, which is no joint")
            children[parent].append(joint)
    order = list(roots)
    for joint in order:  # the list grows while it is read: breadth first
        order.extend(children[joint])
    if len(order) != len(parents):
        lost = sorted(set(range(len(parents))) - set(order))
        raise ValueError(f"joints {lost} are not connected to the root: {tuple(parents)}")
    return tuple(order)


@dataclass(frozen=True)
class Skeleton:
    """Joints of a dataset: their names, parents (-1 = root) and (left, right) pairs of indices."""

    name: str
    joints: tuple[str, ...]
    parents: tuple[int, ...]
    pairs: tuple[tuple[int, int], ...]

    def __post_init__(self):
        if len(self.parents) != len(self.joints):
            raise ValueError(
                f"{self.name}: {len(self.joints)} joints but {len(self.parents)} parents"
            )
        if len(set(self.joints)) != len(self.joints):
            raise ValueError(f"{self.name}: two joints have the same name")
        topological_order(self.parents)

    def __len__(self) -> int:
        return len(self.joints)

    @property
    def root(self) -> int:
        """Index of the joint without a parent."""
        return self.parents.index(-1)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) of every joint but the root, in the order of the children."""
        return tuple((parent, child) for child, parent in enumerate(self.parents) if parent != -1)

    @cached_property
    def mirror(self) -> tuple[int, ...]:
        """Permutation of the joints that swaps left and right, to index the joints' axis with."""
        order = list(range(len(self.joints)))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)

    def index(self, joint_name: str) -> int:
        """Index of the joint of that name; KeyError when there is none."""
        try:
            return self.joints.index(joint_name)
        except ValueError:
            known = ", ".join(self.joints)
            raise KeyError(f"{self.name} has no joint {joint_name!r}; it has {known}") from None


def _skeleton(name: str, tree: str, sides: tuple[str, str] = ("left_", "right_")) -> Skeleton:
    """Skeleton from entries ``joint < parent``; a pair's names differ in the prefix of the side."""
    rows = [entry.split("<") for entry in tree.replace("\n", ",").split(",") if entry.strip()]
    joints = tuple(row[0].strip() for row in rows)
    parents = tuple(joints.index(row[1].strip()) if len(row) == 2 else -1 for row in rows)
    left, right = sides
    pairs = tuple(
        (index, joints.index(right + joint.removeprefix(left)))
        for index, joint in enumerate(joints)
        if joint.startswith(left) and right + joint.removeprefix(left) in joints
    )
    return Skeleton(name, joints, parents, pairs)


HUMAN36M_17 = _skeleton(
    "human36m_17",
    """
    pelvis, right_hip < pelvis, right_knee < right_hip, right_ankle < right_knee
    left_hip < pelvis, left_knee < left_hip, left_ankle < left_knee
    spine < pelvis, thorax < spine, nose < thorax, head < nose
    left_shoulder < thorax, left_elbow < left_shoulder, left_wrist < left_elbow
    right_shoulder < thorax, right_elbow < right_shoulder, right_wrist < right_elbow
    """,
)

# Human3.6M's own 32 joints. Some stand where another does: spine_base at the pelvis, the inner
# shoulders at the thorax, the hand's base at the wrist, the fingers' end at the fingers.
HUMAN36M_32 = _skeleton(
    "human36m_32",
    """
    pelvis, right_hip < pelvis, right_knee < right_hip, right_ankle < right_knee
    right_toe < right_ankle, right_toe_end < right_toe
    left_hip < pelvis, left_knee < left_hip, left_ankle < left_knee
    left_toe < left_ankle, left_toe_end < left_toe
    spine_base < pelvis, spine < spine_base, thorax < spine, nose < thorax, head < nose
    left_inner_shoulder < spine, left_shoulder < left_inner_shoulder, left_elbow < left_shoulder
    left_wrist < left_elbow, left_hand_base < left_wrist, left_thumb < left_hand_base
    left_fingers < left_wrist, left_fingers_end < left_fingers
    right_inner_shoulder < spine, right_shoulder < right_inner_shoulder
    right_elbow < right_shoulder, right_wrist < right_elbow
    right_hand_base < right_wrist, right_thumb < right_hand_base
    right_fingers < right_wrist, right_fingers_end < right_fingers
    """,
)

MPI_INF_3DHP_28 = _skeleton(
    "mpi_inf_3dhp_28",
    """
    spine3 < spine2, spine4 < spine3, spine2 < spine, spine < pelvis, pelvis, neck < spine4
    head < neck, head_top < head
    left_clavicle < neck, left_shoulder < left_clavicle, left_elbow < left_shoulder
    left_wrist < left_elbow, left_hand < left_wrist
    right_clavicle < neck, right_shoulder < right_clavicle, right_elbow < right_shoulder
    right_wrist < right_elbow, right_hand < right_wrist
    left_hip < pelvis, left_knee < left_hip, left_ankle < left_knee, left_foot < left_ankle
    left_toe < left_foot
    right_hip < pelvis, right_knee < right_hip, right_ankle < right_knee, right_foot < right_ankle
    right_toe < right_foot
    """,
)

MPI_INF_3DHP_17 = _skeleton(
    "mpi_inf_3dhp_17",
    """
    head_top < head, neck < spine
    right_shoulder < neck, right_elbow < right_shoulder, right_wrist < right_elbow
    left_shoulder < neck, left_elbow < left_shoulder, left_wrist < left_elbow
    right_hip < pelvis, right_knee < right_hip, right_ankle < right_knee
    left_hip < pelvis, left_knee < left_hip, left_ankle < left_knee
    pelvis, spine < pelvis, head < neck
    """,
)

# LSP has no pelvis: both hips hang from the neck.
LSP_14 = _skeleton(
    "lsp_14",
    """
    right_ankle < right_knee, right_knee < right_hip, right_hip < neck
    left_hip < neck, left_knee < left_hip, left_ankle < left_knee
    right_wrist < right_elbow, right_elbow < right_shoulder, right_shoulder < neck
    left_shoulder < neck, left_elbow < left_shoulder, left_wrist < left_elbow
    neck, head_top < neck
    """,
)

# A joint of CMU is the END of the bone of that name: lfemur is the left knee.
CMU_31 = _skeleton(
    "cmu_31",
    """
    root, lhipjoint < root, lfemur < lhipjoint, ltibia < lfemur, lfoot < ltibia, ltoes < lfoot
    rhipjoint < root, rfemur < rhipjoint, rtibia < rfemur, rfoot < rtibia, rtoes < rfoot
    lowerback < root, upperback < lowerback, thorax < upperback
    lowerneck < thorax, upperneck < lowerneck, head < upperneck
    lclavicle < thorax, lhumerus < lclavicle, lradius < lhumerus, lwrist < lradius, lhand < lwrist
    lfingers < lhand, lthumb < lwrist
    rclavicle < thorax, rhumerus < rclavicle, rradius < rhumerus, rwrist < rradius, rhand < rwrist
    rfingers < rhand, rthumb < rwrist
    """,
    sides=("l", "r"),
)

SMPL_24 = _skeleton(
    "smpl_24",
    """
    pelvis, left_hip < pelvis, right_hip < pelvis, spine1 < pelvis
    left_knee < left_hip, right_knee < right_hip, spine2 < spine1
    left_ankle < left_knee, right_ankle < right_knee, spine3 < spine2
    left_foot < left_ankle, right_foot < right_ankle, neck < spine3
    left_collar < spine3, right_collar < spine3, head < neck
    left_shoulder < left_collar, right_shoulder < right_collar
    left_elbow < left_shoulder, right_elbow < right_shoulder
    left_wrist < left_elbow, right_wrist < right_elbow
    left_hand < left_wrist, right_hand < right_wrist
    """,
)

HAND_21 = _skeleton(
    "hand_21",
    """
    wrist
    thumb_1 < wrist, thumb_2 < thumb_1, thumb_3 < thumb_2, thumb_4 < thumb_3
    index_1 < wrist, index_2 < index_1, index_3 < index_2, index_4 < index_3
    middle_1 < wrist, middle_2 < middle_1, middle_3 < middle_2, middle_4 < middle_3
    ring_1 < wrist, ring_2 < ring_1, ring_3 < ring_2, ring_4 < ring_3
    little_1 < wrist, little_2 < little_1, little_3 < little_2, little_4 < little_3
    """,
)

MADS_19 = _skeleton(
    "mads_19",
    """
    neck < pelvis, pelvis
    left_hip < pelvis, left_knee < left_hip, left_ankle < left_knee, left_toe < left_ankle
    right_hip < pelvis, right_knee < right_hip, right_ankle < right_knee, right_toe < right_ankle
    left_shoulder < neck, left_elbow < left_shoulder, left_wrist < left_elbow
    left_hand < left_wrist
    right_shoulder < neck, right_elbow < right_shoulder, right_wrist < right_elbow
    right_hand < right_wrist, head < neck
    """,
)

MADS_15 = _skeleton(
    "mads_15",
    """
    neck < pelvis, pelvis, left_hip < pelvis, left_knee < left_hip, left_ankle < left_knee
    right_hip < pelvis, right_knee < right_hip, right_ankle < right_knee
    left_shoulder < neck, left_elbow < left_shoulder, left_wrist < left_elbow
    right_shoulder < neck, right_elbow < right_shoulder, right_wrist < right_elbow, head < neck
    """,
)

# COCO has neither neck nor pelvis: shoulders hang from the nose, each hip from the shoulder above.
COCO_17 = _skeleton(
    "coco_17",
    """
    nose, left_eye < nose, right_eye < nose, left_ear < left_eye, right_ear < right_eye
    left_shoulder < nose, right_shoulder < nose
    left_elbow < left_shoulder, right_elbow < right_shoulder
    left_wrist < left_elbow, right_wrist < right_elbow
    left_hip < left_shoulder, right_hip < right_shoulder
    left_knee < left_hip, right_knee < right_hip
    left_ankle < left_knee, right_ankle < right_knee
    """,
)

SKELETONS = {
    skeleton.name: skeleton
    for skeleton in (
        HUMAN36M_17,
        HUMAN36M_32,
        MPI_INF_3DHP_28,
        MPI_INF_3DHP_17,
        LSP_14,
        CMU_31,
        SMPL_24,
        HAND_21,
        MADS_19,
        MADS_15,
        COCO_17,
    )
}

# Joint -> common name, where the two differ. CMU's `lradius` ends inside the forearm and `lwrist`
# at the wrist; its `root` lies 0.1 m above the hips and is no pelvis.
_MPI = {"neck": "thorax", "head": "nose", "head_top": "head"}
_COMMON = {
    "mpi_inf_3dhp_28": _MPI,
    "mpi_inf_3dhp_17": _MPI,
    "lsp_14": {"neck": "thorax", "head_top": "head"},
    "smpl_24": {"neck": "thorax", "spine2": "spine"},
    "mads_19": {"neck": "thorax"},
    "mads_15": {"neck": "thorax"},
    "cmu_31": {"upperback": "spine", "upperneck": "nose"}
    | {
        short + bone: long + joint
        for short, long in (("l", "left_"), ("r", "right_"))
        for bone, joint in (
            ("hipjoint", "hip"),
            ("femur", "knee"),
            ("tibia", "ankle"),
            ("clavicle", "shoulder"),
            ("humerus", "elbow"),
            ("wrist", "wrist"),
        )
    },
}

# Common name of a joint that is lacking -> common names of the two that it lies between. SMPL has
# one joint in the head, which stands for both nose and head: the bone between has no length.
_MADS = {"spine": ("thorax", "pelvis"), "nose": ("thorax", "head")}
_HIPS = {"pelvis": ("left_hip", "right_hip")}
_MIDPOINT = {
    "lsp_14": _HIPS,
    "cmu_31": _HIPS,
    "coco_17": _HIPS | {"thorax": ("left_shoulder", "right_shoulder")},
    "mads_19": _MADS,
    "mads_15": _MADS,
    "smpl_24": {"nose": ("head", "head")},
}


@cache
def correspondence(source: Skeleton, target: Skeleton) -> tuple[tuple[int, int], ...]:
    """For each joint of ``target`` the two joints of ``source`` that it lies midway between.

    The same joint twice where it is that joint. Raises ConversionError naming every joint of the
    target that has no source.
    """
    if source == target:
        return tuple((index, index) for index in range(len(source)))
    own = _COMMON.get(source.name, {})
    place = {own.get(joint, joint): index for index, joint in enumerate(source.joints)}
    between = _MIDPOINT.get(source.name, {})
    rows, missing = [], []
    for joint in target.joints:
        common = _COMMON.get(target.name, {}).get(joint, joint)
        ends = (common, common) if common in place else between.get(common)
        if ends is None:
            missing.append(joint)
        else:
            rows.append((place[ends[0]], place[ends[1]]))
    if missing:
        raise ConversionError(
            f"{source.name} has no source for {len(missing)} of the {len(target)} joints of "
            f"{target.name}: {', '.join(missing)}"
        )
    return tuple(rows)


def convert(points, source: Skeleton, target: Skeleton):
    """Points of ``source`` (..., J, D) as points of ``target`` (..., J', D), numpy or torch.

    A joint is taken over, or is the midpoint of two. Raises ConversionError when a target joint has
    no source, or when the points do not have the source's number of joints.
    """
    if points.ndim < 2 or points.shape[-2] != len(source):
        raise ConversionError(
            f"{source.name} has {len(source)} joints; got points of shape {tuple(points.shape)}"
        )
    first, second = (list(column) for column in zip(*correspondence(source, target), strict=True))
    if first == second:
        return points[..., first, :]
    return (points[..., first, :] + points[..., second, :]) / 2
