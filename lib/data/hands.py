"""Hands: a generated right hand of 21 joints that moves between postures, filmed from nearby.

Stands for the synthetic part of HandDB (Simon et al. 2017): two sequences, synth2 and synth3, of
which a fifth is held out. Each shows five people (`synth2-1` to `synth2-5`), the last for testing;
their bones have lengths drawn around those of adults. In a take a hand goes through variants of one
posture, in "Free" of all of them, while wrist and forearm turn. Angles follow minimum-jerk
movements and stay within the limits of a healthy hand.

Frame of the hand: origin at the wrist, x along the metacarpal of the middle finger, y to the side
of the thumb, z out of the back of the hand; millimetres and degrees. Joint order of HAND_21.
"""

from collections.abc import Iterator
from zlib import crc32

import numpy as np
from scipy.spatial.transform import Rotation

from lib.data.dataset import Clip
from lib.data.handheld import camera
from lib.data.studio import StudioCamera

__all__ = [
    "CAMERAS", "CHANNELS", "FINGERS", "GENERATOR_VERSION", "LIMITS", "POSTURES", "SPLIT",
    "assemble", "clips", "sample_hand", "sample_posture",
]  # fmt: skip

GENERATOR_VERSION = "hands 1"
SPLIT = {
    "train": tuple(f"{sequence}-{n}" for sequence in ("synth2", "synth3") for n in range(1, 5)),
    "test": ("synth2-5", "synth3-5"),
}
FPS, FRAMES = 25.0, 75  # of each posture's take by each subject
FINGERS = ("index", "middle", "ring", "little")
# Standard deviation of a hand's tilt from upright in a sequence, degrees.
TILT = {"synth2": 25.0, "synth3": 50.0}
# Of the wrist: leaning to the side, tilted to or from the cameras, turned about the vertical.
WRIST = ("lean", "tilt", "yaw")

# Knuckles in the hand's frame and the three bones beyond, of an adult hand 190 mm long; the fan of
# the fingers and the roll by which a bending finger points to the thumb's ball, in degrees.
KNUCKLES = {
    "index": ((91.0, 24.0, 0.0), (43.0, 25.0, 22.0), 4.0, -6.0),
    "middle": ((90.0, 3.0, 3.0), (47.0, 29.0, 23.0), 0.0, 0.0),
    "ring": ((83.0, -16.0, 1.0), (43.0, 27.0, 23.0), -4.0, 7.0),
    "little": ((75.0, -33.0, -5.0), (35.0, 20.0, 20.0), -9.0, 14.0),
}
THUMB = ((22.0, 25.0, -9.0), (45.0, 32.0, 26.0))  # its base and the three bones beyond

# Of a finger: bent at the knuckle, spread (to the thumb's side), bent at the middle and at the end
# joint. Of the thumb: its metacarpal in the palm's plane from the fingers' way to the thumb's side,
# and out of that plane to the palm; bent at its knuckle and its end joint; turned so that its pad
# faces the fingers.
CHANNELS = (
    *(f"{finger}_{name}" for finger in FINGERS for name in ("flex", "spread", "middle", "end")),
    *(f"thumb_{name}" for name in ("aside", "palmar", "flex", "end", "turn")),
)
LIMITS = {
    "flex": (-20.0, 92.0),
    "spread": (-18.0, 18.0),
    "middle": (2.0, 108.0),
    "end": (0.0, 78.0),
    "thumb_aside": (-5.0, 62.0),
    "thumb_palmar": (0.0, 58.0),
    "thumb_flex": (-8.0, 56.0),
    "thumb_end": (-14.0, 80.0),
    "thumb_turn": (-10.0, 45.0),
}
COUPLING = 0.62  # an end joint bends with the middle joint of its finger

