"""How far a stage is, as lines: bars for a terminal, one line of words for a log. Nothing is printed here."""

from __future__ import annotations

import io
from collections.abc import Sequence
from statistics import median
from typing import TYPE_CHECKING, Final

from packtrain.cli.harmless import on_one_line
from packtrain.events import Progress
from packtrain.record.pace import DrivePace, Pace
from packtrain.units import format_bytes, format_rate, format_seconds

if TYPE_CHECKING:
    from rich.text import Text

_NARROW: Final = 60
"""Columns below which a drive has no bar, its figures alone."""
_OVERALL_BAR: Final = 30
_SHORTEST_BAR: Final = 8
_DRIVE_BAR: Final = 20
_FEWEST_ROWS: Final = 4
_MAX_LABEL: Final = 24


def in_words(pace: Pace) -> str:
    """Return all that is known of the pace on one line: the overall work, its rate, the time left, what is slow."""
    told = pace.progress
    parts = [f"{told.stage}  {told.activity}", *([_wave(pace)] if told.num_waves else [])]
    parts += [*_items(told), *_bytes(told), *_how_fast(pace)]
    parts += [*pace.slow] or _slowest(pace.drives)
    parts += [told.note] if told.note else []
    return "  ".join(parts)


def picture(pace: Pace, columns: int, rows: int, *, with_unicode: bool) -> list[tuple[str, int]]:
    """Return the lines of a picture with their widths: what is done, a bar over all, one a drive, what is slow.

    Args:
        pace: how far the stage is.
        columns, rows: the window. A picture is never higher than it: of many drives the slowest are shown.
        with_unicode: characters beyond ASCII reach the reader.
    """
    from rich.text import Text

    lines: list[Text] = []
    told = pace.progress
    if rows < _FEWEST_ROWS:
        lines.append(Text(on_one_line(in_words(pace))))
        return _rendered(lines, columns)
    head = Text.assemble((told.stage, "bold"), f"  {on_one_line(told.activity)}")
    if told.num_waves:
        head.append(f"  {_wave(pace)}")
    lines.append(head)
    lines.append(_overall(pace, columns, with_unicode=with_unicode))
    words = [(text, "yellow") for text in pace.slow] + ([(told.note, "dim")] if told.note else [])
    # A line stays free below, where the cursor stands, and one for what the shell said before.
    room = rows - 2 - len(lines)
    words = words[: max(0, room - 1)] if pace.drives else words[:room]
    lines += _of_drives(pace.drives, columns, room - len(words), with_unicode=with_unicode)
    lines += [Text(on_one_line(text), style=style) for text, style in words]
    return _rendered(lines, columns)


def summary(pace: Pace, elapsed_seconds: float, gained: float) -> str:
    """Return the last line of an activity: how much in which time, and the mean rate."""
    told = pace.progress
    if told.total_bytes or told.done_bytes:
        mean = f"{format_rate(gained / max(elapsed_seconds, 1e-6))} on average"
        what, how_fast = format_bytes(told.done_bytes), f", {mean}"
    else:
        what, how_fast = f"{told.done_items} {told.unit}", ""
    return f"{told.stage}  {told.activity}: {what} in {format_seconds(elapsed_seconds)}{how_fast}"


def how_far(pace: Pace) -> str:
    """Return what it was at, and how far in hundredths where that is known."""
    told = pace.progress
    done, total = _done_of(told)
    return f"{told.activity}, at {_percent(done, total).strip()}" if total else told.activity


def _wave(pace: Pace) -> str:
    return f"wave {pace.progress.wave} of {pace.progress.num_waves}"


def _bytes(told: Progress) -> list[str]:
    if told.total_bytes:
        return [f"{format_bytes(told.done_bytes)} of {format_bytes(told.total_bytes)}"]
    return [format_bytes(told.done_bytes)] if told.done_bytes else []


def _items(told: Progress) -> list[str]:
    if told.total_items:
        return [f"{told.done_items}/{told.total_items} {told.unit}"]
    return [f"{told.done_items} {told.unit}"] if told.done_items else []


def _done_of(told: Progress) -> tuple[int, int]:
    """Return how much is done and of how much: of bytes where their number is known, else of items."""
    return (told.done_bytes, told.total_bytes) if told.total_bytes else (told.done_items, told.total_items)


def _how_fast(pace: Pace) -> list[str]:
    if pace.stalled_seconds:
        return [f"no news for {format_seconds(pace.stalled_seconds)}"]
    told = pace.progress
    parts: list[str] = []
    if pace.rate is not None and (told.total_bytes or told.done_bytes):
        parts.append(format_rate(pace.rate))
    elif pace.rate:
        parts.append(f"{pace.rate:.3g} {told.unit}/s")
    if pace.left_seconds is not None and not _is_done(pace):
        parts.append(f"about {format_seconds(pace.left_seconds)} left")
    return parts


def _is_done(pace: Pace) -> bool:
    done, total = _done_of(pace.progress)
    return done >= total


