"""Evaluation: samples that were never trained on, the model's bits a token beside those of a trivial baseline.

The baseline knows which token follows which: pairs counted on the training side, kind by kind, falling back on how
often a token occurs at all. As brightness is written in changes (tokens.py), it already knows "as the pixel before"
and "as the last frame". It is printed beside the plain frequencies, which it beats.
"""

from __future__ import annotations

import heapq
import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
import torch
from tokens import KINDS, NUM_LEVELS, PADDING, to_tensor
from torch import Tensor

from packtrain.training.loader import INDEX_NAME, SampleStore, is_by_side

NAME: Final = "evaluation.json"
_HELD_OUT_SHARE: Final = 8  # one in eight, where the index has no sides
_MOST_HELD_OUT: Final = 32  # of a kind
_MOST_COUNTED: Final = 256  # training samples of a kind that the baseline is counted on
_NUM_DRAWS: Final = 4  # stretches of a table, choices of frames of a clip
_FALL_BACK: Final = 16.0  # sightings that the frequencies count for beside a pair's own; near the best for all kinds
_MOST_WEIGHT: Final = 8.0


@dataclass(frozen=True)
class Sides:
    """What is trained on, and what is not.

    Attributes:
        train: the training side; it may hold samples of `held_out`, and their loss counts nothing then.
        held_out: kind and key of samples in `train` that are never trained on.
        counted: rows of `train` by kind, for the baseline; none of them is held out.
        judged: where the samples to judge by lie, and their rows by kind.
        origin: how they were chosen, in words.
        weights: how much a sample of a kind counts in the loss.
    """

    train: SampleStore
    held_out: frozenset[tuple[str, str]]
    counted: dict[str, list[int]]
    judged: tuple[SampleStore, dict[str, list[int]]]
    origin: str
    weights: dict[str, float]


