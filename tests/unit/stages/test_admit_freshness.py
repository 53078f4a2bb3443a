"""A verdict is given anew when anything that it rests on is another; and not when nothing is."""

from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.heads import HEADS
from packtrain.record.receipts import is_fresh
from packtrain.stages import admit, carry, custody, exchange, flags
from scenario_parts import with_lists
from voyage_papers import Papers, arrived, declaration_toml


@pytest.fixture
def judged(tmp_path: Path) -> Papers:
    papers = arrived(tmp_path)
    with_lists(papers.operator)
    admit.admit(papers.operator, papers.dossier("first"), [], discard)
    return papers


def revoke(papers: Papers) -> None:
    custody.revoke(papers.consignor, "the laptop was stolen", discard)
    exchange.import_dossier(papers.operator, papers.dossier("told"), discard)


def lose_a_group(papers: Papers) -> None:
    (papers.operator.documents / "groups" / "0.json").unlink()


def another_head(papers: Papers) -> None:
    custody.make_head(papers.operator, discard, destination=papers.root / "head")


def lose_the_heads(papers: Papers) -> None:
    for path in (papers.operator.documents / HEADS).iterdir():
        path.unlink()


def run_at_home(papers: Papers) -> None:
    flags.judge(papers.consignor, discard)
    exchange.import_dossier(papers.operator, papers.dossier("second"), discard)


def lose_the_envelope(papers: Papers) -> None:
    (papers.operator.keys / keys.SITE_ENVELOPE).unlink()


def more_evidence(papers: Papers) -> None:
    place = papers.operator.documents / "evidence"
    place.mkdir(exist_ok=True)
    (place / f"{'a' * 64}.pdf").write_bytes(b"a paper")


@pytest.mark.parametrize(
    "change", [revoke, lose_a_group, another_head, lose_the_heads, run_at_home, lose_the_envelope, more_evidence]
)
def test_a_verdict_is_given_anew_when_what_it_rests_on_changed(
    judged: Papers, change: Callable[[Papers], None]
) -> None:
    before = admit.inputs(judged.operator)
    change(judged)
    assert admit.inputs(judged.operator) != before


def test_nothing_changed_is_judged_once(judged: Papers) -> None:
    policy = judged.root / "policy.toml"
    policy.write_text("max_list_age_days = 5\n")
    admit.admit(judged.operator, None, [], discard, policy=policy)
    assert is_fresh(judged.operator, admit.STAGE, admit.inputs(judged.operator, policy=policy))
    assert not is_fresh(judged.operator, admit.STAGE, admit.inputs(judged.operator))


def test_rules_at_home_run_again_after_a_sighting_and_after_an_amendment(judged: Papers) -> None:
    before = flags.inputs(judged.consignor)
    judged.declare(declaration_toml({"end_use": '"another one"'}), amend=True)
    amended = flags.inputs(judged.consignor)
    assert before["amended declarations"] != amended["amended declarations"]
    carry.observe(judged.operator, "sighted", discard, cases=["A"])
    exchange.import_dossier(judged.consignor, judged.dossier("back", "operator", "consignor"), discard)
    assert flags.inputs(judged.consignor)["custody"] != amended["custody"]
