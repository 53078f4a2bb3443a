"""Reading back a drive that was erased: both ends, blocks by lot from every part of it, and where volumes began.

The lot is stratified: the drive is cut into a thousand equal parts, and from each two blocks are drawn. Random blocks
alone would leave large stretches unseen; these leave none longer than two thousandths of the drive between two looks.
"""

from __future__ import annotations

import mmap
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import msgspec

from packtrain.devices.sanitise_look import Header
from packtrain.devices.sanitise_target import HEAD_BYTES, forget_cached, is_direct
from packtrain.documents.sanitisation import FirstFault, ReadBack
from packtrain.units import MIB

BLOCK_BYTES: Final = MIB
NUM_PARTS: Final = 1000
PER_PART: Final = 2
_SHOWN_BYTES: Final = 32
_SECTOR_BYTES: Final = 4096
Told = Callable[[int, int], None]
"""Is told how many bytes were read, and of how many."""


def places(size_bytes: int, seed: str, how: Literal["sample", "full"]) -> Sequence[int]:
    """Return the offsets of the blocks that are read behind the first mebibyte, ascending.

    The same seed gives the same. All are multiples of a mebibyte, and the last block ends with the drive.
    """
    whole = range(HEAD_BYTES, size_bytes, BLOCK_BYTES)
    if how == "full" or len(whole) <= NUM_PARTS * PER_PART:
        return whole
    drawn = {whole[0], whole[-1]}
    lot = random.Random(bytes.fromhex(seed))
    for part in range(NUM_PARTS):
        first, end = len(whole) * part // NUM_PARTS, len(whole) * (part + 1) // NUM_PARTS
        drawn.update(whole[number] for number in lot.sample(range(first, end), PER_PART))
    return sorted(drawn)


@dataclass(slots=True)
class _Seen:
    read_bytes: int = 0
    num_faults: int = 0
    first: FirstFault | None = None
    fills: set[int] = field(default_factory=set[int])

    @property
    def pattern(self) -> Literal["00", "ff", ""]:
        if self.num_faults or len(self.fills) != 1:
            return ""
        return "00" if self.fills == {0x00} else "ff"

    def fault(self, offset: int, found: bytes) -> None:
        self.num_faults += 1
        if self.first is None or offset < self.first.offset:
            self.first = FirstFault(offset=offset, found=found[:_SHOWN_BYTES].hex())


def read_back(
    descriptor: int,
    size_bytes: int,
    seed: str,
    how: Literal["sample", "full"],
    headers: Sequence[Header],
    told: Told,
) -> ReadBack:
    """Return what stands on an open device behind its first mebibyte, where the mark of the run still is.

    Args:
        descriptor: of the whole device.
        size_bytes: its size.
        seed: 32 hexadecimal digits.
        how: "sample", or "full" for every byte.
        headers: what stood where before.
        told: takes progress.
    """
    forget_cached(descriptor)
    offsets = places(size_bytes, seed, how)
    seen = _Seen()
    known = [header for header in headers if header.offset >= HEAD_BYTES]
    with mmap.mmap(-1, BLOCK_BYTES) as buffer:
        for number, offset in enumerate(offsets, 1):
            _look(descriptor, buffer, offset, min(BLOCK_BYTES, size_bytes - offset), seen)
            told(number * BLOCK_BYTES, len(offsets) * BLOCK_BYTES)
        num_left = sum(_stands(descriptor, buffer, header, seen) for header in known)
    is_all = len(offsets) == len(range(HEAD_BYTES, size_bytes, BLOCK_BYTES))
    return ReadBack(
        how="full" if is_all else "sample",
        seed=seed,
        num_blocks=len(offsets),
        block_bytes=BLOCK_BYTES,
        read_bytes=seen.read_bytes,
        past_cache="direct" if is_direct(descriptor) else "dropped",
        pattern=seen.pattern,
        num_headers=len(known),
        num_headers_left=num_left,
        num_faults=seen.num_faults,
        first_fault=seen.first,
    )


def with_head(descriptor: int, read: ReadBack, headers: Sequence[Header]) -> ReadBack:
    """Return what was read back, and the first mebibyte besides: read once the mark is gone."""
    forget_cached(descriptor)
    seen = _Seen()
    known = [header for header in headers if header.offset < HEAD_BYTES]
    with mmap.mmap(-1, BLOCK_BYTES) as buffer:
        _look(descriptor, buffer, 0, HEAD_BYTES, seen)
        num_left = sum(_stands(descriptor, buffer, header, seen) for header in known)
    return msgspec.structs.replace(
        read,
        num_blocks=read.num_blocks + 1,
        read_bytes=read.read_bytes + seen.read_bytes,
        # The head was overwritten with zeros, whatever the device gives for what it discarded.
        pattern=read.pattern if seen.pattern == "00" else "",
        num_headers=read.num_headers + len(known),
        num_headers_left=read.num_headers_left + num_left,
        num_faults=read.num_faults + seen.num_faults,
        first_fault=seen.first or read.first_fault,
    )


def head_is_blank(descriptor: int) -> bool:
    """Return whether the first mebibyte of an open device holds zeros."""
    with mmap.mmap(-1, HEAD_BYTES) as buffer:
        return os.preadv(descriptor, [buffer], 0) == HEAD_BYTES and not any(buffer[:])


def _look(descriptor: int, buffer: mmap.mmap, offset: int, length: int, seen: _Seen) -> None:
    with memoryview(buffer) as view, view[:length] as wanted:
        try:
            found = os.preadv(descriptor, [wanted], offset)
        except OSError:
            seen.fault(offset, b"")
            return
    if found != length:
        seen.fault(offset, b"")
        return
    seen.read_bytes += length
    content = buffer[:length]
    rest = content.lstrip(content[:1]) if content[0] in (0x00, 0xFF) else content
    if not rest:
        seen.fills.add(content[0])
        return
    at = length - len(rest)
    seen.fault(offset + at, rest)


def _stands(descriptor: int, buffer: mmap.mmap, header: Header, seen: _Seen) -> bool:
    """Return whether a volume still begins where it began; a place that cannot be read counts as a fault."""
    aligned = header.offset - header.offset % _SECTOR_BYTES
    with memoryview(buffer) as view, view[: 2 * _SECTOR_BYTES] as wanted:
        try:
            found = os.preadv(descriptor, [wanted], aligned)
        except OSError:
            seen.fault(header.offset, b"")
            return False
    begin = header.offset - aligned
    if found < begin + len(header.content) or buffer[begin : begin + len(header.content)] != header.content:
        return False
    seen.fault(header.offset, header.content)
    return True
