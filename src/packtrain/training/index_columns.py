"""The index in memory: what is known of a batch of rows, looked up soonest."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa


class IndexColumns:
    """The index in the form that gives the fields of a batch of rows soonest.

    Field by field a row cost ten microseconds; a sample of 50 KB is read in five.
    """

    def __init__(self, table: Any) -> None:
        self._key, self.digest, self._detail = (_Text(table.column(name)) for name in ("key", "sha256", "detail"))
        self.offset, self.length = (
            _one_chunk(table.column(name).cast(pa.int64())).to_numpy(zero_copy_only=False)
            for name in ("offset", "length")
        )
        self.shard_codes, self._shards = _coded(table.column("shard"))
        self._kind_codes, self._kinds = _coded(table.column("kind"))

    def places(self, rows: Sequence[int]) -> list[tuple[int, str, int, int, str]]:
        """Return row, shard, offset, length and digest of each of these rows."""
        at = np.asarray(rows)
        shards = [self._shards[code] for code in self.shard_codes[at].tolist()]
        places = rows, shards, self.offset[at].tolist(), self.length[at].tolist(), self.digest.of(rows)
        return list(zip(*places, strict=True))

    def about(self, rows: Sequence[int]) -> list[tuple[str, str, str, str]]:
        """Return key, kind, shard and detail of each of these rows."""
        at = np.asarray(rows)
        kinds = [self._kinds[code] for code in self._kind_codes[at].tolist()]
        shards = [self._shards[code] for code in self.shard_codes[at].tolist()]
        return list(zip(self._key.of(rows), kinds, shards, self._detail.of(rows), strict=True))


class _Text:
    """A column of text, looked up in its own memory.

    What Arrow is asked for costs 40 microseconds a batch and column where the caches of the processor are full of
    pictures, a third of what the reading of one takes; this costs 10.
    """

    def __init__(self, column: Any) -> None:
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            column = pa.chunked_array([pa.array([_as_text(value) for value in column.to_pylist()], pa.string())])
        array = _one_chunk(column.cast(pa.large_string()))
        _, edges, self._data = array.buffers()
        self._edges = np.frombuffer(edges, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
        self._bytes = memoryview(self._data) if self._data is not None else memoryview(b"")

    def of(self, rows: Sequence[int]) -> list[str]:
        """Return the text in each of these rows."""
        at = np.asarray(rows, dtype=np.int64)
        edges = zip(self._edges[at].tolist(), self._edges[at + 1].tolist(), strict=True)
        return [str(self._bytes[first:end], "utf-8", "replace") for first, end in edges]

    def __getstate__(self) -> tuple[bytes, Any]:
        return bytes(self._bytes), self._edges.copy()

    def __setstate__(self, state: tuple[bytes, Any]) -> None:
        self._data, self._edges = state
        self._bytes = memoryview(self._data)


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _coded(column: Any) -> tuple[Any, list[str]]:
    """Return a column of names as numbers, and the names by number."""
    coded = _one_chunk(column).dictionary_encode()
    return coded.indices.to_numpy(zero_copy_only=False), [str(name) for name in coded.dictionary.to_pylist()]


def _one_chunk(column: Any) -> Any:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if isinstance(whole, pa.ChunkedArray) else whole
