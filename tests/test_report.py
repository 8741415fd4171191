"""Verdicts from paired seeds, and the tables: properties rather than examples."""

import math
import re
import warnings
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy.stats import ConstantInputWarning, spearmanr

from lib import records
from lib.claims import OUTCOMES, Check, Claim, decide, judge, read_value, summary
from lib.expressions import Expression, ExpressionError
from lib.report import Source, load_paper, table, to_html, verdicts, verdicts_html
from lib.reported import PAPERS

SLUG = "yu2021_scale_lifting"
SOSA = "sosa2023_single_image"
KINEMATIC = "kundu2020_kinematic"
PART_GUIDED = "kundu2020_part_guided"


def record(variant, seed=0, mpjpe=100.0, profile="cpu", paper=SLUG, **diagnostics):
    """A record in which every metric follows from one number."""
    metrics = {
        "mpjpe": mpjpe, "p_mpjpe": mpjpe / 2, "mpjpe_oracle": mpjpe * 0.9,
        "pck": 1 - mpjpe / 1000, "auc": 0.5 - mpjpe / 1000,
        "pck_aligned": 1 - mpjpe / 2000, "auc_aligned": 0.5 - mpjpe / 2000,
    }  # fmt: skip
    actions = {"Sitting": {name: 2 * value for name, value in metrics.items()}}
    roles = ("outdoor",) if variant.startswith("out") else ("studio", "outdoor")
    return {
        "schema": 1, "paper": paper, "variant": variant, "collection": "mannequin",
        "profile": profile, "seed": seed, "configuration": {}, "curves": {},
        "metrics": {r: {"overall": metrics, "actions": actions, "frame_mean": metrics} for r in roles},
        "diagnostics": diagnostics, "provenance": {},
    }  # fmt: skip


def finder(**runs):
    """variant (with underscores) -> one mpjpe a seed."""
    named = {v if "/" in v else v.replace("_", "-"): values for v, values in runs.items()}
    stored = {v: [record(v, s, value) for s, value in enumerate(values)] for v, values in named.items()}
    return lambda variant: stored.get(variant, [])


def check(left="full", expect="lower", right="base", metric="mpjpe", **options):
    role = options.pop("role", "studio")
    sides = (Expression.parse(side, metric, role) for side in (left, right))
    return Check(next(sides), expect, next(sides), **options)


# ------------------------------------------------------------------------------- expressions


@pytest.mark.parametrize(
    "text, expected",
    [
        ("full", 30.0), ("full.mpjpe", 30.0), ("other2030_paper.full.studio.p_mpjpe", 5.0),
        ("full.p_mpjpe", 15.0), ("full.outdoor.p_mpjpe", 15.0),
        ("-full + 2 * base", 10.0), ("(base - full) / base", -0.5), ("abs(base - full)", 10.0),
        ("min(base, full, 25)", 20.0), ("max(base, full)", 30.0), ("log(base / base)", 0.0),
        ("spread(full)", 0.0), ("0.5", 0.5), ("full[Sitting]", 60.0), ("full.p_mpjpe[Sitting]", 30.0),
        ("full[Sitting] - full", 30.0), ("other2030_paper.full.studio.p_mpjpe[Sitting]", 10.0),
    ],
)  # fmt: skip
def test_expressions_compute(text, expected):
    side = Expression.parse(text, "mpjpe", "studio")
    find = finder(**{"full": [30.0], "base": [20.0], "other2030_paper/full": [10.0]})
    values = {
        r: np.array([read_value(find(r.variant)[0], r.role, r.metric, r.action)])
        for _, r in side.references
    }
    assert float(side.evaluate(values).item()) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')", "open('x')", "full[0]", "full ** 2", "full if base else 1",
        "lambda: 1", "full < base", "'full'", "True", "full.a.b.c.d", "full().x", "min(full)",
        "abs(full, base)", "spread()", "full; base", "", "full +", "[full]", "f'{full}'", "min(*full)",
        "abs(x=full)", "(full).mpjpe()", "full[Sitting].mpjpe", "full[Sitting][Eating]", "full[Sitting:]",
        "full['Sitting']", "full()[Sitting]", "1j", "full // base", "~full", "(base := full)",
        "rank_correlation(full, base)", "rank_correlation(a, b, c, d, e, f, g)",
    ],
)  # fmt: skip
def test_expressions_refuse_everything_else(text):
    with pytest.raises(ExpressionError):
        Expression.parse(text, "mpjpe", "studio")


