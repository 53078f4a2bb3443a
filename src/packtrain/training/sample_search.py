"""Looks for the training data in what is about to leave.

What it sees: bytes of a sample as the program gets them, for samples spread over the data set, and digests of samples
in text. What it cannot see: other samples; samples that were compressed, encrypted, decoded, cut into small pieces or
put in another order; what a model has learned by heart. It is one gate among others, and the export list says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from packtrain.training.loader import SampleStore

NUM_PROBES: Final = 256
PROBE_BYTES: Final = 32
# Fewer different bytes than this occur in weights and in text by themselves (runs of zeros, ruled lines).
_MIN_DISTINCT: Final = 12
_PIECE_BYTES: Final = 16 << 20
_DIGEST: Final = re.compile(rb"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Probe:
    """A stretch of one sample's bytes, and whose it is."""

    key: str
    content: bytes


def choose_probes(store: SampleStore, num_probes: int = NUM_PROBES) -> tuple[Probe, ...]:
    """Return probes from samples spread evenly over the data set: the middle of each, where no file header lies.

    Samples without a telling stretch (too short, or too plain) give none.

    Raises:
        IntegrityError: the store cannot be read.
    """
    count = min(num_probes, len(store))
    probes: list[Probe] = []
    for number in range(count):
        sample = store[number * len(store) // count]
        start = max(0, (len(sample.payload) - PROBE_BYTES) // 2)
        content = sample.payload[start : start + PROBE_BYTES]
        if len(content) == PROBE_BYTES and len(set(content)) >= _MIN_DISTINCT:
            probes.append(Probe(sample.key, content))
    return tuple(probes)


def find_samples(path: Path, probes: Iterable[Probe]) -> list[str]:
    """Return the keys of the samples of which a stretch lies in the file.

    The file is read once, in pieces of 16 MiB, whatever the number of probes.
    """
    wanted = list(probes)
    if not wanted:
        return []
    import numpy as np

    starts = np.unique(np.array([int.from_bytes(probe.content[:4], "little") for probe in wanted], dtype=np.uint32))
    # Two bytes first, by table: only some 0.4 % of all places (256 of 65,536) are looked at more closely.
    is_start = np.zeros(1 << 16, dtype=np.bool_)
    is_start[starts & 0xFFFF] = True
    by_start: dict[bytes, list[Probe]] = {}
    for probe in wanted:
        by_start.setdefault(probe.content[:4], []).append(probe)
    found: set[str] = set()
    with path.open("rb") as stream:
        tail = b""
        while piece := stream.read(_PIECE_BYTES):
            window = tail + piece
            for shift in (0, 1):
                pairs = np.frombuffer(window, dtype="<u2", offset=shift, count=max(0, len(window) - shift) // 2)
                for place in (np.flatnonzero(is_start[pairs]) * 2 + shift).tolist():
                    for probe in by_start.get(window[place : place + 4], ()):
                        if window.startswith(probe.content, place):
                            found.add(probe.key)
            tail = window[-(PROBE_BYTES - 1) :]
    return sorted(found)


def find_digests(text: bytes, digests: Iterable[str]) -> list[str]:
    """Return which of these SHA-256 digests (hex) the text holds."""
    written = {match.decode("ascii") for match in _DIGEST.findall(text.lower())}
    return sorted(written.intersection(digests)) if written else []
