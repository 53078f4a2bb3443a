import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

import list_files
from days import today
from list_files import csl_entry, csl_json, write
from packtrain import durable
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.diligence.lists import store
from packtrain.diligence.lists.add import ListToAdd, add_list
from packtrain.documents.codec import digest
from packtrain.documents.list_record import ListRecord
from packtrain.errors import DocumentError, IntegrityError, ListMissing, ListUnreadable, SourceChanged
from packtrain.events import Event, discard
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder


@pytest.fixture
def folder(tmp_path: Path) -> VoyageFolder:
    root = tmp_path / "voyage"
    root.mkdir()
    (root / VOYAGE_FILE).write_text('[voyage]\nname = "lists"\nrole = "operator"\n')
    return VoyageFolder(root)


def a_list(tmp_path: Path, *names: str, label: str = "us-csl") -> ListToAdd:
    entries = [csl_entry(id=f"e{number}", name=name) for number, name in enumerate(names or ("Quagga", "Moa"))]
    return ListToAdd(label, "csl-json", [csl_json(tmp_path, *entries)], today())


def listed(folder: VoyageFolder, label: str = "us-csl") -> list[str]:
    return [party.names[0].text for party in store.entries(folder, store.record(folder, label))]


def left_behind(folder: VoyageFolder) -> list[str]:
    root = folder.root / store.FOLDER
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


def test_what_was_added_is_read_back(folder: VoyageFolder, tmp_path: Path) -> None:
    wanted = a_list(tmp_path)

    record = add_list(folder, replace(wanted, source="https://lists.example/csl"), discard)

    assert store.records(folder) == (record,)
    assert listed(folder) == ["Quagga", "Moa"]
    assert (record.num_rows, record.num_entries, record.num_names) == (2, 2, 2)
    assert record.files[0].sha256 == sha256_file(wanted.files[0])
    assert (record.date, record.source, record.replaces) == (today().isoformat(), "https://lists.example/csl", None)


def test_the_file_itself_is_not_kept(folder: VoyageFolder, tmp_path: Path) -> None:
    record = add_list(folder, a_list(tmp_path), discard)

    assert left_behind(folder) == [f"us-csl/entries-{record.entries[:16]}.sqlite", "us-csl/list.json"]


def test_the_same_file_gives_the_same_entries(folder: VoyageFolder, tmp_path: Path) -> None:
    first, second = (add_list(folder, a_list(tmp_path), discard) for _ in range(2))

    assert first.entries == second.entries
    assert listed(folder) == ["Quagga", "Moa"]


def test_a_list_of_the_same_label_is_replaced_and_its_record_stays(folder: VoyageFolder, tmp_path: Path) -> None:
    before = add_list(folder, a_list(tmp_path), discard)

    after = add_list(folder, a_list(tmp_path, "Tarpan"), discard)

    assert listed(folder) == ["Tarpan"]
    assert after.replaces == digest(before)
    assert left_behind(folder) == [
        f"us-csl/entries-{after.entries[:16]}.sqlite",
        f"us-csl/history/{digest(before)}.json",
        "us-csl/list.json",
    ]
    kept = (folder.root / store.FOLDER / "us-csl" / "history" / f"{digest(before)}.json").read_bytes()
    assert sha256_bytes(kept) == digest(before)


def test_lists_of_other_labels_stay(folder: VoyageFolder, tmp_path: Path) -> None:
    add_list(folder, a_list(tmp_path, label="eu"), discard)
    add_list(folder, a_list(tmp_path, "Tarpan", label="own"), discard)

    assert [record.label for record in store.records(folder)] == ["eu", "own"]
    assert (listed(folder, "eu"), listed(folder, "own")) == (["Quagga", "Moa"], ["Tarpan"])


def test_a_list_without_an_entry_is_refused(folder: VoyageFolder, tmp_path: Path) -> None:
    wanted = replace(a_list(tmp_path), files=[csl_json(tmp_path)])

    with pytest.raises(ListUnreadable, match="no entry"):
        add_list(folder, wanted, discard)

    assert left_behind(folder) == []
    assert not (folder.root / store.FOLDER / "us-csl").exists()


def test_a_file_that_is_cut_off_stores_nothing_and_the_list_before_stays(folder: VoyageFolder, tmp_path: Path) -> None:
    path = write(tmp_path, "un.xml", list_files.UN_XML)
    wanted = ListToAdd("un", "un-xml", [path], date(2026, 9, 2))
    before = add_list(folder, wanted, discard)
    path.write_text(list_files.UN_XML[:-40], encoding="utf-8")

    with pytest.raises(ListUnreadable, match="cut off"):
        add_list(folder, wanted, discard)

    assert store.records(folder) == (before,)
    assert len(list(store.entries(folder, before))) == 2
    assert not list((folder.root / store.FOLDER).rglob("*.part"))


