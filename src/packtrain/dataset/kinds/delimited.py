"""CSV and TSV by DuckDB: bad lines are set aside one by one, with the reason DuckDB gives."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import duckdb
import pyarrow as pa

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Setback, Setbacks, Tally, one_line
from packtrain.dataset.kinds.sheet import MAX_COLUMNS, Sheet, column_names, guarded, names_columns
from packtrain.dataset.kinds.text_form import Encoding, as_utf8, encoding_of, head_of, opened

_HEADER_BYTES: Final = 1 << 20
_LINE_BYTES: Final = 2 << 20
_BATCH_ROWS: Final = 4096
_LARGEST_BATCH_ROWS: Final = 16_384
_DELIMITERS: Final = ",;\t|"
_MOST_TITLES: Final = 10
_LINES_LIKE_IT: Final = 3
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

# DuckDB keeps what it says of each bad line outside of its memory limit, 700 bytes each.
_MOST_SETBACKS: Final = 250_000
_UNREADABLE: Final = (duckdb.Error, pa.ArrowException, OSError)


def read_delimited(source: OpenSource, block_rows: int) -> Iterator[Sheet | Setback | Tally]:
    """Yield the one sheet of a CSV or TSV file (also gzipped), then a setback for each line that does not fit it.

    The first line names the columns, unless all its cells are numbers; titles above it are passed over (`_Layout`). The
    delimiter of a .tsv is the tab, that of a .csv whichever of , ; tab | the header has most of.

    Args:
        source: the file.
        block_rows: rows of a sample: batches are a multiple of it where that is not too many, so none need be joined.

    Raises:
        Damaged: no readable header, or the file cannot be read to its end.
    """
    is_gzip = source.suffix.endswith(".gz")
    encoding = encoding_of(source.stream, is_gzip)
    layout = _layout_of(
        head_of(source.stream, is_gzip, encoding, _HEADER_BYTES), "\t" if source.suffix.startswith("tsv") else ""
    )
    counted = _Counted()
    connection = _database().cursor()
    try:
        with _path_of(source, is_gzip, encoding) as path:
            relation = connection.sql(
                "SELECT * FROM read_csv($path, delim=$delim, quote='\"', escape='\"', header=$header,"
                " auto_detect=false, columns=$columns, store_rejects=true, rejects_limit=$most, nullstr='',"
                " compression=$compression, encoding='utf-8', max_line_size=$line, skip=$skip)",
                params={
                    "path": path,
                    "delim": layout.delimiter,
                    "header": layout.has_header,
                    "columns": {f"c{i}": "VARCHAR" for i in range(len(layout.names))},
                    "compression": "gzip" if is_gzip and encoding == "utf-8" else "none",
                    "line": _LINE_BYTES,
                    "skip": layout.num_above,
                    "most": _MOST_SETBACKS,
                },
            )
            batches = counted.count(relation.to_arrow_reader(_batch_rows(block_rows)), layout.names)
            detail = layout.detail if encoding == "utf-8" else {**layout.detail, "encoding": encoding}
            yield Sheet("", 1, guarded(batches, _UNREADABLE, "table"), detail)
            setbacks = _setbacks(connection)
    except _UNREADABLE as error:
        raise Damaged(f"not a readable table: {one_line(error)}") from error
    finally:
        connection.close()
    yield from setbacks.all()
    yield Tally(num_parts=max(counted.num_rows + setbacks.num_seen, 1), num_lost=setbacks.num_seen)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """Return this process's database: to open one takes 10 ms, and there are sets of a million small tables.

    A cursor of it has temporary tables of its own, and the tables of rejects are such.
    """
    return duckdb.connect(":memory:", config=_CONFIG)


@contextlib.contextmanager
def _path_of(source: OpenSource, is_gzip: bool, encoding: Encoding) -> Iterator[str]:
    if encoding == "utf-8":
        # By descriptor: a name with * or [ in it would be a pattern to DuckDB and match other files.
        yield f"/proc/self/fd/{source.stream.fileno()}"
    else:
        with as_utf8(opened(source.stream, is_gzip), encoding) as path:
            yield path


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
    num_told = connection.execute("SELECT count(*) FROM reject_errors").fetchall()[0][0]
    if num_told >= _MOST_SETBACKS:  # there may be more of which nothing is known: no share of the file can be told
        raise Damaged(f"{_MOST_SETBACKS} lines or more do not fit the header: the file as a whole is set aside")
    # One row a line: a line that breaks two rules is one line lost.
    rows = connection.execute(
        "SELECT line, min(error_type::VARCHAR || ': ' || error_message), max(strlen(coalesce(csv_line, '')))"
        " FROM reject_errors GROUP BY line ORDER BY line"
    )
    while (row := rows.fetchone()) is not None:
        found.add(f"line {row[0]}", " ".join(str(row[1]).split())[:300], int(row[2]))
    return found


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a text table begins.

    Attributes:
        delimiter: between cells.
        num_above: lines above the header, or above the first row.
        num_titles: how many of them are not empty.
        has_header: or the first line is a row already.
        names: of the columns.
    """

    delimiter: str
    num_above: int
    num_titles: int
    has_header: bool
    names: list[str]

    @property
    def detail(self) -> dict[str, str | int | float | bool]:
        """Return what a sample says of it, where it is not what one expects."""
        found: dict[str, str | int | float | bool] = {}
        if self.num_titles:
            found["title_rows"] = self.num_titles
        if not self.has_header:
            found["header"] = "none"
        return found


