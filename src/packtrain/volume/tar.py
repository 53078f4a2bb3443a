"""Tar headers of data volumes: USTAR written by hand, pax records only where USTAR cannot say it.

By hand because `tarfile` costs 17 to 35 microseconds a header, which is most of the time for small files. Owners are
numbers without names. Times are whole seconds; the catalog has nanoseconds.

Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

import functools
import zlib
from typing import Final, Literal

BLOCK_BYTES: Final = 512
END_OF_ARCHIVE: Final = bytes(2 * BLOCK_BYTES)
EntryKind = Literal["file", "hardlink", "symlink", "directory"]
Xattrs = tuple[tuple[bytes, bytes], ...]
"""Extended attributes: names and values, in byte order of the names."""
XATTR_PREFIX: Final = b"SCHILY.xattr."

_TYPE_FLAGS: Final[dict[EntryKind, bytes]] = {"file": b"0", "hardlink": b"1", "symlink": b"2", "directory": b"5"}
_NAME_BYTES: Final = 100
_PREFIX_BYTES: Final = 155
_LINK_BYTES: Final = 100
# Eleven octal digits: 8 GiB - 1 for a size, the year 2242 for a time.
_LARGEST_OCTAL: Final = 8**11 - 1
# Seven for an owner.
_LARGEST_ID: Final = 8**7 - 1
_PAX_NAME: Final = b"././@PaxHeader"
# Magic and version, no names of owner and group, no device; then the prefix with the zeros to the block's end.
_MAGIC: Final = b"ustar\x0000" + bytes(64) + b"0000000\x000000000\0"
_REST_BYTES: Final = _PREFIX_BYTES + 12
# Name, mode, owner (seven octal digits each), size, time (eleven); behind them the checksum's place.
_HEAD: Final = b"%b%07o\0%07o\0%07o\0%011o\0%011o\0"
_PLAIN_TAIL: Final = b"0" + bytes(_LINK_BYTES) + _MAGIC + bytes(_REST_BYTES)
# Of the tail, and the checksum's own place as spaces; one less, as Adler-32 begins with one.
_PLAIN_SUM: Final = sum(_PLAIN_TAIL) + 8 * 0x20 - 1
_ZEROS: Final = bytes(BLOCK_BYTES)


def padded_bytes(size_bytes: int) -> int:
    """Return how many bytes a member's content takes in a tar, its padding included."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


def padding(size_bytes: int) -> bytes:
    """Return the zeros that follow a member's content."""
    return _ZEROS[: -size_bytes % BLOCK_BYTES]


def header(
    name: bytes,
    kind: EntryKind,
    size_bytes: int,
    mode: int,
    mtime_seconds: int,
    link_target: bytes = b"",
    uid: int = 0,
    gid: int = 0,
    xattrs: Xattrs = (),
) -> bytes:
    """Return the header blocks of one member: a pax header before it only where USTAR has no room for a value.

    Args:
        name: relative path in raw bytes, without a slash at its end.
        kind: what it is; a directory's name gets its slash here.
        size_bytes: bytes of content that follow; 0 for all but files.
        mode: permission bits.
        mtime_seconds: whole seconds since 1970, may be negative.
        link_target: what a symbolic link points to, or the name of a hard link's file, raw.
        uid, gid: the owner's numbers.
        xattrs: extended attributes.
    """
    assert name and not name.startswith(b"/") and b"\0" not in name and b"\0" not in link_target, name
    if kind == "file" and _is_plain(name, size_bytes, mtime_seconds, uid, gid, xattrs):
        # What `_block` does where the name fits: all behind the checksum is the same for all such files.
        owner = _owner(mode & 0o7777, uid, gid)
        head = b"%b%b%011o\0%011o\0" % (name.ljust(_NAME_BYTES, b"\0"), owner, size_bytes, mtime_seconds)
        # ASCII alone, so the lower half of Adler-32 is the sum and one: see `_sum`.
        return b"%b%06o\0 %b" % (head, _PLAIN_SUM + (zlib.adler32(head) & 0xFFFF), _PLAIN_TAIL)
    path = name + b"/" if kind == "directory" else name
    records = b""
    binary = False
    split = _split(path) if path.isascii() else None
    if split is None:
        records += _record(b"path", path)
        binary = not _is_utf8(path)
        split = (b"", path[:_NAME_BYTES])
    if len(link_target) > _LINK_BYTES or not link_target.isascii():
        records += _record(b"linkpath", link_target)
        binary = binary or not _is_utf8(link_target)
    if size_bytes > _LARGEST_OCTAL:
        records += _record(b"size", b"%d" % size_bytes)
    if not 0 <= mtime_seconds <= _LARGEST_OCTAL:
        records += _record(b"mtime", b"%d" % mtime_seconds)
    if uid > _LARGEST_ID:
        records += _record(b"uid", b"%d" % uid)
    if gid > _LARGEST_ID:
        records += _record(b"gid", b"%d" % gid)
    if xattrs:
        records += xattr_records(xattrs)
    if binary:
        # pax values are UTF-8 unless the header says otherwise; names on Linux are bytes.
        records = _record(b"hdrcharset", b"BINARY") + records
    prefix, short = split
    own = _block(
        short,
        _TYPE_FLAGS[kind],
        min(size_bytes, _LARGEST_OCTAL),
        mode & 0o7777,
        min(max(mtime_seconds, 0), _LARGEST_OCTAL),
        link_target[:_LINK_BYTES],
        prefix,
        min(uid, _LARGEST_ID),
        min(gid, _LARGEST_ID),
    )
    if not records:
        return own
    return _block(_PAX_NAME, b"x", len(records), 0o644, 0, b"", b"", 0, 0) + records + padding(len(records)) + own


