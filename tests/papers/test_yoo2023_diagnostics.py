"""Yoo & Russakovsky 2023, what a run is looked at with: against slow references on random keypoints."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from templated import blank_frames, boxes, make

from lib.papers import yoo2023_diagnostics as diagnostics
from lib.papers.yoo2023_scores import joint_hits
from lib.papers.yoo2023_template import JOINTS, shape_template

COUNT, SIZE = 60, 32
INDEX = torch.arange(COUNT)
SIDED = ("ankle", "knee", "elbow", "hip", "shoulder", "wrist")
ARMS = [i for i, name in enumerate(JOINTS) if name.endswith(("elbow", "wrist"))]
EXCHANGED = [
    JOINTS.index(n.replace("left_", "right_") if n.startswith("left_") else n.replace("right_", "left_"))
    for n in JOINTS
]
# notes on the authors' code: the 13 lengths in order
BONES = (
    "neck abdomen", "abdomen right_hip", "right_hip right_knee", "right_knee right_ankle",
    "abdomen left_hip", "left_hip left_knee", "left_knee left_ankle",
    "chest right_shoulder", "right_shoulder right_elbow", "right_elbow right_wrist",
    "chest left_shoulder", "left_shoulder left_elbow", "left_elbow left_wrist",
)  # fmt: skip
KEYPOINTS = {
    "bplp_c", "bplp_c_rest", "bplp_c_moved", "proportion_std", "bplp_c_true",
    "pdj_q1", "pdj_median", "pdj_q3", "l2_q1", "l2_median", "l2_q3",
    "log_l2_median", "log_l2_max", "thrown_share", "outside_share",
    "pdj_down", "l2_down", "frames_out", "frames_down",
    "predicted_out_share", "predicted_out_on_down", "true_out_share",
    *(f"{kind}{joint}" for kind in ("pdj_", "pdj_swap_", "pdj_down_") for joint in JOINTS),
    "pdj_arms", "pdj_arms_swap", "l2_arms",
    *(f"gap_{joint}" for joint in SIDED),
    "limb_ratio", "limb_ratio_thigh", "limb_ratio_true", "swap_share", "pdj_front", "pdj_back",
    "arm_correlation",
}  # fmt: skip
RECONSTRUCTED = {
    "rec_mse", "rec_perceptual", "rec_mse_person", "copy_mse", "shuffled_mse", "overlap", "outline",
    "pdj_offset", "pdj_offset_swap", "arms_offset_swap", "anchor_gap",
    "template_pdj", "template_pdj_swap", "template_l2", "template_arm_distance",
    "pairs", "frames", "groups", "parameters", "vgg",
}  # fmt: skip
HELD_OUT = {
    "pdj_out", "l2_out", "frames_more", *(f"pdj_out_{joint}" for joint in JOINTS),
    *(f"gap_out_{joint}" for joint in SIDED),
}  # fmt: skip
LOOKS = {f"{name}_{share}" for name in ("pdj", "l2", "rec_mse") for share in (25, 50, 75)}


def column(points, name):
    return points[:, JOINTS.index(name)]


def standing_people(random, count=COUNT, backs=0.25):
    """Keypoints of people with arms out, down or neither, from the front or from behind."""
    upright = shape_template("new").keypoints.numpy()
    truth = 0.8 * upright + 0.03 * random.normal(size=(count, 15, 2))
    for i in range(count):
        if i % 3 == 0:
            for side, sign in (("left", 1), ("right", -1)):
                shoulder = truth[i, JOINTS.index(f"{side}_shoulder")]
                truth[i, JOINTS.index(f"{side}_elbow")] = shoulder + (0.12 * sign, 0.01)
                truth[i, JOINTS.index(f"{side}_wrist")] = shoulder + (0.24 * sign, 0.02)
        if i % 4 < 4 * backs:
            truth[i] = truth[i, EXCHANGED]
    return truth


@pytest.fixture(scope="module")
def case():
    """Predictions and frames."""
    random = np.random.default_rng(3)
    truth = standing_people(random)
    predicted = truth + 0.05 * random.normal(size=truth.shape)
    predicted[::5] = predicted[::5][:, EXCHANGED]
    predicted[1] += 3.0  # thrown out of the picture
    predicted[2, 3] = 1.2
    frames = blank_frames(None, torch.from_numpy(truth).float(), boxes(random, COUNT, SIZE))
    return torch.from_numpy(predicted).float(), frames


@pytest.fixture(scope="module")
def values(case):
    return diagnostics.diagnose_keypoints(*case)


def slow_arms(points):
    """Which frames have arms out, which down."""
    out, down = [], []
    for p in points.double().numpy():
        limbs = []
        for side, other in (("left", "right"), ("right", "left")):
            s, w, o = (
                p[JOINTS.index(name)] for name in (f"{side}_shoulder", f"{side}_wrist", f"{other}_shoulder")
            )
            dx, dy = w - s
            flat = abs(dy) <= abs(dx) * np.tan(np.radians(20)) and dx * (s[0] - o[0]) > 0
            limbs.append((flat, dy > 0 and abs(dy) >= abs(dx)))
        out.append(all(a for a, _ in limbs))
        down.append(all(b for _, b in limbs))
    return np.array(out), np.array(down)


def slow_hits(predicted, frames):
    """(N, 15) numpy: distances in px of a crop of 256, and whether keypoints are found."""
    away = np.linalg.norm((predicted - frames.truth).double().numpy(), axis=-1) * 128
    box = frames.box.double().numpy() * 128
    diagonal = np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])
    return away, away < 0.05 * diagonal[:, None]


# Keypoints


def test_every_promised_number_is_there(values):
    assert set(values) == KEYPOINTS
    assert all(np.isfinite(v) for v in values.values())


def test_frames_are_classified(case, values):
    predicted, frames = case
    which = diagnostics.frames_of(frames)
    out, down = slow_arms(frames.truth)
    assert which["out"].tolist() == out.tolist() and which["down"].tolist() == down.tolist()
    front = [column(frames.truth, "left_shoulder")[i, 0] > column(frames.truth, "right_shoulder")[i, 0]
             for i in range(COUNT)]  # fmt: skip
    assert which["front"].tolist() == front and 0 < sum(front) < COUNT
    assert values["frames_out"] == out.sum() > 10 and values["frames_down"] == down.sum() > 10
    assert values["true_out_share"] == pytest.approx(out.sum() / (out | down).sum())
    guess_out, guess_down = slow_arms(predicted)
    assert values["predicted_out_share"] == pytest.approx(guess_out.sum() / (guess_out | guess_down).sum())
    assert values["predicted_out_on_down"] == pytest.approx(guess_out[down].mean())


def test_quartiles_and_throws(case, values):
    away, hits = slow_hits(*case)
    pdj, l2 = hits.mean(1), away.mean(1) / 256
    for name, found in (("pdj", pdj), ("l2", l2)):
        for label, q in (("q1", 25), ("median", 50), ("q3", 75)):
            assert values[f"{name}_{label}"] == pytest.approx(np.percentile(found, q), abs=1e-5)
    assert values["log_l2_max"] == pytest.approx(np.log10(l2.max()), abs=1e-5)
    logs = np.sort(np.log10(l2))
    assert logs[COUNT // 2 - 1] - 1e-5 <= values["log_l2_median"] <= logs[COUNT // 2] + 1e-5
    assert values["thrown_share"] == pytest.approx((l2 > 1).mean()) and (l2 > 1).sum() == 1
    outside = (np.abs(case[0].numpy()) > 1).any((1, 2))
    assert values["outside_share"] == pytest.approx(outside.mean()) and outside.sum() >= 2


def test_pdj_of_kinds_of_frames_and_of_keypoints(case, values):
    predicted, frames = case
    away, hits = slow_hits(predicted, frames)
    _, other = slow_hits(predicted[:, EXCHANGED], frames)
    forgiven = np.where((other.mean(1) > hits.mean(1))[:, None], other, hits)
    which = {k: v.numpy() for k, v in diagnostics.frames_of(frames).items()}
    groups = {"down": which["down"], "front": which["front"], "back": ~which["front"]}
    for name, where in groups.items():
        assert values[f"pdj_{name}"] == pytest.approx(hits[where].mean(), abs=1e-6), name
    assert values["l2_down"] == pytest.approx(away[which["down"]].mean() / 256, rel=1e-4)
    for i, joint in enumerate(JOINTS):
        assert values[f"pdj_{joint}"] == pytest.approx(hits[:, i].mean(), abs=1e-6)
        assert values[f"pdj_swap_{joint}"] == pytest.approx(forgiven[:, i].mean(), abs=1e-6)
        assert values[f"pdj_down_{joint}"] == pytest.approx(hits[which["down"], i].mean(), abs=1e-6)
    for joint in SIDED:
        left, right = (JOINTS.index(f"{side}_{joint}") for side in ("left", "right"))
        assert values[f"gap_{joint}"] == pytest.approx(
            abs(hits[:, left].mean() - hits[:, right].mean()), abs=1e-6
        )
    assert values["pdj_arms"] == pytest.approx(hits[:, ARMS].mean(), abs=1e-6)
    assert values["pdj_arms_swap"] == pytest.approx(forgiven[:, ARMS].mean(), abs=1e-6)
    assert values["l2_arms"] == pytest.approx(away[:, ARMS].mean() / 256, rel=1e-4)
    assert len(ARMS) == 4 and forgiven.mean() > hits.mean()


def test_exchanged_frames_are_counted(case, values):
    predicted, frames = case
    plain, _ = slow_hits(predicted, frames)
    other, _ = slow_hits(predicted[:, EXCHANGED], frames)
    assert values["swap_share"] == pytest.approx((other.mean(1) < plain.mean(1)).mean())
    assert 0.1 < values["swap_share"] < 0.4  # every fifth


def test_proportions(case, values):
    predicted, frames = case

    def slow(points, bones):
        ratios = []
        for one in points.double().numpy():
            torso = np.linalg.norm(one[JOINTS.index("neck")] - one[JOINTS.index("abdomen")])
            ends = [[one[JOINTS.index(end)] for end in bone.split()] for bone in bones]
            ratios.append([np.linalg.norm(a - b) / torso for a, b in ends])
        return np.std(ratios, axis=0, ddof=1).mean()

    assert values["proportion_std"] == pytest.approx(slow(predicted, BONES), rel=1e-4)
    assert values["bplp_c"] == pytest.approx(1 / slow(predicted, BONES), rel=1e-4)
    assert values["bplp_c_rest"] == pytest.approx(1 / slow(predicted, BONES[1:]), rel=1e-4)
    assert values["bplp_c_true"] == pytest.approx(1 / slow(frames.truth, BONES), rel=1e-4)
    assert values["bplp_c_rest"] == pytest.approx(values["bplp_c"] * 12 / 13, rel=1e-3)
    assert values["bplp_c_moved"] == pytest.approx(values["bplp_c"], rel=1e-3)


def test_limb_ratios(case, values):
    limbs = {"thigh": "hip knee", "shin": "knee ankle", "arm": "shoulder elbow", "forearm": "elbow wrist"}

    def slow(points):
        found = {}
        for limb, ends in limbs.items():
            logs = []
            for one in points.double().numpy():
                left, right = (
                    np.linalg.norm(np.subtract(*(one[JOINTS.index(f"{side}_{end}")] for end in ends.split())))
                    for side in ("left", "right")
                )
                logs.append(abs(np.log(left / right)))
            found[limb] = np.mean(logs)
        return found

    predicted, frames = case
    found = slow(predicted)
    assert values["limb_ratio_thigh"] == pytest.approx(found["thigh"], rel=1e-3)
    assert values["limb_ratio"] == pytest.approx(np.mean(list(found.values())), rel=1e-3)
    assert values["limb_ratio_true"] == pytest.approx(np.mean(list(slow(frames.truth).values())), rel=1e-3)


def test_the_correlation_of_arms(case, values):
    predicted, frames = case
    box = frames.box.double().numpy()
    middle = (box[:, None, :2] + box[:, None, 2:]) / 2
    a, b = ((p.double().numpy()[:, ARMS] - middle).reshape(COUNT, -1) for p in (predicted, frames.truth))
    expected = np.mean([np.corrcoef(a[:, i], b[:, i])[0, 1] for i in range(8)])
    assert values["arm_correlation"] == pytest.approx(expected, abs=1e-4)


def test_keypoints_that_never_move_are_measured_too(case):
    _, frames = case
    still = shape_template("orig").keypoints.expand(COUNT, -1, -1)
    found = diagnostics.diagnose_keypoints(still, frames)
    assert set(found) == KEYPOINTS
    assert all(np.isfinite(v) for v in found.values()) and found["arm_correlation"] < 0.9
    assert found["predicted_out_share"] == 1.0


# The outline


def test_the_distance_to_the_outline(case):
    predicted, frames = case
    centres = (np.arange(SIZE) + 0.5) * 2 / SIZE - 1
    total = []
    for points, mask in zip(predicted.double().numpy(), frames.mask.numpy(), strict=True):
        rows, columns = np.nonzero(mask)
        for x, y in points:
            total.append(np.hypot(centres[columns] - x, centres[rows] - y).min() / 2)
    found = diagnostics.outline(predicted, frames)
    assert found == pytest.approx(np.mean(total), rel=0.2, abs=0.5 / SIZE)


def test_keypoints_inside_the_outline_are_not_away_from_it(case):
    _, frames = case
    middle = torch.zeros(COUNT, 15, 2) + torch.tensor([0.011, 0.023])
    assert diagnostics.outline(middle, frames) == pytest.approx(0.0, abs=1e-6)


# Constant offsets


def test_a_constant_offset_is_taken_off():
    """Predictions with an offset for each part of the picture, of people of whom some turn their backs."""
    random = np.random.default_rng(5)
    shift = 0.12 * random.normal(size=(15, 2))
    sets = []
    for _ in range(2):
        truth = standing_people(random, backs=0.75)
        seen = np.where((np.arange(COUNT) % 4 < 3)[:, None, None], truth[:, EXCHANGED], truth)
        frames = blank_frames(None, torch.from_numpy(truth).float(), boxes(random, COUNT, SIZE))
        sets.append((frames, torch.from_numpy(seen + shift).float()))
    (frames, guess), (test, predicted) = sets
    known = {id(of): points for of, points in sets}
    trainer = SimpleNamespace(
        frames=frames, test=test, shown={}, predict_keypoints=lambda of, index: known[id(of)][index]
    )
    found = diagnostics.offset(trainer)
    assert found["pdj_offset_swap"] == 1.0 and found["arms_offset_swap"] == 1.0
    assert found["pdj_offset"] < 0.95  # those who turn their backs
    assert joint_hits(predicted, test, INDEX).float().mean() < 0.6
    # against a slow loop
    moved = predicted.double().clone().numpy()
    for i in range(15):
        for axis in range(2):
            away = []
            for n in range(COUNT):
                g, t = guess[n].double().numpy(), frames.truth[n].double().numpy()
                near = np.linalg.norm(g - t, axis=1).mean() <= np.linalg.norm(g - t[EXCHANGED], axis=1).mean()
                away.append(g[i, axis] - (t if near else t[EXCHANGED])[i, axis])
            moved[:, i, axis] -= np.sort(away)[(COUNT - 1) // 2]
    hits = slow_hits(torch.from_numpy(moved), test)[1]
    assert found["pdj_offset"] == pytest.approx(hits.mean(), abs=0.01)


# Of a trainer


@pytest.fixture(scope="module")
def trainer(framed):
    """After a few steps."""
    trainer = make(framed, "mse-new-c2f")
    for index in range(trainer.steps):
        trainer.step(index)
    trainer.model.train()
    with torch.no_grad():
        # every frame has a pose of its own: weights, and normalisation that remembers what it saw
        trainer.model.phi.head.weight.normal_(std=0.5)
        for _ in range(40):
            trainer.model.pose(trainer.batch()[0])
    return trainer


@pytest.fixture(scope="module")
def diagnosed(trainer):
    return trainer.diagnose("studio")[0]


def test_a_record_has_every_promised_number(diagnosed):
    expected = KEYPOINTS | HELD_OUT | RECONSTRUCTED | LOOKS
    assert set(diagnosed) == expected
    assert all(np.isfinite(value) for value in diagnosed.values())


def test_the_partner_is_another_frame_of_the_group(trainer):
    index = torch.arange(len(trainer.test))
    other = diagnostics.partner(trainer.test, index)
    clip = trainer.test.clip
    assert torch.equal(clip[other], clip) and (other != index).all()
    length = trainer.test.filmed.poses.length[clip]
    around = (other - index).remainder(length)
    assert torch.equal(around, length // 2)


def test_errors_of_reconstructions_equal_slow_loops(trainer, diagnosed):
    model, test = trainer.model.eval(), trainer.test
    index = torch.arange(len(test))
    found = diagnostics.reconstruction_errors(trainer, index)
    other = diagnostics.partner(test, index)
    with torch.no_grad():
        for i in (0, 7, len(test) - 1):
            frame, second = test.pictures(index[i : i + 1]), test.pictures(other[i : i + 1])
            maps = model.maps(model.pose(frame))
            drawn = model.draw(second, maps)
            square = (drawn - model.normalise(frame)).double().square()[0].mean(0)
            assert float(found["rec_mse"][i]) == pytest.approx(float(square.mean()), rel=1e-3)
            copy = (model.normalise(second) - model.normalise(frame)).double().square().mean()
            assert float(found["copy_mse"][i]) == pytest.approx(float(copy), rel=1e-4)
            left, top, right, bottom = ((test.box[i] + 1) * SIZE / 2).round().long().tolist()
            person = square[top:bottom, left:right].mean()
            assert float(found["rec_mse_person"][i]) == pytest.approx(float(person), rel=1e-3)
            made, asked = (trainer.features(p, stages=True) for p in (model.picture(drawn), frame))
            stages = [2] if trainer.features.has_vgg else [0, 1, 2]
            error = np.mean([float((made[k] - asked[k]).abs().mean()) for k in stages])
            assert float(found["rec_perceptual"][i]) == pytest.approx(error, rel=0.02)  # autocast
            far = test.pictures((index[i : i + 1] + len(test) // 2) % len(test))
            drawn = model.draw(second, model.maps(model.pose(far)))
            shuffled = (drawn - model.normalise(frame)).double().square().mean()
            assert float(found["shuffled_mse"][i]) == pytest.approx(float(shuffled), rel=1e-4)
    for name, value in found.items():
        assert diagnosed[name] == pytest.approx(float(value.double().mean()), rel=1e-5)


def test_overlap_and_gaps_of_anchors(trainer, diagnosed):
    model, test = trainer.model.eval(), trainer.test
    with torch.no_grad():
        posed = model.pose(test.pictures(torch.arange(len(test))))
        maps = model.maps(posed)
    shared, gaps = [], []
    for i in range(len(test)):
        figure, mask = (maps[i] > 0.5).any(0).numpy(), test.mask[i].numpy()
        shared.append((figure & mask).sum() / (figure | mask).sum())
        for a, b in model.template.pairs.tolist():
            one, two = posed.anchors[-1][i, a].numpy(), posed.anchors[-1][i, b].numpy()
            gaps.append(np.linalg.norm(one - two) / 2)
    assert diagnosed["overlap"] == pytest.approx(np.mean(shared), rel=1e-3)
    assert diagnosed["anchor_gap"] == pytest.approx(np.mean(gaps), rel=1e-3)


def test_the_untransformed_template(framed, diagnosed):
    floor = make(framed, "template-new")
    floor.test = make(framed).test  # the same frames
    found = floor.score("studio")[0]["frame_mean"]
    for name in ("pdj", "pdj_swap", "l2"):
        assert diagnosed[f"template_{name}"] == pytest.approx(found[name], abs=1e-6)
    far = diagnostics._template(make(framed, "mse"), floor.test)["template_arm_distance"]
    assert 0 < diagnosed["template_arm_distance"] < far


def test_what_was_trained_on_is_counted(framed, trainer, diagnosed):
    assert diagnosed["pairs"] == len(trainer.pairs)
    assert diagnosed["frames"] == 2 * len(trainer.pairs) <= len(trainer.frames)
    assert diagnosed["groups"] == len(trainer.frames.filmed.poses.clips)
    assert diagnosed["parameters"] == sum(p.numel() for p in trainer.model.parameters())
    assert diagnosed["vgg"] == trainer.features.has_vgg
    flipped = diagnostics.counts(make(framed, "mse-new-flip"))
    assert (
        flipped["frames"] <= diagnosed["frames"] / 2 + 2 and abs(flipped["pairs"] - diagnosed["pairs"]) <= 1
    )


def test_people_with_arms_out_are_of_a_second_test_set(trainer, diagnosed):
    """As many as others, of which the first has the share of training."""
    more = trainer.more
    out, down = (diagnostics.frames_of(more)[kind] for kind in ("out", "down"))
    assert float(out.sum() / (out | down).sum()) == pytest.approx(0.5, abs=0.05)
    rows = out.nonzero()[:, 0]
    predicted = trainer.predict_keypoints(more, rows)
    box = (more.box[rows].double().numpy() + 1) * 128
    away = np.linalg.norm((predicted - more.truth[rows]).double().numpy(), axis=-1) * 128
    hits = away < 0.05 * np.hypot(box[:, 2] - box[:, 0], box[:, 3] - box[:, 1])[:, None]
    assert diagnosed["frames_more"] == len(rows) > 10
    assert diagnosed["pdj_out"] == pytest.approx(hits.mean(), abs=1e-6)
    assert diagnosed["l2_out"] == pytest.approx(away.mean() / 256, rel=1e-4)
    for i, joint in enumerate(JOINTS):
        assert diagnosed[f"pdj_out_{joint}"] == pytest.approx(hits[:, i].mean(), abs=1e-6)
    for joint in SIDED:
        left, right = (hits[:, JOINTS.index(f"{side}_{joint}")].mean() for side in ("left", "right"))
        assert diagnosed[f"gap_out_{joint}"] == pytest.approx(abs(left - right), abs=1e-6)
    arrays = trainer.figures("studio")
    np.testing.assert_allclose(arrays["joints/pdj_out"], hits.mean(0), atol=1e-6)
    np.testing.assert_allclose(arrays["joints/l2_out"], away.mean(0) / 256, rtol=1e-4)
    # those with arms down are of the first
    down = diagnostics.frames_of(trainer.test)["down"]
    assert diagnosed["frames_down"] == float(down.sum())


# Figures


def test_figures_have_what_is_drawn_of_them(trainer, diagnosed):
    arrays = {name: tuple(value.shape) for name, value in trainer.figures("studio").items()}
    count = len(trainer.test)
    fields = {
        "image": (SIZE, SIZE, 3), "other": (SIZE, SIZE, 3), "reconstruction": (SIZE, SIZE, 3),
        "truth": (15, 2), "predicted": (15, 2), "anchors": (32, 2), "matrices": (18, 2, 3),
        "out": (), "front": (),
    }  # fmt: skip
    for kind, most in (("random", 16), ("arms_out", 6), ("arms_down", 6), ("behind", 4)):
        found = {name.split("/")[1]: arrays.pop(name) for name in list(arrays) if name.startswith(f"{kind}/")}
        if kind == "behind" and not found:
            continue
        rows = found["image"][0]
        assert 0 < rows <= most and found == {name: (rows, *shape) for name, shape in fields.items()}
        assert kind != "random" or rows == 16
    expected = {
        f"frames/{name}": (count,)
        for name in ("pdj", "pdj_swap", "l2", "l2_swap", "rec_mse", "out", "down", "front")
    } | {f"joints/{name}": (15,) for name in ("pdj", "pdj_out", "pdj_down", "l2", "l2_out", "l2_down")}
    assert arrays == expected


def test_figures_show_the_kinds_that_they_name(trainer, diagnosed):
    arrays = trainer.figures("studio")
    assert arrays["arms_out/out"].all() and not arrays["arms_down/out"].any()
    assert arrays["arms_down/front"].all() and not arrays.get("behind/front", torch.zeros(1)).any()
    for name in ("image", "other", "reconstruction"):
        assert arrays[f"random/{name}"].dtype == torch.uint8
    again = make_same_frames(trainer)
    for name in ("image", "other", "truth"):
        assert torch.equal(arrays[f"random/{name}"], again[f"random/{name}"])


def make_same_frames(trainer):
    """Figures of another variant of the same test frames."""
    return make(trainer.data, "base", seed=1).figures("studio")
