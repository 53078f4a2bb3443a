"""Rows of a stripe: what is coded is what was read, and nothing behind it."""

import mmap
import threading
from collections.abc import Callable

import pytest

from packtrain.digest import BLOCK_BYTES
from packtrain.erasure.code import Code
from packtrain.volume.coding import Crew, Row, code_rows
from shipment_parts import content

K, M = 3, 2
LENGTHS = {0: 2 * BLOCK_BYTES + 5, 2: BLOCK_BYTES - 1}  # column 1 is missing
LONGEST = max(LENGTHS.values())


def dirty_rows() -> list[Row]:
    blocks = [memoryview(mmap.mmap(-1, BLOCK_BYTES)) for _ in range(2 * (K + M))]
    for block in blocks:
        block[:] = b"\xa5" * BLOCK_BYTES
    return [Row(blocks[: K + M]), Row(blocks[K + M :])]


def reader(column: int, volume: bytes) -> Callable[[Row, int], None]:
    def read(row: Row, number: int) -> None:
        part = volume[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        row.blocks[column][: len(part)] = part
        row.end(column, len(part))

    return read


def test_parity_is_that_of_the_volumes_with_zeros_behind_their_ends() -> None:
    volumes = {column: content(length, column) for column, length in LENGTHS.items()}
    taken = [bytearray(), bytearray()]
    crew = Crew(K + M, "test")
    try:
        code_rows(
            crew,
            Code(K, M),
            dirty_rows(),
            LONGEST,
            {column: reader(column, volume) for column, volume in volumes.items()},
            [parity.extend for parity in taken],
        )
    finally:
        crew.close()
    expected = [bytearray(LONGEST), bytearray(LONGEST)]
    Code(K, M).encode([volumes.get(column, b"").ljust(LONGEST, b"\0") for column in range(K)], expected)
    assert taken == expected


def test_the_first_error_ends_the_work_and_is_raised() -> None:
    put: list[int] = []

    def fail(_row: Row, number: int) -> None:
        if number == 1:
            raise OSError("gone")

    crew = Crew(K + M, "test")
    with pytest.raises(OSError, match="gone"):
        code_rows(
            crew, Code(K, M), dirty_rows(), 9 * BLOCK_BYTES, {0: fail}, [lambda block: put.append(len(block))] * M
        )
    assert crew.stopped
    crew.close()
    assert len(put) <= 2 * M


def test_others_are_told_to_stop_before_an_error_is_raised() -> None:
    crew = Crew(2, "test")
    ended = threading.Event()

    def work(number: int) -> None:
        if number == 0:
            raise ValueError("first")
        while not crew.stopped:
            ended.wait(0.001)
        ended.set()

    with pytest.raises(ValueError, match="first"):
        crew.all(work, [0, 1])
    assert ended.is_set()
    crew.close()


@pytest.mark.parametrize("length", [0, 1, 4095, 4096, BLOCK_BYTES])
def test_a_row_is_zeros_behind_what_was_read(length: int) -> None:
    row = dirty_rows()[0]
    row.end(1, BLOCK_BYTES)
    row.end(1, length)
    assert bytes(row.blocks[1][length:]) == bytes(BLOCK_BYTES - length)
