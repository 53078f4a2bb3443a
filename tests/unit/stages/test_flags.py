"""Flags: rules run on what is signed, people answer by name, and neither run nor answer can be taken back."""

import shutil
from pathlib import Path

import msgspec
import pytest

from packtrain.crypto.sshsig import SshSigner
from packtrain.diligence import evidence
from packtrain.diligence.rules.record import FLAGS, current_flags, keep_answer
from packtrain.documents.admission import Admission
from packtrain.documents.codec import digest
from packtrain.documents.declaration import Declaration
from packtrain.documents.flags import Flags
from packtrain.documents.screening import Screening
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    AdmissionHeld,
    AdmissionRefused,
    AnswerChanged,
    AnswerRefused,
    ClosingRefused,
    DossierError,
    PolicyError,
    SourceUnreadable,
    StageNotReady,
    UntrustedSigner,
    WrongRole,
)
from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.folder import VoyageFolder
from packtrain.stages import admit, close, exchange, flags, screen
from packtrain.stages.flags import FlagReply, StatedPaper
from packtrain.voyage import Voyage
from rebagged import rebag
from scenario_parts import on_paper, verdict, with_lists
from second_person import with_reviewer
from three_parties import three_parties
from voyage_papers import Papers, arrived, declared


@pytest.fixture
def short(tmp_path: Path) -> Papers:
    """A voyage in one country, accepted at the site."""
    return arrived(tmp_path)


@pytest.fixture
def held(tmp_path: Path) -> Papers:
    """A lawful voyage whose site does not attest its infrastructure: DC-1 holds."""
    return on_paper(tmp_path, "lawful", changes={'infrastructure_attested = "yes"': 'infrastructure_attested = "no"'})


@pytest.fixture
def stopped(tmp_path: Path) -> Papers:
    """A voyage that declares a use which export law names: TR-2 stops it."""
    return on_paper(tmp_path, "lawful", changes={'prohibited_uses = "none"': 'prohibited_uses = ["military"]'})


def reply(rule: str, person: str = "A. Able", **more: object) -> FlagReply:
    return FlagReply(rule, person, "it was looked into", **more)  # pyright: ignore[reportArgumentType]


def opinion(folder: VoyageFolder, text: str = "it may go") -> StatedPaper:
    path = folder.root / "opinion.txt"
    path.write_text(text)
    return StatedPaper("legal opinion", "17", "Counsel", path, None)


def outcome(folder: VoyageFolder, name: str) -> tuple[str, str]:
    checks = folder.read_signed(Admission).checks
    return next((check.outcome, check.detail) for check in checks if check.check == name)


# --- a run ---


def test_the_consignor_runs_the_rules_and_signs_what_they_say(short: Papers) -> None:
    receipt = flags.judge(short.consignor, short.sink)
    signed = short.consignor.read_signed(Flags)
    assert (signed.by, signed.moment, signed.supersedes) == ("consignor", "declaration", None)
    assert signed.declaration == short.consignor.digest(Declaration)
    assert receipt.counts["rules"] == len(signed.results) > 40
    assert receipt.facts["standing"].startswith("2 unresolved flags under rule pack")
    assert "HQ-1 FLAG: not judged: no country group D5" in short.notices()


def test_a_second_run_of_the_same_day_on_the_same_papers_signs_nothing_new(short: Papers) -> None:
    voyage = Voyage(short.consignor.root, discard)
    voyage.flags()
    first = short.consignor.digest(Flags)
    flags.judge(short.consignor, discard)
    assert short.consignor.digest(Flags) == first
    assert not (short.consignor.documents / FLAGS).exists()


def test_a_later_run_names_the_one_before_which_stays(short: Papers) -> None:
    flags.judge(short.consignor, discard)
    first = short.consignor.digest(Flags)
    with_lists(short.consignor)
    flags.judge(short.consignor, discard)
    assert short.consignor.read_signed(Flags).supersedes == first
    assert (short.consignor.documents / FLAGS / f"{first}.json.sig").is_file()


def test_rules_are_run_on_nothing_unsigned(tmp_path: Path) -> None:
    folder = three_parties(tmp_path)["consignor"]
    with pytest.raises(StageNotReady):
        flags.judge(folder, discard)


def test_a_screening_of_other_papers_counts_as_none(tmp_path: Path) -> None:
    papers = declared(tmp_path)
    with_lists(papers.consignor)
    screen.screen(papers.consignor, discard)
    papers.declare((papers.consignor.root / "declaration.toml").read_text().replace("comets", "stars"), amend=True)
    flags.judge(papers.consignor, papers.sink)
    assert "counts as not screened" in papers.notices()
    assert papers.consignor.read_signed(Flags).screening is None


