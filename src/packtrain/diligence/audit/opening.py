"""Which keys count in an audit, and where the other party's log is: then the audit itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from packtrain.diligence.audit.answers import Audit
from packtrain.diligence.audit.audit import audit
from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.keyring import NOBODY, Keyring, keyring_in, read_keyring
from packtrain.diligence.audit.log import CustodyLog, read_log
from packtrain.diligence.audit.reading import Record, read_record
from packtrain.diligence.hand_over import LOG_NAME
from packtrain.errors import NotAVoyage, PacktrainError, SourceUnreadable
from packtrain.record.custody import MAX_LOG_BYTES
from packtrain.record.folder import VOYAGE_FILE

PARTIES_FILE = "documents/parties.json"


def audit_folder(source: Path, *, parties: Path | None = None, voyage: Path | None = None) -> Audit:
    """Return the audit of a voyage folder or a dossier.

    Args:
        source: the folder.
        parties: a parties.json or an allowed_signers that came to the auditor by another way.
        voyage: a voyage folder whose parties.json counts where `parties` is None, and whose custody log is held against
            the one of the record.

    A voyage folder is otherwise audited with its own parties.json, a dossier with no list at all.

    Raises:
        DossierError: `source` is neither a voyage folder nor a dossier.
        SourceUnreadable, DocumentError, KeyMalformed: the list of keys cannot be used.
        NotAVoyage: `voyage` is none.
    """
    if voyage is not None and not (voyage / VOYAGE_FILE).is_file():
        raise NotAVoyage("no voyage.toml in this folder", where=str(voyage), hint="name the folder of a voyage")
    faults: list[Fault] = []
    if parties is not None:
        keyring = read_keyring(parties)
    elif voyage is not None:
        keyring = read_keyring(voyage / PARTIES_FILE)
    elif (source / VOYAGE_FILE).is_file():
        keyring = _own_keys(source / PARTIES_FILE, faults)
    else:
        keyring = NOBODY
    record = read_record(source, keyring)
    counterpart = _log_of(voyage, keyring) if voyage is not None else None
    return audit(
        record, keyring, faults=faults, counterpart=counterpart, keys_inside=tuple(_keys_inside(record, keyring))
    )


def _own_keys(path: Path, faults: list[Fault]) -> Keyring:
    """Return the keys of the folder's own list; nobody's, and a fault, where it cannot be used."""
    try:
        if path.is_symlink() or not path.is_file():
            # A pipe would be waited for, and a link leads to what is no part of the record.
            raise SourceUnreadable("not there, or no plain file")
        return read_keyring(path)
    except PacktrainError as error:
        faults.append(Fault("malformed", "parties.json", f"this folder's list of keys cannot be used: {error.what}"))
        return NOBODY


def _log_of(voyage: Path, keyring: Keyring) -> CustodyLog | None:
    path = voyage / "documents" / LOG_NAME
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        payload = stream.read(MAX_LOG_BYTES)
    return read_log(payload, keyring, f"the log of {voyage}")


def _keys_inside(record: Record, keyring: Keyring) -> Iterator[str]:
    """Yield what the record's own list of keys says, and whether the trusted list says the same."""
    if record.allowed_signers is None or (record.form == "voyage folder" and keyring.source is None):
        return
    try:
        inside = keyring_in(record.allowed_signers, "allowed_signers")
    except PacktrainError as error:
        yield f"the list that it brings cannot be read: {error.what}"
        return
    known = {(each.role, each.is_reviewer, each.key) for each in keyring.keys}
    for each in inside:
        same = (each.role, each.is_reviewer, each.key) in known
        on_list = "the same on the trusted list" if same else "NOT on the trusted list"
        suffix = f", {on_list}" if keyring.is_trusted else ""
        yield f"{each.role}{' reviewer' if each.is_reviewer else ''} {each.fingerprint}{suffix}"
