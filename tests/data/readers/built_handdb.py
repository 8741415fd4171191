"""HandDB as its three archives unpack: folders of .json beside .jpg, and one .json for the dome's hands."""

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from lib.data.hands import clips

FOLDERS = {
    "manual_train": "hand_labels/manual_train",
    "manual_test": "hand_labels/manual_test",
    "synth1": "hand_labels_synth/synth1",
    "synth2": "hand_labels_synth/synth2",
    "synth3": "hand_labels_synth/synth3",
    "synth4": "hand_labels_synth/synth4",
    "panoptic": "hand143_panopticdb",
}
WRIST = (250, 250, 40)  # colour of the block around the wrist


@dataclass(frozen=True)
class Hand:
    """points (21, 2) px as in the file, labelled (21,), which hand, and (width, height) of its picture."""

    points: np.ndarray
    labelled: np.ndarray
    left: bool
    size: tuple[int, int]


def build(
    folder: Path, count: int = 6, subjects=tuple(FOLDERS), pictures: bool = True
) -> dict[str, list[Hand]]:
    """Write ``count`` hands for each subject; every third is a left hand, every second lacks a few joints."""
    random = np.random.default_rng(5)
    poses = next(islice(clips(0), 1)).joints_2d
    made = {}
    for subject in subjects:
        base = folder / FOLDERS[subject]
        (base / "imgs" if subject == "panoptic" else base).mkdir(parents=True, exist_ok=True)
        made[subject], entries = [], []
        for number in range(count):
            hand = _hand(poses[random.integers(len(poses))], number, random)
            made[subject].append(hand)
            values = np.concatenate([hand.points, hand.labelled[:, None]], axis=1)
            values[~hand.labelled] = 0
            name = f"{number:08d}"
            if subject == "panoptic":
                picture = base / f"imgs/{name}.jpg"
                entry = {
                    "dataset": "hand143", "img_paths": f"imgs/{name}.jpg", "joint_self": values.tolist(),
                    "img_width": float(hand.size[0]), "img_height": float(hand.size[1]), "isValidation": 0.0,
                }  # fmt: skip
                if hand.left:
                    entry["is_left"] = 1
                entries.append(entry)
            else:
                picture = base / f"{name}_{'l' if hand.left else 'r'}.jpg"
                entry = {"hand_pts": values.tolist(), "is_left": int(hand.left)}
                if subject.startswith("manual"):
                    entry |= {"head_size": 60.0, "hand_box_center": [50.0, 60.0]}
                picture.with_suffix(".json").write_text(json.dumps(entry))
            if pictures:
                Image.fromarray(_paint(hand)).save(picture, quality=95, subsampling=0)
        if entries:
            (base / "hands_v143_14817.json").write_text(json.dumps({"root": entries}))
    return made


def _hand(pose: np.ndarray, number: int, random: np.random.Generator) -> Hand:
    size = (160 + 8 * number, 128)
    points = (pose - pose.min(0)) * 90 / np.ptp(pose, axis=0).max() + (20 + random.uniform(0, 20), 15)
    left = number % 3 == 2
    if left:
        points[:, 0] = 120 - points[:, 0] + 20
    labelled = np.ones(21, bool)
    if number % 2:
        labelled[random.choice(np.arange(1, 21), 4, replace=False)] = False
    return Hand(points.astype(float), labelled, left, size)


def _paint(hand: Hand) -> np.ndarray:
    picture = np.full((hand.size[1], hand.size[0], 3), 30, np.uint8)
    column, row = np.floor(hand.points[0]).astype(int)
    picture[row - 2 : row + 3, column - 2 : column + 3] = WRIST
    return picture
