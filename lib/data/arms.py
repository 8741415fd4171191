"""Arms held out and arms hanging: which frames show them, and collections with a given share of them.

The two groups are those of Yoo and Russakovsky 2023: their diagnosis is that a template whose arms are
held out fits few frames, as people seldom stand so.
"""

import math
from dataclasses import replace

import torch
from torch import Tensor

from lib.data.batches import Poses
from lib.geometry import Camera, normalise, project
from lib.skeleton import HUMAN36M_17

__all__ = ["arms", "arms_of", "with_arms_out"]

OUT_SLOPE = math.tan(math.radians(20))  # at most, between shoulder and wrist of arms held out
DOWN_SLOPE = math.tan(math.radians(45))  # at least, of arms that hang

# Whose arms may be raised: people seen from the front or from behind, who do not bend down.
SPANNING = math.cos(math.radians(40))  # at least, of the shoulder line's length seen in the picture
UPRIGHT = math.cos(math.radians(30))  # at least, of the back against the vertical
# The angles of raised arms, in degrees.
ELEVATION = 12.0  # at most, of the upper arm above or below the horizontal
SWING = 10.0  # at most, of the upper arm ahead of or behind the shoulder line
BEND = 10.0  # at most, of the forearm against the upper arm: ahead, and up or down
SHRINKAGE = (1.0, 0.75, 0.5, 0.25, 0.0)  # of all angles: the first with which the arms count as out

SIDES = ("left", "right")
BONES = (("shoulder", "elbow"), ("elbow", "wrist"))


def arms_of(shoulders: Tensor, wrists: Tensor) -> tuple[Tensor, Tensor]:
    """Whether both arms are held out (N,), and whether both hang (N,), in a picture with y down.

    shoulders and wrists (N, 2, 2): the two sides in the same order, in any unit. With (dx, dy) from
    shoulder to wrist, an arm is held out where |dy| <= |dx| tan 20 deg and the wrist is on the side away
    from the other shoulder; it hangs where the wrist is below the shoulder and |dy| >= |dx| tan 45 deg.
    From the analysis in the code of Yoo and Russakovsky 2023. ValueError for other shapes.
    """
    if shoulders.ndim != 3 or shoulders.shape[1:] != (2, 2) or shoulders.shape != wrists.shape:
        shapes = f"{tuple(shoulders.shape)} and {tuple(wrists.shape)}"
        raise ValueError(f"shoulders and wrists are (N, 2, 2), not {shapes}")
    dx, dy = (wrists - shoulders).unbind(-1)
    outwards = shoulders[..., 0] - shoulders[..., 0].flip(1)
    out = (dx * outwards > 0) & (dy.abs() <= dx.abs() * OUT_SLOPE)
    down = (dy > 0) & (dy >= dx.abs() * DOWN_SLOPE)
    return out.all(1), down.all(1)


def arms(joints_2d: Tensor) -> tuple[Tensor, Tensor]:
    """The same of poses (N, 17, 2) with the joints of Human3.6M."""
    if joints_2d.ndim != 3 or joints_2d.shape[1:] != (len(HUMAN36M_17), 2):
        raise ValueError(f"joints_2d are (N, 17, 2), not of shape {tuple(joints_2d.shape)}")
    return arms_of(joints_2d[:, _both("shoulder")], joints_2d[:, _both("wrist")])


def with_arms_out(poses: Poses, share: float, seed: int) -> tuple[Poses, Tensor]:
    """A collection of frames: of those with arms out or down the given share has them out.

    Where too few arms are held out, hanging ones are raised, of people who stand upright and whose
    shoulder line spans the picture. Both arms go sideways along the shoulder line, level with the floor
    but for a few degrees, drawn for each frame and arm. Bones keep their lengths; joints_3d and
    joints_2d change, detected_2d becomes None. Where that is not enough, frames with hanging arms are
    left out; where too many arms are held out, some of those. Frames that are neither all stay. Chance
    follows from the seed alone: a larger share adds raised frames to those of a smaller one. Where
    pictures are stored with the poses, nobody's arms can be raised, and frames are left out alone.

    Arguments:
        share: in [0, 1), up to rounding.

    Returns the poses, all N in their clips, and the indices (M,) of the collection's frames, in order.
    ValueError for another share and another skeleton than that of Human3.6M.
    """
    if not 0 <= share < 1:
        raise ValueError(f"the share of arms held out is at least 0 and below 1, not {share}")
    if poses.skeleton != HUMAN36M_17:
        raise ValueError(f"arms are raised of {HUMAN36M_17.name}, not of {poses.skeleton.name}")
    out, down = arms(poses.joints_2d)
    generator = torch.Generator().manual_seed(seed)
    rank = torch.randperm(len(poses), generator=generator).to(poses.device)
    joints_3d, joints_2d, able = _raised(poses, generator)

    wanted = round(share * int((out | down).sum())) - int(out.sum())
    if poses.pictures:
        able = torch.zeros_like(able)
    chosen = _first(able & down, rank, wanted)
    out, down = out | chosen, down & ~chosen
    if wanted < 0:
        left_out = out & ~_first(out, rank, round(int(down.sum()) * share / (1 - share)))
    elif int(chosen.sum()) < wanted:
        left_out = down & ~_first(down, rank, round(int(out.sum()) * (1 - share) / share))
    else:
        left_out = torch.zeros_like(out)
    where = chosen[:, None, None]
    changed = replace(
        poses,
        joints_3d=torch.where(where, joints_3d, poses.joints_3d),
        joints_2d=torch.where(where, joints_2d, poses.joints_2d),
        detected_2d=None,
    )
    return changed, (~left_out).nonzero()[:, 0]