def test_only_the_consignor_runs_them_by_hand(short: Papers) -> None:
    with pytest.raises(WrongRole):
        Voyage(short.operator.root, discard).flags()


# --- amendments ---


def test_an_amendment_names_the_rules_that_had_fired(stopped: Papers) -> None:
    path = stopped.consignor.root / "declaration.toml"
    stopped.declare(path.read_text().replace('["military"]', '"none"'), amend=True)
    changes = stopped.consignor.read_signed(Declaration).changes
    assert 'full.prohibited_uses: ["military"] -> []' in changes
    assert "rules that had fired on the superseded answers: TR-2 STOP by the consignor" in changes


# --- answers ---


def test_an_answered_hold_admits_and_the_flag_stays_with_its_answer(held: Papers) -> None:
    assert verdict(held).verdict == "hold"
    proof = held.root / "attestation.pdf"
    proof.write_bytes(b"%PDF attested by telephone")
    flags.answer(held.operator, reply("DC-1", evidence=[proof]), held.sink)
    assert verdict(held, dossier="again").verdict == "admit"
    sentence = outcome(held.operator, "rules")[1]
    assert "no unresolved flags" in sentence and "answered: DC-1 HOLD" in sentence
    (flag,) = flags.show(held.operator)["operator"].standing.flags
    assert [each.answer.person for each in flag.answers] == ["A. Able"]
    kept = evidence.kept(held.operator.documents)[flag.answers[0].answer.evidence[0].sha256]
    assert kept.read_bytes() == proof.read_bytes() and kept.suffix == ".pdf"


def test_an_answer_of_the_other_party_is_shown_and_resolves_nothing(held: Papers) -> None:
    flags.answer(held.consignor, reply("DC-1"), discard)
    assert flags.show(held.consignor)["consignor"].standing.worst_open is None
    assert verdict(held).verdict == "hold"
    assert "no unresolved flags" in outcome(held.operator, "rules at home")[1]
    assert "only here" not in outcome(held.operator, "rules at home")[1]


def test_a_stop_passes_by_two_persons_on_one_paper_only_and_stands_first_in_the_verdict(
    stopped: Papers, tmp_path: Path
) -> None:
    assert verdict(stopped).verdict == "refuse"
    second = with_reviewer(stopped.operator, tmp_path)
    paper = opinion(stopped.operator)
    with pytest.raises(AnswerRefused, match="a STOP passes only by an exception"):
        flags.answer(stopped.operator, reply("TR-2"), discard)
    flags.answer(stopped.operator, reply("TR-2", exception=paper), stopped.sink)
    assert "still open: one person signed" in stopped.notices()
    assert verdict(stopped, dossier="2").verdict == "refuse"
    flags.answer(stopped.operator, FlagReply("TR-2", "A. Able", "again", exception=paper, key=second), discard)
    assert verdict(stopped, dossier="3").verdict == "refuse"  # one person with two keys
    flags.answer(stopped.operator, reply("TR-2", "B. Bright", exception=paper, key=second), discard)
    admission = verdict(stopped, dossier="4")
    assert admission.verdict == "admit"
    assert admission.checks[0].check == "exceptions"
    assert "TR-2 STOP passes by legal opinion 17 of Counsel" in admission.checks[0].detail
    assert "A. Able (operator), " in admission.checks[0].detail and "B. Bright" in admission.checks[0].detail


def test_the_same_words_with_another_key_take_no_signature_away(held: Papers, tmp_path: Path) -> None:
    second = with_reviewer(held.consignor, tmp_path)
    answered = flags.answer(held.consignor, reply("DC-1"), discard)
    (path,) = (held.consignor.documents / "flag-answers").glob("*.json.sig")
    before = path.read_bytes()
    with pytest.raises(AnswerRefused, match="signed already"):
        keep_answer(held.consignor, answered.answer, SshSigner.load(second))
    assert path.read_bytes() == before


def test_no_key_of_another_party_answers(held: Papers) -> None:
    verdict(held)
    with pytest.raises(UntrustedSigner):
        flags.answer(held.operator, reply("DC-1", key=held.consignee.keys / "signer"), discard)
    assert flags.show(held.operator)["operator"].standing.worst_open == "HOLD"


@pytest.mark.parametrize("rule", ["HQ-1", "NO-1"])
def test_what_raised_nothing_wants_no_answer(held: Papers, rule: str) -> None:
    with pytest.raises(AnswerRefused):
        flags.answer(held.consignor, reply(rule), discard)


def test_an_answer_to_one_result_is_none_to_another(stopped: Papers, tmp_path: Path) -> None:
    verdict(stopped)
    second, paper = with_reviewer(stopped.operator, tmp_path), opinion(stopped.operator)
    flags.answer(stopped.operator, reply("TR-2", exception=paper), discard)
    flags.answer(stopped.operator, reply("TR-2", "B. Bright", exception=paper, key=second), discard)
    path = stopped.consignor.root / "declaration.toml"
    stopped.declare(path.read_text().replace('["military"]', '["military", "nuclear"]'), amend=True)
    assert verdict(stopped, dossier="amended").verdict == "refuse"


