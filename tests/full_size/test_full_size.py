"""80 TB on 60 drives and ten million files, as far as sizes and lists go: growth is judged, not speed. `make test-slow`

Each size runs in a process of its own; a table is printed, docs/benchmarks.md has one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.full_size, pytest.mark.timeout(7200)]

JOBS = Path(__file__).parents[1] / "full_size_jobs.py"
# Three sizes a test, each several times the one before; FULL_SIZE_SCALE=0.01 tries the tests themselves.
SCALE = float(os.environ.get("FULL_SIZE_SCALE", "1"))
FACTORS = [1, 4, 16] if SCALE == 1 else [1, 2]
COUNTS = [int(count * SCALE) for count in (625_000, 2_500_000, 10_000_000)]
Found = dict[int, dict[str, dict[str, float]]]


def _run(job: list[Path | str], sizes: list[int], folder: Path) -> Found:
    found: Found = {}
    for size in sizes:
        at = folder / str(size)
        at.mkdir()
        done = subprocess.run([sys.executable, *job, str(size), at], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found[size] = json.loads(done.stdout)
        subprocess.run(["rm", "-rf", at], check=True)
        _print(size, found[size])
    return found


def _print(size: int, steps: dict[str, dict[str, float]]) -> None:
    counts = ", ".join(f"{name} {count:,.0f}" for name, count in steps["counts"].items())
    print(f"\nsize {size:,}: {counts}")
    for name, step in steps.items():
        if name != "counts":
            print(f"  {name:26} {step['cpu_seconds']:9.2f} CPU s {step['peak_mib']:9.1f} MiB")


def test_documents_of_80_tb_grow_in_step_with_their_volumes(tmp_path: Path) -> None:
    found = _run([JOBS, "documents"], FACTORS, tmp_path)

    first, last = found[FACTORS[0]], found[FACTORS[-1]]
    growth = last["counts"]["volumes"] / first["counts"]["volumes"]
    assert first["counts"]["volumes"] > 25_000
    for name in ("group documents written", "group documents read", "drives discovered"):
        # Half as much again and a second: the machine is not alone.
        assert last[name]["cpu_seconds"] <= 1.5 * growth * first[name]["cpu_seconds"] + 1, name
    # A volume in memory is about 450 bytes, in its document 270; a reader holds both once, and a drive's twice over.
    spread = last["counts"]["volumes"] - first["counts"]["volumes"]
    grown_bytes = (last["drives discovered"]["peak_mib"] - first["drives discovered"]["peak_mib"]) * 2**20
    assert grown_bytes / spread < 1500
    assert last["assignment"]["peak_mib"] < first["assignment"]["peak_mib"] + 16


def test_the_lists_of_ten_million_files_take_no_more_memory_than_those_of_few(tmp_path: Path) -> None:
    found = _run([JOBS, "entries"], COUNTS, tmp_path)

    first, last = found[COUNTS[0]], found[COUNTS[-1]]
    for name in ("digest", "packing list", "catalogs"):
        assert last[name]["peak_mib"] < first[name]["peak_mib"] + 48, name
        growth = COUNTS[-1] / COUNTS[0]
        assert last[name]["cpu_seconds"] <= 1.5 * growth * first[name]["cpu_seconds"] + 1, name


def test_ten_million_sources_are_listed_sliced_and_settled_in_bounded_memory(tmp_path: Path) -> None:
    found = _run([JOBS.with_name("full_size_prepare.py")], COUNTS, tmp_path)

    first, last = found[COUNTS[0]], found[COUNTS[-1]]
    growth = COUNTS[-1] / COUNTS[0]
    for name in ("list of sources", "slices"):
        assert last[name]["peak_mib"] < first[name]["peak_mib"] + 96, name
    # Choosing and sorting is done in DuckDB, which is given 2 GB and spills what is more.
    for name in ("selection", "index and layout"):
        assert last[name]["peak_mib"] < 3000, name
    for name in ("list of sources", "slices", "selection", "index and layout"):
        assert last[name]["cpu_seconds"] <= 1.5 * growth * first[name]["cpu_seconds"] + 2, name
