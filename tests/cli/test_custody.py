"""The verbs of custody on the command line, from the seal to the revoked key."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from packtrain.crypto.sshsig import generate_key_pair
from packtrain.record.folder import VOYAGE_FILE
from voyage_papers import Papers, packed

Run = Callable[..., object]


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return packed(tmp_path)


def test_a_hand_over_by_pictures_leaves_one_head_signed_by_both(packtrain, papers: Papers) -> None:
    pytest.importorskip("zxingcpp")
    shutil.copy(papers.consignor.documents / "custody.jsonl", papers.operator.documents)
    home, hall = papers.consignor.root, papers.operator.root
    offer, answer, receipt = (papers.root / name for name in ("offer.png", "answer.png", "receipt.png"))
    ran = packtrain("carry", "release", "A", "B", "--to", "operator", "--qr", offer, "--voyage", home)
    assert ran.exit_code == 0, ran.stderr
    assert "packtrain carry accept --scan offer.png --qr -" in ran.stdout
    assert packtrain("carry", "accept", "--scan", offer, "--qr", answer, "--voyage", hall).exit_code == 0
    assert packtrain("carry", "adopt", "--scan", answer, "--qr", receipt, "--voyage", home).exit_code == 0
    ran = packtrain("custody", "cosign", "--scan", receipt, "--voyage", hall, "--json")
    assert json.loads(ran.stdout)["signed_by"] == ["consignor", "operator"]
    for folder in (home, hall):
        found = json.loads(packtrain("custody", "check", "--voyage", folder, "--json").stdout)
        assert (found["verdict"], found["num_proven"]) == ("proven to its last entry", 4)


def test_a_code_can_be_shown_as_blocks_and_typed_in(packtrain, papers: Papers, monkeypatch) -> None:
    shutil.copy(papers.consignor.documents / "custody.jsonl", papers.operator.documents)
    told = packtrain("carry", "release", "A", "B", "--to", "operator", "--qr", "-", "--voyage", papers.consignor.root)
    assert "█" in told.stdout
    code = told.stdout.strip().splitlines()[-1]
    monkeypatch.setattr("sys.stdin", __import__("io").StringIO(code.lower() + "\n"))
    ran = packtrain("carry", "accept", "--scan", "-", "--qr", "-", "--voyage", papers.operator.root)
    assert ran.exit_code == 0, ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("release", "A", "--to", "operator"), "--into FILE, or --qr FILE"),
        (("release", "A", "--to", "operator", "--qr", "x.gif"), "FILE.png or FILE.svg"),
        (("accept", "--into", "x"), "or --scan its code"),
        (("accept", "file", "--scan", "x", "--into", "y"), "or --scan its code"),
        (("adopt", "file", "--qr", "-"), "--qr with --scan"),
    ],
)
def test_a_step_without_a_way_to_the_other_side_is_a_usage_error(packtrain, papers: Papers, arguments, said) -> None:
    ran = packtrain("carry", *arguments, "--voyage", papers.consignor.root)
    assert ran.exit_code == 2
    assert said in ran.stderr


def test_a_head_goes_there_and_back_as_a_file(packtrain, papers: Papers) -> None:
    papers.hand_over()
    file = papers.root / "head.json"
    ran = packtrain("custody", "head", "--into", file, "--voyage", papers.operator.root)
    assert "packtrain custody cosign head.json" in ran.stdout
    assert packtrain("custody", "cosign", file, "--voyage", papers.consignor.root).exit_code == 0
    ran = packtrain("custody", "cosign", file, "--voyage", papers.operator.root)
    assert "signed by consignor and operator" in ran.stdout
    ran = packtrain("custody", "check", "--voyage", papers.operator.root)
    assert ran.exit_code == 0
    assert "Entries 1 to 4 are the ones that the operator and the consignor signed a head over" in ran.stdout


def test_a_log_that_a_head_contradicts_ends_with_113_and_says_what(packtrain, papers: Papers) -> None:
    papers.hand_over()
    log = papers.consignor.documents / "custody.jsonl"
    log.write_bytes(b"".join(line + b"\n" for line in log.read_bytes().splitlines()[:3]))
    ran = packtrain("custody", "check", "--voyage", papers.consignor.root, "--json")
    assert ran.exit_code == 113
    assert json.loads(ran.stdout)["contradictions"][0]["kind"] == "cut tail"
    assert "What contradicts it:" in packtrain("custody", "show", "--voyage", papers.consignor.root).stdout


def test_the_story_says_who_holds_what_and_what_nobody_can_prove(packtrain, papers: Papers) -> None:
    papers.hand_over()
    told = packtrain("custody", "show", "--voyage", papers.operator.root).stdout
    assert "consignor to operator: case A under PT-1001, B under PT-1002, released" in told
    assert "Case B (seal PT-1002) is held by the operator." in told
    assert "What this log cannot prove:" in told
    assert "not provable" in told


@pytest.mark.parametrize("arguments", [(), ("--request", "a", "--token", "b", "--ca", "c"), ("--token", "b")])
def test_a_stamp_is_asked_for_or_taken_with_a_certificate(packtrain, papers: Papers, arguments) -> None:
    ran = packtrain("custody", "stamp", *arguments, "--voyage", papers.consignor.root)
    assert ran.exit_code == 2
    assert "--token FILE --ca CERT" in ran.stderr


def test_a_stamp_without_the_extra_says_which_extra(packtrain, papers: Papers, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    ran = packtrain("custody", "stamp", "--request", papers.root / "x.tsq", "--voyage", papers.consignor.root)
    assert ran.exit_code == 24
    assert "packtrain[timestamp]" in ran.stderr


def test_a_key_is_revoked_by_the_second_person(packtrain, papers: Papers) -> None:
    key = papers.root / "second-person"
    line = generate_key_pair(key, "")
    file = papers.operator.root / VOYAGE_FILE
    text = file.read_text()
    before, own, after = text.partition("[parties.operator]")
    file.write_text(before + own + after.replace("\n", f'\nreviewer = "{line}"\n', 1))
    papers.hand_over()
    arguments = ("--because", "the laptop was stolen", "--key", key, "--voyage", papers.operator.root)
    ran = packtrain("custody", "revoke", *arguments)
    assert ran.exit_code == 0, ran.stderr
    assert "4 entries of the custody log" in ran.stdout
    ran = packtrain("carry", "observe", "sighted", "--case", "A", "--voyage", papers.operator.root)
    assert ran.exit_code == 115
    assert "the laptop was stolen" in ran.stderr
