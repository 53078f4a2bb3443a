"""How results came to be: which steps ran under which kit, said by the site, held against the papers at home."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from packtrain.digest import sha256_bytes
from packtrain.diligence.audit.audit import Audit
from packtrain.diligence.statements import check_statements, signed_statements
from packtrain.documents.codec import encode, namespace
from packtrain.documents.kit_update import KitUpdate
from packtrain.documents.parties import STATEMENT_NAMESPACE
from packtrain.documents.plan import Plan
from packtrain.documents.provenance import Provenance
from packtrain.engines.local import LocalEngine
from packtrain.errors import (
    KitError,
    PacktrainError,
    ProvenanceBroken,
    SignatureInvalid,
    SignatureMissing,
    TrainingFailed,
    UntrustedSigner,
)
from packtrain.events import Event, Notice, discard
from packtrain.record.folder import VOYAGE_FILE
from packtrain.stages import exchange, homecoming, train, update
from packtrain.stages.homecoming.provenance import provenance_files
from packtrain.training.outbox import PROVENANCE_NAME, PROVENANCE_STATEMENT, SIGNED_BESIDE
from packtrain.without_folder import audit_record
from site_parts import load_receipt
from tiny_dataset import make_tiny_dataset
from update_parts import COMMAND, kit_at_the_site, rehearse, yes
from voyage_papers import Papers, copy_papers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]

# Saves one number at each step; the first program fails at step 5, as one with a mistake does. Without torch, which
# takes seconds to import: what the export reads is written by the test into the last checkpoint.
PROGRAM = """\
import json, sys
from pathlib import Path

checkpoints, steps = Path(sys.argv[4]), int(sys.argv[6])
saved = sorted(checkpoints.glob("step-????"))
step, value = json.loads((saved[-1] / "state.json").read_text()) if saved else (0, 0.0)
while step < steps:
    step += 1
    assert step < LIMIT, "the mistake"
    value += RATE
    place = checkpoints / f".step-{step:04d}"
    place.mkdir()
    (place / "state.json").write_text(json.dumps([step, value]))
    position = {"seed": 0, "epoch": 0, "samples_consumed": 4 * step}
    position |= {"order_version": "random-1", "index_digest": "a" * 64}
    (place / "position.json").write_text(json.dumps({"step": step, "position": position}))
    place.rename(checkpoints / f"step-{step:04d}")
    print(json.dumps({"step": step, "loss": 1.0 / step, "samples": 4}), flush=True)
