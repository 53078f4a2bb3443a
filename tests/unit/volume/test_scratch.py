"""With a scratch folder no two drives are mounted together: what passes is added up, what never came is solved."""

import itertools
from collections.abc import Collection
from pathlib import Path

import pytest

from fault_parts import KILLED, run_in_child
from load_parts import Site, copy_site, flip, pack_template, resign_group
from packtrain.errors import BeyondRepair, MoreDrivesWanted
from packtrain.ports import Drive
from packtrain.units import KIB, MIB
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing

Template = tuple[Packing, ShipmentWritten]
LABELS = ("A1", "A2", "B1", "B2", "C1", "C2")
# Volumes of up to three blocks, a cut file, stripes whose last columns are short or missing.
SIZES = {f"f{number:02d}": 300 * KIB + 1000 * number for number in range(40)} | {"cut": 6 * MIB, "e": 0}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    root = tmp_path_factory.mktemp("packed")
    return pack_template(root, SIZES, cases=(2, 2, 2), groups=((4, 2),), target_bytes=2500 * KIB)


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


class OneBay:
    def __init__(self, site: Site) -> None:
        self.site = site
        self.all: dict[str, Drive] = dict(site.drives)
        self.scratch = site.root / "scratch"

    def wave(self, *labels: str, without: Collection[str] = ()) -> set[str]:
        self.site.drives = {label: self.all[label] for label in labels}
        try:
            self.site.load(no_more=False, without=without, scratch=self.scratch)
        except MoreDrivesWanted as error:
            assert error.wanted["pass"] == 1, "nobody is asked to mount drives together"
            drives = error.wanted["drives"]
            assert isinstance(drives, list)
            return set(drives)
        return set()

    def all_waves(self, *labels: str, without: Collection[str] = ()) -> None:
        """Mount one drive after the other, once each, until nothing is wanted."""
        for label in labels:
            wanted = self.wave(label, without=without)
        assert not wanted

    def assert_clean(self) -> None:
        assert not list(self.scratch.rglob("*"))


@pytest.mark.parametrize("lost", [("A1",), ("C2",), *list(itertools.combinations(LABELS, 2))[::4]])
def test_one_bay_is_enough_for_any_m_lost_drives(site: Site, lost: tuple[str, ...]) -> None:
    bay = OneBay(site)
    bay.all_waves(*(label for label in LABELS if label not in lost), without=lost)
    site.assert_loaded()
    bay.assert_clean()


def test_nothing_is_kept_of_stripes_that_are_done(site: Site) -> None:
    bay = OneBay(site)
    for label in LABELS:
        wanted = bay.wave(label)
    assert not wanted
    site.assert_loaded()
    bay.assert_clean()


def test_scratch_holds_no_more_than_m_of_k(site: Site) -> None:
    bay = OneBay(site)
    bay.wave("A1")
    group = site.written.groups[0].group
    parity = sum(volume.bytes for volume in group.volumes if volume.column >= group.k)
    kept = sum(path.stat().st_size for path in bay.scratch.rglob("*") if path.is_file())
    assert 0 < kept <= parity + 1000 * group.num_stripes


@pytest.mark.parametrize("where", ["data", "parity"])
def test_damaged_blocks_of_drives_that_passed_are_solved_from_what_is_good_of_them(site: Site, where: str) -> None:
    kind = "*.tar.age" if where == "data" else "*.parity"
    damaged = [path for label in ("A1", "A2", "B1", "B2", "C2") for path in site.volumes(label, kind)]
    large = [path for path in damaged if path.stat().st_size > MIB + 100]
    for path, offset in zip(large, (100, MIB + 100), strict=False):
        flip(path, offset)
    bay = OneBay(site)
    bay.all_waves("A1", "A2", "B1", "B2", "C2", without=("C1",))
    site.assert_loaded()
    bay.assert_clean()


def test_a_volume_that_lies_is_not_added_up(site: Site) -> None:
    victim = next(path for label in LABELS if label != "A2" for path in site.volumes(label, "*.parity"))
    payload = bytearray(victim.read_bytes())
    payload[len(payload) // 2] ^= 0x40
    resign_group(site, {victim: bytes(payload)})
    bay = OneBay(site)
    bay.all_waves(*(label for label in LABELS if label != "A2"), without=("A2",))
    site.assert_loaded()
    assert "altered on purpose" in site.notices()


def test_drives_seen_before_there_was_a_scratch_folder_are_asked_for_once_more(site: Site) -> None:
    bay = OneBay(site)
    for label in ("A1", "A2"):
        site.drives = {label: bay.all[label]}
        with pytest.raises(MoreDrivesWanted):
            site.load(no_more=False)
    for label in ("B1", "B2"):
        wanted = bay.wave(label, without=("C",))
    assert wanted == {"A1", "A2"}
    bay.all_waves("A2", "A1", without=("C",))
    site.assert_loaded()


def test_beyond_the_code_scratch_helps_nobody_and_the_rest_is_listed(site: Site) -> None:
    bay = OneBay(site)
    for label in ("A1", "A2"):
        bay.wave(label, without=("B",))
    site.drives = {"C1": bay.all["C1"]}
    with pytest.raises(BeyondRepair):
        site.load(no_more=True, scratch=bay.scratch)
    site.assert_loaded(missing=(site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines())


def test_a_scratch_file_that_was_damaged_is_begun_anew(site: Site) -> None:
    bay = OneBay(site)
    for label in ("A1", "A2", "B1"):
        bay.wave(label, without=("C",))
    victim = next(bay.scratch.rglob("*.syndromes"))
    flip(victim, 5)
    wanted = bay.wave("B2", without=("C",))
    for _ in range(4):
        if not wanted:
            break
        wanted = bay.wave(sorted(wanted)[0], without=("C",))
    assert not wanted
    site.assert_loaded()


@pytest.mark.parametrize("stride", [1])
def test_killed_at_any_step_no_column_is_counted_twice(template: Template, tmp_path: Path, stride: int) -> None:
    step = 0
    ended = False
    while not ended:
        step += stride
        site = copy_site(template, tmp_path / str(step))
        bay = OneBay(site)
        bay.wave("A1", without=("C",))
        ended = _dies_in_wave(bay, step, "B1")
        for label in ("B1", "A2", "B2"):
            wanted = bay.wave(label, without=("C",))
        assert not wanted, step
        site.assert_loaded()
        bay.assert_clean()
        step += 7
    assert step > 30


def _dies_in_wave(bay: OneBay, step: int, label: str) -> bool:
    code, _ = run_in_child(lambda: bay.wave(label, without=("C",)), step)
    assert code in (0, KILLED), "the wave failed instead of dying or ending"
    return code == 0
