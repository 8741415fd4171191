"""A tiny collection ``benchmarks``: what an import would leave of people and hands that are drawn here."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import h5py
import kinematic
import numpy as np
import people
import torch

from lib.data import hands
from lib.data.batches import load_poses
from lib.data.dataset import Clip, open_dataset, write_dataset
from lib.data.images import Filmed
from lib.skeleton import HAND_21, HUMAN36M_17

SIZE, BEHIND, MARGIN = 64, 128, 1.6  # px of stored crops and backgrounds, crop side / person's box
STRIDE = 10
SPLITS = {
    "studio": {"train": ("S1", "S5"), "test": ("S9", "S11")},
    "outdoor": {"train": ("C1", "C2"), "test": ("C5",)},
    "motion": {"train": ("M1",), "test": ()},
    "wild": kinematic.SPLITS["wild"],
    "sport": kinematic.SPLITS["sport"],
    "bodies": kinematic.SPLITS["bodies"],
    "hands": {"train": ("synth2-1",), "test": ("synth2-5",)},
}
MADE = {
    "studio": "human36m", "outdoor": "mpi-inf-3dhp", "motion": "cmu", "wild": "mads", "sport": "lsp",
    "bodies": "surreal", "hands": "handdb",
}  # fmt: skip
FLAT = ("sport", "hands")  # roles without 3D poses
DRAWN = ("motion", "bodies")  # roles without pictures


def clips(role: str) -> list[Clip]:
    """The clips of a role, every tenth frame, half of role wild with a moving camera."""
    if role == "hands":
        found = islice(hands.clips(seed=0), 6)
        found = [c if n < 4 else replace(c, subject="synth2-5") for n, c in enumerate(found)]
    elif role in people.SPLITS:
        found = people.clips(role)
    else:
        found = kinematic.clips(role)
    thin = []
    for number, clip in enumerate(found):
        if role == "wild":
            clip = replace(clip, static=number % 2 == 0)
        if role == "studio" and clip.subject == "S9" and clip.action == found[-1].action:
            clip = replace(clip, subject="S11")
        rows = slice(None, None, STRIDE)
        values = {name: getattr(clip, name)[rows] for name in ("joints_3d", "joints_2d")}
        detected = None if clip.detected_2d is None else clip.detected_2d[rows]
        thin.append(replace(clip, **values, detected_2d=detected, fps=clip.fps / STRIDE))
    return thin


def write(folder: Path, role: str, pictures: bool = True, changes: dict | None = None) -> Path:
    """Write the file of a role; ``changes`` are those of every clip, made after its pictures are drawn."""
    path = folder / "benchmarks" / f"{role}.h5"
    skeleton = HAND_21 if role == "hands" else HUMAN36M_17
    about = {"skeleton": skeleton, "split": SPLITS[role], "licence": "none", "seed": 0}
    there = clips(role)
    write_dataset(path, there, **about, source="drawn", generator="test 1")
    shown = _draw(path, role) if pictures and role not in DRAWN else {}
    changes = {"joints_3d": None} if role in FLAT and changes is None else changes or {}
    there = [replace(clip, **changes) for clip in there]
    source = "MPI-INF-3DHP (annot3)" if role == "outdoor" else role
    kept = "crops of 64 px" if shown else "without pictures"
    write_dataset(path, there, **about, source=source, generator=f"import {MADE[role]} 1, {kept}")
    with h5py.File(path, "r+") as file:
        for group, arrays in shown.items():
            around = arrays.pop("background_window", None)
            for name, values in arrays.items():
                file[group].create_dataset(name, data=values)
            if around is not None:
                file[group].attrs["background_window"] = around
    return path


def _draw(path: Path, role: str) -> dict[str, dict[str, np.ndarray]]:
    """Group -> what is stored of its pictures."""
    dataset = open_dataset(path)
    found: dict[str, dict[str, np.ndarray]] = {}
    for part in ("train", "test"):
        poses = load_poses(dataset, part)
        filmed = Filmed.of(poses, role, SIZE, MARGIN)
        window = torch.cat([filmed.centre, filmed.side[:, None]], dim=1)
        images, masks = filmed.all_colours(background=True).movedim(1, -1), filmed.masks()
        centre = poses.K[:, :2, 2]
        side = 2 * centre.amax(1)
        behind = Filmed.of(poses, role, BEHIND, MARGIN).through(centre, side)
        first = poses.start
        scenes = (behind.scenery(first) * 255).round().to(torch.uint8).movedim(1, -1)
        around = torch.cat([centre, side[:, None]], dim=1)[first]
        for number, group in enumerate(poses.clips):
            mine = poses.clip == number
            found[group] = {"image": images[mine].numpy(), "window": window[mine].numpy()}
            if dataset.subset(part)[number].static and role not in FLAT:
                found[group]["background"] = scenes[number].numpy()
                found[group]["background_window"] = around[number].numpy()
            if role == "studio":
                found[group]["mask"] = masks[mine].numpy().astype(np.uint8) * 255
    return found
