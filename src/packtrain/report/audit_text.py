"""An audit as text: plain words, every value of a stranger on one line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from packtrain.diligence.audit.answers import Audit
from packtrain.report.audit_sections import sections
from packtrain.report.audit_words import Rows
from packtrain.report.ownership_tree import one_line, ownership_text

_COLUMNS: Final = 100
_WIDEST_NAME: Final = 24


def audit_text(audit: Audit) -> str:
    """Return the audit as text, with the owners drawn as trees."""
    ownership = ownership_text(audit.declaration) if audit.declaration is not None else ""
    parts: list[str] = []
    for section in sections(audit):
        lines = [section.title, "=" * len(section.title)]
        for block in section.blocks:
            if isinstance(block, Rows):
                lines += _rows(block.rows)
            else:
                for line in block.lines:
                    lines += _wrapped(one_line(line), "", "  ")
        if section.has_drawing and ownership:
            lines += ["", ownership]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _rows(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    width = min(_WIDEST_NAME, max((len(one_line(name)) for name, _ in rows), default=0))
    for name, value in rows:
        name = one_line(name)
        head = f"  {name:<{width}}  "
        if len(name) > width:
            yield f"  {name}"
            head = " " * (width + 4)
        yield from _wrapped(one_line(value), head, " " * (width + 4))


def _wrapped(text: str, first: str, then: str) -> list[str]:
    # A digest or a path stays whole: it is copied and pasted.
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=first,
        subsequent_indent=then,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
