"""metrics.jsonl as it leaves: written anew from the numbers of its lines, with seven digits and in one order of keys.

A step that was made again after a restart takes the place of what was written of it and of later ones, as in the
metrics that packtrain writes. What a line says beside numbers stays. A number of seven digits still carries some 23
bits, and nobody can tell a loss from a byte: the export list says so.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, cast

from packtrain.errors import ExportDenied

NUM_DIGITS: Final = 7
"""About as many as a float32 has."""

MAX_KEYS: Final = 32
MAX_WHOLE_NUMBER: Final = 10**12
_FIRST_KEYS: Final = ("step", "loss", "samples")
_COUNTS: Final = ("step", "samples")
_KEY: Final = re.compile(r"\A[A-Za-z][A-Za-z0-9_./-]{0,47}\Z")


def metrics_that_leave(payload: bytes, where: str) -> bytes:
    """Return the lines written anew; what was written anew before stays as it is, byte for byte.

    Raises:
        ExportDenied: a line is no JSON object of numbers or has no step, or there are more than 32 keys.
    """
    keys: set[str] = set()
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(payload.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            found = _object(line)
        except (ValueError, RecursionError) as error:
            raise _denied(f"is no JSON object: {str(error)[:100]}", where, number) from error
        step = found.get("step")
        if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step <= MAX_WHOLE_NUMBER:
            raise _denied("has no step", where, number)
        while lines and lines[-1][0] >= step:
            lines.pop()
        keys.update(found)
        if len(keys) > MAX_KEYS:
            raise _denied(f"makes it more than {MAX_KEYS} keys", where, number)
        order = [*(key for key in _FIRST_KEYS if key in found), *sorted(found.keys() - set(_FIRST_KEYS))]
        lines.append((step, json.dumps({key: _number(key, found[key], where, number) for key in order})))
    return "".join(f"{line}\n" for _, line in lines).encode("ascii")


def _number(key: str, value: Any, where: str, line: int) -> int | float | bool | None:
    if not _KEY.match(key):
        raise _denied(f"has a key that is no plain name: {key[:48]!r}", where, line)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= MAX_WHOLE_NUMBER:
        return value if key in _COUNTS else int(float(f"{value:.{NUM_DIGITS}g}"))
    if isinstance(value, float):
        # A loss that went astray is written as null, as JSON has no other word for it.
        return float(f"{value:.{NUM_DIGITS}g}") if math.isfinite(value) else None
    raise _denied(f"holds under {key!r} what is no number that leaves", where, line)


def _object(line: bytes) -> dict[str, Any]:
    found = json.loads(line.decode("utf-8"), object_pairs_hook=_once)
    if not isinstance(found, dict):
        raise ValueError("a value of another kind")  # noqa: TRY004 - JSON of the wrong shape, as all that is caught here
    return cast("dict[str, Any]", found)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key given twice")
    return found


def _denied(what: str, where: str, line: int) -> ExportDenied:
    return ExportDenied(
        f"line {line} {what}",
        where=where,
        expected='lines like {"step": 1, "loss": 2.5}: numbers only',
        hint="words belong into another declared text file; docs/reference/export-toml.md",
    )
