"""Building blocks of the mannequin's actions: where hands go, sitting, rising, kneeling, idling.

Each function takes a `Script` and writes into it. Points for a wrist are (forward, outward, up) in
mm for an adult of 1700 mm; the wrist stays a hand's length away from what the hand touches.
"""

from collections.abc import Iterator

import numpy as np

from lib.data.motions import Script, other

__all__ = [
    "AKIMBO", "BACK", "CHIN", "EAR", "EYE", "FOLDED", "HIP", "KNEE", "LAP", "MOUTH", "POCKET",
    "circuit", "floor_seat", "half_kneel", "legs_on_floor", "legs_seated", "rise", "seat", "sit",
    "stand_idle", "upright",
]  # fmt: skip

MOUTH, EAR, EYE, CHIN = (160, 45, -5), (65, 130, 25), (185, 70, 55), (140, 20, -60)
HIP, POCKET, FOLDED = (-5, 215, -400), (50, 215, -500), (185, -95, -250)
BACK = (-150, -10, -430)
LAP = (350, 70, 75)  # in the pelvis frame, seated
KNEE = (400, 130, 85)
AKIMBO = (-0.5, 1.0, -0.1)  # the way of the elbow


def seat(s: Script) -> dict[str, float]:
    """The posture of sitting on a chair whose seat is behind the feet."""
    return {
        "pelvis_x": s.mm(-400) + s.uniform(-30, 30),
        "pelvis_z": s.uniform(490, 525),
        "pelvis_y": 0.0,
        "pelvis_pitch": s.uniform(-14, -2),
        "pelvis_yaw": 0.0,
        "pelvis_roll": 0.0,
        "spine_pitch": s.uniform(2, 18),
        "spine_yaw": s.uniform(-8, 8),
        "spine_roll": s.uniform(-4, 4),
    }


def sit(s: Script, already: bool) -> None:
    """Sit down on a chair, or begin the take seated with the hands in the lap."""
    posture = seat(s)
    hands = s.hands(LAP, "pelvis", **posture)
    if already:
        s.first(**hands)
        return
    s.move(0.9, wait=0.45, pelvis_x=s.mm(-140), pelvis_z=s.mm(760), pelvis_pitch=18.0, spine_pitch=24.0)
    s.move(1.2, **hands)


def upright(s: Script) -> dict[str, float]:
    """Channels of a person who stands at ease, drawn anew at each call."""
    return {
        "pelvis_x": 0.0,
        "pelvis_y": s.uniform(-20, 20),
        "pelvis_z": s.body.standing,
        "pelvis_pitch": s.uniform(-2, 6),
        "pelvis_yaw": 0.0,
        "pelvis_roll": 0.0,
        "spine_pitch": s.uniform(-2, 11),
        "spine_yaw": 0.0,
        "spine_roll": 0.0,
        "head_yaw": s.uniform(-15, 15),
        "head_pitch": s.uniform(0, 10),
        "head_roll": 0.0,
    }


def rise(s: Script) -> None:
    """Stand up from a chair or the floor and come to rest upright."""
    s.stand()
    s.move(0.9, wait=0.7, spine_pitch=30.0, pelvis_pitch=22.0, pelvis_x=s.mm(-150), pelvis_z=s.mm(620))
    s.relax(1.3, **upright(s))


def legs_seated(s: Script) -> None:
    """Another place for the feet of somebody who sits on a chair."""
    side = s.pick("left", "right")
    for foot in ("left", "right"):
        s.plant(foot, s.uniform(-60, 40), 113.0, yaw=8.0, splay=s.uniform(0, 15), lift=30.0)
    s.hold(0.5)
    match s.pick("feet", "over", "figure four", "forward", "tucked"):
        case "over":
            s.plant(side, 215, -80, height=190, lift=60.0, duration=0.9)
        case "figure four":
            s.plant(side, 10, -95, height=470, splay=75.0, lift=40.0, duration=1.0)
        case "forward":
            s.plant(side, s.uniform(150, 330), 120, lift=30.0)
        case "tucked":
            s.plant(side, -330, 100, lift=30.0)


