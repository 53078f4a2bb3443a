"""revocation: a party's signing key is lost or stolen, and what it signed that still counts."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Document, Instant, Sha256
from packtrain.documents.parties import Role

MAX_VOUCHED = 100_000
"""Digests in each of the two lists: 300 drives have some thousand signed records."""
Fingerprint = Annotated[str, msgspec.Meta(pattern=r"\ASHA256:[A-Za-z0-9+/]{43}\Z")]


class Revocation(Document, frozen=True, kw_only=True):
    """One revoked key. It only takes trust away: what it vouches for needs its good signature as before.

    Signed by the party's reviewer, or by the revoked key itself. Of several about one key each has to let a document
    count, so that whoever holds a stolen key cannot undo a revocation by another one.

    Attributes:
        voyage: name of the voyage.
        by: whose key it is.
        fingerprint: the key, as `ssh-keygen -l` shows it.
        lost_on: from when on it was not in that party's hands alone, as far as the party knows.
        because: what happened, in plain words.
        documents: SHA-256 of the documents, signed by that key, that the party vouches for.
        log_lines: SHA-256 of the lines of custody logs that the party vouches for, with all lines before each.
        revoked_on: when this was signed.
    """

    kind = "revocation"

    voyage: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    by: Role
    fingerprint: Fingerprint
    lost_on: Instant
    because: Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]
    documents: Annotated[tuple[Sha256, ...], msgspec.Meta(max_length=MAX_VOUCHED)]
    log_lines: Annotated[tuple[Sha256, ...], msgspec.Meta(max_length=MAX_VOUCHED)]
    revoked_on: Instant
