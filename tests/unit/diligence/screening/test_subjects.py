from typing import cast

import msgspec

from packtrain.diligence.screening.subjects import subjects_of
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
