"""YAML files read strictly: what is unknown, missing, repeated or of another type names its place.

A place is a text like "tables.T1.rows[2]". Every error is a `PaperError` of one line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

__all__ = ["PaperError", "read_yaml", "take", "check_texts", "check_known", "check_number"]


class PaperError(ValueError):
    """A paper's file is wrong; the message names the file and the place in it."""


def read_yaml(path: Path) -> Any:
    """The content of a file, without any class of Python's and without a key given twice."""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except FileNotFoundError:
        raise PaperError(f"{path}: no such file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise PaperError(f"{path}: {' '.join(str(error).split())}") from None


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


def take(value: Any, place: str, **fields: tuple) -> list:
    """The values of a mapping in the order of `fields`: name -> (types, default or ... if required)."""
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


def check_texts(value: Mapping, place: str) -> dict[str, str]:
    """The same mapping, if it is one of names to texts that say something."""
    for key, text in value.items():
        if not isinstance(key, str) or not isinstance(text, str) or not text:
            raise PaperError(f"{place}.{key}: expected a name and a text, got {text!r}")
    return dict(value)


def check_known(names: Sequence, known: Sequence[str] | Mapping, place: str, what: str) -> tuple[str, ...]:
    """The same names, if all are known; `what` says in the error what they name."""
    for name in names:
        if name not in known:
            raise PaperError(f"{place}: {what} {name!r} is not known")
    return tuple(names)


def check_number(value: Any, place: str) -> None:
    """A number or null, and no truth value."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise PaperError(f"{place}: expected a number or null, got {value!r}")
