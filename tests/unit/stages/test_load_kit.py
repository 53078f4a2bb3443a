"""load brings the kit: a copy of which every byte was held against kit.json, from whichever drive has it whole."""

import shutil
from pathlib import Path

import pytest
from msgspec import structs

from load_parts import flip
from loading_parts import KIT_FILES, Arrived, arrive, copy_arrived
from packtrain.documents.kit import Kit
from packtrain.documents.receipt import Receipt
from packtrain.errors import KitError, SignatureInvalid
from packtrain.record.receipts import is_fresh
from packtrain.stages import load
from packtrain.volume import layout

WHEEL = layout.KIT_PREFIX + "wheels/a.whl"
PROGRAM = layout.KIT_PREFIX + "program/train.py"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    return arrive(tmp_path_factory.mktemp("voyage"), with_kit=True)


@pytest.fixture
def arrived(template: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(template, tmp_path)


def kit_here(arrived: Arrived) -> dict[str, bytes]:
    root = arrived.consignee.work / "kit"
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def loaded_without_kit(arrived: Arrived, receipt: Receipt) -> bool:
    arrived.assert_loaded()
    assert receipt.facts["kit"] == "not here"
    assert "kit is whole on no drive that was read: it lies on the first drive of each case" in arrived.notices()
    assert not list(arrived.consignee.work.glob("kit*"))
    return True


def test_the_kit_is_copied_and_the_receipt_says_where_it_is(arrived: Arrived) -> None:
    receipt = arrived.load()
    arrived.assert_loaded()
    assert kit_here(arrived) == KIT_FILES
    assert receipt.facts["kit"] == "work/kit"


def test_a_kit_that_is_here_is_not_written_again(arrived: Arrived) -> None:
    arrived.load()
    before = (arrived.consignee.work / "kit" / "install.sh").stat()
    (arrived.consignee.work / "kit" / "program" / "__pycache__").mkdir()
    (arrived.consignee.work / "kit" / "environment").mkdir()
    assert arrived.load().facts["kit"] == "work/kit"
    assert (arrived.consignee.work / "kit" / "install.sh").stat().st_ino == before.st_ino
    assert (arrived.consignee.work / "kit" / "environment").is_dir()


@pytest.mark.parametrize("change", ["altered", "gone", "one file more"])
def test_a_kit_that_was_changed_here_is_copied_anew(arrived: Arrived, change: str) -> None:
    arrived.load()
    program = arrived.consignee.work / "kit" / "program"
    if change == "altered":
        (program / "train.py").write_bytes(KIT_FILES["program/train.py"][::-1])
    elif change == "gone":
        shutil.rmtree(arrived.consignee.work / "kit")
        assert not is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    else:
        (program / "more.py").touch()
    arrived.load()
    assert kit_here(arrived) == KIT_FILES
    assert is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))


@pytest.mark.parametrize("damage", ["flipped", "cut", "longer", "missing", "link"])
def test_a_file_that_is_damaged_on_one_drive_comes_from_the_next(arrived: Arrived, damage: str) -> None:
    path = arrived.drive("A1") / WHEEL
    if damage == "flipped":
        flip(path, 2_500_000)
    elif damage == "cut":
        path.write_bytes(path.read_bytes()[:-1])
    elif damage == "longer":
        path.write_bytes(path.read_bytes() + b"x")
    else:
        path.unlink()
    if damage == "link":
        path.symlink_to(arrived.drive("B1") / WHEEL)
    assert arrived.load().facts["kit"] == "work/kit"
    assert kit_here(arrived) == KIT_FILES
    assert f"drive A1, {WHEEL}: " in arrived.notices()


def test_two_damaged_copies_make_one_whole_kit(arrived: Arrived) -> None:
    flip(arrived.drive("A1") / WHEEL, 0)
    flip(arrived.drive("B1") / PROGRAM, 0)
    arrived.load()
    assert kit_here(arrived) == KIT_FILES


def test_a_kit_that_is_whole_nowhere_is_told_and_the_cargo_is_loaded(arrived: Arrived) -> None:
    for label in ("A1", "B1"):
        flip(arrived.drive(label) / PROGRAM, 0)
    assert loaded_without_kit(arrived, arrived.load())


def test_drives_that_carry_no_kit_load_the_cargo_and_a_later_drive_brings_it(arrived: Arrived) -> None:
    assert loaded_without_kit(arrived, arrived.load("A2", "B2"))
    assert not is_fresh(arrived.consignee, load.STAGE, load.inputs(arrived.consignee))
    assert arrived.load("A2", "B1").facts["kit"] == "work/kit"
    assert kit_here(arrived) == KIT_FILES


def test_a_kit_of_another_rehearsal_on_the_drives_is_not_taken(arrived: Arrived) -> None:
    kit = arrived.consignee.read(Kit)
    files = (structs.replace(kit.files[0], sha256="0" * 64), *kit.files[1:])
    consignor = arrived.folders["consignor"]
    arrived.consignee.write_signed(structs.replace(kit, files=files), consignor.signer())
    assert loaded_without_kit(arrived, arrived.load())


def test_without_a_kit_document_nothing_is_said_of_a_kit(arrived: Arrived) -> None:
    for path in arrived.consignee.documents.glob("kit.json*"):
        path.unlink()
    assert "kit" not in arrived.load().facts
    assert not (arrived.consignee.work / "kit").exists()


def test_a_kit_document_that_was_altered_stops_the_load_before_anything_is_written(arrived: Arrived) -> None:
    path = arrived.consignee.document_path(Kit)
    path.write_bytes(path.read_bytes().replace(b'"3.11"', b'"3.12"'))
    with pytest.raises(SignatureInvalid):
        arrived.load()
    assert not (arrived.consignee.root / "store").exists()


@pytest.mark.parametrize("name", ["install.sh", "install.sh/inner", "program"])
def test_a_kit_with_a_file_twice_or_in_the_place_of_a_folder_is_refused(arrived: Arrived, name: str) -> None:
    kit = arrived.consignee.read(Kit)
    tangled = structs.replace(kit, files=(*kit.files, structs.replace(kit.files[0], name=name)))
    arrived.consignee.write_signed(tangled, arrived.folders["consignor"].signer())
    with pytest.raises(KitError, match="twice, or a file as a folder"):
        arrived.load()