# --- the site's policy ---


def test_a_policy_raises_and_is_kept_with_the_verdict(short: Papers) -> None:
    policy = short.operator.root / "site.toml"
    policy.write_text('[levels]\nFLAG = "HOLD"\n')
    with pytest.raises(AdmissionHeld, match="SCR-3 HOLD"):
        admit.admit(short.operator, short.dossier(), short.mounted(), discard)
    admission = short.operator.read_signed(Admission)
    assert admission.policy is not None
    assert evidence.kept(short.operator.documents)[admission.policy].read_bytes() == policy.read_bytes()
    assert set(flags.show(short.operator)) == {"operator"}


def test_a_policy_that_is_given_by_name_is_taken_and_a_milder_one_refused(short: Papers) -> None:
    strict, mild = short.root / "strict.toml", short.root / "mild.toml"
    strict.write_text('required_lists = ["us-csl"]\n')
    mild.write_text('[levels]\nSTOP = "FLAG"\n')
    with pytest.raises(PolicyError):
        admit.admit(short.operator, short.dossier(), short.mounted(), discard, policy=mild)
    with pytest.raises(PolicyError):
        admit.admit(short.operator, None, short.mounted(), discard, policy=short.root / "none.toml")
    assert not short.operator.has(Admission)
    with pytest.raises(AdmissionHeld, match="SCR-3 HOLD"):
        admit.admit(short.operator, None, short.mounted(), discard, policy=strict)
    assert "the site's policy requires the list us-csl" in outcome(short.operator, "rules")[1]


def test_a_policy_that_is_left_out_the_second_time_is_missed_aloud(short: Papers) -> None:
    strict = short.root / "strict.toml"
    strict.write_text('required_lists = ["us-csl"]\n')
    with pytest.raises(AdmissionHeld):
        admit.admit(short.operator, short.dossier(), short.mounted(), short.sink, policy=strict)
    assert "none is given now" not in short.notices()

    admit.admit(short.operator, None, short.mounted(), short.sink)

    assert "the verdict before was judged by a site's policy, and none is given now" in short.notices()
    assert "dossier export FOLDER --to consignee" in short.notices()


def test_a_policy_that_was_altered_since_is_noticed(short: Papers) -> None:
    (short.operator.root / "site.toml").write_text("max_list_age_days = 2\n")
    admit.admit(short.operator, short.dossier(), short.mounted(), discard)
    (path,) = evidence.kept(short.operator.documents).values()
    path.write_text("max_list_age_days = 3\n")
    with pytest.raises(DossierError, match="policy"):
        flags.show(short.operator)


def test_lists_and_groups_are_taken_from_where_the_site_keeps_them(short: Papers, tmp_path: Path) -> None:
    shared = three_parties(tmp_path / "site")["operator"]
    with_lists(shared, "Operator of the Test")
    voyage = Voyage(short.operator.root, short.sink)
    voyage.take_lists(shared.root)
    assert "list invented of" in short.notices() and "country group D5" in short.notices()
    with pytest.raises(AdmissionHeld, match="SCR-1 HOLD"):
        voyage.admit(short.dossier())
    assert "nobody has decided whether it is the same" in outcome(short.operator, "rules")[1]
    assert short.operator.read_signed(Screening).by == "operator"
    short.events.clear()
    voyage.take_lists(shared.root)
    assert "list invented of" not in short.notices()


# --- what travels ---


def test_runs_answers_screenings_and_evidence_travel_and_come_back(held: Papers) -> None:
    proof = held.root / "note.txt"
    proof.write_text("seen")
    flags.answer(held.consignor, reply("DC-1", evidence=[proof]), discard)
    verdict(held)
    assert set(current_flags(held.operator)) == {"consignor", "operator"}
    assert len(evidence.kept(held.operator.documents)) == 1
    exchange.import_dossier(held.consignor, held.dossier("back", "operator", "consignor"), discard)
    assert set(current_flags(held.consignor)) == {"consignor", "operator"}
    assert held.consignor.read_signed(Flags).by == "consignor"
    runs = flags.show(held.consignor)
    assert runs["operator"].standing.worst_open == "HOLD" and runs["consignor"].standing.worst_open is None


def test_a_run_that_was_left_out_is_missed(held: Papers) -> None:
    verdict(held)
    # The consignor forgets its first run, and makes one that names none.
    (held.consignor.documents / "flags.json").unlink()
    (held.consignor.documents / "flags.json.sig").unlink()
    (held.consignor.root / "country-groups" / "EEA.json").unlink()
    flags.judge(held.consignor, discard)
    with pytest.raises((AnswerChanged, DossierError)):
        exchange.import_dossier(held.operator, held.dossier("new"), discard)


