"""declare: the consignor signs who ships what to whom, for which end use. No declaration, no packing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.diligence import amendments, evidence
from packtrain.diligence.declaration_file import (
    DECLARATION_FILE,
    declare_from,
    evidence_files,
    read_declaration_file,
)
from packtrain.diligence.form_text import EXAMPLE, further_questions
from packtrain.diligence.rules.record import fired_on
from packtrain.diligence.short_form import escapes, obstacles
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.receipt import Receipt
from packtrain.errors import AnswerChanged, FullFormNeeded, StageNotReady, WrongRole
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.units import counted

STAGE = "declare"
_SIX_SIGNED: Final = (
    "The six answers are signed as they are, under documents/declarations: changing one is an amendment that shows both"
)
_NOT_SIGNED: Final = "Nothing was signed now"
ApproveAnswers = Callable[[Declaration, Sequence[str]], None]
"""Is shown what is about to be signed, and what it changes in what was signed before; raises where that was not meant.

It sees answers and nothing else: what a rule makes of them is said once they are signed.
"""


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what a declaration is made from: answers, evidence, the voyage's name, the signing key."""
    voyage = folder.voyage_file().voyage
    payload = read_declaration_file(folder)
    return {
        DECLARATION_FILE: sha256_bytes(payload),
        "voyage name": sha256_bytes(voyage.name.encode()),
        "signer": sha256_bytes(folder.signer().public_line.encode()),
        **{
            f"evidence {name}": sha256_file(folder.root / name)
            for name in evidence_files(payload)
            if (folder.root / name).is_file()
        },
    }


def declare(folder: VoyageFolder, sink: Sink, *, amend: bool = False, approve: ApproveAnswers | None = None) -> Receipt:
    """Sign the answers of declaration.toml into declaration.json; return the receipt.

    Six answers to which the short form does not apply are signed as well, but kept under documents/declarations/ alone
    until the full form is answered: whoever changes them afterwards does it by an amendment, and the receiving site
    sees both. Answering the full form changes none of them and needs no amendment.

    Args:
        folder: the consignor's voyage folder.
        sink: takes events.
        amend: sign changed answers as an amendment that names every change.
        approve: called before anything new is signed.

    Raises:
        WrongRole: the folder is not the consignor's.
        DeclarationMissing, DeclarationFileError, DeclarationIncomplete: see `declare_from`.
        AnswerChanged: a signed answer differs, and `amend` was not asked for.
        FullFormNeeded: the full form is needed, or was begun, and lacks answers; all of them are named.
    """
    voyage = folder.voyage_file().voyage
    if voyage.role != "consignor":
        raise WrongRole(
            "a declaration is the consignor's", where=str(folder.root), expected="consignor", found=voyage.role
        )
    clock = StageClock(folder, STAGE, inputs(folder))
    where = str(folder.root / DECLARATION_FILE)
    answered = declare_from(read_declaration_file(folder), voyage.name, where, folder.root)
    signed = amendments.last_signed(folder)
    in_the_way = obstacles(answered.declaration)
    # Nothing to sign: a full form begun of free will in one country, or emptied where a whole one is signed already.
    if answered.missing and (not in_the_way or (signed is not None and signed.form == "full")):
        raise _full_form_needed(answered.missing, in_the_way, where, _NOT_SIGNED)
    fired = fired_on(folder, digest(signed)) if signed is not None else ()
    declaration, changes = _next(signed, answered.declaration, fired, where, amend=amend)
    if approve is not None and (signed is None or changes):
        approve(declaration, changes)
    for change in changes:
        sink(Notice(STAGE, f"amended: {change}"))
    if answered.missing:
        _set_aside(folder, declaration)
        raise _full_form_needed(answered.missing, in_the_way, where, _SIX_SIGNED)
    if not folder.has(Declaration) or folder.digest(Declaration) != digest(declaration):
        amendments.archive_current(folder, Declaration)
        folder.write_signed(declaration, folder.signer())
    _keep_evidence(folder, declaration)
    _warn_of_escapes(folder, sink)
    is_full = declaration.form == "full"
    return clock.finish(
        outputs=(Declaration,),
        counts={"changes": len(changes)},
        facts={
            "form": "full: all that a voyage over a border is asked"
            if is_full
            else "short: six questions, everything in one country",
            **({"supersedes": declaration.supersedes} if declaration.supersedes else {}),
        },
    )


