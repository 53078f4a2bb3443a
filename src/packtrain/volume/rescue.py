#!/usr/bin/env python3
"""Verifies and repairs the drives of a shipment in cargo format 1, with nothing but Python 3.8 or later.

    python3 packtrain/rescue.py verify   DRIVE...               is every file as the drive's documents say?
    python3 packtrain/rescue.py damage   DRIVE...               which blocks of which volumes are not?
    python3 packtrain/rescue.py repair   DRIVE... [--onto DIR]  rebuild what can be rebuilt, in place or below DIR
    python3 packtrain/rescue.py commands DRIVE... [--onto DIR]  print the commands that check signatures and decrypt

DRIVE is the top folder of a drive; give all you have, in any order. No key is needed and none is taken: all this works
on the encrypted volumes. Signatures are NOT checked here; "commands" prints how to check them with ssh-keygen.
Exit codes: 0 whole or repaired, 40 damaged, 41 beyond repair with these drives, 1 nothing to work on.

Written from packtrain/spec.md (cargo format 1), which lies beside this file.
"""

# What JSON says is of any type until it was looked at.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
from __future__ import annotations

import argparse
import hashlib
import json
import operator
import os
import re
import shlex
import stat
import sys
from array import array
from bisect import bisect_right
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Iterator

BLOCK = 1 << 20
MAX_DOCUMENT_BYTES = 64 << 20
MAX_VOLUME_BYTES = 8 << 30
# Of the files that are no volumes these alone may be long: the catalog of a million files, the wheels of a kit.
LONG = ("packtrain/kit/", "packtrain/catalog.sqlite.age")
MAX_LONG_BYTES = 1 << 40
HEX64 = re.compile(r"[0-9a-f]{64}")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
NAME = re.compile(r"[A-Za-z0-9_+][A-Za-z0-9_+.-]*(/[A-Za-z0-9_+][A-Za-z0-9_+.-]*){0,15}")
LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9_+][A-Za-z0-9_+./-]{0,599})")
LISTED = 200


class Trouble(Exception):
    """Something on a drive is not as it has to be; the message is for people."""


# --- XXH3-64, seed 0 (xxHash specification, XXH3) --------------------------------------------------------------------

M64 = (1 << 64) - 1
P32 = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D)
P64 = (0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5)
SECRET = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221b8084674f743248e"
    "e03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8a8fa763fe39c343ff9dcbbc7c70b4f1d8a"
    "51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8f"
    "f8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
# The key of 16 stripes: each stripe starts 8 bytes further in the secret.
TILE = b"".join(SECRET[8 * stripe : 8 * stripe + 64] for stripe in range(16))


