"""Which document may lie where in a record, and which files beside them are known and unsigned.

A party's own documents lie under their kind; those of others with the same kind in a folder by role; what was
superseded, and every answer of a person, in a folder by its SHA-256. docs/spec/documents.md has the table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from packtrain.diligence.amendments import ARCHIVES
from packtrain.diligence.bag import TAG_FILES, TAG_MANIFEST
from packtrain.diligence.papers import SHARED, second_signer
from packtrain.documents.closing import Closing
from packtrain.documents.codec import Document
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.disposition import Disposition
from packtrain.documents.flag_answer import FlagAnswer
from packtrain.documents.flags import Flags
from packtrain.documents.group import Group
from packtrain.documents.inspection import Inspection
from packtrain.documents.parties import ROLES
from packtrain.documents.revocation import Revocation
from packtrain.documents.sanitisation import Sanitisation
from packtrain.documents.screening import Screening
from packtrain.record.heads import HEADS
from packtrain.record.revocations import REVOCATIONS

Naming = Literal["kind", "number", "role", "digest", "role or digest"]

_OWN: Final[dict[str, type[Document]]] = {
    **SHARED,
    **{kind.kind: kind for kind in (Closing, Inspection, Screening, Flags)},
}
_FOLDERS: Final[dict[str, tuple[type[Document], Naming]]] = {
    "groups": (Group, "number"),
    "closings": (Closing, "role"),
    "inspections": (Inspection, "role"),
    "flags": (Flags, "role or digest"),
    "screenings": (Screening, "role or digest"),
    "dispositions": (Disposition, "digest"),
    "flag-answers": (FlagAnswer, "digest"),
    "sanitisations": (Sanitisation, "digest"),
    HEADS: (CustodyHead, "digest"),
    REVOCATIONS: (Revocation, "digest"),
    **{folder: (SHARED[kind], "digest") for kind, folder in ARCHIVES.items() if kind in SHARED},
}
EVIDENCE: Final = "evidence"
ATTACHED: Final = ("papers", "statements")
_STEM: Final = r"[0-9a-z]{1,64}"
_IN_FOLDER: Final = re.compile(rf"(?P<folder>[a-z-]+)/(?P<stem>{_STEM})\.json")
_EVIDENCE: Final = re.compile(rf"{EVIDENCE}/(?P<digest>[0-9a-f]{{64}})(\.[a-z0-9]{{1,8}})?")
_ATTACHED: Final = re.compile(
    rf"(?P<kind>papers|statements)/(?P<sender>{'|'.join(ROLES)})/(?P<file>[a-z-]{{1,64}}\.(html|statement\.json|dsse\.json)(\.sig)?)"
)
"""What says again what documents say, kept by its sender: printed papers, in-toto statements."""
_TAGS: Final = "|".join(map(re.escape, (*TAG_FILES, TAG_MANIFEST)))
_LOCAL: Final = re.compile(
    "parties.json|allowed_signers|placement.json|dataset.json|forecast.json|measurement.json"
    rf"|custody(\.({'|'.join(ROLES)}))?\.jsonl|dossiers/[0-9a-f]{{64}}/({_TAGS})"
    rf"|{HEADS}/[0-9a-f]{{64}}\.[0-9a-f]{{64}}\.tsr"
)
"""Nobody signs these as files: lists of keys, local documents, logs whose lines are signed, what an import kept."""


@dataclass(frozen=True, slots=True)
class Place:
    """What may lie under a name.

    Attributes:
        folder: "" for a document under its kind, then `stem` is the kind.
    """

    document_type: type[Document]
    naming: Naming
    folder: str
    stem: str


def place_of(name: str) -> Place | None:
    """Return what may lie under a name below documents/, or None."""
    stem = name.removesuffix(".json")
    if name == f"{stem}.json" and stem in _OWN:
        return Place(_OWN[stem], "kind", "", stem)
    match = _IN_FOLDER.fullmatch(name)
    if match is None or match["folder"] not in _FOLDERS:
        return None
    document_type, naming = _FOLDERS[match["folder"]]
    return Place(document_type, naming, match["folder"], match["stem"])


def evidence_digest(name: str) -> str | None:
    """Return the SHA-256 that the name of an evidence file is, or None where it is none."""
    match = _EVIDENCE.fullmatch(name)
    return match["digest"] if match else None


def second_signatures(name: str) -> tuple[str, ...]:
    """Return the names that further signatures of a document may have: of its counterparts, over the same bytes."""
    if (role := second_signer(name)) is not None:
        return (f"{name}.{role}.sig",)
    return tuple(f"{name}.{role}.sig" for role in ROLES) if name.startswith(f"{HEADS}/") else ()


def attached(name: str) -> tuple[str, str, str] | None:
    """Return kind, sender and file name of a printed paper or statement, or None where a name is of neither."""
    match = _ATTACHED.fullmatch(name)
    return (match["kind"], match["sender"], match["file"]) if match else None


def is_local(name: str) -> bool:
    """Return whether this is a file that a voyage folder has and nobody signs as a whole."""
    return _LOCAL.fullmatch(name) is not None


def own_name(place: Place, document: Document, sha256: str) -> str | None:
    """Return the stem that a document should have where it lies under another; None where all is well."""
    by = getattr(document, "by", None)
    names: dict[Naming, tuple[str, ...]] = {
        "kind": (place.stem,),
        "number": (str(getattr(document, "group", "")),),
        "role": (str(by),),
        "digest": (sha256,),
        "role or digest": (sha256, str(by)),
    }
    allowed = names[place.naming]
    return None if place.stem in allowed else " or ".join(allowed)
