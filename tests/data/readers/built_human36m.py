"""Small downloads of Human3.6M, to the layout's letter: `build` writes the folders of the official site.

What went in is computed here, without the code under test: the published numbers of the four cameras as
metadata.xml has them, where they stood for S1 as published elsewhere (quaternions), and the lens written out
coordinate by coordinate.
"""

import functools
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import av
import h5py
import numpy as np
from cdflib.cdfwrite import CDF
from scipy.spatial.transform import Rotation

from lib.data import mannequin
from lib.skeleton import HUMAN36M_17

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
CAMERAS = ("54138969", "55011271", "58860488", "60457274")
SIZES = {
    "54138969": (1000, 1002),
    "55011271": (1000, 1000),
    "58860488": (1000, 1000),
    "60457274": (1000, 1002),
}
# fx fy cx cy k1 k2 k3 and the tangential pair in w0's order.
W0_LENSES = {
    "54138969": (1145.04944, 1143.78113, 512.541504, 515.451477, -0.207098916, 0.247775182, -0.00307515031,
                 -0.00142447161, -0.000975698873),
    "55011271": (1149.67566, 1147.59167, 508.848633, 508.064911, -0.194213629, 0.240408540, 0.00681997556,
                 -0.00274089444, -0.00161902665),
    "58860488": (1149.14075, 1148.79895, 519.815857, 501.402649, -0.208338186, 0.255488008, -0.00246049743,
                 -0.000759999326, 0.00148438697),
    "60457274": (1145.51135, 1144.77393, 514.968201, 501.882019, -0.198384091, 0.218323678, -0.00894780736,
                 -0.00181336200, -0.000587205578),
}  # fmt: skip
# Camera-to-world quaternions (w x y z) and places in mm, of S1.
STANDS = {
    "54138969": (
        (0.1407056451, -0.1500701755, -0.7552407980, 0.6223280430),
        (1841.10706, 4955.28467, 1563.44543),
    ),
    "55011271": (
        (0.6157187820, -0.7648363113, -0.1483382583, 0.1179474071),
        (1761.27856, -5078.00684, 1606.26501),
    ),
    "58860488": (
        (0.1465147287, -0.1464785188, 0.7653023601, -0.6094175577),
        (-1846.77771, 5215.04639, 1491.97241),
    ),
    "60457274": (
        (0.5834008455, -0.7853162289, 0.1454882324, -0.1474959403),
        (-1794.78967, -3722.69897, 1574.89270),
    ),
}
# The takes as the files of each subject number them, traps included; a few of the thirty of each.
TAKES = {
    "S1": ("TakingPhoto", "TakingPhoto 1"),
    "S5": ("Discussion 2", "Discussion 3"),
    "S6": ("Photo 1",),
    "S7": ("WalkDog",),
    "S8": ("WalkTogether 1", "WalkTogether 2"),
    "S9": ("Greeting", "Greeting 1", "SittingDown", "SittingDown 1", "Waiting", "Waiting 1"),
    "S11": ("Directions", "Directions 1"),
}
# Places of the 17 joints among the 32.
KEPT = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)
TWINS = {11: 0, 16: 13, 20: 19, 24: 13, 28: 27}  # joints that stand where another does
TIPS = {4: 3, 5: 3, 9: 8, 10: 8, 21: 19, 22: 19, 23: 19, 29: 27, 30: 27, 31: 27}  # near another
BT601 = np.array([[65.7, 129.1, 25.1], [-37.9, -74.5, 112.4], [112.4, -94.2, -18.3]]) / 256
UNIVERSAL = 1.04  # how much larger the one body for all is here


@dataclass(frozen=True)
class Built:
    """What went into the files of one take and camera, all F frames and 32 joints."""

    world: np.ndarray
    joints: np.ndarray
    universal: np.ndarray
    pixels: np.ndarray


