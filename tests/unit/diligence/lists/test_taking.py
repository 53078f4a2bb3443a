"""Lists and country groups of another folder: newer ones are taken, with what they replace; doctored ones are not."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from days import today
from packtrain.diligence.lists import store
from packtrain.diligence.lists.add import ListToAdd, add_list
from packtrain.diligence.rules import groups
from packtrain.documents.codec import encode
from packtrain.errors import GroupUnreadable, IntegrityError, ListUnreadable
from packtrain.events import discard
from packtrain.record.folder import VoyageFolder
from three_parties import three_parties


@pytest.fixture
def here(tmp_path: Path) -> VoyageFolder:
    return three_parties(tmp_path / "here")["operator"]


@pytest.fixture
def there(tmp_path: Path) -> VoyageFolder:
    return three_parties(tmp_path / "there")["operator"]


def add(folder: VoyageFolder, days_old: int, *names: str) -> None:
    path = folder.root / "list.csv"
    path.write_text("name\n" + "\n".join(names) + "\n")
    day = today() - timedelta(days=days_old)
    add_list(folder, ListToAdd("invented", "csv", [path], day, columns={"name": "name"}), discard)


def add_group(folder: VoyageFolder, days_old: int, *members: str) -> None:
    path = folder.root / "groups.toml"
    day = (today() - timedelta(days=days_old)).isoformat()
    path.write_text(f'[[group]]\nname = "D5"\nas_of = {day}\nsource = "the tests"\nmembers = {list(members)}\n')
    groups.add_groups(folder, path)


def redate(folder: VoyageFolder, day: str) -> None:
    """Write another day into a list's record, as whoever has the folder could."""
    path = folder.root / "lists" / "invented" / "list.json"
    path.write_bytes(encode(msgspec.structs.replace(store.record(folder, "invented"), date=day)))


def test_an_older_list_does_not_replace_a_newer_one(here: VoyageFolder, there: VoyageFolder) -> None:
    add(here, 1, "Quagga Shipping", "Dodo Trading")
    add(there, 2, "Nobody")
    assert store.take_from(here, there.root) == ()
    assert store.record(here, "invented").num_entries == 2


def test_a_newer_list_is_told_with_what_it_replaces(here: VoyageFolder, there: VoyageFolder) -> None:
    add(here, 3, "Quagga Shipping", "Dodo Trading")
    add(there, 1, "Nobody")
    (told,) = store.take_from(here, there.root)
    assert (
        told == f"list invented of {today() - timedelta(days=1)}: 1 entries in place of 2 of {today() - timedelta(3)}"
    )


@pytest.mark.parametrize("day", ["9999-12-31", "2026-99-99"])
def test_a_list_that_would_never_age_is_not_taken(here: VoyageFolder, there: VoyageFolder, day: str) -> None:
    add(here, 1, "Quagga Shipping")
    add(there, 1, "Nobody")
    redate(there, day)
    with pytest.raises(ListUnreadable):
        store.take_from(here, there.root)
    assert store.record(here, "invented").date == (today() - timedelta(days=1)).isoformat()


def test_entries_that_are_no_table_are_not_read(here: VoyageFolder, there: VoyageFolder) -> None:
    add(there, 1, "Nobody")
    path = next((there.root / "lists" / "invented").glob("entries-*.sqlite"))
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE VIEW entries AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) "
            "SELECT id, CAST('x' AS BLOB) AS payload FROM n"
        )
    with pytest.raises(IntegrityError, match="not those that were added"):
        store.take_from(here, there.root)
    assert store.records(here) == ()


def test_a_record_that_counts_other_entries_is_not_taken(here: VoyageFolder, there: VoyageFolder) -> None:
    add(there, 1, "Nobody")
    record = store.record(there, "invented")
    path = there.root / "lists" / "invented" / "list.json"
    path.write_bytes(encode(msgspec.structs.replace(record, num_entries=17_000)))
    with pytest.raises(IntegrityError):
        store.take_from(here, there.root)


def test_members_that_a_newer_group_lost_are_named(here: VoyageFolder, there: VoyageFolder) -> None:
    add_group(here, 3, "CN", "KP", "RU")
    add_group(there, 1, "KP", "IR")
    (told,) = groups.take_from(here, there.root)
    assert "no longer in it: CN, RU; new in it: IR" in told
    history = here.root / "country-groups" / "history"
    assert len(list(history.iterdir())) == 1


def test_a_group_of_a_day_to_come_is_not_taken(here: VoyageFolder, there: VoyageFolder) -> None:
    add_group(here, 1, "CN")
    add_group(there, 1, "NL")
    path = there.root / "country-groups" / "D5.json"
    group = groups.kept_groups(there)["D5"]
    path.write_bytes(encode(msgspec.structs.replace(group, as_of="2999-01-01")))
    with pytest.raises(GroupUnreadable, match="not yet"):
        groups.take_from(here, there.root)
    assert groups.kept_groups(here)["D5"].members == ("CN",)