# A posture: (bent at the knuckle, at the middle joint) of each finger from index to little, spread
# of the whole hand (1 = fingers well apart), and the thumb's aside, palmar, flex, end and turn.
STRAIGHT, BENT, CURLED = (4.0, 8.0), (74.0, 98.0), (62.0, 88.0)
OUT, ACROSS = (46.0, 14.0, 2.0, 4.0, 0.0), (20.0, 46.0, 44.0, 52.0, 24.0)
POSTURES = {
    "Open": ((STRAIGHT, STRAIGHT, STRAIGHT, STRAIGHT), 0.35, OUT),
    "Spread": (
        ((-8.0, 6.0), (-6.0, 6.0), (-6.0, 6.0), (-8.0, 6.0)),
        1.0,
        (60.0, 20.0, -4.0, 0.0, 0.0),
    ),
    "Fist": ((BENT, (80.0, 100.0), (82.0, 100.0), (80.0, 96.0)), -0.3, ACROSS),
    "Point": ((STRAIGHT, BENT, (78.0, 98.0), (78.0, 94.0)), 0.0, ACROSS),
    "Pinch": (
        ((48.0, 44.0), (30.0, 34.0), (24.0, 30.0), (20.0, 26.0)),
        0.2,
        (22.0, 38.0, 16.0, 24.0, 31.0),
    ),
    "OK": (
        ((46.0, 60.0), (14.0, 14.0), (8.0, 10.0), (2.0, 8.0)),
        0.7,
        (23.0, 39.0, 18.0, 25.0, 33.0),
    ),
    "Relaxed": (
        ((22.0, 30.0), (27.0, 36.0), (31.0, 40.0), (34.0, 40.0)),
        0.1,
        (30.0, 24.0, 12.0, 16.0, 10.0),
    ),
    "Grip": (
        ((44.0, 52.0), (46.0, 54.0), (48.0, 54.0), (48.0, 50.0)),
        0.25,
        (34.0, 48.0, 14.0, 28.0, 30.0),
    ),
    "ThumbUp": (
        (CURLED, (72.0, 98.0), (76.0, 98.0), (76.0, 94.0)),
        -0.2,
        (60.0, 4.0, -4.0, -6.0, 0.0),
    ),
    "Count": ((STRAIGHT, STRAIGHT, BENT, BENT), 0.8, ACROSS),
}
# Fingers that are up when counting, from index to little.
COUNTS = ((1, 0, 0, 0), (1, 1, 0, 0), (1, 1, 1, 0), (1, 1, 1, 1), (0, 0, 0, 1))


def _lens(focal: float) -> list[list[float]]:
    return [[focal, 0.0, 320.0], [0.0, focal, 320.0], [0.0, 0.0, 1.0]]


# Two cameras in front of the hand, 0.55 and 0.75 m away, for images of 640 by 640 pixels.
CAMERAS = (
    camera("near", _lens(760.0), (640, 640), (520.0, 120.0, 140.0), (0.0, 0.0, 0.0)),
    camera("far", _lens(1040.0), (640, 640), (610.0, -430.0, 90.0), (0.0, 0.0, 0.0)),
)


def sample_hand(random: np.random.Generator) -> dict[str, np.ndarray]:
    """A person's hand, mm: where each finger begins (3,) and the lengths of its three bones (3,).

    Hands differ in size by 8 %, in the palm's breadth by 5 %, each finger by 4 % and each bone by
    2.5 % (standard deviations, cut at two of them).
    """

    def share(spread: float, count: int = 1) -> np.ndarray:
        return 1.0 + spread * random.standard_normal(count).clip(-2, 2)

    size, breadth = share(0.08), np.array([1.0, *share(0.05), 1.0])
    hand = {}
    for finger, (base, bones, *_) in {"thumb": THUMB, **KNUCKLES}.items():
        hand[f"{finger}_base"] = size * breadth * np.array(base) * share(0.02)
        hand[f"{finger}_bones"] = size * np.array(bones) * share(0.04) * share(0.025, 3)
    return hand


