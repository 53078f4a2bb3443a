from datetime import date
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.diligence.screening.record import SignedDisposition
from packtrain.diligence.screening.verdict import ListPolicy, OpenPoint, in_words, open_points, states_of
from packtrain.documents.disposition import Disposition, DispositionVerdict
from packtrain.documents.parties import Role
from packtrain.documents.screening import Screening
from sample_documents import samples, sha256

FOUND = cast("Screening", samples()[Screening])
SAID = cast("Disposition", samples()[Disposition])
ASKS_NOTHING = ListPolicy()
(CANDIDATE,) = FOUND.subjects[0].candidates
DECLARER, REVIEWER, THIRD = "key of the declarer", "key of the reviewer", "a third key"


def said(
    verdict: DispositionVerdict, key: str, minute: int = 0, by: Role = "consignor", candidate: str = CANDIDATE.id
) -> SignedDisposition:
    at = f"2026-11-21T08:{minute:02}:00Z"
    disposition = msgspec.structs.replace(SAID, verdict=verdict, by=by, candidate=candidate, answered_on=at)
    return SignedDisposition(sha256("d"), disposition, key)


def points(
    *dispositions: SignedDisposition,
    screening: Screening | None = FOUND,
    policy: ListPolicy = ASKS_NOTHING,
    on: date = date(2026, 11, 21),
    declaration: str = FOUND.declaration,
    packing_statement: str | None = FOUND.packing_statement,
) -> list[str]:
    found: tuple[OpenPoint, ...] = open_points(
        screening,
        dispositions,
        policy,
        on=on,
        declaration=declaration,
        packing_statement=packing_statement,
        declaration_signer=DECLARER,
    )
    return [point.kind for point in found]


def scored(score: int) -> Screening:
    candidate = msgspec.structs.replace(CANDIDATE, score=score)
    return msgspec.structs.replace(
        FOUND, subjects=(msgspec.structs.replace(FOUND.subjects[0], candidates=(candidate,)),)
    )


def test_without_a_screening_or_a_list_it_is_not_screened() -> None:
    assert points(screening=None) == ["not screened"]
    unscreened = msgspec.structs.replace(FOUND, outcome="not screened", lists=())
    assert points(screening=unscreened) == ["not screened"]
    assert in_words(unscreened, ()) == "not screened: no list of parties was looked at"


def test_a_candidate_is_open_until_a_person_answers() -> None:
    assert points() == ["not answered"]


def test_a_weak_candidate_is_dismissed_by_one_person() -> None:
    assert points(said("false match", THIRD), screening=scored(899)) == []


@pytest.mark.parametrize(
    ("keys", "kinds"),
    [
        ([DECLARER], ["second person needed"]),
        ([REVIEWER], ["second person needed"]),
        ([DECLARER, DECLARER], ["second person needed"]),
        ([DECLARER, REVIEWER], []),
        ([REVIEWER, THIRD], []),
    ],
)
def test_a_strong_candidate_is_dismissed_by_two_persons(keys: list[str], kinds: list[str]) -> None:
    assert points(*(said("false match", key, minute) for minute, key in enumerate(keys))) == kinds


def test_a_true_match_of_one_person_stands_against_another_who_dismisses() -> None:
    assert points(said("true match", REVIEWER), said("false match", DECLARER, 1), said("false match", THIRD, 2)) == [
        "true match"
    ]


def test_a_person_may_take_an_answer_back_and_both_stay_visible() -> None:
    answers = (said("true match", REVIEWER), said("false match", REVIEWER, 1), said("false match", THIRD, 2))

    assert points(*answers) == []
    assert states_of(FOUND, answers, DECLARER)[0].answers == answers


def test_the_answers_of_another_party_or_about_another_candidate_do_not_count() -> None:
    assert points(said("false match", REVIEWER, by="operator"), said("false match", THIRD, candidate=sha256("9"))) == [
        "not answered"
    ]


def test_a_list_ages_after_the_screening_was_signed() -> None:
    policy = ListPolicy(max_age_days=7)
    answered = (said("false match", REVIEWER), said("false match", THIRD))

    assert points(*answered, policy=policy, on=date(2026, 11, 27)) == []
    assert points(*answered, policy=policy, on=date(2026, 11, 28)) == ["list too old"]


def test_a_list_that_is_asked_for_and_not_there_is_open() -> None:
    answered = (said("false match", REVIEWER), said("false match", THIRD))

    assert points(*answered, policy=ListPolicy(required=("invented-list", "other"))) == ["list missing"]


def test_a_screening_of_other_papers_is_no_screening_of_these() -> None:
    answered = (said("false match", REVIEWER), said("false match", THIRD))

    assert points(*answered, declaration=sha256("e")) == ["other papers"]
    assert points(*answered, packing_statement=sha256("e")) == ["other papers"]
    assert points(*answered, packing_statement=None) == []


def test_strong_candidates_beyond_those_kept_are_open_and_weak_ones_are_not() -> None:
    answered = (said("false match", REVIEWER), said("false match", THIRD))
    for best, kinds in ((899, []), (900, ["left out"])):
        subject = msgspec.structs.replace(FOUND.subjects[0], num_left_out=3, best_left_out=best)
        assert points(*answered, screening=msgspec.structs.replace(FOUND, subjects=(subject,))) == kinds


def test_the_words_never_say_that_somebody_is_clear() -> None:
    words = in_words(FOUND, ())

    assert words == "1 names and addresses against invented-list of 2026-11-20: 1 candidates, no point open"
    assert not any(word in words for word in ("clear", "match", "compliant"))


VERDICTS: tuple[DispositionVerdict, ...] = ("false match", "true match")
ANSWERS = st.lists(
    st.tuples(st.sampled_from(VERDICTS), st.sampled_from([DECLARER, REVIEWER, THIRD]), st.integers(0, 59)), max_size=6
)


@given(ANSWERS)
def test_nothing_that_the_declarer_alone_says_closes_a_strong_candidate(
    answers: list[tuple[DispositionVerdict, str, int]],
) -> None:
    assert points(*(said(verdict, DECLARER, minute) for verdict, _, minute in answers)) != []


@given(ANSWERS)
def test_the_order_in_which_answers_are_read_does_not_matter(
    answers: list[tuple[DispositionVerdict, str, int]],
) -> None:
    signed = [said(verdict, key, minute) for minute, (verdict, key, _) in enumerate(answers)]

    assert points(*signed) == points(*reversed(signed))
