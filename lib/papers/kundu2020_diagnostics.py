"""What the figures and claims of the chapter on Kundu et al., AAAI 2020 ask of a trained model.

Here the true joints are looked at; training never sees any of this.
"""

import torch
from torch import Tensor

from lib.data.backdrops import person_share
from lib.data.images import Filmed
from lib.data.scenes import on_tripod
from lib.geometry import normalise, similarity_align
from lib.kinematics import bone_ratios, canonical
from lib.metrics import p_mpjpe
from lib.papers.kundu2020_data import MARGIN
from lib.papers.kundu2020_probes import probes, view_spread
from lib.papers.sosa2023_diagnostics import hidden_share, limb_asymmetry, percent
from lib.skeleton import HUMAN36M_17

__all__ = ["diagnose", "figures", "implausible", "leak", "ratio_deviation"]

SAMPLE = 256  # frames that are redrawn
RANDOM, FAILURES, REDRAWN = 24, 12, 6  # frames kept for the figures
WORST = 0.05  # share of frames that failures are taken from
HIDDEN = 0.2  # share of hidden joints from which on a frame counts as occluded
MIRROR = list(HUMAN36M_17.mirror)


def _joint(pose: Tensor, name: str) -> Tensor:
    return pose[:, HUMAN36M_17.index(name)]


def implausible(pose: Tensor) -> Tensor:
    """Whether poses (N, 17, 3) are impossible for a body: bool (N,).

    A knee bent forwards by more than 15 degrees, a knee or elbow folded by more than 165 degrees, or a limb
    that is more than 20 % longer than that of the other side.
    """
    joints, _ = canonical(pose)
    wrong = torch.zeros(len(pose), dtype=torch.bool, device=pose.device)
    for side in ("left", "right"):
        for a, b, c in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            upper, lower = (
                normalise(_joint(joints, f"{side}_{end}") - _joint(joints, f"{side}_{start}"))
                for start, end in ((a, b), (b, c))
            )
            wrong |= (upper * lower).sum(-1) < -0.966
            if b == "knee":
                # bent as knees bend, thigh x shin points to the person's left (+y)
                wrong |= torch.linalg.cross(upper, lower)[:, 1] < -0.259
    length = (pose - pose[:, [max(p, 0) for p in HUMAN36M_17.parents]]).norm(dim=-1)
    for left, right in HUMAN36M_17.pairs:
        wrong |= (length[:, left] / length[:, right].clamp_min(1e-6)).log().abs() > 0.182
    return wrong


def ratio_deviation(joints: Tensor, lengths: Tensor) -> Tensor:
    """Largest relative deviation () of the bones of canonical joints (N, 17, 3) from fixed lengths."""
    each = torch.stack([bone_ratios(pose[None]) for pose in joints[:64]])
    kept = [j for j in range(len(lengths)) if j != HUMAN36M_17.root]
    return (each[:, kept] / lengths[kept] - 1).abs().amax()


def _colour(picture: Tensor, background: Tensor) -> Tensor:
    """Mean colour (N, 3) of what differs from the background (N, 3, S, S)."""
    weight = (picture - background).abs().mean(1, keepdim=True)
    return (picture * weight).sum((2, 3)) / weight.sum((2, 3)).clamp_min(1e-6)


def leak(model, points: Tensor, appearance: Tensor, drawn: Tensor, pairs: dict[str, Tensor]) -> Tensor:
    """Whose colours a drawn person wears: 0 of the picture that gave the appearance, 1 of that of the pose.

    Each pose is drawn with the appearance of another picture of the batch. Where colours came through the
    pose code, they would stay those of the pose's own picture.
    """
    swapped, _ = model.draw(points, appearance.roll(1, 0), pairs["behind"])
    worn = _colour(swapped, pairs["behind"])
    to_pose = (worn - _colour(pairs["target"], pairs["behind"])).norm(dim=1)
    to_appearance = (worn - _colour(drawn.roll(1, 0), pairs["behind"].roll(1, 0))).norm(dim=1)
    return (to_appearance / (to_pose + to_appearance).clamp_min(1e-6)).mean()


def _masks(poses, role: str, size: int) -> Tensor | None:
    """Where the person is (N, S, S); None where nobody knows."""
    return Filmed.of(poses, role, size, margin=MARGIN).masks()


def _at(masks: Tensor, points: Tensor) -> Tensor:
    """Values (N, J) of masks (N, S, S) at points (N, J, 2) in crop coordinates."""
    size = masks.shape[-1]
    pixel = ((points + 1) / 2 * size).long().clamp(0, size - 1)
    rows = torch.arange(len(masks), device=masks.device)[:, None]
    return masks[rows, pixel[..., 1], pixel[..., 0]]


