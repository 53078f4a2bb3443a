"""Reading a volume's tar, strictly: the subset of USTAR and pax that packtrain writes, and nothing else.

Regular files, symbolic links, folders; pax records path, linkpath, size, mtime and hdrcharset. What other tar programs
forgive (base-256 numbers, GNU long names, devices, hard links, sparse files, a missing end) is refused here: a reader
that forgives is a reader that can be led.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from packtrain.errors import HostileArchive
from packtrain.units import KIB
from packtrain.volume.tar import BLOCK_BYTES, EntryKind

MAX_NAME_BYTES: Final = 4096
MAX_COMPONENT_BYTES: Final = 255
# Two names of 4 KiB and their record heads fit; nothing that packtrain writes is longer.
MAX_PAX_BYTES: Final = 16 * KIB
MAX_FILE_BYTES: Final = 2**53 - 1
# Small, because there is one a volume being unpacked; larger ones are no faster.
_BUFFER_BYTES: Final = 256 * KIB

_KINDS: Final[dict[bytes, EntryKind]] = {b"0": "file", b"2": "symlink", b"5": "directory"}
_PAX: Final = b"x"
_MAGIC: Final = b"ustar\x0000"
_ZEROS: Final = bytes(BLOCK_BYTES)
_PAX_KEYS: Final = frozenset((b"path", b"linkpath", b"size", b"mtime", b"hdrcharset"))
_CHARSETS: Final = (b"BINARY", b"ISO-IR 10646 2000 UTF-8")


class Member(NamedTuple):
    """One member: its name without a slash at the end, its kind, its length, and where a link points to.

    Mode and time of the header are not read: the catalog has both, the time in nanoseconds.
    """

    name: bytes
    kind: EntryKind
    size_bytes: int
    target: bytes


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
            _check_sum(header, self._refuse)
            if header[257:265] != _MAGIC:
                self._refuse("header is not USTAR", expected="ustar, version 00", found=repr(header[257:265]))
            if flag == _PAX:
                if records is not None:
                    self._refuse("two pax headers for one member")
                records = self._read_pax(self._octal(header[124:136], "size"))
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
        size_bytes = self._octal(header[124:136], "size") if size is None else _decimal(size, self._refuse)
        if size_bytes > MAX_FILE_BYTES:
            self._refuse("member is longer than any file", found=str(size_bytes))
        target = b""
        kind = _KINDS.get(flag)
        if kind == "file":
            self._left = size_bytes
            self._padding = -size_bytes % BLOCK_BYTES
        elif kind is None:
            self._refuse("member is neither file, symbolic link nor folder", found=f"type {flag!r}")
        elif size_bytes:
            self._refuse("link or folder with data", found=f"{size_bytes} bytes")
        elif kind == "symlink":
            target = records.get(b"linkpath") or _text(header[157:257], self._refuse)
        else:
            name = name.removesuffix(b"/")
        if kind != "symlink" and (b"linkpath" in records or header[157:257].rstrip(b"\0")):
            self._refuse("link target on a member that is no link")
        try:
            check_name(name)
            if kind == "symlink":
                check_target(name, target)
        except HostileArchive as error:
            raise HostileArchive(error.what, where=self._where, expected=error.expected, found=error.found) from error
        return Member(name, kind, size_bytes, target)

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
            if not equals or key not in _PAX_KEYS or key in records:
                self._refuse("pax record is unknown or given twice", found=repr(key[:64]))
            records[key] = value
            at = stop
        charset = records.get(b"hdrcharset")
        if charset is not None and charset not in _CHARSETS:
            self._refuse("pax character set is unknown", found=repr(charset[:64]))
        return records

    def _finish(self) -> None:
        """Read the second zero block and the zeros up to the end of the stream."""
        self._ended = True
        if self._take(BLOCK_BYTES, "end") != _ZEROS:
            self._refuse("tar ends with one zero block instead of two")
        while self._start < self._end or self._fill(1):
            if any(self._view[self._start : self._end]):
                self._refuse("bytes after the end of the tar")
            self._start = self._end

    def _octal(self, field: bytes, name: str) -> int:
        digits = field.strip(b"\0 ")
        try:
            if not digits.isdigit():
                raise ValueError
            return int(digits, 8)
        except ValueError:
            self._refuse(f"{name} in a header is not octal", found=repr(field))

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
    if not name or len(name) > MAX_NAME_BYTES or b"\0" in name:
        raise HostileArchive(
            "name is empty, too long, or holds a NUL", expected=f"1 to {MAX_NAME_BYTES} bytes", found=repr(name[:256])
        )
    for part in name.split(b"/"):
        if part in (b"", b".", b"..") or len(part) > MAX_COMPONENT_BYTES:
            raise HostileArchive("path leads out of the tree, or is not plain", found=repr(name[:256]))


def check_target(name: bytes, target: bytes) -> None:
    """Refuse a symbolic link that leaves the tree.

    ".." may stand only at the start of a target: after a name it would be taken from wherever that name, itself
    perhaps a link, leads to, and no lexical check could bound it.

    Raises:
        HostileArchive: absolute, empty, too long, with NUL, or leading out.
    """
    if not target or len(target) > MAX_NAME_BYTES or b"\0" in target or target.startswith(b"/"):
        raise HostileArchive("link target is empty, absolute or too long", found=repr(target[:256]))
    depth = name.count(b"/")
    descended = False
    for part in target.split(b"/"):
        if part == b"..":
            depth -= 1
            if descended or depth < 0:
                raise HostileArchive("link leads out of the tree", found=repr(target[:256]))
        elif part not in (b"", b"."):
            descended = True


def _check_sum(header: bytes, refuse: Callable[..., NoReturn]) -> None:
    # The checksum's own eight bytes count as spaces.
    expected = sum(header) - sum(header[148:156]) + 256
    digits = header[148:156].strip(b"\0 ")
    if not digits.isdigit() or b"8" in digits or b"9" in digits or int(digits, 8) != expected:
        refuse("header checksum differs", expected=f"{expected:o}", found=repr(header[148:156]))


def _text(field: bytes, refuse: Callable[..., NoReturn]) -> bytes:
    text, _, rest = field.partition(b"\0")
    if rest.rstrip(b"\0"):
        refuse("bytes after the end of a header field", found=repr(field))
    return text


def _decimal(value: bytes, refuse: Callable[..., NoReturn]) -> int:
    if not value.isdigit() or len(value) > 16:
        refuse("pax size is not a number", found=repr(value[:64]))
    return int(value)
