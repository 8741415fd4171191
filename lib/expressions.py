"""A small arithmetic language over the numbers of runs, for the sides of a check.

A side names a variant with underscores for hyphens:

    full                    the check's metric at the check's role
    full.p_mpjpe            this metric at the check's role
    full.outdoor.pck        this metric at this role
    full.diagnostics.name   a diagnostic (`diagnostics` may also be the check's role)
    slug.full.studio.pck    a run of another paper, the one with this slug
    full[Sitting]           any of these for one action instead of the mean of all

with numbers, + - * /, parentheses, `abs`, `log`, `min`, `max`, `spread`, the deviation over the
seeds, and `rank_correlation(a1, a2, ..., b1, b2, ...)`, Spearman's correlation of the first half of
its arguments with the second, within each seed. Python itself evaluates nothing: the expression is
parsed, and every node that is not listed here is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["ExpressionError", "Reference", "Expression"]

_OPERATORS = {ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide}
_FUNCTIONS = {"abs": (np.abs, 1, 1), "log": (np.log, 1, 1), "spread": (None, 1, 1),
              "min": (np.minimum, 2, 9), "max": (np.maximum, 2, 9),
              "rank_correlation": (None, 6, 80)}  # fmt: skip


class ExpressionError(ValueError):
    """A side of a check cannot be read."""


@dataclass(frozen=True)
class Reference:
    """One number of a run; `role` is a role of the data or "diagnostics", `variant` is slug/variant
    for a run of another paper. Without `action` the number is the mean of all actions.
    """

    variant: str
    role: str
    metric: str
    action: str = ""


@dataclass(frozen=True)
class Expression:
    """One side of a check. `text` as written; `references` the numbers of runs that it needs."""

    text: str
    tree: ast.expr
    references: tuple[tuple[str, Reference], ...]
    metric: str | None
    role: str

    @classmethod
    def parse(cls, text: str | float, metric: str | None, role: str) -> Expression:
        """Read `text`; a reference that says less than variant, role and metric takes the check's.

        Raises ExpressionError naming what is not allowed.
        """
        text = str(text)
        try:
            tree = ast.parse(text, mode="eval").body
        except (SyntaxError, ValueError, RecursionError):
            raise ExpressionError(f"cannot read the expression {text!r}") from None
        found: dict[str, Reference] = {}
        _collect(tree, text, metric, role, found)
        return cls(text, tree, tuple(found.items()), metric, role)

    @property
    def has_spread(self) -> bool:
        return any(isinstance(n, ast.Call) and n.func.id == "spread" for n in ast.walk(self.tree))

    @property
    def is_constant(self) -> bool:
        return not self.references

    @property
    def is_reference(self) -> bool:
        """Whether the side is one number of one run, so that the metric's unit is its unit."""
        return isinstance(self.tree, (ast.Name, ast.Attribute, ast.Subscript))

    def evaluate(self, values: Mapping[Reference, np.ndarray]) -> np.ndarray:
        """The side for arrays (..., seeds) of its references; `spread` reduces to (..., 1)."""
        with np.errstate(all="ignore"):
            return np.asarray(_evaluate(self.tree, dict(self.references), values), dtype=np.float64)


def _collect(node, text, metric, role, found) -> None:
    def refuse(what):
        raise ExpressionError(f"{what} is not allowed in the expression {text!r}")

    match node:
        case ast.Constant(value=bool()):
            refuse("True or False")
        case ast.Constant(value=int() | float()):
            pass
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            _collect(operand, text, metric, role, found)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            _collect(left, text, metric, role, found)
            _collect(right, text, metric, role, found)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            _, least, most = _FUNCTIONS[name]
            if not least <= len(arguments) <= most:
                refuse(f"{name} of {len(arguments)} arguments")
            if name == "rank_correlation" and len(arguments) % 2:
                refuse(f"{name} of {len(arguments)} arguments, which have no two halves,")
            for argument in arguments:
                _collect(argument, text, metric, role, found)
        case ast.Name() | ast.Attribute() | ast.Subscript(slice=ast.Name()):
            name = ast.unparse(node)
            action = node.slice.id if isinstance(node, ast.Subscript) else ""
            parts = name.removesuffix(f"[{action}]").split(".")
            if len(parts) > 4 or not all(part.isidentifier() for part in parts):
                refuse(repr(name))
            if len(parts) == 1 and metric is None:
                raise ExpressionError(
                    f"{name!r} in the expression {text!r} needs the check's metric"
                )
            slug = [parts.pop(0)] if len(parts) == 4 else []
            found[name] = Reference(
                "/".join([*slug, parts[0].replace("_", "-")]),
                parts[1] if len(parts) == 3 else role,
                parts[-1] if len(parts) > 1 else metric,
                action,
            )
        case _:
            refuse(type(node).__name__)


def _evaluate(node, references, values):
    match node:
        case ast.Constant(value=value):
            return np.float64(value)
        case ast.UnaryOp(operand=operand):
            return -_evaluate(operand, references, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](
                _evaluate(left, references, values), _evaluate(right, references, values)
            )
        case ast.Call(func=function, args=arguments):
            sides = [_evaluate(argument, references, values) for argument in arguments]
            if function.id == "spread":
                seeds = np.atleast_1d(sides[0])
                count = max(seeds.shape[-1] - 1, 1)
                centred = seeds - seeds.mean(-1, keepdims=True)
                return np.sqrt((centred**2).sum(-1, keepdims=True) / count)
            if function.id == "rank_correlation":
                return _rank_correlation(sides)
            result = sides[0]
            for side in sides[1:]:
                result = _FUNCTIONS[function.id][0](result, side)
            return _FUNCTIONS[function.id][0](result) if len(sides) == 1 else result
        case _:
            return values[references[ast.unparse(node)]]


def _rank_correlation(sides) -> np.ndarray:
    """Spearman's correlation (..., seeds) of the first half of arrays (..., seeds) with the second.

    It is Pearson's of the ranks, where equal numbers share the mean of their ranks; NaN where a half
    is constant, or has a number that is not finite.
    """
    table = np.stack(np.broadcast_arrays(*sides))
    first, second = (_ranks(half) for half in np.split(table, 2))
    within = np.sqrt((first**2).sum(0) * (second**2).sum(0))
    finite = np.isfinite(table).all(0)
    return np.where(finite & (within > 0), (first * second).sum(0) / within, np.nan)


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks along the first axis, less their mean."""
    below = (values[None] < values[:, None]).sum(1)
    above = (values[None] > values[:, None]).sum(1)
    return (below - above) / 2
