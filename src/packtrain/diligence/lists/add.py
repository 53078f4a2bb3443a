"""Adding a list: read a publisher's file once, keep what it says, and which file of which day it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from packtrain.digest import sha256_stream
from packtrain.diligence.lists import store
from packtrain.diligence.lists.formats import read, source_of
from packtrain.diligence.lists.reading import ListSource, Tally, one_line
from packtrain.documents.codec import digest
from packtrain.documents.list_record import LeftOut, ListFile, ListFormat, ListRecord, MappedColumn
from packtrain.errors import DriveFull, ListMissing, ListUnreadable, SourceChanged
from packtrain.events import Notice, Progress, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant

STAGE: Final = "lists"
_PROGRESS_EVERY: Final = 5000
_ZONES: Final = timedelta(days=1)
"""A list of tomorrow: it is tomorrow already where the publisher sits."""


@dataclass(frozen=True, slots=True)
class ListToAdd:
    """What the user says of a list.

    Attributes:
        label: what it is to be called.
        format: how its files are to be read.
        files: the files, or the folder of a list of several.
        date: the day that the list is of.
        source: where it was fetched from; None where the user does not say.
        columns: field -> heading, for the format "csv".
    """

    label: str
    format: ListFormat
    files: Sequence[Path]
    date: date
    source: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])


def add_list(folder: VoyageFolder, wanted: ListToAdd, sink: Sink) -> ListRecord:
    """Read a list into the voyage folder and return its record; a list of the same label is replaced by it.

    Time grows with the rows; memory holds one entry.

    Raises:
        ListUnreadable: the files are not of this format, cut off, of an earlier day than the user says, or hold no
            entry. Nothing is stored, and a list that was there stays.
        SourceChanged: a file changed while it was read.
        DriveFull: no space is left.
    """
    if wanted.date > datetime.now(UTC).date() + _ZONES:
        raise ListUnreadable("the day of the list is not yet", found=wanted.date.isoformat())
    source = source_of(wanted.format, wanted.files, wanted.columns)
    try:
        record = _read(folder, wanted, source, sink)
    except sqlite3.OperationalError as error:
        if "full" in str(error):
            raise DriveFull(
                "no space left for the list, or for what is put aside while it is read",
                where=f"{folder.root}, or the folder for temporary files",
                hint="make room (TMPDIR names another folder for temporary files), then add the list again",
            ) from error
        raise
    for left in record.left_out:
        sink(Notice(STAGE, f"{record.label}: {left.count:,} left out: {left.reason}"))
    return record


def _read(folder: VoyageFolder, wanted: ListToAdd, source: ListSource, sink: Sink) -> ListRecord:
    files = _files(source)
    tally = Tally(wanted.label)
    with store.EntryWriter(folder, wanted.label) as writer:
        for party in read(wanted.format, source, tally):
            writer.add(party)
            if writer.num_entries % _PROGRESS_EVERY == 0:
                sink(Progress(STAGE, f"reading {wanted.label}", done_items=writer.num_entries, unit="entries"))
        _check(wanted, writer, tally, files, source)
        record = ListRecord(
            label=wanted.label,
            format=wanted.format,
            date=wanted.date.isoformat(),
            date_in_file=tally.date_in_file,
            source=wanted.source,
            files=files,
            columns=tuple(MappedColumn(field=name, column=text) for name, text in wanted.columns.items()),
            num_rows=tally.num_rows,
            num_entries=writer.num_entries,
            num_names=writer.num_names,
            num_addresses=writer.num_addresses,
            left_out=tuple(LeftOut(reason=reason, count=count) for reason, count in sorted(tally.left_out.items())),
            entries=writer.digest,
            added_on=instant(),
            replaces=_replaced(folder, wanted.label),
        )
        writer.keep(record)
    return record


def _check(
    wanted: ListToAdd, writer: store.EntryWriter, tally: Tally, files: tuple[ListFile, ...], source: ListSource
) -> None:
    where = ", ".join(each.name for each in files)
    if _files(source) != files:
        raise SourceChanged("the list changed while it was read", where=where, hint="wait for it, then add it again")
    if writer.num_entries == 0:
        raise ListUnreadable(
            "the list holds no entry",
            where=where,
            expected=f"a list in the format {wanted.format}",
            found=f"{tally.num_rows} rows",
            hint="a list with nobody on it would let everybody through: nothing was stored",
        )
    stated = tally.date_in_file
    if stated is not None and wanted.date > date.fromisoformat(stated) + _ZONES:
        raise ListUnreadable(
            "the list is older than --date says",
            where=where,
            expected=f"--date {stated}, as the file has it",
            found=wanted.date.isoformat(),
            hint="an old list must show its age; fetch a new one, or give its own day",
        )


def _files(source: ListSource) -> tuple[ListFile, ...]:
    found: list[ListFile] = []
    for path in source.paths.values():
        with path.open("rb") as stream:
            sha256, num_bytes = sha256_stream(stream)
        found.append(ListFile(name=one_line(path.name), bytes=num_bytes, sha256=sha256))
    return tuple(found)


def _replaced(folder: VoyageFolder, label: str) -> str | None:
    try:
        return digest(store.record(folder, label))
    except ListMissing:
        return None
