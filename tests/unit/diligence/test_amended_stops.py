"""A STOP is not amended away: superseded answers are judged too."""

from datetime import date
from pathlib import Path

from packtrain.diligence.amended_stops import amended_stops
from packtrain.diligence.declaration_file import declare_from
from packtrain.diligence.facts_of import facts_of
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.documents.declaration import Declaration
from rule_facts import GROUPS
from scenario_parts import declaration_of

TODAY = date(2026, 11, 27)
ELSEWHERE = {'headquarters = "CN"': 'headquarters = "SG"', 'location = "CN"': 'location = "SG"'}
HOME_ELSEWHERE = {'country = "CN"': 'country = "SG"'}
LICENCE = {
    'licences = "none"': f"""
[[permits.licences]]
number = "L-1"
authority = "the authority"
covers = "this voyage"
valid_until = "2028-01-01"
evidence = [{{ what = "licence", sha256 = "{"5" * 64}" }}]
"""
}


def declared(changes: dict[str, str] | None = None) -> Declaration:
    text = declaration_of("reported", changes)
    answered = declare_from(text.encode(), "reported", "declaration.toml", Path())
    assert not answered.missing
    return answered.declaration


def six_answers() -> Declaration:
    text = declaration_of("reported").partition("[customer]\n")[0]
    return declare_from(text.encode(), "reported", "declaration.toml", Path()).declaration


def stops(*chain: Declaration) -> tuple[str, ...]:
    return amended_stops(chain, facts_of(chain, "admission"), built_in_pack(), GROUPS, TODAY)


def test_headquarters_that_moved_after_they_were_signed_stay_a_stop() -> None:
    found = stops(declared(ELSEWHERE | HOME_ELSEWHERE), declared())
    assert any(each.startswith("HQ-1 STOP") and "headquarters in CN" in each for each in found)
    assert any(each.startswith("RET-1 STOP") for each in found)


def test_they_stay_one_however_many_amendments_follow() -> None:
    smooth = declared(ELSEWHERE | HOME_ELSEWHERE)
    assert stops(smooth, smooth, declared()) == stops(smooth, declared())


def test_six_answers_that_were_changed_before_the_full_form_count_too() -> None:
    assert any("HQ-1 STOP" in each for each in stops(declared(ELSEWHERE | HOME_ELSEWHERE), six_answers()))


def test_machines_that_were_declared_harmless_first_hide_no_headquarters() -> None:
    harmless = {
        'is_advanced_computing = "yes"': 'is_advanced_computing = "no"',
        'classification = "4A090.a"': 'classification = "none"',
    }
    found = stops(declared(ELSEWHERE | HOME_ELSEWHERE), declared(harmless))
    assert any("HQ-1 STOP" in each for each in found)


def test_a_licence_that_was_brought_is_the_way_past() -> None:
    assert stops(declared(LICENCE), declared()) == ()


def test_what_still_stops_is_not_said_twice_and_a_form_that_was_completed_is_no_change() -> None:
    assert stops(declared(), declared()) == ()
    assert stops(declared(), six_answers()) == ()
