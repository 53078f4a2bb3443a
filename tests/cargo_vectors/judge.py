"""What packtrain itself says of a case: the class of its refusal, or what it took."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import rfc8785

from cargo_vectors.cases import ROOT, Case, identity, parties
from cargo_vectors.loader import dossier, lay_out
from packtrain import ports
from packtrain.crypto import age
from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode
from packtrain.documents.drive import Drive
from packtrain.documents.group import Group
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import BeyondRepair, HostileArchive, PacktrainError
from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.custody import read_log
from packtrain.record.trust import Trust
from packtrain.stores.folder import FolderStore
from packtrain.volume import rescue
from packtrain.volume.belonging import check_belongs, check_plan, check_shipment
from packtrain.volume.catalog import Catalog
from packtrain.volume.discover import check_group, discover
from packtrain.volume.fleet import Expected, Mounted
from packtrain.volume.metadata import Metadata
from packtrain.volume.reader import load_shipment
from packtrain.volume.resume import check_tiling
from packtrain.volume.unplaced import finish_unplaced
from packtrain.volume.untar import TarReader


def refusal(read: Callable[[], object]) -> str:
    """Return the class of the refusal, "" where all was taken."""
    try:
        read()
    except PacktrainError as error:
        return type(error).__name__
    return ""


def read_tar(payload: bytes) -> list[tuple[bytes, str, bytes, bytes, dict[bytes, bytes]]]:
    """Return name, kind, data, target and attributes of every member."""
    reader = TarReader(io.BytesIO(payload).readinto, "vector")
    found: list[tuple[bytes, str, bytes, bytes, dict[bytes, bytes]]] = []
    while (member := reader.next_member()) is not None:
        data = b"".join(bytes(piece) for piece in iter(reader.read_data, b""))
        found.append((member.name, member.kind, data, member.target, dict(member.xattrs)))
    return found


def read_age(payload: bytes) -> bytes:
    """Return the plaintext of a volume."""
    return age.DecryptReader(io.BytesIO(payload), [identity()], strict_single_x25519=True).read()


def read_document(case: Case) -> None:
    """Take a document of the vectors, and hold it against the others of the base that it comes from."""
    kind = case.case.split("/")[2]
    path = ROOT / f"{case.case}.json"
    payload, signature = path.read_bytes(), path.with_name(f"{path.name}.sig")
    trust, sealed = Trust(parties()), signature.read_bytes() if signature.exists() else None
    right = (ROOT / "document/accept/plan.json").read_bytes()
    plan, plan_digest = decode(Plan, right, "plan"), sha256_bytes(right)
    if kind == "plan":
        check_plan(trust.open(Plan, payload, sealed, "vector"))
    elif kind == "group":
        check_group(trust.open(Group, payload, sealed, "vector"), plan, plan_digest, "vector")
    elif kind == "drive":
        record = trust.open(Drive, payload, sealed, "vector")
        nowhere = cast("ports.Drive", SimpleNamespace(location="here", serial=None))
        check_belongs(Mounted(nowhere, record, sha256_bytes(payload), {}), Expected(plan, plan_digest))
    elif kind == "shipment":
        check_shipment(trust.open(Shipment, payload, sealed, "vector"), plan, plan_digest, ())
    elif sealed is None:
        trust.open(ShipmentKey, payload, None, "vector")
    else:
        signed = rfc8785.dumps({"key": payload.decode(), "signature": sealed.decode()})
        envelope = age.encrypt_bytes(signed, [plan.recipient])
        keys.open_inner(
            envelope, identity(), trust, "vector", shipment=plan.shipment, plan=plan_digest, role="consignee"
        )


def read_custody(payload: bytes) -> int:
    """Return how many entries a log has."""
    return len(read_log(payload, Trust(parties()), "vector"))


def read_catalog(path: Path, store: Path) -> int:
    """Read all of a catalog, and do what a load does with entries that no volume holds; return how many there are."""
    with Catalog.open(path) as catalog:
        entries = list(catalog.files())
        places = {(piece.stripe, piece.column) for entry in entries for piece in catalog.pieces_of(entry.id)}
        for place in places:
            for piece, entry in catalog.members_in(*place):
                if piece.count > 1:
                    check_tiling(catalog, entry)
        finish_unplaced([catalog], FolderStore(store), Metadata())
        return len(entries)


@dataclass(frozen=True, slots=True)
class Restored:
    """What became of a shipment: the refusal's class, and where what was restored lies."""

    error: str
    store: Path
    names_lost: frozenset[str]


def load(case: Case, root: Path) -> Restored:
    """Load a case with the drives it has; no others will come."""
    expect, folders = lay_out(case.name, root / "drives")
    trust = Trust(parties())
    store, journal = root / "store", root / "load.jsonl"
    store.mkdir()
    found = dossier(expect, "plan.json")
    assert found is not None
    plan = trust.open(Plan, *found, "plan")
    shipment = dossier(expect, "shipment.json")
    expected = Expected(plan, sha256_bytes(found[0]), trust.open(Shipment, *shipment, "shipment") if shipment else None)
    error = ""
    try:
        fleet = discover([DirectoryDrive(folder) for folder in folders], trust, expected)
        load_shipment(
            fleet.plan, fleet.groups, fleet.shipment, fleet.mounted, identity(), FolderStore(store), journal, discard,
            no_more=True, lost=fleet.lost, damage=fleet.damage,
        )  # fmt: skip
    except PacktrainError as raised:
        error = type(raised).__name__
        assert case.outcome != "part" or isinstance(raised, BeyondRepair | HostileArchive), raised
    listing = root / "unreadable.txt"
    return Restored(error, store, frozenset(listing.read_text().splitlines() if listing.exists() else ()))


def rescue_verify(case: Case, root: Path) -> int:
    """Return what `rescue.py verify` ends with."""
    _, folders = lay_out(case.name, root / "drives")
    with contextlib.redirect_stdout(io.StringIO()):
        return rescue.main(["verify", *map(str, folders)])
