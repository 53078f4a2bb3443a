"""declaration.toml: the six questions of the short form as the consignor answers them, and what they make."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from packtrain.diligence.countries import check_country
from packtrain.documents.codec import Part, Text
from packtrain.documents.declaration import Declaration, DeclaredData, DeclaredParty
from packtrain.documents.toml_file import MAX_TOML_BYTES, decode_toml
from packtrain.errors import DeclarationFileError, DeclarationIncomplete, DeclarationMissing
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant
from packtrain.units import parse_bytes

DECLARATION_FILE: Final = "declaration.toml"
PARTIES: Final = ("shipper", "receiver", "operator", "trained_for")
NO_PARENT: Final = "none"
EXAMPLE: Final = """\
# The short form: six questions. It applies only where every party and the site are in one country and no owner is
# undisclosed. Write "undisclosed" for what is not known: that is an answer, an empty text is none.
# Once signed, an answer changes only by "packtrain declare --amend", which shows the old and the new value.

end_use = ""                      # 4: what the trained model is for
hardware_class = ""               # 5: the accelerators, and under which authority the site has them
site_country = ""                 # 5: two letters, ISO 3166-1
returns = ""                      # what comes home, and to whom
most_bytes = ""                   # most bytes of cargo, before redundancy; for example "80TB"
most_drives = 0

[shipper]                         # 1: who ships
name = ""
address = ""
location = ""                     # country of this address
headquarters = ""                 # country
ultimate_parent = ""              # name of the last owner above; "none" where there is none
parent_country = ""               # headquarters of that owner; leave it out where there is none

[receiver]                        # 2: who receives and trains
same_as = "operator"              # instead of repeating a party

[operator]                        # 2: who operates the site
name = ""
address = ""
location = ""
headquarters = ""
ultimate_parent = ""
parent_country = ""

[trained_for]                     # 3: for whom the model is trained
same_as = "shipper"

[data]                            # 6: what the data is, and when the site erases it
description = ""
categories = []                   # for example ["astronomical images"]
# personal_data = false
erased_by = ""                    # a date, or an event such as "within 7 days of the return"
"""
_UNDISCLOSED: Final = frozenset({"undisclosed", "unknown"})
_NO_ANSWER: Final = frozenset({"", "?", "todo", "tbd"})


class PartyAnswers(Part, frozen=True, kw_only=True):
    """One party of declaration.toml, or the name of a party that it is the same as."""

    same_as: Literal["shipper", "receiver", "operator", "trained_for"] | None = None
    name: Text = ""
    address: Text = ""
    location: Text = ""
    headquarters: Text = ""
    ultimate_parent: Text = ""
    parent_country: Text = ""


class DataAnswers(Part, frozen=True, kw_only=True):
    """[data] of declaration.toml; `card` is the SHA-256 of the data set's card, where there is one."""

    description: Text = ""
    categories: tuple[Text, ...] = ()
    personal_data: bool | None = None
    erased_by: Text = ""
    card: Text | None = None


class DeclarationFile(Part, frozen=True, kw_only=True):
    """All of declaration.toml. Every field may be left out here, so that all missing answers are named at once."""

    end_use: Text = ""
    hardware_class: Text = ""
    site_country: Text = ""
    returns: Text = ""
    most_bytes: int | Text | None = None
    most_drives: int | None = None
    shipper: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    receiver: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    operator: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    trained_for: PartyAnswers = msgspec.field(default_factory=PartyAnswers)
    data: DataAnswers = msgspec.field(default_factory=DataAnswers)


def read_declaration_file(folder: VoyageFolder) -> bytes:
    """Return the bytes of declaration.toml.

    Raises:
        DeclarationMissing: there is none.
    """
    path = folder.root / DECLARATION_FILE
    try:
        with path.open("rb") as stream:
            return stream.read(MAX_TOML_BYTES + 1)
    except FileNotFoundError as error:
        raise DeclarationMissing(
            "declaration.toml is not there",
            where=str(folder.root),
            hint="answer the six questions in that file; docs/reference/declaration-toml.md has the form to copy",
        ) from error


