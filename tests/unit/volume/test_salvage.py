"""Beyond what the code survives: files in good chunks come back, each proven by itself; the others are listed."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from load_parts import Site, copy_site, flip, pack_template
from packtrain.errors import BeyondRepair, MoreDrivesWanted
from packtrain.units import KIB, MIB
from packtrain.volume import salvaging
from packtrain.volume.loaded import NAMED
from packtrain.volume.ranges import Ranges
from packtrain.volume.salvage import Found
from packtrain.volume.salvaging import Salvaging, _Got  # pyright: ignore[reportPrivateUsage]
from packtrain.volume.unreadable import UnreadableNames
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing

Template = tuple[Packing, ShipmentWritten]
# Volumes of several blocks with dozens of files each; one file is cut over three volumes.
SIZES = {f"f{number:03d}": 90 * KIB + number for number in range(90)} | {"cut": 7 * MIB, "g/empty": 0}

OF_FILES = 2
"""A stripe with no piece of the cut file."""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"), SIZES, cases=(2, 1), groups=((2, 1),), target_bytes=3 * MIB)


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


def volumes_of(site: Site, stripe: int) -> list[Path]:
    return [path for label in site.drives for path in site.volumes(label) if int(path.name[:7]) == stripe]


def lost_after_load(site: Site, **options: bool) -> list[str]:
    with pytest.raises(BeyondRepair):
        site.load(**options)
    listed = (site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines()
    site.assert_loaded(missing=listed)
    return listed


def test_only_files_that_touch_a_lost_block_are_lost(site: Site) -> None:
    for path in volumes_of(site, OF_FILES):
        if path.stat().st_size > MIB + 5000:
            flip(path, MIB + 5000)
    listed = lost_after_load(site)
    # A block holds eleven or twelve of them, chunks at its ends touch two more, in each of two volumes.
    assert 10 <= len(listed) <= 28
    assert "cut" not in listed
    assert [path for path in site.root.rglob("salvage-*/*") if path.is_file()] == [], "files in part, in the clear"


def test_without_its_first_block_a_volume_has_no_key_and_all_its_files_are_lost(site: Site) -> None:
    for path in volumes_of(site, OF_FILES):
        flip(path, 5000)
    listed = lost_after_load(site)
    assert len(listed) > 30


def test_a_cut_file_with_a_lost_block_is_lost_and_comes_back_with_a_drive_that_turns_up(site: Site) -> None:
    late = {label: site.drives[label] for label in ("A1", "A2")}
    site.lose("A1", "A2")
    listed = lost_after_load(site)
    assert "cut" in listed
    site.drives |= late
    site.load()
    site.assert_loaded()


def test_rows_that_can_be_rebuilt_give_files_of_a_lost_drive(site: Site) -> None:
    site.lose("A1")
    for path in volumes_of(site, OF_FILES):
        if path.stat().st_size > 2 * MIB + 9000:
            flip(path, 2 * MIB + 9000)
    listed = lost_after_load(site)
    assert len(listed) < 60


def test_what_was_salvaged_is_counted_once_and_not_looked_for_again(site: Site) -> None:
    for path in volumes_of(site, OF_FILES):
        if path.stat().st_size > MIB + 5000:
            flip(path, MIB + 5000)
    first = lost_after_load(site)
    journal = (site.root / "load.jsonl").read_bytes()
    assert b'"line":"salvaged"' in journal
    assert lost_after_load(site) == first


def test_what_is_got_out_of_a_volume_is_published_in_batches_and_noted_in_ranges(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in volumes_of(site, OF_FILES):
        if path.stat().st_size > MIB + 5000:
            flip(path, MIB + 5000)
    batches: list[int] = []
    publish = Salvaging._publish  # pyright: ignore[reportPrivateUsage]

    def counted(self: Salvaging, got: _Got, found: Sequence[Found]) -> None:
        batches.append(len(found))
        publish(self, got, found)

    monkeypatch.setattr(salvaging, "_BATCH", 2)
    monkeypatch.setattr(Salvaging, "_publish", counted)
    lost_after_load(site)
    # The files of a block are found together; there are eleven or twelve of them.
    assert max(batches) <= 15
    lines = [json.loads(line) for line in (site.root / "load.jsonl").read_bytes().splitlines()]
    noted = [Ranges(line["files"]) for line in lines if line.get("line") == "salvaged"]
    assert sum(len(files) for files in noted) > 10
    assert max(files.num_ranges for files in noted) <= 4


def test_of_ten_thousand_lost_files_all_are_listed_and_the_first_are_held(tmp_path: Path) -> None:
    found = UnreadableNames(tmp_path / "unreadable.txt")
    with found.writing():
        for number in range(10_000):
            found.add(b"%05d" % number)
    assert (found.count, found.first) == (10_000, [f"{number:05d}" for number in range(NAMED)])
    assert found.path.read_text() == "".join(f"{number:05d}\n" for number in range(10_000))


def test_in_waves_the_drives_of_volumes_beyond_repair_are_asked_for_once_more(site: Site) -> None:
    everyone = dict(site.drives)
    for path in volumes_of(site, OF_FILES):
        if path.stat().st_size > MIB + 5000:
            flip(path, MIB + 5000)
    for label in everyone:
        site.drives = {label: everyone[label]}
        with pytest.raises((MoreDrivesWanted, BeyondRepair)) as caught:
            site.load(no_more=False)
    while isinstance(caught.value, MoreDrivesWanted):
        wanted = caught.value.wanted["drives"]
        assert isinstance(wanted, list)
        site.drives = {label: everyone[label] for label in wanted}
        with pytest.raises((MoreDrivesWanted, BeyondRepair)) as caught:
            site.load(no_more=False)
    listed = (site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines()
    site.assert_loaded(missing=listed)
    assert len(listed) < len(SIZES) / 2


@pytest.mark.parametrize("gone", ["files", "store"])
def test_what_was_salvaged_and_is_gone_is_looked_for_again(site: Site, gone: str) -> None:
    for path in volumes_of(site, OF_FILES):
        if path.stat().st_size > MIB + 5000:
            flip(path, MIB + 5000)
    listed = lost_after_load(site)
    if gone == "store":
        shutil.rmtree(site.root / "store")
    else:
        for name in SIZES:
            if name not in listed:
                (site.root / "store" / name).unlink()
    assert lost_after_load(site) == listed


def test_every_lost_name_is_one_line_and_whole(tmp_path: Path) -> None:
    deep = "/".join(["folder"] * 50)
    names = {f"{deep}/a", f"{deep}/b", "new\nline"}
    site = copy_site(pack_template(tmp_path / "packed", dict.fromkeys(names, 3)), tmp_path)
    for label in site.drives:
        for path in site.volumes(label):
            flip(path, 300)
    with pytest.raises(BeyondRepair):
        site.load()
    lines = (site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines()
    assert {f"{deep}/a", f"{deep}/b", "new\\nline"} <= {*lines}
    assert len(lines) == len(names) + 2  # with the link and the empty folder
