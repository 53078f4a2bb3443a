"""The rehearsal's shipment: the miniature on folders that play drives, one of them lost and one damaged."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.crypto import age
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import encode, namespace
from packtrain.documents.dataset import Dataset
from packtrain.documents.plan import Plan
from packtrain.events import Sink
from packtrain.ports import Drive
from packtrain.record.folder import VoyageFolder
from packtrain.training.rehearsal import STAGE
from packtrain.volume.cargo import cargo_digest, listed
from packtrain.volume.plan_of_folders import plan_of_folders
from packtrain.volume.writer import write_shipment

# Two of four drives may go: one is lost and one damaged, in the same stripe if it happens so.
NUM_DATA: Final = 2
NUM_PARITY: Final = 2
IDENTITY: Final = "identity.txt"
_DAMAGE: Final = b"damaged by the rehearsal"


@dataclass(frozen=True, slots=True)
class Packed:
    """The rehearsal's shipment, the drives that are left of it, and what was done to the others."""

    plan: Plan
    drives: tuple[Path, ...]
    fault: str
    total_bytes: int
    num_samples: int


def _miniature_files(dataset: Dataset) -> list[tuple[str, int, str]]:
    """Return name, bytes and SHA-256 of the miniature's files; names as if miniature/ were a data set of its own."""
    return [
        (part.name.removeprefix("miniature/"), part.bytes, part.sha256)
        for part in (*dataset.miniature_shards, *dataset.miniature_files)
    ]


def miniature_digest(dataset: Dataset) -> str:
    """Return one SHA-256 over names and digests of the miniature's files."""
    return sha256_bytes(
        "".join(f"{sha256}  {name}\n" for name, _, sha256 in sorted(_miniature_files(dataset))).encode()
    )


def pack_miniature(
    folder: VoyageFolder, place: Path, dataset: Dataset, open_drive: Callable[[Path], Drive], sink: Sink
) -> Packed:
    """Pack the miniature under a key that lives only in `place`; then damage one drive and lose another.

    Left in `place`: identity.txt, plan.json and shipment.json with their signatures, drives/.

    Raises:
        NothingToCarry: the miniature is empty.
        SourceChanged, SourceUnreadable: it is not what dataset.json names.
        DriveFull: no space is left.
    """
    signer = folder.signer()
    files = _miniature_files(dataset)
    entries = list(listed(folder.work / "dataset" / "miniature", files))
    identity = age.generate_identity()
    durable.write_bytes(place / IDENTITY, f"{identity}\n".encode(), 0o600)
    labels = [f"R{number}" for number in range(1, NUM_DATA + NUM_PARITY + 1)]
    paths = {str(uuid.uuid4()): place / "drives" / label for label in labels}
    for path in paths.values():
        path.mkdir(parents=True)
    total_bytes = sum(entry.size_bytes for entry in entries)
    plan = plan_of_folders(
        dict(zip(paths, labels, strict=True)),
        NUM_DATA,
        cargo=cargo_digest(entries),
        # The miniature that dataset.json names, and no byte more.
        total_bytes=total_bytes,
        recipient=age.recipient_of(identity),
        contact=folder.voyage_file().voyage.contact,
    )
    payload = encode(plan)
    signature = signer.sign(namespace(Plan), payload).encode("ascii")
    written = write_shipment(
        plan,
        (payload, signature),
        entries,
        {drive: open_drive(path) for drive, path in paths.items()},
        signer,
        place / "journal",
        {drive: {} for drive in paths},
        sink,
        stage=STAGE,
    )
    for name, body, signed in (("plan", payload, signature), ("shipment", written.payload, written.signature)):
        durable.write_bytes(place / f"{name}.json", body)
        durable.write_bytes(place / f"{name}.json.sig", signed)
    left, fault = _inject_faults(tuple(paths.values()))
    return Packed(plan, left, fault, total_bytes, sum(shard.num_samples for shard in dataset.miniature_shards))


def _inject_faults(drives: Sequence[Path]) -> tuple[tuple[Path, ...], str]:
    """Damage a data volume of one drive and take away another, one with data if it can be; return what is left."""
    volumes: list[tuple[Path, Path]] = []
    for drive in drives:
        for path in sorted((drive / "data").glob("*.tar.age")):
            if path.stat().st_size:
                volumes.append((drive, path))
    damaged, volume = volumes[0]
    lost = next((drive for drive, _ in volumes if drive != damaged), drives[-1])
    with volume.open("r+b") as stream:
        stream.seek(max(0, volume.stat().st_size // 2 - len(_DAMAGE)))
        stream.write(_DAMAGE)
    shutil.rmtree(lost)
    left = tuple(drive for drive in drives if drive != lost)
    return left, f"drive {lost.name} lost, {volume.name} of drive {damaged.name} damaged"
