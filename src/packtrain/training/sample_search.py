"""Samples of the store, for looking for them in what is about to leave: whole in texts, by stretches in weights.

At most 4,096 samples and 2 GiB of them are read, spread over the data set: all of a small one. The others are not
looked for, and the export list says how many were.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from packtrain.training.needles import Needle, telling
from packtrain.training.text_search import TextWindows
from packtrain.training.written_forms import as_text, as_words

if TYPE_CHECKING:
    from packtrain.training.store import Sample

MAX_SAMPLES: Final = 4096
MAX_SAMPLE_BYTES: Final = 2 << 30
PROBE_BYTES: Final = 32
NUM_PROBES: Final = 2048
_PLACES: Final = (2, 1, 3)
"""Where stretches are taken, in quarters of a sample: the middle first, where no header of a file lies."""


class Samples(Protocol):
    """What is looked for: the samples of a store, or the files of a folder that has no index."""

    def __len__(self) -> int:
        """Return how many there are."""
        ...

    def __getitem__(self, row: int, /) -> Sample:
        """Return one."""
        ...

    def sample_digests(self) -> list[str]:
        """Return the SHA-256 of all that is known of."""
        ...


@dataclass(frozen=True, slots=True)
class Looked:
    """What was read of the store.

    Attributes:
        num_samples: that were read, of `num_in_store`.
        probes: stretches of them, to be looked for in weights; each of the first samples has at least one.
        in_text: keys of samples of which some text has a stretch.
    """

    num_samples: int
    num_in_store: int
    probes: tuple[Needle, ...]
    in_text: tuple[str, ...]

    def needles(self) -> Iterator[Needle]:
        """Yield the stretches in the forms that are looked for in weights."""
        for probe in self.probes:
            for forms in (as_text(probe.content), as_words(probe.content)):
                for form in forms:
                    yield Needle(probe.label, form)


def look_at_samples(store: Samples, windows: TextWindows, max_bytes: int = MAX_SAMPLE_BYTES) -> Looked:
    """Read samples spread over the store; hold them against the texts, and take stretches of them.

    Raises:
        IntegrityError: the store cannot be read.
    """
    count = min(MAX_SAMPLES, len(store))
    probes: list[Needle] = []
    in_text: list[str] = []
    num_read, left = 0, max_bytes
    each = max(1, min(len(_PLACES), NUM_PROBES // max(1, count)))
    for number in _spread(count):
        if left <= 0:
            break
        sample = store[number * len(store) // count]
        num_read, left = num_read + 1, left - len(sample.payload)
        content = sample.payload
        if sample.kind == "table":
            content = content.partition(b"\n")[2]  # names of columns may be said
        if windows.hold(content):
            in_text.append(sample.key)
        if len(probes) < NUM_PROBES:
            probes += [Needle(sample.key, probe) for probe in _probes(content)][:each]
    return Looked(num_read, len(store), tuple(probes), tuple(in_text))


def _probes(content: bytes) -> Iterator[bytes]:
    """Yield stretches that can be told from others; none where a sample is too short, or too plain."""
    for quarter in _PLACES:
        start = max(0, len(content) * quarter // 4 - PROBE_BYTES // 2)
        probe = content[start : start + PROBE_BYTES]
        if len(probe) == PROBE_BYTES and telling(probe):
            yield probe


def _spread(count: int) -> Iterator[int]:
    """Yield each number below `count` once, so that those of any beginning lie spread over all."""
    import math

    step = max(1, int(count * 0.618))
    while math.gcd(step, count) > 1:
        step += 1
    for number in range(count):
        yield number * step % count
