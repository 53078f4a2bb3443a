"""Drives side by side, as a wave writes and reads them, and what they share where that is slower than each alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from packtrain.documents.measurement import MeasuredDrive, Rate, Together
from packtrain.errors import PacktrainError
from packtrain.events import Notice, Sink
from packtrain.ports import Bench
from packtrain.stages.measure.drives import SPARE_BYTES, Asked, Candidate, Use, part_of, refuse_other_medium, volumes_of
from packtrain.stages.measure.machine import rate_of
from packtrain.stages.measure.meter import STAGE, Meter
from packtrain.stages.measure.trial import Moved, read_files, remove_files, write_files
from packtrain.units import MIB

HINDERED: Final = 0.85
"""Of the sum of each alone: less, and the drives hinder each other."""
_BUSY: Final = 0.85
"""Of all processors: above it they are what was waited for."""


def measure_together(
    candidates: Sequence[Candidate], alone: Sequence[MeasuredDrive], bench: Bench, asked: Asked, sink: Sink
) -> Together | None:
    """Return what drives reach side by side: those that are written, or those that are read where fewer than two are.

    Args:
        candidates: as `look_at` found them.
        alone: what `measure_alone` found of each; those with a problem are left out.
        bench, asked, sink: as for one drive.
    """
    good = [(one, found) for one, found in zip(candidates, alone, strict=True) if not found.problem]
    written = [(one, found) for one, found in good if found.write is not None]
    chosen = written if len(written) > 1 else good
    if len(chosen) < 2:
        return None
    ones = [one for one, _ in chosen]
    uses: tuple[Use, ...] = ("write", "read") if len(written) > 1 else ("read",)
    names = ", ".join(one.name for one in ones)
    try:
        try:
            found = _run_together(ones, uses, asked, sink)
            for one in ones:
                refuse_other_medium(one, bench)
        finally:
            for one in ones:
                if one.use == "write":
                    remove_files(one.drive)
    except PacktrainError as error:
        sink(Notice(STAGE, f"side by side ({names}): {error.message}", is_warning=True))
        return None
    alone_of: dict[Use, list[Rate | None]] = {
        "write": [each.write for _, each in chosen],
        "read": [each.read for _, each in chosen],
    }
    parts: dict[Use, float | None] = {use: _part_of_sum(found[use].rate, alone_of[use]) for use in uses}
    hindered = [use for use in uses if (part := parts[use]) is not None and part < HINDERED]
    limit = shared_limit(ones, [found[use].busy for use in found if use in hindered]) if hindered else ""
    return Together(
        drives=tuple(one.name for one in ones),
        write=found["write"].rate if "write" in found else None,
        read=found["read"].rate,
        write_part=parts.get("write"),
        read_part=parts["read"],
        limit=limit,
    )


@dataclass(frozen=True, slots=True)
class _SideBySide:
    rate: Rate
    busy: float


def _run_together(ones: Sequence[Candidate], uses: Sequence[Use], asked: Asked, sink: Sink) -> dict[Use, _SideBySide]:
    found: dict[Use, _SideBySide] = {}
    files: list[list[Moved]] = [[] if one.use == "write" else volumes_of(one.drive) for one in ones]
    total_bytes = _bytes_for_each(ones)
    for use in uses:
        activity = f"{'writing' if use == 'write' else 'reading'} {len(ones)} drives at once"
        meter = Meter(sink, activity, total_bytes * len(ones))

        def move(number: int, use: Use = use, meter: Meter = meter) -> list[Moved]:
            one = ones[number]
            if use == "write":
                files[number] = write_files(one.drive, total_bytes, asked.seconds, meter.add)
                return files[number]
            most_bytes = None if one.use == "write" else part_of(total_bytes, files[number])
            return read_files(one.drive, files[number], asked.seconds, meter.add, most_bytes=most_bytes)[0]

        started, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(len(ones)) as crew:
            try:
                moved = [each for done in list(crew.map(move, range(len(ones)))) for each in done]
            except BaseException:
                # Ctrl-C, or a drive that went: the others are not written to their end for it.
                meter.stopped = True
                raise
        seconds = max(time.perf_counter() - started, 1e-6)
        how = f"{len(ones)} drives at once, until the last was done"
        busy = (time.process_time() - cpu) / seconds / asked.cores
        found[use] = _SideBySide(rate_of(sum(each.bytes for each in moved), seconds, how), busy)
    return found


def _bytes_for_each(ones: Sequence[Candidate]) -> int:
    """Return what each drive gets: the same for all, and no more than the drives of one file system find room for."""
    sharers = Counter(one.medium.way[:1] for one in ones)
    room = ((one.drive.free_bytes() - SPARE_BYTES) // sharers[one.medium.way[:1]] for one in ones if one.use == "write")
    return max(min(*(one.total_bytes for one in ones), *room), MIB)


def _part_of_sum(rate: Rate, alone: Sequence[Rate | None]) -> float | None:
    total = sum(one.bytes_per_second for one in alone if one is not None)
    return round(rate.bytes_per_second / total, 3) if total else None


def shared_limit(ones: Sequence[Candidate], busy: Sequence[float]) -> str:
    """Return in words what drives that hinder each other share: processors that were busy, else the nearest thing."""
    if max(busy) > _BUSY:
        return "the processors of this machine"
    shared = next(
        (words for key, words in ones[0].medium.way if all(key in dict(one.medium.way) for one in ones[1:])), None
    )
    if shared is not None:
        return shared
    # Not all hang together, but some may: a hub for every four of them.
    words_of = {key: words for one in ones for key, words in one.medium.way}
    members = {key: [one.name for one in ones if key in dict(one.medium.way)] for key in words_of}
    pairs: dict[tuple[str, ...], str] = {}
    for key, names in members.items():
        if len(names) > 1:
            pairs.setdefault(tuple(names), words_of[key])
    if pairs:
        return "; ".join(f"{words}: {', '.join(names)}" for names, words in pairs.items())[:4096]
    return "not known: they share no bus that the kernel tells of; memory, processors or a virtual machine's host"
