"""presidio itself, with no network and no language model: what it finds, what it leaves, and what it may not do."""

import importlib.util
import logging
import random
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.dataset.scan import presidio
from packtrain.dataset.scan.detector import MAX_TEXT

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("presidio_analyzer") is None, reason="presidio-analyzer is not installed (the extra pii)"
)


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("the second engine looked for the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.mark.parametrize(
    ("cell", "entity"),
    [
        ("write to mary@example.com please", "EMAIL_ADDRESS"),
        ("+44 20 7946 0958", "PHONE_NUMBER"),
        ("(212) 555-0100", "PHONE_NUMBER"),
        ("4111 1111 1111 1111", "CREDIT_CARD"),
        ("GB82 WEST 1234 5698 7654 32", "IBAN_CODE"),
        ("203.0.113.9", "IP_ADDRESS"),
        ("00:1B:44:11:3A:B7", "MAC_ADDRESS"),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "CRYPTO"),
        ("536-90-4399", "US_SSN"),
        ("943 476 5919", "UK_NHS"),
        ("131052-308T", "FI_PERSONAL_IDENTITY_CODE"),
        ("131052－308Ｔ", "FI_PERSONAL_IDENTITY_CODE"),
        ("811228-9874", "SE_PERSONNUMMER"),
    ],
)
def test_a_cell_is_known_for_what_it_is(cell: str, entity: str) -> None:
    assert entity in presidio.engine()(cell)


@pytest.mark.parametrize(
    "cell",
    [
        "John Smith, 12 High Street",
        "GB82 WEST 1234 5698 7654 33",
        "4111 1111 1111 1112",
        "mary@example",
        "2026-05-03 10:15:00",
        "2125550100",
        "product 1234567",
        "0.757954",
        "[0.757954, 0.485928]",
        "-0.123456782",
        "at 0.123456782 of it",
        "17.05.1994",
        "9b2f1e7a-3c41-4f7e-9d57-0a6f2b1c8e90",
    ],
)
def test_a_name_a_wrong_checksum_a_day_and_a_plain_number_are_nothing(cell: str) -> None:
    assert presidio.engine()(cell) == []


def test_every_entity_is_one_that_its_recogniser_knows_and_its_detector_a_name_of_the_document() -> None:
    known = importlib.import_module("presidio_analyzer.predefined_recognizers")
    for entity in presidio.ENTITIES:
        assert entity.name in getattr(known, entity.recognizer)().supported_entities
    assert len({entity.detector for entity in presidio.ENTITIES}) == len(presidio.ENTITIES)


def _digits(draw: random.Random, length: int) -> str:
    return "".join(draw.choices("0123456789", k=length))


@pytest.mark.parametrize("length", range(7, 20))
@pytest.mark.parametrize("before", ["", "0.", "12."])
def test_random_numbers_pass_no_more_often_than_is_said(length: int, before: str) -> None:
    draw, num_cells = random.Random(length), 300
    cells = [before + _digits(draw, length) for _ in range(num_cells)]
    hits = [name for cell in cells for name in presidio.engine()(cell)]
    for entity in presidio.ENTITIES:
        expected = num_cells * entity.chance / 1_000_000
        assert hits.count(entity.name) <= expected + 5 * expected**0.5 + 1, entity.name


def test_what_it_cannot_check_is_in_no_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        for cell in ("GB82 WEST 1234 5698 7654 33", "secret.person@example.org", "+44 20 7946 0958", "1" * 400):
            presidio.engine()(cell)
    assert caplog.text == ""


@pytest.mark.parametrize(
    "piece", ["a.", "a-", "1", "1-", "1 ", "@", "a@", "::", "1:", "a", "+1", ".!#", "(1)", "1.1.", "12 34 56 78 9", "+"]
)
def test_no_cell_takes_long(piece: str) -> None:
    look = presidio.engine()
    start = time.monotonic()
    look(piece * 10_000)
    look("a@" + piece * MAX_TEXT)
    assert time.monotonic() - start < 5


@given(st.text(max_size=60) | st.text("0123456789²٠١٢-+/@.: ()ABXKx", max_size=60))
def test_no_cell_is_refused(cell: str) -> None:
    assert set(presidio.engine()(cell)) <= {entity.name for entity in presidio.ENTITIES}
