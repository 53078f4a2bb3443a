"""A known stretch is found wherever it lies and however it is written; noise holds none."""

import base64
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packtrain.training.canaries import canary_needles, new_canary
from packtrain.training.needles import MIN_NEEDLE_BYTES, Needle, Needles, Passing, telling
from packtrain.training.written_forms import as_numbers, as_text, as_words, needles_of

PROBE = random.Random(11).randbytes(32)
FORMS = [form for forms in (as_text, as_words, as_numbers) for form in forms(PROBE)]
KNOWN = Needles(needles_of("it", PROBE))


def noise(count: int, seed: int = 4) -> bytes:
    return random.Random(seed).randbytes(count)


@given(st.integers(0, 3000), st.integers(MIN_NEEDLE_BYTES, 200), st.integers(0, 40))
def test_a_stretch_is_found_at_any_place_in_any_length(place: int, length: int, behind: int) -> None:
    content = noise(length, length)
    assert Needles([Needle("it", content)]).in_bytes(noise(place) + content + noise(behind)) == {"it"}


@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.integers(0, 2500))
def test_a_stretch_is_found_across_pieces_of_any_length(lengths: list[int], place: int) -> None:
    content = noise(place) + PROBE + noise(2600 - place)
    pieces, at = [], 0
    for length in lengths:
        pieces.append(content[at : at + length])
        at += length
    passing = Passing(Needles([Needle("it", PROBE)]))
    assert set[str]().union(*map(passing.look, [*pieces, content[at:]])) == {"it"}


@given(st.integers(0, 64), st.sampled_from(range(len(FORMS))))
def test_every_form_is_found_at_any_place(place: int, number: int) -> None:
    assert KNOWN.in_bytes(noise(place) + FORMS[number] + noise(9)) == {"it"}


@given(st.binary(max_size=64), st.binary(max_size=64))
def test_base64_of_a_longer_file_is_found_wherever_the_stretch_lies_in_it(before: bytes, after: bytes) -> None:
    assert KNOWN.in_bytes(base64.b64encode(before + PROBE + after)) == {"it"}
    assert KNOWN.in_bytes(base64.urlsafe_b64encode(before + PROBE + after)) == {"it"}


@given(st.integers(0, 15), st.sampled_from([2, 4, 8]))
def test_words_turned_round_are_found_wherever_the_words_begin(before: int, width: int) -> None:
    content = noise(before) + PROBE + noise(64 - (before + 32) % 16)
    content = content[: len(content) // width * width]
    turned = np.frombuffer(content, dtype=np.uint8).reshape(-1, width)[:, ::-1].tobytes()
    assert KNOWN.in_bytes(turned) == {"it"}


@pytest.mark.needs_torch
def test_numbers_are_written_as_torch_writes_them() -> None:
    import torch

    bytes_ = torch.frombuffer(bytearray(PROBE), dtype=torch.uint8)
    forms = set(as_numbers(PROBE))
    for scaled in (bytes_.float(), bytes_.float() / 255, (bytes_.float() - 128) / 128):
        for dtype in (torch.float32, torch.float16, torch.bfloat16):
            assert scaled.to(dtype).view(torch.uint8).numpy().tobytes() in forms


def test_many_stretches_are_told_apart() -> None:
    needles = [Needle(str(number), noise(32, number)) for number in range(5000)]
    content = noise(3 << 20, 9999) + needles[77].content + noise(100, 9998) + needles[4999].content
    assert Needles(needles).in_bytes(content) == {"77", "4999"}
    assert Needles(needles).in_bytes(noise(3 << 20, 9999)) == set()


@settings(max_examples=20)
@given(st.sampled_from([bytes.hex, lambda raw: base64.b64encode(raw).decode(), lambda raw: raw.decode("latin-1")]))
def test_a_file_with_a_canary_is_known_in_every_writing(write: object) -> None:
    canary = new_canary()
    token = bytes.fromhex(canary.split(b"hex    ")[1][:64].decode())
    known = Needles(canary_needles([token]))
    assert len(known.in_bytes(write(canary).encode("latin-1"))) == 1  # pyright: ignore[reportCallIssue, reportUnknownMemberType, reportUnknownArgumentType]
    assert len(known.in_bytes(canary.decode().encode("utf-16-le"))) == 1
    assert not known.in_bytes(new_canary())


def test_no_stretches_and_short_content_find_nothing() -> None:
    assert Needles([]).in_bytes(noise(100)) == set()
    assert Needles([Needle("short", b"short")]).in_bytes(b"short" * 20) == set()
    assert KNOWN.in_bytes(b"") == set() == KNOWN.in_bytes(b"abc")


@pytest.mark.parametrize("plain", [bytes(32), b"-" * 32, b"abab" * 8, bytes(8) + bytes(range(24))])
def test_a_plain_stretch_is_not_looked_for(plain: bytes) -> None:
    assert not telling(plain)
    assert telling(PROBE)


def test_what_only_counts_cannot_be_told_from_positions_and_steps() -> None:
    grey = bytes(range(100, 132))
    assert not telling(grey) and not telling(grey[::-1]) and not telling(bytes(range(0, 256, 8)))
    assert telling(grey[:-1] + b"\0")
