"""The specification is enough to write a reader from, and its table of members is that of the code."""

import re
import sys
from pathlib import Path

import msgspec
import pytest

from packtrain.documents.custody import CustodyEvent
from packtrain.documents.drive import Drive
from packtrain.documents.group import Catalog, Group, Volume
from packtrain.documents.parties import allowed_signers
from packtrain.documents.plan import Algorithms, Plan, PlannedDrive, PlannedGroup, Survive
from packtrain.documents.shipment import Shipment, ShippedDrive, ShippedGroup
from packtrain.documents.shipment_key import ShipmentKey
from second_reader import restore
from shipment_parts import make_packing
from tree_parts import assert_equal, everything

SPEC = Path(__file__).parents[2] / "docs/spec/cargo-1.md"
PARTS: dict[type[msgspec.Struct], tuple[type[msgspec.Struct], ...]] = {
    Plan: (Algorithms, PlannedDrive, PlannedGroup, Survive),
    Group: (Volume, Catalog),
    Drive: (),
    Shipment: (ShippedDrive, ShippedGroup),
    CustodyEvent: (),
    ShipmentKey: (),
}


@pytest.mark.needs_age
@pytest.mark.needs_ssh_keygen
@pytest.mark.parametrize("lost", [(), ("A1",), ("B1", "B2")])
def test_a_reader_from_the_specification_restores_what_is_left(tmp_path: Path, lost: tuple[str, ...]) -> None:
    root = everything(tmp_path / "cargo")
    packing = make_packing(tmp_path)
    packing.write()
    signers = tmp_path / "allowed_signers"
    signers.write_text(allowed_signers(packing.parties))
    left = [packing.folder(drive.label) for drive in packing.plan.drives if drive.label not in lost]
    target = tmp_path / "restored"
    target.mkdir()
    report = restore(left, signers, packing.identity, target)
    assert report.is_whole and len(report.restored) == len(packing.entries)
    assert_equal(target, root)


def test_it_imports_nothing_of_packtrain() -> None:
    sources = [path.read_text() for path in (Path(__file__).parents[1] / "second_reader").glob("*.py")]
    modules = {found for text in sources for found in re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)}
    assert modules <= {*sys.stdlib_module_names, "second_reader"}


@pytest.mark.parametrize("document_type", PARTS)
def test_the_specification_lists_every_member(document_type: type[msgspec.Struct]) -> None:
    kind: str = document_type.kind  # pyright: ignore[reportAttributeAccessIssue]
    row = re.search(rf"^\| `{kind}` \| (.*) \|$", SPEC.read_text(), re.MULTILINE)
    assert row is not None
    for part in (document_type, *PARTS[document_type]):
        for field in msgspec.structs.fields(part):
            assert f"`{field.name}`" in row[1], (part.__name__, field.name)
