"""Loading a shipment: whatever the code survives, every file is there; beyond it, the rest is listed."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from load_parts import Site, copy_site, flip, pack_template, resign_group
from packtrain import durable
from packtrain.crypto import age
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.errors import (
    AgeFormatError,
    BeyondRepair,
    DriveFailed,
    DriveFull,
    HostileArchive,
    IntegrityError,
    StoreInUse,
    WrongKey,
)
from packtrain.events import Progress
from packtrain.stores.folder import FolderStore
from packtrain.volume import group_pass, layout, tar
from packtrain.volume.catalog import CatalogFile
from packtrain.volume.extract import is_hashed
from packtrain.volume.load_journal import VolumeKey, VolumeLine
from packtrain.volume.publishing import OpenGroup, Publisher, Restored
from packtrain.volume.unpack import Unpacking
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, content

Template = tuple[Packing, ShipmentWritten]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"))


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path)


def test_undamaged_drives_load_every_entry_and_read_no_parity(site: Site) -> None:
    for label in site.drives:
        for path in site.volumes(label, "*.parity"):
            path.unlink()
    loaded = site.load()
    site.assert_loaded()
    assert loaded.files == site.written.num_files
    assert loaded.bytes == site.written.plaintext_bytes
    assert (loaded.blocks_repaired, loaded.volumes_rebuilt, loaded.damage, loaded.drives_lost) == (0, 0, (), ())


@pytest.mark.parametrize("lost", [("A1",), ("B2",), ("A1", "A2"), ("A2", "B1"), ("B1", "B2")])
def test_any_m_lost_drives_are_rebuilt(site: Site, lost: tuple[str, ...]) -> None:
    site.lose(*lost)
    loaded = site.load()
    site.assert_loaded()
    assert loaded.drives_lost == lost
    assert loaded.volumes_rebuilt > 0
    assert "drives are not here" in site.notices()


class _Known(dict[VolumeKey, VolumeLine]):
    """Volumes that can be asked for by name, and not be gone through."""

    def __iter__(self) -> Iterator[VolumeKey]:
        raise AssertionError("all volumes of the load were gone through for one batch")


def test_a_batch_asks_for_the_volumes_it_needs_and_goes_through_no_others(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []
    publish = Publisher.publish

    def watched(self: Publisher, opened: OpenGroup, volumes: Sequence[Restored]) -> None:
        batches.append(len(volumes))
        self.journal.volumes = _Known(self.journal.volumes.items())
        publish(self, opened, volumes)
        self.journal.volumes = dict(self.journal.volumes.items())

    monkeypatch.setattr(group_pass, "_BATCH_VOLUMES", 2)
    monkeypatch.setattr(Publisher, "publish", watched)
    site.load()
    site.assert_loaded()
    assert len(batches) > 5


def test_drives_in_any_order_give_the_same(site: Site) -> None:
    site.drives = dict(reversed(site.drives.items()))
    site.load()
    site.assert_loaded()


def test_a_lost_drive_and_a_damaged_block_on_another_are_made_good_and_told(site: Site) -> None:
    site.lose("A1")
    damaged = site.volumes("B1", "*.tar.age")[0]
    flip(damaged, 1000)
    loaded = site.load()
    site.assert_loaded()
    assert loaded.blocks_repaired == 1
    found = [d for d in loaded.damage if d.volume == f"data/{damaged.name}"]
    assert [(d.drive, d.first_block, d.last_block) for d in found] == [("B1", 0, 0)]
    assert f"drive B1, data/{damaged.name}, block 0: differs from the block list" in site.notices()


def test_a_deleted_volume_is_rebuilt(site: Site) -> None:
    site.volumes("A2", "*.tar.age")[0].unlink()
    loaded = site.load()
    site.assert_loaded()
    assert loaded.volumes_rebuilt == 1
    assert "the file is missing" in site.notices()


@pytest.mark.parametrize("size_bytes", [0, 1, 70_000])
def test_a_cut_volume_is_made_good(site: Site, size_bytes: int) -> None:
    os.truncate(site.volumes("A2", "*.tar.age")[0], size_bytes)
    assert site.load().blocks_repaired == 1
    site.assert_loaded()


def test_a_volume_with_bytes_after_its_end_loads(site: Site) -> None:
    with site.volumes("A1", "*.tar.age")[0].open("ab") as stream:
        stream.write(b"more")
    site.load()
    site.assert_loaded()


def test_a_block_that_cannot_be_read_is_made_good(site: Site) -> None:
    name = f"data/{site.volumes('B1', '*.tar.age')[0].name}"
    site.drives["B1"] = FaultyDrive(site.drives["B1"], Orders(unreadable={name: 5000}))
    loaded = site.load()
    site.assert_loaded()
    assert loaded.blocks_repaired == 1
    assert "cannot be read" in site.notices()


def test_without_its_block_list_a_whole_volume_is_read_as_it_is(site: Site) -> None:
    for path in (site.folder("A1") / "packtrain/blocks").iterdir():
        path.unlink()
    loaded = site.load()
    site.assert_loaded()
    assert (loaded.blocks_repaired, loaded.volumes_rebuilt) == (0, 0)


def test_a_damaged_volume_with_a_damaged_block_list_counts_as_lost_and_is_rebuilt(site: Site) -> None:
    volume = site.volumes("A1", "*.tar.age")[0]
    flip(volume, 12)
    flip(site.folder("A1") / "packtrain/blocks" / volume.name.replace(".tar.age", ".xxh3"), 3)
    loaded = site.load()
    site.assert_loaded()
    assert loaded.volumes_rebuilt == 1
    assert "its block list is damaged and its SHA-256 differs" in site.notices()


def test_beyond_the_code_the_rest_is_restored_and_what_is_lost_is_named(site: Site) -> None:
    site.lose("A1", "A2")
    victim = site.volumes("B1", "*.tar.age")[0]
    flip(victim, 77)
    with pytest.raises(BeyondRepair) as caught:
        site.load()
    listed = (site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines()
    assert 0 < len(listed) < len(site.packing.entries)
    assert all(name in caught.value.message for name in listed[:20])
    site.assert_loaded(missing=listed)


def test_a_drive_that_turns_up_later_completes_a_load_that_was_beyond_repair(site: Site) -> None:
    late = site.drives["A1"]
    site.lose("A1", "A2", "B1")
    with pytest.raises(BeyondRepair):
        site.load()
    site.drives["A1"] = late
    loaded = site.load()
    site.assert_loaded()
    assert loaded.files == site.written.num_files
    assert not (site.root / "unreadable.txt").exists()


def test_without_any_drive_the_loss_is_counted(site: Site) -> None:
    site.lose("A1", "A2", "B1", "B2")
    with pytest.raises(BeyondRepair, match="1 files are lost: names unknown"):
        site.load()


def test_a_damaged_catalog_is_taken_from_another_drive(site: Site) -> None:
    flip(site.folder("A1") / layout.CATALOG, 400)
    loaded = site.load()
    site.assert_loaded()
    assert [d.volume for d in loaded.damage] == [layout.CATALOG]


def test_without_any_whole_catalog_all_files_of_the_group_are_lost(site: Site) -> None:
    for label in site.drives:
        flip(site.folder(label) / layout.CATALOG, 400)
    with pytest.raises(BeyondRepair, match=f"{site.written.num_files} files are lost: names unknown"):
        site.load()


def test_a_wrong_identity_is_refused_before_anything_is_written(site: Site) -> None:
    with pytest.raises(WrongKey):
        site.load(identity=age.generate_identity())
    assert not (site.root / "store").exists()
    assert not (site.root / "load.jsonl").exists()


def test_a_volume_made_to_fit_its_block_list_is_found_by_its_sha256_and_rebuilt(site: Site) -> None:
    victim = site.volumes("B2", "*.tar.age")[0]
    resign_group(site, {victim: _altered(victim)})
    loaded = site.load()
    site.assert_loaded()
    assert loaded.volumes_rebuilt == 1
    assert "altered on purpose" in site.notices()


def test_parity_made_to_fit_its_block_list_does_not_spoil_what_is_rebuilt_from_it(site: Site) -> None:
    site.lose("A1")
    stripe = site.written.groups[0].group.volumes[0].stripe
    victim = next(
        path
        for label in site.drives
        for path in site.volumes(label, "*.parity")
        if path.name.startswith(f"{stripe:07d}") and path.name.endswith("-02.parity")
    )
    resign_group(site, {victim: _altered(victim)})
    site.load()
    site.assert_loaded()


def test_more_altered_volumes_than_the_code_survives_are_beyond_repair(site: Site) -> None:
    victims = [path for label in ("A1", "B1", "B2") for path in site.volumes(label) if path.name.startswith("0000000")]
    resign_group(site, {path: _altered(path) for path in victims})
    with pytest.raises(BeyondRepair):
        site.load()
    site.assert_loaded(missing=(site.root / "unreadable.txt").read_text(encoding="utf-8").splitlines())


def _altered(path: Path) -> bytes:
    payload = bytearray(path.read_bytes())
    payload[len(payload) // 2] ^= 0x40
    return bytes(payload)


def test_a_signed_volume_that_is_no_age_file_fails_and_publishes_nothing_of_it(site: Site) -> None:
    victim = site.volumes("A1", "*.tar.age")[0]
    resign_group(site, {victim: content(victim.stat().st_size, 5)}, with_sha256=True)
    with pytest.raises(AgeFormatError):
        site.load()


def test_a_signed_volume_with_another_member_than_the_catalog_names_is_refused(site: Site) -> None:
    first, second = (path for label in ("A1", "A2") for path in site.volumes(label) if path.name[:7] == "0000000")
    resign_group(site, {first: second.read_bytes()}, with_sha256=True)
    with pytest.raises(HostileArchive, match="volume and catalog disagree"):
        site.load()


@pytest.mark.parametrize("way_out", ["refused", "interrupted", "store in use"])
def test_a_load_that_stops_leaves_only_pieces_of_cut_files_in_the_clear_and_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, way_out: str
) -> None:
    if way_out == "refused":
        volumes = [path for label in ("A1", "A2") for path in site.volumes(label) if path.name[:7] == "0000000"]
        resign_group(site, {volumes[0]: volumes[1].read_bytes()}, with_sha256=True)
    elif way_out == "store in use":
        (site.root / "store/shards/a.tar").mkdir(parents=True)
    with monkeypatch.context() as patched:
        if way_out == "interrupted":
            site.lose("B2")  # so that the columns of a stripe are read side by side
            patched.setattr(Unpacking, "end", lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises((HostileArchive, StoreInUse, KeyboardInterrupt)):
            site.load()
    staged = [path for path in (site.root / "store").rglob("*") if path.is_file() and ".packtrain" in str(path)]
    assert all(path.name.startswith("whole-") for path in staged)
    assert staged or not (site.root / "store/.packtrain-staging").exists()
    if way_out == "store in use":
        (site.root / "store/shards/a.tar").rmdir()
    if way_out != "refused":
        site.load()
        site.assert_loaded()


def test_a_loaded_shipment_loads_again_without_reading_a_volume(site: Site) -> None:
    site.load()
    for label in site.drives:
        for path in site.volumes(label):
            path.unlink()
    again = site.load()
    site.assert_loaded()
    assert (again.files, again.volumes_rebuilt) == (site.written.num_files, 0)


def test_a_file_deleted_from_the_store_is_read_again(site: Site) -> None:
    site.load()
    for name in ("shards/a.tar", "shards/d.tar"):
        (site.root / "store" / name).unlink()
    site.load()
    site.assert_loaded()


def test_other_files_under_names_of_the_cargo_are_not_overwritten(site: Site) -> None:
    mine = site.root / "store/shards/a.tar"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"another voyage's shard")
    (site.root / "store/shards/b.tar").symlink_to(mine)
    (site.root / "store/empty").mkdir()
    for _ in range(2):
        with pytest.raises(StoreInUse, match=r"3 names .* empty, shards/a\.tar, shards/b\.tar"):
            site.load()
        assert mine.read_bytes() == b"another voyage's shard"
        assert sorted(path.name for path in mine.parent.iterdir()) == ["a.tar", "b.tar"]
    (site.root / "store/empty").rmdir()
    (site.root / "store/shards/b.tar").unlink()
    mine.unlink()
    site.load()
    site.assert_loaded()


def test_a_link_on_the_way_to_a_name_stops_the_load_before_the_first_file(site: Site) -> None:
    (site.root / "outside").mkdir()
    (site.root / "store").mkdir()
    (site.root / "store/shards").symlink_to(site.root / "outside")
    with pytest.raises(StoreInUse, match=r"shards/a\.tar"):
        site.load()
    assert not list((site.root / "outside").iterdir())
    assert not (site.root / "store/empty").exists()


def test_what_was_loaded_is_no_stranger_when_the_journal_is_lost(site: Site) -> None:
    site.load()
    (site.root / "load.jsonl").unlink()
    site.load()
    site.assert_loaded()


def test_a_journal_of_another_store_is_not_believed(site: Site) -> None:
    site.load()
    (site.root / "store").rename(site.root / "moved away")
    journal = site.root / "load.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'/store"', b'/other"'))
    site.load()
    site.assert_loaded()


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_torn_journal_is_gone_on_from(site: Site, cut: int) -> None:
    site.load()
    journal = site.root / "load.jsonl"
    os.truncate(journal, journal.stat().st_size - cut)
    loaded = site.load()
    site.assert_loaded()
    assert loaded.files == site.written.num_files


def test_a_full_store_stops_the_load_which_then_goes_on(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    written = 0

    def limited(descriptor: int, data: bytes) -> int:
        nonlocal written
        written += len(data)
        if written > 500_000:
            raise OSError(28, "No space left on device")
        return real(descriptor, data)

    with monkeypatch.context() as patched:
        patched.setattr("packtrain.volume.extract.os.write", limited)
        with pytest.raises(DriveFull, match="no space left in the store"):
            site.load()
    site.load()
    site.assert_loaded()


def test_a_store_that_changed_a_cut_files_bytes_is_found_out_and_the_next_run_mends_it(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.pwrite

    def lossy(descriptor: int, data: memoryview, offset: int) -> int:
        return real(descriptor, bytes(data[:-1]) + b"?", offset)

    with monkeypatch.context() as patched:
        patched.setattr("packtrain.volume.extract.os.pwrite", lossy)
        with pytest.raises(IntegrityError, match=r"shards/a\.tar"):
            site.load()
    site.load()
    site.assert_loaded()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("interrupted", ["put", "end", "give_up"])
def test_an_interrupt_between_reader_and_threads_ends_the_load_which_then_goes_on(
    site: Site, monkeypatch: pytest.MonkeyPatch, interrupted: str
) -> None:
    """Ctrl-C may come at each of these, also as the second one, while the first is on its way out."""
    if interrupted != "give_up":
        site.lose("A1")  # so that the columns of a stripe are read side by side
    else:
        for label in ("A1", "A2", "B1"):
            flip(site.volumes(label)[0], 1000)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Unpacking, interrupted, interrupt)
        with pytest.raises(KeyboardInterrupt):
            site.load()
    for label in ("A1", "A2", "B1") if interrupted == "give_up" else ():
        flip(site.volumes(label)[0], 1000)
    site.load()
    site.assert_loaded()


@pytest.mark.parametrize("step", ["volumes staged", "publish", "published"])
def test_of_two_loads_into_one_store_at_once_the_second_is_refused_and_the_first_is_whole(
    site: Site, tmp_path: Path, step: str
) -> None:
    class Beside(Site):
        @property
        def store(self) -> FolderStore:
            return site.store

    beside = Beside(tmp_path / "beside", site.packing, site.written, site.drives)
    beside.root.mkdir()
    refused: list[StoreInUse] = []

    def come_in_between(name: str) -> None:
        if name == step and not refused:
            with pytest.raises(StoreInUse, match="another process loads this shipment") as caught:
                beside.load()
            refused.append(caught.value)

    durable.observe_steps(come_in_between)
    try:
        site.load()
    finally:
        durable.observe_steps(None)
    assert refused
    site.assert_loaded()
    assert beside.load().files == site.written.num_files
    site.assert_loaded()


def test_progress_ends_at_the_whole(site: Site) -> None:
    site.load()
    last = [event for event in site.events if isinstance(event, Progress)][-1]
    assert last.done_bytes == last.total_bytes > 0


def test_files_of_several_groups_come_together(tmp_path: Path) -> None:
    template = pack_template(tmp_path / "home", cases=(3, 3), groups=((2, 1), (1, 2)))
    site = copy_site(template, tmp_path / "site")
    site.lose("A1", "B1", "B2")
    loaded = site.load()
    site.assert_loaded()
    assert loaded.files == template[1].num_files


def test_blocks_of_long_volumes_are_repaired_from_short_and_long_neighbours(tmp_path: Path) -> None:
    sizes = {"a": 3_500_000, "b": 2_000_000, "c": 1_000_000, "d": 2_900_000, "e": 10}
    template = pack_template(tmp_path / "home", sizes, target_bytes=3_000_000)
    site = copy_site(template, tmp_path / "site")
    site.lose("A2")
    for path in site.volumes("B1", "*.tar.age"):
        flip(path, path.stat().st_size - 1)
    loaded = site.load()
    site.assert_loaded()
    assert loaded.blocks_repaired > 0


def sealed(packing: Packing, plain: bytes) -> bytes:
    return age.encrypt_bytes(plain, [packing.plan.recipient])


@pytest.mark.parametrize(
    "members",
    [
        tar.header(b"../escaped", "file", 0, 0o644, 0),
        tar.header(b"shards/x/../../../escaped", "file", 0, 0o644, 0),
        tar.header(b"way", "symlink", 0, 0o777, 0, b"../..") + tar.header(b"way/escaped", "file", 0, 0o644, 0),
        tar.header(b"way", "symlink", 0, 0o777, 0, b"/tmp"),
        b"",
    ],
)
def test_a_hostile_volume_signed_by_the_consignor_leaves_nothing_in_the_store_or_beside_it(
    site: Site, members: bytes
) -> None:
    victim = site.volumes("A1", "*.tar.age")[0]
    resign_group(site, {victim: sealed(site.packing, members + tar.END_OF_ARCHIVE)}, with_sha256=True)
    before = {path for path in site.root.rglob("*") if "store" not in path.parts}
    with pytest.raises(HostileArchive):
        site.load()
    after = {path for path in site.root.rglob("*") if "store" not in path.parts}
    assert {path.name for path in after - before} <= {"load.jsonl", "group-0.json", "progress.json", "unreadable.txt"}
    assert not list(site.root.rglob("escaped"))


def test_a_volume_to_another_recipient_than_the_plans_is_a_wrong_key(site: Site) -> None:
    victim = site.volumes("A1", "*.tar.age")[0]
    other = age.encrypt_bytes(b"", [age.recipient_of(age.generate_identity())])
    resign_group(site, {victim: other}, with_sha256=True)
    with pytest.raises(WrongKey):
        site.load()


def test_set_user_id_bits_are_not_taken_over(tmp_path: Path) -> None:
    cargo = tmp_path / "home" / "cargo"
    cargo.mkdir(parents=True)
    (cargo / "tool").write_bytes(b"#!/bin/sh\n")
    (cargo / "tool").chmod(0o6755)
    template = pack_template(tmp_path / "home", {"a": 3})
    site = copy_site(template, tmp_path / "site")
    site.load()
    assert (tmp_path / "site" / "store" / "tool").stat().st_mode & 0o7777 == 0o755


def test_a_drive_that_stops_answering_in_the_middle_is_made_good(site: Site) -> None:
    orders = Orders(unreadable={f"data/{path.name}": 0 for path in site.volumes("A1")})
    orders.unreadable |= {
        f"packtrain/blocks/{path.name}": 0 for path in (site.folder("A1") / "packtrain/blocks").iterdir()
    }
    orders.unreadable[layout.CATALOG] = 0
    site.drives["A1"] = FaultyDrive(site.drives["A1"], orders)
    loaded = site.load()
    site.assert_loaded()
    assert loaded.volumes_rebuilt > 0


def test_a_store_that_cannot_take_the_catalog_is_no_damage_of_the_drives(site: Site) -> None:
    in_the_way = site.store.staging_folder() / f"load-{site.expected().plan_digest[:16]}" / "catalog-0000.sqlite"
    in_the_way.parent.mkdir()
    os.mknod(in_the_way, stat.S_IFSOCK | 0o600)
    with pytest.raises(DriveFailed, match="store cannot be written") as caught:
        site.load()
    assert caught.value.where == str(site.store.staging_folder())
    assert "catalog damaged" not in (site.root / "load.jsonl").read_text()
    assert site.load().damage == ()
    site.assert_loaded()


def test_a_store_that_cannot_be_made_is_a_message(site: Site) -> None:
    (site.root / "store").write_bytes(b"a file")
    with pytest.raises(DriveFailed, match="store cannot be written"):
        site.load()


def test_every_file_is_hashed_on_request_and_a_sixteenth_otherwise() -> None:
    entries = [CatalogFile(1, b"a", "file", 1, f"{first:x}" + "0" * 63, 0o644, 0, None) for first in range(16)]
    assert [is_hashed(entry, verify_files=False) for entry in entries] == [True] + 15 * [False]
    assert all(is_hashed(entry, verify_files=True) for entry in entries)
