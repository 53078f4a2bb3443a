"""A site after `load`: three voyage folders, a store with data, an admission, and a program to train."""

import hashlib
import sys
import textwrap
from pathlib import Path

from msgspec.structs import replace

from packtrain.digest import sha256_tree
from packtrain.diligence.declaration_file import declare_from
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode
from packtrain.documents.dataset import DataFile, Dataset
from packtrain.documents.kit import Kit
from packtrain.documents.packing_statement import PackedCase, PackedDrive, PackingStatement
from packtrain.documents.parties import Role
from packtrain.documents.ready import Ready, StepLoss, UndisturbedRun
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from sample_documents import samples
from three_parties import three_parties
from tiny_dataset import make_tiny_dataset
from voyage_papers import declaration_toml

COMMAND = "train.py --data {data} --ckpt {checkpoints} --out {results} --steps {steps}"


def write_program(folder: VoyageFolder, script: str, declaration: str = "") -> Path:
    """Write program/train.py and program/export.toml; return the folder."""
    program = folder.root / "program"
    program.mkdir(exist_ok=True)
    (program / "train.py").write_text(textwrap.dedent(script))
    if declaration:
        (program / "export.toml").write_text(textwrap.dedent(declaration))
    return program


def write_training(
    folder: VoyageFolder, *, steps: int = 4, workers: int = 1, more: str = "", command: str = COMMAND
) -> None:
    """Set [training] and [site] of voyage.toml; calling it again sets them anew."""
    path = folder.root / VOYAGE_FILE
    head = path.read_text().split("\n[training]", 1)[0]
    path.write_text(
        f'{head}\n[training]\nprogram = "program"\ncommand = "{command}"\n'
        f'steps = {steps}\nworkers = {workers}\n{more}\n[site]\nstore = "store"\n'
    )


def load_receipt(folder: VoyageFolder, root: str = "a") -> None:
    """Write the receipt that `load` would have written."""
    folder.write_receipt(
        Receipt(
            stage="load",
            inputs={"shipment": root * 64},
            outputs={},
            counts={},
            facts={},
            seconds=1.0,
            finished="2026-11-21T08:09:10Z",
            versions={},
        )
    )


def _stated(shipment: Shipment, shipment_root: str) -> PackingStatement:
    """Return the packing statement of a shipment: every drive in its case."""
    statement = samples()[PackingStatement]
    assert isinstance(statement, PackingStatement)
    cases = tuple(
        PackedCase(
            label=label,
            carrier=f"{label}. Carrier",
            seal=f"PT-{label}",
            drives=tuple(
                PackedDrive(uuid=drive.uuid, label=drive.label, serial=drive.serial)
                for drive in shipment.drives
                if drive.case == label
            ),
        )
        for label in sorted({drive.case for drive in shipment.drives})
    )
    return replace(statement, shipment=shipment.shipment, shipment_root=shipment_root, cases=cases)


def site_after_load(root: Path) -> dict[Role, VoyageFolder]:
    """Make the three folders, the operator's admission in two of them, and a loaded store at the consignee."""
    folders = three_parties(root)
    shipment = samples()[Shipment]
    assert isinstance(shipment, Shipment)
    shipment_root = folders["consignor"].write_signed(shipment, folders["consignor"].signer())
    admission = samples()[Admission]
    assert isinstance(admission, Admission)
    admission = replace(admission, shipment=shipment.shipment, shipment_root=shipment_root, policy=None)
    declaration = declare_from(declaration_toml().encode(), "test voyage", "declaration.toml", root).declaration
    for role in ("operator", "consignee"):
        folders[role].write_signed(declaration, folders["consignor"].signer())
        folders[role].write_signed(shipment, folders["consignor"].signer())
        folders[role].write_signed(_stated(shipment, shipment_root), folders["consignor"].signer())
        folders[role].write_signed(admission, folders["operator"].signer())
    make_tiny_dataset(folders["consignee"].root / "store", num_tables=6, num_images=6, num_clips=3)
    load_receipt(folders["consignee"])
    return folders


def site_with_miniature(root: Path, script: str) -> dict[Role, VoyageFolder]:
    """Make a site after load whose consignee has a kit, a rehearsal of 4 steps (losses 15/step) and its miniature."""
    folders = site_after_load(root)
    consignee, consignor = folders["consignee"], folders["consignor"]
    program = write_program(consignee, script)
    write_training(consignee)
    index = b"1.5"
    files = (DataFile(name="miniature/index.parquet", bytes=len(index), sha256=hashlib.sha256(index).hexdigest()),)
    dataset = replace(samples()[Dataset], miniature_shards=(), miniature_files=files)
    store = consignee.root / "store"
    (store / "dataset.json").write_bytes(encode(dataset))
    (store / "rehearsed").mkdir()
    (store / "rehearsed" / files[0].sha256).write_bytes(index)
    kit = Kit(
        target_python="{}.{}".format(*sys.version_info[:2]),
        target_platform="linux_x86_64",
        program=sha256_tree(program),
        command=COMMAND,
        files=(),
        provided=(),
    )
    losses = tuple(StepLoss(step=step, loss=15 / step) for step in range(1, 5))
    sheet = replace(samples()[Ready], undisturbed=UndisturbedRun(num_workers=1, num_steps=4, losses=losses))
    for document in (kit, sheet):
        consignee.write_signed(document, consignor.signer())
    return folders
