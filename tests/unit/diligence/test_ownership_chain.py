"""Who is behind each party of a declaration: computed from its holdings, held against what was declared, drawn."""

import itertools
import xml.etree.ElementTree as ET
from fractions import Fraction as F
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from document_strategies import documents
from packtrain.diligence.declaration_file import declare_from
from packtrain.diligence.ownership import Holding, walk_up
from packtrain.diligence.ownership_chain import (
    MAX_DRAWN,
    OwnershipChain,
    chain_of_ownership,
    drawn_owners,
    share_text,
)
from packtrain.documents.declaration import Declaration
from packtrain.documents.full_form import DeclaredHolding, DeclaredOwner, OwnerKind
from packtrain.report.ownership_svg import ownership_drawing
from packtrain.report.ownership_tree import ownership_text

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TENANT = "Local Tenant Example Sdn Bhd"
ISLAND = "Island Holdings Example Ltd"


def scenario(name: str) -> Declaration:
    path = SCENARIOS / f"{name}-voyage.declaration.toml"
    return declare_from(path.read_bytes(), "test voyage", path.name, SCENARIOS).declaration


def holding(owner: str | None, owned: str, percent: float, at_most: float | None = None) -> DeclaredHolding:
    low, high = round(percent * 10_000), round((percent if at_most is None else at_most) * 10_000)
    why = None if owner else "nobody would say"
    return DeclaredHolding(owner=owner, owned=owned, low=low, high=high, as_of=None, unknown_because=why, evidence=())


def company(name: str, headquarters: str | None = "SG", kind: OwnerKind = "company") -> DeclaredOwner:
    return DeclaredOwner(name=name, kind=kind, address=None, headquarters=headquarters, evidence=())


def held(*holdings: DeclaredHolding, owners: tuple[DeclaredOwner, ...] = (), **tenant: Any) -> Declaration:
    """Return the reported voyage with other owners of the tenant, and other answers of his."""
    declaration = scenario("reported")
    assert declaration.full is not None and declaration.full.customer is not None
    customer = msgspec.structs.replace(declaration.full.customer, **tenant)
    full = msgspec.structs.replace(declaration.full, holdings=holdings, owners=owners, customer=customer)
    return msgspec.structs.replace(declaration, full=full, receiver=customer)


def customer(declaration: Declaration) -> OwnershipChain:
    return next(chain for chain in chain_of_ownership(declaration) if chain.role == "customer")


# --- the chain ---


def test_the_reported_voyage_ends_in_an_owner_who_is_not_disclosed() -> None:
    chain = customer(scenario("reported"))
    assert [(member.name, member.headquarters) for member in chain.chain] == [(TENANT, "MY"), (ISLAND, "VG")]
    assert (chain.end, chain.agreement, chain.ultimate_parent) == ("undisclosed", "cannot be compared", None)
    assert chain.undisclosed == {ISLAND: F(1)}


def test_treaty_and_public_bodies_have_no_owners_to_declare() -> None:
    chains = chain_of_ownership(scenario("lawful"))
    assert {chain.role for chain in chains} == {"customer", "end_user", "model_owner", "trained_for"}
    assert {(chain.end, chain.agreement) for chain in chains} == {("not applicable", "agrees")}


def test_a_public_body_without_evidence_is_not_taken_for_one() -> None:
    declaration = scenario("lawful")
    assert declaration.full is not None
    parties = tuple(msgspec.structs.replace(row, evidence=()) for row in declaration.full.parties)
    bare = msgspec.structs.replace(declaration, full=msgspec.structs.replace(declaration.full, parties=parties))
    assert {chain.end for chain in chain_of_ownership(bare)} == {"undisclosed"}


def test_a_short_form_asks_no_shares() -> None:
    short = msgspec.structs.replace(scenario("lawful"), form="short", full=None)
    assert chain_of_ownership(short) == ()
    assert ownership_text(short) == ownership_drawing(short) == ""


@pytest.mark.parametrize(
    ("parent", "country", "agreement"),
    [
        ("Top Ltd", "SG", "agrees"),
        ("Top Ltd", "CN", "differs"),
        ("none", None, "differs"),
        (None, None, "cannot be compared"),
    ],
)
def test_the_declared_parent_is_held_against_the_computed_one(
    parent: str | None, country: str | None, agreement: str
) -> None:
    declaration = held(
        holding("Middle Ltd", TENANT, 60),
        holding("Top Ltd", "Middle Ltd", 51),
        holding("Public float", "Top Ltd", 100),
        owners=(company("Middle Ltd"), company("Top Ltd"), company("Public float", None, "dispersed")),
        ultimate_parent=parent,
        parent_country=country,
    )
    chain = customer(declaration)
    assert chain.ultimate_parent is not None and chain.ultimate_parent.name == "Top Ltd"
    assert chain.agreement == agreement
    assert chain.undisclosed == {TENANT: F(4, 10), "Middle Ltd": F(49, 100)}


