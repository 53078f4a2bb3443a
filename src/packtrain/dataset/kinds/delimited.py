"""CSV and TSV by DuckDB: bad lines are set aside one by one, with the reason DuckDB gives."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import Any, Final

import duckdb
import pyarrow as pa

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Setback, Setbacks, Tally, one_line
from packtrain.dataset.kinds.sheet import MAX_COLUMNS, Sheet, column_names, guarded

_HEADER_BYTES: Final = 1 << 20
_LINE_BYTES: Final = 2 << 20
_BATCH_ROWS: Final = 4096
_LARGEST_BATCH_ROWS: Final = 16_384
_DELIMITERS: Final = ",;\t|"
# No extension is looked for on disk or in the network; one source keeps to one thread, so rows stay in order.
_CONFIG: Final[dict[str, str | bool | int | float | list[str]]] = {
    "threads": "1",
    "memory_limit": "1GB",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "lock_configuration": "true",
    "temp_directory": "",
}

_UNREADABLE: Final = (duckdb.Error, pa.ArrowException, OSError)


def read_delimited(source: OpenSource, block_rows: int) -> Iterator[Sheet | Setback | Tally]:
    """Yield the one sheet of a CSV or TSV file (also gzipped), then a setback for each line that does not fit it.

    The first line names the columns. The delimiter of a .tsv is the tab, that of a .csv whichever of , ; tab | the
    first line has most of.

    Args:
        source: the file.
        block_rows: rows of a sample: batches are a multiple of it where that is not too many, so none need be joined.

    Raises:
        Damaged: no readable header, or the file cannot be read to its end.
    """
    is_gzip = source.suffix.endswith(".gz")
    head, encoding = _header_text(source, is_gzip)
    delimiter = "\t" if source.suffix.startswith("tsv") else _delimiter_of(head)
    names = column_names(_first_record(head, delimiter))
    counted = _Counted()
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        # By descriptor: a name with * or [ in it would be a pattern to DuckDB and match other files.
        relation = connection.sql(
            "SELECT * FROM read_csv($path, delim=$delim, quote='\"', escape='\"', header=true, auto_detect=false,"
            " columns=$columns, store_rejects=true, rejects_limit=0, nullstr='', compression=$compression,"
            " encoding=$encoding, max_line_size=$line)",
            params={
                "path": f"/proc/self/fd/{source.stream.fileno()}",
                "delim": delimiter,
                "columns": {f"c{i}": "VARCHAR" for i in range(len(names))},
                "compression": "gzip" if is_gzip else "none",
                "encoding": encoding,
                "line": _LINE_BYTES,
            },
        )
        batches = counted.count(relation.to_arrow_reader(_batch_rows(block_rows)), names)
        yield Sheet("", 1, guarded(batches, _UNREADABLE, "table"))
        setbacks = _setbacks(connection)
    except _UNREADABLE as error:
        raise Damaged(f"not a readable table: {one_line(error)}") from error
    finally:
        connection.close()
    yield from setbacks.all()
    yield Tally(num_parts=max(counted.num_rows + setbacks.num_seen, 1), num_lost=setbacks.num_seen)


def _batch_rows(block_rows: int) -> int:
    return block_rows * max(_BATCH_ROWS // block_rows, 1) if block_rows <= _LARGEST_BATCH_ROWS else _BATCH_ROWS


class _Counted:
    def __init__(self) -> None:
        self.num_rows = 0

    def count(self, batches: Any, names: list[str]) -> Iterator[RecordBatch]:
        """Yield the batches under their real names, counting rows."""
        for batch in batches:
            self.num_rows += batch.num_rows
            yield batch.rename_columns(names)


def _setbacks(connection: duckdb.DuckDBPyConnection) -> Setbacks:
    found = Setbacks()
    # One row a line: a line that breaks two rules is one line lost.
    rows = connection.execute(
        "SELECT line, min(error_type::VARCHAR || ': ' || error_message), max(strlen(coalesce(csv_line, '')))"
        " FROM reject_errors GROUP BY line ORDER BY line"
    )
    while (row := rows.fetchone()) is not None:
        found.add(f"line {row[0]}", " ".join(str(row[1]).split())[:300], int(row[2]))
    return found


def _header_text(source: OpenSource, is_gzip: bool) -> tuple[str, str]:
    """Return the beginning of the file as text, and DuckDB's name of its encoding."""
    try:
        if is_gzip:
            with gzip.GzipFile(fileobj=source.stream, mode="rb") as unpacked:
                raw = unpacked.read(_HEADER_BYTES)
        else:
            raw = source.stream.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise Damaged(f"not a readable gzip file: {one_line(error)}") from error
    # Spreadsheets save "Unicode text" as UTF-16 with a byte order mark.
    codec = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = raw.decode(codec, errors="replace")
    if "\0" in text[:4096]:
        raise Damaged("not a text table: the file holds NUL bytes")
    return text, "utf-16" if codec == "utf-16" else "utf-8"


def _delimiter_of(head: str) -> str:
    first_line = head.partition("\n")[0]
    # What stands in quotes separates nothing: every second piece between quotes is outside of them.
    outside = "".join(first_line.split('"')[::2])
    return max(_DELIMITERS, key=lambda mark: (outside.count(mark), -_DELIMITERS.index(mark)))


def _first_record(head: str, delimiter: str) -> list[str]:
    csv.field_size_limit(_HEADER_BYTES)
    try:
        record = next((row for row in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter) if row), None)
    except csv.Error as error:
        raise Damaged(f"first line is no header: {one_line(error)}") from error
    if record is None or "�" in "".join(record):
        raise Damaged("first line is no header in UTF-8 or UTF-16")
    if len(record) > MAX_COLUMNS:
        raise Damaged(f"table has {len(record)} columns, more than {MAX_COLUMNS}")
    return record
