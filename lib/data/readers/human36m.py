"""Human3.6M as its site delivers it: CDF files of poses, videos and masks, in folders by subject.

The archives unpack to S1/MyPoseFeatures/D3_Positions_mono/, .../D2_Positions/, S1/Videos/ and
S1/MySegmentsMat/ground_truth_bs/; h36m-fetch unpacks them to S1/Poses_D3_Positions_mono/ and so on, in a
folder `extracted`. Both are read. Files are called "<action>[ <number>].<camera>.cdf".

D3_Positions_mono holds (1, F, 96), 32 joints in mm in the camera's coordinates; D2_Positions (1, F, 64)
pixels. D3_Positions has the same joints in the world's coordinates, in one file for all cameras; it is
read where the former is missing and metadata.xml, from the site's software, says where the cameras
stood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.data import human36m as h36m
from lib.data import videos
from lib.data.cdf import read_cdf
from lib.data.dataset import Clip, DatasetError
from lib.data.human36m import Take, View
from lib.data.matlab import open_v73, v73_cells
from lib.data.sources import Found, Options, Source, reading
from lib.skeleton import HUMAN36M_17, HUMAN36M_32, convert

__all__ = ["LICENCE", "NAME", "ROLE", "SITE", "find"]

NAME = "human36m"
SITE = h36m.SITE
LICENCE = h36m.LICENCE
ROLE = "studio"

POSES, UNIVERSAL, WORLD = "D3_Positions_mono", "D3_Positions_mono_universal", "D3_Positions"
PIXELS, VIDEOS, MASKS = "D2_Positions", "Videos", "ground_truth_bs"
# Where each kind of file lies in a subject's folder: as the archives have it, and as h36m-fetch does.
PLACES = {
    **{kind: (f"MyPoseFeatures/{kind}", f"Poses_{kind}") for kind in (POSES, UNIVERSAL, WORLD, PIXELS)},
    VIDEOS: ("Videos",),
    MASKS: ("MySegmentsMat/ground_truth_bs", "Segments_mat_gt_bs"),
}
SUFFIX = {VIDEOS: ".mp4", MASKS: ".mat"}  # all others: .cdf


@dataclass(frozen=True)
class _Recording:
    """The files of one clip. view: the camera. world: the poses are in the world's coordinates."""

    subject: str
    take: Take
    action: str
    camera: str
    view: View
    world: bool
    poses: Path
    pixels: Path | None
    video: Path | None
    masks: Path | None


def find(path: Path, options: Options) -> Found:
    """The clips of a folder with subject folders S1, S5, ..., or of its subfolder `extracted`.

    Left out, and noted: subjects without public poses, the camera of S11 whose video is broken, and,
    where pictures are asked for, three takes of S9 whose poses do not fit theirs. Raises DatasetError
    when there is no such folder or nothing in it, or when two files are of the same take and camera.
    """
    path = Path(path)
    root = _root(path)
    present = [name for name in (*h36m.TRAIN, *h36m.TEST) if (root / name).is_dir()]
    absent = [name for name in options.subjects if name not in present]
    if absent:
        raise DatasetError(f"{path}: no folder {', '.join(absent)} (there: {', '.join(present)})")
    wanted = [name for name in present if not options.subjects or name in options.subjects]
    notes = [f"{name}: no poses are public, left out" for name in h36m.HIDDEN if (root / name).is_dir()]
    views = _views(path, root, notes)
    recordings = [
        recording
        for subject in wanted
        for recording in _recordings(root / subject, subject, views, options, notes)
        if h36m.FAULTS_OF_FILES.admits(
            subject, recording.take, recording.camera, options.size > 0, notes
        )
    ]
    if not recordings:
        places = " or ".join(PLACES[UNIVERSAL if options.universal else POSES])
        example = f"Walking 1.{h36m.CAMERAS[0].name}.cdf"
        raise DatasetError(
            f'{path}: no poses: no "{example}" or the like in {places} of {", ".join(wanted)}'
        )
    if options.universal:
        notes.append(f"poses of {UNIVERSAL}: one body for all, which is not the one in the pictures")
    return Found(
        sources=tuple(_source(recording, options) for recording in recordings),
        split=h36m.split(recording.subject for recording in recordings),
        source=f"Human3.6M ({'universal' if options.universal else 'own'} skeleton), {SITE}",
        licence=LICENCE,
        notes=tuple(notes),
    )


