"""The acceptance sheets of a site as values: what each party found there, and whether it is of what is here now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec

from packtrain.documents.codec import MAX_DOCUMENT_BYTES
from packtrain.documents.inspection import Finding, Inspection
from packtrain.documents.kit import Kit
from packtrain.documents.parties import Role
from packtrain.documents.shipment import Shipment
from packtrain.errors import UntrustedSigner
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.report.quietly import quietly

_MAKERS: Final[tuple[Role, ...]] = ("operator", "consignee")
MOST_SHOWN: Final = 200
"""Faults, and findings of several hosts together, that are told one by one. All are counted."""


@dataclass(frozen=True, slots=True)
class FoundView:
    """One finding: of which hosts in words, and as the sheet says it."""

    hosts: str
    what: str
    found: str
    asked: str
    verdict: str
    remedy: str
    is_promised: bool


@dataclass(frozen=True, slots=True)
class InspectedHost:
    """One host: how many findings of it alone are good, bad and not shown."""

    host: str
    num_good: int
    num_bad: int
    num_not_shown: int


@dataclass(frozen=True, slots=True)
class InspectionView:
    """One sheet whose signature is good.

    Attributes:
        by: the party that inspected.
        finished: a UTC instant.
        engine: through which the hosts were reached.
        hosts: all of them, those with faults first.
        is_fit: as the sheet says, which follows from its findings.
        num_findings, num_faults, num_not_shown: of all hosts.
        faults: what makes the site unfit, the first `MOST_SHOWN`.
        together: what is of several hosts, the first `MOST_SHOWN`; all of the one host where there is one alone.
        stale: why it says nothing of what is here now; "" where it is of this cargo and kit.
    """

    by: str
    finished: str
    engine: str
    hosts: tuple[InspectedHost, ...]
    is_fit: bool
    num_findings: int
    num_faults: int
    num_not_shown: int
    faults: tuple[FoundView, ...]
    together: tuple[FoundView, ...]
    stale: str

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values, for `--json`."""
        return msgspec.to_builtins(self) | {"num_hosts": len(self.hosts)}


def inspections_view(folders: Sequence[VoyageFolder], unread: list[str]) -> tuple[InspectionView, ...]:
    """Return the sheet of each party that inspected: from its own folder before what a dossier brought elsewhere.

    Args:
        folders: one a party, all of one voyage.
        unread: gets a sentence for each sheet that is not in order.
    """
    found: list[InspectionView] = []
    for by in _MAKERS:
        places: list[tuple[VoyageFolder, Path]] = []
        for folder in folders:
            role = quietly(lambda folder=folder: folder.voyage_file().voyage.role, None, unread, folder.root)
            own = folder.document_path(Inspection)
            place = (folder, own if role == by else folder.documents / "inspections" / f"{by}.json")
            places.insert(0 if role == by else len(places), place)
        sheets = (_sheet(folder, path, by, unread) for folder, path in places if path.is_file())
        found += [sheet for sheet in sheets if sheet is not None][:1]
    return tuple(found)


def _sheet(folder: VoyageFolder, path: Path, by: Role, unread: list[str]) -> InspectionView | None:
    def read() -> InspectionView:
        with path.open("rb") as stream:
            payload = stream.read(MAX_DOCUMENT_BYTES + 1)
        signature, trust = read_signature(path.with_name(path.name + ".sig")), folder.trust()
        sheet = trust.open(Inspection, payload, signature, str(path))
        roles = trust.signer_role(Inspection, payload, signature, str(path))
        if sheet.by != by or by not in roles:
            raise UntrustedSigner(
                "an inspection is not signed by the party that it says it is of",
                where=str(path),
                expected=by,
                found=f"by {sheet.by}, signed by {' and '.join(sorted(roles))}",
                hint="ask that party for its dossier again",
            )
        return view_of(sheet, _stale(sheet, folder))

    return quietly(read, None, unread, path)


def _stale(sheet: Inspection, folder: VoyageFolder) -> str:
    """Return why a sheet is of something else than what lies here, by the digests that it names."""
    if sheet.shipment is not None and folder.has(Shipment) and sheet.shipment != folder.read(Shipment).shipment:
        return "it is of another shipment"
    if folder.has(Kit) and sheet.kit is None:
        return "it was made before the kit was here, and holds no host against it"
    if folder.has(Kit) and sheet.kit != folder.digest(Kit):
        return "it holds the hosts against another kit than the one that is here"
    return ""


def view_of(sheet: Inspection, stale: str = "") -> InspectionView:
    """Return a sheet as it is shown."""
    alone: dict[str, Counter[str]] = {host: Counter() for host in sheet.hosts}
    together: list[Finding] = []
    for one in sheet.findings:
        is_of_one = len(one.hosts) == 1 and one.hosts[0] in alone
        if is_of_one:
            alone[one.hosts[0]][one.verdict] += 1
        if not is_of_one or len(alone) == 1:
            together.append(one)
    hosts = [InspectedHost(host, counts["good"], counts["bad"], counts["not shown"]) for host, counts in alone.items()]
    faults = sheet.faults
    return InspectionView(
        by=sheet.by,
        finished=sheet.finished,
        engine=sheet.engine,
        hosts=tuple(sorted(hosts, key=lambda host: -host.num_bad)),
        is_fit=not faults,
        num_findings=len(sheet.findings),
        num_faults=len(faults),
        num_not_shown=sum(one.verdict == "not shown" for one in sheet.findings),
        faults=tuple(map(_found, faults[:MOST_SHOWN])),
        together=tuple(map(_found, together[:MOST_SHOWN])),
        stale=stale,
    )


def _found(one: Finding) -> FoundView:
    shown = ", ".join(one.hosts[:3]) + (f" and {len(one.hosts) - 3:,} more" if len(one.hosts) > 3 else "")
    return FoundView(shown, one.what, one.found, one.asked, one.verdict, one.remedy, one.is_promised)
