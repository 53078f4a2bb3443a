"""packtrain pack"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("pack")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Write the drives: encrypted, coded, read back, signed. Run again, it goes on where it stopped."""
    answer_receipt(open_voyage(folder).pack(), as_json=as_json)
