"""What the mannequin does in the studio: the fifteen actions of Human3.6M, as scripts around postures.

Each action takes a `Script` and the number of the take (1 or 2) and writes on until the take is full;
durations, places, hands and order are drawn from the script's generator.
"""

from collections.abc import Callable

import numpy as np

from lib.data.motions import Script, other
from lib.data.postures import (
    AKIMBO,
    BACK,
    EYE,
    FOLDED,
    HIP,
    POCKET,
    circuit,
    half_kneel,
    rise,
    stand_idle,
    upright,
)
from lib.data.seated_actions import eating, phoning, sitting, sitting_down, smoking

__all__ = ["STUDIO_ACTIONS", "directions", "discussion", "greeting", "waiting"]


def directions(s: Script, take: int) -> None:
    """Shows somebody the way: points with one hand, sometimes with both, and looks there."""
    while s.running:
        side, azimuth, height = s.side(), s.uniform(-25, 100), s.uniform(-200, 240)
        arm = 555.0
        way = np.radians(azimuth)
        out = 150 + arm * np.sin(way)
        sign = 1.0 if side == "left" else -1.0
        twist = sign * 0.35 * azimuth
        point = s.hand(
            side,
            (arm * np.cos(way), out, height),
            spine_yaw=0.6 * twist,
            pelvis_yaw=0.3 * twist,
            spine_pitch=s.uniform(0, 8),
            head_pitch=-height / 12,
        )
        s.move(s.uniform(0.7, 1.1), **point, head_yaw=float(np.clip(sign * azimuth * 0.7, -60, 60)))
        if s.uniform(0, 1) < 0.3:
            s.wave(f"{side}_flex", 7.0, s.uniform(1.2, 1.8), 1.3)
        s.hold(0.4, 1.4)
        if s.uniform(0, 1) < 0.35:  # the other hand as well: "from here to there"
            both = s.hand(other(side), (s.uniform(350, 480), s.uniform(60, 200), s.uniform(-200, 50)))
            s.move(0.8, **both)
            s.hold(0.2, 0.6)
        s.relax(
            s.uniform(0.8, 1.1), spine_yaw=0.0, pelvis_yaw=0.0, head_yaw=s.uniform(-20, 20), head_pitch=6.0
        )
        s.hold(0.3, 1.2)
        stand_idle(s)


def discussion(s: Script, take: int) -> None:
    """Talks with the hands: small gestures of one or both, weight from leg to leg."""
    while s.running:
        sides = s.pick(("left", "right"), ("left", "right"), (s.side(),))
        for _ in range(int(s.rng.integers(1, 4))):
            targets = {}
            for side in sides:
                targets |= s.hand(side, (s.uniform(230, 400), s.uniform(20, 260), s.uniform(-330, -80)))
            s.move(s.uniform(0.5, 0.8), **targets, head_yaw=s.uniform(-30, 30), spine_yaw=s.uniform(-10, 10))
            for side in sides:
                s.wave(f"{side}_elbow", s.uniform(5, 13), s.uniform(1.3, 2.0), s.uniform(1.0, 1.8))
            s.wave("head_pitch", 4.0, 1.5, 1.5)
            s.hold(0.3, 1.0)
        if s.uniform(0, 1) < 0.6:
            s.relax(0.9)
        stand_idle(s)
        s.hold(0.4, 1.5)


