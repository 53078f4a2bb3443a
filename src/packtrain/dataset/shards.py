"""Shards: USTAR files of images or clips, Parquet files of table blocks. The same samples give the same bytes.

A shard's content is laid out from metadata alone (`lay_out`), so the index is written and the shards are distributed
over processes before a byte of media is read; `write_shard` then fills it in and holds every digest against the layout.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import rfc8785

from packtrain import durable
from packtrain.dataset.kinds.registry import KINDS
from packtrain.dataset.part import MAX_SAMPLES, NO_PART, Part
from packtrain.dataset.sources import Sources
from packtrain.dataset.work_units import UnitFolder
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.documents.dataset import Kind, Shard, Split
from packtrain.errors import IntegrityError, SourceChanged

BLOCK_BYTES: Final = 512
END_BYTES: Final = 2 * BLOCK_BYTES
_COPY_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Member:
    """One sample in a shard.

    Attributes:
        key, suffix: the media member's name is KEY.suffix.
        sha256: of the media bytes; for tables of their CSV (not checked here).
        size_bytes: of the media bytes, or of the block as CSV.
        unit, blob_offset: where its bytes are; offset -1: they are the source file.
        source: name of the source.
        text: the JSON member's bytes; empty for tables.
        part, row_group: for tables, where the block lies in the unit's blobs.
    """

    key: str
    suffix: str
    sha256: str
    size_bytes: int
    unit: str
    blob_offset: int
    source: str
    text: bytes
    part: Part = NO_PART
    row_group: int = 0


@dataclass(frozen=True, slots=True)
class ShardLayout:
    """One shard to be: its name below the data set's folder, and its samples in order."""

    name: str
    kind: Kind
    split: Split
    members: tuple[Member, ...]

    @property
    def identity(self) -> str:
        """Return the SHA-256 of all that decides the shard's bytes."""
        state = hashlib.sha256(b"packtrain shard 3\n")
        for member in self.members:
            state.update(f"{member.key} {member.suffix} {member.sha256} {member.size_bytes}\n".encode())
            # The CSV of a block does not say of which types its columns are: the part does.
            state.update(member.text + f"{member.part.sha256} {member.row_group}\n".encode())
        return state.hexdigest()

    @property
    def copied_bytes(self) -> int:
        """Return the shard's length if it is a part as pass 1 left it, with nothing dropped; 0 if it must be made."""
        first = self.members[0]
        is_whole = len(self.members) == first.part.num_blocks and all(
            (member.unit, member.part, member.row_group) == (first.unit, first.part, number)
            for number, member in enumerate(self.members)
        )
        return first.part.num_bytes if is_whole else 0


def lay_out(
    rows: Iterable[Mapping[str, Any]], shard_bytes: int, recipe: str, *, prefix: str = "", in_splits: bool = False
) -> Iterator[dict[str, Any] | ShardLayout]:
    """Yield the index row of each sample, and each shard's layout after the rows of its samples.

    Args:
        rows: kept samples, ordered by kind, split, table and key. A withdrawn one fills its place and is left out: the
            samples after it stay in the shards they are in, and shards without any of it keep their bytes.
        shard_bytes: a shard ends before it would grow past this; one sample that is larger is a shard alone. For tables
            it counts their blocks as CSV.
        recipe: digest for the index.
        prefix: put before shard names in the layouts and not in the index ("miniature/" has its own index).
        in_splits: each split has a folder of its own.
    """
    group: tuple[str, str, str] | None = None
    members: list[Member] = []
    number = at = held_bytes = num_places = 0

    def name() -> str:
        assert group is not None
        return _shard_name(_kind(group[0]), group[1] if in_splits else "", group[2], number)

    def closed() -> Iterator[ShardLayout]:
        if members:
            assert group is not None
            yield ShardLayout(prefix + name(), _kind(group[0]), msgspec.convert(group[1], Split), tuple(members))

    for row in rows:
        member = _member(row)
        is_table = row["kind"] == "table"
        weight = member.size_bytes if is_table else _tar_bytes(member)
        found = (str(row["kind"]), str(row["split"]), str(row["table"]))
        if group != found:
            yield from closed()
            group, members, number, at, held_bytes, num_places = found, [], 0, 0, 0, 0
        elif num_places and (held_bytes + weight > shard_bytes or num_places == MAX_SAMPLES):
            yield from closed()
            members, number, at, held_bytes, num_places = [], number + 1, 0, 0, 0
        held_bytes += weight
        num_places += 1
        if row["withdrawn"]:
            continue
        yield {
            "key": row["key"],
            "kind": row["kind"],
            "split": row["split"],
            "shard": name(),
            "offset": at if is_table else at + BLOCK_BYTES,
            "length": row["num_rows"] if is_table else member.size_bytes,
            "sha256": row["sha256"],
            "source": row["source"],
            "source_sha256": row["source_sha256"],
            "detail": row["detail"],
            "recipe": recipe,
        }
        members.append(member)
        at += row["num_rows"] if is_table else weight
    yield from closed()


