from pathlib import Path

import pytest

from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document, encode, namespace
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.disposition import Disposition
from packtrain.documents.parties import ROLES, SIGNING_RIGHTS, Parties, Party, Role
from packtrain.documents.plan import Plan
from packtrain.errors import DocumentError, SignatureInvalid, SignatureMissing, UntrustedSigner
from packtrain.record.trust import Trust
from sample_documents import RECIPIENT, document_types, samples

SAMPLES = samples()


def _signer(folder: Path) -> SshSigner:
    generate_key_pair(folder / "key", "")
    return SshSigner.load(folder / "key")


@pytest.fixture(scope="module")
def signers(tmp_path_factory: pytest.TempPathFactory) -> dict[Role, SshSigner]:
    return {role: _signer(tmp_path_factory.mktemp(role)) for role in ROLES}


@pytest.fixture(scope="module")
def trust(signers: dict[Role, SshSigner]) -> Trust:
    return _trust(signers)


def _trust(signers: dict[Role, SshSigner]) -> Trust:
    members = (
        Party(role=role, name=role, signer=signer.public_line, recipient=RECIPIENT) for role, signer in signers.items()
    )
    return Trust(Parties(voyage="x", parties=tuple(members)))


def _signed(signer: SshSigner, kind: type[Document]) -> tuple[bytes, bytes]:
    payload = encode(SAMPLES[kind])
    return payload, signer.sign(namespace(kind), payload).encode()


@pytest.mark.parametrize("kind", document_types(), ids=lambda kind: kind.kind)
def test_a_document_is_opened_for_the_roles_that_may_sign_it_and_no_other(
    trust: Trust, signers: dict[Role, SshSigner], kind: type[Document]
) -> None:
    for role, signer in signers.items():
        payload, signature = _signed(signer, kind)
        if kind.kind in SIGNING_RIGHTS[role]:
            assert trust.open(kind, payload, signature, "here") == SAMPLES[kind]
        else:
            with pytest.raises(UntrustedSigner, match="does not name for it"):
                trust.open(kind, payload, signature, "here")


def test_a_missing_signature_is_refused(trust: Trust) -> None:
    with pytest.raises(SignatureMissing, match=r"here: document has no signature"):
        trust.open(Plan, encode(SAMPLES[Plan]), None, "here")


def test_a_stranger_is_refused_and_the_fingerprints_to_compare_are_named(
    trust: Trust, signers: dict[Role, SshSigner], tmp_path: Path
) -> None:
    stranger = _signer(tmp_path)

    with pytest.raises(UntrustedSigner) as caught:
        trust.open(Plan, *_signed(stranger, Plan), "here")

    assert caught.value.found == stranger.fingerprint
    assert caught.value.expected == f"consignor {signers['consignor'].fingerprint}"


def test_a_party_that_is_not_there_is_said_not_to_be_there(signers: dict[Role, SshSigner]) -> None:
    trust = _trust({"consignor": signers["consignor"]})

    with pytest.raises(UntrustedSigner, match=r"operator \(not named in parties\.json\)"):
        trust.open(Admission, *_signed(signers["operator"], Admission), "here")


def test_a_signature_for_another_kind_of_document_is_refused(trust: Trust, signers: dict[Role, SshSigner]) -> None:
    payload = encode(SAMPLES[Plan])
    signature = signers["consignor"].sign("packtrain-shipment@v1", payload).encode()

    with pytest.raises(SignatureInvalid, match="another purpose"):
        trust.open(Plan, payload, signature, "here")


def test_a_signature_of_another_version_is_refused(trust: Trust, signers: dict[Role, SshSigner]) -> None:
    payload = encode(SAMPLES[Plan])
    signature = signers["consignor"].sign("packtrain-plan@v2", payload).encode()

    with pytest.raises(SignatureInvalid, match="another purpose"):
        trust.open(Plan, payload, signature, "here")


def test_every_flipped_byte_of_a_document_breaks_its_signature(trust: Trust, signers: dict[Role, SshSigner]) -> None:
    payload, signature = _signed(signers["consignor"], Plan)
    for position in range(len(payload)):
        changed = bytearray(payload)
        changed[position] ^= 1
        with pytest.raises(SignatureInvalid, match="here: "):
            trust.open(Plan, bytes(changed), signature, "here")


@pytest.mark.parametrize("signature", [b"", b"\xff", b"-----BEGIN SSH SIGNATURE-----\n", b"A" * 20_000])
def test_what_is_no_signature_is_refused_with_its_place(trust: Trust, signature: bytes) -> None:
    with pytest.raises(SignatureInvalid, match=r"^here: "):
        trust.open(Plan, encode(SAMPLES[Plan]), signature, "here")


def test_the_signature_is_checked_before_the_document_is_parsed(trust: Trust) -> None:
    with pytest.raises(SignatureMissing):
        trust.open(Plan, b"{" * 10_000, None, "here")


def test_signed_nonsense_is_still_refused(trust: Trust, signers: dict[Role, SshSigner]) -> None:
    payload = b'{"type":"packtrain.plan","version":1}'
    signature = signers["consignor"].sign(namespace(Plan), payload).encode()

    with pytest.raises(DocumentError):
        trust.open(Plan, payload, signature, "here")


def test_one_person_may_play_two_parties(signers: dict[Role, SshSigner]) -> None:
    one = signers["operator"]
    trust = _trust({"consignor": signers["consignor"], "operator": one, "consignee": one})

    roles = trust.signer_role(CustodyEvent, *_signed(one, CustodyEvent), "here")

    assert roles == {"operator", "consignee"}


def test_a_reviewer_signs_for_its_party_what_reviewers_sign_and_nothing_else(
    signers: dict[Role, SshSigner], tmp_path: Path
) -> None:
    second = _signer(tmp_path)
    party = Party(
        role="operator",
        name="operator",
        signer=signers["operator"].public_line,
        recipient=RECIPIENT,
        reviewer=second.public_line,
    )
    trust = Trust(Parties(voyage="x", parties=(party,)))

    assert trust.signer(Disposition, *_signed(second, Disposition), "here") == (second.public_line, {"operator"})
    with pytest.raises(UntrustedSigner, match="does not name for it"):
        trust.open(Admission, *_signed(second, Admission), "here")