def greeting(s: Script, take: int) -> None:
    """Raises a hand and waves, or bows, or reaches out."""
    while s.running:
        side = s.side()
        match s.pick("wave", "hand", "bow", "embrace", "wave"):
            case "wave":
                s.move(0.8, **s.hand(side, (180, 300, 190), head_pitch=0.0))
                s.wave(f"{side}_twist", 24.0, 1.7, 1.8)
                s.hold(1.4, 1.8)
            case "hand":
                s.move(0.8, **s.hand(side, (430, 30, -240), spine_pitch=s.uniform(6, 16), spine_yaw=0.0))
                s.wave(f"{side}_elbow", 9.0, 2.2, 1.2)
                s.hold(1.2)
            case "bow":
                s.move(
                    1.0,
                    pelvis_pitch=s.uniform(15, 28),
                    spine_pitch=s.uniform(15, 30),
                    head_pitch=25.0,
                    pelvis_x=s.mm(-90),
                )
                s.hold(0.3, 0.7)
            case "embrace":
                wide = {
                    f"{side}_{name}": value
                    for side in ("left", "right")
                    for name, value in {
                        "flex": 22.0,
                        "abduct": s.uniform(68, 88),
                        "elbow": 14.0,
                        "twist": -10.0,
                    }.items()
                }
                s.move(0.9, **wide, head_pitch=0.0)
                s.hold(0.3, 0.7)
                arms = s.hands((380, 210, -60))
                s.move(0.9, **arms, spine_pitch=8.0)
                s.hold(0.3, 0.6)
                s.move(0.7, **s.hand("left", (300, 20, -120)), **s.hand("right", (300, 20, -170)))
                s.hold(0.3)
        s.relax(0.9, **upright(s))
        s.hold(0.8, 2.0)
        stand_idle(s)


def photo(s: Script, take: int) -> None:
    """Lifts a camera to the eyes with both hands, aims, turns or crouches for the picture."""
    while s.running:
        s.hold(0.4, 1.2)
        pose = s.pick("stand", "stand", "crouch", "kneel", "lean")
        trunk = {"spine_pitch": s.uniform(2, 12), "head_pitch": s.uniform(-4, 8), "head_yaw": 0.0}
        if pose == "kneel":
            half_kneel(s)
        elif pose == "crouch":
            trunk |= {
                "pelvis_z": s.mm(s.uniform(560, 700)),
                "pelvis_x": s.mm(-110),
                "pelvis_pitch": 20.0,
                "spine_pitch": 18.0,
            }
        elif pose == "lean":
            trunk |= {
                "spine_roll": s.pick(-1, 1) * s.uniform(8, 18),
                "pelvis_pitch": 14.0,
                "pelvis_x": s.mm(-50),
            }
        hands = s.hands(EYE, **trunk)
        s.move(1.0, **hands)
        s.hold(0.8, 2.2)
        s.move(0.9, **s.hand("left", (290, 60, -200), head_pitch=22.0), **s.hand("right", (290, 60, -200)))
        s.hold(0.4, 0.9)
        if pose in ("kneel", "crouch"):
            rise(s)
        else:
            s.relax(0.9, **upright(s))
        s.turn(s.pick(-1, 1) * s.uniform(30, 130)) if s.uniform(0, 1) < 0.6 else s.hold(0.5, 1.2)


def posing(s: Script, take: int) -> None:
    """Takes one pose after another and holds it, hands on hips or arms raised."""
    while s.running:
        lean = s.pick(-1.0, 1.0)
        weight = "left" if lean > 0 else "right"
        free = other(weight)
        s.plant(free, s.uniform(20, 220), s.uniform(110, 220), yaw=s.uniform(5, 30), lift=50.0)
        body = {
            "pelvis_y": lean * s.mm(s.uniform(30, 75)),
            "pelvis_roll": lean * s.uniform(2, 7),
            "spine_roll": -lean * s.uniform(2, 9),
            "spine_yaw": s.uniform(-22, 22),
            "pelvis_yaw": s.uniform(-12, 12),
            "head_yaw": s.uniform(-40, 40),
            "head_roll": s.uniform(-8, 8),
            "spine_pitch": s.uniform(-5, 6),
        }
        match s.pick("hips", "one hip", "folded", "behind head", "victory", "pockets", "spread", "spread"):
            case "hips":
                arms = s.hands(HIP, pole=AKIMBO, **body)
            case "one hip":
                arms = s.hand(weight, HIP, pole=AKIMBO, **body)
            case "folded":
                arms = s.hand("left", FOLDED, **body) | s.hand("right", np.add(FOLDED, (30, 0, 50)), **body)
            case "behind head":
                arms = s.hand(free, (-30, 110, 190), pole=(0.2, 1.0, 0.4), **body)
            case "victory":
                arms = s.hand(weight, (120, 230, 480), **body)
            case "pockets":
                arms = s.hands(POCKET, pole=AKIMBO, **body)
            case "spread":
                arms = {
                    f"{side}_{name}": value
                    for side in ("left", "right")
                    for name, value in {
                        "flex": s.uniform(2, 14),
                        "abduct": s.uniform(70, 92),
                        "elbow": 8.0,
                        "twist": 0.0,
                    }.items()
                }
        s.move(s.uniform(0.9, 1.3), **(body | arms))
        s.hold(0.9, 2.0)
        s.relax(1.0, **upright(s))
        s.hold(0.3, 1.0)
        if s.uniform(0, 1) < 0.5:
            s.turn(s.pick(-1, 1) * s.uniform(40, 120))


