"""packtrain check"""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from packtrain.cli.completing import labels_to_replace, voyage_folders
from packtrain.cli.options import LABELLED_PATH, json_option, no_folder_of_drives, open_voyage
from packtrain.cli.terminal import Terminal, answer


@click.command("check")
@click.argument("drives", nargs=-1, type=click.Path(path_type=Path), callback=no_folder_of_drives)
@click.option(
    "--voyage",
    "folder",
    type=click.Path(path_type=Path),
    default=None,
    shell_complete=voyage_folders,
    help="Check signatures against this voyage's parties.json; without DRIVES, the drives of its voyage.toml.",
)
@click.option("--repair", is_flag=True, help="Rebuild what is damaged from the other drives and write it back.")
@click.option(
    "--onto",
    type=LABELLED_PATH,
    shell_complete=labels_to_replace,
    metavar="LABEL=PATH",
    help="With --repair: make the empty drive at PATH what drive LABEL was; the other drives are only read.",
)
@click.option(
    "--report",
    type=click.Path(path_type=Path, dir_okay=False),
    help="With --repair: write what was done to this file, as JSON.",
)
@click.option("--signed", is_flag=True, help="List every document, its signer and whether that counts; read no volume.")
@json_option
def command(
    drives: tuple[Path, ...],
    folder: Path | None,
    repair: bool,
    onto: tuple[str, Path] | None,
    report: Path | None,
    signed: bool,
    as_json: bool,
) -> None:
    """Verify drives without any key: signatures, manifests, every block. All damage is listed.

    With --repair also mend them, without any key. With --signed DRIVES may be dossiers as well.

    Exit codes: 0 undamaged, or all repaired; 38 packing was not finished; 40 damaged but repairable; 41 damaged beyond
    repair; 42 undamaged, but no shipment document is here to say whether this is all; with --signed the code of the
    first document that is not good.
    """
    if folder is None and not drives:
        raise click.UsageError("name the drives, or --voyage FOLDER")
    if (onto is not None or report is not None) and not repair:
        raise click.UsageError("--onto and --report go with --repair")
    if signed and (repair or folder is None):
        raise click.UsageError(
            "--signed goes with --voyage FOLDER, whose parties.json says who may sign; not with --repair"
        )
    for path in drives:
        if (path / "voyage.toml").is_file():
            raise click.UsageError(f"{path} is a voyage folder, not a drive; its drives: --voyage {path}")
    if repair:
        _repair(drives, folder, onto, report, as_json=as_json)
    if signed:
        assert folder is not None
        found = open_voyage(folder).signed(drives)
    elif folder is None:
        from packtrain.without_folder import check_drives

        found = check_drives(drives, Terminal())
    else:
        found = open_voyage(folder).check(drives)
    answer(found.text(), msgspec.to_builtins(found), as_json=as_json)
    raise click.exceptions.Exit(found.exit_code)


def _repair(
    drives: tuple[Path, ...], folder: Path | None, spare: tuple[str, Path] | None, report: Path | None, *, as_json: bool
) -> None:
    if folder is None:
        from packtrain.without_folder import repair_drives

        done = repair_drives(drives, spare, Terminal())
    else:
        done = open_voyage(folder).repair(drives, spare)
    if report is not None:
        from packtrain import durable
        from packtrain.stages import check

        durable.write_bytes(report, check.as_json(done))
    answer(done.text(), msgspec.to_builtins(done), as_json=as_json)
    raise click.exceptions.Exit(done.exit_code)
