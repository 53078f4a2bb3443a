"""`status` says what this party does next: one voyage from `init` to `close`, looked at in all three folders."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command_parts import DECLARATION, Site, copy_site, done, edit, packtrain

ADMIT = "packtrain admit DOSSIER --drive DRIVE"
IMPORT = "packtrain dossier import FOLDER"


def following(folder: Path) -> tuple[str | None, str]:
    """Return the next step and why."""
    step = done("status", folder, "--json").document()["next"]
    return step["command"], step["why"]


def on_the_way(site: Site) -> None:
    done("carry", "release", "A", "B", "--to", "operator", "--into", site.root / "out", "--voyage", site.home)


def taken(site: Site) -> None:
    done("carry", "accept", site.root / "out", "--into", site.root / "answer", "--voyage", site.hall)


def admitted(site: Site) -> None:
    done("dossier", "export", site.root / "to-hall", "--to", "operator", "--voyage", site.home)
    mounted = [argument for drive in site.drives() for argument in ("--drive", drive)]
    done("admit", site.root / "to-hall", *mounted, "--voyage", site.hall)


def imported(site: Site) -> None:
    done("dossier", "export", site.root / "to-guest", "--to", "consignee", "--voyage", site.hall)
    done("dossier", "import", site.root / "to-guest", "--voyage", site.guest)


WALK: list[tuple[str, Callable[[Site], object], str | None, str | None, str | None]] = [
    # what is done, then the next command at home, at the site, of the guest
    ("declared", lambda _: None, "packtrain plan", ADMIT, IMPORT),
    ("planned", lambda s: done("plan", s.home), "packtrain pack", ADMIT, IMPORT),
    ("packed", lambda s: done("pack", s.home), "packtrain carry seal", ADMIT, IMPORT),
    (
        "sealed",
        lambda s: done("carry", "seal", "--voyage", s.home),
        "packtrain carry release A B --to operator --into FILE",
        ADMIT,
        IMPORT,
    ),
    ("released", on_the_way, "packtrain carry adopt FILE", ADMIT, IMPORT),
    ("accepted", taken, "packtrain carry adopt FILE", ADMIT, IMPORT),
    (
        "adopted",
        lambda s: done("carry", "adopt", s.root / "answer", "--voyage", s.home),
        "packtrain return accept OUTBOX",
        ADMIT,
        IMPORT,
    ),
    ("admitted", admitted, "packtrain return accept OUTBOX", "packtrain return release OUTBOX", IMPORT),
    (
        "imported",
        imported,
        "packtrain return accept OUTBOX",
        "packtrain return release OUTBOX",
        "packtrain load DRIVE...",
    ),
    (
        "loaded",
        lambda s: s.load(),
        "packtrain return accept OUTBOX",
        "packtrain return release OUTBOX",
        "packtrain train",
    ),
    (
        "the guest closed",
        lambda s: done("close", s.guest, "--without-results", "--yes"),
        "packtrain return accept OUTBOX",
        "packtrain return release OUTBOX",
        None,
    ),
    (
        "the site closed",
        lambda s: done("close", s.hall, "--without-results", "--yes"),
        "packtrain return accept OUTBOX",
        None,
        None,
    ),
    ("home closed", lambda s: done("close", s.home, "--without-results", "--yes"), None, None, None),
]


def test_every_party_is_told_what_comes_next_at_every_step(at_home: Site, tmp_path: Path) -> None:
    site = copy_site(at_home, tmp_path)
    for name, act, *expected in WALK:
        act(site)
        found = [following(folder) for folder in (site.home, site.hall, site.guest)]
        assert [command for command, _ in found] == expected, name
        closed = [why for command, why in found if command is None]
        assert all("this voyage is closed" in why for why in closed)
        if name == "packed":
            assert "sign for the cases first" in found[1][1]
        if name == "accepted":
            assert "sign for the cases" not in found[1][1]
        if name == "loaded":
            assert "once voyage.toml has [training]" in found[2][1]


@pytest.fixture
def home(at_home: Site, tmp_path: Path) -> Site:
    return copy_site(at_home, tmp_path)


def test_a_new_folder_is_told_what_it_lacks(tmp_path: Path) -> None:
    done("init", tmp_path / "home")

    command, why = following(tmp_path / "home")

    assert command == "packtrain plan"
    assert why == "first: correct [sources] in voyage.toml"


@pytest.mark.parametrize("role", ["consignor", "operator", "consignee"])
def test_text_says_what_json_says_in_lines_that_fit(tmp_path: Path, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done("init", tmp_path / "v", "--role", role)
    command, why = following(tmp_path / "v")

    text = done("status", tmp_path / "v").stdout

    assert f"next: {command}\n" in text
    assert why.split()[0] in text.partition("next: ")[2]
    # And where to type it, for who looks from somewhere else.
    assert f"in {tmp_path / 'v'}\n" in text.partition("next: ")[2]
    monkeypatch.chdir(tmp_path / "v")
    assert f"in {tmp_path}" not in done("status").stdout.partition("next: ")[2]
    assert max(map(len, text.splitlines())) <= 100


def test_answers_that_are_not_written_yet_are_the_next_step(home: Site) -> None:
    done("plan", home.home)
    (home.home / "declaration.toml").unlink()
    shutil.rmtree(home.home / "receipts" / "declare.json", ignore_errors=True)

    command, why = following(home.home)

    assert command == "packtrain declare"
    assert why.startswith("first: ") and "questions" in why


def test_a_changed_answer_is_amended(home: Site) -> None:
    done("plan", home.home)
    (home.home / "declaration.toml").write_text(DECLARATION.replace("forecasting", "forecasting rain"))

    assert following(home.home)[0] == "packtrain declare --amend"


def test_a_folder_as_it_is_needs_neither_prepare_nor_rehearse(home: Site) -> None:
    edit(home.home / "voyage.toml", 'paths = ["../data"]', 'paths = ["../data"]\nform = "folder"')
    (home.home / "receipts" / "prepare.json").unlink()
    done("plan", home.home)

    states = {row["stage"]: row["state"] for row in done("status", home.home, "--json").document()["stages"]}

    assert (states["prepare"], states["rehearse"]) == ("not needed", "not needed")
    assert following(home.home)[0] == "packtrain pack"


def test_a_changed_source_under_sealed_cases_is_no_next_step(home: Site) -> None:
    done("plan", home.home)
    done("pack", home.home)
    done("carry", "seal", "--voyage", home.home)
    (home.root / "data" / "more.csv").write_text("a\n1\n")

    assert following(home.home)[0] == "packtrain carry release A B --to operator --into FILE"


def test_a_verdict_that_is_not_admit_is_said(home: Site) -> None:
    done("plan", home.home)
    done("pack", home.home)
    done("carry", "seal", "--voyage", home.home)
    done("dossier", "export", home.root / "to-hall", "--to", "operator", "--voyage", home.home)
    one_drive = ("--drive", home.drive("a1"), "--no-more")
    assert packtrain("admit", home.root / "to-hall", *one_drive, "--voyage", home.hall).exit_code == 75

    command, why = following(home.hall)

    assert command == ADMIT
    assert "the verdict is hold" in why


def test_between_waves_the_bays_and_the_next_drives_are_told_again(home: Site) -> None:
    for number in (1, 2, 3):
        (home.root / "bays" / str(number)).mkdir(parents=True)
    voyage = home.home / "voyage.toml"
    text = re.sub(r"\n\[\[drives\.case\]\].*\Z", "", voyage.read_text(), flags=re.DOTALL)
    cases = "".join(
        f'\n[[drives.case]]\nlabel = "{case}"\ncount = 2\nsize = "40 MB"\ncarrier = "C. {case}"\nseal = "PT-{case}"\n'
        for case in "ABC"
    )
    text = re.sub(r"^survive = .*$", r'\g<0>\nbays = ["../bays/1", "../bays/2", "../bays/3"]', text, flags=re.MULTILINE)
    voyage.write_text(text + cases)
    (home.home / "declaration.toml").write_text(DECLARATION.replace("most_drives = 4", "most_drives = 6"))
    done("declare", home.home, "--amend")
    done("plan", home.home)
    wanted = packtrain("pack", home.home, "--json")
    assert wanted.exit_code == 45

    document = done("status", home.home, "--json").document()

    told = wanted.document()["wanted"]
    waves = document["waves"]
    assert {name: waves[name] for name in ("waves_done", "waves", "wanted_empty", "wanted_again")} == {
        name: told[name] for name in ("waves_done", "waves", "wanted_empty", "wanted_again")
    }
    closed = {Path(one["location"]).name: one["label"] for one in told["closed_now"]}
    assert {Path(bay["location"]).name: bay["label"] for bay in waves["bays"]} == closed
    assert {bay["state"] for bay in waves["bays"]} == {"closed"}
    shown = done("status", home.home).stdout
    assert f"  ../bays/1    {closed['1']}, closed: write the label on it and take it out" in shown
    assert f"3 empty drives for {', '.join(told['wanted_empty'])}" in shown
    assert document["next"]["command"] == "packtrain pack"
    shutil.rmtree(home.root / "bays" / "1")
    (home.root / "bays" / "1").mkdir()
    shutil.rmtree(home.root / "bays" / "2")
    states = [bay["state"] for bay in done("status", home.home, "--json").document()["waves"]["bays"]]
    assert states == ["empty", "not mounted", "closed"]
