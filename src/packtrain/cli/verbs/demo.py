"""packtrain demo"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from packtrain.cli.columns import table
from packtrain.cli.options import json_option
from packtrain.cli.terminal import Terminal, answer

_PATH = click.Path(path_type=Path)


@click.command("demo")
@click.option(
    "--into", type=_PATH, default=None, help="Leave the whole voyage in this folder (default: a temporary one)."
)
@click.option("--data", type=_PATH, default=None, help="tables/, images/, clips/ (default: build/demo-data).")
@click.option("--kit-wheels", type=_PATH, default=None, help="Wheels for the kit (default: build/kit-wheels).")
@json_option
def command(into: Path | None, data: Path | None, kit_wheels: Path | None, as_json: bool) -> None:
    """Play a whole voyage on real data: three parties, eight drives in four cases, one drive lost, one damaged,
    one worker killed, results home. Needs what `make demo` sets up.
    """
    from packtrain.demo import run_demo

    place = (into or Path(tempfile.mkdtemp(prefix="packtrain-demo-"))).absolute()
    with _removed_if_stopped(place):
        result = run_demo(
            place, data or _build_folder("demo-data"), kit_wheels or _build_folder("kit-wheels"), Terminal()
        )
    answer(f"the whole voyage\n{table(result.rows())}", result.to_dict(), as_json=as_json)


@contextlib.contextmanager
def _removed_if_stopped(place: Path) -> Iterator[None]:
    """Remove what the demo made where Ctrl-C ends it: nothing goes on from there, and it wants an empty folder."""
    is_ours = not place.exists() or (place.is_dir() and not any(place.iterdir()))
    try:
        yield
    except KeyboardInterrupt:
        if is_ours:
            shutil.rmtree(place, ignore_errors=True)
        raise


def _build_folder(name: str) -> Path:
    """Return build/<name> of the current folder, or of the checkout that this package is installed from."""
    here = Path("build") / name
    return here if here.is_dir() else Path(__file__).parents[4] / "build" / name
