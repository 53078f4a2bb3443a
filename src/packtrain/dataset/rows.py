"""Tables of our own (index, rejects, samples of a unit) as Parquet: streamed, with the same bytes for the same rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from packtrain import durable
from packtrain.dataset.arrow import ParquetWriter, Schema

_ROWS_IN_MEMORY: Final = 16_384


class RowWriter:
    """Collects rows and writes them in row groups of 16,384."""

    def __init__(self, writer: ParquetWriter, schema: Schema) -> None:
        self._writer = writer
        self._schema = schema
        self._rows: list[Mapping[str, Any]] = []
        self.num_rows = 0

    def add(self, row: Mapping[str, Any]) -> None:
        """Append one row; its names are those of the schema."""
        self._rows.append(row)
        self.num_rows += 1
        if len(self._rows) == _ROWS_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Write what is held as one row group."""
        if self._rows:
            columns = [
                pa.array([row[name] for row in self._rows], self._schema.field(name).type)
                for name in self._schema.names
            ]
            self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))
            self._rows = []


@contextlib.contextmanager
def row_writer(path: Path, schema: Schema, *, shared: bool = False) -> Iterator[RowWriter]:
    """Yield a writer of rows; on leaving without an error the file stands under `path`, durably.

    `shared`: see `durable.atomic_writer`.
    """
    with durable.atomic_writer(path, shared=shared) as stream, parquet_writer(stream, schema) as writer:
        rows = RowWriter(writer, schema)
        yield rows
        rows.flush()


def parquet_writer(stream: Any, schema: Schema) -> ParquetWriter:
    """Return a writer of our Parquet files: zstd, a checksum in every page, nothing of machine or time in it."""
    return pq.ParquetWriter(
        stream, schema, compression="zstd", write_page_checksum=True, store_schema=False, use_dictionary=True
    )
