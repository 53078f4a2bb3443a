"""packtrain lineage"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.options import json_option, open_voyage, run_options, steps_option, voyage_option
from packtrain.cli.terminal import answer

if TYPE_CHECKING:
    from packtrain.stages.lineage import Ancestry

_SHOWN: Final = 20
"""Rows of a list that are shown; --json has all of them."""


@click.command("lineage")
@click.argument("name", metavar="KEY|SOURCE")
@run_options
@steps_option
@voyage_option
@json_option
def command(
    name: str,
    seed: int | None,
    global_batch: int | None,
    order: Literal["random", "block"] | None,
    steps: int | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Tell where a sample came from, where it travels and which steps saw it; or all that became of a source."""
    from packtrain.training.known_run import Asked

    found = open_voyage(folder).lineage(name, Asked(seed, global_batch, steps, order))
    answer(_text(found), found.to_dict(), as_json=as_json)


def _text(found: Ancestry) -> str:
    told = [f"{found.what} {found.name}", table(list(found.facts.items()))]
    for title, rows in found.rows.items():
        if rows:
            head = tuple(rows[0])
            told.append(f"{title}:")
            told.append(columns([head, *(tuple(str(row[name]) for name in head) for row in rows[:_SHOWN])]))
            if len(rows) > _SHOWN:
                told.append(f"and {len(rows) - _SHOWN:,} more (--json has them)")
    return "\n".join(told)
