"""The two corpora that every program gets: large files, and very many small ones. The same bytes for the same sizes."""

from __future__ import annotations

import os
import random
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import xxhash

_MIB: Final = 1 << 20
_SEED: Final = 20261121
_CSV_SHARE: Final = 0.3
_LARGEST_FILE_BYTES: Final = 64 * _MIB
_SMALLEST_FILE_BYTES: Final = _MIB
_FILES_A_FOLDER: Final = 1000
# Log-normal: median 2 KiB and this sigma have a mean of 3 KiB.
_SMALL_MEDIAN_BYTES: Final = 2048
_SMALL_SIGMA: Final = 0.9
_SMALL_LARGEST_BYTES: Final = 256 * 1024
_NOISE_BYTES: Final = 16 * _MIB

LARGE_FILES: Final = (
    "70 % of the bytes random in files of 1 to 64 MiB (log-uniform), 30 % CSV in files of 16 MiB "
    "(time, sensor, four readings and a word a row)"
)
SMALL_FILES: Final = (
    f"random bytes, sizes log-normal (median {_SMALL_MEDIAN_BYTES} bytes, sigma {_SMALL_SIGMA}, at most "
    f"{_SMALL_LARGEST_BYTES // 1024} KiB), at most {_FILES_A_FOLDER} in a folder"
)
_WORDS: Final = ("idle", "rising", "steady", "falling", "fault", "checked", "unknown", "calibrating")


@dataclass(frozen=True, slots=True)
class Corpus:
    """One corpus on disk.

    Attributes:
        name: "large files" or "small files".
        about: its make-up in words.
    """

    name: str
    about: str
    folder: Path
    num_files: int
    total_bytes: int


def make_large_files(folder: Path, total_bytes: int) -> Corpus:
    """Write the corpus of large files: random ones, then CSV; about `total_bytes` in all."""
    chance = random.Random(_SEED)
    csv_bytes = int(total_bytes * _CSV_SHARE)
    left_bytes = total_bytes - csv_bytes
    num_files = 0
    while left_bytes > 0:
        # Log-uniform: as many files between 1 and 2 MiB as between 32 and 64.
        size_bytes = int(_SMALLEST_FILE_BYTES * (_LARGEST_FILE_BYTES / _SMALLEST_FILE_BYTES) ** chance.random())
        size_bytes = min(size_bytes, left_bytes)
        path = folder / "random" / f"{num_files // 64:03d}" / f"{num_files:05d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as stream:
            for start in range(0, size_bytes, _MIB):
                stream.write(chance.randbytes(min(_MIB, size_bytes - start)))
        left_bytes -= size_bytes
        num_files += 1
    (folder / "csv").mkdir(parents=True, exist_ok=True)
    clock = 1_700_000_000
    while csv_bytes > 0:
        written_bytes, wanted_bytes = 0, min(csv_bytes, 16 * _MIB)
        with (folder / "csv" / f"{num_files:05d}.csv").open("wb") as stream:
            while written_bytes < wanted_bytes:
                rows, clock = _csv_rows(chance, clock)
                written_bytes += stream.write(rows[: wanted_bytes - written_bytes])
        csv_bytes -= written_bytes
        num_files += 1
    return Corpus("large files", LARGE_FILES, folder, num_files, total_bytes)


def make_small_files(folder: Path, num_files: int) -> Corpus:
    """Write the corpus of small files."""
    chance = random.Random(_SEED + 1)
    noise = chance.randbytes(_NOISE_BYTES)
    total_bytes = 0
    below = folder
    for number in range(num_files):
        if number % _FILES_A_FOLDER == 0:
            below = folder / f"{number // _FILES_A_FOLDER // 100:03d}" / f"{number // _FILES_A_FOLDER:05d}"
            below.mkdir(parents=True)
        size_bytes = min(int(chance.lognormvariate(0, _SMALL_SIGMA) * _SMALL_MEDIAN_BYTES), _SMALL_LARGEST_BYTES)
        start = chance.randrange(_NOISE_BYTES - size_bytes)
        # The number first, so that no two files are the same to a program that looks for that.
        content = b"%012d" % number + noise[start : start + size_bytes]
        content = content[:size_bytes] if size_bytes >= 12 else content[:12]
        (below / f"{number:08d}.dat").write_bytes(content)
        total_bytes += len(content)
    return Corpus("small files", SMALL_FILES, folder, num_files, total_bytes)


def tree_digest(folder: Path) -> str:
    """Return one digest over names, permissions and contents of all files below a folder."""
    state = xxhash.xxh3_128()
    root = os.fsencode(folder)
    paths: list[bytes] = []
    for place, _, names in os.walk(root):
        paths += [os.path.join(place, name) for name in names]  # noqa: PTH118 - bytes
    for path in sorted(paths):
        with open(path, "rb") as stream:  # noqa: PTH123 - bytes
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            state.update(path[len(root) :] + b"\0%o\0" % mode)
            while piece := stream.read(_MIB):
                state.update(piece)
    return state.hexdigest()


def _csv_rows(chance: random.Random, clock: int) -> tuple[bytes, int]:
    """Return 4,096 rows, each half a second or so after the one before."""
    rows: list[str] = []
    level = chance.uniform(0, 100)
    for _ in range(4096):
        clock += chance.getrandbits(1)
        level += chance.random() - 0.5
        bits = chance.getrandbits(48)
        rows.append(
            f"{clock},S{bits & 1023:04d},{level:.3f},{level * 1.8 + 32:.2f},{bits >> 30 & 0xFFFF},"
            f"{(bits >> 10 & 0xFFFFF) / 1e6:.6f},{_WORDS[bits >> 45]}\n"
        )
    return "".join(rows).encode("ascii"), clock
