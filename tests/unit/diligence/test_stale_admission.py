"""A verdict is one on the papers that it names: amended or sealed anew since, nothing goes on under it."""

from pathlib import Path

import pytest

from packtrain.documents.admission import Admission
from packtrain.errors import NotAdmitted
from packtrain.events import discard
from packtrain.record import keys
from packtrain.stages import admit, carry, exchange, load
from packtrain.stores.folder import FolderStore
from voyage_papers import Papers, arrived, declaration_toml, packed


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    papers = arrived(tmp_path)
    admit.admit(papers.operator, papers.dossier("first"), [], discard)
    return papers


def amend(papers: Papers) -> None:
    papers.declare(declaration_toml({"end_use": '"to find other things"'}), amend=True)


def test_the_key_does_not_go_on_after_an_amendment_that_the_site_has_not_judged(papers: Papers) -> None:
    amend(papers)
    exchange.import_dossier(papers.operator, papers.dossier("second"), discard)
    assert papers.operator.read_signed(Admission).verdict == "admit"
    assert not (papers.dossier("stale", "operator", "consignee") / "data" / "keys").exists()
    admit.admit(papers.operator, None, [], discard)
    assert (papers.dossier("judged", "operator", "consignee") / "data" / "keys" / keys.RELEASE).is_file()


def test_the_key_does_not_go_on_after_a_new_seal_that_the_site_has_not_judged(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    admit.admit(papers.operator, papers.dossier("first"), [], discard)
    papers.state_cases({"A": ("Another Carrier", "PT-3001"), "B": ("B. Carrier", "PT-1002")})
    carry.seal(papers.consignor, discard)
    exchange.import_dossier(papers.operator, papers.dossier("second"), discard)
    assert not (papers.dossier("stale", "operator", "consignee") / "data" / "keys").exists()


def test_nothing_is_loaded_under_an_admission_of_other_answers(papers: Papers) -> None:
    exchange.import_dossier(papers.consignee, papers.dossier("on", "operator", "consignee"), discard)
    amend(papers)
    exchange.import_dossier(papers.consignee, papers.dossier("amended", "consignor", "consignee"), discard)
    with pytest.raises(NotAdmitted, match="does not cover this declaration"):
        load.load(papers.consignee, papers.mounted(), FolderStore(papers.root / "store"), discard)
    assert not (papers.root / "store").exists()
