import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from packtrain.devices.directory import DirectoryDrive
from packtrain.diligence.hand_over import custody_log
from packtrain.documents.admission import Admission
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.drive import Drive as DriveRecord
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.plan import Plan
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    DossierError,
    DriveMissing,
    FullFormNeeded,
    SignatureInvalid,
    StageNotReady,
    WrongKey,
    WrongRole,
)
from packtrain.events import discard
from packtrain.ports import Drive
from packtrain.record import keys
from packtrain.record.folder import VOYAGE_FILE
from packtrain.record.parties import sync_parties
from packtrain.record.receipts import is_fresh
from packtrain.stages import admit, carry, declare, exchange
from packtrain.volume import layout
from three_parties import three_parties
from voyage_papers import Papers, arrived, declaration_toml, declared, packed, write_pair


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return arrived(tmp_path)


def outcome(papers: Papers, check: str) -> tuple[str, str]:
    admission = papers.operator.read_signed(Admission)
    found = next(item for item in admission.checks if item.check == check)
    return found.outcome, found.detail


def judge(papers: Papers, drives: list[Drive] | None = None, name: str = "dossier", *, no_more: bool = False) -> None:
    admit.admit(papers.operator, papers.dossier(name), drives or [], papers.sink, no_more=no_more)


def restate(papers: Papers, statement: PackingStatement) -> None:
    """Sign another packing statement into the consignor's folder, as a consignor could who writes his own tool."""
    papers.consignor.write_signed(statement, papers.consignor.signer())


def uuid_of(papers: Papers, label: str) -> str:
    return next(drive.uuid for drive in papers.consignor.read(Shipment).drives if drive.label == label)


def test_a_declared_voyage_is_admitted_and_the_key_goes_on_to_the_loader(papers: Papers) -> None:
    judge(papers, papers.mounted())
    admission = papers.operator.read_signed(Admission)
    assert admission.verdict == "admit"
    assert not admission.own_site
    assert [drive.label for drive in admission.drives] == ["A1", "A2", "B1", "B2"]
    assert admission.dossier in {path.name for path in (papers.operator.documents / "dossiers").iterdir()}
    release = papers.operator.keys / keys.RELEASE
    assert release.stat().st_mode & 0o077 == 0
    exchange.import_dossier(papers.consignee, papers.dossier("on", "operator", "consignee"), discard)
    key = keys.open_inner(
        (papers.consignee.keys / keys.RELEASE).read_bytes(),
        papers.consignee.identity(),
        papers.consignee.trust(),
        "release.age",
        shipment=admission.shipment,
        plan=admission.plan,
        role="consignee",
    )
    assert key.identity == papers.identity


def test_the_verdict_says_what_was_not_done(papers: Papers) -> None:
    judge(papers)
    not_screened = "not screened: no list of parties was looked at; at home: not screened"
    assert outcome(papers, "screening") == ("not done", not_screened)
    assert outcome(papers, "rules at home")[0] == "not done"
    assert outcome(papers, "mounted drives")[0] == "not done"
    assert outcome(papers, "rehearsal")[0] == "not done"


def test_admitting_again_keeps_the_same_verdict_and_digest(papers: Papers) -> None:
    source = papers.dossier()
    admit.admit(papers.operator, source, papers.mounted(), discard)
    first = papers.operator.digest(Admission)
    assert is_fresh(papers.operator, admit.STAGE, admit.inputs(papers.operator, source, papers.mounted()))
    assert not is_fresh(papers.operator, admit.STAGE, admit.inputs(papers.operator, source, papers.mounted("A1")))
    admit.admit(papers.operator, None, papers.mounted(), discard)
    assert papers.operator.digest(Admission) == first


def test_only_the_operator_admits(papers: Papers) -> None:
    for folder in (papers.consignor, papers.consignee):
        with pytest.raises(WrongRole):
            admit.admit(folder, None, [], discard)


def test_without_papers_there_is_no_verdict(papers: Papers) -> None:
    with pytest.raises(StageNotReady):
        admit.admit(papers.operator, None, [], discard)
    assert not papers.operator.has(Admission)


