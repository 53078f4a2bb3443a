"""packtrain dossier export | import | statements"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import click

from packtrain.cli.columns import table
from packtrain.cli.options import InOrder, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.documents.parties import Role


@click.group("dossier", cls=InOrder)
def command() -> None:
    """Exchange signed documents with another party, as a BagIt folder. It never travels in a case."""


@command.command("export")
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--to", "to", type=click.Choice(get_args(Role)), required=True, help="Who will read it.")
@voyage_option
@json_option
def export(destination: Path, to: Role, folder: Path, as_json: bool) -> None:
    """Write the dossier for another party."""
    path = open_voyage(folder).export_dossier(destination, to)
    answer(f"dossier for the {to} written to {path}", {"dossier": str(path)}, as_json=as_json)


@command.command("import")
@click.argument("source", type=click.Path(path_type=Path))
@voyage_option
@json_option
def import_(source: Path, folder: Path, as_json: bool) -> None:
    """Check another party's dossier, every signature in it, and take its documents into this folder."""
    documents = open_voyage(folder).import_dossier(source)
    answer(
        "taken into this voyage:\n" + table([(name, digest[:16]) for name, digest in documents.items()])
        if documents
        else "nothing new: all of it is in this voyage already",
        dict(documents),
        as_json=as_json,
    )


@command.command("statements")
@click.option(
    "--into", "into", type=click.Path(path_type=Path), help="Folder to write to (default: VOYAGE/statements)."
)
@click.option("--dsse", is_flag=True, help="Write each also as an envelope of DSSE.")
@voyage_option
@json_option
def statements(into: Path | None, dsse: bool, folder: Path, as_json: bool) -> None:
    """Say this party's own documents again as signed in-toto statements, for tools that read those."""
    written = open_voyage(folder).write_statements(into, envelopes=dsse)
    path = into or folder / "statements"
    answer(
        f"written to {path}:\n{table([(name, digest[:16]) for name, digest in written.items()])}",
        {"folder": str(path), "statements": dict(written)},
        as_json=as_json,
    )
