"""Events through a file that grows: from the box to the one who watches."""

from pathlib import Path

from packtrain.events import DriveProgress, Event, Notice, Progress, StageStarted, TrainingStep, discard
from packtrain.training.event_relay import EventTail, write_events


def test_events_come_out_as_they_went_in_and_once(tmp_path: Path):
    came: list[Event] = []
    tail = EventTail(tmp_path / "events", came.append)
    sink = write_events(tmp_path / "events", discard)
    went: list[Event] = [TrainingStep(1, 5, 0.25, 16), TrainingStep(1, 6, None, None), Notice("rehearse", "a \n b")]
    for event in went:
        sink(event)
        tail.pass_on()
    tail.pass_on()
    assert came == went


def test_a_line_that_is_not_whole_waits_for_its_end(tmp_path: Path):
    came: list[Event] = []
    tail = EventTail(tmp_path / "events", came.append)
    write_events(tmp_path / "events", discard)(Progress("rehearse", "loading", 1, 2))
    payload = (tmp_path / "events").read_bytes()
    (tmp_path / "events").write_bytes(payload[:-5])
    tail.pass_on()
    assert came == []
    (tmp_path / "events").write_bytes(payload)
    tail.pass_on()
    assert came == [Progress("rehearse", "loading", 1, 2)]


def test_what_is_no_event_is_left_out(tmp_path: Path):
    came: list[Event] = []
    (tmp_path / "events").write_bytes(b'nonsense\n[1]\n{"event":"Unknown"}\n{"event":"Notice"}\n{"event":[]}\n')
    EventTail(tmp_path / "events", came.append).pass_on()
    assert came == []


def test_events_go_to_the_inner_sink_as_well_and_a_stage_of_the_inner_half_is_not_told_outside(tmp_path: Path):
    inner: list[Event] = []
    came: list[Event] = []
    write_events(tmp_path / "events", inner.append)(StageStarted("rehearse"))
    EventTail(tmp_path / "events", came.append).pass_on()
    assert (inner, came) == ([StageStarted("rehearse")], [])


def test_no_file_is_no_event(tmp_path: Path):
    EventTail(tmp_path / "none", discard).pass_on()


def test_fields_of_other_types_than_they_should_be_are_no_event(tmp_path: Path) -> None:
    path, told = tmp_path / "EVENTS", list[Event]()
    write_events(path, discard)(Progress("rehearse", "trial 1", 1, 2, drives=(DriveProgress("A1", "writing", 3, 4),)))
    with path.open("a") as stream:
        stream.write('{"event": "Progress", "stage": "rehearse", "activity": "x", "done_bytes": "many"}\n')
        stream.write('{"event": "Progress", "stage": "rehearse", "activity": ["x"]}\n')
        stream.write('{"event": "Progress", "stage": "rehearse", "activity": "x", "drives": [1]}\n')
    EventTail(path, told.append).pass_on()
    assert told == [Progress("rehearse", "trial 1", 1, 2, drives=(DriveProgress("A1", "writing", 3, 4),))]
