"""What a library says of its own types becomes a sentence about a place, what was expected and what was found."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.documents.mismatch import Mismatch, explain
from packtrain.documents.parties import PublicKeyLine


class Drive(msgspec.Struct, forbid_unknown_fields=True):
    label: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z][0-9]\Z")]
    bays: Annotated[tuple[int, ...], msgspec.Meta(max_length=2)] = ()
    kind: Literal["folder", "block"] | None = None
    note: Annotated[str, msgspec.Meta(max_length=3)] = ""
    share: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5


class Voyage(msgspec.Struct, forbid_unknown_fields=True):
    drives: tuple[Drive, ...]
    sizes: dict[str, int] = {}


def misfit(raw: object) -> Mismatch:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert(raw, Voyage)
    return explain(Voyage, caught.value)


def drive(**fields: object) -> dict[str, Any]:
    return {"drives": [{"label": "A1", **fields}]}


@pytest.mark.parametrize(
    ("raw", "what", "expected", "found"),
    [
        ({}, "drives is missing", None, None),
        ([], "the file as a whole is a list", "a table of fields", "a list"),
        ({"drives": [{}]}, "drives[0].label is missing", None, None),
        ({"drives": 3}, "drives is a whole number", "a list", "a whole number"),
        (drive(label="a1"), "drives[0].label is not written as it must be", "a text of the form [A-Z][0-9]", None),
        (drive(bays=[1, 2, 3]), "drives[0].bays is too long or too short", "a list of length at most 2", None),
        (drive(kind="tape"), "drives[0].kind is none of the known words", "folder, block", "'tape'"),
        (drive(kind=7), "drives[0].kind is a whole number", "a text or nothing", "a whole number"),
        (drive(note="long"), "drives[0].note is too long or too short", "a text of length at most 3", None),
        (drive(share=1.0), "drives[0].share is out of range", "a number, less than 1.0", None),
        (drive(share=0), "drives[0].share is out of range", "a number, more than 0.0", None),
        ({"drives": [], "sizes": {"a": None}}, "sizes[...] is nothing", "a whole number", "nothing"),
    ],
)
def test_a_misfit_is_a_sentence(raw: object, what: str, expected: str | None, found: str | None) -> None:
    told = misfit(raw)

    assert (told.what, told.expected, told.found) == (what, expected, found)


def test_an_unknown_field_is_told_with_those_that_are_known() -> None:
    told = misfit(drive(lable="A1"))

    assert told.what == 'unknown field "lable" in [drives[0]]'
    assert (told.unknown, told.place) == ("lable", "drives[0]")
    assert told.expected == "one of label, bays, kind, note, share"


_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.integers())


@given(st.dictionaries(st.sampled_from(["label", "bays", "kind", "note", "share", "`"]) | st.text(), _VALUES))
def test_no_message_speaks_of_the_librarys_types(fields: dict[str, object]) -> None:
    raw = {"drives": [fields]}
    try:
        msgspec.convert(raw, Voyage)
    except msgspec.ValidationError as error:
        told = explain(Voyage, error)
        if told.unknown is None:
            assert "`" not in told.what
            assert "unknown field" not in told.what
        else:
            # The field's own name is the user's, whatever it holds.
            assert told.what.startswith('unknown field "')
        assert len(told.found or "") <= 80


def test_a_key_with_a_blank_behind_it_is_told_in_words_what_a_key_is() -> None:
    class WithKey(msgspec.Struct):
        reviewer: PublicKeyLine

    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"reviewer": f"ssh-ed25519 {'A' * 68} "}, WithKey)

    assert explain(WithKey, caught.value) == Mismatch(
        "reviewer is not written as it must be",
        '"ssh-ed25519", a space, 68 letters and signs; no comment, no blank behind them',
        None,
        "reviewer",
    )
