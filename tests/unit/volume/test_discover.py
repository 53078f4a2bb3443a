"""Which drives are these? Each wrong one ends with one clear message; nothing on a drive is believed unsigned."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from load_parts import Site, copy_site, flip, pack_template
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.codec import decode, digest, encode, namespace
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.group import Group
from packtrain.documents.parties import Parties
from packtrain.errors import (
    DocumentError,
    DriveMissing,
    DriveNotClosed,
    DuplicateDrive,
    ForeignDrive,
    IncompleteKnowledge,
    IntegrityError,
    PacktrainError,
    SignatureInvalid,
    SignatureMissing,
    SupersededDrive,
    UntrustedSigner,
)
from packtrain.record.trust import Trust
from packtrain.volume import layout
from packtrain.volume.discover import Expected, check_group, discover, parse_manifest
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing, make_signer

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"), {"a": 1000, "b": 5})


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


def fails(site: Site, error: type[PacktrainError], text: str) -> None:
    with pytest.raises(error) as caught:
        site.discover()
    assert text in f"{caught.value.message} {caught.value.hint}"


def sign_record(site: Site, label: str, **changes: object) -> None:
    """Change a drive's closing record and sign it as the consignor."""
    path = site.folder(label) / layout.DRIVE
    record = structs.replace(decode(DriveRecord, path.read_bytes(), "drive"), **changes)
    payload = encode(record)
    path.write_bytes(payload)
    path.with_name("drive.json.sig").write_text(site.packing.signer.sign(namespace(DriveRecord), payload))


def test_all_drives_are_found_in_the_order_of_the_plan(site: Site) -> None:
    site.drives = dict(reversed(site.drives.items()))
    fleet = site.discover()
    assert [item.record.label for item in fleet.mounted] == ["A1", "A2", "B1", "B2"]
    assert (fleet.missing, list(fleet.groups)) == ((), [0])


def test_missing_drives_are_named(site: Site) -> None:
    site.lose("B1")
    assert [drive.label for drive in site.discover().missing] == ["B1"]


@pytest.mark.parametrize("by", ["label", "location"])
def test_a_drive_can_be_left_out_by_label_or_by_place_even_if_it_is_tampered_with(site: Site, by: str) -> None:
    flip(site.folder("B1") / layout.MANIFEST, 0)
    fleet = site.discover(without=["B1" if by == "label" else str(site.folder("B1"))])
    assert [drive.label for drive in fleet.missing] == ["B1"]


@pytest.mark.parametrize("name", ["B3", "drive-B1", "b1"])
def test_a_name_to_leave_out_that_is_no_drives_is_refused_with_the_labels_that_are_there(site: Site, name: str) -> None:
    (site.folder("B2") / layout.DRIVE).write_bytes(b"?")
    with pytest.raises(DriveMissing) as caught:
        site.discover(without=["A1", name])
    place = site.folder("B2")
    assert caught.value.where == name
    assert caught.value.found == f"A1, A2, B1, {place} (its label cannot be read)"


def test_a_path_to_leave_out_may_end_in_a_slash(site: Site) -> None:
    assert [drive.label for drive in site.discover(without=[f"{site.folder('B1')}/"]).missing] == ["B1"]


@pytest.mark.parametrize("name", [layout.DRIVE, layout.DRIVE + ".sig"])
@pytest.mark.parametrize("damage", ["flipped", "empty", "no file of text"])
def test_a_damaged_closing_record_says_how_to_leave_the_drive_out(site: Site, name: str, damage: str) -> None:
    path = site.folder("B1") / name
    if damage == "flipped":
        flip(path, 60)
    else:
        path.write_bytes(b"" if damage == "empty" else bytes(range(256)))
    with pytest.raises((DocumentError, SignatureInvalid)) as caught:
        site.discover()
    told = re.search(r'leave it out with "--without (.+?)"', caught.value.hint or "")
    assert told is not None
    assert [drive.label for drive in site.discover(without=[told[1]]).missing] == ["B1"]


def test_drives_missing_and_no_shipment_document_is_incomplete_knowledge(site: Site) -> None:
    for label in site.drives:
        for suffix in ("", ".sig"):
            (site.folder(label) / (layout.SHIPMENT + suffix)).unlink(missing_ok=True)
    assert site.discover(with_shipment=False).shipment is None
    site.lose("A1", "B2")
    with pytest.raises(IncompleteKnowledge, match=r"A1 \(case A\), B2 \(case B\).*never complete"):
        site.discover(with_shipment=False)


def test_a_shipment_document_on_a_drive_says_what_the_whole_is(site: Site) -> None:
    (site.folder("B2") / layout.SHIPMENT).write_bytes(site.written.payload)
    (site.folder("B2") / (layout.SHIPMENT + ".sig")).write_bytes(site.written.signature)
    site.lose("A1")
    assert site.discover(with_shipment=False).shipment == site.written.shipment


