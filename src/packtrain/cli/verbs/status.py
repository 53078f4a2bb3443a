"""packtrain status"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from packtrain.cli.options import folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer, table

_COMMANDS: Final = {"seal": "carry seal"}


@click.command("status")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Show which stages are done, which would run again and why, and what comes next."""
    states = open_voyage(folder).states()
    rows = [(state.stage, f"{state.state}{f'  ({state.detail})' if state.detail else ''}") for state in states]
    following = next((state for state in states if state.state in ("to do", "changed")), None)
    text = table(rows)
    if following is not None:
        text += f"\nnext: packtrain {_COMMANDS.get(following.stage, following.stage)}"
    answer(text, [state.to_dict() for state in states], as_json=as_json)
