"""Parts of tars, right and wrong: headers with any byte in any field, pax records of any length."""

from __future__ import annotations

from packtrain.volume import tar
from packtrain.volume.tar import END_OF_ARCHIVE, EntryKind, Xattrs, padding

SECTION = "4. Data volumes"


def header(
    name: bytes,
    kind: EntryKind = "file",
    size: int = 0,
    *,
    target: bytes = b"",
    mtime: int = 1_000_000_000,
    mode: int = 0o644,
    uid: int = 0,
    xattrs: Xattrs = (),
) -> bytes:
    return tar.header(name, kind, size, mode, mtime, target, uid, uid, xattrs)


def file(name: bytes, data: bytes = b"data", *, mtime: int = 1_000_000_000, mode: int = 0o644, uid: int = 0) -> bytes:
    return header(name, "file", len(data), mtime=mtime, mode=mode, uid=uid) + data + padding(len(data))


def resummed(block: bytes) -> bytes:
    """Return a header block with the checksum that fits it."""
    block = block[:148] + b" " * 8 + block[156:]
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def altered(block: bytes, *puts: tuple[int, bytes]) -> bytes:
    """Return a header block with other bytes at some offsets, and a checksum that fits."""
    changed = bytearray(block)
    for at, value in puts:
        changed[at : at + len(value)] = value
    assert len(changed) == 512
    return resummed(bytes(changed))


def typed(flag: bytes, size: int = 0, name: bytes = b"odd") -> bytes:
    """Return a header of any type."""
    return altered(header(name, "file", size), (156, flag))


def record(key: bytes, value: bytes) -> bytes:
    length = len(key) + len(value) + 3
    length += len(str(length + len(str(length))))
    return b"%d %b=%b\n" % (length, key, value)


def pax(*records: bytes, size: int | None = None) -> bytes:
    """Return a pax header of records; with another size than they have, if one is given."""
    payload = b"".join(records)
    return typed(b"x", len(payload) if size is None else size, b"././@PaxHeader") + payload + padding(len(payload))


def ended(*members: bytes) -> bytes:
    return b"".join(members) + END_OF_ARCHIVE
