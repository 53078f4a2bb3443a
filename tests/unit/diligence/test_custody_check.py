"""Who holds a key writes its own end of the log anew: with a head it shows, without one it is not provable."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from packtrain.digest import sha256_bytes
from packtrain.diligence.custody_check import LogCheck, TimeBracket, check_log
from packtrain.diligence.custody_story import report
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.heads import cosign, refuse_contradicted, sign_own_head
from packtrain.documents.custody import CustodyEvent
from packtrain.errors import CustodyBroken, CustodyContradicted
from packtrain.events import discard
from packtrain.record.custody import CustodyLine, read_log, signed_line
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import read_heads
from packtrain.stages import carry, custody
from voyage_papers import Papers, arrived

AHEAD = "2099-01-01T00:00:00Z"


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Return a voyage at the site: four entries under a cosigned head, then three that the operator wrote alone."""
    papers = arrived(tmp_path)
    for note in ("first look", "second look", "third look"):
        carry.observe(papers.operator, "seal-checked", discard, cases=("A",), note=note)
    return papers


def lines_of(folder: VoyageFolder) -> tuple[CustodyLine, ...]:
    return custody_log(folder).read(folder.trust())


def cosigned(papers: Papers, made_on: str = "") -> None:
    """Let the operator sign a head over its log, and the consignor countersign it, with that log in hand."""
    lines = lines_of(papers.operator)
    mark = cosign(papers.consignor, sign_own_head(papers.operator, lines, made_on), lines, "head")
    assert mark.cosigners == ("consignor",)


def rewritten(papers: Papers, events: Sequence[CustodyEvent], kept: int = 4) -> tuple[CustodyLine, ...]:
    """Return the log with other entries after the first `kept`, numbered, chained and signed anew by the operator."""
    before = lines_of(papers.operator)[:kept]
    lines, at = [line.payload for line in before], before[-1].event.at
    for event in events:
        at = max(at, event.at)
        event = msgspec.structs.replace(event, sequence=len(lines), previous=sha256_bytes(lines[-1]), at=at)
        lines.append(signed_line(event, papers.operator.signer()))
    return read_log(b"".join(line + b"\n" for line in lines), papers.consignor.trust(), "rewritten")


def checked(papers: Papers, lines: Sequence[CustodyLine]) -> LogCheck:
    return check_log(lines, read_heads(papers.consignor.documents, papers.consignor.trust()))


def attacks(papers: Papers) -> dict[str, tuple[CustodyLine, ...]]:
    first, second, third = (line.event for line in lines_of(papers.operator)[4:])
    return {
        "fork": rewritten(papers, (first, second, msgspec.structs.replace(third, verb="seal-broken"))),
        "cut tail": rewritten(papers, (first, second)),
        "replay": rewritten(papers, (first, first, second, third)),
        "reorder": rewritten(papers, (third, second, first)),
        "alteration": rewritten(papers, (msgspec.structs.replace(first, note="never looked"), second, third)),
    }


ATTACKS = ("fork", "cut tail", "replay", "reorder", "alteration")


@pytest.mark.parametrize("attack", ATTACKS)
def test_it_is_detected_against_a_cosigned_head(papers: Papers, attack: str) -> None:
    cosigned(papers)
    found = checked(papers, attacks(papers)[attack])
    assert found.verdict == "contradicted"
    assert [each.kind for each in found.contradictions] == ["cut tail" if attack == "cut tail" else "altered"]
    assert "the operator and the consignor signed" in found.contradictions[0].what


@pytest.mark.parametrize("attack", ATTACKS)
def test_without_a_head_over_it_it_is_not_provable(papers: Papers, attack: str) -> None:
    found = checked(papers, attacks(papers)[attack])
    assert found.contradictions == ()
    assert (found.verdict, found.num_proven) == ("proven in part", 4)
    assert any(text.startswith("Entries 5 to ") and "not provable" in text for text in found.not_provable)


@pytest.mark.parametrize("attack", ATTACKS)
def test_without_any_head_nothing_is_provable(papers: Papers, attack: str) -> None:
    found = check_log(attacks(papers)[attack], ())
    assert found.verdict == "not provable"
    assert "not provable" in "\n".join(report(found))


def test_two_signed_heads_of_one_size_are_a_fork_and_name_who_signed_both(papers: Papers) -> None:
    cosigned(papers)
    sign_own_head(papers.operator, attacks(papers)["fork"])
    heads = read_heads(papers.operator.documents, papers.operator.trust())
    found = check_log(lines_of(papers.operator), heads)
    forks = [each.what for each in found.contradictions if each.kind == "fork"]
    assert len(forks) == 1
    assert "the operator signed both" in forks[0]
    assert found.verdict == "contradicted"
    assert found.num_proven == 0


def back_dated(papers: Papers) -> tuple[CustodyLine, ...]:
    """Return the log with one more entry, dated as the last one that stood when the head was signed."""
    lines = lines_of(papers.operator)
    return rewritten(papers, (*(line.event for line in lines[4:]), lines[-1].event))


def test_an_entry_dated_before_a_head_that_it_follows_is_back_dated(papers: Papers) -> None:
    lines = lines_of(papers.operator)
    sign_own_head(papers.operator, lines, AHEAD)
    found = check_log(back_dated(papers), read_heads(papers.operator.documents, papers.operator.trust()))
    assert [(each.kind, each.line) for each in found.contradictions] == [("back-dated", 8)]


