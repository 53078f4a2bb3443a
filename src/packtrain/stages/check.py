"""check: verify drives, with no key. Anyone who holds drives can run it; with a voyage folder, signatures count too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import BeyondRepair, IncompleteKnowledge, IntegrityError
from packtrain.events import Sink
from packtrain.ports import Drive
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.units import format_bytes
from packtrain.volume.scrub import ScrubReport, scrub

STAGE: Final = "check"
_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found, for people and for `--json`.

    Attributes:
        exit_code: 0 whole, 40 damaged but `load` can repair it, 41 beyond repair, 42 undamaged as far as anyone can say
            who has no shipment document.
        scrub: all that was found.
    """

    exit_code: int
    scrub: ScrubReport

    def text(self) -> str:
        """Return the report as lines: a sentence a drive, then all damage, then what it means."""
        scrubbed = self.scrub
        lines: list[str] = []
        for drive in scrubbed.drives:
            name = f"drive {drive.label}" if drive.label else drive.location
            use = "" if drive.is_usable else ", NOT USABLE"
            lines.append(f"{name}: {drive.num_volumes} volumes, {format_bytes(drive.volume_bytes)}{use}")
            lines += [f"  {finding}" for finding in drive.findings[:_LISTED]]
            if len(drive.findings) > _LISTED:
                lines.append(f"  and {len(drive.findings) - _LISTED} more findings")
        lines += [str(damage) for damage in scrubbed.damage[:_LISTED]]
        if len(scrubbed.damage) > _LISTED:
            lines.append(f"and {len(scrubbed.damage) - _LISTED} more; --json lists all")
        if scrubbed.missing:
            lines.append(f"not here, not checked: {', '.join(scrubbed.missing)}")
        if not scrubbed.has_shipment:
            lines.append("incomplete knowledge: no shipment document is here, so nobody can say that this is all")
        if not scrubbed.has_signatures_checked:
            lines.append("signatures were not checked: name a voyage folder with --voyage to check them")
        lines.append(self._verdict())
        return "\n".join(lines)

    def _verdict(self) -> str:
        scrubbed = self.scrub
        if scrubbed.verdict == "whole":
            return f"undamaged: {scrubbed.num_stripes} stripes"
        stripes = f"{scrubbed.num_damaged_stripes} of {scrubbed.num_stripes} stripes are damaged"
        if scrubbed.verdict == "repairable":
            return f"{stripes}; all of them can be rebuilt while loading"
        if not any(drive.is_usable for drive in scrubbed.drives):
            return "none of these drives can be used: nothing can be loaded from them"
        return f"{stripes}; {scrubbed.num_lost_stripes} of them are beyond repair"


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return what the receipt names; a check is never skipped, because drives change without a word."""
    return {kind.kind: folder.digest(kind) for kind in (Plan, Shipment) if folder.has(kind)}


def check(folder: VoyageFolder | None, drives: Sequence[Drive], sink: Sink) -> CheckReport:
    """Return what is wrong with these drives; nothing on them is changed.

    Args:
        folder: any party's voyage folder: its parties.json says who may sign, and it gets a receipt. None checks the
            drives with nothing but what lies on them, and no signature.
        drives: in any order; drives that are missing are named and not judged.
        sink: takes progress.

    Raises:
        DuplicateDrive: the same folder was given twice.
        SignatureMissing, SignatureInvalid, UntrustedSigner: of the plan or shipment document in the voyage folder.
    """
    if folder is None:
        return _report(scrub(drives, None, sink, stage=STAGE))
    clock = StageClock(folder, STAGE, inputs(folder))
    plan = folder.read_signed(Plan) if folder.has(Plan) else None
    shipment = folder.read_signed(Shipment) if folder.has(Shipment) else None
    report = _report(scrub(drives, folder.trust(), sink, plan=plan, shipment=shipment, stage=STAGE))
    scrubbed = report.scrub
    clock.finish(
        counts={
            "drives": len(scrubbed.drives),
            "volumes": sum(drive.num_volumes for drive in scrubbed.drives),
            "checked_bytes": sum(drive.volume_bytes for drive in scrubbed.drives),
            "damaged_blocks": scrubbed.num_damaged_blocks,
            "damaged_stripes": scrubbed.num_damaged_stripes,
            "lost_stripes": scrubbed.num_lost_stripes,
            "findings": sum(len(drive.findings) for drive in scrubbed.drives),
        },
        facts={"verdict": scrubbed.verdict},
    )
    return report


def _report(scrubbed: ScrubReport) -> CheckReport:
    codes = {"whole": 0, "repairable": IntegrityError.exit_code, "beyond repair": BeyondRepair.exit_code}
    if scrubbed.verdict == "whole" and not scrubbed.has_shipment:
        return CheckReport(IncompleteKnowledge.exit_code, scrubbed)
    return CheckReport(codes[scrubbed.verdict], scrubbed)
