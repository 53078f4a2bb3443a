"""What one core does in a second: the digests, the cipher and the code that every byte of a cargo goes through."""

from __future__ import annotations

import hashlib
import mmap
import time
from collections.abc import Callable
from typing import Final

import xxhash

from packtrain.crypto import age
from packtrain.documents.measurement import Rate
from packtrain.erasure.code import Code
from packtrain.units import MIB

CORE_SECONDS: Final = 0.4
"""For each: shorter than that, and a core that was asleep is measured while it wakes."""
_BLOCK_BYTES: Final = MIB


def rate_of(moved_bytes: int, seconds: float, how: str) -> Rate:
    """Return a rate; of no time at all it is that of a microsecond."""
    seconds = max(seconds, 1e-6)
    return Rate(bytes_per_second=round(moved_bytes / seconds), bytes=moved_bytes, seconds=round(seconds, 3), how=how)


def core_rates(k: int, m: int, seconds: float = CORE_SECONDS) -> dict[str, Rate | None]:
    """Return the rates of one core by name: sha256, xxh3, encrypt, encode (None of a code without parity).

    Args:
        k, m: the code to measure.
        seconds: for each of them.
    """
    with mmap.mmap(-1, _BLOCK_BYTES) as mapped, memoryview(mapped) as block:
        return {
            "sha256": _repeated(seconds, _BLOCK_BYTES, hashlib.sha256().update, block, "one core, blocks of 1 MiB"),
            "xxh3": _repeated(seconds, _BLOCK_BYTES, xxhash.xxh3_64().update, block, "one core, blocks of 1 MiB"),
            "encrypt": _encrypt(seconds, block),
            "encode": _encode(seconds, k, m),
        }


def _repeated(
    seconds: float, step_bytes: int, work: Callable[[memoryview], object], block: memoryview, how: str
) -> Rate:
    work(block)
    num_steps, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < seconds:
        work(block)
        num_steps += 1
    return rate_of(num_steps * step_bytes, elapsed, how)


def _encrypt(seconds: float, block: memoryview) -> Rate:
    def drop(_piece: memoryview | bytes) -> None:
        return None

    with age.EncryptWriter(drop, age.recipient_of(age.generate_identity())) as sealed:
        return _repeated(seconds, _BLOCK_BYTES, sealed.write, block, "one core, age with X25519, written nowhere")


def _encode(seconds: float, k: int, m: int) -> Rate | None:
    if m == 0:
        return None
    code = Code(k, m)
    with mmap.mmap(-1, (k + m) * _BLOCK_BYTES) as mapped, memoryview(mapped) as whole:
        columns = [whole[at * _BLOCK_BYTES : (at + 1) * _BLOCK_BYTES] for at in range(k + m)]
        try:
            return _repeated(
                seconds,
                k * _BLOCK_BYTES,
                lambda _: code.encode(columns[:k], columns[k:]),
                whole,
                f"one core, data bytes of a {k}+{m} code, rows of 1 MiB",
            )
        finally:
            for column in columns:
                column.release()
