"""Which joints of a BVH file's tree are the 17 of Human3.6M, by their names.

Trees come from many programs: ``LeftUpLeg``, ``mixamorig:LeftUpLeg``, ``LeftHip``, ``lThigh``,
``Bip01_L_Thigh``, ``thigh_l``. A name is taken apart into words; words that all joints below the root begin
with are left out; "l" or "left" is the side, and the rest is looked up.

A joint of a BVH file is where its bone begins. The pelvis is the middle of the hips, the thorax the
neck's beginning, nose that of the head, and head the head's end. The spine is the joint of the trunk
nearest to half of the way from pelvis to thorax. In the CMU conversion the thorax bone has no length,
so that the neck is at the spine's upper joint, one bone too low: what is missing cannot be had back.
"""

import re

import numpy as np

from lib.data.bvh import Bvh
from lib.data.clip import DatasetError
from lib.skeleton import HUMAN36M_17

__all__ = ["h17_from_tree", "rest_positions"]

# Joint -> names of the same, without side, the surest first.
LIMBS = {
    "hip": ("upleg", "upperleg", "thigh", "hip", "femur"),
    "knee": ("leg", "lowleg", "lowerleg", "knee", "shin", "calf", "tibia"),
    "ankle": ("foot", "ankle"),
    # LeftShoulder is the collar bone's where there is a LeftArm.
    "shoulder": ("arm", "uparm", "upperarm", "shldr", "humerus", "shoulder"),
    "elbow": ("forearm", "lowarm", "lowerarm", "elbow"),
    "wrist": ("hand", "wrist"),
}
NECK, HEAD = ("neck", "neck0", "neck1", "neck01", "neckbase"), ("head",)
SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
PREFIXES = re.compile(r"mixamorig\d*|bip\d*|bone|joint|jnt|b", re.I)  # words that say nothing
APART = 0.1  # of the trunk's length: nearer to its ends, a joint is no middle of it


def rest_positions(bvh: Bvh) -> np.ndarray:
    """(J, 3) positions of the joints when all angles are zero, in the file's unit."""
    positions = np.zeros_like(bvh.offsets)
    for joint, parent in enumerate(bvh.parents):
        positions[joint] = bvh.offsets[joint] + (positions[parent] if parent >= 0 else 0.0)
    return positions


def h17_from_tree(bvh: Bvh) -> np.ndarray:
    """(17, J) weights: those joints times positions (J, 3) are the 17.

    Raises DatasetError that names all joints that the tree lacks.
    """
    names = _canonical(bvh.names)
    found: dict[str, int] = {}
    for side in ("left", "right"):
        for limb, parts in LIMBS.items():
            found[f"{side}_{limb}"] = _first(names, [(side, part) for part in parts])
    found["thorax"] = _first(names, [("", part) for part in NECK])
    found["nose"] = _first(names, [("", part) for part in HEAD])
    found["head"] = _end(bvh, found["nose"])
    missing = [name for name, joint in found.items() if joint < 0]
    if not missing:
        found["spine"] = _middle(bvh, found)
        missing = ["spine"] * (found["spine"] < 0)
    if missing:
        lacking = ", ".join("end of the head" if name == "head" else name for name in missing)
        there = ", ".join(bvh.names[:12]) + (", ..." if len(bvh.names) > 12 else "")
        raise DatasetError(f"{bvh.path}: HIERARCHY: no joint for {lacking[:200]}; it has {there[:150]}")
    weights = np.zeros((len(HUMAN36M_17.joints), len(bvh.names)))
    for row, name in enumerate(HUMAN36M_17.joints):
        of = [found["left_hip"], found["right_hip"]] if name == "pelvis" else [found[name]]
        weights[row, of] = 1 / len(of)
    return weights


def _canonical(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """(side or "", rest in lower case) of each name."""
    words = [_words(name) for name in names]
    # What all below the root begin with, such as the actor's name or Bip01.
    below = words[1:]
    while below and all(len(these) > 1 for these in below) and len({these[0] for these in below}) == 1:
        words = [these[1:] if these[:1] == below[0][:1] else these for these in words]
        below = words[1:]
    result = []
    for these in words:
        while len(these) > 1 and PREFIXES.fullmatch(these[0]):
            these = these[1:]
        sides = [word for word in these if word in SIDES]
        rest = [word for word in these if word not in SIDES]
        result.append((SIDES[sides[0]] if len(sides) == 1 else "", "".join(rest)))
    return result


def _words(name: str) -> list[str]:
    """ "mixamorig:LeftUpLeg" -> left, up, leg; "Bip01_L_Thigh" -> bip, 01, l, thigh."""
    name = name.rsplit(":", 1)[-1]
    words = [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", name)]
    split = []
    for word in words:  # "leftupleg", "LEFTHIP"
        side = next((s for s in ("left", "right") if word.startswith(s)), "")
        split += [part for part in (side, word[len(side) :]) if part]
    return split


def _first(names: list[tuple[str, str]], wanted: list[tuple[str, str]]) -> int:
    return next((names.index(name) for name in wanted if name in names), -1)


def _end(bvh: Bvh, head: int) -> int:
    """The head's end: its end site, or a child without children that is called so, furthest away."""
    if head < 0:
        return -1
    parents = set(bvh.parents)
    ends = [j for j, parent in enumerate(bvh.parents) if parent == head and j not in parents]
    named = [j for j in ends if re.search(r"end|top|nub|site|crown", bvh.names[j], re.I)]
    # Some programs write an end to the head's end.
    tops = [j for j, parent in enumerate(bvh.parents) if parent == head and j in parents]
    named += [j for j in tops if re.search(r"head.*(end|top|nub)", bvh.names[j], re.I)]
    return max(named, key=lambda j: np.linalg.norm(bvh.offsets[j]), default=-1)


def _middle(bvh: Bvh, found: dict[str, int]) -> int:
    """The joint between pelvis and thorax nearest to the middle of the way."""
    rest = rest_positions(bvh)
    thorax, joint = rest[found["thorax"]], bvh.parents[found["thorax"]]
    pelvis = (rest[found["left_hip"]] + rest[found["right_hip"]]) / 2
    length = np.linalg.norm(thorax - pelvis)
    between = []
    while joint >= 0:
        below, above = np.linalg.norm(rest[joint] - pelvis), np.linalg.norm(rest[joint] - thorax)
        if min(below, above) > APART * length:
            between.append((abs(below - above), joint))
        joint = bvh.parents[joint]
    return min(between, default=(0.0, -1))[1]
