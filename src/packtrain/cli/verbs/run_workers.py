"""packtrain run-workers (hidden): the task of a training job on one of its hosts, started by srun."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("run-workers", hidden=True)
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("attempt", type=click.IntRange(min=1))
def command(folder: Path, attempt: int) -> None:
    """Run this host's workers in one attempt, and tell of them in files of the job's folder."""
    from packtrain.without_folder import run_workers

    run_workers(folder, attempt)
