"""Sections 8 to 10 of an audit: the verdict of the site, loading and training, what came home."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packtrain.diligence.audit.answers import CameHome, SiteVerdict, Trained
from packtrain.report.audit_words import Block, Rows, Sentences, from_document
from packtrain.units import format_bytes

_MOST_FILES = 200


def site_blocks(verdicts: Sequence[SiteVerdict]) -> Iterator[Block]:
    """Yield each verdict of the operator, the one in force first."""
    if not verdicts:
        yield Sentences(("No admission that can be believed is here: what the site decided is not known.",))
    for verdict in verdicts:
        state = "" if verdict.is_current else ", replaced by a later one"
        own = "; consignor and operator sign with one key: the site judged its own papers" if verdict.own_site else ""
        yield Sentences((f"Verdict {verdict.verdict}, {verdict.decided_on}{state}{own}.",), is_strong=True)
        yield from_document(verdict.told)
        rows = [(check.check, f"{check.outcome}: {check.detail}") for check in verdict.checks]
        rows.append(("drives admitted", ", ".join(verdict.drives) or "none"))
        yield Rows(rows)


def trained_blocks(trained: Trained) -> Iterator[Block]:
    """Yield what documents say of packing, loading and training."""
    nothing = "nothing that is signed says so"
    rows = [("packed", text) for text in trained.packed] or [("packed", nothing)]
    rows += [("loaded", text) for text in trained.loaded] or [("loaded", nothing)]
    rows += [("trained", text) for text in trained.trained] or [("trained", nothing)]
    yield Rows(rows)


def home_blocks(home: CameHome) -> Iterator[Block]:
    """Yield the export list under its two signatures, and every closing record."""
    if home.told is None:
        yield Sentences(("No export list that can be believed is here: as far as it says, nothing came home.",))
    else:
        yield from_document(home.told)
        rows = [
            ("second signature", home.second_signature or "none"),
            ("made on", home.made_on or ""),
            ("in all", f"{format_bytes(home.total_bytes)}; files: {len(home.files)}, tensors: {len(home.tensors)}"),
        ]
        rows += [(file.name, f"{format_bytes(file.bytes)}, sha256 {file.sha256}") for file in home.files[:_MOST_FILES]]
        if len(home.files) > _MOST_FILES:
            rows.append(("and", f"{len(home.files) - _MOST_FILES} more files: --json has all"))
        rows += [("looked for", text) for text in home.checks]
        yield Rows(rows)
    if not home.closings:
        yield Sentences(("No closing record is here: whether keys were destroyed is not known.",))
    for closed in home.closings:
        yield Sentences((f"Closed by the {closed.by}, {closed.closed_on}.",), is_strong=True)
        yield from_document(closed.told)
        yield Rows(
            [
                ("keys destroyed", ", ".join(closed.keys_destroyed) or "none"),
                ("drives", "; ".join(closed.drives) or "none"),
                ("papers kept", f"for {closed.retention_years} years, as stated"),
            ]
        )
