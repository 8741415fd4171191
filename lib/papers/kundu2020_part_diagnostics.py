"""What the figures and claims of the chapter on Kundu et al., CVPR 2020 ask of a trained model.

Here the true joints and parts are looked at; training never sees any of this.
"""

import torch
from torch import Tensor

from lib.data.images import Filmed
from lib.data.solids import PARTS as RENDERED
from lib.geometry import similarity_align
from lib.kinematics import DISTANCE, canonical
from lib.metrics import p_mpjpe, part_f1
from lib.papers.kundu2020_data import MARGIN
from lib.papers.kundu2020_diagnostics import implausible, ratio_deviation
from lib.papers.kundu2020_part_model import Seen
from lib.papers.kundu2020_part_probes import crossings, moved_backgrounds, partly_seen, synthesised
from lib.papers.kundu2020_probes import view_spread
from lib.papers.sosa2023_diagnostics import percent
from lib.puppet import PARTS, deform, landmarks, order, order_printed, segment, shape_depths
from lib.skeleton import HUMAN36M_17

__all__ = ["diagnose", "faces_camera", "figures", "overlap", "true_parts"]

RANDOM, FAILURES = 16, 8  # frames kept for the figures
WORST, RARE = 0.05, 0.05  # share of frames that failures are taken from; that count as rare poses
AZIMUTHS = 7  # of the view synthesis
MIRROR = list(HUMAN36M_17.mirror)
CHUNK = 64
# The renderer also tells hands and feet apart.
_MERGED = {"hand": "lower_arm", "foot": "lower_leg"}


def faces_camera(pose: Tensor) -> Tensor:
    """Whether people (N, 17, 3) in camera axes look towards the camera: bool (N,)."""
    return canonical(pose)[1][:, 2, 0] < 0


def _labels(device: torch.device) -> Tensor:
    """Our label of each of the renderer's parts."""
    found = [0]
    for name in RENDERED[1:]:
        side, _, part = name.partition("_")
        found.append(1 + PARTS.index(f"{side}_{_MERGED.get(part, part)}" if part else name))
    return torch.tensor(found, dtype=torch.uint8, device=device)


def true_parts(poses, role: str, size: int) -> Tensor | None:
    """Labels (N, S, S) uint8 of the parts as drawn; None of photographs, of which nobody knows them."""
    filmed = Filmed.of(poses, role, size, margin=MARGIN)
    index = torch.arange(len(poses), device=poses.device)
    if filmed.draw(index[:1]).parts is None:
        return None
    table = _labels(poses.device)
    return torch.cat([table[filmed.draw(part).parts.long()] for part in index.split(256)])


