"""Recorded motion: takes of the CMU motion capture database as 17 joints.

The 17 joints are ends of bones of the recorded skeleton: the pelvis is the middle of the hip
joints, the spine the end of upperback, neck/nose the end of upperneck, the wrists those of lwrist
and rwrist. The head is the end of the head bone, the middle of the head and not its crown. Files
have y up and 120 frames a second; takes come out with z up, in millimetres, at 30 frames a second
(every fourth frame).

Frames that are wrong in the recording are dropped: those listed in GLITCHES, and whatever lies
between jumps that no joint can make (more than JUMP in a 120th of a second). A take is cut there,
so that none bridges a gap; pieces shorter than SHORTEST are dropped too. How many is counted in
every Recording.

Fourteen subjects are few for five roles. Those of studio, outdoor and motion are apart, and those
of motion (03, 09) are in no other role. Roles wild and sport show subjects of studio and outdoor
again, from other cameras and under other names; who is for testing in one role (29, 127, 07, 13) is
for testing in all, so that no role trains on a subject that another tests on. What is shown of whom
is in CHOSEN. Role wild: dance, sport and what else there is on foot. Role sport: acrobatics, jumps,
martial arts, dance, exercise and balance, as separate pictures of the unusual moments, eight to a
clip.
"""

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data.amc import Acclaim, MotionFileError, bone_ends, read_amc, read_asf
from lib.data.studio import Take, runs
from lib.skeleton import HUMAN36M_17

__all__ = [
    "LICENCE",
    "SUBJECTS",
    "Recording",
    "h17_joints",
    "pieces",
    "recordings",
    "source_folder",
    "split",
    "takes",
    "unusual",
]

RATE = 120.0
KEEP_EVERY = 4
JUMP = 130.0  # mm in 1/120 s, that is 16 m/s; the fastest sound joint here (boxing) makes 110
SHORTEST = 60  # frames of 1/120 s

LICENCE = (
    "CMU Graphics Lab Motion Capture Database: free to use in research and in products; the motion "
    "data itself may not be sold, also not after conversion. Who publishes mails the citation "
    "to jkh+mocap@cs.cmu.edu and acknowledges: The data used in this project was obtained from "
    "mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217."
)

# Role -> subject's name in the dataset -> subject's number at CMU.
SUBJECTS = {
    "studio": {
        "S1": "14",
        "S5": "02",
        "S6": "16",
        "S7": "49",
        "S8": "01",
        "S9": "29",
        "S11": "127",
    },
    "outdoor": {"C05": "05", "C17": "17", "C135": "135", "C07": "07", "C13": "13"},
    "motion": {"C03": "03", "C09": "09"},
    "wild": {f"W{n}": n for n in ("05", "49", "135", "17", "14", "16", "29", "127", "07", "13")},
    "sport": {f"P{n}": n for n in ("01", "02", "05", "17", "49", "135", "127", "13")},
}
TEST_SUBJECTS = {
    "studio": ("S9", "S11"),
    "outdoor": ("C07", "C13"),
    "motion": (),
    "wild": ("W29", "W127", "W07", "W13"),
    "sport": ("P127", "P13"),
}
# Role -> the trials shown in it, by subject's number; of a subject that is not named all are shown.
CHOSEN = {
    "wild": {
        "14": ("07", "12", "24", "27"),
        "16": ("05", "08", "12", "17", "35", "43", "55", "58"),
        "127": ("02", "04", "05", "21", "23", "29"),
    },
    "sport": {
        "01": ("01",),
        "02": ("04", "05", "08"),
        "05": ("02", "03", "05", "10", "14", "16"),
        "17": ("10",),
        "49": ("02", "04", "05", "06", "12", "13", "18", "20", "22"),
        "135": ("04", "07", "09"),
        "127": ("02", "21", "23", "25", "29", "31"),
        "13": ("29",),
    },
}
# Role sport: least frames of 1/120 s between two pictures; pictures to a clip; the rate it gives.
PICTURE_EVERY, PICTURES, PICTURES_A_SECOND = 10, 8, 1.0
# A moment is unusual where the trunk leans more than this, or where a thigh or an upper arm is
# further from hanging; degrees.
UNUSUAL = {"trunk": 30.0, "thigh": 50.0, "arm": 75.0}
ACROBATICS = {"49_06": "Cartwheel", "127_23": "Diving"}  # kinds that the manifest calls sports

