"""TOML out: what a program writes into a file that people write too. Reading is `toml_file.py`'s."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

_COMMENT_COLUMN: Final = 34
_INLINE: Final = "evidence"
"""Rows of this name stand in one line with their table; other rows are tables of their own."""

Values = Mapping[str, Any]


def toml_text(values: Values, comments: Mapping[str, str]) -> str:
    """Return the TOML that spells texts, numbers, lists and tables of them; `tomllib` reads the same from it.

    Args:
        values: names made of letters, digits and "_"; what a list of tables holds are tables.
        comments: by the dotted name of a field or table, without numbers of rows: stands behind it.
    """
    return "\n".join(_table(values, "", comments)).strip("\n") + "\n"


def _table(values: Values, name: str, comments: Mapping[str, str]) -> Iterator[str]:
    for key, value in values.items():
        if not _tables_in(key, value):
            yield _with(f"{key} = {_value(value)}", comments.get(_below(name, key)))
    # In TOML a table ends where the next begins: what is a table of its own comes last.
    for key, value in values.items():
        place = _below(name, key)
        for table in _tables_in(key, value):
            yield ""
            header = f"[{place}]" if isinstance(value, dict) else f"[[{place}]]"
            yield _with(header, comments.get(place))
            yield from _table(table, place, comments)


def _tables_in(key: str, value: object) -> list[dict[str, Any]]:
    """Return the tables that a value is: itself, or its rows; none where it stands in a line."""
    if isinstance(value, dict):
        return [cast("dict[str, Any]", value)]
    if isinstance(value, list) and key != _INLINE:
        return [cast("dict[str, Any]", row) for row in cast("list[object]", value) if isinstance(row, dict)]
    return []


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            # JSON's escapes are TOML's; TOML alone forbids DEL.
            return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
        case dict():
            fields = cast("dict[str, object]", value)
            return "{ " + ", ".join(f"{key} = {_value(inner)}" for key, inner in fields.items()) + " }"
        case list():
            return f"[{', '.join(map(_value, cast('list[object]', value)))}]"
        case _:
            return repr(value)


def _below(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _with(line: str, comment: str | None) -> str:
    return f"{line:<{_COMMENT_COLUMN - 1}} # {comment}" if comment else line
