"""packtrain prepare"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer
from packtrain.units import counted, format_bytes, format_seconds

if TYPE_CHECKING:
    from packtrain.dataset.trial_sample import Estimate
    from packtrain.stages.prepare.trial import TrialForecast

_SAMPLE: Final = 200


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
@click.option("--dry-run", "is_dry", is_flag=True, help="Read some files and forecast the rest; write nothing here.")
@click.option("--sample", type=click.IntRange(1, 1_000_000), help=f"About how many (default: {_SAMPLE}).")
@json_option
def command(
    folder: Path,
    engine: str | None,
    workers: int | None,
    retry: bool,
    measures: bool,
    is_dry: bool,
    sample: int | None,
    as_json: bool,
) -> None:
    """Turn tables, images and clips into training shards; set bad inputs aside with a reason."""
    if measures:
        _answer_measures(as_json=as_json)
        return
    if not is_dry:
        if sample is not None:
            raise click.UsageError("--sample is of a forecast: give --dry-run too")
        answer_receipt(open_voyage(folder).prepare(workers, engine, retry=retry), as_json=as_json)
        return
    if retry:
        raise click.UsageError("--retry reads again what was read: there is nothing to forecast in it")
    found = open_voyage(folder).try_prepare(sample or _SAMPLE, workers, engine)
    answer(_text(found), found.to_dict(), as_json=as_json)


def _answer_measures(*, as_json: bool) -> None:
    from packtrain.dataset.kinds.registry import KINDS

    document = {kind: dict(spec.measures) for kind, spec in KINDS.items()}
    parts = [f"{kind}\n{table(list(found.items())) if found else '  none'}" for kind, found in document.items()]
    answer("\n\n".join(parts), document, as_json=as_json)


def _text(found: TrialForecast) -> str:
    how = (
        "all files were read: exact, but for the time"
        if found.is_exact
        else "a forecast; of 20 such sets 19 end within the ranges"
    )
    rows = [("kind", "files", "read", "samples", "bytes of shards", "files set aside")]
    rows += [
        (
            each.kind,
            f"{each.num_files:,}",
            f"{each.num_read:,}",
            _range(each.samples, lambda value: f"{round(value):,}"),
            _range(each.bytes, lambda value: format_bytes(round(value))),
            _range(each.rejects, lambda value: f"{value:.1%}"),
        )
        for each in found.kinds
    ]
    about = [
        (
            "read",
            f"{found.num_read:,} of {found.num_files:,} files, {format_bytes(found.read_bytes)} of "
            f"{format_bytes(found.source_bytes)}",
        ),
        ("samples", _range(found.samples, lambda value: f"{round(value):,}")),
        ("shards", _range(found.bytes, lambda value: format_bytes(round(value)))),
        (
            "time",
            _range(found.hours, lambda value: format_seconds(value * 3600))
            + f" with {counted(found.num_workers, 'worker')}, an estimate from files that were read one by one",
        ),
    ]
    about += [("drives", _budget(found))] if found.capacity_bytes is not None else []
    if not found.is_exact:
        about.append(("duplicates", "counted among what was read alone: of all files there may be more"))
    # Of all files, as prepare counts: one kind may be far above.
    if sum(each.rejects.high * each.num_files for each in found.kinds) > found.max_reject_rate * found.num_files:
        about.append(("set aside", f"may pass max_reject_rate ({found.max_reject_rate:.0%}), at which prepare stops"))
    about += [("such as", text) for text in found.first_rejects]
    return f"prepare, dry run; {how}\n{table(about)}\n{columns(rows)}"


def _range(found: Estimate, told: Callable[[float], str]) -> str:
    low, high = told(found.low), told(found.high)
    return low if low == high else f"{low} to {high}"


def _budget(found: TrialForecast) -> str:
    capacity = found.capacity_bytes or 0
    hold = f"the planned drives hold {format_bytes(capacity)}"
    if found.bytes.low > capacity:
        return f"{hold}: it will not fit"
    if found.bytes.high > capacity:
        return f"{hold}: it may not fit"
    room = capacity - found.bytes.likely
    more = ""
    if found.samples.likely and found.bytes.likely:
        more = f"; at this keep rate {round(room * found.samples.likely / found.bytes.likely):,} more samples"
    return f"{hold}: about {format_bytes(round(room))} more fits{more}"
