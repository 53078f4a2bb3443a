"""`packtrain check --repair` and `--signed` as commands: exit codes, JSON, the custody log, the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from command_parts import Site, copy_site, deliver, done, pack, packtrain
from load_parts import flip
from packtrain.events import discard
from packtrain.voyage import Voyage


@pytest.fixture(scope="module")
def delivered(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = copy_site(at_home, tmp_path_factory.mktemp("delivered") / "voyage")
    pack(site)
    deliver(site)
    return site


def volumes(site: Site, name: str) -> list[Path]:
    return sorted((site.drive(name) / "data").iterdir())


def events(folder: Path) -> list[str]:
    lines = (folder / "documents" / "custody.jsonl").read_text().splitlines()
    return [json.loads(json.loads(line)["entry"])["verb"] for line in lines]


def reports(folder: Path) -> list[Path]:
    return list((folder / "logs").glob("repair-*.json"))


def names(site: Site) -> list[str]:
    return [drive.name for drive in site.drives()]


def test_repair_mends_reports_and_is_an_entry_of_the_holders_custody_log(delivered: Site, tmp_path: Path) -> None:
    victim = volumes(delivered, names(delivered)[0])[0]
    before, told, kept = victim.read_bytes(), events(delivered.hall), len(reports(delivered.hall))
    flip(victim, 100)
    checked = packtrain("check", *delivered.drives(), "--voyage", delivered.hall)
    assert checked.exit_code == 40
    assert "now by --repair, or while loading" in checked.stdout
    ran = packtrain(
        "check", *delivered.drives(), "--voyage", delivered.hall, "--repair", "--report", tmp_path / "r.json", "--json"
    )
    assert ran.exit_code == 0
    assert json.loads(ran.stdout) == json.loads((tmp_path / "r.json").read_bytes())
    (mended,) = json.loads(ran.stdout)["mend"]["mended"]
    assert (mended["name"], mended["how"], mended["num_blocks"]) == (f"data/{victim.name}", "rebuilt", 1)
    assert victim.read_bytes() == before
    assert events(delivered.hall) == [*told, "repaired"]
    assert len(reports(delivered.hall)) == kept + 1
    again = packtrain("check", *delivered.drives(), "--voyage", delivered.hall, "--repair")
    assert (again.exit_code, again.stdout) == (0, "nothing to repair\n")
    assert events(delivered.hall) == [*told, "repaired"]


def test_a_party_that_does_not_hold_the_case_repairs_and_is_told_that_it_is_not_in_the_log(delivered: Site) -> None:
    flip(volumes(delivered, names(delivered)[0])[0], 100)
    ran = packtrain("check", *delivered.drives(), "--voyage", delivered.home, "--repair")
    assert ran.exit_code == 0
    assert "the repair is not in the custody log" in ran.stderr
    assert "repaired" not in events(delivered.home)


def entries(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "documents" / "custody.jsonl").read_text().splitlines()
    return [json.loads(json.loads(line)["entry"]) for line in lines]


def test_each_case_has_its_own_entry_and_counts_its_own_drives(delivered: Site) -> None:
    for drive, count in zip(names(delivered), (1, 2, 0, 0), strict=True):
        for path in volumes(delivered, drive)[:count]:
            flip(path, 100)
    flip(volumes(delivered, names(delivered)[2])[-1], 100)
    before = len(entries(delivered.hall))
    ran = packtrain("check", *delivered.drives(), "--voyage", delivered.hall, "--repair")
    assert ran.exit_code == 0, ran.stdout
    first, second = entries(delivered.hall)[before:]
    assert [(e["cases"], len(e["drives"]), e["note"].split(" in place")[0]) for e in (first, second)] == [
        (["A"], 2, "3 files"),
        (["B"], 1, "1 files"),
    ], ran.stdout
    assert "case A, B: a seal that was broken for this is to be renewed" in ran.stdout


def seal_stands(site: Site) -> tuple[str, str]:
    (state,) = [state for state in Voyage(site.home, discard).states() if state.stage == "seal"]
    return state.state, state.detail


def test_status_at_home_says_that_a_case_that_was_open_is_to_be_sealed_again(at_home: Site, tmp_path: Path) -> None:
    site = copy_site(at_home, tmp_path / "voyage")
    pack(site)
    done("carry", "seal", "--voyage", site.home)
    flip(volumes(site, names(site)[0])[0], 100)
    done("check", *site.drives(), "--voyage", site.home, "--repair")
    assert seal_stands(site) == ("changed", "runs again: repaired drives changed")
    toml = site.home / "voyage.toml"
    toml.write_text(toml.read_text().replace("S-0001", "S-0003"))
    done("carry", "seal", "--voyage", site.home)
    assert seal_stands(site)[0] == "done"
    assert entries(site.home)[-1]["seals"] == ["S-0002"] and entries(site.home)[-2]["seals"] == ["S-0003"]


def test_repair_without_a_voyage_folder_says_that_no_signature_was_checked(delivered: Site) -> None:
    flip(volumes(delivered, names(delivered)[0])[0], 100)
    ran = packtrain("check", *delivered.drives(), "--repair")
    assert ran.exit_code == 0
    assert "signatures were not checked" in ran.stdout


def test_onto_a_spare_and_refused_when_it_is_not_empty(delivered: Site, tmp_path: Path) -> None:
    # A copy: the drive that the spare stands for stays damaged, and a second flip by another test would make it whole.
    delivered = copy_site(delivered, tmp_path / "voyage")
    label = json.loads((delivered.drives()[0] / "packtrain/drive.json").read_bytes())["label"]
    spare = tmp_path / "spare"
    spare.mkdir()
    flip(volumes(delivered, names(delivered)[0])[0], 100)
    assert packtrain("check", *delivered.drives(), "--voyage", delivered.hall).exit_code == 40
    ran = packtrain("check", *delivered.drives(), "--voyage", delivered.hall, "--repair", "--onto", f"{label}={spare}")
    assert ran.exit_code == 0
    # The drive itself is as it was: `status` says so until the spare, or the drive, is looked at again.
    kept = json.loads((delivered.hall / "logs/checks.json").read_bytes())["drives"]
    assert {drive["label"]: drive["num_hurt"] for drive in kept}[label] == 1
    assert "byte for byte; keep one of the two" in ran.stdout
    assert done("check", spare, *delivered.drives()[1:], "--voyage", delivered.hall).exit_code == 0
    other = json.loads((delivered.drives()[1] / "packtrain/drive.json").read_bytes())["label"]
    ran = packtrain("check", *delivered.drives(), "--repair", "--onto", f"{other}={spare}")
    assert ran.exit_code == 33
    assert "not empty" in ran.stderr
    ran = packtrain("check", *delivered.drives()[1:], "--repair", "--onto", f"{label}={spare}")
    assert ran.exit_code == 30
    assert "pack --replace" in ran.stderr


def test_signed_lists_every_document_and_ends_with_the_code_of_the_first_bad_one(
    delivered: Site, tmp_path: Path
) -> None:
    ran = packtrain("check", "--signed", *delivered.drives(), delivered.root / "to-hall", "--voyage", delivered.hall)
    assert ran.exit_code == 0, ran.stdout
    assert "every signature is good" in ran.stdout
    assert "packtrain/drive.json: signed by consignor SHA256:" in ran.stdout
    assert "documents/admission.json: signed by operator SHA256:" in ran.stdout
    assert "custody.jsonl: signed by consignor and operator, packtrain-custody@v1: good, " in ran.stdout
    assert "data/documents/shipment.json" in ran.stdout
    target = delivered.drives()[0] / "packtrain/group.json"
    signature = target.with_name("group.json.sig")
    kept = signature.read_bytes()
    try:
        signature.write_bytes((target.with_name("plan.json.sig")).read_bytes())
        ran = packtrain("check", "--signed", *delivered.drives(), "--voyage", delivered.hall, "--json")
        assert ran.exit_code == 51
        bad = [row for row in json.loads(ran.stdout)["documents"] if row["exit_code"]]
        assert [(row["name"], row["namespace"], row["signer"]) for row in bad] == [
            ("packtrain/group.json", "packtrain-group@v1", "")
        ]
        signature.unlink()
        ran = packtrain("check", "--signed", *delivered.drives(), "--voyage", delivered.hall)
        assert (ran.exit_code, "group.json: packtrain-group@v1: NOT GOOD: no signature" in ran.stdout) == (50, True)
    finally:
        signature.write_bytes(kept)


@pytest.mark.parametrize(
    "arguments", [("--onto", "A1=/x"), ("--report", "x"), ("--signed",), ("--repair", "--onto", "A1")]
)
def test_options_that_do_not_fit_are_refused(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    assert packtrain("check", tmp_path, *arguments).exit_code == 2
