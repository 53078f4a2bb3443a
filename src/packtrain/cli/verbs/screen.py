"""packtrain screen | screen answer | screen show"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from packtrain.cli.columns import table
from packtrain.cli.options import WORDS, InOrder, answer_receipt, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer as print_answer

if TYPE_CHECKING:
    from packtrain.diligence.screening.state import ScreeningState


@click.group("screen", cls=InOrder, invoke_without_command=True)
@voyage_option
@json_option
@click.pass_context
def command(context: click.Context, folder: Path, as_json: bool) -> None:
    """Hold the names and addresses of the papers against the lists of this folder, and sign what may be meant.

    Without a step it screens. It clears nobody: every candidate waits for a person. The result is no legal advice.
    """
    if context.invoked_subcommand is None:
        answer_receipt(open_voyage(folder).screen(), as_json=as_json)


@command.command("show")
@voyage_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """List the candidates of the newest screening with their ids, reasons and answers, and what is open."""
    import msgspec

    state = open_voyage(folder).screening()
    as_plain = {
        "screening": msgspec.to_builtins(state.screening),
        "answers": {
            each.candidate.id: [msgspec.to_builtins(answer.disposition) for answer in each.answers]
            for each in state.states
        },
        "open": [{"kind": point.kind, "what": point.what, "candidate": point.candidate} for point in state.open_points],
        "in_words": state.in_words,
    }
    print_answer(_text(state), as_plain, as_json=as_json)


@command.command("answer")
@click.argument("candidate")
@click.option(
    "--false-match/--true-match", "is_false", default=None, help="Whether the entry is another party or this one."
)
@click.option("--because", type=WORDS, required=True, help="Why, in your own words: what tells the two apart.")
@click.option(
    "--evidence", "evidence", multiple=True, type=click.Path(path_type=Path), help="A file that shows it; given often."
)
@click.option(
    "--key", type=click.Path(path_type=Path), help="Sign with this key: the reviewer's (default: this party's own)."
)
@voyage_option
@json_option
def answer(
    candidate: str,
    is_false: bool | None,
    because: str,
    evidence: tuple[Path, ...],
    key: Path | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Sign what you found about CANDIDATE: its id from "screen show", or the first eight digits. It stays visible."""
    import msgspec

    from packtrain.stages.screen import Answer

    if is_false is None:
        raise click.UsageError("say which it is: --false-match or --true-match")
    verdict = "false match" if is_false else "true match"
    signed = open_voyage(folder).answer_candidate(Answer(candidate, verdict, because, evidence, key))
    said = signed.disposition
    pair = f'"{said.subject}" and "{said.text}" ({said.list}, {said.entry})'
    text = f"{said.verdict}: {pair}; signed as {signed.digest[:12]}"
    print_answer(text, msgspec.to_builtins(said), as_json=as_json)


def _text(state: ScreeningState) -> str:
    lines = [state.in_words]
    for each in state.states:
        found = each.candidate
        rows = [
            ("declared", f"{each.subject.text} ({', '.join(each.subject.places)})"),
            ("listed", f"{found.text} ({found.matched}; {found.list}, {found.entry}, {found.kind})"),
            ("because", "; ".join(found.reasons)),
            ("countries", f"declared {each.subject.country or 'none'}; listed {', '.join(found.countries) or 'none'}"),
            ("programmes", ", ".join(found.programs) or "none"),
        ]
        rows += [
            ("answer", f"{said.disposition.verdict}, {said.disposition.answered_on}: {said.disposition.because}")
            for said in each.answers
        ]
        state_of = each.open_point.kind if each.open_point is not None else "answered"
        lines.append(f"\n{found.id[:12]}  {found.score} of 1000{', strong' if each.is_strong else ''}: {state_of}")
        lines.append(table(rows))
    others = [point for point in state.open_points if point.candidate is None]
    lines += [f"\nopen: {point.what}" for point in others]
    return "\n".join(lines)
