"""packtrain carry seal | release | accept | adopt | observe | show"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from packtrain.cli.options import InOrder, answer_receipt, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer
from packtrain.documents.parties import Role

if TYPE_CHECKING:
    from packtrain.stages.carry import Observation


@click.group("carry", cls=InOrder)
def command() -> None:
    """Seal the cases, hand them over with two signatures, show the custody log."""


@command.command("seal")
@voyage_option
@json_option
def seal(folder: Path, as_json: bool) -> None:
    """State which drive lies in which case, who carries it, under which seal (from voyage.toml), and sign it."""
    answer_receipt(open_voyage(folder).seal(), as_json=as_json)


@command.command("release")
@click.argument("cases", nargs=-1, required=True)
@click.option("--to", "to", type=click.Choice(get_args(Role)), required=True, help="Who takes the cases.")
@click.option(
    "--into", "destination", type=click.Path(path_type=Path), required=True, help="The hand-over file to write."
)
@click.option("--note", default="", help="Place, persons, what was seen.")
@voyage_option
@json_option
def release(cases: tuple[str, ...], to: Role, destination: Path, note: str, folder: Path, as_json: bool) -> None:
    """Sign CASES over to another party; give them the hand-over file with the cases."""
    path = open_voyage(folder).release(cases, to, note, destination)
    answer(
        f"hand-over file {path}; the other side runs: packtrain carry accept {path.name}",
        {"file": str(path)},
        as_json=as_json,
    )


@command.command("accept")
@click.argument("hand_over", type=click.Path(path_type=Path))
@click.option("--into", "destination", type=click.Path(path_type=Path), required=True, help="The answer file to write.")
@click.option("--note", default="", help="Seals looked at, what was seen.")
@voyage_option
@json_option
def accept(hand_over: Path, destination: Path, note: str, folder: Path, as_json: bool) -> None:
    """Sign for cases that another party released; give them the answer file."""
    path = open_voyage(folder).accept(hand_over, note, destination)
    answer(
        f"answer file {path}; the other side runs: packtrain carry adopt {path.name}",
        {"file": str(path)},
        as_json=as_json,
    )


@command.command("adopt")
@click.argument("answer_file", type=click.Path(path_type=Path))
@voyage_option
@json_option
def adopt(answer_file: Path, folder: Path, as_json: bool) -> None:
    """Take the other side's signed acceptance into the own log."""
    open_voyage(folder).adopt(answer_file)
    answer("the hand-over is complete: both logs have the same head", {"adopted": str(answer_file)}, as_json=as_json)


@command.command("observe")
@click.argument("observation", type=click.Choice(["sighted", "seal-checked", "seal-broken", "lost"]))
@click.option("--case", "cases", multiple=True, help="Label of a case; may be given often.")
@click.option("--drive", "drives", multiple=True, help="Label or UUID of a drive; may be given often.")
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


@command.command("show")
@voyage_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """Tell the custody log in plain words, after checking its chain and signatures."""
    sentences = open_voyage(folder).custody()
    answer("\n".join(sentences), sentences, as_json=as_json)
