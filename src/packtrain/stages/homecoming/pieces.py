"""The thin link: the consignee cuts a released outbox into pieces; who gets them joins them, and asks for the rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.pieces import Pieces
from packtrain.errors import IntegrityError, PacktrainError, PiecesIncomplete, SignatureMissing, StageNotReady
from packtrain.events import Notice, Progress, Sink
from packtrain.record.folder import VoyageFolder, read_signature
from packtrain.stages.homecoming.kept import STAGE, free_name
from packtrain.stages.homecoming.provenance import read_provenance
from packtrain.training.gathering import Gathered, Lacking
from packtrain.training.gathering import gather as gather_files
from packtrain.training.outbox import LIST_NAME, check_sealed, read_list
from packtrain.training.pieces import (
    PIECES_NAME,
    PIECES_SIGNATURE,
    Told,
    check_plausible,
    cut,
    refuse_strangers,
    remove_stale,
)
from packtrain.units import counted, format_bytes

OUT_FOLDER: Final = "outbox-pieces"
INBOX: Final = "inbox"
MISSING_LIST: Final = "missing-pieces.txt"
_MAX_LIST_BYTES: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class Cut:
    """What was cut."""

    folder: Path
    num_pieces: int
    total_bytes: int
    piece_bytes: int

    def to_dict(self) -> dict[str, str | int]:
        """Return it as plain values."""
        return {
            "folder": str(self.folder),
            "pieces": self.num_pieces,
            "piece_bytes": self.piece_bytes,
            "total_bytes": self.total_bytes,
        }


@dataclass(frozen=True, slots=True)
class Joined:
    """What was gathered: the outbox is whole."""

    outbox: Path
    gathered: Gathered

    def to_dict(self) -> dict[str, str | int]:
        """Return it as plain values."""
        return {
            "outbox": str(self.outbox),
            "pieces": self.gathered.num_pieces,
            "total_bytes": self.gathered.total_bytes,
            "files_joined": len(self.gathered.joined),
        }


def cut_pieces(folder: VoyageFolder, piece_bytes: int, sink: Sink) -> Cut:
    """Cut the outbox into outbox-pieces/ and sign their list; return what was cut.

    Only an outbox that the operator released is cut: what is to be sent does not exist before.

    Raises:
        SignatureMissing, SignatureInvalid, UntrustedSigner, StageNotReady: the outbox is not released; see `read_list`.
        IntegrityError, ExportDenied: see `check_sealed`; or outbox-pieces/ holds other files.
        ProvenanceBroken: see `read_provenance`.
    """
    outbox, into = folder.root / "outbox", folder.root / OUT_FOLDER
    found = read_list(outbox, folder.trust(), ("consignee", "operator"))
    check_sealed(outbox, found.document)
    # The list does not name its files: what lies under their names would be sent whatever it holds.
    read_provenance(folder, outbox, found, ("consignee", "operator"))
    total_bytes = sum(path.stat().st_size for path in outbox.iterdir())
    files = cut(outbox, into, piece_bytes, _teller("cutting pieces", total_bytes, sink))
    document = Pieces(
        shipment=found.document.shipment,
        export_list=sha256_bytes(found.payload),
        piece_bytes=piece_bytes,
        files=files,
    )
    check_plausible(document, PIECES_NAME)
    sealed = {file.sealed_sha256 for file in found.document.files}
    if not sealed <= {file.sha256 for file in files}:
        raise IntegrityError("outbox changed while it was cut", where=str(outbox))
    payload = encode(document)
    signature = folder.signer().sign(namespace(Pieces), payload).encode("ascii")
    # The list comes after the pieces that it names, and those of an earlier outbox go after it.
    durable.write_together(into, {PIECES_SIGNATURE: signature, PIECES_NAME: payload})
    remove_stale(into, files)
    refuse_strangers(into)
    return Cut(into, sum(len(file.pieces) for file in files), total_bytes, piece_bytes)


def gather_pieces(folder: VoyageFolder, sources: Sequence[Path], sink: Sink, *, consume: bool) -> Joined:
    """Join the pieces that came into inbox/, and write which are to be sent again to missing-pieces.txt.

    Raises:
        StageNotReady: no list of pieces came yet.
        SignatureMissing, SignatureInvalid, UntrustedSigner: of that list, or of the export list that was joined.
        PiecesIncomplete: pieces are missing, cut or damaged; all that can be joined was.
        IntegrityError: two folders hold different lists; or the outbox is another one than the list says.
    """
    trust, inbox, missing = folder.trust(), folder.root / INBOX, folder.root / MISSING_LIST
    payload, signature, where = _pieces_list(folder, sources)
    document = trust.open(Pieces, payload, signature, where)
    check_plausible(document, where)
    _keep(folder, payload, signature, inbox, sink)
    tell = _teller("looking at pieces", sum(file.bytes for file in document.files), sink)
    gathered = gather_files(document, [path.absolute() for path in sources], inbox, tell, consume=consume)
    lines = [lacking.piece.sha256 for lacking in gathered.lacking]
    durable.write_bytes(missing, "".join(f"{line}\n" for line in dict.fromkeys(lines)).encode("ascii"))
    if gathered.lacking:
        raise _incomplete(gathered, missing)
    _check_list(folder, inbox, document)
    return Joined(inbox, gathered)


def gathering(folder: VoyageFolder) -> str | None:
    """Return how far pieces have come in, in words; "" where the inbox is whole, None where none came."""
    if not (_kept(folder) / PIECES_NAME).is_file():
        return None
    if (folder.root / INBOX / LIST_NAME).is_file():
        return ""
    try:
        count = len((folder.root / MISSING_LIST).read_text(encoding="ascii").splitlines())
    except FileNotFoundError:
        return "it was cut off; run it again"
    return f"{counted(count, 'piece')} of the results {'is' if count == 1 else 'are'} not here yet: {MISSING_LIST}"


def _pieces_list(folder: VoyageFolder, sources: Sequence[Path]) -> tuple[bytes, bytes | None, str]:
    found: dict[bytes, Path] = {}
    for source in [*sources, _kept(folder)]:
        path = source / PIECES_NAME
        # What was kept of an earlier run stands for the list only where no folder brings one.
        if path.is_file() and (not found or source != _kept(folder)):
            with path.open("rb") as stream:
                found.setdefault(stream.read(_MAX_LIST_BYTES + 1), path)
    if not found:
        raise StageNotReady(
            f"no folder holds {PIECES_NAME}",
            where=", ".join(str(source) for source in sources),
            hint=f"send {PIECES_NAME} and {PIECES_SIGNATURE} first: they say which pieces there are",
        )
    if len(found) > 1:
        raise IntegrityError(
            "folders hold different lists of pieces",
            where=", ".join(str(path) for path in found.values()),
            hint="they are of two exports; gather the folders of one",
        )
    payload, path = next(iter(found.items()))
    signature = read_signature(path.with_name(PIECES_SIGNATURE))
    if signature is None:
        raise SignatureMissing("list of pieces has no signature", where=str(path.with_name(PIECES_SIGNATURE)))
    return payload, signature, str(path)


def _kept(folder: VoyageFolder) -> Path:
    return folder.work / "pieces"


def _keep(folder: VoyageFolder, payload: bytes, signature: bytes | None, inbox: Path, sink: Sink) -> None:
    """Keep the list; where it is another one than before, the inbox of that one is put aside first.

    It is not removed: an older list, sent again, would take away what may be here only once.
    """
    kept = _kept(folder) / PIECES_NAME
    if kept.is_file() and kept.read_bytes() == payload:
        return
    if kept.is_file() and inbox.is_dir() and any(inbox.iterdir()):
        before = decode(Pieces, kept.read_bytes(), str(kept))
        aside = free_name(inbox.with_name(f"{inbox.name}.{before.export_list[:12]}"))
        inbox.rename(aside)
        durable.sync_folder(inbox.parent)
        sink(Notice(STAGE, f"another list of pieces came: what was joined of the one before is in {aside.name}"))
    kept.parent.mkdir(parents=True, exist_ok=True)
    durable.write_together(kept.parent, {PIECES_SIGNATURE: signature or b"", PIECES_NAME: payload})


def _check_list(folder: VoyageFolder, inbox: Path, document: Pieces) -> None:
    """Look for both signatures in what was joined: what nobody released is not called complete."""
    try:
        payload = read_list(inbox, folder.trust(), ("consignee", "operator")).payload
        if sha256_bytes(payload) != document.export_list:
            raise IntegrityError("outbox holds another export list than the list of pieces names", where=str(inbox))
    except PacktrainError:
        (inbox / LIST_NAME).unlink(missing_ok=True)
        raise


def _incomplete(gathered: Gathered, missing: Path) -> PiecesIncomplete:
    by_state = {
        state: [lacking for lacking in gathered.lacking if lacking.found == state]
        for state in ("missing", "cut", "damaged")
    }
    lacking_bytes = sum(lacking.piece.bytes for lacking in gathered.lacking)
    return PiecesIncomplete(
        "pieces are not complete: "
        f"{format_bytes(gathered.good_bytes)} of {format_bytes(gathered.total_bytes)} are here",
        where=str(missing),
        expected=f"{gathered.num_pieces} pieces",
        found="; ".join(
            f"{len(each)} {state} ({', '.join(_told(one) for one in each[:3])}{', ...' if len(each) > 3 else ''})"
            for state, each in by_state.items()
            if each
        ),
        hint=f"{format_bytes(lacking_bytes)} are to be sent; the file named above lists them, one a line: give it to "
        '"rsync --partial --ignore-times --files-from" or "rclone copy --ignore-times --files-from", then gather again',
    )


def _told(lacking: Lacking) -> str:
    of = f"{lacking.found_bytes} of " if lacking.found == "cut" else ""
    return f"{lacking.piece.sha256[:12]}, {of}{lacking.piece.bytes} bytes"


def _teller(activity: str, total_bytes: int, sink: Sink) -> Told:
    done_bytes = 0

    def tell(more_bytes: int) -> None:
        nonlocal done_bytes
        done_bytes += more_bytes
        sink(Progress(STAGE, activity, done_bytes=done_bytes, total_bytes=total_bytes))

    return tell
