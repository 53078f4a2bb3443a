"""How fast packing, restoring and checking are, beside restic, borg and tar | age + par2, on the same bytes in one run.

Prints a table and writes JSON. Rounds are interleaved (every program once, then again), so that noise of the machine
hits all; medians are reported. What was restored is compared in the first round, outside of the time.

    python scripts/bench_cargo.py --bytes 100MB --small-files 5000 --repeats 1 --only "packtrain,tar | age"
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench import report
from bench.contenders import AgePar2, Borg, Contender, Packtrain, Restic, find, restored, version
from bench.corpora import Corpus, make_large_files, make_small_files, tree_digest
from bench.environment import roomy_folder
from bench.goals import goals_table
from bench.measure import Measured, Step, hash_rate, machine_facts, run
from bench.touched import available_bytes, touched_memory
from packtrain import __version__
from packtrain.units import GIB, MIB, parse_bytes

_ROOT: Final = Path(__file__).parents[1]
# Corpus, what is packed from it and what is restored lie there at the same time; a small file fills whole pages.
_ROOM_PER_BYTE: Final = 4
_ROOM_PER_SMALL_FILE: Final = 16 * 1024
# What the programs themselves use, and what is left alone of the machine's memory.
_ROOM_FOR_PROGRAMS: Final = 2 * GIB
_LEFT_ALONE: Final = 3 * GIB


def main() -> None:
    """Run the benchmark that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bytes", type=parse_bytes, default=parse_bytes("2GB"), help="of the large files (2GB)")
    parser.add_argument("--small-files", type=int, default=200_000, help="how many small files (200000)")
    parser.add_argument("--repeats", type=int, default=3, help="rounds (3)")
    parser.add_argument("--work", type=Path, help="folder to work in; else /dev/shm where it is large enough")
    parser.add_argument("--peers", type=Path, default=_ROOT / "build" / "bench-peers", help="where peers are installed")
    parser.add_argument(
        "--touch", type=parse_bytes, help="memory to write to before anything is measured; else as much as will be used"
    )
    parser.add_argument("--only", default="", help="beginnings of the names of programs, with commas between")
    parser.add_argument("--output", type=Path, default=_ROOT / "build" / "bench-cargo.json")
    given = parser.parse_args()
    needed_bytes = max(_ROOM_PER_BYTE * given.bytes, _ROOM_PER_SMALL_FILE * given.small_files)
    work = given.work or roomy_folder(needed_bytes)
    wanted = [name.strip() for name in given.only.split(",") if name.strip()]
    contenders, versions, absent = _contenders(given.peers, wanted)
    for name in absent:
        print(f"not to be had: {name}")
    touched_bytes = needed_bytes + _ROOM_FOR_PROGRAMS if given.touch is None else given.touch
    touched_bytes = max(0, min(touched_bytes, available_bytes() - _LEFT_ALONE))
    with (
        touched_memory(touched_bytes),
        tempfile.TemporaryDirectory(prefix="packtrain-bench-", dir=work) as folder,
    ):
        document = _benchmark(Path(folder), contenders, given.bytes, given.small_files, given.repeats)
    document["memory_touched_before_bytes"] = touched_bytes
    document["versions"] = versions
    document["settings"] = {contender.name: contender.settings for contender in contenders}
    document["not_to_be_had"] = absent
    # Without the folders of this machine: what somebody else types to repeat it.
    options = f"--bytes {given.bytes} --small-files {given.small_files} --repeats {given.repeats}"
    only = f" --only '{given.only}'" if given.only else ""
    document["command"] = f'make bench-cargo BENCH_ARGS="{options}{only}"'
    for name, text in versions.items():
        print(f"{name}: {text}")
    for contender in contenders:
        print(f"{contender.name}: {contender.settings}")
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(json.dumps(document, indent=2) + "\n")


def _contenders(peers: Path, wanted: list[str]) -> tuple[list[Contender], dict[str, str], list[str]]:
    """Return the programs to compare, the versions of all that run, and what is missing."""
    programs = {name: find(name, peers) for name in ("age", "par2", "restic", "borg")}
    absent = [name for name, path in programs.items() if path is None]
    found: list[Contender] = [Packtrain()]
    if (age := programs["age"]) is not None:
        with_par2 = not wanted or any(name.startswith("tar | age +") for name in wanted)
        found.append(AgePar2(age, programs["par2"] if with_par2 else None))
    for compression in ("off", "auto"):
        if (restic := programs["restic"]) is not None:
            found.append(Restic(restic, compression))
    for compression in ("none", "lz4"):
        if (borg := programs["borg"]) is not None:
            found.append(Borg(borg, compression))
    arguments = {"age": "--version", "par2": "--version", "restic": "version", "borg": "--version"}
    versions = {"packtrain": __version__}
    versions |= {name: version([path, arguments[name]]) for name, path in programs.items() if path is not None}
    return [contender for contender in found if not wanted or _named(contender.name, wanted)], versions, absent


def _named(name: str, wanted: list[str]) -> bool:
    return any(name.startswith(beginning) for beginning in wanted)


