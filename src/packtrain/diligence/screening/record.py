"""The screening of a voyage folder and its dispositions: made, signed, kept and read again.

`documents/screening.json` is the newest of this party; older ones stay under `documents/screenings/`, and every
disposition under `documents/dispositions/`, each by its digest. Nothing is ever taken away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from packtrain.digest import sha256_bytes
from packtrain.diligence.amendments import archive_current, chain_of, keep_in
from packtrain.diligence.lists import store
from packtrain.diligence.screening import candidates, score
from packtrain.diligence.screening.subjects import subjects_of
from packtrain.documents.codec import digest, encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.list_record import ListRecord
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import Role
from packtrain.documents.screening import Candidate, ScreenedList, ScreenedSubject, Screening, ScreeningEngine
from packtrain.errors import AnswerRefused, DocumentError, DossierError, UntrustedSigner
from packtrain.events import Progress, Sink, discard
from packtrain.ports import Signer
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.receipts import instant
from packtrain.record.trust import Trust

ENGINE: Final = "packtrain names 1"
"""Grows with every change that finds other candidates."""
SCREENINGS: Final = "screenings"
DISPOSITIONS: Final = "dispositions"
MAX_DISPOSITIONS: Final = 20_000
_MAX_DISPOSITION_BYTES: Final = 1 << 20
_MAX_SHOWN: Final = 16
"""Names, countries and programmes of an entry that a candidate repeats; the list has the others."""
_MAX_TEXT: Final = 1024
_to_json: Final = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class SignedDisposition:
    """A disposition, its digest, and the key that signed it as parties.json spells it."""

    digest: str
    disposition: Disposition
    key: str


def engine() -> ScreeningEngine:
    """Return with what this version compares names."""
    return ScreeningEngine(
        name=ENGINE,
        libraries=tuple(f"{name} {version(name)}" for name in ("anyascii", "rapidfuzz")),
        threshold=score.THRESHOLD,
        strong=score.STRONG,
        most_candidates=candidates.MOST_KEPT,
    )


def make_screening(folder: VoyageFolder, by: Role, sink: Sink = discard) -> Screening:
    """Return this moment's screening: every name and address of the papers against every list of the folder.

    Raises:
        StageNotReady: there is no declaration.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: declaration or statement are not in order.
        IntegrityError: a list was changed since it was added.
    """
    (_, declaration), *before = chain_of(folder)
    statement = folder.read_signed(PackingStatement) if folder.has(PackingStatement) else None
    asked = candidates.asked_of(subjects_of(declaration, statement, [older for _, older in before]))
    lists = store.records(folder)
    total, done = sum(record.num_entries for record in lists), 0

    def count(num_entries: int) -> None:
        nonlocal done
        done += num_entries
        sink(Progress("screen", "holding names against lists", done_items=done, total_items=total, unit="entries"))

    answers = candidates.find_candidates(asked, (store.entries(folder, record) for record in lists), count)
    now = instant()
    return Screening(
        by=by,
        declaration=digest(declaration),
        packing_statement=digest(statement) if statement is not None else None,
        outcome="screened" if lists else "not screened",
        engine=engine(),
        lists=tuple(_screened_list(record, date.fromisoformat(now[:10])) for record in lists),
        subjects=tuple(_screened_subject(*each) for each in zip(asked, answers, strict=True)),
        screened_on=now,
    )


def keep_screening(folder: VoyageFolder, screening: Screening) -> str:
    """Sign a screening and make it the current one; return its digest. The one before stays under screenings/."""
    archive_current(folder, Screening)
    return folder.write_signed(screening, folder.signer())


def current_screening(folder: VoyageFolder, by: Role) -> Screening:
    """Return this party's screening of the papers as they are now: today's, or a new one, which is kept.

    Raises:
        IntegrityError: a list was changed since it was added. Also those of `make_screening`.
    """
    if folder.has(Screening):
        before = folder.read_signed(Screening)
        if is_current(folder, before):
            return before
    screening = make_screening(folder, by)
    keep_screening(folder, screening)
    return screening


def is_current(folder: VoyageFolder, screening: Screening) -> bool:
    """Return whether a screening of this party still stands: the same papers, lists, method and day."""
    now = instant()
    statement = folder.digest(PackingStatement) if folder.has(PackingStatement) else None
    today = date.fromisoformat(now[:10])
    return (
        (screening.declaration, screening.packing_statement, screening.engine)
        == (folder.digest(Declaration), statement, engine())
        and screening.lists == tuple(_screened_list(record, today) for record in store.records(folder))
        and screening.screened_on[:10] == now[:10]
    )


def keep_disposition(folder: VoyageFolder, disposition: Disposition, signer: Signer) -> str:
    """Sign a disposition into the folder; return its digest.

    Raises:
        UntrustedSigner: the key is neither the signer nor the reviewer of the party that it speaks for.
        AnswerRefused: the same answer, of the same second, is signed with another key.
    """
    payload = encode(disposition)
    signature = signer.sign(namespace(Disposition), payload).encode("ascii")
    _signing_key(disposition, payload, signature, folder.trust(), "disposition")
    place = folder.documents / DISPOSITIONS / f"{sha256_bytes(payload)}.json"
    if read_signature(place.with_name(f"{place.name}.sig")) not in (None, signature):
        # Its name is its digest: a second signature would take the place of the first.
        raise AnswerRefused(
            "this very answer is signed already, with another key",
            where=disposition.subject,
            hint="a second person says in his own words what he found",
        )
    keep_in(folder.documents / DISPOSITIONS, payload, signature)
    return sha256_bytes(payload)


def read_dispositions(folder: VoyageFolder) -> tuple[SignedDisposition, ...]:
    """Return all dispositions here, of all parties, the oldest first, signatures checked.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: one is not in order.
        DossierError: one lies under a name that is not its digest, or there are more than 20 000.
    """
    trust = folder.trust()
    found = [_read(path, trust) for path in _disposition_paths(folder.documents / DISPOSITIONS)]
    return tuple(sorted(found, key=lambda each: (each.disposition.answered_on, each.digest)))


def candidate_id(asked: candidates.Asked, candidate: candidates.Candidate) -> str:
    """Return the id of a candidate: SHA-256 over the text, whether it is an address, and the whole entry as stored."""
    is_address = b"address" if asked.kind == "address" else b"name"
    return sha256_bytes(b"\n".join((is_address, _to_json.encode(asked.text), _to_json.encode(candidate.entry))))


def _screened_list(record: ListRecord, today: date) -> ScreenedList:
    return ScreenedList(
        label=record.label,
        record=digest(record),
        entries_sha256=record.entries,
        date=record.date,
        age_days=max((today - date.fromisoformat(record.date)).days, 0),
        num_entries=record.num_entries,
    )


def _screened_subject(asked: candidates.Asked, answers: candidates.Answers) -> ScreenedSubject:
    return ScreenedSubject(
        text=asked.text,
        kind=asked.kind,
        country=asked.country,
        places=asked.places,
        note=asked.note,
        candidates=tuple(_candidate(asked, candidate) for candidate in answers.kept),
        num_left_out=answers.num_left_out,
        best_left_out=answers.best_left_out,
    )


def _candidate(asked: candidates.Asked, candidate: candidates.Candidate) -> Candidate:
    entry = candidate.entry
    return Candidate(
        id=candidate_id(asked, candidate),
        list=entry.list_label,
        entry=_cut(entry.entry_id),
        kind=entry.kind,
        matched=candidate.what,
        text=_cut(candidate.text),
        score=candidate.match.score,
        reasons=tuple(map(_cut, candidate.match.reasons)),
        names=_shown([name.text for name in entry.names]),
        countries=_shown(entry.countries),
        programs=_shown(entry.programs),
        source=_cut(entry.source_url) if entry.source_url else None,
    )


def _shown(texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(map(_cut, texts[:_MAX_SHOWN]))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 1] + "…"


def _disposition_paths(place: Path) -> Iterator[Path]:
    paths = sorted(place.glob("*.json"))
    if len(paths) > MAX_DISPOSITIONS:
        raise DossierError("too many dispositions", where=str(place), expected=f"at most {MAX_DISPOSITIONS}")
    yield from paths


def _read(path: Path, trust: Trust) -> SignedDisposition:
    with path.open("rb") as stream:
        payload = stream.read(_MAX_DISPOSITION_BYTES + 1)
    if len(payload) > _MAX_DISPOSITION_BYTES:
        raise DocumentError("disposition is too long", where=str(path), expected=f"<= {_MAX_DISPOSITION_BYTES} bytes")
    if path.stem != sha256_bytes(payload):
        raise DossierError("a disposition was altered", where=str(path), expected=path.stem)
    signature = read_signature(path.with_name(f"{path.name}.sig"))
    disposition = trust.open(Disposition, payload, signature, str(path))
    return SignedDisposition(path.stem, disposition, _signing_key(disposition, payload, signature, trust, str(path)))


def _signing_key(disposition: Disposition, payload: bytes, signature: bytes | None, trust: Trust, where: str) -> str:
    key, roles = trust.signer(Disposition, payload, signature, where)
    if disposition.by not in roles:
        raise UntrustedSigner(
            "a disposition is signed by another party than it speaks for",
            where=where,
            expected=disposition.by,
            found=", ".join(sorted(roles)),
        )
    return key
