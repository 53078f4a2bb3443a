"""packtrain prepare"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("prepare")
@folder_argument
@click.option(
    "--engine",
    type=click.Choice(["local", "ray", "slurm"]),
    default=None,
    help="Where units of work are run (default: [prepare] engine of voyage.toml).",
)
@click.option(
    "--workers",
    type=click.IntRange(1, 100_000),
    default=None,
    help="Units at once (default: the cores of this machine or cluster).",
)
@click.option("--retry", is_flag=True, help="Read again what was set aside before, after its reader was mended.")
@json_option
def command(folder: Path, engine: str | None, workers: int | None, retry: bool, as_json: bool) -> None:
    """Turn tables, images and clips into training shards; set bad inputs aside with a reason."""
    answer_receipt(open_voyage(folder).prepare(workers, engine, retry=retry), as_json=as_json)
