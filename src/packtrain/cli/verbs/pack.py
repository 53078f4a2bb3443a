"""packtrain pack"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.completing import labels_to_replace
from packtrain.cli.options import LABELLED_PATH, answer_receipt, folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer
from packtrain.units import format_bytes

if TYPE_CHECKING:
    from packtrain.stages.pack import Preview


@click.command("pack")
@folder_argument
@click.option(
    "--dry-run", is_flag=True, help="Show what would be packed and what would be left out; open and write no drive."
)
@click.option(
    "--accept-losses",
    is_flag=True,
    help='With form = "folder": leave out what cannot be carried. The receipt says so.',
)
@click.option(
    "--replace",
    type=LABELLED_PATH,
    shell_complete=labels_to_replace,
    metavar="LABEL=PATH",
    help="The drive LABEL failed: rebuild it from its group on the empty drive mounted at PATH.",
)
@json_option
def command(folder: Path, dry_run: bool, accept_losses: bool, replace: tuple[str, Path] | None, as_json: bool) -> None:
    """Write the drives: encrypted, coded, read back, signed. Run again, it goes on where it stopped.

    With fewer bays than drives it goes in waves: it writes and closes what is mounted, and says what to mount next.

    Exit codes: 0 all is packed and signed; 45 these drives are done, others are wanted.
    """
    if dry_run:
        preview = open_voyage(folder).preview()
        answer(_preview_text(preview), _preview_dict(preview), as_json=as_json)
        return
    answer_receipt(open_voyage(folder).pack(replace, accept_losses=accept_losses), as_json=as_json)


def _preview_text(preview: Preview) -> str:
    listed, losses = preview.cargo.listed, preview.cargo.losses
    rows = [
        ("files", f"{listed.num_files:,}"),
        ("entries", f"{listed.num_entries:,}: these files, further names of them, links, folders"),
        ("bytes", format_bytes(listed.total_bytes)),
        ("drives", f"{preview.num_drives:,} in {preview.num_groups:,} groups"),
        ("data volumes", f"{preview.volumes.data:,} of at most {format_bytes(preview.volume_target_bytes)}"),
        ("parity volumes", f"{preview.volumes.parity:,}"),
        ("left out", f"{losses.num_left_out:,}"),
    ]
    return "\n".join(["to be packed; nothing is written yet", table(rows), *losses.lines()])


def _preview_dict(preview: Preview) -> dict[str, object]:
    listed = preview.cargo.listed
    return {
        "entries": listed.num_entries,
        "files": listed.num_files,
        "bytes": listed.total_bytes,
        "drives": preview.num_drives,
        "groups": preview.num_groups,
        "data_volumes": preview.volumes.data,
        "parity_volumes": preview.volumes.parity,
        "volume_target_bytes": preview.volume_target_bytes,
        **preview.cargo.losses.to_dict(),
    }