def choose_sides(data: Path) -> Sides:
    """Return the sides of the index; where it has none, hold back the samples with the smallest digests of each kind.

    A digest chooses the same samples on every worker and in every run, whatever else is in the index.
    """
    train, rows = SampleStore(data, split="train"), _Rows(data, "train")
    most = max(len(numbers) for numbers in rows.of.values())
    # A kind that is rare would hardly be learnt: it counts more, by the square root.
    weights = {kind: min(_MOST_WEIGHT, math.sqrt(most / max(1, len(numbers)))) for kind, numbers in rows.of.items()}
    for side in ("validation", "test"):
        held = _Rows(data, side)
        if any(held.of.values()):
            judged = {kind: held.with_smallest_digests(kind, _MOST_HELD_OUT) for kind in KINDS}
            counted = {kind: _evenly(numbers) for kind, numbers in rows.of.items()}
            store = SampleStore(data, split=side)
            return Sides(train, frozenset(), counted, (store, judged), f"side {side} of the index", weights)
    judged = {
        # None of one sample alone: it could not be both trained on and judged by.
        kind: rows.with_smallest_digests(kind, -(-len(numbers) // _HELD_OUT_SHARE) if len(numbers) > 1 else 0)
        for kind, numbers in rows.of.items()
    }
    held_rows = {row for numbers in judged.values() for row in numbers}
    counted = {kind: _evenly([row for row in numbers if row not in held_rows]) for kind, numbers in rows.of.items()}
    names = frozenset((kind, rows.key(row)) for kind, numbers in judged.items() for row in numbers)
    return Sides(train, names, counted, (train, judged), "the samples of smallest digest of each kind", weights)


def evaluate(losses_of: Callable[[Tensor], Tensor], sides: Sides, seed: int) -> dict[str, Any]:
    """Return bits a token by kind, of model and baselines; every worker has to call it, and gets the same.

    Args:
        losses_of: the model: the loss of each row, in nats.
        sides: see `choose_sides`.
        seed: of the draws.
    """
    store, judged = sides.judged
    kinds: dict[str, Any] = {}
    for kind in KINDS:
        if not judged[kind] or not sides.counted[kind]:
            continue
        # Negative steps: draws that no training step makes.
        draws = range(-1, -1 - (1 if kind == "image" else _NUM_DRAWS), -1)
        tokens = torch.cat([to_tensor(store.__getitems__(judged[kind]), seed, draw) for draw in draws])
        num_tokens = int((tokens[:, 1:] != PADDING).sum())
        nats = sum(float(losses_of(part).double().sum()) for part in tokens.split(_MOST_HELD_OUT))
        counted = sides.train.__getitems__(sides.counted[kind])
        known = torch.cat([to_tensor(counted, seed, draw) for draw in draws])
        frequencies, pairs = _baselines(known.tolist(), tokens.tolist(), 256 if kind == "table" else NUM_LEVELS)
        kinds[kind] = {
            "samples": len(judged[kind]),
            "tokens": num_tokens,
            "model_bits_per_token": round(nats / num_tokens / math.log(2), 4),
            "baseline_bits_per_token": round(pairs / num_tokens, 4),
            "frequencies_bits_per_token": round(frequencies / num_tokens, 4),
        }
    return {
        "baseline": "which token follows which, counted on the training side by kind",
        "held_out": sides.origin,
        "kinds": kinds,
    }


def in_words(found: dict[str, Any]) -> str:
    """Return an evaluation as one line."""
    parts = [
        f"{kind} {of['model_bits_per_token']:.2f} bits a token (baseline {of['baseline_bits_per_token']:.2f})"
        for kind, of in found["kinds"].items()
    ]
    return "evaluation on held-out samples: " + ("; ".join(parts) or "none are held out")


def write(found: dict[str, Any], folder: Path) -> None:
    """Write evaluation.json, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{NAME}.part"
    temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / NAME)


class _Rows:
    """The rows of one side of the index, numbered as SampleStore numbers them; `of` has their numbers by kind."""

    def __init__(self, data: Path, side: str) -> None:
        path = data / INDEX_NAME
        names = pq.read_schema(path).names
        is_there = side == "train" or "split" in names
        only = [("split", "=", side)] if is_there and is_by_side(side, names) else None
        table = pq.read_table(path, columns=["key", "kind", "sha256"], filters=only, use_threads=False)
        kinds = (table if is_there else table.slice(0, 0))["kind"].to_numpy()
        self._keys, self._digests = table["key"], table["sha256"]
        self.of: dict[str, list[int]] = {kind: np.flatnonzero(kinds == kind).tolist() for kind in KINDS}

    def key(self, row: int) -> str:
        return str(self._keys[row].as_py())

    def with_smallest_digests(self, kind: str, num_wanted: int) -> list[int]:
        wanted = min(_MOST_HELD_OUT, num_wanted)
        return heapq.nsmallest(wanted, self.of[kind], key=lambda row: str(self._digests[row].as_py()))


def _evenly(numbers: Sequence[int]) -> list[int]:
    """Return at most `_MOST_COUNTED` of these numbers, from the first to the last."""
    return list(numbers[:: max(1, -(-len(numbers) // _MOST_COUNTED))])


def _baselines(known: list[list[int]], judged: list[list[int]], alphabet: int) -> tuple[float, float]:
    """Return the bits of all judged tokens, by the frequencies of tokens and by those of pairs."""
    known, judged = ([[token for token in row if token != PADDING] for row in rows] for rows in (known, judged))
    singles = Counter(token for row in known for token in row[1:])
    pairs = Counter(pair for row in known for pair in pairwise(row))
    firsts = Counter(token for row in known for token in row[:-1])
    total = singles.total()
    bits_by_frequency = bits_by_pair = 0.0
    for row in judged:
        for before, token in pairwise(row):
            share = (singles[token] + 1) / (total + alphabet)
            bits_by_frequency -= math.log2(share)
            bits_by_pair -= math.log2((pairs[before, token] + _FALL_BACK * share) / (firsts[before] + _FALL_BACK))
    return bits_by_frequency, bits_by_pair
