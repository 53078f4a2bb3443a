"""Reading a volume's tar, strictly: the subset of USTAR and pax that packtrain writes, and nothing else.

Regular files, hard links to the file before them, symbolic links, folders; pax records path, linkpath, size, mtime,
uid, gid, hdrcharset and extended attributes. What other tar programs forgive (base-256 numbers, GNU long names,
devices, hard links to anything, sparse files, a missing end, records after it) is refused here: a reader that forgives
is a reader that can be led.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from packtrain.errors import HostileArchive
from packtrain.units import KIB, quoted
from packtrain.volume.attributes import MAX_OWNER, MAX_XATTR_BYTES, check_xattrs
from packtrain.volume.tar import BLOCK_BYTES, XATTR_PREFIX, EntryKind, Xattrs

MAX_NAME_BYTES: Final = 4096
MAX_COMPONENT_BYTES: Final = 255
# A component that is empty or begins with a dot, or NUL.
_SUSPICIOUS: Final = re.compile(rb"(?:\A|/)(?:[./]|\Z)|\0")
# Two names of 4 KiB and their record heads fit into 16 KiB, and extended attributes; nothing that packtrain writes is
# longer.
MAX_PAX_BYTES: Final = 16 * KIB + MAX_XATTR_BYTES
MAX_FILE_BYTES: Final = 2**53 - 1
# Small, because there is one a volume being unpacked; larger ones are no faster.
_BUFFER_BYTES: Final = 256 * KIB

_KINDS: Final[dict[bytes, EntryKind]] = {b"0": "file", b"1": "hardlink", b"2": "symlink", b"5": "directory"}
_PAX: Final = b"x"
_MAGIC: Final = b"ustar\x0000"
_ZEROS: Final = bytes(BLOCK_BYTES)
_PAX_KEYS: Final = frozenset((b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid", b"hdrcharset"))
_CHARSETS: Final = (b"BINARY",)
# From mode to checksum there are numbers alone, each in its one form: owner, group, size, time between them.
_NUMBERS_AT: Final = slice(100, 156)
_NUMBERS: Final = re.compile(rb"(?:[0-7]{7}\0){3}(?:[0-7]{11}\0){2}[0-7]{6}\0 ")


class Member(NamedTuple):
    """One member: its name without a slash at the end, its kind, its length, where a link points to, its attributes.

    Mode, owner and time of the header are not read: the catalog has them, the time in nanoseconds.
    """

    name: bytes
    kind: EntryKind
    size_bytes: int
    target: bytes
    xattrs: Xattrs = ()


class TarReader:
    """Yields the members of one tar in order.

    Call `next_member`, then `read_data` until it returns nothing, then `next_member` again; data that was not read is
    skipped. `next_member` returns None only after the end was seen and the stream itself has ended.

    Args:
        readinto: fills a buffer and returns the count of bytes, less than its length only at the end.
        where: what errors name as the place of the fault.

    Raises:
        HostileArchive: from both calls, for anything outside of the subset.
    """

    def __init__(self, readinto: Callable[[memoryview], int], where: str) -> None:
        self._readinto = readinto
        self._where = where
        self._view = memoryview(bytearray(_BUFFER_BYTES))
        self._start: int = 0
        self._end: int = 0
        self._left = 0  # data bytes of the current member that were not handed out
        self._padding = 0
        self._ended = False
        # The regular file that hard links may still name: nothing but links to it came since.
        self._linkable = b""

    def next_member(self) -> Member | None:
        """Return the next member, or None at the end of the tar."""
        while self.read_data():
            pass
        if self._ended:
            return None
        records: dict[bytes, bytes] | None = None
        while True:
            header = self._take(BLOCK_BYTES, "header")
            if header == _ZEROS:
                if records is not None:
                    self._refuse("pax header without a member")
                self._finish()
                return None
            flag = header[156:157]
            if header[257:265] != _MAGIC:
                self._refuse("header is not USTAR", expected="ustar, version 00", found=quoted(header[257:265]))
            numbers = header[_NUMBERS_AT]
            if _NUMBERS.fullmatch(numbers) is None:
                self._refuse("number in a header is not octal, or not in its one form", found=quoted(numbers))
            _check_sum(header, self._refuse)
            if flag == _PAX:
                if records is not None:
                    self._refuse("two pax headers for one member")
                records = self._read_pax(int(header[124:135], 8))
                continue
            return self._member(header, flag, records or {})

    def read_data(self) -> memoryview:
        """Return the next piece of the current member's data (valid until the next call), empty at its end."""
        if self._left == 0:
            if self._padding:
                padding, self._padding = self._padding, 0
                if any(self._take(padding, "padding")):
                    self._refuse("padding after a member is not zero")
            return self._view[:0]
        if self._start == self._end:
            self._refill()
        count = min(self._left, self._end - self._start)
        piece = self._view[self._start : self._start + count]
        self._start += count
        self._left -= count
        return piece

    def _member(self, header: bytes, flag: bytes, records: dict[bytes, bytes]) -> Member:
        name = records.get(b"path")
        if name is None:
            name = _text(header[0:100], self._refuse)
            if prefix := _text(header[345:500], self._refuse):
                name = prefix + b"/" + name
        size = records.get(b"size")
        size_bytes = int(header[124:135], 8) if size is None else _decimal(size, self._refuse)
        if size_bytes > MAX_FILE_BYTES:
            self._refuse("member is longer than any file", found=str(size_bytes))
        kind = _KINDS.get(flag)
        if kind == "file":
            self._left = size_bytes
            self._padding = -size_bytes % BLOCK_BYTES
        elif kind is None:
            self._refuse("member is neither file, link nor folder", found=f"type {quoted(flag)}")
        elif size_bytes:
            self._refuse("link or folder with data", found=f"{size_bytes} bytes")
        elif kind == "directory":
            if not name.endswith(b"/"):
                self._refuse("name of a folder does not end in a slash", found=quoted(name[:256]))
            name = name[:-1]
        target = b""
        if kind in ("hardlink", "symlink"):
            target = records.get(b"linkpath")
            target = _text(header[157:257], self._refuse) if target is None else target
        elif b"linkpath" in records or header[157:257].rstrip(b"\0"):
            self._refuse("link target on a member that is no link")
        try:
            check_name(name)
            if kind == "symlink":
                check_target(name, target)
            xattrs = _xattrs(records, kind)
        except HostileArchive as error:
            raise HostileArchive(error.what, where=self._where, expected=error.expected, found=error.found) from error
        if kind == "hardlink":
            if target != self._linkable or name == target:
                self._refuse("hard link does not follow the file that it names", found=quoted(target[:256]))
        else:
            self._linkable = name if kind == "file" else b""
        return Member(name, kind, size_bytes, target, xattrs)

    def _read_pax(self, size_bytes: int) -> dict[bytes, bytes]:
        if not 0 < size_bytes <= MAX_PAX_BYTES:
            self._refuse("pax header is too long", expected=f"1 to {MAX_PAX_BYTES} bytes", found=str(size_bytes))
        padded = self._take(size_bytes + -size_bytes % BLOCK_BYTES, "pax header")
        if any(padded[size_bytes:]):
            self._refuse("padding after a pax header is not zero")
        payload = padded[:size_bytes]
        records: dict[bytes, bytes] = {}
        at = 0
        while at < size_bytes:
            space = payload.find(b" ", at, at + 8)
            digits = payload[at:space] if space > 0 else b""
            stop = at + int(digits) if digits.isdigit() else 0
            if not space < stop <= size_bytes or payload[stop - 1] != 0x0A:
                self._refuse("pax record is malformed")
            key, equals, value = payload[space + 1 : stop - 1].partition(b"=")
            if not equals or key in records or not (key in _PAX_KEYS or key.startswith(XATTR_PREFIX)):
                self._refuse("pax record is unknown or given twice", found=quoted(key[:64]))
            records[key] = value
            at = stop
        charset = records.get(b"hdrcharset")
        if charset is not None and charset not in _CHARSETS:
            self._refuse("pax character set is unknown", found=quoted(charset[:64]))
        for key in (b"uid", b"gid"):
            if key in records and _decimal(records[key], self._refuse) > MAX_OWNER:
                self._refuse("owner in a pax header is out of bounds", found=quoted(records[key][:64]))
        _decimal(records.get(b"mtime", b"0").removeprefix(b"-"), self._refuse)
        return records

    def _finish(self) -> None:
        """Read the second zero block and see that the stream has ended."""
        self._ended = True
        if self._take(BLOCK_BYTES, "end") != _ZEROS:
            self._refuse("tar ends with one zero block instead of two")
        if self._start < self._end or self._fill(1):
            self._refuse("bytes after the end of the tar")

    def _take(self, count: int, what: str) -> bytes:
        if self._end - self._start < count and not self._fill(count):
            self._refuse(f"tar is cut in a {what}")
        taken = bytes(self._view[self._start : self._start + count])
        self._start += count
        return taken

    def _refill(self) -> None:
        if not self._fill(1):
            self._refuse("tar is cut in a member's data")

    def _fill(self, count: int) -> bool:
        """Return whether `count` bytes are buffered, reading if need be."""
        kept = self._end - self._start
        if kept:
            self._view[:kept] = bytes(self._view[self._start : self._end])
        self._start, self._end = 0, kept
        while self._end < count:
            got = self._readinto(self._view[self._end :])
            if not got:
                return False
            self._end += got
        return True

    def _refuse(self, what: str, *, expected: str | None = None, found: str | None = None) -> NoReturn:
        raise HostileArchive(what, where=self._where, expected=expected, found=found)


