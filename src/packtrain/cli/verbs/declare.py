"""packtrain declare"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer, ask, ask_field, asks_here, tell_how_to_answer

if TYPE_CHECKING:
    from packtrain.diligence.interview import Asked
    from packtrain.documents.declaration import Declaration


@click.command("declare")
@folder_argument
@click.option("--amend", is_flag=True, help="Sign changed answers as an amendment that shows old and new.")
@click.option(
    "--write-form", is_flag=True, help="Sign nothing; write into declaration.toml what is to be answered next."
)
@click.option("--ask", "asks", is_flag=True, help="Ask the questions one after the other, then sign.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@json_option
def command(folder: Path, amend: bool, write_form: bool, asks: bool, yes: bool, as_json: bool) -> None:
    """Sign the answers of declaration.toml: who ships what to whom, for which end use.

    On a terminal it shows what will be signed and asks. Elsewhere, or with --json, it signs.
    """
    if asks:
        if write_form or as_json or not asks_here():
            raise click.UsageError(
                "--ask puts its questions to a person at a terminal, alone: "
                "without one, answer in declaration.toml (--write-form)"
            )
        tell_how_to_answer()
        receipt = open_voyage(folder).declare_by_asking(_put, amend=amend, approve=None if yes else _approve)
        answer_receipt(receipt, as_json=as_json)
        return
    if write_form:
        written = open_voyage(folder).write_declaration_form()
        path = folder / "declaration.toml"
        answer(
            f"written into {path}: {', '.join(written)}; answer there, then sign with packtrain declare"
            if written
            else "declaration.toml asks nothing more",
            {"file": str(path), "written": list(written)},
            as_json=as_json,
        )
        return
    approve = None if yes or as_json else _approve
    answer_receipt(open_voyage(folder).declare(amend=amend, approve=approve), as_json=as_json)


def _put(asked: Asked) -> str:
    return ask_field(asked.field, asked.help, choices=asked.choices, default=asked.default, fault=asked.fault)


def _approve(declaration: Declaration, changes: Sequence[str]) -> None:
    from packtrain.report.answers_text import answer_rows

    rows = [("change", change) for change in changes]
    # Of a full form that is answered at last the changes show a digest and no more: what it says is to be read too.
    if not rows or any(change.startswith("full: not stated ->") for change in changes):
        rows += answer_rows(declaration)
    typed = ask(
        f"to be signed:\n{table(rows)}",
        "sign this? Once signed, an answer changes only by an amendment that shows both [y/N]",
    )
    if typed is not None and typed.strip().lower() not in ("y", "yes"):
        raise click.UsageError("nothing was signed; correct declaration.toml and run it again")