def test_a_back_dated_entry_without_a_head_is_not_provable(papers: Papers) -> None:
    found = checked(papers, back_dated(papers))
    assert found.contradictions == ()
    assert any(text.startswith("Times: not provable") for text in found.not_provable)
    assert any("dated back" in text for text in found.not_provable)


def stamped(lines: Sequence[CustodyLine], at: str) -> TimeBracket:
    return TimeBracket(len(lines), lines[-1].digest, at, at, "Time Hall", "a" * 64)


def test_an_entry_dated_after_a_time_stamp_over_it_contradicts_it(papers: Papers) -> None:
    lines = lines_of(papers.operator)
    assert check_log(lines, (), (stamped(lines, AHEAD),)).contradictions == ()
    found = check_log(lines, (), (stamped(lines, "2000-01-01T00:00:00Z"),))
    assert [(each.kind, each.line) for each in found.contradictions] == [("back-dated", 7)]


def test_an_entry_after_the_one_that_notes_a_time_stamp_is_not_dated_before_it(papers: Papers) -> None:
    lines = lines_of(papers.operator)
    stamp = stamped(lines, AHEAD)
    # Written between the head and the stamp: no lie.
    assert check_log(back_dated(papers), (), (stamp,)).contradictions == ()
    note = msgspec.structs.replace(lines[-1].event, note=f"{stamp.note} of {AHEAD}")
    events = [line.event for line in lines[4:]]
    found = check_log(rewritten(papers, (*events, note, lines[-1].event)), (), (stamp,))
    assert [(each.kind, each.line) for each in found.contradictions] == [("back-dated", 8), ("back-dated", 9)]


def test_anothers_entry_may_be_older_than_a_head_of_less(papers: Papers) -> None:
    before = lines_of(papers.consignor)
    sign_own_head(papers.consignor, before, AHEAD)
    heads = read_heads(papers.consignor.documents, papers.consignor.trust())
    assert check_log(lines_of(papers.operator), heads).contradictions == ()


def test_an_entry_is_never_dated_before_the_head_that_its_writer_signed(papers: Papers) -> None:
    sign_own_head(papers.operator, lines_of(papers.operator), AHEAD)
    assert carry.observe(papers.operator, "sighted", discard, cases=("A",)).event.at == AHEAD


def test_a_head_from_the_future_is_not_countersigned(papers: Papers) -> None:
    lines = lines_of(papers.operator)
    with pytest.raises(CustodyBroken, match="dated in the future"):
        cosign(papers.consignor, sign_own_head(papers.operator, lines, AHEAD), lines, "head")


def test_a_head_over_more_than_one_holds_is_not_countersigned(papers: Papers) -> None:
    found = sign_own_head(papers.operator, lines_of(papers.operator))
    with pytest.raises(CustodyBroken, match="3 are not here"):
        cosign(papers.consignor, found, lines_of(papers.consignor), "head")


def test_a_head_over_another_log_is_not_countersigned(papers: Papers) -> None:
    found = sign_own_head(papers.operator, attacks(papers)["fork"])
    with pytest.raises(CustodyContradicted, match="altered"):
        cosign(papers.consignor, found, lines_of(papers.operator), "head")


def test_a_contradicted_log_is_not_written_on(papers: Papers) -> None:
    cosigned(papers)
    with pytest.raises(CustodyContradicted):
        refuse_contradicted(papers.consignor, attacks(papers)["reorder"], "log")


def test_no_head_is_made_of_a_log_that_another_head_contradicts(papers: Papers) -> None:
    log = custody_log(papers.operator).path
    log.write_bytes(b"".join(line.payload + b"\n" for line in lines_of(papers.operator)[:3]))
    with pytest.raises(CustodyContradicted, match="cut tail"):
        custody.make_head(papers.operator, discard, destination=papers.root / "head")


def test_one_person_who_plays_two_parties_is_no_counterpart(papers: Papers) -> None:
    marks = read_heads(papers.consignor.documents, papers.consignor.trust())
    mark = marks[-1]
    alone = type(mark)(mark.digest, mark.head, dict.fromkeys(mark.keys, "one key"))
    found = check_log(lines_of(papers.consignor), (alone,))
    assert found.num_proven == 0
    assert found.verdict == "not provable"


def test_a_log_from_elsewhere_is_held_against_the_own_one_too(papers: Papers, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs.jsonl"
    theirs.write_bytes(b"".join(line.payload + b"\n" for line in attacks(papers)["fork"]))
    found = custody.check(papers.operator, theirs)
    assert found.exit_code == 113
    assert [each.kind for each in found.check.contradictions] == ["fork"]
    assert "seal-broken by the operator there" in found.text()


def test_heads_that_came_with_a_log_are_used(papers: Papers, tmp_path: Path) -> None:
    cosigned(papers)
    bag = tmp_path / "bag" / "data"
    (bag / "documents").mkdir(parents=True)
    (papers.consignor.documents / "heads").rename(bag / "documents" / "heads")
    log = bag / "custody.jsonl"
    log.write_bytes(b"".join(line.payload + b"\n" for line in attacks(papers)["alteration"]))
    assert custody.check(papers.consignor, log).check.verdict == "contradicted"


def test_heads_of_another_shipment_say_nothing(papers: Papers) -> None:
    mark = read_heads(papers.consignor.documents, papers.consignor.trust())[-1]
    other = msgspec.structs.replace(mark.head, shipment="00000000-0000-4000-8000-000000000009", last_line="1" * 64)
    found = check_log(lines_of(papers.consignor), (type(mark)(mark.digest, other, mark.keys),))
    assert found.verdict == "not provable"