# The manifest's kinds of action -> names in the style of Human3.6M.
ACTIONS = {
    "walking": "Walking",
    "walking with turns": "WalkingTurns",
    "running": "Running",
    "jumping": "Jumping",
    "sports": "Sports",
    "dancing": "Dancing",
    "climbing": "Climbing",
    "picking up": "PickingUp",
    "household/self-care": "Household",
    "sitting/standing up": "Sitting",
    "sitting (hand on chin)": "Sitting",
    "eating/drinking (hand-to-mouth)": "Eating",
    "reaching/stretching": "Reaching",
    "stretching/exercise": "Exercise",
    "waiting/idle (standing, laughing)": "Waiting",
    "directing/pointing/waving": "Directing",
    "greeting/gesturing": "Gesturing",
    "posing": "Posing",
    "posing (calibration pose)": "Posing",
}

# Wrong frames of the recordings themselves, numbered from 1, both ends included.
GLITCHES = {
    "03_02": ((1, 50),),  # no arm data yet
    "16_15": ((1, 2),),  # left arm elsewhere
    "05_05": ((322, 390), (874, 874)),  # right thigh flips
    "05_10": ((244, 253),),
    "05_16": ((202, 219), (329, 343), (466, 466)),
}

# H17 joint -> bones whose ends it is the mean of.
H17_BONES = {
    "pelvis": ("lhipjoint", "rhipjoint"),
    "spine": ("upperback",),
    "thorax": ("thorax",),
    "nose": ("upperneck",),
    "head": ("head",),
    "right_hip": ("rhipjoint",),
    "right_knee": ("rfemur",),
    "right_ankle": ("rtibia",),
    "left_hip": ("lhipjoint",),
    "left_knee": ("lfemur",),
    "left_ankle": ("ltibia",),
    "left_shoulder": ("lclavicle",),
    "left_elbow": ("lhumerus",),
    "left_wrist": ("lwrist",),
    "right_shoulder": ("rclavicle",),
    "right_elbow": ("rhumerus",),
    "right_wrist": ("rwrist",),
}


@dataclass(frozen=True)
class Recording:
    """One file: joints (T, 17, 3) mm at 120 Hz, z up; its sound pieces as (first, stop) frames."""

    subject: str
    action: str
    trial: str
    joints: np.ndarray
    pieces: tuple[tuple[int, int], ...]
    pictures: bool = False  # shown as separate pictures

    @property
    def dropped(self) -> int:
        """Frames in no piece."""
        return len(self.joints) - sum(stop - first for first, stop in self.pieces)

    def takes(self) -> Iterator[Take]:
        """The pieces at 30 Hz, or their unusual moments as clips of a few pictures.

        All have the CMU subject and trial as their ``source``.
        """
        source = f"CMU {self.trial}"
        if not self.pictures:
            for first, stop in self.pieces:
                joints = self.joints[first:stop:KEEP_EVERY]
                yield Take(self.subject, self.action, RATE / KEEP_EVERY, joints, source)
            return
        joints = np.concatenate(
            [self.joints[first:stop:PICTURE_EVERY] for first, stop in self.pieces]
        )
        joints = joints[unusual(joints)]
        for start in range(0, len(joints), PICTURES):
            few = joints[start : start + PICTURES]
            yield Take(self.subject, self.action, PICTURES_A_SECOND, few, source)


def source_folder() -> Path:
    """The folder of the recordings: $CMU_MOCAP, else data/cmu_mocap, else ../shared/data/cmu_mocap.

    Raises FileNotFoundError, saying where it looked.
    """
    repository = Path(__file__).resolve().parents[2]
    places = [repository / "data/cmu_mocap", repository.parent / "shared/data/cmu_mocap"]
    if os.environ.get("CMU_MOCAP"):
        places = [Path(os.environ["CMU_MOCAP"])]
    for place in places:
        if (place / "MANIFEST.csv").is_file():
            return place
    looked = ", ".join(map(str, places))
    raise FileNotFoundError(
        f"no CMU recordings (MANIFEST.csv) in {looked}; set CMU_MOCAP to their folder"
    )


def split(role: str) -> dict[str, tuple[str, ...]]:
    """Subjects of a role, by part; no subject is in two parts."""
    test = TEST_SUBJECTS[role]
    return {"train": tuple(name for name in SUBJECTS[role] if name not in test), "test": test}


def takes(role: str, folder: str | Path | None = None) -> Iterator[Take]:
    """The sound pieces of all of a role's recordings, at 30 Hz; in role sport as pictures."""
    for recording in recordings(role, folder):
        yield from recording.takes()


