"""CSV to Parquet: packtrain's whole `prepare` beside DuckDB's own COPY of the same files, run in turn.

python scripts/bench/csv_job.py FOLDER [--megabytes 240] [--rounds 5] [--block-rows 10000] [--seed 7]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

NUM_FILES: Final = 8
_SECTIONS: Final = 5_000  # different texts; the numbers of every row are its own
_WORDS: Final = [
    "basalt",
    "copper",
    "drill",
    "ridge",
    "valley",
    "station",
    "north",
    "south",
    "river",
    "glacier",
    "sample",
    "assay",
    "borehole",
    "granite",
    "shale",
    "quartz",
    "seam",
    "depth",
    "pump",
    "valve",
    "survey",
    "camp",
    "mule",
    "bridge",
    "ford",
    "saddle",
    "rope",
    "lantern",
    "ledger",
    "stove",
    "tent",
    "spring",
    "ice",
    "wind",
    "cairn",
]
_COPY: Final = """
import sys, duckdb
connection = duckdb.connect(":memory:", config={"threads": sys.argv[1]})
for path in sys.argv[3:]:
    target = sys.argv[2] + "/" + path.rsplit("/", 1)[1] + ".parquet"
    connection.execute(
        f"COPY (SELECT * FROM read_csv('{path}', all_varchar=true, header=true)) TO '{target}'"
        " (FORMAT parquet, COMPRESSION zstd)"
    )
"""
COLUMNS: Final = [
    "id",
    "station",
    "postcode",
    "taken_on",
    "taken_at",
    "latitude",
    "longitude",
    "depth_m",
    "grade",
    "mass_kg",
    "temperature",
    "pressure",
    "state",
    "note",
    "operator",
    "checked",
]


def make_csv_set(folder: Path, num_bytes: int, seed: int) -> list[Path]:
    """Write 8 CSV files of 16 columns of words, numbers and days, `num_bytes` in all; return their paths.

    The same seed gives the same bytes. Notes have quotes, commas and empty cells, as people write them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    for number in range(NUM_FILES):
        draw = random.Random(f"{seed} {number}")
        rows = [_row(draw) for _ in range(_SECTIONS)]
        path = folder / f"stations-{number}.csv"
        written = serial = 0
        with path.open("w", encoding="utf-8", newline="") as stream:
            written += stream.write(",".join(COLUMNS) + "\n")
            while written < num_bytes // NUM_FILES:
                serial += 1
                before, after = rows[draw.randrange(_SECTIONS)]
                north, east, grade = draw.random(), draw.random(), draw.random()
                written += stream.write(
                    f"{number}{serial:08d},{before},{north * 160 - 80:.6f},{east * 360 - 180:.6f},"
                    f"{900 * east * north:.2f},{grade:.5f},{grade * north * 500:.1f},{after}\n"
                )
        paths.append(path)
    return paths


def _row(draw: random.Random) -> tuple[str, str]:
    """Return the cells before and after the numbers that no two rows share."""
    words = " ".join(draw.choices(_WORDS, k=draw.randrange(1, 12)))
    note = draw.choice(("", words, f'"{words}, ""{draw.choice(_WORDS)}"""', f'"{words}, then {draw.choice(_WORDS)}"'))
    before = (
        f"{draw.choice(_WORDS)}-{draw.randrange(400):03d}",
        f"{draw.randrange(100_000):05d}",
        f"20{draw.randrange(10, 27)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}",
        f"{draw.randrange(24):02d}:{draw.randrange(60):02d}:{draw.randrange(60):02d}",
    )
    after = (
        f"{draw.gauss(8, 12):.1f}",
        f"{draw.gauss(1013, 20):.0f}",
        draw.choice(("done", "open", "open", "lost", "")),
        note,
        f"{draw.choice('ABCDEFGHIJ')}. {draw.choice(_WORDS).title()}",
        draw.choice(("true", "false")),
    )
    return ",".join(before), ",".join(after)


def packtrain_seconds(folder: Path, block_rows: int = 10_000, num_workers: int | None = None) -> float:
    """Return what `packtrain prepare` of all files below `folder` takes in a fresh voyage folder, as a process.

    From the start of the process to its end: data set, index, digests, data scan, cards and miniature are written.
    """
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        voyage = Path(name)
        _voyage_folder(voyage, folder, block_rows)
        workers = str(num_workers or os.cpu_count() or 1)
        return _seconds([sys.executable, "-m", "packtrain", "prepare", str(voyage), "--workers", workers])


def duckdb_seconds(folder: Path, num_threads: int | None = None) -> float:
    """Return what DuckDB's COPY of each CSV file below `folder` to a Parquet file with zstd takes, as a process."""
    paths = [str(path) for path in sorted(folder.glob("*.csv"))]
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        return _seconds([sys.executable, "-c", _COPY, str(num_threads or os.cpu_count() or 1), name, *paths])


def _voyage_folder(voyage: Path, sources: Path, block_rows: int) -> None:
    from packtrain.crypto import age
    from packtrain.crypto.sshsig import generate_key_pair

    (voyage / "voyage.toml").write_text(
        f'[voyage]\nname = "csv job"\n\n[sources]\npaths = ["{sources.resolve()}"]\n\n'
        # The miniature is no part of the other's work: the least there can be of it.
        f"[prepare]\ntable_block_rows = {block_rows}\nminiature_samples = 4\n"
    )
    generate_key_pair(voyage / "keys" / "signer", "csv job")
    (voyage / "keys" / "identity.txt").write_text(age.generate_identity())


def _seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    elapsed = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{arguments[:4]}: exit status {done.returncode}: {done.stderr[-2000:]}")
    return elapsed


def main() -> None:
    """Run both in turn; print medians and the median of the paired ratios as one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--block-rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    sources: Path = given.folder / "sources"
    if not sources.exists():
        make_csv_set(sources, given.megabytes * 1_000_000, given.seed)
    total = sum(path.stat().st_size for path in sources.iterdir())
    pairs = [(packtrain_seconds(sources, given.block_rows), duckdb_seconds(sources)) for _ in range(given.rounds)]
    print(
        json.dumps(
            {
                "megabytes": round(total / 1e6),
                "block_rows": given.block_rows,
                "packtrain_seconds": round(statistics.median(ours for ours, _ in pairs), 2),
                "duckdb_seconds": round(statistics.median(theirs for _, theirs in pairs), 2),
                "csv_speed_vs_duckdb_copy": round(statistics.median(theirs / ours for ours, theirs in pairs), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
