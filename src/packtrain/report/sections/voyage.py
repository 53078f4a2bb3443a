"""Sections of where the voyage stands: its head, its route, what comes next, its stages, numbers and time."""

from __future__ import annotations

import math

from packtrain.report.headline import headline, health_sentence
from packtrain.report.pieces import bullets, cards, drawing, progress_bar, table, when, words
from packtrain.report.plan_actual_text import plan_actual_table, sentences
from packtrain.report.route_view import StopView
from packtrain.report.sections.bars import bars
from packtrain.report.summary import PartyView, Summary
from packtrain.report.svg import seconds_by_stage
from packtrain.report.wave_view import WavesView, labels_in_short
from packtrain.units import counted, format_bytes, format_seconds

_MARKS = {"done": "&#10003;", "here": "&#9679;", "to come": "&#9675;"}


def heading(summary: Summary) -> str:
    """Return the name of the voyage, where it stands, what its drives survive, and when this was read."""
    placed = summary.placement
    lines = [f"{headline(summary)}.", health_sentence(summary)]
    if placed is not None:
        lines.append(f"Made to survive {placed.statement}")
    lead = " ".join(f"{words(line.rstrip('.'))}." for line in lines if line)
    folders = ", ".join(words(party.role) for party in summary.parties)
    read = f" on {when(summary.read_at)}" if summary.read_at else ""
    return (
        f'<h1>{words(summary.name)}</h1><p class="lead">{lead}</p>'
        f'<p class="dim">As the {"folders" if len(summary.parties) > 1 else "folder"} of {folders} said{read}.</p>'
    )


def route(summary: Summary) -> str:
    """Return the route as a list of stops; the one where the voyage stands is marked as the current step."""
    items = "".join(
        f'<li class="{stop.state.replace(" ", "-")}"{_current(stop)}>'
        f'<span class="mark" aria-hidden="true">{_MARKS[stop.state]}</span><b>{words(stop.name)}</b>'
        f"<span>{words(stop.note or stop.state)}</span></li>"
        for stop in summary.route
    )
    return f'<ol class="route">{items}</ol>' if items else ""


def _current(stop: StopView) -> str:
    return ' aria-current="step"' if stop.state == "here" else ""


def now(summary: Summary) -> str:
    """Return what runs, or ran last, and what each party does next."""
    parts: list[str] = []
    for view in summary.live:
        bar = ""
        if view.share is not None and view.state in ("running", "not known"):
            bar = progress_bar(view.share, f"{view.live.stage}, done of all")
        state = "hold" if view.state in ("stopped", "failed", "not known") else "kept"
        parts.append(f'<p><span class="{state}">{words(view.role)}</span>: {words(view.sentence())}.</p>{bar}')
        if view.state == "running":
            parts += [f'<p class="hold">{words(slow)}</p>' for slow in view.live.slow[:10]]
        parts.append(bars(view))
    parts += [_next(party) for party in summary.parties if party.seen.stages]
    return "".join(parts)


def _next(party: PartyView) -> str:
    command = party.seen.next_command
    step = f"<code>{words(command)}</code>" if command is not None else "nothing to do here"
    why = f' <span class="dim">{words(party.seen.next_why)}</span>' if party.seen.next_why else ""
    return f"<p>Next for the {words(party.role)}: {step}.{why}</p>"


def stages(summary: Summary) -> str:
    """Return the stages of every party, and the state of each."""
    rows = [
        (
            words(party.role),
            words(state.stage),
            f'<span class="{state.state.replace(" ", "-")}">{words(state.state)}</span>',
            words(state.detail),
        )
        for party in summary.parties
        for state in party.seen.stages
    ]
    return table(("party", "stage", "state", ""), rows, "stages") if rows else ""


