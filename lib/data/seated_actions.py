"""What the mannequin does where people sit or may sit: five of the fifteen actions of Human3.6M.

Written as `lib.data.actions` is.
"""

from lib.data.motions import Script, other
from lib.data.postures import (
    AKIMBO,
    CHIN,
    EAR,
    FOLDED,
    HIP,
    KNEE,
    LAP,
    MOUTH,
    circuit,
    floor_seat,
    legs_on_floor,
    legs_seated,
    rise,
    seat,
    sit,
    stand_idle,
)

__all__ = ["eating", "phoning", "sitting", "sitting_down", "smoking"]


def eating(s: Script, take: int) -> None:
    """Sits and brings a hand to the mouth."""
    side = s.side()
    seated = take == 1
    if seated:
        sit(s, already=True)
        plate = s.hand(other(side), (330, 30, 190), "pelvis")
        bowl = (340, 60, 200), "pelvis"
    else:
        plate = s.hand(other(side), (290, 20, -250))
        bowl = (300, -30, -220), "thorax"
    s.first(**plate)
    while s.running:
        s.move(
            0.7,
            **s.hand(side, *bowl),
            head_pitch=s.uniform(15, 28),
            head_yaw=0.0,
            spine_pitch=s.uniform(8, 20),
        )
        s.hold(0.2, 0.7)
        s.move(
            s.uniform(0.7, 0.9),
            **s.hand(side, MOUTH, head_pitch=s.uniform(4, 14), spine_pitch=s.uniform(8, 18)),
        )
        s.hold(0.2, 0.5)
        if s.uniform(0, 1) < 0.5:
            s.relax(0.8, side)
            s.move(0.7, wait=0.5, head_yaw=s.uniform(-35, 35), head_pitch=4.0)
            s.hold(0.6, 1.6)
        if not seated and s.uniform(0, 1) < 0.3:
            s.turn(s.uniform(-100, 100))
        if seated and s.uniform(0, 1) < 0.25:
            legs_seated(s)


def phoning(s: Script, take: int) -> None:
    """Holds a phone to one ear, seated or on foot."""
    side = s.side()
    if take == 1 and s.uniform(0, 1) < 0.6:
        sit(s, already=True)
    call = s.hand(side, EAR, pole=(0.3, 0.5, -1.0), head_roll=-6.0 if side == "left" else 6.0)
    if s.uniform(0, 1) < 0.5:
        s.hold(0.5, 1.2)
        s.move(1.0, **call)
    else:
        s.first(**call)
    seated = s.now["pelvis_z"] < 0.8 * s.body.standing
    while s.running:
        free = other(side)
        match s.pick("talk", "listen", "walk" if not seated else "legs", "rest"):
            case "talk":
                s.move(0.8, **s.hand(free, (s.uniform(240, 380), s.uniform(40, 240), s.uniform(-300, -150))))
                s.wave(f"{free}_elbow", 9.0, 1.6, 1.6)
                s.hold(0.8, 1.6)
                s.relax(0.9, free)
            case "listen":
                s.move(
                    1.0,
                    head_yaw=s.uniform(-30, 30),
                    head_pitch=s.uniform(0, 22),
                    spine_yaw=s.uniform(-12, 12),
                )
                s.hold(0.8, 1.6)
            case "walk":
                s.stroll(s.uniform(2, 4), circuit(s), length=420, tempo=0.6, swing={free: 11.0})
            case "legs":
                legs_seated(s)
                s.hold(1.0, 1.6)
            case "rest":
                rest = s.hand(free, HIP, pole=AKIMBO) if not seated else s.hand(free, LAP, "pelvis")
                s.move(0.9, **rest)
                s.hold(0.6, 1.4)


def sitting(s: Script, take: int) -> None:
    """Sits on a chair, leans, crosses legs, moves the arms."""
    s.hold(0.3, 0.8) if take == 2 else None
    sit(s, already=take == 1)
    while s.running:
        match s.pick("lap", "elbows", "back", "chin", "gesture", "legs"):
            case "lap":
                posture = seat(s)
                s.move(1.0, **s.hands(LAP, "pelvis", **posture))
            case "elbows":  # forward, forearms on the thighs
                posture = {"pelvis_pitch": 14.0, "spine_pitch": 34.0, "head_pitch": 10.0}
                s.move(1.2, **s.hands((470, 20, 90), "pelvis", **posture))
            case "back":
                posture = {
                    "pelvis_pitch": -20.0,
                    "spine_pitch": 6.0,
                    "head_pitch": -2.0,
                    "head_yaw": s.uniform(-40, 40),
                }
                s.move(1.2, **s.hands((300, 160, 80), "pelvis", **posture))
            case "chin":
                s.move(1.1, **s.hand(s.side(), CHIN, spine_pitch=24.0, pelvis_pitch=5.0, head_pitch=14.0))
            case "gesture":
                side = s.side()
                s.move(0.8, **s.hand(side, (330, 150, -230), head_yaw=s.uniform(-30, 30)))
                s.wave(f"{side}_elbow", 10.0, 1.6, 1.5)
            case "legs":
                legs_seated(s)
                s.move(1.0, spine_yaw=s.uniform(-14, 14))
        s.hold(0.8, 2.0)


def sitting_down(s: Script, take: int) -> None:
    """Goes down to the floor, sits there and gets up again."""
    s.hold(0.2, 0.8)
    while s.running:
        floor_seat(s)
        s.hold(0.2, 0.6)
        for _ in range(int(s.rng.integers(2, 4))):
            how = s.pick("crossed", "extended", "one up", "knees up")
            legs_on_floor(s, how)
            back = {
                "pelvis_pitch": s.uniform(-24, -10),
                "spine_pitch": s.uniform(14, 34),
                "head_yaw": s.uniform(-30, 30),
            }
            match "hug" if how == "knees up" else s.pick("knees", "behind", "one"):
                case "hug":
                    arms = s.hands((120, 20, 330), "floor", **back)
                case "knees":
                    arms = s.hands((330, 150, 110), "pelvis", **back)
                case "behind":
                    back["pelvis_pitch"], pole = -30.0, (-1.0, 0.4, 0.2)
                    arms = s.hands((-680, 230, 40), "floor", pole, **back)
                case "one":
                    arms = s.hand(s.side(), (300, 60, -220), **back)
            s.move(1.2, **arms)
            s.hold(0.8, 1.8)
        if s.running:
            rise(s)
            s.hold(0.4, 1.0)


def smoking(s: Script, take: int) -> None:
    """Brings a hand to the mouth now and then and lowers it."""
    side = s.side()
    seated = take == 1 and s.uniform(0, 1) < 0.6
    if seated:
        sit(s, already=True)
    while s.running:
        s.move(s.uniform(0.8, 1.0), **s.hand(side, MOUTH, pole=(0.2, 0.5, -1.0), head_pitch=s.uniform(0, 8)))
        s.hold(0.5, 1.1)
        if s.uniform(0, 1) < 0.5:
            s.relax(0.9, side, head_yaw=s.uniform(-30, 30))
        elif seated:
            s.move(0.9, **s.hand(side, KNEE, "pelvis"), head_yaw=s.uniform(-30, 30))
        else:
            s.move(0.9, **s.hand(side, (230, 190, -230)), head_pitch=s.uniform(-10, 4))
        s.hold(0.8, 1.8)
        if s.uniform(0, 1) < 0.3:
            fold = s.hand(other(side), FOLDED) if not seated else s.hand(other(side), LAP, "pelvis")
            s.move(0.9, **fold)
        legs_seated(s) if seated and s.uniform(0, 1) < 0.3 else None
        if not seated:
            stand_idle(s)
