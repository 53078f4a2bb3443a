"""Loaded files through fsspec: those of the store, none beyond it, held against what was signed where that is asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from loading_parts import FILES, Arrived, arrive, copy_arrived
from packtrain.errors import IncompleteKnowledge, IntegrityError
from packtrain.files.file_system import ShipmentFileSystem
from shipment_parts import content

IMAGE = "voyage/shards/image-000000.tar"
IMAGE_BYTES = content(FILES["shards/image-000000.tar"], 0)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    arrived = arrive(tmp_path_factory.mktemp("arrived"))
    (arrived.consignee.root / "store").mkdir(exist_ok=True)
    voyage_file = arrived.consignee.root / "voyage.toml"
    voyage_file.write_text(f'{voyage_file.read_text()}\n[site]\nstore = "store"\n')
    arrived.load()
    return arrived


@pytest.fixture
def loaded(made: Arrived, tmp_path: Path) -> Arrived:
    return copy_arrived(made, tmp_path)


def _fs(loaded: Arrived, *, verify: bool = False) -> ShipmentFileSystem:
    return ShipmentFileSystem(folder=loaded.consignee.root, verify=verify, skip_instance_cache=True)


def test_a_store_has_the_same_tree_as_the_drives(loaded: Arrived) -> None:
    fs, packed = _fs(loaded), ShipmentFileSystem(
        folder=loaded.consignee.root, drives=[loaded.drive("A1"), loaded.drive("B1")], skip_instance_cache=True
    )  # fmt: skip
    assert fs.find("voyage") == packed.find("voyage")
    assert [fs.info(name)["size"] for name in fs.find("voyage")] == [packed.info(n)["size"] for n in fs.find("voyage")]
    assert fs.info(IMAGE) == packed.info(IMAGE)
    assert fs.cat_file(IMAGE) == IMAGE_BYTES and fs.cat_file(IMAGE, 5, 9) == IMAGE_BYTES[5:9]
    assert fs.info(IMAGE)["sha256"] == hashlib.sha256(IMAGE_BYTES).hexdigest()


@pytest.mark.parametrize("verify", [False, True])
def test_a_store_that_changed_is_found_out(loaded: Arrived, *, verify: bool) -> None:
    path = loaded.consignee.root / "store/shards/image-000000.tar"
    assert _fs(loaded, verify=verify).cat_file(IMAGE) == IMAGE_BYTES
    path.write_bytes(IMAGE_BYTES[:-1] + b"x")
    fs = _fs(loaded, verify=verify)
    # A part of it says nothing, unless the whole is proven first.
    if verify:
        with pytest.raises(IntegrityError):
            fs.cat_file(IMAGE, 0, 10)
    else:
        assert fs.cat_file(IMAGE, 0, 10) == IMAGE_BYTES[:10]
    with pytest.raises(IntegrityError, match="differs from what was signed"):
        fs.cat_file(IMAGE)
    if not verify:
        # Nor does the same open file give them to who asks again.
        with fs.open(IMAGE) as stream:
            for _ in range(2):
                with pytest.raises(IntegrityError):
                    stream.read()
            stream.seek(0)
            with pytest.raises(IntegrityError):
                stream.read()


def test_what_was_proven_and_changes_afterwards_is_found_out(loaded: Arrived) -> None:
    fs = _fs(loaded, verify=True)
    with fs.open(IMAGE) as stream:
        assert stream.read(10) == IMAGE_BYTES[:10]
    path = loaded.consignee.root / "store/shards/image-000000.tar"
    path.write_bytes(b"x" + IMAGE_BYTES[1:])
    with pytest.raises(IntegrityError, match="not any more what it was"), fs.open(IMAGE) as stream:
        stream.read(10)


def test_a_misspelt_option_does_not_leave_out_the_proof(loaded: Arrived) -> None:
    with pytest.raises(TypeError, match="no option 'verfy': did you mean 'verify'"):
        ShipmentFileSystem(folder=loaded.consignee.root, verfy=True)


def test_a_name_that_no_file_can_have_is_not_there(loaded: Arrived) -> None:
    fs = _fs(loaded)
    for name in ("a" * 300, "a/" * 3000, "\ud800", "a\0b", "..", "shards/../index.parquet", "//etc/passwd"):
        assert not fs.exists(f"voyage/{name}"), name


def test_a_link_to_a_folder_is_a_folder_that_no_walk_enters(loaded: Arrived) -> None:
    store = loaded.consignee.root / "store"
    (store / "up").symlink_to(".")
    (store / "again").symlink_to("shards")
    fs = _fs(loaded)
    assert fs.ls("voyage/again", detail=False) == [
        name.replace("shards", "again") for name in fs.ls("voyage/shards", False)
    ]
    found = fs.find("voyage")
    assert "voyage/index.parquet" in found and not [name for name in found if "up" in name or "again" in name]
    assert [place for place, _, _ in fs.walk("voyage", topdown=False)] == ["voyage/shards", "voyage"]
    for place, folders, _ in fs.walk("voyage"):
        assert place == "voyage"
        folders.clear()


def test_what_no_document_says_cannot_be_proven(loaded: Arrived) -> None:
    (loaded.consignee.root / "store/note.txt").write_text("of the site's own")
    assert _fs(loaded).cat_file("voyage/note.txt") == b"of the site's own"
    with pytest.raises(IncompleteKnowledge):
        _fs(loaded, verify=True).cat_file("voyage/note.txt")


def test_no_link_leads_out_of_the_store(loaded: Arrived) -> None:
    store = loaded.consignee.root / "store"
    (store / "out").symlink_to("/etc/hostname")
    (store / "up").symlink_to("..")
    (store / "keys").symlink_to(loaded.consignee.keys)
    (store / "in").symlink_to("shards/image-000000.tar")
    fs = _fs(loaded)
    assert fs.cat_file("voyage/in") == IMAGE_BYTES
    assert fs.info("voyage/out")["type"] == fs.info("voyage/up")["type"] == "other"
    for path in ("out", "up", "up/voyage.toml", "keys/signer", "../voyage.toml", "shards/../../voyage.toml", "."):
        with pytest.raises(FileNotFoundError):
            fs.cat_file(f"voyage/{path}")
    assert not any("signer" in name for name in fs.find("voyage"))
