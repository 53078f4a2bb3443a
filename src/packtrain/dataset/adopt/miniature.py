"""A true subset of adopted shards, as small shards: for each shard that has a chosen sample a new one of the same name.

This is the one place where bytes of adopted shards are copied: some dozens of samples, for the rehearsal.
"""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import rfc8785

from packtrain import durable
from packtrain.dataset.adopt.layout import AdoptedLayout, LaidShard, index_row
from packtrain.dataset.shards import BLOCK_BYTES, END_BYTES, tar_header
from packtrain.dataset.sources import SourceFile, Sources
from packtrain.dataset.unit_reader import MAX_MEMBER_BYTES
from packtrain.digest import sha256_file
from packtrain.documents.dataset import Kind, Shard
from packtrain.errors import IntegrityError

_COPY_BYTES: Final = 1 << 20
_MAX_SUFFIX: Final = 24  # with the longest key a name that fits a USTAR header


def fits(row: Mapping[str, Any]) -> bool:
    """Return whether a sample can stand in a miniature: a USTAR header has no place for 8 GiB."""
    return row["kind"] == "table" or row["blob_bytes"] <= MAX_MEMBER_BYTES


def write_small_shards(
    rows: Sequence[Mapping[str, Any]], layout: AdoptedLayout, sources: Sources, dataset: Path, prefix: str, recipe: str
) -> Iterator[tuple[Shard, list[dict[str, Any]]]]:
    """Write the chosen samples; yield each small shard with the index rows of its samples, in the order of the rows.

    Args:
        rows: chosen samples, those of a shard and kind together.
        layout: of the data set.
        sources: where the shards are.
        dataset: the data set's folder.
        prefix: put before the names of the files, and not in the index.
        recipe: digest for the index.

    Raises:
        SourceChanged: a shard is not what was read.
        IntegrityError: it has other bytes at the place of a sample.
        DriveFull: no space is left.
    """
    by_source: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_source.setdefault(row["source"], []).append(row)
    for source, chosen in by_source.items():
        shard = layout.of(source)
        path = dataset / (prefix + shard.name)
        file = SourceFile(source, shard.bytes, shard.mtime_ns)
        with sources.open(file) as stream, durable.atomic_writer(path) as target:
            if shard.name.endswith(".parquet"):
                index = list(_copy_groups(chosen, shard, stream, target, recipe))
            else:
                index = list(_copy_samples(chosen, shard, stream, target, recipe))
        document = Shard(
            name=prefix + shard.name,
            kind=_kind_of(chosen),
            split=shard.split,
            bytes=path.stat().st_size,
            sha256=sha256_file(path),
            num_samples=len(chosen),
        )
        yield document, index


def _copy_samples(
    chosen: Iterable[Mapping[str, Any]], shard: LaidShard, stream: BinaryIO, target: BinaryIO, recipe: str
) -> Iterator[dict[str, Any]]:
    """Write each sample with all its members, media first; yield index rows."""
    at = 0
    for row in chosen:
        detail = msgspec.json.decode(row["detail"])
        members: dict[str, list[int]] = detail["members"]
        places: dict[str, list[int]] = {}
        media = detail["suffix"] if _is_plain(detail["suffix"]) else row["suffix"]
        own = [(media, row["blob_offset"], row["blob_bytes"])]
        others = [(name, *place) for name, place in sorted(members.items(), key=lambda each: each[1])]
        for suffix, offset, size_bytes in itertools.chain(own, others):
            is_media = (suffix, offset) == own[0][:2]
            if not is_media and (size_bytes > MAX_MEMBER_BYTES or not _is_plain(suffix)):
                continue
            target.write(tar_header(f"{row['key']}.{suffix}", size_bytes))
            state = hashlib.sha256()
            for piece in _pieces(stream.fileno(), offset, size_bytes, shard):
                state.update(piece)
                target.write(piece)
            if is_media and state.hexdigest() != row["sha256"]:
                raise _differs(shard, row["key"])
            places[suffix] = [at + BLOCK_BYTES, size_bytes]
            target.write(bytes(-size_bytes % BLOCK_BYTES))
            at += BLOCK_BYTES + size_bytes + -size_bytes % BLOCK_BYTES
        offset, length = places.pop(media)
        about = {**detail, "suffix": media, "members": places}
        yield index_row(row, shard, offset, length, rfc8785.dumps(about).decode("utf-8"), recipe)
    target.write(bytes(END_BYTES))


def _copy_groups(
    chosen: Iterable[Mapping[str, Any]], shard: LaidShard, stream: BinaryIO, target: BinaryIO, recipe: str
) -> Iterator[dict[str, Any]]:
    """Write each row group as one row group; yield index rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from packtrain.dataset.rows import parquet_writer

    first_row = 0
    try:
        with (
            pq.ParquetFile(stream, page_checksum_verification=True) as reader,
            parquet_writer(target, reader.schema_arrow) as writer,
        ):
            for row in chosen:
                detail = msgspec.json.decode(row["detail"])
                block = reader.read_row_group(detail["row_group"], use_threads=False)
                writer.write_table(block, row_group_size=block.num_rows)
                about = rfc8785.dumps({**detail, "first_row": first_row}).decode("utf-8")
                yield index_row(row, shard, first_row, block.num_rows, about, recipe)
                first_row += block.num_rows
    except pa.ArrowException as error:
        raise _differs(shard, "row groups") from error


def _kind_of(chosen: Sequence[Mapping[str, Any]]) -> Kind:
    kinds = [str(row["kind"]) for row in chosen]
    return msgspec.convert(max(sorted(set(kinds)), key=kinds.count), Kind)


def _is_plain(suffix: str) -> bool:
    return 0 < len(suffix) <= _MAX_SUFFIX and suffix.isascii() and suffix.isprintable() and " " not in suffix


def _pieces(descriptor: int, offset: int, size_bytes: int, shard: LaidShard) -> Iterator[bytes]:
    left = size_bytes
    while left:
        piece = os.pread(descriptor, min(left, _COPY_BYTES), offset + size_bytes - left)
        if not piece:
            raise _differs(shard, "its end")
        left -= len(piece)
        yield piece


def _differs(shard: LaidShard, what: str) -> IntegrityError:
    return IntegrityError(
        "adopted shard has other bytes than when it was read",
        where=f"{shard.source}, {what}",
        hint='check the disk it lies on, touch the file, and run "packtrain prepare" again',
    )
