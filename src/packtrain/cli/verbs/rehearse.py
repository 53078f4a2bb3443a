"""packtrain rehearse"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import folder_argument, json_option, open_voyage, receipt_text
from packtrain.cli.terminal import answer
from packtrain.errors import RehearsalFailed

if TYPE_CHECKING:
    from packtrain.documents.ready import Ready


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
    import msgspec

    voyage = open_voyage(folder)
    try:
        receipt = voyage.rehearse(python.absolute() if python else None)
    except RehearsalFailed:
        sheet = voyage.rehearsal_sheet()
        if sheet is not None and not as_json:
            answer(_sheet_text(sheet), {}, as_json=False)
        raise
    sheet = voyage.rehearsal_sheet()
    assert sheet is not None, "a rehearsal that has a receipt has a sheet"
    document = {**msgspec.to_builtins(receipt), "sheet": msgspec.to_builtins(sheet)}
    answer(f"{receipt_text(receipt)}\n{_sheet_text(sheet)}", document, as_json=as_json)


def _sheet_text(sheet: Ready) -> str:
    from packtrain.report.rehearsal_text import clause_rows, number_rows, verdict_of

    parts = [verdict_of(sheet), table(clause_rows(sheet)), "measured", table(number_rows(sheet.measurements))]
    return "\n".join(parts)
