"""What cannot be taken back is asked first on a terminal; a program says that it means it."""

from pathlib import Path

import pytest

from command_parts import Site, copy_site, done, edit, pack, packtrain


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


# --- declare ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def undeclared(at_home: Site, tmp_path: Path) -> Site:
    site = copy_site(at_home, tmp_path)
    for path in (*(site.home / "documents").glob("declaration*"), site.home / "receipts" / "declare.json"):
        path.unlink()
    return site


def signed(site: Site) -> bool:
    return any((site.home / "documents").rglob("declaration*"))


def test_on_a_terminal_answers_are_shown_before_they_are_signed_and_a_typo_is_not(undeclared: Site) -> None:
    edit(undeclared.home / "declaration.toml", 'site_country = "NO"', 'site_country = "NL"')

    ran = packtrain("declare", undeclared.home, typed="n\n")

    assert ran.exit_code == 2
    assert "nothing was signed" in ran.stderr
    assert "NO: shipper, receiver, operator, trained_for;" in ran.stderr
    assert "NL: site" in ran.stderr
    assert "site_country" in ran.stderr and "most_bytes" in ran.stderr and "100 MB" in ran.stderr
    assert not signed(undeclared)


def test_before_signing_no_rule_is_told(undeclared: Site) -> None:
    edit(undeclared.home / "declaration.toml", 'site_country = "NO"', 'site_country = "NL"')

    ran = packtrain("declare", undeclared.home, typed="\n")

    assert "form" not in ran.stderr.replace("declaration.toml", "").replace("forecasting", "")
    assert not signed(undeclared)


def test_yes_on_the_terminal_signs(undeclared: Site) -> None:
    assert packtrain("declare", undeclared.home, typed="y\n").exit_code == 0
    assert signed(undeclared)


@pytest.mark.parametrize(("option", "typed"), [("--json", "n\n"), ("--yes", "n\n"), ("--json", None), ("--yes", None)])
def test_a_program_signs_without_a_question(undeclared: Site, option: str, typed: str | None) -> None:
    ran = packtrain("declare", undeclared.home, option, typed=typed)

    assert ran.exit_code == 0
    assert "sign this?" not in ran.stderr
    assert signed(undeclared)


def test_an_amendment_shows_what_it_changes_and_answers_that_are_signed_ask_nothing(undeclared: Site) -> None:
    done("declare", undeclared.home)
    assert "sign this?" not in packtrain("declare", undeclared.home, typed="n\n").stderr
    edit(undeclared.home / "declaration.toml", "forecasting", "forecasting rain")

    ran = packtrain("declare", undeclared.home, "--amend", typed="n\n")

    assert ran.exit_code == 2
    assert "forecasting" in ran.stderr and "forecasting rain" in ran.stderr
    assert packtrain("declare", undeclared.home, "--amend", typed="yes\n").exit_code == 0
