"""A paper as data: its tables number by number, its claims and the runs that decide them.

The file is `book/papers/<slug>.yml`:

    paper:          slug, title, authors, venue, year; url, doi, arxiv where known
    roles:          name -> what it is and stands for
    grid:           variants that the book runs;  grid_extra: further ones that claims alone need
    deterministic:  variants that do not depend on the seed
    floors:         variants of the grid that every table with a run shows, what a method must beat to
                    have learned something (mean-pose and flat-lift if not said)
    variants:       name -> one sentence;  diagnostics: name -> one sentence
    tables:         id -> title, headings, note, columns, rows
      headings:     label (of the method), and group and detail where rows have them
      columns:      metric, role, label (as printed), group; action for one that shows an action
                    instead of the mean of all; `extra: true` for one that the paper does not print.
                    With role diagnostics the metric is a diagnostic: `better` says which way is
                    better, lower, higher or neither, and `unit`, where it has one, mm, %, frames or
                    pairs; a share in % is shown times 100
      rows:         label, group, detail; reported: a number or null for each printed column;
                    runs: the variant, or a mapping from column group to variant, where slug/variant
                    is a run of another paper; `ours: true` for the paper's own method,
                    `extra: true` for a row that the paper does not print
    marks:          id -> title, note, columns (texts), rows (label, and marks: true or false for each
                    column), a table that says what each method is given
    claims:         id, where, statement, type, role (studio if not said), note; checks, or
                    `needs`: why there are none
      checks:       left, expect, right, metric, role, unit, reported [left, right] as printed; for
                    `close`: tolerance, a number in the unit of the sides or "5 %" of the right one
                    (else the reported gap)

Anything else in the file is an error that names the place. For the sides of a check see
`lib.expressions`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib.claims import EXPECTATIONS, Check, Claim
from lib.expressions import Expression, ExpressionError
from lib.measures import METRICS, UNITS, Metric
from lib.strict_yaml import PaperError, check_known, check_number, check_texts, read_yaml, take

__all__ = ["PaperError", "Column", "Row", "ReportedTable", "MarksTable", "Paper", "load_paper"]

PAPERS = Path(__file__).resolve().parents[1] / "book" / "papers"
KINDS = ("num", "stat", "qual", "ext", "data", "prop", "nb")
FLOORS = ["mean-pose", "flat-lift"]  # of a paper whose file does not say otherwise


@dataclass(frozen=True)
class Column:
    """One column of a table: a metric at a role, with the label that the paper prints.

    Without `action` it is the mean of all actions. At role "diagnostics" it is a diagnostic, with a
    direction and perhaps a unit of its own.
    """

    metric: str
    role: str
    label: str
    group: str = ""
    extra: bool = False
    action: str = ""
    better: str = ""
    unit: str = ""

    @property
    def measure(self) -> Metric:
        """How the column's numbers are shown."""
        diagnostic = self.role == "diagnostics"
        return Metric(self.label, self.unit, self.better, "") if diagnostic else METRICS[self.metric]


@dataclass(frozen=True)
class Row:
    """One row: `reported` has a number or None for each column that the paper prints."""

    label: str
    group: str
    detail: str
    reported: tuple[float | None, ...]
    runs: Mapping[str, str]  # column group -> variant, or slug/variant of another paper
    ours: bool = False
    extra: bool = False


@dataclass(frozen=True)
class ReportedTable:
    """A table as printed, with the variants that rerun its rows."""

    id: str
    title: str
    headings: Mapping[str, str]
    note: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class MarksTable:
    """A table of marks as printed: label -> whether the method is given what each column names."""

    id: str
    title: str
    note: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[bool, ...]]


