import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.diligence.screening.likeness import likeness, skeleton, sound
from packtrain.diligence.screening.normalise import address_form, name_form
from packtrain.diligence.screening.score import STRONG, THRESHOLD, compare_addresses, compare_names


def names(one: str, other: str, *, is_person: bool = False) -> int:
    return compare_names(name_form(one), name_form(other), is_person=is_person).score


def addresses(one: str, other: str) -> int:
    return compare_addresses(address_form(one), address_form(other)).score


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Velmora Technologies Ltd", "Velmora Technology GmbH", id="legal-form"),
        pytest.param("Ivan Petrakov", "PETRAKOV, Ivan", id="reordered"),
        pytest.param("Ivan Petrakov", "Petrakov, Ivan Sergeevich", id="patronymic-missing"),
        pytest.param("Ivan Petrakov", "Иван Петраков", id="cyrillic"),
        pytest.param("Mohammed Hussein", "محمد حسين", id="arabic-without-vowels"),
        pytest.param("Huaming Technologies", "华明技术有限公司", id="chinese"),
        pytest.param("Wang Xiaoming", "Xiao Ming Wang", id="pinyin-split"),
        pytest.param("Sky Nett Systems", "SkyNett Systems LLC", id="joined"),
        pytest.param("J. Brasket", "Jorun Brasket", id="initial"),
        pytest.param("Velmra Trading", "Velmora Trading", id="misspelt"),
        pytest.param("VIBM", "Velmora International Business Machines", id="first-letters"),
        pytest.param("Trading Company", "Trading Co Ltd", id="generic-words-alone"),
        pytest.param("北京华明", "华明", id="part-of-it-in-its-own-script"),
    ],
)
def test_spellings_of_one_name_are_candidates(one: str, other: str) -> None:
    assert names(one, other) >= THRESHOLD
    assert names(other, one) >= THRESHOLD


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Velmora Trading", "Velmora Bank"),
        ("Ivan Petrakov", "Ivan Sidorenko"),
        ("Brask International Trading", "Trevane International Trading"),
        ("Plant 256", "Plant 257"),
        ("Li", "Lu"),
    ],
)
def test_names_that_share_common_words_alone_are_not_candidates(one: str, other: str) -> None:
    assert names(one, other) < THRESHOLD


def test_a_first_name_alone_is_no_person() -> None:
    assert names("Jorunn Brasket", "Jorunn", is_person=True) < THRESHOLD
    assert names("Velmora Marine Research", "Velmora") >= THRESHOLD


def test_the_same_name_is_a_strong_candidate_and_the_legal_form_is_told() -> None:
    match = compare_names(name_form("Velmora GmbH"), name_form("Velmora AG"))

    assert match.score >= STRONG
    assert match.reasons == ("the same words", "legal form differs: gmbh / ag")


@pytest.mark.parametrize(
    ("one", "other", "is_candidate"),
    [
        ("1 Science Park Drive, Velmora 118221", "No. 1 Science Park Dr., 118221 Velmora", True),
        ("5 Brasket Street, Velmora", "Velmora, 5 Braskett St, Floor 3", True),
        ("北京市海淀区中关村路88号", "88 Zhongguancun Road, Haidian District, Beijing", True),
        ("5 Brasket Street, Velmora", "7 Brasket Street, Velmora", False),
        ("5 Brasket Street, Velmora", "Velmora", False),
        ("Velmora", "Velmora", False),
    ],
)
def test_addresses_are_alike_by_house_and_street_and_not_by_town(one: str, other: str, is_candidate: bool) -> None:
    assert (addresses(one, other) >= THRESHOLD) == is_candidate


TEXTS = st.lists(
    st.sampled_from(["velmora", "brask", "trading", "ltd", "ivan", "петраков", "5", "а", "j", "&", "华明"]), max_size=6
).map(" ".join)


@given(TEXTS, TEXTS)
def test_a_score_is_the_same_both_ways_and_within_its_bounds(one: str, other: str) -> None:
    for compare, form in ((compare_names, name_form), (compare_addresses, address_form)):
        there, back = compare(form(one), form(other)), compare(form(other), form(one))
        assert there.score == back.score
        assert 0 <= there.score <= 1000
        assert bool(there.reasons) == (there.score >= THRESHOLD)


@given(TEXTS)
def test_a_name_is_itself(text: str) -> None:
    form = name_form(text)
    assert compare_names(form, form).score == (1000 if form.words else 0)


@given(st.text("abcdehkstvwyz", min_size=1, max_size=9), st.text("abcdehkstvwyz", min_size=1, max_size=9))
def test_likeness_is_the_same_both_ways(one: str, other: str) -> None:
    assert likeness(one, other) == likeness(other, one)
    assert (likeness(one, other) == 1) == (one == other)


@given(st.lists(st.text("abcdeghjkstvwyz", min_size=1, max_size=9), min_size=1, max_size=8))
def test_many_words_at_once_sound_as_each_by_itself(words: list[str]) -> None:
    assert sound(" ".join(words)).split(" ") == [sound(word) for word in words]
    assert skeleton(" ".join(words)).split(" ") == [skeleton(word) for word in words]
