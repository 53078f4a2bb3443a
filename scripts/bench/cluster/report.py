"""The goals of `make bench-cluster`, and the way of its figures to the section of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bench.goals import about_run, goals_markdown

GOALS: Final[Mapping[str, str]] = {
    "hangs": "0",
    "worker_kill_seconds": "",
    "host_kill_seconds": "",
    "power_off_seconds": "at most 30",
    "false_failovers": "0",
    "leader_loss_seconds": "",
    "head_loss_seconds": "at most 60",
    "form_300_hosts_seconds": "",
}
LAUNCHERS: Final[Mapping[str, str]] = {
    "packtrain": "packtrain",
    "torchrun": "torchrun",
    "ray_train": "Ray Train, its own settings",
    "ray_train_quick": "Ray Train, quick settings",
}
FAULTS: Final[Mapping[str, str]] = {
    "worker_kill": "a worker is killed",
    "host_kill": "a host's processes are killed",
    "power_off": "a host loses power",
    "leader_loss": "the host of rank 0 loses power",
    "head_loss": "Ray's head loses power",
}


def last_run(document: Mapping[str, Any]) -> str:
    """Return one run as Markdown: machine, figures beside their goals, then the jobs."""
    jobs = document["jobs"]
    lines = about_run(document, f"work on {document['machine']['file_system_of_work']}")
    shown = {name: document["figures"].get(name) for name in GOALS}
    lines += goals_markdown(shown, GOALS)
    of = {name: job[name] for name in LAUNCHERS for job in jobs.values() if isinstance(job.get(name), Mapping)}
    if of:
        lines += _faults(of)
    if again := jobs.get("faults", {}).get("again_on_a_new_head"):
        lines += ["", f"Without Redis, the same command on a new head: {_told(again)}."]
    if (redis := jobs.get("redis")) and "went_wrong" not in redis:
        lines += ["", f"The head lost with its state in Redis, and back again: {_told(redis)}."]
    if steady := jobs.get("steady"):
        lines += ["", *_steady(steady, document["figures"])]
    if simulated := jobs.get("simulated", {}).get("hosts"):
        lines += _simulated(simulated, document["figures"])
    if real := jobs.get("real", {}).get("hosts"):
        lines += _real(real)
    for name in ("prepare", "load"):
        if seconds := jobs.get(name, {}).get("seconds"):
            each = "; ".join(f"{told}: {', '.join(map(str, values))}" for told, values in seconds.items())
            lines += ["", f"Seconds of {name}, one machine of {document['machine']['cores']} cores: {each}."]
    for name, job in jobs.items():
        if "went_wrong" in job:
            lines += ["", f"Not measured, `{name}`: {job['went_wrong']}"]
    return "\n".join(lines) + "\n"


def cell(found: Mapping[str, Any] | None) -> str:
    """Return what became of one fault under one launcher: seconds with their spread, hangs, ends."""
    if found is None:
        return ""
    told: list[str] = []
    each: Sequence[float] = found["each"]
    if each:
        spread = f" ({min(each):.1f} to {max(each):.1f}, {len(each)} runs)" if len(each) > 1 else ""
        told.append(f"{found['seconds']:.1f} s{spread}")
    if found["hangs"]:
        told.append(f"hangs{_times(found['hangs'])}")
    ended = [outcome for outcome in found["outcomes"] if outcome["verdict_seconds"] is not None]
    if ended:
        seconds = ", ".join(f"{outcome['verdict_seconds']:.0f}" for outcome in ended)
        told.append(f"the run ends, after {seconds} s")
    if len(ended) < len(found["ended"]):
        told.append("not measured")
    return "; ".join(told)


def _times(number: int) -> str:
    return f", {number} times" if number > 1 else ""


def _faults(of: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["", f"| fault | {' | '.join(LAUNCHERS[name] for name in of)} |", f"| --- |{' ---: |' * len(of)}"]
    for fault, words in FAULTS.items():
        cells = [cell(found.get(fault)) for found in of.values()]
        if any(cells):
            lines.append(f"| {words} | {' | '.join(cells)} |")
    return lines


def _steady(job: Mapping[str, Any], figures: Mapping[str, Any]) -> list[str]:
    if "undisturbed_seconds" not in job:
        return []
    return [
        f"Nothing happens for {job['undisturbed_seconds']} s: {figures['false_failovers_undisturbed']:.0f} failovers; "
        f"nothing but busy cores on all hosts for {job['loaded_seconds']} s: "
        f"{figures['false_failovers_loaded']:.0f} failovers."
    ]


def _simulated(hosts: Mapping[str, Mapping[str, float]], figures: Mapping[str, Any]) -> list[str]:
    lines = ["", "| scripted hosts | form s | notice a silent one s | form anew s | questions a second |"]
    lines[-1] += " driver's CPU share | resident MiB |"
    lines += [f"| ---: |{' ---: |' * 6}"]
    for count, found in hosts.items():
        lines.append(
            f"| {count} | {found['form_seconds']:.2f} | {found['notice_seconds']:.1f} | {found['re_form_seconds']:.1f} "
            f"| {found['questions_per_second']:.0f} | {found['driver_cpu_seconds_per_second']:.3f} "
            f"| {found['resident_bytes_re_formed'] / 2**20:.1f} |"
        )
    grown = figures.get("driver_bytes_per_host")
    return lines if grown is None else [*lines, "", f"The driver grows by {grown / 1000:.1f} kB a host."]


def _real(hosts: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines = ["", "| hosts with Ray | Ray up s | form s | form anew after a power-off s | Ray's processes MiB a host |"]
    lines[-1] += " driver MiB | driver's CPU share |"
    lines += [f"| ---: |{' ---: |' * 6}"]
    for count, found in hosts.items():
        if "form_seconds" not in found:
            lines.append(f"| {count} | {_told(found)} |  |  |  |  |  |")
            continue
        again = "none" if found["re_form_seconds"] is None else f"{found['re_form_seconds']:.1f}"
        lines.append(
            f"| {count} | {found['ray_start_seconds']:.0f} | {found['form_seconds']:.1f} | {again} "
            f"| {found['ray_bytes_per_host'] / 2**20:.0f} | {found['driver_bytes'] / 2**20:.0f} "
            f"| {found['driver_cpu_seconds_per_second']:.3f} |"
        )
    return lines


def _told(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in found.items() if name != "seconds_in_all")
