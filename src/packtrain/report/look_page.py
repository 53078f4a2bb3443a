"""A prepared data set as one HTML file to look at: its pictures and values are in it, so it is private."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from packtrain import durable
from packtrain.dataset.looking.look import ContactSheet, FilterDrops, Look
from packtrain.documents.dataset import Split
from packtrain.report.histogram_svg import share_bar
from packtrain.report.look_pictures import captioned, contact_sheet, makings, pairs, text
from packtrain.report.look_style import STYLE
from packtrain.report.look_tables import histograms, profiles, reject_groups
from packtrain.report.pieces import section, table, whole_page
from packtrain.units import counted, format_bytes

MODE: Final = 0o600
_REASONS: Final = {
    "filter": "by a filter",
    "duplicate": "exact copy",
    "near-duplicate": "looks like another",
    "withdrawn": "withdrawn",
}

_WHAT_TO_DO: Final = (
    "What to do: mend or replace a source, and <code>packtrain prepare</code> reads it."
    " After a library was mended that reads it, <code>packtrain prepare --retry</code> reads again what was set aside."
    " What is of no kind that packtrain prepares is converted first, or stays at home."
)


def look_page(look: Look) -> str:
    """Return the page. The same look gives the same bytes."""
    found = [(anchor, title, body) for anchor, title, body in _sections(look) if body]
    links = "".join(f'<li><a href="#{anchor}">{title}</a></li>' for anchor, title, _ in found)
    parts = [
        _heading(look),
        _cards(look),
        f'<nav aria-label="parts of this page"><ul>{links}</ul></nav>',
        *(f'<div id="{anchor}">{section(title, body)}</div>' for anchor, title, body in found),
        '<p class="dim">Made by packtrain from what <code>packtrain prepare</code> wrote. It reaches nothing outside of'
        " itself.</p>",
    ]
    return whole_page(f"{text(look.name)}: a look at the data", STYLE, "".join(parts))


def write_look_page(look: Look, path: Path) -> int:
    """Write the page, for its owner alone; return its length in bytes.

    Raises:
        DriveFull: no space is left.
    """
    payload = look_page(look).encode("utf-8")
    durable.write_bytes(path, payload, MODE)
    return len(payload)


def _sections(look: Look) -> Iterator[tuple[str, str, str]]:
    yield "counts", "What there is", _counts(look)
    yield "recipe", "Recipe", _recipe(look)
    for sheet in look.sheets:
        yield f"{sheet.kind}s", f"{sheet.kind.capitalize()}s drawn by lot", _sheet(sheet, look)
    yield "made", "Before and after", _makings(look)
    yield "tables", "Tables", _tables(look)
    yield "measures", "Measures", _measures(look)
    yield "filters", "Dropped by filters", _filters(look)
    yield "copies", "Exact copies", _copies(look)
    yield "pairs", "Pairs that look alike", _pairs(look)
    yield "rejects", "Set aside", _rejects(look)


def _heading(look: Look) -> str:
    notes = list(look.notes)
    if look.num_left_out:
        notes.append(
            f"{counted(look.num_left_out, 'picture')} had no room: this page may be"
            f" {format_bytes(look.page_bytes)} long (--most-bytes)."
        )
    told = "".join(f'<p class="hold">{text(note)}</p>' for note in notes)
    return (
        f'<h1>{text(look.name)}</h1><p class="lead">A look at the prepared data, before it is packed.</p>'
        '<p class="private"><b>Private.</b> This file holds pictures and values of the data itself. It was written for'
        " its owner alone (mode 0600), lies outside of what is packed, and does not travel. Do not mail it.</p>"
        f"{told}"
    )


def _cards(look: Look) -> str:
    cards = [
        (f"{sum(look.splits.values()):,}", "samples kept"),
        (f"{sum(count.num_samples for count in look.drops):,}", "samples dropped"),
        (f"{look.num_rejects:,}", "set aside"),
        (f"{look.num_sources:,}", "sources"),
        (format_bytes(look.source_bytes), "of sources"),
    ]
    told = "".join(f'<div class="card"><b>{value}</b><span>{name}</span></div>' for value, name in cards)
    return f'<div class="cards">{told}</div>'


def _counts(look: Look) -> str:
    present = {split for _, split in look.splits}
    splits = [split for split in get_args(Split) if split in present]
    of_splits = splits if len(splits) > 1 else []
    head = ["kind", "kept", *of_splits, "filtered", "exact copies", "look alike", "withdrawn", "set aside"]
    rows = [
        (
            text(count.kind),
            f"{count.num_samples:,}",
            *(f"{look.splits.get((count.kind, split), 0):,}" for split in of_splits),
            f"{count.num_filtered:,}",
            f"{count.num_duplicates:,}",
            f"{count.num_near_duplicates:,}",
            f"{count.num_withdrawn:,}",
            f"{count.num_rejects:,}",
        )
        for count in look.counts
    ]
    body = f'<div class="counts">{table(head, rows)}</div>'
    if not look.drops:
        return f"{body}<p>Nothing that was read was dropped.</p>"
    most = max(count.num_samples for count in look.drops)
    drops = [
        (
            text(count.kind),
            text(_REASONS.get(count.reason, count.reason)),
            text(count.rule),
            f"{share_bar(count.num_samples, most)} {count.num_samples:,}",
        )
        for count in look.drops
    ]
    return f"{body}<h3>Dropped, by reason and rule</h3>{table(('kind', 'reason', 'rule', 'samples'), drops)}"


def _recipe(look: Look) -> str:
    lines = "\n".join(text(line) for line in look.recipe_text.splitlines())
    return f'<pre>{lines}</pre><p class="dim">Recipe <code>{text(look.recipe)}</code></p>'


def _sheet(sheet: ContactSheet, look: Look) -> str:
    cut = f"; {sheet.num_drawn - len(sheet.shown):,} more had no room" if len(sheet.shown) < sheet.num_drawn else ""
    said = f"{len(sheet.shown):,} of {sheet.num_samples:,}, by lot with seed {look.seed}{cut}."
    hint = "Point at a picture, or go to it with the tab key, to read what it is."
    return f'<p class="dim">{said} {hint}</p>{contact_sheet(sheet.shown)}'


def _makings(look: Look) -> str:
    if not look.makings:
        return ""
    said = "What the recipe made of some of the sources. A frame in a picture is where its sample was cut out."
    return f'<p class="dim">{said}</p>{makings(look.makings)}'


def _tables(look: Look) -> str:
    if not look.num_tables:
        return ""
    left = look.num_tables - len(look.tables)
    said = (
        f"{counted(look.num_tables, 'table')}{f', {len(look.tables)} of them by lot' if left else ''}, kept rows only."
    )
    hidden = f" No values are shown: {text(look.without_because)}." if look.without_because else ""
    return f'<p class="dim">{said}{hidden}</p>{profiles(look.tables, with_values=look.with_values)}'


def _measures(look: Look) -> str:
    if not look.histograms:
        return ""
    left = look.num_measures - len(look.histograms)
    more = f" {counted(left, 'measure')} more are not drawn." if left else ""
    key = '<span class="key before"></span> read <span class="key after"></span> kept'
    said = f"{key}. Samples a class; the number above is of the highest.{more}"
    return f'<p class="dim">{said}</p>{histograms(look.histograms)}'


def _filters(look: Look) -> str:
    left = look.num_rules - len(look.filters)
    more = f'<p class="dim">{counted(left, "rule")} more are not shown.</p>' if left else ""
    return "".join(_filter(each) for each in look.filters) + more


def _filter(drops: FilterDrops) -> str:
    count = drops.count
    head = f"<h3>{text(count.kind)}s: {text(count.rule)}</h3>"
    said = f'<p class="dim">{counted(count.num_samples, "sample")} dropped. Nearest to the limit first:</p>'
    far = f'<p class="dim">Farthest from the limit:</p>{captioned(drops.farthest)}' if drops.farthest else ""
    return f"{head}{said}{captioned(drops.nearest)}{far}"


def _copies(look: Look) -> str:
    if not look.num_copied:
        return ""
    parts: list[str] = []
    for each in look.copies:
        names = "".join(f"<li><code>{text(name)}</code></li>" for name in each.first_sources)
        left = each.num_sources - len(each.first_sources)
        more = f"<li>and {counted(left, 'more source')}</li>" if left else ""
        dropped = f'<div><p class="side">{each.num_dropped:,} dropped, of</p><ul class="names">{names}{more}</ul></div>'
        parts.append(f'<div class="two"><div><p class="side">kept</p>{captioned([each.kept])}</div>{dropped}</div>')
    said = f"{counted(look.num_copied, 'sample')} had the same bytes as one that is kept; those with most copies first."
    return f'<p class="dim">{said}</p><div class="twos">{"".join(parts)}</div>'


def _pairs(look: Look) -> str:
    if not look.num_pairs:
        return ""
    said = (
        f"{len(look.pairs):,} of {look.num_pairs:,}, by kind; those next to the limit come first, for they are most in"
        " doubt. If they are not alike to you, make the limit stricter."
    )
    return f'<p class="dim">{said}</p>{pairs(look.pairs)}'


def _rejects(look: Look) -> str:
    if not look.num_rejects:
        return ""
    left = look.num_reject_groups - len(look.rejects)
    more = (
        f'<p class="dim">{left:,} more kinds of errors; packtrain look --rejects lists every row.</p>' if left else ""
    )
    num = counted(look.num_rejects, "input")
    return (
        f'<p class="dim">{num}, or parts of inputs, could not be used; by error, with the numbers in it left out.</p>'
        f"<p>{_WHAT_TO_DO}</p>{reject_groups(look.rejects)}{more}"
    )
