"""Revoking a party's signing key: what it signed is listed, and what the party stands by is vouched for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packtrain.crypto import sshsig
from packtrain.digest import sha256_bytes
from packtrain.diligence.hand_over import custody_log
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, decode, encode, json_object
from packtrain.documents.plan import Plan
from packtrain.documents.revocation import Revocation
from packtrain.documents.shipment import Shipment
from packtrain.errors import DocumentError, KeyMissing, PacktrainError, SignatureInvalid, StageNotReady
from packtrain.events import Notice, Sink
from packtrain.ports import Signer
from packtrain.record import keys
from packtrain.record.envelopes import open_own
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.receipts import instant
from packtrain.record.revocations import keep_revocation
from packtrain.record.trust import JUDGED_ELSEWHERE, Trust


@dataclass(frozen=True, slots=True)
class Vouched:
    """A revocation that was signed: its digest, itself, and the names of the documents that it vouches for."""

    digest: str
    revocation: Revocation
    names: tuple[str, ...]


def revoke_key(
    folder: VoyageFolder,
    because: str,
    signer: Signer,
    *,
    lost_on: str | None,
    last_entry: int | None,
    leave_out: Sequence[str],
    sink: Sink,
) -> Vouched:
    """Sign and keep the revocation of this party's signer in parties.json; see `stages.custody.revoke`."""
    role, now = folder.voyage_file().voyage.role, instant()
    parties = folder.parties()
    party = parties.of(role)
    if party is None:
        raise KeyMissing("parties.json does not name this party", where=str(folder.documents))
    signed = dict(_signed_documents(folder.documents, party.signer))
    for prefix in leave_out:
        # Eight digits: fewer could leave out more than was meant.
        named = [digest for digest in signed if len(prefix) >= 8 and digest.startswith(prefix.lower())]
        if len(named) != 1:
            raise StageNotReady(
                "no document signed by this key has this digest",
                found=prefix[:64],
                expected="a SHA-256, or its first eight digits or more",
                hint="sha256sum documents/*.json lists them",
            )
        signed.pop(named[0])
    documents = {*signed, *_named_by_shipment(folder, signed), *_shipment_key(folder, sink)}
    lines = custody_log(folder).read(folder.trust())
    if last_entry is not None and not 0 <= last_entry <= len(lines):
        raise StageNotReady(
            "the log has no such entry",
            expected=f"0 to {len(lines)}",
            found=str(last_entry),
            hint='"packtrain custody show" numbers its entries',
        )
    revocation = Revocation(
        voyage=parties.voyage,
        by=role,
        fingerprint=sshsig.fingerprint(party.signer),
        lost_on=lost_on or now,
        because=because,
        documents=tuple(sorted(documents)),
        log_lines=tuple(line.digest for line in lines[:last_entry]),
        revoked_on=now,
    )
    digest = keep_revocation(folder.documents, revocation, signer, Trust(parties))
    return Vouched(digest, revocation, tuple(sorted(signed.values())))


def _signed_documents(documents: Path, public_line: str) -> Iterator[tuple[str, str]]:
    """Yield (digest, name) of every document below a folder that has a good signature by a key."""
    for path in sorted(documents.rglob("*.json")):
        if path.is_symlink():
            continue
        with path.open("rb") as stream:
            payload = stream.read(MAX_DOCUMENT_BYTES + 1)
        for beside in sorted(path.parent.glob(f"{path.name}*.sig")):
            if _is_signed(payload, read_signature(beside), public_line):
                yield sha256_bytes(payload), path.relative_to(documents).as_posix()


def _is_signed(payload: bytes, signature: bytes | None, public_line: str) -> bool:
    try:
        head = json_object(payload, "document")
        kind = str(head.get("type")).removeprefix("packtrain.")
        text = (signature or b"").decode("ascii")
        found = sshsig.verify(text, f"packtrain-{kind}@v{head.get('version')}", payload)
    except (DocumentError, SignatureInvalid, UnicodeDecodeError):
        return False
    return found == public_line and kind not in JUDGED_ELSEWHERE


def _named_by_shipment(folder: VoyageFolder, signed: dict[str, str]) -> Iterator[str]:
    """Yield the digests of the closing records and groups that lie on the drives: a vouched shipment names them all."""
    for digest, name in signed.items():
        if name == "shipment.json" or name.startswith("shipments/"):
            shipment = decode(Shipment, (folder.documents / name).read_bytes(), name)
            assert sha256_bytes(encode(shipment)) == digest
            yield from (drive.record for drive in shipment.drives)
            yield from (group.record for group in shipment.groups)


def _shipment_key(folder: VoyageFolder, sink: Sink) -> Iterator[str]:
    """Yield the digest of the shipment key: it is signed too, and lies in the envelopes only."""
    if not (folder.keys / keys.CONSIGNOR_ENVELOPE).is_file() or not folder.has(Plan):
        return
    try:
        key, _ = open_own(folder, folder.read_signed(Plan).shipment)
    except PacktrainError as error:
        text = f"the key envelopes are not vouched for, so that the site cannot open them any more: {error.message}"
        sink(Notice("custody", text, is_warning=True))
        return
    yield sha256_bytes(encode(key))
