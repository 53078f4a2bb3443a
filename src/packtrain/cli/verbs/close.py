"""packtrain close"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("close")
@folder_argument
@click.option("--without-results", is_flag=True, help="Close though nothing came home; the signed record says so.")
@json_option
def command(folder: Path, without_results: bool, as_json: bool) -> None:
    """Destroy the keys of this shipment and write the closing record."""
    answer_receipt(open_voyage(folder).close(without_results=without_results), as_json=as_json)
