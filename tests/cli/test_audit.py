"""`packtrain audit`: text or one JSON document on stdout, the verdict in the exit code, the record as it was."""

from pathlib import Path

import pytest

import audit_parts
from audit_parts import dossier, keys_of
from command_parts import packtrain, refusal
from voyage_papers import Papers, tree


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return audit_parts.voyage(tmp_path)


def test_a_voyage_folder_is_told_in_plain_words_and_not_touched(papers: Papers) -> None:
    before = tree(papers.root)

    ran = packtrain("audit", papers.consignor.root)

    assert (ran.exit_code, ran.stderr) == (0, "")
    assert "In order: " in ran.stdout and "11  What this record cannot say" in ran.stdout
    assert tree(papers.root) == before


def test_a_dossier_tells_the_same_as_one_json_document(papers: Papers) -> None:
    ran = packtrain("audit", dossier(papers), "--parties", keys_of(papers), "--json")
    told = ran.document()

    assert ran.exit_code == told["verdict"]["exit_code"] == 0
    assert told["faults"] == []
    assert told["declaration"]["end_use"] == told["for_whom"]["end_use"] == "to find comets, and asteroids"
    assert [case["case"] for case in told["in_whose_hands"]["cases"]] == ["A", "B"]
    assert told["came_home"]["closings"][0]["keys_destroyed"]
    assert {"whose_data", "owned_by", "machines", "flagged", "site_verdicts", "trained", "cannot_say", "legal"} <= set(
        told
    )


def test_without_vouched_keys_the_exit_code_says_so(papers: Papers) -> None:
    ran = packtrain("audit", dossier(papers))

    assert ran.exit_code == 119
    assert "INCOMPLETE" in ran.stdout


def test_all_faults_are_told_and_the_exit_code_says_that_there_are_some(papers: Papers) -> None:
    for name in ("plan.json.sig", "groups/0.json", "flags/operator.json.sig"):
        (papers.consignor.documents / name).unlink()

    told = packtrain("audit", papers.consignor.root, "--json").document()

    kinds = {(fault["kind"], fault["where"]) for fault in told["faults"]}
    assert {("no signature", "plan.json"), ("unknown file", "groups/0.json.sig")} <= kinds
    assert ("no signature", "flags/operator.json") in kinds
    assert any(kind == "missing" and where.startswith("group ") for kind, where in kinds)
    assert told["verdict"]["exit_code"] == 118 == packtrain("audit", papers.consignor.root).exit_code


def test_the_log_of_the_other_party_shows_a_cut_tail(papers: Papers) -> None:
    path = papers.consignor.documents / "custody.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:3]))

    ran = packtrain("audit", papers.consignor.root, "--voyage", papers.operator.root)

    assert ran.exit_code == 118
    assert "its tail was cut, or it is an older copy" in " ".join(ran.stdout.split())


def test_the_page_is_written_beside(papers: Papers) -> None:
    page = papers.root / "audit.html"

    ran = packtrain("audit", papers.consignor.root, "--html", page)

    assert ran.exit_code == 0
    assert "Is the record whole?" in page.read_text()


def test_what_is_no_record_and_what_is_no_list_of_keys_is_refused(papers: Papers, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "keys").write_text("nonsense")

    refusal(packtrain("audit", tmp_path / "empty", "--json"), 76)
    refused = refusal(packtrain("audit", tmp_path / "none", "--json"), 76)
    assert refused["hint"].startswith("name the voyage folder or dossier")
    refusal(packtrain("audit", papers.consignor.root, "--parties", tmp_path / "keys", "--json"), 14)
    refusal(packtrain("audit", papers.consignor.root, "--voyage", tmp_path / "empty", "--json"), 11)
    refusal(packtrain("audit", papers.consignor.root, "--html", papers.consignor.documents / "a.html", "--json"), 76)
