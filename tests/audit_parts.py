"""A voyage on paper from declaration to closing, with flags, answers, screenings, evidence: to audit and to spoil."""

import shutil
from dataclasses import replace
from datetime import date
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.answers import Audit
from packtrain.diligence.audit.opening import audit_folder
from packtrain.diligence.bag import write_bag
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.lists.add import ListToAdd, add_list
from packtrain.diligence.rules.answers import answer_to
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.rules.policy import NO_POLICY
from packtrain.diligence.rules.run import Judged, run_rules
from packtrain.diligence.screening.state import screening_state
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import Document, digest, encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import Evidence
from packtrain.documents.export_list import ExportedFile, ExportList
from packtrain.documents.flag_answer import FlagException
from packtrain.documents.flags import Flags
from packtrain.documents.parties import Role
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.events import discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import StageClock, instant
from packtrain.stages import admit, close, exchange, screen
from packtrain.stages.screen import Answer
from rule_facts import GROUPS, NO_ARRIVAL, lawful, reported
from voyage_papers import Papers, arrived, copy_papers, declaration_toml, write_pair

LICENCE = b"licence 7 of the authority"
LETTER = b"a letter about the lost drive"
_kept: list[TemporaryDirectory[str]] = []


def voyage(root: Path) -> Papers:
    """Return a closed voyage of which the consignor's folder holds everything."""
    return copy_papers(_template(), root)


@cache
def _template() -> Papers:
    _kept.append(TemporaryDirectory(prefix="audit-"))
    papers = arrived(Path(_kept[-1].name))
    reviewer = _reviewer(papers)
    papers.declare(declaration_toml({"end_use": '"to find comets, and asteroids"'}), amend=True)
    _screen(papers)
    admit_voyage(papers)
    _judge(papers, reviewer)
    exchange.import_dossier(papers.consignor, papers.dossier("back", "operator", "consignor"), discard)
    exchange.import_dossier(papers.consignee, papers.dossier("on", "operator", "consignee"), discard)
    _come_home(papers)
    for folder in papers.folders.values():
        close.close(folder, discard)
    for role in ("operator", "consignee"):
        share(papers, role, Closing, "closings/")
    return papers


def admit_voyage(papers: Papers) -> None:
    """Have the operator admit what arrived."""
    admit.admit(papers.operator, papers.dossier("to-site"), papers.mounted(), discard)


def share(papers: Papers, role: Role, kind: type[Document], folder: str) -> None:
    """Copy a document of another party into the consignor's folder, under that party's role."""
    source = papers.folders[role].document_path(kind)
    target = papers.consignor.documents / folder / f"{role}.json"
    target.parent.mkdir(exist_ok=True)
    for suffix in ("", ".sig"):
        shutil.copy(f"{source}{suffix}", f"{target}{suffix}")


def put(papers: Papers, name: str, document: Document, signer: SshSigner) -> None:
    """Sign a document under a name into the consignor's folder."""
    path = papers.consignor.documents / name
    path.parent.mkdir(exist_ok=True)
    payload = encode(document)
    path.write_bytes(payload)
    path.with_name(f"{path.name}.sig").write_text(signer.sign(namespace(type(document)), payload))


def _reviewer(papers: Papers) -> SshSigner:
    generate_key_pair(papers.root / "second", "")
    key = SshSigner.load(papers.root / "second")
    section = (papers.operator.keys / "party.toml").read_text()
    for folder in papers.folders.values():
        path = folder.root / VOYAGE_FILE
        text = path.read_text()
        assert section in text
        path.write_text(text.replace(section, f'{section}reviewer = "{key.public_line}"\n'))
        sync_parties(folder)
    return key


def _screen(papers: Papers) -> None:
    folder = papers.consignor
    path = papers.root / "list.csv"
    for names in (["Nobody at all"], ["Nobody at all", "Operator of the Test"]):
        path.write_text("name\n" + "\n".join(names) + "\n")
        today = date.fromisoformat(instant()[:10])
        add_list(folder, ListToAdd("invented", "csv", [path], today, columns={"name": "name"}), discard)
        screen.screen(folder, discard)
    found = screening_state(folder).states
    extract = papers.root / "extract.txt"
    extract.write_bytes(b"another founder")
    answer = Answer(found[0].candidate.id, "false match", "another founder, another town", evidence=(extract,))
    screen.answer(folder, answer, discard)


