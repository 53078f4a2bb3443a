"""What packing and loading cost here: the real code over two small sets, in a folder of its own.

Two sizes, because a small set is mostly starting, keys and signatures: what the larger takes beyond the smaller one is
what bytes cost.
"""

from __future__ import annotations

import os
import resource
import secrets
import shutil
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.documents.codec import digest, encode, namespace
from packtrain.documents.measurement import Work
from packtrain.documents.parties import Parties, Party
from packtrain.documents.plan import Plan
from packtrain.events import discard
from packtrain.ports import Drive, Store
from packtrain.record.trust import Trust
from packtrain.units import MIB, format_bytes
from packtrain.volume.cargo import cargo_digest
from packtrain.volume.discover import discover
from packtrain.volume.fleet import Expected
from packtrain.volume.folder_scan import scan
from packtrain.volume.plan_of_folders import plan_of_folders
from packtrain.volume.reader import load_shipment
from packtrain.volume.writer import write_shipment

LARGE_SET_BYTES: Final = 768 * MIB
SMALLEST_SET_BYTES: Final = 64 * MIB
_FILE_BYTES: Final = 16 * MIB
ROOM: Final = 4
"""Times the larger set: sources, drives with parity, and the store beside them."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: processor time of this process and its children, and time by the wall clock."""

    cpu_seconds: float
    seconds: float


def measure_work(
    folder: Path,
    k: int,
    m: int,
    open_drive: Callable[[Path], Drive],
    open_store: Callable[[Path], Store],
    where: str,
    large_bytes: int = LARGE_SET_BYTES,
) -> tuple[Work, Work]:
    """Return what packing and loading cost here.

    Args:
        folder: empty; all that is written lies below it, and is gone at the end.
        k, m: the code.
        open_drive, open_store: open folders.
        where: what kind of place the folder is, in words.
        large_bytes: of the larger set; an eighth of it is the smaller one.

    Raises:
        DriveFull: no space is left.
    """
    sizes = (max(large_bytes // 8, _FILE_BYTES), large_bytes)
    small, large = (_run(folder / str(size), size, k, m, open_drive, open_store) for size in sizes)
    how = (
        f"sets of {' and '.join(format_bytes(size) for size in sizes)} in files of {format_bytes(_FILE_BYTES)}, "
        f"{k}+{m} folders that play drives, {where}"
    )
    return (
        _work(sizes, (small[0], large[0]), (k, m), f"packed: {how}"),
        _work(sizes, (small[1], large[1]), (k, m), f"loaded: {how}"),
    )


def _work(sizes: tuple[int, int], costs: tuple[Cost, Cost], code: tuple[int, int], how: str) -> Work:
    grown_bytes = sizes[1] - sizes[0]
    cpu_seconds, seconds = costs[1].cpu_seconds - costs[0].cpu_seconds, costs[1].seconds - costs[0].seconds
    # Something else took the machine while the smaller set was worked through: then only the larger one counts.
    if grown_bytes <= 0 or cpu_seconds <= 0 or seconds <= 0:
        grown_bytes, cpu_seconds, seconds = sizes[1], costs[1].cpu_seconds, costs[1].seconds
        how += "; what does not grow with the bytes could not be told apart"
    seconds = max(seconds, 1e-6)
    return Work(
        cpu_seconds_per_gb=round(cpu_seconds / grown_bytes * 1e9, 3),
        bytes_per_second=round(grown_bytes / seconds),
        fixed_seconds=round(max(0.0, costs[1].seconds - sizes[1] * seconds / grown_bytes), 3),
        bytes=sizes[1],
        seconds=round(costs[1].seconds, 3),
        k=code[0],
        m=code[1],
        how=how,
    )


def _run(
    root: Path,
    total_bytes: int,
    k: int,
    m: int,
    open_drive: Callable[[Path], Drive],
    open_store: Callable[[Path], Store],
) -> tuple[Cost, Cost]:
    """Pack and load a set; return the cost of each. Nothing is left."""
    try:
        _write_set(root / "set", total_bytes)
        generate_key_pair(_made(root / "keys") / "signer", "")
        signer = SshSigner.load(root / "keys" / "signer")
        identity = age.generate_identity()
        drives = {str(uuid.uuid4()): open_drive(_made(root / f"drive-{number}")) for number in range(k + m)}
        started = _now()
        entries = list(scan(root / "set"))
        plan = plan_of_folders(
            {drive: f"M{number}" for number, drive in enumerate(drives, 1)},
            k,
            cargo=cargo_digest(entries),
            total_bytes=total_bytes,
            recipient=age.recipient_of(identity),
        )
        payload = encode(plan)
        signature = signer.sign(namespace(Plan), payload).encode("ascii")
        written = write_shipment(
            plan, (payload, signature), entries, drives, signer, root / "journal", {one: {} for one in drives}, discard
        )
        packed = _since(started)
        party = Party(role="consignor", name="measure", signer=signer.public_line, recipient=age.recipient_of(identity))
        started = _now()
        expected = Expected(plan, digest(plan), written.shipment)
        fleet = discover(list(drives.values()), Trust(Parties(voyage="measure", parties=(party,))), expected)
        load_shipment(
            fleet.plan,
            fleet.groups,
            fleet.shipment,
            fleet.mounted,
            identity,
            open_store(root / "store"),
            root / "load.jsonl",
            discard,
        )
        return packed, _since(started)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _write_set(folder: Path, total_bytes: int) -> None:
    folder.mkdir(parents=True)
    # Fresh random bytes are dearer than all that is measured; what is packed need only not be compressible by accident.
    block = bytearray(secrets.token_bytes(MIB))
    for number in range(-(-total_bytes // _FILE_BYTES)):
        with (folder / f"{number:05d}.bin").open("wb") as stream:
            for at in range(0, min(_FILE_BYTES, total_bytes - number * _FILE_BYTES), MIB):
                block[:16] = number.to_bytes(8, "little") + at.to_bytes(8, "little")
                stream.write(block)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _now() -> tuple[float, float]:
    # Children count once they have ended: writers and readers wait for theirs.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = os.times()
    return own.user + own.system + children.ru_utime + children.ru_stime, time.perf_counter()


def _since(started: tuple[float, float]) -> Cost:
    cpu_seconds, at = _now()
    return Cost(cpu_seconds - started[0], at - started[1])
