"""One entry of a list, the same whatever format the list came in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

EntryKind = Literal["person", "organisation", "vessel", "aircraft", "address", "unknown"]
"""What an entry names. "address": the place itself is listed, whoever sits there. "unknown": the list does not say."""


@dataclass(frozen=True, slots=True)
class ListedName:
    """One name of a listed party, as the list spells it, in any script.

    Attributes:
        text: without spaces at its ends, never empty.
        is_alias: the list gives it as a further name, not as the first.
        is_weak: the list itself says that the name is broad or little used ("weak a.k.a.", "low quality").
    """

    text: str
    is_alias: bool = False
    is_weak: bool = False


@dataclass(frozen=True, slots=True)
class ListedAddress:
    """One address of a listed party.

    Attributes:
        text: on one line, parts joined by ", "; the country is in it only where the list writes it there.
        country: as the list spells it: a code of ISO 3166-1 or a name. None where the list states none.
    """

    text: str
    country: str | None = None


@dataclass(frozen=True, slots=True)
class ListedParty:
    """One entry of a list.

    Attributes:
        list_label: the label that the user gave the list.
        entry_id: the list's own number or key of the entry; it finds the entry on the publisher's site.
        kind: what the entry names.
        names: the first name first; empty only for a listed address.
        addresses: may be empty.
        countries: of nationality, registration or flag, as the list spells them.
        programs: the programmes or source lists that the entry is on.
        identifiers: numbers of passports, registers, tax, IMO; each with its type where the list gives one.
        remarks: free text of the list, cut where it is very long.
        source_url: the page of the list or of the legal act; None where the list gives none.
    """

    list_label: str
    entry_id: str
    kind: EntryKind
    names: tuple[ListedName, ...]
    addresses: tuple[ListedAddress, ...] = ()
    countries: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    remarks: str = ""
    source_url: str | None = None
