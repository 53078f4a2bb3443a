"""`packtrain dossier statements` as a command: what it writes, for whom, and what `check --signed` says of it."""

import json
import shutil
from pathlib import Path

import pytest

from command_parts import Site, copy_site, done, packtrain, refusal
from packtrain.digest import sha256_file


@pytest.fixture
def declared(at_home: Site, tmp_path: Path) -> Site:
    return copy_site(at_home, tmp_path)


def test_the_consignor_writes_a_signed_statement_of_its_declaration(declared: Site) -> None:
    ran = done("dossier", "statements", "--voyage", declared.home)

    folder = declared.home / "statements"
    assert {path.name for path in folder.iterdir()} == {"declaration.statement.json", "declaration.statement.json.sig"}
    assert "declaration.statement.json" in ran.stdout
    assert "do not put them in a case" in ran.stderr
    subject = json.loads((folder / "declaration.statement.json").read_bytes())["subject"]
    assert subject[0]["digest"]["sha256"] == sha256_file(declared.home / "documents" / "declaration.json")


def test_envelopes_are_written_where_they_are_asked_for(declared: Site, tmp_path: Path) -> None:
    into = tmp_path / "elsewhere"

    document = done("dossier", "statements", "--into", into, "--dsse", "--voyage", declared.home, "--json").document()

    assert document["folder"] == str(into)
    assert document["statements"] == {path.name: sha256_file(path) for path in into.iterdir()}
    assert json.loads((into / "declaration.dsse.json").read_bytes())["payloadType"] == "application/vnd.in-toto+json"


def test_who_has_signed_nothing_is_told_what_comes_first(declared: Site) -> None:
    document = refusal(packtrain("dossier", "statements", "--voyage", declared.hall, "--json"), 12)

    assert "operator has signed nothing" in document["what"]
    assert "packtrain admit" in document["hint"]
    assert not (declared.hall / "statements").exists()


def test_check_signed_judges_the_signature_of_a_statement(declared: Site, tmp_path: Path) -> None:
    dossier = tmp_path / "dossier"
    done("dossier", "export", dossier, "--to", "operator", "--voyage", declared.home)
    done("dossier", "statements", "--into", dossier / "data" / "statements", "--voyage", declared.home)
    statement = dossier / "data" / "statements" / "declaration.statement.json"

    ran = packtrain("check", "--signed", dossier, "--voyage", declared.hall)
    assert ran.exit_code == 0, ran.stdout
    assert "declaration.statement.json: signed by consignor SHA256:" in ran.stdout

    statement.write_bytes(statement.read_bytes().replace(b"forecasting", b"forgetting"))
    ran = packtrain("check", "--signed", dossier, "--voyage", declared.hall)
    assert ran.exit_code == 51
    assert "packtrain-statement@v1: NOT GOOD" in ran.stdout

    shutil.rmtree(dossier / "data" / "statements")
    assert packtrain("check", "--signed", dossier, "--voyage", declared.hall).exit_code == 0