def _both(joint: str) -> list[int]:
    return [HUMAN36M_17.index(f"{side}_{joint}") for side in SIDES]


def _first(members: Tensor, rank: Tensor, count: int) -> Tensor:
    """The `count` members (N,) bool of the lowest rank; all where there are not as many."""
    order = rank.masked_fill(~members, len(rank)).argsort()
    first = torch.zeros_like(members)
    first[order[: max(0, count)]] = True
    return first & members


def _raised(poses: Poses, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Every frame with its arms raised, in 3D and in 2D, and of which frames (N,) that may be used."""
    joints, up = poses.joints_3d, poses.R[:, :, 2]
    left = joints[:, _both("shoulder")[0]] - joints[:, _both("shoulder")[1]]
    left = normalise(left - (left * up).sum(-1, keepdim=True) * up)
    angles = torch.deg2rad(_angles(len(poses), generator)).to(joints)
    # in camera coordinates already
    still = Camera(poses.K, torch.eye(3).to(poses.K).expand_as(poses.K), torch.zeros_like(poses.t))

    best_3d, best_2d = joints, poses.joints_2d
    able = torch.zeros(len(poses), dtype=torch.bool, device=poses.device)
    for factor in SHRINKAGE:
        tried_3d = _with_arms_at(factor * angles, joints, left, up)
        tried_2d = project(tried_3d, still)
        better = arms(tried_2d)[0] & ~able
        best_3d = torch.where(better[:, None, None], tried_3d, best_3d)
        best_2d = torch.where(better[:, None, None], tried_2d, best_2d)
        able = able | better
    back = normalise(joints[:, HUMAN36M_17.index("thorax")] - joints[:, HUMAN36M_17.root])
    spanning = torch.linalg.vector_norm(left[:, :2], dim=-1) >= SPANNING
    return best_3d, best_2d, able & spanning & ((back * up).sum(-1) >= UPRIGHT)


def _with_arms_at(angles: Tensor, joints: Tensor, left: Tensor, up: Tensor) -> Tensor:
    """Joints (N, 17, 3) with arms at angles (2, 2, N, 2), in radians, from left (N, 3) and right."""
    outwards = torch.stack([left, -left], dim=1)
    ahead, up = torch.linalg.cross(left, up)[:, None], up[:, None]
    end, moved = joints[:, _both("shoulder")], joints.clone()
    for (near, far), (elevation, swing) in zip(BONES, angles[..., None].unbind(0), strict=True):
        bone = joints[:, _both(far)] - joints[:, _both(near)]
        level = torch.cos(swing) * outwards + torch.sin(swing) * ahead
        way = torch.cos(elevation) * level + torch.sin(elevation) * up
        end = end + torch.linalg.vector_norm(bone, dim=-1, keepdim=True) * way
        moved[:, _both(far)] = end
    return moved


def _angles(frames: int, generator: torch.Generator) -> Tensor:
    """Elevation and swing of upper arms and of forearms (2, 2, N, 2), in degrees. Elbows bend ahead."""
    draw = torch.rand((4, frames, 2), generator=generator)
    elevation, swing = (2 * draw[0] - 1) * ELEVATION, (2 * draw[1] - 1) * SWING
    upper = torch.stack([elevation, swing])
    lower = torch.stack([elevation + (2 * draw[2] - 1) * BEND, swing + draw[3] * BEND])
    return torch.stack([upper, lower])
