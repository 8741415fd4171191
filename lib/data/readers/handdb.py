"""HandDB (Simon, Joo, Matthews and Sheikh, CVPR 2017): pictures with the 21 joints of one hand.

Any of its three archives, each a subject or several:

- hand_labels/manual_train and manual_test, hand_labels_synth/synth1 to synth4: <stem>.json beside
  <stem>.jpg, {"hand_pts": 21 x [x, y, v], "is_left"?: 0 or 1, ...}
- hand143_panopticdb/hands_v143_14817.json: {"root": [{"img_paths", "joint_self": 21 x [x, y, v],
  "is_left"?}, ...]}, with paths relative to its folder; one subject, panoptic

v is 1 where a joint is labelled. A left hand's picture and joints are mirrored, so that all hands are right
hands. Joints are in pixels as given; each subject is a clip of single pictures of different sizes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from lib.data.dataset import Clip, DatasetError
from lib.data.readers.labels import assumed_intrinsics, checked, chosen, filled, visible_extent
from lib.data.sources import Found, Options, Source, reading
from lib.data.videos import picture_size, pictures
from lib.skeleton import HAND_21

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "handdb"
SITE = "http://domedb.perception.cs.cmu.edu/handdb.html"
LICENCE = "For research that is not commercial, citing Simon, Joo, Matthews and Sheikh 2017"
ROLE = "hands"

FOLDERS = {
    "manual_train": "hand_labels",
    "manual_test": "hand_labels",
    **{f"synth{number}": "hand_labels_synth" for number in (1, 2, 3, 4)},
}
PANOPTIC = "hands_v143_14817.json"
TEST = "manual_test"
NOTES = (
    "left hands are mirrored, picture and joints, so that all hands are right hands; a hand that does not "
    "say which it is counts as right",
    "left out are hands that have not 21 joints, or fewer than two labelled ones, or all of these on one "
    "point; the source of each clip says how many",
    "cameras are unknown: one made-up K for all pictures, focal length 1.2 times the longer side",
    "head_size, by which PCK on manual_test is measured elsewhere, is not kept",
)
FARTHEST = 1e5  # px
# Bytes. A hand's own file has 1 kB, the one of all hands in the dome some 20 MB; Python's
# objects take up to twenty times as much.
LARGEST, LARGEST_PANOPTIC = 1 << 20, 64 << 20


@dataclass(frozen=True)
class Hand:
    """One labelled hand: points (21, 2) px as given, labelled (21,), which hand, and its picture."""

    points: np.ndarray
    labelled: np.ndarray
    left: bool
    picture: Path


def find(path: Path, options: Options) -> Found:
    """The subjects that are there, in ``path``, in its folders of the archives' names, or ``path`` itself.

    Lists names and reads nothing. Raises DatasetError when there is none.
    """
    path = Path(path)
    sources = []
    for subject, archive in FOLDERS.items():
        places = [path / archive / subject, path / subject]
        places += [path] if path.resolve().name == subject else []
        for folder in places:
            with reading(folder):
                names = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
            files = [folder / name for name in names if name.endswith(".json")]
            if files:
                pictured = any(name.endswith(".jpg") for name in names)
                hands = partial(_labelled_pictures, files[:: options.every])
                sources.append(_source(folder, subject, hands, pictured))
                break
    for folder in (path / "hand143_panopticdb", path):
        if (folder / PANOPTIC).is_file():
            hands = partial(_panoptic, folder / PANOPTIC, options.every)
            sources.append(_source(folder / PANOPTIC, "panoptic", hands, (folder / "imgs").is_dir()))
            break
    if not sources:
        wanted = ", ".join((*FOLDERS, PANOPTIC))
        raise DatasetError(f"{path}: holds none of HandDB's folders with .json files ({wanted})")
    sources = chosen(sources, options, str(path))
    return Found(
        sources=sources,
        split={
            "train": tuple(source.subject for source in sources if source.subject != TEST),
            "test": tuple(source.subject for source in sources if source.subject == TEST),
        },
        source=f"HandDB, {SITE}",
        licence=LICENCE,
        skeleton=HAND_21,
        notes=NOTES,
    )


def _source(path: Path, subject: str, hands: Callable[[], Iterator[Hand | None]], pictured: bool) -> Source:
    return Source(
        path=path,
        subject=subject,
        action="Pictures",
        camera="handdb",
        read=partial(_read, path, subject, hands),
        frames=partial(_frames, hands) if pictured else None,
    )


def _read(path: Path, subject: str, hands: Callable[[], Iterator[Hand | None]]) -> Clip:
    found = list(hands())
    kept = [hand for hand in found if hand is not None]
    if not kept:
        raise DatasetError(f"{path}: none of its {len(found)} hands has two labelled joints")
    labelled = np.stack([hand.labelled for hand in kept])
    points = np.stack([_right(hand) for hand in kept])
    return Clip(
        subject=subject,
        action="Pictures",
        camera="handdb",
        fps=1.0,
        K=assumed_intrinsics(points, labelled),
        R=np.eye(3),
        t=np.zeros(3),
        joints_3d=None,
        joints_2d=filled(points, labelled, HAND_21).astype(np.float32),
        source=f"{subject} ({len(found) - len(kept)} of {len(found)} hands left out)",
        labelled=labelled,
        static=False,
    )


def _frames(hands: Callable[[], Iterator[Hand | None]]) -> Iterator[np.ndarray]:
    kept = [(hand.picture, hand.left) for hand in hands() if hand is not None]
    with closing(pictures(picture for picture, _ in kept)) as shown:
        for picture, (_, left) in zip(shown, kept, strict=True):
            yield np.ascontiguousarray(picture[:, ::-1]) if left else picture


def _right(hand: Hand) -> np.ndarray:
    """The joints as those of a right hand: mirrored with the picture, or where it is absent in place."""
    if not hand.left:
        return hand.points
    if hand.picture.is_file():
        width = picture_size(hand.picture)[0]
    else:
        shown = hand.points[hand.labelled, 0]
        width = shown.min() + shown.max()
    return np.array([width, 0]) + hand.points * (-1, 1)


def _labelled_pictures(files: list[Path]) -> Iterator[Hand | None]:
    for file in files:
        yield _hand(_json(file, LARGEST), "hand_pts", file.with_suffix(".jpg"), str(file))


def _panoptic(file: Path, every: int) -> Iterator[Hand | None]:
    entries = _json(file, LARGEST_PANOPTIC).get("root")
    if not isinstance(entries, list) or not entries:
        raise DatasetError(f"{file}: root: no list of hands")
    for number, entry in list(enumerate(entries))[::every]:
        place = f"{file}: root {number}"
        if not isinstance(entry, dict):
            raise DatasetError(f"{place}: no object")
        name = entry.get("img_paths")
        # A name out of the folder is not ours to open.
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) < 256:
            raise DatasetError(f"{place}: img_paths: no path of a picture")
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DatasetError(f"{place}: img_paths: {name[:80]} leads out of the folder")
        yield _hand(entry, "joint_self", file.parent / name, place)


def _hand(entry: dict, field: str, picture: Path, place: str) -> Hand | None:
    """The hand of one entry; None where too little of it is labelled for a box around it."""
    if field not in entry:
        raise DatasetError(f"{place}: {field}: missing")
    left = entry.get("is_left", 0)
    if not isinstance(left, (int, float)) or left not in (0, 1):
        raise DatasetError(f"{place}: is_left: neither 0 nor 1")
    with reading(place, field):
        values = np.array(entry[field])
    if values.shape == (0,):
        return None
    if values.ndim != 2 or values.shape[1] != 3 or values.dtype.kind not in "iuf":
        raise DatasetError(f"{place}: {field}: {values.dtype} {values.shape}, expected numbers (21, 3)")
    if len(values) != len(HAND_21):
        return None
    labelled = values[:, 2] == 1
    points = checked(np.where(labelled[:, None], values[:, :2], 0), f"{place}: {field}", FARTHEST)
    if visible_extent(points[None], labelled[None])[0] <= 0:
        return None
    return Hand(points, labelled, bool(left), picture)


def _json(file: Path, largest: int) -> dict:
    """The object in a file. What is too large, too deep or no JSON becomes a DatasetError."""
    with reading(file):
        with open(file, "rb") as stream:
            data = stream.read(largest + 1)
        if len(data) > largest:
            raise DatasetError(f"{file}: more than {largest} bytes")
        content = json.loads(data)
    if not isinstance(content, dict):
        raise DatasetError(f"{file}: no JSON object")
    return content
