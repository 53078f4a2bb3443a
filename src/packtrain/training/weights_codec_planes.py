"""One block of weights: numbers to byte planes and back, each plane coded by what makes it smallest.

A number of a model is nearly random but for its exponent. Turned left by one bit the exponent stands in a byte of its
own (bfloat16, float32), and that plane has few values; the others are kept as they are where nothing makes them
smaller.
"""

from __future__ import annotations

import importlib
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from packtrain.errors import WeightsUnopenable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Numbers = npt.NDArray[np.integer[Any]]

BLOCK_BYTES: Final = 4 << 20
WIDTHS: Final = (1, 2, 4, 8)

PLAIN, TURNED, XOR, DIFFERENCE = range(4)
"""Modes: as it is; turned left by one bit; XOR with the base, turned; difference to the base, its sign in bit 0."""

STORED, ZSTD, DEFLATE = range(3)
"""Codings of a plane."""

HEAD: Final = struct.Struct("<IBBQ")
"""Bytes of the block, bytes a number, mode, where in the base the block's bytes begin (0 without one)."""
PLANE: Final = struct.Struct("<BI")
"""Coding, coded bytes. One a plane, the plane of the lowest byte first; then the planes themselves."""

# Matches of fewer than 7 bytes in an exponent plane are chance, and cost more than the Huffman code they interrupt.
_FEW_MATCHES: Final = {"min_match": 7, "hash_log": 6, "window_log": 17}
_MANY_MATCHES_LEVEL: Final = 3
_WORTH_IT: Final = 0.99
_CLEARLY_LESS: Final = 0.97
_SAMPLE_STRETCHES: Final = 8
_STRETCH_NUMBERS: Final = 8192


@dataclass(frozen=True, slots=True)
class BlockHead:
    """What a block says of itself, checked.

    Attributes:
        planes: coding and coded bytes of each plane.
    """

    raw_bytes: int
    width: int
    mode: int
    base_offset: int
    planes: tuple[tuple[int, int], ...]

    @property
    def needs_base(self) -> bool:
        """Return whether the block cannot be opened without the base."""
        return self.mode in (XOR, DIFFERENCE)


def encode_block(raw: bytes, width: int, *, is_float: bool, base: bytes | None = None, base_offset: int = 0) -> bytes:
    """Return a block's head, planes' heads and planes.

    Args:
        raw: 1 to `BLOCK_BYTES` bytes, a multiple of `width`.
        width: bytes a number.
        is_float: whether the numbers have an exponent.
        base: as many bytes of the base; the block is kept without them where that is smaller.
        base_offset: where in the base they begin.
    """
    numbers = _numbers(raw, width)
    before = None if base is None else _numbers(base, width)
    mode = _smallest_mode(numbers, before, width, is_float=is_float)
    turned = _forward(numbers, before, mode, width)
    coded = [_encode_plane(plane, is_float=is_float) for plane in _split(turned, width)]
    head = HEAD.pack(len(raw), width, mode, base_offset if mode in (XOR, DIFFERENCE) else 0)
    return b"".join([head, *(PLANE.pack(coding, len(body)) for coding, body in coded), *(body for _, body in coded)])


def parse_head(head: bytes, planes: bytes, where: str) -> BlockHead:
    """Return a block's head; nothing was allocated for it yet.

    Args:
        head: `HEAD.size` bytes.
        planes: the heads of its planes, `plane_heads_bytes(head, where)` bytes.
        where: for messages.

    Raises:
        WeightsUnopenable: a length, a width, a mode or a coding that no writer writes.
    """
    raw_bytes, width, mode, base_offset = HEAD.unpack(head)
    entries = tuple((coding, coded_bytes) for coding, coded_bytes in PLANE.iter_unpack(planes))
    plane_bytes = raw_bytes // width
    for coding, coded_bytes in entries:
        if coding not in (STORED, ZSTD, DEFLATE) or coded_bytes > plane_bytes:
            raise _broken(where, f"a plane of {coded_bytes} bytes in coding {coding}")
        if (coding == STORED) != (coded_bytes == plane_bytes):
            raise _broken(where, f"a plane of {coded_bytes} bytes where {plane_bytes} are not made smaller")
    return BlockHead(raw_bytes, width, mode, base_offset, entries)


