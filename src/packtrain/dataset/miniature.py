"""The miniature: a true subset of the samples, stratified by kind, the same for the same sources and seed."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable, Mapping
from typing import Any, Final

LEAST_OF_A_KIND: Final = 4
"""So many of each kind, where there are so many: a program that cannot read clips must fail in rehearsal."""


def shares(available: Mapping[str, int], num_samples: int) -> dict[str, int]:
    """Return how many samples of each kind the miniature takes: in proportion, at least four, at most all.

    The sum is `num_samples`, or less where fewer exist; more only where four of each kind are more.
    """
    total = sum(available.values())
    taken = {
        kind: min(there, max(LEAST_OF_A_KIND, num_samples * there // total if total else 0))
        for kind, there in available.items()
    }
    # Rounding and the least of a kind leave a rest of either sign: the kind with most samples gives or takes it.
    for kind in sorted(available, key=lambda name: (-available[name], name)):
        rest = num_samples - sum(taken.values())
        taken[kind] = max(min(available[kind], LEAST_OF_A_KIND), min(available[kind], taken[kind] + rest))
    return taken


def choose(rows: Iterable[Mapping[str, Any]], wanted: Mapping[str, int], seed: int) -> list[dict[str, Any]]:
    """Return the chosen rows in their order: of each kind those whose key has the smallest SHA-256 under the seed."""
    heaps: dict[str, list[tuple[int, int, dict[str, Any]]]] = {kind: [] for kind in wanted}
    for position, row in enumerate(rows):
        if row["withdrawn"]:
            continue
        heap, limit = heaps[row["kind"]], wanted[row["kind"]]
        draw = int.from_bytes(hashlib.sha256(f"{seed}/{row['key']}".encode()).digest(), "big")
        # Negative: the heap's first is then the largest draw, the one to push out.
        if len(heap) < limit:
            heapq.heappush(heap, (-draw, position, dict(row)))
        elif heap and -draw > heap[0][0]:
            heapq.heapreplace(heap, (-draw, position, dict(row)))
    chosen = sorted(((position, row) for heap in heaps.values() for _, position, row in heap), key=lambda pair: pair[0])
    return [row for _, row in chosen]
