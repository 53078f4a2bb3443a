"""The file of a kit update: a tar of signed documents, and of file contents that are named by their SHA-256.

```
kit-update.json kit-update.json.sig     what changes, signed by the consignor
kit.json kit.json.sig                   the new kit
ready.json ready.json.sig               the sheet of its rehearsal
<64 hex digits>                         contents: of each new or changed file, and of the old ones that can be shown
```
No path lies in it: where a file goes is said by kit.json alone. It is read as a stranger's: members in this order, of
plain files, each length bounded before a byte is taken, each digest compared, nothing behind the end.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.errors import KitUpdateRefused
from packtrain.record.trust import MAX_SIGNATURE_BYTES
from packtrain.units import GIB, MIB, format_bytes

UPDATE: Final = "kit-update.json"
KIT: Final = "kit.json"
READY: Final = "ready.json"
MAX_UPDATE_BYTES: Final = 2 * GIB
"""An update goes over a thin link; a kit that changes by more is carried like the first one, on a drive."""
MAX_SHOWN_BYTES: Final = MIB
"""A file of the program up to this length travels in its old form too, so that the change can be shown as lines."""

_DOCUMENTS: Final = (UPDATE, f"{UPDATE}.sig", KIT, f"{KIT}.sig", READY, f"{READY}.sig")
_MAX_DOCUMENT_BYTES: Final = 64 * MIB
_MAX_MEMBERS: Final = 200_000
_BLOCK: Final = 512
_CONTENT: Final = re.compile(rb"[0-9a-f]{64}")
_OCTAL: Final = re.compile(rb"[0-7]{11}")


@dataclass(frozen=True, slots=True)
class UpdateFile:
    """A file of a kit update whose form was checked; who signed it is for the caller to see.

    Attributes:
        path: the file.
        documents: bytes of the three documents and their signatures, by name.
        contents: SHA-256 -> place and length in the file; every one was read and compared.
    """

    path: Path
    documents: Mapping[str, bytes]
    contents: Mapping[str, tuple[int, int]]

    def content(self, sha256: str, most_bytes: int) -> bytes | None:
        """Return one content, or None where it is not here or is longer than `most_bytes`."""
        place = self.contents.get(sha256)
        if place is None or place[1] > most_bytes:
            return None
        with self.path.open("rb") as stream:
            stream.seek(place[0])
            payload = stream.read(place[1])
        return payload if sha256_bytes(payload) == sha256 else None

    def take(self, sha256: str, target: Path) -> None:
        """Write one content to `target`, durably; it is compared once more, as the file may have changed.

        Raises:
            KitUpdateRefused: it is not the content of this digest any more.
            DriveFull: no space is left.
        """
        offset, num_bytes = self.contents[sha256]
        with self.path.open("rb") as stream, durable.atomic_writer(target) as writer:
            stream.seek(offset)
            if _copied(stream, num_bytes, writer) != sha256:
                raise _damaged(self.path, "file changed while it was read", sha256[:12])


def write_update(path: Path, documents: Mapping[str, bytes], contents: Mapping[str, Path]) -> None:
    """Write the file of a kit update, whole or not at all. The same parts give the same bytes.

    Args:
        path: where to; what lies there is replaced.
        documents: the three documents and their signatures, by name.
        contents: SHA-256 -> the file that has it.

    Raises:
        KitUpdateRefused: it is longer than an update may be, or a file is not what its digest says.
        DriveFull: no space is left.
    """
    total_bytes = sum(source.stat().st_size for source in contents.values())
    if total_bytes > MAX_UPDATE_BYTES:
        raise KitUpdateRefused(
            "more has changed than an update carries",
            where=str(path),
            expected=f"at most {format_bytes(MAX_UPDATE_BYTES)}",
            found=format_bytes(total_bytes),
            hint="send a new kit on a drive of its own, or change less",
        )
    with durable.atomic_writer(path) as writer:
        for name in _DOCUMENTS:
            payload = documents[name]
            writer.write(_header(name, len(payload)) + payload + _padding(len(payload)))
        for sha256, source in sorted(contents.items()):
            num_bytes = source.stat().st_size
            writer.write(_header(sha256, num_bytes))
            with source.open("rb") as stream:
                if _copied(stream, num_bytes, writer) != sha256:
                    raise KitUpdateRefused(
                        "file is not what its document says", where=str(source), expected=sha256[:12]
                    )
            writer.write(_padding(num_bytes))
        writer.write(bytes(2 * _BLOCK))


def read_update(path: Path) -> UpdateFile:
    """Return what a file of a kit update holds, its form and every digest checked; nothing is unpacked.

    Raises:
        KitUpdateRefused: it is no such file, was cut or altered, or holds something else besides.
        OSError: it cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise KitUpdateRefused("there is no such file", where=str(path)) from error
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):  # before fdopen(), which refuses a folder without its name
        os.close(descriptor)
        raise _damaged(path, "no plain file")
    with os.fdopen(descriptor, "rb") as stream:
        if facts.st_size > MAX_UPDATE_BYTES + _MAX_MEMBERS * 2 * _BLOCK or facts.st_size % _BLOCK:
            raise _damaged(path, "it has no length that an update can have", format_bytes(facts.st_size))
        documents: dict[str, bytes] = {}
        contents: dict[str, tuple[int, int]] = {}
        last = ""
        for name, num_bytes in _members(stream, facts.st_size, path):
            place = stream.tell()
            if len(documents) < len(_DOCUMENTS):
                documents[name] = _document(stream, name, num_bytes, len(documents), path)
            else:
                if not _CONTENT.fullmatch(name.encode()) or name <= last:
                    raise _damaged(path, "a member that no update has", name)
                if _copied(stream, num_bytes, None) != name:
                    raise _damaged(path, "a content is not the one that its name promises", name[:12])
                contents[name], last = (place, num_bytes), name
            if stream.read(-num_bytes % _BLOCK).strip(b"\0"):
                raise _damaged(path, "bytes between two members", name)
    if len(documents) < len(_DOCUMENTS):
        raise _damaged(path, "a document is missing", _DOCUMENTS[len(documents)])
    return UpdateFile(path, documents, contents)


