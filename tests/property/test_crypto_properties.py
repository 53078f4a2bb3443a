"""Whatever is written comes back, however it was cut; whatever is altered is refused."""

import base64
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.crypto import age, bech32, sshsig
from packtrain.errors import AgeFormatError, SignatureInvalid, WrongKey

IDENTITY = age.generate_identity()
RECIPIENT = age.recipient_of(IDENTITY)


@given(st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20), st.binary(max_size=60))
def test_bech32_gives_back_what_it_was_given(prefix: str, payload: bytes) -> None:
    assert bech32.decode(bech32.encode(prefix, payload)) == (prefix, payload)
    assert bech32.decode(bech32.encode(prefix, payload).upper()) == (prefix, payload)


@given(
    st.lists(st.integers(0, 150_000), max_size=5),
    st.integers(1, 200_000),
)
def test_pieces_of_any_size_come_back(lengths: list[int], ask_bytes: int) -> None:
    pieces = [bytes([index + 1]) * length for index, length in enumerate(lengths)]
    sink = io.BytesIO()
    with age.EncryptWriter(sink.write, RECIPIENT) as writer:
        for piece in pieces:
            writer.write(piece)
    assert len(sink.getvalue()) == age.ciphertext_bytes(sum(lengths))
    sink.seek(0)
    reader = age.DecryptReader(sink, [IDENTITY], strict_single_x25519=True)
    assert b"".join(iter(lambda: reader.read(ask_bytes), b"")) == b"".join(pieces)


@given(st.integers(0, 200_000), st.data())
def test_a_piece_replaced_anywhere_is_refused(length: int, data: st.DataObject) -> None:
    blob = age.encrypt_bytes(bytes(length), [RECIPIENT])
    start = data.draw(st.integers(0, len(blob) - 1))
    stop = data.draw(st.integers(start, min(len(blob), start + 100)))
    altered = blob[:start] + data.draw(st.binary(max_size=100)) + blob[stop:]
    if altered == blob:
        return
    try:
        age.decrypt_bytes(altered, [IDENTITY])
    except (AgeFormatError, WrongKey):
        return
    raise AssertionError("an altered file was read")


SSH = (Path(__file__).parents[1] / "vectors" / "age" / "ssh-key").read_text()
SSH_RECIPIENT = age.recipient_of(SSH)
words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)


@given(words, words, st.integers(1, 5))
def test_a_passphrase_opens_what_it_sealed_and_no_other_does(right: str, wrong: str, work_factor: int) -> None:
    blob = age.encrypt_bytes(b"key", [age.Passphrase(right, work_factor)])
    assert age.decrypt_bytes(blob, [age.Passphrase(right)]) == b"key"
    if wrong != right:
        with pytest.raises(WrongKey):
            age.decrypt_bytes(blob, [age.Passphrase(wrong)])


@given(st.lists(st.sampled_from([RECIPIENT, SSH_RECIPIENT]), min_size=1, max_size=32), st.binary(max_size=100))
def test_every_mix_of_keys_opens_with_each_of_them(recipients: list[str], payload: bytes) -> None:
    blob = age.encrypt_bytes(payload, recipients)
    for recipient, identity in ((RECIPIENT, IDENTITY), (SSH_RECIPIENT, SSH)):
        if recipient in recipients:
            assert age.decrypt_bytes(blob, [identity]) == payload


@given(st.integers(0, 2000), st.binary(max_size=30), st.integers(0, 30))
def test_a_piece_of_an_ssh_envelope_replaced_anywhere_is_refused(start: int, piece: bytes, length: int) -> None:
    blob = age.encrypt_bytes(b"key", [SSH_RECIPIENT])
    start %= len(blob)
    altered = blob[:start] + piece + blob[start + length :]
    if altered != blob:
        with pytest.raises((AgeFormatError, WrongKey)):
            age.decrypt_bytes(altered, [SSH])


@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_no_age_file(blob: bytes) -> None:
    for candidate in (blob, b"age-encryption.org/v1\n" + blob, b"age-encryption.org/v1\n-> X25519 " + blob):
        try:
            age.decrypt_bytes(candidate, [IDENTITY])
        except (AgeFormatError, WrongKey):
            continue
        raise AssertionError("arbitrary bytes were read")


@given(st.binary(max_size=400), st.text(max_size=400))
def test_arbitrary_bytes_are_no_signature(blob: bytes, text: str) -> None:
    body = base64.encodebytes(b"SSHSIG\x00\x00\x00\x01" + blob).decode()
    for candidate in (text, f"-----BEGIN SSH SIGNATURE-----\n{body}-----END SSH SIGNATURE-----\n"):
        try:
            sshsig.verify(candidate, "packtrain-plan@v1", b"")
        except SignatureInvalid:
            continue
        raise AssertionError("arbitrary bytes were accepted")
