"""The kits that one shipment had, each from the one before it by a signed update.

The first is the one that left on the drives. What was rehearsed at home afterwards is no kit of the shipment before an
update names it. The chain is the only way by which a kit changes: a dossier brings its documents and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.diligence import amendments
from packtrain.diligence.amendments import ARCHIVES
from packtrain.diligence.papers import Papers
from packtrain.documents.codec import Document, digest
from packtrain.documents.kit import Kit
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.ready import Ready
from packtrain.errors import KitUpdateRefused, UntrustedSigner
from packtrain.record.folder import VoyageFolder, read_signature

OPERATOR_SIGNATURE: Final = ".operator.sig"
"""What is added to the name of a document for the operator's signature over the same bytes."""


@dataclass(frozen=True, slots=True)
class LawfulKit:
    """One kit of the chain.

    Attributes:
        digest: SHA-256 of kit.json.
        kit: the document; None where it is not here.
        update, update_digest: what brought it; None for the kit that left on the drives.
    """

    digest: str
    kit: Kit | None
    update: KitUpdate | None = None
    update_digest: str | None = None

    @property
    def number(self) -> int:
        """Return how many updates led to it."""
        return self.update.number if self.update is not None else 0


def chain_of(folder: VoyageFolder) -> tuple[LawfulKit, ...]:
    """Return the kits of a party's folder, from the one that left to the one in force; empty where there is none.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError, DossierError: a document was altered.
        KitUpdateRefused: an update between is missing, or does not follow from the one before it.
    """
    kits = amendments.archived(folder, Kit)
    if folder.has(Kit):
        kits[folder.digest(Kit)] = folder.read_signed(Kit)
    updates = amendments.archived(folder, KitUpdate)
    if not folder.has(KitUpdate):
        first = left_home(folder)
        return (LawfulKit(first, kits.get(first)),) if first is not None else ()
    current = folder.digest(KitUpdate)
    updates[current] = folder.read_signed(KitUpdate)
    return _walk(current, updates, kits, str(folder.document_path(KitUpdate)))


def chain_in(papers: Papers) -> tuple[LawfulKit, ...]:
    """Return the same of verified papers: of a dossier, or of a folder of another party than the consignor.

    Raises:
        KitUpdateRefused: an update between is missing, or does not follow from the one before it.
    """
    kits = {paper.digest: paper.document for paper in papers.by_name.values() if isinstance(paper.document, Kit)}
    current = papers.digest(KitUpdate)
    if current is None:
        first = papers.digest(Kit)
        return (LawfulKit(first, kits.get(first)),) if first is not None else ()
    updates = {
        paper.digest: paper.document for paper in papers.by_name.values() if isinstance(paper.document, KitUpdate)
    }
    return _walk(current, updates, kits, "kit-update.json")


def refuse_uncountersigned(folder: VoyageFolder, chain: Sequence[LawfulKit]) -> None:
    """Look for the operator's signature under each update of a site's chain: papers copied by hand bring none.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner: an update was not countersigned.
    """
    current = folder.digest(KitUpdate) if folder.has(KitUpdate) else None
    for each in chain:
        if each.update_digest is None:
            continue
        kept = folder.documents / ARCHIVES[KitUpdate.kind] / f"{each.update_digest}.json"
        path = folder.document_path(KitUpdate) if each.update_digest == current else kept
        place = path.with_name(path.name + OPERATOR_SIGNATURE)
        roles = folder.trust().signer_role(KitUpdate, path.read_bytes(), read_signature(place), str(place))
        if "operator" not in roles:
            raise UntrustedSigner(
                f"kit update {each.number} is not countersigned by the operator",
                where=str(place),
                expected="operator",
                found=", ".join(sorted(roles)),
                hint='"packtrain update apply" brings an update into force, with both signatures',
            )


def left_home(folder: VoyageFolder) -> str | None:
    """Return the SHA-256 of the kit.json that is on the drives; None where none is, or nothing was packed.

    The consignor knows it from what it packed: kit.json itself is of the last rehearsal. The others have it from the
    dossier.
    """
    packed = folder.receipt("pack")
    if packed is not None:
        return packed.inputs.get("kit")
    return folder.digest(Kit) if folder.has(Kit) else None


