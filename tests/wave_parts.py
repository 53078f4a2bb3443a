"""A voyage at home with more drives than bays: nine folders that play drives, three bays, moved by hand."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dataset_parts import write_dataset
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.codec import decode
from packtrain.documents.custody import CustodyVerb
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.errors import MoreDrivesWanted
from packtrain.events import Notice
from packtrain.ports import Drive
from packtrain.record.custody import CustodyLog
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.stages import admit, carry, exchange, load, pack, plan
from packtrain.stores.folder import FolderStore
from packtrain.volume import layout
from shipment_parts import content
from three_parties import three_parties
from voyage_papers import Papers, accept_cases, declaration_toml, release_cases

CASES = "ABC"
NAMES = tuple(f"d{number}" for number in range(1, 10))
FILES = {f"shards/image-{number:06d}.tar": 200_000 for number in range(12)} | {"index.parquet": 700}
DRIVES = """
[drives]
survive = { cases = 1, drives = 0 }
bays = ["../bays/1", "../bays/2", "../bays/3"]
""" + "".join(
    f'\n[[drives.case]]\nlabel = "{case}"\ncount = 3\nsize = "20 MB"\ncarrier = "{case}. Carrier"\nseal = "PT-{case}"\n'
    for case in CASES
)


@dataclass
class Home:
    """A consignor with a data set, a declaration, a shelf of empty drives, and three bays with nothing in them.

    Drives have a name on the shelf ("d1"); which label a drive gets is for `pack` to say.
    """

    papers: Papers
    label_of: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def folder(self) -> VoyageFolder:
        return self.papers.consignor

    @property
    def root(self) -> Path:
        return self.papers.root

    def bay(self, number: int) -> Path:
        return self.root / "bays" / str(number)

    def shelf(self, name: str) -> Path:
        return self.root / "shelf" / name

    def empty_drive(self, name: str) -> Path:
        """Put a new, empty drive on the shelf."""
        self.shelf(name).mkdir(parents=True)
        return self.shelf(name)

    def plug(self, *names: str | None) -> None:
        """Put drives from the shelf into the bays, in order; None leaves a bay empty. What was in them goes back."""
        self.unplug()
        for number, name in enumerate(names, 1):
            if name is not None:
                self.shelf(name).rename(self.bay(number))
                (self.root / "plugged" / str(number)).write_text(name)

    def unplug(self) -> None:
        for number in (1, 2, 3):
            if self.bay(number).is_dir():
                self.bay(number).rename(self.shelf((self.root / "plugged" / str(number)).read_text()))

    def pack(self, replace: tuple[str, Path] | None = None) -> Receipt:
        return pack.pack(self.folder, open_drive, self.papers.sink, replace=replace)

    def pack_wave(self, *names: str | None, replace: tuple[str, Path] | None = None) -> MoreDrivesWanted | Receipt:
        """Plug drives, pack, and return what it ended with."""
        self.plug(*names)
        try:
            return self.pack(replace)
        except MoreDrivesWanted as wanted:
            return wanted

    def pack_all(self) -> Receipt:
        """Pack three waves of three drives."""
        ended: MoreDrivesWanted | Receipt | None = None
        for names in (("d1", "d2", "d3"), ("d4", "d5", "d6"), ("d7", "d8", "d9")):
            ended = self.pack_wave(*names)
        assert isinstance(ended, Receipt)
        return ended

    def custody(self, verb: CustodyVerb) -> list[tuple[str, ...]]:
        """Return the drives of each event of a kind."""
        log = CustodyLog(self.folder.documents / "custody.jsonl")
        return [line.event.drives for line in log.read(self.folder.trust()) if line.event.verb == verb]

    def notices(self) -> str:
        return "\n".join(event.text for event in self.papers.events if isinstance(event, Notice))

    def travel(self, *names: str, lost: str = "") -> None:
        """Seal, hand over, admit drives of these names, load all but the lost one; assert that every byte is equal."""
        self.unplug()
        drives: list[Drive] = [DirectoryDrive(self.shelf(name)) for name in names]
        carry.seal(self.folder, self.papers.sink)
        offered = release_cases(
            self.folder, tuple(CASES), "operator", self.papers.sink, destination=self.root / "hand-over.jsonl"
        )
        answer = accept_cases(self.papers.operator, offered, self.papers.sink, destination=self.root / "answer.jsonl")
        carry.adopt(self.folder, answer, self.papers.sink)
        admit.admit(self.papers.operator, self.papers.dossier(), drives, self.papers.sink)
        consignee = self.papers.consignee
        exchange.import_dossier(consignee, self.papers.dossier("onward", "operator", "consignee"), self.papers.sink)
        label = ""
        if lost:
            label = decode(DriveRecord, (self.shelf(lost) / layout.DRIVE).read_bytes(), lost).label
            drives = [DirectoryDrive(self.shelf(name)) for name in names if name != lost]
        load.load(
            consignee, drives, FolderStore(consignee.root / "store"), self.papers.sink, without=[label] if lost else []
        )
        for name in (*FILES, "dataset.json"):
            packed = self.folder.work / "dataset" / name
            assert (consignee.root / "store" / name).read_bytes() == packed.read_bytes(), name


def open_drive(path: Path) -> Drive:
    """Return the folder that plays a drive; DriveMissing where there is none."""
    return DirectoryDrive(path)


def make_home(root: Path, drives: str = DRIVES, names: Sequence[str] = NAMES) -> Home:
    """Return a home with empty drives of these names on the shelf, and a placement."""
    folders: dict[Role, VoyageFolder] = three_parties(root)
    home = Home(Papers(root, folders))
    toml = home.folder.root / VOYAGE_FILE
    toml.write_text(toml.read_text() + drives)
    for name in ("bays", "plugged", "shelf"):
        (root / name).mkdir()
    for name in names:
        home.empty_drive(name)
    home.papers.declare(declaration_toml({"most_drives": "20"}))
    write_dataset(home.folder, {name: content(size, number) for number, (name, size) in enumerate(FILES.items())})
    plan.plan(home.folder, open_drive, home.papers.sink)
    return home


def copy_home(template: Home, root: Path) -> Home:
    """Return a copy of a home below `root`."""
    shutil.copytree(template.root, root, dirs_exist_ok=True)
    return Home(Papers(root, {role: VoyageFolder(root / role) for role in template.papers.folders}))
