from pathlib import Path

import pytest
import rfc8785

from packtrain.crypto import age
from packtrain.documents.codec import encode, namespace
from packtrain.documents.parties import Parties, Role
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import AgeFormatError, DocumentError, KeyMissing, SignatureInvalid, UntrustedSigner, WrongKey
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder
from sample_documents import SHIPMENT, sha256
from three_parties import three_parties

PLAN = sha256("1")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, VoyageFolder]:
    return three_parties(tmp_path_factory.mktemp("voyage"))


@pytest.fixture(scope="module")
def key() -> ShipmentKey:
    return ShipmentKey(shipment=SHIPMENT, plan=PLAN, identity=age.generate_identity())


@pytest.fixture(scope="module")
def envelopes(folders: dict[Role, VoyageFolder], key: ShipmentKey) -> dict[str, bytes]:
    return keys.wrap(key, folders["consignor"].signer(), folders["consignor"].parties())


def _open(folder: VoyageFolder, envelope: bytes, *, shipment: str = SHIPMENT, plan: str = PLAN) -> ShipmentKey:
    role: Role = folder.voyage_file().voyage.role
    return keys.open_inner(envelope, folder.identity(), folder.trust(), "here", shipment=shipment, plan=plan, role=role)


def test_the_consignor_opens_its_envelope(
    folders: dict[Role, VoyageFolder], envelopes: dict[str, bytes], key: ShipmentKey
) -> None:
    assert _open(folders["consignor"], envelopes[keys.CONSIGNOR_ENVELOPE]) == key


def test_the_site_opens_its_envelope_in_two_steps(
    folders: dict[Role, VoyageFolder], envelopes: dict[str, bytes], key: ShipmentKey
) -> None:
    release = keys.open_outer(envelopes[keys.SITE_ENVELOPE], folders["operator"].identity(), "here")

    assert _open(folders["consignee"], release) == key


def test_neither_side_of_the_site_opens_the_envelope_alone(
    folders: dict[Role, VoyageFolder], envelopes: dict[str, bytes]
) -> None:
    sealed = envelopes[keys.SITE_ENVELOPE]
    with pytest.raises(WrongKey):
        _open(folders["consignee"], sealed)
    release = keys.open_outer(sealed, folders["operator"].identity(), "here")
    with pytest.raises(WrongKey):
        _open(folders["operator"], release)


def test_a_wrong_identity_is_told_which_recipient_it_is(
    folders: dict[Role, VoyageFolder], envelopes: dict[str, bytes]
) -> None:
    identity = folders["consignee"].identity()

    with pytest.raises(WrongKey, match="this operator's key does not open the envelope") as caught:
        keys.open_outer(envelopes[keys.SITE_ENVELOPE], identity, "shipment.site.age")

    assert caught.value.where == "shipment.site.age"
    assert age.recipient_of(identity) in (caught.value.expected or "")
    assert identity not in caught.value.message


@pytest.mark.parametrize(
    ("shipment", "plan"), [("00000000-0000-4000-8000-000000000009", PLAN), (SHIPMENT, sha256("2"))]
)
def test_the_key_of_another_shipment_or_attempt_is_refused(
    folders: dict[Role, VoyageFolder], envelopes: dict[str, bytes], shipment: str, plan: str
) -> None:
    with pytest.raises(WrongKey, match="another shipment or attempt"):
        _open(folders["consignor"], envelopes[keys.CONSIGNOR_ENVELOPE], shipment=shipment, plan=plan)


def test_an_envelope_that_somebody_else_made_is_refused(folders: dict[Role, VoyageFolder], key: ShipmentKey) -> None:
    # Recipients are public: anybody can encrypt to the consignee. The signature inside is what counts.
    forged = keys.wrap(key, folders["operator"].signer(), folders["consignor"].parties())
    release = keys.open_outer(forged[keys.SITE_ENVELOPE], folders["operator"].identity(), "here")

    with pytest.raises(UntrustedSigner):
        _open(folders["consignee"], release)


