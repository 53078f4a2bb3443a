"""Hosts together: the programs run here with processes that play hosts, and what is made of their reports."""

import socket
import statistics
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.documents.promised_section import PromisedSection
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.ports import HostsWanted
from packtrain.training.programs.site import reach, reduce
from packtrain.training.site.across import (
    AcrossTask,
    Group,
    ReachReport,
    ReduceReport,
    _Clock,
    _FromThere,
    _Host,
    _Named,
    _Tried,
    bus_rate,
    judge_reach,
    judge_reduce,
    labels,
    look_across,
    slow_places,
)

NOTHING = PromisedSection()


def reached(
    *names: str,
    lacking: int = 0,
    faults: tuple[tuple[int, int], ...] = (),
    own: dict[int, tuple[str, ...]] | None = None,
    offsets: dict[int, float] | None = None,
) -> ReachReport:
    places = range(len(names))
    address = {place: f"10.77.0.{place + 1}" for place in places}
    return ReachReport(
        count=len(names) + lacking,
        hosts=tuple(
            _Host(place, names[place], (own or {}).get(place, (address[place],)), address[place]) for place in places
        ),
        seen=tuple(
            _FromThere(
                place,
                tuple(
                    _Tried(other, None, "no answer") if (place, other) in faults else _Tried(other, 0.001)
                    for other in places
                    if other != place
                ),
                tuple(_Named(other, (address[other],)) for other in places if other != place),
            )
            for place in places
        ),
        clocks=tuple(_Clock(place, (offsets or {}).get(place, 0.0), 0.0005) for place in places if place),
    )


def told(report: ReachReport, promised: PromisedSection = NOTHING) -> dict[str, tuple[str, str]]:
    return {one.what: (one.verdict, one.found) for one in judge_reach(report, promised)}


def test_hosts_that_all_reach_each_other_are_good() -> None:
    found = told(reached("a", "b", "c"), PromisedSection(hosts=3))

    assert {verdict for verdict, _ in found.values()} == {"good"}
    assert found["connections"][1].startswith("6 of 6 connections made")


def test_a_door_that_is_shut_from_one_side_is_named_with_both_ends() -> None:
    verdict, text = told(reached("a", "b", "c", faults=((2, 0),)))["connections"]

    assert verdict == "bad"
    assert "c to a: no answer" in text


def test_a_host_that_never_came_is_bad_and_so_are_fewer_than_promised() -> None:
    verdict, text = told(reached("a", "b", lacking=1))["hosts"]
    assert verdict == "bad" and "node rank 2 never reached the first" in text
    assert told(reached("a", "b"), PromisedSection(hosts=3))["hosts"][0] == "bad"


def test_a_name_that_leads_its_own_host_to_the_loopback_is_named() -> None:
    verdict, text = told(reached("a", "b", own={1: ("127.0.1.1",)}))["names of all hosts"]

    assert verdict == "bad"
    assert "b leads to 127.0.1.1 on itself" in text


def test_a_clock_that_is_off_is_named_the_first_host_s_too() -> None:
    assert told(reached("a", "b", "c", offsets={2: 0.4}))["clocks"][0] == "good"
    verdict, text = told(reached("a", "b", "c", offsets={2: 30.0}))["clocks"]
    assert verdict == "bad" and "off: c: +30.000 s" in text
    verdict, text = told(reached("a", "b", "c", offsets={1: 30.0, 2: 30.0}))["clocks"]
    assert verdict == "bad" and "off: a: -30.000 s" in text
    assert told(reached("a", "b", offsets={1: 0.2}), PromisedSection(clock_seconds=0.1))["clocks"][0] == "bad"


@given(st.integers(1, 400), st.data())
def test_whom_a_host_tries_tries_it_too_and_nobody_is_alone(count: int, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, count - 1))
    peers = reach.peers_of(place, count)

    assert place not in peers and all(0 <= peer < count for peer in peers)
    assert all(place in reach.peers_of(peer, count) for peer in peers)
    assert bool(peers) == (count > 1)
    assert len(peers) <= max(5, reach.MOST_PAIRS_OF_ALL - 1)


@given(st.integers(1, 300))
def test_halves_hold_every_host_once_a_level_and_end_with_two_or_three(count: int) -> None:
    levels = reduce.halves(list(range(count)))

    for groups in levels:
        assert sorted(place for group in groups for place in group) == list(range(count))
    assert count <= 3 or max(map(len, levels[-1])) <= 3
    assert len(levels) <= 8


@given(st.integers(2, 300))
def test_in_each_round_of_pairs_a_host_has_another_partner(count: int) -> None:
    rounds = reduce.pairs(list(range(count)))
    met: set[frozenset[int]] = set()

    for groups in rounds:
        places = [place for group in groups for place in group]
        assert len(places) == len(set(places)) and len(places) >= count - 1
        assert not met & {frozenset(group) for group in groups}
        met |= {frozenset(group) for group in groups}


