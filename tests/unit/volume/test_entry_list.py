"""What was loaded is held against the store later: by names, kinds and lengths, entry by entry."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from load_parts import Site, borrow_site, copy_site
from packtrain.documents.codec import digest
from packtrain.errors import BeyondRepair
from packtrain.volume.entry_list import gone, in_folder, path_of_list, sentence
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing, write_cargo
from tree_parts import assert_equal

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    root = tmp_path_factory.mktemp("packed")
    write_cargo(root / "cargo", {"plain/file": 10, "plain/deep/cut": 300_000, "other": 5})
    (root / "cargo/links").mkdir()
    (root / "cargo/links/a").hardlink_to(root / "cargo/other")
    (root / "cargo/links/of cut").hardlink_to(root / "cargo/plain/deep/cut")
    (root / "cargo/plain/pointer").symlink_to("file")
    (root / "cargo/hollow").mkdir()
    packing = make_packing(root, cases=(1, 1), groups=[(1, 1)])
    return packing, packing.write()


@pytest.fixture
def loaded(template: Template, tmp_path: Path) -> Site:
    site = borrow_site(template, tmp_path)
    site.load()
    return site


def gone_from(site: Site, most: int | None = None) -> list[bytes]:
    digests = [digest(signed.group) for signed in site.written.groups]
    return list(gone(site.root, digests, in_folder(site.root / "store"), most))


def list_of(site: Site) -> Path:
    return path_of_list(site.root, digest(site.written.groups[0].group))


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def replaced_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("name", "hurt"),
    [
        ("plain/file", Path.unlink),
        ("plain/file", truncated),
        ("plain/pointer", Path.unlink),
        ("plain/pointer", replaced_by_a_folder),
        ("links/a", Path.unlink),
        ("plain/deep/cut", Path.unlink),
        ("hollow", Path.rmdir),
    ],
    ids=[
        "file", "shorter file", "symbolic link", "folder in the place of a link", "hard link", "link to a cut file",
        "empty folder",
    ],
)  # fmt: skip
def test_what_is_gone_is_named_and_the_next_load_brings_it_back(
    loaded: Site, template: Template, name: str, hurt: Callable[[Path], None]
) -> None:
    assert gone_from(loaded) == []
    hurt(loaded.root / "store" / name)
    assert gone_from(loaded) == [os.fsencode(name)]
    if hurt is replaced_by_a_folder:
        (loaded.root / "store" / name).rmdir()  # packtrain takes nothing away that it did not bring
    loaded.load()
    assert gone_from(loaded) == []
    assert_equal(loaded.root / "store", Path(os.fsdecode(template[0].entries[0].source)).parent)


def test_a_folder_with_all_that_is_in_it_is_named_entry_by_entry(loaded: Site) -> None:
    shutil.rmtree(loaded.root / "store/plain")
    names = gone_from(loaded)
    assert b"plain" in names and b"plain/deep/cut" in names
    assert sentence(iter(names)).startswith(f"{len(names)} entries are gone")


def test_what_others_put_beside_it_is_none_of_its_business(loaded: Site) -> None:
    (loaded.root / "store/plain/new").write_bytes(b"new")
    assert gone_from(loaded) == []


def test_only_so_many_entries_are_looked_at(loaded: Site) -> None:
    shutil.rmtree(loaded.root / "store")
    assert len(gone_from(loaded, most=3)) == 3


@pytest.mark.parametrize("damage", ["is gone", "is cut", "is no list"])
def test_a_list_that_cannot_be_read_to_its_end_accuses_nobody(loaded: Site, damage: str) -> None:
    path = list_of(loaded)
    payload = path.read_bytes()
    path.unlink()
    if damage != "is gone":
        path.write_bytes(payload[:-9] if damage == "is cut" else b"\x1f\x8b" + payload[10:])
    assert gone_from(loaded) == []


def test_there_is_no_list_before_all_of_a_group_is_there(template: Template, tmp_path: Path) -> None:
    site = copy_site(template, tmp_path)
    for path in tmp_path.glob("drive-*/data/0000000-*"):
        path.unlink()
    with pytest.raises(BeyondRepair):
        site.load()
    assert not list_of(site).exists()


def test_many_names_are_counted_and_no_terminal_is_told_what_to_do() -> None:
    told = sentence(iter([b"\x1b[2Jname", *(b"n%d" % number for number in range(40))]))
    assert told.startswith("41 entries") and told.endswith("and 21 more") and "\x1b" not in told
    assert sentence(iter([])) == ""
