import json
from pathlib import Path

import pytest

from packtrain.documents.codec import encode
from packtrain.documents.parties import Role
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.receipt import Receipt
from packtrain.documents.shipment import Shipment
from packtrain.record.custody import CustodyLog
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock
from packtrain.report.route_view import STAGE_ORDER
from packtrain.report.summarize import summarize
from packtrain.report.summary_json import to_builtins
from packtrain.report.training_facts import STEPS
from packtrain.standing import STAGES
from sample_documents import SHIPMENT, samples
from three_parties import three_parties

SAMPLES = samples()


@pytest.fixture
def folders(tmp_path: Path) -> dict[Role, VoyageFolder]:
    return three_parties(tmp_path)


def _receipt(folder: VoyageFolder, stage: str) -> Receipt:
    return StageClock(folder, stage, {}).finish(counts={"samples_loaded": 7})


def _log_steps(folder: VoyageFolder, text: str) -> None:
    path = folder.logs / STEPS
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_a_new_voyage_has_a_name_and_nothing_else(folders: dict[Role, VoyageFolder]) -> None:
    summary = summarize(list(folders.values()))

    assert summary.name == "test voyage"
    assert [party.role for party in summary.parties] == ["consignor", "operator", "consignee"]
    assert summary.shipment is None
    assert summary.training is None
    assert summary.unread == ()


def test_documents_are_found_in_whichever_folder_holds_them(folders: dict[Role, VoyageFolder]) -> None:
    signer = folders["consignor"].signer()
    folders["consignor"].write_signed(SAMPLES[Plan], signer)
    folders["consignee"].write_signed(SAMPLES[Shipment], signer)

    summary = summarize(list(folders.values()))

    assert summary.plan == SAMPLES[Plan]
    assert summary.shipment == SAMPLES[Shipment]


def test_a_document_that_does_not_verify_is_left_out_and_named(folders: dict[Role, VoyageFolder]) -> None:
    folders["consignor"].write_signed(SAMPLES[Plan], folders["operator"].signer())
    folders["consignor"].write(SAMPLES[Shipment])

    summary = summarize([folders["consignor"]])

    assert summary.plan is None
    assert summary.shipment is None
    assert any("plan.json" in message and "does not name" in message for message in summary.unread)
    assert any("shipment.json" in message and "no signature" in message for message in summary.unread)


def test_a_good_copy_in_another_folder_counts_though_one_is_bad(folders: dict[Role, VoyageFolder]) -> None:
    folders["consignor"].write(SAMPLES[Plan])
    folders["consignee"].write_signed(SAMPLES[Plan], folders["consignor"].signer())

    summary = summarize(list(folders.values()))

    assert summary.plan == SAMPLES[Plan]
    assert len(summary.unread) == 1


def test_an_unsigned_rehearsal_sheet_is_still_shown(folders: dict[Role, VoyageFolder]) -> None:
    folders["consignor"].write(SAMPLES[Ready])

    assert summarize([folders["consignor"]]).ready == SAMPLES[Ready]


def test_receipts_come_in_the_order_of_the_voyage(folders: dict[Role, VoyageFolder]) -> None:
    for stage in reversed(STAGE_ORDER):
        _receipt(folders["consignor"], stage)

    summary = summarize([folders["consignor"]])

    assert tuple(receipt.stage for receipt in summary.parties[0].receipts) == STAGE_ORDER


def test_the_stops_of_the_route_name_every_stage_in_its_order() -> None:
    assert tuple(stage for stage, _ in STAGES) == STAGE_ORDER


def test_a_receipt_is_found_by_stage_and_role(folders: dict[Role, VoyageFolder]) -> None:
    mine, theirs = _receipt(folders["consignor"], "close"), _receipt(folders["operator"], "close")
    summary = summarize(list(folders.values()))

    assert summary.receipt("close") == mine
    assert summary.receipt("close", "operator") == theirs
    assert summary.receipt("pack") is None


def test_a_spoiled_receipt_is_named_and_spoils_nothing_else(folders: dict[Role, VoyageFolder]) -> None:
    good = _receipt(folders["consignor"], "plan")
    (folders["consignor"].receipts / "pack.json").write_bytes(encode(good)[:-1])

    summary = summarize([folders["consignor"]])

    assert summary.parties[0].receipts == (good,)
    assert "pack.json" in summary.unread[0]


def test_a_broken_custody_log_is_named(folders: dict[Role, VoyageFolder]) -> None:
    (folders["consignor"].documents / "custody.jsonl").write_text("{}\n")

    party = summarize([folders["consignor"]]).parties[0]

    assert party.custody == ()
    assert "custody" in (party.custody_error or "")


def test_custody_is_read_as_far_as_it_verifies(folders: dict[Role, VoyageFolder]) -> None:
    consignor = folders["consignor"]
    log = CustodyLog(consignor.documents / "custody.jsonl")
    line = log.append(
        "closed", shipment=SHIPMENT, by="consignor", signer=consignor.signer(), trust=consignor.trust(), cases=("A",)
    )

    assert summarize([consignor]).parties[0].custody == (line,)


def test_steps_are_read_and_what_is_no_step_is_left_out(folders: dict[Role, VoyageFolder]) -> None:
    lines = [
        "[1, 1, 4.5, 8, 0.25]",
        "[1, 2, null, 8, 0.5]",
        "[1, 3, NaN]",
        "[1, 4, 1e999]",
        "[1, 5]",
        "[]",
        '[1, "six", 1.0]',
        '{"attempt": 1, "step": 6, "loss": 1.0}',
        "7",
        "null",
        '"text"',
        "",
        "[" * 100_000,
        "[2, 7, 2, 8, 0.75]",
        "[2, 8, 1.",
    ]
    _log_steps(folders["consignee"], "\n".join(lines))

    curve = summarize([folders["consignee"]]).training

    assert curve is not None
    points = [(column.at, column.last) for column in curve.kept.in_order() if column.low == column.last]
    assert points == [(1, 4.5), (7, 2.0)]
    assert [(mark.attempt, mark.step) for mark in curve.marks] == [(1, 1), (2, 7)]


def test_steps_that_are_no_utf8_spoil_no_report(folders: dict[Role, VoyageFolder]) -> None:
    _log_steps(folders["consignee"], "[1, 1, 4.5]\n")
    with (folders["consignee"].logs / STEPS).open("ab") as stream:
        stream.write(b"\xff\xfe\n")

    curve = summarize([folders["consignee"]]).training
    assert curve is not None and curve.num_lines == 1


def test_a_summary_is_plain_values_that_json_takes(folders: dict[Role, VoyageFolder]) -> None:
    folders["consignor"].write_signed(SAMPLES[Shipment], folders["consignor"].signer())
    _receipt(folders["consignor"], "pack")

    plain = json.loads(json.dumps(to_builtins(summarize(list(folders.values())))))

    assert plain["shipment"]["shipment"] == SHIPMENT
    assert list(plain["parties"][0]["stages"]) == ["pack"]
    assert plain["admission"] is None
