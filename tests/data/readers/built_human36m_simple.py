"""A small simplified Human3.6M, to the layout's letter: 128 x 128 px, masks, and a .mat for each frame."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from built_human36m import CAMERAS, lens_projection, people, stand
from PIL import Image
from scipy.io import savemat

SUBJECTS = ("S1", "S5", "S6", "S7", "S8", "S9", "S11")
TAKES = dict.fromkeys(SUBJECTS, ("Walking", "Posing 1"))
FIRST = 95  # number of the first frame: 95 to 106, where "100" sorts before "95"
BONES = (
    *((0, 1), (1, 2), (2, 3), (0, 6), (6, 7), (7, 8), (0, 12), (12, 13), (13, 14), (14, 15)),
    *((13, 17), (17, 18), (18, 19), (13, 25), (25, 26), (26, 27)),
)


def build(
    folder: Path,
    takes: Mapping[str, Iterable[str]] = TAKES,
    frames: int = 12,
    cameras: Iterable[str] = CAMERAS,
    *,
    pictures: bool = True,
    mask_folder: str = "BackgroudMask",
    brightest: int = 255,
) -> dict[tuple[str, str, str], dict[str, np.ndarray]]:
    """Write human_images and give what went in, by subject, name of the take and camera.

    Each holds ``shares`` (F, 32, 2), x and y of 0 to 1, and, with pictures, ``masks`` (F, 128, 128) and
    ``colours`` (F, 3) of the background. The masks' people have the value ``brightest``.
    """
    built = {}
    for subject, names in takes.items():
        for name in names:
            world = people(subject, name, frames)
            for camera in cameras:
                R, place = stand(subject, camera)
                shares = _cropped(lens_projection((world - place) @ R.T, camera))
                one = built[subject, name, camera] = {"shares": shares}
                place = folder / "human_images" / subject
                for kind in ("Landmarks", *(("WithBackground", mask_folder) if pictures else ())):
                    (place / kind / f"{name}.{camera}").mkdir(parents=True, exist_ok=True)
                for row in range(frames):
                    path = place / "Landmarks" / f"{name}.{camera}" / f"{FIRST + row}.mat"
                    savemat(path, {"keypoints_2d": shares[row, :, ::-1]})
                if pictures:
                    one |= _draw(place, f"{name}.{camera}", shares, mask_folder, brightest)
    return built


def _cropped(pixels: np.ndarray) -> np.ndarray:
    """Joints (F, 32, 2) as shares of a square around all of them, the same for all frames."""
    low, high = pixels.min((0, 1)), pixels.max((0, 1))
    side = 1.2 * (high - low).max()
    return (pixels - (low + high) / 2) / side + 0.5


def _draw(place: Path, name: str, shares: np.ndarray, mask_folder: str, brightest: int) -> dict:
    masks, colours = [], []
    y, x = np.mgrid[:128, :128] + 0.5
    for row, joints in enumerate(128 * shares):
        points = [joints[a] + (joints[b] - joints[a]) * share for a, b in BONES for share in (0, 0.5, 1)]
        mask = np.zeros((128, 128), bool)
        for px, py in points:
            mask |= (abs(x - px) < 4) & (abs(y - py) < 4)
        colour = np.array([40 + 8 * row, 120, 200 - 8 * row], np.uint8)
        picture = np.where(mask[..., None], np.uint8(250), colour)
        file = f"{FIRST + row}"
        Image.fromarray(picture).save(place / "WithBackground" / name / f"{file}.jpg", quality=95)
        Image.fromarray(mask * np.uint8(brightest)).save(place / mask_folder / name / f"{file}.png")
        masks.append(mask)
        colours.append(colour)
    return {"masks": np.array(masks), "colours": np.array(colours)}
