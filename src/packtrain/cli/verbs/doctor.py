"""packtrain doctor"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from packtrain.cli.columns import table
from packtrain.cli.completing import voyage_folders
from packtrain.cli.options import json_option
from packtrain.cli.terminal import answer
from packtrain.units import counted

if TYPE_CHECKING:
    from packtrain.doctor.examination import Examination
    from packtrain.doctor.finding import Finding
    from packtrain.documents.parties import Role

# Not from documents.parties: doctor runs, and says so, where the library below the documents does not load.
_ROLES: Final = ("consignor", "operator", "consignee")


@click.command("doctor")
# No click.Path, which looks at what is there: on a dead mount that look never ends.
@click.argument("named", metavar="[VOYAGE]", default=None, shell_complete=voyage_folders)
@click.option("--for", "role", type=click.Choice(_ROLES), help="For which party (default: whose folder it is, or all).")
@json_option
def command(named: str | None, role: Role | None, as_json: bool) -> None:
    """Tell whether this machine is ready: libraries, processor, room, drives, keys, clock, namespaces, and more.

    Each finding says what was found, which verbs it matters to, and the command that mends it. Without VOYAGE, and
    outside of one, the machine alone is looked at. Nothing is changed; no network is asked but a Ray head that is
    configured.

    Exit codes: 0 nothing stops a verb of this party; 97 something does.
    """
    from packtrain.doctor.examination import examine

    found = examine(Path(named) if named is not None else None, role)
    answer(_text(found), found.to_dict(), as_json=as_json)
    raise click.exceptions.Exit(found.exit_code)


def _text(found: Examination) -> str:
    whose = f"for the {found.role}" if found.role is not None else "for any party"
    where = f", {found.root}" if found.root is not None else ", without a voyage"
    parts = [f"this machine, {whose}{where}"]
    counts = found.count()
    for state, num_found in counts.items():
        if num_found:
            ones = [one for one in found.findings if one.state == state]
            parts.append(f"\n{state} ({num_found})\n{table([(one.what, _lines(one)) for one in ones])}")
    if found.stopped:
        parts.append(f"\nnot ready: {', '.join(found.stopped)} would stop here")
    else:
        warned = f", with {counted(counts['warn'], 'warning')}" if counts["warn"] else ""
        parts.append(f"\nready{warned}")
    return "\n".join(parts)


def _lines(one: Finding) -> str:
    lines = [one.found]
    if one.why:
        lines.append(f"{', '.join(one.verbs)}: {one.why}" if one.verbs else one.why)
    if one.remedy:
        lines.append(f"-> {one.remedy}")
    return "\n".join(lines)