def _members(stream: BinaryIO, size: int, path: Path) -> Iterator[tuple[str, int]]:
    """Yield name and length of each member, the stream at its first byte; two empty blocks end the file."""
    for _ in range(_MAX_MEMBERS):
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK:
            raise _damaged(path, "it was cut")
        if not any(block):
            if stream.read(_BLOCK + 1) != bytes(_BLOCK):
                raise _damaged(path, "bytes behind the end")
            return
        name, num_bytes = block[:100].rstrip(b"\0"), block[124:135]
        if _OCTAL.fullmatch(num_bytes) is None:
            raise _damaged(path, "a member without a length")
        length = int(num_bytes, 8)
        try:
            text = name.decode("ascii")
        except UnicodeDecodeError as error:
            raise _damaged(path, "a member that no update has") from error
        # One spelling of a header for each member: a link, a device, a path or an owner is another one.
        if block != _header(text, length):
            raise _damaged(path, "a member that no update has", ascii(text)[:80])
        if length > size - stream.tell():
            raise _damaged(path, "a member longer than the file", ascii(text)[:80])
        yield text, length
    raise _damaged(path, "more members than an update has")


def _document(stream: BinaryIO, name: str, num_bytes: int, number: int, path: Path) -> bytes:
    if name != _DOCUMENTS[number]:
        raise _damaged(path, "a member at the place of another", f"{name[:80]} for {_DOCUMENTS[number]}")
    most_bytes = MAX_SIGNATURE_BYTES if name.endswith(".sig") else _MAX_DOCUMENT_BYTES
    if num_bytes > most_bytes:
        raise _damaged(path, f"{name} is too long", format_bytes(num_bytes))
    return stream.read(num_bytes)


def _header(name: str, num_bytes: int) -> bytes:
    """Return the USTAR header of a plain file with all else fixed: mode 0644, no owner, no time."""
    fields = (
        name.encode("ascii").ljust(100, b"\0"),
        b"0000644\0" + b"0000000\0" * 2,
        b"%011o\0" % num_bytes,
        b"00000000000\0",
        b" " * 8,
        b"0",
        bytes(100),
        b"ustar\00000",
        bytes(32 + 32),
        b"0000000\0" * 2,
        bytes(155 + 12),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _padding(num_bytes: int) -> bytes:
    return bytes(-num_bytes % _BLOCK)


def _copied(stream: BinaryIO, num_bytes: int, writer: BinaryIO | None) -> str:
    """Return the SHA-256 of the next bytes of a stream; write them too."""
    state = hashlib.sha256()
    left = num_bytes
    while left and (piece := stream.read(min(MIB, left))):
        state.update(piece)
        if writer is not None:
            writer.write(piece)
        left -= len(piece)
    return state.hexdigest() if not left else ""


def _damaged(path: Path, what: str, found: str | None = None) -> KitUpdateRefused:
    return KitUpdateRefused(
        f"not a kit update, or a damaged one: {what}",
        where=str(path),
        found=found,
        hint='ask for the file again; "sha256sum" tells both sides whether it is the same',
    )
