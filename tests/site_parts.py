"""A site after `load`: three voyage folders, a store with data, an admission, and a program to train."""

import textwrap
from pathlib import Path

from msgspec.structs import replace

from packtrain.documents.admission import Admission
from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from sample_documents import samples
from three_parties import three_parties
from tiny_dataset import make_tiny_dataset

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


def site_after_load(root: Path) -> dict[Role, VoyageFolder]:
    """Make the three folders, the operator's admission in two of them, and a loaded store at the consignee."""
    folders = three_parties(root)
    shipment = samples()[Shipment]
    assert isinstance(shipment, Shipment)
    shipment_root = folders["consignor"].write_signed(shipment, folders["consignor"].signer())
    admission = samples()[Admission]
    assert isinstance(admission, Admission)
    admission = replace(admission, shipment=shipment.shipment, shipment_root=shipment_root)
    for role in ("operator", "consignee"):
        folders[role].write_signed(admission, folders["operator"].signer())
    make_tiny_dataset(folders["consignee"].root / "store", num_tables=6, num_images=6, num_clips=3)
    load_receipt(folders["consignee"])
    return folders
