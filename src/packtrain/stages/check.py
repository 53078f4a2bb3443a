"""check: verify drives and repair them, with no key.

Anyone who holds drives can run it; with a voyage folder, signatures count too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import rfc8785

from packtrain import durable
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import BeyondRepair, DriveNotClosed, IncompleteKnowledge, IntegrityError
from packtrain.events import Sink
from packtrain.ports import Drive
from packtrain.record.checks import MAX_HURT, WHOLE_VOLUME, CheckedDrive, keep_checks, note_repairs
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant
from packtrain.record.signed import SignedDocument, in_folder, on_drive
from packtrain.units import counted, format_bytes
from packtrain.volume.mend import mend
from packtrain.volume.mend_report import MendReport
from packtrain.volume.mend_spare import mend_onto
from packtrain.volume.scrub import scrub
from packtrain.volume.scrub_report import ScrubReport

STAGE: Final = "check"
_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What `check` found, for people and for `--json`.

    Attributes:
        exit_code: 0 whole, 38 packing was not finished, 40 damaged but `load` can repair it, 41 beyond repair, 42
            undamaged as far as anyone can say who has no shipment document.
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
            use = "" if drive.is_usable else ", OPEN" if drive.is_open else ", NOT USABLE"
            lines.append(f"{name}: {counted(drive.num_volumes, 'volume')}, {format_bytes(drive.volume_bytes)}{use}")
            lines += [f"  {finding}" for finding in drive.findings[:_LISTED]]
            if len(drive.findings) > _LISTED:
                lines.append(f"  and {len(drive.findings) - _LISTED} more findings")
        lines += [str(damage) for damage in scrubbed.damage[:_LISTED]]
        if len(scrubbed.damage) > _LISTED:
            lines.append(f"and {len(scrubbed.damage) - _LISTED} more; --json lists all")
        lines += [str(group) for group in scrubbed.groups]
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
            here = ", as far as they lie on the drives here" if scrubbed.missing else ""
            return f"undamaged: {counted(scrubbed.num_stripes, 'stripe')}{here}"
        if scrubbed.verdict == "open":
            num_open = sum(drive.is_open for drive in scrubbed.drives)
            return (
                f"not packed to the end: {num_open} of {len(scrubbed.drives)} drives are open, opened for packing and "
                'never closed; run "packtrain pack" again, it goes on where it stopped'
            )
        stripes = f"{scrubbed.num_damaged_stripes} of {scrubbed.num_stripes} stripes are damaged"
        if scrubbed.verdict == "repairable" and not scrubbed.num_damaged_stripes:
            return f"no stripe of {scrubbed.num_stripes} is damaged, but drives differ from what was signed: see above"
        if scrubbed.verdict == "repairable":
            return f"{stripes}; all of them can be rebuilt: now by --repair, or while loading"
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
    if plan is not None:
        # A drive that cannot even say which it is may be any of those that did not come.
        doubtful = scrubbed.missing if any(drive.label is None for drive in scrubbed.drives) else ()
        keep_checks(folder, folder.digest(Plan), _looks(scrubbed), doubtful)
    return report


def _looks(scrubbed: ScrubReport) -> list[CheckedDrive]:
    """Return what was seen of each drive that could be named, for `status`."""
    at = instant()
    hurt: dict[str, dict[str, int]] = {}
    for fault in scrubbed.damage:
        volumes = hurt.setdefault(fault.drive, {})
        if fault.first_block is None or fault.last_block is None:
            volumes[fault.volume] = WHOLE_VOLUME
        elif volumes.get(fault.volume) != WHOLE_VOLUME:
            volumes[fault.volume] = volumes.get(fault.volume, 0) + fault.last_block - fault.first_block + 1
    return [
        CheckedDrive(
            label=drive.label,
            uuid=drive.uuid,
            at=at,
            is_usable=drive.is_usable,
            num_volumes=drive.num_volumes,
            volume_bytes=drive.volume_bytes,
            num_findings=len(drive.findings),
            hurt=tuple(sorted(hurt.get(drive.label, {}).items())[:MAX_HURT]),
            num_hurt=len(hurt.get(drive.label, {})),
        )
        for drive in scrubbed.drives
        if drive.label is not None and drive.uuid is not None
    ]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What `check --repair` did, for people and for `--json`; unsigned.

    Attributes:
        exit_code: 0 nothing is damaged any more; 40 something is left that other drives, or a look, may still mend; 41
            more was lost than the code survives.
        mend: file by file.
    """

    exit_code: int
    mend: MendReport

    def text(self) -> str:
        """Return the report as lines: what was mended, what was left, what it means."""
        done, left = self.mend.mended, self.mend.left
        lines = [str(item) for item in done[:_LISTED]]
        if len(done) > _LISTED:
            lines.append(f"and {len(done) - _LISTED} more; --json lists all")
        lines += [f"NOT repaired: {item}" for item in left[:_LISTED]]
        if len(left) > _LISTED:
            lines.append(f"and {len(left) - _LISTED} more that were not repaired; --json lists all")
        if not self.mend.has_signatures_checked:
            lines.append("signatures were not checked: name a voyage folder with --voyage to check them")
        lines += [f"next: {step}" for step in self.next_steps()]
        if left:
            lines.append(f"{len(done)} files repaired, {len(left)} things are not")
        elif self.mend.target is not None:
            lines.append(f"the spare at {self.mend.target} is the drive now, byte for byte; keep one of the two")
        else:
            lines.append(f"{len(done)} files repaired; nothing is damaged" if done else "nothing to repair")
        return "\n".join(lines)

    def next_steps(self) -> list[str]:
        """Return what is to be done after a repair: a case that was opened has no good seal any more."""
        steps: list[str] = []
        if cases := ", ".join(item.case for item in self.mend.cases):
            steps.append(
                f"case {cases}: a seal that was broken for this is to be renewed. At home, write its new number into "
                'voyage.toml and run "packtrain carry seal"; after a hand-over the holder notes it: '
                '"packtrain carry observe seal-broken --case LABEL --note NUMBER"'
            )
        if self.mend.spare_serial is not None:
            steps.append(
                f"the spare's own serial number is {self.mend.spare_serial}, and the signed documents state another: "
                'no site admits it. At home and unsealed, "packtrain pack --replace" makes a drive that travels; else '
                "the other drives make up for this one, and the spare is a copy to mend from"
            )
        return steps


