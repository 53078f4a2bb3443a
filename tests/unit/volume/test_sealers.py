"""Volumes of small files that other processes seal: the same volumes, the same errors, and nobody left behind."""

import errno
import io
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from load_parts import borrow_site
from packtrain.crypto import age
from packtrain.crypto.age import DecryptReader
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.digest import sha256_bytes
from packtrain.errors import DriveFailed, SourceChanged, SourceUnreadable, WorkerCrashed
from packtrain.volume import sealers, side_process, stripes
from packtrain.volume.assignment import GroupShare, assign
from packtrain.volume.folder_scan import scan
from packtrain.volume.journal import Journal
from packtrain.volume.sealers import Sealers
from packtrain.volume.sealing import Found
from packtrain.volume.sealing_process import Sealed, Task
from shipment_parts import Packing, make_packing, write_cargo
from tree_parts import assert_equal

IDENTITY = age.generate_identity()
RECIPIENT = age.recipient_of(IDENTITY)
NUM_FILES = 300
# More than three mebibytes: slots are used again.
SIZES = {f"{number % 7}/{number:04d}": number * 71 for number in range(NUM_FILES)}
ALL = Task(0, 0, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal's folder whose only volume has all files."""
    root = write_cargo(tmp_path / "cargo", SIZES)
    with Journal(tmp_path / "journal") as journal:
        journal.write_list(assign(scan(root), [GroupShare(2, 1)], 0, 1 << 30), {})
    return tmp_path / "journal"


@pytest.fixture
def pool(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sealers]:
    """One process, whatever the machine has."""
    monkeypatch.setattr(sealers, "_MOST", 1)
    made = Sealers(folder, RECIPIENT, 4)
    yield made
    made.close()


@pytest.fixture
def worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stripes, "_WORTH_PROCESSES", 1)


def process_of(pool: Sealers) -> int:
    running = pool._all[0]._running  # pyright: ignore[reportPrivateUsage]
    assert running is not None
    return running[0].pid


def is_alive(process: int) -> bool:
    return Path(f"/proc/{process}").exists()


def seal_to(pool: Sealers, put: Callable[[memoryview], object], record: Callable[[list[Found]], object]) -> Sealed:
    with pool.lent() as sealer:
        return sealer.seal(ALL, put, record)


def seal(pool: Sealers) -> tuple[Sealed, bytes, list[Found]]:
    pieces: list[bytes] = []
    found: list[Found] = []
    sealed = seal_to(pool, lambda piece: pieces.append(bytes(piece)), found.extend)
    return sealed, b"".join(pieces), found


def test_a_volume_is_the_tar_that_its_members_make_and_all_of_them_are_found(pool: Sealers, folder: Path) -> None:
    for _ in range(2):
        sealed, ciphertext, found = seal(pool)
        assert sealed.bytes == len(ciphertext) > 3 << 20
        assert sealed.sha256 == sha256_bytes(ciphertext)
        plain = DecryptReader(io.BytesIO(ciphertext), [IDENTITY]).readall()
        assert plain is not None
        with Journal(folder) as journal:
            members = list(journal.members_in(*ALL))
            for member in members:
                content = Path(os.fsdecode(member.source)).read_bytes()
                assert plain[member.tar_offset : member.tar_offset + member.bytes] == content
        assert len(members) == NUM_FILES
        assert [number for number, sha256, changed in found if sha256 and changed is None] == [
            m.file_id for m in members
        ]


def test_a_source_that_is_gone_is_the_same_message_and_the_next_volume_is_sealed(pool: Sealers, folder: Path) -> None:
    path = folder.parent / "cargo/3/0010"
    path.rename(folder.parent / "away")
    with pytest.raises(SourceUnreadable, match="source cannot be read") as caught:
        seal(pool)
    assert caught.value.where == str(path)
    assert caught.value.hint
    (folder.parent / "away").rename(path)
    assert seal(pool)[0].bytes


def test_a_process_that_dies_is_named_and_another_takes_its_place(pool: Sealers) -> None:
    def kill(_: memoryview) -> None:
        os.kill(process_of(pool), signal.SIGKILL)

    with pytest.raises(WorkerCrashed, match="ended without a word") as caught:
        seal_to(pool, kill, lambda _: None)
    assert caught.value.found == "exit status -9"
    assert seal(pool)[0].bytes