def recordings(role: str, folder: str | Path | None = None) -> Iterator[Recording]:
    """The recordings of a role's subjects in the manifest's order, each with its sound pieces.

    Raises MotionFileError for a manifest that lacks a subject or names an unknown kind of action,
    for a faulty motion file, and for one that is not as long as the manifest says.
    """
    folder = Path(folder) if folder is not None else source_folder()
    manifest = folder / "MANIFEST.csv"
    with open(manifest, newline="") as file:
        rows = [
            (line, row)
            for line, row in enumerate(csv.DictReader(file), start=2)
            if row["format"] == "amc"
        ]
    for subject, number in SUBJECTS[role].items():
        chosen = CHOSEN.get(role, {}).get(number)
        mine = [
            (line, row)
            for line, row in rows
            if row["subject"] == number and (chosen is None or row["trial"] in chosen)
        ]
        if not mine:
            raise MotionFileError(manifest, 1, f"no recording of subject {number}")
        skeleton = read_asf(folder / mine[0][1]["skeleton_file"])
        for line, row in mine:
            if row["action_kind"] not in ACTIONS:
                raise MotionFileError(
                    manifest, line, f"unknown kind of action {row['action_kind']!r}"
                )
            trial = f"{number}_{row['trial']}"
            motion = read_amc(folder / row["file"], skeleton)
            if len(motion) != int(row["frames"]):
                message = f"{len(motion)} frames, {row['frames']} in the manifest; truncated?"
                raise MotionFileError(folder / row["file"], 0, message)
            joints = h17_joints(skeleton, motion)
            kind = ACTIONS[row["action_kind"]]
            yield Recording(
                subject,
                ACROBATICS.get(trial, kind) if role in CHOSEN else kind,
                trial,
                joints,
                tuple(pieces(joints, GLITCHES.get(trial, ()))),
                pictures=role == "sport",
            )


def h17_joints(skeleton: Acclaim, motion: np.ndarray) -> np.ndarray:
    """(T, 17, 3) mm, z up, from an AMC's channels; MotionFileError where a bone is missing."""
    ends = bone_ends(skeleton, motion)
    joints = np.empty((len(ends), len(HUMAN36M_17.joints), 3))
    for joint, name in enumerate(HUMAN36M_17.joints):
        missing = [bone for bone in H17_BONES[name] if bone not in skeleton.names]
        if missing:
            raise MotionFileError(
                skeleton.path, 0, f"no bone {missing[0]}, which {name} is made from"
            )
        joints[:, joint] = ends[:, [skeleton.names.index(bone) for bone in H17_BONES[name]]].mean(1)
    # y up to z up, a quarter turn about x: (x, y, z) -> (x, -z, y).
    return np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1)


def unusual(joints: np.ndarray) -> np.ndarray:
    """(T,) whether somebody (T, 17, 3), z up, leans or raises a leg or an arm beyond UNUSUAL."""

    def beyond(start: int, end: int, way: float, limit: float) -> np.ndarray:
        bone = joints[:, end] - joints[:, start]
        return way * bone[:, 2] < np.cos(np.radians(limit)) * np.linalg.norm(bone, axis=-1)

    limbs = [(0, 8, 1.0, UNUSUAL["trunk"])]
    limbs += [(hip, hip + 1, -1.0, UNUSUAL["thigh"]) for hip in (1, 4)]
    limbs += [(shoulder, shoulder + 1, -1.0, UNUSUAL["arm"]) for shoulder in (11, 14)]
    return np.any([beyond(*limb) for limb in limbs], axis=0)


def pieces(joints: np.ndarray, glitches=()) -> Iterator[tuple[int, int]]:
    """(first, stop) of the sound stretches of a recording (T, J, 3) in mm at 120 Hz.

    A stretch ends before a listed glitch, (first, last) numbered from 1, and where any joint moves
    more than JUMP from one frame to the next.
    """
    # Frames and the steps between them on one line: even places are frames, odd places are steps.
    sound = np.ones(2 * len(joints) - 1, bool)
    sound[1::2] = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(-1) <= JUMP
    for first, last in glitches:
        sound[2 * (first - 1) : 2 * last - 1] = False
    for first, stop in runs(sound, 1):
        first, stop = (first + 1) // 2, (stop + 1) // 2
        if stop - first >= SHORTEST:
            yield first, stop
