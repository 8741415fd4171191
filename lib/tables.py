"""Records and reported numbers as one table of data: what each source measured for each cell.

A number of ours is never set beside a reported one as if it were the same measurement: the data
differ, and what is compared is the claim. Smoke records are never shown.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lib import records
from lib.claims import read_value
from lib.reported import Column, Paper, ReportedTable, Row

__all__ = ["Source", "Measured", "TableRow", "Table", "table"]

Record = Mapping[str, Any]

PROFILES = ("paper", "gpu", "cpu")  # the largest first; smoke only tests the machinery


@dataclass(frozen=True)
class Source:
    """Where measured numbers come from: one root of records, one collection, one profile."""

    name: str
    root: Path | str
    collection: str
    profile: str

    @property
    def label(self) -> str:
        return f"{self.name}: {self.collection}"

    def records(self, paper: Paper) -> dict[str, list[Record]]:
        """Variant -> records, one a seed. None at profile smoke, which only tests the machinery.

        A run of another paper, slug/variant, comes from the same root and collection, and, where
        it was not made at this source's profile, from the largest profile that it was made at.
        """
        found: dict[str, list[Record]] = {}
        if self.profile == "smoke":
            return found
        for record in records.find(paper.slug, self.collection, self.root, profile=self.profile):
            if record["profile"] != "smoke":
                found.setdefault(record["variant"], []).append(record)
        for name in paper.foreign:
            slug, _, variant = name.partition("/")
            there: dict[str, list[Record]] = {}
            for record in records.find(slug, self.collection, self.root, variant):
                there.setdefault(record["profile"], []).append(record)
            profile = next((p for p in (self.profile, *PROFILES) if p in there), None)
            if profile:
                found[name] = there[profile]
        return found


@dataclass(frozen=True)
class Measured:
    """Mean and deviation (None for one seed) over the records of a variant, in the unit shown."""

    mean: float
    std: float | None
    seeds: tuple[int, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class TableRow:
    """A row with a reported number or None for each printed column, and, for each source, what
    was measured for each column.
    """

    row: Row
    reported: tuple[float | None, ...]
    measured: tuple[tuple[Measured | None, ...], ...]


@dataclass(frozen=True)
class Table:
    """A table of a paper with what it reports and what each source measured."""

    reported: ReportedTable
    sources: tuple[Source, ...]
    rows: tuple[TableRow, ...]
    deterministic: tuple[str, ...] = ()

    @property
    def printed(self) -> tuple[Column, ...]:
        return tuple(column for column in self.reported.columns if not column.extra)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.reported.columns


def table(paper: Paper, table_id: str, sources: Sequence[Source], by_action: bool | None = None) -> Table:
    """The table `table_id` of a paper with the numbers of each source.

    `by_action` keeps the columns of single actions (True) or the others (False) alone.

    A row that the paper does not print is left out while no source has its run, except the paper's
    floors, which are always there. Raises KeyError for an unknown table.
    """
    reported = _columns(paper.tables[table_id], by_action)
    found = [source.records(paper) for source in sources]
    rows = []
    for row in reported.rows:
        measured = tuple(tuple(_measure(runs, row, c) for c in reported.columns) for runs in found)
        there = any(cell for cells in measured for cell in cells)
        if there or not row.extra or set(row.runs.values()) & set(paper.floors):
            rows.append(TableRow(row, row.reported, measured))
    return Table(reported, tuple(sources), tuple(rows), paper.deterministic)


def _columns(table: ReportedTable, by_action: bool | None) -> ReportedTable:
    if by_action is None:
        return table
    kept = [bool(column.action) == by_action for column in table.columns]
    printed = [keep for keep, column in zip(kept, table.columns, strict=True) if not column.extra]
    rows = tuple(
        replace(row, reported=tuple(itertools.compress(row.reported, printed))) for row in table.rows
    )
    # a page may show both parts, and their ids are anchors
    id = f"{table.id}-actions" if by_action else table.id
    return replace(table, id=id, columns=tuple(itertools.compress(table.columns, kept)), rows=rows)


def _measure(runs: Mapping[str, Sequence[Record]], row: Row, column: Column) -> Measured | None:
    read = [
        (r, read_value(r, column.role, column.metric, column.action))
        for r in runs.get(row.runs.get(column.group), ())
    ]
    read = sorted(((r, v) for r, v in read if v is not None), key=lambda pair: pair[0]["seed"])
    if not read:
        return None
    values = [value * column.measure.factor for _, value in read]
    std = statistics.stdev(values) if len(values) > 1 else None
    used = tuple(record for record, _ in read)
    return Measured(statistics.fmean(values), std, tuple(record["seed"] for record in used), used)
