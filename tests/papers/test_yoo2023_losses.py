"""Yoo & Russakovsky 2023, the losses on anchors, against loops."""

import pytest
import torch

from lib.papers.yoo2023_losses import l_anchor, l_boundary
from lib.papers.yoo2023_template import shape_template

PAIRS = shape_template("new").pairs


def slow_anchor(anchors):
    """The authors' way: pixels of 256 over 256, homogeneous, a mean squared error for each joint."""
    total = 0.0
    for a, b in PAIRS.tolist():
        squares = []
        for points in anchors.double():
            one, other = (torch.cat([(points[i] + 1) * 128, torch.ones(1)]) / 256 for i in (a, b))
            squares += ((one - other) ** 2).tolist()
        total += sum(squares) / len(squares)
    return total


def slow_boundary(anchors):
    total = 0.0
    for points in anchors.tolist():
        for x, y in points:
            total += sum(abs(v) for v in (x, y) if abs(v) > 1) / 3
    return total / len(anchors)


@pytest.mark.parametrize("seed", range(3))
def test_losses_equal_slow_loops(seed):
    anchors = torch.randn(5, 32, 2, generator=torch.Generator().manual_seed(seed))
    assert float(l_anchor(anchors, PAIRS)) == pytest.approx(slow_anchor(anchors), rel=1e-5)
    assert float(l_boundary(anchors)) == pytest.approx(slow_boundary(anchors), rel=1e-5)


def test_the_templates_cost_nothing():
    for kind in ("orig", "new"):
        template = shape_template(kind)
        anchors = template.anchors[None]
        assert l_anchor(anchors, template.pairs) == 0 and l_boundary(anchors) == 0


def test_the_boundary_jumps_and_counts_every_anchor():
    for anchor in range(32):
        anchors = torch.zeros(2, 32, 2)
        anchors[0, anchor, 1] = -1.0
        assert l_boundary(anchors) == 0
        anchors[0, anchor, 1] = -1.001
        assert float(l_boundary(anchors)) == pytest.approx(1.001 / 6)


def test_gradients_pull_anchors_together_and_back():
    anchors = (2 * torch.randn(3, 32, 2)).requires_grad_()
    for loss in (lambda a: l_anchor(a, PAIRS), l_boundary):
        (gradient,) = torch.autograd.grad(loss(anchors), anchors)
        assert bool(gradient.isfinite().all())
        assert loss(anchors - 0.1 * gradient) < loss(anchors)
