"""Attempts, hosts and goodput in words, for lines of status and for the page."""

from __future__ import annotations

from collections.abc import Iterator

from packtrain.report.attempts_view import AttemptsView, AttemptView
from packtrain.training.goodput.shares import parts_in_words
from packtrain.units import counted, format_seconds

MOST_LINES: int = 12
"""Attempts that have a line each in status; of more, the newest."""
_MOST_HOSTS = 5
_WIDEST = 40


def attempt_facts(view: AttemptsView) -> Iterator[tuple[str, str]]:
    """Yield goodput, attempts and hosts as name and text, one fact each."""
    goodput = view.goodput
    if goodput is not None and goodput.ratio is not None:
        away = f"; away between commands: {format_seconds(goodput.away_seconds)}" if goodput.away_seconds else ""
        commands = f" of {counted(goodput.num_commands, 'command')}" if goodput.num_commands > 1 else ""
        yield (
            "goodput",
            f"{goodput.ratio * 100:.1f} % of {format_seconds(goodput.total_seconds)}{commands}: "
            f"{parts_in_words(goodput)}{away}",
        )
    if view.num_attempts > 1 or view.hosts:
        shown = view.attempts[-MOST_LINES:]
        if view.num_attempts > len(shown):
            yield "attempts", f"{view.num_attempts:,}; the newest {len(shown)} are told one by one"
        yield from ((f"attempt {attempt.attempt}", attempt_in_words(attempt)) for attempt in shown)
    if view.hosts:
        yield "hosts", hosts_in_words(view)


def attempt_in_words(attempt: AttemptView) -> str:
    """Return one attempt in a line: on what, which steps, how it ended, who was lost."""
    parts = [hosts_of(attempt)] if attempt.num_hosts or attempt.num_ranks else []
    parts.append(steps_of(attempt))
    if attempt.num_redone:
        parts.append(f"{counted(attempt.num_redone, 'step')} of them made again")
    parts.append(ending_of(attempt))
    if lost := lost_of(attempt):
        parts.append(f"at fault: {lost}")
    return "; ".join(parts)


def hosts_of(attempt: AttemptView) -> str:
    """Return on what an attempt ran: "3 hosts (h1, h2, h3), 6 ranks"."""
    ranks = counted(attempt.num_ranks, "rank") if attempt.num_ranks else ""
    if not attempt.num_hosts:
        return ranks
    return ", ".join(part for part in (f"{counted(attempt.num_hosts, 'host')} ({names_of(attempt)})", ranks) if part)


def names_of(attempt: AttemptView) -> str:
    """Return the names of an attempt's hosts, the first ones where there are many."""
    shown: list[str] = []
    for host in attempt.hosts:
        if shown and len(", ".join([*shown, host])) > _WIDEST:
            break
        shown.append(host)
    more = attempt.num_hosts - len(shown)
    return ", ".join(shown) + (f" and {more:,} more" if more else "")


def steps_of(attempt: AttemptView) -> str:
    """Return the steps that an attempt made: "steps 1 to 400"."""
    if attempt.first_step is None or attempt.last_step is None:
        return "no step line"
    if attempt.first_step == attempt.last_step:
        return f"step {attempt.first_step:,}"
    return f"steps {attempt.first_step:,} to {attempt.last_step:,}"


def ending_of(attempt: AttemptView) -> str:
    """Return how an attempt ended."""
    if attempt.ending == "runs":
        return "runs now"
    if attempt.ending == "not noted":
        return "its end was not noted: its command was killed"
    return f"ended: {attempt.reason}" if attempt.reason else "ended"


def lost_of(attempt: AttemptView) -> str:
    """Return who was at fault: "h3", "rank 1 on h3", "rank 1"; "" where nobody was."""
    rank = f"rank {attempt.lost_rank}" if attempt.lost_rank is not None else ""
    return " on ".join(part for part in (rank, attempt.lost_host or "") if part)


def hosts_in_words(view: AttemptsView) -> str:
    """Return the hosts in a line: how many, and those lost most often."""
    now = sum(host.is_in_newest for host in view.hosts)
    lost = [f"{host.host} {counted(host.num_lost, 'time')}" for host in view.hosts if host.num_lost]
    more = f" and {len(lost) - _MOST_HOSTS} more" if len(lost) > _MOST_HOSTS else ""
    told = f"; lost: {', '.join(lost[:_MOST_HOSTS])}{more}" if lost else "; none was lost"
    return f"{len(view.hosts):,} took part, {now:,} in the newest attempt{told}"
