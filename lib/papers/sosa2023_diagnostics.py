"""What the figures and claims of the Sosa & Hogg chapter ask of a trained method, on test pictures.

Here the true joints are looked at; training never sees any of this.
"""

import torch
from torch import Tensor

from lib.data.images import Filmed
from lib.geometry import similarity_align
from lib.losses import relative_bone_lengths
from lib.metrics import p_mpjpe
from lib.papers.sosa2023_data import MARGIN
from lib.papers.sosa2023_labels import facing
from lib.skeleton import HUMAN36M_17

__all__ = ["FAILURE", "diagnose", "figures", "hidden_share", "limb_deviation", "spearman"]

FAILURE = 200.0  # mm of P-MPJPE, the paper's threshold for Fig. 5
RANDOM, FAILURES = 24, 12  # frames kept for the figures
BEHIND = 150.0  # mm: a joint lies inside its limb, so what hides it is nearer by more than that
SITTING = ("Sitting", "SittingDown")
EXTREMITIES = [HUMAN36M_17.index(f"{side}_{end}") for side in ("left", "right") for end in ("wrist", "ankle")]
TRUNK = [
    HUMAN36M_17.index(name)
    for name in ("pelvis", "right_hip", "left_hip", "spine", "thorax", "left_shoulder", "right_shoulder")
]


def spearman(a: Tensor, b: Tensor) -> Tensor:
    """Rank correlation of two series (N,); equal values keep their order."""
    ranks = [x.argsort(stable=True).argsort().double() for x in (a, b)]
    first, second = (r - r.mean() for r in ranks)
    return (first * second).sum() / (first.norm() * second.norm()).clamp_min(1e-12)


def limb_deviation(pose: Tensor, parents: tuple[int, ...], ratios: Tensor) -> Tensor:
    """Mean magnitude (N,) of the logarithm of relative bone lengths over those of the prior (B,)."""
    return (relative_bone_lengths(pose, parents).clamp_min(1e-3) / ratios).log().abs().mean(-1)


def limb_asymmetry(pose: Tensor) -> Tensor:
    """Mean magnitude (N,) of the logarithm of left over right bone lengths of H17."""
    lengths = relative_bone_lengths(pose, HUMAN36M_17.parents).clamp_min(1e-3)
    children = [child for _, child in HUMAN36M_17.bones]
    pairs = [(children.index(left), children.index(right)) for left, right in HUMAN36M_17.pairs]
    return torch.stack([(lengths[:, a] / lengths[:, b]).log().abs() for a, b in pairs]).mean(0)


def hidden_share(poses, role: str, size: int) -> Tensor:
    """Share (N,) of a frame's joints that its own body hides, by the depth of the drawn picture.

    NaN of photographs, whose depth nobody knows.
    """
    filmed = Filmed.of(poses, role, size, margin=MARGIN)
    shares = []
    for index in torch.arange(len(poses), device=poses.device).split(256):
        depth = filmed.draw(index).depth
        if depth is None:
            return torch.full_like(poses.K[:, 0, 0], torch.nan)
        pixel = ((filmed.crop[index] + 1) / 2 * size).long().clamp(0, size - 1)
        rows = torch.arange(len(index), device=depth.device)[:, None]
        nearest = depth[rows, pixel[..., 1], pixel[..., 0]]
        shares.append((nearest < poses.joints_3d[index, :, 2] - BEHIND).float().mean(-1))
    return torch.cat(shares)


def percent(points: Tensor, truth: Tensor, labelled: Tensor | None = None) -> Tensor:
    """Mean joint distance (N,) of points in crop coordinates, in per cent of the crop's side.

    Of the joints that were labelled (N, J); all if None.
    """
    distance = (points - truth).norm(dim=-1)
    if labelled is None:
        return distance.mean(-1) * 50
    return (distance * labelled).sum(-1) / labelled.sum(-1).clamp_min(1) * 50


