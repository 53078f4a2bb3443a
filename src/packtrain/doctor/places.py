"""The folders of a voyage: whether they answer, can be written, have room, and on what file system."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from packtrain.devices.mounts import Mount, read_mounts
from packtrain.doctor.children import child
from packtrain.doctor.finding import Finding, State, Subject
from packtrain.object_storage.address import is_object_url
from packtrain.units import GIB, format_bytes

PATIENCE_SECONDS: Final = 6.0
_NETWORK: Final = (
    "nfs nfs4 cifs smb3 smbfs 9p ceph glusterfs lustre gpfs beegfs afs ocfs2 gfs2 virtiofs davfs fuse.sshfs "
    "fuse.glusterfs fuse.ceph fuse.s3fs fuse.rclone fuse.davfs2 fuse.juicefs fuse.gcsfuse"
)
_NO_RIGHTS: Final = frozenset({"vfat", "msdos", "exfat"})
_MEMORY: Final = frozenset({"tmpfs", "ramfs"})
_SMALL_TEMPORARY_BYTES: Final = 2 * GIB


@dataclass(frozen=True, slots=True)
class Place:
    """A path as a child saw it; `seen` is empty where it never answered."""

    path: Path
    seen: Mapping[str, Any]
    mount: Mount | None

    @property
    def typed(self) -> str:
        """Return the path as it is typed in a shell."""
        return shlex.quote(str(self.path))

    @property
    def answers(self) -> bool:
        """Return whether the file system answered in time."""
        return bool(self.seen)

    @property
    def is_folder(self) -> bool:
        """Return whether it is there, and a folder."""
        return bool(self.seen.get("is_folder"))

    @property
    def free_bytes(self) -> int | None:
        """Return what can still be written where it lies, or would lie; None where that was not told."""
        free = self.seen.get("free_bytes")
        return free if isinstance(free, int) else None

    @property
    def file_system(self) -> str:
        """Return the type of its file system; "" where it is not known."""
        return self.mount.file_system if self.mount is not None else ""

    @property
    def is_on_network(self) -> bool:
        """Return whether other machines may hold the same files."""
        return self.file_system in _NETWORK.split()

    @property
    def refusal(self) -> str:
        """Return why nothing can be written there; empty where it can."""
        if self.seen.get("is_read_only"):
            return "mounted for reading only"
        return "" if self.seen.get("is_writable") else str(self.seen.get("why") or "no right to write there")


def see(paths: Sequence[Path], weighed: Sequence[Path] = ()) -> tuple[dict[Path, Place], dict[Path, dict[str, Any]]]:
    """Return what a child sees at some paths, and how much lies below others; what hangs is left out of the second."""
    told = {"look": [str(path) for path in paths], "weigh": [str(path) for path in weighed]}
    answer = child("child_paths", told=told).answer(PATIENCE_SECONDS)
    mounts = read_mounts()
    by_path = {record["path"]: record for record in answer.records() if "near" in record}
    weights = {Path(record["path"]): record for record in answer.records() if "below_bytes" in record}
    places = {
        path: Place(path, by_path.get(str(path), {}), _mount(by_path.get(str(path), {}), mounts)) for path in paths
    }
    return places, weights


def _mount(seen: Mapping[str, Any], mounts: Sequence[Mount]) -> Mount | None:
    near = seen.get("near")
    if not isinstance(near, str):
        return None
    # The last of the deepest: it lies over the others.
    held = [mount for mount in mounts if Path(near).is_relative_to(mount.point)]
    return max(reversed(held), key=lambda mount: len(mount.point.parts), default=None)


def look_at_folder(subject: Subject) -> Iterator[Finding]:
    """Yield whether the voyage folder answers, can be written, and is this machine's own."""
    if subject.root is None:
        return
    root = subject.root
    place = see([root])[0][root]
    every = ("prepare", "pack", "load", "train", "close", "admit", "carry")
    if not place.answers:
        yield silent("voyage folder", root, every)
        return
    if not place.is_folder:
        return
    if place.refusal:
        remedy = f"sudo chown -R $(id -un) {place.typed}, or mount it for writing"
        found = f"{root}: {place.refusal}"
        yield Finding("voyage folder", "fault", found, every, "every verb writes its record there", remedy)
    elif place.is_on_network:
        why = "the journal and the lock of a voyage must not be on a folder that machines share"
        remedy = f"move it to a disk of this machine: mv {place.typed} /srv/"
        yield Finding("voyage folder", "warn", f"{root} is on {place.file_system}", every, why, remedy)
    elif place.file_system in _NO_RIGHTS:
        why = "this file system knows no rights: everybody here reads the keys"
        remedy = f"move it to a disk with ext4, xfs or btrfs: mv {place.typed} /srv/"
        yield Finding("voyage folder", "warn", f"{root} is on {place.file_system}", every, why, remedy)
    else:
        kind = place.file_system or "a file system that is not known"
        yield Finding("voyage folder", "ok", f"{root}, on {kind}, {_free(place)}", every)
    yield from _case(place, "voyage folder", ("prepare", "load"))


