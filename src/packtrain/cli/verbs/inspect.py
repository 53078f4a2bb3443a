"""packtrain inspect"""

from __future__ import annotations

import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer

if TYPE_CHECKING:
    from packtrain.documents.inspection import Inspection


@click.command("inspect")
@voyage_option
@click.option("--engine", type=click.Choice(["local", "ray", "slurm"]), help="Default: that of [site].")
@click.option(
    "--hosts", "num_hosts", type=click.IntRange(1, 100_000), help="Wait for so many hosts (default: [site.hosts])."
)
@click.option(
    "--seconds",
    type=click.FloatRange(0.1, 3600),
    default=10.0,
    show_default=True,
    help="At most, for each writing, reading and computing.",
)
@click.option(
    "--python", type=click.Path(path_type=Path), default=None, help="Interpreter that will train (default: this one)."
)
@click.option("--dry-run", is_flag=True, help="Say what would be looked at; run nothing.")
@json_option
def command(
    folder: Path,
    engine: str | None,
    num_hosts: int | None,
    seconds: float,
    python: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Look at the site before training: each host, all hosts together, and the rehearsal's run once more.

    Accelerators, memory, disks, limits, clocks, names and the network are held against the kit and [site.promised];
    the losses of the miniature against those at home. The sheet is signed, good or bad. Before the cargo came the
    operator sees the hosts alone.

    Exit codes: 0 the site is fit; 88 something is bad, or was promised and not shown.
    """
    import msgspec

    from packtrain.errors import SiteUnfit

    if math.isnan(seconds):
        raise click.UsageError("--seconds is a number")
    if python is not None:
        python = Path(shutil.which(python) or python).absolute()
    voyage = open_voyage(folder)
    if dry_run:
        found = voyage.preview_inspection(engine=engine, num_hosts=num_hosts, seconds=seconds, python=python)
        rows = [(name.replace("_", " "), str(value)) for name, value in found.items()]
        answer(f"would inspect\n{table(rows)}", found, as_json=as_json)
        return
    try:
        sheet = voyage.inspect(engine=engine, num_hosts=num_hosts, seconds=seconds, python=python)
    except SiteUnfit as error:
        sheet = voyage.inspection()
        assert sheet is not None
        answer(_text(sheet), msgspec.to_builtins(sheet), as_json=as_json)
        if as_json:  # the sheet is the one document on stdout
            raise click.exceptions.Exit(error.exit_code) from error
        raise
    answer(_text(sheet), msgspec.to_builtins(sheet), as_json=as_json)


def _text(sheet: Inspection) -> str:
    from packtrain.report.inspection_text import finding_rows, verdict_of

    parts = [f"{title}\n{table(rows)}" for title, rows in finding_rows(sheet)]
    return "\n".join([*parts, verdict_of(sheet)])
