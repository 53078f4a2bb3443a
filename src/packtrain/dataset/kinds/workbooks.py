"""Workbooks by python-calamine; a sheet it refuses is tried with openpyxl, and set aside alone if that fails too."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from xml.etree.ElementTree import ParseError

import openpyxl
import openpyxl.utils.exceptions
import pyarrow as pa
import python_calamine

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Setback, Tally, one_line
from packtrain.dataset.kinds.sheet import MAX_COLUMNS, Sheet, column_names

_MAX_FILE_BYTES: Final = 1 << 30
# A workbook is a zip that is unpacked into memory; the largest sheets people have are about 1 GB of XML.
_MAX_UNPACKED_BYTES: Final = 4 << 30
_BATCH_ROWS: Final = 4096
_LARGEST_EXACT_INTEGER: Final = 2.0**53

_OPENPYXL_FAILS: Final = (
    openpyxl.utils.exceptions.InvalidFileException,
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    IndexError,
    NotImplementedError,
)


def read_workbook(source: OpenSource) -> Iterator[Sheet | Setback | Tally]:
    """Yield each sheet of an .xlsx, .xlsm, .xls or .ods file that has rows, or a setback for one that cannot be read.

    The first row that is not empty names the columns. Sheets without a row below it are passed over.

    Raises:
        Damaged: the workbook as a whole cannot be opened.
    """
    if source.size_bytes > _MAX_FILE_BYTES:
        raise Damaged(f"workbook has {source.size_bytes} bytes, more than {_MAX_FILE_BYTES}")
    payload = source.stream.read()
    _refuse_bomb(payload)
    workbook = _calamine(lambda: python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(payload)))
    num_lost = num_sheets = 0
    for number, name in enumerate(workbook.sheet_names, start=1):
        try:
            rows = _rows(workbook, name, payload, source.suffix)
        except Damaged as error:
            num_sheets, num_lost = num_sheets + 1, num_lost + 1
            yield Setback(f"sheet {name}", str(error))
            continue
        if len(rows) < 2:
            continue
        num_sheets += 1
        yield Sheet(name, number, _batches(rows))
    yield Tally(num_parts=max(num_sheets, 1), num_lost=num_lost)


def _rows(workbook: Any, name: str, payload: bytes, suffix: str) -> list[list[str | None]]:
    """Return the cells of a sheet as text, all rows equally long, without empty rows above and below."""
    try:
        cells: list[Sequence[object]] = _calamine(lambda: workbook.get_sheet_by_name(name).to_python())
    except Damaged as first:
        if suffix not in ("xlsx", "xlsm"):
            raise
        try:
            cells = _openpyxl_rows(payload, name)
        except _OPENPYXL_FAILS as second:
            raise Damaged(f"{first}; openpyxl says: {one_line(second)}") from second
    rows = [[cell_text(cell) for cell in row] for row in cells]
    while rows and not any(rows[0]):
        rows.pop(0)
    while rows and not any(rows[-1]):
        rows.pop()
    width = max((len(row) for row in rows), default=0)
    if width > MAX_COLUMNS:
        raise Damaged(f"sheet has {width} columns, more than {MAX_COLUMNS}")
    for row in rows:
        row.extend([None] * (width - len(row)))
    return rows


def _calamine(call: Any) -> Any:
    try:
        return call()
    except python_calamine.CalamineError as error:
        raise Damaged(f"not a readable workbook: {one_line(error)}") from error
    except BaseException as error:
        # A panic in the Rust code arrives as pyo3's PanicException, which is no Exception so that nobody swallows it;
        # for a damaged file it means: damaged.
        if type(error).__name__ != "PanicException":
            raise
        raise Damaged(f"not a readable workbook: {one_line(error)}") from error


def _openpyxl_rows(payload: bytes, name: str) -> list[Sequence[object]]:
    book = openpyxl.load_workbook(io.BytesIO(payload), read_only=True, data_only=True, keep_links=False)
    try:
        return list(book[name].iter_rows(values_only=True))
    finally:
        book.close()


def _refuse_bomb(payload: bytes) -> None:
    if not zipfile.is_zipfile(io.BytesIO(payload)):
        return  # .xls is no zip; what is neither is refused by the reader
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            unpacked_bytes = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise Damaged(f"not a readable workbook: {one_line(error)}") from error
    if unpacked_bytes > _MAX_UNPACKED_BYTES:
        raise Damaged(f"workbook unpacks to {unpacked_bytes} bytes, more than {_MAX_UNPACKED_BYTES}")


def cell_text(cell: object) -> str | None:
    """Return a cell as the text a person would have typed, or None if it is empty."""
    match cell:
        case None | "":
            return None
        case bool():
            return "true" if cell else "false"
        case float():
            # Spreadsheets know no integers: 41 is stored as 41.0.
            return str(int(cell)) if cell.is_integer() and abs(cell) < _LARGEST_EXACT_INTEGER else repr(cell)
        case datetime():
            return cell.isoformat(sep=" ")
        case date() | time():
            return cell.isoformat()
        case timedelta():
            return f"{cell.total_seconds():g} s"
        case _:
            return str(cell)


def _batches(rows: list[list[str | None]]) -> Iterator[RecordBatch]:
    schema = pa.schema([(name, pa.string()) for name in column_names(rows[0])])
    for first in range(1, len(rows), _BATCH_ROWS):
        part = rows[first : first + _BATCH_ROWS]
        columns = [pa.array([row[i] for row in part], pa.string()) for i in range(len(schema))]
        yield pa.record_batch(columns, schema=schema)
