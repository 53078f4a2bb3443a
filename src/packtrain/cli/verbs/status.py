"""packtrain status"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.options import folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer, shows_unicode, table

if TYPE_CHECKING:
    from packtrain.stages.pack import InBays


@click.command("status")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Show which stages are done, which would run again and why, what is in the bays, and what comes next.

    After a training it is drawn as well: loss, rate, restarts, place in the data.
    """
    from packtrain.report.summary import samples_loaded, training_of, training_summary
    from packtrain.report.training_text import chart_lines

    voyage = open_voyage(folder)
    states = voyage.states()
    bays = voyage.in_bays()
    step = voyage.next_step(states)
    parts = [table([(one.stage, f"{one.state}{f'  ({one.detail})' if one.detail else ''}") for one in states])]
    if bays is not None:
        parts.append(f"bays\n{table(_bay_rows(bays))}")
    curve = training_of(voyage.folder)
    if curve is not None:
        width = shutil.get_terminal_size((100, 24)).columns - 1
        drawn = chart_lines(
            curve,
            width,
            epoch_samples=samples_loaded(voyage.folder),
            with_unicode=shows_unicode(sys.stdout),
        )
        parts.append("\n".join(["training", *drawn]))
    parts.append(f"next: {step.command}" if step.command is not None else "next: nothing to do here")
    if step.why:
        parts.append(table([("", step.why)]))
    document = {
        "voyage": voyage.folder.voyage_file().voyage.name,
        "role": voyage.role,
        "stages": [state.to_dict() for state in states],
        "waves": bays.to_dict() if bays is not None else None,
        "training": training_summary(curve) if curve is not None else None,
        "next": step.to_dict(),
    }
    answer("\n".join(parts), document, as_json=as_json)


def _bay_rows(bays: InBays) -> list[tuple[str, str]]:
    rows = [(bay.location, bay.text) for bay in bays.bays]
    return [*rows, ("wanted next", bays.progress.wanted())] if bays.progress is not None else rows
