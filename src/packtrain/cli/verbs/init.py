"""packtrain init"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from packtrain.cli.options import json_option
from packtrain.cli.terminal import answer
from packtrain.documents.parties import Role


@click.command("init")
@click.argument("folder", type=click.Path(path_type=Path), default=".")
@click.option(
    "--role", type=click.Choice(get_args(Role)), default="consignor", show_default=True, help="Whose folder this is."
)
@click.option("--name", default=None, help="Name of the voyage (default: the folder's name).")
@json_option
def command(folder: Path, role: Role, name: str | None, as_json: bool) -> None:
    """Make a voyage folder: voyage.toml, keys, and the public page for the other parties.

    Exit codes: 0; 10 the name cannot be one; 16 the folder is a voyage already.
    """
    from packtrain.stages.init import init, party_toml

    made = init(folder, name or folder.absolute().name, role)
    public = party_toml(made, role)
    answer(
        f"voyage folder {made.root} made; next: fill in {made.root / 'voyage.toml'}\n"
        f"give this to the other parties ({made.keys / 'party.toml'}):\n\n{public}",
        {"folder": str(made.root), "role": role, "party": public},
        as_json=as_json,
    )
