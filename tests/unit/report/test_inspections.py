"""Acceptance sheets in status, --json and the page; sheets that are edited, of another party or of other cargo."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from packtrain.documents.inspection import Finding, Inspection
from packtrain.documents.kit import Kit
from packtrain.documents.parties import Role
from packtrain.documents.shipment import Shipment
from packtrain.record.folder import VoyageFolder
from packtrain.report.inspection_text import untold_of_site
from packtrain.report.page import page
from packtrain.report.status_text import fact_lines
from packtrain.report.summarize import summarize
from packtrain.report.summary import Summary
from packtrain.report.summary_json import status_document
from sample_documents import samples
from three_parties import copy_of_parties, three_parties

OTHER = "0b9cc4a4-2f5e-4c63-9d1c-6a3f1d6f0001"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "voyage"
    folders = three_parties(root)
    for document in (samples()[Shipment], samples()[Kit]):
        folders["consignee"].write_signed(document, folders["consignor"].signer())
    return root


@pytest.fixture
def folders(made: Path, tmp_path: Path) -> dict[Role, VoyageFolder]:
    return copy_of_parties(made, tmp_path / "voyage")


def sheet_of(folder: VoyageFolder, num_hosts: int = 1, num_faults: int = 0, **more: Any) -> Inspection:
    hosts = tuple(f"h{number}" for number in range(num_hosts))
    found = [
        Finding(
            hosts=(host,),
            what="memory<b>",
            asked="",
            found="half of it\u202e" if number < num_faults else "2 TB",
            verdict="bad" if number < num_faults else "good",
            remedy="put the other half in" if number < num_faults else "",
        )
        for number, host in enumerate(hosts)
    ]
    found.append(Finding(hosts=hosts, what="sum over all hosts", asked="", found="98 GB/s", verdict="good"))
    found.append(Finding(hosts=(hosts[0],), what="torch", asked="", found="not there", verdict="not shown"))
    fields: dict[str, Any] = {
        "shipment": folder.read(Shipment).shipment if folder.has(Shipment) else None,
        "kit": folder.digest(Kit) if folder.has(Kit) else None,
        "by": "consignee",
        "engine": "ray",
        "ready": None,
        "promised": None,
        "is_fit": num_faults == 0,
        "finished": "2026-11-28T08:00:00Z",
        "hosts": hosts,
        "findings": tuple(found),
    }
    return Inspection(**{**fields, **more})


def lines_of(summary: Summary) -> list[str]:
    return [text for name, text in fact_lines(summary) if name == "inspection"]


def test_a_fit_site_is_told_in_every_form(folders: dict[Role, VoyageFolder]) -> None:
    folder = folders["consignee"]
    folder.write_signed(sheet_of(folder), folder.signer())
    summary = summarize([folder])

    assert lines_of(summary) == ["consignee, 2026-11-28T08:00:00Z: fit: 1 host by ray, 1 of 3 findings not shown"]
    [told] = json.loads(json.dumps(status_document(summary)))["inspections"]
    assert (told["by"], told["is_fit"], told["num_hosts"], told["stale"]) == ("consignee", True, 1, "")
    html = page(summary)
    assert 'id="inspections"' in html and "98 GB/s" in html and 'class="kept">fit' in html
    assert untold_of_site(folder) == ""


def test_faults_are_named_and_three_hundred_hosts_are_folded(folders: dict[Role, VoyageFolder]) -> None:
    folder = folders["consignee"]
    folder.write_signed(sheet_of(folder, 300, 250), folder.signer())
    summary = summarize([folder])

    [line] = lines_of(summary)
    assert line.startswith("consignee, 2026-11-28T08:00:00Z: NOT FIT, 250 faults: 300 hosts by ray")
    assert line.endswith("h4: memory<b>: half of it\u202e; and 245 more")
    html = page(summary)
    assert "280 more hosts" in html and "230 more faults" in html and "And <span" in html
    assert "memory<b>" not in html and "\u202e" not in html
    assert len(html) < 200_000
    assert "is not fit" in untold_of_site(folder)


def test_an_edited_sheet_is_not_read_and_keeps_nobody_from_training(folders: dict[Role, VoyageFolder]) -> None:
    folder = folders["consignee"]
    folder.write_signed(sheet_of(folder, 3, 3), folder.signer())
    path = folder.document_path(Inspection)
    path.write_bytes(path.read_bytes().replace(b'"bad"', b'"good"').replace(b'"is_fit":false', b'"is_fit":true'))
    summary = summarize([folder])

    assert lines_of(summary) == [] and status_document(summary)["inspections"] == []
    assert any("inspection.json" in text for text in summary.unread)
    assert "not inspected" in untold_of_site(folder) and "signature" in untold_of_site(folder)


def test_a_sheet_of_another_party_in_one_s_own_place_is_refused(folders: dict[Role, VoyageFolder]) -> None:
    folder, operator = folders["consignee"], folders["operator"]
    folder.write_signed(sheet_of(folder, by="operator"), operator.signer())
    assert lines_of(summarize([folder])) == []
    # Nor is a sheet the operator's by saying so alone.
    brought = folder.documents / "inspections" / "operator.json"
    folder.write_signed(sheet_of(folder, by="operator"), folder.signer())
    brought.parent.mkdir()
    for ending in ("", ".sig"):
        source = folder.document_path(Inspection)
        source.with_name(source.name + ending).rename(brought.with_name(brought.name + ending))
    summary = summarize([folder])

    assert lines_of(summary) == []
    assert any("not signed by the party" in text for text in summary.unread)


def test_what_a_dossier_brought_is_told_and_the_maker_s_own_folder_before_it(
    folders: dict[Role, VoyageFolder],
) -> None:
    folder, operator = folders["consignee"], folders["operator"]
    operator.write_signed(sheet_of(folder, by="operator"), operator.signer())
    brought = folder.documents / "inspections" / "operator.json"
    brought.parent.mkdir()
    for ending in ("", ".sig"):
        source = operator.document_path(Inspection)
        brought.with_name(brought.name + ending).write_bytes(source.with_name(source.name + ending).read_bytes())
    assert [line.split(",")[0] for line in lines_of(summarize([folder]))] == ["operator"]

    operator.write_signed(sheet_of(folder, 2, 1, by="operator"), operator.signer())
    assert "NOT FIT" in lines_of(summarize([folder, operator]))[0]
    assert untold_of_site(folder).startswith("this site was not inspected")


@pytest.mark.parametrize(
    ("more", "stale"),
    [
        ({"shipment": OTHER}, "it is of another shipment"),
        ({"kit": "0" * 64}, "it holds the hosts against another kit than the one that is here"),
        ({"kit": None}, "it was made before the kit was here, and holds no host against it"),
    ],
)
def test_a_sheet_of_another_voyage_or_kit_says_so(
    folders: dict[Role, VoyageFolder], more: dict[str, Any], stale: str
) -> None:
    folder = folders["consignee"]
    folder.write_signed(sheet_of(folder, **more), folder.signer())
    summary = summarize([folder])

    assert [view.stale for view in summary.inspections] == [stale]
    assert lines_of(summary)[0].endswith(stale)
    assert f"it says nothing: {stale}" in page(summary)
    assert stale in untold_of_site(folder)


def test_a_verdict_that_does_not_follow_from_the_findings_is_not_told(folders: dict[Role, VoyageFolder]) -> None:
    folder = folders["consignee"]
    folder.write_signed(msgspec.structs.replace(sheet_of(folder, 2, 1), is_fit=True), folder.signer())

    assert "NOT FIT" in lines_of(summarize([folder]))[0]
