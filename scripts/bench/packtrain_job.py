"""One packing, loading or checking by packtrain's public interface, as a process of its own.

-m bench.packtrain_job prepare FOLDER                       keys and empty drives
-m bench.packtrain_job pack FOLDER SOURCE                   from a folder to closed drives
-m bench.packtrain_job check FOLDER                         all drives, no key, signatures checked
-m bench.packtrain_job load FOLDER STORE [--without-case A]
"""

from __future__ import annotations

import argparse
import json
import uuid
from pathlib import Path

from bench import CASES, DRIVES_A_CASE, NUM_DATA, NUM_PARITY
from packtrain.crypto import age
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.codec import decode, digest, encode, namespace
from packtrain.documents.parties import Parties, Party
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.documents.shipment import Shipment
from packtrain.events import discard
from packtrain.ports import Drive
from packtrain.record.trust import Trust
from packtrain.stores.folder import FolderStore
from packtrain.volume import layout
from packtrain.volume.cargo_list import list_folder
from packtrain.volume.discover import Expected, discover
from packtrain.volume.losses import LossReport
from packtrain.volume.reader import load_shipment
from packtrain.volume.scrub import scrub
from packtrain.volume.writer import write_shipment


def main() -> None:
    """Do what the command line says; print one JSON object."""
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("prepare", "pack", "check", "load"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("path", type=Path, nargs="?")
    parser.add_argument("--without-case")
    given = parser.parse_args()
    if given.verb == "prepare":
        prepare(given.folder)
    elif given.verb == "pack":
        print(json.dumps(pack(given.folder, given.path)))
    elif given.verb == "check":
        print(json.dumps(check(given.folder)))
    else:
        print(json.dumps(load(given.folder, given.path, given.without_case)))


def prepare(folder: Path) -> None:
    """Make signer, identity, parties and empty drives."""
    (folder / "keys").mkdir()
    generate_key_pair(folder / "keys" / "signer", "")
    identity = age.generate_identity()
    (folder / "keys" / "identity.txt").write_text(identity)
    signer = SshSigner.load(folder / "keys" / "signer")
    party = Party(role="consignor", name="bench", signer=signer.public_line, recipient=age.recipient_of(identity))
    (folder / "parties.json").write_bytes(encode(Parties(voyage="bench", parties=(party,))))
    for case in CASES:
        for number in range(1, DRIVES_A_CASE + 1):
            (folder / "drives" / f"{case}{number}").mkdir(parents=True)


def pack(folder: Path, source: Path) -> dict[str, object]:
    """Write everything below `source` on the drives and close them."""
    signer = SshSigner.load(folder / "keys" / "signer")
    recipient = decode(Parties, (folder / "parties.json").read_bytes(), "parties.json").parties[0].recipient
    planned = [
        PlannedDrive(uuid=key, label=f"{case}{number}", serial=f"folder-{key[:8]}", case=case)
        for number in range(1, DRIVES_A_CASE + 1)
        for case in CASES
        for key in [str(uuid.uuid4())]
    ]
    cargo = list_folder(source, folder / "listing", LossReport())
    plan = Plan(
        shipment=str(uuid.uuid4()),
        attempt=1,
        purpose="cargo",
        declaration="0" * 64,
        recipient=recipient,
        algorithms=Algorithms(),
        block_bytes=1048576,
        volume_target_bytes=layout.volume_target_bytes(cargo.total_bytes, NUM_DATA),
        cases=CASES,
        drives=tuple(planned),
        groups=(PlannedGroup(group=0, k=NUM_DATA, m=NUM_PARITY, drives=tuple(drive.uuid for drive in planned)),),
        survive=Survive(cases=1, drives=0),
        cargo=cargo.digest,
        byte_cap=None,
        contact="",
        created="2026-01-02T03:04:05Z",
        software="packtrain bench",
    )
    payload = encode(plan)
    (folder / "plan.json").write_bytes(payload)
    drives: dict[str, Drive] = {drive.uuid: DirectoryDrive(folder / "drives" / drive.label) for drive in planned}
    written = write_shipment(
        plan,
        (payload, signer.sign(namespace(Plan), payload).encode("ascii")),
        cargo.entries,
        drives,
        signer,
        folder / "journal",
        {},
        discard,
    )
    (folder / "shipment.json").write_bytes(written.payload)
    return {
        "files": written.num_files,
        "bytes": written.plaintext_bytes,
        "stored_bytes": written.stored_bytes,
        "stripes": written.num_stripes,
        "readback": dict(written.readback),
    }


def check(folder: Path) -> dict[str, object]:
    """Verify all drives."""
    report = scrub([*_drives(folder, None)], _trust(folder), discard)
    if report.verdict != "whole":
        raise SystemExit(f"the drives are {report.verdict}")
    return {"verdict": report.verdict, "bytes": sum(drive.volume_bytes for drive in report.drives)}


def load(folder: Path, store: Path, without_case: str | None) -> dict[str, object]:
    """Restore everything into a folder."""
    plan = decode(Plan, (folder / "plan.json").read_bytes(), "plan.json")
    shipment = decode(Shipment, (folder / "shipment.json").read_bytes(), "shipment.json")
    fleet = discover([*_drives(folder, without_case)], _trust(folder), Expected(plan, digest(plan), shipment))
    identity = (folder / "keys" / "identity.txt").read_text()
    loaded = load_shipment(
        fleet.plan,
        fleet.groups,
        fleet.shipment,
        fleet.mounted,
        identity,
        FolderStore(store),
        folder / "load" / "journal.jsonl",
        discard,
    )
    return {"files": loaded.files, "bytes": loaded.bytes, "volumes_rebuilt": loaded.volumes_rebuilt}


def _drives(folder: Path, without_case: str | None) -> list[Drive]:
    paths = sorted((folder / "drives").iterdir())
    return [DirectoryDrive(path) for path in paths if path.name[0] != without_case]


def _trust(folder: Path) -> Trust:
    return Trust(decode(Parties, (folder / "parties.json").read_bytes(), "parties.json"))


if __name__ == "__main__":
    main()
