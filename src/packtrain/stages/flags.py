"""flags: the consignor runs the rules over its voyage, and people of a party answer what they raise.

What is judged is signed: there is no run on a draft. The operator's run is part of `admit`; its flags are shown and
answered here too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from packtrain.crypto.sshsig import SshSigner
from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments, evidence
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.judging import (
    Ruled,
    judge_voyage,
    judged_by,
    kept_policy,
    policy_of_another,
    screened_of,
    standing_of,
)
from packtrain.diligence.rules.answers import RaisedFlag, SignedAnswer, answer_to
from packtrain.diligence.rules.record import current_flags, keep_answer
from packtrain.documents.data_scan import DataScan
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import Evidence
from packtrain.documents.flag_answer import FlagException
from packtrain.documents.flags import Flags
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.errors import StageNotReady
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant

STAGE: Final = "flags"


@dataclass(frozen=True, slots=True)
class StatedPaper:
    """What a person says of the paper on which a STOP may pass.

    Attributes:
        file: the licence or legal opinion itself.
        valid_until: its last day, YYYY-MM-DD; None where the paper names none.
    """

    paper: Literal["licence", "legal opinion"]
    number: str
    issued_by: str
    file: Path
    valid_until: str | None


@dataclass(frozen=True, slots=True)
class FlagReply:
    """What a person says to a flag.

    Attributes:
        rule: the rule that raised it.
        person: who says so, by name.
        evidence: files that support it, each with what it is.
        exception: for a STOP.
        key: the private key to sign with: a reviewer's. None is this party's own.
        to: whose flags are answered; None is this party's own.
    """

    rule: str
    person: str
    because: str
    evidence: Sequence[Path] = ()
    exception: StatedPaper | None = None
    key: Path | None = None
    to: Role | None = None


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what the rules look at, and of what they are judged by."""
    kinds = (Declaration, PackingStatement, Shipment, Screening, DataScan)
    named = {kind.kind: folder.digest(kind) for kind in kinds if folder.has(kind)} | judged_by(folder)
    log = custody_log(folder).path
    if log.is_file():
        named["custody"] = sha256_bytes(log.read_bytes())
    # What was amended is judged too; each lies under its digest.
    amended = sorted(amendments.archived(folder, Declaration))
    return named | {"amended declarations": sha256_bytes("\n".join(amended).encode())}


def judge(folder: VoyageFolder, sink: Sink) -> Receipt:
    """Run the rules over the consignor's voyage; sign what they say into flags.json; return the receipt.

    Raises:
        StageNotReady: there is no declaration.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError, CustodyBroken: a document that
            is judged is not in order.
    """
    clock = StageClock(folder, STAGE, inputs(folder))
    if folder.has(Screening) and screened_of(folder) is None:
        text = 'the papers changed since they were screened, so this counts as not screened: "packtrain screen" first'
        sink(Notice(STAGE, text, is_warning=True))
    ruled = judge_voyage(folder, "declaration")
    for flag in ruled.standing.flags:
        sink(Notice(STAGE, _in_words(flag), is_warning=flag.is_open))
    if any(flag.is_open for flag in ruled.standing.flags):
        sink(Notice(STAGE, '"packtrain flags show" tells what each one asks and from where, and what closes it'))
    return clock.finish(
        outputs=(Flags,),
        counts={
            "rules": len(ruled.flags.results),
            "flags": len(ruled.standing.flags),
            "open": sum(flag.is_open for flag in ruled.standing.flags),
        },
        facts={"standing": ruled.standing.sentence},
    )


def show(folder: VoyageFolder) -> dict[Role, Ruled]:
    """Return the newest run of each party that is known here, with what is open of it today.

    Raises:
        StageNotReady: nobody has run the rules yet.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError: a document is not in order.
        PolicyError: the policy of this party's own run cannot be read.
    """
    runs = current_flags(folder)
    if not runs:
        role = folder.voyage_file().voyage.role
        verb = {"consignor": '"packtrain flags" runs the rules', "operator": '"packtrain admit" runs the rules'}
        raise StageNotReady(
            "no run of the rules is here yet",
            where=str(folder.root),
            hint=verb.get(role, "they come with another party's dossier"),
        )
    own = folder.voyage_file().voyage.role
    return {
        role: standing_of(
            folder, flags, kept_policy(folder, flags.policy) if role == own else policy_of_another(folder, flags)
        )
        for role, flags in runs.items()
    }


def answer(folder: VoyageFolder, reply: FlagReply, sink: Sink) -> SignedAnswer:
    """Sign what a person says to a flag; return it. The flag stays.

    Raises:
        StageNotReady: that party's run of the rules is not here.
        AnswerRefused: the rule raised nothing that wants an answer, or a STOP is to pass without a paper.
        UntrustedSigner: the key is neither this party's signer nor its reviewer in parties.json.
        KeyMissing, KeyMalformed: the key cannot be used.
        SourceUnreadable: a file cannot be read.
        DocumentError: there is no reason, or no name.
    """
    role = folder.voyage_file().voyage.role
    runs = show(folder)
    to = reply.to or role
    if to not in runs:
        raise StageNotReady(
            f"no run of the rules by the {to} is here", where=str(folder.root), found=", ".join(sorted(runs))
        )
    flags = runs[to].flags
    signer = SshSigner.load(reply.key) if reply.key is not None else folder.signer()
    given = answer_to(
        flags,
        reply.rule,
        by=role,
        person=reply.person.strip(),
        because=reply.because.strip(),
        evidence=tuple(Evidence(what=path.name, sha256=evidence.keep(folder, path)) for path in reply.evidence),
        exception=_exception(folder, reply.exception),
        answered_on=instant(),
    )
    keep_answer(folder, given, signer)
    flag = next(each for each in show(folder)[to].standing.flags if each.result.rule == reply.rule)
    if flag.is_open:
        sink(Notice(STAGE, f"still open: {flag.open_because}", is_warning=True))
    return SignedAnswer(given, role, signer.public_line)


def _exception(folder: VoyageFolder, given: StatedPaper | None) -> FlagException | None:
    if given is None:
        return None
    return FlagException(
        paper=given.paper,
        number=given.number.strip(),
        issued_by=given.issued_by.strip(),
        valid_until=given.valid_until,
        sha256=evidence.keep(folder, given.file),
    )


def _in_words(flag: RaisedFlag) -> str:
    because = "; ".join(finding.because for finding in flag.result.findings) or flag.result.because
    return f"{flag.result.rule} {flag.level}{'' if flag.is_open else ' (answered)'}: {because}"
