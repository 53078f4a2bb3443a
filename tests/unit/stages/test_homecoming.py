"""The way home: what is declared comes back as it left, and every way of tampering with it is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from packtrain.crypto import age, sshsig
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.diligence.hand_over import custody_log
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode, namespace
from packtrain.documents.export_list import ExportList
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.errors import (
    DocumentError,
    ExportDenied,
    IntegrityError,
    NotAdmitted,
    PacktrainError,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
    WrongKey,
)
from packtrain.events import Event, Notice, discard
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import homecoming
from packtrain.training.loader import SampleStore
from packtrain.training.outbox import results_digest
from provenance_parts import write_provenance
from three_parties import copy_of_parties
from trained_parts import trained_site, write_train_receipt

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]

Folders = dict[Role, VoyageFolder]
BESIDE = {"MODEL-CARD.md", *(f"PROVENANCE.statement.json{end}" for end in ("", ".sig", ".operator.sig"))}
"""What stands in results/ beside the results."""
DECLARATION = """
[text]
files = ["metrics.jsonl", "notes.txt"]

[[tensors]]
name = "model.*.weight"
dtype = "float32"
shape = [16, 8]
count = 2
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders after `train`, made once; tests work on copies."""
    import torch

    draw = torch.Generator().manual_seed(3)
    state = {
        "model": {str(layer): {"weight": torch.randn(16, 8, generator=draw)} for layer in range(2)},
        "optimizer": {"momentum": torch.zeros(16, 8)},
    }
    root = tmp_path_factory.mktemp("trained")
    trained_site(root, DECLARATION, state, {"notes.txt": "went well\n", "samples.bin": "stays"})
    return root


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("exported") / "site"
    homecoming.export(copy_of_parties(trained, root)["consignee"], discard)
    return root


@pytest.fixture
def before(trained: Path, tmp_path: Path) -> Folders:
    return copy_of_parties(trained, tmp_path / "site")


@pytest.fixture
def site(exported: Path, tmp_path: Path) -> Folders:
    return copy_of_parties(exported, tmp_path / "site")


def outbox_of(folders: Folders) -> Path:
    return folders["consignee"].root / "outbox"


def go_home(folders: Folders) -> Receipt:
    homecoming.release(folders["operator"], outbox_of(folders), discard)
    return homecoming.accept(folders["consignor"], outbox_of(folders), discard)


# --- as it should be ---


def test_results_come_home_as_they_were_exported(site: Folders) -> None:
    go_home(site)
    results = site["consignor"].root / "results"
    names = {"weights.safetensors", "metrics.jsonl", "notes.txt"}
    assert {path.name for path in results.iterdir()} == names | BESIDE
    for path in (results / name for name in sorted(names)):
        assert path.read_bytes() == (site["consignee"].work / "export" / path.name).read_bytes()


def test_the_same_digest_of_results_is_in_all_three_receipts_and_is_that_of_sha256sum(site: Folders) -> None:
    go_home(site)
    digests = {folder.receipt("return").facts["results"] for folder in site.values()}  # pyright: ignore[reportOptionalMemberAccess]
    results = sorted(path for path in (site["consignor"].root / "results").iterdir() if path.name not in BESIDE)
    assert digests == {sha256_bytes("".join(f"{sha256_file(path)}  {path.name}\n" for path in results).encode())}


def test_only_declared_tensors_are_in_the_weights(site: Folders) -> None:
    from safetensors import safe_open

    go_home(site)
    with safe_open(site["consignor"].root / "results" / "weights.safetensors", "np") as weights:
        assert sorted(weights.keys()) == ["model.0.weight", "model.1.weight"]


def test_nothing_in_the_outbox_is_readable_without_the_consignors_key(site: Folders) -> None:
    names = {path.name for path in outbox_of(site).iterdir()}
    assert names == {
        "export-list.json",
        "export-list.json.sig",
        "provenance.json",
        "provenance.json.sig",
        "provenance.statement.json",
        "provenance.statement.json.sig",
        "weights.safetensors.age",
        "metrics.jsonl.age",
        "notes.txt.age",
    }
    for role in ("operator", "consignee"):
        with pytest.raises(WrongKey):
            age.decrypt_bytes((outbox_of(site) / "notes.txt.age").read_bytes(), [site[role].identity()])


def test_undeclared_files_are_named_and_stay(before: Folders) -> None:
    events: list[Event] = []
    homecoming.export(before["consignee"], events.append)
    assert any(isinstance(event, Notice) and "samples.bin" in event.text for event in events)


def test_what_stood_in_results_under_a_name_that_comes_home_is_kept(site: Folders) -> None:
    go_home(site)
    root = site["consignor"].root
    card = root / "results" / "MODEL-CARD.md"
    card.write_text("good for tests\n" + card.read_text())
    (root / "results" / "notes.txt").unlink()
    (root / "results" / "notes.txt").mkdir()
    (root / "results" / "notes.txt" / "mine").write_text("stays")
    (root / "results" / "own.txt").write_text("stays too")
    events: list[Event] = []
    homecoming.accept(site["consignor"], outbox_of(site), events.append)
    # The card is of the same results: what a person wrote in it stays where it is.
    assert card.read_text().startswith("good for tests")
    assert (root / "results-before" / "notes.txt" / "mine").read_text() == "stays"
    assert (root / "results" / "own.txt").read_text() == "stays too"
    assert (root / "results" / "notes.txt").read_text() == "went well\n"
    assert any(isinstance(event, Notice) and "kept in results-before" in event.text for event in events)
    homecoming.accept(site["consignor"], outbox_of(site), discard)
    assert not (root / "results-before.1").exists()


def test_the_custody_log_says_once_that_results_returned(site: Folders) -> None:
    go_home(site)
    homecoming.accept(site["consignor"], outbox_of(site), discard)
    lines = custody_log(site["consignor"]).read(site["consignor"].trust())
    assert [line.event.verb for line in lines] == ["returned"]


def test_an_export_is_fresh_until_the_training_changes(site: Folders) -> None:
    folder = site["consignee"]
    assert is_fresh(folder, "return", homecoming.inputs(folder))
    (folder.root / "program" / "train.py").write_text("# other")
    write_train_receipt(folder)
    assert not is_fresh(folder, "return", homecoming.inputs(folder))


@pytest.mark.parametrize("name", ["export-list.json", "notes.txt.age"])
def test_an_outbox_that_lost_a_file_is_made_again(site: Folders, name: str) -> None:
    folder = site["consignee"]
    (outbox_of(site) / name).unlink()
    assert not is_fresh(folder, "return", homecoming.inputs(folder))
    homecoming.export(folder, discard)
    assert is_fresh(folder, "return", homecoming.inputs(folder))


def test_an_export_made_again_replaces_the_outbox(site: Folders) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    homecoming.export(site["consignee"], discard)
    assert not (outbox_of(site) / "export-list.json.operator.sig").exists()
    go_home(site)


# --- what is not exported ---


def plant_sample_in_text(folder: VoyageFolder) -> None:
    sample = SampleStore(folder.root / "store")[0]
    (folder.work / "results" / "notes.txt").write_bytes(b"look: " + sample.payload)


def plant_digest_in_text(folder: VoyageFolder) -> None:
    digest = SampleStore(folder.root / "store").sample_digests()[4]
    (folder.work / "results" / "notes.txt").write_text(f"saw {digest}")


def exceed_the_text_budget(folder: VoyageFolder) -> None:
    (folder.work / "results" / "notes.txt").write_text("x" * ((1 << 20) + 1))


def hide_a_pickle_in_text(folder: VoyageFolder) -> None:
    (folder.work / "results" / "notes.txt").write_bytes(b"\x80\x04K\x01.")


def link_a_declared_file(folder: VoyageFolder) -> None:
    (folder.work / "results" / "notes.txt").unlink()
    (folder.work / "results" / "notes.txt").symlink_to(folder.keys / "identity.txt")


def forget_a_declared_file(folder: VoyageFolder) -> None:
    (folder.work / "results" / "notes.txt").unlink()


def widen_the_declaration(folder: VoyageFolder) -> None:
    path = folder.root / "program" / "export.toml"
    path.write_text(
        path.read_text() + '\n[[tensors]]\nname = "optimizer.momentum"\ndtype = "float32"\nshape = [16, 8]\n'
    )


def leave_a_strange_file_in_the_outbox(folder: VoyageFolder) -> None:
    (folder.root / "outbox").mkdir()
    (folder.root / "outbox" / "more.bin").write_bytes(b"x")


@pytest.mark.parametrize(
    "spoil",
    [
        plant_sample_in_text,
        plant_digest_in_text,
        exceed_the_text_budget,
        hide_a_pickle_in_text,
        link_a_declared_file,
        forget_a_declared_file,
        widen_the_declaration,
        leave_a_strange_file_in_the_outbox,
    ],
)
def test_what_may_not_leave_is_denied(
    before: Folders, spoil: Callable[[VoyageFolder], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(before["consignee"])
    with pytest.raises(ExportDenied):
        homecoming.export(before["consignee"], discard)
    assert not (outbox_of(before) / "export-list.json").exists()


def test_nothing_is_exported_without_an_admission_that_admits(before: Folders) -> None:
    refused = replace(before["operator"].read_signed(Admission), verdict="hold")
    before["consignee"].write_signed(refused, before["operator"].signer())
    with pytest.raises(NotAdmitted):
        homecoming.export(before["consignee"], discard)


def test_nothing_is_exported_before_training(before: Folders) -> None:
    before["consignee"].receipt_path("train").unlink()
    with pytest.raises(StageNotReady):
        homecoming.export(before["consignee"], discard)


# --- what is not released ---


def sign_anew(site: Folders, role: Role, **changes: object) -> None:
    """Let the consignee sign a changed list, as a dishonest consignee could."""
    document = replace(site["consignee"].read_signed(ExportList), **changes)
    payload = encode(document)
    signature = site[role].signer().sign(namespace(ExportList), payload)
    (outbox_of(site) / "export-list.json").write_bytes(payload)
    (outbox_of(site) / "export-list.json.sig").write_text(signature)
    write_provenance(outbox_of(site), site["consignee"], document, site["consignee"].read_signed(Admission).plan)


def test_a_file_that_is_not_on_the_list_is_not_released(site: Folders) -> None:
    (outbox_of(site) / "extra.age").write_bytes(b"data")
    with pytest.raises(ExportDenied):
        homecoming.release(site["operator"], outbox_of(site), discard)


@pytest.mark.parametrize("case", ["flipped bit", "cut", "missing", "link"])
def test_a_sealed_file_that_was_changed_is_not_released(site: Folders, case: str) -> None:
    path = outbox_of(site) / "notes.txt.age"
    content = bytearray(path.read_bytes())
    path.unlink()
    if case == "flipped bit":
        content[-1] ^= 1
        path.write_bytes(content)
    elif case == "cut":
        path.write_bytes(content[:-1])
    elif case == "link":
        (site["operator"].root / "copy").write_bytes(content)
        path.symlink_to(site["operator"].root / "copy")
    with pytest.raises(IntegrityError):
        homecoming.release(site["operator"], outbox_of(site), discard)


@pytest.mark.parametrize(
    "changes",
    [
        {"shipment": "00000000-0000-4000-8000-00000000000f"},
        {"shipment_root": "9" * 64},
        {"admission": "9" * 64},
        {"text_budget_bytes": 1 << 30},
        {"text_budget_bytes": 3},
        {"tensors": ()},
        {"results": "9" * 64},
        {"checks": ("name,street,city " * 240,) * 20},
    ],
    ids=lambda changes: "-".join(changes),
)
def test_a_list_of_another_shipment_or_one_that_contradicts_itself_is_not_released(
    site: Folders, changes: dict[str, object]
) -> None:
    sign_anew(site, "consignee", **changes)
    with pytest.raises(ExportDenied):
        homecoming.release(site["operator"], outbox_of(site), discard)


def test_weights_under_a_name_that_says_something_are_not_released(site: Folders) -> None:
    document, outbox = site["consignee"].read_signed(ExportList), outbox_of(site)
    name = "ada-lovelace-12-st-james-square.safetensors"
    (outbox / "weights.safetensors.age").rename(outbox / f"{name}.age")
    files = tuple(replace(file, name=file.name.replace("weights.safetensors", name)) for file in document.files)
    results = results_digest((file.name, file.sha256) for file in files)
    sign_anew(site, "consignee", files=files, results=results)
    with pytest.raises(ExportDenied, match="names of weights"):
        homecoming.release(site["operator"], outbox, discard)


def test_a_list_signed_by_the_consignor_is_not_released(site: Folders) -> None:
    sign_anew(site, "consignor")
    with pytest.raises(UntrustedSigner):
        homecoming.release(site["operator"], outbox_of(site), discard)


def test_a_list_signed_by_the_operator_instead_of_the_consignee_is_not_released(site: Folders) -> None:
    sign_anew(site, "operator")
    with pytest.raises(UntrustedSigner, match="not signed by the consignee"):
        homecoming.release(site["operator"], outbox_of(site), discard)


def test_an_unsigned_list_is_not_released(site: Folders) -> None:
    (outbox_of(site) / "export-list.json.sig").unlink()
    with pytest.raises(SignatureMissing):
        homecoming.release(site["operator"], outbox_of(site), discard)


def test_an_empty_outbox_is_not_released(site: Folders, tmp_path: Path) -> None:
    with pytest.raises(StageNotReady):
        homecoming.release(site["operator"], tmp_path, discard)


# --- what is not accepted ---


def test_results_without_the_operators_countersignature_are_not_accepted(site: Folders) -> None:
    with pytest.raises(SignatureMissing, match="operator"):
        homecoming.accept(site["consignor"], outbox_of(site), discard)
    assert not (site["consignor"].root / "results").exists()


def test_the_consignees_signature_does_not_stand_for_the_operators(site: Folders) -> None:
    signature = (outbox_of(site) / "export-list.json.sig").read_bytes()
    (outbox_of(site) / "export-list.json.operator.sig").write_bytes(signature)
    with pytest.raises(UntrustedSigner, match="not signed by the operator"):
        homecoming.accept(site["consignor"], outbox_of(site), discard)


def test_a_strangers_countersignature_is_not_accepted(site: Folders, tmp_path: Path) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    sshsig.generate_key_pair(tmp_path / "stranger", "stranger")
    stranger = sshsig.SshSigner.load(tmp_path / "stranger")
    payload = (outbox_of(site) / "export-list.json").read_bytes()
    signature = stranger.sign(namespace(ExportList), payload)
    (outbox_of(site) / "export-list.json.operator.sig").write_text(signature)
    with pytest.raises(UntrustedSigner):
        homecoming.accept(site["consignor"], outbox_of(site), discard)


def test_a_list_changed_after_the_countersignature_is_not_accepted(site: Folders) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    sign_anew(site, "consignee", made_on="2026-11-22T00:00:00Z")
    with pytest.raises(SignatureInvalid):
        homecoming.accept(site["consignor"], outbox_of(site), discard)


@pytest.mark.parametrize("name", ["export-list.json", "notes.txt.age", "weights.safetensors.age"])
def test_an_outbox_tampered_with_on_the_way_is_not_accepted(site: Folders, name: str) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    path = outbox_of(site) / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises((IntegrityError, SignatureInvalid, DocumentError)):
        homecoming.accept(site["consignor"], outbox_of(site), discard)
    assert not (site["consignor"].root / "results").exists()


def test_results_sealed_to_another_key_are_not_accepted(site: Folders) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    (site["consignor"].keys / "identity.txt").write_text(age.generate_identity() + "\n")
    with pytest.raises(WrongKey):
        homecoming.accept(site["consignor"], outbox_of(site), discard)


def test_results_beyond_what_was_declared_at_home_are_not_accepted(site: Folders) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    path = site["consignor"].root / "program" / "export.toml"
    path.write_text(path.read_text().replace(', "notes.txt"', ""))
    with pytest.raises(ExportDenied, match="does not declare"):
        homecoming.accept(site["consignor"], outbox_of(site), discard)


def test_weights_that_are_not_the_listed_tensors_are_not_accepted(site: Folders) -> None:
    # Both ends of the site conspire: the list says other tensors than the sealed file holds.
    consignor, outbox = site["consignor"], outbox_of(site)
    document = site["consignee"].read_signed(ExportList)
    swapped = tuple(
        replace(tensor, name=f"model.{1 - number}x.weight") for number, tensor in enumerate(document.tensors)
    )
    rules = consignor.root / "program" / "export.toml"
    rules.write_text(rules.read_text().replace("model.*.weight", "model.*x.weight"))
    sign_anew(site, "consignee", tensors=swapped)
    homecoming.release(site["operator"], outbox, discard)
    with pytest.raises(IntegrityError, match="other tensors"):
        homecoming.accept(consignor, outbox, discard)
    assert not (consignor.root / "results").exists()


def test_results_of_another_shipment_are_not_accepted(site: Folders) -> None:
    homecoming.release(site["operator"], outbox_of(site), discard)
    from packtrain.documents.shipment import Shipment

    consignor = site["consignor"]
    consignor.write_signed(replace(consignor.read_signed(Shipment), closed="2026-11-22T00:00:00Z"), consignor.signer())
    with pytest.raises(PacktrainError, match="another shipment"):
        homecoming.accept(consignor, outbox_of(site), discard)