def overlap(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union (N,) of masks (N, S, S)."""
    return (one & other).sum((1, 2)) / (one | other).sum((1, 2)).clamp_min(1)


def _box(masks: Tensor) -> Tensor:
    """A central box (S, S) of the mean figure's height and width."""
    size = masks.shape[-1]
    height, width = (masks.any(axis).sum(1).float().mean() for axis in (2, 1))
    place = (torch.arange(size, device=masks.device) + 0.5 - size / 2).abs()
    return (place[:, None] < height / 2) & (place[None] < width / 2)


@torch.no_grad()
def segmentations(trainer, frames, seen: Seen) -> tuple[Tensor, Tensor | None]:
    r""":math:`y^p` and :math:`\hat y` (N, S, S) uint8 of all frames; the latter None without a decoder."""
    model, size, drawing = trainer.model, trainer.profile.image, trainer.draws
    puppets, decoded = [], []
    for index in torch.arange(len(frames), device=trainer.device).split(CHUNK):
        puppets.append(model.parts(seen[index], size).labels)
        if drawing:
            decoded.append(trainer.drawn(seen[index], trainer.appearances(frames, index))[1])
    return torch.cat(puppets), torch.cat(decoded) if drawing else None


def _shown(trainer, role: str, frames, seen: Seen) -> tuple[Tensor, Tensor | None]:
    """The segmentations of a role, kept as its poses are."""
    if (role, "parts") not in trainer.shown:
        trainer.shown[role, "parts"] = segmentations(trainer, frames, seen)
    return trainer.shown[role, "parts"]


def _rare(trainer, joints: Tensor) -> Tensor:
    """Whether canonical joints (N, 17, 3) are among those farthest from any pose of role motion: bool
    (N,)."""
    motion = canonical(trainer.data["motion"]["train"].joints_3d)[0].flatten(1)[::7]
    distance = torch.cdist(joints.flatten(1), motion).amin(1)
    return distance >= torch.quantile(distance, 1 - RARE)


@torch.no_grad()
def diagnose(trainer, role: str) -> dict[str, float]:
    """Numbers of one test role; names as in the chapter's file of claims."""
    frames, seen = trainer.look(role)
    footage = frames.footage
    test = footage.poses
    predicted = trainer.predict(role)
    points = seen.points[:, : len(MIRROR)]
    plain, swapped = (percent(p, footage.points, test.labelled) for p in (points, points[:, MIRROR]))
    says = faces_camera(seen.turned)
    found = {
        "error_2d": plain.mean(),
        "error_2d_swap": torch.minimum(plain, swapped).mean(),
        "label_swap_share": (swapped < plain).float().mean(),
        "facing_front": says.float().mean(),
        "implausible_share": implausible(predicted).float().mean(),
        "ratio_deviation": ratio_deviation(seen.joints, trainer.model.lengths),
    }
    generator = torch.Generator(trainer.device).manual_seed(0)
    z = trainer.poses.draw(trainer.model, 512, 0.0, 0.0, generator)
    mean = z.points[:, : len(MIRROR)].mean(0).expand_as(footage.points)
    found["error_2d_floor"] = percent(mean, footage.points, test.labelled).mean()
    crossed = crossings(footage.points)
    if test.in_3d.all():
        found |= _three_dimensional(trainer, frames, predicted, seen, crossed)
    found |= moved_backgrounds(trainer, frames, seen)
    found |= _segmented(trainer, role, frames, seen, crossed)
    if role in ("studio", "wild") and trainer.draws:
        found |= synthesised(trainer, frames, seen)
    if role == "studio":
        found["view_spread"] = view_spread(test, canonical(seen.turned)[0]) * trainer.unit_mm
        found |= _ceiling(trainer, test, footage) | _of_the_data(trainer)
    # what is undefined on this data - no frame of a kind - is left out
    return {name: float(value) for name, value in found.items() if torch.isfinite(torch.as_tensor(value))}


def _three_dimensional(trainer, frames, predicted: Tensor, seen: Seen, crossed: Tensor) -> dict[str, Tensor]:
    """What only the true 3D poses can tell."""
    test = frames.footage.poses
    truth = test.joints_3d - test.joints_3d[:, :1]
    error = p_mpjpe(predicted, truth)
    mirrored = p_mpjpe(predicted * predicted.new_tensor([1.0, 1.0, -1.0]), truth)
    mine, true = canonical(seen.turned)[0], canonical(truth)[0]
    front, says = faces_camera(truth), faces_camera(seen.turned)
    half = len(test) // 2
    rare = _rare(trainer, true)
    return {
        "p_mpjpe_frames": error.mean(),
        "p_mpjpe_front": error[front].mean(),
        "p_mpjpe_back": error[~front].mean(),
        "mirrored_share": (mirrored < error).float().mean(),
        "facing_right": (front == says).float().mean(),
        "facing_true": front.float().mean(),
        "implausible_true": implausible(truth).float().mean(),
        "pose_diversity": (mine - mine.roll(half, 0)).norm(dim=-1).mean()
        / (true - true.roll(half, 0)).norm(dim=-1).mean(),
        "p_mpjpe_clear": error[crossed == 0].mean(),
        "p_mpjpe_crossed_one": error[crossed == 1].mean(),
        "p_mpjpe_crossed_more": error[crossed > 1].mean(),
        "p_mpjpe_rare": error[rare].mean(),
        "p_mpjpe_usual": error[~rare].mean(),
        **partly_seen(trainer, frames, truth),
    }


def _segmented(trainer, role: str, frames, seen: Seen, crossed: Tensor) -> dict[str, Tensor]:
    """F1 and overlap of both segmentations, and of the saliency; of photographs as far as it is known."""
    true = true_parts(frames.footage.poses, role, trainer.profile.image)
    person = true > 0 if true is not None else _people(frames.footage.poses, role, trainer.profile.image)
    if person is None:
        return {}
    puppet, decoded = _shown(trainer, role, frames, seen)
    found = {
        "iou_box": overlap(_box(person).expand_as(person), person).mean(),
        "saliency_iou": overlap(frames.saliency[:, 0] > 127, person).mean(),
    }
    for suffix, labels in (("_puppet", puppet), ("", decoded)):
        if labels is None:
            continue
        if true is not None:
            parts = part_f1(labels, true, len(PARTS))
            found |= {
                f"f1_parts{suffix}": parts.mean(),
                f"f1_parts{suffix}_crossed": parts[crossed > 0].mean(),
            }
        found |= {
            f"f1_figure{suffix}": part_f1((labels > 0).long(), person.long(), 1).mean(),
            f"iou_figure{suffix}": overlap(labels > 0, person).mean(),
        }
    return found


def _people(poses, role: str, size: int) -> Tensor | None:
    """Where people are (N, S, S) bool; None where nobody knows."""
    return Filmed.of(poses, role, size, margin=MARGIN).masks()


def _ceiling(trainer, test, footage) -> dict[str, Tensor]:
    """How well the template fits the drawn people when posed by the truth; what the printed order does
    then."""
    index = torch.linspace(0, len(test) - 1, min(256, len(test)), device=trainer.device).long()
    size, shape = trainer.profile.image, trainer.model.template
    pose = test.joints_3d[index]
    body = landmarks(pose)
    K = Filmed.of(test, "studio", size, margin=MARGIN).K[index]
    points = (body / body[..., 2:] @ K.mT)[..., :2] / size * 2 - 1
    trunk = (pose[:, HUMAN36M_17.index("thorax")] - pose[:, 0]).norm(dim=-1)
    scale = 2 * K[:, 0, 0] / size * trunk / pose[:, 0, 2]
    depth = shape_depths(shape, (body[..., 2] - pose[:, :1, 2]) / trunk[:, None])
    phi, _ = deform(shape, points, size, scale if trainer.variant.thick else None)
    labels = segment(shape, order(phi, depth))
    printed = order_printed(phi, depth + DISTANCE).argmax(1) == len(shape)
    found = {"printed_background": printed.float().mean()}
    true = true_parts(test, "studio", size)
    if true is not None:
        found["puppet_f1_true"] = part_f1(labels, true[index], len(PARTS)).mean()
    person = true > 0 if true is not None else _people(test, "studio", size)
    if person is not None:
        found["puppet_iou_true"] = overlap(labels > 0, person[index]).mean()
    return found


def _of_the_data(trainer) -> dict[str, float]:
    variant = trainer.variant
    count = len(trainer.footage["studio"])
    given = {variant.labels: round(count * variant.share)}
    if variant.encoder_only:
        given = {"3d": round(count * variant.share)}
    if variant.last:
        more = round(len(trainer.footage["outdoor"]) * variant.last_share)
        given[variant.last] = given.get(variant.last, 0) + more
    # every instant is in the prior once a camera, and mirrored
    distinct = (
        0 if trainer.prior is None else len(trainer.prior.parameters.mul(100).round().unique(dim=0)) // 2
    )
    return {
        "images": float(sum(map(len, trainer.footage.values()))),
        "labelled_2d": float(given.get("2d", 0)),
        "labelled_3d": float(given.get("3d", 0)),
        "poses": float(distinct),
        "parameters": float(trainer.parameters),
    }


@torch.no_grad()
def figures(trainer, role: str) -> dict[str, Tensor]:
    """Random test frames, the same for every variant, and random ones of the worst; what the decoder can
    do."""
    frames, seen = trainer.look(role)
    footage = frames.footage
    if not footage.poses.in_3d.all():  # they show predictions over the truth
        return {}
    truth = footage.poses.joints_3d - footage.poses.joints_3d[:, :1]
    predicted = trainer.predict(role)
    aligned = similarity_align(predicted, truth)
    error = (aligned - truth).norm(dim=-1).mean(-1)
    places = torch.randperm(len(footage), generator=torch.Generator().manual_seed(0)).to(error.device)
    worst = places[error[places] >= torch.quantile(error, 1 - WORST)]
    puppet, decoded = _shown(trainer, role, frames, seen)
    true = true_parts(footage.poses, role, trainer.profile.image)
    arrays = {}
    for name, index in (("random", places[:RANDOM]), ("failures", worst[:FAILURES])):
        arrays |= {
            f"{name}/image": footage.images[index].movedim(1, -1),
            f"{name}/points": seen.points[index, : len(MIRROR)],
            f"{name}/truth_2d": footage.points[index],
            f"{name}/predicted": predicted[index],
            f"{name}/aligned": aligned[index],
            f"{name}/truth": truth[index],
            f"{name}/error": error[index],
            f"{name}/action": footage.poses.action[index],
            f"{name}/puppet": puppet[index],
            f"{name}/saliency": frames.saliency[index, 0],
        }
        arrays |= {
            f"{name}/{kind}": labels[index]
            for kind, labels in (("parts", true), ("decoded", decoded))
            if labels is not None
        }
    if role in ("studio", "wild") and trainer.draws:
        arrays |= _novel(trainer, frames, seen, places)
    return arrays


def _pixels(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).movedim(-3, -1)


def _novel(trainer, frames, seen: Seen, places: Tensor) -> dict[str, Tensor]:
    """Three poses in three appearances; one person from cameras all around."""
    # of the frames in their random order the first of each clip, so that no two show the same person and pose
    clips = frames.footage.poses.clip[places]
    first = sorted(int((clips == c).nonzero()[0]) for c in clips.unique())
    chosen = places[torch.tensor(first, device=places.device)]
    chosen = chosen.repeat(1 + 6 // len(chosen))[:6]
    poses, looks = chosen[:3], chosen[3:]
    code = trainer.appearances(frames, looks)
    drawn, decoded = trainer.drawn(seen[poses.repeat_interleave(3)], code.repeat(3, *[1] * (code.ndim - 1)))
    angles = torch.linspace(-torch.pi, torch.pi, AZIMUTHS + 1, device=places.device)[:-1]
    around = trainer.around(seen[poses[:1].expand(AZIMUTHS)], angles)
    own = trainer.appearances(frames, poses[:1])
    views, their = trainer.drawn(around, own.expand(AZIMUTHS, *own.shape[1:]))
    size = trainer.profile.image
    return {
        "transfer/pose": frames.footage.images[poses].movedim(1, -1),
        "transfer/appearance": frames.footage.images[looks].movedim(1, -1),
        "transfer/drawn": _pixels(drawn).unflatten(0, (3, 3)),
        "transfer/puppet": trainer.model.parts(seen[poses], size).labels,
        "transfer/decoded": decoded.unflatten(0, (3, 3)),
        "view/picture": frames.footage.images[poses[0]].movedim(0, -1),
        "view/drawn": _pixels(views),
        "view/puppet": trainer.model.parts(around, size).labels,
        "view/decoded": their,
        "view/azimuth": torch.rad2deg(angles),
    }
