"""pack: gates, the plan and its key, drives, documents, custody, and running again."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dataset_parts import write_dataset
from packtrain import durable
from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import digest
from packtrain.documents.dataset import Dataset
from packtrain.documents.declaration import Declaration
from packtrain.documents.group import Group
from packtrain.documents.kit import Kit, KitFile
from packtrain.documents.packing_statement import PackedCase, PackedDrive, PackingStatement
from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Plan, Survive
from packtrain.documents.ready import Clause, Ready, Verdict
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    DeclarationExceeded,
    DeclarationMissing,
    DriveInUse,
    KitError,
    RehearsalFailed,
    StageNotReady,
)
from packtrain.events import Event, Notice, discard
from packtrain.record import keys
from packtrain.record.custody import CustodyLog
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import is_fresh
from packtrain.stages import declare, pack
from packtrain.training.canaries import new_canary
from packtrain.volume.scrub import scrub
from shipment_parts import content
from three_parties import three_parties
from voyage_papers import declaration_toml

AT = "2026-01-02T03:04:05Z"
LABELS = ("A1", "A2", "B1", "B2")


@dataclass
class Home:
    """A consignor's folder that is ready to pack on four directory drives."""

    root: Path
    folder: VoyageFolder
    events: list[Event] = field(default_factory=list[Event])

    def pack(self) -> Receipt:
        return pack.pack(self.folder, DirectoryDrive, self.events.append)

    def notices(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Notice))

    def drive(self, label: str) -> Path:
        return self.root / "drives" / label

    def write_dataset(self, seed: int = 0) -> None:
        files = {"shards/image-000000.tar": 400_000, "shards/table-000000.parquet": 20_000, "index.parquet": 700}
        contents = {name: content(size, seed + number) for number, (name, size) in enumerate(files.items())}
        image, table, _ = files
        write_dataset(self.folder, contents, {image: 7, table: 3})

    def declare(self, text: str | None = None) -> None:
        (self.folder.root / "declaration.toml").write_text(text or declaration_toml())
        declare.declare(self.folder, self.events.append)

    def add_training(self) -> None:
        path = self.folder.root / VOYAGE_FILE
        path.write_text(path.read_text() + '\n[training]\nprogram = "program"\ncommand = "train.py"\n')

    def write_kit(self, name: str = "wheels/a.whl", payload: bytes = b"wheel") -> Kit:
        shutil.rmtree(self.folder.work / "kit", ignore_errors=True)
        durable.write_bytes(self.folder.work / "kit" / name, payload)
        kit = Kit(
            target_python="3.11",
            target_platform="linux_x86_64",
            program=sha256_bytes(b""),
            command="train.py",
            files=(KitFile(name=name, bytes=len(payload), sha256=sha256_bytes(payload)),),
            provided=(),
        )
        self.folder.write_signed(kit, self.folder.signer())
        return kit

    def write_ready(self, verdict: Verdict, *, signed: bool) -> None:
        sheet = Ready(
            shipment="0" * 8 + "-0000-0000-0000-" + "0" * 12,
            kit=self.folder.digest(Kit),
            miniature=sha256_bytes(b""),
            box="namespace",
            clauses=(Clause(clause="resumes", verdict=verdict, evidence="seen"),),
            ready_to_leave=verdict == "kept",
            num_steps=4,
            weights=None,
            measurements={},
            finished=AT,
        )
        if signed:
            self.folder.write_signed(sheet, self.folder.signer())
        else:
            self.folder.write(sheet)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path, three_parties(tmp_path)["consignor"])
    for label in LABELS:
        home.drive(label).mkdir(parents=True)
    home.folder.write(
        PlacementDocument(
            drives=tuple(
                PlacedDrive(
                    label=label, case=label[0], path=f"../drives/{label}", serial="folder", capacity_bytes=10**9
                )
                for label in LABELS
            ),
            groups=(PlacedGroup(k=2, m=2, drives=LABELS),),
            survive=Survive(cases=1, drives=0),
            statement="any one case",
            source_bytes=1,
            capacity_bytes=10**9,
        )
    )
    home.write_dataset()
    home.declare()
    return home


