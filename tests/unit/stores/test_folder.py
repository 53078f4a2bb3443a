"""The folder store: whole files or none, and never a way out of it."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contract.store_suite import StoreContract
from packtrain.errors import HostileArchive
from packtrain.ports import STAGING_NAME
from packtrain.stores.folder import FolderStore


class TestFolderStore(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderStore:
        return FolderStore(tmp_path / "store")


def staged(store: FolderStore, payload: bytes = b"payload") -> Path:
    path = store.staging_folder() / "one"
    path.write_bytes(payload)
    return path


def test_a_published_file_stands_under_its_name_and_leaves_staging(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    path = staged(store)
    store.publish(path, b"shards/a/b.tar")
    store.flush()
    assert (tmp_path / "store/shards/a/b.tar").read_bytes() == b"payload"
    assert not path.exists()
    assert store.size_bytes(b"shards/a/b.tar") == 7


def test_names_are_raw_bytes(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.publish(staged(store), b"caf\xe9/\xff")
    assert store.size_bytes(b"caf\xe9/\xff") == 7
    assert Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9/\xff")).read_bytes() == b"payload"


def test_a_file_published_again_is_replaced(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.publish(staged(store, b"old"), b"a")
    store.publish(staged(store, b"newer"), b"a")
    assert (tmp_path / "a").read_bytes() == b"newer"


@pytest.mark.parametrize(
    "name",
    [b"", b"/etc/passwd", b"../x", b"a/../../x", b"a//b", b"./a", b"a/", b"a\0b", b"x" * 5000,
     STAGING_NAME.encode() + b"/x"],
)  # fmt: skip
def test_a_name_that_leaves_the_store_is_refused(tmp_path: Path, name: bytes) -> None:
    store = FolderStore(tmp_path / "store")
    with pytest.raises(HostileArchive):
        store.publish(staged(store), name)
    assert not (tmp_path / "x").exists()


def test_nothing_is_published_through_a_link_to_a_folder_outside(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    (tmp_path / "outside").mkdir()
    link = store.staging_folder() / "link"
    link.symlink_to(tmp_path / "outside")
    store.publish(link, b"way")
    with pytest.raises(HostileArchive):
        store.publish(staged(store), b"way/out")
    assert list((tmp_path / "outside").iterdir()) == []
    assert store.size_bytes(b"way/out") is None


def test_a_file_cannot_take_the_place_of_a_folder(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    store.publish(staged(store), b"a/b")
    with pytest.raises(HostileArchive):
        store.publish(staged(store), b"a")
    assert store.size_bytes(b"a") is None


def test_an_empty_folder_is_made_and_finished(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    folder = store.staging_folder() / "one"
    folder.mkdir()
    store.publish(folder, b"empty/here")
    assert (tmp_path / "store/empty/here").is_dir()
    assert not folder.exists()

    def give(descriptor: int) -> None:
        os.fchmod(descriptor, 0o750)
        os.utime(descriptor, ns=(1, 123_456_789_000))

    for name in (b"empty/here", b"new/deep"):
        store.finish_folder(name, give)
        status = (tmp_path / "store" / name.decode()).stat()
        assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o750, 123_456_789_000)


def test_a_link_is_another_name_of_a_stored_file(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.publish(staged(store), b"a/file")
    assert not store.are_linked(b"a/file", b"b/link")
    for _ in range(2):
        assert store.link(b"a/file", b"b/link")
        assert store.are_linked(b"a/file", b"b/link")
        assert (tmp_path / "store/a/file").stat().st_nlink == 2
    (tmp_path / "store/b/link").unlink()
    (tmp_path / "store/b/link").write_bytes(b"other")
    assert store.link(b"a/file", b"b/link")
    assert store.are_linked(b"a/file", b"b/link")
    assert [path.name for path in (tmp_path / "store" / STAGING_NAME).iterdir()] == []


def test_two_hosts_that_link_at_once_each_link_their_own(tmp_path: Path) -> None:
    hosts = {name: FolderStore(tmp_path / "store") for name in (b"one", b"two")}
    for name, store in hosts.items():
        store.publish(staged(store, name), name)

    def link_all(name: bytes) -> None:
        for number in range(400):
            assert hosts[name].link(name, b"%s-%d" % (name, number))

    with ThreadPoolExecutor(2) as workers:
        list(workers.map(link_all, hosts))
    for name in hosts:
        assert {path.read_bytes() for path in (tmp_path / "store").glob(f"{name.decode()}-*")} == {name}
    assert not list((tmp_path / "store" / STAGING_NAME).iterdir())


def test_a_link_is_never_made_to_or_through_a_symbolic_link(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.staging_folder()
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "store/way").symlink_to("..")
    (tmp_path / "store/file").symlink_to("../secret")
    assert not store.link(b"file", b"mine")
    assert not store.link(b"gone", b"mine")
    for target, name in ((b"way/secret", b"mine"), (b"../secret", b"mine")):
        with pytest.raises(HostileArchive):
            store.link(target, name)
    store.publish(staged(store), b"good")
    with pytest.raises(HostileArchive):
        store.link(b"good", b"way/mine")
    assert not (tmp_path / "store/mine").exists()
    assert not (tmp_path / "mine").exists()
    assert not store.are_linked(b"way/secret", b"way/secret")


def test_a_folder_is_never_finished_through_a_link(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    store.staging_folder()
    (tmp_path / "store/way").symlink_to("..")
    for name in (b"way", b"way/deeper"):
        with pytest.raises(HostileArchive):
            store.finish_folder(name, lambda descriptor: os.fchmod(descriptor, 0))


def test_a_file_that_is_not_there_has_no_size(tmp_path: Path) -> None:
    assert FolderStore(tmp_path).size_bytes(b"a/b") is None


def test_a_link_in_the_place_of_the_staging_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / STAGING_NAME).symlink_to(tmp_path / "outside")
    with pytest.raises(HostileArchive, match="a link stands"):
        FolderStore(tmp_path / "store").staging_folder()


def test_it_knows_what_stands_under_a_name_or_in_its_way(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("nowhere")
    assert [store.holds(name) for name in (b"folder", b"file", b"link", b"file/below", b"link/below")] == [True] * 5
    assert [store.holds(name) for name in (b"other", b"folder/other", b"no/folder/either")] == [False] * 3


def test_a_new_store_is_its_owners_alone_and_an_old_one_is_left_as_it_is(tmp_path: Path) -> None:
    FolderStore(tmp_path / "far" / "new").staging_folder()
    (tmp_path / "old").mkdir(mode=0o750)
    FolderStore(tmp_path / "old").staging_folder()

    assert (tmp_path / "far" / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "old").stat().st_mode & 0o777 == 0o750
