"""Both voyages by the command line, a million times smaller: 80 MB packed on 60 drives in 4 cases, and loaded."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from command_parts import Ran, done, edit, packtrain
from packtrain.crypto.sshsig import SshSigner
from packtrain.documents.admission import Admission
from packtrain.documents.codec import encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    AnswerRefused,
    CustodyContradicted,
    NotAdmitted,
    SignatureInvalid,
    UntrustedSigner,
)
from packtrain.record.folder import VoyageFolder
from real_voyage_parts import (
    LABELS,
    RealVoyage,
    add_lists,
    admit,
    amend,
    copy_of,
    levels,
    run_over,
    seal_and_hand_over,
    send_to_guest,
    state_cases,
    stored,
)
from scenario_parts import CARRIERS
from tree_parts import assert_equal

pytestmark = pytest.mark.long

REPORTED = {"HQ-1": "STOP", "PT-1": "STOP", "OWN-4": "HOLD", "CUS-5": "HOLD", "PT-2": "HOLD", "DC-1": "HOLD"}
ENGINEERS = {
    case: (f"{name} Engineer", f"PT-{case}")
    for case, name in zip("ABCD", ("First", "Second", "Third", "Fourth"), strict=True)
}
OTHER_ANSWERS = {
    'location = "CN"': 'location = "SG"',
    'headquarters = "CN"': 'headquarters = "SG"',
    'country = "CN"': 'country = "SG"',
    'formed_at_request_of = "Example Data Hall Sdn Bhd"': 'formed_at_request_of = "none"',
    'incorporated_on = "2025-05-30"': 'incorporated_on = "2019-05-30"',
    'infrastructure_attested = "no"': 'infrastructure_attested = "yes"',
    'customs_reference = "none"': 'customs_reference = "carnet 17"',
    'owner = "undisclosed"': 'owner = "Founders and staff of the developer"',
    'unknown_because = "the register of the island is not open"': (
        f'evidence = [{{ what = "register extract", sha256 = "{"8" * 64}" }}]'
    ),
}


@pytest.fixture(scope="module")
def lawful_packed(tmp_path_factory: pytest.TempPathFactory) -> RealVoyage:
    return run_over("lawful", tmp_path_factory.mktemp("lawful"), stated=True)


@pytest.fixture(scope="module")
def lawful_arrived(lawful_packed: RealVoyage, tmp_path_factory: pytest.TempPathFactory) -> RealVoyage:
    voyage = copy_of(lawful_packed, tmp_path_factory.mktemp("lawful-arrived"))
    seal_and_hand_over(voyage)
    return voyage


@pytest.fixture(scope="module")
def reported_packed(tmp_path_factory: pytest.TempPathFactory) -> RealVoyage:
    return run_over("reported", tmp_path_factory.mktemp("reported"), stated=False)


@pytest.fixture(scope="module")
def reported_refused(reported_packed: RealVoyage, tmp_path_factory: pytest.TempPathFactory) -> tuple[RealVoyage, Ran]:
    """Each traveller came alone: nothing is sealed, nothing stated. The site judged, and sent its verdict on."""
    voyage = copy_of(reported_packed, tmp_path_factory.mktemp("reported-refused"))
    judged = admit(voyage)
    send_to_guest(voyage)
    return voyage, judged


# --- the lawful voyage ---


def test_lawful_voyage_is_admitted_and_every_byte_arrives(lawful_arrived: RealVoyage, tmp_path: Path) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    admitted = admit(voyage)
    assert admitted.exit_code == 0, admitted.stderr
    assert admitted.document()["facts"]["verdict"] == "admit"
    assert levels(voyage.hall) == {}
    dossier = send_to_guest(voyage)
    assert voyage.load(*voyage.of()).exit_code == 0
    assert_equal(voyage.store, voyage.data)
    for place in (voyage.guest, dossier, voyage.hall, voyage.home):
        audit = packtrain("audit", place, "--parties", voyage.guest / "documents" / "parties.json")
        assert audit.exit_code == 0, audit.stdout
    told = done("audit", voyage.guest).stdout
    assert "Southern Plateau Observatory" in told and "A. Traveller" in told and "admit" in told
    assert "60 drives as loaded" in told.replace("\n           ", " ")
    checked = done("custody", "check", "--voyage", voyage.hall, "--json").document()
    assert (checked["verdict"], checked["num_proven"]) == ("proven to its last entry", 8)
    assert "not provable" in " ".join(checked["not_provable"])


def test_lawful_voyage_is_told_its_next_step_all_the_way(lawful_packed: RealVoyage, lawful_arrived: RealVoyage) -> None:
    judge, take = "packtrain admit DOSSIER --drive DRIVE", "packtrain dossier import FOLDER"
    assert lawful_packed.told | lawful_arrived.told == {
        "lists added": ("packtrain plan", judge, take),
        "six answers signed": ("packtrain declare", judge, take),
        "declared": ("packtrain screen", judge, take),
        "flags": ("packtrain pack", judge, take),
        "packed": ("packtrain carry seal", judge, take),
        "sealed": ("packtrain screen", judge, take),
        "ready to leave": ("packtrain carry release A B C D --to operator --into FILE", judge, take),
        "released": ("packtrain carry adopt FILE", judge, take),
        "handed over": ("packtrain return accept OUTBOX", judge, take),
    }


def test_lawful_voyage_arrives_whole_though_a_case_is_lost_by_a_signed_entry(
    lawful_arrived: RealVoyage, tmp_path: Path
) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    lost = [label for label in LABELS if label.startswith("C")]
    rest = [drive for drive in voyage.of() if drive.name not in lost]
    named = [argument for label in lost for argument in ("--drive", label)]
    done("dossier", "export", voyage.root / "to-hall", "--to", "operator", "--voyage", voyage.home)
    done("dossier", "import", voyage.root / "to-hall", "--voyage", voyage.hall)
    done("carry", "observe", "lost", *named, "--note", "left on the belt", "--voyage", voyage.hall)
    admitted = admit(voyage, *rest)
    assert admitted.exit_code == 0, admitted.stderr
    assert levels(voyage.hall) == {"PT-3": "FLAG"}
    dossier = send_to_guest(voyage)
    loaded = voyage.load(*rest)
    assert loaded.exit_code == 0, loaded.stderr
    assert loaded.document()["counts"]["drives_lost"] == 15
    assert_equal(voyage.store, voyage.data)
    for place in (voyage.guest, dossier):
        audit = packtrain("audit", place, "--parties", voyage.guest / "documents" / "parties.json")
        assert audit.exit_code == 0, audit.stdout
        assert "left on the belt" in audit.stdout
    checked = done("custody", "check", "--voyage", voyage.hall, "--json").document()
    assert (checked["verdict"], checked["num_proven"], checked["num_entries"]) == ("proven in part", 8, 9)


def test_lawful_voyage_with_a_case_missing_and_no_entry_is_held_and_not_loaded(
    lawful_arrived: RealVoyage, tmp_path: Path
) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    rest = [drive for drive in voyage.of() if not drive.name.startswith("C")]
    held = admit(voyage, *rest)
    assert held.exit_code == AdmissionHeld.exit_code
    assert levels(voyage.hall) == {"PT-3": "HOLD"}
    send_to_guest(voyage)
    assert voyage.load(*rest).exit_code == AdmissionHeld.exit_code
    assert not stored(voyage)


def test_lawful_voyage_with_a_drive_of_another_voyage_in_a_case_is_refused(
    lawful_arrived: RealVoyage, reported_packed: RealVoyage, tmp_path: Path
) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    drives = [drive for drive in voyage.of() if drive.name != "C7"]
    assert admit(voyage, *drives, reported_packed.drive("C7")).exit_code == AdmissionRefused.exit_code
    assert levels(voyage.hall)["PT-3"] == "STOP"


def test_lawful_voyage_with_a_broken_seal_is_held(lawful_arrived: RealVoyage, tmp_path: Path) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    done("carry", "observe", "seal-broken", "--case", "B", "--note", "the seal was cut", "--voyage", voyage.hall)
    held = admit(voyage)
    assert held.exit_code == AdmissionHeld.exit_code
    assert "case B: seal broken, the seal was cut" in held.stderr


@pytest.mark.parametrize(
    "changes",
    [
        {
            '[end_user]\nsame_as = "shipper"': '[end_user]\nname = "undisclosed"',
            'recipient = "end_user"': 'recipient = "shipper"',
        },
        {
            '[trained_for]\nsame_as = "shipper"': '[trained_for]\nname = "Survey Partner"\naddress = "3 Hill"\n'
            'location = "CL"\nheadquarters = "CL"\nultimate_parent = "undisclosed"\nparent_country = "undisclosed"\n',
            "[facts.operator]": '[facts.trained_for]\nkind = "public body"\nline_of_business = "surveys"\n'
            'related_work = "one of 2020"\nwebsite = "partner.example"\naddress_kind = "office"\n[facts.operator]',
        },
    ],
    ids=["end user left open", "owner of the one it is trained for undisclosed"],
)
def test_lawful_voyage_with_a_party_undisclosed_is_held(
    lawful_packed: RealVoyage, tmp_path: Path, changes: dict[str, str]
) -> None:
    voyage = copy_of(lawful_packed, tmp_path)
    amend(voyage, changes, "lawful")
    seal_and_hand_over(voyage)
    assert admit(voyage).exit_code == AdmissionHeld.exit_code
    found = levels(voyage.hall)
    assert found["HQ-3"] == "HOLD" and "STOP" not in found.values()


def test_lawful_voyage_with_one_carrier_not_on_the_packing_statement_is_refused(
    lawful_packed: RealVoyage, tmp_path: Path
) -> None:
    voyage = copy_of(lawful_packed, tmp_path)
    state_cases(voyage, {**CARRIERS, "D": ("A. Traveller", "PT-2004")})
    seal_and_hand_over(voyage)
    refused = admit(voyage)
    assert refused.exit_code == AdmissionRefused.exit_code
    assert levels(voyage.hall) == {"PT-1": "STOP"}
    assert "carrier D. Traveller is not on the packing statement" in refused.stderr


@pytest.mark.parametrize("with_heads", [True, False], ids=["heads kept", "heads taken out"])
def test_lawful_voyage_whose_log_lost_its_tail_is_found_out_by_the_head_that_both_signed(
    lawful_arrived: RealVoyage, tmp_path: Path, with_heads: bool
) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    log = voyage.home / "documents" / "custody.jsonl"
    whole = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(whole[:-1]))  # the site's own acceptance is gone: the cases were never handed over
    if not with_heads:
        shutil.rmtree(voyage.home / "documents" / "heads")
    dossier = voyage.root / "to-hall"
    done("dossier", "export", dossier, "--to", "operator", "--voyage", voyage.home)
    cut = dossier / "data" / "custody.jsonl"
    checked = packtrain("custody", "check", cut, "--voyage", voyage.hall, "--json")
    assert checked.exit_code == CustodyContradicted.exit_code
    assert {each["kind"] for each in checked.document()["contradictions"]} == {"cut tail"}
    taken = packtrain("dossier", "import", dossier, "--voyage", voyage.hall)
    assert "its tail was cut" in taken.stderr
    assert (voyage.hall / "documents" / "custody.jsonl").read_bytes() == b"".join(whole)


def test_lawful_voyage_whose_log_the_site_cut_is_not_taken_by_the_consignee(
    lawful_arrived: RealVoyage, tmp_path: Path
) -> None:
    voyage = copy_of(lawful_arrived, tmp_path)
    assert admit(voyage).exit_code == 0
    log = voyage.hall / "documents" / "custody.jsonl"
    log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
    done("dossier", "export", voyage.root / "to-guest", "--to", "consignee", "--voyage", voyage.hall)
    taken = packtrain("dossier", "import", voyage.root / "to-guest", "--voyage", voyage.guest)
    assert taken.exit_code == CustodyContradicted.exit_code
    assert "the operator and the consignor signed a head over 8 entries" in taken.stderr.replace(
        "the consignor and the operator", "the operator and the consignor"
    )
    assert voyage.load(*voyage.of()).exit_code == NotAdmitted.exit_code


# --- the reported voyage ---


def test_reported_voyage_is_refused_and_every_flag_is_said(reported_refused: tuple[RealVoyage, Ran]) -> None:
    voyage, refused = reported_refused
    assert refused.exit_code == AdmissionRefused.exit_code
    found = levels(voyage.hall)
    assert REPORTED.items() <= found.items()
    said = refused.stderr
    for rule, level in REPORTED.items():
        assert f"{rule} {level}: " in said, f"{rule} is not said with its reason"
        assert f"{rule} {level}" in said.partition("packtrain: error: ")[2]
    assert "has its headquarters in CN" in said
    assert "formed at the request of Example Data Hall Sdn Bhd" in said
    assert "carrier Fourth Engineer is not on the packing statement" in said
    assert "packing statement: there is none" in said
    assert REPORTED.items() - {("PT-1", "STOP")} <= levels(voyage.home, "consignor").items(), "known at home already"


def test_reported_voyage_is_told_its_refusal_as_the_next_step(reported_refused: tuple[RealVoyage, Ran]) -> None:
    voyage, _ = reported_refused
    steps = [done("status", folder, "--json").document()["next"] for folder in (voyage.hall, voyage.guest)]
    assert all("verdict is refuse" in step["why"] for step in steps)
    assert "packtrain load" not in (steps[1]["command"] or "")


def test_reported_voyage_passes_by_no_answer_to_a_stop(
    reported_refused: tuple[RealVoyage, Ran], tmp_path: Path
) -> None:
    voyage = copy_of(reported_refused[0], tmp_path)
    said = ("--person", "A. Able", "--because", "we know them")
    assert packtrain("flags", "answer", "HQ-1", *said, "--voyage", voyage.hall).exit_code == AnswerRefused.exit_code
    for rule, level in levels(voyage.hall).items():
        if level != "STOP":
            done("flags", "answer", rule, *said, "--voyage", voyage.hall)
    assert admit(voyage, name="again").exit_code == AdmissionRefused.exit_code


def _no_admission(voyage: RealVoyage, _: RealVoyage) -> int:
    for name in ("admission.json", "admission.json.sig"):
        (voyage.guest / "documents" / name).unlink()
    return NotAdmitted.exit_code


def _refused(_: RealVoyage, __: RealVoyage) -> int:
    return AdmissionRefused.exit_code


def _another_verdict_in_the_bytes(voyage: RealVoyage, _: RealVoyage) -> int:
    edit(voyage.guest / "documents" / "admission.json", '"verdict":"refuse"', '"verdict":"admit"')
    return SignatureInvalid.exit_code


def _signed_by_the_consignor(voyage: RealVoyage, _: RealVoyage) -> int:
    path = voyage.guest / "documents" / "admission.json"
    refusal = VoyageFolder(voyage.guest).read_signed(Admission)
    forged = encode(msgspec.structs.replace(refusal, verdict="admit"))
    path.write_bytes(forged)
    signature = SshSigner.load(voyage.home / "keys" / "signer").sign(namespace(Admission), forged)
    path.with_name("admission.json.sig").write_text(signature)
    return UntrustedSigner.exit_code


def _of_another_voyage(voyage: RealVoyage, lawful: RealVoyage) -> int:
    """The admission of the lawful voyage, with its operator's own signature, and the key that belongs to it."""
    for name in ("admission.json", "admission.json.sig"):
        shutil.copy(lawful.hall / "documents" / name, voyage.guest / "documents" / name)
    shutil.copy(lawful.hall / "keys" / "release.age", voyage.guest / "keys" / "release.age")
    return UntrustedSigner.exit_code


