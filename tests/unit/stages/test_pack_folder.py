"""`form = "folder"`: a folder is carried as it is, after a report of what of it cannot be."""

import os
from pathlib import Path

import pytest

from packtrain import durable
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.dataset import Dataset
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.engines.processes import ProcessMapper
from packtrain.errors import DeclarationExceeded, NothingToCarry, SourceChanged, SourceUnreadable, VoyageFileError
from packtrain.events import Notice, Progress
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.stages import admit, exchange, load, pack, plan, prepare, rehearse
from packtrain.stores.folder import FolderStore
from three_parties import three_parties
from tree_parts import assert_equal, everything
from voyage_papers import Papers, declaration_toml

SECTIONS = """
[sources]
paths = ["../data"]
form = "folder"
[drives]
survive = { cases = 1, drives = 0 }
[[drives.case]]
label = "A"
drives = ["../drives/a1"]
carrier = "A. Carrier"
seal = "PT-A"
[[drives.case]]
label = "B"
drives = ["../drives/b1"]
carrier = "B. Carrier"
seal = "PT-B"
"""


class Home:
    """A consignor with a folder to carry, planned and declared; nothing is packed yet."""

    def __init__(self, root: Path, extra: str = "") -> None:
        self.root = root
        self.papers = Papers(root, three_parties(root))
        for name in ("a1", "b1"):
            (root / "drives" / name).mkdir(parents=True)
        self.data.mkdir()
        voyage_file = self.folder.root / VOYAGE_FILE
        voyage_file.write_text(voyage_file.read_text() + SECTIONS + extra)
        (self.folder.root / "declaration.toml").write_text(declaration_toml({"most_bytes": '"10 MB"'}))
        self.papers.declare()

    @property
    def folder(self) -> VoyageFolder:
        return self.papers.consignor

    @property
    def data(self) -> Path:
        return self.root / "data"

    def plan(self) -> None:
        plan.plan(self.folder, DirectoryDrive, self.papers.sink)
        prepare.prepare(self.folder, ProcessMapper(0), self.papers.sink)

    def pack(self, *, accept_losses: bool = False) -> Receipt:
        return pack.pack(self.folder, DirectoryDrive, self.papers.sink, accept_losses=accept_losses)

    def notices(self) -> str:
        return "\n".join(event.text for event in self.papers.events if isinstance(event, Notice))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    (home.data / "in").mkdir()
    (home.data / "in/file").write_bytes(b"content" * 1000)
    (home.data / "other").hardlink_to(home.data / "in/file")
    home.plan()
    return home


def test_a_folder_with_everything_in_it_travels_and_comes_back_equal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.data.rmdir()
    everything(home.data)
    home.plan()
    home.pack()
    home.papers.seal()
    home.papers.hand_over()
    drives = [DirectoryDrive(tmp_path / "drives" / name) for name in ("b1", "a1")]
    admit.admit(home.papers.operator, home.papers.dossier(), drives, home.papers.sink)
    consignee = home.papers.consignee
    exchange.import_dossier(consignee, home.papers.dossier("onward", "operator", "consignee"), home.papers.sink)
    store = FolderStore(consignee.root / "store")
    receipt = load.load(consignee, drives, store, home.papers.sink)
    assert_equal(consignee.root / "store", home.data)
    assert receipt.counts["entries_loaded"] == pack.preview(home.folder).cargo.listed.num_entries
    assert load.inputs(consignee) == receipt.inputs
    assert load.is_settled(consignee, FolderStore(consignee.root / "store"))
    lost = next(path for path in sorted((consignee.root / "store").rglob("*")) if path.is_file())
    lost.unlink()
    assert load.inputs(consignee) != receipt.inputs
    assert not load.is_settled(consignee, FolderStore(consignee.root / "store"))
    load.load(consignee, drives, store, home.papers.sink)
    assert "entries are gone from the store since they were loaded" in home.notices()
    assert_equal(consignee.root / "store", home.data)
    assert load.inputs(consignee) == receipt.inputs


def test_prepare_says_in_one_line_that_there_is_nothing_to_prepare(home: Home) -> None:
    assert 'nothing to prepare: form = "folder" carries the folder as it is' in home.notices()
    receipt = home.folder.receipt("prepare")
    assert receipt is not None and receipt.inputs == prepare.inputs(home.folder)
    assert not home.folder.has(Dataset)


def test_plan_counts_a_file_of_two_names_once(home: Home) -> None:
    receipt = home.folder.receipt("plan")
    assert receipt is not None
    assert (receipt.counts["source_files"], receipt.counts["source_bytes"]) == (1, 7000)


