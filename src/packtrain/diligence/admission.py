"""What the operator looks at before anything is loaded, one check after the other, and the verdict they make.

Every check is written down with what was found. Screening and rules are the operator's own, with its own lists; what
the consignor found at home is shown beside them and decides nothing. Nothing here can be switched off, and no argument
turns a hold or a refusal into an admission.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.diligence.amendments import changed_answers
from packtrain.diligence.answer_reader import is_answer
from packtrain.diligence.arrival import (
    Finding,
    Outcome,
    SightedDrive,
    check_cases,
    check_coverage,
    check_custody,
    check_mounted,
)
from packtrain.diligence.custody_check import LogCheck
from packtrain.diligence.declaration_file import text_answers
from packtrain.diligence.disagreements import disagreements
from packtrain.diligence.full_form_gaps import gaps
from packtrain.diligence.hand_over import lost_drives
from packtrain.diligence.judging import Ruled
from packtrain.diligence.papers import Papers
from packtrain.diligence.rules.answers import RaisedFlag
from packtrain.diligence.rules.pack import rank
from packtrain.diligence.short_form import obstacles
from packtrain.documents.admission import Admission, AdmissionCheck, AdmissionVerdict, AdmittedDrive
from packtrain.documents.declaration import Declaration
from packtrain.documents.flag_answer import FlagException
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Parties
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.record.custody import CustodyLine
from packtrain.units import format_bytes

MAX_DETAIL: Final = 4000
_MOUNTED: Final = "mounted drives"


@dataclass(frozen=True, slots=True)
class Case:
    """All that is judged.

    Attributes:
        papers: the verified documents; plan, shipment, declaration and packing statement are among them.
        custody: the verified custody log.
        parties: the operator's own parties.json.
        has_envelope: the site's key envelope is here.
        sighted: the mounted drives, or None where none were given.
        before: the verdict that a new one would replace, or None.
        no_more: the operator says that the mounted drives are all that came.
        ruled: the operator's run of the rules, and what is open of it.
        screening: the operator's own.
        screened: how that screening stands, in words.
        at_home: the consignor's run of the rules and what it left open, where one came with the dossier.
        log_check: the custody log, held against every signed head that is known here.
        evidence: how many files of evidence the papers name, and how many of them are here.
    """

    papers: Papers
    custody: Sequence[CustodyLine]
    parties: Parties
    has_envelope: bool
    sighted: Sequence[SightedDrive] | None
    ruled: Ruled
    screening: Screening
    screened: str
    at_home: Ruled | None
    log_check: LogCheck
    evidence: tuple[int, int]
    before: Admission | None = None
    no_more: bool = False


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict and what it rests on; `drives` is empty unless the verdict is admit."""

    verdict: AdmissionVerdict
    own_site: bool
    checks: tuple[AdmissionCheck, ...]
    drives: tuple[AdmittedDrive, ...]


def judge(case: Case) -> Judgement:
    """Return the verdict on a dossier: refuse if any check refuses, else hold if any holds, else admit."""
    papers = case.papers
    declaration, shipment = papers.current(Declaration), papers.current(Shipment)
    statement, plan = papers.current(PackingStatement), papers.current(Plan)
    assert declaration is not None and shipment is not None and plan is not None
    lost = lost_drives(case.custody)
    own_site = _signer(case.parties, "consignor") == _signer(case.parties, "operator")
    checks = (
        *_exceptions(case.ruled),
        _signatures(papers),
        _agreement(papers),
        _purpose(plan, shipment),
        _completeness(declaration),
        _form(declaration),
        _amendments(papers),
        _limits(papers, declaration, shipment),
        *_travelled(case, shipment, lost),
        _check("key envelope", "passed", "the site's key envelope is here")
        if case.has_envelope
        else _check("key envelope", "hold", "the site's key envelope did not come with the dossier"),
        _two_signers(case.parties),
        _check("own site", "passed", "consignor and operator sign with one key: this verdict is the consignor's own")
        if own_site
        else _check("own site", "passed", "consignor and operator sign with different keys"),
        _rehearsal(papers),
        _check("screening", "passed" if case.screening.outcome == "screened" else "not done", case.screened),
        _rules(case.ruled),
        _at_home(case.ruled, case.at_home),
        _evidence(*case.evidence),
    )
    outcomes = {check.outcome for check in checks}
    verdict: AdmissionVerdict = "refuse" if "refuse" in outcomes else "hold" if "hold" in outcomes else "admit"
    drives = tuple(
        AdmittedDrive(uuid=drive.uuid, label=drive.label, serial=drive.serial, case=packed.label)
        for packed in (statement.cases if statement is not None else ())
        for drive in packed.drives
        if drive.uuid not in lost
    )
    return Judgement(verdict, own_site, checks, drives if verdict == "admit" else ())