def declare_from(payload: bytes, voyage: str, where: str) -> Declaration:
    """Return the declaration that these answers make: dated now, amending nothing.

    Args:
        payload: the bytes of declaration.toml.
        voyage: the voyage's name.
        where: name of the file, for messages.

    Raises:
        DeclarationFileError: not TOML, an unknown field, or an answer that cannot be one (no such country or size).
        DeclarationIncomplete: answers are missing; all of them are named.
    """
    answers = decode_toml(
        DeclarationFile,
        payload,
        where,
        error=DeclarationFileError,
        reference="docs/reference/declaration-toml.md",
    )
    parties = {name: _party(answers, name, where) for name in PARTIES}
    missing = [f"{name}.{field}" for name, party in parties.items() for field in _unanswered(party)]
    missing += [
        field
        for field, answer in (
            ("end_use", answers.end_use),
            ("hardware_class", answers.hardware_class),
            ("site_country", answers.site_country),
            ("returns", answers.returns),
            ("most_bytes", "" if answers.most_bytes is None else str(answers.most_bytes)),
            ("most_drives", "" if not answers.most_drives else str(answers.most_drives)),
            ("data.description", answers.data.description),
            ("data.categories", " ".join(answers.data.categories)),
            ("data.personal_data", "" if answers.data.personal_data is None else "answered"),
            ("data.erased_by", answers.data.erased_by),
        )
        if not is_answer(answer)
    ]
    if missing:
        raise DeclarationIncomplete(
            "not every one of the six questions is answered",
            where=where,
            expected='an answer to each; "undisclosed" is one',
            found=f"no answer to {', '.join(missing)}",
            hint='answer them in declaration.toml; a guess is worse than "undisclosed"',
        )
    try:
        return Declaration(
            voyage=voyage,
            form="short",
            shipper=_declared(parties["shipper"], "shipper", where),
            receiver=_declared(parties["receiver"], "receiver", where),
            operator=_declared(parties["operator"], "operator", where),
            trained_for=_declared(parties["trained_for"], "trained_for", where),
            end_use=answers.end_use.strip(),
            hardware_class=answers.hardware_class.strip(),
            site_country=check_country(answers.site_country, where, "site_country"),
            data=_declared_data(answers.data, where),
            most_bytes=_size(answers.most_bytes, where),
            most_drives=_positive(answers.most_drives, where),
            returns=answers.returns.strip(),
            signed_on=instant(),
            supersedes=None,
            changes=(),
        )
    except ValueError as error:
        raise DeclarationFileError(str(error), where=where) from error


def is_answer(text: str) -> bool:
    """Return whether a text answers anything: "", "?", "todo" and "tbd" do not."""
    return text.strip().casefold() not in _NO_ANSWER


def text_answers(declaration: Declaration) -> dict[str, str]:
    """Return the answers of a declaration that are plain text, by field: those that could be there and say nothing."""
    answers = {
        "end_use": declaration.end_use,
        "hardware_class": declaration.hardware_class,
        "returns": declaration.returns,
        "data.description": declaration.data.description,
        "data.categories": " ".join(declaration.data.categories),
        "data.erased_by": declaration.data.erased_by,
    }
    for name in PARTIES:
        party: DeclaredParty = getattr(declaration, name)
        answers |= {f"{name}.name": party.name, f"{name}.address": party.address}
    return answers


def _party(answers: DeclarationFile, name: str, where: str) -> PartyAnswers:
    own: PartyAnswers = getattr(answers, name)
    if own.same_as is None:
        return own
    other: PartyAnswers = getattr(answers, own.same_as)
    if own != PartyAnswers(same_as=own.same_as):
        raise DeclarationFileError(
            f"{name} has same_as and answers of its own", where=where, hint="keep one of the two: a party is said once"
        )
    if other.same_as is not None:
        raise DeclarationFileError(
            f"{name}.same_as names a party that itself is the same as another",
            where=where,
            found=f"{own.same_as}, which is the same as {other.same_as}",
            hint="name the party that is written out",
        )
    return other


def _unanswered(party: PartyAnswers) -> list[str]:
    fields = ["name", "address", "location", "headquarters", "ultimate_parent"]
    if party.ultimate_parent.strip().casefold() != NO_PARENT:
        fields.append("parent_country")
    return [field for field in fields if not is_answer(getattr(party, field))]


def _declared(party: PartyAnswers, name: str, where: str) -> DeclaredParty:
    parent = party.ultimate_parent.strip()
    return DeclaredParty(
        name=party.name.strip(),
        address=party.address.strip(),
        location=check_country(party.location, where, f"{name}.location"),
        headquarters=_country_or_none(party.headquarters, where, f"{name}.headquarters"),
        ultimate_parent=(
            None if parent.casefold() in _UNDISCLOSED else NO_PARENT if parent.casefold() == NO_PARENT else parent
        ),
        parent_country=_country_or_none(party.parent_country, where, f"{name}.parent_country"),
    )


def _country_or_none(text: str, where: str, field: str) -> str | None:
    if not is_answer(text) or text.strip().casefold() in _UNDISCLOSED:
        return None
    return check_country(text, where, field)


def _declared_data(data: DataAnswers, where: str) -> DeclaredData:
    card = (data.card or "").strip() or None
    if card is not None and (len(card) != 64 or set(card) - set("0123456789abcdef")):
        raise DeclarationFileError("data.card is no SHA-256", where=where, expected="64 hex digits", found=card[:80])
    return DeclaredData(
        description=data.description.strip(),
        categories=tuple(category.strip() for category in data.categories if is_answer(category)),
        personal_data=bool(data.personal_data),
        erased_by=data.erased_by.strip(),
        card=card,
    )


def _size(answer: int | str | None, where: str) -> int:
    assert answer is not None, "a missing answer was named before"
    total_bytes = answer if isinstance(answer, int) else parse_bytes(answer)
    return _in_range("most_bytes", total_bytes, where)


def _positive(answer: int | None, where: str) -> int:
    assert answer is not None, "a missing answer was named before"
    return _in_range("most_drives", answer, where)


def _in_range(field: str, number: int, where: str) -> int:
    if not 1 <= number <= 2**53 - 1:
        raise DeclarationFileError(
            f"{field} is out of range", where=where, expected="1 to 9007199254740991", found=str(number)
        )
    return number