def _root(path: Path) -> Path:
    for folder in (path, path / "extracted"):
        if any((folder / name).is_dir() for name in (*h36m.TRAIN, *h36m.TEST)):
            return folder
    raise DatasetError(
        f"{path}: no folder of Human3.6M's subjects (S1, S5, ..., S11, or extracted/S1, ...)"
    )


def _views(path: Path, root: Path, notes: list[str]) -> Mapping[tuple[str, str], View] | None:
    """The cameras by metadata.xml in the folder or the one above; None where there is none."""
    for folder in dict.fromkeys((root, path, path.absolute().parent)):
        if (folder / "metadata.xml").is_file():
            return h36m.read_metadata(folder / "metadata.xml")
    notes.append(
        "no metadata.xml: intrinsics as published; where the cameras stood is not known (R = I, t = 0)"
    )
    return None


def _recordings(
    folder: Path, subject: str, views, options: Options, notes: list[str]
) -> list[_Recording]:
    kind = UNIVERSAL if options.universal else POSES
    poses = _files(folder, kind, notes)
    world = {} if poses or options.universal else _files(folder, WORLD, notes)
    if world:
        if views is None:
            raise DatasetError(
                f"{folder}: {WORLD} without {POSES}: metadata.xml is needed, and not there"
            )
        poses = {(take, lens.name): file for (take, _), file in world.items() for lens in h36m.CAMERAS}
    if not poses:
        notes.append(f"{subject}: no files of {kind}, left out")
        return []
    pixels = _files(folder, PIXELS, notes)
    pictures = _files(folder, VIDEOS, notes) if options.size else {}
    masks = _files(folder, MASKS, notes) if options.size else {}
    names = h36m.take_names(take for take, _ in poses)
    found = []
    for take in sorted(names):
        for lens in h36m.CAMERAS:
            key = (take, lens.name)
            if key not in poses:
                notes.append(f"{subject} {take}: camera {lens.name} is missing")
                continue
            if key not in pixels:
                notes.append(
                    f"{subject} {take}, camera {lens.name}: no {PIXELS}, projected from the poses"
                )
            found.append(
                _Recording(
                    subject=subject,
                    take=take,
                    action=names[take],
                    camera=lens.name,
                    view=views[subject, lens.name] if views else lens.alone,
                    world=bool(world),
                    poses=poses[key],
                    pixels=pixels.get(key),
                    video=pictures.get(key),
                    masks=masks.get(key),
                )
            )
    return found


def _files(folder: Path, kind: str, notes: list[str]) -> dict[tuple[Take, str], Path]:
    """The files of a kind by take and camera ("" in D3_Positions, whose files are of all cameras)."""
    place = next((folder / place for place in PLACES[kind] if (folder / place).is_dir()), None)
    if place is None:
        return {}
    with reading(place):
        files = sorted(place.iterdir())
    pattern = r"(.+)()" if kind == WORLD else r"(.+)\.(\d+)"
    cameras = [""] if kind == WORLD else [lens.name for lens in h36m.CAMERAS]
    found: dict[tuple[Take, str], Path] = {}
    for file in files:
        if file.name.startswith((".", "_ALL")) or file.suffix.lower() != SUFFIX.get(kind, ".cdf"):
            continue  # hidden files of an archiver, and all actions in one
        match = re.fullmatch(pattern, file.stem)
        take = h36m.parse_take(match[1]) if match else None
        if take is None or match[2] not in cameras:
            notes.append(
                f"{file.relative_to(folder.parent)}: not the name of a take and a camera, left out"
            )
        elif (take, match[2]) in found:
            raise DatasetError(f"{file}: the same take and camera as {found[take, match[2]].name}")
        else:
            found[take, match[2]] = file
    return found


