"""From poses to pictures: each person clothed, cropped and filmed before a scene, when needed.

What a picture shows is decided by names, not by its place in a batch. A person's build, skin and
hair go with the subject; clothes and light with the subject's recording (the action with its take),
so that all cameras see the same; the scene with role, subject and camera, so that a static camera
sees the same room in all its clips. In the studio it is the same room for all subjects, as the four
cameras of Human3.6M know four backgrounds in all. Nothing is stored but the crops: drawing is fast enough.

Where pictures are stored with the poses, nobody is drawn: see `lib.data.photographs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor

from lib.data.appearance import Appearance, sample_appearance
from lib.data.batches import Poses
from lib.data.crops import crop_intrinsics, to_crop
from lib.data.dataset import DatasetError
from lib.data.photographs import Photographed
from lib.data.render import Picture, render
from lib.data.scenes import backgrounds, standing_camera
from lib.data.shots import WINDOWS, Shots, windows
from lib.geometry import Camera
from lib.skeleton import HAND_21

__all__ = ["STYLES", "WINDOWS", "Filmed"]

# Role -> style of the clothes and of the scene.
STYLES = {
    "studio": ("studio", "studio"),
    "motion": ("studio", "studio"),
    "bodies": ("wild", "studio"),
    "outdoor": ("studio", "outdoor"),
    "wild": ("wild", "web"),
    "sport": ("wild", "web"),
    "hands": ("hand", "web"),
}
DRAWN = ("motion", "bodies")  # whoever brought the data: poses without pictures, and renders
LONGEST_OFFSET = 600  # s: scenes that move start somewhere in their first ten minutes


@dataclass(frozen=True)
class Filmed(Shots):
    """Poses with everything needed to draw their pictures.

    outfit and scene (C,): row of ``appearance`` and seed of the scene of each clip; offset (C,):
    seconds at which the clip begins in its scene.
    """

    scene_style: str
    appearance: Appearance
    outfit: Tensor
    offset: Tensor

    @classmethod
    def of(
        cls,
        poses: Poses,
        role: str,
        size: int,
        margin: float = 1.25,
        seed: int = 0,
        window: str = "frame",
    ) -> Shots:
        """Decide crops and looks of all frames of a role; of stored pictures, crops alone.

        For ``window`` and ``margin`` see `lib.data.shots.windows`. Another ``seed`` gives other people in
        other scenes. Raises ValueError for an unknown role or window, and DatasetError where an import
        kept no pictures, since nobody is drawn in their place; roles motion and bodies are always drawn.
        """
        if role not in STYLES:
            raise ValueError(f"no role {role!r}; there are {', '.join(STYLES)}")
        if poses.no_pictures and role not in DRAWN:
            raise DatasetError(poses.no_pictures)
        if poses.pictures and role not in DRAWN:
            return Photographed.of(poses, size, margin, window)
        clothes, scenery = STYLES[role]
        names = [group.strip("/").split("/") for group in poses.clips]
        recordings = [f"{subject}/{action}" for subject, action, _ in names]
        outfits = list(dict.fromkeys(recordings))
        appearance = sample_appearance(
            _seeds(outfits, seed, poses.device),
            _seeds([name.split("/")[0] for name in outfits], seed, poses.device),
            clothes,
            poses.device,
        )
        places = [role if scenery == "studio" else f"{role}/{who}" for who, _, _ in names]
        views = [f"{place}/{name[2]}" for place, name in zip(places, names, strict=True)]
        scene = _seeds(views, seed, poses.device)
        centre, side = windows(poses, scene, window, margin)
        return cls(
            poses=poses,
            size=size,
            scene_style=scenery,
            crop=to_crop(poses.joints_2d, centre, side),
            centre=centre,
            side=side,
            K=crop_intrinsics(poses.K, centre, side, size),
            appearance=appearance,
            outfit=torch.tensor([outfits.index(name) for name in recordings], device=poses.device),
            scene=scene,
            offset=_seeds(recordings, seed, poses.device) % LONGEST_OFFSET,
            window=window,
        )

    def draw(self, index: Tensor, background: bool = False) -> Picture:
        """The pictures of some frames (B,), before their scene or, without ``background``, black.

        People before a scene throw their shadow on its floor; hands do not.
        """
        poses, clip = self.poses, self.poses.clip[index]
        scene = floor = None
        if background:
            scene = self.scenery(index)
            if poses.skeleton != HAND_21:
                floor = _floor(poses.R[index], poses.t[index])
        return render(
            poses.joints_3d[index],
            self.K[index],
            self.appearance[self.outfit[clip]],
            self.size,
            background=scene,
            skeleton=poses.skeleton,
            floor=floor,
        )

    def scenery(self, index: Tensor) -> Tensor:
        """The scenes (B, 3, S, S), in [0, 1], that some frames show, without the people."""
        poses, clip = self.poses, self.poses.clip[index]
        time = self.offset[clip] + (index - poses.start[clip]) / poses.fps[clip]
        camera = Camera(poses.K[index], poses.R[index], poses.t[index])
        if poses.skeleton == HAND_21:  # there is no floor below a hand that a camera is near to
            camera = standing_camera(camera.K)
        return backgrounds(
            self.scene[clip],
            time,
            self.size,
            self.scene_style,
            camera=camera,
            window=(self.centre[index], self.side[index]),
        )


def _seeds(names: Sequence[str], seed: int, device: torch.device) -> Tensor:
    numbers = [(seed << 32) + crc32(name.encode()) for name in names]
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def _floor(R: Tensor, t: Tensor) -> Tensor:
    """The world's plane z = 0 as (up, height) (B, 4): up . X = height in camera coordinates, mm."""
    up = R[:, :, 2]
    return torch.cat([up, (up * t).sum(dim=-1, keepdim=True)], dim=-1)
