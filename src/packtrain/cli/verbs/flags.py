"""packtrain flags | flags answer | flags show"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import click

from packtrain.cli.columns import table
from packtrain.cli.completing import rule_ids
from packtrain.cli.options import DAY, WORDS, InOrder, answer_receipt, json_option, open_voyage, voyage_option
from packtrain.cli.terminal import answer as print_answer
from packtrain.documents.parties import Role

if TYPE_CHECKING:
    from packtrain.diligence.judging import Ruled
    from packtrain.diligence.rules.answers import RaisedFlag


@click.group("flags", cls=InOrder, invoke_without_command=True)
@voyage_option
@json_option
@click.pass_context
def command(context: click.Context, folder: Path, as_json: bool) -> None:
    """Consignor: run the rules over what is signed, and sign what they say. At the site `admit` runs them.

    Without a step it runs them. There is no run on a draft: an answer that is changed afterwards is an amendment.
    The result is no legal advice.
    """
    if context.invoked_subcommand is None:
        answer_receipt(open_voyage(folder).flags(), as_json=as_json)


@command.command("show")
@voyage_option
@json_option
def show(folder: Path, as_json: bool) -> None:
    """List the flags of every party that ran the rules, what was answered, and what is still open."""
    import msgspec

    voyage = open_voyage(folder)
    own = voyage.folder.voyage_file().voyage.role
    # This party's own come first: they are the ones that it answers.
    runs = dict(sorted(voyage.standing().items(), key=lambda run: run[0] != own))
    as_plain = {
        role: {
            "sentence": ruled.standing.sentence,
            "worst_open": ruled.standing.worst_open,
            "flags": [
                {
                    "rule": flag.result.rule,
                    "level": flag.level,
                    "open_because": flag.open_because or None,
                    "result": msgspec.to_builtins(flag.result),
                    "answers": [msgspec.to_builtins(each.answer) for each in flag.answers],
                }
                for flag in ruled.standing.flags
            ],
        }
        for role, ruled in runs.items()
    }
    told = [_text(role, ruled) for role, ruled in runs.items()]
    if own in runs and (wanted := _wanted(runs[own])):
        told.append(wanted)
    print_answer("\n\n".join(told), as_plain, as_json=as_json)


@command.command("answer")
@click.argument("rule", shell_complete=rule_ids)
@click.option("--person", type=WORDS, required=True, help="Who answers, by name.")
@click.option(
    "--because", type=WORDS, required=True, help="Why this flag does not stand in the way, in your own words."
)
@click.option(
    "--evidence", "files", multiple=True, type=click.Path(path_type=Path), help="A file that shows it; given often."
)
@click.option("--licence", type=click.Path(path_type=Path), help="For a STOP: the licence on which it may pass.")
@click.option("--opinion", type=click.Path(path_type=Path), help="For a STOP: the legal opinion on which it may pass.")
@click.option("--number", help="Number of the licence or opinion.")
@click.option("--issued-by", help="Who issued it.")
@click.option("--valid-until", type=DAY, help="Its last day.")
@click.option("--of", "to", type=click.Choice(get_args(Role)), help="Whose flags (default: this party's own).")
@click.option(
    "--key", type=click.Path(path_type=Path), help="Sign with this key: the reviewer's (default: this party's own)."
)
@voyage_option
@json_option
def answer(
    rule: str,
    person: str,
    because: str,
    files: tuple[Path, ...],
    licence: Path | None,
    opinion: Path | None,
    number: str | None,
    issued_by: str | None,
    valid_until: datetime | None,
    to: Role | None,
    key: Path | None,
    folder: Path,
    as_json: bool,
) -> None:
    """Sign an answer to the flag of RULE. The flag stays visible, with the answer beside it.

    A FLAG or HOLD takes a reason. A STOP passes only by an exception: two persons, each with a key of the party, sign
    an answer of their own on the same licence or legal opinion.
    """
    import msgspec

    from packtrain.stages.flags import FlagReply, StatedPaper

    if licence is not None and opinion is not None:
        raise click.UsageError("one paper at a time: --licence or --opinion")
    paper = None
    file = licence or opinion
    if file is not None:
        if not number or not issued_by:
            raise click.UsageError("a paper has a number and an issuer: --number and --issued-by")
        last = valid_until.date().isoformat() if valid_until is not None else None
        paper = StatedPaper("licence" if licence is not None else "legal opinion", number, issued_by, file, last)
    elif number or issued_by or valid_until:
        raise click.UsageError("--number, --issued-by and --valid-until are of a paper: --licence or --opinion")
    reply = FlagReply(rule, person, because, files, paper, key, to)
    signed = open_voyage(folder).answer_flag(reply)
    text = f"{signed.answer.rule}: answered by {signed.answer.person} for the {signed.role}"
    print_answer(text, msgspec.to_builtins(signed.answer), as_json=as_json)


def _text(role: str, ruled: Ruled) -> str:
    lines = [f"{role}, {ruled.flags.moment}: {ruled.standing.sentence}; not legal advice"]
    for flag in sorted(ruled.standing.flags, key=lambda flag: not flag.is_open):
        lines.append(f"\n{flag.result.rule}  {flag.level}: {flag.open_because or 'answered'}")
        lines.append(table(_rows(flag)))
    return "\n".join(lines)


def _wanted(ruled: Ruled) -> str:
    """Return what closes the flags that are open; empty where none is."""
    still_open = [flag for flag in ruled.standing.flags if flag.is_open]
    ways = {
        'packtrain screen show, "screen answer"': any(flag.result.rule.startswith("SCR-") for flag in still_open),
        "packtrain rules groups add FILE": any("no country group" in flag.result.because for flag in still_open),
        'packtrain flags answer RULE --person "..." --because "..."': bool(still_open),
    }
    told = [f"  {way}" for way, helps in ways.items() if helps]
    head = "what is open is closed by a paper that was missing, a corrected answer, or:"
    return "\n".join([head, *told]) if told else ""


def _rows(flag: RaisedFlag) -> list[tuple[str, str]]:
    result = flag.result
    rows = [("asks that", result.title)]
    rows += [("found", f"{finding.because} ({finding.level})") for finding in result.findings]
    rows += [("so", result.because)] if result.because else []
    rows.append(("source", f"{result.source} ({result.mark})"))
    rows += [
        ("answer", f"{each.answer.person} for the {each.role}, {each.answer.answered_on}: {each.answer.because}")
        for each in flag.answers
    ]
    return rows
