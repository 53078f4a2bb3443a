"""packtrain prepare"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("prepare")
@folder_argument
@click.option("--workers", type=click.IntRange(1, 1024), default=None, help="Processes (default: the cores).")
@click.option("--retry", is_flag=True, help="Read again what was set aside before, after its reader was mended.")
@json_option
def command(folder: Path, workers: int | None, retry: bool, as_json: bool) -> None:
    """Turn tables, images and clips into training shards; set bad inputs aside with a reason."""
    answer_receipt(open_voyage(folder).prepare(workers, retry=retry), as_json=as_json)