def _benchmark(
    work: Path, contenders: list[Contender], total_bytes: int, num_small_files: int, repeats: int
) -> dict[str, object]:
    facts = machine_facts(work)
    print(", ".join(f"{name}: {value}" for name, value in facts.items()))
    makers: list[Callable[[], Corpus]] = []
    if total_bytes:
        makers.append(lambda: make_large_files(work / "corpus", total_bytes))
    if num_small_files:
        makers.append(lambda: make_small_files(work / "corpus", num_small_files))
    times: dict[str, dict[str, dict[str, list[Measured]]]] = {}
    corpora: dict[str, dict[str, int]] = {}
    abouts: dict[str, str] = {}
    stored: dict[str, dict[str, int]] = {}
    said: dict[str, dict[str, dict[str, str]]] = {}
    rates_alone: list[float] = []
    rates_all: list[float] = []
    cores = len(os.sched_getaffinity(0))
    for make in makers:
        corpus = make()
        corpora[corpus.name] = {"files": corpus.num_files, "bytes": corpus.total_bytes}
        abouts[corpus.name] = corpus.about
        rounds = _Rounds(work, corpus)
        for number in range(repeats):
            hashed_bytes = min(256 * MIB, max(8 * MIB, corpus.total_bytes))
            rates_alone.append(hash_rate(1, hashed_bytes))
            rates_all.append(hash_rate(cores, hashed_bytes))
            for contender in contenders:
                rounds.run(contender, number)
            rounds.run_copy(number)
        times[corpus.name], stored[corpus.name], said[corpus.name] = rounds.times, rounds.stored, rounds.said
        shutil.rmtree(corpus.folder)
    found = report.figures(times, corpora, stored, rates_all)
    print(report.table(times, corpora))
    print(goals_table(found, report.GOALS))
    more = report.more_figures(times, corpora, stored, rates_all)
    for name, value in more.items():
        print(f"{name}: {'not measured' if value is None else value}")
    facts |= {
        "hashlib_sha256_bytes_per_cpu_second_alone": round(sorted(rates_alone)[len(rates_alone) // 2]),
        "hashlib_sha256_bytes_per_cpu_second_all_cores": round(sorted(rates_all)[len(rates_all) // 2]),
        "load_average_after": [round(value, 2) for value in os.getloadavg()],
    }
    return {
        **found,
        "more": more,
        "machine": facts,
        "corpora": {name: {**sizes, "about": abouts[name]} for name, sizes in corpora.items()},
        "repeats": repeats,
        "medians": {
            corpus: {
                name: {operation: report.median(measured) for operation, measured in operations.items()}
                for name, operations in by_name.items()
            }
            for corpus, by_name in times.items()
        },
        "rounds": {
            corpus: {
                name: {operation: [round(m.wall_seconds, 3) for m in measured] for operation, measured in ops.items()}
                for name, ops in by_name.items()
            }
            for corpus, by_name in times.items()
        },
        "stored_bytes": stored,
        "said": said,
    }


class _Rounds:
    """Runs contenders on one corpus and keeps what they took."""

    def __init__(self, work: Path, corpus: Corpus) -> None:
        self.times: dict[str, dict[str, list[Measured]]] = {}
        self.stored: dict[str, int] = {}
        self.said: dict[str, dict[str, str]] = {}
        self._work = work
        self._corpus = corpus
        self._digest = tree_digest(corpus.folder)

    def run(self, contender: Contender, number: int) -> None:
        """Run all operations of a contender once, in a fresh folder."""
        folder = self._work / "round"
        folder.mkdir()
        contender.prepare(folder, self._corpus.folder)
        for operation, steps in contender.operations(folder, self._corpus.folder).items():
            if operation.startswith("restore"):
                restored(folder).mkdir()
            measured = self._measure(contender.name, operation, *steps)
            if measured.output.strip():
                self.said.setdefault(contender.name, {})[operation] = measured.output.strip()[-1000:]
            if operation.startswith("restore"):
                if number == 0 and tree_digest(restored(folder)) != self._digest:
                    raise SystemExit(f"{contender.name}: {operation}: other files came back than were packed")
                shutil.rmtree(restored(folder))
                shutil.rmtree(folder / "load", ignore_errors=True)
        self.stored[contender.name] = contender.stored_bytes(folder)
        shutil.rmtree(folder)

    def run_copy(self, number: int) -> None:
        """Copy as many bytes as packtrain wrote over bytes that are there already: what memory itself takes."""
        folder = self._work / "copy"
        folder.mkdir()
        blocks = max(1, self.stored.get("packtrain", self._corpus.total_bytes) >> 20)
        for name in ("from", "to"):
            fill = ["dd", "if=/dev/zero", f"of={folder / name}", "bs=1M", f"count={blocks}"]
            subprocess.run(fill, check=True, capture_output=True)
        copy = ["dd", f"if={folder / 'from'}", f"of={folder / 'to'}", "bs=1M", "conv=notrunc"]
        self._measure("cp", "as much as packtrain wrote", Step("copy", copy, folder, {}))
        shutil.rmtree(folder)

    def _measure(self, name: str, operation: str, *steps: Step) -> Measured:
        started = time.strftime("%H:%M:%S")
        measured = run(steps[0])
        for step in steps[1:]:
            measured = measured.then(run(step))
        self.times.setdefault(name, {}).setdefault(operation, []).append(measured)
        print(f"{started} {self._corpus.name}: {name}: {operation}: {measured.wall_seconds:.2f} s", file=sys.stderr)
        return measured


if __name__ == "__main__":
    main()
