"""packtrain audit"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from packtrain.cli.options import json_option
from packtrain.cli.terminal import answer

_PATH = click.Path(path_type=Path)


@click.command("audit")
@click.argument("record", type=_PATH, default=".")
@click.option(
    "--parties",
    type=_PATH,
    default=None,
    help="The keys that count: a parties.json, or an allowed_signers that the parties gave you themselves.",
)
@click.option(
    "--voyage",
    type=_PATH,
    default=None,
    help="A party's voyage folder: its parties.json counts, and its custody log is held against the record's.",
)
@click.option("--html", "page", type=_PATH, default=None, help="Write the audit to this file too, as one page.")
@json_option
def command(record: Path, parties: Path | None, voyage: Path | None, page: Path | None, as_json: bool) -> None:
    """Tell from RECORD alone, a voyage folder or a dossier, what happened; list everything that is wrong with it.

    Whose data, for whom trained, owned by whom, on which machines, in whose hands when, which flags were open, what
    came home. Every signature is checked. A dossier is never trusted to say whose keys are good: give --parties.
    Nothing is changed, and no secret key is needed.

    Exit codes: 0 all that is there verifies and belongs together; 118 something is missing, unsigned, altered, by a
    foreign key or contradictory; 119 no fault, but nobody vouched for the keys.
    """
    from packtrain.report.audit_text import audit_text
    from packtrain.without_folder import audit_record

    found = audit_record(record, parties=parties, voyage=voyage, page=page)
    answer(audit_text(found), msgspec.to_builtins(found), as_json=as_json)
    raise click.exceptions.Exit(found.verdict.exit_code)
