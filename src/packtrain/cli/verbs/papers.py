"""packtrain papers"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.columns import table
from packtrain.cli.options import folder_argument, json_option, open_voyage
from packtrain.cli.terminal import answer

_PATH = click.Path(path_type=Path)


@click.command("papers")
@folder_argument
@click.option("--into", type=_PATH, default=None, help="Where to write (default: papers/ in the voyage folder).")
@click.option("--pdf", type=_PATH, default=None, help="Write each as PDF too, into this folder; needs packtrain[pdf].")
@click.option("--write-form", is_flag=True, help="Make no paper; write customs.toml, to be filled in.")
@click.option("--check", "check", type=_PATH, default=None, help="Make no paper; verify the papers in this folder.")
@json_option
def command(
    folder: Path, into: Path | None, pdf: Path | None, write_form: bool, check: Path | None, as_json: bool
) -> None:
    """Write the papers of the voyage in FOLDER, as HTML to print: invoice, packing list, ATA list and the others.

    The consignor's customs.toml is signed first. A paper that cannot be made yet is named, with what it waits for.
    """
    if sum((into is not None or pdf is not None, write_form, check is not None)) > 1:
        raise click.UsageError("--write-form and --check make no paper: give them alone")
    voyage = open_voyage(folder)
    if write_form:
        path = voyage.write_customs_form()
        answer(f"answer in {path}, then run packtrain papers", {"file": str(path)}, as_json=as_json)
        return
    if check is not None:
        papers = voyage.check_papers(check)
        rows = [
            (name, f"{paper.digest[:16]}, signed by {', '.join(sorted(paper.signers))}")
            for name, paper in papers.items()
        ]
        document = {name: {"sha256": paper.digest, "signers": sorted(paper.signers)} for name, paper in papers.items()}
        answer(f"good:\n{table(rows)}" if rows else f"no papers in {check}", document, as_json=as_json)
        return
    made = voyage.papers(into.absolute() if into is not None else None)
    copies = voyage.papers_as_pdf(made.place, pdf.absolute()) if pdf is not None else ()
    rows = [(name, digest[:16]) for name, digest in made.written.items()]
    document = {
        "place": str(made.place),
        "written": made.written,
        "not_yet": made.not_yet,
        "pdf": [str(path) for path in copies],
    }
    told = f"\n{len(copies)} PDF copies in {pdf}" if pdf is not None else ""
    answer(f"papers to print, in {made.place}:\n{table(rows)}{told}", document, as_json=as_json)