@dataclass(frozen=True)
class Paper:
    """Everything that a paper's file says."""

    slug: str
    about: Mapping[str, Any]
    roles: Mapping[str, str]
    grid: tuple[str, ...]
    grid_extra: tuple[str, ...]
    deterministic: tuple[str, ...]
    floors: tuple[str, ...]
    variants: Mapping[str, str]
    diagnostics: Mapping[str, str]
    tables: Mapping[str, ReportedTable]
    marks: Mapping[str, MarksTable]
    claims: tuple[Claim, ...]

    @property
    def foreign(self) -> tuple[str, ...]:
        """The runs of other papers that tables and claims name, as slug/variant."""
        named = [run for t in self.tables.values() for row in t.rows for run in row.runs.values()]
        checks = [check for claim in self.claims for check in claim.checks]
        named += [reference.variant for check in checks for reference in check.references]
        return tuple(dict.fromkeys(name for name in named if "/" in name))

    def claim(self, id: str) -> Claim:
        """The claim of this id; KeyError where there is none."""
        for claim in self.claims:
            if claim.id == id:
                return claim
        raise KeyError(f"{self.slug} has no claim {id!r}")


def load_paper(slug: str, folder: Path | str = PAPERS) -> Paper:
    """Read and check `<folder>/<slug>.yml`; raises PaperError with file and place."""
    content = read_yaml(Path(folder) / f"{slug}.yml")
    try:
        return _paper(content, slug, _Others(Path(folder)))
    except PaperError as error:
        raise PaperError(f"{Path(folder) / slug}.yml: {error}") from None


