"""packtrain status"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.options import folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer, table

if TYPE_CHECKING:
    from packtrain.stages.pack import InBays


@click.command("status")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Show which stages are done, which would run again and why, what is in the bays, and what comes next."""
    voyage = open_voyage(folder)
    states = voyage.states()
    bays = voyage.in_bays()
    step = voyage.next_step(states)
    parts = [table([(one.stage, f"{one.state}{f'  ({one.detail})' if one.detail else ''}") for one in states])]
    if bays is not None:
        parts.append(f"bays\n{table(_bay_rows(bays))}")
    parts.append(f"next: {step.command}" if step.command is not None else "next: nothing to do here")
    if step.why:
        parts.append(table([("", step.why)]))
    document = {
        "voyage": voyage.folder.voyage_file().voyage.name,
        "role": voyage.role,
        "stages": [state.to_dict() for state in states],
        "waves": bays.to_dict() if bays is not None else None,
        "next": step.to_dict(),
    }
    answer("\n".join(parts), document, as_json=as_json)


def _bay_rows(bays: InBays) -> list[tuple[str, str]]:
    rows = [(bay.location, bay.text) for bay in bays.bays]
    return [*rows, ("wanted next", bays.progress.wanted())] if bays.progress is not None else rows
