"""measure: drives alone and side by side, what is refused, what is only read, and that nothing is left."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fault_parts import scratch
from load_parts import pack_template
from packtrain import durable
from packtrain.devices.bench import MachineBench
from packtrain.devices.directory import DirectoryDrive
from packtrain.devices.faulty import FaultyDrive, Orders
from packtrain.documents.codec import decode, encode
from packtrain.documents.measurement import MeasuredDrive, Measurement, Together
from packtrain.errors import DriveFull, DriveInUse, DriveMissing, DuplicateDrive
from packtrain.events import Event, discard
from packtrain.ports import Drive, Medium
from packtrain.report.measurement_text import measurement_rows
from packtrain.stages.measure import Subject, World, measure
from packtrain.stages.measure.drives import Asked, Candidate, look_at, measure_alone
from packtrain.stages.measure.folders import measure_source, measure_store
from packtrain.stages.measure.machine import core_rates
from packtrain.stages.measure.together import measure_together, shared_limit
from packtrain.stages.measure.trial import sweep, write_files
from packtrain.stages.measure.work import measure_work
from packtrain.stores.folder import FolderStore
from packtrain.units import MIB

BENCH = MachineBench()
MEDIUM = Medium(file_system="ext4", size_bytes=1, free_bytes=1, is_read_only=False, is_in_memory=False, way=())
ASKED = Asked(total_bytes=8 * MIB, seconds=20.0, cores=2)
WORLD = World(DirectoryDrive, FolderStore, BENCH)


def drive(root: Path, name: str = "drive") -> DirectoryDrive:
    (root / name).mkdir()
    return DirectoryDrive(root / name)


def look(one: Drive, name: str = "A1", asked: Asked = ASKED) -> Candidate:
    return look_at(name, one, BENCH, asked, is_exact=True)


def alone(one: Drive) -> MeasuredDrive:
    return measure_alone(look(one), BENCH, ASKED, discard)


def tree(root: Path) -> dict[str, tuple[int, int, bytes]]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()) for path in files
    }


def test_a_drive_is_written_and_read_and_nothing_is_left(tmp_path: Path) -> None:
    one = drive(tmp_path)
    (tmp_path / "drive" / "somebody's own.txt").write_text("kept")
    before = tree(tmp_path)

    found = alone(one)

    assert found.problem == ""
    assert found.write is not None and found.write.bytes == 8 * MIB
    assert found.read is not None and found.read.bytes == 8 * MIB
    assert found.readback in ("direct", "dropped", "memory")
    assert len(found.parts) == 8
    assert found.slowed in ("yes", "not seen")
    assert found.is_short or found.readback == "memory"
    assert tree(tmp_path) == before


def test_the_time_limit_ends_a_writing(tmp_path: Path) -> None:
    asked = Asked(total_bytes=10**12, seconds=0.0, cores=1)

    written = write_files(drive(tmp_path), asked.total_bytes, asked.seconds, lambda _: None)

    assert sum(moved.bytes for moved in written) == 0


def test_a_drive_that_holds_a_shipment_is_only_read(tmp_path: Path) -> None:
    packing, _ = pack_template(tmp_path)
    folder = packing.folder("A1")
    before = tree(folder)

    found = alone(DirectoryDrive(folder))

    assert not found.is_written
    assert found.write is None
    assert found.read is not None and found.read.bytes > 0
    assert "volumes of its shipment" in found.read.how
    assert all(part.write_bytes_per_second is None for part in found.parts)
    assert tree(folder) == before


def test_a_drive_whose_packing_began_is_not_written_either(tmp_path: Path) -> None:
    one = drive(tmp_path)
    one.write_bytes("packtrain/plan.json", b"{}")

    found = alone(one)

    assert not found.is_written
    assert found.read is None
    assert found.problem == "nothing was measured: it holds part of a shipment, and has no volume that could be read"


def test_a_folder_within_a_drive_that_holds_a_shipment_is_not_written(tmp_path: Path) -> None:
    root = Path(drive(tmp_path).location)
    (root / "packtrain").mkdir()
    (root / "packtrain" / "drive.json").write_bytes(b"{}")
    (root / "data").mkdir()
    (tmp_path / "link").symlink_to(root / "data")
    for path in (root / "data", tmp_path / "link"):
        found = alone(DirectoryDrive(path))
        assert not found.is_written
        assert "it holds part of a shipment" in found.problem
    assert list((root / "data").iterdir()) == []


def test_more_bytes_than_there_is_room_for_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DriveFull) as refused:
        look(drive(tmp_path), asked=Asked(10**16, 1.0, 1))

    assert refused.value.expected is not None and refused.value.expected.endswith("free")
    assert list((tmp_path / "drive").iterdir()) == []


def test_a_drive_that_is_full_before_its_time_is_told_and_left_clean(tmp_path: Path) -> None:
    found = alone(FaultyDrive(drive(tmp_path), Orders(full_after_bytes=3 * MIB)))

    assert "no space left" in found.problem
    assert list((tmp_path / "drive").iterdir()) == []


def test_a_drive_that_returns_other_bytes_is_not_given_a_rate(tmp_path: Path) -> None:
    found = alone(FaultyDrive(drive(tmp_path), Orders(flip_on_read={"packtrain-measure-3": 5})))

    assert "other bytes than were written" in found.problem
    assert found.read is None
    assert list((tmp_path / "drive").iterdir()) == []


def test_a_drive_that_vanishes_does_not_keep_the_others_from_being_measured(tmp_path: Path) -> None:
    gone = FaultyDrive(drive(tmp_path, "gone"), Orders(pulled_at=25))
    drives: list[tuple[str, Drive]] = [("A1", gone), ("A2", drive(tmp_path, "two")), ("A3", drive(tmp_path, "three"))]
    candidates = [look(one, name) for name, one in drives]
    events: list[Event] = []

    measured = [measure_alone(one, BENCH, ASKED, events.append) for one in candidates]
    together = measure_together(candidates, measured, BENCH, ASKED, events.append)

    assert [bool(one.problem) for one in measured] == [True, False, False]
    assert together is not None and together.drives == ("A2", "A3")
    assert any("A1" in str(event) for event in events)


def test_side_by_side_one_that_fails_stops_the_others_and_nothing_is_left(tmp_path: Path) -> None:
    good, bad = drive(tmp_path, "good"), FaultyDrive(drive(tmp_path, "bad"), Orders())
    candidates = [look(good, "A1"), look(bad, "A2")]
    measured = [measure_alone(one, BENCH, ASKED, discard) for one in candidates]
    bad.orders.fail_writes = frozenset(range(1, 100_000))

    assert measure_together(candidates, measured, BENCH, ASKED, discard) is None
    assert list((tmp_path / "good").iterdir()) == []


def test_drives_of_one_file_system_are_named_as_such(tmp_path: Path) -> None:
    candidates = [look(drive(tmp_path, name), name) for name in ("A1", "A2")]

    assert shared_limit(candidates, [0.1]).startswith("one file system")
    assert shared_limit(candidates, [0.1, 0.95]) == "the processors of this machine"


def _hanging(tmp_path: Path, ways: dict[str, tuple[str, ...]]) -> list[Candidate]:
    return [
        Candidate(
            name, drive(tmp_path, name), Medium("ext4", 1, 1, False, False, tuple((k, k) for k in way)), "write", 1
        )
        for name, way in ways.items()
    ]


def test_the_nearest_thing_that_all_share_is_the_limit_else_what_some_share(tmp_path: Path) -> None:
    all_share = {"A1": ("disk a", "hub 1", "pci 0"), "A2": ("disk b", "hub 1", "pci 0")}
    some_share = {"B1": ("disk c", "hub 1"), "B2": ("disk d", "hub 1"), "B3": ("disk e", "hub 2")}
    none_share = {"C1": ("disk f",), "C2": ("disk g",)}

    assert shared_limit(_hanging(tmp_path, all_share), [0.2]) == "hub 1"
    assert shared_limit(_hanging(tmp_path, some_share), [0.2]) == "hub 1: B1, B2"
    assert shared_limit(_hanging(tmp_path, none_share), [0.2]).startswith("not known")


_DIES = """
import os, sys
from pathlib import Path
from packtrain import durable
from packtrain.devices.bench import MachineBench
from packtrain.devices.directory import DirectoryDrive
from packtrain.events import discard
from packtrain.stages.measure.drives import Asked, look_at, measure_alone
durable.observe_steps(lambda name: os._exit(77) if name == sys.argv[2] else None)
asked = Asked(8 << 20, 20.0, 1)
one = look_at("A1", DirectoryDrive(Path(sys.argv[1])), MachineBench(), asked, is_exact=True)
measure_alone(one, MachineBench(), asked, discard)
"""


@pytest.mark.parametrize("step", ["written packtrain-measure-2", "durable packtrain-measure-5"])
def test_what_a_killed_run_leaves_the_next_one_removes(tmp_path: Path, step: str) -> None:
    one = drive(tmp_path)
    (tmp_path / "drive" / "packtrain-measured.txt").write_text("somebody's own")

    died = subprocess.run([sys.executable, "-c", _DIES, str(tmp_path / "drive"), step], check=False, timeout=120)
    left = sorted(path.name for path in (tmp_path / "drive").iterdir())

    assert died.returncode == 77
    assert len(left) > 1
    assert sweep(one) == len(left) - 1
    assert [path.name for path in (tmp_path / "drive").iterdir()] == ["packtrain-measured.txt"]


def test_an_interrupted_run_removes_its_files_itself(tmp_path: Path) -> None:
    one = drive(tmp_path)

    def interrupt(name: str) -> None:
        if name == "written packtrain-measure-2":
            raise KeyboardInterrupt

    durable.observe_steps(interrupt)
    try:
        with pytest.raises(KeyboardInterrupt):
            alone(one)
    finally:
        durable.observe_steps(None)

    assert list((tmp_path / "drive").iterdir()) == []


def test_a_source_is_read_and_not_changed(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "below").mkdir(parents=True)
    (source / "one").write_bytes(bytes(3 * MIB))
    (source / "below" / "two").write_bytes(bytes(MIB))
    (source / "link").symlink_to("/etc/hostname")
    before = tree(source)

    found = measure_source((source,), BENCH, ASKED, discard)

    assert found.read is not None and found.read.bytes == 4 * MIB
    assert found.read.how.startswith("2 files")
    assert found.write is None
    assert tree(source) == before


def test_of_several_sources_none_is_opened_once_enough_was_read(tmp_path: Path) -> None:
    sources = tuple(tmp_path / name for name in ("one", "two", "three"))
    for source in sources:
        source.write_bytes(bytes(ASKED.total_bytes))
    found = measure_source(sources, BENCH, ASKED, discard)
    assert found.read is not None
    assert found.read.bytes >= ASKED.total_bytes
    assert found.read.how.startswith("1 file, ")


def test_an_empty_source_says_so(tmp_path: Path) -> None:
    assert measure_source((tmp_path,), BENCH, ASKED, discard).problem == "there is nothing to read"


def test_a_store_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "loaded.txt").write_text("kept")

    found = measure_store(tmp_path, DirectoryDrive, BENCH, ASKED, discard, is_exact=True)

    assert found.write is not None and found.read is not None
    assert [path.name for path in tmp_path.iterdir()] == ["loaded.txt"]


def test_a_core_has_four_rates() -> None:
    rates = core_rates(2, 1, seconds=0.02)

    assert all(rate is not None and rate.bytes_per_second > 0 for rate in rates.values())
    assert core_rates(2, 0, seconds=0.01)["encode"] is None


def test_packing_and_loading_are_really_done_and_nothing_is_left() -> None:
    with scratch() as folder:
        pack, load = measure_work(folder, 2, 1, DirectoryDrive, FolderStore, "in a test", 32 * MIB)
        assert list(folder.iterdir()) == []

    assert (pack.bytes, pack.k, pack.m) == (32 * MIB, 2, 1)
    assert pack.cpu_seconds_per_gb > 0 and load.cpu_seconds_per_gb > 0
    assert pack.bytes_per_second > 0


def _subject(drives: dict[str, Path], *, is_named: bool = True, total_bytes: int = 8 * MIB) -> Subject:
    return Subject(
        drives=drives,
        is_named=is_named,
        sources=(),
        store=None,
        k=2,
        m=1,
        total_bytes=total_bytes,
        seconds=2.0,
        is_exact=True,
        cores=1,
        set_bytes=32 * MIB,
    )


def test_a_measurement_as_a_whole_is_a_document_and_a_text(tmp_path: Path) -> None:
    drives = {name: Path(drive(tmp_path, name).location) for name in ("A1", "A2")}

    found = measure(_subject(drives), WORLD, discard)
    payload = encode(found)

    assert decode(Measurement, payload, "measurement.json") == found
    assert found.machine.cores == 1
    assert isinstance(found.together, Together)
    together = found.together.write
    assert together is not None
    assert found.write_rate_in_wave() == together.bytes_per_second / 2
    headings = [heading for heading, _ in measurement_rows(found)]
    assert headings[:4] == ["this machine", "drive A1", "drive A2", "drives side by side"]
    assert [list(path.iterdir()) for path in drives.values()] == [[], []]


@pytest.mark.parametrize(
    ("place", "second", "error"),
    [("", "gone", DriveMissing), ("", "A1/..//A1", DuplicateDrive), ("A1", "B1", DriveInUse)],
)
def test_what_was_named_and_cannot_be_measured_is_refused_before_anything_is(
    tmp_path: Path, place: str, second: str, error: type[Exception]
) -> None:
    drives = {"A1": Path(drive(tmp_path, "A1").location), "A2": tmp_path / second}
    drive(tmp_path, "B1")

    with BENCH.hold(drives["A1"].parent / place), pytest.raises(error):
        measure(_subject(drives), WORLD, discard)
    assert list(drives["A1"].iterdir()) == []
