"""packtrain look"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from packtrain.cli.options import folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer
from packtrain.dataset.looking.look import NUM_SAMPLES, PAGE_BYTES, PAGE_NAME, Wanted
from packtrain.units import counted, format_bytes, parse_bytes

if TYPE_CHECKING:
    from packtrain.stages.prepare import RowsAside
    from packtrain.voyage import Voyage

_LEAST_PAGE_BYTES = 500_000


def _size(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int:
    try:
        size_bytes = PAGE_BYTES if text is None else parse_bytes(text)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    if size_bytes < _LEAST_PAGE_BYTES:
        raise click.BadParameter(f"a page needs {format_bytes(_LEAST_PAGE_BYTES)} at least")
    return size_bytes


@click.command("look")
@folder_argument
@click.option("--out", type=click.Path(path_type=Path), help=f"The file to write (default: work/{PAGE_NAME}).")
@click.option(
    "--samples",
    type=click.IntRange(1, 10_000),
    default=NUM_SAMPLES,
    help=f"Pictures of each kind (default: {NUM_SAMPLES}).",
)
@click.option("--seed", type=click.IntRange(0), help="Of the lot that draws them (default: the recipe's); try another.")
@click.option("--most-bytes", callback=_size, metavar="SIZE", help="About how long the page may become (default: 8MB).")
@click.option("--no-values", is_flag=True, help="Show no cell of a table, and no name of a column.")
@click.option("--rejects", is_flag=True, help="Write no page: list what was set aside, and why.")
@click.option("--drops", is_flag=True, help="Write no page: list samples that were read and not kept, and why.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, help="So many rows of such a list (default: 100)."
)
@click.option("--skip", type=click.IntRange(0), default=0, help="Leave out so many rows before them.")
@json_option
def command(
    folder: Path,
    out: Path | None,
    samples: int,
    seed: int | None,
    most_bytes: int,
    *,
    no_values: bool,
    rejects: bool,
    drops: bool,
    limit: int,
    skip: int,
    as_json: bool,
) -> None:
    """Write one private HTML page to look at the prepared data before it is packed.

    Pictures and frames drawn by lot, profiles of tables, what was measured before and after, what was dropped by which
    rule, pairs that look alike, and what was set aside. The page holds your data: it is for its owner alone (mode 0600)
    and does not travel.
    """
    voyage = open_voyage(folder)
    if rejects and drops:
        raise click.UsageError("--rejects and --drops are two lists: ask for one of them")
    if rejects or drops:
        found = voyage.set_aside(skip, limit) if rejects else voyage.dropped(skip, limit)
        _list(found, "rejects" if rejects else "drops", skip, as_json=as_json)
        return
    page = (out or voyage.folder.work / PAGE_NAME).absolute()
    _refuse_where_it_would_travel(voyage, page)
    look, num_bytes = voyage.look(page, Wanted(samples, seed, most_bytes), with_values=not no_values)
    shown = sum(len(sheet.shown) for sheet in look.sheets)
    said = f"{format_bytes(num_bytes)}, {counted(shown, 'sample')} drawn with seed {look.seed}"
    answer(
        f"private page written to {page}: {said}",
        {
            "page": str(page),
            "bytes": num_bytes,
            "samples_shown": shown,
            "left_out": look.num_left_out,
            "seed": look.seed,
        },
        as_json=as_json,
    )


def _refuse_where_it_would_travel(voyage: Voyage, page: Path) -> None:
    """Refuse a place that is packed, exported or read as a source; and, but for look.html, what `withdraw` clears.

    Raises:
        UsageError: the page would lie there.
    """
    folder = voyage.folder
    sources = folder.voyage_file().sources
    taken = {
        "the data set that is packed": [folder.work / "dataset"],
        "the signed documents, which go to other parties": [folder.documents],
        "a source, which is prepared or carried": [folder.resolve(text) for text in sources.paths] if sources else [],
    }
    for what, places in taken.items():
        for place in places:
            if page.resolve().is_relative_to(place.resolve()):
                raise click.UsageError(f"the page is private and may not lie in {place}: it is {what}")
    if page.resolve().is_relative_to(folder.work.resolve()) and page.resolve() != (folder.work / PAGE_NAME).resolve():
        raise click.UsageError(
            f"of {folder.work} withdraw clears what it knows: a page there is called {PAGE_NAME},"
            " or lies somewhere else"
        )


def _list(found: RowsAside, name: str, skip: int, *, as_json: bool) -> None:
    rows = list(found.rows)
    document = {"table": str(found.path), "num_rows": found.num_rows, "skipped": skip, name: rows}
    told = [_reject_line(row) if name == "rejects" else _drop_line(row) for row in rows]
    left = found.num_rows - skip - len(rows)
    if left > 0:
        told.append(f"and {left:,} more: --skip {skip + len(rows)} goes on")
    if not told and found.num_rows:
        told.append(f"none after these: the list has {counted(found.num_rows, 'row')}")
    elif not told:
        told.append("nothing was set aside" if name == "rejects" else "nothing that was read was dropped")
    if found.is_early:
        told.append("this run stopped: too much was set aside")
    answer("\n".join(told), document, as_json=as_json)


def _reject_line(row: Mapping[str, Any]) -> str:
    place = f", {row['place']}" if row["place"] else ""
    size = f" ({format_bytes(row['bytes'])})" if row["bytes"] else ""
    return f"{row['path']}{place}: {row['error']}{size}"


def _drop_line(row: Mapping[str, Any]) -> str:
    measured = f", {row['value']:.6g} against {row['limit']:.6g}" if row["value"] is not None else ""
    kept = f"; kept: {row['kept_source']}" if row["kept_source"] else ""
    return f"{row['source']} [{row['key']}]: {row['reason']}, {row['rule']}{measured}{kept}"