def build(
    folder: Path,
    takes: Mapping[str, Iterable[str]] = TAKES,
    frames: int = 12,
    cameras: Iterable[str] = CAMERAS,
    *,
    layout: str = "official",
    kinds: Iterable[str] = ("D2_Positions", "D3_Positions_mono"),
    metadata: bool = True,
    videos: bool = False,
    masks: bool = False,
    longer: int = 2,
) -> dict[tuple[str, str, str], Built]:
    """Write a download and give what went in, by subject, name of the take and camera.

    layout: "official" (S1/MyPoseFeatures/...) or "extracted" (extracted/S1/Poses_...). kinds: of poses.
    Videos have the cameras' own sizes, ``longer`` frames more than there are poses, `colour` behind and
    `silhouette` before it; they take a tenth of a second each. Masks are `silhouette`.
    """
    built = {}
    kinds, cameras = tuple(kinds), tuple(cameras)
    root = folder if layout == "official" else folder / "extracted"
    if metadata:
        root.mkdir(parents=True, exist_ok=True)
        (root / "metadata.xml").write_text(metadata_xml())
    for subject, names in takes.items():
        for name in names:
            world = people(subject, name, frames)
            for camera in cameras:
                built[subject, name, camera] = one = see(subject, camera, world)
                arrays = {
                    "D3_Positions_mono": one.joints,
                    "D3_Positions_mono_universal": one.universal,
                    "D2_Positions": one.pixels,
                }
                for kind in kinds:
                    if kind in arrays:
                        path = pose_folder(root, subject, kind) / f"{name}.{camera}.cdf"
                        write_cdf(path, arrays[kind].reshape(1, frames, -1))
                if videos:
                    path = root / subject / "Videos" / f"{name}.{camera}.mp4"
                    write_video(path, SIZES[camera], one.pixels, frames + longer)
                if masks:
                    path = root / subject / "MySegmentsMat" / "ground_truth_bs" / f"{name}.{camera}.mat"
                    write_masks(path, [silhouette(one.pixels[f], SIZES[camera]) for f in range(frames)])
            if "D3_Positions" in kinds:
                write_cdf(
                    pose_folder(root, subject, "D3_Positions") / f"{name}.cdf",
                    world.reshape(1, frames, -1),
                )
    return built


def pose_folder(root: Path, subject: str, kind: str) -> Path:
    prefix = "Poses_" if root.name == "extracted" else "MyPoseFeatures/"
    return root / subject / f"{prefix}{kind}"


def every_action(subjects: Iterable[str] = SUBJECTS, count: int = 15) -> dict[str, tuple[str, ...]]:
    """Two takes of the first ``count`` of the fifteen actions for each subject, by simple names."""
    actions = (
        *(
            "Walking",
            "Sitting",
            "Directions",
            "Discussion",
            "Eating",
            "Greeting",
            "Phoning",
            "Posing",
            "Purchases",
        ),
        *("SittingDown", "Smoking", "Photo", "Waiting", "WalkDog", "WalkTogether"),
    )[:count]
    names = tuple(f"{action}{number}" for action in actions for number in (" 2", " 3"))
    return dict.fromkeys(subjects, names)


@functools.cache
def _mannequin() -> tuple[np.ndarray, ...]:
    return tuple(take.joints for take in itertools.islice(mannequin.takes("studio", 0), 6))


def people(subject: str, name: str, frames: int) -> np.ndarray:
    """(F, 32, 3) mm in the world: another body for each subject, another movement for each take."""
    number = int(subject[1:])
    random = np.random.default_rng([number, *name.encode()])
    recorded = _mannequin()[random.integers(6)]
    joints = recorded[np.arange(random.integers(60), 250)[:frames] % len(recorded)].copy()
    joints[..., :2] -= joints[:, :1, :2].mean(0) + random.uniform(-300, 300, 2)
    joints *= 0.95 + 0.01 * number
    full = np.empty((frames, 32, 3))
    full[:, KEPT] = joints
    for joint, twin in TWINS.items():
        full[:, joint] = full[:, twin]
    for joint, near in TIPS.items():
        full[:, joint] = full[:, near] + random.uniform(-60, 60, 3)
    return full


def stand(subject: str, camera: str) -> tuple[np.ndarray, np.ndarray]:
    """World-to-camera rotation and the camera's place in the world, a little different for each subject."""
    (w, x, y, z), place = STANDS[camera]
    rotation = Rotation.from_quat([x, y, z, w]).inv().as_matrix()
    return rotation, np.array(place) + 10.0 * int(subject[1:])


def lens_projection(points: np.ndarray, camera: str, swapped: bool = False) -> np.ndarray:
    """Pixels by the data set's formula, written out; swapped: the tangential pair in the wrong order."""
    fx, fy, cx, cy, k1, k2, k3, second, first = W0_LENSES[camera]
    if swapped:
        first, second = second, first
    x, y = points[..., 0] / points[..., 2], points[..., 1] / points[..., 2]
    square = x * x + y * y
    radial = 1 + k1 * square + k2 * square**2 + k3 * square**3
    tangential = first * x + second * y
    u = fx * (x * (radial + tangential) + first * square) + cx
    v = fy * (y * (radial + tangential) + second * square) + cy
    return np.stack([u, v], -1)


