r"""The metrics of Yoo & Russakovsky 2023 on 15 keypoints: PDJ, normalised L2, with and without sides."""

import torch
from torch import Tensor

from lib.metrics import pdj
from lib.papers.yoo2023_data import Frames
from lib.papers.yoo2023_template import MIRROR

__all__ = ["METRICS", "averages", "distances", "joint_hits", "scores"]

METRICS = ("pdj", "pdj_swap", "pdj_10", "pdj_10_swap", "l2", "l2_swap")
FRACTION = 0.05  # of the diagonal of the person's box


def distances(predicted: Tensor, truth: Tensor) -> Tensor:
    """Distances (N, 15) of keypoints, as shares of the crop's side."""
    return (predicted - truth).norm(dim=-1) / 2


def joint_hits(predicted: Tensor, frames: Frames, index: Tensor) -> Tensor:
    """Whether each keypoint (N, 15) is nearer to the true one than 5 % of the person's diagonal."""
    return distances(predicted, frames.truth[index]) < FRACTION * frames.diagonal[index, None] / 2


def scores(predicted: Tensor, frames: Frames, index: Tensor) -> dict[str, Tensor]:
    r"""Every metric of each frame (N,), for keypoints (N, 15, 2) in crop coordinates.

    pdj: PDJ@0.05, the share of keypoints nearer than 5 % of the diagonal of the person's outline's box;
    pdj_10: 10 %. l2: mean distance as a share of the crop's side (the authors' normalised L2). "_swap": the
    better of the prediction and the same with left and right exchanged, frame by frame; the paper's
    metrics forgive no exchange.
    """
    truth, diagonal = frames.truth[index], frames.diagonal[index]
    exchanged = predicted[:, list(MIRROR)]
    found = {}
    for name, fraction in (("pdj", FRACTION), ("pdj_10", 2 * FRACTION)):
        plain, other = (pdj(p, truth, diagonal, fraction) for p in (predicted, exchanged))
        found[name], found[f"{name}_swap"] = plain, torch.maximum(plain, other)
    plain, other = (distances(p, truth).mean(1) for p in (predicted, exchanged))
    found["l2"], found["l2_swap"] = plain, torch.minimum(plain, other)
    return found


def averages(found: dict[str, Tensor], action: Tensor, names: tuple[str, ...]) -> dict:
    """Means of frames' metrics (N,) for a record: by action, of the actions, of all frames."""
    shown = action.unique().tolist()
    actions = {names[i]: {k: float(v[action == i].double().mean()) for k, v in found.items()} for i in shown}
    return {
        "overall": {k: sum(a[k] for a in actions.values()) / len(actions) for k in found},
        "actions": actions,
        "frame_mean": {k: float(v.double().mean()) for k, v in found.items()},
    }
