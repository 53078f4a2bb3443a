"""Tables in HTML: profiles of columns, histograms of measures, what was set aside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from packtrain.dataset.kinds.registry import KINDS
from packtrain.dataset.looking.look import ColumnProfile, Histogram, RejectGroup, TableProfile
from packtrain.report.histogram_svg import histogram, measured, share_bar, sparkline
from packtrain.report.look_pictures import text
from packtrain.report.pieces import table
from packtrain.units import counted, format_bytes

# So many tables are shown unfolded; of more a person wants the list first.
_UNFOLDED: Final = 3
_MEANINGS: Final = {
    "bytes": "length of the sample",
    "width": "pixels across",
    "height": "pixels down",
    "num_frames": "frames of the clip",
    "rows": "rows of the block",
    "columns": "columns of the block",
}


def profiles(tables: Sequence[TableProfile], *, with_values: bool) -> str:
    """Return one part to unfold a table."""
    return "".join(_profile(each, is_open=i < _UNFOLDED, with_values=with_values) for i, each in enumerate(tables))


def _profile(profile: TableProfile, *, is_open: bool, with_values: bool) -> str:
    sheet = f", sheet {text(profile.sheet)}" if profile.sheet else ""
    size = f"{counted(profile.num_rows, 'row')}, {counted(profile.num_columns, 'column')}"
    head = (
        f"<details{' open' if is_open else ''}><summary><b>{text(profile.source)}</b>{sheet}"
        f' <span class="dim">{size}</span></summary>'
    )
    if profile.error:
        return f'{head}<p class="broken">Cannot be read: {text(profile.error)}</p></details>'
    notes: list[str] = []
    if profile.num_read < profile.num_rows:
        notes.append(f"The first {profile.num_read:,} rows are counted here.")
    if len(profile.columns) < profile.num_columns:
        notes.append(f"{profile.num_columns - len(profile.columns):,} more columns are not shown.")
    said = f'<p class="dim">{" ".join(notes)}</p>' if notes else ""
    names = ["column", "empty", "different", "least to most, mean", "spread", "most frequent"]
    rows = [_column(column, profile.num_read, with_values=with_values) for column in profile.columns]
    shown = names if with_values else [*names[:3], "spread"]
    return f'{head}{said}<div class="profile">{table(shown, rows)}</div></details>'


def _column(column: ColumnProfile, num_rows: int, *, with_values: bool) -> list[str]:
    name = f"<b>{text(column.name)}</b>" if column.name else f'<span class="dim">column {column.number}</span>'
    empty = (num_rows - column.num_filled) / num_rows if num_rows else 0
    if column.num_filled in (0, num_rows):
        said = "none" if column.num_filled else "all"
    else:
        said = f"{empty:.1%}" if 0.001 <= empty < 0.9995 else f"{num_rows - column.num_filled:,} of {num_rows:,}"
    cells = [name, said, f"{column.num_distinct:,}" if column.num_distinct else "none"]
    if column.findings:
        found = f'<span class="hold">not shown: the data scan found {text(", ".join(column.findings))}</span>'
        return [*cells, "", "", found] if with_values else [*cells, found]
    spread = _spread(column)
    if not with_values:
        return [*cells, spread]
    span = f"{text(column.least)} to {text(column.most)}, mean {text(column.mean)}" if column.is_number else ""
    top = "".join(f"<li>{text(value)} <span>{count:,}</span></li>" for value, count in column.top)
    return [*cells, span, spread, f'<ul class="top">{top}</ul>' if top else ""]


def _spread(column: ColumnProfile) -> str:
    what = "numbers" if column.is_number else "lengths"
    if len(column.bars) < 2:
        return f'<span class="dim">{what} all the same</span>' if column.bars else ""
    bars = sparkline(column.bars, f"spread of the {what}, in {len(column.bars)} classes")
    return f'{bars}<span class="dim">{what}</span>'


def histograms(found: Sequence[Histogram]) -> str:
    """Return the measures of all kinds, each kind under its name."""
    parts: list[str] = []
    for kind in dict.fromkeys(each.kind for each in found):
        charts = "".join(_chart(each) for each in found if each.kind == kind)
        parts.append(f'<h3>{text(kind)}s</h3><div class="charts">{charts}</div>')
    return "".join(parts)


def _chart(drawn: Histogram) -> str:
    of_kind = [spec.measures.get(drawn.measure, "") for kind, spec in KINDS.items() if kind == drawn.kind]
    meaning = "".join(of_kind) or _MEANINGS.get(drawn.measure, "")
    title = f'<figcaption><b>{text(drawn.measure)}</b> <span class="dim">{text(meaning)}</span></figcaption>'
    if len(drawn.before) == 1:
        only = f"{measured(drawn.measure, drawn.least)} in all {sum(drawn.before):,}; {sum(drawn.after):,} kept"
        return f'<figure class="chart">{title}<p>{only}</p></figure>'
    rows = [
        (
            f"{measured(drawn.measure, drawn.edges[i])} to {measured(drawn.measure, drawn.edges[i + 1])}",
            f"{before:,}",
            f"{after:,}",
        )
        for i, (before, after) in enumerate(zip(drawn.before, drawn.after, strict=True))
        if before
    ]
    numbers = f"<details><summary>in numbers</summary>{table(('class', 'read', 'kept'), rows)}</details>"
    return f'<figure class="chart">{title}{histogram(drawn)}{numbers}</figure>'


def reject_groups(groups: Sequence[RejectGroup]) -> str:
    """Return one part to unfold a kind of error, with the first of its rows."""
    most = max((group.num_rejects for group in groups), default=1)
    return "".join(_reject_group(group, most) for group in groups)


def _reject_group(group: RejectGroup, most: int) -> str:
    rows = [
        (
            f"<code>{text(row.path)}</code>",
            text(row.place) or "whole",
            text(row.stage),
            text(row.error),
            format_bytes(row.bytes) if row.bytes else "",
        )
        for row in group.rows
    ]
    more = group.num_rejects - len(group.rows)
    rest = f'<p class="dim">and {more:,} more like these</p>' if more else ""
    known = f", {format_bytes(group.num_bytes)}" if group.num_bytes else ""
    return (
        f'<details class="reject"><summary><b>{group.num_rejects:,}</b> {share_bar(group.num_rejects, most)}'
        f' {text(group.error)} <span class="dim">{text(group.kind or "no kind of ours")}{known}</span></summary>'
        f"{table(('file', 'place', 'stage', 'error', 'size'), rows)}{rest}</details>"
    )
