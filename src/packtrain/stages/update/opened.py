"""A file of a kit update with its signatures checked, held against the kits of this voyage; and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from packtrain.digest import sha256_bytes
from packtrain.diligence.kit_chain import OPERATOR_SIGNATURE, LawfulKit, chain_of
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import Document
from packtrain.documents.kit import Kit, KitFile
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.ready import Ready
from packtrain.documents.shipment import Shipment
from packtrain.errors import KitUpdateRefused, UntrustedSigner
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.record.trust import Trust
from packtrain.training.checks import is_ready
from packtrain.training.kit_changes import KitChanges, changed_files, changes, rules_file
from packtrain.training.kit_held import names_its_program
from packtrain.training.update_file import KIT, MAX_SHOWN_BYTES, READY, UPDATE, UpdateFile, read_update

STAGE: Final = "update"
D = TypeVar("D", bound=Document)


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of a kit update: all three documents are the consignor's, and belong together."""

    file: UpdateFile
    digest: str
    update: KitUpdate
    kit: Kit
    ready: Ready


@dataclass(frozen=True, slots=True)
class Told:
    """What a person is told of a kit update.

    Attributes:
        digest: SHA-256 of kit-update.json.
        standing: where it stands in this folder, in words.
        total_bytes: length of the file.
        changes: None where the kit that it begins with is not here.
        steps_next: what is to be done now, a sentence each.
    """

    update: KitUpdate
    digest: str
    standing: str
    total_bytes: int
    changes: KitChanges | None
    rehearsed: str
    steps_next: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain values."""
        update = self.update
        return {
            "kit_update": self.digest,
            "number": update.number,
            "from_kit": update.from_kit,
            "to_kit": update.to_kit,
            "ready": update.ready,
            "reason": update.reason,
            "created": update.created,
            "files": [file.name for file in update.files],
            "removed": list(update.removed),
            "export_rules_changed": update.export_rules_changed,
            "command_changed": update.command_changed,
            "standing": self.standing,
            "rehearsed": self.rehearsed,
            "total_bytes": self.total_bytes,
            "changes": self.changes.to_dict() if self.changes is not None else None,
            "next": list(self.steps_next),
        }


def open_update(folder: VoyageFolder, path: Path) -> Opened:
    """Return a kit update whose three documents the consignor has signed, and which agree with each other.

    Raises:
        KitUpdateRefused: see `read_update`; or the documents contradict each other, or the sheet is not ready to leave.
        SignatureMissing, SignatureInvalid, UntrustedSigner, KeyRevoked, DocumentError: of one of the documents.
    """
    file, trust = read_update(path), folder.trust()
    update = _of_the_consignor(KitUpdate, UPDATE, file, trust)
    kit = _of_the_consignor(Kit, KIT, file, trust)
    ready = _of_the_consignor(Ready, READY, file, trust)
    found = {name: sha256_bytes(file.documents[name]) for name in (UPDATE, KIT, READY)}
    names = {each.name: each for each in kit.files}
    faults = [
        text
        for is_wrong, text in (
            (update.to_kit != found[KIT], "it names another kit than the one in it"),
            (update.ready != found[READY], "it names another rehearsal than the one in it"),
            (ready.kit != found[KIT], "the rehearsal is of another kit"),
            (not (ready.ready_to_leave and is_ready(ready.clauses)), "the rehearsal is not ready to leave"),
            (not names_its_program(kit), "the kit names another program than the one in it"),
            (len(names) != len(kit.files), "the kit names a file twice"),
            (any(names.get(each.name) != each for each in update.files), "it brings a file that the kit has not"),
            (any(each.sha256 not in file.contents for each in update.files), "a file that it names is not in it"),
        )
        if is_wrong
    ]
    if faults:
        raise KitUpdateRefused(f"kit update contradicts itself: {'; '.join(faults)}", where=str(path))
    return Opened(file, found[UPDATE], update, kit, ready)


def _of_the_consignor(document_type: type[D], name: str, file: UpdateFile, trust: Trust) -> D:
    payload, signature, where = file.documents[name], file.documents[f"{name}.sig"], f"{file.path}, {name}"
    roles = trust.signer_role(document_type, payload, signature, where)
    if "consignor" not in roles:
        raise UntrustedSigner(
            f"{name} is not signed by the consignor", where=where, expected="consignor", found=", ".join(sorted(roles))
        )
    return trust.open(document_type, payload, signature, where)


def check_follows(folder: VoyageFolder, opened: Opened) -> LawfulKit | None:
    """Return the kit that an update begins with: the one in force here; None where the update is in force already.

    Raises:
        KitUpdateRefused: it is of another shipment, taken before, out of turn, of another kit, says another change than
            it brings, or the voyage is closed or not admitted.
    """
    update, where = opened.update, str(opened.file.path)
    shipment = folder.read_signed(Shipment)
    if (update.shipment, update.shipment_root) != (shipment.shipment, folder.digest(Shipment)):
        raise KitUpdateRefused(
            "kit update is of another shipment", where=where, expected=shipment.shipment, found=update.shipment
        )
    chain = chain_of(folder)
    if not chain:
        raise KitUpdateRefused(
            "no kit came with this shipment, so none can be changed", where=where, hint="a kit travels on the drives"
        )
    current = chain[-1]
    if opened.digest == current.update_digest:
        return None
    if update.number != current.number + 1 or update.supersedes != current.update_digest:
        was_here = any(each.update_digest == opened.digest for each in chain)
        raise KitUpdateRefused(
            "kit update was taken before, and another came after it" if was_here else "kit update is out of turn",
            where=where,
            expected=f"number {current.number + 1}",
            found=f"number {update.number}",
            hint="they are taken one after the other; to go back to an older kit the consignor makes a new update",
        )
    if update.from_kit != current.digest or current.kit is None:
        raise KitUpdateRefused(
            "kit update begins with another kit than the one in force here",
            where=where,
            expected=f"kit {current.digest[:12]}",
            found=f"kit {update.from_kit[:12]}" if current.kit is not None else "its kit.json is not here",
        )
    said = (update.files, update.removed, update.export_rules_changed, update.command_changed)
    if said != what_changes(current.kit, opened.kit):
        raise KitUpdateRefused("kit update says another change than it brings", where=where)
    check_admitted(folder, where)
    return current


def what_changes(before: Kit, after: Kit) -> tuple[Any, ...]:
    """Return what an update says of two kits: files, names of those removed, whether exports and command changed."""
    files, removed = changed_files(before, after)
    return files, removed, rules_file(before) != rules_file(after), before.command != after.command


def check_admitted(folder: VoyageFolder, where: str) -> None:
    """Refuse where the voyage is closed, or the operator's last verdict that is here does not admit this shipment.

    Raises:
        KitUpdateRefused: so it is; at the site there must be a verdict.
    """
    if folder.has(Closing):
        raise KitUpdateRefused("this voyage is closed: its kit changes no more", where=where)
    if not folder.has(Admission):
        if folder.voyage_file().voyage.role == "consignor":
            return
        raise KitUpdateRefused("nothing is admitted here yet, so there is nothing to change", where=where)
    admission = folder.read_signed(Admission)
    if admission.verdict != "admit" or admission.shipment_root != folder.digest(Shipment):
        raise KitUpdateRefused(
            "the operator's last verdict does not admit this shipment, and an update is no way around it",
            where=where,
            expected="admit",
            found=admission.verdict if admission.verdict != "admit" else "a verdict on another shipment root",
        )


def told_of(folder: VoyageFolder, opened: Opened, standing: str, *steps_next: str) -> Told:
    """Return what is to be said of an update, its change in words where the kit that it begins with is here."""
    before = kit_before(folder, opened)

    def content(file: KitFile) -> bytes | None:
        return opened.file.content(file.sha256, MAX_SHOWN_BYTES)

    ready = opened.ready
    return Told(
        update=opened.update,
        digest=opened.digest,
        standing=standing,
        total_bytes=opened.file.path.stat().st_size,
        changes=changes(before, opened.kit, content, content) if before is not None else None,
        rehearsed=f"{_kept(ready)}, {ready.num_steps} steps, {ready.finished}",
        steps_next=steps_next,
    )


def kit_before(folder: VoyageFolder, opened: Opened) -> Kit | None:
    """Return the kit that an update begins with; None where its document is not here."""
    return next((each.kit for each in chain_of(folder) if each.digest == opened.update.from_kit), None)


def _kept(ready: Ready) -> str:
    others = [f"{part.verdict}: {part.clause}" for part in ready.clauses if part.verdict != "kept"]
    if not others:
        return f"all {len(ready.clauses)} clauses kept"
    kept = len(ready.clauses) - len(others)
    return f"{kept} of {len(ready.clauses)} clauses kept, which need not all be ({'; '.join(others)})"


def signature_beside(path: Path) -> Path:
    """Return where the operator's signature of an update lies: beside its file."""
    return path.with_name(path.name + OPERATOR_SIGNATURE)


def operator_signature(folder: VoyageFolder, opened: Opened) -> bytes | None:
    """Return the operator's signature that lies beside an update, checked; None where none does.

    Raises:
        SignatureInvalid, UntrustedSigner, KeyRevoked: it does not fit, or is another's.
    """
    place = signature_beside(opened.file.path)
    signature = read_signature(place)
    if signature is None:
        return None
    roles = folder.trust().signer_role(KitUpdate, opened.file.documents[UPDATE], signature, str(place))
    if "operator" not in roles:
        raise UntrustedSigner(
            "kit update is not countersigned by the operator",
            where=str(place),
            expected="operator",
            found=", ".join(sorted(roles)),
        )
    return signature
