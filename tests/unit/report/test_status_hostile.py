"""Whatever lies in a folder, status and report say what they could not read, and no word of it is obeyed."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.documents.parties import Role
from packtrain.events import discard
from packtrain.overview import overview
from packtrain.record.folder import VoyageFolder
from packtrain.record.live import LIVE_NAME
from packtrain.report.page import page
from packtrain.report.pieces import words
from packtrain.report.status_picture import picture
from packtrain.report.status_text import MANY_GROUPS, fact_lines
from packtrain.report.summary import Summary
from packtrain.report.summary_json import to_builtins
from packtrain.voyage import Voyage
from standing_parts import shipped
from three_parties import copy_of_parties, three_parties

SGR = re.compile(r"\x1b\[[0-9;]*m")
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
DEEP = b'{"a":' * 50_000
GARBAGE = (b"", b"\x00" * 10, DEEP, b"[]", b'"\\u001b[2J"', b"\xff\xfe", b'{"type":"packtrain.plan","version":99}\n')
LIVE = {
    "stage": "pack",
    "state": "running",
    "started": "2026-11-01T10:00:00Z",
    "updated": "2026-11-01T10:00:00Z",
    "host": "nowhere",
    "machine": "none",
    "pid": 1,
    "pid_started": 1,
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("made") / "voyage"
    shipped(three_parties(root)["consignor"], {"A": 2, "B": 2}, 3, 1)
    return root


@pytest.fixture
def folders(made: Path, tmp_path: Path) -> dict[Role, VoyageFolder]:
    return copy_of_parties(made, tmp_path / "voyage")


def _all_forms(summary: Summary) -> Iterator[str]:
    """Yield the summary in every form; what may stand in none of them is looked for here."""
    yield json.dumps(to_builtins(summary))
    yield "\n".join(f"{name} {text}" for name, text in fact_lines(summary))
    for width in (80, 120):
        for with_unicode in (True, False):
            drawn = picture(summary, width, with_unicode=with_unicode)
            assert UNSEEN.search(SGR.sub("", drawn)) is None
            plain = picture(summary, width, with_unicode=with_unicode, with_colour=False)
            assert "\x1b" not in plain
            assert max(map(len, plain.split("\n"))) <= width
            yield plain
    html = page(summary)
    assert UNSEEN.search(html) is None
    yield html


@pytest.mark.parametrize("garbage", GARBAGE)
def test_every_file_may_be_garbage(folders: dict[Role, VoyageFolder], garbage: bytes) -> None:
    home = folders["consignor"]
    names = (
        *(f"documents/{name}.json" for name in ("placement", "dataset", "ready", "declaration", "plan", "shipment")),
        *(
            f"documents/{name}.json"
            for name in ("packing-statement", "admission", "export-list", "pieces", "flags", "inspection")
        ),
        *(f"documents/inspections/{role}.json" for role in ("operator", "consignee")),
        *("documents/custody.jsonl", "documents/groups/0.json", "documents/forecast.json"),
        *("receipts/pack.json", "receipts/load.json", "receipts/check.json", "receipts/close.json"),
        *("logs/live.json", "logs/checks.json", "logs/train/steps.jsonl", "logs/metrics.jsonl"),
        *("work/load/progress.json", "work/load/journal.jsonl"),
    )
    for name in names:
        (home.root / name).parent.mkdir(parents=True, exist_ok=True)
        (home.root / name).write_bytes(garbage)

    summary = overview([Voyage(home.root, discard)])

    assert len(list(_all_forms(summary))) == 7
    assert any("plan.json" in text for text in summary.unread)
    assert any("receipts" in text for text in summary.unread)
    assert all(any(f"inspections/{role}.json" in text for text in summary.unread) for role in ("operator", "consignee"))


def test_folders_and_links_in_the_place_of_files_are_named(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    (home.documents / "plan.json").unlink()
    (home.documents / "plan.json").mkdir()
    (home.documents / "dataset.json").symlink_to("dataset.json")
    (home.receipts / "pack.json").mkdir(parents=True)
    (home.logs / LIVE_NAME).mkdir(parents=True)

    summary = overview([Voyage(home.root, discard)])

    assert list(_all_forms(summary))
    assert summary.plan is None


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    names = ("logs/checks.json", "logs/metrics.jsonl", "logs/train/attempts.jsonl", "work/load/progress.json")
    names += ("logs/train/steps.jsonl", "work/load/journal.jsonl", "documents/forecast.json", "receipts/check.json")
    for name in (*names, "documents/custody.jsonl", "documents/dataset.json", "documents/plan.json.sig"):
        (home.root / name).parent.mkdir(parents=True, exist_ok=True)
        (home.root / name).unlink(missing_ok=True)
        os.mkfifo(home.root / name)

    assert overview([Voyage(home.root, discard)]).training is None


@pytest.mark.parametrize(
    "spoiled",
    [
        {"done_bytes": 10**400, "total_bytes": 1},
        {"total_bytes": -5},
        {"rate": 1e308, "left_seconds": 1e308},
        {"stage": "\x1b[2J\u202e", "activity": "<script>\n\r\t\x07", "host": "</p>\x9b"},
        {"drives": [{"label": "\x1b]0;x\x07", "state": "<b>", "done_bytes": 3, "total_bytes": 2}]},
    ],
)
def test_a_hostile_live_file_is_shown_harmlessly_or_not_at_all(
    folders: dict[Role, VoyageFolder], spoiled: dict[str, object]
) -> None:
    home = folders["consignor"]
    home.logs.mkdir(exist_ok=True)
    (home.logs / LIVE_NAME).write_text(json.dumps(LIVE | spoiled))

    summary = overview([Voyage(home.root, discard)])

    *_, html = _all_forms(summary)
    assert "<script" not in html


def test_a_process_on_another_machine_is_not_known_to_run(folders: dict[Role, VoyageFolder]) -> None:
    home = folders["consignor"]
    home.logs.mkdir(exist_ok=True)
    (home.logs / LIVE_NAME).write_text(
        json.dumps(LIVE | {"total_bytes": 200, "done_bytes": 82, "num_waves": 8, "wave": 3})
    )

    (view,) = overview([Voyage(home.root, discard)]).live

    assert view.state == "not known"
    assert view.sentence() == (
        "pack runs, or ran, on nowhere; told last 2026-11-01T10:00:00Z: wave 3 of 8, 41 %, 82 B of 200 B"
    )


@given(st.text(alphabet=st.characters(codec=None)))
def test_no_text_is_markup_and_nothing_in_it_is_unseen(text: str) -> None:
    shown = words(text)

    assert re.search(r"[<>\"']", shown) is None
    assert re.fullmatch(r"([^&]|&(amp|lt|gt|quot|#x27);)*", shown, re.DOTALL)
    assert UNSEEN.search(shown) is None and "\n" not in shown


def test_a_drive_and_its_sign_stand_in_one_line(tmp_path: Path) -> None:
    home = three_parties(tmp_path)["consignor"]
    shipped(home, {"A": 30}, 29, 1, num_stripes=1)

    drawn = picture(overview([Voyage(home.root, discard)]), 80, with_colour=False)

    assert re.findall(r"\bA\d+ c\b", drawn) == [f"A{number} c" for number in range(1, 31)]


def test_many_drives_and_groups_are_counted_and_the_hurt_ones_named(tmp_path: Path) -> None:
    home = three_parties(tmp_path)["consignor"]
    found = shipped(home, {"A": 1300, "B": 1300}, 3, 1, num_stripes=1)
    found.log("lost", cases=("A",), drives=(found.uuid("A17"),))

    summary = overview([Voyage(home.root, discard)])
    _, lines, *drawn, html = _all_forms(summary)

    assert len(lines.splitlines()) < 40
    assert "1 lost (A17)" in lines and "649 not checked: not known" in lines
    assert len([line for line in lines.splitlines() if line.startswith("group ")]) <= MANY_GROUPS
    assert all(len(text.splitlines()) < 60 for text in drawn)
    assert len(html) < 100_000 and "A17" in html
