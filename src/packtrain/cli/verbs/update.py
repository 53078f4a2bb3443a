"""packtrain update make | show | countersign | apply"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import InOrder, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer, ask
from packtrain.units import counted, format_bytes

if TYPE_CHECKING:
    from packtrain.stages.update import Told

_FILE = click.Path(path_type=Path)


@click.group("update", cls=InOrder)
def command() -> None:
    """Mend the program after departure: a small signed file from home, seen and signed by the operator."""


@command.command("make")
@click.argument("out", type=_FILE)
@click.option("--reason", required=True, help="Why the kit changes, in your own words; it is signed and shown.")
@voyage_option
@json_option
def make(out: Path, reason: str, folder: Path, as_json: bool) -> None:
    """Consignor: write into OUT what changed since the kit in force, after "packtrain rehearse" of the new one."""
    if not reason.strip():
        raise click.UsageError("--reason wants a reason: the operator reads it before it signs")
    told = open_voyage(folder).make_update(out, reason)
    answer(_text(told), told.to_dict(), as_json=as_json)


@command.command("show")
@click.argument("file", type=_FILE)
@voyage_option
@json_option
def show(file: Path, folder: Path, as_json: bool) -> None:
    """Say what the update FILE changes: wheels, lines of program, what may leave. Nothing is written."""
    told = open_voyage(folder).show_update(file)
    answer(_text(told), told.to_dict(), as_json=as_json)


@command.command("countersign")
@click.argument("file", type=_FILE)
@click.option("--exports-seen", is_flag=True, help="Needed where export.toml changed: a person has looked at how.")
@click.option("--yes", is_flag=True, help="Sign without asking.")
@voyage_option
@json_option
def countersign(file: Path, exports_seen: bool, yes: bool, folder: Path, as_json: bool) -> None:
    """Operator: check FILE, see what it changes, sign it. The signature is written beside it.

    On a terminal it shows the change and asks. Elsewhere, or with --json, it needs --yes.
    """

    def approve(told: Told) -> None:
        if yes:
            return
        typed = None if as_json else ask(f"to be signed:\n{_text(told)}", "may this run at the site? [y/N]")
        if typed is None:
            raise click.UsageError('nothing was signed: look at it with "packtrain update show", then add --yes')
        if typed.strip().lower() not in ("y", "yes"):
            raise click.UsageError("nothing was signed")

    told = open_voyage(folder).countersign_update(file, approve, exports_seen=exports_seen)
    answer(_text(told), told.to_dict(), as_json=as_json)


@command.command("apply")
@click.argument("file", type=_FILE)
@voyage_option
@json_option
def apply(file: Path, folder: Path, as_json: bool) -> None:
    """Consignee: bring FILE into force, with the operator's signature beside it. Training goes on afterwards."""
    told = open_voyage(folder).apply_update(file)
    answer(_text(told), told.to_dict(), as_json=as_json)


def _text(told: Told) -> str:
    update, changes = told.update, told.changes
    rows = [
        ("kit update", f"{update.number}, {told.digest[:16]}, made {update.created}"),
        ("why", update.reason),
        ("kit", f"{update.from_kit[:12]} -> {update.to_kit[:12]}"),
        ("rehearsed", told.rehearsed),
        ("brings", f"{counted(len(update.files), 'file')}, {format_bytes(told.total_bytes)}"),
        ("removes", ", ".join(update.removed[:20]) or "nothing"),
    ]
    if changes is None:
        rows.append(("changes", "the kit that it begins with is not here: what changes cannot be told"))
    else:
        rows += [("wheel", text) for text in changes.wheels] or [("wheels", "the same")]
        rows += [("program", text) for text in changes.program] or [("program", "the same")]
        rows += [("also", text) for text in changes.others]
        rows += [("MAY LEAVE", text) for text in changes.export_rules]
        if update.export_rules_changed and not changes.export_rules:
            rows.append(("MAY LEAVE", "export.toml changed, and how cannot be told"))
    rows.append(("stands", told.standing))
    rows += [("next", text) for text in told.steps_next]
    lines = "\n".join(changes.lines) if changes is not None else ""
    return table(rows) + (f"\n\n{lines}" if lines else "")
