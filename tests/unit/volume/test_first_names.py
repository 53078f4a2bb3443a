"""However many names there are, the first of them are shown and the others counted."""

from hypothesis import given
from hypothesis import strategies as st

from packtrain.volume.first_names import FirstNames


@given(st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=4)), st.integers(1, 5))
def test_the_first_are_kept_in_order_and_all_are_counted(names: list[str], most: int) -> None:
    found = FirstNames(most, names)
    assert list(found) == sorted(names)[:most]
    assert (found.count, found.num_more) == (len(names), max(len(names) - most, 0))


def test_what_is_shown_says_whether_there_are_more() -> None:
    assert str(FirstNames(2, ["c", "a", "b"])) == "a, b, ..."
    assert str(FirstNames(3, ["c", "a", "b"])) == "a, b, c"