def header_bytes(
    name: bytes,
    kind: EntryKind,
    size_bytes: int,
    mtime_seconds: int,
    link_target: bytes = b"",
    uid: int = 0,
    gid: int = 0,
    xattrs: Xattrs = (),
) -> int:
    """Return how long the `header` of these values is; it is not made where they plainly fit into one block."""
    if kind == "file" and _is_plain(name, size_bytes, mtime_seconds, uid, gid, xattrs):
        return BLOCK_BYTES
    return len(header(name, kind, size_bytes, 0, mtime_seconds, link_target, uid, gid, xattrs))


def _is_plain(name: bytes, size_bytes: int, mtime_seconds: int, uid: int, gid: int, xattrs: Xattrs) -> bool:
    """Return whether a file needs nothing but one block without a prefix, as nearly all files do."""
    return (
        len(name) <= _NAME_BYTES
        and name.isascii()
        and size_bytes <= _LARGEST_OCTAL
        and 0 <= mtime_seconds <= _LARGEST_OCTAL
        and uid <= _LARGEST_ID
        and gid <= _LARGEST_ID
        and not xattrs
    )


def xattr_records(xattrs: Xattrs) -> bytes:
    """Return the pax records of extended attributes, as other tar programs write them.

    A record's key ends at its first "=": in an attribute's name "=" becomes %3D, and so % becomes %25.
    """
    return b"".join(
        _record(XATTR_PREFIX + name.replace(b"%", b"%25").replace(b"=", b"%3D"), value) for name, value in xattrs
    )


def _split(path: bytes) -> tuple[bytes, bytes] | None:
    """Return USTAR prefix and name of a path, or None where it fits neither way."""
    if len(path) <= _NAME_BYTES:
        return b"", path
    if len(path) > _PREFIX_BYTES + 1 + _NAME_BYTES:
        return None
    # The last slash that leaves a prefix short enough; a slash at the very end belongs to the name.
    at = path.rfind(b"/", 0, min(_PREFIX_BYTES + 1, len(path) - 1))
    if at <= 0 or len(path) - at - 1 > _NAME_BYTES:
        return None
    return path[:at], path[at + 1 :]


def _block(
    name: bytes,
    flag: bytes,
    size_bytes: int,
    mode: int,
    mtime_seconds: int,
    link_target: bytes,
    prefix: bytes,
    uid: int,
    gid: int,
) -> bytes:
    head = _HEAD % (name.ljust(_NAME_BYTES, b"\0"), mode, uid, gid, size_bytes, mtime_seconds)
    tail = b"%b%b%b%b" % (flag, link_target.ljust(_LINK_BYTES, b"\0"), _MAGIC, prefix.ljust(_REST_BYTES, b"\0"))
    # The checksum's own eight bytes count as spaces.
    return b"%b%06o\0 %b" % (head, 8 * 0x20 + _sum(head + tail), tail)


@functools.lru_cache(maxsize=256)
def _owner(mode: int, uid: int, gid: int) -> bytes:
    """Return the fields of a header that most files share."""
    return b"%07o\0%07o\0%07o\0" % (mode, uid, gid)


def _sum(raw: bytes) -> int:
    """Return the sum of the bytes of a header block."""
    # The lower half of Adler-32 is one more than the sum modulo 65521, which 504 bytes below 128 never reach; adding
    # up 504 numbers one by one is a third of what a small file costs.
    return (zlib.adler32(raw) & 0xFFFF) - 1 if raw.isascii() else sum(raw)


def _record(key: bytes, value: bytes) -> bytes:
    """Return one pax record: "LENGTH KEY=VALUE\\n", where LENGTH counts itself."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %b=%b\n" % (length, key, value)


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
