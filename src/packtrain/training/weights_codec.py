"""Weights made smaller without loss: a file of our own form, cut into blocks that are opened one by one.

The form is docs/spec/weights-1.md. Each block holds at most 4 MiB of one tensor, so that memory is bounded by blocks
and threads, never by the file. The reader needs no safetensors header and believes no length.
"""

from __future__ import annotations

import os
import struct
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from packtrain.errors import WeightsUnopenable
from packtrain.training.weights_codec_base import BaseWeights
from packtrain.training.weights_codec_layout import Stretch, stretches
from packtrain.training.weights_codec_planes import (
    BLOCK_BYTES,
    HEAD,
    BlockHead,
    decode_block,
    encode_block,
    parse_head,
    plane_heads_bytes,
)
from packtrain.units import quoted

FORM: Final = "packtrain-weights-1"
MAGIC: Final = b"packtrain-weights-1\n"
_FILE_HEAD: Final = struct.Struct(f"<{len(MAGIC)}sQ32s")
"""Magic, bytes of the open file, SHA-256 of the base (zeros without one)."""
_NO_BASE: Final = bytes(32)
_MAX_THREADS: Final = 8
Job = TypeVar("Job")
Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class _Block:
    offset: int
    num_bytes: int
    stretch: Stretch
    base_offset: int | None


def num_threads_here() -> int:
    """Return how many threads this process may keep busy, at most 8: beyond that the disk waits."""
    return min(_MAX_THREADS, len(os.sched_getaffinity(0)))


def compress(source: Path, target: BinaryIO, base: BaseWeights | None = None, num_threads: int = 1) -> int:
    """Write `source` to `target` in the form above; return the bytes written.

    Any file goes in; one that is no safetensors file is cut into blocks of bytes.

    Args:
        source: the file.
        target: takes the compressed bytes.
        base: one file of weights that the reader will have. Tensors of the same name, dtype and shape are written as
            their difference to it, where that is smaller.
        num_threads: how many blocks are worked on at a time.
    """
    total_bytes = source.stat().st_size
    with source.open("rb", buffering=0) as stream:
        laid_out = stretches(source)
        descriptor = stream.fileno()

        def encode(block: _Block) -> bytes:
            raw = _pread(descriptor, block.num_bytes, block.offset, str(source))
            before = None
            if base is not None and block.base_offset is not None:
                before = base.read(block.base_offset, block.num_bytes)
            kind = block.stretch
            return encode_block(
                raw, kind.width, is_float=kind.is_float, base=before, base_offset=block.base_offset or 0
            )

        written = target.write(
            _FILE_HEAD.pack(MAGIC, total_bytes, _NO_BASE if base is None else bytes.fromhex(base.sha256))
        )
        for piece in _in_order(encode, _blocks(laid_out, base), num_threads):
            target.write(piece)
            written += len(piece)
    return written


def decompress(
    source: BinaryIO, target: BinaryIO, total_bytes: int, base: BaseWeights | None, where: str, num_threads: int = 1
) -> None:
    """Write to `target` what `compress` was given.

    Args:
        source: the compressed bytes, of somebody who is not trusted.
        target: takes the open bytes; whoever calls holds their digest against what was signed.
        total_bytes: how long the open file is said to be by the export list.
        base: the base, where one is needed.
        where: for messages.
        num_threads: how many blocks are worked on at a time.

    Raises:
        WeightsUnopenable: not in this form, cut, with bytes after its end, of another length, or made against a base
            that is not `base`.
    """
    magic, stated_bytes, base_digest = _FILE_HEAD.unpack(_exactly(source, _FILE_HEAD.size, where))
    if magic != MAGIC or stated_bytes != total_bytes:
        raise WeightsUnopenable(
            "compressed weights begin otherwise than the export list says",
            where=where,
            expected=f"{FORM}, {total_bytes} bytes",
            found=f"{quoted(magic[:20])}, {stated_bytes} bytes",
        )
    needed = None if base_digest == _NO_BASE else base_digest.hex()
    if needed is not None and (base is None or base.sha256 != needed):
        raise WeightsUnopenable(
            "compressed weights are a difference to weights that are not here",
            where=where,
            expected=f"a base with SHA-256 {needed}",
            found="no base" if base is None else base.sha256,
            hint="name the file they were made against: [results] base, or --base",
        )

    def decode(block: tuple[BlockHead, bytes]) -> bytes:
        head, body = block
        before = None
        if head.needs_base:
            if needed is None or base is None:
                raise WeightsUnopenable("a block needs a base and the file names none", where=where)
            before = base.read(head.base_offset, head.raw_bytes)
        return decode_block(head, body, before, where)

    for raw in _in_order(decode, _read_blocks(source, total_bytes, where), num_threads):
        target.write(raw)


def _blocks(laid_out: Iterable[Stretch], base: BaseWeights | None) -> Iterator[_Block]:
    for stretch in laid_out:
        base_offset = base.place_of(stretch) if base is not None else None
        for start in range(0, stretch.num_bytes, BLOCK_BYTES):
            yield _Block(
                stretch.offset + start,
                min(BLOCK_BYTES, stretch.num_bytes - start),
                stretch,
                None if base_offset is None else base_offset + start,
            )


def _read_blocks(source: BinaryIO, total_bytes: int, where: str) -> Iterator[tuple[BlockHead, bytes]]:
    left = total_bytes
    while left:
        start = _exactly(source, HEAD.size, where)
        head = parse_head(start, _exactly(source, plane_heads_bytes(start, where), where), where)
        left -= head.raw_bytes
        if left < 0:
            raise WeightsUnopenable("compressed weights open to more than the export list says", where=where)
        # Each plane is at most as long as it opens to, so this is at most one block.
        yield head, _exactly(source, sum(coded_bytes for _, coded_bytes in head.planes), where)
    if source.read(1):
        raise WeightsUnopenable("compressed weights go on after their end", where=where)


def _in_order(work: Callable[[Job], Made], jobs: Iterable[Job], num_threads: int) -> Iterator[Made]:
    """Yield what `work` makes of each job, in order; at most two more than `num_threads` are in memory."""
    if num_threads == 1:
        yield from map(work, jobs)
        return
    with ThreadPoolExecutor(num_threads) as pool:
        waiting: deque[Future[Made]] = deque()
        try:
            for job in jobs:
                waiting.append(pool.submit(work, job))
                if len(waiting) > num_threads + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


def _exactly(source: BinaryIO, num_bytes: int, where: str) -> bytes:
    pieces: list[bytes] = []
    left = num_bytes
    while left:
        piece = source.read(left)
        if not piece:
            raise WeightsUnopenable("compressed weights are cut off", where=where)
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _pread(descriptor: int, num_bytes: int, offset: int, where: str) -> bytes:
    raw = os.pread(descriptor, num_bytes, offset)
    while len(raw) < num_bytes:
        more = os.pread(descriptor, num_bytes - len(raw), offset + len(raw))
        if not more:
            raise WeightsUnopenable("file became shorter while it was read", where=where)
        raw += more
    return raw