def test_a_chain_of_runs_with_a_gap_is_refused(held: Papers) -> None:
    (held.consignor.root / "country-groups" / "EEA.json").unlink()
    flags.judge(held.consignor, discard)
    for path in (held.consignor.documents / FLAGS).glob("*"):
        path.unlink()
    with pytest.raises(DossierError, match="which a later one names, is missing"):
        held.dossier("gap")


def test_a_dossier_with_a_strange_or_altered_file_of_evidence_is_refused(held: Papers, tmp_path: Path) -> None:
    proof = held.root / "note.txt"
    proof.write_text("seen")
    flags.answer(held.consignor, reply("DC-1", evidence=[proof]), discard)
    dossier = held.dossier()
    (inside,) = (dossier / "data" / "evidence").iterdir()
    for name, text in ((inside.name, "other"), ("0" * 64 + ".txt", "seen")):
        forged = tmp_path / f"forged-{name[:4]}"
        shutil.copytree(dossier, forged)
        (forged / "data" / "evidence" / name).write_text(text)
        rebag(forged)
        with pytest.raises(DossierError):
            exchange.import_dossier(held.operator, forged, discard)
    assert not evidence.kept(held.operator.documents)


def test_evidence_too_long_to_travel_is_named(short: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_EVIDENCE_BYTES", 3)
    flags.judge(short.consignor, discard)
    path = short.root / "long.bin"
    path.write_bytes(b"long")
    with pytest.raises(SourceUnreadable, match="too long to travel"):
        flags.answer(short.consignor, reply("SCR-3", evidence=[path]), discard)


# --- the end ---


def test_results_are_not_released_and_nothing_is_closed_while_a_hold_is_open(held: Papers) -> None:
    verdict(held)
    flags.answer(held.operator, reply("DC-1"), discard)
    verdict(held, dossier="again")
    held.come_home()
    with pytest.raises(ClosingRefused, match="DC-1 HOLD"):
        close.close(held.consignor, discard)
    flags.answer(held.consignor, reply("DC-1"), discard)
    close.close(held.consignor, discard)
    assert not (held.consignor.keys / keys.SITE_ENVELOPE).exists()


def test_an_answer_at_the_gate_holds_until_results_leave(held: Papers) -> None:
    from packtrain.diligence.judging import judge_voyage

    verdict(held)
    flags.answer(held.operator, reply("DC-1"), discard)
    ruled = judge_voyage(held.operator, "return")
    assert ruled.flags.moment == "return" and ruled.standing.worst_open is None


def test_a_refused_voyage_has_no_key_and_no_drive(stopped: Papers) -> None:
    with pytest.raises(AdmissionRefused, match="TR-2 STOP"):
        admit.admit(stopped.operator, stopped.dossier(), stopped.mounted(), discard)
    assert stopped.operator.read_signed(Admission).drives == ()
    exchange.import_dossier(stopped.consignee, stopped.dossier("on", "operator", "consignee"), discard)
    assert not (stopped.consignee.keys / keys.RELEASE).exists()


def test_flags_name_what_they_were_judged_on(held: Papers) -> None:
    signed = held.consignor.read_signed(Flags)
    assert signed.screening == digest(held.consignor.read_signed(Screening))
    assert {group.name for group in signed.groups} == {"D5", "EEA", "EU-ADEQUATE", "EU-CU", "US-COC"}
    assert signed.shipment_root == held.consignor.digest(Shipment)


def test_a_run_of_another_under_a_policy_that_did_not_come_hides_nothing_and_stops_nobody(stopped: Papers) -> None:
    ran = stopped.consignor.read_signed(Flags)
    forged = msgspec.structs.replace(ran, policy="a" * 64)
    stopped.consignor.write_signed(forged, stopped.consignor.signer())
    with pytest.raises(AdmissionRefused):
        admit.admit(stopped.operator, stopped.dossier(), stopped.mounted(), discard)
    assert outcome(stopped.operator, "rules at home")[0] == "passed"
    assert "TR-2 STOP" in outcome(stopped.operator, "rules at home")[1]
    shown = flags.show(stopped.operator)
    assert shown["consignor"].standing.worst_open == "STOP"
    flags.answer(stopped.operator, reply("TR-2", exception=opinion(stopped.operator)), discard)
    # A run of one's own, under a policy that is gone, is another matter.
    stopped.operator.write_signed(
        msgspec.structs.replace(shown["operator"].flags, policy="a" * 64), stopped.operator.signer()
    )
    with pytest.raises(DossierError, match="policy"):
        flags.show(stopped.operator)
