"""The full form: which further questions a voyage has to answer, and the answers that declaration.toml gives.

What is asked follows from the route and the parties: customs and legs only where a border is crossed, registers and
owners only of companies, whose data it is only where it is personal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from packtrain.diligence.answer_reader import AnswerReader, is_answer, is_undisclosed
from packtrain.diligence.answers import (
    FULL_PARTIES,
    PARTIES,
    DeclarationFile,
    FactsAnswers,
    HoldingAnswers,
    PartyAnswers,
    Role,
)
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import NO_ONE, DeclaredParty
from packtrain.documents.full_form import (
    WHOLE,
    AddressKind,
    DeclaredCarrier,
    DeclaredContract,
    DeclaredHardware,
    DeclaredHolding,
    DeclaredLeg,
    DeclaredLicence,
    DeclaredOwner,
    DeclaredPersons,
    DeclaredReseller,
    DeclaredReturn,
    DeclaredSite,
    FullForm,
    OwnerKind,
    PartyFacts,
    PartyKind,
    PaymentMeans,
    PersonalData,
    PersonalKind,
    ProhibitedUse,
    TravelMode,
)
from packtrain.errors import DeclarationFileError

Written = Callable[[str], tuple[str, PartyAnswers]]
"""Role -> the role under which that party is written out, and its answers."""

ROLES: Final[tuple[str, ...]] = (*PARTIES, *FULL_PARTIES)
_COMPANY_QUESTIONS: Final = ("company", None)
"""Kinds of party that are asked for register, directors and business; None is a party that does not say its kind."""


def crosses_border(declaration: Declaration) -> bool:
    """Return whether the drives leave a country: the shipper's is not the site's, or a leg ends in another."""
    legs = declaration.full.route if declaration.full is not None else ()
    return len({declaration.shipper.location, declaration.site_country, *(leg.country for leg in legs)}) > 1


def read_full_form(
    answers: DeclarationFile, six: Declaration, written: Written, reader: AnswerReader, where: str
) -> FullForm:
    """Return the full form that the answers make; what is missing is collected by the reader.

    Args:
        answers: the whole file.
        six: its six questions, answered.
        written: finds the party that a role means.
        reader: of this file.
        where: its name, for messages.

    Raises:
        DeclarationFileError: an answer that cannot be one.
    """
    reads = _Reads(answers, six, written, reader, where)
    parties = {role: reads.role(role) for role in FULL_PARTIES}
    borders = six.shipper.location != six.site_country or bool(answers.carriage.legs)
    forwarders = reader.rows("carriage.forwarders", answers.carriage.forwarders)
    return FullForm(
        customer=parties["customer"],
        end_user=parties["end_user"],
        model_owner=parties["model_owner"],
        payer=parties["payer"],
        forwarders=None
        if forwarders is None
        else tuple(reads.party(f"carriage.forwarders[{i}]", row) for i, row in enumerate(forwarders)),
        resellers=reads.resellers(),
        parties=reads.facts(),
        owners=tuple(
            DeclaredOwner(
                name=reader.name(f"ownership.owners[{i}].name", row.name),
                kind=cast("OwnerKind | None", reader.choice(f"ownership.owners[{i}].kind", row.kind, OwnerKind)),
                address=reader.text(f"ownership.owners[{i}].address", row.address)
                if row.kind.strip().casefold() != "dispersed"
                else None,
                headquarters=reader.country(f"ownership.owners[{i}].headquarters", row.headquarters)
                if row.kind.strip().casefold() != "dispersed"
                else None,
                evidence=reader.evidence(f"ownership.owners[{i}]", row.evidence),
            )
            for i, row in enumerate(answers.ownership.owners)
        ),
        holdings=tuple(
            reads.holding(f"ownership.holdings[{i}]", row) for i, row in enumerate(answers.ownership.holdings)
        ),
        contract=DeclaredContract(
            signed_on=reader.day("contract.signed_on", answers.contract.signed_on),
            payment=cast(
                "PaymentMeans | None", reader.choice("contract.payment", answers.contract.payment, PaymentMeans)
            ),
            evidence=reader.evidence("contract", answers.contract.evidence),
        ),
        prohibited_uses=reads.prohibited_uses(),
        site=reads.site(),
        carriers=tuple(
            DeclaredCarrier(
                name=reader.name(f"carriage.carriers[{i}].name", row.name),
                acts_for=reader.text(f"carriage.carriers[{i}].acts_for", row.acts_for),
                location=reader.country(f"carriage.carriers[{i}].location", row.location),
            )
            for i, row in enumerate(answers.carriage.carriers)
        ),
        route=reads.route(),
        customs_reference=reader.text("carriage.customs_reference", answers.carriage.customs_reference)
        if borders
        else NO_ONE,
        home=reads.home(),
        licences=reads.licences(),
        data_source=reader.text("source.origin", answers.source.origin),
        personal=reads.personal() if six.data.personal_data else None,
    )


class _Reads:
    """The parts of a full form, read with one reader."""

    def __init__(
        self, answers: DeclarationFile, six: Declaration, written: Written, reader: AnswerReader, where: str
    ) -> None:
        self._answers, self._six, self._written, self._reader, self._where = answers, six, written, reader, where

    def role(self, role: str) -> DeclaredParty | None:
        """Return who has a role; None where that is undisclosed, or missing."""
        place, answers = self._written(role)
        if place in PARTIES:
            party: DeclaredParty = getattr(self._six, place)
            return None if is_undisclosed(party.name) else party
        if place == role and answers == PartyAnswers():
            self._reader.missing.append(role)
            return None
        return None if is_undisclosed(answers.name) else self._reader.party(place, answers)

    def party(self, place: str, answers: PartyAnswers) -> DeclaredParty:
        """Return a party of a row: written out there, or the same as a role."""
        if answers.same_as is None:
            return self._reader.party(place, answers)
        party = self.role(answers.same_as)
        if party is None:
            self._reader.missing.append(place)
            return DeclaredParty(
                name="?", address="?", location="??", headquarters=None, ultimate_parent=None, parent_country=None
            )
        return party

    def resellers(self) -> tuple[DeclaredReseller, ...] | None:
        rows = self._reader.rows("contract.resellers", self._answers.contract.resellers)
        if rows is None:
            return None
        return tuple(
            DeclaredReseller(
                party=self.party(place := f"contract.resellers[{i}]", row),
                dossier=self._reader.digest(f"{place}.dossier", row.dossier) if is_answer(row.dossier) else None,
            )
            for i, row in enumerate(rows)
        )

    def facts(self) -> tuple[PartyFacts, ...]:
        """Return one row a party, in the order of the roles; a party that nobody named has none."""
        found: dict[str, PartyFacts] = {}
        for role in ROLES:
            place, answers = self._written(role)
            facts: FactsAnswers | None = getattr(self._answers.facts, role)
            if place != role:
                if facts is not None:
                    raise DeclarationFileError(
                        f"[facts.{role}] is of a party that is written out elsewhere",
                        where=self._where,
                        expected=f"[facts.{place}]",
                        hint="a party is said once, and so are its facts",
                    )
                continue
            if not is_answer(answers.name) or is_undisclosed(answers.name):
                continue
            name = answers.name.strip()
            row = self._facts_of(f"facts.{role}", name, facts if facts is not None else FactsAnswers())
            if name in found:
                raise DeclarationFileError(
                    f"two roles write out a party of one name: {name}",
                    where=self._where,
                    found=role,
                    hint=f"write same_as in [{role}], so that the party is said once",
                )
            found[name] = row
        return tuple(found.values())

    def _facts_of(self, place: str, name: str, answers: FactsAnswers) -> PartyFacts:
        reader = self._reader
        kind = cast("PartyKind | None", reader.choice(f"{place}.kind", answers.kind, PartyKind))
        # Further questions depend on the kind; where that has no answer yet, they would be guesses.
        is_organisation = kind != "person" and is_answer(answers.kind)
        is_company = kind in _COMPANY_QUESTIONS and is_answer(answers.kind)
        trades = reader.yes_no(f"{place}.trades_for_others", answers.trades_for_others) if is_company else None
        address = reader.choice(f"{place}.address_kind", answers.address_kind, AddressKind) if is_organisation else None

        def asked(field: str, *, when: bool) -> str | None:
            return reader.text(f"{place}.{field}", getattr(answers, field)) if when else None

        return PartyFacts(
            name=name,
            kind=kind,
            incorporated_on=reader.day(f"{place}.incorporated_on", answers.incorporated_on) if is_company else None,
            formed_at_request_of=asked("formed_at_request_of", when=is_company),
            directors=reader.texts(f"{place}.directors", answers.directors) if is_company else None,
            line_of_business=asked("line_of_business", when=is_organisation),
            related_work=asked("related_work", when=is_organisation),
            trades_for_others=trades,
            website=asked("website", when=is_organisation),
            address_kind=cast("AddressKind | None", address),
            evidence=reader.evidence(place, answers.evidence),
        )

    def holding(self, place: str, row: HoldingAnswers) -> DeclaredHolding:
        reader = self._reader
        owner = reader.text(f"{place}.owner", row.owner)
        if row.at_least is None and row.at_most is None:
            exact = reader.share(f"{place}.percent", row.percent)
            low, high = (0, WHOLE) if exact is None else (exact, exact)
        else:
            if row.percent is not None:
                raise DeclarationFileError(
                    f"{place} has percent beside a range",
                    where=self._where,
                    expected="percent, or at_least and at_most",
                    hint="keep one of the two",
                )
            least, most = reader.share(f"{place}.at_least", row.at_least), reader.share(f"{place}.at_most", row.at_most)
            low, high = 0 if least is None else least, WHOLE if most is None else most
        if low > high:
            raise DeclarationFileError(
                f"{place}: at_least is more than at_most", where=self._where, found=f"{row.at_least} and {row.at_most}"
            )
        return DeclaredHolding(
            owner=owner,
            owned=reader.name(f"{place}.owned", row.owned),
            low=low,
            high=high,
            as_of=reader.day(f"{place}.as_of", row.as_of),
            # Asked only of an owner who is left undisclosed, not of one that nobody answered.
            unknown_because=reader.name(f"{place}.unknown_because", row.unknown_because)
            if owner is None and is_undisclosed(row.owner)
            else None,
            evidence=reader.evidence(place, row.evidence),
        )

    def prohibited_uses(self) -> tuple[ProhibitedUse, ...] | None:
        rows = self._reader.rows("permits.prohibited_uses", self._answers.permits.prohibited_uses)
        if rows is None:
            return None
        uses = (self._reader.choice("permits.prohibited_uses", row, ProhibitedUse) for row in rows)
        return tuple(cast("ProhibitedUse", use) for use in uses if use is not None)

    def site(self) -> DeclaredSite:
        reader, site = self._reader, self._answers.site
        return DeclaredSite(
            address=reader.text("site.address", site.address),
            kilowatts=reader.whole("site.megawatts", site.megawatts, 1000),
            infrastructure_attested=reader.yes_no("site.infrastructure_attested", site.infrastructure_attested),
            hardware=tuple(
                DeclaredHardware(
                    item=reader.name(f"{(place := f'site.hardware[{i}]')}.item", row.item),
                    count=reader.whole(f"{place}.count", row.count),
                    is_advanced_computing=reader.yes_no(f"{place}.is_advanced_computing", row.is_advanced_computing),
                    classification=reader.text(f"{place}.classification", row.classification),
                    origin=reader.country(f"{place}.origin", row.origin),
                    authority=reader.text(f"{place}.authority", row.authority),
                    moves=reader.yes_no(f"{place}.moves", row.moves),
                    evidence=reader.evidence(place, row.evidence),
                )
                for i, row in enumerate(site.hardware)
            ),
            evidence=reader.evidence("site", site.evidence),
        )

    def route(self) -> tuple[DeclaredLeg, ...]:
        reader = self._reader
        return tuple(
            DeclaredLeg(
                country=reader.country(f"{(place := f'carriage.legs[{i}]')}.country", row.country),
                mode=cast("TravelMode | None", reader.choice(f"{place}.mode", row.mode, TravelMode)),
                carriers=tuple(name.strip() for name in row.carriers if is_answer(name)),
            )
            for i, row in enumerate(self._answers.carriage.legs)
        )

    def home(self) -> DeclaredReturn:
        reader, home = self._reader, self._answers.home
        recipient = home.recipient
        if isinstance(recipient, str) and is_answer(recipient) and not is_undisclosed(recipient):
            if recipient.strip() not in ROLES:
                raise DeclarationFileError(
                    "home.recipient is no role",
                    where=self._where,
                    expected=f"one of {', '.join(ROLES)}; undisclosed; or a table [home.recipient] like a party",
                    found=recipient[:80],
                )
            recipient = PartyAnswers(same_as=cast("Role", recipient.strip()))
        return DeclaredReturn(
            country=reader.country("home.country", home.country),
            recipient=self._recipient(recipient),
            training_operations=reader.text("home.training_operations", home.training_operations),
            classification=reader.text("home.classification", home.classification),
        )

    def _recipient(self, recipient: PartyAnswers | str | None) -> DeclaredParty | None:
        if not isinstance(recipient, PartyAnswers):
            self._reader.text("home.recipient", recipient or "")
            return None
        if recipient.same_as is not None:
            return self.role(recipient.same_as)
        return None if is_undisclosed(recipient.name) else self._reader.party("home.recipient", recipient)

    def licences(self) -> tuple[DeclaredLicence, ...] | None:
        reader = self._reader
        rows = reader.rows("permits.licences", self._answers.permits.licences)
        if rows is None:
            return None
        return tuple(
            DeclaredLicence(
                number=reader.name(f"{(place := f'permits.licences[{i}]')}.number", row.number),
                authority=reader.name(f"{place}.authority", row.authority),
                covers=reader.name(f"{place}.covers", row.covers),
                valid_until=reader.day(f"{place}.valid_until", row.valid_until),
                evidence=reader.evidence(place, row.evidence),
            )
            for i, row in enumerate(rows)
        )

    def personal(self) -> PersonalData:
        reader, source = self._reader, self._answers.source
        return PersonalData(
            controller=reader.text("source.controller", source.controller),
            lawful_basis=reader.text("source.lawful_basis", source.lawful_basis),
            persons=tuple(
                DeclaredPersons(
                    kind=cast(
                        "PersonalKind | None",
                        reader.choice(f"{(place := f'data.persons[{i}]')}.kind", row.kind, PersonalKind),
                    ),
                    country=reader.country(f"{place}.country", row.country),
                    number=reader.whole(f"{place}.number", row.number),
                    transfer_tool=reader.text(f"{place}.transfer_tool", row.transfer_tool),
                    evidence=reader.evidence(place, row.evidence),
                )
                for i, row in enumerate(self._answers.data.persons)
            ),
        )
