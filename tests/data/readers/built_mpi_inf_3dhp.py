"""A small MPI-INF-3DHP in the layout of its download, with people of the mannequin in it."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import h5py
import numpy as np
import scipy.io

# Where each of the 28 joints lies: at one of the 17 (a number), or a share of the way between two.
PELVIS, SPINE, THORAX, NOSE, HEAD = 0, 7, 8, 9, 10
LEFT, RIGHT = {"hip": 4, "shoulder": 11}, {"hip": 1, "shoulder": 14}


def _side(side):
    hip, shoulder = side["hip"], side["shoulder"]
    arm = [(THORAX, shoulder, 0.3), shoulder, shoulder + 1, shoulder + 2, (shoulder + 1, shoulder + 2, 1.3)]
    leg = [hip, hip + 1, hip + 2, (hip + 1, hip + 2, 1.1), (hip + 1, hip + 2, 1.2)]
    return arm, leg


JOINTS_28 = [
    *((SPINE, THORAX, 0.6), (SPINE, THORAX, 0.8), (SPINE, THORAX, 0.3), SPINE, PELVIS, THORAX, NOSE, HEAD),
    *(_side(LEFT)[0] + _side(RIGHT)[0] + _side(LEFT)[1] + _side(RIGHT)[1]),
]
# The test set's 17 joints, as the 17 of Human3.6M.
JOINTS_17 = [HEAD, THORAX, 14, 15, 16, 11, 12, 13, 1, 2, 3, 4, 5, 6, PELVIS, SPINE, NOSE]
UNIVERSAL = 0.92
CAMERAS = range(14)
FRAMES = 12


@dataclass(frozen=True)
class Went:
    """What went into one camera of one sequence: joints of Human3.6M, camera mm and px, and the camera."""

    joints_3d: np.ndarray
    joints_2d: np.ndarray
    K: np.ndarray
    R: np.ndarray
    t: np.ndarray
    valid: np.ndarray | None = None
    activity: np.ndarray | None = None


def build(
    folder: Path,
    pictures: bool = False,
    sequences=(("S1", 1), ("S1", 2), ("S2", 1), ("S6", 2)),
    tests=("TS1", "TS5"),
    frames: int = FRAMES,
    side: int = 128,
) -> dict[tuple, Went]:
    """Write S<n>/Seq<n> and mpi_inf_3dhp_test_set/TS<n>; what went in, by (subject, sequence, camera).

    pictures: videos of ``side`` px with masks, and the test set's pictures in their own size, with frame
    i on grey 10 i + 20. The video of camera 2 of S6 Seq2 is 4 frames short, as the true one is too short.
    """
    went = {}
    for number, (subject, sequence) in enumerate(sequences):
        world = people(number)[:frames]
        place = folder / subject / f"Seq{sequence}"
        cameras = [camera(index, side if pictures else 2048) for index in CAMERAS]
        seen = [film(world, *one) for one in cameras]
        write_train(place, seen, cameras, side if pictures else 2048)
        for index, (points, pixels) in enumerate(seen):
            K, R, t = cameras[index]
            went[subject, sequence, index] = Went(points[:, :17], pixels[:, :17], K, R, t)
            if pictures and index in (0, 1, 2, 4, 5, 6, 7, 8):
                short = 4 if (subject, sequence, index) == ("S6", 2, 2) else 0
                for kind in ("imageSequence", "FGmasks"):
                    images = [
                        draw(i if kind == "imageSequence" else None, pixels[i, :17], (side, side))
                        for i in range(frames - short)
                    ]
                    write_video(place / kind / f"video_{index}.avi", images)
    for number, subject in enumerate(tests):
        size = (1920, 1080) if subject in ("TS5", "TS6") else (2048, 2048)
        K, R, t = camera(3 + number, size[0], size)
        activity = np.repeat([3, 7, 3, 1], [4, 3, 5, 2])
        points, pixels = film(people(5 + number)[: len(activity)], K, R, t)
        valid = np.arange(len(activity)) % 3 != 1
        valid[-2:] = False
        place = folder / "mpi_inf_3dhp_test_set" / subject
        write_test(place, points, pixels, valid, activity)
        went[subject] = Went(points[:, :17], pixels[:, :17], K, R, t, valid, activity)
        if pictures:
            write_pictures(place / "imageSequence", pixels[:, :17], size)
    return went


@cache
def people(number: int) -> np.ndarray:
    """Joints (60, 17, 3) of one person, world mm, y up, as in this data set."""
    take = takes()[number % 3]
    take = take[20 * number : 20 * number + 60]
    take = take - take[:1, :1] * (1, 1, 0)
    return np.stack([take[..., 0], take[..., 2], -take[..., 1]], axis=-1)


@cache
def takes() -> list[np.ndarray]:
    from lib.data import mannequin

    return [take.joints for take in islice(mannequin.takes("outdoor", 0), 3)]


def camera(index: int, side: int, size=None):
    """K, R, t of a camera on a circle around the room, of pictures of ``side`` px."""
    width, height = size or (side, side)
    angle = 2 * np.pi * index / 14 + 0.2
    position = np.array([3600 * np.cos(angle), 1200 + 100 * index, 3600 * np.sin(angle)])
    forward = np.array([0.0, 950.0, 0.0]) - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    # Rounded as in the file, whose numbers have six digits or so.
    K = np.array([[0.732 * side, 0, width / 2 + 0.004 * side], [0, 0.731 * side, height / 2], [0, 0, 1]])
    return K.round(3), R, (-R @ position).round(3)


def film(world, K, R, t):
    """28 joints in the camera (the 17 of Human3.6M first, then the 28), and their pixels."""
    points = np.concatenate([world, extend(world)], axis=1) @ R.T + t
    pixels = points @ K.T
    return points, pixels[..., :2] / pixels[..., 2:]


def extend(points: np.ndarray) -> np.ndarray:
    rows = [(one, one, 0.0) if isinstance(one, int) else one for one in JOINTS_28]
    return np.stack([points[:, a] + share * (points[:, b] - points[:, a]) for a, b, share in rows], axis=1)


def write_train(folder: Path, seen, cameras, side: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    frames = len(seen[0][0])
    cells = {name: np.empty((14, 1), object) for name in ("annot2", "annot3", "univ_annot3")}
    for index, (points, pixels) in enumerate(seen):
        cells["annot2"][index, 0] = pixels[:, 17:].reshape(frames, 56)
        cells["annot3"][index, 0] = points[:, 17:].reshape(frames, 84)
        cells["univ_annot3"][index, 0] = UNIVERSAL * points[:, 17:].reshape(frames, 84)
    numbers = {"cameras": np.arange(14.0)[None], "frames": np.arange(float(frames))[:, None]}
    scipy.io.savemat(folder / "annot.mat", cells | numbers, do_compression=True)
    (folder / "camera.calibration").write_text(calibration(cameras, side))


def calibration(cameras, side: int) -> str:
    lines = ["Skeletool Camera Calibration File V1.0"]
    for index, (K, R, t) in enumerate(cameras):
        intrinsic, extrinsic = np.eye(4), np.eye(4)
        intrinsic[:3, :3], extrinsic[:3, :3], extrinsic[:3, 3] = K, R, t
        lines += [
            f"name          {index}",
            "  sensor      10 10",
            f"  size        {side} {side}",
            "  animated    0",
            "  intrinsic   " + " ".join(f"{value:.8g}" for value in intrinsic.ravel()),
            "  extrinsic   " + " ".join(f"{value:.7g}" for value in extrinsic.ravel()) + " ",
            "  radial      0",
        ]
    return "\n".join(lines) + "\n"


def write_test(folder: Path, points, pixels, valid, activity) -> None:
    """annot_data.mat as MATLAB 7.3 writes it: HDF5 behind a header of 512 bytes, axes reversed."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "annot_data.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        kept = {"annot2": pixels, "annot3": points, "univ_annot3": UNIVERSAL * points}
        for name, values in kept.items():
            file.create_dataset(name, data=values[:, :17][:, JOINTS_17][:, None], compression="gzip")
        file.create_dataset("valid_frame", data=valid.astype(float)[:, None])
        file.create_dataset("activity_annotation", data=activity.astype(float)[:, None])
        file.create_dataset("bb_crop", data=np.zeros((len(valid), 34)))
    with open(path, "r+b") as file:
        text = (
            b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jun 19 12:00:00 2017 HDF5 schema 1.00 ."
        )
        file.write(text.ljust(116) + bytes(8) + b"\x00\x02IM")


def draw(index: int | None, pixels: np.ndarray, size):
    """An image: frame ``index``, grey with a person; or for None the mask, a red person on black."""
    from PIL import Image, ImageDraw

    from lib.skeleton import HUMAN36M_17

    back, front = ((0,) * 3, (255, 0, 0)) if index is None else ((10 * index + 20,) * 3, (230, 190, 160))
    image = Image.new("RGB", size, back)
    pen = ImageDraw.Draw(image)
    for parent, child in HUMAN36M_17.bones:
        ends = [tuple(pixels[joint]) for joint in (parent, child)]
        pen.line(ends, fill=front, width=max(3, size[0] // 40))
    return image


def write_video(path: Path, images) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(25))
        stream.width, stream.height = images[0].size
        stream.pix_fmt, stream.bit_rate = "yuv420p", 4_000_000
        stream.codec_context.thread_count = 1
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_image(image)))
        container.mux(stream.encode(None))


def write_pictures(folder: Path, pixels: np.ndarray, size) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(len(pixels)):
        draw(index, pixels[index], size).save(folder / f"img_{index + 1:06d}.jpg", quality=70)