@dataclass(frozen=True, slots=True)
class WriteJob:
    """What a worker process needs to write one shard into the data set's folder."""

    layout: ShardLayout
    sources: Sources
    units: UnitFolder
    receipts: Path
    dataset: Path

    @property
    def receipt(self) -> Path:
        """Return where the record of what this shard's name holds now lies."""
        return self.receipts / f"{self.layout.name}.json"


class ShardReceipt(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which layout a shard file was written from, and what came out."""

    identity: str
    shard: Shard


def finished(job: WriteJob) -> Shard | None:
    """Return what is known of a shard that stands already as this layout says, or None."""
    try:
        receipt = msgspec.json.decode(job.receipt.read_bytes(), type=ShardReceipt)
        size_bytes = (job.dataset / job.layout.name).stat().st_size
    except (OSError, msgspec.MsgspecError):
        return None
    return receipt.shard if (receipt.identity, receipt.shard.bytes) == (job.layout.identity, size_bytes) else None


def write_shard(job: WriteJob) -> Shard:
    """Write one shard, whole or not at all, and its receipt; return its document form.

    Raises:
        SourceChanged: a source that is carried as it is has other bytes than when it was read.
        IntegrityError: the media of a unit are not what the unit wrote.
        DriveFull: no space is left.
    """
    path = job.dataset / job.layout.name
    # First, or after a crash between the two writes an older receipt would vouch for other bytes under this name.
    job.receipt.parent.mkdir(parents=True, exist_ok=True)
    job.receipt.unlink(missing_ok=True)
    durable.sync_folder(job.receipt.parent)
    with durable.atomic_writer(path, shared=True) as stream, _Media(job) as media:
        if job.layout.kind == "table":
            _fill_parquet(job.layout, media, stream)
        else:
            _fill_tar(job.layout, media, stream)
    shard = Shard(
        name=job.layout.name,
        kind=job.layout.kind,
        split=job.layout.split,
        bytes=path.stat().st_size,
        sha256=sha256_file(path),
        num_samples=len(job.layout.members),
    )
    receipt = ShardReceipt(identity=job.layout.identity, shard=shard)
    durable.write_bytes(job.receipt, msgspec.json.encode(receipt), shared=True)
    return shard


class _Media:
    """The bytes of members: from units' blobs, or from the sources. One file is open at a time; use it as a context."""

    def __init__(self, job: WriteJob) -> None:
        self._job = job
        self._open: tuple[Path, BinaryIO] | None = None

    def __enter__(self) -> _Media:
        return self

    def __exit__(self, *_: object) -> None:
        if self._open is not None:
            self._open[1].close()

    def pieces(self, member: Member) -> Iterator[bytes]:
        """Yield a member's bytes; their number is what the layout says, or it raises."""
        is_source = member.blob_offset < 0
        path = self._job.sources.path_of(member.source) if is_source else self._job.units.blobs(member.unit)
        try:
            stream = self._stream(path)
            stream.seek(max(member.blob_offset, 0))
            left = member.size_bytes
            while left and (piece := stream.read(min(left, _COPY_BYTES))):
                left -= len(piece)
                yield piece
        except OSError as error:
            raise self.differs(member, error.strerror or str(error)) from error
        if left or (is_source and stream.read(1)):
            raise self.differs(member, "another length")

    def blobs(self, unit: str) -> BinaryIO:
        """Return the blobs of a unit, open, at any position.

        Raises:
            OSError: they are not there.
        """
        return self._stream(self._job.units.blobs(unit))

    def differs(self, member: Member, found: str) -> SourceChanged | IntegrityError:
        """Return the error for bytes that are not those the unit's receipt speaks of."""
        expected = f"the {member.size_bytes} bytes that were read before"
        if member.blob_offset < 0:
            return SourceChanged(
                "source file changed after it was read",
                where=str(self._job.sources.path_of(member.source)),
                expected=expected,
                found=found,
                hint="let its writer finish, then run the same command again: finished units are kept",
            )
        path = self._job.units.blobs(member.unit)
        return IntegrityError(
            "media of a finished unit changed on disk",
            where=str(path),
            expected=expected,
            found=found,
            hint=f"check this disk; then delete {path.parent} and run the same command again",
        )

    def _stream(self, path: Path) -> BinaryIO:
        if self._open is None or self._open[0] != path:
            if self._open is not None:
                self._open[1].close()
            # O_NONBLOCK: what was a file when it was read may be a pipe now, which nobody writes to. It reads as empty.
            self._open = path, os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
        return self._open[1]


def _fill_tar(layout: ShardLayout, media: _Media, stream: BinaryIO) -> None:
    for member in layout.members:
        stream.write(tar_header(f"{member.key}.{member.suffix}", member.size_bytes))
        state = hashlib.sha256()
        for piece in media.pieces(member):
            state.update(piece)
            stream.write(piece)
        if state.hexdigest() != member.sha256:
            raise media.differs(member, f"digest {state.hexdigest()[:12]}")
        stream.write(_padding(member.size_bytes))
        stream.write(tar_header(f"{member.key}.json", len(member.text)) + member.text + _padding(len(member.text)))
    stream.write(bytes(END_BYTES))


def _fill_parquet(layout: ShardLayout, media: _Media, stream: BinaryIO) -> None:
    if layout.copied_bytes:
        _copy_part(layout.members[0], media, stream)
    else:
        _fill_from_parts(layout.members, media, stream)


def _copy_part(first: Member, media: _Media, stream: BinaryIO) -> None:
    from packtrain.dataset.table_parts import window_of

    state = hashlib.sha256()
    try:
        part = window_of(media.blobs(first.unit), first.part)
        while piece := part.read(_COPY_BYTES):
            state.update(piece)
            stream.write(piece)
    except OSError as error:
        raise media.differs(first, error.strerror or str(error)) from error
    if state.hexdigest() != first.part.sha256:
        raise media.differs(first, "other bytes")


def _fill_from_parts(members: Iterable[Member], media: _Media, stream: BinaryIO) -> None:
    import pyarrow as pa

    from packtrain.dataset.kinds.blocks import csv_of
    from packtrain.dataset.table_parts import PartReader, block_writer, write_block

    writer: Any = None
    reader: tuple[str, Part, PartReader] | None = None
    try:
        for member in members:
            try:
                if reader is None or reader[:2] != (member.unit, member.part):
                    reader = member.unit, member.part, PartReader(media.blobs(member.unit), member.part)
                block = reader[2].block(member.row_group)
            except pa.ArrowException as error:
                raise media.differs(member, "no table") from error
            except OSError as error:
                raise media.differs(member, error.strerror or "no table") from error
            if sha256_bytes(csv_of(block)) != member.sha256:
                raise media.differs(member, "other rows")
            writer = writer or block_writer(stream, block)
            write_block(writer, block)
    finally:
        if writer is not None:
            writer.close()


def tar_header(name: str, size_bytes: int) -> bytes:
    """Return the 512 bytes of a USTAR header that says nothing but name and length.

    Not the header of volumes: those hold device numbers as zeros in octal, and here the field is empty. Both are what
    POSIX allows, and either change would give every data set or every volume other digests.

    Source:
        POSIX.1-2017, pax, "ustar Interchange Format".
    """
    raw = name.encode("ascii")
    assert len(raw) <= 100 and 0 <= size_bytes < 8**11, (name, size_bytes)
    header = bytearray(BLOCK_BYTES)
    header[0 : len(raw)] = raw
    header[100:108] = b"0000644\0"
    header[108:116] = header[116:124] = b"0000000\0"
    header[124:136] = b"%011o\0" % size_bytes
    header[136:148] = b"00000000000\0"  # 1970: a time of writing would make every rebuild differ
    header[148:156] = b" " * 8
    header[156:157] = b"0"
    header[257:265] = b"ustar\x0000"
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header)


