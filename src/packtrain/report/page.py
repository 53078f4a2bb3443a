"""The summary as one HTML file: no script, no network, no external font; dark and light; safe to mail."""

from __future__ import annotations

import base64
import math
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Final

from packtrain.report.pieces import STYLE, bullets, drawing, section, table, whole_page
from packtrain.report.rehearsal_text import number_rows
from packtrain.report.summary import Summary
from packtrain.report.svg import DrawnDrive, DriveState, drives_in_cases, seconds_by_stage
from packtrain.report.training_curve import TrainingCurve
from packtrain.report.training_svg import loss_drawing, position_drawing, rate_drawing
from packtrain.units import format_bytes, format_seconds

_MAX_PICTURE_BYTES: Final = 200_000
_MOST_ATTEMPTS: Final = 100
_MEDIA_TYPES: Final = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp"}


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the page.

    Attributes:
        title: what stands over it; empty for what needs no title.
        render: returns its HTML; empty where there is nothing to show.
    """

    title: str
    render: Callable[[Summary], str]


def page(summary: Summary, sentences: Sequence[str] = (), shard_folder: Path | None = None) -> str:
    """Return the report as HTML.

    Args:
        summary: what the folders say.
        sentences: the custody log in plain words.
        shard_folder: take sample pictures from these shards; None shows none (they may be private).
    """
    shown = replace(
        summary, sentences=tuple(sentences) or summary.sentences, shard_folder=shard_folder or summary.shard_folder
    )
    foot = (
        '<p class="dim">Made by packtrain from the signed documents and receipts of the voyage folders. '
        "Nothing here is legal advice.</p>"
    )
    body = "".join(section_html(name, shown) for name in SECTIONS)
    return whole_page(f"{escape(summary.name)}: voyage report", STYLE, body + foot)


def section_html(name: str, summary: Summary) -> str:
    """Return one section of `SECTIONS` as HTML with `name` as its id; empty where it has nothing to show."""
    shown = SECTIONS[name]
    return section(shown.title, shown.render(summary), name)


def _heading(summary: Summary) -> str:
    placed = summary.placement
    survives = f"{len(placed.drives)} drives. They survive {placed.statement}." if placed else ""
    return f'<h1>{escape(summary.name)}</h1><p class="lead">{escape(survives)}</p>'


def _cards(summary: Summary) -> str:
    cards: list[tuple[str, str]] = []

    def add(stage: str, name: str, caption: str, *, is_bytes: bool = False) -> None:
        receipt = summary.receipt(stage)
        if receipt is not None and name in receipt.counts:
            value = receipt.counts[name]
            cards.append((format_bytes(value) if is_bytes else f"{value:,}", caption))

    add("prepare", "samples_prepared", "samples prepared")
    add("load", "samples_loaded", "samples loaded")
    add("pack", "bytes_packed", "packed", is_bytes=True)
    add("pack", "bytes_stored", "on the drives", is_bytes=True)
    add("load", "blocks_repaired", "blocks repaired")
    add("load", "volumes_rebuilt", "volumes rebuilt")
    add("load", "drives_lost", "drives lost")
    curve = summary.training
    if curve is not None and curve.num_lines:
        # Of all calls of `train`, as it is drawn below; the receipt counts those of the last one.
        cards.append((f"{max(curve.num_attempts - 1, 0):,}", "restarts in training"))
    else:
        add("train", "restarts", "restarts in training")
    if curve is not None and not math.isnan(curve.first_loss):
        last = f"{curve.last_loss:.2f}" if curve.not_finite_since is None else "no number"
        cards.append((f"{curve.first_loss:.2f} → {last}", "loss, first to last"))
    return (
        '<div class="cards">'
        + "".join(
            f'<div class="card"><b>{escape(value)}</b><span>{escape(caption)}</span></div>' for value, caption in cards
        )
        + "</div>"
    )


def _drives(summary: Summary) -> str:
    if summary.shipment is None:
        return ""
    load = summary.receipt("load")
    facts = load.facts if load else {}
    lost = {label.strip() for label in facts.get("drives lost", "").split(",") if label.strip()}
    damaged = {
        label.strip(): count.strip()
        for label, _, count in (entry.partition(":") for entry in facts.get("damaged drives", "").split(","))
        if label.strip()
    }
    drawn: list[DrawnDrive] = []
    for drive in summary.shipment.drives:
        state: DriveState = "read" if load else "closed"
        caption = "read" if load else "closed"
        if drive.label in lost:
            state, caption = "lost", "lost;\nrebuilt"
        elif drive.label in damaged:
            state, caption = "damaged", f"{damaged[drive.label]} blocks\nrepaired"
        drawn.append(DrawnDrive(drive.label, drive.case, state, caption))
    return drawing(drives_in_cases(drawn))


def _pictures(summary: Summary, most: int = 60) -> str:
    shard_folder = summary.shard_folder
    if shard_folder is None:
        return ""
    tags: list[str] = []
    shards = sorted(shard_folder.glob("*.tar"))
    for shard in shards:
        tags += _pictures_of(shard, -(-most // max(len(shards), 1)))
    return f'<div class="pictures">{"".join(tags[:most])}</div>' if tags else ""


def _pictures_of(shard: Path, most: int) -> list[str]:
    with tarfile.open(shard) as archive:
        members = [
            member
            for member in archive
            if Path(member.name).suffix in _MEDIA_TYPES and member.isreg() and member.size <= _MAX_PICTURE_BYTES
        ]
        tags: list[str] = []
        for member in members[:: max(1, len(members) // most)][:most]:
            stream = archive.extractfile(member)
            assert stream is not None
            data = base64.b64encode(stream.read()).decode("ascii")
            media_type = _MEDIA_TYPES[Path(member.name).suffix]
            name = escape(Path(member.name).stem, quote=True)
            tags.append(f'<img src="data:{media_type};base64,{data}" alt="sample {name}" title="{name}">')
    return tags


def _training(summary: Summary) -> str:
    curve = summary.training
    if curve is None:
        return ""
    drawn = (
        ("Loss by step", loss_drawing(curve)),
        (f"{'Samples' if curve.has_samples else 'Steps'} a second", rate_drawing(curve)),
        ("Place in the data, by time", position_drawing(curve, summary.samples_loaded)),
    )
    parts = [f"<h3>{escape(title)}</h3>{drawing(svg)}" for title, svg in drawn if svg]
    if not curve.has_times:
        parts.append('<p class="dim">Rates and times are not here: only the steps came home.</p>')
    return "".join([*parts, _attempts(curve)])


def _attempts(curve: TrainingCurve) -> str:
    if curve.num_attempts < 2:
        return ""
    rows = [
        (
            str(mark.attempt),
            f'<span class="n">{mark.step:,}</span>',
            f'<span class="n">{mark.num_undone:,}</span>',
            escape(mark.reason or "not told"),
        )
        for mark in curve.marks[1 : _MOST_ATTEMPTS + 1]
    ]
    more = curve.num_attempts - 1 - len(rows)
    return table(("attempt", "from step", "steps made again", "the one before ended because"), rows) + (
        f'<p class="dim">And {more:,} more.</p>' if more > 0 else ""
    )


def _rehearsal(summary: Summary) -> str:
    if summary.ready is None:
        return ""
    rows = [
        (
            escape(clause.clause) + (" (optional)" if clause.optional else ""),
            _verdict(clause.verdict),
            escape(clause.evidence),
        )
        for clause in summary.ready.clauses
    ]
    verdict = "Ready to leave." if summary.ready.ready_to_leave else "Not shown to be ready; the sheet is not signed."
    numbers = [(escape(name), escape(value)) for name, value in number_rows(summary.ready.measurements)]
    return (
        f"<p>{verdict} Box: {escape(summary.ready.box)}.</p>"
        + table(("clause", "verdict", "evidence"), rows)
        + table(("measured at home, in miniature", ""), numbers)
    )


def _declaration(summary: Summary) -> str:
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
    return table(("question", "answer"), [(escape(name), escape(value)) for name, value in rows])


def _admission(summary: Summary) -> str:
    if summary.admission is None:
        return ""
    rows = [(escape(check.check), _verdict(check.outcome), escape(check.detail)) for check in summary.admission.checks]
    return f"<p>Verdict of the site operator: {_verdict(summary.admission.verdict)}.</p>" + table(
        ("check", "outcome", "detail"), rows
    )


def _custody(summary: Summary) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in summary.sentences)
    return f'<ul class="story">{items}</ul>' if items else ""


def _results(summary: Summary) -> str:
    if summary.export_list is None:
        return ""
    rows = [
        (escape(file.name), f'<span class="n">{format_bytes(file.bytes)}</span>', f"<code>{file.sha256}</code>")
        for file in summary.export_list.files
    ]
    return table(("file", "size", "SHA-256"), rows) + bullets(summary.export_list.checks)


def _time(summary: Summary) -> str:
    seconds: dict[str, float] = {}
    for receipt in sorted((r for party in summary.parties for r in party.receipts), key=lambda r: r.finished):
        seconds[receipt.stage] = seconds.get(receipt.stage, 0.0) + receipt.seconds
    total = format_seconds(sum(seconds.values()))
    return drawing(seconds_by_stage(seconds, 720)) + f'<p class="dim">{total} in all stages.</p>' if seconds else ""


def _digests(summary: Summary) -> str:
    rows: list[tuple[str, str]] = []
    for party in summary.parties:
        for receipt in party.receipts:
            rows += [
                (escape(f"{name} ({party.role})"), f"<code>{digest}</code>")
                for name, digest in receipt.outputs.items()
                if not name.endswith(".sig")
            ]
    return table(("document", "SHA-256"), rows) if rows else ""


def _verdict(word: str) -> str:
    return f'<span class="{word.replace(" ", "-")}">{escape(word)}</span>'


def _not_read(summary: Summary) -> str:
    return bullets(summary.unread)


SECTIONS: Final[Mapping[str, Section]] = {
    "voyage": Section("", _heading),
    "numbers": Section("", _cards),
    "drives": Section("Drives in their cases", _drives),
    "carried": Section("What was carried", _pictures),
    "training": Section("Training", _training),
    "rehearsal": Section("Rehearsal", _rehearsal),
    "declaration": Section("Who, for whom, what for", _declaration),
    "admission": Section("Admission", _admission),
    "custody": Section("Custody", _custody),
    "results": Section("What came home", _results),
    "time": Section("Time", _time),
    "digests": Section("Digests", _digests),
    "unread": Section("Not read", _not_read),
}
"""The parts of the page by id, in their order."""
