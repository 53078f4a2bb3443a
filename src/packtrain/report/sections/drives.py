"""Sections of the drives: in their cases with their health, and the stripes that are still provable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from packtrain.report.drive_view import BAD, HEALTH, DriveView, by_case
from packtrain.report.group_view import GroupView
from packtrain.report.pieces import number, table, when, words
from packtrain.report.route_view import CaseView
from packtrain.report.summary import Summary
from packtrain.report.wave_view import labels_in_short

_MOST_CELLS: Final = 120
"""Drives that are drawn one by one with words; beyond, each is a square; beyond `_MOST_SQUARES` they are counted."""
_MOST_SQUARES: Final = 1200
_MOST_GROUPS: Final = 40
_WORDS: Final = {
    "planned": "not written yet",
    "begun": "begun, not closed",
    "closed": "written and read back",
    "sealed": "in a sealed case, not checked since",
    "checked": "checked as a whole, its volumes undamaged",
    "read": "read at the site",
    "repaired": "was damaged, is made good",
    "erased": "erased",
    "unusable": "cannot be used",
    "damaged": "damaged, not repaired",
    "lost": "lost",
}


def drives(summary: Summary) -> str:
    """Return every case with its drives, and what the signs mean."""
    if not summary.drives:
        return ""
    within = by_case(summary.drives)
    cases = "".join(_case(case, within[case.label], len(summary.drives)) for case in summary.cases)
    counts = Counter(drive.state for drive in summary.drives)
    legend = "".join(
        f'<li><span class="swatch {state}" aria-hidden="true"></span>{counts[state]:,} {_WORDS[state]}</li>'
        for state in HEALTH
        if counts[state]
    )
    replaced = ""
    if summary.superseded:
        shown = [f"{label} ({uuid[:8]})" for uuid, label in summary.superseded]
        replaced = f"<p>Superseded, replaced and not read any more: {words(labels_in_short(shown, 24))}.</p>"
    return f'<div class="cases">{cases}</div><ul class="legend">{legend}</ul>{replaced}{_hurt(summary.drives)}'


def _case(case: CaseView, drives: Sequence[DriveView], num_drives: int) -> str:
    head = f"<h3>Case {words(case.label)}</h3><p>{words(case.told)}</p>"
    if num_drives <= _MOST_CELLS:
        cells = "".join(
            f'<li class="{drive.state}"><b>{words(drive.label)}</b><span>{words(drive.caption)}</span></li>'
            for drive in drives
        )
        return f'<div class="case">{head}<ul class="cells">{cells}</ul></div>'
    counts = ", ".join(f"{count:,} {state}" for state, count in case.counts)
    if num_drives > _MOST_SQUARES:
        return f'<div class="case">{head}<p>{words(counts)}</p></div>'
    squares = "".join(f'<i class="{drive.state}" title="{words(drive.label)}: {drive.state}"></i>' for drive in drives)
    return (
        f'<div class="case">{head}<div class="squares" role="img" aria-label="{words(counts)}">{squares}</div>'
        f"<p>{words(counts)}</p></div>"
    )


def _hurt(drives: Sequence[DriveView], most: int = 100) -> str:
    """Return a table of the drives that are not as they were written."""
    bad = [drive for drive in drives if drive.state in (*BAD, "repaired") or drive.replaced]
    if not bad:
        return ""
    rows = [
        (
            words(drive.label),
            words(drive.case),
            f'<span class="{"broken" if drive.state in BAD else "kept"}">{words(drive.caption)}</span>',
            number(drive.num_bad_volumes) if drive.num_bad_volumes else "",
            number(drive.num_bad_blocks) if drive.num_bad_blocks else "",
            when(drive.since),
            words(f"replaced {len(drive.replaced)}" if drive.replaced else ""),
        )
        for drive in bad[:most]
    ]
    more = f'<p class="dim">And {len(bad) - most:,} more.</p>' if len(bad) > most else ""
    names = ("drive", "case", "what is known", "bad volumes", "bad blocks", "noted", "replaced")
    used = [place for place in range(len(names)) if any(row[place] for row in rows)]
    head, rows = [names[place] for place in used], [tuple(row[place] for place in used) for row in rows]
    return table(head, rows, "drives that are not as they were written") + more


def groups(summary: Summary) -> str:
    """Return for each group how many stripes have how many columns left, and what more may be lost."""
    views = summary.groups
    if not views:
        return ""
    order = sorted(views, key=lambda group: group.urgency)[:_MOST_GROUPS] if len(views) > _MOST_GROUPS else views
    rows = [
        (
            words(f"{group.group} ({group.k} + {group.m})"),
            number(group.num_stripes) if group.num_stripes is not None else "not closed",
            words(_spread(group)),
            words(labels_in_short(group.gone, 8)) if group.gone else "none known",
            _margin(group),
            f"{group.num_checked} of {len(group.drives)}" + (f", as of {when(group.as_of)}" if group.as_of else ""),
        )
        for group in order
    ]
    head = (
        "group (k + m)",
        "stripes",
        "columns left",
        "drives gone",
        "drives that may still be lost",
        "drives checked",
    )
    more = (
        f'<p class="dim">The {len(order)} groups with the least left, of {len(views):,}.</p>'
        if len(order) < len(views)
        else ""
    )
    return (
        "<p>A stripe is whole while any k of its k + m columns are left. What is written here is what was seen: a "
        "drive that nobody checked is counted as written, and the time says how old the knowledge is. A volume with "
        "any damage counts as a column that is gone.</p>" + table(head, rows, "groups") + more
    )


def _spread(group: GroupView) -> str:
    if group.is_proven:
        return "all read and restored at the site"
    loading = (
        f"{group.num_proven:,} restored, {group.num_provable or 0:,} provable; " if group.num_proven is not None else ""
    )
    if not group.stripes_by_columns_left:
        return f"{loading}not known"
    shown = "; ".join(
        f"{count:,} with {left} of {group.k + group.m}" for left, count in group.stripes_by_columns_left[:6]
    )
    return loading + shown


def _margin(group: GroupView) -> str:
    if group.margin is None:
        return '<span class="not-shown">not known</span>'
    if group.margin < 0 and not group.is_proven:
        worst = f", the worst is stripe {group.worst_stripe}" if group.worst_stripe is not None else ""
        return f'<span class="broken">stripes are lost already{worst}</span>'
    if not group.margin:
        return '<span class="broken">none</span>'
    return f'<span class="kept">any {group.margin:,}</span>' if group.margin > 0 else "none"
