"""packtrain declare"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer


@click.command("declare")
@folder_argument
@click.option("--amend", is_flag=True, help="Sign changed answers as an amendment that shows old and new.")
@click.option("--write-form", is_flag=True, help="Sign nothing; add the questions to answer next to declaration.toml.")
@json_option
def command(folder: Path, amend: bool, write_form: bool, as_json: bool) -> None:
    """Sign the answers of declaration.toml: who ships what to whom, for which end use."""
    if write_form:
        written = open_voyage(folder).write_declaration_form()
        path = folder / "declaration.toml"
        answer(
            f"declaration.toml: {', '.join(written)}; answer in {path}, then sign with packtrain declare"
            if written
            else "declaration.toml asks nothing more",
            {"file": str(path), "written": list(written)},
            as_json=as_json,
        )
        return
    answer_receipt(open_voyage(folder).declare(amend=amend), as_json=as_json)
