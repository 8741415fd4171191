"""From poses to pictures: each person clothed, cropped and filmed before a scene, when needed.

What a picture shows is decided by names, not by its place in a batch. A person's build, skin and
hair go with the subject; clothes and light with the subject's recording (the action with its take),
so that all cameras see the same; the scene with role, subject and camera, so that a static camera
sees the same room in all its clips. In the studio it is the same room for all subjects, as the four
cameras of Human3.6M know four backgrounds in all. Nothing is stored but the crops: drawing is fast enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

import torch
from torch import Tensor

from lib.data.appearance import Appearance, sample_appearance
from lib.data.batches import Poses
from lib.data.crops import crop_intrinsics, person_box, temporal_median, to_crop
from lib.data.render import Picture, render
from lib.data.scenes import backgrounds, standing_camera
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
WINDOWS = ("frame", "clip", "scene")
LONGEST_OFFSET = 600  # s: scenes that move start somewhere in their first ten minutes


@dataclass(frozen=True)
class Filmed:
    """Poses with everything needed to draw their pictures, on the device of the poses.

    crop (N, J, 2): the true joints in crop coordinates, [-1, 1] over the crop. centre (N, 2) and
    side (N,): the crop squares in image px. K (N, 3, 3): intrinsics of the crops at size x size px.
    outfit and scene (C,): row of ``appearance`` and seed of the scene of each clip; offset (C,):
    seconds at which the clip begins in its scene.
    """

    poses: Poses
    size: int
    scene_style: str
    crop: Tensor
    centre: Tensor
    side: Tensor
    K: Tensor
    appearance: Appearance
    outfit: Tensor
    scene: Tensor
    offset: Tensor
    window: str

    @classmethod
    def of(
        cls,
        poses: Poses,
        role: str,
        size: int,
        margin: float = 1.25,
        seed: int = 0,
        window: str = "frame",
    ) -> Filmed:
        """Decide crops and looks of all frames of a role.

        window is what the crop is fixed for: "frame" recentres it on each frame's person, "clip"
        takes one crop around the whole path of a clip, "scene" one around everything that a camera
        sees. With the last two a temporal median is defined. Another ``seed`` gives
        other people in other scenes. Raises ValueError for an unknown role or window.
        """
        if role not in STYLES:
            raise ValueError(f"no role {role!r}; there are {', '.join(STYLES)}")
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
        centre, side = _windows(poses, scene, window, margin)
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

    def __len__(self) -> int:
        return len(self.poses)

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

    def colours(self, index: Tensor, background: bool = False, chunk: int = 256) -> Tensor:
        """Pictures of some frames (B, 3, S, S) as uint8, drawn ``chunk`` at a time, for keeping."""
        pictures = self.K.new_empty((len(index), 3, self.size, self.size), dtype=torch.uint8)
        for place, piece in zip(pictures.split(chunk), index.split(chunk), strict=True):
            place.copy_((self.draw(piece, background).colour * 255).round_())
        return pictures

    def all_colours(self, background: bool = False, chunk: int = 256) -> Tensor:
        """Pictures of all frames (N, 3, S, S) as uint8: 12 kB each at 64 x 64."""
        return self.colours(torch.arange(len(self), device=self.K.device), background, chunk)

    def estimated_background(self, clip: int, frames: int = 64) -> Tensor:
        """Background (3, S, S) uint8 of a clip's crop: the temporal median of its frames.

        Up to ``frames`` pictures, evenly spaced over the clip, or, where the crop is fixed for the
        scene, over all clips of that camera in that scene. Who stays in place for more than half of
        that time stays in the median. Raises ValueError where crops move with the frame.
        """
        if self.window == "frame":
            raise ValueError('crops that move with the frame have no median: take window="clip"')
        same = self.poses.clip == clip
        if self.window == "scene":
            same = (self.scene == self.scene[clip])[self.poses.clip]
        index = same.nonzero()[:, 0]
        chosen = torch.linspace(0, len(index) - 1, min(frames, len(index)), device=index.device)
        return temporal_median(self.colours(index[chosen.round().long()], background=True))


def _seeds(names: Sequence[str], seed: int, device: torch.device) -> Tensor:
    numbers = [(seed << 32) + crc32(name.encode()) for name in names]
    return torch.tensor(numbers, dtype=torch.int64, device=device)


def _windows(poses: Poses, scene: Tensor, window: str, margin: float) -> tuple[Tensor, Tensor]:
    """Centre (N, 2) and side (N,) px of the crop of each frame."""
    if window not in WINDOWS:
        raise ValueError(f"window is one of {', '.join(WINDOWS)}, not {window!r}")
    if window == "frame":
        return person_box(poses.joints_2d, margin)
    group = poses.clip if window == "clip" else scene.unique(return_inverse=True)[1][poses.clip]
    where = group[:, None].expand(-1, 2)
    corners = poses.joints_2d.new_zeros(int(group.max()) + 1, 2)
    low, high = (
        corners.scatter_reduce(0, where, points, reduce, include_self=False)
        for points, reduce in (
            (poses.joints_2d.amin(dim=1), "amin"),
            (poses.joints_2d.amax(dim=1), "amax"),
        )
    )
    centre, side = person_box(torch.stack([low, high], dim=1), margin)
    return centre[group], side[group]


def _floor(R: Tensor, t: Tensor) -> Tensor:
    """The world's plane z = 0 as (up, height) (B, 4): up . X = height in camera coordinates, mm."""
    up = R[:, :, 2]
    return torch.cat([up, (up * t).sum(dim=-1, keepdim=True)], dim=-1)
