"""What the mannequin does outdoors: seven kinds of activity as in MPI-INF-3DHP, livelier than in the studio.

Written as `lib.data.actions` is: points for a wrist are (forward, outward, up) in mm for an adult
of 1700 mm.
"""

from collections.abc import Callable

from lib.data.actions import directions, discussion, greeting, waiting
from lib.data.motions import Script, other
from lib.data.postures import circuit, floor_seat, half_kneel, legs_on_floor, rise, upright
from lib.data.seated_actions import sitting

__all__ = ["OUTDOOR_ACTIONS"]

BOTH = ("left", "right")
GUARD = (260, 70, -30)


def arms(flex: float, abduct: float, elbow: float, twist: float = 0.0) -> dict[str, float]:
    """Channels that put both arms at the same angles, in degrees."""
    angles = {"flex": flex, "abduct": abduct, "elbow": elbow, "twist": twist}
    return {f"{side}_{name}": value for side in BOTH for name, value in angles.items()}


def walking(s: Script, take: int) -> None:
    """Walks briskly in a wide circuit and turns."""
    s.move(0.3, wait=0.1, left_elbow=s.uniform(20, 60), right_elbow=s.uniform(20, 60), spine_pitch=6.0)
    while s.running:
        swing = s.uniform(20, 34)
        s.stroll(
            s.uniform(3, 6),
            circuit(s, 1700.0),
            length=s.uniform(560, 720),
            tempo=s.uniform(0.46, 0.54),
            swing=dict.fromkeys(BOTH, swing),
        )
        s.turn(s.pick(-1, 1) * s.uniform(40, 120))


def exercising(s: Script, take: int) -> None:
    """Squats, jumping jacks, lunges, toe touches, twists and arm raises."""
    while s.running:
        exercise = s.pick("squat", "jack", "lunge", "toes", "twist", "raise")
        for _ in range(int(s.rng.integers(2, 4))):
            match exercise:
                case "squat":
                    deep = {
                        "pelvis_z": s.mm(s.uniform(430, 560)),
                        "pelvis_x": s.mm(-190),
                        "pelvis_pitch": 25.0,
                        "spine_pitch": 18.0,
                    }
                    s.move(0.9, **s.hands((480, 60, -60), **deep))
                    s.move(0.9, **upright(s), **arms(0.0, 7.0, 12.0, 15.0))
                case "jack":
                    for side in BOTH:
                        s.plant(side, -15, 330, yaw=14, duration=0.55, start=0.0 if side == "left" else 0.3)
                    s.move(0.9, **arms(0.0, s.uniform(130, 160), 18.0))
                    s.hold(0.1)
                    for side in BOTH:
                        s.plant(side, -15, 113, yaw=8, duration=0.55, start=0.0 if side == "left" else 0.3)
                    s.move(0.9, **arms(0.0, 9.0, 12.0, 15.0))
                case "lunge":
                    side = s.pick(*BOTH)
                    s.plant(side, 640, 113, duration=0.7)
                    s.move(
                        1.0,
                        pelvis_x=s.mm(320),
                        pelvis_z=s.mm(560),
                        **s.hands((30, 215, -400), pole=(-0.5, 1.0, -0.1)),
                    )
                    s.hold(0.2, 0.5)
                    s.plant(side, -15, 113, yaw=8, duration=0.7)
                    s.move(0.9, **upright(s))
                case "toes":
                    bend = {
                        "pelvis_pitch": 52.0,
                        "spine_pitch": 50.0,
                        "pelvis_x": s.mm(-130),
                        "head_pitch": 20.0,
                    }
                    s.move(1.2, **s.hands((260, 90, 240), "floor", **bend))
                    s.hold(0.2, 0.5)
                    s.move(1.2, **upright(s), **arms(0.0, 7.0, 12.0, 15.0))
                case "twist":
                    s.move(0.7, **s.hands((200, 150, -60), pole=(0.0, 1.0, -0.2)))
                    for way in (1.0, -1.0, 0.0):
                        s.move(0.7, spine_yaw=way * 38.0, pelvis_yaw=way * 10.0, head_yaw=way * 12.0)
                case "raise":
                    s.move(1.0, **arms(s.uniform(150, 168), 15.0, 12.0), head_pitch=-10.0)
                    s.hold(0.1, 0.4)
                    s.move(1.0, **arms(0.0, 9.0, 12.0, 15.0), head_pitch=4.0)
        s.relax(0.8, **upright(s))
        s.stand()
        s.hold(0.7, 1.2)
        if s.uniform(0, 1) < 0.5:
            s.turn(s.pick(-1, 1) * s.uniform(40, 140))


