"""What the processor does for the erasure code and for SHA-256: which kernel runs, and how fast it is, in a blink."""

from __future__ import annotations

import hashlib
import os
import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from packtrain.doctor.finding import Finding, State, Subject
from packtrain.units import MIB, format_rate

_CODED: Final = ("pack", "check", "load")
_BLINK_SECONDS: Final = 0.1
_DATA, _PARITY = 10, 4
_SLOW_CODE_BYTES: Final = 500_000_000
"""A second of source bytes on one core: below it the code, not the drives, sets the pace of two or three drives."""
_SLOW_HASH_BYTES: Final = 600_000_000
_KERNELS: Final = (
    ("AVX-512 with GFNI", {"gfni", "avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}),
    ("AVX2 with GFNI", {"gfni", "avx2"}),
    ("AVX-512", {"avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"}),
    ("AVX2", {"avx2"}),
    ("AVX", {"avx"}),
    ("SSE4.1", {"sse4_1"}),
    ("SVE", {"sve"}),
    ("NEON", {"asimd"}),
)
"""Fastest first: ISA-L takes the first that the processor has, if it is new enough to know it."""


def look_at_code(subject: Subject) -> Iterator[Finding]:
    """Yield which ISA-L is used, what the processor offers it, and how fast it codes 10 and 4."""
    from packtrain.erasure.code import Code
    from packtrain.erasure.isal import load_isal
    from packtrain.errors import MissingDependency

    try:
        path = load_isal().path
    except MissingDependency as error:
        why = "the drives can be neither coded nor repaired"
        yield Finding("ISA-L", "fault", error.found or error.what, _CODED, why, "pip install --force-reinstall pyeclib")
        return
    code = Code(_DATA, _PARITY)
    data = [os.urandom(MIB // 4) for _ in range(_DATA)]
    parity = [bytearray(MIB // 4) for _ in range(_PARITY)]
    code.encode(data, parity)
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < _BLINK_SECONDS:
        code.encode(data, parity)
        done += _DATA * MIB // 4
    rate = int(done / elapsed)
    flags = processor_flags()
    kernel = next((name for name, needs in _KERNELS if needs <= flags), None)
    offered = f"the processor offers {kernel}" if kernel else "no vector unit that ISA-L knows was found: the slow path"
    found = f"{format_rate(rate)} coded 10+4 on one core; {offered}; {path}"
    if rate >= _SLOW_CODE_BYTES:
        yield Finding("ISA-L", "ok", found, _CODED)
        return
    why = "coding takes longer than the drives do; another program may have had the core just now"
    remedy = "run doctor again when nothing else runs; else take a processor with AVX2, or: pip install -U pyeclib"
    yield Finding("ISA-L", "warn", found, _CODED, why, remedy)


def look_at_hash(subject: Subject) -> Iterator[Finding]:
    """Yield whether SHA-256 is done by the processor, and how fast."""
    flags = processor_flags()
    block = bytes(MIB)
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < _BLINK_SECONDS:
        hashlib.sha256(block)
        done += MIB
    rate = int(done / elapsed)
    has = bool(flags & {"sha_ni", "sha2"})
    found = f"{format_rate(rate)} on one core, {'with' if has else 'without'} the processor's SHA extension"
    if not flags:
        found = f"{format_rate(rate)} on one core; what the processor has is not told here"
    state: State = "ok" if rate >= _SLOW_HASH_BYTES else "warn"
    why = "every byte is hashed: one fast drive keeps more than one core busy" if state == "warn" else ""
    remedy = "plan with this machine's rates: packtrain plan --source-rate; or take one with SHA extensions"
    yield Finding("SHA-256", state, found, ("prepare", *_CODED), why, remedy if state == "warn" else "")


def processor_flags(proc: Path = Path("/proc")) -> set[str]:
    """Return what the processor has, as the kernel spells it; empty where it does not tell."""
    try:
        lines = (proc / "cpuinfo").read_text(errors="replace").splitlines()
    except OSError:
        return set()
    name = "Features" if platform.machine() in ("aarch64", "arm64") else "flags"
    words = next((line.partition(":")[2] for line in lines if line.startswith(name)), "")
    return set(words.split())
