"""A voyage that stands before `load`: packed for real, sealed, handed over, admitted; three folders and real drives."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dataset_parts import write_dataset
from packtrain import durable
from packtrain.devices.directory import DirectoryDrive
from packtrain.digest import sha256_bytes, sha256_tree
from packtrain.documents.kit import Kit, KitFile
from packtrain.documents.parties import Role
from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Survive
from packtrain.documents.receipt import Receipt
from packtrain.events import Event, Notice
from packtrain.ports import Drive
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.stages import admit, exchange, load, pack
from packtrain.stores.folder import FolderStore
from shipment_parts import content
from three_parties import three_parties
from voyage_papers import Papers

LABELS = ("A1", "A2", "B1", "B2")
FILES = {"shards/image-000000.tar": 500_000, "shards/table-000000.parquet": 20_000, "index.parquet": 700}
NUM_SAMPLES = 10
NUM_CANARIES = 2  # at the top, and beside the shards
KIT_FILES = {
    "install.sh": b"#!/bin/sh\n",
    "program/train.py": b"print('trained')\n",
    "wheels/a.whl": content(3_000_000, 7),
}


@dataclass
class Arrived:
    """Everything at the site; `load` can be called."""

    root: Path
    folders: dict[Role, VoyageFolder]
    events: list[Event] = field(default_factory=list[Event])

    @property
    def consignee(self) -> VoyageFolder:
        return self.folders["consignee"]

    @property
    def operator(self) -> VoyageFolder:
        return self.folders["operator"]

    @property
    def store(self) -> FolderStore:
        return FolderStore(self.consignee.root / "store")

    def drive(self, label: str) -> Path:
        return self.root / "drives" / label

    def drives(self, *labels: str) -> list[Drive]:
        return [DirectoryDrive(self.drive(label)) for label in labels or LABELS]

    def load(self, *labels: str, without: tuple[str, ...] = (), no_more: bool = False) -> Receipt:
        return load.load(
            self.consignee, self.drives(*labels), self.store, self.events.append, without=without, no_more=no_more
        )

    def notices(self) -> str:
        return "\n".join(event.text for event in self.events if isinstance(event, Notice))

    def assert_loaded(self) -> None:
        source = self.folders["consignor"].work / "dataset"
        for name in (*FILES, "dataset.json"):
            assert (self.consignee.root / "store" / name).read_bytes() == (source / name).read_bytes()


def arrive(
    root: Path,
    *,
    with_kit: bool = False,
    make_dataset: Callable[[VoyageFolder], object] | None = None,
    make_kit: Callable[[VoyageFolder], object] | None = None,
    groups: tuple[PlacedGroup, ...] = (PlacedGroup(k=2, m=2, drives=LABELS),),
) -> Arrived:
    """Make the voyage up to the admission, for real; the kit, if wanted, is not one that installs, or `make_kit`'s."""
    papers = Papers(root, three_parties(root))
    papers.declare()
    (make_dataset or _write_dataset)(papers.consignor)
    for label in LABELS:
        (root / "drives" / label).mkdir(parents=True)
    papers.consignor.write(
        PlacementDocument(
            drives=tuple(
                PlacedDrive(
                    label=label, case=label[0], path=f"../drives/{label}", serial="folder", capacity_bytes=10**9
                )
                for label in LABELS
            ),
            groups=groups,
            survive=Survive(cases=1, drives=0),
            statement="any one case",
            source_bytes=1,
            capacity_bytes=10**9,
        )
    )
    if with_kit:
        (make_kit or _write_kit)(papers.consignor)
    pack.pack(papers.consignor, DirectoryDrive, papers.sink)
    papers.seal()
    papers.hand_over()
    arrived = Arrived(root, papers.folders)
    admit.admit(papers.operator, papers.dossier(), arrived.drives(), papers.sink)
    exchange.import_dossier(papers.consignee, papers.dossier("onward", "operator", "consignee"), papers.sink)
    return arrived


def copy_arrived(template: Arrived, root: Path) -> Arrived:
    """Return a copy of all folders and drives below `root`."""
    shutil.copytree(template.root, root, dirs_exist_ok=True)
    return Arrived(root, {role: VoyageFolder(root / role) for role in template.folders})


def _write_kit(folder: VoyageFolder) -> None:
    voyage_file = folder.root / VOYAGE_FILE
    voyage_file.write_text(voyage_file.read_text() + '\n[training]\nprogram = "program"\ncommand = "train.py"\n')
    for name, payload in KIT_FILES.items():
        durable.write_bytes(folder.work / "kit" / name, payload)
    kit = Kit(
        target_python="3.11",
        target_platform="linux_x86_64",
        program=sha256_tree(folder.work / "kit" / "program"),
        command="train.py",
        files=tuple(
            KitFile(name=name, bytes=len(payload), sha256=sha256_bytes(payload)) for name, payload in KIT_FILES.items()
        ),
        provided=(),
    )
    folder.write_signed(kit, folder.signer())


def _write_dataset(folder: VoyageFolder) -> None:
    contents = {name: content(size, number) for number, (name, size) in enumerate(FILES.items())}
    image, table, _ = FILES
    write_dataset(folder, contents, {image: NUM_SAMPLES - 3, table: 3})
