"""Recorded motion of any folder, filmed by the studio's cameras: the clips of the readers of motion files.

A motion file has no camera. As in the files of role motion that `lib.data.collections` makes, a take is
cut at wrong frames and jumps, set down in the room, and seen by the four cameras of
`lib.data.studio`; stretches of a second or more in view of all of them become clips, at about 30
frames a second. How many they are stands in the numbers, not in the file's name, so that every file is
read once to list them and again for its clips.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zlib import crc32

import numpy as np

from lib.data.clip import Clip, DatasetError, action_kind
from lib.data.detector import DetectorNoise, detect
from lib.data.mocap import JUMP, RATE
from lib.data.sources import Options, Source
from lib.data.studio import NEAREST, SHORTEST, STUDIO, StudioCamera, in_view, place, runs
from lib.skeleton import HUMAN36M_17

__all__ = ["MotionFile", "film", "sound_pieces", "stride"]

FILMED = 30.0  # Hz, about
PIECE = 0.5  # s: shorter stretches between wrong frames are left out, as in lib.data.mocap
FAR = 1e6  # mm: nobody is recorded further from the origin
SHORTEST_BONE = 5.0  # mm; shorter, and two joints are one


@dataclass(frozen=True)
class MotionFile:
    """One take: who, what, and how its joints are had.

    read() gives joints (T, 17, 3) mm, z up and floor at z = 0, and the frames a second. glitches:
    (first, last) of wrong frames, numbered from 1. recording: its name for people.
    """

    path: Path
    subject: str
    action: str
    recording: str
    read: Callable[[], tuple[np.ndarray, float]]
    glitches: tuple[tuple[int, int], ...] = ()


def film(files: Iterable[MotionFile], options: Options, notes: list[str]) -> Iterator[Source]:
    """The clips of the files in their order, four cameras a clip; notes what was dropped and cut.

    Actions are numbered within a subject: "Walking", "Walking 2", ... Of the options, ``every`` counts
    the filmed frames. Raises DatasetError for a file that cannot be read.
    """
    used, memory = Counter(), _Last()
    for file in files:
        joints, fps = memory.of(file)
        pieces = list(sound_pieces(joints, fps, file.glitches))
        dropped = len(joints) - sum(stop - first for first, stop in pieces)
        if dropped:
            notes.append(
                f"{file.recording}: {dropped} of {len(joints)} frames dropped as wrong or as too short "
                f"between wrong ones; left in {len(pieces)} piece(s)"
            )
        cut = 0
        for piece in pieces:
            placed, rate = _placed(file, joints, fps, piece)
            cut += len(placed)
            for span in runs(in_view(placed, STUDIO), round(SHORTEST * rate)):
                cut -= span[1] - span[0]
                kind = action_kind(file.action)
                used[file.subject, kind] += 1
                number = used[file.subject, kind]
                action = kind if number == 1 else f"{kind} {number}"
                for camera in STUDIO:
                    read = partial(_clip, file, memory, piece, span, camera, action, options.every)
                    yield Source(file.path, file.subject, action, camera.name, read)
        if cut:
            notes.append(f"{file.recording}: {cut} filmed frames cut as not in view of every camera")


def stride(fps: float) -> int:
    """Each how-many-th frame is filmed."""
    return max(1, round(fps / FILMED))


def sound_pieces(joints: np.ndarray, fps: float, glitches=()) -> Iterator[tuple[int, int]]:
    """(first, stop) of the sound stretches of a take (T, J, 3) in mm: as `lib.data.mocap.pieces`, at any
    rate.
    """
    # Frames and the steps between them on one line: even places are frames, odd places are steps.
    sound = np.ones(2 * len(joints) - 1, bool)
    sound[1::2] = np.linalg.norm(np.diff(joints, axis=0), axis=-1).max(-1) <= JUMP * RATE / fps
    for first, last in glitches:
        sound[2 * (first - 1) : 2 * last - 1] = False
    for first, stop in runs(sound, 1):
        first, stop = (first + 1) // 2, (stop + 1) // 2
        if stop - first >= PIECE * fps:
            yield first, stop


class _Last:
    """The joints of the file that was read last: its clips follow one another."""

    def __init__(self):
        self._file, self._read = None, None

    def of(self, file: MotionFile) -> tuple[np.ndarray, float]:
        if self._file is not file:
            joints, fps = file.read()
            _check(file.path, joints)
            self._file, self._read = file, (joints, fps)
        return self._read


def _check(path: Path, joints: np.ndarray) -> None:
    # The negation takes care of what is not finite as well.
    wrong = ~(np.abs(joints) < FAR).all((1, 2))
    if wrong.any():
        message = f"a joint is {FAR / 1e6:g} km or more from the origin, or nowhere"
        raise DatasetError(f"{path}: joints: frame {wrong.argmax() + 1}: {message}")
    parents, children = np.array(HUMAN36M_17.bones).T
    bones = np.linalg.norm(joints[:, children] - joints[:, parents], axis=-1)
    if (bones < SHORTEST_BONE).any():
        frame, bone = np.argwhere(bones < SHORTEST_BONE)[0]
        name = HUMAN36M_17.joints[children[bone]]
        raise DatasetError(f"{path}: joints: frame {frame + 1}: {name} is at its parent")


def _placed(file: MotionFile, joints: np.ndarray, fps: float, piece) -> tuple[np.ndarray, float]:
    """A piece as it is filmed, somewhere in the room, and its frames a second."""
    step = stride(fps)
    random = np.random.default_rng([0, crc32(f"{file.subject}/{file.recording}".encode())])
    return place(joints[piece[0] : piece[1] : step], random), fps / step


def _clip(
    file: MotionFile, memory: _Last, piece, span, camera: StudioCamera, action: str, every: int
) -> Clip:
    joints, fps = memory.of(file)
    if len(joints) < piece[1]:
        raise DatasetError(f"{file.path}: joints: {len(joints)} frames; the file has changed")
    placed, rate = _placed(file, joints, fps, piece)
    points, pixels = camera.see(placed[span[0] : span[1]])
    if not (points[..., 2] > NEAREST).all():
        raise DatasetError(f"{file.path}: joints: other frames than before; the file has changed")
    random = np.random.default_rng([0, crc32(f"{file.subject}/{action}/{camera.name}".encode())])
    scale = camera.K[0, 0] / points[..., 2].mean(-1)
    detected = detect(pixels, scale, HUMAN36M_17, rate, DetectorNoise(), random)
    return Clip(
        subject=file.subject,
        action=action,
        camera=camera.name,
        fps=rate / every,
        K=camera.K,
        R=camera.R,
        t=camera.t,
        joints_3d=points[::every].astype(np.float32),
        joints_2d=pixels[::every].astype(np.float32),
        detected_2d=detected[::every].astype(np.float32),
        source=file.recording,
    )