@pytest.mark.parametrize(
    ("holdings", "end"),
    [
        ((holding("Person", TENANT, 100),), "top"),
        ((holding("Person", TENANT, 50), holding(None, TENANT, 50)), "undisclosed"),
        ((holding("Person", TENANT, 40, 60), holding("Other", TENANT, 40)), "undisclosed"),
        ((holding("Public float", TENANT, 80), holding("Person", TENANT, 20)), "top"),
        ((holding("Other", TENANT, 100), holding(TENANT, "Other", 100)), "cycle"),
        ((holding("Other", TENANT, 100),), "undisclosed"),
        ((holding("Stranger", TENANT, 100),), "undisclosed"),
        ((), "undisclosed"),
    ],
)
def test_where_a_chain_ends(holdings: tuple[DeclaredHolding, ...], end: str) -> None:
    owners = (company("Person", "SG", "person"), company("Other"), company("Public float", None, "dispersed"))
    assert customer(held(*holdings, owners=owners)).end == end


def test_owners_of_more_than_the_whole_are_seen() -> None:
    chain = customer(held(holding("Other", TENANT, 70), holding("Person", TENANT, 70), owners=(company("Other"),)))
    assert chain.overfull == {TENANT: F(14, 10)}


def test_many_small_owners_are_nobodys_majority() -> None:
    held_by = [Holding("float", "A", F(1), F(1))]
    assert walk_up("A", held_by).chain == ("A", "float")
    found = walk_up("A", held_by, dispersed={"float"})
    assert (found.chain, found.end) == (("A",), "top")


@settings(max_examples=15)
@given(documents(Declaration))
def test_no_document_makes_chain_or_drawing_fail(declaration: Declaration) -> None:
    chains = chain_of_ownership(declaration)
    assert len(chains) <= 4
    assert bool(ownership_text(declaration)) == bool(chains)
    if drawing := ownership_drawing(declaration):
        ET.fromstring(drawing)


# --- the drawings ---


def test_the_tree_shows_shares_and_what_is_not_said() -> None:
    declaration = held(
        holding(ISLAND, TENANT, 60),
        holding("B Ltd", TENANT, 10, 25),
        holding("B Ltd", ISLAND, 70),
        holding(None, ISLAND, 30),
        holding(ISLAND, "B Ltd", 100),
        owners=(company(ISLAND, "VG"), company("B Ltd", None)),
        ultimate_parent=None,
    )
    assert ownership_text(declaration).split("\n\n")[0] == (
        f"""\
customer:
  {TENANT} (company, MY)
  ├── 60 % {ISLAND} (company, VG)
  │   ├── 70 % B Ltd (company, headquarters undisclosed)
  │   │   └── 100 % {ISLAND} (company, VG) (drawn above)
  │   └── 30 % undisclosed: nobody would say
  ├── 10 to 25 % B Ltd (company, headquarters undisclosed) (drawn above)
  └── 30 % nobody said
  last owner by shares: none, {ISLAND} is above itself; declared: undisclosed; cannot be compared"""
    )


def test_the_drawing_has_a_box_for_each_owner_and_marks_the_undisclosed() -> None:
    root = ET.fromstring(ownership_drawing(scenario("reported")))
    boxes = [box.get("class") for box in root.iter("{http://www.w3.org/2000/svg}rect")]
    assert boxes == ["party", "box", "dark", "party", "box"]
    words = " ".join("".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "undisclosed: the register of the island is not open" in words
    assert "cannot be compared" in words


def test_a_name_is_text_in_the_drawing_and_one_line_in_the_tree() -> None:
    name = "<script>alert(1)</script>\x1b[2J\n\u202e & Co"
    declaration = held(holding(name, TENANT, 100), owners=(company(name, "SG", "person"),))
    assert "<script>" not in ownership_drawing(declaration)
    assert "\x1b" not in ownership_text(declaration) and "\u202e" not in ownership_text(declaration)
    ET.fromstring(ownership_drawing(declaration))


def test_a_chain_of_thousands_is_drawn_to_a_bound_and_the_rest_counted() -> None:
    names = [TENANT, *(f"C{i}" for i in range(5000))]
    links = [holding(above, below, 100) for below, above in itertools.pairwise(names)]
    declaration = held(*links, owners=tuple(company(name) for name in names[1:]))
    lines = drawn_owners(declaration, TENANT)
    assert len(lines) == MAX_DRAWN
    assert lines[-1].label == "and 4603 more lines"
    ET.fromstring(ownership_drawing(declaration))


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(500_000, 500_000, "50 %"), (333_333, 333_333, "33.3333 %"), (0, 1_000_000, "0 to 100 %"), (1, 1, "0.0001 %")],
)
def test_a_share_is_said_as_exactly_as_it_was_declared(low: int, high: int, text: str) -> None:
    assert share_text(low, high) == text
