"""Whatever can be asked is answered, in text, as JSON and as a page; and the answer agrees with itself."""

from __future__ import annotations

import json
from datetime import date
from xml.etree import ElementTree

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from packtrain.documents.codec import decode, encode
from packtrain.documents.forecast import Forecast as ForecastDocument
from packtrain.erasure.placement import Survival
from packtrain.errors import PlacementImpossible
from packtrain.forecast.answer import Forecast, forecast
from packtrain.forecast.durations import Days, Leg
from packtrain.forecast.prices import Prices
from packtrain.forecast.question import Question
from packtrain.forecast.risks import Risks
from packtrain.forecast.written import LARGEST, forecast_document
from packtrain.report.forecast_json import forecast_json
from packtrain.report.forecast_page import forecast_page
from packtrain.report.forecast_text import brief_text, forecast_text

START = date(2027, 1, 30)


def days() -> st.SearchStrategy[Days]:
    return st.lists(st.floats(0, 3000), min_size=3, max_size=3).map(lambda three: Days(*sorted(three)))


def parts() -> st.SearchStrategy[float]:
    return st.sampled_from([0.0, 1e-9, 0.002, 0.3, 0.99])


@st.composite
def questions(draw: st.DrawFn) -> Question:
    num_drives = draw(st.sampled_from([1, 2, 7, 60]))
    num_cases = min(num_drives, draw(st.sampled_from([1, 2, 4, 13])))
    link = draw(st.none() | st.floats(1, 1e15))
    rates = st.none() | st.floats(1, 1e15)
    return Question(
        total_bytes=draw(st.integers(1, 10**18)),
        num_drives=num_drives,
        num_cases=num_cases,
        pack_bays=draw(st.integers(1, 255)),
        load_bays=draw(st.integers(1, 255)),
        survive=Survival(draw(st.integers(0, 2)), draw(st.integers(0, 2))),
        pack_hosts=draw(st.integers(1, 9)),
        load_hosts=draw(st.integers(1, 300)),
        drive_bytes=draw(st.none() | st.integers(1, 10**15)),
        write_rate=draw(st.floats(1, 1e15)),
        read_rate=draw(st.floats(1, 1e15)),
        is_read_back=draw(st.booleans()),
        source_rate=draw(rates),
        store_rate=draw(rates),
        link_rate=link,
        link_free=draw(st.floats(1e-6, 1)),
        risks=Risks(
            draw(parts()), draw(parts()), draw(parts()), draw(st.integers(1, 8)), draw(st.floats(0, 1)), draw(parts())
        ),
        prices=draw(st.sampled_from([Prices(), Prices(drive=60, link_month=0.5, currency="EUR")])),
        before=draw(st.sampled_from([(), (Leg("prepare", Days(1, 2, 3)),)])),
        legs=(Leg("flight <x>", draw(days())),),
        training=draw(st.none() | days()),
        results_bytes=draw(st.sampled_from([0, 1, 500 * 10**9, 10**18])),
        results_by=draw(st.sampled_from([None, "drives"])),
    )


def answered(question: Question) -> Forecast | None:
    try:
        return forecast(question)
    except PlacementImpossible:
        return None


@settings(max_examples=15, deadline=None)
@given(questions())
def test_every_question_is_answered_and_the_answer_agrees_with_itself(question: Question) -> None:
    found = answered(question)
    assume(found is not None)
    assert found is not None
    assert question.total_bytes <= found.raw_bytes <= question.total_bytes * question.num_drives + question.num_drives
    for chance in (found.loss, found.loss_after_case, *(choice.loss for choice in found.choices)):
        assert 0 <= chance.low <= chance.probability + 1e-12
        assert chance.probability <= chance.high + 1e-12 <= 1 + 2e-12
    for route in (found.carry, *([found.send] if found.send is not None else [])):
        assert route.there.days_10 <= route.there.days_50 <= route.there.days_90
        assert route.done_days >= route.days - 1e-9
        for step, begun in zip(route.steps, route.starts(), strict=True):
            assert step.days.low <= step.days.likely <= step.days.high
            assert begun >= 0
    assert max(map(len, forecast_text(question, found, START).splitlines())) < 200
    assert "\x1b" not in brief_text(question, found, START)
    said = forecast_json(question, found, START)
    assert json.loads(json.dumps(said, allow_nan=False)) == said
    page = forecast_page(question, found, START)
    assert "<x>" not in page
    for drawing in page.split("<svg ")[1:]:
        ElementTree.fromstring(f"<svg {drawing.partition('</svg>')[0]}</svg>")
    if max(found.raw_bytes, question.results_bytes) <= LARGEST:
        written = forecast_document(
            question, found, voyage="any", start=START, made="2027-01-30T08:00:00Z", bytes_from="a test"
        )
        assert decode(ForecastDocument, encode(written), "forecast.json") == written