def _box(masks: Tensor) -> Tensor:
    """Central box (S, S) of the mean person's height and width."""
    size = masks.shape[-1]
    height, width = (masks.any(axis).sum(1).float().mean() for axis in (2, 1))
    place = (torch.arange(size, device=masks.device) + 0.5 - size / 2).abs()
    return (place[:, None] < height / 2) & (place[None] < width / 2)


def _iou(a: Tensor, b: Tensor) -> Tensor:
    return ((a & b).sum((1, 2)) / (a | b).sum((1, 2)).clamp_min(1)).mean()


def _behind(trainer, footage, index: Tensor) -> Tensor:
    """Estimated backgrounds of frames; a random scene where the clip's moves."""
    scenes = trainer.scenes[index % len(trainer.scenes)].float() / 255
    return torch.where(footage.static[index][:, None, None, None], footage.backgrounds(index), scenes)


@torch.no_grad()
def _redrawn(trainer, role: str) -> dict[str, Tensor]:
    """What is left of a pose when its person is redrawn, in other clothes or elsewhere, and read again."""
    footage, seen = trainer.look(role)
    model = trainer.model
    index = torch.linspace(0, len(footage) - 1, min(SAMPLE, len(footage)), device=trainer.device).long()
    other = index.roll(len(index) // 2)
    points, behind = seen.points[index], _behind(trainer, footage, index)
    own, worn = (model.encode_appearance(footage.pictures(i)) for i in (index, other))
    scenes = trainer.scenes[(index + 7) % len(trainer.scenes)].float() / 255
    found, mask = {}, None
    for name, code, place in (
        ("none", own, behind),
        ("appearance", worn, behind),
        ("background", own, scenes),
    ):
        drawn, alpha = model.draw(points, code, place)
        found[f"swap_{name}"] = percent(model.encode_pose(drawn).points, points).mean()
        if name == "none":
            mask = alpha[:, 0] > 0.5 if alpha is not None else (drawn - place).abs().amax(1) > 0.1
            static = footage.static[index]
            target = footage.pictures(index)[static]
            found["reconstruction"] = 255 * (drawn[static] - target).abs().mean()
            found["reconstruction_floor"] = 255 * (place[static] - target).abs().mean()
    found["swap_pose"] = percent(points, seen.points[other]).mean()
    true = _masks(footage.poses, role, trainer.profile.image)
    if true is not None:
        true = true[index]
        found["figure_ground_iou"] = _iou(mask, true)
        found["figure_ground_floor"] = _iou(_box(true).expand_as(true), true)
    return found


@torch.no_grad()
def diagnose(trainer, role: str) -> dict[str, float]:
    """Numbers of one test role; names as in the chapter's file of claims."""
    footage, seen = trainer.look(role)
    test = footage.poses
    predicted = trainer.predict(role)

    def off(points: Tensor) -> Tensor:
        return percent(points, footage.points, test.labelled)

    plain, swapped = off(seen.points), off(seen.points[:, MIRROR])
    found = {
        "error_2d": plain.mean(),
        "error_2d_swap": torch.minimum(plain, swapped).mean(),
        "limb_asymmetry": limb_asymmetry(predicted).mean(),
        "implausible_share": implausible(predicted).float().mean(),
        "ratio_deviation": ratio_deviation(seen.joints, trainer.model.lengths),
    }
    masks = _masks(test, role, trainer.profile.image)
    if masks is not None:
        found["off_person_share"] = 1 - _at(masks, seen.points).float().mean()
    if test.in_3d.all():
        found |= _three_dimensional(trainer, role, predicted, seen.turned)
    if trainer.renders is not None:
        found["error_2d_floor"] = off(trainer.renders.points.mean(0).expand_as(footage.points)).mean()
    if role in ("studio", "wild") and trainer.variant.pictures == "all" and not trainer.variant.supervised:
        found |= _redrawn(trainer, role)
    if role == "studio":
        found["view_spread"] = view_spread(test, canonical(seen.turned)[0]) * trainer.unit_mm
        found |= probes(trainer, footage, seen) | _of_the_data(trainer)
    return {name: float(value) for name, value in found.items()}


def _three_dimensional(trainer, role: str, predicted: Tensor, turned: Tensor) -> dict[str, Tensor]:
    """What only the true 3D poses can tell."""
    test = trainer.data[role]["test"]
    truth = test.joints_3d - test.joints_3d[:, :1]
    error = p_mpjpe(predicted, truth)
    mirrored = p_mpjpe(predicted * predicted.new_tensor([1.0, 1.0, -1.0]), truth)
    hidden = hidden_share(test, role, trainer.profile.image)
    mine, true = canonical(turned)[0], canonical(truth)[0]
    half = len(test) // 2
    return {
        "p_mpjpe_frames": error.mean(),
        "p_mpjpe_occluded": error[hidden >= HIDDEN].mean(),
        "p_mpjpe_clear": error[hidden == 0].mean(),
        "mirrored_share": (mirrored < error).float().mean(),
        "implausible_true": implausible(truth).float().mean(),
        "pose_diversity": (mine - mine.roll(half, 0)).norm(dim=-1).mean()
        / (true - true.roll(half, 0)).norm(dim=-1).mean(),
    }


def _of_the_data(trainer) -> dict[str, float]:
    """Sizes of what was trained on; how the clips of role wild were sorted, and whether rightly."""
    variant, footage = trainer.variant, trainer.footage
    own = footage.get(variant.role)
    count = 0 if own is None else len(own)
    share = 1.0 if variant.supervised else variant.labels_3d
    found = {
        "images": float(sum(len(f) for f in footage.values())),
        "labelled_2d": float(count * variant.labels_2d),
        "labelled_3d": float(round(count * share)),
        "renders": float(variant.renders),
        "parameters": float(trainer.parameters),
    }
    if "wild" in footage:
        poses = footage["wild"].poses
        called = footage["wild"].static[poses.start]
        found |= {
            "static_share": called.float().mean(),
            "person_share": person_share(poses, "wild").mean(),
            "person_share_studio": person_share(trainer.data["studio"]["test"], "studio").mean(),
        }
        if poses.static is None:  # else it was not told from pictures
            true = on_tripod(Filmed.of(poses, "wild", 32, margin=MARGIN).scene)
            found["static_accuracy"] = (called == true).float().mean()
    return found


@torch.no_grad()
def figures(trainer, role: str) -> dict[str, Tensor]:
    """Random test frames, the same for every variant, and random ones of the worst; exchanged factors."""
    footage, seen = trainer.look(role)
    test = footage.poses
    if not test.in_3d.all():  # they show predictions over the truth
        return {}
    truth = test.joints_3d - test.joints_3d[:, :1]
    predicted = trainer.predict(role)
    aligned = similarity_align(predicted, truth)
    error = (aligned - truth).norm(dim=-1).mean(-1)
    order = torch.randperm(len(test), generator=torch.Generator().manual_seed(0)).to(error.device)
    worst = order[error[order] >= torch.quantile(error, 1 - WORST)]
    arrays = {}
    for name, index in (("random", order[:RANDOM]), ("failures", worst[:FAILURES])):
        arrays |= {
            f"{name}/image": footage.images[index].permute(0, 2, 3, 1),
            f"{name}/points": seen.points[index],
            f"{name}/truth_2d": footage.points[index],
            f"{name}/predicted": predicted[index],
            f"{name}/aligned": aligned[index],
            f"{name}/truth": truth[index],
            f"{name}/error": error[index],
            f"{name}/action": test.action[index],
        }
    if role in ("studio", "wild") and trainer.variant.pictures == "all" and not trainer.variant.supervised:
        arrays |= _exchanged(trainer, footage, seen, order)
    return arrays


def _pixels(pictures: Tensor) -> Tensor:
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).movedim(-3, -1)


