"""What every job of `make bench-prepare` and `make bench-train` gets, and what it gives back."""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.measure import Measured, Step, StepFailed, run

# Ray, Daft and what reads from a hub report home unless told otherwise.
NO_TELEMETRY: Final = {"DO_NOT_TRACK": "1", "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}

Figures = dict[str, float | bool | None]


@dataclass(slots=True)
class Work:
    """Where a job works and how much of it is asked for.

    Attributes:
        folder: for what is measured: a memory file system where there is room.
        disk: on a real file system, for what is read cold.
        demo_data: real pictures, films and tables.
        peers: Python of the peers' environment; None where there is none.
        scale: of the corpora; 1 is what the figures are meant for.
    """

    folder: Path
    disk: Path
    demo_data: Path
    peers: Path | None
    repeats: int
    scale: float
    seed: int
    not_to_be_had: list[str] = field(default_factory=list[str])

    def scaled(self, number: int, least: int) -> int:
        """Return a number at this scale."""
        return max(least, round(number * self.scale))

    def peer_step(self, label: str, script: str, *arguments: str, at: Path) -> Step | None:
        """Return a script of this folder as a command of the peers' Python."""
        if self.peers is None:
            return None
        return Step(label, [str(self.peers), str(Path(__file__).parent / script), *arguments], at, NO_TELEMETRY)

    def measure(self, step: Step) -> Measured | None:
        """Run a step and tell how long it took; None (and a name in `not_to_be_had`) where it fails."""
        started = time.strftime("%H:%M:%S")
        try:
            measured = run(step)
        except StepFailed as error:
            print(f"{started} {error}", file=sys.stderr)
            if step.label not in self.not_to_be_had:
                self.not_to_be_had.append(step.label)
            return None
        print(f"{started} {step.label}: {measured.wall_seconds:.2f} s", file=sys.stderr)
        return measured


@contextlib.contextmanager
def fresh(folder: Path) -> Iterator[Path]:
    """Yield an empty folder that is removed at the end."""
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def bytes_below(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(os.lstat(path).st_size for path in folder.rglob("*") if path.is_file())


def medians(measured: Sequence[Measured]) -> dict[str, float]:
    """Return the medians over the rounds."""
    return {
        "wall_seconds": round(statistics.median(each.wall_seconds for each in measured), 3),
        "cpu_seconds": round(statistics.median(each.cpu_seconds for each in measured), 3),
        "peak_rss_mib": round(statistics.median(each.peak_bytes for each in measured) / 2**20, 1),
    }


def medians_by_name(rates: Mapping[str, Mapping[str, Sequence[float]]], digits: int) -> dict[str, dict[str, float]]:
    """Return form -> name -> the median over the rounds; whole numbers where no digits are asked for."""
    return {
        form: {name: round(statistics.median(each), digits or None) for name, each in of.items()}
        for form, of in rates.items()
    }


def same_samples(contents: Mapping[str, tuple[int, int, str]]) -> dict[str, object]:
    """Return how many samples and bytes every reader gave, and which readers did.

    Args:
        contents: reader -> samples, bytes, and a digest over them.

    Raises:
        SystemExit: they gave different samples: their figures compare nothing.
    """
    if len(set(contents.values())) > 1:
        raise SystemExit(f"the readers gave different samples: {contents}")
    num_samples, num_bytes, _ = contents.get("packtrain", (0, 0, ""))
    return {"samples": num_samples, "bytes": num_bytes, "same_bytes_from_all": sorted(contents)}


def ratio(base: Mapping[str, float] | None, ours: Mapping[str, float] | None) -> float | None:
    """Return how many times faster ours is, by medians; None where one was not measured."""
    return round(base["wall_seconds"] / ours["wall_seconds"], 3) if base and ours else None
