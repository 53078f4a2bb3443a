"""From the documents of a voyage to the plain facts that rules look at. Nothing is judged here, and nothing left out.

What the documents do not say is None, never a harmless value: a rule that needs it then finds that it was not said.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Final

from packtrain.diligence.amendments import SHORT_FORM_FAILED, altered_fields
from packtrain.diligence.answer_reader import is_undisclosed
from packtrain.diligence.arrival import SightedDrive, serial_faults
from packtrain.diligence.full_form_gaps import party_of
from packtrain.diligence.ownership_chain import OwnershipChain, chain_of_ownership
from packtrain.diligence.packing import names_statement
from packtrain.diligence.rules import facts as to
from packtrain.diligence.screening.verdict import CandidateState
from packtrain.diligence.short_form import escapes, obstacles
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.full_form import WHOLE, FullForm
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.errors import DocumentError
from packtrain.record.custody import CustodyLine

_SIX_ROLES: Final[tuple[to.PartyRole, ...]] = ("shipper", "receiver", "operator", "trained_for")
_FULL_ROLES: Final[tuple[to.PartyRole, ...]] = ("end_user", "customer", "model_owner", "payer")


@dataclass(frozen=True, slots=True)
class Carried:
    """What was packed and carried, all of it verified.

    Attributes:
        statement, statement_digest: None where there is none.
        custody: the whole log, or () where there is none.
    """

    shipment: Shipment
    statement: PackingStatement | None
    statement_digest: str | None
    custody: Sequence[CustodyLine]


@dataclass(frozen=True, slots=True)
class Screened:
    """A screening, verified, and the state of its candidates as `screening.verdict.states_of` finds it."""

    screening: Screening
    states: Sequence[CandidateState]


def facts_of(
    chain: Sequence[Declaration],
    moment: to.Moment,
    *,
    carried: Carried | None = None,
    arrival: to.Arrival | None = None,
    screened: Screened | None = None,
    scan_findings: tuple[str, ...] | None = None,
    papers_here: Collection[str] | None = None,
) -> to.Facts:
    """Return what the rules look at; what they stop in superseded answers is left to `amended_stops`.

    Args:
        chain: the declaration in force, then each that it supersedes back to the first.
        moment: when the rules are run.
        carried: None before packing.
        arrival: None before drives are read at the site; see `arrival_of`.
        screened: None while nothing was screened.
        scan_findings: what a scan of the data found, in words; None where nothing was scanned.
        papers_here: SHA-256 of the files of evidence that are here: a licence has evidence by one of them alone, since
            it turns a STOP into less, and a digest of a file that nobody can read shows nothing. None: by its name.

    Raises:
        DocumentError: a document bears a day that the calendar does not have.
    """
    declaration = chain[0]
    full = declaration.full
    return to.Facts(
        form="full" if full is not None else "short",
        moment=moment,
        declared_on=_instant(declaration.signed_on, "declaration.json"),
        amended=altered_fields(chain),
        escaped=tuple(
            f"the short form is answered, and did not apply before "
            f"({'; '.join(obstacles(older)) or 'the full form was answered'}): "
            # Why the short form did not apply stands in the parentheses.
            + "; ".join(change for change in newer.changes if not change.startswith(SHORT_FORM_FAILED))
            for newer, older in itertools.pairwise(chain)
            if escapes(older, newer)
        ),
        stopped_before=(),
        parties=_parties(declaration),
        unstated_roles=tuple(_unstated(declaration)),
        owners=tuple(
            to.Owner(name=row.name, kind=row.kind, headquarters=row.headquarters, has_evidence=bool(row.evidence))
            for row in (full.owners if full else ())
        ),
        shares=tuple(
            to.Share(
                owner=row.owner,
                owned=row.owned,
                # A range the wrong way round says nothing.
                low=Fraction(row.low if row.low <= row.high else 0, WHOLE),
                high=Fraction(row.high if row.low <= row.high else WHOLE, WHOLE),
                as_of=_day(row.as_of),
                unknown_because=row.unknown_because,
                has_evidence=bool(row.evidence),
            )
            for row in (full.holdings if full else ())
        ),
        contract=to.Contract(
            signed_on=_day(full.contract.signed_on) if full else None,
            payment=full.contract.payment if full else None,
            has_evidence=bool(full and full.contract.evidence),
        ),
        end_use=declaration.end_use,
        prohibited_uses=full.prohibited_uses if full else None,
        site=_site(declaration, full),
        route=_route(declaration, full),
        home=to.Home(
            country=full.home.country if full else None,
            training_operations=full.home.training_operations if full else None,
            classification=full.home.classification if full else None,
        ),
        licences=tuple(
            to.Licence(
                number=row.number,
                authority=row.authority,
                covers=row.covers,
                valid_until=_day(row.valid_until),
                has_evidence=any(papers_here is None or paper.sha256 in papers_here for paper in row.evidence),
            )
            for row in ((full.licences or ()) if full else ())
        ),
        data=_data(declaration, full, scan_findings),
        screening=_screening(screened) if screened is not None else None,
        carriage=_carriage(carried) if carried is not None else None,
        arrival=arrival,
    )


def arrival_of(
    sighted: Sequence[SightedDrive], carried: Carried, lost: Collection[str], *, no_more: bool
) -> to.Arrival:
    """Return how the mounted drives differ from the packing statement, a line in words each.

    Args:
        sighted: the drives that are mounted.
        carried: with the packing statement.
        lost: UUIDs of drives with a signed `lost` entry.
        no_more: these are all that came. Else a drive that is not shown may still come, and is not missing.
    """
    cases = carried.statement.cases if carried.statement is not None else ()
    stated = {drive.uuid: (drive.label, drive.serial) for case in cases for drive in case.drives}
    shipped = {drive.uuid: drive.record for drive in carried.shipment.drives}
    unknown: list[str] = []
    swapped: list[str] = []
    missing: list[str] = []
    seen: set[str] = set()
    if carried.statement is None and any(drive.record is not None for drive in sighted):
        unknown.append(f"no packing statement names any of the {len(sighted)} drives that are mounted")
    for drive in sighted:
        record = drive.record
        if record is None:
            # A medium that cannot be read may be any drive: the one that it is will be missing.
            if not drive.is_unreadable:
                unknown.append(f"{drive.location}: {drive.fault}")
            continue
        if carried.statement is None:
            continue
        if record.uuid not in stated:
            unknown.append(f"{drive.location}: drive {record.label} ({record.uuid}) is not on the packing statement")
            continue
        label, serial = stated[record.uuid]
        if record.uuid in seen or drive.record_digest != shipped.get(record.uuid):
            unknown.append(f"{drive.location}: not the drive {label} that was shipped")
        seen.add(record.uuid)
        other, unread = serial_faults(drive, serial, record.uuid)
        swapped += other
        # Held like a missing one: a device that hides its serial is not shown to be the stated one.
        missing += unread
    absent = {uuid: label for uuid, (label, _) in stated.items() if uuid not in seen}
    if no_more:
        missing += [f"{label}: missing, and no entry says why" for uuid, label in absent.items() if uuid not in lost]
    return to.Arrival(
        unknown=tuple(unknown),
        swapped=tuple(swapped),
        missing=tuple(missing),
        lost=tuple(f"{label}: lost, by a signed entry" for uuid, label in absent.items() if uuid in lost),
    )


def _parties(declaration: Declaration) -> tuple[to.Party, ...]:
    full = declaration.full
    # By all that was declared, not by name alone: two parties of one name that differ stay two.
    roles: dict[DeclaredParty, list[to.PartyRole]] = {}
    dossiers: set[DeclaredParty] = set()
    for role, party in _roles(declaration):
        roles.setdefault(party, []).append(role)
    for reseller in (full.resellers or ()) if full else ():
        if reseller.dossier is not None:
            dossiers.add(reseller.party)
    chains = {chain.party: chain for chain in chain_of_ownership(declaration)}
    return tuple(
        _party(party, tuple(dict.fromkeys(has)), full, chains.get(party), has_dossier=party in dossiers)
        for party, has in roles.items()
    )


def _roles(declaration: Declaration) -> Iterator[tuple[to.PartyRole, DeclaredParty]]:
    for role in (*_SIX_ROLES, *_FULL_ROLES):
        if (party := party_of(declaration, role)) is not None and not is_undisclosed(party.name):
            yield role, party
    full = declaration.full
    if full is None:
        return
    for party in full.forwarders or ():
        yield "forwarder", party
    for reseller in full.resellers or ():
        yield "reseller", reseller.party
    if full.home.recipient is not None:
        yield "recipient", full.home.recipient


def _unstated(declaration: Declaration) -> Iterator[to.PartyRole]:
    for role in _SIX_ROLES:
        party = party_of(declaration, role)
        if party is None or is_undisclosed(party.name):
            yield role
    full = declaration.full
    if full is None:
        return
    for role in _FULL_ROLES:
        if party_of(declaration, role) is None:
            yield role
    if full.forwarders is None:
        yield "forwarder"
    if full.resellers is None:
        yield "reseller"
    if full.home.recipient is None:
        yield "recipient"


def _party(
    party: DeclaredParty,
    roles: tuple[to.PartyRole, ...],
    full: FullForm | None,
    chain: OwnershipChain | None,
    *,
    has_dossier: bool,
) -> to.Party:
    row = next((row for row in full.parties if row.name == party.name), None) if full is not None else None
    return to.Party(
        name=party.name,
        roles=roles,
        address=party.address,
        location=party.location,
        headquarters=party.headquarters,
        declared_parent=party.ultimate_parent,
        parent_country=party.parent_country,
        kind=row.kind if row else None,
        incorporated_on=_day(row.incorporated_on) if row else None,
        formed_at_request_of=row.formed_at_request_of if row else None,
        directors=row.directors if row else None,
        line_of_business=row.line_of_business if row else None,
        related_work=row.related_work if row else None,
        trades_for_others=row.trades_for_others if row else None,
        website=row.website if row else None,
        address_kind=row.address_kind if row else None,
        evidence=tuple(each.what for each in row.evidence) if row else (),
        has_dossier=has_dossier,
        above=tuple(to.Ancestor(member.name, member.headquarters) for member in chain.chain[1:]) if chain else (),
        # Nobody is above a public body that shows its statute: where it is, it is at the top.
        above_ends=("top" if chain.end == "not applicable" else chain.end) if chain else None,
    )


def _site(declaration: Declaration, full: FullForm | None) -> to.Site:
    if full is None:
        return to.Site(country=declaration.site_country, address=None, kilowatts=None, is_attested=False, hardware=())
    return to.Site(
        country=declaration.site_country,
        address=full.site.address,
        kilowatts=full.site.kilowatts,
        is_attested=full.site.infrastructure_attested is True,
        hardware=tuple(
            to.Hardware(
                item=row.item,
                is_advanced=row.is_advanced_computing,
                classification=row.classification,
                origin=row.origin,
                authority=row.authority,
                moves=row.moves,
                has_evidence=bool(row.evidence),
            )
            for row in full.site.hardware
        ),
    )


def _route(declaration: Declaration, full: FullForm | None) -> to.Route:
    legs = full.route if full is not None else ()
    carriers = [row.name for row in full.carriers] if full is not None else []
    carriers += [name for leg in legs for name in leg.carriers]
    return to.Route(
        start=declaration.shipper.location,
        legs=tuple(to.Leg(country=leg.country, mode=leg.mode, carriers=leg.carriers) for leg in legs),
        carriers=tuple(dict.fromkeys(carriers)),
        customs_reference=full.customs_reference if full is not None else None,
    )


def _data(declaration: Declaration, full: FullForm | None, scan_findings: tuple[str, ...] | None) -> to.Data:
    personal = full.personal if full is not None else None
    return to.Data(
        has_personal=declaration.data.personal_data,
        controller=personal.controller if personal else None,
        lawful_basis=personal.lawful_basis if personal else None,
        persons=tuple(
            to.Persons(
                kind=row.kind,
                country=row.country,
                number=row.number,
                transfer_tool=row.transfer_tool,
                has_evidence=bool(row.evidence),
            )
            for row in (personal.persons if personal else ())
        ),
        scan_findings=scan_findings,
    )


def _screening(screened: Screened) -> to.Screening | None:
    screening = screened.screening
    if screening.outcome == "not screened":
        return None
    return to.Screening(
        signed_on=_instant(screening.screened_on, "screening.json"),
        lists=tuple(to.ScreenedList(each.label, _instant(each.date, "screening.json")) for each in screening.lists),
        candidates=tuple(
            to.Candidate(
                identifier=state.candidate.id,
                subject=state.subject.text,
                is_address=state.candidate.matched == "address",
                list_label=state.candidate.list,
                listed=state.candidate.text,
                is_strong=state.is_strong,
                disposition=state.disposition,
                has_two_signers=state.has_two_signers,
            )
            for state in screened.states
        ),
        left_out=tuple(
            f"{each.text}: {each.num_left_out} more candidates, the best at {each.best_left_out} of 1000"
            for each in screening.subjects
            # Below "strong" the best of many stand for the rest, as `screening.verdict.open_points` has it.
            if each.num_left_out and each.best_left_out >= screening.engine.strong
        ),
    )


def _carriage(carried: Carried) -> to.Carriage:
    shipment, statement = carried.shipment, carried.statement
    cases = statement.cases if statement is not None else ()
    labels = {drive.uuid: drive.label for drive in shipment.drives}
    events = [line.event for line in carried.custody]
    sealed = [
        i
        for i, event in enumerate(events)
        if event.verb == "sealed" and carried.statement_digest and names_statement(event, carried.statement_digest)
    ]
    # What the log says before the statement's first seal belongs to an earlier statement.
    events = events[sealed[0] :] if sealed else events
    return to.Carriage(
        shipped=tuple(
            to.PackedDrive(label=drive.label, serial=drive.serial, case=drive.case) for drive in shipment.drives
        ),
        stated=tuple(
            to.PackedDrive(label=drive.label, serial=drive.serial, case=case.label)
            for case in cases
            for drive in case.drives
        ),
        stated_carriers=tuple(dict.fromkeys(case.carrier for case in cases)),
        custody_cases=tuple(dict.fromkeys(case for event in events for case in event.cases)),
        custody_drives=tuple(dict.fromkeys(labels.get(uuid, uuid) for event in events for uuid in event.drives)),
        # Entries name persons and places in free words alone: what cannot be read is not guessed at.
        custody_carriers=(),
        custody_countries=(),
    )


def _day(text: str | None) -> date | None:
    """Return a day of a document; a day that no calendar has is as good as none that was said."""
    try:
        return date.fromisoformat(text) if text is not None else None
    except ValueError:
        return None


def _instant(text: str, where: str) -> date:
    try:
        return date.fromisoformat(text[:10])
    except ValueError as error:
        raise DocumentError("a day that no calendar has", where=where, found=text[:10]) from error
