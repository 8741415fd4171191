"""Claims of a paper and their verdicts, computed from the records of paired seeds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lib.expressions import Expression, Reference

__all__ = [
    "OUTCOMES", "EXPECTATIONS", "MissingRecord", "Check", "Claim", "CheckResult", "Verdict",
    "read_value", "judge", "decide", "summary",
]  # fmt: skip

Record = Mapping[str, Any]
Find = Callable[[str], Sequence[Record]]

OUTCOMES = ("reproduced", "not reproduced", "undecided", "not run")
EXPECTATIONS = ("lower", "higher", "close", "above", "below")
RESAMPLES = 10_000
CONFIDENCE = 0.95
LEAST_SEEDS = 3
_REASONS = {
    "order": (
        "the interval is on the expected side",
        "the interval is on the other side",
        "the interval holds both sides",
    ),
    "close": (
        "the interval is within the tolerance",
        "the interval is outside the tolerance",
        "the interval crosses the tolerance",
    ),
}


class MissingRecord(LookupError):
    """A run, or a number of it, that a check needs is not there."""


@dataclass(frozen=True)
class Check:
    """Left is expected lower or higher than, or close to, right, or above or below a constant.

    tolerance: for "close", in the unit of the sides; `relative_tolerance` is a share of the right
    side. Without either, the reported gap as a share of the reported right side.
    reported: (left, right) as printed, either may be None.
    unit: "mm", "%" (a fraction is shown times 100) or "".
    """

    left: Expression
    expect: str
    right: Expression
    tolerance: float | None = None
    relative_tolerance: float | None = None
    reported: tuple[float | None, float | None] = (None, None)
    unit: str = ""

    @property
    def factor(self) -> float:
        """From the unit of the sides to the unit shown."""
        return 100.0 if self.unit == "%" else 1.0

    @property
    def references(self) -> tuple[Reference, ...]:
        both = (*self.left.references, *self.right.references)
        return tuple(dict.fromkeys(reference for _, reference in both))

    @property
    def is_plain(self) -> bool:
        """Whether one number of a run is compared with one of another."""
        return self.left.is_reference and self.right.is_reference

    def swapped(self) -> Check:
        """The same expectation with the sides exchanged."""
        return replace(self, left=self.right, right=self.left, reported=self.reported[::-1])


@dataclass(frozen=True)
class Claim:
    """One sentence of a paper.

    kinds: num, stat, qual, ext, data, prop, nb. needs: why there are no checks, if there are none.
    """

    id: str
    where: str
    statement: str
    kinds: tuple[str, ...]
    checks: tuple[Check, ...] = ()
    needs: str = ""
    note: str = ""


@dataclass(frozen=True)
class CheckResult:
    """What the runs say about one check; differences are left minus right, in the unit shown.

    interval: bootstrap interval of the difference. effect: difference as a share of the right side.
    share: observed effect over the reported effect, for a plain comparison.
    `None` where a number has no meaning.
    """

    check: Check
    outcome: str
    reason: str
    seeds: tuple[int, ...] = ()
    left: float | None = None
    right: float | None = None
    difference: float | None = None
    interval: tuple[float, float] | None = None
    effect: float | None = None
    reported_difference: float | None = None
    reported_effect: float | None = None
    share: float | None = None
    records: tuple[Record, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The outcome of a claim: all checks reproduced, any not, records missing, else undecided."""

    claim: Claim
    outcome: str
    reason: str
    results: tuple[CheckResult, ...]
    source: Any = None


def read_value(record: Record, role: str, metric: str, action: str = "") -> float | None:
    """A number of a record at a role or in its diagnostics, None if absent.

    It is that of one action if named, else the mean of the actions; or that of all frames where the
    metric's name ends in "_frames".
    """
    if role == "diagnostics":
        value = record.get("diagnostics", {}).get(metric)
    elif action:
        value = record.get("metrics", {}).get(role, {}).get("actions", {}).get(action, {}).get(metric)
    else:
        of = "frame_mean" if metric.endswith("_frames") else "overall"
        scores = record.get("metrics", {}).get(role, {}).get(of, {})
        value = scores.get(metric.removesuffix("_frames"))
    return None if value is None else float(value)


def judge(check: Check, find: Find, deterministic: Sequence[str] = ()) -> CheckResult:
    """Decide one check from the records of the seeds that all its variants share.

    The difference of each seed is resampled 10,000 times over the seeds (fixed generator), and the
    outcome follows from the 95 % interval of its mean. With three seeds this interval reaches from
    the lowest to the highest, so all three must agree; with fewer the check is undecided. A
    variant in `deterministic` has one record, which serves every seed; where all are deterministic
    the value decides by itself.

    Arguments:
        find: variant -> its records, one a seed. Smoke records raise ValueError.
    """
    reported = _reported(check)
    try:
        seeds, values, records = _pair(check.references, find, deterministic)
    except MissingRecord as error:
        return CheckResult(check, "not run", str(error), **reported)
    fixed = all(reference.variant in deterministic for reference in check.references)
    left, right = (_side(side, values, len(seeds)) for side in (check.left, check.right))
    shown = reported | {"records": records, "seeds": seeds}
    if not seeds:
        return CheckResult(check, "not run", "no seed is shared by all the runs", **shown)
    if not (np.isfinite(left).all() and np.isfinite(right).all()):
        return CheckResult(check, "undecided", "a run gave a number that is not finite", **shown)

    difference = left.mean() - right.mean()
    effect = _ratio(difference, abs(right.mean()))
    shown |= {
        "left": float(left.mean() * check.factor),
        "right": float(right.mean() * check.factor),
        "difference": float(difference * check.factor),
        "effect": effect,
    }
    if check.expect in ("lower", "higher") and check.is_plain:
        shown["share"] = _ratio(effect, reported["reported_effect"])
    if len(seeds) < LEAST_SEEDS and not fixed:
        reason = f"{len(seeds)} of at least {LEAST_SEEDS} paired seeds"
        return CheckResult(check, "undecided", reason, **shown)

    low, high = (difference, difference) if fixed else _interval(check, values, len(seeds))
    shown["interval"] = (float(low * check.factor), float(high * check.factor))
    outcome = _outcome(check, low, high, float(right.mean()))
    reasons = _REASONS["close" if check.expect == "close" else "order"]
    return CheckResult(check, outcome, reasons[OUTCOMES.index(outcome)], **shown)


