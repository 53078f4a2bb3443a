"""packtrain load"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.completing import labels
from packtrain.cli.options import answer_receipt, json_option, no_folder_of_drives, open_voyage, voyage_option


@click.command("load")
@click.argument("drives", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--without",
    multiple=True,
    shell_complete=labels,
    help="Label of a drive to leave out, or of a drive or case that will not come; may be given often.",
)
@click.option("--no-more", is_flag=True, help="No other drives will come: what was not read by now is lost.")
@click.option(
    "--keep-owner", is_flag=True, help="Keep owners, access lists, set-id bits and capabilities too; only root may."
)
@click.option(
    "--verify-files", is_flag=True, help="Hash every file, not one in 16; the volumes are always proven whole."
)
@click.option(
    "--scratch",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Keep sums there between waves, so that no drives have to be mounted together: m/k of the cargo.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "ray", "slurm"]),
    default="local",
    help="Who reads: this machine, or each host of a cluster those of DRIVES that it has (quoted patterns, HOST:PATH).",
    show_default=True,
)
@voyage_option
@json_option
def command(
    drives: tuple[Path, ...],
    without: tuple[str, ...],
    no_more: bool,
    keep_owner: bool,
    verify_files: bool,
    scratch: Path | None,
    engine: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Read DRIVES, in any order, into the store; repair damaged blocks and lost drives from parity.

    All drives at once, or in waves: mount some, run it, mount others, run it again. It says which it wants next.

    Exit codes: 0 everything is there; 45 what these drives give is loaded, others are wanted; 41 more was lost than the
    code survives: the rest is loaded and listed.
    """
    if engine == "local":
        no_folder_of_drives(click.get_current_context(), None, drives)
    receipt = open_voyage(folder).load(
        drives,
        without,
        no_more=no_more,
        keep_owner=keep_owner,
        verify_files=verify_files,
        scratch=scratch,
        engine=engine,
    )
    answer_receipt(receipt, as_json=as_json)
