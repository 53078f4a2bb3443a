"""Labels to print: one for each drive and one for each case, 100 x 62 mm, black and white, the text also as a QR code.

A label says what a person needs who puts drives into cases, and nothing that helps a thief to choose: no name of the
voyage, no party, no place, no content, unless asked for.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import StageNotReady
from packtrain.record.folder import VoyageFolder

_SHORT: Final = 8
_NO_ROOT: Final = "not closed"
_NO_SERIAL: Final = "not seen yet"
_DRIVES_SHOWN: Final = 24


@dataclass(frozen=True, slots=True)
class Label:
    """One label.

    Attributes:
        kind: "drive" or "case".
        title: what is read from two metres away: "A3".
        place: the line under it: "case A, drive 3 of 15".
        rows: name and value; a value may be long.
        qr_text: all of it as text, a line a fact.
    """

    kind: str
    title: str
    place: str
    rows: tuple[tuple[str, str], ...]
    qr_text: str


def shipment_labels(folder: VoyageFolder, *, with_name: bool = False, with_contact: bool = False) -> list[Label]:
    """Return the labels of a voyage's shipment, case by case: the case's own, then its drives'.

    Before the shipment is closed its root is not known, nor are the serials of drives that were not seen yet.

    Args:
        folder: the voyage.
        with_name: print the voyage's name on each label.
        with_contact: print whom a finder should call, as voyage.toml says.

    Raises:
        StageNotReady: nothing was packed yet; and the errors of `Trust.open`.
    """
    if not folder.has(Plan):
        raise StageNotReady(
            "drives have no UUID before they are packed, so there is nothing to print",
            where=str(folder.root),
            hint='run "packtrain pack" first; labels can be printed while it runs',
        )
    plan = folder.read_signed(Plan)
    shipment = folder.read_signed(Shipment) if folder.has(Shipment) else None
    if shipment is not None and shipment.plan != folder.digest(Plan):
        shipment = None  # of an earlier attempt
    root = folder.digest(Shipment)[:_SHORT] if shipment is not None else _NO_ROOT
    section = folder.voyage_file().voyage
    asked = [("voyage", section.name)] if with_name else []
    # 200 characters: more is no longer read at a glance, and a few kilobytes fit into no QR code at all.
    asked += [("if found", textwrap.shorten(plan.contact or section.contact, 200))] if with_contact else []
    drives = [
        (drive.uuid, drive.label, drive.case, drive.serial or _NO_SERIAL)
        for drive in (shipment.drives if shipment is not None else plan.drives)
    ]
    labels: list[Label] = []
    for number, case in enumerate(plan.cases, 1):
        within = [drive for drive in drives if drive[2] == case]
        place = f"case {number} of {len(plan.cases)}"
        common = [("shipment", plan.shipment[:_SHORT]), ("root", root)]
        names = [label for _, label, _, _ in within]
        labels.append(_label("case", case, place, [*common, (f"{len(within)} drives", _few(names)), *asked]))
        for position, (uuid, label, _, serial) in enumerate(within, 1):
            rows = [*common, ("serial", serial), ("drive", uuid), *asked]
            labels.append(_label("drive", label, f"case {case}, drive {position} of {len(within)}", rows))
    return labels


def write_labels(
    folder: VoyageFolder, path: Path, *, with_name: bool = False, with_contact: bool = False
) -> tuple[Path, list[Label]]:
    """Write the page with all labels; return its path and them. See `shipment_labels`."""
    labels = shipment_labels(folder, with_name=with_name, with_contact=with_contact)
    durable.write_bytes(path, labels_page(labels).encode("utf-8"))
    return path, labels


def labels_page(labels: Sequence[Label]) -> str:
    """Return the page: each label on a page of its own when printed, side by side on a screen."""
    cards = "\n".join(_card(label) for label in labels)
    return (
        "<!doctype html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{len(labels)} labels</title><style>{_CSS}</style></head>'
        f'<body><main>\n<h1 class="how">{len(labels)} labels, 100 × 62 mm, one a page. Print at 100 %, without margins.'
        f"</h1>\n{cards}\n</main></body></html>\n"
    )


def qr_svg(text: str) -> str:
    """Return a QR code as SVG with its quiet zone of four modules, black on white."""
    import segno

    # Level M mends 15 %: a scratch on a label that travels. Micro QR is read by few telephones.
    code = segno.make(text, error="m", micro=False, boost_error=True)
    return code.svg_inline(border=4, omitsize=True, dark="#000", light="#fff", svgclass=None, lineclass=None)


def _label(kind: str, title: str, place: str, rows: Sequence[tuple[str, str]]) -> Label:
    lines = [f"packtrain {kind} {title}", place, *(f"{name} {value}" for name, value in rows)]
    return Label(kind, title, place, tuple(rows), "\n".join(lines))


def _few(names: Sequence[str]) -> str:
    shown = " ".join(names[:_DRIVES_SHOWN])
    return shown if len(names) <= _DRIVES_SHOWN else f"{shown} and {len(names) - _DRIVES_SHOWN} more"


def _card(label: Label) -> str:
    rows = "".join(
        f'<div class="{_size(value)}"><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>'
        for name, value in label.rows
    )
    care = _CARE_DRIVE if label.kind == "drive" else _CARE_CASE
    if label.kind == "case":
        # Known only when the case is closed, and written by hand then.
        rows += "".join(f'<div class="half fill"><dt>{name}</dt><dd></dd></div>' for name in ("seal", "weight, kg"))
    return (
        f'<section class="label {label.kind}"><header><span class="kind">{label.kind}</span>'
        f'<b class="{"long" if len(label.title) > 3 else "short"}">{escape(label.title)}</b>'
        f"<span>{escape(label.place)}</span></header>"
        f'<figure title="{escape(textwrap.shorten(label.qr_text, 200))}">{qr_svg(label.qr_text)}</figure>'
        f"<dl>{rows}</dl><footer>{_SIGNS}<p>{care}</p></footer></section>"
    )


def _size(value: str) -> str:
    """Return the class of a value: two short ones share a line, a UUID (36 signs) fills one, more is set small."""
    return "half" if len(value) <= 12 else "wide" if len(value) <= 24 else "wide small"


_CARE_DRIVE: Final = "Hard drive. Do not drop or open. Let it warm up in its bag before use."
_CARE_CASE: Final = "Hard drives. Do not drop. 5 to 35 °C. Let the case stand in the room before it is opened."

# The three signs that freight handlers know: fragile, this way up, keep dry.
_SIGNS: Final = (
    '<svg viewBox="0 0 76 24" role="img" aria-label="fragile, this way up, keep dry">'
    '<g fill="none" stroke="#000" stroke-width="1.6" stroke-linejoin="round" stroke-linecap="round">'
    '<rect x="1" y="1" width="22" height="22"/><rect x="27" y="1" width="22" height="22"/>'
    '<rect x="53" y="1" width="22" height="22"/>'
    '<path d="M8 4h8l-.8 6a3.2 3.2 0 0 1-6.4 0zM12 13v6M8.5 20h7M13 4l-2 3 2 1.5-1.5 2.5"/>'
    '<path d="M34 17V6M31 9l3-4 3 4M42 17V6M39 9l3-4 3 4M30 20h16"/>'
    '<path d="M56 14a8 7 0 0 1 16 0zM64 14v5a1.8 1.8 0 0 0 3.6 0M64 5v2M58 4l-1 2M70 4l-1 2M64 3.5v0"/>'
    "</g></svg>"
)

_CSS: Final = """
@page { size: 100mm 62mm; margin: 0 }
* { box-sizing: border-box; margin: 0; padding: 0 }
body { font: 9.5pt/1.25 "Liberation Sans", Arial, Helvetica, sans-serif; color: #000; background: #fff }
main { display: flex; flex-wrap: wrap; gap: 5mm; padding: 5mm }
.how { flex: 0 0 100%; font: inherit; color: #444 }
.label { width: 100mm; height: 62mm; padding: 2.5mm 3.5mm 2mm; border: 0.3mm solid #000; overflow: hidden;
  display: grid; grid-template: "head code" auto "facts code" minmax(0, 1fr) "foot foot" auto /
  minmax(0, 1fr) 33mm; column-gap: 1.5mm }
.case { border-width: 1.2mm; padding: 1.6mm 2.6mm 1.1mm }
header { grid-area: head; display: grid; grid-template-columns: auto 1fr; column-gap: 2.5mm; align-items: end;
  border-bottom: 0.5mm solid #000; padding-bottom: 1mm; margin-bottom: 1.2mm }
header b { grid-row: span 2; font-size: 34pt; line-height: 0.85; letter-spacing: -0.02em; order: -1; min-width: 15mm }
header b.long { font-size: 18pt; line-height: 1.3 }
.kind { font-weight: bold; text-transform: uppercase; letter-spacing: 0.12em; font-size: 8pt; align-self: end }
.case .kind { background: #000; color: #fff; justify-self: start; padding: 0.2mm 1.5mm }
header span:last-child { white-space: nowrap }
figure { grid-area: code; align-self: start }
figure svg { display: block; width: 34mm; height: 34mm; margin: -1mm -1mm 0 0; shape-rendering: crispEdges }
dl { grid-area: facts; align-content: start; display: grid; grid-template-columns: 1fr 1fr; gap: 0.6mm 2mm }
.wide { grid-column: span 2 }
dt { font-size: 6.5pt; text-transform: uppercase; letter-spacing: 0.06em; line-height: 1.1 }
dd { font-family: "Liberation Mono", "DejaVu Sans Mono", monospace; font-weight: bold; font-size: 11pt;
  line-height: 1.15; overflow-wrap: anywhere }
.small dd { font-size: 7.5pt } .fill dd { height: 6mm; border-bottom: 0.3mm solid #000 }
footer { grid-area: foot; display: flex; align-items: center; gap: 3mm; border-top: 0.3mm solid #000; padding-top: 1mm }
footer svg { height: 7mm; flex: none } footer p { font-size: 7.5pt }
@media print { .how { display: none } main { display: block; padding: 0 }
  .label { border: 0; break-after: page; break-inside: avoid; margin: 0 } .case { border: 1.2mm solid #000 } }
"""