@pytest.mark.parametrize(
    "spoil",
    [_refused, _no_admission, _another_verdict_in_the_bytes, _signed_by_the_consignor, _of_another_voyage],
    ids=lambda spoil: spoil.__name__.strip("_"),
)
def test_reported_voyage_is_not_loaded_whatever_stands_for_an_admission(
    reported_refused: tuple[RealVoyage, Ran],
    lawful_arrived: RealVoyage,
    tmp_path: Path,
    spoil: Callable[[RealVoyage, RealVoyage], int],
) -> None:
    voyage = copy_of(reported_refused[0], tmp_path / "reported")
    lawful = copy_of(lawful_arrived, tmp_path / "lawful")
    if spoil is _of_another_voyage:
        assert admit(lawful).exit_code == 0
    expected = spoil(voyage, lawful)
    tried = voyage.load(*voyage.of())
    assert tried.exit_code == expected, tried.stderr
    assert not stored(voyage)


def test_reported_voyage_is_refused_too_once_other_answers_are_tried(
    reported_refused: tuple[RealVoyage, Ran], tmp_path: Path
) -> None:
    voyage = copy_of(reported_refused[0], tmp_path)
    told = amend(voyage, OTHER_ANSWERS, "reported").stderr
    assert 'amended: trained_for.headquarters: "CN" -> "SG"' in told
    declaration = json.loads((voyage.home / "documents" / "declaration.json").read_bytes())
    fired = next(change for change in declaration["changes"] if change.startswith("rules that had fired"))
    assert all(f"{rule} {level} by the consignor" in fired for rule, level in REPORTED.items() if rule != "PT-1")
    state_cases(voyage, ENGINEERS)
    seal_and_hand_over(voyage)
    refused = admit(voyage, name="other-answers")
    assert refused.exit_code == AdmissionRefused.exit_code, refused.stderr
    found = levels(voyage.hall)
    assert found["AMD-1"] == "STOP"
    assert not {"HQ-1", "RET-1", "OWN-4", "CUS-5", "PT-1", "PT-2", "DC-1"} & found.keys(), "the new answers are smooth"
    assert "amended away: HQ-1 STOP" in refused.stderr and "has its headquarters in CN" in refused.stderr
    send_to_guest_again(voyage)
    assert voyage.load(*voyage.of()).exit_code == AdmissionRefused.exit_code
    assert not stored(voyage)
    audit = packtrain("audit", voyage.guest)
    assert audit.exit_code == 0, "nothing of it was hidden, so the record is whole: " + audit.stdout
    assert "an earlier verdict of the site was refuse" in audit.stdout


