"""The glossary has every word that the project is built on, and explains none twice."""

import re

from docs_parts import DOCS

# The words of the trip, in the order in which they are met.
WORDS = """
voyage; sample; shard; dataset card; kit; shipment; case; bay; wave; group; volume; stripe; block; plan; group document;
shipment document; shipment root; catalog; recipient; identity; signer; custody event; seal; party; declaration;
packing statement; screening; flag; dossier; admission; receipt; results
"""
# One word that stands for two things, and says so.
_TWICE = {"entry"}


def _told() -> list[str]:
    """Return the words that the glossary explains; `plan, group, shipment document` are three kinds of document."""
    page = (DOCS / "explanation" / "glossary.md").read_text(encoding="utf-8")
    rows = [cell for cell in re.findall(r"^\| ([^|]+) \| [^|]+ \|$", page, re.MULTILINE) if cell not in ("word", "---")]
    words: list[str] = []
    for row in rows:
        parts = row.split(", ")
        last = parts[-1].split()
        shared = f" {last[-1]}" if last[-1] == "document" and len(parts) > 1 else ""
        words += [part if part.endswith(shared) else part + shared for part in parts]
    return words


def test_every_word_of_the_project_is_explained() -> None:
    told = {*_told(), *(word.removesuffix(" document") for word in _told())}

    assert [word for word in WORDS.replace("\n", " ").split("; ") if word.strip() not in told] == []


def test_no_word_is_explained_twice() -> None:
    told = _told()

    assert {word for word in told if told.count(word) > 1} == _TWICE
