from pathlib import Path

import pytest

from packtrain import durable
from packtrain.documents.closing import Closing
from packtrain.documents.parties import ROLES
from packtrain.errors import AdmissionRefused, ClosingRefused
from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.receipts import is_fresh
from packtrain.stages import admit, close, exchange
from voyage_papers import Papers, arrived


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    papers = arrived(tmp_path)
    admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    exchange.import_dossier(papers.consignee, papers.dossier("on", "operator", "consignee"), discard)
    return papers


def test_nobody_closes_before_the_results_are_home(papers: Papers) -> None:
    for folder in papers.folders.values():
        with pytest.raises(ClosingRefused, match="results have not come home"):
            close.close(folder, discard)
        assert not folder.has(Closing)
    assert (papers.consignee.keys / keys.RELEASE).is_file()


def test_a_voyage_without_results_closes_only_when_that_is_said_and_the_record_says_so(papers: Papers) -> None:
    for folder in papers.folders.values():
        close.close(folder, papers.sink, without_results=True)
        assert list(folder.keys.glob("*.age")) == []
        assert folder.read_signed(Closing).export_list is None
    assert "no results came home" in papers.notices()


def test_results_on_their_way_are_not_closed_over(papers: Papers) -> None:
    papers.come_home()
    with pytest.raises(ClosingRefused, match="on their way"):
        close.close(papers.consignee, discard, without_results=True)
    assert (papers.consignee.keys / keys.RELEASE).is_file()


def test_closing_destroys_every_key_of_the_shipment_and_keeps_the_papers(papers: Papers) -> None:
    papers.come_home()
    before = {role: {path.name for path in folder.documents.rglob("*")} for role, folder in papers.folders.items()}
    for folder in papers.folders.values():
        close.close(folder, papers.sink)
        assert list(folder.keys.glob("*.age")) == []
        assert (folder.keys / "signer").is_file() and (folder.keys / "identity.txt").is_file()
    destroyed = {role: papers.folders[role].read_signed(Closing).keys_destroyed for role in ROLES}
    assert destroyed == {
        "consignor": (keys.CONSIGNOR_ENVELOPE, keys.SITE_ENVELOPE),
        "operator": (keys.RELEASE, keys.SITE_ENVELOPE),
        "consignee": (keys.RELEASE,),
    }
    for role, folder in papers.folders.items():
        assert before[role] <= {path.name for path in folder.documents.rglob("*")}


def test_the_closing_record_says_plainly_that_drives_are_not_sanitised(papers: Papers) -> None:
    papers.come_home()
    close.close(papers.consignor, papers.sink)
    closing = papers.consignor.read_signed(Closing)
    assert [drive.label for drive in closing.drives] == ["A1", "A2", "B1", "B2"]
    assert {drive.sanitisation for drive in closing.drives} == {"not sanitised"}
    assert "no sanitising command was run" in closing.drives[0].detail
    assert closing.retention_years == 10
    assert "documents/admission.json" not in closing.kept
    assert {"documents/declaration.json", "documents/custody.jsonl", "keys/signer"} <= set(closing.kept)
    assert "4 drives not sanitised, and the record says so" in papers.notices()


def test_closing_again_changes_nothing(papers: Papers) -> None:
    papers.come_home()
    close.close(papers.operator, discard)
    first = papers.operator.digest(Closing)
    assert is_fresh(papers.operator, close.STAGE, close.inputs(papers.operator))
    close.close(papers.operator, discard)
    assert papers.operator.digest(Closing) == first


def test_a_key_that_comes_back_is_destroyed_again_and_stays_named(papers: Papers) -> None:
    papers.come_home()
    close.close(papers.consignee, discard)
    (papers.consignee.keys / keys.RELEASE).write_bytes(b"from a backup")
    assert not is_fresh(papers.consignee, close.STAGE, close.inputs(papers.consignee))
    close.close(papers.consignee, discard)
    assert not (papers.consignee.keys / keys.RELEASE).exists()
    assert papers.consignee.read_signed(Closing).keys_destroyed == (keys.RELEASE,)


class Killed(BaseException):
    """Stands for the death of the process."""


