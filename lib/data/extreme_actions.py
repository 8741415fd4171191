"""What the mannequin does in pictures of sport: postures of gymnastics, athletics, ball games.

A posture is a row of angles; a picture is one variant of it. Trunk and arms are posed by
`lib.data.bodies`; legs from the angles of hips and knees, because feet in the air stand nowhere;
then the whole body is turned and set down on whatever is lowest, or left in the air.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from lib.data.bodies import SIDES, Body, assemble, neutral
from lib.skeleton import HUMAN36M_17

__all__ = ["EXTREME_ACTIONS", "LEG_LIMITS", "Posture", "pictures"]

LEG_LIMITS = {
    "flex": (-60.0, 135.0),
    "abduct": (-20.0, 85.0),
    "turn": (-30.0, 60.0),
    "knee": (3.0, 150.0),
}
SPREAD = 7.0  # degrees, standard deviation of every angle between two pictures of an action
TRY = 9.0  # the same between two people or days
# How far above the floor a joint stays when the body rests on it, mm, for an adult of 1700 mm.
CLEARANCE = {
    "ankle": 80.0,
    "knee": 60.0,
    "hip": 110.0,
    "wrist": 55.0,
    "elbow": 50.0,
    "shoulder": 90.0,
    "head": 20.0,
}
RESTS = (
    *("hip", "hip", "knee", "ankle", "hip", "knee", "ankle"),
    *("hip", "shoulder", "head", "head"),
    *("shoulder", "elbow", "wrist", "shoulder", "elbow", "wrist"),
)  # the clearance of each of the 17 joints
LIFT = 3000.0  # mm: the body is posed so far above the floor that `assemble` holds nothing off it
STANDING = (0.0, 5.0, 8.0, 6.0)


@dataclass(frozen=True)
class Posture:
    """Angles of a posture in degrees, of a body whose right side is the active one.

    trunk: bent forwards, bent to the right, turned to the left. Arms: raised forwards, raised
    sideways, elbow, twist inwards. Legs: raised forwards, sideways, knee, turned outwards. turned:
    how far the whole body is pitched forwards, after it was tipped to the right. air: the range of
    its height above the floor, mm.
    """

    left_arm: tuple[float, float, float, float]
    right_arm: tuple[float, float, float, float]
    left_leg: tuple[float, float, float, float] = STANDING
    right_leg: tuple[float, float, float, float] = STANDING
    trunk: tuple[float, float, float] = (0.0, 0.0, 0.0)
    head: float = 0.0
    turned: tuple[float, float] = (0.0, 0.0)
    air: tuple[float, float] = (0.0, 0.0)


UP = (168.0, 12.0, 8.0, 0.0)
# fmt: off
EXTREME_ACTIONS: dict[str, tuple[Posture, ...]] = {
    "Handstand": (
        Posture(UP, UP, (0, 3, 5, 0), (0, 3, 5, 0), head=-30, turned=(180, 0)),
        Posture(UP, UP, (50, 8, 12, 0), (-28, 8, 18, 0), head=-30, turned=(176, 0)),
        Posture(UP, UP, (5, 60, 8, 20), (5, 60, 8, 20), head=-30, turned=(180, 0)),
    ),
    "Cartwheel": (
        Posture((30, 145, 8, 0), (30, 145, 8, 0), (8, 62, 6, 25), (8, 62, 6, 25), turned=(0, 178)),
        Posture(
            (30, 140, 8, 0), (30, 145, 8, 0), (8, 60, 8, 25), (12, 55, 14, 25),
            turned=(0, 128),
        ),
        Posture(
            (30, 140, 8, 0), (30, 145, 8, 0), (12, 55, 14, 25), (8, 60, 8, 25),
            turned=(0, -128),
        ),
    ),
    "Bridge": (
        Posture(
            (172, 14, 20, 0), (172, 14, 20, 0), (-28, 12, 78, 0), (-28, 12, 78, 0),
            trunk=(-52, 0, 0), head=-50, turned=(-84, 0),
        ),
        Posture(
            (172, 14, 20, 0), (172, 14, 20, 0), (75, 8, 8, 0), (-28, 10, 80, 0),
            trunk=(-52, 0, 0), head=-50, turned=(-84, 0),
        ),
    ),
    "Splits": (
        Posture(
            (20, 85, 8, 0), (20, 85, 8, 0), (108, 4, 4, 0), (-58, 4, 6, 0),
            trunk=(-22, 0, 0), turned=(26, 0),
        ),
        Posture(UP, UP, (110, 4, 4, 0), (-58, 4, 6, 0), trunk=(-30, 0, 0), turned=(28, 0)),
        Posture(
            (70, 60, 10, 0), (70, 60, 10, 0), (30, 82, 4, 30), (30, 82, 4, 30),
            trunk=(30, 0, 0),
        ),
    ),
    "SplitLeap": (
        Posture(
            (60, 70, 10, 0), (10, 90, 10, 0), (98, 6, 8, 0), (-56, 6, 14, 0),
            trunk=(-16, 0, 0), turned=(18, 0), air=(350, 800),
        ),
        Posture(
            UP, (90, 30, 10, 0), (100, 6, 10, 0), (-44, 6, 70, 0),
            trunk=(-14, 0, 0), head=-10, turned=(12, 0), air=(350, 750),
        ),
    ),
    "HighKick": (
        Posture(
            (-20, 45, 50, 40), (20, 40, 70, 60), (-16, 5, 8, 6), (112, 12, 12, 0),
            trunk=(18, 0, -10), head=5, turned=(-16, 0),
        ),
        Posture(
            (40, 30, 100, 60), (-20, 40, 40, 20), (0, 14, 10, 30), (38, 84, 8, 0),
            trunk=(0, 24, 12), turned=(-4, -40),
        ),
    ),
    "FlyingKick": (
        Posture(
            (40, 40, 100, 60), (-15, 50, 60, 30), (70, 30, 125, 20), (78, 34, 8, 0),
            trunk=(16, 8, 0), turned=(-20, -14), air=(450, 900),
        ),
        Posture(
            (50, 20, 90, 50), (-20, 40, 50, 30), (40, 20, 110, 10), (98, 8, 6, 0),
            trunk=(14, 0, -15), turned=(-22, 0), air=(450, 900),
        ),
    ),
    "Lunge": (
        Posture(
            (-20, 60, 20, 20), (85, 10, 8, 0), (-36, 6, 36, 10), (82, 8, 86, 8),
            trunk=(12, 0, 15),
        ),
        Posture(
            (-15, 70, 30, 0), (96, 20, 10, 0), (-30, 14, 32, 30), (84, 22, 86, 12),
            trunk=(28, 0, 10), head=-10,
        ),
    ),
    "SprintStart": (
        Posture(
            (82, 14, 6, 0), (82, 14, 6, 0), (118, 6, 112, 0), (78, 6, 118, 0),
            trunk=(30, 0, 0), head=10, turned=(52, 0),
        ),
        Posture(
            (74, 14, 6, 0), (74, 14, 6, 0), (116, 6, 84, 0), (76, 6, 62, 0),
            trunk=(22, 0, 0), head=10, turned=(72, 0),
        ),
    ),
    "Sprint": (
        Posture(
            (52, 8, 88, 20), (-48, 12, 80, 10), (-28, 4, 22, 0), (82, 4, 98, 0),
            trunk=(8, 0, -14), turned=(8, 0), air=(20, 120),
        ),
        Posture(
            (58, 8, 96, 20), (-50, 10, 84, 10), (-20, 4, 70, 0), (66, 4, 60, 0),
            trunk=(6, 0, -14), turned=(10, 0), air=(20, 140),
        ),
    ),
    "Hurdles": (
        Posture(
            (100, 14, 20, 10), (-35, 40, 70, 0), (88, 6, 14, 0), (48, 80, 118, 0),
            trunk=(40, 0, 10), head=-25, turned=(10, 0), air=(450, 700),
        ),
        Posture(
            (80, 30, 30, 10), (-20, 60, 60, 0), (96, 6, 22, 0), (20, 78, 122, 0),
            trunk=(32, 0, 14), head=-20, turned=(14, 0), air=(450, 700),
        ),
    ),
    "LongJump": (
        Posture(
            (130, 25, 12, 0), (130, 25, 12, 0), (84, 10, 30, 0), (86, 10, 26, 0),
            trunk=(34, 0, 0), head=-5, turned=(-8, 0), air=(250, 600),
        ),
        Posture(
            UP, UP, (-20, 10, 60, 0), (-14, 8, 66, 0),
            trunk=(-22, 0, 0), head=-14, air=(500, 1000),
        ),
    ),
    "Somersault": (
        Posture(
            (78, 8, 70, 20), (78, 8, 70, 20), (128, 8, 138, 0), (128, 8, 138, 0),
            trunk=(56, 0, 0), head=40, turned=(120, 0), air=(500, 1100),
        ),
        Posture(
            (66, 6, 14, 0), (66, 6, 14, 0), (124, 4, 8, 0), (124, 4, 8, 0),
            trunk=(42, 0, 0), head=30, turned=(200, 0), air=(600, 1100),
        ),
    ),
    "Dive": (
        Posture(
            (30, 100, 10, 0), UP, (-4, 4, 14, 0), (10, 10, 30, 0),
            trunk=(0, 12, 0), turned=(4, 74), air=(250, 900),
        ),
        Posture(
            UP, UP, (-6, 4, 8, 0), (-6, 4, 8, 0),
            trunk=(-6, 0, 0), head=-20, turned=(112, 0), air=(500, 1200),
        ),
    ),
    "Serve": (
        Posture(
            (160, 20, 8, 0), (-20, 100, 120, -60), (14, 8, 24, 0), (20, 8, 40, 10),
            trunk=(-24, 16, -20), head=-40, turned=(6, 0),
        ),
        Posture(
            (50, 14, 90, 50), (150, 24, 10, 0), (-4, 6, 10, 0), (-24, 8, 56, 0),
            trunk=(6, 14, 18), head=-20, turned=(12, 0), air=(60, 260),
        ),
    ),
    "Throw": (
        Posture(
            (95, 20, 12, 0), (-30, 92, 60, -70), (58, 8, 16, 0), (-16, 16, 50, 20),
            trunk=(-16, -6, -30), head=-6, turned=(-10, 0),
        ),
        Posture(
            (-10, 30, 60, 0), (120, 30, 14, 20), (64, 8, 50, 0), (-32, 10, 40, 0),
            trunk=(28, 8, 26), turned=(14, 0),
        ),
        Posture(
            (80, 20, 60, 40), (20, 80, 110, -40), (110, 10, 120, 0), STANDING,
            trunk=(-4, 0, -30), turned=(-6, 0),
        ),
    ),
    "PoleVault": (
        Posture(
            (150, 14, 20, 0), (165, 10, 40, 10), (100, 8, 20, 0), (96, 8, 10, 0),
            trunk=(10, 0, 0), turned=(-140, 0), air=(1200, 2400),
        ),
        Posture(
            (140, 30, 20, 0), (120, 30, 50, 0), (10, 6, 30, 0), (30, 8, 60, 0),
            trunk=(24, 0, 10), turned=(115, 20), air=(1500, 2600),
        ),
    ),
    "Arabesque": (
        Posture(
            (70, 60, 10, 0), (10, 85, 10, 0), (34, 5, 5, 8), (-50, 8, 10, 10),
            trunk=(-26, 0, 0), head=-20, turned=(34, 0),
        ),
        Posture(
            (60, 80, 10, 0), (60, 80, 10, 0), (68, 5, 5, 8), (-22, 4, 6, 0),
            trunk=(-4, 0, 0), head=-30, turned=(68, 0),
        ),
    ),
}
# fmt: on


def pictures(body: Body, action: str, count: int, random: np.random.Generator) -> np.ndarray:
    """`count` separate pictures (count, 17, 3) of somebody who does an action; world mm, z up.

    Each is a variant of one of the action's postures, mirrored half the time, turned to any side.
    """
    variants = EXTREME_ACTIONS[action]
    chosen = [variants[i] for i in random.integers(len(variants), size=count)]
    change = TRY * random.standard_normal(20) + SPREAD * random.standard_normal((count, 20))
    joints = _pose(body, chosen, change)
    angles = np.array([posture.turned[::-1] for posture in chosen], float)  # roll, then pitch
    angles += 0.8 * SPREAD * random.standard_normal((count, 2))
    heading = random.uniform(-180.0, 180.0, (count, 1))
    turn = Rotation.from_euler("xyz", np.hstack([angles, heading]), degrees=True).as_matrix()
    joints = np.einsum("tij,tkj->tki", turn, joints - joints[:, :1])
    mirrored = random.uniform(size=count) < 0.5
    joints[mirrored] = joints[mirrored][:, HUMAN36M_17.mirror] * [1.0, -1.0, 1.0]
    rests = [CLEARANCE[name] * body.scale for name in RESTS]
    low, high = np.transpose([posture.air for posture in chosen])
    lowest = (joints[..., 2] - rests).min(1) - low - random.uniform() * (high - low)
    return joints - lowest[:, None, None] * [0.0, 0.0, 1.0]


def _pose(body: Body, postures: Sequence[Posture], change: np.ndarray) -> np.ndarray:
    """Joints (T, 17, 3) of postures, their angles changed by (T, 20), upright above the floor."""

    def angles(name: str, first: int, share: float = 1.0) -> np.ndarray:
        values = np.array([getattr(posture, name) for posture in postures], float)
        return (values + share * change[:, first : first + values.shape[1]]).T

    channels = neutral(body) | {"pelvis_z": body.standing + LIFT}
    channels |= {f"{side}_foot_z": body.ankle + LIFT for side in SIDES}
    trunk = angles("trunk", 0, 0.6)
    channels |= dict(zip(("spine_pitch", "spine_roll", "spine_yaw"), trunk, strict=True))
    heads = np.array([posture.head for posture in postures], float)
    channels["head_pitch"] = heads + trunk[0] / 2 + change[:, 3]
    for side, first in zip(SIDES, (4, 8), strict=True):
        names = [f"{side}_{name}" for name in ("flex", "abduct", "elbow", "twist")]
        channels |= dict(zip(names, angles(f"{side}_arm", first), strict=True))
    channels = {name: np.broadcast_to(value, len(change)) for name, value in channels.items()}
    joints = assemble(body, channels)
    for side, hip, sign, first in (("left", 4, 1.0, 12), ("right", 1, -1.0, 16)):
        joints[:, hip : hip + 3] = _leg(body, joints[:, hip], sign, *angles(f"{side}_leg", first))
    return joints


def _leg(body: Body, hip: np.ndarray, sign: float, flex, abduct, knee, turn) -> np.ndarray:
    """Hip, knee and ankle (T, 3, 3) of a leg in the pelvis' frame; the knee bends backwards."""
    names, values = ("flex", "abduct", "knee", "turn"), (flex, abduct, knee, turn)
    flex, abduct, knee, turn = (
        np.clip(value, *LEG_LIMITS[name]) for name, value in zip(names, values, strict=True)
    )
    swing = np.stack([-flex, sign * abduct, sign * turn], -1)
    thigh = Rotation.from_euler("YXZ", swing, degrees=True)
    shin = thigh * Rotation.from_euler("y", knee[:, None], degrees=True)
    middle = hip - body.thigh * thigh.as_matrix()[..., 2]
    return np.stack([hip, middle, middle - body.shin * shin.as_matrix()[..., 2]], axis=1)
