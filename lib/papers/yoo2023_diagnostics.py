r"""What a run of Yoo & Russakovsky 2023 is looked at with, beyond its metrics; the YAML file says what."""

import torch
from torch import Tensor

from lib.data.arms import arms_of
from lib.metrics import BPLP_BONES, bplp_c
from lib.papers.yoo2023_data import Frames
from lib.papers.yoo2023_scores import averages, distances, joint_hits, scores
from lib.papers.yoo2023_template import JOINTS, MIRROR
from lib.precision import autocast

__all__ = [
    "counts",
    "diagnose",
    "diagnose_keypoints",
    "diagnose_pose",
    "errors",
    "figures",
    "frame_arrays",
    "frames_of",
    "held_out",
    "offset",
    "outline",
    "predictions",
    "reconstruction_errors",
    "score",
]

ARMS = ("left_elbow", "right_elbow", "left_wrist", "right_wrist")
SIDED = ("ankle", "knee", "elbow", "hip", "shoulder", "wrist")
LIMBS = {"thigh": ("hip", "knee"), "shin": ("knee", "ankle"), "arm": ("shoulder", "elbow"),
         "forearm": ("elbow", "wrist")}  # fmt: skip
THROWN = 1.0  # normalised L2 above which a frame's keypoints are thrown out of the picture (yoo-38)
TURNED = ((0.6, 0.8), (-0.8, 0.6))
OFFSETS = 1000  # training frames that constant offsets are estimated on
SHOWN = {"random": 16, "arms_out": 6, "arms_down": 6, "behind": 4}


def _columns(*names: str) -> list[int]:
    return [JOINTS.index(name) for name in names]


def _arms(points: Tensor) -> tuple[Tensor, Tensor]:
    """Whether arms are out, and whether they hang, of keypoints (N, 15, 2)."""
    shoulders = points[:, _columns("left_shoulder", "right_shoulder")]
    return arms_of(shoulders, points[:, _columns("left_wrist", "right_wrist")])


def frames_of(frames: Frames) -> dict[str, Tensor]:
    """Which frames (N,) show arms out, arms down, a person from the front."""
    out, down = _arms(frames.truth)
    left, right = (frames.truth[:, JOINTS.index(f"{side}_shoulder"), 0] for side in ("left", "right"))
    return {"out": out, "down": down, "front": left > right}


def _mean(values: Tensor, where: Tensor | None = None) -> float:
    chosen = values if where is None else values[where]
    return float(chosen.double().mean()) if chosen.numel() else float("nan")


def score(trainer) -> tuple[dict, Tensor]:
    """The metrics of a record, and the mean distance of each keypoint (15,) as a share of the crop."""
    test, predicted = trainer.test, predictions(trainer)
    poses = test.filmed.poses
    found = scores(predicted, test, torch.arange(len(test), device=predicted.device))
    return averages(found, poses.action, poses.action_names), distances(predicted, test.truth).mean(0)


def predictions(trainer) -> Tensor:
    """Keypoints of all test frames; worked out once."""
    if "predicted" not in trainer.shown:
        index = torch.arange(len(trainer.test), device=trainer.test.truth.device)
        trainer.shown["predicted"] = trainer.predict_keypoints(trainer.test, index)
    return trainer.shown["predicted"]


