"""The question of a voyage folder: from its placement, its bays, what was measured and what people told."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from packtrain.documents.forecast_section import ForecastSection
from packtrain.documents.measurement import Measurement
from packtrain.documents.placement import PlacedDrive, PlacedGroup, PlacementDocument
from packtrain.documents.plan import Survive
from packtrain.documents.voyage_file import CaseSection, DrivesSection
from packtrain.erasure.placement import DriveSpec, Survival, place
from packtrain.errors import VoyageFileError
from packtrain.forecast.answer import forecast
from packtrain.forecast.durations import Days
from packtrain.forecast.figures import figures
from packtrain.forecast.measured import rates_of
from packtrain.forecast.of_voyage import voyage_question
from packtrain.forecast.question import Question
from packtrain.forecast.written import forecast_document
from sample_documents import samples

DRIVES = DrivesSection(
    bays=tuple(f"/mnt/bay{number}" for number in range(8)),
    case=tuple(CaseSection(label=case, count=15, size="2 TB") for case in "ABCD"),
)


def sixty() -> PlacementDocument:
    specs = [DriveSpec(f"{case}{number}", case, 2 * 10**12) for case in "ABCD" for number in range(1, 16)]
    placed = place(specs, Survival(1, 0), bays=8)
    return PlacementDocument(
        drives=tuple(
            PlacedDrive(label=spec.label, case=spec.case, path=None, serial=None, capacity_bytes=spec.capacity_bytes)
            for spec in specs
        ),
        groups=tuple(PlacedGroup(k=group.k, m=group.m, drives=group.drives) for group in placed.groups),
        survive=Survive(cases=1, drives=0),
        statement="any one case",
        source_bytes=80 * 10**12,
        capacity_bytes=88 * 10**12,
    )


def asked(told: ForecastSection, measured: dict[str, tuple[float, str]] | None = None) -> Question:
    return voyage_question(80 * 10**12, sixty(), DRIVES, told, measured or {}, Days(3, 4, 5), "voyage.toml")


def test_sixty_drives_that_take_turns_in_eight_bays_are_eight_waves() -> None:
    found = forecast(asked(ForecastSection(link="200 Mbit/s")))
    assert (found.waves, found.load_waves, found.k, found.m) == (8, 8, 6, 2)
    assert found.fits is True
    assert found.carry.steps[-1].name == "train"
    assert found.carry.steps[-1].days == Days(3, 4, 5)


def test_what_was_told_goes_before_what_was_measured_and_that_before_what_is_assumed() -> None:
    measured = {"write_rate": (90e6, "yesterday"), "read_rate": (95e6, "yesterday"), "cores": (4, "yesterday")}
    question = asked(ForecastSection(cores=32), measured)
    assert (question.write_rate, question.read_rate, question.cores) == (90e6, 95e6, 32)
    origin = {figure.name: (figure.origin, figure.measured) for figure in figures(question)}
    assert origin["drive rate"] == ("measured", "yesterday")
    assert origin["cores"] == ("given", "")
    assert origin["swap"] == ("assumed", "")


def test_a_link_of_which_nobody_told_what_is_free_is_assumed_to_be_free() -> None:
    for told, origin in ((None, "assumed"), (1.0, "given")):
        question = asked(ForecastSection(link="200 Mbit/s", link_free=told))
        link = next(figure for figure in figures(question) if figure.name == "link")
        assert (link.text, link.origin) == ("100% of the link is free, day and night", origin)


def test_the_border_is_crossed_after_the_first_leg() -> None:
    question = asked(ForecastSection(legs=("flight=1..2", "admit=1"), customs="0..1..7"))
    assert [leg.name for leg in question.legs] == ["flight", "customs", "admit"]


def test_the_way_home_on_drives_is_written_as_one_step() -> None:
    question = asked(ForecastSection(results="500 GB", legs=("flight=1..2",)))
    found = forecast(question)
    written = forecast_document(
        question, found, voyage="any", start=date(2027, 1, 30), made="2027-01-30T08:00:00Z", bytes_from="a test"
    )
    assert [step.name for step in written.steps] == ["pack", "flight", "load", "train", "return"]
    assert written.steps[-1].days_likely == pytest.approx(found.carry.done_days - found.carry.days - 4)
    assert written.steps[-1].bytes == 500 * 10**9
    assert written.steps[-1].start_days == pytest.approx(found.carry.days + 4)


def test_a_leg_that_people_call_a_return_stays_on_the_way_there() -> None:
    question = asked(ForecastSection(results="500 GB", legs=("return: of the van=1..2",)))
    found = forecast(question)
    written = forecast_document(
        question, found, voyage="any", start=date(2027, 1, 30), made="2027-01-30T08:00:00Z", bytes_from="a test"
    )
    assert [step.name for step in written.steps] == ["pack", "return: of the van", "load", "train", "return"]
    assert [step.start_days for step in written.steps] == pytest.approx(found.carry.starts()[:5])


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("link", "fast", "[forecast] link: not a rate in bits"),
        ("train", "5..2", "[forecast] train: not in order"),
        ("legs", ("flight",), "[forecast] legs: not a leg"),
        ("legs", ("load=1..2",), "[forecast] legs: not the name of a leg: 'load' is a step"),
        ("results", "some", "[forecast] results: not a size"),
        ("start", "2027-02-31", "[forecast] start: "),
        ("store_rate", "0", "[forecast]: a rate must be at least 1"),
        ("results_by", "link", "[forecast]: results over the link"),
    ],
)
def test_a_field_that_says_nothing_is_named(field: str, value: object, told: str) -> None:
    with pytest.raises(VoyageFileError) as caught:
        asked(msgspec.structs.replace(ForecastSection(), **{field: value}))
    assert caught.value.what.startswith(told)
    assert caught.value.where == "voyage.toml"


def measured_on(num_cores: int, pack_rate: float, cpu_seconds_per_gb: float) -> dict[str, tuple[float, str]]:
    sample = samples()[Measurement]
    assert isinstance(sample, Measurement)
    assert sample.machine.pack is not None
    pack = msgspec.structs.replace(
        sample.machine.pack, bytes_per_second=pack_rate, cpu_seconds_per_gb=cpu_seconds_per_gb
    )
    machine = msgspec.structs.replace(sample.machine, cores=num_cores, pack=pack)
    return rates_of(msgspec.structs.replace(sample, machine=machine, source=None))


def test_a_measured_machine_packs_as_fast_as_it_did_by_the_clock() -> None:
    # 5 CPU seconds a GB on two cores would be 400 MB/s if both were always busy; the clock said 100 MB/s.
    measured = measured_on(2, 100e6, 5.0)
    pack = forecast(asked(ForecastSection(drive_rate="100 GB/s", swap_minutes=0), measured)).carry.steps[0]
    assert pack.limit == "cores"
    assert pack.bytes_per_second == pytest.approx(100e6)
    more = forecast(asked(ForecastSection(drive_rate="100 GB/s", swap_minutes=0, cores=8), measured)).carry.steps[0]
    assert more.bytes_per_second == pytest.approx(400e6)


def test_a_machine_that_packed_nothing_by_the_clock_still_has_its_processor_time() -> None:
    for rate in (0.0, 1e-300):
        assert measured_on(2, rate, 5.0)["pack_core_seconds_per_gb"][0] == 5.0
        assert "pack_core_seconds_per_gb" not in measured_on(2, rate, 0.0)


def test_what_of_a_drive_was_not_measured_is_said() -> None:
    where = {"read_rate": (90e6, "yesterday")}
    rate = next(figure for figure in figures(asked(ForecastSection(), where)) if figure.name == "drive rate")
    assert (rate.origin, rate.measured) == ("measured", "yesterday; writing not measured")
    assert measured_on(2, 100e6, 5.0)["write_rate"][1].endswith("2 at once, less than their caches hold")
