"""Linear probes of the codes of Kundu et al., AAAI 2020: what can be read from them and should not be."""

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, one_hot

from lib.data.batches import Poses
from lib.kinematics import canonical
from lib.metrics import p_mpjpe

__all__ = ["probes", "ridge", "view_spread"]

LABELLED = 1500  # training frames that the map from predictions to poses is fitted on


def ridge(inputs: Tensor, targets: Tensor, strength: float = 1e-2) -> Tensor:
    """Weights (D + 1, E) of the linear map from inputs (N, D) to targets (N, E), the last row constant.

    Least squares with a penalty of ``strength`` times the mean square of the inputs; the constant is free.
    """
    inputs, targets = inputs.double(), targets.double()
    mean, centre = inputs.mean(0), targets.mean(0)
    x = inputs - mean
    penalty = strength * x.square().mean() * len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(
        x.mT @ x + penalty + 1e-9 * torch.eye(x.shape[1]).to(x), x.mT @ (targets - centre)
    )
    return torch.cat([weights, (centre - mean @ weights)[None]])


def _apply(weights: Tensor, inputs: Tensor) -> Tensor:
    return (inputs.double() @ weights[:-1] + weights[-1]).float()


def view_spread(poses: Poses, joints: Tensor) -> Tensor:
    """Mean distance () of canonical joints (N, 17, 3) from their mean over the cameras of one instant."""
    recordings = [group.rsplit("/", 1)[0] for group in poses.clips]
    number = {name: i for i, name in enumerate(dict.fromkeys(recordings))}
    which = torch.tensor([number[name] for name in recordings], device=joints.device)[poses.clip]
    time = torch.arange(len(poses), device=joints.device) - poses.start[poses.clip]
    _, group, count = (which * (int(time.max()) + 1) + time).unique(return_inverse=True, return_counts=True)
    mean = joints.new_zeros(len(count), *joints.shape[1:]).index_add_(0, group, joints) / count[:, None, None]
    several = count[group] > 1
    return (joints - mean[group]).norm(dim=-1)[several].mean()


def _halves(poses: Poses) -> Tensor:
    """Whether a frame belongs to the probe's training half: every second recording."""
    recordings = [group.rsplit("/", 1)[0] for group in poses.clips]
    order = {name: i for i, name in enumerate(dict.fromkeys(recordings))}
    return torch.tensor([order[name] % 2 == 0 for name in recordings], device=poses.device)[poses.clip]


@torch.no_grad()
def probes(trainer, footage, seen) -> dict[str, Tensor]:
    """Subject from the pose code, pose from the appearance code, and predictions mapped with labels.

    Probes of the codes are fitted on every second test recording and tested on the others; the map from
    predicted to true joints is fitted on training frames.
    """
    test = footage.poses
    fitted = _halves(test)
    code = torch.cat([seen.joints.flatten(1), seen.parameters], dim=1)
    subject = one_hot(test.subject, len(test.subject_names)).float()
    weights = ridge(code[fitted], subject[fitted])
    right = _apply(weights, code[~fitted]).argmax(1) == test.subject[~fitted]
    frequent = subject[fitted].mean(0).argmax()
    found = {
        "probe_subject": right.float().mean(),
        "probe_subject_chance": (test.subject[~fitted] == frequent).float().mean(),
    }
    truth = test.joints_3d - test.joints_3d[:, :1]
    if trainer.variant.pictures == "all" and not trainer.variant.supervised:
        index = torch.arange(len(footage), device=test.device)
        parts = [trainer.model.encode_appearance(footage.pictures(i)) for i in index.split(256)]
        look = torch.cat([p if p.ndim == 2 else adaptive_avg_pool2d(p, 2).flatten(1) for p in parts])
        body = canonical(truth)[0].flatten(1)
        read = _apply(ridge(look[fitted], body[fitted]), look[~fitted]).unflatten(-1, (17, 3))
        mean = body[fitted].mean(0).view(17, 3).expand_as(read)
        found["probe_pose"] = p_mpjpe(read, truth[~fitted]).mean()
        found["probe_pose_floor"] = p_mpjpe(mean, truth[~fitted]).mean()
    if "studio" in trainer.footage:
        train = trainer.footage["studio"]
        chosen = torch.linspace(0, len(train) - 1, min(LABELLED, len(train)), device=test.device).long()
        parts = [trainer.model.encode_pose(train.pictures(i)).turned for i in chosen.split(256)]
        pose = train.poses.joints_3d[chosen]
        weights = ridge(torch.cat(parts).flatten(1), (pose - pose[:, :1]).flatten(1))
        mapped = _apply(weights, seen.turned.flatten(1)).unflatten(-1, (17, 3))
        found["p_mpjpe_mapped"] = p_mpjpe(mapped, truth).mean()
    return found
