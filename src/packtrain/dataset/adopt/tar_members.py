"""Any valid tar, read once from the front: where each member's bytes lie, and the digest of the whole file on the way.

USTAR, GNU and pax headers, those of the seventh edition, long names of both kinds, base-256 lengths. What cannot be
served at an offset (sparse files) or is no tar as a whole (cut, appended to, damaged headers) is refused. Names are
labels here and never paths. The reader of volumes is another one (`packtrain.volume.untar`): it takes what packtrain
itself writes and refuses all that is read here.

Source:
    POSIX.1-2017, pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from packtrain.dataset.kinds.piece import Damaged
from packtrain.units import KIB, MIB

BLOCK_BYTES: Final = 512
MAX_NAME_BYTES: Final = 4 * KIB
MAX_EXTENSION_BYTES: Final = 64 * KIB  # one pax header or long name; names of 4 KiB and a few attributes take 16 KiB
_MAX_EXTENSIONS: Final = 8  # before one member: path and link in both forms, and some room
_PIECE_BYTES: Final = 1 * MIB
_ZEROS: Final = bytes(BLOCK_BYTES)
_OCTAL: Final = re.compile(rb" *([0-7]{1,12})?[ \0]*")
_FILES: Final = (b"0", b"\0", b"7")
_WITHOUT_DATA: Final = (b"1", b"2", b"3", b"4", b"5", b"6", b"V")
"""Links, devices, folders, a GNU volume label: whatever length their header says, no bytes follow."""
_LENGTHS_UP_TO: Final = 2**53 - 1


class TarMember(NamedTuple):
    """One member; `offset` and `size_bytes` say where in the file its bytes are. `is_file`: it is a regular file."""

    name: bytes
    offset: int
    size_bytes: int
    is_file: bool


class TarWalk:
    """Goes through one tar in one pass.

    Call `next_member`; of a file take `pieces` if its bytes are wanted; then `next_member` again. After it returned
    None, `sha256` is the digest of the whole file.

    Args:
        stream: the tar, at its beginning.
        size_bytes: its length; no member is believed to reach further.

    Raises:
        Damaged: from both calls, for what is no tar as a whole.
        OSError: the file cannot be read.
    """

    def __init__(self, stream: BinaryIO, size_bytes: int) -> None:
        self._stream = stream
        self._size_bytes = size_bytes
        self._at = 0
        self._state = hashlib.sha256()
        self._left = 0  # data bytes of the current member that were not read
        self._padding = 0

    @property
    def sha256(self) -> str:
        """Return the digest of all that was read so far."""
        return self._state.hexdigest()

    def next_member(self) -> TarMember | None:
        """Return the next member, or None at the end."""
        for _ in self.pieces():
            pass
        self._read(self._padding, "padding")
        self._padding = 0
        name: bytes | None = None
        size: int | None = None
        for _ in range(_MAX_EXTENSIONS + 1):
            header = self._read(BLOCK_BYTES, "header")
            if header == _ZEROS:
                if name is not None or size is not None:
                    raise Damaged("a long name without a member at the end of the tar")
                self._finish()
                return None
            _check_sum(header, self._at - BLOCK_BYTES)
            flag = header[156:157]
            length = _number(header[124:136])
            if flag in (b"L", b"K"):
                payload = self._extension(length)
                name = payload.rstrip(b"\0") if flag == b"L" else name
            elif flag in (b"x", b"X", b"g"):
                records = pax_records(self._extension(length))
                if any(key.startswith(b"GNU.sparse") for key in records):
                    raise Damaged(_SPARSE)
                if flag == b"g" and (b"path" in records or b"size" in records):
                    raise Damaged("one pax header gives all members the same name or length")
                if flag != b"g":
                    name = records.get(b"path", name)
                    size = _decimal(records[b"size"]) if b"size" in records else size
            else:
                return self._member(header, flag, name, length if size is None else size)
        raise Damaged(f"more than {_MAX_EXTENSIONS} headers before one member")

    def pieces(self) -> Iterator[bytes]:
        """Yield what was not read yet of the current member, at most 1 MiB at a time."""
        while self._left:
            piece = self._read(min(self._left, _PIECE_BYTES), "member")
            self._left -= len(piece)
            yield piece

    def _member(self, header: bytes, flag: bytes, long_name: bytes | None, size_bytes: int) -> TarMember:
        if flag == b"S":
            raise Damaged(_SPARSE)
        name = _name_of(header) if long_name is None else long_name
        if not name or len(name) > MAX_NAME_BYTES or b"\0" in name:
            raise Damaged(f"a member's name is empty, longer than {MAX_NAME_BYTES} bytes, or holds a zero byte")
        # The seventh edition had no flag for folders, only a slash at the end.
        is_file = flag in _FILES and not name.endswith(b"/")
        if not is_file and flag not in (*_WITHOUT_DATA, *_FILES):
            raise Damaged(f"member of a type that no reader of shards knows: {flag!r}")
        if not is_file:
            size_bytes = 0
        if size_bytes > self._size_bytes - self._at:
            raise Damaged(
                f"tar is cut: a member of {size_bytes} bytes begins {self._size_bytes - self._at} before the end"
            )
        self._left, self._padding = size_bytes, -size_bytes % BLOCK_BYTES
        return TarMember(name, self._at, size_bytes, is_file)

    def _extension(self, length: int) -> bytes:
        if not 0 < length <= MAX_EXTENSION_BYTES:
            raise Damaged(f"a long name or pax header of {length} bytes: more than {MAX_EXTENSION_BYTES}, or none")
        payload = self._read(length, "long name")
        self._read(-length % BLOCK_BYTES, "long name")
        return payload

    def _finish(self) -> None:
        """Read on to the end of the file: zeros and nothing else, or members would be missing without a word."""
        at = self._at
        num_zeros = BLOCK_BYTES
        while self._at < self._size_bytes:
            piece = self._read(min(self._size_bytes - self._at, _PIECE_BYTES), "end")
            if piece.count(0) != len(piece):
                raise Damaged(f"more bytes after the end of the tar at {at}: was another one appended to it?")
            num_zeros += len(piece)
        if num_zeros < 2 * BLOCK_BYTES:
            raise Damaged("tar ends with one empty block instead of two")

    def _read(self, count: int, what: str) -> bytes:
        if not count:
            return b""
        pieces: list[bytes] = []
        left = count
        while left and (piece := self._stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
        payload = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._state.update(payload)
        self._at += len(payload)
        if left:
            raise Damaged(
                f"tar is cut in a {what} at {self._at} bytes" + (": it has no end" if what == "header" else "")
            )
        return payload


_SPARSE: Final = "a sparse file in the tar: its bytes do not lie in one piece"


def pax_records(payload: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header; the later of two with one key counts.

    Raises:
        Damaged: not a list of records.
    """
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(payload):
        space = payload.find(b" ", at, at + 8)
        digits = payload[at:space] if space > 0 else b""
        stop = at + int(digits) if digits.isdigit() else 0
        if not space < stop <= len(payload) or payload[stop - 1] != 0x0A:
            if not payload[at:].strip(b"\0"):
                break  # some writers fill up with zeros
            raise Damaged("a pax header is malformed")
        key, equals, value = payload[space + 1 : stop - 1].partition(b"=")
        if not equals:
            raise Damaged("a pax record has no value")
        records[key] = value
        at = stop
    return records


