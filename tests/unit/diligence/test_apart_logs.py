"""What a party noted alone at the end of a voyage, and gave, it cannot give anew in other words."""

from pathlib import Path

import pytest

from packtrain.diligence.hand_over import custody_log
from packtrain.documents.shipment import Shipment
from packtrain.errors import CustodyBroken
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import exchange
from voyage_papers import Papers, arrived, tree


def note(papers: Papers, folder: VoyageFolder, verb: str, text: str = "") -> None:
    custody_log(folder).append(
        verb,  # pyright: ignore[reportArgumentType]
        shipment=papers.consignor.read(Shipment).shipment,
        by=folder.voyage_file().voyage.role,
        signer=folder.signer(),
        trust=folder.trust(),
        note=text,
    )


def send_home(papers: Papers, name: str) -> Path:
    return papers.dossier(name, "operator", "consignor")


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    papers = arrived(tmp_path)
    exchange.import_dossier(papers.operator, papers.dossier(), discard)
    note(papers, papers.consignor, "returned")
    return papers


def test_a_log_that_was_given_is_not_replaced_by_another_story(papers: Papers) -> None:
    path = custody_log(papers.operator).path
    before = path.read_bytes()
    note(papers, papers.operator, "loaded", "not whole: three drives were damaged")
    exchange.import_dossier(papers.consignor, send_home(papers, "first"), discard)
    path.write_bytes(before)
    note(papers, papers.operator, "loaded", "all drives read")
    note(papers, papers.operator, "erased")
    kept = tree(papers.consignor.documents)
    with pytest.raises(CustodyBroken, match="forked"):
        exchange.import_dossier(papers.consignor, send_home(papers, "second"), discard)
    assert tree(papers.consignor.documents) == kept


def test_a_log_that_was_given_grows_and_does_not_shrink(papers: Papers) -> None:
    beside = papers.consignor.documents / "custody.operator.jsonl"
    note(papers, papers.operator, "loaded", "all drives read")
    short = send_home(papers, "short")
    note(papers, papers.operator, "erased")
    exchange.import_dossier(papers.consignor, send_home(papers, "long"), discard)
    whole = beside.read_bytes()
    assert whole == custody_log(papers.operator).path.read_bytes()
    exchange.import_dossier(papers.consignor, short, discard)
    assert beside.read_bytes() == whole
