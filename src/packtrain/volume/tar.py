"""Tar headers of data volumes: USTAR written by hand, pax records only where USTAR cannot say it.

By hand because `tarfile` costs 17 to 35 microseconds a header, which is most of the time for small files. Owner is 0:0
without names: who owned a file at home means nothing at the site. Times are whole seconds; the catalog has nanoseconds.

Source: POSIX.1-2017 pax, "ustar Interchange Format" and "pax Extended Header".
"""

from __future__ import annotations

from typing import Final, Literal

BLOCK_BYTES: Final = 512
END_OF_ARCHIVE: Final = bytes(2 * BLOCK_BYTES)
EntryKind = Literal["file", "symlink", "directory"]

_TYPE_FLAGS: Final[dict[EntryKind, bytes]] = {"file": b"0", "symlink": b"2", "directory": b"5"}
_NAME_BYTES: Final = 100
_PREFIX_BYTES: Final = 155
_LINK_BYTES: Final = 100
# Eleven octal digits: 8 GiB - 1 for a size, the year 2242 for a time.
_LARGEST_OCTAL: Final = 8**11 - 1
_PAX_NAME: Final = b"././@PaxHeader"
_ZEROS: Final = bytes(BLOCK_BYTES)


def padded_bytes(size_bytes: int) -> int:
    """Return how many bytes a member's content takes in a tar, its padding included."""
    return -(-size_bytes // BLOCK_BYTES) * BLOCK_BYTES


def padding(size_bytes: int) -> bytes:
    """Return the zeros that follow a member's content."""
    return _ZEROS[: -size_bytes % BLOCK_BYTES]


def header(
    name: bytes, kind: EntryKind, size_bytes: int, mode: int, mtime_seconds: int, link_target: bytes = b""
) -> bytes:
    """Return the header blocks of one member: a pax header before it only where USTAR has no room for a value.

    Args:
        name: relative path in raw bytes, without a slash at its end.
        kind: what it is; a directory's name gets its slash here.
        size_bytes: bytes of content that follow; 0 for all but files.
        mode: permission bits.
        mtime_seconds: whole seconds since 1970, may be negative.
        link_target: what a symbolic link points to, raw.
    """
    assert name and not name.startswith(b"/") and b"\0" not in name and b"\0" not in link_target, name
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
    )
    if not records:
        return own
    return _block(_PAX_NAME, b"x", len(records), 0o644, 0, b"", b"") + records + padding(len(records)) + own


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
    name: bytes, flag: bytes, size_bytes: int, mode: int, mtime_seconds: int, link_target: bytes, prefix: bytes
) -> bytes:
    block = bytearray(BLOCK_BYTES)
    block[0 : len(name)] = name
    # mode, uid, gid: seven octal digits; size, mtime: eleven; then the checksum's place, spaces while it is summed.
    block[100:157] = b"%07o\0%07o\0%07o\0%011o\0%011o\0        %b" % (mode, 0, 0, size_bytes, mtime_seconds, flag)
    block[157 : 157 + len(link_target)] = link_target
    block[257:265] = b"ustar\x0000"
    block[329:345] = b"0000000\x000000000\0"
    block[345 : 345 + len(prefix)] = prefix
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


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
