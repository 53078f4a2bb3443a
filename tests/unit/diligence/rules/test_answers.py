from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.diligence.rules.answers import SignedAnswer, Standing, answer_to, open_flags
from packtrain.diligence.rules.facts import Facts
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.rules.policy import NO_POLICY, Policy, read_policy
from packtrain.diligence.rules.run import Judged, run_rules
from packtrain.documents.codec import decode, encode
from packtrain.documents.flag_answer import FlagException
from packtrain.documents.flags import Flags
from packtrain.errors import AnswerRefused
from rule_facts import GROUPS, NO_ARRIVAL, lawful, reported

PACK = built_in_pack()
AT = "2026-11-24T10:00:00Z"
LOST = replace(lawful(), arrival=replace(NO_ARRIVAL, lost=("A1",)))
MISSING = replace(lawful(), arrival=replace(NO_ARRIVAL, missing=("A1",)))
UNKNOWN = replace(lawful(), arrival=replace(NO_ARRIVAL, unknown=("S-9",)))
LICENCE = FlagException(paper="licence", number="7", issued_by="the authority", valid_until=None, sha256="a" * 64)


def run(facts: Facts, policy: Policy = NO_POLICY, at: str = AT, voyage: str = "sky") -> Flags:
    by = Judged(voyage=voyage, by="operator", declaration="1" * 64, shipment_root=None, screening=None)
    return run_rules(by, facts, PACK, GROUPS, policy, at)


def answered(
    flags: Flags, rule: str, *, key: str = "key 1", role: str = "operator", person: str = "B. Bright", paper=None
) -> SignedAnswer:
    answer = answer_to(
        flags,
        rule,
        by=role,  # pyright: ignore[reportArgumentType]
        person=person,
        because="seen and asked",
        evidence=(),
        exception=paper,
        answered_on=AT,
    )
    return SignedAnswer(answer, role, key)  # pyright: ignore[reportArgumentType]


def standing(flags: Flags, *answers: SignedAnswer, policy: Policy = NO_POLICY) -> Standing:
    return open_flags(flags, answers, policy)


def test_a_run_is_a_document_that_names_what_it_rests_on() -> None:
    flags = run(reported())

    assert decode(Flags, encode(flags), "flags.json") == flags
    assert (flags.pack, flags.pack_sha256, flags.as_of) == (PACK.id, PACK.sha256, "2026-11-24")
    assert [group.name for group in flags.groups] == sorted(GROUPS)


def test_without_flags_the_sentence_promises_nothing() -> None:
    assert standing(run(lawful())).sentence == (
        "no unresolved flags under rule pack packtrain-v0 of 2026-11-27 as of 2026-11-24"
    )


def test_an_answered_flag_is_resolved_and_stays_visible() -> None:
    flags = run(LOST)
    before, after = standing(flags), standing(flags, answered(flags, "PT-3"))

    assert (before.worst_open, after.worst_open) == ("FLAG", None)
    assert before.sentence.startswith("1 unresolved flag under rule pack")
    assert [flag.result.rule for flag in after.flags] == ["PT-3"]
    assert after.flags[0].answers[0].answer.person == "B. Bright"


def test_a_hold_is_resolved_by_an_answer() -> None:
    flags = run(MISSING)

    assert standing(flags).worst_open == "HOLD"
    assert standing(flags, answered(flags, "PT-3")).worst_open is None


def test_the_other_partys_answer_is_shown_and_resolves_nothing() -> None:
    flags = run(MISSING)
    after = standing(flags, answered(flags, "PT-3", role="consignor"))

    assert after.worst_open == "HOLD"
    assert len(after.flags[0].answers) == 1


def test_an_answer_signed_by_another_party_than_it_names_does_not_count() -> None:
    flags = run(MISSING)

    assert standing(flags, replace(answered(flags, "PT-3"), role="consignor")).flags[0].answers == ()


def test_an_answer_holds_in_the_next_run_while_the_rule_says_the_same() -> None:
    answer = answered(run(MISSING), "PT-3")

    assert standing(run(MISSING, at="2026-11-25T09:00:00Z"), answer).worst_open is None


@pytest.mark.parametrize(
    "later",
    [
        run(replace(MISSING, arrival=replace(NO_ARRIVAL, missing=("A1", "A2")))),
        run(MISSING, voyage="another voyage"),
        run(MISSING, read_policy(b'[rules]\n"PT-3.lost" = "HOLD"', "site.toml", PACK)),
    ],
    ids=["another finding", "another voyage", "another policy"],
)
def test_an_answer_does_not_hold_for_anything_else(later: Flags) -> None:
    policy = NO_POLICY if later.policy is None else read_policy(b'[rules]\n"PT-3.lost" = "HOLD"', "site.toml", PACK)

    assert standing(later, answered(run(MISSING), "PT-3"), policy=policy).worst_open == "HOLD"