class _Others(dict):
    """Slug -> content of another paper's file, read when a run of it is named.

    Only the names in it are looked at, so two papers may name runs of each other.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def __missing__(self, slug: str) -> Any:
        self[slug] = read_yaml(self.folder / f"{slug}.yml")
        return self[slug]

    def names(self, run: str, kind: str) -> Mapping:
        """The `kind` (variants, diagnostics) that the file of run slug/variant defines."""
        content = self[run.partition("/")[0]]
        found = content.get(kind) if isinstance(content, Mapping) else None
        return found if isinstance(found, Mapping) else {}


def _known_run(run: Any, variants: Mapping, others: _Others, place: str) -> None:
    """A run is a variant of this paper, or slug/variant of another whose file defines it."""
    if isinstance(run, str) and "/" in run:
        try:
            known = others.names(run, "variants")
        except PaperError as error:
            raise PaperError(f"{place}: {run!r} names another paper; {error}") from None
        check_known([run.partition("/")[2]], known, place, f"{run!r}: variant")
    else:
        check_known([run], variants, place, "variant")


def _paper(content: Any, slug: str, others: _Others) -> Paper:
    about, roles, grid, grid_extra, fixed, floors, variants, diagnostics, tables, marks, claims = take(
        content, "top level",
        paper=(dict, ...), roles=(dict, ...),
        grid=(list, ...), grid_extra=(list, []), deterministic=(list, []), floors=(list, FLOORS),
        variants=(dict, ...), diagnostics=(dict, {}), tables=(dict, ...), marks=(dict, {}),
        claims=(list, ...),
    )  # fmt: skip
    text = (str, ...)
    name, *_ = take(about, "paper", slug=text, title=text, authors=text, venue=text,
                     year=(int, ...), url=(str, ""), doi=(str, ""), arxiv=(str, ""))  # fmt: skip
    if name != slug:
        raise PaperError(f"paper.slug: {name!r} in the file of {slug!r}")
    variants, roles = check_texts(variants, "variants"), check_texts(roles, "roles")
    diagnostics = check_texts(diagnostics, "diagnostics")
    runs = (
        *check_known(grid, variants, "grid", "variant"),
        *check_known(grid_extra, variants, "grid_extra", "variant"),
    )
    if repeated := [name for name in runs if runs.count(name) > 1]:
        raise PaperError(f"grid: variant {repeated[0]!r} is there twice")
    if forgotten := [name for name in variants if name not in runs]:
        raise PaperError(f"variants: {forgotten[0]!r} is neither in grid nor in grid_extra")
    if absent := [name for name in floors if name not in grid]:
        raise PaperError(f"floors: variant {absent[0]!r} is not in grid")
    if not floors or len(set(floors)) < len(floors):
        raise PaperError(f"floors: expected some variants, each once, got {floors!r}")
    paper = Paper(
        slug, about, roles, tuple(grid), tuple(grid_extra),
        check_known(fixed, variants, "deterministic", "variant"), tuple(floors), variants, diagnostics,
        {}, {id: _marks(id, table, f"marks.{id}") for id, table in marks.items()}, (),
    )  # fmt: skip
    tables = {id: _table(id, table, f"tables.{id}", paper, others) for id, table in tables.items()}
    paper = replace(paper, tables=tables)
    read = []
    for i, claim in enumerate(claims):
        label = claim.get("id", "") if isinstance(claim, Mapping) else ""
        read.append(_claim(claim, f"claims[{i}] ({label})", paper, others))
        if label in [earlier.id for earlier in read[:-1]]:
            raise PaperError(f"claims[{i}]: the id {label!r} is there twice")
    return replace(paper, claims=tuple(read))


def _table(id: str, value: Any, place: str, paper: Paper, others: _Others) -> ReportedTable:
    title, headings, note, columns, rows = take(
        value, place,
        title=(str, ...), headings=(dict, ...), note=(str, ""),
        columns=(list, ...), rows=(list, ...),
    )  # fmt: skip
    take(headings, f"{place}.headings", label=(str, ...), group=(str, ""), detail=(str, ""))
    read = []
    for i, column in enumerate(columns):
        where = f"{place}.columns[{i}]"
        metric, role, label, group, extra, action, better, unit = take(
            column, where,
            metric=(str, ...), role=(str, ...), label=(str, ""), group=(str, ""),
            extra=(bool, False), action=(str, ""), better=(str, ""), unit=(str, ""),
        )  # fmt: skip
        if role == "diagnostics":
            check_known([metric], paper.diagnostics, where, "diagnostic")
            check_known([better], ("lower", "higher", "neither"), where, "direction")
            check_known([unit], ("", *UNITS), where, "unit")
            label = label or metric.replace("_", " ")
        else:
            check_known([metric], METRICS, where, "metric")
            check_known([role], paper.roles, where, "role")
            label = label or METRICS[metric].label
        if (better or unit) and role != "diagnostics":
            raise PaperError(f"{where}: only a diagnostic says which way is better, and its unit")
        if action and (role == "diagnostics" or metric.endswith("_frames")):
            raise PaperError(f"{where}: the mean over frames is of all actions, not of {action!r}")
        read.append(Column(metric, role, label, group, extra, action, better, unit))
    table = ReportedTable(
        id, title, headings, note, tuple(read),
        tuple(
            _row(row, f"{place}.rows[{i}]", read, paper.variants, others) for i, row in enumerate(rows)
        ),
    )  # fmt: skip
    shown = {variant for row in table.rows for variant in row.runs.values()}
    if missing := [variant for variant in paper.floors if shown and variant not in shown]:
        raise PaperError(f"{place}.rows: no row shows {missing[0]!r}")
    return table


def _marks(id: str, value: Any, place: str) -> MarksTable:
    title, note, columns, rows = take(
        value, place, title=(str, ...), note=(str, ""), columns=(list, ...), rows=(list, ...)
    )
    if not all(isinstance(column, str) for column in columns):
        raise PaperError(f"{place}.columns: expected texts, got {columns!r}")
    read: dict[str, tuple[bool, ...]] = {}
    for i, row in enumerate(rows):
        label, marks = take(row, f"{place}.rows[{i}]", label=(str, ...), marks=(list, ...))
        if label in read:
            raise PaperError(f"{place}.rows[{i}]: {label!r} is there twice")
        if len(marks) != len(columns) or not all(isinstance(mark, bool) for mark in marks):
            raise PaperError(
                f"{place}.rows[{i}]: expected {len(columns)} times true or false, got {marks!r}"
            )
        read[label] = tuple(marks)
    return MarksTable(id, title, note, tuple(columns), read)


def _row(
    value: Any, place: str, columns: Sequence[Column], variants: Mapping, others: _Others
) -> Row:
    label, group, detail, reported, runs, ours, extra = take(
        value, place,
        label=(str, ...), group=(str, ""), detail=(str, ""),
        reported=(list, None), runs=((str, dict), {}),
        ours=(bool, False), extra=(bool, False),
    )  # fmt: skip
    printed = sum(not column.extra for column in columns)
    if extra == (reported is not None):
        raise PaperError(f"{place}: a row has either 'reported' or 'extra: true'")
    if not extra and len(reported) != printed:
        raise PaperError(f"{place}: {len(reported)} reported numbers for {printed} printed columns")
    reported = [None] * printed if extra else reported
    for number in reported:
        check_number(number, f"{place}.reported")
    groups = {column.group for column in columns}
    runs = dict.fromkeys(groups, runs) if isinstance(runs, str) else runs
    check_known(list(runs), groups, f"{place}.runs", "column group")
    for run in runs.values():
        _known_run(run, variants, others, f"{place}.runs")
    return Row(label, group, detail, tuple(reported), dict(runs), ours, extra)


def _claim(value: Any, place: str, paper: Paper, others: _Others) -> Claim:
    id, where, statement, kinds, role, note, checks, needs = take(
        value, place,
        id=(str, ...), where=(str, ...), statement=(str, ...), type=(list, ...),
        role=(str, "studio"),
        note=(str, ""), checks=(list, []), needs=(str, ""),
    )  # fmt: skip
    check_known(kinds, KINDS, f"{place}.type", "type")
    if bool(checks) == bool(needs):
        raise PaperError(f"{place}: a claim has either 'checks' or 'needs'")
    read = [
        _check(check, f"{place}.checks[{i}]", role, paper, others) for i, check in enumerate(checks)
    ]
    return Claim(id, where, statement, tuple(kinds), tuple(read), needs, note)


def _check(value: Any, place: str, role: str, paper: Paper, others: _Others) -> Check:
    side = ((str, int, float), ...)
    left, expect, right, metric, role, tolerance, reported, unit = take(
        value, place,
        left=side, expect=(str, ...), right=side, metric=(str, None), role=(str, role),
        tolerance=((int, float, str), None), reported=(list, [None, None]), unit=(str, None),
    )  # fmt: skip
    check_known([expect], EXPECTATIONS, f"{place}.expect", "expectation")
    check_known([unit or ""], ("", "mm", "%"), f"{place}.unit", "unit")
    try:
        left, right = Expression.parse(left, metric, role), Expression.parse(right, metric, role)
    except ExpressionError as error:
        raise PaperError(f"{place}: {error}") from None
    for _, reference in (*left.references, *right.references):
        run = reference.variant
        _known_run(run, paper.variants, others, place)
        if reference.action and (reference.role == "diagnostics" or reference.metric.endswith("_frames")):
            raise PaperError(f"{place}: {reference.metric!r} is not known by action")
        if reference.role == "diagnostics":
            known = others.names(run, "diagnostics") if "/" in run else paper.diagnostics
            check_known([reference.metric], known, place, "diagnostic")
        else:
            check_known([reference.role], paper.roles, place, "role")
            check_known([reference.metric], METRICS, place, "metric")
    if left.is_constant:
        raise PaperError(f"{place}.left: names no run")
    if right.is_constant and expect in ("lower", "higher"):
        raise PaperError(f"{place}.expect: for a number on the right say 'above' or 'below'")
    if not right.is_constant and expect in ("above", "below"):
        raise PaperError(f"{place}.expect: for a run on the right say 'higher' or 'lower'")
    if len(reported) != 2:
        raise PaperError(f"{place}.reported: expected [left, right], got {reported!r}")
    for number in reported:
        check_number(number, f"{place}.reported")
    if unit is None:
        known = left.is_reference and (right.is_reference or right.is_constant)
        unit = METRICS[metric].unit if known and metric in METRICS and role != "diagnostics" else ""
    check = Check(
        left, expect, right, *_tolerances(tolerance, expect, place), tuple(reported), unit
    )
    gap = None not in reported and reported[1] != 0
    if expect == "close" and tolerance is None and not gap:
        raise PaperError(f"{place}: 'close' needs a tolerance or a reported gap")
    return check


def _tolerances(value: Any, expect: str, place: str) -> tuple[float | None, float | None]:
    """Absolute and relative tolerance."""
    if value is None:
        return None, None
    if expect != "close":
        raise PaperError(f"{place}.tolerance: only 'close' has a tolerance")
    text = str(value)
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise PaperError(
            f"{place}.tolerance: expected a number or a text like '5 %', got {value!r}"
        )
    return (None, number / 100) if text.endswith("%") else (number, None)