def _member(row: Mapping[str, Any]) -> Member:
    is_table = row["kind"] == "table"
    text = b""
    if not is_table:
        detail = msgspec.json.decode(row["detail"])
        about = {name: row[name] for name in ("key", "kind", "sha256", "source", "source_sha256")}
        text = rfc8785.dumps({**detail, **about})
    return Member(
        key=row["key"],
        suffix=row["suffix"],
        sha256=row["sha256"],
        size_bytes=row["blob_bytes"],
        unit=row["unit"],
        blob_offset=row["blob_offset"],
        source=row["source"],
        text=text,
        part=_part(row) if is_table else NO_PART,
        row_group=row["row_group"] if is_table else 0,
    )


def _shard_name(kind: Kind, split: str, table: str, number: int) -> str:
    folder = f"shards/{split}" if split else "shards"
    spec = KINDS[kind]
    if spec.shard_form == "parquet":
        return f"{folder}/{spec.plural}/{table}-{number:06d}.parquet"
    return f"{folder}/{spec.plural}-{number:06d}.tar"


def _part(row: Mapping[str, Any]) -> Part:
    return Part(row["blob_offset"], row["part_bytes"], row["part_sha256"], row["part_blocks"])


def _kind(name: str) -> Kind:
    return msgspec.convert(name, Kind)


def _tar_bytes(member: Member) -> int:
    texts = len(member.text) + len(_padding(len(member.text)))
    return 2 * BLOCK_BYTES + member.size_bytes + len(_padding(member.size_bytes)) + texts


def _padding(size_bytes: int) -> bytes:
    return bytes(-size_bytes % BLOCK_BYTES)
