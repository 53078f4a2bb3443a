import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from packtrain.crypto import dsse, sshsig
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.errors import SignatureInvalid

BODY = b'{"_type":"https://in-toto.io/Statement/v1"}'


@pytest.fixture
def signer(tmp_path: Path) -> SshSigner:
    generate_key_pair(tmp_path / "signer", "")
    return SshSigner.load(tmp_path / "signer")


def raw_key(signer: SshSigner) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(base64.b64decode(signer.public_line.split()[1])[-32:])


def test_an_envelope_gives_back_its_statement(signer: SshSigner) -> None:
    envelope = dsse.seal(signer, BODY)

    assert dsse.key_id(envelope, "x") == signer.fingerprint
    assert dsse.unseal(envelope, signer.public_line, "x") == BODY


def test_what_is_signed_is_the_encoding_of_the_specification(signer: SshSigner) -> None:
    # The example of DSSE's protocol.md.
    signature = signer.sign_dsse("http://example.com/HelloWorld", b"hello world")

    raw_key(signer).verify(signature, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world")
    (written,) = json.loads(dsse.seal(signer, BODY))["signatures"]
    raw_key(signer).verify(base64.b64decode(written["sig"]), b"DSSEv1 28 application/vnd.in-toto+json 43 " + BODY)


def test_lengths_are_counted_in_bytes(signer: SshSigner) -> None:
    sshsig.verify_dsse(signer.public_line, signer.sign_dsse("text/ü", "é".encode()), "text/ü", "é".encode())

    raw_key(signer).verify(signer.sign_dsse("text/ü", "é".encode()), "DSSEv1 7 text/ü 2 é".encode())


def test_type_and_body_cannot_be_cut_elsewhere(signer: SshSigner) -> None:
    signature = signer.sign_dsse("a", b"b 1 c")

    for kind, body in (("a 5 b", b"c"), ("a", b"b 1 d"), ("b", b"b 1 c"), ("", b"a 5 b 1 c")):
        with pytest.raises(SignatureInvalid, match="does not fit"):
            sshsig.verify_dsse(signer.public_line, signature, kind, body)


def test_a_signature_of_one_protocol_is_none_of_the_other(signer: SshSigner) -> None:
    # One key signs both. An envelope whose bytes are what SSHSIG signs, and the other way round, are worth nothing.
    armoured = signer.sign("packtrain-statement@v1", BODY)
    blob = base64.b64decode("".join(armoured.split("\n")[1:-2]))
    with pytest.raises(SignatureInvalid):
        sshsig.verify_dsse(signer.public_line, blob[-64:], dsse.IN_TOTO, BODY)

    as_sshsig = blob[:-64] + signer.sign_dsse(dsse.IN_TOTO, BODY)
    text = base64.b64encode(as_sshsig).decode()
    lines = [text[at : at + 70] for at in range(0, len(text), 70)]
    forged = "\n".join([armoured.split("\n")[0], *lines, armoured.split("\n")[-2], ""])
    with pytest.raises(SignatureInvalid, match="does not fit"):
        sshsig.verify(forged, "packtrain-statement@v1", BODY)


def test_another_key_is_refused(signer: SshSigner, tmp_path: Path) -> None:
    other = generate_key_pair(tmp_path / "other", "")

    with pytest.raises(SignatureInvalid, match="does not fit"):
        dsse.unseal(dsse.seal(signer, BODY), other, "x")


def test_a_truncated_envelope_is_refused_wherever_it_is_cut(signer: SshSigner) -> None:
    envelope = dsse.seal(signer, BODY)
    for length in range(len(envelope)):
        with pytest.raises(SignatureInvalid):
            dsse.unseal(envelope[:length], signer.public_line, "x")


def test_one_flipped_bit_anywhere_is_refused_or_changes_only_the_hint(signer: SshSigner) -> None:
    good = dsse.seal(signer, BODY)
    hint = range(good.index(b"SHA256:"), good.index(b"SHA256:") + len(signer.fingerprint))
    for bit in range(8 * len(good)):
        envelope = bytearray(good)
        envelope[bit // 8] ^= 1 << bit % 8
        try:
            assert dsse.unseal(bytes(envelope), signer.public_line, "x") == BODY
        except SignatureInvalid:
            continue
        # The key id is not signed: whoever trusts by it would be wrong, and nobody here does.
        assert bit // 8 in hint


@pytest.mark.parametrize(
    "change",
    [
        lambda body: {**body, "payloadType": "text/plain"},
        lambda body: {**body, "signatures": []},
        lambda body: {**body, "signatures": body["signatures"] * 2},
        lambda body: {**body, "signatures": None},
        lambda body: {**body, "signatures": [{**body["signatures"][0], "keyid": 7}]},
        lambda body: {**body, "signatures": [{**body["signatures"][0], "keyid": "\ud800"}]},
        lambda body: {**body, "signatures": [{**body["signatures"][0], "sig": ""}]},
        lambda body: {**body, "signatures": [{**body["signatures"][0], "cert": "x"}]},
        lambda body: {**body, "payload": 7},
        lambda body: {**body, "payload": "é"},
        lambda body: {**body, "payload": body["payload"] + "="},
        lambda body: {**body, "more": 1},
        lambda body: [body],
        lambda body: None,
        lambda body: 10**400,
    ],
)
def test_another_shape_is_refused(signer: SshSigner, change: object) -> None:
    assert callable(change)
    changed = json.dumps(change(json.loads(dsse.seal(signer, BODY))), separators=(",", ":")).encode()

    with pytest.raises(SignatureInvalid) as caught:
        dsse.unseal(changed, signer.public_line, "admission.dsse.json")
    assert caught.value.where == "admission.dsse.json"


@pytest.mark.parametrize("hostile", [b"", b"[" * 100_000, b"\xff", b"NaN", b'{"payload":' + b"9" * 5000 + b"}"])
def test_hostile_bytes_are_refused(signer: SshSigner, hostile: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        dsse.key_id(hostile, "x")
