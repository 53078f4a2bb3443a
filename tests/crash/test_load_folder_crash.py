"""Killing a load of a folder at every durable step: the next run ends with an equal folder, its links and times too."""

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fault_parts import KILLED, run_in_child
from load_parts import Site, borrow_site
from packtrain.units import KIB
from packtrain.volume.folder_scan import scan
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, content, make_packing
from tree_parts import assert_equal, sparse_file

pytestmark = pytest.mark.long

Template = tuple[Packing, ShipmentWritten]
NOBODY = 65534


def folder(root: Path) -> Path:
    """Make a small folder in which everything is that a load does after its volumes."""
    for name in ("closed", "links", "void"):
        (root / name).mkdir(parents=True)
    (root / "cut").write_bytes(content(300 * KIB, 1))
    (root / "closed/whole").write_bytes(b"whole")
    (root / "links/of cut").hardlink_to(root / "cut")
    (root / "links/of whole").hardlink_to(root / "closed/whole")
    (root / "closed/of cut").hardlink_to(root / "cut")
    (root / "closed/up").symlink_to("../cut")
    sparse_file(root / "closed/sparse", 400 * KIB, (200 * KIB, b"x" * 4096))
    for path in (root / "closed", root / "void", root / "links"):
        os.setxattr(path, "user.note", b"1")
        os.utime(path, ns=(0, 10**18 + 7))
    (root / "closed").chmod(0o555)
    (root / "void").chmod(0o111)
    return root


@pytest.fixture(scope="module")
def template() -> Iterator[Template]:
    # Not below pytest's own folders: another user loads from here.
    root = Path(tempfile.mkdtemp(prefix="packtrain-folder-"))
    folder(root / "cargo")
    packing = make_packing(root, list(scan(root / "cargo")), cases=(1, 1, 1), groups=((2, 1),))
    yield packing, packing.write()
    shutil.rmtree(root)


def cargo(site: Site) -> Path:
    return site.packing.journal_folder.parent / "cargo"


def load_until(site: Site, step: int) -> bool:
    """Load in a child that dies at the given durable step; return whether it got to its end."""
    code, _ = run_in_child(site.load, step)
    assert code in (0, KILLED), "the load failed instead of dying or ending"
    return code == 0


def test_a_load_killed_at_any_step_is_finished_by_the_next(template: Template, tmp_path: Path) -> None:
    step, ended = 0, False
    while not ended:
        step += 1
        (tmp_path / str(step)).mkdir()
        site = borrow_site(template, tmp_path / str(step))
        ended = load_until(site, step)
        assert site.load().files == site.written.num_files, step
        assert_equal(tmp_path / str(step) / "store", cargo(site))
        shutil.rmtree(tmp_path / str(step))
    assert step > 20


def test_a_load_killed_again_and_again_ends(template: Template, tmp_path: Path) -> None:
    site = borrow_site(template, tmp_path)
    # Every load has a dozen durable steps before its first file: one that dies sooner gets nowhere.
    kills = 0
    while not load_until(site, 13):
        kills += 1
        assert kills < 200
    assert kills >= 5
    assert site.load().files == site.written.num_files
    assert_equal(tmp_path / "store", cargo(site))


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_without_rights_loads_into_folders_that_an_earlier_run_closed(template: Template) -> None:
    root = Path(tempfile.mkdtemp(prefix="packtrain-nobody-"))
    source = template[0].journal_folder.parent
    try:
        os.chown(root, NOBODY, NOBODY)
        site = borrow_site(template, root)
        for path in (source, *source.rglob("*")):
            if path.name != "cargo" and (source / "cargo") not in path.parents and not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)
        child = os.fork()
        if child == 0:
            try:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                assert site.load().files == site.written.num_files
                # A file in the closed folder goes missing: the folder is opened to its owner, and closed again.
                (root / "store/closed").chmod(0o755)
                (root / "store/closed/whole").unlink()
                (root / "store/closed").chmod(0o555)
                assert site.load().files == site.written.num_files
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert_equal(root / "store", source / "cargo")
        assert stat.S_IMODE((root / "store/void").stat().st_mode) == 0o111
    finally:
        shutil.rmtree(root)
