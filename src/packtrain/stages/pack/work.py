"""The work of `pack`: see what is declared and prepared, follow or draw up the plan, write the groups that are here."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import rfc8785

from packtrain.digest import sha256_bytes
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.erasure.placement import RESERVE_DIVISOR
from packtrain.errors import DriveInUse, StageNotReady
from packtrain.events import Event, Notice, Progress, Sink
from packtrain.ports import Drive
from packtrain.record.carried import folder_to_carry
from packtrain.record.envelopes import recipients_digest, renew_envelopes
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.receipts import StageClock
from packtrain.stages.pack.at_hand import AtHand, num_bays, open_at_hand, substitutes
from packtrain.stages.pack.cargo import cargo_inputs, cargo_to_pack
from packtrain.stages.pack.drawn import draw_up, plan_to_follow, sealed_plan, warn_of_envelopes
from packtrain.stages.pack.gates import Rehearsed, check_declaration, check_rehearsal, first_declaration
from packtrain.stages.pack.kept import (
    extra_files,
    forget_old_journals,
    journal_folder,
    keep_documents,
    note,
    recipients_marker,
)
from packtrain.volume.cargo_list import CargoList
from packtrain.volume.formatting import inspect_drive
from packtrain.volume.journal import Journal
from packtrain.volume.losses import LossReport
from packtrain.volume.places import Place, known_uuid, place_named, places_of, replace_drive
from packtrain.volume.seating import Seating, seat
from packtrain.volume.signing import ShipmentWritten
from packtrain.volume.waves import more_wanted, progress
from packtrain.volume.writer import GroupsWritten, ShipmentWriter, missing_drives

STAGE: Final = "pack"
_LISTED: Final = 60


def inputs(folder: VoyageFolder) -> dict[str, str]:
    """Return the digests of what is packed and how.

    Of the declarations only the first counts: an amendment touches no drive. Of the placement, not the free space. The
    recipients count because the key envelopes are made to them.

    Raises:
        StageNotReady: there is no placement or data set yet.
        DeclarationMissing: nothing is declared.
    """
    placement = folder.read(PlacementDocument)
    found = {
        "placement": sha256_bytes(
            rfc8785.dumps(
                {
                    "drives": [[d.label, d.case, d.path, d.serial] for d in placement.drives],
                    "groups": [[g.k, g.m, list(g.drives)] for g in placement.groups],
                }
            )
        ),
        **cargo_inputs(folder),
        "declaration": first_declaration(folder),
        "contact": sha256_bytes(folder.voyage_file().voyage.contact.encode("utf-8")),
        "recipients": recipients_digest(folder),
    }
    if folder.voyage_file().training is not None:
        found |= {kind.kind: folder.digest(kind) for kind in (Kit, Ready) if folder.has(kind)}
        packed = folder.receipt(STAGE)
        if folder.has(KitUpdate) and packed is not None:
            # The drives have the kit that left; what came after it went by an update, and packs nothing.
            found |= {name: packed.inputs[name] for name in (Kit.kind, Ready.kind) if name in packed.inputs}
    return found


def pack(
    folder: VoyageFolder,
    open_drive: Callable[[Path], Drive],
    sink: Sink,
    *,
    replace: tuple[str, Path] | None = None,
    accept_losses: bool = False,
) -> Receipt:
    """Write the data set or folder, and the kit if there is one, on the drives of placement.json; close and sign them.

    Every group whose drives are all here is written and closed; the others wait for another call. Called again after a
    failure it goes on where it stopped. When what is packed has changed it draws up another attempt and clears the
    drives of the one before; under a packing statement it opens no drive at all.

    Args:
        folder: the consignor's voyage folder.
        open_drive: opens a mount point or folder.
        sink: takes the events.
        replace: label of a drive that failed, and where the empty drive is mounted that comes in its place.
        accept_losses: leave out what of a folder cannot be carried.

    Raises:
        DeclarationMissing: nothing is declared.
        DeclarationExceeded: more bytes or drives than declared.
        RehearsalFailed: the rehearsal saw a promise broken.
        DriveInUse: what is packed has changed, but the drives are sealed under a packing statement; or the drive that
            is to come in another's place is one of the shipment.
        MoreDrivesWanted: groups wait for drives that take their turn in the bays.
        DriveMissing: groups wait for drives that have a path, and are not there.
        StageNotReady: there is no placement or data set yet, or nothing was packed that could be replaced.
        KitError: the kit is not the one that kit.json names.
        SourceUnreadable: something of a folder cannot be carried, and that was not accepted.

        And what `ShipmentWriter` raises.
    """
    stage_inputs = inputs(folder)
    clock = StageClock(folder, STAGE, stage_inputs)
    if (plan := sealed_plan(folder)) is not None:
        if replace is not None:
            raise DriveInUse(
                f"drive {replace[0]} cannot be replaced: the drives are sealed under a packing statement",
                where=str(folder.document_path(PackingStatement)),
                hint='note it as lost in the custody log ("packtrain carry observe lost"): the others make up for it',
            )
        return _keep_sealed(folder, plan, stage_inputs, clock, sink)
    placement = folder.read(PlacementDocument)
    rehearsed = check_rehearsal(folder, sink, STAGE)
    cargo = cargo_to_pack(folder, placement, sink, accept_losses=accept_losses)
    check_declaration(folder, cargo.listed.total_bytes, len(placement.drives))
    at_hand = open_at_hand(folder, placement, open_drive, without=None if replace is None else replace[0])

    plan = plan_to_follow(folder, placement, at_hand.named, cargo.listed, stage_inputs["declaration"])
    if plan is None:
        if replace is not None:
            raise StageNotReady(
                f"drive {replace[0]} cannot be replaced: no packing is under way that it belongs to",
                where=str(folder.root),
                hint='run "packtrain pack" first',
            )
        plan = draw_up(folder, placement, at_hand.named, cargo.listed, stage_inputs)
        sink(Notice(STAGE, f"shipment {plan.shipment}, attempt {plan.attempt}: plan signed, key sealed and forgotten"))
    else:
        renew_envelopes(folder, plan.shipment, recipients_marker(folder, plan.attempt))
    warn_of_envelopes(folder, sink, STAGE)
    with Journal(journal_folder(folder, plan.attempt)) as journal:
        packing = _Packing(folder, plan, placement, rehearsed, journal, sink)
        if replace is not None:
            packing.replace(replace[0], open_drive(folder.resolve(str(replace[1]))))
        written = packing.write(cargo.listed, at_hand, open_drive)
    forget_old_journals(folder, plan.attempt)
    readback = ", ".join(f"{mode} {count}" for mode, count in sorted(written.readback.items()))
    return clock.finish(
        outputs=(Plan, Shipment),
        counts={
            "bytes_packed": written.plaintext_bytes,
            "bytes_stored": written.stored_bytes,
            "files": cargo.listed.num_files,
            "entries": written.num_files,
            **({"samples": cargo.num_samples} if cargo.num_samples is not None else {}),
            **({"canaries": cargo.num_canaries} if cargo.num_canaries else {}),
            **({"entries_left_out": cargo.losses.num_left_out} if cargo.losses.left_out else {}),
            "drives": len(plan.drives),
            "groups": len(plan.groups),
            "stripes": written.num_stripes,
            "volumes": written.num_volumes,
        },
        facts={
            "shipment": plan.shipment,
            "attempt": str(plan.attempt),
            "shipment root": sha256_bytes(written.payload),
            "readback": readback,
            **_lost(cargo.losses),
        },
        keeps=True,
    )


def _lost(losses: LossReport) -> dict[str, str]:
    found = {"losses accepted": losses.summary(), "not carried whole": losses.summary_of_lessened()}
    return {name: text[:4096] for name, text in found.items() if text}


def is_settled(folder: VoyageFolder) -> bool:
    """Return whether a receipt alone may say that all is packed: of a folder, which may have changed, once sealed."""
    return folder_to_carry(folder) is None or sealed_plan(folder) is not None


class _Packing:
    """One call's part of an attempt: from drives that are here to closed groups, and the shipment after the last."""

    def __init__(
        self,
        folder: VoyageFolder,
        plan: Plan,
        placement: PlacementDocument,
        rehearsed: Rehearsed,
        journal: Journal,
        sink: Sink,
    ) -> None:
        signature = read_signature(folder.signature_path(Plan))
        assert signature is not None, "a plan without its signature was not read"
        self._folder = folder
        self._plan = plan
        self._plan_files = (folder.payload(Plan), signature)
        self._placement = placement
        self._rehearsed = rehearsed
        self._journal = journal
        self._sink = sink

    def replace(self, label: str, drive: Drive) -> None:
        """Put a drive in the place of one that failed, and void that one."""
        places = places_of(self._plan, self._journal)
        found = inspect_drive(drive, self._plan, self._plan_files[0], self._folder.signer())
        uuid = known_uuid(found.uuid, found.begun, places, self._journal)
        self._say_replaced(replace_drive(place_named(places, label), drive, uuid, self._journal))

    def write(self, cargo: CargoList, at_hand: AtHand, open_drive: Callable[[Path], Drive]) -> ShipmentWritten:
        """Write and close the groups that are here; sign the shipment after the last."""
        for place in places_of(self._plan, self._journal).values():
            self._note_replaced(place)
        uuid_of = {planned.label: planned.uuid for planned in self._plan.drives}
        seating = seat(
            self._plan,
            self._plan_files[0],
            {uuid_of[label]: drive for label, drive in at_hand.named.items()},
            at_hand.bays,
            substitutes(places_of(self._plan, self._journal), open_drive),
            {uuid_of[placed.label] for placed in self._placement.drives if placed.path is not None},
            self._folder.signer(),
            self._journal,
        )
        for drive in seating.ignored:
            self._sink(Notice(STAGE, f"{drive.location}: not used: another drive has come in its place"))
        writer = ShipmentWriter(
            self._plan,
            self._plan_files,
            seating.drives,
            self._folder.signer(),
            self._journal,
            extra_files(self._folder, self._plan, self._rehearsed),
            self._in_wave(),
            stage=STAGE,
            # Less what a file system takes for itself: `size` is what the maker says.
            capacity_bytes={
                uuid_of[placed.label]: placed.capacity_bytes - placed.capacity_bytes // RESERVE_DIVISOR
                for placed in self._placement.drives
            },
            on_prepared=lambda group: self._note("formatted", group),
            on_closed=lambda group: self._note("closed", group),
        )
        written = writer.write_groups(cargo.entries)
        if written.wanted:
            self._end_wave(written, seating)
        shipment = writer.sign_shipment(written.closed)
        keep_documents(self._folder, shipment)
        if away := writer.labels_away():
            text = (
                f"shipment.json is on the drives that are mounted now; {', '.join(away[:_LISTED])} closed before it "
                "and do not have it: it travels with the dossier"
            )
            self._sink(Notice(STAGE, text))
        return shipment

    def _in_wave(self) -> Sink:
        """Return the sink, which from now on also hears which wave this is; where one is enough, as it is."""
        waves = progress(self._plan, num_bays(self._folder, self._plan) or len(self._plan.drives), self._journal)
        if waves is None:
            return self._sink
        wave, num_waves = waves.done + 1, waves.total

        def tell(event: Event) -> None:
            is_progress = isinstance(event, Progress)
            self._sink(dataclasses.replace(event, wave=wave, num_waves=num_waves) if is_progress else event)

        return tell

    def _end_wave(self, written: GroupsWritten, seating: Seating) -> None:
        bays = num_bays(self._folder, self._plan)
        missing = [uuid for wanted in written.wanted for uuid in wanted.places]
        paths = {placed.label: placed.path for placed in self._placement.drives}
        has_turns = any(paths[planned.label] is None for planned in self._plan.drives if planned.uuid in missing)
        if missing and not has_turns and not any(wanted.num_sources for wanted in written.wanted):
            raise missing_drives(self._plan, missing)
        raise more_wanted(
            self._plan, written, seating.drives, seating.spare, bays or len(self._plan.drives), self._journal
        )

    def _note(self, verb: str, group: int) -> None:
        places = places_of(self._plan, self._journal)
        members = set(self._plan.groups[group].drives)
        here = [place for uuid, place in places.items() if uuid in members]
        note(self._folder, "formatted" if verb == "formatted" else "closed", self._plan, here)

    def _note_replaced(self, place: Place) -> None:
        """Sign into the custody log that drives were replaced: an event each, the failed one first."""
        for old, new in itertools.pairwise((*place.replaces, place.uuid)):
            note(self._folder, "replaced", self._plan, [place], (old, new))

    def _say_replaced(self, place: Place) -> None:
        text = f"drive {place.label} is now {place.uuid}, at {place.location}; {place.replaces[-1]} is void"
        self._sink(Notice(STAGE, text))


def _keep_sealed(
    folder: VoyageFolder, plan: Plan, stage_inputs: Mapping[str, str], clock: StageClock, sink: Sink
) -> Receipt:
    """Seal the key to other recipients if they changed; the drives may be on their way and are not looked for.

    Raises:
        DriveInUse: anything else changed.
    """
    before = folder.receipt(STAGE)
    packed = before.inputs if before is not None else {}
    changed = sorted(name for name in {*packed, *stage_inputs} if packed.get(name) != stage_inputs.get(name))
    if before is None or set(changed) - {"recipients"}:
        raise DriveInUse(
            "what is packed has changed, but the drives are sealed under a packing statement",
            where=str(folder.document_path(PackingStatement)),
            found=f"changed: {', '.join(changed)}" if before is not None else "no receipt says what was packed",
            hint="undo the change, or make another voyage for what is new; sealed drives are not written again"
            if set(changed) - {Kit.kind, Ready.kind}
            else 'a kit that has left changes by an update: "packtrain update make"',
        )
    renew_envelopes(folder, plan.shipment, recipients_marker(folder, plan.attempt))
    warn_of_envelopes(folder, sink, STAGE)
    return clock.finish(outputs=(Plan, Shipment), counts=before.counts, facts=before.facts)
