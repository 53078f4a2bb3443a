"""Where a voyage stands as lines of plain text: stable, one fact a line, made to be read by people and by grep.

Every line begins with a word that says what it is about; docs/how-to/watch-a-voyage.md lists them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from packtrain.report.attempts_text import attempt_facts
from packtrain.report.drive_view import BAD, HEALTH, DriveView, by_case
from packtrain.report.group_view import GroupView
from packtrain.report.inspection_text import sheet_in_words
from packtrain.report.plan_actual_text import sentences
from packtrain.report.summary import Summary
from packtrain.report.wave_view import labels_in_short
from packtrain.units import counted, format_bytes, format_seconds

MANY_DRIVES: Final = 60
"""In a case with more drives than this, those that are well are counted and not named."""
MANY_GROUPS: Final = 12
MANY_FLAGS: Final = 20


def fact_lines(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield all that is known beside the stages, as name and text, in the order in which it is shown."""
    if any(stop.state != "to come" for stop in summary.route[1:]) or any(case.seal for case in summary.cases):
        yield (
            "route",
            "; ".join(f"{stop.name}: {stop.state}{f' ({stop.note})' if stop.note else ''}" for stop in summary.route),
        )
    yield from (("live", view.sentence()) for view in summary.live)
    yield from (("waiting", view.waiting) for view in summary.live if view.waiting)
    within = by_case(summary.drives)
    for case in summary.cases:
        yield f"case {case.label}", f"{case.told}: {drives_in_words(within[case.label])}"
    if summary.superseded:
        shown = [f"{label} ({uuid[:8]})" for uuid, label in summary.superseded]
        yield "superseded", f"{labels_in_short(shown)}: replaced, not read any more"
    yield from group_facts(summary.groups)
    packing = summary.packing
    if packing is not None and packing.done is not None and packing.total is not None:
        left = f"; about {format_seconds(packing.left_seconds)} left" if packing.left_seconds is not None else ""
        yield "waves", f"{packing.done} of {packing.total} done{left}"
    loading = summary.loading
    if loading is not None and summary.receipt("load") is None:
        wanted = f"; wanted next: {labels_in_short(loading.drives)}" if loading.drives else ""
        yield (
            "loading",
            f"{loading.num_proven:,} of {counted(loading.num_stripes, 'stripe')} restored, "
            f"{format_bytes(loading.bytes_loaded)}{wanted}",
        )
    for rules in summary.rules:
        yield "flags", f"{rules.by}: {rules.sentence}"
        still_open = [flag for flag in rules.flags if flag.is_open]
        for flag in still_open[:MANY_FLAGS]:
            yield "open flag", f"{rules.by}: {flag.level} {flag.rule}, {flag.title}: {flag.open_because}"
        if len(still_open) > MANY_FLAGS:
            yield "open flag", f"{rules.by}: and {len(still_open) - MANY_FLAGS} more"
        yield from (
            ("exception", f"{rules.by}: {flag.rule}: {flag.exception}") for flag in rules.flags if flag.exception
        )
    if summary.admission is not None:
        not_passed = [check for check in summary.admission.checks if check.outcome != "passed"]
        because = f": {'; '.join(f'{check.check}: {check.detail}' for check in not_passed[:5])}" if not_passed else ""
        yield "admission", f"{summary.admission.verdict}, {summary.admission.decided_on}{because}"
    if summary.card is not None:
        kinds = ", ".join(f"{kind.samples:,} of {kind.kind}" for kind in summary.card.kinds if kind.samples)
        yield "data set", f"{counted(summary.card.samples, 'sample')} ({kinds}), {format_bytes(summary.card.bytes)}"
    yield from (("inspection", sheet_in_words(view)) for view in summary.inspections)
    if summary.attempts is not None:
        yield from attempt_facts(summary.attempts)
    if summary.export_list is not None:
        files = summary.export_list.files
        home = "opened at home" if summary.receipt("return", "consignor") is not None else "signed at the site"
        total = format_bytes(sum(file.bytes for file in files))
        pieces = ""
        if summary.pieces is not None:
            pieces = f"; cut into {counted(sum(len(file.pieces) for file in summary.pieces.files), 'piece')}"
        yield "results", f"{counted(len(files), 'file')}, {total}, {home}{pieces}"
    if summary.plan_actual is not None and summary.plan_actual.made is not None:
        yield from (("forecast", text) for text in sentences(summary.plan_actual))
    yield from (("not read", text) for text in summary.unread)


def drives_in_words(drives: Sequence[DriveView]) -> str:
    """Return the drives of a case: each by its label while they are few, else counts and the labels of the bad."""
    if len(drives) <= MANY_DRIVES:
        by_state: dict[str, list[str]] = {}
        for drive in drives:
            by_state.setdefault(_in_line(drive), []).append(drive.label)
        return "; ".join(f"{' '.join(labels)} {state}" for state, labels in by_state.items())
    counts = Counter(drive.state for drive in drives)
    told = [f"{counts[state]:,} {state}" for state in HEALTH if counts[state]]
    bad = [drive.label for drive in drives if drive.state in BAD]
    return "; ".join(told) + (f" ({labels_in_short(bad)})" if bad else "")


def _in_line(drive: DriveView) -> str:
    caption = drive.caption.replace(";\n", ", ").replace("\n", " ")
    return caption if caption.startswith(drive.state) else f"{drive.state}, {caption}"


def group_facts(groups: Sequence[GroupView]) -> Iterator[tuple[str, str]]:
    """Yield a sentence a group while they are few, else one over all and one of each that is hurt; name and text."""
    if len(groups) <= MANY_GROUPS:
        yield from (_named(group) for group in groups)
        return
    margins = Counter(group.margin for group in groups if not group.is_proven)
    told: list[str] = []
    if proven := sum(group.is_proven for group in groups):
        told.append(f"{proven:,} read and restored at the site")
    told += [
        f"{count:,} {_may_lose(margin)}"
        for margin, count in sorted((margin, count) for margin, count in margins.items() if margin is not None)
    ]
    told += [f"{margins[None]:,} not checked: not known"] if margins[None] else []
    yield "groups", f"{len(groups):,}: {'; '.join(told)}"
    hurt = (group for group in groups if not group.is_proven and (group.gone or group.worst_stripe is not None))
    yield from (_named(group) for group in sorted(hurt, key=lambda group: group.urgency)[:MANY_GROUPS])


def _named(group: GroupView) -> tuple[str, str]:
    name, _, sentence = group.sentence().removeprefix("group ").partition(" ")
    return f"group {name}", sentence


def _may_lose(margin: int) -> str:
    if margin < 0:
        return "cannot be rebuilt whole"
    return f"may lose {counted(margin, 'more drive')}" if margin else "may lose no more drive"
