"""Envelopes to an SSH key and with a passphrase. The passphrases are stretched a little only: this is no vault."""

import json
import time
from pathlib import Path

import pytest

from packtrain.crypto import age
from packtrain.crypto.age_recipients import Stanza, check_stanzas, unwrap, wrap
from packtrain.crypto.sshsig import generate_key_pair
from packtrain.errors import AgeFormatError, KeyMalformed, PacktrainError, WrongKey

VECTORS = Path(__file__).parents[2] / "vectors" / "age"
ABOUT = json.loads((VECTORS / "vectors.json").read_text())
SSH = (VECTORS / "ssh-key").read_text()
SSH_RECIPIENT = age.recipient_of(SSH)
QUICK = age.Passphrase("correct mule battery staple", 4)
X25519 = age.generate_identity()
FILE_KEY = bytes(range(16))


def opener(name: str) -> age.Identity:
    keys: dict[str, age.Identity] = {
        "x25519": ABOUT["identity"],
        "ssh": SSH,
        "passphrase": age.Passphrase(ABOUT["passphrase"]),
    }
    return keys[name]


@pytest.fixture
def other_ssh(tmp_path: Path) -> str:
    generate_key_pair(tmp_path / "other", "")
    return (tmp_path / "other").read_text()


@pytest.mark.parametrize("recipient", [SSH_RECIPIENT, QUICK], ids=["ssh", "passphrase"])
def test_what_was_sealed_comes_back(recipient: age.Recipient) -> None:
    identity = QUICK if isinstance(recipient, age.Passphrase) else SSH
    assert age.decrypt_bytes(age.encrypt_bytes(b"key", [recipient]), [identity]) == b"key"


def test_an_envelope_to_both_kinds_of_key_is_opened_by_either() -> None:
    blob = age.encrypt_bytes(b"key", [age.recipient_of(X25519), SSH_RECIPIENT])
    assert age.decrypt_bytes(blob, [X25519]) == age.decrypt_bytes(blob, [SSH]) == b"key"


def test_a_comment_behind_the_ssh_key_does_not_matter() -> None:
    blob = age.encrypt_bytes(b"key", [f"{SSH_RECIPIENT} somebody@somewhere\n"])
    assert age.decrypt_bytes(blob, [SSH]) == b"key"


def test_another_ssh_key_is_a_wrong_key(other_ssh: str) -> None:
    with pytest.raises(WrongKey, match="1 ssh-ed25519"):
        age.decrypt_bytes(age.encrypt_bytes(b"key", [SSH_RECIPIENT]), [other_ssh])


def test_an_ssh_key_that_bears_the_same_tag_is_a_wrong_key(other_ssh: str) -> None:
    stanza = wrap(SSH_RECIPIENT, FILE_KEY)
    tag = wrap(age.recipient_of(other_ssh), FILE_KEY).arguments[0]
    same_tag = Stanza(stanza.kind, (tag, stanza.arguments[1]), stanza.body)
    assert unwrap(other_ssh, (same_tag,)) is None
    assert unwrap(SSH, (stanza,)) == FILE_KEY


@pytest.mark.parametrize("text", ["correct mule battery stapl", "Correct mule battery staple", ""])
def test_another_passphrase_is_a_wrong_key(text: str) -> None:
    blob = age.encrypt_bytes(b"key", [QUICK])
    with pytest.raises(WrongKey, match=r"sealed with a passphrase .*found another one"):
        age.decrypt_bytes(blob, [age.Passphrase(text)])


def test_a_key_where_a_passphrase_is_needed_says_so() -> None:
    with pytest.raises(WrongKey, match=r"sealed with a passphrase .*found none"):
        age.decrypt_bytes(age.encrypt_bytes(b"key", [QUICK]), [X25519, SSH])


def test_a_passphrase_opens_nothing_that_is_sealed_to_keys() -> None:
    with pytest.raises(WrongKey):
        age.decrypt_bytes(age.encrypt_bytes(b"key", [SSH_RECIPIENT]), [QUICK])


