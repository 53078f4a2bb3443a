"""packtrain prepare"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer, table


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
@click.option("--measures", is_flag=True, help="Print what a filter can ask for, kind by kind, and do nothing else.")
@json_option
def command(folder: Path, engine: str | None, workers: int | None, retry: bool, measures: bool, as_json: bool) -> None:
    """Turn tables, images and clips into training shards; set bad inputs aside with a reason."""
    if measures:
        _answer_measures(as_json=as_json)
    else:
        answer_receipt(open_voyage(folder).prepare(workers, engine, retry=retry), as_json=as_json)


def _answer_measures(*, as_json: bool) -> None:
    from packtrain.dataset.kinds.registry import KINDS

    document = {kind: dict(spec.measures) for kind, spec in KINDS.items()}
    parts = [f"{kind}\n{table(list(found.items())) if found else '  none'}" for kind, found in document.items()]
    answer("\n\n".join(parts), document, as_json=as_json)
