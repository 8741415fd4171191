"""SURREAL as its archive unpacks: mp4, _info.mat and _segm.mat of small clips of believable people."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from scipy.io import savemat

from lib.data.mannequin import takes

JOINTS = (
    "pelvis left_hip right_hip spine1 left_knee right_knee spine2 left_ankle right_ankle spine3 "
    "left_foot right_foot neck left_collar right_collar head left_shoulder right_shoulder "
    "left_elbow right_elbow left_wrist right_wrist left_hand right_hand"
).split()
WIDTH, HEIGHT = 320, 240
CLIPS = (
    *(("train", "run0", "01_01", 1), ("train", "run0", "01_01", 2), ("train", "run1", "02_03", 1)),
    *(("train", "run2", "18_04", 1), ("train", "run0", "143_21", 1), ("train", "run0", "143_22", 1)),
    *(("test", "run0", "ung_104_02", 1), ("val", "run0", "ung_104_02", 1)),
)


@dataclass(frozen=True)
class Scene:
    """What went into a clip's files: joints3D (T, 24, 3) m, joints2D (T, 24, 2) px, camLoc (3,) m.

    parts (T, 240, 320): each joint's number + 1 on a square around it. grey (T,): of the video's pictures.
    """

    joints_3d: np.ndarray
    joints_2d: np.ndarray
    place: np.ndarray
    parts: np.ndarray
    grey: np.ndarray


def build(
    folder: Path, clips: Sequence[tuple[str, str, str, int]] = CLIPS, frames: int = 4, videos: bool = True
) -> dict[tuple[str, str, str, int], Scene]:
    """Write the clips (split, run, sequence, number) below SURREAL/data/cmu; returns what went in."""
    made = {}
    for number, clip in enumerate(clips):
        split, run, sequence, part = clip
        base = folder / "SURREAL/data/cmu" / split / run / sequence / f"{sequence}_c{part:04d}"
        base.parent.mkdir(parents=True, exist_ok=True)
        made[clip] = scene(frames, number)
        write(base, made[clip], videos)
    return made


def scene(frames: int = 4, seed: int = 0) -> Scene:
    """A person of SMPL's joints, rightly handed, in Blender's world (-Y up), before the file's camera."""
    random = np.random.default_rng(seed)
    take = next(islice(takes("studio", 0), 1))
    start = int(random.integers(len(take.joints) - 5 * frames))
    people = smpl(take.joints[start : start + 5 * frames : 5])
    people = people - people[:1, :1]
    people = people @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]]).T / 1000  # up: z -> -y, a rotation
    angle = random.uniform(0, 2 * np.pi)
    people = people @ np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    place = np.array([random.uniform(7, 8), random.uniform(-0.1, 0.1), random.uniform(-0.3, 0.3)])
    people, place = people.astype(np.float32), place.astype(np.float32)
    pixels = np.round(project(people, place))
    parts = np.zeros((frames, HEIGHT, WIDTH), np.uint8)
    for row, joints in enumerate(pixels.astype(int)):
        for joint, (x, y) in enumerate(joints):
            parts[row, max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3] = joint + 1
    return Scene(people, pixels.astype(np.float32), place, parts, (30 + 20 * np.arange(frames)) % 200)


def project(joints: np.ndarray, place: np.ndarray) -> np.ndarray:
    """The file's camera, coordinate by coordinate: right is -Z, down is Y, forward is -X of the world."""
    x, y, z = np.moveaxis(joints.astype(float) - place, -1, 0)
    return np.stack([600 * -z / -x + 160, 600 * y / -x + 120], axis=-1)


def smpl(joints: np.ndarray) -> np.ndarray:
    """SMPL's 24 joints (T, 24, 3) of Human3.6M's 17, in a world with z up."""
    pelvis, thorax, nose = joints[:, 0], joints[:, 8], joints[:, 9]
    left, up = joints[:, 4] - joints[:, 1], np.array([0, 0, 1.0])
    ahead = np.cross(left, up)
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    named = {
        "pelvis": pelvis, "spine2": joints[:, 7], "neck": thorax, "head": nose,
        "spine1": (pelvis + joints[:, 7]) / 2, "spine3": (thorax + joints[:, 7]) / 2,
    }  # fmt: skip
    for side, hip, shoulder in (("left", 4, 11), ("right", 1, 14)):
        for offset, name in enumerate(("hip", "knee", "ankle")):
            named[f"{side}_{name}"] = joints[:, hip + offset]
        for offset, name in enumerate(("shoulder", "elbow", "wrist")):
            named[f"{side}_{name}"] = joints[:, shoulder + offset]
        named[f"{side}_collar"] = (thorax + named[f"{side}_shoulder"]) / 2
        named[f"{side}_foot"] = named[f"{side}_ankle"] + 130 * ahead - 50 * up
        forearm = named[f"{side}_wrist"] - named[f"{side}_elbow"]
        named[f"{side}_hand"] = named[f"{side}_wrist"] + 0.3 * forearm
    return np.stack([named[name] for name in JOINTS], axis=1)


def write(base: Path, scene: Scene, videos: bool = True, packed: bool = True, **changed) -> None:
    """<base>_info.mat, <base>_segm.mat and <base>.mp4; ``changed`` are other fields of _info.mat."""
    length = len(scene.joints_3d)
    squeeze = (..., 0) if length == 1 else ...  # MATLAB drops a last axis of length 1
    info = {
        "joints2D": scene.joints_2d.transpose(2, 1, 0)[squeeze],
        "joints3D": scene.joints_3d.transpose(2, 1, 0)[squeeze],
        "camLoc": scene.place[:, None], "camDist": 6.0, "zrot": np.zeros((length, 1), np.float32),
        "pose": np.zeros((72, length), np.float32)[squeeze], "shape": np.zeros((10, length), np.float32),
        "gender": np.ones((length, 1), np.uint8), "light": np.zeros((9, length), np.float32),
        "cloth": np.array([["clothes.jpg"] * length], object),
        "bg": np.array([["room.jpg"] * length], object),
        "sequence": base.name, "source": "cmu", "clipNo": 1.0, "stride": 50.0,
    }  # fmt: skip
    info = {name: value for name, value in (info | changed).items() if value is not None}
    savemat(base.with_name(base.name + "_info.mat"), info, do_compression=packed)
    parts = {f"segm_{row + 1}": picture for row, picture in enumerate(scene.parts)}
    savemat(base.with_name(base.name + "_segm.mat"), parts, do_compression=packed)
    if videos:
        write_video(base.with_name(base.name + ".mp4"), scene.grey)


def write_video(path: Path, grey, size: tuple[int, int] = (WIDTH, HEIGHT)) -> None:
    """A video whose pictures are of one grey each, but for a white block in the left upper corner."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(30), options={"preset": "ultrafast", "crf": "10"}
        )
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for value in grey:
            picture = np.full((size[1], size[0], 3), value, np.uint8)
            picture[:40, :40] = 250
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode())
