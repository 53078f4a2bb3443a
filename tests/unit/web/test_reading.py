import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from packtrain.documents.receipt import Receipt
from packtrain.events import Progress, StageStarted, discard
from packtrain.ports import StepRecord
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.live import LiveFile
from packtrain.report.training_facts import STEPS
from packtrain.training.metrics import StepLog
from packtrain.voyage import Voyage
from packtrain.web import reading
from packtrain.web.marks import marks_of
from packtrain.web.reading import Reading, View
from three_parties import three_parties

_opened: list[str] | None = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None and isinstance(arguments[0], str | os.PathLike):
        _opened.append(str(arguments[0]))


sys.addaudithook(_hear)


@contextmanager
def opened_files(root: Path) -> Iterator[list[str]]:
    """Yield a list that gets every path below root that is opened in this process."""
    global _opened
    _opened, heard = [], list[str]()
    try:
        yield heard
        heard += [path for path in _opened if path.startswith(str(root))]
    finally:
        _opened = None


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let papers be read as often as they change."""
    monkeypatch.setattr(reading, "_SHARE_WHILE_BUSY", 1000.0)


@pytest.fixture
def folders(tmp_path: Path) -> list[VoyageFolder]:
    found = list(three_parties(tmp_path).values())
    _steps(found[2], 5)
    return found


def _reading(folders: list[VoyageFolder]) -> Reading:
    return Reading([Voyage(folder.root, discard, only_watches=True) for folder in folders])


def _steps(folder: VoyageFolder, until: int, since: int = 0) -> None:
    log = StepLog(folder.logs / STEPS)
    for step in range(since, until):
        log.append(StepRecord(1, step, 3.0 - step / 10, 8, step / 2))


def _receipt(folder: VoyageFolder, stage: str = "prepare", samples: int = 1234567) -> None:
    counts = {"samples_prepared": samples}
    finished = "2026-11-21T08:09:10Z"
    folder.write_receipt(
        Receipt(
            stage=stage, inputs={}, outputs={}, counts=counts, facts={}, seconds=1.0, finished=finished, versions={}
        )
    )


def _parts(view: View) -> dict[str, str]:
    return json.loads(view.watch)["parts"]


def test_nothing_is_read_again_while_no_file_changes(folders: list[VoyageFolder], tmp_path: Path) -> None:
    read = _reading(folders)
    with opened_files(tmp_path) as at_first:
        first = read.look()
    assert len(at_first) > 5
    with opened_files(tmp_path) as later:
        assert all(read.look() is first for _ in range(20))
    assert later == []


def test_many_who_ask_cost_one_reading(folders: list[VoyageFolder], monkeypatch: pytest.MonkeyPatch) -> None:
    read = _reading(folders)
    looks: list[float] = []
    look = read.look

    def counted() -> View:
        looks.append(time.monotonic())
        time.sleep(0.05)
        return look()

    monkeypatch.setattr(read, "look", counted)

    async def ask() -> None:
        views = await asyncio.gather(*(read.view() for _ in range(50)))
        assert len({id(view) for view in views}) == 1

    asyncio.run(ask())
    assert len(looks) == 1


def test_one_part_changes_with_its_files(folders: list[VoyageFolder], tmp_path: Path) -> None:
    read = _reading(folders)
    before = _parts(read.look())
    _steps(folders[2], 7, since=5)
    with opened_files(tmp_path) as opened:
        after = _parts(read.look())
    assert {name for name in after if after[name] != before[name]} <= {"attempts", "numbers", "training", "voyage"}
    assert after["training"] != before["training"]
    # A step line more costs a look at logs, and at no paper.
    assert {Path(path).parent.name for path in opened} <= {"train", "logs", "results"}
    _receipt(folders[0])
    with opened_files(tmp_path) as opened:
        assert "1,234,567" in read.look().page.decode()
    # A paper more costs no second reading of the log.
    assert opened.count(str(folders[2].logs / STEPS)) == 1


def test_a_log_is_read_on_from_where_it_ended(folders: list[VoyageFolder]) -> None:
    read = _reading(folders)
    read.look()
    _steps(folders[2], 300, since=5)
    status = json.loads(read.look().status)
    whole = json.loads(_reading(folders).look().status)
    assert status["training"] == whole["training"]
    assert status["training"]["last_step"] == 299


def test_papers_that_change_without_an_end_are_read_now_and_then(
    folders: list[VoyageFolder], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reading, "_SHARE_WHILE_BUSY", 0.001)
    read = _reading(folders)
    first = read.look()
    with opened_files(tmp_path) as opened:
        for number in range(20):
            _receipt(folders[0], samples=number)
            assert read.look() is first
    assert [path for path in opened if "documents" in path] == []
    monkeypatch.setattr(reading, "_SHARE_WHILE_BUSY", 1000.0)
    assert json.loads(read.look().status)["parties"][0]["stages"]["prepare"]["counts"] == {"samples_prepared": 19}


def test_what_runs_is_told_and_a_killed_stage_is_seen(folders: list[VoyageFolder]) -> None:
    read = _reading(folders)
    assert json.loads(read.look().watch)["said"] == "Nothing is at work now."
    folders[0].logs.mkdir()
    live = LiveFile(folders[0].root, discard, "pack")
    live(StageStarted("pack"))
    time.sleep(0.6)  # it is written twice a second at most
    live(Progress("pack", "writing <volumes>", done_bytes=250, total_bytes=1000))
    view = read.look()
    assert json.loads(view.watch)["said"] == "At work: pack: writing <volumes> (consignor)."
    assert 'value="25.0"' in view.page.decode() and "writing &lt;volumes&gt;" in view.page.decode()
    # Its process is gone without a word: no file changes by that.
    path = folders[0].logs / "live.json"
    told = json.loads(path.read_text())
    path.write_text(json.dumps({**told, "pid": 2**22 + 1}))
    view = read.look()
    assert json.loads(view.watch)["said"] == "Nothing is at work now."
    assert "stopped before its end" in view.page.decode()


def test_a_folder_that_cannot_be_read_leaves_what_was_read(folders: list[VoyageFolder]) -> None:
    read = _reading(folders)
    first = read.look()
    path = folders[0].root / VOYAGE_FILE
    text = path.read_text()
    path.write_text("[voyage\n")
    told = read.look()
    assert "Not read since" in json.loads(told.watch)["fault"]
    assert _parts(told) == _parts(first)
    path.write_text(text)
    assert json.loads(read.look().watch)["fault"] == ""


def test_words_of_documents_stay_words(folders: list[VoyageFolder]) -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>\x1b[2J\u202e"
    (folders[2].logs / STEPS).with_name("attempts.jsonl").write_text(
        json.dumps({"attempt": 1, "reason": hostile}) + "\n"
    )
    log = StepLog(folders[2].logs / STEPS)
    log.append(StepRecord(2, 3, 1.0, 8, 9.0))
    page = _reading(folders).look().page.decode()
    assert "&lt;script&gt;" in page
    assert page.count("<script") == 1 and "<img" not in page and "\x1b" not in page


def test_other_bytes_of_the_same_length_and_time_are_seen(folders: list[VoyageFolder]) -> None:
    read = _reading(folders)
    _receipt(folders[0], samples=1234567)
    assert "1,234,567" in read.look().page.decode()
    path = folders[0].receipt_path("prepare")
    before = path.stat()
    with path.open("r+b") as stream:
        payload = stream.read().replace(b"1234567", b"7654321")
        stream.seek(0)
        stream.write(payload)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)
    assert "7,654,321" in read.look().page.decode()


def test_marks_follow_no_link_and_mind_no_race(tmp_path: Path) -> None:
    inside = tmp_path / "in"
    (inside / "deep").mkdir(parents=True)
    (inside / "deep" / "file").write_text("x")
    (inside / "loop").symlink_to(inside)
    before = marks_of([inside, tmp_path / "missing"])
    assert [Path(mark[0]).name for mark in before] == ["file", "loop"]
    stop = threading.Event()

    def churn() -> None:
        while not stop.is_set():
            (inside / "passing").write_text("x")
            (inside / "passing").unlink()

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for _ in range(200):
            assert len(marks_of([inside])) in (2, 3)
    finally:
        stop.set()
        thread.join()
