"""JSON lines and Parquet."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.dataset.arrow import RecordBatch, Schema
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Setback, Setbacks, Tally, one_line
from packtrain.dataset.kinds.sheet import MAX_COLUMNS, Sheet, guarded

_LINE_BYTES: Final = 64 << 20
_BATCH_ROWS: Final = 4096
_GZIP_FAILS: Final = (OSError, EOFError, zlib.error, UnicodeEncodeError)
_PARQUET_FAILS: Final = (pa.ArrowException, OSError)


def read_json_lines(source: OpenSource) -> Iterator[Sheet | Setback | Tally]:
    """Yield the one sheet of a file with one JSON object a line, then a setback for each line that is none.

    Columns are all names of all lines, in the order of their first appearance: the file is read twice. Text stays as it
    is; numbers, lists and objects become the JSON they are.

    Raises:
        Damaged: the gzip around it is broken, or there are more names than a table can have columns.
    """
    is_gzip = source.suffix.endswith(".gz")
    setbacks = Setbacks()
    names: dict[str, None] = {}
    num_rows = 0
    try:
        for number, line in _lines(source.stream, is_gzip):
            record = _record(line)
            if isinstance(record, str):
                setbacks.add(f"line {number}", record, len(line))
                continue
            num_rows += 1
            names.update(dict.fromkeys(record))
            if len(names) > MAX_COLUMNS:
                raise Damaged(f"lines have more than {MAX_COLUMNS} names in all")
        if num_rows and names:
            batches = _batches(_lines(source.stream, is_gzip), list(names))
            yield Sheet("", 1, guarded(batches, _GZIP_FAILS, "gzip file"))
    except _GZIP_FAILS as error:
        raise Damaged(f"not a readable gzip file: {one_line(error)}") from error
    yield from setbacks.all()
    yield Tally(num_parts=max(num_rows + setbacks.num_seen, 1), num_lost=setbacks.num_seen)


def read_parquet(source: OpenSource) -> Iterator[Sheet | Setback | Tally]:
    """Yield the one sheet of a Parquet file, with its types; lists and structs become JSON text.

    Raises:
        Damaged: not readable, or a column holds bytes (pictures inside tables are not read yet).
    """
    try:
        with pq.ParquetFile(source.stream, page_checksum_verification=True) as reader:
            schema = reader.schema_arrow
            for column in schema:
                if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
                    raise Damaged(f"column {column.name} holds bytes, which tables do not carry")
            batches = (_flat(batch) for batch in reader.iter_batches(_BATCH_ROWS, use_threads=False))
            yield Sheet("", 1, guarded(batches, _PARQUET_FAILS, "Parquet file"))
    except _PARQUET_FAILS as error:
        raise Damaged(f"not a readable Parquet file: {one_line(error)}") from error


def _lines(stream: BinaryIO, is_gzip: bool) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, with its number from 1."""
    stream.seek(0)
    opened = gzip.GzipFile(fileobj=stream, mode="rb") if is_gzip else stream
    number = 0
    while line := opened.readline(_LINE_BYTES):
        number += 1
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            raise Damaged(f"line {number} is longer than {_LINE_BYTES} bytes")
        if line.strip():
            yield number, line


def _record(line: bytes) -> dict[str, Any] | str:
    """Return the object on a line, or why there is none."""
    try:
        value = msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return f"not JSON: {one_line(error)}"
    return value if isinstance(value, dict) else "not a JSON object"


def _batches(lines: Iterator[tuple[int, bytes]], names: list[str]) -> Iterator[RecordBatch]:
    schema = pa.schema([(name, pa.string()) for name in names])
    held: list[dict[str, Any]] = []
    for _, line in lines:
        record = _record(line)
        if isinstance(record, str):
            continue
        held.append(record)
        if len(held) == _BATCH_ROWS:
            yield _batch(held, schema)
            held = []
    if held:
        yield _batch(held, schema)


def _batch(records: list[dict[str, Any]], schema: Schema) -> RecordBatch:
    columns = [pa.array([_text(record.get(name)) for record in records], pa.string()) for name in schema.names]
    return pa.record_batch(columns, schema=schema)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _flat(batch: RecordBatch) -> RecordBatch:
    columns: list[Any] = []
    for i, column in enumerate(batch.schema):
        values = batch.column(i)
        if pa.types.is_nested(column.type):
            values = pa.array([_text(value) for value in values.to_pylist()], pa.string())
        elif pa.types.is_dictionary(column.type):
            values = values.dictionary_decode()
        columns.append(values)
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