def look_at_room(subject: Subject) -> Iterator[Finding]:
    """Yield whether work/, the store and the temporary folder have room for what this voyage puts there."""
    temporary = Path(tempfile.gettempdir())
    store = _store(subject)
    work = subject.root / "work" if subject.root is not None else None
    sources = _sources(subject)
    wanted = [path for path in (temporary, store, work) if path is not None]
    places, weights = see([*wanted, *sources], sources)
    yield _temporary(places[temporary])
    gone = [path for path in sources if places[path].answers and not places[path].seen["is_there"]]
    if gone:
        found = f"not there: {', '.join(map(str, gone[:6]))}"
        remedy = "mount them, or correct paths in [sources] of voyage.toml"
        yield Finding("sources", "fault", found, ("prepare",), "what is not there cannot be read", remedy)
    elif work is not None and sources:
        yield _work(subject, places[work], weights, sources)
    if store is not None:
        yield from _room_in_store(subject, places[store])


def _temporary(place: Place) -> Finding:
    verbs = ("prepare", "lists add", "pack", "rehearse")
    if not place.answers:
        return silent("temporary folder", place.path, verbs)
    found = f"{place.path}, {_free(place)}{', in memory' if place.file_system in _MEMORY else ''}"
    remedy = "export TMPDIR=/var/tmp, or another folder on a disk"
    if place.refusal:
        return Finding("temporary folder", "fault", f"{place.path}: {place.refusal}", verbs, "they sort there", remedy)
    if (place.free_bytes or 0) < _SMALL_TEMPORARY_BYTES:
        why = "lists of files and lists of parties are sorted there; full, it stops them"
        return Finding("temporary folder", "warn", found, verbs, why, remedy)
    return Finding("temporary folder", "ok", found, verbs)


def _work(
    subject: Subject, place: Place, weights: Mapping[Path, Mapping[str, Any]], sources: Sequence[Path]
) -> Finding:
    verbs = ("prepare",)
    if not place.answers:
        return silent("room for work/", place.path, verbs)
    silent_ones = [str(path) for path in sources if path not in weights]
    total = sum(int(record["below_bytes"]) for record in weights.values())
    is_whole = not silent_ones and all(record["is_whole"] for record in weights.values())
    size = f"{'' if is_whole else 'at least '}{format_bytes(total)} of sources"
    found = f"{_free(place)}; {size}"
    remedy = "make room, or put the voyage folder on a larger disk (it can be moved between two verbs)"
    if silent_ones:
        why = "a source that does not answer stops the reading of it"
        remedy = f"look at it: timeout 5 ls {shlex.quote(silent_ones[0])}; umount -l it and mount it again"
        return Finding("room for work/", "fault", f"no answer from {', '.join(silent_ones)}", verbs, why, remedy)
    if (place.free_bytes or 0) < total:
        why = "shards take about as much room as the sources, less what is not kept"
        return Finding("room for work/", "warn", found, verbs, why, remedy)
    state: State = "ok" if is_whole else "not shown"
    why = "" if is_whole else "the sources are too many to be counted in 3 seconds"
    return Finding("room for work/", state, found, verbs, why, "" if is_whole else "packtrain prepare --dry-run")


