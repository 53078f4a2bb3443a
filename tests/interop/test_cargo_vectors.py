"""The vectors of cargo format 1: packtrain gives the outcome that each states, and so does the second reader.

The second reader (`tests/second_reader/`) was written from the specification alone, so that the two agree on what the
text says and not on what one of them does.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from cargo_vectors import judge
from cargo_vectors.cases import ROOT, SPECIFICATION, Case, identity, read_cases, sections
from cargo_vectors.loader import described, dossier, lay_out, shown, tree
from cargo_vectors.make_age_files import plaintext
from packtrain.volume.extract import listed
from second_reader import Refused, restore
from second_reader.age_file import open_age
from second_reader.catalog import read_catalog
from second_reader.documents import (
    check_custody,
    check_drive,
    check_group,
    check_plan,
    check_shipment,
    open_document,
    sha256,
)
from second_reader.tar_file import read_tar

LEVELS = ("tar", "age", "document", "custody", "catalog", "shipment")
ALL = {level: read_cases(level) for level in LEVELS}
SIGNERS = ROOT / "keys" / "allowed_signers"
MOST_BYTES, MOST_BYTES_OF_A_FILE = 1_500_000, 200_000


def cases(level: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", ALL[level], ids=lambda case: case.case.split("/", 1)[1])


def payload_of(case: Case, suffix: str) -> bytes:
    return (ROOT / f"{case.case}{suffix}").read_bytes()


def refuses(read: Any, *arguments: Any) -> bool:
    try:
        read(*arguments)
    except Refused:
        return True
    return False


# --- what the index says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_a_sentence_of_the_specification_stands_behind_every_case(level: str) -> None:
    found = sections(SPECIFICATION.read_text())
    introduction = " ".join(SPECIFICATION.read_text().split("\n## ")[0].split())
    found |= {"Cargo format 1": introduction}
    for case in ALL[level]:
        assert case.rule in found[case.section], case.case


@pytest.mark.parametrize("level", LEVELS)
def test_the_index_and_the_files_name_the_same_cases(level: str) -> None:
    suffixes = {"tar": ".tar", "age": ".age", "document": ".json", "custody": ".jsonl", "catalog": ".sql"}
    if level == "shipment":
        there = {path.name for path in (ROOT / "shipment" / "cases").iterdir()}
        assert there == {case.name for case in ALL[level]}
        return
    below = ROOT / level
    files = {path.relative_to(ROOT).as_posix() for path in below.rglob(f"*{suffixes[level]}")}
    files |= {path.relative_to(ROOT).as_posix() for path in below.rglob("*.sqlite")}
    files -= {f"{level}/index.json", *(f"tar/accept/{case.name}.json" for case in ALL[level])}
    assert {name.rsplit(".", 1)[0] for name in files} == {case.case for case in ALL[level]}


def test_the_vectors_are_small() -> None:
    sizes = Counter({path: path.stat().st_size for path in ROOT.rglob("*") if path.is_file()})
    assert sizes.total() < MOST_BYTES
    assert sizes.most_common(1)[0][1] < MOST_BYTES_OF_A_FILE


def test_exit_codes_are_those_of_the_errors() -> None:
    for level in LEVELS:
        listed = json.loads((ROOT / level / "index.json").read_text())
        assert [case.to_json() for case in ALL[level]] == listed


# --- tars and age files ----------------------------------------------------------------------------------------------


def members_described(members: Iterable[tuple[bytes, str, bytes, bytes, dict[bytes, bytes]]]) -> list[dict[str, Any]]:
    return [
        {
            "name": shown(name),
            "kind": kind,
            "data": shown(data) if len(data) < 600 else f"{len(data)} bytes",
            "target": shown(target),
            "attributes": {shown(key): value.hex() for key, value in xattrs.items()},
        }
        for name, kind, data, target, xattrs in members
    ]


@cases("tar")
def test_tars(case: Case) -> None:
    payload = payload_of(case, ".tar")
    assert judge.refusal(lambda: judge.read_tar(payload)) == case.error
    if case.outcome == "accept":
        expected = json.loads(payload_of(case, ".json"))
        assert members_described(judge.read_tar(payload)) == expected
        assert members_described(read_tar(payload)) == expected
    else:
        assert refuses(read_tar, payload)


@cases("age")
def test_age_files(case: Case) -> None:
    payload = payload_of(case, ".age")
    assert judge.refusal(lambda: judge.read_age(payload)) == case.error
    if case.outcome == "accept":
        size = int(case.about.rsplit("(", 1)[1].split()[0])
        assert judge.read_age(payload) == plaintext(size)


@pytest.mark.needs_age
@cases("age")
def test_age_files_by_the_second_reader(case: Case) -> None:
    payload = payload_of(case, ".age")
    if case.outcome == "accept":
        assert open_age(payload, identity()) == judge.read_age(payload)
    else:
        assert refuses(open_age, payload, identity())


# --- documents, custody logs, catalogs -------------------------------------------------------------------------------


@cases("document")
def test_documents(case: Case) -> None:
    assert judge.refusal(lambda: judge.read_document(case)) == case.error


@pytest.mark.needs_ssh_keygen
@cases("document")
def test_documents_by_the_second_reader(case: Case) -> None:
    kind, path = case.case.split("/")[2], ROOT / f"{case.case}.json"
    signature = path.with_name(f"{path.name}.sig")
    right = (ROOT / "document/accept/plan.json").read_bytes()
    plan, plan_digest = json.loads(right), sha256(right)

    def read() -> None:
        body = open_document(kind, path.read_bytes(), signature.read_bytes() if signature.exists() else None, SIGNERS)
        match kind:
            case "plan":
                check_plan(body)
            case "group":
                check_group(body, plan, plan_digest)
            case "drive":
                check_drive(body, plan, plan_digest)
            case "shipment":
                check_shipment(body, plan, plan_digest)
            case _:
                if (body["shipment"], body["plan"]) != (plan["shipment"], plan_digest):
                    raise Refused("the key of another shipment or plan")

    assert refuses(read) == (case.outcome == "refuse")


@cases("custody")
def test_custody_logs(case: Case) -> None:
    payload = payload_of(case, ".jsonl")
    assert judge.refusal(lambda: judge.read_custody(payload)) == case.error


@pytest.mark.needs_ssh_keygen
@cases("custody")
def test_custody_logs_by_the_second_reader(case: Case) -> None:
    assert refuses(check_custody, payload_of(case, ".jsonl"), SIGNERS) == (case.outcome == "refuse")


@cases("catalog")
def test_catalogs(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite"
    shutil.copy(ROOT / "catalog/accept/plain.sqlite", path)
    if case.outcome == "refuse":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA journal_mode=OFF")
            connection.executescript(payload_of(case, ".sql").decode())
        connection.close()
    (tmp_path / "store").mkdir()
    assert judge.refusal(lambda: judge.read_catalog(path, tmp_path / "store")) == case.error
    assert refuses(read_catalog, path) == (case.outcome == "refuse")
    assert sorted(found.name for found in tmp_path.iterdir()) == ["catalog.sqlite", "store"]


# --- whole shipments -------------------------------------------------------------------------------------------------


def has_attributes(folder: Path) -> bool:
    probe = folder / "probe"
    probe.write_bytes(b"")
    try:
        os.setxattr(probe, "user.probe", b"1")
    except OSError:
        return False
    finally:
        probe.unlink()
    return True


def assert_restored(case: Case, expect: dict[str, Any], store: Path) -> None:
    """Assert that all but what the case says is lost is there as it was packed, and that nothing was planted."""
    with_attributes = has_attributes(store.parent)
    found = {entry["name"]: entry for entry in described(store, with_attributes=with_attributes)}
    wanted = {entry["name"]: entry for entry in tree(expect["base"], with_attributes=with_attributes)}
    lost = set(expect.get("lost", ()))
    assert lost <= set(wanted)
    for name, entry in wanted.items():
        if name not in lost:
            assert found[name] == entry
        else:
            assert name not in found
    strangers = {name for name in found if name not in wanted and not name.startswith(".packtrain-staging")}
    assert strangers <= ({"door", "folder"} if case.error == "HostileArchive" else set())
    assert not any(path.name == "planted" for path in store.parent.rglob("*"))


@cases("shipment")
def test_shipments(case: Case, tmp_path: Path) -> None:
    restored = judge.load(case, tmp_path)
    expect = json.loads((ROOT / "shipment/cases" / case.name / "expect.json").read_text())
    assert (restored.error, case.outcome) == (expect["error"], expect["outcome"])
    if case.outcome == "refuse":
        assert not any(restored.store.iterdir())
    else:
        assert_restored(case, expect, restored.store)
    if restored.names_lost and case.error == "BeyondRepair":
        # Where the names are known at all, the list of them is complete: one name a line, whatever is in it.
        assert restored.names_lost == {listed(unquote_to_bytes(name)) for name in expect["lost"]}


@cases("shipment")
def test_rescue_on_shipments(case: Case, tmp_path: Path) -> None:
    expect = json.loads((ROOT / "shipment/cases" / case.name / "expect.json").read_text())
    assert judge.rescue_verify(case, tmp_path) == expect["rescue_verify"]


@pytest.mark.needs_age
@pytest.mark.needs_ssh_keygen
@cases("shipment")
def test_shipments_by_the_second_reader(case: Case, tmp_path: Path) -> None:
    expect, folders = lay_out(case.name, tmp_path / "drives")
    store = tmp_path / "store"
    store.mkdir()
    plan, shipment = dossier(expect, "plan.json"), dossier(expect, "shipment.json")
    if case.outcome == "refuse":
        assert refuses(restore, folders, SIGNERS, identity(), store, plan, shipment)
        return
    report = restore(folders, SIGNERS, identity(), store, plan, shipment)
    assert report.is_whole == (case.outcome == "whole")
    assert bool(report.faults) == (case.error == "HostileArchive")
    assert_restored(case, expect, store)
