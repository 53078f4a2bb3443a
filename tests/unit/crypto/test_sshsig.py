import base64
import json
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from packtrain.crypto import sshsig
from packtrain.crypto.sshsig import SshSigner, check_public_line, fingerprint, generate_key_pair, verify
from packtrain.errors import KeyExists, KeyMalformed, KeyMissing, SignatureInvalid

VECTOR = json.loads((Path(__file__).parents[2] / "vectors" / "sshsig" / "vector.json").read_text())
NAMESPACE = "packtrain-plan@v1"


@pytest.fixture
def signer(tmp_path: Path) -> SshSigner:
    generate_key_pair(tmp_path / "signer", "consignor of a test")
    return SshSigner.load(tmp_path / "signer")


def string(part: bytes) -> bytes:
    return len(part).to_bytes(4, "big") + part


def armour(blob: bytes) -> str:
    return f"-----BEGIN SSH SIGNATURE-----\n{base64.b64encode(blob).decode()}\n-----END SSH SIGNATURE-----\n"


def disarm(signature: str) -> bytes:
    return base64.b64decode("".join(signature.split("\n")[1:-2]))


def test_a_signature_names_its_signer(signer: SshSigner) -> None:
    assert verify(signer.sign(NAMESPACE, b"plan"), NAMESPACE, b"plan") == signer.public_line


def test_another_payload_is_refused(signer: SshSigner) -> None:
    with pytest.raises(SignatureInvalid, match="does not fit the document"):
        verify(signer.sign(NAMESPACE, b"plan"), NAMESPACE, b"plan ")


def test_another_namespace_is_refused(signer: SshSigner) -> None:
    with pytest.raises(SignatureInvalid, match="another purpose"):
        verify(signer.sign("packtrain-drive@v1", b"plan"), NAMESPACE, b"plan")


def test_one_flipped_bit_anywhere_is_refused(signer: SshSigner) -> None:
    good = bytearray(signer.sign(NAMESPACE, b"plan").rstrip("\n").encode())
    for bit in range(8 * len(good)):
        good[bit // 8] ^= 1 << bit % 8
        with pytest.raises(SignatureInvalid):
            verify(good.decode("latin-1"), NAMESPACE, b"plan")
        good[bit // 8] ^= 1 << bit % 8


def test_a_signature_cut_at_any_character_is_refused(signer: SshSigner) -> None:
    good = signer.sign(NAMESPACE, b"plan").rstrip("\n")
    for length in range(len(good)):
        with pytest.raises(SignatureInvalid):
            verify(good[:length], NAMESPACE, b"plan")


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "\n",
        lambda text: " " + text,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("-\n", "-\n\n", 1),
        lambda text: text.replace("BEGIN SSH", "BEGIN PGP"),
        lambda text: text + text,
        lambda text: text.replace("U1NI", "U1 NI", 1),
        lambda text: "x" * 10_000,
        lambda text: "",
    ],
)
def test_armour_in_any_other_form_is_refused(signer: SshSigner, change: object) -> None:
    assert callable(change)
    with pytest.raises(SignatureInvalid):
        verify(str(change(signer.sign(NAMESPACE, b"plan"))), NAMESPACE, b"plan")


def test_the_blob_is_refused_when_cut_or_longer(signer: SshSigner) -> None:
    blob = disarm(signer.sign(NAMESPACE, b"plan"))
    assert verify(armour(blob)[:0] + _wrapped(blob), NAMESPACE, b"plan") == signer.public_line
    for wrong in [blob[:length] for length in range(len(blob))] + [blob + b"\x00"]:
        with pytest.raises(SignatureInvalid):
            verify(_wrapped(wrong), NAMESPACE, b"plan")


def _wrapped(blob: bytes) -> str:
    text = base64.b64encode(blob).decode()
    lines = [text[at : at + 76] for at in range(0, len(text), 76)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *lines, "-----END SSH SIGNATURE-----"])


def _made_by_hand(
    private: Ed25519PrivateKey,
    *,
    reserved: bytes = b"",
    digest: bytes = b"sha512",
    version: int = 1,
    key: bytes | None = None,
) -> str:
    import hashlib

    public = string(b"ssh-ed25519") + string(key or private.public_key().public_bytes_raw())
    hashed = hashlib.new(digest.decode() if digest in (b"sha256", b"sha512", b"sha1") else "sha512", b"plan").digest()
    tail = string(NAMESPACE.encode()) + string(reserved) + string(digest)
    signature = private.sign(b"SSHSIG" + tail + string(hashed))
    blob = b"SSHSIG" + version.to_bytes(4, "big") + string(public) + tail
    return _wrapped(blob + string(string(b"ssh-ed25519") + string(signature)))


def test_sha256_signatures_are_accepted() -> None:
    verify(_made_by_hand(Ed25519PrivateKey.generate(), digest=b"sha256"), NAMESPACE, b"plan")


@pytest.mark.parametrize("options", [{"reserved": b"x"}, {"digest": b"sha1"}, {"digest": b"md7"}, {"version": 2}])
def test_what_the_format_does_not_know_is_refused(options: dict[str, bytes]) -> None:
    with pytest.raises(SignatureInvalid):
        verify(_made_by_hand(Ed25519PrivateKey.generate(), **options), NAMESPACE, b"plan")  # pyright: ignore[reportArgumentType]


def test_another_key_in_the_blob_is_refused() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(SignatureInvalid, match="does not fit"):
        verify(_made_by_hand(Ed25519PrivateKey.generate(), key=other), NAMESPACE, b"plan")