def _room_in_store(subject: Subject, place: Place) -> Iterator[Finding]:
    verbs = ("load",)
    if not place.answers:
        yield silent("store", place.path, verbs)
        return
    remedy = 'name a folder on a larger disk: store = "..." in [site] of voyage.toml'
    if place.refusal:
        found = f"{place.path}: {place.refusal}"
        yield Finding("store", "fault", found, verbs, "the data is loaded there", remedy)
        return
    needed = _cargo_bytes(subject)
    found = f"{place.path}, {_free(place)}"
    if subject.root is not None and (subject.root / "receipts" / "load.json").is_file():
        yield Finding("store", "ok", f"{found}; the load is done", verbs)
    elif needed is None:
        why = "how much comes is in the shipment's papers, which are not here yet"
        yield Finding("store", "not shown", found, verbs, why, "packtrain dossier import DOSSIER, then doctor again")
    elif (place.free_bytes or 0) >= needed:
        yield Finding("store", "ok", f"{found}; {format_bytes(needed)} come", verbs)
    else:
        # Some of it may be there already: then less is needed than this says.
        is_empty = not place.is_folder
        why = "the load stops when the store is full" + ("" if is_empty else ", unless that much is there already")
        state: State = "fault" if is_empty else "warn"
        yield Finding("store", state, f"{found}; {format_bytes(needed)} come", verbs, why, remedy)
    yield from _case(place, "store", ("load",))


def _case(place: Place, what: str, verbs: tuple[str, ...]) -> Iterator[Finding]:
    if place.seen.get("folds_case"):
        found = f"{place.path}: NAME and name are one file there ({place.file_system or 'type not known'})"
        why = "files whose names differ in case alone overwrite each other"
        remedy = "use a folder on ext4 without casefold, xfs or btrfs"
        yield Finding(f"{what}, case of names", "warn", found, verbs, why, remedy)


def silent(what: str, path: Path, verbs: tuple[str, ...]) -> Finding:
    """Return the finding on a path that did not answer."""
    found = f"{path} does not answer within {PATIENCE_SECONDS:g} s"
    why = "a dead mount holds every program that touches it, and none can be ended"
    remedy = f"findmnt -T {shlex.quote(str(path))}; then umount -l what hangs, and mount it again"
    return Finding(what, "fault", found, verbs, why, remedy)


def _free(place: Place) -> str:
    return f"{format_bytes(place.free_bytes)} free" if place.free_bytes is not None else "room not told"


def _store(subject: Subject) -> Path | None:
    if subject.voyage is None or not subject.is_for("consignee") or subject.voyage.voyage.role != "consignee":
        return None
    if is_object_url(subject.voyage.site.store):
        return None
    return subject.path(subject.voyage.site.store)


def _sources(subject: Subject) -> list[Path]:
    """Return what `prepare` reads and writes anew; none where ready shards or a folder are carried as they are."""
    voyage = subject.voyage
    if voyage is None or voyage.sources is None or voyage.sources.form != "files" or not subject.is_for("consignor"):
        return []
    if subject.root is not None and (subject.root / "receipts" / "prepare.json").is_file():
        return []
    return [path for text in voyage.sources.paths if (path := subject.path(text)) is not None]


def _cargo_bytes(subject: Subject) -> int | None:
    from packtrain.documents.shipment import Shipment
    from packtrain.errors import PacktrainError
    from packtrain.record.folder import VoyageFolder

    if subject.root is None:
        return None
    try:
        return VoyageFolder(subject.root).read(Shipment).plaintext_bytes
    except (PacktrainError, OSError):
        return None
