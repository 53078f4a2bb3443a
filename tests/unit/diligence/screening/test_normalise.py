import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.diligence.screening.normalise import MAX_WORDS, address_form, latin_words, name_form, variants


@pytest.mark.parametrize(
    ("text", "words", "legal"),
    [
        ("Velmora Technologies Co., Ltd.", ("velmora", "technology"), ("co", "ltd")),
        ("«Щелково Завод» ООО", ("shchelkovo", "plant"), ("ooo",)),
        ("华明技术有限公司", ("huaming", "technology"), ("ltd",)),
        ("Societe Anonyme Trevane S.A.R.L.", ("trevane",), ("sarl", "societe anonyme")),
        ("Trevane Public Joint Stock Company", ("trevane",), ("public joint stock company",)),
        ("O'Brask & Sons GmbH", ("obrask", "and", "sons"), ("gmbh",)),
    ],
)
def test_legal_forms_are_set_apart_and_generic_words_have_one_meaning(
    text: str, words: tuple[str, ...], legal: tuple[str, ...]
) -> None:
    form = name_form(text)

    assert (form.words, form.legal) == (words, legal)


def test_a_name_in_another_script_is_kept_in_it_beside_latin_letters() -> None:
    assert name_form("华明技术有限公司").native == "华明"
    assert name_form("Щелково ООО").native == "щелково"
    assert name_form("Müller AG").words == ("muller",)


@pytest.mark.parametrize("text", ["Trading Company Ltd", "Co. Ltd", "International Group"])
def test_a_name_of_generic_words_alone_is_compared_by_them(text: str) -> None:
    form = name_form(text)

    assert form.is_generic
    assert form.words
    assert set(form.weights) == {10}


def test_dotted_initials_stay_initials() -> None:
    assert name_form("J. P. Trevane").words == ("j", "p", "trevane")


def test_an_address_has_its_numbers_and_counts_street_and_floor_little() -> None:
    form = address_form("Flat 5, 12 Brask St., Velmora 101000")

    assert dict(zip(form.words, form.weights, strict=True)) == {
        "apartment": 1,
        "5": 6,
        "12": 6,
        "brask": 10,
        "street": 1,
        "velmora": 10,
        "101000": 6,
    }


def test_names_in_brackets_and_after_formerly_are_names_too() -> None:
    assert variants("Velmora (formerly Brask Ltd) a.k.a. Trevane") == (
        "Velmora (formerly Brask Ltd) a.k.a. Trevane",
        "Velmora",
        "Brask Ltd",
        "Trevane",
    )


@given(st.text(max_size=300))
def test_any_text_becomes_bounded_words_of_latin_letters_and_digits(text: str) -> None:
    words = latin_words(text)

    assert len(words) <= MAX_WORDS
    assert all(word.isascii() and word.isalnum() for word in words)
    assert sum(name_form(text).weights) >= 0
    assert sum(address_form(text).weights) >= 0


@given(st.text(max_size=200))
def test_capitals_do_not_matter(text: str) -> None:
    # casefold first: "ŉ".upper() is two letters, which no list means by it.
    assert latin_words(text.casefold()) == latin_words(text.casefold().casefold())
    assert latin_words(text.casefold()) == latin_words(text)