def diagnose_keypoints(predicted: Tensor, test: Frames) -> dict[str, float]:
    """What keypoints (N, 15, 2) of all test frames say, whoever predicted them."""
    index = torch.arange(len(test), device=test.truth.device)
    found, which = scores(predicted, test, index), frames_of(test)
    hits = joint_hits(predicted, test, index).float()
    exchanged = predicted[:, list(MIRROR)]
    other = joint_hits(exchanged, test, index).float()
    better = distances(exchanged, test.truth).mean(1) < distances(predicted, test.truth).mean(1)
    tolerant = torch.where((other.mean(1) > hits.mean(1))[:, None], other, hits)
    values = {"swap_share": _mean(better.float())}
    for name in ("pdj", "l2"):
        q = torch.tensor([0.25, 0.5, 0.75], device=index.device)
        for label, value in zip(("q1", "median", "q3"), found[name].quantile(q), strict=True):
            values[f"{name}_{label}"] = float(value)
        values[f"{name}_down"] = _mean(found[name], which["down"])
    log = found["l2"].clamp_min(1e-6).log10()
    values |= {"log_l2_median": float(log.median()), "log_l2_max": float(log.max())}
    values["thrown_share"] = _mean((found["l2"] > THROWN).float())
    values["outside_share"] = _mean((predicted.abs() > 1).flatten(1).any(1).float())
    values |= {
        "pdj_front": _mean(found["pdj"], which["front"]),
        "pdj_back": _mean(found["pdj"], ~which["front"]),
    }
    for i, joint in enumerate(JOINTS):
        values |= {f"pdj_{joint}": _mean(hits[:, i]), f"pdj_swap_{joint}": _mean(tolerant[:, i])}
        values[f"pdj_down_{joint}"] = _mean(hits[which["down"], i])
    arms = _columns(*ARMS)
    values |= {
        "pdj_arms": _mean(hits[:, arms]),
        "pdj_arms_swap": _mean(tolerant[:, arms]),
        "l2_arms": _mean(distances(predicted, test.truth)[:, arms]),
    }
    values |= _gaps(values, "") | _arms_out(predicted, which) | _proportions(predicted, test)
    values["arm_correlation"] = _correlation(predicted, test)
    return values


def _gaps(values: dict[str, float], label: str) -> dict[str, float]:
    """How far apart the left and the right joints' PDJ are."""
    return {
        f"gap_{label}{joint}": abs(values[f"pdj_{label}left_{joint}"] - values[f"pdj_{label}right_{joint}"])
        for joint in SIDED
    }


def held_out(trainer) -> tuple[dict[str, float], dict[str, Tensor]]:
    """Metrics of people with arms out, and of each of their keypoints (15,); worked out once.

    A test set with the paper's share of them has a score or two. They are taken from a second one
    (`Trainer.more`), of the same people, in which every second person has arms out.
    """
    if "out" not in trainer.shown:
        more = trainer.more
        rows = frames_of(more)["out"].nonzero()[:, 0]
        if not len(rows):  # among photographs there may be none
            return {"frames_more": 0.0}, {}
        predicted = trainer.predict_keypoints(more, rows)
        found, hits = scores(predicted, more, rows), joint_hits(predicted, more, rows).float()
        error = distances(predicted, more.truth[rows])
        values = {
            "pdj_out": _mean(found["pdj"]),
            "l2_out": _mean(found["l2"]),
            "frames_more": float(len(rows)),
        }
        values |= {f"pdj_out_{joint}": _mean(hits[:, i]) for i, joint in enumerate(JOINTS)}
        values |= _gaps(values, "out_")
        trainer.shown["out"] = values, {"pdj_out": hits.mean(0), "l2_out": error.mean(0)}
    return trainer.shown["out"]


def _arms_out(predicted: Tensor, which: dict[str, Tensor]) -> dict[str, float]:
    out, down = _arms(predicted)
    classified = (out | down).sum().clamp_min(1)
    true = (which["out"] | which["down"]).sum().clamp_min(1)
    return {
        "frames_out": float(which["out"].sum()),
        "frames_down": float(which["down"].sum()),
        "true_out_share": float(which["out"].sum() / true),
        "predicted_out_share": float(out.sum() / classified),
        "predicted_out_on_down": _mean(out[which["down"]].float()),
    }


