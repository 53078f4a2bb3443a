"""An audit as one HTML file: no script, no network, no external font; every word of a stranger escaped."""

from __future__ import annotations

from html import escape
from pathlib import Path

from packtrain import durable
from packtrain.diligence.audit.answers import Audit
from packtrain.errors import DossierError, RecordFaulty
from packtrain.report.audit_sections import Section, sections
from packtrain.report.audit_words import Block, Rows
from packtrain.report.ownership_svg import ownership_drawing
from packtrain.report.ownership_tree import one_line
from packtrain.report.pieces import STYLE, whole_page

# A document of an archive is called by its digest: a name that may not be broken would leave its row no room. On a
# telephone the value stands below the name.
_STYLE = (
    "td:first-child{color:var(--dim);min-width:8rem;max-width:24rem}td{overflow-wrap:anywhere}p.strong{font-weight:600}"
    "@media(max-width:40rem){td,td:first-child{display:block;max-width:none;padding-right:0}"
    "td:first-child{border:0;padding-bottom:0}td+td{padding-top:0}}"
)


def audit_page(audit: Audit) -> str:
    """Return the audit as HTML: the same sections as the text, the owners as a drawing."""
    state = {0: "admit", RecordFaulty.exit_code: "refuse"}.get(audit.verdict.exit_code, "hold")
    title = _text(f"Audit of {audit.voyage or audit.source}")
    body = "".join(_section(section, audit) for section in sections(audit))
    return whole_page(
        title,
        STYLE + _STYLE,
        f'<h1>{title}</h1><p class="lead"><span class="{state}">{_text(audit.verdict.sentence)}.</span></p>{body}'
        f'<p class="dim">Made by packtrain from the record alone. {_text(audit.legal)}</p>',
    )


def write_audit_page(audit: Audit, path: Path) -> None:
    """Write the page.

    Raises:
        DossierError: it would lie in the dossier, or among the documents, that it is about.
        DriveFull: no space is left.
    """
    source = Path(audit.source).resolve()
    inside = source / "documents" if audit.form == "voyage folder" else source
    if path.resolve().is_relative_to(inside):
        raise DossierError(
            "the page of an audit does not belong into the record",
            where=str(path),
            expected="a file elsewhere",
            hint="a record is not changed by looking at it: name another folder",
        )
    durable.write_bytes(path, audit_page(audit).encode("utf-8"))


def _section(section: Section, audit: Audit) -> str:
    drawing = ""
    if section.has_drawing and audit.declaration is not None and (svg := ownership_drawing(audit.declaration)):
        # On white: the drawing has colours of its own, for paper.
        drawing = f'<div class="drawing" style="background:#fff">{svg}</div>'
    blocks = "".join(map(_block, section.blocks))
    return f"<section><h2>{_text(section.title)}</h2>{blocks}{drawing}</section>"


def _block(block: Block) -> str:
    if isinstance(block, Rows):
        rows = "".join(f"<tr><td>{_text(name)}</td><td>{_text(value)}</td></tr>" for name, value in block.rows)
        return f'<div class="wide"><table><tbody>{rows}</tbody></table></div>'
    mark = ' class="strong"' if block.is_strong else ""
    return "".join(f"<p{mark}>{_text(line)}</p>" for line in block.lines)


def _text(text: str) -> str:
    return escape(one_line(text), quote=True)
