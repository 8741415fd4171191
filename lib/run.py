"""One run: paper x variant x collection x profile x seed -> one record.

    python -m lib.run --paper yu2021_scale_lifting --variant full --collection mannequin --seed 0

A run that is killed leaves a checkpoint and goes on from it; a run whose record is there is not
repeated. The last checkpoint is evaluated, never the best on the test set.
"""

import argparse
import importlib
import math
import os
import resource
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm.auto import tqdm

from lib import metrics, records
from lib.data.batches import Poses, count_frames, load_poses
from lib.data.dataset import DatasetError, open_dataset, sha256
from lib.data.folder import dataset_path, missing
from lib.data.protocols import protocol, split_by
from lib.geometry import similarity_align
from lib.skeleton import HAND_21

__all__ = ["Loaded", "execute", "load_data", "missing_files", "score", "train"]

CURVE_POINTS = 100
EXAMPLES = 24  # test frames whose predictions are kept for figures
EXAMPLE_CLIPS = 4  # test clips whose per-frame arrays are kept


@dataclass(frozen=True)
class Loaded:
    """What a record says of a role's file and of the frames that were tested on.

    sha256 and source: of the file. protocol: what a table's header says of it, empty where the file's own
    split was taken. test_frames of test_frames_there, each test_every-th of a clip (0 without a test part);
    joints: how many PCK and AUC are taken over.
    """

    sha256: str
    source: str
    protocol: str
    test_frames: int
    test_frames_there: int
    test_every: int
    joints: int