def _layout_of(head: str, delimiter: str) -> _Layout:
    """Return where a table begins, from the beginning of its text.

    Titles are lines without any delimiter, above three lines of equally many cells, at least three each.
    """
    if "\0" in head[:4096]:
        raise Damaged("not a text table: the file holds NUL bytes")
    # By line ends alone, as DuckDB counts them: text has other characters that end a line to Python.
    lines = list(itertools.islice(io.StringIO(head, newline=""), _MOST_TITLES + _LINES_LIKE_IT))
    num_above = next((number for number, line in enumerate(lines) if line.strip("\r\n")), 0)
    if not delimiter:
        num_titles, delimiter = _titles_of(lines[num_above:])
        num_above += num_titles
    below = "".join(lines[:num_above])
    record = _first_record(head[len(below) :], delimiter)
    has_header = names_columns(record)
    num_titles = sum(1 for line in lines[:num_above] if line.strip("\r\n"))
    return _Layout(
        delimiter, num_above, num_titles, has_header, column_names(record if has_header else [""] * len(record))
    )


def _titles_of(lines: list[str]) -> tuple[int, str]:
    for number, line in enumerate(lines[: _MOST_TITLES + 1]):
        outside = _outside_quotes(line)
        delimiter = max(_DELIMITERS, key=lambda mark: (outside.count(mark), -_DELIMITERS.index(mark)))
        num_cells = outside.count(delimiter) + 1
        if number == 0 and num_cells > 1:
            return 0, delimiter
        if num_cells >= _LINES_LIKE_IT:
            table = [_outside_quotes(each).count(delimiter) + 1 for each in lines[number : number + _LINES_LIKE_IT]]
            if table == [num_cells] * _LINES_LIKE_IT:
                return number, delimiter
        if num_cells > 1 or '"' in line:
            break
    return 0, ","


def _outside_quotes(line: str) -> str:
    # What stands in quotes separates nothing: every second piece between quotes is outside of them.
    return "".join(line.split('"')[::2])


def _first_record(head: str, delimiter: str) -> list[str]:
    csv.field_size_limit(_HEADER_BYTES)
    try:
        record = next((row for row in csv.reader(io.StringIO(head, newline=""), delimiter=delimiter) if row), None)
    except csv.Error as error:
        raise Damaged(f"first line is no header: {one_line(error)}") from error
    if record is None or "�" in "".join(record):
        raise Damaged("first line is no header in UTF-8, UTF-16 or Windows-1252")
    if len(record) > MAX_COLUMNS:
        raise Damaged(f"table has {len(record)} columns, more than {MAX_COLUMNS}")
    return record
