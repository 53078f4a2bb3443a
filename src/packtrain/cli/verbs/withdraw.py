"""packtrain withdraw"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.options import json_option, open_voyage, run_options, steps_option, voyage_option
from packtrain.cli.terminal import answer
from packtrain.units import counted

if TYPE_CHECKING:
    from packtrain.stages.withdraw import Outlook

_SHOWN: Final = 20
"""Rows of a list that are shown; --json has all of them."""


@click.command("withdraw")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.option("--reason", default="", help="Why, in your own words; it is signed.")
@click.option("--dry-run", "is_dry", is_flag=True, help="List what would be touched; change nothing.")
@click.option("--undo", is_flag=True, help="Let withdrawn sources back in: an entry of its own, none is removed.")
@click.option("--workers", type=click.IntRange(1, 1024), default=None, help="Processes (default: the cores).")
@run_options
@steps_option
@voyage_option
@json_option
def command(
    sources: tuple[str, ...],
    reason: str,
    is_dry: bool,
    undo: bool,
    workers: int | None,
    seed: int | None,
    global_batch: int | None,
    order: Literal["random", "block"] | None,
    steps: int | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Take sources out of the data set: their samples, and all copies of their bytes below work/.

    SOURCE is a source's name, a folder or pattern of names, or a path on this machine. Shards that hold none of it stay
    as they are, byte for byte, and nothing else comes in or moves. The files themselves are yours: they are left alone.
    """
    from packtrain.training.known_run import Asked

    outlook = open_voyage(folder).withdraw(
        sources,
        reason,
        Asked(seed, global_batch, steps, order),
        decision="restored" if undo else "withdrawn",
        is_dry=is_dry,
        num_workers=workers,
    )
    answer(_text(outlook, is_dry=is_dry), outlook.to_dict() | {"dry_run": is_dry}, as_json=as_json)


def _text(outlook: Outlook, *, is_dry: bool) -> str:
    verb = {"withdrawn": "withdraw", "restored": "restore"}[outlook.decision]
    new = len(outlook.changed)
    rows = [
        ("sources", f"{new:,}, {len(outlook.sources) - new:,} more are {outlook.decision} already"),
    ]
    # Of what comes back nobody knows the samples before it was read.
    if outlook.decision == "withdrawn":
        rows += [
            ("samples", f"{outlook.num_samples:,}"),
            ("dropped before", f"{sum(source.num_drops for source in outlook.sources):,}"),
            ("shards", "; ".join(outlook.shards[:_SHOWN]) or "none"),
        ]
    if outlook.equals:
        rows.append(("same bytes", f"{counted(len(outlook.equals), 'sample')} of other sources go too"))
    if outlook.stay_out:
        rows.append(
            ("stay out", f"{counted(len(outlook.stay_out), 'sample')} of other sources, dropped for one of these")
        )
    rows.append(("seen in steps", outlook.steps or "no training is known here"))
    if outlook.steps:
        rows.append(("counted with", ", ".join(f"{name}: {where}" for name, where in outlook.run_from.items())))
    told = [f"would {verb}" if is_dry else verb, table(rows)]
    head = ("source", "samples", "shards", "steps", "because")
    lines = [
        (source.name, f"{len(source.samples):,}", f"{len(source.shards):,}", source.steps or "-", source.because)
        for source in outlook.sources[:_SHOWN]
    ]
    if outlook.decision == "restored":
        head, lines = ("source", "", "", "", "because"), [(line[0], "", "", "", line[4]) for line in lines]
    told.append(columns([head, *lines]))
    if len(outlook.sources) > _SHOWN:
        told.append(f"and {len(outlook.sources) - _SHOWN:,} more (--json has them)")
    told += [f"  {key}  of {source}: same bytes, goes too" for key, source in outlook.equals[:_SHOWN]]
    told += [f"  {key}  of {source}: {why}, stays out" for key, source, why in outlook.stay_out[:_SHOWN]]
    # Without --dry-run they were told already, as warnings.
    told += outlook.notes if is_dry else []
    return "\n".join(told)
