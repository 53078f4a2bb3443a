"""The code of a stripe: k data columns, m parity columns, any k of the n give back all.

Systematic Reed-Solomon over GF(2^8) with polynomial 0x11d. Parity row i (k <= i < n) has for data column j the
coefficient inv(i XOR j): a Cauchy matrix, of which every square part can be inverted (a plain Vandermonde matrix fails
that from m = 5 on). Byte by byte at equal offset.
"""

from __future__ import annotations

import contextlib
import ctypes
from array import array
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from packtrain.erasure.isal import load_isal
from packtrain.units import KIB, MIB

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

MAX_COLUMNS: Final = 255

# The columns of one slice together should stay in the second-level cache; below 16 KiB the calls cost more than the
# misses save. Whole megabytes at once run at half the speed.
_SLICE_TOTAL_BYTES: Final = MIB
_MIN_SLICE_BYTES: Final = 16 * KIB
_MAX_SLICE_BYTES: Final = 64 * KIB
_SLICE_STEP: Final = 4 * KIB
# ISA-L expands each coefficient to 32 bytes.
_TABLE_BYTES: Final = 32
# A repair meets a handful of patterns; a scrub of a drive that dies block by block may meet many.
_MAX_CACHED_TABLES: Final = 256


class _PyBuffer(ctypes.Structure):
    """Py_buffer, whose layout is part of Python's stable ABI since 3.11."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


class Code:
    """A (k, m) code. One object may be used from several threads at once.

    Args:
        k: data columns, at least 1.
        m: parity columns, 0 or more; k + m <= 255.

    Raises:
        ValueError: k or m is out of range.
        MissingDependency: ISA-L is not installed.
    """

    def __init__(self, k: int, m: int) -> None:
        if k < 1 or m < 0 or k + m > MAX_COLUMNS:
            raise ValueError(f"no code with k = {k} and m = {m}: k >= 1, m >= 0, k + m <= {MAX_COLUMNS}")
        self.k = k
        self.m = m
        self.n = k + m
        self._isal = load_isal()
        matrix = ctypes.create_string_buffer(self.n * k)
        self._isal.gen_cauchy1_matrix(matrix, self.n, k)
        self._matrix = matrix.raw
        self._encode_tables = self._tables(self._matrix[k * k :])
        self._sum_tables = self._tables(b"\x01", 1)
        self._decode_tables: dict[tuple[tuple[int, ...], tuple[int, ...]], ctypes.Array[ctypes.c_char]] = {}
        slice_bytes = _SLICE_TOTAL_BYTES // self.n // _SLICE_STEP * _SLICE_STEP
        self._slice_bytes = max(_MIN_SLICE_BYTES, min(_MAX_SLICE_BYTES, slice_bytes))

    def encode(self, data: Sequence[ReadableBuffer], parity: Sequence[WriteableBuffer]) -> None:
        """Fill the m parity columns from the k data columns, all of the same length in bytes; nothing is copied.

        Columns that start at different offsets modulo 4 KiB go up to half as fast again: equal ones share cache sets.

        Raises:
            ValueError: the count or the length of the columns is wrong.
        """
        if len(data) != self.k or len(parity) != self.m:
            raise ValueError(f"{len(data)} data and {len(parity)} parity columns for a code of {self.k} and {self.m}")
        self._multiply(self._encode_tables, data, parity)

    def reconstruct(
        self, present: Mapping[int, ReadableBuffer], missing: Sequence[int], out: Sequence[WriteableBuffer]
    ) -> None:
        """Fill `out` with the columns `missing`, in that order, from the first k columns that are present.

        Args:
            present: column index (0 .. n-1) to its bytes; at least k of them, all of the same length.
            missing: column indices to compute, none of them present.
            out: a buffer of that length for each.

        Raises:
            ValueError: fewer than k columns are present, or an index, a count or a length is wrong.
        """
        if len(present) < self.k:
            raise ValueError(f"{len(present)} columns are present, {self.k} are needed")
        if len(missing) != len(out):
            raise ValueError(f"{len(missing)} columns for {len(out)} buffers")
        outside = [column for column in (*present, *missing) if not 0 <= column < self.n]
        if outside or any(column in present for column in missing):
            raise ValueError(f"columns {list(missing)} asked, {sorted(present)} present, of 0 to {self.n - 1}")
        chosen = tuple(sorted(present)[: self.k])
        self._multiply(self._tables_for(chosen, tuple(missing)), [present[column] for column in chosen], out)

    def accumulate(self, column: int, data: ReadableBuffer, syndromes: Sequence[WriteableBuffer]) -> None:
        """Add one column of a stripe to its m syndromes; columns may come in any order, each once.

        A syndrome is parity column i plus what the data columns contribute to it, over the columns that came: once all
        have come it is zero, and before that it says all there is to know of the data columns that did not.

        Args:
            column: 0 .. n-1.
            data: its bytes.
            syndromes: m buffers, each at least as long; zeros at first. Nothing is copied.

        Raises:
            ValueError: an index, a count or a length is wrong.
        """
        if not 0 <= column < self.n or len(syndromes) != self.m:
            raise ValueError(f"column {column} and {len(syndromes)} syndromes for a code of {self.k} and {self.m}")
        is_data = column < self.k
        # Parity is added as it is: a code of one column with the coefficient 1.
        targets = syndromes if is_data else [syndromes[column - self.k]]
        tables, width, at_column = (self._encode_tables, self.k, column) if is_data else (self._sum_tables, 1, 0)
        if not targets:
            return
        with contextlib.ExitStack() as held:
            source, total_bytes = held.enter_context(_address(data, writable=False))
            into = [held.enter_context(_address(target, writable=True)) for target in targets]
            if any(length < total_bytes for _, length in into):
                raise ValueError(f"syndromes shorter than the column's {total_bytes} bytes")
            for at in range(0, total_bytes, self._slice_bytes):
                pointers = array("Q", [address + at for address, _ in into])
                self._isal.encode_data_update(
                    min(self._slice_bytes, total_bytes - at),
                    width,
                    len(into),
                    at_column,
                    tables,
                    source + at,
                    pointers.buffer_info()[0],
                )

    def solve(
        self, missing: Sequence[int], syndromes: Mapping[int, ReadableBuffer], out: Sequence[WriteableBuffer]
    ) -> None:
        """Fill `out` with the data columns that never came to `accumulate`, in that order.

        Args:
            missing: all data columns that did not come.
            syndromes: by parity column that did come (k .. n-1), at least as many as are missing, all of one length.
            out: a buffer of that length for each missing column.

        Raises:
            ValueError: too few syndromes, or an index, a count or a length is wrong.
        """
        count = len(missing)
        rows = sorted(syndromes)[:count]
        if count > len(rows) or len(out) != count or len(set(missing)) != count:
            raise ValueError(f"{len(syndromes)} syndromes and {len(out)} buffers for {count} columns")
        if any(not 0 <= column < self.k for column in missing) or any(not self.k <= row < self.n for row in rows):
            raise ValueError(f"columns {list(missing)} asked of syndromes {rows}")
        if not count:
            return
        part = b"".join(bytes(self._matrix[row * self.k + column] for column in missing) for row in rows)
        inverse = ctypes.create_string_buffer(count * count)
        singular = self._isal.invert_matrix(ctypes.create_string_buffer(part, count * count), inverse, count)
        assert singular == 0, (missing, rows, "a Cauchy matrix has no singular part")
        self._multiply(self._tables(inverse.raw, count), [syndromes[row] for row in rows], out)

    def _tables_for(self, chosen: tuple[int, ...], missing: tuple[int, ...]) -> ctypes.Array[ctypes.c_char]:
        tables = self._decode_tables.get((chosen, missing))
        if tables is None:
            tables = self._tables(self._decode_rows(chosen, missing))
            if len(self._decode_tables) >= _MAX_CACHED_TABLES:
                self._decode_tables.clear()
            self._decode_tables[chosen, missing] = tables
        return tables

    def _decode_rows(self, chosen: tuple[int, ...], missing: tuple[int, ...]) -> bytes:
        """Return for each missing column its k coefficients over the chosen columns."""
        k = self.k
        rows = b"".join(self._matrix[column * k : column * k + k] for column in chosen)
        inverse_buffer = ctypes.create_string_buffer(k * k)
        singular = self._isal.invert_matrix(ctypes.create_string_buffer(rows, k * k), inverse_buffer, k)
        assert singular == 0, (chosen, "a Cauchy matrix has no singular part")
        inverse = [inverse_buffer.raw[row * k : row * k + k] for row in range(k)]
        # A parity row times the inverse is what `encode` computes when the inverse's rows stand for the data.
        parity = [bytearray(k) for _ in range(self.m)]
        if any(column >= k for column in missing):
            self._multiply(self._encode_tables, inverse, parity)
        return b"".join(inverse[column] if column < k else parity[column - k] for column in missing)

    def _tables(self, rows: bytes, width: int = 0) -> ctypes.Array[ctypes.c_char]:
        """Return rows of coefficients, each `width` long (k if it is 0), as ISA-L expands them."""
        width = width or self.k
        tables = ctypes.create_string_buffer(_TABLE_BYTES * len(rows))
        if rows:
            self._isal.init_tables(width, len(rows) // width, ctypes.create_string_buffer(rows, len(rows)), tables)
        return tables

    def _multiply(
        self,
        tables: ctypes.Array[ctypes.c_char],
        sources: Sequence[ReadableBuffer],
        targets: Sequence[WriteableBuffer],
    ) -> None:
        if not targets:
            return
        with contextlib.ExitStack() as held:
            columns = [held.enter_context(_address(source, writable=False)) for source in sources]
            columns += [held.enter_context(_address(target, writable=True)) for target in targets]
            lengths = {length for _, length in columns}
            if len(lengths) != 1:
                raise ValueError(f"columns of different lengths: {sorted(lengths)} bytes")
            total_bytes = lengths.pop()
            num_sources, num_targets = len(sources), len(targets)
            encode_data = self._isal.encode_data
            for at in range(0, total_bytes, self._slice_bytes):
                # One array of machine words holds the pointers of sources and targets, as C sees them.
                pointers = array("Q", [address + at for address, _ in columns])
                first = pointers.buffer_info()[0]
                encode_data(
                    min(self._slice_bytes, total_bytes - at),
                    num_sources,
                    num_targets,
                    tables,
                    first,
                    first + num_sources * pointers.itemsize,
                )


@contextlib.contextmanager
def _address(buffer: ReadableBuffer, *, writable: bool) -> Generator[tuple[int, int]]:
    """Yield address and length of a contiguous buffer; it cannot be resized or freed meanwhile."""
    view = _PyBuffer()
    try:
        ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(buffer), ctypes.byref(view), int(writable))
    except BufferError as error:
        raise ValueError(f"not a {'writable' if writable else 'readable'} contiguous buffer: {error}") from error
    try:
        yield view.buf or 0, view.len
    finally:
        ctypes.pythonapi.PyBuffer_Release(ctypes.byref(view))
