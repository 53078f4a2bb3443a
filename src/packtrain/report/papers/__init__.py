"""Papers to print, made of the signed documents: they say the same, because they are made from the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from packtrain.diligence.paper_sources import CUSTODY, PaperSources, RenderedPapers
from packtrain.report.papers.ata import ata_general_list
from packtrain.report.papers.custody import chain_of_custody
from packtrain.report.papers.end_user import end_user_statement
from packtrain.report.papers.invoice import invoice
from packtrain.report.papers.packing_list import packing_list
from packtrain.report.papers.sanitisation import sanitisation_certificate
from packtrain.report.papers.seals import seal_record

_PAPERS: Final[tuple[tuple[str, tuple[str, ...], Callable[[PaperSources, str], bytes]], ...]] = (
    ("pro-forma-invoice.html", ("packing-statement", "customs"), invoice),
    ("packing-list.html", ("packing-statement", "customs"), packing_list),
    ("ata-general-list.html", ("packing-statement", "customs"), ata_general_list),
    ("seal-record.html", ("packing-statement",), seal_record),
    ("chain-of-custody.html", ("packing-statement", CUSTODY), chain_of_custody),
    ("end-user-statement.html", ("declaration",), end_user_statement),
    ("sanitisation-certificate.html", ("shipment", "closing"), sanitisation_certificate),
)
"""File name, the documents without which it cannot be made, and what makes it."""


def render(sources: PaperSources) -> RenderedPapers:
    """Return every paper that can be made of these documents, and why the others cannot."""
    pages: dict[str, bytes] = {}
    not_yet: dict[str, str] = {}
    for name, needs, make in _PAPERS:
        why = next((why for kind in needs if (why := sources.why_not(kind)) is not None), None)
        if why is None:
            pages[name] = make(sources, name)
        else:
            not_yet[name] = why
    return RenderedPapers(pages, not_yet)
