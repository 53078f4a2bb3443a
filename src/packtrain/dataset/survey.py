"""What lies in the sources, before any of it is opened: a manifest of files by kind, papers, and what no kind reads.

The manifest is a file: ten million sources are listed, sliced and counted without being held in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from packtrain.dataset.papers import MAX_PAPER_BYTES
from packtrain.dataset.rejects import Reject
from packtrain.dataset.sources import OddEntry, SourceFile, Sources, add_to_digest, role_of
from packtrain.documents.dataset import Kind

MANIFEST: Final = "manifest.parquet"
UNREAD: Final = "unread.parquet"
_MOST_PAPERS: Final = 10_000  # they are held in memory; a licence beside every picture is data, not a paper
_NAMED: Final = 3
_BATCH_ROWS: Final = 8192


@dataclass(slots=True)
class Survey:
    """What one walk saw.

    Attributes:
        folder: where manifest.parquet (files of the kinds that the recipe takes, in the order of the walk) and
            unread.parquet (files no kind reads, links and what else is no regular file, as rejects) lie.
        digest: over names, sizes and times; as `Sources.totals` has it.
        num_files, total_bytes: in the manifest; `num_of_kind` and `bytes_of_kind` by kind.
        num_other_kinds: files of kinds that the recipe leaves out.
        num_withdrawn: files that were withdrawn; they are not in the manifest.
        papers: licences and credits that travel along.
        num_unread, first_unread: how many rows unread.parquet has, and the first names in it.
    """

    folder: Path
    digest: str = ""
    num_files: int = 0
    total_bytes: int = 0
    num_of_kind: dict[Kind, int] = field(default_factory=dict[Kind, int])
    bytes_of_kind: dict[Kind, int] = field(default_factory=dict[Kind, int])
    num_other_kinds: int = 0
    num_withdrawn: int = 0
    papers: list[SourceFile] = field(default_factory=list[SourceFile])
    num_unread: int = 0
    first_unread: list[str] = field(default_factory=list[str])

    def files(self) -> Iterator[tuple[Kind, SourceFile]]:
        """Yield each source file with its kind, in the order of the walk."""
        import pyarrow.parquet as pq

        with contextlib.closing(pq.ParquetFile(self.folder / MANIFEST)) as manifest:
            for batch in manifest.iter_batches(_BATCH_ROWS):
                columns = [batch.column(name).to_pylist() for name in ("kind", "path", "bytes", "mtime_ns")]
                for kind, name, size_bytes, mtime_ns in zip(*columns, strict=True):
                    yield kind, SourceFile(name, size_bytes, mtime_ns)

    def unread(self) -> Iterator[Reject]:
        """Yield what no kind reads, in the order of the walk."""
        import pyarrow.parquet as pq

        with contextlib.closing(pq.ParquetFile(self.folder / UNREAD)) as table:
            for batch in table.iter_batches(_BATCH_ROWS):
                for row in batch.to_pylist():
                    yield msgspec.convert(row, Reject)


def survey(sources: Sources, kinds: tuple[Kind, ...], folder: Path, withdrawn: frozenset[str] = frozenset()) -> Survey:
    """Walk the sources once and return what was seen; see `Sources.walk` for errors.

    Args:
        sources: where to look.
        kinds: those that the recipe takes.
        folder: where the manifest goes.
        withdrawn: names of sources that are passed over.
    """
    from packtrain.dataset.index import MANIFEST_SCHEMA, REJECT_SCHEMA
    from packtrain.dataset.rows import row_writer

    found = Survey(folder)
    state = hashlib.sha256()
    with (
        row_writer(folder / MANIFEST, MANIFEST_SCHEMA) as manifest,
        row_writer(folder / UNREAD, REJECT_SCHEMA) as unread,
    ):

        def leave(name: str, reason: str, num_bytes: int) -> None:
            found.num_unread += 1
            if len(found.first_unread) < _NAMED:
                found.first_unread.append(name)
            reject = Reject(path=name, sha256="", kind="", stage="walk", place="", error=reason, bytes=num_bytes)
            unread.add(msgspec.structs.asdict(reject))

        for entry in sources.walk():
            add_to_digest(state, entry)
            if isinstance(entry, OddEntry):
                leave(entry.name, entry.reason, 0)
                continue
            role = role_of(entry.name)
            if entry.name in withdrawn:
                found.num_withdrawn += 1
            elif role == "paper" and entry.size_bytes <= MAX_PAPER_BYTES and len(found.papers) < _MOST_PAPERS:
                found.papers.append(entry)
            elif role is None or role == "paper":
                leave(entry.name, "not a type that packtrain prepares", entry.size_bytes)
            elif role not in kinds:
                found.num_other_kinds += 1
            else:
                found.num_files += 1
                found.total_bytes += entry.size_bytes
                found.num_of_kind[role] = found.num_of_kind.get(role, 0) + 1
                found.bytes_of_kind[role] = found.bytes_of_kind.get(role, 0) + entry.size_bytes
                manifest.add({"path": entry.name, "kind": role, "bytes": entry.size_bytes, "mtime_ns": entry.mtime_ns})
    found.digest = state.hexdigest()
    return found
