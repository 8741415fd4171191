"""Numbers, sentences and small tables computed from records, for the text of the results pages.

`runs` is always variant -> records, as `Source.records` gives them. What has no record is told as
"not run" or as None, which a page leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from lib.claims import Verdict, read_value
from lib.measures import METRICS
from lib.report import Table

__all__ = [
    "amount", "by_action", "difference", "numbers", "observed", "order", "small_table", "told",
]  # fmt: skip

Runs = Mapping[str, Sequence[Mapping[str, Any]]]


def numbers(runs: Runs, variant: str, metric: str, role: str = "studio") -> np.ndarray:
    """A metric, or a diagnostic at role "diagnostics", of every seed of a variant, by seed."""
    found = sorted(runs.get(variant, ()), key=lambda record: record["seed"])
    values = [read_value(record, role, metric) for record in found]
    return np.array([value for value in values if value is not None])


def by_action(runs: Runs, variant: str, metric: str, role: str = "studio") -> dict[str, np.ndarray]:
    """Action -> the metric of every seed; an action that some seed lacks is left out."""
    found = sorted(runs.get(variant, ()), key=lambda record: record["seed"])
    tables = [record["metrics"].get(role, {}).get("actions", {}) for record in found]
    shared = [a for a in tables[0] if all(a in table for table in tables)] if tables else []
    return {action: np.array([table[action][metric] for table in tables]) for action in shared}


def told(values: np.ndarray, digits: int = 1) -> str:
    """Mean ± deviation over seeds as text."""
    if not len(values):
        return "not run"
    spread = f" ± {values.std(ddof=1):.{digits}f}" if len(values) > 1 else ""
    return _minus(f"{values.mean():.{digits}f}{spread}")


def _minus(text: str) -> str:
    return re.sub(r"(?<![\w`])-(?=\d)", "−", text)


def amount(value: float, unit: str, sign: str = "") -> str:
    """A number in the digits of its unit, with a true minus."""
    text = f"{value:{sign}.1f}" if unit in ("mm", "%") else f"{value:{sign}.3g}"
    return text.replace("-", "−")


def difference(
    runs: Runs, a: str, b: str, metric: str, role: str = "studio",
    reported: tuple[float, float] | None = None,
) -> str | None:
    """One sentence: what a has, what b has, and what the paper says of the same two."""
    known = METRICS[metric]
    left, right = (known.factor * numbers(runs, variant, metric, role) for variant in (a, b))
    if not (len(left) and len(right)):
        return None
    gap = left.mean() - right.mean()
    text = f"{known.label}: `{a}` {told(left)} {known.unit} against `{b}` {told(right)}, "
    text += f"a difference of {gap:+.1f} ({100 * gap / right.mean():+.0f} %"
    if reported:
        share = 100 * (reported[0] / reported[1] - 1)
        text += f"; in the paper {reported[0] - reported[1]:+.1f}, {share:+.0f} %"
    return _minus(text + ").")


def order(table: Table, source: int = 0) -> list[str]:
    """For each printed column: our best row, and how many pairs of rows have the paper's order."""
    lines = []
    for column, printed in enumerate(table.printed):
        if printed.measure.better == "neither":
            continue
        lower = printed.measure.better == "lower"
        rows = [
            (line.reported[column], cell.mean, line.row)
            for line in table.rows
            if not line.row.extra and (cell := line.measured[source][column])
        ]
        both = [(told_, ours) for told_, ours, _ in rows if told_ is not None]
        pairs = [(a, b) for i, a in enumerate(both) for b in both[:i] if a[0] != b[0]]
        if not pairs:
            continue
        same = sum((a[0] < b[0]) == (a[1] < b[1]) for a, b in pairs)
        _, value, best = (min if lower else max)(rows, key=lambda row: row[1])
        name = re.sub(r"L_(\w+)", r"$L_{\1}$", best.label).replace("Ω", r"\Omega")
        lines.append(
            f"{printed.label}: {'lowest' if lower else 'highest'} in the row “{name}” "
            f"({amount(value, printed.measure.unit)} {printed.measure.unit}".rstrip() + "); "
            f"{same} of {len(pairs)} pairs of rows stand in the paper's order."
        )
    return lines


def observed(verdict: Verdict) -> str:
    """The checks of a verdict that have its outcome, as text with their numbers."""
    parts = []
    for result in verdict.results:
        if result.outcome != verdict.outcome or result.difference is None:
            continue
        check, unit, metric = result.check, result.check.unit, result.check.left.metric or ""
        name = METRICS[metric].label if metric in METRICS else metric.replace("_", " ")
        right = f"`{check.right.text}` " if check.right.references else ""
        text = f"{name}{': ' * bool(name)}`{check.left.text}` {amount(result.left, unit)} against "
        text += f"{right}{amount(result.right, unit)} {unit}".rstrip()
        text += f", difference {amount(result.difference, unit, '+')}"
        if result.interval:
            text += f" [{', '.join(amount(end, unit, '+') for end in result.interval)}]"
        if result.reported_difference is not None:
            text += f", reported {amount(result.reported_difference, unit, '+')}"
        parts.append(text)
    return "; ".join(parts) or verdict.reason


def small_table(
    caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]], folded: bool = False
) -> str:
    """A table as HTML in the style of `report.to_html`; the first cell of a row names it.

    `folded` puts it away under its caption.
    """
    top = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(str(row[0]))}</th>'
        + "".join(f'<td class="number">{escape(str(cell))}</td>' for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    label = escape(caption.split(".")[0])
    above = "" if folded else f"<caption><div>{escape(caption)}</div></caption>"
    html = (
        f'<div class="pose-report" role="region" tabindex="0" aria-label="{label}"><table>{above}'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
    return f"<details><summary>{escape(caption)}</summary>{html}</details>" if folded else html
