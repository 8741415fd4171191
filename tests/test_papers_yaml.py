"""The papers' files: complete, equal to what the papers print, and refused with one clear error."""

import importlib
import re
import shutil

import pytest
import yaml

from lib.reported import PAPERS, PaperError, load_paper

SLUG = "yu2021_scale_lifting"
SOSA = "sosa2023_single_image"
CLAIMS = {  # slug -> prefix of the ids, and how many claims are of which kind
    SLUG: ("yu", {"num": 19, "stat": 21, "qual": 20, "prop": 1, "data": 3, "ext": 14}),
    SOSA: ("sosa", {"num": 15, "stat": 6, "qual": 14, "prop": 1, "data": 1, "ext": 5}),
}


@pytest.fixture(scope="module", params=CLAIMS)
def paper(request):
    return load_paper(request.param)


def test_every_paper_opens():
    files = sorted(PAPERS.glob("*.yml"))
    assert {path.stem for path in files} >= set(CLAIMS)
    for path in files:
        assert load_paper(path.stem).slug == path.stem


def test_all_claims_are_there_once_with_their_kinds(paper):
    prefix, kinds = CLAIMS[paper.slug]
    count = {"yu": 61, "sosa": 37}[prefix]
    assert [claim.id for claim in paper.claims] == [f"{prefix}-{i:02}" for i in range(1, count + 1)]
    found = [kind for claim in paper.claims for kind in claim.kinds]
    assert {kind: found.count(kind) for kind in set(found)} == kinds


def test_variants_are_those_of_the_method(paper):
    module = importlib.import_module(f"lib.papers.{paper.slug}")
    assert set(paper.variants) == set(module.VARIANTS)


def test_the_grid_runs_every_printed_row(paper):
    for table in paper.tables.values():
        for row in table.rows:
            if not row.extra:
                assert {run for run in row.runs.values() if "/" not in run} <= set(paper.grid)


def test_runs_of_other_papers_are_in_their_grids(paper):
    for run in paper.foreign:
        slug, _, variant = run.partition("/")
        assert slug != paper.slug and variant in load_paper(slug).grid


# Typed again from the paper's tables, row by row, dashes as None.
PRINTED = {
    "yu-T1": [
        (45.5, 37.1, 62.9, 47.7), (37.2, 27.2, 46.8, 36.5), (None, None, 42.6, 32.7),
        (None, 88.6, None, 98.4), (None, 79.0, None, 97.4), (None, 38.2, None, 64.6),
        (None, None, 88.8, 66.5), (None, None, 131.7, 98.2), (None, 51.0, None, 68.0),
        (None, None, None, 62.4), (None, None, None, 63.8), (85.3, 42.0, 92.4, 52.3),
    ],
    "yu-T2": [
        (64.7, 31.7), (72.5, 36.9), (84.1, None), (77.6, 43.8), (87.9, 54.0), (86.9, 62.1),
        (69.2, 32.5), (77.1, 40.7), (64.3, 31.6), (71.1, 36.3), (84.6, 60.8), (80.2, 44.8),
        (82.2, 46.6), (86.2, 51.7),
    ],
    "yu-T3": [(None, 58.0), (105.0, 46.0), (101.7, 43.5), (96.0, 42.9), (85.3, 42.0)],
    "yu-T4": [
        (72.3, 39.7), (260.7, 57.8), (233.4, 55.0), (105.0, 46.0), (94.5, 48.5), (97.5, 43.6),
        (85.3, 42.0),
    ],
    "sosa-T1": [
        (52.1,), (68.0,), (64.6,), (52.3,), (36.7,), (114.2,), (72.5,), (128.6,), (98.2,), (53.0,),
        (99.2,), (89.4,), (96.7,),
    ],
    "sosa-T2": [(83.2, 58.7), (79.2, 43.4), (58.7, 24.3), (69.6, 32.8), (75.3, 40.0)],
    "sosa-T3": [(139.3,), (122.1,), (112.3,), (96.7,)],
}  # fmt: skip


def test_reported_numbers(paper):
    for table_id, table in paper.tables.items():
        assert [row.reported for row in table.rows if not row.extra] == PRINTED[table_id], table_id


def test_reported_numbers_of_the_claims_are_in_the_tables(paper):
    """A plain comparison of two runs quotes the numbers that the tables print for these runs."""
    printed = {}
    for table in paper.tables.values():
        columns = [column for column in table.columns if not column.extra]
        for row in table.rows:
            for column, number in zip(columns, row.reported, strict=True):
                if number is not None and column.group in row.runs:
                    key = row.runs[column.group], column.role, column.metric
                    printed.setdefault(key, set()).add(number)
    compared = 0
    for claim in paper.claims:
        for check in claim.checks:
            for side, number in zip((check.left, check.right), check.reported, strict=True):
                if side.is_reference and number is not None:
                    ((_, reference),) = side.references
                    key = reference.variant, reference.role, reference.metric
                    if key in printed:
                        compared += number in printed[key]
                        # Chen et al.'s 58.0 stands in Table 3, in a row without a run
                        other = number == 58.0 or reference.variant.startswith("martinez")
                        assert number in printed[key] or other, (claim.id, reference, number)
    assert compared > {SLUG: 60, SOSA: 25}[paper.slug]


def test_claims_without_checks_say_why(paper):
    for claim in paper.claims:
        assert bool(claim.checks) != bool(claim.needs), claim.id