def _correlation(a: Tensor, b: Tensor) -> Tensor:
    """Mean over pictures (N, s, s) of their correlation, pixel by pixel."""
    a, b = (x.flatten(1) - x.flatten(1).mean(1, keepdim=True) for x in (a, b))
    return ((a * b).sum(1) / (a.norm(dim=1) * b.norm(dim=1)).clamp_min(1e-6)).mean()


def _overlap(skeleton: Tensor, mask: Tensor) -> Tensor:
    """Share of the skeleton images' mass (N, s, s) that lies on the person, mask (N, S, S)."""
    mask = torch.nn.functional.adaptive_max_pool2d(mask.float(), skeleton.shape[-1])
    weight = skeleton.clamp(0, 1)
    return ((weight * mask).sum((1, 2)) / weight.sum((1, 2)).clamp_min(1e-6)).mean()


def _two_dimensional(trainer, seen: dict, labelled: Tensor | None) -> dict[str, Tensor]:
    """Errors of points and skeleton images, and of their parts alone."""
    truth, swap = seen["pictures"].points, list(trainer.swap)

    def error(points: Tensor) -> Tensor:
        return percent(points, truth, labelled)

    plain, swapped = error(seen["points"]), error(seen["points"][:, swap])
    true_skeletons = trainer._draw_skeletons(truth)
    alone = trainer.model.average[1](true_skeletons).float()
    mean_pose = trainer.prior.points.mean(0).expand_as(truth)
    generator = torch.Generator(truth.device).manual_seed(0)
    count = len(trainer.prior.points)
    drawn = trainer.prior.points[
        torch.randint(count, (len(truth),), generator=generator, device=truth.device)
    ]
    half = len(truth) // 2
    found = {
        "error_2d": plain.mean(),
        "error_2d_swap": torch.minimum(plain, swapped).mean(),
        "error_2d_omega": error(alone).mean(),
        "error_2d_omega_swap": torch.minimum(error(alone), error(alone[:, swap])).mean(),
        "error_2d_mean": error(mean_pose).mean(),
        "error_2d_prior": error(drawn).mean(),
        "skeleton_correlation": _correlation(seen["skeleton"], (true_skeletons[:, 0] + 1) / 2),
        "skeleton_correlation_shuffled": _correlation(
            seen["skeleton"].roll(half, 0), (true_skeletons[:, 0] + 1) / 2
        ),
        "limb_deviation_mean": _lifted_deviation(trainer, mean_pose[:1]),
        "limb_deviation_prior": _lifted_deviation(trainer, drawn),
    }
    if seen["pictures"].cut_out:
        mask = seen["pictures"].mask
        found |= {
            "skeleton_overlap": _overlap(seen["skeleton"], mask),
            "skeleton_overlap_shuffled": _overlap(seen["skeleton"].roll(half, 0), mask),
        }
    return found


def _lifted_deviation(trainer, points: Tensor) -> Tensor:
    lifted, _ = trainer.lift(points)
    return limb_deviation(lifted, trainer.skeleton.parents, trainer.prior.ratios).mean()


@torch.no_grad()
def diagnose(trainer, role: str) -> dict[str, float]:
    """Numbers of one test role; names as in the chapter's file of claims."""
    test, seen = trainer.data[role]["test"], trainer.look(role)
    deviation = limb_deviation(seen["lifted"], trainer.skeleton.parents, trainer.prior.ratios)
    found = _two_dimensional(trainer, seen, test.labelled) | {
        "limb_deviation": deviation.mean(),
        "images": torch.tensor(float(len(trainer.material.pictures))),
        "labelled_images": torch.tensor(0.0),
        "parameters": torch.tensor(float(trainer.parameters)),
    }
    if test.in_3d.all():
        found |= _three_dimensional(trainer, role, deviation)
    return {name: float(value) for name, value in found.items()}


