"""packtrain status"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import folders_argument, json_option, open_voyage
from packtrain.cli.terminal import (
    answer,
    redraw,
    show_metrics,
    show_picture,
    shows_colour,
    shows_pictures,
    shows_unicode,
    terminal_columns,
)

if TYPE_CHECKING:
    from packtrain.report.summary import PartyView, Summary
    from packtrain.report.wave_view import WavesView


@click.command("status")
@folders_argument
@click.option(
    "--watch",
    type=click.FloatRange(min=0.5, max=3600.0),
    is_flag=False,
    flag_value=2.0,
    default=None,
    metavar="[SECONDS]",
    help="Draw it anew every so many seconds (2 where none are said), until Ctrl-C.",
)
@click.option("--prometheus", is_flag=True, help="Print metrics in Prometheus' text format instead.")
@json_option
def command(folders: tuple[Path, ...], watch: float | None, *, prometheus: bool, as_json: bool) -> None:
    """Show where the voyage stands, what would run again and why, how its drives are, and what comes next.

    FOLDERS are voyage folders of one voyage on this machine (default: the current one). On a terminal it is drawn;
    elsewhere it is plain lines, one fact a line.
    """
    from packtrain.report.summary_json import status_document

    if prometheus:
        from packtrain.report.prometheus import metrics_text

        if as_json or watch is not None:
            raise click.UsageError("--prometheus prints one document of its own: without --json and --watch")
        show_metrics(metrics_text(_read(folders)))
        return
    if watch is not None and not as_json:
        if not shows_pictures():
            raise click.UsageError("--watch draws on a terminal, and stdout is none; without it every call is one look")
        redraw(lambda: _drawn(_read(folders), next_first=True), watch)
        return
    summary = _read(folders)
    if as_json or not shows_pictures():
        answer(_plain(summary), status_document(summary), as_json=as_json)
    else:
        show_picture(_drawn(summary))


def _drawn(summary: Summary, *, next_first: bool = False) -> str:
    from packtrain.report.status_picture import picture

    return picture(
        summary,
        terminal_columns(),
        with_unicode=shows_unicode(sys.stdout),
        with_colour=shows_colour(),
        next_first=next_first,
    )


def _read(folders: Sequence[Path]) -> Summary:
    from packtrain.overview import overview

    return overview([open_voyage(folder) for folder in folders or (Path(),)])


def _plain(summary: Summary) -> str:
    from packtrain.report.status_text import fact_lines
    from packtrain.report.training_text import chart_lines

    several = len(summary.parties) > 1
    parts: list[str] = []
    for party in summary.parties:
        rows = table(
            [(one.stage, f"{one.state}{f'  ({one.detail})' if one.detail else ''}") for one in party.seen.stages]
        )
        parts.append(f"{party.role}\n{rows}" if several else rows)
    if summary.packing is not None:
        parts.append(f"bays\n{table(_bay_rows(summary.packing))}")
    facts = list(fact_lines(summary))
    if facts:
        parts.append(_lines(facts))
    if summary.training is not None:
        drawn = chart_lines(
            summary.training,
            terminal_columns() - 1,
            epoch_samples=summary.samples_loaded,
            with_unicode=shows_unicode(sys.stdout),
        )
        parts.append("\n".join(["training", *drawn]))
    parts += [_next(party, several=several) for party in summary.parties]
    return "\n".join(parts)


def _lines(facts: Sequence[tuple[str, str]]) -> str:
    """Return one line a fact, however long: `grep` finds it whole."""
    width = max(len(name) for name, _ in facts)
    return "\n".join(f"  {name:<{width}}  {' '.join(text.split())}" for name, text in facts)


def _next(party: PartyView, *, several: bool) -> str:
    seen = party.seen
    whose = f"next, {party.role}: " if several else "next: "
    step = f"{whose}{seen.next_command if seen.next_command is not None else 'nothing to do here'}"
    return f"{step}\n{table([('', party.step_told)])}" if party.step_told else step


def _bay_rows(waves: WavesView) -> list[tuple[str, str]]:
    rows = [(bay.location, bay.text) for bay in waves.bays]
    return [*rows, ("wanted next", waves.wanted)] if waves.total is not None else rows
