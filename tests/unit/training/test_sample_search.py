"""Samples that lie in a text are found whole, those in weights by their stretches; the limits are as stated."""

import base64
import gzip
import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.errors import ExportDenied
from packtrain.training.loader import SampleStore
from packtrain.training.needles import Needles
from packtrain.training.sample_search import look_at_samples
from packtrain.training.text_search import MIN_STRETCH_BYTES, TextWindows, digests_in
from packtrain.training.unfolding import MAX_ENCODED_CHARACTERS, encoded_characters, unfold
from tiny_dataset import make_tiny_dataset

NOTHING = TextWindows([])


def noise(count: int, seed: int = 4) -> bytes:
    return random.Random(seed).randbytes(count)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SampleStore:
    root = tmp_path_factory.mktemp("data")
    make_tiny_dataset(root / "store")
    return SampleStore(root / "store")


def test_every_sample_of_a_small_store_is_looked_at_and_gives_a_stretch(store: SampleStore) -> None:
    looked = look_at_samples(store, NOTHING)
    assert looked.num_samples == len(store) == looked.num_in_store
    assert {probe.label for probe in looked.probes} == {store[row].key for row in range(len(store))}
    assert looked.in_text == ()


def test_samples_are_read_up_to_a_bound_and_spread_over_the_store(store: SampleStore) -> None:
    looked = look_at_samples(store, NOTHING, max_bytes=3000)
    assert 2 < looked.num_samples < len(store)
    assert len({store[row].kind for row in range(len(store)) if store[row].key in {p.label for p in looked.probes}}) > 1


def test_a_whole_sample_among_other_bytes_is_found_for_every_kind(store: SampleStore) -> None:
    needles = Needles(look_at_samples(store, NOTHING).needles())
    for kind in ("table", "image", "clip"):
        sample = next(store[row] for row in range(len(store)) if store[row].kind == kind)
        assert sample.key in needles.in_bytes(noise(333) + sample.payload + noise(50))


@given(st.integers(0, 400), st.integers(MIN_STRETCH_BYTES, 90), st.integers(0, 30), st.integers(0, 30))
def test_any_stretch_of_a_sample_is_found_anywhere_in_a_text(start: int, length: int, before: int, after: int) -> None:
    sample = noise(500, 9)
    text = b"x" * before + sample[start : start + length] + b"y" * after
    assert TextWindows([text]).hold(sample)


@given(st.integers(0, 430), st.integers(0, 30))
def test_a_stretch_of_39_bytes_is_enough(start: int, before: int) -> None:
    sample = noise(500, 9)
    assert TextWindows([b"x" * before + sample[start : start + MIN_STRETCH_BYTES]]).hold(sample)
    assert not TextWindows([b"x" * before + sample[start : start + 31]]).hold(sample)


def test_plain_stretches_that_both_have_are_no_find() -> None:
    assert not TextWindows([b"-" * 200 + b"\n" + b"0.000000 " * 50]).hold(b"a" * 20 + b"-" * 100 + b"0.000000 " * 50)
    assert not TextWindows([]).hold(noise(100)) and not TextWindows([b"short"]).hold(noise(100))


