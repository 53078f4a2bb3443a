import os
from collections.abc import Callable
from pathlib import Path

import bagit
import pytest

from packtrain.diligence import bag
from packtrain.diligence.bag import copy_bag, write_bag
from packtrain.errors import DossierError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    source = tmp_path / "file"
    source.write_bytes(b"from a file")
    target = tmp_path / "bag"
    write_bag(
        target,
        {"data/a.json": b"{}", "data/documents/groups/0.json": source, "data/empty": b""},
        {"Bagging-Date": "2026-11-21"},
        "read me",
    )
    return target


def test_another_reader_finds_the_bag_valid(folder: Path) -> None:
    assert bagit.Bag(str(folder)).is_valid()


def test_a_copy_is_verified_and_named(folder: Path, tmp_path: Path) -> None:
    found = copy_bag(folder, tmp_path / "copy")
    assert sorted(found.payload) == ["data/a.json", "data/documents/groups/0.json", "data/empty"]
    assert found.info == {"Bagging-Date": "2026-11-21", "Payload-Oxum": "13.3"}
    assert found.tagmanifest == bag.bag_identity(folder)
    assert (tmp_path / "copy/data/documents/groups/0.json").read_bytes() == b"from a file"


def test_a_bag_is_never_written_over_something(folder: Path) -> None:
    with pytest.raises(DossierError):
        write_bag(folder, {}, {}, "")


def test_a_crash_while_writing_leaves_no_bag(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_bag(tmp_path / "bag", {"data/a": tmp_path / "not there"}, {}, "")
    assert not (tmp_path / "bag").exists()
    write_bag(tmp_path / "bag", {"data/a": b"x"}, {}, "")
    assert bagit.Bag(str(tmp_path / "bag")).is_valid()


def _link(folder: Path) -> None:
    (folder / "data" / "a.json").unlink()
    (folder / "data" / "a.json").symlink_to("/etc/hostname")


def _linked_folder(folder: Path) -> None:
    (folder / "data" / "documents").rename(folder / "data" / "other")
    (folder / "data" / "documents").symlink_to("other")


def _other_bagit(folder: Path) -> None:
    (folder / "bagit.txt").write_text("BagIt-Version: 0.97\nTag-File-Character-Encoding: UTF-8\n")


def _escape(folder: Path) -> None:
    path = folder / "manifest-sha256.txt"
    path.write_bytes(path.read_bytes() + b"0" * 64 + b"  ../../outside\n")


def _twice(folder: Path) -> None:
    path = folder / "manifest-sha256.txt"
    path.write_bytes(path.read_bytes() + path.read_bytes().splitlines(keepends=True)[0])


FAULTS: dict[str, Callable[[Path], object]] = {
    "an extra file": lambda folder: (folder / "data" / "extra").write_bytes(b"x"),
    "an extra tag file": lambda folder: (folder / "fetch.txt").write_bytes(b"x"),
    "a missing file": lambda folder: (folder / "data" / "empty").unlink(),
    "an altered file": lambda folder: (folder / "data" / "a.json").write_bytes(b"[]"),
    "an altered tag file": lambda folder: (folder / "README.txt").write_bytes(b"lies"),
    "no tag manifest": lambda folder: (folder / "tagmanifest-sha256.txt").unlink(),
    "a link": _link,
    "a linked folder": _linked_folder,
    "a pipe": lambda folder: os.mkfifo(folder / "data" / "pipe"),
    "an odd name": lambda folder: (folder / "data" / "A b").write_bytes(b"x"),
    "a hidden folder": lambda folder: (folder / ".hidden").mkdir(),
    "a deep folder": lambda folder: (folder / "data/a/b/c/d/e").mkdir(parents=True),
    "another version": _other_bagit,
    "a name that escapes": _escape,
    "a line twice": _twice,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bag_from_a_stranger_is_refused_for(fault: str, folder: Path, tmp_path: Path) -> None:
    FAULTS[fault](folder)
    with pytest.raises(DossierError):
        copy_bag(folder, tmp_path / "copy")


@pytest.mark.parametrize(("mark", "told"), [("voyage.toml", "a voyage folder"), ("packtrain/plan.json", "a drive")])
def test_another_folder_in_the_place_of_a_dossier_is_named(mark: str, told: str, tmp_path: Path) -> None:
    place = tmp_path / "named" / mark
    place.parent.mkdir(parents=True)
    place.write_bytes(b"")
    with pytest.raises(DossierError, match=f"not a dossier .found {told}."):
        copy_bag(tmp_path / "named", tmp_path / "copy")
    with pytest.raises(DossierError, match="there is no such dossier"):
        copy_bag(tmp_path / "nowhere", tmp_path / "copy")


def test_a_bag_that_is_a_link_or_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    for source in (tmp_path / "link", tmp_path / "file", tmp_path / "nothing"):
        with pytest.raises(DossierError):
            copy_bag(source, tmp_path / "copy")


@pytest.mark.parametrize(
    ("limit", "most"), [("MAX_FILES", 4), ("MAX_FILE_BYTES", 5), ("MAX_TAG_BYTES", 5), ("MAX_BAG_BYTES", 20)]
)
def test_a_bag_beyond_a_limit_is_refused(
    limit: str, most: int, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bag, limit, most)
    with pytest.raises(DossierError, match="too l"):
        copy_bag(folder, tmp_path / "copy")