def floor_seat(s: Script) -> None:
    """From standing down to the floor: crouch, a hand behind, sit with the knees up."""
    side = s.side()
    low = {"pelvis_x": s.mm(-130), "pelvis_z": s.mm(430), "pelvis_pitch": 25.0, "spine_pitch": 35.0}
    s.move(1.1, wait=1.0, **low, **{f"{side}_abduct": 25.0, f"{other(side)}_flex": 40.0})
    down = {"pelvis_x": s.mm(-360), "pelvis_z": s.mm(115), "pelvis_pitch": -16.0, "spine_pitch": 26.0}
    hand = s.hand(side, (-520, 260, 40), "floor", (-1.0, 0.6, 0.2), **down)
    knee = s.hand(other(side), (20, 140, 440), "floor", **down)
    s.move(1.1, **(hand | knee))


def legs_on_floor(s: Script, how: str) -> None:
    """Legs of somebody who sits on the floor, 360 mm behind the place where the feet stood."""
    match how:
        case "crossed":
            s.plant("left", -165, -60, splay=68.0, yaw=30, lift=40.0)
            s.plant("right", -110, -60, splay=68.0, yaw=30, lift=40.0, start=0.4)
        case "extended":
            s.plant("left", s.uniform(380, 450), 90, lift=30.0, duration=0.8)
            s.plant("right", s.uniform(380, 450), 90, lift=30.0, duration=0.8, start=0.3)
        case "one up":
            s.plant("left", 420, 90, lift=30.0, duration=0.8)
            s.plant("right", s.uniform(-60, 20), 130, splay=10.0, lift=40.0)
        case "knees up":
            for side in ("left", "right"):
                s.plant(side, s.uniform(-60, 10), 110, splay=10.0, lift=40.0)


def half_kneel(s: Script) -> None:
    """Down on one knee."""
    side = s.pick("left", "right")
    s.plant(side, -460, 113, lift=70.0, duration=0.8)
    s.plant(other(side), 150, 120, lift=60.0, duration=0.6, start=0.5)
    s.move(
        1.2,
        pelvis_z=s.mm(470),
        pelvis_x=s.mm(-130),
        spine_pitch=s.uniform(5, 15),
        pelvis_pitch=s.uniform(0, 10),
    )


def circuit(s: Script, radius: float = 1450.0) -> Iterator[np.ndarray]:
    """Endless waypoints around the middle of the room, in one sense of rotation, at varying distance."""
    sense = s.pick(1.0, -1.0)
    angle = np.arctan2(s.now["origin_y"], s.now["origin_x"])
    while True:
        angle += sense * np.radians(s.uniform(55, 95))
        yield radius * s.uniform(0.75, 1.1) * np.array([np.cos(angle), np.sin(angle)])


def stand_idle(s: Script) -> None:
    """A small change of somebody who stands: weight, gaze, a step, a turn."""
    lean = s.pick(-1.0, 1.0)
    s.move(
        s.uniform(0.8, 1.4),
        wait=s.uniform(0.2, 0.8),
        pelvis_y=lean * s.uniform(25, 65),
        pelvis_roll=-lean * s.uniform(1, 5),
        spine_roll=lean * s.uniform(1, 5),
        head_yaw=s.uniform(-40, 40),
        head_pitch=s.uniform(-4, 18),
        spine_yaw=s.uniform(-12, 12),
        spine_pitch=s.uniform(-2, 15),
    )
    if s.uniform(0, 1) < 0.3:
        foot = s.pick("left", "right")
        s.plant(foot, s.uniform(-140, 160), s.uniform(90, 190), yaw=s.uniform(0, 30), lift=40.0)
    if s.uniform(0, 1) < 0.25:
        s.turn(s.pick(-1.0, 1.0) * s.uniform(30, 110))
