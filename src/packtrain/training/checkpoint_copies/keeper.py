"""One host's side of the copies: files known by their content, beside the folder in which the program saves.

    COPIES/objects/SHA256.BYTES.CHANGED   a file of a checkpoint: a link to the program's own, or fetched from a peer
    COPIES/cuts/SHA256.json               a checkpoint that is whole somewhere, and the files that it is made of
    COPIES/incoming/SHA256                a file that is being fetched; the next try goes on with it
    COPIES/staging/                       a checkpoint that is being put together for the program
    COPIES/aside/                         what was taken from the program's folder and is being removed
    COPIES/before/                        what lay in the program's folder before the first attempt, and is kept
    COPIES/state.json                     for which attempt the program's folder was last made ready

An object appears after its bytes were proven; a checkpoint appears in the program's folder by one rename.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from packtrain import durable
from packtrain.digest import sha256_file
from packtrain.training.checkpoint_copies.cuts import (
    CHUNK_BYTES,
    MAX_CUT_BYTES,
    MAX_CUTS,
    Cut,
    CutFile,
    HeldEntry,
    HeldFile,
    Inventory,
    ReadChunk,
    checked,
    from_json,
    is_attempt,
    is_sha256,
    to_json,
)
from packtrain.training.checkpoint_copies.program_folder import ProgramFolder, Signature, held_file, signature_of
from packtrain.training.checkpoints import step_in

_OBJECT: Final = re.compile(r"([0-9a-f]{64})\.(\d{1,18})\.(-?\d{1,20})")
_OWN_FOLDERS: Final = ("objects", "cuts", "incoming", "staging", "aside")


class Keeper:
    """The checkpoints of one host, or of a folder that all hosts see (`checkpoints` is then None).

    One keeper a folder; its methods may be called from several threads.

    Args:
        checkpoints: where the program saves on this host.
        copies: a folder of the keeper's own, on the same file system: else files are copied where a link would do.
    """

    def __init__(self, checkpoints: Path | None, copies: Path) -> None:
        self._copies = copies
        self._program = ProgramFolder(checkpoints, copies / "state.json") if checkpoints is not None else None
        self._lock = threading.RLock()
        self._proven: set[str] = set()
        for name in _OWN_FOLDERS:
            (copies / name).mkdir(parents=True, exist_ok=True)

    def inventory(self) -> Inventory:
        """Return what the host holds; see `HostFiles`."""
        with self._lock:
            cuts = self._cuts()
            objects = self._objects()
            by_inode = {path.lstat().st_ino: sha256 for sha256, path in objects.items()}
            entries = self._program.entries() if self._program is not None else ()
            for entry in entries:
                for file in entry.files:
                    sha256 = by_inode.get(file.inode)
                    if self._program is not None and sha256 is not None:
                        # One file under two names: what the program saved and what is kept of it.
                        self._program.note_digest(entry.name, file, sha256)
            attempt = self._program.attempt() if self._program is not None else ""
            return Inventory(attempt, entries, tuple(cuts.values()), frozenset(objects))

    def digests(self, entry: HeldEntry) -> tuple[str, ...]:
        """Return the SHA-256 of each file of an entry; see `HostFiles`."""
        program = self._own()
        return tuple(program.digest(entry.name, file) for file in entry.files)

    def adopt(self, cut: Cut) -> None:
        """Note a cut as whole, and keep what the program's folder holds of it; see `HostFiles`."""
        checked(cut)
        with self._lock:
            if self._program is not None:
                objects = self._objects()
                for file in cut.files:
                    if file.sha256 not in objects and (held := self._held(self._program, cut, file)) is not None:
                        self._keep(self._program.path(cut.entry, file.path), held, file.sha256)
            path = self._copies / "cuts" / f"{cut.digest}.json"
            if not path.exists():
                durable.write_bytes(path, to_json(cut))

    def fetch(self, file: CutFile, read: ReadChunk) -> None:
        """Fetch a file, going on where an earlier try was cut off; nothing to do where the host holds it.

        Raises:
            OSError: it could not be read or written, or is another file than was asked for.
        """
        with self._lock:
            if file.sha256 in self._objects():
                return
            with self._incoming(file.sha256) as stream:
                state = hashlib.sha256()
                if os.fstat(stream.fileno()).st_size > file.size_bytes:
                    stream.truncate(0)
                while piece := stream.read(CHUNK_BYTES):
                    state.update(piece)
                while (offset := stream.tell()) < file.size_bytes:
                    piece = read(file.sha256, offset, min(CHUNK_BYTES, file.size_bytes - offset))
                    if not 0 < len(piece) <= min(CHUNK_BYTES, file.size_bytes - offset):
                        raise OSError(errno.EBADMSG, "sent in another length than was asked for", file.path)
                    state.update(piece)
                    stream.write(piece)
                    durable.step(f"received {file.sha256[:8]}")
            self._take_in(file, state.hexdigest())

    def received_bytes(self, file: CutFile) -> int:
        """Return how much of a file is here, whole or of an earlier `receive`."""
        with self._lock:
            if file.sha256 in self._objects():
                return file.size_bytes
            with self._incoming(file.sha256) as stream:
                return os.fstat(stream.fileno()).st_size

    def receive(self, file: CutFile, offset: int, piece: bytes) -> None:
        """Take the next bytes of a file; with its last ones it is proven, and held.

        Raises:
            OSError: it could not be written, is another file than was said, or has another length here than `offset`.
        """
        with self._lock:
            if file.sha256 in self._objects():
                return
            with self._incoming(file.sha256) as stream:
                size_bytes = stream.seek(0, os.SEEK_END)
                if size_bytes != offset or size_bytes + len(piece) > file.size_bytes:
                    raise OSError(errno.EINVAL, "sent other bytes than those that come next", file.path)
                stream.write(piece)
                durable.step(f"received {file.sha256[:8]}")
            if offset + len(piece) == file.size_bytes:
                self._take_in(file, sha256_file(self._copies / "incoming" / file.sha256))

    def prove(self, digests: frozenset[str], is_anew: bool = False) -> frozenset[str]:
        """Read files that are held, and drop those that are not as their digests say; see `HostFiles`."""
        dropped: set[str] = set()
        with self._lock:
            for sha256, path in self._objects().items():
                if sha256 not in digests or (path.name in self._proven and not is_anew):
                    continue
                with contextlib.suppress(OSError):
                    if sha256_file(path) == sha256:
                        self._proven.add(path.name)
                        continue
                # What cannot be read is as good as gone, too.
                if self._program is not None and (held := held_file(path, "")) is not None:
                    self._program.note_damaged(held)
                self._proven.discard(path.name)
                path.unlink(missing_ok=True)
                durable.step(f"dropped {sha256[:8]}")
                dropped.add(sha256)
        return frozenset(dropped)

    def read_chunk(self, sha256: str, offset: int, most_bytes: int) -> bytes:
        """Return bytes of a file that the host holds; see `HostFiles`."""
        path = self._object(sha256)
        with durable.plain_file(path) as stream:
            stream.seek(max(0, offset))
            return stream.read(max(0, min(most_bytes, CHUNK_BYTES)))

    def install(self, cut: Cut | None, attempt: str) -> None:
        """Make the program's folder ready for an attempt; see `HostFiles`.

        What is older than the cut stays; all else goes, so that a program that looks for its newest checkpoint finds
        this one on every host. What lay there before the first attempt goes to COPIES/before.
        """
        program = self._own()
        if not is_attempt(attempt):
            raise ValueError("an attempt's name is six digits, a hyphen and eight hexadecimal ones")
        with self._lock:
            self._sweep()
            program.folder.mkdir(parents=True, exist_ok=True)
            if cut is not None:
                # A host that was given it alone knows it too, when all that made it are gone.
                self.adopt(cut)
            staged = self._stage(cut) if cut is not None else None
            kept: dict[str, tuple[str, Signature]] = {}
            for entry in program.entries():
                if cut is not None and _is_older(entry, cut):
                    kept[entry.name] = (entry.attempt, signature_of(entry.files))
            for path in sorted(program.folder.iterdir()):
                if path.name not in kept:
                    self._put_aside(path, is_kept=program.attempt() == "")
            durable.sync_folder(program.folder)
            durable.step("cleared for an attempt")
            if cut is not None and staged is not None:
                files = [held_file(staged / file.path if file.path else staged, file.path) for file in cut.files]
                kept[cut.entry] = (cut.attempt, signature_of(tuple(file for file in files if file is not None)))
            # Before the rename: at no time is the checkpoint taken for one of the attempt that ended.
            program.begin(attempt, kept)
            if cut is not None and staged is not None:
                staged.rename(program.folder / cut.entry)
                durable.step(f"installed {cut.entry}")
                durable.sync_folder(program.folder)
            self._sweep()

    def deliver(self, cut: Cut) -> Path:
        """Put a checkpoint under its name into the folder beside what else lies there, and return its path.

        Raises:
            OSError: the host does not hold a file of it.
        """
        program = self._own()
        with self._lock:
            self._sweep()
            program.folder.mkdir(parents=True, exist_ok=True)
            staged = self._stage(cut)
            target = program.folder / cut.entry
            if os.path.lexists(target):
                self._put_aside(target, is_kept=False)
            staged.rename(target)
            durable.step(f"delivered {cut.entry}")
            durable.sync_folder(program.folder)
            self._sweep()
        return target

    def retain(self, digests: frozenset[str]) -> None:
        """Forget all other cuts, and remove the files that none of these has; see `HostFiles`."""
        with self._lock:
            cuts = self._cuts()
            for digest in sorted(cuts.keys() - digests):
                (self._copies / "cuts" / f"{digest}.json").unlink()
                durable.step(f"forgotten {digest[:8]}")
            wanted = {sha256 for digest, cut in cuts.items() if digest in digests for sha256 in cut.contents}
            for sha256, path in self._objects().items():
                if sha256 not in wanted:
                    path.unlink(missing_ok=True)
                    durable.step(f"dropped {sha256[:8]}")
            for path in (self._copies / "incoming").iterdir():
                if path.name not in wanted:
                    path.unlink(missing_ok=True)

    def _own(self) -> ProgramFolder:
        if self._program is None:
            raise ValueError("no program saves in a store")
        return self._program

    def _held(self, program: ProgramFolder, cut: Cut, file: CutFile) -> HeldFile | None:
        held = held_file(program.path(cut.entry, file.path), file.path)
        return held if held is not None and program.known_digest(cut.entry, held) == file.sha256 else None

    def _cuts(self) -> dict[str, Cut]:
        found: dict[str, Cut] = {}
        for path in sorted((self._copies / "cuts").glob("*.json"))[:MAX_CUTS]:
            payload = durable.plain_bytes(path, MAX_CUT_BYTES)
            with contextlib.suppress(ValueError):
                cut = from_json(payload or b"")
                if cut.digest == path.stem:
                    found[path.stem] = cut
        return found

    def _objects(self) -> dict[str, Path]:
        """Return the files held by SHA-256, and drop those that are not as they were when they were proven."""
        found: dict[str, Path] = {}
        for path in sorted((self._copies / "objects").iterdir()):
            parts = _OBJECT.fullmatch(path.name)
            held = held_file(path, "")
            if parts is None or held is None or (held.size_bytes, held.changed_ns) != (int(parts[2]), int(parts[3])):
                # A program that writes into a file which it had finished writes into what was kept of it, too.
                path.unlink(missing_ok=True)
            else:
                found[parts[1]] = path
        return found

    def _object(self, sha256: str) -> Path:
        if is_sha256(sha256):
            for path in sorted((self._copies / "objects").glob(f"{sha256}.*")):
                return path
        raise FileNotFoundError(errno.ENOENT, "no such file is held here", sha256[:64])

    def _keep(self, source: Path, held: HeldFile, sha256: str) -> None:
        """Keep a file of the program's under its content, past the program's own pruning."""
        incoming = self._copies / "incoming" / f"{sha256}.own"
        incoming.unlink(missing_ok=True)
        _link_or_copy(source, incoming)
        with durable.plain_file(incoming) as stream:
            # The program may not have done it.
            os.fsync(stream.fileno())
        kept = held_file(incoming, held.path)
        if kept is None or (kept.size_bytes, kept.changed_ns) != (held.size_bytes, held.changed_ns):
            incoming.unlink(missing_ok=True)
            raise OSError(errno.ESTALE, "was changed while it was kept", str(source))
        self._publish(incoming, sha256)

    @contextlib.contextmanager
    def _incoming(self, sha256: str) -> Iterator[BinaryIO]:
        """Yield what has come in of a file, at its first byte; on the medium afterwards."""
        if not is_sha256(sha256):
            raise ValueError("a file is asked for by its SHA-256")
        path = self._copies / "incoming" / sha256
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(path, flags, 0o600), "r+b") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                # The program needs the space more: with it, it saves what comes next.
                path.unlink(missing_ok=True)
            raise

    def _take_in(self, file: CutFile, sha256: str) -> None:
        """Hold what has come in, if it is the file that was meant."""
        incoming = self._copies / "incoming" / file.sha256
        if sha256 != file.sha256:
            # From its first byte again next time, from whichever peer.
            incoming.unlink()
            raise OSError(errno.EBADMSG, "a peer sent other bytes than those that were asked for", file.path)
        durable.step(f"proven {file.sha256[:8]}")
        self._publish(incoming, file.sha256)

    def _publish(self, incoming: Path, sha256: str) -> None:
        status = incoming.lstat()
        name = f"{sha256}.{status.st_size}.{status.st_mtime_ns}"
        incoming.rename(self._copies / "objects" / name)
        self._proven.add(name)
        durable.step(f"kept {sha256[:8]}")
        durable.sync_folder(self._copies / "objects")

    def _stage(self, cut: Cut) -> Path:
        """Put a checkpoint together; return where."""
        checked(cut)
        objects = self._objects()
        staged = self._copies / "staging" / "checkpoint"
        for file in cut.files:
            path = staged / file.path if file.path else staged
            if (source := objects.get(file.sha256)) is None:
                raise FileNotFoundError(
                    errno.ENOENT, "this host does not hold a file of it", f"{cut.entry}/{file.path}"
                )
            path.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(source, path)
            durable.step(f"staged {file.path}")
        if staged.is_dir():
            for folder in [*(path for path in staged.rglob("*") if path.is_dir()), staged]:
                durable.sync_folder(folder)
        return staged

    def _put_aside(self, path: Path, *, is_kept: bool) -> None:
        aside = self._copies / ("before" if is_kept else "aside")
        aside.mkdir(exist_ok=True)
        name = (
            path.name
            if is_kept and not os.path.lexists(aside / path.name)
            else f"{path.name[:200]}~{secrets.token_hex(8)}"
        )
        path.rename(aside / name)
        durable.step(f"aside {path.name}")

    def _sweep(self) -> None:
        for name in ("staging", "aside"):
            shutil.rmtree(self._copies / name, ignore_errors=True)
            (self._copies / name).mkdir(exist_ok=True)


def _is_older(entry: HeldEntry, cut: Cut) -> bool:
    """Return whether an entry may stay beside a cut: it is surely no candidate for the newest."""
    step, of_cut = step_in(Path(entry.name)), step_in(Path(cut.entry))
    return entry.is_readable and entry.name != cut.entry and step[0] == of_cut[0] > 0 and step < of_cut


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP):
            raise
        shutil.copy2(source, target, follow_symlinks=False)
        with target.open("r+b") as stream:
            os.fsync(stream.fileno())