def check_name(name: bytes) -> None:
    """Refuse a name that is not a plain relative path inside the tree.

    Raises:
        HostileArchive: empty, absolute, with "." or ".." or an empty component, with NUL, or too long.
    """
    # Most names are plainly good, and a name is looked at for every file: one search instead of a list of parts.
    if 0 < len(name) <= MAX_COMPONENT_BYTES and _SUSPICIOUS.search(name) is None:
        return
    if not name or len(name) > MAX_NAME_BYTES or b"\0" in name:
        raise HostileArchive(
            "name is empty, too long, or holds a NUL", expected=f"1 to {MAX_NAME_BYTES} bytes", found=quoted(name[:256])
        )
    for part in name.split(b"/"):
        if part in (b"", b".", b"..") or len(part) > MAX_COMPONENT_BYTES:
            raise HostileArchive("path leads out of the tree, or is not plain", found=quoted(name[:256]))


def check_target(name: bytes, target: bytes) -> None:
    """Refuse a symbolic link that leaves the tree.

    ".." may stand only at the start of a target: after a name it would be taken from wherever that name, itself
    perhaps a link, leads to, and no lexical check could bound it.

    Raises:
        HostileArchive: absolute, empty, too long, with NUL, or leading out.
    """
    if not target or len(target) > MAX_NAME_BYTES or b"\0" in target or target.startswith(b"/"):
        raise HostileArchive("link target is empty, absolute or too long", found=quoted(target[:256]))
    depth = name.count(b"/")
    descended = False
    for part in target.split(b"/"):
        if part == b"..":
            depth -= 1
            if descended or depth < 0:
                raise HostileArchive("link leads out of the tree", found=quoted(target[:256]))
        elif part not in (b"", b"."):
            descended = True