def test_a_signature_by_another_type_of_key_is_refused_by_name(signer: SshSigner) -> None:
    blob = disarm(signer.sign(NAMESPACE, b"plan"))
    at = len(b"SSHSIG") + 4
    public = string(b"ssh-rsa") + string(b"\x01\x00\x01") + string(b"\x00" * 256)
    rest = blob[at + 4 + int.from_bytes(blob[at : at + 4], "big") :]
    with pytest.raises(SignatureInvalid, match="ssh-rsa"):
        verify(_wrapped(blob[:at] + string(public) + rest), NAMESPACE, b"plan")


WEAK_POINTS = [
    y.to_bytes(32, "little")
    for base in sorted(sshsig._WEAK_Y)  # pyright: ignore[reportPrivateUsage]
    for y in {base, base | 1 << 255}
]


@pytest.mark.parametrize("key", WEAK_POINTS)
def test_a_key_that_signs_everything_is_refused(key: bytes) -> None:
    line = "ssh-ed25519 " + base64.b64encode(string(b"ssh-ed25519") + string(key)).decode()
    with pytest.raises(KeyMalformed, match="weak point"):
        check_public_line(line)
    with pytest.raises(SignatureInvalid, match="weak point"):
        verify(_made_by_hand(Ed25519PrivateKey.generate(), key=key), NAMESPACE, b"plan")


def test_the_weak_points_are_those_whose_order_divides_eight() -> None:
    prime = 2**255 - 19
    d = -121665 * pow(121666, -1, prime) % prime

    def root(square: int) -> int | None:
        candidate = pow(square, (prime + 3) // 8, prime)
        for value in (candidate, candidate * pow(2, (prime - 1) // 4, prime) % prime):
            if value * value % prime == square:
                return value
        return None

    for y in sorted(sshsig._WEAK_Y):  # pyright: ignore[reportPrivateUsage]
        x = root((y * y - 1) * pow(d * y * y + 1, -1, prime) % prime)
        assert x is not None
        for _ in range(3):
            product = d * x * x * y * y % prime
            x, y = (
                2 * x * y * pow(1 + product, -1, prime) % prime,
                (y * y + x * x) * pow(1 - product, -1, prime) % prime,
            )
        assert (x, y) == (0, 1)


def test_a_generated_key_is_private_and_has_its_public_line_beside_it(tmp_path: Path) -> None:
    line = generate_key_pair(tmp_path / "keys" / "signer", "two words")
    assert stat.S_IMODE((tmp_path / "keys" / "signer").stat().st_mode) == 0o600
    assert (tmp_path / "keys" / "signer.pub").read_text() == f"{line} two words\n"
    assert SshSigner.load(tmp_path / "keys" / "signer").public_line == line


@pytest.mark.parametrize("name", ["signer", "signer.pub"])
def test_a_key_is_never_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("precious")
    with pytest.raises(KeyExists):
        generate_key_pair(tmp_path / "signer", "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "precious"


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing, match="nobody"):
        SshSigner.load(tmp_path / "nobody")


@pytest.mark.parametrize("text", [b"", b"not a key", b"x" * 20_000, b"ssh-ed25519 AAAA"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "signer").write_bytes(text)
    with pytest.raises(KeyMalformed):
        SshSigner.load(tmp_path / "signer")


def test_a_cut_key_is_refused(tmp_path: Path) -> None:
    generate_key_pair(tmp_path / "good", "")
    text = (tmp_path / "good").read_bytes()
    for length in range(0, len(text) - 1, 3):
        (tmp_path / "signer").write_bytes(text[:length])
        with pytest.raises(KeyMalformed):
            SshSigner.load(tmp_path / "signer")


def test_a_key_of_another_type_is_refused_by_name(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "signer").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    with pytest.raises(KeyMalformed, match="expected ed25519"):
        SshSigner.load(tmp_path / "signer")


def test_a_public_line_loses_its_comment(signer: SshSigner) -> None:
    assert check_public_line(f"  {signer.public_line} a comment of words\n") == signer.public_line


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-rsa AAAAB3NzaC1yc2E=",
        "ssh-ed25519 " + base64.b64encode(string(b"ssh-rsa") + string(bytes(32))).decode(),
        "ssh-ed25519 " + base64.b64encode(string(b"ssh-ed25519") + string(b"\x09" * 31)).decode(),
        "ssh-ed25519 " + base64.b64encode(string(b"ssh-ed25519") + string(b"\x09" * 32) + b"x").decode(),
        'namespaces="file" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOPQ',
        "x" * 5000,
    ],
)
def test_a_malformed_public_line_is_refused(text: str) -> None:
    with pytest.raises(KeyMalformed):
        check_public_line(text)


def test_two_public_lines_at_once_are_refused(signer: SshSigner) -> None:
    with pytest.raises(KeyMalformed):
        check_public_line(f"{signer.public_line}\n{signer.public_line}")


def test_the_frozen_signature_is_made_and_accepted_as_before(tmp_path: Path) -> None:
    (tmp_path / "signer").write_text(VECTOR["private_key"])
    signer = SshSigner.load(tmp_path / "signer")
    payload = VECTOR["payload"].encode()
    assert signer.public_line == VECTOR["public_line"]
    assert signer.fingerprint == fingerprint(VECTOR["public_line"]) == VECTOR["fingerprint"]
    # Ed25519 has no randomness: the same key and payload give the same bytes for ever.
    assert signer.sign(VECTOR["namespace"], payload) == VECTOR["signature"]
    assert verify(VECTOR["signature"], VECTOR["namespace"], payload) == VECTOR["public_line"]
