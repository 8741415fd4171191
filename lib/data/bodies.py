"""The mannequin's body: bone lengths, and how a posture becomes 17 joints.

A posture is a dictionary of channels, each an array over time (T,): where the pelvis is, how trunk
and head are turned, two shoulders and elbows, and where each ankle stands. Trunk and arms are posed
forwards from angles, legs backwards from the ankles (two-bone inverse kinematics), so that a
planted foot stays where it is. The pelvis is lowered until both feet are in reach; every bone keeps
its length exactly.

Frames: x forward, y to the left, z up, floor at z = 0; millimetres and degrees. Joint order of
Human3.6M-17.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["ARM_LIMITS", "Body", "CHANNELS", "SIDES", "assemble", "neutral", "reach", "sample_body"]

SIDES = ("left", "right")
# The place of the stance in the world and where it faces; the pelvis in the stance's frame; the thorax
# relative to the pelvis and the head to the thorax (positive pitch leans forward, looks down); the arms
# (bent forward, raised sideways, turned inwards); the feet in the world, the knees turned outwards.
CHANNELS = (
    *("origin_x", "origin_y", "heading"),
    *(f"pelvis_{name}" for name in ("x", "y", "z", "yaw", "pitch", "roll")),
    *(f"{part}_{name}" for part in ("spine", "head") for name in ("yaw", "pitch", "roll")),
    *(f"{side}_{name}" for side in SIDES for name in ("flex", "abduct", "twist", "elbow")),
    *(f"{side}_{name}" for side in SIDES for name in ("foot_x", "foot_y", "foot_z", "foot_yaw", "splay")),
)
ARM_LIMITS = {
    "flex": (-50.0, 175.0),
    "abduct": (-45.0, 170.0),
    "twist": (-90.0, 110.0),
    "elbow": (4.0, 150.0),
}
KNEE_LIMIT = 152.0  # degrees of flexion
HAND_CLEARANCE = 25.0  # mm of a wrist above the floor
KNEE_CLEARANCE = 42.0  # mm of a knee above the floor, for an adult of 1700 mm
KNEE_ROUNDS = 8  # the pelvis rises until no knee is in the floor
GAZE_SHARE = 0.5  # of the trunk's lean is taken back by the neck: people look ahead, not at their feet

# Lengths of an adult of 1700 mm, near the mean of Human3.6M's actors, and how much people differ (share).
LENGTHS = {
    "hip": (133.0, 0.07),
    "thigh": (440.0, 0.03),
    "shin": (445.0, 0.035),
    "lumbar": (235.0, 0.04),
    "thoracic": (252.0, 0.04),
    "neck": (121.0, 0.05),
    "head": (115.0, 0.04),
    "shoulder": (152.0, 0.07),
    "upper_arm": (281.0, 0.035),
    "forearm": (249.0, 0.035),
}
STATURE = 1700.0


@dataclass(frozen=True)
class Body:
    """Bone lengths in mm; both sides are equal. `ankle` is the height of the ankle above the floor."""

    stature: float
    hip: float
    thigh: float
    shin: float
    lumbar: float
    thoracic: float
    neck: float
    head: float
    shoulder: float
    upper_arm: float
    forearm: float
    ankle: float

    @property
    def scale(self) -> float:
        """Size relative to the adult whom the actions are written for."""
        return self.stature / STATURE

    @property
    def standing(self) -> float:
        """Height of the pelvis when the legs are straight but not locked."""
        return self.ankle + 0.995 * (self.thigh + self.shin)


def sample_body(rng: np.random.Generator, quantile: float) -> Body:
    """A person with proportions of their own; the stature is at this quantile of 1540..1880 mm."""
    stature = 1540.0 + 340.0 * float(np.clip(quantile, 0.0, 1.0))
    legs, trunk, arms = 1.0 + 0.02 * rng.standard_normal(3).clip(-2, 2)
    group = {
        "thigh": legs,
        "shin": legs,
        "lumbar": trunk,
        "thoracic": trunk,
        "upper_arm": arms,
        "forearm": arms,
    }
    scale = stature / STATURE
    chance = rng.standard_normal(len(LENGTHS)).clip(-2, 2)
    lengths = {
        name: float(scale * mean * group.get(name, 1.0) * (1.0 + share * z))
        for (name, (mean, share)), z in zip(LENGTHS.items(), chance, strict=True)
    }
    return Body(stature=stature, ankle=80.0 * scale, **lengths)


def neutral(body: Body) -> dict[str, float]:
    """Standing upright at the origin, arms hanging, feet under the hips."""
    posture = dict.fromkeys(CHANNELS, 0.0)
    posture["pelvis_z"] = body.standing
    posture["head_pitch"] = 4.0
    for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
        posture |= {f"{side}_flex": 0.0, f"{side}_abduct": 7.0, f"{side}_twist": 20.0, f"{side}_elbow": 14.0}
        posture |= {f"{side}_foot_x": -15.0, f"{side}_foot_y": 0.85 * sign * body.hip}
        posture |= {f"{side}_foot_z": body.ankle, f"{side}_foot_yaw": 8.0 * sign, f"{side}_splay": 0.0}
    return posture


def assemble(body: Body, posture: Mapping[str, np.ndarray]) -> np.ndarray:
    """Joints (T, 17, 3) in the world, mm, of a posture whose channels are arrays (T,)."""
    p = {name: np.atleast_1d(np.asarray(posture[name], np.float64)) for name in CHANNELS}
    heading = _rotation("z", p["heading"])
    pelvis_frame = heading @ _euler(p["pelvis_yaw"], p["pelvis_pitch"], p["pelvis_roll"])
    pelvis = _apply(heading, _vector(p["pelvis_x"], p["pelvis_y"], 0.0))
    pelvis += _vector(p["origin_x"], p["origin_y"], 0.0)
    ankles = {side: _vector(*(p[f"{side}_foot_{axis}"] for axis in "xyz")) for side in SIDES}
    hips = {side: _apply(pelvis_frame, _vector(0.0, _sign(side) * body.hip, 0.0)) for side in SIDES}
    pelvis[:, 2] = _pelvis_height(body, p["pelvis_z"], pelvis, hips, ankles)

    joints = np.empty((len(pelvis), 17, 3))
    for _ in range(KNEE_ROUNDS):
        for side, knee in (("right", 2), ("left", 5)):
            # The knee points where the foot does, in the pelvis's own tilt: down on all fours, up when lying.
            splay = np.radians(p[f"{side}_splay"])
            pole = _apply(
                _rotation("z", p[f"{side}_foot_yaw"]) @ _rotation("y", p["pelvis_pitch"]),
                _vector(np.cos(splay), _sign(side) * np.sin(splay), 0.4),
            )
            joints[:, knee - 1] = pelvis + hips[side]
            joints[:, knee], joints[:, knee + 1] = _two_bones(
                joints[:, knee - 1], ankles[side], body.thigh, body.shin, pole, KNEE_LIMIT
            )
        sunk = KNEE_CLEARANCE * body.scale - joints[:, (2, 5), 2].min(-1)
        if sunk.max() <= 0:
            break
        pelvis[:, 2] += 1.4 * np.maximum(sunk, 0.0)
    joints[:, 0] = joints[:, (1, 4)].mean(1)
    _place_trunk(body, p, joints[:, 0], pelvis_frame, joints)
    thorax_frame = _thorax_frame(p, pelvis_frame)
    lean = np.clip(p["pelvis_pitch"] + p["spine_pitch"], 0.0, 85.0)
    for side in SIDES:  # an arm that nobody raises hangs down, however far the trunk leans
        raised = np.hypot(p[f"{side}_flex"], p[f"{side}_abduct"])
        p[f"{side}_flex"] = p[f"{side}_flex"] + lean * np.exp(-((raised / 30.0) ** 2))
    for side, shoulder in (("left", 11), ("right", 14)):
        _place_arm(body, p, side, joints[:, 8], thorax_frame, joints[:, shoulder : shoulder + 3])
    return joints


def reach(
    body: Body,
    posture: Mapping[str, float],
    side: str,
    target: tuple[float, float, float],
    frame: str = "thorax",
    pole: tuple[float, float, float] = (-0.3, 0.6, -1.0),
) -> dict[str, float]:
    """Shoulder and elbow angles that bring a wrist to a target in this posture.

    `target` and `pole` (the way the elbow points) are (forward, outward, up), mm for an adult of
    1700 mm, in the frame of the thorax (its origin the thorax joint), of the pelvis (origin the
    pelvis), or of the stance (`"floor"`: its origin on the floor). A target out of reach is
    approached as far as the arm goes.
    """
    p = {name: np.atleast_1d(np.float64(posture[name])) for name in CHANNELS}
    p |= {name: np.zeros(1) for name in ("origin_x", "origin_y", "heading")}
    pelvis_frame = _euler(p["pelvis_yaw"], p["pelvis_pitch"], p["pelvis_roll"])
    pelvis = _vector(p["pelvis_x"], p["pelvis_y"], p["pelvis_z"])
    joints = np.zeros((1, 17, 3))
    _place_trunk(body, p, pelvis, pelvis_frame, joints)
    thorax_frame = _thorax_frame(p, pelvis_frame)
    outward = np.array([1.0, _sign(side), 1.0])
    origin, axes = {
        "thorax": (joints[:, 8], thorax_frame),
        "pelvis": (pelvis, pelvis_frame),
        "floor": (np.zeros((1, 3)), np.eye(3)[None]),
    }[frame]
    goal = origin + _apply(axes, (outward * body.scale * np.asarray(target))[None])
    elbow_way = _apply(axes, (outward * np.asarray(pole))[None])
    for _ in range(4):  # the shoulder moves with the arm a little: a few rounds settle it
        arm = np.empty((1, 3, 3))
        _place_arm(body, p, side, joints[:, 8], thorax_frame, arm)
        elbow, wrist = _two_bones(
            arm[:, 0], goal, body.upper_arm, body.forearm, elbow_way, ARM_LIMITS["elbow"][1]
        )
        upper = _apply(thorax_frame.swapaxes(1, 2), elbow - arm[:, 0])[0] * outward / body.upper_arm
        lower = _apply(thorax_frame.swapaxes(1, 2), wrist - elbow)[0] * outward / body.forearm
        angles = _arm_angles(upper, lower)
        p |= {f"{side}_{name}": np.atleast_1d(value) for name, value in angles.items()}
    return {f"{side}_{name}": value for name, value in angles.items()}


def _place_trunk(body, p, pelvis, pelvis_frame, joints) -> None:
    bend = p["spine_yaw"], p["spine_pitch"], p["spine_roll"]
    lower = pelvis_frame @ _euler(*(angle / 3 for angle in bend))
    upper = pelvis_frame @ _euler(*(angle * 0.75 for angle in bend))
    joints[:, 7] = pelvis + body.lumbar * lower[..., 2]
    joints[:, 8] = joints[:, 7] + body.thoracic * upper[..., 2]
    lean = p["pelvis_pitch"] + p["spine_pitch"]
    pitch = np.clip(p["head_pitch"] - GAZE_SHARE * lean, -55.0, 60.0)
    thorax_frame = _thorax_frame(p, pelvis_frame)
    neck = thorax_frame @ _euler(0.7 * p["head_yaw"], 0.6 * pitch, 0.6 * p["head_roll"])
    skull = thorax_frame @ _euler(p["head_yaw"], pitch, p["head_roll"])
    joints[:, 9] = joints[:, 8] + body.neck * _apply(neck, _unit(np.array([[0.42, 0.0, 0.91]])))
    joints[:, 10] = joints[:, 9] + body.head * _apply(skull, _unit(np.array([[-0.22, 0.0, 0.98]])))


def _thorax_frame(p, pelvis_frame):
    return pelvis_frame @ _euler(p["spine_yaw"], p["spine_pitch"], p["spine_roll"])


def _place_arm(body, p, side, thorax, thorax_frame, out) -> None:
    """Writes shoulder, elbow, wrist into out (T, 3, 3)."""
    flex, abduct, twist, bend = (
        np.clip(p[f"{side}_{name}"], *ARM_LIMITS[name]) for name in ("flex", "abduct", "twist", "elbow")
    )
    sign = _sign(side)
    raised = np.minimum(np.hypot(flex, abduct), 175.0)
    azimuth = np.arctan2(abduct, flex)
    # The shoulder girdle follows: up from a third of the raise on, forward when reaching forward.
    lift = np.radians(-6.0 + 0.22 * np.maximum(raised - 40.0, 0.0))
    forward = np.radians(0.12 * np.maximum(raised, 0.0) * np.cos(azimuth))
    girdle = _vector(np.sin(forward) * np.cos(lift), sign * np.cos(forward) * np.cos(lift), np.sin(lift))
    swing = _swing(np.radians(raised), azimuth)
    bend, twist = np.radians(bend), np.radians(twist)
    down = _vector(0.0 * bend, 0.0, -1.0)
    hand = _vector(np.sin(bend) * np.cos(twist), -np.sin(bend) * np.sin(twist), -np.cos(bend))
    mirror = np.array([1.0, sign, 1.0])
    out[:, 0] = thorax + body.shoulder * _apply(thorax_frame, girdle)
    out[:, 1] = out[:, 0] + body.upper_arm * _apply(thorax_frame, mirror * _apply(swing, down))
    out[:, 2] = out[:, 1] + body.forearm * _apply(thorax_frame, mirror * _apply(swing, hand))
    low = out[:, 2, 2] < HAND_CLEARANCE
    if low.any():  # a hand does not go through the floor: it rests there, the elbow gives way
        goal = out[low, 2].copy()
        goal[:, 2] = HAND_CLEARANCE
        pole = out[low, 1] - (out[low, 0] + out[low, 2]) / 2 + np.array([0.0, 0.0, 20.0])
        out[low, 1], out[low, 2] = _two_bones(
            out[low, 0], goal, body.upper_arm, body.forearm, pole, ARM_LIMITS["elbow"][1]
        )


def _arm_angles(upper: np.ndarray, lower: np.ndarray) -> dict[str, float]:
    """The four angles of an arm from two unit vectors in the frame (forward, outward, up) of the thorax."""
    raised = np.degrees(np.arccos(np.clip(-upper[2], -1.0, 1.0)))
    azimuth = np.arctan2(upper[1], upper[0])
    local = _apply(_swing(np.radians(raised)[None], azimuth[None]).swapaxes(1, 2), lower[None])[0]
    angles = {
        "flex": raised * np.cos(azimuth),
        "abduct": raised * np.sin(azimuth),
        "twist": np.degrees(np.arctan2(-local[1], local[0])),
        "elbow": np.degrees(np.arccos(np.clip(-local[2], -1.0, 1.0))),
    }
    return {name: float(np.clip(value, *ARM_LIMITS[name])) for name, value in angles.items()}


def _pelvis_height(body, wanted, pelvis, hips, ankles):
    """The wanted height, lowered smoothly to where both ankles are within reach."""
    length = 0.998 * (body.thigh + body.shin)
    heights = [wanted]
    for side in SIDES:
        aside = np.linalg.norm((pelvis + hips[side] - ankles[side])[:, :2], axis=-1)
        drop = np.sqrt(np.maximum(length**2 - aside**2, (0.1 * length) ** 2))
        heights.append(ankles[side][:, 2] - hips[side][:, 2] + drop)
    heights = np.stack(heights)
    lowest = heights.min(0)
    soft = 4.0  # mm; a hard minimum would jerk
    return lowest - soft * np.log(np.exp(-(heights - lowest) / soft).sum(0))


def _two_bones(start, end, first, second, pole, limit):
    """Middle and end joint of two bones from start towards end, the middle on the side of the pole.

    The end is moved along the line where it is farther than the bones reach, or nearer than the
    largest flexion (`limit`, degrees) allows.
    """
    way = end - start
    distance = np.linalg.norm(way, axis=-1, keepdims=True)
    way = way / np.maximum(distance, 1e-9)
    inside = np.radians(180.0 - limit)
    nearest = np.sqrt(first**2 + second**2 - 2 * first * second * np.cos(inside))
    distance = np.clip(distance, nearest, 0.9995 * (first + second))
    cosine = (first**2 + distance**2 - second**2) / (2 * first * distance)
    across = _unit(pole - (pole * way).sum(-1, keepdims=True) * way)
    middle = start + first * (cosine * way + np.sqrt(1.0 - cosine**2) * across)
    return middle, start + distance * way


def _swing(angle, azimuth):
    """Rotation (T, 3, 3) that raises a hanging arm by an angle towards an azimuth, without twist."""
    turn = _rotation("z", np.degrees(azimuth))
    return turn @ _rotation("y", -np.degrees(angle)) @ turn.swapaxes(1, 2)


def _euler(yaw, pitch, roll):
    return _rotation("z", yaw) @ _rotation("y", pitch) @ _rotation("x", roll)


def _rotation(axis: str, degrees: np.ndarray) -> np.ndarray:
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[..., 3 - i - j, 3 - i - j] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = c
    matrix[..., i, j], matrix[..., j, i] = -s, s
    return matrix


def _apply(matrix, vector):
    return np.einsum("...ij,...j->...i", matrix, vector)


def _vector(x, y, z):
    return np.stack(np.broadcast_arrays(*np.atleast_1d(x, y, z)), -1).astype(np.float64)


def _unit(vector):
    return vector / np.maximum(np.linalg.norm(vector, axis=-1, keepdims=True), 1e-9)


def _sign(side: str) -> float:
    return 1.0 if side == "left" else -1.0
