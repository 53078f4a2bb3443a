"""Writes report.html."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packtrain import durable
from packtrain.record.folder import VoyageFolder
from packtrain.report.page import page
from packtrain.report.summary import Summary, summarize


def write_report(
    folders: Sequence[VoyageFolder], path: Path, *, sentences: Sequence[str] = (), shard_folder: Path | None = None
) -> Path:
    """Write the report over these voyage folders to `path`; return it. See `page` for the arguments."""
    return write_page(summarize(folders), path, sentences=sentences, shard_folder=shard_folder)


def write_page(
    summary: Summary, path: Path, *, sentences: Sequence[str] = (), shard_folder: Path | None = None
) -> Path:
    """Write the report of a summary to `path`; return it. See `page` for the arguments."""
    durable.write_bytes(path, page(summary, sentences, shard_folder).encode("utf-8"))
    return path
