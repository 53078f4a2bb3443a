import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.diligence.draft import Draft
from packtrain.documents.toml_text import toml_text

NAMES = st.sampled_from(("a", "name", "same_as", "evidence", "end_use", "b", "c", "d"))
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
SCALARS = TEXTS | st.integers(-(2**63), 2**63 - 1) | st.booleans() | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS | st.lists(TEXTS, max_size=3),
    lambda inner: st.dictionaries(NAMES, inner) | st.lists(st.dictionaries(NAMES, inner), min_size=1, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_written_reads_as_it_was(values: dict[str, Any]) -> None:
    assert tomllib.loads(toml_text(values, {})) == values


@given(st.dictionaries(NAMES, VALUES))
def test_comments_change_nothing(values: dict[str, Any]) -> None:
    comments = {name: 'what "it" = is # [x]' for name in values}

    assert tomllib.loads(toml_text(values, comments)) == values


def test_a_file_looks_as_a_person_writes_it() -> None:
    values = {
        "end_use": 'for "rain"\n',
        "shipper": {"name": "Institute"},
        "carriage": {"legs": [{"country": "NO", "carriers": ["a", "b"]}], "forwarders": "none"},
        "site": {"evidence": [{"what": "lease", "file": "a.pdf"}]},
    }

    assert toml_text(values, {"shipper": "who ships", "shipper.name": "of the party"}) == (
        'end_use = "for \\"rain\\"\\n"\n'
        "\n[shipper]                         # who ships\n"
        'name = "Institute"                # of the party\n'
        '\n[carriage]\nforwarders = "none"\n'
        '\n[[carriage.legs]]\ncountry = "NO"\ncarriers = ["a", "b"]\n'
        '\n[site]\nevidence = [{ what = "lease", file = "a.pdf" }]\n'
    )


def test_a_draft_takes_and_gives_by_path() -> None:
    draft = Draft(b'[site]\naddress = "x"\n[[site.hardware]]\nitem = "first"\n')
    other = draft.copy()

    other.put("site.hardware[1].item", "second")
    other.put("facts.shipper.kind", "company")
    other.take("site.address")
    other.take("site.hardware[0].item")
    other.take("site.hardware[7].item")
    other.take("nowhere.at.all")

    assert other.get("site") == {"hardware": [{}, {"item": "second"}]}
    assert other.get("facts.shipper.kind") == "company"
    assert (draft.num_rows("site.hardware"), other.num_rows("site.hardware")) == (1, 2)
    assert draft.get("site.hardware[1].item") is None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", ""),
        ("todo", ""),
        (" x ", "x"),
        (True, "yes"),
        (False, "no"),
        (0, ""),
        (4, "4"),
        (["a", "b"], "a; b"),
        ([], ""),
    ],
)
def test_an_answer_is_shown_as_it_is_typed(value: object, shown: str) -> None:
    draft = Draft(b"")
    draft.put("data.field", value)

    assert draft.shown("data.field") == shown