@pytest.mark.parametrize("text", [b'[second_signer]\nlevels = ["HOLD"]', b'[second_signer]\nrules = ["PT-3"]'])
def test_where_the_site_asks_for_a_second_signer_one_is_not_enough(text: bytes) -> None:
    policy = read_policy(text, "site.toml", PACK)
    flags = run(MISSING, policy)
    one = answered(flags, "PT-3")
    two = answered(flags, "PT-3", key="key 2", person="C. Clear")

    assert standing(flags, one, one, policy=policy).worst_open == "HOLD"
    assert standing(flags, one, two, policy=policy).worst_open is None


def test_a_stop_cannot_be_answered_without_an_exception() -> None:
    with pytest.raises(AnswerRefused, match="only by an exception"):
        answered(run(UNKNOWN), "PT-3")


def test_an_exception_is_for_a_stop_alone() -> None:
    with pytest.raises(AnswerRefused, match="an exception is for a STOP"):
        answered(run(MISSING), "PT-3", paper=LICENCE)


@pytest.mark.parametrize("rule", ["PT-3", "XX-9"])
def test_what_raised_no_flag_has_no_answer(rule: str) -> None:
    with pytest.raises(AnswerRefused, match="raised no flag"):
        answered(run(lawful()), rule)


def test_a_stop_passes_by_two_persons_on_one_paper() -> None:
    flags = run(UNKNOWN)
    one = answered(flags, "PT-3", paper=LICENCE)
    two = answered(flags, "PT-3", paper=LICENCE, key="key 2", person="C. Clear")

    assert standing(flags, one, two).worst_open is None
    assert [flag.level for flag in standing(flags, one, two).flags] == ["STOP"]


@pytest.mark.parametrize(
    "second",
    [
        answered(run(UNKNOWN), "PT-3", paper=LICENCE),
        answered(run(UNKNOWN), "PT-3", paper=LICENCE, key="key 2"),
        answered(run(UNKNOWN), "PT-3", paper=LICENCE, person="C. Clear"),
        answered(
            run(UNKNOWN),
            "PT-3",
            paper=msgspec.structs.replace(LICENCE, sha256="b" * 64),
            key="key 2",
            person="C. Clear",
        ),
        answered(
            run(UNKNOWN),
            "PT-3",
            paper=msgspec.structs.replace(LICENCE, valid_until="2026-11-23"),
            key="key 2",
            person="C. Clear",
        ),
        answered(run(UNKNOWN), "PT-3", paper=LICENCE, key="key 2", person="C. Clear", role="consignor"),
    ],
    ids=["the same", "one person, two keys", "one key, two names", "another paper", "expired paper", "the other party"],
)
def test_a_stop_does_not_pass_by_less(second: SignedAnswer) -> None:
    flags = run(UNKNOWN)

    assert standing(flags, answered(flags, "PT-3", paper=LICENCE), second).worst_open == "STOP"


def test_an_answer_without_a_paper_that_was_signed_by_hand_excepts_no_stop() -> None:
    flags = run(UNKNOWN)
    signed = [answered(flags, "PT-3", paper=LICENCE, key=key, person=key) for key in ("one", "two")]
    bare = [replace(each, answer=msgspec.structs.replace(each.answer, exception=None)) for each in signed]

    assert standing(flags, *bare).worst_open == "STOP"


ANSWERABLE = ["OWN-4", "CUS-5", "PT-2", "DC-1", "CUS-1", "CUS-3", "CUS-4", "PAY-1"]


@given(rules=st.lists(st.sampled_from(ANSWERABLE), unique=True))
def test_answers_only_close_their_own_flags_and_remove_none(rules: list[str]) -> None:
    flags = run(reported())
    after = standing(flags, *(answered(flags, rule) for rule in rules))

    assert [flag.result.rule for flag in after.flags] == [flag.result.rule for flag in standing(flags).flags]
    assert {flag.result.rule for flag in after.flags if not flag.is_open} == set(rules)
    assert after.worst_open == "STOP"


def test_no_sentence_says_that_anybody_is_cleared() -> None:
    texts = [standing(run(facts)).sentence for facts in (lawful(), reported(), LOST)]

    assert not any(word in text for text in texts for word in ("clear", "complian", "approved"))
