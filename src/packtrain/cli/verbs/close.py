"""packtrain close"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("close")
@folder_argument
@json_option
def command(folder: Path, as_json: bool) -> None:
    """Destroy the keys of this shipment and write the closing record."""
    answer_receipt(open_voyage(folder).close(), as_json=as_json)
