"""Numbers that their issuers or standards publish as examples, or that were made here with the right check."""

import random
from itertools import pairwise

import pyarrow as pa
import pytest

from packtrain.dataset.scan.cells import verdicts_on
from packtrain.dataset.scan.detector import MAX_TEXT
from packtrain.dataset.scan.registry import DETECTORS
from packtrain.dataset.scan.texts import as_texts

PASS = {
    "payment-card": [
        "4111111111111111",
        "4111 1111 1111 1111",
        "5555-5555-5555-4444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "6011111111111117",
        "3530111333300000",
    ],
    "iban": [
        "GB82 WEST 1234 5698 7654 32",
        "GB82WEST12345698765432",
        "de89370400440532013000",
        "NL91ABNA0417164300",
        "FR1420041010050500013M02606",
        "NO9386011117947",
    ],
    "e-mail": [
        "a@example.org",
        "first.last+tag@mail.example.co.uk",
        "mailto:x@example.com",
        "jos\u00e9@m\u00fcnchen.example",
    ],
    "phone": [
        "+49 30 1234567",
        "+1 (212) 555-0123",
        "0049 30 1234567",
        "(+44) 20 7946 0018",
        "+8613800138000",
        "+60 12-345 6789",
    ],
    "ip-address": ["8.8.8.8", "193.0.14.129", "2001:4860:4860::8888"],
    "coordinates": [
        "52.51704,13.38886",
        "(52.51704, 13.38886)",
        "POINT (13.38886 52.51704)",
        "+52.51704+013.38886/",
        "-33.8568 151.2153",
    ],
    "us-ssn": ["219-09-9999", "001-01-0001"],
    "cn-resident-id": ["11010519491231002X", "11010519491231002x", "440524198001010013"],
    "sg-nric": ["S1234567D", "T1234567J", "F1234567N", "G1234567X", "M1234567K", "s1234567d"],
    "my-mykad": ["900131-14-5678", "900131145678", "850229-01-0001"],
    "nl-bsn": ["111222333", "123456782", "1234.56.782"],
    "be-national-number": ["85.07.30-033.28", "85073003328", "17073003384"],
    "fr-nir": ["255081416802538", "2 55 08 14 168 025 38", "180012A00100161"],
    "es-dni": ["12345678Z", "12.345.678-Z", "X1234567L", "Y-1234567-X"],
    "it-codice-fiscale": ["RSSMRA85T10A562S", "MRTMTT25D09F205Z", "rssmra85t10a562s"],
    "cl-rut": ["12.345.678-5", "30.686.957-4", "12345678-5", "7654321-6"],
    "de-steuer-id": ["86095742719", "47036892816", "65929970489", "86 095 742 719"],
    "uk-nino": ["AB123456C", "AB 12 34 56 C", "ab123456c"],
}

MISS = {
    "payment-card": [
        "4111111111111112",
        "1234567812345670",
        "4111 11111111 1111",
        "0000000000000000",
        "41111111111111",
    ],
    "iban": ["GB82WEST12345698765433", "GB82WEST1234569876543", "XX82WEST12345698765432"],
    "e-mail": ["a@b", "@example.org", "a@example..org", "a@-example.org", "user@host:path"],
    "phone": ["030 1234567", "+0 123 456 789", "+49", "+1 112 555 0123", "00000000000012", "+4.5678901234"],
    "ip-address": ["10.0.0.1", "192.168.1.1", "256.1.1.1", "127.0.0.1", "12:34:56", "1.2.3", "192.0.2.7", "::1"],
    "coordinates": ["52.5,13.4", "0.12345,0.54321", "152.12345,195.54321", "52.51704", "1.5 2.5"],
    "us-ssn": ["000-12-3456", "666-12-3456", "900-12-3456", "123-00-4567", "123-45-0000", "219099999"],
    "cn-resident-id": ["110105194912310021", "11010519491331002X", "99010519491231002X"],
    "sg-nric": ["S1234567A", "A1234567D", "S123456D"],
    "my-mykad": ["901331-14-5678", "900131-18-5678", "251103142233", "90-0131-14-5678"],
    "nl-bsn": ["111222334", "000000000", "12345678"],
    "be-national-number": ["85.07.30-033.29", "85133003328", "8507300332"],
    "fr-nir": ["255081416802539", "555081416802538"],
    "es-dni": ["12345678A", "X1234567A", "12345678I"],
    "it-codice-fiscale": ["RSSMRA85T10A562T", "RSSMRA85Z10A562S"],
    "cl-rut": ["12.345.678-6", "123456785", "11111111-2"],
    "de-steuer-id": ["86095742718", "01234567890", "11111111111", "12345678903"],
    "uk-nino": ["QQ123456C", "AB123456E", "BG123456A", "AO123456A"],
}
# 9: a digit, A: a letter; all else as it is.
FORMS = {
    "payment-card": "4999999999999999",
    "iban": "DE99999999999999999999",
    "cn-resident-id": "999999999999999999",
    "sg-nric": "S9999999A",
    "my-mykad": "999999999999",
    "nl-bsn": "999999999",
    "be-national-number": "99999999999",
    "fr-nir": "199019999999999",
    "es-dni": "99999999T",
    "it-codice-fiscale": "AAAAAA99A99A999A",
    "cl-rut": "99999999-9",
    "de-steuer-id": "99999999999",
    "uk-nino": "AA999999A",
}
BY_NAME = {detector.name: detector for detector in DETECTORS}


