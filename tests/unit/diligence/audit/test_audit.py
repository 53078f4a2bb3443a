"""A whole record is in order; every damage is a fault by name, all of them in one run; and the exit code says so."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import audit_parts
from audit_parts import LETTER, audited, dossier, faults, keys_of, put
from packtrain.crypto.sshsig import SshSigner, generate_key_pair
from packtrain.digest import sha256_bytes
from packtrain.diligence.amendments import FIRED, SHORT_FORM_FAILED
from packtrain.diligence.audit.opening import audit_folder
from packtrain.diligence.bag import copy_bag
from packtrain.diligence.hand_over import custody_log
from packtrain.documents.admission import Admission
from packtrain.documents.closing import Closing
from packtrain.documents.codec import decode, digest, encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.disposition import Disposition
from packtrain.documents.export_list import ExportList
from packtrain.documents.flags import Flags
from packtrain.documents.inspection import Inspection
from packtrain.documents.parties import ROLES, Role
from packtrain.documents.plan import Plan
from packtrain.documents.ready import Ready
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.errors import DocumentError, DossierError, KeyMalformed, NotAVoyage, SourceUnreadable
from packtrain.events import discard
from packtrain.record.custody import signed_line
from packtrain.stages import carry, custody
from sample_documents import samples
from voyage_papers import Papers, arrived, packed

SHIPMENT = "12345678-1234-1234-1234-123456789abc"


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return audit_parts.voyage(tmp_path)


def stranger(papers: Papers) -> SshSigner:
    generate_key_pair(papers.root / "stranger", "")
    return SshSigner.load(papers.root / "stranger")


@pytest.mark.parametrize("role", ROLES)
def test_the_folder_of_each_party_of_a_closed_voyage_is_in_order(papers: Papers, role: Role) -> None:
    audit = audited(papers.folders[role])

    assert (audit.faults, audit.verdict.exit_code) == ((), 0)
    assert audit.verdict.num_documents == len(audit.documents) >= 9
    assert {use.owner for use in audit.verdict.keys} >= {"consignor's key", "operator's key", "consignee's key"}


@pytest.mark.parametrize("name", ["parties.json", "allowed_signers"])
def test_a_dossier_is_in_order_by_keys_that_came_another_way(papers: Papers, name: str) -> None:
    audit = audit_folder(dossier(papers), parties=papers.operator.documents / name)

    assert (audit.faults, audit.verdict.exit_code) == ((), 0)
    assert audit.verdict.keys_inside and all(
        "the same on the trusted list" in text for text in audit.verdict.keys_inside
    )


def test_a_dossier_as_this_version_exports_it_is_in_order(papers: Papers) -> None:
    audit = audit_folder(papers.dossier("last"), parties=keys_of(papers))

    assert [fault for fault in audit.faults if fault.kind != "missing"] == []


def test_the_list_of_keys_in_a_dossier_is_shown_and_never_trusted(papers: Papers) -> None:
    audit = audit_folder(dossier(papers))

    assert (audit.faults, audit.verdict.exit_code) == ((), 119)
    assert len(audit.verdict.keys_inside) == 4
    assert all(
        row.signature.startswith("signature valid, by a key that nobody vouched for here") for row in audit.documents
    )
    assert audit.for_whom is not None and "nobody vouched" in audit.for_whom.told.signature
    assert any("nobody vouched" in text for text in audit.cannot_say)


def test_without_a_list_two_keys_of_one_party_contradict_each_other(papers: Papers) -> None:
    plan = papers.consignor.read_signed(Plan)
    put(papers, "plan.json", plan, stranger(papers))

    assert ("contradiction", "plan.json") in faults(audit_folder(dossier(papers)))


def test_without_a_list_an_entry_by_another_key_than_its_partys_contradicts_the_rest(papers: Papers) -> None:
    log, other = custody_log(papers.consignor), stranger(papers)
    event = log.read(papers.consignor.trust())[-1]
    line = signed_line(
        msgspec.structs.replace(
            event.event, sequence=event.event.sequence + 1, previous=event.digest, verb="sighted", by="consignor"
        ),
        other,
    )
    log.path.write_bytes(log.path.read_bytes() + line + b"\n")

    assert ("contradiction", "custody.jsonl, line 5") in faults(audit_folder(dossier(papers)))
    assert ("foreign key", "custody.jsonl, line 5") in faults(audited(papers.consignor))


def test_a_sheet_of_another_shipment_or_one_that_contradicts_itself_is_a_fault(papers: Papers) -> None:
    sample, name = samples()[Inspection], "inspections/consignee.json"
    assert isinstance(sample, Inspection)
    signer = papers.consignee.signer()
    good = msgspec.structs.replace(sample, shipment=papers.consignor.read_signed(Shipment).shipment)
    put(papers, name, good, signer)
    assert audited(papers.consignor).faults == ()
    assert not any(name in text for text in audited(papers.consignor).cannot_say)
    put(papers, name, msgspec.structs.replace(good, shipment=None), signer)
    unbound = audited(papers.consignor)
    assert unbound.faults == ()
    assert any(name in text and "fit any other" in text for text in unbound.cannot_say)
    for change in ({"shipment": SHIPMENT}, {"is_fit": True}):
        put(papers, name, msgspec.structs.replace(good, **change), signer)
        assert faults(audited(papers.consignor)) == {("contradiction", name)}, change


def test_a_list_of_keys_that_is_a_pipe_is_not_waited_for(papers: Papers) -> None:
    path = papers.consignor.documents / "parties.json"
    path.unlink()
    os.mkfifo(path)

    assert ("malformed", "parties.json") in faults(audited(papers.consignor))


# Each damages the consignor's folder and returns the fault that it is.
Damage = Callable[[Papers], tuple[str, str]]


def no_signature(papers: Papers) -> tuple[str, str]:
    (papers.consignor.documents / "groups" / "0.json.sig").unlink()
    return "no signature", "groups/0.json"


def no_second_signature(papers: Papers) -> tuple[str, str]:
    (papers.consignor.documents / "export-list.json.operator.sig").unlink()
    return "no signature", "export-list.json"


def altered(papers: Papers) -> tuple[str, str]:
    path = papers.consignor.documents / "packing-statement.json"
    path.write_bytes(path.read_bytes().replace(b"PT-1001", b"PT-1009"))
    return "bad signature", "packing-statement.json"


def foreign_key(papers: Papers) -> tuple[str, str]:
    put(papers, "plan.json", papers.consignor.read_signed(Plan), stranger(papers))
    return "foreign key", "plan.json"


def signed_by_the_wrong_party(papers: Papers) -> tuple[str, str]:
    name = "closings/consignee.json"
    closing = papers.consignee.read_signed(Closing)
    put(papers, name, closing, papers.operator.signer())
    return "foreign key", name


def line_cut_out(papers: Papers) -> tuple[str, str]:
    path = papers.consignor.documents / "custody.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    return "custody", "custody.jsonl, line 2"


def superseded_declaration_gone(papers: Papers) -> tuple[str, str]:
    shutil.rmtree(papers.consignor.documents / "declarations")
    declaration = msgspec.json.decode((papers.consignor.documents / "declaration.json").read_bytes())
    return "missing", f"declaration {declaration['supersedes'][:16]}"


def contradiction(papers: Papers) -> tuple[str, str]:
    closing = papers.operator.read_signed(Closing)
    changed = msgspec.structs.replace(closing, shipment=SHIPMENT)
    put(papers, "closings/operator.json", changed, papers.operator.signer())
    return "contradiction", "closings/operator.json"


def unknown_file(papers: Papers) -> tuple[str, str]:
    (papers.consignor.documents / "notes.txt").write_text("by hand")
    return "unknown file", "notes.txt"


def signature_of_nothing(papers: Papers) -> tuple[str, str]:
    (papers.consignor.documents / "kit.json.sig").write_text("x")
    return "unknown file", "kit.json.sig"


def symlink(papers: Papers) -> tuple[str, str]:
    (papers.consignor.documents / "groups" / "1.json").symlink_to("0.json")
    return "link", "groups/1.json"


def pipe(papers: Papers) -> tuple[str, str]:
    os.mkfifo(papers.consignor.documents / "ready.json")
    return "link", "ready.json"


def malformed(papers: Papers) -> tuple[str, str]:
    payload = b'{"type":"packtrain.screening","version":1}'
    path = papers.consignor.documents / "screening.json"
    path.write_bytes(payload)
    path.with_name("screening.json.sig").write_text(papers.consignor.signer().sign(namespace(Screening), payload))
    return "malformed", "screening.json"


def wrong_name(papers: Papers) -> tuple[str, str]:
    (path,) = (papers.consignor.documents / "dispositions").glob("*.json")
    name = f"dispositions/{'a' * 64}.json"
    for suffix in ("", ".sig"):
        Path(f"{path}{suffix}").rename(papers.consignor.documents / f"{name}{suffix}")
    return "wrong name", name


def altered_evidence(papers: Papers) -> tuple[str, str]:
    name = f"evidence/{sha256_bytes(LETTER)}"
    (papers.consignor.documents / name).write_bytes(b"another letter")
    return "altered", name


def strange_evidence(papers: Papers) -> tuple[str, str]:
    sha256 = sha256_bytes(b"unasked")
    (papers.consignor.documents / "evidence" / sha256).write_bytes(b"unasked")
    return "unknown file", f"evidence/{sha256[:16]}"


def deep_folder(papers: Papers) -> tuple[str, str]:
    (papers.consignor.documents / "a/b/c/d/e/f/g/h").mkdir(parents=True)
    return "unknown file", "a/b/c/d/e/f/g"


def unchained(papers: Papers) -> tuple[str, str]:
    declaration = msgspec.structs.replace(papers.consignor.read_signed(Declaration), supersedes=None, changes=())
    put(papers, f"declarations/{digest(declaration)}.json", declaration, papers.consignor.signer())
    return "contradiction", "declarations"


def answer_to_nothing(papers: Papers) -> tuple[str, str]:
    screening = papers.consignor.read_signed(Screening)
    answer = msgspec.structs.replace(samples()[Disposition], by="consignor", screening=digest(screening))  # pyright: ignore[reportArgumentType]
    name = f"dispositions/{digest(answer)}.json"
    put(papers, name, answer, papers.consignor.signer())
    return "contradiction", name


DAMAGES: list[Damage] = [
    no_signature,
    no_second_signature,
    altered,
    foreign_key,
    signed_by_the_wrong_party,
    line_cut_out,
    superseded_declaration_gone,
    contradiction,
    unknown_file,
    signature_of_nothing,
    symlink,
    pipe,
    malformed,
    wrong_name,
    altered_evidence,
    strange_evidence,
    deep_folder,
    unchained,
    answer_to_nothing,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_each_damage_is_a_fault_by_name(papers: Papers, damage: Damage) -> None:
    expected = damage(papers)

    audit = audited(papers.consignor)

    assert expected in faults(audit), audit.faults
    assert audit.verdict.exit_code == 118


def test_a_run_that_the_verdict_names_and_that_is_gone_is_told_once(papers: Papers) -> None:
    named = papers.consignor.documents / "flags" / "operator.json"
    digest = sha256_bytes(named.read_bytes())
    named.unlink()
    named.with_name("operator.json.sig").unlink()

    found = audited(papers.consignor).faults

    assert [fault.where for fault in found if fault.kind == "missing"].count(f"flags {digest[:16]}") >= 1
    assert not [fault for fault in found if fault.where == "documents" and "not here" in fault.what], found


def test_all_damages_are_named_in_one_run(papers: Papers) -> None:
    together = [damage for damage in DAMAGES if damage not in (malformed, unchained, answer_to_nothing)]
    expected = {damage(papers) for damage in [*together, malformed]}

    audit = audited(papers.consignor)

    assert expected <= faults(audit)
    assert audit.verdict.sentence.startswith("NOT in order")


def test_what_cannot_be_believed_is_not_told(papers: Papers) -> None:
    path = papers.consignor.documents / "declaration.json"
    path.write_bytes(path.read_bytes().replace(b"comets", b"planes"))

    audit = audited(papers.consignor)

    assert (audit.whose_data, audit.for_whom, audit.owned_by, audit.machines) == (None, None, None, None)
    assert "planes" not in str(msgspec.to_builtins(audit))


def test_evidence_that_is_not_here_is_said_and_is_no_fault(papers: Papers) -> None:
    (papers.consignor.documents / "evidence" / sha256_bytes(LETTER)).unlink()

    audit = audited(papers.consignor)

    assert audit.verdict.exit_code == 0
    assert any("letter" in text and sha256_bytes(LETTER)[:16] in text for text in audit.cannot_say)


def test_a_second_signature_by_another_than_the_operator_is_foreign(papers: Papers) -> None:
    path = papers.consignor.documents / "export-list.json"
    signature = papers.consignee.signer().sign(namespace(ExportList), path.read_bytes())
    path.with_name("export-list.json.operator.sig").write_text(signature)

    found = [fault.what for fault in audited(papers.consignor).faults]

    assert any(what.startswith("second signature: the second signature is not the operator's") for what in found)


def test_one_party_does_not_sign_the_export_list_twice(papers: Papers) -> None:
    path = papers.consignor.documents / "export-list.json"
    path.with_name("export-list.json.sig").write_text(
        papers.operator.signer().sign(namespace(ExportList), path.read_bytes())
    )

    audit = audited(papers.consignor)

    assert ("foreign key", "export-list.json") in faults(audit)
    assert audit.came_home.told is None


def test_what_each_side_noted_by_itself_at_the_end_is_told_and_no_fork(papers: Papers) -> None:
    log = (papers.consignee.documents / "custody.jsonl").read_bytes()
    (papers.consignor.documents / "custody.consignee.jsonl").write_bytes(log)

    audit = audited(papers.consignor)

    assert audit.faults == ()
    assert "the consignee notes 4 drives as loaded" in audit.trained.loaded[0]


def test_what_stands_out_is_told_first_and_is_no_fault(papers: Papers) -> None:
    told = "\n".join(audited(papers.consignor).stands_out)

    assert "2 signatures stand for an exception to a STOP" in told
    assert "1 flags were open when the site decided" in told
    assert "candidates of the screening by the consignor that are open: 1" in told
    assert "4 of 4 drives are not sanitised, says the operator" in told


def test_a_broken_seal_and_a_lost_drive_stand_out(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    lost = papers.consignor.read_signed(Plan).drives[0].uuid
    log, signer, trust = custody_log(papers.operator), papers.operator.signer(), papers.operator.trust()
    shipment = papers.consignor.read_signed(Plan).shipment
    log.append("seal-broken", shipment=shipment, by="operator", signer=signer, trust=trust, cases=("A",), note="cut")
    log.append("lost", shipment=shipment, by="operator", signer=signer, trust=trust, drives=(lost,), note="at sea")
    log.append("lost", shipment=shipment, by="operator", signer=signer, trust=trust, cases=("B",), note="on fire")
    shutil.copy(log.path, papers.consignor.documents / "custody.jsonl")

    audit = audited(papers.consignor)

    assert audit.faults == ()
    assert any("seal broken" in text and "cut" in text for text in audit.stands_out)
    assert any("drive lost: A1" in text and "at sea" in text for text in audit.stands_out)
    assert any("drive lost: B1" in text and "on fire" in text for text in audit.stands_out)


def test_a_later_run_without_flags_changes_nothing_of_what_was_open_at_the_verdict(papers: Papers) -> None:
    flags = papers.consignor.documents / "flags" / "operator.json"
    run = decode(Flags, flags.read_bytes(), "flags")
    passed = tuple(msgspec.structs.replace(result, level=None, outcome="passed", findings=()) for result in run.results)
    put(papers, f"flags/{digest(run)}.json", run, papers.operator.signer())
    put(
        papers,
        "flags/operator.json",
        msgspec.structs.replace(run, results=passed, judged_on="2026-11-22T10:00:00Z", supersedes=digest(run)),
        papers.operator.signer(),
    )

    audit = audited(papers.consignor)

    assert audit.faults == ()
    assert [text.split(":")[0] for text in audit.flagged.open_at_admission] == ["FLAG PAY-1"]


def test_a_drive_is_no_dossier(papers: Papers) -> None:
    with pytest.raises(DossierError) as refused:
        audit_folder(papers.root / "drives" / "A1")

    assert "packtrain check --signed" in (refused.value.hint or "")


def test_a_document_that_another_names_is_missed(papers: Papers) -> None:
    for name in ("admission.json", "admission.json.sig"):
        (papers.consignor.documents / name).unlink()

    named = papers.operator.digest(Admission)[:16]
    # The statement that repeats it says now what no document says.
    fault, other = sorted(audited(papers.consignor).faults, key=lambda each: each.kind, reverse=True)

    assert (fault.kind, fault.where) == ("missing", f"admission {named}")
    assert (other.kind, other.where) == ("contradiction", "statements/operator/admission.statement.json")
    assert fault.what.startswith("export-list.json names it")


def test_an_admission_against_an_open_stop_contradicts_the_sites_own_rules(papers: Papers) -> None:
    for path in (papers.consignor.documents / "flag-answers").iterdir():
        path.unlink()
    for path in (papers.consignor.documents / "evidence").iterdir():
        path.unlink()

    (fault,) = audited(papers.consignor).faults

    assert (fault.kind, fault.where) == ("contradiction", "admission.json")
    assert "STOP PT-3" in fault.what


def test_exceptions_come_first_and_what_was_open_at_the_verdict_is_told(papers: Papers) -> None:
    flagged = audited(papers.consignor).flagged

    assert [text.split()[0:2] for text in flagged.exceptions] == [["PT-3", "STOP"], ["PT-3", "STOP"]]
    assert {"B. Bright", "C. Second"} == {
        text.split(" passed by ")[1].split(" for the")[0] for text in flagged.exceptions
    }
    assert [text.split(":")[0] for text in flagged.open_at_admission] == ["FLAG PAY-1"]
    (newer,) = [run for run in flagged.runs if run.is_current]
    assert len(flagged.runs) == 3
    assert [(flag.rule, flag.open_because, flag.was_open_at_admission) for flag in newer.flags] == [
        ("PT-3", "", False),
        ("PAY-1", "", True),
    ]


def test_an_amendment_shows_the_old_value_and_the_new_one(papers: Papers) -> None:
    (amendment,) = audited(papers.consignor).flagged.amendments

    assert amendment.changes == ('end_use: "to find comets" -> "to find comets, and asteroids"',)


def test_an_amendment_that_hides_a_change_contradicts_itself(papers: Papers) -> None:
    declaration = msgspec.structs.replace(papers.consignor.read_signed(Declaration), changes=())
    put(papers, "declaration.json", declaration, papers.consignor.signer())

    found = [fault for fault in audited(papers.consignor).faults if fault.where.startswith("amendment of ")]

    assert any("does not name" in fault.what and "asteroids" in fault.what for fault in found)


def test_an_amendment_that_invents_what_was_so_before_it_contradicts_the_record(papers: Papers) -> None:
    before = papers.consignor.read_signed(Declaration)
    invented = (f"{FIRED}HQ-1 STOP by the operator", f"{SHORT_FORM_FAILED}another reason")
    declaration = msgspec.structs.replace(before, changes=(*before.changes, *invented))
    put(papers, "declaration.json", declaration, papers.consignor.signer())

    found = [fault.what for fault in audited(papers.consignor).faults if fault.where.startswith("amendment of ")]

    assert any("no run that is here says so: HQ-1 STOP by the operator" in what for what in found)
    assert any("what it says of the short form is not so" in what for what in found)


def test_a_screening_is_told_with_the_days_of_its_lists_and_its_candidates(papers: Papers) -> None:
    at_home = [each for each in audited(papers.consignor).flagged.screenings if each.by == "consignor"]
    older, newer = sorted(at_home, key=lambda each: each.is_current)

    assert (older.candidates, newer.lists[0].split(" of ")[0]) == ((), "invented")
    (candidate,) = newer.candidates
    assert (candidate.is_strong, candidate.is_open, len(candidate.answers)) == (True, True, 1)


def test_a_flag_answer_to_another_finding_is_a_contradiction(papers: Papers) -> None:
    (flags,) = (papers.consignor.documents / "flags").glob("operator.json")
    newer = msgspec.json.decode(flags.read_bytes())
    run = msgspec.structs.replace(samples()[Flags], by="operator", voyage=newer["voyage"])  # pyright: ignore[reportArgumentType]
    put(papers, "flags/operator.json", run, papers.operator.signer())

    found = audited(papers.consignor).faults

    assert any(fault.kind == "missing" and fault.where.startswith("flags ") for fault in found)


def test_the_story_of_custody_has_every_holder_and_when(papers: Papers) -> None:
    hands = audited(papers.consignor).in_whose_hands

    assert [case.case for case in hands.cases] == ["A", "B"]
    assert [period.holder for period in hands.cases[0].periods] == ["consignor", "operator"]
    assert hands.cases[0].periods[1].until is None
    assert any("operator" in text for text in hands.proven)
    assert any("that a time is true" in text for text in hands.not_provable)


def test_a_log_that_was_cut_at_its_end_shows_against_the_counterpart(papers: Papers) -> None:
    path = papers.consignor.documents / "custody.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))

    alone = audited(papers.consignor)
    beside = audit_folder(papers.consignor.root, voyage=papers.operator.root)

    # Alone it shows because the site admitted drives of cases that nobody handed over, and signed a head of more lines.
    assert [fault.where for fault in alone.faults] == ["custody.jsonl", "custody.jsonl", "line 3"]
    assert any("it ends 2 entries before the log of" in fault.what for fault in beside.faults)


def test_two_logs_that_forked_are_both_named(papers: Papers) -> None:
    path = papers.consignor.documents / "custody.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    other = papers.operator.documents / "custody.jsonl"
    other.write_bytes(b"".join(lines[:3]))
    custody_log(papers.operator).append(
        "sighted",
        shipment=msgspec.json.decode((papers.operator.documents / "shipment.json").read_bytes())["shipment"],
        by="operator",
        signer=papers.operator.signer(),
        trust=papers.operator.trust(),
        cases=("A",),
    )

    audit = audit_folder(papers.consignor.root, voyage=papers.operator.root)

    assert ("custody", "custody.jsonl, line 4") in faults(audit)


def test_a_torn_last_line_is_named(papers: Papers) -> None:
    path = papers.consignor.documents / "custody.jsonl"
    path.write_bytes(path.read_bytes()[:-1])

    assert ("custody", "custody.jsonl") in faults(audited(papers.consignor))


def test_a_packing_statement_without_a_log_is_not_whole(papers: Papers) -> None:
    (papers.consignor.documents / "custody.jsonl").unlink()

    assert faults(audited(papers.consignor)) == {("missing", "custody.jsonl")}


def test_a_voyage_on_its_way_is_in_order_and_says_what_is_not_known(tmp_path: Path) -> None:
    audit = audited(packed(tmp_path).consignor)

    assert (audit.faults, audit.verdict.exit_code) == ((), 0)
    assert any(text.startswith("What came home") for text in audit.cannot_say)
    assert any(text.startswith("What the site decided") for text in audit.cannot_say)


def test_an_own_rehearsal_sheet_that_showed_less_stays_unsigned_and_is_no_fault(papers: Papers) -> None:
    sheet = msgspec.structs.replace(samples()[Ready], ready_to_leave=False)
    (papers.consignor.documents / "ready.json").write_bytes(encode(sheet))

    assert audited(papers.consignor).faults == ()


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda root: (root / "README.txt").write_text("other"), ("altered", "README.txt")),
        (lambda root: (root / "README.txt").unlink(), ("missing", "README.txt")),
        (lambda root: (root / "data/documents/kit.json").write_text("{}"), ("unknown file", "data/documents/kit.json")),
        (lambda root: (root / "data/documents/plan.json").unlink(), ("missing", "data/documents/plan.json")),
        (lambda root: (root / "data/allowed_signers").write_text("x"), ("altered", "data/allowed_signers")),
        (lambda root: (root / "data/link").symlink_to("/etc/passwd"), ("link", "data/link")),
        (lambda root: (root / "extra.txt").write_text("x"), ("unknown file", "extra.txt")),
        (lambda root: (root / "data/extra").write_text("x"), ("unknown file", "data/extra")),
        (lambda root: (root / "bagit.txt").write_text("BagIt-Version: 0.9\n"), ("malformed", "bagit.txt")),
        (lambda root: (root / "manifest-sha256.txt").write_bytes(b"\xff"), ("malformed", "manifest-sha256.txt")),
        (
            lambda root: (root / "tagmanifest-sha256.txt").write_text("a\n"),
            ("malformed", "tagmanifest-sha256.txt, line 1"),
        ),
    ],
)
def test_a_dossier_that_is_not_whole_is_told_file_by_file(
    papers: Papers, spoil: Callable[[Path], object], expected: tuple[str, str]
) -> None:
    root = dossier(papers)
    spoil(root)

    audit = audit_folder(root, parties=keys_of(papers))

    assert expected in faults(audit), audit.faults
    assert audit.verdict.exit_code == 118


def test_what_the_audit_calls_whole_an_import_would_read(papers: Papers) -> None:
    root = papers.dossier("read")

    audit = audit_folder(root, parties=keys_of(papers))

    assert copy_bag(root, papers.root / "copy").tagmanifest == audit.dossier


@pytest.mark.parametrize(
    "text", ["", "nonsense", "consignor cert-authority ssh-ed25519 AAAA\n", "somebody ssh-ed25519 AAAA\n"]
)
def test_a_list_of_keys_that_is_none_is_refused(papers: Papers, text: str) -> None:
    path = papers.root / "keys.txt"
    path.write_text(text)

    with pytest.raises(DocumentError):
        audit_folder(papers.consignor.root, parties=path)


def test_keys_and_folders_that_cannot_be_used_are_refused(papers: Papers) -> None:
    (papers.root / "keys.txt").write_text("consignor ssh-ed25519 AAAA\n")
    with pytest.raises(KeyMalformed):
        audit_folder(papers.consignor.root, parties=papers.root / "keys.txt")
    with pytest.raises(SourceUnreadable):
        audit_folder(papers.consignor.root, parties=papers.root / "none")
    with pytest.raises(NotAVoyage):
        audit_folder(papers.consignor.root, voyage=papers.root)
    with pytest.raises(DossierError):
        audit_folder(papers.root / "drives")


def test_a_folder_whose_own_list_of_keys_is_spoilt_is_audited_as_unvouched(papers: Papers) -> None:
    (papers.consignor.documents / "parties.json").write_text("{")

    audit = audited(papers.consignor)

    assert faults(audit) == {("malformed", "parties.json")}
    assert all("nobody vouched" in row.signature for row in audit.documents)


def test_a_key_counts_only_for_the_namespaces_that_the_list_gives_it(papers: Papers) -> None:
    path = papers.root / "keys.txt"
    text = (papers.operator.documents / "allowed_signers").read_text()
    path.write_text(text.replace("packtrain-plan@v1,", ""))

    assert ("foreign key", "plan.json") in faults(audit_folder(papers.consignor.root, parties=path))


def test_a_voyage_packed_again_and_sealed_again_is_in_order(tmp_path: Path) -> None:
    papers = packed(tmp_path)
    papers.state_cases({"A": ("A. Carrier", "PT-2001"), "B": ("B. Carrier", "PT-1002")})
    carry.seal(papers.consignor, papers.sink)
    papers.pack(attempt=2)
    papers.seal()

    audit = audited(papers.consignor)

    assert (audit.faults, audit.attempt) == ((), 2)


def test_what_is_too_large_is_not_read(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    (papers.consignor.documents / "plan.json.sig").write_bytes(b"x" * 10_000)

    assert ("too large", "plan.json.sig") in faults(audited(papers.consignor))

    monkeypatch.setattr("packtrain.diligence.audit.files.MAX_FILES", 5)
    assert ("too large", ".") in faults(audited(papers.consignor))


def test_names_that_are_no_text_are_shown_and_harmless(papers: Papers) -> None:
    folder = os.fsencode(papers.consignor.documents)
    for name in (b"\xff.json", b"\x1b[2J.json", "\u202e.json".encode()):
        Path(os.fsdecode(folder + b"/" + name)).write_text("{}")

    found = {fault.where for fault in audited(papers.consignor).faults}

    assert found == {"\\udcff.json", "\\x1b[2J.json", "\\u202e.json"}


def test_documents_that_are_a_link_are_not_followed(papers: Papers) -> None:
    papers.consignor.documents.rename(papers.root / "elsewhere")
    papers.consignor.documents.symlink_to(papers.root / "elsewhere")

    audit = audited(papers.consignor)

    assert ("link", "documents") in faults(audit)
    assert audit.documents == ()


def test_a_log_of_another_shipment_or_with_strangers_in_it_is_named_line_by_line(papers: Papers) -> None:
    path = papers.consignor.documents / "custody.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([b"not json\n", *lines, lines[0].replace(b"PT-1001", b"PT-1009"), b'{"a":1}\n']))

    found = faults(audited(papers.consignor))

    last = len(lines) + 2
    assert {("malformed", "custody.jsonl, line 1"), ("bad signature", f"custody.jsonl, line {last}")} <= found
    assert ("malformed", f"custody.jsonl, line {last + 1}") in found
    assert ("custody", "custody.jsonl, line 2") in found


# --- heads, revocations, papers and statements ---


def test_a_head_that_the_log_contradicts_is_a_fault_and_one_that_fits_is_told_as_proof(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    assert audited(papers.consignor).in_whose_hands.proven
    log = papers.consignor.documents / "custody.jsonl"
    log.write_bytes(b"\n".join(log.read_bytes().split(b"\n")[:-2]) + b"\n")

    found = [fault for fault in audited(papers.consignor).faults if "cut tail" in fault.what]

    assert found and found[0].kind == "custody"


def test_what_a_revoked_key_signed_and_nobody_vouches_for_is_a_foreign_key(tmp_path: Path) -> None:
    papers = arrived(tmp_path)
    thief = papers.consignor.signer()
    custody.revoke(papers.consignor, "the laptop was stolen", discard)
    assert audited(papers.consignor).faults == ()
    forged = msgspec.structs.replace(papers.consignor.read(Declaration), end_use="another one")
    put(papers, "declaration.json", forged, thief)

    found = [fault for fault in audited(papers.consignor).faults if fault.where == "declaration.json"]

    assert [fault.kind for fault in found] == ["foreign key"]
    assert "revoked" in found[0].what


def test_a_statement_that_says_something_else_is_a_contradiction(papers: Papers) -> None:
    path = papers.consignor.documents / "statements" / "operator" / "admission.statement.json"
    path.write_bytes(path.read_bytes().replace(b"PASSED", b"FAILED"))

    kinds = {fault.kind for fault in audited(papers.consignor).faults}

    assert kinds == {"bad signature", "contradiction"}
