"""What a newcomer reads: no line that runs off the screen, no message of a library, no warning that comes too late."""

import json
from pathlib import Path

import pytest

from command_parts import Site, copy_site, done, edit, pack, packtrain, refusal


@pytest.fixture
def home(at_home: Site, tmp_path: Path) -> Site:
    return copy_site(at_home, tmp_path)


def test_what_a_placement_survives_is_broken_into_lines_that_fit(home: Site) -> None:
    ran = done("plan", home.home)

    lines = [line for line in ran.stdout.splitlines() if "any one case" in line or "NOT survivable" in line]
    assert len(lines) > 1
    assert max(map(len, ran.stdout.splitlines())) <= 100
    survives = [line for line in ran.stderr.splitlines() if "in groups of" in line]
    assert max(map(len, survives)) <= 100


@pytest.mark.parametrize(
    ("name", "old", "new", "what", "expected"),
    [
        ("voyage.toml", 'name = "tiny"\n', "", "voyage.name is missing", None),
        ("voyage.toml", 'role = "consignor"', 'role = "sender"', "voyage.role is none of the known words", "consignor"),
        ("declaration.toml", "most_drives = 4", 'most_drives = "four"', "most_drives is a text", "a whole number"),
    ],
)
def test_a_mistake_in_a_file_written_by_hand_is_told_in_words(
    home: Site, name: str, old: str, new: str, what: str, expected: str | None
) -> None:
    edit(home.home / name, old, new)

    document = refusal(packtrain("declare", home.home, "--json"), 10 if name == "voyage.toml" else 78)

    assert document["what"] == what
    assert expected is None or expected in document["expected"]


def test_a_document_that_lacks_a_field_is_told_in_words(home: Site) -> None:
    done("plan", home.home)
    path = home.home / "documents" / "placement.json"
    placement = json.loads(path.read_bytes())
    del placement["drives"][0]["label"]
    path.write_text(json.dumps(placement, sort_keys=True, separators=(",", ":")))

    ran = packtrain("pack", home.home, "--json")

    assert ran.exit_code == 14
    assert ran.document()["what"] == "document does not fit its schema: drives[0].label is missing"
    assert ran.document()["hint"]


def test_a_folder_that_was_packed_and_did_not_change_keeps_its_receipt(home: Site) -> None:
    edit(home.home / "voyage.toml", 'paths = ["../data"]', 'paths = ["../data"]\nform = "folder"')
    pack(home)
    receipt = home.home / "receipts" / "pack.json"
    before = receipt.read_bytes()

    ran = done("pack", home.home, "--json")

    assert "pack: up to date, nothing to do" in ran.stderr
    assert receipt.read_bytes() == before
    assert ran.document()["finished"] == json.loads(before)["finished"]
    (home.root / "data" / "more.csv").write_text("a\n")
    assert "up to date" not in done("pack", home.home).stderr
    assert receipt.read_bytes() != before


def test_a_dossier_without_a_packing_statement_says_so_when_it_is_written(home: Site) -> None:
    pack(home)
    without = done("dossier", "export", home.root / "early", "--to", "operator", "--voyage", home.home)
    done("carry", "seal", "--voyage", home.home)
    sealed = done("dossier", "export", home.root / "late", "--to", "operator", "--voyage", home.home)

    assert "warning: no packing statement is in it" in without.stderr
    assert "packtrain carry seal" in without.stderr
    assert "packing statement" not in sealed.stderr
