"""Sentences and small tables say what the records hold, and nothing where there are none."""

import numpy as np
import pytest

from lib import prose
from lib.claims import Check, Claim, decide
from lib.expressions import Expression
from lib.report import Measured, Source, Table, TableRow
from lib.reported import Column, ReportedTable, Row


def record(variant, seed=0, mpjpe=100.0, **diagnostics):
    overall = {"mpjpe": mpjpe, "pck": 1 - mpjpe / 1000}
    return {"variant": variant, "seed": seed, "diagnostics": diagnostics,
            "metrics": {"studio": {"overall": overall, "actions": {}}}}  # fmt: skip


RUNS = {
    "full": [record("full", seed, 80.0 + seed, images=100.0) for seed in (2, 0, 1)],
    "base": [record("base", 0, 90.0)],
}


def test_numbers_are_sorted_by_seed_and_empty_without_a_record():
    assert prose.numbers(RUNS, "full", "mpjpe").tolist() == [80, 81, 82]
    assert prose.numbers(RUNS, "full", "images", "diagnostics").tolist() == [100, 100, 100]
    assert len(prose.numbers(RUNS, "kl", "mpjpe")) == 0
    assert len(prose.numbers(RUNS, "full", "mpjpe", "attic")) == 0


def test_actions_that_a_seed_lacks_are_left_out():
    runs = {"full": [record("full", seed) for seed in range(2)]}
    for one, actions in zip(runs["full"], ("ab", "bc"), strict=True):
        one["metrics"]["studio"]["actions"] = {a: {"mpjpe": ord(a)} for a in actions}
    assert {a: v.tolist() for a, v in prose.by_action(runs, "full", "mpjpe").items()} == {"b": [98, 98]}
    assert prose.by_action(runs, "kl", "mpjpe") == {}


@pytest.mark.parametrize(
    "values, text", [([], "not run"), ([1.25], "1.2"), ([1, 2], "1.5 ± 0.7"), ([-3.0], "−3.0")]
)
def test_told(values, text):
    assert prose.told(np.array(values)) == text


def test_a_difference_names_both_sides_and_the_paper():
    said = prose.difference(RUNS, "full", "base", "mpjpe", reported=(40.0, 50.0))
    assert "MPJPE: `full` 81.0 ± 1.0 mm against `base` 90.0" in said
    assert "−9.0 (−10 %; in the paper −10.0, −20 %)" in said
    assert "%" in prose.difference(RUNS, "full", "base", "pck")
    assert prose.difference(RUNS, "full", "kl", "mpjpe") is None


def rank(metric, reported, ours):
    """A table of one column and what `order` says of it."""
    column = Column(metric, "studio", metric)
    rows = [Row(f"L_{i}", "", "", (number,), {"": f"v{i}"}) for i, number in enumerate(reported)]
    cells = [None if value is None else Measured(value, None, (0,), ()) for value in ours]
    lines = tuple(TableRow(r, r.reported, ((c,),)) for r, c in zip(rows, cells, strict=True))
    reported = ReportedTable("T", "T", {}, "", (column,), tuple(rows))
    return prose.order(Table(reported, (Source("here", "", "mannequin", "cpu"),), lines))


def test_order_counts_pairs_and_knows_which_way_is_better():
    (line,) = rank("mpjpe", [3.0, 2.0, 1.0], [30.0, 10.0, 20.0])
    assert "lowest in the row “$L_{1}$” (10.0 mm); 2 of 3 pairs" in line
    (line,) = rank("pck", [3.0, 2.0], [30.0, 10.0])
    assert "highest in the row “$L_{0}$” (30.0 %); 1 of 1" in line
    assert rank("mpjpe", [3.0, 2.0], [30.0, None]) == []


def test_observed_tells_the_checks_that_decided():
    sides = [Expression.parse(side, "mpjpe", "studio") for side in ("full", "base")]
    claim = Claim("x", "", "", ("num",), (Check(sides[0], "higher", sides[1], reported=(2, 1), unit="mm"),))
    runs = {"full": RUNS["full"], "base": [record("base", seed, 90.0) for seed in range(3)]}
    text = prose.observed(decide(claim, lambda variant: runs[variant]))
    assert text.startswith("MPJPE: `full` 81.0 against `base` 90.0 mm, difference −9.0 [−10.0, −8.0]")
    assert text.endswith("reported +1.0")
    assert "no record of full" in prose.observed(decide(claim, lambda variant: []))


def test_small_tables_are_escaped_and_fold():
    html = prose.small_table("A & B. More.", ["a", "<b>"], [["x", 1], ["<y>", "−2"]])
    assert "&lt;b&gt;" in html and "&lt;y&gt;" in html and "<caption>" in html
    assert html.count("<tr>") == 3 and 'aria-label="A &amp; B"' in html
    folded = prose.small_table("A", ["a"], [["x"]], folded=True)
    assert folded.startswith("<details><summary>A</summary>") and "<caption>" not in folded
