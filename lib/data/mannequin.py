"""The mannequin: generated people who do the fifteen actions of Human3.6M and more, made from a seed.

A stand-in for recorded motion where none can be shipped. It is honest about being generated: bodies
have the proportions of adults, movements the smoothness of recorded ones, feet stay where they are
planted, but nobody ever moved like this. The postures, made by hand, and their order are in
`lib.data.actions`, `seated_actions`, `outdoor_actions` and `postures`; how they are joined is in
`lib.data.motions`; how angles become joints in `lib.data.bodies`. Role `sport` holds separate pictures
of the extreme postures of `lib.data.extreme_actions`, several in a clip; role `bodies` single pictures
of people who stand or walk.
"""

from collections.abc import Iterator
from zlib import crc32

import numpy as np

from lib.data.actions import STUDIO_ACTIONS
from lib.data.bodies import Body, assemble, sample_body
from lib.data.extreme_actions import EXTREME_ACTIONS, pictures
from lib.data.motions import Script
from lib.data.outdoor_actions import OUTDOOR_ACTIONS
from lib.data.studio import Take

__all__ = ["GENERATOR_VERSION", "PICTURES_A_SECOND", "ROLES", "arm_counts", "body_of", "split", "takes"]

GENERATOR_VERSION = "mannequin 1"
FPS = 25.0
SECONDS = 10.0
TAKES = 2  # of each action by each subject
ROLES = {
    "studio": {"train": ("S1", "S5", "S6", "S7", "S8"), "test": ("S9", "S11")},
    "outdoor": {"train": ("C1", "C2", "C3", "C4"), "test": ("C5", "C6")},
    "motion": {"train": ("M1", "M2"), "test": ()},
    "wild": {"train": tuple(f"W{n}" for n in range(1, 7)), "test": ("W7", "W8")},
    "sport": {"train": tuple(f"P{n}" for n in range(1, 13)), "test": tuple(f"P{n}" for n in range(13, 17))},
    "bodies": {"train": tuple(f"B{n}" for n in range(1, 21)), "test": ()},
}
PICTURES = 7  # of each action by each subject of role sport
PICTURES_A_SECOND = 1.0  # the rate that such a clip gives: its pictures are no motion
# What the people of role bodies do: on their feet, arms in all places.
ON_FOOT = (
    *("Directions", "Discussion", "Greeting", "Photo", "Posing", "Purchases", "Waiting"),
    *("WalkDog", "Walking", "WalkTogether"),
)


def split(role: str) -> dict[str, tuple[str, ...]]:
    """Subjects of a role, by part; no subject is in two parts or two roles."""
    if role not in ROLES:
        raise ValueError(f"the mannequin has no role {role!r}; it has {', '.join(ROLES)}")
    return dict(ROLES[role])


def body_of(role: str, subject: str, seed: int) -> Body:
    """The bone lengths of a subject. The statures of a role are spread evenly, in a random order."""
    subjects = sum(split(role).values(), ())
    order = _generator(seed, role).permutation(len(subjects))
    random = _generator(seed, role, subject)
    place = (order[subjects.index(subject)] + random.uniform(0.2, 0.8)) / len(subjects)
    return sample_body(random, place)


def takes(role: str, seed: int) -> Iterator[Take]:
    """All takes of a role: subject by subject, action by action; the same seed gives the same arrays.

    In role wild a subject does every second action, once; in role sport a take is PICTURES separate
    pictures; in role bodies it is one.
    """
    for number, subject in enumerate(sum(split(role).values(), ())):
        body = body_of(role, subject, seed)
        if role == "sport":
            yield from _pictures(subject, body, seed)
        elif role == "bodies":
            yield _picture(subject, body, ON_FOOT[number % len(ON_FOOT)], seed)
        elif role == "wild":
            everything = list((STUDIO_ACTIONS | OUTDOOR_ACTIONS).items())
            yield from _takes(role, subject, body, everything[number % 2 :: 2], 1, seed)
        else:
            actions = OUTDOOR_ACTIONS if role == "outdoor" else STUDIO_ACTIONS
            yield from _takes(role, subject, body, actions.items(), TAKES, seed)


def arm_counts(joints: np.ndarray, within: float = 20.0) -> tuple[int, int]:
    """How many arms of joints (T, 17, 3), world, z up, hang down and how many are stretched out sideways.

    An arm hangs where upper arm and forearm are both within `within` degrees of straight down, and
    is stretched out where both are within as much of the horizontal line through the shoulders,
    outwards.
    """
    across = joints[:, 11] - joints[:, 14]
    across[:, 2] = 0.0
    across = across / np.linalg.norm(across, axis=-1, keepdims=True)
    down = np.broadcast_to([0.0, 0.0, -1.0], across.shape)
    hanging = stretched = 0
    for shoulder, outward in ((11, across), (14, -across)):
        bones = np.diff(joints[:, shoulder : shoulder + 3], axis=1)
        bones = bones / np.linalg.norm(bones, axis=-1, keepdims=True)
        near = np.cos(np.radians(within))
        hanging += int(((bones * down[:, None]).sum(-1) > near).all(-1).sum())
        stretched += int(((bones * outward[:, None]).sum(-1) > near).all(-1).sum())
    return hanging, stretched


def _takes(role: str, subject: str, body: Body, actions, count: int, seed: int) -> Iterator[Take]:
    for action, write in actions:
        for number in range(1, count + 1):
            random = _generator(seed, role, subject, action, str(number))
            joints = _perform(body, write, number, random)
            yield Take(subject, f"{action} {number}", FPS, joints)


def _pictures(subject: str, body: Body, seed: int) -> Iterator[Take]:
    for action in EXTREME_ACTIONS:
        random = _generator(seed, "sport", subject, action)
        yield Take(subject, action, PICTURES_A_SECOND, pictures(body, action, PICTURES, random))


def _picture(subject: str, body: Body, action: str, seed: int) -> Take:
    """One moment of an action, not of its beginning."""
    random = _generator(seed, "bodies", subject)
    joints = _perform(body, STUDIO_ACTIONS[action], 1, random)
    moment = int(random.integers(len(joints) // 4, len(joints)))
    return Take(subject, action, PICTURES_A_SECOND, joints[moment : moment + 1])


def _perform(body: Body, write, number: int, random: np.random.Generator) -> np.ndarray:
    angle = random.uniform(0.0, 2.0 * np.pi)
    place = random.uniform(100.0, 900.0) * np.array([np.cos(angle), np.sin(angle)])
    script = Script(body, random, SECONDS, place, heading=random.uniform(-180.0, 180.0))
    write(script, number)
    return assemble(body, script.sample(FPS))


def _generator(seed: int, *names: str) -> np.random.Generator:
    # crc32, not hash(): the latter differs from one Python process to the next.
    return np.random.default_rng([seed, crc32("/".join(names).encode())])
