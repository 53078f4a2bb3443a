"""packtrain check"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from packtrain.cli.options import json_option, open_voyage
from packtrain.cli.terminal import Terminal, answer


@click.command("check")
@click.argument("drives", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--voyage",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    help="Check signatures against this voyage's parties.json; without DRIVES, the drives of its voyage.toml.",
)
@json_option
def command(drives: tuple[Path, ...], folder: Path | None, as_json: bool) -> None:
    """Verify drives without any key: signatures, manifests, every block. All damage is listed.

    Exit codes: 0 undamaged; 40 damaged but repairable by `load`; 41 damaged beyond repair; 42 undamaged, but no
    shipment document is here to say whether this is all.
    """
    if folder is None and not drives:
        raise click.UsageError("name the drives, or --voyage FOLDER")
    for path in drives:
        if (path / "voyage.toml").is_file():
            raise click.UsageError(f"{path} is a voyage folder, not a drive; its drives: --voyage {path}")
    if folder is None:
        from packtrain.voyage import check_drives

        report = check_drives(drives, Terminal())
    else:
        report = open_voyage(folder).check(drives)
    answer(report.text(), msgspec.to_builtins(report), as_json=as_json)
    raise click.exceptions.Exit(report.exit_code)
