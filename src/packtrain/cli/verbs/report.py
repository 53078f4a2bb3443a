"""packtrain report"""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.options import folders_argument, json_option, open_voyage
from packtrain.cli.terminal import answer

_PATH = click.Path(path_type=Path)


@click.command("report")
@folders_argument
@click.option("--into", type=_PATH, default=None, help="The file to write (default: report.html in the first folder).")
@click.option("--pictures", is_flag=True, help="Show sample pictures; leave it out where the data is private.")
@json_option
def command(folders: tuple[Path, ...], into: Path | None, pictures: bool, as_json: bool) -> None:
    """Write report.html over one or several voyage FOLDERS (default: the current one)."""
    from packtrain.overview import overview
    from packtrain.report.write import write_page

    voyages = [open_voyage(folder) for folder in folders or (Path(),)]
    path = write_page(overview(voyages, with_pictures=pictures), into or voyages[0].folder.root / "report.html")
    answer(f"report written to {path}", {"report": str(path)}, as_json=as_json)
