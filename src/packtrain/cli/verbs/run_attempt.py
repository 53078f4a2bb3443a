"""packtrain run-attempt (hidden): the batch process of a training job, started by Slurm on the first of its hosts."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command("run-attempt", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("token")
def command(folder: Path, token: str) -> None:
    """Run the next attempt of a job, and tell of it in files of the job's folder."""
    from packtrain.without_folder import run_attempt

    sys.exit(run_attempt(folder, token))
