"""Rows as aligned text, for `terminal.answer`."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from packtrain.cli.harmless import on_one_line
from packtrain.cli.terminal import COLUMNS, shows_pictures, terminal_columns


def table(rows: Sequence[tuple[str, str]]) -> str:
    """Return rows of a name and a value as aligned text; further lines of a value stand below its first.

    What does not fit into 100 columns, or a narrower window, is broken: a list at its semicolons, else between words.
    """
    room = min(COLUMNS, terminal_columns()) if shows_pictures() else COLUMNS
    width = max((len(name) for name, _ in rows), default=0)
    below = "\n" + " " * (width + 4)
    return "\n".join(f"  {name:<{width}}  {below.join(_broken(value, room - width - 4))}" for name, value in rows)


def _broken(value: str, width: int) -> Iterator[str]:
    for line in value.splitlines():
        pieces = line.replace("; ", ";\n").split("\n") if len(line) > width else [line]
        for piece in pieces:
            # A path or a digest stays whole: it is copied and pasted.
            yield from (
                textwrap.wrap(
                    piece, max(width, 20), break_long_words=False, break_on_hyphens=False, drop_whitespace=True
                )
                if len(piece) > width
                else (piece,)
            )


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of equal length as aligned columns; a column without a word below its head is left out.

    A cell is one line: what breaks one in a name of a file is shown as \\uXXXX.
    """
    rows = [[on_one_line(cell) for cell in row] for row in rows]
    used = [number for number in range(len(rows[0])) if any(row[number] for row in rows[1:])]
    width = {number: max(len(row[number]) for row in rows) for number in used}
    return "\n".join("  ".join(f"{row[n]:<{width[n]}}" for n in used).rstrip() for row in rows)