def in_force(folder: VoyageFolder) -> str | None:
    """Return the SHA-256 of the kit that holds now, or None; of the signed documents as they lie here."""
    if folder.has(KitUpdate):
        return folder.read_signed(KitUpdate).to_kit
    return left_home(folder)


def keep_lawful_kit(folder: VoyageFolder) -> None:
    """Keep what a later rehearsal would write over: the kit in force, its documents and its program.

    The documents go to their archive, the program to work/kits/<digest>/, from which an update takes what changed.
    Nothing is done where kit.json is not the kit in force: it never left, or is kept already.
    """
    if not folder.has(Kit) or (folder.receipt("pack") is None and not folder.has(KitUpdate)):
        return
    current = folder.digest(Kit)
    if current != in_force(folder):
        return
    program = folder.work / "kit" / "program"
    place = kept_program(folder, current)
    if program.is_dir() and not place.is_dir():
        _copy_tree(program, place)
    # The sheet before the kit: where the kit is kept, all of it is.
    for document_type in (Ready, Kit):
        if folder.signature_path(document_type).is_file():
            amendments.archive_current(folder, document_type)


def kept_program(folder: VoyageFolder, kit: str) -> Path:
    """Return where the program of a kit that was in force lies at the consignor."""
    return folder.work / "kits" / kit / "program"


def archived_files(folder: VoyageFolder, document_type: type[Document]) -> dict[str, bytes]:
    """Return what `durable.write_together` writes to keep the current document of a type: name -> bytes.

    All signatures go along, the operator's too.
    """
    if not folder.has(document_type):
        return {}
    payload = folder.payload(document_type)
    name = f"{ARCHIVES[document_type.kind]}/{sha256_bytes(payload)}.json"
    files: dict[str, bytes] = {}
    for suffix in (".sig", OPERATOR_SIGNATURE):
        path = folder.document_path(document_type)
        if (signature := read_signature(path.with_name(path.name + suffix))) is not None:
            files[name + suffix] = signature
    return files | {name: payload}


def _walk(current: str, updates: Mapping[str, KitUpdate], kits: Mapping[str, Kit], where: str) -> tuple[LawfulKit, ...]:
    found: list[LawfulKit] = []
    name: str | None = current
    while name is not None:
        update = updates.get(name)
        if update is None:
            raise KitUpdateRefused(
                "an update of the kit between the others is missing", where=where, expected=f"kit update {name[:12]}"
            )
        after = found[-1].update if found else None
        if after is not None and (after.number != update.number + 1 or after.from_kit != update.to_kit):
            raise KitUpdateRefused(
                "updates of the kit do not follow from each other",
                where=where,
                expected=f"update {after.number - 1} to kit {after.from_kit[:12]}",
                found=f"update {update.number} to kit {update.to_kit[:12]}",
            )
        # Numbers fall by one with each step back, so the walk ends.
        found.append(LawfulKit(update.to_kit, kits.get(update.to_kit), update, name))
        name = update.supersedes
    first = found[-1].update
    assert first is not None
    if first.number != 1:
        raise KitUpdateRefused("the first update of the kit is missing", where=where, found=f"number {first.number}")
    found.append(LawfulKit(first.from_kit, kits.get(first.from_kit)))
    return tuple(reversed(found))


def _copy_tree(source: Path, destination: Path) -> None:
    building = destination.with_name(destination.name + durable.TEMPORARY_SUFFIX)
    for path in sorted(source.rglob("*")):
        if path.is_file() and not path.is_symlink():
            durable.write_bytes(building / path.relative_to(source), path.read_bytes())
    building.mkdir(parents=True, exist_ok=True)
    building.replace(destination)
    durable.sync_folder(destination.parent)


def ready_of(folder: VoyageFolder, lawful: LawfulKit) -> str | None:
    """Return the SHA-256 of the signed rehearsal sheet of a kit, or None where none is here."""
    sheets = amendments.archived(folder, Ready)
    if folder.has(Ready) and folder.signature_path(Ready).is_file():
        sheet = folder.read_signed(Ready)
        sheets[digest(sheet)] = sheet
    return next((name for name, sheet in sorted(sheets.items()) if sheet.kit == lawful.digest), None)
