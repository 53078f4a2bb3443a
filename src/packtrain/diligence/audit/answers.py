"""The answers of an audit as values: what the terminal, the page and `--json` all show. Nothing here judges.

Every date is one that a party wrote into what it signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.diligence.audit.declared_values import ForWhom, Machines, OwnedBy, WhoseData
from packtrain.diligence.audit.faults import Fault
from packtrain.diligence.audit.flags_values import Flagged
from packtrain.diligence.audit.hands import Period
from packtrain.diligence.audit.told import Told
from packtrain.documents.admission import AdmissionCheck
from packtrain.documents.declaration import Declaration
from packtrain.documents.export_list import ExportedFile, ExportedTensor


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key that signed, whose it is by the list that was trusted (None: nobody says), and what it signed."""

    fingerprint: str
    owner: str | None
    num_signatures: int
    kinds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """One document of the record."""

    name: str
    sha256: str
    signature: str
    second_signature: str | None
    is_believed: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether the record is whole and consistent.

    Attributes:
        sentence: in one sentence.
        exit_code: 0; or that of `RecordFaulty` or `RecordUnvouched`.
        num_documents, num_entries: documents and custody entries that verify.
        trusted_keys: where the list of keys is from that counted; None where there was none.
        keys_inside: keys that a dossier brings itself, as text: shown, never trusted.
    """

    sentence: str
    exit_code: int
    num_documents: int
    num_entries: int
    trusted_keys: str | None
    keys: tuple[KeyUse, ...]
    keys_inside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseHeld:
    """One case: carrier and seal as stated, holders one after the other."""

    case: str
    carrier: str | None
    stated_seal: str | None
    seals: tuple[str, ...]
    drives: tuple[str, ...]
    periods: tuple[Period, ...]
    released_to: str | None
    seals_broken: tuple[str, ...]
    seals_checked: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the custody log; `what` is None where it cannot be believed."""

    line: int
    what: str | None
    signature: str


@dataclass(frozen=True, slots=True)
class InWhoseHands:
    """Section 6."""

    log: str
    head: str | None
    statement: Told | None
    cases: tuple[CaseHeld, ...]
    drives_lost: tuple[str, ...]
    entries: tuple[Entry, ...]
    proven: tuple[str, ...]
    not_provable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SiteVerdict:
    """Section 8: one verdict of the operator."""

    told: Told
    verdict: str
    is_current: bool
    own_site: bool
    decided_on: str
    drives: tuple[str, ...]
    checks: tuple[AdmissionCheck, ...]


@dataclass(frozen=True, slots=True)
class Trained:
    """Section 9: what was packed, loaded, rehearsed and trained, as far as signed documents say; in sentences."""

    packed: tuple[str, ...]
    loaded: tuple[str, ...]
    trained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """One party's closing record."""

    told: Told
    by: str
    closed_on: str
    keys_destroyed: tuple[str, ...]
    drives: tuple[str, ...]
    retention_years: int


@dataclass(frozen=True, slots=True)
class CameHome:
    """Section 10. Without an export list nothing came home as far as this record says."""

    told: Told | None
    second_signature: str | None
    made_on: str | None
    total_bytes: int
    files: tuple[ExportedFile, ...]
    tensors: tuple[ExportedTensor, ...]
    checks: tuple[str, ...]
    closings: tuple[Closed, ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """All of it. A section is None where no document that may be believed answers it.

    Attributes:
        stands_out: what a person should see first; nothing of it is a fault of the record.
        declaration: the one in force, whole.
    """

    source: str
    form: str
    voyage: str | None
    shipment: str | None
    attempt: int | None
    dossier: str | None
    verdict: Verdict
    stands_out: tuple[str, ...]
    faults: tuple[Fault, ...]
    documents: tuple[DocumentRow, ...]
    declaration: Declaration | None
    whose_data: WhoseData | None
    for_whom: ForWhom | None
    owned_by: OwnedBy | None
    machines: Machines | None
    in_whose_hands: InWhoseHands
    flagged: Flagged
    site_verdicts: tuple[SiteVerdict, ...]
    trained: Trained
    came_home: CameHome
    cannot_say: tuple[str, ...]
    legal: str