def _slowest(drives: Sequence[DrivePace]) -> list[str]:
    rated = [drive for drive in drives if drive.rate is not None]
    if len(rated) < 2:
        return []
    slowest = min(rated, key=lambda drive: drive.rate or 0.0)
    return [f"slowest drive {slowest.label} {format_rate(slowest.rate or 0.0)}"]


def _overall(pace: Pace, columns: int, *, with_unicode: bool) -> Text:
    from rich.text import Text

    told = pace.progress
    parts = [*_bytes(told), *_how_fast(pace), *_items(told)]
    words = "  ".join(parts) or ("…" if with_unicode else "...")
    done, total = _done_of(told)
    line = Text("  ")
    if total:
        percent = f"{_percent(done, total)}  "
        # Words come first: the bar gets what they leave.
        width = min(_OVERALL_BAR, columns - 4 - len(percent) - len(words))
        if width >= _SHORTEST_BAR:
            line.append_text(_bar(done, total, width, "cyan", with_unicode=with_unicode)).append(" ")
        line.append(percent, "bold")
    return line.append(words)


def _of_drives(drives: Sequence[DrivePace], columns: int, room: int, *, with_unicode: bool) -> list[Text]:
    """Return a line a drive, or where they do not fit the slowest and a line for the others."""
    from rich.text import Text

    if not drives or room < 1:
        return []
    shown, others = list(drives), list[DrivePace]()
    if len(drives) > room:
        order = sorted(drives, key=_slowness)
        keep = {drive.label for drive in order[: room - 1]}
        shown = [drive for drive in drives if drive.label in keep]
        others = [drive for drive in drives if drive.label not in keep]
    width = min(_MAX_LABEL, max((len(on_one_line(drive.label)) for drive in shown), default=0))
    lines = [_drive(drive, width, columns, with_unicode=with_unicode) for drive in shown]
    if others:
        lines.append(Text(f"  {_others(others, is_rest=bool(shown))}", "dim"))
    return lines


def _slowness(drive: DrivePace) -> tuple[bool, bool, float, float]:
    """Return what sorts the drives that hold the others up to the front."""
    share = drive.done_bytes / drive.total_bytes if drive.total_bytes else 0.0
    return not drive.is_slow, drive.state == "done", share, drive.rate or 0.0


def _others(drives: Sequence[DrivePace], *, is_rest: bool) -> str:
    rates = [drive.rate for drive in drives if drive.rate is not None]
    done, total = sum(drive.done_bytes for drive in drives), sum(drive.total_bytes for drive in drives)
    parts = [f"{len(drives)} {'more ' if is_rest else ''}drive{'s' if len(drives) > 1 else ''}"]
    if total:
        parts.append(_percent(done, total).strip())
    if rates:
        parts.append(f"{format_rate(median(rates))} each")
    return "  ".join(parts)


def _drive(drive: DrivePace, label_width: int, columns: int, *, with_unicode: bool) -> Text:
    from rich.text import Text

    style = "yellow" if drive.is_slow else ""
    label = on_one_line(drive.label)
    # Of a mount point the end tells it from the others.
    label = label if len(label) <= label_width else f"{label[:3]}..{label[-(label_width - 5) :]}"
    line = Text(f"  {label:<{label_width}}  ", style)
    if drive.total_bytes:
        if columns >= _NARROW:
            bar = _bar(drive.done_bytes, drive.total_bytes, _DRIVE_BAR, style or "green", with_unicode=with_unicode)
            line.append_text(bar).append(" ")
        line.append(f"{_percent(drive.done_bytes, drive.total_bytes)}  ")
    else:
        line.append(f"{format_bytes(drive.done_bytes):>8}  ")
    rate = format_rate(drive.rate) if drive.rate is not None else ""
    return line.append(f"{rate:>9}  {on_one_line(drive.state)}{'  slow' if drive.is_slow else ''}")


def _percent(done: int, total: int) -> str:
    # 100 % is said of what is done, and of nothing else.
    return f"{min(done * 100 // total, 100):3d} %"


def _bar(done: int, total: int, width: int, style: str, *, with_unicode: bool) -> Text:
    from rich.text import Text

    full = min(done * width // total, width)
    rest = width - full
    if with_unicode:
        return Text.assemble(("━" * full, style), ("─" * rest, "dim"))
    return Text.assemble(("#" * full, style), ("-" * rest, "dim"))


def _rendered(lines: Sequence[Text], columns: int) -> list[tuple[str, int]]:
    """Return the lines with the codes for colours that this terminal knows, cut to the window."""
    from rich.console import Console

    width = max(columns - 1, 1)
    # It never prints: what it would have printed is taken from it. NO_COLOR and TERM are its to read.
    console = Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False, markup=False, emoji=False)
    found: list[tuple[str, int]] = []
    for line in lines:
        line.truncate(width, overflow="crop")
        with console.capture() as captured:
            console.print(line, end="", no_wrap=True, overflow="crop", crop=True)
        found.append((captured.get(), line.cell_len))
    return found