"""
EXPORT = '[text]\nfiles = ["metrics.jsonl"]\n\n[[tensors]]\nname = "w"\ndtype = "float32"\nshape = [2]\n'


def program(*, limit: int, rate: float) -> dict[str, str]:
    return {"train.py": PROGRAM.replace("LIMIT", str(limit)).replace("RATE", str(rate)), "export.toml": EXPORT}


def run(papers: Papers, events: list[Event] | None = None) -> Any:
    sink = events.append if events is not None else discard
    return train.train(papers.consignee, LocalEngine(), Path(sys.executable), sink)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    """A voyage that failed under its first kit, and was trained to the end under a mended one; made once."""
    papers = kit_at_the_site(tmp_path_factory.mktemp("voyage"), program(limit=5, rate=0.5))
    consignee = papers.consignee
    make_tiny_dataset(consignee.root / "store", num_tables=6, num_images=6, num_clips=3)
    load_receipt(consignee)
    path = consignee.root / VOYAGE_FILE
    path.write_text(f'{path.read_text()}max_restarts = 0\n\n[site]\nstore = "store"\n')
    with pytest.raises(TrainingFailed):
        run(papers)
    rehearse(papers.consignor, program(limit=99, rate=0.25))
    update.make(papers.consignor, papers.root / "one.update", "it failed at step 5", discard)
    update.countersign(papers.operator, papers.root / "one.update", yes)
    update.apply(consignee, papers.root / "one.update", discard)
    events: list[Event] = []
    run(papers, events)
    assert any(isinstance(event, Notice) and "the same run goes on" in event.text for event in events)
    export(papers)
    return papers


def export(papers: Papers) -> None:
    """Export what the last checkpoint holds, as the form that may leave."""
    import torch
    from torch.distributed.checkpoint.state_dict_saver import save

    newest = sorted((papers.consignee.work / "checkpoints").glob("step-????"))[-1]
    _, value = json.loads((newest / "state.json").read_text())
    if not (newest / ".metadata").exists():
        save({"w": torch.full((2,), value)}, checkpoint_id=newest, no_dist=True)
    homecoming.export(papers.consignee, discard)


@pytest.fixture
def voyage(trained: Papers, tmp_path: Path) -> Papers:
    return copy_papers(trained, tmp_path / "voyage")


def audited(record: Path, parties: Path) -> Audit:
    return audit_record(record, parties=parties, voyage=None, page=None)


def outbox(papers: Papers) -> Path:
    return papers.consignee.root / "outbox"


def go_home(papers: Papers) -> list[Event]:
    events: list[Event] = []
    homecoming.release(papers.operator, outbox(papers), discard)
    homecoming.accept(papers.consignor, outbox(papers), events.append)
    return events


def test_an_update_goes_on_with_the_same_run_and_the_steps_under_each_kit_are_known(voyage: Papers) -> None:
    receipt = voyage.consignee.receipt("train")
    assert receipt is not None
    kits = [each.kit for each in voyage.consignee.read_signed(Provenance).kits]
    assert receipt.facts["kits"] == f"steps 1-4 under {kits[0][:12]}; steps 5-8 under {kits[1][:12]}"
    assert receipt.counts["steps"] == 8
    assert not list(voyage.consignee.work.glob("checkpoints.*"))
    made = voyage.consignee.read_signed(Provenance)
    assert [each.steps for each in made.kits] == ["1-4", "5-8"]
    assert [(each.attempt, each.kit) for each in made.attempts] == [(1, kits[0]), (2, kits[1])]
    assert "failed" in made.attempts[0].reason or "ended" in made.attempts[0].reason
    assert made.position.startswith("epoch 0, 32 samples of it consumed, seed 0")
    assert made.cargo == voyage.consignee.read_signed(Plan).cargo
    # Four steps of 0.5 under the first kit, four of 0.25 under the second.
    from safetensors.numpy import load_file

    go_home(voyage)
    weights = load_file(voyage.consignor.root / "results" / "weights.safetensors")
    assert weights["w"].tolist() == [3.0, 3.0]


def test_home_says_the_steps_under_each_kit_and_keeps_the_papers(voyage: Papers) -> None:
    told = [event.text for event in go_home(voyage) if isinstance(event, Notice)]
    assert any("from the drives: steps 1-4" in text for text in told)
    assert any("by update 1: steps 5-8" in text for text in told)
    results = voyage.consignor.root / "results"
    card = (results / "MODEL-CARD.md").read_text()
    made = voyage.consignor.read_signed(Provenance)
    for text in (made.kits[0].kit, "5-8", made.results, made.shipment_root, "No level of SLSA"):
        assert text in card
    statement = json.loads((results / "PROVENANCE.statement.json").read_bytes())
    assert {each["name"] for each in statement["subject"]} == {"weights.safetensors", "metrics.jsonl"}
    assert statement["predicate"] == json.loads(encode(made))
    for folder in voyage.folders.values():
        assert folder.read_signed(Provenance) == made


def test_a_card_that_a_person_wrote_in_stays_as_long_as_its_results_do(voyage: Papers) -> None:
    go_home(voyage)
    card = voyage.consignor.root / "results" / "MODEL-CARD.md"
    made = card.read_text()
    card.write_text(f"It forecasts the sky.\n{made}")
    go_home(voyage)
    assert card.read_text() == f"It forecasts the sky.\n{made}"
    card.write_text("of other results")
    go_home(voyage)
    assert card.read_text() == made


def test_a_place_in_the_data_is_read_as_the_loader_says_it_too(voyage: Papers) -> None:
    newest = sorted((voyage.consignee.work / "checkpoints").glob("step-????"))[-1]
    path = newest / "position.json"
    path.write_text(json.dumps(json.loads(path.read_text())["position"]))
    (outbox(voyage) / "export-list.json").unlink()
    homecoming.export(voyage.consignee, discard)
    assert voyage.consignee.read_signed(Provenance).position.startswith("epoch 0, 32 samples of it consumed, seed 0")


def test_an_audit_finds_no_fault_and_tells_it(voyage: Papers) -> None:
    go_home(voyage)
    parties = voyage.consignor.documents / "parties.json"
    for sender in ("operator", "consignee"):
        exchange.import_dossier(voyage.consignor, voyage.dossier(f"from-{sender}", sender, "consignor"), discard)
    # The operator's signature under the export list came after the consignee's papers: its dossier brings it.
    assert audited(voyage.consignee.root, parties).faults != ()
    exchange.import_dossier(voyage.consignee, voyage.dossier("released", "operator", "consignee"), discard)
    for folder in (voyage.consignor, voyage.operator, voyage.consignee):
        found = audited(folder.root, parties)
        assert found.faults == ()
        assert any("brought by update 1: steps 5-8" in text for text in found.trained.trained)
        assert any("kit update 1" in text and "it failed at step 5" in text for text in found.trained.trained)
    dossier = voyage.dossier("home", "consignor", "operator")
    assert audited(dossier, parties).faults == ()
    exchange.import_dossier(voyage.operator, dossier, discard)


def test_an_audit_finds_a_provenance_that_was_changed(voyage: Papers) -> None:
    go_home(voyage)
    made = voyage.consignor.read_signed(Provenance)
    voyage.consignor.write_signed(replace(made, results="9" * 64), voyage.consignee.signer())
    found = audited(voyage.consignor.root, voyage.consignor.documents / "parties.json")
    assert any("another results than the papers" in fault.what for fault in found.faults)


def test_the_statement_is_made_anew_from_the_papers_byte_for_byte(voyage: Papers) -> None:
    from packtrain.diligence.papers import read_papers

    go_home(voyage)
    papers = read_papers(voyage.consignor.documents, voyage.consignor.trust(), "consignor")
    files = signed_statements(papers, "consignee", voyage.consignee.signer(), envelopes=True)
    assert files[PROVENANCE_STATEMENT] == (outbox(voyage) / PROVENANCE_STATEMENT).read_bytes()
    assert check_statements(files, papers, voyage.consignor.trust()) == ()
    files[PROVENANCE_STATEMENT] = files[PROVENANCE_STATEMENT].replace(b'"1-4"', b'"1-5"')
    assert any(
        "something else than provenance.json" in fault
        for fault in check_statements(files, papers, voyage.consignor.trust())
    )


def lie(papers: Papers, **changes: Any) -> None:
    """Let the consignee sign another provenance of the same export list."""
    made = replace(papers.consignee.read_signed(Provenance), **changes)
    for name, payload in provenance_files(papers.consignee, made).items():
        (outbox(papers) / name).write_bytes(payload)


def first_kit_again(made: Provenance) -> dict[str, Any]:
    return {"kits": (made.kits[0], replace(made.kits[1], kit=made.kits[0].kit))}


LIES: tuple[Callable[[Provenance], dict[str, Any]], ...] = (
    lambda made: {"shipment_root": "9" * 64},
    lambda made: {"plan": "9" * 64},
    lambda made: {"cargo": "9" * 64},
    lambda made: {"export_list": "9" * 64},
    lambda made: {"results": "9" * 64},
    lambda made: {"training": "9" * 64},
    lambda made: {"admission": "9" * 64},
    lambda made: {"files": made.files[1:]},
    lambda made: {"kits": made.kits[:1], "num_steps": 4},
    lambda made: {"kits": made.kits[1:]},
    lambda made: {"kits": ()},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], update="9" * 64))},
    lambda made: {"kits": (replace(made.kits[0], ready=made.kits[1].ready), made.kits[1])},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="4-8"))},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="5-9"))},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="all"))},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="5-8 … <b>as said</b>"))},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="4-8 … (5 steps)"))},
    lambda made: {"kits": (replace(made.kits[0], ready="9" * 64), made.kits[1])},
    lambda made: {"program": "9" * 64},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="… <b>any words</b>"))},
    lambda made: {"kits": (made.kits[0], replace(made.kits[1], steps="4-8 … (9 steps)"))},
    lambda made: {"attempts": (replace(made.attempts[0], kit="9" * 64),)},
    first_kit_again,
)


def test_a_provenance_that_does_not_follow_is_not_released(voyage: Papers) -> None:
    made = voyage.consignee.read_signed(Provenance)
    for number, change in enumerate(LIES):
        lie(voyage, **change(made))
        with pytest.raises(ProvenanceBroken, match="does not follow"):
            homecoming.release(voyage.operator, outbox(voyage), discard)
        assert not (outbox(voyage) / "export-list.json.operator.sig").exists(), number
    lie(voyage)
    go_home(voyage)


def test_home_takes_only_the_kits_of_its_own_chain(voyage: Papers) -> None:
    # Both ends of the site conspire: a kit that the consignor never made, signed by a thief of its papers.
    homecoming.release(voyage.operator, outbox(voyage), discard)
    for name in ("kit-update.json", "kit-update.json.sig"):
        (voyage.consignor.documents / name).unlink()
    with pytest.raises(PacktrainError, match="another kit than the one that was sent"):
        homecoming.accept(voyage.consignor, outbox(voyage), discard)


@pytest.mark.parametrize("name", [PROVENANCE_NAME, PROVENANCE_STATEMENT])
def test_without_provenance_nothing_is_released_or_accepted(voyage: Papers, name: str) -> None:
    path = outbox(voyage) / name
    payload = path.read_bytes()
    path.unlink()
    with pytest.raises(ProvenanceBroken, match="without their provenance"):
        homecoming.release(voyage.operator, outbox(voyage), discard)
    path.write_bytes(payload)
    homecoming.release(voyage.operator, outbox(voyage), discard)
    path.write_bytes(payload[:-1] + b" }")
    with pytest.raises(SignatureInvalid):
        homecoming.accept(voyage.consignor, outbox(voyage), discard)
    path.write_bytes(payload)
    (outbox(voyage) / f"{name}.operator.sig").unlink()
    with pytest.raises(SignatureMissing):
        homecoming.accept(voyage.consignor, outbox(voyage), discard)
    assert not (voyage.consignor.root / "results").exists()


@pytest.mark.parametrize("name", sorted(SIGNED_BESIDE))
def test_what_was_put_beside_the_list_after_the_release_is_not_cut_into_pieces(voyage: Papers, name: str) -> None:
    # The list names sealed files alone; the others under names that are known would be sent with them.
    homecoming.release(voyage.operator, outbox(voyage), discard)
    path = outbox(voyage) / name
    payload = path.read_bytes()
    path.write_bytes(b"training data" * 1000)
    with pytest.raises(PacktrainError):
        homecoming.cut_pieces(voyage.consignee, 1 << 20, discard)
    assert not (voyage.consignee.root / "outbox-pieces").exists()
    path.write_bytes(payload)
    homecoming.cut_pieces(voyage.consignee, 1 << 20, discard)


@pytest.mark.parametrize("name", [PROVENANCE_NAME, f"{PROVENANCE_STATEMENT}.sig", "export-list.json.sig"])
def test_an_outbox_that_lost_its_provenance_is_made_again_by_the_command_that_is_told(
    voyage: Papers, name: str
) -> None:
    consignee = voyage.consignee
    before = homecoming.inputs(consignee)
    assert "outbox" not in before
    (outbox(voyage) / name).unlink()
    assert homecoming.inputs(consignee) == {**before, "outbox": sha256_bytes(b"gone")}


def test_what_the_exported_kit_declared_counts_at_home_whatever_the_program_declares_by_now(voyage: Papers) -> None:
    rehearse(voyage.consignor, {**program(limit=99, rate=0.25), "export.toml": EXPORT.replace('"w"', '"other"')})
    update.make(voyage.consignor, voyage.root / "two.update", "another name", discard)
    # The search reads the declaration too: what is there now is of the next kit, and half written.
    (voyage.consignor.root / "program" / "export.toml").write_text("[[tensors")
    path = voyage.consignor.root / VOYAGE_FILE
    path.write_text(
        f'{path.read_text()}\n[training]\nprogram = "program"\ncommand = "{COMMAND}"\nsteps = 8\nworkers = 1\n'
    )
    go_home(voyage)
    assert (voyage.consignor.root / "results" / "weights.safetensors").is_file()


def test_the_operator_does_not_sign_for_the_consignee(voyage: Papers) -> None:
    for name, space in ((PROVENANCE_NAME, namespace(Provenance)), (PROVENANCE_STATEMENT, STATEMENT_NAMESPACE)):
        payload = (outbox(voyage) / name).read_bytes()
        (outbox(voyage) / f"{name}.sig").write_text(voyage.operator.signer().sign(space, payload))
        with pytest.raises(UntrustedSigner, match="not signed by the consignee"):
            homecoming.release(voyage.operator, outbox(voyage), discard)


def test_nothing_is_trained_under_an_update_that_the_operator_did_not_countersign(voyage: Papers) -> None:
    # Papers and kit laid there by hand, past "update apply".
    place = voyage.consignee.documents / "kit-update.json.operator.sig"
    signature = place.read_text()
    run(voyage)
    place.unlink()
    with pytest.raises(SignatureMissing):
        run(voyage)
    payload = (voyage.consignee.documents / "kit-update.json").read_bytes()
    place.write_text(voyage.consignee.signer().sign(namespace(KitUpdate), payload))
    with pytest.raises(UntrustedSigner):
        run(voyage)
    place.write_text(signature)
    run(voyage)


def test_another_command_than_the_kits_is_refused(voyage: Papers) -> None:
    path = voyage.consignee.root / VOYAGE_FILE
    path.write_text(path.read_text().replace(COMMAND, f"{COMMAND} --other"))
    with pytest.raises(KitError, match="command is not the one that was rehearsed and signed") as caught:
        run(voyage)
    assert (caught.value.expected, caught.value.found) == (COMMAND, f"{COMMAND} --other")
    assert not list(voyage.consignee.work.glob("checkpoints.*"))


def test_a_new_command_of_the_kit_goes_on_with_the_same_run(voyage: Papers) -> None:
    other = f"{COMMAND} --quicker"
    rehearse(voyage.consignor, program(limit=99, rate=0.25), command=other)
    update.make(voyage.consignor, voyage.root / "two.update", "quicker", discard)
    update.countersign(voyage.operator, voyage.root / "two.update", yes)
    told = update.apply(voyage.consignee, voyage.root / "two.update", discard)
    assert any("--quicker" in text for text in told.steps_next)
    with pytest.raises(KitError, match="--quicker"):
        run(voyage)
    path = voyage.consignee.root / VOYAGE_FILE
    path.write_text(path.read_text().replace(COMMAND, other).replace("steps = 8", "steps = 10"))
    receipt = run(voyage)
    assert "steps 9-10 under" in receipt.facts["kits"]
    assert not list(voyage.consignee.work.glob("checkpoints.*"))
    export(voyage)
    assert [each.steps for each in voyage.consignee.read_signed(Provenance).kits] == ["1-4", "5-8", "9-10"]
    go_home(voyage)


def test_back_to_the_first_kit_its_steps_are_told_apart(voyage: Papers) -> None:
    rehearse(voyage.consignor, program(limit=5, rate=0.5))
    update.make(voyage.consignor, voyage.root / "two.update", "back", discard)
    update.countersign(voyage.operator, voyage.root / "two.update", yes)
    update.apply(voyage.consignee, voyage.root / "two.update", discard)
    path = voyage.consignee.root / VOYAGE_FILE
    path.write_text(path.read_text().replace("steps = 8", "steps = 9"))
    with pytest.raises(TrainingFailed):
        run(voyage)
    path.write_text(path.read_text().replace("steps = 9", "steps = 8"))
    run(voyage)
    export(voyage)
    made = voyage.consignee.read_signed(Provenance)
    assert [each.steps for each in made.kits] == ["1-4", "5-8", ""]
    assert made.kits[0].kit == made.kits[2].kit
    go_home(voyage)
