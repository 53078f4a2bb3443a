"""Killing a load at every durable step: a second run finishes it, and nothing half-written is ever in the store."""

import os
from pathlib import Path

import pytest

from fault_parts import KILLED, run_in_child
from load_parts import Site, borrow_site, pack_template
from packtrain.units import KIB
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing

pytestmark = pytest.mark.long

Template = tuple[Packing, ShipmentWritten]
# One file is cut into three pieces over two stripes, and shares its volumes with others.
SIZES = {"a": 100 * KIB, "cut": 500 * KIB, "c": 30 * KIB, "d/e": 10}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"), SIZES, cases=(1, 1, 1), groups=((2, 1),))


def load_until(site: Site, step: int) -> bool:
    """Load in a child that dies at the given durable step; return whether it got to its end."""
    code, _ = run_in_child(site.load, step)
    assert code in (0, KILLED), "the load failed instead of dying or ending"
    return code == 0


def assert_no_half_files(site: Site) -> None:
    for entry in site.packing.entries:
        copy = site.root / "store" / entry.name.decode()
        if entry.kind == "file" and copy.exists():
            assert copy.read_bytes() == Path(os.fsdecode(entry.source)).read_bytes(), entry.name


@pytest.mark.parametrize(("lost", "stride"), [((), 1), (("A1",), 3)], ids=["all drives", "one drive lost"])
def test_a_load_killed_at_any_step_is_finished_by_the_next(
    template: Template, tmp_path: Path, lost: tuple[str, ...], stride: int
) -> None:
    step = 0
    while True:
        step += stride
        (tmp_path / str(step)).mkdir()
        site = borrow_site(template, tmp_path / str(step))
        site.lose(*lost)
        ended = load_until(site, step)
        assert_no_half_files(site)
        loaded = site.load()
        site.assert_loaded()
        assert loaded.files == site.written.num_files, step
        assert loaded.bytes == site.written.plaintext_bytes, step
        if ended:
            break
    assert step > 20


def test_a_load_killed_again_and_again_ends(template: Template, tmp_path: Path) -> None:
    site = borrow_site(template, tmp_path)
    site.lose("C1")
    for step in (17, 3, 21, 9, 26, 12, 30, 33, 36):
        load_until(site, step)
        assert_no_half_files(site)
    assert site.load().files == site.written.num_files
    site.assert_loaded()