def _proportions(predicted: Tensor, test: Frames) -> dict[str, float]:
    """BPLP-C and the lengths of left limbs against right ones."""
    value = float(bplp_c(predicted))
    rest = float(bplp_c(predicted, bones=BPLP_BONES[1:]))
    found = {
        "bplp_c": value,
        "bplp_c_rest": rest,
        # another turn, size and place of every pose change nothing (yoo-30)
        "bplp_c_moved": float(bplp_c(1.7 * predicted @ predicted.new_tensor(TURNED) + 0.3)),
        "proportion_std": 1 / value,
        "bplp_c_true": float(bplp_c(test.truth)),
    }
    for label, points in (("limb_ratio", predicted), ("limb_ratio_true", test.truth)):
        ratios = {name: _limb_ratio(points, *ends) for name, ends in LIMBS.items()}
        found[label] = sum(ratios.values()) / len(ratios)
        if label == "limb_ratio":
            found["limb_ratio_thigh"] = ratios["thigh"]
    return found


def _limb_ratio(points: Tensor, near: str, far: str) -> float:
    """Mean absolute logarithm of a left limb's length over the right one's."""
    lengths = []
    for side in ("left", "right"):
        start, end = points[:, _columns(f"{side}_{near}", f"{side}_{far}")].unbind(1)
        lengths.append((end - start).norm(dim=-1).clamp_min(1e-3))
    return float((lengths[0] / lengths[1]).log().abs().mean())


def _correlation(predicted: Tensor, test: Frames) -> float:
    """Correlation of elbows and wrists with the true ones, about the middle of the person's box."""
    box = test.box
    middle = (box[:, None, :2] + box[:, None, 2:]) / 2
    arms = _columns(*ARMS)
    a, b = ((points[:, arms] - middle).flatten(1) for points in (predicted, test.truth))
    a, b = a - a.mean(0), b - b.mean(0)
    each = (a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0)).clamp_min(1e-9)
    return float(each.mean())


def offset(trainer) -> dict[str, float]:
    """Metrics after a constant offset of each keypoint is taken off: what the template's convention costs.

    The offsets, medians over training frames, know labels: a diagnostic. They belong to parts, so to sides
    of the picture: it is the true pose whose sides are exchanged where that is nearer.
    """
    frames, test, predicted = trainer.frames, trainer.test, predictions(trainer)
    exchange = list(MIRROR)
    some = torch.linspace(0, len(frames) - 1, min(OFFSETS, len(frames)), device=predicted.device).long()
    seen, truth = trainer.predict_keypoints(frames, some), frames.truth[some]
    swapped = distances(seen, truth[:, exchange]).mean(1) < distances(seen, truth).mean(1)
    moved = (
        predicted - (seen - torch.where(swapped[:, None, None], truth[:, exchange], truth)).median(0).values
    )
    index = torch.arange(len(test), device=predicted.device)
    plain, other = (joint_hits(p, test, index).float() for p in (moved, moved[:, exchange]))
    better = torch.where((other.mean(1) > plain.mean(1))[:, None], other, plain)
    return {
        "pdj_offset": _mean(plain),
        "pdj_offset_swap": _mean(better),
        "arms_offset_swap": _mean(better[:, _columns(*ARMS)]),
    }


def errors(trainer) -> dict[str, Tensor]:
    """`reconstruction_errors` of all test frames; worked out once."""
    if "errors" not in trainer.shown:
        index = torch.arange(len(trainer.test), device=trainer.test.truth.device)
        trainer.shown["errors"] = reconstruction_errors(trainer, index)
    return trainer.shown["errors"]