def test_it_writes_drives_documents_custody_envelopes_and_a_receipt(home: Home) -> None:
    receipt = home.pack()
    plan, shipment = home.folder.read_signed(Plan), home.folder.read_signed(Shipment)
    assert shipment.plan == home.folder.digest(Plan)
    assert plan.declaration == home.folder.digest(Declaration)
    for label in LABELS:
        assert (home.drive(label) / "packtrain/shipment.json").read_bytes() == home.folder.payload(Shipment)
    group = home.folder.documents / "groups/0.json"
    assert shipment.groups[0].record == sha256_bytes(group.read_bytes())
    assert home.folder.trust().open(Group, group.read_bytes(), (group.parent / "0.json.sig").read_bytes(), "group")
    lines = CustodyLog(home.folder.documents / "custody.jsonl").read(home.folder.trust())
    assert [line.event.verb for line in lines] == ["formatted", "closed"]
    assert receipt.counts["canaries"] == 2
    canaries = 2 * len(new_canary())
    assert receipt.counts["bytes_packed"] == 420_700 + len(home.folder.payload(Dataset)) + canaries
    assert receipt.counts["samples"] == 10
    assert is_fresh(home.folder, pack.STAGE, pack.inputs(home.folder))


def test_a_copied_voyage_packs_onto_its_own_drives(home: Home, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(home.root, copy, dirs_exist_ok=True)
    copied = Home(copy, VoyageFolder(copy / "consignor"))
    copied.pack()
    assert (copied.drive("A1") / "packtrain/drive.json").is_file()
    assert not any(any(home.drive(label).iterdir()) for label in LABELS)


def test_the_key_opens_by_both_envelopes_and_lies_nowhere_in_the_clear(home: Home, tmp_path: Path) -> None:
    home.pack()
    plan, trust = home.folder.read_signed(Plan), home.folder.trust()
    operator, consignee = VoyageFolder(tmp_path / "operator"), VoyageFolder(tmp_path / "consignee")
    names = {"shipment": plan.shipment, "plan": digest(plan)}
    envelope = (home.folder.keys / keys.CONSIGNOR_ENVELOPE).read_bytes()
    own = keys.open_inner(envelope, home.folder.identity(), trust, "own", role="consignor", **names)
    inner = keys.open_outer((home.folder.keys / keys.SITE_ENVELOPE).read_bytes(), operator.identity(), "outer")
    assert keys.open_inner(inner, consignee.identity(), trust, "inner", role="consignee", **names) == own
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert own.identity.encode() not in path.read_bytes()


def test_a_second_run_writes_nothing_anew(home: Home) -> None:
    home.pack()
    before = {path: path.stat().st_mtime_ns for path in (home.root / "drives").rglob("*") if path.is_file()}
    documents = {path: path.read_bytes() for path in home.folder.documents.rglob("*") if path.is_file()}
    home.pack()
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert {path: path.read_bytes() for path in documents} == documents


def test_a_changed_data_set_makes_another_attempt_of_the_same_shipment(home: Home) -> None:
    home.pack()
    first = home.folder.read_signed(Plan)
    home.write_dataset(seed=100)
    assert not is_fresh(home.folder, pack.STAGE, pack.inputs(home.folder))
    home.pack()
    second = home.folder.read_signed(Plan)
    assert (second.shipment, second.attempt) == (first.shipment, 2)
    assert second.recipient != first.recipient
    assert not {drive.uuid for drive in first.drives} & {drive.uuid for drive in second.drives}
    assert (home.folder.documents / "plans" / f"{digest(first)}.json").is_file()


def test_an_amended_declaration_touches_no_drive(home: Home) -> None:
    home.pack()
    before = pack.inputs(home.folder)
    (home.folder.root / "declaration.toml").write_text(declaration_toml({"end_use": '"to find planets"'}))
    declare.declare(home.folder, home.events.append, amend=True)
    assert pack.inputs(home.folder) == before


def seal(home: Home) -> Plan:
    plan = home.folder.read_signed(Plan)
    packed = tuple(PackedDrive(uuid=drive.uuid, label=drive.label, serial=drive.serial) for drive in plan.drives)
    statement = PackingStatement(
        shipment=plan.shipment,
        attempt=1,
        plan=digest(plan),
        declaration=home.folder.digest(Declaration),
        shipment_root=home.folder.digest(Shipment),
        cases=(PackedCase(label="A", carrier="Ada", seal="1", drives=packed),),
        note="",
        stated_on=AT,
    )
    home.folder.write_signed(statement, home.folder.signer())
    return plan


def test_sealed_drives_are_not_written_again(home: Home) -> None:
    home.pack()
    plan = seal(home)
    home.write_dataset(seed=100)
    with pytest.raises(DriveInUse, match="changed: dataset"):
        home.pack()
    assert home.folder.read_signed(Plan) == plan


def test_a_lost_plan_is_not_followed_by_another_key(home: Home) -> None:
    home.pack()
    path = home.folder.document_path(Plan)
    plan = path.read_bytes()
    path.unlink()
    envelopes = {path: path.read_bytes() for path in home.folder.keys.glob("*.age")}
    with pytest.raises(DriveInUse, match="of the shipment that was packed is gone"):
        home.pack()
    assert envelopes == {path: path.read_bytes() for path in home.folder.keys.glob("*.age")}
    path.write_bytes(plan)
    home.pack()


def test_closed_drives_whose_journal_is_gone_are_not_written_again(home: Home) -> None:
    home.pack()
    before = {path: path.read_bytes() for path in (home.root / "drives").rglob("*") if path.is_file()}
    shutil.rmtree(home.folder.work / "pack")
    with pytest.raises(DriveInUse, match="journal"):
        home.pack()
    assert {path: path.read_bytes() for path in before} == before


def test_a_new_kit_replaces_the_one_on_closed_drives(home: Home) -> None:
    home.add_training()
    home.write_kit()
    home.pack()
    plan, root = home.folder.read_signed(Plan), home.folder.digest(Shipment)
    home.write_kit("wheels/b.whl", b"another")
    assert not is_fresh(home.folder, pack.STAGE, pack.inputs(home.folder))
    home.pack()
    assert home.folder.read_signed(Plan) == plan
    assert home.folder.digest(Shipment) != root
    kit = home.drive("A1") / "packtrain/kit"
    assert (kit / "kit.json").read_bytes() == home.folder.payload(Kit)
    assert [path.name for path in (kit / "wheels").iterdir()] == ["b.whl"]
    drives = [DirectoryDrive(home.drive(label)) for label in LABELS]
    assert scrub(drives, home.folder.trust(), discard).verdict == "whole"


def test_a_new_kit_is_refused_once_the_drives_are_sealed(home: Home) -> None:
    home.add_training()
    home.write_kit()
    home.pack()
    seal(home)
    home.write_kit("wheels/b.whl", b"another")
    with pytest.raises(DriveInUse, match="changed: kit"):
        home.pack()


@pytest.mark.parametrize("is_sealed", [False, True])
def test_new_recipients_renew_the_envelopes_and_touch_no_drive(home: Home, tmp_path: Path, is_sealed: bool) -> None:
    home.pack()
    plan = home.folder.read_signed(Plan)
    if is_sealed:
        seal(home)
        shutil.rmtree(home.root / "drives")  # they travel
    other = three_parties(tmp_path / "other")
    path = home.folder.root / VOYAGE_FILE
    old, new = (VoyageFolder(tmp_path / "operator"), other["operator"])
    from packtrain.crypto import age

    path.write_text(path.read_text().replace(age.recipient_of(old.identity()), age.recipient_of(new.identity())))
    sync_parties(home.folder)
    assert not is_fresh(home.folder, pack.STAGE, pack.inputs(home.folder))
    home.pack()
    assert home.folder.read_signed(Plan) == plan
    assert keys.open_outer((home.folder.keys / keys.SITE_ENVELOPE).read_bytes(), new.identity(), "outer")


def test_without_a_declaration_nothing_is_packed(home: Home) -> None:
    home.folder.document_path(Declaration).unlink()
    with pytest.raises(DeclarationMissing):
        home.pack()
    assert not any(home.drive("A1").iterdir())


@pytest.mark.parametrize(("field_name", "value"), [("most_bytes", '"400 kB"'), ("most_drives", "3")])
def test_more_than_declared_is_refused(tmp_path: Path, home: Home, field_name: str, value: str) -> None:
    (home.folder.root / "declaration.toml").write_text(declaration_toml({field_name: value}))
    declare.declare(home.folder, home.events.append, amend=True)
    with pytest.raises(DeclarationExceeded):
        home.pack()
    assert not any(home.drive("A1").iterdir())


def test_without_a_data_set_it_says_what_to_run(home: Home) -> None:
    home.folder.document_path(Dataset).unlink()
    with pytest.raises(StageNotReady) as error:
        home.pack()
    assert "prepare" in (error.value.hint or "")


def test_an_unrehearsed_program_is_told_and_packed(home: Home) -> None:
    home.add_training()
    home.pack()
    assert "not rehearsed" in home.notices()


def test_a_broken_rehearsal_refuses(home: Home) -> None:
    home.add_training()
    home.write_kit()
    home.write_ready("broken", signed=False)
    with pytest.raises(RehearsalFailed, match="resumes"):
        home.pack()


def test_a_rehearsal_that_could_not_be_shown_is_told_and_packed_without_the_sheet(home: Home) -> None:
    home.add_training()
    home.write_kit()
    home.write_ready("not shown", signed=False)
    home.pack()
    assert "not shown in rehearsal: resumes" in home.notices()
    assert not (home.drive("A1") / "packtrain/ready.json").exists()


def test_the_kit_lies_on_the_first_drive_of_each_case_and_the_sheet_on_all(home: Home) -> None:
    home.add_training()
    home.write_kit()
    home.write_ready("kept", signed=True)
    home.pack()
    assert [label for label in LABELS if (home.drive(label) / "packtrain/kit/wheels/a.whl").exists()] == ["A1", "B1"]
    assert all((home.drive(label) / "packtrain/ready.json.sig").exists() for label in LABELS)


def test_a_kit_that_was_altered_is_refused(home: Home) -> None:
    home.add_training()
    home.write_kit()
    (home.folder.work / "kit/wheels/a.whl").write_bytes(b"other")
    with pytest.raises(KitError):
        home.pack()


def test_a_source_that_changed_while_packing_leads_to_another_attempt(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    from packtrain.errors import SourceChanged

    shard = home.folder.work / "dataset/shards/table-000000.parquet"
    sound = shard.read_bytes()

    def spoil(name: str) -> None:
        if "packing list" in name and shard.read_bytes() == sound:
            shard.write_bytes(b"short")

    durable.observe_steps(spoil)
    try:
        with pytest.raises(SourceChanged, match="table-000000"):
            home.pack()
    finally:
        durable.observe_steps(None)
    shard.write_bytes(sound)
    home.pack()
    assert home.folder.read_signed(Plan).attempt == 2


@pytest.mark.parametrize("die_at", range(1, 60, 4))
def test_killed_anywhere_between_plan_and_first_byte_it_goes_on(home: Home, die_at: int) -> None:
    """An exception stands for the kill; the crash tests of the writer do it for real."""

    class Killed(BaseException):
        pass

    seen = 0

    def count(_name: str) -> None:
        nonlocal seen
        seen += 1
        if seen == die_at:
            raise Killed

    durable.observe_steps(count)
    try:
        with pytest.raises(Killed):
            home.pack()
    finally:
        durable.observe_steps(None)
    home.pack()
    plan = home.folder.read_signed(Plan)
    envelope = (home.folder.keys / keys.CONSIGNOR_ENVELOPE).read_bytes()
    names = {"shipment": plan.shipment, "plan": digest(plan)}
    key = keys.open_inner(envelope, home.folder.identity(), home.folder.trust(), "own", role="consignor", **names)
    from packtrain.crypto import age

    assert age.recipient_of(key.identity) == plan.recipient
