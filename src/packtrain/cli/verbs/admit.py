"""packtrain admit"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import answer_receipt, json_option, no_folder_of_drives, open_voyage, voyage_option


@click.command("admit")
@click.argument("dossier", type=click.Path(path_type=Path))
@click.option(
    "--drive",
    "drives",
    multiple=True,
    type=click.Path(path_type=Path),
    callback=no_folder_of_drives,
    help="A mounted drive to hold against the dossier; may be given often.",
)
@click.option("--no-more", is_flag=True, help="These drives are all that came: any other one is missing.")
@click.option(
    "--policy", type=click.Path(path_type=Path), help="What this site asks beyond the rule pack (default: site.toml)."
)
@click.option(
    "--lists",
    type=click.Path(path_type=Path),
    help="A folder where lists and country groups were added, to take the newer ones from: the site's own, kept once "
    "for all voyages.",
)
@voyage_option
@json_option
def command(
    dossier: Path,
    drives: tuple[Path, ...],
    policy: Path | None,
    lists: Path | None,
    folder: Path,
    *,
    no_more: bool,
    as_json: bool,
) -> None:
    """Site operator: judge a dossier, sign the verdict and, if it is admit, open the site's layer of the key.

    Names are screened against this site's own lists and every rule is run again; what the consignor found at home is
    shown beside it. An open STOP refuses, an open HOLD holds, an open FLAG is shown.

    With fewer bays than drives show those that fit: the others are named as not shown, and not held against anyone.

    Exit codes: 0 admit; 75 hold; 74 refuse. The verdict is no legal advice.
    """
    voyage = open_voyage(folder)
    if lists is not None:
        voyage.take_lists(lists)
    answer_receipt(voyage.admit(dossier, drives, no_more=no_more, policy=policy), as_json=as_json)
