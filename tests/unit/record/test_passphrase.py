import subprocess
from pathlib import Path

import pytest

from packtrain.crypto import age, age_recipients
from packtrain.documents.codec import encode
from packtrain.documents.parties import Role
from packtrain.documents.plan import Plan
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import AgeFormatError, KeyMalformed, KeyMissing, VoyageFileError, WrongKey
from packtrain.record import keys
from packtrain.record.envelopes import recipients_digest, renew_envelopes, write_envelopes
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.passphrase import read_passphrase
from sample_documents import samples
from three_parties import three_parties

WORDS = "correct mule battery staple"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Role, VoyageFolder]:
    # What is sealed here is opened here: a real work factor would only cost time.
    monkeypatch.setattr(age_recipients.Passphrase.__init__, "__defaults__", (4,))
    return three_parties(tmp_path)


def set_keys(folder: VoyageFolder, section: str) -> None:
    path = folder.root / VOYAGE_FILE
    path.write_text(path.read_text().partition("\n[keys]")[0] + f"\n[keys]\n{section}\n")


class Person:
    """Types what it was told to, and remembers what it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[bool] = []

    def __call__(self, prompt: str, *, twice: bool) -> str:
        assert "passphrase" in prompt
        self.asked.append(twice)
        return self.text


def seal(folder: VoyageFolder) -> ShipmentKey:
    """Write a plan and the envelopes of a key of it."""
    plan = samples()[Plan]
    assert isinstance(plan, Plan)
    folder.write(plan)
    key = ShipmentKey(shipment=plan.shipment, plan=folder.digest(Plan), identity=age.generate_identity())
    write_envelopes(folder, key, folder.work / "recipients")
    return key


def own(folder: VoyageFolder, identity: age.Identity) -> ShipmentKey:
    path = folder.keys / keys.CONSIGNOR_ENVELOPE
    plan = folder.read(Plan)
    return keys.open_inner(
        path.read_bytes(),
        identity,
        folder.trust(),
        "own",
        shipment=plan.shipment,
        plan=folder.digest(Plan),
        role="consignor",
    )


def test_a_passphrase_comes_from_the_first_line_of_a_file(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    (home.root / "secret").write_bytes(WORDS.encode() + b"\r\nmore\n")
    set_keys(home, 'passphrase_file = "secret"')
    assert read_passphrase(home, is_new=True).text == WORDS


def test_a_passphrase_comes_from_a_variable(folders: dict[Role, VoyageFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    home = folders["consignor"]
    monkeypatch.setenv("VOYAGE_WORDS", WORDS)
    set_keys(home, 'passphrase_env = "VOYAGE_WORDS"')
    assert read_passphrase(home, is_new=True).text == WORDS


def test_a_person_is_asked_twice_for_a_new_one_only(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    home.ask_passphrase = person = Person(WORDS)
    assert read_passphrase(home, is_new=True) == read_passphrase(home, is_new=False)
    assert person.asked == [True, False]


@pytest.mark.parametrize(
    ("section", "error"),
    [
        ("", KeyMissing),
        ('passphrase_file = "nowhere"', KeyMissing),
        ('passphrase_env = "PACKTRAIN_NOT_SET"', KeyMissing),
        ('passphrase_file = "binary"', KeyMalformed),
        ('passphrase_file = "long"', KeyMalformed),
        ('passphrase_file = "empty"', KeyMalformed),
        ('passphrase_file = "short"', KeyMalformed),
        ('passphrase_file = "short"\npassphrase_env = "X"', VoyageFileError),
    ],
)
def test_a_passphrase_that_is_none_is_refused(
    folders: dict[Role, VoyageFolder], section: str, error: type[Exception]
) -> None:
    home = folders["consignor"]
    (home.root / "binary").write_bytes(b"\xff\xfe\n")
    (home.root / "long").write_bytes(b"x" * 5000)
    (home.root / "empty").write_bytes(b"\n")
    (home.root / "short").write_bytes(b"elevenchars\n")
    set_keys(home, section)
    with pytest.raises(error) as caught:
        read_passphrase(home, is_new=True)
    assert "elevenchars" not in str(caught.value)


def test_a_short_one_still_opens_what_was_sealed_with_it(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    home.ask_passphrase = Person("short")
    assert read_passphrase(home, is_new=False).text == "short"


def test_the_consignors_envelope_is_sealed_with_the_passphrase_and_the_sites_as_ever(
    folders: dict[Role, VoyageFolder],
) -> None:
    home = folders["consignor"]
    home.ask_passphrase = Person(WORDS)
    set_keys(home, 'envelope = "passphrase"')
    key = seal(home)
    assert own(home, age.Passphrase(WORDS)) == key
    with pytest.raises(WrongKey, match="sealed with a passphrase"):
        own(home, home.identity())
    assert not keys.needs_passphrase((home.keys / keys.SITE_ENVELOPE).read_bytes(), "site")


def test_another_kind_of_envelope_is_another_set_of_recipients(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    before = recipients_digest(home)
    set_keys(home, 'envelope = "recipient"')
    assert recipients_digest(home) == before
    set_keys(home, 'envelope = "passphrase"')
    assert recipients_digest(home) != before


def test_changing_the_kind_seals_the_same_key_anew(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    home.ask_passphrase = person = Person(WORDS)
    key = seal(home)
    marker, shipment = home.work / "recipients", home.read(Plan).shipment
    set_keys(home, 'envelope = "passphrase"')
    renew_envelopes(home, shipment, marker)
    assert own(home, age.Passphrase(WORDS)) == key
    set_keys(home, 'envelope = "recipient"')
    renew_envelopes(home, shipment, marker)
    assert own(home, home.identity()) == key
    assert person.asked == [True, False]
    renew_envelopes(home, shipment, marker)
    assert person.asked == [True, False], "nothing changed, so nobody is asked"


def test_new_recipients_at_the_site_ask_for_the_passphrase_once(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    home.ask_passphrase = person = Person(WORDS)
    set_keys(home, 'envelope = "passphrase"')
    key = seal(home)
    old = folders["operator"].identity()
    path = home.root / VOYAGE_FILE
    path.write_text(path.read_text().replace(age.recipient_of(old), age.recipient_of(age.generate_identity())))
    sync_parties(home)
    renew_envelopes(home, home.read(Plan).shipment, home.work / "recipients")
    assert person.asked == [True, False]
    assert own(home, age.Passphrase(WORDS)) == key
    with pytest.raises(WrongKey):
        keys.open_outer((home.keys / keys.SITE_ENVELOPE).read_bytes(), old, "site")


def test_an_envelope_that_is_none_is_named(folders: dict[Role, VoyageFolder]) -> None:
    with pytest.raises(AgeFormatError, match="key envelope cannot be opened") as caught:
        keys.needs_passphrase(b"x", "keys/shipment.consignor.age")
    assert caught.value.where == "keys/shipment.consignor.age"


def test_parties_with_ssh_keys_open_their_layers(folders: dict[Role, VoyageFolder]) -> None:
    for folder in folders.values():
        set_keys(folder, 'identity = "keys/signer"')
    for folder in folders.values():
        path = folder.root / VOYAGE_FILE
        text = path.read_text()
        for other in folders.values():
            x25519 = other.keys / "identity.txt"
            text = text.replace(age.recipient_of(x25519.read_text().split()[-1]), other.signer().public_line)
        path.write_text(text)
        sync_parties(folder)
    home = folders["consignor"]
    assert {party.recipient for party in home.parties().parties} == {
        folder.signer().public_line for folder in folders.values()
    }
    key = seal(home)
    assert own(home, home.identity()) == key
    outer = (home.keys / keys.SITE_ENVELOPE).read_bytes()
    inner = keys.open_outer(outer, folders["operator"].identity(), "outer")
    plan = home.read(Plan)
    consignee = folders["consignee"]
    assert key == keys.open_inner(
        inner,
        consignee.identity(),
        consignee.trust(),
        "inner",
        shipment=plan.shipment,
        plan=home.digest(Plan),
        role="consignee",
    )
    assert encode(key) not in outer


def test_the_public_page_follows_the_key_that_is_used(folders: dict[Role, VoyageFolder]) -> None:
    operator = folders["operator"]
    assert 'recipient = "age1' in (operator.keys / "party.toml").read_text()
    path = operator.root / VOYAGE_FILE
    path.write_text(path.read_text().partition("[parties")[0] + '[keys]\nidentity = "keys/signer"\n')
    sync_parties(operator)
    assert f'recipient = "{operator.signer().public_line}"' in (operator.keys / "party.toml").read_text()


@pytest.mark.needs_ssh_keygen
def test_an_ssh_key_with_a_passphrase_is_named_with_its_file(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", WORDS, "-f", str(home.keys / "locked")]
    subprocess.run(command, check=True)
    set_keys(home, 'identity = "keys/locked"')
    with pytest.raises(KeyMalformed, match="has a passphrase") as caught:
        home.identity()
    assert caught.value.where == str(home.keys / "locked")


def test_a_mistyped_recipient_of_another_party_is_named(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    recipient = age.recipient_of(folders["operator"].identity())
    wrong = recipient[:-1] + ("q" if recipient[-1] != "q" else "p")
    path = home.root / VOYAGE_FILE
    path.write_text(path.read_text().replace(recipient, wrong))
    with pytest.raises(KeyMalformed, match=r"parties\.operator"):
        sync_parties(home)
