"""packtrain kit build | show | image"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from packtrain.cli.columns import columns, table
from packtrain.cli.options import InOrder, folder_argument, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.units import format_bytes


@click.group("kit", cls=InOrder)
def command() -> None:
    """Build the kit for the site's Python and platform without rehearsing it, show it, make an image."""


@command.command("build")
@folder_argument
@click.option("--offline", is_flag=True, help="Fetch nothing: take wheels from --wheelhouse and earlier runs alone.")
@click.option(
    "--wheelhouse",
    "wheelhouses",
    multiple=True,
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="A folder to look for wheels in before anything is fetched; may be given often.",
)
@click.option(
    "--python",
    type=click.Path(path_type=Path),
    help="The target's Python, to build from source with (default: on PATH).",
)
@json_option
def build(folder: Path, wheelhouses: tuple[Path, ...], python: Path | None, *, offline: bool, as_json: bool) -> None:
    """Build and sign work/kit: from the program's uv.lock, or from the folder of wheels that voyage.toml names."""
    from packtrain.stages.rehearse import KitOptions

    options = KitOptions(tuple(path.absolute() for path in wheelhouses), offline, python.absolute() if python else None)
    contents = open_voyage(folder).build_kit(options)
    answer(_text(contents, with_packages=False), contents, as_json=as_json)


@command.command("show")
@folder_argument
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Show what is in the kit: packages, sizes, what the site must have, and what is absent."""
    contents = open_voyage(folder).kit_contents()
    answer(_text(contents, with_packages=True), contents, as_json=as_json)


@command.command("image")
@click.argument("out", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--base",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The site's base image as an OCI archive, for the kit's machine.",
)
@voyage_option
@json_option
def image(out: Path, base: Path, folder: Path, *, as_json: bool) -> None:
    """Write OUT, an OCI archive: a base image of the site's, and the kit's files in one layer on top of it.

    Nothing is installed in it: run sh /opt/packtrain/kit/install.sh FOLDER in the container, with no network.
    """
    written = open_voyage(folder).write_kit_image(base.absolute(), out.absolute())
    answer(
        f"image written to {out}: {format_bytes(written['bytes'])}, manifest sha256:{written['manifest']}\n"
        f"the kit is in {written['place']}, not installed: sh {written['place']}/install.sh FOLDER",
        written,
        as_json=as_json,
    )


def _text(contents: Mapping[str, Any], *, with_packages: bool) -> str:
    parts = [
        table(
            [
                ("kit", f"{contents['folder']}, {contents['files']:,} files, {format_bytes(contents['bytes'])}"),
                ("target", f"Python {contents['python']} on {contents['platform']}"),
                ("needs glibc", contents["glibc"]),
                ("interpreter", contents["interpreter"]),
                ("uv", contents["uv"]),
                ("provided by the site", ", ".join(contents["provided"]) or "nothing"),
                ("built here from source", ", ".join(contents["built"]) or "nothing"),
                ("wheels", f"{len(contents['packages'])}, {format_bytes(contents['wheel_bytes'])}"),
                ("lock", contents["lock"]),
            ]
        )
    ]
    if with_packages:
        rows = [("package", "version", "size", "licence", "vouched for by")]
        rows += [
            (one["name"], one["version"], format_bytes(one["bytes"]), one["licence"], one["vouched_by"])
            for one in contents["packages"]
        ]
        parts.append(columns(rows))
    return "\n\n".join(parts)