def purchases(s: Script, take: int) -> None:
    """Takes things from high and low shelves, walks on and looks."""
    waypoints, side = circuit(s), s.side()
    carrying = False
    while s.running:
        match s.pick("shelf", "low", "walk", "look"):
            case "shelf":
                height = s.uniform(-60, 330)
                s.move(1.0, **s.hand(side, (460, 90, height), spine_pitch=6.0, head_pitch=-height / 15))
                s.hold(0.2, 0.6)
                s.move(0.8, **s.hand(side, (310, 20, -200), head_pitch=18.0))
                s.hold(0.4, 1.0)
            case "low":
                bend = {
                    "pelvis_z": s.mm(s.uniform(560, 760)),
                    "pelvis_pitch": 38.0,
                    "spine_pitch": 38.0,
                    "pelvis_x": s.mm(-150),
                }
                s.move(1.2, **s.hand(side, (420, 120, s.uniform(150, 450)), "floor", **bend))
                s.hold(0.3, 0.7)
                s.move(1.2, **upright(s), **{f"{side}_elbow": 80.0, f"{side}_flex": 20.0})
            case "walk":
                hold = {other(side): 16.0} if carrying else {"left": 18.0, "right": 18.0}
                s.stroll(s.uniform(2, 4), waypoints, length=480, swing=hold)
            case "look":
                s.move(0.9, head_yaw=s.uniform(-50, 50), head_pitch=s.uniform(0, 25))
                s.hold(0.3, 0.9)
        carrying = s.uniform(0, 1) < 0.4
        if carrying:
            s.move(
                0.8,
                **{f"{side}_flex": 5.0, f"{side}_elbow": 85.0, f"{side}_twist": 30.0, f"{side}_abduct": 12.0},
            )
        else:
            s.relax(0.9)
        if s.uniform(0, 1) < 0.35:
            s.turn(s.uniform(-120, 120))


def waiting(s: Script, take: int) -> None:
    """Stands, shifts weight, looks around, crosses or swings the arms."""
    while s.running:
        match s.pick("fold", "watch", "hips", "hang", "pace", "behind", "hang", "scratch"):
            case "fold":
                s.move(1.0, **s.hand("left", FOLDED), **s.hand("right", np.add(FOLDED, (30, 0, 50))))
            case "watch":
                side = s.side()
                s.move(0.8, **s.hand(side, (240, -10, -190), pole=(0.0, 1.0, -0.6), head_pitch=26.0))
                s.hold(0.4, 0.9)
                s.relax(0.9, head_pitch=4.0)
            case "hips":
                s.move(1.0, **s.hand("left", HIP, pole=AKIMBO), **s.hand("right", HIP, pole=AKIMBO))
            case "hang":
                s.relax(1.0)
            case "pace":
                s.relax(0.6)
                s.stroll(
                    s.uniform(2, 3.5), circuit(s), length=420, tempo=0.62, swing={"left": 12.0, "right": 12.0}
                )
            case "behind":
                s.move(
                    1.1,
                    **s.hand("left", BACK, pole=(-0.6, 1.0, 0.0)),
                    **s.hand("right", BACK, pole=(-0.6, 1.0, 0.0)),
                )
            case "scratch":
                side = s.side()
                s.move(0.9, **s.hand(side, (10, 110, 120), pole=(0.4, 1.0, -0.4)))
                s.wave(f"{side}_elbow", 4.0, 2.5, 1.0)
                s.hold(0.8)
                s.relax(0.9, side)
        s.hold(0.5, 1.4)
        stand_idle(s)


