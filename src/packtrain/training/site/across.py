"""All hosts together: who reaches whom, whose clock is off, and who is slow when gradients are summed up.

The programs run through the engine that will train, so what holds of them holds of the training: the same hosts, the
same ranks, the same interpreter.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, TypeVar

import msgspec

from packtrain.documents.inspection import Finding
from packtrain.documents.promised_section import PromisedSection
from packtrain.errors import PacktrainError
from packtrain.events import Sink
from packtrain.ports import Engine, HostsWanted, TrainingJob
from packtrain.training.site.machine import joined
from packtrain.training.site.seen import Seen, figure
from packtrain.units import counted, format_bytes

PROGRAMS: Final = Path(__file__).parent.parent / "programs" / "site"
SLOW: Final = 2.0
"""Times the median of the others: so much slower is another network, not another day."""
_LEAST_SECONDS: Final = 0.01
"""Where one host is very slow, little is summed up, and the others are done in less than their processors vary by."""
CLOCKS_SECONDS: Final = 1.0
"""Signed times, and files that one host writes and another one reads, want clocks that agree about so well."""
_REACH_SECONDS: Final = 30.0
_GRACE_SECONDS: Final = 5.0
_MOST_REPORT_BYTES: Final = 64 << 20
_Text = Annotated[str, msgspec.Meta(max_length=512)]
_Place = Annotated[int, msgspec.Meta(ge=0, le=100_000)]
_Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
S = TypeVar("S", bound=msgspec.Struct)


class _Host(msgspec.Struct, frozen=True):
    place: _Place
    name: _Text
    own: tuple[_Text, ...]
    address: _Text


class _Tried(msgspec.Struct, frozen=True):
    place: _Place
    seconds: _Seconds | None = None
    why: _Text = ""


class _Named(msgspec.Struct, frozen=True):
    place: _Place
    addresses: tuple[_Text, ...]


class _FromThere(msgspec.Struct, frozen=True):
    place: _Place
    tried: tuple[_Tried, ...]
    names: tuple[_Named, ...]


class _Clock(msgspec.Struct, frozen=True):
    place: _Place
    offset_seconds: float
    bound_seconds: _Seconds


class ReachReport(msgspec.Struct, frozen=True):
    """What programs/site/reach.py wrote."""

    count: _Place
    hosts: tuple[_Host, ...]
    seen: tuple[_FromThere, ...]
    clocks: tuple[_Clock, ...]


class Group(msgspec.Struct, frozen=True):
    """How long hosts took to sum up together, much and little."""

    places: tuple[_Place, ...]
    seconds: _Seconds
    short_seconds: _Seconds


class ReduceReport(msgspec.Struct, frozen=True):
    """What programs/site/reduce.py wrote."""

    backend: _Text
    bytes: Annotated[int, msgspec.Meta(ge=1, le=1 << 50)]
    names: tuple[_Text, ...]
    all: Group
    halves: tuple[tuple[Group, ...], ...]
    pairs: tuple[tuple[Group, ...], ...]


@dataclass(frozen=True, slots=True)
class AcrossTask:
    """What all hosts are asked together.

    Attributes:
        python: the interpreter that will train.
        folder: where reports and logs go; seen by the host of rank 0, and brought to this one.
        hosts: on which hosts.
        num_workers: processes on each host for sums; 1 for the rest.
        with_accelerators: sums are done on accelerators.
        each_rank: one host, of which each process plays one: its accelerators are what may differ.
        promised: see [site.promised].
    """

    python: Path
    folder: Path
    hosts: HostsWanted
    num_workers: int
    with_accelerators: bool
    each_rank: bool
    promised: PromisedSection


def look_across(task: AcrossTask, engine: Engine, sink: Sink) -> tuple[list[Finding], tuple[str, ...]]:
    """Return what is found of all hosts together, and their names as far as they came.

    What fails is a finding; nothing is raised for it.
    """
    findings: list[Finding] = []
    names: tuple[str, ...] = ()
    reached, why = _run(task, engine, sink, "reach", ReachReport, ("--seconds", str(_REACH_SECONDS)))
    if reached is None:
        seen = Seen("all hosts")
        remedy = "read the log; the engine has to start a process on each host: ray status, sinfo"
        seen.bad("hosts", why, remedy, asked="each host runs a program")
        return seen.findings, ()
    names = labels([host.name for host in reached.hosts])
    findings += judge_reach(reached, task.promised, is_one_host=task.each_rank)
    if task.num_workers == 1 and reached.count == 1:
        seen = Seen(*names)
        _one_place(seen, task.promised)
        return [*findings, *seen.findings], names
    summed, why = None, "not every host reaches the first one: the sum would wait for it in vain"
    if len(reached.hosts) == reached.count:
        summed, why = _run(task, engine, sink, "reduce", ReduceReport, (), num_workers=task.num_workers)
    if summed is None:
        seen = Seen(*names)
        is_promised = task.promised.allreduce_gb_per_second is not None
        seen.not_shown("sum over all hosts", why, asked=_asked_rate(task.promised), is_promised=is_promised)
        findings += seen.findings
    else:
        findings += judge_reduce(summed, task.promised)
    return findings, names


def _run(
    task: AcrossTask,
    engine: Engine,
    sink: Sink,
    program: str,
    report_type: type[S],
    arguments: Sequence[str],
    *,
    num_workers: int = 1,
) -> tuple[S | None, str]:
    results = task.folder / program
    results.mkdir(parents=True, exist_ok=True)
    report = results / "results" / "report.json"
    report.parent.mkdir(exist_ok=True)
    options = ["--each-rank"] if task.each_rank else []
    options += ["--device", "cuda"] if task.with_accelerators and program == "reduce" else []
    job = TrainingJob(
        python=task.python,
        command=(f"{program}.py", "--report", str(report), *options, *arguments),
        program_folder=PROGRAMS,
        # A process for each accelerator or host, and nothing to compute between them.
        environment={"OMP_NUM_THREADS": "1"},
        checkpoints=results / "checkpoints",
        log_folder=results / "logs",
        num_workers=task.num_workers if task.each_rank else num_workers,
        max_restarts=1,
        stall_seconds=180.0,
        grace_seconds=_GRACE_SECONDS,
        hosts=task.hosts,
    )
    try:
        engine.run(job, sink)
        with report.open("rb") as stream:
            return msgspec.json.decode(stream.read(_MOST_REPORT_BYTES), type=report_type), ""
    except PacktrainError as error:
        return None, error.message
    except FileNotFoundError:
        return None, f"the program of rank 0 ended without a report; logs lie in {job.log_folder}"
    except (OSError, msgspec.MsgspecError) as error:
        return None, f"the report of rank 0 cannot be read: {error}"


def labels(names: Sequence[str]) -> tuple[str, ...]:
    """Return names of which none is there twice: where processes of one host play hosts, their number follows."""
    is_shared = len(set(names)) < len(names)
    return tuple(
        f"{(name or 'unnamed')[:240]}/{place}" if is_shared else name[:255] or "unnamed"
        for place, name in enumerate(names)
    )


def judge_reach(found: ReachReport, promised: PromisedSection, *, is_one_host: bool = False) -> list[Finding]:
    """Return how many hosts came, who reaches whom, where names lead, and by how much clocks differ."""
    by_place = dict(zip([host.place for host in found.hosts], labels([host.name for host in found.hosts]), strict=True))
    here = tuple(by_place.values())
    everyone = Seen(*here)
    lacking = [str(place) for place in range(found.count) if place not in by_place]
    wanted = promised.hosts
    num_hosts = 1 if is_one_host else len(here)
    told = counted(num_hosts, "host") + (
        f"; those of node rank {joined(lacking)} never reached the first" if lacking else ""
    )
    everyone.judged(
        "hosts",
        told,
        "open the ports between all hosts, both ways (a firewall, a security group, another network): the log of each "
        "rank says what it tried",
        [figure("hosts", num_hosts)],
        is_good=not lacking and (wanted is None or num_hosts >= wanted),
        asked=f"{wanted} or more" if wanted is not None else "",
        is_promised=wanted is not None,
    )
    _connections(everyone, found, by_place)
    _names(everyone, found, by_place)
    findings = everyone.findings
    findings += _clocks(found, by_place, promised)
    return findings


def _connections(seen: Seen, found: ReachReport, by_place: dict[int, str]) -> None:
    tried = [(one.place, other) for one in found.seen for other in one.tried]
    silent = [name for place, name in by_place.items() if place not in {one.place for one in found.seen}]
    faults = [
        f"{by_place.get(place, place)} to {by_place.get(other.place, other.place)}: {other.why or 'no answer'}"
        for place, other in tried
        if other.seconds is None
    ]
    faults += [f"{name} did not tell what it tried" for name in silent]
    quick = sorted(other.seconds for _, other in tried if other.seconds is not None)
    if not tried and not faults:
        seen.not_shown("connections", "one host, which nobody else has to reach")
        return
    told = f"{len(quick)} of {counted(len(tried), 'connection')} made"
    told += f"; {joined(faults)}" if faults else f", median {statistics.median(quick) * 1e3:.2f} ms" if quick else ""
    seen.judged(
        "connections",
        told,
        "open all TCP ports between the hosts, both ways: ranks and their stores listen on ports that are chosen anew",
        [figure("median", statistics.median(quick), "s"), figure("slowest", quick[-1], "s")] if quick else [],
        is_good=not faults,
        asked="each host reaches its peers by TCP, on ports that are free",
    )


def _names(seen: Seen, found: ReachReport, by_place: dict[int, str]) -> None:
    if len(found.hosts) < 2 or len({host.name for host in found.hosts}) < 2:
        return
    addresses = {host.place: host.address for host in found.hosts}
    own = {host.place: host.own for host in found.hosts}
    faults = [
        f"{by_place[place]} leads to {joined(found_own) or 'nowhere'} on itself"
        for place, found_own in own.items()
        if not found_own or any(address.startswith("127.") for address in found_own)
    ]
    unknown = sorted(
        {
            by_place[other.place]
            for one in found.seen
            for other in one.names
            if other.place in by_place and addresses[other.place] not in other.addresses
        }
    )
    remedy = (
        "give every host all names and addresses (/etc/hosts or a name service), and let none of its own names lead to "
        "127.0.1.1, as Debian's installer writes it"
    )
    told = joined(faults) or "each host's own name leads to an address of its own"
    # NCCL, gloo and Ray go by addresses that hosts tell each other: a name that only others lack is no fault of a run.
    told += f"; not known by name to others: {joined(unknown)}" if unknown else ""
    seen.judged("names of all hosts", told, remedy, is_good=not faults, asked="no name leads to the loopback")


def _clocks(found: ReachReport, by_place: dict[int, str], promised: PromisedSection) -> list[Finding]:
    most = promised.clock_seconds or CLOCKS_SECONDS
    asked, is_promised = f"at most {most:g} s apart", promised.clock_seconds is not None
    seen = Seen(*by_place.values())
    clocks = [clock for clock in found.clocks if clock.place in by_place]
    if not clocks:
        seen.not_shown("clocks", "there is one clock", asked=asked)
        return seen.findings
    # The first host's own clock is 0: whoever is far from the middle is off, the first one too.
    offsets = {0: 0.0, **{clock.place: clock.offset_seconds for clock in clocks}}
    bound = max(clock.bound_seconds for clock in clocks)
    middle = statistics.median(offsets.values())
    off = [
        f"{by_place[place]}: {offset - middle:+.3f} s"
        for place, offset in offsets.items()
        if place in by_place and abs(offset - middle) - bound > most / 2
    ]
    spread = max(offsets.values()) - min(offsets.values())
    told = f"{spread:.6f} s apart at most, known to {bound:.6f} s (half the quickest round trip)"
    seen.judged(
        "clocks",
        told + (f"; off: {joined(off)}" if off else ""),
        "let every host keep its clock by the same server: chronyc tracking, timedatectl",
        [figure("apart", spread, "s"), figure("known to", bound, "s")],
        is_good=spread - 2 * bound <= most,
        asked=asked,
        is_promised=is_promised,
    )
    return seen.findings


def bus_rate(group: Group, num_bytes: int, ranks_of_place: int = 1) -> float:
    """Return bytes a second that a sum moves over the slowest link, as nccl-tests tell it: 2(n-1)/n of its bytes."""
    count = len(group.places) * ranks_of_place
    return 2 * (count - 1) / count * num_bytes / group.seconds if count and group.seconds else 0.0


def slow_places(found: ReduceReport) -> dict[int, float]:
    """Return who is slow, and how many times the median of the others: with every partner that it was paired with."""
    best: dict[int, float] = {}
    for groups in found.pairs:
        for group in groups:
            for place in group.places:
                best[place] = min(best.get(place, group.seconds), group.seconds)
    if len(best) < 3:
        return {}
    return {
        place: seconds / median
        for place, seconds in best.items()
        if (median := statistics.median(other for at, other in best.items() if at != place)) > 0
        and seconds > SLOW * median
        and seconds - median > _LEAST_SECONDS
    }


def judge_reduce(found: ReduceReport, promised: PromisedSection) -> list[Finding]:
    """Return the rate of a sum over all hosts and their halves, and who is slow."""
    names = labels(found.names)
    if len(names) < 2:
        seen = Seen(*names)
        _one_place(seen, promised)
        return seen.findings
    everyone = Seen(*names)
    rate = bus_rate(found.all, found.bytes)
    wanted = promised.allreduce_gb_per_second
    everyone.judged(
        "sum over all hosts",
        f"{rate / 1e9:.3g} GB/s by {found.backend}, {format_bytes(found.bytes)} in {found.all.seconds:.3g} s; "
        f"a short one in {found.all.short_seconds * 1e3:.3g} ms",
        "where no host is named as slow: look at switches and cables, and at which interface is used "
        "(NCCL_SOCKET_IFNAME, GLOO_SOCKET_IFNAME, NCCL_DEBUG=INFO)",
        [figure("bus bandwidth", rate, "byte/s"), figure("latency", found.all.short_seconds, "s")],
        is_good=wanted is None or rate >= wanted * 1e9,
        asked=_asked_rate(promised),
        is_promised=wanted is not None,
    )
    slow = slow_places(found)
    for level, groups in enumerate(found.halves, 1):
        rates = [bus_rate(group, found.bytes) for group in groups if len(group.places) > 1]
        if rates:
            part = "halves" if level == 1 else f"parts of {2**level}"
            told = f"{min(rates) / 1e9:.3g} to {max(rates) / 1e9:.3g} GB/s in {part}"
            slowest = min(
                (group for group in groups if len(group.places) > 1), key=lambda one: bus_rate(one, found.bytes)
            )
            told += f"; the slowest: {joined(names[place] for place in slowest.places if place < len(names))}"
            ends = [figure("lowest", min(rates), "byte/s"), figure("highest", max(rates), "byte/s")]
            everyone.told(f"sum in {part}", told, ends)
    if len(names) < 3:
        everyone.not_shown("slow hosts", "of two hosts nobody can say which is the slow one")
        return everyone.findings
    if not slow:
        everyone.told("slow hosts", f"none took more than {SLOW:g} times the median of the others, in pairs")
    findings = everyone.findings
    for place, times in sorted(slow.items()):
        if place < len(names):
            one = Seen(names[place])
            one.bad(
                "slow hosts",
                f"{times:.1f} times the median of the others, with every partner it was paired with",
                "look at its cable, port and interface (ethtool, ibstat), and train without it until it is mended",
                [figure("times the median", times)],
                asked=f"at most {SLOW:g} times the median of the others",
            )
            findings += one.findings
    return findings


def _one_place(seen: Seen, promised: PromisedSection) -> None:
    is_promised = promised.allreduce_gb_per_second is not None
    why = "one host with at most one accelerator sums up with nobody"
    seen.not_shown("sum over all hosts", why, asked=_asked_rate(promised), is_promised=is_promised)


def _asked_rate(promised: PromisedSection) -> str:
    wanted = promised.allreduce_gb_per_second
    return f"{wanted:g} GB/s or more" if wanted is not None else ""


def clear(folder: Path) -> None:
    """Make a folder for reports and logs, without those of an inspection before."""
    import shutil

    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