def test_an_old_list_cannot_be_given_a_new_day(folder: VoyageFolder, tmp_path: Path) -> None:
    wanted = ListToAdd("un", "un-xml", [write(tmp_path, "un.xml", list_files.UN_XML)], date(2026, 9, 4))

    with pytest.raises(ListUnreadable, match=r"older than --date says.*--date 2026-09-02"):
        add_list(folder, wanted, discard)

    assert left_behind(folder) == []


def test_a_list_may_be_called_older_than_it_says(folder: VoyageFolder, tmp_path: Path) -> None:
    wanted = ListToAdd("un", "un-xml", [write(tmp_path, "un.xml", list_files.UN_XML)], date(2026, 8, 1))

    record = add_list(folder, wanted, discard)

    assert (record.date, record.date_in_file) == ("2026-08-01", "2026-09-02")


def test_a_list_of_a_day_to_come_is_refused(folder: VoyageFolder, tmp_path: Path) -> None:
    with pytest.raises(ListUnreadable, match="not yet"):
        add_list(folder, replace(a_list(tmp_path), date=today() + timedelta(days=2)), discard)


def test_a_file_that_changes_while_it_is_read_is_refused(folder: VoyageFolder, tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("Name\n" + "".join(f"Quagga {number}\n" for number in range(5001)))

    def change(event: Event) -> None:
        with path.open("a") as stream:
            stream.write("Moa\n")

    with pytest.raises(SourceChanged):
        add_list(folder, ListToAdd("own", "csv", [path], today(), columns={"name": "Name"}), change)

    assert left_behind(folder) == []


def test_what_was_left_out_is_in_the_record_and_said(folder: VoyageFolder, tmp_path: Path) -> None:
    said: list[Event] = []

    record = add_list(
        folder, ListToAdd("os", "opensanctions-ftm", [list_files.ftm_json(tmp_path)], today()), said.append
    )

    assert [(left.reason, left.count) for left in record.left_out] == [
        ("neither a target nor with a topic", 2),
        ("not a party", 2),
    ]
    assert len(said) == 2


def test_a_label_that_was_never_added_is_missing(folder: VoyageFolder) -> None:
    with pytest.raises(ListMissing, match="'eu'"):
        store.record(folder, "eu")


@contextlib.contextmanager
def inside(folder: VoyageFolder, record: ListRecord) -> Iterator[sqlite3.Connection]:
    path = folder.root / store.FOLDER / record.label / f"entries-{record.entries[:16]}.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        yield connection


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM entries WHERE id = 1",
        "UPDATE entries SET payload = replace(payload, 'Quagga', 'Quokka')",
        "UPDATE entries SET payload = CAST('{' AS BLOB)",
        "INSERT INTO entries (payload) SELECT payload FROM entries",
        "DROP TABLE entries",
    ],
)
def test_entries_that_were_changed_are_found(folder: VoyageFolder, tmp_path: Path, spoil: str) -> None:
    record = add_list(folder, a_list(tmp_path), discard)
    with inside(folder, record) as connection:
        if "replace(" in spoil:
            spoil = spoil.replace("replace(payload", "CAST(replace(CAST(payload AS TEXT)").replace("')", "') AS BLOB)")
        connection.execute(spoil)

    with pytest.raises(IntegrityError, match="us-csl"):
        list(store.entries(folder, record))


def test_a_record_that_was_changed_is_refused(folder: VoyageFolder, tmp_path: Path) -> None:
    add_list(folder, a_list(tmp_path), discard)
    path = folder.root / store.FOLDER / "us-csl" / "list.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "date": "today"}))

    with pytest.raises(DocumentError):
        store.records(folder)


class Killed(BaseException):
    pass


def steps_of_adding(folder: VoyageFolder, wanted: ListToAdd, die_at: int | None = None) -> int:
    number = 0

    def observe(name: str) -> None:
        nonlocal number
        number += 1
        if number == die_at:
            raise Killed(name)

    durable.observe_steps(observe)
    try:
        add_list(folder, wanted, discard)
    finally:
        durable.observe_steps(None)
    return number


def test_killed_at_any_step_the_old_list_or_the_new_one_is_whole(folder: VoyageFolder, tmp_path: Path) -> None:
    old = a_list(tmp_path)
    add_list(folder, old, discard)
    other = tmp_path / "other"
    other.mkdir()
    new = a_list(other, "Tarpan")
    num_steps = steps_of_adding(folder, new)
    assert num_steps > 6

    for step in range(1, num_steps + 1):
        add_list(folder, old, discard)
        with pytest.raises(Killed):
            steps_of_adding(folder, new, die_at=step)
        assert listed(folder) in (["Quagga", "Moa"], ["Tarpan"]), step
        add_list(folder, new, discard)
        assert listed(folder) == ["Tarpan"], step
        assert len(list((folder.root / store.FOLDER / "us-csl").glob("entries*"))) == 1, step
