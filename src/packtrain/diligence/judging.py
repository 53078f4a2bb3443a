"""One run of the rules over a voyage folder: everything verified that is known there, and what is still open of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments, evidence
from packtrain.diligence.amended_stops import amended_stops
from packtrain.diligence.arrival import SightedDrive
from packtrain.diligence.facts_of import Carried, Screened, arrival_of, facts_of
from packtrain.diligence.hand_over import custody_log, lost_drives
from packtrain.diligence.lists import store
from packtrain.diligence.rules.answers import Standing, open_flags
from packtrain.diligence.rules.facts import Moment
from packtrain.diligence.rules.groups import kept_groups
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.rules.policy import NO_POLICY, POLICY_FILE, Policy, read_policy
from packtrain.diligence.rules.record import keep_flags, read_answers
from packtrain.diligence.rules.run import Judged, run_rules
from packtrain.diligence.scan_findings import findings_of
from packtrain.diligence.screening.record import read_dispositions
from packtrain.diligence.screening.state import screening_state
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.flags import LEVELS, Flags
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.documents.toml_file import MAX_TOML_BYTES
from packtrain.errors import DossierError, PolicyError
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import instant


@dataclass(frozen=True, slots=True)
class Ruled:
    """A signed run of the rules, and what is open of it today."""

    flags: Flags
    standing: Standing


@dataclass(frozen=True, slots=True)
class Shown:
    """The drives that are mounted at the site, and whether they are all that came."""

    drives: Sequence[SightedDrive]
    no_more: bool


def judge_voyage(
    folder: VoyageFolder, moment: Moment, *, policy: Policy = NO_POLICY, shown: Shown | None = None
) -> Ruled:
    """Run the rules over what this folder holds, sign what they say into flags.json, and say what is open.

    Args:
        folder: of the party that judges: the consignor at home, the operator at the gate.
        moment: when it judges.
        policy: of the site.
        shown: the mounted drives; None where none were given, and then arrival is not judged.

    Raises:
        StageNotReady: there is no declaration.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError, CustodyBroken: a document that
            the facts are made from is not in order.
    """
    chain = amendments.chain_of(folder)
    carried = carried_of(folder)
    screened = screened_of(folder)
    lost = lost_drives(carried.custody if carried else ())
    declarations = [declaration for _, declaration in chain]
    facts = facts_of(
        declarations,
        moment,
        carried=carried,
        arrival=arrival_of(shown.drives, carried, lost, no_more=shown.no_more) if shown and carried else None,
        screened=screened,
        scan_findings=findings_of(folder),
        papers_here=evidence.kept(folder.documents).keys(),
    )
    voyage = folder.voyage_file().voyage
    judged = Judged(
        voyage=voyage.name,
        by=voyage.role,
        declaration=chain[0][0],
        shipment_root=folder.digest(Shipment) if carried else None,
        screening=digest(screened.screening) if screened else None,
    )
    pack, groups, judged_on = built_in_pack(), kept_groups(folder), instant()
    stopped = amended_stops(declarations, facts, pack, groups, date.fromisoformat(judged_on[:10]))
    flags = run_rules(judged, replace(facts, stopped_before=stopped), pack, groups, policy, judged_on)
    return standing_of(folder, keep_flags(folder, flags), policy)


def standing_of(folder: VoyageFolder, flags: Flags, policy: Policy = NO_POLICY) -> Ruled:
    """Return a run and what is open of it, with the answers that are in this folder."""
    return Ruled(flags, open_flags(flags, read_answers(folder), policy))


def carried_of(folder: VoyageFolder) -> Carried | None:
    """Return what was packed and carried, verified; None before packing."""
    if not folder.has(Shipment):
        return None
    stated = folder.read_signed(PackingStatement) if folder.has(PackingStatement) else None
    return Carried(
        shipment=folder.read_signed(Shipment),
        statement=stated,
        statement_digest=digest(stated) if stated is not None else None,
        custody=custody_log(folder).read(folder.trust()),
    )


def screened_of(folder: VoyageFolder) -> Screened | None:
    """Return this party's newest screening and the state of its candidates; None where there is none of these papers.

    A screening of a declaration that was amended since, or without the carriers that were stated since, is none.
    """
    if not folder.has(Screening):
        return None
    state = screening_state(folder)
    stated = folder.digest(PackingStatement) if folder.has(PackingStatement) else None
    screening = state.screening
    if screening.declaration != folder.digest(Declaration) or (stated and screening.packing_statement != stated):
        return None
    return Screened(screening, state.states)


def judged_by(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what a run rests on besides the papers: lists, groups, answers, the pack, and the day."""
    said = sorted(each.digest for each in read_dispositions(folder))
    answered = sorted(digest(each.answer) for each in read_answers(folder))
    groups = sorted(digest(group) for group in kept_groups(folder).values())
    lists = sorted(digest(record) for record in store.records(folder))
    named = {"dispositions": said, "flag answers": answered, "country groups": groups, "lists": lists}
    return {
        **{name: sha256_bytes("\n".join(digests).encode()) for name, digests in named.items()},
        "rule pack": built_in_pack().sha256,
        # Rules come into force, lists age and licences end with the days.
        "day": sha256_bytes(instant()[:10].encode()),
    }


def kept_policy(folder: VoyageFolder, sha256: str | None) -> Policy:
    """Return the policy that a run or a verdict names by its digest: it is kept, and travels, as evidence.

    Raises:
        DossierError: the policy is not here, or was altered.
        PolicyError: see `read_policy`.
    """
    if sha256 is None:
        return NO_POLICY
    path = evidence.find(folder.documents, sha256)
    payload = path.read_bytes() if path is not None else b""
    if sha256_bytes(payload) != sha256:
        raise DossierError(
            "the policy of a run of the rules is not here, or was altered",
            where=str(path or folder.documents / evidence.FOLDER),
            expected=sha256[:16],
            hint="it comes with the operator's dossier",
        )
    return read_policy(payload, str(path), built_in_pack())


def policy_of_another(folder: VoyageFolder, flags: Flags) -> Policy:
    """Return the policy of another party's run, read as strictly as can be where it did not come along.

    What another party left out, or wrote in words that this version does not read, must not keep this one from its own
    flags: then every answer to that run counts as one of two that are needed.
    """
    try:
        return kept_policy(folder, flags.policy)
    except (DossierError, PolicyError):
        return Policy(second_signer_levels=frozenset(LEVELS), sha256=flags.policy)


def policy_of(folder: VoyageFolder, path: Path | None = None) -> Policy:
    """Return the site's policy: the file that is given, else site.toml of the folder, else the pack as it is.

    Raises:
        PolicyError: see `read_policy`; or the file that was given is not there.
    """
    place = path or folder.root / POLICY_FILE
    try:
        with place.open("rb") as stream:
            payload = stream.read(MAX_TOML_BYTES + 1)
    except FileNotFoundError as error:
        if path is None:
            return NO_POLICY
        raise PolicyError(
            "there is no such policy", where=str(place), hint="docs/reference/rules.md shows one"
        ) from error
    return read_policy(payload, str(place), built_in_pack())
