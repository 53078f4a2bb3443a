"""Papers: the licences, credits and read-me files of the sources. They travel with the data made from them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.dataset.sources import SourceFile, Sources, slug, suffix_of
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import DataFile

FOLDER: Final = "papers"
MAX_PAPER_BYTES: Final = 4 << 20
_LICENCE: Final = re.compile(r"(licen[cs]e|copying)([._-].*)?", re.IGNORECASE)


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


class Licences:
    """Which licence file holds for a source: of those in its folder, or else in the nearest folder above it.

    Args:
        papers: all papers of the sources, by name.
    """

    def __init__(self, papers: Iterable[str]) -> None:
        self._of_folder: dict[str, list[str]] = {}
        for name in sorted(papers):
            folder, _, file = name.rpartition("/")
            if _LICENCE.fullmatch(file):
                self._of_folder.setdefault(folder, []).append(paper_name(name))

    def of(self, source: str) -> str:
        """Return the names of these licence files in the data set's folder, with spaces between, or "" for none."""
        folder = source
        while folder:
            folder = folder.rpartition("/")[0]
            if folder in self._of_folder:
                return " ".join(self._of_folder[folder])
        return ""