def test_a_paper_altered_after_the_import_gives_no_verdict(papers: Papers) -> None:
    exchange.import_dossier(papers.operator, papers.dossier(), discard)
    path = papers.operator.document_path(Plan)
    path.write_bytes(path.read_bytes().replace(b"the test", b"the text"))
    with pytest.raises(SignatureInvalid):
        admit.admit(papers.operator, None, [], discard)
    assert not papers.operator.has(Admission)


def test_a_refusal_is_signed_and_opens_nothing(papers: Papers) -> None:
    restate(papers, _without_a_drive(papers.consignor.read(PackingStatement)))
    with pytest.raises(AdmissionRefused, match="A1: not on the statement"):
        judge(papers)
    assert papers.operator.read_signed(Admission).verdict == "refuse"
    assert papers.operator.read_signed(Admission).drives == ()
    assert not (papers.operator.keys / keys.RELEASE).exists()
    assert papers.operator.receipt("admit") is None


def test_a_later_refusal_destroys_the_released_key_and_keeps_both_verdicts(papers: Papers) -> None:
    judge(papers, papers.mounted())
    first = papers.operator.digest(Admission)
    stranger = papers.root / "stranger"
    shutil.copytree(papers.drives["A1"], stranger)
    with pytest.raises(AdmissionRefused):
        admit.admit(papers.operator, None, [*papers.mounted(), DirectoryDrive(stranger)], papers.sink)
    assert not (papers.operator.keys / keys.RELEASE).exists()
    assert (papers.operator.documents / "admissions" / f"{first}.json").is_file()


def _without_a_drive(statement: PackingStatement) -> PackingStatement:
    case = msgspec.structs.replace(statement.cases[0], drives=statement.cases[0].drives[1:])
    return msgspec.structs.replace(statement, cases=(case, *statement.cases[1:]))


def _other_serial(statement: PackingStatement) -> PackingStatement:
    drive = msgspec.structs.replace(statement.cases[0].drives[0], serial="swapped")
    case = msgspec.structs.replace(statement.cases[0], drives=(drive, *statement.cases[0].drives[1:]))
    return msgspec.structs.replace(statement, cases=(case, *statement.cases[1:]))


def _drive_twice(statement: PackingStatement) -> PackingStatement:
    case = msgspec.structs.replace(
        statement.cases[0], drives=(*statement.cases[0].drives, statement.cases[0].drives[0])
    )
    return msgspec.structs.replace(statement, cases=(case, *statement.cases[1:]))


def _one_case_left_out(statement: PackingStatement) -> PackingStatement:
    return msgspec.structs.replace(statement, cases=statement.cases[:1])


def _no_carrier(statement: PackingStatement) -> PackingStatement:
    return msgspec.structs.replace(
        statement, cases=(msgspec.structs.replace(statement.cases[0], carrier=" "), *statement.cases[1:])
    )


def _seal_twice(statement: PackingStatement) -> PackingStatement:
    return msgspec.structs.replace(
        statement, cases=(msgspec.structs.replace(statement.cases[0], seal="PT-1002"), *statement.cases[1:])
    )


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (_without_a_drive, "A1: not on the statement"),
        (_other_serial, "serial swapped"),
        (_drive_twice, "on the statement 2 times"),
        (_one_case_left_out, "B1: not on the statement"),
        (_no_carrier, "case A: no carrier"),
        (_seal_twice, "seal PT-1002: given 2 times"),
    ],
)
def test_a_statement_that_does_not_cover_all_is_refused(
    papers: Papers, change: Callable[[PackingStatement], PackingStatement], fault: str
) -> None:
    restate(papers, change(papers.consignor.read(PackingStatement)))
    with pytest.raises(AdmissionRefused, match=fault):
        judge(papers)


def test_a_case_in_the_log_that_the_statement_does_not_name_is_refused(tmp_path: Path) -> None:
    # One traveller more than stated: a third case that is sealed and handed over with the others.
    papers = packed(tmp_path)
    custody_log(papers.consignor).append(
        "sealed",
        shipment=papers.consignor.read(Shipment).shipment,
        by="consignor",
        signer=papers.consignor.signer(),
        trust=papers.consignor.trust(),
        cases=("C",),
        seals=("PT-9",),
        note="carrier C. Carrier",
    )
    with pytest.raises(AdmissionRefused, match="case C is not on the packing statement"):
        judge(papers)