def write_form(folder: VoyageFolder, sink: Sink) -> tuple[str, ...]:
    """Write the questions that are to be answered next into declaration.toml; return the tables that were added.

    First the six questions; once they are signed and the short form did not apply, what this route and these parties
    make necessary besides. Nothing that is written there already is changed.

    Raises:
        WrongRole: the folder is not the consignor's.
        DeclarationFileError: the file cannot be read as it is.
        DeclarationIncomplete: the six questions of the file are not answered yet.
        StageNotReady: the six answers are not signed yet: which questions follow depends on them.
    """
    voyage = folder.voyage_file().voyage
    if voyage.role != "consignor":
        raise WrongRole(
            "a declaration is the consignor's", where=str(folder.root), expected="consignor", found=voyage.role
        )
    path = folder.root / DECLARATION_FILE
    if not path.exists():
        durable.write_bytes(path, EXAMPLE.encode())
        sink(Notice(STAGE, "the six questions are written"))
        return ("the six questions",)
    payload = read_declaration_file(folder)
    # Read for its faults alone: a file that cannot be read is not written on.
    answered = declare_from(payload, voyage.name, str(path), folder.root)
    signed = amendments.last_signed(folder)
    if signed is None:
        raise StageNotReady(
            "the six answers are not signed yet",
            where=str(path),
            hint='sign them first, with "packtrain declare": which questions follow depends on them',
        )
    if signed.form == "full" or not (answered.missing or obstacles(signed)):
        sink(Notice(STAGE, "nothing more is asked"))
        return ()
    text, tables = further_questions(payload, signed, str(path))
    durable.write_bytes(path, payload.rstrip(b"\n") + b"\n" + text.encode())
    return tables


def _next(
    signed: Declaration | None, answered: Declaration, fired: Sequence[str], where: str, *, amend: bool
) -> tuple[Declaration, tuple[str, ...]]:
    """Return the declaration that holds from now on, and what it changes in the one that was signed last.

    Args:
        signed: the declaration that was signed last.
        answered: the one that the answers make now.
        fired: which rules had fired on the one that was signed last.
        where: the file of the answers, for messages.
        amend: changed answers are meant.

    Raises:
        AnswerChanged: an answer that was given differs, and `amend` was not asked for.
    """
    changes = amendments.changed_answers(signed, answered) if signed is not None else ()
    if signed is None or not changes:
        return signed or answered, ()
    altered = amendments.altered_answers(signed, answered)
    if altered and not amend:
        raise AnswerChanged(
            "signed answers were changed: " + "; ".join(altered),
            where=where,
            hint='take the change back, or sign it with "packtrain declare --amend": both values stay visible',
        )
    before = obstacles(signed) if altered else ()
    why = (f"{amendments.SHORT_FORM_FAILED}{'; '.join(before)}",) if before else ()
    rules = (f"{amendments.FIRED}{', '.join(fired)}",) if altered and fired else ()
    return msgspec.structs.replace(answered, supersedes=digest(signed), changes=(*changes, *why, *rules)), changes


def _full_form_needed(missing: Sequence[str], in_the_way: Sequence[str], where: str, signed_now: str) -> FullFormNeeded:
    state = "is asked here" if in_the_way else "is begun"
    return FullFormNeeded(
        f"the full form {state} and lacks {counted(len(missing), 'answer')}: {', '.join(missing)}",
        where=where,
        expected="for the short form one country, and no owner undisclosed" if in_the_way else None,
        found="; ".join(in_the_way) or None,
        hint='"packtrain declare --ask" asks for them; "--write-form" adds the tables that declaration.toml has not. '
        f"{signed_now}. Nothing is packed before the full form is whole",
    )


def _warn_of_escapes(folder: VoyageFolder, sink: Sink) -> None:
    chain = [declaration for _, declaration in amendments.chain_of(folder)]
    if any(escapes(older, newer) for newer, older in itertools.pairwise(chain)):
        # Said before terabytes are packed and carried, not first at the site.
        text = (
            "the short form did not apply to answers that were amended: the site will hold this voyage until its "
            "operator has answered for it by name"
        )
        sink(Notice(STAGE, text, is_warning=True))


def _keep_evidence(folder: VoyageFolder, declaration: Declaration) -> None:
    """Keep the files that were named as evidence beside the papers: they travel with them."""
    named = evidence.named_by([declaration])
    for name in evidence_files(read_declaration_file(folder)):
        path = folder.root / name
        if path.is_file() and sha256_file(path) in named:
            evidence.keep(folder, path)


def _set_aside(folder: VoyageFolder, declaration: Declaration) -> None:
    known = amendments.archived(folder, Declaration)
    if digest(declaration) not in known:
        amendments.sign_into_archive(folder, declaration, folder.signer())
    if folder.has(Declaration):
        # The declaration that these answers amend no longer says what is true: without one nothing is packed or sealed.
        amendments.archive_current(folder, Declaration)
        folder.document_path(Declaration).unlink()
        folder.signature_path(Declaration).unlink(missing_ok=True)
