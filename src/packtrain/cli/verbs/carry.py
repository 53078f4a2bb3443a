"""packtrain carry seal | release | accept | adopt | observe"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from packtrain.cli.codes import answer_code, qr_target, scanned
from packtrain.cli.completing import case_labels, drive_labels
from packtrain.cli.options import InOrder, answer_receipt, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.documents.parties import Role

if TYPE_CHECKING:
    from packtrain.stages.carry import Observation


@click.group("carry", cls=InOrder)
def command() -> None:
    """Seal the cases, hand them over with two signatures, by file or by QR code, and note what is seen."""


@command.command("seal")
@voyage_option
@json_option
def seal(folder: Path, as_json: bool) -> None:
    """State which drive lies in which case, who carries it, under which seal (from voyage.toml), and sign it."""
    answer_receipt(open_voyage(folder).seal(), as_json=as_json)


@command.command("release")
@click.argument("cases", nargs=-1, required=True, shell_complete=case_labels)
@click.option("--to", "to", type=click.Choice(get_args(Role)), required=True, help="Who takes the cases.")
@click.option("--into", "destination", type=click.Path(path_type=Path), help="The hand-over file to write.")
@click.option("--qr", "picture", callback=qr_target, help="Write a QR code: FILE.png, FILE.svg, or - to show it here.")
@click.option("--note", default="", help="Place, persons, what was seen.")
@voyage_option
@json_option
def release(
    cases: tuple[str, ...],
    to: Role,
    destination: Path | None,
    picture: str | None,
    note: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Sign CASES over to another party; give them the hand-over file with the cases, or show them the code."""
    _need_a_way(destination, picture)
    code = open_voyage(folder).release(cases, to, note, destination, as_code=picture is not None)
    answer_code("released", "packtrain carry accept", destination, code, picture, as_json=as_json)


@command.command("accept")
@click.argument("hand_over", type=click.Path(path_type=Path), required=False)
@click.option("--scan", "scan", help="The code in place of the file: a picture of it, its text, or - to type it in.")
@click.option("--into", "destination", type=click.Path(path_type=Path), help="The answer file to write.")
@click.option("--qr", "picture", callback=qr_target, help="Write a QR code: FILE.png, FILE.svg, or - to show it here.")
@click.option("--note", default="", help="Seals looked at, what was seen.")
@voyage_option
@json_option
def accept(
    hand_over: Path | None,
    scan: str | None,
    destination: Path | None,
    picture: str | None,
    note: str,
    folder: Path,
    as_json: bool,
) -> None:
    """Sign for cases that another party released; give them the answer file, or show them the code."""
    _need_a_way(destination, picture)
    given = scanned(hand_over, scan)
    code = open_voyage(folder).accept(hand_over, note, destination, code=given, as_code=picture is not None)
    answer_code("accepted", "packtrain carry adopt", destination, code, picture, as_json=as_json)


@command.command("adopt")
@click.argument("answer_file", type=click.Path(path_type=Path), required=False)
@click.option("--scan", "scan", help="The code in place of the file: a picture of it, its text, or - to type it in.")
@click.option("--into", "destination", type=click.Path(path_type=Path), help="Write the head with both signatures.")
@click.option("--qr", "picture", callback=qr_target, help="Show this party's signature over the head as a QR code.")
@voyage_option
@json_option
def adopt(
    answer_file: Path | None,
    scan: str | None,
    destination: Path | None,
    picture: str | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Take the other side's signed acceptance into the own log, and sign its head."""
    given = scanned(answer_file, scan)
    if (given is None and picture is not None) or (given is not None and destination is not None):
        raise click.UsageError("--into goes with an answer file, --qr with --scan")
    voyage = open_voyage(folder)
    if given is None:
        assert answer_file is not None
        voyage.adopt(answer_file, destination)
        document = {"adopted": str(answer_file), "head": str(destination) if destination is not None else None}
        answer("the hand-over is complete: both logs have the same head", document, as_json=as_json)
        return
    code = voyage.adopt_code(given)
    if picture is None or code is None:
        told = "the hand-over is complete: both logs have the same head"
        answer(told, {"adopted": "code", "code": code}, as_json=as_json)
    else:
        answer_code("adopted", "packtrain custody cosign", None, code, picture, as_json=as_json)


@command.command("observe")
@click.argument("observation", type=click.Choice(["sighted", "seal-checked", "seal-broken", "lost"]))
@click.option("--case", "cases", multiple=True, shell_complete=case_labels, help="Label of a case; may be given often.")
@click.option(
    "--drive",
    "drives",
    multiple=True,
    shell_complete=drive_labels,
    help="Label or UUID of a drive; may be given often.",
)
@click.option("--note", default="", help="Place, persons, what was seen.")
@voyage_option
@json_option
def observe(
    observation: Observation, cases: tuple[str, ...], drives: tuple[str, ...], note: str, folder: Path, as_json: bool
) -> None:
    """Sign what was seen or lost into the log: the party that holds the cases."""
    if not cases and not drives:
        raise click.UsageError("say what was seen: --case or --drive")
    open_voyage(folder).observe(observation, cases, drives, note)
    about = ", ".join((*cases, *drives))
    answer(f"{observation} is in the custody log: {about}", {"observation": observation}, as_json=as_json)


def _need_a_way(destination: Path | None, picture: str | None) -> None:
    if destination is None and picture is None:
        raise click.UsageError("say how the other side gets it: --into FILE, or --qr FILE")
