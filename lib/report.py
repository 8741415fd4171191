"""Tables and verdicts as HTML: records and reported numbers, side by side.

A number of ours is never set beside a reported one as if it were the same measurement: the data
differ, the caption says so, and what is compared is the claim. Smoke records are never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape

from lib.claims import OUTCOMES, Check, CheckResult, Verdict, decide, summary
from lib.measures import METRICS
from lib.reported import Column, Paper, load_paper
from lib.tables import Measured, Record, Source, Table, TableRow, table

__all__ = [
    "Source", "Measured", "TableRow", "Table", "load_paper", "table", "to_html", "verdicts",
    "verdicts_html", "summary",
]  # fmt: skip

Link = Callable[[Record], str | None]

DATA = {
    "mannequin": "generated people and motion",
    "mocap": "recorded human motion seen by generated cameras",
    "benchmarks": "the licensed recordings",
}
SIGNS = {"lower": "lower than", "higher": "higher than", "close": "close to",
         "above": "above", "below": "below"}  # fmt: skip


def verdicts(paper: Paper, source: Source) -> list[Verdict]:
    """The verdict of every claim of a paper from the records of one source."""
    runs = source.records(paper)
    return [
        decide(claim, lambda variant: runs.get(variant, ()), paper.deterministic, source)
        for claim in paper.claims
    ]


def _path(record: Record) -> str | None:
    return record.get("path")


def to_html(table: Table, link: Link = _path) -> str:
    """A table as accessible HTML.

    Arguments:
        link: turns a record into the address of its JSON file, or None for no link.
    """
    headings = table.reported.headings
    stubs = [name for name in ("group", "label", "detail") if headings.get(name)]
    spans = [("Reported in the paper", "reported", table.printed)] * bool(table.printed)
    spans += [(source.label, "measured", table.columns) for source in table.sources]
    top = "".join(f'<th scope="col" rowspan="2">{_text(headings[name])}</th>' for name in stubs)
    top += "".join(
        f'<th scope="colgroup" colspan="{len(columns)}" class="{kind} first">{escape(name)}</th>'
        for name, kind, columns in spans
    )
    below = "".join(
        _column(column, kind, i == 0)
        for _, kind, columns in spans
        for i, column in enumerate(columns)
    )
    body = []
    for group in _groups(table.rows) if "group" in stubs else [list(table.rows)]:
        lines = []
        for i, line in enumerate(group):
            cells = ""
            if "group" in stubs and i == 0:
                cells += f'<th scope="rowgroup" rowspan="{len(group)}">{_text(line.row.group)}</th>'
            marks = ["not in the paper"] * line.row.extra
            marks += ["another chapter's run"] * any("/" in run for run in line.row.runs.values())
            mark = f' <span class="extra-mark">({", ".join(marks)})</span>' if marks else ""
            cells += f'<th scope="row">{_text(line.row.label)}{mark}</th>'
            cells += f"<td>{_text(line.row.detail)}</td>" if "detail" in stubs else ""
            for j, (number, column) in enumerate(zip(line.reported, table.printed, strict=True)):
                text = _dash("not reported") if number is None else _digits(number, column)
                cells += f'<td class="reported number{" first" if j == 0 else ""}">{text}</td>'
            for measured in line.measured:
                for j, (cell, column) in enumerate(zip(measured, table.columns, strict=True)):
                    first = " first" if j == 0 else ""
                    cells += f'<td class="measured number{first}">{_cell(cell, column, link)}</td>'
            kind = "ours" if line.row.ours else "extra" if line.row.extra else "quoted"
            lines.append(f'<tr class="{kind}">{cells}</tr>')
        body.append(f"<tbody>{''.join(lines)}</tbody>")
    name = escape(table.reported.id)
    return (
        f'<div class="pose-report" id="{name}" role="region" tabindex="0" '
        f'aria-label="Table {name}"><table><caption><div>{_caption(table)}</div></caption>'
        f"<thead><tr>{top}</tr><tr>{below}</tr></thead>{''.join(body)}</table></div>"
    )


def _groups(rows: Sequence[TableRow]) -> list[list[TableRow]]:
    groups: list[list[TableRow]] = []
    for row in rows:
        if not groups or groups[-1][0].row.group != row.row.group:
            groups.append([])
        groups[-1].append(row)
    return groups


def _column(column: Column, kind: str, first: bool) -> str:
    metric = column.measure
    arrow = {"lower": "↓", "higher": "↑"}.get(metric.better)
    name = f"{column.group} {column.label}".strip()
    arrow = f'<abbr title="{metric.better} is better">{arrow}</abbr>' if arrow else ""
    unit = f'<span class="unit">{metric.unit} {arrow}</span>'
    return f'<th scope="col" class="{kind}{" first" if first else ""}">{escape(name)} {unit}</th>'


def _caption(table: Table) -> str:
    parts = [
        f"<strong>{escape(table.reported.id)}. {_text(table.reported.title)}.</strong>",
        "Reported numbers are the paper's, on its own data; ours are other measurements, "
        "and only the order and the relative size of effects can be compared."
        if table.printed
        else "The paper prints no such table.",
    ]
    for i, source in enumerate(table.sources):
        # the rows that need no seed would make every table look as if it lacked some
        cells = [
            (line.row.runs[column.group], cell)
            for line in table.rows
            for column, cell in zip(table.columns, line.measured[i], strict=True)
            if cell
        ]
        own = [cell for run, cell in cells if "/" not in run and run not in table.deterministic]
        counts = {len(cell.seeds) for cell in own}
        lent = {f"{r['paper']} at profile {r['profile']}" for run, cell in cells if "/" in run
                for r in cell.records}  # fmt: skip
        data = DATA.get(source.collection.partition("_")[0], "")
        starts = {r.get("provenance", {}).get("initialisation") for cell in own for r in cell.records}
        starts = " or ".join(sorted(starts - {None}))
        roles = dict.fromkeys(column.role for column in table.columns if column.role != "diagnostics")
        roles = f", role {escape(' and '.join(roles))}" if roles else ""
        if source.profile == "smoke":
            seeds = "numbers of the smoke profile only test the machinery and are not shown"
        elif not counts:
            seeds = "no seed run yet"
        else:
            low, high = min(counts), max(counts)
            seeds = f"{low} to {high} seeds" if low < high else f"{low} seed{'s' * (low > 1)}"
        data = f" ({data})" if data else ""
        seeds += f", initialisation {escape(starts)}" if starts else ""
        seeds += f"; another chapter's runs are {escape(', '.join(sorted(lent)))}" if lent else ""
        profile = escape(source.profile)
        parts.append(f"<em>{escape(source.label)}</em>{data}{roles}, profile {profile}, {seeds}.")
        parts += _protocols(table, [record for _, cell in cells for record in cell.records])
    given: dict[str, list[str]] = {}
    for column in table.columns:
        names = given.setdefault(column.measure.scale, [])
        if column.measure.label not in names:
            names.append(column.measure.label)
    scales = "; ".join(f"{', '.join(names)}: {scale}" for scale, names in given.items() if scale)
    parts += [f"Scale given to our predictions: {scales}."] * bool(scales)
    means = any(column.role != "diagnostics" and not column.action for column in table.columns)
    averaged = ", averaged over actions" if means else ""
    parts.append(f"Mean ± standard deviation over seeds{averaged}; each links to its records.")
    return " ".join([*parts, _text(table.reported.note)]).strip()


def _protocols(table: Table, used: Sequence[Record]) -> list[str]:
    """What files, frames and joints of each role of a table the records of a protocol were tested on."""
    roles = dict.fromkeys(column.role for column in table.columns if column.role != "diagnostics")
    found: dict[str, None] = {}
    for role in roles:
        for record in used:
            file = record["provenance"].get("data", {}).get(role, {})
            if not file.get("protocol"):
                continue
            every = file["test_every"]
            frames = "all" if every == 1 else f"every {_ordinal(every)}"
            tested, there = (f"{file[name]:,}" for name in ("test_frames", "test_frames_there"))
            found[
                f"Role {role}: {file['protocol']}. The file is {file['source']}; tested on {tested} of"
                f" {there} frames ({frames} of a clip), PCK and AUC over {file['joints']} joints."
            ] = None
    return [escape(line) for line in found]


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ending}"


def _cell(cell: Measured | None, column: Column, link: Link) -> str:
    if cell is None:
        return _dash("not run")
    spread = "" if cell.std is None else f'<span class="std"> ± {_digits(cell.std, column)}</span>'
    value = _digits(cell.mean, column) + spread
    if len(cell.records) == 1:
        return _anchor(cell.records[0], value, link)
    return f'{value}<span class="seeds">{_seed_links(cell.records, link)}</span>'


def _anchor(record: Record, text: str, link: Link) -> str:
    address = link(record)
    if not address:
        return text
    name = f"{record['paper']}/{record['variant']}"
    label = f"record of {name}, {record['collection']}, seed {record['seed']}"
    return f'<a href="{escape(str(address))}" title="{escape(label)}">{text}</a>'


def _seed_links(used: Sequence[Record], link: Link) -> str:
    return " ".join(
        _anchor(record, f'<span class="hidden">seed </span>{record["seed"]}', link)
        for record in used
    )


def _dash(reason: str) -> str:
    return f'<span class="none" title="{reason}"><span class="hidden">{reason}</span>–</span>'


def _digits(value: float, column: Column) -> str:
    """One digit in mm and percent, none of a count, two for what is printed without a unit."""
    form = {"mm": ".1f", "%": ".1f", "": ".2f"}.get(column.measure.unit, ",.0f")
    text = f"{value:{form}}"
    return text.replace("-", "−")


def _number(value: float, unit: str) -> str:
    if unit in ("mm", "%"):
        text = f"{value:.1f}"
    else:
        text = f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.3g}"
    return text.replace("-", "−")


def _text(text: str) -> str:
    """Escaped text in which L_name stands for a loss with an index."""
    return re.sub(r"\bL_(\w+)", r"<i>L</i><sub>\1</sub>", escape(text))


def verdicts_html(*columns: Sequence[Verdict], link: Link = _path) -> str:
    """Claims as an accessible table, one column of verdicts for each source, as by `verdicts`."""
    sources = [column[0].source for column in columns if column]
    counts = " ".join(
        f"<em>{escape(source.label)}</em> (profile {escape(source.profile)}): "
        + ", ".join(f"{n} {outcome}" for outcome, n in summary(column).items())
        + "."
        for source, column in zip(sources, columns, strict=True)
    )
    head = '<th scope="col">Claim</th><th scope="col">The paper says</th>' + "".join(
        f'<th scope="col" class="measured first">{escape(source.label)}</th>' for source in sources
    )
    lines = []
    for row in zip(*columns, strict=True):
        claim = row[0].claim
        note = f'<br><span class="note">{_text(claim.note)}</span>' if claim.note else ""
        cells = "".join(f'<td class="measured first">{_verdict(v, link)}</td>' for v in row)
        lines.append(
            f'<tr id="{escape(claim.id)}"><th scope="row">{escape(claim.id)}</th><td>'
            f'{_text(claim.statement)} <span class="where">{escape(claim.where)}</span>{note}</td>'
            f"{cells}</tr>"
        )
    caption = (
        "<strong>Claims and their verdicts,</strong> computed from paired seeds with a 95 % "
        "bootstrap interval of the difference. With three seeds this interval reaches from the "
        f"lowest to the highest. {counts}"
    )
    label = 'role="region" tabindex="0" aria-label="Claims and verdicts"'
    return (
        f'<div class="pose-report verdicts" {label}><table><caption><div>{caption}</div></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def _verdict(verdict: Verdict, link: Link) -> str:
    kind = f"outcome-{OUTCOMES.index(verdict.outcome)}"
    badge = f'<span class="outcome {kind}">{verdict.outcome}</span>'
    if not verdict.results:
        return f'{badge} <span class="note">{escape(verdict.reason)}</span>'
    checks = "".join(f"<li>{_check(result, link)}</li>" for result in verdict.results)
    reason = escape(verdict.reason)
    return f"<details><summary>{badge}</summary><p>{reason}</p><ul>{checks}</ul></details>"


def _check(result: CheckResult, link: Link) -> str:
    check = result.check
    unit = check.unit
    suffix = f" {unit}" if unit else ""
    metric = check.left.metric
    about = (
        f" ({METRICS[metric].label if metric in METRICS else metric.replace('_', ' ')})"
        if metric
        else ""
    )
    right = (
        check.right.text
        if check.right.references
        else _number(float(check.right.evaluate({})) * check.factor, unit)
    )
    text = (
        f"<code>{escape(check.left.text)}</code> {SIGNS[check.expect]} <code>{escape(right)}</code>"
    )
    parts = [f"{text}{escape(about)}: <strong>{result.outcome}</strong>, {escape(result.reason)}"]
    if result.difference is not None:
        interval = ""
        if result.interval:
            low, high = (_number(end, unit) for end in result.interval)
            interval = f" [{low}, {high}]"
        sides = f"{_number(result.left, unit)} against {_number(result.right, unit)}{suffix}"
        difference = f"{_number(result.difference, unit)}{interval}"
        parts.append(f"observed {sides}, difference {difference}{_effect(check, result.effect)}")
    if result.reported_difference is not None:
        reported = _number(result.reported_difference, unit) + suffix
        parts.append(f"reported difference {reported}{_effect(check, result.reported_effect)}")
    if result.share is not None:
        parts.append(f"{_number(100 * result.share, '%')} % of the reported relative effect")
    if result.records:
        runs: dict[str, list[Record]] = {}
        several = len({record["paper"] for record in result.records}) > 1
        for record in result.records:
            name = f"{record['paper']}/{record['variant']}" if several else record["variant"]
            runs.setdefault(name, []).append(record)
        runs = (f"{escape(name)} {_seed_links(used, link)}" for name, used in runs.items())
        parts.append(f'<span class="seeds">records: {", ".join(runs)}</span>')
    return "; ".join(parts)


def _effect(check: Check, effect: float | None) -> str:
    """The difference as a share of the right side, for a plain comparison."""
    if effect is None or not check.is_plain:
        return ""
    return f" ({_number(100 * effect, '%')} %)"