def test_another_seal_than_stated_is_refused(papers: Papers) -> None:
    custody_log(papers.operator).append(
        "seal-checked",
        shipment=papers.consignor.read(Shipment).shipment,
        by="operator",
        signer=papers.operator.signer(),
        trust=papers.operator.trust(),
        cases=("A",),
        seals=("PT-1003",),
    )
    with pytest.raises(AdmissionRefused, match="seal PT-1003, stated was PT-1001"):
        judge(papers)


def test_a_broken_seal_holds(papers: Papers) -> None:
    carry.observe(papers.operator, "seal-broken", discard, cases=("B",), note="opened at the border")
    with pytest.raises(AdmissionHeld, match="opened at the border"):
        judge(papers)
    assert papers.operator.read_signed(Admission).verdict == "hold"


def test_a_statement_that_nobody_sealed_under_holds(papers: Papers) -> None:
    restate(papers, msgspec.structs.replace(papers.consignor.read(PackingStatement), note="another"))
    with pytest.raises(AdmissionHeld, match="no case was sealed under this"):
        judge(papers)


def test_more_bytes_than_declared_are_refused(tmp_path: Path) -> None:
    papers = Papers(tmp_path, three_parties(tmp_path))
    papers.declare(declaration_toml({"most_bytes": '"100 kB"'}))
    papers.pack()
    papers.seal()
    with pytest.raises(AdmissionRefused, match="declared were at most 100 kB"):
        judge(papers)


def test_more_drives_than_declared_are_refused(tmp_path: Path) -> None:
    papers = Papers(tmp_path, three_parties(tmp_path))
    papers.declare(declaration_toml({"most_drives": "3"}))
    papers.pack()
    papers.seal()
    with pytest.raises(AdmissionRefused, match="4 drives, declared were at most 3"):
        judge(papers)


def test_volumes_that_hold_more_than_the_shipment_counts_hold(papers: Papers) -> None:
    shipment = msgspec.structs.replace(papers.consignor.read(Shipment), plaintext_bytes=1000)
    papers.consignor.write_signed(shipment, papers.consignor.signer())
    restate(papers, msgspec.structs.replace(papers.consignor.read(PackingStatement), shipment_root=digest(shipment)))
    with pytest.raises(AdmissionHeld, match="the data volumes hold"):
        judge(papers)