@pytest.mark.parametrize("call", ["memfd_create", "Popen"])
def test_a_process_that_cannot_be_started_is_named_and_the_next_volume_is_sealed(
    pool: Sealers, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    with monkeypatch.context() as patched:
        patched.setattr(*((os, call) if call == "memfd_create" else (side_process.subprocess, "Popen")), refuse)
        with pytest.raises(WorkerCrashed, match="cannot be started") as caught:
            seal(pool)
    assert caught.value.found == "Resource temporarily unavailable"
    assert seal(pool)[0].bytes


def test_what_a_drive_says_is_raised_as_it_is_and_ends_the_process(pool: Sealers) -> None:
    seen: list[int] = []

    def fail(_: memoryview) -> None:
        seen.append(process_of(pool))
        raise DriveFailed("drive cannot be written")

    with pytest.raises(DriveFailed, match="drive cannot be written"):
        seal_to(pool, fail, lambda _: None)
    assert not is_alive(seen[0])
    assert seal(pool)[0].bytes


def test_no_process_stays_after_the_last_volume(pool: Sealers) -> None:
    seal(pool)
    process = process_of(pool)
    assert is_alive(process)
    pool.close()
    assert not is_alive(process)


def test_a_process_ends_by_itself_when_nobody_asks_any_more(pool: Sealers) -> None:
    seal(pool)
    running = pool._all[0]._running  # pyright: ignore[reportPrivateUsage]
    assert running is not None
    process, connection, _ = running
    connection.close()  # as when the one who packs is killed
    assert process.wait(10) == 0


@pytest.mark.usefixtures("worth_it")
def test_small_and_large_files_sealed_here_and_there_come_back_equal(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", {**SIZES, "a cut file": 700_000, "z/large": 200_000, "z/empty": 0})
    packing = make_packing(tmp_path)
    written = packing.write()
    site = borrow_site((packing, written), tmp_path / "site")
    assert site.load().files == written.num_files
    assert_equal(site.root / "store", tmp_path / "cargo")


@pytest.mark.usefixtures("worth_it")
def test_a_file_that_changed_is_noticed_in_another_process_too(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", SIZES)
    packing = make_packing(tmp_path)
    (tmp_path / "cargo/3/0010").write_bytes(b"another")
    with pytest.raises(SourceChanged, match="0010"):
        packing.write()


@pytest.mark.usefixtures("worth_it")
def test_a_drive_that_fails_is_what_is_named_and_the_next_run_goes_on(tmp_path: Path) -> None:
    write_cargo(tmp_path / "cargo", SIZES)
    packing: Packing = make_packing(tmp_path)
    uuid, drive = next(iter(packing.drives.items()))
    packing.drives[uuid] = FaultyDrive(drive, Orders(fail_writes_of=frozenset({"data/0000000-00.tar.age"})))
    with pytest.raises(DriveFailed, match="cannot be written"):
        packing.write()
    packing.drives[uuid] = drive
    assert packing.write().num_files == len(packing.entries)


@pytest.mark.usefixtures("worth_it")
def test_after_a_fault_no_process_is_started_for_volumes_that_nobody_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealers, "_MOST", 1)
    started: list[int] = []
    start = sealers.Sealer._start  # pyright: ignore[reportPrivateUsage]

    def counted(sealer: sealers.Sealer) -> object:
        started.append(1)
        return start(sealer)

    monkeypatch.setattr(sealers.Sealer, "_start", counted)
    write_cargo(tmp_path / "cargo", SIZES)
    packing = make_packing(tmp_path, cases=(6, 2), groups=((6, 2),))
    names = frozenset(f"data/0000000-{column:02d}.tar.age" for column in range(6))
    packing.drives = {uuid: FaultyDrive(drive, Orders(fail_writes_of=names)) for uuid, drive in packing.drives.items()}
    with pytest.raises(DriveFailed, match="cannot be written"):
        packing.write()
    assert len(started) == 1
