"""declaration.json: who ships what to whom for which end use. Signed by the consignor before a byte is packed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Text

Country = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{2}\Z")]
Answer = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class DeclaredParty(Part, frozen=True, kw_only=True):
    """One party as declared.

    Attributes:
        location, headquarters, parent_country: ISO 3166-1 alpha-2; None is "not stated".
        ultimate_parent: its name, "none" where the party has no owner above it, or None for "undisclosed".
    """

    name: Answer
    address: Answer
    location: Country
    headquarters: Country | None
    ultimate_parent: Answer | None
    parent_country: Country | None


class DeclaredData(Part, frozen=True, kw_only=True):
    """What the data is, and when the site erases it."""

    description: Answer
    categories: tuple[Answer, ...]
    personal_data: bool
    erased_by: Answer
    card: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")] | None


class Declaration(Document, frozen=True, kw_only=True):
    """The six questions of the short form, answered.

    1 `shipper`; 2 `receiver` and `operator`; 3 `trained_for`; 4 `end_use`; 5 `hardware_class` (at `site_country`);
    6 `data`. `supersedes` and `changes` make an amendment: a new declaration that shows the old and the new value.
    """

    kind = "declaration"

    voyage: Answer
    form: Annotated[str, msgspec.Meta(pattern=r"\Ashort\Z")]
    shipper: DeclaredParty
    receiver: DeclaredParty
    operator: DeclaredParty
    trained_for: DeclaredParty
    end_use: Answer
    hardware_class: Answer
    site_country: Country
    data: DeclaredData
    most_bytes: Count
    most_drives: Count
    returns: Answer
    signed_on: Instant
    supersedes: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")] | None
    changes: tuple[Text, ...]
