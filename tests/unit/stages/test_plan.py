"""plan: from the drives of voyage.toml to placement.json."""

from pathlib import Path

import pytest

from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.placement import PlacementDocument
from packtrain.errors import DriveMissing, DuplicateDrive, PlacementImpossible, SourceUnreadable, VoyageFileError
from packtrain.events import Event, Notice, discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import plan
from shipment_parts import write_cargo
from three_parties import three_parties

CASES = "".join(
    f'\n[[drives.case]]\nlabel = "{case}"\ndrives = ["drives/{case}1", "drives/{case}2"]\n' for case in "ABCD"
)


def make_folder(root: Path, cases: str = CASES, survive: str = "{ cases = 1, drives = 1 }") -> VoyageFolder:
    folder = three_parties(root)["consignor"]
    write_cargo(folder.root / "data", {"one": 1000, "two": 500})
    path = folder.root / VOYAGE_FILE
    path.write_text(path.read_text() + f'\n[sources]\npaths = ["data"]\n[drives]\nsurvive = {survive}\n{cases}')
    for case in "ABCD":
        for number in (1, 2):
            (folder.root / f"drives/{case}{number}").mkdir(parents=True)
    return folder


def test_eight_drives_in_four_cases_become_five_and_three(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    receipt = plan.plan(folder, DirectoryDrive, discard)
    placement = folder.read(PlacementDocument)
    assert [(group.k, group.m) for group in placement.groups] == [(5, 3)]
    assert [drive.label for drive in placement.drives] == ["A1", "A2", "B1", "B2", "C1", "C2", "D1", "D2"]
    assert placement.source_bytes == 1500
    assert "any one case" in placement.statement
    assert is_fresh(folder, plan.STAGE, plan.inputs(folder))
    assert receipt.counts["drives"] == 8


def test_the_placement_spells_drives_as_voyage_toml_does(tmp_path: Path) -> None:
    cases = CASES.replace('"drives/D2"', f'"{tmp_path}/elsewhere"')
    folder = make_folder(tmp_path, cases=cases)
    (tmp_path / "elsewhere").mkdir()
    plan.plan(folder, DirectoryDrive, discard)
    paths = [drive.path for drive in folder.read(PlacementDocument).drives]
    assert paths == [*[f"drives/{case}{number}" for case in "ABCD" for number in (1, 2)][:7], f"{tmp_path}/elsewhere"]


def test_a_carrier_or_a_seal_does_not_make_it_run_again(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    before = plan.inputs(folder)
    path = folder.root / VOYAGE_FILE
    path.write_text(path.read_text().replace('label = "A"\n', 'label = "A"\ncarrier = "Ada"\nseal = "0017"\n'))
    assert plan.inputs(folder) == before


def test_another_drive_or_more_to_survive_does(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    before = plan.inputs(folder)
    path = folder.root / VOYAGE_FILE
    text = path.read_text()
    for changed in (text.replace("drives/D2", "drives/D3"), text.replace("drives = 1 }", "drives = 2 }")):
        path.write_text(changed)
        assert plan.inputs(folder) != before


def test_no_cases_is_a_message_about_voyage_toml(tmp_path: Path) -> None:
    with pytest.raises(VoyageFileError, match="no drives"):
        plan.plan(make_folder(tmp_path, cases=""), DirectoryDrive, discard)


def test_a_drive_that_is_not_mounted_is_missing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    (folder.root / "drives/C1").rmdir()
    with pytest.raises(DriveMissing):
        plan.plan(folder, DirectoryDrive, discard)


def test_the_same_drive_twice_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, cases=CASES.replace("drives/D2", "drives/A1"))
    with pytest.raises(DuplicateDrive):
        plan.plan(folder, DirectoryDrive, discard)


def test_too_few_cases_for_what_is_asked_is_impossible(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, survive="{ cases = 4, drives = 0 }")
    with pytest.raises(PlacementImpossible):
        plan.plan(folder, DirectoryDrive, discard)
    assert not folder.has(PlacementDocument)


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    path = folder.root / VOYAGE_FILE
    path.write_text(path.read_text().replace('paths = ["data"]', 'paths = ["data", "gone"]'))
    with pytest.raises(SourceUnreadable, match="gone"):
        plan.inputs(folder)


def test_case_labels_that_give_the_same_drive_label_are_refused(tmp_path: Path) -> None:
    # Case "A" with 11 drives and case "A1" both have a drive "A11".
    many = ", ".join(f'"drives/x{number}"' for number in range(11))
    cases = f'[[drives.case]]\nlabel = "A"\ndrives = [{many}]\n[[drives.case]]\nlabel = "A1"\ndrives = ["drives/B1"]\n'
    with pytest.raises(VoyageFileError, match="A11"):
        plan.plan(make_folder(tmp_path, cases=cases), DirectoryDrive, discard)


def test_sources_larger_than_the_drives_are_told_and_not_refused(tmp_path: Path) -> None:
    class Small(DirectoryDrive):
        def free_bytes(self) -> int:
            return 1000

    events: list[Event] = []
    plan.plan(make_folder(tmp_path), Small, events.append)
    assert [event.text for event in events if isinstance(event, Notice) and "larger than what" in event.text]


def test_drives_that_share_a_file_system_are_told(tmp_path: Path) -> None:
    events: list[Event] = []
    plan.plan(make_folder(tmp_path), DirectoryDrive, events.append)
    told = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert any("A1, A2, B1, B2, C1, C2, D1, D2 share a file system" in text for text in told)
