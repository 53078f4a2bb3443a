"""Where a voyage stands as a terminal shows it: the route, the drives in their cases, bars and the training's curve.

Colour says nothing that a sign or a word does not say too. Every text of a document is made visible before it is drawn.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from packtrain.report.drive_view import HEALTH, LETTERS, DriveView, by_case
from packtrain.report.headline import place_sentence
from packtrain.report.papers.markup import visible
from packtrain.report.status_text import MANY_FLAGS, fact_lines
from packtrain.report.summary import PartyView, Summary
from packtrain.report.training_text import chart_lines
from packtrain.units import counted, format_seconds

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_NARROWEST: Final = 40
_MOST_LABELLED: Final = 120
_MOST_LETTERS: Final = 1200
_LONGEST_FACT: Final = 240
_COLOURS: Final[Mapping[str, str]] = {
    "planned": "dim",
    "begun": "white",
    "closed": "blue",
    "sealed": "blue",
    "checked": "green",
    "read": "green",
    "repaired": "yellow",
    "erased": "dim",
    "unusable": "bold red",
    "damaged": "bold red",
    "lost": "bold red",
}
_MEANT: Final[Mapping[str, str]] = {
    "planned": "not written yet",
    "begun": "begun",
    "closed": "closed",
    "sealed": "sealed",
    "checked": "checked",
    "read": "read",
    "repaired": "made good",
    "erased": "erased",
    "unusable": "NOT USABLE",
    "damaged": "DAMAGED",
    "lost": "LOST",
}
_STATES: Final[Mapping[str, tuple[str, str, str]]] = {
    "done": ("✓", "+", "green"),
    "to do": ("·", ".", "default"),
    "changed": ("↻", "~", "yellow"),
    "waiting": ("…", "-", "dim"),
    "not needed": ("–", " ", "dim"),
    "not known": ("?", "?", "bold red"),
}
_DRAWN_ABOVE: Final = ("route", "live", "waiting", "waves", "flags", "open flag")
"""Facts that are drawn in other form, or counted where they are many."""


def picture(
    summary: Summary, width: int, *, with_unicode: bool = True, with_colour: bool = True, next_first: bool = False
) -> str:
    """Return the whole picture as text with the terminal's colour codes, no line wider than `width`.

    `next_first`: what comes next stands above, for a screen that may be too low for all of it.
    """
    from rich.console import Console

    sink = io.StringIO()
    console = Console(
        file=sink,
        width=max(width, _NARROWEST),
        force_terminal=with_colour,
        color_system="standard" if with_colour else None,
        no_color=not with_colour,
        legacy_windows=False,
        markup=False,
        highlight=False,
        emoji=False,
        soft_wrap=False,
    )
    _Picture(console, summary, with_unicode=with_unicode).draw(next_first=next_first)
    return "\n".join(line.rstrip(" ") for line in sink.getvalue().rstrip("\n").split("\n"))


class _Picture:
    def __init__(self, console: Console, summary: Summary, *, with_unicode: bool) -> None:
        self._console = console
        self._summary = summary
        self._unicode = with_unicode

    def draw(self, *, next_first: bool) -> None:
        """Draw every part that there is something to say of."""
        summary = self._summary
        self._console.print(_text((summary.name, "bold"), (f"  {place_sentence(summary)}", "")))
        if summary.route:
            self._console.print(self._route())
        self._live()
        for party in summary.parties if next_first else ():
            self._next(party)
        for party in summary.parties:
            self._stages(party)
        self._bays()
        self._cases()
        self._facts()
        self._training()
        for party in summary.parties if not next_first else ():
            self._next(party)

    def _sign(self, unicode: str, ascii: str) -> str:
        return unicode if self._unicode else ascii

    def _route(self) -> Text:
        marks = {
            "done": (self._sign("●", "*"), "green"),
            "here": (self._sign("◉", "@"), "bold cyan"),
            "to come": (self._sign("○", "o"), "dim"),
        }
        names = {"home": "home", "out": "way", "site": "site", "back": "way home", "done": "home again"}
        parts: list[tuple[str, str]] = []
        for stop in self._summary.route:
            mark, style = marks[stop.state]
            if parts:
                line = self._sign("━━", "--") if stop.state != "to come" else self._sign("──", "..")
                parts.append((f" {line} ", "green" if stop.state != "to come" else "dim"))
            parts.append((f"{mark} {names[stop.stop]}", style))
        return _text(*parts)

    def _live(self) -> None:
        for view in self._summary.live:
            style = {"running": "bold green", "failed": "bold red", "stopped": "yellow", "not known": "yellow"}
            self._console.print(_text((f"{view.role}: ", "dim"), (view.sentence(), style.get(view.state, ""))))
            if view.waiting:
                self._console.print(_text((f"  {view.waiting}", "yellow")))
            if view.share is not None and view.state == "running":
                self._console.print(self._bar(view.share))
            for drive in view.live.drives[:16] if view.state == "running" else ():
                share = drive.done_bytes / drive.total_bytes if drive.total_bytes else 0.0
                slow = ("  slow", "yellow") if drive.is_slow else ("", "")
                self._console.print(_text((f"  {visible(drive.label):<8} ", ""), slow), self._bar(share, 24))

    def _bar(self, share: float, cells: int = 40) -> Text:
        full = round(min(max(share, 0.0), 1.0) * cells)
        return _text(
            (self._sign("█", "#") * full, "green"),
            (self._sign("░", ".") * (cells - full), "dim"),
            (f" {share * 100:.0f} %", ""),
        )

    def _stages(self, party: PartyView) -> None:
        if not party.seen.stages:
            return
        if len(self._summary.parties) > 1:
            parts: list[tuple[str, str]] = [(f"{party.role:<9}  ", "bold")]
            for stage in party.seen.stages:
                sign, plain, style = _STATES.get(stage.state, _STATES["not known"])
                parts.append((f"{self._sign(sign, plain)} {stage.stage}  ", style))
            self._console.print(_text(*parts))
            return
        rows: list[tuple[Text, Text]] = []
        for stage in party.seen.stages:
            sign, plain, style = _STATES.get(stage.state, _STATES["not known"])
            state = stage.state if stage.state != "done" else ""
            name = _text((f"{self._sign(sign, plain)} ", style), (stage.stage, ""))
            told = "  ".join(word for word in (state, stage.detail) if word)
            rows.append((name, _text((told, "dim" if stage.state in ("done", "not needed") else ""))))
        self._grid(rows)

    def _grid(self, rows: Sequence[tuple[Text, Text]]) -> None:
        from rich.table import Table

        grid = Table.grid(padding=(0, 2))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in rows:
            grid.add_row(name, value)
        self._console.print(grid)

    def _bays(self) -> None:
        packing = self._summary.packing
        if packing is None:
            return
        if packing.done is not None and packing.total:
            left = f"about {format_seconds(packing.left_seconds)} left" if packing.left_seconds is not None else ""
            told = f"  {packing.done} of {counted(packing.total, 'wave')}"
            bar = self._bar(packing.done / packing.total, 30)
            self._console.print(_text(("waves ", "dim")) + bar + _text((told, ""), (f"  {left}" if left else "", "")))
        rows = [(_text((bay.location, "")), _text((bay.text, ""))) for bay in packing.bays]
        rows += [(_text(("wanted next", "dim")), _text((packing.wanted, "bold")))] if packing.wanted else []
        self._grid(rows)

    def _cases(self) -> None:
        summary = self._summary
        if not summary.drives:
            return
        within = by_case(summary.drives)
        width = self._console.width - max(len(f"case {case.label}  ") for case in summary.cases)
        drawn = {case.label: self._cells(within[case.label], len(summary.drives), width) for case in summary.cases}
        told = {case.label: f"{case.where}{f', seal {case.seal}' if case.seal else ''}" for case in summary.cases}
        cells_width = max(cells.cell_len for cells in drawn.values())
        room = self._console.width - cells_width - max(map(len, drawn)) - 10
        rows: list[tuple[Text, Text]] = []
        for label, cells in drawn.items():
            name = _text((f"case {label}", "bold"))
            if max(map(len, told.values())) <= room:
                cells.pad_right(cells_width - cells.cell_len)
                rows.append((name, cells + _text((told[label], "dim"))))
            else:
                rows += [(name, cells), (_text(("", "")), _text((told[label], "dim")))]
        self._grid(rows)
        present = [state for state in HEALTH if any(drive.state == state for drive in summary.drives)]
        parts = [(f"{LETTERS[state]} {_MEANT[state]}   ", _COLOURS[state]) for state in present]
        self._console.print(_text(*parts))

    def _cells(self, drives: Sequence[DriveView], num_drives: int, width: int) -> Text:
        if num_drives > _MOST_LETTERS:
            counts = {state: sum(drive.state == state for drive in drives) for state in HEALTH}
            return _text(*((f"{n:,} {_MEANT[state]}  ", _COLOURS[state]) for state, n in counts.items() if n))
        if num_drives > _MOST_LABELLED:
            return _text(*((LETTERS[drive.state], _COLOURS[drive.state]) for drive in drives))
        from rich.text import Text

        # Folded here: a console would put a label at the end of a line and its sign on the next one.
        lines: list[list[tuple[str, str]]] = [[]]
        used = 0
        for drive in drives:
            cell = f"{visible(drive.label)} {LETTERS[drive.state]}"
            if lines[-1] and used + len(cell) > width:
                lines.append([])
                used = 0
            lines[-1] += [(cell, _COLOURS[drive.state]), ("  ", "")]
            used += len(cell) + 2
        return Text("\n").join(_text(*line) for line in lines)

    def _facts(self) -> None:
        rows = [
            (_text((name, "dim")), _text((_short(text), _style_of(name, text))))
            for name, text in fact_lines(self._summary)
            if name not in _DRAWN_ABOVE and not name.startswith("case ")
        ]
        self._grid([*rows, *self._flags()])

    def _flags(self) -> Iterator[tuple[Text, Text]]:
        for rules in self._summary.rules:
            still_open = [flag for flag in rules.flags if flag.is_open]
            named = ", ".join(f"{flag.rule} {flag.level}" for flag in still_open[:MANY_FLAGS])
            more = f" and {len(still_open) - MANY_FLAGS} more" if len(still_open) > MANY_FLAGS else ""
            told = f"{rules.by}: {rules.num_open} open, {rules.num_answered} answered"
            yield (
                _text(("flags", "dim")),
                _text((f"{told}{f': {named}{more}' if named else ''}", "yellow" if still_open else "")),
            )

    def _training(self) -> None:
        summary = self._summary
        if summary.training is None:
            return
        lines = chart_lines(
            summary.training,
            self._console.width - 1,
            epoch_samples=summary.samples_loaded,
            with_unicode=self._unicode,
        )
        for number, line in enumerate(lines):
            style = "bold" if number == 0 else "cyan" if "│" in line or "|" in line else "dim"
            self._console.print(_text((line, style)), no_wrap=True, crop=True)

    def _next(self, party: PartyView) -> None:
        seen = party.seen
        whose = f"next, {party.role}: " if len(self._summary.parties) > 1 else "next: "
        command = seen.next_command if seen.next_command is not None else "nothing to do here"
        self._console.print(_text((whose, "dim"), (command, "bold")))
        if party.step_told:
            from rich.padding import Padding

            self._console.print(Padding(_text((party.step_told, "dim")), (0, 0, 0, 2)))


def _style_of(name: str, text: str) -> str:
    if name in ("not read", "superseded"):
        return "yellow"
    if name.startswith("group"):
        return "bold red" if "cannot be rebuilt" in text or "no more drive" in text else ""
    if name == "attempts" or name.startswith("attempt "):
        return "dim"
    if name == "admission":
        return "green" if text.startswith("admit") else "yellow"
    return ""


def _short(text: str) -> str:
    """Return the beginning of what would fill a screen; the plain lines, --json and the report have all of it."""
    return text if len(text) <= _LONGEST_FACT else f"{text[: _LONGEST_FACT - 2]} …"


def _text(*parts: tuple[str, str]) -> Text:
    from rich.text import Text

    text = Text()
    for words, style in parts:
        # What is drawn is one line: `visible` makes one space of every blank, and the picture has spaces of its own.
        text.append("".join(visible(sign) if sign != " " else sign for sign in words), style or None)
    return text
