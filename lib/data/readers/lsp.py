"""Leeds Sports Pose and its extension (Johnson and Everingham, BMVC 2010 and CVPR 2011): labelled pictures.

A folder with ``joints.mat`` and the pictures, in ``images/`` or beside it. The axes of ``joints`` tell which
of the two sets it is:

- LSP (3, 14, 2000): x, y and a flag that is 1 where a joint is OCCLUDED. The first half is for training.
- LSPET (14, 3, 10000), in its high-resolution copy (hr-lspet) png and fewer pictures: a flag that is 1
  where a joint is LABELLED; elsewhere x and y mean nothing. All for training. A copy without flags,
  (14, 2, N), is read too: there a joint with a coordinate that is not positive has no label.

Pixels are MATLAB's, the first one's centre at 1, here at 0.5. Each subject is one clip of single pictures
of different sizes. The 14 joints become the 17 of Human3.6M: pelvis between the hips, thorax at the neck;
spine and nose, of which nothing is known, lie midway and count as not labelled.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from lib.data.dataset import Clip, DatasetError
from lib.data.matlab import load_v5
from lib.data.readers.labels import assumed_intrinsics, checked, chosen, filled, visible_extent
from lib.data.sources import Found, Options, Source, reading
from lib.data.videos import pictures
from lib.skeleton import HUMAN36M_17, LSP_14

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "lsp"
SITE = "http://sam.johnson.io/research/lsp.html"
LICENCE = (
    "Pictures under their owners' terms at Flickr; for research, citing Johnson and Everingham 2010, 2011"
)
ROLE = "sport"

NOTES = (
    "left and right are taken as the person's own, as in the original files; files relabelled from the "
    "observer's side look the same and cannot be told apart",
    "spine and nose are made up (midway between pelvis, thorax and head) and count as not labelled",
    "cameras are unknown: one made-up K for all pictures, focal length 1.2 times the longer side",
    "pictures with fewer than two labelled joints, or all of them on one point, are kept as not valid",
)
FARTHEST = 1e5  # px
# Joint of Human3.6M -> the two joints of LSP that it is midway between, where names differ.
_BETWEEN = {
    "pelvis": ("left_hip", "right_hip"),
    "thorax": ("neck", "neck"),
    "head": ("head_top", "head_top"),
}
_MADE_UP = {"spine": ("pelvis", "thorax"), "nose": ("thorax", "head")}


def find(path: Path, options: Options) -> Found:
    """LSP, LSPET or both, in ``path`` or in folders right below it.

    Reads joints.mat, which is small, and lists the pictures. Raises DatasetError when neither is there, or
    when one is there twice.
    """
    path = Path(path)
    with reading(path):
        folders = [path, *sorted(item for item in path.iterdir() if item.is_dir())]
        files = [folder / "joints.mat" for folder in folders if (folder / "joints.mat").is_file()]
    if not files:
        raise DatasetError(
            f"{path}: joints.mat: neither here nor in a folder below; LSP and LSPET have one each"
        )
    sources, sets = [], {}
    for file in files:
        joints, flags = _joints(file)
        extended = flags == "labelled"
        name, count = ("LSPET" if extended else "LSP"), len(joints)
        if name in sets:
            raise DatasetError(f"{file}: {name} a second time, after {sets[name]}: give the folder of one")
        sets[name] = file
        half = (count + 1) // 2
        parts = {"LSPET": (0, count)} if extended else {"LSP-train": (0, half), "LSP-test": (half, count)}
        shown = _pictures(file.parent) if options.size else []
        if shown and len(shown) != count:
            raise DatasetError(f"{file}: joints: of {count} pictures, but the folder holds {len(shown)}")
        for subject, (start, stop) in parts.items():
            rows = slice(start, stop, options.every)
            if start < stop:
                source = Source(
                    path=file,
                    subject=subject,
                    action="Pictures",
                    camera="flickr",
                    read=partial(_read, file, subject, rows),
                    frames=partial(pictures, shown[rows]) if shown else None,
                )
                sources.append(source)
    sources = chosen(sources, options, f"{path}: joints.mat")
    subjects = tuple(source.subject for source in sources)
    return Found(
        sources=sources,
        split={
            "train": tuple(name for name in subjects if name != "LSP-test"),
            "test": tuple(name for name in subjects if name == "LSP-test"),
        },
        source=f"{' and '.join(sorted(sets))}, {SITE}",
        licence=LICENCE,
        notes=NOTES,
    )


def _pictures(folder: Path) -> list[Path]:
    """The pictures in the order of their names, which is that of joints.mat."""
    images = folder / "images"
    with reading(folder):
        items = list((images if images.is_dir() else folder).iterdir())
    return sorted(p for p in items if p.name.startswith("im") and p.suffix.lower() in (".jpg", ".png"))


def _joints(file: Path) -> tuple[np.ndarray, str]:
    """(N, 14, 3) as the file gives them, or (N, 14, 2) without flags; what flags mean: occluded, labelled."""
    joints = load_v5(file, ("joints",))["joints"]
    place = f"{file}: joints"
    if joints.ndim == 2:  # MATLAB drops the last axis of one picture
        joints = joints[..., None]
    if joints.ndim == 3 and joints.size and joints.shape[:2] == (3, 14):
        return joints.transpose(2, 1, 0), "occluded"
    if joints.ndim == 3 and joints.size and joints.shape[:2] in ((14, 3), (14, 2)):
        return joints.transpose(2, 0, 1), "labelled"
    shape = joints.shape
    raise DatasetError(f"{place}: shape {shape}, neither LSP's (3, 14, N) nor LSPET's (14, 3, N)")


def _read(file: Path, subject: str, rows: slice) -> Clip:
    joints, meaning = _joints(file)
    joints, place = joints[rows], f"{file}: joints"
    if joints.dtype.kind not in "iuf":
        raise DatasetError(f"{place}: of type {joints.dtype}, numbers were expected")
    if joints.shape[2] == 3:
        flags = joints[..., 2]
    else:  # copies of hr-lspet without flags mark a joint that has no label by a place outside the picture
        flags = (joints > 0).all(-1)
    if not np.isin(flags, (0, 1)).all():
        raise DatasetError(f"{place}: flags that are neither 0 nor 1")
    labelled = np.ones(flags.shape, bool) if meaning == "occluded" else flags == 1
    points = checked(np.where(labelled[..., None], joints[..., :2], 1), place, FARTHEST) - 0.5
    occluded = flags == 1 if meaning == "occluded" else np.zeros(flags.shape, bool)
    points, labelled, occluded = _as_human36m(points, labelled, occluded)
    return Clip(
        subject=subject,
        action="Pictures",
        camera="flickr",
        fps=1.0,
        K=assumed_intrinsics(points, labelled),
        R=np.eye(3),
        t=np.zeros(3),
        joints_3d=None,
        joints_2d=points.astype(np.float32),
        source=f"{subject} pictures",
        valid=visible_extent(points, labelled) > 0,
        labelled=labelled,
        occluded=occluded if meaning == "occluded" else None,
        static=False,
    )


def _as_human36m(points, labelled, occluded) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points (T, 14, 2) and flags (T, 14) of LSP at the 17 joints of Human3.6M."""
    # A joint made up stands for any other until the rest is known.
    ends = [
        _BETWEEN.get(joint, ("neck", "neck") if joint in _MADE_UP else (joint, joint))
        for joint in HUMAN36M_17.joints
    ]
    first, second = ([LSP_14.index(joint) for joint in column] for column in zip(*ends, strict=True))
    points = (points[:, first] + points[:, second]) / 2
    labelled = labelled[:, first] & labelled[:, second]
    occluded = occluded[:, first] | occluded[:, second]
    made_up = [HUMAN36M_17.index(joint) for joint in _MADE_UP]
    labelled[:, made_up] = occluded[:, made_up] = False
    points = filled(points, labelled, HUMAN36M_17)
    for joint, between in _MADE_UP.items():
        middle = points[:, [HUMAN36M_17.index(end) for end in between]].mean(1)
        points[:, HUMAN36M_17.index(joint)] = middle
    return points, labelled, occluded
