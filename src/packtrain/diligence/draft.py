"""A declaration.toml that is being answered: its values by dotted path, as the messages about gaps spell them."""

from __future__ import annotations

import copy
import itertools
import re
import tomllib
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from packtrain.diligence.answer_reader import is_answer
from packtrain.documents.toml_text import toml_text

_EMPTY: Final[dict[type, Callable[[], Any]]] = {str: dict, int: list}
_STEP: Final = re.compile(r"([a-z_]+)|\[([0-9]+)\]")


class Draft:
    """The values of one file; a path is "site.hardware[0].origin".

    Args:
        payload: the file, which `decode_answers` reads: every value is a text, a number, a list or a table of known
            name.
    """

    def __init__(self, payload: bytes) -> None:
        self._values: dict[str, Any] = tomllib.loads(payload.decode("utf-8"))

    def copy(self) -> Draft:
        """Return a draft that can be changed without this one."""
        other = Draft(b"")
        other._values = copy.deepcopy(self._values)
        return other

    def become(self, other: Draft) -> None:
        """Take over the values of another draft."""
        self._values = other._values

    def text(self, comments: Mapping[str, str]) -> bytes:
        """Return the file, with what the form says of each field behind it."""
        return toml_text(self._values, comments).encode()

    def get(self, path: str) -> Any:
        """Return a value, or None where there is none."""
        node: Any = self._values
        for step in _steps(path):
            node = _inner(node, step)
        return node

    def put(self, path: str, value: Any) -> None:
        """Set a value; tables on the way to it are made, a row at the end of its rows is added."""
        steps = _steps(path)
        node: Any = self._values
        for step, below in itertools.pairwise(steps):
            if not isinstance(_inner(node, step), list if isinstance(below, int) else dict):
                _set(node, step, _EMPTY[type(below)]())
            node = _inner(node, step)
        _set(node, steps[-1], value)

    def take(self, path: str) -> None:
        """Remove a value, if it is there; the table that held it stays."""
        *above, last = _steps(path)
        node: Any = self._values
        for step in above:
            node = _inner(node, step)
        if isinstance(node, dict):
            cast("dict[Any, Any]", node).pop(last, None)

    def num_rows(self, path: str) -> int:
        """Return how many rows a list of tables has."""
        rows = self.get(path)
        return len(cast("list[Any]", rows)) if isinstance(rows, list) else 0

    def shown(self, path: str) -> str:
        """Return an answer as a person types it; "" where there is none."""
        match self.get(path):
            case None:
                return ""
            case bool(value):
                return "yes" if value else "no"
            case list():
                return "; ".join(map(str, cast("list[Any]", self.get(path))))
            case 0:
                return ""
            case value:
                return str(value).strip() if is_answer(str(value)) else ""


def _steps(path: str) -> list[str | int]:
    return [name or int(number) for name, number in _STEP.findall(path)]


def _inner(node: Any, step: str | int) -> Any:
    """Return what is below a table or a list, or None where nothing is."""
    if isinstance(step, str):
        return cast("dict[str, Any]", node).get(step) if isinstance(node, dict) else None
    rows = cast("list[Any]", node) if isinstance(node, list) else []
    return rows[step] if step < len(rows) else None


def _set(node: Any, step: str | int, value: Any) -> None:
    if isinstance(step, int) and step == len(node):
        node.append(value)
    else:
        node[step] = value
