"""packtrain run-units (hidden): one task of a job array, started by Slurm on one of its hosts."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("run-units", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("number", type=click.IntRange(min=0))
def command(folder: Path, number: int) -> None:
    """Do the jobs of one lot, and tell of each in a file beside it."""
    from packtrain.without_folder import run_units

    run_units(folder, number)
