"""How the mannequin moves: a script of overlapping submovements over the channels of a posture.

Every channel is its first value plus a sum of minimum-jerk submovements (Flash and Hogan 1985;
their superposition: Flash and Henis 1991), so that a new movement may begin before the last one
ends and velocity never jumps. Steps move one foot and, around the same time, the place of the
stance; while it is not stepping a foot does not move. On top come oscillations (a waving hand, the
beats of a gesture) and slow sway.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from lib.data.bodies import CHANNELS, SIDES, Body, neutral, reach

__all__ = ["Script", "other"]

# Slow sway, standard deviation (degrees or mm) and smoothing (s) by the end of a channel's name.
SWAY = {
    "pelvis_x": (7.0, 0.5),
    "pelvis_y": (10.0, 0.6),
    "pelvis_z": (3.0, 0.5),
    "pelvis_yaw": (1.5, 0.5),
    "pelvis_pitch": (1.0, 0.5),
    "pelvis_roll": (1.0, 0.5),
    "spine_yaw": (3.0, 0.5),
    "spine_pitch": (2.6, 0.6),
    "spine_roll": (2.0, 0.5),
    "head_yaw": (3.0, 0.4),
    "head_pitch": (2.0, 0.4),
    "head_roll": (1.5, 0.4),
    "_flex": (2.0, 0.4),
    "_abduct": (1.3, 0.4),
    "_twist": (3.0, 0.4),
    "_elbow": (3.0, 0.4),
    "_splay": (1.0, 0.5),
}


def other(side: str) -> str:
    """The other side of the body, "left" or "right"."""
    return "right" if side == "left" else "left"


class Script:
    """Writes down who moves what, when; `sample` turns it into channels over time.

    `now` holds the posture that the submovements begun so far will end in, so that a target is
    always solved for the posture in which it will be reached. Distances are given for an adult of
    1700 mm and scaled to the body.
    """

    def __init__(self, body: Body, rng: np.random.Generator, seconds: float, place, heading: float):
        self.body, self.rng, self.seconds, self.time = body, rng, seconds, 0.0
        self.now = neutral(body)
        self._moves: list[tuple[str, float, float, float]] = []  # channel, start, end, change
        self._waves: list[tuple[str, float, float, float, float]] = []  # channel, start, end, amplitude, Hz
        self.now |= {"origin_x": float(place[0]), "origin_y": float(place[1]), "heading": float(heading)}
        for side, sign in zip(SIDES, (1.0, -1.0), strict=True):
            width, ahead = self.uniform(0.75, 1.35) * body.hip, self.uniform(-90.0, 60.0)
            self.now |= self._footprint(side, self.mm(ahead), sign * width)
            self.now[f"{side}_foot_yaw"] = heading + sign * self.uniform(2.0, 20.0)
        self.relax(0.0)
        self._first = dict(self.now)

    # ------------------------------------------------------------------ chance
    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def pick(self, *options):
        return options[int(self.rng.integers(len(options)))]

    def side(self) -> str:
        return self.pick("right", "right", "left")  # most people are right-handed

    @property
    def running(self) -> bool:
        return self.time < self.seconds

    # ------------------------------------------------------------------ postures
    def move(
        self, duration: float, wait: float | None = None, fastest: float = 170.0, **targets: float
    ) -> None:
        """Bring channels to new values within about `duration` s.

        The script goes on `wait` s later, by default when they are there. It takes longer where an
        angle of an arm would change by more than `fastest` degrees a second on average.
        """
        changes = [
            abs(value - self.now[channel])
            for channel, value in targets.items()
            if channel.endswith(("_flex", "_abduct", "_elbow", "_twist"))
        ]
        duration = max(duration, max(changes, default=0.0) / fastest)
        for channel, value in targets.items():
            start = self.time + self.uniform(0.0, 0.12) * duration
            end = self.time + duration * self.uniform(0.94, 1.08)
            self._add(channel, start, end, value)
        self.time += duration if wait is None else wait

    def first(self, **targets: float) -> None:
        """Begin the take in this posture instead of moving into it."""
        self.now |= targets
        self._first |= targets

    def hold(self, low: float, high: float | None = None) -> None:
        self.time += low if high is None else self.uniform(low, high)

    def relax(self, duration: float, *sides: str, **targets: float) -> None:
        """Let arms hang; with further channels to move at the same time."""
        for side in sides or SIDES:
            targets |= {
                f"{side}_flex": self.uniform(-8, 4),
                f"{side}_abduct": self.uniform(3, 11),
                f"{side}_twist": self.uniform(0, 40),
                f"{side}_elbow": self.uniform(9, 23),
            }
        if duration > 0:
            self.move(duration, **targets)
        else:
            self.now |= targets

    def hand(self, side: str, target, frame: str = "thorax", pole=(-0.3, 0.6, -1.0), **posture: float):
        """The arm channels that bring a wrist to a point once `posture` has been taken, and the posture."""
        spread = self.rng.normal(0.0, 12.0, 3)
        angles = reach(self.body, {**self.now, **posture}, side, np.asarray(target) + spread, frame, pole)
        return angles | posture

    def hands(self, target, frame: str = "thorax", pole=(-0.3, 0.6, -1.0), **posture: float):
        """The same for both hands, as mirror images."""
        left = self.hand("left", target, frame, pole, **posture)
        return left | self.hand("right", target, frame, pole, **posture)

    def wave(self, channel: str, amplitude: float, hertz: float, seconds: float) -> None:
        """Oscillate a channel from now on, fading in and out."""
        self._waves.append((channel, self.time, self.time + seconds, amplitude, hertz))

    def mm(self, length: float) -> float:
        return length * self.body.scale

    # ------------------------------------------------------------------ feet
    def plant(
        self,
        side: str,
        forward: float,
        outward: float,
        *,
        yaw: float = 0.0,
        height: float = 0.0,
        splay: float | None = None,
        duration: float = 0.6,
        lift: float = 60.0,
        start: float = 0.0,
    ) -> None:
        """Put a foot somewhere in the stance frame (mm); the stance itself stays. Takes no time."""
        sign = 1.0 if side == "left" else -1.0
        spot = self._footprint(side, self.mm(forward), sign * self.mm(outward))
        begin, end = self.time + start, self.time + start + duration
        for channel, value in spot.items():
            self._add(channel, begin, end, value)
        self._add(f"{side}_foot_yaw", begin, end, self.now["heading"] + sign * yaw)
        if splay is not None:
            self._add(f"{side}_splay", begin, end, splay)
        self._lift(side, begin, end, self.body.ankle + self.mm(height), lift)

    def step(self, side: str, x: float, y: float, yaw: float, duration: float, lift: float = 105.0) -> None:
        """A step of one foot to a place in the world; the stance follows to the middle between the feet."""
        t = self.time
        begin, end = t - 0.03 * duration, t + duration
        self._add(f"{side}_foot_x", begin, end, x)
        self._add(f"{side}_foot_y", begin, end, y)
        sign = 1.0 if side == "left" else -1.0
        self._add(
            f"{side}_foot_yaw", begin, end, self._nearest(self.now[f"{side}_foot_yaw"], yaw + 8.0 * sign)
        )
        self._lift(side, begin, end, self.body.ankle, lift)
        feet = [(self.now[f"{s}_foot_x"], self.now[f"{s}_foot_y"]) for s in SIDES]
        middle = np.mean(feet, 0)
        heading = np.mean([self.now[f"{s}_foot_yaw"] for s in SIDES])
        # The stance moves for twice as long, centred on the swing: successive steps add up to a steady walk.
        before, after = max(t - 0.5 * duration, 0.0), t + 1.5 * duration
        self._add("origin_x", before, after, middle[0])
        self._add("origin_y", before, after, middle[1])
        self._add("heading", before, after, heading)
        self.time += duration

    def turn(self, degrees: float, duration: float = 0.5) -> None:
        """Turn on the spot by small steps."""
        count = max(1, int(np.ceil(abs(degrees) / 40.0)))
        for _ in range(count):
            heading = self.now["heading"] + degrees / count
            leading = "left" if degrees > 0 else "right"
            for side in (leading, other(leading)):
                self.step(side, *self._beside(side, heading), heading, duration, lift=50.0)

    def stroll(
        self,
        seconds: float,
        waypoints: Iterable[np.ndarray],
        *,
        length: float = 560.0,
        tempo: float = 0.55,
        swing: Mapping[str, float] | None = None,
    ) -> None:
        """Walk towards waypoints (mm in the world), one after the other, and stop with the feet side by side.

        `swing` gives the amplitude (degrees) of the arms that swing; an arm not named is left as it is.
        """
        swing = {"left": 20.0, "right": 20.0} if swing is None else swing
        end, side = min(self.time + seconds, self.seconds + 1.0), self.pick(*SIDES)
        waypoints = iter(waypoints)
        goal = next(waypoints)
        rest = {arm: (self.now[f"{arm}_flex"], self.now[f"{arm}_elbow"]) for arm in swing}
        while self.time < end:
            place = np.array([self.now["origin_x"], self.now["origin_y"]])
            if np.hypot(*(goal - place)) < self.mm(600.0):
                goal = next(waypoints, None)
                if goal is None:
                    break
            course = float(np.degrees(np.arctan2(goal[1] - place[1], goal[0] - place[0])))
            heading = self.now["heading"]
            turn = float(np.clip(self._nearest(heading, course) - heading, -24.0, 24.0))
            reach_ahead = self.mm(length) * (1.0 - abs(turn) / 60.0) * self.uniform(0.93, 1.07)
            x, y = self._beside(side, heading + turn, reach_ahead / 2, anchor=other(side))
            duration = tempo * self.uniform(0.96, 1.04)
            self._swing_with(side, rest, swing, duration)
            self.step(side, x, y, heading + 1.6 * turn if abs(turn) > 20 else heading + turn, duration)
            side = other(side)
        heading = self.now["heading"]
        for arm, (flex, elbow) in rest.items():
            self._add(f"{arm}_flex", self.time, self.time + tempo, flex)
            self._add(f"{arm}_elbow", self.time, self.time + tempo, elbow)
        for channel in ("pelvis_yaw", "pelvis_roll", "spine_yaw"):
            self._add(channel, self.time, self.time + tempo, 0.0)
        self.step(side, *self._beside(side, heading, 0.0, anchor=other(side), close=True), heading, tempo)

    def stand(self) -> None:
        """Feet back under the hips, pelvis over them; for the end of sitting and kneeling. Takes no time."""
        for side in SIDES:
            self.plant(
                side, -15.0, 113.0, yaw=8.0, splay=0.0, duration=0.6, start=0.0 if side == "left" else 0.55
            )

    # ------------------------------------------------------------------ sampling
    def sample(self, fps: float) -> dict[str, np.ndarray]:
        """All channels over time, arrays (T,)."""
        count = int(round(self.seconds * fps))
        times = np.arange(count) / fps
        channels = {name: np.full(count, float(self._first[name])) for name in CHANNELS}
        for channel, start, end, change in self._moves:
            phase = np.clip((times - start) / (end - start), 0.0, 1.0)
            channels[channel] += change * phase**3 * (10.0 - 15.0 * phase + 6.0 * phase**2)
        for channel, start, end, amplitude, hertz in self._waves:
            window = np.clip(np.minimum(times - start, end - times) / 0.4, 0.0, 1.0)
            channels[channel] += (
                amplitude * window**2 * (3 - 2 * window) * np.sin(2 * np.pi * hertz * (times - start))
            )
        for channel in CHANNELS:
            for ending, (spread, smoothing) in SWAY.items():
                if channel.endswith(ending):
                    habit = spread * self.rng.normal() if not channel.startswith("pelvis") else 0.0
                    channels[channel] += habit + spread * _sway(self.rng, count, smoothing * fps)
        return channels

    def _add(self, channel: str, start: float, end: float, value: float) -> None:
        change = float(value) - self.now[channel]
        if change:
            self._moves.append((channel, start, end, change))
            self.now[channel] = float(value)

    def _lift(self, side: str, begin: float, end: float, landing: float, lift: float) -> None:
        # Up quickly, down more slowly, as an ankle does.
        channel = f"{side}_foot_z"
        top = max(self.now[channel], landing) + self.mm(lift)
        peak = begin + 0.5 * (end - begin)
        self._add(channel, begin, peak, top)
        self._add(channel, begin + 0.4 * (end - begin), end, landing)

    def _footprint(self, side: str, forward: float, leftward: float) -> dict[str, float]:
        angle = np.radians(self.now["heading"])
        c, s = np.cos(angle), np.sin(angle)
        return {
            f"{side}_foot_x": self.now["origin_x"] + c * forward - s * leftward,
            f"{side}_foot_y": self.now["origin_y"] + s * forward + c * leftward,
        }

    def _beside(self, side, heading, forward=-15.0, anchor=None, close=False) -> tuple[float, float]:
        """Where a foot goes: beside the stance's middle, or ahead of the other foot in a walk."""
        angle = np.radians(heading)
        ahead, left = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
        sign = 1.0 if side == "left" else -1.0
        if anchor is None:
            place = np.array([self.now["origin_x"], self.now["origin_y"]])
            spot = place + sign * 0.85 * self.body.hip * left
        else:
            stance = np.array([self.now[f"{anchor}_foot_x"], self.now[f"{anchor}_foot_y"]])
            width = (1.7 if close else 1.25) * self.body.hip
            spot = stance + sign * width * left + 2.0 * forward * ahead
        return float(spot[0]), float(spot[1])

    def _swing_with(self, side, rest, swing, duration) -> None:
        """Arms against legs, pelvis and shoulders against each other, for one step of `side`."""
        start, end = self.time, self.time + 1.15 * duration
        sign = 1.0 if side == "left" else -1.0
        for arm, amplitude in swing.items():
            ahead = 1.0 if arm != side else -1.0
            self._add(f"{arm}_flex", start, end, rest[arm][0] + amplitude * ahead + 2.0)
            self._add(f"{arm}_elbow", start, end, rest[arm][1] + 0.5 * amplitude * (ahead + 0.6))
        self._add("pelvis_yaw", start, end, -5.0 * sign)
        self._add("spine_yaw", start, end, 9.0 * sign)
        self._add("pelvis_roll", start, end, -2.5 * sign)

    @staticmethod
    def _nearest(present: float, angle: float) -> float:
        """The angle, in degrees, plus the whole turns that bring it nearest to the present one."""
        return present + (angle - present + 180.0) % 360.0 - 180.0


def _sway(rng: np.random.Generator, count: int, width: float) -> np.ndarray:
    """Unit-variance noise smoothed by a Gaussian of `width` frames."""
    reach_ = int(np.ceil(3 * width))
    kernel = np.exp(-0.5 * (np.arange(-reach_, reach_ + 1) / width) ** 2)
    kernel /= np.sqrt((kernel**2).sum())
    return np.convolve(rng.standard_normal(count + 2 * reach_), kernel, mode="valid")