def test_reported_numbers_agree_with_the_expectation(paper):
    """The paper's own numbers pass every check, but for what a note explains."""
    signs = {"lower": -1, "below": -1, "higher": 1, "above": 1}
    for claim in paper.claims:
        for check in claim.checks:
            if None not in check.reported and check.expect in signs:
                difference = check.reported[0] - check.reported[1]
                assert difference * signs[check.expect] > 0, (claim.id, check.left.text)


# ------------------------------------------------------------------------------- bad files


def _set(path, value):
    def change(content):
        *way, last = path
        for step in way:
            content = content[step]
        content[last] = value

    return change


CHECK = ("claims", 0, "checks", 0)
RUNS = ("tables", "yu-T3", "rows", 1, "runs")
BAD = [
    (_set(("colour",), 1), "top level: unknown key 'colour'"),
    (_set(("paper", "slug"), "other"), "paper.slug"),
    (_set(("paper", "year"), "2021"), "paper: 'year' must be int"),
    (_set(("grid", 0), "bass"), "grid: variant 'bass'"),
    (_set(("grid", 0), "tmc"), "grid: variant 'tmc' is there twice"),
    (_set(("variants", "new"), "A new one."), "variants: 'new'"),
    (_set(("tables", "yu-T3", "columns", 0, "metric"), "mpjp"), "tables.yu-T3.columns[0]"),
    (_set(("tables", "yu-T3", "rows", 1, "reported"), [1.0]), "tables.yu-T3.rows[1]"),
    (_set(("tables", "yu-T3", "rows", 1, "reported"), [1.0, "2"]), "tables.yu-T3.rows[1].reported"),
    (_set(("tables", "yu-T3", "rows", 1, "runs"), "bass"), "tables.yu-T3.rows[1].runs"),
    (_set(RUNS, f"{SOSA}/bass"), f"tables.yu-T3.rows[1].runs: '{SOSA}/bass': variant 'bass'"),
    (_set(RUNS, "nobody/base"), "'nobody/base' names another paper"),
    (_set((*CHECK, "left"), f"{SOSA}.bass.studio.mpjpe"), f"'{SOSA}/bass': variant 'bass'"),
    (_set((*CHECK, "left"), f"{SOSA}.full.diagnostics.flips"), "diagnostic 'flips'"),
    (_set(("tables", "yu-T1", "rows", 0, "runs"), {"GTT": "base"}), "column group 'GTT'"),
    (_set(("tables", "yu-T4", "rows", -1, "runs"), "base"), "no row shows 'flat-lift'"),
    (_set(("claims", 1, "id"), "yu-01"), "claims[1]: the id 'yu-01' is there twice"),
    (_set(("claims", 0, "type"), ["nun"]), "claims[0] (yu-01).type"),
    (_set(("claims", 0, "needs"), "x"), "claims[0] (yu-01): a claim has either"),
    (_set((*CHECK, "lef"), "full"), "claims[0] (yu-01).checks[0]: unknown key 'lef'"),
    (_set((*CHECK, "left"), "full ** 2"), "claims[0] (yu-01).checks[0]: BinOp"),
    (_set((*CHECK, "left"), "bass"), "variant 'bass'"),
    (_set((*CHECK, "left"), "full.attic.mpjpe"), "role 'attic'"),
    (_set((*CHECK, "left"), "full.diagnostics.x"), "diagnostic 'x'"),
    (_set((*CHECK, "left"), 3), "names no run"),
    (_set((*CHECK, "right"), 3), "say 'above' or 'below'"),
    (_set((*CHECK, "expect"), "better"), "expectation 'better'"),
    (_set((*CHECK, "tolerance"), 3), "only 'close' has a tolerance"),
    (_set((*CHECK, "reported"), [1.0]), "expected [left, right]"),
    (_set(("claims",), "none"), "'claims' must be list"),
    (_set(("claims", 0), None), "claims[0] (): expected a mapping"),
]  # fmt: skip


@pytest.mark.parametrize("change, message", BAD, ids=[message for _, message in BAD])
def test_a_bad_file_gives_one_error_with_file_and_place(tmp_path, change, message):
    for other in PAPERS.glob("*.yml"):  # a row may name a run of another paper
        shutil.copy(other, tmp_path)
    path = tmp_path / f"{SLUG}.yml"
    content = yaml.safe_load((PAPERS / f"{SLUG}.yml").read_text())
    # written without aliases: what two tables share must not change together
    content["tables"]["yu-T4"]["columns"] = [dict(c) for c in content["tables"]["yu-T4"]["columns"]]
    change(content)
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    with pytest.raises(PaperError, match=re.escape(message)) as error:
        load_paper(SLUG, tmp_path)
    assert str(error.value).startswith(f"{path}: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [", "line"), ("a: 1\na: 2\n", "the key 'a' is there twice"),
        ("!!python/object/apply:os.system [true]", "could not determine a constructor"),
        ("- 1", "expected a mapping"), ("", "expected a mapping"),
    ],
)  # fmt: skip
def test_what_is_no_paper_at_all(tmp_path, text, message):
    path = tmp_path / "x.yml"
    path.write_text(text)
    with pytest.raises(PaperError, match=message) as error:
        load_paper("x", tmp_path)
    assert str(path) in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(PaperError, match="no such file"):
        load_paper("x", tmp_path)
