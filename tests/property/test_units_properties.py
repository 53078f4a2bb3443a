import itertools

from hypothesis import given
from hypothesis import strategies as st

from packtrain.units import format_bytes, format_seconds, parse_bytes


@given(st.integers(0, 10**15 - 1))
def test_a_number_of_bytes_reads_back_exactly(total_bytes: int) -> None:
    assert parse_bytes(str(total_bytes)) == total_bytes


@given(st.integers(0, 10**18))
def test_formatted_bytes_read_back_within_half_of_the_third_figure(total_bytes: int) -> None:
    read = parse_bytes(format_bytes(total_bytes).replace(",", ""))

    assert abs(read - total_bytes) <= total_bytes * 0.0051


@given(st.text("0123456789.kmgtpibKMGTPIBıİ\u212a ٣", max_size=8))
def test_any_text_is_a_size_or_a_value_error(text: str) -> None:
    try:
        assert parse_bytes(text) >= 0
    except ValueError as error:
        assert "not a size" in str(error)


@given(st.floats(0, 1e9))
def test_a_duration_never_says_sixty(elapsed_seconds: float) -> None:
    words = format_seconds(elapsed_seconds).split()

    assert ("60", "s") not in itertools.pairwise(words)
    assert ("60", "min") not in itertools.pairwise(words)
    assert ("24", "h") not in itertools.pairwise(words)
