"""Drives that are called erased: an audit holds closing records and custody logs against what was signed of each."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

import audit_parts
from audit_parts import audited, faults
from packtrain.diligence.hand_over import custody_log
from packtrain.diligence.sanitised import keep_sanitisation
from packtrain.documents.closing import Closing
from packtrain.documents.codec import digest
from packtrain.documents.sanitisation import Sanitisation
from packtrain.documents.shipment import Shipment
from sample_documents import samples
from voyage_papers import Papers

SHIPMENT = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return audit_parts.voyage(tmp_path)


def sanitisation(papers: Papers, **changes: Any) -> Sanitisation:
    """Return a good record of the first drive of the shipment, changed."""
    drive = papers.consignor.read_signed(Shipment).drives[0]
    sample = samples()[Sanitisation]
    assert isinstance(sample, Sanitisation) and sample.read_back is not None
    good = msgspec.structs.replace(
        sample,
        shipment=papers.consignor.read_signed(Shipment).shipment,
        by="consignor",
        drive=drive.uuid,
        label=drive.label,
        shipped_serial=drive.serial,
        method="overwrite",
        result="Clear",
        why="",
        read_back=msgspec.structs.replace(
            sample.read_back, pattern="00", num_headers_left=0, num_faults=0, first_fault=None
        ),
    )
    return msgspec.structs.replace(good, **changes)


def closed_with(papers: Papers, record: Sanitisation, *, named: str | None = "", is_kept: bool = True) -> None:
    """Let the consignor's closing rest on a sanitisation of its first drive; `named` is another digest."""
    folder = papers.consignor
    if is_kept:
        keep_sanitisation(folder, record, folder.signer())
    closing = folder.read_signed(Closing)
    first = msgspec.structs.replace(
        closing.drives[0], sanitisation="Clear", record=digest(record) if named == "" else named, detail="overwrite"
    )
    folder.write_signed(msgspec.structs.replace(closing, drives=(first, *closing.drives[1:])), folder.signer())


def test_a_closing_that_rests_on_a_signed_sanitisation_is_in_order(papers: Papers) -> None:
    closed_with(papers, sanitisation(papers))
    audit = audited(papers.consignor)
    assert (audit.faults, audit.verdict.exit_code) == ((), 0)
    told = [text for closed in audit.came_home.closings for text in closed.drives]
    assert any(text.startswith("A1: Clear (overwrite; sanitisation ") for text in told)


def test_a_closing_that_claims_clear_by_nothing_is_a_fault(papers: Papers) -> None:
    closed_with(papers, sanitisation(papers), named=None, is_kept=False)
    assert ("contradiction", "closing.json") in faults(audited(papers.consignor))


def test_a_sanitisation_that_is_named_and_not_here_is_missing(papers: Papers) -> None:
    record = sanitisation(papers)
    closed_with(papers, record, is_kept=False)
    assert ("missing", f"sanitisation {digest(record)[:16]}") in faults(audited(papers.consignor))


def test_a_closing_that_says_more_than_its_sanitisation_is_a_fault(papers: Papers) -> None:
    closed_with(papers, sanitisation(papers, result="not sanitised", why="it failed"))
    assert ("contradiction", "closing.json") in faults(audited(papers.consignor))


@pytest.mark.parametrize("changes", [{"result": "Purge"}, {"read_back": None}, {"label": "B9"}, {"drive": SHIPMENT}])
def test_a_sanitisation_that_claims_too_much_or_is_of_no_drive_is_a_fault(
    papers: Papers, changes: dict[str, Any]
) -> None:
    record = sanitisation(papers, **changes)
    keep_sanitisation(papers.consignor, record, papers.consignor.signer())
    assert ("contradiction", f"sanitisations/{digest(record)}.json") in faults(audited(papers.consignor))


def test_an_entry_that_a_drive_was_erased_without_a_sanitisation_is_a_fault(papers: Papers) -> None:
    folder = papers.consignor
    drive = folder.read_signed(Shipment).drives[0]
    line = custody_log(folder).append(
        "erased",
        shipment=folder.read_signed(Shipment).shipment,
        by="consignor",
        signer=folder.signer(),
        trust=folder.trust(),
        cases=(drive.case,),
        drives=(drive.uuid,),
    )
    where = f"custody.jsonl, line {line.event.sequence + 1}"
    assert ("contradiction", where) in faults(audited(folder))
    record = sanitisation(papers)
    keep_sanitisation(folder, record, folder.signer())
    assert ("contradiction", where) not in faults(audited(folder))
