"""A paper as data: its tables number by number, its claims and the runs that decide them.

The file is `book/papers/<slug>.yml`:

    paper:          slug, title, authors, venue, year; url, doi, arxiv where known
    roles:          name -> what it is and stands for
    grid:           variants that the book runs;  grid_extra: further ones that claims alone need
    deterministic:  variants that do not depend on the seed
    variants:       name -> one sentence;  diagnostics: name -> one sentence
    tables:         id -> title, headings, note, columns, rows
      headings:     label (of the method), and group and detail where rows have them
      columns:      metric, role, label (as printed), group; action for one that shows an action
                    instead of the mean of all; `extra: true` for one that the paper does not print.
                    With role diagnostics the metric is a diagnostic, and `better` says which way
                    is better: lower or higher
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from lib.claims import EXPECTATIONS, Check, Claim
from lib.expressions import Expression, ExpressionError

__all__ = [
    "PaperError",
    "Metric",
    "METRICS",
    "Column",
    "Row",
    "ReportedTable",
    "MarksTable",
    "Paper",
    "load_paper",
]

PAPERS = Path(__file__).resolve().parents[1] / "book" / "papers"
KINDS = ("num", "stat", "qual", "ext", "data", "prop", "nb")
FLOOR = ("mean-pose", "flat-lift")  # every table shows these two


class PaperError(ValueError):
    """A paper's file is wrong; the message names the file and the place in it."""


@dataclass(frozen=True)
class Metric:
    """How a metric is shown, which way is better, and what scale it gives to the prediction."""

    label: str
    unit: str
    better: str
    scale: str

    @property
    def factor(self) -> float:
        return 100.0 if self.unit == "%" else 1.0


TRAIN, ORACLE, SIMILARITY = (
    "one constant, from the training set",
    "the true head-to-root length of each frame",
    "similarity alignment of each frame",
)
METRICS = {
    "mpjpe": Metric("MPJPE", "mm", "lower", TRAIN),
    "n_mpjpe": Metric("N-MPJPE", "mm", "lower", "the best scale of each frame"),
    "p_mpjpe": Metric("P-MPJPE", "mm", "lower", SIMILARITY),
    "p_mpjpe_frames": Metric("P-MPJPE (frame mean)", "mm", "lower", SIMILARITY),
    "p_mpjpe_mirrored": Metric("P-MPJPE (mirrored)", "mm", "lower", SIMILARITY),
    "mpjpe_oracle": Metric("MPJPE (oracle)", "mm", "lower", ORACLE),
    "pck": Metric("PCK", "%", "higher", TRAIN),
    "pck_frames": Metric("PCK (frame mean)", "%", "higher", TRAIN),
    "auc": Metric("AUC", "%", "higher", TRAIN),
    "pck_aligned": Metric("PCK (aligned)", "%", "higher", SIMILARITY),
    "auc_aligned": Metric("AUC (aligned)", "%", "higher", SIMILARITY),
}


@dataclass(frozen=True)
class Column:
    """One column of a table: a metric at a role, with the label that the paper prints.

    Without `action` it is the mean of all actions. At role "diagnostics" it is a diagnostic, of
    which `better` says the direction.
    """

    metric: str
    role: str
    label: str
    group: str = ""
    extra: bool = False
    action: str = ""
    better: str = ""

    @property
    def measure(self) -> Metric:
        """How the column's numbers are shown; those of a diagnostic as they are."""
        diagnostic = self.role == "diagnostics"
        return Metric(self.label, "", self.better, "") if diagnostic else METRICS[self.metric]


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
    content = _read(Path(folder) / f"{slug}.yml")
    try:
        return _paper(content, slug, _Others(Path(folder)))
    except PaperError as error:
        raise PaperError(f"{Path(folder) / slug}.yml: {error}") from None


def _read(path: Path) -> Any:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise PaperError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PaperError(f"{path}: {' '.join(str(error).split())}") from None


class _Others(dict):
    """Slug -> content of another paper's file, read when a run of it is named.

    Only the names in it are looked at, so two papers may name runs of each other.
    """

    def __init__(self, folder: Path):
        super().__init__()
        self.folder = folder

    def __missing__(self, slug: str) -> Any:
        self[slug] = _read(self.folder / f"{slug}.yml")
        return self[slug]

    def names(self, run: str, kind: str) -> Mapping:
        """The `kind` (variants, diagnostics) that the file of run slug/variant defines."""
        content = self[run.partition("/")[0]]
        found = content.get(kind) if isinstance(content, Mapping) else None
        return found if isinstance(found, Mapping) else {}


