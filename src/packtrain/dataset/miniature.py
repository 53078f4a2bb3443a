"""The miniature: a true subset of the samples, by kind and side, with the extremes; the same for the same sources."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeVar

import msgspec

LEAST_OF_A_KIND: Final = 4
"""So many of each kind, where there are so many: a program that cannot read clips must fail in rehearsal."""
EXTREMES: Final = ("seconds", "frames", "width_pixels", "height_pixels", "columns", "rows")
"""Measures of which the sample with the most is taken, beside the one with most bytes: programs fail at the largest."""
Stratum = tuple[str, str]
"""A kind, and the name of a side of the data."""
_Name = TypeVar("_Name", str, Stratum)


class _Width(msgspec.Struct):
    """What the detail of a block of a table says of its width; everything else in it is skipped."""

    columns: Any = 0


_WIDTH: Final = msgspec.json.Decoder(_Width)


def shares(available: Mapping[Stratum, int], num_samples: int) -> dict[Stratum, int]:
    """Return how many samples of each kind and side the miniature takes: in proportion, at most all.

    At least four of each kind, and one of each side that it has. The sum is `num_samples`, or less where fewer exist;
    more only where four of each kind are more.
    """
    kinds: dict[str, int] = {}
    for (kind, _), there in available.items():
        kinds[kind] = kinds.get(kind, 0) + there
    taken: dict[Stratum, int] = {}
    for kind, wanted in _shared(kinds, num_samples, LEAST_OF_A_KIND).items():
        taken |= _shared({stratum: there for stratum, there in available.items() if stratum[0] == kind}, wanted, 1)
    return taken


def _shared(available: Mapping[_Name, int], num_samples: int, least: int) -> dict[_Name, int]:
    total = sum(available.values())
    taken = {
        name: min(there, max(least, num_samples * there // total if total else 0)) for name, there in available.items()
    }
    # Rounding and the least leave a rest of either sign: who has most samples gives or takes it.
    for name in sorted(available, key=lambda name: (-available[name], name)):
        rest = num_samples - sum(taken.values())
        taken[name] = max(min(available[name], least), min(available[name], taken[name] + rest))
    return taken


def choose(rows: Iterable[Mapping[str, Any]], wanted: Mapping[Stratum, int], seed: int) -> list[dict[str, Any]]:
    """Return the chosen rows in their order.

    Of each kind the extremes: the sample of most bytes, and of most by each measure of `EXTREMES`, of those that are
    trained on if there are any. Then of each kind and side those whose key has the smallest SHA-256 under the seed, up
    to the number wanted; where the extremes are more, there are more.
    """
    heaps: dict[Stratum, list[tuple[int, int, dict[str, Any]]]] = {stratum: [] for stratum in wanted}
    most: dict[tuple[str, str], tuple[bool, float, int, dict[str, Any]]] = {}
    for position, row in enumerate(rows):
        if row["withdrawn"]:
            continue
        for name, value in _sizes(row):
            held = most.get((row["kind"], name))
            is_trained_on = row["split"] == "train"
            if held is None or (is_trained_on, value) > held[:2]:
                most[row["kind"], name] = is_trained_on, value, position, dict(row)
        stratum = row["kind"], row["split"]
        heap, limit = heaps[stratum], wanted[stratum]
        draw = int.from_bytes(hashlib.sha256(f"{seed}/{row['key']}".encode()).digest(), "big")
        # Negative: the heap's first is then the largest draw, the one to push out.
        if len(heap) < limit:
            heapq.heappush(heap, (-draw, position, dict(row)))
        elif heap and -draw > heap[0][0]:
            heapq.heapreplace(heap, (-draw, position, dict(row)))
    chosen = {position: row for _, _, position, row in most.values()}
    left = dict(wanted)
    for row in chosen.values():
        left[row["kind"], row["split"]] -= 1
    for stratum, heap in heaps.items():
        others = [(position, row) for _, position, row in sorted(heap, reverse=True) if position not in chosen]
        chosen |= dict(others[: max(left[stratum], 0)])
    return [chosen[position] for position in sorted(chosen)]


def _sizes(row: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    yield "bytes", row["blob_bytes"]
    measures: dict[str, float] = dict(row["measures"] or ())
    yield from ((name, value) for name, value in measures.items() if name in EXTREMES)
    if row["kind"] == "table" and "columns" not in measures:
        columns = _WIDTH.decode(row["detail"]).columns
        yield "columns", columns if isinstance(columns, int) else 0