def _xattrs(records: dict[bytes, bytes], kind: EntryKind) -> Xattrs:
    """Return the extended attributes among pax records, in their order.

    Raises:
        HostileArchive: one that is not carried, is on a link, or is spelt in another way than packtrain does.
    """
    if not records:
        return ()
    found: list[tuple[bytes, bytes]] = []
    for key, value in records.items():
        if key.startswith(XATTR_PREFIX):
            spelt = key[len(XATTR_PREFIX) :]
            name = spelt.replace(b"%3D", b"=").replace(b"%25", b"%")
            if kind in ("hardlink", "symlink") or name.replace(b"%", b"%25").replace(b"=", b"%3D") != spelt:
                raise HostileArchive("extended attribute on a link, or spelt oddly", found=quoted(spelt[:256]))
            found.append((name, value))
    xattrs = tuple(found)
    check_xattrs(xattrs)
    return xattrs


def _check_sum(header: bytes, refuse: Callable[..., NoReturn]) -> None:
    # The checksum's own eight bytes count as spaces. The lower half of Adler-32 is one more than the sum modulo 65521,
    # which 512 bytes below 128 never reach.
    total = (zlib.adler32(header) & 0xFFFF) - 1 if header.isascii() else sum(header)
    expected = total - sum(header[148:156]) + 256
    if int(header[148:154], 8) != expected:
        refuse("header checksum differs", expected=f"{expected:o}", found=quoted(header[148:156]))


def _text(field: bytes, refuse: Callable[..., NoReturn]) -> bytes:
    text, _, rest = field.partition(b"\0")
    if rest.rstrip(b"\0"):
        refuse("bytes after the end of a header field", found=quoted(field))
    return text


def _decimal(value: bytes, refuse: Callable[..., NoReturn]) -> int:
    if not value.isdigit() or len(value) > 16:
        refuse("pax value is not a number", found=quoted(value[:64]))
    return int(value)
