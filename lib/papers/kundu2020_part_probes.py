"""What Kundu et al., CVPR 2020 claim of synthesised pictures, other backgrounds, crossed and cut-off limbs,
measured."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from lib.data.backdrops import foreground
from lib.data.saliency import saliency
from lib.kinematics import camera_rotation
from lib.metrics import p_mpjpe, pck
from lib.papers.kundu2020_part_model import Seen
from lib.puppet import PARTS
from lib.skeleton import HUMAN36M_17

__all__ = ["crossings", "moved_backgrounds", "part_colours", "partly_seen", "synthesised"]

SAMPLE, FEW = 128, 48  # frames that a probe looks at; that are given another background
UPPER = 0.55  # share of a crop that is left of people who are partly seen, from the top
SHIFT = 6  # of 64: how far a background moves
TURN = torch.pi / 4  # rad, by which a camera goes around
_LIMBS = tuple(
    (HUMAN36M_17.index(f"{side}_{a}"), HUMAN36M_17.index(f"{side}_{b}"))
    for side in ("left", "right")
    for a, b in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"))
)


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def crossings(points: Tensor) -> Tensor:
    """How many pairs of limbs cross in the picture: (N,) of points (N, 17, 2).

    Two limbs, of the eight of arms and legs, that share no joint cross where their lines do.
    """
    count = torch.zeros(len(points), dtype=torch.long, device=points.device)
    for i, (a, b) in enumerate(_LIMBS):
        for c, d in _LIMBS[i + 1 :]:
            if {a, b} & {c, d}:
                continue
            p, q, r, s = (points[:, j] for j in (a, b, c, d))
            between = (_cross(q - p, r - p) * _cross(q - p, s - p) < 0) & (
                _cross(s - r, p - r) * _cross(s - r, q - r) < 0
            )
            count += between
    return count


def _sample(count: int, device: torch.device, most: int = SAMPLE) -> Tensor:
    return torch.linspace(0, count - 1, min(most, count), device=device).long()


def _read(trainer, pictures: Tensor, masks: Tensor) -> Seen:
    """The encoder's poses of pictures (N, 3, S, S) with saliency (N, 1, S, S)."""
    return Seen.joined(
        [
            trainer.model.encode_pose(trainer.shown_to(p, m))
            for p, m in zip(pictures.split(SAMPLE), masks.split(SAMPLE), strict=True)
        ]
    )


@torch.no_grad()
def partly_seen(trainer, frames, truth: Tensor) -> dict[str, Tensor]:
    """Errors on people of whom only the upper part is in the picture."""
    index = _sample(len(frames), trainer.device)

    def upper(pictures: Tensor) -> Tensor:
        """The middle of the upper part, as large as the picture."""
        size = pictures.shape[-1]
        kept = round(UPPER * size)
        left = (size - kept) // 2
        return interpolate(
            pictures[:, :, :kept, left : left + kept], size=size, mode="bilinear", align_corners=False
        )

    seen = _read(trainer, upper(frames.footage.pictures(index)), upper(frames.masks(index)))
    predicted = seen.turned * trainer.unit_mm
    return {
        "p_mpjpe_partial": p_mpjpe(predicted, truth[index]).mean(),
        "pck_partial": 100 * pck(predicted, truth[index]).mean(),
    }


@torch.no_grad()
def moved_backgrounds(trainer, frames, seen: Seen) -> dict[str, Tensor]:
    """How much a predicted pose changes, in mm after alignment, with what is behind the person.

    The person is cut out by the saliency and put before a random scene, or before what surrounds them in
    their own picture, moved to the side. The saliency of the new picture is found as that of any other:
    from the background where a static camera knows it, else from the picture.
    """
    index = _sample(len(frames), trainer.device, FEW)
    pictures, masks = frames.footage.pictures(index), frames.masks(index)
    static = frames.footage.static[index]
    scenes = trainer.scenes[index % len(trainer.scenes)].float() / 255
    around = torch.where(masks > 0.5, scenes, pictures)
    known = static[:, None, None, None]
    own = torch.where(known, frames.footage.backgrounds(index), around)
    moved = own.roll(max(1, round(SHIFT * pictures.shape[-1] / 64)), -1)
    before = seen.turned[index] * trainer.unit_mm
    found = {}
    for name, behind in (("change", scenes), ("moving", moved)):
        shown = masks * pictures + (1 - masks) * behind
        told = torch.where(known, foreground(shown, behind), saliency(shown))
        again = _read(trainer, shown, told)
        found[f"background_{name}"] = p_mpjpe(again.turned * trainer.unit_mm, before).mean()
    return found


def part_colours(pictures: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean colour (N, 10, 3) of each part of pictures (N, 3, S, S), and whether it has pixels (N, 10)."""
    masks = torch.nn.functional.one_hot(labels.long(), len(PARTS) + 1)[..., 1:].flatten(1, 2).float()
    area = masks.sum(1)
    return (masks.mT @ pictures.flatten(2).mT) / area.clamp_min(1)[..., None], area >= 4


def _colour_distance(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> Tensor:
    """Mean distance () of the colours of the parts that both pictures show."""
    both = (one[1] & other[1]).float()
    return ((one[0] - other[0]).norm(dim=-1) * both).sum() / both.sum().clamp_min(1)


@torch.no_grad()
def synthesised(trainer, frames, seen: Seen) -> dict[str, Tensor]:
    """Pose transfer and view synthesis: what is read again from pictures that the decoder drew."""
    index = _sample(len(frames), trainer.device)
    other = index.roll(len(index) // 2)
    size, unit = trainer.profile.image, trainer.unit_mm
    driving, source = seen[index], seen[other]

    def labels(poses: Seen) -> Tensor:
        return torch.cat(
            [trainer.model.parts(poses[i], size).labels for i in torch.arange(len(index)).split(64)]
        )

    # an encoder that always saw scenes behind people sees them here too
    behind = None if trainer.hides else trainer.scenes[index % len(trainer.scenes)].float() / 255
    drawn, decoded = trainer.drawn(driving, trainer.appearances(frames, other), behind)
    again = _read(trainer, drawn, (decoded > 0)[:, None].float())
    mine = part_colours(drawn, labels(driving))
    theirs, own = (
        part_colours(frames.footage.pictures(i), labels(p)) for i, p in ((other, source), (index, driving))
    )
    angle = torch.full((len(index),), TURN, device=trainer.device)
    around = trainer.around(driving, angle)
    views, seen_from = trainer.drawn(around, trainer.appearances(frames, index), behind)
    after = _read(trainer, views, (seen_from > 0)[:, None].float())
    R, R_asked = (camera_rotation(s.camera[:, :6]) for s in (after, around))
    cosine = ((R.mT @ R_asked).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    return {
        "transfer_to_pose": p_mpjpe(again.turned * unit, driving.turned * unit).mean(),
        "transfer_to_appearance": p_mpjpe(again.turned * unit, source.turned * unit).mean(),
        "swap_floor": p_mpjpe(driving.turned * unit, source.turned * unit).mean(),
        "colour_to_source": _colour_distance(mine, theirs),
        "colour_to_driver": _colour_distance(mine, own),
        "view_pose_change": p_mpjpe(after.joints * unit, driving.joints * unit).mean(),
        "view_camera_error": torch.rad2deg(torch.acos(cosine.clamp(-1, 1))).mean(),
        "view_camera_turn": torch.rad2deg(angle).mean(),
    }