def test_a_key_that_was_changed_after_signing_is_refused(folders: dict[Role, VoyageFolder], key: ShipmentKey) -> None:
    consignor = folders["consignor"]
    signature = consignor.signer().sign(namespace(ShipmentKey), encode(key))
    other = ShipmentKey(shipment=SHIPMENT, plan=PLAN, identity=age.generate_identity())
    body = rfc8785.dumps({"key": encode(other).decode(), "signature": signature})
    envelope = age.encrypt_bytes(body, [age.recipient_of(consignor.identity())])

    with pytest.raises(SignatureInvalid):
        _open(consignor, envelope)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"key":"x"}', b'{"key":"x","signature":"y","more":1}'])
def test_an_envelope_that_holds_something_else_is_refused(folders: dict[Role, VoyageFolder], body: bytes) -> None:
    envelope = age.encrypt_bytes(body, [age.recipient_of(folders["consignor"].identity())])

    with pytest.raises(DocumentError):
        _open(folders["consignor"], envelope)


def test_values_of_another_type_in_an_envelope_are_refused(folders: dict[Role, VoyageFolder]) -> None:
    envelope = age.encrypt_bytes(b'{"key":{},"signature":[1]}', [age.recipient_of(folders["consignor"].identity())])

    with pytest.raises((DocumentError, SignatureInvalid)):
        _open(folders["consignor"], envelope)


def test_every_altered_byte_of_an_envelope_is_noticed(
    folders: dict[Role, VoyageFolder], envelopes: dict[str, bytes]
) -> None:
    envelope = envelopes[keys.CONSIGNOR_ENVELOPE]
    for position in range(0, len(envelope), 7):
        changed = bytearray(envelope)
        changed[position] ^= 1
        with pytest.raises((AgeFormatError, WrongKey)):
            _open(folders["consignor"], bytes(changed))


def test_without_a_named_site_there_is_no_envelope_for_it(folders: dict[Role, VoyageFolder], key: ShipmentKey) -> None:
    parties = folders["consignor"].parties()
    alone = Parties(voyage=parties.voyage, parties=parties.parties[:1])

    assert set(keys.wrap(key, folders["consignor"].signer(), alone)) == {keys.CONSIGNOR_ENVELOPE}


def test_without_a_consignor_nothing_is_wrapped(folders: dict[Role, VoyageFolder], key: ShipmentKey) -> None:
    parties = folders["consignor"].parties()
    others = Parties(voyage=parties.voyage, parties=parties.parties[1:])

    with pytest.raises(KeyMissing, match="no consignor"):
        keys.wrap(key, folders["consignor"].signer(), others)


def test_the_identity_is_in_no_envelope_in_the_clear(envelopes: dict[str, bytes], key: ShipmentKey) -> None:
    assert all(key.identity.encode() not in envelope for envelope in envelopes.values())


def test_an_envelope_that_is_not_there_is_a_missing_key(tmp_path: Path) -> None:
    with pytest.raises(KeyMissing) as caught:
        keys.read_envelope(tmp_path / "release.age", "run admit first")

    assert caught.value.hint == "run admit first"


def test_an_envelope_longer_than_any_is_refused(tmp_path: Path) -> None:
    (tmp_path / "release.age").write_bytes(bytes(keys.MAX_ENVELOPE_BYTES + 1))

    with pytest.raises(DocumentError, match="too long"):
        keys.read_envelope(tmp_path / "release.age", "")


def test_a_destroyed_key_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "release.age"
    path.write_bytes(b"secret")

    assert keys.destroy(path)
    assert not path.exists()
    assert not keys.destroy(path)


def test_a_destroyed_key_was_overwritten_first(tmp_path: Path) -> None:
    path = tmp_path / "release.age"
    path.write_bytes(b"secret")
    other_name = tmp_path / "other-name"
    other_name.hardlink_to(path)

    keys.destroy(path)

    assert other_name.read_bytes() == bytes(6)


def test_an_envelope_that_is_damaged_says_which_and_what_to_do() -> None:
    with pytest.raises(AgeFormatError, match=r"key envelope cannot be opened") as caught:
        keys.open_outer(b"garbage", age.generate_identity(), "keys/shipment.site.age")
    assert caught.value.where == "keys/shipment.site.age"
    assert caught.value.hint
