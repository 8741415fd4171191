"""Small files to VideoPose3D's letter: `build` writes data_3d_h36m.npz and files of 2D joints beside it."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from built_human36m import CAMERAS, KEPT, TAKES, lens_projection, metadata_xml, people, stand

POSES, PROJECTED = "data_3d_h36m.npz", "data_2d_h36m_gt.npz"
# Detector -> its metadata, as VideoPose3D writes it; the two of the stacked hourglass bear no layout's name.
METADATA = {
    "gt": {"num_joints": 17, "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]},
    "cpn_ft_h36m_dbb": {
        "layout_name": "h36m",
        "num_joints": 17,
        "keypoints_symmetry": [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]],
    },
    "detectron_pt_coco": {
        "layout_name": "coco",
        "num_joints": 17,
        "keypoints_symmetry": [[1, 3, 5, 7, 9, 11, 13, 15], [2, 4, 6, 8, 10, 12, 14, 16]],
    },
    "sh_pt_mpii": {
        "num_joints": 16,
        "keypoints_symmetry": [[3, 4, 5, 13, 14, 15], [0, 1, 2, 10, 11, 12]],
    },
}
# Joints of the layouts as joints of Human3.6M's 17; COCO's eyes and ears are put at the nose.
AS_COCO = (9, 9, 9, 9, 9, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3)
AS_MPII = (3, 2, 1, 4, 5, 6, 0, 8, 9, 10, 16, 15, 14, 11, 12, 13)
NOISE = 5.0  # px of a detector


def build(
    folder: Path,
    takes: Mapping[str, Iterable[str]] = TAKES,
    frames: int = 12,
    *,
    detectors: Iterable[str] = ("gt", "cpn_ft_h36m_dbb"),
    metadata: bool = False,
    longer: int = 2,
) -> dict[tuple[str, str], dict]:
    """Write the files and give what went in, by subject and name of the take in the files.

    Each holds ``world`` (F, 17, 3) mm, and ``joints`` (4, F, 17, 3) mm, ``pixels`` (4, F, 17, 2) and, by a
    detector's name, what it found in its own joints (4, F + longer, J, 2). S11's take Directions is left
    out, and actions have the names that VideoPose3D gives them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    detectors = tuple(detectors)
    poses, built = {}, {}
    found = {detector: {} for detector in detectors}
    for subject, names in takes.items():
        poses[subject] = {}
        for name in names:
            if (subject, name) == ("S11", "Directions"):
                continue
            action = name.replace("TakingPhoto", "Photo").replace("WalkingDog", "WalkDog")
            full = people(subject, name, frames + longer)
            poses[subject][action] = (full[:frames] / 1000).astype(np.float32)
            seen = [(full[:, KEPT] - place) @ R.T for R, place in (stand(subject, c) for c in CAMERAS)]
            pixels = [lens_projection(points, c) for points, c in zip(seen, CAMERAS, strict=True)]
            built[subject, action] = one = {
                "world": full[:frames, KEPT],
                "joints": np.array(seen)[:, :frames],
                "pixels": np.array(pixels)[:, :frames],
            }
            for detector in detectors:
                one[detector] = _detect(detector, np.array(pixels), name)
                rows = frames if detector == "gt" else frames + longer
                found[detector].setdefault(subject, {})[action] = list(one[detector][:, :rows])
    np.savez_compressed(folder / POSES, positions_3d=poses)
    for detector in detectors:
        np.savez_compressed(
            folder / f"data_2d_h36m_{detector}.npz",
            positions_2d=found[detector],
            metadata=METADATA[detector],
        )
    if metadata:
        (folder / "metadata.xml").write_text(metadata_xml())
    return built


def _detect(detector: str, pixels: np.ndarray, name: str) -> np.ndarray:
    if detector == "gt":
        return pixels.astype(np.float32)
    order = {"coco": AS_COCO, "mpii": AS_MPII}.get(detector.split("_")[-1], range(17))
    noise = np.random.default_rng([*name.encode()]).normal(0, NOISE, pixels.shape)
    return (pixels + noise)[:, :, list(order)].astype(np.float32)
