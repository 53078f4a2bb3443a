"""Many hosts: scripted ones by the hundred, and real Ray on as many as this machine bears."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from bench.cluster.faults import HANG_SECONDS, POWER_OFF, in_words, one_line, say, strike
from bench.cluster.ours import session_of
from bench.measure import Step
from bench.prepare import voyage
from bench.prepare.work import Figures, Work, fresh
from packtrain.ports import HostsWanted

_SCRIPTED: Final = Path(__file__).with_name("simulated.py")
_LIGHT: Final = Path(__file__).with_name("light_program.py")
_NUM_SCRIPTED: Final = (4, 16, 64, 300, 1000)
_NUM_SCRIPTED_SMALL: Final = (4, 300)
_SMALL: Final = 0.1  # below this scale it is a try of the script: few hosts, little patience
_SMALL_SILENT_SECONDS: Final = 2.0
_NUM_REAL: Final = (4, 8, 16)
_NUM_REAL_SMALL: Final = (4, 8)
_POLLED_SECONDS: Final = 5.0
_WATCHED_SECONDS: Final = 10.0
# Ray's processes of one host and one worker of a training without torch; and what others on the machine need.
_BYTES_A_HOST: Final = 500 << 20
_SPARE_BYTES: Final = 2 << 30
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def simulated(work: Work) -> tuple[Figures, dict[str, Any]]:
    """Form, poll, lose one, form anew: each number of hosts in a process of its own."""
    found: dict[str, dict[str, float]] = {}
    is_small = work.scale < _SMALL
    silent_seconds = _SMALL_SILENT_SECONDS if is_small else HostsWanted().silent_seconds
    polled_seconds = _POLLED_SECONDS / 10 if is_small else _POLLED_SECONDS
    for count in _NUM_SCRIPTED_SMALL if is_small else _NUM_SCRIPTED:
        with fresh(work.folder / "simulated") as place:
            arguments = [sys.executable, str(_SCRIPTED), str(count), str(place)]
            arguments += [str(polled_seconds), str(silent_seconds)]
            measured = work.measure(Step(f"simulated, {count} hosts", arguments, place, voyage.WITH_SCRIPTS))
        if measured is not None:
            found[str(count)] = {**json.loads(measured.output), "peak_bytes": measured.peak_bytes}
    at_300 = found.get("300", {})
    return {
        "form_300_hosts_seconds": at_300.get("form_seconds"),
        "re_form_300_hosts_seconds": at_300.get("re_form_seconds"),
        "driver_cpu_share_at_300_hosts": at_300.get("driver_cpu_seconds_per_second"),
        "driver_bytes_per_host": bytes_per_host(found),
    }, {"hosts": found, "silent_seconds": silent_seconds}


def bytes_per_host(found: dict[str, dict[str, float]]) -> float | None:
    """Return by how much the driver grows with each host: from the fewest to the most that were measured."""
    counts = sorted(map(int, found))
    if len(counts) < 2:
        return None
    least, most = found[str(counts[0])], found[str(counts[-1])]
    return round((most["resident_bytes_re_formed"] - least["resident_bytes_re_formed"]) / (counts[-1] - counts[0]))


def real(work: Work) -> tuple[Figures, dict[str, Any]]:
    """The real command over real Ray, with a program that imports nothing, so that Ray and the driver are measured."""
    found: dict[str, Any] = {}
    for count in _NUM_REAL if work.scale >= 1 else _NUM_REAL_SMALL:
        needed = count * _BYTES_A_HOST + _SPARE_BYTES
        if (free := _available_bytes()) < needed:
            found[str(count)] = {"left_out": f"{free >> 20} MiB of memory are free, {needed >> 20} wanted"}
            work.not_to_be_had.append(f"Ray on {count} hosts")
            continue
        try:
            found[str(count)] = _on_real_hosts(work.folder / "real", count)
        except (AssertionError, OSError, RuntimeError) as error:
            say(f"ray on {count} hosts: {one_line(error)}")
            found[str(count)] = {"went_wrong": one_line(error)}
    return {
        f"{name}_on_{count}_ray_hosts": of[name]
        for count, of in found.items()
        for name in ("form_seconds", "re_form_seconds", "ray_bytes")
        if name in of
    }, {"hosts": found}


def _on_real_hosts(place: Path, count: int) -> dict[str, Any]:
    started = time.monotonic()
    with session_of(place, num_worker_hosts=count, program=_LIGHT) as session:
        session.start()
        command_at = session.command_at
        if not session.wait_for_steps(1):
            raise RuntimeError(f"no first step: {session.verdict()}")
        first = session.trace.steps()[0]
        of_ray, of_driver, driver = _memory(session.hosts.hosts)
        cpu_before = _cpu_seconds(driver)
        time.sleep(_WATCHED_SECONDS)
        cpu = (_cpu_seconds(driver) - cpu_before) / _WATCHED_SECONDS
        attempt = len(session.attempts())
        outcome = strike(session, POWER_OFF, HANG_SECONDS)
        found = {
            "ray_start_seconds": round(command_at - started, 1),
            "form_seconds": round(first.at - command_at, 2),
            "world": first.world,
            "ray_bytes": of_ray,
            "ray_bytes_per_host": round(of_ray / (count + 1)),
            "driver_bytes": of_driver,
            "driver_cpu_seconds_per_second": round(cpu, 4),
            "re_form_seconds": outcome.seconds,
            "re_formed_world": outcome.world,
            "attempts_that_ended": len(session.attempts()) - attempt,
        }
    say(f"ray on {count} hosts: formed after {found['form_seconds']} s; {in_words(outcome)}")
    return found


def _memory(hosts: Iterable[Any]) -> tuple[int, int, int]:
    """Return the bytes of all processes of the hosts but the driver's, the driver's, and the driver's process id.

    Shared pages are shared out among those that share them (PSS).
    """
    of_ray, of_driver, driver = 0, 0, 0
    for host in hosts:
        for process in host.processes():
            try:
                command = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
                rollup = Path(f"/proc/{process}/smaps_rollup").read_text("ascii")
            except OSError:
                continue
            num_bytes = pss_bytes(rollup)
            if b"packtrain" in command and b"train" in command:
                of_driver, driver = of_driver + num_bytes, process
            else:
                of_ray += num_bytes
    return of_ray, of_driver, driver


def pss_bytes(rollup: str) -> int:
    """Return the proportional set size of /proc/PID/smaps_rollup."""
    return next((int(line.split()[1]) << 10 for line in rollup.split("\n") if line.startswith("Pss:")), 0)


def _cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _available_bytes() -> int:
    lines = Path("/proc/meminfo").read_text("ascii").split("\n")
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
