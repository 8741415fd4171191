"""A small folder of ASF and AMC files with the bones of the CMU recordings; nobody recorded them."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from lib.data.mocap import H17_BONES
from lib.skeleton import HUMAN36M_17

# Bone, parent, its way in mm (y up, facing +z, left is +x, legs straight), degrees of its axis.
BONES = {
    "lowerback": ("root", (0, 110, -10), (0, 0, 0)),
    "upperback": ("lowerback", (0, 110, 0), (0, 0, 0)),
    "thorax": ("upperback", (0, 115, 0), (0, 0, 0)),
    "lowerneck": ("thorax", (0, 90, 10), (0, 0, 0)),
    "upperneck": ("lowerneck", (0, 80, 0), (0, 0, 0)),
    "head": ("upperneck", (0, 90, 0), (0, 0, 0)),
    "lclavicle": ("thorax", (180, 40, 0), (0, 0, 0)),
    "lhumerus": ("lclavicle", (290, 0, 0), (180, 30, 90)),
    "lradius": ("lhumerus", (190, 0, 0), (180, 30, 90)),
    "lwrist": ("lradius", (90, 0, 0), (0, 90, -90)),
    "lhipjoint": ("root", (95, -100, 60), (0, 0, 0)),
    "lfemur": ("lhipjoint", (0, -410, 0), (0, 0, 20)),
    "ltibia": ("lfemur", (0, -415, 0), (0, 0, 20)),
}
for _bone in [bone for bone in BONES if bone.startswith("l") and bone not in ("lowerback", "lowerneck")]:
    _parent, (_x, _y, _z), (_a, _b, _c) = BONES[_bone]
    _side = "r" + _parent[1:] if _parent[0] == "l" and _parent != "lowerback" else _parent
    BONES["r" + _bone[1:]] = (_side, (-_x, _y, _z), (_a, -_b, -_c))
STIFF = ("lhipjoint", "rhipjoint")  # have no channels
MILLIMETRES = 25.4 / 0.45


def build(
    folder: Path,
    subjects: tuple[str, ...] = ("81", "9"),
    takes: int = 2,
    frames: int = 160,
    flat: bool = False,
) -> dict[str, np.ndarray]:
    """``<nn>/<nn>.asf`` and ``<nn>/<nn>_<tt>.amc`` (without folders where ``flat``).

    What went in: by the recording's name ("CMU 81_01"), joints (frames, 17, 3) in mm at 120 Hz, z up.
    """
    truth = {}
    for number, subject in enumerate(subjects):
        size = 1.0 + 0.05 * number
        place = folder if flat else folder / subject
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{subject}.asf").write_text(asf_text(size))
        for take in range(1, takes + 1):
            root, angles = _motion(np.random.default_rng([number, take]), frames)
            (place / f"{subject}_{take:02}.amc").write_text(amc_text(root, angles))
            truth[f"CMU {subject}_{take:02}"] = _joints(root, angles, size)
    return truth


def asf_text(size: float = 1.0) -> str:
    lines = ["# built", ":version 1.10", ":units", "  mass 1.0", "  length 0.45", "  angle deg", ":root"]
    lines += ["   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0", "   orientation 0 0 0"]
    lines.append(":bonedata")
    for number, (bone, (_, way, axis)) in enumerate(BONES.items(), start=1):
        length = np.linalg.norm(way)
        x, y, z = np.asarray(way) / length
        lines += ["  begin", f"     id {number}", f"     name {bone}"]
        lines.append(f"     direction {x:.8f} {y:.8f} {z:.8f}")
        lines.append(f"     length {length * size / MILLIMETRES:.8f}")
        lines.append(f"     axis {axis[0]} {axis[1]} {axis[2]}  XYZ")
        if bone not in STIFF:
            lines += ["    dof rx ry rz", "    limits (-160.0 20.0)"]
        lines.append("  end")
    lines += [":hierarchy", "  begin"]
    for parent in ("root", *BONES):
        children = [bone for bone, (of, _, _) in BONES.items() if of == parent]
        if children:
            lines.append(f"    {parent} {' '.join(children)}")
    return "\n".join([*lines, "  end"]) + "\n"


def amc_text(root: np.ndarray, angles: dict[str, np.ndarray]) -> str:
    lines = ["#!OML:ASF built", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame, row in enumerate(root):
        lines += [str(frame + 1), "root " + " ".join(f"{value:.6f}" for value in row)]
        lines += [f"{b} " + " ".join(f"{v:.6f}" for v in turns[frame]) for b, turns in angles.items()]
    return "\n".join(lines) + "\n"


def _motion(random: np.random.Generator, frames: int):
    time = np.arange(frames)[:, None] / 120.0
    angles = {
        bone: 15 * random.uniform(0.1, 1, 3) * np.sin(2 * np.pi * (time * 0.4 + random.uniform(size=3)))
        for bone in BONES
        if bone not in STIFF
    }
    position = np.concatenate([200 * np.sin(time), 1000 + 0 * time, 250 * np.cos(time)], 1) / MILLIMETRES
    return np.concatenate([position, 5 * np.sin(time), 40 * time, 0 * time], axis=1), angles


def _joints(root: np.ndarray, angles: dict[str, np.ndarray], size: float) -> np.ndarray:
    turned = {"root": Rotation.from_euler("xyz", root[:, 3:], degrees=True)}
    ends = {"root": root[:, :3] * MILLIMETRES}
    for bone, (parent, way, axis) in BONES.items():
        turned[bone] = turned[parent]
        if bone not in STIFF:
            frame = Rotation.from_euler("xyz", axis, degrees=True)
            turned[bone] = (
                turned[parent] * frame * Rotation.from_euler("xyz", angles[bone], degrees=True) * frame.inv()
            )
        ends[bone] = ends[parent] + turned[bone].apply(np.asarray(way) * size)
    names = [H17_BONES[joint] for joint in HUMAN36M_17.joints]
    joints = np.stack([np.mean([ends[bone] for bone in of], axis=0) for of in names], axis=1)
    return np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1)
