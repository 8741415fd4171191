"""Yoo & Russakovsky 2023, the metrics on 15 keypoints, against slow loops."""

import numpy as np
import pytest
import torch
from templated import blank_frames, boxes

from lib.papers.yoo2023_scores import METRICS, averages, distances, joint_hits, scores
from lib.papers.yoo2023_template import JOINTS

COUNT, SIZE = 24, 32
EXCHANGED = [
    JOINTS.index(n.replace("left_", "right_") if n.startswith("left_") else n.replace("right_", "left_"))
    for n in JOINTS
]


def given(seed=0, noise=0.12):
    """Frames and predictions, of which every third has its sides exchanged."""
    random = np.random.default_rng(seed)
    truth = random.uniform(-0.7, 0.7, (COUNT, 15, 2))
    predicted = truth + noise * random.normal(size=truth.shape)
    predicted[::3] = predicted[::3][:, EXCHANGED]
    frames = blank_frames(None, torch.from_numpy(truth).float(), boxes(random, COUNT, SIZE))
    return torch.from_numpy(predicted).float(), frames


def slow(predicted, truth, box):
    """PDJ@0.05, PDJ@0.10 and L2 of one frame, in the unit of the authors: pixels of 256."""
    p, t, b = ((np.asarray(v, dtype=np.float64) + 1) * 128 for v in (predicted, truth, box))
    diagonal = np.sqrt((b[2] - b[0]) ** 2 + (b[3] - b[1]) ** 2)
    away = [np.sqrt((p[i, 0] - t[i, 0]) ** 2 + (p[i, 1] - t[i, 1]) ** 2) for i in range(15)]
    hits = [sum(d < f * diagonal for d in away) / 15 for f in (0.05, 0.10)]
    return (*hits, sum(away) / 15 / 256)


@pytest.mark.parametrize("seed", range(3))
def test_metrics_equal_slow_loops(seed):
    predicted, frames = given(seed)
    found = scores(predicted, frames, torch.arange(COUNT))
    assert tuple(found) == METRICS
    for i in range(COUNT):
        plain, other = (
            slow(p, frames.truth[i], frames.box[i]) for p in (predicted[i], predicted[i, EXCHANGED])
        )
        expected = {
            "pdj": plain[0], "pdj_swap": max(plain[0], other[0]),
            "pdj_10": plain[1], "pdj_10_swap": max(plain[1], other[1]),
            "l2": plain[2], "l2_swap": min(plain[2], other[2]),
        }  # fmt: skip
        for name, value in expected.items():
            assert float(found[name][i]) == pytest.approx(value, abs=1e-5), (name, i)
    assert found["pdj_swap"].mean() > found["pdj"].mean() + 0.05


def test_hits_are_what_pdj_counts():
    predicted, frames = given()
    hits = joint_hits(predicted, frames, torch.arange(COUNT))
    torch.testing.assert_close(hits.float().mean(1), scores(predicted, frames, torch.arange(COUNT))["pdj"])
    assert hits.shape == distances(predicted, frames.truth).shape == (COUNT, 15)


def test_metrics_of_some_frames():
    predicted, frames = given()
    some = torch.tensor([5, 2, 17])
    part, whole = scores(predicted[some], frames, some), scores(predicted, frames, torch.arange(COUNT))
    for name in METRICS:
        torch.testing.assert_close(part[name], whole[name][some])


def test_the_truth_is_perfect_and_forgiven_when_exchanged():
    _, frames = given()
    index = torch.arange(COUNT)
    found = scores(frames.truth, frames, index)
    assert all((found[name] == (0 if name.startswith("l2") else 1)).all() for name in METRICS)
    found = scores(frames.truth[:, EXCHANGED], frames, index)
    assert (found["pdj_swap"] == 1).all() and (found["l2_swap"] == 0).all() and found["pdj"].mean() < 0.5


def test_averages_are_of_actions_and_of_frames():
    values = {"pdj": torch.tensor([0.0, 1.0, 1.0, 0.5])}
    found = averages(values, torch.tensor([2, 0, 0, 0]), ("Walking", "Sitting", "Posing"))
    assert found["actions"] == {"Walking": {"pdj": pytest.approx(2.5 / 3)}, "Posing": {"pdj": 0.0}}
    assert found["overall"]["pdj"] == pytest.approx(2.5 / 6)
    assert found["frame_mean"]["pdj"] == pytest.approx(2.5 / 4)
