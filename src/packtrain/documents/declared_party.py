"""A party as the consignor declares it, and the small words that all of a declaration is written in.

None is "undisclosed" everywhere in a declaration: the question was asked, and the answer is that it is not said.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from packtrain.documents.codec import Part, Sha256

NO_ONE: Final = "none"
"""The answer "there is none": no owner above, no website, no customs paper. It differs from None."""

Country = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{2}\Z")]
"""ISO 3166-1 alpha-2."""
Answer = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
Day = Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]


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


class Evidence(Part, frozen=True, kw_only=True):
    """A file that supports an answer: what it is, and its SHA-256. The file itself is shown on request."""

    what: Answer
    sha256: Sha256