def see(subject: str, camera: str, world: np.ndarray) -> Built:
    rotation, place = stand(subject, camera)
    joints = (world - place) @ rotation.T
    universal = joints[:, :1] + UNIVERSAL * (joints - joints[:, :1])
    return Built(world, joints, universal, lens_projection(joints, camera))


def metadata_xml() -> str:
    """metadata.xml as far as it is read: w0 among other elements."""
    numbers = []
    for camera in CAMERAS:
        for number in range(1, 12):
            rotation, place = stand(f"S{number}", camera)
            numbers += [*Rotation.from_matrix(rotation).as_euler("XYZ"), *place]
    for camera in CAMERAS:
        numbers += W0_LENSES[camera]
    w0 = " ".join(f"{number:.12g}" for number in numbers)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<root>\n'
        "  <mapping><tr><td /><td /><td>S1</td></tr></mapping>\n"
        f"  <dbcameras><index2id><td>54138969</td></index2id></dbcameras>\n  <w0>[{w0}]</w0>\n</root>\n"
    )


def write_cdf(path: Path, values: np.ndarray, variable: str = "Pose", compress: int = 0, **spec) -> None:
    """A CDF file with one variable of one record for each row of ``values``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    file = CDF(str(path), cdf_spec={"Majority": "row_major", "Encoding": 6} | spec)
    number = {"f4": 44, "f8": 45, "i4": 4}[values.dtype.str[1:]]
    file.write_var(
        {
            "Variable": variable,
            "Data_Type": number,
            "Num_Elements": 1,
            "Rec_Vary": True,
            "Dim_Sizes": list(values.shape[1:]),
            "Compress": compress,
        },
        var_data=values,
    )
    file.close()


def colour(frame: int, size: tuple[int, int]) -> np.ndarray:
    """(3,) RGB of a frame's background: it tells the frame, and the camera's size."""
    return np.array([20.0 + 10 * (frame % 20), 100 if size[1] == 1002 else 180, 200 - 8 * (frame % 20)])


def write_video(path: Path, size: tuple[int, int], pixels: np.ndarray, frames: int) -> None:
    """A video of ``frames`` frames of a bright figure before one colour; the last pose stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=50)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.qmin, stream.codec_context.qmax = 2, 4
        for frame in range(frames):
            # Brightness and two planes of colour at half the size (ITU-R BT.601): quicker than RGB.
            y, u, v = np.array([16, 128, 128]) + BT601 @ colour(frame, size)
            planes = np.empty((size[1] * 3 // 2, size[0]), np.uint8)
            planes[: size[1]] = np.where(
                silhouette(pixels[min(frame, len(pixels) - 1)], size), 230, round(y)
            )
            planes[size[1] :].reshape(2, -1)[:] = [[round(u)], [round(v)]]
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
        container.mux(stream.encode())


def silhouette(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W) bool: squares along the bones of the joints (32, 2)."""
    joints = pixels[list(KEPT)]
    parents, children = np.array(HUMAN36M_17.bones).T
    along = np.linspace(0, 1, 10)[:, None, None]
    points = np.rint(joints[parents] * (1 - along) + joints[children] * along).astype(int).reshape(-1, 2)
    mask = np.zeros((size[1], size[0]), bool)
    for x, y in points:
        mask[max(0, y - 14) : max(0, y + 14), max(0, x - 14) : max(0, x + 14)] = True
    return mask


def write_masks(path: Path, masks: Iterable[np.ndarray]) -> None:
    """A MATLAB 7.3 file with a cell array Masks (F, 1): references to the masks, stored transposed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    masks = list(masks)
    with h5py.File(path, "w", userblock_size=512) as file:
        group = file.create_group("#refs#")
        cells = file.create_dataset("Masks", (len(masks), 1), h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_("cell")
        for index, mask in enumerate(masks):
            stored = group.create_dataset(f"m{index}", data=mask.T.astype(np.uint8), compression=1)
            stored.attrs["MATLAB_class"] = np.bytes_("logical")
            cells[index, 0] = stored.ref
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    with open(path, "r+b") as file:
        file.write(header)