def test_reported_voyage_cannot_leave_its_first_answers_out(
    reported_refused: tuple[RealVoyage, Ran], tmp_path: Path
) -> None:
    voyage = copy_of(reported_refused[0], tmp_path)
    amend(voyage, OTHER_ANSWERS, "reported")
    shutil.rmtree(voyage.home / "documents" / "declarations")
    left_out = packtrain("dossier", "export", voyage.root / "short", "--to", "operator", "--voyage", voyage.home)
    assert left_out.exit_code == 76
    assert "the superseded declaration" in left_out.stderr


def test_reported_voyage_cannot_leave_out_which_rules_had_fired(
    reported_refused: tuple[RealVoyage, Ran], tmp_path: Path
) -> None:
    voyage = copy_of(reported_refused[0], tmp_path)
    amend(voyage, OTHER_ANSWERS, "reported")
    home = VoyageFolder(voyage.home)
    amended = home.read_signed(Declaration)
    silent = tuple(change for change in amended.changes if not change.startswith("rules that had fired"))
    home.write_signed(msgspec.structs.replace(amended, changes=silent), home.signer())
    audit = packtrain("audit", voyage.home)
    assert audit.exit_code == 118
    assert "rules that had fired before it, and that it does not name: CUS-1 FLAG" in " ".join(audit.stdout.split())


