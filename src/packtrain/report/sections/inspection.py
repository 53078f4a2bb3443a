"""The section of the site's inspections: the verdict of each party, its faults, what is of all hosts, and the hosts."""

from __future__ import annotations

from typing import Final

from packtrain.report.inspection_view import MOST_SHOWN, FoundView, InspectedHost, InspectionView
from packtrain.report.pieces import number, table, when, words
from packtrain.report.summary import Summary
from packtrain.units import counted

_MOST_HOSTS: Final = 20
_MOST_FAULTS: Final = 20
_CLASSES: Final = {"good": "kept", "bad": "broken", "not shown": "not-shown"}


def inspections(summary: Summary) -> str:
    """Return every party's sheet; what is long is folded."""
    return "".join(map(_sheet, summary.inspections))


def _sheet(view: InspectionView) -> str:
    verdict = (
        '<b class="kept">fit</b>'
        if view.is_fit
        else f'<b class="broken">not fit</b>, {words(counted(view.num_faults, "fault"))}'
    )
    unseen = f"{view.num_not_shown:,} of {counted(view.num_findings, 'finding')} not shown"
    hosts = counted(len(view.hosts), "host")
    body = (
        f"<p>The {words(view.by)} found the site {verdict}: {words(hosts)} by the engine {words(view.engine)}, "
        f"{words(unseen)}; signed {when(view.finished)}.</p>"
    )
    if view.stale:
        body += f'<p class="hold">Of what is here now it says nothing: {words(view.stale)}.</p>'
    body += _faults(view) + _together(view)
    if len(view.hosts) < 2:
        return body
    name = f"inspected-{view.by}"
    first, rest = view.hosts[:_MOST_HOSTS], view.hosts[_MOST_HOSTS:]
    head = ("host", "good", "bad", "not shown")
    body += f"<h3>Hosts</h3>{table(head, [_host(host) for host in first], f'hosts inspected by the {view.by}')}"
    if rest:
        more = table(head, [_host(host) for host in rest], f"more hosts inspected by the {view.by}")
        title = words(f"{len(rest):,} more hosts")
        body += f'<details id="{name}-hosts"><summary>{title}</summary>{more}</details>'
    return body


def _faults(view: InspectionView) -> str:
    if not view.faults:
        return ""
    head = ("hosts", "what", "found", "asked for", "what mends it")
    rows = [_fault(one) for one in view.faults]
    body = f"<h3>Faults</h3>{table(head, rows[:_MOST_FAULTS], f'faults found by the {view.by}')}"
    if len(rows) > _MOST_FAULTS:
        more = table(head, rows[_MOST_FAULTS:], f"more faults found by the {view.by}")
        untold = view.num_faults - len(rows)
        more += f"<p>And {number(untold)} more in the sheet.</p>" if untold else ""
        title = words(f"{view.num_faults - _MOST_FAULTS:,} more faults")
        body += f'<details id="inspected-{view.by}-faults"><summary>{title}</summary>{more}</details>'
    return body


def _together(view: InspectionView) -> str:
    if not view.together:
        return ""
    rows = [(f'<span class="{_CLASSES[one.verdict]}">{words(one.verdict)}</span>', words(one.what), words(one.found))
            for one in view.together]  # fmt: skip
    more = f"<p>The first {MOST_SHOWN} of them.</p>" if len(rows) == MOST_SHOWN else ""
    told = table(("verdict", "what", "found"), rows, f"seen by the {view.by} of all hosts")
    title = "All hosts together" if len(view.hosts) > 1 else "What was found"
    return f"<h3>{title}</h3>{told}{more}"


def _fault(one: FoundView) -> tuple[str, ...]:
    asked = words(one.asked) + (" (promised)" if one.is_promised else "")
    return words(one.hosts), words(one.what), words(one.found), asked, words(one.remedy)


def _host(host: InspectedHost) -> tuple[str, ...]:
    return words(host.host), number(host.num_good), number(host.num_bad), number(host.num_not_shown)
