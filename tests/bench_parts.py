"""A benchmark of several jobs, run small: what the tests of `make bench-prepare` and `make bench-train` share."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
DEMO_DATA = ROOT / "build" / "demo-data"

needs_demo_data = pytest.mark.skipif(
    not (DEMO_DATA / "clips").is_dir(), reason="build/demo-data is fetched by `make demo-data`"
)


def run_benchmark(script: str, jobs: str, folder: Path, asked: Sequence[str]) -> dict[str, Any]:
    """Run jobs of a script on a fiftieth of the data, without peers; return the document, which begins with `asked`."""
    output = folder / "bench.json"
    arguments = ["--scale", "0.02", "--repeats", "1", "--only", jobs, "--demo-data", str(DEMO_DATA)]
    places = ["--work", str(folder), "--disk", str(folder), "--peers", str(folder / "none"), "--output", str(output)]
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script, *arguments, *places], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(output.read_text())
    assert list(document)[: len(asked)] == list(asked)
    assert not list(folder.glob("packtrain-bench-*"))
    return document
