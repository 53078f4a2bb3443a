"""The end-user statement: what is declared of user and use, and what an end user promises besides by signing it."""

from __future__ import annotations

from typing import get_args

from packtrain.diligence.paper_sources import Item, PaperSources
from packtrain.documents.declaration import Declaration
from packtrain.documents.declared_party import DeclaredParty
from packtrain.documents.full_form import ProhibitedUse
from packtrain.report.papers.goods import dagger_note, serial
from packtrain.report.papers.markup import Html, el
from packtrain.report.papers.sheet import day, facts, page, section, signatures, table

TITLE = "End-user statement"
_NOT_STATED = "not stated"
_UNDERTAKINGS = (
    "The goods, the data and what is trained on it serve the end use above and no other.",
    "They are not passed on, lent, sold or exported to another person, place or country without the written consent of "
    "the consignor and, where the law asks for one, a licence.",
    "Nobody who is not named in the declaration is given access to them, remotely or otherwise.",
    "They serve no weapon, no military or intelligence end use, and no use that a licence is needed for and not held.",
    "The consignor, and the authority that is competent, may verify this on the spot.",
)


def end_user_statement(sources: PaperSources, name: str) -> bytes:
    """Return the end-user statement."""
    declaration = sources.declaration
    assert declaration is not None
    full = declaration.full
    end_user = full.end_user if full is not None else None
    items = [item for item in sources.items() if item.label]
    body = (
        section("End user", _party(end_user) if end_user is not None else el("p", _who(declaration), cls="say")),
        section("For whom the model is trained", _party(declaration.trained_for)),
        section(
            "Goods and use",
            facts(
                (
                    ("End use", declaration.end_use),
                    ("Data", declaration.data.description),
                    ("Site", _site(declaration)),
                    ("Operator of the site", declaration.operator.name),
                    ("Hardware", declaration.hardware_class),
                    ("Consignor", declaration.shipper.name),
                    ("Returns", declaration.returns),
                    ("Data erased", declaration.data.erased_by),
                )
            ),
        ),
        section("Uses that export law names, as declared", el("p", _uses(declaration), cls="say")),
        section(
            "Undertakings of the end user",
            el(
                "p",
                "These are not in the signed declaration. They bind whoever ticks them and signs below.",
                cls="say",
            ),
            el("ul", *(el("li", text) for text in _UNDERTAKINGS)),
            signatures(
                ("For the end user", ("Name and title", "Organisation", "Place and date", "Signature and stamp")),
                ("Witness, or the consignor", ("Name and title", "Organisation", "Place and date", "Signature")),
            ),
        ),
        *_annex(items),
    )
    subtitle = f"On the declaration signed on {day(declaration.signed_on)} ({declaration.form} form)."
    return page(sources, name, TITLE, subtitle, ("declaration", "packing-statement", "customs"), body)


def _party(who: DeclaredParty) -> Html:
    parent = who.ultimate_parent or _NOT_STATED
    if who.parent_country and who.ultimate_parent not in (None, "none"):
        parent += f", {who.parent_country}"
    return facts(
        (
            ("Name", who.name),
            ("Address", f"{who.address}, {who.location}"),
            ("Headquarters", who.headquarters or _NOT_STATED),
            ("Last owner above", parent),
        )
    )


def _who(declaration: Declaration) -> str:
    if declaration.full is None:
        return "The short form of the declaration asks for no end user beside the one for whom the model is trained."
    return "The end user is not stated in the declaration. This statement is worth nothing until it is."


def _site(declaration: Declaration) -> str:
    address = declaration.full.site.address if declaration.full is not None else None
    return f"{address}, {declaration.site_country}" if address else declaration.site_country


def _uses(declaration: Declaration) -> str:
    named = ", ".join(get_args(ProhibitedUse))
    if declaration.full is None:
        return f"Not asked in the short form: {named}."
    uses = declaration.full.prohibited_uses
    if uses is None:
        return f"Not stated, for any of: {named}."
    if uses:
        return f"DECLARED: {', '.join(uses)}."
    return f"The consignor declares that the model is used for none of: {named}."


def _annex(items: list[Item]) -> list[Html]:
    if not items:
        return [section("Annex: the drives", el("p", "No drive is sealed yet.", cls="say"))]
    half = -(-len(items) // 2)
    pairs = zip(items[:half], [*items[half:], None], strict=False)
    rows = [[*_cells(left), *(_cells(right) if right is not None else [""] * 3)] for left, right in pairs]
    columns = (("Item", "n", 12), ("Label, case", "s", 24), ("Serial number", "m", 0))
    return [
        section(
            "Annex: the drives that this statement is about",
            table((*columns, *columns), rows),
            dagger_note(items),
            cls="annex",
        )
    ]


def _cells(item: Item) -> list[str]:
    return [str(item.number), f"{item.label}, {item.case}", serial(item)]
