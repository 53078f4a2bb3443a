"""Volumes of small files that other processes unpack: the same store, the same errors, and nobody left behind."""

import fcntl
import os
import resource
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fault_parts import KILLED, run_in_child
from load_parts import Site, borrow_site, copy_site, flip, pack_template, resign_group
from packtrain.crypto import age
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.errors import (
    AgeFormatError,
    DriveFailed,
    DriveFull,
    HostileArchive,
    WorkerCrashed,
)
from packtrain.units import MIB
from packtrain.volume import group_pass
from packtrain.volume.metadata import Metadata
from packtrain.volume.staging import Staging
from packtrain.volume.unpackers import Unpacker, Unpackers
from packtrain.volume.unpacking_process import NO_PIECE, Setup, Task
from packtrain.volume.writer import ShipmentWritten
from shipment_parts import Packing, content

Template = tuple[Packing, ShipmentWritten]
# One file is cut over volumes; the largest volume has more bytes than the slots of a process.
SMALL = {f"{number % 5}/{number:03d}": number * 997 for number in range(60)}
SIZES = {**SMALL, "cut": 5 * MIB, "empty": 0, "z/" + "long" * 40: 700}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return pack_template(tmp_path_factory.mktemp("packed"), SIZES)


@pytest.fixture
def site(template: Template, tmp_path: Path) -> Site:
    return copy_site(template, tmp_path / "site")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Task]:
    """Every volume goes to a process; return which were asked for."""
    tasks: list[Task] = []
    unpack = Unpacker.unpack

    def counted(unpacker: Unpacker, task: Task, read: Callable[[memoryview], int]) -> object:
        tasks.append(task)
        return unpack(unpacker, task, read)

    monkeypatch.setattr(Unpacker, "unpack", counted)
    monkeypatch.setattr(group_pass, "_WORTH_PROCESSES", 1)
    monkeypatch.setattr(group_pass, "_SMALL_FILE_BYTES", 1 << 40)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    return tasks


def victims(site: Site) -> list[Path]:
    return [path for label in ("A1", "A2") for path in site.volumes(label) if path.name[:7] == "0000000"]