def _cells(examples: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(name, cell) for name, cells in examples.items() for cell in cells]


def _random(form: str, draw: random.Random) -> str:
    letters = {"9": "0123456789", "A": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
    return "".join(draw.choice(letters[sign]) if sign in letters else sign for sign in form)


def test_every_detector_has_examples_and_near_misses() -> None:
    assert set(PASS) == set(MISS) == set(BY_NAME)


@pytest.mark.parametrize(("name", "cell"), _cells(PASS))
def test_a_published_example_passes(name: str, cell: str) -> None:
    assert verdicts_on(cell, set())[name]


@pytest.mark.parametrize(("name", "cell"), _cells(PASS))
def test_a_published_example_is_not_lost_in_the_sieve(name: str, cell: str) -> None:
    for array in (pa.array([cell]), pa.array([f" {cell} ", None]), pa.array([f"(the number is {cell} , he said)"])):
        (texts,) = as_texts([array])
        assert texts is not None
        is_alone = not str(array[0]).startswith("(the")
        assert len(texts.candidates) == 1 or (not is_alone and BY_NAME[name].inside is None)


@pytest.mark.parametrize(("name", "cell"), _cells(MISS))
def test_a_near_miss_does_not_pass(name: str, cell: str) -> None:
    assert not verdicts_on(cell, set()).get(name, False)


@pytest.mark.parametrize("name", ["payment-card", "iban", "nl-bsn", "cn-resident-id", "it-codice-fiscale", "es-dni"])
def test_two_neighbours_that_change_places_do_not_pass(name: str) -> None:
    cell = {"payment-card": "4556737586899855", "cn-resident-id": "11010519491231002X"}.get(name, PASS[name][0])
    cell = "".join(cell.split())
    swapped = {
        cell[:at] + right + left + cell[at + 2 :]
        for at, (left, right) in enumerate(pairwise(cell))
        if left.isdigit() and right.isdigit() and left != right and {left, right} != {"0", "9"}
    }
    assert swapped
    assert not [each for each in swapped if BY_NAME[name].check(each)]


@pytest.mark.parametrize(("name", "form"), FORMS.items())
def test_random_numbers_of_the_form_pass_as_often_as_the_detector_says(name: str, form: str) -> None:
    draw = random.Random(7)
    tries = 40_000
    num_passed = sum(BY_NAME[name].check(_random(form, draw)) is True for _ in range(tries))
    stated = BY_NAME[name].chance / 1_000_000
    # Five standard deviations: what is stated may be too high by much, for half the letters never occur; never too low.
    assert num_passed / tries <= stated + 5 * (stated / tries) ** 0.5


@pytest.mark.parametrize("name", ["nl-bsn", "iban", "cl-rut", "my-mykad", "be-national-number", "de-steuer-id"])
def test_the_stated_chance_is_about_what_random_numbers_show(name: str) -> None:
    draw = random.Random(8)
    tries = 60_000
    num_passed = sum(BY_NAME[name].check(_random(FORMS[name], draw)) is True for _ in range(tries))
    assert num_passed / tries == pytest.approx(BY_NAME[name].chance / 1_000_000, rel=0.4)


def test_every_checksum_asks_for_a_share_well_above_its_chance() -> None:
    assert [each.name for each in DETECTORS if each.least_share * 1000 < 2.5 * each.chance] == []


def test_what_is_looked_for_in_text_is_found_there() -> None:
    for text, name in (
        ("please write to a.person@example.org before noon, thank you very much indeed, says the office", "e-mail"),
        ("the sum goes to DE89 3704 0044 0532 0130 00 by the end of the month, as agreed between us all", "iban"),
        (
            "paid by 4111 1111 1111 1111 on the spot, and the receipt was given to the driver of the lorry",
            "payment-card",
        ),
        ("call +49 30 1234567 in the morning and ask for the person who wrote this text for you and me", "phone"),
    ):
        assert verdicts_on(text, set()).get(name) is True


def test_members_of_a_json_cell_are_looked_at_one_by_one() -> None:
    words: set[str] = set()
    found = verdicts_on('{"who":{"date_of_birth":"1990-01-01","ids":["x",111222333]},"mail":"a@example.org"}', words)
    assert found["e-mail"] and found["nl-bsn"]
    assert words == {"a day of birth"}


@pytest.mark.parametrize(
    "cell",
    [
        "",
        " ",
        "\0" * 600,
        "@" * 4096,
        "a@" + "b." * 2000,
        "+" + "(" * 4000,
        ":" * 39,
        "[" * 4096,
        '{"a":' * 800,
        "9" * 4096,
        "\ufdfa" * 64,
        "\u0661" * 9,
        "\u212a" * 16,
        "DE\u00b2\u00b2370400440532013000",
        "a" * 64 + "@" + "a" * 400,
        ("1." * 300)[:MAX_TEXT],
        "\ud7ff\U0010ffff",
    ],
)
def test_a_hostile_cell_is_judged_and_raises_nothing(cell: str) -> None:
    assert not any(verdicts_on(cell, set()).values())


def test_digits_of_full_width_are_digits() -> None:
    assert verdicts_on("\uff11\uff11\uff11\uff12\uff12\uff12\uff13\uff13\uff13", set()) == {"nl-bsn": True}
