"""The answers of an audit as values: what the terminal, the page and `--json` all show. Nothing here judges.

Every date is one that a party wrote into what it signed.
"""

from __future__ import annotations

from dataclasses import dataclass

from packtrain.diligence.audit.faults import Fault
from packtrain.documents.admission import AdmissionCheck
from packtrain.documents.declaration import Declaration, DeclaredData
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.export_list import ExportedFile, ExportedTensor
from packtrain.documents.full_form import DeclaredHardware, DeclaredReturn, PersonalData


@dataclass(frozen=True, slots=True)
class Told:
    """The document that an answer is from, and what is known of its signature."""

    name: str
    sha256: str
    signature: str


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
class WhoseData:
    """Section 2: the data and where it is from, as declared."""

    told: Told
    shipper: DeclaredParty
    data: DeclaredData
    source: str | None
    is_source_asked: bool
    personal: PersonalData | None
    most_bytes: int
    most_drives: int


@dataclass(frozen=True, slots=True)
class Parent:
    """The ultimate parent of a party: as declared, as the shares say, and whether they agree."""

    role: str
    party: str
    declared: str
    computed: str
    agreement: str


@dataclass(frozen=True, slots=True)
class ForWhom:
    """Section 3: for whom is trained, what for, and who is behind them; None is "undisclosed" or not asked."""

    told: Told
    form: str
    trained_for: DeclaredParty
    receiver: DeclaredParty
    end_user: DeclaredParty | None
    customer: DeclaredParty | None
    model_owner: DeclaredParty | None
    payer: DeclaredParty | None
    end_use: str
    prohibited_uses: tuple[str, ...] | None
    returns: str
    home: DeclaredReturn | None
    parents: tuple[Parent, ...]


@dataclass(frozen=True, slots=True)
class Chain:
    """Section 4: who is above a party, by shares of more than half.

    Attributes:
        chain: the party first.
        end: in words.
        undisclosed: parts without a named owner, in words.
    """

    roles: tuple[str, ...]
    party: str
    chain: tuple[str, ...]
    end: str
    undisclosed: tuple[str, ...]
    overfull: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OwnedBy:
    """Section 4. Without chains the short form was used, which asks no shares."""

    told: Told
    chains: tuple[Chain, ...]


@dataclass(frozen=True, slots=True)
class Machines:
    """Section 5: the machines and the place where they stand, as declared."""

    told: Told
    operator: DeclaredParty
    site_country: str
    address: str | None
    kilowatts: int | None
    infrastructure_attested: bool | None
    hardware_class: str
    hardware: tuple[DeclaredHardware, ...]
    licences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class HeldBy:
    """A period of one holder, by the clocks of those who signed."""

    holder: str
    since: str
    until: str | None
    entry: int
    how: str


@dataclass(frozen=True, slots=True)
class CaseHeld:
    """One case: carrier and seal as stated, holders one after the other."""

    case: str
    carrier: str | None
    stated_seal: str | None
    seals: tuple[str, ...]
    drives: tuple[str, ...]
    periods: tuple[HeldBy, ...]
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
    not_provable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """One person's answer to a flag."""

    document: str
    by: str
    person: str
    key: str
    because: str
    evidence: tuple[str, ...]
    exception: str | None
    answered_on: str


@dataclass(frozen=True, slots=True)
class FlagStory:
    """One flag of a run.

    Attributes:
        open_because: why it is open after all answers here; "" where it is answered.
        was_open_at_admission: by the answers dated before the verdict; None where there is none.
    """

    rule: str
    level: str
    title: str
    findings: tuple[str, ...]
    answers: tuple[GivenAnswer, ...]
    open_because: str
    was_open_at_admission: bool | None


@dataclass(frozen=True, slots=True)
class RulesRun:
    """One run of the rules by one party; `not_judged` are rules that could not be."""

    told: Told
    by: str
    moment: str
    rule_pack: str
    as_of: str
    judged_on: str
    is_current: bool
    policy: str | None
    sentence: str
    flags: tuple[FlagStory, ...]
    not_judged: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CandidateStory:
    """A candidate of a screening and what persons said of it; `state` is why it is open, or what they found."""

    subject: str
    entry: str
    score: int
    is_strong: bool
    answers: tuple[str, ...]
    state: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ScreeningStory:
    """One screening."""

    told: Told
    by: str
    screened_on: str
    is_current: bool
    outcome: str
    lists: tuple[str, ...]
    num_subjects: int
    candidates: tuple[CandidateStory, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amendment:
    """A signed change of the declaration: each answer as "field: old -> new"."""

    told: Told
    signed_on: str
    supersedes: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flagged:
    """Section 7: exceptions first, then what was open, then every run, every amendment, every screening.

    Attributes:
        open_at_admission: flags of the site's last run before the verdict that nobody had answered by then.
    """

    exceptions: tuple[str, ...]
    open_at_admission: tuple[str, ...]
    runs: tuple[RulesRun, ...]
    amendments: tuple[Amendment, ...]
    screenings: tuple[ScreeningStory, ...]


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
        declaration: the one in force, whole.
    """

    source: str
    form: str
    voyage: str | None
    shipment: str | None
    attempt: int | None
    dossier: str | None
    verdict: Verdict
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
