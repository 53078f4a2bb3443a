"""Loading in waves: any drives in any order, in as many runs as it takes; then the named few together."""

import itertools
import random
import shutil
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path

import pytest

from load_parts import Site, copy_site, flip, pack_template
from packtrain.errors import BeyondRepair, DriveMissing, HostileArchive, MoreDrivesWanted
from packtrain.ports import Drive
from packtrain.stores.folder import FolderStore
from packtrain.units import KIB
from packtrain.volume import layout
from packtrain.volume.loaded import PROGRESS_NAME
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing

Template = tuple[Packing, ShipmentWritten]
Wave = Callable[..., None]
CASES, GROUP = (2, 2, 2), (4, 2)
SIZES = {
    "cut": 900 * KIB, "b": 250 * KIB, "c": 240 * KIB, "d": 200 * KIB, "e": 90 * KIB, "f/g": 10, "h": 200 * KIB,
    "i": 250 * KIB, "j": 250 * KIB, "empty": 0, **{f"k{number}": 240 * KIB for number in range(8)},
}  # fmt: skip


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"), SIZES, cases=CASES, groups=(GROUP,))


class Bays:
    """A site with fewer bays than drives."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.all: dict[str, Drive] = dict(site.drives)

    def mount(self, *labels: str) -> None:
        self.site.drives = {label: self.all[label] for label in labels}

    def wave(self, *labels: str, without: Collection[str] = ()) -> set[str]:
        """Load with these drives; return the labels that are wanted next, none when all is there."""
        self.mount(*labels)
        try:
            self.site.load(no_more=False, without=without)
        except MoreDrivesWanted as error:
            assert all(label in error.message for label in error.wanted["drives"])
            assert error.hint
            return set(error.wanted["drives"])
        return set()


@pytest.fixture
def bays(template: Template, tmp_path: Path) -> Bays:
    return Bays(copy_site(template, tmp_path))


LABELS = ("A1", "A2", "B1", "B2", "C1", "C2")


@pytest.mark.parametrize("size", [1, 2, 3])
def test_drives_one_after_the_other_in_any_order_give_everything_and_none_is_asked_for_twice(
    bays: Bays, size: int
) -> None:
    order = list(LABELS)
    random.Random(size).shuffle(order)
    seen: set[str] = set()
    for at in range(0, 6, size):
        seen.update(order[at : at + size])
        wanted = bays.wave(*order[at : at + size])
        assert not wanted & seen
    assert not wanted
    bays.site.assert_loaded()


def test_no_parity_is_read_in_pass_1(bays: Bays) -> None:
    for label in LABELS:
        for path in bays.site.volumes(label, "*.parity"):
            path.unlink()
    for label in LABELS:
        wanted = bays.wave(label)
    assert not wanted
    bays.site.assert_loaded()


def test_what_one_drive_gives_is_in_the_store_before_the_next_comes(bays: Bays) -> None:
    bays.wave("A1")
    names = [
        path.name for path in (bays.site.root / "store").rglob("*") if path.is_file() and "packtrain" not in str(path)
    ]
    assert names
    assert (bays.site.root / "store/.packtrain-staging").stat().st_mode & 0o077 == 0


def test_the_catalog_waits_in_staging_between_waves_and_goes_at_the_end(bays: Bays) -> None:
    bays.wave("A1")
    assert list((bays.site.root / "store").rglob("catalog-*"))
    for label in LABELS[1:]:
        bays.wave(label)
    assert not list((bays.site.root / "store").rglob("catalog-*"))
    bays.site.assert_loaded()


def test_k_drives_at_once_need_no_others(bays: Bays) -> None:
    assert not bays.wave("B1", "A2", "C2", "C1")
    bays.site.assert_loaded()


def test_a_drive_that_will_not_come_asks_for_k_others_together_and_they_suffice(bays: Bays) -> None:
    for label in LABELS[:5]:
        wanted = bays.wave(label, without=("C2",))
    assert len(wanted) == 4
    assert "C2" not in wanted
    assert not bays.wave(*wanted)
    bays.site.assert_loaded()


def test_a_case_that_will_not_come_is_named_once_and_remembered(bays: Bays) -> None:
    bays.wave("A1", without=("B",))
    assert bays.wave("A2") == {"C1", "C2"}
    assert bays.wave("C1", "C2") == {"A1", "A2", "C1", "C2"}
    assert not bays.wave("A1", "A2", "C1", "C2")
    bays.site.assert_loaded()


def test_a_drive_named_lost_that_is_mounted_after_all_counts_again(bays: Bays) -> None:
    bays.wave("A1", without=("B1", "B2", "C1", "C2"))
    assert bays.wave("B1", "B2") == {"A2"}
    assert not bays.wave("A2", "A1", "B1", "B2")
    bays.site.assert_loaded()


def test_a_name_that_is_no_drives_and_no_cases_is_refused(bays: Bays) -> None:
    with pytest.raises(DriveMissing):
        bays.wave("A1", without=("D1",))


def test_damage_is_remembered_and_pass_2_asks_for_few_drives(bays: Bays) -> None:
    damaged = bays.site.volumes("B1", "*.tar.age")[0]
    flip(damaged, 100)
    for label in LABELS:
        wanted = bays.wave(label)
    assert len(wanted) == 4
    assert "B1" not in wanted
    assert not bays.wave(*wanted)
    bays.site.assert_loaded()


@pytest.mark.parametrize("lost", list(itertools.combinations(LABELS, 2))[::3])
def test_with_two_drives_lost_and_one_bay_at_first_everything_comes_back(bays: Bays, lost: tuple[str, str]) -> None:
    wanted: set[str] = set()
    for label in LABELS:
        if label not in lost:
            wanted = bays.wave(label)
    assert wanted <= set(lost)
    left = [label for label in LABELS if label not in lost]
    again = bays.wave(left[0], without=lost)
    assert again == set(left)
    assert not bays.wave(*left)
    bays.site.assert_loaded()


def test_beyond_the_code_is_said_only_when_no_drive_is_left_that_could_come(bays: Bays) -> None:
    assert bays.wave("A1", "A2") == {"B1", "B2", "C1", "C2"}
    bays.mount("A1", "A2", "B1")
    with pytest.raises(BeyondRepair):
        bays.site.load(no_more=True)
    listed = (bays.site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines()
    bays.site.assert_loaded(missing=listed)
    assert not bays.wave("B2", "A1", "A2", "B1")
    assert not (bays.site.root / "unreadable.txt").exists()
    bays.site.assert_loaded()


def test_what_is_known_of_each_group_is_told_and_never_more(bays: Bays) -> None:
    bays.mount("A1", "A2")
    with pytest.raises(MoreDrivesWanted) as caught:
        bays.site.load(no_more=False)
    (state,) = caught.value.wanted["groups"]
    assert (state["k"], state["drives"], state["drives_seen"], state["more_drives"]) == (4, 6, 2, 2)
    assert state["stripes_proven"] == 0
    bays.mount("B1", "B2")
    with pytest.raises(MoreDrivesWanted, match="4 of 6 drives seen"):
        bays.site.load(no_more=False)
    assert (bays.site.root / PROGRESS_NAME).is_file()


MANY = {f"small/{number:03d}": 9 * KIB for number in range(400)}


def test_over_all_waves_an_entry_is_looked_at_once_but_for_the_first_of_a_volume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack_template(tmp_path / "home", MANY, cases=CASES, groups=(GROUP,))
    bays = Bays(copy_site(packed, tmp_path / "site"))
    looks: Counter[bytes] = Counter()
    size_bytes = FolderStore.size_bytes

    def counted(self: FolderStore, name: bytes) -> int | None:
        looks[name] += 1
        return size_bytes(self, name)

    monkeypatch.setattr(FolderStore, "size_bytes", counted)
    for label in LABELS:
        wanted = bays.wave(label)
    assert not wanted
    bays.site.assert_loaded()
    often = [name for name, count in looks.items() if count > 1]
    assert len(often) <= bays.site.written.num_volumes
    assert len(often) < len(looks) / 4


@pytest.mark.parametrize("gone", ["first", "any", "all"])
def test_what_goes_from_the_store_between_waves_is_noticed_before_all_is_said_to_be_there(
    tmp_path: Path, gone: str
) -> None:
    packed = pack_template(tmp_path / "home", MANY, cases=CASES, groups=(GROUP,))
    bays = Bays(copy_site(packed, tmp_path / "site"))
    assert bays.wave("A1", "A2") == {"B1", "B2", "C1", "C2"}
    numbers = {int(path.name) for path in (bays.site.root / "store" / "small").iterdir()}
    # A volume begins where the one before it lies on a drive that was not read.
    first = max(number for number in numbers if number - 1 not in numbers)
    if gone == "all":
        shutil.rmtree(bays.site.root / "store" / "small")
    else:
        (bays.site.root / "store" / "small" / f"{first + 5 * (gone == 'any'):03d}").unlink()
    wanted = bays.wave("B1", "B2")
    assert bool(wanted & {"A1", "A2"}) == (gone != "any"), "of each volume the first entry is looked at in every wave"
    wanted = bays.wave("C1", "C2")
    assert wanted & {"A1", "A2"}
    assert not bays.wave("A1", "A2")
    bays.site.assert_loaded()


def test_what_went_between_two_runs_comes_back_in_the_run_that_has_all_drives(bays: Bays) -> None:
    assert bays.wave("A1", "A2", "B1")
    (path,) = random.Random(1).sample([p for p in (bays.site.root / "store").glob("k*")], 1)
    path.unlink()
    assert not bays.wave(*LABELS)
    bays.site.assert_loaded()


def test_two_groups_mixed_in_each_wave(tmp_path: Path) -> None:
    packed = pack_template(tmp_path / "home", SIZES, cases=(3, 3), groups=((2, 1), (2, 1)))
    bays = Bays(copy_site(packed, tmp_path / "site"))
    assert bays.wave("A1", "B1") == {"A2", "A3", "B2", "B3"}
    assert bays.wave("A2", "B2", without=("B3",)) == {"A3"}
    assert bays.wave("A3") == {"B1", "B2"}
    assert not bays.wave("B2", "B1")
    bays.site.assert_loaded()


def test_a_refused_volume_stops_neither_its_wave_nor_the_next(bays: Bays) -> None:
    from load_parts import resign_group

    first, second = (path for label in ("A1", "A2") for path in bays.site.volumes(label) if path.name[:7] == "0000000")
    resign_group(bays.site, {first: second.read_bytes()}, with_sha256=True)
    assert bays.wave("A1", "A2", "B1") == {"B2", "C1", "C2"}
    with pytest.raises(HostileArchive, match="volume and catalog disagree") as caught:
        bays.wave("B2", "C1", "C2")
    assert "1 such volume" in str(caught.value.hint)
    bays.site.assert_loaded(missing=(bays.site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines())


def test_a_damaged_group_document_is_taken_from_another_drive_or_waited_for(bays: Bays) -> None:
    flip(bays.site.folder("A1") / layout.GROUP, 300)
    flip(bays.site.folder("A2") / layout.TAG_MANIFEST, 30)
    assert bays.wave("A1") == set(LABELS) - {"A1"}
    bays.wave("A2")
    assert bays.wave("B1", "B2", "C1", "C2") in ({"A1"}, set())
    assert not bays.wave("A1", "B1")
    bays.site.assert_loaded()
    assert "drive A1, packtrain/group.json" in bays.site.notices()
