"""packtrain measure"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import file_to_write, json_option, open_voyage
from packtrain.cli.terminal import Terminal, answer
from packtrain.units import parse_bytes

if TYPE_CHECKING:
    from packtrain.documents.measurement import Measurement


def _size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else parse_bytes(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command("measure")
@click.argument("places", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--drives", multiple=True, type=click.Path(path_type=Path), metavar="DIR", help="A drive; further ones may follow."
)
@click.option("--source", type=click.Path(path_type=Path, exists=True), help="Data to read (default: [sources]).")
@click.option("--store", type=click.Path(path_type=Path, file_okay=False, exists=True), help="The site's store.")
@click.option(
    "--bytes", "total_bytes", callback=_size, metavar="SIZE", help="Of each drive (default: 2 GB, or what fits)."
)
@click.option(
    "--seconds", type=click.FloatRange(0.1, 86_400), help="At most, for each writing and reading (default: 10)."
)
@click.option("--cores", type=click.IntRange(1, 4096), help="Use so many processors (default: all).")
@click.option(
    "--into", type=click.Path(path_type=Path, dir_okay=False), help="Write measurement.json to this file too."
)
@click.option("--dry-run", is_flag=True, help="Say what would be measured; write nothing.")
@json_option
def command(
    places: tuple[Path, ...],
    drives: tuple[Path, ...],
    source: Path | None,
    store: Path | None,
    total_bytes: int | None,
    seconds: float | None,
    cores: int | None,
    into: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Time this machine and these drives: each alone, then all at once as a wave writes them.

    PLACES are a voyage folder, drives, or both. In a voyage folder without drives: those of voyage.toml that are
    mounted. The figures go to documents/measurement.json, and "plan" uses them. Files of its own are written and
    removed; a drive that holds a shipment is only read.
    """
    import msgspec

    from packtrain.report.measurement_text import preview_rows
    from packtrain.stages.measure import Wishes
    from packtrain.without_folder import measure_here, preview_measuring

    if seconds is not None and math.isnan(seconds):
        raise click.UsageError("--seconds is a number")
    file = file_to_write(into) if into is not None else None
    folder, named = _sorted(places, drives)
    wishes = Wishes(named, source, store, total_bytes, seconds, cores)
    terminal = Terminal()
    if dry_run:
        preview = (
            open_voyage(folder, terminal).preview_measuring(wishes)
            if folder is not None
            else preview_measuring(wishes, terminal)
        )
        answer(f"would measure\n{table(preview_rows(preview))}", preview, as_json=as_json)
        return
    found = open_voyage(folder, terminal).measure(wishes) if folder is not None else measure_here(wishes, terminal)
    if file is not None:
        _keep(found, file)
    answer(_text(found), msgspec.to_builtins(found), as_json=as_json)


def _sorted(places: tuple[Path, ...], drives: tuple[Path, ...]) -> tuple[Path | None, tuple[Path, ...]]:
    """Return the voyage folder, if there is one, and the drives: a place with a voyage.toml is no drive."""
    voyages = [place for place in places if (place / "voyage.toml").is_file()]
    if len(voyages) > 1:
        raise click.UsageError(f"{voyages[1]} is a second voyage folder: name one")
    named = (*drives, *(place for place in places if place not in voyages))
    here = Path()
    folder = voyages[0] if voyages else here if (here / "voyage.toml").is_file() else None
    return folder, tuple(dict.fromkeys(named))


def _keep(found: Measurement, file: Path) -> None:
    from packtrain import durable
    from packtrain.documents.codec import encode

    durable.write_bytes(file, encode(found))


def _text(found: Measurement) -> str:
    from packtrain.report.measurement_text import measurement_rows

    return "\n".join(f"{heading}\n{table(rows)}" for heading, rows in measurement_rows(found))
