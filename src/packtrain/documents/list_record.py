"""list.json: one list of parties that was added to the voyage: which file, of which day, and what was read from it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Label, Part, Sha256, Text

ListFormat = Literal[
    "csl-json",
    "csl-csv",
    "ofac-csv",
    "ofac-xml",
    "eu-xml",
    "eu-csv",
    "uk-csv",
    "un-xml",
    "opensanctions-simple",
    "opensanctions-ftm",
    "csv",
]
Date = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")]
MAX_FILES: Final = 8


class ListFile(Part, frozen=True, kw_only=True):
    """One file as the publisher gave it. It is not kept: its digest says later which one it was."""

    name: Text
    bytes: Count
    sha256: Sha256


class MappedColumn(Part, frozen=True, kw_only=True):
    """What a column of a list in a form of its own stands for."""

    field: Text
    column: Text


class LeftOut(Part, frozen=True, kw_only=True):
    """Rows that became no entry, and why."""

    reason: Text
    count: Count


class ListRecord(Document, frozen=True, kw_only=True):
    """One list, as it was added. A list added again under the same label has a new record that names the old one.

    Attributes:
        label: what the user calls the list.
        date: the day of the list, as the user gives it; never later than the file's own.
        date_in_file: the day that the file itself states, None where it states none.
        source: where the user had it from.
        files: the files given, in the order they were read.
        columns: for the format "csv": which column is which field.
        num_rows: rows, lines or elements read; an entry may have several.
        num_entries, num_names, num_addresses: what came of them.
        left_out: what became no entry.
        entries: SHA-256 over the stored entries: one line each, in order, with its newline.
        replaces: SHA-256 of the record that this one took the place of; None for the first.
    """

    kind = "list"

    label: Label
    format: ListFormat
    date: Date
    date_in_file: Date | None
    source: Text | None
    files: Annotated[tuple[ListFile, ...], msgspec.Meta(min_length=1, max_length=MAX_FILES)]
    columns: Annotated[tuple[MappedColumn, ...], msgspec.Meta(max_length=64)]
    num_rows: Count
    num_entries: Count
    num_names: Count
    num_addresses: Count
    left_out: Annotated[tuple[LeftOut, ...], msgspec.Meta(max_length=64)]
    entries: Sha256
    added_on: Instant
    replaces: Sha256 | None
