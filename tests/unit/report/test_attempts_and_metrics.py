"""Attempts, hosts and goodput as status, the page and Prometheus tell them, read back by Prometheus' own parser."""

import json
from pathlib import Path

import msgspec
from prometheus_client.parser import text_string_to_metric_families

from packtrain.events import HostLost, HostsAwaited, WorkersStarted, discard
from packtrain.ports import ATTEMPTS_NAME, AttemptRecord, StepRecord
from packtrain.record.folder import VoyageFolder
from packtrain.record.live import LiveFile
from packtrain.report.page import page
from packtrain.report.prometheus import metrics_text
from packtrain.report.status_text import fact_lines
from packtrain.report.summarize import summarize
from packtrain.report.summary_json import status_document
from packtrain.report.training_facts import STEPS
from packtrain.training.goodput.timeline import TIMELINE_NAME, Timeline
from packtrain.training.metrics import StepLog
from three_parties import three_parties

HOSTILE = 'h"\\3\n<b>'


def _trained(folder: VoyageFolder, num_attempts: int = 2, num_hosts: int = 3) -> None:
    """Write the logs of attempts of ten steps, a second each; each falls back by two, and loses one host."""
    log, clock = StepLog(folder.logs / STEPS), 0.0
    logs = (folder.logs / STEPS).parent
    timeline = Timeline(logs / TIMELINE_NAME, lambda: clock)
    names = (HOSTILE, *(f"h{number}" for number in range(1, num_hosts)))
    lines: list[bytes] = []
    with timeline.command():
        for number in range(1, num_attempts + 1):
            started = clock
            timeline.take(HostsAwaited(number, (), "1 more host"))
            clock += 4.0
            timeline.take(WorkersStarted(number, tuple(range(2 * num_hosts)), names))
            clock += 6.0
            for step in range(8 * (number - 1), 8 * (number - 1) + 11):
                log.append(StepRecord(number, step, 1.0, 4, clock))
                clock += 1.0
            timeline.take(HostLost(number, HOSTILE, "it is silent"))
            record = AttemptRecord(number, started, clock, "it is silent", None, names, HOSTILE, "step-8")
            lines.append(msgspec.json.encode(record) + b"\n")
    (logs / ATTEMPTS_NAME).write_bytes(b"".join(lines))


def test_prometheus_reads_what_status_says(tmp_path: Path) -> None:
    folder = three_parties(tmp_path)["consignee"]
    _trained(folder)
    live = LiveFile(folder.root, discard)
    live(HostsAwaited(3, ("h2",), "its workers to start"))
    summary = summarize([folder])
    text = metrics_text(summary)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    document = json.loads(json.dumps(status_document(summary)))
    told = document["attempts"]

    def value(name: str, **labels: str) -> float:
        samples = [one for family in families.values() for one in family.samples]
        (found,) = [one.value for one in samples if (one.name, one.labels) == (name, labels)]
        return found

    assert all(family.documentation and name.startswith("packtrain_") for name, family in families.items())
    assert value("packtrain_train_attempts_total") == told["num_attempts"] == 2
    # A name is in one line wherever it is read: its newline became a space.
    assert value("packtrain_train_host_losses_total", host=HOSTILE.replace("\n", " ")) == 2
    assert value("packtrain_train_host_losses_total", host="h1") == 0
    assert value("packtrain_train_goodput_ratio") == told["goodput"]["ratio"]
    assert value("packtrain_train_waiting") == 1
    # Of 42 s: 10 steps of a second each, twice; three were made again; 4 s waited, 6 s started and 1 s ended, twice.
    assert told["goodput"]["seconds"] == {"steps": 17.0, "redone": 3.0, "waiting": 8.0, "starting": 12.0, "ending": 2.0}
    assert document["parties"][0]["live"]["waiting"].startswith("waits for h2: its workers to start (")
    facts = dict(fact_lines(summary))
    assert facts["goodput"].startswith("40.5 % of 42 s")
    assert "3 hosts" in facts["attempt 2"] and "6 ranks" in facts["attempt 2"]
    assert "3 <b>" not in page(summary) and "&lt;b&gt;" in page(summary)


def test_three_hundred_hosts_and_fifty_attempts_are_folded(tmp_path: Path) -> None:
    folder = three_parties(tmp_path)["consignee"]
    _trained(folder, num_attempts=50, num_hosts=300)
    summary = summarize([folder])
    html = page(summary)

    assert summary.attempts is not None
    assert (summary.attempts.num_attempts, len(summary.attempts.hosts)) == (50, 300)
    assert [host.host for host in summary.attempts.hosts[1:11]] == [f"h{number}" for number in range(1, 11)]
    assert "38 earlier attempts" in html and "280 more hosts" in html
    lines = list(fact_lines(summary))
    assert sum(name.startswith("attempt ") for name, _ in lines) == 12
    assert max(len(text) for _, text in lines) < 500
    assert len(json.dumps(status_document(summary))) < 400_000


def test_times_next_to_nothing_tell_no_rate(tmp_path: Path) -> None:
    """The program can write steps.jsonl: steps in the least time that a double knows are not infinitely many."""
    folder = three_parties(tmp_path)["consignee"]
    path = folder.logs / STEPS
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"[1, {step}, 1.0, 4, {'5e-324' if step else 0.0}]\n" for step in range(16)))
    summary = summarize([folder])
    assert "packtrain_train_step 15\n" in metrics_text(summary)
    assert json.loads(json.dumps(status_document(summary), allow_nan=False))["training"]["steps_per_second"] is None
