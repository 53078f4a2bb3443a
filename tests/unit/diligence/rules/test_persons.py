"""Two persons are two keys and two names, however the names are written."""

import pytest

from packtrain.diligence.rules.persons import are_two, spelled_alike


@pytest.mark.parametrize(
    "other",
    [
        "anna  meyer",
        " Anna\u00a0MEYER ",
        "Meyer, Anna",
        "An\u200bna Meyer",
        "Anna Me\u0301yer",
        "\uff21nna Meyer",
        "\u0410nna Meyer",  # a Cyrillic A
        "Anna-Meyer",
        "\u202eAnna Meyer",
    ],
)
def test_another_spelling_of_a_name_is_no_second_person(other: str) -> None:
    assert spelled_alike(other) == "anna meyer"
    assert not are_two([("key 1", "Anna Meyer"), ("key 2", other)])


def test_two_names_under_one_key_are_no_second_person() -> None:
    assert not are_two([("key 1", "Anna Meyer"), ("key 1", "B. Baker")])
    assert are_two([("key 1", "Anna Meyer"), ("key 2", "B. Baker")])


@pytest.mark.parametrize("name", ["\u738b\u82b3", "\u0645\u062d\u0645\u062f", "\u2603", "!"])
def test_a_name_of_any_script_stays_a_name(name: str) -> None:
    assert spelled_alike(name)
    assert are_two([("key 1", "Anna Meyer"), ("key 2", name)])