def load_data(
    collection: str,
    roles: tuple[str, ...],
    frames: int | None,
    device: torch.device | str,
    thinned: dict[str, int | None] | None = None,
) -> tuple[dict[str, dict[str, Poses]], dict[str, Loaded]]:
    """Every role's parts on the device, and what was taken from each file.

    Arguments:
        frames: about how many frames of a part are kept, the first of each clip.
        thinned: part -> at most how many frames are kept of it, every n-th of each clip; of a protocol
            that tests every 64th frame, every n-th of those.

    Returns role -> {"train": Poses, "test": Poses} ("test" only where the split has one).
    """
    data, files = {}, {}
    for role in roles:
        rules = protocol(collection, role)
        dataset = split_by(open_dataset(dataset_path(collection, role)), rules)
        data[role], there, stride = {}, 0, 0
        for part in ("train", "test"):
            if dataset.split.get(part):
                limit = (thinned or {}).get(part)
                there = count_frames(dataset.subset(part))
                stride = rules.test_every if part == "test" else 1
                if limit is not None:
                    stride *= -(-there // (stride * limit))
                data[role][part] = load_poses(dataset, part, device, stride=stride, max_frames=frames)
        test = data[role].get("test")
        files[role] = Loaded(
            sha256=sha256(dataset.path),
            source=dataset.source,
            protocol=rules.title,
            test_frames=0 if test is None else len(test),
            test_frames_there=0 if test is None else there,
            test_every=0 if test is None else stride,
            joints=len(rules.joints or dataset.skeleton),
        )
    return data, files


def roles_of(module, variant: object) -> tuple[str, ...]:
    """The roles that a variant of a paper's module needs."""
    return module.roles(variant) if hasattr(module, "roles") else module.ROLES


def missing_files(paper: str, variants: Iterable[str], collection: str) -> dict[str, list[str]]:
    """Variant -> for each file that it needs and that is not there, a line with the command that makes it.

    Variants that lack nothing are left out.
    """
    module = importlib.import_module(f"lib.papers.{paper}")
    found = {name: missing(roles_of(module, module.VARIANTS[name]), collection) for name in variants}
    return {name: lines for name, lines in found.items() if lines}


def headless() -> bool:
    """Whether nobody watches: no terminal, and no JupyterLab session that opened this kernel."""
    return not (sys.stderr.isatty() or "JPY_SESSION_NAME" in os.environ)


def train(
    trainer, label: str, checkpoint: Path | None = None, every_seconds: float = 30.0, key: str = ""
):
    """Makes all steps of a trainer, from its checkpoint where there is one with the same key.

    Losses are summed on the device and read once a curve point. Returns the curves
    {"step": [...], loss: [...]} and the seconds spent in steps, over all sittings.
    """
    curves: dict[str, list] = {"step": []}
    done, seconds, sums, counts = 0, 0.0, {}, {}
    state = {}
    if checkpoint is not None and checkpoint.exists():
        state = torch.load(checkpoint, weights_only=True)
    if state.get("key") == key:
        trainer.load_state_dict(state["trainer"])
        torch.set_rng_state(state["random"])
        if torch.cuda.is_available() and state["random_cuda"]:
            torch.cuda.set_rng_state_all(state["random_cuda"])
        curves, done, seconds = state["curves"], state["done"], state["seconds"]
        sums, counts = state["sums"], state["counts"]

    interval = max(1, trainer.steps // CURVE_POINTS)
    bar = tqdm(
        total=trainer.steps, initial=done, desc=label, unit="step", disable=headless(), leave=False
    )
    began = saved = time.monotonic()
    for index in range(done, trainer.steps):
        for name, loss in trainer.step(index).items():
            sums[name] = sums[name] + loss if name in sums else loss
            counts[name] = counts.get(name, 0) + 1
        bar.update()
        if (index + 1) % interval == 0 or index + 1 == trainer.steps:
            _append(curves, index + 1, {k: float(v) / counts[k] for k, v in sums.items()})
            bar.set_postfix({k: f"{v[-1]:.3g}" for k, v in curves.items() if k != "step" and v[-1]})
            sums, counts = {}, {}
        now = time.monotonic()
        if checkpoint is not None and now - saved >= every_seconds:
            saved = now
            _save(
                checkpoint,
                {
                    "trainer": trainer.state_dict(),
                    "random": torch.get_rng_state(),
                    "random_cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
                    "curves": curves,
                    "done": index + 1,
                    "seconds": seconds + now - began,
                    "sums": sums,
                    "counts": counts,
                    "key": key,
                },
            )
    bar.close()
    return curves, seconds + time.monotonic() - began


def _append(curves: dict[str, list], step: int, values: dict[str, float]) -> None:
    """A loss that is absent between two points (a module that was not trained) leaves a gap, None."""
    points = len(curves["step"])
    curves["step"].append(step)
    for name in sorted({*curves, *values} - {"step"}):
        column = curves.setdefault(name, [None] * points)
        value = values.get(name)
        column.append(round(value, 7) if value is not None and math.isfinite(value) else None)


def _save(path: Path, state: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    torch.save(state, temporary)
    temporary.replace(path)


def score(
    predicted: Tensor, test: Poses, joints: list[int] | None = None, pooled: bool = False
) -> tuple[dict, Tensor]:
    """Every metric of root-centred predictions (N, J, 3) in mm: overall, by action, frame mean.

    "overall" is the mean of the actions, or, ``pooled``, of all frames. Returns the metrics and the error of
    each joint (J,). mpjpe and pck take the prediction at the scale the method gave it; mpjpe_oracle scales it
    by the true head-root distance of each frame (of a hand, wrist to middle fingertip); "aligned" and p_mpjpe
    are after Procrustes. PCK and AUC are those of some ``joints``, of all if None. Frames without a
    3D pose are left out; without any, the metrics are empty and the errors NaN.
    """
    truth, action = test.joints_3d - test.joints_3d[:, :1], test.action
    known = test.in_3d
    if not known.all():
        predicted, truth, action = predicted[known], truth[known], action[known]
    if not len(truth):
        nothing = {"overall": {}, "actions": {}, "frame_mean": {}}
        return nothing, predicted.new_full((len(test.skeleton),), torch.nan)
    end = test.skeleton.index("middle_4" if test.skeleton == HAND_21 else "head")
    own, true = (p[:, end].norm(dim=-1).clamp_min(1e-3) for p in (predicted, truth))
    oracle = predicted * (true / own)[:, None, None]
    aligned = similarity_align(predicted, truth)
    mirrored = predicted * predicted.new_tensor([1.0, 1.0, -1.0])
    some = slice(None) if joints is None else joints
    values = {
        "mpjpe": metrics.mpjpe(predicted, truth),
        "n_mpjpe": metrics.n_mpjpe(predicted, truth),
        "p_mpjpe": metrics.mpjpe(aligned, truth),
        "mpjpe_oracle": metrics.mpjpe(oracle, truth),
        "p_mpjpe_mirrored": metrics.p_mpjpe(mirrored, truth),
        "pck": metrics.pck(predicted[:, some], truth[:, some]),
        "auc": metrics.auc(predicted[:, some], truth[:, some]),
        "pck_aligned": metrics.pck(aligned[:, some], truth[:, some]),
        "auc_aligned": metrics.auc(aligned[:, some], truth[:, some]),
    }
    actions = {
        name: {k: float(v[action == i].double().mean()) for k, v in values.items()}
        for i, name in enumerate(test.action_names)
        if (action == i).any()
    }
    frame_mean = {k: float(v.double().mean()) for k, v in values.items()}
    overall = {k: float(np.mean([a[k] for a in actions.values()])) for k in values}
    joint_error = (predicted - truth).norm(dim=-1).mean(0)
    scores = {"overall": frame_mean if pooled else overall, "actions": actions, "frame_mean": frame_mean}
    return scores, joint_error


def _long_clips(test: Poses) -> list[int]:
    """The longest test clips, no two of one subject's action."""
    found: dict[tuple[int, int], int] = {}
    for clip in test.length.argsort(descending=True, stable=True).tolist():
        first = int(test.start[clip])
        found.setdefault((int(test.subject[first]), int(test.action[first])), clip)
    return list(found.values())[:EXAMPLE_CLIPS]


def _figure_arrays(role: str, predicted: Tensor, test: Poses, per_frame: dict) -> dict:
    """A few predictions with their truth, and per-frame arrays of a few clips, for figures."""
    frames = torch.linspace(0, len(test) - 1, EXAMPLES).long()
    truth = test.joints_3d - test.joints_3d[:, :1]
    arrays = {
        f"{role}/examples/frame": frames,
        f"{role}/examples/predicted": predicted[frames],
        f"{role}/examples/truth": truth[frames],
        f"{role}/examples/joints_2d": test.joints_2d[frames],
    }
    for clip in _long_clips(test):
        chosen = test.clip == clip
        for name, values in per_frame.items():
            arrays[f"{role}/clips{test.clips[clip]}/{name}"] = values[chosen]
    return {k: v.detach().cpu().numpy() for k, v in arrays.items()}


def execute(
    paper: str,
    variant: str,
    collection: str = "mannequin",
    profile: str = "cpu",
    seed: int = 0,
    root: Path | str = records.OWN,
    device: str | None = None,
    checkpoint_seconds: float = 30.0,
) -> Path:
    """Trains, evaluates and writes the record of one run; returns its path.

    A record that is there already is returned as it is. Raises KeyError with the known names for an
    unknown variant or profile, DatasetError with the commands that make them for files that are not there,
    and what the data reader says for damaged ones.
    """
    path = records.record_path(root, paper, collection, variant, profile, seed)
    if path.exists():
        return path
    module = importlib.import_module(f"lib.papers.{paper}")
    for kind, name, known in (
        ("variant", variant, module.VARIANTS),
        ("profile", profile, module.PROFILES),
    ):
        if name not in known:
            raise KeyError(f"{paper} has no {kind} {name!r}; known: {', '.join(sorted(known))}")
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    torch.set_flush_denormal(True)
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    settings, sizes = module.VARIANTS[variant], module.PROFILES[profile]
    configuration = {"variant": asdict(settings), "profile": asdict(sizes)}

    began = time.monotonic()
    needed = roles_of(module, settings)
    absent = missing(needed, collection)
    if absent:
        raise DatasetError(f"{paper}/{variant} on {collection}: {'; '.join(absent)}")
    thinned = {part: getattr(sizes, f"{part}_frames", None) for part in ("train", "test")}
    data, files = load_data(collection, needed, sizes.frames, target, thinned)
    trainer = module.build(settings, sizes, data, seed)
    checkpoint = path.with_suffix(".checkpoint")
    # taken now: the files of lib may change while the run goes on
    hashes = {role: file.sha256 for role, file in files.items()}
    origin = records.provenance(paper, configuration, hashes, target)
    # a checkpoint of another configuration, other data or other code is not gone on from
    sources = ("configuration_sha256", "data_sha256", "code_sha256")
    key = records.configuration_sha256({name: origin[name] for name in sources})
    prepared = time.monotonic() - began
    label = f"{collection}/{variant}/{seed}"
    curves, seconds = train(trainer, label, checkpoint, checkpoint_seconds, key)

    evaluating = time.monotonic()
    scores, diagnostics, arrays = {}, {}, {}
    for number, role in enumerate(trainer.test_roles):
        # a method that gives no 3D poses brings its own metrics
        predicted = None if hasattr(trainer, "score") else trainer.predict(role)
        if predicted is None:
            scores[role], joint_error = trainer.score(role)
        else:
            rules, test = protocol(collection, role), data[role]["test"]
            scores[role], joint_error = score(predicted, test, rules.scored(test.skeleton), rules.pooled)
        arrays[f"{role}/joint_error"] = joint_error.cpu().numpy()
        values, per_frame = trainer.diagnose(role)
        if hasattr(trainer, "figures"):
            found = trainer.figures(role)
            arrays |= {f"{role}/{name}": value.cpu().numpy() for name, value in found.items()}
        if number == 0:
            diagnostics = values
            if predicted is not None:
                arrays |= _figure_arrays(role, predicted, data[role]["test"], per_frame)
        else:
            diagnostics |= {f"{role}_{name}": value for name, value in values.items()}
    steps = max(1, trainer.steps)
    diagnostics["step_seconds"] = seconds / steps
    diagnostics |= _curve_diagnostics(curves)
    cuda = target.type == "cuda"
    peak = (
        torch.cuda.max_memory_allocated(target) / 2**20
        if cuda
        else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    )
    origin |= {
        "precision": getattr(trainer, "precision", origin["precision"]),
        "initialisation": getattr(trainer, "initialisation", "from scratch"),
        "data": {role: asdict(file) for role, file in files.items()},
        "wall_seconds": round(prepared + seconds + time.monotonic() - evaluating, 2),
        "train_seconds": round(seconds, 2),
        "samples_per_second": round(trainer.samples_per_step * trainer.steps / max(seconds, 1e-9), 1),
        "peak_memory_mib": round(peak, 1),
    }
    finite = {k: v for k, v in diagnostics.items() if math.isfinite(v)}
    record = {
        "schema": records.SCHEMA,
        "paper": paper,
        "variant": variant,
        "collection": collection,
        "profile": profile,
        "seed": seed,
        "configuration": configuration,
        "metrics": scores,
        "curves": curves,
        "diagnostics": finite,
        "provenance": origin,
    }
    records.write(path, record, arrays)
    checkpoint.unlink(missing_ok=True)
    return path


def _curve_diagnostics(curves: dict[str, list]) -> dict[str, float]:
    """loss_roughness: mean relative change of L_3D from point to point over the second half;
    clamped_fraction: last share of projected coordinates at the clamp."""
    found = {}
    column = [v for v in curves.get("3d", []) if v is not None]
    half = np.array(column[len(column) // 2 :])
    if len(half) > 2:
        found["loss_roughness"] = float(np.abs(np.diff(half)).mean() / max(half.mean(), 1e-9))
    clamped = [v for v in curves.get("clamped", []) if v is not None]
    if clamped:
        found["clamped_fraction"] = clamped[-1]
    return found


def main() -> None:
    """The command line; prints the record's path and its main numbers."""
    parser = argparse.ArgumentParser(prog="python -m lib.run", description=__doc__)
    parser.add_argument("--paper", required=True)
    parser.add_argument("--variant", required=True)
    parser.add_argument("--collection", default="mannequin")
    parser.add_argument("--profile", default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--root", default=str(records.OWN), help="where records go")
    parser.add_argument("--device", default=None, help="cpu, cuda, cuda:1; default: a GPU if any")
    parser.add_argument("--checkpoint-seconds", type=float, default=30.0)
    options = vars(parser.parse_args())
    try:
        path = execute(**options)
    except DatasetError as error:
        parser.exit(1, f"error: {error}\n")
    record = records.load(path)
    numbers = ", ".join(
        f"{role} " + " ".join(f"{k} {m['overall'][k]:.4g}" for k in list(m["overall"])[:3])
        for role, m in record["metrics"].items()
    )
    print(f"{path}: {numbers}, {record['provenance']['wall_seconds']:.0f} s")


if __name__ == "__main__":
    main()
