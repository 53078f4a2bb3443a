"""admission.json: the site operator's verdict on one dossier. Without `admit` nothing is loaded."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Document, Instant, Label, Part, Sha256, Text, Uuid

AdmissionVerdict = Literal["admit", "hold", "refuse"]


class AdmissionCheck(Part, frozen=True, kw_only=True):
    """One thing that was looked at, and what was found."""

    check: Text
    outcome: Literal["passed", "hold", "refuse", "not done"]
    detail: Text


class AdmittedDrive(Part, frozen=True, kw_only=True):
    """A drive that may be loaded."""

    uuid: Uuid
    label: Label
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    case: Label


class Admission(Document, frozen=True, kw_only=True):
    """The verdict, what it rests on, and the drives it covers.

    Attributes:
        dossier: SHA-256 of the dossier's tagmanifest.
        packing_statement: None where there was none: such a shipment is refused.
        own_site: consignor and operator are the same party.
        screening, flags: the operator's own screening and its run of the rules, by digest.
        policy: SHA-256 of the site's policy; None without one.
    """

    kind = "admission"

    shipment: Uuid
    attempt: Annotated[int, msgspec.Meta(ge=1, le=9999)]
    plan: Sha256
    shipment_root: Sha256
    declaration: Sha256
    packing_statement: Sha256 | None
    dossier: Sha256
    verdict: AdmissionVerdict
    own_site: bool
    screening: Sha256
    flags: Sha256
    policy: Sha256 | None
    checks: Annotated[tuple[AdmissionCheck, ...], msgspec.Meta(min_length=1, max_length=256)]
    drives: Annotated[tuple[AdmittedDrive, ...], msgspec.Meta(max_length=4096)]
    decided_on: Instant
