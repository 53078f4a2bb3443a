"""Writes report.html."""

from __future__ import annotations

from pathlib import Path

from packtrain import durable
from packtrain.report.page import page
from packtrain.report.summary import Summary


def write_page(summary: Summary, path: Path) -> Path:
    """Write the report of a summary to `path`; return it."""
    durable.write_bytes(path, page(summary).encode("utf-8"))
    return path
