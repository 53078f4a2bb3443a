"""A folder that cannot be carried is refused before a drive is bought: by `plan`, and by a look at what would go."""

import os
from pathlib import Path

import pytest

from command_parts import Site, copy_site, done, edit, packtrain, refusal


@pytest.fixture
def home(at_home: Site, tmp_path: Path) -> Site:
    site = copy_site(at_home, tmp_path)
    name_sources(site, '["../data"]', before='["../data"]')
    return site


def name_sources(site: Site, paths: str, before: str = '["../data"]\nform = "folder"') -> None:
    edit(site.home / "voyage.toml", f"paths = {before}", f'paths = {paths}\nform = "folder"')


@pytest.mark.parametrize(
    ("paths", "code", "what"),
    [
        ('["../data", "../drives"]', 10, 'form = "folder" carries one folder'),
        ('[".."]', 10, "the folder to carry holds the voyage folder itself"),
        ('["../drives"]', 10, "a drive lies in the folder that is to be carried"),
        ('["../data/readings.csv"]', 20, "the folder to carry is not there, or no folder"),
        ('["../nothing"]', 20, "the folder to carry is not there, or no folder"),
        ('["../dangling"]', 20, "the folder to carry is not there, or no folder"),
    ],
)
def test_a_folder_that_cannot_be_carried_is_refused_at_once(home: Site, paths: str, code: int, what: str) -> None:
    (home.root / "dangling").symlink_to("nothing")
    name_sources(home, paths)

    for command in (("plan",), ("pack", "--dry-run")):
        document = refusal(packtrain(*command, home.home, "--json"), code)
        assert document["what"] == what
        assert document["found"]


def test_a_link_to_a_folder_is_one(home: Site) -> None:
    (home.root / "link").symlink_to("data")
    name_sources(home, '["../link"]')

    done("plan", home.home)
    done("pack", home.home)


def test_files_and_entries_are_the_same_words_from_plan_to_load(home: Site) -> None:
    data = home.root / "data"
    num_files = sum(path.is_file() for path in data.rglob("*"))
    os.link(data / "readings.csv", data / "second name")
    (data / "link").symlink_to("readings.csv")
    (data / "empty").mkdir()

    planned = done("plan", home.home, "--json").document()["counts"]
    shown = done("pack", "--dry-run", home.home, "--json").document()
    packed = done("pack", home.home, "--json").document()["counts"]

    assert planned["source_files"] == shown["files"] == packed["files"] == num_files
    assert shown["entries"] == packed["entries"] == num_files + 3
    assert planned["source_bytes"] == shown["bytes"] == packed["bytes_packed"]