WRITINGS = {
    "as it is": lambda raw: raw,
    "hexadecimal": lambda raw: raw.hex().encode(),
    "bytes apart": lambda raw: raw.hex(" ").upper().encode(),
    "escapes": lambda raw: "".join(f"\\x{byte:02x}" for byte in raw).encode(),
    "percent": lambda raw: "".join(f"%{byte:02X}" for byte in raw).encode(),
    "C array": lambda raw: ", ".join(f"0x{byte:02x}" for byte in raw).encode(),
    "base64": base64.b64encode,
    "base64 in lines": base64.encodebytes,
    "base64 of one less": lambda raw: b"A" + base64.b64encode(raw),
    "base64url": base64.urlsafe_b64encode,
    "base32": base64.b32encode,
    "base85": base64.b85encode,
    "ascii85": base64.a85encode,
    "numbers": lambda raw: ", ".join(str(byte) for byte in raw).encode(),
    "a number a line": lambda raw: "".join(f"{step},{byte}\n" for step, byte in enumerate(raw)).encode(),
    "as losses": lambda raw: "".join(f'{{"step": {n}, "loss": {byte}.0}}\n' for n, byte in enumerate(raw)).encode(),
    "gzip, base64": lambda raw: base64.b64encode(gzip.compress(raw)),
    "zlib, hexadecimal": lambda raw: __import__("zlib").compress(raw).hex().encode(),
    "bz2, base64": lambda raw: base64.b64encode(__import__("bz2").compress(raw)),
    "xz, base64": lambda raw: base64.b64encode(__import__("lzma").compress(raw)),
    "zstd, base64": lambda raw: base64.b64encode(_zstd(raw)),
    "base64 of base64": lambda raw: base64.b64encode(base64.b64encode(raw)),
    "gzip without its end": lambda raw: base64.b64encode(gzip.compress(raw * 40)[:-9]),
}


def _zstd(raw: bytes) -> bytes:
    import pyarrow as pa

    return pa.Codec("zstd").compress(raw, asbytes=True)


@pytest.mark.parametrize("writing", WRITINGS)
def test_a_sample_is_found_in_every_writing(writing: str) -> None:
    sample = noise(300, 9)
    text = b'{"note": "' + WRITINGS[writing](sample) + b'"}\n'
    assert TextWindows(unfold(text, "text")).hold(sample)
    assert not TextWindows(unfold(text, "text")).hold(noise(300, 10))


@given(st.binary(min_size=60, max_size=200), st.text(alphabet=st.characters(max_codepoint=126), max_size=50))
def test_base64_is_read_wherever_it_stands(raw: bytes, before: str) -> None:
    pieces = unfold(before.encode() + b" " + base64.b64encode(raw) + b" end", "text")
    assert any(raw[:50] in piece for piece in pieces)


def test_a_bomb_is_refused_and_not_followed() -> None:
    bomb = base64.b64encode(gzip.compress(bytes(200 << 20), 9))
    with pytest.raises(ExportDenied, match="unpacks to more"):
        unfold(bomb, "text")


def test_digests_are_found_in_hexadecimal_of_either_case_and_in_base64() -> None:
    digest = hashlib.sha256(b"sample").digest()
    for text in (digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode(), f'"{digest.hex()}"'):
        assert digest.hex() in digests_in([f"saw {text} today".encode()])
    assert digests_in([b"loss 0.5"]) == set()


def test_words_of_digits_are_counted_and_prose_is_not() -> None:
    packed = base64.b64encode(noise(6000))
    assert encoded_characters(packed) > MAX_ENCODED_CHARACTERS
    assert encoded_characters(base64.encodebytes(noise(6000))) > MAX_ENCODED_CHARACTERS
    prose = b"the model.blocks.0.attention_in.weight went from 0.1234567 to 0.7654321 in step 1200\n" * 500
    assert encoded_characters(prose + b"-" * 500 + b"=" * 500) == 0
    names = "".join(
        f"distributed_data_parallel_bucket_{number}_reduce_seconds_fp16/rank{number}\n" for number in range(500)
    )
    assert encoded_characters(names.encode()) == 0
    for written in (base64.urlsafe_b64encode(noise(6000)), noise(6000).hex().encode()):
        assert encoded_characters(written) > MAX_ENCODED_CHARACTERS


def test_the_steps_of_a_log_are_not_taken_for_the_greys_of_a_picture() -> None:
    picture = b"P5 256 64 255\n" + bytes(range(256)) * 64
    metrics = "".join(f'{{"step": {step}, "loss": 2.5, "samples": 8}}\n' for step in range(1, 400)).encode()
    assert not TextWindows(unfold(metrics, "metrics.jsonl")).hold(picture)
    # Beside the scale the picture is found as before.
    drawn = picture[:5000] + noise(64)
    assert TextWindows(unfold(drawn[-64:].hex().encode(), "notes.txt")).hold(drawn)