def _name_of(header: bytes) -> bytes:
    name = header[0:100].partition(b"\0")[0]
    # The prefix is POSIX's; GNU's header has times there.
    prefix = header[345:500].partition(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field: bytes) -> int:
    """Return a number in octal digits, or base-256 where its first bit is set.

    Raises:
        Damaged: neither, negative, or larger than any file.
    """
    if field[0] & 0x80:
        number = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
        if field[0] & 0x40 or number > _LENGTHS_UP_TO:
            raise Damaged("a member's length is negative, or larger than any file")
        return number
    found = _OCTAL.fullmatch(field)
    if found is None:
        raise Damaged("a number in a header is not octal: no tar, or a damaged one")
    return int(found[1] or b"0", 8)


def _decimal(value: bytes) -> int:
    if not value.isdigit() or len(value) > 16 or int(value) > _LENGTHS_UP_TO:
        raise Damaged("a length in a pax header is no number, or larger than any file")
    return int(value)


def _check_sum(header: bytes, at: int) -> None:
    # The sum's own eight bytes count as spaces.
    others = header[:148] + b" " * 8 + header[156:]
    found = _number(header[148:156])
    # Some old writers added signed bytes: looked at last, since it is slow and hardly ever so.
    if found != sum(others) and found != sum(byte - 256 if byte > 127 else byte for byte in others):
        raise Damaged(f"no tar header at {at} bytes: its checksum differs")