def test_an_unchanged_folder_is_the_same_attempt_and_a_changed_one_another(home: Home) -> None:
    first = home.pack()
    listed = [event for event in home.papers.events if isinstance(event, Progress) and "folder" in event.activity]
    assert [event.done_items > 0 for event in listed] == [True]
    assert home.pack().facts["shipment root"] == first.facts["shipment root"]
    (home.data / "in/new").write_bytes(b"")
    assert home.pack().facts["attempt"] == "2"


def test_a_receipt_alone_does_not_say_that_a_folder_is_packed_until_it_is_sealed(home: Home) -> None:
    home.pack()
    assert not pack.is_settled(home.folder)
    home.papers.seal()
    assert pack.is_settled(home.folder)
    (home.data / "in/new").write_bytes(b"")
    home.pack()  # sealed drives are not looked for
    assert home.folder.read_signed(Plan).attempt == 1


def test_what_cannot_be_carried_refuses_until_it_is_accepted(home: Home) -> None:
    os.mkfifo(home.data / "pipe")
    (home.data / "out").symlink_to("/etc/passwd")
    with pytest.raises(SourceUnreadable, match="2 sources cannot be carried") as caught:
        home.pack()
    assert "--accept-losses" in str(caught.value.hint)
    assert not home.folder.has(Plan)
    losses = home.folder.work / "pack/losses.txt"
    assert sorted(line.partition("\t")[0] for line in losses.read_text().splitlines()) == [
        "sockets, pipes and devices",
        "symbolic links that leave the folder",
    ]
    receipt = home.pack(accept_losses=True)
    assert receipt.counts["entries_left_out"] == 2
    assert "sockets, pipes and devices: 1" in receipt.facts["losses accepted"]
    home.pack()  # the same losses were accepted
    os.mkfifo(home.data / "another")
    with pytest.raises(SourceUnreadable, match="3 sources"):
        home.pack()


def test_the_preview_says_what_packing_then_does_and_writes_nothing(home: Home) -> None:
    for number in range(5):
        (home.data / f"large {number}").write_bytes(bytes([number]) * 200_000)
    os.mkfifo(home.data / "pipe")
    before = sorted(home.root.rglob("*"))
    shown = pack.preview(home.folder)
    assert sorted(home.root.rglob("*")) == before
    assert shown.cargo.losses.num_left_out == 1
    receipt = home.pack(accept_losses=True)
    assert shown.cargo.listed.num_entries == receipt.counts["entries"]
    assert shown.cargo.listed.num_files == receipt.counts["files"]
    assert shown.cargo.listed.total_bytes == receipt.counts["bytes_packed"]
    assert shown.volumes.data + shown.volumes.parity == receipt.counts["volumes"]


def test_more_bytes_than_declared_are_refused(home: Home) -> None:
    (home.data / "huge").write_bytes(bytes(11_000_000))
    with pytest.raises(DeclarationExceeded):
        home.pack()


def test_a_file_that_changes_after_it_was_listed_fails_the_run(home: Home) -> None:
    def change(step: str) -> None:
        if step == "after packing list":
            (home.data / "in/file").write_bytes(b"changed" * 1000)

    durable.observe_steps(change)
    try:
        with pytest.raises(SourceChanged):
            home.pack()
    finally:
        durable.observe_steps(None)


def test_an_empty_folder_is_nothing_to_carry(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.plan()
    with pytest.raises(NothingToCarry):
        home.pack()


def test_a_folder_that_holds_the_voyage_or_a_drive_is_refused(home: Home) -> None:
    voyage_file = home.folder.root / VOYAGE_FILE
    text = voyage_file.read_text()
    for path, what in (("..", "the voyage folder itself"), ("../drives", "a drive lies in the folder")):
        voyage_file.write_text(text.replace("../data", path))
        with pytest.raises(VoyageFileError, match=what):
            home.pack()


def test_a_rehearsal_with_a_folder_is_refused_in_words(tmp_path: Path) -> None:
    home = Home(tmp_path, '\n[training]\nprogram = "program"\ncommand = "train.py"\n')
    with pytest.raises(VoyageFileError, match="has no miniature to rehearse with"):
        rehearse.rehearse(home.folder, DirectoryDrive, home.papers.sink)


def test_a_dataset_json_of_another_program_is_a_file_like_any_other(home: Home) -> None:
    (home.data / "dataset.json").write_text('{"mine": true}')
    home.pack()
    home.papers.seal()
    home.papers.hand_over()
    drives = [DirectoryDrive(home.root / "drives" / name) for name in ("a1", "b1")]
    admit.admit(home.papers.operator, home.papers.dossier(), drives, home.papers.sink)
    consignee = home.papers.consignee
    exchange.import_dossier(consignee, home.papers.dossier("onward", "operator", "consignee"), home.papers.sink)
    receipt = load.load(consignee, drives, FolderStore(consignee.root / "store"), home.papers.sink)
    assert load.inputs(consignee) == receipt.inputs
    assert "dataset.json is no data set's document" in home.notices()
