"""A small MADS, the part by several cameras, in the layout of its download."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.io
from built_mpi_inf_3dhp import camera, draw, people, write_video

# The 19 and 15 joints, as the 17 of Human3.6M; hands and toes go beyond wrist and ankle.
JOINTS_19 = [8, 0, 4, 5, 6, (5, 6), 1, 2, 3, (2, 3), 11, 12, 13, (12, 13), 14, 15, 16, (15, 16), 10]
JOINTS_15 = [8, 0, 4, 5, 6, 1, 2, 3, 11, 12, 13, 14, 15, 16, 10]
TAKES = ("HipHop_HipHop1", "HipHop_HipHop2", "HipHop_HipHop10", "Kata_P3", "Sports_Tennis")
KC = np.array([-0.21, 0.12, 0.0011, -0.0008, 0.01])  # k1 k2 p1 p2 k3
FRAMES = 10


@dataclass(frozen=True)
class Went:
    """What went into one take: H17 joints in the world (mm, y up), and per camera K, rotation vector, T."""

    world: np.ndarray
    cameras: list


def build(folder: Path, pictures: bool = False, takes=TAKES, frames: int = FRAMES, width: int = 128):
    """Write multi_view_data/<category>/...; what went in, by take.

    Kata_P3 has 15 joints. In each take frame 2 has no pose, in frame 4 the left knee is lost and in
    frame 5 the head. pictures: videos of ``width`` px, frame i on grey 10 i + 20; those of camera 1 of
    HipHop_HipHop2 are 3 frames short.
    """
    went = {}
    for number, take in enumerate(takes):
        place = folder / "multi_view_data" / take.split("_")[0]
        place.mkdir(parents=True, exist_ok=True)
        world = people(number)[:frames].copy()
        world[:, 7] = (world[:, 0] + world[:, 8]) / 2
        world[:, 9] = (world[:, 8] + world[:, 10]) / 2
        write_poses(place / f"{take}_GT.mat", world, JOINTS_15 if take == "Kata_P3" else JOINTS_19)
        cameras = []
        for index in range(3):
            size = (width, width * 3 // 4) if pictures else (1024, 768)
            K, R, t = camera(4 * index, size[0], size)
            vector = rotation_vector(R)
            calibration = {"KK": K, "kc": KC[:, None], "om_ext": vector[:, None], "T_ext": t[:, None]}
            calibration |= {"fc": np.diag(K)[:2, None], "cc": K[:2, 2:], "alpha_c": 0.0}
            scipy.io.savemat(place / f"Calib_Cam{index}.mat", calibration)
            cameras.append((K, R, t))
            if pictures:
                pixels = see(world, K, R, t)
                short = 3 if (take, index) == ("HipHop_HipHop2", 1) else 0
                images = [draw(i, pixels[i], size) for i in range(frames - short)]
                write_video(place / f"{take}_C{index}.avi", images)
        went[take] = Went(world, cameras)
    return went


def write_poses(path: Path, world: np.ndarray, joints) -> None:
    cells = np.empty((1, len(world)), object)
    for frame, pose in enumerate(world):
        points = [
            pose[joint] if isinstance(joint, int) else pose[joint[1]] * 1.2 - pose[joint[0]] * 0.2
            for joint in joints
        ]
        cells[0, frame] = np.array(points)
    cells[0, 2][:] = np.nan
    cells[0, 4][joints.index(5)] = np.nan
    cells[0, 5][-1] = np.nan
    scipy.io.savemat(path, {"GTpose2": cells}, do_compression=True)


def rotation_vector(R: np.ndarray) -> np.ndarray:
    """Axis times angle: the eigenvector of eigenvalue 1, by the skew part."""
    from scipy.spatial.transform import Rotation

    return Rotation.from_matrix(R).as_rotvec()


def see(world: np.ndarray, K, R, t, kc=KC) -> np.ndarray:
    """Pixels through a lens with radial and tangential distortion, written out as OpenCV documents it."""
    k1, k2, p1, p2, k3 = kc
    x, y, z = np.moveaxis(world @ R.T + t, -1, 0)
    x, y = x / z, y / z
    r = np.hypot(x, y)
    radial = 1 + k1 * r**2 + k2 * r**4 + k3 * r**6
    u = x * radial + 2 * p1 * x * y + p2 * (r**2 + 2 * x**2)
    v = y * radial + p1 * (r**2 + 2 * y**2) + 2 * p2 * x * y
    return np.stack([K[0, 0] * u + K[0, 2], K[1, 1] * v + K[1, 2]], axis=-1)