def reaching(s: Script, take: int) -> None:
    """Reaches high, low and across, kneels, lifts a box."""
    while s.running:
        side = s.side()
        match s.pick("high", "low", "across", "kneel", "lift"):
            case "high":
                reach = {"head_pitch": -22.0, "spine_roll": 5.0 if side == "right" else -5.0}
                s.move(1.0, **s.hand(side, (170, 110, 520), **reach))
            case "low":
                bend = {
                    "pelvis_z": s.mm(s.uniform(430, 600)),
                    "pelvis_x": s.mm(-160),
                    "pelvis_pitch": 36.0,
                    "spine_pitch": 36.0,
                }
                s.move(1.2, **s.hand(side, (430, 130, s.uniform(60, 300)), "floor", **bend))
            case "across":
                twist = {"spine_yaw": 34.0 if side == "right" else -34.0, "spine_pitch": 14.0}
                s.move(1.0, **s.hand(side, (430, -160, -130), **twist))
            case "kneel":
                half_kneel(s)
                s.move(
                    1.0,
                    **s.hand(
                        side,
                        (500, 110, 200),
                        "floor",
                        spine_pitch=30.0,
                        pelvis_z=s.mm(470),
                        pelvis_x=s.mm(-130),
                    ),
                )
                s.hold(0.4, 0.9)
                rise(s)
            case "lift":  # a box from the floor to the chest
                bend = {
                    "pelvis_z": s.mm(480),
                    "pelvis_x": s.mm(-170),
                    "pelvis_pitch": 34.0,
                    "spine_pitch": 28.0,
                }
                s.move(1.2, **s.hands((330, 170, 200), "floor", **bend))
                up = upright(s)
                s.move(1.3, **s.hands((330, 160, -260), **up))
        s.hold(0.4, 1.0)
        s.relax(1.1, **upright(s))
        s.hold(0.2, 0.7)
        if s.uniform(0, 1) < 0.5:
            s.turn(s.pick(-1, 1) * s.uniform(40, 140))


def on_the_floor(s: Script, take: int) -> None:
    """Lies, goes on all fours or sits on the floor."""
    s.hold(0.2, 0.6)
    while s.running:
        s.pick(_lie, _all_fours, _sit_on_floor)(s)
        if s.running:
            rise(s)
            s.hold(0.5, 1.0)


def _sit_on_floor(s: Script) -> None:
    floor_seat(s)
    for _ in range(2):
        legs_on_floor(s, s.pick("crossed", "extended", "one up"))
        s.move(
            1.2,
            **s.hand(
                s.side(), (420, 150, -100), pelvis_pitch=s.uniform(-22, 5), spine_yaw=s.uniform(-25, 25)
            ),
        )
        s.hold(0.5, 1.2)


def _lie(s: Script) -> None:
    floor_seat(s)
    legs_on_floor(s, s.pick("extended", "one up"))
    s.move(
        1.6,
        pelvis_pitch=-80.0,
        spine_pitch=2.0,
        pelvis_z=s.mm(100),
        head_pitch=-30.0,
        **arms(8.0, 24.0, 12.0, 20.0),
    )
    s.hold(0.5, 1.2)
    if s.uniform(0, 1) < 0.6:  # a sit-up or two
        for _ in range(2):
            s.move(1.1, pelvis_pitch=-35.0, spine_pitch=30.0, head_pitch=0.0, **arms(60.0, 10.0, 15.0))
            s.move(1.1, pelvis_pitch=-80.0, spine_pitch=2.0, head_pitch=-30.0)
    s.move(1.4, pelvis_pitch=-16.0, spine_pitch=26.0, pelvis_z=s.mm(115), head_pitch=4.0)
    legs_on_floor(s, "knees up")
    s.hold(0.9)


def _all_fours(s: Script) -> None:
    low = {"pelvis_x": s.mm(-60), "pelvis_z": s.mm(460), "pelvis_pitch": 50.0, "spine_pitch": 30.0}
    s.move(1.3, **s.hands((480, 150, 60), "floor", **low))
    for side in BOTH:
        s.plant(side, -440, 113, duration=0.6, lift=40.0, start=0.0 if side == "left" else 0.45)
    four = {
        "pelvis_x": 0.0,
        "pelvis_z": s.mm(485),
        "pelvis_pitch": 76.0,
        "spine_pitch": 4.0,
        "head_pitch": 10.0,
    }
    s.move(1.2, **s.hands((490, 150, 30), "floor", (-0.6, 0.4, 0.3), **four))
    s.hold(0.6, 1.2)
    if s.uniform(0, 1) < 0.5:  # point ahead with one arm
        side = s.side()
        s.move(1.0, **s.hand(side, (930, 160, 480), "floor"))
        s.hold(0.3, 0.7)
        s.move(1.0, **s.hand(side, (490, 150, 30), "floor", (-0.6, 0.4, 0.3)))
    else:  # push-ups
        for side in BOTH:
            s.plant(side, -840, 113, duration=0.6, lift=40.0, start=0.0 if side == "left" else 0.45)
        for _ in range(2):
            for height, pitch in ((360, 74.0), (210, 84.0), (360, 74.0)):
                down = {"pelvis_z": s.mm(height), "pelvis_pitch": pitch, "spine_pitch": 0.0}
                s.move(1.0, **s.hands((480, 200, 30), "floor", (-0.6, 0.8, 0.3), **down))
        for side in BOTH:
            s.plant(side, -440, 113, duration=0.6, lift=40.0, start=0.0 if side == "left" else 0.45)
        s.move(1.1, **s.hands((490, 150, 30), "floor", (-0.6, 0.4, 0.3), **four))