def summed(count: int, slow: dict[int, float], *, all_seconds: float = 0.1) -> ReduceReport:
    """Return a report in which a group is as slow as its slowest host."""

    def group(places: list[int]) -> Group:
        return Group(tuple(places), all_seconds * max(slow.get(place, 1.0) for place in places), 0.001)

    places = list(range(count))
    return ReduceReport(
        backend="gloo",
        bytes=10**8,
        names=tuple(f"node-{place}" for place in places),
        all=group(places),
        halves=tuple(tuple(map(group, groups)) for groups in reduce.halves(places)),
        pairs=tuple(tuple(map(group, groups)) for groups in reduce.pairs(places)),
    )


@given(st.integers(3, 300), st.data())
def test_the_slow_host_is_found_and_no_other(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, count - 1))

    assert set(slow_places(summed(count, {bad: 5.0}))) == {bad}
    assert not slow_places(summed(count, {bad: 1.5}))


@given(st.integers(12, 300), st.data())
def test_three_slow_hosts_among_many_are_found(count: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, count - 1), min_size=3, max_size=3))
    found = slow_places(summed(count, dict.fromkeys(bad, 8.0)))

    assert set(found) == bad


def test_a_slow_host_is_a_finding_of_its_own_and_rates_are_told() -> None:
    findings = judge_reduce(summed(8, {5: 10.0}), NOTHING)
    slow = [one for one in findings if one.what == "slow hosts"]

    assert [(one.hosts, one.verdict) for one in slow] == [(("node-5",), "bad")]
    halves = next(one for one in findings if one.what == "sum in halves")
    assert "the slowest: node-4, node-5, node-6, node-7" in halves.found


def test_less_than_the_promised_rate_is_bad() -> None:
    # 2 (n - 1) / n of 10^8 bytes in 0.1 s: 1.75 GB/s of eight.
    assert bus_rate(summed(8, {}).all, 10**8) == pytest.approx(1.75e9)
    verdicts = [
        judge_reduce(summed(8, {}), PromisedSection(allreduce_gb_per_second=rate))[0].verdict for rate in (1.7, 1.8)
    ]
    assert verdicts == ["good", "bad"]


def test_of_two_hosts_nobody_says_which_is_slow() -> None:
    verdicts = {one.what: one.verdict for one in judge_reduce(summed(2, {1: 9.0}), NOTHING)}

    assert verdicts["slow hosts"] == "not shown"


def test_processes_that_play_hosts_have_names_of_their_own() -> None:
    assert labels(["a", "b"]) == ("a", "b")
    assert labels(["a", "a", ""]) == ("a/0", "a/1", "unnamed/2")


def task(folder: Path, num_workers: int) -> AcrossTask:
    return AcrossTask(Path(sys.executable), folder, HostsWanted(), num_workers, False, True, NOTHING)


@pytest.mark.needs_torch
def test_three_processes_reach_each_other_and_sum_up(tmp_path: Path) -> None:
    findings, names = look_across(task(tmp_path, 3), LocalEngine(), discard)
    told = {one.what: one for one in findings}

    assert len(names) == 3
    assert told["connections"].verdict == "good" and told["connections"].found.startswith("6 of 6")
    assert told["clocks"].verdict == "good"
    assert told["sum over all hosts"].figures[0].value > 0
    assert "slow hosts" in told


def test_an_engine_whose_python_is_not_there_is_a_finding_and_no_error(tmp_path: Path) -> None:
    wanted = AcrossTask(tmp_path / "python", tmp_path, HostsWanted(), 1, False, True, NOTHING)
    findings, names = look_across(wanted, LocalEngine(), discard)

    assert names == ()
    assert [(one.what, one.verdict) for one in findings] == [("hosts", "bad")]


def test_the_first_host_goes_by_itself_where_the_other_says_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("MASTER_PORT", str(port))
    hello = {"place": 0, "name": "a", "own": [], "port": reach.Door(0).port, "address": "127.0.0.1"}
    leading = threading.Thread(target=reach.lead, args=(2, hello, 1.0, tmp_path / "report.json"))
    leading.start()
    for payload in (b"\x00rubbish\n", b'{"place": 99}\n', b"[]\n"):
        for _ in range(100):
            try:
                with socket.create_connection(("127.0.0.1", port), 1) as stranger:
                    stranger.sendall(payload)
                break
            except OSError:
                threading.Event().wait(0.01)
    leading.join(30)

    import msgspec

    report = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=ReachReport)
    assert (report.count, len(report.hosts)) == (2, 1)
    assert judge_reach(report, NOTHING)[0].verdict == "bad"


def test_a_median_is_of_the_others() -> None:
    report = summed(3, {0: 2.5})

    assert slow_places(report)[0] == pytest.approx(2.5 / statistics.median([1.0, 1.0]))