def _judge(papers: Papers, reviewer: SshSigner) -> None:
    """Two runs of the operator: of a voyage as it was reported, then of one with a STOP, excepted, and a FLAG."""
    operator = papers.operator.signer()
    contract = replace(lawful().contract, payment="crypto")
    facts = replace(lawful(), arrival=replace(NO_ARRIVAL, unknown=("S-9",)), contract=contract)
    judged = Judged("test voyage", "operator", papers.operator.digest(Declaration), digest_of(papers, Shipment), None)
    at_the_gate = papers.operator.read(Flags)
    older = run_rules(judged, reported(), built_in_pack(), GROUPS, NO_POLICY, "2026-11-20T10:00:00Z")
    older = msgspec.structs.replace(older, supersedes=digest(at_the_gate))
    newer = run_rules(judged, facts, built_in_pack(), GROUPS, NO_POLICY, "2026-11-21T10:00:00Z")
    newer = msgspec.structs.replace(newer, supersedes=digest(older))
    site = papers.operator.documents
    for run in (at_the_gate, older):
        write_pair(site / "flags" / f"{digest(run)}.json", run, papers.operator)
    papers.operator.write_signed(newer, operator)
    papers.operator.write_signed(
        msgspec.structs.replace(papers.operator.read(Admission), flags=digest(newer)), operator
    )
    paper = FlagException(
        paper="licence", number="7", issued_by="the authority", valid_until=None, sha256=sha256_bytes(LICENCE)
    )
    letter = Evidence(what="letter", sha256=sha256_bytes(LETTER))
    early, late = "2026-11-21T11:00:00Z", "2099-01-01T00:00:00Z"
    _answer(papers, newer, "PT-3", "B. Bright", operator, paper, early)
    _answer(papers, newer, "PT-3", "C. Second", reviewer, paper, early)
    _answer(papers, newer, "PAY-1", "B. Bright", operator, None, late, (letter,))
    evidence = site / "evidence"
    evidence.mkdir(exist_ok=True)
    for payload in (LICENCE, LETTER):
        (evidence / sha256_bytes(payload)).write_bytes(payload)


def _answer(
    papers: Papers,
    flags: Flags,
    rule: str,
    person: str,
    signer: SshSigner,
    paper: FlagException | None,
    answered_on: str,
    evidence: tuple[Evidence, ...] = (),
) -> None:
    answer = answer_to(
        flags,
        rule,
        by="operator",
        person=person,
        because="seen and asked",
        evidence=evidence,
        exception=paper,
        answered_on=answered_on,
    )
    path = papers.operator.documents / "flag-answers" / f"{digest(answer)}.json"
    path.parent.mkdir(exist_ok=True)
    payload = encode(answer)
    path.write_bytes(payload)
    path.with_name(f"{path.name}.sig").write_text(signer.sign(namespace(type(answer)), payload))


def digest_of(papers: Papers, kind: type[Document]) -> str:
    """Return the SHA-256 of the consignor's document of this kind."""
    return papers.consignor.digest(kind)


def _come_home(papers: Papers) -> None:
    shipment = papers.consignor.read(Shipment)
    custody_log(papers.consignee).append(
        "loaded",
        shipment=shipment.shipment,
        by="consignee",
        signer=papers.consignee.signer(),
        trust=papers.consignee.trust(),
        drives=tuple(drive.uuid for drive in shipment.drives),
    )
    export_list = ExportList(
        shipment=shipment.shipment,
        shipment_root=digest(shipment),
        admission=papers.operator.digest(Admission),
        kit=None,
        training="4" * 64,
        files=(
            ExportedFile(
                name="weights.safetensors", bytes=1000, sha256="5" * 64, sealed_bytes=1200, sealed_sha256="6" * 64
            ),
        ),
        tensors=(),
        results="7" * 64,
        checks=("no canary found",),
        text_budget_bytes=1 << 20,
        made_on=instant(),
    )
    for folder in papers.folders.values():
        folder.write_signed(export_list, papers.consignee.signer())
        second = papers.operator.signer().sign(namespace(ExportList), encode(export_list))
        (folder.documents / "export-list.json.operator.sig").write_text(second)
        StageClock(folder, "return", {}).finish(outputs=(ExportList,))


def dossier(papers: Papers, role: Role = "consignor", name: str = "dossier", to: Role = "operator") -> Path:
    """Write everything that is signed in a party's folder as a dossier, own documents under the party's role."""
    documents = papers.folders[role].documents
    payload: dict[str, bytes | Path] = {}
    for path in sorted(documents.rglob("*")):
        inner = path.relative_to(documents).as_posix()
        if not path.is_file() or inner.startswith("dossiers/") or inner in ("parties.json", "placement.json"):
            continue
        for kind, folder in ((Closing, "closings"), (Flags, "flags"), (Screening, "screenings")):
            for suffix in ("", ".sig"):
                if inner == f"{kind.kind}.json{suffix}":
                    inner = f"{folder}/{role}.json{suffix}"
        top = inner in ("custody.jsonl", "allowed_signers")
        payload[f"data/{inner}" if top else f"data/documents/{inner}"] = path
    target = papers.root / name
    write_bag(target, payload, {"Packtrain-From": role, "Packtrain-To": to}, "read me")
    return target


def keys_of(papers: Papers) -> Path:
    """Return the parties.json of the operator: what an auditor got from another party than the sender."""
    return papers.operator.documents / "parties.json"


def faults(audit: Audit) -> set[tuple[str, str]]:
    """Return (kind, where) of every fault."""
    return {(fault.kind, fault.where) for fault in audit.faults}


def audited(folder: VoyageFolder) -> Audit:
    """Return the audit of a voyage folder by its own list of keys."""
    return audit_folder(folder.root)
