import io
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.crypto import age
from packtrain.crypto.age import CHUNK_BYTES, DecryptReader, EncryptWriter, ciphertext_bytes
from packtrain.errors import AgeFormatError, KeyMalformed, WrongKey

IDENTITY = age.generate_identity()
RECIPIENT = age.recipient_of(IDENTITY)
OTHER = age.generate_identity()
SEALED_BYTES = CHUNK_BYTES + 16
LENGTHS = [0, 1, 5, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 40 * CHUNK_BYTES + 7]


def plaintext(length: int) -> bytes:
    return (b"a training set, too big for the network; " * (length // 40 + 1))[:length]


def sealed(length: int) -> bytes:
    return age.encrypt_bytes(plaintext(length), [RECIPIENT])


def read_all(blob: bytes, *, strict_single_x25519: bool = False) -> bytes:
    return DecryptReader(io.BytesIO(blob), [IDENTITY], strict_single_x25519=strict_single_x25519).read()


def header_bytes(blob: bytes) -> int:
    return blob.index(b"\n--- ") + 1 + 48


def flip(blob: bytes, bit: int) -> bytes:
    wrong = bytearray(blob)
    wrong[bit // 8] ^= 1 << bit % 8
    return bytes(wrong)


@pytest.mark.parametrize("length", LENGTHS)
def test_what_was_encrypted_comes_back(length: int) -> None:
    assert read_all(sealed(length)) == plaintext(length)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_size_is_known_before(length: int) -> None:
    assert len(sealed(length)) == ciphertext_bytes(length)


@pytest.mark.parametrize("piece_bytes", [1, 1000, CHUNK_BYTES, 5 * CHUNK_BYTES + 3])
def test_how_the_plaintext_was_cut_up_does_not_matter(piece_bytes: int) -> None:
    whole = plaintext(3 * CHUNK_BYTES if piece_bytes > 1 else 2000)
    sink = io.BytesIO()
    with EncryptWriter(sink.write, RECIPIENT) as writer:
        for at in range(0, len(whole), piece_bytes):
            assert writer.write(memoryview(whole)[at : at + piece_bytes]) == len(whole[at : at + piece_bytes])
    assert writer.plaintext_bytes == len(whole)
    assert writer.ciphertext_bytes == len(sink.getvalue()) == ciphertext_bytes(len(whole))
    assert read_all(sink.getvalue()) == whole


@pytest.mark.parametrize("ask_bytes", [7, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 1])
def test_how_the_plaintext_is_asked_for_does_not_matter(ask_bytes: int) -> None:
    reader = DecryptReader(io.BytesIO(sealed(5 * CHUNK_BYTES + 9)), [IDENTITY])
    pieces = list(iter(lambda: reader.read(ask_bytes), b""))
    assert b"".join(pieces) == plaintext(5 * CHUNK_BYTES + 9)
    assert {len(piece) for piece in pieces[:-1]} <= {ask_bytes}


@pytest.mark.parametrize("step", [1, 100, SEALED_BYTES])
def test_a_source_that_gives_little_at_a_time_is_read(step: int) -> None:
    stream = io.BytesIO(sealed(CHUNK_BYTES + 100))

    def trickle(buffer: memoryview) -> int:
        return stream.readinto(buffer[:step])

    assert DecryptReader(trickle, [IDENTITY]).read() == plaintext(CHUNK_BYTES + 100)


def test_the_sink_gets_large_pieces() -> None:
    pieces: list[int] = []
    with EncryptWriter(lambda piece: pieces.append(len(piece)), RECIPIENT) as writer:
        for _ in range(64):
            writer.write(bytes(CHUNK_BYTES))
    assert pieces[1:] == [16 * SEALED_BYTES] * 4


def test_a_sink_that_takes_too_little_is_an_error() -> None:
    with pytest.raises(OSError, match="the sink took 1 of"):
        EncryptWriter(lambda piece: 1, RECIPIENT)


def test_every_file_has_a_key_of_its_own() -> None:
    assert len({sealed(0) for _ in range(20)}) == 20


def test_a_file_that_was_left_by_an_exception_is_no_whole_file() -> None:
    sink = io.BytesIO()
    with pytest.raises(ZeroDivisionError), EncryptWriter(sink.write, RECIPIENT) as writer:
        writer.write(plaintext(40 * CHUNK_BYTES))
        raise ZeroDivisionError
    with pytest.raises(AgeFormatError):
        read_all(sink.getvalue())


def test_writing_after_the_end_is_refused() -> None:
    writer = EncryptWriter(lambda piece: None, RECIPIENT)
    writer.close()
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"more")


def test_closing_twice_writes_one_last_chunk() -> None:
    sink = io.BytesIO()
    writer = EncryptWriter(sink.write, RECIPIENT)
    writer.close()
    writer.close()
    assert read_all(sink.getvalue()) == b""


def test_a_small_file_cut_at_any_byte_is_refused() -> None:
    blob = sealed(20)
    for length in range(len(blob)):
        with pytest.raises(AgeFormatError):
            read_all(blob[:length])


@pytest.mark.parametrize("length", [CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES])
def test_a_large_file_cut_near_a_chunks_end_is_refused(length: int) -> None:
    blob = sealed(length)
    payload = header_bytes(blob) + 16
    for edge in (payload, payload + SEALED_BYTES, payload + 2 * SEALED_BYTES):
        for cut in range(edge - 17, min(edge + 18, len(blob))):
            with pytest.raises(AgeFormatError):
                read_all(blob[:cut])


def test_one_flipped_bit_anywhere_is_refused() -> None:
    blob = sealed(20)
    for bit in range(8 * len(blob)):
        with pytest.raises((AgeFormatError, WrongKey)):
            read_all(flip(blob, bit))


def test_one_flipped_bit_in_any_chunk_is_refused_with_the_chunk() -> None:
    blob = sealed(3 * CHUNK_BYTES)
    for chunk in range(3):
        reader = DecryptReader(io.BytesIO(flip(blob, 8 * (header_bytes(blob) + 16 + chunk * SEALED_BYTES))), [IDENTITY])
        assert reader.read(chunk * CHUNK_BYTES) == plaintext(chunk * CHUNK_BYTES)
        with pytest.raises(AgeFormatError, match=f"chunk {chunk} "):
            reader.read(1)


def test_after_a_damaged_chunk_every_call_raises() -> None:
    blob = sealed(3 * CHUNK_BYTES)
    reader = DecryptReader(io.BytesIO(flip(blob, 8 * len(blob) - 1)), [IDENTITY], where="0000017-03.tar.age")
    # Never a short count: a caller would take it for the end of the file.
    for ask_bytes in (10 * CHUNK_BYTES, 1):
        with pytest.raises(AgeFormatError, match=r"0000017-03\.tar\.age"):
            reader.read(ask_bytes)


def _swap_chunks(payload: bytes) -> bytes:
    return payload[SEALED_BYTES : 2 * SEALED_BYTES] + payload[:SEALED_BYTES] + payload[2 * SEALED_BYTES :]


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload + b"x",
        lambda payload: payload + payload,
        _swap_chunks,
        lambda payload: payload[SEALED_BYTES:],
        lambda payload: payload[:SEALED_BYTES] + payload[2 * SEALED_BYTES :],
        lambda payload: payload[: 2 * SEALED_BYTES],
        lambda payload: payload[:SEALED_BYTES] + payload,
        lambda payload: b"",
    ],
    ids=["a byte more", "twice", "swapped", "first gone", "second gone", "last gone", "first twice", "no chunk"],
)
def test_chunks_that_are_not_the_ones_written_are_refused(change: Callable[[bytes], bytes]) -> None:
    blob = sealed(3 * CHUNK_BYTES)
    start = header_bytes(blob) + 16
    with pytest.raises(AgeFormatError):
        read_all(blob[:start] + change(blob[start:]))


