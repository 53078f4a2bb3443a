"""The specification is enough to write a reader from, and its table of members is that of the code."""

import re
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
from shipment_parts import make_packing, write_cargo

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
    root = write_cargo(tmp_path / "cargo", {"large": 900_000, "a/b/small": 5_000, "empty": 0, "more": 300_000})
    (root / "link").symlink_to("a/b/small")
    packing = make_packing(tmp_path)
    packing.write()
    signers = tmp_path / "allowed_signers"
    signers.write_text(allowed_signers(packing.parties))
    left = [packing.folder(drive.label) for drive in packing.plan.drives if drive.label not in lost]
    target = tmp_path / "restored"
    target.mkdir()
    assert restore(left, signers, packing.identity, target) == 5
    found = {path.relative_to(target): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found == {path.relative_to(root): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert (target / "link").readlink() == Path("a/b/small")


@pytest.mark.parametrize("document_type", PARTS)
def test_the_specification_lists_every_member(document_type: type[msgspec.Struct]) -> None:
    kind: str = document_type.kind  # pyright: ignore[reportAttributeAccessIssue]
    row = re.search(rf"^\| `{kind}` \| (.*) \|$", SPEC.read_text(), re.MULTILINE)
    assert row is not None
    for part in (document_type, *PARTS[document_type]):
        for field in msgspec.structs.fields(part):
            assert f"`{field.name}`" in row[1], (part.__name__, field.name)
