"""What more fits on the planned drives is told while sources are read, and at the end; what will not is warned of."""

from pathlib import Path

from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Survive
from packtrain.engines.processes import ProcessMapper
from packtrain.events import Event, Notice, Progress
from packtrain.stages.prepare import prepare
from source_parts import png, voyage_folder, write_sources


def _placement(capacity_bytes: int) -> PlacementDocument:
    return PlacementDocument(
        drives=(PlacedDrive(label="A1", case="A", path="drive", serial="S", capacity_bytes=capacity_bytes),),
        groups=(PlacedGroup(k=1, m=0, drives=("A1",)),),
        survive=Survive(cases=0, drives=0),
        statement="nothing",
        source_bytes=1,
        capacity_bytes=capacity_bytes,
    )


def _run(root: Path, capacity_bytes: int | None) -> tuple[dict[str, int], list[Event]]:
    raw = write_sources(root / "raw")
    for number in range(6):
        (raw / f"{number}.png").write_bytes(png(64, 64, number))
    folder = voyage_folder(root / "voyage", raw)
    if capacity_bytes is not None:
        folder.write(_placement(capacity_bytes))
    events: list[Event] = []
    return dict(prepare(folder, ProcessMapper(0), events.append).counts), events


def test_what_more_fits_is_in_the_progress_the_notices_and_the_receipt(tmp_path: Path) -> None:
    counts, events = _run(tmp_path, 10_000_000)
    assert counts["fits_more_bytes"] == 10_000_000 - counts["dataset_bytes"]
    notes = [event.note for event in events if isinstance(event, Progress) and event.activity == "reading sources"]
    assert all("more fits: at today's keep rate" in note for note in notes)
    (told,) = [event for event in events if isinstance(event, Notice) and "the data set takes" in event.text]
    assert not told.is_warning


def test_what_will_not_fit_is_warned_of_once_and_not_stopped(tmp_path: Path) -> None:
    counts, events = _run(tmp_path, 20_000)
    warned = [event.text for event in events if isinstance(event, Notice) and event.is_warning]
    assert sum("it will not fit" in text for text in warned) == 1
    assert any("more than the planned drives hold" in text for text in warned)
    assert counts["fits_more_bytes"] == 0


def test_without_planned_drives_nothing_is_said_of_them(tmp_path: Path) -> None:
    counts, events = _run(tmp_path, None)
    assert "capacity_bytes" not in counts
    assert not any(event.note for event in events if isinstance(event, Progress))
