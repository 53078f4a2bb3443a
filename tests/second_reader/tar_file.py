"""Section 4: a volume's tar, and what names, targets and attributes may be."""

from __future__ import annotations

import re
from typing import NamedTuple

from second_reader.refused import Refused, need

NUMBERS = re.compile(rb"(?:[0-7]{7}\0){3}(?:[0-7]{11}\0){2}[0-7]{6}\0 ")
KINDS = {b"0": "file", b"1": "hardlink", b"2": "symlink", b"5": "directory"}
KEYS = (b"path", b"linkpath", b"size", b"mtime", b"uid", b"gid", b"hdrcharset")
XATTR = b"SCHILY.xattr."
CARRIED = (b"system.posix_acl_access", b"system.posix_acl_default", b"security.capability")
Xattrs = dict[bytes, bytes]


class Member(NamedTuple):
    name: bytes
    kind: str
    data: bytes
    target: bytes
    xattrs: Xattrs


def check_name(name: bytes) -> None:
    need(1 <= len(name) <= 4096 and b"\0" not in name, "name is too long, empty, or has NUL")
    for part in name.split(b"/"):
        need(1 <= len(part) <= 255 and part not in (b".", b".."), "name is not plain")


def check_target(name: bytes, target: bytes) -> None:
    need(1 <= len(target) <= 4096 and b"\0" not in target, "target is too long, empty, or has NUL")
    need(not target.startswith(b"/"), "target is absolute")
    parts = [part for part in target.split(b"/") if part not in (b"", b".")]
    ups = sum(part == b".." for part in parts)
    need(parts[:ups] == [b".."] * ups, "target goes up after it went down")
    need(ups <= name.count(b"/"), "target leads out of the tree")


def check_xattrs(xattrs: list[tuple[bytes, bytes]], kind: str) -> Xattrs:
    need(not xattrs or kind in ("file", "directory"), "attributes of a link")
    names = [name for name, _ in xattrs]
    for name in names:
        is_users = name.startswith(b"user.") and len(b"user.") < len(name) <= 255 and b"\0" not in name
        need(is_users or name in CARRIED, "attribute is not carried")
    need(names == sorted(set(names)), "attributes are out of order")
    total = 0
    for name, value in xattrs:
        rest = len(XATTR + name.replace(b"%", b"%25").replace(b"=", b"%3D")) + len(value) + 3
        total += rest + len(str(rest + len(str(rest))))
    need(total <= 64 << 10, "attributes are too long")
    return dict(xattrs)


def decimal(value: bytes) -> int:
    need(value.isdigit() and len(value) <= 16, "not a number")
    return int(value)


def field(raw: bytes) -> bytes:
    value, _, rest = raw.partition(b"\0")
    need(not rest.strip(b"\0"), "bytes after the end of a field")
    return value


def read_tar(payload: bytes) -> list[Member]:
    """Return all members of a volume."""
    at, linkable = 0, b""
    members: list[Member] = []
    records: dict[bytes, bytes] | None = None

    def take(count: int) -> bytes:
        nonlocal at
        need(at + count <= len(payload), "tar is cut")
        at += count
        return payload[at - count : at]

    def content(size: int) -> bytes:
        data = take(size)
        need(not take(-size % 512).strip(b"\0"), "padding is not zero")
        return data

    while (header := take(512)) != bytes(512):
        need(header[257:265] == b"ustar\x0000" and NUMBERS.fullmatch(header[100:156]), "header is malformed")
        need(int(header[148:154], 8) == sum(header[:148] + b" " * 8 + header[156:]), "checksum differs")
        size = int(header[124:135], 8)
        if header[156:157] == b"x":
            need(records is None and size <= 80 << 10, "two pax headers, or one too long")
            records = read_pax(content(size))
            continue
        member, linkable = read_member(header, size, records or {}, linkable, content)
        members.append(member)
        records = None
    need(records is None, "pax header without a member")
    need(take(512) == bytes(512) and at == len(payload), "the end is not two blocks of zeros")
    return members


def read_member(header, size, records, linkable, content) -> tuple[Member, bytes]:
    need(header[156:157] in KINDS, "type is not carried")
    kind = KINDS[header[156:157]]
    prefix = field(header[345:500])
    name = records.get(b"path", (prefix + b"/" if prefix else b"") + field(header[:100]))
    target = records.get(b"linkpath", field(header[157:257]))
    size = decimal(records[b"size"]) if b"size" in records else size
    need(size < 2**53 and (kind == "file" or not size), "content where none is, or too much")
    need(kind in ("hardlink", "symlink") or not target, "target of no link")
    if kind == "directory":
        need(name.endswith(b"/"), "directory without a slash")
        name = name[:-1]
    check_name(name)
    if kind == "symlink":
        check_target(name, target)
    if kind == "hardlink":
        need(target == linkable != name, "hard link does not follow its file")
    else:
        linkable = name if kind == "file" else b""
    xattrs = []
    for key, value in records.items():
        if key.startswith(XATTR):
            spelt = key[len(XATTR) :]
            plain = spelt.replace(b"%3D", b"=").replace(b"%25", b"%")
            need(plain.replace(b"%", b"%25").replace(b"=", b"%3D") == spelt, "attribute is spelt otherwise")
            xattrs.append((plain, value))
    return Member(name, kind, content(size), target, check_xattrs(xattrs, kind)), linkable


def read_pax(payload: bytes) -> dict[bytes, bytes]:
    records: dict[bytes, bytes] = {}
    at = 0
    need(payload, "pax header without records")
    while at < len(payload):
        digits, space, _ = payload[at : at + 8].partition(b" ")
        need(space and digits.isdigit() and int(digits) > len(digits) + 1, "pax record is malformed")
        raw = payload[at : at + int(digits)]
        need(len(raw) == int(digits) and raw.endswith(b"\n"), "pax record is malformed")
        key, equals, value = raw[len(digits) + 1 : -1].partition(b"=")
        need(equals and key not in records, "pax record without value, or twice")
        if key not in KEYS and not key.startswith(XATTR):
            raise Refused("pax key is unknown")
        records[key] = value
        at += int(digits)
    need(records.get(b"hdrcharset", b"BINARY") == b"BINARY", "character set is unknown")
    for key in (b"size", b"uid", b"gid"):
        need(decimal(records.get(key, b"0")) <= (2**53 - 1 if key == b"size" else 2**32 - 2), "number is too large")
    decimal(records.get(b"mtime", b"0").removeprefix(b"-"))
    return records
