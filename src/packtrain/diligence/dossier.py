"""The dossier: a BagIt folder of signed papers, the only bridge between two voyage folders. It never lies in a case."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import __version__, durable
from packtrain.diligence.amendments import ARCHIVES, MAX_AMENDMENTS
from packtrain.diligence.attached import FOLDERS, attached_files, check_attached, sender_of, take_attached
from packtrain.diligence.attached_custody import FOLDERS as CUSTODY_FOLDERS
from packtrain.diligence.attached_custody import check_log, custody_files, incoming_trust, take_custody
from packtrain.diligence.bag import Bag, copy_bag, write_bag
from packtrain.diligence.disagreements import disagreements
from packtrain.diligence.hand_over import (
    LOG_NAME,
    custody_log,
    extend,
    holdings,
    is_written_apart,
    keep_apart,
    lines_beyond,
    read_exchanged_log,
    refuse_rewritten,
)
from packtrain.diligence.merge import Taken, merge
from packtrain.diligence.papers import Papers, check_names, place_of, read_papers, signature_names
from packtrain.diligence.rules.record import ANSWERS, FLAGS, MAX_ANSWERS
from packtrain.diligence.sanitised import MAX_SANITISATIONS, SANITISATIONS
from packtrain.diligence.screening.record import DISPOSITIONS, MAX_DISPOSITIONS, SCREENINGS
from packtrain.documents.admission import Admission
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.export_list import ExportList
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role, allowed_signers
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance
from packtrain.documents.shipment import Shipment
from packtrain.errors import DossierError, UntrustedSigner, WrongRole
from packtrain.record.custody import CustodyLine
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.keys import MAX_ENVELOPE_BYTES, RELEASE, SITE_ENVELOPE, destroy, read_envelope
from packtrain.record.receipts import instant
from packtrain.record.trust import Trust

DOSSIERS: Final = "dossiers"
"""Folder below documents/ that keeps the tag files of every dossier taken in, by the SHA-256 of its tag manifest."""

STAGING: Final = "dossier-import"
"""Folder below work/ that a dossier is copied to and judged in; it is gone when the import ends."""

_DOCUMENTS: Final = "data/documents/"
_KEYS: Final[dict[Role, str]] = {"operator": SITE_ENVELOPE, "consignee": RELEASE}
"""The one key envelope that a party may receive."""
_MOST_IN: Final = {
    **dict.fromkeys(ARCHIVES.values(), MAX_AMENDMENTS),
    FLAGS: MAX_ANSWERS,
    SCREENINGS: MAX_ANSWERS,
    ANSWERS: MAX_ANSWERS,
    DISPOSITIONS: MAX_DISPOSITIONS,
    SANITISATIONS: MAX_SANITISATIONS,
    "admissions": MAX_ANSWERS,
}
"""How many documents of a folder below documents/ are read."""
_OTHER_FILES: Final = frozenset({f"data/{LOG_NAME}", "data/allowed_signers"})


@dataclass(frozen=True, slots=True)
class Exported:
    """What was put into a dossier: names below data/, and the SHA-256 of its tag manifest."""

    names: tuple[str, ...]
    tagmanifest: str


@dataclass(frozen=True, slots=True)
class Imported:
    """What a dossier brought.

    Attributes:
        tagmanifest: SHA-256 of its tag manifest.
        taken: SHA-256 of each document that is new here, by name below documents/.
        remarks: what a person should know: older documents left aside, other keys in its allowed_signers.
    """

    tagmanifest: str
    taken: dict[str, str]
    remarks: tuple[str, ...]


def export_dossier(folder: VoyageFolder, destination: Path, to: Role) -> Exported:
    """Write the dossier for another party to `destination`, whole or not at all.

    Key envelopes: the site's goes from the consignor to the operator once a packing statement exists; the inner one
    from the operator to the consignee once the verdict is admit, and only while it is one on the papers as they are:
    after an amendment or a new seal the site judges again. No dossier holds any other key.

    Raises:
        WrongRole: `to` is this party itself.
        StageNotReady: there is no declaration yet.
        DossierError: the destination is there already, or the documents contradict each other.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, CustodyBroken: an own document was altered.
    """
    role = folder.voyage_file().voyage.role
    if to == role:
        raise WrongRole("a dossier goes to another party", where=str(folder.root), found=to)
    trust = folder.trust()
    papers = read_papers(folder.documents, trust, role)
    folder.payload(Declaration)  # without one there is nothing to show: the error names the verb
    _refuse_contradictions(papers, str(folder.documents))
    payload: dict[str, bytes | Path] = {"data/allowed_signers": allowed_signers(folder.parties()).encode("ascii")}
    for name in papers.by_name:
        place = place_of(name, role)
        for target, source in zip((name, *signature_names(name)), (place, *signature_names(place)), strict=True):
            if (folder.documents / source).is_file():
                payload[_DOCUMENTS + target] = folder.documents / source
    payload |= attached_files(folder, papers) | custody_files(folder)
    log = custody_log(folder)
    if lines := log.read(trust):
        holdings(lines, str(log.path))
        payload[f"data/{LOG_NAME}"] = b"".join(line.payload + b"\n" for line in lines)
    if (envelope := _envelope(folder, papers, role, to)) is not None:
        _refuse_a_drive(destination)
        payload[f"data/keys/{envelope.name}"] = read_envelope(envelope, "it was there a moment ago")
    attempt = papers.attempt()
    info = {
        "Bagging-Date": instant()[:10],
        "Bag-Software-Agent": f"packtrain {__version__}",
        "Packtrain-From": role,
        "Packtrain-To": to,
        "Packtrain-Shipment": f"{attempt[0]} attempt {attempt[1]}" if attempt else "not packed yet",
    }
    tagmanifest = write_bag(destination, payload, info, _readme(papers, role, to))
    return Exported(names=tuple(sorted(payload)), tagmanifest=tagmanifest)


def import_dossier(folder: VoyageFolder, source: Path) -> Imported:
    """Verify another party's dossier whole, then take its documents, its custody entries and its key envelope.

    Nothing is taken unless everything is in order: the bag, each signature against this party's own parties.json, and
    what the documents say of each other. An older paper never replaces a newer one, and one that was signed never
    changes without an amendment or a newer attempt.

    Raises:
        DossierError: see `copy_bag`; a file that no dossier has; documents that contradict each other or what is here.
        AnswerChanged: a document of the same attempt differs from the one here.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: of a document in it.
        CustodyBroken: its custody log is broken, or has forked from the one here.
    """
    staging = folder.work / STAGING
    try:
        return _import_copy(folder, copy_bag(source, staging), str(source))
    finally:
        shutil.rmtree(staging, ignore_errors=True)  # no second copy of a key envelope stays behind


def _import_copy(folder: VoyageFolder, bag: Bag, where: str) -> Imported:
    role = folder.voyage_file().voyage.role
    _check_payload(bag, role)
    trust = incoming_trust(folder, bag)
    documents = bag.root / "data" / "documents"
    incoming = read_papers(documents, trust, None)
    _refuse_contradictions(incoming, where)
    check_attached(bag, incoming, trust)
    own_lines = custody_log(folder).read(trust)
    theirs: tuple[CustodyLine, ...] = ()
    if f"data/{LOG_NAME}" in bag.payload:
        theirs = read_exchanged_log(bag.root / "data" / LOG_NAME, trust)
        attempt = incoming.attempt()
        if attempt is not None and theirs[0].event.shipment != attempt[0]:
            raise DossierError("the custody log is of another shipment", where=where)
    apart = is_written_apart(own_lines, theirs)
    beyond = () if apart else lines_beyond(own_lines, theirs, where, may_be_older=True)
    if apart:
        refuse_rewritten(folder, theirs, trust, where)
    else:
        check_log(folder, bag, (*own_lines, *beyond), trust, where)
    taken = merge(read_papers(folder.documents, trust, role), incoming, role, (*own_lines, *beyond), where)
    _refuse_contradictions(taken.result, where)
    _refuse_too_many(taken.result, where)
    released = _releases(folder, documents, trust)
    key = _new_key(folder, bag, taken.newer_attempt)
    remarks = [*taken.remarks, *(f"the operator's signature under {name} was taken in" for name in released)]
    if apart:
        remarks.append(
            "each side noted the end of the voyage by itself: the sender's custody log is kept beside this one"
        )
    elif len(theirs) < len(own_lines):
        behind = len(own_lines) - len(theirs)
        remarks.append(
            f"the dossier's custody log ends {behind} {'entry' if behind == 1 else 'entries'} before this one: "
            "it was made earlier, or its tail was cut"
        )
    if (bag.root / "data" / "allowed_signers").read_bytes() != allowed_signers(folder.parties()).encode("ascii"):
        remarks.append("the sender's list of keys differs from this party's; this party's own was used")
    # From here on everything is known to be in order.
    if taken.newer_attempt:
        # First the keys of the old attempt: cut off here and run again, the dossier brings the new one.
        for name in (RELEASE, SITE_ENVELOPE):
            destroy(folder.keys / name)
    if num_aside := take_custody(folder, bag, trust, (*own_lines, *beyond)):
        remarks.append(f"heads over no entries that are here were left aside: {num_aside}")
    take_attached(folder, bag, taken.result)
    _take_documents(folder, documents, taken)
    for name, signature in released.items():
        durable.write_bytes(folder.documents / signature_names(name)[1], signature)
    extend(folder, beyond)
    if apart:
        keep_apart(folder, theirs)
    if key is not None:
        durable.write_bytes(folder.keys / _KEYS[role], key, mode=0o600)
    _keep_tag_files(folder, bag)
    return Imported(tagmanifest=bag.tagmanifest, taken=taken.digests, remarks=tuple(remarks))


def dossiers_holding(folder: VoyageFolder, digests: Collection[str]) -> list[str]:
    """Return the dossiers taken in that hold all documents of these digests, by tag manifest, the newest last."""
    found: list[tuple[int, str]] = []
    place = folder.documents / DOSSIERS
    for manifest in place.glob("*/manifest-sha256.txt"):
        named = {line.partition(" ")[0] for line in manifest.read_text(encoding="ascii").splitlines()}
        if named.issuperset(digests):
            found.append((manifest.stat().st_mtime_ns, manifest.parent.name))
    return [name for _, name in sorted(found)]


def _refuse_contradictions(papers: Papers, where: str) -> None:
    if faults := disagreements(papers):
        raise DossierError(
            "the documents do not belong together: " + "; ".join(map(str, faults)),
            where=where,
            hint="ask for a dossier made from one state of the voyage",
        )


def _refuse_too_many(papers: Papers, where: str) -> None:
    """Refuse what would fill a folder beyond what it reads: it would be refused there for ever after."""
    for folder, most in _MOST_IN.items():
        found = sum(name.startswith(f"{folder}/") for name in papers.by_name)
        if found > most:
            raise DossierError(
                f"with this dossier there would be more {folder} than a voyage has",
                where=where,
                expected=f"at most {most}",
                found=str(found),
            )


def _refuse_a_drive(destination: Path) -> None:
    """Refuse to write a key envelope onto a drive: what opens the cargo never travels in a case."""
    for above in destination.absolute().parents:
        if any((above / "packtrain" / name).is_file() for name in ("plan.json", "drive.json")):
            raise DossierError(
                "a dossier with a key envelope does not belong on a drive",
                where=str(destination),
                found=f"a drive of a shipment at {above}",
                hint="write it elsewhere, and send it by another way than the cases",
            )


def _envelope(folder: VoyageFolder, papers: Papers, role: Role, to: Role) -> Path | None:
    admission = papers.current(Admission)
    may_go = (role == "consignor" and to == "operator" and papers.current(PackingStatement) is not None) or (
        role == "operator" and to == "consignee" and admission is not None and _admits(admission, papers)
    )
    path = folder.keys / _KEYS.get(to, "")
    return path if may_go and path.is_file() else None


def _admits(admission: Admission, papers: Papers) -> bool:
    """Return whether a verdict admits what the papers say now: amended or sealed anew since, it was not judged yet."""
    judged = (admission.plan, admission.shipment_root, admission.declaration, admission.packing_statement)
    here = tuple(papers.digest(kind) for kind in (Plan, Shipment, Declaration, PackingStatement))
    return admission.verdict == "admit" and judged == here


def _check_payload(bag: Bag, role: Role) -> None:
    if bag.info.get("Packtrain-To") != role:
        raise DossierError(
            "the dossier was made for another party",
            where="bag-info.txt",
            expected=role,
            found=bag.info.get("Packtrain-To", "nobody named")[:32],
        )
    if sender_of(bag) == role:
        raise DossierError("the dossier is this party's own", where="bag-info.txt", found=role)
    check_names({name.removeprefix(_DOCUMENTS) for name in bag.payload if name.startswith(_DOCUMENTS)})
    allowed = {*_OTHER_FILES, *([f"data/keys/{_KEYS[role]}"] if role in _KEYS else [])}
    others = {name for name in bag.payload if not name.startswith((_DOCUMENTS, *FOLDERS, *CUSTODY_FOLDERS))}
    if strangers := sorted(others - allowed):
        raise DossierError("a file that this party's dossier does not have", where=strangers[0])
    if "data/allowed_signers" not in others:
        raise DossierError("a dossier lists the sender's keys", where="data/allowed_signers", found="not there")
    for name in bag.payload:
        most_bytes = MAX_ENVELOPE_BYTES if name.startswith("data/keys/") else MAX_DOCUMENT_BYTES
        if (bag.root / name).stat().st_size > most_bytes:
            raise DossierError("file is too long", where=name, expected=f"at most {most_bytes} bytes")


def _take_documents(folder: VoyageFolder, documents: Path, taken: Taken) -> None:
    # What is superseded goes to its archive before its place is taken: a crash between loses nothing.
    for name, archive in taken.archived.items():
        for file_name, target in ((f"{name}.sig", f"{archive}.sig"), (name, archive)):
            durable.write_bytes(folder.documents / target, (folder.documents / file_name).read_bytes())
    for name in taken.removed:
        for file_name in (name, *signature_names(name)):
            (folder.documents / file_name).unlink(missing_ok=True)
    for name in taken.digests:
        source = taken.sources.get(name, name)
        # Together: an older paper beside a newer signature would be refused for ever after a crash between them.
        durable.write_together(
            folder.documents,
            {
                target: (documents / file_name).read_bytes()
                for target, file_name in zip(
                    (*reversed(signature_names(name)), name), (*reversed(signature_names(source)), source), strict=True
                )
                if (documents / file_name).is_file()
            },
        )


def _releases(folder: VoyageFolder, documents: Path, trust: Trust) -> dict[str, bytes]:
    """Return the operator's signatures under papers of the way home that are here without them: they were given since.

    Raises:
        SignatureInvalid, UntrustedSigner: one is not the operator's under these bytes.
    """
    found: dict[str, bytes] = {}
    for document_type in (ExportList, Provenance):
        name = f"{document_type.kind}.json"
        second = signature_names(name)[1]
        here, there = folder.documents / name, documents / name
        signature = read_signature(documents / second)
        if signature is None or not here.is_file() or (folder.documents / second).exists():
            continue
        payload = here.read_bytes()
        if payload == there.read_bytes():
            if "operator" not in trust.signer_role(document_type, payload, signature, second):
                raise UntrustedSigner(f"{name} is countersigned by another party than the operator", where=second)
            found[name] = signature
    return found


def _new_key(folder: VoyageFolder, bag: Bag, newer_attempt: bool) -> bytes | None:
    name = next((name for name in bag.payload if name.startswith("data/keys/")), None)
    if name is None:
        return None
    payload = (bag.root / name).read_bytes()
    target = folder.keys / Path(name).name
    before = target.read_bytes() if target.is_file() else None
    # An inner envelope is written anew each time the outer layer is opened, the site's never for one attempt.
    if before not in (None, payload) and not newer_attempt and target.name == SITE_ENVELOPE:
        raise DossierError(
            "the key envelope differs from the one taken before, for the same attempt",
            where=name,
            hint="ask the consignor which one is right; the wrong one is removed by hand",
        )
    return None if before == payload else payload


def _keep_tag_files(folder: VoyageFolder, bag: Bag) -> None:
    place = folder.documents / DOSSIERS / bag.tagmanifest
    for name in ("README.txt", "bagit.txt", "bag-info.txt", "manifest-sha256.txt", "tagmanifest-sha256.txt"):
        durable.write_bytes(place / name, (bag.root / name).read_bytes())


def _readme(papers: Papers, role: Role, to: Role) -> str:
    checks = "\n".join(
        f"  ssh-keygen -Y verify -f KEYS -I {sorted(paper.signers)[0]} -n {namespace(type(paper.document))}"
        f" -s data/documents/{name}.sig < data/documents/{name}"
        for name, paper in sorted(papers.by_name.items())
    )
    return f"""\
This folder is the dossier of one voyage of data, from the {role} to the {to}.
It says who ships what to whom and for which end use, on which drives, with which carriers and seals, who has held
them, and what the receiving site decided. It names persons and places; it holds no cargo. Do not put it in a case.
Nothing in it is legal advice. "not screened" means what it says, and a flag stays a flag when it is answered.

It is a BagIt folder (RFC 8493). To see that it is whole:
  sha256sum -c manifest-sha256.txt
Each document is signed. KEYS is your own list of the parties' keys, compared with them by telephone;
data/allowed_signers is only the sender's copy of it. To check the signatures without packtrain:
{checks}
data/custody.jsonl holds one signed entry a line; each names the SHA-256 of the line before it.
Files in data/evidence/ are named by their SHA-256, as the documents name them. data/papers/ is to print, and
data/statements/ says the documents again as in-toto statements; both are signed.
A file in data/keys/ is an age file that only the {to} can open.
"""
