"""What a dossier brings to judge its other papers by: revocations of keys, and signed heads of the custody log.

Both are read before anything else in the dossier: a document by a key that the dossier itself says is stolen must not
be taken, and a log that a head contradicts is not this log.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.crypto.timestamp import MAX_TOKEN_BYTES
from packtrain.digest import sha256_bytes
from packtrain.diligence.bag import Bag
from packtrain.diligence.custody_check import fits
from packtrain.diligence.hand_over import CLOCKS_DIFFER
from packtrain.diligence.heads import refuse_contradicted
from packtrain.diligence.stamps import MAX_TOKENS
from packtrain.documents.codec import encode
from packtrain.documents.parties import ROLES
from packtrain.errors import CustodyBroken, DossierError
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.heads import HEADS, MAX_HEADS, head_signatures, keep_head, read_heads
from packtrain.record.kept import keep
from packtrain.record.revocations import MAX_REVOCATIONS, REVOCATIONS, read_revocations
from packtrain.record.trust import SignedHead, Trust

FOLDERS: Final = (f"data/{HEADS}/", f"data/{REVOCATIONS}/")
_NAME: Final = re.compile(
    rf"data/({HEADS}/[0-9a-f]{{64}}(\.json(\.({'|'.join(ROLES)}))?(\.sig)?|\.[0-9a-f]{{64}}\.tsr)"
    rf"|{REVOCATIONS}/[0-9a-f]{{64}}\.json(\.sig)?)"
)


def custody_files(folder: VoyageFolder) -> dict[str, bytes | Path]:
    """Return the heads, time stamps and revocations that are known here, as payload name -> file."""
    files: dict[str, bytes | Path] = {}
    for kind in (HEADS, REVOCATIONS):
        place = folder.documents / kind
        for path in sorted(place.iterdir()) if place.is_dir() else ():
            name = f"data/{kind}/{path.name}"
            if _NAME.fullmatch(name) and path.is_file():
                files[name] = path
    return files


def incoming_trust(folder: VoyageFolder, bag: Bag) -> Trust:
    """Return this party's trust with the revocations and heads that the dossier brings; nothing is kept yet.

    Raises:
        DossierError: a file of another name, one that is not its digest, or a head dated in the future.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, CustodyBroken: one is not in order.
    """
    for name in bag.payload:
        if name.startswith(FOLDERS) and not _NAME.fullmatch(name):
            raise DossierError("a file that no dossier has", where=name)
    _refuse_too_many(folder, bag)
    parties = folder.parties()
    revocations = {
        signed.digest: signed
        for documents in (folder.documents, bag.root / "data")
        for signed in read_revocations(documents, parties)
    }
    known = Trust(parties, tuple(revocations.values()))
    return Trust(parties, known.revocations, (*read_heads(folder.documents, known), *_heads(bag, known)))


def _refuse_too_many(folder: VoyageFolder, bag: Bag) -> None:
    """Refuse what would fill a folder beyond what it reads: it would be refused there for ever after.

    Raises:
        DossierError: so many heads, time stamps or revocations are here and in the dossier together.
    """
    for kind, suffix, most in (
        (HEADS, ".json", MAX_HEADS),
        (HEADS, ".tsr", MAX_TOKENS),
        (REVOCATIONS, ".json", MAX_REVOCATIONS),
    ):
        here = {path.name for path in (folder.documents / kind).glob(f"*{suffix}")}
        brought = {name.rpartition("/")[2] for name in bag.payload if name.startswith(f"data/{kind}/")}
        if len(here | {name for name in brought if name.endswith(suffix)}) > most:
            raise DossierError(
                f"the dossier brings more {kind} than a voyage has",
                where=kind,
                expected=f"at most {most}, with those that are here",
                hint="keep it: it shows who made them",
            )


def check_log(folder: VoyageFolder, bag: Bag, lines: Sequence[CustodyLine], trust: Trust, where: str) -> None:
    """Refuse a log, as it would be here, that a head contradicts: one that is known here, or one of the dossier's own.

    Raises:
        CustodyContradicted: naming the first contradiction.
    """
    if lines:
        refuse_contradicted(folder, lines, where, _heads(bag, trust))


def take_custody(folder: VoyageFolder, bag: Bag, trust: Trust, lines: Sequence[CustodyLine]) -> int:
    """Keep what the dossier brought, revocations first: a crash in between leaves less trust, never more.

    Of heads only those over this very log, as it will be here, and time stamps over these. One over another shipment,
    or over entries that nobody has shown, says nothing yet: kept, it would refuse the log that comes later, and
    whoever signs heads could keep honest parties from ever handing over.

    Args:
        folder: this party's.
        bag: the dossier.
        trust: see `incoming_trust`.
        lines: the log as it will be here.

    Returns:
        How many heads were left aside.
    """
    for signed in read_revocations(bag.root / "data", folder.parties()):
        payload = encode(signed.revocation)
        signature = read_signature(bag.root / "data" / REVOCATIONS / f"{signed.digest}.json.sig")
        assert signature is not None, "it was verified a moment ago"
        keep(folder.documents, REVOCATIONS, payload, signature, {})
    left_aside = 0
    kept: set[str] = set()
    for mark in _heads(bag, trust):
        if not fits(mark, lines):
            left_aside += 1
            continue
        kept.add(mark.digest)
        found = head_signatures(bag.root / "data", mark.digest)
        assert found is not None, mark.digest
        keep_head(folder.documents, found, trust, f"{HEADS}/{mark.digest}.json")
    for path in sorted((bag.root / "data" / HEADS).glob("*.tsr")):
        # Whether a stamp says anything is judged where it is read: under the certificates that this party trusts.
        payload = path.read_bytes()
        head, digest, _ = path.name.split(".")
        if head in kept and len(payload) <= MAX_TOKEN_BYTES and digest == sha256_bytes(payload):
            with path.open("rb") as source, durable.atomic_writer(folder.documents / HEADS / path.name) as sink:
                shutil.copyfileobj(source, sink)
    return left_aside


def _heads(bag: Bag, trust: Trust) -> tuple[SignedHead, ...]:
    heads = read_heads(bag.root / "data", trust)
    latest = (datetime.now(UTC) + CLOCKS_DIFFER).strftime("%Y-%m-%dT%H:%M:%SZ")
    for mark in heads:
        if mark.head.made_on > latest:
            raise CustodyBroken(
                "a head of the custody log is dated in the future",
                where=f"{HEADS}/{mark.digest}.json",
                expected="not later than this machine's clock says",
                found=mark.head.made_on,
                hint="compare both clocks",
            )
    return heads