@dataclass(frozen=True, slots=True)
class SignedReport:
    """Every document that is signed or should be, on drives and in folders.

    Attributes:
        exit_code: 0 all are good, else that of the first error.
    """

    exit_code: int
    documents: tuple[SignedDocument, ...]

    def text(self) -> str:
        """Return the report as lines: a heading a place, a line a document, and the count."""
        lines: list[str] = []
        for place in dict.fromkeys(item.place for item in self.documents):
            lines.append(f"{place}:")
            lines += [f"  {item}" for item in self.documents if item.place == place]
        num_bad = sum(item.exit_code != 0 for item in self.documents)
        count = f"{len(self.documents)} documents"
        lines.append(f"{count}, {num_bad} of them NOT good" if num_bad else f"{count}, every signature is good")
        return "\n".join(lines)


def repair(
    folder: VoyageFolder | None,
    drives: Sequence[Drive],
    sink: Sink,
    *,
    onto: tuple[str, Drive] | None = None,
) -> RepairReport:
    """Repair drives in place, or one of them onto an empty spare; no key is needed.

    Args:
        folder: as of `check`. With one, the report is kept below logs/ as well.
        drives: all that are at hand; in place each of them may be written.
        sink: takes progress.
        onto: the label of one of the drives, and the spare that is to become it. The drives are then only read.

    Raises:
        DuplicateDrive: the same folder was given twice.
        SignatureMissing, SignatureInvalid, UntrustedSigner: of the plan or shipment document in the voyage folder.
        DriveMissing, IntegrityError, ForeignDrive, DriveFull, DriveFailed: see `mend_spare.mend_onto`.
    """
    trust = folder.trust() if folder is not None else None
    plan = folder.read_signed(Plan) if folder is not None and folder.has(Plan) else None
    shipment = folder.read_signed(Shipment) if folder is not None and folder.has(Shipment) else None
    if onto is None:
        mended = mend(drives, trust, sink, plan=plan, shipment=shipment, stage=STAGE)
    else:
        mended = mend_onto(drives, *onto, trust, sink, stage=STAGE)
    code = BeyondRepair.exit_code if mended.num_lost_stripes else IntegrityError.exit_code if mended.left else 0
    report = RepairReport(code, mended)
    if folder is not None and (mended.mended or mended.left):
        stamp = instant().replace(":", "").replace("-", "")
        # Two repairs in one second are two reports.
        paths = (folder.logs / f"repair-{stamp}{suffix}.json" for suffix in ("", *(f"-{n}" for n in range(2, 100))))
        path = next((path for path in paths if not path.exists()), folder.logs / f"repair-{stamp}.json")
        durable.write_bytes(path, as_json(report))
        # The drive that a spare was made from is as damaged as before, and may be the one that travels.
        if plan is not None and onto is None:
            note_repairs(folder, folder.digest(Plan), [(item.drive, item.name) for item in mended.mended])
    return report


def as_json(report: RepairReport) -> bytes:
    """Return a repair's report as a file: canonical JSON."""
    return rfc8785.dumps(msgspec.to_builtins(report))


def signed(folder: VoyageFolder, drives: Sequence[Drive], folders: Sequence[Path]) -> SignedReport:
    """Return the verdict on every document of these drives and folders, under the voyage folder's parties.json.

    Args:
        folder: whose parties.json counts.
        drives: any drives.
        folders: voyage folders or dossiers.
    """
    trust = folder.trust()
    found = [document for drive in drives for document in on_drive(drive, trust)]
    found += [document for path in folders for document in in_folder(path, trust)]
    return SignedReport(next((item.exit_code for item in found if item.exit_code), 0), tuple(found))


def _report(scrubbed: ScrubReport) -> CheckReport:
    codes = {
        "whole": 0,
        "open": DriveNotClosed.exit_code,
        "repairable": IntegrityError.exit_code,
        "beyond repair": BeyondRepair.exit_code,
    }
    if scrubbed.verdict == "whole" and not scrubbed.has_shipment:
        return CheckReport(IncompleteKnowledge.exit_code, scrubbed)
    return CheckReport(codes[scrubbed.verdict], scrubbed)
