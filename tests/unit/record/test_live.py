import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from packtrain.errors import DriveFull, MoreDrivesWanted
from packtrain.events import DriveProgress, Progress, StageFinished, StageStarted, discard
from packtrain.record.live import MAX_LIVE_BYTES, LiveFile, read_live


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path


def test_a_reader_sees_how_far_the_stage_is_that_works_here(root: Path) -> None:
    told: list[object] = []
    live = LiveFile(root, told.append)
    live(StageStarted("pack"))
    begun = read_live(root)
    live._written_at = 0.0
    row = DriveProgress("A1", "reading back", 5, 10, 0.5, 500)
    live(Progress("pack", "writing volumes", 40, 100, 1, 4, "stripes", "all well", (row,), 2, 8))

    assert begun is not None
    assert (begun.stage, begun.state, begun.activity, begun.is_running) == ("pack", "running", "", True)
    found = read_live(root)
    assert found is not None
    assert found.is_running
    assert (found.stage, found.activity, found.note) == ("pack", "writing volumes", "all well")
    assert (found.done_bytes, found.total_bytes, found.done_items, found.total_items) == (40, 100, 1, 4)
    assert (found.wave, found.num_waves, found.unit) == (2, 8, "stripes")
    assert [(drive.label, drive.state, drive.done_bytes, drive.total_bytes) for drive in found.drives] == [
        ("A1", "reading back", 5, 10)
    ]
    assert found.pid == os.getpid()
    assert len(told) == 2, "events are handed on"
    assert (root / "logs" / "live.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (root / "logs").iterdir()] == ["live.json"]


def test_at_most_two_are_written_a_second(root: Path) -> None:
    live = LiveFile(root, discard)
    for done in range(1, 1000):
        live(Progress("pack", "writing volumes", done, 1000))

    found = read_live(root)
    assert found is not None
    assert found.done_bytes < 999


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (None, "done"),
        (KeyboardInterrupt(), "stopped"),
        (DriveFull("full"), "failed"),
        (MoreDrivesWanted("wave 1 is done"), "wants drives"),
    ],
)
def test_the_end_says_how_it_ended_and_keeps_how_far_it_came(
    root: Path, error: BaseException | None, state: str
) -> None:
    live = LiveFile(root, discard)
    live(StageStarted("load"))
    live(Progress("load", "reading volumes", 7, 10))
    live.end(error)

    found = read_live(root)
    assert found is not None
    assert (found.state, found.is_running, found.done_bytes) == (state, False, 7)


def test_what_had_nothing_to_tell_leaves_the_file_before(root: Path) -> None:
    live = LiveFile(root, discard)
    live(StageFinished("plan", 0.1, fresh=True))
    live.end(None)
    assert read_live(root) is None


def test_a_killed_process_is_not_running_nor_is_one_with_its_number(root: Path) -> None:
    source = (
        "import os, sys; from pathlib import Path; from packtrain.record.live import LiveFile;"
        "from packtrain.events import StageStarted, discard;"
        "LiveFile(Path(sys.argv[1]), discard)(StageStarted('pack')); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", source, str(root)], check=False)

    found = read_live(root)
    assert found is not None
    assert found.state == "running"
    assert found.is_running is False
    mine = msgspec.structs.replace(found, pid=os.getpid())
    assert mine.is_running is False, "a number that came again"
    away = msgspec.structs.replace(found, host="elsewhere", machine="another boot")
    assert away.is_running is None, "of another machine nothing is known"
    rebooted = msgspec.structs.replace(found, machine="another boot")
    assert rebooted.is_running is False


def test_a_second_process_leaves_the_file_to_the_first(root: Path) -> None:
    first = subprocess.Popen(["sleep", "60"])
    try:
        LiveFile(root, discard)(StageStarted("drives"))
        path = root / "logs" / "live.json"
        theirs = json.loads(path.read_text())
        ticks = Path(f"/proc/{first.pid}/stat").read_bytes().rpartition(b")")[2].split()[19]
        path.write_text(json.dumps({**theirs, "pid": first.pid, "pid_started": int(ticks), "note": "theirs"}))
        LiveFile(root, discard)(StageStarted("drives"))
        found = read_live(root)
        assert found is not None
        assert found.note == "theirs"
    finally:
        first.kill()
        first.wait()
    LiveFile(root, discard)(StageStarted("drives"))
    found = read_live(root)
    assert found is not None
    assert found.note == ""


def test_no_stage_fails_because_it_cannot_be_watched(tmp_path: Path) -> None:
    LiveFile(tmp_path / "gone", discard)(StageStarted("pack"))
    (tmp_path / "logs").write_text("not a folder")
    LiveFile(tmp_path, discard)(StageStarted("pack"))
    assert read_live(tmp_path) is None


@pytest.mark.parametrize(
    "payload", [b"", b"{", b"[]", b"null", b'{"stage": 1}', b"\xff", b" " * (MAX_LIVE_BYTES + 1)], ids=range(7)
)
def test_what_is_no_such_file_is_read_as_none(root: Path, payload: bytes) -> None:
    (root / "logs").mkdir()
    (root / "logs" / "live.json").write_bytes(payload)
    assert read_live(root) is None


def test_a_link_is_not_followed(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "logs").mkdir()
    LiveFile(elsewhere, discard)(StageStarted("pack"))
    (root / "logs").mkdir()
    (root / "logs" / "live.json").symlink_to(elsewhere / "logs" / "live.json")
    assert read_live(root) is None
