"""The training command: its words, and the places it leaves for the engine to fill."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Final

from packtrain.errors import KitError

PLACEHOLDERS: Final = ("data", "checkpoints", "results", "steps")


def split_command(command: str) -> tuple[str, ...]:
    """Return the command's words, as a shell splits them; nothing is expanded.

    Raises:
        KitError: it is empty, or a quote is not closed.
    """
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise KitError(f"command cannot be split: {error}", where="[training] command", found=command) from error
    # "python" is what the engine starts anyway; people write it out of habit.
    if words and words[0] in ("python", "python3"):
        words = words[1:]
    if not words:
        raise KitError(
            "training command is empty",
            where="[training] command",
            expected='for example "train.py --data {data} --ckpt {checkpoints} --out {results} --steps {steps}"',
        )
    return tuple(words)


def fill_command(command: str, *, data: Path | str, checkpoints: Path, results: Path, steps: int) -> tuple[str, ...]:
    """Return the command's words with {data}, {checkpoints}, {results} and {steps} filled in; other braces stay.

    Raises:
        KitError: see `split_command`.
    """
    values = dict(zip(PLACEHOLDERS, (str(data), str(checkpoints), str(results), str(steps)), strict=True))
    words: list[str] = []
    for word in split_command(command):
        for name, value in values.items():
            word = word.replace("{" + name + "}", value)
        words.append(word)
    return tuple(words)