def _travelled(case: Case, shipment: Shipment, lost: Collection[str]) -> tuple[AdmissionCheck, ...]:
    """Return what the one packing statement says of drives, cases, custody and arrival; without it nothing passes."""
    statement = case.papers.current(PackingStatement)
    if statement is None:
        return (
            _check("packing statement", "refuse", "there is none: no paper says what lies in which case, with whom"),
        )
    stated = case.papers.digest(PackingStatement) or ""
    mounted = check_mounted(
        case.sighted, case.custody, shipment, statement, lost, _seen_before(case), no_more=case.no_more
    )
    return (
        _found("packing statement", check_coverage(shipment, statement)),
        _found("cases", check_cases(statement)),
        _found("custody", check_custody(case.custody, statement, stated, case.papers.superseded(PackingStatement))),
        _heads(case.log_check),
        _found(_MOUNTED, mounted),
    )


def _heads(found: LogCheck) -> AdmissionCheck:
    """Return what the heads of the custody log prove, and what nobody can: that is said, and held against no one."""
    told = [contradiction.what for contradiction in found.contradictions] or [
        each.rstrip(".") for each in (*found.proven, *found.not_provable)
    ]
    outcome: Outcome = "refuse" if found.contradictions else "passed" if found.num_proven else "not done"
    return _check("heads of the custody log", outcome, f"{found.verdict}: {'; '.join(told)}")


def _seen_before(case: Case) -> Finding | None:
    """Return what the verdict before found of the mounted drives, if it was on the same shipment."""
    if case.before is None or case.before.shipment_root != case.papers.digest(Shipment):
        return None
    checks = (check for check in case.before.checks if check.check == _MOUNTED)
    return next((Finding(check.outcome, check.detail) for check in checks), None)


def _check(check: str, outcome: Outcome, detail: str) -> AdmissionCheck:
    return AdmissionCheck(
        check=check, outcome=outcome, detail=detail if len(detail) <= MAX_DETAIL else detail[: MAX_DETAIL - 1] + "…"
    )


def _found(check: str, finding: Finding) -> AdmissionCheck:
    return _check(check, finding.outcome, finding.detail)


def _from_faults(check: str, faults: Sequence[str], outcome: Outcome, otherwise: str) -> AdmissionCheck:
    return _check(check, outcome, "; ".join(faults)) if faults else _check(check, "passed", otherwise)


def _signer(parties: Parties, role: Literal["consignor", "operator", "consignee"]) -> str | None:
    party = parties.of(role)
    return party.signer if party is not None else None


def _signatures(papers: Papers) -> AdmissionCheck:
    # Counted are the consignor's papers alone, so that the same dossier judged twice gives the same words.
    num_documents = sum("consignor" in paper.signers for paper in papers.by_name.values())
    return _check(
        "signatures", "passed", f"{num_documents} documents of the consignor, each signed by the key in parties.json"
    )


def _agreement(papers: Papers) -> AdmissionCheck:
    faults = [each.what for each in disagreements(papers)]
    shipment = papers.current(Shipment)
    named = {group.record for group in shipment.groups} if shipment is not None else set[str]()
    if missing := named - papers.groups().keys():
        return _from_faults(
            "papers", [*faults, f"{len(missing)} group documents are missing"], "refuse" if faults else "hold", ""
        )
    return _from_faults("papers", faults, "refuse", "plan, shipment, groups, declaration and packing statement agree")


def _purpose(plan: Plan, shipment: Shipment) -> AdmissionCheck:
    if plan.purpose == shipment.purpose == "cargo":
        return _check("purpose", "passed", "cargo")
    return _check("purpose", "refuse", f"only cargo is admitted; this is a {shipment.purpose}")


def _completeness(declaration: Declaration) -> AdmissionCheck:
    missing = [field for field, answer in text_answers(declaration).items() if not is_answer(answer)]
    return _from_faults("declaration", [f"no answer to {field}" for field in missing], "hold", "six questions answered")


def _form(declaration: Declaration) -> AdmissionCheck:
    """Return whether the right form was answered, and wholly; its answers are for the rules to judge."""
    if declaration.full is None and declaration.form == "short":
        return _from_faults(
            "form",
            [f"the short form does not apply: {fact}" for fact in obstacles(declaration)],
            "refuse",
            f"short form: every party and the site are in {declaration.site_country}, no owner is undisclosed",
        )
    lacking = [f"the full form lacks {gap.removeprefix('no answer to ')}" for gap in gaps(declaration)]
    return _from_faults("form", lacking, "refuse", "full form: every question that this route asks is answered")


def _amendments(papers: Papers) -> AdmissionCheck:
    chain = papers.chain()
    refused = [
        f"the amendment of {older_digest[:12]} does not name: {'; '.join(sorted(unnamed))}"
        for (_, newer), (older_digest, older) in itertools.pairwise(chain)
        if (unnamed := set(changed_answers(older, newer)) - set(newer.changes))
    ]
    if refused:
        return _check("amendments", "refuse", "; ".join(refused))
    changes = "; ".join(change for _, declaration in chain for change in declaration.changes)
    return _check("amendments", "passed", f"{len(chain) - 1} amendments: {changes}" if changes else "none")


