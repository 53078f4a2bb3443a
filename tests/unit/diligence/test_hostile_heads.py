"""A head that nobody can hold against a log yet is not kept: it would refuse the honest log that comes later."""

from pathlib import Path

import pytest

from packtrain.diligence import attached_custody
from packtrain.diligence.hand_over import custody_log
from packtrain.documents.codec import digest, encode, namespace
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.shipment import Shipment
from packtrain.errors import CustodyBroken, DossierError
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.record.heads import HEADS, read_heads
from packtrain.record.line_code import write_line_code
from packtrain.stages import carry, custody, exchange
from rebagged import rebag
from voyage_papers import AT, accept_cases, packed, release_cases


def put_head(dossier: Path, folder: VoyageFolder, shipment: str, num_entries: int, last_line: str) -> CustodyHead:
    """Put a head signed by a folder's own key into a dossier, as whoever has the key could."""
    role = folder.voyage_file().voyage.role
    head = CustodyHead(shipment=shipment, by=role, num_entries=num_entries, last_line=last_line, last_at=AT, made_on=AT)
    place = dossier / "data" / HEADS
    place.mkdir(exist_ok=True)
    payload = encode(head)
    (place / f"{digest(head)}.json").write_bytes(payload)
    (place / f"{digest(head)}.json.sig").write_text(folder.signer().sign(namespace(CustodyHead), payload))
    return head


def kept(folder: VoyageFolder) -> int:
    return len(read_heads(folder.documents, folder.trust()))


def test_a_head_that_comes_before_its_log_cannot_refuse_it_later(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    dossier = papers.dossier("to-operator")
    (dossier / "data" / "custody.jsonl").unlink()
    put_head(dossier, papers.consignee, papers.consignor.read(Shipment).shipment, 1, "a" * 64)
    put_head(dossier, papers.consignee, papers.consignor.read(Shipment).shipment, 900, "b" * 64)
    rebag(dossier)
    exchange.import_dossier(papers.operator, dossier, papers.sink)
    assert "heads over no entries that are here were left aside: 2" in papers.notices()
    assert kept(papers.operator) == 0
    papers.hand_over()
    exchange.import_dossier(papers.operator, papers.dossier("whole"), discard)
    assert custody.check(papers.operator).check.verdict == "proven to its last entry"


def test_a_head_of_another_shipment_is_left_aside(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    dossier = papers.dossier("to-operator")
    put_head(dossier, papers.consignor, "11111111-2222-4333-8444-555555555555", 2, "a" * 64)
    rebag(dossier)
    exchange.import_dossier(papers.operator, dossier, discard)
    assert kept(papers.operator) == 0


def test_a_head_over_the_first_entries_is_kept(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    lines = custody_log(papers.consignor).read(papers.consignor.trust())
    custody.make_head(papers.consignor, discard, destination=tmp_path / "head")
    exchange.import_dossier(papers.operator, papers.dossier("to-operator"), discard)
    assert len(lines) == 2 and kept(papers.operator) == 1


def test_no_dossier_fills_a_folder_with_more_heads_than_are_read_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = packed(tmp_path)
    custody.make_head(papers.consignor, discard, destination=tmp_path / "head")
    exchange.import_dossier(papers.operator, papers.dossier("first"), discard)
    monkeypatch.setattr(attached_custody, "MAX_HEADS", 1)
    dossier = papers.dossier("second")
    put_head(dossier, papers.consignor, papers.consignor.read(Shipment).shipment, 1, "a" * 64)
    rebag(dossier)
    with pytest.raises(DossierError, match="more heads than a voyage has"):
        exchange.import_dossier(papers.operator, dossier, discard)
    assert kept(papers.operator) == 1


def test_no_dossier_fills_a_folder_with_more_revocations_than_are_read_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    papers = packed(tmp_path)
    custody.revoke(papers.consignor, "the laptop was lost", discard)
    exchange.import_dossier(papers.operator, papers.dossier("first"), discard)
    monkeypatch.setattr(attached_custody, "MAX_REVOCATIONS", 1)
    custody.revoke(papers.consignor, "once more, by the thief", discard)
    with pytest.raises(DossierError, match="more revocations than a voyage has"):
        exchange.import_dossier(papers.operator, papers.dossier("second"), discard)
    assert len(papers.operator.trust().revocations) == 1


def in_the_future(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next entries be dated as their writer likes: a clock is nobody's but his own."""
    monkeypatch.setattr("packtrain.record.custody.instant", lambda: "9999-01-01T00:00:00Z")


@pytest.mark.parametrize("way", ["file", "code", "dossier"])
def test_an_entry_of_the_future_is_not_taken_in(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whatever the other side signs after it would bear its time.
    papers = packed(tmp_path)
    exchange.import_dossier(papers.operator, papers.dossier("first"), discard)
    before = custody_log(papers.operator).path.read_bytes()
    in_the_future(monkeypatch)
    offered = release_cases(papers.consignor, ["A", "B"], "operator", discard, destination=tmp_path / "offer.jsonl")
    line = custody_log(papers.consignor).read(papers.consignor.trust())[-1]
    monkeypatch.undo()
    with pytest.raises(CustodyBroken, match="dated in the future"):
        if way == "file":
            accept_cases(papers.operator, offered, discard, destination=tmp_path / "answer.jsonl")
        elif way == "code":
            carry.take_code(papers.operator, write_line_code(line, papers.consignor.trust()), discard)
        else:
            exchange.import_dossier(papers.operator, papers.dossier("second"), discard)
    assert custody_log(papers.operator).path.read_bytes() == before