def _source(recording: _Recording, options: Options) -> Source:
    return Source(
        path=recording.poses,
        subject=recording.subject,
        action=recording.action,
        camera=recording.camera,
        read=lambda: _read(recording, options.every),
        frames=(lambda: _frames(recording, options.every)) if recording.video else None,
        masks=(lambda: _masks(recording, options.every)) if recording.masks else None,
    )


def _read(recording: _Recording, every: int) -> Clip:
    view = recording.view
    joints = _pose(recording.poses, 3)
    if recording.world:
        joints = joints @ view.R.T + view.t
    behind = joints[..., 2] <= 0
    if behind.any():
        frame, joint = np.argwhere(behind)[0]
        raise DatasetError(f"{recording.poses}: Pose: frame {frame}: joint {joint} is behind the camera")
    if recording.pixels is None:
        pixels = h36m.project(joints, view.K, view.distortion)
    else:
        pixels = _pose(recording.pixels, 2)
        if len(pixels) != len(joints):
            raise DatasetError(
                f"{recording.pixels}: Pose: {len(pixels)} frames; {recording.poses} has {len(joints)}"
            )
    return Clip(
        subject=recording.subject,
        action=recording.action,
        camera=recording.camera,
        fps=h36m.FPS / every,
        K=view.K,
        R=view.R,
        t=view.t,
        joints_3d=convert(joints[::every], HUMAN36M_32, HUMAN36M_17).astype(np.float32),
        joints_2d=convert(pixels[::every], HUMAN36M_32, HUMAN36M_17).astype(np.float32),
        source=f"{recording.subject} {recording.take}",
        distortion=view.distortion,
    )


def _pose(path: Path, size: int) -> np.ndarray:
    """The joints (F, 32, size) of a CDF file, float64."""
    values = read_cdf(path, "Pose")
    if values.ndim != 3 or values.shape[0] != 1 or values.shape[1] < 1 or values.shape[2] != 32 * size:
        raise DatasetError(f"{path}: Pose: shape {values.shape}, expected (1, frames, {32 * size})")
    values = values.reshape(-1, 32, size).astype(np.float64)
    wrong = ~(np.abs(values) < h36m.NOWHERE).all(-1)
    if wrong.any():
        frame, joint = np.argwhere(wrong)[0]
        raise DatasetError(f"{path}: Pose: frame {frame}: joint {joint} is at {values[frame, joint]}")
    return values


def _frames(recording: _Recording, every: int) -> Iterator[np.ndarray]:
    """The video's frames of the clip's rows. It may go on for some frames after the last pose."""
    rows = range(0, len(_pose(recording.poses, 3)), every)
    pictures = videos.frames(recording.video, len(rows), every)
    yield from h36m.of_size(pictures, recording.camera, recording.video)


def _masks(recording: _Recording, every: int) -> Iterator[np.ndarray]:
    rows = range(0, len(_pose(recording.poses, 3)), every)
    yield from h36m.of_size(_stored_masks(recording.masks, rows), recording.camera, recording.masks)


def _stored_masks(path: Path, rows: range) -> Iterator[np.ndarray]:
    """Masks (H, W) bool of a MATLAB file, where each is an array of its own, found by a reference."""
    with open_v73(path) as file:
        cells = v73_cells(file, "Masks", path)
        if len(cells) <= rows[-1]:
            raise DatasetError(f"{path}: Masks: {len(cells)} masks, {rows[-1] + 1} are needed")
        for row in rows:
            mask = cells[row]
            if mask.ndim != 2:
                raise DatasetError(
                    f"{path}: Masks: cell {row}: shape {mask.shape}, expected (height, width)"
                )
            yield mask != 0
