"""packtrain plan"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("plan")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Choose groups and codes for the drives, and say what they survive."""
    answer_receipt(open_voyage(folder).plan(), as_json=as_json)
