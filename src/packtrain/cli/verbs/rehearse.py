"""packtrain rehearse"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage


@click.command("rehearse")
@folder_argument
@click.option(
    "--python",
    type=click.Path(path_type=Path, exists=True),
    help="The interpreter that plays the site's (default: the kit's own, or one of its version on PATH).",
)
@json_option
def command(folder: Path, python: Path | None, as_json: bool) -> None:
    """Prove the training program at home: in miniature, from packed drives, with no network."""
    answer_receipt(open_voyage(folder).rehearse(python.absolute() if python else None), as_json=as_json)
