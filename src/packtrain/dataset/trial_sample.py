"""Which files stand for all of them, and what is said of all from those: a stratified sample by kind and size."""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from packtrain.dataset.sources import SourceFile
from packtrain.documents.dataset import Kind

Layer = tuple[Kind, int]
"""A kind, and a class of sizes: each holds files of up to four times the size of its smallest."""
_SPREAD: Final = 2.0


@dataclass(slots=True)
class Layers:
    """How many files and bytes each layer has."""

    num_files: dict[Layer, int] = field(default_factory=dict[Layer, int])
    num_bytes: dict[Layer, int] = field(default_factory=dict[Layer, int])

    @classmethod
    def of(cls, files: Iterable[tuple[Kind, SourceFile]]) -> Layers:
        """Count files by layer."""
        found = cls()
        for kind, file in files:
            layer = layer_of(kind, file)
            found.num_files[layer] = found.num_files.get(layer, 0) + 1
            found.num_bytes[layer] = found.num_bytes.get(layer, 0) + file.size_bytes
        return found

    def shares(self, num_wanted: int) -> dict[Layer, int]:
        """Return how many files of each layer to read: by its part of the files and of the bytes, at least two."""
        files, size = max(sum(self.num_files.values()), 1), max(sum(self.num_bytes.values()), 1)
        if files <= num_wanted:
            return dict(self.num_files)
        wanted: dict[Layer, int] = {}
        for layer, there in self.num_files.items():
            part = (there / files + self.num_bytes[layer] / size) / 2
            wanted[layer] = min(there, max(2, round(num_wanted * part)))
        return wanted


def layer_of(kind: Kind, file: SourceFile) -> Layer:
    """Return the layer of a file."""
    return kind, file.size_bytes.bit_length() // 2


def draw(
    files: Iterable[tuple[Kind, SourceFile]], wanted: Mapping[Layer, int], seed: int
) -> list[tuple[Kind, SourceFile]]:
    """Return of each layer the files whose names have the smallest SHA-256 under the seed, in the order of the walk."""
    heaps: dict[Layer, list[tuple[int, int, Kind, SourceFile]]] = {layer: [] for layer in wanted}
    for position, (kind, file) in enumerate(files):
        layer = layer_of(kind, file)
        number = -int.from_bytes(hashlib.sha256(f"{seed}/{file.name}".encode()).digest(), "big")
        heap = heaps.setdefault(layer, [])
        if len(heap) < wanted.get(layer, 0):
            heapq.heappush(heap, (number, position, kind, file))
        elif heap and number > heap[0][0]:
            heapq.heapreplace(heap, (number, position, kind, file))
    chosen: dict[int, tuple[Kind, SourceFile]] = {}
    for heap in heaps.values():
        chosen |= {position: (kind, file) for _, position, kind, file in heap}
    return [chosen[position] for position in sorted(chosen)]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number of all files: likely, and from low to high; equal where all were read."""

    low: float
    likely: float
    high: float

    def times(self, factor: float) -> Estimate:
        """Return the estimate of a multiple."""
        return Estimate(self.low * factor, self.likely * factor, self.high * factor)


def total(values: Mapping[Layer, Sequence[float]], num_files: Mapping[Layer, int]) -> Estimate:
    """Return the sum over all files of what was measured of some, with two standard deviations to each side.

    The stratified estimate (Cochran, "Sampling Techniques", chapter 5). Of a layer of which one file was read its own
    value is taken as the deviation; one of which none was is left out.
    """
    likely = variance = read = 0.0
    for layer, found in values.items():
        num, there = len(found), num_files[layer]
        if not num:
            continue
        mean = sum(found) / num
        scatter = sum((value - mean) ** 2 for value in found) / (num - 1) if num > 1 else mean * mean
        likely += there * mean
        variance += there * there * (1 - num / there) * scatter / num
        read += sum(found)
    spread = _SPREAD * math.sqrt(variance)
    return Estimate(max(likely - spread, read), likely, likely + spread)


def share(num_bad: float, num_read: int, num_files: int) -> Estimate:
    """Return the share of all files that is bad, from the number of bad ones among those that were read.

    The interval of Wilson (1927) at two standard deviations, narrowed as more of all files were read: it says something
    also where none was bad.
    """
    if not num_read:
        return Estimate(0.0, 0.0, 1.0)
    part = num_bad / num_read
    squared = _SPREAD**2 * (1 - num_read / num_files)
    middle = (part + squared / (2 * num_read)) / (1 + squared / num_read)
    half = math.sqrt(squared * (part * (1 - part) / num_read + squared / (4 * num_read**2))) / (1 + squared / num_read)
    return Estimate(max(middle - half, 0.0), part, min(middle + half, 1.0))