def walking(s: Script, take: int) -> None:
    """Walks in a circuit with swinging arms."""
    arm = s.uniform(14, 26)
    s.move(
        0.3,
        wait=0.1,
        spine_pitch=s.uniform(2, 7),
        left_elbow=s.uniform(14, 28),
        right_elbow=s.uniform(14, 28),
    )
    s.stroll(
        s.seconds,
        circuit(s),
        length=s.uniform(520, 640),
        tempo=s.uniform(0.5, 0.58),
        swing={"left": arm, "right": arm},
    )


def walk_dog(s: Script, take: int) -> None:
    """Walks with one arm held forward at the leash."""
    side, waypoints = s.side(), circuit(s)
    while s.running:
        leash = s.hand(
            side,
            (s.uniform(260, 420), s.uniform(60, 170), s.uniform(-420, -300)),
            spine_pitch=s.uniform(3, 10),
        )
        s.move(0.8, wait=0.4, **leash, head_pitch=s.uniform(8, 20))
        s.stroll(s.uniform(3, 5), waypoints, length=500, tempo=0.56, swing={other(side): 18.0})
        match s.pick("pet", "pull", "go"):
            case "pet":
                bend = {
                    "pelvis_z": s.mm(s.uniform(480, 620)),
                    "pelvis_x": s.mm(-150),
                    "pelvis_pitch": 30.0,
                    "spine_pitch": 32.0,
                }
                s.move(1.2, **s.hand(other(side), (380, 80, 360), "floor", **bend))
                s.wave(f"{other(side)}_twist", 12.0, 1.4, 1.4)
                s.hold(1.2)
                s.move(
                    1.2,
                    **upright(s),
                    **{
                        f"{other(side)}_flex": 0.0,
                        f"{other(side)}_elbow": 12.0,
                        f"{other(side)}_abduct": 6.0,
                    },
                )
            case "pull":
                s.move(0.7, **s.hand(side, (480, 60, -260), spine_pitch=12.0, pelvis_x=s.mm(-40)))
                s.move(0.8, **s.hand(side, (150, 150, -330), spine_pitch=0.0, pelvis_x=0.0))


def walk_together(s: Script, take: int) -> None:
    """Walks beside somebody, turning the head to talk."""
    partner = s.pick("left", "right")  # beside whom the subject walks
    sign = 1.0 if partner == "left" else -1.0
    while s.running:
        hand = s.pick("free", "hold")
        if hand == "hold":
            s.move(
                0.6, wait=0.2, **{f"{partner}_abduct": 16.0, f"{partner}_elbow": 10.0, f"{partner}_flex": 4.0}
            )
        s.move(0.8, wait=0.0, head_yaw=sign * s.uniform(25, 60))
        swing = {other(partner): s.uniform(12, 22)} | ({} if hand == "hold" else {partner: 14.0})
        s.stroll(s.uniform(3.5, 6), circuit(s), length=s.uniform(430, 540), tempo=0.57, swing=swing)
        side = other(partner)
        s.move(0.7, **s.hand(side, (300, 110, -220)), head_yaw=sign * s.uniform(-5, 45))
        s.wave(f"{side}_elbow", 10.0, 1.6, 1.2)
        s.hold(0.4, 0.8)
        s.relax(0.8, head_yaw=sign * s.uniform(0, 20))


STUDIO_ACTIONS: dict[str, Callable[[Script, int], None]] = {
    "Directions": directions,
    "Discussion": discussion,
    "Eating": eating,
    "Greeting": greeting,
    "Phoning": phoning,
    "Photo": photo,
    "Posing": posing,
    "Purchases": purchases,
    "Sitting": sitting,
    "SittingDown": sitting_down,
    "Smoking": smoking,
    "Waiting": waiting,
    "WalkDog": walk_dog,
    "Walking": walking,
    "WalkTogether": walk_together,
}