def plane_heads_bytes(head: bytes, where: str) -> int:
    """Return how many bytes of plane heads follow a block's head.

    Raises:
        WeightsUnopenable: see `parse_head`.
    """
    raw_bytes, width, mode, base_offset = HEAD.unpack(head)
    if not 1 <= raw_bytes <= BLOCK_BYTES or width not in WIDTHS or raw_bytes % width or mode > DIFFERENCE:
        raise _broken(where, f"a block of {raw_bytes} bytes, {width} a number, mode {mode}")
    if mode in (PLAIN, TURNED) and base_offset:
        raise _broken(where, "a place in the base, of a block that has none")
    return PLANE.size * width


def decode_block(head: BlockHead, body: bytes, base: bytes | None, where: str) -> bytes:
    """Return the bytes of a block.

    Args:
        head: see `parse_head`.
        body: its planes, as long as the head says.
        base: `head.raw_bytes` bytes of the base, for a block that needs them.
        where: for messages.

    Raises:
        WeightsUnopenable: a plane does not open, or opens to another length.
    """
    import numpy as np

    plane_bytes = head.raw_bytes // head.width
    joined = np.empty((plane_bytes, head.width), np.uint8)
    place = 0
    for number, (coding, coded_bytes) in enumerate(head.planes):
        plane = _decode_plane(coding, body[place : place + coded_bytes], plane_bytes, where)
        joined[:, number] = np.frombuffer(plane, np.uint8)
        place += coded_bytes
    numbers = joined.reshape(-1).view(f"<u{head.width}")
    before = None if base is None else _numbers(base, head.width)
    return _backward(numbers, before, head.mode, head.width).tobytes()


def _numbers(raw: bytes, width: int) -> Numbers:
    import numpy as np

    return np.frombuffer(raw, f"<u{width}")


def _smallest_mode(numbers: Numbers, before: Numbers | None, width: int, *, is_float: bool) -> int:
    alone = TURNED if is_float and width > 1 else PLAIN
    if before is None:
        return alone
    places = list(_stretches(len(numbers)))

    def cost(mode: int) -> float:
        return sum(
            _entropy(plane) * len(plane)
            for place in places
            for plane in _split(_forward(numbers[place], before[place], mode, width), width)
        )

    return min((DIFFERENCE, XOR, alone), key=cost)


def _stretches(count: int) -> Iterator[slice]:
    if count <= _SAMPLE_STRETCHES * _STRETCH_NUMBERS:
        yield slice(0, count)
        return
    for number in range(_SAMPLE_STRETCHES):
        start = (count - _STRETCH_NUMBERS) * number // (_SAMPLE_STRETCHES - 1)
        yield slice(start, start + _STRETCH_NUMBERS)


def _forward(numbers: Numbers, before: Numbers | None, mode: int, width: int) -> Numbers:
    if mode == PLAIN:
        return numbers
    if mode == TURNED:
        return _turn_left(numbers, width)
    assert before is not None
    if mode == XOR:
        return _turn_left(numbers ^ before, width)
    # Unsigned arithmetic wraps, and so every difference can be undone; small ones of either sign become small numbers.
    difference = (numbers - before).view(f"<i{width}")
    return ((difference << 1) ^ (difference >> (8 * width - 1))).view(f"<u{width}")


def _backward(numbers: Numbers, before: Numbers | None, mode: int, width: int) -> Numbers:
    if mode == PLAIN:
        return numbers
    if mode == DIFFERENCE:
        assert before is not None
        return ((numbers >> 1) ^ (0 - (numbers & 1))) + before
    turned = (numbers >> 1) | (numbers << (8 * width - 1))
    if mode == TURNED:
        return turned
    assert before is not None
    return turned ^ before


