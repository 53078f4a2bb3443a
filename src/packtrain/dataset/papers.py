"""Papers: the licences, credits and read-me files of the sources. They travel with the data made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.dataset.sources import SourceFile, Sources, slug, suffix_of
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import DataFile

FOLDER: Final = "papers"
MAX_PAPER_BYTES: Final = 4 << 20


def paper_name(name: str) -> str:
    """Return the name of a paper in the data set's folder: readable, and unique by 8 digits of its name's SHA-256."""
    suffix = suffix_of(name)
    stem = name[: -len(suffix) - 1] if suffix else name
    return f"{FOLDER}/{slug(stem)}-{sha256_bytes(name.encode('utf-8'))[:8]}{'.' + suffix if suffix else ''}"


def carry_papers(sources: Sources, papers: list[SourceFile], dataset: Path) -> list[DataFile]:
    """Copy the papers into the data set's folder; return them in the order of their names there.

    Raises:
        SourceChanged: a paper changed since the walk.
        OSError: it cannot be read.
    """
    carried: list[DataFile] = []
    for paper in papers:
        with sources.open(paper) as stream:
            payload = stream.read()
        name = paper_name(paper.name)
        durable.write_bytes(dataset / name, payload)
        carried.append(DataFile(name=name, bytes=len(payload), sha256=sha256_bytes(payload)))
    return sorted(carried, key=lambda file: file.name)
