"""pack in waves: nine drives, three bays; drives in any order, drives that fail, drives that are others'."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from dataset_parts import put_dataset
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.codec import decode, digest
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.placement import PlacementDocument
from packtrain.documents.plan import Plan
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    DriveFailed,
    DriveFull,
    DriveInUse,
    DriveMissing,
    DuplicateDrive,
    ForeignDrive,
    MoreDrivesWanted,
    StageNotReady,
    SupersededDrive,
)
from packtrain.events import discard
from packtrain.ports import Drive, DriveWriter
from packtrain.record.folder import VOYAGE_FILE
from packtrain.stages import pack, plan
from packtrain.volume import layout
from packtrain.volume.discover import Expected, discover
from packtrain.volume.scrub import scrub
from shipment_parts import content
from wave_parts import Home, copy_home, make_home, open_drive


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def first_wave(template: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = copy_home(template, tmp_path_factory.mktemp("first-wave"))
    assert isinstance(home.pack_wave("d1", "d2", "d3"), MoreDrivesWanted)
    home.unplug()
    return home


@pytest.fixture(scope="module")
def packed(first_wave: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    home = copy_home(first_wave, tmp_path_factory.mktemp("packed"))
    home.pack_wave("d4", "d5", "d6")
    assert isinstance(home.pack_wave("d7", "d8", "d9"), Receipt)
    home.unplug()
    return home


@pytest.fixture
def home(template: Home, tmp_path: Path) -> Home:
    return copy_home(template, tmp_path)


@pytest.fixture
def begun(first_wave: Home, tmp_path: Path) -> Home:
    return copy_home(first_wave, tmp_path)


@pytest.fixture
def whole(packed: Home, tmp_path: Path) -> Home:
    return copy_home(packed, tmp_path)


def record_on(path: Path) -> DriveRecord:
    return decode(DriveRecord, (path / layout.DRIVE).read_bytes(), str(path))


def everything(path: Path) -> dict[str, bytes]:
    return {str(found.relative_to(path)): found.read_bytes() for found in path.rglob("*") if found.is_file()}


def dying_drive(location: str) -> Callable[[Path], Drive]:
    """Return an opener; the drive whose place ends so fails when its second stripe is written."""

    class Dying(DirectoryDrive):
        def open_writer(self, name: str) -> AbstractContextManager[DriveWriter]:
            if self.location.endswith(location) and name.startswith("data/0000001"):
                raise DriveFailed("drive cannot be written", where=self.location)
            return super().open_writer(name)

    return Dying


# --- the plan ------------------------------------------------------------------------------------------------------


def test_a_plan_needs_no_drive_where_counts_and_sizes_are_given(home: Home) -> None:
    placement = home.folder.read(PlacementDocument)
    assert [drive.label for drive in placement.drives] == [f"{case}{number}" for case in "ABC" for number in (1, 2, 3)]
    assert {(drive.path, drive.serial, drive.capacity_bytes) for drive in placement.drives} == {
        (None, None, 20 * 10**6)
    }
    assert [(group.k, group.m) for group in placement.groups] == [(2, 1)] * 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ('drives = ["x"]\ncount = 3\nsize = "20 MB"', "found drives, count, size"),
        ("count = 3", "found count"),
        ("", "none of them"),
        ('count = 3\nsize = "large"', "not a size"),
    ],
)
def test_a_case_names_its_drives_in_one_way(home: Home, wrong: str, message: str) -> None:
    toml = home.folder.root / VOYAGE_FILE
    toml.write_text(toml.read_text().replace('count = 3\nsize = "20 MB"', wrong, 1))
    with pytest.raises(Exception, match=message):
        plan.plan(home.folder, open_drive, home.papers.sink)


def test_drives_that_take_their_turn_need_bays(home: Home) -> None:
    toml = home.folder.root / VOYAGE_FILE
    toml.write_text("\n".join(line for line in toml.read_text().splitlines() if not line.startswith("bays")))
    with pytest.raises(Exception, match="no bays are named"):
        plan.plan(home.folder, open_drive, home.papers.sink)


# --- waves ---------------------------------------------------------------------------------------------------------


def test_three_waves_are_packed_and_every_byte_arrives(home: Home) -> None:
    first = home.pack_wave("d1", "d2", "d3")
    assert isinstance(first, MoreDrivesWanted)
    assert (first.wanted["waves_done"], first.wanted["waves"]) == (1, 3)
    assert [drive["label"] for drive in first.wanted["closed_now"]] == ["A1", "B1", "C1"]  # type: ignore[index, attr-defined]
    assert first.wanted["wanted_empty"] == ["A2", "B2", "C2"]
    assert "A1 (" in first.message
    assert not home.folder.has(Shipment)
    assert pack.standing(home.folder) == "1 of 3 waves done; next: A2, B2, C2"
    second = home.pack_wave("d6", "d5", "d4")
    assert isinstance(second, MoreDrivesWanted)
    receipt = home.pack_wave("d7", "d8", "d9")
    assert isinstance(receipt, Receipt)
    assert receipt.counts["drives"] == 9
    assert pack.standing(home.folder) == ""
    assert all(drive.serial is None for drive in home.folder.read_signed(Plan).drives)
    assert len(home.custody("formatted")) == len(home.custody("closed")) == 3
    assert "A1, A2, B1, B2, C1, C2 closed before it and do not have it" in home.notices()
    assert (home.bay(1) / layout.SHIPMENT).read_bytes() == home.folder.payload(Shipment)
    home.travel(*(f"d{number}" for number in range(9, 0, -1)))


def test_a_drive_is_known_in_any_bay_and_a_closed_one_left_alone(begun: Home) -> None:
    before = everything(begun.shelf("d2"))
    ended = begun.pack_wave("d2", None, "d1")
    assert isinstance(ended, MoreDrivesWanted)
    assert ended.wanted["closed_now"] == []
    begun.unplug()
    assert everything(begun.shelf("d2")) == before


def test_too_few_drives_for_a_group_are_left_empty(home: Home) -> None:
    ended = home.pack_wave("d1", "d2")
    assert isinstance(ended, MoreDrivesWanted)
    assert ended.wanted["wanted_empty"] == ["A1", "B1", "C1"]
    assert not any(home.bay(1).iterdir())


def test_a_wave_that_was_begun_waits_for_its_drives_and_others_go_on(home: Home) -> None:
    home.plug("d1", "d2", "d3")
    with pytest.raises(DriveFailed):
        pack.pack(home.folder, dying_drive("/2"), home.papers.sink)
    ended = home.pack_wave("d4", "d5", "d6")
    assert isinstance(ended, MoreDrivesWanted)
    assert [drive["label"] for drive in ended.wanted["closed_now"]] == ["A2", "B2", "C2"]  # type: ignore[index, attr-defined]
    assert ended.wanted["wanted_again"] == ["A1", "B1", "C1"]
    assert isinstance(home.pack_wave("d3", "d1", "d2"), MoreDrivesWanted)
    assert isinstance(home.pack_wave("d7", "d8", "d9"), Receipt)


def test_a_foreign_drive_in_a_bay_is_refused_before_anything_is_written(home: Home) -> None:
    (home.shelf("d2") / "holiday.jpg").write_bytes(b"x")
    home.plug("d1", "d2", "d3")
    with pytest.raises(ForeignDrive, match=r"holiday\.jpg"):
        home.pack()
    assert not any(home.bay(1).iterdir())


def test_a_copy_of_a_drive_in_another_bay_is_refused(begun: Home) -> None:
    import shutil

    shutil.copytree(begun.shelf("d1"), begun.shelf("copy"))
    begun.plug("d1", "copy", "d3")
    with pytest.raises(DuplicateDrive, match="A1"):
        begun.pack()


def test_drives_of_an_earlier_attempt_are_named_superseded_and_cleared(begun: Home) -> None:
    payload = content(200_000, 99)
    (begun.folder.work / "dataset/shards/image-000000.tar").write_bytes(payload)
    from msgspec import structs

    from packtrain.digest import sha256_bytes
    from packtrain.documents.dataset import Dataset

    dataset = begun.folder.read(Dataset)
    first = structs.replace(dataset.shards[0], sha256=sha256_bytes(payload))
    put_dataset(begun.folder, structs.replace(dataset, shards=(first, *dataset.shards[1:])))
    ended = begun.pack_wave("d3", "d2", "d1")
    assert isinstance(ended, MoreDrivesWanted)
    assert "superseded, of attempt 1" in begun.notices()
    assert record_on(begun.bay(1)).attempt == 2


@pytest.mark.parametrize(("free_bytes", "what"), [(29_000_000, "less than half"), (31_000_000, None)])
def test_a_bay_with_much_less_room_than_planned_has_no_drive_mounted(
    begun: Home, free_bytes: int, what: str | None
) -> None:
    class Small(DirectoryDrive):
        def free_bytes(self) -> int:
            return free_bytes

    begun.plug("d4", "d5", "d6")
    with pytest.raises(DriveFull if what else MoreDrivesWanted, match=what):
        pack.pack(begun.folder, Small, begun.papers.sink)
    assert any(begun.bay(1).iterdir()) == (not what)


def test_a_drive_that_is_too_small_for_its_part_is_refused_when_its_group_comes(begun: Home) -> None:
    class Small(DirectoryDrive):
        def free_bytes(self) -> int:
            return 100_000

    begun.plug("d4", "d5", "d6")
    with pytest.raises(DriveFull, match="nothing was written"):
        pack.pack(begun.folder, Small, begun.papers.sink)
    assert not any(begun.bay(1).iterdir())


def test_drives_with_a_path_go_group_by_group_and_the_missing_one_is_named(tmp_path: Path) -> None:
    cases = "\n[drives]\nsurvive = { cases = 1, drives = 0 }\npack_bays = 3\n" + "".join(
        f'\n[[drives.case]]\nlabel = "{case}"\ndrives = [{", ".join(paths)}]\n'
        for case, paths in {c: [f'"../shelf/{c}{n}"' for n in (1, 2, 3)] for c in "ABC"}.items()
    )
    home = make_home(tmp_path, cases, [f"{case}{number}" for case in "ABC" for number in (1, 2, 3)])
    home.shelf("C2").rename(tmp_path / "away")
    with pytest.raises(DriveMissing, match="missing C2"):
        home.pack()
    assert (home.shelf("A1") / layout.DRIVE).is_file()
    assert not any(home.shelf("A2").iterdir())
    (tmp_path / "away").rename(home.shelf("C2"))
    assert home.pack().counts["groups"] == 3


# --- replacing -----------------------------------------------------------------------------------------------------


def test_a_drive_that_fails_after_its_group_was_closed_is_rebuilt_from_the_others(begun: Home) -> None:
    old = record_on(begun.shelf("d2"))
    volumes = {path.name: path.read_bytes() for path in (begun.shelf("d2") / "data").iterdir()}
    begun.empty_drive("new")
    ended = begun.pack_wave("d1", "new", "d3", replace=("B1", begun.bay(2)))
    assert isinstance(ended, MoreDrivesWanted)
    closed = [(drive["label"], Path(drive["location"]).resolve()) for drive in ended.wanted["closed_now"]]  # type: ignore[index, attr-defined]
    assert closed == [("B1", begun.bay(2).resolve())]
    new = record_on(begun.bay(2))
    assert (new.label, new.replaces, new.group_document) == ("B1", (old.uuid,), old.group_document)
    assert new.uuid != old.uuid
    assert {path.name: path.read_bytes() for path in (begun.bay(2) / "data").iterdir()} == volumes
    assert begun.custody("replaced") == [(old.uuid, new.uuid)]
    begun.pack_wave("d4", "d5", "d6")
    assert isinstance(begun.pack_wave("d7", "d8", "d9"), Receipt)
    shipped = {drive.label: drive for drive in begun.folder.read_signed(Shipment).drives}
    assert (shipped["B1"].uuid, shipped["B1"].replaces) == (new.uuid, (old.uuid,))
    # Without another drive of its group, the new one is what the files come back from.
    begun.travel("d1", "new", "d3", "d4", "d5", "d6", "d7", "d8", "d9", lost="d1")


def test_the_failed_drive_is_refused_by_name_once_it_was_replaced(begun: Home) -> None:
    begun.empty_drive("new")
    begun.pack_wave("d1", "new", "d3", replace=("B1", begun.bay(2)))
    begun.plug("d2", "d5", "d6")
    with pytest.raises(SupersededDrive, match="drive B1 is superseded"):
        begun.pack()


def test_a_replacement_waits_for_drives_to_rebuild_from_and_names_them(begun: Home) -> None:
    begun.empty_drive("new")
    ended = begun.pack_wave("new", "d1", replace=("B1", begun.bay(1)))
    assert isinstance(ended, MoreDrivesWanted)
    assert ended.wanted["wanted_sources"] == [{"number": 1, "of": ["C1"]}]
    assert "any 1 of C1, to rebuild from" in ended.message
    # Not named again: the drive has its UUID by now, and may be in any bay.
    assert isinstance(begun.pack_wave("d3", "d1", "new"), MoreDrivesWanted)
    assert record_on(begun.bay(3)).label == "B1"
    assert len(begun.custody("replaced")) == 1


def test_a_replacement_that_fails_is_replaced_too(begun: Home) -> None:
    first = record_on(begun.shelf("d2")).uuid
    begun.empty_drive("new")
    begun.pack_wave("d1", "new", "d3", replace=("B1", begun.bay(2)))
    second = record_on(begun.bay(2)).uuid
    begun.empty_drive("newer")
    begun.pack_wave("d1", "newer", "d3", replace=("B1", begun.bay(2)))
    assert record_on(begun.bay(2)).replaces == (first, second)
    assert len(begun.custody("replaced")) == 2


def test_a_drive_that_fails_before_its_group_is_closed_is_rebuilt_and_written_on(home: Home) -> None:
    home.plug("d1", "d2", "d3")
    with pytest.raises(DriveFailed):
        pack.pack(home.folder, dying_drive("/2"), home.papers.sink)
    before = {path.name: path.read_bytes() for path in (home.bay(2) / "data").iterdir()}
    assert before
    home.empty_drive("new")
    ended = home.pack_wave("d1", "new", "d3", replace=("B1", home.bay(2)))
    assert isinstance(ended, MoreDrivesWanted)
    now = {path.name: path.read_bytes() for path in (home.bay(2) / "data").iterdir()}
    assert {name: now[name] for name in before} == before
    home.pack_wave("d4", "d5", "d6")
    assert isinstance(home.pack_wave("d7", "d8", "d9"), Receipt)
    home.travel("d1", "new", "d3", "d4", "d5", "d6", "d7", "d8", "d9")


def test_a_drive_that_fails_after_the_shipment_was_signed_makes_another_root(whole: Home) -> None:
    root = whole.folder.digest(Shipment)
    whole.empty_drive("new")
    receipt = whole.pack_wave("d1", "new", "d3", replace=("B1", whole.bay(2)))
    assert isinstance(receipt, Receipt)
    assert whole.folder.digest(Shipment) != root
    assert (whole.bay(1) / layout.SHIPMENT).read_bytes() == whole.folder.payload(Shipment)
    whole.travel("d1", "new", "d3", "d4", "d5", "d6", "d7", "d8", "d9")


def test_nothing_is_replaced_under_a_packing_statement(whole: Home) -> None:
    from packtrain.stages import carry

    carry.seal(whole.folder, whole.papers.sink)
    with pytest.raises(DriveInUse, match="sealed under a packing statement"):
        whole.pack(("B1", whole.empty_drive("new")))


def test_what_cannot_be_replaced_is_said(begun: Home) -> None:
    with pytest.raises(DriveMissing, match="D9"):
        begun.pack(("D9", begun.empty_drive("new")))
    with pytest.raises(DriveInUse, match="one of this shipment already"):
        begun.pack(("B1", begun.shelf("d3")))


def test_a_replacement_before_anything_was_packed_is_no_use(home: Home) -> None:
    with pytest.raises(StageNotReady, match="no packing is under way"):
        home.pack(("B1", home.shelf("d1")))


def test_a_reader_refuses_the_voided_drive_by_the_shipment_or_by_its_successor(begun: Home) -> None:
    begun.empty_drive("new")
    begun.pack_wave("d1", "new", "d3", replace=("B1", begun.bay(2)))
    begun.pack_wave("d4", "d5", "d6")
    begun.pack_wave("d7", "d8", "d9")
    begun.unplug()
    plan_signed, shipment = begun.folder.read_signed(Plan), begun.folder.read_signed(Shipment)
    names = ["d1", "d2", *(f"d{number}" for number in range(3, 10))]
    drives = {name: open_drive(begun.shelf(name)) for name in [*names, "new"]}
    knowing = Expected(plan_signed, digest(plan_signed), shipment)
    with pytest.raises(SupersededDrive, match="drive B1 is superseded"):
        discover([drives[name] for name in names], begun.folder.trust(), knowing)
    unknowing = Expected(plan_signed, digest(plan_signed), None)
    with pytest.raises(SupersededDrive, match="drive B1 is superseded"):
        discover(list(drives.values()), begun.folder.trust(), unknowing)
    for shipment_known in (shipment, None):
        report = scrub(list(drives.values()), begun.folder.trust(), discard, shipment=shipment_known)
        told = [finding for drive in report.drives for finding in drive.findings]
        assert told == ["drive B1 is superseded: it failed and was replaced"]
    del drives["d2"]
    assert len(discover(list(drives.values()), begun.folder.trust(), unknowing).mounted) == 9
