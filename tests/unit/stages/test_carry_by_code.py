"""A hand-over with nothing between the two sides but what a camera sees."""

from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.diligence.hand_over import custody_log, extend
from packtrain.diligence.heads import write_own_log
from packtrain.diligence.qr_codes import code_blocks, read_scan, write_code
from packtrain.errors import CodeUnreadable, CustodyBroken, MissingDependency, SignatureInvalid, StageNotReady
from packtrain.events import discard
from packtrain.record.custody import CustodyLine, CustodyLog
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import read_heads
from packtrain.stages import carry, custody
from three_parties import three_parties
from voyage_papers import CASES, Papers, packed


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Return a sealed voyage whose operator has the log so far, as the dossier brings it."""
    papers = packed(tmp_path / "one")
    extend(papers.operator, lines(papers.consignor))
    return papers


def lines(folder: VoyageFolder) -> tuple[CustodyLine, ...]:
    return custody_log(folder).read(folder.trust())


def offered(papers: Papers) -> str:
    carry.offer(papers.consignor, CASES, "operator", discard)
    return carry.own_code(papers.consignor)


def accepted(papers: Papers) -> str:
    carry.take_code(papers.operator, offered(papers), discard, note="both seals unbroken")
    return carry.own_code(papers.operator)


def as_file(name: str) -> Callable[[str, Path], str]:
    return lambda code, folder: str(write_code(code, folder / name))


def as_text(code: str, folder: Path) -> str:
    path = folder / "scanned.txt"
    path.write_text(f"\n{code[:50]}\n{code[50:].lower()}\n")
    return str(path)


@pytest.mark.parametrize("way", [as_file("code.png"), as_text, lambda code, _: code], ids=["picture", "file", "text"])
def test_both_logs_and_both_heads_are_the_same_after_three_codes(papers: Papers, tmp_path: Path, way) -> None:
    pytest.importorskip("zxingcpp")
    carry.take_code(papers.operator, read_scan(way(offered(papers), tmp_path)), discard, note="seals unbroken")
    receipt = carry.adopt_code(papers.consignor, read_scan(way(carry.own_code(papers.operator), tmp_path)), discard)
    assert receipt is not None
    custody.cosign_code(papers.operator, read_scan(way(receipt, tmp_path)), discard)
    home, hall = papers.consignor, papers.operator
    assert custody_log(home).path.read_bytes() == custody_log(hall).path.read_bytes()
    assert [line.event.verb for line in lines(hall)] == ["sealed", "sealed", "released", "accepted"]
    assert read_heads(home.documents, home.trust()) == read_heads(hall.documents, hall.trust())
    assert custody.check(hall).check.verdict == "proven to its last entry"


def test_a_code_and_a_file_may_be_mixed(papers: Papers, tmp_path: Path) -> None:
    carry.take_code(papers.operator, offered(papers), discard)
    carry.adopt(papers.consignor, write_own_log(papers.operator, tmp_path / "answer.jsonl"), discard)
    assert lines(papers.consignor) == lines(papers.operator)


def test_the_blocks_of_a_terminal_are_read_by_a_camera(papers: Papers) -> None:
    zxingcpp, image = pytest.importorskip("zxingcpp"), pytest.importorskip("PIL.Image")
    code = offered(papers)
    rows = [
        [255 if mark in light else 0 for mark in row]
        for row in code_blocks(code).splitlines()
        for light in ("█▀", "█▄")
    ]
    picture = image.frombytes("L", (len(rows[0]), len(rows)), bytes(one for row in rows for one in row))
    large = picture.resize((4 * picture.width, 4 * picture.height), image.Resampling.NEAREST)
    assert [found.text for found in zxingcpp.read_barcodes(large)] == [code]


def test_the_same_codes_again_change_nothing_and_give_the_same_answer(papers: Papers) -> None:
    answer = accepted(papers)
    carry.take_code(papers.operator, offered(papers), discard)
    assert carry.own_code(papers.operator) == answer
    receipt = carry.adopt_code(papers.consignor, answer, discard)
    assert carry.adopt_code(papers.consignor, answer, discard) == receipt
    assert len(lines(papers.consignor)) == len(lines(papers.operator)) == 4


def test_a_release_that_was_used_before_is_refused(papers: Papers) -> None:
    code = offered(papers)
    carry.take_code(papers.operator, code, discard)
    carry.observe(papers.operator, "sighted", discard, cases=("A",))
    with pytest.raises(CustodyBroken, match="used before"):
        carry.take_code(papers.operator, code, discard)
    assert len(lines(papers.operator)) == 5


def test_a_log_that_lacks_the_entries_before_says_to_bring_the_file(papers: Papers) -> None:
    with pytest.raises(CustodyBroken, match="2 entries before this one are not in this log") as caught:
        custody_log(papers.operator).path.unlink()
        carry.take_code(papers.operator, offered(papers), discard)
    assert "bring the hand-over file" in (caught.value.hint or "")
    assert lines(papers.operator) == ()


def test_a_code_of_another_shipment_is_refused(papers: Papers, tmp_path: Path) -> None:
    code = offered(papers)
    papers.operator.documents.joinpath("custody.jsonl").unlink()
    # The same parties carry a second shipment: its log is another one.
    CustodyLog(papers.operator.documents / "custody.jsonl").append(
        "sealed",
        shipment="00000000-0000-4000-8000-000000000009",
        by="operator",
        signer=papers.operator.signer(),
        trust=papers.operator.trust(),
    )
    with pytest.raises(CustodyBroken, match="of another shipment"):
        carry.take_code(papers.operator, code, discard)
    with pytest.raises(SignatureInvalid, match="not signed by the consignor"):
        carry.take_code(three_parties(tmp_path / "others")["operator"], code, discard)


def test_codes_out_of_order_are_refused(papers: Papers) -> None:
    answer = accepted(papers)
    fresh = lines(papers.consignor)[:2]
    papers.consignor.documents.joinpath("custody.jsonl").write_bytes(b"".join(line.payload + b"\n" for line in fresh))
    with pytest.raises(CustodyBroken, match="1 entries before"):
        carry.adopt_code(papers.consignor, answer, discard)


def test_a_code_on_top_of_another_entry_is_a_fork(papers: Papers) -> None:
    code = offered(papers)
    custody_log(papers.operator).append(
        "sighted",
        shipment=lines(papers.operator)[0].event.shipment,
        by="operator",
        signer=papers.operator.signer(),
        trust=papers.operator.trust(),
        cases=("A",),
    )
    with pytest.raises(CustodyBroken, match="forked"):
        carry.take_code(papers.operator, code, discard)


def test_a_release_is_no_answer_and_an_answer_no_release(papers: Papers) -> None:
    code = offered(papers)
    with pytest.raises(CustodyBroken, match="no acceptance by another party"):
        carry.adopt_code(papers.consignor, code, discard)
    carry.take_code(papers.operator, code, discard)
    with pytest.raises(CustodyBroken, match="no release to this party"):
        carry.take_code(papers.consignor, carry.own_code(papers.operator), discard)
    with pytest.raises(CustodyBroken, match="no release to this party"):
        carry.take_code(papers.consignee, code, discard)


def test_only_the_own_last_hand_over_is_shown_as_a_code(papers: Papers) -> None:
    with pytest.raises(CustodyBroken, match="released or accepted by the operator"):
        carry.own_code(papers.operator)


def test_a_second_signature_over_a_head_that_is_not_here_is_refused(papers: Papers) -> None:
    receipt = carry.adopt_code(papers.consignor, accepted(papers), discard)
    assert receipt is not None
    with pytest.raises(CodeUnreadable, match="not here"):
        custody.cosign_code(papers.consignee, receipt, discard)


@pytest.mark.parametrize("payload", [b"", b"\x89PNG\r\n\x1a\n" + bytes(40), b"GIF89a" + b"\xff" * 90, b"%PDF-1.4"])
def test_what_is_no_picture_is_a_message(tmp_path: Path, payload: bytes) -> None:
    pytest.importorskip("zxingcpp")
    (tmp_path / "x.png").write_bytes(payload)
    with pytest.raises(CodeUnreadable, match="not a picture"):
        read_scan(str(tmp_path / "x.png"))


def test_a_picture_without_a_code_or_with_a_strangers_is_a_message(tmp_path: Path) -> None:
    pytest.importorskip("zxingcpp")
    segno = pytest.importorskip("segno")
    segno.make_qr("https://lottery.example/win").save(str(tmp_path / "x.png"), scale=6)
    with pytest.raises(CodeUnreadable, match="no code of packtrain's"):
        read_scan(str(tmp_path / "x.png"))


def test_a_picture_of_a_million_by_a_million_is_refused_by_its_header(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pytest.importorskip("zxingcpp")
    image.new("1", (9000, 9000)).save(tmp_path / "x.png")
    with pytest.raises(CodeUnreadable, match="too large"):
        read_scan(str(tmp_path / "x.png"))


def test_without_the_extra_a_picture_is_a_message_and_the_text_still_works(
    papers: Papers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "zxingcpp", None)
    code = offered(papers)
    with pytest.raises(MissingDependency, match="zxing-cpp") as caught:
        read_scan(str(write_code(code, tmp_path / "x.png")))
    assert "text that a telephone shows" in (caught.value.hint or "")
    assert read_scan(code) == code


def test_what_is_neither_a_code_nor_a_file_is_a_message() -> None:
    with pytest.raises(StageNotReady, match="neither"):
        read_scan("PTX:" + "A" * 5000)