def test_rank_correlation_is_that_of_scipy_within_each_seed():
    names = [f"v{i}" for i in range(8)]
    text = f"rank_correlation({', '.join(names[:4])}, {', '.join('-' + name for name in names[4:])})"
    side = Expression.parse(text, "mpjpe", "studio")
    values = np.random.default_rng(0).integers(0, 4, (8, 50, 3)).astype(float)  # many equal ones
    values[1, 0, 0] = np.nan
    values[:4, 1, 1] = 2  # the same in every run
    found = side.evaluate({r: values[i] for i, (_, r) in enumerate(side.references)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)
        expected = [[spearmanr(values[:4, i, j], -values[4:, i, j])[0] for j in range(3)] for i in range(50)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.isnan(found[0, 0]) and np.isnan(found[1, 1])


def test_a_rank_correlation_decides_a_check():
    right = ["a", "b", "c"]
    find = finder(**{name: [k, k + 0.5, 2.0 * k] for k, name in enumerate(right)})
    one = check("rank_correlation(a, b, c, a, b, c)", "above", 0)
    assert judge(one, find).outcome == "reproduced" and judge(one, find).left == 1
    assert judge(check("rank_correlation(a, b, c, c, b, a)", "above", 0), find).outcome == "not reproduced"
    # without an order there is no correlation
    assert judge(check("rank_correlation(a, a, a, a, b, c)", "above", 0), find).outcome == "undecided"


@pytest.mark.parametrize(
    "text, variant",
    [("full_detected", "full-detected"), ("a_b.full_detected.studio.pck", "a_b/full-detected")],
)
def test_hyphens_of_a_variant_are_underscores(text, variant):
    ((_, reference),) = Expression.parse(text, "mpjpe", "studio").references
    assert reference.variant == variant


# ------------------------------------------------------------------------------- verdicts

FLIPPED = {"reproduced": "not reproduced", "not reproduced": "reproduced",
           "undecided": "undecided", "not run": "not run"}  # fmt: skip


@pytest.mark.parametrize("expect", ["lower", "higher"])
@pytest.mark.parametrize("seed", range(12))
def test_swapping_the_sides_flips_the_outcome(expect, seed):
    rng = np.random.default_rng(seed)
    find = finder(full=rng.normal(90, 4, 4), base=rng.normal(93, 4, 4))
    one = judge(check(expect=expect), find)
    other = judge(check(expect=expect).swapped(), find)
    assert other.outcome == FLIPPED[one.outcome]
    assert other.difference == pytest.approx(-one.difference)


def test_a_lower_left_side_is_never_worse_for_lower():
    rng = np.random.default_rng(1)
    base, full = rng.normal(90, 3, 5), rng.normal(90, 3, 5)
    order = ["not reproduced", "undecided", "reproduced"]
    ranks = [
        order.index(judge(check(), finder(full=full - shift, base=base)).outcome)
        for shift in np.linspace(-12, 12, 25)
    ]
    assert ranks == sorted(ranks) and ranks[0] == 0 and ranks[-1] == 2


def test_outcomes_are_deterministic():
    rng = np.random.default_rng(2)
    find = finder(full=rng.normal(90, 3, 5), base=rng.normal(90, 3, 5))
    assert judge(check(), find).interval == judge(check(), find).interval


def test_pairing_removes_what_the_seeds_share():
    shared = np.array([0.0, 30.0, -20.0])
    find = finder(full=90 + shared, base=91 + shared)
    assert judge(check(), find).outcome == "reproduced"


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_seeds_are_undecided(count):
    result = judge(check(), finder(full=[10.0] * count, base=[90.0] * count))
    assert result.outcome == "undecided" and "paired seeds" in result.reason
    assert result.difference == pytest.approx(-80)  # still told


def test_three_seeds_must_agree():
    assert judge(check(), finder(full=[89, 88, 80], base=[90, 90, 90])).outcome == "reproduced"
    assert judge(check(), finder(full=[91, 50, 50], base=[90, 90, 90])).outcome == "undecided"
    assert judge(check(), finder(full=[90, 90, 90], base=[90, 90, 90])).outcome == "undecided"


def test_only_shared_seeds_count():
    runs = {"full": [record("full", s, 80.0) for s in (0, 1, 5)],
            "base": [record("base", s, 90.0) for s in (1, 2, 5)]}  # fmt: skip
    result = judge(check(), lambda variant: runs[variant])
    assert result.seeds == (1, 5) and result.outcome == "undecided"
    runs["base"] = [record("base", 7, 90.0)]
    assert judge(check(), lambda variant: runs[variant]).outcome == "not run"


def test_a_deterministic_run_serves_every_seed():
    find = finder(full=[80.0, 81.0, 82.0], mean_pose=[120.0])
    other = check(right="mean_pose")
    assert judge(other, find, deterministic=["mean-pose"]).outcome == "reproduced"
    assert judge(other, find).outcome == "undecided"


def test_values_without_any_seed_decide_by_themselves():
    runs = {"flat-lift": [record("flat-lift", sref_modes=1.0)]}
    one = check("flat_lift", "close", "1", "sref_modes", role="diagnostics", tolerance=0.5)
    assert judge(one, lambda v: runs[v], ["flat-lift"]).outcome == "reproduced"
    two = check("flat_lift", "above", "2", "sref_modes", role="diagnostics")
    assert judge(two, lambda v: runs[v], ["flat-lift"]).outcome == "not reproduced"


@pytest.mark.parametrize(
    "left, outcome",
    [([101, 102, 103], "reproduced"), ([101, 102, 120], "undecided"), ([120, 121, 80], "undecided"),
     ([120, 121, 122], "not reproduced"), ([80, 81, 82], "not reproduced")],
)  # fmt: skip
@pytest.mark.parametrize(
    "tolerance",
    [{"tolerance": 5.0}, {"relative_tolerance": 0.05}, {"reported": (42.0, 40.0)}],
)
def test_close(left, outcome, tolerance):
    find = finder(full=left, base=[100.0] * 3)
    assert judge(check(expect="close", **tolerance), find).outcome == outcome


def test_share_of_the_reported_effect():
    find = finder(full=[90.0] * 3, base=[100.0] * 3)
    result = judge(check(reported=(40.0, 50.0)), find)
    assert result.effect == pytest.approx(-0.1)
    assert result.reported_difference == pytest.approx(-10)
    assert result.share == pytest.approx(0.5)
    assert judge(check(), find).share is None
    assert judge(check(expect="above", right="0", reported=(1.0, 0.0)), find).share is None


def test_spread_is_over_the_seeds_and_needs_more_than_one():
    steady, shaky = [90.0, 90.1, 89.9, 90.0, 90.05], [90.0, 99.0, 81.0, 95.0, 86.0]
    result = judge(check("spread(full)", "lower", "spread(base)"), finder(full=steady, base=shaky))
    assert result.outcome == "reproduced"
    assert result.right == pytest.approx(np.std(shaky, ddof=1))
    assert result.interval[1] < 0  # a resample of one seed alone would have put zero in it


def test_a_missing_run_metric_or_number():
    assert judge(check(), finder(full=[1.0] * 3)).outcome == "not run"
    other = check(metric="scale_mean", role="diagnostics")
    assert "scale_mean" in judge(other, finder(full=[1.0] * 3, base=[1.0] * 3)).reason
    result = judge(check(), finder(full=[math.nan, 1, 1], base=[2.0] * 3))
    assert result.outcome == "undecided" and result.difference is None


def test_the_claim_follows_from_its_checks():
    find = finder(full=[80.0] * 3, base=[90.0] * 3, tmc=[80.0] * 3)
    good, bad, even, gone = (
        check(), check(expect="higher"), check(right="tmc"), check(right="kl")
    )  # fmt: skip

    def outcome(*checks):
        return decide(Claim("a", "b", "c", ("num",), checks), find).outcome

    assert outcome(good, good) == "reproduced"
    assert outcome(good, even) == "undecided"
    assert outcome(good, gone, even) == "not run"
    assert outcome(good, gone, bad) == "not reproduced"
    verdict = decide(Claim("a", "b", "c", ("ext",), needs="another method"), find)
    assert verdict.outcome == "not run" and "another method" in verdict.reason
    assert summary([verdict]) == dict.fromkeys(OUTCOMES, 0) | {"not run": 1}


def test_smoke_records_never_decide():
    runs = {v: [record(v, s, profile="smoke") for s in range(3)] for v in ("full", "base")}
    with pytest.raises(ValueError, match="smoke"):
        judge(check(), lambda variant: runs[variant])


# ------------------------------------------------------------------------------- tables


@pytest.fixture(scope="module")
def paper():
    return load_paper(SLUG)


def fill(root, variants, profile="cpu", seeds=range(3), paper=SLUG):
    for i, variant in enumerate(variants):
        for seed in seeds:
            one = record(variant, seed, 80.0 + i + 0.1 * seed, profile, paper)
            path = records.record_path(root, paper, "mannequin", variant, profile, seed)
            records.write(path, one)


@pytest.fixture
def source(tmp_path, paper):
    fill(tmp_path, paper.grid)
    return Source("this machine", tmp_path, "mannequin", "cpu")


def test_table_holds_means_deviations_seeds_and_records(paper, source):
    made = table(paper, "yu-T3", [source])
    full = next(line for line in made.rows if line.row.ours)
    assert full.reported == (85.3, 42.0)
    cell = full.measured[0][0]
    values = [80.0 + paper.grid.index("full") + 0.1 * seed for seed in range(3)]
    assert cell.mean == pytest.approx(np.mean(values))
    assert cell.std == pytest.approx(np.std(values, ddof=1))
    assert cell.seeds == (0, 1, 2)
    assert [r["variant"] for r in cell.records] == ["full"] * 3


def test_fractions_are_shown_as_percent(paper, source):
    made = table(paper, "yu-T2", [source])
    cells = [line.measured[0][0] for line in made.rows if line.row.runs.get("") == "full"]
    assert cells[0].mean > 50


def test_every_table_shows_the_floor_even_without_records(paper, tmp_path):
    for table_id in paper.tables:
        made = table(paper, table_id, [Source("here", tmp_path, "mannequin", "cpu")])
        labels = [line.row.label for line in made.rows]
        assert "Mean pose" in labels and "Flat lift" in labels
        assert "All losses, weights and forms as printed" not in labels  # no run, not printed


def test_smoke_is_ignored(paper, tmp_path):
    fill(tmp_path, ["full", "base"], profile="smoke")
    smoke = Source("this machine", tmp_path, "mannequin", "smoke")
    made = table(paper, "yu-T3", [smoke])
    assert all(cell is None for line in made.rows for cell in line.measured[0])
    assert "smoke" in to_html(made)
    assert {v.outcome for v in verdicts(paper, smoke)} == {"not run"}


class Reader(HTMLParser):
    """Checks nesting; collects tags with attributes, and the text."""

    VOID = ("br",)

    def __init__(self, html):
        super().__init__()
        self.stack, self.tags, self.text = [], [], ""
        self.feed(html)
        assert not self.stack, self.stack

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in self.VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        self.text += data


@pytest.mark.parametrize("table_id", ["yu-T1", "yu-T2", "yu-T3", "yu-T4"])
def test_table_html(paper, source, table_id):
    made = table(paper, table_id, [source, source])
    html = to_html(made, link=lambda r: f"records/{r['variant']}-{r['seed']}.json")
    page = Reader(html)
    assert all("scope" in attributes for tag, attributes in page.tags if tag == "th")
    assert any(attributes.get("href") == "records/full-1.json" for _, attributes in page.tags)
    for words in ("generated people", "Scale given", "3 seeds", "profile cpu", "role"):
        assert words in page.text
    assert not re.search(r"#[0-9a-f]{3,6}\b|black|white|style=", html)
    # the same number of cells in every row, spans counted
    widths, carried = set(), 0
    for line in re.findall(r"<tr class=.*?</tr>", html):
        cells = len(re.findall(r"<t[hd]", line))
        if span := re.search(r'rowgroup" rowspan="(\d+)"', line):
            carried = int(span[1]) - 1
        elif carried:
            cells, carried = cells + 1, carried - 1
        widths.add(cells)
    stubs = len(made.reported.headings)
    assert widths == {stubs + len(made.printed) + 2 * len(made.columns)}


# ------------------------------------------------------------------------------- single actions


def test_columns_of_single_actions(tmp_path):
    fill(tmp_path, ["unsup"], paper=KINEMATIC)
    here, paper = Source("here", tmp_path, "mannequin", "cpu"), load_paper(KINEMATIC)
    whole, means, actions = (table(paper, "kks-T2", [here], by_action) for by_action in (None, False, True))
    assert [len(made.printed) for made in (whole, means, actions)] == [16, 1, 15]
    assert [column.label for column in means.printed] == ["Avg."] and len(means.columns) == 3
    for made in (whole, means, actions):
        assert len(made.rows[0].reported) == len(made.printed)
        Reader(to_html(made))
    line = next(line for line in actions.rows if line.row.runs.get("") == "unsup")
    assert line.reported[8] == 101.2
    shown = {column.action: cell for column, cell in zip(actions.columns, line.measured[0], strict=True)}
    mean = next(line for line in means.rows if line.row.runs.get("") == "unsup").measured[0][0].mean
    assert shown["Sitting"].mean == pytest.approx(2 * mean)
    assert shown["Eating"] is None  # an action that the record lacks
    assert "averaged over actions" in to_html(means) and "averaged over actions" not in to_html(actions)


def test_a_column_of_a_diagnostic(tmp_path):
    for seed, value in enumerate((0.70, 0.80, 0.90)):
        path = records.record_path(tmp_path, PART_GUIDED, "mannequin", "weak", "cpu", seed)
        records.write(path, record("weak", seed, paper=PART_GUIDED, sport_f1_figure=value))
    here, paper = Source("here", tmp_path, "mannequin", "cpu"), load_paper(PART_GUIDED)
    made = table(paper, "kpg-T5", [here])
    line = next(line for line in made.rows if line.row.runs.get("") == "weak")
    assert line.measured[0][0].mean == pytest.approx(0.8) and line.measured[0][1] is None
    page = Reader(to_html(made))
    assert "0.84" in page.text and "0.80 ± 0.10" in page.text  # reported and ours, as they are
    assert "role sport," in page.text and "diagnostics" not in page.text
    assert ("abbr", {"title": "higher is better"}) in page.tags
    assert "Scale given to our predictions: P-MPJPE: similarity" in page.text  # F1 has none


def test_a_check_of_an_action_that_the_run_lacks_is_not_run():
    find = finder(full=[80.0] * 3, base=[90.0] * 3)
    assert judge(check("full[Sitting]", "higher", "base[Sitting]"), find).outcome == "not reproduced"
    lacking = judge(check("full[Eating]", "lower", "base[Eating]"), find)
    assert lacking.outcome == "not run" and "mpjpe of action Eating" in lacking.reason


def test_the_caption_tells_where_networks_start(paper, tmp_path):
    fill(tmp_path, ["full", "mean-pose"])
    here = Source("here", tmp_path, "mannequin", "cpu")
    assert "initialisation" not in to_html(table(paper, "yu-T3", [here]))
    for seed, start in enumerate(("from scratch", "ImageNet")):
        path = records.record_path(tmp_path, SLUG, "mannequin", "full", "cpu", seed)
        records.write(path, record("full", seed) | {"provenance": {"initialisation": start}})
    assert "initialisation ImageNet or from scratch" in to_html(table(paper, "yu-T3", [here]))


def test_verdicts_html(paper, source):
    found = verdicts(paper, source)
    assert [v.claim.id for v in found] == [c.id for c in paper.claims]
    page = Reader(verdicts_html(found, found, link=lambda r: None))
    assert page.text.count("The paper says") == 1
    assert sum(tag == "tr" for tag, _ in page.tags) == 62
    assert not any(tag == "a" for tag, _ in page.tags)
    assert len(verdicts_html(found)) > 1000


def test_html_is_escaped(paper, source):
    html = to_html(table(paper, "yu-T3", [source]), link=lambda r: '"><script>')
    assert "<script>" not in html


def test_losses_are_set_with_an_index(paper, tmp_path):
    html = to_html(table(paper, "yu-T3", [Source("here", tmp_path, "mocap", "cpu")]))
    assert "<i>L</i><sub>tmc</sub>" in html and "L_tmc" not in html


# ------------------------------------------------------------------------------- other chapters


@pytest.fixture
def mixed(tmp_path):
    """Records of one chapter at profile gpu, and of the other, partly, at cpu."""
    fill(tmp_path, ["full-long", "full", "mean-pose", "flat-lift"], "gpu", paper=SOSA)
    fill(tmp_path, ["full-detected", "martinez"], "cpu")
    fill(tmp_path, ["martinez", "chen-detected"], "smoke")
    return Source("reference", tmp_path, "mannequin", "gpu")


def test_a_row_shows_another_papers_run(mixed):
    made = table(load_paper(SOSA), "sosa-T1", [mixed])
    lines = {line.row.label: line for line in made.rows}
    cell = lines["Martinez et al. 2017"].measured[0][0]
    assert [r["paper"] for r in cell.records] == [SLUG] * 3
    assert lines["Chen et al. 2019"].measured[0][0] is None  # smoke alone: not run
    assert not any("detected" in label for label in lines)  # not printed, and there is no run
    page = Reader(to_html(made, link=lambda r: r["path"]))
    assert f"another chapter's runs are {SLUG} at profile cpu" in page.text
    assert "(another chapter's run)" in page.text
    assert page.text.count("3 seeds") == 1
    addresses = [attributes["href"] for tag, attributes in page.tags if tag == "a"]
    assert any(f"/{SLUG}/mannequin/martinez-cpu-seed2.json" in address for address in addresses)


def test_the_sources_own_profile_comes_first(tmp_path):
    for profile in ("cpu", "gpu"):
        fill(tmp_path, ["elepose"], profile, paper=SOSA)
    for profile in ("cpu", "gpu", "paper"):
        found = Source("here", tmp_path, "mannequin", profile).records(load_paper(SLUG))
        run = found[f"{SOSA}/elepose"]
        assert {r["profile"] for r in run} == {"gpu" if profile == "paper" else profile}


def test_a_row_of_another_paper_without_a_record_is_left_out_or_not_run(paper, source):
    labels = [line.row.label for line in table(paper, "yu-T1", [source]).rows]
    assert not any("ElePose" in label for label in labels)
    fill(source.root, ["elepose"], paper=SOSA)
    rows = {line.row.label: line for line in table(paper, "yu-T1", [source]).rows}
    cells = rows["ElePose (Wandt et al. 2022)"].measured[0]
    assert [bool(cell) for cell in cells] == [True, True, False, False, True, False]


def test_a_claim_compares_with_another_papers_run(mixed):
    found = {v.claim.id: v for v in verdicts(load_paper(SOSA), mixed)}
    first, second, *_ = found["sosa-07"].results
    assert (first.outcome, second.outcome) == ("not reproduced", "not run")
    assert {r["paper"] for r in first.records} == {SLUG, SOSA}
    text = Reader(verdicts_html([found["sosa-07"]])).text
    assert f"{SLUG}/martinez" in text and f"{SOSA}/full-long" in text


RUN_OF_KUNDU = [
    (KINEMATIC, SOSA, "full-long", "sosa-T1", "unsup", "sosa-02"),
    (KINEMATIC, SOSA, "both", "sosa-T2", "unsup-out", "sosa-18"),
    (KINEMATIC, SLUG, "full-detected", "yu-T1", "weak", "yu-04"),
    (KINEMATIC, SLUG, "full", "yu-T2", "weak-out", "yu-18"),
    (PART_GUIDED, SOSA, "full-long", "sosa-T1", "unsup", "sosa-01"),
    (PART_GUIDED, SOSA, "both", "sosa-T2", "weak-out-u", "sosa-19"),
    (PART_GUIDED, SLUG, "full-detected", "yu-T1", "weak", "yu-03"),
    (PART_GUIDED, SLUG, "full", "yu-T2", "weak-out", "yu-19"),
]


@pytest.mark.parametrize("other, slug, ours, table_id, theirs, claim", RUN_OF_KUNDU)
def test_a_run_of_kundu_is_waited_for_and_then_compared_with(
    other, slug, ours, table_id, theirs, claim, tmp_path
):
    fill(tmp_path, [ours, "out", "mean-pose", "flat-lift"], paper=slug)
    here, paper = Source("here", tmp_path, "mannequin", "cpu"), load_paper(slug)

    def row():
        lines = table(paper, table_id, [here]).rows
        return next(line for line in lines if f"{other}/{theirs}" in line.row.runs.values())

    def verdict():
        return next(v for v in verdicts(paper, here) if v.claim.id == claim)

    assert not any(row().measured[0]) and verdict().outcome == "not run"
    assert f"no record of {other}/{theirs}" in verdict().reason
    Reader(to_html(table(paper, table_id, [here])) + verdicts_html(verdicts(paper, here)))
    fill(tmp_path, [theirs], paper=other)
    assert any(row().measured[0]) and verdict().outcome != "not run"
    assert {r["paper"] for r in verdict().results[0].records} == {slug, other}
    page = Reader(to_html(table(paper, table_id, [here])) + verdicts_html(verdicts(paper, here)))
    assert f"{other} at profile cpu" in page.text


def test_actions_that_another_papers_run_lacks_leave_the_claim_open(tmp_path):
    fill(tmp_path, ["full-long"], paper=SOSA)
    fill(tmp_path, ["unsup"], paper=KINEMATIC)  # of Sitting alone, the same error
    here = Source("here", tmp_path, "mannequin", "cpu")
    found = {v.claim.id: v for v in verdicts(load_paper(SOSA), here)}["sosa-09"]
    outcomes = [result.outcome for result in found.results]
    assert (found.outcome, outcomes.count("not run"), outcomes.count("reproduced")) == ("not run", 14, 1)


@pytest.mark.parametrize("slug", sorted(path.stem for path in PAPERS.glob("*.yml")))
def test_every_table_of_every_paper_has_its_floors(slug, tmp_path):
    paper = load_paper(slug)
    for table_id, reported in paper.tables.items():
        made = table(paper, table_id, [Source("here", tmp_path, "mannequin", "cpu")])
        shown = {run for line in made.rows for run in line.row.runs.values()}
        if any(row.runs for row in reported.rows):
            assert set(paper.floors) <= shown, table_id
        page = Reader(to_html(made))
        scaled = any(column.measure.scale for column in made.columns)
        assert ("Scale given to our predictions" in page.text) == scaled


FLAT = """
paper: {slug: flat2030_template, title: t, authors: a, venue: v, year: 2030}
roles: {studio: video}
grid: [full, template]
grid_extra: [long]
deterministic: [template]
floors: [template]
variants: {full: All., template: As it is., long: For longer.}
diagnostics: {swaps: Share of exchanged frames., frames: Number of test frames.}
tables:
  T:
    title: Keypoints
    headings: {label: Method}
    columns:
      - {metric: pdj, role: studio}
      - {metric: l2, role: studio, extra: true}
      - {metric: swaps, role: diagnostics, better: lower, extra: true}
    rows:
      - {label: Full, reported: [60.0], runs: full}
      - {label: Longer, extra: true, runs: long}
      - {label: Template, extra: true, runs: template}
  D:
    title: Diagnostics
    headings: {label: Method}
    columns: [{metric: swaps, role: diagnostics, better: lower}]
    rows:
      - {label: Full, reported: [0.5], runs: full}
      - {label: Template, extra: true, runs: template}
  N:
    title: Counts and shares, ours alone
    headings: {label: Method}
    columns:
      - {metric: frames, role: diagnostics, better: neither, unit: frames, extra: true}
      - {metric: swaps, role: diagnostics, better: lower, unit: "%", extra: true}
    rows:
      - {label: Full, extra: true, runs: full}
      - {label: Template, extra: true, runs: template}
claims:
  - id: flat-01
    where: T
    statement: Training helps.
    type: [num]
    checks: [{left: full, expect: higher, right: template, metric: pdj, reported: [60.0, 10.0]}]
"""


@pytest.fixture
def flat(tmp_path):
    """A paper of 2D keypoints, and a source with three seeds of its method and one of its template."""
    (tmp_path / "flat2030_template.yml").write_text(FLAT)
    paper = load_paper("flat2030_template", tmp_path)
    for variant, value, seeds in (("full", 0.5, 3), ("template", 0.1, 1)):
        for seed in range(seeds):
            one = record(variant, seed, paper=paper.slug, swaps=0.25, frames=80178)
            scores = {"pdj": value, "l2": value / 10}
            one["metrics"] = {"studio": {"overall": scores, "frame_mean": scores, "actions": {}}}
            path = records.record_path(tmp_path, paper.slug, "mannequin", variant, "cpu", seed)
            records.write(path, one)
    return paper, Source("here", tmp_path, "mannequin", "cpu")


def test_a_table_of_2d_keypoints(flat):
    paper, here = flat
    made = table(paper, "T", [here])
    assert [line.row.label for line in made.rows] == ["Full", "Template"]  # without runs, no Longer
    assert [cell.mean for cell in made.rows[0].measured[0]] == pytest.approx([50.0, 5.0, 0.25])
    assert [column.measure.better for column in made.columns] == ["higher", "lower", "lower"]
    page = Reader(to_html(made))
    assert "PDJ@0.05 % ↑" in page.text and "normalised L2 % ↓" in page.text
    assert "Scale given" not in page.text
    assert "role studio, profile cpu, 3 seeds." in page.text
    assert "over seeds, averaged over actions;" in page.text


def test_floors_of_the_paper_stay_without_records(flat, tmp_path):
    paper, _ = flat
    made = table(paper, "T", [Source("nowhere", tmp_path / "none", "mannequin", "cpu")])
    assert [line.row.label for line in made.rows] == ["Full", "Template"]


def test_a_caption_of_diagnostics_alone_names_no_role(flat):
    paper, here = flat
    page = Reader(to_html(table(paper, "D", [here])))
    assert "here: mannequin (generated people and motion), profile cpu, 3 seeds." in page.text
    assert "role" not in page.text and "averaged over actions" not in page.text


def test_diagnostics_may_have_a_unit(flat):
    paper, here = flat
    page = Reader(to_html(table(paper, "N", [here])))
    assert "80,178 ± 0" in page.text and "25.0 ± 0.0" in page.text
    assert "frames frames " in page.text and "swaps % ↓" in page.text and "↑" not in page.text


def test_a_table_that_the_paper_does_not_print(flat):
    paper, here = flat
    page = Reader(to_html(table(paper, "N", [here])))
    assert "Reported" not in page.text and "The paper prints no such table." in page.text
    assert all(int(attributes.get("colspan", 1)) > 0 for _, attributes in page.tags)


def test_a_claim_about_2d_keypoints(flat):
    paper, here = flat
    (verdict,) = verdicts(paper, here)
    assert verdict.outcome == "reproduced"
    (result,) = verdict.results
    assert (result.left, result.right, result.check.unit) == (pytest.approx(50), pytest.approx(10), "%")
    page = Reader(verdicts_html([verdict]))
    assert "(PDJ@0.05): reproduced" in page.text and "observed 50.0 against 10.0 %" in page.text


def test_a_metric_of_frames_is_read_from_the_frame_mean():
    scores = {"overall": {"p_mpjpe": 100.0}, "frame_mean": {"p_mpjpe": 90.0}}
    record = {"metrics": {"studio": scores}, "diagnostics": {"p_mpjpe_frames": 1.0}}
    assert read_value(record, "studio", "p_mpjpe") == 100.0
    assert read_value(record, "studio", "p_mpjpe_frames") == 90.0
    assert read_value(record, "diagnostics", "p_mpjpe_frames") == 1.0
    assert read_value(record, "outdoor", "p_mpjpe_frames") is None
