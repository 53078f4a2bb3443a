"""What must hold before a byte is packed: a declaration that covers it, and a rehearsal that broke nothing."""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.diligence import amendments
from packtrain.documents.declaration import Declaration
from packtrain.documents.kit import Kit
from packtrain.documents.ready import Ready
from packtrain.errors import DeclarationExceeded, DeclarationMissing, RehearsalFailed
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.training.kit_held import verify_kit
from packtrain.units import format_bytes


def first_declaration(folder: VoyageFolder) -> str:
    """Return the digest of the first declaration: an amendment touches no drive.

    Raises:
        DeclarationMissing: nothing is declared.
    """
    if not folder.has(Declaration):
        raise DeclarationMissing(
            "nothing is declared: who ships what to whom for which end use",
            where=str(folder.document_path(Declaration)),
            hint='write declaration.toml and run "packtrain declare" first',
        )
    return amendments.chain_of(folder)[-1][0]


def check_declaration(folder: VoyageFolder, total_bytes: int, num_drives: int) -> None:
    """Refuse more bytes or drives than were declared.

    Raises:
        DeclarationExceeded: it is more.
    """
    declaration = folder.read_signed(Declaration)
    over: list[tuple[str, str]] = []
    if total_bytes > declaration.most_bytes:
        over.append((format_bytes(declaration.most_bytes), format_bytes(total_bytes)))
    if num_drives > declaration.most_drives:
        over.append((f"{declaration.most_drives} drives", f"{num_drives} drives"))
    if over:
        raise DeclarationExceeded(
            "more is to be packed than was declared",
            where=str(folder.document_path(Declaration)),
            expected="at most " + " and ".join(most for most, _ in over),
            found=" and ".join(found for _, found in over),
            hint='pack less, or amend the declaration ("packtrain declare --amend")',
        )


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """What travels from the rehearsal: the kit's document, and the sheet where it was signed."""

    kit: Kit | None
    has_sheet: bool


def check_rehearsal(folder: VoyageFolder, sink: Sink, stage: str) -> Rehearsed:
    """Return what travels from the rehearsal, after holding the kit against its document.

    Raises:
        RehearsalFailed: the rehearsal saw a promise broken.
        KitError: the kit is not the one that kit.json names.
    """
    if folder.voyage_file().training is None:
        return Rehearsed(None, has_sheet=False)
    kit = folder.read_signed(Kit) if folder.has(Kit) else None
    if kit is not None:
        verify_kit(folder.work / "kit", kit)
    if not folder.has(Ready):
        sink(Notice(stage, "the training program was not rehearsed: little can be mended later", is_warning=True))
        return Rehearsed(kit, has_sheet=False)
    signed = folder.signature_path(Ready).is_file()
    sheet = folder.read_signed(Ready) if signed else folder.read(Ready)
    broken = [clause.clause for clause in sheet.clauses if clause.verdict == "broken"]
    if broken:
        raise RehearsalFailed(
            "the rehearsal saw promises broken",
            where=str(folder.document_path(Ready)),
            found="; ".join(broken[:5]),
            hint='mend the program and run "packtrain rehearse" again',
        )
    if not (sheet.ready_to_leave and signed):
        missing = [clause.clause for clause in sheet.clauses if clause.verdict == "not shown"]
        sink(
            Notice(stage, f"not shown in rehearsal: {'; '.join(missing) or 'the sheet is not signed'}", is_warning=True)
        )
    return Rehearsed(kit, has_sheet=signed and sheet.ready_to_leave)
