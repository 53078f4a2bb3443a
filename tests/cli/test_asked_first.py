"""What cannot be taken back is asked first on a terminal; a program says that it means it."""

from pathlib import Path

import pytest

from command_parts import Site, copy_site, done, pack, packtrain


@pytest.fixture(scope="module")
def packed(at_home: Site, tmp_path_factory: pytest.TempPathFactory) -> Site:
    """Return a packed voyage, to be copied."""
    site = copy_site(at_home, tmp_path_factory.mktemp("packed"))
    pack(site)
    return site


@pytest.fixture
def site(packed: Site, tmp_path: Path) -> Site:
    return copy_site(packed, tmp_path)


def keys(site: Site) -> list[str]:
    return sorted(path.name for path in (site.home / "keys").glob("*.age"))


def test_keys_are_not_destroyed_without_results_unless_a_program_says_yes(site: Site) -> None:
    before = keys(site)
    assert before

    ran = packtrain("close", site.home, "--without-results")

    assert ran.exit_code == 2
    assert "add --yes" in ran.stderr and before[0] in ran.stderr
    assert keys(site) == before
    assert not (site.home / "documents" / "closing.json").exists()
    done("close", site.home, "--without-results", "--yes")
    assert not keys(site)


def test_on_a_terminal_the_voyages_name_is_typed_before_keys_are_destroyed(site: Site) -> None:
    before = keys(site)
    ran = packtrain("close", site.home, "--without-results", typed="yes\n")
    assert (ran.exit_code, keys(site)) == (2, before)
    assert "'yes' is not the name of the voyage, tiny" in ran.stderr

    ran = packtrain("close", site.home, "--without-results", typed="tiny\n")

    assert (ran.exit_code, keys(site)) == (0, [])


def test_a_terminal_is_not_asked_where_json_was_wanted(site: Site) -> None:
    ran = packtrain("close", site.home, "--without-results", "--json", typed="tiny\n")

    assert ran.exit_code == 2
    assert ran.document()["error"] == "UsageError"
    assert keys(site)


def test_a_voyage_that_is_closed_asks_nothing_more(site: Site) -> None:
    done("close", site.home, "--without-results", "--yes")

    assert "up to date" in done("close", site.home, "--without-results").stderr


def test_yes_alone_is_refused(site: Site) -> None:
    ran = packtrain("close", site.home, "--yes")

    assert (ran.exit_code, "--without-results" in ran.stderr) == (2, True)
