"""The commands of the how-to pages are run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from packtrain.dataset.kinds.registry import KIND_OF_SUFFIX
from packtrain.diligence.rules.pack import built_in_pack
from packtrain.diligence.rules.policy import read_policy
from packtrain.report.drive_view import HEALTH, LETTERS
from tree_parts import assert_equal

pytestmark = pytest.mark.long

DOCS = Path(__file__).parents[2] / "docs"


def shell_blocks(page: str) -> list[str]:
    """Return the sh blocks of a page, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def run_page(page: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run all sh blocks of a page in a folder, as one script; assert that it ended well."""
    script = "set -eu\n" + "\n".join(shell_blocks(page))
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_table_of_endings_is_the_codes() -> None:
    page = (DOCS / "how-to/your-own-data.md").read_text(encoding="utf-8")
    told: dict[str, str] = {}
    for kind, cell in re.findall(r"^\| (table|image|clip) \| (.*) \|$", page, flags=re.MULTILINE):
        zipped, _, plain = cell.rpartition(" (each also with .gz), ")
        for ending in zipped.split(", ") if zipped else ():
            told |= {ending: kind, f"{ending}.gz": kind}
        told |= dict.fromkeys(plain.split(", "), kind)
    # Of images and clips the page names the usual ones, and where the others stand.
    told = {ending: kind for ending, kind in told.items() if " and [others]" not in ending} | {
        ending.partition(" and [others]")[0]: kind for ending, kind in told.items() if " and [others]" in ending
    }
    assert told.items() <= KIND_OF_SUFFIX.items()
    assert {ending for ending, kind in told.items() if kind == "table"} == {
        ending for ending, kind in KIND_OF_SUFFIX.items() if kind == "table"
    }
    rules = (DOCS / "explanation/images-and-clips.md").read_text(encoding="utf-8")
    for kind in ("image", "clip"):
        line = next(line for line in rules.splitlines() if line.startswith(f"Endings of {kind}s: "))
        endings = line.partition(": ")[2].rstrip(".").split(", ")
        assert endings == sorted(ending for ending, of in KIND_OF_SUFFIX.items() if of == kind)


def test_every_command_of_your_own_data_runs_and_the_data_comes_back(tmp_path: Path) -> None:
    run_page("how-to/your-own-data.md", tmp_path)
    for name in ("index.parquet", "README.md", "shards/images-000000.tar"):
        assert (tmp_path / "guest/store" / name).read_bytes() == (tmp_path / "home/work/dataset" / name).read_bytes()


def test_every_command_of_look_at_your_data_runs_and_lists_what_the_page_shows(tmp_path: Path) -> None:
    done = run_page("how-to/look-at-your-data.md", tmp_path)
    page = (DOCS / "how-to/look-at-your-data.md").read_text(encoding="utf-8")
    shown = re.search(r"^```text\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    assert shown[1] in done.stdout
    for name in ("home/work/look.html", "second-look.html"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600
    looked = (tmp_path / "home/work/look.html").read_text(encoding="utf-8")
    assert "No values are shown" in looked
    assert "observer" not in looked


def test_every_command_of_pack_any_folder_runs_and_the_folder_comes_back_equal(tmp_path: Path) -> None:
    done = run_page("how-to/pack-any-folder.md", tmp_path)
    assert "nothing to prepare" in done.stderr
    assert "holes carried as zeros: 1, 41.9 MB" in done.stdout
    assert (tmp_path / "home/work/pack/losses.txt").read_text() == "sockets, pipes and devices\tpipe\n"
    (tmp_path / "data/pipe").unlink()
    # Taking the pipe out again moved the time of the folder that is no entry itself, and of no other.
    assert_equal(tmp_path / "guest/store", tmp_path / "data")
    assert (tmp_path / "guest/store/sparse.img").stat().st_blocks == 0


def test_every_command_of_adopt_ready_shards_runs_and_says_what_the_page_promises(tmp_path: Path) -> None:
    done = run_page("how-to/adopt-ready-shards.md", tmp_path)
    assert "train 0000 a pattern, number 0" in done.stdout
    assert "refused, as it should be: exit code 21" in done.stdout
    assert "written to since it was adopted" in done.stderr
    assert not (tmp_path / "home/work/dataset/shards").exists()


def test_every_command_of_send_or_carry_runs_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    done = run_page("how-to/send-or-carry.md", tmp_path)
    page = (DOCS / "how-to/send-or-carry.md").read_text(encoding="utf-8")
    shown = re.search(r"^```text\n(.*?)^```$", page, flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    for line in shown[1].splitlines():
        assert line.removesuffix(" ...") in done.stdout, line
    found = json.loads((tmp_path / "forecast.json").read_text(encoding="utf-8"))
    assert found["code"] == {"k": 6, "m": 2}
    assert found["waves"] == 8
    assert found["send"]["days"] > found["carry"]["days"]


def test_every_command_of_eight_bays_runs_and_every_drive_is_whole(tmp_path: Path) -> None:
    done = run_page("how-to/eight-bays-sixty-drives.md", tmp_path)
    assert "closed now, to be labelled and taken out: A1 (" in done.stderr
    assert "2 of 4 waves done; next: " in done.stdout or "1 of 4 waves done; next: " in done.stdout
    assert "undamaged" in done.stdout
    assert len(list((tmp_path / "cases").iterdir())) == 12


@pytest.mark.timeout(290)
def test_every_command_of_load_in_waves_runs_and_the_folder_comes_back_twice(tmp_path: Path) -> None:
    done = run_page("how-to/load-in-waves.md", tmp_path)
    assert "pass 1: 4 drives were not read yet: A1 (case A), B1 (case B), B2 (case B), C2 (case C)" in done.stderr
    assert "wanted next: A1, B1, B2, C2" in done.stdout
    assert "pass 2 " in done.stdout
    assert not list((tmp_path / "scratch").iterdir())


def test_every_command_that_a_site_prepares_with_runs(tmp_path: Path) -> None:
    done = run_page("how-to/be-the-site-operator.md", tmp_path)
    assert "[parties.operator]" in done.stdout
    pack = built_in_pack()
    read_policy((tmp_path / "site" / "site.toml").read_bytes(), "site.toml", pack)


def test_every_command_of_watch_a_voyage_runs_and_its_letters_are_those_of_status(tmp_path: Path) -> None:
    done = run_page("how-to/watch-a-voyage.md", tmp_path)
    assert "next: packtrain plan" in done.stdout
    assert json.loads((tmp_path / "status.json").read_text(encoding="utf-8"))["voyage"] == "watch-me"
    assert (tmp_path / "watched" / "report.html").is_file()
    page = (DOCS / "how-to/watch-a-voyage.md").read_text(encoding="utf-8")
    told = re.findall(r"^\| `(.)` \| ([a-z]+) \|", page, flags=re.MULTILINE)
    assert [(letter, state) for letter, state in told] == [(LETTERS[state], state) for state in HEALTH]
