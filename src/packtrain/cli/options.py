"""Arguments and options that several verbs share."""

from __future__ import annotations

from pathlib import Path

import click

from packtrain.cli.terminal import Terminal, answer, table
from packtrain.documents.receipt import Receipt
from packtrain.units import format_bytes, format_seconds
from packtrain.voyage import Voyage

folder_argument = click.argument("folder", type=click.Path(path_type=Path), default=".")
voyage_option = click.option(
    "--voyage", "folder", type=click.Path(path_type=Path), default=".", help="The voyage folder (default: this one)."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")


class InOrder(click.Group):
    """A verb of several steps, which its help lists in the order they are taken."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names as they were added."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each step with its whole sentence: click would cut it at 45 characters."""
        with formatter.section("Steps"):
            formatter.write_dl([(name, step.get_short_help_str(200)) for name, step in self.commands.items()])


def open_voyage(folder: Path) -> Voyage:
    """Return the voyage in `folder`, its events shown on this terminal."""
    terminal = Terminal()
    return Voyage(folder, terminal, terminal.ask_passphrase)


def answer_receipt(receipt: Receipt, *, as_json: bool) -> None:
    """Print what a stage did: its counts and facts, or the whole receipt with --json."""
    import msgspec

    answer(receipt_text(receipt), msgspec.to_builtins(receipt), as_json=as_json)


def receipt_text(receipt: Receipt) -> str:
    """Return a receipt as aligned text: bytes in decimal units, names with spaces."""
    rows = [
        (
            name.removesuffix("_bytes").replace("_", " "),
            format_bytes(value) if name.startswith("bytes_") or name.endswith("_bytes") else f"{value:,}",
        )
        for name, value in receipt.counts.items()
    ]
    rows += [(name.replace("_", " "), text) for name, text in receipt.facts.items()]
    rows.append(("time", format_seconds(receipt.seconds)))
    return f"{receipt.stage}\n{table(rows)}"
