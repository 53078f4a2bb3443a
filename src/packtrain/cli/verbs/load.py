"""packtrain load"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, json_option, open_voyage, voyage_option


@click.command("load")
@click.argument("drives", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--without", multiple=True, help="Label of a mounted drive to leave out; may be given often.")
@voyage_option
@json_option
def command(drives: tuple[Path, ...], without: tuple[str, ...], folder: Path, as_json: bool) -> None:
    """Read DRIVES, in any order, into the store; repair damaged blocks and lost drives from parity.

    Exit codes: 0 everything is there; 41 more was lost than the code survives: the rest is loaded and listed.
    """
    answer_receipt(open_voyage(folder).load(drives, without), as_json=as_json)
