"""declaration.json: who ships what to whom for which end use. Signed by the consignor before a byte is packed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Text
from packtrain.documents.declared_party import Answer, Country, DeclaredParty
from packtrain.documents.full_form import FullForm


class DeclaredData(Part, frozen=True, kw_only=True):
    """What the data is, and when the site erases it."""

    description: Answer
    categories: tuple[Answer, ...]
    personal_data: bool
    erased_by: Answer
    card: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")] | None


class Declaration(Document, frozen=True, kw_only=True):
    """The six questions of the short form, answered; in the full form with all that `full` holds.

    1 `shipper`; 2 `receiver` and `operator`; 3 `trained_for`; 4 `end_use`; 5 `hardware_class` (at `site_country`);
    6 `data`. `supersedes` and `changes` make an amendment: a new declaration that shows the old and the new value.
    """

    kind = "declaration"

    voyage: Answer
    form: Annotated[str, msgspec.Meta(pattern=r"\A(short|full)\Z")]
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
    full: FullForm | None
    signed_on: Instant
    supersedes: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")] | None
    changes: tuple[Text, ...]
