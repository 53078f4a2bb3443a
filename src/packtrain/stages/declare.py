"""declare: the consignor signs who ships what to whom, for which end use. No declaration, no packing."""

from __future__ import annotations

import msgspec

from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.diligence.declaration_file import DECLARATION_FILE, declare_from, read_declaration_file
from packtrain.diligence.short_form import obstacles
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.receipt import Receipt
from packtrain.errors import AnswerChanged, FullFormNeeded, WrongRole
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock

STAGE = "declare"


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what a declaration is made from: the answers, the voyage's name, and the key that signs."""
    voyage = folder.voyage_file().voyage
    return {
        DECLARATION_FILE: sha256_bytes(read_declaration_file(folder)),
        "voyage name": sha256_bytes(voyage.name.encode()),
        "signer": sha256_bytes(folder.signer().public_line.encode()),
    }


def declare(folder: VoyageFolder, sink: Sink, *, amend: bool = False) -> Receipt:
    """Sign the answers of declaration.toml into declaration.json; return the receipt.

    Answers to which the short form does not apply are signed as well, but kept under documents/declarations/ alone:
    whoever changes them afterwards does it by an amendment, and the receiving site sees both.

    Args:
        folder: the consignor's voyage folder.
        sink: takes events.
        amend: sign changed answers as an amendment that names every change.

    Raises:
        WrongRole: the folder is not the consignor's.
        DeclarationMissing, DeclarationFileError, DeclarationIncomplete: see `declare_from`.
        AnswerChanged: a signed answer differs, and `amend` was not asked for.
        FullFormNeeded: the short form does not apply; the facts are named.
    """
    voyage = folder.voyage_file().voyage
    if voyage.role != "consignor":
        raise WrongRole(
            "a declaration is the consignor's", where=str(folder.root), expected="consignor", found=voyage.role
        )
    clock = StageClock(folder, STAGE, inputs(folder))
    where = str(folder.root / DECLARATION_FILE)
    answered = declare_from(read_declaration_file(folder), voyage.name, where)
    signed = amendments.last_signed(folder)
    changes = amendments.changed_answers(signed, answered) if signed is not None else ()
    if signed is not None and changes:
        if not amend:
            raise AnswerChanged(
                "signed answers were changed: " + "; ".join(changes),
                where=where,
                hint='take the change back, or sign it with "packtrain declare --amend": both values stay visible',
            )
        declaration = _amendment(signed, answered, changes)
        for change in changes:
            sink(Notice(STAGE, f"amended: {change}"))
    else:
        declaration = signed or answered
    in_the_way = obstacles(declaration)
    if in_the_way:
        _set_aside(folder, declaration)
        raise FullFormNeeded(
            "the short form does not apply: " + "; ".join(in_the_way),
            where=where,
            expected="location, headquarters and ultimate parent of every party, and the site, in one country",
            hint="this voyage needs the full form, which this version does not have; nothing can be packed. The "
            "answers are signed and kept under documents/declarations; changing one is an amendment that shows both, "
            "and the site holds such a voyage",
        )
    if not folder.has(Declaration) or folder.digest(Declaration) != digest(declaration):
        amendments.archive_current(folder, Declaration)
        folder.write_signed(declaration, folder.signer())
    if any(obstacles(older) for _, older in amendments.chain_of(folder)[1:]):
        # Said before terabytes are packed and carried, not first at the site.
        text = (
            "the short form did not apply to answers that were amended: the site's verdict on this voyage will be "
            "hold, and no paper of this version lifts it"
        )
        sink(Notice(STAGE, text, is_warning=True))
    return clock.finish(
        outputs=(Declaration,),
        counts={"changes": len(changes)},
        facts={
            "form": "short: six questions, everything in one country",
            "rules": "no rule pack run",
            "screening": "not screened",
            **({"supersedes": declaration.supersedes} if declaration.supersedes else {}),
        },
    )


def _amendment(signed: Declaration, answered: Declaration, changes: tuple[str, ...]) -> Declaration:
    before = obstacles(signed)
    why = (f"the short form did not apply to the superseded answers: {'; '.join(before)}",) if before else ()
    return msgspec.structs.replace(answered, supersedes=digest(signed), changes=(*changes, *why))


def _set_aside(folder: VoyageFolder, declaration: Declaration) -> None:
    known = amendments.archived(folder, Declaration)
    if digest(declaration) not in known:
        amendments.sign_into_archive(folder, declaration, folder.signer())
    if folder.has(Declaration):
        # The declaration that these answers amend no longer says what is true: without one nothing is packed or sealed.
        amendments.archive_current(folder, Declaration)
        folder.document_path(Declaration).unlink()
        folder.signature_path(Declaration).unlink(missing_ok=True)
