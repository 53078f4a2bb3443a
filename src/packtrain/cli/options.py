"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from packtrain.cli.terminal import Terminal, answer, table
from packtrain.documents.receipt import Receipt
from packtrain.units import format_bytes, format_seconds
from packtrain.voyage import Voyage

F = TypeVar("F", bound=Callable[..., Any])
folder_argument = click.argument("folder", type=click.Path(path_type=Path), default=".")
voyage_option = click.option(
    "--voyage", "folder", type=click.Path(path_type=Path), default=".", help="The voyage folder (default: this one)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


def open_voyage(folder: Path) -> Voyage:
    """Return the voyage in `folder`, its events shown on this terminal."""
    return Voyage(folder, Terminal())


def answer_receipt(receipt: Receipt, *, as_json: bool) -> None:
    """Print what a stage did: its counts and facts, or the whole receipt with --json."""
    import msgspec

    answer(receipt_text(receipt), msgspec.to_builtins(receipt), as_json=as_json)


def receipt_text(receipt: Receipt) -> str:
    """Return a receipt as aligned text: bytes in decimal units, names with spaces."""
    rows = [
        (
            name.removesuffix("_bytes").replace("_", " "),
            format_bytes(value) if name.endswith("_bytes") else f"{value:,}",
        )
        for name, value in receipt.counts.items()
    ]
    rows += [(name.replace("_", " "), text) for name, text in receipt.facts.items()]
    rows.append(("time", format_seconds(receipt.seconds)))
    return f"{receipt.stage}\n{table(rows)}"
