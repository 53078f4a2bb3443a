"""Sections of what was signed: rehearsal, declaration, admission, flags, custody, results; and what was not read."""

from __future__ import annotations

from typing import Final

from packtrain.report.flag_view import FlagView, RulesView
from packtrain.report.pieces import bullets, table, when, words
from packtrain.report.rehearsal_text import number_rows
from packtrain.report.summary import Summary
from packtrain.units import counted, format_bytes

_MOST_FLAGS: Final = 100
_MOST_FOUND: Final = 5
_LONGEST_HEADING: Final = 60


def rehearsal(summary: Summary) -> str:
    """Return what the rehearsal showed."""
    if summary.ready is None:
        return ""
    rows = [
        (
            words(clause.clause) + (" (optional)" if clause.optional else ""),
            _verdict(clause.verdict),
            words(clause.evidence),
        )
        for clause in summary.ready.clauses
    ]
    verdict = "Ready to leave." if summary.ready.ready_to_leave else "Not shown to be ready; the sheet is not signed."
    numbers = [(words(name), words(value)) for name, value in number_rows(summary.ready.measurements)]
    return (
        f"<p>{verdict} Box: {words(summary.ready.box)}.</p>"
        + table(("clause", "verdict", "evidence"), rows, "clauses of the rehearsal")
        + table(("measured at home, in miniature", "value"), numbers, "what was measured")
    )


def declaration(summary: Summary) -> str:
    """Return who ships what to whom, and what for."""
    declared = summary.declaration
    if declared is None:
        return ""
    rows = [
        ("shipped by", f"{declared.shipper.name}, {declared.shipper.location}"),
        ("received by", f"{declared.receiver.name}, {declared.receiver.location}"),
        ("operated by", f"{declared.operator.name}, {declared.operator.location}"),
        (
            "trained for",
            f"{declared.trained_for.name}, headquarters {declared.trained_for.headquarters or 'not stated'}",
        ),
        ("end use", declared.end_use),
        ("hardware", f"{declared.hardware_class}, {declared.site_country}"),
        ("data", f"{declared.data.description}; erased by {declared.data.erased_by}"),
    ]
    return table(("question", "answer"), [(words(name), words(value)) for name, value in rows], "declaration")


def admission(summary: Summary) -> str:
    """Return the verdict of the site operator, and what it rests on."""
    if summary.admission is None:
        return ""
    rows = [(words(check.check), _verdict(check.outcome), words(check.detail)) for check in summary.admission.checks]
    exceptions = [f"{flag.rule}: {flag.exception}" for run in summary.rules for flag in run.flags if flag.exception]
    told = "<p>Exceptions on which a STOP passed:</p>" + bullets(exceptions) if exceptions else ""
    verdict = _verdict(summary.admission.verdict)
    return f"<p>Verdict of the site operator: {verdict}, {when(summary.admission.decided_on)}.</p>{told}" + table(
        ("check", "outcome", "detail"), rows, "checks of the admission"
    )


def results(summary: Summary) -> str:
    """Return what may come home, and whether it did."""
    if summary.export_list is None:
        return ""
    rows = [
        (words(file.name), format_bytes(file.bytes), f"<code>{file.sha256}</code>")
        for file in summary.export_list.files
    ]
    home = (
        "opened at home"
        if summary.receipt("return", "consignor") is not None
        else "signed at the site, not known to be home"
    )
    cut = ""
    if summary.pieces is not None:
        cut = f"; cut into {counted(sum(len(file.pieces) for file in summary.pieces.files), 'piece')} for a thin link"
    return (
        f"<p>{counted(len(rows), 'file')}, {home}{cut}.</p>"
        + table(("file", "size", "SHA-256"), rows, "results")
        + "<h3>What was looked for before they left</h3>"
        + bullets(summary.export_list.checks)
    )


def _verdict(word: str) -> str:
    return f'<span class="{word.replace(" ", "-")}">{words(word)}</span>'


def flags(summary: Summary) -> str:
    """Return every run of the rules: what is open, what was answered and by whom."""
    return "".join(_run(run) for run in summary.rules)


def _run(run: RulesView) -> str:
    rows = [
        (
            words(f"{flag.level} {flag.rule}"),
            words(flag.title),
            '<span class="hold">open</span>' if flag.is_open else '<span class="kept">answered</span>',
            _said(flag),
        )
        for flag in sorted(run.flags, key=lambda flag: not flag.is_open)[:_MOST_FLAGS]
    ]
    more = f'<p class="dim">And {len(run.flags) - len(rows):,} more.</p>' if len(run.flags) > len(rows) else ""
    return (
        f"<h3>Rules run by the {words(run.by)}</h3><p>{words(run.sentence)}. {counted(run.num_rules, 'rule')}, "
        f"judged {when(run.judged_on)}.</p>"
        + (table(("flag", "rule", "state", "what was said"), rows, f"flags of the {run.by}") if rows else "")
        + more
    )


def _said(flag: FlagView) -> str:
    told = [flag.open_because] if flag.is_open else []
    told += [f"found: {text}" for text in flag.found[:_MOST_FOUND]]
    told += [f"and {len(flag.found) - _MOST_FOUND} more findings"] if len(flag.found) > _MOST_FOUND else []
    told += flag.answered
    told += [f"exception: {flag.exception}"] if flag.exception else []
    return "<br>".join(words(text) for text in told)


def custody(summary: Summary) -> str:
    """Return the custody log in plain words; its headings end with a colon."""
    parts: list[str] = []
    items: list[str] = []
    for sentence in summary.sentences:
        if sentence.endswith(":") and len(sentence) < _LONGEST_HEADING:
            parts += [_list(items), f"<h3>{words(sentence[:-1])}</h3>"]
            items = []
        else:
            items.append(sentence)
    return "".join([*parts, _list(items)])


def _list(items: list[str]) -> str:
    return f'<ul class="story">{"".join(f"<li>{words(item)}</li>" for item in items)}</ul>' if items else ""


def unread(summary: Summary) -> str:
    """Return what could not be read, and why."""
    return bullets(summary.unread)
