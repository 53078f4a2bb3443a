"""What the catalog alone carries, when the catalog is a stranger's: nothing leaves the store, no link is followed."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from load_parts import borrow_site
from packtrain.errors import BeyondRepair, HostileArchive
from packtrain.stores.folder import FolderStore
from packtrain.volume import catalog
from packtrain.volume.catalog import Catalog
from packtrain.volume.metadata import Metadata
from packtrain.volume.unplaced import Finished, finish_unplaced
from shipment_parts import make_packing, write_cargo

FILE = (1, b"file", "file", 0, "0" * 64, 0o644, 5, None, 0, 0, 0)


def folder(number: int, path: bytes, mode: int = 0o750) -> tuple[object, ...]:
    return (number, path, "directory", 0, None, mode, 5, None, 0, 0, 0)


def link(path: bytes, target: bytes) -> tuple[object, ...]:
    return (9, path, "hardlink", 0, None, 0o644, 5, target, 0, 0, 0)


def finished(tmp_path: Path, rows: Sequence[tuple[object, ...]]) -> Finished:
    connection = catalog.create(tmp_path / "catalog")
    connection.executemany("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")
    connection.close()
    with Catalog.open(tmp_path / "catalog") as opened:
        return finish_unplaced([opened], FolderStore(tmp_path / "store"), Metadata())


@pytest.fixture
def store(tmp_path: Path) -> Path:
    (tmp_path / "store").mkdir()
    (tmp_path / "store/file").write_bytes(b"content")
    (tmp_path / "secret").write_bytes(b"secret")
    return tmp_path / "store"


def test_folders_get_mode_and_time_and_links_are_made(tmp_path: Path, store: Path) -> None:
    found = finished(tmp_path, [FILE, folder(2, b"a"), folder(3, b"a/b", 0o511), link(b"a/b/link", b"file")])
    assert (sum(found.files), found.pending) == (3, ())
    for name, mode in (("a", 0o750), ("a/b", 0o511)):
        assert ((store / name).stat().st_mode & 0o777, (store / name).stat().st_mtime_ns) == (mode, 5)
    assert (store / "a/b/link").samefile(store / "file")


def test_a_link_whose_file_is_not_there_is_pending(tmp_path: Path, store: Path) -> None:
    (store / "file").unlink()
    assert finished(tmp_path, [FILE, link(b"link", b"file")]).pending == (b"link",)
    assert not (store / "link").exists()


@pytest.mark.parametrize(
    "rows",
    [
        [link(b"link", b"../secret")],
        [link(b"link", b"/etc/passwd")],
        [FILE, link(b"link", b"nothing")],
        [folder(1, b"d"), link(b"link", b"d")],
        [FILE, link(b"../link", b"file")],
        [FILE, link(b"way/link", b"file")],
        [folder(1, b"../d")],
        [folder(1, b"way")],
        [folder(1, b"way/d")],
        [folder(1, b"file")],
        [folder(1, b".packtrain-staging")],
    ],
    ids=[
        "link out of the store", "link to an absolute path", "link to nothing", "link to a folder", "link outside",
        "link through a symbolic link", "folder outside", "folder is a symbolic link", "folder through a symbolic link",
        "folder is a file", "folder is the staging folder",
    ],
)  # fmt: skip
def test_a_catalog_that_would_leave_the_store_is_refused(
    tmp_path: Path, store: Path, rows: list[tuple[object, ...]]
) -> None:
    (store / "way").symlink_to("..")
    before = (tmp_path.stat().st_mode, (tmp_path / "secret").stat().st_nlink)
    with pytest.raises(HostileArchive):
        finished(tmp_path, rows)
    assert (tmp_path.stat().st_mode, (tmp_path / "secret").stat().st_nlink) == before
    assert not (store / "link").exists()


def test_a_link_to_a_file_that_is_a_symbolic_link_in_the_store_is_not_made(tmp_path: Path, store: Path) -> None:
    (store / "file").unlink()
    (store / "file").symlink_to("../secret")
    assert finished(tmp_path, [FILE, link(b"link", b"file")]).pending == (b"link",)
    assert (tmp_path / "secret").stat().st_nlink == 1


def test_what_the_catalog_alone_carries_is_made_or_listed_where_no_volume_came_back(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {"deep/cut": 300_000, "deep/small": 5})
    (tmp_path / "cargo/of cut").hardlink_to(tmp_path / "cargo/deep/cut")
    packing = make_packing(tmp_path, cases=(1, 1), groups=[(1, 1)])
    written = packing.write()
    for path in tmp_path.glob("drive-*/data/*"):
        path.unlink()
    site = borrow_site((packing, written), tmp_path)
    with pytest.raises(BeyondRepair) as caught:
        site.load()
    assert caught.value.expected == f"{written.num_files} files"
    lost = (tmp_path / "unreadable.txt").read_text().splitlines()
    assert sorted(lost) == ["deep/cut", "deep/small", "of cut"]
    assert [path.name for path in (tmp_path / "store").iterdir() if path.name != ".packtrain-staging"] == ["deep"]
