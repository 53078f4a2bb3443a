"""admit: the site operator judges a dossier and the mounted drives, signs the verdict, and then opens its layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.diligence import amendments, evidence
from packtrain.diligence.admission import Case, judge
from packtrain.diligence.arrival import SightedDrive
from packtrain.diligence.bag import bag_identity
from packtrain.diligence.custody_check import check_log
from packtrain.diligence.dossier import dossiers_holding, import_dossier
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.judging import Ruled, Shown, judge_voyage, judged_by, policy_of, policy_of_another, standing_of
from packtrain.diligence.papers import Papers, read_papers
from packtrain.diligence.rules.policy import POLICY_FILE
from packtrain.diligence.screening.record import current_screening
from packtrain.diligence.screening.state import screening_state
from packtrain.diligence.screening.verdict import found_in_words
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import Document
from packtrain.documents.data_scan import DataScan
from packtrain.documents.declaration import Declaration
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.flags import Flags
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Parties
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    DocumentError,
    DriveFailed,
    DriveMissing,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
    WrongRole,
)
from packtrain.events import Notice, Sink
from packtrain.ports import Drive
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import HEADS, read_heads
from packtrain.record.receipts import StageClock, instant
from packtrain.record.revocations import REVOCATIONS
from packtrain.record.trust import MAX_SIGNATURE_BYTES, Trust
from packtrain.volume import layout

STAGE: Final = "admit"
MAX_RECORD_BYTES: Final = 1 << 20
_BESIDE: Final = (
    *("declarations", "groups", "packing-statements", HEADS, REVOCATIONS, evidence.FOLDER),
    *("flags/consignor.json", "kit.json", "ready.json", "screenings/consignor.json"),
)
_JUDGED: Final[tuple[type[Document], ...]] = (Plan, Shipment, Declaration)


def inputs(
    folder: VoyageFolder,
    dossier: Path | None = None,
    drives: Sequence[Drive] = (),
    *,
    no_more: bool = False,
    policy: Path | None = None,
) -> dict[str, str]:
    """Return the digests of all that is judged: the dossier, the papers here, the custody log, the mounted drives.

    And of what it is judged by: lists, country groups, policy, answers, heads, revocations, evidence, and the day.

    Args:
        folder: the operator's voyage folder.
        dossier: a dossier that is to be imported first.
        drives: what is mounted now; each counts by its closing record and its serial.
    """
    named = {
        kind.kind: folder.digest(kind) for kind in (*_JUDGED, PackingStatement, DataScan, Parties) if folder.has(kind)
    }
    named |= judged_by(folder)
    sha256 = policy_of(folder, policy).sha256
    if sha256 is not None:
        named["policy"] = sha256
    named["papers beside"] = sha256_bytes("\n".join(_beside(folder, sha256)).encode())
    log = custody_log(folder).path
    if log.is_file():
        named["custody"] = sha256_bytes(log.read_bytes())
    if dossier is not None and (identity := bag_identity(dossier)) is not None:
        named["dossier"] = identity
    if drives:
        seen = sorted(f"{drive.serial} {sha256_bytes(_record_bytes(drive) or b'')}" for drive in drives)
        named["drives"] = sha256_bytes("\n".join([*seen, *(["no more"] if no_more else [])]).encode())
    return named


def _beside(folder: VoyageFolder, policy: str | None) -> Iterator[str]:
    """Yield what else a verdict looks at, file by file; not what the verdict itself writes."""
    for name in _BESIDE:
        place = folder.documents / name
        for path in sorted(place.iterdir()) if place.is_dir() else [place] if place.is_file() else []:
            # Evidence is looked at by its name alone, and is long; the site's own policy is kept there by the verdict.
            if name != evidence.FOLDER:
                yield f"{name}/{path.name} {sha256_file(path)}"
            elif evidence.digest_of_name(path.name) not in (None, policy):
                yield path.name
    if (folder.keys / keys.SITE_ENVELOPE).is_file():
        yield "key envelope"


def is_released(folder: VoyageFolder) -> bool:
    """Return whether the inner key envelope is where an admission puts it, or was destroyed by `close`."""
    return (folder.keys / keys.RELEASE).is_file() or folder.has(Closing)


def admit(
    folder: VoyageFolder,
    dossier: Path | None,
    drives: Sequence[Drive],
    sink: Sink,
    *,
    no_more: bool = False,
    policy: Path | None = None,
) -> Receipt:
    """Write the signed verdict to admission.json and, only if it is admit, the inner key envelope to keys/release.age.

    Args:
        folder: the operator's voyage folder.
        dossier: the consignor's dossier, imported first; None judges what was imported before.
        drives: the mounted drives; none given means that arrival is not judged, and the verdict says so; but what an
            earlier verdict on the same shipment held against them stands until they are shown again.
        sink: takes events.
        no_more: `drives` are all that came: one that the packing statement has besides is missing.
        policy: the site's; None is site.toml of the folder, where it has one.

    Raises:
        PolicyError: the policy cannot be read, or is milder than the rule pack.
        IntegrityError: a list of this site was changed since it was added.
        WrongRole: the folder is not the operator's.
        StageNotReady: plan, shipment or declaration are not here. Without a packing statement the verdict is refuse.
        AdmissionHeld, AdmissionRefused: that is the verdict; it is signed and written all the same.
        WrongKey: the verdict is admit, and the envelope is not to this operator.
        DossierError, AnswerChanged, CustodyBroken, and the signature errors: see `import_dossier`; nothing was judged.
    """
    role = folder.voyage_file().voyage.role
    if role != "operator":
        raise WrongRole("admission is the site operator's", where=str(folder.root), expected="operator", found=role)
    if dossier is not None:
        imported = import_dossier(folder, dossier)
        for remark in imported.remarks:
            sink(Notice(STAGE, remark, is_warning=True))
    clock = StageClock(folder, STAGE, inputs(folder, dossier, drives, no_more=no_more, policy=policy))
    trust = folder.trust()
    digests = {kind.kind: folder.digest(kind) for kind in _JUDGED}
    statement = folder.digest(PackingStatement) if folder.has(PackingStatement) else None
    shipment = folder.read_signed(Shipment)
    sighted = [_sight(drive, trust) for drive in drives]
    site_policy = policy_of(folder, policy)
    if site_policy.sha256 is not None:
        evidence.keep(folder, policy or folder.root / POLICY_FILE)
    elif folder.has(Admission) and folder.read_signed(Admission).policy is not None:
        text = "the verdict before was judged by a site's policy, and none is given now: --policy, or site.toml here"
        sink(Notice(STAGE, text, is_warning=True))
    screening = current_screening(folder, "operator")
    ruled = judge_voyage(folder, "admission", policy=site_policy, shown=Shown(sighted, no_more) if sighted else None)
    papers = read_papers(folder.documents, trust, role)
    lines = custody_log(folder).read(trust)
    named = papers.evidence()
    judged = judge(
        Case(
            papers=papers,
            custody=lines,
            parties=folder.parties(),
            has_envelope=(folder.keys / keys.SITE_ENVELOPE).is_file(),
            sighted=sighted or None,
            ruled=ruled,
            screening=screening,
            screened=_in_words(folder, papers),
            at_home=_at_home(folder, papers),
            log_check=check_log(lines, read_heads(folder.documents, trust), (), trust.revocations),
            evidence=(len(named), len(named & evidence.kept(folder.documents).keys())),
            before=papers.current(Admission),
            no_more=no_more,
        )
    )
    admission = Admission(
        shipment=shipment.shipment,
        attempt=shipment.attempt,
        plan=digests["plan"],
        shipment_root=digests["shipment"],
        declaration=digests["declaration"],
        packing_statement=statement,
        dossier=_dossier_of(folder, {*digests.values(), *([statement] if statement else [])}),
        verdict=judged.verdict,
        own_site=judged.own_site,
        screening=folder.digest(Screening),
        flags=folder.digest(Flags),
        policy=site_policy.sha256,
        checks=judged.checks,
        drives=judged.drives,
        decided_on=instant(),
    )
    _sign_verdict(folder, admission)
    for check in judged.checks:
        sink(
            Notice(
                STAGE, f"{check.check}: {check.outcome}: {check.detail}", is_warning=check.outcome in ("hold", "refuse")
            )
        )
    if judged.verdict != "admit":
        if keys.destroy(folder.keys / keys.RELEASE):
            sink(Notice(STAGE, "the key released by an earlier verdict was destroyed here", is_warning=True))
        _raise_verdict(folder, admission)
    _release_key(folder)
    sink(Notice(STAGE, 'admitted; "packtrain dossier export FOLDER --to consignee" sends the key and the verdict on'))
    return clock.finish(
        outputs=(Admission,),
        counts={"drives": len(judged.drives), "checks": len(judged.checks)},
        facts={
            "verdict": judged.verdict,
            "own site": "yes" if judged.own_site else "no",
            "screening": found_in_words(screening),
            "rules": ruled.standing.sentence,
        },
    )


def _in_words(folder: VoyageFolder, papers: Papers) -> str:
    told = screening_state(folder).in_words
    home = papers.of_party(Screening, "consignor")
    return f"{told}; at home: {found_in_words(home)}" if home is not None else f"{told}; at home: not screened"


def _at_home(folder: VoyageFolder, papers: Papers) -> Ruled | None:
    flags = papers.of_party(Flags, "consignor")
    return standing_of(folder, flags, policy_of_another(folder, flags)) if flags is not None else None


def _dossier_of(folder: VoyageFolder, digests: set[str]) -> str:
    holding = dossiers_holding(folder, digests)
    if not holding:
        raise StageNotReady(
            "no dossier taken in here holds these documents",
            where=str(folder.documents),
            hint='take the consignor\'s dossier in first: "packtrain admit DOSSIER"',
        )
    return holding[-1]


def _sign_verdict(folder: VoyageFolder, admission: Admission) -> None:
    if folder.has(Admission):
        before = folder.read_signed(Admission)
        same = set(Admission.__struct_fields__) - {"decided_on"}
        if all(getattr(before, name) == getattr(admission, name) for name in same):
            return  # the same verdict on the same facts: its digest, which `load` names, stays
        amendments.archive_current(folder, Admission)
    folder.write_signed(admission, folder.signer())


def _release_key(folder: VoyageFolder) -> None:
    path = folder.keys / keys.SITE_ENVELOPE
    envelope = keys.read_envelope(path, "it comes with the consignor's dossier")
    inner = keys.open_outer(envelope, folder.identity(), str(path))
    durable.write_bytes(folder.keys / keys.RELEASE, inner, mode=0o600)


def _raise_verdict(folder: VoyageFolder, admission: Admission) -> None:
    error = AdmissionRefused if admission.verdict == "refuse" else AdmissionHeld
    outcome = "refuse" if admission.verdict == "refuse" else "hold"
    # Each check was told when it was made; of the rules it is enough to name here those that are open.
    reasons = [
        f"{check.check}: {check.detail.partition('; ')[0] if check.check == 'rules' else check.detail}"
        for check in admission.checks
        if check.outcome == outcome
    ]
    hint = "the verdict is signed and stays; nothing is loaded"
    if admission.verdict == "refuse":
        hint += ", and no option changes that"
        if any(check.check == "mounted drives" and check.outcome == "refuse" for check in admission.checks):
            hint += ". Where a wrong drive was shown, admit again with all drives of the statement mounted at once"
    elif any(check.check == "rules" and check.outcome == "hold" for check in admission.checks):
        hint += (
            '. "packtrain flags show" lists what is open; lists come by "packtrain lists add" or --lists, groups '
            'by "packtrain rules groups add"; "packtrain flags answer" and "packtrain screen answer" sign '
        )
        hint += "what a person of this site found; then admit again"
    else:
        hint += '. Bring what is missing, or say why it is missing: "packtrain carry observe"'
    raise error(
        f"the verdict is {admission.verdict}: " + "; ".join(reasons),
        where=str(folder.document_path(Admission)),
        hint=hint,
    )


def _record_bytes(drive: Drive) -> bytes | None:
    try:
        return drive.read_bytes(layout.DRIVE, MAX_RECORD_BYTES)
    except DriveFailed:
        return None


def _is_empty(drive: Drive) -> bool:
    try:
        return next(iter(drive.names()), None) is None
    except DriveFailed:
        return False


def _sight(drive: Drive, trust: Trust) -> SightedDrive:
    def unseen(fault: str, *, is_unreadable: bool = False) -> SightedDrive:
        return SightedDrive(drive.location, drive.serial, fault=fault, is_unreadable=is_unreadable)

    if drive.size_bytes(layout.DRIVE) is None:
        if _is_empty(drive):
            # A mount point that nothing is mounted at: no reason to sign a refusal that stays.
            raise DriveMissing(
                "an empty folder: no drive of a shipment is mounted there",
                where=drive.location,
                expected=layout.DRIVE,
                hint="mount the drive and admit again; leave out one that came empty: with --no-more it is missing",
            )
        return unseen("no closing record: not a closed drive of a shipment")
    payload = _record_bytes(drive)
    if payload is None:
        return unseen("its closing record cannot be read; put it aside and report it lost", is_unreadable=True)
    name = layout.DRIVE + layout.SIGNATURE_SUFFIX
    try:
        signature = drive.read_bytes(name, MAX_SIGNATURE_BYTES)
        record = trust.open(DriveRecord, payload, signature, f"{drive.location}/{layout.DRIVE}")
    except DriveFailed:
        return unseen("its closing record has no readable signature")
    except (SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError) as error:
        return unseen(error.what)
    return SightedDrive(drive.location, drive.serial, record=record, record_digest=sha256_bytes(payload))