def _turn_left(numbers: Numbers, width: int) -> Numbers:
    return (numbers << 1) | (numbers >> (8 * width - 1))


def _split(numbers: Numbers, width: int) -> Iterator[npt.NDArray[np.uint8]]:
    import numpy as np

    bytes_of = numbers.view(np.uint8).reshape(-1, width)
    for number in range(width):
        yield np.ascontiguousarray(bytes_of[:, number])


def _entropy(plane: npt.NDArray[np.uint8]) -> float:
    """Return the bits a byte that the best code by value alone takes."""
    import numpy as np

    from packtrain.training.number_shapes import entropy_bits

    return entropy_bits(np.bincount(plane, minlength=256))


def _encode_plane(plane: npt.NDArray[np.uint8], *, is_float: bool) -> tuple[int, bytes]:
    import numpy as np

    raw = plane.tobytes()
    sample = np.concatenate([plane[place] for place in _stretches(len(plane))])
    best = (STORED, raw)
    zstandard = _zstandard()
    if zstandard is not None:
        coded = _zstd(zstandard, raw, is_float=is_float)
        if len(coded) < _WORTH_IT * len(raw):
            best = (ZSTD, coded)
        # What zstd finds in the noise of a difference are matches that cost more than they save.
        strategies = [zlib.Z_HUFFMAN_ONLY] if _entropy(sample) / 8 * len(raw) < _CLEARLY_LESS * len(best[1]) else []
    else:
        # Without it: what Python brings with it, by a look at a part of the plane.
        part = sample.tobytes()
        sizes = {
            strategy: len(_deflate(part, strategy))
            for strategy in (zlib.Z_HUFFMAN_ONLY, zlib.Z_RLE, zlib.Z_DEFAULT_STRATEGY)
        }
        strategy = min(sizes, key=lambda each: sizes[each])
        strategies = [strategy] if sizes[strategy] < _WORTH_IT * len(part) else []
    for strategy in strategies:
        coded = _deflate(raw, strategy)
        if len(coded) < len(best[1]):
            best = (DEFLATE, coded)
    return best


def _decode_plane(coding: int, coded: bytes, plane_bytes: int, where: str) -> bytes:
    if coding == STORED:
        return coded
    if coding == ZSTD:
        # The one library that both ends have anyway. It writes into `plane_bytes` bytes, whatever the frame says.
        import pyarrow as pa

        try:
            opened = pa.Codec("zstd").decompress(coded, decompressed_size=plane_bytes, asbytes=True)
        except (OSError, pa.ArrowException) as error:
            raise _broken(where, "a zstd plane that does not open") from error
        if len(opened) != plane_bytes:
            raise _broken(where, "a zstd plane of another length")
        return opened
    opener = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        opened = opener.decompress(coded, plane_bytes)
        # Whether the stream ends here is seen only when more is asked for; there must be none.
        rest = b"" if opener.eof else opener.decompress(opener.unconsumed_tail, 1)
    except zlib.error as error:
        raise _broken(where, "a deflate plane that does not open") from error
    if len(opened) != plane_bytes or rest or not opener.eof or opener.unused_data:
        raise _broken(where, "a deflate plane of another length")
    return opened


def _zstandard() -> Any:
    try:
        return importlib.import_module("zstandard")
    except ModuleNotFoundError:
        return None


def _zstd(zstandard: Any, raw: bytes, *, is_float: bool) -> bytes:
    if is_float:
        parameters = zstandard.ZstdCompressionParameters.from_level(1, **_FEW_MATCHES)
        return zstandard.ZstdCompressor(compression_params=parameters).compress(raw)
    return zstandard.ZstdCompressor(level=_MANY_MATCHES_LEVEL).compress(raw)


def _deflate(raw: bytes, strategy: int) -> bytes:
    level = 6 if strategy == zlib.Z_DEFAULT_STRATEGY else 1
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
    return packer.compress(raw) + packer.flush()


def _broken(where: str, found: str) -> WeightsUnopenable:
    return WeightsUnopenable("compressed weights are not in the form that packtrain writes", where=where, found=found)