@pytest.mark.parametrize("recipient", [SSH_RECIPIENT, QUICK], ids=["ssh", "passphrase"])
def test_a_volume_is_neither_for_an_ssh_key_nor_a_passphrase(recipient: age.Recipient) -> None:
    import io

    blob = age.encrypt_bytes(b"volume", [recipient])
    with pytest.raises(AgeFormatError, match="exactly one X25519"):
        age.DecryptReader(io.BytesIO(blob), [SSH, QUICK], strict_single_x25519=True)


def test_one_flipped_bit_anywhere_is_refused() -> None:
    for recipient, identity in (
        (SSH_RECIPIENT, SSH),
        (age.Passphrase("correct mule", 1), age.Passphrase("correct mule")),
    ):
        blob = age.encrypt_bytes(b"key", [recipient])
        for bit in range(8 * len(blob)):
            if isinstance(recipient, age.Passphrase) and 8 * 22 <= bit < 8 * 64:
                continue  # the words of the stanza's first line: a flipped work factor may ask for seconds
            wrong = bytearray(blob)
            wrong[bit // 8] ^= 1 << bit % 8
            with pytest.raises((AgeFormatError, WrongKey)):
                age.decrypt_bytes(bytes(wrong), [identity])


def test_an_empty_passphrase_seals_nothing() -> None:
    with pytest.raises(KeyMalformed, match="empty"):
        age.encrypt_bytes(b"key", [age.Passphrase("")])


def test_a_passphrase_is_never_shown() -> None:
    assert QUICK.text not in repr(QUICK)


def test_no_error_repeats_an_ssh_key() -> None:
    body = SSH.splitlines()[1]
    with pytest.raises(KeyMalformed) as caught:
        age.recipient_of(SSH.replace("BEGIN OPENSSH", "BEGIN CLOSED"))
    assert body[:20] not in repr(caught.value.to_dict())


def test_a_weak_ssh_key_is_no_recipient() -> None:
    weak = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
    for check in (age.check_recipient, lambda text: age.encrypt_bytes(b"", [text])):
        with pytest.raises(KeyMalformed, match="weak point"):
            check(weak)


def test_what_is_typed_into_voyage_toml_is_checked_and_trimmed() -> None:
    assert age.check_recipient(f" {SSH_RECIPIENT} me@here\n") == SSH_RECIPIENT


def test_a_file_says_whether_it_needs_a_passphrase_without_work() -> None:
    costly = (VECTORS / "reject" / "passphrase-work-factor-wrong.age").read_bytes()
    assert age.is_passphrase_file(costly)
    assert not age.is_passphrase_file(age.encrypt_bytes(b"", [SSH_RECIPIENT]))
    with pytest.raises(AgeFormatError):
        age.is_passphrase_file(b"no age file")


def test_stanzas_of_kinds_that_are_not_known_are_passed_over() -> None:
    check_stanzas((Stanza("piv-p256", ("x",), b""), wrap(SSH_RECIPIENT, FILE_KEY)))


@pytest.mark.parametrize("name", sorted(ABOUT["opened_by"]))
def test_every_accept_vector_opens_with_what_is_named_for_it(name: str) -> None:
    blob = (VECTORS / name).read_bytes()
    expected = ABOUT["plaintext"][name] * ABOUT["times"].get(name, 1)
    assert age.decrypt_bytes(blob, [opener(ABOUT["opened_by"][name])]) == expected.encode()


def test_the_identity_of_the_vectors_has_the_recipient_they_name() -> None:
    assert age.recipient_of(ABOUT["identity"]) == ABOUT["recipient"]


def test_every_reject_vector_is_described() -> None:
    assert {path.name for path in (VECTORS / "reject").glob("*.age")} == set(ABOUT["reject"])


@pytest.mark.parametrize("name", sorted(ABOUT["reject"]))
def test_every_reject_vector_is_refused_at_once(name: str) -> None:
    about = ABOUT["reject"][name]
    started = time.monotonic()
    with pytest.raises(PacktrainError) as caught:
        age.decrypt_bytes((VECTORS / "reject" / name).read_bytes(), [opener(about["opened_by"])])
    assert type(caught.value).__name__ == about["error"]
    # A work factor of 21 takes some seconds on a fast machine, one of 63 for ever.
    assert time.monotonic() - started < 2
