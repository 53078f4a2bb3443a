"""A host that lies: what it tells of itself and of others is held to bounds, and costs the others nothing."""

import contextlib
import json
import math
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.documents.inspection import Figure, Finding
from packtrain.documents.promised_section import PromisedSection
from packtrain.training.programs.site import reach, reduce
from packtrain.training.site.across import ReachReport, judge_reach
from packtrain.training.site.seen import said_by

LIES: tuple[bytes, ...] = (
    b"[" * 100_000 + b"\n",
    b"\xff\xfe\n",
    b"7\n",
    b'{"place": Infinity, "name": "x", "own": [], "port": 1}\n',
    b'{"place": 1, "name": "x", "own": 3, "port": 1}\n',
    b'{"place": 1, "name": "x", "own": [], "port": 70000}\n',
    b'{"place": 0, "name": "the first", "own": [], "port": 1}\n',
    b"",
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


class Liar:
    """A process that takes the place of host 2, and says what it likes."""

    def __init__(self, port: int, answer: bytes) -> None:
        until = time.monotonic() + 20
        while True:
            try:
                self._connection = socket.create_connection(("127.0.0.1", port), 5)
                break
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.01)
        name = "\x1b[2J\ud800" + "long" * 1000
        hello = {"place": 2, "name": name, "own": ["127.0.0.1"] * 1000, "port": port, "address": "10.9.9.9"}
        self._connection.sendall(json.dumps(hello).encode() + b"\n")
        self._answer = answer
        threading.Thread(target=self._lie, daemon=True).start()

    def _lie(self) -> None:
        with contextlib.suppress(OSError), self._connection, self._connection.makefile("rb") as stream:
            for line in stream:
                told = b'{"time": NaN}\n' if b'"time"' in line else self._answer
                self._connection.sendall(told)


def gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes) -> dict[str, Finding]:
    """Return what is found of three hosts of which the last one lies."""
    port = free_port()
    monkeypatch.setattr(reach, "_TRY_SECONDS", 0.5)
    monkeypatch.setitem(os.environ, "MASTER_ADDR", "127.0.0.1")
    monkeypatch.setitem(os.environ, "MASTER_PORT", str(port))
    hello = {"place": 0, "name": "n0", "own": ["127.0.0.1"], "port": reach.Door(0).port, "address": "127.0.0.1"}
    report = tmp_path / "report.json"
    leading = threading.Thread(target=reach.lead, daemon=True, args=(3, hello, 20.0, report))
    leading.start()
    Liar(port, answer)
    honest = {**hello, "place": 1, "name": "n1", "port": reach.Door(1).port}
    assert reach.follow(1, honest, 20.0) == ""
    leading.join(30)
    found = msgspec.json.decode(report.read_bytes(), type=ReachReport)
    return {one.what: one for one in judge_reach(found, PromisedSection())}


@pytest.mark.parametrize(
    "answer",
    [
        b'{"place": 1, "tried": [{"place": 0, "why": "n1 is bad"}], "names": []}\n',
        b'{"place": 2, "tried": [{"place": 0, "seconds": NaN}], "names": []}\n',
        b'{"place": 2, "tried": [{"place": 0, "seconds": -5}], "names": 7}\n',
        b"{" * 50_000 + b"\n",
    ],
)
def test_who_lies_of_others_speaks_for_itself_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    found = gathered(tmp_path, monkeypatch, answer)

    assert found["hosts"].verdict == "good"
    assert found["hosts"].hosts[:2] == ("n0", "n1")
    assert len(found["hosts"].hosts[2]) <= 255 and found["hosts"].hosts[2].isprintable()
    # n1 said nothing of the kind, and what it said stands.
    assert "n1 to" not in found["connections"].found.replace("n1 to \\u001b", "")
    assert "n0 to n1" not in found["connections"].found
    assert found["clocks"].verdict == "good"  # a clock that tells no time is not compared


@pytest.mark.parametrize("lie", LIES)
def test_a_stranger_who_comes_first_takes_nobody_s_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: bytes
) -> None:
    port = free_port()
    monkeypatch.setitem(os.environ, "MASTER_ADDR", "127.0.0.1")
    monkeypatch.setitem(os.environ, "MASTER_PORT", str(port))
    hello = {"place": 0, "name": "n0", "own": [], "port": reach.Door(0).port, "address": "127.0.0.1"}
    report = tmp_path / "report.json"
    leading = threading.Thread(target=reach.lead, daemon=True, args=(2, hello, 20.0, report))
    leading.start()
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as stranger:
                stranger.sendall(lie)
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    assert reach.follow(1, {**hello, "place": 1, "name": "n1", "port": reach.Door(1).port}, 20.0) == ""
    leading.join(30)

    found = msgspec.json.decode(report.read_bytes(), type=ReachReport)
    assert [host.name for host in found.hosts] == ["n0", "n1"]


def test_who_sends_a_byte_now_and_then_holds_nobody() -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(0.3)

    def drip() -> None:
        for _ in range(100):
            try:
                theirs.sendall(b" ")
            except OSError:
                return
            time.sleep(0.02)

    threading.Thread(target=drip, daemon=True).start()
    with ours, theirs, pytest.raises(ValueError, match="too long"):
        reach.Line(ours).hear()


@pytest.mark.parametrize(
    "told",
    [b"", b"[]", b"{}", b'{"seconds": NaN, "short_seconds": 1}', b'{"seconds": -1, "short_seconds": 1}', b"[" * 9000],
)
def test_a_group_that_tells_no_time_is_named(told: bytes) -> None:
    with pytest.raises(ValueError, match="node rank 4 tells no time"):
        reduce.times_of(told, [4, 5])


def test_a_group_cannot_speak_for_other_places() -> None:
    assert reduce.times_of(b'{"seconds": 1, "short_seconds": 0.5, "places": [0]}', [4]) == {
        "seconds": 1.0,
        "short_seconds": 0.5,
    }


ANYTHING: Any = st.one_of(st.text(st.characters(codec=None)), st.none(), st.integers(), st.binary(), st.floats())


@given(ANYTHING, ANYTHING, ANYTHING, st.floats() | st.none() | st.text(), st.text(st.characters(codec=None)))
def test_whatever_a_host_tells_of_itself_can_be_signed_and_read_back(
    what: Any, found: Any, verdict: Any, value: Any, name: str
) -> None:
    lie = Finding(
        hosts=("another",),
        what=what,
        asked="",
        found=found,
        verdict=verdict if isinstance(verdict, bytes) else "good",  # pyright: ignore[reportArgumentType]
        figures=(Figure(name=name, value=value, unit="s"),),
    )
    told = list(said_by("n1", (lie, what, lie)))

    assert told and {one.hosts for one in told} == {("n1",)}
    assert msgspec.json.decode(msgspec.json.encode(told), type=list[Finding]) == told
    assert all(math.isfinite(number.value) for one in told for number in one.figures)
    assert all(text.isprintable() for one in told for text in (one.what, one.found, one.asked))


@pytest.mark.parametrize("told", [(), (7,), ("good",) * 3])
def test_a_host_that_tells_nothing_is_bad(told: tuple[object, ...]) -> None:
    assert [(one.what, one.verdict) for one in said_by("n1", told)] == [("host", "bad")]


def test_a_host_that_tells_without_end_is_cut_off_and_bad() -> None:
    one = Finding(hosts=("x",), what="x" * 9000, asked="", found="y" * 9000, verdict="good")
    *told, last = said_by("n1", (one,) * 3000)

    assert len(told) == 1000 and {len(each.what) for each in told} == {128}
    assert last.verdict == "bad" and "2000 more" in last.found