@torch.no_grad()
def reconstruction_errors(trainer, index: Tensor) -> dict[str, Tensor]:
    """Errors (N,) of test frames drawn from the next frame of their group.

    rec_mse: of normalised pictures; rec_mse_person: within the person's box; rec_perceptual: of features;
    copy_mse: of the other frame itself; shuffled_mse: with the maps of a test frame far from it.
    """
    model, test = trainer.model, trainer.test
    model.eval()
    far = (index + len(test) // 2) % len(test)  # frames are in order of their groups
    found: dict[str, list] = {}
    for some, elsewhere in zip(index.split(128), far.split(128), strict=True):
        frame, other = test.pictures(some), test.pictures(partner(test, some))
        drawn, shuffled = (
            model.draw(other, model.maps(model.pose(picture)))
            for picture in (frame, test.pictures(elsewhere))
        )
        target, copy = model.normalise(frame), model.normalise(other)
        with autocast(frame.device):
            made, asked = (trainer.features(x, stages=True) for x in (model.picture(drawn), frame))
        inside = _inside(test, some)
        square = (drawn - target).square().mean(1)
        values = {
            "rec_mse": square.flatten(1).mean(1),
            "rec_mse_person": (square * inside).flatten(1).sum(1) / inside.flatten(1).sum(1),
            "rec_perceptual": trainer.features.errors(made, asked),
            "copy_mse": (copy - target).square().flatten(1).mean(1),
            "shuffled_mse": (shuffled - target).square().flatten(1).mean(1),
        }
        for name, value in values.items():
            found.setdefault(name, []).append(value)
    return {name: torch.cat(values) for name, values in found.items()}


def partner(test: Frames, index: Tensor) -> Tensor:
    """Another frame of the same group: half of the group further on, around its end."""
    poses = test.filmed.poses
    first, length = poses.start[poses.clip[index]], poses.length[poses.clip[index]]
    return first + (index - first + (length // 2).clamp_min(1)) % length


def _inside(test: Frames, index: Tensor) -> Tensor:
    """(N, S, S): pixels within the person's box, as numbers."""
    size = test.images.shape[-1]
    centres = (torch.arange(size, device=index.device) + 0.5) * (2 / size) - 1
    left, top, right, bottom = test.box[index].unbind(1)
    across = (centres > left[:, None]) & (centres < right[:, None])
    down = (centres > top[:, None]) & (centres < bottom[:, None])
    return (down[:, :, None] & across[:, None, :]).float()


@torch.no_grad()
def _overlap(trainer, test: Frames) -> dict[str, float]:
    """Posed parts against the person's outline (yoo-34), and what the anchors' gaps are."""
    model, shared, gaps = trainer.model, [], []
    for some in torch.arange(len(test), device=test.truth.device).split(128):
        posed = model.pose(test.pictures(some))
        if test.mask is not None:
            figure, mask = model.maps(posed).amax(1) > 0.5, test.mask[some]
            both, either = (figure & mask).flatten(1).sum(1), (figure | mask).flatten(1).sum(1)
            shared.append(both / either.clamp_min(1))
        pairs = model.template.pairs
        ends = posed.anchors[-1]
        gaps.append((ends[:, pairs[:, 0]] - ends[:, pairs[:, 1]]).norm(dim=-1).mean(1) / 2)
    overlap = {"overlap": _mean(torch.cat(shared))} if shared else {}
    return overlap | {"anchor_gap": _mean(torch.cat(gaps))}


def outline(predicted: Tensor, test: Frames) -> float:
    """Mean distance of keypoints from the person's pixels, as a share of the crop's side; 0 within them.

    NaN where nobody knows the person's pixels.
    """
    if test.mask is None:
        return float("nan")
    size = test.mask.shape[-1]
    centres = (torch.arange(size, device=predicted.device) + 0.5) * (2 / size) - 1
    grid = torch.stack(torch.meshgrid(centres, centres, indexing="xy"), dim=-1).flatten(0, 1)
    found = []
    for points, mask in zip(predicted, test.mask, strict=True):
        # to the nearest edge of the nearest pixel
        apart = (points[:, None] - grid[mask.flatten()]).abs() - 1 / size
        found.append(apart.clamp_min(0).norm(dim=-1).amin(1).mean())
    return float(torch.stack(found).mean()) / 2


def _template(trainer, test: Frames) -> dict[str, float]:
    """The untransformed template of the same variant on the same frames."""
    still = trainer.model.template.keypoints
    index = torch.arange(len(test), device=still.device)
    found = scores(still.expand(len(test), -1, -1), test, index)
    arms = _columns(*ARMS)
    front = frames_of(test)["front"]
    seen = torch.where(front[:, None, None], test.truth, test.truth[:, list(MIRROR)])
    mean = seen.mean(0)
    neck, root = _columns("neck", "abdomen")
    torso = (mean[neck] - mean[root]).norm()
    centred, drawn = mean - mean[root], still - still[root]
    return {
        "template_pdj": _mean(found["pdj"]),
        "template_pdj_swap": _mean(found["pdj_swap"]),
        "template_l2": _mean(found["l2"]),
        "template_arm_distance": float((drawn - centred)[arms].norm(dim=-1).mean() / torso),
    }


def diagnose_pose(trainer) -> dict[str, float]:
    """What the keypoints of any trainer say, those of people with arms out among them."""
    test, predicted = trainer.test, predictions(trainer)
    values = diagnose_keypoints(predicted, test) | held_out(trainer)[0]
    return values | {"outline": outline(predicted, test)}


def diagnose(trainer) -> dict[str, float]:
    """All diagnostics of a trained variant."""
    values = diagnose_pose(trainer) | offset(trainer)
    values |= {name: _mean(value) for name, value in errors(trainer).items()}
    return values | _overlap(trainer, trainer.test) | _template(trainer, trainer.test) | counts(trainer)


def counts(trainer) -> dict[str, float]:
    """How much a run was trained on, and by what features pictures were compared."""
    return {
        "pairs": float(len(trainer.pairs)),
        "frames": float(len(trainer.pairs.unique())),
        "groups": float(len(trainer.frames.filmed.poses.clips)),
        "parameters": float(trainer.parameters),
        "vgg": float(trainer.features.has_vgg),
    }


@torch.no_grad()
def figures(trainer) -> dict[str, Tensor]:
    """Arrays for figures: pictures with predictions, metrics of every frame and of every keypoint."""
    test = trainer.test
    which, found = frames_of(test), frame_arrays(trainer)
    found["frames/rec_mse"] = errors(trainer)["rec_mse"]
    model = trainer.model
    sets = {"random": torch.ones_like(which["out"]), "arms_out": which["out"],
            "arms_down": which["down"] & which["front"], "behind": ~which["front"]}  # fmt: skip
    for name, where in sets.items():
        rows = where.nonzero()[:, 0]
        if not len(rows):
            continue
        rows = rows[torch.linspace(0, len(rows) - 1, min(SHOWN[name], len(rows))).round().long()]
        other = partner(test, rows)
        posed = model.pose(test.pictures(rows))
        drawn = model.picture(model.draw(test.pictures(other), model.maps(posed)))
        shown = {
            "image": test.images[rows].permute(0, 2, 3, 1),
            "other": test.images[other].permute(0, 2, 3, 1),
            "reconstruction": (drawn.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1),
            "truth": test.truth[rows],
            "predicted": posed.keypoints,
            "anchors": posed.anchors[-1],
            "matrices": posed.matrices[-1],
            "out": which["out"][rows],
            "front": which["front"][rows],
        }
        found |= {f"{name}/{key}": value for key, value in shown.items()}
    return found


def frame_arrays(trainer) -> dict[str, Tensor]:
    """Metrics of every test frame (N,) and of every keypoint (15,), over all frames and two kinds of them."""
    test, predicted = trainer.test, predictions(trainer)
    index = torch.arange(len(test), device=predicted.device)
    found, which = scores(predicted, test, index), frames_of(test)
    hits, error = joint_hits(predicted, test, index).float(), distances(predicted, test.truth)
    arrays = {f"frames/{k}": found[k] for k in ("pdj", "pdj_swap", "l2", "l2_swap")}
    arrays |= {f"frames/{k}": v for k, v in which.items()}
    for name, value in (("pdj", hits), ("l2", error)):
        arrays |= {f"joints/{name}": value.mean(0), f"joints/{name}_down": value[which["down"]].mean(0)}
    return arrays | {f"joints/{name}": value for name, value in held_out(trainer)[1].items()}