@pytest.mark.parametrize("death", ["overwritten shipment.site.age", "written closing.json.sig", "renamed closing.json"])
def test_a_death_while_closing_forgets_no_key(papers: Papers, death: str) -> None:
    papers.come_home()

    def die(step: str) -> None:
        if step == death:
            raise Killed

    durable.observe_steps(die)
    try:
        with pytest.raises(Killed):
            close.close(papers.consignor, discard)
    finally:
        durable.observe_steps(None)
    close.close(papers.consignor, discard)
    closing = papers.consignor.read_signed(Closing)
    assert closing.keys_destroyed == (keys.CONSIGNOR_ENVELOPE, keys.SITE_ENVELOPE)
    assert list(papers.consignor.keys.glob("*.age")) == []


def test_an_open_verdict_keeps_the_voyage_open(papers: Papers) -> None:
    papers.come_home()
    with pytest.raises(AdmissionRefused):
        admit.admit(papers.operator, None, [*papers.mounted(), *papers.mounted("A1")], discard)
    with pytest.raises(ClosingRefused, match="verdict on this dossier is refuse"):
        close.close(papers.operator, discard)


def test_a_closing_travels_with_the_next_dossier(papers: Papers) -> None:
    papers.come_home()
    close.close(papers.operator, discard)
    taken = exchange.import_dossier(papers.consignor, papers.dossier("home", "operator", "consignor"), discard)
    assert taken["closings/operator.json"] == papers.operator.digest(Closing)


def test_copies_of_a_key_in_the_folder_go_with_it_wherever_they_lie(papers: Papers) -> None:
    papers.come_home()
    folder = papers.consignor
    envelope = (folder.keys / keys.SITE_ENVELOPE).read_bytes()
    exchange.export_dossier(folder, folder.root / "sent here", "operator", discard)
    staged = folder.work / "dossier-import" / "data" / "keys" / keys.SITE_ENVELOPE
    staged.parent.mkdir(parents=True)
    staged.write_bytes(b"cut off while it was copied")
    (folder.keys / f"{keys.SITE_ENVELOPE}.part").write_bytes(envelope[:100])
    (folder.root / "a backup").write_bytes(envelope)
    other = folder.root / "another voyage"
    (other / "keys").mkdir(parents=True)
    (other / "voyage.toml").touch()
    (other / "keys" / keys.SITE_ENVELOPE).write_bytes(b"of another shipment")
    (folder.root / "notes" / "data" / "keys").mkdir(parents=True)
    stranger = folder.root / "notes" / "data" / "keys" / keys.SITE_ENVELOPE
    stranger.write_bytes(b"of nobody knows which shipment")

    close.close(folder, discard)

    left = [path for path in folder.root.rglob("*") if path.is_file() and path.read_bytes() == envelope]
    assert left == []
    assert not staged.exists()
    assert folder.read_signed(Closing).keys_destroyed == (
        "./a backup",
        "sent here/data/keys/shipment.site.age",
        "shipment.consignor.age",
        "shipment.site.age",
        "shipment.site.age.part",
        "work/dossier-import/data/keys/shipment.site.age",
    )
    assert (other / "keys" / keys.SITE_ENVELOPE).exists()
    assert stranger.exists()


def test_copies_under_other_names_are_found_also_after_a_death(papers: Papers) -> None:
    papers.come_home()
    folder = papers.consignee
    (folder.root / "z copy").write_bytes((folder.keys / keys.RELEASE).read_bytes())
    (folder.root / "a copy").write_bytes((folder.keys / keys.RELEASE).read_bytes())

    def die(step: str) -> None:
        if step == "overwritten a copy":
            raise Killed

    durable.observe_steps(die)
    try:
        with pytest.raises(Killed):
            close.close(folder, discard)
    finally:
        durable.observe_steps(None)
    close.close(folder, discard)
    assert folder.read_signed(Closing).keys_destroyed == ("./a copy", "./z copy", keys.RELEASE)
    assert not (folder.root / "z copy").exists()


def test_the_record_says_what_was_not_reached(papers: Papers) -> None:
    papers.come_home()
    close.close(papers.operator, discard)
    told = " ".join(papers.operator.read_signed(Closing).not_reached)
    assert "backups" in told and "identity" in told and "files in the clear" in told
