"""The pieces that sections of an audit are made of, and words that several of them use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from packtrain.diligence.audit.told import Told


@dataclass(frozen=True, slots=True)
class Rows:
    """Names and what stands beside them."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Sentences:
    """Plain sentences, a line each."""

    lines: Sequence[str]
    is_strong: bool = False


Block = Rows | Sentences


def from_document(told: Told) -> Sentences:
    """Return the line that says from which document an answer is, and what its signature is worth."""
    return Sentences((f"From {told.name} (sha256 {told.sha256[:16]}): {told.signature}.",))


def yes_no(value: bool | None) -> str:
    """Return an answer that may be undisclosed."""
    return "undisclosed" if value is None else "yes" if value else "no"
