"""`make bench-cluster`: what it makes of the workers' lines, its tables, its document; faults are for its own runs."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cluster.faults import Outcome, in_words, summary
from bench.cluster.many import bytes_per_host, pss_bytes
from bench.cluster.redis import longest_pause
from bench.cluster.report import GOALS, cell, last_run
from bench.cluster.trace import StepLine, lines_of, recovery, steps_of, workers_of
from bench.jobs import Benchmark, Job, options, run
from bench_cluster import guarded

ROOT = Path(__file__).parents[2]
ASKED = [
    "hangs",
    "worker_kill_seconds",
    "host_kill_seconds",
    "power_off_seconds",
    "false_failovers",
    "leader_loss_seconds",
    "head_loss_seconds",
    "form_300_hosts_seconds",
]


def line(run: str, at: float, **said: Any) -> str:
    return json.dumps({"run": run, "at": at, "rank": 0, "world": 3, **said}) + "\n"


def test_a_torn_line_of_a_worker_that_died_is_left_out() -> None:
    text = line("a", 1.0, step=1) + "not JSON\n[1]\n" + line("a", 2.0, step=2)[:-20]
    assert steps_of(lines_of(text)) == [StepLine("a", 1, 1.0, 3)]


def test_the_next_step_is_one_of_new_workers_and_no_echo_of_the_old() -> None:
    steps = [StepLine("old", 7, 10.0, 3), StepLine("old", 8, 10.3, 3), StepLine("new", 6, 14.5, 2)]
    assert recovery(steps[:2], 10.1) is None
    found = recovery(steps, 10.1)
    assert found is not None
    assert (found.seconds, found.world, found.steps_lost) == (4.4, 2, 3)


@given(st.lists(st.floats(0, 100), max_size=20), st.floats(0, 100))
def test_steps_of_the_same_workers_are_never_a_recovery(moments: list[float], fault_at: float) -> None:
    steps = [StepLine("one", number, at, 3) for number, at in enumerate(sorted(moments), 1)]
    # Workers that made no step before the fault may have been started after it.
    if any(at <= fault_at for at in moments):
        assert recovery(steps, fault_at) is None


def test_the_workers_are_those_that_were_started_last() -> None:
    text = "".join(line(f"a{rank}", 1.0, rank=rank, pid=100 + rank) for rank in range(3))
    text += "".join(line(f"b{rank}", 2.0, rank=rank, pid=200 + rank, world=2) for rank in range(2))
    assert workers_of(lines_of(text)) == {0: 200, 1: 201}
    assert workers_of([]) == {}


def test_a_summary_has_the_median_the_hangs_and_the_ends() -> None:
    outcomes = [
        Outcome("power_off", 9.0, 3, 2, 1),
        Outcome("power_off", 11.0, 3, 2, 4),
        Outcome("power_off", None, 3, hangs=True),
        Outcome("head_loss", None, 2, verdict="the head is gone", verdict_seconds=27.0),
    ]
    found = summary(outcomes)
    assert found["power_off"]["seconds"] == 10.0
    assert found["power_off"]["each"] == [9.0, 11.0]
    assert (found["power_off"]["runs"], found["power_off"]["hangs"]) == (3, 1)
    assert found["head_loss"]["ended"] == ["the head is gone"]
    assert found["head_loss"]["outcomes"] == [asdict(outcomes[3])]
    assert cell(found["power_off"]) == "10.0 s (9.0 to 11.0, 2 runs); hangs"
    assert cell(found["head_loss"]) == "the run ends, after 27 s"
    assert cell(None) == ""
    assert in_words(outcomes[3]) == "head_loss: the run ended after 27.0 s: the head is gone"


def test_a_fault_that_could_not_be_measured_is_said_to_be_so() -> None:
    found = summary([Outcome("power_off", verdict="not measured: no host")])
    assert cell(found["power_off"]) == "not measured"


def test_the_longest_pause_counts_from_the_fault_and_to_the_end() -> None:
    steps = [StepLine("a", number, at, 3) for number, at in enumerate((5.0, 11.0, 12.0, 18.0), 1)]
    assert longest_pause(steps, 10.0, 20.0) == 6.0
    assert longest_pause([], 10.0, 20.0) == 10.0
    assert longest_pause(steps, 12.5, 30.0) == 12.0


def test_the_growth_is_that_from_the_fewest_hosts_to_the_most() -> None:
    sizes = {"1000": {"resident_bytes_re_formed": 30e6}, "4": {"resident_bytes_re_formed": 20e6}}
    assert bytes_per_host({**sizes, "64": {"resident_bytes_re_formed": 1e9}}) == round(10e6 / 996)
    assert bytes_per_host({"4": sizes["4"]}) is None


def test_shared_pages_are_shared_out() -> None:
    assert pss_bytes("a header\nRss:  100 kB\nPss:   12 kB\nPss_Anon: 1 kB\n") == 12 << 10
    assert pss_bytes("") == 0


def test_a_benchmark_that_is_ended_writes_what_it_measured(tmp_path: Path) -> None:
    def ended(_: object) -> Any:
        sys.exit(143)

    job_of: dict[str, Job] = {"first": lambda _: ({"a_seconds": 1.5}, {}), "second": ended, "third": ended}
    benchmark = Benchmark("cluster", "checkpoints", job_of, {"a_seconds": ""}, ())
    arguments = ["--work", str(tmp_path / "work"), "--disk", str(tmp_path), "--output", str(tmp_path / "found.json")]
    run(benchmark, options(None, "cluster", "checkpoints", job_of).parse_args(arguments))
    found = json.loads((tmp_path / "found.json").read_text())
    assert (found["a_seconds"], list(found["jobs"]), found["not_to_be_had"]) == (1.5, ["first"], ["second", "third"])


def test_the_document_begins_with_what_is_asked_for() -> None:
    assert list(GOALS) == ASKED


def test_a_run_becomes_tables_with_what_was_not_measured() -> None:
    machine = {"processor": "P", "cores": 2, "memory_mib": 1, "python": "3", "file_system_of_work": "tmpfs"}
    document: dict[str, Any] = {
        "machine": {**machine, "load_average": [0.1], "day": "2026-11-28"},
        "load_average_after": [1.0],
        "repeats": 1,
        "versions": {"ray": "2.60.0"},
        "command": "make bench-cluster",
        "figures": {"power_off_seconds": 9.0, "hangs": 0.0, "driver_bytes_per_host": 1700},
        "jobs": {
            "faults": {"packtrain": summary([Outcome("power_off", 9.0, 3, 2)]), "again_on_a_new_head": {}},
            "torchrun": {"torchrun": summary([Outcome("power_off", None, 3, hangs=True)])},
            "ray-train": {"went_wrong": "no memory"},
            "simulated": {
                "hosts": {
                    "300": {
                        "form_seconds": 2.45,
                        "notice_seconds": 11.0,
                        "re_form_seconds": 15.2,
                        "questions_per_second": 294.0,
                        "driver_cpu_seconds_per_second": 0.015,
                        "resident_bytes_re_formed": 26 << 20,
                    }
                }
            },
            "real": {"hosts": {"16": {"left_out": "too little memory"}}},
        },
    }
    text = last_run(document)
    assert "| a host loses power | 9.0 s | hangs |" in text
    assert "| 300 | 2.45 | 11.0 | 15.2 | 294 | 0.015 | 26.0 |" in text
    assert "| 16 | left out too little memory |" in text
    assert "Not measured, `ray-train`: no memory" in text
    assert "| `power_off_seconds` | 9.00 | at most 30 |" in text
    assert "| `head_loss_seconds` | not measured | at most 60 |" in text


@pytest.mark.parametrize("error", [RuntimeError("no hosts"), AssertionError("a traceback\nip is refused")])
def test_a_job_that_goes_wrong_costs_its_own_figures_and_no_others(error: Exception, capsys: Any) -> None:
    def job(work: Any) -> Any:
        raise error

    work = SimpleNamespace(not_to_be_had=[])
    figures, details = guarded("steady", job)(cast("Any", work))
    assert (figures, work.not_to_be_had) == ({}, ["steady"])
    assert details == {"went_wrong": f"{type(error).__name__}: {str(error).splitlines()[-1]}"}
    assert str(error) in capsys.readouterr().err


def test_there_is_no_other_job() -> None:
    script = [sys.executable, ROOT / "scripts" / "bench_cluster.py"]
    done = subprocess.run([*script, "--only", "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, "no such job: nothing" in done.stderr) == (1, True)