def _three_dimensional(trainer, role: str, deviation: Tensor) -> dict[str, Tensor]:
    """What only the true 3D poses can tell."""
    test, seen = trainer.data[role]["test"], trainer.look(role)
    lifted, truth = seen["lifted"], test.joints_3d - test.joints_3d[:, :1]
    error = p_mpjpe(lifted, truth)
    other, _ = trainer.lift(seen["points"][:, list(trainer.swap)])
    depth_mirrored = p_mpjpe(lifted * lifted.new_tensor([1.0, 1.0, -1.0]), truth)
    failed = error > FAILURE
    found = {
        "p_mpjpe_swap": torch.minimum(error, p_mpjpe(other, truth)).mean(),
        "p_mpjpe_lifter": p_mpjpe(trainer.lift(seen["pictures"].points)[0], truth).mean(),
        "mirrored_share": (depth_mirrored < error).float().mean(),
        "p_mpjpe_frames": error.mean(),
        "p_mpjpe_64th": error[::64].mean(),
        "failure_threshold": torch.tensor(FAILURE),
        "failure_share": failed.float().mean(),
        "limb_deviation_failures": deviation[failed].mean(),
        "limb_deviation_rest": deviation[~failed].mean(),
    }
    if trainer.skeleton == HUMAN36M_17:
        found |= _of_a_body(trainer, role, error, failed)
    return found


def _of_a_body(trainer, role: str, error: Tensor, failed: Tensor) -> dict[str, Tensor]:
    """What only makes sense for people: sitting, hidden joints, the horizon, left and right."""
    test, seen = trainer.data[role]["test"], trainer.look(role)
    lifted, truth = seen["lifted"], test.joints_3d - test.joints_3d[:, :1]
    joint_error = (similarity_align(lifted, truth) - truth).norm(dim=-1)
    sitting = torch.tensor([name in SITTING for name in test.action_names], device=error.device)
    sits = sitting[test.action]
    up = test.R[:, :, 2]
    points, swap = seen["pictures"].points, list(trainer.swap)
    right = percent(seen["points"], points) <= percent(seen["points"][:, swap], points)
    clear = facing(points).abs() > 0.1
    return {
        "failure_share_sitting": failed[sits].float().mean(),
        "failure_share_other": failed[~sits].float().mean(),
        "failure_error_extremities": joint_error[failed][:, EXTREMITIES].mean(),
        "failure_error_trunk": joint_error[failed][:, TRUNK].mean(),
        "limb_asymmetry": limb_asymmetry(lifted).mean(),
        "occlusion_correlation": spearman(error, hidden_share(test, role, trainer.profile.image)),
        "elevation_mean": -torch.rad2deg(seen["elevation"]).mean(),
        "elevation_true": torch.rad2deg(torch.atan2(-up[:, 2], -up[:, 1])).mean(),
        "label_accuracy": right[clear].float().mean(),
    }


@torch.no_grad()
def figures(trainer, role: str) -> dict[str, Tensor]:
    """Random test frames, the same for every variant, and random failures; arrays for the figures."""
    test, seen = trainer.data[role]["test"], trainer.look(role)
    if not test.in_3d.all():  # they show predictions over the truth
        return {}
    truth = test.joints_3d - test.joints_3d[:, :1]
    aligned = similarity_align(seen["lifted"], truth)
    error = (aligned - truth).norm(dim=-1).mean(-1)
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(test), generator=generator).to(error.device)
    failures = order[error[order] > FAILURE][:FAILURES]
    arrays = {}
    for name, index in (("random", order[:RANDOM]), ("failures", failures)):
        if not len(index):
            continue
        arrays |= {
            f"{name}/image": seen["pictures"].images[index].permute(0, 2, 3, 1),
            f"{name}/skeleton": seen["skeleton"][index].clamp(0, 1).half(),
            f"{name}/points": seen["points"][index],
            f"{name}/truth_2d": seen["pictures"].points[index],
            f"{name}/predicted": seen["lifted"][index],
            f"{name}/aligned": aligned[index],
            f"{name}/truth": truth[index],
            f"{name}/error": error[index],
            f"{name}/action": test.action[index],
        }
    return arrays
