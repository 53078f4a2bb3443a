"""packtrain custody show | check | head | cosign | stamp | revoke"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from packtrain.cli.codes import scanned
from packtrain.cli.options import DAY_OR_INSTANT, WORDS, InOrder, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer


@click.group("custody", cls=InOrder)
def command() -> None:
    """Tell the custody log, hold it against signed heads, sign a head for another party, revoke a key."""


@command.command("show")
@voyage_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Tell what happened, who holds what, what is proven by whose signature, and what no log can prove."""
    sentences = open_voyage(folder).custody()
    answer(_apart(sentences) or "the custody log is empty: nothing is sealed yet", sentences, as_json=as_json)


@command.command("check")
@click.argument("log", type=click.Path(path_type=Path), required=False)
@voyage_option
@json_option
def check(log: Path | None, folder: Path, as_json: bool) -> None:
    """Hold LOG (default: this party's own) against every signed head that is known here or came with it.

    What cannot be shown is listed as not provable. Exit codes: 0 nothing signed contradicts it; 113 something does; 53
    its chain is broken.
    """
    found = open_voyage(folder).check_custody(log)
    answer(_apart(found.text().splitlines()), found.to_dict(), as_json=as_json)
    raise click.exceptions.Exit(found.exit_code)


def _apart(sentences: Sequence[str]) -> str:
    """Return sentences one below the other, with a blank line before each heading: it ends with a colon."""
    return "\n".join(f"\n{each}" if each.endswith(":") else each for each in sentences).strip("\n")


@command.command("head")
@click.option("--into", "destination", type=click.Path(path_type=Path), required=True, help="The head file to write.")
@voyage_option
@json_option
def head(destination: Path, folder: Path, as_json: bool) -> None:
    """Sign the head of the log as it is now; the other side signs the same file with "custody cosign"."""
    mark = open_voyage(folder).make_head(destination)
    text = f"head file {destination}; the other side runs: packtrain custody cosign {destination.name}"
    answer(text, {"file": str(destination), "head": mark.digest, "entries": mark.head.num_entries}, as_json=as_json)


@command.command("cosign")
@click.argument("head_file", type=click.Path(path_type=Path), required=False)
@click.option("--scan", "scan", help="The code of a signature over an own head: a picture, its text, or - to type it.")
@voyage_option
@json_option
def cosign(head_file: Path | None, scan: str | None, folder: Path, as_json: bool) -> None:
    """Sign another party's head if this party has the same log; or take in its signature over an own head."""
    code = scanned(head_file, scan)
    mark = open_voyage(folder).cosign(head_file, code)
    signers = sorted(mark.keys)
    text = f"head {mark.digest[:16]} over {mark.head.num_entries} entries is signed by {' and '.join(signers)}"
    if head_file is not None:
        text += f"; {head_file} has all signatures"
    answer(text, {"head": mark.digest, "entries": mark.head.num_entries, "signed_by": signers}, as_json=as_json)


@command.command("stamp")
@click.option("--request", "request", type=click.Path(path_type=Path), help="Write what the authority is to be given.")
@click.option("--token", type=click.Path(path_type=Path), help="The authority's response: check it and keep it.")
@click.option("--ca", "root", type=click.Path(path_type=Path), help="The certificate of an authority that you trust.")
@voyage_option
@json_option
def stamp(request: Path | None, token: Path | None, root: Path | None, folder: Path, as_json: bool) -> None:
    """Have the head of the log stamped by a time stamping authority (RFC 3161). packtrain itself goes to no network."""
    if (request is None) == (token is None) or (token is None) != (root is None):
        raise click.UsageError("first --request FILE; then, with the response of the authority, --token FILE --ca CERT")
    voyage = open_voyage(folder)
    if request is not None:
        mark = voyage.request_stamp(request)
        text = f"request {request} for a stamp over {mark.head.num_entries} entries (RFC 3161, DER)"
        answer(text, {"file": str(request), "head": mark.digest}, as_json=as_json)
        return
    assert token is not None and root is not None
    found = voyage.take_stamp(token, root)
    text = f"entries 1 to {found.num_entries} were written before {found.latest}: time stamp of {found.authority}"
    answer(text, {"entries": found.num_entries, "latest": found.latest, "authority": found.authority}, as_json=as_json)


@command.command("revoke")
@click.option("--because", type=WORDS, required=True, help="What happened to the key, in your own words.")
@click.option(
    "--key", type=click.Path(path_type=Path), help="Sign with this key: the reviewer's (default: the lost key itself)."
)
@click.option(
    "--lost-on",
    type=DAY_OR_INSTANT,
    help="From when on, in UTC, the key was in other hands (default: now).",
)
@click.option("--last-entry", type=click.IntRange(min=0), help="Vouch for the log up to this entry (default: all).")
@click.option("--leave-out", multiple=True, help="SHA-256 of a document that is not vouched for; may be given often.")
@voyage_option
@json_option
def revoke(
    because: str,
    key: Path | None,
    lost_on: datetime | None,
    last_entry: int | None,
    leave_out: tuple[str, ...],
    folder: Path,
    as_json: bool,
) -> None:
    """Revoke this party's signing key, for good; vouch for what it signed before, as this folder holds it."""
    import msgspec

    since = lost_on.strftime("%Y-%m-%dT%H:%M:%SZ") if lost_on is not None else None
    made = open_voyage(folder).revoke(because, key, since, last_entry, leave_out)
    lines = [f"revocation {made.digest} of {made.revocation.fingerprint}; vouched for:"]
    lines += [f"  {name}" for name in made.names] or ["  no document"]
    lines.append(f"  {len(made.revocation.log_lines)} entries of the custody log")
    answer("\n".join(lines), {"digest": made.digest, **msgspec.to_builtins(made.revocation)}, as_json=as_json)