@pytest.mark.parametrize(
    ("has_paper", "exit_code", "level"),
    [(False, AdmissionRefused.exit_code, "STOP"), (True, AdmissionHeld.exit_code, "HOLD")],
    ids=["a licence that nobody can read", "a licence that nobody at the site answered for"],
)
def test_reported_voyage_is_not_admitted_by_a_licence_that_it_claims(
    reported_packed: RealVoyage, tmp_path: Path, has_paper: bool, exit_code: int, level: str
) -> None:
    voyage = copy_of(reported_packed, tmp_path)
    smooth = {old: new for old, new in OTHER_ANSWERS.items() if '"CN"' not in old}
    (voyage.home / "licence.pdf").write_bytes(b"anything at all")
    named = 'file = "licence.pdf"' if has_paper else f'sha256 = "{"5" * 64}"'
    claimed = (
        '[[permits.licences]]\nnumber = "L-1"\nauthority = "an authority"\ncovers = "all of it"\n'
        f'valid_until = "2031-01-01"\nevidence = [{{ what = "licence", {named} }}]\n'
    )
    amend(voyage, {**smooth, 'licences = "none"': claimed}, "reported")
    state_cases(voyage, ENGINEERS)
    seal_and_hand_over(voyage)
    assert admit(voyage).exit_code == exit_code
    found = levels(voyage.hall)
    assert (found["HQ-1"], found["RET-1"]) == (level, level)


def test_reported_voyage_changed_between_six_answers_and_the_full_form_is_refused(tmp_path: Path) -> None:
    """No rule ran yet when the headquarters were changed: the six answers alone tell."""
    from scenario_parts import declaration_of

    home, hall = tmp_path / "home", tmp_path / "hall"
    done("init", home, "--role", "consignor", "--name", "reported")
    done("init", hall, "--role", "operator", "--name", "reported")
    add_lists(home, tmp_path)
    (home / "declaration.toml").write_text(declaration_of("reported").partition("[customer]\n")[0])
    assert packtrain("declare", home).exit_code == 72
    (home / "declaration.toml").write_text(declaration_of("reported", OTHER_ANSWERS))
    assert packtrain("declare", home).exit_code == 77
    done("declare", home, "--amend")
    done("screen", "--voyage", home)
    done("flags", "--voyage", home)
    assert levels(home, "consignor")["AMD-1"] == "STOP"


def send_to_guest_again(voyage: RealVoyage) -> None:
    done("dossier", "export", voyage.root / "once-more", "--to", "consignee", "--voyage", voyage.hall)
    done("dossier", "import", voyage.root / "once-more", "--voyage", voyage.guest)
