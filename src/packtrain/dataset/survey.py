"""What lies in the sources, before any of it is opened: files by kind, papers, and what no kind reads."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from packtrain.dataset.papers import MAX_PAPER_BYTES
from packtrain.dataset.rejects import Reject
from packtrain.dataset.sources import OddEntry, SourceFile, Sources, add_to_digest, role_of
from packtrain.documents.dataset import Kind
from packtrain.errors import SourceChanged


@dataclass(slots=True)
class Survey:
    """What one walk saw.

    Attributes:
        digest: over names, sizes and times; as `Sources.totals` has it.
        num_files, total_bytes: of the kinds that the recipe takes.
        num_other_kinds: files of kinds that the recipe leaves out.
        papers: licences and credits that travel along.
        unread: files no kind reads, links and what else is no regular file, as rejects.
    """

    digest: str = ""
    num_files: int = 0
    total_bytes: int = 0
    num_other_kinds: int = 0
    papers: list[SourceFile] = field(default_factory=list[SourceFile])
    unread: list[Reject] = field(default_factory=list[Reject])


def survey(sources: Sources, kinds: tuple[Kind, ...]) -> Survey:
    """Return what a walk of the sources finds; see `Sources.walk` for errors."""
    found = Survey()
    state = hashlib.sha256()
    for entry in sources.walk():
        add_to_digest(state, entry)
        if isinstance(entry, OddEntry):
            found.unread.append(_unread(entry.name, entry.reason, 0))
            continue
        role = role_of(entry.name)
        if role == "paper" and entry.size_bytes <= MAX_PAPER_BYTES:
            found.papers.append(entry)
        elif role is None or role == "paper":
            found.unread.append(_unread(entry.name, "not a type that packtrain prepares", entry.size_bytes))
        elif role not in kinds:
            found.num_other_kinds += 1
        else:
            found.num_files += 1
            found.total_bytes += entry.size_bytes
    found.digest = state.hexdigest()
    return found


def files_by_kind(sources: Sources, kinds: tuple[Kind, ...], expected_digest: str) -> Iterator[tuple[Kind, SourceFile]]:
    """Yield each source file with its kind, in a second walk that must see what the first one saw.

    Raises:
        SourceChanged: files came, went or changed between the two.
    """
    state = hashlib.sha256()
    for entry in sources.walk():
        add_to_digest(state, entry)
        if isinstance(entry, SourceFile):
            role = role_of(entry.name)
            if role is not None and role != "paper" and role in kinds:
                yield role, entry
    if state.hexdigest() != expected_digest:
        raise SourceChanged(
            "files came, went or changed while the sources were listed",
            hint="let their writer finish, then run the same command again: finished units are kept",
        )


def _unread(name: str, reason: str, num_bytes: int) -> Reject:
    return Reject(path=name, sha256="", kind="", stage="walk", place="", error=reason, bytes=num_bytes)
