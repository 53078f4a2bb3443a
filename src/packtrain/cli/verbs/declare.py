"""packtrain declare"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("declare")
@folder_argument
@click.option("--amend", is_flag=True, help="Sign changed answers as an amendment that shows old and new.")
@json_option
def command(folder: Path, amend: bool, as_json: bool) -> None:
    """Sign the answers of declaration.toml: who ships what to whom, for which end use."""
    answer_receipt(open_voyage(folder).declare(amend=amend), as_json=as_json)
