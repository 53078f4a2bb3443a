"""inspection.json: what a party found of the site's hosts before it trains there, held against what was promised."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Document, Instant, Part, Sha256, Text, Uuid
from packtrain.documents.promised_section import PromisedSection

Verdict = Literal["good", "bad", "not shown"]
"""*good*: as it was asked for. *bad*: the opposite was seen. *not shown*: nothing was seen of it; `found` says why."""

HostName = Annotated[str, msgspec.Meta(min_length=1, max_length=255)]


class Figure(Part, frozen=True, kw_only=True):
    """A number that was measured, and its unit."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    value: float
    unit: Annotated[str, msgspec.Meta(max_length=32)]


class Finding(Part, frozen=True, kw_only=True):
    """What was asked of a host, or of several together, and what was found.

    Attributes:
        hosts: whom it is of; more than one where it is of what lies between them.
        what: what was looked at, in a few words: the same on every host.
        asked: what it is held against; "" where it is only told.
        remedy: what mends it; "" where nothing is bad.
        is_promised: [site.promised] says it: it is a fault, too, where it was not shown.
    """

    hosts: Annotated[tuple[HostName, ...], msgspec.Meta(min_length=1, max_length=100_000)]
    what: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    asked: Text
    found: Text
    verdict: Verdict
    figures: Annotated[tuple[Figure, ...], msgspec.Meta(max_length=4096)] = ()
    remedy: Text = ""
    is_promised: bool = False


class Inspection(Document, frozen=True, kw_only=True):
    """The acceptance sheet of a site.

    Attributes:
        shipment: UUID of what was loaded there; None where it was inspected before the cargo came.
        by: the party that inspected.
        engine: through which the hosts were reached.
        hosts: their names.
        kit, ready: SHA-256 of kit.json and ready.json that the site was held against; None where they were not there.
        promised: what [site.promised] said; None where nothing was promised.
        is_fit: nothing is bad, and all that was promised was shown.
    """

    kind = "inspection"

    shipment: Uuid | None
    by: Literal["operator", "consignee"]
    engine: Annotated[str, msgspec.Meta(min_length=1, max_length=32)]
    hosts: Annotated[tuple[HostName, ...], msgspec.Meta(min_length=1, max_length=100_000)]
    kit: Sha256 | None
    ready: Sha256 | None
    promised: PromisedSection | None
    findings: Annotated[tuple[Finding, ...], msgspec.Meta(min_length=1, max_length=1_000_000)]
    is_fit: bool
    finished: Instant

    @property
    def faults(self) -> tuple[Finding, ...]:
        """Return what makes the site unfit: what is bad, and what was promised and not shown."""
        return tuple(one for one in self.findings if is_fault(one))


def is_fault(finding: Finding) -> bool:
    """Return whether a finding makes the site unfit."""
    return finding.verdict == "bad" or (finding.verdict == "not shown" and finding.is_promised)