def _limits(papers: Papers, declaration: Declaration, shipment: Shipment) -> AdmissionCheck:
    faults: list[str] = []
    if len(shipment.drives) > declaration.most_drives:
        faults.append(f"{len(shipment.drives)} drives, declared were at most {declaration.most_drives}")
    if shipment.plaintext_bytes > declaration.most_bytes:
        faults.append(
            f"{format_bytes(shipment.plaintext_bytes)} before redundancy, declared were at most "
            f"{format_bytes(declaration.most_bytes)}"
        )
    if faults:
        return _check("declared limits", "refuse", "; ".join(faults))
    # What the site can count without a key: ciphertext of the data volumes. Tar, age and folders explain some more than
    # the files: at most 4 KiB a file, 64 KiB a volume and 2 %; beyond that the shipment counts too little.
    volumes = [
        volume.bytes for group in papers.groups().values() for volume in group.volumes if volume.column < group.k
    ]
    explained = shipment.plaintext_bytes * 102 // 100 + shipment.num_files * 4096 + len(volumes) * 65536
    if sum(volumes) > explained:
        return _check(
            "declared limits",
            "hold",
            f"the data volumes hold {format_bytes(sum(volumes))}, "
            f"the shipment says {format_bytes(shipment.plaintext_bytes)}",
        )
    return _check(
        "declared limits",
        "passed",
        f"{len(shipment.drives)} drives, {format_bytes(shipment.plaintext_bytes)} before redundancy",
    )


def _rehearsal(papers: Papers) -> AdmissionCheck:
    ready = papers.current(Ready)
    if ready is None:
        return _check("rehearsal", "not done", "no rehearsal sheet in the dossier")
    return _from_faults(
        "rehearsal",
        [] if ready.ready_to_leave else ["the rehearsal sheet does not say ready to leave"],
        "hold",
        f"ready to leave, with kit {ready.kit[:12]}",
    )


def _exceptions(ruled: Ruled) -> tuple[AdmissionCheck, ...]:
    """Return what passed by exception only: it stands before everything else, with who stands for it."""
    told = [
        f"{flag.result.rule} STOP passes by {paper.paper} {paper.number} of {paper.issued_by} (SHA-256 "
        f"{paper.sha256[:16]}), signed for by {', '.join(persons)}: {'; '.join(_because(flag))}"
        for flag in ruled.standing.flags
        if flag.level == "STOP" and not flag.is_open
        for paper, persons in _papers_of(flag).items()
    ]
    return (_check("exceptions", "passed", "; ".join(told)),) if told else ()


def _papers_of(flag: RaisedFlag) -> dict[FlagException, list[str]]:
    found: dict[FlagException, list[str]] = {}
    for each in flag.answers:
        if each.answer.exception is not None:
            found.setdefault(each.answer.exception, []).append(f"{each.answer.person} ({each.role})")
    return found


def _because(flag: RaisedFlag) -> list[str]:
    return [finding.because for finding in flag.result.findings] or [flag.result.because]


def _rules(ruled: Ruled) -> AdmissionCheck:
    worst = ruled.standing.worst_open
    raised = [flag for flag in ruled.standing.flags if flag.is_open]
    raised.sort(key=lambda flag: -rank(flag.level))
    told = [f"{flag.result.rule} {flag.level}: {'; '.join(_because(flag))}" for flag in raised]
    answered = [f"{flag.result.rule} {flag.level}" for flag in ruled.standing.flags if not flag.is_open]
    told += [f"answered: {', '.join(answered)}"] if answered else []
    outcome: Outcome = "refuse" if worst == "STOP" else "hold" if worst == "HOLD" else "passed"
    return _check("rules", outcome, "; ".join([ruled.standing.sentence, *told]))


def _at_home(ruled: Ruled, home: Ruled | None) -> AdmissionCheck:
    """Return how the consignor's run differs from this one: it decides nothing, and it is shown."""
    if home is None:
        return _check("rules at home", "not done", "no run of the rules by the consignor came with the dossier")
    here = {(flag.result.rule, flag.level) for flag in ruled.standing.flags}
    there = {(flag.result.rule, flag.level) for flag in home.standing.flags}
    told = [home.standing.sentence]
    told += [f"only here: {rule} {level}" for rule, level in sorted(here - there)]
    told += [f"only at home: {rule} {level}" for rule, level in sorted(there - here)]
    return _check("rules at home", "passed", "; ".join(told))


def _evidence(num_named: int, num_here: int) -> AdmissionCheck:
    if not num_named:
        return _check("evidence", "not done", "the papers name no evidence")
    told = f"{num_here} of the {num_named} files that the papers name are here, as named"
    return _check("evidence", "passed" if num_here == num_named else "not done", told)


def _two_signers(parties: Parties) -> AdmissionCheck:
    operator, consignee = parties.of("operator"), parties.of("consignee")
    if operator is None or consignee is None:
        return _check("two signers", "hold", "parties.json names no operator or no consignee")
    if operator.signer == consignee.signer or operator.recipient == consignee.recipient:
        return _check(
            "two signers",
            "hold",
            "operator and consignee use one key: whoever admits must be another than whoever loads",
        )
    return _check("two signers", "passed", "admission and loading need two different keys")
