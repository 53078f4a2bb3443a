"""packtrain close"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import ask


@click.command("close")
@folder_argument
@click.option("--without-results", is_flag=True, help="Close though nothing came home; the signed record says so.")
@click.option("--yes", is_flag=True, help="With --without-results: destroy the keys without asking.")
@json_option
def command(folder: Path, without_results: bool, yes: bool, as_json: bool) -> None:
    """Destroy the keys of this shipment and write the closing record.

    Without results it asks first, on a terminal for the voyage's name; elsewhere, or with --json, it needs --yes.
    """
    if yes and not without_results:
        raise click.UsageError("--yes goes with --without-results; where results came home nothing is asked")
    voyage = open_voyage(folder)
    name = voyage.folder.voyage_file().voyage.name

    def approve(keys: Sequence[str]) -> None:
        if yes:
            return
        told = f"no results came home, and {', '.join(keys)} will be destroyed: without them nobody opens the drives"
        word_of = f"the name of the voyage, {name}"
        typed = None if as_json else ask(told, f"type {word_of}")
        if typed is None:
            raise click.UsageError(f"not done without confirmation ({told}); add --yes")
        if typed.strip() != name:
            raise click.UsageError(f"not done: '{typed}' is not {word_of}")

    receipt = voyage.close(without_results=without_results, approve=approve)
    answer_receipt(receipt, as_json=as_json)
