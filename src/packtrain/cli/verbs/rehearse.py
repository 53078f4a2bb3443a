"""packtrain rehearse"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("rehearse")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Prove the training program at home: in miniature, from packed drives, with no network."""
    answer_receipt(open_voyage(folder).rehearse(), as_json=as_json)
