"""What all stores must do. An adapter's test subclasses StoreContract and gives an empty store."""

import os
import stat
from hashlib import sha256
from pathlib import Path

import pytest

from packtrain.errors import HostileArchive
from packtrain.ports import STAGING_NAME, Store

NAME = b"shards/a/b.tar"


def staged(store: Store, payload: bytes = b"payload", name: str = "one") -> Path:
    """Return a staged file."""
    path = store.staging_folder() / name
    path.write_bytes(payload)
    return path


class StoreContract:
    """The contract; the fixture `store` gives an empty store."""

    def test_a_published_file_stands_under_its_name_and_leaves_staging(self, store: Store) -> None:
        path = staged(store)
        assert store.is_empty()
        store.publish(path, NAME)
        store.flush()
        assert not path.exists()
        assert store.size_bytes(NAME) == 7
        assert store.read_bytes(NAME, 7) == b"payload"
        assert store.sha256(NAME) == sha256(b"payload").hexdigest()
        assert not store.is_empty()

    def test_what_is_not_there_is_not_there(self, store: Store) -> None:
        store.publish(staged(store), NAME)
        for name in (b"shards/a/c.tar", b"shards/a", b"nothing", NAME + b"/below"):
            assert store.size_bytes(name) is None
            assert store.sha256(name) is None
            assert store.read_bytes(name, 100) is None
            assert store.link_target(name) is None
        assert not store.holds(b"shards/a/c.tar")
        assert store.holds(b"shards/a")
        assert store.holds(NAME + b"/below")
        assert store.is_folder(b"shards/a")
        assert not store.is_folder(NAME)
        assert not store.is_folder(b"nothing")

    def test_a_longer_file_than_wanted_is_not_read(self, store: Store) -> None:
        store.publish(staged(store), NAME)
        assert store.read_bytes(NAME, 6) is None

    def test_a_file_published_again_is_replaced(self, store: Store) -> None:
        store.publish(staged(store, b"old"), b"a")
        assert store.size_bytes(b"a") == 3
        store.publish(staged(store, b"newer"), b"a")
        assert store.size_bytes(b"a") == 5
        assert store.read_bytes(b"a", 100) == b"newer"

    @pytest.mark.parametrize(
        "name",
        [b"caf\xe9/\xff", "café/ü".encode(), b"100%", b"%41", b"A", b"a b+c&d?e#f=g",
         b"back\\slash\\..\\x", b"new\nline\x01",
         b"~\x7f\xc3\xa9", b"%%FF\xff", b"-rf *", b"x" * 200],
        ids=repr,
    )  # fmt: skip
    def test_names_are_raw_bytes(self, store: Store, name: bytes) -> None:
        store.publish(staged(store, name), name)
        assert store.size_bytes(name) == len(name)
        assert store.read_bytes(name, 1000) == name
        assert store.holds(name)

    @pytest.mark.parametrize(
        "name",
        [b"", b"/etc/passwd", b"../x", b"a/../../x", b"a//b", b"./a", b"a/", b"a\0b", b"x" * 5000,
         STAGING_NAME.encode() + b"/x"],
        ids=lambda name: repr(name[:20]),
    )  # fmt: skip
    def test_a_name_that_leaves_the_store_is_refused(self, store: Store, name: bytes) -> None:
        with pytest.raises(HostileArchive):
            store.publish(staged(store), name)
        assert store.is_empty()

    def test_nothing_is_published_through_a_link_or_a_file(self, store: Store) -> None:
        link = store.staging_folder() / "link"
        link.symlink_to("/etc")
        store.publish(link, b"way")
        store.publish(staged(store), b"file")
        for name in (b"way/passwd", b"file/below"):
            with pytest.raises(HostileArchive):
                store.publish(staged(store), name)
            assert store.holds(name)
            assert store.size_bytes(name) is None

    def test_a_symbolic_link_is_kept_as_one(self, store: Store) -> None:
        target = os.fsencode("über/../x\udcff")
        link = store.staging_folder() / "link"
        link.symlink_to(os.fsdecode(target))
        store.publish(link, b"links/one")
        assert not os.path.lexists(link)
        assert store.link_target(b"links/one") == target
        assert store.size_bytes(b"links/one") is None
        assert store.read_bytes(b"links/one", 100) is None
        assert store.holds(b"links/one")

    def test_an_empty_folder_is_made_and_finished(self, store: Store) -> None:
        made = store.staging_folder() / "folder"
        made.mkdir()
        store.publish(made, b"some/empty")
        assert not made.exists()
        given: list[bool] = []
        store.finish_folder(b"some/other", lambda folder: given.append(stat.S_ISDIR(os.fstat(folder).st_mode)))
        assert given == [True]
        assert store.is_folder(b"some/empty")
        assert store.is_folder(b"some/other")
        assert store.size_bytes(b"some/empty") is None

    def test_a_link_is_another_name_of_a_stored_file(self, store: Store) -> None:
        store.publish(staged(store), b"a/one")
        assert not store.link(b"a/none", b"b/two")
        assert store.link(b"a/one", b"b/two")
        assert store.link(b"a/one", b"b/two")
        assert store.link(b"b/two", b"three")
        assert store.read_bytes(b"b/two", 100) == b"payload"
        for pair in ((b"a/one", b"b/two"), (b"a/one", b"three"), (b"b/two", b"three"), (b"three", b"a/one")):
            assert store.are_linked(*pair)
        store.publish(staged(store), b"stranger")
        assert not store.are_linked(b"a/one", b"stranger")
        assert not store.are_linked(b"a/one", b"none")

    def test_many_are_published_together(self, store: Store) -> None:
        folder = store.staging_folder() / "volume"
        folder.mkdir()
        names = [b"many/%03d" % number for number in range(60)]
        for number, name in enumerate(names):
            (folder / str(number)).write_bytes(name)
        (folder / "folder").mkdir()
        members = [(str(number), name, False) for number, name in enumerate(names)]
        store.publish_all(folder, [*members, ("folder", b"many/folder", True)])
        assert list(folder.iterdir()) == []
        for name in names:
            assert store.size_bytes(name) == len(name)
            assert store.read_bytes(name, 100) == name
        assert store.is_folder(b"many/folder")

    def test_lengths_asked_for_in_order_stay_true(self, store: Store) -> None:
        for number in range(4):
            store.publish(staged(store, b"x" * number), b"row/%d" % number)
        assert [store.size_bytes(b"row/%d" % number) for number in range(5)] == [0, 1, 2, 3, None]
        store.publish(staged(store, b"longer"), b"row/2")
        assert [store.size_bytes(b"row/%d" % number) for number in range(5)] == [0, 1, 6, 3, None]