def test_the_same_folder_twice_is_a_duplicate(site: Site, tmp_path: Path) -> None:
    (tmp_path / "also").symlink_to(site.folder("A1"))
    site.drives["again"] = DirectoryDrive(tmp_path / "also")
    fails(site, DuplicateDrive, "the same drive was given twice")


def test_a_copy_of_a_drive_is_a_duplicate(site: Site, tmp_path: Path) -> None:
    shutil.copytree(site.folder("A1"), tmp_path / "copy")
    site.drives["copy"] = DirectoryDrive(tmp_path / "copy")
    fails(site, DuplicateDrive, "drive A1, which is at")


def test_a_folder_that_is_no_packtrain_drive_is_foreign(site: Site, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    site.drives["photos"] = DirectoryDrive(tmp_path / "photos")
    fails(site, ForeignDrive, "not a packtrain drive (expected packtrain/drive.json, found an empty folder)")
    (tmp_path / "photos" / "holiday.jpeg").write_bytes(b"sea")
    fails(site, ForeignDrive, "not a packtrain drive (expected packtrain/drive.json, found no such file)")


def test_a_drive_of_another_shipment_is_foreign(site: Site) -> None:
    sign_record(site, "A1", shipment="11111111-2222-3333-4444-555555555555")
    fails(site, ForeignDrive, "drive A1 belongs to another shipment")


def test_a_drive_of_an_earlier_attempt_is_superseded(template: Template, tmp_path: Path) -> None:
    packing, _ = template
    new = tmp_path / "new"
    shutil.copytree(packing.journal_folder.parent / "cargo", new / "cargo", symlinks=True)
    shutil.copytree(packing.journal_folder.parent / "keys", new / "keys")
    second = make_packing(new, attempt=2, shipment=packing.plan.shipment)
    site = copy_site((second, second.write()), tmp_path / "site")
    site.discover()
    site.drives["A1"] = DirectoryDrive(packing.folder("A1"))
    fails(site, SupersededDrive, "drive A1 is superseded")


def test_a_drive_that_was_never_closed_says_so(site: Site) -> None:
    (site.folder("A2") / layout.DRIVE).unlink()
    fails(site, DriveNotClosed, "never closed")
    fails(site, DriveNotClosed, f"--without {site.folder('A2')}")


def test_a_record_signed_by_a_stranger_is_refused(site: Site, tmp_path: Path) -> None:
    stranger = make_signer(tmp_path / "stranger")
    path = site.folder("A1") / layout.DRIVE
    path.with_name("drive.json.sig").write_text(stranger.sign(namespace(DriveRecord), path.read_bytes()))
    fails(site, UntrustedSigner, stranger.fingerprint)


def test_a_record_without_a_signature_is_refused(site: Site) -> None:
    (site.folder("A1") / (layout.DRIVE + ".sig")).unlink()
    fails(site, SignatureMissing, "no signature")
    fails(site, SignatureMissing, "--without A1")


def test_any_flipped_bit_of_a_record_is_refused(site: Site) -> None:
    path = site.folder("A1") / layout.DRIVE
    for position in range(0, path.stat().st_size, 7):
        flip(path, position, 1 << position % 8)
        with pytest.raises((SignatureInvalid, DocumentError)):
            site.discover()
        flip(path, position, 1 << position % 8)
    site.discover()


@pytest.mark.parametrize(
    "name", [layout.TAG_MANIFEST, layout.MANIFEST, layout.PLAN, layout.GROUP, layout.GROUP + ".sig", layout.BAGIT]
)
def test_a_damaged_tag_file_is_told_as_damage_and_takes_no_drive_out(site: Site, name: str) -> None:
    flip(site.folder("B1") / name, 5)
    fleet = site.discover()
    assert len(fleet.mounted) == 4
    assert [str(damage) for damage in fleet.damage] == [
        f"drive B1, {name}, the volume: is not as the signed closing record says"
    ]
    loaded = site.load()
    site.assert_loaded()
    assert [damage.volume for damage in loaded.damage] == [name]


def test_a_missing_manifest_is_damage(site: Site) -> None:
    (site.folder("B1") / layout.MANIFEST).unlink()
    assert [damage.volume for damage in site.discover().damage] == [layout.MANIFEST]


def test_a_group_document_that_is_whole_on_no_drive_is_absent_and_the_dossiers_is_taken(site: Site) -> None:
    for label in site.drives:
        flip(site.folder(label) / layout.GROUP, 300)
    assert not site.discover().groups
    (closed,) = site.written.groups
    expected = replace(site.expected(), groups={0: closed.group})
    assert discover(list(site.drives.values()), site.trust, expected).groups == {0: closed.group}


def test_two_drives_that_swapped_their_data_are_told_apart_by_their_records(site: Site) -> None:
    for name in ("data", "packtrain/blocks"):
        a, b, aside = site.folder("A1") / name, site.folder("B1") / name, site.root / "aside"
        a.rename(aside)
        b.rename(a)
        aside.rename(b)
    site.discover()
    loaded = site.load()
    site.assert_loaded()
    assert loaded.volumes_rebuilt >= 1


def test_drives_at_swapped_mount_points_load_all_the_same(site: Site) -> None:
    aside = site.root / "aside"
    site.folder("A1").rename(aside)
    site.folder("B2").rename(site.folder("A1"))
    aside.rename(site.folder("B2"))
    assert [item.record.label for item in site.discover().mounted] == ["A1", "A2", "B1", "B2"]


def test_a_serial_that_packing_could_not_read_is_no_other_one_when_it_is_read_here(site: Site) -> None:
    site.drives["A1"] = DirectoryDrive(site.folder("A1"), serial="WD-123")
    assert len(site.discover().mounted) == len(site.drives)


def test_a_drive_with_another_serial_than_its_record_is_foreign(site: Site) -> None:
    sign_record(site, "A1", serial="WD-122")
    site.drives["A1"] = DirectoryDrive(site.folder("A1"), serial="WD-123")
    fails(site, ForeignDrive, "another serial number")


def test_a_drive_that_is_not_admitted_is_foreign(site: Site) -> None:
    plan = site.packing.plan
    admitted = {drive.uuid: drive.serial for drive in plan.drives if drive.label != "B2"}
    with pytest.raises(ForeignDrive, match="drive B2 is not in the admitted packing statement"):
        discover(list(site.drives.values()), site.trust, site.expected(admitted=admitted))


def test_a_drive_closed_again_after_the_shipment_document_is_foreign(site: Site) -> None:
    sign_record(site, "A1", closed="2030-01-01T00:00:00Z")
    fails(site, ForeignDrive, "drive A1 is not as the shipment document names it")


def test_trust_never_comes_from_a_drive(site: Site, tmp_path: Path) -> None:
    stranger = make_signer(tmp_path / "stranger")
    parties = site.packing.parties
    party = structs.replace(parties.parties[0], signer=stranger.public_line)
    other = Trust(Parties(voyage="test", parties=(party,)))
    with pytest.raises(UntrustedSigner):
        discover(list(site.drives.values()), other, Expected(site.packing.plan, digest(site.packing.plan)))


@pytest.mark.parametrize(
    "line",
    ["0" * 63 + "  data/x", "0" * 64 + " data/x", "0" * 64 + "  /etc/x", "0" * 64 + "  a/../x", "g" * 64 + "  a", ""],
)
def test_a_line_that_is_no_manifest_line_is_refused(line: str) -> None:
    with pytest.raises(IntegrityError):
        parse_manifest(f"{line}\n".encode(), "manifest")


def test_a_cut_manifest_and_a_name_given_twice_are_refused() -> None:
    line = "0" * 64 + "  data/x\n"
    assert parse_manifest(line.encode(), "manifest") == {"data/x": "0" * 64}
    for text in (line[:-1], line + line):
        with pytest.raises(IntegrityError):
            parse_manifest(text.encode(), "manifest")


def test_a_group_document_that_contradicts_the_plan_or_itself_is_refused(site: Site) -> None:
    plan = site.packing.plan
    group = site.written.groups[0].group
    check_group(group, plan, digest(plan), "group")
    volumes = list(group.volumes)

    def with_volume(position: int, **changes: object) -> Group:
        return structs.replace(
            group,
            volumes=tuple(
                [*volumes[:position], structs.replace(volumes[position], **changes), *volumes[position + 1 :]]
            ),
        )

    wrong = [
        structs.replace(group, k=3, m=1),
        structs.replace(group, attempt=2),
        structs.replace(group, num_stripes=9_999_999),
        structs.replace(group, volumes=tuple(volumes[:-1])),
        structs.replace(group, volumes=tuple(reversed(volumes))),
        with_volume(0, drive=volumes[1].drive),
        with_volume(len(volumes) - 1, bytes=volumes[-1].bytes + 1),
        structs.replace(group, drives=tuple(reversed(group.drives))),
        # A stripe that agrees with itself, of volumes that would keep a reader busy for years.
        structs.replace(
            group, volumes=tuple(structs.replace(v, bytes=2**53 - 1) if v.stripe == 0 else v for v in volumes)
        ),
    ]
    for document in wrong:
        with pytest.raises(IntegrityError):
            check_group(document, plan, digest(plan), "group")
