"""A column as texts: what needs looking at is sieved out of it a column at a time, for most cells are nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute

from packtrain.dataset.scan.cells import MAX_JSON
from packtrain.dataset.scan.detector import MAX_TEXT
from packtrain.dataset.scan.registry import SIEVE

pc: Any = pyarrow.compute  # its functions are made when it is imported: no checker sees them
_LARGEST_EXACT: Final = 2.0**53
# What is JSON, and what has letters of full width, is looked at in any case.
_SIEVE: Final = rf"^[{{\[]|[\x{{FF01}}-\x{{FF5E}}]|{SIEVE}"


@dataclass(frozen=True, slots=True)
class Texts:
    """The cells of some rows.

    Attributes:
        num_filled: how many are not empty.
        num_long: of how many only the beginning is looked at.
        candidates: the different ones that a detector may know, cut, and how often each is there.
    """

    num_filled: int
    num_long: int
    candidates: list[tuple[str, int]]


def as_texts(columns: Sequence[Any], sieve: str = _SIEVE) -> list[Texts | None]:
    """Return the cells of each column; None for a type without text: numbers with a fraction, days, truth values.

    Args:
        columns: Arrow arrays of one length.
        sieve: what a candidate matches, in the syntax of RE2.
    """
    texts = [_text_array(values) for values in columns]
    there = [values for values in texts if values is not None]
    try:
        sieved = iter(_sieved(there, sieve))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        # Parquet files are not held to UTF-8 by those who write them.
        sieved = iter([_mended(values) for values in there])
    return [next(sieved) if values is not None else None for values in texts]


def _text_array(values: Any) -> Any:
    if pa.types.is_float32(values.type) or pa.types.is_float64(values.type):
        # Whole numbers with gaps are often kept as floats.
        is_whole = pc.all(pc.equal(values, pc.round(values))).as_py()
        if not is_whole or pc.max(pc.abs(values)).as_py() >= _LARGEST_EXACT:
            return None
        values = values.cast(pa.int64())
    is_number = pa.types.is_integer(values.type) or pa.types.is_decimal(values.type)
    if is_number or pa.types.is_string(values.type) or pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    return values if pa.types.is_large_string(values.type) else None


def _sieved(columns: list[Any], sieve: str) -> list[Texts]:
    """Return the cells of columns of one length, all sieved at once: the sieve takes longer to make than to use."""
    if not columns:
        return []
    whole = pa.concat_arrays(columns)
    lengths = pc.fill_null(pc.utf8_length(whole), 0)
    cells = pc.utf8_trim_whitespace(pc.utf8_slice_codeunits(whole, 0, MAX_JSON))
    is_chosen = pc.fill_null(pc.match_substring_regex(cells, sieve), False)
    is_filled = pc.greater(lengths, 0)
    is_long = pc.greater(lengths, MAX_TEXT)
    if pc.any(is_long).as_py():
        # A JSON cell is read further than a text is.
        is_json = pc.fill_null(pc.match_substring_regex(cells, r"^[{\[]"), False)
        is_long = pc.and_not(is_long, pc.and_(is_json, pc.less_equal(lengths, MAX_JSON)))
    found: list[Texts] = []
    for number, values in enumerate(columns):
        first, length = number * len(values), len(values)
        chosen = cells.slice(first, length).filter(is_chosen.slice(first, length))
        counted = pc.value_counts(chosen).to_pylist() if len(chosen) else []
        found.append(
            Texts(
                is_filled.slice(first, length).true_count,
                is_long.slice(first, length).true_count,
                [(each["values"], each["counts"]) for each in counted],
            )
        )
    return found


def _mended(values: Any) -> Texts:
    raw = [cell for cell in values.cast(pa.large_binary()).to_pylist() if cell]
    num_long = sum(len(cell) > MAX_TEXT for cell in raw)
    cells = Counter(cell[: 4 * MAX_JSON].decode("utf-8", "replace")[:MAX_JSON].strip() for cell in raw)
    return Texts(len(raw), num_long, list(cells.items()))
