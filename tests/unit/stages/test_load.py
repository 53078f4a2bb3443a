"""load: nothing without the operator's admission; then every sample, from what drives are left."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from load_parts import flip
from loading_parts import FILES, LABELS, NUM_CANARIES, NUM_SAMPLES, Arrived, arrive, copy_arrived
from packtrain.crypto import age
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.admission import Admission
from packtrain.documents.codec import namespace
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    BeyondRepair,
    ForeignDrive,
    HostileArchive,
    IntegrityError,
    KeyMissing,
    MoreDrivesWanted,
    NotAdmitted,
    PacktrainError,
    SignatureInvalid,
    UntrustedSigner,
    WrongKey,
    WrongRole,
)
from packtrain.record import keys
from packtrain.record.custody import CustodyLog
from packtrain.record.receipts import is_fresh
from packtrain.stages import check, load
from packtrain.stages.load import cargo, kept
from packtrain.volume import layout


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"))


@pytest.fixture
def arrived(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path)


def admit_again(arrived: Arrived, **changes: object) -> None:
    """Sign another admission as the operator could."""
    admission = structs.replace(arrived.consignee.read(Admission), **changes)
    arrived.consignee.write_signed(admission, arrived.operator.signer())


def nothing_loaded(arrived: Arrived) -> bool:
    return not (arrived.consignee.root / "store").exists() and arrived.consignee.receipt("load") is None


def test_every_sample_is_loaded_and_the_receipt_and_custody_log_say_so(arrived: Arrived) -> None:
    receipt = arrived.load()
    arrived.assert_loaded()
    assert receipt.counts == {
        "samples_loaded": NUM_SAMPLES,
        "entries_loaded": len(FILES) + 1 + NUM_CANARIES,
        "bytes_loaded": receipt.counts["bytes_loaded"],
        "blocks_repaired": 0,
        "volumes_rebuilt": 0,
        "drives_lost": 0,
        "drives_total": 4,
    }
    assert receipt.counts["bytes_loaded"] > sum(FILES.values())
    assert is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    last = CustodyLog(arrived.consignee.documents / "custody.jsonl").read(arrived.consignee.trust())[-1].event
    assert (last.verb, last.by, len(last.drives)) == ("loaded", "consignee", 4)


def test_a_lost_case_is_told_and_made_good(arrived: Arrived) -> None:
    receipt = arrived.load("B2", "B1")
    arrived.assert_loaded()
    assert receipt.counts["drives_lost"] == 2
    assert receipt.counts["volumes_rebuilt"] > 0
    assert receipt.facts["drives lost"] == "A1, A2"
    assert "2 of 4 drives are not here: A1, A2" in arrived.notices()


def test_a_drive_left_out_by_label_counts_as_lost(arrived: Arrived) -> None:
    flip(arrived.drive("A1") / (layout.DRIVE + ".sig"), 150)
    with pytest.raises(SignatureInvalid):
        arrived.load()
    assert arrived.load(without=("A1",)).facts["drives lost"] == "A1"
    arrived.assert_loaded()


def test_damaged_blocks_are_counted_and_listed(arrived: Arrived) -> None:
    volume = next((arrived.drive("A1") / "data").glob("*.tar.age"))
    flip(volume, 50)
    receipt = arrived.load()
    arrived.assert_loaded()
    assert receipt.counts["blocks_repaired"] == 1
    assert f"drive A1, data/{volume.name}, block 0" in receipt.facts["damage"]


def test_loading_again_changes_nothing(arrived: Arrived) -> None:
    first = arrived.load()
    log = (arrived.consignee.documents / "custody.jsonl").read_bytes()
    again = arrived.load()
    assert again.counts == first.counts
    assert (arrived.consignee.documents / "custody.jsonl").read_bytes() == log


def test_beyond_repair_writes_no_receipt_and_a_found_drive_ends_it_well(arrived: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted):
        arrived.load("A1")
    with pytest.raises(BeyondRepair):
        arrived.load("A1", no_more=True)
    assert arrived.consignee.receipt("load") is None
    arrived.load("A1", "B1")
    arrived.assert_loaded()


def notes_of_loading(arrived: Arrived) -> list[str]:
    lines = CustodyLog(arrived.consignee.documents / "custody.jsonl").read(arrived.consignee.trust())
    return [line.event.note for line in lines if line.event.verb == "loaded"]


def test_the_custody_log_says_what_a_load_beyond_repair_did_and_did_not_restore(arrived: Arrived) -> None:
    for _ in range(2):
        with pytest.raises(BeyondRepair):
            arrived.load("A1", no_more=True)
    (note,) = notes_of_loading(arrived)
    expected = len(FILES) + 1 + NUM_CANARIES
    assert re.match(rf"not whole: \d files, restored; expected {expected} files; the rest is beyond repair$", note)
    assert not any(name in note for name in FILES), "names of files are nobody's but the consignee's"
    arrived.load("A1", "B1")
    assert notes_of_loading(arrived)[1:] == ["not here: A2, B2"]


def test_the_custody_log_says_that_the_same_drives_ended_otherwise(arrived: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted):
        arrived.load("A1")
    with pytest.raises(BeyondRepair):
        arrived.load("A1", no_more=True)
    wave, end = notes_of_loading(arrived)
    assert wave.startswith("a wave") and end.startswith("not whole")


def test_drives_with_a_hostile_volume_stand_in_the_custody_log(
    arrived: Arrived, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise HostileArchive("volume holds a member that the catalog lacks", found="../secret name")

    monkeypatch.setattr(cargo, "load_shipment", refuse)
    with pytest.raises(HostileArchive):
        arrived.load()
    (note,) = notes_of_loading(arrived)
    assert note.endswith("(HostileArchive)") and "secret" not in note


def test_only_the_consignee_loads(arrived: Arrived) -> None:
    with pytest.raises(WrongRole):
        load.load(arrived.operator, arrived.drives(), arrived.store, arrived.events.append)


@pytest.mark.parametrize("call", [lambda a: a.load(), lambda a: load.inputs(a.consignee)], ids=["load", "inputs"])
def test_nothing_is_loaded_without_an_admission(arrived: Arrived, call: Callable[[Arrived], object]) -> None:
    (arrived.consignee.documents / "admission.json").unlink()
    with pytest.raises(NotAdmitted):
        call(arrived)
    assert nothing_loaded(arrived)


@pytest.mark.parametrize(("verdict", "error"), [("hold", AdmissionHeld), ("refuse", AdmissionRefused)])
def test_a_verdict_other_than_admit_loads_nothing(arrived: Arrived, verdict: str, error: type[PacktrainError]) -> None:
    admit_again(arrived, verdict=verdict)
    with pytest.raises(error):
        arrived.load()
    assert nothing_loaded(arrived)


@pytest.mark.parametrize("role", ["consignee", "consignor"])
def test_an_admission_signed_by_another_than_the_operator_loads_nothing(arrived: Arrived, role: str) -> None:
    folder = arrived.consignee if role == "consignee" else arrived.folders["consignor"]
    arrived.consignee.write_signed(arrived.consignee.read(Admission), folder.signer())
    with pytest.raises(UntrustedSigner):
        arrived.load()
    assert nothing_loaded(arrived)


def test_an_altered_admission_loads_nothing(arrived: Arrived) -> None:
    path = arrived.consignee.documents / "admission.json"
    path.write_bytes(path.read_bytes().replace(b'"own_site":false', b'"own_site":true'))
    with pytest.raises(SignatureInvalid):
        arrived.load()


@pytest.mark.parametrize(
    "changes",
    [
        {"plan": "0" * 64},
        {"shipment_root": "0" * 64},
        {"packing_statement": "0" * 64},
        {"declaration": "0" * 64},
        {"attempt": 2},
        {"shipment": "11111111-2222-3333-4444-555555555555"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_admission_of_something_else_loads_nothing(arrived: Arrived, changes: dict[str, object]) -> None:
    admit_again(arrived, **changes)
    with pytest.raises(NotAdmitted, match="does not cover"):
        arrived.load()
    assert nothing_loaded(arrived)


def test_a_drive_that_was_not_admitted_is_foreign(arrived: Arrived) -> None:
    admission = arrived.consignee.read(Admission)
    admit_again(arrived, drives=admission.drives[1:])
    with pytest.raises(ForeignDrive, match="not in the admitted packing statement"):
        arrived.load()
    arrived.load("A2", "B1", "B2")
    arrived.assert_loaded()


def test_without_the_released_key_nothing_is_loaded(arrived: Arrived) -> None:
    (arrived.consignee.keys / keys.RELEASE).unlink()
    with pytest.raises(KeyMissing):
        arrived.load()
    assert nothing_loaded(arrived)


def test_the_operators_layer_is_not_the_key(arrived: Arrived) -> None:
    sealed = arrived.operator.keys / keys.SITE_ENVELOPE
    (arrived.consignee.keys / keys.RELEASE).write_bytes(sealed.read_bytes())
    with pytest.raises(WrongKey):
        arrived.load()
    assert nothing_loaded(arrived)


def test_an_envelope_to_somebody_else_is_a_wrong_key(arrived: Arrived) -> None:
    other = age.recipient_of(age.generate_identity())
    (arrived.consignee.keys / keys.RELEASE).write_bytes(age.encrypt_bytes(b"{}", [other]))
    with pytest.raises(WrongKey):
        arrived.load()


def test_a_foreign_folder_among_the_drives_stops_the_load_before_anything_is_written(
    arrived: Arrived, tmp_path: Path
) -> None:
    (tmp_path / "photos").mkdir()
    drives = [*arrived.drives(), DirectoryDrive(tmp_path / "photos")]
    with pytest.raises(ForeignDrive):
        load.load(arrived.consignee, drives, arrived.store, arrived.events.append)
    assert nothing_loaded(arrived)


def test_a_rehearsal_is_not_loaded_into_a_store(arrived: Arrived) -> None:
    consignor = arrived.folders["consignor"]
    shipment = structs.replace(arrived.consignee.read(Shipment), purpose="rehearsal")
    arrived.consignee.write_signed(shipment, consignor.signer())
    root = arrived.consignee.digest(Shipment)
    statement = structs.replace(arrived.consignee.read(PackingStatement), shipment_root=root)
    arrived.consignee.write_signed(statement, consignor.signer())
    admit_again(arrived, shipment_root=root, packing_statement=arrived.consignee.digest(PackingStatement))
    with pytest.raises(NotAdmitted, match="rehearsal"):
        arrived.load()


def test_a_group_document_that_is_not_the_shipments_is_refused(arrived: Arrived) -> None:
    flip(arrived.consignee.documents / "groups" / "0.json", 40)
    with pytest.raises(IntegrityError, match="group document"):
        arrived.load()


def test_check_is_whole_with_the_site_folder_and_without_any(arrived: Arrived) -> None:
    report = check.check(arrived.consignee, arrived.drives(), arrived.events.append)
    assert report.exit_code == 0, report.text()
    assert "undamaged" in report.text()
    receipt = arrived.consignee.receipt("check")
    assert receipt is not None
    assert receipt.counts["drives"] == 4
    bare = check.check(None, arrived.drives(), arrived.events.append)
    assert bare.exit_code == 0
    assert "signatures were not checked" in bare.text()


def test_check_without_a_shipment_document_does_not_end_well(arrived: Arrived) -> None:
    for place in (arrived.consignee.documents, *(arrived.drive(label) / "packtrain" for label in LABELS)):
        for path in place.glob("shipment.json*"):
            path.unlink()
    for folder in (arrived.consignee, None):
        report = check.check(folder, arrived.drives(), arrived.events.append)
        assert report.exit_code == 42, report.text()
        assert "incomplete knowledge" in report.text()
    flip(next((arrived.drive("A1") / "data").iterdir()), 9)
    assert check.check(None, arrived.drives(), arrived.events.append).exit_code == 40


@pytest.mark.parametrize("where", ["voyage folder", "drive"])
def test_check_with_a_shipment_document_names_drives_that_were_not_given_and_ends_well(
    arrived: Arrived, where: str
) -> None:
    folder = arrived.consignee if where == "voyage folder" else None
    report = check.check(folder, arrived.drives("A1", "B2"), arrived.events.append)
    assert report.exit_code == 0, report.text()
    assert "not here, not checked: A2, B1" in report.text()


def test_check_tells_repairable_from_beyond_repair_by_its_exit_code(arrived: Arrived) -> None:
    for number, label in enumerate(("A1", "A2", "B1")):
        for path in (arrived.drive(label) / "data").iterdir():
            if path.name.startswith("0000000"):
                flip(path, 9)
        report = check.check(arrived.consignee, arrived.drives(), arrived.events.append)
        assert report.exit_code == (40 if number < 2 else 41), report.text()
        assert f"drive {label}, data/0000000-" in report.text()


def test_a_drive_of_a_stranger_is_not_usable_for_check(arrived: Arrived) -> None:
    record = arrived.drive("A1") / layout.DRIVE
    stranger = arrived.operator.signer()
    record.with_name("drive.json.sig").write_text(stranger.sign(namespace(DriveRecord), record.read_bytes()))
    report = check.check(arrived.consignee, arrived.drives(), arrived.events.append)
    assert report.exit_code == 40
    assert "parties.json does not name for it" in report.text()


@pytest.mark.parametrize("gone", ["store", "store/shards/image-000000.tar", "store/dataset.json"])
def test_what_was_loaded_and_is_gone_is_loaded_again(arrived: Arrived, gone: str) -> None:
    arrived.load()
    path = arrived.consignee.root / gone
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    assert not is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    assert not load.is_settled(arrived.consignee, arrived.store)
    arrived.load()
    assert "gone from the store since they were loaded" in arrived.notices()
    assert load.is_settled(arrived.consignee, arrived.store)
    arrived.assert_loaded()
    assert is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))


def test_where_status_looks_at_some_entries_a_load_looks_at_all(
    arrived: Arrived, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived.load()
    (arrived.consignee.root / "store/dataset.json").unlink()  # only the lists of entries know of it
    monkeypatch.setattr(kept, "_LOOKED_AT", 0)
    assert is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    assert not load.is_settled(arrived.consignee, arrived.store)


def test_a_store_that_is_gone_is_not_loaded_until_its_last_wave(arrived: Arrived) -> None:
    arrived.load()
    shutil.rmtree(arrived.consignee.root / "store")
    with pytest.raises(MoreDrivesWanted):
        arrived.load("B2")
    assert not is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    arrived.load()
    arrived.assert_loaded()
    assert is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))


def test_drives_that_come_in_waves_give_every_sample_and_each_wave_stands_in_the_custody_log(arrived: Arrived) -> None:
    with pytest.raises(MoreDrivesWanted) as caught:
        arrived.load("B2")
    wanted = caught.value.wanted["drives"]
    assert isinstance(wanted, list)
    assert load.standing(arrived.consignee).endswith(f"wanted next: {', '.join(wanted)}")
    for label in wanted[:-1]:
        with pytest.raises(MoreDrivesWanted):
            arrived.load(label)
    receipt = arrived.load(wanted[-1])
    arrived.assert_loaded()
    assert receipt.facts["proven"].split(" of ")[0] == receipt.facts["proven"].split(" ")[2]
    lines = CustodyLog(arrived.consignee.documents / "custody.jsonl").read(arrived.consignee.trust())
    assert sum(line.event.verb == "loaded" for line in lines) == 1 + len(wanted)


def test_a_case_that_will_not_come_is_made_good_in_a_second_pass(arrived: Arrived) -> None:
    for label in ("B1", "B2"):
        with pytest.raises(MoreDrivesWanted) as caught:
            arrived.load(label, without=("A",))
    assert caught.value.wanted["pass"] == 2
    assert caught.value.wanted["drives"] == ["B1", "B2"]
    receipt = arrived.load("B1", "B2")
    arrived.assert_loaded()
    assert receipt.facts["drives lost"] == "A1, A2"
