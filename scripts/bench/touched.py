"""Memory that somebody has written to before: what a page costs whose first user is a benchmark.

A virtual machine whose host takes free memory back pays for each page anew at its first use, here 2 to 5 microseconds:
more than copying it, and more than any of the programs compared takes for it. A host gives and takes whole blocks of
2 MiB, so a page held in each keeps the rest at hand.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_PAGE_BYTES: Final = mmap.PAGESIZE
# One page in 128 stays in use: four in each block that a host could take, as pages are not handed out in order.
_PAGES_PER_HELD: Final = 128


def available_bytes() -> int:
    """Return how much memory the kernel would give away now."""
    for line in Path("/proc/meminfo").read_text("ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def touched_memory(total_bytes: int) -> Iterator[int]:
    """Write to this much memory, give nearly all of it back to the kernel, and hold the rest; yield the bytes held.

    Args:
        total_bytes: how much memory what runs inside will use at the most, memory file systems included.
    """
    stride = _PAGES_PER_HELD * _PAGE_BYTES
    length = total_bytes // stride * stride
    if not length:
        yield 0
        return
    # Private: of a shared mapping, which is what mmap makes unless told otherwise, MADV_DONTNEED gives nothing back.
    with mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        # A huge page would be given back, and taken, as one.
        pages.madvise(mmap.MADV_NOHUGEPAGE)
        for offset in range(0, length, _PAGE_BYTES):
            pages[offset] = 1
        for offset in range(0, length, stride):
            pages.madvise(mmap.MADV_DONTNEED, offset + _PAGE_BYTES, stride - _PAGE_BYTES)
        yield length // _PAGES_PER_HELD
