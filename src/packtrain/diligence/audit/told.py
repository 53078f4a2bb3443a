"""The document that an answer is from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """The document that an answer is from, and what is known of its signature."""

    name: str
    sha256: str
    signature: str