def sports(s: Script, take: int) -> None:
    """Boxes, throws, kicks, swings a club."""
    while s.running:
        side = s.side()
        sign = 1.0 if side == "left" else -1.0
        match s.pick("box", "throw", "kick", "swing", "throw"):
            case "box":
                s.plant(other(side), 180, 130, yaw=10, duration=0.5)
                s.move(
                    0.6,
                    **s.hands(GUARD),
                    pelvis_z=s.body.standing - s.mm(60),
                    spine_pitch=10.0,
                    pelvis_x=s.mm(70),
                )
                for _ in range(int(s.rng.integers(2, 5))):
                    fist = s.pick(*BOTH)
                    twist = 22.0 if fist == "right" else -22.0
                    s.move(0.36, **s.hand(fist, (530, -30, s.uniform(-30, 110)), spine_yaw=twist))
                    s.move(0.42, **s.hand(fist, GUARD, spine_yaw=0.0))
            case "throw":
                s.plant(other(side), 420, 120, duration=0.6)
                s.move(
                    0.8,
                    **s.hand(
                        side,
                        (-120, 300, 130),
                        pole=(-0.5, 1.0, -0.4),
                        spine_yaw=sign * 30.0,
                        pelvis_yaw=sign * 14.0,
                    ),
                    pelvis_x=s.mm(60),
                    **{f"{other(side)}_flex": 62.0, f"{other(side)}_elbow": 25.0},
                )
                s.move(
                    0.45,
                    **s.hand(
                        side, (500, 60, 130), spine_yaw=-sign * 20.0, pelvis_yaw=-sign * 8.0, spine_pitch=22.0
                    ),
                    pelvis_x=s.mm(240),
                    **{f"{other(side)}_flex": 5.0},
                )
                s.move(0.5, **s.hand(side, (330, -120, -420), spine_pitch=26.0))
            case "kick":
                s.plant(side, -420, 113, duration=0.5, lift=150.0)
                s.move(0.5, spine_pitch=8.0, **{f"{other(side)}_flex": 40.0, f"{side}_flex": -20.0})
                s.plant(side, 560, 90, height=s.uniform(200, 420), duration=0.55, lift=20.0)
                s.move(
                    0.55,
                    spine_pitch=14.0,
                    pelvis_pitch=-14.0,
                    **{f"{side}_flex": 35.0, f"{other(side)}_flex": -10.0},
                )
                s.plant(side, 20, 113, yaw=8, duration=0.6, lift=20.0)
                s.move(0.7, pelvis_pitch=0.0)
            case "swing":  # a club or racket in both hands
                stance = {
                    "spine_pitch": 22.0,
                    "pelvis_pitch": 10.0,
                    "pelvis_z": s.body.standing - s.mm(70),
                    "pelvis_x": s.mm(-60),
                }
                for spot, yaw, pace in (
                    ((300, 330, -40), 1.0, 0.9),
                    ((390, 30, -330), 0.0, 0.45),
                    ((300, -260, 10), -1.0, 0.45),
                ):
                    posture = stance | {"spine_yaw": sign * yaw * 36.0, "pelvis_yaw": sign * yaw * 14.0}
                    mirrored = (spot[0], -spot[1] + 60, spot[2])
                    s.move(pace, **(s.hand(other(side), mirrored, **posture) | s.hand(side, spot, **posture)))
                s.hold(0.2, 0.5)
        s.relax(0.9, **upright(s))
        s.stand()
        s.hold(1.1, 1.7)
        if s.uniform(0, 1) < 0.5:
            s.turn(s.pick(-1, 1) * s.uniform(40, 150))


def miscellaneous(s: Script, take: int) -> None:
    """Two of directing, talking, greeting and waiting, one after the other."""
    end = s.seconds
    parts = s.rng.permutation(4)[:2]
    for share, part in zip((0.5, 1.0), parts, strict=True):
        s.seconds = share * end  # each part writes until its share is full
        (directions, discussion, greeting, waiting)[int(part)](s, take)
    s.seconds = end


OUTDOOR_ACTIONS: dict[str, Callable[[Script, int], None]] = {
    "Walking": walking,
    "Exercising": exercising,
    "Sitting": sitting,
    "Reaching": reaching,
    "OnTheFloor": on_the_floor,
    "Sports": sports,
    "Miscellaneous": miscellaneous,
}
