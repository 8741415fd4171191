"""Figures of joint maps: which joint of a foreign skeleton becomes which of the book's own.

The person faces the reader, so that the left side is on the right. Training code never imports this module.
"""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from lib.plots import CARD, CENTRE, INK, LEFT, RIGHT
from lib.plots_images import draw_bones
from lib.skeleton import HAND_21, HUMAN36M_17, ConversionError, Skeleton, correspondence

__all__ = ["joint_map", "joint_rows", "standing"]

# A standing body, y down, hands and feet drawn large to keep their joints apart: joint without side -> place.
_BODY = {
    "pelvis": (0, 0), "hip": (0.11, 0.03), "knee": (0.16, 0.44), "ankle": (0.18, 0.86), "foot": (0.25, 0.93),
    "toe": (0.30, 1.0), "toe_end": (0.42, 1.0), "spine_base": (0, -0.07), "spine": (0, -0.22),
    "thorax": (0, -0.50), "nose": (0, -0.68), "head": (0, -0.86), "inner_shoulder": (0.06, -0.47),
    "shoulder": (0.20, -0.46), "elbow": (0.36, -0.20), "wrist": (0.50, 0.04), "hand_base": (0.50, 0.14),
    "thumb": (0.40, 0.20), "fingers": (0.60, 0.10), "fingers_end": (0.68, 0.20), "hand": (0.57, 0.16),
    "clavicle": (0.09, -0.49), "collar": (0.09, -0.46), "eye": (0.07, -0.74), "ear": (0.13, -0.68),
}  # fmt: skip
# Where a skeleton means another place by a name.
_OWN = {
    "mpi_inf_3dhp_28": {
        "spine": (0, -0.10), "spine2": (0, -0.20), "spine3": (0, -0.30), "spine4": (0, -0.40),
        "neck": (0, -0.52), "head": (0, -0.69), "head_top": (0, -0.86),
    },
    "mpi_inf_3dhp_17": {"neck": (0, -0.50), "head": (0, -0.68), "head_top": (0, -0.86)},
    "lsp_14": {"neck": (0, -0.50), "head_top": (0, -0.86)},
    "smpl_24": {
        "spine1": (0, -0.10), "spine2": (0, -0.22), "spine3": (0, -0.34), "neck": (0, -0.52),
        "head": (0, -0.74),
    },
    "mads_19": {"neck": (0, -0.50), "head": (0, -0.80)},
    "mads_15": {"neck": (0, -0.50), "head": (0, -0.80)},
    "cmu_31": {
        "root": (0, -0.07), "lowerback": (0, -0.15), "upperback": (0, -0.26), "thorax": (0, -0.42),
        "lowerneck": (0, -0.52), "upperneck": (0, -0.64), "head": (0, -0.82), "hipjoint": (0.11, 0.03),
        "femur": (0.16, 0.44), "tibia": (0.18, 0.86), "clavicle": (0.20, -0.46), "humerus": (0.36, -0.20),
        "radius": (0.45, -0.05), "toes": (0.34, 1.0),
    },
}  # fmt: skip
_FINGERS = {"thumb": -58, "index": -22, "middle": -3, "ring": 14, "little": 32}  # degrees from upright


def standing(skeleton: Skeleton) -> np.ndarray:
    """Places (J, 2), y down, of a skeleton's joints in somebody who stands and faces the reader.

    Of a hand: the right one, its back to the reader. Raises KeyError for a joint of an unknown name.
    """
    if skeleton == HAND_21:
        return np.array([_finger(joint) for joint in skeleton.joints])
    places = _BODY | _OWN.get(skeleton.name, {})
    points = np.zeros((len(skeleton), 2))
    sides = {left: 1 for left, _ in skeleton.pairs} | {right: -1 for _, right in skeleton.pairs}
    for number, joint in enumerate(skeleton.joints):
        side = sides.get(number, 0)
        if side:  # "left_knee", or "lfemur" at CMU
            joint = joint.partition("_")[2] if joint.startswith(("left_", "right_")) else joint[1:]
        x, y = places[joint]
        points[number] = side * x, y
    return points


def joint_rows(source: Skeleton, target: Skeleton = HUMAN36M_17) -> list[list[str]]:
    """For each joint of the target: its number, its name, and what it is made from, for a table."""
    rows = []
    for number, ends in enumerate(_sources(source, target)):
        made = " and ".join(f"{end} {source.joints[end]}" for end in ends)
        made = f"between {made}" if len(ends) > 1 else made or "none"
        rows.append([str(number), target.joints[number], made])
    return rows


def joint_map(ax: Axes, source: Skeleton, target: Skeleton = HUMAN36M_17) -> Axes:
    """A skeleton with the joints that are kept filled, each with the number that it gets; others hollow.

    A joint of the target that lies midway between two is a square there.
    """
    points = standing(source)
    draw_bones(ax, points, source, linewidth=1.6)
    ax.scatter(*points.T, s=22, facecolor=CARD, edgecolor=CENTRE, linewidth=1.0, zorder=3)
    colours = {left: LEFT for left, _ in source.pairs} | {right: RIGHT for _, right in source.pairs}
    # one joint may stand for two of the target: SMPL's head
    numbers: dict[tuple[int, ...], list[str]] = {}
    for number, ends in enumerate(_sources(source, target)):
        numbers.setdefault(ends, []).append(str(number))
    for ends, names in numbers.items():
        if not ends:
            continue
        x, y = points[list(ends)].mean(axis=0)
        colour = colours.get(ends[0], INK) if len(ends) == 1 else INK
        ax.scatter(x, y, s=34, color=colour, marker="s" if len(ends) > 1 else "o", zorder=4)
        shift, way, across = (0.045, 0.0), "left", "center"
        if x < -1e-6:
            shift, way = (-0.045, 0.0), "right"
        elif names == ["0"]:  # beside the pelvis are the hips
            shift, way, across = (0.0, 0.05), "center", "top"
        ax.text(
            x + shift[0], y + shift[1], ", ".join(names), color=colour, fontsize=9, fontweight="bold",
            ha=way, va=across, zorder=5,
        )  # fmt: skip
    ax.set_aspect("equal")
    ax.margins(0.12)
    if not ax.yaxis_inverted():
        ax.invert_yaxis()
    ax.axis("off")
    return ax


def _sources(source: Skeleton, target: Skeleton) -> list[tuple[int, ...]]:
    """For each joint of the target the one joint that it is, the two it lies between, or nothing."""
    found = []
    for joint in target.joints:
        try:
            ((first, second),) = correspondence(source, Skeleton(target.name, (joint,), (-1,), ()))
        except ConversionError:
            found.append(())
        else:
            found.append((first,) if first == second else (first, second))
    return found


def _finger(joint: str) -> tuple[float, float]:
    name, _, number = joint.partition("_")
    if not number:
        return 0.0, 0.4
    angle = np.radians(_FINGERS[name])
    along = (0.28 if name == "thumb" else 0.5) + 0.19 * (int(number) - 1)
    return along * np.sin(angle), 0.4 - along * np.cos(angle)