def assemble(hand: dict[str, np.ndarray], posture: dict[str, np.ndarray]) -> np.ndarray:
    """Joints (T, 21, 3) in the hand's frame from channels (T,), which are clipped to LIMITS."""
    p = {name: np.clip(np.atleast_1d(posture[name]), *_limits(name)) for name in CHANNELS}
    joints = np.zeros((len(p["thumb_flex"]), 21, 3))
    for number, finger in enumerate(FINGERS):
        fan, roll = KNUCKLES[finger][2:]
        # A bent finger cannot be spread: the ligaments of its knuckle are taut.
        spread = p[f"{finger}_spread"] * np.cos(np.radians(np.clip(p[f"{finger}_flex"], 0.0, 90.0)))
        base = Rotation.from_euler("x", roll, degrees=True)
        frame = base * Rotation.from_euler(
            "ZY", np.stack([fan + spread, p[f"{finger}_flex"]], -1), degrees=True
        )
        bends = (0.0, p[f"{finger}_middle"], p[f"{finger}_end"])
        joints[:, 5 + 4 * number : 9 + 4 * number] = _chain(hand, finger, frame, bends)
    joints[:, 1:5] = _chain(
        hand, "thumb", _thumb_frame(hand, p), (0.0, p["thumb_flex"], p["thumb_end"])
    )
    return joints


def sample_posture(kind: str, random: np.random.Generator) -> dict[str, float]:
    """Channels of a variant of a posture; ValueError for an unknown kind."""
    if kind not in POSTURES:
        raise ValueError(f"no posture {kind!r}; there are {', '.join(POSTURES)}")
    fingers, apart, thumb = POSTURES[kind]
    if kind == "Count":
        up = COUNTS[int(random.integers(len(COUNTS)))]
        fingers = [STRAIGHT if finger else BENT for finger in up]
        thumb = OUT if all(up) and random.uniform() < 0.5 else ACROSS
    posture, looseness = {}, 5.0 * random.standard_normal()
    for finger, (flex, middle), way in zip(FINGERS, fingers, (10.0, 1.0, -7.0, -14.0), strict=True):
        middle += 5.0 * random.standard_normal() + looseness
        posture[f"{finger}_flex"] = flex + 5.0 * random.standard_normal() + looseness
        posture[f"{finger}_spread"] = apart * way + 2.0 * random.standard_normal()
        posture[f"{finger}_middle"] = middle
        posture[f"{finger}_end"] = COUPLING * middle + 4.0 * random.standard_normal()
    for name, value in zip(("aside", "palmar", "flex", "end", "turn"), thumb, strict=True):
        posture[f"thumb_{name}"] = value + 3.0 * random.standard_normal()
    return {name: float(np.clip(value, *_limits(name))) for name, value in posture.items()}


def clips(seed: int) -> Iterator[Clip]:
    """All clips: subject by subject, posture by posture, camera by camera."""
    for subject in sum(SPLIT.values(), ()):
        hand, tilt = sample_hand(_generator(seed, subject)), TILT[subject.split("-")[0]]
        for kind in (*POSTURES, "Free"):
            joints = _perform(hand, kind, tilt, _generator(seed, subject, kind))
            for view in CAMERAS:
                yield _film(subject, kind, joints, view)


