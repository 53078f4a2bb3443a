from pathlib import Path

import pytest

from packtrain.diligence.hand_over import custody_log, extend
from packtrain.documents.custody import CustodyEvent
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AnswerChanged,
    CustodyBroken,
    DossierError,
    SignatureInvalid,
    StageNotReady,
    UntrustedSigner,
    VoyageFileError,
    WrongRole,
)
from packtrain.events import discard
from packtrain.record.custody import CustodyLine, signed_line
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import is_fresh
from packtrain.stages import carry
from packtrain.stages.custody import show
from voyage_papers import CASES, Papers, accept_cases, arrived, declaration_toml, declared, packed, release_cases


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return packed(tmp_path)


def lines(folder: VoyageFolder) -> tuple[CustodyLine, ...]:
    return custody_log(folder).read(folder.trust())


def test_one_statement_covers_all_cases_carriers_and_seals(papers: Papers) -> None:
    statement = papers.consignor.read_signed(PackingStatement)
    assert [(case.label, case.carrier, case.seal) for case in statement.cases] == [
        ("A", "A. Carrier", "PT-1001"),
        ("B", "B. Carrier", "PT-1002"),
    ]
    assert [drive.label for case in statement.cases for drive in case.drives] == ["A1", "A2", "B1", "B2"]
    assert statement.shipment_root == papers.consignor.digest(Shipment)
    assert [line.event.verb for line in lines(papers.consignor)] == ["sealed", "sealed"]


def test_every_missing_carrier_and_seal_is_named_at_once(tmp_path: Path) -> None:
    papers = declared(tmp_path)
    papers.pack()
    papers.state_cases({"A": ("", "PT-1"), "B": ("B. Carrier", " ")})
    with pytest.raises(VoyageFileError) as caught:
        carry.seal(papers.consignor, discard)
    assert "case A: no carrier" in caught.value.message
    assert "case B: no seal" in caught.value.message
    assert not papers.consignor.has(PackingStatement)


@pytest.mark.parametrize(
    ("cases", "fault"),
    [
        ({"A": ("A. Carrier", "1")}, "case B: not in voyage.toml"),
        ({"A": ("A. Carrier", "1"), "B": ("B. Carrier", "1")}, "seal 1: on 2 cases"),
        ({"A": ("A. Carrier", "1" * 65), "B": ("B. Carrier", "2")}, "seal is longer than 64"),
    ],
)
def test_a_case_that_cannot_be_told_apart_is_refused(
    tmp_path: Path, cases: dict[str, tuple[str, str]], fault: str
) -> None:
    papers = declared(tmp_path)
    papers.pack()
    papers.state_cases(cases)
    with pytest.raises(VoyageFileError, match=fault):
        carry.seal(papers.consignor, discard)


def test_a_rehearsal_does_not_travel(tmp_path: Path) -> None:
    papers = declared(tmp_path)
    papers.pack("rehearsal")
    with pytest.raises(StageNotReady, match="rehearsal"):
        papers.seal()


def test_a_shipment_packed_under_another_declaration_is_not_sealed(tmp_path: Path) -> None:
    papers = declared(tmp_path)
    papers.pack()
    (papers.consignor.documents / "declaration.json").unlink()
    papers.declare(declaration_toml({"end_use": '"another"'}))
    with pytest.raises(DossierError):
        papers.seal()


def test_only_the_consignor_seals(papers: Papers) -> None:
    with pytest.raises(WrongRole):
        carry.seal(papers.operator, discard)


def test_sealing_again_changes_nothing(papers: Papers) -> None:
    before = papers.consignor.digest(PackingStatement)
    assert is_fresh(papers.consignor, carry.STAGE, carry.inputs(papers.consignor))
    carry.seal(papers.consignor, discard)
    assert papers.consignor.digest(PackingStatement) == before
    assert len(lines(papers.consignor)) == 2


def test_a_changed_seal_before_leaving_makes_a_new_statement_and_keeps_the_old(papers: Papers) -> None:
    before = papers.consignor.digest(PackingStatement)
    papers.state_cases({"A": ("A. Carrier", "PT-1009"), "B": ("B. Carrier", "PT-1002")})
    carry.seal(papers.consignor, discard)
    assert papers.consignor.digest(PackingStatement) != before
    assert (papers.consignor.documents / "packing-statements" / f"{before}.json.sig").is_file()
    assert [line.event.seals for line in lines(papers.consignor)] == [
        ("PT-1001",),
        ("PT-1002",),
        ("PT-1009",),
        ("PT-1002",),
    ]


def test_a_changed_carrier_after_the_hand_over_is_refused(papers: Papers) -> None:
    papers.hand_over()
    papers.state_cases({"A": ("Somebody Else", "PT-1001"), "B": ("B. Carrier", "PT-1002")})
    with pytest.raises(AnswerChanged):
        carry.seal(papers.consignor, discard)


