from pathlib import Path
from typing import cast

import msgspec

from packtrain.diligence.screening.subjects import subjects_of
from packtrain.documents.codec import decode
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from sample_documents import samples

DECLARATION = cast("Declaration", samples()[Declaration])
STATEMENT = cast("PackingStatement", samples()[PackingStatement])


def test_every_party_is_asked_about_by_name_and_by_address() -> None:
    places = {subject.place: subject for subject in subjects_of(DECLARATION)}

    for role in ("shipper", "receiver", "operator", "trained_for"):
        assert places[f"{role}.name"].kind == "unknown"
        assert (places[f"{role}.address"].kind, places[f"{role}.address"].country) == ("address", "DE")


def test_a_parent_is_asked_about_and_none_and_undisclosed_are_nobody() -> None:
    parents = {"shipper": "Velmora Holding", "receiver": "none", "operator": None}
    changed = {
        role: msgspec.structs.replace(getattr(DECLARATION, role), ultimate_parent=parent)
        for role, parent in parents.items()
    }

    found = subjects_of(msgspec.structs.replace(DECLARATION, **changed))

    assert [subject.text for subject in found if subject.field == "ultimate_parent"] == ["Velmora Holding"]


def test_carriers_of_the_packing_statement_are_asked_about() -> None:
    fields = {
        subject.field: subject.text for subject in subjects_of(DECLARATION, STATEMENT) if "packing" in subject.role
    }

    assert fields == {"carrier": STATEMENT.cases[0].carrier}


def test_words_that_name_nobody_are_not_asked_about() -> None:
    texts = {subject.text for subject in subjects_of(DECLARATION, STATEMENT)}

    assert DECLARATION.end_use not in texts
    assert DECLARATION.hardware_class not in texts
    assert DECLARATION.voyage not in texts


def test_owners_directors_carriers_and_the_site_of_the_full_form_are_asked_about() -> None:
    path = Path(__file__).parents[3] / "scenarios" / "reported-voyage.declaration.json"
    found = {subject.place: subject for subject in subjects_of(decode(Declaration, path.read_bytes(), path.name))}

    for place in ("full.holdings[1].owner", "full.carriers[3].name", "full.carriers[0].acts_for", "full.end_user.name"):
        assert place in found
    assert found["full.parties[0].directors[1]"].kind == "person"
    assert found["full.site.address"].kind == "address"
    assert found["full.parties[1].formed_at_request_of"].text == found["operator.name"].text
