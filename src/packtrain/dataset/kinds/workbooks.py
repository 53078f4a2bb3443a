"""Workbooks by python-calamine; a sheet it refuses is tried with openpyxl, and set aside alone if that fails too."""

from __future__ import annotations

import itertools
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, BinaryIO, Final
from xml.etree.ElementTree import ParseError

import openpyxl
import openpyxl.utils.exceptions
import pyarrow as pa
import python_calamine

from packtrain.dataset.arrow import RecordBatch
from packtrain.dataset.kinds.header import LOOKED_AT_ROWS, Merged, header_of
from packtrain.dataset.kinds.ods_merged import merged_cells
from packtrain.dataset.kinds.piece import Damaged, OpenSource, Setback, Tally, one_line
from packtrain.dataset.kinds.sheet import MAX_COLUMNS, Sheet

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

    Where a table begins in its sheet: see header.py. Sheets without a row below the header are passed over; hidden
    sheets are read as others are, and their samples say that they were hidden.

    Raises:
        Damaged: the workbook as a whole cannot be opened.
    """
    if source.size_bytes > _MAX_FILE_BYTES:
        raise Damaged(f"workbook has {source.size_bytes} bytes, more than {_MAX_FILE_BYTES}")
    _refuse_bomb(source.stream)
    source.stream.seek(0)
    workbook = _calamine(lambda: python_calamine.CalamineWorkbook.from_filelike(source.stream))
    num_lost = num_sheets = 0
    for number, about in enumerate(workbook.sheets_metadata, start=1):
        try:
            sheet = _sheet(number, about, workbook, source)
        except Damaged as error:
            num_sheets, num_lost = num_sheets + 1, num_lost + 1
            yield Setback(f"sheet {about.name}", str(error))
            continue
        if sheet is not None:
            num_sheets += 1
            yield sheet
    yield Tally(num_parts=max(num_sheets, 1), num_lost=num_lost)


def _sheet(number: int, about: Any, workbook: Any, source: OpenSource) -> Sheet | None:
    """Return a sheet, or None if it has no row below its header."""
    cells = _cells(workbook, about.name, source)
    if cells.width > MAX_COLUMNS:
        raise Damaged(f"sheet has {cells.width} columns, more than {MAX_COLUMNS}")
    rows = _without_empty_end(cells.rows)
    head = list(itertools.islice(rows, LOOKED_AT_ROWS))
    texts = [[cell_text(cell) for cell in row] for row in head]
    are_texts = [all(cell in (None, "") or isinstance(cell, str) for cell in row) for row in head]
    header = header_of(texts, are_texts, cells.width, cells.merged)
    below = itertools.chain(head[header.first_row :] if header is not None else (), rows)
    first = next(below, None)
    if header is None or first is None:
        return None
    is_hidden = about.visible is not python_calamine.SheetVisibleEnum.Visible
    detail = {**header.detail, "hidden": True} if is_hidden else header.detail
    return Sheet(about.name, number, _batches(itertools.chain([first], below), header.names), detail)


@dataclass(frozen=True, slots=True)
class _Cells:
    rows: Iterator[Sequence[object]]
    width: int
    merged: list[Merged]


def _cells(workbook: Any, name: str, source: OpenSource) -> _Cells:
    try:
        sheet = _calamine(lambda: workbook.get_sheet_by_name(name))
    except Damaged as first:
        if source.suffix not in ("xlsx", "xlsm"):
            raise
        try:
            rows = _openpyxl_rows(source.stream, name)
        except _OPENPYXL_FAILS as second:
            raise Damaged(f"{first}; openpyxl says: {one_line(second)}") from second
        return _Cells(iter(rows), max((len(row) for row in rows), default=0), [])
    # Rows come from the top of the sheet, columns from the first that has anything.
    left = sheet.start[1] if sheet.start is not None else 0
    if source.suffix == "ods":
        found = merged_cells(source.stream).get(name, [])
    else:
        found = [Merged(*first, *last) for first, last in sheet.merged_cell_ranges or () if first[0] < LOOKED_AT_ROWS]
    merged = [Merged(each.top, each.left - left, each.bottom, each.right - left) for each in found]
    return _Cells(_guarded(iter(sheet.iter_rows())), sheet.width, merged)


def _guarded(rows: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
    while (row := _calamine(lambda: next(rows, None))) is not None:
        yield row


def _without_empty_end(rows: Iterator[Sequence[object]]) -> Iterator[Sequence[object]]:
    num_empty = 0
    for row in rows:
        if all(cell in (None, "") for cell in row):
            num_empty += 1
            continue
        yield from itertools.repeat((), num_empty)
        num_empty = 0
        yield row


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


def _openpyxl_rows(stream: BinaryIO, name: str) -> list[Sequence[object]]:
    book = openpyxl.load_workbook(stream, read_only=True, data_only=True, keep_links=False)
    try:
        return list(book[name].iter_rows(values_only=True))
    finally:
        book.close()


def _refuse_bomb(stream: BinaryIO) -> None:
    if not zipfile.is_zipfile(stream):
        return  # .xls is no zip; what is neither is refused by the reader
    try:
        with zipfile.ZipFile(stream) as archive:
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


def _batches(rows: Iterator[Sequence[object]], names: list[str]) -> Iterator[RecordBatch]:
    schema = pa.schema([(name, pa.string()) for name in names])
    while part := list(itertools.islice(rows, _BATCH_ROWS)):
        filled = [row if len(row) == len(names) else (*row, *[None] * (len(names) - len(row))) for row in part]
        yield pa.record_batch([_texts(column) for column in zip(*filled, strict=True)], schema=schema)


def _texts(cells: Sequence[object]) -> Any:
    # Texts are told apart here: a call a cell would take a third longer.
    return pa.array([(cell or None) if type(cell) is str else cell_text(cell) for cell in cells], pa.string())