class _UniqueKeys(yaml.SafeLoader):
    """The safe loader, which by itself lets a later key silently replace an earlier one."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for i, (key, _) in enumerate(node.value):
            if keys[i] in keys[:i]:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {keys[i]!r} is there twice", key.start_mark
                )
        return super().construct_mapping(node, deep)


def _take(value: Any, place: str, **fields: tuple) -> list:
    """Fields of a mapping in the order of `fields`: name -> (types, default, ... if required)."""
    if not isinstance(value, Mapping):
        raise PaperError(f"{place}: expected a mapping, got {value!r}")
    for key in value:
        if key not in fields:
            raise PaperError(f"{place}: unknown key {key!r} (known: {', '.join(fields)})")
    taken = []
    for name, (kinds, default) in fields.items():
        if name not in value:
            if default is ...:
                raise PaperError(f"{place}: {name!r} is missing")
            taken.append(default)
            continue
        field = value[name]
        kinds = kinds if isinstance(kinds, tuple) else (kinds,)
        if not isinstance(field, kinds) or isinstance(field, bool) and bool not in kinds:
            names = " or ".join(kind.__name__ for kind in kinds)
            raise PaperError(f"{place}: {name!r} must be {names}, got {field!r}")
        taken.append(field)
    return taken


def _texts(value: Mapping, place: str) -> dict[str, str]:
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str) or not text:
            raise PaperError(f"{place}.{key}: expected a name and a text, got {text!r}")
    return dict(value)


def _known(
    names: Sequence, known: Sequence[str] | Mapping, place: str, what: str
) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise PaperError(f"{place}: {what} {name!r} is not known")
    return tuple(names)


def _known_run(run: Any, variants: Mapping, others: _Others, place: str) -> None:
    """A run is a variant of this paper, or slug/variant of another whose file defines it."""
    if isinstance(run, str) and "/" in run:
        try:
            known = others.names(run, "variants")
        except PaperError as error:
            raise PaperError(f"{place}: {run!r} names another paper; {error}") from None
        _known([run.partition("/")[2]], known, place, f"{run!r}: variant")
    else:
        _known([run], variants, place, "variant")


def _paper(content: Any, slug: str, others: _Others) -> Paper:
    about, roles, grid, grid_extra, fixed, variants, diagnostics, tables, marks, claims = _take(
        content, "top level",
        paper=(dict, ...), roles=(dict, ...),
        grid=(list, ...), grid_extra=(list, []), deterministic=(list, []),
        variants=(dict, ...), diagnostics=(dict, {}), tables=(dict, ...), marks=(dict, {}),
        claims=(list, ...),
    )  # fmt: skip
    text = (str, ...)
    name, *_ = _take(about, "paper", slug=text, title=text, authors=text, venue=text,
                     year=(int, ...), url=(str, ""), doi=(str, ""), arxiv=(str, ""))  # fmt: skip
    if name != slug:
        raise PaperError(f"paper.slug: {name!r} in the file of {slug!r}")
    variants, roles = _texts(variants, "variants"), _texts(roles, "roles")
    diagnostics = _texts(diagnostics, "diagnostics")
    runs = (
        *_known(grid, variants, "grid", "variant"),
        *_known(grid_extra, variants, "grid_extra", "variant"),
    )
    if repeated := [name for name in runs if runs.count(name) > 1]:
        raise PaperError(f"grid: variant {repeated[0]!r} is there twice")
    if forgotten := [name for name in variants if name not in runs]:
        raise PaperError(f"variants: {forgotten[0]!r} is neither in grid nor in grid_extra")
    paper = Paper(
        slug, about, roles, tuple(grid), tuple(grid_extra),
        _known(fixed, variants, "deterministic", "variant"), variants, diagnostics,
        {
            id: _table(id, table, f"tables.{id}", variants, roles, diagnostics, others)
            for id, table in tables.items()
        },
        {id: _marks(id, table, f"marks.{id}") for id, table in marks.items()},
        (),
    )  # fmt: skip
    read = []
    for i, claim in enumerate(claims):
        label = claim.get("id", "") if isinstance(claim, Mapping) else ""
        read.append(_claim(claim, f"claims[{i}] ({label})", paper, others))
        if label in [earlier.id for earlier in read[:-1]]:
            raise PaperError(f"claims[{i}]: the id {label!r} is there twice")
    return Paper(**{**vars(paper), "claims": tuple(read)})


def _table(
    id: str, value: Any, place: str, variants: Mapping, roles: Mapping, diagnostics: Mapping, others: _Others
) -> ReportedTable:
    title, headings, note, columns, rows = _take(
        value, place,
        title=(str, ...), headings=(dict, ...), note=(str, ""),
        columns=(list, ...), rows=(list, ...),
    )  # fmt: skip
    _take(headings, f"{place}.headings", label=(str, ...), group=(str, ""), detail=(str, ""))
    read = []
    for i, column in enumerate(columns):
        where = f"{place}.columns[{i}]"
        metric, role, label, group, extra, action, better = _take(
            column, where,
            metric=(str, ...), role=(str, ...), label=(str, ""), group=(str, ""),
            extra=(bool, False), action=(str, ""), better=(str, ""),
        )  # fmt: skip
        if role == "diagnostics":
            _known([metric], diagnostics, where, "diagnostic")
            _known([better], ("lower", "higher"), where, "direction")
            label = label or metric.replace("_", " ")
        else:
            _known([metric], METRICS, where, "metric")
            _known([role], roles, where, "role")
            label = label or METRICS[metric].label
        if better and role != "diagnostics":
            raise PaperError(f"{where}: only a diagnostic says which way is better")
        if action and (role == "diagnostics" or metric.endswith("_frames")):
            raise PaperError(f"{where}: the mean over frames is of all actions, not of {action!r}")
        read.append(Column(metric, role, label, group, extra, action, better))
    table = ReportedTable(
        id, title, headings, note, tuple(read),
        tuple(
            _row(row, f"{place}.rows[{i}]", read, variants, others) for i, row in enumerate(rows)
        ),
    )  # fmt: skip
    shown = {variant for row in table.rows for variant in row.runs.values()}
    if missing := [variant for variant in FLOOR if variant not in shown]:
        raise PaperError(f"{place}.rows: no row shows {missing[0]!r}")
    return table


def _marks(id: str, value: Any, place: str) -> MarksTable:
    title, note, columns, rows = _take(
        value, place, title=(str, ...), note=(str, ""), columns=(list, ...), rows=(list, ...)
    )
    if not all(isinstance(column, str) for column in columns):
        raise PaperError(f"{place}.columns: expected texts, got {columns!r}")
    read: dict[str, tuple[bool, ...]] = {}
    for i, row in enumerate(rows):
        label, marks = _take(row, f"{place}.rows[{i}]", label=(str, ...), marks=(list, ...))
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
    label, group, detail, reported, runs, ours, extra = _take(
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
        _number(number, f"{place}.reported")
    groups = {column.group for column in columns}
    runs = dict.fromkeys(groups, runs) if isinstance(runs, str) else runs
    _known(list(runs), groups, f"{place}.runs", "column group")
    for run in runs.values():
        _known_run(run, variants, others, f"{place}.runs")
    return Row(label, group, detail, tuple(reported), dict(runs), ours, extra)


def _number(value: Any, place: str) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise PaperError(f"{place}: expected a number or null, got {value!r}")


def _claim(value: Any, place: str, paper: Paper, others: _Others) -> Claim:
    id, where, statement, kinds, role, note, checks, needs = _take(
        value, place,
        id=(str, ...), where=(str, ...), statement=(str, ...), type=(list, ...),
        role=(str, "studio"),
        note=(str, ""), checks=(list, []), needs=(str, ""),
    )  # fmt: skip
    _known(kinds, KINDS, f"{place}.type", "type")
    if bool(checks) == bool(needs):
        raise PaperError(f"{place}: a claim has either 'checks' or 'needs'")
    read = [
        _check(check, f"{place}.checks[{i}]", role, paper, others) for i, check in enumerate(checks)
    ]
    return Claim(id, where, statement, tuple(kinds), tuple(read), needs, note)


def _check(value: Any, place: str, role: str, paper: Paper, others: _Others) -> Check:
    side = ((str, int, float), ...)
    left, expect, right, metric, role, tolerance, reported, unit = _take(
        value, place,
        left=side, expect=(str, ...), right=side, metric=(str, None), role=(str, role),
        tolerance=((int, float, str), None), reported=(list, [None, None]), unit=(str, None),
    )  # fmt: skip
    _known([expect], EXPECTATIONS, f"{place}.expect", "expectation")
    _known([unit or ""], ("", "mm", "%"), f"{place}.unit", "unit")
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
            _known([reference.metric], known, place, "diagnostic")
        else:
            _known([reference.role], paper.roles, place, "role")
            _known([reference.metric], METRICS, place, "metric")
    if left.is_constant:
        raise PaperError(f"{place}.left: names no run")
    if right.is_constant and expect in ("lower", "higher"):
        raise PaperError(f"{place}.expect: for a number on the right say 'above' or 'below'")
    if not right.is_constant and expect in ("above", "below"):
        raise PaperError(f"{place}.expect: for a run on the right say 'higher' or 'lower'")
    if len(reported) != 2:
        raise PaperError(f"{place}.reported: expected [left, right], got {reported!r}")
    for number in reported:
        _number(number, f"{place}.reported")
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
