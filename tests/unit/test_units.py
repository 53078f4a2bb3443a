import pytest

from packtrain.units import format_bytes, format_seconds, parse_bytes, quoted


@pytest.mark.parametrize(
    ("text", "total_bytes"),
    [
        ("0", 0),
        ("17", 17),
        ("500GB", 500 * 10**9),
        ("4GiB", 4 * 2**30),
        ("4 gib", 4 * 2**30),
        ("80TB", 80 * 10**12),
        (" 1.5 k ", 1500),
        ("0.1TB", 10**11),
        ("1.000000001GB", 10**9 + 1),
        ("9PB", 9 * 10**15),
    ],
)
def test_a_size_is_read_as_it_is_written(text: str, total_bytes: int) -> None:
    assert parse_bytes(text) == total_bytes


@pytest.mark.parametrize(
    "text",
    ["", "GB", "-1GB", "1.GB", "1e9", "1 000", "1,5GB", "4GiBi", "1EB", "٣GB", "4kıB", "4kİb", "4\u212ab", "1GB\n2"],
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a size in bytes"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("total_bytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (1536, "1.54 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (1_900_000_000_000, "1.9 TB"),
        (80 * 10**12, "80 TB"),
        (9 * 10**15, "9 PB"),
        (10**18, "1,000 PB"),
    ],
)
def test_bytes_are_told_in_decimal_units(total_bytes: int, text: str) -> None:
    assert format_bytes(total_bytes) == text


@pytest.mark.parametrize(
    ("elapsed_seconds", "text"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.7, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.7, "1 h 0 min"),
        (9900, "2 h 45 min"),
        (9 * 86400 + 3 * 3600, "9 d 3 h"),
    ],
)
def test_a_duration_is_told_as_people_say_it(elapsed_seconds: float, text: str) -> None:
    assert format_seconds(elapsed_seconds) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [(b"../../planted", "'../../planted'"), ("Åse\n".encode(), "'Åse\\n'"), (b"\xff\x1b", "'\\xff\\x1b'"), (b"", "''")],
)
def test_bytes_of_a_name_are_shown_as_text_in_quotes(raw: bytes, text: str) -> None:
    assert quoted(raw) == text
