"""Plan against actual: what receipts and the custody log say of each leg, and what of it nobody wrote down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from msgspec import structs

from loading_parts import Arrived, arrive
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.forecast import Forecast, ForecastRoute, ForecastStep
from packtrain.documents.receipt import Receipt
from packtrain.errors import MoreDrivesWanted
from packtrain.record.folder import VoyageFolder
from packtrain.report.happened import Span, happened
from packtrain.report.leg_rows import LegRow, PlanActual, compare
from packtrain.report.plan_actual import plan_against_actual
from packtrain.report.plan_actual_text import leg_cells, plan_actual_table, sentences
from packtrain.units import format_seconds
from sample_documents import samples
from wave_parts import make_home

DAY = timedelta(days=1)
FIRST = datetime(2026, 12, 1, tzinfo=UTC)
ALL = ("consignor", "operator", "consignee")


def step(name: str, likely: float, start: float = 0.0, **fields: Any) -> ForecastStep:
    body: dict[str, Any] = {
        "name": name,
        "part": "way",
        "start_days": start,
        "days_low": likely / 2,
        "days_likely": likely,
        "days_high": likely * 2,
        "limit": "people",
        "bytes": None,
        "bytes_per_second": None,
    }
    return ForecastStep(**{**body, **fields})


def forecast(*steps: ForecastStep, start: str = "2026-12-01") -> Forecast:
    sample = samples()[Forecast]
    assert isinstance(sample, Forecast)
    days = sum(one.days_likely for one in steps)
    carry: ForecastRoute = structs.replace(sample.carry, days=days, home_days=None)
    return structs.replace(sample, steps=steps, carry=carry, start=start)


def row(found: PlanActual, name: str) -> LegRow:
    return next(one for one in found.rows if one.name == name)


def took(days: float, start: float = 0.0, **fields: Any) -> Span:
    return Span(FIRST + DAY * start, FIRST + DAY * (start + days), **fields)


PLANNED = forecast(
    step("pack", 2.0, limit="drives", bytes=10**13, bytes_per_second=6e7),
    step("hand over, transport, admit", 4.0, 2.0),
    step("load", 1.0, 6.0, limit="store", bytes=10**13, bytes_per_second=1.2e8),
)


def test_a_leg_that_is_done_has_its_ratio_and_the_slowest_is_named() -> None:
    spans = {"pack": took(6.0, bytes=10**13, waves=8), "load": took(1.1, 10.0, bytes=10**13)}

    found = compare(PLANNED, spans, ALL, FIRST + DAY * 12)

    assert (row(found, "pack").state, row(found, "pack").ratio, row(found, "pack").waves) == ("done", 3.0, 8)
    assert row(found, "pack").bytes_per_second == pytest.approx(10**13 / (6 * 86400))
    assert row(found, "load").ratio == pytest.approx(1.1)
    assert found.most_off.startswith("pack: 6 d 0 h, where 2 d 0 h were planned, 3.0 times as long")
    assert "planned with 60 MB/s, reached 19.3 MB/s" in found.most_off
    assert "it waits for drives" in found.most_off
    assert found.expected_there == FIRST + DAY * 11.1


def test_a_leg_between_two_that_are_done_and_left_no_trace_is_not_known() -> None:
    planned = forecast(step("pack", 1.0), step("customs", 3.0), step("load", 1.0))

    found = compare(planned, {"pack": took(1.0), "load": took(1.0, 5.0)}, ALL, FIRST + DAY * 9)

    customs = row(found, "customs")
    assert (customs.state, customs.days, customs.ratio, customs.expected_end) == ("not known", None, None, None)
    assert customs.note == "no record is kept of it"
    assert leg_cells(customs)[3] == "not known"


def test_what_is_to_come_is_expected_after_what_took_longer() -> None:
    now = FIRST + DAY * 7

    found = compare(PLANNED, {"pack": took(6.0)}, ALL, now)

    assert [one.state for one in found.rows] == ["done", "to come", "to come"]
    assert row(found, "hand over, transport, admit").expected_end == now + DAY * 4
    assert row(found, "load").expected_end == now + DAY * 5
    assert found.planned_there == FIRST + DAY * 7
    assert "at the site: planned for 08 Dec 2026 00:00, now 13 Dec 2026 00:00" in sentences(found)


def test_a_leg_under_way_ends_as_its_pace_says() -> None:
    now = FIRST + DAY * 3

    found = compare(PLANNED, {"pack": Span(FIRST, part_done=0.25, waves=2)}, ALL, now)

    assert row(found, "pack").state == "under way"
    assert row(found, "pack").expected_end == FIRST + DAY * 12
    assert row(found, "pack").ratio is None
    assert leg_cells(row(found, "pack"))[3] == "3 d 0 h so far"


def test_one_that_cannot_be_seen_from_here_says_whose_folder_is_missing() -> None:
    found = compare(PLANNED, {"pack": took(2.0)}, ("consignor",), FIRST + DAY * 3)

    assert row(found, "load").note == "as far as is known here: the folder of the consignee was not read"


@pytest.mark.parametrize(
    ("name", "ended"),
    [("seal", 2.5), ("hand over the cases", 3.0), ("flight", 6.0), ("Admission at the hall", 8.0)],
)
def test_people_name_their_legs_as_they_like(name: str, ended: float) -> None:
    spans = {
        "pack": took(2.0),
        "seal": took(0.5, 2.0),
        "hand over": took(0.5, 2.5),
        "transport": took(3.0, 3.0),
        "admit": took(2.0, 6.0),
    }

    found = compare(forecast(step("pack", 1.0), step(name, 1.0)), spans, ALL, FIRST + DAY * 9)

    assert row(found, name).ended == FIRST + DAY * ended
    assert row(found, name).started is not None


def test_the_time_of_sealing_belongs_to_the_first_leg_where_no_leg_is_about_it() -> None:
    spans = {"pack": took(2.0), "seal": took(1.0, 2.0), "hand over": took(0.5, 3.0), "transport": took(1.0, 3.5)}

    found = compare(forecast(step("pack", 1.0), step("hand over and fly", 1.0)), spans, ALL, FIRST + DAY * 9)

    assert (row(found, "hand over and fly").started, row(found, "hand over and fly").days) == (FIRST + DAY * 2, 2.5)


def test_without_a_forecast_there_is_still_what_happened() -> None:
    found = compare(None, {"pack": took(2.0), "load": took(1.0, 5.0)}, ALL, FIRST + DAY * 9)

    assert [(one.name, one.planned_days, one.days) for one in found.rows] == [("pack", None, 2.0), ("load", None, 1.0)]
    assert found.most_off == ""
    assert "no forecast is here" in sentences(found)[-1]


# --- real folders -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Arrived:
    arrived = arrive(tmp_path_factory.mktemp("voyage"))
    arrived.load()
    return arrived


def _planned_now(folder: VoyageFolder) -> Forecast:
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    document = forecast(
        step("pack", 1.0, limit="drives", bytes_per_second=1e6),
        step("hand over, transport, admit", 4.0, 1.0),
        step("load", 1.0, 5.0),
        step("train", 2.0, 6.0, part="after"),
        start=today,
    )
    folder.write(document)
    return document


def test_a_loaded_voyage_is_told_from_its_own_records(loaded: Arrived) -> None:
    _planned_now(loaded.folders["consignor"])
    packed = loaded.folders["consignor"].receipt("pack")
    assert packed is not None

    found = plan_against_actual(list(loaded.folders.values()))

    assert [one.state for one in found.rows] == ["done", "done", "done", "to come"]
    pack = row(found, "pack")
    assert (pack.bytes, pack.waves) == (packed.counts["bytes_packed"], 1)
    assert pack.days is not None and format_seconds(pack.days * 86400) == format_seconds(packed.seconds)
    stored = loaded.consignee.receipt("load")
    assert stored is not None
    assert row(found, "load").bytes == stored.counts["bytes_loaded"]
    way = row(found, "hand over, transport, admit")
    assert way.started == pack.ended
    assert way.started is not None and way.ended is not None and way.ended >= way.started
    # In a minute what was planned for days: that is most off, and said so.
    assert found.most_off.startswith("hand over, transport, admit: ")
    assert "times as fast" in found.most_off or "at once" in found.most_off
    assert found.expected_there == row(found, "load").ended
    assert len(plan_actual_table(found)) == 5


def test_as_plain_values_it_holds_what_the_rows_hold(loaded: Arrived) -> None:
    _planned_now(loaded.folders["consignor"])
    found = plan_against_actual(list(loaded.folders.values()))

    plain = found.to_dict()

    assert [one["name"] for one in plain["rows"]] == [one.name for one in found.rows]
    packed = loaded.folders["consignor"].receipt("pack")
    assert packed is not None
    assert plain["rows"][0]["ended"] == packed.finished
    assert plain["forecast_made"] == found.made


def test_from_home_alone_loading_is_to_come_and_the_folder_is_named(loaded: Arrived) -> None:
    _planned_now(loaded.folders["consignor"])

    found = plan_against_actual([loaded.folders["consignor"]])

    load = row(found, "load")
    assert load.state == "to come"
    assert "folder of the consignee was not read" in load.note


def test_an_altered_custody_log_counts_for_nothing(loaded: Arrived, tmp_path: Path) -> None:
    home = loaded.folders["consignor"]
    _planned_now(home)
    log = home.documents / "custody.jsonl"
    kept = log.read_bytes()
    try:
        log.write_bytes(kept.replace(b"2026-", b"2025-"))
        found = plan_against_actual([home])
    finally:
        log.write_bytes(kept)

    assert row(found, "pack").state == "done"
    assert row(found, "hand over, transport, admit").started is None


def test_a_pack_in_waves_is_under_way_then_done_with_its_waves(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    _planned_now(home.folder)
    assert isinstance(home.pack_wave("d1", "d2", "d3"), MoreDrivesWanted)

    begun = plan_against_actual([home.folder])
    home.pack_wave("d4", "d5", "d6")
    home.pack_wave("d7", "d8", "d9")
    ended = plan_against_actual([home.folder])

    assert row(begun, "pack").state == "under way"
    assert row(begun, "pack").waves == 1
    assert row(begun, "pack").expected_end is not None
    assert (row(ended, "pack").state, row(ended, "pack").waves) == ("done", 3)
    assert "several runs" in row(ended, "pack").note


@pytest.mark.parametrize(
    ("planned", "spans"),
    [
        (forecast(step("pack", 1.0), step("load", 2.0, 1.0), start="2026-13-45"), {}),
        (forecast(step("pack", 1.0), step("load", 500.0, 1.0), start="9999-12-30"), {}),
        (forecast(step("pack", 1e300), step("load", 1e300, 1e300)), {"pack": Span(FIRST)}),
        (forecast(step("pack", 1.0), step("load", 2.0, 1.0)), {"pack": Span(FIRST, part_done=1e-12)}),
    ],
)
def test_days_that_no_calendar_has_are_not_told(planned: Forecast, spans: dict[str, Span]) -> None:
    found = compare(planned, spans, ALL, FIRST + DAY)
    assert None in (found.planned_there, found.rows[0].expected_end)
    assert "not known" in " ".join(sentences(found)) or found.planned_there is None
    assert len(plan_actual_table(found)) == 3


def test_a_case_that_was_lost_on_the_way_is_named_when_the_others_are_there() -> None:
    released = samples()[CustodyEvent]
    assert isinstance(released, CustodyEvent)
    accepted = structs.replace(released, verb="accepted", by="operator", cases=("A",), at="2026-12-03T00:00:00Z")
    lost = structs.replace(released, verb="lost", by="operator", cases=("B",), at="2026-12-04T00:00:00Z")
    assert happened([], [released], 4, None)["transport"].note == "not accepted yet: A, B"
    way = happened([], [released, accepted, lost], 4, None)["transport"]
    assert (way.ended, way.note) == (FIRST + DAY * 2, "lost: B")


def test_who_sent_the_results_does_not_know_when_they_are_home() -> None:
    exported = structs.replace(cast(Receipt, samples()[Receipt]), stage="return")
    home = happened([("consignee", exported)], [], 4, None)["return"]
    assert (home.ended, home.note) == (None, "exported; when it is home, the consignor's folder says")