@torch.no_grad()
def _exchanged(trainer, footage, seen, order: Tensor) -> dict[str, Tensor]:
    """Two poses in two appearances before three backgrounds; and frames redrawn as they are."""
    model = trainer.model
    # of the frames in their random order the first of each clip, so that no two show the same person and pose
    clips = footage.poses.clip[order]
    first = [int((clips == c).nonzero()[0]) for c in clips.unique()]
    chosen = order[torch.tensor(sorted(first), device=order.device)]
    chosen = chosen.repeat(1 + 4 // len(chosen))[:4]
    poses, looks = chosen[:2], chosen[2:]
    code = model.encode_appearance(footage.pictures(looks))
    behind = torch.cat([_behind(trainer, footage, chosen[:2]), trainer.scenes[-1:].float() / 255])
    rows = [
        model.draw(seen.points[[p]], code[a : a + 1], behind[b : b + 1])[0]
        for p in poses.tolist()
        for a in range(2)
        for b in range(3)
    ]
    again = order[:REDRAWN]
    place = _behind(trainer, footage, again)
    drawn, mask = model.draw(seen.points[again], model.encode_appearance(footage.pictures(again)), place)
    if mask is None:
        mask = (drawn - place).abs().amax(1, keepdim=True)
    return {
        "swap/pose": footage.images[poses].movedim(1, -1),
        "swap/appearance": footage.images[looks].movedim(1, -1),
        "swap/background": _pixels(behind),
        "swap/drawn": _pixels(torch.cat(rows)).unflatten(0, (2, 2, 3)),
        "swap/points": seen.points[poses],
        "redrawn/picture": footage.images[again].movedim(1, -1),
        "redrawn/drawn": _pixels(drawn),
        "redrawn/background": _pixels(place),
        "redrawn/mask": _pixels(mask)[..., 0],
    }