def assert_nobody_is_left() -> None:
    own = os.getpid()
    for name in os.listdir("/proc"):  # noqa: PTH208
        if name.isdigit():
            try:
                line = Path(f"/proc/{name}/cmdline").read_bytes()
                parent = int(Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            assert not (parent == own and b"unpacking_process" in line), name


def test_small_files_cut_ones_links_and_folders_come_back_equal(site: Site, asked: list[Task]) -> None:
    loaded = site.load(verify_files=True)
    site.assert_loaded()
    assert (loaded.files, loaded.bytes) == (site.written.num_files, site.written.plaintext_bytes)
    assert len(asked) == sum(len(site.volumes(label, "*.tar.age")) for label in site.drives)
    assert_nobody_is_left()


def test_few_files_and_large_ones_are_nobody_elses(
    site: Site, asked: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_pass, "_SMALL_FILE_BYTES", 1)
    site.load()
    assert not asked
    monkeypatch.undo()
    site.load()
    assert not asked


def test_a_damaged_volume_is_rebuilt_as_if_nobody_else_had_read_it(site: Site, asked: list[Task]) -> None:
    flip(victims(site)[0], 700)
    loaded = site.load()
    site.assert_loaded()
    assert asked
    assert loaded.blocks_repaired == 1


def test_a_drive_that_cannot_be_read_is_made_up_for_and_no_process_stays(site: Site, asked: list[Task]) -> None:
    name = f"data/{victims(site)[0].name}"
    site.drives["A1"] = FaultyDrive(site.drives["A1"], Orders(unreadable={name: 1 * MIB + 9}))
    site.load()
    site.assert_loaded()
    assert asked
    assert_nobody_is_left()


def test_a_signed_volume_that_is_no_age_file_is_refused_by_the_same_error(site: Site, asked: list[Task]) -> None:
    victim = victims(site)[0]
    resign_group(site, {victim: content(victim.stat().st_size, 5)}, with_sha256=True)
    with pytest.raises(AgeFormatError) as caught:
        site.load()
    assert caught.value.where is not None and caught.value.where.startswith("drive A1")
    assert asked


def test_a_signed_volume_with_another_member_than_the_catalog_names_is_refused(site: Site, asked: list[Task]) -> None:
    first, second = victims(site)
    resign_group(site, {first: second.read_bytes()}, with_sha256=True)
    with pytest.raises(HostileArchive, match="volume and catalog disagree"):
        site.load()
    assert asked
    assert_nobody_is_left()


def test_a_process_that_dies_is_named_refuses_no_volume_and_the_next_run_goes_on(
    site: Site, asked: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    fill = Unpacker._fill  # pyright: ignore[reportPrivateUsage]

    def kill(unpacker: Unpacker, slot: int, read: Callable[[memoryview], int]) -> object:
        os.kill(process_of(unpacker), signal.SIGKILL)
        return fill(unpacker, slot, read)

    with monkeypatch.context() as patched:
        patched.setattr(Unpacker, "_fill", kill)
        with pytest.raises(WorkerCrashed, match="a process that unpacks volumes ended without a word"):
            site.load()
    assert asked
    assert b'"refused"' not in (site.root / "load.jsonl").read_bytes()
    assert_nobody_is_left()
    site.load()
    site.assert_loaded()


def test_a_store_that_is_full_for_a_process_stops_the_load_which_then_goes_on(
    site: Site, asked: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    start = Unpacker._start  # pyright: ignore[reportPrivateUsage]

    def limited(unpacker: Unpacker) -> object:
        made = start(unpacker)
        # For the process a file system on which no file has more bytes: the errors are the same two.
        resource.prlimit(made[0].pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        return made

    with monkeypatch.context() as patched:
        patched.setattr(Unpacker, "_start", limited)
        with pytest.raises(DriveFull, match="no space left in the store"):
            site.load()
    assert asked
    site.load()
    site.assert_loaded()


def process_of(unpacker: Unpacker) -> int:
    running = unpacker._running  # pyright: ignore[reportPrivateUsage]
    assert running is not None
    return running[0].pid


def test_a_load_killed_at_any_step_is_finished_by_the_next(
    template: Template, tmp_path: Path, asked: list[Task]
) -> None:
    for step in range(1, 400, 47):
        (tmp_path / str(step)).mkdir()
        site = borrow_site(template, tmp_path / str(step))
        code, _ = run_in_child(site.load, step)
        assert code in (0, KILLED)
        site.load()
        site.assert_loaded()
        if code == 0:
            break
    assert asked


@pytest.fixture
def one(site: Site, tmp_path: Path) -> Iterator[tuple[Unpackers, Staging, Metadata]]:
    """A single process with a staging folder that has no catalog."""
    (tmp_path / "store/.packtrain-staging").mkdir(parents=True)
    staging = Staging(tmp_path / "store/.packtrain-staging/load-1")
    metadata = Metadata()
    with staging.held() as held:
        pool = Unpackers(Setup(site.packing.identity, staging, False, False), metadata, held)
        yield pool, staging, metadata
        pool.close()


def unpack(pool: Unpackers, read: Callable[[memoryview], int]) -> None:
    with pool.lent() as unpacker:
        unpacker.unpack(Task(0, 0, 0, "drive A1, data/x", NO_PIECE), read)


def started(pool: Unpackers) -> Unpacker:
    """Return a process that was asked once."""
    with pool.lent() as unpacker:
        with pytest.raises(AgeFormatError, match="drive A1, data/x"):
            unpacker.unpack(Task(0, 0, 0, "drive A1, data/x", NO_PIECE), lambda _: 0)
        return unpacker


def test_what_the_file_system_of_the_store_says_is_an_error_of_the_store(
    one: tuple[Unpackers, Staging, Metadata], site: Site
) -> None:
    sealed = age.encrypt_bytes(bytes(2 * MIB), [site.packing.plan.recipient])
    source = memoryview(sealed)

    def read(buffer: memoryview) -> int:
        nonlocal source
        count = min(len(buffer), len(source))
        buffer[:count], source = source[:count], source[count:]
        return count

    with pytest.raises(DriveFailed, match="store cannot be written: No such file or directory"):
        unpack(one[0], read)


def test_what_reading_says_is_raised_as_it_is_and_ends_the_process(one: tuple[Unpackers, Staging, Metadata]) -> None:
    def fail(_: memoryview) -> int:
        raise DriveFull("no drive says that when it is read")

    with pytest.raises(DriveFull, match="no drive says that"):
        unpack(one[0], fail)
    assert_nobody_is_left()


def test_the_staging_folder_is_held_as_long_as_a_process_lives_that_may_write_there(
    one: tuple[Unpackers, Staging, Metadata],
) -> None:
    pool, staging, _ = one
    folder = Path(f"/proc/{process_of(started(pool))}/fd")
    assert staging.root in [link.readlink() for link in folder.iterdir()]


def test_a_load_begun_a_moment_after_another_was_killed_waits_for_what_that_one_has_left(tmp_path: Path) -> None:
    (tmp_path / "store/.packtrain-staging/load-1").mkdir(parents=True)
    staging = Staging(tmp_path / "store/.packtrain-staging/load-1")
    descriptor = os.open(staging.root, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    threading.Timer(0.2, lambda: os.close(descriptor)).start()
    with staging.held():
        pass


def test_a_process_ends_by_itself_when_nobody_asks_any_more(one: tuple[Unpackers, Staging, Metadata]) -> None:
    running = started(one[0])._running  # pyright: ignore[reportPrivateUsage]
    assert running is not None
    process, connection, _ = running
    connection.close()  # as when the one who loads is killed
    assert process.wait(10) == 0


def test_the_key_is_in_no_argument_of_a_process(one: tuple[Unpackers, Staging, Metadata], site: Site) -> None:
    process = process_of(started(one[0]))
    for name in ("cmdline", "environ"):
        assert site.packing.identity.encode() not in Path(f"/proc/{process}/{name}").read_bytes()


def test_what_was_refused_is_counted_over_processes() -> None:
    both, other = Metadata(), Metadata()
    other.add({("owner", "Operation not permitted"): (2, "a")})
    both.add({("owner", "Operation not permitted"): (3, "b")})
    both.add(other.notes())
    assert both.refused() == ("owner: Operation not permitted (5 times, first b)",)
