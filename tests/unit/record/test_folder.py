from pathlib import Path

import pytest

from packtrain import durable
from packtrain.crypto import age
from packtrain.documents.parties import Parties, Role
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    DocumentError,
    KeyMalformed,
    KeyMissing,
    NotAVoyage,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    VoyageFileError,
)
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.stages.init import party_toml
from sample_documents import samples
from three_parties import three_parties

PLAN = samples()[Plan]


@pytest.fixture
def folders(tmp_path: Path) -> dict[Role, VoyageFolder]:
    return three_parties(tmp_path)


@pytest.fixture
def consignor(folders: dict[Role, VoyageFolder]) -> VoyageFolder:
    return folders["consignor"]


def _set_parties(folder: VoyageFolder, text: str) -> None:
    (folder.root / VOYAGE_FILE).write_text('[voyage]\nname = "test voyage"\nrole = "consignor"\n' + text)


def test_a_folder_without_voyage_toml_is_no_voyage(tmp_path: Path) -> None:
    with pytest.raises(NotAVoyage) as caught:
        VoyageFolder(tmp_path / "nowhere")

    assert "packtrain init" in (caught.value.hint or "")


def test_a_folder_named_from_here_is_known_by_its_whole_path(
    folders: dict[Role, VoyageFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = folders["consignor"].root
    monkeypatch.chdir(whole)
    for root in (Path(), Path("../consignor")):
        folder = VoyageFolder(root)
        # Whichever way it is named: paths below it are digested, and a stage must not run again for another spelling.
        assert folder.root == whole.resolve()
        assert folder.work.is_absolute()


def test_a_folder_that_is_not_there_is_told_from_one_without_voyage_toml(tmp_path: Path) -> None:
    with pytest.raises(NotAVoyage, match="no such folder"):
        VoyageFolder(tmp_path / "nowhere")
    with pytest.raises(NotAVoyage, match=r"no voyage\.toml in this folder"):
        VoyageFolder(tmp_path)


def test_voyage_toml_is_read_anew_each_time(consignor: VoyageFolder) -> None:
    _set_parties(consignor, "[results]\nretention_years = 7\n")

    assert consignor.voyage_file().results.retention_years == 7


def test_a_typo_in_voyage_toml_is_named_with_the_path(consignor: VoyageFolder) -> None:
    _set_parties(consignor, "[result]\n")

    with pytest.raises(VoyageFileError, match=r"voyage\.toml: unknown field"):
        consignor.voyage_file()


def test_relative_paths_are_taken_from_the_voyage_folder(consignor: VoyageFolder) -> None:
    assert consignor.resolve("store") == consignor.root / "store"
    assert consignor.resolve("/srv/train") == Path("/srv/train")
    assert consignor.resolve("~/x").is_absolute()
    assert "~" not in str(consignor.resolve("~/x"))


def test_a_document_that_is_not_there_names_the_verb_that_writes_it(consignor: VoyageFolder) -> None:
    with pytest.raises(StageNotReady) as caught:
        consignor.read_signed(Plan)

    assert caught.value.hint == 'run "packtrain pack" first'


def test_a_signed_document_comes_back(consignor: VoyageFolder) -> None:
    digest = consignor.write_signed(PLAN, consignor.signer())

    assert consignor.has(Plan)
    assert consignor.digest(Plan) == digest
    assert consignor.read_signed(Plan) == PLAN


def test_a_document_without_its_signature_is_not_read(consignor: VoyageFolder) -> None:
    consignor.write(PLAN)

    with pytest.raises(SignatureMissing):
        consignor.read_signed(Plan)


def test_a_document_with_the_signature_of_another_is_not_read(consignor: VoyageFolder) -> None:
    consignor.write_signed(PLAN, consignor.signer())
    consignor.write_signed(samples()[Shipment], consignor.signer())
    consignor.signature_path(Plan).write_bytes(consignor.signature_path(Shipment).read_bytes())

    with pytest.raises(SignatureInvalid):
        consignor.read_signed(Plan)


def test_a_signature_file_without_end_is_not_read_to_its_end(consignor: VoyageFolder) -> None:
    consignor.write(PLAN)
    with consignor.signature_path(Plan).open("wb") as stream:
        stream.truncate(1 << 40)

    with pytest.raises(SignatureInvalid, match="too long"):
        consignor.read_signed(Plan)


def test_a_document_without_end_is_not_read_to_its_end(consignor: VoyageFolder) -> None:
    consignor.write(PLAN)
    with consignor.document_path(Plan).open("r+b") as stream:
        stream.truncate(1 << 40)

    with pytest.raises(DocumentError, match="too long"):
        consignor.read(Plan)


def test_a_crash_between_signature_and_document_leaves_nothing_that_reads_as_signed(consignor: VoyageFolder) -> None:
    class Died(BaseException):
        pass

    def die(step: str) -> None:
        if step == "durable plan.json.sig":
            raise Died

    durable.observe_steps(die)
    try:
        with pytest.raises(Died):
            consignor.write_signed(PLAN, consignor.signer())
    finally:
        durable.observe_steps(None)

    assert not consignor.has(Plan)


def test_keys_that_are_not_there_are_named(consignor: VoyageFolder) -> None:
    (consignor.keys / "signer").unlink()
    (consignor.keys / "identity.txt").unlink()

    with pytest.raises(KeyMissing, match="signer"):
        consignor.signer()
    with pytest.raises(KeyMissing, match="identity"):
        consignor.identity()


def test_an_identity_that_was_cut_or_overwritten_is_named_with_its_file(consignor: VoyageFolder) -> None:
    path = consignor.keys / "identity.txt"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(KeyMalformed) as cut:
        consignor.identity()
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KeyMissing, match="holds no age identity") as overwritten:
        consignor.identity()
    assert cut.value.where == overwritten.value.where == str(path)


def test_an_identity_file_without_an_identity_is_named(consignor: VoyageFolder) -> None:
    (consignor.keys / "identity.txt").write_text("# public key: age1\n")

    with pytest.raises(KeyMissing, match="holds no age identity"):
        consignor.identity()


def test_private_keys_are_for_their_owner_alone(consignor: VoyageFolder) -> None:
    for name in ("signer", "identity.txt"):
        assert (consignor.keys / name).stat().st_mode & 0o077 == 0


def test_parties_are_the_same_document_in_all_three_folders(folders: dict[Role, VoyageFolder]) -> None:
    assert len({folder.payload(Parties) for folder in folders.values()}) == 1


def test_parties_are_written_only_when_something_changed(consignor: VoyageFolder) -> None:
    before = consignor.document_path(Parties).stat()
    sync_parties(consignor)

    assert consignor.document_path(Parties).stat().st_ino == before.st_ino


def test_a_party_that_was_added_is_trusted_from_then_on(folders: dict[Role, VoyageFolder]) -> None:
    consignor = folders["consignor"]
    _set_parties(consignor, "")
    assert sync_parties(consignor).of("operator") is None

    _set_parties(consignor, party_toml(folders["operator"], "operator"))

    operator = sync_parties(consignor).of("operator")
    assert operator is not None
    assert operator.signer in (consignor.documents / "allowed_signers").read_text()


def test_own_keys_stated_wrongly_are_refused(folders: dict[Role, VoyageFolder]) -> None:
    _set_parties(
        folders["consignor"],
        party_toml(folders["operator"], "operator").replace("parties.operator", "parties.consignor"),
    )

    with pytest.raises(VoyageFileError, match="names other keys than this party's own"):
        sync_parties(folders["consignor"])


def test_a_key_that_is_a_weak_point_is_refused(consignor: VoyageFolder) -> None:
    weak = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + "A" * 43
    recipient = age.recipient_of(consignor.identity())
    _set_parties(consignor, f'[parties.operator]\nrecipient = "{recipient}"\nsigner = "{weak}"\n')

    with pytest.raises(KeyMalformed, match="weak point"):
        sync_parties(consignor)
