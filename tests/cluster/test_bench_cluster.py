"""`make bench-cluster` on scripted hosts: that it runs, and what its document has. No time is judged.

The other jobs take minutes of a machine that nothing else uses; tests/unit/test_bench_cluster.py has what is pure.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.cluster.report import GOALS, last_run

SCRIPT = Path(__file__).parents[2] / "scripts" / "bench_cluster.py"

pytestmark = pytest.mark.cluster


def test_scripted_hosts_are_formed_and_formed_anew(tmp_path: Path) -> None:
    output = tmp_path / "bench.json"
    arguments = ["--only", "simulated", "--scale", "0.02", "--work", tmp_path, "--disk", tmp_path, "--json", output]
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(output.read_text())
    assert list(document)[: len(GOALS)] == list(GOALS)
    assert [name for name in GOALS if document[name] is not None] == ["form_300_hosts_seconds"]
    hosts = document["jobs"]["simulated"]["hosts"]
    assert list(hosts) == ["4", "300"]
    for found in hosts.values():
        assert found["re_form_seconds"] > found["notice_seconds"] > 0
    assert last_run(document) in done.stdout
    assert not list(tmp_path.glob("packtrain-bench-*"))
