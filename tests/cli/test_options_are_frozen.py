"""Verbs and options are public: people script against them. A change of options.txt must be meant.

`python tests/cli/test_options_are_frozen.py` writes the list anew.
"""

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from packtrain.cli.main import cli

FROZEN = Path(__file__).parent / "options.txt"


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _commands(inner, click.Context(inner, info_name=name, parent=context))


COMMANDS = list(_commands(cli, click.Context(cli, info_name="packtrain")))


def _lines() -> Iterator[str]:
    for command, context in COMMANDS:
        words = [context.command_path]
        for parameter in command.params:
            name = "|".join(parameter.opts) if isinstance(parameter, click.Option) else parameter.human_readable_name
            is_flag = isinstance(parameter, click.Option) and parameter.is_flag
            value = "" if is_flag or isinstance(parameter, click.Argument) else "=VALUE"
            if isinstance(parameter.type, click.Choice):
                value = "=" + "|".join(parameter.type.choices)
            repeats = "..." if parameter.nargs == -1 or parameter.multiple else ""
            text = f"{name}{value}{repeats}"
            words.append(text if parameter.required else f"[{text}]")
        yield " ".join(words)


def test_verbs_and_options_are_the_frozen_ones() -> None:
    assert list(_lines()) == FROZEN.read_text().splitlines()


@pytest.mark.parametrize("context", [c for _, c in COMMANDS], ids=lambda c: c.command_path.replace(" ", "-"))
def test_every_command_answers_help_and_every_option_says_what_it_does(context: click.Context) -> None:
    command = context.command

    assert command.get_help(context).startswith("Usage: packtrain")
    assert command.help
    assert all(p.help for p in command.params if isinstance(p, click.Option))


@pytest.mark.parametrize(
    ("command", "context"),
    [(c, x) for c, x in COMMANDS if not isinstance(c, click.Group)],
    ids=lambda value: value.command_path if isinstance(value, click.Context) else None,
)
def test_every_verb_can_answer_in_json(command: click.Command, context: click.Context) -> None:
    assert any("--json" in parameter.opts for parameter in command.params), context.command_path


if __name__ == "__main__":
    FROZEN.write_text("".join(f"{line}\n" for line in _lines()))