def test_an_amended_declaration_needs_no_new_seal(papers: Papers) -> None:
    before = papers.consignor.digest(PackingStatement)
    papers.hand_over()
    papers.declare(declaration_toml({"returns": '"weights and metrics"'}), amend=True)
    carry.seal(papers.consignor, discard)
    assert papers.consignor.digest(PackingStatement) == before


def test_a_hand_over_leaves_both_logs_with_the_same_head(papers: Papers) -> None:
    papers.hand_over()
    assert lines(papers.consignor)[-1].digest == lines(papers.operator)[-1].digest
    assert [line.event.verb for line in lines(papers.operator)] == ["sealed", "sealed", "released", "accepted"]
    accepted = lines(papers.operator)[-1].event
    assert accepted.answers == lines(papers.operator)[-2].digest
    assert (accepted.by, accepted.counterpart, accepted.seals) == ("operator", "consignor", ("PT-1001", "PT-1002"))


def test_a_hand_over_goes_on_from_party_to_party(papers: Papers, tmp_path: Path) -> None:
    papers.hand_over()
    offered = release_cases(papers.operator, CASES, "consignee", discard, destination=tmp_path / "on.jsonl")
    answer = accept_cases(papers.consignee, offered, discard, destination=tmp_path / "on-answer.jsonl")
    carry.adopt(papers.operator, answer, discard)
    carry.adopt(papers.consignor, answer, discard)
    heads = {lines(folder)[-1].digest for folder in papers.folders.values()}
    assert len(heads) == 1
    assert "Case A (seal PT-1001) is held by the consignee." in show(papers.consignor)


def test_the_same_release_and_acceptance_again_give_the_same_files(papers: Papers, tmp_path: Path) -> None:
    offered = release_cases(papers.consignor, CASES, "operator", discard, destination=tmp_path / "1")
    again = release_cases(papers.consignor, CASES, "operator", discard, destination=tmp_path / "2")
    assert offered.read_bytes() == again.read_bytes()
    answer = accept_cases(papers.operator, offered, discard, destination=tmp_path / "3")
    assert (
        accept_cases(papers.operator, offered, discard, destination=tmp_path / "4").read_bytes() == answer.read_bytes()
    )
    carry.adopt(papers.consignor, answer, discard)
    carry.adopt(papers.consignor, answer, discard)
    assert len(lines(papers.consignor)) == 4


def test_a_hand_over_file_is_no_answer(papers: Papers, tmp_path: Path) -> None:
    offered = release_cases(papers.consignor, CASES, "operator", discard, destination=tmp_path / "offered")
    with pytest.raises(StageNotReady, match="does not answer the hand-over of case A, B"):
        carry.adopt(papers.consignor, offered, discard)


@pytest.mark.parametrize("cases", [("C",), ("A", "C")])
def test_a_case_that_is_not_sealed_cannot_be_released(papers: Papers, cases: tuple[str, ...], tmp_path: Path) -> None:
    with pytest.raises(CustodyBroken, match="case C"):
        release_cases(papers.consignor, cases, "operator", discard, destination=tmp_path / "x")


def test_a_case_cannot_be_released_twice_or_by_another_party(papers: Papers, tmp_path: Path) -> None:
    papers.hand_over()
    with pytest.raises(CustodyBroken):
        release_cases(papers.consignor, ("A",), "consignee", discard, destination=tmp_path / "x")


def test_while_a_release_is_open_nothing_else_is_written(papers: Papers, tmp_path: Path) -> None:
    release_cases(papers.consignor, ("A",), "operator", discard, destination=tmp_path / "x")
    with pytest.raises(StageNotReady, match="waits for its answer"):
        release_cases(papers.consignor, ("B",), "operator", discard, destination=tmp_path / "y")
    with pytest.raises(StageNotReady, match="waits for its answer"):
        carry.observe(papers.consignor, "lost", discard, drives=())


def test_a_hand_over_goes_to_another_party(papers: Papers, tmp_path: Path) -> None:
    with pytest.raises(WrongRole):
        release_cases(papers.consignor, ("A",), "consignor", discard, destination=tmp_path / "x")


def test_nothing_can_be_released_before_it_is_sealed(tmp_path: Path) -> None:
    papers = declared(tmp_path)
    with pytest.raises(StageNotReady, match="custody log is empty"):
        release_cases(papers.consignor, ("A",), "operator", discard, destination=tmp_path / "x")


def test_a_release_to_another_party_is_not_accepted(papers: Papers, tmp_path: Path) -> None:
    offered = release_cases(papers.consignor, CASES, "consignee", discard, destination=tmp_path / "x")
    with pytest.raises(CustodyBroken, match="no release to this party"):
        accept_cases(papers.operator, offered, discard, destination=tmp_path / "y")
    assert lines(papers.operator) == ()


