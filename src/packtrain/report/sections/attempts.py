"""The section of attempts: goodput as a bar of its parts, every attempt, every host."""

from __future__ import annotations

from typing import Final

from packtrain.report.attempts_text import ending_of, hosts_in_words, lost_of, names_of
from packtrain.report.attempts_view import AttemptsView, AttemptView, HostView
from packtrain.report.pieces import number, table, words
from packtrain.report.summary import Summary
from packtrain.training.goodput.shares import PARTS, WORDS, Goodput
from packtrain.units import counted, format_seconds

_NEWEST: Final = 12
_MOST_HOSTS: Final = 20
_TONES: Final = {"steps": "green", "redone": "red", "waiting": "amber", "starting": "blue", "ending": "dim"}


def attempts(summary: Summary) -> str:
    """Return goodput with its parts, the newest attempts and the hosts; those that are many are folded."""
    view = summary.attempts
    if view is None:
        return ""
    parts = [_goodput(view.goodput)] if view.goodput is not None and view.goodput.ratio is not None else []
    parts += [f'<p class="hold">{words(live.waiting)}</p>' for live in summary.live if live.waiting]
    if view.num_attempts > 1 or view.hosts:
        parts.append(_attempts(view))
    if view.hosts:
        parts.append(_hosts(view))
    return "".join(parts)


def _goodput(goodput: Goodput) -> str:
    shares = goodput.shares
    present = [part for part in PARTS if goodput.seconds[part] > 0]
    told = ", ".join(f"{WORDS[part]} {shares[part] * 100:.1f} %" for part in present)
    x = 0.0
    bars: list[str] = []
    for part in present:
        width = shares[part] * 720
        bars.append(f'<rect class="part-{_TONES[part]}" x="{x:.1f}" y="0" width="{width:.1f}" height="26"/>')
        x += width
    svg = (
        f'<svg class="shares" viewBox="0 0 720 26" preserveAspectRatio="none" role="img" '
        f'aria-label="{words(f"Where the time went: {told}")}">{"".join(bars)}</svg>'
    )
    legend = "".join(
        f'<li><i class="swatch tone-{_TONES[part]}" aria-hidden="true"></i>{words(WORDS[part])}: '
        f"<b>{shares[part] * 100:.1f} %</b>, {words(format_seconds(goodput.seconds[part]))}</li>"
        for part in present
    )
    commands = f", in {counted(goodput.num_commands, 'command')}" if goodput.num_commands > 1 else ""
    away = ""
    if goodput.away_seconds:
        away = f" Between commands, in no share: {format_seconds(goodput.away_seconds)}."
    return (
        f"<p>Goodput {(goodput.ratio or 0.0) * 100:.1f} %: so much of "
        f"{words(format_seconds(goodput.total_seconds))}{words(commands)} became steps that count.{words(away)}</p>"
        f'{svg}<ul class="legend">{legend}</ul>'
    )


def _attempts(view: AttemptsView) -> str:
    # The newest first: a run of months has its last hour on top.
    shown = view.attempts[::-1]
    head = ("attempt", "hosts", "ranks", "steps", "made again", "lasted", "how it ended", "at fault")
    body = table(head, [_row(one) for one in shown[:_NEWEST]], "attempts")
    if len(shown) > _NEWEST:
        earlier = table(head, [_row(one) for one in shown[_NEWEST:]], "earlier attempts")
        untold = view.num_attempts - len(shown)
        more = f"<p>And {number(untold)} before these.</p>" if untold else ""
        title = words(f"{len(shown) - _NEWEST:,} earlier attempts")
        body += f'<details id="earlier-attempts"><summary>{title}</summary>{earlier}{more}</details>'
    return body


def _row(attempt: AttemptView) -> tuple[str, ...]:
    hosts = f"{number(attempt.num_hosts)}: {words(names_of(attempt))}" if attempt.num_hosts else "this one"
    steps = "none"
    if attempt.first_step is not None and attempt.last_step is not None:
        steps = f'<span class="n">{attempt.first_step:,} – {attempt.last_step:,}</span>'
    return (
        str(attempt.attempt),
        hosts,
        number(attempt.num_ranks) if attempt.num_ranks is not None else "not noted",
        steps,
        number(attempt.num_redone),
        words(format_seconds(attempt.seconds)) if attempt.seconds is not None else "not known",
        words(ending_of(attempt)),
        words(lost_of(attempt)),
    )


def _hosts(view: AttemptsView) -> str:
    head = ("host", "attempts", "lost", "why the last time", "in the newest")
    lost = [host for host in view.hosts if host.num_lost]
    others = [host for host in view.hosts if not host.num_lost]
    first = [*lost, *others][: max(_MOST_HOSTS, len(lost)) if len(lost) <= 2 * _MOST_HOSTS else _MOST_HOSTS]
    rest = [*lost, *others][len(first) :]
    body = f"<h3>Hosts</h3><p>{words(hosts_in_words(view))}.</p>" + table(
        head, [_host(host) for host in first], "hosts"
    )
    if rest:
        title = words(f"{len(rest):,} more hosts")
        more = table(head, [_host(host) for host in rest], "more hosts")
        body += f'<details id="more-hosts"><summary>{title}</summary>{more}</details>'
    return body


def _host(host: HostView) -> tuple[str, ...]:
    newest = "yes" if host.is_in_newest else "no"
    return words(host.host), number(host.num_attempts), number(host.num_lost), words(host.last_lost), newest