def _perform(hand, kind: str, tilt: float, random: np.random.Generator) -> np.ndarray:
    """A take (T, 21, 3), world, z up: from variant to variant while the wrist turns."""
    times, ends = np.arange(FRAMES) / FPS, [0.0]
    while ends[-1] < times[-1]:
        ends.append(ends[-1] + random.uniform(0.7, 1.3))
    upright = 80.0 if kind == "ThumbUp" else 0.0  # there the thumb points up, not the fingers
    side = 0.0 if random.uniform() < 0.65 else 180.0  # palm or back of the hand to the cameras
    keys = []
    for _ in ends:
        chosen = str(random.choice(list(POSTURES))) if kind == "Free" else kind
        way = random.standard_normal(3).clip(-2, 2) * [tilt, tilt, 35.0] + [upright, 0.0, side]
        if keys:  # a hand does not turn to anywhere at once
            way = 0.65 * way + 0.35 * np.array([keys[-1][name] for name in WRIST])
        keys.append(sample_posture(chosen, random) | dict(zip(WRIST, way, strict=True)))
    moving = {name: _minimum_jerk(times, ends, [key[name] for key in keys]) for name in keys[0]}
    joints = assemble(hand, moving)
    joints -= joints[:, [0, 9]].mean(1, keepdims=True)  # the palm's middle stays near the room's
    angles = np.stack([moving[name] for name in reversed(WRIST)], -1)
    # At zero the fingers point up and the palm to the cameras, at x.
    start = Rotation.from_matrix([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    turns = Rotation.from_euler("ZYX", angles, degrees=True) * start
    drifts = 12.0 * random.standard_normal((3, len(ends)))
    drift = np.stack([_minimum_jerk(times, ends, values) for values in drifts], -1)
    return np.einsum("tij,tkj->tki", turns.as_matrix(), joints) + drift[:, None]


def _minimum_jerk(times: np.ndarray, ends, values) -> np.ndarray:
    """A curve (T,) through values at the times `ends`, at rest at each (Flash and Hogan 1985)."""
    ends, values = np.asarray(ends), np.asarray(values)
    piece = np.clip(np.searchsorted(ends, times, side="right") - 1, 0, len(ends) - 2)
    phase = np.clip((times - ends[piece]) / (ends[piece + 1] - ends[piece]), 0.0, 1.0)
    smooth = phase**3 * (10.0 - 15.0 * phase + 6.0 * phase**2)
    return values[piece] + (values[piece + 1] - values[piece]) * smooth


def _chain(hand, finger: str, frame: Rotation, bends) -> np.ndarray:
    """The four joints (T, 4, 3) of a finger: base, then each bone turned further about y."""
    joints = np.empty((len(frame), 4, 3))
    joints[:, 0] = hand[f"{finger}_base"]
    for bone, bend in enumerate(bends):
        frame = frame * Rotation.from_euler(
            "y", np.broadcast_to(bend, len(joints))[:, None], degrees=True
        )
        joints[:, bone + 1] = (
            joints[:, bone] + hand[f"{finger}_bones"][bone] * frame.as_matrix()[..., 0]
        )
    return joints


def _thumb_frame(hand, p) -> Rotation:
    """x along the metacarpal; -z, where the end joints bend to: the little finger's knuckle."""
    aside, palmar = np.radians(p["thumb_aside"]), np.radians(p["thumb_palmar"])
    x = np.stack(
        [np.cos(aside) * np.cos(palmar), np.sin(aside) * np.cos(palmar), -np.sin(palmar)], -1
    )
    bending = hand["little_base"] - (hand["thumb_base"] + hand["thumb_bones"][0] * x)
    bending -= (bending * x).sum(-1, keepdims=True) * x
    z = -bending / np.linalg.norm(bending, axis=-1, keepdims=True)
    frame = Rotation.from_matrix(np.stack([x, np.cross(z, x), z], -1))
    return frame * Rotation.from_euler("x", p["thumb_turn"][:, None], degrees=True)


def _film(subject: str, kind: str, joints: np.ndarray, view: StudioCamera) -> Clip:
    points, pixels = view.see(joints)
    return Clip(
        subject=subject,
        action=kind,
        camera=view.name,
        fps=FPS,
        K=view.K,
        R=view.R,
        t=view.t,
        source=f"{subject} {kind}",
        joints_3d=points.astype(np.float32),
        joints_2d=pixels.astype(np.float32),
    )


def _limits(name: str) -> tuple[float, float]:
    return LIMITS[name] if name in LIMITS else LIMITS[name.split("_")[1]]


def _generator(seed: int, *names: str) -> np.random.Generator:
    return np.random.default_rng([seed, crc32("/".join(("hands", *names)).encode())])