def test_an_altered_hand_over_file_is_refused_and_nothing_is_taken(papers: Papers, tmp_path: Path) -> None:
    offered = release_cases(papers.consignor, CASES, "operator", discard, destination=tmp_path / "x")
    offered.write_bytes(offered.read_bytes().replace(b"PT-1001", b"PT-1003", 1))
    with pytest.raises(SignatureInvalid, match="line 1"):
        accept_cases(papers.operator, offered, discard, destination=tmp_path / "y")
    assert lines(papers.operator) == ()


def test_a_fork_names_the_line_where_the_logs_part(papers: Papers, tmp_path: Path) -> None:
    papers.hand_over()
    carry.observe(papers.operator, "seal-checked", discard, cases=("A",), note="unbroken")
    log = custody_log(papers.consignor)
    log.append(
        "sighted",
        shipment=lines(papers.consignor)[0].event.shipment,
        by="consignor",
        signer=papers.consignor.signer(),
        trust=papers.consignor.trust(),
    )
    answer = tmp_path / "operators.jsonl"
    answer.write_bytes(custody_log(papers.operator).path.read_bytes())
    with pytest.raises(CustodyBroken, match="forked") as caught:
        carry.adopt(papers.consignor, answer, discard)
    assert "line 5" in (caught.value.where or "")


def test_a_cut_tail_shows_against_the_counterparts_head(papers: Papers) -> None:
    papers.hand_over()
    log = custody_log(papers.consignor).path
    whole = log.read_bytes()
    cut = b"".join(line + b"\n" for line in whole.split(b"\n")[:-2])
    answer = papers.root / "cut.jsonl"
    answer.write_bytes(cut)
    with pytest.raises(CustodyBroken, match="ends before this log does"):
        carry.adopt(papers.operator, answer, discard)


def test_an_acceptance_signed_by_another_party_is_refused(papers: Papers, tmp_path: Path) -> None:
    offered = release_cases(papers.consignor, CASES, "operator", discard, destination=tmp_path / "x")
    released = lines(papers.consignor)[-1]
    forged = CustodyEvent(
        sequence=3,
        previous=released.digest,
        shipment=released.event.shipment,
        verb="accepted",
        by="operator",
        counterpart="consignor",
        answers=released.digest,
        cases=CASES,
        drives=(),
        seals=(),
        note="",
        at=released.event.at,
    )
    offered.write_bytes(offered.read_bytes() + signed_line(forged, papers.consignor.signer()) + b"\n")
    with pytest.raises(UntrustedSigner):
        carry.adopt(papers.consignor, offered, discard)


def test_an_acceptance_that_answers_no_release_is_refused(papers: Papers, tmp_path: Path) -> None:
    last = lines(papers.consignor)[-1]
    event = CustodyEvent(
        sequence=2,
        previous=last.digest,
        shipment=last.event.shipment,
        verb="accepted",
        by="operator",
        counterpart="consignor",
        answers=last.digest,
        cases=("A",),
        drives=(),
        seals=(),
        note="",
        at=last.event.at,
    )
    taken = tmp_path / "x"
    log = custody_log(papers.consignor).path.read_bytes()
    taken.write_bytes(log + signed_line(event, papers.operator.signer()) + b"\n")
    with pytest.raises(CustodyBroken, match="without a release"):
        carry.adopt(papers.consignor, taken, discard)


def test_extend_takes_many_lines_as_one_write(papers: Papers) -> None:
    extend(papers.consignee, lines(papers.consignor))
    assert lines(papers.consignee) == lines(papers.consignor)


def test_a_lost_drive_is_written_by_the_holder_of_its_case(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    uuid = papers.consignor.read(Shipment).drives[3].uuid
    with pytest.raises(CustodyBroken, match="only the holder") as refused:
        carry.observe(papers.consignor, "lost", discard, drives=(uuid,))
    assert "the operator notes it" in str(refused.value.hint)
    line = carry.observe(papers.operator, "lost", discard, drives=(uuid,), note="not in the case")
    assert line.event.cases == ("B",)
    with pytest.raises(CustodyBroken, match="no such"):
        carry.observe(papers.operator, "lost", discard, drives=("00000000-0000-4000-8000-000000000001",))


def test_a_lost_drive_can_be_named_by_its_label(papers: Papers) -> None:
    line = carry.observe(papers.consignor, "lost", discard, drives=("B2",), note="fell into the river")
    assert line.event.drives == (papers.consignor.read(Shipment).drives[3].uuid,)


def test_lost_cases_and_lost_drives_are_two_entries(papers: Papers) -> None:
    with pytest.raises(CustodyBroken, match="lost cases or about lost drives"):
        carry.observe(papers.consignor, "lost", discard, cases=("A",), drives=("B2",))


def test_the_log_is_told_in_plain_sentences(tmp_path: Path) -> None:
    told = "\n".join(show(arrived(tmp_path).operator))
    assert "sealed by the consignor (case A; seal PT-1001; 2 drives): carrier A. Carrier" in told
    assert "released by the consignor to the operator" in told
    assert "accepted by the operator from the consignor" in told
    assert "Case B (seal PT-1002) is held by the operator." in told
    assert "Last line of this log" in told
