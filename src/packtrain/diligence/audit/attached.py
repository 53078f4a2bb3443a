"""Printed papers and in-toto statements of a record: signed, and nothing in them that the documents do not say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from packtrain.diligence.audit.faults import Fault, shown
from packtrain.diligence.audit.keyring import Keyring
from packtrain.diligence.audit.layout import attached
from packtrain.diligence.audit.signatures import look_at_kind
from packtrain.diligence.paper_folder import PAPER_KIND, PAPER_NAMES, PAPER_NAMESPACE
from packtrain.diligence.papers import Papers
from packtrain.diligence.statements import STATEMENT_NAMES, check_statement
from packtrain.documents.codec import MAX_DOCUMENT_BYTES
from packtrain.documents.parties import STATEMENT, STATEMENT_NAMESPACE
from packtrain.record.trust import MAX_SIGNATURE_BYTES

_SIG = ".sig"


def attached_faults(
    names: Iterable[str], read: Callable[[str, int], bytes | None], papers: Papers, keyring: Keyring
) -> list[Fault]:
    """Return what is wrong with the printed papers and statements of a record.

    A paper is held against its signature and its sender; a statement besides against the document that it repeats.
    """
    faults: list[Fault] = []
    present = set(names)
    for name in sorted(present):
        found = attached(name)
        if found is None or found[2].endswith((_SIG, ".dsse.json")):
            if found is not None and name.removesuffix(_SIG) not in present:
                faults.append(Fault("unknown file", shown(name), "a signature of nothing"))
            continue
        kind, sender, file = found
        if file not in (PAPER_NAMES if kind == "papers" else STATEMENT_NAMES):
            faults.append(Fault("unknown file", shown(name), "a file that no record of a voyage has"))
            continue
        payload = read(name, MAX_DOCUMENT_BYTES)
        if payload is None:
            continue  # that it could not be read is a fault of its own
        signature = read(f"{name}{_SIG}", MAX_SIGNATURE_BYTES)
        signed = (PAPER_KIND, PAPER_NAMESPACE) if kind == "papers" else (STATEMENT, STATEMENT_NAMESPACE)
        seen = look_at_kind(*signed, payload, signature, keyring)
        if (fault := seen.fault(shown(name))) is not None:
            faults.append(fault)
        elif keyring.is_trusted and sender not in seen.roles:
            faults.append(
                Fault("foreign key", shown(name), f"it came from the {sender}, and is signed by another party")
            )
        if kind == "statements" and (wrong := check_statement(file, payload, papers)) is not None:
            faults.append(Fault("contradiction", shown(name), wrong))
    return faults
