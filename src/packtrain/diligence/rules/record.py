"""The runs of the rules in a voyage folder, and the answers to them: signed, kept, read again.

`documents/flags.json` is this party's newest run, `documents/flags/<role>.json` another party's; every run that was
superseded stays under `documents/flags/<digest>.json`, and every answer under `documents/flag-answers/<digest>.json`.
Each run names the one before, so that none can be left out without a trace.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from packtrain.digest import sha256_bytes
from packtrain.diligence.amendments import archive_current, keep_in
from packtrain.diligence.rules.answers import SignedAnswer
from packtrain.documents.codec import MAX_DOCUMENT_BYTES, digest, encode, namespace
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags
from packtrain.documents.parties import ROLES, Role
from packtrain.errors import AnswerRefused, DossierError, UntrustedSigner
from packtrain.ports import Signer
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.trust import Trust

FLAGS: Final = "flags"
ANSWERS: Final = "flag-answers"
MAX_ANSWERS: Final = 20_000


def keep_flags(folder: VoyageFolder, flags: Flags) -> Flags:
    """Sign a run and make it this party's current one; return the one that holds now.

    A run that says the same of the same day as the one before is not signed anew: its digest, which others name, stays.
    """
    if not folder.has(Flags):
        folder.write_signed(flags, folder.signer())
        return flags
    before = folder.read_signed(Flags)
    if all(getattr(before, name) == getattr(flags, name) for name in _SAID):
        return before
    archive_current(folder, Flags)
    following = msgspec.structs.replace(flags, supersedes=digest(before))
    folder.write_signed(following, folder.signer())
    return following


_SAID: Final = tuple(name for name in Flags.__struct_fields__ if name not in ("judged_on", "supersedes"))


def current_flags(folder: VoyageFolder) -> dict[Role, Flags]:
    """Return the newest run of each party that is known here, signatures checked.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: one was altered, or is signed by another
            party than it names.
    """
    trust, own = folder.trust(), folder.voyage_file().voyage.role
    found: dict[Role, Flags] = {}
    for role in ROLES:
        path = folder.document_path(Flags) if role == own else folder.documents / FLAGS / f"{role}.json"
        if path.is_file():
            payload, signature = _bounded(path), read_signature(path.with_name(f"{path.name}.sig"))
            roles = trust.signer_role(Flags, payload, signature, str(path))
            flags = trust.open(Flags, payload, signature, str(path))
            if flags.by != role or role not in roles:
                raise UntrustedSigner(
                    "a run of the rules is signed by another party than it names",
                    where=str(path),
                    expected=role,
                    found=", ".join(sorted(roles)),
                )
            found[role] = flags
    return found


def fired_on(folder: VoyageFolder, declaration: str) -> tuple[str, ...]:
    """Return what rules had fired on a declaration, in any run that is known here: "HQ-1 STOP by the consignor".

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError: a run was altered.
    """
    trust = folder.trust()
    runs = list(current_flags(folder).values())
    for path in sorted((folder.documents / FLAGS).glob("*.json")):
        if path.stem in ROLES:
            continue
        payload = _bounded(path)
        if path.stem != sha256_bytes(payload):
            raise DossierError("a run of the rules was altered", where=str(path), expected=path.stem)
        runs.append(trust.open(Flags, payload, read_signature(path.with_name(f"{path.name}.sig")), str(path)))
    found = {
        f"{result.rule} {result.level} by the {run.by}"
        for run in runs
        if run.declaration == declaration
        for result in run.results
        if result.level not in (None, "INFO")
    }
    return tuple(sorted(found))


def keep_answer(folder: VoyageFolder, answer: FlagAnswer, signer: Signer) -> str:
    """Sign an answer into the folder; return its digest.

    Raises:
        UntrustedSigner: the key is neither the signer nor the reviewer of the party that it speaks for.
        AnswerRefused: the same answer, of the same second, is signed with another key.
    """
    payload = encode(answer)
    signature = signer.sign(namespace(FlagAnswer), payload).encode("ascii")
    _signed_answer(payload, signature, folder.trust(), "flag answer")
    before = read_signature(folder.documents / ANSWERS / f"{sha256_bytes(payload)}.json.sig")
    if before not in (None, signature):
        # Its name is its digest: a second signature would take the place of the first.
        raise AnswerRefused(
            "this very answer is signed already, with another key",
            where=answer.rule,
            found=answer.person,
            hint="a second person signs in his own name and words",
        )
    keep_in(folder.documents / ANSWERS, payload, signature)
    return sha256_bytes(payload)


def read_answers(folder: VoyageFolder) -> tuple[SignedAnswer, ...]:
    """Return all answers here, of all parties, the oldest first, signatures checked.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: one is not in order.
        DossierError: one lies under a name that is not its digest, or there are more than 20 000.
    """
    paths = sorted((folder.documents / ANSWERS).glob("*.json"))
    if len(paths) > MAX_ANSWERS:
        raise DossierError("too many answers to flags", where=str(folder.documents / ANSWERS), found=str(len(paths)))
    trust = folder.trust()
    found: list[SignedAnswer] = []
    for path in paths:
        payload = _bounded(path)
        if path.stem != sha256_bytes(payload):
            raise DossierError("an answer to a flag was altered", where=str(path), expected=path.stem)
        found.append(_signed_answer(payload, read_signature(path.with_name(f"{path.name}.sig")), trust, str(path)))
    return tuple(sorted(found, key=lambda each: each.answer.answered_on))


def _signed_answer(payload: bytes, signature: bytes | None, trust: Trust, where: str) -> SignedAnswer:
    key, roles = trust.signer(FlagAnswer, payload, signature, where)
    answer = trust.open(FlagAnswer, payload, signature, where)
    if answer.by not in roles:
        raise UntrustedSigner(
            "an answer to a flag is signed by another party than it speaks for",
            where=where,
            expected=answer.by,
            found=", ".join(sorted(roles)),
        )
    return SignedAnswer(answer, answer.by, key)


def _bounded(path: Path) -> bytes:
    with path.open("rb") as stream:
        return stream.read(MAX_DOCUMENT_BYTES + 1)
