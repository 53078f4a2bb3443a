"""packtrain boxed (hidden): the inner half of a rehearsal, started by the kit's own Python in the box."""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.terminal import Terminal


@click.command("boxed", hidden=True)
@click.argument("job", type=click.Path(path_type=Path))
def command(job: Path) -> None:
    """Run the job of a rehearsal and write its result beside it."""
    from packtrain.without_folder import boxed

    boxed(job, Terminal())