def waves(summary: Summary) -> str:
    """Return the waves of a packing, and how far a load is."""
    parts: list[str] = []
    packing = summary.packing
    if packing is not None:
        parts.append(_packing(packing))
    loading = summary.loading
    if loading is not None and summary.receipt("load") is None:
        wanted = f" Wanted next: {words(labels_in_short(loading.drives, 24))}." if loading.drives else ""
        share = loading.num_proven / loading.num_stripes if loading.num_stripes else 0.0
        parts.append(
            f"<p>Loading: {loading.num_proven:,} of {counted(loading.num_stripes, 'stripe')} restored, "
            f"{format_bytes(loading.bytes_loaded)}.{wanted}</p>{progress_bar(share, 'stripes restored, of all')}"
        )
    return "".join(parts)


def _packing(packing: WavesView) -> str:
    bays = table(
        ("bay", "what is in it"),
        [(f"<code>{words(bay.location)}</code>", words(bay.text)) for bay in packing.bays],
        "bays",
    )
    if packing.done is None or packing.total is None:
        return f"<p>Every group is packed.</p>{bays}"
    left = (
        f", about {format_seconds(packing.left_seconds)} left at the pace so far"
        if packing.left_seconds is not None
        else "; time left: not known before the first wave is done"
    )
    wanted = f" Wanted next: {words(packing.wanted)}." if packing.wanted else ""
    return (
        f"<p>Packing: {packing.done:,} of {counted(packing.total, 'wave')} done{left}.{wanted}</p>"
        f"{progress_bar(packing.done / packing.total if packing.total else 0.0, 'waves done, of all')}{bays}"
    )


def plan_actual(summary: Summary) -> str:
    """Return each leg as it was planned beside what happened, what was most off, and when it ends now."""
    found = summary.plan_actual
    if found is None or not found.rows:
        return ""
    head, *rows = plan_actual_table(found)
    used = [place for place in range(len(head)) if any(row[place] for row in rows)]
    return table(
        [head[place] for place in used], [[words(row[place]) for place in used] for row in rows], "plan and actual"
    ) + bullets(sentences(found))


def numbers(summary: Summary) -> str:
    """Return the figures that people ask for first."""
    figures: list[tuple[str, str]] = []

    def add(stage: str, name: str, caption: str, *, is_bytes: bool = False) -> None:
        receipt = summary.receipt(stage)
        if receipt is not None and name in receipt.counts:
            value = receipt.counts[name]
            figures.append((format_bytes(value) if is_bytes else f"{value:,}", caption))

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
        figures.append((f"{max(curve.num_attempts - 1, 0):,}", "restarts in training"))
    else:
        add("train", "restarts", "restarts in training")
    if curve is not None and not math.isnan(curve.first_loss):
        last = f"{curve.last_loss:.2f}" if curve.not_finite_since is None else "no number"
        figures.append((f"{curve.first_loss:.2f} → {last}", "loss, first to last"))
    if summary.export_list is not None:
        figures.append((format_bytes(sum(file.bytes for file in summary.export_list.files)), "results"))
    return cards(figures)


def time(summary: Summary) -> str:
    """Return the seconds of every stage that has a receipt."""
    seconds: dict[str, float] = {}
    for receipt in sorted((r for party in summary.parties for r in party.receipts), key=lambda r: r.finished):
        seconds[receipt.stage] = seconds.get(receipt.stage, 0.0) + receipt.seconds
    total = format_seconds(sum(seconds.values()))
    return drawing(seconds_by_stage(seconds, 720)) + f'<p class="dim">{total} in all stages.</p>' if seconds else ""


def digests(summary: Summary) -> str:
    """Return the SHA-256 of every document that a stage wrote."""
    rows: list[tuple[str, str]] = []
    for party in summary.parties:
        for receipt in party.receipts:
            rows += [
                (words(f"{name} ({party.role})"), f"<code>{words(digest)}</code>")
                for name, digest in receipt.outputs.items()
                if not name.endswith(".sig")
            ]
    return table(("document", "SHA-256"), rows, "digests") if rows else ""
