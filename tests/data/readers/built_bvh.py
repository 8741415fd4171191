"""Small folders of BVH files: people who sway, walk round and wave, in the trees of several programs."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

# Part, its parent, and its offset in mm: y up, facing +z, left is +x, arms level.
TREE = {
    "hips": (None, (0, 0, 0)),
    "spine": ("hips", (0, 100, 0)),
    "chest": ("spine", (0, 120, -10)),
    "chest2": ("chest", (0, 120, 0)),
    "neck": ("chest2", (0, 140, 10)),
    "head": ("neck", (0, 90, 20)),
    "head_end": ("head", (0, 170, 10)),
    "l_collar": ("chest2", (30, 100, 0)),
    "l_shoulder": ("l_collar", (140, 20, 0)),
    "l_elbow": ("l_shoulder", (280, 0, 0)),
    "l_wrist": ("l_elbow", (250, 0, 0)),
    "l_hand_end": ("l_wrist", (80, 0, 0)),
    "l_hip": ("hips", (95, -40, 0)),
    "l_knee": ("l_hip", (0, -420, 0)),
    "l_ankle": ("l_knee", (0, -410, 0)),
    "l_toe": ("l_ankle", (0, -60, 120)),
    "l_toe_end": ("l_toe", (0, -10, 60)),
}
for _part in [part for part in TREE if part.startswith("l_")]:
    _parent, (_x, _y, _z) = TREE[_part]
    TREE["r" + _part[1:]] = ("r" + _parent[1:] if _parent.startswith("l_") else _parent, (-_x, _y, _z))

_PARTS = "hips spine chest chest2 neck head collar shoulder elbow wrist hip knee ankle toe".split()
# Style -> names of the parts above, {} for the side, and the words for left and right.
STYLES = {
    name: (dict(zip(_PARTS, words.split(), strict=True)), sides)
    for name, words, sides in (
        (
            "mixamo",
            "mixamorig:Hips mixamorig:Spine mixamorig:Spine1 mixamorig:Spine2 mixamorig:Neck mixamorig:Head "
            "mixamorig:{}Shoulder mixamorig:{}Arm mixamorig:{}ForeArm mixamorig:{}Hand mixamorig:{}UpLeg "
            "mixamorig:{}Leg mixamorig:{}Foot mixamorig:{}ToeBase",
            ("Left", "Right"),
        ),
        (
            "mixamo without colon",
            "mixamorigHips mixamorigSpine mixamorigSpine1 mixamorigSpine2 mixamorigNeck mixamorigHead "
            "mixamorig{}Shoulder mixamorig{}Arm mixamorig{}ForeArm mixamorig{}Hand mixamorig{}UpLeg "
            "mixamorig{}Leg mixamorig{}Foot mixamorig{}ToeBase",
            ("Left", "Right"),
        ),
        (
            "joints",
            "Hips Waist Chest Chest2 Neck Head "
            "{}Collar {}Shoulder {}Elbow {}Wrist {}Hip {}Knee {}Ankle {}Toe",
            ("Left", "Right"),
        ),
        (
            "poser",
            "hip waist abdomen chest neck head {}Collar {}Shldr {}ForeArm {}Hand {}Thigh {}Shin {}Foot {}Toe",
            ("l", "r"),
        ),
        (
            "biped",
            "Bip01 Bip01_Spine Bip01_Spine1 Bip01_Spine2 Bip01_Neck Bip01_Head Bip01_{}_Clavicle "
            "Bip01_{}_UpperArm Bip01_{}_Forearm Bip01_{}_Hand Bip01_{}_Thigh Bip01_{}_Calf Bip01_{}_Foot "
            "Bip01_{}_Toe0",
            ("L", "R"),
        ),
        (
            "engine",
            "pelvis spine_01 spine_02 spine_03 neck_01 head clavicle_{} upperarm_{} lowerarm_{} hand_{} "
            "thigh_{} calf_{} foot_{} ball_{}",
            ("l", "r"),
        ),
        (
            "capitals",
            "HIPS SPINE CHEST CHEST2 NECK HEAD "
            "{}COLLAR {}SHOULDER {}ELBOW {}WRIST {}HIP {}KNEE {}ANKLE {}TOE",
            ("LEFT", "RIGHT"),
        ),
    )
}
H17 = (
    "hips r_hip r_knee r_ankle l_hip l_knee l_ankle chest neck head head_end "
    "l_shoulder l_elbow l_wrist r_shoulder r_elbow r_wrist"
).split()


def build(
    folder: Path,
    style: str = "mixamo",
    millimetres: float = 10.0,
    up: str = "y",
    subjects: tuple[str, ...] = ("Ann", "Ben"),
    takes: int = 2,
    frames: int = 150,
    fps: float = 60.0,
    posed: bool = False,
) -> dict[str, np.ndarray]:
    """``<subject>/take<k>.bvh`` in a unit, "y" or "z" up, with an added T-pose in front where ``posed``.

    What went in: by the recording's name ("Ann/take1"), joints (frames, 17, 3) in mm, z up.
    """
    truth = {}
    for number, subject in enumerate(subjects):
        for take in range(1, takes + 1):
            random = np.random.default_rng([number, take])
            angles, root = _motion(random, frames, fps)
            positions = _forward(angles, root)
            truth[f"{subject}/take{take}"] = _h17(positions)
            if posed:
                angles = {part: np.concatenate([np.zeros((1, 3)), a]) for part, a in angles.items()}
                root = np.concatenate([root[:1], root])
            (folder / subject).mkdir(parents=True, exist_ok=True)
            text = bvh_text(style, angles, root, millimetres, up, fps)
            (folder / subject / f"take{take}.bvh").write_text(text)
    return truth


def bvh_text(style: str, angles, root: np.ndarray, millimetres: float, up: str, fps: float) -> str:
    """The text of a file: angles {part: (T, 3)} degrees about z, x and y, in that order; root (T, 3) mm."""
    parts, sides = STYLES[style]

    def name(part: str) -> str:
        if part[:2] in ("l_", "r_"):
            return parts[part[2:]].format(sides[part[0] == "r"])
        return parts[part]

    def place(vector) -> str:
        x, y, z = np.asarray(vector, float) / millimetres
        return " ".join(f"{value:.7f}" for value in ((x, y, z) if up == "y" else (x, -z, y)))

    # With z up, what turned about y turns about z, and what turned about z turns about -y.
    channels = "Zrotation Xrotation Yrotation" if up == "y" else "Yrotation Xrotation Zrotation"
    flip = np.array([1, 1, 1]) if up == "y" else np.array([-1, 1, 1])
    lines, order = ["HIERARCHY"], []

    def write(part: str, depth: int) -> None:
        tab = "  " * depth
        if part.endswith("_end"):
            lines.extend([f"{tab}End Site", tab + "{", f"{tab}  OFFSET {place(TREE[part][1])}", tab + "}"])
            return
        order.append(part)
        lines.append(f"{tab}{'JOINT' if depth else 'ROOT'} {name(part)}")
        lines.extend([tab + "{", f"{tab}  OFFSET {place(TREE[part][1])}"])
        moves = "3 " if depth else "6 Xposition Yposition Zposition "
        lines.append(f"{tab}  CHANNELS {moves}{channels}")
        for child, (parent, _) in TREE.items():
            if parent == part:
                write(child, depth + 1)
        lines.append(tab + "}")

    write("hips", 0)
    lines += ["MOTION", f"Frames: {len(root)}", f"Frame Time: {1 / fps:.7f}"]
    for frame in range(len(root)):
        turns = np.concatenate([angles[part][frame] * flip for part in order])
        lines.append(place(root[frame]) + " " + " ".join(f"{value:.6f}" for value in turns))
    return "\n".join(lines) + "\n"


def _motion(random: np.random.Generator, frames: int, fps: float):
    time = np.arange(frames)[:, None] / fps
    angles = {
        part: 20 * random.uniform(0.2, 1.0, 3) * np.sin(2 * np.pi * (time * 0.5 + random.uniform(size=3)))
        for part in TREE
        if not part.endswith("_end")
    }
    angles["hips"] = angles["hips"] * 0.2 + np.array([0.3, 0.4, 25.5])
    angles["l_shoulder"][:, 0] -= 50
    angles["r_shoulder"][:, 0] += 50
    circle = 300 * np.concatenate([np.cos(time), 0 * time, np.sin(time)], axis=1)
    return angles, circle + np.array([100.0, 930.0, -40.0])


def _forward(angles, root) -> dict[str, np.ndarray]:
    turned, positions = {}, {}
    for part, (parent, offset) in TREE.items():
        local = Rotation.from_euler("ZXY", angles.get(part, np.zeros((len(root), 3))), degrees=True)
        if parent is None:
            turned[part], positions[part] = local, root
        else:
            turned[part] = turned[parent] * local
            positions[part] = positions[parent] + turned[parent].apply(offset)
    return positions


def _h17(positions) -> np.ndarray:
    joints = np.stack([positions[part] for part in H17], axis=1)
    joints[:, 0] = (positions["l_hip"] + positions["r_hip"]) / 2
    return np.stack([joints[..., 0], -joints[..., 2], joints[..., 1]], axis=-1)
