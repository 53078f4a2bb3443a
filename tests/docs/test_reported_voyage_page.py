"""The figures of "the reported voyage, planned" come out of `packtrain plan`, and its prose says the same numbers."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from command_parts import done

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "explanation" / "the-reported-voyage.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Return the words of each command of the page, without `packtrain`."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [shlex.split(block.replace("\\\n", " "))[1:] for block in blocks]


def found(words: list[str]) -> dict[str, Any]:
    return json.loads(done(*words, "--json").stdout)


def test_every_line_that_the_page_shows_is_printed() -> None:
    printed = [line for words in commands() for line in done(*words).stdout.splitlines()]
    shown = re.findall(r"^```text\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    assert len(shown) == 3
    for line in "".join(shown).splitlines():
        assert line in printed, line


def test_the_numbers_of_its_prose_are_those_of_the_forecast() -> None:
    as_reported, wider = (found(words) for words in commands())
    assert as_reported["total_bytes"] == 80 * 10**12
    assert sum(len(group["drives"]) for group in as_reported["groups"]) == 60
    steps = {step["name"]: step for step in as_reported["carry"]["steps"]}
    assert steps["prepare"]["days"]["low"] == 8 * 7
    assert steps["pack"]["days"]["likely"] < 2
    assert 2 < steps["load"]["days"]["likely"] * 24 < 2.5
    assert round(as_reported["send"]["steps"][1]["days"]["likely"]) == 74
    assert round(as_reported["raw_bytes"] / 1e12) == 107
    assert round(as_reported["bytes_a_drive"] / 1e12, 2) == 1.81
    assert as_reported["fits"] is True
    assert round(1 / as_reported["loss_probability"]) == 519
    assert round(as_reported["loss_probability_after_one_case"], 2) == 0.22
    beside = next(choice for choice in as_reported["choices"] if choice["survive"] == {"cases": 1, "drives": 1})
    assert round(beside["bytes_a_drive"] / 1e12, 2) == 2.21
    assert beside["most_bytes"] < 80 * 10**12
    assert wider["fits"] is True
    assert round(wider["bytes_a_drive"] / 1e12, 2) == 1.94
    assert 10_500 < 1 / wider["loss_probability"] < 11_500
    assert round(1 / wider["loss_probability_after_one_case"]) == 71
    # Two to six months: 61 to 183 days.
    assert [round(80e12 * 8 / (months * 30.5 * 86400) / 1e6, -1) for months in (2, 6)] == [120, 40]


def test_what_it_says_of_the_papers_is_what_the_rules_find() -> None:
    rules = (DOCS / "reference" / "rules.md").read_text(encoding="utf-8")
    for rule in ("HQ-1", "PT-1"):
        assert rule in PAGE and rule in rules
    assert (DOCS.parent / "tests" / "scenarios" / "reported-voyage.declaration.toml").is_file()