def _pair(references, find, deterministic):
    """Seeds shared by all the runs, their values (seeds,) by reference, and the records used."""
    runs: dict[str, dict[int, Record]] = {}
    for variant in dict.fromkeys(reference.variant for reference in references):
        records = list(find(variant))
        if any(record.get("profile") == "smoke" for record in records):
            raise ValueError(f"a smoke record of {variant!r} must not enter a verdict")
        if not records:
            raise MissingRecord(f"no record of {variant}")
        runs[variant] = {int(record["seed"]): record for record in records}
    seeded = [set(by_seed) for variant, by_seed in runs.items() if variant not in deterministic]
    seeds = (
        tuple(sorted(set.intersection(*seeded))) if seeded else (min(next(iter(runs.values()))),)
    )
    for variant in runs:
        if variant in deterministic:
            only = runs[variant][min(runs[variant])]
            runs[variant] = dict.fromkeys(seeds, only)
    values = {}
    for reference in references:
        numbers = [
            read_value(runs[reference.variant][s], reference.role, reference.metric, reference.action)
            for s in seeds
        ]
        if None in numbers:
            seed = seeds[numbers.index(None)]
            of = f" of action {reference.action}" if reference.action else ""
            raise MissingRecord(
                f"the record of {reference.variant}, seed {seed}, "
                f"has no {reference.role} {reference.metric}{of}"
            )
        values[reference] = np.array(numbers, dtype=np.float64)
    used = {id(run[seed]): run[seed] for run in runs.values() for seed in seeds}
    return seeds, values, tuple(used.values())


def _side(expression, values, count):
    result = expression.evaluate(values)
    return (
        np.broadcast_to(result, (*result.shape[:-1], count))
        if result.ndim
        else np.full(count, result)
    )


def _interval(check, values, count):
    draws = np.random.default_rng(0).integers(count, size=(RESAMPLES, count))
    if check.left.has_spread or check.right.has_spread:
        # one seed drawn over and over has no spread at all, and says nothing about it
        draws = draws[(draws != draws[:, :1]).any(1)]
    resampled = {reference: numbers[draws] for reference, numbers in values.items()}
    differences = check.left.evaluate(resampled) - check.right.evaluate(resampled)
    tail = (1 - CONFIDENCE) / 2
    return np.quantile(np.atleast_2d(differences).mean(-1), [tail, 1 - tail])


def _outcome(check, low, high, right):
    match check.expect:
        case "lower" | "below":
            inside, outside = high < 0, low > 0
        case "higher" | "above":
            inside, outside = low > 0, high < 0
        case _:
            tolerance = _tolerance(check, right)
            inside = -tolerance <= low and high <= tolerance
            outside = low > tolerance or high < -tolerance
    return "reproduced" if inside else "not reproduced" if outside else "undecided"


def _tolerance(check, right):
    if check.tolerance is not None:
        return check.tolerance
    share = check.relative_tolerance
    if share is None:
        share = abs(_reported(check)["reported_effect"])
    return share * abs(right)


def _reported(check):
    left, right = check.reported
    difference = None if left is None or right is None else left - right
    return {
        "reported_difference": difference,
        "reported_effect": None if difference is None else _ratio(difference, abs(right)),
    }


def _ratio(part, whole):
    if part is None or not whole or not math.isfinite(part / whole):
        return None
    return float(part / whole)


def decide(
    claim: Claim, find: Find, deterministic: Sequence[str] = (), source: Any = None
) -> Verdict:
    """The verdict of a claim from all its checks; see `judge` for the arguments."""
    if not claim.checks:
        return Verdict(claim, "not run", f"needs {claim.needs}", (), source)
    results = tuple(judge(check, find, deterministic) for check in claim.checks)
    outcomes = [result.outcome for result in results]
    if "not reproduced" in outcomes:
        outcome = "not reproduced"
    elif "not run" in outcomes:
        outcome = "not run"
    elif "undecided" in outcomes:
        outcome = "undecided"
    else:
        return Verdict(claim, "reproduced", "every check holds", results, source)
    reason = "; ".join(
        dict.fromkeys(result.reason for result in results if result.outcome == outcome)
    )
    return Verdict(claim, outcome, reason, results, source)


def summary(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """How many verdicts have each outcome, in the order of `OUTCOMES`."""
    return {outcome: sum(v.outcome == outcome for v in verdicts) for outcome in OUTCOMES}
