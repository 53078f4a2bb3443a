"""packtrain replay"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from packtrain.cli.columns import columns
from packtrain.cli.options import json_option, open_voyage, run_options, voyage_option
from packtrain.cli.terminal import answer

if TYPE_CHECKING:
    from packtrain.stages.replay import Replayed


class _Steps(click.ParamType[range]):
    """One step, or several as FIRST:LAST."""

    name = "n:m"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> range:
        """Return the steps, the last one among them."""
        first, colon, last = str(value).partition(":")
        if not (first.isdecimal() and (last.isdecimal() if colon else True)) or int(first) < 1:
            self.fail(f"{value!r} is not FIRST:LAST, steps counted from 1, such as 100:120", param, ctx)
        found = range(int(first), (int(last) if colon else int(first)) + 1)
        return found if found else self.fail(f"{value!r} ends before it begins", param, ctx)


@click.command("replay")
@click.option("--step", type=click.IntRange(1), help="One step, counted from 1.")
@click.option("--steps", "span", type=_Steps(), help="Several: FIRST:LAST.")
@run_options
@click.option("--rank", type=click.IntRange(0), default=0, show_default=True, help="One worker's part.")
@click.option("--world-size", type=click.IntRange(1), default=1, show_default=True, help="Of so many workers.")
@click.option(
    "--split",
    type=click.Choice(["train", "validation", "test", "all"]),
    default="train",
    show_default=True,
    help="The side that was trained on.",
)
@voyage_option
@json_option
def command(
    step: int | None,
    span: range | None,
    seed: int | None,
    global_batch: int | None,
    order: Literal["random", "block"] | None,
    rank: int,
    world_size: int,
    split: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Print the samples of a training step: their keys, sources and shards. No data is read.

    What is not given is taken from the receipt of the training, the metrics that came home, or the training command.
    """
    from packtrain.training.known_run import Asked

    if (step is None) == (span is None):
        raise click.UsageError("which step? Give --step 17, or --steps 17:20")
    if rank >= world_size:
        raise click.UsageError(f"--rank {rank} is none of --world-size {world_size}: the last one is {world_size - 1}")
    steps = span if span is not None else range(step or 1, (step or 1) + 1)
    found = open_voyage(folder).replay(
        steps,
        Asked(seed, global_batch, None, order),
        split=None if split == "all" else split,
        rank=rank,
        world_size=world_size,
    )
    answer(_text(found), found.to_dict(), as_json=as_json)


def _text(found: Replayed) -> str:
    run, origin = found.run, found.run_from
    head = (
        f"seed {run.seed} ({origin['seed']}), batch {run.global_batch} ({origin['global_batch']}), "
        f"order {run.order_version} ({origin['order']}), {found.num_samples:,} samples an epoch"
    )
    if "index" in origin:
        head += f"\nnot what was trained on: {origin['index']}"
    rows = [("step", "key", "source", "shard")]
    rows += [
        (f"{step}", row["key"], row["source"], row["shard"]) for step, batch in found.batches.items() for row in batch
    ]
    return f"{head}\n{columns(rows)}"