def word(data: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(data[at : at + size], "little")


def rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & M64


def fold(a: int, b: int) -> int:
    product = a * b
    return (product & M64) ^ (product >> 64)


def avalanche(h: int) -> int:
    h ^= h >> 37
    h = h * 0x165667919E3779F9 & M64
    return h ^ (h >> 32)


def avalanche64(h: int) -> int:
    h ^= h >> 33
    h = h * P64[1] & M64
    h ^= h >> 29
    h = h * P64[2] & M64
    return h ^ (h >> 32)


def mix16(data: bytes, at: int, secret: int) -> int:
    return fold(word(data, at) ^ word(SECRET, secret), word(data, at + 8) ^ word(SECRET, secret + 8))


def xxh3(data: bytes) -> int:
    """Return XXH3-64 of `data` with seed 0."""
    size = len(data)
    if size > 240:
        return xxh3_long(data)
    if size == 0:
        return avalanche64(word(SECRET, 56) ^ word(SECRET, 64))
    if size <= 3:
        mixed = data[0] << 16 | data[size >> 1] << 24 | data[-1] | size << 8
        return avalanche64(mixed ^ word(SECRET, 0, 4) ^ word(SECRET, 4, 4))
    if size <= 8:
        h = (word(data, size - 4, 4) + (word(data, 0, 4) << 32)) ^ word(SECRET, 8) ^ word(SECRET, 16)
        h ^= rotate(h, 49) ^ rotate(h, 24)
        h = h * 0x9FB21C651E98DF25 & M64
        h ^= (h >> 35) + size
        h = h * 0x9FB21C651E98DF25 & M64
        return h ^ (h >> 28)
    if size <= 16:
        low = word(data, 0) ^ word(SECRET, 24) ^ word(SECRET, 32)
        high = word(data, size - 8) ^ word(SECRET, 40) ^ word(SECRET, 48)
        swapped = int.from_bytes(low.to_bytes(8, "little"), "big")
        return avalanche((size + swapped + high + fold(low, high)) & M64)
    total = size * P64[0]
    if size <= 128:
        for pair in range((size - 1) // 32, -1, -1):
            total += mix16(data, 16 * pair, 32 * pair) + mix16(data, size - 16 * pair - 16, 32 * pair + 16)
        return avalanche(total & M64)
    total = avalanche((total + sum(mix16(data, 16 * i, 16 * i) for i in range(8))) & M64)
    total += sum(mix16(data, 16 * i, 16 * (i - 8) + 3) for i in range(8, size // 16))
    return avalanche((total + mix16(data, size - 16, 119)) & M64)


def words(data: bytes, kind: str) -> Any:
    values = array(kind, data)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def lanes(data: bytes, key: bytes) -> list[list[int]]:
    """Return for each of the 8 lanes what each group of len(key) / 64 stripes adds to it."""
    step = len(key) // 8
    keyed = int.from_bytes(data, "little") ^ int.from_bytes(key * (len(data) // len(key)), "little")
    halves, plain = words(keyed.to_bytes(len(data), "little"), "I"), words(data, "Q")
    result: list[list[int]] = []
    for lane in range(8):
        terms: list[Any] = [
            map(operator.mul, halves[2 * at :: 2 * step], halves[2 * at + 1 :: 2 * step]) for at in range(lane, step, 8)
        ]
        terms += [plain[at::step] for at in range(lane ^ 1, step, 8)]
        result.append(list(map(sum, zip(*terms))))
    return result


def xxh3_long(data: bytes) -> int:
    """XXH3 adds up products that do not depend on the sum so far: so a block's stripes are multiplied in bulk."""
    sums = [P32[2], P64[0], P64[1], P64[2], P64[3], P32[1], P64[4], P32[0]]
    num_blocks = (len(data) - 1) // 1024
    if num_blocks:
        added = lanes(data[: 1024 * num_blocks], TILE)
        for lane in range(8):
            total, key = sums[lane], word(SECRET, 128 + 8 * lane)
            for value in added[lane]:
                total = total + value & M64
                total = (total ^ total >> 47 ^ key) * P32[0] & M64
            sums[lane] = total
    num_stripes = (len(data) - 1 - 1024 * num_blocks) // 64
    last = [(data[-64:], SECRET[121:185])]
    if num_stripes:
        last.append((data[1024 * num_blocks :][: 64 * num_stripes], TILE[: 64 * num_stripes]))
    for piece, key in last:
        for lane, added_last in enumerate(lanes(piece, key)):
            sums[lane] += added_last[0]
    result = len(data) * P64[0]
    for i in range(4):
        first, second = sums[2 * i] & M64, sums[2 * i + 1] & M64
        result += fold(first ^ word(SECRET, 11 + 16 * i), second ^ word(SECRET, 19 + 16 * i))
    return avalanche(result & M64)


# --- The code: GF(2^8) with polynomial 0x11d, Cauchy matrix (specification, section 5) -------------------------------

EXP, LOG = [0] * 510, [0] * 256
power = 1
for exponent in range(255):
    EXP[exponent] = EXP[exponent + 255] = power
    LOG[power] = exponent
    power = power << 1 ^ (0x11D if power & 0x80 else 0)


def product(a: int, b: int) -> int:
    return EXP[LOG[a] + LOG[b]] if a and b else 0


def inverse(a: int) -> int:
    return EXP[255 - LOG[a]]


@lru_cache(maxsize=256)
def times(factor: int) -> bytes:
    """Return the table by which bytes.translate multiplies every byte."""
    return bytes(product(factor, value) for value in range(256))


@lru_cache(maxsize=1024)
def factors(k: int, chosen: tuple[int, ...], wanted: int) -> tuple[int, ...]:
    """Return by what each of the k chosen columns is multiplied to give the wanted one."""
    rows = [[int(i == j) if i < k else inverse(i ^ j) for j in range(k)] for i in chosen]
    wide = [row + [int(i == j) for j in range(k)] for i, row in enumerate(rows)]
    for column in range(k):
        pivot = next(i for i in range(column, k) if wide[i][column])
        wide[column], wide[pivot] = wide[pivot], wide[column]
        scale = inverse(wide[column][column])
        wide[column] = [product(scale, value) for value in wide[column]]
        for i in range(k):
            scale = wide[i][column]
            if i != column and scale:
                wide[i] = [a ^ product(scale, b) for a, b in zip(wide[i], wide[column])]
    if wanted < k:
        return tuple(wide[wanted][k:])
    result = [0] * k
    for j in range(k):
        scale = inverse(wanted ^ j)
        result = [a ^ product(scale, b) for a, b in zip(result, wide[j][k:])]
    return tuple(result)


def combine(scales: tuple[int, ...], blocks: list[bytes], length: int) -> bytes:
    """Return the sum of scaled blocks, `length` bytes long; in little endian a short block is padded by itself."""
    total = 0
    for scale, block in zip(scales, blocks):
        if scale and block:
            piece = block[:length]
            total ^= int.from_bytes(piece if scale == 1 else piece.translate(times(scale)), "little")
    return total.to_bytes(length, "little")


# --- Files of a drive: bounded, below its folder, no links -----------------------------------------------------------


def place(root: str, name: str) -> str:
    """Return the path of a file of a drive. Raises Trouble if the name is not a generated one or a link is in it."""
    path = os.path.join(root, *name.split("/"))
    if len(name) > 600 or NAME.fullmatch(name) is None:
        raise Trouble("not a name that packtrain generates: " + repr(name[:100]))
    if os.path.realpath(path) != os.path.join(os.path.realpath(root), *name.split("/")):
        raise Trouble(name + " is a link, or lies behind one")
    return path


def opened(root: str, name: str) -> Any:
    try:
        descriptor = os.open(
            place(root, name), os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
        )
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Trouble(name + " is not a file")
        return os.fdopen(descriptor, "rb", buffering=0)
    except OSError as error:
        raise Trouble("{} cannot be opened: {}".format(name, error.strerror)) from error


def read_at(stream: Any, offset: int, length: int) -> bytes:
    """Return the bytes there; fewer, or none, where the medium does not give them."""
    try:
        stream.seek(offset)
        pieces = []
        while length:
            piece = stream.read(length)
            if not piece:
                break
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)
    except OSError:
        return b""


def small(root: str, name: str, bound: int = MAX_DOCUMENT_BYTES) -> bytes:
    with opened(root, name) as stream:
        size = os.fstat(stream.fileno()).st_size
        if size > bound:
            raise Trouble(name + " is longer than it can be")
        return read_at(stream, 0, size)


def hash_of(root: str, name: str, bound: int) -> str:
    """Return a file's SHA-256; of one that is longer than it can be, perhaps by a hole of terabytes, nobody waits."""
    state = hashlib.sha256()
    with opened(root, name) as stream:
        need(os.fstat(stream.fileno()).st_size <= bound, name + " is longer than it can be")
        while True:
            try:
                piece = stream.read(BLOCK)
            except OSError as error:
                raise Trouble("{} cannot be read: {}".format(name, error.strerror)) from error
            if not piece:
                return state.hexdigest()
            state.update(piece)


def write(root: str, name: str, pieces: Iterator[bytes], sha256: str) -> None:
    """Write a file whole or not at all: under a temporary name, and renamed only if it has this SHA-256."""
    # Looked at first: making folders follows links, and one on a drive may lead anywhere.
    path, temporary = place(root, name), place(root, name + ".part")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    try:
        if os.path.lexists(temporary):
            os.unlink(temporary)
        state = hashlib.sha256()
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644), "wb") as stream:
            for piece in pieces:
                state.update(piece)
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
        if state.hexdigest() != sha256:
            raise Trouble(name + ": what was rebuilt is not what the documents name; the file was left as it was")
        os.replace(temporary, path)
        folder = os.open(os.path.dirname(path), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    except OSError as error:
        raise Trouble("{} cannot be written: {}".format(os.path.join(root, name), error.strerror)) from error
    finally:
        if os.path.lexists(temporary):
            os.unlink(temporary)


# --- Documents -------------------------------------------------------------------------------------------------------


def integer(text: str) -> int:
    if len(text) > 16:
        raise ValueError("a number of {} digits".format(len(text)))
    return int(text)


def refuse(text: str) -> Any:
    raise ValueError("not an integer: " + text[:20])


def document(root: str, kind: str) -> tuple[dict[str, Any], str]:
    """Return a document and its SHA-256."""
    name = "packtrain/{}.json".format(kind)
    payload = small(root, name)
    try:
        body = json.loads(payload.decode("utf-8"), parse_int=integer, parse_float=refuse, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise Trouble("{} is damaged: {}".format(name, str(error)[:100])) from error
    if not isinstance(body, dict) or (body.get("type"), body.get("version")) != ("packtrain." + kind, 1):
        raise Trouble(name + " is not a document of cargo format 1")
    return body, hashlib.sha256(payload).hexdigest()


def members(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name)
    return value if isinstance(value, list) else []


def need(holds: Any, what: str) -> None:
    if not holds:
        raise Trouble(what)


def is_count(value: Any, bound: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= bound


def matches(pattern: Any, value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


class Rows:
    """Damaged blocks of one volume, as ranges: all of them cost what one does, and every second one 32 KiB at most."""

    def __init__(self) -> None:
        self.firsts, self.ends = array("I"), array("I")

    def add(self, row: int) -> None:
        """Add a row; they come in rising order."""
        if self.ends and self.ends[-1] == row:
            self.ends[-1] = row + 1
        else:
            self.firsts.append(row)
            self.ends.append(row + 1)

    def __contains__(self, row: int) -> bool:
        at = bisect_right(self.firsts, row)
        return at > 0 and row < self.ends[at - 1]

    def __bool__(self) -> bool:
        return len(self.firsts) > 0

    def __str__(self) -> str:
        """Return "3, 7-9"."""
        parts = [(first, end - 1) for first, end in zip(self.firsts[:LISTED], self.ends)]
        text = ", ".join("{}".format(a) if a == b else "{}-{}".format(a, b) for a, b in parts)
        return text + (" and more" if len(self.firsts) > LISTED else "")


class Volume:
    """One volume of a stripe, and what is known of the file here."""

    def __init__(self, body: dict[str, Any], k: int) -> None:
        self.stripe, self.column = int(body["stripe"]), int(body["column"])
        self.uuid = str(body["drive"])
        self.bytes, self.sha256, self.blocks_sha256 = body["bytes"], body["sha256"], body["blocks_sha256"]
        self.name = "data/{:07d}-{:02d}.{}".format(self.stripe, self.column, "tar.age" if self.column < k else "parity")
        self.list_name = "packtrain/blocks/{:07d}-{:02d}.xxh3".format(self.stripe, self.column)
        self.num_blocks = -(-self.bytes // BLOCK)
        self.drive: Drive | None = None
        self.is_whole = self.bytes == 0
        self.is_lost = not self.is_whole
        self.why = "its drive is not here"
        self.bad = Rows()

    def fault(self) -> str:
        """Return what is wrong with it, in words."""
        return "blocks {}".format(self.bad) if self.bad and not self.is_lost else self.why

    def good(self, row: int) -> bool:
        return row >= self.num_blocks or self.is_whole or not (self.is_lost or row in self.bad)

    def length(self, row: int) -> int:
        return min(max(self.bytes - row * BLOCK, 0), BLOCK)


class Group:
    """One group: its document, held against itself."""

    def __init__(self, body: dict[str, Any]) -> None:
        need(is_count(body.get("k"), 255) and is_count(body.get("m"), 254), "group.json: k or m is wrong")
        self.number, self.k, self.m = body.get("group"), body["k"], body["m"]
        self.n = n = self.k + self.m
        drives, volumes = members(body, "drives"), members(body, "volumes")
        need(is_count(self.number, 9999) and self.k and n <= 255, "group.json: numbers are wrong")
        need(all(matches(UUID, uuid) for uuid in drives), "group.json: drives are wrong")
        need(all(isinstance(volume, dict) for volume in volumes), "group.json: volumes are wrong")
        self.drives: list[str] = drives
        need(len(set(drives)) == len(drives) == n, "group.json: not one drive a column")
        need(body.get("num_stripes") == len(volumes) // n and not len(volumes) % n, "group.json: volumes are missing")
        for at, volume in enumerate(volumes):
            stripe, column = divmod(at, n)
            need((volume.get("stripe"), volume.get("column")) == (stripe, column), "group.json: volumes out of order")
            need(volume.get("drive") == drives[(column + stripe) % n], "group.json: a volume on a wrong drive")
            need(is_count(volume.get("bytes"), MAX_VOLUME_BYTES), "group.json: a volume of impossible length")
            need(matches(HEX64, volume.get("sha256")), "group.json: no SHA-256")
            need(matches(HEX64, volume.get("blocks_sha256")), "group.json: no SHA-256 of a block list")
        listed = [Volume(volume, self.k) for volume in volumes]
        self.stripes = [listed[at : at + n] for at in range(0, len(listed), n)]
        for stripe in self.stripes:
            longest = max(volume.bytes for volume in stripe[: self.k])
            need(all(volume.bytes == longest for volume in stripe[self.k :]), "group.json: parity of a wrong length")
        self.labels: dict[str, str] = {}

    def of(self, uuid: str) -> list[Volume]:
        return [volume for stripe in self.stripes for volume in stripe if volume.uuid == uuid and volume.bytes]


class Drive:
    """One drive: its documents as far as they fit each other, and what is wrong with it.

    `groups` has the groups that are known by the SHA-256 of their document: drives of one share one.
    """

    def __init__(self, root: str, groups: dict[str, Group]) -> None:
        self.root = root
        self.name = root
        self.findings: list[str] = []
        self.tags: dict[str, str] = {}
        self.bad_tags: list[str] = []
        self.group: Group | None = None
        self.uuid = ""
        self.group_digest = ""
        self.is_lost = True
        try:
            record, _ = document(self.root, "drive")
            need(matches(LABEL, record.get("label")), "drive.json: no label")
            self.name = "drive " + record["label"]
            # A drive that took the place of another is known to plan and group by the first one's UUID.
            self.uuid = str((members(record, "replaces") or [record.get("uuid")])[0])
            self.group_digest = str(record.get("group_document"))
            self._read_tags(str(record.get("tagmanifest")))
            self.is_lost = False
            self._read_group(str(record.get("plan")), groups)
        except Trouble as trouble:
            self.findings.append(str(trouble))

    def _read_tags(self, digest: str) -> None:
        payload = small(self.root, "tagmanifest-sha256.txt")
        need(
            hashlib.sha256(payload).hexdigest() == digest,
            'tagmanifest-sha256.txt is damaged: "packtrain check --repair" can make it anew, this program cannot',
        )
        for line in payload.decode("ascii", "replace").split("\n")[:-1]:
            match = LINE.fullmatch(line)
            need(match is not None and NAME.fullmatch(match[2]), "tagmanifest-sha256.txt: not a manifest")
            assert match is not None
            self.tags[match[2]] = match[1]

    def _read_group(self, plan_digest: str, groups: dict[str, Group]) -> None:
        # Hashed first: sixty drives have sixty copies, and one is tens of megabytes in memory.
        digest = hashlib.sha256(small(self.root, "packtrain/group.json")).hexdigest()
        need(digest == self.group_digest, "group.json is not the one that drive.json names")
        group = groups.get(digest)
        if group is None:
            body, digest = document(self.root, "group")
            need(digest == self.group_digest, "group.json is not the one that drive.json names")
            group = Group(body)
        need(self.uuid in group.drives, "drive.json: not a drive of its group")
        self.group = groups.setdefault(digest, group)
        plan, digest = document(self.root, "plan")
        need(digest == plan_digest, "plan.json is not the one that drive.json names")
        for planned in members(plan, "drives"):
            uuid, label = (planned.get("uuid"), planned.get("label")) if isinstance(planned, dict) else ("", "")
            if matches(UUID, uuid) and matches(LABEL, label):
                group.labels[str(uuid)] = str(label)

    def check(self) -> None:
        """Hold every tag file and every volume against its SHA-256."""
        for name, sha256 in sorted(self.tags.items()):
            try:
                bound = MAX_LONG_BYTES if name.startswith(LONG) else MAX_DOCUMENT_BYTES
                need(hash_of(self.root, name, bound) == sha256, name + " differs")
            except Trouble as trouble:
                self.bad_tags.append(name)
                self.findings.append(str(trouble))
        for volume in self.group.of(self.uuid) if self.group else []:
            volume.drive, volume.why = self, "differs from its SHA-256"
            try:
                volume.is_whole = hash_of(self.root, volume.name, volume.bytes) == volume.sha256
            except Trouble as trouble:
                volume.why = str(trouble)
            volume.is_lost = not volume.is_whole

    def find_blocks(self) -> None:
        """Find the damaged blocks of damaged volumes by their block lists."""
        for volume in self.group.of(self.uuid) if self.group else []:
            if volume.is_whole:
                continue
            try:
                lines = small(self.root, volume.list_name, 17 * volume.num_blocks)
                need(hashlib.sha256(lines).hexdigest() == volume.blocks_sha256, "its block list is damaged too")
                with opened(self.root, volume.name) as stream:
                    for row in range(volume.num_blocks):
                        block = read_at(stream, row * BLOCK, volume.length(row))
                        listed = lines[17 * row : 17 * row + 16].decode("ascii", "replace")
                        if len(block) != volume.length(row) or "{:016x}".format(xxh3(block)) != listed:
                            volume.bad.add(row)
            except Trouble as trouble:
                volume.why = str(trouble)
                continue
            # Every block fits and the whole does not: altered on purpose, or bytes after its end. None of it is used.
            volume.is_lost = not volume.bad
            volume.why = "altered, or has bytes after its end"


# --- The four verbs --------------------------------------------------------------------------------------------------


def gather(roots: list[str]) -> tuple[list[Drive], list[Group]]:
    """Return the drives, and their groups: drives of one group document share one Group."""
    groups: dict[str, Group] = {}
    drives = [Drive(root, groups) for root in roots]
    seen: set[tuple[str, str]] = set()
    for drive in drives:
        # A drive whose own group.json is damaged is served by that of another one, if its closing record names it.
        drive.group = groups.get(drive.group_digest)
        if drive.group is not None and drive.uuid not in drive.group.drives:
            drive.group = None
        if drive.group is not None and (drive.group_digest, drive.uuid) in seen:
            drive.findings.append("the same drive was given twice; this copy is left aside")
            drive.group, drive.tags, drive.is_lost = None, {}, True
        seen.add((drive.group_digest, drive.uuid))
    return drives, list(groups.values())


def survey(roots: list[str], with_blocks: bool) -> tuple[list[Drive], list[Group], int]:
    """Check all drives and print what was found; return the exit code too."""
    drives, groups = gather(roots)
    with ThreadPoolExecutor(min(len(drives), 64)) as pool:
        list(pool.map(Drive.check, drives))
    if with_blocks:
        for drive in drives:
            drive.find_blocks()
    is_whole = True
    for drive in drives:
        volumes = drive.group.of(drive.uuid) if drive.group else []
        bad = [volume for volume in volumes if not volume.is_whole]
        is_whole = is_whole and not bad and not drive.findings
        say("{}: {} volumes, {} damaged".format(drive.name, len(volumes), len(bad)))
        damaged = ["{}: {}".format(volume.name, volume.fault()) for volume in bad[:LISTED]]
        for line in drive.findings[:LISTED] + damaged:
            say("  " + line)
    lost = 0
    for group in groups:
        beyond = [stripe for stripe in group.stripes if not can_rebuild(group, stripe)]
        lost += len(beyond)
        here = sum(drive.group is group for drive in drives)
        say(
            "group {} ({} + {}): {} of {} drives here; {} of {} stripes can be proven".format(
                group.number, group.k, group.m, here, group.n, len(group.stripes) - len(beyond), len(group.stripes)
            )
        )
    if not groups:
        say("no drive here can be used")
        return drives, groups, 1
    return drives, groups, 41 if lost else 0 if is_whole else 40


def can_rebuild(group: Group, stripe: list[Volume]) -> bool:
    # Fewest are good where some volume begins to be bad, or all of them reach.
    rows = {0}.union(*(volume.bad.firsts for volume in stripe))
    return all(sum(volume.good(row) for volume in stripe) >= group.k for row in rows)


def repair(roots: list[str], onto: str) -> int:
    drives, groups, code = survey(roots, True)
    if not groups:
        return code
    failures = 0
    for group in groups:
        for stripe in group.stripes:
            for volume in stripe:
                # What is rebuilt beside the drives may include the volumes of drives that are not here.
                if volume.is_whole or (volume.drive is None and not onto):
                    continue
                label = group.labels.get(volume.uuid, volume.uuid)
                root = volume.drive.root if not onto and volume.drive else os.path.join(onto, label)
                try:
                    if not is_there(root, volume):
                        write(root, volume.name, rebuilt(group, stripe, volume), volume.sha256)
                    say("drive {}: {} rebuilt".format(label, volume.name))
                    volume.is_whole = not onto
                except Trouble as trouble:
                    failures += 1
                    say("drive {}: {}: {}".format(label, volume.name, trouble))
    if not onto:
        failures += sum(repair_tag_files(drive, drives) for drive in drives)
    failures += sum(drive.is_lost for drive in drives)
    say("{} could not be repaired".format(failures) if failures else "all that was damaged is rebuilt")
    return 41 if failures else 0


def is_there(root: str, volume: Volume) -> bool:
    """Return whether an earlier run rebuilt this volume already."""
    if volume.drive is not None and volume.drive.root == root:
        return False
    try:
        return hash_of(root, volume.name, volume.bytes) == volume.sha256
    except Trouble:
        return False


def rebuilt(group: Group, stripe: list[Volume], wanted: Volume) -> Iterator[bytes]:
    """Yield the blocks of a volume: its own where they are good, else computed from k others."""
    need(can_rebuild(group, stripe), "fewer than {} volumes of its stripe are good".format(group.k))
    streams: dict[int, Any] = {}
    try:
        for row in range(wanted.num_blocks):
            if wanted.good(row):
                chosen = [wanted]
            else:
                # The shortest work first: a column that ended before this row is zeros and need not be read.
                usable = sorted((v for v in stripe if v.good(row)), key=lambda v: v.length(row) > 0)
                chosen = sorted(usable[: group.k], key=lambda v: v.column)
            blocks: list[bytes] = []
            for volume in chosen:
                if volume.length(row) and volume.column not in streams:
                    assert volume.drive is not None
                    streams[volume.column] = opened(volume.drive.root, volume.name)
                block = read_at(streams[volume.column], row * BLOCK, volume.length(row)) if volume.length(row) else b""
                need(len(block) == volume.length(row), volume.name + " could be read before and cannot be read now")
                blocks.append(block)
            if chosen == [wanted]:
                yield blocks[0]
            else:
                scales = factors(group.k, tuple(volume.column for volume in chosen), wanted.column)
                yield combine(scales, blocks, wanted.length(row))
    finally:
        for stream in streams.values():
            stream.close()


def repair_tag_files(drive: Drive, drives: list[Drive]) -> int:
    """Make damaged tag files anew: block lists and manifest from the volumes, others from drives with the same file."""
    failures = 0
    lists = {v.list_name: v for v in drive.group.of(drive.uuid)} if drive.group else {}
    for name in drive.bad_tags:
        sha256 = drive.tags[name]
        try:
            if name in lists and lists[name].is_whole:
                volume = lists[name]
                with opened(drive.root, volume.name) as stream:
                    blocks = (read_at(stream, row * BLOCK, volume.length(row)) for row in range(volume.num_blocks))
                    write(drive.root, name, ("{:016x}\n".format(xxh3(b)).encode("ascii") for b in blocks), sha256)
            elif name == "manifest-sha256.txt" and drive.group:
                volumes = sorted(drive.group.of(drive.uuid), key=lambda v: v.name)
                text = "".join("{}  {}\n".format(volume.sha256, volume.name) for volume in volumes)
                write(drive.root, name, iter([text.encode("ascii")]), sha256)
            else:
                others = [d for d in drives if d.tags.get(name) == sha256 and name not in d.bad_tags]
                need(others, "{}: no other drive here has it".format(name))
                with opened(others[0].root, name) as stream:
                    write(drive.root, name, iter(lambda: stream.read(BLOCK), b""), sha256)
            say("{}: {} made anew".format(drive.name, name))
        except (Trouble, OSError) as trouble:
            failures += 1
            say("{}: {}".format(drive.name, trouble))
    return failures


def commands(roots: list[str], onto: str) -> int:
    drives, groups = gather(roots)
    say("# 1. Signatures. allowed_signers comes from the sender by another way, never from a drive:")
    for drive in drives:
        for kind in ("drive", "plan", "group", "shipment"):
            path = shlex.quote(os.path.join(drive.root, "packtrain", kind + ".json"))
            verify = "ssh-keygen -Y verify -f allowed_signers -I consignor"
            say("{} -n packtrain-{}@v1 -s {}.sig < {}".format(verify, kind, path, path))
    say("# 2. Decrypt and unpack. identity.txt holds the shipment's key, a line AGE-SECRET-KEY-1...:")
    say("mkdir -p restored")
    for group in groups:
        root_of = {drive.uuid: drive.root for drive in drives if drive.group is group}
        for volume in [volume for stripe in group.stripes for volume in stripe[: group.k] if volume.bytes]:
            beside = os.path.join(onto, group.labels.get(volume.uuid, volume.uuid), volume.name)
            path = os.path.join(root_of.get(volume.uuid, ""), volume.name)
            if onto and os.path.isfile(beside):
                path = beside
            elif volume.uuid not in root_of:
                say("# {} is on a drive that is not here; repair --onto DIR makes it anew".format(volume.name))
                continue
            say("age -d -i identity.txt {} | tar -x -C restored -f -".format(shlex.quote(path)))
    say("# 3. Join files that were cut into NAME.000001of000007 and so on: README.txt, step 2")
    return 0 if groups else 1


def say(text: str) -> None:
    # Words may come from a drive: nothing of it is sent to the terminal but printable characters.
    print(
        "".join(c if c.isprintable() else "?" for c in text.encode("ascii", "backslashreplace").decode("ascii")),
        flush=True,
    )


def main(arguments: list[str]) -> int:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=("verify", "damage", "repair", "commands"))
    parser.add_argument("drives", nargs="+", metavar="DRIVE")
    parser.add_argument(
        "--onto", metavar="DIR", help="write rebuilt volumes below DIR/LABEL/data, and nothing on drives"
    )
    given = parser.parse_args(arguments)
    if given.onto:
        target = os.path.realpath(given.onto)
        for root in given.drives:
            if os.path.commonpath([target, os.path.realpath(root)]) == os.path.realpath(root):
                parser.error("--onto must not lie on a drive: " + root)
    if given.verb == "repair":
        return repair(given.drives, given.onto or "")
    if given.verb == "commands":
        return commands(given.drives, given.onto or "")
    return survey(given.drives, given.verb == "damage")[2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
