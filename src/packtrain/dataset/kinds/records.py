"""JSON lines and Parquet."""

from __future__ import annotations

import codecs
import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from packtrain.dataset.arrow import RecordBatch, Schema
from packtrain.dataset.kinds.blocks import stored_schema
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Setback, Setbacks, Tally, one_line
from packtrain.dataset.kinds.sheet import MAX_COLUMNS, Sheet, column_names, guarded
from packtrain.dataset.kinds.text_form import GZIP_FAILS, opened

_OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TEXT: Final = msgspec.json.Decoder(str)
_LINE_BYTES: Final = 64 << 20
_BATCH_ROWS: Final = 4096
_FAILS: Final = (*GZIP_FAILS, UnicodeEncodeError)
_PARQUET_FAILS: Final = (pa.ArrowException, OSError)


def read_json_lines(source: OpenSource) -> Iterator[Sheet | Setback | Tally]:
    """Yield the one sheet of a file with one JSON object a line, then a setback for each line that is none.

    Columns are all names of all lines, in the order of their first appearance: the file is read twice. Text stays as it
    is; numbers, lists and objects become the JSON they are, with the digits somebody wrote. The encoding is UTF-8.

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
            yield Sheet("", 1, guarded(batches, _FAILS, "gzip file"))
    except _FAILS as error:
        raise Damaged(f"not a readable gzip file: {one_line(error)}") from error
    yield from setbacks.all()
    yield Tally(num_parts=max(num_rows + setbacks.num_seen, 1), num_lost=setbacks.num_seen)


def read_parquet(source: OpenSource) -> Iterator[Sheet | Setback | Tally]:
    """Yield the one sheet of a Parquet file, with its types; lists and structs become JSON text.

    A row group that cannot be read is set aside alone; what was read of it before the damage stays.

    Raises:
        Damaged: not readable, encrypted, or a column holds bytes (pictures inside tables are not read yet).
    """
    setbacks = Setbacks()
    try:
        with pq.ParquetFile(source.stream, page_checksum_verification=True) as reader:
            schema = reader.schema_arrow
            if len(schema) > MAX_COLUMNS:
                raise Damaged(f"table has {len(schema)} columns, more than {MAX_COLUMNS}")
            for column in schema:
                if _holds_bytes(column.type):
                    raise Damaged(f"column {column.name} holds bytes, which tables do not carry")
            num_groups = reader.num_row_groups
            yield Sheet("", 1, _groups(reader, setbacks))
    except _PARQUET_FAILS as error:
        raise Damaged(f"not a readable Parquet file: {one_line(error)}") from error
    yield from setbacks.all()
    yield Tally(num_parts=max(num_groups, 1), num_lost=setbacks.num_seen)


def _groups(reader: Any, setbacks: Setbacks) -> Iterator[RecordBatch]:
    empty = reader.schema_arrow.empty_table()
    names = column_names(empty.schema.names)
    target = stored_schema(pa.schema([pa.field(n, c.type) for n, c in zip(names, _flat(empty.columns), strict=True)]))
    first_row = 0
    for number in range(reader.num_row_groups):
        num_rows = reader.metadata.row_group(number).num_rows
        num_read = 0
        try:
            for batch in reader.iter_batches(_BATCH_ROWS, row_groups=[number], use_threads=False):
                columns = [
                    _stored(values, field.type) for values, field in zip(_flat(batch.columns), target, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=target)
                num_read += batch.num_rows
        except _PARQUET_FAILS as error:
            place = f"row group {number}, rows {first_row + num_read} to {first_row + num_rows - 1}"
            setbacks.add(place, one_line(error))
        first_row += num_rows


def _flat(columns: Sequence[Any]) -> list[Any]:
    found: list[Any] = []
    for values in columns:
        if pa.types.is_nested(values.type):
            texts = [_json_text(value) for value in values.to_pylist()]
            values = pa.array(texts, pa.string())
        elif pa.types.is_dictionary(values.type):
            values = values.cast(values.type.value_type)
        found.append(values)
    return found


def _stored(values: Any, data_type: Any) -> Any:
    return values if values.type == data_type else values.cast(data_type)


def _json_text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def _holds_bytes(data_type: Any) -> bool:
    is_bytes = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)
    if any(check(data_type) for check in is_bytes):
        return True
    if pa.types.is_dictionary(data_type):
        return _holds_bytes(data_type.value_type)
    if pa.types.is_nested(data_type):
        return any(_holds_bytes(data_type.field(number).type) for number in range(data_type.num_fields))
    return False


def _lines(stream: BinaryIO, is_gzip: bool) -> Iterator[tuple[int, bytes]]:
    """Yield each line that is not blank, with its number from 1."""
    unpacked = opened(stream, is_gzip)
    number = 0
    while line := unpacked.readline(_LINE_BYTES):
        number += 1
        if len(line) == _LINE_BYTES and not line.endswith(b"\n"):
            raise Damaged(f"line {number} is longer than {_LINE_BYTES} bytes")
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        if line.strip():
            yield number, line


def _record(line: bytes) -> dict[str, msgspec.Raw] | str:
    """Return the object on a line, its values as they are written, or why there is none."""
    try:
        if not line.isascii():
            line.decode("utf-8")  # what is passed over unread would not be held to it
        value = _OBJECT.decode(line)
        for each in value.values():
            if bytes(each)[:1] == b'"':
                _TEXT.decode(each)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        return f"not a JSON object: {one_line(error)}"
    return value


def _batches(lines: Iterator[tuple[int, bytes]], names: list[str]) -> Iterator[RecordBatch]:
    schema = pa.schema(list(zip(column_names(names), itertools.repeat(pa.string()), strict=False)))
    held: list[dict[str, msgspec.Raw]] = []
    for _, line in lines:
        record = _record(line)
        if isinstance(record, str):
            continue
        held.append(record)
        if len(held) == _BATCH_ROWS:
            yield _batch(held, names, schema)
            held = []
    if held:
        yield _batch(held, names, schema)


def _batch(records: list[dict[str, msgspec.Raw]], names: list[str], schema: Schema) -> RecordBatch:
    columns = [pa.array([_text(record.get(name)) for record in records], pa.string()) for name in names]
    return pa.record_batch(columns, schema=schema)


def _text(value: msgspec.Raw | None) -> str | None:
    """Return a text as it is; of all else the JSON as somebody wrote it, digit by digit, without white space."""
    if value is None:
        return None
    raw = bytes(value)
    match raw[:1]:
        case b'"':
            return _TEXT.decode(raw)
        case b"{" | b"[":
            return msgspec.json.format(raw, indent=-1).decode("utf-8")
        case _:
            return None if raw == b"null" else raw.decode("utf-8")
