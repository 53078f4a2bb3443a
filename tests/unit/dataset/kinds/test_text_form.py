import codecs
import gzip
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.kinds.piece import Damaged
from packtrain.dataset.kinds.text_form import as_utf8, encoding_of


@pytest.mark.parametrize(
    ("payload", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        ("Köln\n".encode(), "utf-8"),
        (codecs.BOM_UTF8 + b"\xff\n\xff", "utf-8"),
        ("Köln".encode("utf-16"), "utf-16-le"),
        (codecs.BOM_UTF16_BE + "Köln".encode("utf-16-be"), "utf-16-be"),
        ("Köln\n€\n".encode("cp1252"), "windows-1252"),
        ("Köln\n".encode() + b"\xff\n", "utf-8"),
        ("Köln\n".encode() + b"\xff\n\xfe\n", "windows-1252"),
    ],
)
def test_the_encoding_is_the_mark_or_what_most_lines_are(payload: bytes, encoding: str) -> None:
    assert encoding_of(io.BytesIO(payload), False) == encoding
    assert encoding_of(io.BytesIO(gzip.compress(payload)), True) == encoding


def test_lines_are_counted_and_not_pieces_of_the_file() -> None:
    many = "Köln\n".encode() * 300_000  # longer than one reading
    assert encoding_of(io.BytesIO(many + b"\xff\n" * 299_999), False) == "utf-8"
    assert encoding_of(io.BytesIO(many + b"\xff\n" * 300_001), False) == "windows-1252"


def test_a_letter_across_two_readings_is_a_letter() -> None:
    for shift in range(4):
        payload = b"a" * ((1 << 20) - shift) + "ö€\n".encode()
        assert encoding_of(io.BytesIO(payload), False) == "utf-8"


def test_a_broken_gzip_is_damaged() -> None:
    with pytest.raises(Damaged, match="gzip"):
        encoding_of(io.BytesIO(gzip.compress(b"a,b\n" * 9999)[:-20]), True)


@given(st.text(st.characters(codec="utf-16", exclude_characters="\ufeff"), max_size=300))
def test_a_file_in_utf_16_comes_out_as_the_same_text(text: str) -> None:
    for encoding, mark in (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)):
        assert _read(mark + text.encode(encoding), encoding) == text.encode()


@given(st.binary(max_size=300))
def test_windows_1252_has_a_character_for_every_byte(payload: bytes) -> None:
    text = _read(payload, "windows-1252").decode()
    assert len(text) == len(payload)
    for byte, character in zip(payload, text, strict=True):
        assert character == (bytes([byte]).decode("cp1252", "ignore") or chr(byte))


def test_utf_16_that_ends_within_a_character_is_damaged() -> None:
    with pytest.raises(Damaged, match="truncated data"):
        _read(codecs.BOM_UTF16_LE + b"a", "utf-16-le")


def test_who_reads_no_further_leaves_no_thread_behind() -> None:
    with as_utf8(io.BytesIO(b"x" * 3_000_000), "windows-1252") as path, Path(path).open("rb") as stream:
        assert stream.read(3) == b"xxx"
    with pytest.raises(FileNotFoundError):
        Path(path).stat()


def _read(payload: bytes, encoding: Any) -> bytes:
    with as_utf8(io.BytesIO(payload), encoding) as path, Path(path).open("rb") as stream:
        return stream.read()
