"""country-group.json: a dated group of countries, as a user of packtrain took it from its publisher. We ship none."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Document, Instant, Label, Sha256
from packtrain.documents.declared_party import Answer, Country, Day


class CountryGroup(Document, frozen=True, kw_only=True):
    """One group, such as Country Group D:5 under the label "D5".

    Attributes:
        as_of: the day for which its publisher states the members.
        file: SHA-256 of the TOML file that it was read from.
        replaces: SHA-256 of the record that this one took the place of; None for the first.
    """

    kind = "country-group"

    name: Label
    as_of: Day
    source: Answer
    members: Annotated[tuple[Country, ...], msgspec.Meta(min_length=1, max_length=300)]
    file: Sha256
    added_on: Instant
    replaces: Sha256 | None