def test_a_rehearsal_is_refused_already_at_the_dossier(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    (papers.consignor.documents / "packing-statement.json").unlink()
    papers.pack("rehearsal")
    with pytest.raises(DossierError, match="rehearsal"):
        papers.dossier("rehearsal")


def test_a_declaration_beyond_the_short_form_is_refused_here_too(tmp_path: Path) -> None:
    # The consignor's own tool can be changed; the site judges the answers again.
    papers = Papers(tmp_path, three_parties(tmp_path))
    papers.declare()
    forged = papers.consignor.read(Declaration)
    forged = msgspec.structs.replace(
        forged, trained_for=msgspec.structs.replace(forged.trained_for, headquarters="SG", ultimate_parent=None)
    )
    papers.consignor.write_signed(forged, papers.consignor.signer())
    papers.pack()
    papers.seal()
    with pytest.raises(AdmissionRefused, match="SG: trained_for headquarters"):
        judge(papers)


def test_answers_that_say_nothing_hold(tmp_path: Path) -> None:
    papers = Papers(tmp_path, three_parties(tmp_path))
    papers.declare()
    empty = msgspec.structs.replace(papers.consignor.read(Declaration), end_use=" ? ")
    papers.consignor.write_signed(empty, papers.consignor.signer())
    papers.pack()
    papers.seal()
    with pytest.raises(AdmissionHeld, match="no answer to end_use"):
        judge(papers)


def test_an_amendment_is_shown_and_admitted(papers: Papers) -> None:
    papers.declare(declaration_toml({"returns": '"weights and metrics"'}), amend=True)
    judge(papers)
    assert outcome(papers, "amendments")[0] == "passed"
    assert 'returns: "weights, to the observatory" -> "weights and metrics"' in outcome(papers, "amendments")[1]


def test_an_amendment_that_hides_a_change_is_refused(papers: Papers) -> None:
    papers.declare(declaration_toml({"returns": '"weights and metrics"'}), amend=True)
    silent = msgspec.structs.replace(papers.consignor.read(Declaration), changes=())
    papers.consignor.write_signed(silent, papers.consignor.signer())
    with pytest.raises(AdmissionRefused, match="does not name"):
        judge(papers)


def test_answers_changed_until_the_short_form_fits_hold(tmp_path: Path) -> None:
    papers = Papers(tmp_path, three_parties(tmp_path))
    papers.answer(declaration_toml(parties={"trained_for": {"headquarters": "SG"}}))
    with pytest.raises(FullFormNeeded):
        declare.declare(papers.consignor, discard)
    papers.declare(amend=True)
    papers.pack()
    papers.seal()
    with pytest.raises(AdmissionHeld, match="AMD-1 HOLD"):
        judge(papers)
    assert 'trained_for.headquarters: "SG" -> "NL"' in outcome(papers, "rules")[1]


# --- the mounted drives ---


def test_a_missing_drive_without_a_word_holds(papers: Papers) -> None:
    with pytest.raises(AdmissionHeld, match="B2: missing, and no entry says why"):
        judge(papers, papers.mounted("A1", "A2", "B1"), no_more=True)


def test_drives_that_the_bays_did_not_take_are_named_and_not_held_against_anyone(papers: Papers) -> None:
    judge(papers, papers.mounted("A1", "A2"))
    assert papers.operator.read_signed(Admission).verdict == "admit"
    assert outcome(papers, "mounted drives") == (
        "not done",
        "2 of 4 drives mounted, all on the statement; not shown, and not judged: B1, B2",
    )


def test_not_showing_the_drives_again_mends_nothing(papers: Papers) -> None:
    with pytest.raises(AdmissionHeld, match="B2: missing"):
        judge(papers, papers.mounted("A1", "A2", "B1"), no_more=True)
    with pytest.raises(
        AdmissionHeld, match=r"not every drive is shown \(B2\), and an earlier verdict found: B2: missing"
    ):
        admit.admit(papers.operator, None, papers.mounted("A1", "A2", "B1"), discard)
    for _ in range(2):
        with pytest.raises(AdmissionHeld, match=": no drive was mounted, and an earlier verdict found: B2: missing"):
            admit.admit(papers.operator, None, [], discard)
    assert not (papers.operator.keys / keys.RELEASE).exists()
    admit.admit(papers.operator, None, papers.mounted(), discard)
    assert papers.operator.read_signed(Admission).verdict == "admit"
    admit.admit(papers.operator, None, [], discard)
    assert outcome(papers, "mounted drives")[0] == "not done"


def test_a_mount_point_with_nothing_on_it_is_no_reason_for_a_refusal(papers: Papers, tmp_path: Path) -> None:
    (tmp_path / "unmounted").mkdir()
    with pytest.raises(DriveMissing, match="no drive of a shipment is mounted there"):
        judge(papers, [*papers.mounted("A1"), DirectoryDrive(tmp_path / "unmounted")])
    assert not papers.operator.has(Admission)
    admit.admit(papers.operator, None, papers.mounted("A1", "A2"), discard)
    assert papers.operator.read_signed(Admission).verdict == "admit"


def with_serial(root: Path, serial: str) -> Papers:
    """Return an arrived voyage whose drive A1 told its serial number when it was packed."""
    papers = declared(root)
    papers.pack(serials={"A1": serial})
    papers.seal()
    papers.hand_over()
    return papers


def test_a_refused_drive_stays_refused_when_nothing_is_mounted(tmp_path: Path) -> None:
    papers = with_serial(tmp_path / "other", "WD-76")
    others = papers.mounted("A2", "B1", "B2")
    with pytest.raises(AdmissionRefused, match="serial WD-77"):
        judge(papers, [DirectoryDrive(papers.drives["A1"], serial="WD-77"), *others])
    with pytest.raises(AdmissionRefused, match=r"an earlier verdict found: .* serial WD-77"):
        admit.admit(papers.operator, None, [], discard)


def test_a_missing_drive_that_was_reported_lost_is_admitted_with_a_note(papers: Papers) -> None:
    carry.observe(papers.operator, "lost", discard, drives=(uuid_of(papers, "B2"),), note="not in the case")
    judge(papers, papers.mounted("A1", "A2", "B1"))
    assert outcome(papers, "mounted drives")[0] == "passed"
    assert "B2: lost, by a signed entry" in outcome(papers, "mounted drives")[1]
    assert [drive.label for drive in papers.operator.read_signed(Admission).drives] == ["A1", "A2", "B1"]


def test_drives_of_a_lost_case_count_as_reported_lost(papers: Papers) -> None:
    carry.observe(papers.operator, "lost", discard, cases=("B",), note="the van burnt")
    with pytest.raises(AdmissionHeld, match="reported lost, and is here"):
        judge(papers, papers.mounted())


def test_a_drive_reported_lost_that_is_here_holds(papers: Papers) -> None:
    carry.observe(papers.operator, "lost", discard, drives=(uuid_of(papers, "B2"),))
    with pytest.raises(AdmissionHeld, match="reported lost, and is here"):
        judge(papers, papers.mounted())


def test_an_unknown_drive_is_refused(papers: Papers) -> None:
    folder = papers.root / "unknown"
    record = msgspec.structs.replace(
        _record(papers, "A1"), uuid="00000000-0000-4000-8000-00000000000f", label="X1", serial="folder-00000000"
    )
    write_pair(folder / layout.DRIVE, record, papers.consignor)
    with pytest.raises(AdmissionRefused, match=r"drive X1 .* is not on the packing statement"):
        judge(papers, [*papers.mounted(), DirectoryDrive(folder)])


def _record(papers: Papers, label: str) -> DriveRecord:
    from packtrain.documents.codec import decode

    return decode(DriveRecord, (papers.drives[label] / layout.DRIVE).read_bytes(), label)


def test_a_swapped_serial_is_refused(tmp_path: Path) -> None:
    papers = with_serial(tmp_path / "other", "WD-76")
    others = papers.mounted("A2", "B1", "B2")
    with pytest.raises(AdmissionRefused, match="serial WD-77, stated was WD-76"):
        judge(papers, [DirectoryDrive(papers.drives["A1"], serial="WD-77"), *others])


def test_a_stated_serial_that_cannot_be_read_here_holds(tmp_path: Path) -> None:
    papers = with_serial(tmp_path / "other", "WD-76")
    with pytest.raises(AdmissionHeld, match="serial cannot be read here, stated was WD-76"):
        judge(papers, papers.mounted())


def test_a_serial_that_packing_could_not_read_is_no_other_one_when_it_is_read_here(papers: Papers) -> None:
    others = papers.mounted("A2", "B1", "B2")
    judge(papers, [DirectoryDrive(papers.drives["A1"], serial="WD-77"), *others])
    assert outcome(papers, "mounted drives")[0] == "passed"


def test_a_drive_mounted_twice_is_refused(papers: Papers) -> None:
    copy = papers.root / "copy"
    shutil.copytree(papers.drives["A1"], copy)
    with pytest.raises(AdmissionRefused, match=r"is mounted at .* too"):
        judge(papers, [*papers.mounted(), DirectoryDrive(copy)])


def test_a_closing_record_of_another_writing_is_refused(papers: Papers) -> None:
    record = msgspec.structs.replace(_record(papers, "A1"), tagmanifest="e" * 64)
    write_pair(papers.drives["A1"] / layout.DRIVE, record, papers.consignor)
    with pytest.raises(AdmissionRefused, match="closing record of A1 is not the one"):
        judge(papers, papers.mounted())


def test_a_drive_signed_by_a_stranger_is_refused(papers: Papers) -> None:
    write_pair(papers.drives["A1"] / layout.DRIVE, _record(papers, "A1"), papers.consignee)
    with pytest.raises(AdmissionRefused, match="does not name for it"):
        judge(papers, papers.mounted())


def test_a_folder_that_is_no_closed_drive_is_refused(papers: Papers) -> None:
    (papers.root / "stick").mkdir()
    (papers.root / "stick" / "holiday.jpeg").write_bytes(b"sea")
    with pytest.raises(AdmissionRefused, match="no closing record") as refused:
        judge(papers, [*papers.mounted(), DirectoryDrive(papers.root / "stick")])
    assert "all drives of the statement mounted at once" in str(refused.value.hint)


def test_mounted_drives_of_a_case_that_nobody_accepted_hold(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    with pytest.raises(AdmissionHeld, match="nobody at the site has accepted it"):
        judge(papers, papers.mounted())


# --- keys and roles ---


def test_without_the_key_envelope_the_verdict_is_hold(papers: Papers) -> None:
    (papers.consignor.keys / keys.SITE_ENVELOPE).unlink()
    with pytest.raises(AdmissionHeld, match="key envelope"):
        judge(papers)


def test_an_envelope_to_another_operator_is_said_after_the_verdict(papers: Papers) -> None:
    envelope = papers.consignor.keys / keys.SITE_ENVELOPE
    envelope.write_bytes((papers.consignor.keys / keys.CONSIGNOR_ENVELOPE).read_bytes())
    with pytest.raises(WrongKey):
        judge(papers)
    assert papers.operator.receipt("admit") is None
    assert not (papers.operator.keys / keys.RELEASE).exists()


def _share_keys(papers: Papers, giver: str, taker: str) -> None:
    """Give one party's keys to another role in all three folders: one person plays both."""
    source, target = papers.folders[giver], papers.folders[taker]  # pyright: ignore[reportArgumentType]
    for name in ("signer", "signer.pub", "identity.txt"):
        shutil.copy(source.keys / name, target.keys / name)
    party = source.parties().of(giver)  # pyright: ignore[reportArgumentType]
    replaced = source.parties().of(taker)  # pyright: ignore[reportArgumentType]
    assert party is not None and replaced is not None
    for folder in papers.folders.values():
        path = folder.root / VOYAGE_FILE
        path.write_text(
            path.read_text().replace(replaced.signer, party.signer).replace(replaced.recipient, party.recipient)
        )
        sync_parties(folder)


def test_operator_and_consignee_with_one_key_are_held(tmp_path: Path) -> None:
    papers = Papers(tmp_path, three_parties(tmp_path))
    _share_keys(papers, "operator", "consignee")
    papers.declare()
    papers.pack()
    papers.seal()
    papers.hand_over()
    with pytest.raises(AdmissionHeld, match="operator and consignee use one key"):
        judge(papers)


def test_consignor_and_operator_with_one_key_are_an_own_site(tmp_path: Path) -> None:
    papers = Papers(tmp_path, three_parties(tmp_path))
    _share_keys(papers, "consignor", "operator")
    papers.declare()
    papers.pack()
    papers.seal()
    papers.hand_over()
    judge(papers, papers.mounted())
    admission = papers.operator.read_signed(Admission)
    assert (admission.verdict, admission.own_site) == ("admit", True)


def test_an_earlier_packing_statement_that_was_left_out_holds_the_voyage(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    first = papers.consignor.digest(PackingStatement)
    papers.state_cases({"A": ("Another Carrier", "PT-3001"), "B": ("B. Carrier", "PT-1002")})
    carry.seal(papers.consignor, discard)
    papers.hand_over()
    place = papers.consignor.documents / "packing-statements"
    kept = {path.name: path.read_bytes() for path in place.iterdir()}
    shutil.rmtree(place)
    with pytest.raises(
        AdmissionHeld, match=f"packing statement {first[:12]}, under which entry 0 seals a case, is miss"
    ):
        judge(papers, name="without")
    place.mkdir()
    for name, payload in kept.items():
        (place / name).write_bytes(payload)
    judge(papers, name="with")
    assert outcome(papers, "custody")[0] == "passed"
