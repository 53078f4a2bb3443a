"""packtrain lists add | show"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.completing import list_labels
from packtrain.cli.options import DAY, InOrder, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.documents.list_record import ListFormat, ListRecord

_LABEL = r"letters, digits, dot, dash and underscore; at most 32"


@click.group("lists", cls=InOrder)
def command() -> None:
    """Add the lists of parties that this voyage is screened against. packtrain ships none and fetches none."""


@command.command("add")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--format", "list_format", type=click.Choice(get_args(ListFormat)), required=True, help="What it is.")
@click.option(
    "--label",
    required=True,
    shell_complete=list_labels,
    help=f"What to call the list ({_LABEL}); the same label replaces it.",
)
@click.option("--date", "day", type=DAY, required=True, help="The day that the list is of.")
@click.option("--source", help="Where it was fetched from: an address, kept in the record.")
@click.option(
    "--columns",
    "mapped",
    multiple=True,
    help="For the format csv: field=heading, with commas or given often. Fields: id, kind, name, alias, weak_alias, "
    "address, country, program, identifier, remarks, source_url.",
)
@voyage_option
@json_option
def add(
    files: tuple[Path, ...],
    list_format: ListFormat,
    label: str,
    day: datetime,
    source: str | None,
    mapped: tuple[str, ...],
    folder: Path,
    as_json: bool,
) -> None:
    """Read a list as its publisher gives it: FILES is one file; for ofac-csv the three files, or their folder."""
    from packtrain.diligence.lists.add import ListToAdd

    wanted = ListToAdd(_label(label), list_format, files, day.date(), source, dict(_mapping(mapped)))
    record = open_voyage(folder).add_list(wanted)
    answer(
        f"{record.label}: {record.num_entries:,} entries\n"
        + table(
            [
                ("of", record.date + (f" (the file says {record.date_in_file})" if record.date_in_file else "")),
                ("names", f"{record.num_names:,}"),
                ("addresses", f"{record.num_addresses:,}"),
                ("rows", f"{record.num_rows:,}"),
                *((f"sha256 {each.name}", each.sha256) for each in record.files),
            ]
        ),
        _as_document(record),
        as_json=as_json,
    )


@command.command("show")
@voyage_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Show which lists were added, of which day they are, and how old that makes them."""
    records = open_voyage(folder).lists()
    text = _overview(records) if records else "no list was added: nothing can be screened (packtrain lists add)"
    answer(text, [_as_document(record) for record in records], as_json=as_json)


def _overview(records: Sequence[ListRecord]) -> str:
    rows = [("label", "format", "of", "days old", "entries", "names", "addresses", "sha256", "source")]
    for record in records:
        rows.append(
            (
                record.label,
                record.format,
                record.date,
                str(_age_days(record)),
                f"{record.num_entries:,}",
                f"{record.num_names:,}",
                f"{record.num_addresses:,}",
                " ".join(each.sha256[:16] for each in record.files),
                record.source or "",
            )
        )
    return columns(rows)


def _as_document(record: ListRecord) -> dict[str, object]:
    import msgspec

    return {**msgspec.to_builtins(record), "age_days": _age_days(record)}


def _age_days(record: ListRecord) -> int:
    return max((datetime.now(UTC).date() - date.fromisoformat(record.date)).days, 0)


def _label(text: str) -> str:
    import re

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", text):
        raise click.UsageError(f"--label: {_LABEL}")
    return text


def _mapping(mapped: Sequence[str]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for pair in (part for text in mapped for part in text.split(",")):
        field, equals, heading = pair.partition("=")
        if not equals or not heading.strip():
            raise click.UsageError(f"--columns: {pair!r} is not field=heading")
        pairs.append((field.strip(), heading.strip()))
    return pairs
