from pathlib import Path

import pytest

from packtrain.documents.codec import encode
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import DocumentError
from packtrain.record.folder import VoyageFolder
from packtrain.record.receipts import StageClock, instant, is_fresh
from packtrain.stages.init import init
from sample_documents import samples, sha256

INPUTS = {"recipe": sha256("1"), "sources": sha256("2")}


@pytest.fixture
def folder(tmp_path: Path) -> VoyageFolder:
    return init(tmp_path, "test", "consignor")


@pytest.fixture
def done(folder: VoyageFolder) -> VoyageFolder:
    """Return a folder in which `pack` has written two documents and its receipt."""
    clock = StageClock(folder, "pack", INPUTS)
    folder.write(samples()[Plan])
    folder.write(samples()[Shipment])
    clock.finish(outputs=(Plan, Shipment), counts={"volumes": 3}, facts={"readback": "direct"}, versions={"age": "1"})
    return folder


def test_a_stage_without_a_receipt_is_not_done(folder: VoyageFolder) -> None:
    assert not is_fresh(folder, "pack", {})


def test_a_stage_is_done_for_exactly_its_inputs(done: VoyageFolder) -> None:
    assert is_fresh(done, "pack", INPUTS)
    assert is_fresh(done, "pack", dict(reversed(INPUTS.items())))


@pytest.mark.parametrize(
    "inputs", [{}, {"recipe": sha256("1")}, {**INPUTS, "recipe": sha256("3")}, {**INPUTS, "more": sha256("3")}]
)
def test_another_input_makes_it_run_again(done: VoyageFolder, inputs: dict[str, str]) -> None:
    assert not is_fresh(done, "pack", inputs)


def test_another_stage_is_not_done_by_it(done: VoyageFolder) -> None:
    assert not is_fresh(done, "plan", INPUTS)


def test_a_document_that_was_removed_makes_it_run_again(done: VoyageFolder) -> None:
    done.document_path(Shipment).unlink()

    assert not is_fresh(done, "pack", INPUTS)


def test_a_signature_that_was_removed_makes_it_run_again(folder: VoyageFolder) -> None:
    clock = StageClock(folder, "pack", INPUTS)
    folder.write_signed(samples()[Plan], folder.signer())
    clock.finish(outputs=(Plan,))
    assert is_fresh(folder, "pack", INPUTS)

    folder.signature_path(Plan).unlink()

    assert not is_fresh(folder, "pack", INPUTS)


def test_a_document_that_was_changed_makes_it_run_again(done: VoyageFolder) -> None:
    path = done.document_path(Plan)
    path.write_bytes(path.read_bytes() + b" ")

    assert not is_fresh(done, "pack", INPUTS)


def test_a_receipt_says_what_was_done_with_what(done: VoyageFolder) -> None:
    receipt = done.receipt("pack")

    assert receipt is not None
    assert receipt.inputs == INPUTS
    assert receipt.outputs == {"plan.json": done.digest(Plan), "shipment.json": done.digest(Shipment)}
    assert receipt.counts == {"volumes": 3}
    assert receipt.facts == {"readback": "direct"}
    assert receipt.seconds >= 0
    assert set(receipt.versions) == {"packtrain", "age"}
    assert done.receipt_path("pack").read_bytes() == encode(receipt)


def test_a_spoiled_receipt_is_an_error_and_not_a_stage_to_do(done: VoyageFolder) -> None:
    done.receipt_path("pack").write_bytes(b"{}")

    with pytest.raises(DocumentError, match=r"pack\.json"):
        is_fresh(done, "pack", INPUTS)


def test_now_is_spelled_as_documents_spell_it() -> None:
    assert len(instant()) == len("2026-11-21T08:09:10Z")
    assert instant()[10] == "T"
    assert instant()[-1] == "Z"