def _payload_of(*chunks: tuple[int, bytes, bool]) -> bytes:
    """Return an age file with chunks as given: counter, plaintext, whether it is marked as the last."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    from packtrain.crypto.age_header import hkdf, seal_header

    file_key, nonce = bytes(16), bytes(16)
    cipher = ChaCha20Poly1305(hkdf(file_key, nonce, b"payload"))
    body = b"".join(cipher.encrypt(n.to_bytes(11, "big") + bytes([last]), chunk, None) for n, chunk, last in chunks)
    return seal_header([RECIPIENT], file_key) + nonce + body


FULL = bytes(CHUNK_BYTES)


def test_a_payload_built_by_hand_is_read() -> None:
    assert read_all(_payload_of((0, FULL, False), (1, b"end", True))) == FULL + b"end"


@pytest.mark.parametrize(
    "chunks",
    [
        [(0, FULL, False)],
        [(0, b"short", False)],
        [(0, b"short", False), (1, b"end", True)],
        [(0, FULL, False), (1, b"", True)],
        [(0, FULL, True), (1, b"end", True)],
        [(0, FULL, False), (2, b"end", True)],
        [(0, FULL, False), (1, b"", False)],
    ],
    ids=["no last", "short, no last", "short in the middle", "empty last", "two last", "a counter left out", "empty"],
)
def test_a_broken_chain_of_valid_chunks_is_refused(chunks: list[tuple[int, bytes, bool]]) -> None:
    with pytest.raises(AgeFormatError):
        read_all(_payload_of(*chunks))


def test_another_identity_is_a_wrong_key() -> None:
    with pytest.raises(WrongKey):
        age.decrypt_bytes(sealed(3), [OTHER])


def test_no_identity_is_a_wrong_key() -> None:
    with pytest.raises(WrongKey):
        age.decrypt_bytes(sealed(3), [])


def test_any_recipient_of_an_envelope_opens_it() -> None:
    blob = age.encrypt_bytes(b"key", [RECIPIENT, age.recipient_of(OTHER)])
    assert age.decrypt_bytes(blob, [IDENTITY]) == age.decrypt_bytes(blob, [OTHER]) == b"key"


def test_the_identity_that_fits_is_found_among_several() -> None:
    assert age.decrypt_bytes(sealed(3), [OTHER, IDENTITY]) == plaintext(3)


def test_a_volume_with_two_recipients_is_refused() -> None:
    blob = age.encrypt_bytes(b"key", [RECIPIENT, age.recipient_of(OTHER)])
    with pytest.raises(AgeFormatError, match="exactly one X25519"):
        read_all(blob, strict_single_x25519=True)


def test_a_volume_with_one_recipient_is_read() -> None:
    assert read_all(sealed(3), strict_single_x25519=True) == plaintext(3)


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"age-encryption.org/v2\n",
        b"age-encryption.org/v1\r\n",
        b"age-encryption.org/v1\n--- " + b"A" * 43 + b"\n",
        b"age-encryption.org/v1\n-> \n\n---",
        b"age-encryption.org/v1\n-> a  b\n\n---",
        b"age-encryption.org/v1\n-> a b\x7f\n\n---",
        b"age-encryption.org/v1\n->a\n\n---",
        b"age-encryption.org/v1\n-> a\n" + b"A" * 65 + b"\n---",
        b"age-encryption.org/v1\n-> a\n" + b"A" * 64 + b"\n--- ",
        b"age-encryption.org/v1\n-> a\nAB==\n---",
        b"age-encryption.org/v1\n-> a\nAB\n---",
        b"age-encryption.org/v1\n-> a\n\n---" + b" " + b"A" * 42 + b"\n",
        b"age-encryption.org/v1\n-> a\n\n---\n",
        b"age-encryption.org/v1\n" + b"-> a\n\n" * 33 + b"--- " + b"A" * 43 + b"\n",
        b"age-encryption.org/v1\n-> a\n" + (b"A" * 64 + b"\n") * 2000,
        b"age-encryption.org/v1\n-> " + b"a" * 100_000,
    ],
)
def test_a_malformed_header_is_refused(header: bytes) -> None:
    with pytest.raises(AgeFormatError):
        read_all(header)


def test_a_passphrase_stanza_beside_another_is_refused() -> None:
    blob = sealed(0).replace(b"\n-> X25519", b"\n-> scrypt c2FsdHNhbHRzYWx0c2FsdA 10\n\n-> X25519")
    with pytest.raises(AgeFormatError, match="passphrase"):
        read_all(blob)


@pytest.mark.parametrize("change", [b" extra\n", b"AA\n"])
def test_an_x25519_stanza_with_other_parts_is_refused(change: bytes) -> None:
    lines = sealed(0).split(b"\n", 2)
    with pytest.raises(AgeFormatError):
        read_all(lines[0] + b"\n" + lines[1] + change + lines[2])


def test_a_share_that_gives_no_secret_is_refused() -> None:
    lines = sealed(0).split(b"\n", 2)
    with pytest.raises(AgeFormatError, match="weak point"):
        read_all(lines[0] + b"\n-> X25519 " + b"A" * 43 + b"\n" + lines[2])


def test_a_header_that_never_ends_is_read_to_its_bound_only() -> None:
    asked = 0

    def endless(buffer: memoryview) -> int:
        nonlocal asked
        count = len(buffer)
        asked += count
        buffer[:] = (b"age-encryption.org/v1\n-> a " + b"b" * count)[:count] if asked == count else b"b" * count
        return count

    with pytest.raises(AgeFormatError, match="longer than the bound"):
        DecryptReader(endless, [IDENTITY])
    assert asked < 2_000_000


def test_content_longer_than_allowed_is_refused() -> None:
    assert age.decrypt_bytes(sealed(100), [IDENTITY], max_bytes=100) == plaintext(100)
    with pytest.raises(AgeFormatError, match="longer than allowed"):
        age.decrypt_bytes(sealed(101), [IDENTITY], max_bytes=100)


def test_a_cut_tail_is_found_when_the_content_just_fits() -> None:
    with pytest.raises(AgeFormatError):
        age.decrypt_bytes(sealed(2 * CHUNK_BYTES)[:-SEALED_BYTES], [IDENTITY], max_bytes=CHUNK_BYTES)


def test_a_file_is_encrypted_to_a_stream(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(plaintext(3_000_000))
    target = io.BytesIO()
    assert age.encrypt_file(path, target, RECIPIENT) == len(target.getvalue()) == ciphertext_bytes(3_000_000)
    assert read_all(target.getvalue()) == plaintext(3_000_000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        RECIPIENT[:-1],
        RECIPIENT.upper(),
        RECIPIENT.replace("age1", "agf1"),
        IDENTITY,
        "ssh-ed25519 AAAA",
        "x" * 500,
    ],
    ids=["empty", "prefix", "cut", "upper case", "another prefix", "an identity", "an ssh key", "long"],
)
def test_a_malformed_recipient_is_refused(text: str) -> None:
    with pytest.raises(KeyMalformed):
        age.check_recipient(text)


@pytest.mark.parametrize(
    "text",
    ["", IDENTITY[:-1], IDENTITY.lower(), RECIPIENT, IDENTITY + "Q"],
    ids=["empty", "cut", "lower case", "a recipient", "a digit more"],
)
def test_a_malformed_identity_is_refused(text: str) -> None:
    with pytest.raises(KeyMalformed):
        age.recipient_of(text)


def test_no_error_repeats_a_secret() -> None:
    secret = IDENTITY[len("AGE-SECRET-KEY-1") :]
    for attempt in (
        lambda: age.check_recipient(IDENTITY),
        lambda: age.recipient_of(IDENTITY[:-1]),
        lambda: age.decrypt_bytes(sealed(1), [IDENTITY[:-1]]),
    ):
        with pytest.raises(KeyMalformed) as caught:
            attempt()
        assert secret[:20] not in repr(caught.value.to_dict()).upper()


def test_a_recipient_that_keeps_no_secret_is_refused() -> None:
    from packtrain.crypto import bech32

    with pytest.raises(KeyMalformed, match="weak point"):
        age.encrypt_bytes(b"", [bech32.encode("age", bytes(32))])


def test_space_around_a_recipient_is_dropped() -> None:
    assert age.check_recipient(f" {RECIPIENT}\n") == RECIPIENT
