"""Any folder comes back equal: content, names, kinds, modes, times, attributes, links, holes, owners."""

import os
import struct
from pathlib import Path

import pytest

from load_parts import Site, borrow_site
from packtrain.units import KIB
from packtrain.volume.folder_scan import scan
from packtrain.volume.losses import LossReport
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, make_packing
from tree_parts import assert_equal, data_bytes, everything, link_sets

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    root = tmp_path_factory.mktemp("packed")
    everything(root / "cargo")
    packing = make_packing(root)
    return packing, packing.write()


@pytest.fixture(scope="module")
def loaded(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = borrow_site(template, tmp_path_factory.mktemp("loaded"))
    assert site.load().files == template[1].num_files
    return site


def cargo(site: Site) -> Path:
    return Path(os.fsdecode(site.packing.entries[0].source)).parent


def test_everything_comes_back_equal(loaded: Site, template: Template) -> None:
    assert_equal(loaded.root / "store", cargo(loaded))


def test_links_are_links_also_of_a_cut_file(loaded: Site) -> None:
    sets = link_sets(loaded.root / "store")
    assert frozenset((b"plain/file", b"links/a", b"z")) in sets
    assert frozenset((b"plain/deep/large", b"links/of large")) in sets
    cut = next(
        entry
        for entry in loaded.packing.entries
        if entry.name == b"plain/deep/large" or entry.name == b"links/of large"
    )
    assert cut.size_bytes > 256 * KIB


def test_holes_are_where_they_were(loaded: Site) -> None:
    for path in (cargo(loaded) / "sparse").iterdir():
        copy = loaded.root / "store/sparse" / path.name
        assert copy.stat().st_blocks <= path.stat().st_blocks, path.name
        assert data_bytes(copy) == data_bytes(path), path.name


def test_nothing_is_left_in_staging(loaded: Site) -> None:
    assert not (loaded.root / "store/.packtrain-staging").exists()


def test_a_second_load_finds_everything_in_place(loaded: Site) -> None:
    assert loaded.load().files == loaded.written.num_files
    assert_equal(loaded.root / "store", cargo(loaded))


def test_links_are_made_again_where_one_was_removed(template: Template, tmp_path: Path) -> None:
    site = borrow_site(template, tmp_path)
    site.load()
    for name in ("links/a", "links/of large", "void/inner"):
        path = tmp_path / "store" / name
        path.rmdir() if path.is_dir() else path.unlink()
    (tmp_path / "store/links/a").write_bytes(b"content")  # equal, but no link any more
    site.load()
    assert_equal(tmp_path / "store", cargo(site))


def test_what_is_lost_with_too_many_drives_takes_its_links_with_it(template: Template, tmp_path: Path) -> None:
    site = borrow_site(template, tmp_path)
    site.lose("A1")
    site.load()
    assert_equal(tmp_path / "store", cargo(site))


@pytest.mark.skipif(os.getuid() != 0, reason="only root may give files away")
def test_owners_and_special_bits_come_back_where_they_are_asked_for(tmp_path: Path) -> None:
    root = tmp_path / "cargo"
    (root / "folder").mkdir(parents=True)
    for name, mode in (("tool", 0o4755), ("folder/file", 0o640)):
        (root / name).write_bytes(b"x")
        os.chown(root / name, 1234, 2**31)
        (root / name).chmod(mode)
    (root / "link").symlink_to("tool")
    os.chown(root / "link", 7, 8, follow_symlinks=False)
    os.chown(root / "folder", 5, 6)
    (root / "folder").chmod(0o3775)
    report = LossReport()
    entries = list(scan(root, report=report))
    assert report.lessened["owners other than root (set by load --keep-owner alone)"].count == 4
    packing = make_packing(tmp_path, entries)
    template = packing, packing.write()
    site = borrow_site(template, tmp_path / "kept")
    site.load(keep_owner=True)
    assert_equal(tmp_path / "kept/store", root, with_owner=True, with_special_bits=True)
    site = borrow_site(template, tmp_path / "plain")
    site.load()
    assert_equal(tmp_path / "plain/store", root)
    assert (tmp_path / "plain/store/tool").stat().st_uid == 0
    assert not (tmp_path / "plain/store/tool").stat().st_mode & 0o7000


@pytest.mark.parametrize("keep_owner", [False, True])
def test_an_access_list_names_users_of_home_and_is_set_only_where_owners_are_kept(
    tmp_path: Path, *, keep_owner: bool
) -> None:
    """User 4711 may read and write, the owning group read only; the group's bits of the mode are the mask: rw."""
    (tmp_path / "cargo").mkdir()
    path = tmp_path / "cargo" / "shared"
    path.write_bytes(b"x")
    nobody = 0xFFFFFFFF
    entries = ((0x01, 6, nobody), (0x02, 6, 4711), (0x04, 4, nobody), (0x10, 6, nobody), (0x20, 0, nobody))
    access_list = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(path, "system.posix_acl_access", access_list)
    except OSError as error:
        pytest.skip(f"no access lists on this file system: {error}")
    if keep_owner and os.geteuid() != 0:
        pytest.skip("not root")
    packing = make_packing(tmp_path)
    site = borrow_site((packing, packing.write()), tmp_path / "site")

    site.load(keep_owner=keep_owner)

    found = site.root / "store" / "shared"
    if keep_owner:
        assert os.getxattr(found, "system.posix_acl_access") == access_list
    else:
        assert "system.posix_acl_access" not in os.listxattr(found)
        # Not the mask: that would let the whole group write.
        assert found.stat().st_mode & 0o777 == 0o640
