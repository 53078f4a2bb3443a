"""Reading a stripe back and coding what was read: row after row, a row being one block of each column.

While one row is coded the next is read and the parity of the one before is hashed and written.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import Final, TypeVar

from packtrain.digest import BLOCK_BYTES
from packtrain.erasure.code import Code
from packtrain.units import KIB

# A part of a row smaller than this is coded sooner than handed to another thread.
_SMALLEST_PART_BYTES: Final = 128 * KIB
_PAGE_BYTES: Final = 4 * KIB
_ZEROS: Final = memoryview(bytes(BLOCK_BYTES))
T = TypeVar("T")
R = TypeVar("R")


class Crew:
    """Threads, and the rule that the first error ends what they do together.

    Args:
        num_threads: at most.
        name: of the threads, for a debugger.

    Attributes:
        stopped: set once one of them failed; long work looks at it and ends.
    """

    def __init__(self, num_threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(num_threads, thread_name_prefix=name)
        self.stopped = False

    def start(self, work: Callable[[T], R], items: Sequence[T]) -> list[Future[R]]:
        """Return the running work on all items; `finish` it before what it uses goes."""
        return [self._pool.submit(work, item) for item in items]

    def finish(self, running: Sequence[Future[R]]) -> list[R]:
        """Return what the work gave, in order; when one fails the others are told to stop, and its error is raised."""
        wait(running, return_when=FIRST_EXCEPTION)
        errors = [error for done in running if done.done() and (error := done.exception()) is not None]
        if errors:
            # One drive failed: the others need not finish their 4 GiB first.
            self.stopped = True
            wait(running)
            raise errors[0]
        return [done.result() for done in running]

    def all(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """Return what `work` gave for each item, in order; all run at once."""
        return self.finish(self.start(work, items))

    def close(self) -> None:
        """Wait for all threads."""
        self.stopped = True
        self._pool.shutdown(wait=True, cancel_futures=True)


class Row:
    """Memory of one row: a block a column.

    Args:
        blocks: writable blocks of memory, in the order of the columns; what they hold does not matter.
    """

    def __init__(self, blocks: Sequence[memoryview]) -> None:
        self.blocks = blocks
        self._used = [BLOCK_BYTES] * len(blocks)

    def end(self, column: int, length: int) -> None:
        """Say that `length` bytes of a column were read into this row: it is zeros from there on."""
        # A direct read may leave something behind the end of the file, up to the end of its page.
        used = max(self._used[column], min(BLOCK_BYTES, -(-length // _PAGE_BYTES) * _PAGE_BYTES))
        if length < used:
            self.blocks[column][length:used] = _ZEROS[: used - length]
        self._used[column] = length


def code_rows(
    crew: Crew,
    code: Code,
    rows: Sequence[Row],
    stripe_bytes: int,
    read: Mapping[int, Callable[[Row, int], object]],
    put: Sequence[Callable[[memoryview], object]],
) -> None:
    """Read all rows of a stripe, and put the parity of each.

    Args:
        crew: the threads; one a column keeps every drive busy.
        code: of the stripe.
        rows: memory of two rows.
        stripe_bytes: of its longest volume.
        read: for each data column that has a volume, what reads its block of a row into the row's buffer, and tells
            the buffer where the column ends.
        put: for each parity column, what takes its next block; the memory is used again afterwards.

    Raises:
        What `read` and `put` raise.
    """
    num_rows = -(-stripe_bytes // BLOCK_BYTES)
    for column in range(code.k):
        if column not in read:
            for row in rows:
                row.end(column, 0)
    reading: list[Future[object]] = []
    putting: list[Future[object]] = []

    def start_reading(number: int) -> list[Future[object]]:
        row = rows[number % 2]
        return crew.start(lambda one: one(row, number), list(read.values()))

    try:
        reading = start_reading(0)
        for number in range(num_rows):
            row = rows[number % 2]
            crew.finish(reading)
            # The other buffers: their data is coded already, and their parity is not read into.
            reading = start_reading(number + 1) if number + 1 < num_rows else []
            length = min(BLOCK_BYTES, stripe_bytes - number * BLOCK_BYTES)
            parts = _parts(length)
            crew.all(lambda part, row=row: _encode(code, row, part), parts)
            crew.finish(putting)
            putting = crew.start(
                lambda one: one[0](one[1]),
                [(take, row.blocks[code.k + index][:length]) for index, take in enumerate(put)],
            )
        crew.finish(putting)
    finally:
        # Nobody reads into a buffer, or from a file, that is given up.
        wait([*reading, *putting])


def _parts(length: int) -> list[tuple[int, int]]:
    """Return the ranges of a row that are coded at once, one a processor."""
    num_parts = max(1, min(os.cpu_count() or 1, length // _SMALLEST_PART_BYTES))
    part_bytes = -(-length // num_parts // _PAGE_BYTES) * _PAGE_BYTES
    return [(at, min(length, at + part_bytes)) for at in range(0, length, part_bytes)]


def _encode(code: Code, row: Row, part: tuple[int, int]) -> None:
    columns = [block[part[0] : part[1]] for block in row.blocks]
    code.encode(columns[: code.k], columns[code.k :])
